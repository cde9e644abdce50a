package messages

import (
	"bytes"
	"strconv"

	"glmtray/proxy/llm"
	"glmtray/proxy/rawjson"
	"glmtray/proxy/sse"
)

// span is a range of the body; the zero span is an absent one.
type span struct{ start, end int }

// places are where PassEdits changes a body, as byte offsets.
type places struct {
	open        int // after the brace that opens the body
	model       span
	temperature span
	// metadata is the whole value and metadataUser its user_id's; noMetadata says
	// that there is nothing in it.
	metadata, metadataUser span
	noMetadata             bool
	// system is the system prompt's value, noSystem says that nothing is in it. Of an
	// array systemBlocks is where its blocks begin.
	system       span
	systemBlocks int
	noSystem     bool
	last         lastBlock
	// billing cuts the client's billing header.
	billing []rawjson.Edit
	// cached says that the client set a cache breakpoint of its own.
	cached bool
}

// lastBlock is where a cache breakpoint can stand in the last message: on the
// message's text, or in the block whose fields begin at block; neither if both are
// zero.
type lastBlock struct {
	text  span
	block int
}

func (p *places) cut(start, end int) {
	p.billing = append(p.billing, rawjson.Edit{Start: start, End: end})
}

// PassEdits returns what changes in the body that DecodeRequest read when it goes to
// an upstream of the same dialect, nil if nothing does. Every other byte stays:
//   - the setting's temperature replaces the client's;
//   - the last block of the last turn gets a cache breakpoint, unless the client set
//     any of its own: Z.AI's Messages endpoint seems to cache only where it is asked;
//   - metadata.user_id is the target's if the client has none;
//   - the target's own system prompts stand before the client's;
//   - the billing header that Claude Code puts in front of its system prompt goes;
//   - the model is the target's if that names one, and else loses the suffix [1m].
//
// It changes nothing itself and may be called concurrently.
func (r *Request) PassEdits(t llm.Target) []rawjson.Edit {
	p := &r.places
	edits := append([]rawjson.Edit(nil), p.billing...)
	add := func(at span, with ...string) {
		var text []byte
		for _, w := range with {
			text = append(text, w...)
		}
		edits = append(edits, rawjson.Edit{Start: at.start, End: at.end, With: text})
	}
	front := span{p.open, p.open}
	switch {
	case t.Model != nil && p.model.end > 0:
		add(p.model, string(t.Model))
	case t.Model != nil:
		add(front, `"model":`, string(t.Model), `,`)
	case hasWindowSuffix(r.Model):
		add(span{p.model.end - 1 - len(windowSuffix), p.model.end - 1})
	}
	if t.Temperature != nil {
		number := strconv.FormatFloat(*t.Temperature, 'f', -1, 64)
		if p.temperature.end > 0 {
			add(p.temperature, number)
		} else {
			add(front, `"temperature":`, number, `,`)
		}
	}
	if t.User != nil && r.User.Empty() {
		switch user := string(t.User); {
		case p.metadataUser.end > 0:
			add(p.metadataUser, user)
		case p.noMetadata:
			add(p.metadata, `{"user_id":`, user, `}`)
		case p.metadata.end > 0:
			add(span{p.metadata.start + 1, p.metadata.start + 1}, `"user_id":`, user, `,`)
		default:
			add(front, `"metadata":{"user_id":`, user, `},`)
		}
	}
	if len(t.Lead) > 0 {
		p.lead(t.Lead, front, add)
	}
	if t.CacheLastBlock && !p.cached {
		switch text := p.last.text; {
		case text.end > 0:
			add(span{text.start, text.start}, `[{"type":"text","text":`)
			add(span{text.end, text.end}, `,"cache_control":`+ephemeral+`}]`)
		case p.last.block > 0:
			add(span{p.last.block, p.last.block}, `"cache_control":`+ephemeral+`,`)
		}
	}
	return edits
}

