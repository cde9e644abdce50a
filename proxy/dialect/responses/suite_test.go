package responses_test

import (
	"encoding/json"
	"strings"
	"testing"

	"glmtray/proxy/dialect/dialecttest"
	"glmtray/proxy/dialect/responses"
	"glmtray/proxy/llm"
	"glmtray/proxy/rawjson"
	"glmtray/proxy/sse"
)

// TestSuite holds the dialect to the laws of all dialects, with thinking told as a
// text and as a summary. The half of a client is the strict one of these tests.
func TestSuite(t *testing.T) {
	for _, tt := range []struct{ name, reasoning string }{{"text", `null`}, {"summary", `{"summary":"auto"}`}} {
		if tt.name == "summary" && testing.Short() {
			break // it differs little, and takes as long
		}
		t.Run(tt.name, func(t *testing.T) {
			r, failure := responses.DecodeRequest([]byte(`{"model":"m","input":"hi","reasoning":` + tt.reasoning + `}`))
			if failure != nil {
				t.Fatal(failure)
			}
			suite(t, r.Echo())
		})
	}
}

func suite(t *testing.T, echo *responses.Echo) {
	options := func(o dialecttest.Options) responses.EncoderOptions {
		return responses.EncoderOptions{Model: o.Model, ID: o.ID.String(), Created: 1_790_000_000, Echo: echo}
	}
	dialecttest.Suite(t, dialecttest.Dialect{
		NewEncoder: func(o dialecttest.Options) func([]byte, *llm.Event) []byte {
			return responses.NewEncoder(options(o)).Append
		},
		AppendResponse: func(dst []byte, r *llm.Response, o dialecttest.Options) []byte {
			return responses.AppendResponse(dst, r, options(o))
		},
		AppendError:     responses.AppendError,
		AppendKeepAlive: responses.AppendKeepAlive,
		NewDecoder:      func() dialecttest.Decoder { return &reader{} },
		DecodeResponse:  decodeResponse,
		EncodeRequest:   encodeRequest,
		DecodeRequest: func(body []byte) (*llm.Request, *llm.Error) {
			r, err := responses.DecodeRequest(body)
			if err != nil {
				return nil, err
			}
			return &r.Request, nil
		},
		Ends: func(f sse.Frame) bool {
			return string(f.Event) == "response.completed" || string(f.Event) == "response.incomplete"
		},
		CarriesStream:  carriesAnswer,
		CarriesBatch:   carriesAnswer,
		CarriesRequest: carriesRequest,
	})
}

// carriesAnswer: an answer has an id of ours and ends in one of three ways.
func carriesAnswer(a *dialecttest.Answer) {
	switch a.Stop {
	case llm.StopSequence, llm.StopPause:
		a.Stop = llm.StopEndTurn
	case llm.StopContextWindow:
		a.Stop = llm.StopMaxTokens
	}
	a.StopSequence, a.ID = "", "fallback_0"
}

// carriesRequest: there are no stop sequences, no budgets and switches for thinking,
// no cache breakpoints, and no mark of a failed tool.
func carriesRequest(r *llm.Request) {
	r.Stop = nil
	r.Thinking = llm.Thinking{Effort: r.Thinking.Effort}
	for i := range r.System {
		r.System[i].CacheControl = nil
	}
	for i := range r.Tools {
		r.Tools[i].CacheControl = nil
	}
	for i := range r.Messages {
		for j := range r.Messages[i].Blocks {
			b := &r.Messages[i].Blocks[j]
			b.CacheControl, b.IsError = nil, false
		}
	}
}

type object = map[string]any

// lit is a literal that goes into a JSON document as it is.
func lit[T ~[]byte](s T) json.RawMessage { return json.RawMessage(s) }

