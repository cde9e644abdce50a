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

func (a App) text() ([]byte, error) { return a.entry(), nil }

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
