//go:build windows || darwin

package vault

// reachable reports whether the keyring can be asked: here it is a part of the system.
func reachable(func(string) string) error { return nil }
