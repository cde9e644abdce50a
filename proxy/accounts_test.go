package proxy

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"glmtray/proxy/llm"
	"glmtray/proxy/secret"
	"glmtray/proxy/upstream"
)

// accounts is a proxy over a pool of three accounts, a, b and c, and an upstream that
// notes which of them it was asked with.
type accounts struct {
	lane  lane
	url   string
	pool  *upstream.Pool
	clock clock
	ended chan Exchange

	mu    sync.Mutex // guards what follows
	asked []string   // accounts, in the order of the requests
	sent  []byte     // the last request's body
	fails map[string]http.HandlerFunc
}

// clock is a time that tests move.
type clock struct {
	mu sync.Mutex
	at time.Time
}

func (c *clock) now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.at
}

func (c *clock) pass(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.at = c.at.Add(d)
}

// member is an account whose credential is its key's generation.
func member(id string, generation int) upstream.Member {
	return upstream.Member{ID: id, Name: "account " + id, User: "user-" + id, Credential: secret.New(id + "." + strconv.Itoa(generation))}
}

func newAccounts(t *testing.T, l lane, change func(*Config)) *accounts {
	t.Helper()
	a := &accounts{lane: l, ended: make(chan Exchange, 64), fails: map[string]http.HandlerFunc{}}
	a.clock.at = time.Now().Truncate(time.Minute)
	a.pool = upstream.NewPool([]upstream.Member{member("a", 1), member("b", 1), member("c", 1)}, a.clock.now, nil)
	a.url = serveProxy(t, l.bases(serveUpstream(t, a.serve)), func(c *Config) {
		c.Upstream.Target.CacheLastBlock = false
		c.Finished = func(x Exchange) { a.ended <- x }
		c.Credential = func(_ context.Context, ask Ask) (upstream.Lease, *llm.Error) {
			return a.pool.Pick(ask.Conversation(), ask.Tried...)
		}
		if change != nil {
			change(c)
		}
	})
	return a
}

func (a *accounts) serve(w http.ResponseWriter, r *http.Request) {
	body, _ := io.ReadAll(r.Body)
	key := r.Header.Get("X-Api-Key") + strings.TrimPrefix(r.Header.Get("Authorization"), "Bearer ")
	id, _, _ := strings.Cut(key, ".")
	a.mu.Lock()
	a.asked, a.sent = append(a.asked, id), body
	fail := a.fails[id]
	a.mu.Unlock()
	if fail != nil {
		fail(w, r)
		return
	}
	answers(a.lane.answer)(w, r)
}

// failing makes accounts fail from now on; nil heals them.
func (a *accounts) failing(with http.HandlerFunc, ids ...string) {
	a.mu.Lock()
	defer a.mu.Unlock()
	for _, id := range ids {
		a.fails[id] = with
	}
}

// took returns which accounts were asked since it was last called.
func (a *accounts) took() string {
	a.mu.Lock()
	defer a.mu.Unlock()
	asked := strings.Join(a.asked, " ")
	a.asked = nil
	return asked
}

func (a *accounts) lastBody() string {
	a.mu.Lock()
	defer a.mu.Unlock()
	return string(a.sent)
}

func (a *accounts) states() string {
	var list []string
	for _, s := range a.pool.States() {
		list = append(list, s.ID+" "+s.State)
	}
	return strings.Join(list, ", ")
}

// ask sends a request of a conversation and returns its answer and its record.
func (a *accounts) ask(t *testing.T, session string, body []byte) (*http.Response, string, Exchange) {
	t.Helper()
	header := http.Header{}
	if session != "" {
		header.Set("X-Claude-Code-Session-Id", session)
	}
	resp, got := post(t, a.url+a.lane.path, header, body)
	return resp, string(got), <-a.ended
}

// served asks and expects an answer.
func (a *accounts) served(t *testing.T, session string, body []byte) Exchange {
	t.Helper()
	resp, got, x := a.ask(t, session, body)
	if resp.StatusCode != http.StatusOK || !strings.Contains(got, "llo 漢") {
		t.Errorf("%d %s", resp.StatusCode, got)
	}
	return x
}

