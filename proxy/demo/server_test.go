package demo

import (
	"bytes"
	"context"
	"errors"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"
)

func do(t *testing.T, method, url, body string, header http.Header) (*http.Response, string) {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), method, url, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	if header != nil {
		req.Header = header
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	raw, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return resp, string(raw)
}

const (
	hello    = `{"model":"m","messages":[{"role":"user","content":"hi"}]}`
	notFound = `{"timestamp":"2026-10-01T12:00:00.000+00:00","status":404,"error":"Not Found","path":`
)

func TestRoutes(t *testing.T) {
	server := serve(t, Options{Now: noon})
	tests := []struct {
		method, path string
		status       int
		want         string
	}{
		{"GET", "/", 200, "demo:tool NAME {json}"},
		{"GET", "/_demo", 200, "demo:cut"},
		{"HEAD", "/", 200, ""},
		{"POST", "/", 405, `"error":"Method Not Allowed","path":"/"}`},
		{"GET", "/api/coding/paas/v4/models", 200, `{"object":"list","data":[{"id":"glm-4.5","object":"model","created":1786665600,"owned_by":"z-ai"},`},
		{"GET", "/api/anthropic/v1/models", 200, `"glm-5.3-flash"`},
		{"POST", "/v1/models", 405, ""},
		{"GET", "/api/coding/paas/v4/v1/models", 404, notFound + `"/api/coding/paas/v4/v1/models"}`},
		{"POST", "/v1/v1/messages", 404, ""},
		{"POST", "/api/anthropic/v1/messages", 200, `"type":"message"`},
		{"POST", "/v1/messages?beta=true", 200, `"type":"message"`},
		{"POST", "/v1/messages/", 200, `"type":"message"`},
		{"POST", "/messages", 200, `"type":"message"`},
		{"POST", "/v1/chat/completions", 200, `"finish_reason":"stop"`},
		{"POST", "/api/coding/paas/v4/chat/completions", 200, `"finish_reason":"stop"`},
		{"GET", "/v1/messages", 405, ""},
		{"DELETE", "/v1/chat/completions", 405, ""},
		{"POST", "/v1/messages/count_tokens", 404, notFound},
		{"POST", "/v1/responses", 404, notFound},
		{"GET", "/nowhere", 404, notFound},
	}
	for _, test := range tests {
		resp, body := do(t, test.method, server.URL+test.path, hello, nil)
		if resp.StatusCode != test.status || !strings.Contains(body, test.want) {
			t.Errorf("%s %s: %d %.200s\nwant %d %s", test.method, test.path, resp.StatusCode, body, test.status, test.want)
		}
	}
}

func TestCredentials(t *testing.T) {
	const key = "id.secret"
	server := serve(t, Options{Key: key})
	tests := []struct {
		path, header, value string
		status              int
		want                string
	}{
		{"/v1/messages", "X-Api-Key", key, 200, ""},
		{"/v1/messages", "Authorization", "Bearer " + key, 200, ""},
		{"/v1/messages", "X-Api-Key", "other", 401, `{"error":{"message":"token expired or incorrect","type":"401"}}`},
		{"/v1/messages", "X-Other", key, 401, `{"error":{"message":"token expired or incorrect","type":"401"}}`},
		{"/v1/chat/completions", "Authorization", "bearer " + key, 200, ""},
		{"/v1/chat/completions", "Authorization", key, 401, `"code":"1001"`},
		{"/v1/chat/completions", "Authorization", "Bearer other", 401, `"code":"1002"`},
		{"/v1/chat/completions", "X-Api-Key", key, 401, `"code":"1001"`},
	}
	for _, test := range tests {
		resp, body := do(t, "POST", server.URL+test.path, hello, http.Header{test.header: {test.value}})
		if resp.StatusCode != test.status || !strings.Contains(body, test.want) || strings.Contains(body, key) {
			t.Errorf("%s %s: %d %s", test.path, test.header, resp.StatusCode, body)
		}
	}
	for path, status := range map[string]int{"/api/coding/paas/v4/models": 401, "/api/anthropic/v1/models": 200} {
		if resp, body := do(t, "GET", server.URL+path, "", nil); resp.StatusCode != status {
			t.Errorf("%s: %d %s", path, resp.StatusCode, body)
		}
	}
	if resp, _ := do(t, "GET", server.URL+"/v1/models", "", http.Header{"Authorization": {"Bearer " + key}}); resp.StatusCode != 200 {
		t.Errorf("models with the key: %d", resp.StatusCode)
	}
}

