package proxy

import (
	"bytes"
	"compress/gzip"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/andybalholm/brotli"
	"github.com/klauspost/compress/flate"
	"github.com/klauspost/compress/zlib"
	"github.com/klauspost/compress/zstd"

	"glmtray/proxy/llm"
	"glmtray/proxy/secret"
	"glmtray/proxy/upstream"
)

func TestRetries(t *testing.T) {
	failure := func(status int, body string) http.HandlerFunc {
		return func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Type", "application/json")
			w.WriteHeader(status)
			_, _ = io.WriteString(w, body)
		}
	}
	inStream := func(w http.ResponseWriter, _ *http.Request) {
		eventStream(w)
		_, _ = io.WriteString(w, "data: {\"error\":{\"code\":\"1305\",\"message\":\"busy\"}}\n\n")
	}
	for name, tc := range map[string]struct {
		fail   http.HandlerFunc
		times  int
		want   int // attempts
		status int
	}{
		"rate limit":                  {failure(429, `{"error":{"code":"1302","message":"slow down"}}`), 2, 3, 200},
		"overloaded":                  {failure(529, `{"type":"error","error":{"type":"overloaded_error","message":"[1305][busy][id]"}}`), 3, 4, 200},
		"unavailable":                 {failure(503, ``), 1, 2, 200},
		"never better":                {failure(503, ``), 9, 4, 503},
		"quota is used up":            {failure(429, `{"error":{"code":"1308","message":"Usage limit"}}`), 9, 1, 429},
		"no balance":                  {failure(429, `{"error":{"code":"1113","message":"Insufficient balance"}}`), 9, 1, 429},
		"bad request":                 {failure(400, `{"error":{"code":"1210","message":"Invalid API parameter"}}`), 9, 1, 400},
		"bad key":                     {failure(401, `{"error":{"message":"token expired or incorrect","type":"401"}}`), 9, 1, 401},
		"an error as the first event": {inStream, 2, 3, 200},
		"a code in a 200":             {failure(200, `{"code":1234,"msg":"network","success":false}`), 1, 2, 200},
		"the connection breaks after the header": {func(w http.ResponseWriter, _ *http.Request) {
			eventStream(w)
			panic(http.ErrAbortHandler)
		}, 1, 2, 200},
		"a web page":                          {failure(200, `<html>`), 9, 1, 502},
		"the connection breaks before a byte": {func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) }, 2, 3, 200},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			for _, l := range lanes() {
				var attempts atomic.Int32
				base := serveUpstream(t, func(w http.ResponseWriter, r *http.Request) {
					_, _ = io.Copy(io.Discard, r.Body)
					if n := int(attempts.Add(1)); n <= tc.times {
						tc.fail(w, r)
						return
					}
					answers(l.answer)(w, r)
				})
				finished := make(chan Exchange, 1)
				url := serveProxy(t, l.bases(base), func(c *Config) { c.Finished = func(x Exchange) { finished <- x } })
				resp, got := post(t, url+l.path, nil, l.stream)
				if resp.StatusCode != tc.status || int(attempts.Load()) != tc.want {
					t.Errorf("%s: status %d after %d attempts: %s", l.name(), resp.StatusCode, attempts.Load(), got)
				}
				if quota := strings.Contains(name, "quota") || strings.Contains(name, "balance"); quota != (resp.Header.Get("X-Should-Retry") == "false") {
					t.Errorf("%s: X-Should-Retry is %q", l.name(), resp.Header.Get("X-Should-Retry"))
				}
				if x := <-finished; x.Retries != tc.want-1 || x.Status != tc.status {
					t.Errorf("%s: the record says %d retries, status %d", l.name(), x.Retries, x.Status)
				}
			}
		})
	}
}

