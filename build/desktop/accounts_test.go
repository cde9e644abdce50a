//go:build desktop && linux

package desktop

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/chromedp/cdproto/page"
	"github.com/chromedp/chromedp"

	"glmtray/app/state"
	"glmtray/proxy/demo"
	"glmtray/proxy/demo/platform"
)

// provider is a stand-in for Z.AI and Bigmodel, which counts the requests of each
// credential.
type provider struct {
	url string

	mu   sync.Mutex // guards what follows
	used map[string]int
}

func newProvider(t *testing.T, o platform.Options) *provider {
	t.Helper()
	p := &provider{used: map[string]int{}}
	server := httptest.NewServer(demo.New(demo.Options{Platform: o, Judge: func(credential string) int {
		p.mu.Lock()
		defer p.mu.Unlock()
		p.used[credential]++
		return 0
	}}))
	t.Cleanup(server.Close)
	p.url = server.URL
	return p
}

// credentials are those that requests came with.
func (p *provider) credentials() []string {
	p.mu.Lock()
	defer p.mu.Unlock()
	var all []string
	for credential := range p.used {
		all = append(all, credential)
	}
	return all
}

// config are the settings that lead to it.
func (p *provider) config(more string) string {
	text := "server:\n  port: 0\nproviders:\n"
	for _, name := range []string{"zai", "bigmodel"} {
		page, business := "/api/oauth/authorize", "      businessLoginURL: "+p.url+"/api/auth/z/login\n"
		if name == "bigmodel" {
			page, business = "/login", ""
		}
		text += "  " + name + ":\n    anthropicBase: " + p.url + "/api/anthropic\n    quotaBase: " + p.url + "\n    oauth:\n" +
			"      authorizeURL: " + p.url + page + "\n      tokenURL: " + p.url + "/api/v1/oauth/token\n      pollBase: " + p.url + "/api/v1/oauth/cli\n" +
			business + "      businessBase: " + p.url + "\n"
	}
	return text + "startPlan:\n  base: " + p.url + "/api/v1/zcode-plan\n  configsURL: " + p.url + "/api/v1/client/configs\n  captchaSDK: " + p.url + "/captcha/AliyunCaptcha.js\n" + more
}

// keyring starts a real one, unlocked.
func (s *session) keyring() {
	s.t.Helper()
	daemon := need(s.t, "gnome-keyring-daemon")
	if err := os.MkdirAll(filepath.Join(s.home, ".local", "share", "keyrings"), 0o700); err != nil {
		s.t.Fatal(err)
	}
	cmd := exec.Command(daemon, "--unlock", "--components=secrets", "--foreground")
	cmd.Env, cmd.Dir, cmd.Stdin = s.env, s.home, strings.NewReader("a password")
	var out bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &out
	if err := cmd.Start(); err != nil {
		s.t.Fatal(err)
	}
	s.t.Cleanup(func() {
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
	})
	waitFor(s.t, "the keyring", func() bool {
		var owned bool
		return s.bus.BusObject().Call("org.freedesktop.DBus.NameHasOwner", 0, "org.freedesktop.secrets").Store(&owned) == nil && owned
	})
}

// secrets are what the keyring has of ours.
func (s *session) secrets() string {
	s.t.Helper()
	cmd := exec.Command(need(s.t, "secret-tool"), "search", "--all", "service", "glmtray")
	cmd.Env = s.env
	out, err := cmd.CombinedOutput()
	if err != nil && len(out) > 0 && !bytes.Contains(out, []byte("secret")) {
		s.t.Fatalf("%v: %s", err, out)
	}
	return string(out)
}

func (p *place) vault() string { return filepath.Join(p.home, "glmtray", "data", "vault.age") }

func oneAccount(s state.Snapshot) bool { return len(s.Accounts) == 1 && s.Login == nil }

