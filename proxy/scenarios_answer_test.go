package proxy

import (
	"bytes"
	"cmp"
	"encoding/json"
	"maps"
	"slices"
	"strings"
	"testing"

	"glmtray/proxy/sse"
)

// How the clients of the scenarios read answers: as strictly as the SDKs do, or more.

// unmarshal reads JSON that must be right.
func unmarshal(t *testing.T, data []byte, into any) {
	t.Helper()
	if err := json.Unmarshal(data, into); err != nil {
		t.Fatalf("%v: %s", err, data)
	}
}

// wireError is an error in the shapes of all dialects.
type wireError struct {
	Type, Message string
	Code          any
}

// kindOfError is the neutral word for the type of an error.
func kindOfError(e *wireError) string {
	switch e.Type {
	case "invalid_request_error":
		return "invalid"
	case "authentication_error":
		return "key"
	case "rate_limit_error":
		if strings.Contains(e.Message, "quota") { // Anthropic's one word for both
			return "quota"
		}
		return "rate"
	case "insufficient_quota":
		return "quota"
	case "api_error", "": // a chat upstream's own error amid a stream has no type
		return "upstream"
	}
	return e.Type
}

// clientError reads the body of an error.
func clientError(t *testing.T, client string, body []byte) reply {
	var e struct {
		Type  string
		Error wireError
	}
	unmarshal(t, body, &e)
	if (e.Type == "error") != (client == "messages") || e.Error.Message == "" {
		t.Errorf("this is no error of %s: %s", client, body)
	}
	return reply{fails: kindOfError(&e.Error)}
}

// clientBatch reads a whole answer.
func clientBatch(t *testing.T, client string, body []byte) reply {
	switch client {
	case "chat":
		var c chatCompletion
		unmarshal(t, body, &c)
		if len(c.Choices) != 1 || c.Object != "chat.completion" {
			t.Fatalf("this is no answer: %s", body)
		}
		return c.Choices[0].Message.reply(c.Choices[0].Finish, c.Usage)
	case "messages":
		var m message
		unmarshal(t, body, &m)
		return m.reply()
	}
	var r response
	unmarshal(t, body, &r)
	return r.reply(t)
}

// clientStream reads a stream, and holds it to its dialect's grammar.
func clientStream(t *testing.T, client string, body []byte) reply {
	r := sse.NewReader(bytes.NewReader(body), make([]byte, len(body)+4096))
	if err := r.Fill(); err != nil {
		t.Fatal(err)
	}
	var frames []sse.Frame
	for f, ok := r.Next(); ok; f, ok = r.Next() {
		if f.Data != nil {
			frames = append(frames, f)
		}
	}
	if rest := r.Rest(); len(rest.Raw) > 0 || len(frames) == 0 {
		t.Fatalf("the stream does not end in an event: %s", body)
	}
	switch client {
	case "chat":
		return chatStreamed(t, frames)
	case "messages":
		return messagesStreamed(t, frames)
	}
	return responsesStreamed(t, frames)
}

// chatCompletion is an answer or a chunk of one.
type chatCompletion struct {
	Object  string
	Choices []struct {
		Message, Delta chatMessage
		Finish         string `json:"finish_reason"`
	}
	Usage *chatUsage
	Error *wireError
}

type chatMessage struct {
	Role      string       `json:"role,omitempty"`
	Content   *string      `json:"content"`
	Reasoning string       `json:"reasoning_content,omitempty"`
	Details   []chatDetail `json:"reasoning_details,omitempty"`
	Calls     []chatCall   `json:"tool_calls,omitempty"`
}

type chatDetail struct {
	Type      string `json:"type"`
	Text      string `json:"text,omitempty"`
	Signature string `json:"signature,omitempty"`
	Data      string `json:"data,omitempty"`
	Index     int    `json:"index"`
}

