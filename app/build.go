package app

import (
	"fmt"

	"glmtray/app/settings"
	"glmtray/assets"
	"glmtray/proxy"
	"glmtray/proxy/demo"
	"glmtray/proxy/upstream"
)

// build makes the proxy for settings.
func (a *App) build(s settings.Settings) (*proxy.Server, error) {
	u, err := a.upstream(s)
	if err != nil {
		return nil, err
	}
	go a.transport.Warm(a.life, u.Endpoint(upstream.Messages))
	c := credentials{settings: s}
	return proxy.New(proxy.Config{
		Upstream:   u,
		Credential: c.choose,
		ProxyKey:   s.Auth.ProxyAPIKey,
		Transport:  a.transport,
		Retry:      upstream.Retry{Max: s.Retry.MaxRetries, Base: s.Retry.BaseDelay()},
		BodyLimit:  s.Limits.BodyBytes(),
		Idle:       s.Limits.Idle(),
		Version:    a.options.Version,
		OpenAPI:    assets.OpenAPI,
		Docs:       assets.Docs,
		Log:        a.log,
		Progress:   a.progress,
		Finished:   a.finished,
	}), nil
}

// upstream makes the upstream that the settings choose.
func (a *App) upstream(s settings.Settings) (upstream.Upstream, error) {
	bases := upstream.Bases{Anthropic: s.Active().AnthropicBase, OpenAI: s.Active().OpenAIBase}
	if s.Provider == settings.ProviderDemo {
		base, err := a.demo()
		if err != nil {
			return upstream.Upstream{}, err
		}
		bases = upstream.Bases{Anthropic: base + "/api/anthropic", OpenAI: base + "/api/coding/paas/v4"}
	}
	u, ok := upstream.Lookup(s.Provider, s.Plan, bases)
	if !ok {
		return u, fmt.Errorf("the provider %s has no plan %s", s.Provider, s.Plan)
	}
	u.Models = a.models
	u.Target.DefaultMaxTokens, u.Target.Temperature = s.Request.DefaultMaxTokens, s.Request.Temperature
	u.Target.CacheLastBlock = true
	u.Identity = upstream.Identity{
		Profile: upstream.Profile(s.Identity.Profile), Version: a.options.Version,
		AppVersion: s.Identity.AppVersion, SourceTitle: s.Identity.SourceTitle, RefererOrigin: s.Identity.RefererOrigin,
		Platform: upstream.ThisPlatform(), Session: a.session,
	}
	return u, nil
}

// demo returns the address of the built-in upstream, and starts it if it does not
// run yet.
func (a *App) demo() (string, error) {
	if a.demoBase == "" {
		base, err := demo.Start(a.life, demo.Options{Pace: demo.DefaultPace})
		if err != nil {
			return "", fmt.Errorf("the demo upstream cannot start: %w", err)
		}
		a.demoBase = base
	}
	return a.demoBase, nil
}
