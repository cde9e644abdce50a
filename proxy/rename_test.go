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

// TestImagesGoWhereTheyAreSeen holds that requests with images take the way on which the
// provider does not drop them, and that the others stay on theirs.
func TestImagesGoWhereTheyAreSeen(t *testing.T) {
	const image = `data:image/png;base64,iVBORw0KGgo=`
	text := `{"model":"glm-4.6v","max_tokens":9,"messages":[{"role":"user","content":"hi"}]}`
	requests := map[string][2]string{
		"/v1/chat/completions": {text, `{"model":"glm-4.6v","temperature":1.5,"messages":[{"role":"developer","content":"be brief"},{"role":"user","content":[{"type":"image_url","image_url":{"url":"` + image + `"}}]}]}`},
		"/v1/messages": {text, `{"model":"glm-4.6v","max_tokens":9,"messages":[{"role":"user","content":[{"type":"tool_result","tool_use_id":"a","content":[
			{"type":"image","source":{"type":"base64","media_type":"image/png","data":"iVBORw0KGgo="}}]}]}]}`},
		"/v1/responses": {`{"model":"glm-4.6v","input":"hi"}`, `{"model":"glm-4.6v","input":[{"role":"user","content":[{"type":"input_image","image_url":"` + image + `"}]}]}`},
	}
	requests["/v1/messages"] = [2]string{text, strings.Replace(requests["/v1/messages"][1], `"messages":[`,
		`"messages":[{"role":"user","content":"look"},{"role":"assistant","content":[{"type":"tool_use","id":"a","name":"look","input":{}}]},`, 1)}
	for _, provider := range []string{"zai", "bigmodel"} {
		var path, got string
		base := serveUpstream(t, func(w http.ResponseWriter, r *http.Request) {
			body, _ := io.ReadAll(r.Body)
			path, got = r.URL.Path, string(body)
			w.Header().Set("Content-Type", "application/json")
			if strings.HasSuffix(path, "/messages") {
				_, _ = io.WriteString(w, `{"id":"1","type":"message","role":"assistant","model":"m","content":[{"type":"text","text":"hi"}],"stop_reason":"end_turn","usage":{"input_tokens":1,"output_tokens":1}}`)
				return
			}
			_, _ = io.WriteString(w, `{"id":"1","model":"m","choices":[{"index":0,"message":{"role":"assistant","content":"hi"},"finish_reason":"stop"}]}`)
		})
		use := func(bases upstream.Bases) string {
			return serveProxy(t, bases, func(c *Config) {
				u, _ := upstream.Lookup(provider, "coding-plan", bases)
				u.Models, u.Messages.DropsImages = c.Upstream.Models, true // as at the provider's own address
				c.Upstream = u
			})
		}
		both := use(upstream.Bases{Anthropic: base, OpenAI: base + "/v4", ChatVia: upstream.Messages, MessagesVia: upstream.Messages})
		one := use(upstream.Bases{Anthropic: base})
		for client, bodies := range requests {
			if resp, answer := post(t, both+client, nil, []byte(bodies[0])); resp.StatusCode != 200 || path != "/v1/messages" {
				t.Errorf("%s%s without images: %d, went to %s: %s", provider, client, resp.StatusCode, path, answer)
			}
			resp, answer := post(t, both+client, nil, []byte(bodies[1]))
			if resp.StatusCode != 200 || path != "/v4/chat/completions" || !strings.Contains(got, image) {
				t.Errorf("%s%s with an image: %d, went to %s with %s: %s", provider, client, resp.StatusCode, path, got, answer)
			}
			// The way around is not the client's own, so the provider's rules are heeded on it.
			if strings.Contains(got, "1.5") || strings.Contains(got, "developer") || resp.Header.Get(laneHeader) != "translated to chat" {
				t.Errorf("%s%s went as it was, lane %s: %s", provider, client, resp.Header.Get(laneHeader), got)
			}
			path = ""
			resp, answer = post(t, one+client, nil, []byte(bodies[1]))
			if resp.StatusCode != 400 || path != "" || !strings.Contains(string(answer), "takes no images") {
				t.Errorf("%s%s with nowhere to go: %d, went to %q: %s", provider, client, resp.StatusCode, path, answer)
			}
		}
	}
}

// TestOtherNamesAreListed holds that clients of Anthropic's are told the names that stand
// for models, and that every client can ask about one.
func TestOtherNamesAreListed(t *testing.T) {
	url := serveProxy(t, upstream.Bases{Anthropic: "http://127.0.0.1:1"}, func(c *Config) {
		c.Naming = upstream.Naming{
			Models: c.Upstream.Models, Aliases: upstream.ParseAliases("best=glm-5.2 my-*=glm-5.1 claude-haiku=glm-4.7 lost=unheard-of"),
			Families: upstream.Families{Opus: "glm-5.2", Sonnet: "glm-5.1", Haiku: "glm-4.5-air"},
		}
	})
	type list struct {
		Data []struct {
			ID   string `json:"id"`
			Name string `json:"display_name"`
			Max  int    `json:"max_input_tokens"`
		}
		First string `json:"first_id"`
	}
	read := func(path string, header http.Header, into any) {
		t.Helper()
		resp, body := get(t, url+path, header)
		if err := json.Unmarshal(body, into); err != nil || resp.StatusCode != 200 {
			t.Fatalf("%s: %d %v: %s", path, resp.StatusCode, err, body)
		}
	}
	ids := func(l list) string {
		var ids []string
		for _, m := range l.Data {
			ids = append(ids, m.ID)
		}
		return strings.Join(ids, " ")
	}
	anthropic := http.Header{"Anthropic-Version": {"2023-06-01"}}
	var others, theirs list
	read("/v1/models", nil, &others)
	read("/v1/models", anthropic, &theirs)
	if want := "best claude-haiku claude-opus claude-sonnet " + ids(others); ids(theirs) != want || theirs.First != "best" {
		t.Errorf("got  %s\nwant %s", ids(theirs), want)
	}
	if m := theirs.Data[2]; m.Name != "GLM-5.2 as claude-opus" || m.Max == 0 {
		t.Errorf("got %+v", m)
	}
	for _, header := range []http.Header{nil, anthropic} {
		for _, id := range []string{"claude-opus-4-1-20250805", "my-own", "best"} {
			var m struct{ ID string }
			if read("/v1/models/"+id, header, &m); m.ID != id {
				t.Errorf("asked for %s, got %s", id, m.ID)
			}
		}
	}
	if resp, _ := get(t, url+"/v1/models/lost", nil); resp.StatusCode != 404 {
		t.Errorf("a name for a model that is not known: %d", resp.StatusCode)
	}
}
