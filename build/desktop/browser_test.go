//go:build desktop && linux

package desktop

import (
	"context"
	"fmt"
	"net/url"
	"os"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/chromedp/cdproto/cdp"
	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/cdproto/log"
	"github.com/chromedp/cdproto/network"
	"github.com/chromedp/cdproto/runtime"
	"github.com/chromedp/chromedp"
	"github.com/chromedp/chromedp/kb"

	"glmtray/app/state"
)

const claude = "claude-cli/2.1.329 (external, cli)"

// window is the log window in a real browser.
type window struct {
	*testing.T
	ctx   context.Context
	place *place

	mu     sync.Mutex
	faults []string // what the console said, and requests to elsewhere
}

// openWindow starts Chromium with a page of the log window.
func openWindow(t *testing.T, p *place, page string) *window {
	t.Helper()
	options := append(chromedp.DefaultExecAllocatorOptions[:],
		chromedp.ExecPath(need(t, "chromium")), chromedp.NoSandbox, chromedp.DisableGPU, chromedp.UserDataDir(t.TempDir()),
		chromedp.WindowSize(1280, 800), chromedp.Flag("disable-dev-shm-usage", true), chromedp.Flag("disable-component-update", true),
		chromedp.Flag("host-resolver-rules", "MAP * ~NOTFOUND , EXCLUDE 127.0.0.1"),
	)
	allocator, stop := chromedp.NewExecAllocator(context.Background(), options...)
	t.Cleanup(stop)
	ctx, end := chromedp.NewContext(allocator)
	t.Cleanup(end)
	w := &window{T: t, ctx: ctx, place: p}
	if err := chromedp.Do(ctx); err != nil { // starts the browser
		t.Fatal(err)
	}
	if err := chromedp.Listen(ctx, w.hear); err != nil {
		t.Fatal(err)
	}
	for _, enable := range []func() error{
		func() error { _, err := chromedp.Call(ctx, network.Enable, network.EnableParams{}); return err },
		func() error { _, err := chromedp.Call(ctx, log.Enable, cdp.Empty{}); return err },
	} {
		if err := enable(); err != nil {
			t.Fatal(err)
		}
	}
	w.do(chromedp.Navigate(p.link(t, page)))
	return w
}

// hear notes what must not be: errors on the console, and requests to other hosts.
func (w *window) hear(event any) {
	w.mu.Lock()
	defer w.mu.Unlock()
	switch e := event.(type) {
	case *runtime.EventConsoleAPICalled:
		w.faults = append(w.faults, fmt.Sprintf("console.%s: %v", e.Type, e.Args))
	case *runtime.EventExceptionThrown:
		w.faults = append(w.faults, fmt.Sprintf("exception: %+v", e.ExceptionDetails))
	case *log.EventEntryAdded:
		w.faults = append(w.faults, fmt.Sprintf("log: %s %s", e.Entry.Text, e.Entry.URL))
	case *network.EventRequestWillBeSent:
		u, err := url.Parse(e.Request.URL)
		if err != nil || u.Hostname() != "127.0.0.1" && u.Scheme != "data" {
			w.faults = append(w.faults, "request to "+e.Request.URL)
		}
	}
}

// clean fails the test if anything was noted.
func (w *window) clean() {
	w.Helper()
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, fault := range w.faults {
		w.Error(fault)
	}
	w.faults = nil
}

// do carries out steps, within the time that a patient person has.
func (w *window) do(steps ...chromedp.Action[chromedp.Void]) {
	w.Helper()
	ctx, cancel := context.WithTimeout(w.ctx, patience)
	defer cancel()
	if err := chromedp.Do(ctx, steps...); err != nil {
		w.Fatalf("%v", err)
	}
}

// js evaluates an expression in the page.
func js[T any](w *window, expression string) T {
	w.Helper()
	ctx, cancel := context.WithTimeout(w.ctx, patience)
	defer cancel()
	v, err := chromedp.Run(ctx, chromedp.Evaluate[T](expression))
	if err != nil {
		w.Fatalf("%s: %v", expression, err)
	}
	return v
}

// until waits for an expression to become true.
func (w *window) until(expression string) {
	w.Helper()
	for deadline := time.Now().Add(patience); !js[bool](w, "(() => { try { return !!("+expression+") } catch { return false } })()"); time.Sleep(30 * time.Millisecond) {
		if time.Now().After(deadline) {
			w.Fatalf("waited in vain for %s in\n%s", expression, js[string](w, "document.body.innerText"))
		}
	}
}

