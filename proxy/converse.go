package proxy

import (
	"net/http"
	"slices"
	"strings"

	"glmtray/proxy/llm"
	"glmtray/proxy/secret"
	"glmtray/proxy/upstream"
)

// converse handles a conversation's turn for a client of a dialect.
func (s *Server) converse(w http.ResponseWriter, r *http.Request, client *dialect) {
	x := s.begin(w, r, client)
	defer s.end(x)
	if err := s.turn(x, w, r); err != nil {
		x.fail(err)
	}
}

// turn reads the request, sends it upstream, and delivers the answer. It returns
// the error with which the exchange ends, which the client has not been told yet.
func (s *Server) turn(x *exchange, w http.ResponseWriter, r *http.Request) *llm.Error {
	defer x.letGo()
	out, err := s.prepare(x, w, r)
	if err != nil {
		return err
	}
	var keepAlive []byte
	if x.Stream {
		keepAlive = x.client.appendKeepAlive(nil)
	}
	x.delivery.watch(keepAlive)
	a, err := s.send(x, out)
	if err != nil {
		return err
	}
	defer a.close()
	return s.deliver(x, a)
}

// outgoing is a request as it goes upstream.
type outgoing struct {
	endpoint   upstream.Endpoint
	header     http.Header
	credential secret.Value
	body       *payload
}

// prepare does everything that can fail before something is sent.
func (s *Server) prepare(x *exchange, w http.ResponseWriter, r *http.Request) (*outgoing, *llm.Error) {
	body, err := s.readBody(w, r)
	if err != nil {
		return nil, err
	}
	x.hold(body)
	in, err := x.client.decodeRequest(body.bytes)
	if err != nil {
		return nil, err
	}
	x.understood(in)
	credential, err := s.Credential(r.Context(), s.clientKey(r))
	if err != nil {
		return nil, err
	}
	out := &outgoing{endpoint: s.Upstream.Endpoint(x.client.name), credential: credential}
	x.Wire = out.endpoint.Dialect
	same := x.Wire == x.client.name
	if same {
		out.body = newPayload(body, in.edits(s.Upstream.TargetFor(in.Model)))
	} else if out.body, err = s.translated(x, len(body.bytes), in); err != nil {
		return nil, err
	}
	x.Native = same
	x.prepareEstimate(in, len(body.bytes))
	out.header = s.Upstream.Header(out.endpoint, r.Header, upstream.Call{
		Same: same, Session: sessionOf(r, in), Subagent: r.Header.Get("X-Claude-Code-Agent-Id") != "",
	})
	out.endpoint.Authorize(out.header, credential)
	x.asked = acceptable(r, x.Stream || !same)
	out.header.Set("Accept-Encoding", strings.Join(x.asked, ", "))
	x.announce()
	x.report()
	return out, nil
}

// translated is the request in the upstream's dialect. size is the one that it has
// in the client's.
func (s *Server) translated(x *exchange, size int, in *incoming) (*payload, *llm.Error) {
	in.Arrange()
	x.names = in.SafeNames()
	const room = 1 << 10
	out := newBodyBuffer(size + size/8 + room)
	x.hold(out)
	out.bytes = dialectNamed(x.Wire).encodeRequest(out.bytes, in.Request, s.Upstream.TargetFor(in.Model))
	// The client's dialect knows some of what must not be left out, the upstream's
	// the rest.
	for _, warning := range in.Warnings {
		if warning.Refuse {
			return nil, llm.Invalid(warning.Field, "%s: %s", warning.Field, warning.Reason)
		}
	}
	x.Dropped = slices.Clone(in.Warnings)
	return newPayload(out, nil), nil
}

// prepareEstimate sees to the number of prompt tokens that a client is told where
// the upstream tells none. An exact estimate reads the whole prompt, so it is made
// only where it is needed: for the start of a Messages stream, which chat upstreams
// never tell, and Z.AI not either. Else the size of the body has to do.
func (x *exchange) prepareEstimate(in *incoming, size int) {
	const bytesPerToken = 4
	x.reply.inputEstimate = size / bytesPerToken
	if x.client.name != upstream.Messages {
		return
	}
	if !x.Native {
		x.reply.inputEstimate = in.EstimateTokens()
	} else if x.Stream {
		x.estimate = in.EstimateTokens
	}
}

// sessionOf returns what identifies the client's conversation, or "".
func sessionOf(r *http.Request, in *incoming) string {
	for _, name := range []string{"X-Claude-Code-Session-Id", "X-Session-Id", "Session_id"} {
		if v := r.Header.Get(name); v != "" {
			return v
		}
	}
	return in.User.String()
}

// deliver hands the answer to the client in the form that it asked for.
func (s *Server) deliver(x *exchange, a *answer) *llm.Error {
	switch {
	case a.stream != nil && x.Stream:
		s.relay(x, a)
		return nil
	case a.stream != nil:
		return s.collect(x, a)
	case x.Stream:
		return s.unroll(x, a)
	}
	return s.batch(x, a)
}
