package proxy

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"

	"glmtray/proxy/upstream"
)

// TestModelNames holds, for each pair of dialects, batch and stream, which model the
// upstream is asked for, and that the answer has the client's name for it.
func TestModelNames(t *testing.T) {
	naming := func(c *Config) {
		c.Naming = upstream.Naming{
			Text: "glm-4.7", Vision: "glm-4.6v", Models: c.Upstream.Models, Aliases: upstream.ParseAliases("my-*=glm-5.1"),
			Families: upstream.Families{Opus: "glm-5.2", Sonnet: "glm-5.1", Haiku: "glm-4.5-air", GPT: "glm-5"},
		}
		c.Upstream.Target.CacheLastBlock = false
	}
	const picture = "iVBORw0KGgo="
	content := map[upstream.Dialect]string{
		upstream.Chat:     `[{"type":"text","text":"hi"},{"type":"image_url","image_url":{"url":"data:image/png;base64,` + picture + `"}}]`,
		upstream.Messages: `[{"type":"text","text":"hi"},{"type":"image","source":{"type":"base64","media_type":"image/png","data":"` + picture + `"}}]`,
	}
	eachLane(t, func(t *testing.T, l lane) {
		var asked string
		base := serveUpstream(t, func(w http.ResponseWriter, r *http.Request) {
			body, _ := io.ReadAll(r.Body)
			var in struct {
				Model  string
				Stream bool
			}
			if err := json.Unmarshal(body, &in); err != nil {
				t.Errorf("%v: %s", err, body)
			}
			asked = in.Model
			if in.Stream {
				eventStream(w)
				_, _ = w.Write(l.answer)
				return
			}
			w.Header().Set("Content-Type", "application/json")
			if l.wire == upstream.Chat {
				_, _ = io.WriteString(w, `{"id":"1","model":"glm-real","choices":[{"index":0,"message":{"role":"assistant","content":"hi"},"finish_reason":"stop"}]}`)
				return
			}
			_, _ = io.WriteString(w, `{"id":"1","type":"message","role":"assistant","model":"glm-real","content":[{"type":"text","text":"hi"}],"stop_reason":"end_turn","usage":{"input_tokens":1,"output_tokens":1}}`)
		})
		url := serveProxy(t, l.bases(base), naming)
		for _, tc := range []struct{ model, content, want, named string }{
			{`"glm-4.6"`, `"hi"`, "glm-4.6", ""},
			{`"claude-opus-4-1-20250805"`, `"hi"`, "glm-5.2", "claude-opus-4-1-20250805"},
			{`"claude-sonnet-4-5[1m]"`, `"hi"`, "glm-5.1", "claude-sonnet-4-5[1m]"},
			{`"gpt-5-mini"`, `"hi"`, "glm-4.5-air", "gpt-5-mini"},
			{`"my-model"`, `"hi"`, "glm-5.1", "my-model"},
			{`"glm-4.6"`, content[l.client], "glm-4.6v", "glm-4.6"},
			{`"glm-4.6v"`, `"hi"`, "glm-4.7", "glm-4.6v"},
			{`""`, `"hi"`, "glm-4.7", ""},
			{`""`, content[l.client], "glm-4.6v", ""},
		} {
			for _, stream := range []bool{false, true} {
				body := fmt.Sprintf(`{"max_tokens":9,"model":%s,"stream":%t,"messages":[{"role":"user","content":%s}]}`, tc.model, stream, tc.content)
				resp, answer := post(t, url+l.path, nil, []byte(body))
				if resp.StatusCode != 200 || asked != tc.want {
					t.Fatalf("%s, stream %v: %d, %s was asked: %s", tc.model, stream, resp.StatusCode, asked, answer)
				}
				if tc.named != "" && (!strings.Contains(string(answer), `"model":"`+tc.named+`"`) || strings.Contains(string(answer), `"glm-real"`)) {
					t.Errorf("%s, stream %v: the answer names another model: %s", tc.model, stream, answer)
				}
			}
		}
		withoutModel := []byte(`{"max_tokens":9,"messages":[{"role":"user","content":"hi"}]}`)
		if resp, answer := post(t, url+l.path, nil, withoutModel); resp.StatusCode != 200 || asked != "glm-4.7" {
			t.Errorf("no model: %d, %s was asked: %s", resp.StatusCode, asked, answer)
		}
	})
}

// TestImagesAreNotLost holds that a picture for a model that sees none is refused in
// words where no other model is set.
func TestImagesAreNotLost(t *testing.T) {
	eachLane(t, func(t *testing.T, l lane) {
		url := serveProxy(t, l.bases("http://127.0.0.1:1"), func(c *Config) {
			c.Naming = upstream.Naming{Text: "glm-4.7", Models: c.Upstream.Models}
		})
		body := `{"model":"glm-4.6","max_tokens":9,"messages":[{"role":"user","content":[{"type":"image_url","image_url":{"url":"https://h/p.png"}}]}]}`
		if l.client == upstream.Messages {
			body = `{"model":"glm-4.6","max_tokens":9,"messages":[{"role":"user","content":[{"type":"image","source":{"type":"url","url":"https://h/p.png"}}]}]}`
		}
		if resp, answer := post(t, url+l.path, nil, []byte(body)); resp.StatusCode != 400 || !strings.Contains(string(answer), "glm-4.6 sees no images") {
			t.Errorf("%d %s", resp.StatusCode, answer)
		}
	})
}
