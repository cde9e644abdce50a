package proxy

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"math"
	"net/http"
	"net/http/httptest"
	"runtime"
	"slices"
	"strings"
	"testing"

	"glmtray/proxy/upstream"
)

// The benchmarks measure the whole handler, for each pair of dialects, without a
// network: the upstream is a transport that answers from memory, the client throws
// away what it gets.

// memory is such a transport.
type memory struct {
	contentType string
	answer      []byte
}

// RoundTrip implements http.RoundTripper.
func (m memory) RoundTrip(r *http.Request) (*http.Response, error) {
	if _, err := io.Copy(io.Discard, r.Body); err != nil {
		return nil, err
	}
	r.Body.Close()
	return &http.Response{
		StatusCode: http.StatusOK, Header: http.Header{"Content-Type": {m.contentType}},
		Body: io.NopCloser(bytes.NewReader(m.answer)), ContentLength: int64(len(m.answer)), Request: r,
	}, nil
}

// nowhere is a client's end, which knows of the answer only how it began and how long
// it was.
type nowhere struct {
	header       http.Header
	status, size int
}

func (n *nowhere) Header() http.Header { return n.header }
func (n *nowhere) Write(p []byte) (int, error) {
	n.size += len(p)
	return len(p), nil
}
func (n *nowhere) WriteHeader(status int) { n.status = status }
func (n *nowhere) Flush()                 {}

// longAnswer is a stream with that many text deltas.
func longAnswer(wire upstream.Dialect, deltas int) []byte {
	if wire == upstream.Messages {
		head, tail, _ := strings.Cut(messagesAnswer, "event: content_block_delta")
		tail = tail[strings.Index(tail, "event: content_block_stop"):]
		one := "event: content_block_delta\ndata: {\"type\":\"content_block_delta\",\"index\":0,\"delta\":{\"type\":\"text_delta\",\"text\":\" network\"}}\n\n"
		return []byte(head + strings.Repeat(one, deltas) + tail)
	}
	one := "data: {\"id\":\"c1\",\"created\":1,\"model\":\"glm-4.6\",\"choices\":[{\"index\":0,\"delta\":{\"content\":\" network\"}}]}\n\n"
	at := strings.Index(chatAnswer, "data: {\"id\":\"c1\",\"created\":1,\"model\":\"glm-4.6\",\"choices\":[{\"index\":0,\"finish")
	first := strings.Index(chatAnswer, "event: something_new")
	return []byte(chatAnswer[:first] + strings.Repeat(one, deltas) + chatAnswer[at:])
}

// benchLane is a lane that is measured, with what an agent sends through it.
type benchLane struct {
	lane
	label string
	agent []byte
}

// benchLanes are the usual lanes, and those of the Responses API with the same content:
// stored as that API does unless it is told otherwise, and unstored as Codex asks for it.
func benchLanes() []benchLane {
	var out []benchLane
	for _, l := range lanes() {
		out = append(out, benchLane{l, l.name(), marshal(agentRequest(l.client))})
	}
	for wire, answer := range map[upstream.Dialect]string{upstream.Chat: chatAnswer, upstream.Messages: messagesAnswer} {
		l := lane{client: upstream.Responses, wire: wire, path: "/v1/responses", answer: []byte(answer)}
		small := object{"model": "glm-4.6", "stream": true, "input": []object{{"role": "user", "content": "hi"}}}
		agent := agentRequest(l.client)
		l.stream = marshal(small)
		out = append(out, benchLane{l, l.name(), marshal(agent)})
		l.stream = marshal(unstored(small))
		out = append(out, benchLane{l, l.name() + "-unstored", marshal(unstored(agent))})
	}
	slices.SortFunc(out, func(a, b benchLane) int { return strings.Compare(a.label, b.label) })
	return out
}

// unstored makes a request for the Responses API what Codex makes of it.
func unstored(body object) object {
	body["store"], body["include"] = false, []string{"reasoning.encrypted_content"}
	body["tool_choice"], body["parallel_tool_calls"] = "auto", true
	body["prompt_cache_key"] = "0198c0de-0000-7000-8000-000000000000"
	return body
}

// object is an object of JSON.
type object = map[string]any

func marshal(v any) []byte {
	out, err := json.Marshal(v)
	if err != nil {
		panic(err) // no such value is here
	}
	return out
}

// prose is that many bytes of text.
func prose(n int) string {
	return strings.Repeat("the proxy reads every event, \"translates\" it\n\tand writes the result ", n/68+1)[:n]
}

// agentRequest is what a coding agent sends in the middle of its work: a long system
// prompt, 40 tools, 120 messages, about 200 KB.
func agentRequest(client upstream.Dialect) object {
	var tools []object
	for i := range 40 {
		tools = append(tools, agentTool(client, fmt.Sprintf("tool_%02d", i)))
	}
	body := object{"model": "glm-4.6", "max_tokens": 8192, "stream": true, "tools": tools}
	turns := []object{{"role": "user", "content": prose(3000)}}
	for i := range 59 {
		turns = append(turns, agentTurn(client, i)...)
	}
	switch client {
	case upstream.Messages:
		body["system"], body["messages"] = prose(12000), turns
	case upstream.Responses:
		delete(body, "max_tokens")
		body["max_output_tokens"], body["instructions"], body["input"] = 8192, prose(12000), turns
	default:
		body["messages"] = append([]object{{"role": "system", "content": prose(12000)}}, turns...)
	}
	return body
}