// lead puts system prompts before the client's: a text becomes a block behind them.
func (p *places) lead(texts []rawjson.String, front span, add func(span, ...string)) {
	var blocks []string
	for i, text := range texts {
		if i > 0 {
			blocks = append(blocks, `,`)
		}
		blocks = append(blocks, `{"type":"text","text":`, string(text), `}`)
	}
	switch {
	case p.system.end > 0 && p.noSystem:
		add(p.system, append(append([]string{`[`}, blocks...), `]`)...)
	case p.systemBlocks > 0:
		add(span{p.systemBlocks, p.systemBlocks}, append(blocks, `,`)...)
	case p.system.end > 0:
		add(span{p.system.start, p.system.start}, append(append([]string{`[`}, blocks...), `,{"type":"text","text":`)...)
		add(span{p.system.end, p.system.end}, `}]`)
	default:
		add(front, append(append([]string{`"system":[`}, blocks...), `],`)...)
	}
}

// PatchStart replaces the count of input tokens in a message_start that tells none
// by an estimate: Z.AI begins every stream with zeros, and clients that show how
// full the context is, or compact it, read that number. It appends the frame's Raw
// with only that number replaced or inserted. It appends nothing and returns false
// if the frame is another one, tells a count (of cached tokens, too), or cannot be
// patched in one place. estimate is called only if the frame is such a one; 0 means
// that there is no estimate.
func PatchStart(dst []byte, f sse.Frame, estimate func() int) ([]byte, bool) {
	if f.Event != nil && string(f.Event) != "message_start" || !bytes.Contains(f.Data, []byte("message_start")) {
		return dst, false
	}
	at := bytes.Index(f.Raw, f.Data)
	if at < 0 { // data over several lines
		return dst, false
	}
	edit, ok := startEdit(f.Data, estimate)
	if !ok {
		return dst, false
	}
	edit.Start += at
	edit.End += at
	return rawjson.Splice(dst, f.Raw, []rawjson.Edit{edit}), true
}

// startEdit returns the edit that puts an estimate into a message_start.
func startEdit(data []byte, estimate func() int) (rawjson.Edit, bool) {
	s := startReader{Reader: rawjson.NewReader(data)}
	s.Object(func(key []byte) {
		switch string(key) {
		case "type":
			s.isStart = s.Kind() == rawjson.Text && s.String().Is("message_start")
		case "message":
			s.message()
		}
	})
	if s.End() != nil || !s.isStart || s.told || s.messageAt == 0 {
		return rawjson.Edit{}, false
	}
	n := estimate()
	if n <= 0 {
		return rawjson.Edit{}, false
	}
	count := strconv.Itoa(n)
	insert := func(at int, text string) (rawjson.Edit, bool) {
		return rawjson.Edit{Start: at, End: at, With: []byte(text)}, true
	}
	field := `"input_tokens":` + count
	switch {
	case s.input.end > 0:
		return rawjson.Edit{Start: s.input.start, End: s.input.end, With: []byte(count)}, true
	case s.usage.end == 0:
		return insert(s.messageAt, `"usage":{`+field+`,"output_tokens":0},`)
	case s.noUsage:
		return rawjson.Edit{Start: s.usage.start, End: s.usage.end, With: []byte(`{` + field + `,"output_tokens":0}`)}, true
	}
	return insert(s.usage.start+1, field+`,`)
}

// startReader finds the usage in a message_start.
type startReader struct {
	rawjson.Reader
	isStart      bool
	messageAt    int // after the brace that opens a message that is not empty
	usage, input span
	noUsage      bool // usage is null or empty
	told         bool // some count of the prompt is not zero
}

func (s *startReader) message() {
	at := s.Offset()
	if s.Kind() != rawjson.Object {
		return
	}
	s.Object(func(key []byte) {
		s.messageAt = at + 1
		if string(key) != "usage" {
			return
		}
		usage := s.Offset()
		s.noUsage, s.input = true, span{}
		if s.Kind() == rawjson.Object {
			s.Object(s.count)
		} else {
			s.Skip()
		}
		s.usage = span{usage, usage + len(s.Since(usage))}
	})
}

func (s *startReader) count(key []byte) {
	s.noUsage = false
	switch string(key) {
	case "input_tokens", "cache_read_input_tokens", "cache_creation_input_tokens":
		at := s.Offset()
		if n := tokens(s.Raw()); n > 0 {
			s.told = true
		}
		if string(key) == "input_tokens" {
			s.input = span{at, at + len(s.Since(at))}
		}
	}
}
