package proxy

import (
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"

	"glmtray/proxy/upstream"
)

// The upstreams of the scenarios: what they read and write, in the forms of Z.AI's.

// upstreamRequest reads what came upstream.
func upstreamRequest(t *testing.T, body []byte) talk {
	t.Helper()
	if len(body) == 0 {
		t.Fatal("nothing came upstream")
	}
	var in struct {
		Model               string
		Temperature         float64
		TopP                float64 `json:"top_p"`
		MaxTokens           int     `json:"max_tokens"`
		MaxCompletionTokens int     `json:"max_completion_tokens"`
		Stop                []string
		StopSequences       []string `json:"stop_sequences"`
		User                string
		UserID              string `json:"user_id"`
		Metadata            struct {
			UserID string `json:"user_id"`
		}
		Effort string                `json:"reasoning_effort"`
		Form   struct{ Type string } `json:"response_format"`
		Output struct {
			Effort string
			Format struct{ Type string }
		} `json:"output_config"`
		System   json.RawMessage
		Messages []upstreamMessage
		Choice   json.RawMessage `json:"tool_choice"`
		Tools    []struct {
			Name     string
			Function struct{ Name string }
		}
	}
	unmarshal(t, body, &in)
	out := talk{
		model: in.Model, temperature: in.Temperature, topP: in.TopP, limit: max(in.MaxTokens, in.MaxCompletionTokens),
		stop: slices.Concat(in.Stop, in.StopSequences), user: in.User + in.UserID + in.Metadata.UserID,
		effort: in.Effort + in.Output.Effort, form: in.Form.Type + in.Output.Format.Type, choice: upstreamChoice(t, in.Choice),
	}
	for _, tool := range in.Tools {
		out.tools = append(out.tools, tool.Name+tool.Function.Name)
	}
	for _, p := range contentParts(t, in.System) {
		out.system = append(out.system, p.text)
	}
	for _, m := range in.Messages {
		parts := m.parts(t)
		if m.Role == "system" || m.Role == "developer" {
			for _, p := range parts {
				out.system = append(out.system, p.text)
			}
			continue
		}
		role := "user"
		if m.Role == "assistant" {
			role = m.Role
		}
		out.turns = append(out.turns, speech{role, parts})
	}
	return out
}

func upstreamChoice(t *testing.T, choice json.RawMessage) string {
	var word string
	if len(choice) == 0 || json.Unmarshal(choice, &word) == nil {
		return strings.NewReplacer("required", "any").Replace(word)
	}
	var c struct {
		Type, Name string
		Function   struct{ Name string }
	}
	unmarshal(t, choice, &c)
	if c.Type == "tool" || c.Type == "function" {
		return c.Name + c.Function.Name
	}
	return c.Type
}

// upstreamMessage is a message of either dialect.
type upstreamMessage struct {
	Role      string
	Content   json.RawMessage
	Reasoning string     `json:"reasoning_content"`
	Calls     []chatCall `json:"tool_calls"`
	CallID    string     `json:"tool_call_id"`
}

func (m *upstreamMessage) parts(t *testing.T) (out []part) {
	content := contentParts(t, m.Content)
	if m.Role == "tool" {
		return []part{resultOf(m.CallID, content, false)}
	}
	if m.Reasoning != "" {
		out = append(out, thought(m.Reasoning, ""))
	}
	out = append(out, content...)
	for _, c := range m.Calls {
		out = append(out, call(c.ID, c.Function.Name, c.Function.Arguments))
	}
	return out
}

// resultOf makes one part of the parts of a result.
func resultOf(id string, content []part, failed bool) part {
	r := output(id, "")
	r.failed = failed
	for _, p := range content {
		if p.kind == "image" {
			r.images = append(r.images, p.text)
		} else {
			r.text += p.text
		}
	}
	return r
}

