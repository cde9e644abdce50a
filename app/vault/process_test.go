//go:build unix

package vault

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
)

// This test binary is also the other processes that the tests need: childVariable says
// what they do, and where.
const childVariable = "GLMTRAY_VAULT_TEST_CHILD"

func TestMain(m *testing.M) {
	if task := strings.Split(os.Getenv(childVariable), "|"); len(task) == 4 {
		os.Exit(child(task[0], task[1], task[2], task[3]))
	}
	os.Exit(m.Run())
}

// quickExit spares a process with -race the second that it sleeps at its end.
const quickExit = "GORACE=atexit_sleep_ms=0"

// child does a task with the vault of a folder: "append" or "set" a text. where is the
// place of the key. A detail is how often, or the step at which the process is killed.
func child(task, dir, where, detail string) int {
	v := keptIn(dir, Where(where))
	n, err := strconv.Atoi(detail)
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 2
	}
	if text, ok := strings.CutPrefix(task, "set "); ok {
		v.step = func(string) {
			if n--; n < 0 {
				syscall.Kill(os.Getpid(), syscall.SIGKILL)
				select {} // the signal is on its way
			}
		}
		_, err = set(v, text)
	} else {
		err = appendLines(v, task, n)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	return 0
}

// appendLines adds n lines to the document, one change each.
func appendLines(v *Vault, writer string, n int) error {
	for i := range n {
		_, err := v.Update(context.Background(), func(old []byte) ([]byte, error) {
			return fmt.Appendf(old, "%s %d\n", writer, i), nil
		})
		if err != nil {
			return err
		}
	}
	return nil
}

func childCommand(t *testing.T, task, dir string, where Where, detail int) *exec.Cmd {
	t.Helper()
	c := exec.CommandContext(t.Context(), os.Args[0])
	c.Env = append(os.Environ(), quickExit, fmt.Sprintf("%s=%s|%s|%s|%d", childVariable, task, dir, where, detail))
	return c
}

// keptIn returns the vault of a folder, with its key in a keyring that is a folder beside
// it, or where there is none in the file.
func keptIn(dir string, where Where) *Vault {
	o := Options{Dir: dir, Env: noEnv, Keyring: none(), KeyringLimit: 5 * time.Second}
	if where == InKeyring {
		o.Keyring = folderKeyring(dir + ".keyring")
	}
	return New(o)
}

// folderKeyring is a keyring that several processes share.
type folderKeyring string

func (k folderKeyring) Get(id string) (string, error) {
	text, err := os.ReadFile(filepath.Join(string(k), id))
	if errors.Is(err, fs.ErrNotExist) {
		return "", ErrNoItem
	}
	return string(text), err
}

func (k folderKeyring) Set(id, text string) error {
	if err := os.MkdirAll(string(k), 0o700); err != nil {
		return err
	}
	return os.WriteFile(filepath.Join(string(k), id), []byte(text), 0o600)
}

func (k folderKeyring) Delete(id string) error { return os.Remove(filepath.Join(string(k), id)) }

func TestProcessesLoseNothing(t *testing.T) {
	const rounds = 10
	for _, where := range []Where{InKeyring, InFile} {
		t.Run(string(where), func(t *testing.T) {
			dir := filepath.Join(t.TempDir(), "glmtray")
			var all sync.WaitGroup
			for _, writer := range []string{"a", "b"} {
				c := childCommand(t, writer, dir, where, rounds)
				all.Go(func() {
					if out, err := c.CombinedOutput(); err != nil {
						t.Errorf("%v: %s", err, out)
					}
				})
			}
			all.Go(func() {
				if err := appendLines(keptIn(dir, where), "c", rounds); err != nil {
					t.Error(err)
				}
			})
			all.Wait()
			next := map[string]int{}
			for line := range strings.Lines(load(t, keptIn(dir, where))) {
				writer, count, _ := strings.Cut(strings.TrimSpace(line), " ")
				if count != strconv.Itoa(next[writer]) {
					t.Errorf("line %q, want number %d", line, next[writer])
				}
				next[writer]++
			}
			if len(next) != 3 || next["a"] != rounds || next["b"] != rounds || next["c"] != rounds {
				t.Errorf("changes that are there: %v, want %d of each writer", next, rounds)
			}
		})
	}
}

