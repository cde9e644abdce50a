//go:build clients && unix

// Package clients runs real coding tools, as a person would, through the built glmtray: Claude Code, opencode, Qwen Code,
// Cline, Codex and Continue, headless, each with a plain prompt and with prompts that make it run its own tools. Between
// them they speak all three dialects that glmtray serves: Messages, chat completions and Responses.
//
// Nothing here leaves the machine: the answers come from glmtray's demo upstream, and every other way out is closed. The
// tests never log in, never read the home folder of the person who runs them, and keep no prompt.
//
// To start: run.sh installs the clients once, outside the repository, and runs the tests; for a closer look
//
//	make build
//	build/clients/install.sh
//	go test -tags clients -count=1 -v -run //claude ./build/clients
//
// GLMTRAY_BIN names another program than bin/glmtray, GLMTRAY_CLIENTS another folder than install.sh's default. A client
// that is not installed is skipped, but fails the run where CI=true.
package clients

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// TestClients holds the promise that a tool works when its base URL is pointed at glmtray. Each lane gives the clients
// another upstream, so that both of its dialects are passed through and all three of the clients' are translated.
func TestClients(t *testing.T) {
	bin := glmtrayProgram(t)
	demo := startServer(t, bin, "--demo")
	chat := startServer(t, bin, "--config", customProvider(t, "openaiBase", demo+"/v1"))
	messages := startServer(t, bin, "--config", customProvider(t, "anthropicBase", demo))

	for _, lane := range []struct {
		name, base string
		tools      int // how many of a client's tools are tried, where it has as many
	}{
		{"demo", demo, 2},
		{"chat", chat, 1},
		{"messages", messages, 1},
	} {
		t.Run(lane.name, func(t *testing.T) {
			for _, c := range allClients {
				t.Run(c.name, func(t *testing.T) {
					t.Parallel()
					testClient(t, c, lane.base, lane.tools)
				})
			}
		})
	}
}

// testClient runs c's prompts one after the other in one home: clients keep a database there and lock it.
func testClient(t *testing.T, c client, base string, tools int) {
	s := newSession(t, c, base)

	word := randomWord()
	out := s.run(t, c.plain("please say "+word))
	if !strings.Contains(string(out), word) {
		t.Errorf("plain prompt: the output does not hold the prompt's word %q:\n%s", word, out)
	}

	for _, tool := range c.tools[:min(tools, len(c.tools))] {
		t.Run(tool.name, func(t *testing.T) { testTool(t, s, tool) })
	}
}

// testTool makes the model call one of the client's own tools on a file whose content nothing but that tool can know.
func testTool(t *testing.T, s *session, tool tool) {
	word := randomWord()
	file := filepath.Join(s.work, "note.txt") // the demo quotes only the beginning of a result, which may hold this path
	if err := os.WriteFile(file, []byte(word+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	args, err := json.Marshal(tool.args(file))
	if err != nil {
		t.Fatal(err)
	}

	out := s.run(t, s.client.withTools("demo:tool "+tool.name+" "+string(args)))
	got, err := s.client.read(s, out)
	if err != nil {
		t.Fatalf("%v:\n%s", err, out)
	}
	if len(got.runs) != 1 {
		t.Fatalf("%d tool runs, want 1:\n%s", len(got.runs), out)
	}
	run := got.runs[0]
	if run.tool != tool.name || run.failed || !strings.Contains(run.output, word) {
		t.Errorf("tool run = %+v, want %s with %q in its output", run, tool.name, word)
	}
	if !strings.Contains(strings.ToLower(got.answer), "tool result") || !strings.Contains(got.answer, word) {
		t.Errorf("answer = %q, want the demo's quote of the tool result with %q", got.answer, word)
	}
}
