package settings

import (
	"strings"

	"glmtray/proxy/secret"
)

// Bounds on what a file may hold.
const (
	maxTextBytes   = 4096
	maxSecretBytes = 16384 // a JWT with many claims stays far below
	maxPoolSize    = 64    // guests, each of which the chat site has to keep; package guest takes no more
)

// Schema returns every key, in the order of the example file. The caller owns the slice.
func Schema() []Key {
	keys := serverKeys()
	keys = append(keys, authKeys()...)
	keys = append(keys, choiceKeys()...)
	for _, name := range providerNames() {
		keys = append(keys, providerKeys(name)...)
	}
	keys = append(keys, startPlanKeys()...)
	keys = append(keys, guestKeys()...)
	keys = append(keys, modelKeys()...)
	keys = append(keys, identityKeys()...)
	keys = append(keys, trafficKeys()...)
	keys = append(keys, loggingKeys()...)
	keys = append(keys, appKeys()...)

	defaults := Default()
	for i := range keys {
		keys[i].Default = keys[i].get(defaults)
	}
	return keys
}

// GroupHelp says what the keys below a path are about.
func GroupHelp(path string) string {
	switch path {
	case "server":
		return "Where clients reach the proxy."
	case "auth":
		return "Whose key goes upstream, and what clients must show."
	case "providers":
		return "Where each provider is reached."
	case "startPlan":
		return "The gateway of ZCode's free plan."
	case "guest":
		return "The chat site's plan without an account. It is no interface for programs, and may stop to work at any time."
	case "models":
		return "Which model a request goes to. The answer carries the name that the client asked for."
	case "identity":
		return "How the proxy presents itself upstream."
	case "request":
		return "What the proxy changes in requests."
	case "retry":
		return "How a request is tried again after 429, 502, 503, 529 or a failed connection, before the first byte of an answer."
	case "limits":
		return "What one request may take."
	case "logging":
		return "What is logged, and where. Neither content nor a key ever is."
	case "app":
		return "The desktop program: the tray and the log window."
	case "app.notify":
		return "Which notifications are shown."
	}
	return ""
}

func providerNames() []string {
	return []string{ProviderZAI, ProviderBigmodel, ProviderCustom, ProviderDemo}
}

func serverKeys() []Key {
	return []Key{
		text("server.host", "Address to listen on. Any other than a loopback address also needs auth.proxyApiKey.",
			"an IP address without brackets, or a host name",
			field(func(s *Settings) *string { return &s.Server.Host }), checkHost).
			env("ZCODE_PROXY_HOST"),
		integer("server.port", "Port to listen on; 0 takes a free one.",
			field(func(s *Settings) *int { return &s.Server.Port }), 0, 65535).
			env("ZCODE_PROXY_PORT", "PORT"),
	}
}

func authKeys() []Key {
	return []Key{
		choice("auth.mode", "Whose key goes upstream. auto: the key below, else the logged-in accounts, else a client's own "+
			"key if it has the form {id}.{secret}. apikey: only the key below. oauth: only the logged-in accounts. "+
			"forward: the client's own key, the key below when it sent none.",
			field(func(s *Settings) *string { return &s.Auth.Mode }), ModeAuto, ModeAPIKey, ModeOAuth, ModeForward).
			isSwitch(ModeForward, ModeAPIKey).env("FORWARD_CLIENT_KEY"),
		secretText("auth.apiKey", "The key for the upstream: {id}.{secret}.",
			field(func(s *Settings) *secret.Value { return &s.Auth.APIKey })).
			env("ZCODE_API_KEY", fallbackKey),
		secretText("auth.proxyApiKey", "The key that clients must send to the proxy. Empty: none is asked, and only this machine may connect.",
			field(func(s *Settings) *secret.Value { return &s.Auth.ProxyAPIKey })).
			env("ZCODE_PROXY_API_KEY", "API_KEY"),
		secretText("auth.jwt", "The token of the start plan.",
			field(func(s *Settings) *secret.Value { return &s.Auth.JWT })).
			env("ZCODE_JWT"),
		choice("auth.loginFlow", "How a login comes back from the browser. auto: poll, and loopback where the provider has no poll flow. "+
			"loopback: the browser is sent to a port of this machine. poll: the provider is asked until you have allowed it. "+
			"paste: you paste the address at which the browser ended.",
			field(func(s *Settings) *string { return &s.Auth.LoginFlow }), FlowAuto, FlowLoopback, FlowPoll, FlowPaste),
		text("auth.account", "The name of the account that is used alone. Empty: all accounts of the provider share the load.", "the name of an account, or empty",
			field(func(s *Settings) *string { return &s.Auth.Account }), checkName),
	}
}

