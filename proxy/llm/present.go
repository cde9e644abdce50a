package llm

import (
	"bytes"

	"glmtray/proxy/rawjson"
)

// Display is how a client is shown what a model thinks.
type Display uint8

// The displays.
const (
	ThinkingApart  Display = iota // in blocks of its own, as the client's dialect has them
	ThinkingInTags                // in the text, between <think> and </think>
	ThinkingHidden                // not at all
)

// Presenter shows an answer's thinking as its client wants it. It also finds the thinking
// of models that write it into their text, between think tags at its very beginning; a
// text that mentions the tags later is left alone. It is for one answer and not for
// concurrent use. The zero Presenter shows thinking apart.
type Presenter struct {
	Display Display

	inline inline
	held   []byte // of the text, escaped: what may be a tag, or white space around one
	began  bool   // the block that is open has been announced
	spoken bool   // and something of it told
	out    []Event

	tagged  bool // the opening tag has been shown, and not the closing one
	waiting bool // a text block's end waits for what comes next
	shown   []Event
}

// inline is where in the text of an answer a Presenter is.
type inline uint8

const (
	inlineUnknown inline = iota // it may begin with a tag
	inlineThought               // behind the opening tag
	inlineAnswer                // behind the closing tag, where white space is left out
	inlineOver                  // what follows is text
)

// The tags, as literals have them. Neither holds what must be escaped.
var (
	thinkOpen  = []byte("<think>")
	thinkClose = []byte("</think>")
)

// Present returns what the client is shown of the next events. The result may be the
// argument itself, and is valid until the next call.
func (p *Presenter) Present(events []Event) []Event {
	if p.inline != inlineOver {
		p.out = p.out[:0]
		for i := range events {
			p.unfold(&events[i])
		}
		events = p.out
	}
	if p.Display == ThinkingApart {
		return events
	}
	p.shown = p.shown[:0]
	for i := range events {
		p.show(&events[i])
	}
	return p.shown
}

// unfold takes an event, in the search for thinking in the text.
func (p *Presenter) unfold(e *Event) {
	switch {
	case e.Kind == EventError:
		p.flush()
	case e.Block != Text || p.inline == inlineOver:
	case e.Kind == EventBlockStart:
		p.began = false
		return // until it is clear what it begins with
	case e.Kind == EventDelta:
		p.text(e)
		return
	case e.Kind == EventBlockStop:
		p.stop()
		return
	}
	p.out = append(p.out, *e)
}

// text takes a piece of text.
func (p *Presenter) text(e *Event) {
	whole := len(p.held) == 0
	p.held = appendPlain(p.held, e.Text.Inner())
	if p.inline == inlineUnknown {
		text := trimSpace(p.held)
		switch {
		case bytes.HasPrefix(text, thinkOpen):
			p.begin(Thinks)
			p.inline, p.held = inlineThought, text[len(thinkOpen):]
		case bytes.HasPrefix(text, thinkClose):
			p.inline, p.held = inlineAnswer, text[len(thinkClose):]
		case bytes.HasPrefix(thinkOpen, text), bytes.HasPrefix(thinkClose, text):
			return
		case whole:
			p.begin(Text)
			p.inline, p.held = inlineOver, nil
			p.out = append(p.out, *e)
			return
		default:
			p.begin(Text)
			p.inline = inlineOver
			p.delta(Text, p.take(len(p.held)))
			return
		}
	}
	if p.inline == inlineThought {
		p.thought()
	}
	if p.inline == inlineAnswer {
		p.answer()
	}
	if p.inline == inlineOver && len(p.held) > 0 {
		p.delta(Text, p.take(len(p.held)))
	}
}

// thought takes what is held behind the opening tag. What may be the closing one stays,
// with the white space before it.
func (p *Presenter) thought() {
	if !p.spoken {
		p.held = trimSpace(p.held)
	}
	end := bytes.Index(p.held, thinkClose)
	if end < 0 {
		p.delta(Thinks, p.take(len(trimEnd(p.held[:len(p.held)-partOfTag(p.held)]))))
		return
	}
	p.delta(Thinks, p.take(len(trimEnd(p.held[:end]))))
	p.held = p.held[bytes.Index(p.held, thinkClose)+len(thinkClose):]
	p.inline = inlineAnswer
	p.out = append(p.out, Event{Kind: EventBlockStop, Block: Thinks})
	p.began = false
}

// answer looks for the first word behind the closing tag.
func (p *Presenter) answer() {
	if p.held = trimSpace(p.held); len(p.held) > 0 {
		p.begin(Text)
		p.inline = inlineOver
	}
}

// stop takes the end of a text block.
func (p *Presenter) stop() {
	block := Text
	if p.inline == inlineThought {
		block = Thinks
	}
	blank := p.inline == inlineUnknown && len(trimSpace(p.held)) == 0
	p.flush()
	if p.began {
		p.out = append(p.out, Event{Kind: EventBlockStop, Block: block})
	} else if blank { // a block that holds nothing is the client's too
		p.out = append(p.out, Event{Kind: EventBlockStart, Block: Text}, Event{Kind: EventBlockStop, Block: Text})
	}
	p.began = false
	if !blank {
		p.inline = inlineOver
	}
}

