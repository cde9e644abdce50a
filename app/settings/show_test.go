package settings

import (
	"bytes"
	"errors"
	"flag"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

var update = flag.Bool("update", false, "write config.example.yaml anew")

// examplePath is where a person looks for the example: the root of the repository.
var examplePath = filepath.Join("..", "..", "config.example.yaml")

func TestExampleIsInStep(t *testing.T) {
	want, err := Example()
	if err != nil {
		t.Fatal(err)
	}
	if *update {
		if err := os.WriteFile(examplePath, want, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	got, err := os.ReadFile(examplePath)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(got, want) {
		t.Error("config.example.yaml is not what the schema says; write it anew with: go test ./app/settings -run Example -update")
	}
}

// TestExampleChangesNothing loads the example as it is, and with every key taken out of
// its comment: both must be the defaults.
func TestExampleChangesNothing(t *testing.T) {
	example, err := Example()
	if err != nil {
		t.Fatal(err)
	}
	commented := regexp.MustCompile(`(?m)^( *)#(\w+:)`)
	whole := commented.ReplaceAll(example, []byte("$1$2"))
	if n := len(commented.FindAll(example, -1)); n != len(Schema()) {
		t.Errorf("%d keys in the example, want %d", n, len(Schema()))
	}
	for name, file := range map[string][]byte{"as it is": example, "every key": whole} {
		l, err := load(t, string(file))
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		for _, k := range Schema() {
			if got := k.get(l.Settings); got != k.Default {
				t.Errorf("%s: %s = %q, want %q", name, k.Path, got, k.Default)
			}
			if from := l.Origin(k.Path).From; name == "as it is" && from != FromDefault {
				t.Errorf("%s sets %s", name, k.Path)
			}
		}
		if len(l.Notes) != 0 {
			t.Errorf("%s: notes %q", name, l.Notes)
		}
	}
}

func TestExampleTakesEveryChange(t *testing.T) {
	example, err := Example()
	if err != nil {
		t.Fatal(err)
	}
	for _, tc := range []struct{ key, value, line string }{
		{"server.port", "81", "  port: 81"},
		{"plan", "start-plan", "plan: start-plan"},
		{"providers.custom.openaiBase", "https://x.example", "    openaiBase: https://x.example"},
		{"logging.level", "debug", "  level: debug"},
	} {
		path := write(t, t.TempDir(), "c.yaml", string(example))
		if err := Set(path, Change{tc.key, tc.value}); err != nil {
			t.Fatal(err)
		}
		got, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		if len(got) != len(example)+len(tc.line)+1 || !strings.Contains(string(got), "\n"+tc.line+"\n") {
			t.Errorf("%s: more than its line changed", tc.key)
		}
	}
}

func TestShow(t *testing.T) {
	dir := t.TempDir()
	path := write(t, dir, "c.yaml", "auth:\n  apiKey: "+planted+"\n  mode: apikey\nproviders:\n  custom:\n    credential: "+planted+"\n    openaiBase: http://x.example\ndefaultModel: glm-5\n")
	l := mustLoad(t, Options{Path: path,
		Env: variables(map[string]string{"GLMTRAY_HOME": dir, "ZCODE_PROVIDER": "custom", "ZCODE_JWT": "short"}), Flags: []Override{{"server.port", "0", "--port"}}})
	var out bytes.Buffer
	if err := Show(&out, l); err != nil {
		t.Fatal(err)
	}
	want := `# file: c.yaml
# note: defaultModel is not used: the client names the model
# note: the key goes to http://x.example without encryption: anybody on the way can read it
server:
  host: 127.0.0.1                                                                # default
  port: 0                                                                        # --port
auth:
  mode: apikey                                                                   # c.yaml:3:9
  apiKey: 0123…TSRQ                                                              # c.yaml:2:11
  proxyApiKey: ""                                                                # default
  jwt: '****'                                                                    # ZCODE_JWT
  loginFlow: auto                                                                # default
  account: ""                                                                    # default
provider: custom                                                                 # ZCODE_PROVIDER
plan: coding-plan                                                                # default
providers:
  zai:
    anthropicBase: https://api.z.ai/api/anthropic                                # default
    openaiBase: https://api.z.ai/api/coding/paas/v4                              # default
    chatVia: messages                                                            # default
    messagesVia: messages                                                        # default
    quotaBase: https://api.z.ai                                                  # default
    oauth:
      authorizeURL: https://chat.z.ai/api/oauth/authorize                        # default
      clientID: client_P8X5CMWmlaRO9gyO-KSqtg                                    # default
      tokenURL: https://zcode.z.ai/api/v1/oauth/token                            # default
      pollBase: https://zcode.z.ai/api/v1/oauth/cli                              # default
      businessLoginURL: https://api.z.ai/api/auth/z/login                        # default
      businessBase: https://api.z.ai                                             # default
  bigmodel:
    anthropicBase: https://open.bigmodel.cn/api/anthropic                        # default
    openaiBase: https://open.bigmodel.cn/api/coding/paas/v4                      # default
    chatVia: messages                                                            # default
    messagesVia: messages                                                        # default
    quotaBase: https://open.bigmodel.cn                                          # default
    oauth:
      authorizeURL: https://bigmodel.cn/login                                    # default
      clientID: zcode                                                            # default
      tokenURL: https://zcode.z.ai/api/v1/oauth/token                            # default
      pollBase: https://zcode.z.ai/api/v1/oauth/cli                              # default
      businessBase: https://bigmodel.cn                                          # default
  custom:
    openaiBase: http://x.example                                                 # c.yaml:7:17
    chatVia: chat                                                                # default
    messagesVia: messages                                                        # default
    credential: 0123…TSRQ                                                        # c.yaml:6:17
  demo:
    chatVia: messages                                                            # default
    messagesVia: messages                                                        # default
startPlan:
  base: https://zcode.z.ai/api/v1/zcode-plan                                     # default
  configsURL: https://zcode.z.ai/api/v1/client/configs                           # default
  captchaSDK: https://o.alicdn.com/captcha-frontend/aliyunCaptcha/AliyunCaptcha.js # default
  wire: auto                                                                     # default
  systemFile: ""                                                                 # default
  captchaRetries: 1                                                              # default
  captchaTimeoutMs: 180000                                                       # default
  captchaLoadMs: 20000                                                           # default
guest:
  base: https://chat.z.ai                                                        # default
  poolSize: 5                                                                    # default
models:
  text: glm-4.7                                                                  # default
  vision: glm-4.6v                                                               # default
  aliases: ""                                                                    # default
  opus: glm-4.7                                                                  # default
  sonnet: glm-4.7                                                                # default
  haiku: glm-4.5-air                                                             # default
  gpt: glm-4.7                                                                   # default
identity:
  profile: zcode                                                                 # default
  appVersion: 3.2.2                                                              # default
  sourceTitle: cli                                                               # default
  refererOrigin: https://zcode.z.ai                                              # default
request:
  temperature: null                                                              # default
  defaultMaxTokens: 32000                                                        # default
  thinking: reasoning_content                                                    # default
retry:
  maxRetries: 3                                                                  # default
  baseDelayMs: 1000                                                              # default
limits:
  bodyMB: 64                                                                     # default
  idleMinutes: 5                                                                 # default
  graceSeconds: 20                                                               # default
logging:
  level: info                                                                    # default
  file: ""                                                                       # default
app:
  startProxy: true                                                               # default
  language: system                                                               # default
  notify:
    failure: true                                                                # default
    login: true                                                                  # default
    quota: true                                                                  # default
    check: true                                                                  # default
`
	if got := strings.ReplaceAll(out.String(), dir+string(filepath.Separator), ""); got != want {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
}

func TestShowWithoutFile(t *testing.T) {
	var out bytes.Buffer
	if err := Show(&out, mustLoad(t, Options{Env: variables(map[string]string{"GLMTRAY_HOME": t.TempDir()})})); err != nil {
		t.Fatal(err)
	}
	if !strings.HasPrefix(out.String(), "# file: none\n") {
		t.Error(out.String())
	}
}

func TestShowQuotesOddPaths(t *testing.T) {
	l := Loaded{Settings: Default(), Path: "a\nb: c", origins: map[string]Origin{"plan": {From: FromFile, Name: "a\nb: c", Line: 3}}}
	var out bytes.Buffer
	if err := Show(&out, l); err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(out.String(), `# file: "a\nb: c"`) || !strings.Contains(out.String(), `# "a\nb: c":3`) {
		t.Error(out.String())
	}
}

type broken struct{}

func (broken) Write([]byte) (int, error) { return 0, errNoHome }

func TestShowReportsTheWriter(t *testing.T) {
	if err := Show(broken{}, Loaded{Settings: Default()}); !errors.Is(err, errNoHome) {
		t.Errorf("%v", err)
	}
}
