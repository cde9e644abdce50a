package webchat

import (
	"strings"

	"github.com/google/uuid"

	"glmtray/proxy/llm"
	"glmtray/proxy/rawjson"
)

// EncodeRequest appends a request as the chat site takes it. What it cannot carry
// becomes a warning of r, which is not changed otherwise; a warning with Refuse set
// means that the request must not be sent. r must be arranged (see
// llm.Request.Arrange). The site answers with a stream in any case, so that is asked
// for whatever r.Stream says. Each call makes new ids: a request is a chat of its own,
// of which the site keeps no history.
//
// The page also sends signature_prompt, the text that its signature is made from; as
// no signature is made here, it is left out.
func EncodeRequest(dst []byte, r *llm.Request, t llm.Target) []byte {
	w := requestWriter{dst: dst, r: r, t: t}
	w.lost()
	w.raw(`{"stream":true,"model":`)
	w.dst = rawjson.AppendQuote(w.dst, siteModel(r.Model.String()))
	w.raw(`,"messages":[`)
	w.messages()
	w.raw(`],"params":{},"features":{"image_generation":false,"web_search":false,"auto_web_search":false,"preview_mode":true,"enable_thinking":`)
	w.thinking()
	w.raw(`,"flags":[]},"chat_id":"` + uuid.NewString() + `","id":"` + uuid.NewString() + `"`)
	w.raw(`,"mcp_servers":[],"variables":{"{{USER_NAME}}":"Guest"},"background_tasks":{"title_generation":false,"tags_generation":false}}`)
	return w.dst
}

// siteModel is the site's name of a model.
func siteModel(name string) string {
	name = strings.TrimSuffix(name, longContext)
	if own, ok := siteModels[strings.ToLower(name)]; ok {
		return own
	}
	return name
}

type requestWriter struct {
	dst []byte
	r   *llm.Request
	t   llm.Target
}

func (w *requestWriter) raw(s string) { w.dst = append(w.dst, s...) }

// warn records a loss once: many blocks may be of one kind.
func (w *requestWriter) warn(field, reason string) { w.tell(llm.Warning{Field: field, Reason: reason}) }

// refuse records once that the request must not be sent.
func (w *requestWriter) refuse(field, reason string) {
	w.tell(llm.Warning{Field: field, Reason: reason, Refuse: true})
}

func (w *requestWriter) tell(told llm.Warning) {
	for i := range w.r.Warnings {
		if w.r.Warnings[i] == told {
			return
		}
	}
	w.r.Warnings = append(w.r.Warnings, told)
}

// lost tells what the site has no place for, beside the blocks of messages.
func (w *requestWriter) lost() {
	r := w.r
	if len(r.Tools) > 0 && r.Choice.Mode != llm.ChoiceNone { // what must not be called is not shown
		w.refuse("tools", "cannot be used in guest mode, the chat site knows none; log in to use tools")
	}
	for _, of := range []struct {
		field string
		asked bool
	}{
		{"max_tokens", r.MaxTokens > 0},
		{"temperature", r.Temperature != nil || w.t.Temperature != nil},
		{"top_p", r.TopP != nil},
		{"stop", len(r.Stop) > 0},
		{"user", !r.User.Empty()},
	} {
		if of.asked {
			w.warn(of.field, "is not taken by the chat site")
		}
	}
}

// thinking writes whether the model shall think. A request that does not say gets what
// is the default of these models: they do.
func (w *requestWriter) thinking() {
	think := w.r.Thinking
	off := think.Mode == llm.ThinkingOff || think.Mode == llm.ThinkingUnset && think.Effort == llm.EffortNone
	switch {
	case off && w.t.AlwaysThinks:
		w.warn("thinking", "cannot be turned off with this model")
	case off:
		w.raw("false")
		return
	case think.Budget > 0:
		w.warn("thinking.budget_tokens", "is not taken by the chat site")
	case think.Effort != "" && think.Effort != llm.EffortNone:
		w.warn("thinking", "can only be on or off at the chat site")
	}
	w.raw("true")
}
