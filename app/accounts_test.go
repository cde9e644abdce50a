package app

import (
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"glmtray/app/account"
	"glmtray/app/login"
	"glmtray/app/state"
	"glmtray/proxy/demo"
	"glmtray/proxy/demo/platform"
)

// provider is a stand-in for Z.AI, which counts the requests of each credential.
type provider struct {
	*demo.Server
	url string

	mu    sync.Mutex // guards what follows
	used  map[string]int
	judge func(credential string) int // may be nil
}

func newProvider(t *testing.T, o platform.Options) *provider {
	t.Helper()
	p := &provider{used: map[string]int{}}
	p.Server = demo.New(demo.Options{Platform: o, Judge: func(credential string) int {
		p.mu.Lock()
		defer p.mu.Unlock()
		p.used[credential]++
		if p.judge != nil {
			return p.judge(credential)
		}
		return 0
	}})
	server := httptest.NewServer(p.Server)
	t.Cleanup(server.Close)
	p.url = server.URL
	return p
}

func (p *provider) counts() map[string]int {
	p.mu.Lock()
	defer p.mu.Unlock()
	out := map[string]int{}
	for credential, n := range p.used {
		out[credential] = n
	}
	return out
}

func (p *provider) config(more string) string {
	return "provider: zai\nserver:\n  port: 0\nretry:\n  maxRetries: 0\nproviders:\n  zai:\n    anthropicBase: " + p.url + "/api/anthropic\n    quotaBase: " + p.url +
		"\n    oauth:\n      authorizeURL: " + p.url + "/api/oauth/authorize\n      tokenURL: " + p.url + "/api/v1/oauth/token\n      pollBase: " + p.url +
		"/api/v1/oauth/cli\n      businessLoginURL: " + p.url + "/api/auth/z/login\n      businessBase: " + p.url +
		"\nstartPlan:\n  base: " + p.url + "/api/v1/zcode-plan\n  configsURL: " + p.url + "/api/v1/client/configs\n  captchaTimeoutMs: 1000\n" + more
}

// allow plays the browser in which a login is allowed.
func (p *provider) allow(t *testing.T, page string) {
	t.Helper()
	at, err := url.Parse(page)
	if err != nil {
		t.Fatal(err)
	}
	resp, err := client.PostForm(p.url+"/_demo/decide", url.Values{"answer": {"allow"}, "flow": {at.Query().Get("flow")}})
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	if text, _ := io.ReadAll(resp.Body); resp.StatusCode != http.StatusOK {
		t.Fatalf("%s: %s", resp.Status, text)
	}
}

// asked is the status of an answer to a prompt.
func asked(t *testing.T, url string, header ...string) int {
	t.Helper()
	resp := post(t, url, "Hello", header...)
	_, _ = all(t, resp) // the status says how it went
	return resp.StatusCode
}

// logIn logs in as a person does.
func (f *fixture) logIn(t *testing.T, p *provider, accounts int) state.Snapshot {
	t.Helper()
	if err := f.Login(t.Context(), "zai"); err != nil {
		t.Fatal(err)
	}
	now := f.until(t, "the login's page", func(s state.Snapshot) bool { return s.Login != nil && s.Login.URL != "" })
	if err := f.Login(t.Context(), "zai"); !errors.Is(err, ErrLoginRuns) {
		t.Errorf("a second login: %v", err)
	}
	p.allow(t, now.Login.URL)
	return f.until(t, "the account", func(s state.Snapshot) bool { return len(s.Accounts) == accounts && s.Login == nil })
}

// TestLoginAndRenewal logs in, uses the account, and has its key revoked: a new one comes
// without a person.
func TestLoginAndRenewal(t *testing.T) {
	p := newProvider(t, platform.Options{})
	f := run(t, p.config(""))
	now := f.logIn(t, p, 1)
	if a := now.Accounts[0]; a.Kind != "login" || a.Level != "pro" || !a.InUse || now.Vault.Key != "file" || !now.Account.Stored || now.Account.Hint != a.Name {
		t.Errorf("%+v %+v %+v", a, now.Vault, now.Account)
	}
	if code := asked(t, f.url); code != http.StatusOK {
		t.Fatalf("with the account: %d", code)
	}
	counts := p.counts()
	if len(counts) != 1 {
		t.Fatalf("%d credentials were used", len(counts))
	}
	for key := range counts {
		p.Platform().Revoke(key)
	}
	if code := asked(t, f.url); code != http.StatusUnauthorized {
		t.Errorf("with a revoked key: %d", code)
	}
	f.logged(t, "the credentials of an account were renewed")
	if code := asked(t, f.url); code != http.StatusOK {
		t.Errorf("after the renewal: %d", code)
	}
	if now := f.Snapshot(); len(p.counts()) != 2 || now.Accounts[0].State != "ready" {
		t.Errorf("%d credentials, %+v", len(p.counts()), now.Accounts)
	}
}