// picture takes one.
func (w *window) picture(name string) {
	w.Helper()
	if os.Getenv("GLMTRAY_ARTIFACTS") == "" {
		return
	}
	ctx, cancel := context.WithTimeout(w.ctx, patience)
	defer cancel()
	data, err := chromedp.Run(ctx, chromedp.CaptureScreenshot())
	if err != nil {
		w.Fatal(err)
	}
	keep(w.T, name+".png", data)
}

// look chooses a width, and light or dark.
func (w *window) look(width int64, scheme string) {
	w.Helper()
	w.do(chromedp.EmulateViewport(width, 800))
	_, err := chromedp.Call(w.ctx, emulation.SetEmulatedMedia, emulation.SetEmulatedMediaParams{
		Features: []*emulation.MediaFeature{{Name: "prefers-color-scheme", Value: scheme}},
	})
	if err != nil {
		w.Fatal(err)
	}
}

// noOverflow holds that a page fits its width.
func (w *window) noOverflow(what string) {
	w.Helper()
	if over := js[int](w, "document.documentElement.scrollWidth - innerWidth"); over > 0 {
		w.Errorf("%s is %d pixels too wide", what, over)
	}
}

// quietPlace is a home in a session that has a tray, so that no page has to speak of a
// missing one.
func quietPlace(t *testing.T, env ...string) *place {
	t.Helper()
	s := newSession(t)
	(&fakeWatcher{}).begin(t, s.bus)
	return s.place(env...)
}

const rows = "document.querySelectorAll('#requests tbody tr:not([hidden])').length"

// cell is the text of a cell in the newest row.
func cell(name string) string {
	return fmt.Sprintf("(document.querySelector('#requests tbody tr .c-%s')?.textContent ?? '')", name)
}

// TestActivity watches requests come, run and end, and looks at one.
func TestActivity(t *testing.T) {
	p := quietPlace(t)
	p.start(t)
	s := p.running(t)
	w := openWindow(t, p, "")
	w.until("document.querySelectorAll('#empty .snippet').length === 3")
	if text := js[string](w, "document.querySelector('#empty').innerText"); !strings.Contains(text, "ANTHROPIC_BASE_URL="+s.BaseURL+" ") || !strings.Contains(text, s.BaseURL+"/v1") {
		t.Errorf("the lesson says %s", text)
	}
	w.picture("activity-empty")
	if at := js[string](w, "location.href"); strings.Contains(at, "ticket") {
		t.Errorf("the ticket stays in the address: %s", at)
	}

	done := make(chan string, 1)
	go func() {
		_, text := ask(t, s.BaseURL, claude, "demo:long 150")
		done <- text
	}()
	w.until(cell("status") + " === 'running'")
	first := js[string](w, cell("took"))
	w.until(cell("took") + " !== '" + first + "'") // it moves
	if got := js[string](w, cell("client")); got != "Claude Code 2.1.329" {
		t.Errorf("client %q", got)
	}
	w.until("(document.querySelector('#bar .status')?.innerText ?? '').includes('1 running')")
	w.picture("activity-running")
	if text := <-done; !strings.Contains(text, "message_stop") {
		t.Errorf("the stream: %s", text)
	}
	w.until(cell("status") + " === '200'")
	ask(t, s.BaseURL, "OpenAI/Go 3.95.0", "demo:error 1308")
	w.until(cell("status") + " === '429'")
	ask(t, s.BaseURL, "curl/8.5.0", "Hello")
	w.until(rows + " === 3")

	// The detail pane, by mouse and by keyboard.
	w.do(chromedp.Click("#requests tbody tr:nth-child(2)"))
	w.until("document.querySelector('#detail .error')?.innerText.includes('quota')")
	w.picture("activity-detail")
	w.do(chromedp.KeyEvent(kb.Escape))
	w.until("document.querySelector('#detail').hidden")
	js[bool](w, "document.querySelector('#requests tbody tr').focus() ?? true")
	w.do(chromedp.KeyEvent(kb.ArrowDown))
	w.do(chromedp.KeyEvent(kb.Enter))
	w.until("!document.querySelector('#detail').hidden && document.querySelector('#detail h2').innerText.includes('OpenAI SDK (Go)')")
	w.do(chromedp.KeyEvent(kb.Escape))

	// Filter, pause, clear.
	// Not by KeyEvent: it types the slash as well, which a keyboard does not after the
	// page has prevented it.
	js[bool](w, "document.body.dispatchEvent(new KeyboardEvent('keydown', {key: '/', bubbles: true}))")
	w.do(chromedp.KeyEvent("claude"))
	w.until(rows + " === 1 && document.querySelector('#filter').value === 'claude'")
	js[bool](w, "(document.querySelector('#filter').value = '', document.querySelector('#filter').dispatchEvent(new Event('input')))")
	js[bool](w, "(document.querySelector('#state').value = 'failed', document.querySelector('#state').dispatchEvent(new Event('change')))")
	w.until(rows + " === 1")
	js[bool](w, "(document.querySelector('#state').value = 'all', document.querySelector('#state').dispatchEvent(new Event('change')))")
	w.do(chromedp.Click("#pause"))
	ask(t, s.BaseURL, claude, "Hello")
	w.until("document.querySelector('#pause').innerText.includes('1 new')")
	if n := js[int](w, rows); n != 3 {
		t.Errorf("%d rows while paused", n)
	}
	w.do(chromedp.Click("#pause"))
	w.until(rows + " === 4")
	w.look(400, "dark")
	w.picture("activity-400-dark")
	w.noOverflow("activity")
	w.look(1280, "dark")
	w.picture("activity-dark")
	w.look(1280, "light")
	w.do(chromedp.Click("#clear"))
	w.until("!document.querySelector('#empty').hidden")

	// The switch in the status bar.
	w.do(chromedp.Click("#power"))
	p.until(t, "the end of the proxy", func(s state.Snapshot) bool { return s.Phase == state.Stopped })
	w.until("document.querySelector('#power').getAttribute('aria-checked') === 'false'")
	w.do(chromedp.Click("#power"))
	w.until("(document.querySelector('#bar .status')?.innerText ?? '').includes('Running on http://')")
	p.running(t)
	w.clean()
}

