package control

import (
	"context"
	"encoding/json"
	"errors"
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

	"glmtray/app/journal"
	"glmtray/app/state"
)

// holdVariable makes this test binary a process that holds the lock of a folder.
const holdVariable = "GLMTRAY_TEST_HOLD"

func TestMain(m *testing.M) {
	if dir := os.Getenv(holdVariable); dir != "" {
		instance, err := Acquire(dir)
		if err == nil {
			err = instance.Serve(&fake{})
		}
		fmt.Println(err)
		select {}
	}
	os.Exit(m.Run())
}

// fake is an application that notes what it is told.
type fake struct {
	mu    sync.Mutex
	calls []string
	lines *journal.Lines
	err   error
}

func (f *fake) note(call string) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.calls = append(f.calls, call)
	return f.err
}

func (f *fake) called() string {
	f.mu.Lock()
	defer f.mu.Unlock()
	return strings.Join(f.calls, " ")
}

func (f *fake) Snapshot() state.Snapshot {
	return state.Snapshot{PID: os.Getpid(), Phase: state.Running}
}
func (f *fake) StartProxy(context.Context) error { return f.note("start") }
func (f *fake) StopProxy(context.Context) error  { return f.note("stop") }
func (f *fake) OpenLink(page string) (string, error) {
	return "http://127.0.0.1/" + page, f.note("open")
}
func (f *fake) Quit()                   { _ = f.note("quit") }
func (f *fake) Journal() *journal.Lines { return f.lines }

// serve starts an instance, and returns the client that finds it.
func serve(t *testing.T, app App) (*Instance, *Client, string) {
	t.Helper()
	dir := filepath.Join(t.TempDir(), "state")
	instance, err := Acquire(dir)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { instance.Close() })
	if err := instance.Serve(app); err != nil {
		t.Fatal(err)
	}
	client, err := Find(dir)
	if err != nil {
		t.Fatal(err)
	}
	return instance, client, dir
}

func TestClient(t *testing.T) {
	app := &fake{lines: journal.New()}
	instance, c, dir := serve(t, app)
	ctx := t.Context()
	if s, err := c.Status(ctx); err != nil || s.PID != os.Getpid() || s.Phase != state.Running {
		t.Errorf("%+v %v", s, err)
	}
	if link, err := c.OpenLink(ctx, "log"); err != nil || link != "http://127.0.0.1/log" {
		t.Errorf("%s %v", link, err)
	}
	if err := errors.Join(c.Start(ctx), c.Stop(ctx), c.Quit(ctx)); err != nil {
		t.Error(err)
	}
	if app.called() != "open start stop quit" {
		t.Errorf("called: %s", app.called())
	}
	app.err = errors.New("port 8080 is taken")
	if err := c.Start(ctx); err == nil || err.Error() != "port 8080 is taken" {
		t.Errorf("%v", err)
	}
	if info, err := os.Stat(filepath.Join(dir, addressName)); err != nil || info.Mode().Perm()&0o077 != 0 {
		t.Errorf("the address may be read by others: %v %v", info.Mode(), err)
	}
	if _, err := Acquire(dir); !errors.Is(err, ErrTaken) {
		t.Errorf("a second instance: %v", err)
	}
	if err := instance.Close(); err != nil {
		t.Error(err)
	}
	if err := c.Wait(ctx); err != nil {
		t.Error(err)
	}
	if _, err := Find(dir); !errors.Is(err, ErrNotRunning) {
		t.Errorf("%v", err)
	}
	if err := c.Start(ctx); err == nil || !strings.Contains(err.Error(), "does not answer") {
		t.Errorf("%v", err)
	}
	if files, err := filepath.Glob(filepath.Join(dir, "*")); err != nil || len(files) != 1 {
		t.Errorf("left behind: %v %v", files, err)
	}
}

func TestLogs(t *testing.T) {
	app := &fake{lines: journal.New()}
	instance, c, _ := serve(t, app)
	for i := range 3 {
		app.lines.Put(journal.Line{Message: fmt.Sprint(i)})
	}
	var got []string
	collect := func(l journal.Line) error {
		got = append(got, l.Message)
		if l.Message == "8" {
			go instance.Close()
		}
		return nil
	}
	if err := c.Logs(t.Context(), false, collect); err != nil || strings.Join(got, "") != "012" {
		t.Errorf("%v %v", got, err)
	}
	got = nil
	go func() {
		for i := 3; i < 9; i++ {
			app.lines.Put(journal.Line{Message: fmt.Sprint(i)})
			time.Sleep(time.Millisecond)
		}
	}()
	if err := c.Logs(t.Context(), true, collect); err != nil || strings.Join(got, "") != "012345678" {
		t.Errorf("%v %v", got, err)
	}
	stop := errors.New("enough")
	if err := c.Logs(t.Context(), true, func(journal.Line) error { return stop }); err == nil {
		t.Error("the log of an instance that has gone")
	}
}

