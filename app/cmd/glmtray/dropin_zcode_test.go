package main_test

import (
	"bytes"
	"compress/gzip"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"glmtray/proxy/demo"
)

// zcodeFile is a config file of zcode-proxy with all that it documents.
const zcodeFile = `# Coding plan
server:
  port: 8080
auth:
  mode: apikey
  apiKey: "` + ownKey + `"
  proxyApiKey: "` + proxyKey + `"
provider: zai
plan: coding-plan
providers:
  zai:
    credential: ""
  bigmodel:
    credential: ""
identity:
  appVersion: "3.2.2"
  sourceTitle: cli
  refererOrigin: https://zcode.z.ai
`

// zcode is zcode-proxy's setup, and the provider that it reaches. Where that is stands in
// a variable, so that its own file is as its users have it.
func zcode(t *testing.T, s setup) (setup, *recorder) {
	t.Helper()
	upstream := newRecorder(t)
	return setup{env: []string{"UPSTREAM_BASE=" + upstream.url + "/api/anthropic"}}.with(s), upstream
}

// zcodeAnswers holds that a setup is zcode-proxy's documented one.
func zcodeAnswers(t *testing.T, s setup) {
	t.Helper()
	s, upstream := zcode(t, s)
	running := s.serve(t)
	ask(t, running.url+chatPath, conversation("Hello", false), "Authorization", "Bearer "+proxyKey)
	headers(t, upstream.only(t).header, map[string]string{"X-Api-Key": ownKey, "User-Agent": "ZCode/3.2.2"})
}

// zcodeEnv is zcode-proxy in a container that is set up by its environment alone.
var zcodeEnv = setup{env: []string{"ZCODE_API_KEY=" + ownKey, "ZCODE_PROXY_API_KEY=" + proxyKey, "ZCODE_PROVIDER=zai"}}

// TestDropInZcodeProxy stands in for zcode-proxy.
func TestDropInZcodeProxy(t *testing.T) {
	t.Parallel()
	rows := zcodeStart()
	rows = append(rows, zcodeSettings()...)
	rows = append(rows, zcodeCredentials()...)
	rows = append(rows, zcodeIdentity()...)
	rows = append(rows, zcodeEndpoints()...)
	rows = append(rows, zcodeRequests()...)
	rows = append(rows, zcodeStartPlan()...)
	rows = append(rows, zcodeChecks()...)
	eachRow(t, rows)
}

func zcodeStart() []row {
	file := map[string]string{"config.yaml": zcodeFile}
	return []row{
		{"serve, config.yaml in the working directory", "", func(t *testing.T) { zcodeAnswers(t, setup{files: file}) }},
		{"serve FILE", "", func(t *testing.T) {
			zcodeAnswers(t, setup{files: map[string]string{"mine.yaml": zcodeFile}, args: []string{"mine.yaml"}})
			setup{args: []string{"mine.yaml"}}.refused(t, `no file "mine.yaml"`, "config file")
			setup{files: file, args: []string{"config.yaml", "--config", "other.yaml"}}.refused(t, "config.yaml", "other.yaml")
		}},
		{"ZCODE_PROXY_CONFIG", "", func(t *testing.T) {
			zcodeAnswers(t, setup{files: map[string]string{"mine.yaml": zcodeFile}, env: []string{"ZCODE_PROXY_CONFIG=mine.yaml"}})
		}},
		{"environment alone", "", func(t *testing.T) { zcodeAnswers(t, zcodeEnv) }},
		{"/data/config.yaml in a container", "a file that is named must be there: with /data as the working directory it need not", func(t *testing.T) {
			s, _ := zcode(t, zcodeEnv)
			m := s.machine(t)
			data := filepath.Join(m.home, "data", "config.yaml")
			env := append(s.env, "ZCODE_PROXY_CONFIG="+data)
			if got := m.run(t, env, "serve"); got.code != 2 {
				t.Errorf("exit code %d", got.code)
			} else {
				wants(t, got.stderr, data+": does not exist (named by ZCODE_PROXY_CONFIG)")
			}
			if err := os.Mkdir(filepath.Dir(data), 0o700); err != nil {
				t.Fatal(err)
			}
			writeFile(t, data, zcodeFile)
			if err := os.Chmod(data, 0o400); err != nil { // as it is mounted
				t.Fatal(err)
			}
			running := m.serve(t, env, "--port", "0")
			ask(t, running.url+"/v1/models", "", "X-Api-Key", proxyKey)
		}},
		{"a published port of a container", "it listens on 127.0.0.1 unless server.host says otherwise, and then only with a key for clients", func(t *testing.T) {
			if host := zcodeEnv.inForce(t, "server.host"); host != "127.0.0.1" {
				t.Errorf("it listens on %s", host)
			}
			setup{env: []string{"ZCODE_API_KEY=" + ownKey, "ZCODE_PROXY_HOST=0.0.0.0"}}.refused(t, "auth.proxyApiKey", "ZCODE_PROXY_API_KEY")
			running := zcodeEnv.with(setup{env: []string{"ZCODE_PROXY_HOST=0.0.0.0"}}).serve(t)
			ask(t, running.url+"/v1/models", "", "X-Api-Key", proxyKey)
		}},
	}
}

