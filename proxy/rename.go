package proxy

import (
	"bytes"

	"glmtray/proxy/llm"
	"glmtray/proxy/rawjson"
	"glmtray/proxy/sse"
	"glmtray/proxy/upstream"
)

// choose decides which model the request goes to. The answer will carry the name that
// the client asked for, if it asked for one.
func (s *Server) choose(x *exchange, in *incoming, images bool) (model rawjson.String, err *llm.Error) {
	asked := in.Model.String()
	name := s.Naming.Resolve(asked, images)
	switch {
	case name == "":
		return nil, llm.Invalid("model", "model: is missing; it must name a model")
	case images && s.Naming.Text != s.Naming.Vision && !s.Naming.SeesImages(name):
		return nil, llm.Invalid("model", "model: %s sees no images; choose one that does, or set models.vision", name)
	case name == asked:
		return nil, nil
	}
	model = rawjson.Quote(name)
	x.UpstreamModel = clip(name)
	if asked == "" {
		x.reply.model = model
	} else {
		x.rename = x.reply.model
	}
	return model, nil
}

// renamed returns a frame of the client's own dialect in which the model has the name
// that the client asked for.
func renamed(f sse.Frame, d upstream.Dialect, name rawjson.String) sse.Frame {
	at := bytes.Index(f.Raw, f.Data)
	if len(f.Data) == 0 || at < 0 || d == upstream.Messages && !bytes.Contains(f.Data, []byte("message_start")) {
		return f
	}
	edits := modelEdit(f.Data, d == upstream.Messages, name)
	if edits == nil {
		return f
	}
	data := rawjson.Splice(nil, f.Data, edits)
	raw := append(bytes.Clone(f.Raw[:at]), data...)
	f.Raw = append(raw, f.Raw[at+len(f.Data):]...)
	f.Data = data
	return f
}

// modelEdit replaces the name of the model in an object, or in the message in it.
func modelEdit(data []byte, inMessage bool, name rawjson.String) (edits []rawjson.Edit) {
	r := rawjson.NewReader(data)
	replace := func(key []byte) {
		if string(key) != "model" || r.Kind() != rawjson.Text {
			r.Skip()
			return
		}
		at := r.Offset()
		was := r.String()
		edits = append(edits, rawjson.Edit{Start: at, End: at + len(was), With: name})
	}
	r.Object(func(key []byte) {
		if inMessage {
			if string(key) == "message" && r.Kind() == rawjson.Object {
				r.Object(replace)
				return
			}
			r.Skip()
			return
		}
		replace(key)
	})
	if r.Err() != nil {
		return nil
	}
	return edits
}
