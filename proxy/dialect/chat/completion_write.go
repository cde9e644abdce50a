package chat

import (
	"glmtray/proxy/llm"
	"glmtray/proxy/rawjson"
)

// completionObject is what every answer of the older endpoint calls itself, whole or not.
const completionObject = "text_completion"

// CompletionEncoder writes one answer of the older endpoint as a stream. What is thought
// has no place in it. It is not for concurrent use.
type CompletionEncoder struct {
	o    EncoderOptions
	echo rawjson.String
	head []byte // of a chunk, up to its text

	ended   bool
	usage   llm.Usage
	told    bool
	written int
}

// NewCompletionEncoder returns an encoder for one answer, which begins with echo.
func NewCompletionEncoder(o EncoderOptions, echo rawjson.String) *CompletionEncoder {
	return &CompletionEncoder{o: o, echo: echo}
}

// Append appends the chunks that tell an event, as whole frames. After the end of the
// answer it appends nothing.
func (e *CompletionEncoder) Append(dst []byte, ev *llm.Event) []byte {
	if e.ended {
		return dst
	}
	switch ev.Kind {
	case llm.EventStart:
		e.head = append([]byte("data: "), appendCompletionHead(nil, ev.ID, ev.Model, &e.o)...)
		e.tell(ev.Usage)
		if e.echo != nil {
			return e.appendChunk(dst, e.echo, "null")
		}
	case llm.EventDelta:
		e.written += len(ev.Text)
		if ev.Block == llm.Text {
			return e.appendChunk(dst, ev.Text, "null")
		}
	case llm.EventFinish:
		return e.finish(dst, ev)
	case llm.EventError:
		e.ended = true
		dst = AppendError(append(dst, "data: "...), ev.Err, "")
		return append(dst, "\n\ndata: [DONE]\n\n"...)
	}
	return dst
}

// appendChunk appends a chunk. reason is JSON.
func (e *CompletionEncoder) appendChunk(dst []byte, text rawjson.String, reason string) []byte {
	dst = appendChoice(append(dst, e.head...), text, reason)
	if e.o.IncludeUsage {
		dst = append(dst, `,"usage":null`...)
	}
	return append(dst, "}\n\n"...)
}

func (e *CompletionEncoder) tell(u *llm.Usage) {
	if u != nil {
		e.usage.Merge(*u)
		e.told = true
	}
}

func (e *CompletionEncoder) finish(dst []byte, ev *llm.Event) []byte {
	e.ended = true
	e.tell(ev.Usage)
	dst = e.appendChunk(dst, rawjson.String(`""`), completionReason(ev.Stop))
	if usage, ok := e.o.usage(e.usage, e.told, e.written); ok && e.o.IncludeUsage {
		dst = append(append(dst, e.head...), `],"usage":`...)
		dst = append(appendUsage(dst, &usage), "}\n\n"...)
	}
	return append(dst, "data: [DONE]\n\n"...)
}

// AppendCompletion appends a whole answer of the older endpoint, which begins with echo.
func AppendCompletion(dst []byte, r *llm.Response, o EncoderOptions, echo rawjson.String) []byte {
	text := append([]byte{'"'}, echo.Inner()...)
	for i := range r.Blocks {
		if r.Blocks[i].Kind == llm.Text {
			text = append(text, r.Blocks[i].Text.Inner()...)
		}
	}
	dst = appendCompletionHead(dst, r.ID, r.Model, &o)
	dst = appendChoice(dst, append(text, '"'), completionReason(r.Stop))
	var usage llm.Usage
	if r.Usage != nil {
		usage = *r.Usage
	}
	if usage, ok := o.usage(usage, r.Usage != nil, writtenIn(r.Blocks)); ok {
		dst = appendUsage(append(dst, `,"usage":`...), &usage)
	}
	return append(dst, '}')
}

func appendCompletionHead(dst []byte, id, model rawjson.String, o *EncoderOptions) []byte {
	if id.Empty() {
		id = o.ID
	}
	if !o.Model.Empty() {
		model = o.Model
	}
	return appendAnswerHead(dst, id, model, completionObject, o.Created)
}

// appendChoice appends the only choice and the end of the choices. reason is JSON.
func appendChoice(dst []byte, text rawjson.String, reason string) []byte {
	dst = append(append(dst, `{"text":`...), text...)
	dst = append(append(dst, `,"index":0,"logprobs":null,"finish_reason":`...), reason...)
	return append(dst, "}]"...)
}

// completionReason returns why the model stopped, as JSON. There are no calls to stop for.
func completionReason(stop llm.StopReason) string {
	switch stop {
	case llm.StopMaxTokens, llm.StopContextWindow:
		return `"length"`
	case llm.StopRefusal:
		return `"content_filter"`
	}
	return `"stop"`
}
