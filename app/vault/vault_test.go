package vault

import (
	"bytes"
	"context"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"
)

// Planted secrets: none of them may ever stand in an error or in a file as it is.
const (
	plantedDocument   = `{"key":"sk-PLANTED-document-6f1d"}`
	plantedPassphrase = "PLANTED-passphrase-93ab-of-some-length"
	plantedBroken     = "AGE-SECRET-KEY-1PLANTEDBROKEN93AB"
)

// noEnv is an environment in which nothing is set.
func noEnv(string) string { return "" }

// env is an environment with one variable.
func env(name, value string) func(string) string {
	return func(asked string) string {
		if asked == name {
			return value
		}
		return ""
	}
}

// none is the keyring of a server.
func none() *fakeKeyring { return &fakeKeyring{fails: errors.New("no bus")} }

func newVault(t *testing.T, dir string, k Keyring) *Vault {
	t.Helper()
	return New(Options{Dir: dir, Env: noEnv, Keyring: k, KeyringLimit: 5 * time.Second})
}

func load(t *testing.T, v *Vault) string {
	t.Helper()
	text, err := v.Load(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if text == nil {
		return "no vault"
	}
	return string(text)
}

// set replaces the document; "" takes it away.
func set(v *Vault, text string) (aside string, err error) {
	return v.Update(context.Background(), func([]byte) ([]byte, error) {
		if text == "" {
			return nil, nil
		}
		return []byte(text), nil
	})
}

func mustSet(t *testing.T, v *Vault, text string) {
	t.Helper()
	if aside, err := set(v, text); err != nil || aside != "" {
		t.Fatalf("Update: aside %q, %v", aside, err)
	}
}

// silent fails the test if an error tells a secret.
func silent(t *testing.T, err error) {
	t.Helper()
	if err != nil && (strings.Contains(err.Error(), "PLANTED") || strings.Contains(err.Error(), "AGE-SECRET-KEY")) {
		t.Errorf("the error tells a secret: %v", err)
	}
}

// names are those of a folder's files.
func names(t *testing.T, dir string) []string {
	t.Helper()
	entries, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	var all []string
	for _, e := range entries {
		all = append(all, e.Name())
	}
	return all
}

func wantNames(t *testing.T, dir string, want ...string) {
	t.Helper()
	slices.Sort(want)
	if got := names(t, dir); !slices.Equal(got, want) {
		t.Errorf("files %q, want %q", got, want)
	}
}

func write(t *testing.T, name string, text []byte) {
	t.Helper()
	if err := os.WriteFile(name, text, 0o600); err != nil {
		t.Fatal(err)
	}
}

func read(t *testing.T, name string) []byte {
	t.Helper()
	text, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	return text
}

func TestRoundTrip(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "deep", "glmtray")
	keys := &fakeKeyring{}
	v := newVault(t, dir, keys)
	if got := load(t, v); got != "no vault" || v.Where() != "" {
		t.Fatalf("before the first write: %q, key in %q", got, v.Where())
	}
	if _, err := os.Lstat(dir); !errors.Is(err, fs.ErrNotExist) {
		t.Error("reading made the folder")
	}
	documents := []string{plantedDocument, strings.Repeat("long ", 300_000), "\x00\xff\n", "short"}
	for _, want := range documents {
		mustSet(t, v, want)
		if got := load(t, newVault(t, dir, keys)); got != want {
			t.Fatalf("%d bytes came back as %d", len(want), len(got))
		}
	}
	if v.Where() != InKeyring {
		t.Errorf("key in %q", v.Where())
	}
	wantNames(t, dir, "vault.age", "vault.age.bak", "vault.lock")
	if got := load(t, v); got != "short" {
		t.Errorf("the writer itself reads %q", got)
	}
}

func TestNothingLiesOpen(t *testing.T) {
	dir := t.TempDir()
	v := New(Options{Dir: dir, Env: env(keyVariable, plantedPassphrase), Keyring: none()})
	mustSet(t, v, plantedDocument)
	mustSet(t, v, plantedDocument)
	for _, name := range names(t, dir) {
		if bytes.Contains(read(t, filepath.Join(dir, name)), []byte("PLANTED")) {
			t.Errorf("%s holds a secret as it is", name)
		}
	}
}

