package demo

import (
	"bytes"
	"encoding/json"
	"fmt"
	"strings"

	"glmtray/proxy/demo/platform"
)

// Bounds on what a prompt may ask for.
const (
	maxDirectives = 64        // in one prompt; further ones are plain text
	maxToolName   = 128       // bytes
	maxBig        = 16 << 10  // KB of `demo:big`
	maxLong       = 100_000   // deltas of `demo:long`
	maxTimes      = 1_000_000 // failures of `demo:429`; also the bound of any other number
)

// directive is one order in a prompt, such as `demo:tool read {"path":"a"}` or `demo:429 2`.
type directive struct {
	name    string
	numbers []int  // what followed the name
	tool    string // demo:tool: the tool's name
	input   string // demo:tool: a compact JSON object
	err     error  // why it cannot be understood
}

// number is the i-th argument, or otherwise if there are fewer.
func (d *directive) number(i, otherwise int) int {
	if i < len(d.numbers) {
		return d.numbers[i]
	}
	return otherwise
}

// order says how one directive is written, what it is for, and what it does.
type order struct {
	name, arguments, purpose string
	numbers                  int // how many numbers it takes at the most
	apply                    func(*scene, directive)
}

// orders are all directives, in the order of the help text.
func orders() []order {
	return []order{
		{"tool", "NAME {json}", "call the tool NAME with these arguments; several make parallel calls", 0, (*scene).callTool},
		{"think", "", "think before the answer, asked or not", 0, (*scene).forceThinking},
		{"big", "N", "an answer of N KB", 1, (*scene).answerBig},
		{"long", "N", "an answer in N deltas", 1, (*scene).answerLong},
		{"slow", "", "a long silence before the first byte, then slow deltas", 0, (*scene).slowDown},
		{"cut", "", "the connection breaks in the middle of the answer", 0, (*scene).cutAnswer},
		{"eof", "", "the answer stops in the middle, but the transfer ends well", 0, (*scene).endEarly},
		{"error", "CODE [TIMES]", "a business error of Z.AI's table, such as 1308, 1310, 1113, 1210", 2, (*scene).failWithCode},
		{"429", "[TIMES]", "rate limit, code 1302; with TIMES only so often for the same prompt", 1, (*scene).failRateLimit},
		{"503", "[TIMES]", "the edge has no server for us", 1, (*scene).failUnavailable},
		{"529", "[TIMES]", "overloaded, code 1305", 1, (*scene).failOverloaded},
		{"html", "", "a web page with HTTP 200, as the edge sends when it blocks", 0, (*scene).failHTML},
		{"empty", "", "HTTP 200 without a body", 0, (*scene).failEmpty},
		{"error200", "", "HTTP 200 with an error of the platform around the models", 0, (*scene).failPlatform},
		{"error-event", "[CODE]", "an error in the stream, after some of the answer", 1, (*scene).failInStream},
		{"error-first", "[CODE]", "an error as the stream's first event", 1, (*scene).failAtFirstEvent},
		{"length", "", "the answer stops at the token limit", 0, (*scene).stopAtLength},
		{"context", "", "the answer stops because the context window is full", 0, (*scene).stopAtContext},
		{"sensitive", "", "the answer stops because its content is refused", 0, (*scene).stopSensitive},
		{"network_error", "", "the answer stops because Z.AI lost the model", 0, (*scene).stopNetwork},
		{"help", "", "this list", 0, (*scene).answerHelp},
		{"ok", "", "nothing special; overrides directives in earlier blocks of the same message", 0, (*scene).carryOn},
	}
}

// help is the text that lists the directives.
func help() string {
	var b strings.Builder
	b.WriteString("The demo upstream: Z.AI's wire shapes without a network or an account.\n\n" +
		"  POST …/v1/messages, …/chat/completions    GET …/models\n\n" +
		"The platform around the models: logins, keys, the start plan, quota.\n\n  " + strings.Join(platform.Paths(), "\n  ") + "\n\n" +
		"Plain prompts are echoed; ask for a table or for code, send pictures, or write in Chinese.\n" +
		"Directives in a prompt make something happen:\n\n")
	for _, o := range orders() {
		fmt.Fprintf(&b, "  %-26s %s\n", strings.TrimSpace("demo:"+o.name+" "+o.arguments), o.purpose)
	}
	return b.String()
}

