package responses_test

import (
	"bytes"
	"encoding/json"
	"io"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/rogpeppe/go-internal/txtar"

	"glmtray/proxy/dialect/dialecttest"
	"glmtray/proxy/dialect/responses"
	"glmtray/proxy/llm"
	"glmtray/proxy/rawjson"
	"glmtray/proxy/sse"
)

// addRequests adds the requests of all golden files.
func addRequests(f *testing.F) {
	files, err := filepath.Glob("testdata/*/*.txtar")
	if err != nil || len(files) == 0 {
		f.Fatal("no golden files", err)
	}
	for _, file := range files {
		archive, err := txtar.ParseFile(file)
		if err != nil {
			f.Fatal(err)
		}
		for _, part := range archive.Files {
			if part.Name == "request" {
				f.Add(part.Data)
			}
		}
	}
}

// FuzzDecodeRequest holds the reader of requests to these laws: a refusal names what is
// wrong; what is accepted can be arranged, answered and kept, as valid JSON; and a
// request that goes on from what was kept is accepted and has the whole conversation.
func FuzzDecodeRequest(f *testing.F) {
	addRequests(f)
	f.Fuzz(func(t *testing.T, body []byte) {
		store := responses.NewStore(responses.StoreOptions{})
		r, failed := store.Decode(bytes.Clone(body))
		if failed != nil {
			if failed.Kind != llm.ErrInvalid || failed.Message == "" {
				t.Fatalf("%+v", failed)
			}
			return
		}
		o := responses.EncoderOptions{Model: r.Model, ID: "resp_1", Echo: r.Echo()}
		turn, messages := r.Turn(), saying(r.Messages)
		if items := r.InputItems(); rawjson.Valid(items) != nil || rawjson.Value(items).Kind() != rawjson.Array {
			t.Fatalf("its items are %s", items)
		}
		r.SafeNames()
		r.Arrange()
		text := llm.Block{Kind: llm.Text, Text: rawjson.Quote("yes")}
		answer := responses.AppendResponse(nil, &llm.Response{Blocks: []llm.Block{text}}, o)
		if !json.Valid(answer) {
			t.Fatalf("its answer is %s", answer)
		}
		r.Release()
		refused := slices.ContainsFunc(r.Warnings, func(w llm.Warning) bool { return w.Refuse })
		if r.Previous != "" || r.Compaction || refused {
			return // nothing is kept of it
		}
		store.Put("resp_1", turn, answer)
		next, failed := store.Decode([]byte(`{"model":"m","input":"more","previous_response_id":"resp_1"}`))
		if failed != nil {
			t.Fatalf("what was accepted once is refused in the next turn: %v", failed)
		}
		if n := saying(next.Messages); n != messages+2 {
			t.Fatalf("%d messages, and %d in the next turn", messages, n)
		}
		next.Compact()
		next.Arrange()
	})
}

// saying counts the messages that say something.
func saying(messages []llm.Message) (n int) {
	for _, m := range messages {
		if slices.ContainsFunc(m.Blocks, func(b llm.Block) bool { return b.Kind != llm.Text || !b.Text.Empty() }) {
			n++
		}
	}
	return n
}

