package upstream

import (
	"context"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"glmtray/proxy/llm"
	"glmtray/proxy/rawjson"
	"glmtray/proxy/secret"
)

var zai = Bases{Anthropic: "https://api.z.ai/api/anthropic", OpenAI: "https://api.z.ai/api/coding/paas/v4"}

func TestLookup(t *testing.T) {
	for _, tc := range []struct {
		provider, plan string
		bases          Bases
		messages, chat string
	}{
		{"zai", "coding-plan", zai, "https://api.z.ai/api/anthropic/v1/messages", "https://api.z.ai/api/coding/paas/v4/chat/completions"},
		{"bigmodel", "coding-plan", Bases{Anthropic: "https://open.bigmodel.cn/api/anthropic/"}, "https://open.bigmodel.cn/api/anthropic/v1/messages", ""},
		{"zai", "start-plan", Bases{Start: "https://zcode.z.ai/api/v1/zcode-plan"}, "https://zcode.z.ai/api/v1/zcode-plan/anthropic/v1/messages", "https://zcode.z.ai/api/v1/zcode-plan/chat/completions"},
		{"custom", "coding-plan", Bases{OpenAI: "http://h/v1"}, "", "http://h/v1/chat/completions"},
		{"custom", "coding-plan", Bases{Anthropic: "http://h/v1", OpenAI: "http://h/v1/chat/completions"}, "http://h/v1/messages", "http://h/v1/chat/completions"},
		{"custom", "coding-plan", Bases{Anthropic: "http://h/v1/messages"}, "http://h/v1/messages", ""},
	} {
		u, ok := Lookup(tc.provider, tc.plan, tc.bases)
		if !ok || u.Messages.URL != tc.messages || u.Chat.URL != tc.chat || u.Name == "" || u.Plan != tc.plan {
			t.Errorf("%s %s: %v %+v", tc.provider, tc.plan, ok, u)
		}
	}
	for base, drops := range map[string]bool{zai.Anthropic: true, "https://open.bigmodel.cn/api/anthropic": true, "http://127.0.0.1:1/api/anthropic": false} {
		if u, _ := Lookup("zai", "coding-plan", Bases{Anthropic: base, OpenAI: zai.OpenAI}); u.Messages.DropsImages != drops || u.Chat.DropsImages {
			t.Errorf("%s: drops images: %v", base, u.Messages.DropsImages)
		}
	}
	if _, ok := Lookup("zai", "gold-plan", zai); ok {
		t.Error("a plan that nobody has was found")
	}
}

func TestEndpointPrefersTheClientsDialect(t *testing.T) {
	both, _ := Lookup("custom", "coding-plan", Bases{Anthropic: "http://a", OpenAI: "http://o/v1"})
	start, _ := Lookup("zai", "start-plan", Bases{Start: "http://g"})
	found, _ := Lookup("zai", "start-plan", Bases{Start: "http://g"})
	found.Found(found.Chat)
	one, _ := Lookup("custom", "coding-plan", Bases{OpenAI: "http://o/v1"})
	for _, tc := range []struct {
		u            Upstream
		client, want Dialect
	}{{both, Messages, Messages}, {both, Chat, Chat}, {one, Messages, Chat}, {one, Chat, Chat}, {start, Chat, Messages}, {start, Messages, Messages}, {found, Messages, Chat}} {
		if got := tc.u.Endpoint(tc.client).Dialect; got != tc.want {
			t.Errorf("a %s client gets the %s endpoint", tc.client, got)
		}
	}
}

func identity(p Profile) Identity {
	return Identity{
		Profile: p, Version: "1.0", AppVersion: "3.2.2", SourceTitle: "cli", RefererOrigin: "https://zcode.z.ai", Session: "s",
		Platform: Platform{OS: "linux", Arch: "x64", Category: "linux", OSVersion: "6.1", Language: "de-DE", Timezone: "Europe/Berlin"},
	}
}

func TestHeaderProfiles(t *testing.T) {
	for profile, want := range map[Profile]map[string]string{
		ProfileZCode: {
			"User-Agent": "ZCode/3.2.2", "X-ZCode-App-Version": "3.2.2", "X-Title": "Z Code@cli", "HTTP-Referer": "https://zcode.z.ai",
			"X-ZCode-Agent": "glm", "X-Platform": "linux-x64", "X-Os-Category": "linux", "X-Client-Timezone": "Europe/Berlin", "anthropic-version": "2023-06-01",
		},
		ProfileClaudeCode: {"User-Agent": claudeAgent, "X-App": "cli", "X-Claude-Code-Session-Id": "s", "anthropic-beta": claudeBetas, "X-Title": ""},
		ProfileNone:       {"User-Agent": "glmtray/1.0", "X-Title": "", "X-Session-Id": "", "anthropic-version": "2023-06-01"},
	} {
		u, _ := Lookup("zai", "coding-plan", zai)
		u.Identity = identity(profile)
		h := u.Header(u.Messages, http.Header{}, Call{})
		for name, value := range want {
			if got := h.Get(name); got != value {
				t.Errorf("%s: %s is %q, want %q", profile, name, got, value)
			}
		}
	}
}

