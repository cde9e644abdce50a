package proxy

import (
	"encoding/json"
	"io"
	"net/http"
	"strings"
	"testing"

	"glmtray/proxy/upstream"
)

// TestResponses holds a conversation of two turns over each kind of upstream: streamed
// and whole, with the first answer kept, shown and dropped.
func TestResponses(t *testing.T) {
	for _, wire := range []upstream.Dialect{upstream.Messages, upstream.Chat} {
		t.Run(string(wire), func(t *testing.T) {
			var bodies []string
			l := lane{wire: wire}
			answer := map[upstream.Dialect]string{upstream.Chat: chatAnswer, upstream.Messages: messagesAnswer}[wire]
			base := serveUpstream(t, func(w http.ResponseWriter, r *http.Request) {
				body, _ := io.ReadAll(r.Body)
				bodies = append(bodies, string(body))
				eventStream(w)
				_, _ = io.WriteString(w, answer)
			})
			url := serveProxy(t, l.bases(base), nil)
			resp, got := post(t, url+"/v1/responses", nil, []byte(`{"model":"glm-4.6","input":"The first question"}`))
			var first struct {
				ID, Object, Status, Model string
				Output                    []json.RawMessage
			}
			if err := json.Unmarshal(got, &first); err != nil || resp.StatusCode != 200 || first.Object != "response" || first.Status != "completed" || len(first.Output) == 0 || !strings.HasPrefix(first.ID, "resp_") {
				t.Fatalf("%v %d %s", err, resp.StatusCode, got)
			}
			resp, got = post(t, url+"/v1/responses", nil, []byte(`{"model":"glm-4.6","stream":true,"previous_response_id":"`+first.ID+`","input":[{"role":"user","content":"The second"}]}`))
			if resp.StatusCode != 200 || !strings.Contains(string(got), "event: response.completed\n") || !strings.Contains(string(got), `"sequence_number":0`) {
				t.Fatalf("%d %s", resp.StatusCode, got)
			}
			if !strings.Contains(bodies[1], "The first question") || !strings.Contains(bodies[1], "The second") {
				t.Errorf("the second request does not go on from the first: %s", bodies[1])
			}
			if resp, got := get(t, url+"/v1/responses/"+first.ID, nil); resp.StatusCode != 200 || !strings.Contains(string(got), first.ID) {
				t.Errorf("shown: %d %s", resp.StatusCode, got)
			}
			req, err := http.NewRequestWithContext(t.Context(), http.MethodDelete, url+"/v1/responses/"+first.ID, nil)
			if err != nil {
				t.Fatal(err)
			}
			if resp, got := do(t, req); resp.StatusCode != 200 || !strings.Contains(string(got), `"deleted":true`) {
				t.Errorf("dropped: %d %s", resp.StatusCode, got)
			}
			if resp, got := get(t, url+"/v1/responses/"+first.ID, nil); resp.StatusCode != 404 || !strings.Contains(string(got), first.ID) {
				t.Errorf("gone: %d %s", resp.StatusCode, got)
			}
			if resp, got := post(t, url+"/v1/responses", nil, []byte(`{"model":"glm-4.6","previous_response_id":"resp_unknown","input":"x"}`)); resp.StatusCode != 400 || !strings.Contains(string(got), "previous_response_not_found") {
				t.Errorf("unknown: %d %s", resp.StatusCode, got)
			}
			if resp, got := post(t, url+"/v1/responses/compact", nil, []byte(`{"model":"glm-4.6","input":[{"role":"user","content":"A long story"}]}`)); resp.StatusCode != 200 || !strings.Contains(string(got), `"object":"response.compaction"`) || !strings.Contains(string(got), "A long story") {
				t.Errorf("compact: %d %s", resp.StatusCode, got)
			}
			if resp, got := post(t, url+"/v1/responses", nil, []byte(`{"model":"glm-4.6","input":[{"role":"robot","content":"x"}]}`)); resp.StatusCode != 400 || !strings.Contains(string(got), `"param":"input[0].role"`) {
				t.Errorf("a wrong role: %d %s", resp.StatusCode, got)
			}
		})
	}
}

// TestResponsesNotStored holds that an answer is not kept where the client does not want
// that, or where it failed.
func TestResponsesNotStored(t *testing.T) {
	fails := false
	base := serveUpstream(t, func(w http.ResponseWriter, _ *http.Request) {
		if fails {
			http.Error(w, `{"type":"error","error":{"type":"invalid_request_error","message":"no"}}`, http.StatusBadRequest)
			return
		}
		eventStream(w)
		_, _ = io.WriteString(w, messagesAnswer)
	})
	url := serveProxy(t, upstream.Bases{Anthropic: base}, nil)
	_, got := post(t, url+"/v1/responses", nil, []byte(`{"model":"glm-4.6","store":false,"input":"Hello"}`))
	var answer struct{ ID string }
	if err := json.Unmarshal(got, &answer); err != nil {
		t.Fatal(err)
	}
	if resp, got := get(t, url+"/v1/responses/"+answer.ID, nil); resp.StatusCode != 404 {
		t.Errorf("%d %s", resp.StatusCode, got)
	}
	fails = true
	if resp, got := post(t, url+"/v1/responses", nil, []byte(`{"model":"glm-4.6","input":"Hello"}`)); resp.StatusCode != 400 || !strings.Contains(string(got), `"error":{`) {
		t.Errorf("%d %s", resp.StatusCode, got)
	}
}
