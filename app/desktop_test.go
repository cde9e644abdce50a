package app

import (
	"context"
	"errors"
	"net/http"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"testing"

	"glmtray/app/history"
	"glmtray/app/settings"
	"glmtray/app/state"
)

// notices are the notifications that were shown.
type notices struct {
	mu    sync.Mutex
	texts []string
}

func (n *notices) show(title, text string) error {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.texts = append(n.texts, title+": "+text)
	return nil
}

func (n *notices) count(part string) int {
	n.mu.Lock()
	defer n.mu.Unlock()
	return strings.Count(strings.Join(n.texts, "\n"), part)
}

// desktop starts the program as a tray would, with a config file of this text.
func desktop(t *testing.T, text string, env map[string]string) (*fixture, *notices) {
	t.Helper()
	shown := &notices{}
	f := &fixture{ended: make(chan error, 1)}
	f.options, f.logFile = load(t, text)
	f.file = f.options.Settings.Path
	f.options.Desktop, f.options.Notify = true, shown.show
	inner := f.options.Settings.Env
	f.options.Settings.Env = func(name string) string {
		if value, ok := env[name]; ok {
			return value
		}
		return inner(name)
	}
	f.begin(t)
	return f, shown
}

// begin runs the program, and stops it when the test is over.
func (f *fixture) begin(t *testing.T) {
	t.Helper()
	var err error
	if f.App, err = New(f.options); err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(context.Background())
	f.stop = stop
	go func() { f.ended <- f.Run(ctx) }()
	t.Cleanup(func() {
		f.Abort()
		stop()
		if err := <-f.ended; err != nil {
			t.Error(err)
		}
	})
}

// until waits for a state of the program, as a face would see it.
func (f *fixture) until(t *testing.T, what string, holds func(state.Snapshot) bool) state.Snapshot {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	for s := range f.Watch(ctx) {
		if holds(s) {
			return s
		}
	}
	t.Fatalf("waited in vain for %s: %+v", what, f.Snapshot())
	return state.Snapshot{}
}

func (f *fixture) phase(t *testing.T, want state.Phase) state.Snapshot {
	t.Helper()
	return f.until(t, string(want), func(s state.Snapshot) bool { return s.Phase == want })
}

func TestIntents(t *testing.T) {
	t.Parallel()
	const config = "# mine\nprovider: demo # the demo\nserver:\n  port: 0\napp:\n  language: en\n"
	f, _ := desktop(t, config, nil)
	s := f.phase(t, state.Running)
	if s.Provider != "demo" || s.BaseURL == "" || s.Headless || s.PID != os.Getpid() || s.Version != "test" || !s.Account.Known || status(s.BaseURL) != http.StatusOK {
		t.Errorf("%+v", s)
	}
	if err := f.StartProxy(t.Context()); err != nil || f.Snapshot().BaseURL != s.BaseURL {
		t.Errorf("a second start: %v, %s", err, f.Snapshot().BaseURL)
	}
	running := post(t, s.BaseURL, "demo:long 30")
	begun(t, running)
	if n := f.until(t, "a request", func(s state.Snapshot) bool { return s.Active == 1 }); n.Face() != state.FaceBusy {
		t.Errorf("%s", n.Face())
	}
	if err := f.StopProxy(t.Context()); err != nil || status(s.BaseURL) != 0 {
		t.Errorf("stop: %v, the port answers %d", err, status(s.BaseURL))
	}
	if text, err := all(t, running); err != nil || !strings.Contains(text, "message_stop") {
		t.Errorf("the stream that ran: %v %q", err, text)
	}
	f.phase(t, state.Stopped)
	if err := f.StopProxy(t.Context()); err != nil || f.CopyText("openai") != "" {
		t.Errorf("a second stop: %v, %q", err, f.CopyText("openai"))
	}
	if err := f.StartProxy(t.Context()); err != nil {
		t.Fatal(err)
	}
	s = f.phase(t, state.Running)
	if f.CopyText("openai") != s.BaseURL+"/v1" || f.CopyText("anthropic") != s.BaseURL || f.CopyText("key") != "" || f.CopyText("x") != "" {
		t.Error("copied texts are wrong")
	}
	for name, intent := range map[string]error{
		"provider": f.UseProvider(t.Context(), "bigmodel"), "plan": f.UsePlan(t.Context(), "start-plan"),
		"language": f.SetLanguage(t.Context(), "zh-Hans"),
	} {
		if intent != nil {
			t.Errorf("%s: %v", name, intent)
		}
	}
	s = f.Snapshot()
	if s.Provider != "bigmodel" || s.Plan != "start-plan" || s.Language.InForce != "zh-Hans" || s.Account.Known {
		t.Errorf("%+v", s)
	}
	want := "# mine\nprovider: bigmodel # the demo\nserver:\n  port: 0\napp:\n  language: zh-Hans\nplan: start-plan\n"
	if got := read(t, f.file); got != want {
		t.Errorf("the file has\n%s\nwant\n%s", got, want)
	}
	var wrong *settings.Error
	if err := f.UseProvider(t.Context(), "nobody"); !errors.As(err, &wrong) || f.Snapshot().Provider != "bigmodel" || read(t, f.file) != want {
		t.Errorf("a provider that there is not: %v", err)
	}
}

