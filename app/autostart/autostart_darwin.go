package autostart

import (
	"os"
	"path/filepath"
)

func (a App) file() (string, error) {
	home, err := os.UserHomeDir()
	if err != nil {
		return "", errNoHome
	}
	return filepath.Join(home, "Library", "LaunchAgents", label(a.Name)+".plist"), nil
}

func (a App) possible() error {
	_, err := a.file()
	return err
}

// Enable writes the agent, in the place of one that is there. launchd reads it at the
// next login.
func (a App) Enable() error {
	if err := a.Possible(); err != nil {
		return err
	}
	file, err := a.file()
	if err != nil {
		return err
	}
	text, err := a.agent()
	if err != nil {
		return err
	}
	return writeFile(file, text)
}

// Disable removes the agent. That there is none is no error.
func (a App) Disable() error {
	file, err := a.file()
	if err != nil {
		return err
	}
	return removeFile(file)
}

// IsEnabled reports whether launchd will start the program.
func (a App) IsEnabled() bool {
	_, err := a.command()
	return err == nil
}

func (a App) command() ([]string, error) {
	file, err := a.file()
	if err != nil {
		return nil, err
	}
	text, err := os.ReadFile(file)
	if err != nil {
		return nil, err
	}
	return argumentsOf(text)
}
