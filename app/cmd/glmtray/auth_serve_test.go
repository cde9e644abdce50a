package main_test

import (
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"

	"glmtray/app/state"
	"glmtray/proxy/demo"
)

// credentials are those that came with requests to models.
type credentials struct {
	mu   sync.Mutex
	seen []string
}

// judge implements demo.Options.Judge: it accepts all.
func (c *credentials) judge(credential string) int {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.seen = append(c.seen, credential)
	return 0
}

// last is the latest one.
func (c *credentials) last() string {
	c.mu.Lock()
	defer c.mu.Unlock()
	if len(c.seen) == 0 {
		return ""
	}
	return c.seen[len(c.seen)-1]
}

// logIn logs in to a provider in the browser.
func (s *shell) logIn(t *testing.T, provider string, args ...string) {
	t.Helper()
	running, _ := s.begin(t, append([]string{"login", provider, "--no-browser"}, args...)...)
	decide(t, printedPage(t, running), "allow")
	if code := running.wait(t); code != 0 {
		t.Fatalf("login: %d %s", code, running.stderr.String())
	}
}

// TestAuthWhileServing holds that a program that serves sees each account that the
// commands add and take away, without a restart and after one.
func TestAuthWhileServing(t *testing.T) {
	t.Parallel()
	var seen credentials
	p := newProvider(t, demo.Options{Key: ownKey, Judge: seen.judge}) // so only keys that it issued are good
	s := newShell(t, p)
	running := s.serveHere(t)
	refused := func() bool {
		status, answer := fetch(t, running.url+chatPath, conversation("Hello", false))
		if status == http.StatusOK {
			return false
		}
		if status != http.StatusUnauthorized {
			t.Errorf("%d %s", status, answer)
		}
		wants(t, answer, "there is no key for the provider zai", "glmtray auth login zai")
		return true
	}
	answered := func() bool {
		return answers(t, running.url+messagesPath, conversation("Hello", false)) == http.StatusOK
	}
	if !refused() {
		t.Error("a request was answered without an account")
	}
	s.logIn(t, "zai", "--name", "Me")
	waitFor(t, "an answer with the new account", answered)
	key := seen.last()
	if !p.Platform().Issued(key) || strings.Count(key, ".") != 1 {
		t.Errorf("%q went upstream", key)
	}
	list := s.accounts(t)
	if len(list) != 1 || list[0].State != "ready" || list[0].Requests == 0 || !list[0].InUse || list[0].Hint != key[:4]+"…"+key[len(key)-4:] {
		t.Errorf("%+v", list)
	}
	wants(t, s.must(t, "", "list").stdout, "Me", "ready")

	running.finish(t)
	running = s.serveHere(t)
	if !answered() || seen.last() != key {
		t.Error("after a restart nobody is logged in")
	}
	s.must(t, "", "logout", "Me")
	waitFor(t, "the account to be gone", refused)
	s.keepsNothing(t)
	s.must(t, key+"\n", "key")
	waitFor(t, "an answer with the key", answered)
}

// TestAuthUseWhileServing holds that choosing an account changes the provider of a
// program that serves.
func TestAuthUseWhileServing(t *testing.T) {
	t.Parallel()
	var seen credentials
	s := newShell(t, newProvider(t, demo.Options{Judge: seen.judge}))
	s.must(t, apiKey(1), "key", "--no-check")
	s.must(t, apiKey(2), "key", "--no-check", "--provider", "bigmodel")
	running := s.serveHere(t)
	for n, account := range []string{"Z.AI", "Bigmodel", "Z.AI"} {
		if n > 0 {
			s.must(t, "", "use", account)
			running.inForce(t, n)
		}
		if status := answers(t, running.url+chatPath, conversation("Hello", false)); status != http.StatusOK {
			t.Errorf("%s: %d", account, status)
		}
		if want := apiKey(1 + n%2); seen.last() != want {
			t.Errorf("%s: %s went upstream", account, seen.last())
		}
	}
}

// TestAuthPool holds that three accounts of the vault share the load evenly, that a
// conversation stays with its account, and that one account can be chosen to serve alone.
func TestAuthPool(t *testing.T) {
	t.Parallel()
	p := newProvider(t, demo.Options{})
	s := newShell(t, p)
	keys := []string{apiKey(1), apiKey(2), apiKey(3)}
	for n, key := range keys {
		s.must(t, key, "key", "--no-check", "--name", fmt.Sprint("account ", n+1))
	}
	counts := func() (n []int) {
		for _, key := range keys {
			n = append(n, p.Platform().Requests(key))
		}
		return n
	}
	running := s.serveHere(t)
	ask := func(prompt string) {
		t.Helper()
		for _, path := range []string{chatPath, messagesPath} {
			if status := answers(t, running.url+path, conversation(prompt, false)); status != http.StatusOK {
				t.Errorf("%s %q: %d", path, prompt, status)
			}
		}
	}
	for n := range 9 {
		ask(fmt.Sprint("conversation ", n))
	}
	if got := counts(); !slices.Equal(got, []int{6, 6, 6}) {
		t.Errorf("nine conversations of two requests: %v", got)
	}
	before := counts()
	for range 3 {
		ask("conversation 4")
	}
	after := counts()
	changed := 0
	for n := range keys {
		if after[n] != before[n] {
			changed++
		}
	}
	if changed != 1 {
		t.Errorf("one conversation: %v, then %v", before, after)
	}
	if pool := s.pool(t); pool.Size != 3 || pool.Alone != "" {
		t.Errorf("%+v", pool)
	}
	s.must(t, "", "use", "account 2")
	running.inForce(t, 1)
	for n := range 3 {
		ask(fmt.Sprint("alone ", n))
	}
	if got := counts(); got[0] != after[0] || got[1] != after[1]+6 || got[2] != after[2] {
		t.Errorf("alone: %v, then %v", after, got)
	}
	if pool := s.pool(t); pool.Size != 1 || pool.Alone != "account 2" {
		t.Errorf("%+v", pool)
	}
}

