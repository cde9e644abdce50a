package login

import (
	"context"
	"errors"
	"net/http"
	"net/url"
	"time"

	"glmtray/proxy/secret"
)

// Bounds on what the poll flow's server asks for.
const (
	shortestPoll = time.Second
	longestPoll  = 30 * time.Second
)

// tokenReply is the answer of the token exchange, and of a poll that is ready. The
// provider's own tokens stand under its name.
type tokenReply struct {
	Status   string         `json:"status"` // of a poll
	Token    string         `json:"token"`
	ZAI      providerTokens `json:"zai"`
	Bigmodel providerTokens `json:"bigmodel"`
	User     struct {
		UserID label  `json:"user_id"`
		ID     label  `json:"id"`
		Name   string `json:"name"`
		Email  string `json:"email"`
	} `json:"user"`
}

type providerTokens struct {
	Access  string `json:"access_token"`
	Refresh string `json:"refresh_token"`
}

func (r tokenReply) tokens() Tokens {
	p := r.ZAI
	if p.Access == "" {
		p = r.Bigmodel
	}
	t := Tokens{Access: secret.New(p.Access), Refresh: secret.New(p.Refresh), JWT: secret.New(r.Token), UserID: string(first(r.User.UserID, r.User.ID)), Name: r.User.Name}
	if t.Name == "" {
		t.Name = r.User.Email
	}
	return t
}

// poll asks the provider until the person has allowed the login. begun is false if there
// is no poll flow.
func (c *caller) poll(ctx context.Context) (back outcome, begun bool, err error) {
	c.begin(StepStart)
	if c.PollBase == "" {
		return outcome{}, false, &StepError{Step: StepStart, Err: errors.New("the provider has no poll flow")}
	}
	bearer := "Bearer " + randomHex(stateBytes)
	var flow struct {
		ID           string  `json:"flow_id"`
		AuthorizeURL string  `json:"authorize_url"`
		Interval     float64 `json:"poll_interval_sec"`
	}
	err = c.call(ctx, StepStart, http.MethodPost, c.PollBase+"/init", bearer, map[string]string{"provider": c.Provider}, &flow)
	if err != nil {
		var failed *StepError
		unreachable := errors.As(err, &failed) && failed.Status == 0
		return outcome{}, unreachable, err
	}
	page, err := url.Parse(flow.AuthorizeURL)
	if err != nil || page.Scheme != "https" && page.Scheme != "http" || flow.ID == "" {
		return outcome{}, false, &StepError{Step: StepStart, Err: errors.New("the answer has another form than expected")}
	}
	c.begin(StepBrowser)
	c.options.Open(flow.AuthorizeURL)
	interval := min(max(time.Duration(flow.Interval*float64(time.Second)), shortestPoll), longestPoll)
	asked := page.Query()
	back, err = c.follow(ctx, c.PollBase+"/poll/"+url.PathEscape(flow.ID), bearer, interval, redirect{asked.Get("redirect_uri"), asked.Get("state")})
	return back, true, err
}

// follow polls until there is an answer; what is pasted meanwhile is taken too.
func (c *caller) follow(ctx context.Context, address, bearer string, interval time.Duration, r redirect) (outcome, error) {
	var last *StepError // why the latest poll led to nothing
	pasted := c.options.Pasted
	for {
		timer := time.NewTimer(interval)
		select {
		case <-ctx.Done():
			timer.Stop()
			return outcome{}, ended(ctx, last)
		case p, more := <-pasted:
			timer.Stop()
			if !more {
				pasted = nil
			} else if code, ok := r.take(p); ok {
				return outcome{code: code, redirect: r}, nil
			}
			continue
		case <-timer.C:
		}
		var reply tokenReply
		err := c.call(ctx, StepBrowser, http.MethodGet, address, bearer, nil, &reply)
		var failed *StepError
		switch {
		case ctx.Err() != nil && (err != nil || reply.Status != "ready"):
			return outcome{}, ended(ctx, last)
		case errors.As(err, &failed) && (failed.Status == http.StatusTooManyRequests || failed.Status == 0 || failed.Status >= http.StatusBadGateway):
			last, interval = failed, min(interval*2, longestPoll) // it may come back
			continue
		case err != nil:
			return outcome{}, err
		case reply.Status == "failed":
			return outcome{}, &StepError{Step: StepBrowser, Err: ErrDenied}
		case reply.Status == "ready":
			tokens, err := checked(reply)
			return outcome{tokens: tokens}, err
		}
		last = nil
	}
}

// checked refuses an answer without tokens.
func checked(reply tokenReply) (Tokens, error) {
	t := reply.tokens()
	if t.Access.Empty() && t.JWT.Empty() {
		return Tokens{}, &StepError{Step: StepToken, Err: errors.New("there are no tokens in the answer")}
	}
	return t, nil
}
