package main_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"
)

// proxxFile is proxx's config file with all that it documents, for an upstream.
func proxxFile(base string) string {
	return "port: 8080\nupstream_url: " + base + "\ntemperature: 0.6\nmax_retries: 3\nretry_base_delay_ms: 1000\n"
}

// proxx is proxx set up by its file in the working directory, with values of its keys
// replaced, and its upstream.
func proxx(t *testing.T, replace ...string) (setup, *recorder) {
	t.Helper()
	upstream := newRecorder(t)
	return proxxBefore(upstream, replace...), upstream
}

func proxxBefore(upstream *recorder, replace ...string) setup {
	return setup{files: map[string]string{"config.yaml": strings.NewReplacer(replace...).Replace(proxxFile(upstream.url + "/api/anthropic"))}}
}

// proxxKey is the header with which proxx's clients come.
var proxxKey = []string{"Authorization", "Bearer " + clientKey}

// TestDropInProxx stands in for proxx.
func TestDropInProxx(t *testing.T) {
	t.Parallel()
	rows := proxxStart()
	rows = append(rows, proxxEndpoints()...)
	rows = append(rows, proxxRetries()...)
	rows = append(rows, proxxMapping()...)
	rows = append(rows, proxxHeaders()...)
	eachRow(t, rows)
}

func proxxStart() []row {
	return []row{
		{"config.yaml in the working directory", "", func(t *testing.T) {
			s, upstream := proxx(t)
			running := s.serve(t)
			ask(t, running.url+chatPath, conversation("Hello", false), proxxKey...)
			upstream.only(t)
			wants(t, running.stderr.String(), "this is proxx's file and is understood as it stands")
		}},
		{"/etc/proxx/config.yaml in a container", "it is named, with --config, as the argument of serve, or in ZCODE_PROXY_CONFIG", func(t *testing.T) {
			s, upstream := proxx(t)
			m := newMachine(t)
			file := filepath.Join(m.home, "etc", "proxx", "config.yaml")
			if err := os.MkdirAll(filepath.Dir(file), 0o700); err != nil {
				t.Fatal(err)
			}
			writeFile(t, file, s.files["config.yaml"])
			for n, given := range []setup{{args: []string{"--config", file}}, {args: []string{file}}, {env: []string{"ZCODE_PROXY_CONFIG=" + file}}} {
				running := m.serve(t, given.env, append(given.args, "--port", "0")...)
				ask(t, running.url+chatPath, conversation("Hello", false), proxxKey...)
				if got := len(upstream.requests()); got != n+1 {
					t.Errorf("%+v: the upstream got %d requests, want %d", given, got, n+1)
				}
			}
		}},
		{"port", "", func(t *testing.T) {
			port := freePort(t)
			s, _ := proxx(t, "8080", port)
			if running := s.machine(t).serve(t, nil); !strings.HasSuffix(running.url, ":"+port) {
				t.Errorf("it listens on %s, want port %s", running.url, port)
			}
			if got := (setup{files: map[string]string{"config.yaml": "max_retries: 3\n"}}).inForce(t, "server.port"); got != "8080" {
				t.Errorf("the default is %s", got)
			}
			s, _ = proxx(t, "8080", "http")
			s.refused(t, "config.yaml:1:7: port", "from 0 to 65535")
		}},
		{"upstream_url", "", func(t *testing.T) {
			silent := setup{files: map[string]string{"config.yaml": "port: 8080\n"}}
			if provider, base := silent.inForce(t, "provider"), silent.inForce(t, "providers.zai.anthropicBase"); provider != "zai" || base != "https://api.z.ai/api/anthropic" {
				t.Errorf("the default is %s at %s", provider, base)
			}
			s, upstream := proxx(t)
			ask(t, s.serve(t).url+chatPath, conversation("Hello", false), proxxKey...)
			if got := upstream.only(t).path; got != "/api/anthropic/v1/messages" {
				t.Errorf("it went to %s", got)
			}
		}},
		{"temperature", "", func(t *testing.T) {
			for file, want := range map[string]string{"temperature: 0.6\n": "0.6", "temperature: 0\n": "0", "": "0.9"} {
				s, upstream := proxx(t, "temperature: 0.6\n", file)
				ask(t, s.serve(t).url+chatPath, `{"model":"glm-4.6","temperature":0.9,"messages":[{"role":"user","content":"Hello"}]}`, proxxKey...)
				fields(t, upstream.only(t).body, map[string]string{"temperature": want})
			}
		}},
		{"keys that it does not have", "they are refused, with the line and the key that was meant", func(t *testing.T) {
			s, _ := proxx(t, "max_retries", "max_retrys")
			s.refused(t, "config.yaml:4:1: max_retrys: unknown key in proxx's file (did you mean max_retries?)")
		}},
		{"all interfaces", "it listens on 127.0.0.1; on others only with a key for clients, which they send beside the provider's", func(t *testing.T) {
			s, upstream := proxx(t)
			if host := s.inForce(t, "server.host"); host != "127.0.0.1" {
				t.Errorf("it listens on %s", host)
			}
			s.with(setup{args: []string{"--host", "0.0.0.0"}}).refused(t, "--host", "auth.proxyApiKey")
			running := s.with(setup{args: []string{"--host", "0.0.0.0"}, env: []string{"API_KEY=" + proxyKey}}).serve(t)
			ask(t, running.url+chatPath, conversation("Hello", false), append([]string{"X-Api-Key", proxyKey}, proxxKey...)...)
			headers(t, upstream.only(t).header, map[string]string{"X-Api-Key": clientKey})
		}},
	}
}

