package responses

import (
	"bytes"
	"slices"
	"strconv"

	"glmtray/proxy/llm"
	"glmtray/proxy/rawjson"
	"glmtray/proxy/sse"
)

// Encoder writes one answer as a stream of events. It is not for concurrent use.
//
// An answer is a list of items, of which one at a time is open: a message, a thought,
// or a call. Every event has a number, and what was streamed is repeated when its
// part, its item, and the whole answer end, so that all of it is kept. A call whose
// input was cut off is never told to be done, as clients act on that; it is in the
// answer as incomplete.
type Encoder struct {
	o     EncoderOptions
	model rawjson.String

	started, ended bool
	number         int // of the next event
	status         string
	reason         string // why the answer is incomplete
	failure        *llm.Error

	items    []byte // those that are over, with commas between them
	count    int    // of items that were opened
	answered bool   // there is more than thoughts
	broken   string // a tool whose call was cut off

	open    openItem
	frame   deltaFrame
	written int // bytes of text
	size    int // of the response object in which the stream has ended
	usage   llm.Usage
	told    bool // the upstream told some usage
}

// openItem is the item that is open. Its slices are used again for the next one.
type openItem struct {
	kind   itemKind
	id     rawjson.String
	index  int    // of the item in the answer
	inPart bool   // a part is open
	text   []byte // of the open part, or the input of a call: a literal's inside
	parts  []byte // those of the message that are over, with commas between them
	count  int    // of parts that are over
	// signature is that of a thought.
	signature []byte
	// call is the end of a call's item: its id and its names.
	call   []byte
	tool   string
	unwrap unwrapper
}

// add adds to the text, whose memory doubles when it is used up: it grows by a few
// bytes at a time, and by less than that it would be copied four times.
func (o *openItem) add(text []byte) {
	if len(o.text)+len(text) > cap(o.text) {
		o.text = slices.Grow(o.text, max(len(o.text), len(text)))
	}
	o.text = append(o.text, text...)
}

type itemKind uint8

const (
	noItem itemKind = iota
	messageItem
	reasoningItem
	functionItem
	customItem
)

// deltaFrame is what the events of the open part's pieces have in common: what is
// before the number, between it and the piece, and behind that.
type deltaFrame struct{ head, middle, tail []byte }

// NewEncoder returns an encoder for one answer.
func NewEncoder(o EncoderOptions) *Encoder {
	o.normalize()
	return &Encoder{o: o, status: "in_progress"}
}

// Append appends the events that tell an event, as whole frames: none for some.
// After the end of the answer it appends nothing.
func (e *Encoder) Append(dst []byte, ev *llm.Event) []byte {
	if e.ended || ev.Kind == llm.EventPing {
		return dst
	}
	if ev.Kind == llm.EventError {
		return e.fail(dst, ev.Err)
	}
	if !e.started {
		dst = e.create(slices.Grow(dst, 2*e.objectSize()), ev.Model)
		dst = e.appendObject(append(e.event(dst, "response.in_progress"), `,"response":`...))
		dst = append(dst, eventEnd...)
	}
	switch ev.Kind {
	case llm.EventStart:
		e.tell(ev.Usage)
	case llm.EventDelta:
		return e.delta(dst, ev)
	case llm.EventBlockStart:
		return e.startBlock(dst, ev)
	case llm.EventSignature:
		if !ev.Text.Is(unsigned) {
			e.open.signature = append(e.open.signature[:0], ev.Text...)
		}
	case llm.EventBlockStop:
		return e.stopBlock(dst, ev)
	case llm.EventFinish:
		return e.finish(dst, ev)
	}
	return dst
}

// event appends an event up to its own fields.
func (e *Encoder) event(dst []byte, name string) []byte {
	dst = append(append(append(dst, "event: "...), name...), "\ndata: {\"type\":\""...)
	dst = append(append(dst, name...), `","sequence_number":`...)
	dst = strconv.AppendInt(dst, int64(e.number), 10)
	e.number++
	return dst
}

const eventEnd = "}\n\n"

// itemEvent appends an event of the open item up to the fields of its own.
func (e *Encoder) itemEvent(dst []byte, name string) []byte {
	return e.place(e.event(dst, name))
}

