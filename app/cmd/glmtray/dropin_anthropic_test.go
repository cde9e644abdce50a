package main_test

import (
	"net/http"
	"strings"
	"testing"
)

// anthropicFile is the .env file of anthropic-proxy with all that it documents.
const anthropicFile = `# Used only when a client sends no key
SERVER_API_KEY=` + ownKey + `

UPSTREAM_BASE=https://api.z.ai/api/anthropic

# The client's key goes upstream
FORWARD_CLIENT_KEY=true

AUTOTEXT_MODEL=glm-4.5
AUTOVISION_MODEL=glm-4.5v
`

// anthropicSet is anthropic-proxy, started in the folder of its .env file, with parts of that
// replaced, and its upstream.
func anthropicSet(t *testing.T, replace ...string) (setup, *recorder) {
	t.Helper()
	upstream := newRecorder(t)
	return anthropicBefore(upstream, replace...), upstream
}

func anthropicBefore(upstream *recorder, replace ...string) setup {
	text := strings.NewReplacer(replace...).Replace(anthropicFile)
	return setup{files: map[string]string{".env": strings.Replace(text, "https://api.z.ai", upstream.url, 1)}}
}

// anthropicEnv is the same in a container: the variables stand in its environment.
func anthropicEnv(upstream *recorder, more ...string) setup {
	return setup{env: append([]string{"UPSTREAM_BASE=" + upstream.url + "/api/anthropic"}, more...)}
}

// TestDropInAnthropicProxy stands in for anthropic-proxy.
func TestDropInAnthropicProxy(t *testing.T) {
	t.Parallel()
	rows := anthropicStart()
	rows = append(rows, anthropicKeys()...)
	rows = append(rows, anthropicSwitching()...)
	rows = append(rows, anthropicEndpoints()...)
	rows = append(rows, anthropicUsage()...)
	eachRow(t, rows)
}

// pair is a client of each kind, each by the path that it asks.
var pair = []string{chatPath, messagesPath}

func anthropicStart() []row {
	return []row{
		{".env in the working directory", "only where there is no config file, and by three of its variables; else --env-file names it", func(t *testing.T) {
			s, upstream := anthropicSet(t)
			running := s.serve(t)
			for _, path := range pair {
				ask(t, running.url+path, conversation("Hello", false))
			}
			for _, r := range upstream.requests() {
				headers(t, r.header, map[string]string{"X-Api-Key": ownKey})
			}
			wants(t, running.stderr.String(), ".env: is read, as anthropic-proxy does that")
			lacks(t, running.stderr.String(), secretMiddle)
		}},
		{"port 5000", "where a file of it is read; with its variables in the environment alone, PORT=5000 or --port says so", func(t *testing.T) {
			s, upstream := anthropicSet(t)
			if port := s.inForce(t, "server.port"); port != "5000" {
				t.Errorf("with its file it listens on %s", port)
			}
			for env, want := range map[string]string{"": "8080", "PORT=5000": "5000"} {
				if port := anthropicEnv(upstream, env).inForce(t, "server.port"); port != want {
					t.Errorf("with %q it listens on %s", env, port)
				}
			}
		}},
		{"no configuration needed", "a client's own key goes upstream if it has the form {id}.{secret} of Z.AI's keys; FORWARD_CLIENT_KEY=true sends any", func(t *testing.T) {
			upstream := newRecorder(t)
			running := anthropicEnv(upstream).serve(t)
			ask(t, running.url+chatPath, conversation("Hello", false), "Authorization", "Bearer "+clientKey)
			headers(t, upstream.only(t).header, map[string]string{"X-Api-Key": clientKey})
			if status, answer := fetch(t, running.url+chatPath, conversation("Hello", false), "X-Api-Key", foreignKey); status != http.StatusUnauthorized {
				t.Errorf("%d %s", status, answer)
			}
		}},
		{"docker-compose up -d", "its environment is understood; a container needs server.host and a key for clients to be reached", func(t *testing.T) {
			upstream := newRecorder(t)
			s := anthropicEnv(upstream, "SERVER_API_KEY="+ownKey, "FORWARD_CLIENT_KEY=true", "PORT=5000", "ZCODE_PROXY_HOST=0.0.0.0")
			s.refused(t, "auth.proxyApiKey")
			running := s.with(setup{env: []string{"API_KEY=" + proxyKey}}).serve(t)
			ask(t, running.url+messagesPath, conversation("Hello", false), "X-Api-Key", proxyKey)
			headers(t, upstream.only(t).header, map[string]string{"X-Api-Key": ownKey})
		}},
	}
}

