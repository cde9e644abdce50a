package webchat

import (
	"bytes"
	"io"

	"glmtray/proxy/llm"
	"glmtray/proxy/rawjson"
	"glmtray/proxy/sse"
)

// Decoder reads the stream of the site's answer. It is for one answer and not for
// concurrent use.
//
// The site may change what it has said before, and the events of an answer only ever
// add: what was told stays, what is new behind it is told, and nothing is told twice.
type Decoder struct {
	text     transcript
	thoughts told
	answer   told
	replayed int // bytes that were read again

	started, ended bool
	open           bool
	block          llm.BlockKind // the open block, if open
	usage          llm.Usage
	hasUsage       bool
}

// NewDecoder returns a decoder at the start of an answer.
func NewDecoder() *Decoder { return &Decoder{} }

// Append appends the events that a frame completes. They share no memory with it.
func (d *Decoder) Append(dst []llm.Event, f sse.Frame) []llm.Event {
	data := bytes.TrimSpace(f.Data)
	switch {
	case d.ended || len(data) == 0:
		return dst
	case string(data) == "[DONE]":
		return d.finish(dst)
	}
	in, err := readFrame(data)
	switch {
	case err != nil:
		return d.fail(dst, notJSON(data))
	case in.failure != nil:
		return d.fail(dst, in.failure.at(0))
	}
	if in.hasUsage {
		d.usage.Merge(in.usage)
		d.hasUsage = true
	}
	phase := plainText(in.phase)
	if dst = d.change(dst, &in, voiceOf(phase)); d.ended {
		return dst
	}
	if in.done || string(phase) == "done" {
		return d.finish(dst)
	}
	return dst
}

// change takes what a frame does to the text: first its edit, then what it adds.
func (d *Decoder) change(dst []llm.Event, in *frame, by voice) []llm.Event {
	if in.edit != nil {
		text := in.edit.AppendTo(nil)
		at := len(d.text.raw)
		if in.editIndex >= 0 {
			at = d.text.offset(in.editIndex)
		}
		if at < len(d.text.raw) {
			dst = d.rewrite(dst, at, text, by)
		} else {
			dst = d.add(dst, text, by)
		}
	}
	if in.delta.Empty() || d.ended {
		return dst
	}
	return d.add(dst, in.delta.AppendTo(nil), by)
}

// add takes a text that follows what was said.
func (d *Decoder) add(dst []llm.Event, text []byte, by voice) []llm.Event {
	if len(d.text.raw)+len(text) > maxRaw {
		return d.fail(dst, failure("the chat site sent a longer answer than can be kept"))
	}
	d.text.add(text, by)
	return d.tell(dst, d.text.read(false))
}

// tell appends what is new in pieces that follow what was said.
func (d *Decoder) tell(dst []llm.Event, pieces []said) []llm.Event {
	for len(pieces) > 0 {
		kind := pieces[0].kind
		literal := rawjson.String(`"`)
		for len(pieces) > 0 && pieces[0].kind == kind {
			literal = rawjson.AppendEscaped(literal, d.of(kind).grow(pieces[0].text))
			pieces = pieces[1:]
		}
		dst = d.say(dst, kind, append(literal, '"'))
	}
	return dst
}

func (d *Decoder) of(kind llm.BlockKind) *told {
	if kind == llm.Thinks {
		return &d.thoughts
	}
	return &d.answer
}

// rewrite takes a text that replaces all from an offset on. Everything is read again,
// as the meaning of any part depends on the tags before it. What is new in the
// thinking is not told once the answer has begun: it would come behind it.
func (d *Decoder) rewrite(dst []llm.Event, at int, text []byte, by voice) []llm.Event {
	if d.replayed += at + len(text); d.replayed > maxReplay || at+len(text) > maxRaw {
		return d.fail(dst, failure("the chat site changed its answer too often to be followed"))
	}
	d.text.cut(at)
	d.text.add(text, by)
	var thoughts, answer []byte
	for _, piece := range d.text.read(false) {
		if piece.kind == llm.Thinks {
			thoughts = append(thoughts, piece.text...)
		} else {
			answer = append(answer, piece.text...)
		}
	}
	begun := len(d.answer.text) > 0
	if more := d.thoughts.turn(thoughts); len(more) > 0 && !begun {
		dst = d.say(dst, llm.Thinks, rawjson.AppendQuote(nil, more))
	}
	if more := d.answer.turn(answer); len(more) > 0 {
		dst = d.say(dst, llm.Text, rawjson.AppendQuote(nil, more))
	}
	return dst
}