func zcodeSettings() []row {
	return []row{
		{"server.port", "", func(t *testing.T) {
			if port := (setup{}).inForce(t, "server.port"); port != "8080" {
				t.Errorf("the default is %s", port)
			}
			port := freePort(t)
			m := setup{files: map[string]string{"config.yaml": strings.Replace(zcodeFile, "8080", port, 1)}}.machine(t)
			if running := m.serve(t, nil); !strings.HasSuffix(running.url, ":"+port) {
				t.Errorf("it listens on %s, want port %s", running.url, port)
			}
		}},
		{"ZCODE_PROXY_PORT", "", func(t *testing.T) {
			port := freePort(t)
			m := setup{files: map[string]string{"config.yaml": zcodeFile}}.machine(t)
			if running := m.serve(t, []string{"ZCODE_PROXY_PORT=" + port}); !strings.HasSuffix(running.url, ":"+port) {
				t.Errorf("it listens on %s, want port %s", running.url, port)
			}
			setup{env: []string{"ZCODE_PROXY_PORT=web"}}.refused(t, "ZCODE_PROXY_PORT: server.port", "from 0 to 65535")
		}},
		{"provider", "", func(t *testing.T) {
			s, upstream := zcode(t, setup{files: map[string]string{"config.yaml": strings.Replace(zcodeFile, "provider: zai", "provider: bigmodel", 1)}})
			running := s.serve(t)
			ask(t, running.url+messagesPath, conversation("Hello", false), "X-Api-Key", proxyKey)
			wants(t, ask(t, running.url+"/health", "", "X-Api-Key", proxyKey), `"provider":"bigmodel"`)
			upstream.only(t)
		}},
		{"ZCODE_PROVIDER", "", func(t *testing.T) {
			s, upstream := zcode(t, zcodeEnv.with(setup{env: []string{"ZCODE_PROVIDER=bigmodel"}}))
			ask(t, s.serve(t).url+messagesPath, conversation("Hello", false), "X-Api-Key", proxyKey)
			upstream.only(t)
			setup{env: []string{"ZCODE_PROVIDER=zia"}}.refused(t, "ZCODE_PROVIDER: provider", "did you mean zai?")
		}},
		{"plan", "", func(t *testing.T) {
			for _, plan := range []string{"coding-plan", "start-plan"} {
				s := setup{files: map[string]string{"config.yaml": strings.Replace(zcodeFile, "plan: coding-plan", "plan: "+plan, 1)}}
				if got := s.inForce(t, "plan"); got != plan {
					t.Errorf("the plan is %s", got)
				}
			}
			setup{files: map[string]string{"config.yaml": "plan: coding\n"}}.refused(t, "config.yaml:1:7: plan", "coding-plan")
		}},
		{"models and defaultModel", "every model goes upstream and the list of models is built in, so both are told to have no meaning", func(t *testing.T) {
			s, _ := zcode(t, setup{files: map[string]string{"config.yaml": zcodeFile + "defaultModel: glm-4.6\nmodels:\n  - glm-4.6\n"}})
			running := s.serve(t)
			wants(t, running.stderr.String(), "models is not used", "defaultModel is not used")
		}},
	}
}

