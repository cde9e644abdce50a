package window

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"runtime"
	"strings"
	"time"

	"github.com/pkg/browser"
)

// browserTimeout is how long a program that opens addresses may take before it counts
// as the browser itself, which some are.
const browserTimeout = 3 * time.Second

// Open shows a link that Link returned in the person's browser. The error has the link,
// for the person to open by hand.
func Open(ctx context.Context, link string) error {
	if !strings.HasPrefix(link, "http://127.0.0.1:") {
		return errors.New("that is no address of this program")
	}
	if !hasDisplay() {
		return fmt.Errorf("there is no desktop to open a browser on; open this address on this machine: %s", link)
	}
	// What a browser prints is of no interest to anybody. The package has no other way.
	browser.Stdout, browser.Stderr = io.Discard, io.Discard
	done := make(chan error, 1)
	go func() { done <- browser.OpenURL(link) }()
	select {
	case err := <-done:
		if err != nil {
			return fmt.Errorf("no browser could be opened (%w); open this address on this machine: %s", err, link)
		}
	case <-time.After(browserTimeout):
	case <-ctx.Done():
	}
	return nil
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
