package main_test

import (
	"encoding/json"
	"os"
	"regexp"
	"strings"
	"testing"
)

// TestExitCodes holds what a wrong call, wrong settings and a failure print, and with
// which code they end.
func TestExitCodes(t *testing.T) {
	t.Parallel()
	taken := takenPort(t)
	for name, tc := range map[string]struct {
		config string
		env    []string
		args   []string
		code   int
		stderr []string
	}{
		"unknown command":       {args: []string{"sevre"}, code: 2, stderr: []string{`unknown command "sevre"`}},
		"unknown subcommand":    {args: []string{"config", "shwo"}, code: 2, stderr: []string{`unknown command "shwo"`}},
		"unknown shell":         {args: []string{"completion", "tcsh"}, code: 2, stderr: []string{`unknown command "tcsh"`}},
		"unknown flag":          {args: []string{"serve", "--prot", "1"}, code: 2, stderr: []string{"unknown flag: --prot"}},
		"flag without value":    {args: []string{"serve", "--port"}, code: 2, stderr: []string{"--port"}},
		"flag of another type":  {args: []string{"serve", "--port", "web"}, code: 2, stderr: []string{"--port", `"web"`}},
		"flag out of range":     {args: []string{"serve", "--port", "65536"}, code: 2, stderr: []string{"--port: server.port", "from 0 to 65535"}},
		"flag's bad choice":     {args: []string{"serve", "--provider", "zia"}, code: 2, stderr: []string{"--provider", "zai, bigmodel, custom or demo", "did you mean zai?"}},
		"flags that contradict": {args: []string{"serve", "--demo", "--provider", "zai"}, code: 2, stderr: []string{"--demo and --provider zai"}},
		"argument":              {args: []string{"serve", "now"}, code: 2, stderr: []string{`"now"`}},
		"argument to version":   {args: []string{"version", "now"}, code: 2, stderr: []string{`"now"`}},
		"argument to models":    {args: []string{"models", "now"}, code: 2, stderr: []string{`"now"`}},
		"named file is missing": {args: []string{"serve", "--config", "mine.yaml"}, code: 2, stderr: []string{"mine.yaml: does not exist (named by --config)"}},
		"bad environment":       {env: []string{"ZCODE_PROXY_PORT=web"}, args: []string{"serve"}, code: 2, stderr: []string{"ZCODE_PROXY_PORT: server.port", "from 0 to 65535"}},
		"unknown key": {config: "provider: demo\nserver:\n  prot: 1\n", args: []string{"serve"}, code: 2,
			stderr: []string{"config.yaml:3:3: server.prot", "unknown key", "did you mean server.port?", "host, port"}},
		"wrong type": {config: "server:\n  port: web\n", args: []string{"serve"}, code: 2,
			stderr: []string{"config.yaml:2:9: server.port", "from 0 to 65535"}},
		"bad value": {config: "auth:\n  mode: apikye\n", args: []string{"serve"}, code: 2,
			stderr: []string{"config.yaml:2:9: auth.mode", "auto, apikey, oauth or forward", "did you mean apikey?"}},
		"no YAML": {config: "server: [\n", args: []string{"serve"}, code: 2, stderr: []string{"config.yaml", "not valid YAML"}},
		"all problems at once": {config: "serve: 1\nplan: x\n", args: []string{"serve"}, code: 2,
			stderr: []string{"config.yaml:1:1: serve", "config.yaml:2:7: plan"}},
		"custom without address": {args: []string{"serve", "--provider", "custom"}, code: 2,
			stderr: []string{"providers.custom.anthropicBase", "providers.custom.openaiBase"}},
		"open to the network without a key": {args: []string{"serve", "--demo", "--host", "0.0.0.0", "--port", "0"}, code: 2,
			stderr: []string{"--host", "auth.proxyApiKey", "ZCODE_PROXY_API_KEY", "127.0.0.1"}},
		"port is taken": {args: []string{"serve", "--demo", "--port", taken}, code: 1, stderr: []string{"127.0.0.1:" + taken, "--port"}},
		"log cannot be written": {config: "provider: demo\nlogging:\n  file: nowhere/glmtray.log\n", args: []string{"serve", "--port", "0"}, code: 1,
			stderr: []string{"logging.file", "nowhere"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			m := newMachine(t)
			if tc.config != "" {
				m.configure(t, tc.config)
			}
			got := m.run(t, tc.env, tc.args...)
			if got.code != tc.code {
				t.Errorf("exit code %d, want %d", got.code, tc.code)
			}
			if got.stdout != "" {
				t.Errorf("on standard output: %q", got.stdout)
			}
			wants(t, got.stderr, append(tc.stderr, "glmtray: ")...)
			lacks(t, got.stderr, "Usage:", "panic", "goroutine")
		})
	}
}

