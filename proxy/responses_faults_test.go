package proxy

import (
	"bufio"
	"encoding/json"
	"io"
	"net/http"
	"strings"
	"sync"
	"testing"

	"glmtray/proxy/llm"
	"glmtray/proxy/upstream"
)

// recorder is an upstream that answers each request alike and keeps what it was asked.
type recorder struct {
	answer string

	mu     sync.Mutex // guards what follows
	bodies []string
}

// ServeHTTP implements http.Handler.
func (u *recorder) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body, _ := io.ReadAll(r.Body)
	u.mu.Lock()
	u.bodies = append(u.bodies, string(body))
	u.mu.Unlock()
	if strings.HasPrefix(u.answer, "{") {
		w.Header().Set("Content-Type", "application/json")
	} else {
		eventStream(w)
	}
	_, _ = io.WriteString(w, u.answer)
}

// last is the body of the latest request.
func (u *recorder) last() string {
	u.mu.Lock()
	defer u.mu.Unlock()
	return u.bodies[len(u.bodies)-1]
}

// idOf returns the id of a response object.
func idOf(t *testing.T, body []byte) string {
	t.Helper()
	var r struct{ ID string }
	if err := json.Unmarshal(body, &r); err != nil || !strings.HasPrefix(r.ID, "resp_") {
		t.Fatalf("%v: %s", err, body)
	}
	return r.ID
}

// TestStreamedAnswerIsKeptBeforeItsEndIsTold holds that a client can go on from an
// answer as soon as it has seen response.completed, which agents do at once.
//
// It failed with 400 previous_response_not_found: the answer was kept only after the
// upstream had closed its connection, up to half a second behind the end of the answer.
func TestStreamedAnswerIsKeptBeforeItsEndIsTold(t *testing.T) {
	open := make(chan struct{})
	base := serveUpstream(t, func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		eventStream(w)
		_, _ = io.WriteString(w, messagesAnswer)
		http.NewResponseController(w).Flush()
		if !strings.Contains(string(body), "The second") {
			<-open // as upstreams do that keep their connections
		}
	})
	defer close(open)
	url := serveProxy(t, upstream.Bases{Anthropic: base}, nil)
	resp, err := plain.Post(url+"/v1/responses", "application/json", strings.NewReader(`{"model":"glm-4.6","stream":true,"input":"The first"}`))
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	lines := bufio.NewScanner(resp.Body)
	lines.Buffer(nil, 1<<20)
	for lines.Scan() {
		data, ok := strings.CutPrefix(lines.Text(), "data: ")
		if !ok || !strings.HasPrefix(data, `{"type":"response.completed"`) {
			continue
		}
		var e struct{ Response json.RawMessage }
		if err := json.Unmarshal([]byte(data), &e); err != nil {
			t.Fatal(err)
		}
		next, got := post(t, url+"/v1/responses", nil, []byte(`{"model":"glm-4.6","previous_response_id":"`+idOf(t, e.Response)+`","input":"The second"}`))
		if next.StatusCode != http.StatusOK {
			t.Errorf("%d %s", next.StatusCode, got)
		}
		return
	}
	t.Fatal("the answer has no end")
}

