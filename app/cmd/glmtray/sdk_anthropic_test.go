package main_test

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/anthropics/anthropic-sdk-go"
	"github.com/anthropics/anthropic-sdk-go/option"
)

// anthropicClient is the official client, set up as its users set it up.
func anthropicClient(t *testing.T, s *server, key option.RequestOption) anthropic.Client {
	t.Helper()
	return anthropic.NewClient(option.WithoutEnvironmentDefaults(),
		option.WithBaseURL(s.url), key, option.WithMaxRetries(0), option.WithHTTPClient(sdkHTTP(t)),
	)
}

// anthropicAsk is a request with one message of the user's.
func anthropicAsk(prompt string) anthropic.MessageNewParams {
	return anthropic.MessageNewParams{
		Model: sdkModel, MaxTokens: 4096,
		Messages: []anthropic.MessageParam{anthropic.NewUserMessage(anthropic.NewTextBlock(prompt))},
	}
}

// anthropicWeather is a request that offers a tool.
func anthropicWeather(prompt string) anthropic.MessageNewParams {
	ask := anthropicAsk(prompt)
	ask.Tools = []anthropic.ToolUnionParam{{OfTool: &anthropic.ToolParam{
		Name: "get_weather", Description: anthropic.String("The weather of a city"),
		InputSchema: anthropic.ToolInputSchemaParam{Properties: map[string]any{"city": map[string]any{"type": "string"}}, Required: []string{"city"}},
	}}}
	return ask
}

// anthropicStream reads a stream to its end, as the SDK puts it together. start is the
// usage that its first event told.
func anthropicStream(t *testing.T, c anthropic.Client, ask anthropic.MessageNewParams) (whole anthropic.Message, start anthropic.Usage, err error) {
	t.Helper()
	stream := c.Messages.NewStreaming(t.Context(), ask)
	defer stream.Close()
	stopped := false
	for stream.Next() {
		event := stream.Current()
		if err := whole.Accumulate(event); err != nil {
			t.Errorf("the SDK refuses %s: %v", event.RawJSON(), err)
		}
		switch event := event.AsAny().(type) {
		case anthropic.MessageStartEvent:
			start = event.Message.Usage
		case anthropic.MessageStopEvent:
			stopped = true
		}
	}
	if stream.Err() == nil && !stopped {
		t.Error("the stream ended without message_stop and without an error")
	}
	return whole, start, stream.Err()
}

// anthropicText is what a message says in words.
func anthropicText(m anthropic.Message) string {
	var text string
	for _, block := range m.Content {
		text += block.Text
	}
	return text
}

func TestAnthropicSDK(t *testing.T) {
	t.Parallel()
	eachUpstream(t, func(t *testing.T, s *server, lane string) {
		c := anthropicClient(t, s, option.WithAPIKey(proxyKey))
		t.Run("batch", func(t *testing.T) { anthropicBatch(t, c, lane) })
		t.Run("bearer", func(t *testing.T) { anthropicBatch(t, anthropicClient(t, s, option.WithAuthToken(proxyKey)), lane) })
		t.Run("stream", func(t *testing.T) { anthropicStreamed(t, c) })
		t.Run("tools", func(t *testing.T) { anthropicTools(t, c) })
		t.Run("image", func(t *testing.T) { anthropicImage(t, c) })
		t.Run("thinking", func(t *testing.T) { anthropicThinking(t, c) })
		t.Run("limits", func(t *testing.T) { anthropicLimits(t, c) })
		t.Run("models", func(t *testing.T) { anthropicModels(t, c) })
		t.Run("count_tokens", func(t *testing.T) { anthropicCount(t, c) })
		t.Run("errors", func(t *testing.T) { anthropicErrors(t, s, c, lane) })
		t.Run("broken streams", func(t *testing.T) { anthropicBroken(t, c) })
		t.Run("abort", func(t *testing.T) { anthropicAbort(t, s, c) })
	}, "messages")
}