func choiceKeys() []Key {
	return []Key{
		choice("provider", "The provider in use.",
			field(func(s *Settings) *string { return &s.Provider }), providerNames()...).
			env("ZCODE_PROVIDER"),
		choice("plan", "The plan in use: coding-plan goes to the provider with an API key, start-plan through ZCode's gateway, guest to the chat site without an account.",
			field(func(s *Settings) *string { return &s.Plan }), PlanCoding, PlanStart, PlanGuest).
			env("ZCODE_PLAN"),
	}
}

// providerKeys are the keys of one provider. The demo's addresses are known only when
// it runs, so no variable that was meant for a real provider may redirect it.
func providerKeys(name string) []Key {
	const allowed = "an http or https address without user, query or fragment, or empty"
	at := "providers." + name
	keys := loginKeys(name, allowed)
	messages := address(at+".anthropicBase", "Base of the Messages endpoint: what stands before /v1/messages.", allowed,
		ofProvider(name, func(p *Provider) *string { return &p.AnthropicBase }), true)
	if name != ProviderDemo {
		messages = messages.env(baseVariable)
		messages.activeFor = name
	}
	return append([]Key{
		messages,
		address(at+".openaiBase", "Base of the Chat Completions endpoint: what stands before /chat/completions.", allowed,
			ofProvider(name, func(p *Provider) *string { return &p.OpenAIBase }), true),
		choice(at+".chatVia", "Which endpoint serves clients of Chat Completions: the other dialect is translated. The one that has no address is not used.",
			ofProvider(name, func(p *Provider) *string { return &p.ChatVia }), ViaMessages, ViaChat),
		choice(at+".messagesVia", "Which endpoint serves clients of Messages, and of Responses.",
			ofProvider(name, func(p *Provider) *string { return &p.MessagesVia }), ViaMessages, ViaChat),
		secretText(at+".credential", "The key for this provider, instead of auth.apiKey.",
			ofProvider(name, func(p *Provider) *secret.Value { return &p.Credential })),
	}, keys...)
}

// loginKeys are where a provider is logged in to: of those that have a login.
func loginKeys(name, allowed string) []Key {
	if name != ProviderZAI && name != ProviderBigmodel {
		return nil
	}
	at := "providers." + name
	url := func(key, help string, of func(*OAuth) *string, mayBeEmpty bool) Key {
		return address(at+".oauth."+key, help, allowed, ofProvider(name, func(p *Provider) *string { return of(&p.OAuth) }), mayBeEmpty)
	}
	return []Key{
		address(at+".quotaBase", "Base of the quota's address: what stands before /api/monitor/usage.", allowed,
			ofProvider(name, func(p *Provider) *string { return &p.QuotaBase }), true),
		url("authorizeURL", "Page on which you allow the login.", func(o *OAuth) *string { return &o.AuthorizeURL }, false),
		text(at+".oauth.clientID", "The name under which the provider knows the program that logs in.", "printable ASCII characters, at least one",
			ofProvider(name, func(p *Provider) *string { return &p.OAuth.ClientID }), checkHeaderText),
		url("tokenURL", "Address that turns the login's code into tokens.", func(o *OAuth) *string { return &o.TokenURL }, false),
		url("pollBase", "Base of the poll flow: what stands before /init. Empty: the provider has none.", func(o *OAuth) *string { return &o.PollBase }, true),
		url("businessLoginURL", "Address that turns the login's token into one for the keys. Empty: the token is one.", func(o *OAuth) *string { return &o.BusinessLoginURL }, true),
		url("businessBase", "Base of the address of the keys: what stands before /api/biz.", func(o *OAuth) *string { return &o.BusinessBase }, false),
	}
}