// eventsOf plays an answer by the laws, as bytes choose it.
func eventsOf(data []byte) []llm.Event {
	texts := []rawjson.String{rawjson.Quote("a"), rawjson.String(`"\ud83d"`), rawjson.String(`"\ude00"`), rawjson.Quote(`{"path":`), rawjson.Quote(`"x"}`), rawjson.Quote("")}
	events := []llm.Event{{Kind: llm.EventStart, ID: rawjson.Quote("up_1"), Usage: &llm.Usage{Input: 3}}}
	open, block := false, llm.Text
	end := func() {
		if open {
			events = append(events, llm.Event{Kind: llm.EventBlockStop, Block: block})
		}
		open = false
	}
	for _, b := range data {
		switch n := int(b) / 8; b % 8 {
		case 0, 1:
			end()
			open, block = true, []llm.BlockKind{llm.Text, llm.Thinks, llm.RedactedThinking, llm.ToolUse}[n%4]
			start := llm.Event{Kind: llm.EventBlockStart, Block: block}
			switch block {
			case llm.ToolUse:
				start.ID, start.Name = rawjson.Quote("call_"+string(rune('a'+n%26))), rawjson.Quote([]string{"read", "patch", "spawn"}[n%3])
			case llm.RedactedThinking:
				start.Text = rawjson.Quote("opaque")
			}
			events = append(events, start)
		case 2:
			end()
		case 3:
			events = append(events, llm.Event{Kind: llm.EventPing})
		case 4:
			if open && block == llm.Thinks {
				events = append(events, llm.Event{Kind: llm.EventSignature, Block: block, Text: rawjson.Quote("sig")})
			}
		case 5:
			if n == 7 {
				return append(events, llm.Event{Kind: llm.EventError, Err: &llm.Error{Kind: llm.ErrorKind(n), Message: "it broke"}})
			}
		default:
			if open && block != llm.RedactedThinking {
				events = append(events, llm.Event{Kind: llm.EventDelta, Block: block, Text: texts[n%len(texts)]})
			}
		}
	}
	end()
	stop := llm.StopReason(len(data) % int(llm.StopPause+1))
	return append(events, llm.Event{Kind: llm.EventFinish, Stop: stop, Usage: &llm.Usage{Input: 3, Output: 5}})
}

// FuzzEncoder holds the writer of streams to these laws, whatever the answer: each event
// is JSON and bears its own name, they are numbered without a gap, and the last alone is
// terminal; what it holds is what is kept.
func FuzzEncoder(f *testing.F) {
	f.Add([]byte{8, 14, 2, 0, 6, 24, 30, 38, 2}, true)
	f.Add([]byte{61}, false)
	const request = `{"model":"m","input":"hi","reasoning":{"summary":"auto"},"tools":[{"type":"function","name":"read","parameters":{}},
		{"type":"custom","name":"patch"},{"type":"namespace","name":"agents","tools":[{"type":"function","name":"spawn","parameters":{}}]}]}`
	f.Fuzz(func(t *testing.T, data []byte, summary bool) {
		body := request
		if !summary {
			body = strings.Replace(body, `"auto"`, `null`, 1)
		}
		r, failed := responses.DecodeRequest([]byte(body))
		if failed != nil {
			t.Fatal(failed)
		}
		events := eventsOf(data)
		if err := dialecttest.Check(events); err != nil {
			return
		}
		e := responses.NewEncoder(responses.EncoderOptions{ID: "resp_1", Model: rawjson.Quote("m"), Echo: r.Echo()})
		var out []byte
		for i := range events {
			out = e.Append(out, &events[i])
		}
		checkStream(t, out, e.Response())
	})
}

func checkStream(t *testing.T, out, kept []byte) {
	t.Helper()
	in := sse.NewReader(bytes.NewReader(out), nil)
	next, last := 0, ""
	var response json.RawMessage
	for err := error(nil); err != io.EOF; err = in.Fill() {
		for frame, ok := in.Next(); ok; frame, ok = in.Next() {
			if frame.Data == nil {
				continue
			}
			var event struct {
				Type     string
				Sequence *int `json:"sequence_number"`
				Response json.RawMessage
			}
			if err := json.Unmarshal(frame.Data, &event); err != nil || event.Type != string(frame.Event) || event.Sequence == nil || *event.Sequence != next {
				t.Fatalf("%v in event %d: %s %s", err, next, frame.Event, frame.Data)
			}
			if isTerminal(last) {
				t.Fatalf("%s comes behind %s", event.Type, last)
			}
			last, response = event.Type, event.Response
			next++
		}
	}
	if !isTerminal(last) {
		t.Fatalf("the stream ends with %q", last)
	}
	if kept != nil && !bytes.Equal(kept, response) {
		t.Fatalf("kept %s\nof     %s", kept, response)
	}
}

func isTerminal(event string) bool {
	return event == "response.completed" || event == "response.incomplete" || event == "response.failed"
}