func TestHeaderOfTheClient(t *testing.T) {
	client := http.Header{}
	for _, name := range []string{"Referer", "Cookie", "Authorization", "X-Api-Key", "X-Forwarded-For", "X-Forwarded-Host", "X-Real-Ip", "Forwarded", "User-Agent", "Host", "Origin"} {
		client.Set(name, "from-the-client")
	}
	client.Add("Anthropic-Beta", "a-1")
	client.Add("Anthropic-Beta", "b-2")
	client.Set("Anthropic-Version", "2099-01-01")
	u, _ := Lookup("zai", "coding-plan", zai)
	u.Identity = identity(ProfileZCode)
	h := u.Header(u.Messages, client, Call{Same: true})
	for name, values := range h {
		if strings.Contains(strings.Join(values, ""), "from-the-client") {
			t.Errorf("%s went upstream", name)
		}
	}
	if h.Get("Anthropic-Beta") != "a-1,b-2" || h.Get("Anthropic-Version") != "2099-01-01" {
		t.Errorf("the client's headers of the wire format: %v", h)
	}
	if h := u.Header(u.Messages, client, Call{}); h.Get("Anthropic-Beta") != "" || h.Get("Anthropic-Version") != anthropicVersion {
		t.Errorf("a translated request has the client's headers of another format: %v", h)
	}
}

func TestHeaderLeavesOutWhatIsNotPrintable(t *testing.T) {
	u, _ := Lookup("zai", "coding-plan", zai)
	u.Identity = identity(ProfileZCode)
	u.Identity.AppVersion, u.Identity.SourceTitle = "3\n", "漢"
	u.Identity.Platform.OSVersion = "a\x00"
	h := u.Header(u.Messages, nil, Call{})
	if h.Get("User-Agent") != "ZCode/3" || h.Get("X-Title") != "" || h.Get("X-Os-Version") != "" {
		t.Error(h)
	}
	u.Identity.AppVersion = "ü"
	if h := u.Header(u.Messages, nil, Call{}); h.Get("User-Agent") != "ZCode/unknown" || h.Get("X-Zcode-App-Version") != "" {
		t.Error(h)
	}
}

func TestTraceHeaders(t *testing.T) {
	u, _ := Lookup("zai", "coding-plan", zai)
	u.Identity = identity(ProfileZCode)
	a, b := u.Header(u.Messages, nil, Call{Session: "one"}), u.Header(u.Messages, nil, Call{Session: "one", Subagent: true})
	other := u.Header(u.Messages, nil, Call{Session: "two"})
	for _, name := range []string{"X-Session-Id", "X-Zcode-Trace-Id"} {
		if a.Get(name) == "" || a.Get(name) != b.Get(name) || a.Get(name) == other.Get(name) {
			t.Errorf("%s: %q, %q, other session %q", name, a.Get(name), b.Get(name), other.Get(name))
		}
	}
	for _, name := range []string{"X-Request-Id", "X-Query-Id"} {
		if a.Get(name) == "" || a.Get(name) == b.Get(name) {
			t.Errorf("%s: %q and %q", name, a.Get(name), b.Get(name))
		}
	}
	if a.Get("X-Zcode-Session-Type") != "main" || b.Get("X-Zcode-Session-Type") != "subagent" {
		t.Error("session types", a, b)
	}
	if strings.Contains(a.Get("X-Session-Id"), "one") {
		t.Error("the client's session went upstream as it is")
	}
	start, _ := Lookup("zai", "start-plan", zai)
	start.Identity = identity(ProfileZCode)
	if h := start.Header(start.Messages, nil, Call{Session: "one"}); h.Get("X-Request-Id") == "" || h.Get("X-Session-Id") != "" {
		t.Error("the start plan's trace headers", h)
	}
}

func TestAuthorize(t *testing.T) {
	h := http.Header{}
	Endpoint{Scheme: APIKey}.Authorize(h, secret.New("k.s"))
	Endpoint{Scheme: Bearer}.Authorize(h, secret.New("jwt"))
	if h.Get("X-Api-Key") != "k.s" || h.Get("Authorization") != "Bearer jwt" {
		t.Error(h)
	}
}

