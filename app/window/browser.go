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

// Open shows a link that Link returned in the person's browser. The error does
// not repeat the link, whose ticket belongs in no log, but says how to come by one. A browser that was started
// but does not say whether it shows anything counts as opened. It may be called
// concurrently.
func Open(ctx context.Context, link string) error {
	if !ownLink(link) {
		return errors.New("that is no address of this program")
	}
	if err := Browse(ctx, link); err != nil {
		return fmt.Errorf("%w%s", err, byHand)
	}
	return nil
}

// Browse shows a page of the web in the person's browser. The error does not repeat its
// address. It may be called concurrently.
func Browse(ctx context.Context, link string) error {
	if u, err := url.Parse(link); err != nil || u.Scheme != "https" && u.Scheme != "http" || u.Host == "" {
		return errors.New("that is no address of a page")
	}
	if !hasDisplay() {
		return errors.New("there is no desktop to open a browser on")
	}
	silence()
	done := make(chan error, 1)
	go func() { done <- browser.OpenURL(link) }() // it ends with the program that it starts
	late := time.NewTimer(browserTimeout)
	defer late.Stop()
	select {
	case err := <-done:
		if err != nil {
			return fmt.Errorf("no browser could be opened (%w)", err)
		}
		return nil
	case <-late.C:
		return nil
	case <-ctx.Done():
		return fmt.Errorf("nobody waited for the browser (%w)", ctx.Err())
	}
}

// byHand says how to come by an address to open by hand.
const byHand = "; the command glmtray open prints an address to open on this machine"

// OpenFolder shows a folder in the person's file manager. It returns when that has
// taken it over, or has ended.
func OpenFolder(path string) error {
	silence()
	return browser.OpenFile(path)
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
