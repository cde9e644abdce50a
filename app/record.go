package app

import (
	"net/http"

	"glmtray/app/history"
	"glmtray/app/settings"
	"glmtray/app/state"
	"glmtray/proxy"
	"glmtray/proxy/llm"
)

// progress takes note of a request that runs.
func (a *App) progress(x proxy.Exchange) {
	r := record(x)
	r.State, r.Status, r.Duration = history.Running, 0, 0
	a.exchanges.Put(r)
}

// finished takes note of a request that ran.
func (a *App) finished(x proxy.Exchange) {
	a.exchanges.Put(record(x))
	a.mu.Lock()
	s := a.loaded.Settings
	a.mu.Unlock()
	switch {
	case x.Err == nil:
		a.solved(state.ProblemLogin, state.ProblemQuota)
	case x.Err.Kind == llm.ErrQuota:
		a.report(state.Problem{
			Kind: state.ProblemQuota, Text: message("notice.quota.text", "Provider", x.Upstream),
			Remedy: message("notice.quota.remedy"), Details: []string{x.Err.Message},
		})
	case x.Err.Kind == llm.ErrAuthentication && x.Err.HTTPStatus() == http.StatusUnauthorized && s.Auth.Mode != settings.ModeForward:
		a.report(state.Problem{
			Kind: state.ProblemLogin, Text: message("notice.login.text", "Provider", x.Upstream),
			Remedy: message("notice.login.remedy"), Details: []string{x.Err.Message},
		})
	}
}

// record is an exchange as the faces show it.
func record(x proxy.Exchange) history.Record {
	r := history.Record{
		ID: x.ID, Start: x.Start, State: history.Done, Client: history.ClientName(x.UserAgent), UserAgent: x.UserAgent,
		Model: x.Model, Dialect: string(x.Client), Upstream: x.Upstream, Wire: string(x.Wire), Stream: x.Stream, Status: x.Status,
		Input: x.Usage.Input, Cached: x.Usage.CacheRead, Output: x.Usage.Output, Estimated: x.Usage.Estimated,
		FirstByte: x.FirstByte.Milliseconds(), Duration: x.Duration.Milliseconds(),
		Attempts: []history.Attempt{}, Dropped: []history.Dropped{},
	}
	switch {
	case x.Native:
		r.Lane = history.Native
	case x.Wire != "":
		r.Lane = history.Translated
	}
	for _, t := range x.Attempts {
		r.Attempts = append(r.Attempts, history.Attempt{
			At: t.At.Milliseconds(), Status: t.Err.Status, Reason: t.Err.Message, Pause: t.Pause.Milliseconds(),
		})
	}
	for _, w := range x.Dropped {
		r.Dropped = append(r.Dropped, history.Dropped{Field: w.Field, Reason: w.Reason})
	}
	if x.Err != nil {
		r.State = history.Failed
		r.Failure = &history.Failure{
			Kind: x.Err.Kind.String(), Code: x.Err.Code, Message: x.Err.Message, Retry: x.Err.RetryAfter.Milliseconds(),
		}
		if x.Err.Err != nil {
			r.Failure.Cause = x.Err.Err.Error()
		}
	}
	return r
}
