package proxy

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"maps"
	"net"
	"net/http"
	"net/url"
	"slices"
	"time"

	"glmtray/proxy/llm"
	"glmtray/proxy/upstream"
)

// send posts the request until an answer has begun or a further attempt makes no
// sense. The client has seen nothing of an answer meanwhile, at the most signs of
// life.
func (s *Server) send(x *exchange, out *outgoing) (*answer, *llm.Error) {
	delays := s.Retry.Delays()
	if s.Person != nil && s.Person.Wanted(x.ctx) {
		if err := s.prove(x, out); err != nil {
			return nil, err
		}
	}
	for attempt := 1; ; attempt++ {
		a, err := s.attempt(x, out)
		out.lease.Done(err)
		if err == nil {
			if out.switched {
				s.Upstream.Found(out.endpoint)
			}
			return a, nil
		}
		if x.ctx.Err() != nil {
			return nil, err
		}
		changed, final := s.change(x, out, err)
		if final != nil {
			return nil, final
		}
		var pause time.Duration
		if !changed {
			again := s.Upstream.Retryable(err)
			if again {
				pause, again = delays.Next(err.RetryAfter)
			}
			if !again {
				if out.back > 0 {
					err.RetryAfter = out.back
				}
				return nil, err
			}
		}
		if connectionLost(err) && attempt == 1 {
			// The connection was dead before the request, as after a sleep; those
			// beside it are likely dead too.
			s.closeIdle()
			pause = 0
		}
		s.Log.LogAttrs(x.ctx, slog.LevelWarn, "attempt failed", append([]slog.Attr{
			slog.String("id", x.ID), slog.Int("attempt", attempt), slog.String("upstream", x.Upstream),
			slog.Int("status", err.Status), slog.Duration("pause", pause.Round(time.Millisecond)),
		}, describe(err)...)...)
		x.Retries++
		x.Attempts = append(x.Attempts, Attempt{At: time.Since(x.Start), Pause: pause, Err: err})
		x.report()
		x.delivery.expectNothing(pause)
		if !sleep(x.ctx, pause) {
			return nil, s.gone(x)
		}
	}
}

// change makes another request of one that failed where that may help: with a proof that
// there is a person, at the endpoint's other path, with another account. It reports
// whether there is something new to try; final is an error that ends the exchange.
func (s *Server) change(x *exchange, out *outgoing, err *llm.Error) (changed bool, final *llm.Error) {
	proved := out.proved
	out.proof, out.proved, out.back = nil, false, 0
	switch {
	case err.Code == upstream.CodeCaptcha && s.Person != nil:
		// Only a request that came with a proof says something about it.
		if proved {
			out.refused++
		}
		if _, more := s.Person.Limits(); out.refused > more {
			return false, err
		}
		return true, s.prove(x, out)
	case err.Status == http.StatusNotFound && (err.Code == "" || err.Code == "404") && !out.switched:
		other, ok := s.Upstream.Other(out.endpoint)
		if !ok {
			return false, nil
		}
		out.endpoint, out.switched = other, true
		return true, s.address(x, out)
	case upstream.FailsOver(err) && out.lease.ID != "":
		return s.another(x, out, err)
	}
	return false, nil
}

// another takes another account for a request. When none of several is left, the pool
// knows best when the first is back.
func (s *Server) another(x *exchange, out *outgoing, err *llm.Error) (changed bool, final *llm.Error) {
	if !slices.Contains(out.tried, out.lease.ID) {
		out.tried = append(out.tried, out.lease.ID)
	}
	ask := out.ask
	ask.Tried, ask.Failed = out.tried, err
	lease, nobody := s.Credential(x.ctx, ask)
	switch {
	case nobody == nil && slices.Contains(out.tried, lease.ID):
		return false, nil
	case nobody == nil:
		out.lease = lease
		return true, s.address(x, out)
	case nobody.RetryAfter == 0 || !upstream.TakesOut(err):
		return false, nil
	case s.Upstream.Retryable(err):
		out.back = nobody.RetryAfter
	case len(out.tried) > 1:
		// What the last one was told may say more than that all are out.
		nobody.Message, nobody.Code = s.Upstream.Name+": "+nobody.Message+". The last one: "+err.Message, err.Code
		return false, nobody
	}
	return false, nil
}

