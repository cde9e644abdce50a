package proxy

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"glmtray/proxy/llm"
	"glmtray/proxy/secret"
	"glmtray/proxy/upstream"
)

// person is a person who passes every check, unless prove says otherwise.
type person struct {
	wanted bool
	more   int // proofs after one that was not accepted
	// prove, if set, is asked with the number of the check, from 1 on.
	prove func(ctx context.Context, n int) (http.Header, *llm.Error)
	asked atomic.Int32
}

// Wanted implements Person.
func (p *person) Wanted(context.Context) bool { return p.wanted }

// Limits implements Person.
func (p *person) Limits() (time.Duration, int) { return 10 * time.Second, p.more }

// Prove implements Person.
func (p *person) Prove(ctx context.Context) (http.Header, *llm.Error) {
	n := int(p.asked.Add(1))
	if p.prove != nil {
		return p.prove(ctx, n)
	}
	return proof(n), nil
}

func proof(n int) http.Header {
	return http.Header{upstream.CaptchaHeader: {"proof-" + strconv.Itoa(n)}, upstream.CaptchaRegionHeader: {"sgp"}}
}

// nobody is the error of a check that nobody passed.
var nobody = &llm.Error{Kind: llm.ErrPermission, Code: upstream.CodeCaptcha, Message: "nobody passed the check"}

// gateway is a proxy over an upstream that notes the proofs and the paths that it was
// asked with.
type gateway struct {
	url   string
	ended chan Exchange

	mu     sync.Mutex // guards what follows
	proofs []string
	paths  []string
	bodies [][]byte
}

// newGateway has a gateway answer by serve, which is given the number of the request
// from 1 on and returns what it fails with, or nil.
func newGateway(t *testing.T, bases func(string) upstream.Bases, serve func(n int, r *http.Request) http.HandlerFunc, change func(*Config)) *gateway {
	t.Helper()
	g := &gateway{ended: make(chan Exchange, 64)}
	base := serveUpstream(t, func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		path, answer := "chat", chatAnswer
		if strings.HasSuffix(r.URL.Path, "/messages") {
			path, answer = "messages", messagesAnswer
		}
		seen := strings.Join(r.Header[upstream.CaptchaHeader], "+")
		if seen != "" {
			seen += "@" + strings.Join(r.Header[upstream.CaptchaRegionHeader], "+")
		} else if len(r.Header[upstream.CaptchaRegionHeader]) > 0 {
			seen = "a region alone"
		}
		g.mu.Lock()
		g.proofs, g.paths, g.bodies = append(g.proofs, seen), append(g.paths, path), append(g.bodies, body)
		n := len(g.paths)
		g.mu.Unlock()
		if fail := serve(n, r); fail != nil {
			fail(w, r)
			return
		}
		answers([]byte(answer))(w, r)
	})
	g.url = serveProxy(t, bases(base), func(c *Config) {
		c.Finished = func(x Exchange) { g.ended <- x }
		c.Upstream.Target.CacheLastBlock = false
		change(c)
	})
	return g
}

func (g *gateway) seen() (proofs, paths string) {
	g.mu.Lock()
	defer g.mu.Unlock()
	return strings.Join(g.proofs, ", "), strings.Join(g.paths, " ")
}

func (g *gateway) lastBody() string {
	g.mu.Lock()
	defer g.mu.Unlock()
	return string(g.bodies[len(g.bodies)-1])
}

// served asks and expects an answer.
func (g *gateway) served(t *testing.T, l lane, body []byte) (*http.Response, Exchange) {
	t.Helper()
	resp, got := post(t, g.url+l.path, nil, body)
	if resp.StatusCode != http.StatusOK || !strings.Contains(string(got), "llo 漢") {
		t.Errorf("%d %s", resp.StatusCode, got)
	}
	return resp, <-g.ended
}

var (
	unproven = refuses(400, `{"code":3007,"msg":"captcha verify failed"}`)
	busy     = refuses(503, ``)
)

// wantsProof fails requests without a proof.
func wantsProof(_ int, r *http.Request) http.HandlerFunc {
	if r.Header.Get(upstream.CaptchaHeader) == "" {
		return unproven
	}
	return nil
}

func with(p Person) func(*Config) { return func(c *Config) { c.Person = p } }

func TestPersonIsAskedFirst(t *testing.T) {
	eachForm(t, func(t *testing.T, l lane, body []byte) {
		p := &person{wanted: true}
		g := newGateway(t, l.bases, wantsProof, with(p))
		for range 2 {
			if _, x := g.served(t, l, body); x.Retries != 0 || x.Attempts != nil {
				t.Errorf("%+v", x.Attempts)
			}
		}
		if proofs, _ := g.seen(); proofs != "proof-1@sgp, proof-2@sgp" {
			t.Error(proofs)
		}
	})
}

