package platform

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"regexp"
	"strings"
)

// The chat site, as guests see it. Its base is the demo's address with /guest.

// guestVersion is the version of the chat site's page.
const guestVersion = "prod-fe-1.1.35"

// guest is somebody at the chat site who did not log in.
type guest struct{ id, name string }

// guestSite is the firewall before the chat site.
func (s *Server) guestSite(serve http.HandlerFunc) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		if s.opts.GuestBlocked {
			Fault{HTML: true, Status: http.StatusMethodNotAllowed}.Serve(w, r)
			return
		}
		serve(w, r)
	}
}

// guestHome is the page, which is of use for its version alone.
func (s *Server) guestHome(w http.ResponseWriter, _ *http.Request) {
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	const page = "<!doctype html><title>Chat (demo)</title><script src=\"_app/" + guestVersion + "/start.js\"></script><h1>Chat (demo)</h1>"
	_, _ = io.WriteString(w, page) // a client that is gone gets nothing
}

// guestWho tells who a token belongs to, and makes a guest of who has none.
func (s *Server) guestWho(w http.ResponseWriter, r *http.Request) {
	token := bearer(r)
	if token == "" {
		s.guestMake(w, r)
		return
	}
	who, ok := s.guest(token)
	if !ok {
		guestRefusal(w, http.StatusUnauthorized, "Your session has expired or the token is invalid.")
		return
	}
	guestReply(w, http.StatusOK, who.profile(token))
}

// guestMake makes a guest.
func (s *Server) guestMake(w http.ResponseWriter, _ *http.Request) {
	id := randomHex(16)
	who := guest{id: fmt.Sprintf("%s-%s-4%s-8%s-%s", id[:8], id[8:12], id[13:16], id[17:20], id[20:])}
	who.name = "Guest-" + id[:8]
	encode := base64.RawURLEncoding.EncodeToString
	claims := `{"id":"` + who.id + `","email":"` + who.name + `@guest.example"}`
	token := encode([]byte(`{"alg":"ES256","typ":"JWT"}`)) + "." + encode([]byte(claims)) + "." + encode([]byte(randomHex(32)))
	s.mu.Lock()
	s.guests.put(token, who)
	s.mu.Unlock()
	guestReply(w, http.StatusOK, who.profile(token))
}

func (g guest) profile(token string) map[string]string {
	return map[string]string{"id": g.id, "email": g.name + "@guest.example", "name": g.name, "role": "guest", "token": token}
}

// guest returns whose a token is.
func (s *Server) guest(token string) (guest, bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	who, ok := s.guests.get(token)
	return who, ok && !s.isRevoked(token)
}

// guestRequest is what the page sends of a message.
type guestRequest struct {
	Model    string `json:"model"`
	ChatID   string `json:"chat_id"`
	ID       string `json:"id"`
	Messages []struct {
		Role    string `json:"role"`
		Content string `json:"content"`
	} `json:"messages"`
	Features struct {
		EnableThinking bool `json:"enable_thinking"`
	} `json:"features"`
}

var uuidPattern = regexp.MustCompile(`^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$`)

// wrong says what is wrong with a request, or "".
func (g *guestRequest) wrong() string {
	switch {
	case g.Model == "":
		return "model is missing"
	case !uuidPattern.MatchString(g.ChatID), !uuidPattern.MatchString(g.ID):
		return "chat_id and id must be UUIDs"
	case len(g.Messages) == 0:
		return "messages are missing"
	}
	for _, m := range g.Messages {
		if m.Role != "user" && m.Role != "assistant" && m.Role != "system" || m.Content == "" {
			return "a message has no content, or a role that is not known"
		}
	}
	return ""
}

// guestChat answers a message. It answers with a stream, whatever is asked for.
func (s *Server) guestChat(w http.ResponseWriter, r *http.Request) {
	s.count(bearer(r))
	if _, ok := s.guest(bearer(r)); !ok {
		guestRefusal(w, http.StatusUnauthorized, "401 Unauthorized")
		return
	}
	if s.opts.GuestSigned && r.Header.Get("X-Signature") == "" {
		guestRefusal(w, http.StatusForbidden, "the signature is missing or invalid")
		return
	}
	const maxConversation = 80 << 20
	var in guestRequest
	if err := json.NewDecoder(http.MaxBytesReader(w, r.Body, maxConversation)).Decode(&in); err != nil {
		guestRefusal(w, http.StatusUnprocessableEntity, "the body is not a request")
		return
	}
	if wrong := in.wrong(); wrong != "" {
		guestRefusal(w, http.StatusBadRequest, wrong)
		return
	}
	w.Header().Set("Content-Type", "text/event-stream")
	w.Header().Set("Cache-Control", "no-cache")
	flush := http.NewResponseController(w)
	for _, data := range in.answer() {
		if _, err := io.WriteString(w, "data: "+data+"\n\n"); err != nil || flush.Flush() != nil {
			return // the client left
		}
	}
}

// answer is what the stream's frames say. The thinking's end and the first words of the
// answer come in one frame that replaces the whole text, as at the real site.
//
// Two words in the last message make it fail: `demo:error` in the middle, by an error
// within the stream, and `demo:cut` by leaving out the end.
func (g *guestRequest) answer() []string {
	prompt := g.Messages[len(g.Messages)-1].Content
	text := "The demo's chat site has read: " + prompt
	const thought = "Somebody says something.\n> I say that I have read it."
	var frames []string
	add := func(data map[string]any) {
		frames = append(frames, guestJSON(map[string]any{"type": "chat:completion", "data": data}))
	}
	half := text[:len("The demo's")]
	if g.Features.EnableThinking {
		open := "<details type=\"reasoning\" done=\"false\">\n<summary>Thinking…</summary>\n> "
		add(map[string]any{"phase": "thinking", "delta_content": open + thought[:8]})
		add(map[string]any{"phase": "thinking", "delta_content": thought[8:]})
		done := "<details type=\"reasoning\" done=\"true\" duration=\"1\">\n<summary>Thought for 1 second</summary>\n> " + thought + "\n</details>\n"
		add(map[string]any{"phase": "answer", "edit_index": 0, "edit_content": done + half})
	} else {
		add(map[string]any{"phase": "answer", "delta_content": half})
	}
	switch {
	case strings.Contains(prompt, "demo:error"):
		add(map[string]any{"error": map[string]any{"code": "MODEL_FAILED", "detail": "the model has failed, as it was told to"}})
		return frames
	case strings.Contains(prompt, "demo:cut"):
		return frames
	}
	for _, piece := range strings.SplitAfter(text[len(half):], " ") {
		add(map[string]any{"phase": "answer", "delta_content": piece})
	}
	read := 0
	for _, m := range g.Messages {
		read += len(m.Content)/4 + 1
	}
	said := len(text)/4 + 1
	add(map[string]any{"phase": "other", "delta_content": "", "usage": map[string]int{
		"prompt_tokens": read, "completion_tokens": said, "total_tokens": read + said,
	}})
	add(map[string]any{"phase": "done", "done": true})
	return append(frames, "[DONE]")
}

// guestJSON writes a value as the chat site does: markup stays as it is.
func guestJSON(v map[string]any) string {
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	if err := e.Encode(v); err != nil {
		return "{}" // cannot be: the values are texts, numbers and maps of them
	}
	return strings.TrimSpace(b.String())
}

func guestReply(w http.ResponseWriter, status int, body any) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(body) // a client that is gone gets nothing
}

// guestRefusal answers in the shape of the chat site's errors.
func guestRefusal(w http.ResponseWriter, status int, detail string) {
	guestReply(w, status, map[string]string{"detail": detail})
}
