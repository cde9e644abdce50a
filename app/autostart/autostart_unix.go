//go:build !windows && !darwin

package autostart

import (
	"os"
	"path/filepath"
)

// file is where the entry lies: Desktop Application Autostart Specification.
func (a App) file() (string, error) {
	config := os.Getenv("XDG_CONFIG_HOME")
	if !filepath.IsAbs(config) { // the Base Directory Specification has relative ones ignored
		home, err := os.UserHomeDir()
		if err != nil {
			return "", errNoHome
		}
		config = filepath.Join(home, ".config")
	}
	return filepath.Join(config, "autostart", a.Name+".desktop"), nil
}

func (a App) possible() error {
	_, err := a.file()
	return err
}

// Enable writes the entry, in the place of one that is there.
func (a App) Enable() error {
	if err := a.Possible(); err != nil {
		return err
	}
	file, err := a.file()
	if err != nil {
		return err
	}
	return writeFile(file, a.entry())
}

// Disable removes the entry. That there is none is no error.
func (a App) Disable() error {
	file, err := a.file()
	if err != nil {
		return err
	}
	return removeFile(file)
}

// IsEnabled reports whether the desktop will start the program.
func (a App) IsEnabled() bool {
	text, err := a.read()
	return err == nil && starts(text)
}

func (a App) command() ([]string, error) {
	text, err := a.read()
	if err != nil {
		return nil, err
	}
	return commandOf(text)
}

func (a App) read() ([]byte, error) {
	file, err := a.file()
	if err != nil {
		return nil, err
	}
	return os.ReadFile(file)
}
