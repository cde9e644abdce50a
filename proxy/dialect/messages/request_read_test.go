package messages

import (
	"fmt"
	"strings"
	"testing"

	"glmtray/proxy/dialect/dialecttest"
	"glmtray/proxy/llm"
)

// said writes out what a request says, with its warnings, but without the lines that
// are the same in most requests.
func said(r *llm.Request) string {
	var b strings.Builder
	for line := range strings.Lines(dialecttest.RequestText(r)) {
		switch strings.TrimSpace(line) {
		case `model "m" max tokens 0 stream false`, `choice 0 ""`, `thinking 0 budget 0 effort ""`, `format 0 ""  strict false`, `user ""`:
			continue
		}
		b.WriteString(line)
	}
	for _, w := range r.Warnings {
		fmt.Fprintf(&b, "lost %s\n", w.Field)
	}
	return b.String()
}

// turns makes a body of messages.
func turns(messages string) string { return `{"model":"m","messages":[` + messages + `]}` }

// with makes a body of further fields and one message.
func with(fields string) string {
	return `{"model":"m",` + fields + `,"messages":[{"role":"user","content":"hi"}]}`
}

// results makes a body in which a tool's result has some content.
func results(content string) string {
	return turns(`{"role":"assistant","content":[{"type":"tool_use","id":"c","name":"f","input":{}}]},{"role":"user","content":[{"type":"tool_result","tool_use_id":"c"` + content + `}]}`)
}

// said of results, before the content.
const resultHead = "assistant\n   tool use id \"c\" name \"f\" \"\" {}\nuser\n   tool result id \"c\" \"\""

const hi = "user\n   text \"hi\"\n"