func zcodeCredentials() []row {
	return []row{
		{"auth.mode: apikey", "", func(t *testing.T) {
			s, upstream := zcode(t, setup{files: map[string]string{"config.yaml": zcodeFile}})
			ask(t, s.serve(t).url+messagesPath, conversation("Hello", false), "X-Api-Key", proxyKey, "Authorization", "Bearer "+clientKey)
			headers(t, upstream.only(t).header, map[string]string{"X-Api-Key": ownKey, "Authorization": ""})
		}},
		{"auth.mode: oauth, ~/.zcode-proxy/credentials.json", "accounts lie in a vault of our own, so one logs in once more", func(t *testing.T) {
			s, upstream := zcode(t, setup{files: map[string]string{"config.yaml": strings.Replace(zcodeFile, "mode: apikey", "mode: oauth", 1)}})
			m := s.machine(t)
			if err := os.Mkdir(filepath.Join(m.home, ".zcode-proxy"), 0o700); err != nil {
				t.Fatal(err)
			}
			writeFile(t, filepath.Join(m.home, ".zcode-proxy", "credentials.json"), `{"sealed":"x"}`)
			status, answer := fetch(t, m.serve(t, s.env, "--port", "0").url+messagesPath, conversation("Hello", false), "X-Api-Key", proxyKey)
			if status != http.StatusUnauthorized || len(upstream.requests()) > 0 {
				t.Errorf("%d, and %d requests went upstream", status, len(upstream.requests()))
			}
			wants(t, answer, "no account is logged in", "glmtray auth login zai")
		}},
		{"auth login zai|bigmodel", "", func(t *testing.T) {
			for _, provider := range []string{"zai", "bigmodel"} {
				var seen credentials
				p := newProvider(t, demo.Options{Judge: seen.judge})
				s := newShell(t, p)
				s.configure(t, p.config("provider: "+provider+"\nauth:\n  mode: oauth\n"))
				s.logIn(t, provider)
				ask(t, s.serveHere(t).url+chatPath, conversation("Hello", false))
				if !p.Platform().Issued(seen.last()) {
					t.Errorf("%s: %q went upstream", provider, seen.last())
				}
			}
		}},
		{"auth login zai --import", "", func(t *testing.T) {
			var seen credentials
			s := newShell(t, newProvider(t, demo.Options{Judge: seen.judge}), "USERPROFILE=", "ZCODE_HOME=")
			folder := filepath.Join(s.home, ".zcode", "v2")
			if err := os.MkdirAll(folder, 0o700); err != nil {
				t.Fatal(err)
			}
			writeFile(t, filepath.Join(folder, "config.json"), fmt.Sprintf(`{"provider":{"builtin:zai-coding-plan":{"enabled":true,"options":{"apiKey":%q}}}}`, apiKey(5)))
			wants(t, s.must(t, "", "login", "zai", "--import").stdout, "Z.AI (ZCode): zai, coding-plan")
			ask(t, s.serveHere(t).url+chatPath, conversation("Hello", false))
			if seen.last() != apiKey(5) {
				t.Errorf("%q went upstream", seen.last())
			}
		}},
		{"auth.apiKey", "", func(t *testing.T) {
			// Bigmodel's has no dot in it.
			const bigmodelKey = "bbbb5678901234567890PLANTEDbigmodelKEYcccc"
			file := strings.NewReplacer("provider: zai", "provider: bigmodel", ownKey, bigmodelKey).Replace(zcodeFile)
			s, upstream := zcode(t, setup{files: map[string]string{"config.yaml": file}})
			ask(t, s.serve(t).url+messagesPath, conversation("Hello", false), "X-Api-Key", proxyKey)
			headers(t, upstream.only(t).header, map[string]string{"X-Api-Key": bigmodelKey})
		}},
		{"ZCODE_API_KEY", "", func(t *testing.T) {
			s, upstream := zcode(t, setup{files: map[string]string{"config.yaml": zcodeFile}, env: []string{"ZCODE_API_KEY=" + clientKey}})
			ask(t, s.serve(t).url+messagesPath, conversation("Hello", false), "X-Api-Key", proxyKey)
			headers(t, upstream.only(t).header, map[string]string{"X-Api-Key": clientKey})
		}},
		{"auth.proxyApiKey", "", func(t *testing.T) {
			zcodeGuards(t, setup{files: map[string]string{"config.yaml": zcodeFile}}, proxyKey)
		}},
		{"ZCODE_PROXY_API_KEY", "", func(t *testing.T) {
			const another = "gggg-PLANTED-another-key-hhhh"
			zcodeGuards(t, setup{files: map[string]string{"config.yaml": zcodeFile}, env: []string{"ZCODE_PROXY_API_KEY=" + another}}, another)
		}},
		{"providers.<p>.credential", "", func(t *testing.T) {
			for _, provider := range []string{"zai", "bigmodel"} {
				file := strings.Replace(zcodeFile, provider+":\n    credential: \"\"", provider+":\n    credential: "+clientKey, 1)
				s, upstream := zcode(t, setup{files: map[string]string{"config.yaml": file}})
				ask(t, s.serve(t).url+messagesPath, conversation("Hello", false), "X-Api-Key", proxyKey)
				want := map[string]string{"zai": clientKey, "bigmodel": ownKey}[provider] // zai is in use
				headers(t, upstream.only(t).header, map[string]string{"X-Api-Key": want})
			}
		}},
	}
}

