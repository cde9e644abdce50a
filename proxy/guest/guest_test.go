package guest

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"glmtray/proxy/llm"
)

// fakeSite is a chat site without a network, so that it can be met on a clock that
// only goes on while all wait.
type fakeSite struct {
	mu    sync.Mutex
	made  int
	calls []string
	seen  http.Header // of the last call
	// serve may answer in its place; nil does not.
	serve func(r *http.Request) *http.Response
	hold  chan struct{} // if set, calls wait until it is closed
}

func reply(status int, kind, body string, header ...string) *http.Response {
	h := http.Header{"Content-Type": {kind}}
	for i := 0; i+1 < len(header); i += 2 {
		h.Set(header[i], header[i+1])
	}
	return &http.Response{StatusCode: status, Header: h, Body: io.NopCloser(strings.NewReader(body)), ProtoMajor: 1, ProtoMinor: 1}
}

// RoundTrip implements http.RoundTripper.
func (f *fakeSite) RoundTrip(r *http.Request) (*http.Response, error) {
	f.mu.Lock()
	f.calls = append(f.calls, r.Method+" "+r.URL.Path)
	f.seen = r.Header.Clone()
	serve, hold := f.serve, f.hold
	f.mu.Unlock()
	if hold != nil {
		select {
		case <-hold:
		case <-r.Context().Done():
			return nil, r.Context().Err()
		}
	}
	if serve != nil {
		if resp := serve(r); resp != nil {
			resp.Request = r
			return resp, nil
		}
	}
	var resp *http.Response
	if r.URL.Path == "/" {
		resp = reply(200, "text/html", `<script src="/prod-fe-1.0.107/x.js">`)
	} else {
		resp = reply(200, "application/json", f.profile())
	}
	resp.Request = r
	return resp, nil
}

func (f *fakeSite) profile() string {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.made++
	return fmt.Sprintf(`{"id":"x","name":"Guest","token":"token-number-%d"}`, f.made)
}

func (f *fakeSite) answer(serve func(r *http.Request) *http.Response) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.serve = serve
}

func (f *fakeSite) count() (made, calls int) {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.made, len(f.calls)
}

// always gives one answer to all calls but that for the page.
func always(status int, kind, body string, header ...string) func(*http.Request) *http.Response {
	return func(r *http.Request) *http.Response {
		if r.URL.Path == "/" {
			return nil
		}
		return reply(status, kind, body, header...)
	}
}

// inBubble runs a test of a pool that is run, on a clock of its own.
func inBubble(t *testing.T, size int, test func(t *testing.T, p *Pool, f *fakeSite)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		f := &fakeSite{}
		p := New(Options{Base: "https://site.example/", Size: size, Version: "1.2.3", Transport: f})
		ctx, stop := context.WithCancel(t.Context())
		ended := make(chan struct{})
		go func() {
			time.Sleep(time.Nanosecond) // test says first how the site answers
			p.Run(ctx)
			close(ended)
		}()
		test(t, p, f)
		stop()
		<-ended
	})
}

