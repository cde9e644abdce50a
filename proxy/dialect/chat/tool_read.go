package chat

import (
	"bytes"

	"glmtray/proxy/llm"
	"glmtray/proxy/rawjson"
)

// call is a tool call of an assistant message while its fields come in.
type call struct {
	id, name rawjson.String
	input    rawjson.Value // as it stands: usually a string with JSON in it
	inputAt  int
	custom   bool
}

func (d *requestReader) toolCall() {
	at := d.r.Offset()
	var c call
	d.r.Object(func(key []byte) {
		switch string(key) {
		case "id":
			c.id = d.r.StringOrNull()
		case "function":
			d.r.Object(func(key []byte) { d.callField(key, &c) })
		case "custom":
			c.custom = true
			d.r.Object(func(key []byte) { d.callField(key, &c) })
		}
	})
	switch {
	case d.r.Err() != nil:
	case c.id.Empty():
		d.missing(at, "id", "it must be a string")
	case c.name.Empty():
		d.missing(at, "function.name", "it must be a string")
	default:
		d.addCall(&c)
	}
}

// legacyCall reads the function_call of an assistant message, which has no id.
func (d *requestReader) legacyCall() {
	at := d.r.Offset()
	var c call
	d.r.Object(func(key []byte) { d.callField(key, &c) })
	switch {
	case d.r.Err() != nil:
	case c.name.Empty():
		d.missing(at, "name", "it must be a string")
	default:
		c.id = d.calls.addLegacy(c.name)
		d.addCall(&c)
	}
}

func (d *requestReader) callField(key []byte, c *call) {
	switch string(key) {
	case "name":
		c.name = d.r.StringOrNull()
	case "arguments", "input":
		c.inputAt = d.r.Offset()
		c.input = d.r.Raw()
	}
}

func (d *requestReader) addCall(c *call) {
	if !d.countBlock() {
		return
	}
	if c.custom {
		d.refuse("messages[].tool_calls[].custom", "is a call of a custom tool, which cannot be translated")
	}
	d.calls.add(c.id)
	d.turn.calls = append(d.turn.calls, llm.Block{Kind: llm.ToolUse, ID: c.id, Name: c.name, JSON: d.arguments(c.input)})
}

// arguments returns the input object of a call. A client may send back what a
// model made up or left unfinished: it is put into an object rather than refused,
// since the conversation could never go on otherwise.
func (d *requestReader) arguments(value rawjson.Value) rawjson.Value {
	text := []byte(value)
	if value.Kind() == rawjson.Text {
		text = d.unquote(rawjson.String(value))
	}
	input, ok := llm.ToolInput(text)
	if !ok {
		d.warn("messages[].tool_calls[].function.arguments", "is not a JSON object, it was put into one")
	}
	return input
}

// unquote returns the text of a literal, in memory that many of them share.
func (d *requestReader) unquote(s rawjson.String) []byte {
	if bytes.IndexByte(s.Inner(), '\\') < 0 {
		return s.Inner()
	}
	if cap(d.text)-len(d.text) < len(s) {
		const least = 16 << 10
		d.text = make([]byte, 0, max(least, len(s)))
	}
	begin := len(d.text)
	d.text = s.AppendTo(d.text)
	return d.text[begin:len(d.text):len(d.text)]
}

// tool reads one tool declaration.
func (d *requestReader) tool() {
	at := d.r.Offset()
	var kind rawjson.String
	t, found := llm.Tool{}, false
	d.r.Object(func(key []byte) {
		if d.r.Null() {
			return
		}
		switch string(key) {
		case "type":
			kind = d.r.String()
		case "function":
			found = true
			d.functionFields(&t)
		case "cache_control":
			t.CacheControl = d.r.RawObject()
		}
	})
	switch kind := plainText(kind); {
	case d.r.Err() != nil:
	case string(kind) == "custom":
		d.refuse("tools[].custom", "is a custom tool, which cannot be translated, declare it as a function")
	case len(kind) > 0 && string(kind) != "function":
		d.warn("tools[]."+clipped(kind), "is a tool that runs at the provider and is known to this dialect alone")
	case !found:
		d.missing(at, "function", "it must declare a function")
	default:
		d.addTool(at, "function.name", t)
	}
}

// function reads one of the functions of the time before tools.
func (d *requestReader) function() {
	at := d.r.Offset()
	var t llm.Tool
	if d.functionFields(&t); d.r.Err() == nil {
		d.addTool(at, "name", t)
	}
}

