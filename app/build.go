package app

import (
	"fmt"
	"os"
	"strings"

	"glmtray/app/settings"
	"glmtray/assets"
	"glmtray/proxy"
	"glmtray/proxy/demo"
	"glmtray/proxy/demo/platform"
	"glmtray/proxy/guest"
	"glmtray/proxy/llm"
	"glmtray/proxy/rawjson"
	"glmtray/proxy/upstream"
)

// build makes the proxy for settings.
func (a *App) build(s settings.Settings) (*proxy.Server, error) {
	u, err := a.upstream(s)
	if err != nil {
		return nil, err
	}
	go a.transport.Warm(a.life, u.Endpoint(upstream.Messages))
	c := credentials{settings: s, pool: a.pool(s), ready: a.waitForVault}
	var person proxy.Person
	if c.startPlan() {
		person = a.checks
	}
	choose := c.choose
	if isGuest(s) {
		choose = chooseGuest(a.guestPool(s, u.GuestBase()))
	}
	return proxy.New(proxy.Config{
		Upstream:   u,
		Person:     person,
		Naming:     a.naming(s, u),
		Thinking:   displays[s.Request.Thinking],
		Responses:  a.responses,
		Credential: choose,
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

// displays are what the values of request.thinking mean.
var displays = map[string]llm.Display{
	settings.ThinkingField: llm.ThinkingApart, settings.ThinkingTags: llm.ThinkingInTags, settings.ThinkingHide: llm.ThinkingHidden,
}

// upstream makes the upstream that the settings choose.
func (a *App) upstream(s settings.Settings) (upstream.Upstream, error) {
	p := s.Active()
	bases := upstream.Bases{
		Anthropic: p.AnthropicBase, OpenAI: p.OpenAIBase, Start: s.StartPlan.Base, Guest: s.Guest.Base,
		ChatVia: upstream.Dialect(p.ChatVia), MessagesVia: upstream.Dialect(p.MessagesVia),
	}
	if s.Provider == settings.ProviderDemo {
		base, err := a.demo()
		if err != nil {
			return upstream.Upstream{}, err
		}
		bases.Anthropic, bases.OpenAI, bases.Start = base+"/api/anthropic", base+"/api/coding/paas/v4", demoStartPlan(s.StartPlan, base).Base
		bases.Guest = base + "/guest"
	}
	u, ok := upstream.Lookup(s.Provider, s.Plan, bases)
	if !ok {
		return u, fmt.Errorf("the provider %s has no plan %s", s.Provider, s.Plan)
	}
	switch {
	case isGuest(s):
		u.Rewrite = guest.Explain
	case u.Wire != nil:
		if err := a.startPlan(&u, s.StartPlan); err != nil {
			return u, err
		}
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

// naming says which model a request goes to. The names of other makers' models mean
// something only to Zhipu's endpoints; elsewhere they may be what they say.
func (a *App) naming(s settings.Settings, u upstream.Upstream) upstream.Naming {
	m := s.Models
	n := upstream.Naming{
		Text: m.Text, Vision: m.Vision, Aliases: upstream.ParseAliases(m.Aliases), Models: a.models, Capitals: u.Trace == upstream.TraceRequest,
	}
	if u.GLM {
		n.Families = upstream.Families{Opus: m.Opus, Sonnet: m.Sonnet, Haiku: m.Haiku, GPT: m.GPT}
	}
	return n
}

// demo returns the address of the built-in upstream, and starts it if it does not
// run yet.
func (a *App) demo() (string, error) {
	a.mu.Lock()
	base := a.demoBase
	a.mu.Unlock()
	if base == "" {
		base, err := demo.Start(a.life, demo.Options{Pace: demo.DefaultPace, Platform: demoPlatform})
		if err != nil {
			return "", fmt.Errorf("the demo upstream cannot start: %w", err)
		}
		a.mu.Lock()
		a.demoBase = base
		a.mu.Unlock()
		return base, nil
	}
	return base, nil
}

// demoPlatform is how the demo shows what stands around the models: its start plan asks
// for a captcha, so that this can be tried.
var demoPlatform = platform.Options{Captcha: true}

// demoStartPlan are the settings of the start plan with the demo's addresses.
func demoStartPlan(p settings.StartPlan, base string) settings.StartPlan {
	p.Base, p.ConfigsURL, p.CaptchaSDK = base+"/api/v1/zcode-plan", base+"/api/v1/client/configs", base+"/captcha/AliyunCaptcha.js"
	return p
}

// startPlan completes the upstream of the start plan: which of its paths is used, and the
// system prompts that come first.
func (a *App) startPlan(u *upstream.Upstream, p settings.StartPlan) error {
	switch p.Wire {
	case settings.WireMessages:
		u.Wire, u.Chat = nil, upstream.Endpoint{}
	case settings.WireChat:
		u.Wire, u.Messages = nil, upstream.Endpoint{}
	default:
		u.Wire = a.wire
	}
	blocks := upstream.StartPlanSystem(upstream.ThisPlatform())
	if p.SystemFile != "" {
		text, err := os.ReadFile(p.SystemFile)
		if err != nil {
			return fmt.Errorf("startPlan.systemFile: %w", err)
		}
		blocks = systemBlocks(string(text))
	}
	for _, b := range blocks {
		u.Target.Lead = append(u.Target.Lead, rawjson.Quote(b))
	}
	return nil
}

// systemBlocks are the parts of a text between lines of three dashes.
func systemBlocks(text string) []string {
	var blocks []string
	for part := range strings.SplitSeq("\n"+strings.ReplaceAll(text, "\r\n", "\n")+"\n", "\n---\n") {
		if part = strings.TrimSpace(part); part != "" {
			blocks = append(blocks, part)
		}
	}
	return blocks
}