// flush tells what is held, as nothing more of the block comes.
func (p *Presenter) flush() {
	switch {
	case len(p.held) == 0 || p.inline == inlineAnswer:
	case p.inline == inlineThought:
		p.delta(Thinks, p.take(len(p.held)))
	default:
		p.begin(Text)
		p.delta(Text, p.take(len(p.held)))
	}
	p.held = nil
}

// begin announces the block that is open.
func (p *Presenter) begin(block BlockKind) {
	p.out = append(p.out, Event{Kind: EventBlockStart, Block: block})
	p.began, p.spoken = true, false
}

// take takes as many bytes of what is held, as a literal.
func (p *Presenter) take(n int) rawjson.String {
	text := append(append(append(make([]byte, 0, n+2), '"'), p.held[:n]...), '"')
	p.held = p.held[n:]
	return text
}

func (p *Presenter) delta(block BlockKind, text rawjson.String) {
	if !text.Empty() {
		p.spoken = true
		p.out = append(p.out, Event{Kind: EventDelta, Block: block, Text: text})
	}
}

// appendPlain appends the inside of a literal with the letters of tags unescaped.
// Everything else stays as it is: an escape may be half of a pair.
func appendPlain(dst, inner []byte) []byte {
	for {
		i := bytes.IndexByte(inner, '\\')
		if i < 0 || i+1 >= len(inner) {
			return append(dst, inner...)
		}
		dst, inner = append(dst, inner[:i]...), inner[i:]
		n := 2
		switch {
		case inner[1] == '/':
			dst = append(dst, '/')
		case len(inner) >= 6 && inner[1] == 'u' && bytes.EqualFold(inner[2:6], []byte("003c")):
			dst, n = append(dst, '<'), 6
		case len(inner) >= 6 && inner[1] == 'u' && bytes.EqualFold(inner[2:6], []byte("003e")):
			dst, n = append(dst, '>'), 6
		default:
			dst = append(dst, inner[:2]...)
		}
		inner = inner[n:]
	}
}

// trimSpace is the inside of a literal without the white space at its beginning.
func trimSpace(inner []byte) []byte {
	for {
		switch {
		case len(inner) > 0 && inner[0] == ' ':
			inner = inner[1:]
		case len(inner) > 1 && inner[0] == '\\' && isSpaceEscape(inner[1]):
			inner = inner[2:]
		default:
			return inner
		}
	}
}

// trimEnd is the inside of a literal without the white space at its end.
func trimEnd(inner []byte) []byte {
	for n := len(inner); n > 0; n = len(inner) {
		switch {
		case inner[n-1] == ' ':
			inner = inner[:n-1]
		case n > 1 && isSpaceEscape(inner[n-1]) && endsInEscape(inner[:n-1]):
			inner = inner[:n-2]
		default:
			return inner
		}
	}
	return inner
}

func isSpaceEscape(c byte) bool { return c == 'n' || c == 'r' || c == 't' }

// endsInEscape reports whether the last backslash escapes what comes next.
func endsInEscape(inner []byte) bool {
	slashes := len(inner) - len(bytes.TrimRight(inner, `\`))
	return slashes%2 == 1
}

// partOfTag is how many bytes at the end may be the beginning of the closing tag.
func partOfTag(inner []byte) int {
	for n := min(len(inner), len(thinkClose)-1); n > 0; n-- {
		if bytes.HasSuffix(inner, thinkClose[:n]) {
			return n
		}
	}
	return 0
}

// What stands around thinking that is shown in the text.
var (
	tagBefore = rawjson.Quote("<think>\n")
	tagAfter  = rawjson.Quote("\n</think>\n\n")
)

// show takes an event, and shows its thinking in tags or not at all.
func (p *Presenter) show(e *Event) {
	thinks := (e.Block == Thinks || e.Block == RedactedThinking) && e.Kind <= EventBlockStop && e.Kind != EventStart
	if thinks && (p.Display == ThinkingHidden || e.Block == RedactedThinking) || e.Kind == EventSignature {
		return
	}
	if thinks {
		p.showTagged(e)
		return
	}
	if p.waiting && e.Kind != EventPing {
		p.waiting = false
		if e.Kind == EventBlockStart && e.Block == Text {
			return // the text goes on behind the tag
		}
		if e.Kind != EventError {
			p.shown = append(p.shown, Event{Kind: EventBlockStop, Block: Text})
		}
	}
	p.shown = append(p.shown, *e)
}

// showTagged shows thinking as text. Thinking that says nothing gets no tags.
func (p *Presenter) showTagged(e *Event) {
	tag := func(text rawjson.String) { p.shown = append(p.shown, Event{Kind: EventDelta, Block: Text, Text: text}) }
	switch {
	case e.Kind == EventDelta && !e.Text.Empty():
		if !p.tagged {
			if !p.waiting {
				p.shown = append(p.shown, Event{Kind: EventBlockStart, Block: Text})
			}
			p.tagged, p.waiting = true, false
			tag(tagBefore)
		}
		tag(e.Text)
	case e.Kind == EventBlockStop && p.tagged:
		tag(tagAfter)
		p.tagged, p.waiting = false, true
	}
}
