package responses

import (
	"bytes"

	"glmtray/proxy/llm"
	"glmtray/proxy/rawjson"
)

// Around a developer's message amid the others; agents use this form themselves.
const (
	reminderBegin = `"<system-reminder>\n`
	reminderEnd   = `\n</system-reminder>"`
)

// input reads the request's own input: a text, or items.
func (d *requestReader) input() {
	at := d.at()
	d.hasInput = true
	d.req.Messages, d.req.resolve = d.req.Messages[:d.ownFrom], nil
	d.items, d.trigger = 0, -1
	switch kind := d.r.Kind(); kind {
	case rawjson.Text:
		d.push(llm.Block{Kind: llm.Text, Text: d.r.String()})
		d.say(llm.User, d.carve(0))
	case rawjson.Array:
		d.r.Array(d.item)
	case rawjson.Invalid:
		d.r.Skip()
	default:
		d.fail(at, "must be a string or an array of items, not %s", kind)
	}
	if d.r.Err() == nil {
		d.req.input = bytes.TrimSpace(d.r.Since(at))
		for i := range d.req.resolve {
			d.req.resolve[i].Start -= at
			d.req.resolve[i].End -= at
		}
	}
}

// say adds a message, unless it says nothing.
func (d *requestReader) say(role llm.Role, blocks []llm.Block) {
	if len(blocks) > 0 && d.r.Err() == nil {
		d.req.Messages = append(d.req.Messages, llm.Message{Role: role, Blocks: blocks})
	}
}

// item is one item of the input. Its fields mean different things in items of
// different types, so they are read when all are there.
type item struct {
	value
	kind, role, id, callID, status                     value
	name, namespace, arguments, input, output, content value
	summary, encrypted, tools                          value
}

// field returns where a field of an item is kept, nil if it is of no interest.
func (it *item) field(key []byte) *value {
	switch string(key) {
	case "type":
		return &it.kind
	case "role":
		return &it.role
	case "id":
		return &it.id
	case "call_id", "tool_call_id":
		return &it.callID
	case "status":
		return &it.status
	case "name":
		return &it.name
	case "namespace":
		return &it.namespace
	case "arguments":
		return &it.arguments
	case "input":
		return &it.input
	case "output":
		return &it.output
	case "content":
		return &it.content
	case "summary":
		return &it.summary
	case "encrypted_content":
		return &it.encrypted
	case "tools":
		return &it.tools
	}
	return nil
}

func (d *requestReader) item() {
	var it item
	it.at = d.at()
	if kind := d.r.Kind(); kind != rawjson.Object && kind != rawjson.Invalid {
		d.fail(it.at, "must be an item, not %s", kind)
		return
	}
	d.r.Object(func(key []byte) {
		if v := it.field(key); v != nil {
			*v = d.raw()
		}
	})
	if d.r.Err() != nil {
		return
	}
	it.Value = d.r.Since(it.at - d.base)
	if d.used++; d.used > maxBlocks {
		d.fail(it.at, "is one item too many, all items together may have %d parts", maxBlocks)
		return
	}
	d.dispatch(&it)
	if !d.inStored {
		d.items++
	}
}

func (d *requestReader) dispatch(it *item) {
	kind := plainText(d.literal(it.kind))
	switch string(kind) {
	case "message":
		d.message(it)
	case "":
		switch {
		case d.r.Err() != nil:
		case it.role.given():
			d.message(it)
		case it.id.given():
			d.reference(it)
		default:
			d.missing(it.at, "type", "it must be the type of an item")
		}
	case "function_call":
		d.call(it, false)
	case "custom_tool_call":
		d.call(it, true)
	case "function_call_output", "custom_tool_call_output":
		d.result(it)
	case "reasoning":
		d.reasoning(it)
	case "compaction", "compaction_summary", "context_compaction":
		d.compacted(it)
	case "compaction_trigger":
		if !d.inStored {
			d.trigger = d.items
		}
	case "item_reference":
		d.reference(it)
	case "additional_tools":
		if it.tools.given() {
			d.again(it.tools, func() { d.r.Array(d.tool) })
		}
	case "input_text", "input_image", "input_file", "output_text", "text":
		d.loosePart(it, kind)
	default:
		d.warn("input[]."+clipped(kind), "is not known here, or of a tool that runs at the provider")
	}
}

// loosePart reads a content part that stands where an item should.
func (d *requestReader) loosePart(it *item, kind []byte) {
	role := llm.User
	if string(kind) == "output_text" {
		role = llm.Assistant
	}
	mark := len(d.stack)
	d.again(it.value, d.part)
	d.say(role, d.carve(mark))
}

func (d *requestReader) message(it *item) {
	if it.content.Value == nil {
		d.missing(it.at, "content", "it must be a string or an array of parts")
		return
	}
	blocks := d.content(it.content)
	switch role := plainText(d.literal(it.role)); string(role) {
	case "user":
		d.say(llm.User, blocks)
	case "assistant":
		d.say(llm.Assistant, blocks)
	case "system", "developer":
		d.system(blocks)
	case "":
		d.missing(it.at, "role", "it must be one of user, assistant, system, developer")
	default:
		d.fail(it.role.at, "must be one of user, assistant, system, developer, not %q", clipped(role))
	}
}

