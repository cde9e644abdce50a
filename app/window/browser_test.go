//go:build !windows && !darwin

package window

import (
	"context"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/pkg/browser"
)

const link = "http://127.0.0.1:4321/open?ticket=0123"

// desktop puts a program of this content in the place of the one that opens addresses.
// An empty one is none.
func desktop(t *testing.T, script string) (dir string) {
	t.Helper()
	dir = t.TempDir()
	t.Setenv("PATH", dir)
	t.Setenv("DISPLAY", ":42")
	if script != "" {
		if err := os.WriteFile(filepath.Join(dir, "xdg-open"), []byte("#!/bin/sh\ncd '"+dir+"'\n"+script), 0o700); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

// TestOpenBrowser holds that the system's program gets the link, and nobody's terminal
// what it prints.
func TestOpenBrowser(t *testing.T) {
	dir := desktop(t, "echo noise; echo noise >&2; echo \"$@\" > \"opened.$$\"\n")
	var group sync.WaitGroup
	for range 4 {
		group.Go(func() {
			if err := Open(t.Context(), link); err != nil {
				t.Error(err)
			}
		})
	}
	group.Wait()
	opened, err := filepath.Glob(filepath.Join(dir, "opened.*"))
	if err != nil || len(opened) != 4 {
		t.Fatalf("opened %q, %v", opened, err)
	}
	for _, name := range opened {
		if got, err := os.ReadFile(name); err != nil || strings.TrimSpace(string(got)) != link {
			t.Errorf("%q, %v", got, err)
		}
	}
	if browser.Stdout != nil || browser.Stderr != nil {
		t.Error("what the browser prints does not go to the null device")
	}
}

// TestNoBrowser holds that who cannot be shown the window is told its address.
func TestNoBrowser(t *testing.T) {
	tell := func(t *testing.T, err error) {
		t.Helper()
		if err == nil || !strings.Contains(err.Error(), "glmtray open") || strings.Contains(err.Error(), "0123") {
			t.Errorf("%v", err)
		}
	}
	t.Run("that fails", func(t *testing.T) {
		desktop(t, "exit 3\n")
		tell(t, Open(t.Context(), link))
	})
	t.Run("at all", func(t *testing.T) {
		desktop(t, "")
		tell(t, Open(t.Context(), link))
	})
	t.Run("and no desktop", func(t *testing.T) {
		dir := desktop(t, "echo > opened\n")
		t.Setenv("DISPLAY", "")
		t.Setenv("WAYLAND_DISPLAY", "")
		tell(t, Open(t.Context(), link))
		if _, err := os.Stat(filepath.Join(dir, "opened")); err == nil {
			t.Error("something was opened without a desktop")
		}
	})
	t.Run("that anybody waits for", func(t *testing.T) {
		dir := desktop(t, "echo > begun\nwhile [ -e xdg-open ]; do /bin/sleep 0.05; done\n")
		ctx, cancel := context.WithCancel(t.Context())
		go func() {
			eventually(t, "the browser", func() bool { _, err := os.Stat(filepath.Join(dir, "begun")); return err == nil })
			cancel()
		}()
		tell(t, Open(ctx, link))
	})
}

// TestForeignLinks holds that only our own addresses are opened.
func TestForeignLinks(t *testing.T) {
	dir := desktop(t, "echo > opened\n")
	for _, link := range []string{
		"", "file:///etc/passwd", "https://127.0.0.1:4321/", "http://evil.example/", "http://127.0.0.1/", "http://localhost:4321/",
		"http://127.0.0.1:4321@evil.example/", "http://user@127.0.0.1:4321/", "http://127.0.0.1.evil.example:4321/", "-http://127.0.0.1:4321/", "http://127.0.0.1:x/",
	} {
		if err := Open(t.Context(), link); err == nil {
			t.Errorf("%q was opened", link)
		}
	}
	if _, err := os.Stat(filepath.Join(dir, "opened")); err == nil {
		t.Error("something was opened")
	}
}
