package platform_test

import (
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"glmtray/proxy/demo/platform"
)

// clock is a time that a test moves on.
type clock struct {
	mu  sync.Mutex
	now time.Time
}

func (c *clock) time() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.now
}

func (c *clock) advance(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.now = c.now.Add(d)
}

// world is a platform before models that tell what they were asked.
type world struct {
	*platform.Server
	t    *testing.T
	base string
	*clock
}

func newWorld(t *testing.T, o platform.Options) *world {
	t.Helper()
	c := &clock{now: time.Date(2026, 10, 1, 12, 0, 0, 0, time.UTC)}
	if o.Now == nil {
		o.Now = c.time
	}
	s := platform.New(o)
	server := httptest.NewServer(s.Handler(http.HandlerFunc(models)))
	t.Cleanup(server.Close)
	return &world{s, t, server.URL, c}
}

// models answers in the place of the models: with the path, the key and the body.
func models(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(r.Body)
	if err != nil {
		w.WriteHeader(http.StatusBadRequest)
		return
	}
	w.Header().Set("X-Path", r.URL.Path)
	w.Header().Set("X-Key", r.Header.Get("X-Api-Key"))
	_, _ = w.Write(body) // the client's end shows what is missing
}

// answer is what came back.
type answer struct {
	status int
	header http.Header
	text   string
	Code   int             `json:"code"`
	Msg    string          `json:"msg"`
	OK     *bool           `json:"success"`
	Data   json.RawMessage `json:"data"`
}

// into decodes the data.
func (a answer) into(t *testing.T, v any) {
	t.Helper()
	if err := json.Unmarshal(a.Data, v); err != nil {
		t.Fatalf("%v in %s", err, a.text)
	}
}

