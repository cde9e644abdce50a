package chat_test

import (
	"bytes"
	"fmt"
	"reflect"
	"strings"
	"testing"

	"glmtray/proxy/dialect/chat"
	"glmtray/proxy/llm"
	"glmtray/proxy/rawjson"
)

// TestDecodeRequestRefuses has what no upstream could take: the field and the words
// of the error.
func TestDecodeRequestRefuses(t *testing.T) {
	hello := `{"role":"user","content":"Hello."}`
	messages := func(list string) string { return `{"model":"m","messages":[` + list + `]}` }
	with := func(fields string) string { return `{"model":"m","messages":[` + hello + `],` + fields + `}` }
	call := `{"role":"assistant","content":null,"tool_calls":[{"id":"c1","function":{"name":"f","arguments":"{}"}}]}`
	for _, tt := range []struct{ name, body, field, message string }{
		{"empty", ``, "", "the request body: unexpected end of JSON"},
		{"not JSON", `hello`, "", "the request body: invalid JSON: unexpected 'h'"},
		{"array", `[]`, "", "the request body: must be an object, not an array"},
		{"cut", `{"model":"m","messages":[{"role":"us`, "messages[0].role", "messages[0].role: unterminated string"},
		{"two values", `{} {}`, "", `the request body: unexpected '{' after the end of the JSON value`},
		{"model of another type", `{"model":7,"messages":[` + hello + `]}`, "model", "model: must be a string, not a number"},
		{"no messages", `{"model":"m"}`, "messages", "messages: is missing, it must be an array of messages"},
		{"messages of another type", `{"model":"m","messages":"hi"}`, "messages", "messages: must be an array, not a string"},
		{"no message", messages(``), "messages", "messages: is empty, there must be at least one message"},
		{"message of another type", messages(hello + `,"hi"`), "messages[1]", "messages[1]: must be an object, not a string"},
		{"no role", messages(`{"content":"hi"}`), "messages[0].role", "messages[0].role: is missing, it must be one of system, developer, user, assistant, tool"},
		{"unknown role", messages(`{"role":"narrator","content":"hi"}`), "messages[0].role", `messages[0].role: must be one of system, developer, user, assistant, tool, not "narrator"`},
		{"role of another type", messages(`{"role":1}`), "messages[0].role", "messages[0].role: must be a string, not a number"},
		{"no content", messages(`{"role":"user"}`), "messages[0].content", "messages[0].content: is missing, it must be a string or an array of parts"},
		{"null content", messages(`{"role":"system","content":null}`), "messages[0].content", "messages[0].content: is missing, it must be a string or an array of parts"},
		{"content of another type", messages(`{"role":"user","content":7}`), "messages[0].content", "messages[0].content: must be a string or an array of parts, not a number"},
		{"content that is no JSON", messages(`{"role":"user","content":x}`), "messages[0].content", "messages[0].content: invalid JSON: unexpected 'x'"},
		{"part of another type", messages(`{"role":"user","content":["hi"]}`), "messages[0].content[0]", "messages[0].content[0]: must be an object, not a string"},
		{"part without type", messages(`{"role":"user","content":[{"text":"hi"}]}`), "messages[0].content[0].type", "messages[0].content[0].type: is missing, it must be text, image_url, file or input_audio"},
		{"text without text", messages(`{"role":"user","content":[{"type":"text","text":7}]}`), "messages[0].content[0].text", "messages[0].content[0].text: is missing, it must be a string"},
		{"image without URL", messages(`{"role":"user","content":[{"type":"image_url","image_url":{}}]}`), "messages[0].content[0].image_url.url", "messages[0].content[0].image_url.url: is missing, it must be an http or data URL"},
		{"file without data", messages(`{"role":"user","content":[{"type":"file","file":{"filename":"a"}}]}`), "messages[0].content[0].file.file_data", "messages[0].content[0].file.file_data: is missing, it must be a data URL"},
		{"result without id", messages(hello + `,` + call + `,{"role":"tool","content":"x"}`), "messages[2].tool_call_id", "messages[2].tool_call_id: is missing, it must be the id of the call that this is the result of"},
		{"orphan result", messages(hello + `,` + call + `,{"role":"tool","content":"x","tool_call_id":"c2"}`), "messages[2].tool_call_id", "messages[2].tool_call_id: no assistant message before has a tool call with this id"},
		{"result before its call", messages(hello + `,{"role":"tool","content":"x","tool_call_id":"c1"},` + call), "messages[1].tool_call_id", "messages[1].tool_call_id: no assistant message before has a tool call with this id"},
		{"orphan function result", messages(hello + `,{"role":"function","name":"f","content":"x"}`), "messages[1]", "messages[1]: no assistant message before has a function_call with this name"},
		{"function result without name", messages(hello + `,{"role":"function","content":"x"}`), "messages[1].name", "messages[1].name: is missing, it must be the name of the function that this is the result of"},
		{"call without id", messages(`{"role":"assistant","tool_calls":[{"function":{"name":"f"}}]}`), "messages[0].tool_calls[0].id", "messages[0].tool_calls[0].id: is missing, it must be a string"},
		{"call without name", messages(`{"role":"assistant","tool_calls":[{"id":"c1","function":{"arguments":""}}]}`), "messages[0].tool_calls[0].function.name", "messages[0].tool_calls[0].function.name: is missing, it must be a string"},
		{"function_call without name", messages(`{"role":"assistant","function_call":{"arguments":""}}`), "messages[0].function_call.name", "messages[0].function_call.name: is missing, it must be a string"},
		{"tools of another type", with(`"tools":{}`), "tools", "tools: must be an array, not an object"},
		{"tool without function", with(`"tools":[{"type":"function"}]`), "tools[0].function", "tools[0].function: is missing, it must declare a function"},
		{"tool without name", with(`"tools":[{"type":"function","function":{}}]`), "tools[0].function.name", "tools[0].function.name: is missing, it must be a string"},
		{"function without name", with(`"functions":[{}]`), "functions[0].name", "functions[0].name: is missing, it must be a string"},
		{"parameters of another type", with(`"tools":[{"function":{"name":"f","parameters":true}}]`), "tools[0].function.parameters", "tools[0].function.parameters: must be an object, not a boolean"},
		{"choice without name", with(`"tool_choice":{"type":"function"}`), "tool_choice.function.name", "tool_choice.function.name: is missing, it must be the name of a tool"},
		{"function choice without name", with(`"function_call":{}`), "function_call.name", "function_call.name: is missing, it must be the name of a function"},
		{"stream of another type", with(`"stream":"yes"`), "stream", "stream: must be a boolean, not a string"},
		{"temperature of another type", with(`"temperature":"hot"`), "temperature", "temperature: must be a number, not a string"},
		{"broken limit", with(`"max_tokens":1.5`), "max_tokens", "max_tokens: must be a whole number"},
		{"stop of another type", with(`"stop":[1]`), "stop[0]", "stop[0]: must be a string, not a number"},
		{"format without type", with(`"response_format":{}`), "response_format.type", "response_format.type: is missing, it must be text, json_object or json_schema"},
		{"effort of another type", with(`"reasoning_effort":3`), "reasoning_effort", "reasoning_effort: must be a string, not a number"},
		{"too deep", with(`"x":` + strings.Repeat("[", rawjson.MaxDepth) + strings.Repeat("]", rawjson.MaxDepth)), "x[0][0][0]", "nested more than 256 levels deep"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			r, err := chat.DecodeRequest([]byte(tt.body))
			if err == nil {
				t.Fatalf("accepted as %+v", r)
			}
			if err.Kind != llm.ErrInvalid || err.HTTPStatus() != 400 || !strings.HasPrefix(err.Field, tt.field) || !strings.HasSuffix(err.Message, tt.message) {
				t.Errorf("got %d at %q: %s", err.HTTPStatus(), err.Field, err.Message)
			}
		})
	}
}

