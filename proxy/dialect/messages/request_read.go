package messages

import (
	"errors"
	"hash/maphash"
	"slices"

	"glmtray/proxy/llm"
	"glmtray/proxy/rawjson"
)

const (
	// maxWarnings bounds the warnings about one request, since some of them are
	// named after fields that the client made up.
	maxWarnings = 32
	// maxFieldName is the longest name of an unknown field that a warning repeats.
	maxFieldName = 64
)

// Request is a request of a client that speaks this dialect.
type Request struct {
	llm.Request
	places places
	memory llm.Memory
}

// Release gives the memory of the request's blocks back, for other requests. Neither
// the request nor a block of it may be used afterwards. It need not be called.
func (r *Request) Release() { r.memory.Release() }

// DecodeRequest reads the body of POST /v1/messages or of …/count_tokens, which has
// the same fields and needs no max_tokens. It owns body from then on: the request's
// values are slices of it, and halves of UTF-16 surrogate pairs in it are replaced
// by U+FFFD.
//
// The error is of kind ErrInvalid, names the field, and stands for what no upstream
// of this dialect takes either. What some may take is kept as llm.Other or becomes a
// warning that concerns translation only. The order of turns is not touched (see
// llm's Arrange), except that a system message amid the others becomes a user's
// reminder in its place: moved to the front it would change the prompt's beginning,
// and with it undo the upstream's prompt cache. It may be called concurrently.
func DecodeRequest(body []byte) (*Request, *llm.Error) {
	d := requestReader{Reader: rawjson.NewRepairingReader(body), out: &Request{}}
	d.reserve(len(body))
	d.out.places.open = d.Offset() + 1
	d.Object(d.field)
	if err := d.End(); err != nil {
		return nil, d.invalid(body, err)
	}
	switch {
	case !d.hasMessages:
		return nil, llm.Invalid("messages", "messages: is missing; it must be an array of messages")
	case d.noMessages:
		return nil, llm.Invalid("messages", "messages: is empty; it must hold at least one message")
	}
	d.checkChoice()
	return d.out, nil
}

// requestReader reads one request. While it reads a part of the document for the
// second time (see again) its Reader is one on that part alone.
type requestReader struct {
	rawjson.Reader
	out *Request
	// stack holds the blocks of the arrays that are being read, slab what is left
	// of the chunk that finished arrays are carved from.
	stack, slab []llm.Block
	level       int // how many blocks the next one is inside of
	calls       idSet
	serverTools bool
	hasMessages bool
	noMessages  bool
	// lacking is the field that the first error found missing.
	lacking string
}

// reserve makes room by the size of the body: agents' messages and blocks are
// about a kilobyte each.
func (d *requestReader) reserve(size int) {
	n := min(8+size/512, 2048)
	d.out.Messages = make([]llm.Message, 0, n/2)
	d.out.memory = llm.NewMemory(n)
	d.slab = d.out.memory.Blocks()
	d.stack = make([]llm.Block, 0, 8)
}

// carve takes the blocks above mark off the stack, into memory of their own.
func (d *requestReader) carve(mark int) []llm.Block {
	n := len(d.stack) - mark
	if n <= 0 {
		return nil
	}
	if len(d.slab) < n {
		d.slab = make([]llm.Block, max(n, 64))
	}
	out := d.slab[:n:n]
	d.slab = d.slab[n:]
	copy(out, d.stack[mark:])
	d.stack = d.stack[:mark]
	return out
}

// again reads a value for the second time, once it is known what it means: its type
// may have come after it.
func (d *requestReader) again(v value, read func()) {
	outer := d.Reader
	d.Reader = rawjson.NewReader(v.Value)
	read()
	inner := d.Err()
	d.Reader = outer
	if inner == nil {
		return
	}
	var failed *rawjson.Error
	if errors.As(inner, &failed) {
		d.Fail(v.at+failed.Offset, "%s", failed.Msg)
	}
}

