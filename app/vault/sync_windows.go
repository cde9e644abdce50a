package vault

import (
	"errors"
	"os"
	"time"

	"golang.org/x/sys/windows"
)

const (
	renameTries = 40
	renamePause = 25 * time.Millisecond
)

// rename puts a file in place of another, whole. Windows refuses that while somebody has
// the other one open, as a second process that reads it or a virus scanner does for a
// moment; so it is tried for a second.
func rename(from, to string) error {
	for try := 1; ; try++ {
		err := os.Rename(from, to)
		busy := errors.Is(err, windows.ERROR_ACCESS_DENIED) || errors.Is(err, windows.ERROR_SHARING_VIOLATION)
		if !busy || try == renameTries {
			return err
		}
		time.Sleep(renamePause)
	}
}

// syncDir does nothing: Windows has no such call for folders, and keeps the order of
// their changes itself.
func syncDir(string) error { return nil }
