//go:build clients && unix

package clients

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
)

// transcript is what a client's JSON says about one prompt.
type transcript struct {
	runs   []toolRun
	answer string // the last text
}

type toolRun struct {
	tool   string
	output string
	failed bool
}

// readLines calls each with every line of out that is a JSON object: clients print warnings between them.
func readLines[Line any](out []byte, each func(Line)) error {
	number, found := 0, false
	for line := range bytes.Lines(out) {
		number++
		if !bytes.HasPrefix(line, []byte("{")) {
			continue
		}
		var v Line
		if err := json.Unmarshal(line, &v); err != nil {
			return fmt.Errorf("line %d of the output: %w", number, err)
		}
		each(v)
		found = true
	}
	if !found {
		return errors.New("the output holds no JSON")
	}
	return nil
}

// readStreamJSON reads the format that Claude Code calls stream-json and Qwen Code took over: the messages of the
// conversation, then a result.
func readStreamJSON(_ *session, out []byte) (transcript, error) {
	type block struct {
		Type      string
		ID        string
		Name      string
		ToolUseID string `json:"tool_use_id"`
		IsError   bool   `json:"is_error"`
		Content   json.RawMessage
	}
	type line struct {
		Type    string
		IsError bool `json:"is_error"`
		Result  string
		Message struct{ Content []block }
	}
	var got transcript
	var failed error
	names := map[string]string{}
	err := readLines(out, func(l line) {
		if l.Type == "result" {
			got.answer = l.Result
			if l.IsError {
				failed = errors.New("the client reports an error")
			}
		}
		for _, b := range l.Message.Content {
			switch b.Type {
			case "tool_use":
				names[b.ID] = b.Name
			case "tool_result":
				got.runs = append(got.runs, toolRun{names[b.ToolUseID], string(b.Content), b.IsError})
			}
		}
	})
	return got, errors.Join(err, failed)
}

// readOpencode reads the events of `opencode run --format json`.
func readOpencode(_ *session, out []byte) (transcript, error) {
	type line struct {
		Type string
		Part struct {
			Tool  string
			Text  string
			State struct{ Status, Output string }
		}
	}
	var got transcript
	var failed error
	err := readLines(out, func(l line) {
		switch l.Type {
		case "text":
			got.answer = l.Part.Text
		case "tool_use":
			s := l.Part.State
			got.runs = append(got.runs, toolRun{l.Part.Tool, s.Output, s.Status != "completed"})
		case "error":
			failed = errors.New("the client reports an error")
		}
	})
	return got, errors.Join(err, failed)
}

// readCline reads the events of `cline --json`.
func readCline(_ *session, out []byte) (transcript, error) {
	type line struct {
		Type         string
		FinishReason string
		Text         string
		Event        struct {
			Type, ContentType, ToolName, Error string
			Output                             json.RawMessage
		}
	}
	var got transcript
	var failed error
	err := readLines(out, func(l line) {
		e := l.Event
		if e.Type == "content_end" && e.ContentType == "tool" {
			fails := e.Error != "" || strings.Contains(string(e.Output), `"success":false`)
			got.runs = append(got.runs, toolRun{e.ToolName, string(e.Output), fails})
		}
		if l.Type == "run_result" {
			got.answer = l.Text
			if l.FinishReason != "completed" {
				failed = fmt.Errorf("the client finished with %q", l.FinishReason)
			}
		}
	})
	return got, errors.Join(err, failed)
}

// codexShell is the tool that the model calls for what Codex's events call a command execution.
const codexShell = "exec_command"

// readCodex reads the events of `codex exec --json`. A call of a tool that Codex does not have is no event there.
func readCodex(_ *session, out []byte) (transcript, error) {
	type line struct {
		Type string
		Item struct {
			Type, Text, Status string
			Output             string `json:"aggregated_output"`
		}
	}
	var got transcript
	var failed error
	finished := false
	err := readLines(out, func(l line) {
		item := l.Item
		switch {
		case l.Type == "item.completed" && item.Type == "command_execution":
			got.runs = append(got.runs, toolRun{codexShell, item.Output, item.Status != "completed"})
		case l.Type == "item.completed" && item.Type == "agent_message":
			got.answer = item.Text
		case l.Type == "turn.completed":
			finished = true
		case l.Type == "error" || l.Type == "turn.failed":
			failed = errors.New("the client reports an error")
		}
	})
	if !finished {
		failed = errors.Join(failed, errors.New("the turn was not completed"))
	}
	return got, errors.Join(err, failed)
}

// readContinue reads the newest conversation in Continue's home: its output is the answer alone.
func readContinue(s *session, out []byte) (transcript, error) {
	dir := filepath.Join(s.home, ".continue", "sessions")
	var list []struct{ SessionID string }
	if err := readJSON(filepath.Join(dir, "sessions.json"), &list); err != nil {
		return transcript{}, err
	}
	if len(list) == 0 {
		return transcript{}, errors.New("the client kept no conversation")
	}
	var conversation struct {
		History []struct {
			ToolCallStates []struct {
				Status   string
				ToolCall struct{ Function struct{ Name string } }
				Output   []struct{ Content string }
			}
		}
	}
	if err := readJSON(filepath.Join(dir, list[len(list)-1].SessionID+".json"), &conversation); err != nil {
		return transcript{}, err
	}
	got := transcript{answer: string(out)}
	for _, turn := range conversation.History {
		for _, call := range turn.ToolCallStates {
			var text strings.Builder
			for _, part := range call.Output {
				text.WriteString(part.Content)
			}
			got.runs = append(got.runs, toolRun{call.ToolCall.Function.Name, text.String(), call.Status != "done"})
		}
	}
	return got, nil
}

func readJSON(file string, v any) error {
	data, err := os.ReadFile(file)
	if err != nil {
		return err
	}
	if err := json.Unmarshal(data, v); err != nil {
		return fmt.Errorf("%s: %w", filepath.Base(file), err)
	}
	return nil
}
