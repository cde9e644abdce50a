package chat_test

import (
	"encoding/json"
	"strings"
	"testing"

	"glmtray/proxy/dialect/chat"
	"glmtray/proxy/llm"
	"glmtray/proxy/rawjson"
)

func TestDecodeCompletion(t *testing.T) {
	r, err := chat.DecodeCompletion([]byte(`{"model":"glm-4.6","prompt":["say \u00e4"],"max_tokens":9,"temperature":0.5,"top_p":0.9,"stop":["\n"],"n":1,"best_of":1,
		"suffix":"","echo":true,"stream":true,"stream_options":{"include_usage":true},"user":"me","logprobs":null,"presence_penalty":0}`))
	if err != nil {
		t.Fatal(err)
	}
	if len(r.Messages) != 1 || r.Messages[0].Role != llm.User || r.Messages[0].Blocks[0].Text.String() != "say ä" || r.Echo.String() != "say ä" {
		t.Errorf("got %+v, echo %s", r.Messages, r.Echo)
	}
	if r.Model.String() != "glm-4.6" || r.MaxTokens != 9 || *r.Temperature != 0.5 || *r.TopP != 0.9 || len(r.Stop) != 1 || !r.Stream || !r.IncludeUsage || r.User.String() != "me" {
		t.Errorf("got %+v", r)
	}
	if r.Thinking.Mode != llm.ThinkingOff || len(r.Warnings) != 0 {
		t.Errorf("thinking %+v, warnings %+v", r.Thinking, r.Warnings)
	}
	if r, err := chat.DecodeCompletion([]byte(`{"prompt":"a","reasoning_effort":"high"}`)); err != nil || r.Thinking.Mode != llm.ThinkingUnset || r.Echo != nil {
		t.Errorf("%v, %+v", err, r)
	}
}

func TestDecodeCompletionRefuses(t *testing.T) {
	for body, want := range map[string]string{
		`{"model":"m"}`:                          "prompt: is missing or empty",
		`{"prompt":""}`:                          "prompt: is missing or empty",
		`{"prompt":[]}`:                          "prompt: is missing or empty",
		`{"prompt":" \n"}`:                       "prompt: is missing or empty",
		`{"prompt":null}`:                        "prompt: is missing or empty",
		`{"prompt":["a","b"]}`:                   "prompt: holds several prompts",
		`{"prompt":[1,2]}`:                       "prompt: must be text",
		`{"prompt":[[1],[2]]}`:                   "prompt: must be text",
		`{"prompt":7}`:                           "prompt: ",
		`{"prompt":"a","max_tokens":"9"}`:        "max_tokens: ",
		`{"prompt":"a","stream":1}`:              "stream: ",
		`{"prompt":"a","echo":"yes"}`:            "echo: ",
		`{"prompt":"a"`:                          "the request body: ",
		`[]`:                                     "the request body: ",
		strings.Repeat(`{"prompt":`, 1000) + "1": "prompt: ",
	} {
		if _, err := chat.DecodeCompletion([]byte(body)); err == nil || err.Kind != llm.ErrInvalid || !strings.HasPrefix(err.Message, want) {
			t.Errorf("%.40s: got %v, want %s", body, err, want)
		}
	}
	for body, field := range map[string]string{
		`{"prompt":"a","suffix":"b"}`: "suffix", `{"prompt":"a","best_of":3}`: "best_of", `{"prompt":"a","n":2}`: "n",
	} {
		r, err := chat.DecodeCompletion([]byte(body))
		if err != nil || len(r.Warnings) != 1 || r.Warnings[0].Field != field || !r.Warnings[0].Refuse {
			t.Errorf("%s: %v, %+v", body, err, r)
		}
	}
	r, err := chat.DecodeCompletion([]byte(`{"prompt":"a","logprobs":3,"logit_bias":{"1":2},"new":1}`))
	if err != nil || len(r.Warnings) != 3 || r.Warnings[0].Refuse {
		t.Errorf("%v, %+v", err, r.Warnings)
	}
}