// A process is killed at each step of each kind of change. Afterwards the vault holds
// the old document or the new one, can be changed, and nothing is left lying about.
func TestKilled(t *testing.T) {
	both := []Where{InKeyring, InFile}
	for _, c := range []struct {
		name     string
		document string // "" takes the vault away
		prepare  func(t *testing.T, v *Vault)
		before   string
		// last is the step from which on the change counts.
		last   string
		places []Where
	}{
		{"first write", "new", func(*testing.T, *Vault) {}, "no vault", "vault.age in place", both},
		{"second write", "new", func(t *testing.T, v *Vault) { mustSet(t, v, "old") }, "old", "vault.age in place", both[:1]},
		{"third write", "new", func(t *testing.T, v *Vault) { mustSet(t, v, "older"); mustSet(t, v, "old") }, "old", "vault.age in place", both[1:]},
		{"removal", "", func(t *testing.T, v *Vault) { mustSet(t, v, "older"); mustSet(t, v, "old") }, "old", "vault.age removed", both},
		{"write over a damaged one", "new", func(t *testing.T, v *Vault) {
			mustSet(t, v, "old")
			mustSet(t, v, "lost")
			write(t, v.File(), []byte("junk"))
		}, "old", "vault.age in place", both[:1]},
	} {
		for _, where := range c.places {
			t.Run(c.name+", "+string(where), func(t *testing.T) {
				t.Parallel()
				dir := filepath.Join(t.TempDir(), "glmtray")
				v := keptIn(dir, where)
				c.prepare(t, v)
				steps := stepsOf(t, v, c.document)
				done := false
				for n, step := range steps {
					done = done || step == c.last
					want := c.before
					if done {
						want = c.document
					}
					t.Run(step, func(t *testing.T) { killAt(t, n, where, c.prepare, c.document, want) })
				}
				if !done {
					t.Errorf("steps %q, without %q", steps, c.last)
				}
			})
		}
	}
}

// stepsOf does a change and returns its steps.
func stepsOf(t *testing.T, v *Vault, document string) []string {
	t.Helper()
	var steps []string
	v = keptIn(v.options.Dir, whereOf(v))
	v.step = func(step string) { steps = append(steps, step) }
	if _, err := set(v, document); err != nil {
		t.Fatal(err)
	}
	return steps
}

// whereOf is the place of the key of a vault that keptIn returned.
func whereOf(v *Vault) Where {
	if _, ok := v.options.Keyring.(folderKeyring); ok {
		return InKeyring
	}
	return InFile
}

func killAt(t *testing.T, n int, where Where, prepare func(*testing.T, *Vault), document, want string) {
	dir := filepath.Join(t.TempDir(), "glmtray")
	prepare(t, keptIn(dir, where))
	c := childCommand(t, "set "+document, dir, where, n)
	out, err := c.CombinedOutput()
	if status, ok := c.ProcessState.Sys().(syscall.WaitStatus); !ok || status.Signal() != syscall.SIGKILL {
		t.Fatalf("the process was to be killed: %v: %s", err, out)
	}
	got, err := keptIn(dir, where).Load(t.Context())
	var unreadable *UnreadableError
	if err != nil && !(errors.As(err, &unreadable) && unreadable.Restored) {
		t.Fatal(err)
	}
	if got == nil && want != "no vault" && want != "" || got != nil && string(got) != want {
		t.Errorf("afterwards %q, want %q", got, want)
	}
	if _, err := os.Lstat(filepath.Join(dir, backupName)); got == nil && err == nil {
		t.Error("the vault is gone, and its backup stayed")
	}
	if _, err := set(keptIn(dir, where), "next"); err != nil {
		t.Fatalf("the vault cannot be changed: %v", err)
	}
	if got := load(t, keptIn(dir, where)); got != "next" {
		t.Errorf("the next change: %q", got)
	}
	for _, name := range names(t, dir) {
		if strings.HasSuffix(name, tempSuffix) {
			t.Errorf("%s stayed", name)
		}
	}
}