func TestValidation(t *testing.T) {
	server := serve(t, Options{})
	user := `"messages":[{"role":"user","content":"hi"}]`
	tests := []struct{ name, messages, chat, code, field string }{
		{"empty body", ``, ``, "1214", "body"},
		{"not JSON", `{"model"`, `hello`, "1214", "body"},
		{"an array", `[]`, `[]`, "1214", "body"},
		{"more behind", hello + "x", hello + "{}", "1214", "body"},
		{"null", `null`, `null`, "1213", "model"},
		{"no model", `{` + user + `}`, `{` + user + `}`, "1213", "model"},
		{"model is a number", `{"model":5,` + user + `}`, `{"model":5,` + user + `}`, "1214", "model"},
		{"no messages", `{"model":"m"}`, `{"model":"m"}`, "1213", "messages"},
		{"empty messages", `{"model":"m","messages":[]}`, `{"model":"m","messages":[]}`, "1213", "messages"},
		{"messages is an object", `{"model":"m","messages":{}}`, `{"model":"m","messages":{}}`, "1214", "messages"},
		{"stream is a string", `{"model":"m","stream":"yes",` + user + `}`, `{"model":"m","stream":"yes",` + user + `}`, "1214", "stream"},
		{"stop is a number", `{"model":"m","stop_sequences":1,` + user + `}`, `{"model":"m","stop":1,` + user + `}`, "1214", ""},
		{"unknown role", `{"model":"m","messages":[{"role":"wizard","content":"hi"}]}`, `{"model":"m","messages":[{"role":"wizard","content":"hi"}]}`, "1214", "messages.role"},
		{"content is a number", `{"model":"m","messages":[{"role":"user","content":7}]}`, `{"model":"m","messages":[{"role":"user","content":7}]}`, "1214", "messages.content"},
		{"part is a string", `{"model":"m","messages":[{"role":"user","content":["hi"]}]}`, `{"model":"m","messages":[{"role":"user","content":["hi"]}]}`, "1214", "messages.content"},
		{"bad tool result", `{"model":"m","messages":[{"role":"user","content":[{"type":"tool_result","content":7}]}]}`, `{"model":"m","messages":[{"role":"tool","content":7}]}`, "1214", "messages.content"},
		{"only a system message", `{"model":"m","messages":[{"role":"system","content":"hi"}]}`, `{"model":"m","messages":[{"role":"developer","content":"hi"}]}`, "1214", "messages"},
		{"only the assistant", `{"model":"m","messages":[{"role":"assistant","content":"hi"}]}`, `{"model":"m","messages":[{"role":"assistant","content":"hi"}]}`, "1214", "messages"},
		{"empty content", `{"model":"m","messages":[{"role":"user","content":""}]}`, `{"model":"m","messages":[{"role":"user","content":null}]}`, "1214", "messages"},
		{"system is a number", `{"model":"m","system":1,` + user + `}`, `{"model":"m"}`, "", "system"},
		{"temperature", `{"model":"m","temperature":1.5,` + user + `}`, `{"model":"m","temperature":1.5,` + user + `}`, "1210", ""},
		{"max_tokens", `{"model":"m","max_tokens":0,` + user + `}`, `{"model":"m","max_tokens":-1,` + user + `}`, "1214", "max_tokens"},
	}
	for _, test := range tests {
		for _, l := range []lane{lanes[0], lanes[2]} {
			h := l.post(t, server, l.pick(test.messages, test.chat), nil)
			if h.status != http.StatusBadRequest || !strings.Contains(h.body, `"code":"`+test.code) || l.messages && !strings.Contains(h.body, test.field) {
				t.Errorf("%s, %s: %d %s, want %s about %q", l.name, test.name, h.status, h.body, test.code, test.field)
			}
		}
	}
}