// eachForm runs a test for the four pairs, as a stream and as a batch.
func eachForm(t *testing.T, test func(t *testing.T, l lane, body []byte)) {
	eachLane(t, func(t *testing.T, l lane) {
		t.Run("stream", func(t *testing.T) { t.Parallel(); test(t, l, l.stream) })
		t.Run("batch", func(t *testing.T) { t.Parallel(); test(t, l, l.batch) })
	})
}

// refuses is an upstream that answers with a status and a body.
func refuses(status int, body string) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		w.WriteHeader(status)
		_, _ = io.WriteString(w, body)
	}
}

// limited is the provider's way to say that the quota is used up, with the time of its
// reset in its own zone.
func limited(left time.Duration) http.HandlerFunc {
	at := time.Now().Add(left).In(time.FixedZone("UTC+8", 8*60*60)).Format(time.DateTime)
	return refuses(429, `{"error":{"code":"1308","message":"Usage limit reached for 5 hour. Your limit will reset at `+at+`"}}`)
}

var (
	expired   = refuses(401, `{"error":{"message":"token expired or incorrect","type":"401"}}`)
	throttled = refuses(429, `{"error":{"code":"1302","message":"slow down"}}`)
)

func TestAccountsShareTheLoad(t *testing.T) {
	eachForm(t, func(t *testing.T, l lane, body []byte) {
		a := newAccounts(t, l, nil)
		for i := range 9 {
			if x := a.served(t, "session "+strconv.Itoa(i), body); x.Account != "account "+string("abc"[i%3]) || x.Attempts != nil {
				t.Errorf("the record of request %d says %q, %v", i, x.Account, x.Attempts)
			}
		}
		if got := a.took(); got != "a b c a b c a b c" {
			t.Error(got)
		}
		for _, s := range a.pool.States() {
			if s.Requests != 3 || s.Failures != 0 || s.State != upstream.MemberReady {
				t.Errorf("%+v", s)
			}
		}
	})
}

// turn returns a conversation of some turns: what begins it, and each answer with the
// next question. insert stands in front of the last question.
func turn(l lane, fields, begin string, turns int, insert string) []byte {
	var b strings.Builder
	b.WriteString(`{"model":"glm-4.6","max_tokens":100,` + fields)
	if l.client == upstream.Messages {
		b.WriteString(`"system":[{"type":"text","text":"Be brief."}],"messages":[`)
	} else {
		b.WriteString(`"messages":[{"role":"system","content":"Be brief."},`)
	}
	b.WriteString(`{"role":"user","content":"` + begin + `"}`)
	for i := range turns - 1 {
		fmt.Fprintf(&b, `,{"role":"assistant","content":"answer %d"}`, i)
		if i == turns-2 {
			b.WriteString(insert)
		}
		fmt.Fprintf(&b, `,{"role":"user","content":"question %d"}`, i)
	}
	return []byte(b.String() + `]}`)
}

