package guest_test

import (
	"bytes"
	"context"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"glmtray/proxy/demo/platform"
	"glmtray/proxy/dialect/dialecttest"
	"glmtray/proxy/dialect/webchat"
	"glmtray/proxy/guest"
	"glmtray/proxy/llm"
	"glmtray/proxy/rawjson"
)

// demoSite serves the demo's chat site and runs a pool on it.
func demoSite(t *testing.T, o platform.Options) (*platform.Server, *guest.Pool, string) {
	t.Helper()
	s := platform.New(o)
	server := httptest.NewServer(s.Handler(http.NotFoundHandler()))
	t.Cleanup(server.Close)
	p := guest.New(guest.Options{Base: server.URL + "/guest", Size: 2, Version: "test"})
	ctx, stop := context.WithCancel(context.Background())
	ended := make(chan struct{})
	go func() {
		p.Run(ctx)
		close(ended)
	}()
	t.Cleanup(func() {
		stop()
		<-ended
	})
	return s, p, server.URL + "/guest"
}

// ask sends a message as the relay does, and returns what came back.
func ask(t *testing.T, l guest.Lease, base, prompt string) (events []llm.Event, failure *llm.Error) {
	t.Helper()
	r := &llm.Request{Model: rawjson.Quote("glm-4.7"), Messages: []llm.Message{{Role: llm.User, Blocks: []llm.Block{{Kind: llm.Text, Text: rawjson.Quote(prompt)}}}}}
	body := webchat.EncodeRequest(nil, r, llm.Target{GLM: true})
	req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, base+"/api/v2/chat/completions", bytes.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	req.Header = l.Header
	req.Header.Set("Content-Type", "application/json")
	req.Header.Set("Authorization", "Bearer "+l.Credential.Reveal())
	resp, err := http.DefaultTransport.RoundTrip(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	answer, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	if failure := webchat.ParseError(resp.StatusCode, answer); failure != nil {
		guest.Explain(failure)
		return nil, failure
	}
	events = webchat.DecodeResponse(nil, answer)
	dialecttest.Laws(t, events)
	if last := events[len(events)-1]; last.Kind == llm.EventError {
		return events, last.Err
	}
	return events, nil
}

// TestDemo asks the demo's chat site, from the token to the answer.
func TestDemo(t *testing.T) {
	s, p, base := demoSite(t, platform.Options{})
	l, err := p.Pick(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	events, err := ask(t, l, base, "Hi 世界")
	l.Done(err)
	if err != nil {
		t.Fatal(err)
	}
	a := dialecttest.AnswerOf(events)
	if len(a.Blocks) != 2 || a.Blocks[0].Text != "Somebody says something.\nI say that I have read it." || a.Blocks[1].Text != "The demo's chat site has read: Hi 世界" || a.Usage.Output == 0 {
		t.Errorf("got %s", a)
	}
	for prompt, want := range map[string]string{"demo:error": "the model has failed", "demo:cut": "before the answer was complete"} {
		if _, err := ask(t, l, base, prompt); err == nil || !strings.Contains(err.Message, want) {
			t.Errorf("%s: %v", prompt, err)
		}
	}
	s.Revoke(l.Credential.Reveal())
	_, err = ask(t, l, base, "Hi")
	if err == nil || err.Kind != llm.ErrAuthentication {
		t.Fatalf("got %v", err)
	}
	l.Done(err)
	next, err := p.Pick(t.Context())
	if err != nil || next.ID == l.ID {
		t.Fatalf("got %v, %v", next, err)
	}
	if _, err := ask(t, next, base, "Hi"); err != nil {
		t.Error(err)
	}
}

func TestDemoSigned(t *testing.T) {
	_, p, base := demoSite(t, platform.Options{GuestSigned: true})
	l, err := p.Pick(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	_, err = ask(t, l, base, "Hi")
	l.Done(err)
	if err == nil || err.Kind != llm.ErrPermission || !strings.Contains(err.Message, "signature") || !strings.Contains(err.Message, "glmtray auth login zai") {
		t.Errorf("got %v", err)
	}
	if again, failure := p.Pick(t.Context()); failure != nil || again.Credential.Empty() {
		t.Errorf("the token was thrown away: %v", failure)
	}
}

func TestDemoBlocked(t *testing.T) {
	_, p, _ := demoSite(t, platform.Options{GuestBlocked: true})
	_, err := p.Pick(t.Context())
	if err == nil || err.Kind != llm.ErrPermission || !strings.Contains(err.Message, "turns programs away") {
		t.Errorf("got %v", err)
	}
}
