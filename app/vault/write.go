package vault

import (
	"bytes"
	"context"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"strings"
	"time"

	"filippo.io/age"
	"github.com/gofrs/flock"
)

const (
	// lockLimit is how long another process may write.
	lockLimit = 10 * time.Second
	lockStep  = 20 * time.Millisecond
	// maxAside bounds how many unreadable vaults are kept.
	maxAside = 100
	// tempSuffix ends the name of a file that is being written.
	tempSuffix = ".tmp"
)

var (
	errNoPlace  = errors.New("there is no place for the vault: the home folder is not known")
	errTooLarge = errors.New("this is too much for the vault, which holds 8 MiB")
)

// Update changes the document: change is given the present one (nil: none), and returns
// the one to keep; nil takes the vault away, and its key. Either the whole change is on
// disk afterwards or nothing of it, whatever happens meanwhile. Processes that change
// the vault at the same time wait for each other; change must not use the vault itself.
//
// A vault that cannot be read is kept aside, and change is given its backup or nothing;
// aside is the name it was given then. Errors are ErrLocked, ErrNewer, a *KeyError, change's own,
// ctx's, and those of the file system; after any of them the vault is as it was, unless
// the last step failed, which makes the change outlast a power cut.
func (v *Vault) Update(ctx context.Context, change func(document []byte) ([]byte, error)) (aside string, err error) {
	end, err := v.begin(ctx)
	if err != nil {
		return "", err
	}
	defer end()
	if v.options.Dir == "" {
		return "", errNoPlace
	}
	if err := os.MkdirAll(v.options.Dir, 0o700); err != nil {
		return "", err
	}
	unlock, err := v.lock(ctx)
	if err != nil {
		return "", err
	}
	defer unlock()
	v.sweep()
	old, err := v.load(ctx)
	var unreadable *UnreadableError
	if err != nil && !errors.As(err, &unreadable) {
		return "", err
	}
	document, err := change(old)
	if err != nil || document == nil && old == nil {
		return "", err
	}
	if unreadable == nil {
		return "", v.put(ctx, document, true)
	}
	return v.putAside(ctx, document, unreadable)
}

// put makes the document the vault's, or takes the vault away.
func (v *Vault) put(ctx context.Context, document []byte, backUp bool) error {
	if document == nil {
		return v.remove(ctx)
	}
	return v.save(ctx, document, backUp)
}

// putAside is put for a vault that cannot be read. That one gets a second name and keeps
// its own until the new one takes it: a cut in between loses nothing.
func (v *Vault) putAside(ctx context.Context, document []byte, unreadable *UnreadableError) (aside string, err error) {
	if aside, err = v.keepAside(); err != nil {
		return "", err
	}
	if !unreadable.Restored {
		v.use("", nil) // no key opened it, so none that is known is surely still kept
	}
	if err := v.put(ctx, document, false); err != nil {
		return "", errors.Join(err, os.Remove(aside))
	}
	return aside, nil
}

// lock waits until no other process writes.
func (v *Vault) lock(ctx context.Context) (unlock func(), err error) {
	limited, cancel := context.WithTimeout(ctx, lockLimit)
	defer cancel()
	lock := flock.New(v.path(lockName), flock.SetPermissions(0o600))
	got, err := lock.TryLockContext(limited, lockStep)
	switch {
	case got:
		return func() { _ = lock.Unlock() }, nil // the lock ends with the process at the latest
	case ctx.Err() != nil:
		return nil, ctx.Err()
	case limited.Err() != nil:
		return nil, fmt.Errorf("%s is held by another process", v.path(lockName))
	}
	return nil, err
}

// sweep removes what writing left behind when it was cut off. It runs under the lock, so
// that none of it is in use. What cannot be removed harms nobody and is tried again.
func (v *Vault) sweep() {
	entries, err := os.ReadDir(v.options.Dir)
	if err != nil {
		return
	}
	for _, e := range entries {
		if temporary(e.Name()) && e.Type().IsRegular() {
			_ = os.Remove(v.path(e.Name()))
		}
	}
}

// temporary reports whether a name is one that replace makes: of a file of ours, with a
// number and tempSuffix behind it.
func temporary(name string) bool {
	for _, ours := range []string{fileName, backupName, keyName} {
		number, begins := strings.CutPrefix(name, ours+".")
		number, ends := strings.CutSuffix(number, tempSuffix)
		if begins && ends && number != "" && strings.Trim(number, "0123456789") == "" {
			return true
		}
	}
	return false
}

