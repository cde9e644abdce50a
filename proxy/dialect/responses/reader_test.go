package responses_test

import (
	"encoding/json"
	"errors"
	"fmt"

	"glmtray/proxy/dialect/responses"
	"glmtray/proxy/llm"
	"glmtray/proxy/rawjson"
	"glmtray/proxy/sse"
)

// reader reads a stream of this dialect as a strict client would: it holds every event
// to the grammar of the reference, and what is repeated to what was streamed. This
// dialect has no half for upstreams, so that the laws of all dialects are held to
// this one.
type reader struct {
	number              int
	created, inProgress bool
	ended               bool
	items               []wireItem // as they were added or done
	done                []bool
	blockOpen           bool
	block               llm.BlockKind
	text                string // of the open part or call, still escaped
	parts               int    // of the item that was added last
	calls               int
}

type wireEvent struct {
	Type     string          `json:"type"`
	Number   *int            `json:"sequence_number"`
	Response json.RawMessage `json:"response"`
	ItemID   string          `json:"item_id"`
	Output   *int            `json:"output_index"`
	Content  *int            `json:"content_index"`
	Summary  *int            `json:"summary_index"`
	Item     *wireItem       `json:"item"`
	Part     *wirePart       `json:"part"`
	Delta    json.RawMessage `json:"delta"`
	Text     json.RawMessage `json:"text"`
	Args     json.RawMessage `json:"arguments"`
	Input    json.RawMessage `json:"input"`
	Logprobs []any           `json:"logprobs"`
}

type wireItem struct {
	ID        string          `json:"id"`
	Type      string          `json:"type"`
	Status    string          `json:"status"`
	Role      string          `json:"role"`
	Content   []wirePart      `json:"content"`
	Summary   []wirePart      `json:"summary"`
	Sealed    json.RawMessage `json:"encrypted_content"`
	CallID    json.RawMessage `json:"call_id"`
	Name      json.RawMessage `json:"name"`
	Namespace json.RawMessage `json:"namespace"`
	Args      json.RawMessage `json:"arguments"`
	Input     json.RawMessage `json:"input"`
}

type wirePart struct {
	Type        string          `json:"type"`
	Text        json.RawMessage `json:"text"`
	Annotations []any           `json:"annotations"`
}

type wireResponse struct {
	ID         json.RawMessage `json:"id"`
	Object     string          `json:"object"`
	Model      json.RawMessage `json:"model"`
	Status     string          `json:"status"`
	Output     []wireItem      `json:"output"`
	Error      json.RawMessage `json:"error"`
	Incomplete *struct {
		Reason string `json:"reason"`
	} `json:"incomplete_details"`
	Usage *struct {
		Input   int `json:"input_tokens"`
		Details *struct {
			Cached  *int `json:"cached_tokens"`
			Written int  `json:"cache_write_tokens"`
		} `json:"input_tokens_details"`
		Output        int `json:"output_tokens"`
		OutputDetails *struct {
			Reasoning *int `json:"reasoning_tokens"`
		} `json:"output_tokens_details"`
		Total int `json:"total_tokens"`
	} `json:"usage"`
	Tools    []any          `json:"tools"`
	Metadata map[string]any `json:"metadata"`
}

func upstreamError(format string, args ...any) []llm.Event {
	return []llm.Event{{Kind: llm.EventError, Err: &llm.Error{Message: fmt.Sprintf(format, args...)}}}
}

func (d *reader) Append(dst []llm.Event, f sse.Frame) []llm.Event {
	if f.Data == nil || d.ended {
		return dst
	}
	var e wireEvent
	if err := json.Unmarshal(f.Data, &e); err != nil || e.Type == "" {
		d.ended = true
		return append(dst, upstreamError("not an event: %s", f.Data)...)
	}
	if f.Event != nil && string(f.Event) != e.Type {
		d.ended = true
		return append(dst, upstreamError("the event %s is named %s", e.Type, f.Event)...)
	}
	out, err := d.next(dst, &e)
	if err != nil {
		d.ended = true
		return append(dst, upstreamError("%v in %s", err, f.Data)...)
	}
	return out
}

func (d *reader) Close(dst []llm.Event) []llm.Event {
	if d.ended {
		return dst
	}
	d.ended = true
	return append(dst, upstreamError("the stream has no end")...)
}

