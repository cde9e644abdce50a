package chat

import (
	"bytes"
	"math/rand/v2"
	"strconv"

	"glmtray/proxy/llm"
	"glmtray/proxy/rawjson"
)

// callAssembler puts the tool calls of an answer together. Their pieces may come
// interleaved, without an index or an id, with the name late or repeated; but only
// one block can be open at a time. So the first call streams, and the pieces of the
// others are held back until it is complete, which its brackets tell.
type callAssembler struct {
	calls   []answerCall
	current int    // the first call that is not over
	emitted int    // calls that were started
	held    int    // bytes held back
	seed    uint64 // of the ids that are made; 0: none yet
}

// answerCall is one call.
type answerCall struct {
	index    int
	hasIndex bool
	id, name rawjson.String
	// noID says that no id will come.
	noID bool
	open bool
	// odd says that the arguments are something else than an object. They are
	// held to the end and made one.
	odd  bool
	scan brackets
	// held is what was not sent on yet, a literal without its last quote; nil if
	// there is nothing.
	held rawjson.String
}

// busy reports whether a call is unfinished, so that nothing else can begin.
func (a *callAssembler) busy() bool {
	if a.current == len(a.calls) {
		return false
	}
	return a.current < len(a.calls)-1 || !a.calls[a.current].complete()
}

// complete reports whether an open call has all its arguments.
func (c *answerCall) complete() bool { return c.open && c.scan.done }

// call takes a piece of a call.
func (d *Decoder) call(dst []llm.Event, p *callPiece) []llm.Event {
	if d.ended {
		return dst
	}
	a := &d.calls
	c := a.find(p)
	if c == nil {
		return d.fail(dst, failure("the upstream answered with more than "+strconv.Itoa(maxCalls)+" tool calls"))
	}
	if c.id.Empty() && !p.id.Empty() {
		c.id = bytes.Clone(p.id)
	}
	if c.name.Empty() && !p.name.Empty() {
		c.name = bytes.Clone(p.name)
	}
	if !p.arguments.Empty() && !c.scan.done { // what is repeated at the end is ignored
		c.scan.read(p.arguments.Inner())
		c.odd = c.scan.begun && c.scan.first != '{'
		if c.open && !c.odd && c.scan.begun {
			text := p.arguments
			if c.held != nil { // white space that came before
				text, c.held = append(append(c.held, text.Inner()...), '"'), nil
			}
			return append(dst, llm.Event{Kind: llm.EventDelta, Block: llm.ToolUse, Text: text})
		}
		if a.held += len(p.arguments); a.held > maxHeld {
			return d.fail(dst, failure("the upstream mixed up more of its answer than can be put in order"))
		}
		if c.held == nil {
			c.held = append(c.held, '"')
		}
		c.held = append(c.held, p.arguments.Inner()...)
	}
	return d.advance(dst, false)
}

// find returns the call that a piece belongs to, a new one if there is none, or nil
// if there are too many. An id tells calls apart better than an index: there are
// servers that give each call the index 0.
func (a *callAssembler) find(p *callPiece) *answerCall {
	for i := len(a.calls) - 1; i >= 0 && !p.fresh; i-- {
		c := &a.calls[i]
		if !p.id.Empty() && bytes.Equal(c.id, p.id) {
			return c
		}
		if p.hasIndex && (!c.hasIndex || c.index != p.index) {
			continue
		}
		if c.isOther(p) {
			break
		}
		return c
	}
	if len(a.calls) == maxCalls {
		return nil
	}
	a.calls = append(a.calls, answerCall{index: p.index, hasIndex: p.hasIndex, noID: p.legacy})
	return &a.calls[len(a.calls)-1]
}

// isOther reports whether a piece begins another call than c although it has the
// same index or none: it has an id and a name of its own, or none but a name and
// arguments that c cannot have any more. An id or a name alone that differs is a
// slip.
func (c *answerCall) isOther(p *callPiece) bool {
	switch {
	case p.name.Empty() || c.name.Empty():
		return !p.hasIndex && !p.id.Empty() && !c.id.Empty()
	case !p.id.Empty() && !c.id.Empty():
		return true
	}
	return c.scan.begun && !bytes.Equal(c.name, p.name) && (!p.hasIndex || !p.arguments.Empty())
}

