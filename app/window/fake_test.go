package window

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/url"
	"os"
	"slices"
	"strings"
	"sync"
	"testing"

	"glmtray/app/history"
	"glmtray/app/journal"
	"glmtray/app/locale"
	"glmtray/app/settings"
	"glmtray/app/state"
)

// fakeApp is an application that notes what it is told. Its settings are real ones, in
// a file of their own if there is one.
type fakeApp struct {
	requests *history.Log
	lines    *journal.Lines
	options  settings.Options
	language string
	printers map[string]*locale.Printer

	mu       sync.Mutex // guards what follows
	calls    []string
	fault    error // of every intent
	snapshot state.Snapshot
	changed  chan struct{}
	loaded   settings.Loaded
	broken   error
}

func newFakeApp(t *testing.T, options settings.Options) *fakeApp {
	t.Helper()
	if options.Env == nil {
		home := t.TempDir()
		options.Env = func(name string) string { return map[string]string{"GLMTRAY_HOME": home, "HOME": home}[name] }
	}
	a := &fakeApp{requests: history.New(), lines: journal.New(), options: options, language: "en", changed: make(chan struct{})}
	a.printers = map[string]*locale.Printer{}
	for _, l := range locale.Languages() {
		p, err := locale.Load(l.Tag, os.Getenv)
		if err != nil {
			t.Fatal(err)
		}
		a.printers[l.Tag] = p
	}
	a.reload()
	if a.broken != nil {
		t.Fatal(a.broken)
	}
	a.snapshot = state.Snapshot{Version: "1.2.3", Phase: state.Running, Problems: []state.Problem{}, ConfigFile: a.loaded.WritePath()}
	return a
}

// reload puts in force what stands in the file, if that is good.
func (a *fakeApp) reload() {
	loaded, err := settings.Load(a.options)
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.broken = err; err == nil {
		a.loaded = loaded
	}
}

func (a *fakeApp) note(format string, args ...any) error {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.calls = append(a.calls, fmt.Sprintf(format, args...))
	return a.fault
}

func (a *fakeApp) took() []string {
	a.mu.Lock()
	defer a.mu.Unlock()
	calls := a.calls
	a.calls = nil
	return calls
}

func (a *fakeApp) Snapshot() state.Snapshot {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.snapshot
}

func (a *fakeApp) setPhase(p state.Phase) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.snapshot.Phase = p
	close(a.changed)
	a.changed = make(chan struct{})
}

func (a *fakeApp) Watch(ctx context.Context) <-chan state.Snapshot {
	out := make(chan state.Snapshot)
	go func() {
		defer close(out)
		for {
			a.mu.Lock()
			snapshot, changed := a.snapshot, a.changed
			a.mu.Unlock()
			select {
			case out <- snapshot:
			case <-ctx.Done():
				return
			}
			select {
			case <-changed:
			case <-ctx.Done():
				return
			}
		}
	}()
	return out
}

func (a *fakeApp) Exchanges() *history.Log   { return a.requests }
func (a *fakeApp) Journal() *journal.Lines   { return a.lines }
func (a *fakeApp) Dismiss(kind string)       { _ = a.note("dismiss %s", kind) }
func (a *fakeApp) Quit()                     { _ = a.note("quit") }
func (a *fakeApp) OpenFolder(w string) error { return a.note("folder %s", w) }

func (a *fakeApp) Printer() *locale.Printer { return a.printers[a.language] }

func (a *fakeApp) Loaded() (settings.Loaded, error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.loaded, a.broken
}

func (a *fakeApp) CheckSettings(changes []settings.Change) []settings.Problem {
	_ = a.note("check %d", len(changes))
	options := a.options
	for _, c := range changes {
		options.Flags = append(options.Flags, settings.Override{Key: c.Key, Value: c.Value})
	}
	_, err := settings.Load(options)
	var wrong *settings.Error
	if errors.As(err, &wrong) {
		return wrong.Problems
	}
	return nil
}

func (a *fakeApp) ChangeSettings(_ context.Context, changes []settings.Change) error {
	keys := []string{"change"}
	for _, c := range changes {
		keys = append(keys, c.Key)
	}
	if err := a.note("%s", strings.Join(keys, " ")); err != nil {
		return err
	}
	if err := settings.Set(a.Snapshot().ConfigFile, changes...); err != nil {
		return err
	}
	a.reload()
	return nil
}

func (a *fakeApp) StartProxy(context.Context) error { return a.note("start") }
func (a *fakeApp) StopProxy(context.Context) error  { return a.note("stop") }
func (a *fakeApp) UsePort(_ context.Context, port int) error {
	return a.note("port %d", port)
}
func (a *fakeApp) UseProvider(_ context.Context, provider string) error {
	return a.note("provider %s", provider)
}
func (a *fakeApp) UsePlan(_ context.Context, plan string) error { return a.note("plan %s", plan) }
func (a *fakeApp) SetAutostart(_ context.Context, enabled bool) error {
	return a.note("autostart %t", enabled)
}
func (a *fakeApp) SetLanguage(_ context.Context, language string) error {
	return a.note("language %s", language)
}

