package vault

import (
	"context"
	"errors"
	"io"
	"io/fs"
	"iter"
	"os"
	"path/filepath"
	"strings"

	"filippo.io/age"
)

// Where says where a vault's key lies.
type Where string

// The places of a key.
const (
	InKeyring     Where = "keyring"
	InEnvironment Where = "environment" // GLMTRAY_VAULT_KEY
	InCredential  Where = "credential"  // of systemd
	InFile        Where = "file"        // vault.key, for its owner alone
)

const (
	keyVariable = "GLMTRAY_VAULT_KEY"
	// credentialVariable is set by systemd for a service with LoadCredential=; see
	// systemd.exec(5).
	credentialVariable = "CREDENTIALS_DIRECTORY"
	credentialName     = "glmtray-vault-key"

	identityPrefix = "AGE-SECRET-KEY-"
	publicPrefix   = "age1"
	// shortestPassphrase is how long a key must be that is no age key. It is meant to
	// be random, so that little work is needed to derive the key from it.
	shortestPassphrase = 20
	passphraseWork     = 12 // 2 to the power of it
	mostWork           = 20
	// maxKeyBytes bounds what is read of a key's file; age-keygen writes some 200.
	maxKeyBytes = 64 << 10
)

// KeyError is a key that cannot be used. It never repeats the key.
type KeyError struct {
	Place  string // the variable or the file
	Reason string
}

// Error names the place and the remedy.
func (e *KeyError) Error() string { return e.Place + ": " + e.Reason }

type key struct {
	where     Where
	recipient age.Recipient
	identity  age.Identity
}

// parseKey reads a key as it stands in one of its places: an age secret key, alone or
// among the comments that age-keygen writes, or a passphrase.
func parseKey(text, place string, where Where) (*key, error) {
	text = strings.TrimSpace(text)
	for line := range strings.Lines(text) {
		if line = strings.TrimSpace(line); !strings.HasPrefix(line, identityPrefix) {
			continue
		}
		identity, err := age.ParseX25519Identity(line)
		if err != nil {
			return nil, &KeyError{place, "begins like an age secret key (X25519) and is none; is a part of it missing?"}
		}
		return &key{where, identity.Recipient(), identity}, nil
	}
	if strings.HasPrefix(text, publicPrefix) {
		return nil, &KeyError{place, "is the public half of an age key, which is no secret; give the secret one"}
	}
	if len(text) < shortestPassphrase {
		return nil, &KeyError{place, "is too short for a key; give an age secret key, or 20 random characters at least"}
	}
	recipient, err := age.NewScryptRecipient(text)
	if err != nil {
		return nil, &KeyError{place, "cannot be used as a key"}
	}
	recipient.SetWorkFactor(passphraseWork)
	identity, err := age.NewScryptIdentity(text)
	if err != nil {
		return nil, &KeyError{place, "cannot be used as a key"}
	}
	identity.SetMaxWorkFactor(mostWork)
	return &key{where, recipient, identity}, nil
}

// candidate is a key that may open a vault, or why a place has none.
type candidate struct {
	key *key
	err error
}

// given are the keys that a person gave: nothing needs to be asked for them.
func (v *Vault) given() iter.Seq[candidate] {
	return func(yield func(candidate) bool) {
		if text := v.options.Env(keyVariable); text != "" {
			k, err := parseKey(text, keyVariable, InEnvironment)
			if !yield(candidate{k, err}) {
				return
			}
		}
		if dir := v.options.Env(credentialVariable); dir != "" {
			if c, ok := keyFile(filepath.Join(dir, credentialName), InCredential); ok {
				yield(c)
			}
		}
	}
}

// keyFile reads a key from a file; false if there is no such file. One that is there and
// cannot be read must not look like a missing one: its vault would be taken for a foreign
// one.
func keyFile(name string, where Where) (candidate, bool) {
	f, err := os.Open(name)
	if errors.Is(err, fs.ErrNotExist) {
		return candidate{}, false
	}
	if err != nil {
		return candidate{err: &KeyError{name, "cannot be read"}}, true
	}
	defer f.Close()
	text, err := io.ReadAll(io.LimitReader(f, maxKeyBytes+1))
	if err != nil || len(text) > maxKeyBytes {
		return candidate{err: &KeyError{name, "cannot be read, or is too long for a key"}}, true
	}
	k, err := parseKey(string(text), name, where)
	return candidate{k, err}, true
}

// keys are those that may open the vault with an id, the nearest first; the keyring is
// asked last, and only if no other was the one. locked tells afterwards whether it could
// not be asked.
func (v *Vault) keys(ctx context.Context, id string) (keys iter.Seq[candidate], locked func() bool) {
	unknown := false
	return func(yield func(candidate) bool) {
		for c := range v.given() {
			if !yield(c) {
				return
			}
		}
		if c, ok := keyFile(v.path(keyName), InFile); ok && !yield(c) {
			return
		}
		text, err := v.stored(ctx, id)
		if err != nil {
			unknown = !errors.Is(err, ErrNoItem)
			return
		}
		k, err := parseKey(text, "the keyring", InKeyring)
		yield(candidate{k, err})
	}, func() bool { return unknown }
}

// makeKey returns the key for a new vault: one that was given, else a new one, in the
// keyring if there is one, else in a file.
func (v *Vault) makeKey(ctx context.Context, id string) (*key, error) {
	for c := range v.given() {
		return c.key, c.err
	}
	identity, err := age.GenerateX25519Identity()
	if err != nil {
		return nil, err
	}
	k := &key{InKeyring, identity.Recipient(), identity}
	_, err = v.ask(ctx, func() (string, error) { return "", v.options.Keyring.Set(id, identity.String()) })
	if err == nil {
		// A keyring that forgets at once, as one that only pretends, is none.
		text, err := v.ask(ctx, func() (string, error) { return v.options.Keyring.Get(id) })
		if err == nil && text == identity.String() {
			return k, nil
		}
	}
	if ctx.Err() != nil {
		return nil, ctx.Err()
	}
	if c, ok := keyFile(v.path(keyName), InFile); ok {
		return c.key, c.err
	}
	k.where = InFile
	return k, v.replace(keyName, []byte(identity.String()+"\n"))
}

// dropKey takes a key out of the place that we put it in. What a person gave stays.
func (v *Vault) dropKey(ctx context.Context, k *key, id string) {
	switch k.where {
	case InKeyring:
		// What cannot be deleted opens nothing any more once the vault is gone.
		_, _ = v.ask(ctx, func() (string, error) { return "", v.options.Keyring.Delete(id) })
	case InFile:
		_ = os.Remove(v.path(keyName)) // the same holds; the next vault takes what stayed
	}
}
