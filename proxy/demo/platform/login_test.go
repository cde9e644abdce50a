package platform_test

import (
	"encoding/base64"
	"encoding/json"
	"html"
	"net/http"
	"net/url"
	"regexp"
	"strings"
	"testing"
	"time"

	"glmtray/proxy/demo/platform"
)

func TestAuthorizePage(t *testing.T) {
	w := newWorld(t, platform.Options{})
	zai := func(changes ...string) string {
		q := url.Values{"response_type": {"code"}, "client_id": {"client_X"}, "redirect_uri": {loopback}, "state": {"s1"}}
		for i := 0; i+1 < len(changes); i += 2 {
			q.Set(changes[i], changes[i+1])
		}
		return "/api/oauth/authorize?" + q.Encode()
	}
	big := "/login?" + url.Values{"appId": {"zcode"}, "redirect": {"zcode://oauth/callback"}, "state": {"s1"}}.Encode()
	tests := []struct {
		name, path string
		status     int
	}{
		{"zai", zai(), 200},
		{"bigmodel", big, 200},
		{"localhost", zai("redirect_uri", "http://localhost:9999/callback"), 200},
		{"registered", zai("redirect_uri", "zcode://zai-auth/callback"), 200},
		{"no parameters", "/api/oauth/authorize", 400},
		{"no parameters at Bigmodel", "/login", 400},
		{"other response type", zai("response_type", "token"), 400},
		{"no client", zai("client_id", ""), 400},
		{"no state", zai("state", ""), 400},
		{"no redirect", zai("redirect_uri", ""), 400},
		{"no port", zai("redirect_uri", "http://127.0.0.1/callback"), 400},
		{"port 0", zai("redirect_uri", "http://127.0.0.1:0/callback"), 400},
		{"no path", zai("redirect_uri", "http://127.0.0.1:1234"), 400},
		{"https", zai("redirect_uri", "https://127.0.0.1:1234/x"), 400},
		{"another host", zai("redirect_uri", "http://evil.example:1234/x"), 400},
		{"a host that looks like ours", zai("redirect_uri", "http://127.0.0.1.evil.example:1234/x"), 400},
		{"a user before another host", zai("redirect_uri", "http://127.0.0.1:80@evil.example:1234/x"), 400},
		{"a user", zai("redirect_uri", "http://me@127.0.0.1:1234/x"), 400},
		{"a fragment", zai("redirect_uri", "http://127.0.0.1:1234/x#y"), 400},
		{"another scheme", zai("redirect_uri", "javascript:alert(1)"), 400},
		{"registered with more", zai("redirect_uri", "zcode://zai-auth/callback/../x"), 400},
		{"wide address", zai("redirect_uri", "http://0.0.0.0:1234/x"), 400},
	}
	for _, test := range tests {
		a := w.do("GET", test.path, "")
		buttons := strings.Contains(a.text, `id="allow"`) && strings.Contains(a.text, `id="deny"`)
		if a.status != test.status || buttons != (test.status == 200) || !strings.Contains(strings.ToLower(a.text), "demo") {
			t.Errorf("%s: %d\n%s", test.name, a.status, a.text)
		}
		if a.header.Get("Content-Security-Policy") == "" || !strings.HasPrefix(a.header.Get("Content-Type"), "text/html") {
			t.Errorf("%s: headers %v", test.name, a.header)
		}
	}
	if a := w.do("GET", zai("client_id", "<script>alert(1)</script>"), ""); strings.Contains(a.text, "<script") || !strings.Contains(a.text, "&lt;script") {
		t.Errorf("the application's name is not escaped:\n%s", a.text)
	}
}

var (
	hidden = regexp.MustCompile(`<input type="hidden" name="([^"]+)" value="([^"]*)">`)
	final  = regexp.MustCompile(`<code id="final">([^<]*)</code>`)
)

// press does what a browser does with a page: it sends the page's form with a button.
func (w *world) press(page answer, button string) answer {
	w.t.Helper()
	fields := url.Values{"answer": {button}}
	for _, field := range hidden.FindAllStringSubmatch(page.text, -1) {
		fields.Set(field[1], html.UnescapeString(field[2]))
	}
	return w.form(fields)
}