// TestGoingOnFromACompaction holds that whoever goes on from a compaction by its id goes
// on from the summary and the user's messages, and not from all that was compacted.
//
// It failed with the whole conversation in the third request, so that the prompt which
// had become too long was longer by the summary.
func TestGoingOnFromACompaction(t *testing.T) {
	for _, stream := range []string{"false", "true"} {
		u := &recorder{answer: thinkers["messages"].stream}
		url := serveProxy(t, upstream.Bases{Anthropic: serveUpstream(t, u.ServeHTTP)}, nil)
		_, got := post(t, url+"/v1/responses", nil, []byte(`{"model":"glm-4.6","input":[{"role":"developer","content":"The rules"},{"role":"user","content":"The first"},{"type":"function_call","call_id":"c","name":"read","arguments":"{}"},{"type":"function_call_output","call_id":"c","output":"A long file"}]}`))
		_, got = post(t, url+"/v1/responses", nil, []byte(`{"model":"glm-4.6","stream":`+stream+`,"previous_response_id":"`+idOf(t, got)+`","input":[{"role":"user","content":"The second"},{"type":"compaction_trigger"}]}`))
		if stream == "true" {
			_, end, _ := strings.Cut(string(got), `{"type":"response.completed"`)
			_, end, _ = strings.Cut(end, `"response":`)
			got = []byte(strings.TrimSuffix(strings.TrimSpace(end), "}"))
		}
		if asked := u.last(); !strings.Contains(asked, "A long file") || !strings.Contains(asked, "The second") {
			t.Errorf("the summary is not one of the conversation: %s", asked)
		}
		_, got = post(t, url+"/v1/responses", nil, []byte(`{"model":"glm-4.6","previous_response_id":"`+idOf(t, got)+`","input":"The third"}`))
		asked := u.last()
		for _, kept := range []string{"The rules", "The first", "The second", "because", "The third"} {
			if strings.Count(asked, kept) != 1 {
				t.Errorf("%s is not there once: %s", kept, asked)
			}
		}
		if strings.Contains(asked, "A long file") || strings.Contains(asked, "tool_use") {
			t.Errorf("what was compacted is there again: %s", asked)
		}
		// And on from there, with all of it.
		post(t, url+"/v1/responses", nil, []byte(`{"model":"glm-4.6","previous_response_id":"`+idOf(t, got)+`","input":"The fourth"}`))
		if asked := u.last(); strings.Count(asked, "The first") != 1 || strings.Count(asked, "The third") != 1 || strings.Contains(asked, "A long file") {
			t.Errorf("the turn after that: %s", asked)
		}
	}
}

// TestSummaryHasNoThoughts holds that a conversation's summary is what the model said,
// whatever clients are shown of its thoughts: no person reads it.
//
// It failed with the thoughts between tags in the summary, from which all later turns
// went on.
func TestSummaryHasNoThoughts(t *testing.T) {
	for _, display := range []llm.Display{llm.ThinkingApart, llm.ThinkingInTags, llm.ThinkingHidden} {
		for name, thinker := range thinkers {
			for _, answer := range []string{thinker.stream, thinker.batch} {
				u := &recorder{answer: answer}
				l := lane{wire: thinker.wire}
				url := serveProxy(t, l.bases(serveUpstream(t, u.ServeHTTP)), func(c *Config) { c.Thinking = display })
				for _, end := range []string{"", `,{"type":"compaction_trigger"}`} {
					path := "/v1/responses/compact"
					if end != "" {
						path = "/v1/responses"
					}
					_, got := post(t, url+path, nil, []byte(`{"model":"glm-4.6","input":[{"role":"user","content":"Hello"}`+end+`]}`))
					var compacted struct{ Output []json.RawMessage }
					if err := json.Unmarshal(got, &compacted); err != nil || len(compacted.Output) == 0 {
						t.Fatalf("%v: %s", err, got)
					}
					item := compacted.Output[len(compacted.Output)-1]
					post(t, url+"/v1/responses", nil, []byte(`{"model":"glm-4.6","input":[`+string(item)+`,{"role":"user","content":"Go on"}]}`))
					if asked := u.last(); !strings.Contains(asked, "because") || strings.Contains(asked, "why") {
						t.Errorf("%s, display %d, %s: the summary is %s", name, display, path, asked)
					}
				}
			}
		}
	}
}