// TestDecodeRequestBounds has requests that would take far more memory than they
// are long.
func TestDecodeRequestBounds(t *testing.T) {
	many := func(n int, item string) string { return strings.TrimSuffix(strings.Repeat(item+",", n), ",") }
	for _, tt := range []struct{ name, body, want string }{
		{"parts", `{"model":"m","messages":[{"role":"user","content":[` + many(1<<17+1, `{"type":"a"}`) + `]}]}`, "more content parts"},
		{"calls", `{"model":"m","messages":[{"role":"assistant","tool_calls":[` + many(1<<17+1, `{"id":"a","function":{"name":"f"}}`) + `]}]}`, "more content parts"},
		{"thoughts", `{"model":"m","messages":[{"role":"assistant","reasoning_details":[` + many(1<<17+1, `{"text":"a","signature":"s"}`) + `]}]}`, "more content parts"},
		{"messages", `{"model":"m","messages":[` + many(1<<17+1, `{"role":"user","content":"a"}`) + `]}`, "more content parts"},
		{"tools", `{"model":"m","messages":[{"role":"user","content":"a"}],"tools":[` + many(1<<14+1, `{"function":{"name":"f"}}`) + `]}`, "one tool too many"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			if _, err := chat.DecodeRequest([]byte(tt.body)); err == nil || !strings.Contains(err.Message, tt.want) {
				t.Errorf("got %v", err)
			}
		})
	}
}

