// Package autostart makes a program start when its person logs in: by a .desktop file
// in the autostart folder (freedesktop), a LaunchAgent (macOS) or a value of the
// registry's Run key (Windows).
//
// Make an [App] and call [App.Enable]. What the desktop's own settings change (a switch
// in GNOME, the task manager of Windows) is respected: such an entry is not enabled.
package autostart

import (
	"errors"
	"os"
	"path/filepath"
	"slices"
)

// App is a program that can start at login. It is a value: nothing here changes it.
type App struct {
	// Name names the entry; letters, digits, dashes.
	Name string
	// DisplayName is what a person reads.
	DisplayName string
	// Exec is the command: the program's absolute path, and its arguments.
	Exec []string
}

var (
	errNoHome  = errors.New("the home folder is not known")
	errCommand = errors.New("the command to start at login is not an absolute path")
)

// Possible says why the program cannot start at login, nil if it can.
func (a App) Possible() error {
	if len(a.Exec) == 0 || !filepath.IsAbs(a.Exec[0]) {
		return errCommand
	}
	return a.possible()
}

// Stale reports whether there is an entry that starts another command than Exec: the
// program was moved since. Enable then repairs it.
func (a App) Stale() (bool, error) {
	if !a.IsEnabled() {
		return false, nil
	}
	command, err := a.command()
	return err == nil && !slices.Equal(command, a.Exec), err
}

// Executable returns the path by which this program should be started. An AppImage runs
// from a folder that is gone after it, so its own file is taken. A symbolic link in the
// path stays: package managers keep it and change where it leads.
func Executable() (string, error) {
	if image := os.Getenv("APPIMAGE"); image != "" {
		if _, err := os.Stat(image); err == nil && filepath.IsAbs(image) {
			return image, nil
		}
	}
	return os.Executable()
}

// writeFile writes a file whole or not at all.
func writeFile(path string, text []byte) error {
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		return err
	}
	f, err := os.CreateTemp(filepath.Dir(path), "."+filepath.Base(path)+".*")
	if err != nil {
		return err
	}
	_, err = f.Write(text)
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
	if err := os.Remove(path); !errors.Is(err, os.ErrNotExist) {
		return err
	}
	return nil
}