func anthropicBatch(t *testing.T, c anthropic.Client, lane string) {
	var resp *http.Response
	ask := anthropicAsk("Hello")
	ask.System = []anthropic.TextBlockParam{{Text: "Be brief."}, {Text: "Be kind."}}
	got, err := c.Messages.New(t.Context(), ask, option.WithResponseInto(&resp))
	if err != nil {
		t.Fatal(err)
	}
	if !strings.HasPrefix(anthropicText(*got), tellHello) || got.StopReason != "end_turn" || got.Role != "assistant" || got.Type != "message" {
		t.Errorf("%s", got.RawJSON())
	}
	if got.Model != sdkModel || got.ID == "" || got.Usage.InputTokens == 0 || got.Usage.OutputTokens == 0 {
		t.Errorf("%s", got.RawJSON())
	}
	if got := resp.Header.Get("X-Glmtray-Lane"); got != lane {
		t.Errorf("the lane is %q, want %q", got, lane)
	}
}

func anthropicStreamed(t *testing.T, c anthropic.Client) {
	batch, err := c.Messages.New(t.Context(), anthropicAsk("Hello"))
	if err != nil {
		t.Fatal(err)
	}
	got, start, err := anthropicStream(t, c, anthropicAsk("Hello"))
	if err != nil {
		t.Fatal(err)
	}
	if anthropicText(got) != anthropicText(*batch) || got.StopReason != batch.StopReason {
		t.Errorf("%+v, as a batch %s", got, batch.RawJSON())
	}
	if start.InputTokens == 0 {
		t.Error("the first event says that nothing was read: context meters stay at zero")
	}
	if got.Usage.InputTokens != batch.Usage.InputTokens || got.Usage.OutputTokens != batch.Usage.OutputTokens {
		t.Errorf("usage %+v, as a batch %+v", got.Usage, batch.Usage)
	}
}

// anthropicTools has tools called, alone and in parallel, in batches and in streams, and
// gives the results back.
func anthropicTools(t *testing.T, c anthropic.Client) {
	for prompt, want := range map[string]struct {
		args []string
		tell string
	}{
		callOne: {[]string{argsOne}, tellOne},
		callTwo: {[]string{argsOne, argsTwo}, tellTwo},
	} {
		for _, streamed := range []bool{false, true} {
			ask := anthropicWeather(prompt)
			var got anthropic.Message
			var err error
			if streamed {
				got, _, err = anthropicStream(t, c, ask)
			} else if batch, failure := c.Messages.New(t.Context(), ask); failure == nil {
				got = *batch
			} else {
				err = failure
			}
			if err != nil {
				t.Fatal(err)
			}
			if got.StopReason != "tool_use" {
				t.Errorf("streamed %t: the stop reason is %s", streamed, got.StopReason)
			}
			var results []anthropic.ContentBlockParamUnion
			for _, block := range got.Content {
				call, ok := block.AsAny().(anthropic.ToolUseBlock)
				if !ok {
					continue
				}
				i := len(results)
				if i == len(want.args) || call.Name != "get_weather" || string(call.Input) != want.args[i] || call.ID == "" {
					t.Fatalf("streamed %t: call %d is %s", streamed, i, block.RawJSON())
				}
				results = append(results, anthropic.NewToolResultBlock(call.ID, []string{"18 degrees", "3 degrees"}[i], false))
			}
			if len(results) != len(want.args) {
				t.Fatalf("streamed %t: %d calls, want %d", streamed, len(results), len(want.args))
			}
			ask.Messages = append(ask.Messages, got.ToParam(), anthropic.NewUserMessage(results...))
			answer, err := c.Messages.New(t.Context(), ask)
			if err != nil {
				t.Fatal(err)
			}
			wants(t, anthropicText(*answer), want.tell)
		}
	}
}

func anthropicImage(t *testing.T, c anthropic.Client) {
	ask := anthropicAsk("What is this?")
	ask.Model = "glm-4.6v"
	ask.Messages[0].Content = append(ask.Messages[0].Content, anthropic.NewImageBlockBase64("image/png", pixel))
	got, err := c.Messages.New(t.Context(), ask)
	if err != nil {
		t.Fatal(err)
	}
	wants(t, anthropicText(*got), tellImage, "What is this?")
}

