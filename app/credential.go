package app

import (
	"context"
	"strings"

	"glmtray/app/settings"
	"glmtray/proxy"
	"glmtray/proxy/llm"
	"glmtray/proxy/secret"
	"glmtray/proxy/upstream"
)

// credentials decides what goes upstream with a request.
type credentials struct {
	settings settings.Settings
	pool     *upstream.Pool
	// ready waits until the pool is known.
	ready func(context.Context) *llm.Error
}

// choose yields the credential for a request. See the modes of settings.Auth.
func (c credentials) choose(ctx context.Context, ask proxy.Ask) (upstream.Lease, *llm.Error) {
	s := &c.settings
	if len(ask.Tried) > 0 {
		return c.pool.Pick(ask.Conversation(), ask.Tried...)
	}
	if s.Auth.Mode == settings.ModeForward && !ask.Client.Empty() && s.Provider != settings.ProviderDemo {
		return upstream.Lease{Credential: ask.Client}, nil
	}
	if own := c.own(); !own.Empty() {
		return upstream.Lease{Credential: own}, nil
	}
	var locked *llm.Error
	if s.Auth.Mode == settings.ModeAuto || s.Auth.Mode == settings.ModeOAuth {
		locked = c.ready(ctx)
		if locked == nil && c.pool.Size() > 0 {
			return c.pool.Pick(c.conversation(ask))
		}
	}
	switch {
	case s.Provider == settings.ProviderDemo && !c.startPlan():
		return upstream.Lease{Credential: secret.New("demo")}, nil
	case s.Auth.Mode == settings.ModeAuto && !c.startPlan() && isUpstreamKey(ask.Client.Reveal()):
		return upstream.Lease{Credential: ask.Client}, nil
	case locked != nil:
		return upstream.Lease{}, locked
	}
	return upstream.Lease{}, &llm.Error{Kind: llm.ErrAuthentication, Message: c.remedy()}
}

// conversation is worked out only where there is a choice.
func (c credentials) conversation(ask proxy.Ask) string {
	if c.pool.Size() < 2 {
		return ""
	}
	return ask.Conversation()
}

// own is the key of file or environment, if it is to be used. None goes to the demo.
func (c credentials) own() secret.Value {
	s := &c.settings
	switch {
	case s.Provider == settings.ProviderDemo, s.Auth.Mode == settings.ModeOAuth:
		return secret.Value{}
	case c.startPlan():
		return s.Auth.JWT
	}
	return s.Credential()
}

// startPlan reports whether requests go to the start plan's gateway, which takes a
// token of its own and no key.
func (c credentials) startPlan() bool {
	return c.settings.Plan == settings.PlanStart && c.settings.Provider != settings.ProviderCustom
}

// isUpstreamKey reports whether a key has the form of the upstream's own,
// {id}.{secret}. Keys of other providers, which clients may be configured with, are
// never sent on by themselves.
func isUpstreamKey(key string) bool {
	id, rest, ok := strings.Cut(key, ".")
	return ok && len(id) >= 16 && len(rest) >= 8 && !strings.Contains(rest, ".") && isAlphanumeric(id) && isAlphanumeric(rest)
}

func isAlphanumeric(s string) bool {
	for _, c := range s {
		if !(c >= '0' && c <= '9' || c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z') {
			return false
		}
	}
	return true
}

// remedy says how to get a credential.
func (c credentials) remedy() string {
	s := &c.settings
	login := "log in from the tray or with: glmtray auth login " + s.Provider
	if s.Provider == settings.ProviderCustom {
		login = "add a key with: glmtray auth key --provider custom"
	}
	switch {
	case s.Auth.Mode == settings.ModeForward:
		return "auth.mode is forward and no key came with the request; send the provider's key as a Bearer token or in x-api-key"
	case s.Auth.Account != "" && s.Auth.Mode != settings.ModeAPIKey:
		return "auth.account is " + s.Auth.Account + ", and there is no such account for this provider and plan; " + login + ", or: glmtray auth use --all"
	case s.Auth.Mode == settings.ModeOAuth:
		return "auth.mode is oauth and no account is logged in; " + login
	case c.startPlan():
		return "there is no token for the start plan; " + login + ", or set auth.jwt in the config file or ZCODE_JWT in the environment"
	case s.Auth.Mode == settings.ModeAPIKey:
		return "there is no key for the provider " + s.Provider + "; set auth.apiKey in the config file (glmtray config path shows which) or ZCODE_API_KEY in the environment"
	}
	remedy := "there is no key for the provider " + s.Provider + "; " + login + ", or set auth.apiKey in the config file (glmtray config path shows which) or ZCODE_API_KEY in the environment"
	if s.Auth.Mode == settings.ModeAuto {
		remedy += ", or send the provider's key, {id}.{secret}, with the request"
	}
	return remedy
}
