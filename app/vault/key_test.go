package vault

import (
	"errors"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"

	"filippo.io/age"
)

func newIdentity(t *testing.T) *age.X25519Identity {
	t.Helper()
	identity, err := age.GenerateX25519Identity()
	if err != nil {
		t.Fatal(err)
	}
	return identity
}

func TestParseKey(t *testing.T) {
	identity := newIdentity(t)
	keygen := "# created: 2026-01-02T03:04:05Z\n# public key: " + identity.Recipient().String() + "\n" + identity.String() + "\n"
	for _, c := range []struct{ name, text, reason string }{
		{"age key", identity.String(), ""},
		{"with spaces around", "\n\t " + identity.String() + " \r\n", ""},
		{"from age-keygen", keygen, ""},
		{"from age-keygen on Windows", strings.ReplaceAll(keygen, "\n", "\r\n"), ""},
		{"passphrase", plantedPassphrase, ""},
		{"shortest passphrase", strings.Repeat("x", shortestPassphrase), ""},
		{"empty", "", "too short"},
		{"only spaces", strings.Repeat(" ", 40), "too short"},
		{"too short", "PLANTED", "too short"},
		{"broken age key", plantedBroken, "is none"},
		{"cut age key", identity.String()[:40], "is none"},
		{"another kind of age key", "AGE-SECRET-KEY-PQ-1PLANTED", "is none"},
		{"public half", identity.Recipient().String(), "public half"},
	} {
		t.Run(c.name, func(t *testing.T) {
			k, err := parseKey(c.text, "PLACE", InEnvironment)
			if c.reason == "" {
				if err != nil || k == nil || k.where != InEnvironment {
					t.Errorf("%+v, %v", k, err)
				}
				return
			}
			var malformed *KeyError
			if !errors.As(err, &malformed) || malformed.Place != "PLACE" || !strings.Contains(malformed.Reason, c.reason) || k != nil {
				t.Errorf("%+v, %v", k, err)
			}
			silent(t, err)
		})
	}
}

// A key that a person gives is used as it is, wherever it comes from, and stays there.
func TestGivenKey(t *testing.T) {
	credentials := t.TempDir()
	write(t, filepath.Join(credentials, credentialName), []byte(newIdentity(t).String()+"\n"))
	for _, c := range []struct {
		name  string
		env   func(string) string
		where Where
	}{
		{"age key", env(keyVariable, newIdentity(t).String()), InEnvironment},
		{"passphrase", env(keyVariable, plantedPassphrase), InEnvironment},
		{"credential", env(credentialVariable, credentials), InCredential},
	} {
		t.Run(c.name, func(t *testing.T) {
			dir, keys := t.TempDir(), &fakeKeyring{}
			mustSet(t, New(Options{Dir: dir, Env: c.env, Keyring: keys}), "one")
			v := New(Options{Dir: dir, Env: c.env, Keyring: keys})
			mustSet(t, v, "two")
			if got := load(t, v); got != "two" || v.Where() != c.where || keys.calls() != 0 {
				t.Errorf("%q, key in %q, %d calls of the keyring", got, v.Where(), keys.calls())
			}
			wantNames(t, dir, "vault.age", "vault.age.bak", "vault.lock")
			mustSet(t, v, "")
			mustSet(t, New(Options{Dir: dir, Env: c.env, Keyring: keys}), "three")
		})
	}
}

// The variable comes later than the vault: the key that it was sealed with is still
// found, and stays the one.
func TestOtherKeyGiven(t *testing.T) {
	for name, keys := range map[string]*fakeKeyring{"keyring": {}, "file": none()} {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			mustSet(t, newVault(t, dir, keys), "one")
			v := New(Options{Dir: dir, Env: env(keyVariable, plantedPassphrase), Keyring: keys})
			mustSet(t, v, "two")
			if got := load(t, newVault(t, dir, keys)); got != "two" {
				t.Errorf("%q", got)
			}
		})
	}
}

func TestGivenKeyChanged(t *testing.T) {
	dir := t.TempDir()
	mustSet(t, New(Options{Dir: dir, Env: env(keyVariable, plantedPassphrase), Keyring: &fakeKeyring{}}), "one")
	v := New(Options{Dir: dir, Env: env(keyVariable, plantedPassphrase+"!"), Keyring: &fakeKeyring{}})
	_, err := v.Load(t.Context())
	var unreadable *UnreadableError
	if !errors.As(err, &unreadable) || unreadable.Damaged {
		t.Errorf("error %v", err)
	}
	silent(t, err)
}

