//go:build clients && unix

package clients

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// model is what every client is told to ask for.
const model = "glm-4.6"

// dummyKey is what every client sends. The demo needs no account, and a client without a key does not start.
const dummyKey = "sk-dummy"

// client is one command-line tool: how it is pointed at a base URL, called, and understood.
type client struct {
	name string // of the program in node_modules/.bin

	// setup writes the client's settings into a fresh home; nil when the environment is enough.
	setup func(t *testing.T, s *session)
	env   func(base string) []string

	// plain gives the arguments for a prompt, withTools those for one whose tool calls are allowed and which read
	// understands from the output and from what the client left in its home.
	plain     func(prompt string) []string
	withTools func(prompt string) []string
	read      func(s *session, out []byte) (transcript, error)

	tools []tool
}

// tool is one of a client's own tools, and the arguments that make it print a file.
type tool struct {
	name string
	args func(file string) any
}

var allClients = []client{claudeCode, opencode, qwenCode, cline, codex, continueCLI}

var claudeCode = client{
	name: "claude",
	env: func(base string) []string {
		return []string{
			"ANTHROPIC_BASE_URL=" + base,
			"ANTHROPIC_API_KEY=" + dummyKey,
			"ANTHROPIC_MODEL=" + model,
			"CLAUDE_CODE_DISABLE_NONESSENTIAL_TRAFFIC=1",
			"DISABLE_AUTOUPDATER=1",
			"DISABLE_ERROR_REPORTING=1",
			"DISABLE_TELEMETRY=1",
		}
	},
	plain: func(prompt string) []string { return []string{"-p", prompt} },
	withTools: func(prompt string) []string {
		// With a blank instead of "=" the list would swallow the prompt.
		return []string{"-p", "--output-format", "stream-json", "--verbose", "--allowedTools=Read,Bash", prompt}
	},
	read: readStreamJSON,
	tools: []tool{
		{"Read", func(file string) any { return map[string]any{"file_path": file} }},
		{"Bash", func(file string) any { return map[string]any{"command": "cat " + file, "description": "print a file"} }},
	},
}

var opencode = client{
	name: "opencode",
	setup: func(t *testing.T, s *session) {
		provider := map[string]any{
			"npm":     "@ai-sdk/openai-compatible",
			"options": map[string]any{"baseURL": s.base + "/v1", "apiKey": dummyKey},
			"models":  map[string]any{model: map[string]any{}},
		}
		writeJSON(t, filepath.Join(s.home, ".config", "opencode", "opencode.json"), map[string]any{
			"provider":    map[string]any{"local": provider},
			"model":       "local/" + model,
			"small_model": "local/" + model,
			"autoupdate":  false,
			"share":       "disabled",
			"permission":  map[string]any{"read": "allow", "bash": "allow"},
		})
	},
	env: func(string) []string {
		return []string{
			"OPENCODE_DISABLE_AUTOUPDATE=1",
			"OPENCODE_DISABLE_DEFAULT_PLUGINS=1",
			"OPENCODE_DISABLE_LSP_DOWNLOAD=1",
			"OPENCODE_DISABLE_MODELS_FETCH=1",
		}
	},
	plain: func(prompt string) []string { return []string{"run", prompt} },
	withTools: func(prompt string) []string {
		// An argument that holds a blank reaches the model between quotation marks, and with its own escaped.
		return append([]string{"run", "--format", "json"}, strings.Fields(prompt)...)
	},
	read: readOpencode,
	tools: []tool{
		{"read", func(file string) any { return map[string]any{"filePath": file} }},
		{"bash", func(file string) any { return map[string]any{"command": "cat " + file, "description": "print"} }},
	},
}

var qwenCode = client{
	name: "qwen",
	setup: func(t *testing.T, s *session) {
		writeJSON(t, filepath.Join(s.home, ".qwen", "settings.json"), map[string]any{
			"privacy":  map[string]any{"usageStatisticsEnabled": false},
			"general":  map[string]any{"enableAutoUpdate": false},
			"security": map[string]any{"auth": map[string]any{"selectedType": "openai"}},
		})
	},
	env: func(base string) []string {
		return []string{"OPENAI_BASE_URL=" + base + "/v1", "OPENAI_API_KEY=" + dummyKey, "OPENAI_MODEL=" + model}
	},
	plain: func(prompt string) []string { return []string{"-p", prompt} },
	withTools: func(prompt string) []string {
		return []string{"--output-format", "stream-json", "--allowed-tools=run_shell_command", "-p", prompt}
	},
	read: readStreamJSON,
	tools: []tool{
		{"read_file", func(file string) any { return map[string]any{"file_path": file} }},
		{"run_shell_command", func(file string) any { return map[string]any{"command": "cat " + file, "is_background": false} }},
	},
}