// anthropicThinking has thinking in a batch and in a stream, and sends it back with the
// next turn, as the API asks its clients to.
func anthropicThinking(t *testing.T, c anthropic.Client) {
	ask := anthropicAsk("Hello")
	ask.Thinking = anthropic.ThinkingConfigParamOfEnabled(1024)
	batch, err := c.Messages.New(t.Context(), ask)
	if err != nil {
		t.Fatal(err)
	}
	streamed, _, err := anthropicStream(t, c, ask)
	if err != nil {
		t.Fatal(err)
	}
	var thoughts []string
	for _, m := range []anthropic.Message{*batch, streamed} {
		thought, ok := m.Content[0].AsAny().(anthropic.ThinkingBlock)
		if !ok || !strings.Contains(thought.Thinking, "I should think for a moment") || thought.Signature == "" {
			t.Fatalf("the first block is %+v", m.Content[0])
		}
		thoughts = append(thoughts, thought.Thinking)
		wants(t, anthropicText(m), tellHello)
		next := ask
		next.Messages = append(slices.Clone(ask.Messages), m.ToParam(), anthropic.NewUserMessage(anthropic.NewTextBlock("And now?")))
		if got, err := c.Messages.New(t.Context(), next); err != nil || !strings.Contains(anthropicText(*got), "And now?") {
			t.Errorf("with the thinking sent back: %v", err)
		}
	}
	if thoughts[0] != thoughts[1] {
		t.Errorf("%q as a batch, %q as a stream", thoughts[0], thoughts[1])
	}
}

// anthropicLimits holds that an answer that was limited says so.
func anthropicLimits(t *testing.T, c anthropic.Client) {
	short := anthropicAsk("Hello")
	short.MaxTokens = 3
	if got, err := c.Messages.New(t.Context(), short); err != nil || got.StopReason != "max_tokens" {
		t.Errorf("%v, %+v", err, got)
	}
	stop := anthropicAsk("Hello")
	stop.StopSequences = []string{"demo"}
	if got, err := c.Messages.New(t.Context(), stop); err != nil || !strings.HasSuffix(anthropicText(*got), "This is the ") {
		t.Errorf("%v, %+v", err, got)
	}
}

func anthropicModels(t *testing.T, c anthropic.Client) {
	var ids []string
	list := c.Models.ListAutoPaging(t.Context(), anthropic.ModelListParams{Limit: anthropic.Int(1000)})
	for list.Next() {
		m := list.Current()
		ids = append(ids, m.ID)
		if m.Type != "model" || m.DisplayName == "" || m.CreatedAt.IsZero() {
			t.Errorf("%s", m.RawJSON())
		}
	}
	if err := list.Err(); err != nil || !slices.Contains(ids, sdkModel) || len(ids) < 9 {
		t.Errorf("%v, %q", err, ids)
	}
	if m, err := c.Models.Get(t.Context(), sdkModel, anthropic.ModelGetParams{}); err != nil || m.ID != sdkModel {
		t.Errorf("%v, %+v", err, m)
	}
	var failure *anthropic.Error
	if _, err := c.Models.Get(t.Context(), "no-such-model", anthropic.ModelGetParams{}); !errors.As(err, &failure) || failure.Type() != "not_found_error" {
		t.Errorf("an unknown model: %v", err)
	}
}

// anthropicCount holds that tokens are counted without the upstream, which has no such
// path, and that more of anything means more tokens.
func anthropicCount(t *testing.T, c anthropic.Client) {
	count := func(ask anthropic.MessageNewParams) int64 {
		t.Helper()
		params := anthropic.MessageCountTokensParams{Model: ask.Model, Messages: ask.Messages}
		for _, tool := range ask.Tools {
			params.Tools = append(params.Tools, anthropic.MessageCountTokensToolUnionParam{OfTool: tool.OfTool})
		}
		got, err := c.Messages.CountTokens(t.Context(), params)
		if err != nil {
			t.Fatal(err)
		}
		return got.InputTokens
	}
	plain, tools, long := count(anthropicAsk("Hello")), count(anthropicWeather("Hello")), count(anthropicAsk(strings.Repeat("many words ", 1000)))
	if plain == 0 || plain > 30 || tools <= plain || long < 1500 || long > 3000 {
		t.Errorf("%d tokens, %d with a tool, %d of 2000 words", plain, tools, long)
	}
}

