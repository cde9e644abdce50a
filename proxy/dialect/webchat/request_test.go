package webchat_test

import (
	"fmt"
	"regexp"
	"slices"
	"strings"
	"testing"

	"glmtray/proxy/dialect/webchat"
	"glmtray/proxy/llm"
	"glmtray/proxy/rawjson"
)

// The parts of a request around its messages.
const (
	front    = `{"stream":true,"model":"glm-4.7","messages":`
	features = `,"params":{},"features":{"image_generation":false,"web_search":false,"auto_web_search":false,"preview_mode":true,"enable_thinking":%t,"flags":[]},"chat_id":"UUID","id":"UUID","mcp_servers":[],"variables":{"{{USER_NAME}}":"Guest"},"background_tasks":{"title_generation":false,"tags_generation":false}}`
)

var randomID = regexp.MustCompile(`[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}`)

func text(s string) llm.Block { return llm.Block{Kind: llm.Text, Text: rawjson.Quote(s)} }

func user(b ...llm.Block) llm.Message { return llm.Message{Role: llm.User, Blocks: b} }

func assistant(b ...llm.Block) llm.Message { return llm.Message{Role: llm.Assistant, Blocks: b} }

// encode writes a request, with its ids made equal, and returns what it lost.
func encode(t *testing.T, r *llm.Request, target llm.Target) (body string, lost []string) {
	t.Helper()
	before := "before"
	out := webchat.EncodeRequest([]byte(before), r, target)
	body, ok := strings.CutPrefix(string(out), before)
	if !ok || rawjson.Valid([]byte(body)) != nil {
		t.Fatalf("not one JSON value behind what was there: %s", out)
	}
	if ids := randomID.FindAllString(body, -1); len(ids) != 2 || ids[0] == ids[1] {
		t.Errorf("the ids are %q", ids)
	}
	for _, w := range r.Warnings {
		lost = append(lost, fmt.Sprintf("%s %t", w.Field, w.Refuse))
	}
	return randomID.ReplaceAllString(body, "UUID"), lost
}

