package main_test

import (
	"context"
	"errors"
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/openai/openai-go/v3"
	"github.com/openai/openai-go/v3/option"
	"github.com/openai/openai-go/v3/packages/param"
	"github.com/openai/openai-go/v3/packages/ssestream"
	"github.com/openai/openai-go/v3/shared"
)

// openaiClient is the official client, set up as its users set it up.
func openaiClient(t *testing.T, s *server, key string) openai.Client {
	t.Helper()
	return openai.NewClient(
		option.WithBaseURL(s.url+"/v1"), option.WithAPIKey(key), option.WithMaxRetries(0), option.WithHTTPClient(sdkHTTP(t)),
	)
}

// openaiAsk is a request with one message of the user's.
func openaiAsk(prompt string) openai.ChatCompletionNewParams {
	return openai.ChatCompletionNewParams{Model: sdkModel, Messages: []openai.ChatCompletionMessageParamUnion{openai.UserMessage(prompt)}}
}

// openaiWeather is a request that offers a tool.
func openaiWeather(prompt string) openai.ChatCompletionNewParams {
	ask := openaiAsk(prompt)
	ask.Tools = []openai.ChatCompletionToolUnionParam{openai.ChatCompletionFunctionTool(shared.FunctionDefinitionParam{
		Name: "get_weather", Description: openai.String("The weather of a city"),
		Parameters: shared.FunctionParameters{
			"type": "object", "properties": map[string]any{"city": map[string]any{"type": "string"}}, "required": []string{"city"},
		},
	})}
	return ask
}

// openaiStream reads a stream to its end, as the SDK's accumulator puts it together, but
// with the last usage that came: Z.AI may tell it twice, and the accumulator adds up.
// thinking is what came in the field that the SDK does not know.
func openaiStream(t *testing.T, c openai.Client, ask openai.ChatCompletionNewParams) (whole openai.ChatCompletion, thinking string, err error) {
	t.Helper()
	stream := c.Chat.Completions.NewStreaming(t.Context(), ask)
	defer stream.Close()
	var all openai.ChatCompletionAccumulator
	var usage openai.CompletionUsage
	for stream.Next() {
		chunk := stream.Current()
		if chunk.JSON.Usage.Valid() {
			usage = chunk.Usage
		}
		if !all.AddChunk(chunk) {
			t.Errorf("the SDK's accumulator refuses %s", chunk.RawJSON())
		}
		for _, choice := range chunk.Choices {
			thinking += unquoted(t, choice.Delta.JSON.ExtraFields["reasoning_content"].Raw())
		}
	}
	all.Usage = usage
	return all.ChatCompletion, thinking, stream.Err()
}

func TestOpenAISDK(t *testing.T) {
	t.Parallel()
	eachUpstream(t, func(t *testing.T, s *server, lane string) {
		c := openaiClient(t, s, proxyKey)
		t.Run("batch", func(t *testing.T) { openaiBatch(t, c, lane) })
		t.Run("stream", func(t *testing.T) { openaiStreamed(t, c, lane) })
		t.Run("tools", func(t *testing.T) { openaiTools(t, c) })
		t.Run("image", func(t *testing.T) { openaiImage(t, c) })
		t.Run("thinking", func(t *testing.T) { openaiThinking(t, c) })
		t.Run("limits", func(t *testing.T) { openaiLimits(t, c, lane) })
		t.Run("models", func(t *testing.T) { openaiModels(t, c) })
		t.Run("errors", func(t *testing.T) { openaiErrors(t, s, c, lane) })
		t.Run("broken streams", func(t *testing.T) { openaiBroken(t, c, lane) })
		t.Run("abort", func(t *testing.T) { openaiAbort(t, s, c) })
	}, "chat")
}

func openaiBatch(t *testing.T, c openai.Client, lane string) {
	var resp *http.Response
	ask := openaiAsk("Hello")
	ask.Messages = slices.Insert(ask.Messages, 0, openai.SystemMessage("Be brief."), openai.DeveloperMessage("Be kind."))
	got, err := c.Chat.Completions.New(t.Context(), ask, option.WithResponseInto(&resp))
	if err != nil {
		t.Fatal(err)
	}
	if choice := got.Choices[0]; !strings.HasPrefix(choice.Message.Content, tellHello) || choice.FinishReason != "stop" || choice.Message.Role != "assistant" {
		t.Errorf("%+v", choice)
	}
	if got.Model != sdkModel || got.ID == "" || got.Created == 0 {
		t.Errorf("%s", got.RawJSON())
	}
	if u := got.Usage; u.PromptTokens == 0 || u.CompletionTokens == 0 || u.TotalTokens != u.PromptTokens+u.CompletionTokens {
		t.Errorf("usage %+v", u)
	}
	if got := resp.Header.Get("X-Glmtray-Lane"); got != lane {
		t.Errorf("the lane is %q, want %q", got, lane)
	}
}

