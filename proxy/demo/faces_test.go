package demo

import (
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"

	"glmtray/proxy/demo/platform"
)

// logIn logs in to the server and returns the token of the start plan and an API key.
func logIn(t *testing.T, base string) (jwt, key string) {
	t.Helper()
	const redirect = "zcode://oauth/callback"
	form := url.Values{"provider": {"bigmodel"}, "redirect": {redirect}, "state": {"s"}, "answer": {"allow"}}
	_, page := do(t, "POST", base+"/_demo/decide", form.Encode(), http.Header{"Content-Type": {"application/x-www-form-urlencoded"}})
	_, after, _ := strings.Cut(page, "authCode=")
	code, _, _ := strings.Cut(after, "&")
	_, body := do(t, "POST", base+"/api/v1/oauth/token", `{"provider":"bigmodel","code":"`+code+`","redirect_uri":"`+redirect+`"}`, nil)
	var got struct {
		Data struct {
			Token    string `json:"token"`
			Bigmodel struct {
				Access string `json:"access_token"`
			} `json:"bigmodel"`
		} `json:"data"`
	}
	if err := json.Unmarshal([]byte(body), &got); err != nil || got.Data.Token == "" {
		t.Fatalf("no tokens: %v in %s", err, body)
	}
	own := http.Header{"Authorization": {got.Data.Bigmodel.Access}}
	const keys = "/api/biz/v1/organization/org-demo-2/projects/proj_demo_2/api_keys"
	var made struct {
		Data struct {
			ID     string `json:"apiKey"`
			Secret string `json:"secretKey"`
		} `json:"data"`
	}
	for _, call := range []struct{ method, path, body string }{{"POST", "", `{"name":"k"}`}, {"GET", "/copy/", ""}} {
		path := keys + call.path
		if call.path != "" {
			path += made.Data.ID
		}
		if _, body = do(t, call.method, base+path, call.body, own); json.Unmarshal([]byte(body), &made) != nil || made.Data.ID == "" {
			t.Fatalf("no key: %s", body)
		}
	}
	return got.Data.Token, made.Data.ID + "." + made.Data.Secret
}

// What a login gave is good for the models until it is revoked.
func TestIssuedCredentials(t *testing.T) {
	s := New(Options{})
	server := httptest.NewServer(s)
	t.Cleanup(server.Close)
	jwt, key := logIn(t, server.URL)
	led := `{"system":[{"type":"text","text":"a"},{"type":"text","text":"b"}],` + hello[1:]
	ask := func(path, credential, body string) (int, string) {
		resp, text := do(t, "POST", server.URL+path, body, http.Header{"Authorization": {"Bearer " + credential}})
		return resp.StatusCode, text
	}
	const gateway = "/api/v1/zcode-plan/anthropic/v1/messages"
	tests := []struct {
		path, credential, body  string
		before, after           int
		wantBefore, wantRevoked string
	}{
		{"/api/anthropic/v1/messages", key, hello, 200, 401, `"type":"message"`, `"type":"401"`},
		{"/api/coding/paas/v4/chat/completions", key, hello, 200, 401, `"finish_reason":"stop"`, `"code":"1003"`},
		{gateway, jwt, led, 200, 401, `"type":"message"`, ""},
	}
	for _, test := range tests {
		if status, text := ask(test.path, test.credential, test.body); status != test.before || !strings.Contains(text, test.wantBefore) {
			t.Errorf("%s: %d %s", test.path, status, text)
		}
	}
	if status, text := ask(gateway, jwt, hello); status != 405 || !strings.Contains(text, `"code":3012`) {
		t.Errorf("without the system blocks: %d %s", status, text)
	}
	s.Platform().Revoke(key)
	s.Platform().Revoke(jwt)
	for _, test := range tests {
		if status, text := ask(test.path, test.credential, test.body); status != test.after || !strings.Contains(text, test.wantRevoked) {
			t.Errorf("%s, revoked: %d %s", test.path, status, text)
		}
	}
	if k, j := s.Platform().Requests(key), s.Platform().Requests(jwt); k != 4 || j != 3 {
		t.Errorf("counted %d with the key, %d with the token", k, j)
	}
}

// A judge refuses one account of a pool with a code of its choice.
func TestJudge(t *testing.T) {
	server := serve(t, Options{Now: noon, Judge: func(credential string) int {
		return map[string]int{"used.up": 1308, "locked.out": 1112, "too.fast": 1302}[credential]
	}})
	for credential, want := range map[string]struct {
		status int
		text   string
	}{
		"good.one":   {200, `"type":"message"`},
		"used.up":    {429, "[1308][Usage limit reached for 5 hour. Your limit will reset at 2026-10-01 23:00:00]"},
		"locked.out": {403, "[1112]"},
		"too.fast":   {429, "[1302]"},
	} {
		resp, text := do(t, "POST", server.URL+"/v1/messages", hello, http.Header{"X-Api-Key": {credential}})
		if resp.StatusCode != want.status || !strings.Contains(text, want.text) {
			t.Errorf("%s: %d %s", credential, resp.StatusCode, text)
		}
	}
}

// Faults reach the models too, and the list of paths tells of everything.
func TestFaultsAndPaths(t *testing.T) {
	broken := serve(t, Options{Platform: platform.Options{Fault: platform.Fault{Status: http.StatusBadGateway}.Serve}})
	if resp, _ := do(t, "POST", broken.URL+"/v1/messages", hello, nil); resp.StatusCode != http.StatusBadGateway {
		t.Errorf("a broken server: %d", resp.StatusCode)
	}
	_, text := do(t, "GET", serve(t, Options{}).URL+"/", "", nil)
	for _, path := range platform.Paths() {
		if !strings.Contains(text, path) {
			t.Errorf("GET / does not list %s", path)
		}
	}
}