type chatCall struct {
	Index    int    `json:"index,omitempty"`
	ID       string `json:"id"`
	Type     string `json:"type"`
	Function struct {
		Name      string `json:"name"`
		Arguments string `json:"arguments"`
	} `json:"function"`
}

type chatUsage struct {
	Prompt        int `json:"prompt_tokens"`
	Completion    int `json:"completion_tokens"`
	Total         int `json:"total_tokens"`
	PromptDetails struct {
		Cached int `json:"cached_tokens"`
	} `json:"prompt_tokens_details"`
	CompletionDetails struct {
		Reasoning int `json:"reasoning_tokens"`
	} `json:"completion_tokens_details"`
}

func (m chatMessage) reply(finish string, u *chatUsage) reply {
	r := reply{raw: []any{m}}
	if m.Reasoning != "" {
		p := thought(m.Reasoning, "")
		for _, d := range m.Details {
			p.signature = cmp.Or(d.Signature, p.signature)
		}
		r.parts = append(r.parts, p)
	}
	for _, d := range m.Details {
		if d.Data != "" {
			r.parts = append(r.parts, part{kind: "redacted", text: d.Data})
		}
	}
	if m.Content != nil && *m.Content != "" {
		r.parts = append(r.parts, text(*m.Content))
	}
	for _, c := range m.Calls {
		r.parts = append(r.parts, call(c.ID, c.Function.Name, cmp.Or(c.Function.Arguments, "{}")))
	}
	words := map[string]string{"stop": "end", "length": "limit", "tool_calls": "tool", "content_filter": "refused"}
	r.stop = cmp.Or(words[finish], finish)
	if u != nil {
		r.cached, r.output, r.thinks = u.PromptDetails.Cached, u.Completion, u.CompletionDetails.Reasoning
		r.input = u.Prompt - r.cached
	}
	return r
}

// chatStreamed puts chunks together, as the SDKs do.
func chatStreamed(t *testing.T, frames []sse.Frame) reply {
	var whole chatMessage
	content, finish := "", ""
	var usage *chatUsage
	var failed *wireError
	for i, f := range frames {
		if string(f.Data) == "[DONE]" {
			if i != len(frames)-1 {
				t.Error("something follows [DONE]")
			}
			continue
		}
		var c chatCompletion
		unmarshal(t, f.Data, &c)
		if c.Error != nil {
			failed = c.Error
			continue
		}
		usage = cmp.Or(c.Usage, usage)
		for _, choice := range c.Choices {
			d := &choice.Delta
			whole.Role = cmp.Or(d.Role, whole.Role)
			if d.Content != nil {
				content += *d.Content
			}
			whole.Reasoning += d.Reasoning
			whole.Details = append(whole.Details, d.Details...)
			for _, piece := range d.Calls {
				if piece.Index == len(whole.Calls) {
					whole.Calls = append(whole.Calls, chatCall{ID: piece.ID, Type: piece.Type})
					whole.Calls[piece.Index].Function.Name = piece.Function.Name
				}
				whole.Calls[piece.Index].Function.Arguments += piece.Function.Arguments
			}
			finish = cmp.Or(choice.Finish, finish)
		}
	}
	if failed == nil && string(frames[len(frames)-1].Data) != "[DONE]" {
		t.Error("[DONE] is missing")
	}
	for i := range whole.Calls {
		whole.Calls[i].Index = 0
	}
	whole.Content = &content
	r := whole.reply(finish, usage)
	if failed != nil {
		r.fails = kindOfError(failed)
	}
	return r
}

// message is an answer of Anthropic's.
type message struct {
	Content []messagesContent
	Stop    string `json:"stop_reason"`
	Usage   messagesUsage
}

type messagesContent struct {
	Type      string          `json:"type"`
	Text      string          `json:"text,omitempty"`
	Thinking  string          `json:"thinking,omitempty"`
	Signature string          `json:"signature,omitempty"`
	Data      string          `json:"data,omitempty"`
	ID        string          `json:"id,omitempty"`
	Name      string          `json:"name,omitempty"`
	Input     json.RawMessage `json:"input,omitempty"`
}