func pick(t *testing.T, p *Pool) Lease {
	t.Helper()
	l, err := p.Pick(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	return l
}

func TestPoolFills(t *testing.T) {
	inBubble(t, 3, func(t *testing.T, p *Pool, f *fakeSite) {
		time.Sleep(time.Minute)
		if made, calls := f.count(); made != 3 || calls != 4 || p.Size() != 3 {
			t.Errorf("%d tokens made by %d calls, %d in the pool", made, calls, p.Size())
		}
		if got := strings.Join(f.calls, ", "); got != "GET /, GET /api/v1/auths/, GET /api/v1/auths/, GET /api/v1/auths/" {
			t.Error(got)
		}
		for i, s := range p.States() {
			if s.ID != "guest "+strconv.Itoa(i+1) || s.Fetched.IsZero() || !s.LastUsed.IsZero() || s.Requests != 0 || s.Failures != 0 {
				t.Errorf("got %+v", s)
			}
		}
	})
}

func TestHeader(t *testing.T) {
	inBubble(t, 1, func(t *testing.T, p *Pool, f *fakeSite) {
		l := pick(t, p)
		want := http.Header{
			"Accept": {"text/event-stream, application/json"}, "Origin": {"https://site.example"}, "Referer": {"https://site.example/"},
			"User-Agent": {"glmtray/1.2.3"}, "X-Fe-Version": {"prod-fe-1.0.107"},
		}
		if fmt.Sprint(l.Header) != fmt.Sprint(want) {
			t.Errorf("got %v\nwant %v", l.Header, want)
		}
		want.Set("Accept", "application/json")
		if fmt.Sprint(f.seen) != fmt.Sprint(want) {
			t.Errorf("the call had %v\nwant %v", f.seen, want)
		}
		l.Header.Set("Origin", "changed") // it is the caller's
		if got := pick(t, p).Header.Get("Origin"); got != "https://site.example" {
			t.Error(got)
		}
	})
}

func TestLeastRecentlyUsed(t *testing.T) {
	inBubble(t, 3, func(t *testing.T, p *Pool, _ *fakeSite) {
		time.Sleep(time.Second)
		var got []string
		for range 7 {
			got = append(got, pick(t, p).Credential.Reveal())
		}
		want := "token-number-1 token-number-2 token-number-3 token-number-1 token-number-2 token-number-3 token-number-1"
		if strings.Join(got, " ") != want {
			t.Errorf("got %v", got)
		}
		if s := p.States()[0]; s.Requests != 3 || s.LastUsed.IsZero() {
			t.Errorf("got %+v", s)
		}
	})
}

// Whoever comes first waits for the first token only.
func TestPickWaits(t *testing.T) {
	inBubble(t, 5, func(t *testing.T, p *Pool, f *fakeSite) {
		f.mu.Lock()
		f.hold = make(chan struct{})
		f.mu.Unlock()
		time.AfterFunc(3*time.Second, func() { close(f.hold) })
		start := time.Now()
		pick(t, p)
		if waited := time.Since(start); waited != 3*time.Second {
			t.Errorf("waited %v", waited)
		}
	})
}

func TestPickGivesUp(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := New(Options{Size: 1, Transport: &fakeSite{}}) // nobody runs it
		start := time.Now()
		_, err := p.Pick(t.Context())
		if err == nil || err.Kind != llm.ErrTimeout || time.Since(start) != patience || !strings.Contains(err.Message, "glmtray auth login zai") {
			t.Errorf("got %v after %v", err, time.Since(start))
		}
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		if _, err := p.Pick(ctx); err == nil || err.Kind != llm.ErrCanceled {
			t.Errorf("got %v", err)
		}
	})
}

func TestNoTokens(t *testing.T) {
	for _, size := range []int{0, -3} {
		inBubble(t, size, func(t *testing.T, p *Pool, f *fakeSite) {
			time.Sleep(time.Hour)
			_, err := p.Pick(t.Context())
			if err == nil || err.Kind != llm.ErrAuthentication || !strings.Contains(err.Message, "size 0 (TOKEN_POOL_SIZE)") {
				t.Errorf("got %v", err)
			}
			if _, calls := f.count(); calls != 0 || p.Size() != 0 {
				t.Errorf("%d calls", calls)
			}
		})
	}
}

func TestSizeIsBounded(t *testing.T) {
	inBubble(t, 1<<30, func(t *testing.T, p *Pool, _ *fakeSite) {
		time.Sleep(time.Minute)
		if p.Size() != MaxSize {
			t.Errorf("%d tokens", p.Size())
		}
	})
}

