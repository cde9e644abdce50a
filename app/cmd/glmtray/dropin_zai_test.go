package main_test

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"

	"glmtray/proxy/demo"
	"glmtray/proxy/demo/platform"
)

// zaiKey is the key that z-ai-proxy asks for unless API_KEY says otherwise; everybody knows
// it.
const zaiKey = "sk-z2api-key-2024"

// chatSite is the demo's chat site, which notes what it is asked.
type chatSite struct {
	*demo.Server
	url string

	mu     sync.Mutex
	made   int      // guests
	spoken []string // whose messages came
	said   []string // bodies of messages
}

func newChatSite(t *testing.T, o platform.Options) *chatSite {
	t.Helper()
	s := &chatSite{Server: demo.New(demo.Options{Platform: o})}
	server := httptest.NewServer(s)
	t.Cleanup(server.Close)
	s.url = server.URL + "/guest"
	return s
}

// ServeHTTP implements http.Handler.
func (s *chatSite) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	token := strings.TrimPrefix(r.Header.Get("Authorization"), "Bearer ")
	s.mu.Lock()
	switch {
	case strings.HasSuffix(r.URL.Path, "/chat/completions"):
		body, err := io.ReadAll(r.Body)
		if err != nil {
			s.mu.Unlock()
			return // the proxy has gone
		}
		r.Body = io.NopCloser(strings.NewReader(string(body)))
		s.spoken, s.said = append(s.spoken, token), append(s.said, string(body))
	case strings.Contains(r.URL.Path, "/auths/") && token == "":
		s.made++
	}
	s.mu.Unlock()
	s.Server.ServeHTTP(w, r)
}

// guests is how many guests it made so far.
func (s *chatSite) guests() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.made
}

// speakers are the tokens of the messages so far.
func (s *chatSite) speakers() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.spoken)
}

// zai is z-ai-proxy set up by its environment, in front of a chat site. The plan is off
// unless it is chosen, and where the site is stands in a file, so that the variables are
// as its users have them.
func (s *chatSite) zai(env ...string) setup {
	return setup{env: env, files: map[string]string{"config.yaml": "plan: guest\nguest:\n  base: " + s.url + "\n"}}
}

// zaiFile is a .env file with z-ai-proxy's variables, as its users give to docker.
const zaiFile = "TOKEN_POOL_SIZE=5\nAPI_KEY=" + zaiKey + "\nSHOW_THINK_TAGS=false\n"

// zaiHello is what z-ai-proxy's documentation has people try.
const zaiHello = `{"model":"glm-4.5-air","messages":[{"role":"user","content":"Hello!"}],"stream":false}`

const zaiAnswer = "The demo's chat site has read: Hello!"

// TestDropInZaiProxy stands in for z-ai-proxy.
func TestDropInZaiProxy(t *testing.T) {
	t.Parallel()
	rows := zaiStart()
	rows = append(rows, zaiPool()...)
	rows = append(rows, zaiThinking()...)
	rows = append(rows, zaiEndpoints()...)
	eachRow(t, rows)
}

func zaiStart() []row {
	return []row{
		{"no credentials", "the plan is off unless it is chosen, with plan: guest, ZCODE_PLAN=guest, --plan guest or a file of z-ai-proxy", func(t *testing.T) {
			if plan := (setup{env: []string{"TOKEN_POOL_SIZE=5"}}).inForce(t, "plan"); plan != "coding-plan" {
				t.Errorf("a variable alone has chosen the plan %s", plan)
			}
			site := newChatSite(t, platform.Options{})
			for _, s := range []setup{{env: []string{"ZCODE_PLAN=guest"}}, {args: []string{"--plan", "guest"}}, {args: []string{"--env-file", "their.env"}}} {
				s = setup{files: map[string]string{"config.yaml": "guest:\n  base: " + site.url + "\n", "their.env": zaiFile}}.with(s)
				wants(t, ask(t, s.serve(t).url+chatPath, zaiHello, "Authorization", "Bearer "+zaiKey), zaiAnswer)
			}
		}},
		{"PORT", "", func(t *testing.T) {
			port := freePort(t)
			m := newChatSite(t, platform.Options{}).zai().machine(t)
			if running := m.serve(t, []string{"PORT=" + port}); !strings.HasSuffix(running.url, ":"+port) {
				t.Errorf("it listens on %s, want port %s", running.url, port)
			}
		}},
		{"port 3000", "where a file of it is named; with its variables in the environment alone, PORT=3000 or --port says so", func(t *testing.T) {
			file := setup{files: map[string]string{"their.env": zaiFile}}
			if port := file.with(setup{args: []string{"--env-file", "their.env"}}).inForce(t, "server.port"); port != "3000" {
				t.Errorf("with its file it listens on %s", port)
			}
			if port := (setup{env: []string{"TOKEN_POOL_SIZE=5"}}).inForce(t, "server.port"); port != "8080" {
				t.Errorf("without it listens on %s", port)
			}
		}},
		{"API_KEY", "", func(t *testing.T) {
			running := newChatSite(t, platform.Options{}).zai("API_KEY=" + proxyKey).serve(t)
			for _, path := range []string{chatPath, "/v1/models"} {
				body := map[string]string{chatPath: zaiHello}[path]
				ask(t, running.url+path, body, "Authorization", "Bearer "+proxyKey)
				for _, header := range [][]string{nil, {"Authorization", "Bearer " + zaiKey}} {
					if status, answer := fetch(t, running.url+path, body, header...); status != http.StatusUnauthorized {
						t.Errorf("%s with %q: %d %s", path, header, status, answer)
					}
				}
			}
		}},
		{"API_KEY's default " + zaiKey, "without API_KEY no key is asked for, since only this machine may connect; clients may go on sending it, and it goes nowhere", func(t *testing.T) {
			site := newChatSite(t, platform.Options{})
			running := site.zai().serve(t)
			for _, header := range [][]string{nil, {"Authorization", "Bearer " + zaiKey}} {
				wants(t, ask(t, running.url+chatPath, zaiHello, header...), zaiAnswer)
			}
			if slices.Contains(site.speakers(), zaiKey) {
				t.Error("it went to the site")
			}
			site.zai("ZCODE_PROXY_HOST=0.0.0.0").refused(t, "auth.proxyApiKey")
		}},
		{"container and compose", "a container needs server.host and API_KEY to be reached", func(t *testing.T) {
			site := newChatSite(t, platform.Options{})
			running := site.zai("API_KEY="+zaiKey, "TOKEN_POOL_SIZE=2", "SHOW_THINK_TAGS=false", "ZCODE_PROXY_HOST=0.0.0.0").serve(t)
			wants(t, ask(t, running.url+chatPath, zaiHello, "Authorization", "Bearer "+zaiKey), zaiAnswer)
		}},
		{"Cloudflare Worker", "there is none: this is a program for a machine of your own", func(t *testing.T) {
			// Its only setting is the variable that works here too.
			if size := (setup{env: []string{"TOKEN_POOL_SIZE=7"}}).inForce(t, "guest.poolSize"); size != "7" {
				t.Errorf("the pool has %s tokens", size)
			}
		}},
	}
}