// say appends a piece of text or thinking.
func (d *Decoder) say(dst []llm.Event, kind llm.BlockKind, text rawjson.String) []llm.Event {
	if text.Empty() {
		return dst
	}
	dst = d.start(dst)
	if !d.open || d.block != kind {
		dst = append(d.stop(dst), llm.Event{Kind: llm.EventBlockStart, Block: kind})
		d.open, d.block = true, kind
	}
	return append(dst, llm.Event{Kind: llm.EventDelta, Block: kind, Text: text})
}

func (d *Decoder) start(dst []llm.Event) []llm.Event {
	if d.started {
		return dst
	}
	d.started = true
	return append(dst, llm.Event{Kind: llm.EventStart})
}

// stop closes the open block, if there is one.
func (d *Decoder) stop(dst []llm.Event) []llm.Event {
	if !d.open {
		return dst
	}
	d.open = false
	return append(dst, llm.Event{Kind: llm.EventBlockStop, Block: d.block})
}

func (d *Decoder) fail(dst []llm.Event, e *llm.Error) []llm.Event {
	d.ended = true
	return append(dst, llm.Event{Kind: llm.EventError, Err: e})
}

// finish ends the answer. One that says nothing at all is what the site sends when it
// has failed without telling.
func (d *Decoder) finish(dst []llm.Event) []llm.Event {
	if dst = d.tell(dst, d.text.read(true)); !d.started {
		return d.fail(dst, failure("the chat site ended its answer without saying anything"))
	}
	dst = d.stop(dst)
	d.ended = true
	e := llm.Event{Kind: llm.EventFinish, Stop: llm.StopEndTurn}
	if d.hasUsage {
		usage := d.usage
		e.Usage = &usage
	}
	return append(dst, e)
}

// Close tells the decoder that the stream is over. An answer that was not finished
// ends in an error.
func (d *Decoder) Close(dst []llm.Event) []llm.Event {
	if d.ended {
		return dst
	}
	if dst = d.tell(dst, d.text.read(true)); !d.started {
		return d.fail(dst, failure("the chat site closed the stream without an answer"))
	}
	return d.fail(dst, failure("the chat site closed the stream before the answer was complete"))
}

// DecodeResponse appends the events of an answer that came all at once: a stream as a
// whole, which is what the site sends, or one JSON object, which is an error more
// often than not. A body that is no answer gives an EventError, after the start if it
// got that far. The events share no memory with the body.
func DecodeResponse(dst []llm.Event, body []byte) []llm.Event {
	d := NewDecoder()
	text := bytes.TrimSpace(body)
	switch {
	case len(text) == 0:
		return d.fail(dst, failure("the chat site sent an empty answer"))
	case text[0] == '{':
		return d.Close(d.Append(dst, sse.Frame{Data: text}))
	case text[0] != ':' && !bytes.HasPrefix(text, []byte("data")) && !bytes.HasPrefix(text, []byte("event")):
		return d.fail(dst, notJSON(text))
	}
	const buffer = 16 << 10
	r := sse.NewReader(bytes.NewReader(body), make([]byte, buffer))
	for {
		err := r.Fill()
		for f, ok := r.Next(); ok; f, ok = r.Next() {
			dst = d.Append(dst, f)
		}
		switch {
		case err == io.EOF:
			return d.Close(d.Append(dst, r.Rest()))
		case err != nil && !d.ended:
			return d.fail(dst, &llm.Error{Kind: llm.ErrUpstream, Message: "the chat site sent a frame that is too long", Err: err})
		case err != nil:
			return dst
		}
	}
}