// A malformed key is named, and nothing else is tried in its place.
func TestMalformedKey(t *testing.T) {
	credentials := t.TempDir()
	credential := filepath.Join(credentials, credentialName)
	write(t, credential, []byte("PLANTED"))
	large := t.TempDir()
	write(t, filepath.Join(large, credentialName), []byte(strings.Repeat("PLANTED", maxKeyBytes)))
	folder := t.TempDir()
	if err := os.Mkdir(filepath.Join(folder, credentialName), 0o700); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		name  string
		env   func(string) string
		place string
	}{
		{"broken age key", env(keyVariable, plantedBroken), keyVariable},
		{"short", env(keyVariable, "PLANTED"), keyVariable},
		{"credential", env(credentialVariable, credentials), credential},
		{"endless credential", env(credentialVariable, large), filepath.Join(large, credentialName)},
		{"credential is a folder", env(credentialVariable, folder), filepath.Join(folder, credentialName)},
	} {
		t.Run(c.name, func(t *testing.T) {
			dir, keys := t.TempDir(), &fakeKeyring{}
			v := New(Options{Dir: dir, Env: c.env, Keyring: keys})
			check := func(err error) {
				t.Helper()
				var malformed *KeyError
				if !errors.As(err, &malformed) || malformed.Place != c.place || !strings.Contains(err.Error(), c.place) {
					t.Errorf("error %v", err)
				}
				silent(t, err)
			}
			_, err := set(v, plantedDocument)
			check(err)
			wantNames(t, dir, "vault.lock")
			mustSet(t, newVault(t, dir, keys), plantedDocument)
			before := read(t, v.File())
			_, err = v.Load(t.Context())
			check(err)
			_, err = set(v, "new")
			check(err)
			if string(read(t, v.File())) != string(before) {
				t.Error("the vault changed")
			}
		})
	}
}

func TestNoCredential(t *testing.T) {
	v := New(Options{Dir: t.TempDir(), Env: env(credentialVariable, t.TempDir()), Keyring: &fakeKeyring{}})
	mustSet(t, v, "text")
	if v.Where() != InKeyring {
		t.Errorf("key in %q", v.Where())
	}
}

// A key file that cannot be used must not make its vault look like a foreign one.
func TestKeyFileUnusable(t *testing.T) {
	for _, c := range []struct {
		name  string
		spoil func(name string) error
	}{
		{"malformed", func(name string) error { return os.WriteFile(name, []byte(plantedBroken), 0o600) }},
		{"empty", func(name string) error { return os.Truncate(name, 0) }},
		{"a folder", func(name string) error { return errors.Join(os.Remove(name), os.Mkdir(name, 0o700)) }},
		{"a link to itself", func(name string) error {
			if runtime.GOOS == "windows" {
				return errors.ErrUnsupported
			}
			return errors.Join(os.Remove(name), os.Symlink(name, name))
		}},
		{"another's", func(name string) error {
			if runtime.GOOS == "windows" || os.Geteuid() == 0 {
				return errors.ErrUnsupported
			}
			return os.Chmod(name, 0)
		}},
	} {
		t.Run(c.name, func(t *testing.T) {
			dir := t.TempDir()
			v := newVault(t, dir, none())
			mustSet(t, v, "text")
			err := c.spoil(v.path(keyName))
			if errors.Is(err, errors.ErrUnsupported) {
				t.Skip("this user cannot make such a file")
			}
			if err != nil {
				t.Fatal(err)
			}
			v = newVault(t, dir, none())
			_, err = set(v, "new")
			var malformed *KeyError
			if !errors.As(err, &malformed) || malformed.Place != v.path(keyName) {
				t.Errorf("error %v", err)
			}
			silent(t, err)
			wantNames(t, dir, "vault.age", "vault.key", "vault.lock")
		})
	}
}

// A key file that a cut first write left behind is the next vault's key.
func TestKeyFileTakenUp(t *testing.T) {
	dir := t.TempDir()
	identity := newIdentity(t).String() + "\n"
	write(t, filepath.Join(dir, keyName), []byte(identity))
	v := newVault(t, dir, none())
	mustSet(t, v, "text")
	if string(read(t, v.path(keyName))) != identity || v.Where() != InFile {
		t.Error("the key was replaced")
	}
	if got := load(t, newVault(t, dir, none())); got != "text" {
		t.Errorf("%q", got)
	}
}

// Without its key file a vault waits for a keyring that may have the key.
func TestKeyFileLost(t *testing.T) {
	dir := t.TempDir()
	v := newVault(t, dir, none())
	mustSet(t, v, "text")
	if err := os.Remove(v.path(keyName)); err != nil {
		t.Fatal(err)
	}
	if _, err := newVault(t, dir, none()).Load(t.Context()); !errors.Is(err, ErrLocked) {
		t.Errorf("without a keyring: %v", err)
	}
	_, err := newVault(t, dir, &fakeKeyring{}).Load(t.Context())
	var unreadable *UnreadableError
	if !errors.As(err, &unreadable) || unreadable.Damaged {
		t.Errorf("with one that has no such item: %v", err)
	}
}
