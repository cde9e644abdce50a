//go:build unix

package vault

import (
	"errors"
	"os"
	"syscall"
)

// rename puts a file in place of another, whole.
func rename(from, to string) error { return os.Rename(from, to) }

// syncDir makes a change of a folder's names last. File systems that know no such thing,
// as some of the network, say EINVAL or ENOTSUP: they do it their own way.
func syncDir(name string) error {
	d, err := os.Open(name)
	if err != nil {
		return err
	}
	err = d.Sync()
	if errors.Is(err, syscall.EINVAL) || errors.Is(err, syscall.ENOTSUP) {
		err = nil
	}
	return errors.Join(err, d.Close())
}
