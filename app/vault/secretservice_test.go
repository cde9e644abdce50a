//go:build linux

package vault

import (
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// insideVariable is set in the process that runs on a session bus of its own.
const insideVariable = "GLMTRAY_VAULT_TEST_BUS"

// startKeyring unlocks a new keyring and waits until it is on the bus. The daemon's
// output goes to a file: it would keep a pipe open.
const startKeyring = `
printf %s testpw | gnome-keyring-daemon --unlock --components=secrets >"$HOME/daemon" 2>&1
for i in $(seq 100); do
	gdbus call --session -d org.freedesktop.DBus -o /org/freedesktop/DBus -m org.freedesktop.DBus.NameHasOwner org.freedesktop.secrets | grep -q true && break
	sleep 0.05
done
exec "$0" -test.run='^TestSecretServiceInside$' -test.v`

// TestSecretService runs TestSecretServiceInside with a real gnome-keyring on a bus that
// nobody else is on, without a display.
func TestSecretService(t *testing.T) {
	for _, tool := range []string{"dbus-run-session", "gnome-keyring-daemon", "secret-tool", "gdbus", "bash"} {
		if _, err := exec.LookPath(tool); err != nil {
			if os.Getenv("CI") == "true" {
				t.Fatalf("%s is missing", tool)
			}
			t.Skipf("%s is missing: apt-get install dbus gnome-keyring libsecret-tools libglib2.0-bin", tool)
		}
	}
	home, run := t.TempDir(), t.TempDir()
	data := filepath.Join(home, ".local", "share")
	if err := os.MkdirAll(filepath.Join(data, "keyrings"), 0o700); err != nil {
		t.Fatal(err)
	}
	c := exec.CommandContext(t.Context(), "dbus-run-session", "--", "bash", "-c", startKeyring, os.Args[0])
	for _, variable := range os.Environ() {
		name, _, _ := strings.Cut(variable, "=")
		switch name {
		case "DISPLAY", "WAYLAND_DISPLAY", "DBUS_SESSION_BUS_ADDRESS", "HOME", "XDG_RUNTIME_DIR", "XDG_DATA_HOME", keyVariable, credentialVariable:
		default:
			c.Env = append(c.Env, variable)
		}
	}
	c.Env = append(c.Env, "HOME="+home, "XDG_RUNTIME_DIR="+run, "XDG_DATA_HOME="+data, insideVariable+"=1", quickExit)
	c.WaitDelay = 5 * time.Second
	out, err := c.CombinedOutput()
	if err != nil || !strings.Contains(string(out), "--- PASS: TestSecretServiceInside") {
		t.Fatalf("%v:\n%s", err, out)
	}
}

func TestSecretServiceInside(t *testing.T) {
	if os.Getenv(insideVariable) == "" {
		t.Skip("TestSecretService runs it")
	}
	o := Options{Dir: filepath.Join(t.TempDir(), "glmtray"), KeyringLimit: 5 * time.Second}
	v := New(o)
	mustSet(t, v, plantedDocument)
	if v.Where() != InKeyring {
		t.Fatalf("key in %q", v.Where())
	}
	wantNames(t, o.Dir, "vault.age", "vault.lock")
	id := v.id
	if item := lookUp(id); !strings.HasPrefix(item, identityPrefix) {
		t.Errorf("another program finds no age key, but %d bytes", len(item))
	}
	mustSet(t, New(o), "second")
	if got := load(t, New(o)); got != "second" {
		t.Errorf("%q", got)
	}

	checkLocked(t, o, v)
	mustSet(t, New(o), "")
	wantNames(t, o.Dir, "vault.lock")
	if lookUp(id) != "" {
		t.Error("the key stayed in the keyring")
	}
	if _, err := (systemKeyring{os.Getenv}).Get(id); !errors.Is(err, ErrNoItem) {
		t.Errorf("an item that is gone: %v", err)
	}
}

// checkLocked locks the keyring of a vault that holds "second", and unlocks it. v has the
// key already.
func checkLocked(t *testing.T, o Options, v *Vault) {
	t.Helper()
	run(t, "gdbus", "call", "--session", "-d", "org.freedesktop.secrets", "-o", "/org/freedesktop/secrets",
		"-m", "org.freedesktop.Secret.Service.Lock", "['/org/freedesktop/secrets/collection/login']")
	locked := New(o)
	got, err := locked.Load(t.Context())
	if !errors.Is(err, ErrLocked) || got != nil {
		t.Errorf("locked: %d bytes, %v", len(got), err)
	}
	if _, err := set(locked, "third"); !errors.Is(err, ErrLocked) {
		t.Errorf("locked: %v", err)
	}
	if got := load(t, v); got != "second" {
		t.Errorf("who has the key already reads %q", got)
	}
	other := New(Options{Dir: t.TempDir(), KeyringLimit: o.KeyringLimit})
	mustSet(t, other, "text")
	if other.Where() != InFile {
		t.Errorf("locked: a new key in %q", other.Where())
	}

	run(t, "bash", "-c", `printf %s testpw | gnome-keyring-daemon --replace --unlock --components=secrets >"$HOME/unlock" 2>&1`)
	for range 100 { // the new daemon takes the bus name over a little later
		if got, err = locked.Load(t.Context()); !errors.Is(err, ErrLocked) {
			break
		}
		time.Sleep(50 * time.Millisecond)
	}
	if err != nil || string(got) != "second" {
		t.Errorf("unlocked: %q, %v", got, err)
	}
}

// lookUp finds an item as another program does; "" if there is none.
func lookUp(id string) string {
	out, err := exec.Command("secret-tool", "lookup", "service", service, "username", id).Output()
	if err != nil {
		return ""
	}
	return string(out)
}

func run(t *testing.T, name string, args ...string) {
	t.Helper()
	if out, err := exec.CommandContext(t.Context(), name, args...).CombinedOutput(); err != nil {
		t.Fatalf("%s: %v: %s", name, err, out)
	}
}

// Without a session bus, or with an address where there is none, the key lies in the
// file, and no bus is started.
func TestNoBus(t *testing.T) {
	for name, address := range map[string]string{"not set": "", "nobody there": "unix:path=/nonexistent"} {
		t.Run(name, func(t *testing.T) {
			t.Setenv("DBUS_SESSION_BUS_ADDRESS", address)
			t.Setenv("XDG_RUNTIME_DIR", t.TempDir())
			t.Setenv(keyVariable, "")
			t.Setenv(credentialVariable, "")
			o := Options{Dir: t.TempDir(), KeyringLimit: 5 * time.Second}
			v := New(o)
			mustSet(t, v, "text")
			if got := load(t, New(o)); got != "text" || v.Where() != InFile {
				t.Errorf("%q, key in %q", got, v.Where())
			}
			if err := os.Remove(v.path(keyName)); err != nil {
				t.Fatal(err)
			}
			if _, err := New(o).Load(t.Context()); !errors.Is(err, ErrLocked) {
				t.Errorf("the key is not to be had: %v", err)
			}
		})
	}
}

func TestReachable(t *testing.T) {
	run := t.TempDir()
	if err := reachable(env("XDG_RUNTIME_DIR", run)); !errors.Is(err, errNoBus) {
		t.Errorf("no bus: %v", err)
	}
	if err := reachable(noEnv); !errors.Is(err, errNoBus) {
		t.Errorf("nothing set: %v", err)
	}
	write(t, filepath.Join(run, "bus"), nil)
	if err := reachable(env("XDG_RUNTIME_DIR", run)); err != nil {
		t.Errorf("the user's bus: %v", err)
	}
	if err := reachable(env("DBUS_SESSION_BUS_ADDRESS", "unix:path=x")); err != nil {
		t.Errorf("a bus that is named: %v", err)
	}
}
