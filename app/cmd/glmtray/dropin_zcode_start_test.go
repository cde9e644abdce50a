package main_test

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"regexp"
	"strings"
	"testing"

	"glmtray/proxy/demo"
	"glmtray/proxy/demo/platform"
)

// zcodeStartPlan are the rows of the start plan.
func zcodeStartPlan() []row {
	serve := func(t *testing.T, more string) (*server, *recorder) {
		t.Helper()
		upstream := newRecorder(t)
		s := setup{env: []string{"ZCODE_JWT=" + startToken}, files: map[string]string{
			"config.yaml": "plan: start-plan\nauth:\n  mode: apikey\nstartPlan:\n  base: " + upstream.url + "/gateway\n  configsURL: " + upstream.url + "/configs\n" + more,
			"system.txt":  "One.\n---\nTwo.\n",
		}}
		return s.serve(t), upstream
	}
	return []row{
		{"start plan: Messages goes to the gateway with the JWT", "its Messages path is used, which takes them as they are; its chat path has gone, but startPlan.wire: chat uses it", func(t *testing.T) {
			for _, path := range []string{messagesPath, chatPath} {
				running, upstream := serve(t, "")
				ask(t, running.url+path, conversation("Hello", false))
				got := upstream.only(t)
				if got.path != "/gateway/anthropic/v1/messages" {
					t.Errorf("%s went to %s", path, got.path)
				}
				headers(t, got.header, map[string]string{"Authorization": "Bearer " + startToken, "X-Api-Key": "", "User-Agent": "ZCode/3.2.2", "X-ZCode-Agent": "glm"})
				for _, name := range []string{"X-Request-Id", "X-ZCode-Trace-Id"} {
					if got.header.Get(name) == "" {
						t.Errorf("%s is missing", name)
					}
				}
			}
		}},
		{"start plan: chat goes to the gateway's OpenAI endpoint", "with startPlan.wire: chat, or where the other path answers 404", func(t *testing.T) {
			for _, path := range []string{messagesPath, chatPath} {
				running, upstream := serve(t, "  wire: chat\n")
				ask(t, running.url+path, conversation("Hello", false))
				got := upstream.only(t)
				if got.path != "/gateway/chat/completions" {
					t.Errorf("%s went to %s", path, got.path)
				}
				headers(t, got.header, map[string]string{"Authorization": "Bearer " + startToken})
			}
		}},
		{"start plan: ZCode's system messages in front", "they are a text of our own, which says what is true; startPlan.systemFile may hold others", func(t *testing.T) {
			for _, path := range []string{messagesPath, chatPath} {
				running, upstream := serve(t, "")
				ask(t, running.url+path, `{"model":"glm-4.6","max_tokens":9,"messages":[{"role":"user","content":"Hello"}]}`)
				var body struct{ System []struct{ Text string } }
				if err := json.Unmarshal([]byte(upstream.only(t).body), &body); err != nil || len(body.System) < 2 {
					t.Errorf("%s: %v, %+v", path, err, body)
				}
			}
			running, upstream := serve(t, "  systemFile: system.txt\n")
			ask(t, running.url+messagesPath, conversation("Hello", false))
			wants(t, upstream.only(t).body, `"One."`, `"Two."`)
		}},
	}
}

// checker is a person before the page on which the start plan's check is passed.
type checker struct {
	base   string
	client *http.Client
}

// newChecker follows the link of `glmtray open verify`, as it is printed where there is no
// browser.
func (s *shell) newChecker(t *testing.T) *checker {
	t.Helper()
	got := s.run(t, s.env, "open", "verify")
	link := printedLink.FindString(got.stdout)
	if got.code != 0 || link == "" {
		t.Fatalf("%d %s%s", got.code, got.stdout, got.stderr)
	}
	browser, _ := visit(t, link)
	return &checker{link[:strings.Index(link, "/open")], browser}
}

var printedLink = regexp.MustCompile(`(?m)^http://127\.0\.0\.1:\d+/open\?\S+$`)

func (c *checker) do(t *testing.T, method, path, body string) (status int, answer string) {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), method, c.base+path, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	if body != "" {
		req.Header.Set("Content-Type", "application/json")
	}
	resp, err := c.client.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return resp.StatusCode, string(text)
}

// zcodeChecks are the variables of zcode-proxy's captcha.
func zcodeChecks() []row {
	serve := func(t *testing.T, env ...string) (*shell, *server) {
		t.Helper()
		p := newProvider(t, demo.Options{Platform: platform.Options{Captcha: true}})
		_, jwt := p.accessToken(t, "zai")
		s := newShell(t, p, append(env, "ZCODE_JWT="+jwt)...)
		s.configure(t, p.config("plan: start-plan\n"))
		return s, s.serveHere(t)
	}
	const person = "the program solves no captcha: a person does, on the page of glmtray open verify"
	return []row{
		{"ZCODE_CAPTCHA_RETRIES", person + ", and is asked that often again", func(t *testing.T) {
			for _, retries := range []int{0, 2} {
				s, running := serve(t, fmt.Sprint("ZCODE_CAPTCHA_RETRIES=", retries))
				c := s.newChecker(t)
				if asked, answer := c.fail(t, running); asked != retries+1 || !strings.Contains(answer, "3007") {
					t.Errorf("with %d retries the person was asked %d times: %s", retries, asked, answer)
				}
			}
			setup{env: []string{"ZCODE_CAPTCHA_RETRIES=-1"}}.refused(t, "ZCODE_CAPTCHA_RETRIES", "from 0 to 10")
		}},
		{"ZCODE_CAPTCHA_TIMEOUT_MS", person + ", for whom a request waits that long", func(t *testing.T) {
			_, running := serve(t, "ZCODE_CAPTCHA_TIMEOUT_MS=1000")
			status, answer := fetch(t, running.url+messagesPath, conversation("Hello", false))
			if status != http.StatusForbidden {
				t.Errorf("status %d", status)
			}
			wants(t, answer, "within 1s", "glmtray open verify")
		}},
		{"ZCODE_CAPTCHA_SDK_LOAD_MS", person + ", which gives the script that long", func(t *testing.T) {
			s, _ := serve(t, "ZCODE_CAPTCHA_SDK_LOAD_MS=4321")
			if status, answer := s.newChecker(t).do(t, http.MethodGet, "/api/widget", ""); status != http.StatusOK || !strings.Contains(answer, "4321") {
				t.Errorf("%d %s", status, answer)
			}
		}},
	}
}

// fail fails the check of a request as often as it is asked for, and returns how often
// that was and how the request ended.
func (c *checker) fail(t *testing.T, running *server) (asked int, answer string) {
	t.Helper()
	ended := make(chan string, 1)
	go func() {
		resp, err := send(t.Context(), running.url+messagesPath, conversation("Hello", false))
		if err != nil {
			ended <- err.Error()
			return
		}
		defer resp.Body.Close()
		text, err := io.ReadAll(resp.Body)
		ended <- fmt.Sprint(string(text), err)
	}()
	waitFor(t, "the end of a request whose check nobody passes", func() bool {
		if status, _ := c.do(t, http.MethodPost, "/api/check", `{"proof":"bad"}`); status == http.StatusNoContent {
			asked++
		}
		select {
		case answer = <-ended:
			return true
		default:
			return false
		}
	})
	return asked, answer
}
