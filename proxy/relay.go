package proxy

import (
	"io"
	"net/http"
	"slices"
	"time"

	"glmtray/proxy/llm"
	"glmtray/proxy/sse"
)

// relay streams an answer to a streaming client: the only streaming loop there is.
// Everything that one read of the upstream completed goes out in one write. In the
// native lane the frames go out as they came, and are decoded only to learn how
// the answer ends; else their events are encoded for the client. A stream that
// breaks off is told to the client as an error in its dialect.
func (s *Server) relay(x *exchange, a *answer) {
	r := newRelayer(s, x, a)
	if r.native {
		x.delivery.header(func(h http.Header) { passHeaders(h, a.resp.Header, "text/event-stream") })
		r.out = append(r.out, a.lead...)
	}
	r.frame(a.first)
	r.settleEstimate()
	x.letGo()
	err := a.ended
	for {
		for f, ok := a.stream.Next(); ok; f, ok = a.stream.Next() {
			r.frame(f)
		}
		if err != nil {
			r.finish(err)
		}
		if r.over {
			s.keepStreamed(x, r.enc)
		}
		if len(r.out) > 0 && x.delivery.send(r.out) != nil {
			x.gaveUp(s.gone(x))
			return
		}
		if r.over && !r.native || err != nil {
			break
		}
		if r.over {
			a.endSoon()
		}
		r.out = r.out[:0]
		err = a.stream.Fill()
	}
	if err == nil {
		a.drain()
	}
	a.buffer.out, a.buffer.events = r.out[:0], r.events[:0]
}

// relayer is the state of one relayed stream.
type relayer struct {
	server *Server
	x      *exchange
	a      *answer
	native bool
	dec    decoder
	enc    encoder
	// present shows the thinking, but not in the native lane.
	present llm.Presenter
	events  []llm.Event
	out     []byte
	over    bool // the answer has ended, well or with an error
}

func newRelayer(s *Server, x *exchange, a *answer) *relayer {
	return &relayer{
		server: s, x: x, a: a, native: x.Native,
		dec: x.wire().newDecoder(), enc: x.client.newEncoder(x.reply),
		events: a.buffer.events, out: a.buffer.out, present: llm.Presenter{Display: s.display(x)},
	}
}

// settleEstimate makes the estimate that a later event may ask for, if the first
// was not the start, as long as the request is there.
func (r *relayer) settleEstimate() {
	if r.x.estimate != nil {
		n := r.x.estimate()
		r.x.estimate = func() int { return n }
	}
}

// frame takes one frame of the upstream.
func (r *relayer) frame(f sse.Frame) {
	if r.native {
		if r.x.rename != nil {
			f = renamed(f, r.x.client.name, r.x.rename)
		}
		if out, done := r.x.client.rewrite(r.out, f, r.x); done {
			r.out = out
		} else {
			r.out = append(r.out, f.Raw...)
		}
	}
	if r.over || f.Data == nil {
		return
	}
	r.events = r.dec.Append(r.events[:0], f)
	r.take(!r.native)
}

// take notes the events at hand, and encodes them if they are to be.
func (r *relayer) take(encode bool) {
	events := r.events
	if !r.native {
		events = r.present.Present(events)
	}
	for i := range events {
		e := &events[i]
		r.x.event(e)
		switch e.Kind {
		case llm.EventStart:
			r.x.estimate = nil // lets go of the request
		case llm.EventBlockStart:
			r.x.names.Restore(e)
		case llm.EventError:
			r.server.explain(r.x, e.Err)
			r.x.gaveUp(e.Err)
			r.over = true
		case llm.EventFinish:
			r.over = true
		}
		if encode {
			r.out = r.enc.Append(r.out, e)
		}
	}
}

// finish takes the end of the stream. An answer that is not over by then was cut,
// which native clients are told by an error of ours behind the upstream's bytes.
func (r *relayer) finish(err error) {
	unfinished := false
	if err == io.EOF {
		rest := r.a.stream.Rest()
		r.frame(rest)
		unfinished = len(rest.Raw) > 0
	}
	if r.over {
		return
	}
	r.events = r.dec.Close(r.events[:0])
	if err != io.EOF {
		r.events = append(r.events[:0], llm.Event{Kind: llm.EventError, Err: r.server.broken(r.x, err)})
	}
	failed := len(r.events) > 0 && r.events[len(r.events)-1].Kind == llm.EventError
	if failed && r.native && unfinished {
		r.out = append(r.out, "\n\n"...)
	}
	r.take(!r.native || failed)
}

