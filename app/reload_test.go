package app

import (
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"glmtray/app/settings"
)

// somePort opens a port and returns it, as taken until the test ends or as free.
func somePort(t *testing.T, taken bool) string {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	if taken {
		t.Cleanup(func() { listener.Close() })
	} else {
		listener.Close()
	}
	_, port, err := net.SplitHostPort(listener.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	return port
}

// apply changes to a config file's text at once, without waiting for the watch.
func (f *fixture) apply(t *testing.T, text string) error {
	t.Helper()
	o := f.options.Settings
	o.Path = filepath.Join(t.TempDir(), "next.yaml")
	configure(t, o.Path, text)
	next, err := settings.Load(o)
	if err != nil {
		t.Fatal(err)
	}
	f.intent.Lock()
	defer f.intent.Unlock()
	return f.change(next)
}

const keyed = "auth:\n  proxyApiKey: the-key\n"

var withKey = []string{"X-Api-Key", "the-key"}

// TestWatch holds that changes of the file are found, good and bad ones.
func TestWatch(t *testing.T) {
	t.Parallel()
	f := run(t, demoConfig)
	if got := status(f.url); got != http.StatusOK {
		t.Fatal(got)
	}
	configure(t, f.file, demoConfig+keyed+"models: [a]\n")
	waitFor(t, "the key to be asked for", func() bool { return status(f.url) == http.StatusUnauthorized })
	f.logged(t, "changed settings are in force")
	f.logged(t, "models is not used")
	configure(t, f.file, demoConfig+"nonsense: 1\n")
	f.logged(t, "config.yaml:4:1: nonsense")
	if err := os.Remove(f.file); err != nil {
		t.Fatal(err)
	}
	f.logged(t, "does not exist")
	if got := status(f.url); got != http.StatusUnauthorized {
		t.Errorf("bad changes changed something: %d", got)
	}
}

// TestChangeOfUpstream holds that requests go where the settings of the moment say, and
// that one which runs ends as it began.
func TestChangeOfUpstream(t *testing.T) {
	t.Parallel()
	f := run(t, demoConfig)
	resp := post(t, f.url, "demo:long 60")
	begun(t, resp)
	if err := f.apply(t, "provider: custom\nserver:\n  port: 0\nproviders:\n  custom:\n    openaiBase: http://127.0.0.1:1\nretry:\n  maxRetries: 0\n"); err != nil {
		t.Fatal(err)
	}
	refused := post(t, f.url, "Hello", "X-Api-Key", ownKey)
	if text, _ := all(t, refused); refused.StatusCode != http.StatusBadGateway || !strings.Contains(text, "the custom provider could not be reached") {
		t.Errorf("%d %s", refused.StatusCode, text)
	}
	if err := f.apply(t, demoConfig); err != nil {
		t.Fatal(err)
	}
	if again := post(t, f.url, "Hello"); again.StatusCode != http.StatusOK {
		t.Errorf("back at the demo: %d", again.StatusCode)
	}
	if text, err := all(t, resp); err != nil || !strings.Contains(text, "word 60 ") || !strings.Contains(text, "message_stop") {
		t.Errorf("the stream: %v: %q", err, text)
	}
}

// TestChangeOfAddress holds that the program moves, and keeps the streams that came in
// at the old address.
func TestChangeOfAddress(t *testing.T) {
	t.Parallel()
	f := run(t, demoConfig)
	resp := post(t, f.url, "demo:long 60")
	begun(t, resp)
	there := somePort(t, false)
	if err := f.apply(t, "provider: demo\nserver:\n  port: "+there+"\n"); err != nil {
		t.Fatal(err)
	}
	if old, now := status(f.url), status("http://127.0.0.1:"+there); old != 0 || now != http.StatusOK {
		t.Errorf("%d at the old address, %d at the new one", old, now)
	}
	if text, err := all(t, resp); err != nil || !strings.Contains(text, "message_stop") {
		t.Errorf("the stream: %v: %q", err, text)
	}
	f.logged(t, "the address has changed")
}

// TestChangeOfHost holds that the port can be kept while the host changes, to one of
// which the old one is a part and back.
func TestChangeOfHost(t *testing.T) {
	t.Parallel()
	at := somePort(t, false)
	config := func(host string) string {
		return "provider: demo\nserver:\n  port: " + at + "\n  host: " + host + "\n" + keyed
	}
	f := run(t, config("127.0.0.1"))
	for _, host := range []string{"0.0.0.0", "127.0.0.1", "localhost"} {
		if err := f.apply(t, config(host)); err != nil {
			t.Fatal(err)
		}
		if got := status(f.url, withKey...); got != http.StatusOK {
			t.Errorf("at %s: %d", host, got)
		}
	}
}

// TestImpossibleChanges holds that a change of which a part is impossible changes
// nothing at all.
func TestImpossibleChanges(t *testing.T) {
	t.Parallel()
	at := somePort(t, false)
	old := "provider: demo\nserver:\n  port: " + at + "\n"
	f := run(t, old)
	impossible := map[string]string{
		"a port that is taken":       "  port: " + somePort(t, true) + "\n",
		"a host that does not exist": "  port: " + at + "\n  host: 192.0.2.1\n", // TEST-NET-1
	}
	// Somebody else has the port on another address, so that it is free on ours alone.
	// macOS has no second loopback address by itself.
	if other, err := net.Listen("tcp", "127.0.0.2:"+at); err == nil {
		defer other.Close()
		impossible["a host on which the port is taken"] = "  port: " + at + "\n  host: 0.0.0.0\n"
	}
	for name, server := range impossible {
		if err := f.apply(t, "provider: demo\nserver:\n"+server+keyed); err == nil || !strings.Contains(err.Error(), "the port cannot be opened") {
			t.Errorf("%s: %v", name, err)
		}
		if got := status(f.url); got != http.StatusOK {
			t.Errorf("after %s: %d", name, got)
		}
	}
	f.options.Settings.Flags = nil // that of the log's file, which is stronger than the config
	if err := f.apply(t, old+keyed+"logging:\n  file: "+filepath.Join(t.TempDir(), "no", "such.log")+"\n"); err == nil || !strings.Contains(err.Error(), "logging.file") {
		t.Errorf("an impossible log: %v", err)
	}
	elsewhere := filepath.Join(t.TempDir(), "elsewhere.log")
	if err := f.apply(t, "provider: demo\nserver:\n  port: "+somePort(t, true)+"\nlogging:\n  file: "+elsewhere+"\n"); err == nil {
		t.Error("a port that is taken, with another log: no error")
	}
	if got := status(f.url); got != http.StatusOK {
		t.Errorf("after impossible logs: %d", got)
	}
	f.log.Warn("still in the first file")
	f.logged(t, "still in the first file")
	if err := f.apply(t, old+keyed+"logging:\n  file: "+f.logFile+"\n"); err != nil || status(f.url) != http.StatusUnauthorized {
		t.Errorf("a good change after the bad ones: %v, %d", err, status(f.url))
	}
}