// TestLoginFromTray is a person's first minutes: log in from the tray, use it, restart,
// log out; with a real panel, keyring and browser.
func TestLoginFromTray(t *testing.T) {
	const panel = "xfce4-panel"
	up := newProvider(t, platform.Options{})
	s := newSession(t)
	s.keyring()
	s.screen()
	s.panel(panel)
	opened := s.opener()
	p := s.place()
	p.configure(t, up.config(""))
	cmd := p.start(t, "--hidden")
	base := p.running(t).BaseURL
	pid := cmd.Process.Pid
	p.until(t, "the icon to be known", func(s state.Snapshot) bool { return s.Icon.Shown })
	if code, text := ask(t, base, claude, "Hello"); code != http.StatusUnauthorized || !strings.Contains(text, "glmtray auth login zai") {
		t.Errorf("without an account: %d %s", code, text)
	}
	w := openWindow(t, p, "accounts")
	w.until("document.querySelector('#no-accounts') !== null && document.querySelector('#policy').innerText.includes('https://docs.z.ai')")
	w.picture("accounts-none")

	s.choose(panel, pid, "Account", "Log in to Z.AI…")
	waitFor(t, "the login page", func() bool { return len(opened()) == 1 })
	waitFor(t, "the menu to say so", func() bool { _, ok := s.menu(pid).find("Account", "Waiting for the browser…"); return ok })
	w.until("document.querySelector('#login-step')?.innerText.includes('Waiting for the browser')")
	w.picture("accounts-waiting")
	w.do(chromedp.Navigate(opened()[0]), chromedp.Click("#allow"))
	w.until("document.querySelector('#done')?.innerText.includes('You are logged in')")
	now := p.until(t, "the account", oneAccount)
	if a := now.Accounts[0]; a.Provider != "zai" || a.Kind != "login" || a.Level != "pro" || a.State != "ready" || !a.InUse || len(a.Plans) != 2 || now.Vault.Key != "keyring" || now.Pool.Size != 1 {
		t.Errorf("%+v, %+v", a, now.Vault)
	}
	waitFor(t, "the account in the menu", func() bool {
		e, ok := s.menu(pid).find("Account", "Z.AI")
		_, line := s.menu(pid).find("Z.AI · Coding plan · Z.AI")
		return ok && e.ticked && line
	})
	s.picture("tray-account")
	if code, text := ask(t, base, claude, "Hello"); code != http.StatusOK {
		t.Errorf("with the account: %d %s", code, text)
	}
	keys := up.credentials()
	if len(keys) != 1 || len(keys[0]) != 49 || !strings.HasPrefix(keys[0], strings.Split(now.Accounts[0].Hint, "…")[0]) {
		t.Errorf("requests came with %q", keys)
	}
	if !strings.Contains(s.secrets(), "AGE-SECRET-KEY") {
		t.Error("the keyring does not have the vault's key")
	}

	// Restart: still logged in, and nothing is asked.
	s.choose(panel, pid, "Quit")
	_ = cmd.Wait()
	p.start(t, "--hidden")
	base = p.running(t).BaseURL
	p.until(t, "the account after a restart", oneAccount)
	if code, text := ask(t, base, claude, "Hello"); code != http.StatusOK {
		t.Errorf("after the restart: %d %s", code, text)
	}
	if got := up.credentials(); len(got) != 1 {
		t.Errorf("another key was used: %q", got)
	}

	// Log out: gone from vault and keyring.
	w.answerDialogs()
	w.do(chromedp.Navigate(p.link(t, "accounts")))
	w.until("document.querySelectorAll('.card').length === 1 && document.querySelector('.card').innerText.includes('pro')")
	w.picture("accounts-one")
	w.do(chromedp.Click(".card .logout"))
	w.until("document.querySelector('#no-accounts') !== null")
	if _, err := os.Stat(p.vault()); !os.IsNotExist(err) {
		t.Errorf("the vault is still there: %v", err)
	}
	waitFor(t, "the keyring to forget", func() bool { return !strings.Contains(s.secrets(), "AGE-SECRET-KEY") })
	if code, _ := ask(t, base, claude, "Hello"); code != http.StatusUnauthorized {
		t.Errorf("after the logout: %d", code)
	}
	w.clean()
}

// answerDialogs has the browser's own questions answered with yes.
func (w *window) answerDialogs() {
	w.Helper()
	if err := chromedp.Listen(w.ctx, func(event any) {
		if _, ok := event.(*page.EventJavascriptDialogOpening); ok {
			go func() {
				_, err := chromedp.Call(w.ctx, page.HandleJavaScriptDialog, page.HandleJavaScriptDialogParams{Accept: true})
				if err != nil && w.ctx.Err() == nil {
					w.Error(err)
				}
			}()
		}
	}); err != nil {
		w.Fatal(err)
	}
}

// allow begins a login on the accounts page and allows it in the browser.
func (w *window) allow(p *place, button string) {
	w.Helper()
	w.do(chromedp.Navigate(p.link(w.T, "accounts")), chromedp.Click(button))
	now := p.until(w.T, "the login's page", func(s state.Snapshot) bool { return s.Login != nil && s.Login.URL != "" })
	w.do(chromedp.Navigate(now.Login.URL), chromedp.Click("#allow"))
}