func anthropicKeys() []row {
	// sent are the keys that go upstream for each sort of client.
	type sent struct{ none, bearer, xAPIKey string }
	holds := func(t *testing.T, s setup, upstream *recorder, want sent) {
		t.Helper()
		running := s.serve(t)
		for _, path := range pair {
			for _, tc := range []struct {
				header []string
				want   string
			}{
				{nil, want.none}, {[]string{"Authorization", "Bearer " + clientKey}, want.bearer}, {[]string{"X-Api-Key", foreignKey}, want.xAPIKey},
			} {
				before := len(upstream.requests())
				status, answer := fetch(t, running.url+path, conversation("Hello", false), tc.header...)
				after := upstream.requests()
				switch {
				case tc.want == "" && (status != http.StatusUnauthorized || len(after) != before):
					t.Errorf("%s %q: %d %s", path, tc.header, status, answer)
				case tc.want != "" && (status != http.StatusOK || len(after) != before+1 || after[before].header.Get("X-Api-Key") != tc.want):
					t.Errorf("%s %q: %d %s; the upstream got %+v", path, tc.header, status, answer, after[before:])
				}
			}
		}
	}
	return []row{
		{"SERVER_API_KEY", "", func(t *testing.T) {
			s, upstream := anthropicSet(t)
			holds(t, s, upstream, sent{ownKey, clientKey, foreignKey})
			// Alone in the environment it means the same.
			upstream = newRecorder(t)
			s = anthropicEnv(upstream, "SERVER_API_KEY="+ownKey)
			holds(t, s, upstream, sent{ownKey, clientKey, foreignKey})
			if mode := s.with(setup{files: map[string]string{"config.yaml": "auth:\n  mode: auto\n"}}).inForce(t, "auth.mode"); mode != "auto" {
				t.Errorf("a mode of the file has become %s", mode)
			}
		}},
		{"FORWARD_CLIENT_KEY", "", func(t *testing.T) {
			for value, want := range map[string]sent{
				"true": {ownKey, clientKey, foreignKey}, "True": {ownKey, clientKey, foreignKey}, "1": {ownKey, clientKey, foreignKey},
				"false": {ownKey, ownKey, ownKey}, "no": {ownKey, ownKey, ownKey},
			} {
				s, upstream := anthropicSet(t, "FORWARD_CLIENT_KEY=true", "FORWARD_CLIENT_KEY="+value)
				holds(t, s, upstream, want)
				upstream = newRecorder(t)
				holds(t, anthropicEnv(upstream, "SERVER_API_KEY="+ownKey, "FORWARD_CLIENT_KEY="+value), upstream, want)
			}
			s, upstream := anthropicSet(t, "SERVER_API_KEY="+ownKey, "")
			holds(t, s, upstream, sent{"", clientKey, foreignKey})
			s, _ = anthropicSet(t, "FORWARD_CLIENT_KEY=true", "FORWARD_CLIENT_KEY=perhaps")
			s.refused(t, ".env:7: FORWARD_CLIENT_KEY: must be true or false")
		}},
		{"UPSTREAM_BASE", "", func(t *testing.T) {
			silent := setup{files: map[string]string{".env": anthropicFile}}
			if provider, base := silent.inForce(t, "provider"), silent.inForce(t, "providers.zai.anthropicBase"); provider != "zai" || base != "https://api.z.ai/api/anthropic" {
				t.Errorf("the default is %s at %s", provider, base)
			}
			s, upstream := anthropicSet(t)
			ask(t, s.serve(t).url+messagesPath, conversation("Hello", false))
			if got := upstream.only(t).path; got != "/api/anthropic/v1/messages" {
				t.Errorf("it went to %s", got)
			}
			upstream = newRecorder(t)
			elsewhere := anthropicEnv(upstream, "ZCODE_API_KEY="+ownKey)
			running := elsewhere.serve(t)
			// An image goes there too: only of the provider's own address it is known to drop them.
			ask(t, running.url+messagesPath, imageOf(messagesPath, ""))
			if got := upstream.only(t).path; !strings.HasSuffix(got, "/v1/messages") {
				t.Errorf("an image went to %s", got)
			}
			if provider := (setup{env: []string{"UPSTREAM_BASE=https://open.bigmodel.cn/api/anthropic/"}}).inForce(t, "provider"); provider != "bigmodel" {
				t.Errorf("the provider is %s", provider)
			}
			s, _ = anthropicSet(t, "UPSTREAM_BASE=https://", "UPSTREAM_BASE=ftp://")
			s.refused(t, ".env:4: UPSTREAM_BASE: does not start with http:// or https://")
		}},
	}
}