func TestRetryAfterIsObeyedAndPassedOn(t *testing.T) {
	var attempts atomic.Int32
	base := serveUpstream(t, func(w http.ResponseWriter, _ *http.Request) {
		attempts.Add(1)
		w.Header().Set("Retry-After", "3600")
		http.Error(w, `{"error":{"code":"1302","message":"slow down"}}`, http.StatusTooManyRequests)
	})
	url := serveProxy(t, upstream.Bases{Anthropic: base}, nil)
	resp, got := post(t, url+"/v1/messages", nil, messagesStream)
	if resp.StatusCode != 429 || resp.Header.Get("Retry-After") != "3600" || attempts.Load() != 1 {
		t.Errorf("%d, after %q, %d attempts: %s", resp.StatusCode, resp.Header.Get("Retry-After"), attempts.Load(), got)
	}
}

func TestNobodyIsThere(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	l.Close()
	for _, bases := range []upstream.Bases{{Anthropic: "http://" + l.Addr().String()}, {OpenAI: "http://" + l.Addr().String() + "/v1"}, {OpenAI: "http://no-such-host.invalid/v1"}} {
		url := serveProxy(t, bases, func(c *Config) { c.Retry.Max = 1 })
		resp, got := post(t, url+"/v1/chat/completions", nil, chatStream)
		if resp.StatusCode != http.StatusBadGateway || !strings.Contains(string(got), "could not be reached") {
			t.Errorf("%d %s", resp.StatusCode, got)
		}
	}
}

// TestNonsense is answers of 200 that are none.
func TestNonsense(t *testing.T) {
	for name, tc := range map[string]struct{ contentType, body, want string }{
		"a page":                        {"text/html", "<html>blocked</html>", "web page"},
		"a page that calls itself JSON": {"application/json", "<!doctype html>", "web page"},
		"a page as a stream":            {"text/event-stream", "<html>blocked</html>\n", "web page"},
		"nothing":                       {"application/json", "", "empty answer"},
		"an empty stream":               {"text/event-stream", "", "empty answer"},
		"a stream of comments":          {"text/event-stream", ": a\n\n: b\n\n", "without events"},
		"text":                          {"text/plain", "hello", "not JSON"},
		"a platform's error":            {"application/json", `{"code":500,"msg":"当前用户不存在coding plan","success":false}`, "当前用户不存在coding plan"},
		"an error as a stream":          {"text/event-stream", `{"type":"error","error":{"type":"api_error","message":"broken inside"}}`, "broken inside"},
		"an error event":                {"text/event-stream", "event: error\ndata: {\"type\":\"error\",\"error\":{\"type\":\"api_error\",\"message\":\"broken inside\"}}\n\n", "broken inside"},
		"JSON that is no answer":        {"application/json", `{"hello":"world"}`, ""},
		"JSON that is cut":              {"application/json", `{"id":"x","choices":[{"mess`, ""},
	} {
		t.Run(name, func(t *testing.T) {
			for _, l := range lanes() {
				base := serveUpstream(t, func(w http.ResponseWriter, r *http.Request) {
					w.Header().Set("Content-Type", tc.contentType)
					_, _ = io.WriteString(w, tc.body)
				})
				url := serveProxy(t, l.bases(base), func(c *Config) { c.Retry.Max = 0 })
				for _, body := range [][]byte{l.stream, l.batch} {
					resp, got := post(t, url+l.path, nil, body)
					if resp.StatusCode < 400 || !strings.Contains(string(got), `"error"`) || !strings.Contains(string(got), tc.want) {
						t.Errorf("%s: %d %s", l.name(), resp.StatusCode, got)
					}
					if !json.Valid(got) {
						t.Errorf("%s: the error is no JSON: %s", l.name(), got)
					}
				}
			}
		})
	}
}

func TestRedirectsAreNotFollowed(t *testing.T) {
	base := serveUpstream(t, func(w http.ResponseWriter, r *http.Request) {
		http.Redirect(w, r, "https://evil.example/", http.StatusFound)
	})
	url := serveProxy(t, upstream.Bases{Anthropic: base}, nil)
	if resp, got := post(t, url+"/v1/messages", nil, messagesBatch); resp.StatusCode != http.StatusBadGateway || !strings.Contains(string(got), "redirect") {
		t.Errorf("%d %s", resp.StatusCode, got)
	}
}