// TestChoiceAgainstTheCommandLine holds that what a person chooses is newer than a flag,
// and that the environment cannot be overruled.
func TestChoiceAgainstTheCommandLine(t *testing.T) {
	t.Parallel()
	f := &fixture{ended: make(chan error, 1)}
	f.options, _ = load(t, "server:\n  port: 0\n")
	f.file, f.options.Desktop = f.options.Settings.Path, true
	f.options.Settings.Flags = append(f.options.Settings.Flags, settings.Override{Key: "provider", Value: "demo", Flag: "--demo"})
	inner := f.options.Settings.Env
	f.options.Settings.Env = func(name string) string {
		if name == "ZCODE_PLAN" {
			return "coding-plan"
		}
		return inner(name)
	}
	f.begin(t)
	if s := f.phase(t, state.Running); s.Provider != "demo" || s.Fixed["plan"] != "ZCODE_PLAN" {
		t.Errorf("%+v", s)
	}
	if err := f.UseProvider(t.Context(), "zai"); err != nil || f.Snapshot().Provider != "zai" {
		t.Errorf("%v, %s", err, f.Snapshot().Provider)
	}
	// What was read with the flag, and comes late, does not bring it back.
	late, err := settings.Load(f.options.Settings)
	if f.reloaded(0, late, err); err != nil || late.Settings.Provider != "demo" || f.Snapshot().Provider != "zai" {
		t.Errorf("%v, %s after %s came late", err, f.Snapshot().Provider, late.Settings.Provider)
	}
	var fixed *FixedError
	if err := f.UsePlan(t.Context(), "start-plan"); !errors.As(err, &fixed) || fixed.Variable != "ZCODE_PLAN" {
		t.Errorf("%v", err)
	}
	if problems := f.CheckSettings([]settings.Change{{Key: "plan", Value: "start-plan"}}); len(problems) != 1 {
		t.Errorf("%v", problems)
	}
	// The file is still watched, without the flag.
	configure(t, f.file, "provider: bigmodel\nserver:\n  port: 0\n")
	f.until(t, "the file's provider", func(s state.Snapshot) bool { return s.Provider == "bigmodel" })
}

// TestBrokenFile holds that the desktop program starts with a file that is wrong, with
// the last good settings or else the defaults, says what is wrong, and takes the repair.
func TestBrokenFile(t *testing.T) {
	t.Parallel()
	f, shown := desktop(t, demoConfig+"plan: start-plan\n", nil)
	f.phase(t, state.Running)
	configure(t, f.file, demoConfig+"plan: nonsense\n")
	s := f.until(t, "the mistake", func(s state.Snapshot) bool { return len(s.Problems) > 0 })
	if p := s.Problems[0]; p.Kind != state.ProblemSettings || len(p.Details) != 1 || !strings.Contains(p.Details[0], "config.yaml:4:7: plan") {
		t.Errorf("%+v", s.Problems)
	}
	if s.Plan != "start-plan" || s.Face() != state.FaceProblem {
		t.Errorf("%+v", s)
	}
	waitFor(t, "a notification", func() bool { return shown.count("mistake")+shown.count("错误") == 1 })

	again := &fixture{options: f.options, file: f.file, ended: make(chan error, 1)}
	home := t.TempDir()
	if err := os.MkdirAll(filepath.Join(home, "state"), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(home, "state", goodName), []byte(read(t, filepath.Join(f.Dirs().State, goodName))), 0o600); err != nil {
		t.Fatal(err)
	}
	again.options.Settings.Env = func(name string) string { return map[string]string{"GLMTRAY_HOME": home}[name] }
	again.begin(t)
	s = again.phase(t, state.Running)
	if p, ok := s.Problem(state.ProblemSettings); !ok || s.Plan != "start-plan" || s.Provider != "demo" || s.ConfigFile != f.file {
		t.Errorf("%+v, %+v", p, s)
	}
	if err := again.UseProvider(t.Context(), "zai"); err == nil {
		t.Error("a change of a file that stays wrong: no error")
	}
	if err := again.UsePlan(t.Context(), "coding-plan"); err != nil {
		t.Errorf("the repair: %v", err)
	}
	if s = again.Snapshot(); len(s.Problems) != 0 || s.Plan != "coding-plan" {
		t.Errorf("after the repair: %+v", s)
	}
	f.until(t, "the repair", func(s state.Snapshot) bool { return len(s.Problems) == 0 && s.Plan == "coding-plan" })
}

