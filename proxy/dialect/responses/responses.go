// Package responses is the wire format of OpenAI's Responses endpoint, as the server
// that a client talks to. It translates to and from the neutral values of package
// llm and knows no other dialect. It never opens a connection, never decides where a
// request goes, and keeps nothing between two answers but what a [Store] is given.
//
// Start with [DecodeRequest], or with [Store.Decode] where answers are kept; the
// answer is written with [NewEncoder] (a stream) or [AppendAnswer] (all at once),
// and a failure with [AppendError]. What an answer repeats of its request is in
// [Request.Echo]; what a later request may go on from is in [Request.Turn].
//
// The format is that of the OpenAI API reference (responses, streaming events,
// compact), with what its clients send beyond it: Codex wraps the results of its
// tools into a JSON text, and has a conversation compacted by an item at its end.
// What cannot be carried over and why is told in warnings. Known losses are:
//
//   - an answer has the id that this program gave it, not the upstream's, since
//     clients name it in previous_response_id;
//   - there are three ways to end: complete, cut at the token limit (a full context
//     window too), and refused; a stop sequence and a paused turn look complete;
//   - tools that run at the provider (web search, code interpreter, remote MCP) do
//     not exist here: their declarations and their items in the history are left
//     out;
//   - a custom tool is a function with one text, so nothing holds the model to its
//     grammar but the description;
//   - a failure of a tool is told by its text alone.
//
// Thinking travels to clients and back as a reasoning item. Its encrypted_content is
// not encrypted but an envelope of the thought and its signature, so that both are
// whole in the next turn whatever the client showed of them.
package responses

import (
	"bytes"
	"strconv"

	"glmtray/proxy/rawjson"
)

// Bounds on what comes from outside.
const (
	// maxBlocks is how many items, content parts and tool calls a request may have
	// in all: they take far more memory than their JSON text.
	maxBlocks = 1 << 17
	// maxTools is how many tools a request may declare.
	maxTools = 1 << 12
	// maxAllowed is how many tools allowed_tools may name.
	maxAllowed = maxTools
	// maxWarnings is how many different losses of one request are told.
	maxWarnings = 64
	// maxFieldName is how much of an unknown field's name is told, in bytes.
	maxFieldName = 64
	// maxAnswer is how many bytes of an answer an Encoder keeps, which must repeat all
	// of it at the end.
	maxAnswer = 64 << 20
	// maxReferences is how many items of earlier turns a request may refer to.
	maxReferences = 1 << 12
	// maxReferred is how many bytes all that they refer to may have: a reference is
	// short, and the same item can be referred to again and again.
	maxReferred = 64 << 20
	// maxRetained is how many bytes of a user's messages outlive a compaction.
	maxRetained = 256 << 10
)

// unsigned is the signature that a Messages client was given where the upstream gave
// none. It proves nothing and goes no further.
const unsigned = "glmtray-unsigned"

// plainText returns the text of a literal, without a copy where there are no
// escapes. It is meant for comparisons.
func plainText(s rawjson.String) []byte {
	inner := s.Inner()
	if bytes.IndexByte(inner, '\\') < 0 {
		return inner
	}
	return s.AppendTo(nil)
}

// quoted puts quotes around text that was between some, or needs no escapes.
func quoted(text []byte) rawjson.String {
	return append(append(append(make(rawjson.String, 0, len(text)+2), '"'), text...), '"')
}

// clipped returns a field's name as it may be told: it comes from outside and ends
// up in logs and headers.
func clipped(name []byte) string {
	name = name[:min(len(name), maxFieldName)]
	for _, c := range name {
		if c <= ' ' || c >= 0x7f {
			return "(unnamed)"
		}
	}
	return string(name)
}

func appendInt(dst []byte, n int) []byte { return strconv.AppendInt(dst, int64(n), 10) }
