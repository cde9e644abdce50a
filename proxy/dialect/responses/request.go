package responses

import (
	"bytes"

	"glmtray/proxy/llm"
	"glmtray/proxy/rawjson"
)

// Request is a client's request, with what only this dialect needs to answer it.
type Request struct {
	llm.Request
	// Previous is the id of the response that this request goes on from, or "".
	Previous string
	// Store says that the client wants the answer kept for later requests, which is
	// the default.
	Store bool
	// CacheKey is prompt_cache_key, which names the conversation; nil if there is none.
	CacheKey rawjson.String
	// Compaction says that the answer is to be a summary of the conversation, as the
	// only item: see Compact.
	Compaction bool

	// What llm.Request points to.
	temperature, topP float64
	parallel          bool

	memory  llm.Memory
	input   rawjson.Value
	resolve []rawjson.Edit // of input: references to items and what they refer to
	past    []*segment
	echo    [len(echoed)]rawjson.Value
	aliases map[string]alias
	// summary says that the client wants thinking as a summary.
	summary bool
}

// Release gives the memory of the request's blocks back, for other requests. Neither
// the request nor a block of it may be used afterwards; what Echo and Turn returned
// may. It need not be called.
func (r *Request) Release() { r.memory.Release() }

// DecodeRequest reads the body of POST /v1/responses, or of …/compact (call
// [Request.Compact] then). The body is the caller's to lend: it is read in place,
// halves of surrogate pairs in it are overwritten, and what is returned shares its
// memory. An error is of kind llm.ErrInvalid and names the field. It may be called
// concurrently.
//
// What no upstream could take is refused; a loss is in Warnings, and one with Refuse
// set means that the request must not be translated. Every item becomes a message of
// its own; llm.Request.Arrange puts them in order. A developer's message amid the
// others becomes a user's reminder in its place: moved to the front it would change
// the prompt's beginning, and with it undo the upstream's prompt cache.
//
// Previous is not looked up, and references to items of earlier answers are refused:
// [Store.Decode] knows those.
func DecodeRequest(body []byte) (*Request, *llm.Error) { return decode(body, nil, nil) }

// decode reads a request that goes on from what is past. item returns items of
// earlier answers by their ids; it may be nil.
func decode(body []byte, past []*segment, item func(id string) []byte) (*Request, *llm.Error) {
	d := &requestReader{
		r: rawjson.NewRepairingReader(body), body: body, lookUp: item,
		req: &Request{Store: true, past: past},
	}
	d.reserve(len(body))
	for _, s := range past {
		d.stored(s.data)
	}
	d.ownFrom = len(d.req.Messages)
	d.trigger = -1 // only the request's own counts
	d.r.Object(d.field)
	if err := d.r.End(); err != nil {
		return nil, d.failure(err)
	}
	return d.finish()
}

// requestReader reads one request. While it reads a part of the body for the second
// time (see again) its r is one on that part alone.
type requestReader struct {
	r    rawjson.Reader
	body []byte
	// base is where the document of r begins in body.
	base int
	req  *Request
	err  *llm.Error // more precise than what r can say

	lookUp     func(id string) []byte
	references int
	referred   int  // bytes of what they refer to
	inStored   bool // what is being read comes from an earlier turn

	hasInput bool
	ownFrom  int // the index of the first message of the request's own
	items    int // of the request's own input
	trigger  int // the index of the compaction trigger among them, or -1

	user, safety, cacheKey rawjson.String
	choice                 choice

	// stack holds the blocks of what is being read, slab what is left of the chunk
	// that finished lists are carved from.
	stack, slab []llm.Block
	used        int    // blocks of the request so far
	text        []byte // unquoted arguments
	calls       idSet
	names       map[string]int // the index of each tool, made when it matters
}

// reserve makes room by the size of the body: agents' items are about a kilobyte
// each.
func (d *requestReader) reserve(size int) {
	n := min(8+size/512, 2048)
	d.req.Messages = make([]llm.Message, 0, n/2)
	d.req.memory = llm.NewMemory(n)
	d.slab = d.req.memory.Blocks()
	d.stack = make([]llm.Block, 0, 8)
}

