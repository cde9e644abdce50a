package app

import (
	"context"
	"strings"
	"testing"

	"glmtray/app/settings"
	"glmtray/proxy"
	"glmtray/proxy/llm"
	"glmtray/proxy/secret"
	"glmtray/proxy/upstream"
)

const (
	ownKey   = "aaaa5678901234567890123456789012.ownKEYbbbb"
	otherKey = "cccc5678901234567890123456789012.clientKEYd"
	foreign  = "sk-a-key-of-another-provider"
	token    = "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxIn0.c2lnbmF0dXJl"
)

// TestChoose holds which credential goes upstream, for every mode, plan and provider.
func TestChoose(t *testing.T) {
	for name, tc := range map[string]struct {
		change func(*settings.Settings)
		mode   string
		client string
		want   string // "": refused
		says   string // the refusal
	}{
		"auto, own":                     {with(ownKey), settings.ModeAuto, otherKey, ownKey, ""},
		"auto, client's":                {with(""), settings.ModeAuto, otherKey, otherKey, ""},
		"auto, foreign":                 {with(""), settings.ModeAuto, foreign, "", "{id}.{secret}, with the request"},
		"auto, none":                    {with(""), settings.ModeAuto, "", "", "glmtray auth login zai, or set auth.apiKey"},
		"apikey, own":                   {with(ownKey), settings.ModeAPIKey, otherKey, ownKey, ""},
		"apikey, client's":              {with(""), settings.ModeAPIKey, otherKey, "", "ZCODE_API_KEY in the environment"},
		"oauth, own":                    {with(ownKey), settings.ModeOAuth, otherKey, "", "no account is logged in"},
		"forward, client's":             {with(ownKey), settings.ModeForward, foreign, foreign, ""},
		"forward, own":                  {with(ownKey), settings.ModeForward, "", ownKey, ""},
		"forward, none":                 {with(""), settings.ModeForward, "", "", "auth.mode is forward"},
		"start plan, token":             {start(token), settings.ModeAuto, otherKey, token, ""},
		"start plan, not the key":       {start(""), settings.ModeAuto, "", "", "ZCODE_JWT"},
		"start plan, not a client's":    {start(""), settings.ModeAuto, otherKey, "", "auth.jwt"},
		"start plan, apikey":            {start(token), settings.ModeAPIKey, "", token, ""},
		"start plan, forward":           {start(token), settings.ModeForward, otherKey, otherKey, ""},
		"start plan at custom: the key": {func(s *settings.Settings) { start(token)(s); s.Provider = settings.ProviderCustom }, settings.ModeAuto, "", ownKey, ""},
		"demo":                          {func(s *settings.Settings) { s.Provider = settings.ProviderDemo }, settings.ModeAuto, foreign, "demo", ""},
		"demo, forward":                 {func(s *settings.Settings) { s.Provider = settings.ProviderDemo }, settings.ModeForward, foreign, "demo", ""},
		"the provider's own": {func(s *settings.Settings) {
			with(otherKey)(s)
			s.Providers[settings.ProviderZAI] = settings.Provider{Credential: secret.New(ownKey)}
		}, settings.ModeAuto, "", ownKey, ""},
	} {
		t.Run(name, func(t *testing.T) {
			s := settings.Default()
			tc.change(&s)
			s.Auth.Mode = tc.mode
			open := func(context.Context) *llm.Error { return nil }
			lease, err := credentials{s, upstream.NewPool(nil, nil, nil), open}.choose(t.Context(), proxy.Ask{Client: secret.New(tc.client)})
			got := lease.Credential
			if got.Reveal() != tc.want || (err == nil) != (tc.want != "") {
				t.Fatalf("%v, %v", got.Reveal(), err)
			}
			if err == nil {
				return
			}
			if err.Kind != llm.ErrAuthentication || !strings.Contains(err.Message, tc.says) {
				t.Errorf("%v: %q, want it to say %q", err.Kind, err.Message, tc.says)
			}
			if tc.mode != settings.ModeAuto && strings.Contains(err.Message, "{id}.{secret}") {
				t.Errorf("the remedy does not help in the mode %s: %q", tc.mode, err.Message)
			}
		})
	}
}

// with gives settings a key, or none.
func with(key string) func(*settings.Settings) {
	return func(s *settings.Settings) { s.Auth.APIKey = secret.New(key) }
}

// start chooses the start plan, with a key that is of no use there.
func start(jwt string) func(*settings.Settings) {
	return func(s *settings.Settings) {
		with(ownKey)(s)
		s.Plan, s.Auth.JWT = settings.PlanStart, secret.New(jwt)
	}
}

func TestIsUpstreamKey(t *testing.T) {
	for key, want := range map[string]bool{
		ownKey: true, otherKey: true,
		"": false, ".": false, foreign: false, token: false, "dummy": false,
		"0123456789abcdef.01234567":                  true,
		"0123456789abcde.01234567":                   false, // the id is too short
		"0123456789abcdef.0123456":                   false, // the secret is
		"0123456789abcdef.0123456-":                  false,
		"0123456789abcdeü.01234567":                  false,
		"0123456789abcdef.01234567.":                 false,
		"sk-ant-api03-0123456789abcdef.0123456789ab": false,
	} {
		if got := isUpstreamKey(key); got != want {
			t.Errorf("%q: %t", key, got)
		}
	}
}
