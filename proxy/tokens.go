package proxy

import (
	"bytes"
	"context"
	"io"
	"net/http"
	"time"

	"glmtray/proxy/dialect/messages"
	"glmtray/proxy/llm"
	"glmtray/proxy/rawjson"
	"glmtray/proxy/secret"
	"glmtray/proxy/upstream"
)

// countTokens answers with the upstream's count if it has one, else with a local
// estimate. Z.AI and Bigmodel have none, so that clients that ask dozens of times
// at their start cost the plan nothing.
func (s *Server) countTokens(w http.ResponseWriter, r *http.Request) {
	body, err := s.readBody(w, r)
	if err != nil {
		s.refuse(w, r, err)
		return
	}
	defer body.release()
	in, err := messagesDialect.decodeRequest(body.bytes)
	if err != nil {
		s.refuse(w, r, err)
		return
	}
	defer in.release()
	answer := s.upstreamCount(r, in, body)
	if answer == nil {
		answer = messages.AppendTokenCount(nil, in.EstimateTokens())
	}
	w.Header().Set("Content-Type", "application/json")
	writeBody(w, answer)
}

// upstreamCount asks the upstream, or returns nil if it does not answer. One that
// does not know the path is not asked again.
func (s *Server) upstreamCount(r *http.Request, in *incoming, body *bodyBuffer) []byte {
	const patience, most = 5 * time.Second, 64 << 10
	endpoint := s.Upstream.Messages
	if s.Upstream.GLM || endpoint.URL == "" || s.noTokenCount.Load() {
		return nil
	}
	var target llm.Target
	name := s.Naming.Resolve(in.Model.String(), in.HasImages())
	if name != in.Model.String() {
		target.Model = rawjson.Quote(name)
	}
	lease, refusal := s.Credential(r.Context(), Ask{Client: s.clientKey(r), Conversation: func() string { return "" }})
	if refusal != nil {
		return nil
	}
	ctx, cancel := context.WithTimeout(r.Context(), patience)
	defer cancel()
	resp, err := s.postCount(ctx, r, endpoint, lease.Credential, body, in.edits(target))
	if err != nil {
		return nil
	}
	defer resp.Body.Close()
	answer, err := readAll(io.LimitReader(resp.Body, most), resp.ContentLength)
	switch {
	case resp.StatusCode == http.StatusNotFound && name != "" && bytes.Contains(answer, []byte(name)): // it is the model
	case resp.StatusCode == http.StatusNotFound, resp.StatusCode == http.StatusMethodNotAllowed:
		s.noTokenCount.Store(true)
	}
	if err != nil || resp.StatusCode != http.StatusOK || llm.ParseError(0, answer) != nil || !isCount(answer) {
		return nil
	}
	return answer
}

func (s *Server) postCount(ctx context.Context, r *http.Request, e upstream.Endpoint, credential secret.Value, body *bodyBuffer, edits []rawjson.Edit) (*http.Response, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, e.URL+"/count_tokens", nil)
	if err != nil {
		return nil, err
	}
	req.Header = s.Upstream.Header(e, r.Header, upstream.Call{Same: true})
	e.Authorize(req.Header, credential)
	sent := newPayload(body, edits)
	req.Body, req.ContentLength = sent.reader(), int64(sent.size)
	return s.Transport.RoundTrip(req)
}

// isCount reports whether an answer is what count_tokens answers with.
func isCount(answer []byte) bool {
	r, found := rawjson.NewReader(answer), false
	r.Object(func(key []byte) { found = found || string(key) == "input_tokens" && r.Kind() == rawjson.Number })
	return r.End() == nil && found
}