// TestShapesAreConverted is case 101: a stream for a batch client, a batch for a
// streaming one, and a stream that forgot its content type (case 138).
func TestShapesAreConverted(t *testing.T) {
	whole := map[upstream.Dialect]string{
		upstream.Chat:     `{"id":"c1","created":1,"model":"glm-4.6","choices":[{"index":0,"finish_reason":"stop","message":{"role":"assistant","content":"Héllo 漢"}}],"usage":{"prompt_tokens":7,"completion_tokens":5,"total_tokens":12}}`,
		upstream.Messages: `{"id":"msg_1","type":"message","role":"assistant","model":"glm-4.6","content":[{"type":"text","text":"Héllo 漢"}],"stop_reason":"end_turn","stop_sequence":null,"usage":{"input_tokens":7,"output_tokens":5}}`,
	}
	eachLane(t, func(t *testing.T, l lane) {
		var contentType, body string
		base := serveUpstream(t, func(w http.ResponseWriter, r *http.Request) {
			w.Header()["Content-Type"] = []string{contentType}
			_, _ = io.WriteString(w, body)
		})
		finished := make(chan Exchange, 1)
		url := serveProxy(t, l.bases(base), func(c *Config) { c.Finished = func(x Exchange) { finished <- x } })
		for _, from := range []struct{ contentType, body string }{
			{"text/event-stream", string(l.answer)}, {"", string(l.answer)}, {"application/json", whole[l.wire]}, {"", whole[l.wire]},
		} {
			contentType, body = from.contentType, from.body
			for _, request := range [][]byte{l.stream, l.batch} {
				resp, got := post(t, url+l.path, nil, request)
				text := strings.NewReplacer(`\u00e9`, "é", `"}}`, "").Replace(string(got))
				if resp.StatusCode != 200 || !strings.Contains(text, "llo 漢") || !strings.Contains(text, "Hé") {
					t.Errorf("from %q: %d %s", from.contentType, resp.StatusCode, got)
				}
				if stream := isEventStream(resp.Header.Get("Content-Type")); stream != bytes.Equal(request, l.stream) {
					t.Errorf("from %q: a stream is %v: %s", from.contentType, stream, got)
				}
				if x := <-finished; x.Usage.Input != 7 || x.Usage.Output != 5 || x.FirstByte == 0 {
					t.Errorf("from %q: the record has the usage %+v", from.contentType, x.Usage)
				}
			}
		}
	})
}

func pack(t *testing.T, encoding string, body []byte) []byte {
	t.Helper()
	var out bytes.Buffer
	var w io.WriteCloser
	var err error
	switch encoding {
	case "gzip":
		w = gzip.NewWriter(&out)
	case "br":
		w = brotli.NewWriter(&out)
	case "zstd":
		w, err = zstd.NewWriter(&out)
	case "deflate":
		w = zlib.NewWriter(&out)
	case "bare deflate":
		w, err = flate.NewWriter(&out, 6)
	default:
		return body
	}
	if err != nil {
		t.Fatal(err)
	}
	if _, err := w.Write(body); err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return out.Bytes()
}

func TestPackedRequests(t *testing.T) { // case 137
	var got []byte
	base := serveUpstream(t, func(w http.ResponseWriter, r *http.Request) {
		got, _ = io.ReadAll(r.Body)
		if r.Header.Get("Content-Encoding") != "" {
			t.Error("a packed request went upstream")
		}
		answers([]byte(messagesAnswer))(w, r)
	})
	url := serveProxy(t, upstream.Bases{Anthropic: base}, func(c *Config) {
		c.BodyLimit, c.Upstream.Target.CacheLastBlock = 1<<20, false
	})
	for _, encoding := range []string{"gzip", "br", "zstd", "deflate", "bare deflate", "identity"} {
		header := http.Header{"Content-Encoding": {strings.TrimPrefix(encoding, "bare ")}}
		if resp, answer := post(t, url+"/v1/messages", header, pack(t, encoding, messagesStream)); resp.StatusCode != 200 || !bytes.Equal(got, messagesStream) {
			t.Errorf("%s: %d %s", encoding, resp.StatusCode, answer)
		}
		bomb := pack(t, encoding, append([]byte(`{"x":"`), bytes.Repeat([]byte("a"), 2<<20)...))
		if resp, answer := post(t, url+"/v1/messages", header, bomb); resp.StatusCode != 413 || !strings.Contains(string(answer), `"request_too_large"`) {
			t.Errorf("%s bomb: %d %s", encoding, resp.StatusCode, answer)
		}
	}
	twice := http.Header{"Content-Encoding": {"gzip, br"}}
	if resp, _ := post(t, url+"/v1/messages", twice, pack(t, "br", pack(t, "gzip", messagesStream))); resp.StatusCode != 200 {
		t.Error("stacked encodings:", resp.StatusCode)
	}
	for _, encoding := range []string{"rot13", "gzip,gzip,gzip,gzip", "gzip"} {
		header := http.Header{"Content-Encoding": {encoding}}
		if resp, answer := post(t, url+"/v1/messages", header, messagesStream); resp.StatusCode != 400 || !strings.Contains(string(answer), "Content-Encoding") && !strings.Contains(string(answer), "unpacked") {
			t.Errorf("%s: %d %s", encoding, resp.StatusCode, answer)
		}
	}
}

