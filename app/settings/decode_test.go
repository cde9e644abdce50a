package settings

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
)

// TestDecodeProblems holds what a person is told about each kind of mistake, with the
// place of it. The file's folder is left out of the wanted lines.
// planted is a key that must not show up in any message.
const planted = "0123456789abcdef0123456789abcdef.ZYXWVUTSRQ"

func TestDecodeProblems(t *testing.T) {
	const rootKeys = "server, auth, provider, plan, providers, startPlan, guest, models, identity, request, retry, limits, logging, app"
	for _, tc := range []struct {
		name, file string
		want       []string
	}{
		{"unknown key", "server:\n  prot: 80\n", []string{
			"config.yaml:2:3: server.prot: unknown key (did you mean server.port?): allowed here are host, port"}},
		{"quoted switch", "app:\n  startProxy: \"true\"\n", []string{
			"config.yaml:2:15: app.startProxy: \"true\" is no switch: must be true or false"}},
		{"number for a switch", "app:\n  notify:\n    quota: 1\n", []string{
			"config.yaml:3:12: app.notify.quota: \"1\" is no switch: must be true or false"}},
		{"unknown key of another group", "apiKey: a.b\n", []string{
			"config.yaml:1:1: apiKey: unknown key (did you mean auth.apiKey?): allowed here are " + rootKeys}},
		{"unknown key far from all", "server:\n  colour: red\n", []string{
			"config.yaml:2:3: server.colour: unknown key: allowed here are host, port"}},
		{"snake case", "auth:\n  proxy_api_key: x\n", []string{
			"config.yaml:2:3: auth.proxy_api_key: unknown key (did you mean auth.proxyApiKey?): allowed here are mode, apiKey, proxyApiKey, jwt, loginFlow, account"}},
		{"dotted key", "server.port: 80\n", []string{
			"config.yaml:1:1: server.port: unknown key: the levels stand below each other here, not joined by dots"}},
		{"dotted key of a group", "providers:\n  zai.credential: a.b\n", []string{
			"config.yaml:2:3: providers.zai.credential: unknown key: the levels stand below each other here, not joined by dots"}},
		{"unknown dotted key", "server.prot: 80\n", []string{
			"config.yaml:1:1: server.prot: unknown key: allowed here are " + rootKeys}},
		{"unknown provider", "providers:\n  zia:\n    credential: " + planted + "\n", []string{
			"config.yaml:2:3: providers.zia: unknown key (did you mean providers.zai?): allowed here are zai, bigmodel, custom, demo"}},
		{"unknown key of a provider", "providers:\n  zai:\n    base: x\n", []string{
			"config.yaml:3:5: providers.zai.base: unknown key (did you mean startPlan.base?): allowed here are anthropicBase, openaiBase, chatVia, messagesVia, credential, quotaBase, oauth"}},
		{"twice", "plan: coding-plan\nprovider: zai\nplan: start-plan\n", []string{
			"config.yaml:3:1: plan: stands here again: it is already in line 1"}},
		{"unknown twice", "x: 1\nx: 2\n", []string{
			"config.yaml:1:1: x: unknown key: allowed here are " + rootKeys,
			"config.yaml:2:1: x: stands here again: it is already in line 1"}},
		{"bad choice", "auth:\n  mode: oath\n", []string{
			`config.yaml:2:9: auth.mode: "oath" is not allowed here: must be auto, apikey, oauth or forward (did you mean oauth?)`}},
		{"out of range", "server: {port: 70000}", []string{
			`config.yaml:1:16: server.port: "70000": must be a whole number from 0 to 65535`}},
		{"far out of range", "server: {port: 99999999999999999}", []string{
			`config.yaml:1:16: server.port: "99999999999999999": must be a whole number from 0 to 65535`}},
		{"not whole", "server: {port: 80.5}", []string{
			`config.yaml:1:16: server.port: "80.5" is not a whole number: must be a whole number from 0 to 65535`}},
		{"quoted number", "server: {port: '80'}", []string{
			`config.yaml:1:16: server.port: "80" is a text: write it without quotes: must be a whole number from 0 to 65535`}},
		{"text for a number", "server: {port: http}", []string{
			`config.yaml:1:16: server.port: "http" is a text: must be a whole number from 0 to 65535`}},
		{"truth for a number", "server: {port: true}", []string{
			`config.yaml:1:16: server.port: is no number: must be a whole number from 0 to 65535`}},
		{"false tag for a number", "server: {port: !!int http}", []string{
			`config.yaml:1:16: server.port: is no whole number of a usable size: must be a whole number from 0 to 65535`}},
		{"false tag for a decimal", "request: {temperature: !!float warm}", []string{
			`config.yaml:1:24: request.temperature: is no number: must be a number from 0 to 2`}},
		{"infinite", "request: {temperature: .inf}", []string{
			`config.yaml:1:24: request.temperature: "+Inf": must be a number from 0 to 2`}},
		{"truth for a text", "provider: true", []string{
			`config.yaml:1:11: provider: is no text (put it in quotes if it is meant to be): must be zai, bigmodel, custom or demo`}},
		{"own tag", "provider: !zai x", []string{
			`config.yaml:1:11: provider: is no text (put it in quotes if it is meant to be): must be zai, bigmodel, custom or demo`}},
		{"list for a value", "provider: [zai]", []string{
			`config.yaml:1:11: provider: is a list: must be zai, bigmodel, custom or demo`}},
		{"group for a value", "provider: {zai: 1}", []string{
			`config.yaml:1:11: provider: is a group of keys: must be zai, bigmodel, custom or demo`}},
		{"value for a group", "auth: " + planted, []string{
			"config.yaml:1:7: auth: must hold the keys mode, apiKey, proxyApiKey, jwt, loginFlow or account, each on a line of its own and indented"}},
		{"list for a group", "auth:\n- mode: auto\n", []string{
			"config.yaml:2:1: auth: must hold the keys mode, apiKey, proxyApiKey, jwt, loginFlow or account, each on a line of its own and indented"}},
		{"group as a key", "? {a: 1}\n: 2\n", []string{"config.yaml:1:3: a key must be a plain word"}},
		{"base with a password", "providers: {zai: {openaiBase: 'https://me:" + planted + "@x'}}", []string{
			"config.yaml:1:31: providers.zai.openaiBase: contains a user or a password: must be an http or https address without user, query or fragment, or empty"}},
		{"list as the file", "- provider\n", []string{`config.yaml:1:1: the file must hold keys and values, such as "provider: zai"`}},
		{"text as the file", planted + "\n", []string{`config.yaml:1:1: the file must hold keys and values, such as "provider: zai"`}},
		{"two documents", "plan: start-plan\n---\nplan: coding-plan\n", []string{
			"config.yaml:2:1: a second document begins here: the file must hold one"}},
		{"damage in a second document", "plan: start-plan\n---\nplan: [\n", []string{
			"config.yaml:3: is not valid YAML here or just before: did not find expected node content"}},
		{"several at once", "server:\n  port: x\n  host: ''\nplan: 1\nfoo: 2\n", []string{
			`config.yaml:2:9: server.port: "x" is a text: must be a whole number from 0 to 65535`,
			"config.yaml:5:1: foo: unknown key: allowed here are " + rootKeys,
			`config.yaml:3:9: server.host: "" is not a host: must be an IP address without brackets, or a host name`,
			`config.yaml:4:7: plan: "1" is not allowed here: must be coding-plan, start-plan or guest`}},
		{"bad indentation", "server:\n  port: 1\n host: x\n", []string{
			"config.yaml:2: is not valid YAML here or just before: did not find expected key"}},
		{"tab", "server:\n\tport: 1\n", []string{
			"config.yaml:2: is not valid YAML here or just before: found character that cannot start any token"}},
		{"bad UTF-8", "plan: \xff\n", []string{
			"config.yaml: is not valid YAML here or just before: invalid leading UTF-8 octet"}},
		{"key that begins with an asterisk", "auth: {apiKey: *" + strings.Split(planted, ".")[0] + "}", []string{
			"config.yaml: is not valid YAML here or just before: a value that begins with * must stand in quotes"}},
		{"key that begins with an ampersand", "auth:\n  apiKey: &" + strings.Split(planted, ".")[0] + "\n", []string{
			"config.yaml:2:11: auth.apiKey: a value that begins with & must stand in quotes: must be a key: visible ASCII characters without spaces"}},
		{"unprintable key", "\"a\\nb\": 1", []string{
			`config.yaml:1:1: "a\nb": unknown key: allowed here are ` + rootKeys}},
		{"zcode-proxy's list as a group", "models: {a: 1}", []string{
			"config.yaml:1:10: models.a: unknown key: allowed here are text, vision, aliases, opus, sonnet, haiku, gpt"}},
		{"too large", "# " + strings.Repeat("x", maxFileBytes), []string{
			"config.yaml: is larger than 256 KiB: that is no config file"}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			l, err := load(t, tc.file)
			if err == nil {
				t.Fatalf("accepted: %+v", l.Settings)
			}
			dir := strings.TrimSuffix(l.Path, "config.yaml")
			got := strings.Split(strings.ReplaceAll(err.Error(), dir, ""), "\n")
			if !slices.Equal(got, tc.want) {
				t.Errorf("got\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(tc.want, "\n"))
			}
			if strings.Contains(err.Error(), planted[:16]) {
				t.Error("the error shows a secret")
			}
		})
	}
}