func TestDecodeRequestWarningsHaveAnEnd(t *testing.T) {
	var fields strings.Builder
	for i := range 1000 {
		fmt.Fprintf(&fields, `,"%s%d":1`, strings.Repeat("x", 100*(i%2)), i)
	}
	for _, tt := range []struct {
		name, tail string
		refused    bool
	}{{"warnings", "", false}, {"with a refusal", `,"n":2`, true}} {
		body := `{"model":"m","messages":[{"role":"user","content":"a"}]` + fields.String() + tt.tail + `}`
		r, err := chat.DecodeRequest([]byte(body))
		if err != nil {
			t.Fatal(err)
		}
		refused := false
		for _, w := range r.Warnings {
			if refused = refused || w.Refuse; len(w.Field) > 64 {
				t.Errorf("%s: tells all of %q", tt.name, w.Field)
			}
		}
		if len(r.Warnings) != 64 || refused != tt.refused {
			t.Errorf("%s: %d warnings, refused %t", tt.name, len(r.Warnings), refused)
		}
	}
}

// TestDecodeRequestManyCalls has more calls than are remembered closely.
func TestDecodeRequestManyCalls(t *testing.T) {
	var list strings.Builder
	list.WriteString(`{"model":"m","messages":[{"role":"user","content":"a"}`)
	for i := range 200 {
		fmt.Fprintf(&list, `,{"role":"assistant","tool_calls":[{"id":"c%d","function":{"name":"f"}}]}`, i)
	}
	for _, tt := range []struct {
		id string
		ok bool
	}{{"c199", true}, {"c150", true}, {"c0", true}, {"c63", true}, {"c200", false}} {
		_, err := chat.DecodeRequest([]byte(list.String() + `,{"role":"tool","content":"r","tool_call_id":"` + tt.id + `"}]}`))
		if (err == nil) != tt.ok {
			t.Errorf("%s: %v", tt.id, err)
		}
	}
}

// led is a target with system prompts of its own.
var led = llm.Target{Lead: []rawjson.String{rawjson.Quote(`"We"` + "\n"), rawjson.Quote("first")}}