func TestTargetFor(t *testing.T) {
	u, _ := Lookup("zai", "coding-plan", zai)
	u.Target.DefaultMaxTokens = 32000
	u.Models = Models{
		{ID: "glm-5.3", AlwaysThinks: true, Efforts: map[llm.Effort]llm.Effort{llm.EffortLow: llm.EffortLow}, MaxOutput: 128000},
		{ID: "glm-4.5v", MaxOutput: 16384},
	}
	for model, check := range map[string]func(llm.Target) bool{
		"glm-5.3": func(t llm.Target) bool {
			return t.AlwaysThinks && t.Efforts != nil && t.DefaultMaxTokens == 32000 && t.GLM
		},
		"GLM-5.3[1m]": func(t llm.Target) bool { return t.AlwaysThinks },
		"glm-4.5v":    func(t llm.Target) bool { return !t.AlwaysThinks && t.DefaultMaxTokens == 16384 },
		"unknown":     func(t llm.Target) bool { return !t.AlwaysThinks && t.Efforts == nil && t.GLM },
	} {
		if got := u.TargetFor(rawjson.Quote(model)); !check(got) {
			t.Errorf("%s: %+v", model, got)
		}
	}
	custom, _ := Lookup("custom", "coding-plan", Bases{OpenAI: "http://o/v1"})
	if custom.TargetFor(rawjson.Quote("gpt-4.1")).GLM || !custom.TargetFor(rawjson.Quote("glm-4.6")).GLM {
		t.Error("the rules of GLM follow the model at a custom provider")
	}
}

func TestExplain(t *testing.T) {
	now := time.Date(2026, 11, 20, 5, 0, 0, 0, time.UTC) // 13:00 in UTC+8
	local := time.Local
	time.Local = time.UTC
	defer func() { time.Local = local }()
	u, _ := Lookup("zai", "coding-plan", zai)
	for name, tc := range map[string]struct {
		in    llm.Error
		kind  llm.ErrorKind
		retry bool
		after time.Duration
		has   []string
	}{
		"rate":      {llm.Error{Status: 429, Code: "1302", Message: "Rate limit"}, llm.ErrRateLimit, true, 0, []string{"Z.AI (code 1302): Rate limit"}},
		"5 hours":   {llm.Error{Status: 429, Code: "1308", Message: "Usage limit reached for 5 hour. Your limit will reset at 2026-11-20 14:20:00"}, llm.ErrQuota, false, 80 * time.Minute, []string{"5-hour quota is used up", "resets at 06:20"}},
		"week":      {llm.Error{Status: 429, Code: "1310", Message: "reset at 2026-11-23 00:00:00"}, llm.ErrQuota, false, 59 * time.Hour, []string{"16:00 on Sunday, 22 November"}},
		"no reset":  {llm.Error{Status: 429, Code: "1308", Message: "Usage limit"}, llm.ErrQuota, false, 0, []string{"is used up"}},
		"purse":     {llm.Error{Status: 429, Code: "1113", Message: "x"}, llm.ErrQuota, false, 0, []string{"provider, plan and key"}},
		"overload":  {llm.Error{Status: 529, Code: "1305"}, llm.ErrOverloaded, true, 0, nil},
		"too long":  {llm.Error{Status: 400, Code: "1261"}, llm.ErrContextLength, false, 0, []string{"compact"}},
		"blocked":   {llm.Error{Status: 405, Code: "3012"}, llm.ErrPermission, false, 0, []string{"ZCode app"}},
		"unknown":   {llm.Error{Status: 503, Kind: llm.ErrOverloaded, Message: "busy"}, llm.ErrOverloaded, true, 0, []string{"Z.AI: busy"}},
		"no status": {llm.Error{Kind: llm.ErrOverloaded}, llm.ErrOverloaded, true, 0, nil},
		"plain 500": {llm.Error{Status: 500}, llm.ErrUpstream, false, 0, nil},
	} {
		t.Run(name, func(t *testing.T) {
			e := tc.in
			u.Explain(&e, now)
			if e.Kind != tc.kind || u.Retryable(&e) != tc.retry || e.RetryAfter != tc.after {
				t.Errorf("kind %v, retry %v, after %v", e.Kind, u.Retryable(&e), e.RetryAfter)
			}
			for _, want := range tc.has {
				if !strings.Contains(e.Message, want) {
					t.Errorf("%q lacks %q", e.Message, want)
				}
			}
			if strings.Contains(e.Message, "%s") {
				t.Error(e.Message)
			}
		})
	}
	custom, _ := Lookup("custom", "coding-plan", Bases{OpenAI: "http://o"})
	e := llm.Error{Status: 429, Kind: llm.ErrRateLimit, Code: "1308", Message: "m"}
	if custom.Explain(&e, now); e.Kind != llm.ErrRateLimit || !custom.Retryable(&e) {
		t.Error("another provider's code was read as Zhipu's")
	}
}