// TestCancelledLogin holds that nothing is left of a login that is cancelled, or that
// meets a server that is down, and that the old account stays.
func TestCancelledLogin(t *testing.T) {
	down := false
	p := newProvider(t, platform.Options{Fault: func(w http.ResponseWriter, r *http.Request) bool {
		if down && r.URL.Path == "/api/v1/oauth/cli/init" {
			return platform.Fault{Status: 500, HTML: true}.Serve(w, r)
		}
		if down && r.URL.Path == "/api/v1/oauth/token" {
			return platform.Fault{Drop: true}.Serve(w, r)
		}
		return false
	}})
	f := run(t, p.config(""))
	f.logIn(t, p, 1)
	if err := f.PasteLogin(t.Context(), "code"); !errors.Is(err, ErrNoLogin) {
		t.Errorf("paste without a login: %v", err)
	}
	if err := f.Login(t.Context(), "zai"); err != nil {
		t.Fatal(err)
	}
	f.until(t, "the login", func(s state.Snapshot) bool { return s.Login != nil && s.Login.URL != "" })
	f.CancelLogin()
	f.until(t, "the end of it", func(s state.Snapshot) bool { return s.Login == nil && len(s.Accounts) == 1 })

	down = true
	if err := f.Login(t.Context(), "zai"); err != nil {
		t.Fatal(err)
	}
	now := f.until(t, "the login's page", func(s state.Snapshot) bool { return s.Login != nil && s.Login.URL != "" })
	if !strings.Contains(now.Login.URL, "/api/oauth/authorize?") {
		t.Fatalf("without a poll flow the page is %s", now.Login.URL)
	}
	if err := f.PasteLogin(t.Context(), "no code at all"); !errors.Is(err, login.ErrNoCode) {
		t.Errorf("a useless paste: %v", err)
	}
	if err := f.PasteLogin(t.Context(), "some-code"); err != nil {
		t.Error(err)
	}
	now = f.until(t, "the failure", func(s state.Snapshot) bool {
		_, failed := s.Problem(state.ProblemAccount)
		return failed && s.Login == nil
	})
	problem, _ := now.Problem(state.ProblemAccount)
	if len(now.Accounts) != 1 || len(problem.Details) != 1 || !strings.HasPrefix(problem.Details[0], "exchanging the code for tokens failed") {
		t.Errorf("%+v", problem)
	}
	if code := asked(t, f.url); code != http.StatusOK {
		t.Errorf("the old account: %d", code)
	}
}

func key(n int) string { return fmt.Sprintf("%032x.secret0123456789", n) }

// TestPoolOfThree adds three keys: they share the load, one is left out while it is
// refused, one can be used alone, and a logout takes one away, all while it runs.
func TestPoolOfThree(t *testing.T) {
	p := newProvider(t, platform.Options{})
	f := run(t, p.config(""))
	for n := range 3 {
		if err := f.AddKey(t.Context(), "zai", fmt.Sprint("account ", n), " '"+key(n)+"'\n"); err != nil {
			t.Fatal(err)
		}
	}
	if err := f.AddKey(t.Context(), "zai", "", "nonsense"); !errors.Is(err, account.ErrKeyForm) {
		t.Errorf("nonsense: %v", err)
	}
	p.mu.Lock()
	p.used = map[string]int{} // the keys were tried
	p.mu.Unlock()
	ask := func(conversation int) int {
		return asked(t, f.url, "X-Session-Id", fmt.Sprint(conversation))
	}
	for n := range 9 {
		if code := ask(n); code != http.StatusOK {
			t.Fatal(code)
		}
	}
	if got := p.counts(); got[key(0)] != 3 || got[key(1)] != 3 || got[key(2)] != 3 {
		t.Errorf("the load is spread %v", got)
	}
	if now := f.Snapshot(); now.Pool.Size != 3 || now.Accounts[1].Requests != 3 || now.Account.Hint != "account 0, account 1, account 2" {
		t.Errorf("%+v %+v", now.Pool, now.Accounts)
	}
	p.mu.Lock()
	p.judge = func(credential string) int {
		if credential == key(0) {
			return 1308
		}
		return 0
	}
	p.mu.Unlock()
	for n := range 9 {
		if code := ask(n); code != http.StatusOK {
			t.Errorf("conversation %d: %d", n, code)
		}
	}
	if a := f.Snapshot().Accounts[0]; a.State != "quota" || a.Until.IsZero() || a.Failures != 1 {
		t.Errorf("%+v", a)
	}
	if err := f.UseAccount(t.Context(), "account 2"); err != nil {
		t.Fatal(err)
	}
	before := p.counts()
	for n := range 4 {
		ask(100 + n)
	}
	if got := p.counts(); got[key(2)]-before[key(2)] != 4 {
		t.Errorf("alone: %v, before %v", got, before)
	}
	if err := f.RenameAccount(t.Context(), "account 2", "mine"); err != nil {
		t.Fatal(err)
	}
	if now := f.Snapshot(); now.Pool.Alone != "mine" || now.Pool.Size != 1 {
		t.Errorf("after renaming: %+v", now.Pool)
	}
	if err := f.Logout(t.Context(), "mine"); err != nil {
		t.Fatal(err)
	}
	if now := f.Snapshot(); now.Pool.Alone != "" || now.Pool.Size != 2 {
		t.Errorf("after the logout: %+v", now.Pool)
	}
	if err := f.UseAccount(t.Context(), "mine"); !errors.Is(err, account.ErrUnknown) {
		t.Errorf("an account that has gone: %v", err)
	}
}

