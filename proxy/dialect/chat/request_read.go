package chat

import (
	"glmtray/proxy/llm"
	"glmtray/proxy/rawjson"
)

// Request is a client's request, with what only this dialect needs to answer it.
type Request struct {
	llm.Request
	// IncludeUsage says that the client wants the usage at the end of a stream.
	IncludeUsage bool
	// LegacyFunctions says that the client declared functions instead of tools,
	// and wants a function_call back.
	LegacyFunctions bool
	// CacheKey is prompt_cache_key, which names the conversation; nil if there is none.
	CacheKey rawjson.String

	// What llm.Request points to.
	temperature, topP float64
	parallel          bool

	memory llm.Memory

	// Where the body has what PassEdits changes; open is after its first brace.
	open                   int
	modelAt, temperatureAt span
	// messagesAt is where the first message begins.
	messagesAt                             int
	streamOptionsAt, includeUsageAt        span
	streamOptionsIsObject, hasStreamOption bool
}

// Release gives the memory of the request's blocks back, for other requests. Neither
// the request nor a block of it may be used afterwards. It need not be called.
func (r *Request) Release() { r.memory.Release() }

// DecodeRequest reads the body of a request. The body is the caller's to lend: it
// is read in place, halves of surrogate pairs in it are overwritten, and what is
// returned shares its memory. An error is of kind llm.ErrInvalid and names the
// field.
//
// What no upstream could take is refused. What only a translation cannot carry is
// in Warnings, so that the request may still pass to an upstream of the same
// dialect; a warning with Refuse set means that it must not be translated. Every
// message becomes one of its own; llm.Request.Arrange puts them in order.
func DecodeRequest(body []byte) (*Request, *llm.Error) {
	d := &requestReader{r: rawjson.NewRepairingReader(body), body: body, req: &Request{}}
	d.reserve()
	d.req.open = d.r.Offset() + 1
	d.r.Object(d.field)
	if err := d.r.End(); err != nil {
		return nil, d.failure(err)
	}
	return d.finish()
}

// requestReader reads one request. The fields of an object may come in any order,
// so what depends on several of them waits for the object's end.
type requestReader struct {
	r    rawjson.Reader
	body []byte
	req  *Request
	err  *llm.Error // more precise than what r can say

	maxTokens, maxCompletionTokens int
	userID, user, safety, cacheKey rawjson.String
	greedy                         bool
	hasMessages                    bool
	allowed                        []rawjson.String // of allowed_tools
	hasAllowed                     bool

	turn   turn
	blocks slab
	text   []byte // unquoted arguments
	calls  callIDs
}

// reserve makes room by the size of the body: agents' messages are a kilobyte and more,
// and have a block or two.
func (d *requestReader) reserve() {
	n := min(16+len(d.body)/512, 2048)
	d.req.Messages = make([]llm.Message, 0, n/2)
	d.req.memory = llm.NewMemory(n)
	d.blocks.free = d.req.memory.Blocks()
}

// failure tells an error of the JSON reader in terms of the request.
func (d *requestReader) failure(err error) *llm.Error {
	if d.err != nil {
		return d.err
	}
	return llm.Malformed(d.body, err)
}

// missing fails because the object at an offset lacks a field.
func (d *requestReader) missing(object int, field, want string) {
	if d.r.Err() != nil {
		return
	}
	if path := rawjson.Path(d.body, object); path != "" {
		field = path + "." + field
	}
	d.err = llm.Invalid(field, "%s: is missing, %s", field, want)
	d.r.Fail(object, "is incomplete")
}

// end returns where the value ended that was just read, without the white space
// after it.
func (d *requestReader) end() int {
	end := d.r.Offset()
	for end > 0 {
		switch d.body[end-1] {
		case ' ', '\t', '\n', '\r':
			end--
		default:
			return end
		}
	}
	return end
}

// field reads a field of the request. For OpenAI null is the same as no field.
func (d *requestReader) field(key []byte) {
	at := d.r.Offset()
	if !d.r.Null() {
		d.known(key)
	}
	if d.r.Offset() == at {
		d.r.Skip()
	}
	if d.r.Err() != nil {
		return
	}
	switch string(key) {
	case "model":
		d.req.modelAt = span{at, d.end()}
	case "temperature":
		d.req.temperatureAt = span{at, d.end()}
	case "stream_options":
		d.req.streamOptionsAt = span{at, d.end()}
		d.req.streamOptionsIsObject = d.body[at] == '{'
	}
}

func (d *requestReader) known(key []byte) {
	req := d.req
	switch string(key) {
	case "model":
		req.Model = d.r.String()
	case "messages":
		d.hasMessages = true
		req.messagesAt = d.r.Offset() + 1
		req.Messages, req.System = req.Messages[:0], nil
		d.r.Array(d.message)
	case "tools":
		d.r.Array(d.tool)
	case "functions":
		req.LegacyFunctions = true
		d.r.Array(d.function)
	case "tool_choice":
		d.toolChoice()
	case "function_call":
		d.functionChoice()
	case "parallel_tool_calls":
		req.parallel = d.r.Bool()
		req.Parallel = &req.parallel
	case "stream":
		req.Stream = d.r.Bool()
	case "stream_options":
		d.r.Object(d.streamOption)
	case "stop":
		d.stop()
	case "response_format":
		d.responseFormat()
	default:
		if !d.number(key) && !d.identity(key) && !d.thinking(key) {
			d.uncarried(key)
		}
	}
}