// TestConversationsStayWithTheirAccount holds that all turns of a conversation go to one
// account, by whatever the client names it, and that others get others.
func TestConversationsStayWithTheirAccount(t *testing.T) {
	headed := func(name string) func(lane, int, int) (http.Header, []byte) {
		return func(l lane, conversation, turns int) (http.Header, []byte) {
			return http.Header{name: {"session-" + strconv.Itoa(conversation)}}, turn(l, "", "hi "+strconv.Itoa(turns), turns, "")
		}
	}
	for name, tc := range map[string]struct {
		client upstream.Dialect // "": both
		make   func(l lane, conversation, turns int) (http.Header, []byte)
	}{
		"Claude Code's header": {"", headed("X-Claude-Code-Session-Id")},
		"a session's header":   {"", headed("X-Session-Id")},
		"metadata.user_id": {upstream.Messages, func(l lane, conversation, turns int) (http.Header, []byte) {
			return nil, turn(l, fmt.Sprintf(`"metadata":{"user_id":"session-%d"},`, conversation), "hi "+strconv.Itoa(turns), turns, "")
		}},
		"prompt_cache_key": {upstream.Chat, func(l lane, conversation, turns int) (http.Header, []byte) {
			return nil, turn(l, fmt.Sprintf(`"prompt_cache_key":"session-%d",`, conversation), "hi "+strconv.Itoa(turns), turns, "")
		}},
		"how it began": {"", func(l lane, conversation, turns int) (http.Header, []byte) {
			return nil, turn(l, "", fmt.Sprintf("begin %d", conversation), turns, "")
		}},
		"how it began, with system messages later": {upstream.Chat, func(l lane, conversation, turns int) (http.Header, []byte) {
			return nil, turn(l, "", fmt.Sprintf("begin %d", conversation), turns, `,{"role":"system","content":"It got late."}`)
		}},
	} {
		t.Run(name, func(t *testing.T) {
			eachLane(t, func(t *testing.T, l lane) {
				if tc.client != "" && tc.client != l.client {
					t.Skip("is not in this dialect")
				}
				a := newAccounts(t, l, nil)
				for turns := 1; turns <= 3; turns++ {
					for _, conversation := range []int{2, 0, 1} {
						header, body := tc.make(l, conversation, turns)
						if resp, got := post(t, a.url+l.path, header, body); resp.StatusCode != http.StatusOK {
							t.Fatalf("%d %s", resp.StatusCode, got)
						}
					}
					// Something else comes in between, so that the order of the accounts
					// is not the order of the conversations by chance.
					a.served(t, "another "+strconv.Itoa(turns), l.batch)
				}
				got := strings.Fields(a.took())
				for i, id := range got {
					if want := []string{"a", "b", "c"}; i%4 < 3 && id != want[i%4] {
						t.Errorf("%v: conversation %d moved", got, i%4)
					}
				}
			})
		})
	}
}

// TestConversationStaysWhereItMoved holds that a conversation which had to move is known
// again at its next turn, though it is known by its beginning alone, and though the
// request was rearranged for the upstream meanwhile.
func TestConversationStaysWhereItMoved(t *testing.T) {
	eachLane(t, func(t *testing.T, l lane) {
		a := newAccounts(t, l, nil)
		more := `{"role":"user","content":"first"},{"role":"user","content":"second"}`
		body := bytes.Replace(l.batch, []byte(`{"role":"user","content":"hi"}`), []byte(more), 1)
		next := bytes.Replace(l.batch, []byte(`{"role":"user","content":"hi"}`), []byte(more+`,{"role":"assistant","content":"yes"},{"role":"user","content":"third"}`), 1)
		a.failing(expired, "a")
		a.served(t, "", body)
		a.served(t, "elsewhere", l.batch)
		a.served(t, "somewhere", l.batch) // now c has rested longest
		a.served(t, "", next)
		a.served(t, "", next)
		if got := a.took(); got != "a b c b b b" {
			t.Error(got)
		}
	})
}

