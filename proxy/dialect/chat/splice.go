package chat

import (
	"strconv"

	"glmtray/proxy/llm"
	"glmtray/proxy/rawjson"
)

// PassEdits returns what changes in the body that was decoded when it goes to an
// upstream of this dialect as it is; nil if nothing does. Positions are those of
// the body. It is
//
//   - the temperature, if the target overrides it;
//   - stream_options.include_usage, which every stream asks for, since nothing else
//     tells what it cost. See [IsUsageOnly] for the chunk that a client which did
//     not ask for it must not get;
//   - the target's own system prompts, before the client's messages;
//   - the target's model if that names one, else the model without Claude Code's mark of a long context.
func (r *Request) PassEdits(t llm.Target) []rawjson.Edit {
	var edits []rawjson.Edit
	if t.Model != nil {
		edits = append(edits, r.set(r.modelAt, "model", t.Model))
	} else if bare := bareModel(r.Model); len(bare) != len(r.Model) {
		edits = append(edits, rawjson.Edit{Start: r.modelAt.from, End: r.modelAt.to, With: bare})
	}
	if t.Temperature != nil {
		value := strconv.AppendFloat(nil, *t.Temperature, 'g', -1, 64)
		edits = append(edits, r.set(r.temperatureAt, "temperature", value))
	}
	if r.Stream && !r.IncludeUsage {
		edits = append(edits, r.askUsage())
	}
	for _, text := range t.Lead {
		edits = append(edits, rawjson.Edit{Start: r.messagesAt, End: r.messagesAt, With: []byte(`{"role":"system","content":` + string(text) + `},`)})
	}
	return edits
}

// set returns the edit that gives a field of the request a value: in its place, or
// as the first field if the client did not send it.
func (r *Request) set(at span, field string, value []byte) rawjson.Edit {
	if at.found() {
		return rawjson.Edit{Start: at.from, End: at.to, With: value}
	}
	with := append(append(append(append([]byte{'"'}, field...), `":`...), value...), ',')
	return rawjson.Edit{Start: r.open, End: r.open, With: with}
}

func (r *Request) askUsage() rawjson.Edit {
	switch {
	case r.includeUsageAt.found():
		return rawjson.Edit{Start: r.includeUsageAt.from, End: r.includeUsageAt.to, With: []byte("true")}
	case r.streamOptionsIsObject:
		with := []byte(`"include_usage":true`)
		if r.hasStreamOption {
			with = append(with, ',')
		}
		at := r.streamOptionsAt.from + 1
		return rawjson.Edit{Start: at, End: at, With: with}
	}
	return r.set(r.streamOptionsAt, "stream_options", []byte(`{"include_usage":true}`))
}

// IsUsageOnly reports whether the data of a frame is the chunk that only tells the
// usage: it has no choices. Upstreams send it because include_usage was spliced in;
// clients that did not ask for it look for a first choice in vain.
func IsUsageOnly(data []byte) bool {
	choices, usage := true, false
	r := rawjson.NewReader(data)
	if r.Kind() != rawjson.Object {
		return false
	}
	r.Object(func(key []byte) {
		switch string(key) {
		case "choices":
			choices = false
			if r.Kind() == rawjson.Array {
				r.Array(func() { choices = true })
			}
		case "usage":
			usage = r.Kind() == rawjson.Object
		}
	})
	return usage && !choices && r.End() == nil
}