func TestEmptyIsNotNone(t *testing.T) {
	dir, keys := t.TempDir(), &fakeKeyring{}
	_, err := newVault(t, dir, keys).Update(t.Context(), func([]byte) ([]byte, error) { return []byte{}, nil })
	if err != nil {
		t.Fatal(err)
	}
	_, err = newVault(t, dir, keys).Update(t.Context(), func(old []byte) ([]byte, error) {
		if old == nil || len(old) != 0 {
			t.Errorf("an empty document came back as %q, nil: %v", old, old == nil)
		}
		return old, nil
	})
	if err != nil {
		t.Fatal(err)
	}
}

func TestNothingToKeep(t *testing.T) {
	dir, keys := t.TempDir(), &fakeKeyring{}
	mustSet(t, newVault(t, dir, keys), "")
	wantNames(t, dir, "vault.lock")
	if keys.calls() != 0 {
		t.Errorf("the keyring was asked %d times for no vault", keys.calls())
	}
}

func TestRemove(t *testing.T) {
	for _, c := range []struct {
		name  string
		keys  *fakeKeyring
		where Where
	}{{"keyring", &fakeKeyring{}, InKeyring}, {"file", none(), InFile}} {
		t.Run(c.name, func(t *testing.T) {
			dir := t.TempDir()
			v := newVault(t, dir, c.keys)
			mustSet(t, v, "first")
			mustSet(t, v, "second")
			if v.Where() != c.where {
				t.Fatalf("key in %q", v.Where())
			}
			mustSet(t, newVault(t, dir, c.keys), "") // one that has to ask for the key first
			wantNames(t, dir, "vault.lock")
			if len(c.keys.items) != 0 {
				t.Error("the key stayed in the keyring")
			}
			if got := load(t, v); got != "no vault" || v.Where() != "" {
				t.Errorf("afterwards %q, key in %q", got, v.Where())
			}
		})
	}
}

// A process must not seal with a key that another one took out of the keyring meanwhile.
func TestRemovedByAnother(t *testing.T) {
	for _, keys := range []*fakeKeyring{{}, none()} {
		dir := t.TempDir()
		long := newVault(t, dir, keys)
		mustSet(t, long, "old")
		mustSet(t, newVault(t, dir, keys), "")
		mustSet(t, long, "new")
		if got := load(t, newVault(t, dir, keys)); got != "new" {
			t.Errorf("the next process reads %q", got)
		}
	}
}

func TestChangeFails(t *testing.T) {
	dir, keys := t.TempDir(), &fakeKeyring{}
	v := newVault(t, dir, keys)
	mustSet(t, v, "old")
	before := read(t, v.File())
	refused := errors.New("refused")
	_, err := v.Update(t.Context(), func(old []byte) ([]byte, error) { return []byte("new"), refused })
	if !errors.Is(err, refused) {
		t.Errorf("error %v", err)
	}
	if !bytes.Equal(before, read(t, v.File())) {
		t.Error("the file changed")
	}
	wantNames(t, dir, "vault.age", "vault.lock")
}

// noTemps makes the next write fail: it takes the file away that is to be put in place.
func noTemps(t *testing.T, v *Vault) func(string) {
	return func(step string) {
		if step != fileName+" on disk" {
			return
		}
		found, err := filepath.Glob(filepath.Join(v.options.Dir, "*"+tempSuffix))
		if err != nil || len(found) == 0 {
			t.Errorf("no temporary file: %v", err)
		}
		for _, name := range found {
			if err := os.Remove(name); err != nil {
				t.Error(err)
			}
		}
	}
}

func TestWriteFails(t *testing.T) {
	dir, keys := t.TempDir(), &fakeKeyring{}
	v := newVault(t, dir, keys)
	v.step = noTemps(t, v)
	if _, err := set(v, "first"); !errors.Is(err, fs.ErrNotExist) {
		t.Fatalf("error %v", err)
	}
	if len(keys.items) != 0 || v.Where() != "" {
		t.Errorf("%d keys of no vault stayed in the keyring", len(keys.items))
	}
	wantNames(t, dir, "vault.lock")
	v.step = func(string) {}
	mustSet(t, v, "old")
	v.step = noTemps(t, v)
	if _, err := set(v, "new"); err == nil {
		t.Fatal("no error")
	}
	for _, v := range []*Vault{v, newVault(t, dir, keys)} {
		if got := load(t, v); got != "old" {
			t.Errorf("afterwards %q", got)
		}
	}
}

