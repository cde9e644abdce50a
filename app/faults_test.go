package app

import (
	"context"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"glmtray/app/settings"
	"glmtray/app/state"
	"glmtray/proxy/demo/platform"
)

// nowhere is a change that cannot be put in force, which shows only when all else is ready.
func nowhere(t *testing.T) settings.Change {
	return settings.Change{Key: "logging.file", Value: filepath.Join(t.TempDir(), "missing", "glmtray.log")}
}

// TestRefusedChangeLeavesNoGuests holds that settings which cannot be put in force leave no pool behind that goes on fetching tokens for them.
//
// It failed with "1 pools are left": the pool of the refused settings was filled, and
// refilled, until the next change that succeeded.
func TestRefusedChangeLeavesNoGuests(t *testing.T) {
	site := newChatSite(t, platform.Options{})
	f := run(t, "provider: demo\nserver:\n  port: 0\nguest:\n  base: "+site.url+"/guest\n  poolSize: 2\n")
	if err := f.ChangeSettings(t.Context(), []settings.Change{{Key: "provider", Value: "zai"}, {Key: "plan", Value: "guest"}, nowhere(t)}); err == nil {
		t.Fatal("the log goes nowhere")
	}
	f.mu.Lock()
	left := len(f.guests)
	f.mu.Unlock()
	if left != 0 {
		t.Errorf("%d pools are left", left)
	}
	if code := asked(t, f.url); code != http.StatusOK {
		t.Errorf("the settings before: %d", code)
	}
}

// TestRefusedChangeLeavesTheAccounts holds that settings which cannot be put in force do
// not choose the accounts either.
//
// It failed with "the account other is out of use": the pool, which both proxies share,
// had the members of the refused settings from then on, and requests that should have
// gone with either account went with one.
func TestRefusedChangeLeavesTheAccounts(t *testing.T) {
	f := run(t, "provider: demo\nserver:\n  port: 0\n")
	accounts := f.accountsNow()
	for _, name := range []string{"one", "other"} {
		if _, err := accounts.AddKey(t.Context(), settings.ProviderDemo, name, key(len(name)), true); err != nil {
			t.Fatal(err)
		}
	}
	f.ReadAccounts(t.Context())
	size := func() int {
		f.mu.Lock()
		defer f.mu.Unlock()
		return f.pools[poolKey(f.loaded.Settings)].Size()
	}
	if n := size(); n != 2 {
		t.Fatalf("%d accounts", n)
	}
	if err := f.ChangeSettings(t.Context(), []settings.Change{{Key: "auth.account", Value: "one"}, nowhere(t)}); err == nil {
		t.Fatal("the log goes nowhere")
	}
	if n := size(); n != 2 {
		t.Error("the account other is out of use")
	}
}

// TestCaptchaConfigsOutliveAClient holds that a client which leaves while the gateway is
// asked for its captcha's set-up takes nothing from those after it.
//
// It failed with "no check is shown": that nothing was known of the captcha was believed
// for a minute, in which every request that the gateway wanted a check for was refused.
func TestCaptchaConfigsOutliveAClient(t *testing.T) {
	asked, answer := make(chan struct{}, 8), make(chan struct{})
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		asked <- struct{}{}
		select {
		case <-answer:
			_, _ = w.Write([]byte(`{"data":{"configs":{"captcha":{"enabled":true,"region":"cn","prefix":"p","sceneId":"s"}}}}`))
		case <-r.Context().Done():
		}
	}))
	defer server.Close()
	f := run(t, "plan: start-plan\nserver:\n  port: 0\nstartPlan:\n  configsURL: "+server.URL+"/configs\n")
	ctx, leave := context.WithCancel(t.Context())
	first := make(chan bool, 1)
	go func() { first <- f.checks.Wanted(ctx) }()
	<-asked
	leave()
	<-first
	close(answer)
	if !f.checks.Wanted(t.Context()) {
		t.Error("no check is shown")
	}
}

// TestRequestOfALeftGuestPlan holds that a request which waits for a guest's token is
// told at once that the plan was left.
//
// It failed with "it waits on": the pool was given up and would never get a token, and
// the request waited for one until its patience of twenty seconds was over.
func TestRequestOfALeftGuestPlan(t *testing.T) {
	hold := make(chan struct{})
	site := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		select {
		case <-hold:
		case <-r.Context().Done():
		}
	}))
	defer site.Close()
	defer close(hold)
	f := run(t, "plan: guest\nserver:\n  port: 0\nretry:\n  maxRetries: 0\nguest:\n  base: "+site.URL+"/guest\n  poolSize: 1\n")
	type answer struct {
		code int
		text string
	}
	done := make(chan answer, 1)
	go func() {
		resp, err := http.Post(f.url+"/v1/messages", "application/json", strings.NewReader(`{"model":"glm-4.6","max_tokens":9,"messages":[{"role":"user","content":"Hello"}]}`))
		if err != nil {
			done <- answer{text: err.Error()}
			return
		}
		defer resp.Body.Close()
		text, _ := all(t, resp)
		done <- answer{resp.StatusCode, text}
	}()
	f.until(t, "the request", func(s state.Snapshot) bool { return f.active.Load() == 1 })
	if err := f.UsePlan(t.Context(), "start-plan"); err != nil {
		t.Fatal(err)
	}
	select {
	case a := <-done:
		if a.code == http.StatusOK || !strings.Contains(a.text, "guest") {
			t.Errorf("%d %s", a.code, a.text)
		}
	case <-time.After(5 * time.Second):
		t.Error("it waits on")
	}
}

// TestCaptchaConfigsFail holds that a gateway which could not tell its captcha's set-up
// is asked again soon. It failed with "no check is shown": for a minute it was not.
func TestCaptchaConfigsFail(t *testing.T) {
	var calls atomic.Int64
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		if calls.Add(1) == 1 {
			http.Error(w, "busy", http.StatusServiceUnavailable)
			return
		}
		_, _ = w.Write([]byte(`{"data":{"configs":{"captcha":{"enabled":true,"region":"cn","prefix":"p","sceneId":"s"}}}}`))
	}))
	defer server.Close()
	f := run(t, "plan: start-plan\nserver:\n  port: 0\nstartPlan:\n  configsURL: "+server.URL+"/configs\n")
	for range 3 {
		if f.checks.Wanted(t.Context()) {
			t.Error("it is known at once")
		}
	}
	if n := calls.Load(); n != 1 {
		t.Errorf("a gateway in trouble was asked %d times", n)
	}
	past := *f.checks.told.Load()
	past.at = past.at.Add(-configsPause)
	f.checks.told.Store(&past)
	if !f.checks.Wanted(t.Context()) {
		t.Error("no check is shown")
	}
}
