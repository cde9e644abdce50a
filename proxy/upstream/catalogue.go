package upstream

import "strings"

// Bases are the addresses under which a provider's endpoints lie, as the settings
// give them, and which endpoint serves clients of which dialect; "" is the one of their
// own dialect.
type Bases struct {
	ChatVia, MessagesVia Dialect

	Anthropic string // …/api/anthropic; requests go to {base}/v1/messages
	OpenAI    string // …/api/coding/paas/v4; requests go to {base}/chat/completions
	Start     string // …/api/v1/zcode-plan; requests go to {base}/anthropic/v1/messages
	Guest     string // the chat site; requests go to {base}/api/chat/completions
}

// Lookup returns the upstream of a provider and plan, or false if there is none.
// bases are the settings' addresses.
func Lookup(provider, plan string, bases Bases) (Upstream, bool) {
	make := map[string]func(Bases) Upstream{
		"zai/coding-plan":      zaiCoding,
		"bigmodel/coding-plan": bigmodelCoding,
		"zai/start-plan":       startPlan,
		"bigmodel/start-plan":  startPlan,
		"custom/coding-plan":   custom,
		"custom/start-plan":    custom,
		"custom/guest":         custom,
		"zai/guest":            guest,
		"demo/coding-plan":     demo,
		"demo/start-plan":      startPlan,
		"demo/guest":           guest,
	}[provider+"/"+plan]
	if make == nil {
		return Upstream{}, false
	}
	u := make(bases)
	u.Provider, u.Plan, u.ChatVia, u.MessagesVia = provider, plan, bases.ChatVia, bases.MessagesVia
	return u, true
}

// messagesAt returns the Messages endpoint under a base. Bases that already name
// the version or the whole path, as people paste them, are not doubled.
func messagesAt(base string, scheme Scheme) Endpoint {
	if base == "" {
		return Endpoint{}
	}
	return Endpoint{Dialect: Messages, URL: join(base, "/v1", "/messages"), Scheme: scheme}
}

// chatAt returns the chat endpoint under a base, which names the version itself
// (Z.AI's is v4, so that a /v1 must not be added).
func chatAt(base string) Endpoint {
	if base == "" {
		return Endpoint{}
	}
	return Endpoint{Dialect: Chat, URL: join(base, "", "/chat/completions"), Scheme: Bearer}
}

func join(base, version, path string) string {
	base = strings.TrimRight(base, "/")
	switch {
	case strings.HasSuffix(base, path):
		return base
	case version != "" && strings.HasSuffix(base, version):
		return base + path
	}
	return base + version + path
}