// TestBrokenFileFromTheStart holds that without a good copy the defaults run.
func TestBrokenFileFromTheStart(t *testing.T) {
	t.Parallel()
	f := &fixture{ended: make(chan error, 1)}
	f.options, _ = load(t, "server: [\n")
	f.options.Desktop = true
	f.options.Settings.Flags = append(f.options.Settings.Flags, settings.Override{Key: "server.port", Value: "0", Flag: "--port"})
	f.begin(t)
	s := f.phase(t, state.Running)
	if _, ok := s.Problem(state.ProblemSettings); !ok || s.Provider != "zai" {
		t.Errorf("%+v", s)
	}
	if _, err := f.Loaded(); err == nil {
		t.Error("the mistake is not told")
	}
}

// TestFileHasGone holds that a change does not put the defaults in force when the
// config folder was deleted.
func TestFileHasGone(t *testing.T) {
	t.Parallel()
	f, _ := desktop(t, demoConfig+keyed, nil)
	f.phase(t, state.Running)
	if err := os.Remove(f.file); err != nil {
		t.Fatal(err)
	}
	f.until(t, "the loss to be told", func(s state.Snapshot) bool { return len(s.Problems) > 0 })
	if err := f.UsePlan(t.Context(), "start-plan"); err != nil {
		t.Fatal(err)
	}
	s := f.Snapshot()
	if len(s.Problems) != 0 || s.Plan != "start-plan" || !s.ProxyKey || read(t, f.file) != demoConfig+keyed+"plan: start-plan\n" {
		t.Errorf("%+v: %s", s, read(t, f.file))
	}
}

func TestPortIsTaken(t *testing.T) {
	t.Parallel()
	taken := somePort(t, true)
	f, shown := desktop(t, "provider: demo\napp:\n  language: en\nserver:\n  port: "+taken+"\n", nil)
	s := f.phase(t, state.Failed)
	p, ok := s.Problem(state.ProblemPort)
	if !ok || p.FreePort == 0 || strconv.Itoa(p.FreePort) == taken {
		t.Fatalf("%+v", s.Problems)
	}
	waitFor(t, "a notification", func() bool { return shown.count("Port "+taken) == 1 })
	if err := f.StartProxy(t.Context()); err == nil {
		t.Error("started on a port that is taken")
	}
	var fault *PortError
	if err := f.ChangeSettings(t.Context(), []settings.Change{{Key: "server.port", Value: strconv.Itoa(p.FreePort)}}); err != nil {
		t.Fatal(err)
	}
	if err := f.UsePort(t.Context(), p.FreePort); err != nil {
		t.Fatal(err)
	}
	if s = f.phase(t, state.Running); len(s.Problems) != 0 || !strings.HasSuffix(s.BaseURL, ":"+strconv.Itoa(p.FreePort)) {
		t.Errorf("%+v", s)
	}
	before := read(t, f.file)
	number, _ := strconv.Atoi(taken)
	if err := f.UsePort(t.Context(), number); !errors.As(err, &fault) || fault.Port != number || read(t, f.file) != before || status(s.BaseURL) != http.StatusOK {
		t.Errorf("moving to a port that is taken: %v", err)
	}
}

// TestNotStarted holds app.startProxy.
func TestNotStarted(t *testing.T) {
	t.Parallel()
	f, _ := desktop(t, demoConfig+"app:\n  startProxy: false\n", nil)
	if s := f.phase(t, state.Stopped); s.BaseURL != "" {
		t.Errorf("%+v", s)
	}
	if err := f.StartProxy(t.Context()); err != nil {
		t.Error(err)
	}
	f.phase(t, state.Running)
}

