package vault

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"filippo.io/age"
)

// foreign is a vault whose key is nowhere.
func foreign(t testing.TB, id string) []byte {
	t.Helper()
	identity, err := age.GenerateX25519Identity()
	if err != nil {
		t.Fatal(err)
	}
	v := New(Options{Keyring: none(), Env: noEnv})
	v.use(id, &key{InFile, identity.Recipient(), identity})
	sealed, err := v.seal([]byte("foreign"))
	if err != nil {
		t.Fatal(err)
	}
	return sealed
}

func flip(text []byte, at int) []byte {
	text = bytes.Clone(text)
	text[at] ^= 1
	return text
}

// damages are the ways in which a vault's bytes can be broken.
func damages(good []byte) map[string][]byte {
	_, payload, _ := split(good)
	head := len(good) - len(payload)
	damaged := map[string][]byte{
		"empty":            {},
		"zeros":            make([]byte, len(good)),
		"text":             []byte("hello\n"),
		"no line feed":     []byte("glmtray-vault 1 0011223344556677"),
		"first line only":  good[:head],
		"short id":         append([]byte("glmtray-vault 1 0011\n"), payload...),
		"id is no hex":     append([]byte("glmtray-vault 1 zz11223344556677\n"), payload...),
		"not age":          append(bytes.Clone(good[:head]), "age-encryption.org/v9\n"...),
		"cut in header":    good[:head+40],
		"cut at the end":   good[:len(good)-1],
		"cut in the nonce": good[:len(good)-30],
		"longer":           append(bytes.Clone(good), 'x'),
		"too large":        append(bytes.Clone(good), make([]byte, maxBytes)...),
		"last byte":        flip(good, len(good)-1),
		"first byte":       flip(good, 0),
	}
	// Here and there in the age header: what is broken in its stanza looks like another's key.
	for at := head; at < head+190; at += 19 {
		damaged[fmt.Sprintf("byte %d", at-head)] = flip(good, at)
	}
	return damaged
}

// The state before the last change is in use, and the next change keeps the broken file.
func TestDamagedWithBackup(t *testing.T) {
	dir, keys := t.TempDir(), &fakeKeyring{}
	v := newVault(t, dir, keys)
	mustSet(t, v, "before")
	mustSet(t, v, plantedDocument)
	good, backup := read(t, v.File()), read(t, v.path(backupName))
	for name, text := range damages(good) {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			v := newVault(t, dir, keys)
			write(t, v.File(), text)
			write(t, v.path(backupName), backup)
			got, err := v.Load(t.Context())
			var unreadable *UnreadableError
			if !errors.As(err, &unreadable) || !unreadable.Restored || !unreadable.Damaged || string(got) != "before" {
				t.Fatalf("%q, %v", got, err)
			}
			if !bytes.Equal(read(t, v.File()), text) {
				t.Error("reading changed the file")
			}
			silent(t, err)
			aside, err := v.Update(t.Context(), func(old []byte) ([]byte, error) { return append(old, "+after"...), nil })
			if err != nil || aside != v.File()+".unreadable-1" {
				t.Fatalf("aside %q, %v", aside, err)
			}
			if !bytes.Equal(read(t, aside), text) || !bytes.Equal(read(t, v.path(backupName)), backup) {
				t.Error("the broken file or the backup changed")
			}
			if got := load(t, newVault(t, dir, keys)); got != "before+after" {
				t.Errorf("afterwards %q", got)
			}
			wantNames(t, dir, "vault.age", "vault.age.bak", "vault.age.unreadable-1", "vault.lock")
		})
	}
	if len(keys.items) != 1 {
		t.Errorf("%d keys in the keyring, want the one", len(keys.items))
	}
}

func TestDamagedWithoutBackup(t *testing.T) {
	dir, keys := t.TempDir(), &fakeKeyring{}
	v := newVault(t, dir, keys)
	for n, text := range []string{"", "junk", "more junk\n"} {
		write(t, v.File(), []byte(text))
		got, err := v.Load(t.Context())
		var unreadable *UnreadableError
		if !errors.As(err, &unreadable) || !unreadable.Damaged || unreadable.Restored || got != nil || unreadable.Path != v.File() {
			t.Fatalf("%q, %v", got, err)
		}
		aside, err := v.Update(t.Context(), func(old []byte) ([]byte, error) {
			if old != nil {
				t.Errorf("change was given %q", old)
			}
			return []byte("new"), nil
		})
		if want := fmt.Sprintf("%s.unreadable-%d", v.File(), n+1); err != nil || aside != want || string(read(t, want)) != text {
			t.Fatalf("aside %q, %v", aside, err)
		}
		if got := load(t, newVault(t, dir, keys)); got != "new" {
			t.Errorf("afterwards %q", got)
		}
		if err := os.Remove(v.path(backupName)); err != nil && !errors.Is(err, os.ErrNotExist) {
			t.Fatal(err)
		}
	}
}

