package proxy

import (
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"glmtray/proxy/secret"
	"glmtray/proxy/upstream"
)

const proxyKey = "the-key-of-the-proxy"

func TestGuard(t *testing.T) {
	for name, tc := range map[string]struct {
		key, host, peer string
		header          map[string]string
		path            string
		want            int
	}{
		"this machine":                     {want: 200},
		"by name":                          {host: "localhost:8080", want: 200},
		"by a name below localhost":        {host: "glm.localhost", want: 200},
		"IPv6":                             {host: "[::1]:8080", peer: "[::1]:5000", want: 200},
		"IPv4 in IPv6":                     {peer: "[::ffff:127.0.0.1]:5000", want: 200},
		"another machine":                  {peer: "192.0.2.7:5000", want: 403},
		"a foreign name for this machine":  {host: "evil.example:8080", want: 403},
		"a name that begins like loopback": {host: "127.0.0.1.evil.example", want: 403},
		"no host":                          {host: "-", want: 403},
		"a page of this machine":           {header: map[string]string{"Origin": "http://localhost:3000"}, want: 200},
		"a page of the web":                {header: map[string]string{"Origin": "https://evil.example"}, want: 403},
		"a page without an origin":         {header: map[string]string{"Origin": "null"}, want: 403},
		"an extension":                     {header: map[string]string{"Origin": "chrome-extension://abc"}, want: 403},
		"a key is asked for":               {key: proxyKey, want: 401},
		"a wrong key":                      {key: proxyKey, header: map[string]string{"X-Api-Key": "other"}, want: 401},
		"the key as a bearer token":        {key: proxyKey, header: map[string]string{"Authorization": "Bearer " + proxyKey}, want: 200},
		"the scheme in lower case":         {key: proxyKey, header: map[string]string{"Authorization": "bearer  " + proxyKey}, want: 200},
		"the key in x-api-key":             {key: proxyKey, header: map[string]string{"X-Api-Key": proxyKey}, want: 200},
		"the key beside another":           {key: proxyKey, header: map[string]string{"X-Api-Key": "other", "Authorization": "Bearer " + proxyKey}, want: 200},
		"the key from anywhere":            {key: proxyKey, peer: "192.0.2.7:5000", host: "server.example", header: map[string]string{"X-Api-Key": proxyKey, "Origin": "https://app.example"}, want: 200},
		"the key under basic":              {key: proxyKey, header: map[string]string{"Authorization": "Basic " + proxyKey}, want: 401},
		"health is open":                   {key: proxyKey, peer: "192.0.2.7:5000", path: "/health", want: 200},
		"docs are not":                     {key: proxyKey, path: "/docs", want: 401},
	} {
		t.Run(name, func(t *testing.T) {
			s := newServer(t, upstream.Bases{OpenAI: "http://127.0.0.1:1/v1"}, func(c *Config) { c.ProxyKey = secret.New(tc.key) })
			r := httptest.NewRequest(http.MethodGet, "http://127.0.0.1:8080/v1/models", nil)
			if tc.path != "" {
				r.URL.Path = tc.path
			}
			r.RemoteAddr = "127.0.0.1:5000"
			if tc.peer != "" {
				r.RemoteAddr = tc.peer
			}
			if tc.host != "" {
				r.Host = strings.TrimPrefix(tc.host, "-")
			}
			for k, v := range tc.header {
				r.Header.Set(k, v)
			}
			w := httptest.NewRecorder()
			if s.ServeHTTP(w, r); w.Code != tc.want {
				t.Errorf("status %d, want %d: %s", w.Code, tc.want, w.Body)
			}
			if strings.Contains(w.Body.String(), proxyKey) || w.Header().Get("Access-Control-Allow-Origin") != "" {
				t.Error("the answer tells too much:", w.Header(), w.Body)
			}
		})
	}
}

func TestHealthTellsTheWorldLittle(t *testing.T) {
	url := serveProxy(t, upstream.Bases{OpenAI: "http://127.0.0.1:1/v1"}, func(c *Config) { c.ProxyKey = secret.New(proxyKey) })
	if _, body := get(t, url+"/health", nil); string(body) != "{\"status\":\"ok\"}\n" {
		t.Errorf("%s", body)
	}
	if _, body := get(t, url+"/", nil); string(body) != "ok\n" {
		t.Errorf("%s", body)
	}
	_, body := get(t, url+"/health", http.Header{"X-Api-Key": {proxyKey}})
	var details struct {
		Version, Provider, Plan string
		Active                  int
	}
	if err := json.Unmarshal(body, &details); err != nil || details.Version != "test" || details.Provider != "custom" || details.Plan != "coding-plan" || details.Active != 0 {
		t.Errorf("%v %s", err, body)
	}
}

