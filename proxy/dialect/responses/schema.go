package responses

import (
	"bytes"

	"glmtray/proxy/rawjson"
)

// emptySchema is the schema of a tool without parameters: upstreams refuse a tool
// without one.
const emptySchema = `{"type":"object","properties":{}}`

// shape is what decides whether a tool's parameters can stay as they are.
type shape struct {
	kind       rawjson.Value
	properties rawjson.Kind
	union      bool
}

// shaped reads a tool's parameters, and their shape while it is there: they are most of
// what an agent declares.
func (d *requestReader) shaped() (v value, s shape) {
	if d.r.Kind() != rawjson.Object {
		return d.raw(), s
	}
	at := d.at()
	d.r.Object(func(key []byte) {
		switch string(key) {
		case "type":
			s.kind = d.r.Raw()
		case "properties":
			s.properties = d.r.Kind()
		case "anyOf", "oneOf", "allOf":
			s.union = true
		}
	})
	return value{d.r.Since(at - d.base), at}, s
}

// schema returns a tool's parameters. OpenAI takes any JSON Schema there and some
// that are none, Anthropic and Z.AI only one whose root is an object with
// properties. Nearly all are such, and are kept to the byte: caches work by prefix.
func (d *requestReader) schema(v value, s shape) rawjson.Value {
	if v.Kind() != rawjson.Object {
		d.fail(v.at, "must be a JSON Schema, not %s", v.Kind())
		return nil
	}
	switch {
	case string(s.kind) == `"object"` && s.properties == rawjson.Object && !s.union:
		return v.Value
	case s.union:
		d.warn("tools[].parameters", "is a choice of schemas, which were put into one")
	case s.kind != nil && !bytes.Contains(s.kind, []byte(`"object"`)):
		d.refuse("tools[].parameters", "is not the schema of an object")
	}
	var root schemaRoot
	root.collect(v.Value, true, true)
	return root.write(len(v.Value))
}

// schemaRoot is a schema that is written anew so that its root is an object: the
// properties of all members of a union become its own, and those are required that
// the root or every member of an allOf requires. Members that are references cannot
// be looked into; the root keeps its other keys, so $defs stay.
type schemaRoot struct{ properties, required, rest fieldList }

func (s *schemaRoot) collect(raw rawjson.Value, isRoot, isRequired bool) {
	r := rawjson.NewReader(raw)
	members := func(all bool) {
		if r.Kind() != rawjson.Array {
			return
		}
		r.Array(func() {
			if r.Kind() == rawjson.Object {
				s.collect(r.RawObject(), false, isRequired && all)
			}
		})
	}
	r.Object(func(key []byte) {
		switch string(key) {
		case "type":
		case "properties":
			if r.Kind() == rawjson.Object {
				r.Object(func(key []byte) { s.properties.addField(key, r.Raw()) })
			}
		case "required":
			if isRequired && r.Kind() == rawjson.Array {
				r.Array(func() { name := r.Raw(); s.required.add(name, name) })
			}
		case "allOf":
			members(true)
		case "anyOf", "oneOf":
			members(false)
		default:
			if value := r.Raw(); isRoot {
				s.rest.addField(key, value)
			}
		}
	})
}

func (s *schemaRoot) write(size int) rawjson.Value {
	out := append(make(rawjson.Value, 0, size+len(emptySchema)), `{"type":"object","properties":{`...)
	out = append(s.properties.appendTo(out), '}')
	if len(s.required.fields) > 0 {
		out = append(s.required.appendTo(append(out, `,"required":[`...)), ']')
	}
	if len(s.rest.fields) > 0 {
		out = s.rest.appendTo(append(out, ','))
	}
	return append(out, '}')
}

// fieldList collects JSON text without repetitions.
type fieldList struct {
	fields [][]byte
	seen   map[string]bool
}

func (l *fieldList) add(id, text []byte) {
	if l.seen == nil {
		l.seen = make(map[string]bool)
	}
	if !l.seen[string(id)] {
		l.seen[string(id)] = true
		l.fields = append(l.fields, text)
	}
}

func (l *fieldList) addField(key []byte, value rawjson.Value) {
	l.add(key, append(append(rawjson.AppendQuote(nil, key), ':'), value...))
}

func (l *fieldList) appendTo(dst []byte) []byte {
	return append(dst, bytes.Join(l.fields, []byte(","))...)
}