// TestSettings changes settings in the form, and looks into the file.
func TestSettings(t *testing.T) {
	p := quietPlace(t, "ZCODE_APP_VERSION=9.9.9")
	p.start(t)
	p.running(t)
	w := openWindow(t, p, "settings/auth.apiKey")
	w.until("document.activeElement.id === 'f-auth.apiKey'")
	w.picture("settings")
	if text := js[string](w, "document.querySelector('[data-path=\"identity.appVersion\"]').innerText"); !strings.Contains(text, "ZCODE_APP_VERSION") || !js[bool](w, "document.getElementById('f-identity.appVersion').disabled") {
		t.Errorf("a setting of the environment: %s", text)
	}
	set := func(id, value string) {
		w.Helper()
		w.do(chromedp.SetValue(`[id="f-`+id+`"]`, value))
		js[bool](w, `document.getElementById("f-`+id+`").dispatchEvent(new Event("input", {bubbles: true}))`)
	}
	set("retry.maxRetries", "99")
	w.until("document.getElementById('f-retry.maxRetries').getAttribute('aria-invalid') === 'true' && document.querySelector('#save').disabled")
	w.picture("settings-invalid")
	before := p.settings(t)
	set("retry.maxRetries", "7")
	w.until("!document.getElementById('f-retry.maxRetries').hasAttribute('aria-invalid') && !document.querySelector('#save').disabled")
	set("auth.apiKey", "0123456789abcdef.secretsecret")
	w.do(chromedp.Click(`[id="f-app.notify.quota"]`))
	w.until("document.querySelector('#count').innerText.endsWith('3')")
	if p.settings(t) != before {
		t.Error("the file was written before it was saved")
	}
	w.do(chromedp.Click("#save"))
	w.until("document.querySelector('#said').innerText.includes('Saved')")
	want := strings.Replace(config, "maxRetries: 1", "maxRetries: 7", 1) + "auth:\n  apiKey: 0123456789abcdef.secretsecret\napp:\n  notify:\n    quota: false\n"
	if got := p.settings(t); got != want {
		t.Errorf("the file has\n%s\nwant\n%s", got, want)
	}
	if page := js[string](w, "document.documentElement.outerHTML"); strings.Contains(page, "secretsecret") {
		t.Error("the page shows the key")
	}
	w.until("document.querySelector('[data-path=\"retry.maxRetries\"] .badge').innerText.includes('line 6')")

	w.do(chromedp.SendKeys("#search", "temperature"))
	w.until("[...document.querySelectorAll('.field')].filter((f) => f.offsetParent).length === 1")
	w.look(400, "light")
	w.picture("settings-400")
	w.noOverflow("settings")
	w.look(1280, "light")

	// Another language, at once.
	js[bool](w, "(document.querySelector('#search').value = '', document.querySelector('#search').dispatchEvent(new Event('input')))")
	w.do(chromedp.SetValue(`[id="f-app.language"]`, "zh-Hans"))
	js[bool](w, `document.getElementById("f-app.language").dispatchEvent(new Event("change", {bubbles: true}))`)
	w.do(chromedp.Click("#save"))
	w.until("document.documentElement.lang === 'zh-Hans' && document.querySelector('h1').innerText === '设置'")
	w.picture("settings-chinese")
	w.clean()
}