func TestEncodeRequestMessages(t *testing.T) {
	png := &llm.Media{Type: rawjson.Quote("image/png"), Data: rawjson.Quote("iVBORw0KGgo=")}
	call := llm.Block{Kind: llm.ToolUse, ID: rawjson.Quote("c1"), Name: rawjson.Quote("read"), JSON: rawjson.Value(`{"path":"a\"b"}`)}
	result := func(isError bool, content ...llm.Block) llm.Block {
		return llm.Block{Kind: llm.ToolResult, ID: rawjson.Quote("c1"), IsError: isError, Content: content}
	}
	document := func(kind, data string) llm.Block {
		return llm.Block{Kind: llm.Document, Media: &llm.Media{Type: rawjson.Quote(kind), Data: rawjson.Quote(data)}}
	}
	for _, tt := range []struct {
		name     string
		system   []llm.Block
		messages []llm.Message
		want     string
		lost     []string
	}{
		{"one text", nil, []llm.Message{user(text("Hi \"you\"\n"))}, `[{"role":"user","content":"Hi \"you\"\n"}]`, nil},
		{"several texts", nil, []llm.Message{user(text("a"), text("b"))}, `[{"role":"user","content":"a\n\nb"}]`, nil},
		{"system", []llm.Block{text("Be brief."), text(" "), text("Be kind.")}, []llm.Message{user(text("Hi")), assistant(text("Hello")), user(text("Bye"))},
			`[{"role":"user","content":"Be brief.\n\nBe kind.\n\nHi"},{"role":"assistant","content":"Hello"},{"role":"user","content":"Bye"}]`, nil},
		{"literals as they are", nil, []llm.Message{user(llm.Block{Kind: llm.Text, Text: rawjson.String(`"\u00e9\ud83d\ude42"`)})}, `[{"role":"user","content":"\u00e9\ud83d\ude42"}]`, nil},
		{"thoughts", nil, []llm.Message{user(text("a")), assistant(llm.Block{Kind: llm.Thinks, Text: rawjson.Quote("x")}, llm.Block{Kind: llm.RedactedThinking, Text: rawjson.Quote("y")}, text("b")), user(text("c"))},
			`[{"role":"user","content":"a"},{"role":"assistant","content":"b"},{"role":"user","content":"c"}]`, []string{"messages[].content[].thinking false"}},
		{"a thought alone", nil, []llm.Message{user(text("a")), assistant(llm.Block{Kind: llm.Thinks, Text: rawjson.Quote("x")}), user(text("c"))},
			`[{"role":"user","content":"a"},{"role":"user","content":"c"}]`, []string{"messages[].content[].thinking false"}},
		{"calls of earlier turns", nil, []llm.Message{user(text("a")), assistant(text("Look:"), call), user(result(false, text("A"), text("B")), text("c"))},
			`[{"role":"user","content":"a"},{"role":"assistant","content":"Look:\n\n[Called the tool read with {\"path\":\"a\\\"b\"}]"},{"role":"user","content":"[The tool answered]\n\nA\n\nB\n\nc"}]`,
			[]string{"messages[].content[].tool_use false", "messages[].content[].tool_result false"}},
		{"a failed call", nil, []llm.Message{user(text("a")), assistant(call), user(result(true, text("no")))},
			`[{"role":"user","content":"a"},{"role":"assistant","content":"[Called the tool read with {\"path\":\"a\\\"b\"}]"},{"role":"user","content":"[The tool answered with an error]\n\nno"}]`,
			[]string{"messages[].content[].tool_use false", "messages[].content[].tool_result false"}},
		{"image", nil, []llm.Message{user(text("a"), llm.Block{Kind: llm.Image, Media: png}, llm.Block{Kind: llm.Image, Media: png})}, `[{"role":"user","content":"a"}]`, []string{"messages[].content[].image true"}},
		{"image in a result", nil, []llm.Message{user(result(false, llm.Block{Kind: llm.Image, Media: png}))}, `[{"role":"user","content":"[The tool answered]"}]`,
			[]string{"messages[].content[].tool_result false", "messages[].content[].image true"}},
		{"document of text", nil, []llm.Message{user(document("Text/Plain", "aGkgInUi"))}, `[{"role":"user","content":"hi \"u\""}]`, nil},
		{"document that is broken", nil, []llm.Message{user(text("a"), document("text/plain", "%"))}, `[{"role":"user","content":"a"}]`, []string{"messages[].content[].document true"}},
		{"another document", nil, []llm.Message{user(text("a"), document("application/pdf", "JVBERi0="), llm.Block{Kind: llm.Document})}, `[{"role":"user","content":"a"}]`, []string{"messages[].content[].document true"}},
		{"another block", nil, []llm.Message{user(text("a"), llm.Block{Kind: llm.Other, Name: rawjson.Quote("sound")}, llm.Block{Kind: llm.Other, Name: rawjson.Quote("a b")}, llm.Block{Kind: llm.Other, Name: rawjson.Quote(strings.Repeat("x", 99))})},
			`[{"role":"user","content":"a"}]`, []string{"messages[].content[].sound false", "messages[].content[].(unnamed) false", "messages[].content[]." + strings.Repeat("x", 64) + " false"}},
		{"the start of an answer", nil, []llm.Message{user(text("a")), assistant(text("b"))}, `[{"role":"user","content":"a"},{"role":"assistant","content":"b"}]`, []string{"messages false"}},
		{"nothing", nil, []llm.Message{user(llm.Block{Kind: llm.Image, Media: png})}, `[]`, []string{"messages[].content[].image true", "messages true"}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			r := &llm.Request{Model: rawjson.Quote("glm-4.7"), System: tt.system, Messages: tt.messages}
			body, lost := encode(t, r, llm.Target{})
			if want := front + tt.want + fmt.Sprintf(features, true); body != want {
				t.Errorf("got\n%s\nwant\n%s", body, want)
			}
			if !slices.Equal(lost, tt.lost) {
				t.Errorf("lost %q, want %q", lost, tt.lost)
			}
		})
	}
}

