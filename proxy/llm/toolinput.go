package llm

import (
	"bytes"

	"glmtray/proxy/rawjson"
)

// ToolInput returns the JSON object that the arguments of a call are, which OpenAI's
// dialects have as text: the object itself, {} for nothing or null, and what a JSON
// string contains if that is one. Anything else is put into an object, and whole is
// false. Halves of surrogate pairs in the text are overwritten, so it must be the
// caller's.
func ToolInput(text []byte) (input rawjson.Value, whole bool) {
	text = bytes.TrimSpace(text)
	if len(text) == 0 || string(text) == "null" {
		return rawjson.Value("{}"), true
	}
	r := rawjson.NewRepairingReader(text)
	r.Skip()
	if r.End() != nil {
		return append(rawjson.AppendQuote(rawjson.Value(`{"input":`), text), '}'), false
	}
	switch rawjson.Value(text).Kind() {
	case rawjson.Object:
		return text, true
	case rawjson.Text:
		inner := rawjson.Value(bytes.TrimSpace(rawjson.String(text).AppendTo(nil)))
		if inner.Kind() == rawjson.Object && rawjson.Valid(inner) == nil {
			return inner, true
		}
	}
	return append(append(rawjson.Value(`{"input":`), text...), '}'), false
}
