package messages

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"strconv"

	"glmtray/proxy/llm"
	"glmtray/proxy/rawjson"
)

const (
	// fallbackMaxTokens is sent when neither client nor settings name a limit; the
	// API insists on one.
	fallbackMaxTokens = 32000
	// maxBreakpoints is how many cache breakpoints Anthropic accepts.
	maxBreakpoints = 4
	// maxUser is the longest metadata.user_id that Anthropic accepts.
	maxUser = 256
	// minTopP is the least top_p that GLM models accept (docs.z.ai, API reference).
	minTopP = 0.01
)

// EncodeRequest appends the body of a request to an upstream. The request's turns
// must be arranged (see llm's Arrange) and its tools' names safe. What the dialect
// or the target cannot carry becomes a warning of r; nothing else of r is changed.
// Requests of different clients may be encoded concurrently.
func EncodeRequest(dst []byte, r *llm.Request, t llm.Target) []byte {
	w := requestWriter{dst: dst, r: r, t: t, skip: breakpoints(r) - maxBreakpoints}
	w.markLast = t.CacheLastBlock && w.skip == -maxBreakpoints
	w.maxTokens = r.MaxTokens
	if w.maxTokens == 0 {
		w.maxTokens = t.DefaultMaxTokens
	}
	if w.maxTokens == 0 {
		w.maxTokens = fallbackMaxTokens
	}
	w.decideThinking()
	w.dst = append(w.dst, `{"model":`...)
	w.model()
	w.integer(`,"max_tokens":`, w.maxTokens)
	w.sampling()
	w.user()
	w.thinking()
	w.outputConfig()
	if r.Stream {
		w.dst = append(w.dst, `,"stream":true`...)
	}
	w.tools()
	w.system()
	w.messages()
	return append(w.dst, '}')
}

// requestWriter writes one request.
type requestWriter struct {
	dst       []byte
	r         *llm.Request
	t         llm.Target
	maxTokens int
	plan      thinkingPlan
	// skip is how many cache breakpoints are left out, from the front, because
	// there are too many.
	skip int
	// markLast asks for a cache breakpoint on the last block.
	markLast bool
	// dropped says that a warning about dropped thinking was given.
	dropped bool
}

func (w *requestWriter) raw(parts ...string) {
	for _, p := range parts {
		w.dst = append(w.dst, p...)
	}
}

func (w *requestWriter) integer(key string, n int) {
	w.dst = strconv.AppendInt(append(w.dst, key...), int64(n), 10)
}

func (w *requestWriter) number(key string, f float64) {
	w.dst = strconv.AppendFloat(append(w.dst, key...), f, 'f', -1, 64)
}

// literal appends a key and a literal; an absent one is the empty string.
func (w *requestWriter) literal(key string, s rawjson.String) {
	w.dst = append(w.dst, key...)
	if s == nil {
		w.dst = append(w.dst, `""`...)
		return
	}
	w.dst = append(w.dst, s...)
}

func (w *requestWriter) model() {
	if inner := w.r.Model.Inner(); hasWindowSuffix(w.r.Model) {
		w.dst = append(w.dst, '"')
		w.dst = append(w.dst, inner[:len(inner)-len(windowSuffix)]...)
		w.dst = append(w.dst, '"')
		return
	}
	w.literal("", w.r.Model)
}

// sampling writes temperature, top_p and stop_sequences within the limits of the
// API: a temperature is at most 1, and Anthropic's models take it, or top_p, but
// neither both nor any of them while they think. GLM models have no such rule.
func (w *requestWriter) sampling() {
	temperature, topP := w.r.Temperature, w.r.TopP
	if w.t.Temperature != nil {
		temperature = w.t.Temperature
	}
	if temperature != nil && (*temperature > 1 || *temperature < 0) {
		w.r.Warn("temperature", "is outside of 0 to 1 and was sent as the nearest of them")
		temperature = new(max(0, min(*temperature, 1)))
	}
	if !w.t.GLM && w.plan.on() {
		if temperature != nil && *temperature != 1 {
			w.r.Warn("temperature", "cannot be chosen while the model thinks")
			temperature = nil
		}
		if topP != nil {
			w.r.Warn("top_p", "cannot be chosen while the model thinks")
			topP = nil
		}
	}
	if !w.t.GLM && temperature != nil && topP != nil {
		w.r.Warn("top_p", "cannot be chosen together with temperature")
		topP = nil
	}
	if temperature != nil {
		w.number(`,"temperature":`, *temperature)
	}
	if topP != nil {
		least := 0.0
		if w.t.GLM {
			least = minTopP
		}
		w.number(`,"top_p":`, max(least, min(*topP, 1)))
	}
	w.stop()
}

func (w *requestWriter) stop() {
	open := `,"stop_sequences":[`
	end := ""
	for _, s := range w.r.Stop {
		if s.Blank() {
			w.r.Warn("stop", "a stop sequence of nothing but white space is not accepted")
			continue
		}
		w.raw(open)
		w.dst = append(w.dst, s...)
		open, end = `,`, `]`
	}
	w.raw(end)
}

// user writes who asks. Anthropic forbids names and addresses there, so an e-mail
// address goes as a hash, which is as good for telling users apart.
func (w *requestWriter) user() {
	user := w.r.User
	if user.Empty() {
		user = w.t.User
	}
	if user.Empty() {
		return
	}
	if len(user.Inner()) > maxUser || bytes.IndexByte(user, '@') >= 0 {
		sum := sha256.Sum256([]byte(user.String()))
		user = rawjson.Quote("user_" + hex.EncodeToString(sum[:16]))
	}
	w.literal(`,"metadata":{"user_id":`, user)
	w.raw(`}`)
}

