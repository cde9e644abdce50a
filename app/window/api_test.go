package window

import (
	"encoding/json"
	"errors"
	"net/http"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"testing"

	"glmtray/app/history"
	"glmtray/app/journal"
	"glmtray/app/settings"
	"glmtray/app/state"
)

// TestIntents holds that each way to change something tells the application just that.
func TestIntents(t *testing.T) {
	app := newFakeApp(t, settings.Options{})
	v := visit(t, app)
	for _, tc := range []struct{ path, body, call string }{
		{"/api/proxy", `{"action":"start"}`, "start"},
		{"/api/proxy", `{"action":"stop"}`, "stop"},
		{"/api/provider", `{"provider":"demo"}`, "provider demo"},
		{"/api/plan", `{"plan":"start-plan"}`, "plan start-plan"},
		{"/api/port", `{"port":8081}`, "port 8081"},
		{"/api/autostart", `{"enabled":true}`, "autostart true"},
		{"/api/autostart", `{"enabled":false}`, "autostart false"},
		{"/api/language", `{"language":"zh-Hans"}`, "language zh-Hans"},
		{"/api/dismiss", `{"kind":"quota"}`, "dismiss quota"},
		{"/api/folder", `{"folder":"logs"}`, "folder logs"},
		{"/api/folder", `{"folder":"config"}`, "folder config"},
		{"/api/quit", `{}`, "quit"},
	} {
		resp, body := v.do(http.MethodPost, tc.path, tc.body)
		if resp.StatusCode != http.StatusNoContent || len(body) != 0 {
			t.Errorf("%s %s: %s: %s", tc.path, tc.body, resp.Status, body)
		}
		wantCalls(t, app, tc.call)
	}
}

// TestBadBodies holds that what is not understood is refused in words and does nothing.
func TestBadBodies(t *testing.T) {
	app := newFakeApp(t, settings.Options{})
	v := visit(t, app)
	for path := range intents {
		for _, body := range []string{"", "x", "null x", "[]", "1", `"x"`, `{"unknown":1}`, "{}{}", "{} x", "{", "\xff"} {
			if got := v.json(http.MethodPost, path, body, http.StatusBadRequest); got["message"] == "" {
				t.Errorf("%s %q: no word about why", path, body)
			}
		}
	}
	for _, path := range []string{"/api/proxy", "/api/copy", "/api/settings"} {
		v.json(http.MethodPost, path, `{"`+strings.Repeat("x", maxBodyBytes)+`":1}`, http.StatusRequestEntityTooLarge)
	}
	for _, tc := range [][2]string{
		{"/api/proxy", `{}`}, {"/api/proxy", `{"action":"restart"}`}, {"/api/proxy", `{"action":true}`},
		{"/api/port", `{"port":"8081"}`}, {"/api/port", `{"port":80.5}`}, {"/api/autostart", `{}`}, {"/api/autostart", `{"enabled":"yes"}`},
		{"/api/folder", `{}`}, {"/api/folder", `{"folder":"/etc"}`}, {"/api/copy", `{}`}, {"/api/copy", `{"what":"jwt"}`},
		{"/api/settings", `{}`}, {"/api/settings", `{"changes":[]}`}, {"/api/settings", `{"changes":{"server.port":"1"}}`},
		{"/api/settings", `{"changes":[{"key":"server.port","value":1}]}`}, {"/api/settings", `{"reset":["server.pot"]}`},
		{"/api/settings/check", `{}`}, {"/api/settings/check", `{"changes":[{"name":"server.port"}]}`},
	} {
		v.json(http.MethodPost, tc[0], tc[1], http.StatusBadRequest)
	}
	wantCalls(t, app)
}