func openaiStreamed(t *testing.T, c openai.Client, lane string) {
	batch, err := c.Chat.Completions.New(t.Context(), openaiAsk("Hello"))
	if err != nil {
		t.Fatal(err)
	}
	for _, withUsage := range []bool{false, true} {
		ask := openaiAsk("Hello")
		if withUsage {
			ask.StreamOptions.IncludeUsage = openai.Bool(true)
		}
		got, _, err := openaiStream(t, c, ask)
		if err != nil {
			t.Fatal(err)
		}
		if choice := got.Choices[0]; choice.Message.Content != batch.Choices[0].Message.Content || choice.FinishReason != "stop" {
			t.Errorf("%+v, as a batch %+v", choice, batch.Choices[0])
		}
		// Of a stream that passes through only the chunk that was asked for can be
		// left out; Z.AI has the usage in its last chunk as well.
		if sent := got.Usage.TotalTokens != 0; sent != withUsage && lane != "native" || sent && got.Usage.TotalTokens != batch.Usage.TotalTokens {
			t.Errorf("asked for the usage: %t, got %+v", withUsage, got.Usage)
		}
	}
}

// openaiTools has tools called, alone and in parallel, in batches and in streams, and
// gives the results back.
func openaiTools(t *testing.T, c openai.Client) {
	for prompt, want := range map[string]struct {
		args []string
		tell string
	}{
		callOne: {[]string{argsOne}, tellOne},
		callTwo: {[]string{argsOne, argsTwo}, tellTwo},
	} {
		for _, streamed := range []bool{false, true} {
			ask := openaiWeather(prompt)
			var got openai.ChatCompletion
			var err error
			if streamed {
				got, _, err = openaiStream(t, c, ask)
			} else if batch, failure := c.Chat.Completions.New(t.Context(), ask); failure == nil {
				got = *batch
			} else {
				err = failure
			}
			if err != nil {
				t.Fatal(err)
			}
			message := got.Choices[0].Message
			if got.Choices[0].FinishReason != "tool_calls" || len(message.ToolCalls) != len(want.args) {
				t.Fatalf("streamed %t: %+v", streamed, got.Choices[0])
			}
			ask.Messages = append(ask.Messages, message.ToParam())
			for i, call := range message.ToolCalls {
				if call.Function.Name != "get_weather" || call.Function.Arguments != want.args[i] || call.ID == "" {
					t.Errorf("streamed %t: call %d is %+v", streamed, i, call)
				}
				ask.Messages = append(ask.Messages, openai.ToolMessage([]string{"18 degrees", "3 degrees"}[i], call.ID))
			}
			answer, err := c.Chat.Completions.New(t.Context(), ask)
			if err != nil {
				t.Fatal(err)
			}
			wants(t, answer.Choices[0].Message.Content, want.tell)
		}
	}
}

func openaiImage(t *testing.T, c openai.Client) {
	ask := openaiAsk("")
	ask.Model = "glm-4.6v"
	ask.Messages[0] = openai.UserMessage([]openai.ChatCompletionContentPartUnionParam{
		openai.TextContentPart("What is this?"),
		openai.ImageContentPart(openai.ChatCompletionContentPartImageImageURLParam{URL: "data:image/png;base64," + pixel}),
	})
	got, err := c.Chat.Completions.New(t.Context(), ask)
	if err != nil {
		t.Fatal(err)
	}
	wants(t, got.Choices[0].Message.Content, tellImage, "What is this?")
}

func openaiThinking(t *testing.T, c openai.Client) {
	ask := openaiAsk("Hello")
	ask.ReasoningEffort = shared.ReasoningEffortHigh
	batch, err := c.Chat.Completions.New(t.Context(), ask)
	if err != nil {
		t.Fatal(err)
	}
	thought := unquoted(t, batch.Choices[0].Message.JSON.ExtraFields["reasoning_content"].Raw())
	wants(t, thought, "I should think for a moment")
	got, streamed, err := openaiStream(t, c, ask)
	if err != nil || streamed != thought || got.Choices[0].Message.Content != batch.Choices[0].Message.Content {
		t.Errorf("%v: thought %q, then %+v", err, streamed, got.Choices[0])
	}
}

// openaiLimits holds that an answer that was limited says so.
func openaiLimits(t *testing.T, c openai.Client, lane string) {
	short := openaiAsk("Hello")
	if short.MaxTokens = openai.Int(3); lane != "native" { // Z.AI knows only the old name
		short.MaxTokens, short.MaxCompletionTokens = param.Opt[int64]{}, openai.Int(3)
	}
	got, err := c.Chat.Completions.New(t.Context(), short)
	if err != nil || got.Choices[0].FinishReason != "length" {
		t.Errorf("%v, %+v", err, got)
	}
	stop := openaiAsk("Hello")
	stop.Stop.OfStringArray = []string{"demo"}
	got, err = c.Chat.Completions.New(t.Context(), stop)
	if err != nil || got.Choices[0].FinishReason != "stop" || !strings.HasSuffix(got.Choices[0].Message.Content, "This is the ") {
		t.Errorf("%v, %+v", err, got)
	}
}