// contentParts reads a content: a text, or an array of either dialect's parts. Texts that
// say nothing are none.
func contentParts(t *testing.T, content json.RawMessage) (out []part) {
	var s string
	if len(content) == 0 || json.Unmarshal(content, &s) == nil {
		if s != "" {
			out = append(out, text(s))
		}
		return out
	}
	var parts []struct {
		Type, Text, Thinking, Signature, Data string
		ID, Name                              string
		Input, Content                        json.RawMessage
		CallID                                string               `json:"tool_use_id"`
		IsError                               bool                 `json:"is_error"`
		ImageURL                              struct{ URL string } `json:"image_url"`
		File                                  struct {
			Data string `json:"file_data"`
		}
		Source struct{ Type, Data, URL string }
	}
	unmarshal(t, content, &parts)
	for _, p := range parts {
		switch p.Type {
		case "text":
			out = append(out, text(p.Text))
		case "image_url":
			out = append(out, part{kind: "image", text: p.ImageURL.URL})
		case "file":
			out = append(out, part{kind: "document", text: strings.TrimPrefix(p.File.Data, "data:application/pdf;base64,")})
		case "image":
			url := p.Source.URL
			if p.Source.Type == "base64" {
				url = "data:image/png;base64," + p.Source.Data
			}
			out = append(out, part{kind: "image", text: url})
		case "document":
			out = append(out, part{kind: "document", text: p.Source.Data})
		case "thinking":
			out = append(out, thought(p.Thinking, p.Signature))
		case "redacted_thinking":
			out = append(out, part{kind: "redacted", text: p.Data})
		case "tool_use":
			out = append(out, call(p.ID, p.Name, string(p.Input)))
		case "tool_result":
			out = append(out, resultOf(p.CallID, contentParts(t, p.Content), p.IsError))
		default:
			t.Errorf("a part of the type %s", p.Type)
		}
	}
	return out
}

// The upstreams' words for the reasons to stop.
var (
	chatStops     = map[string]string{"end": "stop", "sequence": "stop", "limit": "length", "tool": "tool_calls", "refused": "sensitive"}
	messagesStops = map[string]string{"end": "end_turn", "sequence": "stop_sequence", "limit": "max_tokens", "tool": "tool_use", "refused": "refusal"}
)

func compact(v any) string {
	var b strings.Builder
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(v); err != nil {
		panic(err) // maps and slices of plain values encode
	}
	return strings.TrimSuffix(b.String(), "\n")
}

// providersWords are in each error of the provider, and must reach the client.
const providersWords = "told by the provider"

// upstreamError is the body of an error.
func upstreamError(wire upstream.Dialect, r reply) string {
	if wire == upstream.Chat {
		return compact(wireObject{"error": wireObject{"code": r.code, "message": providersWords}})
	}
	kind := map[int]string{http.StatusUnauthorized: "authentication_error", http.StatusTooManyRequests: "rate_limit_error", http.StatusBadRequest: "invalid_request_error"}[r.status]
	if kind == "" {
		kind = "api_error"
	}
	return compact(wireObject{"type": "error", "error": wireObject{"type": kind, "code": r.code, "message": "[" + r.code + "][" + providersWords + "][2026]"}})
}

func upstreamBatch(wire upstream.Dialect, r reply) string {
	if wire == upstream.Chat {
		message := wireObject{"role": "assistant", "content": ""}
		var calls []any
		for _, p := range r.parts {
			switch p.kind {
			case "thought":
				message["reasoning_content"] = p.text
			case "text":
				message["content"] = p.text
			case "call":
				calls = append(calls, wireObject{"id": p.id, "type": "function", "function": wireObject{"name": p.name, "arguments": p.text}})
			}
		}
		if calls != nil {
			message["tool_calls"] = calls
		}
		choice := wireObject{"index": 0, "message": message, "finish_reason": chatStops[r.stop]}
		return compact(wireObject{"id": "c1", "object": "chat.completion", "created": 1_790_000_000, "model": "glm", "choices": []any{choice}, "usage": chatCounts(r)})
	}
	content := []any{}
	for _, p := range r.parts {
		content = append(content, upstreamBlock(p, true))
	}
	return compact(wireObject{"id": "m1", "type": "message", "role": "assistant", "model": "glm", "content": content,
		"stop_reason": messagesStops[r.stop], "stop_sequence": nil, "usage": messagesCounts(r)})
}

func upstreamBlock(p part, whole bool) wireObject {
	if !whole {
		p.text, p.signature = "", ""
	}
	switch p.kind {
	case "thought":
		return wireObject{"type": "thinking", "thinking": p.text, "signature": p.signature}
	case "redacted":
		return wireObject{"type": "redacted_thinking", "data": p.text}
	case "call":
		if !whole {
			p.text = "{}"
		}
		return wireObject{"type": "tool_use", "id": p.id, "name": p.name, "input": json.RawMessage(p.text)}
	}
	return wireObject{"type": "text", "text": p.text}
}

