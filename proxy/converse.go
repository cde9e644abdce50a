package proxy

import (
	"hash/maphash"
	"maps"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"glmtray/proxy/llm"
	"glmtray/proxy/rawjson"
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
	client   *http.Request
	in       *incoming
	received *bodyBuffer    // what the client sent
	model    rawjson.String // that is asked instead of the client's; nil: the client's
	ask      Ask
	// arranged says that in has been made ready to be translated, and warned how many
	// warnings there were then, before any of an upstream's dialect.
	arranged bool
	warned   int

	endpoint upstream.Endpoint
	detour   bool // the endpoint is not the client's usual one: what goes there is written anew
	lease    upstream.Lease
	header   http.Header
	body     *payload

	tried    []string      // accounts that have failed
	back     time.Duration // until another account is back, if the last error says nothing better
	switched bool          // the other endpoint has been tried
	proof    http.Header   // that there is a person; for one request
	proved   bool          // the last attempt had one
	refused  int           // proofs that were not accepted
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
	images := in.HasImages()
	model, err := s.choose(x, in, images)
	if err != nil {
		return nil, err
	}
	if model != nil {
		in.Model = model
	}
	out := &outgoing{client: r, in: in, received: body, model: model, endpoint: s.Upstream.Endpoint(x.client.name)}
	if images {
		usual, ok := out.endpoint, false
		if out.endpoint, ok = s.Upstream.ForImages(usual); !ok {
			return nil, llm.Invalid("messages", "messages: %s takes no images over the only address that is set; set providers.%s.openaiBase", s.Upstream.Name, s.Upstream.Provider)
		}
		out.detour = out.endpoint != usual
	}
	// The conversation is worked out once: arranging its turns changes how it begins.
	out.ask = Ask{Client: s.clientKey(r), Conversation: sync.OnceValue(func() string { return conversationOf(r, in) })}
	out.lease, err = s.Credential(x.ctx, out.ask)
	if err != nil {
		return nil, err
	}
	if err := s.address(x, out); err != nil {
		return nil, err
	}
	x.report()
	return out, nil
}

// address makes header and body for the endpoint and the account of a request.
func (s *Server) address(x *exchange, out *outgoing) (err *llm.Error) {
	x.Wire, x.Account, x.lease = out.endpoint.Dialect, out.lease.Name, out.lease
	same := x.Wire == x.client.name && !out.detour
	target := s.Upstream.TargetFor(out.in.Model)
	if out.lease.User != "" {
		target.User = rawjson.Quote(out.lease.User)
	}
	if target.Model = out.model; same {
		if err := s.unreadable(out.in); err != nil {
			return err
		}
		x.Dropped = nil
		out.body = newPayload(out.received, out.in.edits(target))
	} else if out.body, err = s.translated(x, out, target); err != nil {
		return err
	}
	x.Native = same && s.Thinking == llm.ThinkingApart
	x.prepareEstimate(out.in, len(out.received.bytes))
	out.header = s.Upstream.Header(out.endpoint, out.client.Header, upstream.Call{
		Same: same, Session: sessionOf(out.client, out.in), Subagent: out.client.Header.Get("X-Claude-Code-Agent-Id") != "",
	})
	out.endpoint.Authorize(out.header, out.lease.Credential)
	maps.Copy(out.header, out.lease.Header)
	x.asked = acceptable(out.client, x.Stream || !x.Native)
	out.header.Set("Accept-Encoding", strings.Join(x.asked, ", "))
	x.announce()
	return nil
}

// unreadable refuses a request that can pass as it is, but whose answer cannot where it
// is written anew.
func (s *Server) unreadable(in *incoming) *llm.Error {
	if s.Thinking == llm.ThinkingApart {
		return nil
	}
	for _, w := range in.Warnings {
		if w.Refuse && (w.Field == "n" || w.Field == "modalities" || w.Field == "audio") {
			return llm.Invalid(w.Field, "%s: %s", w.Field, w.Reason)
		}
	}
	return nil
}

// translated is the request in the upstream's dialect.
func (s *Server) translated(x *exchange, o *outgoing, target llm.Target) (*payload, *llm.Error) {
	in := o.in
	if !o.arranged {
		in.Arrange()
		x.names = in.SafeNames()
		o.arranged, o.warned = true, len(in.Warnings)
	}
	in.Warnings = in.Warnings[:o.warned]
	const room = 1 << 10
	size := len(o.received.bytes)
	out := newBodyBuffer(size + size/8 + room)
	x.hold(out)
	out.bytes = x.wire().encodeRequest(out.bytes, in.Request, target)
	// The client's dialect knows some of what must not be left out, the upstream's
	// the rest.
	for i := range in.Warnings {
		warning := &in.Warnings[i]
		if x.client.name == upstream.Responses {
			warning.Field = strings.Replace(warning.Field, "messages", "input", 1)
		}
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

// sessionOf returns what identifies the client's conversation or its user, or "".
func sessionOf(r *http.Request, in *incoming) string {
	if s := headerSession(r); s != "" {
		return s
	}
	return in.User.String()
}

func headerSession(r *http.Request) string {
	for _, name := range []string{"X-Claude-Code-Session-Id", "X-Session-Id", "Session_id"} {
		if v := r.Header.Get(name); v != "" {
			return v
		}
	}
	return ""
}

// conversationOf returns what identifies the client's conversation among others: what it
// says itself, else a hash of how the conversation began.
func conversationOf(r *http.Request, in *incoming) string {
	if s := headerSession(r); s != "" {
		return s
	}
	if key := in.conversation.String(); key != "" {
		return key
	}
	var h maphash.Hash
	h.SetSeed(conversations)
	write := func(blocks []llm.Block) {
		for i := range blocks {
			_, _ = h.Write(blocks[i].Text) // a hash does not fail
			if m := blocks[i].Media; m != nil {
				_, _ = h.Write(m.Data)
			}
		}
	}
	// Some clients put in system messages later, which are all of them here.
	write(in.System[:min(len(in.System), 1)])
	if len(in.Messages) > 0 {
		write(in.Messages[0].Blocks)
	}
	return strconv.FormatUint(h.Sum64(), 16)
}

// conversations makes the hashes of this run its own.
var conversations = maphash.MakeSeed()

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
