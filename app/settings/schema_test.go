package settings

import (
	"slices"
	"testing"
)

func TestSchemaIsWhole(t *testing.T) {
	seen := map[string]bool{}
	variables := map[string]string{}
	for _, k := range Schema() {
		if seen[k.Path] {
			t.Errorf("%s is there twice", k.Path)
		}
		seen[k.Path] = true
		if k.Help == "" || k.Allowed == "" || k.Kind == "" {
			t.Errorf("%s is not explained", k.Path)
		}
		if (k.Kind == Choice) != (len(k.Choices) > 0) {
			t.Errorf("%s: kind %s with choices %v", k.Path, k.Kind, k.Choices)
		}
		for _, name := range k.Env {
			if other, ok := variables[name]; ok && k.activeFor == "" {
				t.Errorf("%s sets both %s and %s", name, other, k.Path)
			}
			variables[name] = k.Path
		}
		s := Default()
		if err := k.put(&s, k.Default); err != nil {
			t.Errorf("%s refuses its own default: %v", k.Path, err)
		}
		if got := k.get(s); got != k.Default {
			t.Errorf("%s: default %q became %q", k.Path, k.Default, got)
		}
	}
	for path := range unusedKeys() {
		if seen[path] {
			t.Errorf("%s is both used and unused", path)
		}
	}
	for _, path := range proxxKeys() {
		if !seen[path] {
			t.Errorf("proxx's %s does not exist", path)
		}
	}
}

// TestSchemaNames holds the names that zcode-proxy's users know.
func TestSchemaNames(t *testing.T) {
	want := map[string][]string{
		"server.host":                               {"ZCODE_PROXY_HOST"},
		"server.port":                               {"ZCODE_PROXY_PORT", "PORT"},
		"auth.mode":                                 {"FORWARD_CLIENT_KEY"},
		"auth.apiKey":                               {"ZCODE_API_KEY", "SERVER_API_KEY"},
		"auth.proxyApiKey":                          {"ZCODE_PROXY_API_KEY", "API_KEY"},
		"auth.jwt":                                  {"ZCODE_JWT"},
		"auth.loginFlow":                            nil,
		"auth.account":                              nil,
		"provider":                                  {"ZCODE_PROVIDER"},
		"plan":                                      {"ZCODE_PLAN"},
		"providers.zai.anthropicBase":               {"UPSTREAM_BASE"},
		"providers.zai.openaiBase":                  nil,
		"providers.zai.credential":                  nil,
		"providers.zai.quotaBase":                   nil,
		"providers.zai.oauth.authorizeURL":          nil,
		"providers.zai.oauth.clientID":              nil,
		"providers.zai.oauth.tokenURL":              nil,
		"providers.zai.oauth.pollBase":              nil,
		"providers.zai.oauth.businessLoginURL":      nil,
		"providers.zai.oauth.businessBase":          nil,
		"providers.bigmodel.anthropicBase":          {"UPSTREAM_BASE"},
		"providers.bigmodel.openaiBase":             nil,
		"providers.bigmodel.credential":             nil,
		"providers.bigmodel.quotaBase":              nil,
		"providers.bigmodel.oauth.authorizeURL":     nil,
		"providers.bigmodel.oauth.clientID":         nil,
		"providers.bigmodel.oauth.tokenURL":         nil,
		"providers.bigmodel.oauth.pollBase":         nil,
		"providers.bigmodel.oauth.businessLoginURL": nil,
		"providers.bigmodel.oauth.businessBase":     nil,
		"providers.custom.anthropicBase":            {"UPSTREAM_BASE"},
		"providers.custom.openaiBase":               nil,
		"providers.custom.credential":               nil,
		"providers.demo.anthropicBase":              nil,
		"providers.demo.openaiBase":                 nil,
		"providers.demo.credential":                 nil,
		"startPlan.base":                            nil,
		"startPlan.configsURL":                      nil,
		"startPlan.captchaSDK":                      nil,
		"startPlan.wire":                            nil,
		"startPlan.systemFile":                      nil,
		"startPlan.captchaRetries":                  {"ZCODE_CAPTCHA_RETRIES"},
		"startPlan.captchaTimeoutMs":                {"ZCODE_CAPTCHA_TIMEOUT_MS"},
		"startPlan.captchaLoadMs":                   {"ZCODE_CAPTCHA_SDK_LOAD_MS"},
		"guest.base":                                nil,
		"guest.poolSize":                            {"TOKEN_POOL_SIZE"},
		"models.text":                               {"AUTOTEXT_MODEL"},
		"models.vision":                             {"AUTOVISION_MODEL"},
		"models.aliases":                            nil,
		"models.opus":                               nil,
		"models.sonnet":                             nil,
		"models.haiku":                              nil,
		"models.gpt":                                nil,
		"request.thinking":                          {"SHOW_THINK_TAGS"},
		"providers.zai.chatVia":                     nil,
		"providers.zai.messagesVia":                 nil,
		"providers.bigmodel.chatVia":                nil,
		"providers.bigmodel.messagesVia":            nil,
		"providers.custom.chatVia":                  nil,
		"providers.custom.messagesVia":              nil,
		"providers.demo.chatVia":                    nil,
		"providers.demo.messagesVia":                nil,
		"identity.profile":                          nil,
		"identity.appVersion":                       {"ZCODE_APP_VERSION"},
		"identity.sourceTitle":                      {"ZCODE_SOURCE_TITLE"},
		"identity.refererOrigin":                    {"ZCODE_REFERER_ORIGIN"},
		"request.temperature":                       nil,
		"request.defaultMaxTokens":                  nil,
		"retry.maxRetries":                          nil,
		"retry.baseDelayMs":                         nil,
		"limits.bodyMB":                             nil,
		"limits.idleMinutes":                        nil,
		"limits.graceSeconds":                       nil,
		"logging.level":                             nil,
		"logging.file":                              nil,
		"app.startProxy":                            nil,
		"app.language":                              {"GLMTRAY_LANGUAGE"},
		"app.notify.failure":                        nil,
		"app.notify.login":                          nil,
		"app.notify.quota":                          nil,
		"app.notify.check":                          nil,
	}
	keys := Schema()
	if len(keys) != len(want) {
		t.Errorf("%d keys, want %d", len(keys), len(want))
	}
	for _, k := range keys {
		env, ok := want[k.Path]
		if !ok {
			t.Errorf("%s is new here", k.Path)
		}
		if !slices.Equal(k.Env, env) {
			t.Errorf("%s: environment %v, want %v", k.Path, k.Env, env)
		}
	}
}