func (a *fakeApp) CopyText(what string) string {
	_ = a.note("copy %s", what)
	loaded, _ := a.Loaded()
	if what == "key" {
		return loaded.Settings.Auth.ProxyAPIKey.Reveal()
	}
	return "http://127.0.0.1:8080"
}

// visitor is a browser that was let in.
type visitor struct {
	*testing.T
	server *Server
	base   string
	cookie *http.Cookie
	client *http.Client
}

// visit starts a server and follows a link of it. The server ends with the test.
func visit(t *testing.T, app App, change ...func(*Server)) *visitor {
	t.Helper()
	s := New(app, Options{Version: "1.2.3", Log: slog.New(slog.DiscardHandler)})
	for _, f := range change {
		f(s)
	}
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	})
	link := mustLink(t, s, "")
	base, _, _ := strings.Cut(link, "/open")
	transport := &http.Transport{}
	t.Cleanup(transport.CloseIdleConnections)
	v := &visitor{T: t, server: s, base: base, client: &http.Client{
		Transport:     transport,
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}}
	resp, _ := v.do(http.MethodGet, link, "")
	if cookies := resp.Cookies(); resp.StatusCode == http.StatusSeeOther && len(cookies) == 1 {
		v.cookie = cookies[0]
		return v
	}
	t.Fatalf("the link was answered by %s, cookies %v", resp.Status, resp.Cookies())
	return nil
}

func mustLink(t *testing.T, s *Server, page string) string {
	t.Helper()
	link, err := s.Link(page)
	if err != nil {
		t.Fatal(err)
	}
	return link
}

// request makes a request as our own page would.
func (v *visitor) request(method, path, body string) *http.Request {
	v.Helper()
	if !strings.HasPrefix(path, "http") {
		path = v.base + path
	}
	r, err := http.NewRequestWithContext(v.Context(), method, path, strings.NewReader(body))
	if err != nil {
		v.Fatal(err)
	}
	if method == http.MethodPost {
		r.Header.Set("Content-Type", "application/json")
	}
	if v.cookie != nil {
		r.AddCookie(v.cookie)
	}
	return r
}

// send sends a request and reads the whole answer.
func (v *visitor) send(r *http.Request) (*http.Response, []byte) {
	v.Helper()
	resp, err := v.client.Do(r)
	if err != nil {
		v.Fatal(err)
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		v.Fatal(err)
	}
	return resp, body
}

func (v *visitor) do(method, path, body string) (*http.Response, []byte) {
	v.Helper()
	return v.send(v.request(method, path, body))
}

// json does a request that must be answered by a status, and returns its answer.
func (v *visitor) json(method, path, body string, status int) map[string]any {
	v.Helper()
	resp, answer := v.do(method, path, body)
	if resp.StatusCode != status {
		v.Fatalf("%s %s: %s, want %d: %s", method, path, resp.Status, status, answer)
	}
	if got := resp.Header.Get("Content-Type"); got != "application/json" {
		v.Fatalf("%s %s: Content-Type %s", method, path, got)
	}
	if got := resp.Header.Get("Cache-Control"); got != "no-store" {
		v.Errorf("%s %s: Cache-Control %s", method, path, got)
	}
	var out map[string]any
	decoder := json.NewDecoder(bytes.NewReader(answer))
	if err := decoder.Decode(&out); err != nil {
		v.Fatalf("%s %s: %v: %s", method, path, err, answer)
	}
	return out
}

// wantCalls holds that the application was told exactly this.
func wantCalls(t *testing.T, a *fakeApp, want ...string) {
	t.Helper()
	if got := a.took(); !slices.Equal(got, want) {
		t.Errorf("the application was told %q, want %q", got, want)
	}
}

func mustParse(t *testing.T, link string) *url.URL {
	t.Helper()
	u, err := url.Parse(link)
	if err != nil {
		t.Fatal(err)
	}
	return u
}

func (a *fakeApp) Login(_ context.Context, provider string) error {
	return a.note("login %s", provider)
}
func (a *fakeApp) CancelLogin() { _ = a.note("cancel login") }
func (a *fakeApp) PasteLogin(_ context.Context, text string) error {
	return a.note("paste %s", text)
}
func (a *fakeApp) AddKey(_ context.Context, provider, name, key string) error {
	return a.note("key %s %s %s", provider, name, key)
}
func (a *fakeApp) ImportZCode(context.Context) ([]string, error) {
	return []string{"a note"}, a.note("import")
}
func (a *fakeApp) RenameAccount(_ context.Context, old, name string) error {
	return a.note("rename %s %s", old, name)
}
func (a *fakeApp) Logout(_ context.Context, name string) error     { return a.note("logout %s", name) }
func (a *fakeApp) UseAccount(_ context.Context, name string) error { return a.note("account %s", name) }
func (a *fakeApp) ReadAccounts(context.Context)                    { _ = a.note("read accounts") }
func (a *fakeApp) PolicyLink() string                              { return "https://terms.example" }
func (a *fakeApp) Widget(context.Context) state.Widget {
	return state.Widget{Script: "https://widget.example/w.js", Region: "cn", Prefix: "p", SceneID: "s", LoadMS: 1000}
}
func (a *fakeApp) PassCheck(proof string) error { return a.note("proof %s", proof) }
