package main_test

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"strings"
	"testing"

	"github.com/openai/openai-go/v3"
	"github.com/openai/openai-go/v3/option"
	"github.com/openai/openai-go/v3/responses"
	"github.com/openai/openai-go/v3/shared"
)

// responsesAsk is a request with one message of the user's, as a plain text.
func responsesAsk(prompt string) responses.ResponseNewParams {
	return responses.ResponseNewParams{Model: sdkModel, Input: responses.ResponseNewParamsInputUnion{OfString: openai.String(prompt)}}
}

// responsesInput makes items the input of a request.
func responsesInput(items ...responses.ResponseInputItemUnionParam) responses.ResponseNewParamsInputUnion {
	return responses.ResponseNewParamsInputUnion{OfInputItemList: items}
}

// responsesUser is a user's message as an item.
func responsesUser(prompt string) responses.ResponseInputItemUnionParam {
	return responses.ResponseInputItemParamOfMessage(prompt, responses.EasyInputMessageRoleUser)
}

// responsesWeather is a request that offers a tool.
func responsesWeather(prompt string) responses.ResponseNewParams {
	ask := responsesAsk(prompt)
	ask.Input = responsesInput(responsesUser(prompt))
	ask.Tools = []responses.ToolUnionParam{responses.ToolParamOfFunction("get_weather", map[string]any{
		"type": "object", "properties": map[string]any{"city": map[string]any{"type": "string"}}, "required": []string{"city"},
	}, false)}
	return ask
}

// responsesAnswer asks for an answer at once or as a stream.
func responsesAnswer(t *testing.T, c openai.Client, ask responses.ResponseNewParams, streamed bool) (responses.Response, error) {
	t.Helper()
	if streamed {
		return responsesStream(t, c, ask)
	}
	got, err := c.Responses.New(t.Context(), ask)
	if err != nil {
		return responses.Response{}, err
	}
	return *got, nil
}

func TestResponsesSDK(t *testing.T) {
	t.Parallel()
	eachUpstream(t, func(t *testing.T, s *server, lane string) {
		c := openaiClient(t, s, proxyKey)
		t.Run("batch", func(t *testing.T) { responsesBatch(t, c, lane) })
		t.Run("stream", func(t *testing.T) { responsesStreamed(t, c) })
		t.Run("tools", func(t *testing.T) { responsesTools(t, c) })
		t.Run("custom tool", func(t *testing.T) { responsesCustom(t, c) })
		t.Run("image", func(t *testing.T) { responsesImage(t, c) })
		t.Run("thinking", func(t *testing.T) { responsesThinking(t, c) })
		t.Run("schema", func(t *testing.T) { responsesSchema(t, c, lane) })
		t.Run("limits", func(t *testing.T) { responsesLimits(t, c) })
		t.Run("store", func(t *testing.T) { responsesStored(t, c) })
		t.Run("compact", func(t *testing.T) { responsesCompacted(t, c) })
		t.Run("errors", func(t *testing.T) { responsesErrors(t, s, c) })
		t.Run("broken streams", func(t *testing.T) { responsesBroken(t, c) })
		t.Run("abort", func(t *testing.T) { responsesAbort(t, s, c) })
	}, "responses")
}

func responsesBatch(t *testing.T, c openai.Client, lane string) {
	var resp *http.Response
	ask := responsesAsk("Hello")
	ask.Instructions = openai.String("Be brief.")
	ask.Metadata = shared.Metadata{"ticket": "7"}
	got, err := c.Responses.New(t.Context(), ask, option.WithResponseInto(&resp))
	if err != nil {
		t.Fatal(err)
	}
	if !strings.HasPrefix(got.OutputText(), tellHello) || got.Status != "completed" || len(got.Output) != 1 || got.Output[0].Role != "assistant" {
		t.Errorf("%s", got.RawJSON())
	}
	if got.Model != sdkModel || !strings.HasPrefix(got.ID, "resp_") || got.CreatedAt == 0 || got.Metadata["ticket"] != "7" ||
		got.Instructions.OfString != "Be brief." {
		t.Errorf("%s", got.RawJSON())
	}
	if u := got.Usage; u.InputTokens == 0 || u.OutputTokens == 0 || u.TotalTokens != u.InputTokens+u.OutputTokens ||
		!u.JSON.InputTokensDetails.Valid() || !u.JSON.OutputTokensDetails.Valid() {
		t.Errorf("usage %s", u.RawJSON())
	}
	if got := resp.Header.Get("X-Glmtray-Lane"); got != lane {
		t.Errorf("the lane is %q, want %q", got, lane)
	}
}

