package proxy

import (
	"bufio"
	"context"
	"crypto/sha256"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"glmtray/proxy/upstream"
)

// The requests of these tests, as small as they get.
var (
	chatStream     = []byte(`{"model":"glm-4.6","stream":true,"stream_options":{"include_usage":true},"messages":[{"role":"user","content":"hi"}]}`)
	chatBatch      = []byte(`{"model":"glm-4.6","messages":[{"role":"user","content":"hi"}]}`)
	messagesStream = []byte(`{"model":"glm-4.6","max_tokens":100,"stream":true,"messages":[{"role":"user","content":"hi"}]}`)
	messagesBatch  = []byte(`{"model":"glm-4.6","max_tokens":100,"messages":[{"role":"user","content":"hi"}]}`)
)

// A stream of each upstream dialect, with what no dialect knows in it.
const messagesAnswer = ": welcome\n\n" +
	"event: message_start\ndata: {\"type\":\"message_start\",\"message\":{\"id\":\"msg_1\",\"type\":\"message\",\"role\":\"assistant\",\"model\":\"glm-4.6\",\"content\":[],\"stop_reason\":null,\"stop_sequence\":null,\"usage\":{\"input_tokens\":7,\"output_tokens\":1}}}\n\n" +
	"event: ping\ndata: {\"type\": \"ping\"}\n\n" +
	"event: something_new\nid: 7\ndata: {\"type\":\"something_new\",\"x\":1.0}\n\n" +
	"event: content_block_start\ndata: {\"type\":\"content_block_start\",\"index\":0,\"content_block\":{\"type\":\"text\",\"text\":\"\"}}\n\n" +
	"event: content_block_delta\ndata: {\"type\":\"content_block_delta\",\"index\":0,\"delta\":{\"type\":\"text_delta\",\"text\":\"H\\u00e9\"}}\n\n" +
	"event:content_block_delta\r\ndata:{\"type\":\"content_block_delta\",\"index\":0,\"delta\":{\"type\":\"text_delta\",\"text\":\"llo 漢\"}}\r\n\r\n" +
	"event: content_block_stop\ndata: {\"type\":\"content_block_stop\",\"index\":0}\n\n" +
	"event: message_delta\ndata: {\"type\":\"message_delta\",\"delta\":{\"stop_reason\":\"end_turn\",\"stop_sequence\":null},\"usage\":{\"input_tokens\":7,\"output_tokens\":5}}\n\n" +
	"event: message_stop\ndata: {\"type\":\"message_stop\"}\n\n"

const chatAnswer = ": welcome\n\n" +
	"data: {\"id\":\"c1\",\"created\":1,\"model\":\"glm-4.6\",\"x\":1.0,\"choices\":[{\"index\":0,\"delta\":{\"role\":\"assistant\",\"content\":\"H\\u00e9\"}}]}\n\n" +
	"event: something_new\ndata: {\"new\":true}\n\n" +
	"data:{\"id\":\"c1\",\"created\":1,\"model\":\"glm-4.6\",\"choices\":[{\"index\":0,\"delta\":{\"content\":\"llo 漢\"}}]}\r\n\r\n" +
	"data: {\"id\":\"c1\",\"created\":1,\"model\":\"glm-4.6\",\"choices\":[{\"index\":0,\"finish_reason\":\"stop\",\"delta\":{\"role\":\"assistant\",\"content\":\"\"}}],\"usage\":{\"prompt_tokens\":7,\"completion_tokens\":5,\"total_tokens\":12}}\n\n" +
	"data: [DONE]\n\n"

// lane is a client dialect in front of an upstream one.
type lane struct {
	client, wire          upstream.Dialect
	path                  string
	stream, batch, answer []byte
}

func lanes() []lane {
	var out []lane
	for _, client := range []lane{
		{client: upstream.Chat, path: "/v1/chat/completions", stream: chatStream, batch: chatBatch},
		{client: upstream.Messages, path: "/v1/messages", stream: messagesStream, batch: messagesBatch},
	} {
		for wire, answer := range map[upstream.Dialect]string{upstream.Chat: chatAnswer, upstream.Messages: messagesAnswer} {
			client.wire, client.answer = wire, []byte(answer)
			out = append(out, client)
		}
	}
	return out
}

func (l lane) name() string { return string(l.client) + "-" + string(l.wire) }

func (l lane) bases(base string) upstream.Bases {
	if l.wire == upstream.Messages {
		return upstream.Bases{Anthropic: base}
	}
	return upstream.Bases{OpenAI: base + "/v1"}
}