var requestsRead = []struct {
	name, body, want string
}{
	{"text", with(`"max_tokens":5,"stream":true`), "model \"m\" max tokens 5 stream true\n" + hi},
	{"count_tokens has no limit, case 146", with(`"system":"s"`), "system text \"s\"\n" + hi},
	{"null is absent", with(`"system":null,"tools":null,"metadata":null,"temperature":null,"stop_sequences":null,"thinking":null,"top_k":null`), hi},
	{"text as an element", turns(`{"role":"user","content":["hi"]}`), hi},
	{"type last", turns(`{"content":[{"text":"hi","type":"text"}],"role":"user"}`), hi},
	{"white space", " { \"model\" : \"m\" , \"messages\" : [ { \"role\" : \"user\" , \"content\" : [ { \"text\" : \"hi\" , \"type\" : \"text\" } ] } ] } \n", hi},
	{"surrogate halves, case 24", turns(`{"role":"user","content":"a\ud83d"}`), "user\n   text \"a\ufffd\"\n"},
	{"model of a million tokens", `{"model":"glm-5.2[1m]","messages":[{"role":"user","content":"hi"}]}`, "model \"glm-5.2[1m]\" max tokens 0 stream false\n" + hi},

	{"system as blocks, case 18", with(`"system":[{"type":"text","text":"a"},{"type":"text","text":"b","cache_control":{"type":"ephemeral"}},"c"]`),
		"system text \"a\"\nsystem text \"b\" cache {\"type\":\"ephemeral\"}\nsystem text \"c\"\n" + hi},
	{"system with an image, case 18", with(`"system":[{"type":"image","source":{"type":"url","url":"u"}},{"type":"text","text":"b"}]`), "system text \"b\"\n" + hi + "lost system\n"},
	{"system amid the turns, case 17", turns(`{"role":"user","content":"a"},{"role":"system","content":"b\n\"c\""},{"role":"assistant","content":"d"},{"role":"system","content":[{"type":"text","text":"e"}]}`),
		"user\n   text \"a\"\nuser\n   text \"<system-reminder>\\nb\\n\\\"c\\\"\\n</system-reminder>\"\nassistant\n   text \"d\"\nuser\n   text \"<system-reminder>\\ne\\n</system-reminder>\"\n"},
	{"system before the turns", turns(`{"role":"system","content":"a"},{"role":"user","content":"hi"}`), "system text \"a\"\n" + hi},
	{"billing header, case 25", with(`"system":[{"type":"text","text":"x-anthropic-billing-header: v=1; cch=00000;"},{"type":"text","text":"b"}]`), "system text \"b\"\n" + hi},
	{"billing header and text, case 25", with(`"system":[{"type":"text","text":"x-anthropic-billing-header: \"v\";\r\n\r\nstay"},{"type":"text","text":"b"}]`), "system text \"stay\"\nsystem text \"b\"\n" + hi},
	{"billing header in a string, case 25", with(`"system":"x-anthropic-billing-header: v;\nstay"`), "system text \"stay\"\n" + hi},
	{"billing header alone, case 25", with(`"system":"x-anthropic-billing-header: v;"`), hi},
	{"billing header that does not lead, case 25", with(`"system":["a","x-anthropic-billing-header: v;"]`), "system text \"a\"\nsystem text \"x-anthropic-billing-header: v;\"\n" + hi},

	{"thinking", turns(`{"role":"assistant","content":[{"type":"thinking","thinking":"hm","signature":"sig"},{"type":"redacted_thinking","data":"xyz"},{"type":"text","text":"a"}]}`),
		"assistant\n   thinking signature \"sig\" \"hm\"\n   redacted thinking \"xyz\"\n   text \"a\"\n"},
	{"our own mark for unsigned thinking, case 54", turns(`{"role":"assistant","content":[{"type":"thinking","thinking":"hm","signature":"glmtray-unsigned"},{"type":"thinking","thinking":"ah","signature":""},{"type":"thinking","thinking":"oh"}]}`),
		"assistant\n   thinking \"hm\"\n   thinking \"ah\"\n   thinking \"oh\"\n"},
	{"tool use", turns(`{"role":"assistant","content":[{"type":"tool_use","id":"a","name":"f","input":{"x": 1e2}},{"type":"tool_use","id":"b","name":"g"},{"type":"tool_use","id":"c","name":"h","input":"{\"y\":2}"},{"type":"tool_use","id":"d","name":"i","input":""}]}`),
		"assistant\n   tool use id \"a\" name \"f\" \"\" {\"x\": 1e2}\n   tool use id \"b\" name \"g\" \"\" {}\n   tool use id \"c\" name \"h\" \"\" {\"y\":2}\n   tool use id \"d\" name \"i\" \"\" {}\n"},
	{"unknown blocks are kept", turns(`{"role":"assistant","content":[{"type":"server_tool_use","id":"s","name":"web_search","input":{"q":1}},{"content":{"text":7},"type":"web_search_tool_result","tool_use_id":"s"}]}`),
		"assistant\n   other name \"server_tool_use\" \"\" {\"type\":\"server_tool_use\",\"id\":\"s\",\"name\":\"web_search\",\"input\":{\"q\":1}}\n   other name \"web_search_tool_result\" \"\" {\"content\":{\"text\":7},\"type\":\"web_search_tool_result\",\"tool_use_id\":\"s\"}\n"},
	{"cache breakpoint on a block", turns(`{"role":"user","content":[{"type":"text","text":"hi","cache_control":{"type":"ephemeral","ttl":"1h"}}]}`), "user\n   text \"hi\" cache {\"type\":\"ephemeral\",\"ttl\":\"1h\"}\n"},
	{"citations", turns(`{"role":"assistant","content":[{"type":"text","text":"hi","citations":[{"type":"char_location"}]}]}`), "assistant\n   text \"hi\"\nlost citations\n"},

	{"result as a string, case 44", results(`,"content":"ok"`), resultHead + "\n       text \"ok\"\n"},
	{"result as blocks, case 44", results(`,"content":[{"type":"text","text":"a"},{"type":"image","source":{"type":"base64","media_type":"image/png","data":"AA=="}}]`),
		resultHead + "\n       text \"a\"\n       image \"\" media \"image/png\" \"AA==\" \"\"\n"},
	{"result before its type", turns(`{"role":"assistant","content":[{"name":"f","input":{},"id":"c","type":"tool_use"}]},{"role":"user","content":[{"content":[{"text":"a","type":"text"}],"tool_use_id":"c","type":"tool_result"}]}`), resultHead + "\n       text \"a\"\n"},
	{"result as an object, case 44", results(`,"content":{"a": [1,"\u00e9"]}`), resultHead + "\n       text \"{\\\"a\\\": [1,\\\"\\\\u00e9\\\"]}\"\n"},
	{"result null, case 44", results(`,"content":null`), resultHead + "\n"},
	{"result missing, case 44", results(``), resultHead + "\n"},
	{"result empty, case 44", results(`,"content":""`), resultHead + "\n"},
	{"failed result, case 47", results(`,"content":"no","is_error":true`), resultHead + " failed\n       text \"no\"\n"},
	{"result with other blocks", results(`,"content":[{"type":"tool_reference","tool_name":"x"},{"type":"document","title":"T","source":{"type":"base64","media_type":"application/pdf","data":"AA=="}},{"type":"document","source":{"type":"url","url":"u"}}]`),
		resultHead + "\n       text \"{\\\"type\\\":\\\"tool_reference\\\",\\\"tool_name\\\":\\\"x\\\"}\"\n       text \"[document: T]\"\n       text \"[document: untitled]\"\nlost tool_result.content\n"},
	{"result in a result", results(`,"content":[{"type":"tool_result","tool_use_id":"c","content":[{"type":"text","text":"deep"}]}]`),
		resultHead + "\n       text \"{\\\"type\\\":\\\"tool_result\\\",\\\"tool_use_id\\\":\\\"c\\\",\\\"content\\\":[{\\\"type\\\":\\\"text\\\",\\\"text\\\":\\\"deep\\\"}]}\"\n"},

	{"images, case 48", turns(`{"role":"user","content":[{"type":"image","source":{"type":"base64","media_type":"image/png","data":"AA=="}},{"type":"image","source":{"url":"https://x/y","type":"url"}}]}`),
		"user\n   image \"\" media \"image/png\" \"AA==\" \"\"\n   image \"\" media \"\" \"\" \"https://x/y\"\n"},
	{"image by file", turns(`{"role":"user","content":[{"type":"image","source":{"type":"file","file_id":"f"}}]}`), "user\n   other name \"image\" \"\" {\"type\":\"image\",\"source\":{\"type\":\"file\",\"file_id\":\"f\"}}\nlost messages[].content[].source\n"},
	{"documents, case 51", turns(`{"role":"user","content":[{"type":"document","source":{"type":"base64","media_type":"application/pdf","data":"AA=="},"title":"T","context":"C"},{"type":"document","source":{"type":"url","url":"u"}}]}`),
		"user\n   text \"C\"\n   document name \"T\" \"\" media \"application/pdf\" \"AA==\" \"\"\n   document \"\" media \"\" \"\" \"u\"\n"},
	{"documents of text, case 51", turns(`{"role":"user","content":[{"type":"document","source":{"type":"text","media_type":"text/plain","data":"D"},"title":"T"},{"type":"document","source":{"type":"content","content":"E"}},{"type":"document","source":{"type":"content","content":[{"type":"text","text":"F"},{"type":"image","source":{"type":"url","url":"u"}},{"type":"text","text":"G"}]}}]}`),
		"user\n   text \"T\\n\\nD\"\n   text \"E\"\n   text \"F\\n\\nG\"\nlost document\n"},
	{"search result", turns(`{"role":"user","content":[{"type":"search_result","source":"https://x","title":"T","content":[{"type":"text","text":"a"},{"type":"text","text":"b"}]}]}`), "user\n   text \"T\\n\\nhttps://x\\n\\na\\n\\nb\"\n"},
	{"empty search result", turns(`{"role":"user","content":[{"type":"search_result"}]}`), "user\n   text \"\"\n"},

	{"tools", with(`"tools":[{"name":"f","description":"d","input_schema":{"type":"object","properties":{"a":{}}},"cache_control":{"type":"ephemeral"}},{"type":"custom","name":"g","description":null,"input_schema":{"properties":{},"type":"object"}}]`),
		"tool \"f\" \"d\" {\"type\":\"object\",\"properties\":{\"a\":{}}} cache {\"type\":\"ephemeral\"}\ntool \"g\" \"\" {\"properties\":{},\"type\":\"object\"} cache \n" + hi},
	{"tools without schema, case 32", with(`"tools":[{"name":"a"},{"name":"b","input_schema":null},{"name":"c","input_schema":{}},{"name":"d","input_schema":{"properties":{"x":{}}}},{"name":"e","input_schema":{"type":null}},{"name":"f","input_schema":{"type":"object"}},{"name":"g","input_schema":{"type":["object","null"],"properties":null}}]`),
		"tool \"a\" \"\" {\"type\":\"object\",\"properties\":{}} cache \n" +
			"tool \"b\" \"\" {\"type\":\"object\",\"properties\":{}} cache \n" +
			"tool \"c\" \"\" {\"type\":\"object\",\"properties\":{}} cache \n" +
			"tool \"d\" \"\" {\"type\":\"object\",\"properties\":{\"x\":{}}} cache \n" +
			"tool \"e\" \"\" {\"properties\":{},\"type\":\"object\"} cache \n" +
			"tool \"f\" \"\" {\"properties\":{},\"type\":\"object\"} cache \n" +
			"tool \"g\" \"\" {\"properties\":{},\"type\":\"object\",\"properties\":null} cache \n" + hi},
	{"a schema that is a union, case 33", with(`"tools":[{"name":"f","input_schema":{"anyOf":[{"properties":{"a":{}},"required":["a"]},{"properties":{"b":{}}}],"required":["b"]}},{"name":"g","input_schema":{"anyOf":7}}]`),
		"tool \"f\" \"\" {\"type\":\"object\",\"properties\":{\"a\":{},\"b\":{}},\"required\":[\"b\"]} cache \ntool \"g\" \"\" {\"type\":\"object\",\"anyOf\":7} cache \n" + hi + "lost tools[0]\n"},
	{"what a tool cannot take along, case 34", with(`"tools":[{"name":"f","strict":true,"defer_loading":true,"eager_input_streaming":true,"input_examples":[{}],"input_schema":{"type":"object","properties":{},"$schema":"s"}},{"name":"g","strict":true,"input_schema":{}}]`),
		"tool \"f\" \"\" {\"type\":\"object\",\"properties\":{},\"$schema\":\"s\"} cache \ntool \"g\" \"\" {\"type\":\"object\",\"properties\":{}} cache \n" + hi + "lost tools.strict\nlost tools.defer_loading\nlost tools.eager_input_streaming\nlost tools.input_examples\n"},
	{"server tools, case 35", with(`"tools":[{"type":"web_search_20250305","name":"web_search","max_uses":3},{"type":"code_execution_20250825","name":"code_execution"},{"type":"computer_20250124","name":"computer"},{"type":"new_20300101"}]`),
		hi + "lost tools[0]\nlost tools[1]\nlost tools[2]\nlost tools[3]\n"},
	{"a function beside the server tool of its name, case 36", with(`"tools":[{"type":"web_search_20250305","name":"web_search"},{"name":"web_search","input_schema":{"type":"object","properties":{}}}],"tool_choice":{"type":"tool","name":"web_search"}`),
		"choice 4 \"web_search\"\ntool \"web_search\" \"\" {\"type\":\"object\",\"properties\":{}} cache \n" + hi + "lost tools[0]\n"},
	{"a server tool is chosen, case 29", with(`"tools":[{"type":"web_search_20250305","name":"web_search"}],"tool_choice":{"type":"tool","name":"web_search"}`), hi + "lost tools[0]\nlost tool_choice\n"},
	{"a server tool is chosen among others", with(`"tools":[{"type":"web_search_20250305","name":"web_search"},{"name":"f","input_schema":{}}],"tool_choice":{"type":"tool","name":"web_search"}`),
		"choice 1 \"\"\ntool \"f\" \"\" {\"type\":\"object\",\"properties\":{}} cache \n" + hi + "lost tools[0]\nlost tool_choice\n"},
	{"choice auto, case 27", with(`"tool_choice":{"type":"auto"}`), "choice 1 \"\"\n" + hi},
	{"choice any, case 27", with(`"tool_choice":{"type":"any","disable_parallel_tool_use":false}`), "parallel true\nchoice 2 \"\"\n" + hi},
	{"choice none, case 27", with(`"tool_choice":{"type":"none"}`), "choice 3 \"\"\n" + hi},
	{"choice named, case 27", with(`"tool_choice":{"type":"tool","name":"f"}`), "choice 4 \"f\"\n" + hi},
	{"no choice, case 28", with(`"tools":[{"name":"f","input_schema":{}}]`), "tool \"f\" \"\" {\"type\":\"object\",\"properties\":{}} cache \n" + hi},
	{"choice of an unknown type, case 30", with(`"tool_choice":{"type":"allowed"}`), "choice 1 \"\"\n" + hi + "lost tool_choice\n"},
	{"not parallel, case 26", with(`"tool_choice":{"type":"auto","disable_parallel_tool_use":true}`), "parallel false\nchoice 1 \"\"\n" + hi},

	{"sampling", with(`"temperature":0.5,"top_p":1,"top_k":40,"stop_sequences":["a","","\n"]`), "temperature 0.5\ntop p 1\nstop \"a\"\nstop \"\\n\"\n" + hi + "lost top_k\n"},
	{"whole number as a float", with(`"max_tokens":5.0`), "model \"m\" max tokens 5 stream false\n" + hi},
	{"user", with(`"metadata":{"user_id":"u","x":1}`), "user \"u\"\n" + hi},
	{"thinking on", with(`"thinking":{"type":"enabled","budget_tokens":2048,"display":"summarized"}`), "thinking 2 budget 2048 effort \"\"\n" + hi},
	{"thinking off", with(`"thinking":{"type":"disabled","budget_tokens":null}`), "thinking 1 budget 0 effort \"\"\n" + hi},
	{"thinking adaptive with effort, case 67", with(`"thinking":{"type":"adaptive"},"output_config":{"effort":"xhigh"}`), "thinking 3 budget 0 effort \"xhigh\"\n" + hi},
	{"unknown thinking and effort", with(`"thinking":{"type":"deep"},"output_config":{"effort":"ultra","format":null,"task_budget":{"type":"tokens","total":5}}`), hi + "lost thinking.type\nlost output_config.effort\nlost output_config\n"},
	{"form of the answer, case 74", with(`"output_config":{"format":{"type":"json_schema","schema":{"type":"object"}}}`), "format 2 \"\" {\"type\":\"object\"} strict true\n" + hi},
	{"form of the answer, beta", with(`"output_format":{"type":"json_schema","schema":{"type":"object"}}`), "format 2 \"\" {\"type\":\"object\"} strict true\n" + hi},
	{"unknown form of the answer", with(`"output_format":{"type":"xml"}`), hi + "lost output_config.format\n"},
	{"fields of Anthropic alone, case 78", with(`"service_tier":"auto","container":"c","mcp_servers":[{"url":"u"}],"context_management":{"edits":[]},"cache_control":{"type":"ephemeral"}`), hi + "lost service_tier\nlost container\nlost mcp_servers\nlost context_management\n"},
	{"unknown fields, case 78", with(`"new_field":{"a":1},"bad\nname":1,"":2`), hi + "lost new_field\nlost an unknown field\n"},
	{"the last of two fields", with(`"max_tokens":1,"stop_sequences":["a"],"tools":[{"name":"a"}],"system":"a","max_tokens":2,"stop_sequences":["b"],"tools":[],"system":"b"`), "model \"m\" max tokens 2 stream false\nstop \"b\"\nsystem text \"b\"\n" + hi},
}