// TestPersonIsAskedWhenTheGatewayAsks is each way in which it does.
func TestPersonIsAskedWhenTheGatewayAsks(t *testing.T) {
	for name, fail := range map[string]http.HandlerFunc{
		"400": unproven,
		"200": refuses(200, `{"code":3007,"msg":"captcha verify failed"}`),
		"403 and a header": func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("x-aliyun-captcha-verify-param", "1")
			http.Error(w, "<html>", http.StatusForbidden)
		},
		"the first event": firstEvent(`{"error":{"code":"3007","message":"captcha verify failed"}}`),
	} {
		t.Run(name, func(t *testing.T) {
			eachForm(t, func(t *testing.T, l lane, body []byte) {
				p := new(person)
				g := newGateway(t, l.bases, func(n int, r *http.Request) http.HandlerFunc {
					if wantsProof(n, r) != nil {
						return fail
					}
					return nil
				}, with(p))
				_, x := g.served(t, l, body)
				if proofs, _ := g.seen(); proofs != ", proof-1@sgp" {
					t.Error(proofs)
				}
				if len(x.Attempts) != 1 || x.Attempts[0].Err.Code != upstream.CodeCaptcha || x.Retries != 1 {
					t.Errorf("%d, %+v", x.Retries, x.Attempts)
				}
			})
		})
	}
}

// TestPersonIsNotAsked is what no proof would change.
func TestPersonIsNotAsked(t *testing.T) {
	for name, fail := range map[string]http.HandlerFunc{
		"3012": refuses(405, `{"code":3012,"msg":"request has been blocked"}`),
		"403":  refuses(403, `{"error":{"message":"no"}}`),
		"1210": refuses(400, `{"error":{"code":"1210","message":"no"}}`),
	} {
		eachForm(t, func(t *testing.T, l lane, body []byte) {
			p := &person{more: 3}
			g := newGateway(t, l.bases, func(int, *http.Request) http.HandlerFunc { return fail }, with(p))
			resp, got := post(t, g.url+l.path, nil, body)
			if proofs, _ := g.seen(); resp.StatusCode < 400 || p.asked.Load() != 0 || proofs != "" {
				t.Errorf("%s: asked %d times, sent %q: %d %s", name, p.asked.Load(), proofs, resp.StatusCode, got)
			}
		})
	}
}

// TestRefusedProofs holds how often a person is asked again, also one whose proof is
// empty.
func TestRefusedProofs(t *testing.T) {
	eachForm(t, func(t *testing.T, l lane, body []byte) {
		for _, wanted := range []bool{true, false} {
			for more := range 3 {
				for _, empty := range []bool{false, true} {
					p := &person{wanted: wanted, more: more}
					if empty {
						p.prove = func(context.Context, int) (http.Header, *llm.Error) { return nil, nil }
					}
					g := newGateway(t, l.bases, func(int, *http.Request) http.HandlerFunc { return unproven }, with(p))
					resp, got := post(t, g.url+l.path, nil, body)
					if resp.StatusCode != http.StatusBadRequest || !strings.Contains(string(got), "captcha") {
						t.Errorf("%d %s", resp.StatusCode, got)
					}
					want := more + 1
					if !wanted {
						want++ // the one without
					}
					if _, paths := g.seen(); len(strings.Fields(paths)) != want || int(p.asked.Load()) != more+1 {
						t.Errorf("wanted %t, %d more: asked %d times, sent %d requests", wanted, more, p.asked.Load(), len(strings.Fields(paths)))
					}
					if x := <-g.ended; x.Err == nil || x.Err.Code != upstream.CodeCaptcha {
						t.Errorf("%+v", x.Err)
					}
				}
			}
		}
	})
}

// TestOneProofOneRequest holds that what follows upon a failure of another sort goes
// without the proof that was spent on it, and that this does not count as a refused one.
func TestOneProofOneRequest(t *testing.T) {
	for name, fail := range map[string]http.HandlerFunc{
		"503":       busy,
		"1302":      throttled,
		"no answer": func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) },
	} {
		t.Run(name, func(t *testing.T) {
			eachForm(t, func(t *testing.T, l lane, body []byte) {
				p := &person{wanted: true}
				g := newGateway(t, l.bases, func(n int, r *http.Request) http.HandlerFunc {
					if n == 1 {
						return fail
					}
					return wantsProof(n, r)
				}, with(p))
				g.served(t, l, body)
				if proofs, _ := g.seen(); proofs != "proof-1@sgp, , proof-2@sgp" {
					t.Error(proofs)
				}
			})
		})
	}
}