func TestPassEdits(t *testing.T) {
	half, zero := 0.5, 0.0
	body := func(fields string) string {
		return ` {"messages":[{"role":"user","content":"\u00e9"}], "model" : "glm-5.1"` + fields + ` } `
	}
	for _, tt := range []struct {
		name, body, want string
		target           llm.Target
	}{
		{"nothing", body(``), body(``), llm.Target{GLM: true, CacheLastBlock: true, User: rawjson.Quote("u")}},
		{"not a stream", body(`,"stream":false`), body(`,"stream":false`), llm.Target{}},
		{"asked already", body(`,"stream":true,"stream_options":{"include_usage":true}`), body(`,"stream":true,"stream_options":{"include_usage":true}`), llm.Target{}},
		{"stream", body(`,"stream":true`), strings.Replace(body(`,"stream":true`), `{`, `{"stream_options":{"include_usage":true},`, 1), llm.Target{}},
		{"empty options", body(`,"stream":true, "stream_options" : { }`), body(`,"stream":true, "stream_options" : {"include_usage":true }`), llm.Target{}},
		{"null options", body(`,"stream_options": null ,"stream":true`), body(`,"stream_options": {"include_usage":true} ,"stream":true`), llm.Target{}},
		{"other options", body(`,"stream":true,"stream_options":{"include_obfuscation":false}`), body(`,"stream":true,"stream_options":{"include_usage":true,"include_obfuscation":false}`), llm.Target{}},
		{"not wanted", body(`,"stream":true,"stream_options":{"a":1,"include_usage": false }`), body(`,"stream":true,"stream_options":{"a":1,"include_usage": true }`), llm.Target{}},
		{"null wish", body(`,"stream":true,"stream_options":{"include_usage":null}`), body(`,"stream":true,"stream_options":{"include_usage":true}`), llm.Target{}},
		{"temperature", body(`,"temperature": 1e0 ,"x":1`), body(`,"temperature": 0.5 ,"x":1`), llm.Target{Temperature: &half}},
		{"null temperature", body(`,"temperature":null`), body(`,"temperature":0`), llm.Target{Temperature: &zero}},
		{"no temperature", body(``), strings.Replace(body(``), `{`, `{"temperature":0.5,`, 1), llm.Target{Temperature: &half}},
		{"no temperature in a stream", body(`,"stream":true`), strings.Replace(body(`,"stream":true`), `{`, `{"temperature":0.5,"stream_options":{"include_usage":true},`, 1), llm.Target{Temperature: &half}},
		{"lead", body(``), strings.Replace(body(``), `[`, `[{"role":"system","content":"\"We\"\n"},{"role":"system","content":"first"},`, 1), led},
		{"lead before system", ` {"model":"m","messages" : [ {"role":"system","content":[{"type":"text","text":"s"}]},{"role":"user","content":"hi"}]}`,
			` {"model":"m","messages" : [{"role":"system","content":"\"We\"\n"},{"role":"system","content":"first"}, {"role":"system","content":[{"type":"text","text":"s"}]},{"role":"user","content":"hi"}]}`, led},
		{"lead before the messages that count", `{"model":"m","messages":[{"role":"user","content":"a"}],"messages":[{"role":"user","content":"b"}]}`,
			`{"model":"m","messages":[{"role":"user","content":"a"}],"messages":[{"role":"system","content":"first"},{"role":"user","content":"b"}]}`, llm.Target{Lead: led.Lead[1:]}},
		{"lead and more", `{"messages":[{"role":"user","content":"hi"}],"stream":true,"model":"m"}`,
			`{"temperature":0.5,"stream_options":{"include_usage":true},"messages":[{"role":"system","content":"first"},{"role":"user","content":"hi"}],"stream":true,"model":"m"}`, llm.Target{Temperature: &half, Lead: led.Lead[1:]}},
		{"long context", strings.Replace(body(``), `glm-5.1`, `glm-5.2[1m]`, 1), strings.Replace(body(``), `glm-5.1`, `glm-5.2`, 1), llm.Target{}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			r, err := chat.DecodeRequest([]byte(tt.body))
			if err != nil {
				t.Fatal(err)
			}
			edits := r.PassEdits(tt.target)
			if (edits == nil) != (tt.body == tt.want) {
				t.Errorf("edits %+v", edits)
			}
			if got := string(rawjson.Splice(nil, []byte(tt.body), edits)); got != tt.want {
				t.Errorf("got  %s\nwant %s", got, tt.want)
			}
		})
	}
}

func TestIsUsageOnly(t *testing.T) {
	for _, tt := range []struct {
		data string
		want bool
	}{
		{`{"id":"1","choices":[],"usage":{"prompt_tokens":1}}`, true},
		{`{"usage":{},"choices":null}`, true},
		{`{"choices":[{"index":0,"delta":{},"finish_reason":"stop"}],"usage":{"prompt_tokens":1}}`, false},
		{`{"choices":[],"usage":null}`, false},
		{`{"choices":[]}`, false},
		{`{"usage":{"prompt_tokens":1}}`, false},
		{`{"choices":[],"usage":{}`, false},
		{`[DONE]`, false},
		{``, false},
	} {
		if got := chat.IsUsageOnly([]byte(tt.data)); got != tt.want {
			t.Errorf("%s: %t", tt.data, got)
		}
	}
}

// leading is a target with the system prompts of led.
func leading(t llm.Target) llm.Target {
	t.Lead = led.Lead
	return t
}