// completionEvents is an answer that was thought about.
func completionEvents() []llm.Event {
	quote := rawjson.Quote
	return []llm.Event{
		{Kind: llm.EventStart, ID: quote("msg_1"), Model: quote("glm-real"), Usage: &llm.Usage{Input: 3}},
		{Kind: llm.EventBlockStart, Block: llm.Thinks},
		{Kind: llm.EventDelta, Block: llm.Thinks, Text: quote("hm")},
		{Kind: llm.EventBlockStop, Block: llm.Thinks},
		{Kind: llm.EventBlockStart, Block: llm.Text},
		{Kind: llm.EventDelta, Block: llm.Text, Text: quote("o\n")},
		{Kind: llm.EventDelta, Block: llm.Text, Text: quote("ne")},
		{Kind: llm.EventBlockStop, Block: llm.Text},
		{Kind: llm.EventFinish, Stop: llm.StopMaxTokens, Usage: &llm.Usage{Input: 3, Output: 5}},
	}
}

func TestCompletionAnswers(t *testing.T) {
	o := chat.EncoderOptions{Model: rawjson.Quote("asked"), ID: rawjson.Quote("cmpl-1"), Created: 7, IncludeUsage: true}
	const usage = `{"prompt_tokens":3,"completion_tokens":5,"total_tokens":8,"prompt_tokens_details":{"cached_tokens":0},"completion_tokens_details":{"reasoning_tokens":0}}`
	const head = `{"id":"msg_1","object":"text_completion","created":7,"model":"asked","choices":[`
	chunk := func(text, reason string) string {
		return "data: " + head + `{"text":` + text + `,"index":0,"logprobs":null,"finish_reason":` + reason + `}],"usage":null}` + "\n\n"
	}
	var got []byte
	e := chat.NewCompletionEncoder(o, rawjson.Quote("say: "))
	events := completionEvents()
	for i := range events {
		got = e.Append(got, &events[i])
	}
	want := chunk(`"say: "`, "null") + chunk(`"o\n"`, "null") + chunk(`"ne"`, "null") + chunk(`""`, `"length"`) +
		"data: " + head + `],"usage":` + usage + "}\n\ndata: [DONE]\n\n"
	if string(got) != want {
		t.Errorf("got:\n%swant:\n%s", got, want)
	}
	response, failure := llm.Fold(events)
	if failure != nil {
		t.Fatal(failure)
	}
	body := chat.AppendCompletion(nil, response, o, rawjson.Quote("say: "))
	if want := head + `{"text":"say: o\nne","index":0,"logprobs":null,"finish_reason":"length"}],"usage":` + usage + "}"; string(body) != want {
		t.Errorf("got  %s\nwant %s", body, want)
	}
}

func TestCompletionFailure(t *testing.T) {
	e := chat.NewCompletionEncoder(chat.EncoderOptions{}, nil)
	events := append(completionEvents()[:6], llm.Event{Kind: llm.EventError, Err: &llm.Error{Kind: llm.ErrUpstream, Message: "it broke"}}, llm.Event{Kind: llm.EventFinish})
	var got []byte
	for i := range events {
		got = e.Append(got, &events[i])
	}
	frames := strings.Split(strings.TrimSuffix(string(got), "\n\n"), "\n\n")
	if n := len(frames); n != 3 || !strings.Contains(frames[1], `"message":"it broke"`) || frames[2] != "data: [DONE]" || strings.Contains(string(got), "finish_reason\":\"") {
		t.Errorf("got:\n%s", got)
	}
}

func FuzzDecodeCompletion(f *testing.F) {
	f.Add([]byte(`{"model":"m","prompt":["a\ud800"],"echo":true,"stop":"x","suffix":"y","n":2}`))
	f.Fuzz(func(t *testing.T, body []byte) {
		r, err := chat.DecodeCompletion(body)
		if err != nil {
			if err.Kind != llm.ErrInvalid || err.Message == "" {
				t.Fatalf("got %+v", err)
			}
			return
		}
		answer := chat.AppendCompletion(nil, &llm.Response{}, chat.EncoderOptions{Model: r.Model}, r.Echo)
		if !json.Valid(answer) {
			t.Fatalf("not JSON: %s", answer)
		}
	})
}
