package proxy

import (
	"net/http"
	"slices"
	"strconv"
	"strings"

	"glmtray/proxy/rawjson"
)

// passedHeaders are what a native answer keeps of the upstream's header: what
// belongs to the wire format and to the provider's limits.
var passedHeaders = []string{"Retry-After", "X-Log-Id", "Openai-Processing-Ms", "Openai-Version"}

// passHeaders hands those to the client. contentType is what the body is, which an
// upstream may have forgotten to say, or said wrong.
func passHeaders(to, from http.Header, contentType string) {
	for name, values := range from {
		if strings.HasPrefix(name, "Anthropic-") || strings.HasPrefix(name, "X-Ratelimit-") || slices.Contains(passedHeaders, name) {
			to[name] = values
		}
	}
	to.Set("Content-Type", contentType)
	if said := from.Get("Content-Type"); strings.Contains(strings.ToLower(said), contentType) {
		to.Set("Content-Type", said)
	}
}

// passBatch hands a batch to a client of the same dialect, byte by byte. It stays
// compressed if it came so and the client takes that.
func (s *Server) passBatch(x *exchange, a *answer) {
	body := a.body
	if x.rename != nil {
		body, a.packed = rawjson.Splice(nil, body, modelEdit(body, false, x.rename)), nil
	}
	x.delivery.header(func(h http.Header) {
		passHeaders(h, a.resp.Header, "application/json")
		h.Set("Vary", "Accept-Encoding")
		// What was asked for is what the client takes.
		encoding := a.resp.Header.Get("Content-Encoding")
		if a.packed != nil && slices.Contains(x.asked, strings.ToLower(encoding)) {
			body = a.packed
			h.Set("Content-Encoding", encoding)
		}
		h.Set("Content-Length", strconv.Itoa(len(body)))
	})
	x.delivery.finish(http.StatusOK, body)
}