// TestLoginsInWindow goes the other ways in: Bigmodel by loopback, paste, a key by hand,
// the ZCode app; and meets what can go wrong.
func TestLoginsInWindow(t *testing.T) {
	up := newProvider(t, platform.Options{})
	s := newSession(t)
	(&fakeWatcher{}).begin(t, s.bus)
	s.keyring()
	p := s.place("ZCODE_HOME=" + filepath.Join(s.home, "zcode"))
	p.configure(t, up.config("provider: bigmodel\nauth:\n  loginFlow: loopback\n"))
	p.start(t)
	base := p.running(t).BaseURL
	w := openWindow(t, p, "accounts")
	w.answerDialogs()

	w.allow(p, "#login-bigmodel")
	w.until("document.querySelector('#result')?.innerText === 'You are logged in'")
	w.picture("login-result")
	p.until(t, "Bigmodel's account", oneAccount)
	if code, text := ask(t, base, claude, "Hello"); code != http.StatusOK || len(up.credentials()) != 1 {
		t.Errorf("Bigmodel: %d %s", code, text)
	}

	// Denied: told, and nothing is changed.
	w.do(chromedp.Navigate(p.link(t, "accounts")), chromedp.Click("#login-zai"))
	now := p.until(t, "the login's page", func(s state.Snapshot) bool { return s.Login != nil && s.Login.URL != "" })
	w.do(chromedp.Navigate(now.Login.URL), chromedp.Click("#deny"))
	w.until("document.querySelector('#result')?.innerText === 'The login did not succeed'")
	now = p.until(t, "the end of the login", oneAccount)
	if problem, ok := now.Problem(state.ProblemAccount); !ok || !strings.Contains(strings.Join(problem.Details, " "), "The person said no") {
		t.Errorf("%+v", now.Problems)
	}

	// Paste: the browser cannot open the address, the person copies it.
	p.configure(t, strings.Replace(p.settings(t), "loopback", "paste", 1))
	waitFor(t, "the changed setting", func() bool { out, _ := p.run(t, "logs"); return strings.Contains(out, "changed settings are in force") })
	w.allow(p, "#login-zai")
	w.until("document.querySelector('#final') !== null")
	final := js[string](w, "document.querySelector('#final').innerText")
	w.do(chromedp.Navigate(p.link(t, "accounts")))
	w.until("document.querySelector('#pasted') !== null")
	paste := func(text string) {
		w.Helper()
		w.do(chromedp.SetValue("#pasted", text), chromedp.Click("#paste"))
	}
	paste("zcode://zai-auth/callback?code=x&state=of-another-login")
	w.until("document.querySelector('#login .wrong').innerText.includes('another login')")
	w.picture("accounts-paste")
	paste(final)
	p.until(t, "the pasted account", func(s state.Snapshot) bool { return len(s.Accounts) == 2 && s.Login == nil })

	// A second login while one waits, and its cancellation.
	w.do(chromedp.Navigate(p.link(t, "accounts")), chromedp.Click("#login-zai"))
	w.until("document.querySelector('#cancel-login') !== null")
	if code, text := w.postJSON("/api/login", `{"provider":"zai"}`); code != http.StatusConflict || !strings.Contains(text, "going on already") {
		t.Errorf("a second login: %d %s", code, text)
	}
	w.do(chromedp.Click("#cancel-login"))
	w.until("document.querySelector('#login-zai') !== null")

	// A key by hand: what is wrong with it is named.
	key := func(text string) {
		w.Helper()
		w.do(chromedp.SetValue("#key-provider", "zai"), chromedp.SetValue("#key", text), chromedp.Click("#key-save"))
	}
	key("just-some-text")
	w.until("document.querySelector('#key-wrong').innerText.includes('{id}.{secret}')")
	key(` "0123456789abcdef0123456789abcdef.byHandByHand0123" `)
	p.until(t, "the key's account", func(s state.Snapshot) bool { return len(s.Accounts) == 3 })
	if page := js[string](w, "document.documentElement.outerHTML"); strings.Contains(page, "byHandByHand0123") {
		t.Error("the page shows the key")
	}

	// The ZCode app: nothing there, then something.
	w.do(chromedp.Click("#import"))
	w.until("document.querySelector('#said').innerText.includes('there is no account of the ZCode app')")
	home := filepath.Join(s.home, "zcode", "v2", "config.json")
	text := `{"provider":{"builtin:zai-coding-plan":{"kind":"anthropic","enabled":true,"options":{"apiKey":"fedcba9876543210fedcba9876543210.ofTheZCodeApp001"},"models":{}}}}`
	write(t, home, text)
	w.do(chromedp.Click("#import"))
	now = p.until(t, "the app's account", func(s state.Snapshot) bool { return len(s.Accounts) == 4 })
	if got, err := os.ReadFile(home); err != nil || string(got) != text {
		t.Errorf("the app's file was changed: %v", err)
	}
	w.until("document.querySelectorAll('.card').length === 4")
	w.picture("accounts-four")
	w.look(400, "dark")
	w.picture("accounts-400-dark")
	w.noOverflow("accounts")
	w.look(1280, "light")

	// One alone, and all again.
	w.do(chromedp.Click(`.card[data-name="` + now.Accounts[3].Name + `"] .use`))
	w.until("document.querySelector('#pool').innerText.includes('alone')")
	now = p.until(t, "the one account", func(s state.Snapshot) bool { return s.Pool.Alone != "" && s.Pool.Size == 1 })
	if now.Provider != "zai" || !strings.Contains(p.settings(t), "account: ") {
		t.Errorf("provider %s; the file has\n%s", now.Provider, p.settings(t))
	}
	w.do(chromedp.Click("#use-all"))
	p.until(t, "all accounts", func(s state.Snapshot) bool { return s.Pool.Alone == "" && s.Pool.Size == 3 })
	// The refusals above are answers that the console tells of.
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, fault := range w.faults {
		if !strings.Contains(fault, "status of 409") && !strings.Contains(fault, "zcode:") {
			t.Error(fault)
		}
	}
}