// breakpoints counts the cache breakpoints that the client set.
func breakpoints(r *llm.Request) (n int) {
	for i := range r.Tools {
		if r.Tools[i].CacheControl != nil {
			n++
		}
	}
	n += blockBreakpoints(r.System)
	for i := range r.Messages {
		n += blockBreakpoints(r.Messages[i].Blocks)
	}
	return n
}

func blockBreakpoints(blocks []llm.Block) (n int) {
	for i := range blocks {
		if blocks[i].CacheControl != nil {
			n++
		}
		n += blockBreakpoints(blocks[i].Content)
	}
	return n
}

// breakpoint writes a client's cache breakpoint, as long as it is one of the last
// that are accepted: a later one covers everything before it.
func (w *requestWriter) breakpoint(c rawjson.Value) {
	if c == nil {
		return
	}
	if w.skip > 0 {
		w.skip--
		return
	}
	w.dst = append(append(w.dst, `,"cache_control":`...), c...)
}

// tools writes the tools and the choice among them. Order matters little to the
// API, but breakpoints are counted in the order of the prompt: tools, system,
// messages.
func (w *requestWriter) tools() {
	if len(w.r.Tools) == 0 {
		return
	}
	w.raw(`,"tools":[`)
	for i := range w.r.Tools {
		t := &w.r.Tools[i]
		if i > 0 {
			w.raw(`,`)
		}
		w.literal(`{"name":`, t.Name)
		if t.Description != nil {
			w.literal(`,"description":`, t.Description)
		}
		w.raw(`,"input_schema":`)
		w.schema(t.Schema)
		w.breakpoint(t.CacheControl)
		w.raw(`}`)
	}
	w.raw(`]`)
	w.choice()
}

// schema writes a tool's schema.
func (w *requestWriter) schema(schema rawjson.Value) {
	if schema.Kind() != rawjson.Object {
		w.raw(emptySchema)
		return
	}
	w.dst = append(w.dst, schema...)
}

func (w *requestWriter) choice() {
	c := w.r.Choice
	if w.r.Parallel != nil && c.Mode == llm.ChoiceUnset {
		c.Mode = llm.ChoiceAuto
	}
	switch c.Mode {
	case llm.ChoiceAuto:
		w.raw(`,"tool_choice":{"type":"auto"`)
	case llm.ChoiceAny:
		w.raw(`,"tool_choice":{"type":"any"`)
	case llm.ChoiceNamed:
		w.literal(`,"tool_choice":{"type":"tool","name":`, c.Name)
	case llm.ChoiceNone:
		w.raw(`,"tool_choice":{"type":"none"}`)
		return
	default:
		return
	}
	if w.r.Parallel != nil {
		w.raw(`,"disable_parallel_tool_use":`, strconv.FormatBool(!*w.r.Parallel))
	}
	w.raw(`}`)
}

// system writes the system prompt, with the form of the answer where the API has no
// field for it.
func (w *requestWriter) system() {
	open, end := `,"system":[`, ""
	for _, text := range w.t.Lead {
		w.raw(open)
		w.literal(`{"type":"text","text":`, text)
		w.raw(`}`)
		open, end = `,`, `]`
	}
	for i := range w.r.System {
		b := &w.r.System[i]
		if b.Kind != llm.Text || b.Text.Blank() {
			continue
		}
		w.raw(open)
		w.literal(`{"type":"text","text":`, b.Text)
		w.breakpoint(b.CacheControl)
		w.raw(`}`)
		open, end = `,`, `]`
	}
	if text := w.formatInstruction(); text != nil {
		w.raw(open)
		w.literal(`{"type":"text","text":`, text)
		w.raw(`}`)
		end = `]`
	}
	w.raw(end)
}

// hasFormatField reports whether the form of the answer goes into output_config:
// only Anthropic has it there, only for schemas, and only for strict ones, since it
// refuses what it cannot enforce.
func (w *requestWriter) hasFormatField() bool {
	f := &w.r.Format
	return !w.t.GLM && f.Kind == llm.FormatSchema && f.Strict && f.Schema != nil
}

// formatInstruction says in words which form the answer must have.
func (w *requestWriter) formatInstruction() rawjson.String {
	const alone = `Answer with one JSON object and nothing else: no text around it, no code fence.`
	switch f := &w.r.Format; {
	case f.Kind == llm.FormatText || w.hasFormatField():
		return nil
	case f.Kind == llm.FormatSchema && f.Schema != nil:
		text := append(rawjson.String{}, '"')
		text = append(text, alone+` It must match this JSON Schema:\n`...)
		text = rawjson.AppendEscaped(text, []byte(f.Schema))
		return append(text, '"')
	}
	return rawjson.String(`"` + alone + `"`)
}

// outputConfig writes effort and form of the answer.
func (w *requestWriter) outputConfig() {
	open, end := `,"output_config":{`, ""
	if w.plan.word != "" {
		w.raw(open, `"effort":"`, string(w.plan.word), `"`)
		open, end = `,`, `}`
	}
	if w.hasFormatField() {
		w.raw(open, `"format":{"type":"json_schema","schema":`)
		w.dst = append(w.dst, w.r.Format.Schema...)
		w.raw(`}`)
		end = `}`
	}
	w.raw(end)
}
