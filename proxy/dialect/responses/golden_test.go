package responses_test

import (
	"bytes"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"github.com/rogpeppe/go-internal/txtar"

	"glmtray/proxy/dialect/dialecttest"
	"glmtray/proxy/dialect/responses"
	"glmtray/proxy/llm"
	"glmtray/proxy/rawjson"
	"glmtray/proxy/sse"
)

var update = flag.Bool("update", false, "rewrite what the golden files want")

// golden runs a test for each file of a folder. The first sections of a file are the
// input; get returns what the others must be, in their order.
func golden(t *testing.T, folder string, inputs int, get func(t *testing.T, in [][]byte) []txtar.File) {
	files, err := filepath.Glob(filepath.Join("testdata", folder, "*.txtar"))
	if err != nil || len(files) == 0 {
		t.Fatalf("no golden files in %s: %v", folder, err)
	}
	for _, name := range files {
		t.Run(strings.TrimSuffix(filepath.Base(name), ".txtar"), func(t *testing.T) {
			archive, err := txtar.ParseFile(name)
			if err != nil || len(archive.Files) < inputs {
				t.Fatalf("%d sections: %v", len(archive.Files), err)
			}
			var in [][]byte
			for _, f := range archive.Files[:inputs] {
				in = append(in, bytes.TrimSuffix(f.Data, []byte("\n")))
			}
			got := get(t, in)
			if *update {
				archive.Files = append(archive.Files[:inputs], got...)
				if err := os.WriteFile(name, txtar.Format(archive), 0o600); err != nil {
					t.Fatal(err)
				}
				return
			}
			want := archive.Files[inputs:]
			if len(want) != len(got) {
				t.Fatalf("%d sections, want %d", len(got), len(want))
			}
			for i := range got {
				if got[i].Name != want[i].Name || !bytes.Equal(got[i].Data, want[i].Data) {
					t.Errorf("%s\n%s\nwant %s\n%s", got[i].Name, got[i].Data, want[i].Name, want[i].Data)
				}
			}
		})
	}
}

func section(name, text string) txtar.File { return txtar.File{Name: name, Data: []byte(text)} }

// TestGoldenRequests reads a client's request, and arranges it as the relay does.
// -update rewrites the golden files.
func TestGoldenRequests(t *testing.T) {
	golden(t, "requests", 1, func(t *testing.T, in [][]byte) []txtar.File {
		r, failure := responses.DecodeRequest(bytes.Clone(in[0]))
		if failure != nil {
			return []txtar.File{section("error", fmt.Sprintf("%d %s\n%s\n", failure.HTTPStatus(), failure.Field, failure.Message))}
		}
		told := warnings(r.Warnings)
		r.Arrange()
		r.SafeNames()
		return []txtar.File{section("read", dialecttest.RequestText(&r.Request)+told)}
	})
}

func warnings(list []llm.Warning) string {
	var b strings.Builder
	for _, w := range list {
		word := "lost"
		if w.Refuse {
			word = "refused"
		}
		fmt.Fprintf(&b, "%s: %s %s\n", word, w.Field, w.Reason)
	}
	return b.String()
}

// TestGoldenAnswers answers a request with events, as a stream and all at once.
// -update rewrites the golden files.
func TestGoldenAnswers(t *testing.T) {
	golden(t, "answers", 2, func(t *testing.T, in [][]byte) []txtar.File {
		r, failure := responses.DecodeRequest(bytes.Clone(in[0]))
		if failure != nil {
			t.Fatal(failure)
		}
		o := responses.EncoderOptions{Model: r.Model, ID: "resp_1", Created: 1, Echo: r.Echo()}
		events := script(t, string(in[1]))
		dialecttest.Laws(t, events)
		e := responses.NewEncoder(o)
		var stream []byte
		for i := range events {
			stream = e.Append(stream, &events[i])
		}
		grammar(t, stream)
		out := []txtar.File{section("stream", withoutEcho(string(stream)))}
		whole, failure := llm.Fold(events)
		if failure != nil {
			return append(out, section("batch", string(responses.AppendError(nil, failure, ""))+"\n"))
		}
		batch := responses.AppendResponse(nil, whole, o)
		if final := e.Response(); final != nil && !strings.Contains(string(stream), `"status":"incomplete"`) && !bytes.Equal(final, batch) {
			t.Errorf("the stream ends in\n%s\nthe batch is\n%s", final, batch)
		}
		return append(out, section("batch", withoutEcho(string(batch))+"\n"))
	})
}

