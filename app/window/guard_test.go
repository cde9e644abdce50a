package window

import (
	"encoding/json"
	"io/fs"
	"maps"
	"net/http"
	"os"
	"strings"
	"testing"
	"time"

	"glmtray/app/settings"
	"glmtray/assets"
)

// intents are the ways to change something, each with a body that would do it.
var intents = map[string]string{
	"/api/proxy": `{"action":"stop"}`, "/api/provider": `{"provider":"demo"}`, "/api/plan": `{"plan":"start-plan"}`,
	"/api/port": `{"port":8081}`, "/api/autostart": `{"enabled":true}`, "/api/language": `{"language":"en"}`,
	"/api/activity/clear": `{}`, "/api/dismiss": `{"kind":"quota"}`, "/api/folder": `{"folder":"logs"}`,
	"/api/quit": `{}`, "/api/copy": `{"what":"key"}`,
	"/api/settings":       `{"changes":[{"key":"server.port","value":"8081"}]}`,
	"/api/settings/check": `{"changes":[{"key":"server.port","value":"8081"}]}`,
}

// reads are what pages get.
var reads = []string{"/", "/css/app.css", "/js/main.js", "/api/boot", "/api/events", "/api/settings", "/api/about", "/nothing", "/js/"}

// TestRefused holds that whoever is not our own page gets nothing and changes nothing.
func TestRefused(t *testing.T) {
	header := func(name string, values ...string) func(*http.Request) {
		return func(r *http.Request) { r.Header[name] = values }
	}
	host := func(name string) func(*http.Request) { return func(r *http.Request) { r.Host = name } }
	app := newFakeApp(t, settings.Options{})
	v := visit(t, app)
	port := mustParse(t, v.base).Port()
	session := v.cookie.Name + "=" + v.cookie.Value
	everywhere := map[string]func(*http.Request){
		"no cookie":               func(r *http.Request) { r.Header.Del("Cookie") },
		"an empty cookie":         header("Cookie", v.cookie.Name+"="),
		"a wrong cookie":          header("Cookie", v.cookie.Name+"="+strings.Repeat("0", 64)),
		"a part of the cookie":    header("Cookie", session[:len(session)-1]),
		"the cookie of a port":    header("Cookie", "glmtray_window_1="+v.cookie.Value),
		"a ticket for a cookie":   header("Cookie", v.cookie.Name+"="+mustParse(t, mustLink(t, v.server, "")).Query().Get("ticket")),
		"another host":            host("evil.example:" + port),
		"a host that begins so":   host("127.0.0.1.evil.example:" + port),
		"another port":            host("127.0.0.1:1"),
		"no port":                 host("127.0.0.1"),
		"another loopback":        host("127.0.0.2:" + port),
		"all addresses":           host("0.0.0.0:" + port),
		"a host in capitals":      host("LOCALHOST:" + port),
		"another origin":          header("Origin", "http://evil.example"),
		"no origin":               header("Origin", "null"),
		"an empty origin":         header("Origin", ""),
		"an origin over TLS":      header("Origin", "https://127.0.0.1:"+port),
		"another port's origin":   header("Origin", "http://127.0.0.1:1"),
		"the other name's origin": header("Origin", "http://localhost:"+port),
		"a second origin":         header("Origin", v.base, "http://evil.example"),
		"another site":            header("Sec-Fetch-Site", "cross-site"),
		"another port's page":     header("Sec-Fetch-Site", "same-site"),
		"a second site":           header("Sec-Fetch-Site", "same-origin", "cross-site"),
	}
	for name, spoil := range everywhere {
		for _, path := range reads {
			refused(v, name, http.MethodGet, path, "", http.StatusForbidden, spoil)
		}
		for path, body := range intents {
			refused(v, name, http.MethodPost, path, body, http.StatusForbidden, spoil)
		}
	}
	for name, spoil := range map[string]func(*http.Request){
		"no type":       func(r *http.Request) { r.Header.Del("Content-Type") },
		"a form":        header("Content-Type", "application/x-www-form-urlencoded"),
		"a file form":   header("Content-Type", "multipart/form-data; boundary=x"),
		"text":          header("Content-Type", "text/plain"),
		"almost JSON":   header("Content-Type", "application/jsonp"),
		"JSON in text":  header("Content-Type", "text/plain; application/json"),
		"a damaged one": header("Content-Type", ";"),
	} {
		for path, body := range intents {
			refused(v, name, http.MethodPost, path, body, http.StatusUnsupportedMediaType, spoil)
		}
	}
	json := header("Content-Type", "application/json")
	for path, body := range intents {
		for _, method := range []string{http.MethodGet, http.MethodHead, http.MethodPut, http.MethodPatch, http.MethodDelete, http.MethodOptions} {
			if path == "/api/settings" && (method == http.MethodGet || method == http.MethodHead) {
				continue // that is the form
			}
			refused(v, method, method, path, body, http.StatusMethodNotAllowed, json)
		}
	}
	for _, path := range reads[:7] {
		if path != "/api/settings" {
			refused(v, "POST", http.MethodPost, path, "{}", http.StatusMethodNotAllowed, json)
		}
	}
	wantCalls(t, app)
	if page := app.requests.After("", 0); page.Last != 0 {
		t.Error("the list of requests was cleared")
	}
	if _, err := os.Stat(app.Snapshot().ConfigFile); err == nil {
		t.Error("the settings were written")
	}
}