func TestForeign(t *testing.T) {
	dir, keys := t.TempDir(), &fakeKeyring{}
	v := newVault(t, dir, keys)
	mustSet(t, v, "one")
	mustSet(t, v, "two")
	other := foreign(t, "0011223344556677")
	write(t, v.File(), other)
	got, err := v.Load(t.Context())
	var unreadable *UnreadableError
	if !errors.As(err, &unreadable) || unreadable.Damaged || unreadable.Restored || got != nil {
		t.Fatalf("%q, %v: the backup is of another vault", got, err)
	}
	// What changes nothing leaves it where it is.
	if aside, err := set(v, ""); aside != "" || err != nil || !bytes.Equal(read(t, v.File()), other) {
		t.Fatalf("aside %q, %v", aside, err)
	}
	aside, err := set(v, "three")
	if err != nil || !bytes.Equal(read(t, aside), other) {
		t.Fatalf("aside %q, %v", aside, err)
	}
	if got := load(t, newVault(t, dir, keys)); got != "three" {
		t.Errorf("afterwards %q", got)
	}
}

// With the keyring locked it cannot be known whether the backup is good: nothing may be
// put in its place.
func TestDamagedWhileLocked(t *testing.T) {
	dir, keys := t.TempDir(), &fakeKeyring{}
	mustSet(t, newVault(t, dir, keys), "before")
	mustSet(t, newVault(t, dir, keys), "after")
	v := newVault(t, dir, keys)
	write(t, v.File(), []byte("junk"))
	keys.lock(errors.New("locked"))
	if got, err := v.Load(t.Context()); !errors.Is(err, ErrLocked) || got != nil {
		t.Fatalf("%q, %v", got, err)
	}
	if _, err := set(v, "new"); !errors.Is(err, ErrLocked) {
		t.Fatalf("error %v", err)
	}
	wantNames(t, dir, "vault.age", "vault.age.bak", "vault.lock")
	keys.lock(nil)
	if got, err := v.Load(t.Context()); string(got) != "before" {
		t.Errorf("unlocked: %q, %v", got, err)
	}
}

// A change that fails leaves an unreadable vault as it was.
func TestAsideTakenBack(t *testing.T) {
	dir, keys := t.TempDir(), &fakeKeyring{}
	v := newVault(t, dir, keys)
	write(t, v.File(), []byte("junk"))
	v.step = noTemps(t, v)
	if aside, err := set(v, "new"); err == nil || aside != "" {
		t.Fatalf("aside %q, %v", aside, err)
	}
	wantNames(t, dir, "vault.age", "vault.lock")
	if string(read(t, v.File())) != "junk" || len(keys.items) != 0 {
		t.Error("the vault or the keyring changed")
	}
}

func TestAsideWithoutRoom(t *testing.T) {
	dir := t.TempDir()
	v := newVault(t, dir, &fakeKeyring{})
	write(t, v.File(), []byte("junk"))
	for n := range maxAside {
		write(t, fmt.Sprintf("%s.unreadable-%d", v.File(), n+1), nil)
	}
	if _, err := set(v, "new"); err == nil || !strings.Contains(err.Error(), "move them away") {
		t.Errorf("error %v", err)
	}
	if string(read(t, v.File())) != "junk" {
		t.Error("the vault changed")
	}
}

func TestCopyNew(t *testing.T) {
	dir := t.TempDir()
	from, to := filepath.Join(dir, "from"), filepath.Join(dir, "to")
	write(t, from, []byte("text"))
	if err := copyNew(from, to); err != nil || string(read(t, to)) != "text" {
		t.Fatal(err)
	}
	write(t, from, []byte("other"))
	if err := copyNew(from, to); !errors.Is(err, os.ErrExist) || string(read(t, to)) != "text" {
		t.Errorf("error %v, text %q", err, read(t, to))
	}
}

// FuzzOpen: whatever lies in the vault's place, the answer is the document or that it
// cannot be read.
func FuzzOpen(f *testing.F) {
	keys := &fakeKeyring{}
	v := New(Options{Dir: f.TempDir(), Env: noEnv, Keyring: keys})
	if _, err := set(v, "document"); err != nil {
		f.Fatal(err)
	}
	good, err := os.ReadFile(v.File())
	if err != nil {
		f.Fatal(err)
	}
	f.Add(good)
	for name, text := range damages(good) {
		if name != "too large" {
			f.Add(text)
		}
	}
	f.Add(foreign(f, "0011223344556677"))
	f.Fuzz(func(t *testing.T, sealed []byte) {
		v := New(Options{Dir: v.options.Dir, Env: noEnv, Keyring: keys})
		document, err := v.open(t.Context(), sealed)
		var unreadable *UnreadableError
		switch {
		case err == nil && string(document) != "document":
			t.Errorf("a forged document: %q", document)
		case err != nil && (!errors.As(err, &unreadable) || document != nil):
			t.Errorf("%q, %v", document, err)
		}
	})
}
