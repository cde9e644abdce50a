// Package vault keeps a document secret on disk: one file, sealed with age
// (age-encryption.org/v1), whose key lies in the keyring of the operating system.
//
// The keyring is asked for that one key and nothing else, at most once in a run, and
// never without a time limit: it may show a prompt and wait for ever, and some hold only
// small values. Where there is none, as on a server, the key comes from the environment,
// from a systemd credential, or from a file beside the vault that only its owner can
// read; see [Where].
//
// Files in the folder:
//
//	vault.age        one line that names the format and the vault's id, then the sealed document
//	vault.age.bak    the one before it
//	vault.lock       held while it is written, by one process at a time
//	vault.key        the key, where there is no better place for it
//
// A vault that cannot be read is never overwritten: [Vault.Update] keeps it aside under
// another name.
package vault

import (
	"bytes"
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync/atomic"
	"time"

	"filippo.io/age"
)

const (
	fileName   = "vault.age"
	backupName = fileName + ".bak"
	lockName   = "vault.lock"
	keyName    = "vault.key"

	// magic begins the file: a name and the format's version. The vault's id and a line
	// feed follow.
	magicName = "glmtray-vault "
	version   = 1
	magic     = magicName + "1 "
	idBytes   = 8
	// maxBytes bounds what is read: accounts by the thousand fit.
	maxBytes = 8 << 20
)

// Options say where a vault lies and where its key may.
type Options struct {
	// Dir is the folder. It is made when something is first written.
	Dir string
	// Env looks up an environment variable; nil is os.Getenv.
	Env func(string) string
	// Keyring is where the key lies; nil is the one of the operating system.
	Keyring Keyring
	// KeyringLimit is how long one of its calls may take, for a person may be asked for
	// a password meanwhile; 0 is a minute.
	KeyringLimit time.Duration
}

// Vault is a sealed document. Its methods may be called concurrently, and by several
// processes at once.
type Vault struct {
	options Options
	step    func(string)          // of writing; tests end the process in it
	where   atomic.Pointer[Where] // of key; read without waiting for a turn

	// turn is held by the one call that may use what follows. It is no mutex because
	// that call may wait for a person, and the others' contexts must count meanwhile.
	turn  chan struct{}
	id    string // of the vault that key opens
	key   *key
	asked *question // the last one for a key
}

// ErrLocked says that the keyring, which has the vault's key, is locked, does not answer
// in time, or cannot be reached.
var ErrLocked = errors.New("the key of the vault cannot be had: the keyring is locked, does not answer or is not there; unlock it, or set GLMTRAY_VAULT_KEY if the key was given there")

// ErrNewer says that a newer version of this program wrote the vault. It is left alone.
var ErrNewer = errors.New("the vault was written by a newer version of this program; update it")

// UnreadableError is a vault that cannot be read although all places of its key were
// looked at.
type UnreadableError struct {
	Path string
	// Damaged says that the file is broken; else its key is missing or is another.
	Damaged bool
	// Restored says that the document was read from the backup instead.
	Restored bool
}

// Error says what stands in the vault's place.
func (e *UnreadableError) Error() string {
	switch {
	case e.Restored:
		return e.Path + " is damaged; the state before its last change is in use"
	case e.Damaged:
		return e.Path + " is damaged and cannot be read; it stays as it is, and is kept aside when an account is added"
	}
	return e.Path + " cannot be opened: none of the keys at hand is its own; it stays as it is, and is kept aside when an account is added"
}

// New returns the vault of a folder, without looking at it.
func New(o Options) *Vault {
	if o.Env == nil {
		o.Env = os.Getenv
	}
	if o.Keyring == nil {
		o.Keyring = systemKeyring{o.Env}
	}
	if o.KeyringLimit <= 0 {
		o.KeyringLimit = time.Minute
	}
	return &Vault{options: o, step: func(string) {}, turn: make(chan struct{}, 1)}
}

// File is where the vault lies.
func (v *Vault) File() string { return v.path(fileName) }

func (v *Vault) path(name string) string { return filepath.Join(v.options.Dir, name) }

// Where says where the key lies, "" as long as it was not needed. It never waits.
func (v *Vault) Where() Where {
	if where := v.where.Load(); where != nil {
		return *where
	}
	return ""
}

// use remembers the key of the vault with an id; nil forgets it.
func (v *Vault) use(id string, k *key) {
	v.id, v.key = id, k
	if k == nil {
		v.asked = nil
		v.where.Store(nil)
		return
	}
	v.where.Store(&k.where)
}