func TestPackedAnswers(t *testing.T) {
	text := strings.Repeat("many words ", 300)
	answer := []byte(`{"id":"msg_1","type":"message","role":"assistant","model":"glm-4.6","content":[{"type":"text","text":"` + text + `"}],"stop_reason":"end_turn","stop_sequence":null,"usage":{"input_tokens":7,"output_tokens":5}}`)
	var asked string
	base := serveUpstream(t, func(w http.ResponseWriter, r *http.Request) {
		asked = r.Header.Get("Accept-Encoding")
		encoding, _, _ := strings.Cut(asked, ",")
		w.Header().Set("Content-Type", "application/json")
		if encoding != "identity" {
			w.Header().Set("Content-Encoding", encoding)
		}
		_, _ = w.Write(pack(t, encoding, answer))
	})
	finished := make(chan Exchange, 1)
	url := serveProxy(t, upstream.Bases{Anthropic: base}, func(c *Config) { c.Finished = func(x Exchange) { finished <- x } })
	for accept, want := range map[string]string{"": "", "gzip": "gzip", "br": "br", "zstd;q=0.5": "zstd", "deflate": "deflate", "gzip;q=0": "", "compress": ""} {
		header := http.Header{}
		if accept != "" {
			header.Set("Accept-Encoding", accept)
		}
		resp, got := post(t, url+"/v1/messages", header, messagesBatch)
		if resp.Header.Get("Content-Encoding") != want || !bytes.Equal(got, pack(t, want, answer)) {
			t.Errorf("accepting %q: encoding %q, asked for %q", accept, resp.Header.Get("Content-Encoding"), asked)
		}
		if x := <-finished; x.Usage.Output != 5 || !x.Native {
			t.Errorf("accepting %q: the record says %+v", accept, x)
		}
	}
	resp, got := post(t, url+"/v1/chat/completions", http.Header{"Accept-Encoding": {"br, gzip"}}, chatBatch)
	if resp.Header.Get("Content-Encoding") != "gzip" {
		t.Fatal("a translated batch was not packed:", resp.Header)
	}
	r, err := gzip.NewReader(bytes.NewReader(got))
	if err != nil {
		t.Fatal(err)
	}
	if plain, err := io.ReadAll(r); err != nil || !bytes.Contains(plain, []byte(text)) {
		t.Errorf("%v %s", err, plain)
	}
	if <-finished; asked != "identity" {
		t.Error("a translated batch was asked for in", asked)
	}
}

func TestTooLarge(t *testing.T) {
	url := serveProxy(t, upstream.Bases{Anthropic: "http://127.0.0.1:1"}, func(c *Config) { c.BodyLimit = 1 << 20 })
	body := append([]byte(`{"model":"`), bytes.Repeat([]byte("a"), 2<<20)...)
	resp, got := post(t, url+"/v1/messages", nil, body)
	if resp.StatusCode != 413 || !strings.Contains(string(got), "limits.bodyMB") {
		t.Errorf("%d %s", resp.StatusCode, got)
	}
	req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, url+"/v1/messages", io.MultiReader(bytes.NewReader(body)))
	if err != nil {
		t.Fatal(err)
	}
	if resp, got := do(t, req); resp.StatusCode != 413 { // without a length
		t.Errorf("%d %s", resp.StatusCode, got)
	}
}

