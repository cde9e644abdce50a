package messages

import (
	"strings"
	"testing"

	"glmtray/proxy/llm"
	"glmtray/proxy/rawjson"
)

// efforts are those of GLM-5.3 (docs.z.ai: low, high and max).
var efforts = map[llm.Effort]llm.Effort{
	llm.EffortNone: "low", llm.EffortMinimal: "low", llm.EffortLow: "low", llm.EffortMedium: "high",
	llm.EffortHigh: "high", llm.EffortXHigh: "max", llm.EffortMax: "max",
}

var (
	glm     = llm.Target{GLM: true, DefaultMaxTokens: 100}
	glm52   = llm.Target{GLM: true, DefaultMaxTokens: 100, Efforts: efforts}
	glm53   = llm.Target{GLM: true, DefaultMaxTokens: 100, Efforts: efforts, AlwaysThinks: true}
	claude  = llm.Target{DefaultMaxTokens: 100}
	claude5 = llm.Target{DefaultMaxTokens: 100, Efforts: efforts}
)

const hiTurn = `"messages":[{"role":"user","content":[{"type":"text","text":"hi"}]}]`

// sent makes the body that a request with one message becomes.
func sent(fields string) string { return `{"model":"m","max_tokens":100,` + fields + hiTurn + `}` }

// sentTurns makes the body that a request with messages becomes.
func sentTurns(messages string) string {
	return `{"model":"m","max_tokens":100,"messages":[` + messages + `]}`
}

func userTurn(text string) string {
	return `{"role":"user","content":[{"type":"text","text":"` + text + `"}]}`
}

// tool is one that the tests declare.
const tool = `"tools":[{"name":"f","input_schema":{"type":"object","properties":{}}}]`

// leading is a target with the system prompts of led.
func leading(t llm.Target) llm.Target {
	t.Lead = led.Lead
	return t
}