// parseDirectives finds the directives in text, and returns what is left of the text without them. Something that only
// looks like a directive is left where it is.
func parseDirectives(text string) (found []directive, rest string) {
	known := orders()
	var kept strings.Builder
	for len(found) < maxDirectives {
		at := strings.Index(text, marker)
		if at < 0 {
			break
		}
		after := text[at+len(marker):]
		o := match(known, directiveName(after))
		if o == nil || !startsWord(kept.String(), text[:at]) {
			kept.WriteString(text[:at+len(marker)])
			text = after
			continue
		}
		kept.WriteString(text[:at])
		var d directive
		d, text = parseArguments(*o, after[len(o.name):])
		found = append(found, d)
	}
	kept.WriteString(text)
	return found, strings.TrimSpace(kept.String())
}

// marker is what every directive begins with.
const marker = "demo:"

// directiveName is the longest name that text begins with.
func directiveName(text string) string {
	end := len(text) - len(strings.TrimLeft(text, "abcdefghijklmnopqrstuvwxyz0123456789_-"))
	return strings.TrimRight(text[:end], "-_")
}

func match(known []order, name string) *order {
	for i := range known {
		if known[i].name == name {
			return &known[i]
		}
	}
	return nil
}

// startsWord tells whether a directive may begin after before, or if that is empty after earlier: not inside a word or
// a URL.
func startsWord(earlier, before string) bool {
	if before == "" {
		before = earlier
	}
	if before == "" {
		return true
	}
	last := before[len(before)-1]
	letter := 'a' <= last|0x20 && last|0x20 <= 'z' || '0' <= last && last <= '9'
	return !letter && !strings.ContainsRune("_-/:", rune(last))
}

// parseArguments reads the arguments of o at the beginning of text.
func parseArguments(o order, text string) (d directive, rest string) {
	d.name = o.name
	if o.name == "tool" {
		return parseCall(text)
	}
	for len(d.numbers) < o.numbers {
		trimmed := strings.TrimLeft(text, " \t")
		digits := len(trimmed) - len(strings.TrimLeft(trimmed, "0123456789"))
		if digits == 0 || len(trimmed) == len(text) {
			break
		}
		n := 0
		for _, digit := range trimmed[:digits] {
			n = min(n*10+int(digit-'0'), maxTimes)
		}
		d.numbers = append(d.numbers, n)
		text = trimmed[digits:]
	}
	return d, text
}

// parseCall reads `NAME {json}`; without an object the arguments are empty. The object is read by a JSON decoder, so
// that braces and quotes inside it, and prose behind it, do not matter.
func parseCall(text string) (d directive, rest string) {
	d.name, d.input = "tool", "{}"
	text = strings.TrimLeft(text, " \t")
	end := strings.IndexAny(text, " \t\r\n{`\"")
	if end < 0 {
		end = len(text)
	}
	d.tool = strings.TrimRight(text[:end], ".,;:!?)") // the end of a sentence is not part of a name
	text = text[len(d.tool):]
	if d.tool == "" || len(d.tool) > maxToolName {
		d.err = fmt.Errorf("demo:tool needs the name of a tool, of at most %d bytes", maxToolName)
		return d, text
	}
	object := strings.TrimLeft(text, " \t\r\n")
	if !strings.HasPrefix(object, "{") {
		return d, text
	}
	decoder := json.NewDecoder(strings.NewReader(object))
	var raw json.RawMessage
	var compact bytes.Buffer
	err := decoder.Decode(&raw)
	if err == nil {
		err = json.Compact(&compact, raw)
	}
	if err != nil {
		d.err = fmt.Errorf("the arguments of demo:tool %s are not a JSON object: %w", d.tool, err)
		return d, "" // where a broken object ends is anybody's guess
	}
	d.input = compact.String()
	return d, object[decoder.InputOffset():]
}