func zaiPool() []row {
	return []row{
		{"TOKEN_POOL_SIZE", "", func(t *testing.T) {
			if size := (setup{}).inForce(t, "guest.poolSize"); size != "5" {
				t.Errorf("the default is %s", size)
			}
			site := newChatSite(t, platform.Options{})
			site.zai("TOKEN_POOL_SIZE=3").serve(t)
			waitFor(t, "three tokens", func() bool { return site.guests() == 3 })
			site.zai("TOKEN_POOL_SIZE=many").refused(t, "TOKEN_POOL_SIZE: guest.poolSize", "a whole number from 0")
		}},
		{"TOKEN_POOL_SIZE=0", "", func(t *testing.T) {
			site := newChatSite(t, platform.Options{})
			status, answer := fetch(t, site.zai("TOKEN_POOL_SIZE=0").serve(t).url+chatPath, zaiHello)
			if status < 400 || site.guests() > 0 || len(site.speakers()) > 0 {
				t.Errorf("%d; %d guests, %d messages", status, site.guests(), len(site.speakers()))
			}
			wants(t, answer, `"error"`, "TOKEN_POOL_SIZE", "size 0")
		}},
		{"requests go to the least recently used token", "", func(t *testing.T) {
			site := newChatSite(t, platform.Options{})
			running := site.zai("TOKEN_POOL_SIZE=3").serve(t)
			waitFor(t, "three tokens", func() bool { return site.guests() == 3 })
			for n := range 6 {
				ask(t, running.url+chatPath, strings.Replace(zaiHello, "Hello!", fmt.Sprint("Hello ", n), 1))
			}
			got := site.speakers()
			// A token that has just been made may not be in the pool yet for the first round.
			if len(got) != 6 || got[3] == got[4] || got[4] == got[5] || got[3] == got[5] {
				t.Errorf("%q", got)
			}
		}},
		{"failed tokens are replaced", "", func(t *testing.T) {
			site := newChatSite(t, platform.Options{})
			running := site.zai("TOKEN_POOL_SIZE=2").serve(t)
			waitFor(t, "two tokens", func() bool { return site.guests() == 2 })
			ask(t, running.url+chatPath, zaiHello)
			bad := site.speakers()[0]
			site.Platform().Revoke(bad)
			for range 3 {
				wants(t, ask(t, running.url+chatPath, zaiHello), zaiAnswer)
			}
			waitFor(t, "a third token", func() bool { return site.guests() == 3 })
			for range 4 {
				ask(t, running.url+chatPath, zaiHello)
			}
			if latest := site.speakers(); slices.Contains(latest[len(latest)-4:], bad) {
				t.Error("a token that had failed was used again")
			}
		}},
		{"the site as it is today", "it asks programs for a signature and a captcha, which are not imitated: the error says so, and how to log in", func(t *testing.T) {
			for name, o := range map[string]platform.Options{"signed": {GuestSigned: true}, "blocked": {GuestBlocked: true}} {
				status, answer := fetch(t, newChatSite(t, o).zai().serve(t).url+chatPath, zaiHello)
				if status < 400 {
					t.Errorf("%s: %d", name, status)
				}
				wants(t, answer, "glmtray auth login zai")
			}
		}},
	}
}

