//go:build unix

package main_test

import (
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"glmtray/proxy/demo"
)

// TestAuthInterrupted holds that a signal ends whatever the command waits for, and that
// nothing is kept.
func TestAuthInterrupted(t *testing.T) {
	t.Parallel()
	for _, args := range []string{"login zai --no-browser", "login bigmodel --no-browser --paste", "key"} {
		for _, sig := range []os.Signal{os.Interrupt, syscall.SIGTERM} {
			t.Run(args+", "+sig.String(), func(t *testing.T) {
				t.Parallel()
				p := newProvider(t, demo.Options{})
				s := newShell(t, p)
				s.configure(t, p.config())
				running, _ := s.begin(t, strings.Fields(args)...)
				if args == "key" {
					waitFor(t, "the words before the key", func() bool { return strings.Contains(running.stderr.String(), "Terms:") })
				} else {
					printedPage(t, running)
				}
				running.signal(t, sig)
				s.wasInterrupted(t, running)
			})
		}
	}
}

// TestAuthImportInterrupted holds the same while a file does not end, and while the
// passphrase is not given.
func TestAuthImportInterrupted(t *testing.T) {
	t.Parallel()
	for name, ends := range map[string]bool{"the file": false, "the passphrase": true} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := newShell(t, newProvider(t, demo.Options{}))
			file := filepath.Join(s.home, "fifo")
			if err := syscall.Mkfifo(file, 0o600); err != nil {
				t.Fatal(err)
			}
			running, _ := s.begin(t, "import", file)
			f, err := os.OpenFile(file, os.O_WRONLY, 0) // waits until it is read
			if err != nil {
				t.Fatal(err)
			}
			defer f.Close()
			if ends {
				say(t, f, "sealed")
				if err := f.Close(); err != nil {
					t.Fatal(err)
				}
			}
			running.signal(t, os.Interrupt)
			s.wasInterrupted(t, running)
		})
	}
}

func (s *shell) wasInterrupted(t *testing.T, running *server) {
	t.Helper()
	if code := running.wait(t); code != 1 {
		t.Errorf("exit code %d", code)
	}
	wants(t, running.stderr.String(), "glmtray: interrupted; nothing was changed\n")
	s.keepsNothing(t)
}

// TestAuthImpossibleFolder holds that a place where nothing can be written is told in
// words, and that nothing is half saved there.
func TestAuthImpossibleFolder(t *testing.T) {
	t.Parallel()
	for name, spoil := range map[string]func(t *testing.T, s *shell){
		"a file in its place": func(t *testing.T, s *shell) {
			writeFile(t, filepath.Join(s.home, "glmtray"), "")
		},
		"a folder that cannot be": func(t *testing.T, s *shell) {
			s.env = append(s.env, "GLMTRAY_HOME=/dev/null/glmtray")
		},
		"read-only": func(t *testing.T, s *shell) {
			if os.Geteuid() == 0 {
				t.Skip("nothing is read-only for root")
			}
			if err := os.MkdirAll(s.data(""), 0o500); err != nil {
				t.Fatal(err)
			}
		},
		"a folder in the vault's place": func(t *testing.T, s *shell) {
			if err := os.MkdirAll(s.data("vault.age"), 0o700); err != nil {
				t.Fatal(err)
			}
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := newShell(t, newProvider(t, demo.Options{}))
			spoil(t, s)
			got := s.auth(t, apiKey(1), "key")
			if got.code != 1 {
				t.Errorf("key: %d %s", got.code, got.stderr)
			}
			wants(t, got.stderr, "glmtray: the accounts in ", " cannot be read or written: ", "check that you may use that folder")
			lacks(t, got.stderr, secretMiddle, "is logged in", "goroutine")
			running, _ := s.begin(t, "login", "zai", "--no-browser")
			decide(t, printedPage(t, running), "allow")
			if code := running.wait(t); code != 1 {
				t.Errorf("login: %d %s", code, running.stderr.String())
			}
			wants(t, running.stderr.String(), "cannot be read or written: ")
			lacks(t, running.stderr.String(), "is logged in")
			for _, file := range []string{"vault.key", "vault.age.bak", "vault.age.tmp"} {
				if _, err := os.Lstat(s.data(file)); err == nil {
					t.Errorf("%s was left behind", file)
				}
			}
		})
	}
}

// TestSecretsInCrash holds that what a program prints that crashes has no secrets.
func TestSecretsInCrash(t *testing.T) {
	t.Parallel()
	s := newShell(t, newProvider(t, demo.Options{}))
	s.must(t, apiKey(1), "key", "--no-check")
	running := s.serveHere(t)
	startStream(t, running.url+messagesPath, endless, "X-Api-Key", foreignKey)
	running.signal(t, syscall.SIGQUIT) // Go's answer to it is that of a panic: all stacks
	if code := running.wait(t); code == 0 {
		t.Error("it did not crash")
	}
	wants(t, running.stderr.String(), "goroutine ", "SIGQUIT")
	lacks(t, running.stderr.String(), secretMiddle, apiKey(1)[4:])
}
