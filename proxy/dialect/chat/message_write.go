package chat

import (
	"encoding/base64"

	"glmtray/proxy/llm"
	"glmtray/proxy/rawjson"
)

// schemaPrompt asks a model for JSON by a schema where the API cannot.
const schemaPrompt = `Answer with one JSON value that is valid under this JSON Schema, and with nothing else:\n`

// system writes the system prompt as one message: several are refused by strict
// upstreams. GLM gets one string, since its prompt template puts parts together
// without anything between them.
func (w *requestWriter) system() {
	var lead []llm.Block
	for _, text := range w.t.Lead {
		lead = append(lead, llm.Block{Kind: llm.Text, Text: text})
	}
	blocks := append(lead, w.r.System...)
	schema := w.t.GLM && w.r.Format.Kind == llm.FormatSchema
	if len(blocks) == 0 && !schema {
		return
	}
	w.raw(`{"role":"system","content":`)
	if !w.t.GLM {
		w.content(blocks)
		w.raw("}")
		return
	}
	w.raw(`"`)
	w.joined(blocks, `\n\n`)
	if schema {
		if len(blocks) > 0 {
			w.raw(`\n\n`)
		}
		w.raw(schemaPrompt)
		w.dst = rawjson.AppendEscaped(w.dst, []byte(w.r.Format.Schema))
	}
	w.raw(`"}`)
}

// joined writes the texts among the blocks, without quotes around them.
func (w *requestWriter) joined(blocks []llm.Block, separator string) {
	first := true
	for i := range blocks {
		if blocks[i].Kind != llm.Text {
			continue
		}
		if !first {
			w.raw(separator)
		}
		first = false
		w.dst = append(w.dst, blocks[i].Text.Inner()...)
	}
}

// assistant writes what the model said. Chat has one text for it: texts that stood
// next to each other are one, others get a blank line between them.
func (w *requestWriter) assistant(blocks []llm.Block) {
	texts, calls, thoughts := kinds(blocks)
	switch {
	case thoughts > 0 && !w.t.GLM:
		w.warn("messages[].content[].thinking", "is not taken back by upstreams of this dialect")
	case thoughts > 0 && texts+calls == 0:
		w.warn("messages[].content[].thinking", "is not taken back in a message without text and tool calls")
	}
	if texts+calls == 0 {
		w.lostBlocks(blocks)
		return // no upstream takes an empty message
	}
	w.separate()
	w.raw(`{"role":"assistant","content":`)
	switch {
	case texts > 0:
		w.answerText(blocks)
	case w.t.GLM:
		w.raw(`""`) // some of its endpoints refuse null
	default:
		w.raw("null")
	}
	if w.replays {
		w.raw(`,"reasoning_content":"`)
		for i := range blocks {
			if blocks[i].Kind == llm.Thinks {
				w.dst = append(w.dst, blocks[i].Text.Inner()...)
			}
		}
		w.raw(`"`)
	}
	if calls > 0 {
		w.calls(blocks)
	}
	w.raw("}")
	w.lostBlocks(blocks)
}

func kinds(blocks []llm.Block) (texts, calls, thoughts int) {
	for i := range blocks {
		switch blocks[i].Kind {
		case llm.Text:
			texts++
		case llm.ToolUse:
			calls++
		case llm.Thinks:
			thoughts++
		}
	}
	return texts, calls, thoughts
}

func (w *requestWriter) answerText(blocks []llm.Block) {
	w.raw(`"`)
	last := -1
	for i := range blocks {
		if blocks[i].Kind != llm.Text {
			continue
		}
		if last >= 0 && last < i-1 {
			w.raw(`\n\n`)
		}
		last = i
		w.dst = append(w.dst, blocks[i].Text.Inner()...)
	}
	w.raw(`"`)
}

func (w *requestWriter) calls(blocks []llm.Block) {
	w.raw(`,"tool_calls":[`)
	for i := range blocks {
		b := &blocks[i]
		if b.Kind != llm.ToolUse {
			continue
		}
		w.separate()
		w.raw(`{"id":`)
		w.literal(b.ID)
		w.raw(`,"type":"function","function":{"name":`)
		w.literal(b.Name)
		w.raw(`,"arguments":`)
		w.dst = rawjson.AppendQuote(w.dst, []byte(b.JSON))
		w.raw("}}")
	}
	w.raw("]")
}

// lostBlocks warns of what an assistant's message has no place for.
func (w *requestWriter) lostBlocks(blocks []llm.Block) {
	for i := range blocks {
		switch b := &blocks[i]; b.Kind {
		case llm.RedactedThinking:
			w.warn("messages[].content[].redacted_thinking", "is not taken back by upstreams of this dialect")
		case llm.Image, llm.Document, llm.ToolResult:
			w.warn("messages[].content[]", "has something in an assistant message that only a user can send")
		case llm.Other:
			w.other(b)
		}
	}
}

func (w *requestWriter) other(b *llm.Block) {
	w.warn("messages[].content[]."+clipped(plainText(b.Name)), "is of a type that is not known to this dialect")
}

// user writes the results of tools, each as a message of its own right after the
// calls, and then what the user said. A result can only be a text: its images are
// put before what the user said.
func (w *requestWriter) user(blocks []llm.Block) {
	media := false
	for i := range blocks {
		if b := &blocks[i]; b.Kind == llm.ToolResult {
			w.result(b)
			media = media || hasMedia(b.Content)
		}
	}
	if !media && !w.says(blocks) {
		return
	}
	w.separate()
	w.raw(`{"role":"user","content":`)
	if media {
		w.raw("[")
		w.resultMedia(blocks)
		w.parts(blocks)
		w.raw("]")
	} else {
		w.content(blocks)
	}
	w.raw("}")
}