// TestPrintedHelp holds the commands that only print.
func TestPrintedHelp(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		args   []string
		stdout []string
	}{
		"--help":          {[]string{"--help"}, []string{"Usage:", "serve", "config"}},
		"help serve":      {[]string{"help", "serve"}, []string{"--port", "--host", "--config", "--provider", "--plan", "--demo", "SIGTERM", "limits.graceSeconds"}},
		"serve --help":    {[]string{"serve", "--help"}, []string{"--port"}},
		"config":          {[]string{"config"}, []string{"path", "check", "show"}},
		"version":         {[]string{"version"}, []string{"glmtray "}},
		"bash":            {[]string{"completion", "bash"}, []string{"__start_glmtray"}},
		"zsh":             {[]string{"completion", "zsh"}, []string{"#compdef glmtray"}},
		"fish":            {[]string{"completion", "fish"}, []string{"complete -c glmtray"}},
		"powershell":      {[]string{"completion", "powershell"}, []string{"Register-ArgumentCompleter"}},
		"completes":       {[]string{"__complete", "ser"}, []string{"serve\tRun the proxy"}},
		"completes flags": {[]string{"__complete", "serve", "--pro"}, []string{"--provider"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			got := newMachine(t).run(t, nil, tc.args...)
			if got.code != 0 {
				t.Errorf("exit code %d: %s", got.code, got.stderr)
			}
			wants(t, got.stdout, tc.stdout...)
		})
	}
}

func TestVersion(t *testing.T) {
	t.Parallel()
	got := newMachine(t).run(t, nil, "version")
	if !regexp.MustCompile(`^glmtray \S+ \(go\S+, \w+/\w+\)\n$`).MatchString(got.stdout) {
		t.Errorf("version prints %q", got.stdout)
	}
}

// TestModels compares what is printed with the list itself.
func TestModels(t *testing.T) {
	t.Parallel()
	data, err := os.ReadFile("../../../assets/models.json")
	if err != nil {
		t.Fatal(err)
	}
	var list []struct {
		ID     string
		Listed bool
	}
	if err := json.Unmarshal(data, &list); err != nil {
		t.Fatal(err)
	}
	got := newMachine(t).run(t, nil, "models")
	var want, printed []string
	for _, m := range list {
		if m.Listed {
			want = append(want, m.ID)
		}
	}
	lines := strings.Split(strings.TrimSpace(got.stdout), "\n")
	for _, line := range lines[1:] {
		fields := strings.Fields(line)
		if len(fields) != 4 || fields[3] != "yes" && fields[3] != "no" {
			t.Errorf("the line %q", line)
		}
		printed = append(printed, fields[0])
	}
	if got.code != 0 || len(want) < 9 || strings.Join(printed, " ") != strings.Join(want, " ") {
		t.Errorf("exit code %d; printed are %q, listed are %q", got.code, printed, want)
	}
	wants(t, lines[0], "MODEL", "CONTEXT", "OUTPUT", "IMAGES")
}
