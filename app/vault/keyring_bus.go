//go:build !windows && !darwin

package vault

import (
	"errors"
	"os"
	"path/filepath"
)

var errNoBus = errors.New("there is no session bus, and so no keyring")

// reachable reports whether the keyring can be asked. Without a session bus the library
// would start one of its own, which nobody needs and nobody ends.
func reachable(env func(string) string) error {
	if env("DBUS_SESSION_BUS_ADDRESS") != "" {
		return nil
	}
	if dir := env("XDG_RUNTIME_DIR"); dir != "" {
		if _, err := os.Stat(filepath.Join(dir, "bus")); err == nil {
			return nil
		}
	}
	return errNoBus
}