func chatCounts(r reply) wireObject {
	return wireObject{"prompt_tokens": r.input + r.cached, "completion_tokens": r.output, "total_tokens": r.input + r.cached + r.output,
		"prompt_tokens_details": wireObject{"cached_tokens": r.cached}, "completion_tokens_details": wireObject{"reasoning_tokens": r.thinks}}
}

func messagesCounts(r reply) wireObject {
	return wireObject{"input_tokens": r.input, "cache_read_input_tokens": r.cached, "output_tokens": r.output}
}

// upstreamStream is the answer as a stream, in small pieces.
func upstreamStream(wire upstream.Dialect, r reply) string {
	if wire == upstream.Chat {
		return upstreamChunks(r)
	}
	var b strings.Builder
	event := func(name string, with wireObject) {
		with["type"] = name
		fmt.Fprintf(&b, "event: %s\ndata: %s\n\n", name, compact(with))
	}
	event("message_start", wireObject{"message": wireObject{"id": "m1", "type": "message", "role": "assistant", "model": "glm", "content": []any{},
		"stop_reason": nil, "stop_sequence": nil, "usage": wireObject{"input_tokens": 0, "output_tokens": 0}}})
	for i, p := range r.parts {
		begin := upstreamBlock(p, p.kind == "redacted")
		event("content_block_start", wireObject{"index": i, "content_block": begin})
		kind, field := "text_delta", "text"
		switch p.kind {
		case "thought":
			kind, field = "thinking_delta", "thinking"
		case "call":
			kind, field = "input_json_delta", "partial_json"
		}
		for piece := range pieces(p) {
			event("content_block_delta", wireObject{"index": i, "delta": wireObject{"type": kind, field: piece}})
		}
		if p.signature != "" {
			event("content_block_delta", wireObject{"index": i, "delta": wireObject{"type": "signature_delta", "signature": p.signature}})
		}
		if r.cut && i == len(r.parts)-1 {
			return b.String()
		}
		event("content_block_stop", wireObject{"index": i})
	}
	if r.fails != "" {
		b.WriteString("event: error\ndata: " + upstreamError(upstream.Messages, r) + "\n\n")
		return b.String()
	}
	event("message_delta", wireObject{"delta": wireObject{"stop_reason": messagesStops[r.stop], "stop_sequence": nil}, "usage": messagesCounts(r)})
	event("message_stop", wireObject{})
	return b.String()
}

func upstreamChunks(r reply) string {
	var b strings.Builder
	chunk := func(delta wireObject, finish any, usage any) {
		one := wireObject{"id": "c1", "object": "chat.completion.chunk", "created": 1_790_000_000, "model": "glm",
			"choices": []any{wireObject{"index": 0, "delta": delta, "finish_reason": finish}}}
		if usage != nil {
			one["usage"] = usage
		}
		fmt.Fprintf(&b, "data: %s\n\n", compact(one))
	}
	calls := 0
	for _, p := range r.parts {
		switch p.kind {
		case "thought":
			for piece := range pieces(p) {
				chunk(wireObject{"role": "assistant", "reasoning_content": piece}, nil, nil)
			}
		case "text":
			for piece := range pieces(p) {
				chunk(wireObject{"role": "assistant", "content": piece}, nil, nil)
			}
		case "call":
			chunk(wireObject{"tool_calls": []any{wireObject{"index": calls, "id": p.id, "type": "function", "function": wireObject{"name": p.name, "arguments": ""}}}}, nil, nil)
			for piece := range pieces(p) {
				chunk(wireObject{"tool_calls": []any{wireObject{"index": calls, "function": wireObject{"arguments": piece}}}}, nil, nil)
			}
			calls++
		}
	}
	switch {
	case r.cut:
		return b.String()
	case r.fails != "":
		return b.String() + "data: " + upstreamError(upstream.Chat, r) + "\n\n"
	}
	chunk(wireObject{"role": "assistant", "content": ""}, chatStops[r.stop], chatCounts(r))
	return b.String() + "data: [DONE]\n\n"
}

// pieces cuts the text of a part; a redacted thought is whole.
func pieces(p part) func(func(string) bool) {
	const size = 4 // characters
	return func(yield func(string) bool) {
		if p.kind == "redacted" || p.kind == "call" && p.text == "{}" {
			return
		}
		for some := range slices.Chunk([]rune(p.text), size) {
			if !yield(string(some)) {
				return
			}
		}
	}
}