// TestFaults holds that the application's errors arrive in its own words.
func TestFaults(t *testing.T) {
	app := newFakeApp(t, settings.Options{})
	v := visit(t, app)
	app.fault = errors.New("the port 8080 is taken by nginx")
	for _, path := range []string{"/api/proxy", "/api/provider", "/api/plan", "/api/port", "/api/autostart", "/api/language", "/api/folder", "/api/settings"} {
		if got := v.json(http.MethodPost, path, intents[path], http.StatusConflict); got["message"] != app.fault.Error() || got["problems"] != nil {
			t.Errorf("%s: %v", path, got)
		}
	}
	app.fault = &settings.Error{Problems: []settings.Problem{{
		Origin: settings.Origin{From: settings.FromFile, Name: "c.yaml", Line: 3, Column: 7}, Key: "server.port", Message: "must be a port",
	}}}
	for _, path := range []string{"/api/port", "/api/settings"} {
		got := v.json(http.MethodPost, path, intents[path], http.StatusUnprocessableEntity)
		text, err := json.Marshal(got)
		const want = `{"message":"c.yaml:3:7: server.port: must be a port","problems":[{"key":"server.port","message":"must be a port","origin":"c.yaml:3:7"}]}`
		if err != nil || string(text) != want {
			t.Errorf("%s: %v\ngot  %s\nwant %s", path, err, text, want)
		}
	}
}

func TestBoot(t *testing.T) {
	app := newFakeApp(t, settings.Options{})
	app.snapshot.Active = 1
	v := visit(t, app)
	for language, stopped := range map[string]string{"en": "Stopped", "zh-Hans": "已停止"} {
		app.language = language
		boot := v.json(http.MethodGet, "/api/boot", "", http.StatusOK)
		texts, snapshot := boot["texts"].(map[string]any), boot["snapshot"].(map[string]any)
		if boot["language"] != language || boot["version"] != "1.2.3" || texts["window.status.stopped"] != stopped || snapshot["face"] != "busy" || snapshot["phase"] != "running" {
			t.Errorf("%s: %v", language, boot)
		}
		for _, prefix := range []string{"window.", "notice.", "tray.provider.", "tray.plan."} {
			if !slices.ContainsFunc(slices.Collect(keys(texts)), func(id string) bool { return strings.HasPrefix(id, prefix) }) {
				t.Errorf("%s: no texts of %s", language, prefix)
			}
		}
		if list := boot["languages"].([]any); len(list) != 2 || list[0].(map[string]any)["tag"] != "en" || list[0].(map[string]any)["name"] != "English" {
			t.Errorf("languages %v", list)
		}
	}
}

func keys(m map[string]any) func(func(string) bool) {
	return func(yield func(string) bool) {
		for k := range m {
			if !yield(k) {
				return
			}
		}
	}
}

func TestAbout(t *testing.T) {
	app := newFakeApp(t, settings.Options{})
	app.snapshot.LogFolder = "/logs"
	about := visit(t, app).json(http.MethodGet, "/api/about", "", http.StatusOK)
	paths := about["paths"].(map[string]any)
	if about["version"] != "1.2.3" || about["go"] != runtime.Version() || about["os"] != runtime.GOOS+"/"+runtime.GOARCH ||
		paths["logs"] != "/logs" || paths["config"] != app.snapshot.ConfigFile || paths["state"] == "" || paths["data"] == "" {
		t.Errorf("%v", about)
	}
	if _, ok := about["licences"].([]any); !ok {
		t.Errorf("licences %v", about["licences"])
	}
}

func TestCopy(t *testing.T) {
	app := newFakeApp(t, settings.Options{Flags: []settings.Override{{Key: "auth.proxyApiKey", Value: "local-key-0123456789", Flag: "--key"}}})
	v := visit(t, app)
	for what, want := range map[string]string{"openai": "http://127.0.0.1:8080", "anthropic": "http://127.0.0.1:8080", "key": "local-key-0123456789"} {
		if got := v.json(http.MethodPost, "/api/copy", `{"what":"`+what+`"}`, http.StatusOK); got["text"] != want {
			t.Errorf("%s: %v", what, got)
		}
		wantCalls(t, app, "copy "+what)
	}
}