func openaiModels(t *testing.T, c openai.Client) {
	var ids []string
	list := c.Models.ListAutoPaging(t.Context())
	for list.Next() {
		m := list.Current()
		ids = append(ids, m.ID)
		if m.Object != "model" || m.Created == 0 || m.OwnedBy == "" {
			t.Errorf("%s", m.RawJSON())
		}
	}
	if err := list.Err(); err != nil || !slices.Contains(ids, sdkModel) || len(ids) < 9 {
		t.Errorf("%v, %q", err, ids)
	}
	if m, err := c.Models.Get(t.Context(), sdkModel); err != nil || m.ID != sdkModel {
		t.Errorf("%v, %+v", err, m)
	}
	var failure *openai.Error
	if _, err := c.Models.Get(t.Context(), "no-such-model"); !errors.As(err, &failure) || failure.StatusCode != http.StatusNotFound {
		t.Errorf("an unknown model: %v", err)
	}
}

func openaiErrors(t *testing.T, s *server, c openai.Client, lane string) {
	empty := openaiAsk("Hello")
	empty.Messages = []openai.ChatCompletionMessageParamUnion{}
	for name, tc := range map[string]struct {
		client openai.Client
		ask    openai.ChatCompletionNewParams
		status int
		code   string
		says   []string
	}{
		"quota":          {c, openaiAsk("demo:error 1308"), 429, "1308", []string{quotaIsUsed}},
		"rate limit":     {c, openaiAsk("demo:429"), 429, "1302", []string{"Rate limit reached"}},
		"refused there":  {c, openaiAsk("demo:error 1214"), 400, "1214", []string{"Invalid messages parameter"}},
		"no messages":    {c, empty, 400, "", []string{"messages"}},
		"a web page":     {c, openaiAsk("demo:html"), 502, "", []string{"web page"}},
		"error in a 200": {c, openaiAsk("demo:error200"), 0, "", nil},
		"no key":         {openaiClient(t, s, "another"), openaiAsk("Hello"), 401, "", []string{"auth.proxyApiKey"}},
	} {
		t.Run(name, func(t *testing.T) {
			_, batch := tc.client.Chat.Completions.New(t.Context(), tc.ask)
			_, _, stream := openaiStream(t, tc.client, tc.ask)
			for how, err := range map[string]error{"batch": batch, "stream": stream} {
				var failure *openai.Error
				if !errors.As(err, &failure) || failure.Message == "" || tc.status != 0 && failure.StatusCode != tc.status {
					t.Fatalf("%s: %v", how, err)
				}
				if tc.code != "" && failure.Code != tc.code {
					t.Errorf("%s: the code is %q, want %q", how, failure.Code, tc.code)
				}
				wants(t, failure.Message, tc.says...)
			}
		})
	}
	var failure *openai.Error
	_, err := c.Chat.Completions.New(t.Context(), openaiAsk("demo:error 1308"))
	if known := lane != "native"; !errors.As(err, &failure) ||
		(failure.Response.Header.Get("Retry-After") != "") != known || strings.Contains(failure.Message, quotaAdvice) != known {
		t.Errorf("the end of the quota: %+v", failure)
	}
	// A failure that passes is tried again by the proxy, and the client sees nothing of it.
	if got, err := c.Chat.Completions.New(t.Context(), openaiAsk("demo:429 1 "+t.Name())); err != nil || !strings.HasPrefix(got.Choices[0].Message.Content, "You said") {
		t.Errorf("%v, %+v", err, got)
	}
}

// openaiBroken holds that an answer which breaks off is an error to the SDK.
func openaiBroken(t *testing.T, c openai.Client, lane string) {
	prompts := []string{"demo:cut", "demo:eof", "demo:error-event"}
	if lane != "native" { // there it is a finish reason of Z.AI's own, which passes through
		prompts = append(prompts, "demo:network_error")
	}
	for _, prompt := range prompts {
		got, _, err := openaiStream(t, c, openaiAsk("Hello "+prompt))
		var failure *ssestream.StreamError
		if !errors.As(err, &failure) || failure.Message == "" {
			t.Errorf("%s: %v after %+v", prompt, err, got)
		}
		if _, err := c.Chat.Completions.New(t.Context(), openaiAsk("Hello "+prompt)); err == nil {
			t.Errorf("%s as a batch is no error", prompt)
		}
	}
}

func openaiAbort(t *testing.T, s *server, c openai.Client) {
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	stream := c.Chat.Completions.NewStreaming(ctx, openaiAsk("demo:long 100000"))
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