// do sends a request and follows no redirect. headers are names and values in turn.
func (w *world) do(method, path, body string, headers ...string) answer {
	w.t.Helper()
	req, err := http.NewRequestWithContext(w.t.Context(), method, w.base+path, strings.NewReader(body))
	if err != nil {
		w.t.Fatal(err)
	}
	for i := 0; i+1 < len(headers); i += 2 {
		req.Header.Set(headers[i], headers[i+1])
	}
	resp, err := http.DefaultTransport.RoundTrip(req)
	if err != nil {
		w.t.Fatalf("%s %s: %v", method, path, err)
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	if err != nil {
		w.t.Fatalf("%s %s: %v", method, path, err)
	}
	a := answer{status: resp.StatusCode, header: resp.Header, text: string(text)}
	if strings.HasPrefix(resp.Header.Get("Content-Type"), "application/json") {
		if err := json.Unmarshal(text, &a); err != nil {
			w.t.Fatalf("%s %s: %v in %s", method, path, err, text)
		}
	}
	return a
}

// form posts a page's form.
func (w *world) form(fields url.Values) answer {
	w.t.Helper()
	return w.do("POST", "/_demo/decide", fields.Encode(), "Content-Type", "application/x-www-form-urlencoded")
}

const loopback = "http://127.0.0.1:53111/oauth/callback/zai"

// tokens are what a login gives.
type tokens struct {
	Status string `json:"status"`
	Token  string `json:"token"`
	ZAI    *own   `json:"zai"`
	Big    *own   `json:"bigmodel"`
	User   struct {
		ID string `json:"user_id"`
	} `json:"user"`
}

type own struct {
	Access  string  `json:"access_token"`
	Refresh *string `json:"refresh_token"`
}

func (l tokens) access() string {
	if l.ZAI != nil {
		return l.ZAI.Access
	}
	return l.Big.Access
}

// code has a login allowed and returns its code.
func (w *world) code(provider, redirect string) string {
	w.t.Helper()
	a := w.form(url.Values{"provider": {provider}, "redirect": {redirect}, "state": {"s1"}, "answer": {"allow"}})
	to, err := url.Parse(a.header.Get("Location"))
	if err != nil || a.status != http.StatusFound {
		w.t.Fatalf("no redirect: %d %s", a.status, a.text)
	}
	name := map[string]string{"zai": "code", "bigmodel": "authCode"}[provider]
	code := to.Query().Get(name)
	if code == "" || to.Query().Get("state") != "s1" || len(to.Query()) != 2 || !strings.HasPrefix(to.String(), redirect+"?") {
		w.t.Fatalf("redirect to %s", to)
	}
	return code
}

func (w *world) exchange(provider, code, redirect string) answer {
	w.t.Helper()
	body, err := json.Marshal(map[string]string{"provider": provider, "code": code, "redirect_uri": redirect, "state": "s1"})
	if err != nil {
		w.t.Fatal(err)
	}
	return w.do("POST", "/api/v1/oauth/token", string(body), "Content-Type", "application/json")
}

// login is a whole one.
func (w *world) login(provider string) tokens {
	w.t.Helper()
	a := w.exchange(provider, w.code(provider, loopback), loopback)
	if a.status != 200 || a.Code != 0 {
		w.t.Fatalf("exchange: %d %s", a.status, a.text)
	}
	var got tokens
	a.into(w.t, &got)
	return got
}

func TestPaths(t *testing.T) {
	all := strings.Join(platform.Paths(), "\n")
	for _, path := range []string{"GET /api/oauth/authorize", "GET /login", "POST /api/v1/oauth/token", "GET /api/monitor/usage/tool-usage"} {
		if !strings.Contains(all, path) {
			t.Errorf("%s is not listed in\n%s", path, all)
		}
	}
}

// What is no face belongs to the models, whatever its prefix.
func TestOtherPathsGoToModels(t *testing.T) {
	w := newWorld(t, platform.Options{})
	for _, path := range []string{"/v1/messages", "/api/v1/messages", "/api/anthropic/v1/messages", "/api/coding/paas/v4/chat/completions", "/loginx", "/", "//v1/messages"} {
		if a := w.do("POST", path, "x"); a.header.Get("X-Path") != path || a.text != "x" {
			t.Errorf("%s: %d, models saw %q", path, a.status, a.header.Get("X-Path"))
		}
	}
	for _, path := range []string{"/api/v1/oauth/token", "/api/biz/customer/getCustomerInfo/x", "/captcha/verify", "/api/v1/zcode-plan/usage"} {
		if a := w.do("GET", path, ""); a.header.Get("X-Path") != "" || a.status/100 != 4 {
			t.Errorf("%s: %d, models saw %q", path, a.status, a.header.Get("X-Path"))
		}
	}
}

func TestRequests(t *testing.T) {
	w := newWorld(t, platform.Options{})
	w.do("POST", "/api/anthropic/v1/messages", "x", "X-Api-Key", "a.a")
	w.do("POST", "/api/coding/paas/v4/chat/completions", "x", "Authorization", "Bearer a.a")
	w.do("POST", "/v1/messages/", "x", "Authorization", "bearer b.b")
	w.do("GET", "/v1/models", "", "Authorization", "Bearer a.a")
	w.do("POST", "/v1/messages/count_tokens", "x", "X-Api-Key", "a.a")
	for key, want := range map[string]int{"a.a": 2, "b.b": 1, "c.c": 0} {
		if got := w.Requests(key); got != want {
			t.Errorf("%s: %d requests, want %d", key, got, want)
		}
	}
}

// A thousand of a kind are remembered, and the newest of them.
func TestBounds(t *testing.T) {
	w := newWorld(t, platform.Options{})
	first := w.code("zai", loopback)
	for range 999 {
		w.code("zai", loopback)
	}
	second := w.code("zai", loopback) // the first one goes for it
	if a := w.exchange("zai", first, loopback); a.Code != 2007 {
		t.Errorf("the oldest code: %s", a.text)
	}
	if a := w.exchange("zai", second, loopback); a.Code != 0 {
		t.Errorf("the newest code: %s", a.text)
	}
	w.Revoke("x")
	for i := range 1000 {
		w.Revoke(strconv.Itoa(i))
	}
	if w.Revoked("x") || !w.Revoked("0") || !w.Revoked("999") {
		t.Error("not the latest thousand revocations are remembered")
	}
}

func TestConcurrentUse(t *testing.T) {
	w := newWorld(t, platform.Options{Captcha: true})
	var wg sync.WaitGroup
	for range 8 {
		wg.Go(func() {
			l := w.login("zai")
			w.do("POST", "/v1/messages", "x", "Authorization", "Bearer "+l.Token)
			w.Revoke(l.Token)
			if !w.Revoked(l.Token) || w.Requests(l.Token) != 1 || w.Issued(l.Token) {
				t.Errorf("after a revocation: revoked %v, %d requests, issued %v", w.Revoked(l.Token), w.Requests(l.Token), w.Issued(l.Token))
			}
		})
	}
	wg.Wait()
}