// system takes a system message: before all turns it is a part of the system prompt,
// amid them a reminder.
func (d *requestReader) system(blocks []llm.Block) {
	kept := blocks[:0]
	for _, b := range blocks {
		if b.Kind != llm.Text {
			d.refuse("input[].content", "has something other than text in a system message")
			continue
		}
		kept = append(kept, b)
	}
	if len(d.req.Messages) == 0 {
		d.req.System = append(d.req.System, kept...)
		return
	}
	for i := range kept {
		if b := &kept[i]; !b.Text.Blank() {
			text := make(rawjson.String, 0, len(reminderBegin)+len(b.Text)+len(reminderEnd))
			b.Text = append(append(append(text, reminderBegin...), b.Text.Inner()...), reminderEnd...)
		}
	}
	d.say(llm.User, kept)
}

// call reads a call of a function, or of a custom tool: that is a function with one
// text.
func (d *requestReader) call(it *item, custom bool) {
	id := d.callID(it)
	name := d.toolName(it.namespace, it.name)
	switch {
	case d.r.Err() != nil:
		return
	case id.Empty():
		d.missing(it.at, "call_id", "it must be a string")
		return
	case name.Empty():
		d.missing(it.at, "name", "it must be a string")
		return
	}
	b := llm.Block{Kind: llm.ToolUse, ID: id, Name: name}
	if custom {
		b.JSON = customInput(d.literal(it.input))
	} else {
		input, whole := d.arguments(it.arguments)
		if !whole && d.literal(it.status).Is("incomplete") {
			d.warn("input[].function_call", "was cut off and left out")
			return
		}
		b.JSON = input
	}
	d.calls.add(id)
	mark := len(d.stack)
	d.push(b)
	d.say(llm.Assistant, d.carve(mark))
}

// callID returns the id that joins a call to its result. There are clients that send
// the id of the item alone.
func (d *requestReader) callID(it *item) rawjson.String {
	if id := d.literal(it.callID); !id.Empty() {
		return id
	}
	return d.literal(it.id)
}

// arguments returns the input object of a call. A client may send back what a model
// made up or left unfinished: it is put into an object rather than refused, since the
// conversation could never go on otherwise.
func (d *requestReader) arguments(v value) (input rawjson.Value, whole bool) {
	text := []byte(v.Value)
	if v.Kind() == rawjson.Text {
		text = d.unquote(rawjson.String(v.Value))
	}
	input, whole = llm.ToolInput(text)
	if !whole {
		d.warn("input[].arguments", "is not a JSON object, it was put into one")
	}
	return input, whole
}

// unquote returns the text of a literal, in memory that many of them share.
func (d *requestReader) unquote(s rawjson.String) []byte {
	if bytes.IndexByte(s.Inner(), '\\') < 0 {
		return s.Inner()
	}
	if cap(d.text)-len(d.text) < len(s) {
		const least = 4 << 10
		d.text = make([]byte, 0, max(least, len(s)))
	}
	begin := len(d.text)
	d.text = s.AppendTo(d.text)
	return d.text[begin:len(d.text):len(d.text)]
}

// result reads the result of a call. One whose call is not there, since a client has
// shortened the conversation, is refused by every upstream: it becomes a text.
func (d *requestReader) result(it *item) {
	id := d.callID(it)
	if d.r.Err() != nil {
		return
	}
	if id.Empty() {
		d.missing(it.at, "call_id", "it must be the id of the call that this is the output of")
		return
	}
	mark := len(d.stack)
	known := d.calls.has(id)
	if !known {
		d.push(llm.Block{Kind: llm.Text, Text: rawjson.Join("", rawjson.String(`"Output of an earlier tool call "`), id, rawjson.String(`":"`))})
	}
	failed := d.output(it.output)
	content := d.carve(mark)
	if !known {
		d.say(llm.User, content)
		return
	}
	d.push(llm.Block{Kind: llm.ToolResult, ID: id, Content: content, IsError: failed})
	d.say(llm.User, d.carve(mark))
}

// reference reads a reference to an item of an earlier answer.
func (d *requestReader) reference(it *item) {
	id := d.literal(it.id)
	if id.Empty() {
		d.missing(it.at, "id", "it must be the id of an item")
		return
	}
	if d.references++; d.references > maxReferences || d.inStored {
		d.fail(it.at, "is one reference too many, there may be %d, and none in what they refer to", maxReferences)
		return
	}
	var found []byte
	if d.lookUp != nil {
		found = d.lookUp(id.String())
	}
	if found == nil {
		d.refuse("input[].item_reference", "refers to an item that is not kept here, send the item itself")
		return
	}
	if d.referred += len(found); d.referred > maxReferred {
		d.fail(it.at, "refers to more than can be taken, all items that are referred to may have %d MB", maxReferred>>20)
		return
	}
	d.req.resolve = append(d.req.resolve, rawjson.Edit{Start: it.at, End: it.at + len(it.Value), With: found})
	d.stored(found)
}