// imageOf is a request of a dialect with an image; %MODEL% stands for what names the model.
func imageOf(path, model string) string {
	if path == chatPath {
		return `{` + model + `"max_tokens":9,"messages":[{"role":"user","content":[{"type":"text","text":"What is it?"},{"type":"image_url","image_url":{"url":"data:image/png;base64,` + pixel + `"}}]}]}`
	}
	return `{` + model + `"max_tokens":9,"messages":[{"role":"user","content":[{"type":"text","text":"What is it?"},{"type":"image","source":{"type":"base64","media_type":"image/png","data":"` + pixel + `"}}]}]}`
}

func textOf(model string) string {
	return `{` + model + `"max_tokens":9,"messages":[{"role":"user","content":"Hello"}]}`
}

func anthropicSwitching() []row {
	// switched holds which model a request goes to, by the one that it names.
	switched := func(t *testing.T, s setup, upstream *recorder, images bool, want map[string]string) {
		t.Helper()
		running := s.serve(t)
		for _, path := range append([]string{messagesPath + "/count_tokens"}, pair...) {
			for asked, model := range want {
				name := ""
				if asked != "" {
					name = `"model":"` + asked + `",`
				}
				body := textOf(name)
				if images {
					body = imageOf(path, name)
				}
				before := len(upstream.requests())
				ask(t, running.url+path, body)
				got := upstream.requests()[before:]
				if len(got) != 1 {
					t.Fatalf("%s: the upstream got %d requests", path, len(got))
				}
				fields(t, got[0].body, map[string]string{"model": `"` + model + `"`})
			}
		}
	}
	return []row{
		{"AUTOTEXT_MODEL", "its default is our models.text, glm-4.7", func(t *testing.T) {
			s, upstream := anthropicSet(t, "AUTOTEXT_MODEL=glm-4.5", "AUTOTEXT_MODEL=glm-4.5-air")
			switched(t, s, upstream, false, map[string]string{"": "glm-4.5-air", "glm-4.5v": "glm-4.5-air", "glm-4.6": "glm-4.6", "unheard-of": "unheard-of"})
		}},
		{"AUTOVISION_MODEL", "its default is our models.vision, glm-4.6v, and no longer a model that sees nothing", func(t *testing.T) {
			s, upstream := anthropicSet(t)
			switched(t, s, upstream, true, map[string]string{"": "glm-4.5v", "glm-4.5": "glm-4.5v", "glm-4.6": "glm-4.5v", "glm-4.5v": "glm-4.5v", "unheard-of": "unheard-of"})
			for key, want := range map[string]string{"models.text": "glm-4.7", "models.vision": "glm-4.6v"} {
				if got := (setup{}).inForce(t, key); got != want {
					t.Errorf("%s is %s", key, got)
				}
			}
		}},
		{"AUTOTEXT_MODEL and AUTOVISION_MODEL the same", "", func(t *testing.T) {
			s, upstream := anthropicSet(t, "glm-4.5v", "glm-4.5")
			switched(t, s, upstream, true, map[string]string{"": "glm-4.5", "glm-4.6": "glm-4.6"})
			switched(t, s, upstream, false, map[string]string{"": "glm-4.5", "glm-4.5v": "glm-4.5v"})
		}},
		{"AUTOTEXT_MODEL and AUTOVISION_MODEL in the environment", "", func(t *testing.T) {
			upstream := newRecorder(t)
			s := anthropicEnv(upstream, "SERVER_API_KEY="+ownKey, "AUTOTEXT_MODEL=glm-4.5", "AUTOVISION_MODEL=glm-4.5v")
			running := s.with(setup{env: []string{"ZCODE_PROVIDER=custom"}}).serve(t)
			for _, path := range pair {
				ask(t, running.url+path, textOf(""))
				ask(t, running.url+path, imageOf(path, ""))
			}
			for n, r := range upstream.requests() {
				fields(t, r.body, map[string]string{"model": []string{`"glm-4.5"`, `"glm-4.5v"`}[n%2]})
			}
		}},
		{"models glm-4.5 (128K), glm-4.5v (65K)", "they are known and answer GET /v1/models/ID; the list has newer ones", func(t *testing.T) {
			s, _ := anthropicSet(t)
			running := s.serve(t)
			for id, context := range map[string]string{"glm-4.5": "131072", "glm-4.5v": "65536"} {
				fields(t, ask(t, running.url+"/v1/models/"+id, ""), map[string]string{"id": `"` + id + `"`, "context_length": context})
			}
		}},
	}
}

