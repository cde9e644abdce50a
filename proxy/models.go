package proxy

import (
	"encoding/json"
	"net/http"
	"time"

	"glmtray/proxy/llm"
	"glmtray/proxy/upstream"
)

// released is the date that models are listed with whose release is not known; the
// clients want one.
var released = time.Date(2025, 7, 28, 0, 0, 0, 0, time.UTC)

// chatModel is a model as the OpenAI reference has it, with the sizes that some
// clients look for.
type chatModel struct {
	ID            string `json:"id"`
	Object        string `json:"object"`
	Created       int64  `json:"created"`
	OwnedBy       string `json:"owned_by"`
	ContextLength int    `json:"context_length,omitempty"`
	MaxOutput     int    `json:"max_output_tokens,omitempty"`
}

// messagesModel is a model as the Anthropic reference has it.
type messagesModel struct {
	Type        string `json:"type"`
	ID          string `json:"id"`
	DisplayName string `json:"display_name"`
	CreatedAt   string `json:"created_at"`
	MaxInput    int    `json:"max_input_tokens,omitempty"`
	MaxTokens   int    `json:"max_tokens,omitempty"`
}

func releaseOf(m upstream.Model) time.Time {
	if at, err := time.Parse(time.DateOnly, m.Released); err == nil {
		return at
	}
	return released
}

// shapeModel gives a model the shape of the caller's dialect.
func shapeModel(r *http.Request, m upstream.Model) any {
	if dialectOf(r).name == upstream.Messages {
		return messagesModel{"model", m.ID, m.Name, releaseOf(m).Format(time.RFC3339), m.Context, m.MaxOutput}
	}
	return chatModel{m.ID, "model", releaseOf(m).Unix(), "zhipuai", m.Context, m.MaxOutput}
}

// listModels answers from the built-in list; it needs no upstream and no account.
func (s *Server) listModels(w http.ResponseWriter, r *http.Request) {
	var models []upstream.Model
	anthropic := dialectOf(r).name == upstream.Messages
	if anthropic {
		// Such clients offer only what has a name of Anthropic's, or one from the settings.
		for _, name := range s.Naming.Names() {
			if m, ok := s.model(name); ok {
				models = append(models, m)
			}
		}
	}
	for _, m := range s.Upstream.Models {
		if m.Listed {
			models = append(models, m)
		}
	}
	list := make([]any, 0, len(models))
	for _, m := range models {
		list = append(list, shapeModel(r, m))
	}
	if !anthropic {
		writeJSON(w, map[string]any{"object": "list", "data": list})
		return
	}
	page := map[string]any{"data": list, "has_more": false, "first_id": nil, "last_id": nil}
	if n := len(models); n > 0 {
		page["first_id"], page["last_id"] = models[0].ID, models[n-1].ID
	}
	writeJSON(w, page)
}

// model finds a model by its own name or by another that stands for it, which it then
// has.
func (s *Server) model(name string) (upstream.Model, bool) {
	m, ok := s.Upstream.Models.Lookup(name)
	if ok {
		return m, true
	}
	m, ok = s.Upstream.Models.Lookup(s.Naming.Resolve(name, false))
	if ok {
		m.ID, m.Name = name, m.Name+" as "+name
	}
	return m, ok
}

// showModel answers for one model, listed or not.
func (s *Server) showModel(w http.ResponseWriter, r *http.Request) {
	id := cleanPath(r.URL.Path)[len("/models/"):]
	m, ok := s.model(id)
	if !ok {
		s.refuse(w, r, &llm.Error{Kind: llm.ErrNotFound, Message: "no model " + id + " is known here; models that are not listed are sent upstream all the same"})
		return
	}
	writeJSON(w, shapeModel(r, m))
}

// writeJSON answers with a value that encodes without failure.
func writeJSON(w http.ResponseWriter, v any) {
	body, err := json.Marshal(v)
	if err != nil {
		panic(err) // maps, slices and structs of plain values encode
	}
	w.Header().Set("Content-Type", "application/json")
	writeBody(w, append(body, '\n'))
}
