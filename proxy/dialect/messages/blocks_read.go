package messages

import (
	"glmtray/proxy/llm"
	"glmtray/proxy/rawjson"
)

// maxNesting is how deeply blocks in blocks are looked into: a message's block, a
// tool result's, and a search result's in it. Deeper ones are kept as they came.
const maxNesting = 3

// value is a value as it came, and its offset in the text that is being read; the
// zero value is an absent one. A field's type is checked once it is known what sort
// of block it belongs to, since the block's type may be its last field, and blocks
// of unknown types may use any name in any way.
type value struct {
	rawjson.Value
	at int
}

// value reads any value.
func (d *requestReader) value() value {
	at := d.Offset()
	return value{d.Raw(), at}
}

// isWord reports whether a value is a certain string.
func isWord(v value, word string) bool {
	return v.Kind() == rawjson.Text && rawjson.String(v.Value).Is(word)
}

// object returns a value that is an object, and nil for any other.
func object(v value) rawjson.Value {
	if v.Kind() != rawjson.Object {
		return nil
	}
	return v.Value
}

// text returns a field that must be a string. at is where its object begins.
func (d *requestReader) text(v value, name string, at int) rawjson.String {
	switch v.Kind() {
	case rawjson.Text:
		return rawjson.String(v.Value)
	case rawjson.Invalid:
		d.lack(at, name)
	default:
		d.Fail(v.at, "must be a string, not %s", v.Kind())
	}
	return nil
}

// id is text for a string that must not be empty.
func (d *requestReader) id(v value, name string, at int) rawjson.String {
	s := d.text(v, name, at)
	if s != nil && s.Empty() {
		d.Fail(v.at, "must not be empty")
	}
	return s
}

// optional returns a field that is a string, null or absent.
func (d *requestReader) optional(v value) rawjson.String {
	if v.Kind() == rawjson.Null || v.Kind() == rawjson.Invalid {
		return nil
	}
	return d.text(v, "", v.at)
}

// fields are the fields of a content block.
type fields struct {
	at                                 int
	kind, text, thinking, signature    value
	data, id, name, input              value
	toolUseID, content, isError        value
	title, context, source, breakpoint value
	media                              media
	// result is the content of a tool_result, read is set if it was read at once.
	result []llm.Block
	read   bool
}

// media is the source of an image or a document.
type media struct {
	kind, mediaType, data, url, content value
}

// fields reads the object of a content block.
func (d *requestReader) fields() fields {
	f := fields{at: d.Offset()}
	d.Object(func(key []byte) {
		switch string(key) {
		case "type":
			f.kind = d.value()
		case "text":
			f.text = d.value()
		case "id":
			f.id = d.value()
		case "name":
			f.name = d.value()
		case "input":
			f.input = d.value()
		case "tool_use_id":
			f.toolUseID = d.value()
		case "content":
			d.blockContent(&f)
		case "is_error":
			f.isError = d.value()
		case "cache_control":
			f.breakpoint = d.value()
		case "source":
			d.source(&f)
		default:
			d.rareField(&f, key)
		}
	})
	return f
}

func (d *requestReader) rareField(f *fields, key []byte) {
	switch string(key) {
	case "thinking":
		f.thinking = d.value()
	case "signature":
		f.signature = d.value()
	case "data":
		f.data = d.value()
	case "title":
		f.title = d.value()
	case "context":
		f.context = d.value()
	case "citations":
		if d.Kind() == rawjson.Array {
			d.warn("citations", "other formats have no citations")
		}
	}
}

// blockContent reads a block's content, at once if it is known to be a tool's
// result: those are most of an agent's request.
func (d *requestReader) blockContent(f *fields) {
	if d.Kind() != rawjson.Array || d.level > maxNesting || !isWord(f.kind, "tool_result") {
		f.content, f.read = d.value(), false
		return
	}
	f.result, f.read = d.nested(), true
}

// source reads the source of an image or a document at once, because it is long.
func (d *requestReader) source(f *fields) {
	at := d.Offset()
	f.media = media{}
	if d.Kind() != rawjson.Object {
		f.source = d.value()
		return
	}
	d.Object(func(key []byte) {
		switch string(key) {
		case "type":
			f.media.kind = d.value()
		case "media_type":
			f.media.mediaType = d.value()
		case "data":
			f.media.data = d.value()
		case "url":
			f.media.url = d.value()
		case "content":
			f.media.content = d.value()
		}
	})
	f.source = value{d.Since(at), at}
}