// postJSON posts as a page does.
func (w *window) postJSON(path, body string) (int, string) {
	w.Helper()
	text := js[string](w, fmt.Sprintf(`(() => { const x = new XMLHttpRequest(); x.open("POST", %q, false); x.setRequestHeader("Content-Type", "application/json"); x.send(%q); return x.status + " " + x.responseText })()`, path, body))
	var code int
	_, err := fmt.Sscan(text, &code)
	if err != nil {
		w.Fatal(err)
	}
	return code, text
}

// TestStartPlan has the start plan answer through its check, passed in the browser: for
// a client of each dialect, once for each request.
func TestStartPlan(t *testing.T) {
	for name, o := range map[string]platform.Options{
		"messages":        {Captcha: true},
		"found by 404":    {Captcha: true, GatewayChat: true},
		"not told before": {Captcha: true, CaptchaHidden: true},
	} {
		t.Run(name, func(t *testing.T) {
			up := newProvider(t, o)
			s := newSession(t)
			(&fakeWatcher{}).begin(t, s.bus)
			p := s.place()
			p.configure(t, up.config("provider: zai\nplan: start-plan\n"))
			p.start(t)
			base := p.running(t).BaseURL
			w := openWindow(t, p, "accounts")
			w.allow(p, "#login-zai")
			w.until("document.querySelector('#done')?.innerText.includes('You are logged in')")
			p.until(t, "the account", oneAccount)
			w.do(chromedp.Navigate(p.link(t, "verify")))
			w.until("document.querySelector('#verify-state').innerText.includes('No request waits')")

			type answer struct {
				code int
				text string
			}
			for n, path := range []string{"/v1/messages", "/v1/messages", "/v1/chat/completions"} {
				done := make(chan answer, 1)
				go func() {
					code, text := askAt(t, base+path, "Hello")
					done <- answer{code, text}
				}()
				w.pass(p, n == 0 && name == "messages")
				a := <-done
				if a.code != http.StatusOK || !strings.Contains(a.text, "message_stop") && !strings.Contains(a.text, "[DONE]") {
					t.Errorf("%s: %d %s", path, a.code, a.text)
				}
			}
			w.clean()
		})
	}
}

// pass passes the checks that are asked for until none is.
func (w *window) pass(p *place, pictures bool) {
	w.Helper()
	p.until(w.T, "the check", func(s state.Snapshot) bool { return s.Check != nil })
	w.until("document.querySelector('#captcha-frame') !== null")
	if pictures {
		time.Sleep(4 * time.Second)
		w.picture("verify")
	}
	waitFor(w.T, "the check to be passed", func() bool {
		if now, err := p.status(w.T); err != nil || now.Check == nil {
			return err == nil
		}
		at := js[[]float64](w, "(() => { const r = document.querySelector('#captcha-frame')?.getBoundingClientRect(); return r ? [r.x, r.y] : [] })()")
		if len(at) == 2 {
			w.do(chromedp.MouseClickXY(at[0]+40, at[1]+16))
		}
		time.Sleep(300 * time.Millisecond)
		return false
	})
}

// askAt sends a prompt in the dialect of a path and returns the whole answer.
func askAt(t *testing.T, url, prompt string) (int, string) {
	body, err := json.Marshal(map[string]any{"model": "glm-4.6", "max_tokens": 100, "stream": true, "messages": []map[string]string{{"role": "user", "content": prompt}}})
	if err != nil {
		return 0, err.Error()
	}
	req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, url, bytes.NewReader(body))
	if err != nil {
		return 0, err.Error()
	}
	req.Header.Set("Content-Type", "application/json")
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return 0, err.Error()
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	if err != nil {
		return resp.StatusCode, err.Error()
	}
	return resp.StatusCode, string(text)
}