// place appends the fields that say which item an event is of.
func (e *Encoder) place(dst []byte) []byte {
	dst = append(append(dst, `,"item_id":`...), e.open.id...)
	return strconv.AppendInt(append(dst, `,"output_index":`...), int64(e.open.index), 10)
}

// streaming makes the events of the pieces that follow. field is an index that they
// have, or "", and tail what follows the piece.
func (e *Encoder) streaming(name, field string, index int, tail string) {
	f := &e.frame
	f.head = append(append(append(f.head[:0], "event: "...), name...), "\ndata: {\"type\":\""...)
	f.head = append(append(f.head, name...), `","sequence_number":`...)
	f.middle = e.place(f.middle[:0])
	if field != "" {
		f.middle = append(append(append(f.middle, `,"`...), field...), `":`...)
		f.middle = strconv.AppendInt(f.middle, int64(index), 10)
	}
	f.middle = append(f.middle, `,"delta":`...)
	f.tail = append(append(f.tail[:0], tail...), eventEnd...)
}

// piece appends the event of a piece, and keeps its text.
func (e *Encoder) piece(dst []byte, text rawjson.String) []byte {
	e.open.add(text.Inner())
	dst = strconv.AppendInt(append(dst, e.frame.head...), int64(e.number), 10)
	e.number++
	dst = append(append(dst, e.frame.middle...), text...)
	return append(dst, e.frame.tail...)
}

func (e *Encoder) delta(dst []byte, ev *llm.Event) []byte {
	if e.written += len(ev.Text); e.written > maxAnswer {
		return e.fail(dst, &llm.Error{Kind: llm.ErrUpstream, Message: "the upstream answered with more than " + strconv.Itoa(maxAnswer>>20) + " MB"})
	}
	if e.o.Echo.compaction {
		if ev.Block == llm.Text {
			e.open.add(ev.Text.Inner())
		}
		return dst
	}
	if ev.Text.Empty() {
		return dst
	}
	switch ev.Block {
	case llm.Text:
		if !e.open.inPart || e.open.kind != messageItem {
			dst = e.openText(dst)
		}
	case llm.Thinks:
		if !e.open.inPart || e.open.kind != reasoningItem {
			dst = e.openThought(dst)
		}
	case llm.ToolUse:
		switch e.open.kind {
		case functionItem:
		case customItem:
			if text := e.open.unwrap.take(ev.Text); text != nil {
				return e.piece(dst, text)
			}
			return dst
		default:
			return dst
		}
	default:
		return dst
	}
	return e.piece(dst, ev.Text)
}

func (e *Encoder) startBlock(dst []byte, ev *llm.Event) []byte {
	if e.o.Echo.compaction {
		return dst
	}
	switch ev.Block {
	case llm.Thinks:
		e.open.signature = e.open.signature[:0]
		return e.closeMessage(dst, "completed")
	case llm.RedactedThinking:
		return e.redacted(e.closeMessage(dst, "completed"), ev.Text)
	case llm.ToolUse:
		return e.openCall(e.closeMessage(dst, "completed"), ev)
	}
	return dst
}

func (e *Encoder) stopBlock(dst []byte, ev *llm.Event) []byte {
	if e.o.Echo.compaction {
		return dst
	}
	switch ev.Block {
	case llm.Text:
		return e.closeText(dst)
	case llm.Thinks:
		return e.closeThought(dst)
	case llm.ToolUse:
		return e.closeCall(dst)
	}
	return dst
}

func (e *Encoder) tell(u *llm.Usage) {
	if u != nil {
		e.usage.Merge(*u)
		e.told = true
	}
}

// create appends the event with which every answer begins, one that fails at once too.
func (e *Encoder) create(dst []byte, model rawjson.String) []byte {
	e.started = true
	if e.model = e.o.Model; e.model.Empty() {
		e.model = bytes.Clone(model)
	}
	dst = e.appendObject(append(e.event(dst, "response.created"), `,"response":`...))
	return append(dst, eventEnd...)
}