// prove has the person show that there is one. The client is kept alive meanwhile.
func (s *Server) prove(x *exchange, out *outgoing) *llm.Error {
	patience, _ := s.Person.Limits()
	x.delivery.expectNothing(patience)
	proof, err := s.Person.Prove(x.ctx)
	x.delivery.hear()
	if x.ctx.Err() != nil {
		return s.gone(x)
	}
	out.proof, out.proved = proof, true
	return err
}

// sleep waits, and reports false if ctx ended meanwhile.
func sleep(ctx context.Context, d time.Duration) bool {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return true
	case <-ctx.Done():
		return false
	}
}

func (s *Server) closeIdle() {
	if t, ok := s.Transport.(interface{ CloseIdleConnections() }); ok {
		t.CloseIdleConnections()
	}
}

// attempt posts the request once and looks at the beginning of the answer.
func (s *Server) attempt(x *exchange, out *outgoing) (*answer, *llm.Error) {
	target, err := url.Parse(out.endpoint.URL)
	if err != nil {
		return nil, &llm.Error{Kind: llm.ErrInternal, Message: "the address of the upstream is not valid; see the settings", Err: err}
	}
	header := out.header
	if len(out.proof) > 0 {
		header = header.Clone()
		maps.Copy(header, out.proof)
		out.proof = nil // one proof, one request
	}
	req := (&http.Request{
		Method: http.MethodPost, URL: target, Host: target.Host, Header: header,
		Body: out.body.reader(), ContentLength: int64(out.body.size),
	}).WithContext(x.ctx)
	x.delivery.hear()
	resp, err := s.Transport.RoundTrip(req)
	if err != nil {
		return nil, s.unreachable(x, err)
	}
	x.delivery.hear()
	resp.Body = heardBody{resp.Body, x.delivery}
	return s.receive(x, resp)
}

// heardBody is an answer's body, every piece of which is a sign that the upstream is
// alive, be it a comment or a part of a long batch.
type heardBody struct {
	io.ReadCloser
	delivery *delivery
}

// Read implements io.Reader.
func (b heardBody) Read(p []byte) (int, error) {
	n, err := b.ReadCloser.Read(p)
	b.delivery.hear()
	return n, err
}

// gone is the error of an exchange whose context has ended: the client left, or
// the upstream was given up.
func (s *Server) gone(x *exchange) *llm.Error {
	if cause := context.Cause(x.ctx); errors.Is(cause, errIdle) {
		return &llm.Error{Kind: llm.ErrTimeout, Err: cause, Message: s.Upstream.Name + " was silent for " + x.delivery.idle.String() + " and was given up (limits.idleMinutes)"}
	}
	cause, message := context.Cause(x.ctx), "the client went away"
	if errors.Is(cause, ErrStopped) {
		message = "the proxy was stopped before the answer was complete; send the request again when it runs"
	}
	return &llm.Error{Kind: llm.ErrCanceled, Message: message, Err: cause}
}

// ErrStopped is the cause with which a program that ends cancels the contexts of the
// requests that still run, so that their clients are told why.
var ErrStopped = errors.New("the proxy was stopped")

// errConnection marks a request that got no answer at all.
var errConnection = errors.New("no answer")

func connectionLost(e *llm.Error) bool { return errors.Is(e.Err, errConnection) }

// unreachable explains why no answer came.
func (s *Server) unreachable(x *exchange, err error) *llm.Error {
	if x.ctx.Err() != nil {
		return s.gone(x)
	}
	return &llm.Error{
		Kind: llm.ErrUpstream, Status: http.StatusBadGateway, Err: fmt.Errorf("%w: %w", errConnection, err),
		Message: s.Upstream.Name + " could not be reached: " + reasonOf(err),
	}
}

// reasonOf says in words why a connection failed, and what a person can do.
func reasonOf(err error) string {
	var dns *net.DNSError
	var op *net.OpError
	var certificate *tls.CertificateVerificationError
	var timeout interface{ Timeout() bool }
	switch {
	case errors.Is(err, upstream.ErrProxyAddress):
		return upstream.ErrProxyAddress.Error()
	case errors.As(err, &certificate):
		return "its certificate is not trusted; something on the way may read the traffic, or this machine's clock or root certificates are wrong"
	case errors.As(err, &dns):
		return "its name " + dns.Name + " could not be resolved; check the network"
	case errors.As(err, &timeout) && timeout.Timeout():
		return "the connection timed out; check the network"
	case errors.As(err, &op) && op.Op == "dial":
		return "the connection was refused or is impossible; check the network and the address"
	}
	return "the connection failed"
}