func TestRoutes(t *testing.T) {
	url := serveProxy(t, upstream.Bases{OpenAI: "http://127.0.0.1:1/v1"}, func(c *Config) {
		c.Docs, c.OpenAPI = []byte("<html>"), []byte(`{"openapi":"3.1.0"}`)
	})
	for _, tc := range []struct {
		method, path string
		want         int
		has          string
	}{
		{"GET", "/", 200, "is running"}, {"HEAD", "/", 200, ""}, {"GET", "/v1", 200, ""}, {"GET", "/v1/", 200, ""},
		{"GET", "/health", 200, `"ok"`}, {"GET", "/docs", 200, "<html>"}, {"GET", "/openapi.json", 200, "3.1.0"}, {"GET", "/docs/", 200, ""},
		{"GET", "/v1/models", 200, `"object":"list"`}, {"GET", "/models", 200, ""}, {"GET", "/v1/v1/models/", 200, ""}, {"GET", "//v1//models?limit=1000", 200, ""},
		{"GET", "/v1/models/glm-4.6", 200, `"id":"glm-4.6"`}, {"GET", "/v1/models/GLM-4.5", 200, `"id":"glm-4.5"`}, {"GET", "/v1/models/gpt-9", 404, "gpt-9"},
		{"GET", "/v1/nothing", 404, "/v1/nothing"}, {"GET", "/v1x/models", 404, ""},
		{"GET", "/v1/chat/completions", 405, "POST"}, {"DELETE", "/v1/messages", 405, `"type":"error"`}, {"POST", "/v1/models", 405, "GET"}, {"PUT", "/v1/responses/x", 405, "GET or DELETE"},
	} {
		req, err := http.NewRequestWithContext(t.Context(), tc.method, url+tc.path, nil)
		if err != nil {
			t.Fatal(err)
		}
		resp, body := do(t, req)
		if resp.StatusCode != tc.want || !strings.Contains(string(body), tc.has) {
			t.Errorf("%s %s: %d %s", tc.method, tc.path, resp.StatusCode, body)
		}
		if tc.path == "/v1/responses/x" && resp.Header.Get("Allow") != "GET, DELETE" {
			t.Errorf("%s %s: Allow is %s", tc.method, tc.path, resp.Header.Get("Allow"))
		}
		if tc.want == 405 && resp.Header.Get("Allow") == "" {
			t.Errorf("%s %s: no Allow", tc.method, tc.path)
		}
	}
}

func TestModelsInTheCallersShape(t *testing.T) { // case 148
	url := serveProxy(t, upstream.Bases{OpenAI: "http://127.0.0.1:1/v1"}, nil)
	anthropic := http.Header{"Anthropic-Version": {"2023-06-01"}}
	_, body := get(t, url+"/v1/models?limit=1000", anthropic)
	var list struct {
		Data []struct {
			Type, ID    string
			DisplayName string `json:"display_name"`
			CreatedAt   string `json:"created_at"`
		}
		HasMore bool   `json:"has_more"`
		FirstID string `json:"first_id"`
		LastID  string `json:"last_id"`
	}
	if err := json.Unmarshal(body, &list); err != nil {
		t.Fatal(err)
	}
	n := len(list.Data)
	if n < 9 || list.Data[0].Type != "model" || list.Data[0].DisplayName == "" || list.Data[0].CreatedAt == "" || list.FirstID != list.Data[0].ID || list.LastID != list.Data[n-1].ID {
		t.Errorf("%s", body)
	}
	if _, body := get(t, url+"/v1/models/glm-5.2", anthropic); !strings.Contains(string(body), `"display_name":"GLM-5.2"`) {
		t.Errorf("%s", body)
	}
	if resp, body := get(t, url+"/v1/models/x", anthropic); resp.StatusCode != 404 || !strings.Contains(string(body), `"not_found_error"`) {
		t.Errorf("%s", body)
	}
	for _, want := range []string{"glm-4.5-air", "glm-4.6", "glm-4.6v", "glm-4.7", "glm-5", "glm-5-turbo", "glm-5v-turbo", "glm-5.1", "glm-5.2"} {
		if _, body := get(t, url+"/v1/models", nil); !strings.Contains(string(body), `"`+want+`"`) {
			t.Errorf("%s is not listed", want)
		}
	}
}
