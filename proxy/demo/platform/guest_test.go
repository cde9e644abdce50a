package platform_test

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	"glmtray/proxy/demo/platform"
)

// guestBody is a request as the chat site's page sends it.
func guestBody(prompt string, think bool) string {
	const id = "01234567-89ab-4cde-8f01-23456789abcd"
	return fmt.Sprintf(`{"stream":true,"model":"glm-4.7","messages":[{"role":"user","content":%q}],"features":{"enable_thinking":%t},"chat_id":%q,"id":%q}`, prompt, think, id, id)
}

// newGuest makes a guest in one of the two ways and returns the token.
func (w *world) newGuest(method, path string) string {
	w.t.Helper()
	a := w.do(method, path, "{}")
	var who struct{ ID, Email, Name, Token string }
	if err := json.Unmarshal([]byte(a.text), &who); err != nil || a.status != 200 {
		w.t.Fatalf("%d %s: %v", a.status, a.text, err)
	}
	if len(who.ID) != 36 || who.Name == "" || who.Email == "" || strings.Count(who.Token, ".") != 2 {
		w.t.Errorf("got %s", a.text)
	}
	return who.Token
}

func TestGuestTokens(t *testing.T) {
	w := newWorld(t, platform.Options{})
	if a := w.do("GET", "/guest/", ""); a.status != 200 || !strings.Contains(a.text, "prod-fe-1.1.35") {
		t.Errorf("the page: %d %s", a.status, a.text)
	}
	older := w.newGuest("GET", "/guest/api/v1/auths/")
	newer := w.newGuest("POST", "/guest/api/v1/auths/guest")
	if older == newer {
		t.Error("two guests have one token")
	}
	for _, token := range []string{older, newer} {
		if a := w.do("GET", "/guest/api/v1/auths/", "", "Authorization", "Bearer "+token); a.status != 200 || !strings.Contains(a.text, token) {
			t.Errorf("who: %d %s", a.status, a.text)
		}
	}
	w.Revoke(older)
	if a := w.do("GET", "/guest/api/v1/auths/", "", "Authorization", "Bearer "+older); a.status != 401 {
		t.Errorf("a revoked token: %d %s", a.status, a.text)
	}
	if a := w.do("POST", "/guest/api/v2/chat/completions", guestBody("Hi", true), "Authorization", "Bearer "+older); a.status != 401 {
		t.Errorf("a revoked token: %d %s", a.status, a.text)
	}
	if a := w.do("POST", "/guest/api/v2/chat/completions", guestBody("Hi", true), "Authorization", "Bearer "+newer); a.status != 200 {
		t.Errorf("the other token: %d %s", a.status, a.text)
	}
	if w.Requests(older) != 1 || w.Requests(newer) != 1 {
		t.Errorf("counted %d and %d", w.Requests(older), w.Requests(newer))
	}
}

func TestGuestChat(t *testing.T) {
	w := newWorld(t, platform.Options{})
	token := w.newGuest("GET", "/guest/api/v1/auths/")
	const id = "01234567-89ab-4cde-8f01-23456789abcd"
	for _, tt := range []struct {
		name, body string
		status     int
		want, not  string
	}{
		{"thinking", guestBody("Hi", true), 200, `{"delta_content":"<details type=\"reasoning\" done=\"false\">\n<summary>Thinking…</summary>\n> Somebody","phase":"thinking"}`, ""},
		{"the edit", guestBody("Hi", true), 200, `</details>\nThe demo's","edit_index":0,"phase":"answer"}`, ""},
		{"no thinking", guestBody("Hi", false), 200, `"delta_content":"The demo's","phase":"answer"`, "details"},
		{"usage", guestBody("Hi", false), 200, `"usage":{"completion_tokens":`, ""},
		{"the end", guestBody("Hi", false), 200, "data: {\"data\":{\"done\":true,\"phase\":\"done\"},\"type\":\"chat:completion\"}\n\ndata: [DONE]\n\n", ""},
		{"an error in the stream", guestBody("demo:error", true), 200, `{"data":{"error":{"code":"MODEL_FAILED"`, "DONE"},
		{"no end", guestBody("demo:cut", true), 200, `</details>`, "DONE"},
		{"not JSON", "{", 422, `{"detail":"the body is not a request"}`, ""},
		{"no model", `{}`, 400, "model is missing", ""},
		{"no ids", `{"model":"m","chat_id":"x"}`, 400, "must be UUIDs", ""},
		{"no messages", `{"model":"m","chat_id":"` + id + `","id":"` + id + `"}`, 400, "messages are missing", ""},
		{"a role", strings.Replace(guestBody("Hi", true), `"user"`, `"tool"`, 1), 400, "a role that is not known", ""},
		{"no content", guestBody("", true), 400, "no content", ""},
	} {
		for _, version := range []string{"", "/v2"} {
			a := w.do("POST", "/guest/api"+version+"/chat/completions", tt.body, "Authorization", "Bearer "+token)
			if a.status != tt.status || !strings.Contains(a.text, tt.want) || tt.not != "" && strings.Contains(a.text, tt.not) {
				t.Errorf("%s%s: %d %s", tt.name, version, a.status, a.text)
			}
		}
	}
	if a := w.do("POST", "/guest/api/chat/completions", guestBody("Hi", true)); a.status != 401 {
		t.Errorf("no token: %d", a.status)
	}
	if a := w.do("GET", "/guest/nothing", ""); a.status != 404 {
		t.Errorf("no such path: %d", a.status)
	}
}

func TestGuestSigned(t *testing.T) {
	w := newWorld(t, platform.Options{GuestSigned: true})
	token := w.newGuest("GET", "/guest/api/v1/auths/")
	a := w.do("POST", "/guest/api/chat/completions", guestBody("Hi", true), "Authorization", "Bearer "+token)
	if a.status != 403 || !strings.Contains(a.text, "signature") {
		t.Errorf("got %d %s", a.status, a.text)
	}
}

func TestGuestBlocked(t *testing.T) {
	w := newWorld(t, platform.Options{GuestBlocked: true})
	for _, at := range []string{"GET /guest/", "GET /guest/api/v1/auths/", "POST /guest/api/v1/auths/guest", "POST /guest/api/v2/chat/completions"} {
		method, path, _ := strings.Cut(at, " ")
		if a := w.do(method, path, "{}"); a.status != 405 || !strings.HasPrefix(a.text, "<!doctype") {
			t.Errorf("%s: %d %s", at, a.status, a.text)
		}
	}
}