// TestGuard holds that nobody without the token gets in, and that nothing is changed by
// a GET.
func TestGuard(t *testing.T) {
	app := &fake{lines: journal.New()}
	_, c, _ := serve(t, app)
	for name, tc := range map[string]struct {
		method, path string
		change       func(*http.Request)
		status       int
	}{
		"no token":       {"POST", "/start", func(r *http.Request) { r.Header.Del("Authorization") }, 403},
		"wrong token":    {"POST", "/quit", func(r *http.Request) { r.Header.Set("Authorization", "Bearer "+strings.Repeat("0", 64)) }, 403},
		"token bare":     {"GET", "/status", func(r *http.Request) { r.Header.Set("Authorization", c.at.Token) }, 403},
		"another host":   {"POST", "/stop", func(r *http.Request) { r.Host = "evil.example" }, 403},
		"name of a host": {"GET", "/status", func(r *http.Request) { r.Host = "localhost" }, 403},
		"a web page":     {"POST", "/stop", func(r *http.Request) { r.Header.Set("Origin", "http://"+c.at.Address) }, 403},
		"a form":         {"POST", "/quit", func(r *http.Request) { r.Header.Set("Content-Type", "text/plain") }, 403},
		"GET":            {"GET", "/quit", func(*http.Request) {}, 405},
		"no such path":   {"GET", "/", func(*http.Request) {}, 404},
		"no JSON":        {"POST", "/start", func(r *http.Request) { r.Body = io.NopCloser(strings.NewReader("{")) }, 400},
		"unknown field":  {"POST", "/start", func(r *http.Request) { r.Body = io.NopCloser(strings.NewReader(`{"x":1}`)) }, 400},
		"too long": {"POST", "/start", func(r *http.Request) {
			r.Body = io.NopCloser(strings.NewReader(`{"page":"` + strings.Repeat("x", maxBodyBytes) + `"}`))
		}, 400},
	} {
		req, err := http.NewRequestWithContext(t.Context(), tc.method, "http://"+c.at.Address+tc.path, nil)
		if err != nil {
			t.Fatal(err)
		}
		req.Header.Set("Authorization", "Bearer "+c.at.Token)
		req.Header.Set("Content-Type", "application/json")
		tc.change(req)
		resp, err := c.http.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		resp.Body.Close()
		if resp.StatusCode != tc.status {
			t.Errorf("%s: status %d, want %d", name, resp.StatusCode, tc.status)
		}
	}
	if app.called() != "" {
		t.Errorf("called: %s", app.called())
	}
}

// TestProcesses holds that one process keeps another out as long as it lives, and that
// what it leaves behind when it is killed is no obstacle.
func TestProcesses(t *testing.T) {
	dir := t.TempDir()
	other := exec.Command(os.Args[0])
	other.Env = append(os.Environ(), holdVariable+"="+dir)
	out, err := other.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := other.Start(); err != nil {
		t.Fatal(err)
	}
	said := make([]byte, 100)
	if n, err := out.Read(said); err != nil || string(said[:n]) != "<nil>\n" {
		t.Fatalf("%s %v", said[:n], err)
	}
	if _, err := Acquire(dir); !errors.Is(err, ErrTaken) {
		t.Errorf("%v", err)
	}
	c, err := Find(dir)
	if err != nil {
		t.Fatal(err)
	}
	if s, err := c.Status(t.Context()); err != nil || s.PID != other.Process.Pid {
		t.Errorf("%+v %v", s, err)
	}
	if err := other.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	_ = other.Wait() // it was killed
	if _, err := os.Stat(filepath.Join(dir, addressName)); err != nil {
		t.Fatal("the test needs what the dead process left")
	}
	if _, err := Find(dir); !errors.Is(err, ErrNotRunning) {
		t.Errorf("%v", err)
	}
	instance, err := Acquire(dir)
	if err != nil {
		t.Fatal(err)
	}
	if err := instance.Close(); err != nil {
		t.Error(err)
	}
}

// TestBadAddress is files and servers that are not ours.
func TestBadAddress(t *testing.T) {
	dir := t.TempDir()
	instance, err := Acquire(dir)
	if err != nil {
		t.Fatal(err)
	}
	defer instance.Close()
	if _, err := Find(dir); !errors.Is(err, ErrNotRunning) {
		t.Errorf("without an address: %v", err)
	}
	foreign := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, "<html>") }))
	defer foreign.Close()
	good, err := json.Marshal(address{Address: foreign.Listener.Addr().String(), Token: "t", PID: 1})
	if err != nil {
		t.Fatal(err)
	}
	for text, want := range map[string]string{
		"":                          "damaged",
		"{":                         "damaged",
		`{"address":"127.0.0.1:1"}`: "damaged",
		`{"address":"evil.example:80","token":"t"}`: "damaged",
		strings.Repeat(" ", maxAddressBytes+1):      "too large",
		string(good):                                "",
	} {
		if err := os.WriteFile(filepath.Join(dir, addressName), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		c, err := Find(dir)
		if want != "" {
			if err == nil || !strings.Contains(err.Error(), want) {
				t.Errorf("%q: %v", text, err)
			}
			continue
		}
		if _, err := c.Status(t.Context()); err == nil || !strings.Contains(err.Error(), "is not GLM Tray") {
			t.Errorf("a foreign server: %v", err)
		}
	}
}

func TestAcquireSaysWhyNot(t *testing.T) {
	file := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := Acquire(filepath.Join(file, "below")); err == nil || errors.Is(err, ErrTaken) {
		t.Errorf("%v", err)
	}
}