func TestDelays(t *testing.T) {
	d := Retry{Max: 3, Base: time.Second}.Delays()
	for i, base := range []time.Duration{time.Second, 2 * time.Second, 4 * time.Second} {
		pause, ok := d.Next(0)
		if !ok || pause < base/2 || pause > base*3/2 {
			t.Errorf("pause %d is %v", i+1, pause)
		}
	}
	if _, ok := d.Next(0); ok {
		t.Error("a fourth retry")
	}
	d = Retry{Max: 3, Base: time.Second}.Delays()
	if pause, ok := d.Next(7 * time.Second); !ok || pause != 7*time.Second {
		t.Error("Retry-After was not obeyed", pause)
	}
	if _, ok := d.Next(time.Hour); ok {
		t.Error("a client would wait an hour")
	}
	if _, ok := (Retry{}).Delays().Next(0); ok {
		t.Error("a retry though there shall be none")
	}
}

func TestRetryAfter(t *testing.T) {
	now := time.Date(2026, 11, 20, 12, 0, 0, 0, time.UTC)
	for value, want := range map[string]time.Duration{
		"": 0, "5": 5 * time.Second, "0.5": 500 * time.Millisecond, "-1": 0, "soon": 0,
		"Fri, 20 Nov 2026 12:00:30 GMT": 30 * time.Second, "Fri, 20 Nov 2026 11:00:00 GMT": 0,
	} {
		if got := RetryAfter(http.Header{"Retry-After": {value}}, now); got != want {
			t.Errorf("%q: %v, want %v", value, got, want)
		}
	}
}

func TestSlept(t *testing.T) {
	for _, tc := range []struct {
		wall, monotonic time.Duration
		want            bool
	}{{5 * time.Second, 5 * time.Second, false}, {time.Hour, 5 * time.Second, true}, {8 * time.Second, 5 * time.Second, false}, {-time.Hour, 5 * time.Second, false}} {
		if got := slept(tc.wall, tc.monotonic); got != tc.want {
			t.Errorf("wall %v, monotonic %v: %v", tc.wall, tc.monotonic, got)
		}
	}
}

func TestWarmOpensAConnection(t *testing.T) {
	var requests []string
	var connections atomic.Int32
	server := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		requests = append(requests, r.Method+" "+r.URL.Path+" "+r.Header.Get("X-Api-Key")+r.Header.Get("Authorization"))
	}))
	server.Config.ConnState = func(_ net.Conn, state http.ConnState) {
		if state == http.StateNew {
			connections.Add(1)
		}
	}
	server.Start()
	defer server.Close()
	transport := NewTransport()
	defer transport.CloseIdleConnections()
	e := Endpoint{URL: server.URL + "/v1/messages?x=1"}
	transport.Warm(t.Context(), e)
	if len(requests) != 1 || requests[0] != "GET / " {
		t.Fatal(requests)
	}
	req, err := http.NewRequest(http.MethodGet, e.URL, nil)
	if err != nil {
		t.Fatal(err)
	}
	resp, err := transport.RoundTrip(req)
	if err != nil {
		t.Fatal(err)
	}
	resp.Body.Close()
	if n := connections.Load(); n != 1 {
		t.Errorf("%d connections: the warm one was not used", n)
	}
	transport.Warm(t.Context(), Endpoint{URL: "http://127.0.0.1:1/"}) // nobody is there, and that is all right
	transport.Warm(t.Context(), Endpoint{URL: ":"})
}

func TestWatchSleepEnds(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan struct{})
	go func() { NewTransport().WatchSleep(ctx); close(done) }()
	cancel()
	<-done
}

func TestLanguage(t *testing.T) {
	env := func(pairs ...string) func(string) string {
		return func(name string) string {
			for i := 0; i < len(pairs); i += 2 {
				if pairs[i] == name {
					return pairs[i+1]
				}
			}
			return ""
		}
	}
	for want, vars := range map[string]func(string) string{
		"de-DE": env("LANG", "de_DE.UTF-8"), "zh-CN": env("LC_ALL", "zh_CN.UTF-8", "LANG", "en_US"), "en-US": env("LANG", "C.UTF-8"),
	} {
		if got := language(vars); got != want {
			t.Errorf("%s: %s", want, got)
		}
	}
	if p := ThisPlatform(); p.OS == "" || p.Arch == "" || p.Category == "" {
		t.Errorf("%+v", p)
	}
}

func TestParseModels(t *testing.T) {
	ms, err := ParseModels([]byte(`[{"id":"glm-4.6","name":"GLM-4.6","context":1}]`))
	if err != nil || len(ms) != 1 {
		t.Fatal(ms, err)
	}
	if m, ok := ms.Lookup("GLM-4.6[1m]"); !ok || m.Name != "GLM-4.6" {
		t.Error(m, ok)
	}
	if _, err := ParseModels([]byte(`{`)); err == nil {
		t.Error("a broken list was read")
	}
}