func TestDecodeRequest(t *testing.T) {
	for _, tt := range requestsRead {
		t.Run(tt.name, func(t *testing.T) {
			r, err := DecodeRequest([]byte(tt.body))
			if err != nil {
				t.Fatalf("%+v", err)
			}
			if got := said(&r.Request); got != tt.want {
				t.Errorf("got\n%s\nwant\n%s", got, tt.want)
			}
		})
	}
}

var requestsRefused = []struct {
	name, body, field, message string
}{
	{"empty", ``, "", "the request body: unexpected end of JSON (at byte 0)"},
	{"no JSON", `hello`, "", `the request body: invalid JSON: unexpected 'h' (at byte 0)`},
	{"cut off", `{"model":"m","messages":[{"role":"us`, "messages[0].role", "messages[0].role: unterminated string"},
	{"more after the end", turns(`{"role":"user","content":"hi"}`) + `x`, "", `the request body: unexpected 'x' after the end of the JSON value (at byte 57)`},
	{"an array", `[]`, "", "the request body: must be an object, not an array (at byte 0)"},
	{"model of a wrong type", `{"model":5}`, "model", "model: must be a string, not a number"},
	{"model null", `{"model":null}`, "model", "model: must be a string, not null"},
	{"no messages", `{"model":"m"}`, "messages", "messages: is missing; it must be an array of messages"},
	{"messages null", `{"model":"m","messages":null}`, "messages", "messages: must be an array, not null"},
	{"messages of a wrong type", `{"model":"m","messages":"hi"}`, "messages", "messages: must be an array, not a string"},
	{"empty messages", turns(``), "messages", "messages: is empty; it must hold at least one message"},
	{"a message that is no object", turns(`"hi"`), "messages[0]", "messages[0]: must be an object, not a string"},
	{"no role", turns(`{"content":"hi"}`), "messages[0].role", "messages[0].role: is missing"},
	{"no content", turns(`{"role":"user"}`), "messages[0].content", "messages[0].content: is missing"},
	{"unknown role", turns(`{"role":"user","content":"hi"},{"content":"x","role":"tool"}`), "messages[1].role", `messages[1].role: must be "user", "assistant" or "system", not "tool"`},
	{"role of a wrong type", turns(`{"role":1,"content":"hi"}`), "messages[0].role", "messages[0].role: must be a string, not a number"},
	{"content of a wrong type", turns(`{"role":"user","content":5}`), "messages[0].content", "messages[0].content: must be a string or an array of content blocks, not a number"},
	{"a block that is no object", turns(`{"role":"user","content":[5]}`), "messages[0].content[0]", "messages[0].content[0]: must be a content block, an object, not a number"},
	{"a block without type", turns(`{"role":"user","content":[{"text":"x"}]}`), "messages[0].content[0].type", "messages[0].content[0].type: is missing"},
	{"a type of a wrong type", turns(`{"role":"user","content":[{"type":5}]}`), "messages[0].content[0].type", "messages[0].content[0].type: must be a string, not a number"},
	{"text missing", turns(`{"role":"user","content":[{"type":"text"}]}`), "messages[0].content[0].text", "messages[0].content[0].text: is missing"},
	{"text of a wrong type", turns(`{"role":"user","content":[{"text":null,"type":"text"}]}`), "messages[0].content[0].text", "messages[0].content[0].text: must be a string, not null"},
	{"thinking missing", turns(`{"role":"assistant","content":[{"type":"thinking"}]}`), "messages[0].content[0].thinking", "messages[0].content[0].thinking: is missing"},
	{"signature of a wrong type", turns(`{"role":"assistant","content":[{"type":"thinking","thinking":"x","signature":[]}]}`), "messages[0].content[0].signature", "messages[0].content[0].signature: must be a string, not an array"},
	{"no source", turns(`{"role":"user","content":[{"type":"image"}]}`), "messages[0].content[0].source", "messages[0].content[0].source: is missing"},
	{"source of a wrong type", turns(`{"role":"user","content":[{"type":"image","source":"u"}]}`), "messages[0].content[0].source", "messages[0].content[0].source: must be an object, not a string"},
	{"document without source", turns(`{"role":"user","content":[{"type":"document"}]}`), "messages[0].content[0].source", "messages[0].content[0].source: is missing"},
	{"no data", turns(`{"role":"user","content":[{"type":"image","source":{"type":"base64"}}]}`), "messages[0].content[0].source.data", "messages[0].content[0].source.data: is missing"},
	{"no id of a call", turns(`{"role":"assistant","content":[{"type":"tool_use","name":"f","input":{}}]}`), "messages[0].content[0].id", "messages[0].content[0].id: is missing"},
	{"empty name of a call", turns(`{"role":"assistant","content":[{"type":"tool_use","id":"a","name":"","input":{}}]}`), "messages[0].content[0].name", "messages[0].content[0].name: must not be empty"},
	{"input of a wrong type", turns(`{"role":"assistant","content":[{"type":"tool_use","id":"a","name":"f","input":[1]}]}`), "messages[0].content[0].input", "messages[0].content[0].input: must be an object, not an array"},
	{"input as a text that is no object", turns(`{"role":"assistant","content":[{"type":"tool_use","id":"a","name":"f","input":"[1]"}]}`), "messages[0].content[0].input", "messages[0].content[0].input: must be an object, not a string"},
	{"content null", turns(`{"role":"user","content":null}`), "messages[0].content", `messages[0].content: must be a string or an array of content blocks, not null`},
	{"orphan result", turns(`{"role":"user","content":[{"type":"tool_result","tool_use_id":"x","content":"a"}]}`), "messages[0].content[0].tool_use_id", `messages[0].content[0].tool_use_id: is "x", but no tool_use block before it has that id`},
	{"result of a later call", turns(`{"role":"user","content":[{"type":"tool_result","tool_use_id":"x"}]},{"role":"assistant","content":[{"type":"tool_use","id":"x","name":"f","input":{}}]}`), "messages[0].content[0].tool_use_id", `messages[0].content[0].tool_use_id: is "x", but no tool_use block before it has that id`},
	{"no id of a result", turns(`{"role":"user","content":[{"type":"tool_result"}]}`), "messages[0].content[0].tool_use_id", "messages[0].content[0].tool_use_id: is missing"},
	{"is_error of a wrong type", results(`,"is_error":"yes"`), "messages[1].content[0].is_error", "messages[1].content[0].is_error: must be a boolean, not a string"},
	{"a wrong block in a result", results(`,"content":[{"type":"text"}]`), "messages[1].content[0].content[0].text", "messages[1].content[0].content[0].text: is missing"},
	{"a wrong block in a result whose type comes last", turns(`{"role":"assistant","content":[{"type":"tool_use","id":"c","name":"f"}]},{"role":"user","content":[{"content":[{"type":"text","text":7}],"tool_use_id":"c","type":"tool_result"}]}`), "messages[1].content[0].content[0].text", "messages[1].content[0].content[0].text: must be a string, not a number"},
	{"system of a wrong type", with(`"system":5`), "system", "system: must be a string or an array of text blocks, not a number"},
	{"a system block of a wrong type", with(`"system":["a",5]`), "system[1]", "system[1]: must be a text block, not a number"},
	{"tools of a wrong type", with(`"tools":{}`), "tools", "tools: must be an array, not an object"},
	{"a tool that is no object", with(`"tools":["f"]`), "tools[0]", "tools[0]: must be an object, not a string"},
	{"a tool without a name", with(`"tools":[{"input_schema":{}}]`), "tools[0].name", "tools[0].name: is missing"},
	{"description of a wrong type", with(`"tools":[{"name":"f","description":1}]`), "tools[0].description", "tools[0].description: must be a string, not a number"},
	{"schema of a wrong type", with(`"tools":[{"name":"f","input_schema":"s"}]`), "tools[0].input_schema", "tools[0].input_schema: must be an object, a JSON Schema, not a string"},
	{"choice of a wrong type", with(`"tool_choice":"auto"`), "tool_choice", "tool_choice: must be an object, not a string"},
	{"choice without a name", with(`"tool_choice":{"type":"tool"}`), "tool_choice.name", "tool_choice.name: is missing"},
	{"limit of a wrong type", with(`"max_tokens":"5"`), "max_tokens", "max_tokens: must be a number, not a string"},
	{"limit below zero", with(`"max_tokens":-1`), "max_tokens", "max_tokens: must not be negative"},
	{"limit that is not whole", with(`"max_tokens":1.5`), "max_tokens", "max_tokens: must be a whole number"},
	{"temperature of a wrong type", with(`"temperature":"hot"`), "temperature", "temperature: must be a number, not a string"},
	{"stream of a wrong type", with(`"stream":1`), "stream", "stream: must be a boolean, not a number"},
	{"stop of a wrong type", with(`"stop_sequences":"a"`), "stop_sequences", "stop_sequences: must be an array, not a string"},
	{"a stop of a wrong type", with(`"stop_sequences":["a",1]`), "stop_sequences[1]", "stop_sequences[1]: must be a string, not a number"},
	{"metadata of a wrong type", with(`"metadata":"u"`), "metadata", "metadata: must be an object, not a string"},
	{"user of a wrong type", with(`"metadata":{"user_id":5}`), "metadata.user_id", "metadata.user_id: must be a string, not a number"},
	{"thinking of a wrong type", with(`"thinking":true`), "thinking", "thinking: must be an object, not a boolean"},
	{"budget of a wrong type", with(`"thinking":{"type":"enabled","budget_tokens":"1"}`), "thinking.budget_tokens", "thinking.budget_tokens: must be a number, not a string"},
	{"effort of a wrong type", with(`"output_config":{"effort":1}`), "output_config.effort", "output_config.effort: must be a string, not a number"},
	{"too deep", with(`"x":` + strings.Repeat("[", 300) + strings.Repeat("]", 300)), "x" + strings.Repeat("[0]", 85) + "…", "nested more than 256 levels deep"},
}