// nested reads an array of blocks inside of a block.
func (d *requestReader) nested() []llm.Block {
	mark := len(d.stack)
	d.Array(func() { d.block(true) })
	return d.carve(mark)
}

// block reads one content block onto the stack and reports whether a cache
// breakpoint could be set on it. Inside of another block only texts and images can
// be carried over; whatever else comes there is shown to the model as text.
func (d *requestReader) block(inside bool) bool {
	switch d.Kind() {
	case rawjson.Text: // not in the reference, but its meaning is plain
		d.push(llm.Block{Kind: llm.Text, Text: d.String()})
		return false
	case rawjson.Object:
	default:
		d.Fail(d.Offset(), "must be a content block, an object, not %s", d.Kind())
		return false
	}
	d.level++
	defer func() { d.level-- }()
	f := d.fields()
	whole := d.Since(f.at)
	kind := d.text(f.kind, "type", f.at)
	if d.Err() != nil {
		return false
	}
	mark := len(d.stack)
	if d.level <= maxNesting {
		d.take(&f, kind)
	}
	if len(d.stack) == mark {
		d.push(llm.Block{Kind: llm.Other, Name: kind, JSON: whole})
		if f.media.kind.Kind() == rawjson.Text && (kind.Is("image") || kind.Is("document")) {
			d.refuse("messages[].content[].source", "is a file that was uploaded elsewhere, or of a type that is not known here; send the file itself, as base64")
		}
	}
	if inside {
		d.asText(d.stack[mark:], whole)
	}
	last := &d.stack[len(d.stack)-1]
	last.CacheControl = d.cacheControl(&f)
	return cacheable(last)
}

// cacheable reports whether a cache breakpoint may stand on a block: not on
// thinking, and not on empty text.
func cacheable(b *llm.Block) bool {
	switch b.Kind {
	case llm.Thinks, llm.RedactedThinking, llm.Other:
		return false
	case llm.Text:
		return !b.Text.Blank()
	}
	return true
}

// take pushes what a block of a known type holds, and nothing for any other type.
func (d *requestReader) take(f *fields, kind rawjson.String) {
	switch string(kind.Inner()) {
	case "text":
		d.push(llm.Block{Kind: llm.Text, Text: d.text(f.text, "text", f.at)})
	case "thinking":
		b := llm.Block{Kind: llm.Thinks, Text: d.text(f.thinking, "thinking", f.at), Signature: d.optional(f.signature)}
		if isUnsigned(b.Signature) {
			b.Signature = nil
		}
		d.push(b)
	case "redacted_thinking":
		d.push(llm.Block{Kind: llm.RedactedThinking, Text: d.text(f.data, "data", f.at)})
	case "tool_use":
		d.toolUse(f)
	case "tool_result":
		d.toolResult(f)
	case "image":
		if m := d.mediaOf(f); m != nil {
			d.push(llm.Block{Kind: llm.Image, Media: m})
		}
	case "document":
		d.document(f)
	case "search_result":
		d.pushText([]rawjson.String{stringOf(f.title), stringOf(f.source)}, d.textsOf(f.content))
	}
}

func (d *requestReader) toolUse(f *fields) {
	b := llm.Block{Kind: llm.ToolUse, ID: d.id(f.id, "id", f.at), Name: d.id(f.name, "name", f.at)}
	switch f.input.Kind() {
	case rawjson.Object:
		b.JSON = f.input.Value
	case rawjson.Invalid, rawjson.Null:
		b.JSON = rawjson.Value("{}")
	case rawjson.Text: // the input as JSON text, as the chat format has it
		text := rawjson.String(f.input.Value)
		b.JSON = text.AppendTo(nil)
		if text.Blank() {
			b.JSON = rawjson.Value("{}")
		}
		if rawjson.Valid(b.JSON) == nil && b.JSON.Kind() == rawjson.Object {
			break
		}
		fallthrough
	default:
		d.Fail(f.input.at, "must be an object, not %s", f.input.Kind())
	}
	d.calls.add(b.ID)
	d.push(b)
}

func (d *requestReader) toolResult(f *fields) {
	b := llm.Block{Kind: llm.ToolResult, ID: d.id(f.toolUseID, "tool_use_id", f.at), IsError: string(f.isError.Value) == "true"}
	if k := f.isError.Kind(); k != rawjson.Invalid && k != rawjson.Null && k != rawjson.Bool {
		d.Fail(f.isError.at, "must be a boolean, not %s", k)
	}
	if d.Err() == nil && !d.calls.has(b.ID) {
		d.Fail(f.toolUseID.at, "is %q, but no tool_use block before it has that id", clip(b.ID))
	}
	b.Content = f.result
	if !f.read {
		b.Content = d.resultContent(f.content)
	}
	d.push(b)
}

