package history

import (
	"strings"
	"testing"
)

func TestClientName(t *testing.T) {
	for agent, want := range map[string]string{
		"":                                     "",
		"claude-cli/2.1.329 (external, cli)":   "Claude Code 2.1.329",
		"codex_exec/0.169.0 (Debian; x86_64)":  "Codex 0.169.0",
		"opencode/1.18.33 ai-sdk/provider":     "opencode 1.18.33",
		"OpenAI/Go 3.95.0":                     "OpenAI SDK (Go) 3.95.0",
		"Anthropic/JS 1.2.3":                   "Anthropic SDK (JavaScript) 1.2.3",
		"curl/8.5.0":                           "curl 8.5.0",
		"my-tool/1 (+https://example.invalid)": "my-tool 1",
		"Mozilla/5.0 (X11)":                    "Mozilla 5.0",
		"plain":                                "plain",
		strings.Repeat("x", 100):               strings.Repeat("x", 40) + "…",
		"(nothing)":                            "",
	} {
		if got := ClientName(agent); got != want {
			t.Errorf("%q: %q, want %q", agent, got, want)
		}
	}
}