func TestSecretsStayInside(t *testing.T) {
	for _, l := range lanes() {
		var log journal
		var seen http.Header
		base := serveUpstream(t, func(w http.ResponseWriter, r *http.Request) {
			seen = r.Header
			http.Error(w, `{"error":{"code":"1210","message":"no"}}`, http.StatusBadRequest)
		})
		url := serveProxy(t, l.bases(base), func(c *Config) { c.Log, c.ProxyKey = log.logger(), secret.New(proxyKey) })
		header := http.Header{"Authorization": {"Bearer " + proxyKey}, "X-Api-Key": {"the-clients-own-key"}, "Cookie": {"session=the-cookie"}, "Referer": {"https://evil.example"}}
		resp, got := post(t, url+l.path, header, l.batch)
		all := log.String() + string(got) + fmt.Sprint(resp.Header)
		for _, word := range []string{testKey, testKey[10:30], proxyKey, "the-clients-own-key", "the-cookie"} {
			if strings.Contains(all, word) {
				t.Errorf("%s: %s shows in %s", l.name(), word, all)
			}
		}
		for name, values := range seen {
			for _, v := range values {
				if strings.Contains(v, proxyKey) || strings.Contains(v, "the-clients") || strings.Contains(v, "the-cookie") || strings.Contains(v, "evil") {
					t.Errorf("%s: %s went upstream in %s", l.name(), v, name)
				}
			}
		}
	}
}

func TestCredentialOfTheClient(t *testing.T) {
	for name, tc := range map[string]struct {
		header http.Header
		want   string
	}{
		"none":               {http.Header{"X-Api-Key": {proxyKey}}, ""},
		"beside the proxy's": {http.Header{"X-Api-Key": {proxyKey}, "Authorization": {"Bearer own"}}, "own"},
	} {
		var got secret.Value
		url := serveProxy(t, upstream.Bases{Anthropic: "http://127.0.0.1:1"}, func(c *Config) {
			c.ProxyKey = secret.New(proxyKey)
			c.Credential = func(_ context.Context, ask Ask) (upstream.Lease, *llm.Error) {
				got = ask.Client
				return upstream.Lease{}, &llm.Error{Kind: llm.ErrAuthentication, Message: "log in first"}
			}
		})
		resp, body := post(t, url+"/v1/messages", tc.header, messagesBatch)
		if got.Reveal() != tc.want || resp.StatusCode != 401 || !strings.Contains(string(body), "log in first") || !strings.Contains(string(body), `"authentication_error"`) {
			t.Errorf("%s: got %q, %d %s", name, got.Reveal(), resp.StatusCode, body)
		}
	}
}

func TestCountTokens(t *testing.T) { // cases 146, 147
	var calls atomic.Int32
	base := serveUpstream(t, func(w http.ResponseWriter, r *http.Request) {
		if calls.Add(1); r.URL.Path == "/with/v1/messages/count_tokens" {
			_, _ = io.WriteString(w, `{"input_tokens":4711}`)
			return
		}
		http.NotFound(w, r)
	})
	body := []byte(`{"model":"glm-4.6","system":"Be brief.","messages":[{"role":"user","content":"How many tokens are in this sentence, please?"}],"tools":[{"name":"f","description":"Does it","input_schema":{"type":"object"}}]}`)
	count := func(url string) int {
		resp, got := post(t, url+"/v1/messages/count_tokens?beta=true", nil, body)
		var answer struct {
			InputTokens int `json:"input_tokens"`
		}
		if err := json.Unmarshal(got, &answer); err != nil || resp.StatusCode != 200 {
			t.Fatalf("%v %d %s", err, resp.StatusCode, got)
		}
		return answer.InputTokens
	}
	glm := serveProxy(t, upstream.Bases{Anthropic: base}, func(c *Config) {
		c.Credential = func(context.Context, Ask) (upstream.Lease, *llm.Error) {
			t.Error("count_tokens asked for a credential")
			return upstream.Lease{}, nil
		}
	})
	if n := count(glm); n < 20 || n > 250 || calls.Load() != 0 {
		t.Errorf("%d tokens after %d calls", n, calls.Load())
	}
	other := func(c *Config) { c.Upstream.GLM = false }
	if n := count(serveProxy(t, upstream.Bases{Anthropic: base + "/with"}, other)); n != 4711 {
		t.Error("the upstream's own count is", n)
	}
	calls.Store(0)
	without := serveProxy(t, upstream.Bases{Anthropic: base + "/without"}, other)
	count(without)
	count(without)
	if calls.Load() != 1 {
		t.Errorf("an upstream without count_tokens was asked %d times", calls.Load())
	}
	if resp, got := post(t, glm+"/v1/messages/count_tokens", nil, []byte(`{"model":1}`)); resp.StatusCode != 400 || !strings.Contains(string(got), "model") {
		t.Errorf("%d %s", resp.StatusCode, got)
	}
}

