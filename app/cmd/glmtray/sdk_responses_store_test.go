package main_test

import (
	"errors"
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/openai/openai-go/v3"
	"github.com/openai/openai-go/v3/responses"
)

// responsesStored goes on from answers that are kept, shows them and drops them. That an
// earlier turn reached the upstream can be seen in the tokens that it has cached: there
// are none in a first turn.
func responsesStored(t *testing.T, c openai.Client) {
	for _, streamed := range []bool{false, true} {
		first, err := responsesAnswer(t, c, responsesAsk("Hello"), streamed)
		if err != nil {
			t.Fatal(err)
		}
		next := responsesAsk("And now?")
		next.PreviousResponseID = openai.String(first.ID)
		second, err := responsesAnswer(t, c, next, streamed)
		if err != nil {
			t.Fatal(err)
		}
		wants(t, second.OutputText(), "And now?")
		if before, after := first.Usage.InputTokensDetails.CachedTokens, second.Usage.InputTokensDetails.CachedTokens; before != 0 || after == 0 {
			t.Errorf("%d tokens were cached in the first turn, %d in the second", before, after)
		}
		if second.PreviousResponseID != first.ID || second.ID == first.ID {
			t.Errorf("%s after %s", second.RawJSON(), first.ID)
		}
		kept, err := c.Responses.Get(t.Context(), first.ID, responses.ResponseGetParams{})
		if err != nil || kept.RawJSON() != first.RawJSON() {
			t.Errorf("%v: kept %+v, told %s", err, kept, first.RawJSON())
		}
		if err := c.Responses.Delete(t.Context(), first.ID); err != nil {
			t.Error(err)
		}
		responsesMissing(t, c, first.ID)
		// An answer is whole without the ones that it goes on from.
		next.PreviousResponseID = openai.String(second.ID)
		if _, err := responsesAnswer(t, c, next, streamed); err != nil {
			t.Error(err)
		}
	}
	ask := responsesAsk("Hello")
	ask.Store = openai.Bool(false)
	for _, streamed := range []bool{false, true} {
		got, err := responsesAnswer(t, c, ask, streamed)
		if err != nil || got.JSON.ExtraFields["store"].Raw() != "false" {
			t.Fatalf("%v, %s", err, got.RawJSON())
		}
		responsesMissing(t, c, got.ID)
	}
}

// responsesMissing holds that an answer is not kept, in the words that clients know.
func responsesMissing(t *testing.T, c openai.Client, id string) {
	t.Helper()
	var failure *openai.Error
	if _, err := c.Responses.Get(t.Context(), id, responses.ResponseGetParams{}); !errors.As(err, &failure) ||
		failure.StatusCode != http.StatusNotFound || !strings.Contains(failure.Message, id) {
		t.Errorf("shown: %v", err)
	}
	if err := c.Responses.Delete(t.Context(), id); !errors.As(err, &failure) || failure.StatusCode != http.StatusNotFound {
		t.Errorf("dropped: %v", err)
	}
	ask := responsesAsk("And now?")
	ask.PreviousResponseID = openai.String(id)
	for _, streamed := range []bool{false, true} {
		if _, err := responsesAnswer(t, c, ask, streamed); !errors.As(err, &failure) || failure.StatusCode != http.StatusBadRequest ||
			failure.Code != "previous_response_not_found" || failure.Param != "previous_response_id" {
			t.Errorf("gone on from: %v", err)
		}
	}
}