// clineData gives Cline a folder of its own beside the working one. Without it Cline starts a daemon on a fixed port that
// outlives the test and serves every later session of the machine.
const clineData = "--data-dir=../home/cline"

var cline = client{
	name: "cline",
	setup: func(t *testing.T, s *session) {
		s.run(t, []string{"auth", "-p", "openai-compatible", "-k", dummyKey, "-m", model, "-b", s.base + "/v1", clineData})
	},
	env: func(string) []string { return []string{"CLINE_TELEMETRY_DISABLED=1"} },
	plain: func(prompt string) []string {
		return []string{clineData, "-P", "openai-compatible", "-m", model, prompt}
	},
	withTools: func(prompt string) []string {
		return []string{clineData, "-P", "openai-compatible", "-m", model, "--json", prompt}
	},
	read: readCline,
	tools: []tool{
		{"read_files", func(file string) any { return map[string]any{"files": []any{map[string]any{"path": file}}} }},
		{"run_commands", func(file string) any { return map[string]any{"commands": []string{"cat " + file}} }},
	},
}

// codexConfig is Codex's config.toml for a provider that speaks Responses at a base URL.
const codexConfig = `model = "` + model + `"
model_provider = "local"
check_for_update_on_startup = false

[model_providers.local]
name = "local"
base_url = "%s/v1"
env_key = "LOCAL_KEY"
wire_api = "responses"
request_max_retries = 0
stream_max_retries = 0

[analytics]
enabled = false
`

var codex = client{
	name: "codex",
	setup: func(t *testing.T, s *session) {
		writeFile(t, filepath.Join(s.home, ".codex", "config.toml"), fmt.Appendf(nil, codexConfig, s.base))
	},
	env: func(string) []string { return []string{"LOCAL_KEY=" + dummyKey} },
	plain: func(prompt string) []string {
		// It puts a message about the machine before the prompt. For a chat upstream the two become one, of which the demo
		// quotes only the beginning; the prompts with tools keep that message.
		return []string{"exec", "--strict-config", "--skip-git-repo-check", "--sandbox=read-only",
			"--config=include_environment_context=false", prompt}
	},
	withTools: func(prompt string) []string {
		// Its sandbox wants user namespaces, which not every machine gives; the command here only prints a file.
		return []string{"exec", "--strict-config", "--skip-git-repo-check", "--sandbox=danger-full-access", "--json", prompt}
	},
	read: readCodex,
	tools: []tool{
		{codexShell, func(file string) any { return map[string]any{"cmd": "cat " + file} }},
	},
}

// continueConfig is Continue's config.yaml for an OpenAI provider at a base URL.
const continueConfig = `name: local
version: 1.0.0
schema: v1
models:
  - name: ` + model + `
    provider: openai
    model: ` + model + `
    apiBase: %s/v1
    apiKey: ` + dummyKey + `
    roles: [chat]
`

// continueFile is where Continue finds its settings from the working folder.
const continueFile = "../home/.continue/config.yaml"

var continueCLI = client{
	name: "cn",
	setup: func(t *testing.T, s *session) {
		writeFile(t, filepath.Join(s.work, continueFile), fmt.Appendf(nil, continueConfig, s.base))
	},
	env: func(string) []string { return []string{"CONTINUE_METRICS_ENABLED=0"} },
	plain: func(prompt string) []string {
		return []string{"--config", continueFile, "-p", prompt}
	},
	withTools: func(prompt string) []string {
		return []string{"--config", continueFile, "--allow", "Read", "--allow", "Bash", "-p", prompt}
	},
	read: readContinue,
	tools: []tool{
		{"Read", func(file string) any { return map[string]any{"filepath": file} }},
		{"Bash", func(file string) any { return map[string]any{"command": "cat " + file} }},
	},
}

func writeJSON(t *testing.T, file string, v any) {
	t.Helper()
	data, err := json.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	writeFile(t, file, data)
}

func writeFile(t *testing.T, file string, data []byte) {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(file), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(file, data, 0o600); err != nil {
		t.Fatal(err)
	}
}
