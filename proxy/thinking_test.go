package proxy

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"

	"glmtray/proxy/llm"
	"glmtray/proxy/upstream"
)

// thinkers are upstreams that think "why" and say "because", as a stream and as a batch:
// in the field of their dialect, and inline.
var thinkers = map[string]struct {
	wire          upstream.Dialect
	stream, batch string
}{
	"messages": {upstream.Messages,
		`event: message_start
data: {"type":"message_start","message":{"id":"m","type":"message","role":"assistant","model":"glm","content":[],"usage":{"input_tokens":3,"output_tokens":0}}}

event: content_block_start
data: {"type":"content_block_start","index":0,"content_block":{"type":"thinking","thinking":""}}

event: content_block_delta
data: {"type":"content_block_delta","index":0,"delta":{"type":"thinking_delta","thinking":"wh"}}

event: content_block_delta
data: {"type":"content_block_delta","index":0,"delta":{"type":"thinking_delta","thinking":"y"}}

event: content_block_delta
data: {"type":"content_block_delta","index":0,"delta":{"type":"signature_delta","signature":"s"}}

event: content_block_stop
data: {"type":"content_block_stop","index":0}

event: content_block_start
data: {"type":"content_block_start","index":1,"content_block":{"type":"text","text":""}}

event: content_block_delta
data: {"type":"content_block_delta","index":1,"delta":{"type":"text_delta","text":"because"}}

event: content_block_stop
data: {"type":"content_block_stop","index":1}

event: message_delta
data: {"type":"message_delta","delta":{"stop_reason":"end_turn"},"usage":{"output_tokens":5}}

event: message_stop
data: {"type":"message_stop"}

`,
		`{"id":"m","type":"message","role":"assistant","model":"glm","content":[{"type":"thinking","thinking":"why","signature":"s"},{"type":"text","text":"because"}],"stop_reason":"end_turn","usage":{"input_tokens":3,"output_tokens":5}}`},
	"chat": {upstream.Chat,
		`data: {"id":"c","model":"glm","choices":[{"index":0,"delta":{"role":"assistant","reasoning_content":"wh"}}]}

data: {"id":"c","model":"glm","choices":[{"index":0,"delta":{"reasoning_content":"y"}}]}

data: {"id":"c","model":"glm","choices":[{"index":0,"delta":{"content":"because"},"finish_reason":"stop"}]}

data: [DONE]

`,
		`{"id":"c","model":"glm","choices":[{"index":0,"message":{"role":"assistant","reasoning_content":"why","content":"because"},"finish_reason":"stop"}]}`},
	"inline": {upstream.Chat,
		`data: {"id":"c","model":"glm","choices":[{"index":0,"delta":{"role":"assistant","content":"\n<thi"}}]}

data: {"id":"c","model":"glm","choices":[{"index":0,"delta":{"content":"nk>\nwhy\n</th"}}]}

data: {"id":"c","model":"glm","choices":[{"index":0,"delta":{"content":"ink>\n\nbecause"},"finish_reason":"stop"}]}

data: [DONE]

`,
		`{"id":"c","model":"glm","choices":[{"index":0,"message":{"role":"assistant","content":"<think>why</think>because"},"finish_reason":"stop"}]}`},
}

// spoken reads what an answer says and thinks.
func spoken(t *testing.T, client upstream.Dialect, body []byte) (text, thought string) {
	t.Helper()
	documents := []string{string(body)}
	if !strings.HasPrefix(string(body), "{") {
		documents = nil
		for line := range strings.Lines(string(body)) {
			if data, ok := strings.CutPrefix(strings.TrimSpace(line), "data: "); ok && data != "[DONE]" {
				documents = append(documents, data)
			}
		}
	}
	type message struct {
		Content   any
		Reasoning string `json:"reasoning_content"`
	}
	for _, document := range documents {
		var in struct {
			Choices []struct{ Message, Delta message }
			Content []struct{ Text, Thinking string }
			Type    string
			Delta   json.RawMessage
			Output  []struct{ Content []struct{ Type, Text string } }
		}
		if err := json.Unmarshal([]byte(document), &in); err != nil {
			t.Fatalf("%v: %s", err, document)
		}
		for _, c := range in.Choices {
			for _, m := range []message{c.Message, c.Delta} {
				content, _ := m.Content.(string)
				text, thought = text+content, thought+m.Reasoning
			}
		}
		for _, b := range in.Content {
			text, thought = text+b.Text, thought+b.Thinking
		}
		for _, item := range in.Output {
			for _, b := range item.Content {
				if b.Type == "output_text" {
					text += b.Text
				} else {
					thought += b.Text
				}
			}
		}
		var piece struct{ Text, Thinking string }
		var said string
		switch {
		case client == upstream.Messages && json.Unmarshal(in.Delta, &piece) == nil:
			text, thought = text+piece.Text, thought+piece.Thinking
		case in.Type == "response.output_text.delta" && json.Unmarshal(in.Delta, &said) == nil:
			text += said
		case in.Type == "response.reasoning_text.delta" && json.Unmarshal(in.Delta, &said) == nil:
			thought += said
		}
	}
	return text, thought
}

// TestThinkingIsShown holds, for each pair of dialects, batch and stream, how the three
// displays show what an upstream thinks.
func TestThinkingIsShown(t *testing.T) {
	for name, u := range thinkers {
		base := serveUpstream(t, func(w http.ResponseWriter, r *http.Request) {
			var in struct{ Stream bool }
			if err := json.NewDecoder(r.Body).Decode(&in); err != nil {
				t.Error(err)
			}
			if in.Stream {
				eventStream(w)
				_, _ = io.WriteString(w, u.stream)
				return
			}
			w.Header().Set("Content-Type", "application/json")
			_, _ = io.WriteString(w, u.batch)
		})
		for display, want := range map[llm.Display][2]string{
			llm.ThinkingApart: {"because", "why"}, llm.ThinkingInTags: {"<think>\nwhy\n</think>\n\nbecause", ""}, llm.ThinkingHidden: {"because", ""},
		} {
			url := serveProxy(t, lane{wire: u.wire}.bases(base), func(c *Config) { c.Thinking = display })
			for client, path := range map[upstream.Dialect]string{
				upstream.Chat: "/v1/chat/completions", upstream.Messages: "/v1/messages", upstream.Responses: "/v1/responses",
			} {
				for _, stream := range []bool{false, true} {
					t.Run(fmt.Sprintf("%s to %s, display %d, stream %v", client, name, display, stream), func(t *testing.T) {
						content := `"max_tokens":9,"messages":[{"role":"user","content":"hi"}]`
						if client == upstream.Responses {
							content = `"input":"hi"`
						}
						resp, body := post(t, url+path, nil, fmt.Appendf(nil, `{"model":"glm-4.6","stream":%v,%s}`, stream, content))
						native := client == u.wire && display == llm.ThinkingApart
						if got := resp.Header.Get(laneHeader) == "native"; got != native {
							t.Errorf("the lane is %s", resp.Header.Get(laneHeader))
						}
						if native {
							return // what passes through is not touched
						}
						if text, thought := spoken(t, client, body); text != want[0] || thought != want[1] {
							t.Errorf("said %q, thought %q, want %q in\n%s", text, thought, want, body)
						}
					})
				}
			}
		}
	}
}
