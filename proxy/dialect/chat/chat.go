// Package chat is the wire format of OpenAI's Chat Completions endpoint, read and
// written from both sides: as the server that a client talks to, and as the client
// of an upstream. It translates to and from the neutral values of package llm and
// knows no other dialect. It never opens a connection, keeps nothing between two
// answers, and never decides where a request goes.
//
// For a client that speaks it, start with [DecodeRequest]; the answer is written
// with [NewEncoder] (a stream) or [AppendResponse] (all at once), and a failure
// with [AppendError]. For an upstream that speaks it, start with [EncodeRequest];
// the answer is read with [NewDecoder] or [DecodeResponse]. A request that stays in
// this dialect is not written anew: [Request.PassEdits] names the few bytes to
// change. [DecodeCompletion], [NewCompletionEncoder] and [AppendCompletion] are the same
// for clients of the older endpoint, /v1/completions.
//
// The format is that of the OpenAI API reference, with what has grown around it:
// reasoning_content (DeepSeek, Z.AI), reasoning and reasoning_details (OpenRouter),
// and Z.AI's own fields (docs.z.ai, chat completion). What cannot be carried over
// and why is told in warnings. Known losses are:
//
//   - an answer has one text, so in a batch body the order of text, thinking and
//     tool calls is lost, and neighbouring texts become one in a stream too;
//   - there are four reasons to stop: a stop sequence and a paused turn look like
//     the end of the turn, a full context window like the token limit;
//   - the result of a tool is one text: several are joined by line ends, images
//     move into the user message that follows, a failure becomes a prefix;
//   - cache breakpoints are not written, since chat upstreams cache by themselves.
//
// Signatures of thinking travel to clients and back in reasoning_details, the array
// that OpenRouter introduced for them.
package chat

import "glmtray/proxy/rawjson"

// Bounds on what comes from outside.
const (
	// maxBlocks is how many content parts and tool calls a request may have in
	// all: they take far more memory than their JSON text.
	maxBlocks = 1 << 17
	// maxTools is how many tools a request may declare; Z.AI takes 128.
	maxTools = 1 << 14
	// maxWarnings is how many different losses of one request are told.
	maxWarnings = 64
	// maxFieldName is how much of an unknown field's name is told, in bytes.
	maxFieldName = 64
	// maxStops is how many stop sequences OpenAI takes; Z.AI takes one.
	maxStops = 4
	// maxCalls is how many tool calls an answer may have.
	maxCalls = 256
	// maxHeld is how many bytes of an answer a Decoder holds back, for tool calls
	// that arrive interleaved.
	maxHeld = 16 << 20
	// maxThought is how many bytes of thinking an Encoder keeps in order to give
	// them out again with their signature.
	maxThought = 16 << 20
	// maxTokenCount bounds what an upstream says it has counted.
	maxTokenCount = 1 << 40
)

// unsigned is the signature that a Messages client was given where the upstream
// gave none: such clients send thinking back with its signature, and an empty one
// has made signing upstreams refuse the request. It proves nothing and goes no
// further.
const unsigned = "glmtray-unsigned"

// The types of the entries of reasoning_details, as OpenRouter documents them.
const (
	detailText      = "reasoning.text"
	detailSummary   = "reasoning.summary"
	detailEncrypted = "reasoning.encrypted"
)

// longContext marks a model with a window of a million tokens for Claude Code,
// which puts it into the model's name; upstreams do not know it.
const longContext = "[1m]"

// bareModel returns a model's name without the mark of a long context.
func bareModel(model rawjson.String) rawjson.String {
	n := len(model) - 1 - len(longContext)
	if n < 1 || string(model[n:len(model)-1]) != longContext {
		return model
	}
	return append(append(make(rawjson.String, 0, n+1), model[:n]...), '"')
}

// plainText returns the text of a literal, without a copy where there are no
// escapes. It is meant for comparisons.
func plainText(s rawjson.String) []byte {
	inner := s.Inner()
	for _, c := range inner {
		if c == '\\' {
			return s.AppendTo(nil)
		}
	}
	return inner
}

// span is a range of a request's body; the zero value is none.
type span struct{ from, to int }

func (s span) found() bool { return s.to > 0 }