func zaiThinking() []row {
	const thought = "Somebody says something."
	return []row{
		{"SHOW_THINK_TAGS", "unset it shows thinking in reasoning_content, where clients expect it; false hides it, as z-ai-proxy does by default", func(t *testing.T) {
			for value, want := range map[string]struct{ in, not []string }{
				"true":  {[]string{`"content":"<think>`, thought, "</think>"}, []string{"reasoning_content", "<details"}},
				"false": {[]string{`"content":"The demo's`}, []string{thought, "think>", "reasoning_content"}},
				"":      {[]string{`"content":"The demo's`, "reasoning_content", thought}, []string{"think>"}},
			} {
				running := newChatSite(t, platform.Options{}).zai("SHOW_THINK_TAGS=" + value).serve(t)
				answer := ask(t, running.url+chatPath, zaiHello)
				wants(t, answer, want.in...)
				lacks(t, answer, want.not...)
				streamed := ask(t, running.url+chatPath, strings.Replace(zaiHello, "false", "true", 1))
				content, reasoning := streamedText(t, streamed)
				shown := map[string]string{"true": "<think>", "false": zaiAnswer, "": zaiAnswer}[value]
				if !strings.HasPrefix(content, shown) || !strings.HasSuffix(content, zaiAnswer) || (reasoning != "") != (value == "") {
					t.Errorf("%q: streamed %q, thought %q", value, content, reasoning)
				}
				if value == "true" && (strings.Count(content, "<think>") != 1 || strings.Count(content, "</think>") != 1) {
					t.Errorf("%q", content)
				}
			}
			setup{env: []string{"SHOW_THINK_TAGS=perhaps"}}.refused(t, "SHOW_THINK_TAGS: request.thinking", "think-tags")
		}},
		{"SHOW_THINK_TAGS with another plan", "", func(t *testing.T) {
			const think = `{"model":"glm-4.6","max_tokens":999,"messages":[{"role":"user","content":"demo:think Hello"}]}`
			for value, tagged := range map[string]bool{"true": true, "false": false} {
				s := setup{env: []string{"SHOW_THINK_TAGS=" + value, "ZCODE_PROVIDER=demo"}}
				answer := ask(t, s.serve(t).url+chatPath, think)
				if strings.Contains(answer, "think>") != tagged || strings.Contains(answer, "reasoning_content") {
					t.Errorf("%s: %s", value, answer)
				}
			}
		}},
	}
}

// streamedText is what the chunks of a stream say and think.
func streamedText(t *testing.T, text string) (content, reasoning string) {
	t.Helper()
	for line := range strings.Lines(text) {
		data, ok := strings.CutPrefix(strings.TrimSpace(line), "data: ")
		if !ok || data == "[DONE]" {
			continue
		}
		var chunk struct {
			Choices []struct {
				Delta struct {
					Content   string
					Reasoning string `json:"reasoning_content"`
				}
			}
		}
		if err := json.Unmarshal([]byte(data), &chunk); err != nil {
			t.Fatalf("%v: %s", err, data)
		}
		for _, c := range chunk.Choices {
			content += c.Delta.Content
			reasoning += c.Delta.Reasoning
		}
	}
	return content, reasoning
}

func zaiEndpoints() []row {
	return []row{
		{"POST /v1/chat/completions, streaming and not", "", func(t *testing.T) {
			running := newChatSite(t, platform.Options{}).zai("API_KEY=" + zaiKey).serve(t)
			answer := ask(t, running.url+chatPath, zaiHello, "Authorization", "Bearer "+zaiKey)
			fields(t, answer, map[string]string{"object": `"chat.completion"`, "model": `"glm-4.5-air"`})
			wants(t, answer, zaiAnswer)
			streamed := ask(t, running.url+chatPath, strings.Replace(zaiHello, "false", "true", 1), "Authorization", "Bearer "+zaiKey)
			wants(t, streamed, "data: [DONE]")
			if content, _ := streamedText(t, streamed); content != zaiAnswer {
				t.Errorf("streamed %q", content)
			}
		}},
		{"GET /v1/models", "the list has all models that are known; the site decides", func(t *testing.T) {
			running := newChatSite(t, platform.Options{}).zai("API_KEY=" + zaiKey).serve(t)
			if ids := modelIDs(t, ask(t, running.url+"/v1/models", "", "Authorization", "Bearer "+zaiKey)); ids["glm-4.5-air"] == nil {
				t.Errorf("%v", ids)
			}
		}},
		{"models glm-4.5, glm-4.5-air", "", func(t *testing.T) {
			site := newChatSite(t, platform.Options{})
			running := site.zai().serve(t)
			for n, id := range []string{"glm-4.5", "glm-4.5-air"} {
				ask(t, running.url+chatPath, strings.Replace(zaiHello, "glm-4.5-air", id, 1))
				fields(t, site.said[n], map[string]string{"model": []string{`"0727-360B-API"`, `"0727-106B-API"`}[n]}) // the site's own names
			}
		}},
	}
}