// TestEncodeRequest has what a client of this dialect cannot say.
func TestEncodeRequest(t *testing.T) {
	text := func(s string) llm.Block { return llm.Block{Kind: llm.Text, Text: rawjson.Quote(s)} }
	user := func(b ...llm.Block) llm.Message { return llm.Message{Role: llm.User, Blocks: b} }
	assistant := func(b ...llm.Block) llm.Message { return llm.Message{Role: llm.Assistant, Blocks: b} }
	call := llm.Block{Kind: llm.ToolUse, ID: rawjson.Quote("c1"), Name: rawjson.Quote("f"), JSON: rawjson.Value(`{"a": "\u00e9"}`)}
	pdf := &llm.Media{Type: rawjson.Quote("application/pdf"), Data: rawjson.Quote("JVBERi0=")}
	one, low := 1.0, -1.0
	glm, plain := targets()["glm"], targets()["plain"]
	always := glm
	always.AlwaysThinks = true
	always.Efforts = map[llm.Effort]llm.Effort{llm.EffortNone: "low", llm.EffortHigh: "high"}
	stubborn := always
	stubborn.Efforts = nil
	override := glm
	override.Temperature, override.User = &one, rawjson.Quote("the account")
	for _, tt := range []struct {
		name     string
		target   llm.Target
		request  llm.Request
		want     string // what follows the model
		warnings string
	}{
		{"case 22: text, call, text", glm, llm.Request{Messages: []llm.Message{user(text("a")), assistant(text("b"), text("c"), call, text("d"))}},
			`"messages":[{"role":"user","content":"a"},{"role":"assistant","content":"bc\n\nd","tool_calls":[{"id":"c1","type":"function","function":{"name":"f","arguments":"{\"a\": \"\\u00e9\"}"}}]}]`, ""},
		{"case 47: a failed result", plain, llm.Request{Messages: []llm.Message{user(llm.Block{Kind: llm.ToolResult, ID: rawjson.Quote("c1"), IsError: true, Content: []llm.Block{text("no"), text("file")}}), assistant(text("b"))}},
			`"messages":[{"role":"tool","tool_call_id":"c1","content":"Error: no\nfile"},{"role":"assistant","content":"b"}]`, ""},
		{"case 51: a document in a result", plain, llm.Request{Messages: []llm.Message{user(llm.Block{Kind: llm.ToolResult, ID: rawjson.Quote("c1"), Content: []llm.Block{{Kind: llm.Document, Media: pdf, Name: rawjson.Quote("a.pdf")}, {Kind: llm.Other, Name: rawjson.Quote("search_result")}}})}},
			`"messages":[{"role":"tool","tool_call_id":"c1","content":"[see the attachment in the next message]"},{"role":"user","content":[{"type":"text","text":"Attachment of the result of the tool call c1:"},{"type":"file","file":{"filename":"a.pdf","file_data":"data:application/pdf;base64,JVBERi0="}}]}]`,
			"lost: messages[].content[].search_result is of a type that is not known to this dialect\n"},
		{"case 51: a text that is no base64", glm, llm.Request{Messages: []llm.Message{user(text("a"), llm.Block{Kind: llm.Document, Media: &llm.Media{Type: rawjson.Quote("TEXT/plain"), Data: rawjson.Quote("???")}})}},
			`"messages":[{"role":"user","content":[{"type":"text","text":"a"}]}]`, "refused: messages[].content[].document is not valid base64\n"},
		{"roles that cannot be", glm, llm.Request{Messages: []llm.Message{user(text("a"), call), assistant(text("b"), llm.Block{Kind: llm.Image, Media: pdf}, llm.Block{Kind: llm.Other, Name: rawjson.Quote("server_tool_use")})}},
			`"messages":[{"role":"user","content":"a"},{"role":"assistant","content":"b"}]`,
			"lost: messages[].content[] has something in a user message that only an assistant can say\nlost: messages[].content[] has something in an assistant message that only a user can send\nlost: messages[].content[].server_tool_use is of a type that is not known to this dialect\n"},
		{"nothing that can be sent", plain, llm.Request{Messages: []llm.Message{user(llm.Block{Kind: llm.Other, Name: rawjson.Quote("x")})}},
			`"messages":[]`, "lost: messages[].content[].x is of a type that is not known to this dialect\nrefused: messages have nothing that this upstream takes\n"},
		{"lead at GLM", leading(glm), llm.Request{Messages: []llm.Message{user(text("a"))}},
			`"messages":[{"role":"system","content":"\"We\"\n\n\nfirst"},{"role":"user","content":"a"}]`, ""},
		{"lead before system at GLM", leading(glm), llm.Request{System: []llm.Block{text("s"), text("t")}, Messages: []llm.Message{user(text("a"))}},
			`"messages":[{"role":"system","content":"\"We\"\n\n\nfirst\n\ns\n\nt"},{"role":"user","content":"a"}]`, ""},
		{"lead and a schema at GLM", leading(glm), llm.Request{Messages: []llm.Message{user(text("a"))}, Format: llm.Format{Kind: llm.FormatSchema, Schema: rawjson.Value(`{}`)}},
			`"messages":[{"role":"system","content":"\"We\"\n\n\nfirst\n\nAnswer with one JSON value that is valid under this JSON Schema, and with nothing else:\n{}"},{"role":"user","content":"a"}],"response_format":{"type":"json_object"}`, ""},
		{"lead before system", leading(plain), llm.Request{System: []llm.Block{text("s")}, Messages: []llm.Message{user(text("a"))}},
			`"messages":[{"role":"system","content":[{"type":"text","text":"\"We\"\n"},{"type":"text","text":"first"},{"type":"text","text":"s"}]},{"role":"user","content":"a"}]`, ""},
		{"one lead", llm.Target{Lead: led.Lead[1:]}, llm.Request{Messages: []llm.Message{user(text("a"))}},
			`"messages":[{"role":"system","content":"first"},{"role":"user","content":"a"}]`, ""},
		{"redacted thinking alone", glm, llm.Request{Messages: []llm.Message{user(text("a")), assistant(llm.Block{Kind: llm.RedactedThinking, Text: rawjson.Quote("b3Bh")})}},
			`"messages":[{"role":"user","content":"a"}]`, "lost: messages[].content[].redacted_thinking is not taken back by upstreams of this dialect\n"},
		{"overrides", override, llm.Request{Messages: []llm.Message{user(text("a"))}, Temperature: &low},
			`"messages":[{"role":"user","content":"a"}],"temperature":1,"user_id":"the account"`, ""},
		{"negative temperature", glm, llm.Request{Messages: []llm.Message{user(text("a"))}, Temperature: &low},
			`"messages":[{"role":"user","content":"a"}],"do_sample":false`, ""},
		{"always thinks, off", always, llm.Request{Messages: []llm.Message{user(text("a"))}, Thinking: llm.Thinking{Mode: llm.ThinkingOff}},
			`"messages":[{"role":"user","content":"a"}],"thinking":{"type":"enabled","clear_thinking":false},"reasoning_effort":"low"`, "lost: thinking cannot be turned off with this model, it thinks as little as it can\n"},
		{"always thinks without efforts, off", stubborn, llm.Request{Messages: []llm.Message{user(text("a"))}, Thinking: llm.Thinking{Effort: llm.EffortNone}},
			`"messages":[{"role":"user","content":"a"}],"thinking":{"type":"enabled","clear_thinking":false}`, "lost: thinking cannot be turned off with this model, it thinks as little as it can\n"},
		{"budget as an effort", always, llm.Request{Messages: []llm.Message{user(text("a"))}, Thinking: llm.Thinking{Mode: llm.ThinkingOn, Budget: 20000}},
			`"messages":[{"role":"user","content":"a"}],"thinking":{"type":"enabled","clear_thinking":false},"reasoning_effort":"high"`, ""},
		{"largest budget", glm, llm.Request{Messages: []llm.Message{user(text("a"))}, Thinking: llm.Thinking{Mode: llm.ThinkingOn, Budget: 31999}},
			`"messages":[{"role":"user","content":"a"}],"thinking":{"type":"enabled","clear_thinking":false},"reasoning_effort":"max"`, ""},
		{"budget that is not taken", stubborn, llm.Request{Messages: []llm.Message{user(text("a"))}, Thinking: llm.Thinking{Mode: llm.ThinkingOn, Budget: 10000}},
			`"messages":[{"role":"user","content":"a"}],"thinking":{"type":"enabled","clear_thinking":false}`, "lost: thinking.budget_tokens is not taken by this model\n"},
		{"effort that is not taken", stubborn, llm.Request{Messages: []llm.Message{user(text("a"))}, Thinking: llm.Thinking{Effort: llm.EffortHigh}},
			`"messages":[{"role":"user","content":"a"}],"thinking":{"type":"enabled","clear_thinking":false}`, "lost: thinking cannot be asked of this model in this way\n"},
		{"tools without a description", plain, llm.Request{Messages: []llm.Message{user(text("a"))}, Tools: []llm.Tool{{Name: rawjson.Quote("f"), Schema: rawjson.Value(`{}`)}, {Name: rawjson.Quote("g"), Description: rawjson.Quote("G"), Schema: rawjson.Value(`{}`)}}},
			`"messages":[{"role":"user","content":"a"}],"tools":[{"type":"function","function":{"name":"f","parameters":{}}},{"type":"function","function":{"name":"g","description":"G","parameters":{}}}]`, ""},
	} {
		t.Run(tt.name, func(t *testing.T) {
			tt.request.Model = rawjson.Quote("m")
			got := chat.EncodeRequest([]byte("before"), &tt.request, tt.target)
			if want := `before{"model":"m",` + tt.want + "}"; string(got) != want {
				t.Errorf("got  %s\nwant %s", got, want)
			}
			if got := warnings(tt.request.Warnings); got != tt.warnings {
				t.Errorf("warnings\n%swant\n%s", got, tt.warnings)
			}
		})
	}
}

