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

func (a App) text() ([]byte, error) { return a.agent() }

// IsEnabled reports whether launchd will start the program. A switch of System Settings
// is not seen: only launchd knows it.
func (a App) IsEnabled() bool {
	agent, err := a.parsed()
	return err == nil && agent.starts
}

func (a App) command() ([]string, error) {
	agent, err := a.parsed()
	return agent.arguments, err
}

func (a App) parsed() (parsedAgent, error) {
	text, err := a.read()
	if err != nil {
		return parsedAgent{}, err
	}
	return parseAgent(text)
}
