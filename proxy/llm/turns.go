package llm

import (
	"bytes"
	"slices"

	"glmtray/proxy/rawjson"
)

// Texts that stand in where a conversation lacks something that every upstream
// insists on.
var (
	leadingText     = rawjson.Quote("Continue.")
	interruptedText = rawjson.Quote("[interrupted: the tool gave no result]")
)

// Arrange brings the turns of a request that is about to be translated into the
// order that all upstreams accept, without losing what was said:
//
//  1. empty and white-space-only text is dropped, and messages that are empty then
//     (upstreams refuse both);
//  2. neighbours of the same role become one message, since roles must alternate;
//  3. the results of tools come first in the user message right after their calls;
//     of two results for one call the later stands;
//  4. a call without a result gets one that says so, and a call at the very end,
//     which nobody has answered, is dropped;
//  5. the first message is a user's, and there is one;
//  6. a trailing assistant text, the start of an answer that the model shall
//     continue, loses its trailing white space, or is dropped where the model
//     thinks, since thinking models refuse it.
//
// It does not change the blocks themselves and may be called once.
func (r *Request) Arrange() {
	if r.arranged() {
		return
	}
	// Neighbours are joined while the results are still there: they are what keeps
	// the turns of an agent apart.
	r.mergeTurns()
	if r.arranged() {
		return // as in a dialect whose messages are smaller than turns
	}
	r.placeResults(r.takeResults())
	r.mergeTurns()
	r.trimPrefill()
	if len(r.Messages) == 0 || r.Messages[0].Role == Assistant {
		lead := Message{Role: User, Blocks: []Block{{Kind: Text, Text: leadingText}}}
		r.Messages = append([]Message{lead}, r.Messages...)
	}
}

// arranged reports whether there is nothing to do, which is nearly always so and
// spares the copying of every block.
func (r *Request) arranged() bool {
	var calls []Block // of the message before
	for i := range r.Messages {
		m := &r.Messages[i]
		if m.Role != [2]Role{User, Assistant}[i%2] || len(m.Blocks) == 0 {
			return false
		}
		answered, ok := answersInOrder(calls, m.Blocks)
		if !ok {
			return false
		}
		for j := answered; j < len(m.Blocks); j++ {
			if b := &m.Blocks[j]; b.Kind == ToolResult || b.Kind == Text && b.Text.Blank() {
				return false
			}
		}
		calls = m.Blocks
	}
	return len(r.Messages)%2 == 1
}

// answersInOrder reports whether blocks begin with the results of the calls, one
// for each and in their order, and how many those are.
func answersInOrder(calls, blocks []Block) (n int, ok bool) {
	for i := range calls {
		if calls[i].Kind != ToolUse {
			continue
		}
		if n == len(blocks) || blocks[n].Kind != ToolResult || string(blocks[n].ID) != string(calls[i].ID) {
			return n, false
		}
		n++
	}
	return n, true
}

// call is one call among those that have its id: there are upstreams that number
// their calls from the start in each turn.
type call struct {
	id  string
	nth int
}

// takeResults removes all tool results from the messages, and messages that are
// empty then, and returns them by their call, the last one before them with their
// id; the last of several results wins.
func (r *Request) takeResults() map[call]Block {
	results := make(map[call]Block)
	seen := make(map[string]int)
	left := r.Messages[:0]
	for _, m := range r.Messages {
		kept := m.Blocks[:0]
		for _, b := range m.Blocks {
			switch b.Kind {
			case ToolResult:
				results[call{string(b.ID), seen[string(b.ID)]}] = b
				continue
			case ToolUse:
				seen[string(b.ID)]++
			}
			kept = append(kept, b)
		}
		if m.Blocks = kept; len(kept) > 0 {
			left = append(left, m)
		}
	}
	r.Messages = left
	return results
}

