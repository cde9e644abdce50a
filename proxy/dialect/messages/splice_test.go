package messages

import (
	"strings"
	"testing"

	"glmtray/proxy/llm"
	"glmtray/proxy/rawjson"
	"glmtray/proxy/sse"
)

const breakpoint = `"cache_control":{"type":"ephemeral"}`

var cached = llm.Target{CacheLastBlock: true}

// led is a target with system prompts of its own, ours how they are written.
var led = llm.Target{Lead: []rawjson.String{rawjson.Quote(`"We"` + "\n"), rawjson.Quote("first")}}

const ours = `{"type":"text","text":"\"We\"\n"},{"type":"text","text":"first"}`

var passed = []struct {
	name   string
	target llm.Target
	body   string
	want   string // "" if nothing changes
}{
	{"nothing", llm.Target{}, turns(`{"role":"user","content":"hi"}`), ""},
	{"nothing, whatever is there", llm.Target{}, ` {"z" : 1e2, "model":"m","temperature":0.50 ,"system":[ ], "messages":[ {"role":"system","content":"x"} ], "metadata":{}}`, ""},

	{"breakpoint on a text", cached, turns(`{"role":"user","content":"hi"}`), turns(`{"role":"user","content":[{"type":"text","text":"hi",` + breakpoint + `}]}`)},
	{"breakpoint on the last block", cached, turns(`{"role":"user","content":"a"},{"role":"user","content":[{"type":"text","text":"b"}, { "type":"text","text":"c"}]}`),
		turns(`{"role":"user","content":"a"},{"role":"user","content":[{"type":"text","text":"b"}, {` + breakpoint + `, "type":"text","text":"c"}]}`)},
	{"breakpoint on a result", cached, results(`,"content":[{"type":"text","text":"a"}]`), strings.Replace(results(`,"content":[{"type":"text","text":"a"}]`), `{"type":"tool_result"`, `{`+breakpoint+`,"type":"tool_result"`, 1)},
	{"breakpoint on a document that is text", cached, turns(`{"role":"user","content":[{"type":"document","source":{"type":"text","data":"d"}}]}`),
		turns(`{"role":"user","content":[{` + breakpoint + `,"type":"document","source":{"type":"text","data":"d"}}]}`)},
	{"not on a system message", cached, turns(`{"role":"user","content":"a"},{"role":"system","content":"b"}`), turns(`{"role":"user","content":[{"type":"text","text":"a",` + breakpoint + `}]},{"role":"system","content":"b"}`)},
	{"not on an empty text", cached, turns(`{"role":"user","content":""}`), ""},
	{"not on thinking", cached, turns(`{"role":"assistant","content":[{"type":"text","text":"a"},{"type":"thinking","thinking":"t"}]}`), ""},
	{"not on an unknown block", cached, turns(`{"role":"user","content":[{"type":"text","text":"a"},{"type":"container_upload","file_id":"f"}]}`), ""},
	{"not on an element that is text", cached, turns(`{"role":"user","content":["a"]}`), ""},
	{"not beside one in the last block, case 76", cached, turns(`{"role":"user","content":[{"type":"text","text":"a",` + breakpoint + `}]}`), ""},
	{"not beside one in a result, case 76", cached, results(`,"content":[{"type":"text","text":"a",` + breakpoint + `}]`), ""},
	{"not beside one in the system prompt", cached, with(`"system":[{"type":"text","text":"a",` + breakpoint + `}]`), ""},
	{"not beside one in a tool", cached, with(`"tools":[{"name":"f","input_schema":{},` + breakpoint + `}]`), ""},
	{"not beside one in a server tool", cached, with(`"tools":[{"type":"web_search_20250305",` + breakpoint + `}]`), ""},
	{"not beside one for the whole request", cached, with(breakpoint), ""},
	{"beside a property of that name", cached, with(`"tools":[{"name":"f","input_schema":{"properties":{"cache_control":{"type":"object"}}}}]`),
		`{"model":"m","tools":[{"name":"f","input_schema":{"properties":{"cache_control":{"type":"object"}}}}],"messages":[{"role":"user","content":[{"type":"text","text":"hi",` + breakpoint + `}]}]}`},

	{"temperature", llm.Target{Temperature: new(0.7)}, with(`"temperature" : 1.0 `), strings.Replace(with(`"temperature" : 1.0 `), `1.0 `, `0.7 `, 1)},
	{"temperature where there is none", llm.Target{Temperature: new(0.7)}, ` { "model":"m","messages":[{"role":"user","content":"hi"}]}`, ` {"temperature":0.7, "model":"m","messages":[{"role":"user","content":"hi"}]}`},
	{"temperature null", llm.Target{Temperature: new(1.0)}, with(`"temperature":null`), with(`"temperature":1`)},

	{"user where there is no metadata", llm.Target{User: rawjson.Quote(`u"`)}, with(`"max_tokens":1`), `{"metadata":{"user_id":"u\""},` + with(`"max_tokens":1`)[1:]},
	{"user where there is none", llm.Target{User: rawjson.Quote("u")}, with(`"metadata":{ "x":1}`), with(`"metadata":{"user_id":"u", "x":1}`)},
	{"user where metadata is empty", llm.Target{User: rawjson.Quote("u")}, with(`"metadata":{ }`), with(`"metadata":{"user_id":"u"}`)},
	{"user where metadata is null", llm.Target{User: rawjson.Quote("u")}, with(`"metadata":null`), with(`"metadata":{"user_id":"u"}`)},
	{"user null", llm.Target{User: rawjson.Quote("u")}, with(`"metadata":{"user_id":null,"x":1}`), with(`"metadata":{"user_id":"u","x":1}`)},
	{"the client's user", llm.Target{User: rawjson.Quote("u")}, with(`"metadata":{"user_id":"own"}`), ""},

	{"billing header, case 25", llm.Target{}, with(`"system":[ {"type":"text","text":"x-anthropic-billing-header: v;"}, {"type":"text","text":"b"}]`), with(`"system":[ {"type":"text","text":"b"}]`)},
	{"billing header and text, case 25", llm.Target{}, with(`"system":[{"type":"text","text":"x-anthropic-billing-header: \\n \"v\";\r\n\nstay","x":1},"b"]`), with(`"system":[{"type":"text","text":"stay","x":1},"b"]`)},
	{"billing header as the only block", llm.Target{}, with(`"system":[ {"type":"text","text":"x-anthropic-billing-header: v;\n"} ]`), with(`"system":[  ]`)},
	{"billing header in a string", llm.Target{}, with(`"system":"x-anthropic-billing-header: v;\nstay"`), with(`"system":"stay"`)},
	{"billing header as an element", llm.Target{}, with(`"system":["x-anthropic-billing-header: v;\nstay"]`), with(`"system":["stay"]`)},
	{"billing header that does not lead", llm.Target{}, with(`"system":["a","x-anthropic-billing-header: v;"]`), ""},
	{"system prompt that is replaced", llm.Target{}, with(`"system":"x-anthropic-billing-header: v;\nstay","system":"b"`), ""},

	{"lead before a text", led, with(`"system": "s\u00e9" `), with(`"system": [` + ours + `,{"type":"text","text":"s\u00e9"}] `)},
	{"lead before blocks", led, with(`"system":[ {"type":"text","text":"b","x":1e2}, "c"]`), with(`"system":[` + ours + `, {"type":"text","text":"b","x":1e2}, "c"]`)},
	{"lead instead of an empty array", led, with(`"system":[ ]`), with(`"system":[` + ours + `]`)},
	{"lead instead of an empty text", led, with(`"system":""`), with(`"system":[` + ours + `]`)},
	{"lead instead of null", led, with(`"system" : null`), with(`"system" : [` + ours + `]`)},
	{"lead where there is none", led, ` { "model":"m","messages":[{"role":"user","content":"hi"}]}`, ` {"system":[` + ours + `], "model":"m","messages":[{"role":"user","content":"hi"}]}`},
	{"lead before the block behind a billing header, case 25", led, with(`"system":[{"type":"text","text":"x-anthropic-billing-header: v;"},{"type":"text","text":"b",` + breakpoint + `}]`),
		with(`"system":[` + ours + `,{"type":"text","text":"b",` + breakpoint + `}]`)},
	{"lead before the text behind a billing header", led, with(`"system":[{"type":"text","text":"x-anthropic-billing-header: v;\nstay"}]`), with(`"system":[` + ours + `,{"type":"text","text":"stay"}]`)},
	{"lead instead of a billing header alone", led, with(`"system":[ {"type":"text","text":"x-anthropic-billing-header: v;"} ]`), with(`"system":[` + ours + `]`)},
	{"lead before a string behind a billing header", led, with(`"system":"x-anthropic-billing-header: v;\nstay"`), with(`"system":[` + ours + `,{"type":"text","text":"stay"}]`)},
	{"lead instead of a string that is a billing header", led, with(`"system":"x-anthropic-billing-header: v;\n"`), with(`"system":[` + ours + `]`)},
	{"lead before the system prompt that counts", led, with(`"system":[{"type":"text","text":"a"}],"system":"b"`), with(`"system":[{"type":"text","text":"a"}],"system":[` + ours + `,{"type":"text","text":"b"}]`)},
	{"one lead", llm.Target{Lead: led.Lead[1:]}, with(`"system":"s"`), with(`"system":[{"type":"text","text":"first"},{"type":"text","text":"s"}]`)},

	{"model of a million tokens", llm.Target{}, `{"model":"glm-5.2[1m]","messages":[{"role":"user","content":"hi"}]}`, `{"model":"glm-5.2","messages":[{"role":"user","content":"hi"}]}`},
	{"a model that is nothing else", llm.Target{}, `{"model":"[1m]","messages":[{"role":"user","content":"hi"}]}`, ""},

	{"everything with a lead", llm.Target{CacheLastBlock: true, Temperature: new(0.2), User: rawjson.Quote("u"), Lead: led.Lead}, `{"model":"g[1m]","messages":[{"role":"user","content":"hi"}]}`,
		`{"temperature":0.2,"metadata":{"user_id":"u"},"system":[` + ours + `],"model":"g","messages":[{"role":"user","content":[{"type":"text","text":"hi",` + breakpoint + `}]}]}`},
	{"everything", llm.Target{CacheLastBlock: true, Temperature: new(0.2), User: rawjson.Quote("u")}, `{"model":"g[1M]","messages":[{"role":"user","content":"hi"}],"system":"x-anthropic-billing-header: v;\ns"}`,
		`{"temperature":0.2,"metadata":{"user_id":"u"},"model":"g","messages":[{"role":"user","content":[{"type":"text","text":"hi",` + breakpoint + `}]}],"system":"s"}`},
}