func proxxEndpoints() []row {
	return []row{
		{"GET /v1/models", "", func(t *testing.T) {
			s, _ := proxx(t)
			list := ask(t, s.serve(t).url+"/v1/models", "", proxxKey...)
			fields(t, list, map[string]string{"object": `"list"`})
			if m := modelIDs(t, list)["glm-4.6"]; m["object"] != "model" || m["owned_by"] == nil || m["created"] == nil {
				t.Errorf("%+v", m)
			}
		}},
		{"POST /v1/chat/completions", "", func(t *testing.T) {
			s, upstream := proxx(t)
			answer := ask(t, s.serve(t).url+chatPath, conversation("Hello", false), proxxKey...)
			fields(t, answer, map[string]string{"object": `"chat.completion"`, "model": `"glm-4.6"`})
			wants(t, answer, `"usage":{"prompt_tokens":1,"completion_tokens":1,"total_tokens":2`)
			upstream.only(t)
		}},
		{"Authorization: Bearer KEY is required, and goes upstream as x-api-key", "", func(t *testing.T) {
			s, upstream := proxx(t)
			running := s.serve(t)
			status, answer := fetch(t, running.url+chatPath, conversation("Hello", false))
			if status != http.StatusUnauthorized || len(upstream.requests()) > 0 {
				t.Errorf("without a key: %d, and %d requests went upstream", status, len(upstream.requests()))
			}
			wants(t, answer, "no key came with the request")
			ask(t, running.url+chatPath, conversation("Hello", false), "Authorization", "Bearer "+foreignKey) // of whatever form
			headers(t, upstream.only(t).header, map[string]string{"X-Api-Key": foreignKey, "Authorization": ""})
		}},
		{"a whole answer becomes a stream for a client that streams", "", func(t *testing.T) {
			s, upstream := proxx(t) // which never streams
			answer := ask(t, s.serve(t).url+chatPath, conversation("Hello", true), proxxKey...)
			wants(t, answer, `"chat.completion.chunk"`, `"content":"Yes."`, `"finish_reason":"stop"`, "data: [DONE]")
			fields(t, upstream.only(t).body, map[string]string{"stream": "true"})
		}},
	}
}

// failing is an upstream that refuses the first requests.
func failing(t *testing.T, times, status int) *recorder {
	t.Helper()
	return newScripted(t, func(n int, w http.ResponseWriter) bool {
		if n < times {
			http.Error(w, "later", status)
		}
		return n < times
	})
}

// loggedPause is the pause before a retry, in the log.
var loggedPause = regexp.MustCompile(`msg="attempt failed".* attempt=(\d+) .*pause=(\S+)`)