func responsesStreamed(t *testing.T, c openai.Client) {
	batch, err := c.Responses.New(t.Context(), responsesAsk("Hello"))
	if err != nil {
		t.Fatal(err)
	}
	got, err := responsesStream(t, c, responsesAsk("Hello"))
	if err != nil {
		t.Fatal(err)
	}
	if got.Status != "completed" || got.OutputText() != batch.OutputText() || got.Usage.TotalTokens != batch.Usage.TotalTokens {
		t.Errorf("%s, as a batch %s", got.RawJSON(), batch.RawJSON())
	}
}

// responsesTools has tools called, alone and in parallel, in batches and in streams, and
// gives the results back: with the whole conversation, and with the id of the answer.
func responsesTools(t *testing.T, c openai.Client) {
	for prompt, want := range map[string]struct {
		args []string
		tell string
	}{
		callOne: {[]string{argsOne}, tellOne},
		callTwo: {[]string{argsOne, argsTwo}, tellTwo},
	} {
		for _, streamed := range []bool{false, true} {
			ask := responsesWeather(prompt)
			got, err := responsesAnswer(t, c, ask, streamed)
			if err != nil {
				t.Fatal(err)
			}
			if got.Status != "completed" || len(got.Output) != len(want.args) {
				t.Fatalf("streamed %t: %s", streamed, got.RawJSON())
			}
			var results []responses.ResponseInputItemUnionParam
			for i, item := range got.Output {
				call, ok := item.AsAny().(responses.ResponseFunctionToolCall)
				if !ok || call.Name != "get_weather" || call.Arguments != want.args[i] || call.CallID == "" || call.Status != "completed" {
					t.Fatalf("streamed %t: call %d is %s", streamed, i, item.RawJSON())
				}
				result := responses.ResponseInputItemParamOfFunctionCallOutput([]string{"18 degrees", "3 degrees"}[i])
				result.OfFunctionCallOutput.CallID = openai.String(call.CallID)
				results = append(results, result)
			}
			whole, short := ask, ask
			history := append(responsesItems(t, got.Output), results...)
			whole.Input = responsesInput(append(ask.Input.OfInputItemList, history...)...)
			short.PreviousResponseID, short.Input = openai.String(got.ID), responsesInput(results...)
			for how, next := range map[string]responses.ResponseNewParams{"by the conversation": whole, "by its id": short} {
				answer, err := responsesAnswer(t, c, next, streamed)
				if err != nil {
					t.Fatalf("streamed %t, %s: %v", streamed, how, err)
				}
				wants(t, answer.OutputText(), want.tell)
			}
		}
	}
}

// responsesCustom has a tool called that takes a plain text, which travels as JSON.
func responsesCustom(t *testing.T, c openai.Client) {
	const patch = "*** Begin Patch\n+say \"hi\" \\ <b>"
	args, err := json.Marshal(map[string]string{"input": patch})
	if err != nil {
		t.Fatal(err)
	}
	for _, streamed := range []bool{false, true} {
		ask := responsesAsk("")
		ask.Input = responsesInput(responsesUser("demo:tool apply_patch " + string(args)))
		ask.Tools = []responses.ToolUnionParam{responses.ToolParamOfCustom("apply_patch")}
		got, err := responsesAnswer(t, c, ask, streamed)
		if err != nil {
			t.Fatal(err)
		}
		if len(got.Output) != 1 {
			t.Fatalf("streamed %t: %s", streamed, got.RawJSON())
		}
		call, ok := got.Output[0].AsAny().(responses.ResponseCustomToolCall)
		if !ok || call.Name != "apply_patch" || call.Input != patch || call.CallID == "" {
			t.Fatalf("streamed %t: %s", streamed, got.RawJSON())
		}
		ask.Input.OfInputItemList = append(append(ask.Input.OfInputItemList, responsesItems(t, got.Output)...),
			responses.ResponseInputItemParamOfCustomToolCallOutput(call.CallID, "Done!"))
		answer, err := responsesAnswer(t, c, ask, streamed)
		if err != nil {
			t.Fatal(err)
		}
		wants(t, answer.OutputText(), "The tool result says: “Done!”")
	}
}

func responsesImage(t *testing.T, c openai.Client) {
	picture := responses.ResponseInputContentParamOfInputImage(responses.ResponseInputImageDetailAuto)
	picture.OfInputImage.ImageURL = openai.String("data:image/png;base64," + pixel)
	ask := responsesAsk("")
	ask.Model = "glm-4.6v"
	ask.Input = responsesInput(responses.ResponseInputItemParamOfMessage(responses.ResponseInputMessageContentListParam{
		responses.ResponseInputContentParamOfInputText("What is this?"), picture,
	}, responses.EasyInputMessageRoleUser))
	for _, streamed := range []bool{false, true} {
		got, err := responsesAnswer(t, c, ask, streamed)
		if err != nil {
			t.Fatal(err)
		}
		wants(t, got.OutputText(), tellImage, "What is this?")
	}
}