func TestEncodeRequestFields(t *testing.T) {
	half := 0.5
	tools := []llm.Tool{{Name: rawjson.Quote("read"), Schema: rawjson.Value(`{"type":"object"}`)}}
	for _, tt := range []struct {
		name   string
		r      llm.Request
		target llm.Target
		thinks bool
		lead   string
		lost   []string
	}{
		{"nothing asked", llm.Request{}, llm.Target{DefaultMaxTokens: 100, CacheLastBlock: true}, true, "", nil},
		{"thinking on", llm.Request{Thinking: llm.Thinking{Mode: llm.ThinkingOn}}, llm.Target{}, true, "", nil},
		{"thinking adaptive", llm.Request{Thinking: llm.Thinking{Mode: llm.ThinkingAdaptive}}, llm.Target{}, true, "", nil},
		{"thinking off", llm.Request{Thinking: llm.Thinking{Mode: llm.ThinkingOff}}, llm.Target{}, false, "", nil},
		{"thinking off that cannot be", llm.Request{Thinking: llm.Thinking{Mode: llm.ThinkingOff}}, llm.Target{AlwaysThinks: true}, true, "", []string{"thinking false"}},
		{"no effort", llm.Request{Thinking: llm.Thinking{Effort: llm.EffortNone}}, llm.Target{}, false, "", nil},
		{"an effort", llm.Request{Thinking: llm.Thinking{Effort: llm.EffortLow}}, llm.Target{}, true, "", []string{"thinking false"}},
		{"a budget", llm.Request{Thinking: llm.Thinking{Mode: llm.ThinkingOn, Budget: 1024}}, llm.Target{}, true, "", []string{"thinking.budget_tokens false"}},
		{"tools", llm.Request{Tools: tools}, llm.Target{}, true, "", []string{"tools true"}},
		{"tools that may be called", llm.Request{Tools: tools, Choice: llm.ToolChoice{Mode: llm.ChoiceAuto}}, llm.Target{}, true, "", []string{"tools true"}},
		{"tools that must not be called", llm.Request{Tools: tools, Choice: llm.ToolChoice{Mode: llm.ChoiceNone}}, llm.Target{}, true, "", nil},
		{"parameters", llm.Request{MaxTokens: 5, Temperature: &half, TopP: &half, Stop: []rawjson.String{rawjson.Quote("x")}, User: rawjson.Quote("u"), Stream: true}, llm.Target{}, true, "",
			[]string{"max_tokens false", "temperature false", "top_p false", "stop false", "user false"}},
		{"a temperature of the settings", llm.Request{}, llm.Target{Temperature: &half}, true, "", []string{"temperature false"}},
		{"a lead", llm.Request{System: []llm.Block{text("B.")}}, llm.Target{Lead: []rawjson.String{rawjson.Quote("A.")}}, true, `A.\n\nB.\n\n`, nil},
		{"JSON", llm.Request{Format: llm.Format{Kind: llm.FormatJSON}}, llm.Target{}, true, `Answer with one JSON object and nothing else: no text around it, no code fence.\n\n`, nil},
		{"schema", llm.Request{System: []llm.Block{text("A.")}, Format: llm.Format{Kind: llm.FormatSchema, Schema: rawjson.Value(`{"type":"object"}`)}}, llm.Target{}, true,
			`A.\n\nAnswer with one JSON value that is valid under this JSON Schema, and with nothing else:\n{\"type\":\"object\"}\n\n`, nil},
	} {
		t.Run(tt.name, func(t *testing.T) {
			tt.r.Model, tt.r.Messages = rawjson.Quote("glm-4.7"), []llm.Message{user(text("Hi"))}
			body, lost := encode(t, &tt.r, tt.target)
			if want := front + `[{"role":"user","content":"` + tt.lead + `Hi"}]` + fmt.Sprintf(features, tt.thinks); body != want {
				t.Errorf("got\n%s\nwant\n%s", body, want)
			}
			if !slices.Equal(lost, tt.lost) {
				t.Errorf("lost %q, want %q", lost, tt.lost)
			}
		})
	}
}

func TestEncodeRequestModels(t *testing.T) {
	for model, want := range map[string]string{
		"glm-4.5": "0727-360B-API", "GLM-4.5": "0727-360B-API", "glm-4.5-air": "0727-106B-API", "GLM-4.6": "GLM-4-6-API-V1", "glm-4.7": "glm-4.7",
		"GLM-4.7": "glm-4.7", "glm-4.7[1m]": "glm-4.7", "GLM-4.6V": "glm-4.6v", "glm-4.5v": "glm-4.5v", "GLM-5": "glm-5", "glm-5.2": "glm-5.2", "glm-5.1": "GLM-5.1",
		"glm-5-turbo": "GLM-5-Turbo", "glm-5V-turbo": "GLM-5v-Turbo", "0727-360B-API": "0727-360B-API", "some \"other\"": `some \"other\"`,
	} {
		r := &llm.Request{Model: rawjson.Quote(model), Messages: []llm.Message{user(text("Hi"))}}
		if body, _ := encode(t, r, llm.Target{}); !strings.HasPrefix(body, `{"stream":true,"model":"`+want+`","messages"`) {
			t.Errorf("%s: got %s", model, body)
		}
	}
}

// A loss that is told once is not told again when the request is written anew.
func TestEncodeRequestTwice(t *testing.T) {
	r := &llm.Request{Model: rawjson.Quote("m"), MaxTokens: 1, Messages: []llm.Message{user(text("Hi"))}}
	webchat.EncodeRequest(nil, r, llm.Target{})
	webchat.EncodeRequest(nil, r, llm.Target{})
	if len(r.Warnings) != 1 {
		t.Errorf("got %v", r.Warnings)
	}
}
