package tray

import (
	"context"
	"errors"
	"strings"
	"sync"
	"testing"
	"time"

	"glmtray/app/locale"
	"glmtray/app/state"
)

// fake is an application that notes what it is told.
type fake struct {
	mu    sync.Mutex
	calls []string
	errs  map[string]error // by call
	block chan struct{}    // a start waits for it
	text  string           // to copy
}

func (f *fake) note(call string) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.calls = append(f.calls, call)
	return f.errs[call]
}

func (f *fake) told() string {
	f.mu.Lock()
	defer f.mu.Unlock()
	return strings.Join(f.calls, "; ")
}

func (f *fake) Snapshot() state.Snapshot                    { return state.Snapshot{} }
func (f *fake) Watch(context.Context) <-chan state.Snapshot { return nil }
func (f *fake) Printer() *locale.Printer                    { return nil }
func (f *fake) StopProxy(context.Context) error             { return f.note("stop") }
func (f *fake) UseProvider(_ context.Context, provider string) error {
	return f.note("provider " + provider)
}
func (f *fake) UsePlan(_ context.Context, plan string) error    { return f.note("plan " + plan) }
func (f *fake) Login(_ context.Context, provider string) error  { return f.note("login " + provider) }
func (f *fake) CancelLogin()                                    { _ = f.note("cancel") }
func (f *fake) UseAccount(_ context.Context, name string) error { return f.note("account " + name) }
func (f *fake) SetLanguage(_ context.Context, tag string) error { return f.note("language " + tag) }
func (f *fake) Open(_ context.Context, page string) error       { return f.note("open " + page) }
func (f *fake) CopyText(string) string                          { return f.text }
func (f *fake) Quit()                                           { _ = f.note("quit") }
func (f *fake) Crashed(part string, _ any)                      { _ = f.note(part + " crashed") }
func (f *fake) SetIcon(bool)                                    {}
func (f *fake) NoIcon(reason, _ locale.Message)                 { _ = f.note("no icon: " + reason.ID) }
func (f *fake) Report(err error)                                { _ = f.note("report " + err.Error()) }

func (f *fake) StartProxy(context.Context) error {
	if f.block != nil {
		<-f.block
	}
	return f.note("start")
}

func (f *fake) UsePort(_ context.Context, port int) error {
	if port != 8081 {
		return errors.New("another port")
	}
	return f.note("port 8081")
}

func (f *fake) SetAutostart(_ context.Context, enabled bool) error {
	if enabled {
		return f.note("autostart on")
	}
	return f.note("autostart off")
}

// work has a worker carry out intents, and returns what the application was told.
func work(t *testing.T, f *fake, intents ...Intent) string {
	t.Helper()
	ctx, stop := context.WithCancel(t.Context())
	w := newWorker(f, func() { _ = f.note("rebuild") })
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		w.run(ctx)
	}()
	for _, do := range append(intents, Intent{Kind: Open, Arg: "end"}) {
		w.put(do)
	}
	for deadline := time.Now().Add(30 * time.Second); !strings.HasSuffix(f.told(), "open end"); time.Sleep(time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("waited in vain; told: %s", f.told())
		}
	}
	stop()
	<-ended
	return strings.TrimSuffix(strings.TrimSuffix(f.told(), "open end"), "; ")
}

func TestIntents(t *testing.T) {
	for want, do := range map[string]Intent{
		"start":           {Kind: Start},
		"stop":            {Kind: Stop},
		"port 8081":       {UsePort, "8081"},
		"provider zai":    {UseProvider, "zai"},
		"plan start-plan": {UsePlan, "start-plan"},
		"autostart on":    {Autostart, "on"},
		"autostart off":   {Autostart, "off"},
		"language zh":     {SetLanguage, "zh"},
		"login zai":       {Login, "zai"},
		"cancel":          {Kind: CancelLogin},
		"account Mine":    {UseAccount, "Mine"},
		"rebuild":         {Kind: Rebuild},
		"open log":        {Open, "log"},
		"":                {Kind: Copy, Arg: "key"}, // there is none
	} {
		if got := work(t, &fake{}, do); got != want {
			t.Errorf("%+v: told %q, want %q", do, got, want)
		}
	}
}

// TestFailures holds that what fails is told, and what shows itself is not told twice.
func TestFailures(t *testing.T) {
	fault := errors.New("fault")
	for want, tc := range map[string]struct {
		fails string
		do    Intent
	}{
		"stop; report fault": {"stop", Intent{Kind: Stop}},
		"start":              {"start", Intent{Kind: Start}},
		"provider custom; open settings/provider; report fault": {"provider custom", Intent{UseProvider, "custom"}},
		"report strconv.Atoi: parsing \"x\": invalid syntax":    {"", Intent{UsePort, "x"}},
	} {
		if got := work(t, &fake{errs: map[string]error{tc.fails: fault}}, tc.do); got != want {
			t.Errorf("%+v: told %q, want %q", tc.do, got, want)
		}
	}
}

// TestSlowIntent holds that clicks which come while one is slow are carried out after
// it, in their order, and that quitting waits for none.
func TestSlowIntent(t *testing.T) {
	f := &fake{block: make(chan struct{})}
	ctx, stop := context.WithCancel(t.Context())
	defer stop()
	w := newWorker(f, nil)
	go w.run(ctx)
	w.put(Intent{Kind: Start})
	const clicks = 100
	for range clicks {
		w.put(Intent{Kind: Stop})
	}
	w.put(Intent{Kind: Quit})
	if got := f.told(); got != "quit" {
		t.Errorf("told %q before the slow one ended", got)
	}
	close(f.block)
	for deadline := time.Now().Add(30 * time.Second); strings.Count(f.told(), "stop") < clicks; time.Sleep(time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("%d clicks of %d", strings.Count(f.told(), "stop"), clicks)
		}
	}
	if !strings.HasPrefix(f.told(), "quit; start; stop") {
		t.Errorf("told %q", f.told())
	}
}

// TestCopyWithoutATool holds that the window opens where nothing can copy.
func TestCopyWithoutATool(t *testing.T) {
	t.Setenv("PATH", t.TempDir())
	if got := work(t, &fake{text: "http://127.0.0.1:8080/v1"}, Intent{Copy, "openai"}); got != "open copy/openai" {
		t.Errorf("told %q", got)
	}
}