// field returns a setting of the form.
func (v *visitor) field(form map[string]any, path string) map[string]any {
	v.Helper()
	for _, g := range form["groups"].([]any) {
		for _, k := range g.(map[string]any)["keys"].([]any) {
			if k := k.(map[string]any); k["path"] == path {
				return k
			}
		}
	}
	v.Fatalf("the form has no %s", path)
	return nil
}

// want holds that a setting of the form says something.
func (v *visitor) want(form map[string]any, path string, want map[string]any) {
	v.Helper()
	field := v.field(form, path)
	for name, value := range want {
		got, err1 := json.Marshal(field[name])
		wanted, err2 := json.Marshal(value)
		if err1 != nil || err2 != nil || string(got) != string(wanted) {
			v.Errorf("%s: %s is %s, want %s", path, name, got, wanted)
		}
	}
}

const configFile = `# My settings.
server:
  port: 9090 # the old one was taken
auth:
  # from the web site
  apiKey: upstream-id-0001.upstream-secret-0001
provider: zai
`

// configured is an application whose config file is a real one.
func configured(t *testing.T, content string, env map[string]string) (*fakeApp, string) {
	t.Helper()
	path := filepath.Join(t.TempDir(), "config.yaml")
	if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
		t.Fatal(err)
	}
	home := t.TempDir()
	app := newFakeApp(t, settings.Options{Path: path, Env: func(name string) string {
		if name == "HOME" || name == "GLMTRAY_HOME" {
			return home
		}
		return env[name]
	}})
	app.snapshot.Fixed = env2fixed(app.loaded)
	return app, path
}

func env2fixed(l settings.Loaded) map[string]string {
	fixed := map[string]string{}
	for _, k := range settings.Schema() {
		if o := l.Origin(k.Path); o.From == settings.FromEnv {
			fixed[k.Path] = o.Name
		}
	}
	return fixed
}

// TestSettings changes a real file through the form and back.
func TestSettings(t *testing.T) {
	app, path := configured(t, configFile, map[string]string{"ZCODE_PLAN": "start-plan"})
	v := visit(t, app)
	form := v.json(http.MethodGet, "/api/settings", "", http.StatusOK)
	if form["file"] != path || form["writable"] != true || len(form["problems"].([]any)) != 0 {
		t.Errorf("%v", form)
	}
	v.want(form, "server.port", map[string]any{
		"value": "9090", "default": "8080", "kind": "whole number", "title": "Port", "secret": false, "set": false, "fixed": false,
		"env": []string{"ZCODE_PROXY_PORT", "PORT"}, "choices": []any{}, "origin": map[string]any{"from": "file", "name": path, "line": 3},
	})
	v.want(form, "plan", map[string]any{"value": "start-plan", "fixed": true, "origin": map[string]any{"from": "env", "name": "ZCODE_PLAN", "line": 0}})
	v.want(form, "provider", map[string]any{"value": "zai", "kind": "choice", "choices": []map[string]string{
		{"title": "Z.AI", "value": "zai"}, {"title": "Bigmodel", "value": "bigmodel"}, {"title": "Custom", "value": "custom"}, {"title": "Demo", "value": "demo"}}})
	v.want(form, "auth.apiKey", map[string]any{"secret": true, "set": true})
	v.want(form, "auth.jwt", map[string]any{"secret": true, "set": false, "value": ""})
	v.want(form, "app.startProxy", map[string]any{"kind": "switch", "origin": map[string]any{"from": "default", "name": "", "line": 0}})

	form = v.json(http.MethodPost, "/api/settings", `{"changes":[{"key":"server.port","value":"9191"},{"key":"auth.apiKey","value":""},{"key":"logging.level","value":"debug"}]}`, http.StatusOK)
	wantCalls(t, app, "change server.port auth.apiKey logging.level")
	v.want(form, "server.port", map[string]any{"value": "9191"})
	v.want(form, "auth.apiKey", map[string]any{"set": false, "value": ""})
	wantFile(t, path, strings.NewReplacer("9090", "9191", "upstream-id-0001.upstream-secret-0001", `""`).Replace(configFile)+"logging:\n  level: debug\n")

	form = v.json(http.MethodPost, "/api/settings", `{"changes":[],"reset":["server.port","logging.level"]}`, http.StatusOK)
	v.want(form, "server.port", map[string]any{"value": "8080"})
	v.want(form, "logging.level", map[string]any{"value": "info"})
}

