package chat

import (
	"bytes"
	"slices"
	"strconv"

	"glmtray/proxy/llm"
	"glmtray/proxy/rawjson"
)

// turn is one message while its fields come in. Its slices are used again for the
// next one; what stays is copied to the slab.
type turn struct {
	count      int // of messages so far
	at         int // where the message begins in the body
	role, name rawjson.String
	callID     rawjson.String
	callIDAt   int
	hasContent bool
	content    []llm.Block
	reasoning  rawjson.String // without signatures
	details    []llm.Block    // with signatures
	lastDetail int            // the index of the entry that was read last
	calls      []llm.Block
	refusal    rawjson.String
	cache      rawjson.Value
}

func (d *requestReader) message() {
	t := &d.turn
	*t = turn{
		count: t.count + 1, at: d.r.Offset(),
		content: t.content[:0], details: t.details[:0], calls: t.calls[:0],
	}
	d.r.Object(d.messageField)
	if d.r.Err() == nil {
		d.endMessage()
	}
}

func (d *requestReader) messageField(key []byte) {
	t := &d.turn
	at := d.r.Offset()
	if string(key) == "content" {
		d.content()
		return
	}
	if d.r.Null() {
		return
	}
	switch string(key) {
	case "role":
		t.role = d.r.String()
	case "name":
		t.name = d.r.String()
	case "tool_call_id":
		t.callID, t.callIDAt = d.r.String(), at
	case "tool_calls":
		t.calls = t.calls[:0]
		d.r.Array(d.toolCall)
	case "function_call":
		d.legacyCall()
	case "reasoning_content", "reasoning": // anything but a text says nothing more
		if d.r.Kind() == rawjson.Text && (t.reasoning == nil || string(key) == "reasoning_content") {
			t.reasoning = d.r.String()
		}
	case "reasoning_details":
		if d.r.Kind() == rawjson.Array {
			t.details = t.details[:0]
			d.r.Array(d.detail)
		}
	case "refusal":
		if d.r.Kind() == rawjson.Text {
			t.refusal = d.r.String()
		}
	case "cache_control":
		t.cache = d.r.RawObject()
	default:
		d.lostInMessage(key)
	}
}

// lostInMessage reads a field of a message that is not carried. Assistant messages
// come back with whatever they were answered with, which nobody misses.
func (d *requestReader) lostInMessage(key []byte) {
	value := d.r.Raw()
	if d.r.Err() != nil {
		return
	}
	switch string(key) {
	case "annotations", "id", "provider_specific_fields":
	case "audio":
		d.refuse("messages[].audio", "is a spoken answer, which cannot be translated")
	default:
		if s := string(value); s != "[]" && s != "{}" && s != `""` && s != "false" {
			d.warn("messages[]."+clipped(key), "is not known here")
		}
	}
}

func (d *requestReader) content() {
	t := &d.turn
	t.content, t.hasContent = t.content[:0], true
	switch kind := d.r.Kind(); kind {
	case rawjson.Text:
		if text := d.r.String(); !text.Empty() && d.countBlock() {
			t.content = append(t.content, llm.Block{Kind: llm.Text, Text: text})
		}
	case rawjson.Array:
		d.r.Array(d.part)
	case rawjson.Null:
		t.hasContent = !d.r.Null()
	case rawjson.Invalid:
		d.r.Skip()
	default:
		d.r.Fail(d.r.Offset(), "must be a string or an array of parts, not %s", kind)
	}
}

// countBlock reports whether the request may have another block, and fails if not.
func (d *requestReader) countBlock() bool {
	if d.blocks.used++; d.blocks.used > maxBlocks {
		d.r.Fail(d.turn.at, "has more content parts and tool calls than %d with those before it", maxBlocks)
		return false
	}
	return true
}

func (d *requestReader) endMessage() {
	t := &d.turn
	if n := len(t.content); n > 0 && t.cache != nil && t.content[n-1].CacheControl == nil {
		t.content[n-1].CacheControl = t.cache
	}
	switch role := plainText(t.role); string(role) {
	case "user":
		if d.contentNeeded() {
			d.say(llm.User, t.content)
		}
	case "system", "developer":
		if d.contentNeeded() {
			d.system()
		}
	case "assistant":
		d.assistant()
	case "tool":
		d.toolResult()
	case "function":
		d.functionResult()
	case "":
		d.missing(t.at, "role", "it must be one of system, developer, user, assistant, tool")
	default:
		field := rawjson.Path(d.body, t.at) + ".role"
		d.err = llm.Invalid(field, "%s: must be one of system, developer, user, assistant, tool, not %q", field, clipped(role))
		d.r.Fail(t.at, "has an unknown role")
	}
	if t.name != nil && string(t.role) != `"function"` && string(t.role) != `"tool"` {
		d.warn("messages[].name", "is known to this dialect alone")
	}
}

