package platform_test

import (
	"encoding/base64"
	"encoding/json"
	"net/http"
	"strings"
	"testing"

	"glmtray/proxy/demo/platform"
)

const (
	messagesPath = "/api/v1/zcode-plan/anthropic/v1/messages"
	chatPath     = "/api/v1/zcode-plan/chat/completions"
	led          = `{"system":[{"type":"text","text":"a"},{"type":"text","text":"b"}],"model":"GLM-5.3"}`
)

type captcha struct {
	Enabled *bool  `json:"enabled"`
	Prefix  string `json:"prefix"`
	Region  string `json:"region"`
	Scene   string `json:"sceneId"`
	Skip    *bool  `json:"skip_model_request"`
}

func (w *world) captcha() captcha {
	w.t.Helper()
	a := w.do("GET", "/api/v1/client/configs?app_version=3.14.4", "")
	var got struct {
		Configs struct {
			Captcha captcha `json:"captcha"`
			Preview struct {
				ID           string           `json:"planId"`
				Entitlements []map[string]any `json:"entitlements"`
			} `json:"startPlanPreview"`
		} `json:"configs"`
	}
	a.into(w.t, &got)
	c := got.Configs.Captcha
	if a.status != 200 || a.Code != 0 || c.Enabled == nil || c.Skip == nil || c.Prefix == "" || c.Region == "" || c.Scene == "" || got.Configs.Preview.ID == "" || len(got.Configs.Preview.Entitlements) == 0 {
		w.t.Fatalf("configs: %s", a.text)
	}
	return c
}

// solve gets a parameter as the widget does.
func (w *world) solve() string {
	w.t.Helper()
	c := w.captcha()
	body, err := json.Marshal(map[string]string{"sceneId": c.Scene, "prefix": c.Prefix, "region": c.Region})
	if err != nil {
		w.t.Fatal(err)
	}
	a := w.do("POST", "/captcha/verify", string(body), "Origin", "http://127.0.0.1:1")
	if a.header.Get("Access-Control-Allow-Origin") != "*" {
		w.t.Error("another origin cannot read the answer")
	}
	var param string
	a.into(w.t, &param)
	return param
}

func (w *world) ask(path, token, param string) answer {
	return w.do("POST", path, led, "Authorization", "Bearer "+token, "X-Aliyun-Captcha-Verify-Param", param, "X-Aliyun-Captcha-Verify-Region", "sgp")
}

func TestGatewayToken(t *testing.T) {
	w := newWorld(t, platform.Options{Key: "the.key"})
	l, gone := w.login("zai"), w.login("zai")
	w.Revoke(gone.Token)
	if a := w.ask(messagesPath, l.Token, ""); a.status != 200 || a.text != led || a.header.Get("X-Key") != l.Token || !strings.HasSuffix(a.header.Get("X-Path"), "/messages") {
		t.Errorf("its token: %d %s %v", a.status, a.text, a.header)
	}
	if a := w.ask(messagesPath, "the.key", ""); a.status != 200 {
		t.Errorf("the key that was set up: %d", a.status)
	}
	forged := l.Token[:strings.LastIndexByte(l.Token, '.')] + ".x"
	tests := []struct{ name, header, value string }{
		{"nothing", "X-Other", "x"},
		{"another header", "X-Api-Key", l.Token},
		{"no scheme", "Authorization", l.Token},
		{"access token", "Authorization", "Bearer " + l.access()},
		{"forged", "Authorization", "Bearer " + forged},
		{"a key", "Authorization", "Bearer a.b"},
		{"revoked", "Authorization", "Bearer " + gone.Token},
	}
	for _, test := range tests {
		for _, path := range []string{"POST " + messagesPath, "GET /api/v1/zcode-plan/billing/current", "GET /api/v1/zcode-plan/billing/balance"} {
			method, at, _ := strings.Cut(path, " ")
			if a := w.do(method, at, led, test.header, test.value); a.status != 401 || a.text != "" {
				t.Errorf("%s at %s: %d %q", test.name, at, a.status, a.text)
			}
		}
	}
	if n := w.Requests(l.Token); n != 1 {
		t.Errorf("%d requests counted", n)
	}
}

