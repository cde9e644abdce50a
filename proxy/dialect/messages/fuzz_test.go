package messages

import (
	"bytes"
	"io"
	"reflect"
	"strings"
	"testing"

	"glmtray/proxy/dialect/dialecttest"
	"glmtray/proxy/llm"
	"glmtray/proxy/rawjson"
	"glmtray/proxy/sse"
)

// FuzzDecodeRequest holds the reader of requests to three laws: a refusal names what
// is wrong; what is accepted can be passed on and can be written, as valid JSON; and
// what was written is accepted again.
func FuzzDecodeRequest(f *testing.F) {
	for _, tt := range requestsRead {
		f.Add([]byte(tt.body))
	}
	for _, tt := range requestsRefused {
		f.Add([]byte(tt.body))
	}
	for _, tt := range passed {
		f.Add([]byte(tt.body))
	}
	for _, tt := range requestsWritten {
		f.Add([]byte(tt.body))
	}
	targets := []llm.Target{glm, glm53, claude, claude5, led, leading(glm), {CacheLastBlock: true, User: rawjson.Quote("u"), Temperature: new(0.5)}}
	f.Fuzz(func(t *testing.T, body []byte) {
		r, failed := DecodeRequest(body)
		if failed != nil {
			if failed.Kind != llm.ErrInvalid || failed.Message == "" {
				t.Fatalf("%+v", failed)
			}
			return
		}
		for _, target := range targets {
			out := rawjson.Splice(nil, body, r.PassEdits(target))
			if err := rawjson.Valid(out); err != nil {
				t.Fatalf("passed on: %v\n%s\n%s", err, body, out)
			}
			again, failed := DecodeRequest(out)
			if failed != nil {
				t.Fatalf("passed on: %v\n%s\n%s", failed, body, out)
			}
			if got, want := systemText(&again.Request), joined(target.Lead)+systemText(&r.Request); got != want {
				t.Fatalf("passed on: the system prompt is\n%s\nwant\n%s\n%s\n%s", got, want, body, out)
			}
		}
		r.SafeNames()
		r.Arrange()
		for _, target := range targets {
			out := EncodeRequest(nil, &r.Request, target)
			if err := rawjson.Valid(out); err != nil {
				t.Fatalf("written: %v\n%s", err, out)
			}
			if _, failed := DecodeRequest(out); failed != nil {
				t.Fatalf("written: %v\n%s", failed, out)
			}
		}
		r.EstimateTokens()
	})
}

// systemText is the system prompt, a line for each block.
func systemText(r *llm.Request) string {
	var texts []rawjson.String
	for i := range r.System {
		texts = append(texts, r.System[i].Text)
	}
	return joined(texts)
}

func joined(texts []rawjson.String) string {
	var b strings.Builder
	for _, text := range texts {
		b.Write(text.Inner())
		b.WriteByte('\n')
	}
	return b.String()
}

// FuzzDecoder holds the reader of streams to the laws of events, to giving the same
// however the stream is torn, and to what it reads being readable again once it was
// written.
func FuzzDecoder(f *testing.F) {
	for _, tt := range streamsRead {
		f.Add(tt.in, 3)
	}
	for _, tt := range streamsWritten {
		f.Add(wire(tt.want), 100)
	}
	f.Fuzz(func(t *testing.T, in string, at int) {
		if strings.Contains(in, "tool_use") && !strings.Contains(in, `"id"`) {
			t.Skip("an id may be made up by chance")
		}
		whole := read(t, strings.NewReader(in))
		if err := dialecttest.Check(whole); err != nil {
			t.Fatalf("%v\n%s", err, dialecttest.Transcript(whole))
		}
		at = max(0, min(at, len(in)))
		torn := read(t, io.MultiReader(strings.NewReader(in[:at]), strings.NewReader(in[at:])))
		want := dialecttest.AnswerOf(whole)
		if got := dialecttest.AnswerOf(torn); got.String() != want.String() && !strings.Contains(want.String(), "toolu_") {
			t.Fatalf("torn at %d: %s\nwhole: %s", at, got, want)
		}
		e := NewEncoder(EncoderOptions{ID: "x"})
		var out []byte
		for i := range whole {
			out = e.Append(out, &whole[i])
		}
		again := dialecttest.AnswerOf(read(t, bytes.NewReader(out)))
		if (again.Err == nil) != (want.Err == nil) || len(again.Blocks) != len(want.Blocks) || again.Stop != want.Stop || again.Usage != want.Usage {
			t.Fatalf("read again: %s\nfirst: %s\n%s", again, want, out)
		}
	})
}