// TestKeyValues tries the edges of what each key allows.
func TestKeyValues(t *testing.T) {
	const spaced, long = "a b", 5000
	for _, tc := range []struct {
		path, text string
		want       string // the canonical spelling
		ok         bool
	}{
		{"server.host", "0.0.0.0", "0.0.0.0", true},
		{"server.host", "::1", "::1", true},
		{"server.host", "fe80::1%eth0", "fe80::1%eth0", true},
		{"server.host", "my-host.example", "my-host.example", true},
		{"server.host", "", "", false},
		{"server.host", "[::1]", "", false},
		{"server.host", "127.0.0.1:8080", "", false},
		{"server.host", "256.1.1.1", "", false},
		{"server.host", "a..b", "", false},
		{"server.host", "*", "", false},
		{"server.port", "0", "0", true},
		{"server.port", "65535", "65535", true},
		{"server.port", "65536", "", false},
		{"server.port", "-1", "", false},
		{"server.port", "http", "", false},
		{"auth.mode", "forward", "forward", true},
		{"auth.mode", "Forward", "", false},
		{"auth.apiKey", ` "id.secret" `, "id.secret", true},
		{"auth.apiKey", "'id.secret'", "id.secret", true},
		{"auth.apiKey", "", "", true},
		{"auth.apiKey", spaced, "", false},
		{"auth.apiKey", "schlüssel", "", false},
		{"auth.jwt", string(make([]byte, maxSecretBytes+1)), "", false},
		{"providers.custom.anthropicBase", "https://example.com/api/", "https://example.com/api", true},
		{"providers.custom.anthropicBase", "http://[::1]:9000", "http://[::1]:9000", true},
		{"providers.custom.openaiBase", "", "", true},
		{"providers.custom.openaiBase", "example.com", "", false},
		{"providers.custom.openaiBase", "ftp://example.com", "", false},
		{"providers.custom.openaiBase", "https://", "", false},
		{"providers.custom.openaiBase", "https://:443", "", false},
		{"providers.custom.openaiBase", "https://example.com:0", "", false},
		{"providers.custom.openaiBase", "https://example.com:65536", "", false},
		{"providers.custom.openaiBase", "https://me:pw@example.com", "", false},
		{"providers.custom.openaiBase", "https://example.com/?key=1", "", false},
		{"providers.custom.openaiBase", "https://example.com/?", "", false},
		{"providers.custom.openaiBase", "https://example.com/#x", "", false},
		{"providers.custom.openaiBase", "https://example.com/a b", "", false},
		{"providers.custom.openaiBase", "https://example.com/%zz", "", false},
		{"providers.custom.openaiBase", "https://example.com/\x00", "", false},
		{"providers.custom.openaiBase", "https://example.com/" + string(slices.Repeat([]byte("a"), long)), "", false},
		{"identity.refererOrigin", "https://zcode.z.ai/", "https://zcode.z.ai/", true},
		{"identity.refererOrigin", "", "", false},
		{"identity.sourceTitle", spaced, spaced, true},
		{"identity.sourceTitle", "", "", false},
		{"identity.appVersion", "3.2\r\nX-Injected: 1", "", false},
		{"request.temperature", "0", "0", true},
		{"request.temperature", "-0", "0", true},
		{"request.temperature", "2.0", "2", true},
		{"request.temperature", "1e-3", "0.001", true},
		{"request.temperature", "", "", true},
		{"request.temperature", "2.1", "", false},
		{"request.temperature", "NaN", "", false},
		{"request.temperature", "warm", "", false},
		{"logging.file", "/var/log/glmtray.log", "/var/log/glmtray.log", true},
		{"logging.file", "", "", true},
		{"logging.file", "a\x00b", "", false},
		{"logging.file", "\xff", "", false},
	} {
		s := Default()
		k := newTable().byPath[tc.path]
		before := k.get(s)
		err := k.put(&s, tc.text)
		if (err == nil) != tc.ok {
			t.Errorf("%s: %.60q: error %v", tc.path, tc.text, err)
			continue
		}
		want := tc.want
		if !tc.ok {
			want = before
		}
		if got := k.get(s); got != want {
			t.Errorf("%s: %.60q became %q, want %q", tc.path, tc.text, got, want)
		}
	}
}

func TestNearest(t *testing.T) {
	for _, tc := range []struct{ word, want string }{
		{"prot", "port"},
		{"hots", "host"},
		{"Port", "port"},
		{"max-retries", "maxRetries"},
		{"max_retries", "maxRetries"},
		{"maxRetris", "maxRetries"},
		{"completely different", ""},
		{"", ""},
		{"übertragung", ""},
	} {
		if got := nearest(tc.word, []string{"host", "port", "maxRetries"}); got != tc.want {
			t.Errorf("nearest(%q) = %q, want %q", tc.word, got, tc.want)
		}
	}
}
