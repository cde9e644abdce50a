package webchat_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/rogpeppe/go-internal/txtar"

	"glmtray/proxy/dialect/dialecttest"
	"glmtray/proxy/dialect/webchat"
	"glmtray/proxy/llm"
	"glmtray/proxy/sse"
)

func TestParseError(t *testing.T) {
	long := strings.Repeat("漢", 2000)
	for _, tt := range []struct {
		name   string
		status int
		body   string
		want   *llm.Error
	}{
		{"none", 200, `{"data":{"phase":"answer","delta_content":"x"}}`, nil},
		{"null", 200, `{"error":null}`, nil},
		{"empty text", 200, `{"error":""}`, nil},
		{"top", 0, `{"error":{"code":401,"detail":"no"}}`, &llm.Error{Kind: llm.ErrAuthentication, Code: "401", Message: "no"}},
		{"data", 200, `{"type":"x","data":{"error":{"code":"429","detail":"slow"}}}`, &llm.Error{Kind: llm.ErrRateLimit, Code: "429", Message: "slow"}},
		{"data of data", 200, `{"data":{"data":{"error":{"code":"WORD","detail":"no"}}}}`, &llm.Error{Kind: llm.ErrUpstream, Code: "WORD", Message: "no"}},
		{"too deep", 200, `{"data":{"data":{"data":{"error":{"code":"WORD"}}}}}`, nil},
		{"message", 200, `{"error":{"message":"no"}}`, &llm.Error{Kind: llm.ErrUpstream, Message: "no"}},
		{"detail of another kind", 200, `{"error":{"code":5,"detail":[{"x":1}]}}`, &llm.Error{Kind: llm.ErrUpstream, Code: "5", Message: "the chat site reported an error and did not say which"}},
		{"long", 200, `{"error":{"code":"` + long + `","detail":"` + long + `"}}`, &llm.Error{Kind: llm.ErrUpstream, Code: strings.Repeat("漢", 21) + "…", Message: strings.Repeat("漢", 341) + "…"}},
		{"status", 403, `{"detail":"no signature"}`, &llm.Error{Kind: llm.ErrPermission, Status: 403, Message: "no signature"}},
		{"status with an error", 400, `{"error":{"code":"WORD","detail":"no"}}`, &llm.Error{Kind: llm.ErrInvalid, Status: 400, Code: "WORD", Message: "no"}},
		{"status with a page", 405, `<html>`, &llm.Error{Kind: llm.ErrMethod, Status: 405, Message: "HTTP 405 Method Not Allowed, with a web page instead of an answer"}},
		{"status with an envelope", 429, `{"code":1302,"msg":"slow"}`, &llm.Error{Kind: llm.ErrRateLimit, Status: 429, Code: "1302", Message: "slow"}},
		{"status with a detail of another kind", 422, `{"detail":[1]}`, &llm.Error{Kind: llm.ErrInvalid, Status: 422, Message: "HTTP 422 Unprocessable Entity"}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			got := webchat.ParseError(tt.status, []byte(tt.body))
			if (got == nil) != (tt.want == nil) || got != nil && *got != *tt.want {
				t.Errorf("got %#v\nwant %#v", got, tt.want)
			}
			if got != nil && !utf8.ValidString(got.Message+got.Code) {
				t.Error("a character was cut")
			}
		})
	}
}

func TestDecodeResponse(t *testing.T) {
	for _, tt := range []struct{ name, body, want string }{
		{"empty", " \n", "sent an empty answer"},
		{"page", "<html>", "a web page"},
		{"text", "no", "not JSON"},
		{"error", `{"error":{"code":1,"detail":"boom"}}`, "boom"},
		{"a frame without an end", `{"data":{"phase":"answer","delta_content":"x"}}`, "before the answer was complete"},
		{"a frame too long", "data: " + strings.Repeat("x", sse.MaxFrame+1), "too long"},
		{"one frame", `{"data":{"phase":"answer","delta_content":"x","done":true}}`, ""},
		{"a comment first", ": hi\n\ndata: {\"data\":{\"delta_content\":\"x\",\"done\":true}}", ""},
		{"a named event first", "event: message\ndata: {\"data\":{\"delta_content\":\"x\",\"done\":true}}", ""},
		{"an end before a frame that is too long", "data: {\"data\":{\"delta_content\":\"x\",\"done\":true}}\n\ndata: " + strings.Repeat("x", sse.MaxFrame+1), ""},
	} {
		t.Run(tt.name, func(t *testing.T) {
			events := webchat.DecodeResponse(nil, []byte(tt.body))
			dialecttest.Laws(t, events)
			err := events[len(events)-1].Err
			if (err == nil) != (tt.want == "") || err != nil && !strings.Contains(err.Message, tt.want) {
				t.Errorf("got %v, want %q", err, tt.want)
			}
		})
	}
}

