package main_test

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/openai/openai-go/v3"
	"github.com/openai/openai-go/v3/responses"
)

// responsesStream reads a stream to its end and holds what its readers rely on. whole is
// the response that its last event tells, a failed one too; err is an answer without a
// stream, or a connection that broke.
func responsesStream(t *testing.T, c openai.Client, ask responses.ResponseNewParams) (whole responses.Response, err error) {
	t.Helper()
	stream := c.Responses.NewStreaming(t.Context(), ask)
	defer stream.Close()
	told := responsesTold{input: make(map[string]string)}
	for stream.Next() {
		told.event(t, stream.Current())
	}
	if stream.Err() != nil {
		return told.whole, stream.Err()
	}
	told.settle(t)
	return told.whole, nil
}

// responsesTold is what a stream has told so far.
type responsesTold struct {
	next           int64 // the number of the next event
	end            string
	whole          responses.Response
	text, thoughts string
	input          map[string]string // of calls, by their items
	done           []responses.ResponseOutputItemUnion
	sdk            responses.ResponseAccumulator
}

func (told *responsesTold) event(t *testing.T, e responses.ResponseStreamEventUnion) {
	t.Helper()
	if e.SequenceNumber != told.next || !e.JSON.SequenceNumber.Valid() {
		t.Errorf("event %d has another number: %s", told.next, e.RawJSON())
	}
	if told.end != "" || (told.next == 0) != (e.Type == "response.created") {
		t.Errorf("event %d after %q is out of order: %s", told.next, told.end, e.RawJSON())
	}
	told.next++
	told.collect(t, e)
	switch e.Type {
	case "response.output_text.delta":
		told.text += e.Delta
	case "response.reasoning_text.delta", "response.reasoning_summary_text.delta":
		told.thoughts += e.Delta
	case "response.function_call_arguments.delta", "response.custom_tool_call_input.delta":
		told.input[e.ItemID] += e.Delta
	case "response.output_item.done":
		told.done = append(told.done, e.Item)
	case "response.completed", "response.incomplete", "response.failed":
		told.end, told.whole = e.Type, e.Response
	}
}

// collect gives the event to the SDK's own accumulator, which checks the types of fields
// that the plain stream takes as they are. It is made for the same events over another
// transport, and so has a type of its own for them.
func (told *responsesTold) collect(t *testing.T, e responses.ResponseStreamEventUnion) {
	t.Helper()
	var same responses.ResponsesServerEventUnion
	if err := json.Unmarshal([]byte(e.RawJSON()), &same); err != nil {
		t.Fatalf("the SDK cannot read %s: %v", e.RawJSON(), err)
	}
	if err := told.sdk.AddEvent(same); err != nil {
		t.Errorf("the SDK's accumulator refuses %s: %v", e.RawJSON(), err)
	}
}

// settle holds that the stream had an end, and that the pieces, the items and the whole
// answer of a stream that ended well say the same.
func (told *responsesTold) settle(t *testing.T) {
	t.Helper()
	if told.end == "" || told.end != "response."+string(told.whole.Status) {
		t.Fatalf("the stream of %d events ended with %q and the status %q", told.next, told.end, told.whole.Status)
	}
	if told.end != "response.completed" {
		return
	}
	if got := told.sdk.Snapshot(); got.TerminalEvent != told.end || got.OutputText() != told.text || told.whole.OutputText() != told.text {
		t.Errorf("the pieces say %q, the whole %q, the SDK's accumulator %+v", told.text, told.whole.OutputText(), got)
	}
	if len(told.done) != len(told.whole.Output) {
		t.Fatalf("%d items were told, the whole has %d: %s", len(told.done), len(told.whole.Output), told.whole.RawJSON())
	}
	for i, item := range told.whole.Output {
		if told.done[i].RawJSON() != item.RawJSON() {
			t.Errorf("item %d was told as %s, the whole has %s", i, told.done[i].RawJSON(), item.RawJSON())
		}
		switch item.Type {
		case "function_call":
			if got := item.AsFunctionCall().Arguments; got != told.input[item.ID] {
				t.Errorf("the pieces of %s say %q", item.RawJSON(), told.input[item.ID])
			}
		case "custom_tool_call":
			if got := item.AsCustomToolCall().Input; got != told.input[item.ID] {
				t.Errorf("the pieces of %s say %q", item.RawJSON(), told.input[item.ID])
			}
		}
	}
	if got := responsesThoughts(told.whole); got != told.thoughts {
		t.Errorf("the pieces think %q, the whole %q", told.thoughts, got)
	}
}

// responsesThoughts is what an answer thought, in the form that was asked for.
func responsesThoughts(r responses.Response) string {
	var thoughts strings.Builder
	for _, item := range r.Output {
		if item.Type != "reasoning" {
			continue
		}
		thought := item.AsReasoning()
		for _, part := range thought.Summary {
			thoughts.WriteString(part.Text)
		}
		for _, part := range thought.Content {
			thoughts.WriteString(part.Text)
		}
	}
	return thoughts.String()
}

// responsesItems are the items of an answer as a client sends them back.
func responsesItems(t *testing.T, output []responses.ResponseOutputItemUnion) (items []responses.ResponseInputItemUnionParam) {
	t.Helper()
	for _, item := range output {
		var back responses.ResponseInputItemUnionParam
		switch item := item.AsAny().(type) {
		case responses.ResponseOutputMessage:
			param := item.ToParam()
			back.OfOutputMessage = &param
		case responses.ResponseReasoningItem:
			param := item.ToParam()
			back.OfReasoning = &param
		case responses.ResponseFunctionToolCall:
			param := item.ToParam()
			back.OfFunctionCall = &param
		case responses.ResponseCustomToolCall:
			param := item.ToParam()
			back.OfCustomToolCall = &param
		case responses.ResponseCompactionItem:
			back = responses.ResponseInputItemParamOfCompaction(item.EncryptedContent)
		default:
			t.Fatalf("an item of an unexpected type: %+v", item)
		}
		items = append(items, back)
	}
	return items
}
