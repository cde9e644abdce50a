package messages

import (
	"bytes"
	"strconv"

	"glmtray/proxy/llm"
	"glmtray/proxy/rawjson"
)

// tool reads one tool. Tools without a type, or of type custom, are the client's
// own; any other type is one that Anthropic runs or knows itself, such as
// web_search_20250305 or bash_20250124, and has no schema that could be sent on.
func (d *requestReader) tool(i int) {
	at := d.Offset()
	var kind, name, description, schema, cache value
	var plain rawjson.Value
	d.Object(func(key []byte) {
		switch string(key) {
		case "type":
			kind = d.value()
		case "name":
			name = d.value()
		case "description":
			description = d.value()
		case "input_schema":
			schema, plain = d.schema(i)
		case "cache_control":
			cache = d.value()
		case "strict":
			if d.Kind() == rawjson.Bool && d.Bool() {
				d.warn("tools.strict", "the target may call tools with input that does not match their schema")
			}
		case "input_examples":
			d.warn("tools.input_examples", "examples of a tool's input cannot be carried over")
		case "defer_loading":
			if d.Kind() == rawjson.Bool && d.Bool() {
				d.warn("tools.defer_loading", "the tool is told to the model at once, like all others")
			}
		case "eager_input_streaming":
			if d.Kind() == rawjson.Bool && d.Bool() {
				d.warn("tools.eager_input_streaming", "the upstream streams a tool's input as it sees fit")
			}
		case "allowed_callers":
			d.warn("tools.allowed_callers", "who may call a tool cannot be limited")
		}
	})
	if cache.Kind() == rawjson.Object {
		d.out.places.cached = true
	}
	if kind.Kind() == rawjson.Text && !isWord(kind, "custom") {
		d.serverTools = true
		d.warn("tools["+strconv.Itoa(i)+"]", serverToolReason(kind))
		return
	}
	t := llm.Tool{
		Name: d.id(name, "name", at), Description: d.optional(description),
		Schema: plain, CacheControl: object(cache),
	}
	switch schema.Kind() {
	case rawjson.Object:
	case rawjson.Invalid, rawjson.Null:
		t.Schema = rawjson.Value(emptySchema)
	default:
		d.Fail(schema.at, "must be an object, a JSON Schema, not %s", schema.Kind())
	}
	d.out.Tools = append(d.out.Tools, t)
}

// serverToolReason explains why a tool of Anthropic's own is left out.
func serverToolReason(kind value) string {
	word := rawjson.String(kind.Value).Inner()
	for _, family := range []struct{ prefix, name string }{
		{"web_search_", "web search"}, {"web_fetch_", "web fetch"}, {"code_execution_", "code execution"},
		{"tool_search_", "tool search"}, {"computer_", "computer use"}, {"bash_", "bash"},
		{"text_editor_", "text editor"}, {"memory_", "memory"}, {"mcp_toolset", "MCP toolset"},
	} {
		if bytes.HasPrefix(word, []byte(family.prefix)) {
			return "Anthropic's own " + family.name + " tool exists only there"
		}
	}
	return "a tool of a type that only Anthropic knows"
}

// emptySchema is the schema of a tool that takes no input.
const emptySchema = `{"type":"object","properties":{}}`

// schema reads a JSON Schema. plain is it with the root that the neutral form
// promises: an object with a type and properties, and without alternatives; agents
// declare tools without input in several ways that strict upstreams refuse.
func (d *requestReader) schema(i int) (schema value, plain rawjson.Value) {
	at := d.Offset()
	if d.Kind() != rawjson.Object {
		return d.value(), nil
	}
	var kind value
	properties, union, empty := false, false, true
	d.Object(func(key []byte) {
		empty = false
		switch string(key) {
		case "type":
			kind = d.value()
		case "properties":
			properties = d.Kind() == rawjson.Object
			d.Skip()
		case "anyOf", "oneOf", "allOf":
			properties, union = true, true
		case "$ref":
			properties = true
		}
	})
	whole := d.Since(at)
	if d.Err() != nil {
		return value{}, nil
	}
	if union {
		if merged, isUnion := mergeUnion(whole); isUnion {
			d.warn("tools["+strconv.Itoa(i)+"]", "the alternatives at the root of its schema were merged into one object")
			return value{whole, at}, merged
		}
	}
	switch {
	case empty:
		return value{whole, at}, rawjson.Value(emptySchema)
	case isWord(kind, "object") && properties:
		return value{whole, at}, whole
	}
	var edits []rawjson.Edit
	if !isWord(kind, "object") {
		from, with := 1, `"type":"object",`
		if kind.Value != nil {
			from, with = kind.at-at, `"object"`
		}
		edits = append(edits, rawjson.Edit{Start: from, End: from + len(kind.Value), With: []byte(with)})
	}
	if !properties {
		edits = append(edits, rawjson.Edit{Start: 1, End: 1, With: []byte(`"properties":{},`)})
	}
	return value{whole, at}, rawjson.Splice(nil, whole, edits)
}

func (d *requestReader) toolChoice() {
	at := d.Offset()
	d.out.Choice, d.out.Parallel = llm.ToolChoice{}, nil
	var kind, name rawjson.String
	d.Object(func(key []byte) {
		switch string(key) {
		case "type":
			kind = d.String()
		case "name":
			name = d.StringOrNull()
		case "disable_parallel_tool_use":
			if !d.Null() {
				d.out.Parallel = new(!d.Bool())
			}
		}
	})
	switch string(kind.Inner()) {
	case "auto":
		d.out.Choice.Mode = llm.ChoiceAuto
	case "any":
		d.out.Choice.Mode = llm.ChoiceAny
	case "none":
		d.out.Choice.Mode = llm.ChoiceNone
	case "tool":
		if name.Empty() {
			d.lack(at, "name")
		}
		d.out.Choice = llm.ToolChoice{Mode: llm.ChoiceNamed, Name: name}
	default:
		d.out.Choice.Mode = llm.ChoiceAuto
		d.warn("tool_choice", "is of a type that is not known here; the model chooses")
	}
}

// checkChoice takes back a choice of a tool of Anthropic's own, which no other
// upstream has.
func (d *requestReader) checkChoice() {
	if !d.serverTools || d.out.Choice.Mode != llm.ChoiceNamed {
		return
	}
	for i := range d.out.Tools {
		if d.out.Tools[i].Name.Is(d.out.Choice.Name.String()) {
			return
		}
	}
	d.out.Choice = llm.ToolChoice{}
	if len(d.out.Tools) > 0 {
		d.out.Choice.Mode = llm.ChoiceAuto
	}
	d.warn("tool_choice", "names a tool that exists only at Anthropic; the model chooses")
}