func TestAllowAndDeny(t *testing.T) {
	w := newWorld(t, platform.Options{})
	page := w.do("GET", "/api/oauth/authorize?response_type=code&client_id=c&state=s%261&redirect_uri="+url.QueryEscape(loopback+"?keep=1"), "")

	allowed := w.press(page, "allow")
	to, err := url.Parse(allowed.header.Get("Location"))
	if err != nil || allowed.status != http.StatusFound || to.Query().Get("state") != "s&1" || to.Query().Get("keep") != "1" {
		t.Fatalf("allow: %d to %s", allowed.status, to)
	}
	if a := w.exchange("zai", to.Query().Get("code"), loopback+"?keep=1"); a.Code != 0 {
		t.Errorf("exchange: %s", a.text)
	}

	denied := w.press(page, "deny")
	to, err = url.Parse(denied.header.Get("Location"))
	q := to.Query()
	if err != nil || denied.status != http.StatusFound || q.Get("error") != "access_denied" || q.Get("error_description") == "" || q.Get("state") != "s&1" || q.Has("code") {
		t.Errorf("deny: %d to %s", denied.status, to)
	}
}

// No browser can open the scheme of the desktop program, so the address is shown.
func TestRegisteredRedirectIsShown(t *testing.T) {
	w := newWorld(t, platform.Options{})
	page := w.do("GET", "/login?appId=zcode&state=s1&redirect="+url.QueryEscape("zcode://oauth/callback"), "")
	shown := w.press(page, "allow")
	found := final.FindStringSubmatch(shown.text)
	if shown.status != 200 || shown.header.Get("Location") != "" || found == nil {
		t.Fatalf("%d\n%s", shown.status, shown.text)
	}
	to, err := url.Parse(html.UnescapeString(found[1]))
	if err != nil || to.Scheme != "zcode" || to.Host != "oauth" || to.Query().Get("state") != "s1" {
		t.Fatalf("final %s", to)
	}
	if a := w.exchange("bigmodel", to.Query().Get("authCode"), "zcode://oauth/callback"); a.Code != 0 {
		t.Errorf("exchange: %s", a.text)
	}
}

// The form is not trusted more than the page's address.
func TestDecisionsAreChecked(t *testing.T) {
	w := newWorld(t, platform.Options{})
	good := map[string]string{"provider": "zai", "redirect": loopback, "state": "s1", "answer": "allow"}
	for name, value := range map[string]string{"provider": "token", "redirect": "https://evil.example/", "state": ""} {
		fields := url.Values{}
		for k, v := range good {
			fields.Set(k, v)
		}
		fields.Set(name, value)
		if a := w.form(fields); a.status != 400 || a.header.Get("Location") != "" {
			t.Errorf("%s=%q: %d to %q", name, value, a.status, a.header.Get("Location"))
		}
	}
	if a := w.do("GET", "/_demo/decide?provider=zai&state=s1&answer=allow&redirect="+url.QueryEscape(loopback), ""); a.status != 405 {
		t.Errorf("GET: %d", a.status)
	}
}

func TestTokens(t *testing.T) {
	w := newWorld(t, platform.Options{})
	one, two := w.login("zai"), w.login("bigmodel")
	if one.ZAI == nil || one.Big != nil || two.Big == nil || two.ZAI != nil || one.ZAI.Refresh != nil {
		t.Fatalf("%+v %+v", one, two)
	}
	if one.User.ID == "" || one.User.ID == two.User.ID || one.Token == two.Token || one.access() == two.access() {
		t.Errorf("two logins share something: %+v %+v", one, two)
	}
	parts := strings.Split(one.Token, ".")
	if len(parts) != 3 {
		t.Fatalf("token %q", one.Token)
	}
	claims, err := base64.RawURLEncoding.DecodeString(parts[1])
	var c map[string]any
	if err != nil || json.Unmarshal(claims, &c) != nil || c["user_id"] != one.User.ID || c["sub"] != one.User.ID || c["iat"] != float64(w.time().Unix()) || c["exp"] != nil {
		t.Errorf("claims %s", claims)
	}
	body := w.exchange("zai", w.code("zai", loopback), loopback).text
	for _, want := range []string{`"code":0`, `"msg":""`, `"refresh_token":null`, `"expires_in":null`} {
		if !strings.Contains(body, want) {
			t.Errorf("no %s in %s", want, body)
		}
	}
}