// eachLane runs a test for the four pairs.
func eachLane(t *testing.T, test func(t *testing.T, l lane)) {
	for _, l := range lanes() {
		t.Run(l.name(), func(t *testing.T) { t.Parallel(); test(t, l) })
	}
}

func eventStream(w http.ResponseWriter) {
	w.Header().Set("Content-Type", "text/event-stream")
	w.WriteHeader(http.StatusOK)
	http.NewResponseController(w).Flush()
}

// answers is an upstream that always sends the same stream.
func answers(body []byte) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body)
		eventStream(w)
		_, _ = w.Write(body)
	}
}

func TestSameDialectStreamsAreByteIdentical(t *testing.T) {
	eachLane(t, func(t *testing.T, l lane) {
		if l.client != l.wire {
			t.Skip("translated")
		}
		url := serveProxy(t, l.bases(serveUpstream(t, answers(l.answer))), nil)
		resp, got := post(t, url+l.path, nil, l.stream)
		if sha256.Sum256(got) != sha256.Sum256(l.answer) {
			t.Errorf("got:\n%q\nwant:\n%q", got, l.answer)
		}
		if resp.Header.Get(laneHeader) != "native" {
			t.Error(resp.Header)
		}
	})
}

// TestTornStreams tears each lane's stream at every byte, and writes it with other
// line ends; what the client gets must not depend on it. With -short it is torn at some
// bytes only.
func TestTornStreams(t *testing.T) {
	eachLane(t, func(t *testing.T, l lane) {
		var body []byte
		cut := 0
		base := serveUpstream(t, func(w http.ResponseWriter, r *http.Request) {
			_, _ = io.Copy(io.Discard, r.Body)
			eventStream(w)
			_, _ = w.Write(body[:cut])
			http.NewResponseController(w).Flush()
			_, _ = w.Write(body[cut:])
		})
		url := serveProxy(t, l.bases(base), nil)
		ask := func() string {
			_, got := post(t, url+l.path, nil, l.stream)
			return string(scrub(got))
		}
		body = l.answer
		want := ask()
		step := 1
		if testing.Short() {
			step = 7
		}
		for cut = 0; cut < len(l.answer); cut += step {
			if got := ask(); got != want {
				t.Fatalf("torn at %d:\n%s\nwant:\n%s", cut, got, want)
			}
		}
		if l.client == l.wire {
			return // the other spellings pass as they are
		}
		cut = 0
		plain := strings.ReplaceAll(string(l.answer), "\r\n", "\n")
		for name, spelled := range map[string]string{
			"CRLF":      strings.ReplaceAll(plain, "\n", "\r\n"),
			"CR":        strings.ReplaceAll(plain, "\n", "\r"),
			"mark":      "\ufeff" + plain,
			"comments":  strings.ReplaceAll(plain, "\ndata:", "\n: a comment\ndata:"),
			"multiline": strings.ReplaceAll(plain, `,"delta"`, ",\ndata:\"delta\""),
			"no end":    strings.TrimRight(plain, "\n"),
		} {
			body = []byte(spelled)
			if got := ask(); got != want {
				t.Errorf("%s:\n%s\nwant:\n%s", name, got, want)
			}
		}
	})
}

// TestCutStreams cuts each lane's stream after every frame: only the whole one may
// look like an end to the client.
func TestCutStreams(t *testing.T) {
	eachLane(t, func(t *testing.T, l lane) {
		frames := strings.SplitAfter(strings.ReplaceAll(string(l.answer), "\r\n", "\n"), "\n\n")
		frames = frames[:len(frames)-1]
		var sent atomic.Int32
		var aborted atomic.Bool
		base := serveUpstream(t, func(w http.ResponseWriter, r *http.Request) {
			_, _ = io.Copy(io.Discard, r.Body)
			eventStream(w)
			_, _ = io.WriteString(w, strings.Join(frames[:sent.Load()], ""))
			if aborted.Load() {
				http.NewResponseController(w).Flush()
				panic(http.ErrAbortHandler)
			}
		})
		url := serveProxy(t, l.bases(base), func(c *Config) { c.Retry.Max = 0 })
		for _, abort := range []bool{false, true} {
			aborted.Store(abort)
			for n := range frames {
				sent.Store(int32(n))
				if l.wire == upstream.Chat && n == len(frames)-1 && !abort {
					continue // only [DONE] is missing, which some upstreams never send
				}
				resp, got := post(t, url+l.path, nil, l.stream)
				if n < 2 && resp.StatusCode < 500 {
					t.Errorf("after %d frames: status %d", n, resp.StatusCode)
				}
				told := strings.Contains(string(got), `"error"`)
				if l.client == upstream.Messages && strings.Contains(string(got), `"message_stop"`) {
					told = false
				}
				if !told {
					t.Errorf("cut after %d frames, aborted %v: no error in %q", n, abort, got)
				}
			}
		}
	})
}