func (d *requestReader) functionFields(t *llm.Tool) {
	d.r.Object(func(key []byte) {
		switch string(key) {
		case "name":
			t.Name = d.r.StringOrNull()
		case "description":
			t.Description = d.r.StringOrNull()
		case "parameters":
			if !d.r.Null() {
				t.Schema = d.schema()
			}
		case "strict":
			if d.r.Kind() == rawjson.Bool && d.r.Bool() {
				d.warn("tools[].function.strict", "the target may call the tool with input that does not match its schema")
			}
		case "cache_control":
			if d.r.Kind() == rawjson.Object {
				t.CacheControl = d.r.RawObject()
			}
		}
	})
}

func (d *requestReader) addTool(at int, nameField string, t llm.Tool) {
	if t.Name.Empty() {
		d.missing(at, nameField, "it must be a string")
		return
	}
	if len(d.req.Tools) == maxTools {
		d.r.Fail(at, "is one tool too many, there may be %d", maxTools)
		return
	}
	if t.Schema == nil {
		t.Schema = rawjson.Value(emptySchema)
	}
	d.req.Tools = append(d.req.Tools, t)
}

// toolChoice reads tool_choice: a mode, or an object that names a tool. The object
// is nested in this dialect and flat in Responses, and clients mix them up.
func (d *requestReader) toolChoice() {
	if d.r.Kind() == rawjson.Text {
		d.choiceMode("tool_choice", d.r.String())
		return
	}
	var kind, name rawjson.String
	at := d.r.Offset()
	d.r.Object(func(key []byte) {
		switch string(key) {
		case "type":
			kind = d.r.String()
		case "name":
			name = d.r.StringOrNull()
		case "function":
			name = d.nameIn()
		case "allowed_tools":
			d.r.Object(d.allowedField)
		}
	})
	switch string(plainText(kind)) {
	case "function":
		if name.Empty() {
			d.missing(at, "function.name", "it must be the name of a tool")
		}
		d.req.Choice = llm.ToolChoice{Mode: llm.ChoiceNamed, Name: name}
	case "allowed_tools":
		d.hasAllowed = true
	case "auto", "none", "required", "any":
		d.choiceMode("tool_choice", kind)
	case "custom":
		d.refuse("tool_choice", "names a custom tool, which cannot be translated")
	default:
		d.warn("tool_choice", "is of a type that is not known here, the model chooses")
		d.req.Choice.Mode = llm.ChoiceAuto
	}
}

func (d *requestReader) choiceMode(field string, mode rawjson.String) {
	switch string(plainText(mode)) {
	case "auto":
		d.req.Choice.Mode = llm.ChoiceAuto
	case "none":
		d.req.Choice.Mode = llm.ChoiceNone
	case "required", "any":
		d.req.Choice.Mode = llm.ChoiceAny
	default:
		d.warn(field, "is none of auto, none, required, the model chooses")
	}
}

// nameIn reads an object and returns its name.
func (d *requestReader) nameIn() (name rawjson.String) {
	d.r.Object(func(key []byte) {
		if string(key) == "name" {
			name = d.r.StringOrNull()
		}
	})
	return name
}

// functionChoice reads function_call, the tool_choice of functions.
func (d *requestReader) functionChoice() {
	if d.r.Kind() == rawjson.Text {
		d.choiceMode("function_call", d.r.String())
		return
	}
	at := d.r.Offset()
	name := d.nameIn()
	if name.Empty() {
		d.missing(at, "name", "it must be the name of a function")
	}
	d.req.Choice = llm.ToolChoice{Mode: llm.ChoiceNamed, Name: name}
}

// allowedField reads tool_choice.allowed_tools: a mode, and the tools to which it
// is limited.
func (d *requestReader) allowedField(key []byte) {
	switch string(key) {
	case "mode":
		d.choiceMode("tool_choice.allowed_tools.mode", d.r.String())
	case "tools":
		d.allowed = d.allowed[:0]
		d.r.Array(func() {
			d.r.Object(func(key []byte) {
				switch string(key) {
				case "name":
					d.allowed = append(d.allowed, d.r.String())
				case "function":
					d.allowed = append(d.allowed, d.nameIn())
				}
			})
		})
	}
}

// onlyAllowed leaves the tools that the client allows in this turn.
func (d *requestReader) onlyAllowed() {
	allowed := make(map[string]bool, len(d.allowed))
	for _, name := range d.allowed {
		allowed[string(plainText(name))] = true
	}
	kept := d.req.Tools[:0]
	for _, t := range d.req.Tools {
		if allowed[string(plainText(t.Name))] {
			kept = append(kept, t)
		}
	}
	d.req.Tools = kept
}