type messagesUsage struct {
	Input     int `json:"input_tokens"`
	Output    int `json:"output_tokens"`
	CacheRead int `json:"cache_read_input_tokens"`
}

func (m message) reply() reply {
	r := reply{
		raw:   []any{wireObject{"role": "assistant", "content": m.Content}},
		input: m.Usage.Input, cached: m.Usage.CacheRead, output: m.Usage.Output,
		stop: map[string]string{"end_turn": "end", "max_tokens": "limit", "tool_use": "tool", "refusal": "refused", "stop_sequence": "sequence"}[m.Stop],
	}
	for _, b := range m.Content {
		switch b.Type {
		case "text":
			r.parts = append(r.parts, text(b.Text))
		case "thinking":
			// The mark stands for an upstream that signs nothing.
			r.parts = append(r.parts, thought(b.Thinking, strings.TrimPrefix(b.Signature, "glmtray-unsigned")))
		case "redacted_thinking":
			r.parts = append(r.parts, part{kind: "redacted", text: b.Data})
		case "tool_use":
			r.parts = append(r.parts, call(b.ID, b.Name, string(b.Input)))
		}
	}
	return r
}

// messagesDeltas are what each type of block grows by.
var messagesDeltas = map[string]string{"text": "text_delta", "thinking": "thinking_delta signature_delta", "tool_use": "input_json_delta"}

// messagesStreamed puts events together, as the SDKs do.
func messagesStreamed(t *testing.T, frames []sse.Frame) reply {
	var m message
	open := false
	for i, f := range frames {
		var e struct {
			Type    string
			Index   int
			Message *message
			Block   messagesContent `json:"content_block"`
			Delta   struct {
				Type, Text, Thinking, Signature string
				JSON                            string `json:"partial_json"`
				Stop                            string `json:"stop_reason"`
			}
			Usage *messagesUsage
			Error *wireError
		}
		unmarshal(t, f.Data, &e)
		if e.Type != string(f.Event) || (i == 0) != (e.Type == "message_start") && e.Type != "error" {
			t.Errorf("event %d is a %s in a %s", i, e.Type, f.Event)
		}
		if open != (e.Type == "content_block_delta" || e.Type == "content_block_stop") && e.Type != "error" && e.Type != "ping" {
			t.Errorf("a %s while a block is open: %v", e.Type, open)
		}
		switch e.Type {
		case "message_start":
			m = *e.Message
		case "content_block_start":
			if e.Index != len(m.Content) {
				t.Errorf("block %d is the %dth", e.Index, len(m.Content))
			}
			m.Content, open = append(m.Content, e.Block), true
		case "content_block_delta":
			b := &m.Content[e.Index]
			if !slices.Contains(strings.Fields(messagesDeltas[b.Type]), e.Delta.Type) {
				t.Errorf("a %s in a block of %s", e.Delta.Type, b.Type)
			}
			b.Text, b.Thinking, b.Signature = b.Text+e.Delta.Text, b.Thinking+e.Delta.Thinking, b.Signature+e.Delta.Signature
			if e.Delta.JSON != "" {
				if string(b.Input) == "{}" {
					b.Input = nil // it begins as an empty object
				}
				b.Input = append(b.Input, e.Delta.JSON...)
			}
		case "content_block_stop":
			if open = false; m.Content[e.Index].Type == "thinking" && m.Content[e.Index].Signature == "" {
				t.Error("thinking without a signature, which no client can send back")
			}
		case "message_delta":
			m.Stop, m.Usage = e.Delta.Stop, *e.Usage
		case "message_stop":
			if i != len(frames)-1 {
				t.Error("something follows message_stop")
			}
		case "error":
			r := m.reply()
			r.fails = kindOfError(e.Error)
			return r
		}
	}
	if last := string(frames[len(frames)-1].Event); last != "message_stop" {
		t.Errorf("the last event is %s", last)
	}
	return m.reply()
}

