package upstream

import (
	"strings"
	"testing"
	"time"

	"glmtray/proxy/llm"
)

// TestPoolLateSuccess holds that the good end of a request which was sent before its
// account went out does not bring the account back.
//
// It failed with "a ready": a long answer that began while there was quota left put an
// account back in whose quota was used up, or whose login had ended, and the next
// request was sent into the same refusal.
func TestPoolLateSuccess(t *testing.T) {
	for name, err := range map[string]*llm.Error{
		MemberQuota:   {Kind: llm.ErrQuota, RetryAfter: time.Hour},
		MemberLogin:   {Kind: llm.ErrAuthentication},
		MemberCooling: {Kind: llm.ErrRateLimit, RetryAfter: time.Minute},
	} {
		t.Run(name, func(t *testing.T) {
			p, _ := newTestPool("a")
			long, _ := p.Pick("long")
			short, _ := p.Pick("short")
			short.Done(err)
			long.Done(nil)
			if got := states(p); got != "a "+name {
				t.Errorf("after the answer that began before: %s", got)
			}
			later, _ := p.Pick("later")
			long.Done(err) // of before, and no news
			later.Done(nil)
			if got := states(p); got != "a ready" {
				t.Errorf("after an answer that began since: %s", got)
			}
		})
	}
}

// TestPoolTimes holds that an account is back when the clock on the wall says so,
// whatever the machine did meanwhile.
//
// It failed at both: a machine that sleeps stops the clock by which the program measures
// (CLOCK_MONOTONIC), so that after a night an account was out for a night longer than the
// provider had said and the window showed; and a clock that was set back by a day kept an
// account out for a day that should have rested for seconds.
func TestPoolTimes(t *testing.T) {
	if at := NewPool(nil, nil, nil).now(); strings.Contains(at.String(), "m=") {
		t.Errorf("the pool goes by a clock that stops in sleep: %s", at)
	}
	p, c := newTestPool("a", "b")
	fail(t, p, "a", &llm.Error{Kind: llm.ErrRateLimit})
	c.pass(-24 * time.Hour)
	if got := states(p); got != "a ready, b ready" {
		t.Errorf("after the clock was set back: %s", got)
	}
	fail(t, p, "a", &llm.Error{Kind: llm.ErrQuota, RetryAfter: time.Hour})
	c.pass(time.Hour - 1)
	if got := states(p); got != "a quota, b ready" {
		t.Errorf("too early: %s", got)
	}
}

// TestPoolLoginAgain holds that an account to which somebody has logged in again is back,
// though its key is the one that it had: a provider gives the same one.
//
// It failed with "a login": the person had done what was asked, and the account stayed out
// until the program was started anew.
func TestPoolLoginAgain(t *testing.T) {
	p, c := newTestPool("a", "b")
	before, _ := p.Pick("s")
	fail(t, p, "a", &llm.Error{Kind: llm.ErrAuthentication})
	p.Update(members("a", "b"))
	if got := states(p); got != "a login, b ready" {
		t.Errorf("the members of before: %s", got)
	}
	again := members("a", "b")
	again[0].Since = c.at
	p.Update(again)
	if got := states(p); got != "a ready, b ready" {
		t.Errorf("after a login: %s", got)
	}
	if before.Done(nil); states(p) != "a ready, b ready" {
		t.Error(states(p))
	}
}