// keepAside gives an unreadable vault a second name.
func (v *Vault) keepAside() (string, error) {
	for n := range maxAside {
		name := fmt.Sprintf("%s.unreadable-%d", v.File(), n+1)
		err := os.Link(v.File(), name)
		if err != nil && !errors.Is(err, fs.ErrExist) {
			err = copyNew(v.File(), name) // a file system without links
		}
		if !errors.Is(err, fs.ErrExist) {
			return name, err
		}
	}
	return "", fmt.Errorf("there are %d unreadable vaults beside %s; move them away", maxAside, v.File())
}

// copyNew copies a file to a name that is not taken.
func copyNew(from, to string) error {
	source, err := os.Open(from)
	if err != nil {
		return err
	}
	defer source.Close()
	f, err := os.OpenFile(to, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return err
	}
	_, err = io.Copy(f, source)
	if err = errors.Join(err, f.Sync(), f.Close()); err != nil {
		return errors.Join(err, os.Remove(to))
	}
	return nil
}

// save seals the document and puts it in place of the file.
func (v *Vault) save(ctx context.Context, document []byte, backUp bool) (err error) {
	if v.key == nil {
		if err := v.newKey(ctx); err != nil {
			return err
		}
		defer func() {
			if err != nil {
				v.takeBack(ctx)
			}
		}()
	}
	v.step("key made")
	sealed, err := v.seal(document)
	if err != nil {
		return err
	}
	if backUp {
		if err := v.backUp(); err != nil {
			return err
		}
	}
	return v.replace(fileName, sealed)
}

// newKey makes the id and the key of a new vault.
func (v *Vault) newKey(ctx context.Context) error {
	var raw [idBytes]byte
	rand.Read(raw[:]) // never fails, by its documentation
	id := hex.EncodeToString(raw[:])
	k, err := v.makeKey(ctx, id)
	if err != nil {
		return err
	}
	v.use(id, k)
	return nil
}

// seal returns the bytes of the vault that holds a document.
func (v *Vault) seal(document []byte) ([]byte, error) {
	sealed := bytes.NewBufferString(magic + v.id + "\n")
	w, err := age.Encrypt(sealed, v.key.recipient)
	if err != nil {
		return nil, err
	}
	_, err = w.Write(document)
	if err = errors.Join(err, w.Close()); err != nil {
		return nil, err
	}
	if sealed.Len() > maxBytes {
		return nil, errTooLarge // it could not be read again
	}
	return sealed.Bytes(), nil
}

// backUp keeps the vault as it is now.
func (v *Vault) backUp() error {
	old, err := readFile(v.File())
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	return v.replace(backupName, old)
}

// takeBack takes the key of a first document that was not saved out of the keyring. A
// key file stays: the next vault takes it.
func (v *Vault) takeBack(ctx context.Context) {
	if now, err := readFile(v.File()); err == nil {
		if id, _, _ := split(now); id == v.id {
			return // it is in place, and only the last step failed
		}
	}
	if v.key.where == InKeyring {
		v.dropKey(ctx, v.key, v.id)
	}
	v.use("", nil)
}

// replace writes a file of the vault whole or not at all.
func (v *Vault) replace(name string, text []byte) error {
	f, err := os.CreateTemp(v.options.Dir, name+".*"+tempSuffix) // for its owner alone
	if err != nil {
		return err
	}
	v.step(name + " begun")
	_, err = f.Write(text)
	v.step(name + " written")
	if err = errors.Join(err, f.Sync(), f.Close()); err == nil {
		v.step(name + " on disk")
		err = rename(f.Name(), v.path(name))
	}
	if err != nil {
		return errors.Join(err, os.Remove(f.Name()))
	}
	v.step(name + " in place")
	return syncDir(v.options.Dir)
}

// remove takes the vault away, and then its key. The backup goes first: alone it would
// look like a vault that was lost.
func (v *Vault) remove(ctx context.Context) error {
	for _, name := range []string{backupName, fileName} {
		if err := os.Remove(v.path(name)); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return err
		}
		v.step(name + " removed")
	}
	if err := syncDir(v.options.Dir); err != nil {
		return err
	}
	if v.key != nil {
		v.dropKey(ctx, v.key, v.id)
		v.step("key dropped")
	}
	v.use("", nil)
	return nil
}