// TestAnotherAccountGetsAProofOfItsOwn fails over after a proof was spent.
func TestAnotherAccountGetsAProofOfItsOwn(t *testing.T) {
	eachForm(t, func(t *testing.T, l lane, body []byte) {
		p := &person{wanted: true}
		pool := upstream.NewPool([]upstream.Member{member("a", 1), member("b", 1)}, nil, nil)
		g := newGateway(t, l.bases, func(n int, r *http.Request) http.HandlerFunc {
			if strings.HasPrefix(strings.TrimPrefix(r.Header.Get("X-Api-Key")+r.Header.Get("Authorization"), "Bearer "), "a.") {
				return expired
			}
			return wantsProof(n, r)
		}, func(c *Config) {
			c.Person = p
			c.Credential = func(_ context.Context, ask Ask) (upstream.Lease, *llm.Error) {
				return pool.Pick(ask.Conversation(), ask.Tried...)
			}
		})
		if _, x := g.served(t, l, body); x.Account != "account b" || len(x.Attempts) != 2 {
			t.Errorf("%q, %+v", x.Account, x.Attempts)
		}
		if proofs, _ := g.seen(); proofs != "proof-1@sgp, , proof-2@sgp" {
			t.Error(proofs)
		}
		for _, s := range pool.States() {
			if s.ID == "b" && (s.State != upstream.MemberReady || s.Failures != 0) {
				t.Errorf("%+v", s)
			}
		}
	})
}

// TestNobodyPassesTheCheck is what the client is told, before anything of an answer is
// out: a status in its dialect.
func TestNobodyPassesTheCheck(t *testing.T) {
	eachForm(t, func(t *testing.T, l lane, body []byte) {
		for _, wanted := range []bool{true, false} {
			p := &person{wanted: wanted, prove: func(context.Context, int) (http.Header, *llm.Error) { return nil, nobody }}
			g := newGateway(t, l.bases, wantsProof, with(p))
			resp, got := post(t, g.url+l.path, nil, body)
			if resp.StatusCode != http.StatusForbidden || resp.Header.Get("Content-Type") != "application/json" || !strings.Contains(string(got), nobody.Message) {
				t.Errorf("%d %s", resp.StatusCode, got)
			}
			if !strings.Contains(string(got), `"permission_error"`) || strings.HasPrefix(string(got), `{"type":"error"`) != (l.client == upstream.Messages) {
				t.Errorf("not in the client's dialect: %s", got)
			}
			if _, paths := g.seen(); wanted && paths != "" || p.asked.Load() != 1 {
				t.Errorf("asked %q upstream, %d times for a proof", paths, p.asked.Load())
			}
			if x := <-g.ended; x.Status != http.StatusForbidden || x.Err == nil {
				t.Errorf("%+v", x)
			}
		}
	})
}

// TestWaitingForThePerson has a person who takes longer than an upstream may be silent:
// the streaming client gets signs of life, and its answer or the error behind them.
func TestWaitingForThePerson(t *testing.T) {
	eachClient(t, func(t *testing.T, l lane, body []byte) {
		t.Run("passes", func(t *testing.T) { t.Parallel(); waitForPerson(t, l, body, true) })
		t.Run("does not", func(t *testing.T) { t.Parallel(); waitForPerson(t, l, body, false) })
	})
}

func waitForPerson(t *testing.T, l lane, body []byte, passes bool) {
	idle, takes := 300*time.Millisecond, 400*time.Millisecond
	stream := bytes.Equal(body, l.stream)
	if !stream {
		idle /= batchPatience
	}
	p := &person{wanted: passes, prove: func(ctx context.Context, n int) (http.Header, *llm.Error) {
		if !sleep(ctx, takes) {
			return nil, &llm.Error{Kind: llm.ErrCanceled, Message: "given up"}
		}
		if !passes {
			return nil, nobody
		}
		return proof(n), nil
	}}
	g := newGateway(t, l.bases, wantsProof, func(c *Config) {
		c.Person, c.KeepAlive, c.Idle = p, 10*time.Millisecond, idle
	})
	resp, got := post(t, g.url+l.path, nil, body)
	lives := bytes.Count(got, l.sign())
	switch {
	case stream != (lives > 1):
		t.Errorf("%d signs of life: %s", lives, got)
	case passes && (resp.StatusCode != http.StatusOK || !bytes.Contains(got, []byte("llo 漢"))):
		t.Errorf("%d %s", resp.StatusCode, got)
	case !passes && stream && (resp.StatusCode != http.StatusOK || !endsInError(got, l.client)):
		t.Errorf("%d %s", resp.StatusCode, got)
	case !passes && !stream && resp.StatusCode != http.StatusForbidden:
		t.Errorf("%d %s", resp.StatusCode, got)
	case !passes && !bytes.Contains(got, []byte(nobody.Message)):
		t.Errorf("%s", got)
	}
}