func TestDecodeRequestRefuses(t *testing.T) {
	for _, tt := range requestsRefused {
		t.Run(tt.name, func(t *testing.T) {
			r, err := DecodeRequest([]byte(tt.body))
			if err == nil {
				t.Fatalf("accepted: %+v", r.Request)
			}
			if err.Kind != llm.ErrInvalid || err.Field != tt.field || !strings.HasSuffix(err.Message, tt.message) {
				t.Errorf("got kind %d\nfield %q, %s\nwant field %q, %s", err.Kind, err.Field, err.Message, tt.field, tt.message)
			}
		})
	}
}

func TestWarningsAreBounded(t *testing.T) {
	var fields strings.Builder
	for i := range 10_000 {
		fmt.Fprintf(&fields, `"f%d":1,`, i)
	}
	r, err := DecodeRequest([]byte(with(fields.String() + `"x":1`)))
	if err != nil {
		t.Fatal(err)
	}
	if len(r.Warnings) != maxWarnings {
		t.Errorf("%d warnings", len(r.Warnings))
	}
}

// TestDeepContentIsReadOnce would take hours if each level of nesting were read
// again by the level around it.
func TestDeepContentIsReadOnce(t *testing.T) {
	const depth = 60
	text := strings.Repeat("x", 1<<20)
	body := turns(`{"role":"user","content":[` + strings.Repeat(`{"content":[`, depth) + `{"type":"text","text":"` + text + `"}` +
		strings.Repeat(`],"type":"search_result"}`, depth) + `]}`)
	r, err := DecodeRequest([]byte(body))
	if err != nil {
		t.Fatal(err)
	}
	if got := len(r.Messages[0].Blocks[0].Text); got < 1<<20 {
		t.Errorf("the text has %d bytes", got)
	}
}
