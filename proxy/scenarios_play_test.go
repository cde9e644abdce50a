package proxy

import (
	"bytes"
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"path"
	"slices"
	"strings"
	"testing"

	"glmtray/proxy/upstream"
)

// pairs are all of a client and an upstream.
var pairs = []string{"chat-messages", "chat-chat", "messages-messages", "messages-chat", "responses-messages", "responses-chat"}

// TestScenarios plays the scenarios over all pairs.
func TestScenarios(t *testing.T) {
	for _, sc := range scenarios() {
		for _, c := range sc.changes {
			if c.why == "" || !slices.ContainsFunc(pairs, func(pair string) bool { return isAmong(t, pair, c.pairs) }) {
				t.Errorf("%s: a change without a reason, or in no pair: %q, %q", sc.name, c.why, c.pairs)
			}
		}
		for _, pair := range pairs {
			client, wire, _ := strings.Cut(pair, "-")
			for _, kind := range []string{"batch", "stream"} {
				if sc.kind != "" && sc.kind != kind {
					continue
				}
				t.Run(sc.name+"/"+pair+"/"+kind, func(t *testing.T) {
					t.Parallel()
					p := &play{t: t, client: client, wire: upstream.Dialect(wire), stream: kind == "stream", store: NewResponseStore()}
					p.play(sc)
				})
			}
		}
	}
}

// isAmong reports whether a pair is among those of patterns.
func isAmong(t *testing.T, pair, patterns string) bool {
	for pattern := range strings.FieldsSeq(patterns) {
		ok, err := path.Match(pattern, pair)
		if err != nil {
			t.Fatal(err)
		}
		if ok {
			return true
		}
	}
	return false
}

// play is one scenario over one pair. It is the upstream, too.
type play struct {
	t      *testing.T
	client string
	wire   upstream.Dialect
	stream bool
	says   reply
	tools  []string // as the client calls them
	asked  []byte   // the last request that came upstream
	times  int      // how many there were
	lost   string   // what the client was told is lost
	// store is where responses are kept, previous the one to go on from.
	store    *ResponseStore
	previous string
}

// RoundTrip implements http.RoundTripper: it answers as the upstream.
func (p *play) RoundTrip(r *http.Request) (*http.Response, error) {
	var err error
	p.times++
	if p.asked, err = io.ReadAll(r.Body); err != nil {
		return nil, err
	}
	says := p.says
	says.parts = p.named(says.parts)
	status, kind, body := http.StatusOK, "application/json", ""
	switch {
	case p.says.status != 0:
		status, body = p.says.status, upstreamError(p.wire, says)
	case p.stream:
		kind, body = "text/event-stream", upstreamStream(p.wire, says)
	default:
		body = upstreamBatch(p.wire, says)
	}
	return &http.Response{
		StatusCode: status, Header: http.Header{"Content-Type": {kind}}, ContentLength: -1, Request: r,
		Body: io.NopCloser(strings.NewReader(body)),
	}, nil
}

// named calls tools by the names under which they came upstream.
func (p *play) named(parts []part) []part {
	sent := upstreamRequest(p.t, p.asked)
	parts = slices.Clone(parts)
	for i := range parts {
		if n := slices.Index(p.tools, parts[i].name); n >= 0 && n < len(sent.tools) {
			parts[i].name = sent.tools[n]
		}
	}
	return parts
}