// carve takes the blocks above mark off the stack, into memory of their own.
func (d *requestReader) carve(mark int) []llm.Block {
	n := len(d.stack) - mark
	if n <= 0 {
		return nil
	}
	if len(d.slab) < n {
		const chunk = 64
		d.slab = make([]llm.Block, max(n, chunk))
	}
	out := d.slab[:n:n]
	d.slab = d.slab[n:]
	copy(out, d.stack[mark:])
	d.stack = d.stack[:mark]
	return out
}

// push adds a block to those of the list that is being read.
func (d *requestReader) push(b llm.Block) {
	if d.used++; d.used > maxBlocks {
		d.fail(d.at(), "is one part too many, all items together may have %d", maxBlocks)
		return
	}
	d.stack = append(d.stack, b)
}

// at returns where the next value begins in the body.
func (d *requestReader) at() int { return d.base + d.r.Offset() }

// fail fails at a place of the body.
func (d *requestReader) fail(at int, format string, args ...any) {
	d.r.Fail(at-d.base, format, args...)
}

// value is a value as text, with the place in the body where it begins.
type value struct {
	rawjson.Value
	at int
}

// given reports whether there is a value. For OpenAI null is the same as no field.
func (v value) given() bool { return v.Value != nil && v.Kind() != rawjson.Null }

// raw reads any value.
func (d *requestReader) raw() value {
	at := d.at()
	return value{d.r.Raw(), at}
}

// literal returns the literal that a value is, nil if there is none, and fails if it
// is of another type.
func (d *requestReader) literal(v value) rawjson.String {
	if !v.given() {
		return nil
	}
	if v.Kind() != rawjson.Text {
		d.fail(v.at, "must be a string, not %s", v.Kind())
		return nil
	}
	return rawjson.String(v.Value)
}

// again reads a value for the second time, once it is known what it means: its type
// may have come after it.
func (d *requestReader) again(v value, read func()) {
	outer, base := d.r, d.base
	d.r, d.base = rawjson.NewReader(v.Value), v.at
	read()
	inner := d.r.Err()
	d.r, d.base = outer, base
	if e, ok := inner.(*rawjson.Error); ok {
		d.fail(v.at+e.Offset, "%s", e.Msg)
	}
}

// failure tells an error of the JSON reader in terms of the request.
func (d *requestReader) failure(err error) *llm.Error {
	if d.err != nil {
		return d.err
	}
	return llm.Malformed(d.body, err)
}

// missing fails because the object at a place of the body lacks a field.
func (d *requestReader) missing(object int, field, want string) {
	if d.r.Err() != nil {
		return
	}
	if path := rawjson.Path(d.body, object); path != "" {
		field = path + "." + field
	}
	d.err = llm.Invalid(field, "%s: is missing, %s", field, want)
	d.fail(object, "is incomplete")
}

// stored reads items that an earlier turn has left behind. They were read before, so
// that an error in them is a fault of whoever kept them.
func (d *requestReader) stored(doc []byte) {
	outer, base, body, inStored := d.r, d.base, d.body, d.inStored
	d.r, d.base, d.body, d.inStored = rawjson.NewReader(doc), 0, doc, true
	if d.r.Kind() == rawjson.Array {
		d.r.Array(d.item)
	} else {
		d.item()
	}
	err := d.r.End()
	d.r, d.base, d.body, d.inStored = outer, base, body, inStored
	if err != nil && d.err == nil {
		const field = "previous_response_id"
		d.err = llm.Invalid(field, "%s: what was kept of the earlier turns cannot be read", field)
	}
	if err != nil {
		d.r.Fail(0, "goes on from what cannot be read")
	}
}

// idSet knows the tool calls of a conversation so far.
type idSet struct {
	recent []rawjson.String
	// older has what recent no longer has: results nearly always follow their
	// calls closely, so it is seldom asked.
	older map[string]struct{}
}

func (s *idSet) add(id rawjson.String) {
	const most = 64
	if len(s.recent) == most {
		if s.older == nil {
			s.older = make(map[string]struct{}, 2*most)
		}
		for _, old := range s.recent {
			s.older[string(old)] = struct{}{}
		}
		s.recent = s.recent[:0]
	}
	s.recent = append(s.recent, id)
}

func (s *idSet) has(id rawjson.String) bool {
	for i := len(s.recent) - 1; i >= 0; i-- {
		if bytes.Equal(s.recent[i], id) {
			return true
		}
	}
	_, ok := s.older[string(id)]
	return ok
}
