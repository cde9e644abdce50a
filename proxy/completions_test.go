package proxy

import (
	"encoding/json"
	"net/http"
	"strings"
	"testing"

	"glmtray/proxy/llm"
	"glmtray/proxy/upstream"
)

// TestCompletions holds that the older endpoint of OpenAI's is answered over upstreams of
// both dialects, whole and as a stream.
func TestCompletions(t *testing.T) {
	for name, u := range thinkers {
		t.Run(name, func(t *testing.T) {
			var sent map[string]any
			base := serveUpstream(t, func(w http.ResponseWriter, r *http.Request) {
				sent = nil
				if err := json.NewDecoder(r.Body).Decode(&sent); err != nil {
					t.Error(err)
				}
				if sent["stream"] == true {
					eventStream(w)
					_, _ = w.Write([]byte(u.stream))
					return
				}
				w.Header().Set("Content-Type", "application/json")
				_, _ = w.Write([]byte(u.batch))
			})
			url := serveProxy(t, lane{wire: u.wire}.bases(base), nil) + "/v1/completions"
			resp, body := post(t, url, nil, []byte(`{"model":"glm-4.6","prompt":"So: ","max_tokens":50,"echo":true}`))
			var answer struct {
				Object  string
				Model   string
				Choices []struct {
					Text   string
					Finish string `json:"finish_reason"`
				}
				Usage struct {
					Total int `json:"total_tokens"`
				}
			}
			if err := json.Unmarshal(body, &answer); err != nil || resp.StatusCode != 200 {
				t.Fatalf("%d %v: %s", resp.StatusCode, err, body)
			}
			if c := answer.Choices; answer.Object != "text_completion" || answer.Model != "glm-4.6" || len(c) != 1 || c[0].Text != "So: because" || c[0].Finish != "stop" || answer.Usage.Total == 0 {
				t.Errorf("got %s", body)
			}
			messages, _ := json.Marshal(sent["messages"])
			if !strings.Contains(string(messages), `"So: "`) && !strings.Contains(string(messages), `"text":"So: "`) || sent["max_tokens"] != 50.0 {
				t.Errorf("sent %v", sent)
			}
			if thinking, _ := json.Marshal(sent["thinking"]); string(thinking) != `{"type":"disabled"}` {
				t.Errorf("sent thinking %s", thinking)
			}
			_, body = post(t, url, nil, []byte(`{"model":"glm-4.6","prompt":"So: ","stream":true,"stream_options":{"include_usage":true}}`))
			if text := string(body); !strings.Contains(text, `{"text":"because","index":0,`) || !strings.Contains(text, `"finish_reason":"stop"`) ||
				!strings.Contains(text, `"choices":[],"usage":{`) || !strings.HasSuffix(text, "data: [DONE]\n\n") || strings.Contains(text, "why") {
				t.Errorf("got %s", text)
			}
		})
	}
}

// TestCompletionsHoldNoThinking holds that no setting puts thinking into a text that goes
// on from the prompt.
func TestCompletionsHoldNoThinking(t *testing.T) {
	u := thinkers["chat"]
	base := serveUpstream(t, func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		_, _ = w.Write([]byte(u.batch))
	})
	url := serveProxy(t, lane{wire: u.wire}.bases(base), func(c *Config) { c.Thinking = llm.ThinkingInTags }) + "/v1/completions"
	if _, body := post(t, url, nil, []byte(`{"model":"glm-4.6","prompt":"So: "}`)); !strings.Contains(string(body), `"text":"because"`) {
		t.Errorf("got %s", body)
	}
}

func TestCompletionsRefuse(t *testing.T) {
	url := serveProxy(t, upstream.Bases{Anthropic: "http://127.0.0.1:1"}, nil) + "/v1/completions"
	for body, field := range map[string]string{
		`{"model":"m","prompt":["a","b"]}`: "prompt", `{"model":"m","prompt":"a","suffix":"b"}`: "suffix", `{"model":"m","prompt":"a","n":2}`: "n", `{"prompt":"a"}`: "model",
	} {
		resp, answer := post(t, url, nil, []byte(body))
		var in struct {
			Error struct{ Message, Type, Param string }
		}
		if err := json.Unmarshal(answer, &in); err != nil || resp.StatusCode != 400 || in.Error.Param != field || in.Error.Type != "invalid_request_error" {
			t.Errorf("%s: %d %s", body, resp.StatusCode, answer)
		}
	}
}

// TestCompletionsGoWhereChatGoes holds that the setting for chat clients is theirs too.
func TestCompletionsGoWhereChatGoes(t *testing.T) {
	u := upstream.Upstream{Messages: upstream.Endpoint{Dialect: upstream.Messages, URL: "m"}, Chat: upstream.Endpoint{Dialect: upstream.Chat, URL: "c"}, MessagesVia: upstream.Messages}
	for via, want := range map[upstream.Dialect]string{"": "c", upstream.Chat: "c", upstream.Messages: "m"} {
		u.ChatVia = via
		if got := u.Endpoint(upstream.Completions).URL; got != want {
			t.Errorf("via %q: %s", via, got)
		}
	}
}