func proxxRetries() []row {
	return []row{
		{"max_retries", "429 and 503 as before; also 502, 529 and a connection that fails", func(t *testing.T) {
			for _, status := range []int{http.StatusTooManyRequests, http.StatusServiceUnavailable} {
				for _, tc := range []struct{ retries, fails, status, sent int }{
					{3, 3, http.StatusOK, 4}, {1, 1, http.StatusOK, 2}, {1, 9, status, 2}, {0, 1, status, 1},
				} {
					upstream := failing(t, tc.fails, status)
					s := proxxBefore(upstream, "max_retries: 3", fmt.Sprint("max_retries: ", tc.retries), "delay_ms: 1000", "delay_ms: 1")
					got, answer := fetch(t, s.serve(t).url+chatPath, conversation("Hello", false), proxxKey...)
					if sent := len(upstream.requests()); got != tc.status || sent != tc.sent {
						t.Errorf("%d, %+v: %d after %d requests: %s", status, tc, got, sent, answer)
					}
				}
			}
			if got := (setup{files: map[string]string{"config.yaml": "port: 8080\n"}}).inForce(t, "retry.maxRetries"); got != "3" {
				t.Errorf("the default is %s", got)
			}
		}},
		{"retry_base_delay_ms, each retry is logged", "a Retry-After of the upstream is obeyed before it", func(t *testing.T) {
			const base = 20 * time.Millisecond
			s := proxxBefore(failing(t, 3, http.StatusServiceUnavailable), "delay_ms: 1000", "delay_ms: 20")
			running := s.serve(t)
			ask(t, running.url+chatPath, conversation("Hello", false), proxxKey...)
			logged := loggedPause.FindAllStringSubmatch(running.stderr.String(), -1)
			if len(logged) != 3 {
				t.Fatalf("%d retries are in the log", len(logged))
			}
			for n, m := range logged {
				middle := base << n
				pause, err := time.ParseDuration(m[2])
				if err != nil || m[1] != fmt.Sprint(n+1) || pause < middle/2-time.Millisecond || pause > middle*3/2+time.Millisecond {
					t.Errorf("retry %s: %v after %s, want %s give or take half", m[1], err, m[2], middle)
				}
			}
			if got := (setup{files: map[string]string{"config.yaml": "port: 8080\n"}}).inForce(t, "retry.baseDelayMs"); got != "1000" {
				t.Errorf("the default is %s", got)
			}
		}},
	}
}

func proxxMapping() []row {
	sent := func(t *testing.T, request string) string {
		t.Helper()
		s, upstream := proxx(t, "temperature: 0.6\n", "")
		ask(t, s.serve(t).url+chatPath, request, proxxKey...)
		return upstream.only(t).body
	}
	const user = `"messages":[{"role":"user","content":"Hello"}]`
	return []row{
		{"model, temperature, top_p, max_tokens, stop", "", func(t *testing.T) {
			fields(t, sent(t, `{"model":"glm-9","temperature":0.5,"top_p":0.8,"max_tokens":77,"stop":["END"],`+user+`}`), map[string]string{
				"model": `"glm-9"`, "temperature": "0.5", "top_p": "0.8", "max_tokens": "77", "stop_sequences": `["END"]`,
			})
			fields(t, sent(t, `{"model":"glm-9","stop":"END",`+user+`}`), map[string]string{"max_tokens": "32000", "stop_sequences": `["END"]`, "temperature": ""})
		}},
		{"system goes to the top", "as a block, so that it can be cached", func(t *testing.T) {
			body := sent(t, `{"model":"glm-4.6","messages":[{"role":"system","content":"Be short."},{"role":"user","content":"Hello"}]}`)
			var got struct {
				System   []struct{ Text string }
				Messages []struct{ Role string }
			}
			if err := json.Unmarshal([]byte(body), &got); err != nil || len(got.System) != 1 || got.System[0].Text != "Be short." || len(got.Messages) != 1 || got.Messages[0].Role != "user" {
				t.Errorf("%v, %s", err, body)
			}
		}},
		{"function tools, tool choice", "", func(t *testing.T) {
			body := sent(t, `{"model":"glm-4.6","tools":[{"type":"function","function":{"name":"add","description":"Adds.","parameters":{"type":"object","properties":{}}}}],"tool_choice":"required",`+user+`}`)
			fields(t, body, map[string]string{"tool_choice": `{"type":"any"}`, "tools": `[{"name":"add","description":"Adds.","input_schema":{"type":"object","properties":{}}}]`})
		}},
		{"text, tool_use, usage and stop reasons come back", "", func(t *testing.T) {
			const text, call = `{"type":"text","text":"I add."}`, `{"type":"tool_use","id":"call_1","name":"add","input":{"a":1}}`
			for reason, tc := range map[string]struct{ content, want string }{
				"end_turn": {text, "stop"}, "max_tokens": {text, "length"}, "tool_use": {text + "," + call, "tool_calls"},
			} {
				upstream := says(t, `{"id":"msg_1","type":"message","role":"assistant","model":"glm-4.6","content":[`+tc.content+
					`],"stop_reason":"`+reason+`","usage":{"input_tokens":7,"output_tokens":5}}`)
				answer := ask(t, proxxBefore(upstream).serve(t).url+chatPath, conversation("Hello", false), proxxKey...)
				wants(t, answer, `"finish_reason":"`+tc.want+`"`, `"content":"I add."`, `"usage":{"prompt_tokens":7,"completion_tokens":5,"total_tokens":12`)
				if reason == "tool_use" {
					wants(t, answer, `"tool_calls":[{`, `"name":"add"`, `{\"a\":1}`)
				}
			}
		}},
	}
}