func (d *reader) next(dst []llm.Event, e *wireEvent) ([]llm.Event, error) {
	if e.Number == nil || *e.Number != d.number {
		return nil, fmt.Errorf("wanted the number %d", d.number)
	}
	d.number++
	if d.created == (e.Type == "response.created") {
		return nil, errors.New("response.created is not the first")
	}
	switch e.Type {
	case "response.created":
		d.created = true
		return dst, d.beginning(e)
	case "response.in_progress":
		if d.inProgress {
			return nil, errors.New("the second of its kind")
		}
		d.inProgress = true
		var r wireResponse
		if err := errors.Join(d.beginning(e), json.Unmarshal(e.Response, &r)); err != nil {
			return nil, err
		}
		return append(dst, llm.Event{Kind: llm.EventStart, ID: rawjson.String(r.ID), Model: rawjson.String(r.Model)}), nil
	case "response.failed":
		return d.terminal(dst, e)
	}
	if !d.inProgress {
		return nil, errors.New("not in progress")
	}
	switch e.Type {
	case "response.completed", "response.incomplete":
		return d.terminal(dst, e)
	case "response.output_item.added":
		return d.added(dst, e)
	}
	if e.Output == nil || *e.Output != len(d.items)-1 || d.done[*e.Output] {
		return nil, fmt.Errorf("of the item %v, open is %d", e.Output, len(d.items)-1)
	}
	if item := &d.items[*e.Output]; e.Type != "response.output_item.done" && e.ItemID != item.ID {
		return nil, fmt.Errorf("wanted the item %s", item.ID)
	}
	return d.inItem(dst, e, &d.items[*e.Output])
}

func (d *reader) beginning(e *wireEvent) error {
	var r wireResponse
	if err := json.Unmarshal(e.Response, &r); err != nil {
		return err
	}
	if r.Status != "in_progress" || r.Object != "response" || len(r.Output) != 0 || r.Usage != nil || r.Tools == nil || r.Metadata == nil {
		return fmt.Errorf("not how a response begins: %+v", r)
	}
	return nil
}

func (d *reader) added(dst []llm.Event, e *wireEvent) ([]llm.Event, error) {
	if e.Output == nil || *e.Output != len(d.items) || e.Item == nil || e.Item.ID == "" {
		return nil, fmt.Errorf("wanted the item %d", len(d.items))
	}
	dst = d.cutCall(dst)
	if n := len(d.items); n > 0 && !d.done[n-1] && d.items[n-1].Type != "function_call" && d.items[n-1].Type != "custom_tool_call" {
		return nil, errors.New("the item before is open")
	}
	d.items, d.done = append(d.items, *e.Item), append(d.done, false)
	d.text, d.parts = "", 0
	prefix := map[string]string{"message": "msg_", "reasoning": "rs_", "function_call": "fc_", "custom_tool_call": "ctc_", "compaction": "cmp_"}[e.Item.Type]
	if prefix == "" || len(e.Item.ID) < len(prefix) || e.Item.ID[:len(prefix)] != prefix {
		return nil, fmt.Errorf("an item %s with the id %s", e.Item.Type, e.Item.ID)
	}
	if e.Item.Type == "function_call" || e.Item.Type == "custom_tool_call" {
		d.calls++
		return d.begin(dst, llm.Event{Block: llm.ToolUse, ID: rawjson.String(e.Item.CallID), Name: rawjson.String(e.Item.Name)}), nil
	}
	return dst, nil
}

// cutCall ends a call that is never told to be done.
func (d *reader) cutCall(dst []llm.Event) []llm.Event {
	if d.blockOpen && d.block == llm.ToolUse {
		return d.end(dst)
	}
	return dst
}

func (d *reader) begin(dst []llm.Event, e llm.Event) []llm.Event {
	e.Kind = llm.EventBlockStart
	d.blockOpen, d.block = true, e.Block
	return append(dst, e)
}

func (d *reader) end(dst []llm.Event) []llm.Event {
	d.blockOpen = false
	return append(dst, llm.Event{Kind: llm.EventBlockStop, Block: d.block})
}

// same checks that what is repeated is what was streamed.
func (d *reader) same(repeated json.RawMessage) error {
	if string(repeated) != `"`+d.text+`"` {
		return fmt.Errorf("repeats %s, streamed was %s", repeated, d.text)
	}
	return nil
}

func index(got *int, want int) error {
	if got == nil || *got != want {
		return fmt.Errorf("wanted the index %d", want)
	}
	return nil
}