// zcodeGuards holds that a key opens all of the API, and nothing else does.
func zcodeGuards(t *testing.T, s setup, key string) {
	t.Helper()
	s, _ = zcode(t, s)
	running := s.serve(t)
	for _, path := range []string{chatPath, messagesPath, "/v1/models"} {
		body := conversation("Hello", false)
		if path == "/v1/models" {
			body = ""
		}
		for name, tc := range map[string]struct {
			header []string
			status int
		}{
			"Bearer":    {[]string{"Authorization", "Bearer " + key}, http.StatusOK},
			"x-api-key": {[]string{"X-Api-Key", key}, http.StatusOK},
			"another":   {[]string{"X-Api-Key", "another"}, http.StatusUnauthorized},
			"none":      {nil, http.StatusUnauthorized},
		} {
			if status, answer := fetch(t, running.url+path, body, tc.header...); status != tc.status {
				t.Errorf("%s with %s: %d %s", path, name, status, answer)
			}
		}
	}
}

func zcodeIdentity() []row {
	header := func(t *testing.T, s setup) http.Header {
		t.Helper()
		s, upstream := zcode(t, zcodeEnv.with(s))
		ask(t, s.serve(t).url+messagesPath, conversation("Hello", false), "X-Api-Key", proxyKey)
		return upstream.only(t).header
	}
	both := func(key, variable, value string, want map[string]string) []row {
		_, name, _ := strings.Cut(key, ".")
		return []row{
			{key, "", func(t *testing.T) {
				headers(t, header(t, setup{files: map[string]string{"config.yaml": "identity:\n  " + name + ": " + value + "\n"}}), want)
			}},
			{variable, "", func(t *testing.T) { headers(t, header(t, setup{env: []string{variable + "=" + value}}), want) }},
		}
	}
	rows := both("identity.appVersion", "ZCODE_APP_VERSION", "3.9.9", map[string]string{"User-Agent": "ZCode/3.9.9", "X-ZCode-App-Version": "3.9.9"})
	rows = append(rows, both("identity.sourceTitle", "ZCODE_SOURCE_TITLE", "electron", map[string]string{"X-Title": "Z Code@electron"})...)
	rows = append(rows, both("identity.refererOrigin", "ZCODE_REFERER_ORIGIN", "https://z.example", map[string]string{"HTTP-Referer": "https://z.example"})...)
	return append(rows, row{"User-Agent, X-Title, HTTP-Referer, X-ZCode-* and trace headers", "", func(t *testing.T) {
		got := header(t, setup{})
		headers(t, got, map[string]string{
			"User-Agent": "ZCode/3.2.2", "X-Title": "Z Code@cli", "HTTP-Referer": "https://zcode.z.ai", "X-ZCode-App-Version": "3.2.2", "X-ZCode-Agent": "glm",
			"X-Api-Key": ownKey, "Anthropic-Version": "2023-06-01", "Authorization": "",
		})
		for _, name := range []string{"X-Platform", "X-Request-Id", "X-ZCode-Trace-Id", "X-Query-Id", "X-Session-Id", "X-ZCode-Session-Type"} {
			if got.Get(name) == "" {
				t.Errorf("%s is missing", name)
			}
		}
	}})
}