// TestAccepted holds that what clients really send is taken.
func TestAccepted(t *testing.T) {
	server := serve(t, Options{})
	for _, test := range []struct{ messages, chat string }{
		{`{"model":"m","stream":null,"system":null,"tools":null,"thinking":null,"messages":[{"role":"user","content":"hi"}],"unheard_of":{"a":[1]}}`,
			`{"model":"m","stream":null,"stop":null,"tools":null,"stream_options":null,"messages":[{"role":"user","content":"hi"}],"unheard_of":1}`},
		{`{"model":"m","system":[{"type":"text","text":"be kind","cache_control":{"type":"ephemeral"}}],"messages":[{"role":"user","content":[{"type":"text","text":"hi"}]}]}`,
			`{"model":"m","stop":"never","messages":[{"role":"system","content":[{"type":"text","text":"be kind"}]},{"role":"user","content":[{"type":"text","text":"hi"}]}]}`},
		{`{"model":"m","messages":[{"role":"user","content":"x"},{"role":"assistant","content":[{"type":"thinking","thinking":"t","signature":"s"},{"type":"text","text":"y"}]},{"role":"user","content":"hi"}]}`,
			`{"model":"m","messages":[{"role":"user","content":"x"},{"role":"assistant","content":"","reasoning_content":"t"},{"role":"user","content":"hi"}]}`},
	} {
		for _, l := range []lane{lanes[0], lanes[2]} {
			if h := l.post(t, server, l.pick(test.messages, test.chat), nil); h.status != 200 || !strings.Contains(h.text, "“hi”") {
				t.Errorf("%s: %d %s", l.name, h.status, h.body)
			}
		}
	}
}

func TestBodies(t *testing.T) {
	server := serve(t, Options{})
	for _, l := range []lane{lanes[0], lanes[2]} {
		h := l.post(t, server, hello, http.Header{"Content-Encoding": {"zstd"}})
		if h.status != 400 || !strings.Contains(h.body, `"code":"1210"`) {
			t.Errorf("compressed: %d %s", h.status, h.body)
		}
		if h := l.post(t, server, hello, http.Header{"Content-Encoding": {"identity"}}); h.status != 200 {
			t.Errorf("identity: %d %s", h.status, h.body)
		}
	}
	for want, body := range map[string]io.Reader{
		`"code":"1261"`: io.LimitReader(endless{}, maxBody+1),
		`"code":"1214"`: io.MultiReader(strings.NewReader("{"), failing{}),
	} {
		w := httptest.NewRecorder()
		New(Options{}).ServeHTTP(w, httptest.NewRequestWithContext(t.Context(), "POST", "/v1/messages", body))
		if w.Code != 400 || !strings.Contains(w.Body.String(), want) {
			t.Errorf("got %d %s, want %s", w.Code, w.Body, want)
		}
	}
}

type endless struct{}

func (endless) Read(p []byte) (int, error) { return len(p), nil }

type failing struct{}

func (failing) Read([]byte) (int, error) { return 0, errors.New("broken") }

func TestStart(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	base, err := Start(ctx, Options{Pace: time.Millisecond})
	if err != nil {
		t.Fatal(err)
	}
	if !strings.HasPrefix(base, "http://127.0.0.1:") || strings.HasSuffix(base, "/") {
		t.Errorf("base URL %q", base)
	}
	if resp, body := do(t, "POST", base+"/v1/messages", hello, nil); resp.StatusCode != 200 {
		t.Errorf("%d %s", resp.StatusCode, body)
	}

	// An answer that runs when ctx ends is broken off, and nobody listens any more.
	long := `{"model":"m","stream":true,"messages":[{"role":"user","content":"demo:long 9000"}]}`
	resp, err := http.Post(base+"/v1/messages", "application/json", strings.NewReader(long))
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	if _, err := resp.Body.Read(make([]byte, 1)); err != nil {
		t.Fatal(err)
	}
	cancel()
	if rest, err := io.ReadAll(resp.Body); err == nil || bytes.Contains(rest, []byte("message_stop")) {
		t.Errorf("the answer went on for %d bytes, error %v", len(rest), err)
	}
	if resp, err := http.Get(base + "/"); err == nil {
		resp.Body.Close()
		t.Error("the server still answers")
	}
}

