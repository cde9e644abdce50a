package webchat

import (
	"bytes"
	"unicode/utf8"

	"glmtray/proxy/llm"
)

// voice is whose words a part of the answer is, by the phase in which it came.
type voice uint8

const (
	says   voice = iota // the answer
	thinks              // the thinking before it
	silent              // what the site's own tools do; nobody asked for it
)

// voiceOf returns the voice of a phase. Text of a phase that is not known is taken for
// the answer: nothing that a model says must be lost because the site has a new word.
func voiceOf(phase []byte) voice {
	switch string(phase) {
	case "thinking":
		return thinks
	case "tool_call", "search":
		return silent
	}
	return says
}

// transcript is the answer's text as the site keeps it, thinking and answer in one,
// with the site's markup around the thinking:
//
//	<details type="reasoning" done="false">
//	<summary>Thinking…</summary>
//	> What shall I say?
//	</details>
//	Hello.
//
// The whole is kept, because the site may replace all that follows any place in it.
// It is read from front to back as it comes; what cannot be told yet from the start
// of a tag waits for more.
type transcript struct {
	raw  []byte
	runs []run // in order, the first at 0

	pos   int // how far raw was read
	at    int // which run that is in
	state state
	// thought says that the open thinking has begun, so that line ends count; ends
	// is how many of them are told when it goes on. lineStart is set where the
	// site's "> " may stand.
	thought, lineStart bool
	ends               int
	// fresh says that the answer is about to begin behind the thinking: the line
	// end between them is the site's.
	fresh bool

	out []said
}

// run is a part of the text of one voice, up to the next.
type run struct {
	at int
	by voice
}

// state is which of the site's tags are open.
type state uint8

const (
	outside state = iota
	inDetails
	inSummary
)

// said is a piece of text or thinking, free of markup.
type said struct {
	kind llm.BlockKind
	text []byte
}

const (
	openDetails  = "<details"
	closeDetails = "</details>"
	openSummary  = "<summary"
	closeSummary = "</summary>"
	reasoning    = `type="reasoning"`
)

// add appends a text.
func (t *transcript) add(text []byte, by voice) {
	if n := len(t.runs); len(text) > 0 && (n == 0 || t.runs[n-1].by != by) {
		t.runs = append(t.runs, run{len(t.raw), by})
	}
	t.raw = append(t.raw, text...)
}

// cut forgets everything from an offset on, and what was read before it.
func (t *transcript) cut(at int) {
	for n := len(t.runs); n > 0 && t.runs[n-1].at >= at; n-- {
		t.runs = t.runs[:n-1]
	}
	*t = transcript{raw: t.raw[:at], runs: t.runs, out: t.out}
}

// offset returns where a character of the text begins, which is its end if the text is
// shorter.
func (t *transcript) offset(character int) int {
	at := 0
	for ; character > 0 && at < len(t.raw); character-- {
		_, n := utf8.DecodeRune(t.raw[at:])
		at += n
	}
	return at
}

// here returns the voice at the place that is read, and where its run begins and ends.
func (t *transcript) here() (by voice, from, to int) {
	for t.at+1 < len(t.runs) && t.runs[t.at+1].at <= t.pos {
		t.at++
	}
	to = len(t.raw)
	if t.at+1 < len(t.runs) {
		to = t.runs[t.at+1].at
	}
	return t.runs[t.at].by, t.runs[t.at].at, to
}

// read returns the pieces that can be told by now; final says that nothing follows.
// They are valid until the next call, and as long as nothing is cut.
func (t *transcript) read(final bool) []said {
	t.out = t.out[:0]
	for t.pos < len(t.raw) {
		by, from, to := t.here()
		if by == silent {
			t.pos = to
			continue
		}
		at, was := t.pos, t.state
		switch {
		case t.state == inSummary:
			t.summary()
		case t.state == inDetails && by == says && t.pos == from && !t.stays(to, final):
			// stays has decided that the thinking is over, or cannot decide yet
		case t.state == inDetails || by == thinks:
			t.thinking(to)
		default:
			t.answer(to)
		}
		if t.pos > at || t.state != was {
			continue
		}
		if !final {
			break
		}
		t.literal(by) // the start of a tag that never came
	}
	return t.out
}

// literal tells one byte that looked like the start of a tag.
func (t *transcript) literal(by voice) {
	kind := llm.Text
	if t.state == inDetails || by == thinks {
		kind = llm.Thinks
	}
	if t.state != inSummary {
		t.say(kind, t.raw[t.pos:t.pos+1])
	}
	t.pos++
}

// say notes a piece.
func (t *transcript) say(kind llm.BlockKind, text []byte) {
	if kind == llm.Thinks {
		if t.ends > 0 {
			t.out = append(t.out, said{kind, bytes.Repeat([]byte("\n"), t.ends)})
		}
		t.thought, t.lineStart, t.ends = true, false, 0
	} else {
		t.fresh = false
	}
	t.out = append(t.out, said{kind, text})
}

