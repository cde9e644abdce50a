package llm_test

import (
	"strings"
	"testing"

	"glmtray/proxy/dialect/dialecttest"
	"glmtray/proxy/llm"
	"glmtray/proxy/rawjson"
)

// answerOf makes the events of an answer: "think:" and "text:" begin a block, and a bar
// stands between pieces. A piece is what stands in a JSON string.
func answerOf(blocks ...string) []llm.Event {
	events := []llm.Event{{Kind: llm.EventStart}}
	for _, b := range blocks {
		kind, text, _ := strings.Cut(b, ":")
		block := map[string]llm.BlockKind{"text": llm.Text, "think": llm.Thinks, "redacted": llm.RedactedThinking, "tool": llm.ToolUse}[kind]
		start := llm.Event{Kind: llm.EventBlockStart, Block: block}
		if block == llm.ToolUse {
			start.ID, start.Name = rawjson.Quote("call_1"), rawjson.Quote("read")
		}
		events = append(events, start)
		for piece := range strings.SplitSeq(text, "|") {
			if piece != "" {
				events = append(events, llm.Event{Kind: llm.EventDelta, Block: block, Text: rawjson.String(`"` + piece + `"`)})
			}
		}
		if block == llm.Thinks {
			events = append(events, llm.Event{Kind: llm.EventSignature, Block: block, Text: rawjson.Quote("sig")})
		}
		events = append(events, llm.Event{Kind: llm.EventBlockStop, Block: block})
	}
	return append(events, llm.Event{Kind: llm.EventFinish})
}

// told says what an answer's blocks hold, in the notation of answerOf without the bars.
func told(t *testing.T, events []llm.Event) string {
	t.Helper()
	if err := dialecttest.Check(events); err != nil {
		t.Errorf("%v in\n%s", err, dialecttest.Transcript(events))
	}
	var b strings.Builder
	for _, e := range events {
		switch e.Kind {
		case llm.EventBlockStart:
			if b.Len() > 0 {
				b.WriteString(" ; ")
			}
			b.WriteString(map[llm.BlockKind]string{llm.Text: "text:", llm.Thinks: "think:", llm.RedactedThinking: "redacted:", llm.ToolUse: "tool:"}[e.Block])
		case llm.EventDelta:
			b.WriteString(string(e.Text.Inner()))
		case llm.EventError:
			b.WriteString(" ; error")
		}
	}
	return b.String()
}

// present shows events one call each, as a stream brings them.
func present(display llm.Display, events []llm.Event) []llm.Event {
	p := llm.Presenter{Display: display}
	var shown []llm.Event
	for i := range events {
		shown = append(shown, p.Present(events[i:i+1])...)
	}
	return shown
}

func TestInlineThinking(t *testing.T) {
	for _, c := range []struct{ name, in, want string }{
		{"none", "text:Hello", "text:Hello"},
		{"thought and answer", "text:<think>why</think>because", "think:why ; text:because"},
		{"white space around", `text:\n <think>\nwhy\n</think>\n\nbecause `, "think:why ; text:because "},
		{"letters escaped", `text:\u003cthink\u003ewhy\u003C\/think\u003Ebecause`, "think:why ; text:because"},
		{"another escape before", `text:<think>a\\u003c/think></think>b`, `think:a\\u003c/think> ; text:b`},
		{"a backslash and an n are no white space", `text:<think>a\\n</think>b`, `think:a\\n ; text:b`},
		{"half a pair stays", `text:<think>\ud83d|\ude00</think>\ud83d|\ude01`, `think:\ud83d\ude00 ; text:\ud83d\ude01`},
		{"never closed", "text:<think>why", "think:why"},
		{"almost closed", "text:<think>why </thin", "think:why </thin"},
		{"no thought", "text:<think></think>because", "think: ; text:because"},
		{"no answer", `text:<think>why</think>\n`, "think:why"},
		{"a tag left over", `text:</think>\nbecause`, "text:because"},
		{"a tag left over behind thinking", `think:why ; text:\n</think>\n\nbecause`, "think:why ; text:because"},
		{"mentioned later", "text:The <think> tag and </think>", "text:The <think> tag and </think>"},
		{"mentioned in the answer", "text:<think>a</think>b <think>c</think>", "think:a ; text:b <think>c</think>"},
		{"a similar word", "text:<thinking>a</thinking>", "text:<thinking>a</thinking>"},
		{"only its beginning", "text:<thi", "text:<thi"},
		{"a later block", "text:Hello ; tool:{} ; text:<think>a", "text:Hello ; tool:{} ; text:<think>a"},
		{"a call behind", "text:<think>a</think> ; tool:{}", "think:a ; tool:{}"},
		{"blank, then thinking", `text:\n ; think:a ; text:b`, `text:\n ; think:a ; text:b`},
		{"blank, then a tag", `text:\n ; text:<think>a</think>b`, `text:\n ; think:a ; text:b`},
		{"empty", "text:", "text:"},
	} {
		t.Run(c.name, func(t *testing.T) {
			if got := told(t, present(llm.ThinkingApart, answerOf(strings.Split(c.in, " ; ")...))); got != c.want {
				t.Errorf("got  %s\nwant %s", got, c.want)
			}
		})
	}
}

