//go:build !windows

package autostart

import (
	"errors"
	"io"
	"os"
)

// maxEntryBytes bounds how much of an entry is read. Ours have a few hundred.
const maxEntryBytes = 64 << 10

func (a App) possible() error {
	_, err := a.file()
	return err
}

// Enable writes the entry, in the place of one that is there. The desktop reads it at
// the next login. The error says in words why it cannot be, and then nothing has changed.
func (a App) Enable() error {
	if err := a.Possible(); err != nil {
		return err
	}
	file, err := a.file()
	if err != nil {
		return err
	}
	text, err := a.text()
	if err != nil {
		return err
	}
	return writeFile(file, text)
}

// Disable removes the entry. That there is none is no error.
func (a App) Disable() error {
	file, err := a.file()
	if err != nil {
		return err
	}
	return removeFile(file)
}

// read returns the text of the entry that is there.
func (a App) read() ([]byte, error) {
	path, err := a.file()
	if err != nil {
		return nil, err
	}
	file, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	text, err := io.ReadAll(io.LimitReader(file, maxEntryBytes+1))
	if err = errors.Join(err, file.Close()); err != nil {
		return nil, err
	}
	if len(text) > maxEntryBytes {
		return nil, errEntry
	}
	return text, nil
}