func TestPassEdits(t *testing.T) {
	for _, tt := range passed {
		t.Run(tt.name, func(t *testing.T) {
			body := []byte(tt.body)
			r, failed := DecodeRequest(body)
			if failed != nil {
				t.Fatal(failed)
			}
			edits := r.PassEdits(tt.target)
			if tt.want == "" {
				if edits != nil {
					t.Errorf("edits %q", rawjson.Splice(nil, body, edits))
				}
				return
			}
			got := rawjson.Splice(nil, body, edits)
			if string(got) != tt.want {
				t.Errorf("got\n%s\nwant\n%s", got, tt.want)
			}
			if err := rawjson.Valid(got); err != nil {
				t.Error(err)
			}
		})
	}
}

// started makes a message_start with some usage.
func started(usage string) string {
	return `{"type":"message_start","message":{"id":"msg_1","type":"message"` + usage + `}}`
}

var patched = []struct{ name, data, want string }{
	{"zero", started(`,"usage":{"input_tokens":0,"output_tokens":0}`), started(`,"usage":{"input_tokens":77,"output_tokens":0}`)},
	{"zeros of the cache too", started(`,"usage":{"cache_read_input_tokens":0,"input_tokens": 0 ,"x":1}`), started(`,"usage":{"cache_read_input_tokens":0,"input_tokens": 77 ,"x":1}`)},
	{"null", started(`,"usage":{"input_tokens":null}`), started(`,"usage":{"input_tokens":77}`)},
	{"missing", started(`,"usage":{"output_tokens":0}`), started(`,"usage":{"input_tokens":77,"output_tokens":0}`)},
	{"empty usage", started(`,"usage":{ }`), started(`,"usage":{"input_tokens":77,"output_tokens":0}`)},
	{"usage null", started(`,"usage":null`), started(`,"usage":{"input_tokens":77,"output_tokens":0}`)},
	{"no usage", started(``), `{"type":"message_start","message":{"usage":{"input_tokens":77,"output_tokens":0},"id":"msg_1","type":"message"}}`},
	{"told", started(`,"usage":{"input_tokens":5}`), ""},
	{"all from the cache", started(`,"usage":{"input_tokens":0,"cache_read_input_tokens":5}`), ""},
	{"all to the cache", started(`,"usage":{"cache_creation_input_tokens":5}`), ""},
	{"empty message", `{"type":"message_start","message":{}}`, ""},
	{"no message", `{"type":"message_start"}`, ""},
	{"message null", `{"type":"message_start","message":null}`, ""},
	{"another event", `{"type":"ping","message":{"message_start":0}}`, ""},
	{"no JSON", `{"type":"message_start","message":{`, ""},
	{"no data", ``, ""},
}