// collect answers a batch client from a stream.
func (s *Server) collect(x *exchange, a *answer) *llm.Error {
	dec := x.wire().newDecoder()
	x.Native = false
	var events []llm.Event
	size := 0
	add := func(f sse.Frame) {
		if size += len(f.Data); f.Data == nil || size > maxAnswer {
			return
		}
		at := len(events)
		f.Data = slices.Clone(f.Data) // events outlive the read buffer here
		events = dec.Append(events, f)
		for i := at; i < len(events); i++ {
			x.event(&events[i])
		}
	}
	add(a.first)
	err := a.ended
	for {
		for f, ok := a.stream.Next(); ok; f, ok = a.stream.Next() {
			add(f)
		}
		if err != nil || size > maxAnswer || isOver(events) {
			break
		}
		err = a.stream.Fill()
	}
	if err == io.EOF {
		add(a.stream.Rest())
	}
	switch {
	case size > maxAnswer:
		return s.nonsense("an answer of more than 64 MB", nil)
	case isOver(events):
		a.drain()
	case err != io.EOF:
		return s.broken(x, err)
	}
	return s.replyWith(x, dec.Close(events))
}

// isOver reports whether events hold the end of their answer.
func isOver(events []llm.Event) bool {
	n := len(events)
	return n > 0 && (events[n-1].Kind == llm.EventFinish || events[n-1].Kind == llm.EventError)
}

// unroll answers a streaming client from a batch.
func (s *Server) unroll(x *exchange, a *answer) *llm.Error {
	x.Native = false
	events := x.wire().decodeResponse(nil, a.body)
	if failure := s.failure(x, events); failure != nil {
		return failure
	}
	events = s.present(x, events)
	enc := x.client.newEncoder(x.reply)
	var out []byte
	for i := range events {
		x.event(&events[i])
		x.names.Restore(&events[i])
		out = enc.Append(out, &events[i])
	}
	s.keepStreamed(x, enc)
	if x.delivery.send(out) != nil {
		x.gaveUp(s.gone(x))
	}
	return nil
}

// present shows the thinking of a whole answer as the settings want it.
func (s *Server) present(x *exchange, events []llm.Event) []llm.Event {
	p := llm.Presenter{Display: s.display(x)}
	return p.Present(events)
}

// display is how an answer's thinking is shown. The summary of a conversation, which no
// person reads, has none of it in its text, nor has a completion, which goes on from one.
func (s *Server) display(x *exchange) llm.Display {
	if x.client == completionsDialect || x.reply.echo.Summarizes() {
		return llm.ThinkingApart
	}
	return s.Thinking
}

// failure returns the error that events end in, explained, if they do.
func (s *Server) failure(x *exchange, events []llm.Event) *llm.Error {
	if n := len(events); n > 0 && events[n-1].Kind == llm.EventError {
		err := events[n-1].Err
		s.explain(x, err)
		return err
	}
	return nil
}

// explain says what an error within an answer means, and tells the account's pool, for
// the requests to come. Those of the relay itself, which have a status or no code, say so
// already.
func (s *Server) explain(x *exchange, err *llm.Error) {
	if err.Status == 0 && (err.Code != "" || s.Upstream.Rewrite != nil) {
		s.Upstream.Explain(err, time.Now())
		x.lease.Done(err)
	}
}

// gaveUp notes the error of an answer that had begun.
func (x *exchange) gaveUp(err *llm.Error) {
	if x.Err != nil {
		return
	}
	x.Err = err
	if err.Kind == llm.ErrCanceled {
		x.Status = llm.StatusClientClosed
	}
}

// batch answers a batch client from a batch.
func (s *Server) batch(x *exchange, a *answer) *llm.Error {
	events := x.wire().decodeResponse(nil, a.body)
	if failure := s.failure(x, events); failure != nil {
		return failure
	}
	if !x.Native {
		return s.replyWith(x, events)
	}
	for i := range events {
		x.event(&events[i])
	}
	s.passBatch(x, a)
	return nil
}

// replyWith answers a batch client with the fold of events.
func (s *Server) replyWith(x *exchange, events []llm.Event) *llm.Error {
	if failure := s.failure(x, events); failure != nil {
		return failure
	}
	events = s.present(x, events)
	for i := range events {
		x.event(&events[i])
		x.names.Restore(&events[i])
	}
	response, err := llm.Fold(events)
	if err != nil {
		return err
	}
	var body []byte
	if x.client.answer == nil {
		body = x.client.appendResponse(nil, response, x.reply)
	} else if body, err = x.client.answer(response, x.reply); body == nil {
		return err
	} else if err != nil {
		x.gaveUp(err)
	}
	s.keep(x, body)
	x.replyJSON(http.StatusOK, body)
	return nil
}