// TestAnotherAccountAnswers is what one account fails with and another need not.
func TestAnotherAccountAnswers(t *testing.T) {
	for name, tc := range map[string]struct {
		fail   http.HandlerFunc
		state  string
		status int
		code   string
		least  time.Duration // that it is out for
	}{
		"401":  {expired, upstream.MemberLogin, 401, "", 0},
		"1003": {refuses(401, `{"error":{"code":"1003","message":"Authentication Token expired"}}`), upstream.MemberLogin, 401, "1003", 0},
		"403":  {refuses(403, `{"error":{"message":"no"}}`), upstream.MemberLogin, 403, "", 0},
		"1302": {throttled, upstream.MemberCooling, 429, "1302", time.Second},
		"1302 with Retry-After": {func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("Retry-After", "600")
			throttled(w, r)
		}, upstream.MemberCooling, 429, "1302", 10 * time.Minute},
		"1308":                                {limited(3 * time.Hour), upstream.MemberQuota, 429, "1308", 3*time.Hour - 2*time.Minute},
		"1308 in brackets":                    {refuses(429, `{"type":"error","error":{"type":"rate_limit_error","message":"[1308][Usage limit reached][id]"}}`), upstream.MemberQuota, 429, "1308", time.Minute},
		"1308 in a 200":                       {refuses(200, `{"code":1308,"msg":"Usage limit reached","success":false}`), upstream.MemberQuota, 0, "1308", time.Minute},
		"1308 as the first event":             {firstEvent(`{"error":{"code":"1308","message":"Usage limit reached"}}`), upstream.MemberQuota, 0, "1308", time.Minute},
		"1113":                                {refuses(429, `{"error":{"code":"1113","message":"Insufficient balance"}}`), upstream.MemberQuota, 429, "1113", time.Minute},
		"1311, which another's plan includes": {refuses(429, `{"error":{"code":"1311","message":"no such model in the plan"}}`), upstream.MemberReady, 429, "1311", 0},
	} {
		t.Run(name, func(t *testing.T) {
			eachForm(t, func(t *testing.T, l lane, body []byte) {
				a := newAccounts(t, l, nil)
				a.failing(tc.fail, "a")
				x := a.served(t, "s", body)
				if got := a.took(); got != "a b" {
					t.Errorf("asked %s", got)
				}
				if x.Account != "account b" || x.Retries != 1 || len(x.Attempts) != 1 || x.Err != nil || x.Status != http.StatusOK {
					t.Fatalf("the record says %q after %d: %+v", x.Account, x.Retries, x)
				}
				if err := x.Attempts[0].Err; err.Status != tc.status || err.Code != tc.code || x.Attempts[0].Pause != 0 {
					t.Errorf("the first attempt failed with %d %q, pause %s", err.Status, err.Code, x.Attempts[0].Pause)
				}
				if l.wire == upstream.Messages && !strings.Contains(a.lastBody(), `"user_id":"user-b"`) {
					t.Errorf("sent as %s", a.lastBody())
				}
				first := a.pool.States()[0]
				if first.State != tc.state || tc.least > 0 && first.Until.Sub(a.clock.now()) < tc.least || first.Requests != 1 {
					t.Errorf("%+v", first)
				}
				a.failing(nil, "a")
				a.served(t, "s", body)
				if got := a.took(); got != "b" {
					t.Errorf("the conversation went on with %s", got)
				}
			})
		})
	}
}

func firstEvent(data string) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		eventStream(w)
		_, _ = io.WriteString(w, "data: "+data+"\n\n")
	}
}

// TestAccountOfTheSecondFailure goes through all three.
func TestAccountOfTheSecondFailure(t *testing.T) {
	eachForm(t, func(t *testing.T, l lane, body []byte) {
		a := newAccounts(t, l, nil)
		a.failing(expired, "a")
		a.failing(limited(time.Hour), "b")
		x := a.served(t, "s", body)
		if got := a.took(); got != "a b c" || x.Account != "account c" || len(x.Attempts) != 2 {
			t.Errorf("asked %s; the record says %q, %d attempts", got, x.Account, len(x.Attempts))
		}
		if l.wire == upstream.Messages && !strings.Contains(a.lastBody(), `"user_id":"user-c"`) {
			t.Errorf("sent as %s", a.lastBody())
		}
		if got := a.states(); got != "a login, b quota, c ready" {
			t.Error(got)
		}
	})
}

// TestClientsOwnUserStays holds that an account's user stands in only where the client
// names none.
func TestClientsOwnUserStays(t *testing.T) {
	eachLane(t, func(t *testing.T, l lane) {
		if l.wire != upstream.Messages {
			t.Skip("has no metadata")
		}
		own := []byte(`{"model":"glm-4.6","max_tokens":9,"user":"mine","metadata":{"user_id":"mine"},"messages":[{"role":"user","content":"hi"}]}`)
		a := newAccounts(t, l, nil)
		a.failing(expired, "a")
		a.served(t, "", own)
		if got := a.lastBody(); !strings.Contains(got, `"user_id":"mine"`) || strings.Contains(got, "user-") {
			t.Error(got)
		}
	})
}

