package responses

import (
	"glmtray/proxy/llm"
	"glmtray/proxy/rawjson"
)

// reasoning reads what a model has thought. The envelope has all of it; without one
// there is what the client was shown, which nobody has signed.
func (d *requestReader) reasoning(it *item) {
	sealed := d.literal(it.encrypted)
	if d.r.Err() != nil {
		return
	}
	e, ok := unseal(sealed)
	if !ok && !sealed.Empty() {
		d.warn("input[].encrypted_content", "was made elsewhere or is damaged, only what can be read of the thought is kept")
	}
	mark := len(d.stack)
	switch {
	case e.redacted != nil:
		d.push(llm.Block{Kind: llm.RedactedThinking, Text: e.redacted})
	case e.thinking != nil:
		d.push(llm.Block{Kind: llm.Thinks, Text: e.thinking, Signature: e.signature})
	default:
		// A summary and the text beside it say the same.
		text := d.joined(it.summary, `\n\n`)
		if text.Empty() {
			text = d.joined(it.content, "")
		}
		if !text.Empty() {
			d.push(llm.Block{Kind: llm.Thinks, Text: text})
		}
	}
	d.say(llm.Assistant, d.carve(mark))
}

// joined returns the texts of the parts of a reasoning item as one.
func (d *requestReader) joined(v value, separator string) rawjson.String {
	switch {
	case !v.given():
		return nil
	case v.Kind() == rawjson.Text:
		return rawjson.String(v.Value)
	case v.Kind() != rawjson.Array:
		d.fail(v.at, "must be an array of parts, not %s", v.Kind())
		return nil
	}
	mark := len(d.stack)
	d.again(v, func() { d.r.Array(d.part) })
	var texts []rawjson.String
	for _, b := range d.stack[mark:] {
		if b.Kind == llm.Text {
			texts = append(texts, b.Text)
		}
	}
	d.stack = d.stack[:mark]
	return rawjson.Join(separator, texts...)
}

// compacted reads what a compaction has left of a conversation.
func (d *requestReader) compacted(it *item) {
	sealed := d.literal(it.encrypted)
	if d.r.Err() != nil {
		return
	}
	e, _ := unseal(sealed)
	if e.summary == nil {
		d.warn("input[].compaction", "was made elsewhere or is damaged, and left out")
		return
	}
	mark := len(d.stack)
	d.push(llm.Block{Kind: llm.Text, Text: rawjson.Join("", summaryIntroduction, e.summary)})
	d.say(llm.User, d.carve(mark))
}