func (d *requestReader) contentNeeded() bool {
	if !d.turn.hasContent {
		d.missing(d.turn.at, "content", "it must be a string or an array of parts")
	}
	return d.turn.hasContent
}

// say adds a message with copies of the blocks. A message without any says
// nothing: assistant messages with null are of this kind.
func (d *requestReader) say(role llm.Role, parts ...[]llm.Block) {
	if blocks := d.blocks.copy(parts...); len(blocks) > 0 {
		d.req.Messages = append(d.req.Messages, llm.Message{Role: role, Blocks: blocks})
	}
}

func (d *requestReader) system() {
	for i := range d.turn.content {
		b := &d.turn.content[i]
		if b.Kind != llm.Text {
			d.refuse("messages[].content", "has something other than text in a system message")
			continue
		}
		if !b.Text.Empty() {
			d.req.System = append(d.req.System, *b)
		}
	}
}

func (d *requestReader) assistant() {
	t := &d.turn
	if len(t.details) == 0 && !t.reasoning.Empty() {
		t.details = append(t.details, llm.Block{Kind: llm.Thinks, Text: t.reasoning})
	}
	if !t.refusal.Empty() {
		t.content = append(t.content, llm.Block{Kind: llm.Text, Text: t.refusal})
	}
	d.say(llm.Assistant, t.details, t.content, t.calls)
}

// toolResult makes a message of role tool the result of a call before it. A result
// whose call is not there is refused everywhere, so it is better said here.
func (d *requestReader) toolResult() {
	t := &d.turn
	switch {
	case t.callID.Empty():
		d.missing(t.at, "tool_call_id", "it must be the id of the call that this is the result of")
	case !d.calls.known(t.callID):
		d.r.Fail(t.callIDAt, "no assistant message before has a tool call with this id")
	default:
		d.result(t.callID)
	}
}

func (d *requestReader) functionResult() {
	t := &d.turn
	if t.name.Empty() {
		d.missing(t.at, "name", "it must be the name of the function that this is the result of")
		return
	}
	id, ok := d.calls.answered(t.name)
	if !ok {
		d.r.Fail(t.at, "no assistant message before has a function_call with this name")
		return
	}
	d.result(id)
}

func (d *requestReader) result(id rawjson.String) {
	result := [1]llm.Block{{Kind: llm.ToolResult, ID: id, Content: d.blocks.copy(d.turn.content)}}
	d.say(llm.User, result[:])
}

// slab hands out short slices of blocks that are cut from long ones, so that a
// conversation of hundreds of messages takes few allocations.
type slab struct {
	free []llm.Block
	used int // blocks of the request so far
}

func (s *slab) copy(parts ...[]llm.Block) []llm.Block {
	n := 0
	for _, p := range parts {
		n += len(p)
	}
	if n == 0 {
		return nil
	}
	if n > len(s.free) {
		const least, most = 16, 256
		s.free = make([]llm.Block, max(n, min(max(s.used, least), most)))
	}
	out := s.free[:0:n]
	s.free = s.free[n:]
	for _, p := range parts {
		out = append(out, p...)
	}
	return out
}

// callIDs knows the tool calls of a conversation so far.
type callIDs struct {
	recent []rawjson.String
	// older has what recent no longer has: results nearly always follow their
	// calls closely, so it is seldom asked.
	older map[string]struct{}
	// legacy are function_calls that wait for their result; they have no ids of
	// their own, so they get some.
	legacy []legacyCall
	count  int
}

type legacyCall struct{ name, id rawjson.String }

const maxRecent = 64

func (c *callIDs) add(id rawjson.String) {
	if len(c.recent) == maxRecent {
		if c.older == nil {
			c.older = make(map[string]struct{}, 2*maxRecent)
		}
		for _, old := range c.recent {
			c.older[string(old)] = struct{}{}
		}
		c.recent = c.recent[:0]
	}
	c.recent = append(c.recent, id)
}

func (c *callIDs) known(id rawjson.String) bool {
	for i := len(c.recent) - 1; i >= 0; i-- {
		if bytes.Equal(c.recent[i], id) {
			return true
		}
	}
	_, ok := c.older[string(id)]
	return ok
}

// addLegacy returns an id for a function_call. It counts them, so that it is the
// same when the conversation is sent again.
func (c *callIDs) addLegacy(name rawjson.String) rawjson.String {
	c.count++
	id := rawjson.Quote("call_fn_" + strconv.Itoa(c.count))
	c.legacy = append(c.legacy, legacyCall{name, id})
	c.add(id)
	return id
}

// answered returns the id of the latest function_call of that name that has no
// result yet.
func (c *callIDs) answered(name rawjson.String) (rawjson.String, bool) {
	for i := len(c.legacy) - 1; i >= 0; i-- {
		if bytes.Equal(plainText(c.legacy[i].name), plainText(name)) {
			id := c.legacy[i].id
			c.legacy = slices.Delete(c.legacy, i, i+1)
			return id, true
		}
	}
	return nil, false
}