// says reports whether anything but results is in a user's message, and warns of
// what cannot be carried.
func (w *requestWriter) says(blocks []llm.Block) (anything bool) {
	for i := range blocks {
		switch b := &blocks[i]; b.Kind {
		case llm.Text, llm.Image, llm.Document:
			anything = true
		case llm.ToolResult:
		case llm.Other:
			w.other(b)
		default:
			w.warn("messages[].content[]", "has something in a user message that only an assistant can say")
		}
	}
	return anything
}

func hasMedia(blocks []llm.Block) bool {
	for i := range blocks {
		if k := blocks[i].Kind; k == llm.Image || k == llm.Document {
			return true
		}
	}
	return false
}

func (w *requestWriter) result(b *llm.Block) {
	w.separate()
	w.raw(`{"role":"tool","tool_call_id":`)
	w.literal(b.ID)
	w.raw(`,"content":"`)
	if b.IsError {
		w.raw("Error: ")
	}
	w.joined(b.Content, `\n`)
	texts, _, _ := kinds(b.Content)
	if texts == 0 && hasMedia(b.Content) {
		w.raw("[see the attachment in the next message]")
	}
	w.raw(`"}`)
	for i := range b.Content {
		if b.Content[i].Kind == llm.Other {
			w.other(&b.Content[i])
		}
	}
}

// resultMedia writes what the results of tools have beside text, with the id of
// the call in front, so that the model knows what belongs to which.
func (w *requestWriter) resultMedia(blocks []llm.Block) {
	for i := range blocks {
		b := &blocks[i]
		if b.Kind != llm.ToolResult || !hasMedia(b.Content) {
			continue
		}
		w.separate()
		w.raw(`{"type":"text","text":"Attachment of the result of the tool call `)
		w.dst = append(w.dst, b.ID.Inner()...)
		w.raw(`:"}`)
		for j := range b.Content {
			if c := &b.Content[j]; c.Kind != llm.Text {
				w.part(c)
			}
		}
	}
}

// content writes what was said as a string if it is one text, else as parts.
func (w *requestWriter) content(blocks []llm.Block) {
	texts, others := 0, 0
	for i := range blocks {
		switch blocks[i].Kind {
		case llm.Text:
			texts++
		case llm.Image, llm.Document:
			others++
		}
	}
	if others == 0 && (texts == 1 || w.t.GLM) {
		w.raw(`"`)
		w.joined(blocks, `\n\n`)
		w.raw(`"`)
		return
	}
	w.raw("[")
	w.parts(blocks)
	w.raw("]")
}

func (w *requestWriter) parts(blocks []llm.Block) {
	for i := range blocks {
		w.part(&blocks[i])
	}
}

func (w *requestWriter) part(b *llm.Block) {
	switch {
	case b.Kind == llm.Text:
		w.text(b.Text)
	case b.Kind == llm.Image && b.Media != nil:
		w.separate()
		w.raw(`{"type":"image_url","image_url":{"url":`)
		w.url(b.Media)
		w.raw("}}")
	case b.Kind == llm.Document && b.Media != nil:
		w.document(b)
	}
}

func (w *requestWriter) text(s rawjson.String) {
	w.separate()
	w.raw(`{"type":"text","text":`)
	w.literal(s)
	w.raw("}")
}

// url writes the URL of media, a data URL if they are here.
func (w *requestWriter) url(m *llm.Media) {
	if m.Data == nil {
		w.literal(m.URL)
		return
	}
	w.raw(`"data:`)
	w.dst = append(w.dst, m.Type.Inner()...)
	w.raw(";base64,")
	w.dst = append(w.dst, m.Data.Inner()...)
	w.raw(`"`)
}

// document writes a document: one of text as text, others as a file, which OpenAI
// takes by value and Z.AI by URL.
func (w *requestWriter) document(b *llm.Block) {
	m := b.Media
	switch {
	case m.Data != nil && isText(m.Type):
		if text, ok := decodeBase64(m.Data); ok {
			w.text(rawjson.Quote(text))
			return
		}
		w.r.Refuse("messages[].content[].document", "is not valid base64")
	case m.Data != nil && !w.t.GLM:
		w.separate()
		w.raw(`{"type":"file","file":{`)
		if !b.Name.Empty() {
			w.raw(`"filename":`)
			w.literal(b.Name)
			w.raw(",")
		}
		w.raw(`"file_data":`)
		w.url(m)
		w.raw("}}")
	case m.Data == nil && w.t.GLM:
		w.separate()
		w.raw(`{"type":"file_url","file_url":{"url":`)
		w.literal(m.URL)
		w.raw("}}")
	case w.t.GLM:
		w.r.Refuse("messages[].content[].document", "cannot be sent to this model as a file, send its text")
	default:
		w.r.Refuse("messages[].content[].document", "cannot be sent to this model by its URL, send the file itself")
	}
}

func isText(mediaType rawjson.String) bool {
	_, ok := cutPrefixFold(mediaType.Inner(), "text/")
	return ok
}

func decodeBase64(data rawjson.String) (string, bool) {
	text, err := base64.StdEncoding.DecodeString(data.String())
	return string(text), err == nil
}
