package upstream

import (
	"fmt"
	"math/rand/v2"
	"strings"
	"sync"
	"testing"
	"time"

	"glmtray/proxy/llm"
	"glmtray/proxy/secret"
)

// handClock is a time that tests move.
type handClock struct{ at time.Time }

func (c *handClock) now() time.Time { return c.at }

func (c *handClock) pass(d time.Duration) { c.at = c.at.Add(d) }

func members(ids ...string) []Member {
	var list []Member
	for _, id := range ids {
		list = append(list, Member{ID: id, Name: "account " + id, Credential: secret.New("key-" + id)})
	}
	return list
}

func newTestPool(ids ...string) (*Pool, *handClock) {
	c := &handClock{time.Date(2026, 11, 21, 12, 0, 0, 0, time.UTC)}
	return NewPool(members(ids...), c.now, nil), c
}

// pick is the ID of the account that is picked, or the error.
func pick(p *Pool, session string, tried ...string) string {
	l, err := p.Pick(session, tried...)
	if err != nil {
		return err.Kind.String()
	}
	return l.ID
}

// fail ends a request of an account with an error.
func fail(t *testing.T, p *Pool, id string, err *llm.Error) {
	t.Helper()
	m := p.member(id)
	Lease{ID: id, Credential: m.Credential, pool: p}.Done(err)
}

func states(p *Pool) string {
	var list []string
	for _, s := range p.States() {
		list = append(list, s.ID+" "+s.State)
	}
	return strings.Join(list, ", ")
}

func TestPoolSpreadsAndSticks(t *testing.T) {
	p, c := newTestPool("a", "b", "c")
	var got []string
	for _, session := range []string{"1", "2", "3", "1", "2", "3", "1", "4", ""} {
		got = append(got, pick(p, session))
	}
	// 1 to 3 have an account each and keep it. When 4 comes, b and then c have rested
	// longest; the one without a session takes the next.
	if s := strings.Join(got, " "); s != "a b c a b c a b c" {
		t.Error(s)
	}
	c.pass(sessionLife + 1)
	if got := pick(p, "1"); got != "a" { // it has rested longest again
		t.Error(got)
	}
	if got := pick(p, "4"); got != "b" {
		t.Error(got)
	}
}

func TestPoolFailures(t *testing.T) {
	for name, tc := range map[string]struct {
		err   *llm.Error
		state string
		back  time.Duration // 0: not by itself
	}{
		"401":                  {&llm.Error{Kind: llm.ErrAuthentication}, MemberLogin, 0},
		"403":                  {&llm.Error{Kind: llm.ErrPermission}, MemberLogin, 0},
		"1308 with a reset":    {&llm.Error{Kind: llm.ErrQuota, RetryAfter: 3 * time.Hour}, MemberQuota, 3 * time.Hour},
		"1308 without one":     {&llm.Error{Kind: llm.ErrQuota}, MemberQuota, unknownQuota},
		"429":                  {&llm.Error{Kind: llm.ErrRateLimit}, MemberCooling, firstCooling},
		"429 with Retry-After": {&llm.Error{Kind: llm.ErrRateLimit, RetryAfter: 30 * time.Second}, MemberCooling, 30 * time.Second},
		"1220 of a model":      {&llm.Error{Kind: llm.ErrPermission, Code: "1220"}, MemberReady, 0},
		"3007":                 {&llm.Error{Kind: llm.ErrPermission, Code: "3007"}, MemberReady, 0},
		"3012":                 {&llm.Error{Kind: llm.ErrPermission, Code: "3012"}, MemberReady, 0},
		"the client left":      {&llm.Error{Kind: llm.ErrCanceled}, MemberReady, 0},
		"a wrong request":      {&llm.Error{Kind: llm.ErrInvalid}, MemberReady, 0},
		"an overloaded model":  {&llm.Error{Kind: llm.ErrOverloaded}, MemberReady, 0},
	} {
		t.Run(name, func(t *testing.T) {
			p, c := newTestPool("a", "b")
			first, _ := p.Pick("s")
			first.Done(tc.err)
			if got := p.States()[0]; got.State != tc.state || got.Requests != 1 || (got.Failures == 1) == (tc.state == MemberReady) {
				t.Fatalf("%+v", got)
			}
			if tc.state == MemberReady {
				if got := pick(p, "s"); got != "a" {
					t.Errorf("moved to %s", got)
				}
				return
			}
			if !FailsOver(tc.err) || pick(p, "s") != "b" {
				t.Error("does not fail over to b")
			}
			c.pass(max(tc.back, time.Minute) - 1)
			if tc.back > time.Minute && states(p) != "a "+tc.state+", b ready" {
				t.Errorf("back too early: %s", states(p))
			}
			c.pass(1)
			if want := map[bool]string{true: MemberReady, false: MemberLogin}[tc.back > 0]; p.States()[0].State != want {
				t.Errorf("later: %s, want %s", states(p), want)
			}
			if got := pick(p, "s"); got != "b" && tc.back < sessionLife {
				t.Errorf("the conversation went back to %s", got)
			}
		})
	}
}