// responsesCompacted has a conversation with a call in it compacted, and goes on from
// what is left of it.
func responsesCompacted(t *testing.T, c openai.Client) {
	call := responses.ResponseInputItemParamOfFunctionCall(argsOne, "call_1", "get_weather")
	result := responses.ResponseInputItemParamOfFunctionCallOutput("18 degrees")
	result.OfFunctionCallOutput.CallID = openai.String("call_1")
	long := []responses.ResponseInputItemUnionParam{responsesUser("A long story"), call, result, responsesUser("The end")}
	got, err := c.Responses.Compact(t.Context(), responses.ResponseCompactParams{
		Model: sdkModel, Input: responses.ResponseCompactParamsInputUnion{OfResponseInputItemArray: long},
	})
	if err != nil {
		t.Fatal(err)
	}
	if got.Object != "response.compaction" || got.ID == "" || got.CreatedAt == 0 || got.Usage.InputTokens == 0 || len(got.Output) != 3 {
		t.Fatalf("%s", got.RawJSON())
	}
	wants(t, got.Output[0].RawJSON()+got.Output[1].RawJSON(), "A long story", "The end")
	lacks(t, got.RawJSON(), "18 degrees")
	compaction, ok := got.Output[2].AsAny().(responses.ResponseCompactionItem)
	if !ok || compaction.EncryptedContent == "" {
		t.Fatalf("the last item is %s", got.Output[2].RawJSON())
	}
	// What is before the assistant's last word counts as cached.
	rest := []responses.ResponseInputItemUnionParam{
		responses.ResponseInputItemParamOfMessage("I see.", responses.EasyInputMessageRoleAssistant), responsesUser("And now?"),
	}
	left := []responses.ResponseInputItemUnionParam{responsesUser("A long story"), responsesUser("The end")}
	cached := func(items ...responses.ResponseInputItemUnionParam) int64 {
		ask := responsesAsk("")
		ask.Input = responsesInput(slices.Concat(left, items, rest)...)
		answer, err := c.Responses.New(t.Context(), ask)
		if err != nil {
			t.Fatal(err)
		}
		wants(t, answer.OutputText(), "And now?")
		return answer.Usage.InputTokensDetails.CachedTokens
	}
	with, without := cached(responses.ResponseInputItemParamOfCompaction(compaction.EncryptedContent)), cached()
	if with <= without {
		t.Errorf("the summary did not reach the upstream: %d tokens with it, %d without", with, without)
	}
}

func responsesErrors(t *testing.T, s *server, c openai.Client) {
	robot := responsesAsk("")
	robot.Input = responsesInput(responses.ResponseInputItemParamOfMessage("Hello", "robot"))
	for name, tc := range map[string]struct {
		client openai.Client
		ask    responses.ResponseNewParams
		status int
		code   string
		says   []string
	}{
		"quota":          {c, responsesAsk("demo:error 1308"), 429, "", []string{quotaIsUsed}},
		"rate limit":     {c, responsesAsk("demo:429"), 429, "rate_limit_exceeded", []string{"Rate limit reached"}},
		"refused there":  {c, responsesAsk("demo:error 1214"), 400, "1214", []string{"Invalid messages parameter"}},
		"a wrong role":   {c, robot, 400, "", []string{"input[0].role"}},
		"a web page":     {c, responsesAsk("demo:html"), 502, "", []string{"web page"}},
		"error in a 200": {c, responsesAsk("demo:error200"), 0, "", nil},
		"no key":         {openaiClient(t, s, "another"), responsesAsk("Hello"), 401, "invalid_api_key", []string{"auth.proxyApiKey"}},
	} {
		t.Run(name, func(t *testing.T) {
			for _, streamed := range []bool{false, true} {
				_, err := responsesAnswer(t, tc.client, tc.ask, streamed)
				var failure *openai.Error
				if !errors.As(err, &failure) || failure.Message == "" || failure.Type == "" || tc.status != 0 && failure.StatusCode != tc.status {
					t.Fatalf("streamed %t: %v", streamed, err)
				}
				if tc.code != "" && failure.Code != tc.code {
					t.Errorf("streamed %t: the code is %q, want %q", streamed, failure.Code, tc.code)
				}
				wants(t, failure.Message, tc.says...)
			}
		})
	}
	// A failure that passes is tried again by the proxy, and the client sees nothing of it.
	if got, err := c.Responses.New(t.Context(), responsesAsk("demo:429 1 "+t.Name())); err != nil || !strings.HasPrefix(got.OutputText(), "You said") {
		t.Errorf("%v, %+v", err, got)
	}
}

// responsesBroken holds that an answer which breaks off ends as a failed one, and is not
// kept.
func responsesBroken(t *testing.T, c openai.Client) {
	for _, prompt := range []string{"demo:cut", "demo:eof", "demo:error-event", "demo:network_error"} {
		got, err := responsesStream(t, c, responsesAsk("Hello "+prompt))
		if err != nil || got.Status != "failed" || got.Error.Message == "" || got.Error.Code == "" {
			t.Errorf("%s: %v, %s", prompt, err, got.RawJSON())
		}
		if _, err := c.Responses.Get(t.Context(), got.ID, responses.ResponseGetParams{}); err == nil {
			t.Errorf("%s: the answer is kept", prompt)
		}
		if _, err := c.Responses.New(t.Context(), responsesAsk("Hello "+prompt)); err == nil {
			t.Errorf("%s as a batch is no error", prompt)
		}
	}
}
