package proxy

import (
	"bytes"
	"errors"
	"io"
	"net/http"
	"strings"
	"sync"
	"time"

	"glmtray/proxy/llm"
	"glmtray/proxy/sse"
	"glmtray/proxy/upstream"
)

const (
	// maxAnswer is the largest batch answer.
	maxAnswer = 64 << 20
	// maxError is how much is read of a failed answer.
	maxError = 1 << 20
	// maxLead is how much may come before the first event of a stream.
	maxLead = 64 << 10
)

// answer is an upstream's answer that has begun well: a stream whose first event
// is known, or a whole batch.
type answer struct {
	resp *http.Response
	// stream is set for a stream; first is its first event, lead what came before
	// it, and ended what the read that brought it returned.
	stream *sse.Reader
	first  sse.Frame
	lead   []byte
	ended  error
	buffer *streamBuffers
	// body is a batch as JSON; packed is how it came, if that was compressed.
	body, packed []byte
	// ending closes a connection that stays open behind the end of its answer.
	ending *time.Timer
}

// endSoon gives an upstream that has said everything a moment to end its body, which
// is usually one more read away.
func (a *answer) endSoon() {
	const wait = 500 * time.Millisecond
	if a.ending == nil {
		a.ending = time.AfterFunc(wait, func() { a.resp.Body.Close() })
	}
}

// drain reads what is left behind the end of an answer, so that the connection can be
// used again. It neither waits long nor reads much.
func (a *answer) drain() {
	const most = 64 << 10
	a.endSoon()
	_, _ = io.CopyN(io.Discard, a.resp.Body, most) // what comes behind the end is of no interest
}

// close lets go of the connection and of the buffers.
func (a *answer) close() {
	if a.ending != nil {
		a.ending.Stop()
	}
	a.resp.Body.Close()
	if a.buffer != nil {
		a.buffer.release()
	}
}

// streamBuffers are the buffers of one stream, pooled.
type streamBuffers struct {
	in, out []byte
	events  []llm.Event
}

var bufferPool = sync.Pool{New: func() any {
	const in, out, events = 2 << 10, 2 << 10, 4 // they grow with the stream
	return &streamBuffers{in: make([]byte, in), out: make([]byte, 0, out), events: make([]llm.Event, 0, events)}
}}

// release gives the buffers back, unless they have grown beyond what is worth
// keeping.
func (b *streamBuffers) release() {
	const worth = 256 << 10
	if cap(b.out) <= worth {
		clear(b.events[:cap(b.events)])
		bufferPool.Put(b)
	}
}

// receive looks at what came back. Whatever is no answer becomes an error: a
// status, an error in a 200, a web page, nothing.
func (s *Server) receive(x *exchange, resp *http.Response) (*answer, *llm.Error) {
	a := &answer{resp: resp}
	err := s.open(x, a)
	if err != nil {
		a.close()
		err.RetryAfter = max(err.RetryAfter, upstream.RetryAfter(resp.Header, time.Now()))
		return nil, err
	}
	return a, nil
}

func (s *Server) open(x *exchange, a *answer) *llm.Error {
	resp := a.resp
	if resp.StatusCode >= http.StatusMultipleChoices {
		return s.refused(x, resp)
	}
	encoding := strings.ToLower(resp.Header.Get("Content-Encoding"))
	if isEventStream(resp.Header.Get("Content-Type")) {
		src, err := unpacker(resp.Body, encoding)
		if err != nil {
			return s.nonsense("an answer in an encoding that was not asked for", err)
		}
		return s.openStream(x, a, src)
	}
	body, err := readAll(io.LimitReader(resp.Body, maxAnswer+1), resp.ContentLength)
	if err != nil {
		return s.broken(x, err)
	}
	if len(body) > maxAnswer {
		return s.nonsense("an answer of more than 64 MB", nil)
	}
	if encoding != "" && encoding != "identity" {
		a.packed = body
		if body, err = unpack(body, encoding, maxAnswer); err != nil {
			return s.nonsense("an answer that cannot be unpacked", err)
		}
	}
	return s.openWhole(x, a, body)
}

func isEventStream(contentType string) bool {
	return strings.HasPrefix(strings.ToLower(strings.TrimSpace(contentType)), "text/event-stream")
}

