package proxy

import (
	"fmt"
	"slices"
	"strings"
)

// A scenario is told once, in the words of no dialect: what a client asks, and what the
// model answers. It is played over all pairs of a client's dialect and an upstream's,
// streamed and whole. What the upstream got, and what the client got, must be what was
// told, but for the changes, each with its reason.
type scenario struct {
	name string
	asks talk
	says reply
	// next is what the client says when it has the answer. It sends the answer back as
	// it came, as agents do, and the upstream must get back what it said; so it must where
	// a client of the Responses API only names the answer.
	next []speech
	// kind is "stream" or "batch" where the scenario is one of them alone.
	kind    string
	changes []change
}

// change is what becomes of a scenario in some pairs, and why.
type change struct {
	pairs string // patterns of <client>-<upstream>, as of path.Match
	why   string // a sentence about what the dialects cannot carry
	// asks and back change what the upstream gets, the second time for back; says
	// changes what the client gets.
	asks, back func(*talk)
	says       func(*reply)
	// lost are fields that the client is told of in X-GLMTray-Dropped.
	lost string
	// refused is the field for which the client is refused, and nothing goes upstream.
	refused string
	// never says that the scenario cannot happen there.
	never bool
}

// talk is a request. Its String is compared.
type talk struct {
	model             string
	system, developer []string
	turns             []speech
	tools             []string
	choice            string // none, any, or the name of a tool
	limit             int
	stop              []string
	temperature, topP float64
	user, effort      string
	form              string // of the answer: json_object, or json_schema with colour as its schema
}

// colour is the schema of answers that have one.
const colour = `{"type":"object","properties":{"name":{"type":"string"}}}`

// speech is what one side says.
type speech struct {
	role  string // user or assistant
	parts []part
}

// part is one thing that is said: a text, an image (text is its address), a document
// (text is its base64), a thought, a redacted one, a call (text is its input), or a
// result, with images besides.
type part struct {
	kind, text string
	id, name   string
	signature  string
	images     []string
	failed     bool
}

// reply is an answer. Its String is compared.
type reply struct {
	parts                         []part
	stop                          string // end, limit, tool, sequence, refused
	input, cached, output, thinks int    // tokens; the prompt is input and cached
	// fails is the kind of an error: invalid, key, rate, quota, upstream; status and code
	// are how the upstream tells it, in place of an answer if there is a status. cut says
	// that the answer has no end.
	fails, code string
	status      int
	cut         bool

	raw []any  // the answer as the client sends it back
	id  string // of a response
}

// String tells a request in lines.
func (t talk) String() string {
	var b strings.Builder
	say := func(name string, value any) {
		if s := fmt.Sprint(value); s != "" && s != "0" && s != "[]" {
			fmt.Fprintf(&b, "%s: %s\n", name, s)
		}
	}
	say("model", t.model)
	say("system", strings.Join(slices.Concat(t.system, t.developer), "\n\n"))
	say("tools", t.tools)
	say("choice", t.choice)
	say("limit", t.limit)
	say("stop", t.stop)
	say("temperature", t.temperature)
	say("top_p", t.topP)
	say("user", t.user)
	say("effort", t.effort)
	say("form", t.form)
	for _, turn := range t.turns {
		for _, p := range turn.parts {
			fmt.Fprintf(&b, "%s %s\n", turn.role, p)
		}
	}
	return b.String()
}

// String tells a part in a line.
func (p part) String() string {
	s := p.kind
	for _, f := range []string{p.id, p.name} {
		if f != "" {
			s += " " + f
		}
	}
	s += fmt.Sprintf(" %q", p.text)
	if p.signature != "" {
		s += " signed " + p.signature
	}
	if p.failed {
		s += " failed"
	}
	for _, image := range p.images {
		s += " image " + image
	}
	return s
}

// String tells an answer in lines.
func (r reply) String() string {
	var b strings.Builder
	for _, p := range r.parts {
		fmt.Fprintln(&b, p)
	}
	if r.fails != "" {
		fmt.Fprintf(&b, "fails: %s, status %d\n", r.fails, r.status)
	} else {
		fmt.Fprintf(&b, "stop: %s\ntokens: %d and %d cached, %d of which %d thinking\n", r.stop, r.input, r.cached, r.output, r.thinks)
	}
	return b.String()
}

// said makes turns of parts, which begin with the user's.
func said(turns ...[]part) []speech {
	var out []speech
	for i, parts := range turns {
		out = append(out, speech{[]string{"user", "assistant"}[i%2], parts})
	}
	return out
}

func text(s string) part                    { return part{kind: "text", text: s} }
func thought(s, signature string) part      { return part{kind: "thought", text: s, signature: signature} }
func call(id, name, input string) part      { return part{kind: "call", id: id, name: name, text: input} }
func output(id, s string, i ...string) part { return part{kind: "result", id: id, text: s, images: i} }

