package app

import (
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"glmtray/app/settings"
)

// patience is how long a test waits for something that takes milliseconds.
const patience = 30 * time.Second

// fixture is an application that runs from a config file of its own and sees nothing of
// the machine's environment.
type fixture struct {
	*App
	options Options
	file    string // the config file
	logFile string
	url     string
	stop    context.CancelFunc // ends Run's context
	ended   chan error         // gets what Run returned
}

// load returns options for a config file with this text. The log goes to a file, so
// that tests can read it.
func load(t *testing.T, text string) (Options, string) {
	t.Helper()
	dir := t.TempDir()
	file, logFile := filepath.Join(dir, "config.yaml"), filepath.Join(dir, "glmtray.log")
	configure(t, file, text)
	env := map[string]string{"GLMTRAY_HOME": dir}
	return Options{
		Settings: settings.Options{
			Path: file, Env: func(name string) string { return env[name] },
			Flags: []settings.Override{{Key: "logging.file", Value: logFile, Flag: "--log"}},
		},
		Version: "test",
	}, logFile
}

func configure(t *testing.T, file, text string) {
	t.Helper()
	if err := os.WriteFile(file+".new", []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Rename(file+".new", file); err != nil {
		t.Fatal(err)
	}
}

// demoConfig is the built-in upstream on a free port.
const demoConfig = "provider: demo\nserver:\n  port: 0\n"

// run starts an application, and stops it when the test is over.
func run(t *testing.T, text string) *fixture {
	t.Helper()
	f := &fixture{ended: make(chan error, 1)}
	f.options, f.logFile = load(t, text)
	f.file = f.options.Settings.Path
	ready := make(chan string, 1)
	f.options.Ready = func(url string) { ready <- url }
	var err error
	if f.App, err = New(f.options); err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(context.Background())
	f.stop = stop
	go func() { f.ended <- f.Run(ctx) }()
	select {
	case f.url = <-ready:
	case err := <-f.ended:
		t.Fatalf("it did not start: %v", err)
	}
	t.Cleanup(func() {
		stop()
		f.Abort()
		select {
		case err := <-f.ended:
			if err != nil {
				t.Errorf("Run: %v", err)
			}
		case <-time.After(patience):
			t.Error("Run does not return")
		}
		if t.Failed() {
			t.Logf("the log:\n%s", read(t, f.logFile))
		}
	})
	return f
}

// wait waits for Run's end.
func (f *fixture) wait(t *testing.T) error {
	t.Helper()
	select {
	case err := <-f.ended:
		f.ended <- nil // for the cleanup
		return err
	case <-time.After(patience):
		t.Fatal("Run does not return")
		return nil
	}
}

// logged waits until the log says something.
func (f *fixture) logged(t *testing.T, text string) {
	t.Helper()
	waitFor(t, "the log to say "+text, func() bool { return strings.Contains(read(t, f.logFile), text) })
}

func waitFor(t *testing.T, what string, holds func() bool) {
	t.Helper()
	for deadline := time.Now().Add(patience); !holds(); time.Sleep(5 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("waited in vain for %s", what)
		}
	}
}

var client = &http.Client{Transport: &http.Transport{DisableKeepAlives: true}, Timeout: patience}

// post asks for a streamed answer.
func post(t *testing.T, url, prompt string, header ...string) *http.Response {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, url+"/v1/messages", strings.NewReader(
		`{"model":"glm-4.6","max_tokens":100000,"stream":true,"messages":[{"role":"user","content":"`+prompt+`"}]}`))
	if err != nil {
		t.Fatal(err)
	}
	for i := 0; i < len(header); i += 2 {
		req.Header.Set(header[i], header[i+1])
	}
	resp, err := client.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { resp.Body.Close() })
	return resp
}

// status asks, and returns the status of the answer; 0: nobody answered.
func status(url string, header ...string) int {
	req, err := http.NewRequest(http.MethodGet, url+"/v1/models", nil)
	if err != nil {
		return 0
	}
	for i := 0; i < len(header); i += 2 {
		req.Header.Set(header[i], header[i+1])
	}
	resp, err := client.Do(req)
	if err != nil {
		return 0
	}
	defer resp.Body.Close()
	return resp.StatusCode
}

// all reads an answer to its end.
func all(t *testing.T, resp *http.Response) (string, error) {
	t.Helper()
	text, err := io.ReadAll(resp.Body)
	return string(text), err
}

// begun reads the first bytes of an answer.
func begun(t *testing.T, resp *http.Response) {
	t.Helper()
	if _, err := io.ReadFull(resp.Body, make([]byte, 100)); err != nil {
		t.Fatal(err)
	}
}

func TestNewRefuses(t *testing.T) {
	var wrong *settings.Error
	options, _ := load(t, "provder: zai\n")
	if a, err := New(options); a != nil || !errors.As(err, &wrong) {
		t.Errorf("a wrong file: %v", err)
	}
	options, _ = load(t, demoConfig)
	options.Settings.Flags = []settings.Override{{Key: "logging.file", Value: filepath.Join(t.TempDir(), "no", "such.log")}}
	if a, err := New(options); a != nil || err == nil || errors.As(err, &wrong) {
		t.Errorf("an impossible log: %v", err)
	}
}