// goneWriter is a client that has left.
type goneWriter struct{ *httptest.ResponseRecorder }

func (goneWriter) Write([]byte) (int, error) { return 0, errors.New("gone") }

func TestClientLeaves(t *testing.T) {
	var log lockedBuffer
	server := New(Options{Log: slog.New(slog.NewTextHandler(&log, &slog.HandlerOptions{Level: slog.LevelDebug}))})
	for _, body := range []string{hello, strings.Replace(hello, `"model"`, `"stream":true,"model"`, 1), "{}"} {
		for _, path := range []string{"/v1/messages", "/v1/chat/completions"} {
			r := httptest.NewRequestWithContext(t.Context(), "POST", path, strings.NewReader(body))
			server.ServeHTTP(goneWriter{httptest.NewRecorder()}, r)
		}
	}
	if !strings.Contains(log.String(), "the client left") || strings.Contains(log.String(), "hi") {
		t.Errorf("log: %s", log.String())
	}

	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	for _, prompt := range []string{"hi", "demo:slow", "demo:long 0"} {
		body := `{"model":"m","stream":true,"messages":[{"role":"user","content":"` + prompt + `"}]}`
		w := httptest.NewRecorder()
		server.ServeHTTP(w, httptest.NewRequestWithContext(ctx, "POST", "/v1/messages", strings.NewReader(body)))
		if strings.Contains(w.Body.String(), "message_stop") {
			t.Errorf("%s is answered to nobody: %s", prompt, w.Body)
		}
	}
}

type lockedBuffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (l *lockedBuffer) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.Write(p)
}

func (l *lockedBuffer) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.String()
}

func TestConcurrentUse(t *testing.T) {
	server := serve(t, Options{Pace: time.Microsecond})
	var wg sync.WaitGroup
	for i := range 40 {
		wg.Go(func() {
			l := lanes[i%len(lanes)]
			if h := l.say(t, server, "hello demo:429 1"); h.status != 200 && h.status != 429 {
				t.Errorf("%+v", h)
			}
			if h := l.say(t, server, "demo:long 50"); !h.ended {
				t.Errorf("%+v", h)
			}
		})
	}
	wg.Wait()
}

// FuzzAnswer sends bodies to both formats: whatever they hold, there is an answer, and no crash but the wanted one.
func FuzzAnswer(f *testing.F) {
	f.Add([]byte(hello))
	f.Add([]byte(`{"model":"m","stream":true,"thinking":{"type":"enabled"},"tools":[{}],"messages":[{"role":"user","content":[{"type":"text","text":"demo:tool a {\"b\":1} x"}]}]}`))
	f.Add([]byte(`{"model":"m","stop":["a"],"messages":[{"role":"tool","content":[{"type":"image_url","image_url":{"url":"data:"}}]},{"role":"user","content":"demo:long 3 demo:length"}]}`))
	f.Add([]byte(`{"model":"m","max_tokens":3,"messages":[{"role":"user","content":[{"type":"tool_result","content":[{"type":"text","text":"\ud800"}]}]}]}`))
	server := New(Options{Slow: time.Nanosecond})
	f.Fuzz(func(t *testing.T, body []byte) {
		for _, path := range []string{"/v1/messages", "/v1/chat/completions"} {
			w := httptest.NewRecorder()
			func() {
				defer func() {
					if broken := recover(); broken != nil && broken != http.ErrAbortHandler {
						panic(broken)
					}
				}()
				server.ServeHTTP(w, httptest.NewRequestWithContext(t.Context(), "POST", path, bytes.NewReader(body)))
			}()
			if w.Code < 200 || w.Code > 599 {
				t.Fatalf("status %d", w.Code)
			}
		}
	})
}