func TestTooLarge(t *testing.T) {
	dir, keys := t.TempDir(), &fakeKeyring{}
	v := newVault(t, dir, keys)
	large := strings.Repeat("x", maxBytes)
	if _, err := set(v, large); !errors.Is(err, errTooLarge) || len(keys.items) != 0 {
		t.Fatalf("error %v, %d keys", err, len(keys.items))
	}
	mustSet(t, v, "old")
	if _, err := set(v, large); !errors.Is(err, errTooLarge) {
		t.Fatalf("error %v", err)
	}
	if got := load(t, newVault(t, dir, keys)); got != "old" {
		t.Errorf("afterwards %q", got)
	}
}

func TestModes(t *testing.T) {
	if runtime.GOOS == "windows" {
		t.Skip("Windows has no such modes")
	}
	dir := filepath.Join(t.TempDir(), "glmtray")
	v := newVault(t, dir, none())
	mustSet(t, v, "first")
	mustSet(t, v, "second")
	wantNames(t, dir, "vault.age", "vault.age.bak", "vault.key", "vault.lock")
	for _, name := range append(names(t, dir), ".") {
		info, err := os.Stat(filepath.Join(dir, name))
		if err != nil {
			t.Fatal(err)
		}
		want := fs.FileMode(0o600)
		if info.IsDir() {
			want = 0o700
		}
		if info.Mode().Perm() != want {
			t.Errorf("%s has mode %o, want %o", name, info.Mode().Perm(), want)
		}
	}
}

func TestNoPlace(t *testing.T) {
	file := filepath.Join(t.TempDir(), "file")
	write(t, file, nil)
	dirs := map[string]string{"below a file": filepath.Join(file, "glmtray")}
	if runtime.GOOS == "linux" {
		dirs["proc"] = "/proc/glmtray"
	}
	if runtime.GOOS != "windows" && os.Geteuid() != 0 {
		closed := t.TempDir()
		if err := os.Chmod(closed, 0o500); err != nil {
			t.Fatal(err)
		}
		dirs["read-only"] = closed
	}
	for name, dir := range dirs {
		t.Run(name, func(t *testing.T) {
			keys := &fakeKeyring{}
			v := newVault(t, dir, keys)
			_, err := set(v, plantedDocument)
			var where *fs.PathError
			if !errors.As(err, &where) || !strings.HasPrefix(where.Path, filepath.Dir(dir)) {
				t.Errorf("error %v does not name the folder", err)
			}
			silent(t, err)
			if keys.calls() != 0 {
				t.Error("the keyring was asked for a vault that cannot be")
			}
		})
	}
}

func TestNoHome(t *testing.T) {
	t.Chdir(t.TempDir())
	write(t, fileName, []byte("not ours"))
	v := newVault(t, "", &fakeKeyring{})
	if got := load(t, v); got != "no vault" {
		t.Errorf("%q", got)
	}
	if _, err := set(v, "new"); !errors.Is(err, errNoPlace) {
		t.Errorf("error %v", err)
	}
}

func TestLockHeld(t *testing.T) {
	dir := t.TempDir()
	holder, waiter := newVault(t, dir, none()), newVault(t, dir, none())
	ctx, cancel := context.WithCancel(t.Context())
	_, err := holder.Update(t.Context(), func([]byte) ([]byte, error) {
		cancel()
		_, err := waiter.Update(ctx, func([]byte) ([]byte, error) {
			t.Error("two writers at once")
			return nil, nil
		})
		if !errors.Is(err, context.Canceled) {
			t.Errorf("error %v", err)
		}
		ctx, cancel := context.WithTimeout(t.Context(), 30*time.Millisecond)
		defer cancel()
		_, err = waiter.Update(ctx, func([]byte) ([]byte, error) {
			t.Error("two writers at once")
			return nil, nil
		})
		if !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("error %v", err)
		}
		return []byte("kept"), nil
	})
	if err != nil {
		t.Fatal(err)
	}
	mustSet(t, waiter, "next")
}

func TestSweep(t *testing.T) {
	dir := t.TempDir()
	stale := []string{"vault.age.1.tmp", "vault.age.bak.2345.tmp", "vault.key.9.tmp"}
	others := []string{"vault.age.tmp", "vault.age..tmp", "vault.age.1x.tmp", "config.yaml.1.tmp", "vault.age.unreadable-1", "other.tmp"}
	for _, name := range slices.Concat(stale, others) {
		write(t, filepath.Join(dir, name), []byte("x"))
	}
	folder := "vault.age.77.tmp"
	if err := os.Mkdir(filepath.Join(dir, folder), 0o700); err != nil {
		t.Fatal(err)
	}
	mustSet(t, newVault(t, dir, &fakeKeyring{}), "new")
	wantNames(t, dir, append(others, folder, "vault.age", "vault.lock")...)
}