// lack fails because the object at an offset has no such field.
func (d *requestReader) lack(at int, field string) {
	if d.Err() == nil {
		d.lacking = field
	}
	d.Fail(at, "is missing")
}

// invalid turns a reader's error into the client's.
func (d *requestReader) invalid(body []byte, err error) *llm.Error {
	var failed *rawjson.Error
	if !errors.As(err, &failed) {
		return &llm.Error{Kind: llm.ErrInvalid, Message: "the request body cannot be read", Err: err}
	}
	field := rawjson.Path(body, failed.Offset)
	if d.lacking != "" && field != "" {
		field += "."
	}
	field += d.lacking
	if field == "" {
		return llm.Invalid("", "the request body: %s", failed.Error())
	}
	return llm.Invalid(field, "%s: %s", field, failed.Msg)
}

// warn records a warning unless there is one of that name.
func (d *requestReader) warn(field, reason string) {
	if len(d.out.Warnings) >= maxWarnings {
		return
	}
	known := func(w llm.Warning) bool { return w.Field == field && w.Reason == reason }
	if !slices.ContainsFunc(d.out.Warnings, known) {
		d.out.Warn(field, reason)
	}
}

// refuse records that the request must not be translated.
func (d *requestReader) refuse(field, reason string) {
	if len(d.out.Warnings) >= maxWarnings {
		d.out.Warnings = d.out.Warnings[:maxWarnings-1]
	}
	refusal := llm.Warning{Field: field, Reason: reason, Refuse: true}
	if !slices.Contains(d.out.Warnings, refusal) {
		d.out.Warnings = append(d.out.Warnings, refusal)
	}
}

// field reads one field of the body. A null counts as an absent one.
func (d *requestReader) field(key []byte) {
	at, places := d.Offset(), &d.out.places
	switch string(key) {
	case "model":
		d.out.Model = d.String()
		places.model = span{at, at + len(d.out.Model)}
		return
	case "messages":
		d.messages()
		return
	}
	if d.Null() {
		switch string(key) {
		case "temperature":
			places.temperature = d.spanFrom(at)
		case "metadata":
			places.metadata, places.noMetadata = d.spanFrom(at), true
		case "system":
			places.system, places.noSystem = d.spanFrom(at), true
		}
		return
	}
	if !d.prompt(key) && !d.parameter(key) {
		d.uncarried(key)
	}
}

func (d *requestReader) spanFrom(at int) span { return span{at, at + len(d.Since(at))} }

// prompt reads a field that belongs to what the model is told.
func (d *requestReader) prompt(key []byte) bool {
	switch string(key) {
	case "system":
		d.system()
	case "tools":
		i := 0
		d.out.Tools = d.out.Tools[:0]
		d.Array(func() { d.tool(i); i++ })
	case "tool_choice":
		d.toolChoice()
	case "cache_control": // caches everything up to the last block
		d.out.places.cached = true
	default:
		return false
	}
	return true
}

// parameter reads a field that says how to answer.
func (d *requestReader) parameter(key []byte) bool {
	at := d.Offset()
	switch string(key) {
	case "max_tokens":
		d.out.MaxTokens = d.count()
	case "stream":
		d.out.Stream = d.Bool()
	case "temperature":
		d.out.Temperature = new(d.Float())
		d.out.places.temperature = d.spanFrom(at)
	case "top_p":
		d.out.TopP = new(d.Float())
	case "stop_sequences":
		d.out.Stop = nil
		d.Array(func() {
			if s := d.String(); !s.Empty() { // an empty one stops nothing
				d.out.Stop = append(d.out.Stop, s)
			}
		})
	case "metadata":
		d.metadata()
	case "thinking":
		d.thinking()
	case "output_config":
		d.outputConfig()
	case "output_format":
		d.format()
	default:
		return false
	}
	return true
}

// count reads a number of tokens.
func (d *requestReader) count() int {
	at := d.Offset()
	n := d.Int()
	if n < 0 {
		d.Fail(at, "must not be negative")
		return 0
	}
	return n
}

