// Package autostart makes a program start when its person logs in: by a .desktop file
// in the autostart folder (freedesktop), a LaunchAgent (macOS) or a value of the
// registry's Run key (Windows).
//
// Make an [App] and call [App.Enable]. What the desktop's own settings change (a switch
// in GNOME, the task manager of Windows) is respected: such an entry is not enabled.
// At every start look at [App.Stale], and call Enable again if it says so.
//
// It never starts or stops anything itself: what it writes is read at the next login.
package autostart

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"unicode/utf8"
)

// App is a program that can start at login. It is a value: nothing here changes it. Its
// methods may be called concurrently; of two that write, one wins whole.
type App struct {
	// Name names the entry: letters and digits of ASCII, dots, dashes, underscores.
	Name string
	// DisplayName is what a person reads.
	DisplayName string
	// Exec is the command: the program's absolute path, and its arguments.
	Exec []string
}

var (
	errNoHome  = errors.New("the home folder is not known")
	errName    = errors.New("the entry's name is not one of ASCII letters, digits, dots, dashes and underscores")
	errCommand = errors.New("the command to start at login is not an absolute path")
	errText    = errors.New("the command to start at login has characters that no entry can hold")
	// errEntry says that an entry's command cannot be read back.
	errEntry = errors.New("the entry's command is not understood")
)

// Possible says why the program cannot start at login, nil if it can. It looks at the
// App and at the system, not at whether the entry can be written just now.
func (a App) Possible() error {
	if a.Name == "" || strings.Trim(a.Name, ".") == "" || strings.ContainsFunc(a.Name, notInName) {
		return errName
	}
	if len(a.Exec) == 0 || !filepath.IsAbs(a.Exec[0]) {
		return errCommand
	}
	for _, word := range append([]string{a.DisplayName}, a.Exec...) {
		if !utf8.ValidString(word) || strings.ContainsFunc(word, notInText) {
			return errText
		}
	}
	return a.possible()
}

func notInName(c rune) bool {
	letter := 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z'
	return !letter && (c < '0' || c > '9') && !strings.ContainsRune("._-", c)
}

// notInText reports whether a character is outside of XML 1.0 ("Char"), which a property
// list is made of. Desktop entries are UTF-8 too; a command that starts here and not
// there would help nobody.
func notInText(c rune) bool {
	return c < ' ' && !strings.ContainsRune("\t\n\r", c) || c == '\uFFFE' || c == '\uFFFF'
}

// Stale reports whether there is an enabled entry that starts something else than Exec:
// the program was moved since, or the entry cannot be read. Enable then repairs it.
func (a App) Stale() (bool, error) {
	if err := a.Possible(); err != nil {
		return false, err
	}
	if !a.IsEnabled() {
		return false, nil
	}
	command, err := a.command()
	if errors.Is(err, errEntry) {
		return true, nil
	}
	if err != nil {
		return false, err
	}
	current := len(command) > 0 && a.isStartedBy(command[0]) && slices.Equal(command[1:], a.Exec[1:])
	return !current, nil
}

// isStartedBy reports whether a path starts this program, and will after an upgrade. A
// symbolic link that leads here does: who runs the program once by the path behind the
// link shall not tie the entry to that.
func (a App) isStartedBy(path string) bool {
	if path == a.Exec[0] {
		return true
	}
	target, err := filepath.EvalSymlinks(path)
	return err == nil && target != path && isSameFile(target, a.Exec[0])
}

// Executable returns the path by which this program should be started.
//
// An AppImage runs from a folder that is gone after it, so its own file is taken. Else
// it is the path that the program was started by, symbolic links and all, as long as
// that leads to this program: package managers keep the link and change where it leads,
// while what Linux tells of a running program is the versioned path behind the link.
func Executable() (string, error) {
	if image := os.Getenv("APPIMAGE"); filepath.IsAbs(image) {
		if _, err := os.Stat(image); err == nil {
			return image, nil
		}
	}
	program, err := os.Executable()
	if err != nil {
		return "", err
	}
	return startedBy(os.Args[0], program), nil
}

func isSameFile(x, y string) bool {
	xInfo, err := os.Stat(x)
	if err != nil {
		return false
	}
	yInfo, err := os.Stat(y)
	return err == nil && os.SameFile(xInfo, yInfo)
}

// writeFile writes a file whole or not at all.
func writeFile(path string, text []byte) error {
	err := os.MkdirAll(filepath.Dir(path), 0o755)
	if err == nil {
		err = replace(path, text)
	}
	if err != nil {
		return fmt.Errorf("the entry that starts the program at login cannot be written: %w", err)
	}
	return nil
}

func replace(path string, text []byte) error {
	f, err := os.CreateTemp(filepath.Dir(path), "."+filepath.Base(path)+".*")
	if err != nil {
		return err
	}
	_, err = f.Write(text)
	if err == nil {
		err = f.Sync() // a full disk may be told only now
	}
	if err = errors.Join(err, f.Chmod(0o644), f.Close()); err == nil {
		err = os.Rename(f.Name(), path)
	}
	if err != nil {
		return errors.Join(err, os.Remove(f.Name()))
	}
	return nil
}

// removeFile removes a file; that there is none is no error.
func removeFile(path string) error {
	if err := os.Remove(path); err != nil && !errors.Is(err, os.ErrNotExist) {
		return fmt.Errorf("the entry that starts the program at login cannot be removed: %w", err)
	}
	return nil
}