func anthropicEndpoints() []row {
	// What the documentation has people try.
	const hello = `{"model":"glm-4.5","messages":[{"role":"user","content":"Hello!"}],"max_tokens":100}`
	try := func(path, body string, want ...string) func(t *testing.T) {
		return func(t *testing.T) {
			s, _ := anthropicSet(t)
			wants(t, ask(t, s.serve(t).url+path, body, "Authorization", "Bearer "+clientKey), want...)
		}
	}
	return []row{
		{"POST /v1/chat/completions", "", try(chatPath, hello, `"chat.completion"`, `"model":"glm-4.5"`)},
		{"POST /v1/messages", "", try(messagesPath, hello, `"type":"message"`)},
		{"POST /v1/messages/count_tokens", "estimated here where the upstream does not count", try(messagesPath+"/count_tokens", hello, `"input_tokens":`)},
		{"GET /v1/models", "", try("/v1/models", "", `"object":"list"`, `"glm-4.6"`)},
		{"GET /health", "", try("/health", "", `"status":"ok"`)},
		{"GET /docs", "", try("/docs", "", "<!doctype html>", "/v1/messages")},
		{"Anthropic clients use the base without /v1", "OpenAI's clients with it; either is forgiven the other", func(t *testing.T) {
			s, _ := anthropicSet(t)
			running := s.serve(t)
			for _, path := range []string{"/v1/messages", "/messages", "/v1/v1/messages?beta=true", "/chat/completions"} {
				ask(t, running.url+path, hello, "X-Api-Key", clientKey, "Anthropic-Version", "2023-06-01")
			}
		}},
	}
}

// zaiStream is a stream as Z.AI's: what was counted comes at its end alone.
const zaiStream = `event: message_start
data: {"type":"message_start","message":{"id":"msg_1","type":"message","role":"assistant","model":"glm-4.5","content":[],"stop_reason":null,"stop_sequence":null,"usage":{"input_tokens":0,"output_tokens":0}}}

event: content_block_start
data: {"type":"content_block_start","index":0,"content_block":{"type":"text","text":""}}

event: content_block_delta
data: {"type":"content_block_delta","index":0,"delta":{"type":"text_delta","text":"Yes."}}

event: content_block_stop
data: {"type":"content_block_stop","index":0}

event: message_delta
data: {"type":"message_delta","delta":{"stop_reason":"end_turn","stop_sequence":null},"usage":{"input_tokens":120,"output_tokens":30,"cache_read_input_tokens":4000}}

event: message_stop
data: {"type":"message_stop"}

`

func anthropicUsage() []row {
	return []row{
		{"usage is normalised", "", func(t *testing.T) {
			running := anthropicBefore(says(t, zaiStream)).serve(t)
			stream := strings.Replace(conversation("Hello", true), `"stream":true`, `"stream":true,"stream_options":{"include_usage":true}`, 1)
			for _, body := range []string{conversation("Hello", false), stream} {
				wants(t, ask(t, running.url+chatPath, body), `"usage":{"prompt_tokens":4120,"completion_tokens":30,"total_tokens":4150,"prompt_tokens_details":{"cached_tokens":4000}`)
			}
			answer := ask(t, running.url+messagesPath, conversation("Hello", true))
			wants(t, answer, `"input_tokens":120,"output_tokens":30,"cache_read_input_tokens":4000`)
			// Tools show their context by what comes first.
			lacks(t, answer, `"input_tokens":0`)
		}},
	}
}