// TestNoOtherAccountIsAsked is what fails with any account, or can no longer be undone.
func TestNoOtherAccountIsAsked(t *testing.T) {
	for name, tc := range map[string]struct {
		fail     http.HandlerFunc
		attempts int
		status   int // 0: see what the answer says
	}{
		"a bad request":         {refuses(400, `{"error":{"message":"bad"}}`), 1, 400},
		"1210":                  {refuses(400, `{"error":{"code":"1210","message":"Invalid API parameter"}}`), 1, 400},
		"1211":                  {refuses(404, `{"error":{"code":"1211","message":"no such model"}}`), 1, 404},
		"1261":                  {refuses(400, `{"error":{"code":"1261","message":"too long"}}`), 1, 400},
		"1301":                  {refuses(400, `{"error":{"code":"1301","message":"sensitive"}}`), 1, 400},
		"3007 without a person": {refuses(400, `{"code":3007,"msg":"captcha verify failed"}`), 1, 400},
		"3012":                  {refuses(405, `{"code":3012,"msg":"request has been blocked due to unusual activity"}`), 1, 405},
		"500":                   {refuses(500, `{"error":{"message":"oops"}}`), 1, 500},
		"502":                   {refuses(502, `<html>`), 3, 502},
		"503":                   {refuses(503, ``), 3, 503},
		"1305":                  {refuses(529, `{"error":{"code":"1305","message":"overloaded"}}`), 3, 529},
		"nonsense":              {refuses(200, `<html>`), 1, 502},
		"no answer":             {func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) }, 3, 502},
	} {
		t.Run(name, func(t *testing.T) {
			eachForm(t, func(t *testing.T, l lane, body []byte) {
				a := newAccounts(t, l, func(c *Config) { c.Retry.Max = 2 })
				a.failing(tc.fail, "a", "b", "c")
				resp, got, x := a.ask(t, "s", body)
				if resp.StatusCode != tc.status || x.Status != tc.status || x.Account != "account a" {
					t.Errorf("%d %s; the record says %d, %q", resp.StatusCode, got, x.Status, x.Account)
				}
				if got, want := a.took(), strings.TrimSpace(strings.Repeat("a ", tc.attempts)); got != want {
					t.Errorf("asked %s", got)
				}
				if s := a.pool.States()[0]; s.State != upstream.MemberReady || s.Failures != 0 || s.Requests != 1 {
					t.Errorf("%+v", s)
				}
			})
		})
	}
}

// TestBrokenStreamStaysBroken cuts a stream behind its first event, and has it end in an
// error that another account need not have: the client has seen a part of the answer.
func TestBrokenStreamStaysBroken(t *testing.T) {
	eachForm(t, func(t *testing.T, l lane, body []byte) {
		for name, end := range map[string]func(http.ResponseWriter){
			"cut": func(http.ResponseWriter) { panic(http.ErrAbortHandler) },
			"an error": func(w http.ResponseWriter) {
				_, _ = io.WriteString(w, "data: {\"type\":\"error\",\"error\":{\"code\":\"1302\",\"message\":\"slow down\"}}\n\n")
			},
		} {
			a := newAccounts(t, l, nil)
			a.failing(func(w http.ResponseWriter, _ *http.Request) {
				eventStream(w)
				half := bytes.Index(l.answer, []byte("\r\n\r\n"))
				_, _ = w.Write(l.answer[:half+4])
				http.NewResponseController(w).Flush()
				end(w)
			}, "a", "b", "c")
			_, got, x := a.ask(t, "s", body)
			if a.took() != "a" || x.Err == nil || x.Account != "account a" || x.Retries != 0 || !strings.Contains(got, `"error"`) {
				t.Errorf("%s: %s; the record says %q, %v", name, got, x.Account, x.Err)
			}
		}
	})
}