func startPlanKeys() []Key {
	const allowed = "an http or https address without user, query or fragment"
	return []Key{
		address("startPlan.base", "Base of the gateway: what stands before /anthropic/v1/messages.", allowed,
			field(func(s *Settings) *string { return &s.StartPlan.Base }), false),
		address("startPlan.configsURL", "Address that tells whether the gateway asks for a captcha.", allowed,
			field(func(s *Settings) *string { return &s.StartPlan.ConfigsURL }), false),
		address("startPlan.captchaSDK", "Address of the captcha's script.", allowed,
			field(func(s *Settings) *string { return &s.StartPlan.CaptchaSDK }), false),
		choice("startPlan.wire", "Which path of the gateway is used. auto: Messages first, and where that is not found the other.",
			field(func(s *Settings) *string { return &s.StartPlan.Wire }), WireAuto, WireMessages, WireChat),
		text("startPlan.systemFile", "File with the system blocks that every request begins with, with lines of three dashes between them. Empty: a short text of our own.", "a file name, or empty",
			field(func(s *Settings) *string { return &s.StartPlan.SystemFile }), checkFileName),
		integer("startPlan.captchaRetries", "How often a request asks for another check after the gateway refused one.",
			field(func(s *Settings) *int { return &s.StartPlan.CaptchaRetries }), 0, 10).env("ZCODE_CAPTCHA_RETRIES"),
		integer("startPlan.captchaTimeoutMs", "Milliseconds that a request waits for you to pass the check.",
			field(func(s *Settings) *int { return &s.StartPlan.CaptchaTimeoutMS }), 1000, 3_600_000).env("ZCODE_CAPTCHA_TIMEOUT_MS"),
		integer("startPlan.captchaLoadMs", "Milliseconds that the captcha's script may take to load.",
			field(func(s *Settings) *int { return &s.StartPlan.CaptchaLoadMS }), 1000, 600_000).env("ZCODE_CAPTCHA_SDK_LOAD_MS"),
	}
}

func guestKeys() []Key {
	return []Key{
		address("guest.base", "Address of the chat site.", "an http or https address without user, query or fragment",
			field(func(s *Settings) *string { return &s.Guest.Base }), false),
		integer("guest.poolSize", "How many tokens are kept. 0: none, so that the plan answers nothing.",
			field(func(s *Settings) *int { return &s.Guest.PoolSize }), 0, maxPoolSize).env("TOKEN_POOL_SIZE"),
	}
}

func modelKeys() []Key {
	model := func(name, help string, at func(*Models) *string, env ...string) Key {
		return text("models."+name, help, "the name of a model, or empty",
			field(func(s *Settings) *string { return at(&s.Models) }), checkModel).env(env...)
	}
	return []Key{
		model("text", "The model for requests that name none. With it a request without images goes to this model instead of models.vision.",
			func(m *Models) *string { return &m.Text }, "AUTOTEXT_MODEL"),
		model("vision", "The model for requests with images whose own model sees none. The same as models.text, or empty: models are not switched.",
			func(m *Models) *string { return &m.Vision }, "AUTOVISION_MODEL"),
		text("models.aliases", "Other names of models, as NAME=MODEL with spaces between them; * in a name stands for anything: my-*=glm-4.7.",
			"NAME=MODEL pairs with spaces between them, or empty", field(func(s *Settings) *string { return &s.Models.Aliases }), checkAliases),
		model("opus", "The model for claude-opus names, at Z.AI and Bigmodel. Empty: the name goes upstream as it is.", func(m *Models) *string { return &m.Opus }),
		model("sonnet", "The model for claude-sonnet names.", func(m *Models) *string { return &m.Sonnet }),
		model("haiku", "The model for claude-haiku names, and for OpenAI's small models.", func(m *Models) *string { return &m.Haiku }),
		model("gpt", "The model for OpenAI's names.", func(m *Models) *string { return &m.GPT }),
	}
}

func identityKeys() []Key {
	const allowed = "printable ASCII characters, at least one"
	return []Key{
		choice("identity.profile", "Which program the upstream sees: zcode, claude-code, or none for our own User-Agent.",
			field(func(s *Settings) *string { return &s.Identity.Profile }), ProfileZCode, ProfileClaudeCode, ProfileNone),
		text("identity.appVersion", "Version in User-Agent: ZCode/{version}.", allowed,
			field(func(s *Settings) *string { return &s.Identity.AppVersion }), checkHeaderText).
			env("ZCODE_APP_VERSION"),
		text("identity.sourceTitle", "Title in X-Title: Z Code@{title}.", allowed,
			field(func(s *Settings) *string { return &s.Identity.SourceTitle }), checkHeaderText).
			env("ZCODE_SOURCE_TITLE"),
		address("identity.refererOrigin", "Address in HTTP-Referer.",
			"an http or https address without user, query or fragment",
			field(func(s *Settings) *string { return &s.Identity.RefererOrigin }), false).
			env("ZCODE_REFERER_ORIGIN"),
	}
}