// mergeTurns drops what is empty and joins neighbours of one role.
func (r *Request) mergeTurns() {
	merged := r.Messages[:0]
	grown := false // the last message's blocks are memory of its own
	for _, m := range r.Messages {
		m.Blocks = withoutBlank(m.Blocks)
		if len(m.Blocks) == 0 {
			continue
		}
		n := len(merged)
		if n == 0 || merged[n-1].Role != m.Role {
			merged, grown = append(merged, m), false
			continue
		}
		last := &merged[n-1]
		if !grown {
			last.Blocks, grown = slices.Clip(last.Blocks), true
		}
		last.Blocks = append(last.Blocks, m.Blocks...)
	}
	r.Messages = merged
}

func withoutBlank(blocks []Block) []Block {
	kept := blocks[:0]
	for _, b := range blocks {
		if b.Kind == Text && b.Text.Blank() {
			continue
		}
		kept = append(kept, b)
	}
	return kept
}

// placeResults puts each result back, in a user message right after its call.
func (r *Request) placeResults(results map[call]Block) {
	seen := make(map[string]int)
	out := make([]Message, 0, len(r.Messages)+1)
	for i, m := range r.Messages {
		if m.Role != Assistant {
			out = append(out, m)
			continue
		}
		answers, answered := answersTo(m.Blocks, results, seen)
		if answered == 0 && i == len(r.Messages)-1 {
			m.Blocks, answers = withoutCalls(m.Blocks), nil
		}
		out = append(out, m)
		if len(answers) > 0 {
			out = append(out, Message{Role: User, Blocks: answers})
		}
	}
	r.Messages = out
}

func withoutCalls(blocks []Block) []Block {
	kept := blocks[:0]
	for _, b := range blocks {
		if b.Kind != ToolUse {
			kept = append(kept, b)
		}
	}
	return kept
}

// answersTo returns a result for each call among an assistant's blocks, in their
// order, and how many of them came from the client. seen counts the calls by id.
func answersTo(blocks []Block, results map[call]Block, seen map[string]int) (answers []Block, answered int) {
	for i := range blocks {
		b := &blocks[i]
		if b.Kind != ToolUse {
			continue
		}
		seen[string(b.ID)]++
		answer, ok := results[call{string(b.ID), seen[string(b.ID)]}]
		if ok {
			answered++
		} else {
			answer = Block{
				Kind: ToolResult, ID: b.ID, IsError: true,
				Content: []Block{{Kind: Text, Text: interruptedText}},
			}
		}
		answers = append(answers, answer)
	}
	return answers, answered
}

// trimPrefill deals with a conversation that ends in an assistant's text.
func (r *Request) trimPrefill() {
	n := len(r.Messages)
	if n == 0 || r.Messages[n-1].Role != Assistant {
		return
	}
	if r.Thinking.Mode == ThinkingOn || r.Thinking.Mode == ThinkingAdaptive {
		r.Messages = r.Messages[:n-1]
		r.Warn("messages", "a trailing assistant message cannot be continued by a model that thinks")
		return
	}
	last := &r.Messages[n-1]
	if b := &last.Blocks[len(last.Blocks)-1]; b.Kind == Text {
		b.Text = trimRight(b.Text)
	}
}

// trimRight removes trailing white space from a literal, escaped or not.
func trimRight(s rawjson.String) rawjson.String {
	inner := s.Inner()
	for {
		shorter := bytes.TrimRight(inner, " ")
		for _, escape := range []string{`\n`, `\r`, `\t`} {
			if bytes.HasSuffix(shorter, []byte(escape)) && !bytes.HasSuffix(shorter, []byte(`\`+escape)) {
				shorter = shorter[:len(shorter)-len(escape)]
			}
		}
		if len(shorter) == len(inner) {
			break
		}
		inner = shorter
	}
	if len(inner)+2 == len(s) {
		return s
	}
	return append(append(append(make(rawjson.String, 0, len(inner)+2), '"'), inner...), '"')
}