func TestBadBase(t *testing.T) {
	for _, base := range []string{"site.example", "ftp://site.example", "https://", "https://u:secret@site.example", "https://site.example/?a=b", "https://site.example/#a", ":%", "https://u:secret@%zz"} {
		p := New(Options{Base: base, Size: 1, Transport: &fakeSite{}})
		_, err := p.Pick(t.Context())
		if err == nil || err.Kind != llm.ErrInternal || !strings.Contains(err.Error(), "address is not valid") || strings.Contains(err.Error(), "secret") {
			t.Errorf("%s: %v", base, err)
		}
	}
}

func TestRefusedTokenIsReplaced(t *testing.T) {
	inBubble(t, 2, func(t *testing.T, p *Pool, f *fakeSite) {
		time.Sleep(time.Second)
		first := pick(t, p)
		first.Done(nil)
		pick(t, p).Done(&llm.Error{Kind: llm.ErrRateLimit}) // not the token's fault
		again := pick(t, p)
		again.Done(&llm.Error{Kind: llm.ErrAuthentication, Status: 401})
		again.Done(&llm.Error{Kind: llm.ErrAuthentication, Status: 401}) // of a request beside it
		if again.ID != first.ID || p.Size() != 1 {
			t.Fatalf("%s, %d tokens", again.ID, p.Size())
		}
		time.Sleep(time.Second)
		states := p.States()
		if made, _ := f.count(); made != 3 || len(states) != 2 || states[0].ID != "guest 2" || states[1].ID != "guest 3" || states[0].Failures != 1 {
			t.Errorf("%d made, %+v", made, states)
		}
		Lease{}.Done(&llm.Error{Kind: llm.ErrAuthentication}) // of no pool
	})
}

// A site that accepts none of the tokens that it gives is not asked for more and more.
func TestUnfitTokens(t *testing.T) {
	inBubble(t, 1, func(t *testing.T, p *Pool, f *fakeSite) {
		var pauses []time.Duration
		for range 10 {
			pick(t, p).Done(&llm.Error{Kind: llm.ErrAuthentication, Status: 401})
			_, err := p.Pick(t.Context())
			if err == nil || err.Kind != llm.ErrAuthentication || !strings.Contains(err.Message, "does not accept the guest tokens") {
				t.Fatalf("got %v", err)
			}
			pauses = append(pauses, err.RetryAfter)
			time.Sleep(err.RetryAfter)
		}
		if pauses[0] != firstPause || pauses[1] != 2*firstPause || pauses[9] != longestPause {
			t.Errorf("got %v", pauses)
		}
		pick(t, p).Done(nil)
		good := pick(t, p)
		good.Done(&llm.Error{Kind: llm.ErrAuthentication})
		start := time.Now()
		if pick(t, p); time.Since(start) > pace {
			t.Errorf("a good token was replaced after %v", time.Since(start))
		}
	})
}

// One good answer takes a pause back that unfit tokens have made.
func TestGoodTokenEndsThePause(t *testing.T) {
	inBubble(t, 2, func(t *testing.T, p *Pool, _ *fakeSite) {
		time.Sleep(time.Second)
		bad, good := pick(t, p), pick(t, p)
		bad.Done(&llm.Error{Kind: llm.ErrAuthentication})
		good.Done(nil)
		time.Sleep(time.Millisecond)
		if p.Size() != 2 {
			t.Error("the token was not replaced at once")
		}
	})
}

func TestStaleTokens(t *testing.T) {
	inBubble(t, 2, func(t *testing.T, p *Pool, f *fakeSite) {
		time.Sleep(time.Hour)
		if made, _ := f.count(); made != 2 {
			t.Errorf("%d tokens were made while nobody asked", made)
		}
		if l := pick(t, p); l.ID != "guest 3" {
			t.Errorf("got %s after an hour of rest", l.ID)
		}
		time.Sleep(maxIdle - time.Second)
		if l := pick(t, p); l.ID != "guest 4" {
			t.Errorf("got %s", l.ID)
		}
		for range 12 {
			time.Sleep(4 * time.Minute)
			pick(t, p)
			pick(t, p)
		}
		for _, s := range p.States() {
			if age := time.Since(s.Fetched); age > maxAge {
				t.Errorf("%s is %v old", s.ID, age)
			}
		}
	})
}