func trafficKeys() []Key {
	return []Key{
		number("request.temperature", "Replaces the temperature of every request. Unset: what the client says.",
			field(func(s *Settings) **float64 { return &s.Request.Temperature }), 0, 2),
		integer("request.defaultMaxTokens", "Most tokens of an answer, where a client names no limit and the upstream wants one.",
			field(func(s *Settings) *int { return &s.Request.DefaultMaxTokens }), 1, 1<<20),
		choice("request.thinking", "How what the model thinks is shown. reasoning_content: in the field that the client's dialect has for it. think-tags: in the text, between <think> and </think>. hide: not at all.",
			field(func(s *Settings) *string { return &s.Request.Thinking }), ThinkingField, ThinkingTags, ThinkingHide).
			isSwitch(ThinkingTags, ThinkingHide).env("SHOW_THINK_TAGS"),
		integer("retry.maxRetries", "How often a request is tried again; 0: never.",
			field(func(s *Settings) *int { return &s.Retry.MaxRetries }), 0, 20),
		integer("retry.baseDelayMs", "Milliseconds before the first retry; doubles for each further one, give or take half.",
			field(func(s *Settings) *int { return &s.Retry.BaseDelayMS }), 0, 600_000),
		integer("limits.bodyMB", "Largest request body in MiB, unpacked.",
			field(func(s *Settings) *int { return &s.Limits.BodyMB }), 1, 1024),
		integer("limits.idleMinutes", "Minutes of silence after which the upstream counts as gone. For answers that are not streamed, which are silent until they are whole, six times as long.",
			field(func(s *Settings) *int { return &s.Limits.IdleMinutes }), 1, 1440),
		integer("limits.graceSeconds", "Seconds that running streams may go on after the first signal to stop.",
			field(func(s *Settings) *int { return &s.Limits.GraceSeconds }), 0, 3600),
	}
}

func loggingKeys() []Key {
	return []Key{
		choice("logging.level", "The least important thing that is logged.",
			field(func(s *Settings) *string { return &s.Logging.Level }), "debug", "info", "warn", "error"),
		text("logging.file", "File to log to, kept below 10 MB by turning to a new one. Empty: standard error, and for the tray a file in its own folder.", "a file name, or empty",
			field(func(s *Settings) *string { return &s.Logging.File }), checkFileName),
	}
}

func appKeys() []Key {
	return []Key{
		onOff("app.startProxy", "Whether the proxy starts with the tray.",
			field(func(s *Settings) *bool { return &s.App.StartProxy })),
		choice("app.language", "The language of tray, window and command line. system: that of the desktop.",
			field(func(s *Settings) *string { return &s.App.Language }), LanguageSystem, "en", "zh-Hans").
			env("GLMTRAY_LANGUAGE"),
		onOff("app.notify.failure", "Tell when the proxy cannot start or stops by a fault, and when there is no place for the icon.",
			field(func(s *Settings) *bool { return &s.App.Notify.Failure })),
		onOff("app.notify.login", "Tell when the provider refuses the key, or there is none.",
			field(func(s *Settings) *bool { return &s.App.Notify.Login })),
		onOff("app.notify.quota", "Tell when the plan's quota is used up.",
			field(func(s *Settings) *bool { return &s.App.Notify.Quota })),
		onOff("app.notify.check", "Tell when a request waits for the start plan's check that you are a person.",
			field(func(s *Settings) *bool { return &s.App.Notify.Check })),
	}
}

// unusedKeys are keys of zcode-proxy's own example file that have no meaning here. They
// are accepted with a note, so that its users can bring their file along.
func unusedKeys() map[string]string {
	return map[string]string{
		"defaultModel":              "defaultModel is not used: the client names the model",
		"auth.oauthCredentialsPath": "auth.oauthCredentialsPath is not used: accounts lie in the vault",
	}
}

// A table is the schema prepared for looking up.
type table struct {
	keys   []Key
	byPath map[string]Key
	// children has the names below each group in order, "" being the top level.
	children map[string][]string
}

func newTable() table {
	t := table{keys: Schema(), byPath: map[string]Key{}, children: map[string][]string{}}
	seen := map[string]bool{}
	for _, k := range t.keys {
		t.byPath[k.Path] = k
		parent := ""
		for name := range strings.SplitSeq(k.Path, ".") {
			path := join(parent, name)
			if !seen[path] {
				seen[path] = true
				t.children[parent] = append(t.children[parent], name)
			}
			parent = path
		}
	}
	return t
}

func join(parent, name string) string {
	if parent == "" {
		return name
	}
	return parent + "." + name
}

func (t table) isGroup(path string) bool { return len(t.children[path]) > 0 }
