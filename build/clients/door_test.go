//go:build clients && unix

package clients

import (
	"encoding/json"
	"io"
	"maps"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
)

// startDoor starts an HTTP proxy for one client that leads to base and nowhere else, and says in the log who tried. What
// a client does beside its work (updates, telemetry, model lists) then stays on the machine whatever its settings say.
// Most clients go to a loopback address directly; Qwen Code goes there through its proxy too, whatever NO_PROXY says.
// It holds only who asks a proxy: door.cjs is for Node, which asks none.
func startDoor(t *testing.T, base string) string {
	inside := strings.TrimPrefix(base, "http://")
	door := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Method != http.MethodConnect || r.Host != inside {
			t.Logf("kept inside: %s %s", r.Method, r.Host)
			http.Error(w, "no way out of this test", http.StatusForbidden)
			return
		}
		if err := tunnel(w, inside); err != nil {
			t.Logf("tunnel to %s: %v", inside, err)
		}
	}))
	t.Cleanup(door.Close)
	return door.URL
}

// tunnel joins the connection under w with address until both sides are done.
func tunnel(w http.ResponseWriter, address string) error {
	far, err := net.Dial("tcp", address)
	if err != nil {
		http.Error(w, err.Error(), http.StatusBadGateway)
		return err
	}
	defer far.Close()
	near, buffered, err := http.NewResponseController(w).Hijack()
	if err != nil {
		return err
	}
	defer near.Close()
	if _, err := io.WriteString(near, "HTTP/1.1 200 Connection established\r\n\r\n"); err != nil {
		return err
	}
	var both sync.WaitGroup
	// A side that was closed by force ends the other one too; that is how clients go, and no error here.
	both.Go(func() { defer far.Close(); _, _ = io.Copy(far, buffered) })
	both.Go(func() { defer near.Close(); _, _ = io.Copy(near, far) })
	both.Wait()
	return nil
}

// nodeDoor returns the options that load door.cjs into a Node program.
func nodeDoor(t *testing.T) string {
	t.Helper()
	file, err := filepath.Abs("door.cjs")
	if err != nil {
		t.Fatal(err)
	}
	return `--require "` + file + `"`
}

// TestDoor holds the promise that nothing leaves the machine, for a client that asks its proxy and for one on Node that
// does not.
func TestDoor(t *testing.T) {
	base := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		if _, err := io.WriteString(w, "inside"); err != nil {
			t.Error(err)
		}
	}))
	defer base.Close()

	t.Run("proxy", func(t *testing.T) {
		door, err := url.Parse(startDoor(t, base.URL))
		if err != nil {
			t.Fatal(err)
		}
		client := http.Client{Transport: &http.Transport{Proxy: http.ProxyURL(door)}}
		defer client.CloseIdleConnections()
		// 192.0.2.0/24 is for examples (RFC 5737): nobody answers there.
		res, err := client.Get("http://192.0.2.1/")
		if err != nil {
			t.Fatal(err)
		}
		defer res.Body.Close()
		if res.StatusCode != http.StatusForbidden {
			t.Errorf("http://192.0.2.1 through the door: %s, want 403", res.Status)
		}
		if res, err := client.Get("https://192.0.2.1/"); err == nil {
			res.Body.Close()
			t.Errorf("https://192.0.2.1 through the door: %s, want an error", res.Status)
		}
	})
	t.Run("node", func(t *testing.T) { testNodeDoor(t, base.URL) })
}

// testNodeDoor tries each way on which Node opens a connection: to a name, which must not be looked up, and to base.
func testNodeDoor(t *testing.T, base string) {
	node, err := exec.LookPath("node")
	if err != nil {
		missing(t, "node is not installed")
	}
	const script = `
const [base] = process.argv.slice(1);
const tried = (connect) => new Promise((resolve) => {
  connect().on('error', (e) => resolve(e.message)).on('connect', () => resolve('connected'));
});
const fetched = (url) => fetch(url).then((r) => r.text(), (e) => e.cause.message);
const net = require('node:net'), tls = require('node:tls'), { port } = new URL(base);
(async () => console.log(JSON.stringify({
  fetch: await fetched('https://door.invalid/'),
  tls: await tried(() => tls.connect({ host: 'door.invalid', port: 443 })),
  net: await tried(() => net.connect(80, 'door.invalid')),
  socket: await tried(() => new net.Socket().connect(80, 'door.invalid')),
  fetchInside: await fetched(base),
  netInside: await tried(() => net.connect(port, '127.0.0.1').unref()),
})))();`
	cmd := exec.CommandContext(t.Context(), node, "-e", script, base)
	cmd.Env = []string{"PATH=" + os.Getenv("PATH"), "HOME=" + t.TempDir(), "NODE_OPTIONS=" + nodeDoor(t)}
	var stderr output
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("%v\n%s", err, stderr.Bytes())
	}
	var got map[string]string
	if err := json.Unmarshal(out, &got); err != nil {
		t.Fatalf("%v:\n%s", err, out)
	}
	const refused = "no way out of this test to door.invalid"
	want := map[string]string{
		"fetch": refused, "tls": refused, "net": refused, "socket": refused,
		"fetchInside": "inside", "netInside": "connected",
	}
	if !maps.Equal(got, want) {
		t.Errorf("connections from Node = %q, want %q", got, want)
	}
}
