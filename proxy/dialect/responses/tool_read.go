package responses

import (
	"bytes"

	"glmtray/proxy/llm"
	"glmtray/proxy/rawjson"
)

// alias is what a client calls a tool that is known under one flat name here.
type alias struct {
	name, namespace rawjson.String
	custom          bool
}

// declaration is a tool's declaration while its fields come in.
type declaration struct {
	at                                     int
	kind, name, description                value
	parameters, strict, format, tools, old value
	shape                                  shape // of the parameters
}

func (t *declaration) field(key []byte) *value {
	switch string(key) {
	case "type":
		return &t.kind
	case "name":
		return &t.name
	case "description":
		return &t.description
	case "strict":
		return &t.strict
	case "format":
		return &t.format
	case "tools":
		return &t.tools
	case "function":
		return &t.old
	}
	return nil
}

func (d *requestReader) tool() { d.toolIn(value{}) }

// toolIn reads one declaration, inside of a namespace if that has a name.
func (d *requestReader) toolIn(namespace value) {
	t := declaration{at: d.at()}
	read := func() {
		d.r.Object(func(key []byte) {
			if string(key) == "parameters" {
				t.parameters, t.shape = d.shaped()
			} else if v := t.field(key); v != nil {
				*v = d.raw()
			}
		})
	}
	read()
	if t.old.given() && !t.name.given() { // as Chat Completions nests it
		d.again(t.old, read)
	}
	kind := plainText(d.literal(t.kind))
	if d.r.Err() != nil {
		return
	}
	switch string(kind) {
	case "function", "":
		d.function(&t, namespace)
	case "custom":
		d.custom(&t, namespace)
	case "namespace":
		if namespace.given() {
			d.fail(t.at, "must not be a namespace, as it is inside of one")
			return
		}
		if !t.name.given() {
			d.missing(t.at, "name", "it must be a string")
			return
		}
		if t.tools.given() {
			d.again(t.tools, func() { d.r.Array(func() { d.toolIn(t.name) }) })
		}
	default:
		d.warn("tools[]."+clipped(kind), "is a tool that runs at the provider, which has no such tool here")
	}
}

func (d *requestReader) function(t *declaration, namespace value) {
	tool := llm.Tool{Description: d.literal(t.description), Schema: rawjson.Value(emptySchema)}
	if t.parameters.given() {
		tool.Schema = d.schema(t.parameters, t.shape)
	}
	if string(t.strict.Value) == "true" {
		d.warn("tools[].strict", "the target may call the tool with input that does not match its schema")
	}
	d.declare(t, namespace, tool, false)
}

func (d *requestReader) custom(t *declaration, namespace value) {
	tool := llm.Tool{Schema: rawjson.Value(customSchema)}
	tool.Description = rawjson.Join(`\n\n`, d.literal(t.description), rawjson.String(customUsage))
	if t.format.given() {
		d.again(t.format, func() {
			if grammar := d.grammar(); grammar != nil {
				tool.Description = rawjson.Join(`\n\n`, tool.Description, grammar)
			}
		})
	}
	d.declare(t, namespace, tool, true)
}

// A custom tool takes a text as it is, and is declared as a function with that text.
const (
	customSchema = `{"type":"object","properties":{"input":{"type":"string","description":"The whole input of the tool, as plain text."}},"required":["input"],"additionalProperties":false}`
	customUsage  = `"The input of this tool is plain text, not JSON: put all of it into the field input."`
)

// customInput returns the input object for the text that a custom tool is called
// with.
func customInput(text rawjson.String) rawjson.Value {
	if text == nil {
		text = rawjson.String(`""`)
	}
	return append(append(append(make(rawjson.Value, 0, len(text)+len(`{"input":}`)), `{"input":`...), text...), '}')
}

// grammar reads the format of a custom tool and describes the grammar in it, if
// there is one: nothing else can hold the model to it here.
func (d *requestReader) grammar() (text rawjson.String) {
	var syntax, definition rawjson.String
	d.r.Object(func(key []byte) {
		switch string(key) {
		case "syntax":
			syntax = d.r.StringOrNull()
		case "definition":
			definition = d.r.StringOrNull()
		}
	})
	if definition.Empty() {
		return nil
	}
	d.warn("tools[].format", "a grammar is described to the model, which may stray from it")
	if syntax.Empty() {
		syntax = rawjson.String(`"given"`)
	}
	return rawjson.Join("", rawjson.String(`"The text must match this "`), syntax, rawjson.String(`" grammar:\n"`), definition)
}