// TestFailedResponseIsAFailure holds that an answer which a Responses client is told has
// failed is one for the log and the history too, and is not gone on from: a batch as
// little as a stream.
//
// It failed with no error in the record, and with 200 for the batch's id.
func TestFailedResponseIsAFailure(t *testing.T) {
	for _, stream := range []string{"false", "true"} {
		for _, answer := range []string{
			`{"id":"m","type":"message","role":"assistant","model":"glm","content":[{"type":"thinking","thinking":"why","signature":"s"}],"stop_reason":"end_turn","usage":{"input_tokens":3,"output_tokens":5}}`,
			strings.Replace(thinkers["messages"].stream, `"type":"text_delta","text":"because"`, `"type":"text_delta","text":""`, 1),
		} {
			u := &recorder{answer: answer}
			finished := make(chan Exchange, 1)
			url := serveProxy(t, upstream.Bases{Anthropic: serveUpstream(t, u.ServeHTTP)}, func(c *Config) { c.Finished = func(x Exchange) { finished <- x } })
			_, got := post(t, url+"/v1/responses", nil, []byte(`{"model":"glm-4.6","stream":`+stream+`,"input":"Hello"}`))
			if !strings.Contains(string(got), `"status":"failed"`) || !strings.Contains(string(got), "gave no answer") {
				t.Fatalf("stream %s: %s", stream, got)
			}
			if x := <-finished; x.Err == nil || x.Err.Kind != llm.ErrUpstream || x.Usage.Output != 5 {
				t.Errorf("stream %s: the record has %v, %+v", stream, x.Err, x.Usage)
			}
			_, id, _ := strings.Cut(string(got), `"id":"resp_`)
			id, _, _ = strings.Cut(id, `"`)
			if resp, _ := get(t, url+"/v1/responses/resp_"+id, nil); resp.StatusCode != http.StatusNotFound {
				t.Errorf("stream %s: it was kept: %d", stream, resp.StatusCode)
			}
		}
	}
}

// TestSeveralAnswersAreNotCutToOne holds that a request for several answers is refused
// where only one of them would come through, as answers are written anew.
//
// It failed with 200 and the first answer alone: the request went through as it was, for
// both, and without a word the second was left out.
func TestSeveralAnswersAreNotCutToOne(t *testing.T) {
	const answer = `{"id":"c","object":"chat.completion","created":1,"model":"glm-4.6","choices":[{"index":0,"message":{"role":"assistant","content":"one"},"finish_reason":"stop"},{"index":1,"message":{"role":"assistant","content":"two"},"finish_reason":"stop"}]}`
	u := &recorder{answer: answer}
	base := serveUpstream(t, u.ServeHTTP)
	body := []byte(`{"model":"glm-4.6","n":2,"messages":[{"role":"user","content":"Hello"}]}`)
	if resp, got := post(t, serveProxy(t, upstream.Bases{OpenAI: base}, nil)+"/v1/chat/completions", nil, body); resp.StatusCode != http.StatusOK || string(got) != answer {
		t.Errorf("as it is: %d %s", resp.StatusCode, got)
	}
	for _, display := range []llm.Display{llm.ThinkingInTags, llm.ThinkingHidden} {
		url := serveProxy(t, upstream.Bases{OpenAI: base}, func(c *Config) { c.Thinking = display })
		if resp, got := post(t, url+"/v1/chat/completions", nil, body); resp.StatusCode != http.StatusBadRequest || !strings.Contains(string(got), `"param":"n"`) {
			t.Errorf("display %d: %d %s", display, resp.StatusCode, got)
		}
	}
	if n := len(u.bodies); n != 1 {
		t.Errorf("%d requests went upstream", n)
	}
}

// TestCountOfALongContext holds that a count is asked for by the model's own name, like
// the conversation itself, and that a model which is not known says nothing of the path.
//
// It failed twice: the name had Claude Code's mark [1m], for which the upstream knows no
// model, and for its 404 the upstream was never asked for a count again.
func TestCountOfALongContext(t *testing.T) {
	base := serveUpstream(t, func(w http.ResponseWriter, r *http.Request) {
		var asked struct{ Model string }
		if err := json.NewDecoder(r.Body).Decode(&asked); err != nil || asked.Model != "claude-opus-4-5" {
			http.Error(w, `{"type":"error","error":{"type":"not_found_error","message":"model: `+asked.Model+`"}}`, http.StatusNotFound)
			return
		}
		_, _ = io.WriteString(w, `{"input_tokens":77}`)
	})
	url := serveProxy(t, upstream.Bases{Anthropic: base}, func(c *Config) { c.Upstream.GLM = false })
	for _, c := range []struct {
		model string
		exact bool
	}{{"claude-opus-4-5[1m]", true}, {"nobody", false}, {"claude-opus-4-5", true}} {
		_, got := post(t, url+"/v1/messages/count_tokens", nil, []byte(`{"model":"`+c.model+`","messages":[{"role":"user","content":"Hello"}]}`))
		if exact := strings.Contains(string(got), `"input_tokens":77`); exact != c.exact || !strings.Contains(string(got), "input_tokens") {
			t.Errorf("%s: %s", c.model, got)
		}
	}
}