// encodeRequest writes a request as an SDK would.
func encodeRequest(dst []byte, r *llm.Request) []byte {
	body := object{"model": lit(r.Model), "stream": r.Stream, "store": false}
	set := func(name string, is bool, value func() any) {
		if is {
			body[name] = value()
		}
	}
	set("max_output_tokens", r.MaxTokens > 0, func() any { return r.MaxTokens })
	set("temperature", r.Temperature != nil, func() any { return *r.Temperature })
	set("top_p", r.TopP != nil, func() any { return *r.TopP })
	set("parallel_tool_calls", r.Parallel != nil, func() any { return *r.Parallel })
	set("reasoning", r.Thinking.Effort != "", func() any { return object{"effort": r.Thinking.Effort} })
	set("user", r.User != nil, func() any { return lit(r.User) })
	set("instructions", len(r.System) > 0, func() any { return lit(r.System[0].Text) })
	switch r.Format.Kind {
	case llm.FormatJSON:
		body["text"] = object{"format": object{"type": "json_object"}}
	case llm.FormatSchema:
		body["text"] = object{"format": object{"type": "json_schema", "name": lit(r.Format.Name), "schema": lit(r.Format.Schema), "strict": r.Format.Strict}}
	}
	var tools []any
	for _, t := range r.Tools {
		tool := object{"type": "function", "name": lit(t.Name), "parameters": lit(t.Schema)}
		if t.Description != nil {
			tool["description"] = lit(t.Description)
		}
		tools = append(tools, tool)
	}
	set("tools", tools != nil, func() any { return tools })
	set("tool_choice", r.Choice.Mode == llm.ChoiceNamed, func() any { return object{"type": "function", "name": lit(r.Choice.Name)} })
	if word := map[llm.ChoiceMode]string{llm.ChoiceAuto: "auto", llm.ChoiceAny: "required", llm.ChoiceNone: "none"}[r.Choice.Mode]; word != "" {
		body["tool_choice"] = word
	}
	var items []any
	for i := 1; i < len(r.System); i++ {
		items = append(items, object{"type": "message", "role": "developer", "content": []any{object{"type": "input_text", "text": lit(r.System[i].Text)}}})
	}
	for _, m := range r.Messages {
		items = appendItems(items, m)
	}
	body["input"] = items
	var out strings.Builder
	enc := json.NewEncoder(&out)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(body); err != nil {
		panic(err)
	}
	return append(dst, strings.TrimRight(out.String(), "\n")...)
}

// appendItems writes a message as items: neighbouring parts are one message.
func appendItems(items []any, m llm.Message) []any {
	var parts []any
	flush := func() {
		if parts != nil {
			role := [2]string{"user", "assistant"}[m.Role]
			items = append(items, object{"type": "message", "role": role, "content": parts})
			parts = nil
		}
	}
	for i := range m.Blocks {
		b := &m.Blocks[i]
		switch b.Kind {
		case llm.Text, llm.Image, llm.Document:
			parts = append(parts, partOf(m.Role, b))
			continue
		}
		flush()
		switch b.Kind {
		case llm.Thinks:
			items = append(items, object{"type": "reasoning", "summary": []any{}, "encrypted_content": lit(responses.SealThought(b.Text, b.Signature))})
		case llm.RedactedThinking:
			items = append(items, object{"type": "reasoning", "summary": []any{}, "encrypted_content": lit(responses.SealRedacted(b.Text))})
		case llm.ToolUse:
			items = append(items, object{"type": "function_call", "call_id": lit(b.ID), "name": lit(b.Name), "arguments": string(b.JSON)})
		case llm.ToolResult:
			output := any("")
			if len(b.Content) > 0 {
				var list []any
				for j := range b.Content {
					list = append(list, partOf(llm.User, &b.Content[j]))
				}
				output = list
			}
			items = append(items, object{"type": "function_call_output", "call_id": lit(b.ID), "output": output})
		}
	}
	flush()
	return items
}

func partOf(role llm.Role, b *llm.Block) object {
	url := func() string {
		if b.Media.URL != nil {
			return b.Media.URL.String()
		}
		return "data:" + b.Media.Type.String() + ";base64," + b.Media.Data.String()
	}
	switch {
	case b.Kind == llm.Image:
		return object{"type": "input_image", "image_url": url(), "detail": "auto"}
	case b.Kind == llm.Document:
		return object{"type": "input_file", "filename": lit(b.Name), "file_data": url()}
	case role == llm.Assistant:
		return object{"type": "output_text", "text": lit(b.Text), "annotations": []any{}}
	}
	return object{"type": "input_text", "text": lit(b.Text)}
}

var _ = rawjson.Quote