// TestLogAndAbout looks at the other pages.
func TestLogAndAbout(t *testing.T) {
	p := quietPlace(t)
	p.start(t)
	s := p.running(t)
	w := openWindow(t, p, "log")
	w.until("document.querySelectorAll('#lines li').length > 0")
	ask(t, s.BaseURL, claude, "Hello")
	w.until("document.querySelector('#lines').innerText.includes('lane=native')")
	for range 60 {
		ask(t, s.BaseURL, claude, "Hello")
	}
	w.until("document.querySelectorAll('#lines li').length > 60")
	atEnd := "(() => { const b = document.querySelector('.lines'); return b.scrollHeight - b.scrollTop - b.clientHeight < 24 })()"
	w.until(atEnd)
	js[bool](w, "(document.querySelector('.lines').scrollTop = 0, true)")
	w.until("document.querySelector('#follow').getAttribute('aria-pressed') === 'false'")
	ask(t, s.BaseURL, claude, "demo:error 1308")
	w.until("document.querySelectorAll('#lines .warn').length > 0")
	if js[int](w, "document.querySelector('.lines').scrollTop") != 0 {
		t.Error("the log jumps while somebody reads")
	}
	w.picture("log")
	w.do(chromedp.Click("#follow"))
	w.until(atEnd)
	w.do(chromedp.SendKeys("#search", "QUOTA"))
	w.until("document.querySelectorAll('#lines mark').length > 0 && [...document.querySelectorAll('#lines mark')].every((m) => m.innerText.toLowerCase() === 'quota')")
	w.look(400, "dark")
	w.picture("log-400-dark")
	w.noOverflow("log")
	w.look(1280, "dark")
	w.do(chromedp.Click("#nav a[href='#about']"))
	w.until("document.querySelectorAll('#licences tbody tr').length > 10")
	if js[bool](w, "[...document.querySelectorAll('#licences tbody td:last-child')].some((c) => !c.innerText)") {
		t.Error("a module has no licence")
	}
	w.picture("about-dark")
	w.look(400, "light")
	w.noOverflow("about")
	w.picture("about-400")
	w.clean()
}

// TestReconnect holds that a page whose connection breaks has each request once.
func TestReconnect(t *testing.T) {
	p := quietPlace(t)
	p.start(t)
	s := p.running(t)
	w := openWindow(t, p, "activity")
	w.until("(document.querySelector('#bar .status')?.innerText ?? '').includes('Running')")
	ask(t, s.BaseURL, claude, "Hello")
	w.until(rows + " === 1")
	offline := func(off bool) {
		_, err := chromedp.Call(w.ctx, network.EmulateNetworkConditionsByRule, network.EmulateNetworkConditionsByRuleParams{
			MatchedNetworkConditions: []*network.Conditions{{Offline: off, DownloadThroughput: -1, UploadThroughput: -1}},
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	offline(true)
	for range 5 {
		ask(t, s.BaseURL, claude, "Hello")
	}
	offline(false)
	w.until(rows + " === 6")
	ids := js[int](w, "new Set([...document.querySelectorAll('#requests tbody tr')].map((r) => r.dataset.id)).size")
	if ids != 6 {
		t.Errorf("%d different requests in 6 rows", ids)
	}
	// The program's end is told.
	if out, err := p.run(t, "quit"); err != nil {
		t.Fatalf("%v %s", err, out)
	}
}