// picture is an image by value.
const picture = "data:image/png;base64,iVBORw0KGgo="

// hello is the request of scenarios that are about something else.
func hello() talk {
	return talk{model: "glm-5.1", limit: 1000, turns: said([]part{text("Hello.")})}
}

// asking is hello with what is said of it.
func asking(change func(*talk)) talk { return but(hello(), change) }

// saying is hello with other turns and two tools.
func saying(turns ...[]part) talk {
	return asking(func(t *talk) { t.turns, t.tools = said(turns...), []string{"read", "write"} })
}

// but is a request with what is said of it.
func but(t talk, change func(*talk)) talk {
	change(&t)
	return t
}

// answered is an answer of some tokens.
func answered(stop string, parts ...part) reply {
	return reply{parts: parts, stop: stop, input: 20, output: 9}
}

// failed is an error in the place of an answer.
func failed(kind string, status int, code string) reply {
	return reply{fails: kind, status: status, code: code}
}

// scenarios are all that are told.
func scenarios() []scenario {
	return slices.Concat(words(), toolsUsed(), media(), thinking(), parameters(), failures())
}

// words are scenarios of words.
func words() []scenario {
	return []scenario{
		{name: "text", asks: hello(), says: answered("end", text("Hello there, who are you?"))},
		{
			name: "unicode",
			asks: asking(func(t *talk) { t.turns = said([]part{text("\"ü\" 汉字 😀 \u2028\u2029\t\\ <a&b>\n\u0001")}) }),
			says: answered("end", text("é\u0301 漢字 👩‍👩‍👧 \u2028 \\n \" </script>\r\n")),
		},
		{
			name: "conversation",
			asks: asking(func(t *talk) { t.turns = said([]part{text("One.")}, []part{text("Two.")}, []part{text("Three.")}) }),
			says: answered("end", text("Four.")),
			next: said([]part{text("Five.")}),
		},
		{
			name: "system and developer",
			asks: asking(func(t *talk) { t.system, t.developer = []string{"Be brief."}, []string{"Use Go."} }),
			says: answered("end", text("Done.")),
		},
		{name: "empty answer", asks: hello(), says: answered("end")},
		{name: "limit reached", asks: hello(), says: answered("limit", text("Once upon a"))},
		{
			name: "content filter", asks: hello(), says: answered("refused", text("Once upon a")),
			changes: []change{{pairs: "chat-chat", why: "Z.AI's own word for it passes as it is", says: func(r *reply) { r.stop = "sensitive" }}},
		},
		{
			name: "stop sequence matched", asks: hello(), says: answered("sequence", text("Once")),
			changes: []change{
				{pairs: "chat-* responses-* messages-chat", why: "the OpenAI APIs have no word for it: the answer is complete", says: func(r *reply) { r.stop = "end" }},
			},
		},
		{
			name: "usage with cache", asks: hello(),
			says: reply{parts: []part{text("Done.")}, stop: "end", input: 20, cached: 100, output: 30, thinks: 12},
			changes: []change{
				{pairs: "messages-* *-messages", why: "Messages does not count what was thought apart", says: func(r *reply) { r.thinks = 0 }},
			},
		},
	}
}