// pool is what the running program says of the accounts that share the load.
func (s *shell) pool(t *testing.T) state.Pool {
	t.Helper()
	return s.status(t).Pool
}

// TestAuthVaultKey holds that a key that a person gave for the vault is used and not
// written anywhere, and that the accounts can be read with it alone.
func TestAuthVaultKey(t *testing.T) {
	t.Parallel()
	const key = "PLANTED words that open the vault"
	for name, give := range map[string]func(t *testing.T, s *shell){
		"environment": func(_ *testing.T, s *shell) { s.env = append(s.env, "GLMTRAY_VAULT_KEY="+key) },
		"credential": func(t *testing.T, s *shell) {
			dir := filepath.Join(s.home, "credentials")
			if err := os.Mkdir(dir, 0o700); err != nil {
				t.Fatal(err)
			}
			writeFile(t, filepath.Join(dir, "glmtray-vault-key"), key+"\n")
			s.env = append(s.env, "GLMTRAY_VAULT_KEY=", "CREDENTIALS_DIRECTORY="+dir)
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := newShell(t, newProvider(t, demo.Options{}))
			without := slices.Clone(s.env)
			give(t, s)
			got := s.must(t, apiKey(1), "key")
			wants(t, got.stderr, "The key of the accounts is the one that you gave ("+name+")")
			lacks(t, got.stderr, secretMiddle)
			if _, err := os.Lstat(s.data("vault.key")); err == nil {
				t.Error("a key was written beside the vault")
			}
			running := s.serveHere(t)
			if status := answers(t, running.url+chatPath, conversation("Hello", false)); status != http.StatusOK {
				t.Errorf("status %d", status)
			}
			if where := s.status(t).Vault.Key; where != name {
				t.Errorf("the key lies in %q", where)
			}
			running.finish(t)

			wrong := "none of the keys at hand is its own"
			if keyless() {
				wrong = "set GLMTRAY_VAULT_KEY if the key was given there"
			}
			with, sealed := s.env, s.text(t, s.data("vault.age"))
			for says, env := range map[string][]string{
				wrong:                 append(slices.Clone(without), "GLMTRAY_VAULT_KEY=other words that open nothing"),
				"too short for a key": append(slices.Clone(without), "GLMTRAY_VAULT_KEY=PLANTED"),
			} {
				s.env = env
				if got := s.auth(t, "", "list"); got.code != 1 || !strings.Contains(got.stderr, says) || strings.Contains(got.stderr, secretMiddle) {
					t.Errorf("%s: %d %s", says, got.code, got.stderr)
				}
			}
			if s.text(t, s.data("vault.age")) != sealed {
				t.Error("the vault was changed")
			}
			s.env = with
			if names := s.names(t); !slices.Equal(names, []string{"Z.AI"}) {
				t.Errorf("%q", names)
			}
		})
	}
}

// TestAuthForeignVault holds that a vault that cannot be opened is kept aside when an
// account is added, and that the person is told.
func TestAuthForeignVault(t *testing.T) {
	t.Parallel()
	s := newShell(t, newProvider(t, demo.Options{}))
	if err := os.MkdirAll(s.data(""), 0o700); err != nil {
		t.Fatal(err)
	}
	const foreign = "not a vault at all"
	writeFile(t, s.data("vault.age"), foreign)
	if got := s.auth(t, "", "list"); got.code != 1 || !strings.Contains(got.stderr, "is damaged and cannot be read; it stays as it is") {
		t.Errorf("list: %d %s", got.code, got.stderr)
	}
	wants(t, s.must(t, apiKey(1), "key").stderr, "their file was kept aside: "+s.data("vault.age"))
	found, err := filepath.Glob(s.data("*"))
	if err != nil || !slices.ContainsFunc(found, func(name string) bool {
		info, err := os.Stat(name)
		return err == nil && info.Mode().IsRegular() && info.Size() == int64(len(foreign)) && s.text(t, name) == foreign
	}) {
		t.Errorf("the file is lost: %q %v", found, err)
	}
	if names := s.names(t); !slices.Equal(names, []string{"Z.AI"}) {
		t.Errorf("%q", names)
	}
}