// refused reads the error of a status that is none of success.
func (s *Server) refused(x *exchange, resp *http.Response) *llm.Error {
	body, err := readAll(io.LimitReader(resp.Body, maxError), resp.ContentLength)
	if err != nil && len(body) == 0 && x.ctx.Err() != nil {
		return s.gone(x)
	}
	if plain, err := unpack(body, resp.Header.Get("Content-Encoding"), maxError); err == nil {
		body = plain
	}
	failure := x.wire().parseError(resp.StatusCode, body)
	if failure == nil {
		failure = &llm.Error{Message: "a redirect instead of an answer; something on the way blocks the request"}
	}
	if failure.Code != upstream.CodeBlocked && resp.Header.Get(upstream.CaptchaHeader) != "" {
		failure.Code = upstream.CodeCaptcha // the edge in front of the gateway asks so
	}
	s.Upstream.Explain(failure, time.Now())
	return failure
}

// openWhole takes a body that did not call itself a stream: JSON, an unnamed stream
// (some upstreams forget the content type), or nonsense.
func (s *Server) openWhole(x *exchange, a *answer, body []byte) *llm.Error {
	switch text := bytes.TrimSpace(body); {
	case len(text) == 0:
		return s.nonsense("an empty answer", nil)
	case text[0] == '<':
		return s.nonsense("a web page instead of an answer; something on the way blocks the request", nil)
	case text[0] == '{':
		if failure := x.wire().parseError(0, text); failure != nil {
			s.Upstream.Explain(failure, time.Now())
			return failure
		}
		a.body = body
		return nil
	case bytes.HasPrefix(text, []byte("data:")) || bytes.HasPrefix(text, []byte("event:")) || text[0] == ':':
		a.packed = nil
		return s.openStream(x, a, bytes.NewReader(body))
	}
	return s.nonsense("an answer that is not JSON", nil)
}

// openStream reads up to the first event, so that an error that comes in its place
// can still be told by a status, and be retried.
func (s *Server) openStream(x *exchange, a *answer, src io.Reader) *llm.Error {
	a.buffer = bufferPool.Get().(*streamBuffers)
	a.stream = sse.NewReader(src, a.buffer.in)
	for {
		a.ended = a.stream.Fill()
		for f, ok := a.stream.Next(); ok; f, ok = a.stream.Next() {
			if f.Data != nil {
				a.first = f
				return s.checkFirst(x, f.Data)
			}
			a.lead = append(a.lead, f.Raw...)
		}
		switch {
		case a.ended == io.EOF:
			return s.openShort(x, a)
		case a.ended != nil:
			failure := s.broken(x, a.ended)
			if failure.Kind == llm.ErrUpstream {
				failure.Status = http.StatusBadGateway // nothing of an answer has come: worth another attempt
			}
			return failure
		case len(a.lead) > maxLead:
			return s.nonsense("a stream without events", nil)
		}
	}
}

// openShort takes a stream that ended before an event was complete.
func (s *Server) openShort(x *exchange, a *answer) *llm.Error {
	rest := a.stream.Rest()
	if rest.Data != nil {
		a.first = rest
		return s.checkFirst(x, rest.Data)
	}
	text := append(a.lead, rest.Raw...)
	if isEventText(text) {
		return s.nonsense("a stream without events", nil)
	}
	a.stream, a.lead = nil, nil
	return s.openWhole(x, a, bytes.Clone(text))
}

// isEventText reports whether a stream's remains look like one, so that they are
// not tried as something else.
func isEventText(text []byte) bool {
	text = bytes.TrimSpace(text)
	return len(text) > 0 && text[0] != '{' && text[0] != '<'
}

// checkFirst finds an error in the place of the first event.
func (s *Server) checkFirst(x *exchange, data []byte) *llm.Error {
	failure := x.wire().parseError(0, data)
	if failure != nil {
		s.Upstream.Explain(failure, time.Now())
	}
	return failure
}

// nonsense is the error of an answer that is none. err is why, nil if what says it all.
func (s *Server) nonsense(what string, err error) *llm.Error {
	if err == nil {
		err = errors.New(what)
	}
	failure := &llm.Error{Kind: llm.ErrUpstream, Message: s.Upstream.Name + " sent " + what, Err: err}
	if s.Upstream.Rewrite != nil {
		s.Upstream.Rewrite(failure)
	}
	return failure
}

// broken is the error of an answer that broke off.
func (s *Server) broken(x *exchange, err error) *llm.Error {
	if x.ctx.Err() != nil {
		return s.gone(x)
	}
	return &llm.Error{Kind: llm.ErrUpstream, Message: s.Upstream.Name + ": the connection broke before the answer was complete", Err: err}
}