// withoutEcho takes out of response objects what they repeat of the request, which is
// in the first section.
func withoutEcho(s string) string {
	const from, to = `,"service_tier":"default"`, `,"user":null}`
	var out strings.Builder
	for {
		before, rest, ok := strings.Cut(s, from)
		out.WriteString(before)
		if !ok {
			return out.String()
		}
		_, s, _ = strings.Cut(rest, to)
		out.WriteString(", … }")
	}
}

// grammar holds a stream to the reference.
func grammar(t testing.TB, stream []byte) []llm.Event {
	t.Helper()
	for line := range bytes.Lines(stream) {
		if data, ok := bytes.CutPrefix(line, []byte("data: ")); ok && rawjson.Valid(data) != nil || !ok && !bytes.HasPrefix(line, []byte("event: ")) && len(line) > 1 {
			t.Fatalf("this is no line of an event: %s", line)
		}
	}
	d := &reader{}
	r := sse.NewReader(bytes.NewReader(stream), make([]byte, len(stream)+8192))
	if err := r.Fill(); err != nil && len(stream) > 0 {
		t.Fatal(err)
	}
	var events []llm.Event
	for f, ok := r.Next(); ok; f, ok = r.Next() {
		events = d.Append(events, f)
	}
	if events = d.Close(events); len(events) == 0 {
		t.Fatal("nothing was streamed")
	}
	if last := &events[len(events)-1]; last.Kind == llm.EventError && last.Err.Kind == llm.ErrUpstream && strings.Contains(last.Err.Message, " in {") {
		t.Errorf("%s\n%s", last.Err.Message, stream)
	}
	return events
}

// script reads events, one a line:
//
//	start
//	open text | open thinking | open redacted "…" | open tool "id" "name"
//	delta "…" | sign "…" | close | ping
//	finish REASON [INPUT CACHED OUTPUT REASONING] | error KIND MESSAGE
func script(t *testing.T, text string) []llm.Event {
	t.Helper()
	kinds := map[string]llm.BlockKind{"text": llm.Text, "thinking": llm.Thinks, "redacted": llm.RedactedThinking, "tool": llm.ToolUse}
	stops := map[string]llm.StopReason{
		"end": llm.StopEndTurn, "tokens": llm.StopMaxTokens, "sequence": llm.StopSequence, "tool": llm.StopToolUse,
		"refusal": llm.StopRefusal, "window": llm.StopContextWindow, "pause": llm.StopPause,
	}
	errors := map[string]llm.ErrorKind{"upstream": llm.ErrUpstream, "quota": llm.ErrQuota, "context": llm.ErrContextLength, "rate": llm.ErrRateLimit, "overloaded": llm.ErrOverloaded}
	var events []llm.Event
	var block llm.BlockKind
	for line := range strings.Lines(text) {
		word, rest, _ := strings.Cut(strings.TrimSpace(line), " ")
		literal := rawjson.String(rest)
		switch word {
		case "start":
			events = append(events, llm.Event{Kind: llm.EventStart, ID: rawjson.Quote("msg_upstream"), Model: rawjson.Quote("glm-5.1")})
		case "ping":
			events = append(events, llm.Event{Kind: llm.EventPing})
		case "open":
			kind, rest, _ := strings.Cut(rest, " ")
			block = kinds[kind]
			e := llm.Event{Kind: llm.EventBlockStart, Block: block}
			if id, name, ok := strings.Cut(rest, " "); block == llm.ToolUse && ok {
				e.ID, e.Name = rawjson.String(id), rawjson.String(name)
			} else if rest != "" {
				e.Text = rawjson.String(rest)
			}
			events = append(events, e)
		case "delta":
			events = append(events, llm.Event{Kind: llm.EventDelta, Block: block, Text: literal})
		case "sign":
			events = append(events, llm.Event{Kind: llm.EventSignature, Text: literal})
		case "close":
			events = append(events, llm.Event{Kind: llm.EventBlockStop, Block: block})
		case "finish":
			reason, counts, told := strings.Cut(rest, " ")
			stop, ok := stops[reason]
			if !ok {
				t.Fatalf("the reason %q", reason)
			}
			e := llm.Event{Kind: llm.EventFinish, Stop: stop}
			if told {
				var n [4]int
				for i, s := range strings.Fields(counts) {
					n[i], _ = strconv.Atoi(s)
				}
				e.Usage = &llm.Usage{Input: n[0], CacheRead: n[1], Output: n[2], Reasoning: n[3]}
			}
			events = append(events, e)
		case "error":
			kind, message, _ := strings.Cut(rest, " ")
			events = append(events, llm.Event{Kind: llm.EventError, Err: &llm.Error{Kind: errors[kind], Message: message}})
		default:
			t.Fatalf("the line %q", line)
		}
	}
	return events
}