func FuzzDecodeRequest(f *testing.F) {
	for _, body := range requestCorpus(f) {
		f.Add(body)
	}
	half := 0.5
	f.Fuzz(func(t *testing.T, body []byte) {
		r, failure := chat.DecodeRequest(body)
		if failure != nil {
			if failure.Kind != llm.ErrInvalid || failure.Message == "" {
				t.Fatalf("%+v", failure)
			}
			return
		}
		for _, target := range []llm.Target{{}, {Temperature: &half}, led} {
			if out := rawjson.Splice(nil, body, r.PassEdits(target)); rawjson.Valid(out) != nil {
				t.Fatalf("passed on as %q", out)
			} else if again, failure := chat.DecodeRequest(out); failure != nil || again.Stream && !again.IncludeUsage || len(again.System) != len(target.Lead)+len(r.System) {
				t.Fatalf("passed on as %q: %v", out, failure)
			}
		}
		for _, target := range targets() {
			if out := chat.EncodeRequest(nil, &r.Request, target); rawjson.Valid(out) != nil {
				t.Fatalf("translated to %q", out)
			}
		}
		r.Arrange()
		r.SafeNames()
		r.Warnings = nil
		for name, target := range targets() {
			out := chat.EncodeRequest(nil, &r.Request, target)
			if rawjson.Valid(out) != nil {
				t.Fatalf("translated to %q", out)
			}
			if _, failure := chat.DecodeRequest(bytes.Clone(out)); failure != nil && !bytes.Contains(out, []byte(`"messages":[]`)) {
				t.Fatalf("what %s gets is refused: %v in %q", name, failure, out)
			}
		}
	})
}