// number reads the numeric parameters that are carried.
func (d *requestReader) number(key []byte) bool {
	switch string(key) {
	case "max_tokens":
		d.maxTokens = d.limit("max_tokens")
	case "max_completion_tokens":
		d.maxCompletionTokens = d.limit("max_completion_tokens")
	case "temperature":
		d.req.temperature = d.r.Float()
		d.req.Temperature = &d.req.temperature
	case "top_p":
		d.req.topP = d.r.Float()
		d.req.TopP = &d.req.topP
	case "do_sample": // Z.AI: false means to always take the likeliest token
		d.greedy = !d.r.Bool()
	default:
		return false
	}
	return true
}

// limit reads a number of tokens. Zero and less, which some clients send for "no
// limit", are no limit.
func (d *requestReader) limit(field string) int {
	n := d.r.Int()
	if n <= 0 && d.r.Err() == nil {
		d.warn(field, "is not above zero, so it is no limit")
		return 0
	}
	return n
}

// identity reads who is asking.
func (d *requestReader) identity(key []byte) bool {
	switch string(key) {
	case "user":
		d.user = d.r.String()
	case "user_id": // Z.AI's name of it
		d.userID = d.r.String()
	case "safety_identifier":
		d.safety = d.r.String()
	case "prompt_cache_key":
		d.cacheKey = d.r.String()
	default:
		return false
	}
	return true
}

func (d *requestReader) streamOption(key []byte) {
	d.req.hasStreamOption = true
	if string(key) != "include_usage" {
		return // include_obfuscation pads frames and means nothing
	}
	at := d.r.Offset()
	d.req.IncludeUsage = !d.r.Null() && d.r.Bool()
	if d.r.Err() == nil {
		d.req.includeUsageAt = span{at, d.end()}
	}
}

// stop reads one stop sequence or several. Empty ones stop nothing.
func (d *requestReader) stop() {
	add := func() {
		if s := d.r.String(); !s.Empty() {
			d.req.Stop = append(d.req.Stop, s)
		}
	}
	d.req.Stop = nil
	if d.r.Kind() == rawjson.Array {
		d.r.Array(add)
		return
	}
	add()
}

func (d *requestReader) responseFormat() {
	var kind rawjson.String
	var format llm.Format
	at := d.r.Offset()
	d.r.Object(func(key []byte) {
		switch string(key) {
		case "type":
			kind = d.r.String()
		case "json_schema":
			if !d.r.Null() {
				d.r.Object(func(key []byte) { d.jsonSchema(key, &format) })
			}
		}
	})
	switch string(plainText(kind)) {
	case "text":
	case "json_object":
		format.Kind = llm.FormatJSON
	case "json_schema":
		if format.Kind = llm.FormatSchema; format.Schema == nil {
			format.Kind = llm.FormatJSON // the schema may be left out
		}
	case "":
		d.missing(at, "type", "it must be text, json_object or json_schema")
	default:
		d.refuse("response_format", "is of a type that no other dialect has")
	}
	d.req.Format = format
}

func (d *requestReader) jsonSchema(key []byte, format *llm.Format) {
	switch string(key) {
	case "name":
		format.Name = d.r.String()
	case "schema":
		format.Schema = d.r.RawObject()
	case "strict":
		format.Strict = !d.r.Null() && d.r.Bool()
	}
}

// finish checks and settles what depends on several fields.
func (d *requestReader) finish() (*Request, *llm.Error) {
	req := d.req
	switch {
	case !d.hasMessages:
		return nil, llm.Invalid("messages", "messages: is missing, it must be an array of messages")
	case d.turn.count == 0:
		return nil, llm.Invalid("messages", "messages: is empty, there must be at least one message")
	}
	req.MaxTokens = d.maxTokens
	if d.maxCompletionTokens > 0 {
		req.MaxTokens = d.maxCompletionTokens
	}
	if d.greedy {
		req.temperature = 0
		req.Temperature, req.TopP = &req.temperature, nil
	}
	d.pickUser()
	req.CacheKey = d.cacheKey
	if d.hasAllowed {
		d.onlyAllowed()
	}
	if req.LegacyFunctions && req.Parallel == nil {
		// An answer has room for one function_call.
		req.Parallel = &req.parallel
	}
	return req, nil
}

// pickUser takes the most telling of the fields that say who is asking. An e-mail
// address is nobody else's business: both OpenAI and Anthropic ask not to be sent
// any.
func (d *requestReader) pickUser() {
	for _, id := range []rawjson.String{d.userID, d.user, d.safety, d.cacheKey} {
		if id.Empty() {
			continue
		}
		for _, c := range id.Inner() {
			if c == '@' {
				d.warn("user", "looks like an e-mail address, which is not passed on")
				return
			}
		}
		d.req.User = id
		return
	}
}
