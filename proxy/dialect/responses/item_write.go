package responses

import (
	"bytes"
	"slices"

	"glmtray/proxy/llm"
	"glmtray/proxy/rawjson"
)

// begin makes an item the open one. prefix is that of its kind's ids.
func (e *Encoder) begin(kind itemKind, prefix string) {
	o := &e.open
	o.kind, o.index, o.inPart, o.count = kind, e.count, false, 0
	o.id = rawjson.AppendQuote(nil, e.o.itemID(prefix, e.count))
	o.text, o.parts = o.text[:0], o.parts[:0]
	e.count++
}

// keep adds the open item to those of the answer and closes it. What add appends is
// the item.
func (e *Encoder) keep(add func(dst []byte) []byte) (item []byte) {
	if len(e.items) > 0 {
		e.items = append(e.items, ',')
	}
	size := len(e.open.text)
	if e.open.kind == messageItem {
		size = len(e.open.parts)
	}
	const around = 256 // its other fields
	at := len(e.items)
	e.items = add(slices.Grow(e.items, size+around))
	e.open.kind = noItem
	return e.items[at:]
}

// added and done append the events with which items begin and end.
func (e *Encoder) added(dst []byte, item func(dst []byte) []byte) []byte {
	return append(item(e.wholeItem(dst, "response.output_item.added")), eventEnd...)
}

func (e *Encoder) done(dst, item []byte) []byte {
	return append(append(e.wholeItem(dst, "response.output_item.done"), item...), eventEnd...)
}

func (e *Encoder) wholeItem(dst []byte, name string) []byte {
	dst = append(e.event(dst, name), `,"output_index":`...)
	return append(appendInt(dst, e.open.index), `,"item":`...)
}

// openText opens a part of a message, and the message if there is none.
func (e *Encoder) openText(dst []byte) []byte {
	o := &e.open
	if o.kind != messageItem {
		e.begin(messageItem, "msg")
		e.answered = true
		dst = e.added(dst, func(dst []byte) []byte { return e.message(dst, "in_progress") })
	}
	o.inPart, o.text = true, o.text[:0]
	dst = append(appendInt(append(e.itemEvent(dst, "response.content_part.added"), `,"content_index":`...), o.count), `,"part":`...)
	dst = append(appendTextPart(dst, nil), eventEnd...)
	e.streaming("response.output_text.delta", "content_index", o.count, `,"logprobs":[]`)
	return dst
}

func (e *Encoder) message(dst []byte, status string) []byte {
	dst = append(append(dst, `{"id":`...), e.open.id...)
	dst = append(append(dst, `,"type":"message","status":"`...), status...)
	dst = append(append(dst, `","role":"assistant","content":[`...), e.open.parts...)
	return append(dst, "]}"...)
}

func appendTextPart(dst, text []byte) []byte {
	return append(append(append(dst, `{"type":"output_text","annotations":[],"logprobs":[],"text":"`...), text...), `"}`...)
}

// closeText closes the open part of a message. The message stays open: what follows
// may be more text.
func (e *Encoder) closeText(dst []byte) []byte {
	o := &e.open
	if o.kind != messageItem || !o.inPart {
		return dst
	}
	o.inPart = false
	dst = e.room(dst, 4)
	dst = append(appendInt(append(e.itemEvent(dst, "response.output_text.done"), `,"content_index":`...), o.count), `,"text":"`...)
	dst = append(append(append(dst, o.text...), `","logprobs":[]`...), eventEnd...)
	dst = append(appendInt(append(e.itemEvent(dst, "response.content_part.done"), `,"content_index":`...), o.count), `,"part":`...)
	dst = append(appendTextPart(dst, o.text), eventEnd...)
	if o.count > 0 {
		o.parts = append(o.parts, ',')
	}
	const around = 64 // its other fields
	o.parts = appendTextPart(slices.Grow(o.parts, len(o.text)+around), o.text)
	o.count++
	return dst
}

// closeMessage closes the message if one is open.
func (e *Encoder) closeMessage(dst []byte, status string) []byte {
	if e.open.kind != messageItem {
		return dst
	}
	dst = e.closeText(dst)
	return e.done(dst, e.keep(func(dst []byte) []byte { return e.message(dst, status) }))
}

// openThought opens a reasoning item and its one part: a summary, if the client asked
// for that, else a text.
func (e *Encoder) openThought(dst []byte) []byte {
	o := &e.open
	dst = e.beginThought(dst)
	o.inPart = true
	if e.o.Echo.summary {
		dst = append(e.itemEvent(dst, "response.reasoning_summary_part.added"), `,"summary_index":0,"part":`...)
		dst = append(appendThoughtPart(dst, "summary_text", nil), eventEnd...)
		e.streaming("response.reasoning_summary_text.delta", "summary_index", 0, "")
		return dst
	}
	dst = append(e.itemEvent(dst, "response.content_part.added"), `,"content_index":0,"part":`...)
	dst = append(appendThoughtPart(dst, "reasoning_text", nil), eventEnd...)
	e.streaming("response.reasoning_text.delta", "content_index", 0, "")
	return dst
}

func (e *Encoder) beginThought(dst []byte) []byte {
	e.begin(reasoningItem, "rs")
	return e.added(dst, func(dst []byte) []byte {
		return append(append(append(dst, `{"id":`...), e.open.id...), `,"type":"reasoning","summary":[]}`...)
	})
}

func appendThoughtPart(dst []byte, kind string, text []byte) []byte {
	dst = append(append(dst, `{"type":"`...), kind...)
	return append(append(append(dst, `","text":"`...), text...), `"}`...)
}