func TestPoolNobody(t *testing.T) {
	p, c := newTestPool("a", "b")
	if got := pick(p, "", "a", "b"); got != "rate limit" {
		t.Errorf("all tried: %s", got)
	}
	fail(t, p, "a", &llm.Error{Kind: llm.ErrQuota, RetryAfter: 2 * time.Hour})
	fail(t, p, "b", &llm.Error{Kind: llm.ErrQuota, RetryAfter: time.Hour})
	// Whoever is asked first is asked all the same; one that has failed for this request
	// is not.
	if got := pick(p, ""); got != "b" {
		t.Errorf("all are out: %s", got)
	}
	_, err := p.Pick("", "b")
	if err == nil || err.Kind != llm.ErrQuota || err.RetryAfter != time.Hour || !strings.Contains(err.Message, c.at.Add(time.Hour).Local().Format("15:04")) {
		t.Errorf("%+v", err)
	}
	fail(t, p, "a", &llm.Error{Kind: llm.ErrAuthentication})
	fail(t, p, "b", &llm.Error{Kind: llm.ErrAuthentication})
	if _, err := p.Pick("", "a"); err == nil || err.Kind != llm.ErrAuthentication {
		t.Errorf("%+v", err)
	}
	// An answer shows that it is back.
	lease, err := p.Pick("")
	if err != nil {
		t.Fatal(err)
	}
	lease.Done(nil)
	if got := states(p); got != "a ready, b login" && got != "a login, b ready" {
		t.Error(got)
	}
	if got := pick(NewPool(nil, nil, nil), "s"); got != "authentication" {
		t.Errorf("an empty pool: %s", got)
	}
}

// TestPoolCooling holds that rate limits in a row double the rest, and that a good
// answer ends the row.
func TestPoolCooling(t *testing.T) {
	p, c := newTestPool("a")
	limit := &llm.Error{Kind: llm.ErrRateLimit}
	for _, want := range []time.Duration{2, 4, 8, 16, 32, 60, 60} {
		fail(t, p, "a", limit)
		if got := p.States()[0].Until.Sub(c.at); got != want*time.Second {
			t.Errorf("rests %s, want %ds", got, want)
		}
		c.pass(want * time.Second)
		if pick(p, "") != "a" {
			t.Error("is not back")
		}
	}
	fail(t, p, "a", nil)
	fail(t, p, "a", limit)
	if got := p.States()[0].Until.Sub(c.at); got != firstCooling {
		t.Errorf("after a good answer it rests %s", got)
	}
	// A shorter rest that is told later does not end a longer one.
	fail(t, p, "a", &llm.Error{Kind: llm.ErrQuota, RetryAfter: time.Hour})
	fail(t, p, "a", limit)
	if got := p.States()[0]; got.State != MemberQuota {
		t.Errorf("%+v", got)
	}
}

func TestPoolUpdate(t *testing.T) {
	p, _ := newTestPool("a", "b")
	lease, _ := p.Pick("s")
	fail(t, p, "a", &llm.Error{Kind: llm.ErrAuthentication})
	fail(t, p, "b", &llm.Error{Kind: llm.ErrQuota, RetryAfter: time.Hour})
	next := members("b", "a", "c")
	next[1].Credential = secret.New("new key")
	p.Update(next)
	if got := states(p); got != "b quota, a ready, c ready" {
		t.Error(got)
	}
	lease.Done(&llm.Error{Kind: llm.ErrAuthentication}) // with the key of before
	if got := states(p); got != "b quota, a ready, c ready" {
		t.Errorf("an old key's failure counts: %s", got)
	}
	p.Update(members("c"))
	lease.Done(nil)
	if got := pick(p, "s"); got != "c" {
		t.Errorf("the conversation of an account that has gone: %s", got)
	}
}

// TestPoolHolds holds, for random histories, that only ready accounts are picked and
// that memory is bounded.
func TestPoolHolds(t *testing.T) {
	kinds := []llm.ErrorKind{llm.ErrRateLimit, llm.ErrQuota, llm.ErrCanceled, llm.ErrInvalid, llm.ErrOverloaded}
	for seed := range uint64(100) {
		random := rand.New(rand.NewPCG(seed, 7))
		p, c := newTestPool("a", "b", "c", "d")
		for range 500 {
			out := map[string]bool{}
			for _, s := range p.States() {
				out[s.ID] = s.State != MemberReady
			}
			lease, err := p.Pick(fmt.Sprint(random.IntN(20)))
			all := out["a"] && out["b"] && out["c"] && out["d"]
			if err != nil || out[lease.ID] && !all {
				t.Fatalf("seed %d: picked %q (%v) of %s", seed, lease.ID, err, states(p))
			}
			if err == nil && random.IntN(3) == 0 {
				lease.Done(&llm.Error{Kind: kinds[random.IntN(len(kinds))], RetryAfter: time.Duration(random.IntN(3)) * time.Minute})
			}
			c.pass(time.Duration(random.IntN(20)) * time.Second)
		}
	}
	p, _ := newTestPool("a")
	for i := range 2 * maxSessions {
		pick(p, fmt.Sprint(i))
	}
	if p.recent.Len() != maxSessions || len(p.sessions) != maxSessions {
		t.Errorf("%d, %d conversations are remembered", p.recent.Len(), len(p.sessions))
	}
}

func TestPoolConcurrentUse(t *testing.T) {
	p := NewPool(members("a", "b", "c"), nil, nil)
	var all sync.WaitGroup
	for worker := range 8 {
		all.Go(func() {
			for i := range 300 {
				if lease, err := p.Pick(fmt.Sprint(worker)); err == nil && i%10 == 0 {
					lease.Done(&llm.Error{Kind: llm.ErrCanceled})
				}
				p.States()
			}
		})
	}
	for range 50 {
		p.Update(members("a", "b", "c"))
	}
	all.Wait()
	total := 0
	for _, s := range p.States() {
		total += s.Requests
	}
	if total != 8*300 {
		t.Errorf("%d requests were counted", total)
	}
}

func BenchmarkPoolPick(b *testing.B) {
	p := NewPool(members("a", "b", "c", "d", "e"), nil, nil)
	b.ReportAllocs()
	for b.Loop() {
		lease, err := p.Pick("session")
		if err != nil {
			b.Fatal(err)
		}
		lease.Done(nil)
	}
}