// TestLeavingIsNoFailure has the client leave while its account is silent.
func TestLeavingIsNoFailure(t *testing.T) {
	eachForm(t, func(t *testing.T, l lane, body []byte) {
		a := newAccounts(t, l, nil)
		arrived := make(chan struct{})
		a.failing(func(_ http.ResponseWriter, r *http.Request) {
			close(arrived)
			<-r.Context().Done()
		}, "a")
		ctx, leave := context.WithCancel(t.Context())
		go func() {
			<-arrived
			leave()
		}()
		req, err := http.NewRequestWithContext(ctx, http.MethodPost, a.url+l.path, bytes.NewReader(body))
		if err != nil {
			t.Fatal(err)
		}
		if resp, err := plain.Do(req); !errors.Is(err, context.Canceled) {
			t.Errorf("%v %v", resp, err)
		}
		if x := <-a.ended; x.Status != llm.StatusClientClosed || x.Retries != 0 {
			t.Errorf("%+v", x)
		}
		if s := a.pool.States()[0]; a.took() != "a" || s.State != upstream.MemberReady || s.Failures != 0 {
			t.Errorf("%+v", s)
		}
	})
}

func TestAccountsComeBack(t *testing.T) {
	eachForm(t, func(t *testing.T, l lane, body []byte) {
		a := newAccounts(t, l, nil)
		a.failing(limited(2*time.Hour), "a")
		a.failing(expired, "b")
		a.failing(throttled, "c")
		if resp, _, _ := a.ask(t, "1", body); resp.StatusCode != http.StatusTooManyRequests {
			t.Error(resp.Status)
		}
		if got := a.states(); got != "a quota, b login, c cooling" {
			t.Error(got)
		}
		a.took()
		a.failing(nil, "a", "b", "c")
		a.clock.pass(time.Minute) // the rate limit's time is over
		for i := range 3 {
			a.served(t, "later "+strconv.Itoa(i), body)
		}
		if got := a.took(); got != "c c c" {
			t.Error(got)
		}
		a.clock.pass(2 * time.Hour) // the quota's, too
		a.served(t, "much later", body)
		if got := a.took(); got != "a" || a.states() != "a ready, b login, c ready" {
			t.Errorf("%s; %s", got, a.states())
		}
		a.pool.Update([]upstream.Member{member("a", 1), member("b", 2), member("c", 1)})
		if got := a.states(); got != "a ready, b ready, c ready" {
			t.Error(got)
		}
		a.served(t, "logged in", body)
		if got := a.took(); got != "b" {
			t.Error(got)
		}
	})
}