func TestFetchFailures(t *testing.T) {
	for _, tt := range []struct {
		name  string
		serve func(*http.Request) *http.Response
		kind  llm.ErrorKind
		want  string
	}{
		{"signature", always(400, "application/json", `{"detail":"Invalid Signature"}`), llm.ErrPermission, "asks guests for a signature or a captcha"},
		{"captcha", always(403, "application/json", `{"error":{"code":"CAPTCHA_REQUIRED"}}`), llm.ErrPermission, "does not imitate"},
		{"firewall", always(405, "text/html", `<html>blocked`), llm.ErrPermission, "turns programs away"},
		{"firewall without a type", always(200, "", ` <html>blocked`), llm.ErrPermission, "turns programs away"},
		{"method", always(405, "application/json", `{}`), llm.ErrPermission, "turns programs away"},
		{"firewall before the page", func(*http.Request) *http.Response { return reply(405, "text/html", "<html>") }, llm.ErrPermission, "turns programs away"},
		{"no token", always(200, "application/json", `{"id":"x"}`), llm.ErrUpstream, "gave no guest token"},
		{"not JSON", always(200, "application/json", `nonsense`), llm.ErrUpstream, "nonsense in the place of a guest token"},
		{"a token that breaks headers", always(200, "application/json", `{"token":"a\r\nb"}`), llm.ErrUpstream, "cannot be sent"},
		{"a long token", always(200, "application/json", `{"token":"`+strings.Repeat("x", maxToken+1)+`"}`), llm.ErrUpstream, "cannot be sent"},
		{"an endless answer", always(200, "application/json", `{"token":"x","y":"`+strings.Repeat("x", maxAnswer)+`"}`), llm.ErrUpstream, "nonsense"},
		{"busy", always(429, "application/json", `{"detail":"x"}`, "Retry-After", "60"), llm.ErrRateLimit, "gave no guest token (HTTP 429"},
		{"down", always(503, "text/plain", `no`), llm.ErrOverloaded, "gave no guest token (HTTP 503"},
		{"unauthorized both ways", always(401, "application/json", `{"detail":"x"}`), llm.ErrAuthentication, "gave no guest token (HTTP 401"},
		{"elsewhere", always(302, "text/plain", ``, "Location", "https://other.example/"), llm.ErrUpstream, "gave no guest token; "},
		{"in a circle", always(302, "text/plain", ``, "Location", "/api/v1/auths/"), llm.ErrUpstream, "gave no guest token; "},
	} {
		t.Run(tt.name, func(t *testing.T) {
			inBubble(t, 1, func(t *testing.T, p *Pool, f *fakeSite) {
				f.answer(tt.serve)
				_, err := p.Pick(t.Context())
				if err == nil || err.Kind != tt.kind || !strings.Contains(err.Message, tt.want) || err.RetryAfter <= 0 {
					t.Fatalf("got %#v", err)
				}
				if strings.HasPrefix(tt.want, "gave") != strings.Contains(err.Message, "gave no guest token") {
					t.Errorf("got %q", err.Message)
				}
				f.answer(nil)
				time.Sleep(err.RetryAfter + time.Second)
				pick(t, p)
			})
		})
	}
}

// The pauses between failed fetches grow, up to a limit.
func TestBackOff(t *testing.T) {
	inBubble(t, 1, func(t *testing.T, _ *Pool, f *fakeSite) {
		f.answer(func(*http.Request) *http.Response { return reply(500, "text/plain", "no") })
		time.Sleep(time.Hour)
		// 2+4+…+256 s and then 5 minutes each; a fetch is three calls: the page and one
		// or two for the token
		if _, calls := f.count(); calls < 2*15 || calls > 2*21 {
			t.Errorf("%d calls in an hour", calls)
		}
	})
}