// However a text is torn, it means the same.
func TestInlineThinkingTorn(t *testing.T) {
	const text, want = `\n<think>\nwhy </th? <\n</think>\n\nso </think> be it`, `think:why </th? < ; text:so </think> be it`
	for i := range len(text) {
		for j := i; j < len(text); j++ {
			if insideEscape(text, i) || insideEscape(text, j) {
				continue
			}
			events := answerOf("text:" + text[:i] + "|" + text[i:j] + "|" + text[j:])
			if got := told(t, present(llm.ThinkingApart, events)); got != want {
				t.Fatalf("torn at %d and %d: got %s", i, j, got)
			}
		}
	}
}

func insideEscape(text string, at int) bool { return at > 0 && text[at-1] == '\\' }

func TestDisplays(t *testing.T) {
	for _, c := range []struct{ name, in, tags, hidden string }{
		{"thought and answer", "think:wh|y ; text:because", `text:<think>\nwhy\n</think>\n\nbecause`, "text:because"},
		{"inline", "text:<think>why</think>because", `text:<think>\nwhy\n</think>\n\nbecause`, "text:because"},
		{"thought alone", "think:why", `text:<think>\nwhy\n</think>\n\n`, ""},
		{"thought and call", "think:why ; tool:{}", `text:<think>\nwhy\n</think>\n\n ; tool:{}`, "tool:{}"},
		{"thinking twice", "think:a ; think:b ; text:c", `text:<think>\na\n</think>\n\n<think>\nb\n</think>\n\nc`, "text:c"},
		{"thinking between", "text:a ; think:b ; text:c", `text:a ; text:<think>\nb\n</think>\n\nc`, "text:a ; text:c"},
		{"nothing thought", "think: ; text:a", "text:a", "text:a"},
		{"redacted", "redacted: ; text:a", "text:a", "text:a"},
		{"no thinking", "text:a ; tool:{}", "text:a ; tool:{}", "text:a ; tool:{}"},
	} {
		t.Run(c.name, func(t *testing.T) {
			events := answerOf(strings.Split(c.in, " ; ")...)
			if got := told(t, present(llm.ThinkingInTags, events)); got != c.tags {
				t.Errorf("in tags: got  %s\nwant %s", got, c.tags)
			}
			if got := told(t, present(llm.ThinkingHidden, events)); got != c.hidden {
				t.Errorf("hidden: got  %s\nwant %s", got, c.hidden)
			}
			p := llm.Presenter{Display: llm.ThinkingInTags}
			if got := told(t, p.Present(events)); got != c.tags {
				t.Errorf("all at once: got  %s\nwant %s", got, c.tags)
			}
		})
	}
}

// What is held back is told before the answer's failure.
func TestFailureWhileThinking(t *testing.T) {
	failed := llm.Event{Kind: llm.EventError, Err: &llm.Error{Message: "it broke"}}
	for in, want := range map[string]string{
		"text:<thi": "text:<thi ; error", "text:<think>a </th": "think:a </th ; error", "text:<think>a</think> ": "think:a ; error",
	} {
		events := answerOf(in)
		events = append(events[:len(events)-2], failed)
		if got := told(t, present(llm.ThinkingApart, events)); got != want {
			t.Errorf("%s: got %s, want %s", in, got, want)
		}
	}
	events := append(answerOf("think:a")[:4], failed)
	if got := told(t, present(llm.ThinkingInTags, events)); got != `text:<think>\na ; error` {
		t.Errorf("got %s", got)
	}
}

// A text without thinking costs nothing but the look at its first piece.
func TestPresentKeepsEvents(t *testing.T) {
	var p llm.Presenter
	p.Present(answerOf("text:Hello")[:3])
	events := answerOf("text:more")[2:]
	if got := p.Present(events); &got[0] != &events[0] {
		t.Error("events were copied")
	}
}

func FuzzPresent(f *testing.F) {
	f.Add("<think>why</think>because", byte(3), byte(9))
	f.Add(`\n</think>\n<think>`, byte(1), byte(2))
	f.Fuzz(func(t *testing.T, text string, i, j byte) {
		at := []int{min(int(i), len(text)), min(int(j), len(text))}
		pieces := []string{text[:min(at[0], at[1])], text[min(at[0], at[1]):max(at[0], at[1])], text[max(at[0], at[1]):]}
		events := []llm.Event{{Kind: llm.EventStart}, {Kind: llm.EventBlockStart, Block: llm.Text}}
		for _, piece := range pieces {
			events = append(events, llm.Event{Kind: llm.EventDelta, Block: llm.Text, Text: rawjson.Quote(piece)})
		}
		events = append(events, llm.Event{Kind: llm.EventBlockStop, Block: llm.Text}, llm.Event{Kind: llm.EventFinish})
		for _, display := range []llm.Display{llm.ThinkingApart, llm.ThinkingInTags, llm.ThinkingHidden} {
			shown := present(display, events)
			if err := dialecttest.Check(shown); err != nil {
				t.Fatalf("%v in\n%s", err, dialecttest.Transcript(shown))
			}
			for _, e := range shown {
				if e.Text != nil && rawjson.Valid(rawjson.Value(e.Text)) != nil {
					t.Fatalf("%s is no literal", e.Text)
				}
			}
		}
	})
}