// responsesThinking has thinking as a text and as a summary, and sends it back with the
// next turn, as clients do that have nothing stored.
func responsesThinking(t *testing.T, c openai.Client) {
	for _, summary := range []shared.ReasoningSummary{"", shared.ReasoningSummaryAuto} {
		var thoughts []string
		for _, streamed := range []bool{false, true} {
			ask := responsesAsk("Hello")
			ask.Reasoning = shared.ReasoningParam{Effort: shared.ReasoningEffortHigh, Summary: summary}
			ask.Store = openai.Bool(false)
			ask.Include = []responses.ResponseIncludable{responses.ResponseIncludableReasoningEncryptedContent}
			got, err := responsesAnswer(t, c, ask, streamed)
			if err != nil {
				t.Fatal(err)
			}
			thought, ok := got.Output[0].AsAny().(responses.ResponseReasoningItem)
			if !ok || thought.EncryptedContent == "" || (len(thought.Summary) > 0) != (summary != "") {
				t.Fatalf("the first item is %s", got.Output[0].RawJSON())
			}
			thoughts = append(thoughts, responsesThoughts(got))
			wants(t, got.OutputText(), tellHello)
			history := append([]responses.ResponseInputItemUnionParam{responsesUser("Hello")}, responsesItems(t, got.Output)...)
			ask.Input = responsesInput(append(history, responsesUser("And now?"))...)
			if answer, err := responsesAnswer(t, c, ask, streamed); err != nil || !strings.Contains(answer.OutputText(), "And now?") {
				t.Errorf("with the thinking sent back: %v", err)
			}
		}
		if !strings.Contains(thoughts[0], "I should think for a moment") || thoughts[0] != thoughts[1] {
			t.Errorf("summary %q: %q as a batch, %q as a stream", summary, thoughts[0], thoughts[1])
		}
	}
}

// responsesSchema asks for an answer of a given form. Z.AI's Messages endpoint has no
// field for that, so that there the schema is a part of the prompt, which gets longer.
func responsesSchema(t *testing.T, c openai.Client, lane string) {
	plain, err := c.Responses.New(t.Context(), responsesAsk("Hello"))
	if err != nil {
		t.Fatal(err)
	}
	ask := responsesAsk("Hello")
	ask.Text.Format = responses.ResponseFormatTextConfigParamOfJSONSchema("reply", map[string]any{
		"type": "object", "properties": map[string]any{"answer": map[string]any{"type": "string"}}, "required": []string{"answer"},
		"additionalProperties": false,
	})
	for _, streamed := range []bool{false, true} {
		got, err := responsesAnswer(t, c, ask, streamed)
		if err != nil {
			t.Fatal(err)
		}
		if got.Usage.InputTokens <= plain.Usage.InputTokens {
			t.Errorf("streamed %t: %d tokens with the schema, %d without", streamed, got.Usage.InputTokens, plain.Usage.InputTokens)
		}
		if format := got.Text.Format; format.Type != "json_schema" || format.Name != "reply" {
			t.Errorf("the answer repeats the format as %s", format.RawJSON())
		}
		if lane != "translated to chat" {
			continue
		}
		var reply struct{ Answer string }
		if err := json.Unmarshal([]byte(got.OutputText()), &reply); err != nil || !strings.HasPrefix(reply.Answer, tellHello) {
			t.Errorf("streamed %t: %v, %s", streamed, err, got.RawJSON())
		}
	}
}

// responsesLimits holds that an answer that was limited says so.
func responsesLimits(t *testing.T, c openai.Client) {
	ask := responsesAsk("Hello")
	ask.MaxOutputTokens = openai.Int(3)
	for _, streamed := range []bool{false, true} {
		got, err := responsesAnswer(t, c, ask, streamed)
		if err != nil || got.Status != "incomplete" || got.IncompleteDetails.Reason != "max_output_tokens" {
			t.Errorf("streamed %t: %v, %s", streamed, err, got.RawJSON())
		}
	}
}

func responsesAbort(t *testing.T, s *server, c openai.Client) {
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	stream := c.Responses.NewStreaming(ctx, responsesAsk("demo:long 100000"))
	for stream.Next() && stream.Current().Type != "response.output_text.delta" {
	}
	if stream.Err() != nil || stream.Current().Delta == "" {
		t.Fatalf("%v, %s", stream.Err(), stream.Current().RawJSON())
	}
	cancel()
	for stream.Next() {
	}
	if !errors.Is(stream.Err(), context.Canceled) {
		t.Errorf("%v", stream.Err())
	}
	s.released(t)
}