// advance closes the calls that are complete and opens the next one. final says
// that nothing more will come.
func (d *Decoder) advance(dst []llm.Event, final bool) []llm.Event {
	a := &d.calls
	for a.current < len(a.calls) && !d.ended {
		c := &a.calls[a.current]
		if !c.open {
			if !c.ready(final, a.current < len(a.calls)-1) {
				if !final {
					return dst
				}
				a.current++ // it never got a name
				continue
			}
			dst = d.openCall(dst, c)
		}
		// The last call stays open, for what may be odd in it is known at the end.
		if !final && (a.current == len(a.calls)-1 || !c.scan.done) {
			return dst
		}
		dst = d.stop(dst)
	}
	return dst
}

// ready reports whether a call can be started: when its name is known, and its id
// or that none will come.
func (c *answerCall) ready(final, followed bool) bool {
	return !c.name.Empty() && (!c.id.Empty() || c.noID || final || followed || c.scan.done)
}

func (d *Decoder) openCall(dst []llm.Event, c *answerCall) []llm.Event {
	c.open = true
	if c.id.Empty() {
		c.id = d.calls.newID()
	}
	d.calls.emitted++
	dst = d.begin(dst, llm.Event{Block: llm.ToolUse, ID: c.id, Name: c.name})
	if c.held != nil && c.scan.begun && !c.odd {
		dst = append(dst, llm.Event{Kind: llm.EventDelta, Block: llm.ToolUse, Text: append(c.held, '"')})
		c.held = nil
	}
	return dst
}

// newID makes an id for a call that has none. It must not come back in a later
// answer, since results are matched by it, and so it does not depend on the id of
// the answer, which some servers never change.
func (a *callAssembler) newID() rawjson.String {
	for a.seed == 0 {
		a.seed = rand.Uint64()
	}
	return rawjson.Quote("call_" + strconv.FormatUint(a.seed, 36) + "_" + strconv.Itoa(a.emitted))
}

// end returns what is left of the current call before its block is closed, if
// anything is, and whether its input is a whole object.
func (a *callAssembler) end() (rest rawjson.String, whole bool) {
	c := &a.calls[a.current]
	a.current++
	if !c.odd {
		return nil, c.scan.done || !c.scan.begun
	}
	rest = append(c.held, '"')
	text := rest.AppendTo(nil)
	if rawjson.Valid(text) != nil {
		return rest, false
	}
	input, _ := llm.ToolInput(text)
	return rawjson.Quote(string(input)), true
}

// brackets follows JSON text, given as the inside of literals, to its end.
type brackets struct {
	depth    int
	first    byte // the first character that is no white space
	begun    bool
	done     bool
	inString bool
	escaped  bool
}

func (b *brackets) read(inner []byte) {
	for i := 0; i < len(inner) && !b.done; i++ {
		c := inner[i]
		if b.inString && c != '\\' {
			// In a literal, the quote that ends a string has a backslash.
			b.escaped = false
			next := bytes.IndexByte(inner[i:], '\\')
			if next < 0 {
				return
			}
			i += next
			c = '\\'
		}
		if c == '\\' && i+1 < len(inner) {
			i++
			switch c = inner[i]; c {
			case 'u':
				c, i = unicodeByte(inner, i)
			case 'n', 't', 'r', 'b', 'f':
				c = ' '
			}
		}
		b.next(c)
	}
}

// unicodeByte returns the character of \uXXXX whose u is at i, if it is one of
// ASCII, and where the sequence ends.
func unicodeByte(inner []byte, i int) (byte, int) {
	c, err := strconv.ParseUint(string(inner[i+1:min(i+5, len(inner))]), 16, 16)
	if err != nil || c > 0x7f {
		return 'x', i + 4
	}
	return byte(c), i + 4
}

func (b *brackets) next(c byte) {
	switch {
	case b.escaped:
		b.escaped = false
	case b.inString:
		b.escaped = c == '\\'
		b.inString = c != '"'
		b.done = c == '"' && b.depth == 0
	case c == ' ' || c == '\n' || c == '\r' || c == '\t':
	default:
		if !b.begun {
			b.begun, b.first = true, c
		}
		switch c {
		case '"':
			b.inString = true
		case '{', '[':
			b.depth++
		case '}', ']':
			b.depth--
			b.done = b.depth <= 0
		}
	}
}