func anthropicErrors(t *testing.T, s *server, c anthropic.Client, lane string) {
	empty := anthropicAsk("Hello")
	empty.Messages = []anthropic.MessageParam{}
	for name, tc := range map[string]struct {
		client anthropic.Client
		ask    anthropic.MessageNewParams
		status int
		kind   string
		says   []string
	}{
		"quota":          {c, anthropicAsk("demo:error 1308"), 429, "rate_limit_error", []string{quotaIsUsed, "1308"}},
		"rate limit":     {c, anthropicAsk("demo:429"), 429, "rate_limit_error", []string{"Rate limit reached", "1302"}},
		"overload":       {c, anthropicAsk("demo:529"), 529, "overloaded_error", nil},
		"refused there":  {c, anthropicAsk("demo:error 1214"), 400, "invalid_request_error", []string{"Invalid messages parameter"}},
		"no messages":    {c, empty, 400, "invalid_request_error", []string{"messages"}},
		"a web page":     {c, anthropicAsk("demo:html"), 502, "api_error", []string{"web page"}},
		"error in a 200": {c, anthropicAsk("demo:error200"), 0, "", nil},
		"no key": {anthropicClient(t, s, option.WithAPIKey("another")), anthropicAsk("Hello"), 401, "authentication_error",
			[]string{"auth.proxyApiKey"}},
	} {
		t.Run(name, func(t *testing.T) {
			_, batch := tc.client.Messages.New(t.Context(), tc.ask)
			_, _, stream := anthropicStream(t, tc.client, tc.ask)
			for how, err := range map[string]error{"batch": batch, "stream": stream} {
				var failure *anthropic.Error
				if !errors.As(err, &failure) || tc.status != 0 && failure.StatusCode != tc.status || tc.kind != "" && string(failure.Type()) != tc.kind {
					t.Fatalf("%s: %v", how, err)
				}
				var body struct {
					Type      string
					Error     struct{ Message string }
					RequestID string `json:"request_id"`
				}
				if err := json.Unmarshal([]byte(failure.RawJSON()), &body); err != nil || body.Type != "error" || body.Error.Message == "" || body.RequestID == "" {
					t.Errorf("%s: %v, %s", how, err, failure.RawJSON())
				}
				if failure.RequestID != body.RequestID {
					t.Errorf("%s: the request's id is %q in the header, %q in the body", how, failure.RequestID, body.RequestID)
				}
				wants(t, body.Error.Message, tc.says...)
			}
		})
	}
	var failure *anthropic.Error
	_, err := c.Messages.New(t.Context(), anthropicAsk("demo:error 1308"))
	if known := lane == "native"; !errors.As(err, &failure) ||
		(failure.Response.Header.Get("Retry-After") != "") != known || strings.Contains(failure.RawJSON(), quotaAdvice) != known {
		t.Errorf("the end of the quota: %v", err)
	}
	// A failure that passes is tried again by the proxy, and the client sees nothing of it.
	if got, err := c.Messages.New(t.Context(), anthropicAsk("demo:429 1 "+t.Name())); err != nil || !strings.HasPrefix(anthropicText(*got), "You said") {
		t.Errorf("%v, %+v", err, got)
	}
}

// anthropicBroken holds that an answer which breaks off is an error to the SDK.
func anthropicBroken(t *testing.T, c anthropic.Client) {
	for _, prompt := range []string{"demo:cut", "demo:eof", "demo:error-event", "demo:network_error"} {
		got, _, err := anthropicStream(t, c, anthropicAsk("Hello "+prompt))
		var failure *anthropic.Error
		if !errors.As(err, &failure) || failure.RawJSON() == "" {
			t.Errorf("%s: %v after %+v", prompt, err, got)
		}
		if _, err := c.Messages.New(t.Context(), anthropicAsk("Hello "+prompt)); err == nil {
			t.Errorf("%s as a batch is no error", prompt)
		}
	}
}

func anthropicAbort(t *testing.T, s *server, c anthropic.Client) {
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	stream := c.Messages.NewStreaming(ctx, anthropicAsk("demo:long 100000"))
	defer stream.Close()
	if !stream.Next() {
		t.Fatal(stream.Err())
	}
	cancel()
	for stream.Next() {
	}
	if !errors.Is(stream.Err(), context.Canceled) {
		t.Errorf("%v", stream.Err())
	}
	s.released(t)
}