// TestAllAccountsAreOut is what a client is told, and for how long it is told to wait.
func TestAllAccountsAreOut(t *testing.T) {
	for name, tc := range map[string]struct {
		fail   map[string]http.HandlerFunc
		status int
		states string
		first  string // the account that is back first
		kind   map[upstream.Dialect]string
	}{
		"by quota": {map[string]http.HandlerFunc{"a": limited(3 * time.Hour), "b": limited(time.Hour), "c": limited(2 * time.Hour)},
			429, "a quota, b quota, c quota", "b", map[upstream.Dialect]string{upstream.Chat: "insufficient_quota", upstream.Messages: "rate_limit_error"}},
		"by quota, the last first": {map[string]http.HandlerFunc{"a": limited(3 * time.Hour), "b": limited(2 * time.Hour), "c": limited(time.Hour)},
			429, "a quota, b quota, c quota", "c", map[upstream.Dialect]string{upstream.Chat: "insufficient_quota", upstream.Messages: "rate_limit_error"}},
		"by quota and login": {map[string]http.HandlerFunc{"a": limited(time.Hour), "b": limited(2 * time.Hour), "c": expired},
			429, "a quota, b quota, c login", "a", map[upstream.Dialect]string{upstream.Chat: "insufficient_quota", upstream.Messages: "rate_limit_error"}},
		"by rate": {map[string]http.HandlerFunc{"a": throttled, "b": throttled, "c": throttled},
			429, "a cooling, b cooling, c cooling", "a", map[upstream.Dialect]string{upstream.Chat: `"rate_limit_error"`, upstream.Messages: "rate_limit_error"}},
		"by login": {map[string]http.HandlerFunc{"a": expired, "b": expired, "c": expired},
			401, "a login, b login, c login", "", map[upstream.Dialect]string{upstream.Chat: "authentication_error", upstream.Messages: "authentication_error"}},
	} {
		t.Run(name, func(t *testing.T) {
			eachForm(t, func(t *testing.T, l lane, body []byte) {
				a := newAccounts(t, l, func(c *Config) { c.Retry.Max = 0 })
				maps.Copy(a.fails, tc.fail)
				resp, got, x := a.ask(t, "s", body)
				if asked := a.took(); asked != "a b c" {
					t.Errorf("asked %s", asked)
				}
				if resp.StatusCode != tc.status || x.Status != tc.status || len(x.Attempts) != 2 || a.states() != tc.states {
					t.Errorf("%d %s; %d attempts; %s", resp.StatusCode, got, len(x.Attempts), a.states())
				}
				if !strings.Contains(got, tc.kind[l.client]) {
					t.Errorf("%q is not in %s", tc.kind[l.client], got)
				}
				if tc.first == "" {
					if after := resp.Header.Get("Retry-After"); after != "" {
						t.Errorf("is told to wait for %s", after)
					}
					return
				}
				all := a.pool.States()
				until := all[slices.IndexFunc(all, func(s upstream.MemberState) bool { return s.ID == tc.first })].Until
				if after := resp.Header.Get("Retry-After"); after != strconv.Itoa(int(until.Sub(a.clock.now()).Seconds())) {
					t.Errorf("is told to wait for %s; the first is back at %s, now is %s", after, until, a.clock.now())
				}
				if quota := strings.Contains(tc.states, "quota"); quota && !strings.Contains(got, until.Local().Format("15:04")) {
					t.Errorf("%s is not in %s", until.Local().Format("15:04"), got)
				}
			})
		})
	}
}

// TestOneAccountKeepsItsProvidersWords holds that the error of a pool of one is the
// provider's own, however often it was asked.
func TestOneAccountKeepsItsProvidersWords(t *testing.T) {
	eachForm(t, func(t *testing.T, l lane, body []byte) {
		a := newAccounts(t, l, nil)
		a.pool.Update([]upstream.Member{member("a", 1)})
		first := true
		a.failing(func(w http.ResponseWriter, r *http.Request) {
			if first {
				first = false
				throttled(w, r)
				return
			}
			limited(time.Hour)(w, r)
		}, "a")
		resp, got, _ := a.ask(t, "s", body)
		if a.took() != "a a" || resp.StatusCode != 429 || !strings.Contains(got, "Usage limit reached for 5 hour") || strings.Contains(got, "every account") {
			t.Errorf("%d %s", resp.StatusCode, got)
		}
	})
}

// TestRateLimitOfAll waits as with one account, once each account was tried.
func TestRateLimitOfAll(t *testing.T) {
	eachForm(t, func(t *testing.T, l lane, body []byte) {
		a := newAccounts(t, l, func(c *Config) { c.Retry.Max = 2 })
		a.failing(throttled, "a", "b", "c")
		resp, got, x := a.ask(t, "s", body)
		if asked := a.took(); asked != "a b c c c" {
			t.Errorf("asked %s", asked)
		}
		if resp.StatusCode != 429 || resp.Header.Get("Retry-After") == "" || x.Retries != 4 || x.Attempts[0].Pause != 0 || x.Attempts[2].Pause == 0 {
			t.Errorf("%d %v %s; %+v", resp.StatusCode, resp.Header, got, x.Attempts)
		}
	})
}

// TestNoAccountIsAskedTwice holds that also where the credential's source knows no other.
func TestNoAccountIsAskedTwice(t *testing.T) {
	eachForm(t, func(t *testing.T, l lane, body []byte) {
		a := newAccounts(t, l, func(c *Config) {
			c.Credential = func(_ context.Context, ask Ask) (upstream.Lease, *llm.Error) {
				return upstream.Lease{ID: "a", Name: "account a", Credential: secret.New("a.1")}, nil
			}
		})
		a.failing(expired, "a")
		if resp, got, x := a.ask(t, "s", body); resp.StatusCode != http.StatusUnauthorized || a.took() != "a" || x.Retries != 0 {
			t.Errorf("%d %s after %d retries", resp.StatusCode, got, x.Retries)
		}
	})
}