func TestTimeout(t *testing.T) {
	inBubble(t, 1, func(t *testing.T, p *Pool, f *fakeSite) {
		f.mu.Lock()
		f.hold = make(chan struct{})
		f.mu.Unlock()
		time.Sleep(time.Second)
		_, err := p.Pick(t.Context())
		if err == nil || !strings.Contains(err.Message, "did not answer in time") || !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("got %v", err)
		}
	})
}

func TestUnreachable(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		refuse := roundTrip(func(*http.Request) (*http.Response, error) { return nil, errors.New("refused") })
		p := New(Options{Size: 1, Transport: refuse})
		ctx, stop := context.WithCancel(t.Context())
		defer stop()
		go p.Run(ctx)
		_, err := p.Pick(t.Context())
		if err == nil || err.Kind != llm.ErrUpstream || !strings.Contains(err.Message, "could not be reached") {
			t.Errorf("got %v", err)
		}
	})
}

type roundTrip func(*http.Request) (*http.Response, error)

// RoundTrip implements http.RoundTripper.
func (f roundTrip) RoundTrip(r *http.Request) (*http.Response, error) { return f(r) }

// The newer way to a token is tried where the older one has none.
func TestNewerForm(t *testing.T) {
	for name, older := range map[string]func() *http.Response{
		"not found":    func() *http.Response { return reply(404, "application/json", `{"detail":"Not Found"}`) },
		"unauthorized": func() *http.Response { return reply(401, "application/json", `{"detail":"no"}`) },
		"no token":     func() *http.Response { return reply(200, "application/json", `{"id":"x"}`) },
	} {
		t.Run(name, func(t *testing.T) {
			inBubble(t, 1, func(t *testing.T, p *Pool, f *fakeSite) {
				f.answer(func(r *http.Request) *http.Response {
					_, noCookie := r.Cookie("guest")
					switch {
					case r.Method == http.MethodPost:
						body, err := io.ReadAll(r.Body)
						if err != nil || string(body) != "{}" || r.Header.Get("Content-Type") != "application/json" {
							return reply(400, "text/plain", "bad")
						}
						return reply(200, "application/json", `{"token":"made"}`, "Set-Cookie", "guest=1; Path=/")
					case r.URL.Path == "/":
						return reply(404, "text/html", "<html>")
					case noCookie != nil:
						return older()
					}
					return nil
				})
				l := pick(t, p)
				if got := l.Credential.Reveal(); got != "token-number-1" || l.Header.Get("X-Fe-Version") != "" {
					t.Errorf("got %s, %v", got, l.Header)
				}
			})
			inBubble(t, 1, func(t *testing.T, p *Pool, f *fakeSite) { // and its own answer's, if need be
				f.answer(func(r *http.Request) *http.Response {
					if r.Method == http.MethodPost {
						return reply(200, "application/json", `{"token":"made"}`)
					}
					return older()
				})
				if got := pick(t, p).Credential.Reveal(); got != "made" {
					t.Errorf("got %s", got)
				}
			})
		})
	}
}

// The page's version is looked up once an hour.
func TestVersionIsCached(t *testing.T) {
	inBubble(t, 1, func(t *testing.T, p *Pool, f *fakeSite) {
		pages := 0
		f.answer(func(r *http.Request) *http.Response {
			if r.URL.Path != "/" {
				return nil
			}
			pages++
			return reply(200, "text/html", "prod-fe-2.0."+strconv.Itoa(pages))
		})
		for range 13 {
			pick(t, p)
			time.Sleep(10 * time.Minute)
		}
		if got := pick(t, p).Header.Get("X-Fe-Version"); pages != 3 || got != "prod-fe-2.0.3" {
			t.Errorf("%d looks in two hours, %s", pages, got)
		}
	})
}