func wantFile(t *testing.T, path, want string) {
	t.Helper()
	got, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if string(got) != want {
		t.Errorf("the file is\n%s\nwant\n%s", got, want)
	}
}

// TestWrongSettings holds that wrong values are told by key, and that nothing is
// written.
func TestWrongSettings(t *testing.T) {
	app, path := configured(t, configFile, nil)
	v := visit(t, app)
	const wrong = `{"changes":[{"key":"server.port","value":"70000"},{"key":"logging.level","value":"warn"}]}`
	problems := v.json(http.MethodPost, "/api/settings/check", wrong, http.StatusOK)["problems"].([]any)
	if len(problems) != 1 || problems[0].(map[string]any)["key"] != "server.port" {
		t.Errorf("checked: %v", problems)
	}
	told := v.json(http.MethodPost, "/api/settings", wrong, http.StatusUnprocessableEntity)
	if list := told["problems"].([]any); len(list) != 1 || list[0].(map[string]any)["key"] != "server.port" || !strings.Contains(told["message"].(string), "70000") {
		t.Errorf("saved: %v", told)
	}
	good := v.json(http.MethodPost, "/api/settings/check", `{"changes":[{"key":"server.port","value":"8081"}]}`, http.StatusOK)
	if list, ok := good["problems"].([]any); !ok || len(list) != 0 {
		t.Errorf("good ones: %v", good)
	}
	wantFile(t, path, configFile)
}