// TestLongContextAndAnotherName holds that Claude Code's mark of a long context goes no
// further where the model has another name for the upstream: one with capitals, or one
// of an alias that has the mark itself.
//
// It failed with GLM-5.2[1m] and glm-5[1m], where the client's dialect is the upstream's:
// a model that nobody knows.
func TestLongContextAndAnotherName(t *testing.T) {
	u := &recorder{answer: `{}`}
	base := serveUpstream(t, u.ServeHTTP)
	for _, bases := range []upstream.Bases{{Anthropic: base}, {OpenAI: base}} {
		for _, capitals := range []bool{false, true} {
			url := serveProxy(t, bases, func(c *Config) {
				c.Naming = upstream.Naming{Capitals: capitals, Aliases: upstream.ParseAliases("mine*=glm-5[1m]")}
			})
			for _, c := range []struct{ asked, plain, capital string }{
				{"glm-5.2[1m]", "glm-5.2", "GLM-5.2"}, {"mine", "glm-5", "GLM-5"}, {"mine[1m]", "glm-5", "GLM-5"}, {"glm-5", "glm-5", "GLM-5"},
			} {
				want := c.plain
				if capitals {
					want = c.capital
				}
				for path, rest := range map[string]string{
					"/v1/messages":         `"max_tokens":3,"messages":[{"role":"user","content":"Hello"}]`,
					"/v1/chat/completions": `"messages":[{"role":"user","content":"Hello"}]`,
					"/v1/responses":        `"input":"Hello"`,
				} {
					post(t, url+path, nil, []byte(`{"model":"`+c.asked+`",`+rest+`}`))
					if !strings.HasPrefix(u.last(), `{"model":"`+want+`",`) {
						t.Errorf("%s, %s: got %.40s, want %s", path, c.asked, u.last(), want)
					}
				}
			}
		}
	}
}

// TestReferencesAreBounded holds that a small request cannot become one of gigabytes, by
// references to one large item.
//
// It failed with 200: 20 kB of references to an item of 1 MB were 314 MB for the
// upstream, and 4096 of them to a larger one are more than any memory.
func TestReferencesAreBounded(t *testing.T) {
	const count = 70
	text := strings.Repeat("b", 1<<20)
	u := &recorder{answer: `{"id":"m","type":"message","role":"assistant","model":"glm","content":[{"type":"text","text":"` + text + `"}],"stop_reason":"end_turn","usage":{"input_tokens":3,"output_tokens":5}}`}
	url := serveProxy(t, upstream.Bases{Anthropic: serveUpstream(t, u.ServeHTTP)}, nil)
	_, got := post(t, url+"/v1/responses", nil, []byte(`{"model":"glm-4.6","input":"Hello"}`))
	reference := `{"type":"item_reference","id":"msg_` + strings.TrimPrefix(idOf(t, got), "resp_") + `_0"},`
	for n, want := range map[int]int{2: http.StatusOK, count: http.StatusBadRequest} {
		resp, got := post(t, url+"/v1/responses", nil, []byte(`{"model":"glm-4.6","store":false,"input":[`+strings.Repeat(reference, n)+`{"role":"user","content":"Go on"}]}`))
		if resp.StatusCode != want || want != http.StatusOK && !strings.Contains(string(got), `"param":"input[`) {
			t.Errorf("%d references: %d %.300s", n, resp.StatusCode, got)
		}
	}
}
