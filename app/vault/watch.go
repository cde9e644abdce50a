package vault

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"time"

	"github.com/fsnotify/fsnotify"
)

// still is how long the vault's file must have been left alone before its change is told.
const still = 100 * time.Millisecond

// Watch calls changed after each change of the vault, by whichever process, until ctx
// ends; then it returns nil. It makes the folder if it is not there, and returns nil if
// there is none. It returns an error
// at once if the system cannot watch it.
func (v *Vault) Watch(ctx context.Context, changed func()) error {
	if ctx.Err() != nil || v.options.Dir == "" {
		return nil
	}
	if err := os.MkdirAll(v.options.Dir, 0o700); err != nil {
		return err
	}
	w, err := fsnotify.NewWatcher()
	if err != nil {
		return err
	}
	if err := w.Add(v.options.Dir); err != nil {
		return errors.Join(err, w.Close())
	}
	quiet := time.NewTimer(time.Hour)
	quiet.Stop()
	for {
		select {
		case <-ctx.Done():
			return w.Close()
		case event := <-w.Events:
			if filepath.Base(event.Name) == fileName {
				quiet.Reset(still)
			}
		case <-w.Errors:
			quiet.Reset(still) // events were lost: look
		case <-quiet.C:
			changed()
		}
	}
}
