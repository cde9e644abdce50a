package responses

import (
	"bytes"
	"slices"
	"strconv"

	"glmtray/proxy/llm"
	"glmtray/proxy/rawjson"
)

// A conversation that has become too long for its model is compacted: the client
// keeps the user's messages and one item that stands for all the rest. At OpenAI that
// item is encrypted; here it is an envelope with a summary that the model wrote.
// Codex asks for it by POST /v1/responses/compact, or by an item compaction_trigger
// at the end of the input of POST /v1/responses.

// summaryRequest is what the model is asked for.
var summaryRequest = rawjson.Quote(`The conversation has become too long and will be replaced by a summary that you write now. ` +
	`Answer with the summary alone and call no tools. Write it for yourself, as you will go on from it without having seen anything above: ` +
	`what the user wants, with all constraints and preferences; what has been done and decided, and why; which files, functions and commands matter, with their exact names; ` +
	`what was tried and failed; what is in progress; and what is to be done next.`)

// summaryIntroduction stands before a summary when it comes back.
var summaryIntroduction = rawjson.Quote("This is a summary of the conversation so far, of which the earlier messages were left out:\n\n")

// Compact makes the request one for a summary of its conversation, and the answer a
// compaction. DecodeRequest does it for an input that ends in a compaction_trigger;
// call it, before Echo and before the request is arranged, for …/compact.
//
// The tools stay declared, as upstreams insist on that where there are calls in the
// history, but must not be called. What InputItems and Turn know of the conversation
// from then on is the messages of the user and of the developer alone, so that whoever
// goes on from the answer does so without what it stands for.
func (r *Request) Compact() {
	if r.Compaction {
		return
	}
	r.Compaction = true
	kept := bytes.TrimSuffix(r.messagesOf("user", "developer", "system"), []byte(","))
	r.input, r.resolve, r.past = append(append(rawjson.Value("["), kept...), ']'), nil, nil
	r.Messages = append(r.Messages, llm.Message{Role: llm.User, Blocks: []llm.Block{{Kind: llm.Text, Text: summaryRequest}}})
	r.Format = llm.Format{}
	r.Choice, r.Parallel = llm.ToolChoice{}, nil
	if len(r.Tools) > 0 {
		r.Choice.Mode = llm.ChoiceNone
	}
}

// messagesOf returns the messages of some roles in the conversation, as items with a
// comma behind each, up to maxRetained bytes of the latest.
func (r *Request) messagesOf(roles ...string) []byte {
	var items []rawjson.Value
	collect := func(doc []byte) {
		reader := rawjson.NewReader(doc)
		reader.Array(func() {
			if item := reader.Raw(); isMessage(item, roles) {
				items = append(items, item)
			}
		})
	}
	for _, s := range r.past {
		collect(s.data)
	}
	collect(r.InputItems())
	first, size := len(items), 0
	for first > 0 && size+len(items[first-1]) < maxRetained {
		first--
		size += len(items[first]) + 1
	}
	out := make([]byte, 0, size)
	for _, item := range items[first:] {
		out = append(append(out, item...), ',')
	}
	return out
}

// Summarizes reports whether the answer is a conversation's summary, which no person
// reads. It may be called for nil.
func (e *Echo) Summarizes() bool { return e != nil && e.compaction }

func isMessage(item rawjson.Value, roles []string) bool {
	isMessage, hasRole := true, false
	if item.Kind() != rawjson.Object {
		return false
	}
	r := rawjson.NewReader(item)
	r.Object(func(key []byte) {
		switch string(key) {
		case "type":
			isMessage = r.StringOrNull().Is("message")
		case "role":
			hasRole = slices.ContainsFunc(roles, r.StringOrNull().Is)
		}
	})
	return isMessage && hasRole && r.Err() == nil
}

// AppendCompaction appends the answer of …/compact: the user's messages and the item
// that stands for the rest. An answer without a summary is an error.
func AppendCompaction(dst []byte, r *llm.Response, o EncoderOptions) ([]byte, *llm.Error) {
	o.normalize()
	var texts []rawjson.String
	for _, b := range r.Blocks {
		if b.Kind == llm.Text {
			texts = append(texts, b.Text)
		}
	}
	summary := rawjson.Join(`\n\n`, texts...)
	if err := checkSummary(summary, r.Stop); err != nil {
		return dst, err
	}
	dst = rawjson.AppendQuote(append(dst, `{"id":`...), o.ID)
	dst = strconv.AppendInt(append(dst, `,"object":"response.compaction","created_at":`...), o.Created, 10)
	dst = append(append(dst, `,"output":[`...), o.Echo.kept...)
	dst = appendCompactionItem(dst, rawjson.Quote(o.itemID("cmp", 0)), summary)
	var usage llm.Usage
	if r.Usage != nil {
		usage = *r.Usage
	}
	// The SDKs insist on a usage here.
	usage, _ = o.usage(usage, r.Usage != nil, len(summary))
	return append(appendUsage(append(dst, `],"usage":`...), &usage), '}'), nil
}

// checkSummary refuses what a conversation cannot go on from. A summary that was cut
// at the token limit is better than none.
func checkSummary(summary rawjson.String, stop llm.StopReason) *llm.Error {
	if summary.Blank() || stop == llm.StopRefusal {
		return &llm.Error{Kind: llm.ErrUpstream, Message: "the model gave no summary of the conversation"}
	}
	return nil
}

func appendCompactionItem(dst []byte, id, summary rawjson.String) []byte {
	dst = append(append(dst, `{"id":`...), id...)
	dst = append(dst, `,"type":"compaction","encrypted_content":`...)
	return append(appendSealed(dst, envelope{summary: summary}), '}')
}

// InputItems returns the request's own input as a JSON array of items, in memory of
// its own: a text has become a message, and references are what they refer to.
func (r *Request) InputItems() []byte {
	switch r.input.Kind() {
	case rawjson.Text:
		items := append([]byte{}, `[{"type":"message","role":"user","content":[{"type":"input_text","text":`...)
		return append(append(items, r.input...), `}]}]`...)
	case rawjson.Array:
		return rawjson.Splice(make([]byte, 0, len(r.input)), r.input, slices.Clone(r.resolve))
	}
	return []byte("[]")
}