func TestRun(t *testing.T) {
	t.Parallel()
	f := run(t, demoConfig+"models: [a]\n")
	resp := post(t, f.url, "demo:long 20")
	begun(t, resp)
	f.stop()
	if text, err := all(t, resp); err != nil || !strings.Contains(text, "word 20 ") || !strings.Contains(text, "message_stop") {
		t.Errorf("%v: %q", err, text)
	}
	if err := f.wait(t); err != nil {
		t.Error(err)
	}
	if status(f.url) != 0 {
		t.Error("the port is still open")
	}
	// The note on the key that is not used, the end, and the request.
	for _, text := range []string{"models is not used", "stopping; running requests may finish", "requests=1", "msg=request", "status=200"} {
		f.logged(t, text)
	}
}

func TestRunCannotStart(t *testing.T) {
	t.Parallel()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer listener.Close()
	_, port, _ := net.SplitHostPort(listener.Addr().String())
	options, _ := load(t, "provider: demo\nserver:\n  port: "+port+"\n")
	options.Ready = func(string) { t.Error("it says that it is ready") }
	a, err := New(options)
	if err != nil {
		t.Fatal(err)
	}
	if err := a.Run(t.Context()); err == nil || !strings.Contains(err.Error(), port) || !strings.Contains(err.Error(), "--port") {
		t.Errorf("%v", err)
	}
}

// TestAbort holds that requests are cut, and their clients told, whether or not the
// context has ended before.
func TestAbort(t *testing.T) {
	t.Parallel()
	for name, first := range map[string]func(*fixture){
		"running":  func(*fixture) {},
		"stopping": func(f *fixture) { f.stop() },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			f := run(t, demoConfig)
			resp := post(t, f.url, "demo:long 100000")
			begun(t, resp)
			first(f)
			f.Abort()
			if err := f.wait(t); err != nil {
				t.Error(err)
			}
			if text, err := all(t, resp); err == nil && !strings.Contains(text, "event: error") || strings.Contains(text, "message_stop") {
				t.Errorf("%v: %q", err, text)
			}
			if status(f.url) != 0 {
				t.Error("the port is still open")
			}
			f.logged(t, "status=499")
		})
	}
}

// TestGrace holds that streams which outlast the grace period are cut.
func TestGrace(t *testing.T) {
	t.Parallel()
	f := run(t, demoConfig+"limits:\n  graceSeconds: 0\n")
	resp := post(t, f.url, "demo:long 100000")
	begun(t, resp)
	f.stop()
	if err := f.wait(t); err != nil {
		t.Error(err)
	}
	if text, err := all(t, resp); err == nil && !strings.Contains(text, "event: error") || strings.Contains(text, "message_stop") {
		t.Errorf("%v: %q", err, text)
	}
	f.logged(t, "the grace period is over")
}

// TestStuckClient holds that a client that reads nothing cannot keep Run from its end.
func TestStuckClient(t *testing.T) {
	t.Parallel()
	f := run(t, demoConfig)
	begun(t, post(t, f.url, "demo:big 16384"))
	f.Abort()
	if err := f.wait(t); err != nil {
		t.Error(err)
	}
}

// accepts is a listener of which only Accept and Addr are used.
type accepts struct {
	net.Listener
	err  error
	addr net.Addr
}

func (l accepts) Accept() (net.Conn, error) { return nil, l.err }
func (l accepts) Close() error              { return nil }
func (l accepts) Addr() net.Addr            { return l.addr }

// TestServeTellsFaults holds that only the end by a fault is told, and that one is
// enough.
func TestServeTellsFaults(t *testing.T) {
	options, _ := load(t, demoConfig)
	a, err := New(options)
	if err != nil {
		t.Fatal(err)
	}
	defer a.sink.Close()
	fault, d := errors.New("fault"), &door{server: &http.Server{}}
	a.serve(d, accepts{err: net.ErrClosed})
	for range 3 {
		a.serve(d, accepts{err: fault})
	}
	if got := <-a.faults; got != fault {
		t.Errorf("%v", got)
	}
}

func TestBaseURL(t *testing.T) {
	for address, want := range map[string]string{
		"127.0.0.1:80": "http://127.0.0.1:80", "[::1]:80": "http://[::1]:80", "192.0.2.1:80": "http://192.0.2.1:80",
		"0.0.0.0:80": "http://127.0.0.1:80", "[::]:80": "http://127.0.0.1:80",
	} {
		addr, err := net.ResolveTCPAddr("tcp", address)
		if err != nil {
			t.Fatal(err)
		}
		if got := baseURL(accepts{addr: addr}); got != want {
			t.Errorf("%s: %s, want %s", address, got, want)
		}
	}
}