// TestRelease holds that a request in memory that was another's is read as in memory of
// its own, and that no two requests ever have the same.
func TestRelease(t *testing.T) {
	call := `{"id":"c1","type":"function","function":{"name":"f","arguments":"{\"a\":\"\\n\"}"}}`
	rich := `{"role":"user","cache_control":{"type":"ephemeral"},"content":[{"type":"text","text":"Look."},{"type":"image_url","image_url":{"url":"https://example.com/a.png"}}]},` +
		`{"role":"assistant","content":"Well.","reasoning_content":"Hm.","tool_calls":[` + call + `]},{"role":"tool","tool_call_id":"c1","content":"42"}`
	body := func(messages string, n int) []byte {
		return []byte(`{"model":"m","messages":[` + strings.TrimSuffix(strings.Repeat(messages+",", n), ",") + `]}`)
	}
	decode := func(b []byte) *chat.Request {
		r, err := chat.DecodeRequest(b)
		if err != nil {
			t.Fatal(err)
		}
		return r
	}
	turns := `{"role":"user","content":"Hi."},{"role":"assistant","content":"Yes?"}`
	bodies := [][]byte{body(`{"role":"user","content":"Hello."}`, 1), body(turns, 3), body(rich, 100), body(turns, 1000)}
	var want []*chat.Request
	for _, b := range bodies {
		want = append(want, decode(b)) // keeps its memory
	}
	for range 5 {
		var got []*chat.Request
		for _, b := range bodies {
			got = append(got, decode(b))
		}
		for i := range got {
			if !reflect.DeepEqual(got[i].Messages, want[i].Messages) {
				t.Fatalf("body %d is read in another way in used memory", i)
			}
		}
		for _, r := range got {
			r.Release()
			r.Release() // does nothing
		}
	}
}