// stays reports whether the thinking goes on in a part of the answer's, up to its end
// tag there. Where no end tag comes the phase alone ends it.
func (t *transcript) stays(to int, final bool) bool {
	rest := t.raw[t.pos:to]
	if bytes.Contains(rest, []byte(closeDetails)) {
		return true
	}
	rest = bytes.TrimLeft(rest, "\r\n")
	if !final && to == len(t.raw) && len(rest) < len(closeDetails) && string(rest) == closeDetails[:len(rest)] {
		return false // and nothing was decided
	}
	t.endThinking()
	return false
}

func (t *transcript) endThinking() {
	t.state, t.thought, t.lineStart, t.ends, t.fresh = outside, false, false, 0, true
}

// summary passes the title that the site gives to the thinking.
func (t *transcript) summary() {
	rest := t.raw[t.pos:]
	rest = rest[:min(len(rest), maxTag)]
	title := bytes.Index(rest, []byte(closeSummary))
	end := bytes.Index(rest, []byte(closeDetails))
	switch {
	case title >= 0 && (end < 0 || title < end):
		t.pos += title + len(closeSummary)
		t.state = inDetails
	case end >= 0:
		t.pos += end
		t.state = inDetails
	case len(rest) == maxTag: // it is no title
		t.state = inDetails
	}
}

// thinking reads a step of the thinking, in the site's markup or bare.
func (t *transcript) thinking(to int) {
	rest := t.raw[t.pos:to]
	switch c := rest[0]; {
	case c == '\n':
		if t.thought {
			t.ends++
		}
		t.lineStart = true
		t.pos++
	case c == '>' && t.lineStart && t.state == inDetails:
		t.quoteMark()
	case c == '<':
		t.thinkingTag()
	default:
		t.sayUntil(llm.Thinks, rest, "<\n")
	}
}

// quoteMark passes the "> " before a line, once it is whole.
func (t *transcript) quoteMark() {
	switch rest := t.raw[t.pos:]; {
	case len(rest) == 1: // it waits; at the end of all it is told as it is
	case rest[1] == ' ':
		t.pos, t.lineStart = t.pos+2, false
	default:
		t.pos, t.lineStart = t.pos+1, false
	}
}

// thinkingTag reads a tag of the thinking's, or tells that it is none.
func (t *transcript) thinkingTag() {
	rest := t.raw[t.pos:]
	for _, tag := range []struct {
		name    string
		allowed bool
		then    func()
	}{
		{closeDetails, true, t.endThinking},
		{openDetails, t.state == outside, func() { t.state, t.lineStart = inDetails, true }},
		{openSummary, t.state == inDetails && !t.thought, func() { t.state = inSummary }},
	} {
		n, more := match(rest, tag.name)
		switch {
		case !tag.allowed:
		case more:
			return
		case n > 0:
			t.pos += n
			tag.then()
			return
		}
	}
	t.say(llm.Thinks, rest[:1])
	t.pos++
}

// answer reads a step of the answer. A <details> of any other type than the site's own
// is the model's.
func (t *transcript) answer(to int) {
	if t.thought { // without markup
		t.endThinking()
	}
	rest := t.raw[t.pos:to]
	if t.fresh && (rest[0] == '\n' || rest[0] == '\r') {
		t.pos++
		return
	}
	if rest[0] != '<' {
		t.sayUntil(llm.Text, rest, "<")
		return
	}
	rest = t.raw[t.pos:]
	if n, more := match(rest, closeDetails); t.fresh && (n > 0 || more) {
		t.pos += n // of thinking that came without its start
		return
	}
	n, more := match(rest, openDetails)
	switch {
	case more:
	case n > 0 && bytes.Contains(rest[:n], []byte(reasoning)):
		t.pos += n
		t.state, t.thought, t.lineStart, t.ends = inDetails, false, true, 0
	default:
		t.say(llm.Text, rest[:1])
		t.pos++
	}
}

// sayUntil tells what comes before any of some bytes.
func (t *transcript) sayUntil(kind llm.BlockKind, rest []byte, stops string) {
	if end := bytes.IndexAny(rest, stops); end >= 0 {
		rest = rest[:end]
	}
	t.say(kind, rest)
	t.pos += len(rest)
}

// match returns the length of the tag of a name at the start of text, 0 if there is
// none. more says that it may be one, once more of it is there. A name with its
// bracket is the whole tag; else attributes may follow.
func match(text []byte, name string) (n int, more bool) {
	if len(text) < len(name) {
		return 0, string(text) == name[:len(text)]
	}
	switch {
	case string(text[:len(name)]) != name:
		return 0, false
	case name[len(name)-1] == '>':
		return len(name), false
	case len(text) > len(name) && text[len(name)] != '>' && text[len(name)] != ' ':
		return 0, false // another name
	}
	end := bytes.IndexByte(text[:min(len(text), maxTag)], '>')
	return end + 1, end < 0 && len(text) < maxTag
}