func proxxHeaders() []row {
	// What clients send must not appear, whatever it is.
	blocked := []string{
		"Referer", "http://127.0.0.1/PLANTED", "Cookie", "session=PLANTED", "X-Forwarded-For", "192.0.2.66", "X-Real-Ip", "192.0.2.67", "X-Forwarded-Host", "planted.example",
	}
	seen := func(t *testing.T) http.Header {
		t.Helper()
		s, upstream := proxx(t)
		ask(t, s.serve(t).url+chatPath, conversation("Hello", false), append(append([]string(nil), blocked...), proxxKey...)...)
		return upstream.only(t).header
	}
	rows := []row{
		{"User-Agent: claude-cli/…", "of a current Claude Code, not of 1.0.18", func(t *testing.T) {
			if got := seen(t).Get("User-Agent"); !regexp.MustCompile(`^claude-cli/\d+\.\d+\.\d+ \(external, cli\)$`).MatchString(got) {
				t.Errorf("%q", got)
			}
		}},
		{"x-app, anthropic-version, content-type", "", func(t *testing.T) {
			headers(t, seen(t), map[string]string{"X-App": "cli", "Anthropic-Version": "2023-06-01", "Content-Type": "application/json"})
		}},
		{"anthropic-beta", "there is one more, which a current Claude Code sends", func(t *testing.T) {
			betas := strings.Split(seen(t).Get("Anthropic-Beta"), ",")
			for _, want := range []string{"interleaved-thinking-2025-05-14", "prompt-caching-scope-2026-01-05", "context-management-2025-06-27"} {
				if !strings.Contains(strings.Join(betas, " "), want) {
					t.Errorf("%s is not in %q", want, betas)
				}
			}
		}},
		{"X-Claude-Code-Session-Id, random per start", "", func(t *testing.T) {
			s, upstream := proxx(t)
			for range 2 {
				running := s.serve(t)
				for range 2 {
					ask(t, running.url+chatPath, conversation("Hello", false), proxxKey...)
				}
			}
			var ids []string
			for _, r := range upstream.requests() {
				ids = append(ids, r.header.Get("X-Claude-Code-Session-Id"))
			}
			if len(ids) != 4 || len(ids[0]) != 36 || ids[0] != ids[1] || ids[2] != ids[3] || ids[0] == ids[2] {
				t.Errorf("%q", ids)
			}
		}},
		{"Authorization is never forwarded", "", func(t *testing.T) {
			headers(t, seen(t), map[string]string{"Authorization": "", "X-Api-Key": clientKey})
		}},
	}
	for n := 0; n < len(blocked); n += 2 {
		name, value := blocked[n], blocked[n+1]
		rows = append(rows, row{name + " is never forwarded", "", func(t *testing.T) {
			for got, values := range seen(t) {
				if strings.EqualFold(got, name) || strings.Contains(strings.Join(values, " "), value) {
					t.Errorf("%s: %q", got, values)
				}
			}
		}})
	}
	return rows
}