func TestGatewayCaptcha(t *testing.T) {
	w := newWorld(t, platform.Options{Captcha: true})
	if c := w.captcha(); *c.Skip || !*c.Enabled {
		t.Error("the configuration does not ask for it")
	}
	token := w.login("zai").Token
	refused := func(name, param string) {
		t.Helper()
		if a := w.ask(messagesPath, token, param); a.status != 400 || a.Code != 3007 || a.Msg != "captcha verify failed" || strings.Contains(a.text, "success") {
			t.Errorf("%s: %d %s", name, a.status, a.text)
		}
	}
	refused("none", "")
	refused("made up", base64.StdEncoding.EncodeToString([]byte(`{"certifyId":"x"}`)))
	param := w.solve()
	raw, err := base64.StdEncoding.DecodeString(param)
	var fields map[string]any
	if err != nil || json.Unmarshal(raw, &fields) != nil || fields["certifyId"] == "" || fields["sceneId"] != w.captcha().Scene || fields["isSign"] != true || fields["securityToken"] == "" {
		t.Errorf("parameter %s", raw)
	}
	if a := w.ask(messagesPath, token, param); a.status != 200 {
		t.Errorf("solved: %d %s", a.status, a.text)
	}
	refused("used", param)
	if a := w.ask(messagesPath, "x", w.solve()); a.status != 401 {
		t.Errorf("solved, but without a token: %d", a.status)
	}
}

func TestCaptchaSettings(t *testing.T) {
	for _, test := range []struct {
		o    platform.Options
		skip bool
	}{{platform.Options{}, true}, {platform.Options{Captcha: true}, false}, {platform.Options{Captcha: true, CaptchaHidden: true}, true}} {
		if c := newWorld(t, test.o).captcha(); *c.Skip != test.skip {
			t.Errorf("%+v: skip %v", test.o, *c.Skip)
		}
	}
	w := newWorld(t, platform.Options{})
	for _, body := range []string{``, `{}`, `{"sceneId":"other","prefix":"demo1a","region":"sgp"}`} {
		if a := w.do("POST", "/captcha/verify", body); a.status != 400 || a.Code == 0 {
			t.Errorf("%s: %d %s", body, a.status, a.text)
		}
	}
	preflight := w.do("OPTIONS", "/captcha/verify", "", "Origin", "http://127.0.0.1:1", "Access-Control-Request-Method", "POST", "Access-Control-Request-Headers", "content-type")
	if preflight.status/100 != 2 || preflight.header.Get("Access-Control-Allow-Origin") != "*" || !strings.EqualFold(preflight.header.Get("Access-Control-Allow-Headers"), "Content-Type") {
		t.Errorf("preflight: %d %v", preflight.status, preflight.header)
	}
}

func TestGatewaySystem(t *testing.T) {
	w := newWorld(t, platform.Options{})
	token := w.login("zai").Token
	tests := []struct {
		name, body string
		status     int
	}{
		{"two blocks", led, 200},
		{"three blocks", `{"system":[{"type":"text","text":"a"},{"type":"text","text":"b","cache_control":{"type":"ephemeral"}},{"type":"text","text":"c"}]}`, 200},
		{"none", `{}`, 405},
		{"null", `{"system":null}`, 405},
		{"a string", `{"system":"a\nb"}`, 405},
		{"one block", `{"system":[{"type":"text","text":"a"}]}`, 405},
		{"an empty block", `{"system":[{"type":"text","text":"a"},{"type":"text","text":""}]}`, 405},
		{"other blocks", `{"system":[{"type":"image","text":"a"},{"type":"text","text":"b"}]}`, 405},
		{"strings", `{"system":["a","b"]}`, 405},
		{"no JSON", `{`, 405},
	}
	for _, test := range tests {
		a := w.do("POST", messagesPath, test.body, "Authorization", "Bearer "+token)
		if a.status != test.status || test.status == 405 && (a.Code != 3012 || a.Msg != "method not allowed") {
			t.Errorf("%s: %d %s", test.name, a.status, a.text)
		}
	}
}

