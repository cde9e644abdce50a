// Package upstream knows where a request can go: the providers and their plans as
// data, one file a provider, how each wants to be addressed (credential, identity
// headers), what its error codes mean, and when a retry makes sense.
//
// It sends nothing itself: package proxy does, over the transport made here. A new
// provider is a file with a function that returns an [Upstream] and a line in
// [Lookup].
package upstream

import (
	"net/http"
	"strings"
	"sync/atomic"

	"glmtray/proxy/llm"
	"glmtray/proxy/rawjson"
	"glmtray/proxy/secret"
)

// Dialect names a wire format that an endpoint speaks.
type Dialect string

// The dialects of upstreams.
const (
	Messages Dialect = "messages" // Anthropic Messages
	Chat     Dialect = "chat"     // OpenAI Chat Completions
	WebChat  Dialect = "webchat"  // Z.AI's chat site
)

// The dialects of clients alone: OpenAI Responses, and the older Completions, which are
// served as Chat Completions are.
const (
	Responses   Dialect = "responses"
	Completions Dialect = "completions"
)

// Scheme is how an endpoint takes the credential.
type Scheme uint8

// The schemes. APIKey is the x-api-key header that Anthropic uses.
const (
	Bearer Scheme = iota
	APIKey
)

// Endpoint is one URL that speaks one dialect. The zero Endpoint is an absent one.
type Endpoint struct {
	Dialect Dialect
	URL     string // where requests are posted, complete
	Scheme  Scheme
	// DropsImages says that images sent there reach no model, and nobody is told.
	DropsImages bool
}

// Upstream is one provider and plan. It is a value to be copied and changed before
// use, and must not be changed afterwards: it is shared by all requests.
type Upstream struct {
	// Name is the provider's name as people know it, for messages and logs.
	Name string
	// Provider and Plan are the settings that chose this upstream.
	Provider, Plan string
	// Messages and Chat are the endpoints; at least one is set. A client whose
	// dialect has none is translated.
	Messages, Chat Endpoint
	// Site are the chat site's older and newer endpoint, which stand alone.
	Site [2]Endpoint
	// Identity is what the program says of itself; see [Identity].
	Identity Identity
	// Trace says which of the trace headers the endpoint's own client sends.
	Trace TraceLevel
	// GLM says that the endpoints have Zhipu's rules and error codes.
	GLM bool
	// Models is what is known of models, by lower-case id.
	Models Models
	// Target carries the settings that every request gets; see [Upstream.TargetFor].
	Target llm.Target
	// ChatVia and MessagesVia are the endpoints that serve clients of Chat Completions,
	// and all others, if they are there; "" is the one of the client's dialect.
	ChatVia, MessagesVia Dialect
	// Wire, if set, says which of the two endpoints is used for all clients.
	Wire *Wire
	// Rewrite, if set, says in words what an error of the endpoints means, before anything
	// else does, and reports whether it knew. It may be called concurrently.
	Rewrite func(*llm.Error) bool
}

// Wire chooses between the two endpoints of an upstream of which only one may be there.
// The first is tried first; what was found is remembered. It may be used concurrently.
type Wire struct{ second atomic.Bool }

// pair are the two endpoints that Wire chooses from.
func (u *Upstream) pair() (first, second Endpoint) {
	if u.Site[0].URL != "" {
		return u.Site[0], u.Site[1]
	}
	return u.Messages, u.Chat
}

// Found notes that an endpoint is the one that is there.
func (u *Upstream) Found(e Endpoint) {
	_, second := u.pair()
	u.Wire.second.Store(e == second)
}

// Other returns the endpoint to try where one was not found, and whether there is one.
func (u *Upstream) Other(e Endpoint) (Endpoint, bool) {
	first, second := u.pair()
	if u.Wire == nil || first.URL == "" || second.URL == "" {
		return Endpoint{}, false
	}
	if e == first {
		return second, true
	}
	return first, true
}

// Endpoint returns the endpoint for a client of a dialect: the one that the settings name,
// else the one of the same dialect, so that nothing needs to be translated; the other if
// that is not there.
func (u *Upstream) Endpoint(client Dialect) Endpoint {
	if client == Completions {
		client = Chat
	}
	via := client
	switch {
	case u.Wire != nil:
		first, second := u.pair()
		if u.Wire.second.Load() {
			return second
		}
		return first
	case client == Chat && u.ChatVia != "":
		via = u.ChatVia
	case client != Chat && u.MessagesVia != "":
		via = u.MessagesVia
	}
	first, other := u.Messages, u.Chat
	if via == Chat {
		first, other = u.Chat, u.Messages
	}
	if first.URL != "" {
		return first
	}
	return other
}

// ForImages returns the endpoint for a request with images that would go to e: another,
// if e drops them. It reports whether there is one that takes them.
func (u *Upstream) ForImages(e Endpoint) (Endpoint, bool) {
	for _, e := range []Endpoint{e, u.Chat, u.Messages} {
		if e.URL != "" && !e.DropsImages {
			return e, true
		}
	}
	return Endpoint{}, false
}

// TargetFor returns what a request for a model must heed. name is the literal that
// the client sent.
func (u *Upstream) TargetFor(name rawjson.String) llm.Target {
	t := u.Target
	m, known := u.Models.Lookup(name.String())
	t.GLM = u.GLM || strings.HasPrefix(strings.ToLower(name.String()), "glm-")
	if known {
		t.AlwaysThinks, t.Efforts = m.AlwaysThinks, m.Efforts
		if m.MaxOutput > 0 && t.DefaultMaxTokens > m.MaxOutput {
			t.DefaultMaxTokens = m.MaxOutput
		}
	}
	return t
}

// Authorize sets the credential's header.
func (e Endpoint) Authorize(h http.Header, credential secret.Value) {
	if e.Scheme == APIKey {
		h.Set("X-Api-Key", credential.Reveal())
		return
	}
	h.Set("Authorization", "Bearer "+credential.Reveal())
}

// anthropicVersion is the only version of the Messages API that there is.
const anthropicVersion = "2023-06-01"

// Header returns the headers of a request to an endpoint, without the credential.
// Of the client's headers only those that belong to the wire format are taken
// over, and only to an endpoint of that format: cookies, authorization, referers
// and forwarding headers of a client never leave the machine.
func (u *Upstream) Header(e Endpoint, client http.Header, call Call) http.Header {
	h := make(http.Header, 24)
	h["Content-Type"] = []string{"application/json"}
	if e.Dialect == WebChat {
		return h // what the site expects comes with each token
	}
	if e.Dialect == Messages {
		h["Anthropic-Version"] = []string{anthropicVersion}
		if v := client["Anthropic-Version"]; len(v) > 0 && call.Same {
			h["Anthropic-Version"] = v[:1]
		}
		if v := client["Anthropic-Beta"]; len(v) > 0 && call.Same {
			h["Anthropic-Beta"] = []string{strings.Join(v, ",")}
		}
	}
	u.Identity.apply(h, e)
	u.trace(h, call)
	return h
}