func zcodeEndpoints() []row {
	stream := func(path string) func(t *testing.T) {
		return func(t *testing.T) {
			s := setup{env: []string{"ZCODE_PROVIDER=demo", "ZCODE_PROXY_API_KEY=" + proxyKey}}.serve(t)
			wants(t, ask(t, s.url+path, conversation("Hello", false), "X-Api-Key", proxyKey), tellHello)
			// The first words come while the others are not yet there.
			reading := startStream(t, s.url+path, "demo:long 40", "X-Api-Key", proxyKey)
			if reading.over {
				t.Error("the stream came as a whole")
			}
			reading.whole(t, 40)
		}
	}
	return []row{
		{"POST /v1/chat/completions, streaming and not", "", stream(chatPath)},
		{"POST /v1/messages, streaming and not", "", stream(messagesPath)},
		{"GET /v1/models", "", func(t *testing.T) {
			s, _ := zcode(t, zcodeEnv)
			ids := modelIDs(t, ask(t, s.serve(t).url+"/v1/models", "", "Authorization", "Bearer "+proxyKey))
			for id, context := range map[string]float64{
				"glm-4.5-air": 131072, "glm-4.6": 204800, "glm-4.6v": 131072, "glm-4.7": 204800, "glm-5": 204800,
				"glm-5-turbo": 200000, "glm-5v-turbo": 200000, "glm-5.1": 200000, "glm-5.2": 1000000,
			} {
				if got := ids[id]["context_length"]; got != context {
					t.Errorf("%s: %v tokens, want %v", id, got, context)
				}
			}
		}},
		{"GET /health", "anybody may see that it is up, and only who has the key may see more", func(t *testing.T) {
			s, _ := zcode(t, zcodeEnv)
			running := s.serve(t)
			if world := ask(t, running.url+"/health", ""); strings.TrimSpace(world) != `{"status":"ok"}` {
				t.Errorf("the world sees %s", world)
			}
			wants(t, ask(t, running.url+"/health", "", "X-Api-Key", proxyKey), `"plan":"coding-plan"`)
		}},
		{"models that are not listed", "", func(t *testing.T) {
			s, upstream := zcode(t, zcodeEnv)
			ask(t, s.serve(t).url+messagesPath, strings.Replace(conversation("Hello", false), "glm-4.6", "glm-9-unheard-of", 1), "X-Api-Key", proxyKey)
			fields(t, upstream.only(t).body, map[string]string{"model": `"glm-9-unheard-of"`})
		}},
	}
}

