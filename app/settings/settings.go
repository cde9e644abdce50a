// Package settings is the config file: which keys there are, what they may hold,
// where their values come from, and how a file is found, checked, changed and
// watched.
//
// Start with Load. It finds the file, lays flags over the environment over the file
// over the defaults, and returns either settings that are known to be good or an
// *Error that lists every problem with its place and its remedy. Watch does the same
// again each time the file changes; Set changes keys in the file and keeps its
// comments.
//
// Everything is driven by one table, Schema: decoding, environment variables, flags,
// Show and Example walk it. A new setting is a field in Settings, a default, and one
// line in that table.
//
// The package never opens the network, keeps no state between calls, and never
// prints a secret. It does not hold credentials of logged-in accounts: those are the
// vault's. The keys that a person writes into the file or the environment are of
// type secret.Value.
package settings

import (
	"log/slog"
	"maps"
	"net/netip"
	"time"

	"glmtray/proxy/secret"
)

// The values of Settings.Provider.
const (
	ProviderZAI      = "zai"      // Z.AI, the international platform
	ProviderBigmodel = "bigmodel" // Bigmodel, the mainland platform
	ProviderCustom   = "custom"   // any endpoint that speaks Messages or Chat Completions
	ProviderDemo     = "demo"     // the built-in upstream without network or account
)

// The values of Settings.Plan.
const (
	PlanCoding = "coding-plan" // direct to the provider, with an API key
	PlanStart  = "start-plan"  // ZCode's gateway, with a JWT
	PlanGuest  = "guest"       // the chat site, without an account
)

// The values of Provider.ChatVia and MessagesVia: which endpoint serves a client.
const (
	ViaMessages = "messages"
	ViaChat     = "chat"
)

// The values of Request.Thinking: how clients are shown what the model thinks.
const (
	ThinkingField = "reasoning_content" // where the client's dialect has it
	ThinkingTags  = "think-tags"        // in the text, between <think> and </think>
	ThinkingHide  = "hide"
)

// The values of Auth.Mode: whose credential goes upstream.
const (
	// ModeAuto takes the key of file or environment, else the logged-in accounts,
	// else a client's own key if it has the upstream's {id}.{secret} form.
	ModeAuto = "auto"
	// ModeAPIKey takes only the key of file or environment.
	ModeAPIKey = "apikey"
	// ModeOAuth takes only logged-in accounts.
	ModeOAuth = "oauth"
	// ModeForward takes the client's own key, ours when it sent none.
	ModeForward = "forward"
)

// The values of Identity.Profile: which program the upstream sees.
const (
	ProfileZCode      = "zcode"
	ProfileClaudeCode = "claude-code"
	ProfileNone       = "none"
)

// The values of Auth.LoginFlow: how a login in the browser comes back.
const (
	// FlowAuto asks for the poll flow, and takes the loopback redirect where that is gone.
	FlowAuto = "auto"
	// FlowLoopback has the browser redirected to a port of this machine.
	FlowLoopback = "loopback"
	// FlowPoll asks the provider until the person has allowed it; it needs no redirect.
	FlowPoll = "poll"
	// FlowPaste has the person paste the address at which the browser ended.
	FlowPaste = "paste"
)

// The values of StartPlan.Wire: which path of the start plan's gateway is used.
const (
	WireAuto     = "auto" // Messages first; where that is not found the other, remembered
	WireMessages = "messages"
	WireChat     = "chat"
)

// The endpoints of the coding plan, from docs.z.ai and docs.bigmodel.cn.
const (
	zaiAnthropicBase      = "https://api.z.ai/api/anthropic"
	zaiOpenAIBase         = "https://api.z.ai/api/coding/paas/v4"
	bigmodelAnthropicBase = "https://open.bigmodel.cn/api/anthropic"
	bigmodelOpenAIBase    = "https://open.bigmodel.cn/api/coding/paas/v4"
	zaiQuotaBase          = "https://api.z.ai"
	bigmodelQuotaBase     = "https://open.bigmodel.cn"
)

// What a login asks; as ZCode's own client does. They are not documented and may move.
const (
	tokenURL = "https://zcode.z.ai/api/v1/oauth/token"
	pollBase = "https://zcode.z.ai/api/v1/oauth/cli"
)

// The start plan's gateway, and the widget of its captcha, which its maker wants loaded
// from there (alibabacloud.com/help/en/captcha/captcha2-0).
const (
	startPlanBase    = "https://zcode.z.ai/api/v1/zcode-plan"
	startPlanConfigs = "https://zcode.z.ai/api/v1/client/configs"
	captchaSDK       = "https://o.alicdn.com/captcha-frontend/aliyunCaptcha/AliyunCaptcha.js"
)