// TestDecoderBounds has streams that would take memory or time without end.
func TestDecoderBounds(t *testing.T) {
	long := strings.Repeat("x", 1<<20)
	for _, tt := range []struct {
		name, frame string
		most        int
		want        string
	}{
		{"text", `{"data":{"phase":"answer","delta_content":"` + long + `"}}`, 17, "longer answer than can be kept"},
		{"silence", `{"data":{"phase":"tool_call","delta_content":"` + long + `"}}`, 17, "longer answer than can be kept"},
		{"edits", `{"data":{"phase":"answer","edit_index":1,"edit_content":"` + long + `"}}`, 300, "changed its answer too often"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			d := webchat.NewDecoder()
			var events []llm.Event
			n := 0
			for ; n <= tt.most && (len(events) == 0 || events[len(events)-1].Kind != llm.EventError); n++ {
				events = d.Append(events, sse.Frame{Data: []byte(tt.frame)})
			}
			dialecttest.Laws(t, d.Close(events))
			if err := events[len(events)-1].Err; err == nil || !strings.Contains(err.Message, tt.want) {
				t.Errorf("after %d frames: %v", n, err)
			}
		})
	}
}

// site plays the site: it says a text in pieces, with edits of any place, all of which
// agree on what the text is.
type site struct {
	raw  []rune
	wire []byte
}

func (s *site) send(data map[string]any) {
	line, err := json.Marshal(map[string]any{"type": "chat:completion", "data": data})
	if err != nil {
		panic(err)
	}
	s.wire = sse.AppendFrame(s.wire, "", line)
}

// FuzzEdits says a text in pieces of any size, taking some back and saying it again:
// whatever the pieces and the edits are, what is told is the text.
func FuzzEdits(f *testing.F) {
	f.Add("Hello there, 世界🙂 <b> </details>", []byte{3, 130, 4, 255, 9, 1})
	f.Add("<det <details <details>x</details> > y", []byte{1, 1, 1, 200, 1, 1, 129, 7})
	f.Fuzz(func(t *testing.T, text string, steps []byte) {
		const thought = "<details type=\"reasoning\" done=\"false\">\n<summary>Thinking…</summary>\n> Hm, a\n> thought\n</details>\n"
		text = strings.ToValidUTF8(text, "")
		if strings.Contains(text, `type="reasoning"`) || text != strings.TrimLeft(text, "\r\n") || text == "" ||
			strings.HasPrefix("</details>", text[:min(len(text), 10)]) || len(steps) > 200 {
			return // the site's own markup
		}
		whole := []rune(thought + text)
		s := &site{}
		for i := 0; len(s.raw) < len(whole); i++ {
			step := byte(7)
			if i < len(steps) {
				step = steps[i]
			}
			from := len(s.raw)
			to := min(from+int(step%128)+1, len(whole))
			if step < 128 && from > 0 {
				s.send(map[string]any{"phase": "answer", "delta_content": string(whole[from:to])})
			} else { // some is said once more
				from = max(0, from-int(step))
				s.send(map[string]any{"phase": "answer", "edit_index": from, "edit_content": string(whole[from:to])})
			}
			s.raw = whole[:to]
		}
		s.send(map[string]any{"phase": "done", "done": true})
		events := decode(t, bytes.NewReader(s.wire))
		if err := dialecttest.Check(events); err != nil {
			t.Fatalf("%v\n%s", err, dialecttest.Transcript(events))
		}
		got := dialecttest.AnswerOf(events)
		want := fmt.Sprintf("%q %q", "Hm, a\nthought", text)
		if len(got.Blocks) != 2 || fmt.Sprintf("%q %q", got.Blocks[0].Text, got.Blocks[1].Text) != want {
			t.Fatalf("got %s\nwant %s\n%s\n%s", got, want, s.wire, dialecttest.Transcript(events))
		}
	})
}

// FuzzDecoder reads anything: the laws hold, wherever the stream is torn, and a body
// is read as a stream is.
func FuzzDecoder(f *testing.F) {
	for _, file := range goldenStreams(f) {
		archive, err := txtar.ParseFile(file)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(archive.Files[0].Data)
	}
	f.Fuzz(func(t *testing.T, stream []byte) {
		events := decode(t, bytes.NewReader(stream))
		if err := dialecttest.Check(events); err != nil {
			t.Fatalf("%v\n%s", err, dialecttest.Transcript(events))
		}
		if len(stream) < 4<<10 {
			if torn := decode(t, &oneByte{stream}); dialecttest.Transcript(torn) != dialecttest.Transcript(events) {
				t.Fatalf("torn\n%s\nat once\n%s", dialecttest.Transcript(torn), dialecttest.Transcript(events))
			}
		}
		body := webchat.DecodeResponse(nil, stream)
		if err := dialecttest.Check(body); err != nil {
			t.Fatalf("%v\n%s", err, dialecttest.Transcript(body))
		}
		webchat.ParseError(400, stream)
	})
}

// BenchmarkDecoder reads the common delta.
func BenchmarkDecoder(b *testing.B) {
	data := []byte(`{"type":"chat:completion","data":{"phase":"answer","delta_content":" some words"}}`)
	d := webchat.NewDecoder()
	var events []llm.Event
	b.ReportAllocs()
	for i := 0; b.Loop(); i++ {
		if i%(1<<20) == 0 {
			d = webchat.NewDecoder()
		}
		events = d.Append(events[:0], sse.Frame{Data: data})
	}
	if len(events) == 0 {
		b.Fatal("nothing was read")
	}
}