// toolsUsed are scenarios of tools.
func toolsUsed() []scenario {
	question := []part{text("Read a.go and b.go.")}
	calls := []part{call("call_1", "read", `{"path":"a.go"}`), call("call_2", "read", `{"path":"b.go"}`)}
	results := []part{output("call_1", "package a"), output("call_2", "package b")}
	return []scenario{
		{
			name: "one call after a text", asks: saying(question), says: answered("tool", text("One moment."), calls[0]),
			next: said([]part{results[0], text("Be brief.")}),
		},
		{name: "parallel calls", asks: saying(question), says: answered("tool", calls...), next: said(results)},
		{name: "call without input", asks: saying(question), says: answered("tool", call("call_1", "read", "{}"))},
		{name: "call with odd input", asks: saying(question), says: answered("tool", call("call_1", "write", `{"text":"\"ü\"\\n😀","n":1.50,"list":[]}`))},
		{name: "results of tools", asks: saying(question, calls, results), says: answered("end", text("Done."))},
		{
			name: "failed result",
			asks: saying(question, calls[:1], []part{{kind: "result", id: "call_1", text: "no such file", failed: true}}),
			says: answered("end", text("Done.")),
			changes: []change{
				{pairs: "chat-* responses-*", why: "the OpenAI APIs have no field for it: the text must say so", asks: func(t *talk) { t.turns[2].parts[0].failed = false }},
				{pairs: "messages-chat", why: "Chat Completions has no field for it: it is said in the text", asks: func(t *talk) {
					t.turns[2].parts[0] = output("call_1", "Error: no such file")
				}},
			},
		},
		{
			name: "forced tool",
			asks: but(saying(question), func(t *talk) { t.choice = "write" }), says: answered("tool", call("call_1", "write", `{}`)),
			changes: []change{
				{pairs: "messages-chat responses-chat", why: "GLM chooses among tools by itself", lost: "tool_choice", asks: func(t *talk) { t.choice = "auto" }},
			},
		},
		{
			name: "some tool must be called",
			asks: but(saying(question), func(t *talk) { t.choice = "any" }), says: answered("tool", calls[0]),
			changes: []change{
				{pairs: "messages-chat responses-chat", why: "GLM chooses among tools by itself", lost: "tool_choice", asks: func(t *talk) { t.choice = "auto" }},
			},
		},
		{
			name: "no tool may be called",
			asks: but(saying(question), func(t *talk) { t.choice = "none" }), says: answered("end", text("I cannot.")),
			changes: []change{
				{pairs: "messages-chat responses-chat", why: "GLM has no such choice, so it is not shown what it must not call", asks: func(t *talk) { t.choice, t.tools = "", nil }},
			},
		},
		{
			name: "tool of a strange name",
			asks: but(saying(question), func(t *talk) { t.tools = []string{"fs.read"} }),
			says: answered("tool", call("call_1", "fs.read", `{"path":"a.go"}`)), next: said(results[:1]),
			changes: []change{{
				pairs: "messages-chat chat-messages responses-*", why: "other upstreams refuse such a name: it is another on the way up, and its own on the way back",
				asks: func(t *talk) { t.tools = []string{"fs_read_4074bc02"} },
				back: func(t *talk) { t.turns[1].parts[0].name = "fs_read_4074bc02" },
			}},
		},
	}
}

// media are scenarios of what is no text.
func media() []scenario {
	look := func(model string, turns ...[]part) talk {
		return but(saying(turns...), func(t *talk) { t.model = model })
	}
	image := func(url string) part { return part{kind: "image", text: url} }
	shot := []part{call("call_1", "read", `{"path":"a.png"}`)}
	return []scenario{
		{
			name: "image of the user", says: answered("end", text("A dot.")),
			asks: look("glm-4.6v", []part{text("What is this?"), image(picture), image("https://example.com/a.png")}),
		},
		{name: "image alone", asks: look("glm-4.6v", []part{image(picture)}), says: answered("end", text("A dot."))},
		{
			name: "image in a result", says: answered("end", text("A dot.")),
			asks: look("glm-4.6v", []part{text("What is in a.png?")}, shot, []part{output("call_1", "a.png:", picture)}),
			changes: []change{{
				pairs: "messages-chat responses-chat", why: "a result of Chat Completions is text alone: what it shows follows in a user's message",
				asks: func(t *talk) {
					t.turns[2].parts = []part{output("call_1", "a.png:"), text("Attachment of the result of the tool call call_1:"), image(picture)}
				},
			}},
		},
		{
			name: "image sees nobody", says: answered("end", text("Done.")),
			asks:    look("glm-4.7", []part{text("What is this?"), image(picture)}),
			changes: []change{{pairs: "*-*", why: "a model that sees nothing would guess", refused: "glm-4.7 sees no images"}},
		},
		{
			name: "document", asks: look("glm-4.6v", []part{text("What is this?"), {kind: "document", text: "JVBERi0xLjQK"}}),
			says:    answered("end", text("A page.")),
			changes: []change{{pairs: "messages-chat responses-chat", why: "Z.AI's chat endpoint takes documents by their address alone", refused: "document"}},
		},
	}
}

// thinking are scenarios of what the model thinks.
func thinking() []scenario {
	question := []part{text("Read a.go.")}
	first := call("call_1", "read", `{"path":"a.go"}`)
	unsigned := change{
		pairs: "*-chat", why: "a chat upstream signs nothing",
		says: func(r *reply) { r.parts[0].signature = "" }, back: func(t *talk) { t.turns[1].parts[0].signature = "" },
	}
	sealed := change{pairs: "responses-messages", why: "the signature is in an envelope, which the client does not open", says: func(r *reply) { r.parts[0].signature = "" }}
	return []scenario{
		{
			name: "thinking", asks: hello(), says: answered("end", thought("A greeting. Be kind.", "c2lnbmVk"), text("Hello.")),
			next: said([]part{text("Go on.")}), changes: []change{unsigned, sealed},
		},
		{
			name: "thinking before a call", asks: saying(question), says: answered("tool", thought("I must read.", "c2lnbmVk"), first),
			next: said([]part{output("call_1", "package a")}), changes: []change{unsigned, sealed},
		},
		{
			name: "thinking before a text and a call", asks: saying(question),
			says: answered("tool", thought("I must read.", "c2lnbmVk"), text("One moment."), first),
			next: said([]part{output("call_1", "package a")}), changes: []change{unsigned, sealed},
		},
		{
			name: "redacted thinking", asks: hello(), says: answered("end", part{kind: "redacted", text: "b3BhcXVl"}, text("Hello.")),
			next: said([]part{text("Go on.")}),
			changes: []change{
				{pairs: "*-chat", why: "a chat upstream has no such thing", never: true},
				{pairs: "responses-messages", why: "it is in an envelope, which the client does not open", says: func(r *reply) { r.parts[0].text = "" }},
			},
		},
		{
			name: "effort", says: answered("end", text("Done.")),
			asks: asking(func(t *talk) { t.model, t.effort, t.limit = "glm-5.2", "high", 4000 }),
		},
	}
}