// finish appends the end of an answer.
func (e *Encoder) finish(dst []byte, ev *llm.Event) []byte {
	e.tell(ev.Usage)
	cut := ev.Stop == llm.StopMaxTokens || ev.Stop == llm.StopContextWindow
	if e.o.Echo.compaction {
		summary := quoted(e.open.text)
		if err := checkSummary(summary, ev.Stop); err != nil {
			return e.fail(dst, err)
		}
		return e.end(e.compacted(dst, summary), "completed")
	}
	switch {
	case cut:
		e.reason = "max_output_tokens"
	case ev.Stop == llm.StopRefusal:
		e.reason = "content_filter"
	case e.broken != "":
		return e.fail(dst, &llm.Error{Kind: llm.ErrUpstream, Message: "the model called the tool " + e.broken + " with input that is not a JSON object"})
	case e.count > 0 && !e.answered:
		return e.fail(dst, &llm.Error{Kind: llm.ErrUpstream, Message: "the model thought about it and gave no answer"})
	}
	status := "completed"
	if e.reason != "" {
		status = "incomplete"
	}
	return e.end(e.closeMessage(dst, status), status)
}

// fail appends the end of an answer that has failed. A message that is open is in it
// as far as it came, without events that tell its end.
func (e *Encoder) fail(dst []byte, err *llm.Error) []byte {
	if !e.started {
		dst = e.create(dst, nil)
	}
	e.failure, e.reason = err, ""
	number := e.number
	e.closeMessage(nil, "incomplete")
	e.number = number
	return e.end(dst, "failed")
}

func (e *Encoder) end(dst []byte, status string) []byte {
	e.ended, e.status = true, status
	dst = append(e.event(dst, "response."+status), `,"response":`...)
	begin := len(dst)
	dst = e.appendObject(dst)
	e.size = len(dst) - begin
	return append(dst, eventEnd...)
}

// objectSize is how long the response object is by now, or a little less than that.
func (e *Encoder) objectSize() int {
	const always = 512 // in every answer, with the names of two events
	return always + len(e.model) + len(e.items) + len(e.o.Echo.fields)
}

// room makes room for the end of the open item, which repeats its text a number of
// times, the last of them in the answer: one piece of memory instead of one for each.
func (e *Encoder) room(dst []byte, texts int) []byte {
	return slices.Grow(dst, texts*len(e.open.text)+e.objectSize())
}

// appendObject appends the response object as it is by now.
func (e *Encoder) appendObject(dst []byte) []byte {
	dst = rawjson.AppendQuote(append(dst, `{"id":`...), e.o.ID)
	dst = strconv.AppendInt(append(dst, `,"object":"response","created_at":`...), e.o.Created, 10)
	dst = append(append(append(dst, `,"status":"`...), e.status...), `","background":false,"error":`...)
	if e.failure != nil {
		dst = appendFailure(dst, e.failure)
	} else {
		dst = append(dst, "null"...)
	}
	dst = append(dst, `,"incomplete_details":`...)
	if e.reason != "" {
		dst = append(append(append(dst, `{"reason":"`...), e.reason...), `"}`...)
	} else {
		dst = append(dst, "null"...)
	}
	dst = append(dst, `,"model":`...)
	if e.model == nil {
		dst = append(dst, `""`...)
	}
	dst = append(dst, e.model...)
	dst = append(append(append(dst, `,"output":[`...), e.items...), `],"usage":`...)
	if usage, ok := e.o.usage(e.usage, e.told, e.written); ok && e.ended {
		dst = appendUsage(dst, &usage)
	} else {
		dst = append(dst, "null"...)
	}
	dst = append(dst, `,"service_tier":"default","top_logprobs":0`...)
	return append(append(dst, e.o.Echo.fields...), '}')
}

// Response returns the response object in which the stream has ended, in memory of
// its own; nil if it has not ended, or has failed.
func (e *Encoder) Response() []byte {
	if !e.ended || e.failure != nil {
		return nil
	}
	return e.appendObject(make([]byte, 0, e.size))
}

// AppendKeepAlive appends what tells a client that it is not forgotten while the
// model is silent: a comment, which readers of event streams ignore.
func AppendKeepAlive(dst []byte) []byte { return sse.AppendComment(dst, "keep-alive") }
