package autostart

import (
	"errors"
	"unicode/utf16"

	"golang.org/x/sys/windows"
	"golang.org/x/sys/windows/registry"
)

const (
	runKey = `Software\Microsoft\Windows\CurrentVersion\Run`
	// approvedKey is where the task manager notes what it has switched off: the first
	// byte of a value is odd then.
	approvedKey = `Software\Microsoft\Windows\CurrentVersion\Explorer\StartupApproved\Run`
	// maxCommandLine is how many UTF-16 units Windows takes from a value of the Run key:
	// learn.microsoft.com, "Run and RunOnce Registry Keys".
	maxCommandLine = 260
)

var errLong = errors.New("the command to start at login is longer than the 260 characters that Windows takes; move the program or its config file to a shorter path")

func (a App) possible() error {
	if len(utf16.Encode([]rune(windows.ComposeCommandLine(a.Exec)))) > maxCommandLine {
		return errLong
	}
	return nil
}

// Enable writes the value, in the place of one that is there, and takes back what the
// task manager has switched off. Windows reads it at the next login.
func (a App) Enable() error {
	if err := a.Possible(); err != nil {
		return err
	}
	key, _, err := registry.CreateKey(registry.CURRENT_USER, runKey, registry.SET_VALUE)
	if err != nil {
		return err
	}
	defer key.Close()
	if err := key.SetStringValue(a.Name, windows.ComposeCommandLine(a.Exec)); err != nil {
		return err
	}
	return remove(approvedKey, a.Name)
}

// Disable removes the value. That there is none is no error.
func (a App) Disable() error {
	return errors.Join(remove(runKey, a.Name), remove(approvedKey, a.Name))
}

// remove removes a value, if it is there.
func remove(path, name string) error {
	key, err := registry.OpenKey(registry.CURRENT_USER, path, registry.SET_VALUE)
	if errors.Is(err, registry.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	defer key.Close()
	if err := key.DeleteValue(name); !errors.Is(err, registry.ErrNotExist) {
		return err
	}
	return nil
}

// IsEnabled reports whether Windows will start the program.
func (a App) IsEnabled() bool {
	if _, err := a.command(); err != nil && !errors.Is(err, errEntry) {
		return false
	}
	key, err := registry.OpenKey(registry.CURRENT_USER, approvedKey, registry.QUERY_VALUE)
	if err != nil {
		return true
	}
	defer key.Close()
	state, _, err := key.GetBinaryValue(a.Name)
	return err != nil || len(state) == 0 || state[0]%2 == 0
}

func (a App) command() ([]string, error) {
	key, err := registry.OpenKey(registry.CURRENT_USER, runKey, registry.QUERY_VALUE)
	if err != nil {
		return nil, err
	}
	defer key.Close()
	line, _, err := key.GetStringValue(a.Name)
	if err != nil {
		return nil, err
	}
	words, err := windows.DecomposeCommandLine(line)
	if err != nil {
		return nil, errors.Join(errEntry, err)
	}
	return words, nil
}