func TestProblemsAreBounded(t *testing.T) {
	var file strings.Builder
	for i := range 100 {
		fmt.Fprintf(&file, "unknown%d: 1\n", i)
	}
	_, err := load(t, file.String())
	var e *Error
	if !errors.As(err, &e) || len(e.Problems) != maxProblems || e.Omitted != 100-maxProblems || !strings.HasSuffix(err.Error(), "\nand 75 more") {
		t.Errorf("%v", err)
	}
	_, err = load(t, strings.Repeat("x", 1000)+": 1\n")
	if err == nil || len(err.Error()) > 600 {
		t.Errorf("a long key is shown whole: %v", err)
	}
}

func TestDecodeAccepts(t *testing.T) {
	for _, tc := range []struct {
		name, file, key, want string
	}{
		{"empty file", "", "plan", "coding-plan"},
		{"comments alone", "# plan: start-plan\n", "plan", "coding-plan"},
		{"null file", "---\n", "plan", "coding-plan"},
		{"null value", "plan:\n", "plan", "coding-plan"},
		{"null group", "server:\n  # port: 1\n", "server.port", "8080"},
		{"byte order mark and CRLF", "\ufeffplan: start-plan\r\nprovider: bigmodel\r\n", "provider", "bigmodel"},
		{"hexadecimal", "server: {port: 0x1F90}", "server.port", "8080"},
		{"underscores", "limits: {bodyMB: 1_024}", "limits.bodyMB", "1024"},
		{"whole number for a decimal", "request: {temperature: 1}", "request.temperature", "1"},
		{"exponent", "request: {temperature: 1e-1}", "request.temperature", "0.1"},
		{"version that looks like a number", "identity: {appVersion: 3.20}", "identity.appVersion", "3.20"},
		{"key of digits", "auth: {apiKey: 0123456789012345678901234567890}", "auth.apiKey", "0123456789012345678901234567890"},
		{"date", "identity: {appVersion: 2026-01-02}", "identity.appVersion", "2026-01-02"},
		{"quotes", "identity: {sourceTitle: \"a\\tb\" }", "", ""},
		{"alias", "identity: {sourceTitle: &t here, appVersion: *t}", "identity.appVersion", "here"},
		{"aliased group", "providers: {zai: &z {credential: a.b}, custom: *z}", "providers.custom.credential", "a.b"},
		{"JSON", `{"server": {"port": 81}, "plan": "start-plan"}`, "server.port", "81"},
		{"choice named none", "identity: {profile: none}", "identity.profile", "none"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			l, err := load(t, tc.file)
			if tc.key == "" {
				if err == nil {
					t.Error("a tab in a header was accepted")
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			if got := newTable().byPath[tc.key].get(l.Settings); got != tc.want {
				t.Errorf("%s = %q, want %q", tc.key, got, tc.want)
			}
		})
	}
}

// TestZcodeProxyFile is a file with the keys of zcode-proxy's own example.
func TestZcodeProxyFile(t *testing.T) {
	l, err := load(t, `
server:
  port: 9090
  host: "0.0.0.0"
auth:
  mode: apikey
  apiKey: "yourApiKey.yourSecretKey"
  proxyApiKey: "your-proxy-secret"
  oauthCredentialsPath: "~/.zcode-proxy/credentials.json"
provider: bigmodel
plan: coding-plan
providers:
  zai:
    anthropicBase: "https://api.z.ai/api/anthropic"
    openaiBase: "https://api.z.ai/api/coding/paas/v4"
  bigmodel:
    credential: "special.key"
defaultModel: glm-4.6
models:
  - glm-4.5-air
  - glm-4.6
identity:
  appVersion: "3.2.2"
  sourceTitle: "cli"
  refererOrigin: "https://zcode.z.ai"
logging:
  level: info
`)
	if err != nil {
		t.Fatal(err)
	}
	s := l.Settings
	if s.Server != (Server{"0.0.0.0", 9090}) || s.Auth.Mode != ModeAPIKey || s.Provider != ProviderBigmodel || s.Credential().Reveal() != "special.key" {
		t.Errorf("%+v", s)
	}
	if len(l.Notes) != 3 || !strings.Contains(l.Notes[1], "defaultModel is not used") {
		t.Errorf("notes %q", l.Notes)
	}
}