func TestCodesThatAreRefused(t *testing.T) {
	w := newWorld(t, platform.Options{})
	used := w.code("zai", loopback)
	w.exchange("zai", used, loopback)
	if a := w.exchange("zai", used, loopback); a.Code != 2007 {
		t.Errorf("used again at once: %s", a.text)
	}
	old := w.code("zai", loopback)
	w.advance(5*time.Minute + time.Second)
	tests := []struct {
		name                     string
		provider, code, redirect string
	}{
		{"unknown", "zai", "nothing", loopback},
		{"empty", "zai", "", loopback},
		{"used", "zai", used, loopback},
		{"expired", "zai", old, loopback},
		{"another provider", "bigmodel", w.code("zai", loopback), loopback},
		{"another redirect", "zai", w.code("zai", loopback), loopback + "/"},
	}
	for _, test := range tests {
		a := w.exchange(test.provider, test.code, test.redirect)
		if a.status != 500 || a.Code != 2007 || a.Msg == "" || a.Data != nil {
			t.Errorf("%s: %d %s", test.name, a.status, a.text)
		}
	}
	if a := w.do("POST", "/api/v1/oauth/token", `{"provider":"zai","grant_type":"refresh_token","refresh_token":"x"}`); a.status != 500 || a.Code != 2007 {
		t.Errorf("refresh: %d %s", a.status, a.text)
	}
	for _, body := range []string{"", "not JSON", `{"code":1}`, strings.Repeat(" ", 65<<10) + "{}"} {
		if a := w.do("POST", "/api/v1/oauth/token", body); a.status != 400 || a.Code != 3001 {
			t.Errorf("%.20q: %d %s", body, a.status, a.text)
		}
	}
}

// secret64 is what a polling client makes for itself.
var secret64 = strings.Repeat("0123456789abcdef", 4)

// flow is a polled login.
type flow struct {
	ID       string  `json:"flow_id"`
	Token    string  `json:"poll_token"`
	Page     string  `json:"authorize_url"`
	Expires  int64   `json:"expires_at"`
	Interval float64 `json:"poll_interval_sec"`
}

func (w *world) begin(provider string) flow {
	w.t.Helper()
	a := w.do("POST", "/api/v1/oauth/cli/init", `{"provider":"`+provider+`"}`, "Authorization", "Bearer "+secret64)
	if a.status != 200 || a.Code != 0 {
		w.t.Fatalf("init: %d %s", a.status, a.text)
	}
	var f flow
	a.into(w.t, &f)
	if f.ID == "" || f.Token == "" || f.Interval < 1 || f.Expires != w.time().Add(10*time.Minute).Unix() || !strings.HasPrefix(f.Page, w.base+"/") {
		w.t.Fatalf("flow %+v", f)
	}
	return f
}

func (w *world) poll(f flow) (answer, tokens) {
	w.t.Helper()
	w.advance(2 * time.Second)
	a := w.do("GET", "/api/v1/oauth/cli/poll/"+f.ID, "", "Authorization", "Bearer "+secret64)
	var got tokens
	if a.Code == 0 {
		a.into(w.t, &got)
	}
	return a, got
}

