package app

import (
	"context"
	"net/http"
	"slices"
	"testing"
	"time"

	"glmtray/proxy/llm"
	"glmtray/proxy/upstream"
)

// proved is how the wait of a request for a check ended.
type proved struct {
	proof http.Header
	err   *llm.Error
}

// wait has a request wait for a check, as the nth of those that do.
func wait(ctx context.Context, t *testing.T, c *checks, n int) chan proved {
	t.Helper()
	done := make(chan proved, 1)
	go func() {
		proof, err := c.Prove(ctx)
		done <- proved{proof, err}
	}()
	for end := time.Now().Add(10 * time.Second); ; time.Sleep(time.Millisecond) {
		if s := c.state(); s != nil && s.Waiting == n {
			return done
		}
		if time.Now().After(end) {
			t.Fatalf("%d requests never wait", n)
		}
	}
}

// checking runs the start plan, with a gateway of which the captcha is known.
func checking(t *testing.T, timeout string) *fixture {
	t.Helper()
	f := run(t, "plan: start-plan\nserver:\n  port: 0\nstartPlan:\n  configsURL: http://127.0.0.1:1/\n  captchaTimeoutMs: "+timeout+"\n")
	known := captcha{Region: "cn", Prefix: "p", SceneID: "s"}
	f.checks.told.Store(&told{known, time.Now().Add(time.Hour), f.checks.settings().ConfigsURL})
	return f
}

// passed is a proof that a person has just given.
func passed(text string) http.Header { return http.Header{upstream.CaptchaHeader: {text}} }

// TestProofInTheLastMoment holds that a proof which comes as the patience of its request
// ends is good for that request.
//
// It failed with "nobody passed its check": the person had solved the captcha, was told
// that the request goes on, and it was refused.
func TestProofInTheLastMoment(t *testing.T) {
	f := checking(t, "1000")
	c := f.checks
	done := wait(t.Context(), t, c, 1)
	c.mu.Lock() // as PassCheck holds it, between choosing the request and handing the proof over
	first := c.waiting[0]
	c.waiting = nil
	time.Sleep(1200 * time.Millisecond) // the patience ends
	first.proof <- passed("late")
	c.mu.Unlock()
	if got := <-done; got.err != nil || got.proof.Get(upstream.CaptchaHeader) != "late" {
		t.Errorf("%v %v", got.proof, got.err)
	}
}

// TestProofOfAClientThatLeft holds that a proof which comes as the client of its request
// leaves is good for the next request that waits.
//
// It failed with "the next one waits on": the proof was lost with the client.
func TestProofOfAClientThatLeft(t *testing.T) {
	f := checking(t, "60000")
	c := f.checks
	ctx, leave := context.WithCancel(t.Context())
	left := wait(ctx, t, c, 1)
	next := wait(t.Context(), t, c, 2)
	c.mu.Lock()
	first := c.waiting[0]
	c.waiting = slices.Clone(c.waiting[1:])
	leave()
	first.proof <- passed("solved")
	c.mu.Unlock()
	if got := <-left; got.err == nil || got.err.Kind != llm.ErrCanceled {
		t.Errorf("who has left: %v %v", got.proof, got.err)
	}
	select {
	case got := <-next:
		if got.err != nil || got.proof.Get(upstream.CaptchaHeader) != "solved" {
			t.Errorf("%v %v", got.proof, got.err)
		}
	case <-time.After(5 * time.Second):
		t.Error("the next one waits on")
	}
	if f.PassCheck("another") == nil {
		t.Error("somebody waits still")
	}
}

// TestMembersKnowTheLogin holds that a pool is told when somebody has logged in again: the
// key may be the one that it had, and the account stayed out.
func TestMembersKnowTheLogin(t *testing.T) {
	f := run(t, "provider: zai\nserver:\n  port: 0\n")
	accounts := f.accountsNow()
	added, err := accounts.AddKey(t.Context(), "zai", "", key(1), true)
	if err != nil {
		t.Fatal(err)
	}
	f.ReadAccounts(t.Context())
	pool := f.pool(f.loaded.Settings)
	lease, refused := pool.Pick("")
	if refused != nil {
		t.Fatal(refused)
	}
	lease.Done(&llm.Error{Kind: llm.ErrAuthentication})
	f.ReadAccounts(t.Context())
	if got := f.Snapshot().Accounts[0].State; got != upstream.MemberLogin {
		t.Fatalf("the account is %q", got)
	}
	for time.Now().Truncate(time.Second).Equal(added.Added.Added.Truncate(time.Second)) {
		time.Sleep(20 * time.Millisecond) // the vault knows seconds
	}
	if again, err := accounts.AddKey(t.Context(), "zai", "", key(1), true); err != nil || !again.Replaced {
		t.Fatalf("%+v %v", again, err)
	}
	f.ReadAccounts(t.Context())
	if got := f.Snapshot().Accounts[0].State; got != upstream.MemberReady {
		t.Errorf("somebody has logged in again, and the account is %q", got)
	}
}