var requestsWritten = []struct {
	name   string
	target llm.Target
	body   string             // a request in this dialect
	change func(*llm.Request) // what a request in it cannot say, or nil
	want   string
	lost   string
}{
	{name: "text", target: glm, body: with(`"max_tokens":5,"stream":true`), want: `{"model":"m","max_tokens":5,"stream":true,` + hiTurn + `}`},
	{name: "no limit, case 70", target: glm, body: with(`"x":1`), want: sent(``)},
	{name: "no limit anywhere", body: with(`"x":1`), want: `{"model":"m","max_tokens":32000,` + hiTurn + `}`},
	{name: "model of a million tokens", target: glm, body: `{"model":"glm-5.2[1m]","messages":[{"role":"user","content":"hi"}]}`, want: `{"model":"glm-5.2","max_tokens":100,` + hiTurn + `}`},
	{name: "system, case 16", target: glm, body: with(`"system":["a","",{"type":"text","text":"b","cache_control":{"type":"ephemeral"}}]`),
		want: `{"model":"m","max_tokens":100,"system":[{"type":"text","text":"a"},{"type":"text","text":"b","cache_control":{"type":"ephemeral"}}],` + hiTurn + `}`},
	{name: "lead", target: leading(glm), body: with(`"x":1`), want: sent(`"system":[` + ours + `],`)},
	{name: "lead before system", target: leading(glm), body: with(`"system":["a",{"type":"text","text":"b","cache_control":{"type":"ephemeral"}}]`),
		want: sent(`"system":[` + ours + `,{"type":"text","text":"a"},{"type":"text","text":"b","cache_control":{"type":"ephemeral"}}],`)},
	{name: "lead instead of a billing header, case 25", target: leading(glm), body: with(`"system":"x-anthropic-billing-header: v;"`), want: sent(`"system":[` + ours + `],`)},
	{name: "lead before what follows a billing header, case 25", target: leading(glm), body: with(`"system":[{"type":"text","text":"x-anthropic-billing-header: v;"},"a"]`),
		want: sent(`"system":[` + ours + `,{"type":"text","text":"a"}],`)},
	{name: "lead and the form of the answer", target: leading(claude), body: with(`"x":1`), change: func(r *llm.Request) { r.Format.Kind = llm.FormatJSON },
		want: sent(`"system":[` + ours + `,{"type":"text","text":"Answer with one JSON object and nothing else: no text around it, no code fence."}],`)},

	// Turns.
	{name: "empty text, case 12", target: glm, body: turns(`{"role":"user","content":[{"type":"text","text":" \n"},{"type":"text","text":"a"}]},{"role":"assistant","content":""},{"role":"user","content":"b"}`),
		want: sentTurns(`{"role":"user","content":[{"type":"text","text":"a"},{"type":"text","text":"b"}]}`)},
	{name: "only system, case 15", target: glm, body: turns(`{"role":"system","content":"s"}`), want: `{"model":"m","max_tokens":100,"system":[{"type":"text","text":"s"}],"messages":[` + userTurn("Continue.") + `]}`},
	{name: "order in an assistant's message, case 22", target: glm, body: turns(`{"role":"assistant","content":[{"type":"text","text":"a"},{"type":"tool_use","id":"i","name":"f","input":{"x": 1e2}},{"type":"text","text":"b"}]}`),
		want: sentTurns(`{"role":"assistant","content":[{"type":"text","text":"a"},{"type":"tool_use","id":"i","name":"f","input":{"x": 1e2}},{"type":"text","text":"b"}]}`)},
	{name: "a call without input, case 87", target: glm, body: turns(`{"role":"user","content":"hi"}`), change: func(r *llm.Request) {
		r.Messages[0] = llm.Message{Role: llm.Assistant, Blocks: []llm.Block{{Kind: llm.ToolUse, ID: rawjson.Quote("i"), Name: rawjson.Quote("f")}}}
	}, want: sentTurns(`{"role":"assistant","content":[{"type":"tool_use","id":"i","name":"f","input":{}}]}`)},
	{name: "results, cases 2 and 44", target: glm, body: results(`,"content":[{"type":"text","text":"a"},{"type":"text","text":""},{"type":"image","source":{"type":"base64","media_type":"image/png","data":"AA=="}}],"is_error":true`),
		want: sentTurns(`{"role":"assistant","content":[{"type":"tool_use","id":"c","name":"f","input":{}}]},{"role":"user","content":[{"type":"tool_result","tool_use_id":"c","content":[{"type":"text","text":"a"},{"type":"image","source":{"type":"base64","media_type":"image/png","data":"AA=="}}],"is_error":true}]}`)},
	{name: "a result of nothing", target: glm, body: results(``), want: sentTurns(`{"role":"assistant","content":[{"type":"tool_use","id":"c","name":"f","input":{}}]},{"role":"user","content":[{"type":"tool_result","tool_use_id":"c","content":""}]}`)},
	{name: "a trailing assistant message, case 20", target: claude5, body: `{"model":"m","thinking":{"type":"adaptive"},"max_tokens":5000,"messages":[{"role":"user","content":"hi"},{"role":"assistant","content":"{"}]}`,
		want: `{"model":"m","max_tokens":5000,"thinking":{"type":"adaptive"},` + hiTurn + `}`, lost: "messages"},
	{name: "a trailing assistant message that stays", target: glm, body: turns(`{"role":"user","content":"hi"},{"role":"assistant","content":"{"}`),
		want: sentTurns(userTurn("hi") + `,{"role":"assistant","content":[{"type":"text","text":"{"}]}`)},

	// Thinking in the conversation.
	{name: "unsigned thinking at GLM, cases 54 and 56", target: glm, body: turns(`{"role":"assistant","content":[{"type":"thinking","thinking":"t"},{"type":"text","text":"a"}]},{"role":"user","content":"b"}`),
		want: sentTurns(`{"role":"assistant","content":[{"type":"thinking","thinking":"t","signature":"glmtray-unsigned"},{"type":"text","text":"a"}]},` + userTurn("b"))},
	{name: "unsigned thinking at Anthropic, case 56", target: claude, body: turns(`{"role":"user","content":"a"},{"role":"assistant","content":[{"type":"thinking","thinking":"t"}]},{"role":"user","content":"b"},{"role":"assistant","content":[{"type":"thinking","thinking":"t"},{"type":"text","text":"c"}]},{"role":"user","content":"d"}`),
		want: sentTurns(`{"role":"user","content":[{"type":"text","text":"a"},{"type":"text","text":"b"}]},{"role":"assistant","content":[{"type":"text","text":"c"}]},` + userTurn("d")), lost: "thinking"},
	{name: "signed and redacted thinking, case 57", target: claude, body: turns(`{"role":"assistant","content":[{"type":"thinking","thinking":"t","signature":"s"},{"type":"redacted_thinking","data":"d"},{"type":"text","text":"a"}]},{"role":"user","content":"b"}`),
		want: sentTurns(`{"role":"assistant","content":[{"type":"thinking","thinking":"t","signature":"s"},{"type":"redacted_thinking","data":"d"},{"type":"text","text":"a"}]},` + userTurn("b"))},

	// Media.
	{name: "media, cases 48 and 51", target: glm, body: turns(`{"role":"user","content":[{"type":"image","source":{"type":"url","url":"https://x"}},{"type":"document","title":"T","source":{"type":"base64","media_type":"application/pdf","data":"AA=="}}]}`),
		want: sentTurns(`{"role":"user","content":[{"type":"image","source":{"type":"url","url":"https://x"}},{"type":"document","title":"T","source":{"type":"base64","media_type":"application/pdf","data":"AA=="}}]}`)},
	{name: "media without a type", target: glm, body: turns(`{"role":"user","content":[{"type":"image","source":{"type":"base64","data":"/9j/AA=="}},{"type":"image","source":{"type":"base64","data":"AA=="}},{"type":"document","source":{"type":"base64","data":"JVBERi0="}}]}`),
		want: sentTurns(`{"role":"user","content":[{"type":"image","source":{"type":"base64","media_type":"image/jpeg","data":"/9j/AA=="}},{"type":"image","source":{"type":"base64","media_type":"image/png","data":"AA=="}},{"type":"document","source":{"type":"base64","media_type":"application/pdf","data":"JVBERi0="}}]}`)},
	{name: "text as a document", target: glm, body: turns(`{"role":"user","content":[{"type":"document","source":{"type":"base64","media_type":"text/markdown","data":"IyBBIg=="}},{"type":"document","source":{"type":"base64","media_type":"text/plain","data":"no base64!"}}]}`),
		want: sentTurns(`{"role":"user","content":[{"type":"document","source":{"type":"text","media_type":"text/plain","data":"# A\""}},{"type":"document","source":{"type":"text","media_type":"text/plain","data":"no base64!"}}]}`)},
	{name: "media of nothing", target: glm, body: turns(`{"role":"user","content":"hi"}`), change: func(r *llm.Request) {
		r.Messages[0].Blocks = append(r.Messages[0].Blocks, llm.Block{Kind: llm.Image})
	}, want: sent(``)},
	{name: "a block of another dialect", target: glm, body: turns(`{"role":"user","content":[{"type":"input_audio","x":1},{"type":"bad\nname"}]}`),
		want: sentTurns(`{"role":"user","content":[{"type":"text","text":"[input_audio was left out: it cannot be shown here]"},{"type":"text","text":"[an unknown field was left out: it cannot be shown here]"}]}`), lost: "input_audio, an unknown field"},

	// Cache breakpoints.
	{name: "breakpoint on the last block", target: llm.Target{GLM: true, DefaultMaxTokens: 100, CacheLastBlock: true}, body: turns(`{"role":"user","content":"a"},{"role":"assistant","content":"b"},{"role":"user","content":["c","d"]}`),
		want: sentTurns(userTurn("a") + `,{"role":"assistant","content":[{"type":"text","text":"b"}]},{"role":"user","content":[{"type":"text","text":"c"},{"type":"text","text":"d","cache_control":{"type":"ephemeral"}}]}`)},
	{name: "breakpoint of the client, case 76", target: llm.Target{GLM: true, DefaultMaxTokens: 100, CacheLastBlock: true}, body: turns(`{"role":"user","content":[{"type":"text","text":"a","cache_control":{"type":"ephemeral"}},{"type":"text","text":"b"}]}`),
		want: sentTurns(`{"role":"user","content":[{"type":"text","text":"a","cache_control":{"type":"ephemeral"}},{"type":"text","text":"b"}]}`)},
	{name: "the last four breakpoints, case 76", target: glm, body: with(`"tools":[{"name":"f","input_schema":{},"cache_control":{"type":"a"}},{"name":"g","input_schema":{},"cache_control":{"type":"b"}}],"system":[{"type":"text","text":"s","cache_control":{"type":"c"}},{"type":"text","text":"t","cache_control":{"type":"d"}}]`), change: func(r *llm.Request) {
		r.Messages[0].Blocks[0].CacheControl = rawjson.Value(`{"type":"e"}`)
	}, want: `{"model":"m","max_tokens":100,"tools":[{"name":"f","input_schema":{"type":"object","properties":{}}},{"name":"g","input_schema":{"type":"object","properties":{}},"cache_control":{"type":"b"}}],"system":[{"type":"text","text":"s","cache_control":{"type":"c"}},{"type":"text","text":"t","cache_control":{"type":"d"}}],"messages":[{"role":"user","content":[{"type":"text","text":"hi","cache_control":{"type":"e"}}]}]}`},

	// Tools.
	{name: "tools", target: glm, body: with(`"tools":[{"name":"f","description":"d","input_schema":{"type":"object","properties":{"a":{"maximum":1e3}}}}]`),
		want: sent(`"tools":[{"name":"f","description":"d","input_schema":{"type":"object","properties":{"a":{"maximum":1e3}}}}],`)},
	{name: "a tool without schema, case 32", target: glm, body: with(tool), change: func(r *llm.Request) { r.Tools[0].Schema = nil }, want: sent(tool + `,`)},
	{name: "a schema that is a union, case 33", target: glm, body: with(`"tools":[{"name":"f","input_schema":{"description":"d","anyOf":[{"type":"object","properties":{"a":{"type":"string"}},"required":["a"]},{"properties":{"a":{},"b":{}}},{"$ref":"#/$defs/x"},true],"$defs":{"x":{}},"required":["z"]}}]`),
		want: sent(`"tools":[{"name":"f","input_schema":{"type":"object","properties":{"a":{"type":"string"},"b":{}},"required":["z"],"description":"d","$defs":{"x":{}}}}],`)},
	{name: "a schema that is an intersection, case 33", target: glm, body: with(`"tools":[{"name":"f","input_schema":{"properties":{"z":{}},"required":["z"],"allOf":[{"properties":{"a":{}},"required":["a","z"]},{"properties":7,"required":7}]}}]`),
		want: sent(`"tools":[{"name":"f","input_schema":{"type":"object","properties":{"z":{},"a":{}},"required":["z","a"]}}],`)},
	{name: "a schema with a union inside", target: glm, body: with(`"tools":[{"name":"f","input_schema":{"type":"object","properties":{"a":{"anyOf":[{},{}]}}}}]`),
		want: sent(`"tools":[{"name":"f","input_schema":{"type":"object","properties":{"a":{"anyOf":[{},{}]}}}}],`)},
	{name: "a property called anyOf", target: glm, body: with(`"tools":[{"name":"f","input_schema":{"type":"object","properties":{},"anyOf":7}}]`),
		want: sent(`"tools":[{"name":"f","input_schema":{"type":"object","properties":{},"anyOf":7}}],`)},
	{name: "choice auto, case 27", target: glm, body: with(tool + `,"tool_choice":{"type":"auto"}`), want: sent(tool + `,"tool_choice":{"type":"auto"},`)},
	{name: "choice any, case 27", target: glm, body: with(tool + `,"tool_choice":{"type":"any"}`), want: sent(tool + `,"tool_choice":{"type":"any"},`)},
	{name: "choice none, case 27", target: glm, body: with(tool + `,"tool_choice":{"type":"none"}`), change: func(r *llm.Request) { r.Parallel = new(false) }, want: sent(tool + `,"tool_choice":{"type":"none"},`)},
	{name: "choice named, case 27", target: glm, body: with(tool + `,"tool_choice":{"type":"tool","name":"f"}`), want: sent(tool + `,"tool_choice":{"type":"tool","name":"f"},`)},
	{name: "not parallel, case 26", target: glm, body: with(tool), change: func(r *llm.Request) { r.Parallel = new(false) }, want: sent(tool + `,"tool_choice":{"type":"auto","disable_parallel_tool_use":true},`)},
	{name: "not parallel, any, case 26", target: glm, body: with(tool + `,"tool_choice":{"type":"any","disable_parallel_tool_use":true}`), want: sent(tool + `,"tool_choice":{"type":"any","disable_parallel_tool_use":true},`)},
	{name: "a choice without tools, case 29", target: glm, body: with(`"tool_choice":{"type":"any","disable_parallel_tool_use":true}`), want: sent(``)},

	// Parameters.
	{name: "sampling", target: glm, body: with(`"temperature":0.5,"top_p":0.9,"stop_sequences":["a","b"]`), want: sent(`"temperature":0.5,"top_p":0.9,"stop_sequences":["a","b"],`)},
	{name: "stop sequences of white space, case 71", target: glm, body: with(`"stop_sequences":["","a"," \n"]`), want: sent(`"stop_sequences":["a"],`), lost: "stop"},
	{name: "no stop sequence is left, case 71", target: glm, body: with(`"stop_sequences":[" "]`), want: sent(``), lost: "stop"},
	{name: "temperature above 1, case 73", target: glm, body: with(`"temperature":1.5`), want: sent(`"temperature":1,`), lost: "temperature"},
	{name: "temperature below 0", target: glm, body: with(`"temperature":-1`), want: sent(`"temperature":0,`), lost: "temperature"},
	{name: "temperature of the settings", target: llm.Target{GLM: true, DefaultMaxTokens: 100, Temperature: new(0.25)}, body: with(`"temperature":0.5`), want: sent(`"temperature":0.25,`)},
	{name: "top_p of 0 at GLM", target: glm, body: with(`"top_p":0`), want: sent(`"top_p":0.01,`)},
	{name: "temperature and top_p at Anthropic, case 65", target: claude, body: with(`"temperature":0.5,"top_p":0.9`), want: sent(`"temperature":0.5,`), lost: "top_p"},
	{name: "temperature and top_p with thinking at Anthropic, case 65", target: claude, body: with(`"max_tokens":9000,"thinking":{"type":"enabled","budget_tokens":2000},"temperature":0.5,"top_p":0.9`), want: `{"model":"m","max_tokens":9000,"thinking":{"type":"enabled","budget_tokens":2000},` + hiTurn + `}`, lost: "temperature, top_p"},
	{name: "temperature 1 with thinking at Anthropic, case 65", target: claude, body: with(`"max_tokens":9000,"thinking":{"type":"enabled","budget_tokens":2000},"temperature":1`), want: `{"model":"m","max_tokens":9000,"temperature":1,"thinking":{"type":"enabled","budget_tokens":2000},` + hiTurn + `}`},
	{name: "user, case 75", target: glm, body: with(`"metadata":{"user_id":"u"}`), want: sent(`"metadata":{"user_id":"u"},`)},
	{name: "user of the target, case 75", target: llm.Target{GLM: true, DefaultMaxTokens: 100, User: rawjson.Quote("t")}, body: with(`"x":1`), want: sent(`"metadata":{"user_id":"t"},`)},
	{name: "an e-mail address, case 75", target: glm, body: with(`"metadata":{"user_id":"a@example.com"}`), want: sent(`"metadata":{"user_id":"user_08168cd80dfd534ab0f10af10f1303fe"},`)},
	{name: "a long user, case 75", target: glm, body: with(`"metadata":{"user_id":"` + strings.Repeat("x", 300) + `"}`), want: sent(`"metadata":{"user_id":"user_0d4e2ca9e9cbced7a7a5380eb29e1a37"},`)},

	// The form of the answer, case 74.
	{name: "JSON", target: claude, body: with(`"x":1`), change: func(r *llm.Request) { r.Format.Kind = llm.FormatJSON },
		want: sent(`"system":[{"type":"text","text":"Answer with one JSON object and nothing else: no text around it, no code fence."}],`)},
	{name: "schema at Anthropic", target: claude, body: with(`"output_format":{"type":"json_schema","schema":{"type": "object"}}`), want: sent(`"output_config":{"format":{"type":"json_schema","schema":{"type": "object"}}},`)},
	{name: "schema that is not strict", target: claude, body: with(`"output_format":{"type":"json_schema","schema":{"type":"object"}}`), change: func(r *llm.Request) { r.Format.Strict = false },
		want: sent(`"system":[{"type":"text","text":"Answer with one JSON object and nothing else: no text around it, no code fence. It must match this JSON Schema:\n{\"type\":\"object\"}"}],`)},
	{name: "schema at GLM", target: glm, body: with(`"system":"s","output_format":{"type":"json_schema","schema":{"type":"object"}}`),
		want: sent(`"system":[{"type":"text","text":"s"},{"type":"text","text":"Answer with one JSON object and nothing else: no text around it, no code fence. It must match this JSON Schema:\n{\"type\":\"object\"}"}],`)},
	{name: "schema and effort", target: claude5, body: with(`"output_config":{"effort":"max","format":{"type":"json_schema","schema":{}}},"max_tokens":9000`),
		want: `{"model":"m","max_tokens":9000,"thinking":{"type":"adaptive"},"output_config":{"effort":"max","format":{"type":"json_schema","schema":{}}},` + hiTurn + `}`},
}

func TestEncodeRequest(t *testing.T) {
	for _, tt := range requestsWritten {
		t.Run(tt.name, func(t *testing.T) {
			r, failed := DecodeRequest([]byte(tt.body))
			if failed != nil {
				t.Fatal(failed)
			}
			if tt.change != nil {
				tt.change(&r.Request)
			}
			r.Warnings = nil
			got := string(EncodeRequest(nil, &r.Request, tt.target))
			if got != tt.want {
				t.Errorf("got\n%s\nwant\n%s", got, tt.want)
			}
			if err := rawjson.Valid([]byte(got)); err != nil {
				t.Error(err)
			}
			if lost := lostFields(&r.Request); lost != tt.lost {
				t.Errorf("lost %q, want %q", lost, tt.lost)
			}
		})
	}
}

func lostFields(r *llm.Request) string {
	var fields []string
	for _, w := range r.Warnings {
		fields = append(fields, w.Field)
	}
	return strings.Join(fields, ", ")
}