func TestPollFlow(t *testing.T) {
	w := newWorld(t, platform.Options{})
	f := w.begin("bigmodel")
	if a, got := w.poll(f); a.status != 200 || got.Status != "pending" || got.Token != "" {
		t.Errorf("pending: %s", a.text)
	}
	path := strings.TrimPrefix(f.Page, w.base)
	page := w.do("GET", path, "")
	if done := w.press(page, "allow"); done.status != 200 || !strings.Contains(done.text, "can close this") {
		t.Errorf("allow: %d %s", done.status, done.text)
	}
	a, got := w.poll(f)
	if got.Status != "ready" || got.Token == "" || got.Big == nil || got.Big.Access == "" || got.User.ID == "" {
		t.Fatalf("ready: %s", a.text)
	}
	if _, again := w.poll(f); again.Token != got.Token || again.access() != got.access() {
		t.Errorf("an answer that was lost is not given again")
	}
	if a := w.do("GET", path, ""); a.status != 400 {
		t.Errorf("the page of a decided login: %d", a.status)
	}
	if a := w.press(page, "deny"); a.status != 400 {
		t.Errorf("a second decision: %d", a.status)
	}
}

func TestPollFlowFails(t *testing.T) {
	w := newWorld(t, platform.Options{})
	denied := w.begin("zai")
	w.press(w.do("GET", strings.TrimPrefix(denied.Page, w.base), ""), "deny")
	if a, got := w.poll(denied); got.Status != "failed" || got.Token != "" {
		t.Errorf("denied: %s", a.text)
	}
	late := w.begin("zai")
	page := w.do("GET", strings.TrimPrefix(late.Page, w.base), "")
	w.advance(10*time.Minute + time.Second)
	if a, got := w.poll(late); got.Status != "failed" {
		t.Errorf("late: %s", a.text)
	}
	if a := w.press(page, "allow"); a.status != 400 {
		t.Errorf("allowed too late: %d", a.status)
	}
	if a := w.do("GET", "/api/v1/oauth/cli/poll/nothing", "", "Authorization", "Bearer "+secret64); a.status < 400 || a.Code == 0 {
		t.Errorf("unknown: %d %s", a.status, a.text)
	}
	other := w.begin("zai")
	for _, auth := range []string{"", "Bearer " + strings.Repeat("f", 64), secret64} {
		if a := w.do("GET", "/api/v1/oauth/cli/poll/"+other.ID, "", "Authorization", auth); a.status < 400 {
			t.Errorf("with %q: %d %s", auth, a.status, a.text)
		}
	}
	for _, auth := range []string{"", "Bearer short", "Bearer " + strings.Repeat("g", 64), secret64} {
		if a := w.do("POST", "/api/v1/oauth/cli/init", `{"provider":"zai"}`, "Authorization", auth); a.status < 400 {
			t.Errorf("init with %q: %d %s", auth, a.status, a.text)
		}
	}
	if a := w.do("POST", "/api/v1/oauth/cli/init", `{"provider":"other"}`, "Authorization", "Bearer "+secret64); a.status != 400 || a.Code != 3001 {
		t.Errorf("another provider: %d %s", a.status, a.text)
	}
}

func TestPollingTooFast(t *testing.T) {
	w := newWorld(t, platform.Options{})
	f := w.begin("zai")
	poll := func() int {
		return w.do("GET", "/api/v1/oauth/cli/poll/"+f.ID, "", "Authorization", "Bearer "+secret64).status
	}
	for i := range 21 { // the first one is not fast
		if got := poll(); got != 200 {
			t.Fatalf("poll %d: %d", i+1, got)
		}
	}
	if got := poll(); got != 429 {
		t.Errorf("one more: %d", got)
	}
	if a, got := w.poll(f); got.Status != "pending" {
		t.Errorf("after slowing down: %d %s", a.status, a.text)
	}
}

func TestNoPoll(t *testing.T) {
	w := newWorld(t, platform.Options{NoPoll: true})
	if a := w.do("POST", "/api/v1/oauth/cli/init", `{"provider":"zai"}`, "Authorization", "Bearer "+secret64); a.status != 404 {
		t.Errorf("init: %d", a.status)
	}
	if a := w.do("GET", "/api/v1/oauth/cli/poll/x", "", "Authorization", "Bearer "+secret64); a.status != 404 {
		t.Errorf("poll: %d", a.status)
	}
}