func TestGatewayWire(t *testing.T) {
	for _, test := range []struct {
		o              platform.Options
		answers, plain string
	}{
		{platform.Options{}, messagesPath, chatPath},
		{platform.Options{GatewayChat: true}, chatPath, messagesPath},
	} {
		w := newWorld(t, test.o)
		token := w.login("zai").Token
		if a := w.ask(test.answers, token, ""); a.status != 200 || a.text != led {
			t.Errorf("%s: %d %s", test.answers, a.status, a.text)
		}
		for _, path := range []string{test.plain, "/api/v1/zcode-plan/messages", "/api/v1/zcode-plan/usage"} {
			a := w.ask(path, token, "")
			if a.status != 404 || strings.TrimSpace(a.text) != "404 page not found" || !strings.HasPrefix(a.header.Get("Content-Type"), "text/plain") {
				t.Errorf("%s: %d %q", path, a.status, a.text)
			}
		}
	}
	w := newWorld(t, platform.Options{GatewayChat: true, Captcha: true})
	if a := w.ask(chatPath, w.login("zai").Token, ""); a.Code != 3007 {
		t.Errorf("chat without a captcha: %d %s", a.status, a.text)
	}
}

func TestAgentConfigs(t *testing.T) {
	w := newWorld(t, platform.Options{})
	want := `{"codingPlanSignature":{"enable":false},"proxyEndpoint":{"mapping":[]}}`
	if a := w.do("GET", "/api/v1/agent/configs", ""); a.Code != 0 || string(a.Data) != want {
		t.Errorf("%s", a.text)
	}
}

func TestBilling(t *testing.T) {
	w := newWorld(t, platform.Options{})
	token := w.login("zai").Token
	w.ask(messagesPath, token, "")
	get := func(path, device string) answer {
		return w.do(http.MethodGet, "/api/v1/zcode-plan/billing/"+path, "", "Authorization", "Bearer "+token, "X-Device-Mid", device)
	}
	a := get("balance?app_version=3.14.4&platform=linux-x64", "d")
	var balance struct {
		Balances []struct {
			Name    string `json:"show_name"`
			Total   int    `json:"total_units"`
			Used    int    `json:"used_units"`
			Left    int    `json:"remaining_units"`
			Expires int64  `json:"expires_at"`
		} `json:"balances"`
	}
	a.into(t, &balance)
	if a.Code != 0 || len(balance.Balances) != 2 {
		t.Fatalf("balance: %s", a.text)
	}
	first := balance.Balances[0]
	if first.Name != "GLM-5.3" || first.Used == 0 || first.Left != first.Total-first.Used || first.Expires != 1790870400 { // the next midnight in Beijing
		t.Errorf("balance: %s", a.text)
	}
	for path, device := range map[string]string{"balance": "d", "balance?app_version=": "d", "balance?app_version=3.14.4": ""} {
		if a := get(path, device); a.status != 400 || a.Code != 3001 {
			t.Errorf("%s, device %q: %d %s", path, device, a.status, a.text)
		}
	}
	a = get("current", "")
	var current struct {
		Plans []map[string]any `json:"plans"`
	}
	a.into(t, &current)
	if a.status != 200 || len(current.Plans) != 1 {
		t.Fatalf("current: %d %s", a.status, a.text)
	}
	for _, name := range []string{"plan_id", "name", "status", "total_units", "used_units", "available_units", "period_end", "capabilities", "entitlements"} {
		if current.Plans[0][name] == nil {
			t.Errorf("current has no %s: %s", name, a.text)
		}
	}
	if a := get("preview", "d"); a.status != 404 {
		t.Errorf("preview: %d", a.status)
	}
}