// begin waits for this call's turn.
func (v *Vault) begin(ctx context.Context) (end func(), err error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	select {
	case v.turn <- struct{}{}:
		return func() { <-v.turn }, nil
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

// Load returns the document, nil if there is no vault yet. Errors are ErrLocked, ErrNewer, an
// *UnreadableError (the document comes with it if it was restored), a *KeyError for a
// malformed key, ctx's, and those of the file system. ctx ends the wait for the keyring,
// and for another call that waits for it.
func (v *Vault) Load(ctx context.Context) ([]byte, error) {
	end, err := v.begin(ctx)
	if err != nil {
		return nil, err
	}
	defer end()
	return v.load(ctx)
}

func (v *Vault) load(ctx context.Context) ([]byte, error) {
	if v.options.Dir == "" {
		return nil, nil // no home folder: what lies where the program was started is not ours
	}
	sealed, err := readFile(v.File())
	if errors.Is(err, fs.ErrNotExist) {
		// Another process may have taken the vault away, and its key out of the keyring:
		// what is sealed with that key now could never be opened again.
		v.use("", nil)
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	document, err := v.open(ctx, sealed)
	var unreadable *UnreadableError
	if errors.As(err, &unreadable) {
		return v.restore(ctx, sealed, unreadable)
	}
	return document, err
}

// restore reads the backup of a vault that cannot be read. A backup that cannot be tried
// now, because the keyring is locked, is no lost one: the error is then that.
func (v *Vault) restore(ctx context.Context, sealed []byte, unreadable *UnreadableError) ([]byte, error) {
	backup, err := readFile(v.path(backupName))
	if errors.Is(err, fs.ErrNotExist) {
		return nil, unreadable
	}
	if err != nil {
		return nil, err
	}
	id, _, _ := split(sealed)
	if before, _, _ := split(backup); !unreadable.Damaged && before != id {
		return nil, unreadable // of another vault, whose key is elsewhere
	}
	document, err := v.open(ctx, backup)
	var lost *UnreadableError
	switch {
	case err == nil:
		unreadable.Damaged, unreadable.Restored = true, true
		return document, unreadable
	case errors.As(err, &lost):
		return nil, unreadable
	}
	return nil, err
}

// readFile reads a vault or its backup.
func readFile(name string) ([]byte, error) {
	f, err := os.Open(name)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	return io.ReadAll(io.LimitReader(f, maxBytes+1))
}

// open unseals a vault's bytes, and remembers the key that opened it.
func (v *Vault) open(ctx context.Context, sealed []byte) ([]byte, error) {
	if newer(sealed) {
		return nil, ErrNewer
	}
	id, payload, ok := split(sealed)
	if !ok || len(sealed) > maxBytes {
		return nil, &UnreadableError{Path: v.File(), Damaged: true}
	}
	if v.key != nil && v.id == id {
		return v.unseal(payload, v.key)
	}
	keys, locked := v.keys(ctx, id)
	for next := range keys {
		if next.err != nil {
			return nil, next.err
		}
		document, err := v.unseal(payload, next.key)
		var unreadable *UnreadableError
		if errors.As(err, &unreadable) && !unreadable.Damaged {
			continue // another key may be the one
		}
		if err == nil {
			v.use(id, next.key)
		}
		return document, err
	}
	if locked() {
		if err := ctx.Err(); err != nil {
			return nil, fmt.Errorf("%w: %w", ErrLocked, err)
		}
		return nil, ErrLocked
	}
	return nil, &UnreadableError{Path: v.File()}
}

// newer reports whether a vault's format is newer than this program.
func newer(sealed []byte) bool {
	rest, ours := bytes.CutPrefix(sealed, []byte(magicName))
	number, _, ends := bytes.Cut(rest, []byte(" "))
	const longest = 9 // digits
	if !ours || !ends || len(number) > longest {
		return false
	}
	n, err := strconv.ParseUint(string(number), 10, 32)
	return err == nil && n > version
}

// split takes the first line off a vault.
func split(sealed []byte) (id string, payload []byte, ok bool) {
	line, payload, ok := bytes.Cut(sealed, []byte("\n"))
	id, known := strings.CutPrefix(string(line), magic)
	raw, err := hex.DecodeString(id)
	return id, payload, ok && known && err == nil && len(raw) == idBytes
}

func (v *Vault) unseal(payload []byte, k *key) ([]byte, error) {
	r, err := age.Decrypt(bytes.NewReader(payload), k.identity)
	if err != nil {
		var foreign *age.NoIdentityMatchError
		return nil, &UnreadableError{Path: v.File(), Damaged: !errors.As(err, &foreign)}
	}
	document, err := io.ReadAll(io.LimitReader(r, maxBytes))
	if err != nil {
		return nil, &UnreadableError{Path: v.File(), Damaged: true}
	}
	return document, nil
}