func TestPatchStart(t *testing.T) {
	for _, tt := range patched {
		t.Run(tt.name, func(t *testing.T) {
			for _, event := range []string{"", "event: message_start\n", ": comment\r\n"} {
				f := readFrames(t, event+"data: "+tt.data+"\n\n")[0]
				before := "before"
				got, ok := PatchStart([]byte(before), f, func() int { return 77 })
				want := before
				if tt.want != "" {
					want += event + "data: " + tt.want + "\n\n"
				}
				if string(got) != want || ok != (tt.want != "") {
					t.Errorf("got %t %q, want %q", ok, got, want)
				}
			}
		})
	}
	t.Run("without an estimate", func(t *testing.T) {
		if got, ok := PatchStart(nil, frame(patched[0].data), func() int { return 0 }); ok || got != nil {
			t.Errorf("%q", got)
		}
	})
	t.Run("under another name", func(t *testing.T) {
		f := frame(patched[0].data)
		f.Event = []byte("ping")
		if got, ok := PatchStart(nil, f, func() int { return 77 }); ok || got != nil {
			t.Errorf("%q", got)
		}
	})
	t.Run("over several lines", func(t *testing.T) {
		f := readFrames(t, "data: {\"type\":\"message_start\",\ndata: \"message\":{\"id\":\"a\"}}\n\n")[0]
		if got, ok := PatchStart(nil, f, func() int { return 77 }); ok || got != nil {
			t.Errorf("%q", got)
		}
	})
}

// readFrames returns the frames of a stream.
func readFrames(t testing.TB, stream string) (frames []sse.Frame) {
	t.Helper()
	r := sse.NewReader(strings.NewReader(stream), make([]byte, len(stream)+8192))
	for {
		err := r.Fill()
		for f, ok := r.Next(); ok; f, ok = r.Next() {
			frames = append(frames, f)
		}
		if err != nil {
			break
		}
	}
	if rest := r.Rest(); len(rest.Raw) > 0 {
		frames = append(frames, rest)
	}
	return frames
}

func TestAppendTokenCount(t *testing.T) {
	if got := string(AppendTokenCount([]byte("x"), 2095)); got != `x{"input_tokens":2095}` {
		t.Error(got)
	}
}