// TestDroppedIsToldOnce holds that what the upstream's dialect cannot carry is reported
// once, however many accounts were tried.
func TestDroppedIsToldOnce(t *testing.T) {
	all := lanes()
	a := newAccounts(t, all[slices.IndexFunc(all, func(l lane) bool { return l.name() == "chat-messages" })], nil)
	a.failing(expired, "a")
	a.failing(expired, "b")
	x := a.served(t, "", []byte(`{"model":"glm-4.6","seed":7,"temperature":1.5,"messages":[{"role":"user","content":"hi"}]}`))
	var fields []string
	for _, d := range x.Dropped {
		fields = append(fields, d.Field)
	}
	slices.Sort(fields)
	if len(x.Attempts) != 2 || len(fields) == 0 || len(slices.Compact(slices.Clone(fields))) != len(fields) {
		t.Errorf("after %d attempts %v", len(x.Attempts), fields)
	}
}

// TestManyConversationsAtOnce runs conversations side by side while accounts go out and
// come back. Each gets its answers, and no account is asked twice for one request.
func TestManyConversationsAtOnce(t *testing.T) {
	for _, l := range lanes() {
		a := newAccounts(t, l, nil)
		a.failing(expired, "b")
		const conversations, turns = 8, 6
		finished := make(chan Exchange, conversations*turns)
		done := make(chan struct{})
		go func() {
			defer close(done)
			for range conversations * turns {
				finished <- <-a.ended
			}
		}()
		var all sync.WaitGroup
		for i := range conversations {
			all.Go(func() {
				for range turns {
					resp, got := post(t, a.url+l.path, http.Header{"X-Session-Id": {strconv.Itoa(i)}}, l.stream)
					if resp.StatusCode != http.StatusOK {
						t.Errorf("%d %s", resp.StatusCode, got)
					}
				}
			})
		}
		for i := range 20 {
			a.pool.Update([]upstream.Member{member("a", 1), member("b", i), member("c", 1)})
		}
		all.Wait()
		<-done
		close(finished)
		for x := range finished {
			if len(x.Attempts) > 1 {
				t.Errorf("%s: %d attempts: %+v", l.name(), len(x.Attempts), x.Attempts)
			}
		}
	}
}

// TestQuotaAmidAnAnswer holds that an account whose quota ends within an answer is left
// alone afterwards: the answer is lost, the next one is another account's.
func TestQuotaAmidAnAnswer(t *testing.T) {
	const message = `Usage limit reached for 5 hour. Your limit will reset at 2099-01-01 00:00:00`
	breaks := map[upstream.Dialect]string{
		upstream.Messages: "event: error\ndata: {\"type\":\"error\",\"error\":{\"type\":\"rate_limit_error\",\"code\":\"1308\",\"message\":\"[1308][" + message + "][id]\"}}\n\n",
		upstream.Chat:     "data: {\"error\":{\"code\":\"1308\",\"message\":\"" + message + "\"}}\n\n",
	}
	eachLane(t, func(t *testing.T, l lane) {
		at := bytes.LastIndex(l.answer[:len(l.answer)/2], []byte("\n\n")) + len("\n\n")
		for _, body := range [][]byte{l.stream, l.batch} {
			a := newAccounts(t, l, nil)
			a.failing(answers(append(bytes.Clone(l.answer[:at]), breaks[l.wire]...)), "a")
			if _, got, x := a.ask(t, "", body); x.Err == nil || x.Err.Kind != llm.ErrQuota || !strings.Contains(got, message) {
				t.Errorf("%v: %s", x.Err, got)
			}
			if states := a.states(); states != "a quota, b ready, c ready" {
				t.Error(states)
			}
			for range 3 {
				a.served(t, "", l.batch)
			}
			if took := a.took(); took != "a b b b" {
				t.Error(took)
			}
		}
	})
}