func zcodeRequests() []row {
	return []row{
		{"coding plan: chat is translated to Messages", "", func(t *testing.T) {
			s, upstream := zcode(t, zcodeEnv)
			wants(t, ask(t, s.serve(t).url+chatPath, conversation("Hello", false), "X-Api-Key", proxyKey), `"chat.completion"`, "Yes.")
			if got := upstream.only(t); got.path != "/api/anthropic/v1/messages" {
				t.Errorf("it went to %s", got.path)
			}
		}},
		{"coding plan: Messages is passed through, with cache_control on the last message", "", func(t *testing.T) {
			s, upstream := zcode(t, zcodeEnv)
			const body = `{"model":"glm-4.6", "max_tokens":9,"unknown":[1, 2],"messages":[{"role":"user","content":[{"type":"text","text":"Hello"}]}]}`
			ask(t, s.serve(t).url+messagesPath, body, "X-Api-Key", proxyKey)
			want := strings.Replace(body, `{"type":"text"`, `{"cache_control":{"type":"ephemeral"},"type":"text"`, 1)
			if got := upstream.only(t); got.body != want {
				t.Errorf("the body has become %s", got.body)
			}
		}},
		{"metadata.user_id of a login", "", func(t *testing.T) {
			p := newProvider(t, demo.Options{})
			s := newShell(t, p)
			upstream := newRecorder(t)
			s.logIn(t, "zai")
			s.env = append(s.env, "UPSTREAM_BASE="+upstream.url)
			ask(t, s.serveHere(t).url+messagesPath, conversation("Hello", false))
			wants(t, upstream.only(t).body, `"metadata":{"user_id":"`)
		}},
		{"chat streaming: stream_options.include_usage", "the coding plan's chat clients are translated by default; providers.<p>.chatVia: chat passes them through", func(t *testing.T) {
			upstream := newRecorder(t)
			s := zcodeEnv.with(setup{files: map[string]string{
				"config.yaml": "providers:\n  zai:\n    chatVia: chat\n    openaiBase: " + upstream.url + "/api/coding/paas/v4\n",
			}})
			ask(t, s.serve(t).url+chatPath, conversation("Hello", true), "X-Api-Key", proxyKey)
			got := upstream.only(t)
			if got.path != "/api/coding/paas/v4/chat/completions" {
				t.Errorf("it went to %s", got.path)
			}
			fields(t, got.body, map[string]string{"stream_options": `{"include_usage":true}`})
			headers(t, got.header, map[string]string{"Authorization": "Bearer " + ownKey, "X-Api-Key": ""})
		}},
		{"answers are passed through raw, with their encoding", "", func(t *testing.T) {
			packed := gzipped(t, `{"id":"msg_1","type":"message","role":"assistant","model":"glm-4.6", "content":[],"stop_reason":"end_turn","usage":{"input_tokens":1,"output_tokens":1}}`)
			upstream := newScripted(t, func(_ int, w http.ResponseWriter) bool {
				w.Header().Set("Content-Type", "application/json")
				w.Header().Set("Content-Encoding", "gzip")
				_, _ = w.Write(packed)
				return true
			})
			running := zcodeEnv.with(setup{env: []string{"UPSTREAM_BASE=" + upstream.url}}).serve(t)
			resp := open(t, t.Context(), running.url+messagesPath, conversation("Hello", false), "X-Api-Key", proxyKey, "Accept-Encoding", "gzip")
			got, err := io.ReadAll(resp.Body)
			if err != nil || resp.Header.Get("Content-Encoding") != "gzip" || !bytes.Equal(got, packed) {
				t.Errorf("%v, %s, %d bytes of %d", err, resp.Header.Get("Content-Encoding"), len(got), len(packed))
			}
		}},
		{"translated answers are packed with gzip", "from 1 KiB on, since less does not become smaller", func(t *testing.T) {
			long := strings.Repeat("many words ", 500)
			upstream := says(t, `{"id":"msg_1","type":"message","role":"assistant","model":"glm-4.6","content":[{"type":"text","text":"`+long+
				`"}],"stop_reason":"end_turn","usage":{"input_tokens":1,"output_tokens":1}}`)
			running := zcodeEnv.with(setup{env: []string{"UPSTREAM_BASE=" + upstream.url}}).serve(t)
			for accepts, want := range map[string]string{"gzip": "gzip", "identity": ""} {
				resp := open(t, t.Context(), running.url+chatPath, conversation("Hello", false), "X-Api-Key", proxyKey, "Accept-Encoding", accepts)
				if got := resp.Header.Get("Content-Encoding"); got != want {
					t.Errorf("%s: the answer comes as %q", accepts, got)
				}
				body := io.Reader(resp.Body)
				if want != "" {
					unpacked, err := gzip.NewReader(resp.Body)
					if err != nil {
						t.Fatal(err)
					}
					body = unpacked
				}
				text, err := io.ReadAll(body)
				if err != nil || !strings.Contains(string(text), long) {
					t.Errorf("%s: %v, %d bytes", accepts, err, len(text))
				}
			}
		}},
	}
}

func gzipped(t *testing.T, text string) []byte {
	t.Helper()
	var out bytes.Buffer
	w := gzip.NewWriter(&out)
	if _, err := io.WriteString(w, text); err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return out.Bytes()
}