// resultContent reads what a tool returned: a text, blocks, nothing, or whatever
// JSON the tool made, which the model then sees as text.
func (d *requestReader) resultContent(v value) (content []llm.Block) {
	text := rawjson.String(v.Value)
	switch v.Kind() {
	case rawjson.Invalid, rawjson.Null:
		return nil
	case rawjson.Array:
		d.again(v, func() { content = d.nested() })
		return content
	case rawjson.Text:
		if text.Empty() {
			return nil
		}
	default:
		text = rawjson.AppendQuote(nil, []byte(v.Value))
	}
	d.push(llm.Block{Kind: llm.Text, Text: text})
	return d.carve(len(d.stack) - 1)
}

// mediaOf returns media that the block holds or has a URL of. Media that only name
// a file at Anthropic give nil.
func (d *requestReader) mediaOf(f *fields) *llm.Media {
	switch m := &f.media; {
	case f.source.Kind() == rawjson.Invalid:
		d.lack(f.at, "source")
	case f.source.Kind() != rawjson.Object:
		d.Fail(f.source.at, "must be an object, not %s", f.source.Kind())
	case isWord(m.kind, "base64"):
		return &llm.Media{Type: d.optional(m.mediaType), Data: d.text(m.data, "data", f.source.at)}
	case isWord(m.kind, "url"):
		return &llm.Media{URL: d.text(m.url, "url", f.source.at)}
	}
	return nil
}

// document pushes a document. One whose text is at hand becomes that text.
func (d *requestReader) document(f *fields) {
	lead := []rawjson.String{stringOf(f.title), stringOf(f.context)}
	switch m := &f.media; {
	case isWord(m.kind, "text"):
		d.pushText(lead, []rawjson.String{d.text(m.data, "data", f.source.at)})
		return
	case isWord(m.kind, "content"):
		d.pushText(lead, d.textsOf(m.content))
		return
	}
	m := d.mediaOf(f)
	if m == nil {
		return
	}
	if !lead[1].Blank() {
		d.push(llm.Block{Kind: llm.Text, Text: lead[1]})
	}
	d.push(llm.Block{Kind: llm.Document, Media: m, Name: d.optional(f.title)})
}

// pushText pushes one text of several.
func (d *requestReader) pushText(lead, texts []rawjson.String) {
	parts := make([]rawjson.String, 0, len(lead)+len(texts))
	for _, s := range append(lead, texts...) {
		if !s.Blank() {
			parts = append(parts, s)
		}
	}
	text := rawjson.Join(`\n\n`, parts...)
	if text == nil {
		text = rawjson.String(`""`)
	}
	d.push(llm.Block{Kind: llm.Text, Text: text})
}

// textsOf returns the texts of a string or of an array of blocks.
func (d *requestReader) textsOf(v value) (texts []rawjson.String) {
	if v.Kind() != rawjson.Array {
		return []rawjson.String{stringOf(v)}
	}
	d.again(v, func() {
		mark := len(d.stack)
		d.Array(func() { d.block(true) })
		for _, b := range d.stack[mark:] {
			if b.Kind != llm.Text {
				d.warn("document", "only the text of a document in parts can be carried over")
			}
			texts = append(texts, b.Text)
		}
		d.stack = d.stack[:mark]
	})
	return texts
}

// stringOf returns a value that is a string, and nil for any other.
func stringOf(v value) rawjson.String {
	if v.Kind() != rawjson.Text {
		return nil
	}
	return rawjson.String(v.Value)
}

// asText turns the blocks that cannot stand inside of another block into texts.
func (d *requestReader) asText(blocks []llm.Block, whole rawjson.Value) {
	for i := range blocks {
		switch b := &blocks[i]; b.Kind {
		case llm.Text, llm.Image:
		case llm.Document:
			d.warn("tool_result.content", "a document in a tool's result can only be named")
			name := b.Name
			if name.Blank() {
				name = rawjson.String(`"untitled"`)
			}
			*b = llm.Block{Kind: llm.Text, Text: rawjson.Join("", rawjson.String(`"[document: "`), name, rawjson.String(`"]"`))}
		default:
			*b = llm.Block{Kind: llm.Text, Text: rawjson.AppendQuote(nil, []byte(whole))}
		}
	}
}

// cacheControl returns a block's own cache breakpoint.
func (d *requestReader) cacheControl(f *fields) rawjson.Value {
	c := object(f.breakpoint)
	if c != nil {
		d.out.places.cached = true
	}
	return c
}