// closeThought closes a thought. One without text has an item only if it is signed.
func (e *Encoder) closeThought(dst []byte) []byte {
	o := &e.open
	if !o.inPart || o.kind != reasoningItem {
		if len(o.signature) <= len(`""`) {
			return dst
		}
		dst = e.beginThought(dst)
	} else if e.o.Echo.summary {
		dst = append(append(e.itemEvent(dst, "response.reasoning_summary_text.done"), `,"summary_index":0,"text":"`...), o.text...)
		dst = append(append(dst, '"'), eventEnd...)
		dst = append(e.itemEvent(dst, "response.reasoning_summary_part.done"), `,"summary_index":0,"part":`...)
		dst = append(appendThoughtPart(dst, "summary_text", o.text), eventEnd...)
	} else {
		dst = append(append(e.itemEvent(dst, "response.reasoning_text.done"), `,"content_index":0,"text":"`...), o.text...)
		dst = append(append(dst, '"'), eventEnd...)
		dst = append(e.itemEvent(dst, "response.content_part.done"), `,"content_index":0,"part":`...)
		dst = append(appendThoughtPart(dst, "reasoning_text", o.text), eventEnd...)
	}
	return e.done(dst, e.keep(e.thought))
}

func (e *Encoder) thought(dst []byte) []byte {
	o := &e.open
	dst = append(append(append(dst, `{"id":`...), o.id...), `,"type":"reasoning","summary":[`...)
	sealed := envelope{thinking: quoted(o.text)}
	if len(o.signature) > len(`""`) {
		sealed.signature = o.signature
	}
	if o.inPart && e.o.Echo.summary {
		dst = appendThoughtPart(dst, "summary_text", o.text)
	}
	dst = append(dst, ']')
	if o.inPart && !e.o.Echo.summary {
		dst = append(appendThoughtPart(append(dst, `,"content":[`...), "reasoning_text", o.text), ']')
	}
	o.inPart = false
	return append(appendSealed(append(dst, `,"encrypted_content":`...), sealed), '}')
}

// redacted appends a thought that nobody but its model can read.
func (e *Encoder) redacted(dst []byte, data rawjson.String) []byte {
	dst = e.beginThought(dst)
	return e.done(dst, e.keep(func(dst []byte) []byte {
		dst = append(append(append(dst, `{"id":`...), e.open.id...), `,"type":"reasoning","summary":[],"encrypted_content":`...)
		return append(appendSealed(dst, envelope{redacted: data}), '}')
	}))
}

// compacted appends the one item of a compaction.
func (e *Encoder) compacted(dst []byte, summary rawjson.String) []byte {
	e.begin(noItem, "cmp")
	item := e.keep(func(dst []byte) []byte { return appendCompactionItem(dst, e.open.id, summary) })
	dst = e.added(dst, func(dst []byte) []byte { return append(dst, item...) })
	return e.done(dst, item)
}

// openCall opens the item of a call, under the name that the client knows.
func (e *Encoder) openCall(dst []byte, ev *llm.Event) []byte {
	o := &e.open
	a, ok := e.o.Echo.aliases[string(plainText(ev.Name))]
	if !ok {
		a.name = ev.Name
	}
	o.tool = a.name.String()
	o.call = append(append(append(o.call[:0], `,"call_id":`...), ev.ID...), `,"name":`...)
	o.call = append(o.call, a.name...)
	if a.namespace != nil {
		o.call = append(append(o.call, `,"namespace":`...), a.namespace...)
	}
	if e.answered = true; a.custom {
		e.begin(customItem, "ctc")
		o.unwrap.reset()
		dst = e.added(dst, func(dst []byte) []byte { return e.call(dst, "in_progress") })
		e.streaming("response.custom_tool_call_input.delta", "", 0, "")
		return dst
	}
	e.begin(functionItem, "fc")
	dst = e.added(dst, func(dst []byte) []byte { return e.call(dst, "in_progress") })
	e.streaming("response.function_call_arguments.delta", "", 0, "")
	return dst
}

// call appends the item of a call.
func (e *Encoder) call(dst []byte, status string) []byte {
	kind, field := `,"type":"function_call","status":"`, `","arguments":"`
	if e.open.kind == customItem {
		kind, field = `,"type":"custom_tool_call","status":"`, `","input":"`
	}
	dst = append(append(append(dst, `{"id":`...), e.open.id...), kind...)
	dst = append(append(append(dst, status...), field...), e.open.text...)
	return append(append(append(dst, '"'), e.open.call...), '}')
}

// closeCall closes a call.
func (e *Encoder) closeCall(dst []byte) []byte {
	o := &e.open
	whole, event, field := false, "response.function_call_arguments.done", `,"arguments":"`
	switch o.kind {
	case functionItem:
		text := rawjson.Value(bytes.TrimSpace(quoted(o.text).AppendTo(nil)))
		if len(text) == 0 { // clients parse the arguments, and nothing is not JSON
			dst = e.piece(dst, rawjson.String(`"{}"`))
			text = rawjson.Value("{}")
		}
		whole = text.Kind() == rawjson.Object && rawjson.Valid(text) == nil
	case customItem:
		var rest rawjson.String
		if rest, whole = o.unwrap.finish(); !rest.Empty() {
			dst = e.piece(dst, rest)
		}
		event, field = "response.custom_tool_call_input.done", `,"input":"`
	default:
		return dst
	}
	if !whole {
		e.broken = o.tool
		e.keep(func(dst []byte) []byte { return e.call(dst, "incomplete") })
		return dst
	}
	dst = append(append(e.itemEvent(dst, event), field...), o.text...)
	dst = append(append(dst, '"'), eventEnd...)
	return e.done(dst, e.keep(func(dst []byte) []byte { return e.call(dst, "completed") }))
}
