package window

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"os"
	"runtime"
	"sync"
	"time"

	"github.com/pkg/browser"
)

// browserTimeout is how long a program that opens addresses may take before it counts
// as the browser itself, which some are.
const browserTimeout = 3 * time.Second

// silence makes browsers write to the null device: what they print is of no interest to
// anybody, and nil, unlike io.Discard, is a pipe less that would break when we end. The
// package offers no way but its variables, which must be written once and before use.
var silence = sync.OnceFunc(func() { browser.Stdout, browser.Stderr = nil, nil })

// Open shows a link that Link returned in the person's browser. The error has the link,
// for the person to open by hand, and so belongs in no log. A browser that was started
// but does not say whether it shows anything counts as opened. It may be called
// concurrently.
func Open(ctx context.Context, link string) error {
	if !ownLink(link) {
		return errors.New("that is no address of this program")
	}
	if !hasDisplay() {
		return fmt.Errorf("there is no desktop to open a browser on; open this address on this machine: %s", link)
	}
	silence()
	done := make(chan error, 1)
	go func() { done <- browser.OpenURL(link) }() // it ends with the program that it starts
	late := time.NewTimer(browserTimeout)
	defer late.Stop()
	select {
	case err := <-done:
		if err != nil {
			return fmt.Errorf("no browser could be opened (%w); open this address on this machine: %s", err, link)
		}
		return nil
	case <-late.C:
		return nil
	case <-ctx.Done():
		return fmt.Errorf("nobody waited for the browser (%w); open this address on this machine: %s", ctx.Err(), link)
	}
}

// ownLink reports whether an address can be one of Link's, and not one that only begins
// like it: http://127.0.0.1:x@elsewhere.example.
func ownLink(link string) bool {
	u, err := url.Parse(link)
	return err == nil && u.Scheme == "http" && u.User == nil && u.Hostname() == loopback && u.Port() != ""
}

// hasDisplay reports whether there is anything that a browser could be shown on. Text
// browsers, which some systems would start instead, would take the terminal.
func hasDisplay() bool {
	switch runtime.GOOS {
	case "windows", "darwin":
		return true
	}
	return os.Getenv("DISPLAY") != "" || os.Getenv("WAYLAND_DISPLAY") != ""
}
