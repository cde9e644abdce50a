package responses

import (
	"bytes"
	"slices"

	"glmtray/proxy/llm"
	"glmtray/proxy/rawjson"
)

// field reads a field of the request.
func (d *requestReader) field(key []byte) {
	at := d.at()
	if !d.r.Null() {
		d.known(key)
	}
	if d.at() == at {
		d.r.Skip()
	}
	if d.r.Err() == nil {
		d.note(key, at)
	}
}

// note keeps what the answer must repeat.
func (d *requestReader) note(key []byte, at int) {
	for i := range echoed {
		if string(key) != echoed[i].name {
			continue
		}
		if v := rawjson.Value(bytes.TrimSpace(d.r.Since(at))); v.Kind() != rawjson.Null {
			d.req.echo[i] = v
		}
		return
	}
}

func (d *requestReader) known(key []byte) {
	req := d.req
	switch string(key) {
	case "model":
		req.Model = d.r.String()
	case "input":
		d.input()
	case "instructions":
		if text := d.r.String(); !text.Empty() {
			req.System = slices.Insert(req.System, 0, llm.Block{Kind: llm.Text, Text: text})
		}
	case "tools":
		d.r.Array(d.tool)
	case "tool_choice":
		d.toolChoice()
	case "parallel_tool_calls":
		req.parallel = d.r.Bool()
		req.Parallel = &req.parallel
	case "stream":
		req.Stream = d.r.Bool()
	case "store":
		req.Store = d.r.Bool()
	case "previous_response_id":
		req.Previous = d.r.String().String()
	case "reasoning":
		d.r.Object(d.reasoningOption)
	case "text":
		d.r.Object(d.textOption)
	case "include":
		d.r.Array(d.include)
	case "metadata":
		d.r.Object(func([]byte) { d.r.String() })
	default:
		if !d.number(key) && !d.identity(key) {
			d.uncarried(key)
		}
	}
}

// number reads the numeric parameters.
func (d *requestReader) number(key []byte) bool {
	switch string(key) {
	case "max_output_tokens":
		// Zero and less, which some clients send for "no limit", are no limit.
		if d.req.MaxTokens = d.r.Int(); d.req.MaxTokens <= 0 && d.r.Err() == nil {
			d.req.MaxTokens = 0
			d.warn("max_output_tokens", "is not above zero, so it is no limit")
		}
	case "temperature":
		d.req.temperature = d.r.Float()
		d.req.Temperature = &d.req.temperature
	case "top_p":
		d.req.topP = d.r.Float()
		d.req.TopP = &d.req.topP
	default:
		return false
	}
	return true
}

// identity reads who is asking.
func (d *requestReader) identity(key []byte) bool {
	switch string(key) {
	case "user":
		d.user = d.r.String()
	case "safety_identifier":
		d.safety = d.r.String()
	case "prompt_cache_key":
		d.cacheKey = d.r.String()
	default:
		return false
	}
	return true
}

func (d *requestReader) reasoningOption(key []byte) {
	if d.r.Null() {
		return
	}
	switch string(key) {
	case "effort":
		switch e := llm.Effort(plainText(d.r.String())); e {
		case llm.EffortNone, llm.EffortMinimal, llm.EffortLow, llm.EffortMedium, llm.EffortHigh, llm.EffortXHigh, llm.EffortMax:
			d.req.Thinking.Effort = e
		case "", "auto", "default":
		default:
			d.warn("reasoning.effort", "is none of none, minimal, low, medium, high, xhigh, max")
		}
	case "summary", "generate_summary":
		word := d.r.String()
		d.req.summary = d.req.summary || !word.Empty() && !word.Is("none")
	default:
		d.warn("reasoning."+clipped(key), "is known to this dialect alone")
	}
}

func (d *requestReader) textOption(key []byte) {
	if d.r.Null() {
		return
	}
	switch string(key) {
	case "format":
		d.format()
	case "verbosity":
		if !d.r.String().Is("medium") { // which is the default
			d.warn("text.verbosity", "is known to this dialect alone")
		}
	default:
		d.warn("text."+clipped(key), "is not known here")
	}
}

func (d *requestReader) format() {
	var kind rawjson.String
	var format llm.Format
	at := d.at()
	d.r.Object(func(key []byte) {
		if d.r.Null() {
			return
		}
		switch string(key) {
		case "type":
			kind = d.r.String()
		case "name":
			format.Name = d.r.String()
		case "schema":
			format.Schema = d.r.RawObject()
		case "strict":
			format.Strict = d.r.Bool()
		}
	})
	switch string(plainText(kind)) {
	case "text":
		format = llm.Format{}
	case "json_object":
		format = llm.Format{Kind: llm.FormatJSON}
	case "json_schema":
		if format.Kind = llm.FormatSchema; format.Schema == nil {
			d.missing(at, "schema", "it must be a JSON Schema")
		}
	case "":
		d.missing(at, "type", "it must be text, json_object or json_schema")
	default:
		d.refuse("text.format", "is of a type that no other dialect has")
	}
	d.req.Format = format
}