func TestNothingShowsAToken(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var log bytes.Buffer
		f := &fakeSite{}
		p := New(Options{Size: 2, Transport: f, Log: slog.New(slog.NewJSONHandler(&log, &slog.HandlerOptions{Level: slog.LevelDebug}))})
		ctx, stop := context.WithCancel(t.Context())
		go p.Run(ctx)
		time.Sleep(time.Second)
		l := pick(t, p)
		l.Done(&llm.Error{Kind: llm.ErrAuthentication})
		f.answer(always(500, "text/plain", "no"))
		time.Sleep(time.Minute)
		stop()
		synctest.Wait()
		states, err := json.Marshal(p.States())
		if err != nil {
			t.Fatal(err)
		}
		shown := log.String() + fmt.Sprintf("%v %+v %#v", l, l.Credential, p.States()) + string(states)
		if strings.Contains(shown, "token-number") || !strings.Contains(log.String(), "a guest token") || !strings.Contains(log.String(), "no guest token") {
			t.Errorf("got %s", shown)
		}
	})
}

// Many requests side by side, with refusals among them.
func TestConcurrently(t *testing.T) {
	inBubble(t, 4, func(t *testing.T, p *Pool, _ *fakeSite) {
		time.Sleep(time.Second)
		var all sync.WaitGroup
		for i := range 50 {
			all.Go(func() {
				l, err := p.Pick(t.Context())
				if err != nil {
					return // all were refused for a moment
				}
				time.Sleep(time.Duration(i) * time.Millisecond)
				if i%7 == 0 {
					l.Done(&llm.Error{Kind: llm.ErrAuthentication})
				} else {
					l.Done(nil)
				}
				p.States()
			})
		}
		all.Wait()
		time.Sleep(longestPause)
		if p.Size() != 4 {
			t.Errorf("%d tokens", p.Size())
		}
	})
}

func TestExplain(t *testing.T) {
	for _, tt := range []struct {
		name string
		err  llm.Error
		want string
	}{
		{"signature", llm.Error{Kind: llm.ErrInvalid, Status: 400, Message: "Missing signature header"}, challenged},
		{"captcha code", llm.Error{Kind: llm.ErrPermission, Status: 403, Code: "FRONTEND_CAPTCHA_REQUIRED", Message: "no"}, challenged},
		{"within a stream", llm.Error{Kind: llm.ErrUpstream, Message: "Captcha verification failed"}, challenged},
		{"method", llm.Error{Kind: llm.ErrMethod, Status: 405, Message: "HTTP 405"}, blocked},
		{"page", llm.Error{Kind: llm.ErrPermission, Status: 403, Message: "HTTP 403 Forbidden, with a web page instead of an answer"}, blocked},
		{"page of 200", llm.Error{Kind: llm.ErrUpstream, Message: "the chat site sent a web page instead of an answer"}, blocked},
		{"login", llm.Error{Kind: llm.ErrAuthentication, Status: 401, Message: "signature of the token is wrong"}, ""},
		{"limit", llm.Error{Kind: llm.ErrRateLimit, Status: 429, Message: "too many"}, ""},
	} {
		t.Run(tt.name, func(t *testing.T) {
			e := tt.err
			if got := Explain(&e); got != (tt.want != "") {
				t.Fatalf("got %t, %v", got, e)
			}
			if tt.want == "" {
				if e != tt.err {
					t.Errorf("changed to %v", e)
				}
				return
			}
			if e.Kind != llm.ErrPermission || e.HTTPStatus() != 403 || e.Message != tt.want || e.Code != tt.err.Code || !strings.HasSuffix(e.Error(), tt.err.Message) {
				t.Errorf("got %#v", e)
			}
			if again := e; Explain(&again) || again != e {
				t.Errorf("changed again: %v", again)
			}
		})
	}
}

func TestRetryAfter(t *testing.T) {
	for value, want := range map[string]time.Duration{"": 0, "30": 30 * time.Second, "-1": 0, "x": 0, "99999999999": 0, "301": 0} {
		if got := retryAfter(http.Header{"Retry-After": {value}}); got != want {
			t.Errorf("%q: %v", value, got)
		}
	}
}