// uncarried warns of a field that no other dialect has.
func (d *requestReader) uncarried(key []byte) {
	reason := "is not known here and was left out"
	switch string(key) {
	case "top_k":
		reason = "other formats have no top_k"
		d.Float()
	case "service_tier", "speed", "inference_geo":
		reason = "chooses how Anthropic serves the request"
	case "container":
		reason = "names a container at Anthropic"
	case "mcp_servers":
		reason = "MCP servers are reached by Anthropic itself, and only there"
	case "context_management":
		reason = "the context is edited by Anthropic itself, and only there"
	}
	d.warn(fieldName(key), reason)
}

// fieldName is a client's name of a field if it can be repeated in a header.
func fieldName(key []byte) string {
	for _, c := range key {
		if !(c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9' || c == '_' || c == '-' || c == '.') {
			return "an unknown field"
		}
	}
	if len(key) == 0 || len(key) > maxFieldName {
		return "an unknown field"
	}
	return string(key)
}

func (d *requestReader) metadata() {
	places := &d.out.places
	at, empty := d.Offset(), true
	places.metadataUser = span{}
	d.Object(func(key []byte) {
		empty = false
		if string(key) == "user_id" {
			value := d.Offset()
			d.out.User = d.StringOrNull()
			places.metadataUser = d.spanFrom(value)
		}
	})
	places.metadata, places.noMetadata = d.spanFrom(at), empty
}

func (d *requestReader) thinking() {
	d.out.Thinking.Mode, d.out.Thinking.Budget = llm.ThinkingUnset, 0
	d.Object(func(key []byte) {
		switch string(key) {
		case "budget_tokens":
			if !d.Null() {
				d.out.Thinking.Budget = d.count()
			}
		case "type":
			switch string(d.String().Inner()) {
			case "enabled":
				d.out.Thinking.Mode = llm.ThinkingOn
			case "disabled":
				d.out.Thinking.Mode = llm.ThinkingOff
			case "adaptive":
				d.out.Thinking.Mode = llm.ThinkingAdaptive
			default:
				d.warn("thinking.type", "is not a mode of thinking that is known here")
			}
		}
	})
}

func (d *requestReader) outputConfig() {
	d.Object(func(key []byte) {
		if d.Null() {
			return
		}
		switch string(key) {
		case "effort":
			effort, known := effortOf(d.String())
			if !known {
				d.warn("output_config.effort", "is not an effort that is known here")
			}
			d.out.Thinking.Effort = effort
		case "format":
			d.format()
		default:
			d.warn("output_config", "only effort and format can be carried over")
		}
	})
}

func (d *requestReader) format() {
	var kind rawjson.String
	var schema rawjson.Value
	d.Object(func(key []byte) {
		switch string(key) {
		case "type":
			kind = d.String()
		case "schema":
			schema = d.RawObject()
		}
	})
	if kind.Is("json_schema") && schema != nil {
		d.out.Format = llm.Format{Kind: llm.FormatSchema, Schema: schema, Strict: true}
		return
	}
	d.warn("output_config.format", "is not a form of output that is known here")
}

// idSet is a set of the ids of tool calls, by hash: it only has to tell a result
// that belongs to no call.
type idSet struct {
	seed   maphash.Seed
	hashes map[uint64]struct{}
	text   []byte
}

func (s *idSet) hash(id rawjson.String) uint64 {
	s.text = id.AppendTo(s.text[:0])
	return maphash.Bytes(s.seed, s.text)
}

func (s *idSet) add(id rawjson.String) {
	if s.hashes == nil {
		s.seed, s.hashes = maphash.MakeSeed(), make(map[uint64]struct{}, 64)
	}
	s.hashes[s.hash(id)] = struct{}{}
}

func (s *idSet) has(id rawjson.String) bool {
	if s.hashes == nil {
		return false
	}
	_, ok := s.hashes[s.hash(id)]
	return ok
}