// include reads one wish for more than the usual. Reasoning is always included.
func (d *requestReader) include() {
	if what := d.r.String(); d.r.Err() == nil && !what.Is("reasoning.encrypted_content") {
		d.warn("include", "asks for what only OpenAI's own tools and models give")
	}
}

// uncarried reads a field of the request that has no place in llm.Request and tells
// what is lost by it.
func (d *requestReader) uncarried(key []byte) {
	value := d.r.Raw()
	if d.r.Err() != nil || harmless(string(key), string(value)) {
		return
	}
	switch field := string(key); field {
	case "background":
		d.refuse(field, "asks for an answer that is worked out later, which is not possible here, leave it out and stream instead")
	case "conversation":
		d.refuse(field, "names a conversation that is kept at OpenAI, send the items as input instead")
	case "prompt":
		d.refuse(field, "names a prompt that is kept at OpenAI, send its text as instructions instead")
	case "truncation":
		d.warn(field, "nothing is left out of a conversation that is too long")
	case "service_tier", "top_logprobs", "max_tool_calls", "context_management", "moderation", "access_programs":
		d.warn(field, "is known to this dialect alone")
	default:
		d.warn(clipped(key), "is not known here")
	}
}

// harmless reports whether a field is only for bookkeeping, or asks for what happens
// anyway.
func harmless(field, value string) bool {
	switch field {
	case "prompt_cache_retention", "prompt_cache_options", "client_metadata", "stream_options":
		return true
	case "background":
		return value == "false"
	case "truncation":
		return value == `"disabled"`
	case "service_tier":
		return value == `"auto"` || value == `"default"`
	case "top_logprobs":
		return value == "0"
	case "context_management":
		return value == "[]"
	}
	return false
}

// warn records a loss, once for each field and not without end.
func (d *requestReader) warn(field, reason string) {
	if !d.inStored && d.told(field) < 0 && len(d.req.Warnings) < maxWarnings {
		d.req.Warn(field, reason)
	}
}

// refuse records that the request must not be translated. It takes the place of a
// warning at the same field, or of the last one if there are too many.
func (d *requestReader) refuse(field, reason string) {
	refusal := llm.Warning{Field: field, Reason: reason, Refuse: true}
	if i := d.told(field); i >= 0 {
		d.req.Warnings[i] = refusal
		return
	}
	n := min(len(d.req.Warnings), maxWarnings-1)
	d.req.Warnings = append(d.req.Warnings[:n], refusal)
}

// told returns which warning is at a field, or -1.
func (d *requestReader) told(field string) int {
	return slices.IndexFunc(d.req.Warnings, func(w llm.Warning) bool { return w.Field == field })
}

// finish checks and settles what depends on several fields.
func (d *requestReader) finish() (*Request, *llm.Error) {
	req := d.req
	refusal := slices.IndexFunc(req.Warnings, func(w llm.Warning) bool { return w.Refuse })
	switch {
	case len(req.Messages) > 0, len(req.System) > 0, req.Previous != "":
	case refusal >= 0: // nothing else was said
		w := &req.Warnings[refusal]
		return nil, llm.Invalid(w.Field, "%s: %s", w.Field, w.Reason)
	case !d.hasInput:
		return nil, llm.Invalid("input", "input: is missing, it must be a text or an array of items")
	default:
		return nil, llm.Invalid("input", "input: is empty, there must be a text or an item")
	}
	if err := d.settleChoice(); err != nil {
		return nil, err
	}
	d.pickUser()
	req.CacheKey = d.cacheKey
	if d.trigger >= 0 && d.trigger == d.items-1 {
		req.Compact()
	}
	return req, nil
}

// pickUser takes the most telling of the fields that say who is asking. An e-mail
// address is nobody else's business: both OpenAI and Anthropic ask not to be sent
// any.
func (d *requestReader) pickUser() {
	for _, id := range []rawjson.String{d.user, d.safety, d.cacheKey} {
		if id.Empty() {
			continue
		}
		if bytes.IndexByte(id.Inner(), '@') >= 0 {
			d.warn("user", "looks like an e-mail address, which is not passed on")
			return
		}
		d.req.User = id
		return
	}
}