// Settings are the values in force. Treat a Settings as immutable: copies share the
// Providers map and the Temperature pointer; Clone gives one that may be changed.
// Reading is safe for concurrent use.
type Settings struct {
	Server   Server
	Auth     Auth
	Provider string // one of the Provider constants
	Plan     string // one of the Plan constants
	// Providers has an entry for each of the four providers. Those of custom and demo
	// have no bases by default; the application fills in the demo's when it starts it.
	Providers map[string]Provider
	StartPlan StartPlan
	Guest     Guest
	Models    Models
	Identity  Identity
	Request   Request
	Retry     Retry
	Limits    Limits
	Logging   Logging
	App       App
}

// Server is where clients reach the proxy.
type Server struct {
	Host string // an IP address without brackets, or a host name
	Port int    // 0 to 65535; 0 takes a free one
}

// Loopback reports whether only programs on this machine can reach Host. Of names
// only "localhost" counts: any other depends on a resolver.
func (s Server) Loopback() bool {
	if s.Host == "localhost" {
		return true
	}
	addr, err := netip.ParseAddr(s.Host)
	return err == nil && addr.Unmap().IsLoopback()
}

// Auth says whose credential goes upstream and what clients must show.
type Auth struct {
	Mode        string       // one of the Mode constants
	APIKey      secret.Value // the upstream's key
	ProxyAPIKey secret.Value // the key that clients of the proxy must send; empty: none asked
	JWT         secret.Value // the start plan's token
	LoginFlow   string       // one of the Flow constants
	Account     string       // the account that is used alone; empty: all of them, as a pool
}

// Provider is where one provider is reached. A base has no trailing slash; empty
// means that this provider is not reached in that dialect.
type Provider struct {
	AnthropicBase string       // before /v1/messages
	OpenAIBase    string       // before /chat/completions
	ChatVia       string       // one of the Via constants: what serves clients of Chat Completions
	MessagesVia   string       // the same for clients of Messages and Responses
	QuotaBase     string       // before /api/monitor/usage
	Credential    secret.Value // stands before Auth.APIKey for this provider
	OAuth         OAuth
}

// OAuth is where a person logs in to a provider, and what a login asks afterwards. That
// of custom is empty; the demo's is known when it runs.
type OAuth struct {
	AuthorizeURL     string // opened in the browser
	ClientID         string // that the provider knows ZCode by
	TokenURL         string // takes the code
	PollBase         string // before /init and /poll/{flow}
	BusinessLoginURL string // turns the token into one for BusinessBase; empty: it is one
	BusinessBase     string // before /api/biz
}

// StartPlan is the gateway of ZCode's free plan.
type StartPlan struct {
	Base             string // before /anthropic/v1/messages and /chat/completions
	ConfigsURL       string // tells whether the captcha is asked for, and which
	CaptchaSDK       string // the script of the captcha's widget
	Wire             string // one of the Wire constants
	SystemFile       string // has the system blocks that come first; empty: a text of ours
	CaptchaRetries   int    // checks after the first for one request
	CaptchaTimeoutMS int    // how long a request waits for a person
	CaptchaLoadMS    int    // how long the widget may take to load
}

// Guest is the chat site's plan without an account.
type Guest struct {
	Base     string // before /api/v1/auths/
	PoolSize int    // tokens that are kept
}

// Models says which model a request goes to. Empty values change nothing.
type Models struct {
	Text    string // for requests without a model, and instead of Vision without images
	Vision  string // instead of a model that sees nothing, for requests with images
	Aliases string // NAME=MODEL pairs with spaces between them; * in a name is anything
	Opus    string // for Claude's models of that family
	Sonnet  string
	Haiku   string
	GPT     string // for OpenAI's models; its small ones are Haiku's
}

// CaptchaTimeout is how long a request waits for a person.
func (p StartPlan) CaptchaTimeout() time.Duration {
	return time.Duration(p.CaptchaTimeoutMS) * time.Millisecond
}

// Identity is how the proxy presents itself upstream.
type Identity struct {
	Profile       string // one of the Profile constants
	AppVersion    string // in "User-Agent: ZCode/{version}"
	SourceTitle   string // in "X-Title: Z Code@{title}"
	RefererOrigin string // in "HTTP-Referer"
}

// Request is what the proxy changes in requests.
type Request struct {
	Temperature      *float64 // replaces every request's; nil: leave it
	DefaultMaxTokens int      // for a client that named no limit where the upstream wants one
	Thinking         string   // one of the Thinking constants
}

// Retry says how often and how patiently a refused request is tried again.
type Retry struct {
	MaxRetries  int // 0: never
	BaseDelayMS int // before the first retry; doubles for each further one
}

// BaseDelay is the wait before the first retry.
func (r Retry) BaseDelay() time.Duration { return time.Duration(r.BaseDelayMS) * time.Millisecond }

// Limits bound what one request may take.
type Limits struct {
	BodyMB       int // MiB of a request body, unpacked
	IdleMinutes  int // of silence from the upstream
	GraceSeconds int // for running streams after the first signal to stop
}