// parameters are scenarios of the rest of a request.
func parameters() []scenario {
	done := answered("end", text("Done."))
	return []scenario{
		{name: "limit", asks: asking(func(t *talk) { t.limit = 77 }), says: done},
		{name: "sampling", asks: asking(func(t *talk) { t.temperature, t.topP = 0.25, 0.5 }), says: done},
		{
			name: "temperature above one", asks: asking(func(t *talk) { t.temperature = 1.5 }), says: done,
			changes: []change{{
				pairs: "messages-chat chat-messages responses-*", why: "neither Anthropic nor GLM goes higher than 1", lost: "temperature",
				asks: func(t *talk) { t.temperature = 1 },
			}},
		},
		{
			name: "answer in JSON", asks: asking(func(t *talk) { t.form = "json_object" }), says: answered("end", text(`{"name":"red"}`)),
			changes: []change{
				{pairs: "messages-*", why: "Messages has no such field", asks: func(t *talk) { t.form = "" }},
				{pairs: "chat-messages responses-messages", why: "Messages has no such field: it is asked for in the system prompt", asks: func(t *talk) {
					t.form, t.system = "", []string{"Answer with one JSON object and nothing else: no text around it, no code fence."}
				}},
			},
		},
		{
			name: "answer by a schema", asks: asking(func(t *talk) { t.form = "json_schema" }), says: answered("end", text(`{"name":"red"}`)),
			changes: []change{
				{pairs: "messages-chat responses-chat", why: "GLM knows JSON, but no schema: that is in the system prompt", asks: func(t *talk) {
					t.form, t.system = "json_object", []string{"Answer with one JSON value that is valid under this JSON Schema, and with nothing else:\n" + colour}
				}},
				{pairs: "chat-messages responses-messages", why: "GLM has no field for it: it is asked for in the system prompt", asks: func(t *talk) {
					t.form = ""
					t.system = []string{"Answer with one JSON object and nothing else: no text around it, no code fence. It must match this JSON Schema:\n" + colour}
				}},
			},
		},
		{name: "user", asks: asking(func(t *talk) { t.user = "user-1234" }), says: done},
		{
			name: "stop sequence", asks: asking(func(t *talk) { t.stop = []string{"END"} }), says: done,
			changes: []change{{pairs: "responses-*", why: "Responses has no stop sequences", asks: func(t *talk) { t.stop = nil }}},
		},
		{
			name: "several stop sequences", asks: asking(func(t *talk) { t.stop = []string{"END", "STOP"} }), says: done,
			changes: []change{
				{pairs: "messages-chat", why: "GLM takes one", lost: "stop", asks: func(t *talk) { t.stop = t.stop[:1] }},
				{pairs: "responses-*", why: "Responses has no stop sequences", asks: func(t *talk) { t.stop = nil }},
			},
		},
	}
}

// failures are scenarios that end badly.
func failures() []scenario {
	half := []part{text("Once upon")}
	return []scenario{
		{name: "error 400", asks: hello(), says: failed("invalid", 400, "1210")},
		{name: "error 401", asks: hello(), says: failed("key", 401, "1002")},
		{name: "error 429", asks: hello(), says: failed("rate", 429, "1302")},
		{name: "quota used up", asks: hello(), says: failed("quota", 429, "1308")},
		{name: "error 500", asks: hello(), says: failed("upstream", 500, "1234")},
		{name: "error in the stream", kind: "stream", asks: hello(), says: reply{parts: half, fails: "upstream", code: "1234"}},
		{name: "cut stream", kind: "stream", asks: hello(), says: reply{parts: half, fails: "upstream", cut: true}},
		{
			name: "stream cut in a call", kind: "stream", asks: saying([]part{text("Read a.go.")}),
			says:    reply{parts: []part{call("call_1", "read", `{"path":"a.`)}, fails: "upstream", cut: true},
			changes: []change{{pairs: "responses-*", why: "a failed response has no call that its client might make", says: func(r *reply) { r.parts = nil }}},
		},
	}
}