// declare adds a tool. One that is not inside of a namespace wins over those that
// would get the same name by one; of others the first stands.
func (d *requestReader) declare(t *declaration, namespace value, tool llm.Tool, custom bool) {
	own := d.literal(t.name)
	tool.Name = d.toolName(namespace, t.name)
	switch {
	case d.r.Err() != nil:
		return
	case own.Empty():
		d.missing(t.at, "name", "it must be a string")
		return
	case len(d.req.Tools) == maxTools:
		d.fail(t.at, "is one tool too many, there may be %d", maxTools)
		return
	}
	key := string(plainText(tool.Name))
	if d.names == nil {
		const typical = 32
		d.names = make(map[string]int, typical)
	}
	at, taken := d.names[key]
	switch {
	case !taken:
		d.names[key] = len(d.req.Tools)
		d.req.Tools = append(d.req.Tools, tool)
	case !namespace.given() && d.req.aliases[key].namespace != nil:
		d.req.Tools[at] = tool
		delete(d.req.aliases, key)
		d.warn("tools[].namespace", "has a tool whose name, with the namespace before it, is that of another tool")
	default:
		d.warn("tools", "a second tool of the same name was left out")
		return
	}
	if custom || namespace.given() {
		if d.req.aliases == nil {
			d.req.aliases = make(map[string]alias)
		}
		d.req.aliases[key] = alias{name: own, namespace: rawjson.String(namespace.Value), custom: custom}
	}
}

// toolName returns the flat name of a tool that may be inside of a namespace.
func (d *requestReader) toolName(namespace, name value) rawjson.String {
	own := d.literal(name)
	space := d.literal(namespace)
	if space.Empty() || own.Empty() {
		return own
	}
	const separator = "__"
	if bytes.HasSuffix(space.Inner(), []byte(separator)) {
		return rawjson.Join("", space, own)
	}
	return rawjson.Join(separator, space, own)
}

// choice is tool_choice while it is read.
type choice struct {
	at         int
	hasAllowed bool
	allowed    []rawjson.String // flat names
}

// toolChoice reads tool_choice: a mode, or an object that names tools. The object is
// flat in this dialect and nested in Chat Completions, and clients mix them up.
func (d *requestReader) toolChoice() {
	d.choice = choice{at: d.at()}
	if d.r.Kind() == rawjson.Text {
		d.choiceMode(d.r.String())
		return
	}
	var kind, mode, tools, name, namespace, old value
	read := func() {
		d.r.Object(func(key []byte) {
			switch string(key) {
			case "type":
				kind = d.raw()
			case "mode":
				mode = d.raw()
			case "tools":
				tools = d.raw()
			case "name":
				name = d.raw()
			case "namespace":
				namespace = d.raw()
			case "function", "custom", "allowed_tools":
				old = d.raw()
			}
		})
	}
	read()
	if old.Kind() == rawjson.Object {
		d.again(old, read)
	}
	switch word := d.literal(kind); string(plainText(word)) {
	case "function", "custom":
		if !name.given() {
			d.missing(d.choice.at, "name", "it must be the name of a tool")
		}
		d.req.Choice = llm.ToolChoice{Mode: llm.ChoiceNamed, Name: d.toolName(namespace, name)}
	case "allowed_tools":
		d.choice.hasAllowed = true
		if mode.given() {
			d.choiceMode(d.literal(mode))
		}
		if tools.given() {
			d.again(tools, func() { d.r.Array(d.allowedTool) })
		}
	case "auto", "none", "required", "any":
		d.choiceMode(word)
	default:
		d.warn("tool_choice", "is of a type that is not known here, the model chooses")
		d.req.Choice.Mode = llm.ChoiceAuto
	}
}

func (d *requestReader) choiceMode(mode rawjson.String) {
	switch string(plainText(mode)) {
	case "auto":
		d.req.Choice.Mode = llm.ChoiceAuto
	case "none":
		d.req.Choice.Mode = llm.ChoiceNone
	case "required", "any":
		d.req.Choice.Mode = llm.ChoiceAny
	default:
		d.warn("tool_choice", "is none of auto, none, required, the model chooses")
		d.req.Choice.Mode = llm.ChoiceAuto
	}
}

// allowedTool reads one of the tools that may be called.
func (d *requestReader) allowedTool() {
	at := d.at()
	var name, namespace value
	read := func(key []byte) {
		switch string(key) {
		case "name":
			name = d.raw()
		case "namespace":
			namespace = d.raw()
		}
	}
	d.r.Object(func(key []byte) {
		if string(key) == "function" {
			d.r.Object(read)
			return
		}
		read(key)
	})
	flat := d.toolName(namespace, name)
	if len(d.choice.allowed) == maxAllowed {
		d.fail(at, "is one tool too many, there may be %d", maxAllowed)
		return
	}
	if !flat.Empty() { // tools of the provider have no names
		d.choice.allowed = append(d.choice.allowed, flat)
	}
}

// settleChoice checks the choice against the tools, which may come after it.
func (d *requestReader) settleChoice() *llm.Error {
	req := d.req
	if d.choice.hasAllowed {
		allowed := make(map[string]bool, len(d.choice.allowed))
		for _, name := range d.choice.allowed {
			allowed[string(plainText(name))] = true
		}
		kept := req.Tools[:0]
		for _, t := range req.Tools {
			if allowed[string(plainText(t.Name))] {
				kept = append(kept, t)
			}
		}
		req.Tools = kept
	}
	if req.Choice.Mode != llm.ChoiceNamed {
		return nil
	}
	for _, t := range req.Tools {
		if bytes.Equal(plainText(t.Name), plainText(req.Choice.Name)) {
			return nil
		}
	}
	return llm.Invalid("tool_choice", "tool_choice: names a tool that tools does not declare")
}