// BodyBytes is the largest request body, in bytes.
func (l Limits) BodyBytes() int64 { return int64(l.BodyMB) << 20 }

// Idle is how long an upstream may stay silent.
func (l Limits) Idle() time.Duration { return time.Duration(l.IdleMinutes) * time.Minute }

// Grace is how long running streams may go on after the first signal to stop.
func (l Limits) Grace() time.Duration { return time.Duration(l.GraceSeconds) * time.Second }

// Logging is what is logged and where.
type Logging struct {
	Level string // debug, info, warn or error
	File  string // empty: standard error
}

// LanguageSystem is the App.Language that follows the desktop.
const LanguageSystem = "system"

// App is the desktop program.
type App struct {
	StartProxy bool   // with the tray
	Language   string // LanguageSystem or the tag of a language
	Notify     Notify
}

// Notify says which notifications are shown.
type Notify struct {
	Failure bool // the proxy cannot start, or stopped by a fault
	Login   bool // there is no credential, or it is refused
	Quota   bool // the plan's quota is used up
	Check   bool // a request waits until the person has shown that there is one
}

// SlogLevel is Level for log/slog. An unknown level, which Load never returns, is info.
func (l Logging) SlogLevel() slog.Level {
	var level slog.Level
	if err := level.UnmarshalText([]byte(l.Level)); err != nil {
		return slog.LevelInfo
	}
	return level
}

// Default returns the settings of a machine without file, environment or flags.
func Default() Settings {
	return Settings{
		Server:   Server{Host: "127.0.0.1", Port: 8080},
		Auth:     Auth{Mode: ModeAuto, LoginFlow: FlowAuto},
		Provider: ProviderZAI,
		Plan:     PlanCoding,
		Providers: map[string]Provider{
			ProviderZAI: {ChatVia: ViaMessages, MessagesVia: ViaMessages, AnthropicBase: zaiAnthropicBase, OpenAIBase: zaiOpenAIBase, QuotaBase: zaiQuotaBase, OAuth: OAuth{
				AuthorizeURL: "https://chat.z.ai/api/oauth/authorize", ClientID: "client_P8X5CMWmlaRO9gyO-KSqtg", TokenURL: tokenURL,
				PollBase: pollBase, BusinessLoginURL: "https://api.z.ai/api/auth/z/login", BusinessBase: "https://api.z.ai",
			}},
			ProviderBigmodel: {ChatVia: ViaMessages, MessagesVia: ViaMessages, AnthropicBase: bigmodelAnthropicBase, OpenAIBase: bigmodelOpenAIBase, QuotaBase: bigmodelQuotaBase, OAuth: OAuth{
				AuthorizeURL: "https://bigmodel.cn/login", ClientID: "zcode", TokenURL: tokenURL,
				PollBase: pollBase, BusinessBase: "https://bigmodel.cn",
			}},
			ProviderCustom: {ChatVia: ViaChat, MessagesVia: ViaMessages},
			ProviderDemo:   {ChatVia: ViaMessages, MessagesVia: ViaMessages},
		},
		Guest:  Guest{Base: "https://chat.z.ai", PoolSize: 5},
		Models: Models{Text: "glm-4.7", Vision: "glm-4.6v", Opus: "glm-4.7", Sonnet: "glm-4.7", Haiku: "glm-4.5-air", GPT: "glm-4.7"},
		StartPlan: StartPlan{
			Base: startPlanBase, ConfigsURL: startPlanConfigs, CaptchaSDK: captchaSDK, Wire: WireAuto,
			CaptchaRetries: 1, CaptchaTimeoutMS: 180_000, CaptchaLoadMS: 20_000,
		},
		Identity: Identity{
			Profile:       ProfileZCode,
			AppVersion:    "3.2.2",
			SourceTitle:   "cli",
			RefererOrigin: "https://zcode.z.ai",
		},
		Request: Request{DefaultMaxTokens: 32000, Thinking: ThinkingField},
		Retry:   Retry{MaxRetries: 3, BaseDelayMS: 1000},
		Limits:  Limits{BodyMB: 64, IdleMinutes: 5, GraceSeconds: 20},
		Logging: Logging{Level: "info"},
		App: App{
			StartProxy: true, Language: LanguageSystem,
			Notify: Notify{Failure: true, Login: true, Quota: true, Check: true},
		},
	}
}

// Clone returns a copy that shares nothing with s.
func (s Settings) Clone() Settings {
	s.Providers = maps.Clone(s.Providers)
	if s.Request.Temperature != nil {
		t := *s.Request.Temperature
		s.Request.Temperature = &t
	}
	return s
}

// Active returns the provider in use.
func (s Settings) Active() Provider { return s.Providers[s.Provider] }

// Credential returns the API key of file or environment for the provider in use: its
// own if it has one, else Auth.APIKey. It may be empty.
func (s Settings) Credential() secret.Value {
	if c := s.Active().Credential; !c.Empty() {
		return c
	}
	return s.Auth.APIKey
}