// TestRecords holds what is kept of requests, and that a quota that is used up is told
// once.
func TestRecords(t *testing.T) {
	t.Parallel()
	f, shown := desktop(t, demoConfig+"app:\n  language: en\nretry:\n  maxRetries: 1\n  baseDelayMs: 1\n", nil)
	base := f.phase(t, state.Running).BaseURL
	if _, err := all(t, post(t, base, "Hello")); err != nil {
		t.Fatal(err)
	}
	for range 2 {
		post(t, base, "demo:error 1308")
	}
	s := f.until(t, "the quota", func(s state.Snapshot) bool { return len(s.Problems) > 0 })
	if s.Problems[0].Kind != state.ProblemQuota {
		t.Errorf("%+v", s.Problems)
	}
	page := f.Exchanges().After("", 0)
	waitFor(t, "three records", func() bool {
		page = f.Exchanges().After("", 0)
		return len(page.Items) == 3 && page.Items[2].Value.State != history.Running
	})
	first, third := page.Items[0].Value, page.Items[2].Value
	if first.State != history.Done || first.Lane != history.Native || first.Output == 0 || first.Dialect != "messages" || first.Status != 200 || first.Duration == 0 && first.FirstByte == 0 {
		t.Errorf("%+v", first)
	}
	if third.State != history.Failed || third.Failure == nil || third.Failure.Kind != "quota" || third.Failure.Code != "1308" {
		t.Errorf("%+v", third)
	}
	waitFor(t, "a notification", func() bool { return shown.count("quota") == 1 })
	if log := read(t, f.logFile); !strings.Contains(log, "kind=quota") || strings.Contains(log, "Usage limit") {
		t.Errorf("the log repeats what the provider said: %s", log)
	}
	f.Dismiss(state.ProblemQuota)
	if len(f.Snapshot().Problems) != 0 {
		t.Error("a problem that was dismissed is still there")
	}
	post(t, base, "demo:error 1308")
	f.until(t, "the quota again", func(s state.Snapshot) bool { return len(s.Problems) > 0 })
	if _, err := all(t, post(t, base, "Hello")); err != nil {
		t.Fatal(err)
	}
	f.until(t, "the end of the problem", func(s state.Snapshot) bool { return len(s.Problems) == 0 })
}

// TestNoKey holds that a request without any key is told, unless that is not wanted.
func TestNoKey(t *testing.T) {
	t.Parallel()
	f, shown := desktop(t, "server:\n  port: 0\napp:\n  language: en\n  notify:\n    login: false\n", nil)
	base := f.phase(t, state.Running).BaseURL
	if got := post(t, base, "Hello").StatusCode; got != http.StatusUnauthorized {
		t.Errorf("status %d", got)
	}
	f.until(t, "the missing key", func(s state.Snapshot) bool {
		return len(s.Problems) == 1 && s.Problems[0].Kind == state.ProblemLogin
	})
	if err := f.ChangeSettings(t.Context(), []settings.Change{{Key: "auth.apiKey", Value: ownKey}}); err != nil {
		t.Fatal(err)
	}
	s := f.until(t, "the key", func(s state.Snapshot) bool { return s.Account.Known && len(s.Problems) == 0 })
	if strings.Contains(s.Account.Hint, ownKey) || s.Account.Hint == "" || !strings.Contains(s.Account.Origin, "config.yaml") {
		t.Errorf("%+v", s.Account)
	}
	if shown.count("key") != 0 {
		t.Errorf("%v", shown.texts)
	}
}

// TestCrash holds that a part that panics takes nothing with it, and is told.
func TestCrash(t *testing.T) {
	t.Parallel()
	f, _ := desktop(t, demoConfig, nil)
	base := f.phase(t, state.Running).BaseURL
	f.spawn("a part", func() { panic("oops") })
	s := f.until(t, "the crash", func(s state.Snapshot) bool { return len(s.Problems) == 1 })
	if p := s.Problems[0]; p.Kind != state.ProblemProxy || p.Details[0] != "a part: oops" || status(base) != http.StatusOK {
		t.Errorf("%+v", s)
	}
	f.mu.Lock()
	d := f.door
	f.mu.Unlock()
	f.fell(d, errors.New("fault"))
	if s := f.phase(t, state.Failed); s.BaseURL != "" {
		t.Errorf("%+v", s)
	}
}

// TestLogCannotBeWritten holds that a full disk is told and stops nothing. /dev/full is
// a file on a full disk.
func TestLogCannotBeWritten(t *testing.T) {
	t.Parallel()
	if _, err := os.Stat("/dev/full"); err != nil {
		t.Skip("this system has no /dev/full")
	}
	f := &fixture{ended: make(chan error, 1)}
	f.options, _ = load(t, demoConfig)
	f.options.Desktop = true
	f.options.Settings.Flags = []settings.Override{{Key: "logging.file", Value: "/dev/full", Flag: "--log"}}
	f.begin(t)
	s := f.until(t, "the full disk", func(s state.Snapshot) bool {
		_, ok := s.Problem(state.ProblemLog)
		return ok && s.Phase == state.Running
	})
	if _, err := all(t, post(t, s.BaseURL, "Hello")); err != nil {
		t.Error(err)
	}
}

// TestQuit holds that Quit ends Run.
func TestQuit(t *testing.T) {
	t.Parallel()
	f, _ := desktop(t, demoConfig, nil)
	f.phase(t, state.Running)
	f.Quit()
	if err := f.wait(t); err != nil {
		t.Error(err)
	}
}