// read lets a decoder read a stream as the relay does.
func read(t *testing.T, src io.Reader) (events []llm.Event) {
	d := NewDecoder()
	r := sse.NewReader(src, make([]byte, 64<<10))
	for {
		err := r.Fill()
		for f, ok := r.Next(); ok; f, ok = r.Next() {
			events = d.Append(events, clone(f))
		}
		if err != nil {
			break
		}
	}
	events = d.Append(events, clone(r.Rest()))
	return d.Close(events)
}

// clone copies a frame, so that the events of all reads can be kept.
func clone(f sse.Frame) sse.Frame {
	return sse.Frame{Event: bytes.Clone(f.Event), Data: bytes.Clone(f.Data), Raw: bytes.Clone(f.Raw)}
}

// FuzzDecodeResponse holds the reader of batch answers to the laws of events, and
// what it reads to be writable.
func FuzzDecodeResponse(f *testing.F) {
	for _, tt := range responsesRead {
		f.Add([]byte(tt.body))
	}
	f.Fuzz(func(t *testing.T, body []byte) {
		events := DecodeResponse(nil, body)
		if err := dialecttest.Check(events); err != nil {
			t.Fatalf("%v\n%s", err, dialecttest.Transcript(events))
		}
		whole, failed := llm.Fold(events)
		if failed != nil {
			return
		}
		out := AppendResponse(nil, whole, EncoderOptions{})
		if err := rawjson.Valid(out); err != nil {
			t.Fatalf("%v\n%s", err, out)
		}
	})
}

// FuzzFastPath holds the fast path of deltas to the general one: where it does not
// give up, it gives the same and leaves the decoder in the same state.
func FuzzFastPath(f *testing.F) {
	starts := []string{textStart, thinkStart, toolStart, renumbered(textStart, 12), `{"type":"content_block_start","index":0,"content_block":{"type":"tool_use","id":"a","name":"f","input":{"x":1}}}`, `{"type":"content_block_start","index":0,"content_block":{"type":"redacted_thinking","data":"d"}}`}
	for i := range starts {
		for _, data := range []string{textDelta("a"), thinkDelta("a"), inputDelta(`{\"a`), textDelta(""), textDelta(`\ud83d`), renumbered(textDelta("a"), 12), textDelta("a") + " ", textDelta(`a"}},"x":{{"y":"`), textDelta("\x01"), textDelta("\xff"), textDelta(`\q`)} {
			f.Add(uint8(i), []byte(data))
		}
	}
	f.Fuzz(func(t *testing.T, start uint8, data []byte) {
		fast, general := NewDecoder(), NewDecoder()
		for _, d := range []*Decoder{fast, general} {
			d.Append(nil, frame(begin))
			d.Append(nil, frame(starts[int(start)%len(starts)]))
		}
		if _, ok := fast.fast(data); !ok {
			return
		}
		got, want := fast.Append(nil, sse.Frame{Data: data}), general.general(nil, data)
		if !reflect.DeepEqual(got, want) || !reflect.DeepEqual(fast, general) {
			t.Fatalf("fast\n%s%+v\ngeneral\n%s%+v", dialecttest.Transcript(got), fast, dialecttest.Transcript(want), general)
		}
	})
}

// FuzzPatchStart holds the patch to changing nothing but the count.
func FuzzPatchStart(f *testing.F) {
	for _, tt := range patched {
		f.Add("data: " + tt.data + "\n\n")
	}
	f.Fuzz(func(t *testing.T, in string) {
		for _, fr := range readFrames(t, in) {
			out, ok := PatchStart(nil, fr, func() int { return 77 })
			if !ok {
				if out != nil {
					t.Fatalf("%q", out)
				}
				continue
			}
			again := readFrames(t, string(out))
			if len(again) != 1 {
				t.Fatalf("%q became %q", fr.Raw, out)
			}
			events := NewDecoder().Append(nil, again[0])
			if len(events) != 1 || events[0].Usage == nil || events[0].Usage.Input != 77 {
				t.Fatalf("%q became %q\n%s", fr.Raw, out, dialecttest.Transcript(events))
			}
		}
	})
}