// sign is the sign of life of the client's dialect.
func (l lane) sign() []byte {
	if l.client == upstream.Messages {
		return messagesDialect.appendKeepAlive(nil)
	}
	return chatDialect.appendKeepAlive(nil)
}

// endsInError reports whether a stream's last event is an error in a dialect.
func endsInError(stream []byte, d upstream.Dialect) bool {
	events := strings.Split(strings.TrimSpace(string(stream)), "\n\n")
	last := events[len(events)-1]
	if d == upstream.Messages {
		return strings.HasPrefix(last, "event: error\ndata: {\"type\":\"error\"")
	}
	return slices.ContainsFunc(events, func(e string) bool { return strings.HasPrefix(e, `data: {"error":`) })
}

// TestLeavingWhileThePersonIsAsked has the client leave: the person is not waited for,
// and nothing goes upstream.
func TestLeavingWhileThePersonIsAsked(t *testing.T) {
	eachForm(t, func(t *testing.T, l lane, body []byte) {
		arrived, left := make(chan struct{}), make(chan struct{})
		p := &person{wanted: true, prove: func(ctx context.Context, _ int) (http.Header, *llm.Error) {
			close(arrived)
			<-ctx.Done()
			close(left)
			return proof(1), nil // too late
		}}
		g := newGateway(t, l.bases, wantsProof, with(p))
		ctx, leave := context.WithCancel(t.Context())
		go func() {
			<-arrived
			leave()
		}()
		req, err := http.NewRequestWithContext(ctx, http.MethodPost, g.url+l.path, bytes.NewReader(body))
		if err != nil {
			t.Fatal(err)
		}
		if _, err := plain.Do(req); !errors.Is(err, context.Canceled) {
			t.Error(err)
		}
		<-left
		if x := <-g.ended; x.Status != llm.StatusClientClosed || x.Err.Kind != llm.ErrCanceled {
			t.Errorf("%+v", x)
		}
		if _, paths := g.seen(); paths != "" {
			t.Errorf("asked %s upstream", paths)
		}
	})
}

// TestProofsOfManyRequests holds, for requests side by side, that each proof goes
// upstream once.
func TestProofsOfManyRequests(t *testing.T) {
	for _, l := range lanes() {
		p := &person{wanted: true, more: 9}
		g := newGateway(t, l.bases, func(n int, r *http.Request) http.HandlerFunc {
			if n%3 == 0 {
				return busy
			}
			return wantsProof(n, r)
		}, func(c *Config) { c.Person, c.Retry.Max = p, 20 })
		var all sync.WaitGroup
		for range 16 {
			all.Go(func() {
				if resp, got := post(t, g.url+l.path, nil, l.stream); resp.StatusCode != http.StatusOK {
					t.Errorf("%d %s", resp.StatusCode, got)
				}
			})
		}
		all.Wait()
		sent := slices.DeleteFunc(slices.Clone(g.proofs), func(s string) bool { return s == "" })
		slices.Sort(sent)
		if len(slices.Compact(slices.Clone(sent))) != len(sent) || len(sent) != int(p.asked.Load()) {
			t.Errorf("%d proofs, sent %v", p.asked.Load(), sent)
		}
	}
}

// TestProofsStayInside holds that a proof shows neither in the log nor in an answer.
func TestProofsStayInside(t *testing.T) {
	var log journal
	l := clients()["messages"]
	g := newGateway(t, bothPaths, func(int, *http.Request) http.HandlerFunc { return unproven }, func(c *Config) {
		c.Person, c.Log = &person{wanted: true}, log.logger()
		c.Credential = func(context.Context, Ask) (upstream.Lease, *llm.Error) {
			return upstream.Lease{Name: "mine", User: "user-of-mine", Credential: secret.New(testKey)}, nil
		}
	})
	resp, got := post(t, g.url+l.path, nil, l.batch)
	x := <-g.ended
	all := log.String() + string(got) + x.Err.Error()
	for _, values := range resp.Header {
		all += strings.Join(values, " ")
	}
	for _, word := range []string{"proof-1", testKey, "user-of-mine"} {
		if strings.Contains(all, word) {
			t.Errorf("%s shows in %s", word, all)
		}
	}
}
