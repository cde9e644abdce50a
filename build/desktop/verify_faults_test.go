//go:build desktop && linux

package desktop

import (
	"net/http"
	"testing"

	"github.com/chromedp/chromedp"

	"glmtray/app/state"
	"glmtray/proxy/demo/platform"
)

// TestCheckThatIsMissed holds that the check's page does not say that a check was passed
// which nobody has passed.
//
// It failed with "Passed. The request goes on.", of the check before: this one's patience
// had ended, and its request had been refused.
func TestCheckThatIsMissed(t *testing.T) {
	up := newProvider(t, platform.Options{Captcha: true})
	s := newSession(t)
	(&fakeWatcher{}).begin(t, s.bus)
	p := s.place()
	p.configure(t, up.config("  captchaTimeoutMs: 12000\nprovider: zai\nplan: start-plan\n"))
	p.start(t)
	base := p.running(t).BaseURL
	w := openWindow(t, p, "accounts")
	w.allow(p, "#login-zai")
	w.until("document.querySelector('#done')?.innerText.includes('You are logged in')")
	p.until(t, "the account", oneAccount)
	w.do(chromedp.Navigate(p.link(t, "verify")))
	w.until("document.querySelector('#verify-state').innerText.includes('No request waits')")
	done := make(chan int, 1)
	begin := func() {
		go func() {
			code, _ := askAt(t, base+"/v1/messages", "Hello")
			done <- code
		}()
	}
	begin()
	w.pass(p, false)
	if code := <-done; code != http.StatusOK {
		t.Fatalf("passed: %d", code)
	}
	w.until("document.querySelector('#verify-state').innerText.includes('Passed')")
	begin()
	p.until(t, "the check", func(s state.Snapshot) bool { return s.Check != nil })
	w.until("!document.querySelector('#verify-state').innerText.includes('Passed')")
	// A stream that is kept alive has begun: its status says nothing.
	<-done
	p.until(t, "the end of the check", func(s state.Snapshot) bool { return s.Check == nil })
	w.until("document.querySelector('#captcha-frame') === null")
	w.until("document.querySelector('#verify-state').innerText.includes('No request waits')")
	w.clean()
}