// refused holds that a spoiled request is answered by a status, in words.
func refused(v *visitor, name, method, path, body string, status int, spoil func(*http.Request)) {
	v.Helper()
	r := v.request(method, path, body)
	spoil(r)
	resp, answer := v.send(r)
	if resp.StatusCode != status {
		v.Errorf("%s: %s %s: %s, want %d", name, method, path, resp.Status, status)
	}
	if len(answer) == 0 && method != http.MethodHead {
		v.Errorf("%s: %s %s: no word about why", name, method, path)
	}
	if status == http.StatusForbidden && strings.HasPrefix(path, "/api/") {
		var told failure
		if err := json.Unmarshal(answer, &told); err != nil || told.Message == "" {
			v.Errorf("%s: %s %s: %v: %s", name, method, path, err, answer)
		}
	}
	wantGuarded(v, resp)
}

// wantGuarded holds that an answer has the headers that keep other pages away.
func wantGuarded(v *visitor, resp *http.Response) {
	v.Helper()
	for name, want := range map[string]string{
		"Content-Security-Policy": policy + "; frame-src " + v.server.run.frame.origin, "X-Content-Type-Options": "nosniff", "Referrer-Policy": "no-referrer",
		"Cross-Origin-Opener-Policy": "same-origin", "Cross-Origin-Resource-Policy": "same-origin",
	} {
		if got := resp.Header.Get(name); got != want {
			v.Errorf("%s: %s: %s", resp.Request.URL.Path, name, got)
		}
	}
	if got := resp.Header.Get("Access-Control-Allow-Origin"); got != "" {
		v.Errorf("%s: other origins may read: %s", resp.Request.URL.Path, got)
	}
}

// TestLetIn holds that our own pages are answered, by each of the server's names.
func TestLetIn(t *testing.T) {
	v := visit(t, newFakeApp(t, settings.Options{}))
	port := mustParse(t, v.base).Port()
	for _, host := range []string{"127.0.0.1:" + port, "localhost:" + port, "[::1]:" + port} {
		for _, site := range []string{"", "none", "same-origin"} {
			r := v.request(http.MethodPost, "/api/proxy", `{"action":"start"}`)
			r.Host = host
			r.Header.Set("Origin", "http://"+host)
			r.Header.Set("Content-Type", "application/json; charset=utf-8")
			if site != "" {
				r.Header.Set("Sec-Fetch-Site", site)
			}
			resp, answer := v.send(r)
			if resp.StatusCode != http.StatusNoContent {
				t.Errorf("%s, %q: %s: %s", host, site, resp.Status, answer)
			}
			wantGuarded(v, resp)
		}
	}
}

// TestOpen holds what a link gives: once a cookie, and nothing to who comes later.
func TestOpen(t *testing.T) {
	app := newFakeApp(t, settings.Options{})
	now := time.Now()
	v := visit(t, app, func(s *Server) { s.now = func() time.Time { return now } })
	if c := v.cookie; c.Name != "glmtray_window_"+mustParse(t, v.base).Port() || len(c.Value) != 64 || !c.HttpOnly ||
		c.SameSite != http.SameSiteStrictMode || c.Path != "/" || c.Domain != "" || !c.Expires.IsZero() || c.MaxAge != 0 {
		t.Errorf("cookie %+v", c)
	}
	stranger := *v
	stranger.cookie = nil
	follow := func(v *visitor, method, link string) (int, string) {
		resp, body := v.do(method, link, "")
		if resp.StatusCode != http.StatusSeeOther && len(resp.Cookies()) > 0 {
			t.Errorf("%s: a cookie for nobody", resp.Status)
		}
		if strings.Contains(string(body), v.server.run.cookie) {
			t.Errorf("%s: the body holds the cookie", resp.Status)
		}
		return resp.StatusCode, resp.Header.Get("Location")
	}
	want := func(what string, status int, location string, gotStatus int, gotLocation string) {
		t.Helper()
		if status != gotStatus || location != gotLocation {
			t.Errorf("%s: %d %q, want %d %q", what, gotStatus, gotLocation, status, location)
		}
	}
	for page, location := range map[string]string{
		"": "/", "log": "/#log", "settings/auth.apiKey": "/#settings/auth.apiKey",
		"a b\r\nSet-Cookie: x": "/#a%20b%0D%0ASet-Cookie:%20x", "//evil.example": "/#/evil.example",
	} {
		link := mustLink(t, v.server, page)
		status, to := follow(&stranger, http.MethodHead, link)
		want("HEAD", http.StatusMethodNotAllowed, "", status, to)
		status, to = follow(&stranger, http.MethodGet, link)
		want("the first time", http.StatusSeeOther, location, status, to)
		status, to = follow(&stranger, http.MethodGet, link)
		want("the second time", http.StatusForbidden, "", status, to)
		status, to = follow(v, http.MethodGet, link)
		want("the second time, with a cookie", http.StatusSeeOther, location, status, to)
	}
	link := mustLink(t, v.server, "")
	now = now.Add(ticketLife + time.Second)
	status, to := follow(&stranger, http.MethodGet, link)
	want("too late", http.StatusForbidden, "", status, to)
	for _, query := range []string{"", "?ticket=", "?ticket=0", "?page=log", "?ticket=" + v.server.run.cookie} {
		status, to := follow(&stranger, http.MethodGet, v.base+"/open"+query)
		want("ticket "+query, http.StatusForbidden, "", status, to)
	}
	wantCalls(t, app)
}

