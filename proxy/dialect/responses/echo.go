package responses

import (
	"bytes"

	"glmtray/proxy/rawjson"
)

// echoed are the fields of a request that its response repeats, in the order of the
// reference, with what the reference says of a request that lacks them.
var echoed = [...]struct{ name, without string }{
	{"instructions", "null"}, {"max_output_tokens", "null"}, {"max_tool_calls", "null"}, {"metadata", "{}"},
	{"parallel_tool_calls", "true"}, {"previous_response_id", "null"}, {"prompt_cache_key", "null"},
	{"reasoning", `{"effort":null,"summary":null}`}, {"safety_identifier", "null"}, {"store", "true"},
	{"temperature", "1"}, {"text", `{"format":{"type":"text"}}`}, {"tool_choice", `"auto"`}, {"tools", "[]"},
	{"top_p", "1"}, {"truncation", `"disabled"`}, {"user", "null"},
}

// Echo is what an answer needs of its request. It owns its memory, so that it may
// outlive the request, and is not changed any more: it may be used concurrently. A
// nil Echo is that of a request that said nothing.
type Echo struct {
	// fields are the repeated fields, each with a comma before it.
	fields  []byte
	aliases map[string]alias
	summary bool
	// compaction says that the answer is the summary of a conversation, of which the
	// user's messages in kept remain.
	compaction bool
	kept       []byte
}

// Echo returns what the answer needs of the request.
func (r *Request) Echo() *Echo {
	e := &Echo{fields: appendEchoed(nil, &r.echo), summary: r.summary, compaction: r.Compaction}
	if r.aliases != nil {
		e.aliases = make(map[string]alias, len(r.aliases))
		for flat, a := range r.aliases {
			e.aliases[flat] = alias{name: bytes.Clone(a.name), namespace: bytes.Clone(a.namespace), custom: a.custom}
		}
	}
	if r.Compaction {
		e.kept = r.messagesOf("user")
	}
	return e
}

func appendEchoed(dst []byte, values *[len(echoed)]rawjson.Value) []byte {
	size := 0
	for i := range echoed {
		size += len(echoed[i].name) + len(echoed[i].without) + len(values[i]) + len(`,"":`)
	}
	if dst == nil {
		dst = make([]byte, 0, size)
	}
	for i, f := range echoed {
		dst = append(append(append(dst, ',', '"'), f.name...), '"', ':')
		if values[i] != nil {
			dst = appendLine(dst, values[i])
		} else {
			dst = append(dst, f.without...)
		}
	}
	return dst
}

// appendLine appends JSON text without its line ends, which would end the data of an
// event in the middle. They are between tokens: strings have them escaped. Nearly all
// texts have none, and an agent's tools are long.
func appendLine(dst []byte, text rawjson.Value) []byte {
	begin := len(dst)
	dst = append(dst, text...)
	if bytes.IndexByte(text, '\n') < 0 && bytes.IndexByte(text, '\r') < 0 {
		return dst
	}
	kept := dst[:begin]
	for _, c := range dst[begin:] {
		if c != '\n' && c != '\r' {
			kept = append(kept, c)
		}
	}
	return kept
}

// silent is the Echo of a request that said nothing.
func silent() *Echo {
	return &Echo{fields: appendEchoed(nil, new([len(echoed)]rawjson.Value))}
}