func (p *play) play(sc scenario) {
	wantTalk, wantReply := sc.asks.clone(), sc.says
	wantReply.parts = slices.Clone(sc.says.parts)
	wantBack := sc.asks.clone()
	wantBack.turns = append(append(wantBack.turns, speech{"assistant", slices.Clone(sc.says.parts)}), sc.next...)
	var lost []string
	refused := ""
	for _, c := range sc.changes {
		if !isAmong(p.t, p.client+"-"+string(p.wire), c.pairs) {
			continue
		}
		if c.never {
			return
		}
		apply(p.t, c, &wantTalk, &wantBack, &wantReply)
		lost = append(lost, strings.Fields(c.lost)...)
		refused += c.refused
	}
	p.says, p.tools = sc.says, sc.asks.tools
	resp, got := p.ask(sc.asks, nil)
	if refused != "" {
		if p.times != 0 || got.fails != "invalid" || got.status != http.StatusBadRequest || !strings.Contains(resp, refused) {
			p.t.Errorf("%s is not refused for: %s", refused, resp)
		}
		return
	}
	if sent := upstreamRequest(p.t, p.asked); sent.String() != wantTalk.String() {
		p.t.Errorf("the upstream got\n%s\nof\n%s\nwant\n%s", p.asked, sent, wantTalk)
	}
	if got.String() != wantReply.String() {
		p.t.Errorf("the client got\n%s\nwhich is\n%s\nwant\n%s", resp, got, wantReply)
	}
	if sc.says.code != "" && !strings.Contains(resp, providersWords) {
		p.t.Errorf("the provider's words are lost: %s", resp)
	}
	if p.times != 1 {
		p.t.Errorf("the upstream was asked %d times", p.times)
	}
	slices.Sort(lost)
	if want := strings.Join(slices.Compact(lost), " "); p.lost != want {
		p.t.Errorf("the client is told that %q is lost, want %q", p.lost, want)
	}
	if p.t.Failed() || sc.next == nil {
		return
	}
	p.ask(sc.asks, append(got.raw, clientTurns(p.client, sc.next)...))
	if sent := upstreamRequest(p.t, p.asked); sent.String() != wantBack.String() {
		p.t.Errorf("the client sent back %s; the upstream got\n%s\nof\n%s\nwant\n%s", got.raw, p.asked, sent, wantBack)
	}
	if p.client == "responses" {
		p.previous = got.id
		p.ask(but(sc.asks, func(t *talk) { t.turns = sc.next }), nil)
		if sent := upstreamRequest(p.t, p.asked); sent.String() != wantBack.String() {
			p.t.Errorf("the client went on from %s; the upstream got\n%s\nof\n%s\nwant\n%s", got.id, p.asked, sent, wantBack)
		}
	}
}

// apply makes a change, which must be one.
func apply(t *testing.T, c change, asks, back *talk, says *reply) {
	t.Helper()
	for _, f := range []struct {
		change func(*talk)
		of     *talk
	}{{c.asks, asks}, {c.asks, back}, {c.back, back}} {
		if f.change == nil {
			continue
		}
		before := f.of.String()
		if f.change(f.of); before == f.of.String() {
			t.Errorf("nothing changes: %s", c.why)
		}
	}
	if c.says != nil {
		before := says.String()
		if c.says(says); before == says.String() {
			t.Errorf("nothing changes: %s", c.why)
		}
	}
}

func (t talk) clone() talk {
	turns := make([]speech, len(t.turns))
	for i, one := range t.turns {
		turns[i] = speech{one.role, slices.Clone(one.parts)}
	}
	t.turns = turns
	return t
}

// ask sends a request, with what follows its turns, and returns the answer as it came and
// what it says.
func (p *play) ask(t talk, follows []any) (string, reply) {
	bases := upstream.Bases{OpenAI: "http://upstream.test/v1"}
	if p.wire == upstream.Messages {
		bases = upstream.Bases{Anthropic: "http://upstream.test"}
	}
	s := newServer(p.t, bases, func(c *Config) {
		c.Transport, c.Retry.Max, c.Responses = p, 0, p.store
		c.Naming = upstream.Naming{Text: "glm-5.1", Models: c.Upstream.Models}
	})
	request := clientRequest(p.client, t, p.stream, follows)
	if p.previous != "" {
		request["previous_response_id"] = p.previous
	}
	body, err := json.Marshal(request)
	if err != nil {
		p.t.Fatal(err)
	}
	r := httptest.NewRequest(http.MethodPost, "http://127.0.0.1"+paths[p.client], bytes.NewReader(body))
	r.RemoteAddr = "127.0.0.1:5000"
	w := httptest.NewRecorder()
	s.ServeHTTP(w, r)
	told := strings.Split(w.Header().Get(droppedHeader), ", ")
	slices.Sort(told)
	p.lost = strings.Join(told, " ")
	var got reply
	switch {
	case w.Code != http.StatusOK:
		got = clientError(p.t, p.client, w.Body.Bytes())
		got.status = w.Code
	case p.stream:
		got = clientStream(p.t, p.client, w.Body.Bytes())
	default:
		got = clientBatch(p.t, p.client, w.Body.Bytes())
	}
	return w.Body.String(), got
}