func agentTool(client upstream.Dialect, name string) object {
	schema := object{"type": "object", "required": []string{"path"}, "additionalProperties": false, "properties": object{
		"path":    object{"type": "string", "description": prose(70)},
		"limit":   object{"type": "integer", "description": prose(70), "minimum": 0},
		"options": object{"type": "object", "properties": object{"mode": object{"type": "string", "enum": []string{"fast", "slow"}}}},
	}}
	switch client {
	case upstream.Messages:
		return object{"name": name, "description": prose(700), "input_schema": schema}
	case upstream.Responses:
		return object{"type": "function", "name": name, "description": prose(700), "parameters": schema, "strict": false}
	}
	return object{"type": "function", "function": object{"name": name, "description": prose(700), "parameters": schema}}
}

// agentTurn is what the model says, a call, and its result.
func agentTurn(client upstream.Dialect, i int) []object {
	id, name := fmt.Sprintf("call_%024d", i), fmt.Sprintf("tool_%02d", i%40)
	input := object{"path": fmt.Sprintf("/src/file_%d.go", i), "text": prose(160)}
	said, result := prose(160), prose(1650)
	switch client {
	case upstream.Messages:
		return []object{
			{"role": "assistant", "content": []object{{"type": "text", "text": said}, {"type": "tool_use", "id": id, "name": name, "input": input}}},
			{"role": "user", "content": []object{{"type": "tool_result", "tool_use_id": id, "content": result}}},
		}
	case upstream.Responses:
		return []object{
			{"type": "message", "role": "assistant", "content": []object{{"type": "output_text", "text": said}}},
			{"type": "function_call", "call_id": id, "name": name, "arguments": string(marshal(input))},
			{"type": "function_call_output", "call_id": id, "output": result},
		}
	}
	return []object{
		{"role": "assistant", "content": said, "tool_calls": []object{{"id": id, "type": "function", "function": object{"name": name, "arguments": string(marshal(input))}}}},
		{"role": "tool", "tool_call_id": id, "content": result},
	}
}

// serveOnce serves a request, whose answer must have come.
func serveOnce(t testing.TB, s *Server, l lane, body, answer []byte) {
	r := httptest.NewRequest(http.MethodPost, "http://127.0.0.1:8080"+l.path, bytes.NewReader(body))
	r.RemoteAddr = "127.0.0.1:5000"
	w := &nowhere{header: http.Header{}, status: http.StatusOK}
	if s.ServeHTTP(w, r); w.status != http.StatusOK || w.size < len(answer)/2 {
		t.Fatalf("status %d, %d bytes", w.status, w.size)
	}
}

// run serves a request b.N times.
func run(b *testing.B, l lane, body, answer []byte) {
	s := newServer(b, l.bases("http://upstream.test"), func(c *Config) { c.Transport = memory{"text/event-stream", answer} })
	b.ReportAllocs()
	for b.Loop() {
		serveOnce(b, s, l, body, answer)
	}
}

// TestMemoryOfLongResponses holds that an answer which is repeated at its end, and kept,
// takes memory by its length, and none for each of its events.
func TestMemoryOfLongResponses(t *testing.T) {
	const deltas = 10_000
	const text = deltas * uint64(len(" network"))
	for _, l := range benchLanes() {
		if l.client != upstream.Responses {
			continue
		}
		once, onceCount := allocated(t, l.lane, longAnswer(l.wire, deltas))
		twice, twiceCount := allocated(t, l.lane, longAnswer(l.wire, 2*deltas))
		if once > 32*text || twice > 5*once/2 {
			t.Errorf("%s: %d bytes for a text of %d, %d for one twice as long", l.label, once, text, twice)
		}
		if more := int64(twiceCount) - int64(onceCount); more > deltas/100 {
			t.Errorf("%s: %d allocations more for %d events more", l.label, more, deltas)
		}
	}
}

// allocated is how much memory a request takes, in how many pieces: the least of some
// tries, since what else is going on counts too.
func allocated(t *testing.T, l lane, answer []byte) (size, count uint64) {
	s := newServer(t, l.bases("http://upstream.test"), func(c *Config) { c.Transport = memory{"text/event-stream", answer} })
	size, count = math.MaxUint64, math.MaxUint64
	for range 3 {
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		serveOnce(t, s, l, l.stream, answer)
		runtime.ReadMemStats(&after)
		size, count = min(size, after.TotalAlloc-before.TotalAlloc), min(count, after.Mallocs-before.Mallocs)
	}
	return size, count
}

// BenchmarkEvent is one text delta of a long stream: ns and allocations per event.
func BenchmarkEvent(b *testing.B) {
	const deltas = 10_000
	for _, l := range benchLanes() {
		b.Run(l.label, func(b *testing.B) {
			run(b, l.lane, l.stream, longAnswer(l.wire, deltas))
			b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N*deltas), "ns/event")
		})
	}
}

// BenchmarkRequest is one request with a short answer, small and as large as an
// agent's.
func BenchmarkRequest(b *testing.B) {
	for _, l := range benchLanes() {
		b.Run(l.label+"/small", func(b *testing.B) { run(b, l.lane, l.stream, l.answer) })
		b.Run(l.label+"/agent", func(b *testing.B) {
			b.SetBytes(int64(len(l.agent)))
			run(b, l.lane, l.agent, l.answer)
		})
	}
}
