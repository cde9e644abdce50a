package proxy

import (
	"bytes"
	"context"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"sync"
	"testing"
	"time"

	"glmtray/proxy/llm"
	"glmtray/proxy/secret"
	"glmtray/proxy/upstream"
)

// testKey is the credential that goes upstream in these tests.
const testKey = "0123456789abcdef0123456789abcdef.SECRETsecretSECRET"

// serveUpstream runs an upstream and returns its base.
func serveUpstream(t testing.TB, handler http.HandlerFunc) string {
	t.Helper()
	server := httptest.NewServer(handler)
	t.Cleanup(server.Close)
	return server.URL
}

// models is the built-in list.
func models(t testing.TB) upstream.Models {
	t.Helper()
	data, err := os.ReadFile("../assets/models.json")
	if err != nil {
		t.Fatal(err)
	}
	list, err := upstream.ParseModels(data)
	if err != nil {
		t.Fatal(err)
	}
	return list
}

// newServer returns a proxy in front of the custom provider's bases. change may be
// nil.
func newServer(t testing.TB, bases upstream.Bases, change func(*Config)) *Server {
	t.Helper()
	u, _ := upstream.Lookup("custom", "coding-plan", bases)
	u.Name, u.GLM, u.Models = "Z.AI", true, models(t)
	u.Target.DefaultMaxTokens, u.Target.CacheLastBlock = 32000, true
	u.Identity.Profile, u.Identity.Version = upstream.ProfileNone, "test"
	transport := upstream.NewTransport()
	t.Cleanup(transport.CloseIdleConnections)
	c := Config{
		Upstream: u, Transport: transport, Version: "test",
		Retry: upstream.Retry{Max: 3, Base: time.Millisecond},
		Credential: func(context.Context, Ask) (upstream.Lease, *llm.Error) {
			return upstream.Lease{Credential: secret.New(testKey)}, nil
		},
	}
	if change != nil {
		change(&c)
	}
	return New(c)
}

// serveProxy runs a proxy and returns its address.
func serveProxy(t testing.TB, bases upstream.Bases, change func(*Config)) string {
	t.Helper()
	server := httptest.NewServer(newServer(t, bases, change))
	t.Cleanup(server.Close)
	return server.URL
}

// plain is a client that asks for no compression and undoes none.
var plain = &http.Client{Transport: &http.Transport{DisableCompression: true, MaxIdleConnsPerHost: 64}}

// post sends a request and reads the whole answer.
func post(t testing.TB, url string, header http.Header, body []byte) (*http.Response, []byte) {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, url, bytes.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Content-Type", "application/json")
	for name, values := range header {
		req.Header[name] = values
	}
	return do(t, req)
}

func get(t testing.TB, url string, header http.Header) (*http.Response, []byte) {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, url, nil)
	if err != nil {
		t.Fatal(err)
	}
	for name, values := range header {
		req.Header[name] = values
	}
	return do(t, req)
}

func do(t testing.TB, req *http.Request) (*http.Response, []byte) {
	t.Helper()
	resp, err := plain.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	answer, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatalf("after %q: %v", answer, err)
	}
	return resp, answer
}

// journal collects log lines; it may be written to concurrently.
type journal struct {
	mu  sync.Mutex
	buf bytes.Buffer
}

// Write implements io.Writer.
func (j *journal) Write(p []byte) (int, error) {
	j.mu.Lock()
	defer j.mu.Unlock()
	return j.buf.Write(p)
}

// String returns what was logged so far.
func (j *journal) String() string {
	j.mu.Lock()
	defer j.mu.Unlock()
	return j.buf.String()
}

func (j *journal) logger() *slog.Logger {
	return slog.New(slog.NewTextHandler(j, &slog.HandlerOptions{Level: slog.LevelDebug}))
}