// TestBrokenFile holds that the form shows the settings in force, and where the file is
// wrong.
func TestBrokenFile(t *testing.T) {
	app, path := configured(t, configFile, nil)
	v := visit(t, app)
	if err := os.WriteFile(path, []byte("server:\n  prot: 1\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	app.reload()
	form := v.json(http.MethodGet, "/api/settings", "", http.StatusOK)
	problems := form["problems"].([]any)
	if len(problems) != 1 || problems[0].(map[string]any)["origin"] != path+":2:3" || problems[0].(map[string]any)["key"] != "server.prot" {
		t.Errorf("%v", problems)
	}
	v.want(form, "server.port", map[string]any{"value": "9090"})
	app.broken = errors.New("the disk is on fire")
	if problems := v.json(http.MethodGet, "/api/settings", "", http.StatusOK)["problems"].([]any); len(problems) != 1 || problems[0].(map[string]any)["message"] != "the disk is on fire" {
		t.Errorf("%v", problems)
	}
	app.snapshot.ConfigFile = ""
	if form := v.json(http.MethodGet, "/api/settings", "", http.StatusOK); form["writable"] != false {
		t.Error("what has no place is writable")
	}
}

// TestForm holds that the form is complete and translated, in groups that come once.
func TestForm(t *testing.T) {
	app := newFakeApp(t, settings.Options{})
	v := visit(t, app)
	for _, language := range []string{"en", "zh-Hans"} {
		app.language = language
		var paths, groups []string
		form := v.json(http.MethodGet, "/api/settings", "", http.StatusOK)
		for _, g := range form["groups"].([]any) {
			group := g.(map[string]any)
			groups = append(groups, group["path"].(string))
			wantText(t, language, group, "title", "help")
			for _, k := range group["keys"].([]any) {
				key := k.(map[string]any)
				paths = append(paths, key["path"].(string))
				wantText(t, language, key, "title", "help", "kind", "allowed")
			}
		}
		var want []string
		for _, k := range settings.Schema() {
			want = append(want, k.Path)
		}
		if !slices.Equal(paths, want) {
			t.Errorf("%s: the form has %q, want %q", language, paths, want)
		}
		slices.Sort(groups)
		if unique := slices.Compact(slices.Clone(groups)); len(unique) != len(groups) {
			t.Errorf("%s: groups %q", language, groups)
		}
	}
}

// wantText holds that something has words for a person, in their language.
func wantText(t *testing.T, language string, of map[string]any, names ...string) {
	t.Helper()
	for _, name := range names {
		text, ok := of[name].(string)
		if !ok || text == "" || strings.HasPrefix(text, "settings.") {
			t.Errorf("%s: %v: %s is %q", language, of["path"], name, text)
		}
		chinese := strings.ContainsFunc(text, func(r rune) bool { return r >= 0x4e00 && r <= 0x9fff })
		if (name == "title" || name == "help") && chinese != (language == "zh-Hans") {
			t.Errorf("%s: %v: %s is %q", language, of["path"], name, text)
		}
	}
}

// TestNoSecrets plants secrets wherever there is a place for one, and holds that no
// answer has any, also not one about a wrong one.
func TestNoSecrets(t *testing.T) {
	const mark = "PLANTED"
	var file strings.Builder
	file.WriteString("auth:\n")
	for _, name := range []string{"apiKey", "proxyApiKey", "jwt"} {
		file.WriteString("  " + name + ": aaaaaaaa" + mark + name + ".bbbbbbbb" + mark + "cccccccc\n")
	}
	file.WriteString("providers:\n")
	for _, name := range []string{"zai", "bigmodel", "custom", "demo"} {
		file.WriteString("  " + name + ":\n    credential: aaaaaaaa" + mark + name + ".bbbbbbbb" + mark + "cccccccc\n")
	}
	app, path := configured(t, file.String(), nil)
	set := 0
	for _, k := range settings.Schema() {
		if k.Secret && app.loaded.Value(k.Path) != "" {
			set++
		}
	}
	if set != 7 {
		t.Fatalf("%d secrets are planted: the schema has others now", set)
	}
	app.snapshot.Account = state.Account{Known: true, Hint: app.loaded.Value("auth.apiKey")}
	app.requests.Put(history.Record{ID: "a"})
	app.lines.Put(journal.Line{Message: "b"})
	v := visit(t, app)
	clean := func(what string, resp *http.Response, body []byte) {
		t.Helper()
		headers, err := json.Marshal(resp.Header)
		if err != nil {
			t.Fatal(err)
		}
		text := string(headers) + string(body)
		if strings.Contains(text, mark) || strings.Contains(text, v.cookie.Value) {
			t.Errorf("%s: %s", what, text)
		}
	}
	for _, path := range reads {
		if path != "/api/events" {
			resp, body := v.do(http.MethodGet, path, "")
			clean(path, resp, body)
		}
	}
	stream := v.listen(t.Context(), "/api/events?lines=1", "")
	r, events := newReader(stream.Body), map[string]bool{}
	for len(events) < 3 {
		m, ok := r.next()
		if !ok {
			t.Fatal("the stream ended")
		}
		events[m.event] = true
		clean(m.event, stream, []byte(m.data+m.id))
	}
	const other = "dddddddd" + mark + ".eeeeeeee" + mark + "ffffffff"
	for _, body := range []string{
		`{"changes":[{"key":"auth.apiKey","value":"` + other + `"}]}`,
		`{"changes":[{"key":"auth.apiKey","value":"` + other + ` x"}]}`,
		`{"changes":[{"key":"auth.apiKey","value":"` + other + `\n"}]}`,
		`{"changes":[{"key":"auth.jwt","value":"` + strings.Repeat(mark, 4000) + `"}]}`,
		`{"changes":[{"key":"providers.custom.openaiBase","value":"https://user:` + mark + `@example.com"}]}`,
		`{"changes":[{"key":"auth.apiKey","value":["` + other + `"]}]}`,
		`{"changes":[{"key":"auth.apiKey","value":"` + other + `}]}`,
	} {
		for _, path := range []string{"/api/settings/check", "/api/settings"} {
			resp, answer := v.do(http.MethodPost, path, body)
			clean(path, resp, answer)
		}
	}
	if text, err := os.ReadFile(path); err != nil || !strings.Contains(string(text), other) {
		t.Errorf("the new key is not in the file: %v", err)
	}
}