func TestClientThatLeavesFreesTheUpstream(t *testing.T) {
	eachLane(t, func(t *testing.T, l lane) {
		freed := make(chan struct{})
		base := serveUpstream(t, func(w http.ResponseWriter, r *http.Request) {
			_, _ = io.Copy(io.Discard, r.Body)
			eventStream(w)
			first, _, _ := strings.Cut(string(l.answer), "H\\u00e9")
			_, _ = io.WriteString(w, first[:strings.LastIndex(first, "\n\n")+2])
			http.NewResponseController(w).Flush()
			<-r.Context().Done()
			close(freed)
		})
		finished := make(chan Exchange, 1)
		url := serveProxy(t, l.bases(base), func(c *Config) { c.Finished = func(x Exchange) { finished <- x } })
		ctx, leave := context.WithCancel(t.Context())
		req, err := http.NewRequestWithContext(ctx, http.MethodPost, url+l.path, strings.NewReader(string(l.stream)))
		if err != nil {
			t.Fatal(err)
		}
		go func() {
			time.Sleep(50 * time.Millisecond)
			leave()
		}()
		if resp, err := plain.Do(req); err == nil {
			_, _ = io.Copy(io.Discard, resp.Body)
			resp.Body.Close()
		}
		<-freed
		if x := <-finished; x.Status != 499 || x.Retries != 0 {
			t.Errorf("status %d, retries %d", x.Status, x.Retries)
		}
	})
}

func TestKeepAliveWhileTheUpstreamIsSilent(t *testing.T) {
	eachLane(t, func(t *testing.T, l lane) {
		release := make(chan struct{})
		base := serveUpstream(t, func(w http.ResponseWriter, r *http.Request) {
			_, _ = io.Copy(io.Discard, r.Body)
			<-release // before the header already
			eventStream(w)
			_, _ = w.Write(l.answer)
		})
		url := serveProxy(t, l.bases(base), func(c *Config) { c.KeepAlive = 5 * time.Millisecond })
		req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, url+l.path, strings.NewReader(string(l.stream)))
		if err != nil {
			t.Fatal(err)
		}
		resp, err := plain.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		defer resp.Body.Close()
		lines := bufio.NewReader(resp.Body)
		sign := ": keep-alive"
		if l.client == upstream.Messages {
			sign = "event: ping"
		}
		for range 2 {
			for {
				line, err := lines.ReadString('\n')
				if err != nil {
					t.Fatal(err)
				}
				if strings.HasPrefix(line, sign) {
					break
				}
			}
		}
		close(release)
		rest, err := io.ReadAll(lines)
		if err != nil || !strings.Contains(string(rest), "llo 漢") || strings.Contains(string(rest), `"error"`) {
			t.Errorf("%v %q", err, rest)
		}
	})
}

func TestErrorAfterASignOfLifeIsToldInBand(t *testing.T) {
	eachLane(t, func(t *testing.T, l lane) {
		base := serveUpstream(t, func(w http.ResponseWriter, r *http.Request) {
			_, _ = io.Copy(io.Discard, r.Body)
			time.Sleep(30 * time.Millisecond)
			http.Error(w, `{"error":{"code":"1211","message":"Unknown Model"}}`, http.StatusBadRequest)
		})
		url := serveProxy(t, l.bases(base), func(c *Config) { c.KeepAlive = 5 * time.Millisecond })
		resp, got := post(t, url+l.path, nil, l.stream)
		if resp.StatusCode != 200 || !strings.Contains(string(got), "1211") || !strings.Contains(string(got), `"error"`) {
			t.Errorf("%d %q", resp.StatusCode, got)
		}
	})
}

func TestSilentUpstreamIsGivenUp(t *testing.T) {
	eachLane(t, func(t *testing.T, l lane) {
		for _, afterHeader := range []bool{false, true} {
			base := serveUpstream(t, func(w http.ResponseWriter, r *http.Request) {
				_, _ = io.Copy(io.Discard, r.Body)
				if afterHeader {
					eventStream(w)
					frames := strings.SplitAfter(string(l.answer), "\n\n")
					_, _ = io.WriteString(w, frames[0]+frames[1])
					http.NewResponseController(w).Flush()
				}
				<-r.Context().Done()
			})
			url := serveProxy(t, l.bases(base), func(c *Config) { c.Idle = 30 * time.Millisecond })
			for _, body := range [][]byte{l.stream, l.batch} {
				resp, got := post(t, url+l.path, nil, body)
				if !strings.Contains(string(got), "silent") || !strings.Contains(string(got), `"error"`) {
					t.Errorf("%d %q", resp.StatusCode, got)
				}
				if streaming := string(body) == string(l.stream); !(afterHeader && streaming) && resp.StatusCode != http.StatusGatewayTimeout {
					t.Errorf("after the header %v, stream %v: %d", afterHeader, streaming, resp.StatusCode)
				}
			}
		}
	})
}