func (d *reader) inItem(dst []llm.Event, e *wireEvent, item *wireItem) ([]llm.Event, error) {
	switch e.Type {
	case "response.content_part.added", "response.reasoning_summary_part.added":
		return d.partAdded(dst, e, item)
	case "response.output_text.delta", "response.reasoning_text.delta", "response.reasoning_summary_text.delta",
		"response.function_call_arguments.delta", "response.custom_tool_call_input.delta":
		want := map[llm.BlockKind]string{llm.Text: "response.output_text.delta", llm.ToolUse: "response." + item.Type + "_arguments.delta"}[d.block]
		if item.Type == "custom_tool_call" {
			want = "response.custom_tool_call_input.delta"
		}
		if !d.blockOpen || d.block != llm.Thinks && e.Type != want || e.Type == "response.output_text.delta" && e.Logprobs == nil {
			return nil, errors.New("a piece of what is not open")
		}
		d.text += string(rawjson.String(e.Delta).Inner())
		return append(dst, llm.Event{Kind: llm.EventDelta, Block: d.block, Text: rawjson.String(e.Delta)}), nil
	case "response.output_text.done", "response.reasoning_text.done", "response.reasoning_summary_text.done":
		return dst, d.same(e.Text)
	case "response.function_call_arguments.done":
		return dst, d.same(e.Args)
	case "response.custom_tool_call_input.done":
		return dst, d.same(e.Input)
	case "response.content_part.done", "response.reasoning_summary_part.done":
		if err := d.same(e.Part.Text); err != nil {
			return nil, err
		}
		d.parts++
		if d.block == llm.Text {
			return d.end(dst), nil
		}
		return dst, nil
	case "response.output_item.done":
		d.done[*e.Output] = true
		return d.itemDone(dst, e.Item, item)
	}
	return nil, errors.New("an unknown event")
}

func (d *reader) partAdded(dst []llm.Event, e *wireEvent, item *wireItem) ([]llm.Event, error) {
	if d.blockOpen || e.Part == nil || string(e.Part.Text) != `""` {
		return nil, errors.New("a part that cannot begin")
	}
	d.text = ""
	switch e.Part.Type {
	case "output_text":
		if item.Type != "message" || e.Part.Annotations == nil {
			return nil, errors.New("a part of another item")
		}
		return d.begin(dst, llm.Event{Block: llm.Text}), index(e.Content, d.parts)
	case "reasoning_text":
		return d.begin(dst, llm.Event{Block: llm.Thinks}), index(e.Content, 0)
	case "summary_text":
		return d.begin(dst, llm.Event{Block: llm.Thinks}), index(e.Summary, 0)
	}
	return nil, errors.New("an unknown part")
}

func (d *reader) itemDone(dst []llm.Event, item, added *wireItem) ([]llm.Event, error) {
	if item == nil || item.ID != added.ID || item.Type != added.Type {
		return nil, errors.New("another item")
	}
	*added = *item
	switch item.Type {
	case "message":
		if len(item.Content) != d.parts || item.Role != "assistant" || d.blockOpen {
			return nil, fmt.Errorf("%d parts, %d were streamed", len(item.Content), d.parts)
		}
	case "reasoning":
		return d.thoughtDone(dst, item)
	case "function_call":
		return d.end(dst), d.same(item.Args)
	case "custom_tool_call":
		return d.end(dst), d.same(item.Input)
	}
	return dst, nil
}

func (d *reader) thoughtDone(dst []llm.Event, item *wireItem) ([]llm.Event, error) {
	text, signature, redacted, _, ok := responses.Unseal(rawjson.String(item.Sealed))
	switch {
	case !ok:
		return nil, errors.New("no envelope")
	case redacted != nil:
		return d.end(d.begin(dst, llm.Event{Block: llm.RedactedThinking, Text: redacted})), nil
	case !d.blockOpen:
		dst = d.begin(dst, llm.Event{Block: llm.Thinks})
	case string(text) != `"`+d.text+`"`:
		return nil, fmt.Errorf("the envelope has %s", text)
	case len(item.Summary)+len(item.Content) != 1:
		return nil, errors.New("the thought is not told once")
	}
	if signature != nil {
		dst = append(dst, llm.Event{Kind: llm.EventSignature, Text: signature})
	}
	return d.end(dst), nil
}

