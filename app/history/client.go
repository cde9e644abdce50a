package history

import "strings"

// clients are the programs that people know by another name than the one in their
// User-Agent. Of two that fit the first counts.
func clients() []struct{ prefix, name string } {
	return []struct{ prefix, name string }{
		{"claude-cli/", "Claude Code"},
		{"claude-code/", "Claude Code"},
		{"codex_cli_rs/", "Codex"},
		{"codex_exec/", "Codex"},
		{"opencode/", "opencode"},
		{"QwenCode/", "Qwen Code"},
		{"Cline/", "Cline"},
		{"Anthropic/JS ", "Anthropic SDK (JavaScript)"},
		{"Anthropic/Python ", "Anthropic SDK (Python)"},
		{"Anthropic/Go ", "Anthropic SDK (Go)"},
		{"OpenAI/JS ", "OpenAI SDK (JavaScript)"},
		{"OpenAI/Python ", "OpenAI SDK (Python)"},
		{"OpenAI/Go ", "OpenAI SDK (Go)"},
		{"curl/", "curl"},
	}
}

// longestName bounds what a User-Agent can put into the table.
const longestName = 40

// ClientName returns the program that a User-Agent stands for, with its version, as a
// person would call it: "Claude Code 2.1.329". An agent that is not known is named by
// its first product; "" has no name.
func ClientName(userAgent string) string {
	for _, c := range clients() {
		if rest, ok := strings.CutPrefix(userAgent, c.prefix); ok {
			return clip(c.name + " " + firstWord(rest))
		}
	}
	product, version, _ := strings.Cut(firstWord(userAgent), "/")
	return clip(strings.TrimSpace(product + " " + version))
}

// firstWord is what stands before the first space, comma or parenthesis.
func firstWord(s string) string {
	if i := strings.IndexAny(s, " ,;("); i >= 0 {
		return s[:i]
	}
	return s
}

func clip(s string) string {
	s = strings.TrimSpace(s)
	if len(s) > longestName {
		return strings.ToValidUTF8(s[:longestName], "") + "…"
	}
	return s
}