// TestCommentsAreNoSilence holds that an upstream which sends comments while its model thinks
// is not given up.
func TestCommentsAreNoSilence(t *testing.T) {
	const idle = 500 * time.Millisecond
	eachLane(t, func(t *testing.T, l lane) {
		url := serveProxy(t, l.bases(serveUpstream(t, func(w http.ResponseWriter, r *http.Request) {
			_, _ = io.Copy(io.Discard, r.Body)
			eventStream(w)
			for begin := time.Now(); time.Since(begin) < 2*idle; time.Sleep(idle / 20) {
				_, _ = io.WriteString(w, ": thinking\n\n")
				http.NewResponseController(w).Flush()
			}
			_, _ = w.Write(l.answer)
		})), func(c *Config) { c.Idle = idle })
		if resp, got := post(t, url+l.path, nil, l.stream); resp.StatusCode != 200 || !strings.Contains(string(got), "llo 漢") {
			t.Errorf("%d %s", resp.StatusCode, got)
		}
	})
}

// TestStop holds that the client of a stream which the end of the program cuts is told
// so, as a failure that is not its own.
func TestStop(t *testing.T) {
	eachLane(t, func(t *testing.T, l lane) {
		ctx, stop := context.WithCancelCause(t.Context())
		base := serveUpstream(t, func(w http.ResponseWriter, r *http.Request) {
			_, _ = io.Copy(io.Discard, r.Body)
			eventStream(w)
			_, _ = w.Write(l.answer[:strings.Index(string(l.answer), "event: something_new")])
			http.NewResponseController(w).Flush()
			<-r.Context().Done()
		})
		front := httptest.NewUnstartedServer(newServer(t, l.bases(base), nil))
		front.Config.BaseContext = func(net.Listener) context.Context { return ctx }
		front.Start()
		defer front.Close()
		resp, err := plain.Post(front.URL+l.path, "application/json", strings.NewReader(string(l.stream)))
		if err != nil {
			t.Fatal(err)
		}
		defer resp.Body.Close()
		if _, err := io.ReadFull(resp.Body, make([]byte, 1)); err != nil {
			t.Fatal(err)
		}
		stop(ErrStopped)
		got, err := io.ReadAll(resp.Body)
		if err != nil || !strings.Contains(string(got), "the proxy was stopped") || !strings.Contains(string(got), `"api_error"`) {
			t.Errorf("%v %s", err, got)
		}
	})
}

// TestManySlowStreams runs 300 slow streams at once, swaps the server under them as
// a change of settings does, and loses nothing.
func TestManySlowStreams(t *testing.T) {
	const streams = 300
	for _, l := range lanes() {
		t.Run(l.name(), func(t *testing.T) {
			var arrived sync.WaitGroup
			arrived.Add(streams)
			release := make(chan struct{})
			base := serveUpstream(t, func(w http.ResponseWriter, r *http.Request) {
				_, _ = io.Copy(io.Discard, r.Body)
				eventStream(w)
				half := len(l.answer) / 2
				_, _ = w.Write(l.answer[:half])
				http.NewResponseController(w).Flush()
				arrived.Done()
				<-release
				_, _ = w.Write(l.answer[half:])
			})
			var server atomic.Pointer[Server]
			server.Store(newServer(t, l.bases(base), nil))
			front := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { server.Load().ServeHTTP(w, r) }))
			defer front.Close()
			_, want := post(t, serveProxy(t, l.bases(serveUpstream(t, answers(l.answer))), nil)+l.path, nil, l.stream)
			var wg sync.WaitGroup
			errs := make(chan error, streams)
			for range streams {
				wg.Go(func() {
					resp, err := plain.Post(front.URL+l.path, "application/json", strings.NewReader(string(l.stream)))
					if err != nil {
						errs <- err
						return
					}
					defer resp.Body.Close()
					got, err := io.ReadAll(resp.Body)
					if err != nil || string(scrub(got)) != string(scrub(want)) {
						errs <- fmt.Errorf("%v: %q", err, got)
					}
				})
			}
			arrived.Wait()
			server.Store(newServer(t, upstream.Bases{OpenAI: "http://127.0.0.1:1"}, nil))
			close(release)
			wg.Wait()
			close(errs)
			for err := range errs {
				t.Error(err)
			}
		})
	}
}