// TestRefusedInWords holds that a person reads why, and the way in, in their language.
func TestRefusedInWords(t *testing.T) {
	app := newFakeApp(t, settings.Options{})
	v := visit(t, app)
	v.cookie = nil
	for language, word := range map[string]string{"en": "glmtray open", "zh-Hans": "托盘"} {
		app.language = language
		for _, path := range []string{"/", "/open", "/api/boot"} {
			if _, body := v.do(http.MethodGet, path, ""); !strings.Contains(string(body), word) || strings.Contains(string(body), "window.") {
				t.Errorf("%s: %s: %s", language, path, body)
			}
		}
	}
}

func TestTickets(t *testing.T) {
	var list tickets
	now := time.Now()
	first := list.issue(now)
	if len(first) != 2*secretBytes || list.redeem("", now) || list.redeem(first[1:], now) || !list.redeem(first, now) || list.redeem(first, now) {
		t.Error("a ticket is good once, and nothing else is")
	}
	issued := map[string]bool{}
	var order []string
	for range maxTickets + 10 {
		one := list.issue(now)
		issued[one], order = true, append(order, one)
	}
	if len(issued) != len(order) || len(list) != maxTickets {
		t.Errorf("%d tickets of %d in force, %d different", len(list), len(order), len(issued))
	}
	if list.redeem(order[9], now) || !list.redeem(order[10], now) || !list.redeem(order[len(order)-1], now) {
		t.Error("not the oldest tickets made room")
	}
	if !list.redeem(order[20], now.Add(ticketLife)) || list.redeem(order[21], now.Add(ticketLife+1)) || len(list) != 0 {
		t.Error("tickets do not end in time")
	}
}

// TestPages holds that the browser gets every file, whole and with its type, and no
// other path.
func TestPages(t *testing.T) {
	v := visit(t, newFakeApp(t, settings.Options{}))
	kinds := map[string]string{".js": "text/javascript; charset=utf-8", ".css": "text/css; charset=utf-8", ".html": "text/html; charset=utf-8", ".svg": "image/svg+xml"}
	seen := map[string]bool{}
	err := fs.WalkDir(assets.Window, "window", func(name string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		want, err := fs.ReadFile(assets.Window, name)
		if err != nil {
			return err
		}
		path := strings.TrimSuffix(strings.TrimPrefix(name, "window"), "index.html")
		kind := kinds[name[strings.LastIndexByte(name, '.'):]]
		resp, body := v.do(http.MethodGet, path, "")
		tag := resp.Header.Get("ETag")
		if resp.StatusCode != http.StatusOK || string(body) != string(want) || resp.Header.Get("Content-Type") != kind || tag == "" {
			t.Errorf("%s: %s, %d bytes of %d, %s, tag %s", path, resp.Status, len(body), len(want), resp.Header.Get("Content-Type"), tag)
		}
		if resp.Header.Get("Cache-Control") != "no-cache" {
			t.Errorf("%s: Cache-Control %s", path, resp.Header.Get("Cache-Control"))
		}
		wantGuarded(v, resp)
		r := v.request(http.MethodGet, path, "")
		r.Header.Set("If-None-Match", tag)
		if resp, body := v.send(r); resp.StatusCode != http.StatusNotModified || len(body) > 0 {
			t.Errorf("%s with its tag: %s", path, resp.Status)
		}
		seen[kind] = true
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	for kind := range maps.Values(kinds) {
		if !seen[kind] {
			t.Errorf("there is no file of type %s", kind)
		}
	}
	for _, path := range []string{"/index.html", "/js", "/js/", "/css/", "/nothing", "/window/index.html", "/js/../index.html", "/%2e%2e/assets.go", "/api", "/api/", "/api/nothing"} {
		if resp, _ := v.do(http.MethodGet, path, ""); resp.StatusCode == http.StatusOK {
			t.Errorf("%s: %s", path, resp.Status)
		}
	}
}
