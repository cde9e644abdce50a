package guest

import (
	"cmp"
	"context"
	"net/http"
	"slices"
	"time"

	"glmtray/proxy/llm"
	"glmtray/proxy/secret"
)

// Lease is a token for one request.
type Lease struct {
	ID         string       // the token's name; it tells nothing
	Credential secret.Value // to be sent as a bearer token
	// Header is what the site expects of a request beside it: Accept, Origin,
	// Referer, User-Agent, and X-FE-Version if that is known. It is the caller's.
	Header http.Header
	pool   *Pool
}

// Pick picks the token that has rested longest. While there is none it waits for the
// first, until ctx ends, Run does, a fetch fails, or about twenty seconds have passed.
// The error says what a person can do.
func (p *Pool) Pick(ctx context.Context) (Lease, *llm.Error) {
	if err := p.hopeless(); err != nil {
		return Lease{}, err
	}
	timer := time.NewTimer(patience)
	defer timer.Stop()
	for {
		lease, changed, err := p.pick()
		if changed == nil {
			return lease, err
		}
		select {
		case <-changed:
		case <-timer.C:
			return Lease{}, &llm.Error{Kind: llm.ErrTimeout, Message: "the chat site gave no guest token in time; try again, or " + login}
		case <-ctx.Done():
			return Lease{}, &llm.Error{Kind: llm.ErrCanceled, Message: "the request ended while it waited for a guest token", Err: context.Cause(ctx)}
		}
	}
}

// hopeless is the error of a pool that will never have a token.
func (p *Pool) hopeless() *llm.Error {
	switch {
	case p.size == 0:
		return &llm.Error{Kind: llm.ErrAuthentication, Message: "the guest plan has no tokens, as its pool has the size 0 (TOKEN_POOL_SIZE); set a size, or " + login}
	case p.site.err != nil:
		return &llm.Error{Kind: llm.ErrInternal, Message: "the chat site's address is not valid; see the settings", Err: p.site.err}
	}
	return nil
}

// pick picks a token, or returns what to wait for.
func (p *Pool) pick() (Lease, <-chan struct{}, *llm.Error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	now := p.now()
	before := len(p.tokens)
	p.tokens = slices.DeleteFunc(p.tokens, func(t *token) bool { return t.stale(now) })
	if len(p.tokens) < before {
		p.want()
	}
	if len(p.tokens) == 0 {
		if wait := p.retry.Sub(now); p.err != nil && wait > 0 {
			err := *p.err
			err.RetryAfter = wait
			return Lease{}, nil, &err
		}
		if p.over {
			return Lease{}, nil, &llm.Error{Kind: llm.ErrOverloaded, Message: "the guest plan was left while the request waited for a token; send it again"}
		}
		return Lease{}, p.changed, nil
	}
	t := slices.MinFunc(p.tokens, func(a, b *token) int { return cmp.Compare(a.turn, b.turn) })
	p.turn++
	t.turn, t.lastUsed = p.turn, now
	t.requests++
	return Lease{t.id, t.credential, p.site.header("text/event-stream, application/json"), p}, nil, nil
}

// stale reports whether a token has rested or lived for too long.
func (t *token) stale(now time.Time) bool {
	used := t.fetched
	if t.lastUsed.After(used) {
		used = t.lastUsed
	}
	return now.Sub(used) > maxIdle || now.Sub(t.fetched) > maxAge
}

// Done tells how the request ended; nil is a good end. A token that the site does not
// accept is thrown away and replaced. Any other failure is not the token's.
func (l Lease) Done(err *llm.Error) {
	p := l.pool
	if p == nil {
		return
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if err == nil && p.unfit > 0 { // so its tokens are accepted after all
		p.unfit = 0
		if p.failed == 0 {
			p.err, p.retry = nil, time.Time{}
			p.want()
		}
	}
	at := slices.IndexFunc(p.tokens, func(t *token) bool { return t.id == l.ID })
	if at < 0 {
		return // it was thrown away meanwhile
	}
	switch t := p.tokens[at]; {
	case err == nil:
		t.good = true
	case err.Kind != llm.ErrAuthentication:
		t.failures++
	default:
		p.tokens = slices.Delete(p.tokens, at, at+1)
		if !t.good { // more of the same would be no better
			p.unfit++
			p.rest(refused(err), p.unfit)
		}
		p.want()
	}
}

// refused is the error of a site that does not accept the tokens that it gives.
func refused(err *llm.Error) *llm.Error {
	return &llm.Error{Kind: llm.ErrAuthentication, Code: err.Code, Message: "the chat site does not accept the guest tokens that it gives; " + login}
}