// TestStartPlan has the gateway answer behind blocks of our own, and of a file.
func TestStartPlan(t *testing.T) {
	p := newProvider(t, platform.Options{})
	blocks := filepath.Join(t.TempDir(), "blocks.txt")
	if err := os.WriteFile(blocks, []byte("One block.\n---\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	f := run(t, p.config("plan: start-plan\n"))
	f.logIn(t, p, 1)
	if code := asked(t, f.url); code != http.StatusOK {
		t.Errorf("with the text of our own: %d", code)
	}
	if err := f.apply(t, p.config("  systemFile: "+blocks+"\nplan: start-plan\n")); err != nil {
		t.Fatal(err)
	}
	// The gateway wants two blocks: a refusal in words, and once.
	resp := post(t, f.url, "Hello")
	text, _ := all(t, resp)
	if resp.StatusCode != http.StatusMethodNotAllowed || !strings.Contains(text, "3012") || !strings.Contains(text, "use a coding plan") {
		t.Errorf("%d %s", resp.StatusCode, text)
	}
	if err := f.apply(t, p.config("  systemFile: "+blocks+".missing\nplan: start-plan\n")); err == nil || !strings.Contains(err.Error(), "startPlan.systemFile") {
		t.Errorf("a file that is not there: %v", err)
	}
}

// TestCheckWithoutAPerson holds that a request does not wait for ever.
func TestCheckWithoutAPerson(t *testing.T) {
	p := newProvider(t, platform.Options{Captcha: true})
	f := run(t, p.config("plan: start-plan\n"))
	f.logIn(t, p, 1)
	if err := f.PassCheck("proof"); !errors.Is(err, ErrNoCheck) {
		t.Errorf("nobody asked: %v", err)
	}
	resp := post(t, f.url, "Hello")
	text, _ := all(t, resp)
	if resp.StatusCode != http.StatusForbidden || !strings.Contains(text, "nobody passed its check within 1s") || !strings.Contains(text, "glmtray open verify") {
		t.Errorf("%d %s", resp.StatusCode, text)
	}
	// A proof that the gateway does not take is asked for once more, and no more.
	done := make(chan int, 1)
	go func() { done <- asked(t, f.url) }()
	for range 2 {
		f.until(t, "the check", func(s state.Snapshot) bool { return s.Check != nil })
		if err := f.PassCheck("not\na proof"); !errors.Is(err, ErrProof) {
			t.Errorf("nonsense: %v", err)
		}
		if err := f.PassCheck("made-up"); err != nil {
			t.Error(err)
		}
		if _, shown := f.Snapshot().Problem(state.ProblemCheck); !shown && f.Snapshot().Check != nil {
			t.Error("nobody is told")
		}
	}
	if code := <-done; code != http.StatusForbidden && code != http.StatusBadRequest {
		t.Errorf("after two made-up proofs: %d", code)
	}
	f.until(t, "the end of the check", func(s state.Snapshot) bool {
		_, shown := s.Problem(state.ProblemCheck)
		return s.Check == nil && !shown
	})
	if w := f.Widget(t.Context()); w.SceneID == "" || w.Prefix == "" || w.Region == "" || w.LoadMS == 0 {
		t.Errorf("%+v", w)
	}
}

// TestUnreadableVault holds that a vault that cannot be read is told of, stays, and is
// kept aside by the next login.
func TestUnreadableVault(t *testing.T) {
	p := newProvider(t, platform.Options{})
	f := &fixture{ended: make(chan error, 1)}
	f.options, f.logFile = load(t, p.config(""))
	data := filepath.Join(filepath.Dir(f.options.Settings.Path), "data")
	if err := os.MkdirAll(data, 0o700); err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(data, "vault.age")
	if err := os.WriteFile(file, []byte("something else"), 0o600); err != nil {
		t.Fatal(err)
	}
	f.begin(t)
	f.url = f.phase(t, state.Running).BaseURL
	f.until(t, "the problem", func(s state.Snapshot) bool { _, shown := s.Problem(state.ProblemVault); return shown })
	if code := asked(t, f.url); code != http.StatusUnauthorized {
		t.Errorf("without accounts: %d", code)
	}
	if err := f.AddKey(t.Context(), "zai", "", key(7)); err != nil {
		t.Fatal(err)
	}
	if kept, err := os.ReadFile(file + ".unreadable-1"); err != nil || string(kept) != "something else" {
		t.Errorf("%v: %q", err, kept)
	}
	now := f.Snapshot()
	if _, shown := now.Problem(state.ProblemVault); shown || len(now.Accounts) != 1 {
		t.Errorf("%+v", now)
	}
	if code := asked(t, f.url); code != http.StatusOK {
		t.Errorf("with the account: %d", code)
	}
}