// response is an answer of the Responses API.
type response struct {
	ID, Object, Status string
	Output             []wireObject
	Incomplete         *struct{ Reason string } `json:"incomplete_details"`
	Error              *wireError
	Usage              *struct {
		Input        int `json:"input_tokens"`
		Output       int `json:"output_tokens"`
		InputDetails *struct {
			Cached int `json:"cached_tokens"`
		} `json:"input_tokens_details"`
		OutputDetails *struct {
			Reasoning int `json:"reasoning_tokens"`
		} `json:"output_tokens_details"`
	}
}

func (r response) reply(t *testing.T) reply {
	out := reply{id: r.ID, stop: map[string]string{"completed": "end", "incomplete": "limit"}[r.Status]}
	if r.Incomplete != nil && r.Incomplete.Reason == "content_filter" {
		out.stop = "refused"
	}
	word := func(b wireObject, name string) string { s, _ := b[name].(string); return s }
	texts := func(b wireObject, field string) (s string) {
		parts, _ := b[field].([]any)
		for _, p := range parts {
			s += word(p.(wireObject), "text")
		}
		return s
	}
	for _, item := range r.Output {
		out.raw = append(out.raw, item)
		switch word(item, "type") {
		case "message":
			out.parts = append(out.parts, text(texts(item, "content")))
		case "reasoning":
			if word(item, "encrypted_content") == "" {
				t.Error("a thought without its envelope")
			}
			if s := texts(item, "content"); s != "" {
				out.parts = append(out.parts, thought(s, ""))
			} else {
				out.parts = append(out.parts, part{kind: "redacted"})
			}
		case "function_call":
			out.parts = append(out.parts, call(word(item, "call_id"), word(item, "name"), word(item, "arguments")))
			if out.stop == "end" {
				out.stop = "tool"
			}
		}
	}
	if u := r.Usage; u == nil || u.InputDetails == nil || u.OutputDetails == nil {
		t.Error("a response without a whole usage")
	} else {
		out.cached, out.output, out.thinks = u.InputDetails.Cached, u.Output, u.OutputDetails.Reasoning
		out.input = u.Input - out.cached
	}
	if r.Error != nil {
		out.fails = kindOfError(r.Error)
	}
	return out
}

// responsesStreamed reads events: the last has the answer, which must be what the others
// told of it.
func responsesStreamed(t *testing.T, frames []sse.Frame) reply {
	told := map[string]string{} // the pieces of each item
	var done []string
	for i, f := range frames {
		var e struct {
			Type     string
			Sequence int        `json:"sequence_number"`
			Item     wireObject `json:"item"`
			ItemID   string     `json:"item_id"`
			Delta    string
			Response *response
		}
		unmarshal(t, f.Data, &e)
		if e.Type != string(f.Event) || e.Sequence != i {
			t.Errorf("event %d is a %s in a %s, numbered %d", i, e.Type, f.Event, e.Sequence)
		}
		told[e.ItemID] += e.Delta
		if e.Type == "response.output_item.done" {
			item, err := json.Marshal(e.Item)
			if err != nil {
				t.Fatal(err)
			}
			done = append(done, string(item))
		}
		if i < len(frames)-1 {
			continue
		}
		if e.Response == nil || !slices.Contains([]string{"response.completed", "response.incomplete", "response.failed"}, e.Type) {
			t.Fatalf("the stream ends in a %s", e.Type)
		}
		r := e.Response.reply(t)
		pieces := slices.Sorted(maps.Values(told))
		for _, p := range r.parts {
			if p.text != "" && !slices.Contains(pieces, p.text) {
				t.Errorf("%s was not streamed", p)
			}
		}
		if r.fails == "" && len(done) != len(e.Response.Output) {
			t.Errorf("%d items are done of %d", len(done), len(e.Response.Output))
		}
		return r
	}
	return reply{}
}