// TestLogIsBounded holds that a client cannot fill the log with the name of a model, and
// that the log says what an answer was that was none.
func TestLogIsBounded(t *testing.T) {
	var log journal
	finished := make(chan Exchange, 1)
	url := serveProxy(t, upstream.Bases{Anthropic: serveUpstream(t, func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.WriteString(w, "<html>")
	})}, func(c *Config) { c.Log, c.Finished = log.logger(), func(x Exchange) { finished <- x } })
	post(t, url+"/v1/messages", nil, bytes.Replace(messagesBatch, []byte("glm-4.6"), bytes.Repeat([]byte("漢"), 1<<16), 1))
	<-finished
	if got := log.String(); len(got) > 1<<10 || !strings.Contains(got, "model=漢漢") || !strings.Contains(got, `cause="a web page`) {
		t.Errorf("%d bytes of log: %.1000s", len(got), got)
	}
}

func TestABugEndsOneRequestAlone(t *testing.T) {
	var log journal
	var broken atomic.Bool
	broken.Store(true)
	s := newServer(t, upstream.Bases{Anthropic: serveUpstream(t, answers([]byte(messagesAnswer)))}, func(c *Config) {
		c.Log = log.logger()
		c.Credential = func(context.Context, Ask) (upstream.Lease, *llm.Error) {
			if broken.Load() {
				panic("a bug")
			}
			return upstream.Lease{Credential: secret.New(testKey)}, nil
		}
	})
	server := httptest.NewServer(s)
	defer server.Close()
	if _, err := plain.Post(server.URL+"/v1/messages", "application/json", bytes.NewReader(messagesStream)); !errors.Is(err, io.EOF) {
		t.Error("the connection was not cut:", err)
	}
	broken.Store(false)
	if resp, _ := post(t, server.URL+"/v1/messages", nil, messagesStream); resp.StatusCode != 200 {
		t.Error(resp.Status)
	}
	if s.Active() != 0 || !strings.Contains(log.String(), "a bug") {
		t.Errorf("%d active, log %s", s.Active(), log.String())
	}
}

func TestLogLine(t *testing.T) {
	var log journal
	url := serveProxy(t, upstream.Bases{Anthropic: serveUpstream(t, answers([]byte(messagesAnswer)))}, func(c *Config) { c.Log = log.logger() })
	post(t, url+"/v1/chat/completions", nil, []byte(`{"model":"glm-4.6","stream":true,"seed":7,"messages":[{"role":"user","content":"the-secret-prompt"}]}`))
	deadline := time.Now().Add(5 * time.Second)
	for !strings.Contains(log.String(), "msg=request") && time.Now().Before(deadline) {
		time.Sleep(time.Millisecond)
	}
	for _, want := range []string{"client=chat", "upstream=Z.AI", "model=glm-4.6", "status=200", `lane="translated to messages"`, "in=7", "out=5", "retries=0", "dropped=seed"} {
		if !strings.Contains(log.String(), want) {
			t.Errorf("%q is missing in %s", want, log.String())
		}
	}
	for _, content := range []string{"the-secret-prompt", "llo"} {
		if strings.Contains(log.String(), content) {
			t.Errorf("content in the log: %s", log.String())
		}
	}
}
