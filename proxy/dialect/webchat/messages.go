package webchat

import (
	"bytes"
	"encoding/base64"

	"glmtray/proxy/llm"
	"glmtray/proxy/rawjson"
)

// The forms of an answer are asked for in words, as the site has no field for them.
const (
	jsonPrompt   = `Answer with one JSON object and nothing else: no text around it, no code fence.`
	schemaPrompt = `Answer with one JSON value that is valid under this JSON Schema, and with nothing else:\n`
)

// blank separates texts that are put together.
const blank = `\n\n`

// messages writes the turns. The site ignores a system role, so what the system says
// leads the first user's text; the turns are arranged, so a user's is the first.
func (w *requestWriter) messages() {
	written := false
	for i := range w.r.Messages {
		m := &w.r.Messages[i]
		began := len(w.dst)
		if written {
			w.raw(",")
		}
		if m.Role == llm.User {
			w.raw(`{"role":"user","content":"`)
		} else {
			w.raw(`{"role":"assistant","content":"`)
		}
		text := len(w.dst)
		if i == 0 {
			w.system(text)
		}
		for j := range m.Blocks {
			w.block(text, m.Role, &m.Blocks[j])
		}
		if len(w.dst) == text { // the site takes no empty message
			w.dst = w.dst[:began]
			continue
		}
		w.raw(`"}`)
		written = true
	}
	if !written {
		w.refuse("messages", "have nothing that the chat site takes")
	}
	if n := len(w.r.Messages); n > 0 && w.r.Messages[n-1].Role == llm.Assistant {
		w.warn("messages", "a trailing assistant message is answered by the chat site, not continued")
	}
}

// paragraph begins a text within a message whose text begins at an offset.
func (w *requestWriter) paragraph(text int) {
	if len(w.dst) > text {
		w.raw(blank)
	}
}

// system writes the system prompt, and the form that the answer must have.
func (w *requestWriter) system(text int) {
	for _, lead := range w.t.Lead {
		w.paragraph(text)
		w.dst = append(w.dst, lead.Inner()...)
	}
	for i := range w.r.System {
		if w.r.System[i].Text.Blank() {
			continue
		}
		w.paragraph(text)
		w.dst = append(w.dst, w.r.System[i].Text.Inner()...)
	}
	switch w.r.Format.Kind {
	case llm.FormatJSON:
		w.paragraph(text)
		w.raw(jsonPrompt)
	case llm.FormatSchema:
		w.paragraph(text)
		w.raw(schemaPrompt)
		w.dst = rawjson.AppendEscaped(w.dst, []byte(w.r.Format.Schema))
	}
}

// block writes a block of a message as text, or tells why not.
func (w *requestWriter) block(text int, role llm.Role, b *llm.Block) {
	switch b.Kind {
	case llm.Text:
		w.paragraph(text)
		w.dst = append(w.dst, b.Text.Inner()...)
	case llm.Thinks, llm.RedactedThinking:
		w.warn("messages[].content[].thinking", "is not taken back by the chat site")
	case llm.ToolUse:
		w.warn("messages[].content[].tool_use", "is told to the chat site as text")
		w.paragraph(text)
		w.raw("[Called the tool ")
		w.dst = append(w.dst, b.Name.Inner()...)
		w.raw(" with ")
		w.dst = rawjson.AppendEscaped(w.dst, []byte(b.JSON))
		w.raw("]")
	case llm.ToolResult:
		w.result(text, role, b)
	case llm.Image:
		w.refuse("messages[].content[].image", "cannot be sent in guest mode, the chat site takes no images from guests; log in to send them")
	case llm.Document:
		w.document(text, b)
	default:
		w.warn("messages[].content[]."+clipped(plainText(b.Name)), "is of a type that is not known to the chat site")
	}
}

func (w *requestWriter) result(text int, role llm.Role, b *llm.Block) {
	w.warn("messages[].content[].tool_result", "is told to the chat site as text")
	w.paragraph(text)
	w.raw("[The tool answered")
	if b.IsError {
		w.raw(" with an error")
	}
	w.raw("]")
	for i := range b.Content {
		w.block(text, role, &b.Content[i])
	}
}

// document writes a document of text; others cannot be sent.
func (w *requestWriter) document(text int, b *llm.Block) {
	const field = "messages[].content[].document"
	if b.Media == nil || b.Media.Data == nil || !isText(b.Media.Type) {
		w.refuse(field, "cannot be sent in guest mode, the chat site takes no files from guests; send its text, or log in")
		return
	}
	content, err := base64.StdEncoding.DecodeString(b.Media.Data.String())
	if err != nil {
		w.refuse(field, "is not valid base64")
		return
	}
	w.paragraph(text)
	w.dst = rawjson.AppendEscaped(w.dst, content)
}

func isText(mediaType rawjson.String) bool {
	const text = "text/"
	t := plainText(mediaType)
	return len(t) > len(text) && bytes.EqualFold(t[:len(text)], []byte(text))
}

// clipped returns a type's name as it may be told: it comes from outside and ends up
// in logs and headers.
func clipped(name []byte) string {
	if len(name) > maxFieldName {
		name = name[:maxFieldName]
	}
	for _, c := range name {
		if c <= ' ' || c >= 0x7f {
			return "(unnamed)"
		}
	}
	return string(name)
}