func (d *reader) terminal(dst []llm.Event, e *wireEvent) ([]llm.Event, error) {
	d.ended = true
	var r wireResponse
	if err := json.Unmarshal(e.Response, &r); err != nil {
		return nil, err
	}
	if e.Type != "response."+r.Status {
		return nil, fmt.Errorf("the status is %s", r.Status)
	}
	if r.Status != "failed" {
		dst = d.cutCall(dst)
		if err := d.sameOutput(r.Output); err != nil {
			return nil, err
		}
	}
	return append(dst, r.ending()), nil
}

// sameOutput checks that the response has the items that were streamed.
func (d *reader) sameOutput(output []wireItem) error {
	if len(output) != len(d.items) {
		return fmt.Errorf("%d items, %d were streamed", len(output), len(d.items))
	}
	for i := range output {
		isCall := output[i].CallID != nil
		if !d.done[i] && (!isCall || output[i].Status != "incomplete") || output[i].ID != d.items[i].ID {
			return fmt.Errorf("the item %d is not as it was streamed", i)
		}
		got, err := json.Marshal(output[i])
		want, err2 := json.Marshal(d.items[i])
		if d.done[i] && string(got) != string(want) || err != nil || err2 != nil {
			return fmt.Errorf("the item %d is %s, streamed was %s", i, got, want)
		}
	}
	return nil
}

// ending returns the event in which a response ends.
func (r *wireResponse) ending() llm.Event {
	finish := llm.Event{Kind: llm.EventFinish}
	switch r.Status {
	case "completed":
		for _, item := range r.Output {
			if item.CallID != nil {
				finish.Stop = llm.StopToolUse
			}
		}
	case "incomplete":
		finish.Stop = map[string]llm.StopReason{"max_output_tokens": llm.StopMaxTokens, "content_filter": llm.StopRefusal}[r.Incomplete.Reason]
	default:
		return llm.Event{Kind: llm.EventError, Err: llm.ParseError(0, []byte(`{"error":`+string(r.Error)+`}`))}
	}
	if u := r.Usage; u != nil {
		if u.Details == nil || u.OutputDetails == nil || u.Total != u.Input+u.Output {
			return upstreamError("the usage lacks its details")[0]
		}
		finish.Usage = &llm.Usage{
			Input: u.Input - *u.Details.Cached - u.Details.Written, CacheRead: *u.Details.Cached, CacheWrite: u.Details.Written,
			Output: u.Output, Reasoning: *u.OutputDetails.Reasoning,
		}
	}
	return finish
}

// decodeResponse reads a whole answer.
func decodeResponse(dst []llm.Event, body []byte) []llm.Event {
	if err := llm.ParseError(0, body); err != nil && rawjson.Valid(body) == nil {
		return append(dst, llm.Event{Kind: llm.EventError, Err: err})
	}
	var r wireResponse
	if err := json.Unmarshal(body, &r); err != nil || r.Object != "response" {
		return append(dst, upstreamError("not a response: %s", body)...)
	}
	dst = append(dst, llm.Event{Kind: llm.EventStart, ID: rawjson.String(r.ID), Model: rawjson.String(r.Model)})
	block := func(start llm.Event, text json.RawMessage, signature rawjson.String) {
		start.Kind = llm.EventBlockStart
		dst = append(dst, start)
		if text != nil {
			dst = append(dst, llm.Event{Kind: llm.EventDelta, Block: start.Block, Text: rawjson.String(text)})
		}
		if signature != nil {
			dst = append(dst, llm.Event{Kind: llm.EventSignature, Text: signature})
		}
		dst = append(dst, llm.Event{Kind: llm.EventBlockStop, Block: start.Block})
	}
	for _, item := range r.Output {
		switch item.Type {
		case "message":
			for _, p := range item.Content {
				block(llm.Event{Block: llm.Text}, p.Text, nil)
			}
		case "reasoning":
			text, signature, redacted, _, _ := responses.Unseal(rawjson.String(item.Sealed))
			if redacted != nil {
				block(llm.Event{Block: llm.RedactedThinking, Text: redacted}, nil, nil)
			} else {
				block(llm.Event{Block: llm.Thinks}, json.RawMessage(text), signature)
			}
		case "function_call":
			block(llm.Event{Block: llm.ToolUse, ID: rawjson.String(item.CallID), Name: rawjson.String(item.Name)}, item.Args, nil)
		}
	}
	return append(dst, r.ending())
}
