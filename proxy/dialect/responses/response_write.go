package responses

import (
	"slices"
	"strconv"
	"strings"

	"glmtray/proxy/llm"
	"glmtray/proxy/rawjson"
)

// EncoderOptions is what a client's answer needs beside what the model says.
type EncoderOptions struct {
	// Model is the name that the client asked for.
	Model rawjson.String
	// ID is the id of the answer, "resp_" and something that no other answer has.
	// Items are named after it.
	ID string
	// Created is when the answer began, in seconds since 1970.
	Created int64
	// InputEstimate is how many tokens the prompt has, for answers whose upstream
	// does not tell; 0 if nobody has estimated it.
	InputEstimate int
	// Echo is that of the Request; nil for one that said nothing.
	Echo *Echo
}

func (o *EncoderOptions) normalize() {
	if o.Echo == nil {
		o.Echo = silent()
	}
}

// itemID returns the id of the nth item of an answer.
func (o *EncoderOptions) itemID(prefix string, n int) string {
	return prefix + "_" + strings.TrimPrefix(o.ID, "resp_") + "_" + strconv.Itoa(n)
}

// usage returns what a client is told of the usage: an estimate where the upstream
// told nothing, because clients fill their context meter with it and zero would be a
// lie. written is how long the answer's text is.
func (o *EncoderOptions) usage(u llm.Usage, told bool, written int) (llm.Usage, bool) {
	if u.Prompt() == 0 {
		u.Input = o.InputEstimate
	}
	if u.Output == 0 && !told && o.InputEstimate > 0 {
		const bytesPerToken = 4
		u.Output = written/bytesPerToken + 1
	}
	return u, told || o.InputEstimate > 0
}

// appendUsage writes a usage object. Tokens from the cache are counted into
// input_tokens. Clients insist on both detail objects.
func appendUsage(dst []byte, u *llm.Usage) []byte {
	dst = strconv.AppendInt(append(dst, `{"input_tokens":`...), int64(u.Prompt()), 10)
	dst = strconv.AppendInt(append(dst, `,"input_tokens_details":{"cached_tokens":`...), int64(u.CacheRead), 10)
	dst = strconv.AppendInt(append(dst, `,"cache_write_tokens":`...), int64(u.CacheWrite), 10)
	dst = strconv.AppendInt(append(dst, `},"output_tokens":`...), int64(u.Output), 10)
	dst = strconv.AppendInt(append(dst, `,"output_tokens_details":{"reasoning_tokens":`...), int64(u.Reasoning), 10)
	dst = strconv.AppendInt(append(dst, `},"total_tokens":`...), int64(u.Prompt()+u.Output), 10)
	return append(dst, '}')
}

// AppendAnswer appends a whole answer: the response object in which a stream of the same
// answer ends. The error is the one that the object tells if it is of an answer that has
// failed.
func AppendAnswer(dst []byte, r *llm.Response, o EncoderOptions) ([]byte, *llm.Error) {
	e := encoded(r, o)
	return e.appendObject(slices.Grow(dst, e.size)), e.failure
}

// Failure returns the error in which the stream has ended, nil if it has not ended or
// ended well.
func (e *Encoder) Failure() *llm.Error { return e.failure }

// encoded returns the encoder of a whole answer, at its end.
func encoded(r *llm.Response, o EncoderOptions) *Encoder {
	e := NewEncoder(o)
	var frames []byte
	tell := func(ev llm.Event) { frames = e.Append(frames[:0], &ev) }
	tell(llm.Event{Kind: llm.EventStart, ID: r.ID, Model: r.Model})
	for i := range r.Blocks {
		b := &r.Blocks[i]
		start := llm.Event{Kind: llm.EventBlockStart, Block: b.Kind, ID: b.ID, Name: b.Name}
		text := b.Text
		switch b.Kind {
		case llm.RedactedThinking:
			start.Text, text = b.Text, nil
		case llm.ToolUse:
			text = rawjson.AppendQuote(nil, []byte(b.JSON))
		}
		tell(start)
		if !text.Empty() {
			tell(llm.Event{Kind: llm.EventDelta, Block: b.Kind, Text: text})
		}
		if b.Kind == llm.Thinks && !b.Signature.Empty() {
			tell(llm.Event{Kind: llm.EventSignature, Text: b.Signature})
		}
		tell(llm.Event{Kind: llm.EventBlockStop, Block: b.Kind})
	}
	tell(llm.Event{Kind: llm.EventFinish, Stop: r.Stop, StopSequence: r.StopSequence, Usage: r.Usage})
	return e
}
