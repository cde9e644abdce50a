package main_test

import (
	"context"
	"encoding/json"
	"io"
	"net/http"
	"net/http/cookiejar"
	"os"
	"path/filepath"
	"regexp"
	"runtime"
	"strings"
	"testing"

	"glmtray/app/state"
)

// desktop starts the program as a click does: without a command. The machine has no
// desktop session unless env has one.
func (m *machine) desktop(t *testing.T, env []string, args ...string) *server {
	t.Helper()
	s := &server{cmd: m.command(context.Background(), env, args...), ended: make(chan struct{})}
	s.cmd.Stdout, s.cmd.Stderr = &s.stdout, &s.stderr
	if err := s.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	go func() {
		defer close(s.ended)
		_ = s.cmd.Wait() // the exit code is looked at where it matters
	}()
	t.Cleanup(func() {
		if !s.gone() {
			stop(t, s.cmd.Process)
			if code := s.wait(t); code != stopCode {
				t.Errorf("glmtray ended with %d after it was told to stop", code)
			}
		}
		if t.Failed() {
			log, _ := os.ReadFile(m.logFile())
			t.Logf("printed:\n%s\nlog:\n%s", s.stderr.String(), log)
		}
	})
	waitFor(t, "the program's control address", func() bool {
		_, err := os.Stat(filepath.Join(m.home, "glmtray", "state", "control.json"))
		return err == nil || s.gone()
	})
	return s
}

func (m *machine) logFile() string {
	return filepath.Join(m.home, "glmtray", "state", "logs", "glmtray.log")
}

// status is what `glmtray status --json` says.
func (m *machine) status(t *testing.T) (s state.Snapshot) {
	t.Helper()
	got := m.run(t, nil, "status", "--json")
	if got.code != 0 {
		t.Fatalf("status: %d %s", got.code, got.stderr)
	}
	if err := json.Unmarshal([]byte(got.stdout), &s); err != nil {
		t.Fatal(err)
	}
	return s
}

// until waits for a status.
func (m *machine) until(t *testing.T, what string, holds func(state.Snapshot) bool) (s state.Snapshot) {
	t.Helper()
	waitFor(t, what, func() bool { s = m.status(t); return holds(s) })
	return s
}

const demoDesktop = "provider: demo\nserver:\n  port: 0\n"

// TestWithoutADesktop holds that the program serves on where there is no session bus,
// says why there is no icon and what to do, once, and ends when it is told to.
func TestWithoutADesktop(t *testing.T) {
	t.Parallel()
	m := newMachine(t)
	m.configure(t, demoDesktop)
	s := m.desktop(t, nil)
	status := m.until(t, "the proxy", func(s state.Snapshot) bool { return s.Phase == state.Running && len(s.Problems) > 0 })
	if status.Icon.Shown || status.Problems[0].Kind != state.ProblemTray || status.Headless {
		t.Errorf("%+v", status)
	}
	if code, _ := fetch(t, status.BaseURL+chatPath, conversation("Hello", false)); code != http.StatusOK {
		t.Errorf("status %d", code)
	}
	waitFor(t, "words about the icon", func() bool { return strings.Contains(s.stderr.String(), "glmtray open") })
	if n := strings.Count(s.stderr.String(), "no desktop session"); n != 1 {
		t.Errorf("it says so %d times: %s", n, s.stderr.String())
	}
	wants(t, m.run(t, nil, "status").stdout, "Problem: There is no desktop session", "Remedy: The program goes on")
	stop(t, s.cmd.Process)
	if code := s.wait(t); code != stopCode {
		t.Errorf("ended with %d", code)
	}
	if got := m.run(t, nil, "status"); got.code != 1 || !strings.Contains(got.stderr, "does not run") {
		t.Errorf("status afterwards: %+v", got)
	}
}

// TestControl has the command line talk to a running program, with and without a tray.
func TestControl(t *testing.T) {
	t.Parallel()
	for name, start := range map[string]func(*testing.T, *machine){
		"desktop": func(t *testing.T, m *machine) { m.desktop(t, nil) },
		"serve":   func(t *testing.T, m *machine) { m.serve(t, nil) },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			m := newMachine(t)
			m.configure(t, demoDesktop)
			for _, command := range []string{"status", "start", "stop", "open", "logs", "quit"} {
				if got := m.run(t, nil, command); got.code != 1 || !strings.Contains(got.stderr, "does not run; start it with") {
					t.Errorf("%s: %+v", command, got)
				}
			}
			start(t, m)
			running := m.until(t, "the proxy", func(s state.Snapshot) bool { return s.Phase == state.Running })
			wants(t, m.run(t, nil, "status").stdout, "GLM Tray ", "Proxy: running on "+running.BaseURL, "Provider: demo", "Requests: 0 running, 0 queued")
			if got := m.run(t, nil, "stop"); got.code != 0 || got.stdout == "" {
				t.Errorf("stop: %+v", got)
			}
			m.until(t, "the end of the proxy", func(s state.Snapshot) bool { return s.Phase == state.Stopped })
			if _, err := http.Get(running.BaseURL); err == nil {
				t.Error("the port is open after stop")
			}
			if got := m.run(t, nil, "start"); got.code != 0 {
				t.Errorf("start: %+v", got)
			}
			again := m.until(t, "the proxy again", func(s state.Snapshot) bool { return s.Phase == state.Running })
			if code, _ := fetch(t, again.BaseURL+messagesPath, conversation("Hello", false)); code != http.StatusOK {
				t.Errorf("status %d", code)
			}
			wants(t, m.run(t, nil, "logs").stdout, "INFO  the proxy runs", "INFO  request", "status=200")
			if got := m.run(t, nil, "quit"); got.code != 0 {
				t.Errorf("quit: %+v", got)
			}
			if got := m.run(t, nil, "status"); got.code != 1 {
				t.Errorf("status after quit: %+v", got)
			}
		})
	}
}

// opener is a machine whose desktop opens addresses by writing them down.
func opener(t *testing.T) (m *machine, env []string, opened func() []string) {
	t.Helper()
	if runtime.GOOS != "linux" {
		t.Skip("the test stands in for xdg-open")
	}
	m = newMachine(t)
	tools, file := t.TempDir(), filepath.Join(m.home, "opened")
	script := "#!/bin/sh\necho \"$1\" >> '" + file + "'\n"
	if err := os.WriteFile(filepath.Join(tools, "xdg-open"), []byte(script), 0o700); err != nil {
		t.Fatal(err)
	}
	env = []string{"DISPLAY=:99", "PATH=" + tools + ":/usr/bin:/bin"}
	return m, env, func() []string {
		text, err := os.ReadFile(file)
		if err != nil && !os.IsNotExist(err) {
			t.Fatal(err)
		}
		return strings.Fields(string(text))
	}
}

// visit opens a link of the log window as a browser does.
func visit(t *testing.T, link string) (*http.Client, string) {
	t.Helper()
	jar, err := cookiejar.New(nil)
	if err != nil {
		t.Fatal(err)
	}
	browser := &http.Client{Jar: jar, Timeout: patience}
	resp, err := browser.Get(link)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	if err != nil || resp.StatusCode != http.StatusOK {
		t.Fatalf("%d %v: %s", resp.StatusCode, err, text)
	}
	return browser, string(text)
}

// TestSecondStart holds that a second start opens the window of the first, and ends.
func TestSecondStart(t *testing.T) {
	t.Parallel()
	m, env, opened := opener(t)
	m.configure(t, demoDesktop)
	first := m.desktop(t, env)
	m.until(t, "the proxy", func(s state.Snapshot) bool { return s.Phase == state.Running })
	if got := m.run(t, env); got.code != 0 {
		t.Fatalf("%+v", got)
	}
	if got := m.run(t, env, "open", "nonsense"); got.code != 2 || !strings.Contains(got.stderr, "there is no page") {
		t.Errorf("open nonsense: %d %s", got.code, got.stderr)
	}
	for _, page := range []string{"", "settings/auth.apiKey"} {
		if got := m.run(t, nil, "open", page); got.code != 0 {
			t.Errorf("open %q: %d %s", page, got.code, got.stderr)
		}
	}
	if got := m.run(t, env, "open", "settings"); got.code != 0 {
		t.Fatalf("%+v", got)
	}
	links := opened()
	if len(links) != 2 || !strings.HasSuffix(links[1], "&ticket="+links[1][len(links[1])-64:]) || !strings.Contains(links[1], "page=settings") {
		t.Fatalf("%q", links)
	}
	browser, page := visit(t, links[0])
	wants(t, page, "<!doctype html>", "/js/main.js")
	if resp, err := http.Get(links[0]); err != nil || resp.StatusCode != http.StatusForbidden {
		t.Errorf("a link works twice: %v %v", resp.StatusCode, err)
	}
	base := links[0][:strings.Index(links[0], "/open")]
	resp, err := browser.Get(base + "/api/boot")
	if err != nil || resp.StatusCode != http.StatusOK {
		t.Errorf("%v %v", resp.StatusCode, err)
	}
	if first.gone() {
		t.Error("the first has ended")
	}
	// Where there is no browser the address is printed.
	got := m.run(t, nil, "open")
	if !regexp.MustCompile(`(?m)^http://127\.0\.0\.1:\d+/open\?ticket=[0-9a-f]{64}$`).MatchString(got.stdout) || got.code != 0 {
		t.Errorf("%+v", got)
	}
}

// TestAutostart turns launch at login on and off.
func TestAutostart(t *testing.T) {
	t.Parallel()
	if runtime.GOOS != "linux" {
		t.Skip("the test looks at a .desktop file")
	}
	m := newMachine(t)
	entry := filepath.Join(m.home, ".config", "autostart", "glmtray.desktop")
	for _, step := range []struct{ command, says string }{{"status", "off"}, {"on", "on"}, {"status", "on"}, {"off", "off"}, {"status", "off"}} {
		got := m.run(t, nil, "autostart", step.command)
		if got.code != 0 || strings.TrimSpace(got.stdout) != "Launch at login: "+step.says {
			t.Errorf("%s: %+v", step.command, got)
		}
		text, err := os.ReadFile(entry)
		if (err == nil) != (step.says == "on") {
			t.Errorf("after %s: %v", step.command, err)
		}
		if err == nil && !strings.Contains(string(text), "\nExec="+program+" --hidden\n") {
			t.Errorf("%s", text)
		}
	}
	// An entry that leads to where the program was is led to where it is.
	m.configure(t, demoDesktop)
	if err := os.WriteFile(entry, []byte("[Desktop Entry]\nType=Application\nName=GLM Tray\nExec=/gone/glmtray --hidden\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	m.desktop(t, nil)
	waitFor(t, "the repair", func() bool {
		text, err := os.ReadFile(entry)
		return err == nil && strings.Contains(string(text), "\nExec="+program+" --hidden\n")
	})
	if s := m.status(t); !s.Autostart.Enabled || !s.Autostart.Possible {
		t.Errorf("%+v", s.Autostart)
	}
}

// TestTakenPort holds that the desktop program stays when its port is taken, and says
// by whom.
func TestTakenPort(t *testing.T) {
	t.Parallel()
	m, other := newMachine(t), newMachine(t)
	other.configure(t, demoDesktop)
	holder := other.serve(t, nil)
	port := holder.url[strings.LastIndexByte(holder.url, ':')+1:]
	m.configure(t, "provider: demo\nserver:\n  port: "+port+"\n")
	m.desktop(t, nil)
	s := m.until(t, "the failure", func(s state.Snapshot) bool { return s.Phase == state.Failed })
	p, ok := s.Problem(state.ProblemPort)
	if !ok || p.FreePort == 0 || p.Text.ID != "notice.port.ours" {
		t.Fatalf("%+v", s.Problems)
	}
	// "serve" says it on the way out.
	third := newMachine(t)
	got := third.run(t, nil, "serve", "--demo", "--port", takenPort(t))
	wants(t, got.stderr, "it is used by glmtray.test (process ", "--port")
}

// TestChinese holds that the command line follows the language.
func TestChinese(t *testing.T) {
	t.Parallel()
	m := newMachine(t)
	wants(t, m.run(t, []string{"LANG=zh_CN.UTF-8"}, "status").stderr, "没有运行")
	wants(t, m.run(t, []string{"GLMTRAY_LANGUAGE=zh-Hans"}, "--help").stdout, "运行代理", "启动时不打开窗口")
}

// TestBrokenConfig holds that the desktop program starts with a config file that is
// wrong, and says where.
func TestBrokenConfig(t *testing.T) {
	t.Parallel()
	m := newMachine(t)
	m.configure(t, "provider: demo\nserver:\n  prot: 1\n")
	m.desktop(t, []string{"ZCODE_PROXY_PORT=0"}, "--config", m.config())
	s := m.until(t, "the mistake", func(s state.Snapshot) bool { return s.Phase == state.Running && len(s.Problems) > 0 })
	if s.Problems[0].Kind != state.ProblemSettings || !strings.Contains(s.Problems[0].Details[0], "config.yaml:3:3: server.prot") {
		t.Errorf("%+v", s.Problems)
	}
	m.configure(t, demoDesktop)
	m.until(t, "the repair", func(s state.Snapshot) bool {
		_, wrong := s.Problem(state.ProblemSettings)
		return !wrong && s.Provider == "demo"
	})
}

// TestNowhereToWrite holds that the program serves on where it may write nothing, and
// says so. No folder can be made below /proc, not even by root.
func TestNowhereToWrite(t *testing.T) {
	t.Parallel()
	if runtime.GOOS != "linux" {
		t.Skip("the test needs /proc")
	}
	m := newMachine(t)
	port := freePort(t)
	m.configure(t, "provider: demo\nserver:\n  port: "+port+"\n")
	cmd := m.command(t.Context(), []string{"GLMTRAY_HOME=/proc/nowhere"})
	var out output
	cmd.Stdout, cmd.Stderr = &out, &out
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	waitFor(t, "the proxy", func() bool {
		resp, err := http.Get("http://127.0.0.1:" + port + "/health")
		if err == nil {
			resp.Body.Close()
		}
		return err == nil
	})
	waitFor(t, "words about the folder", func() bool { return strings.Contains(out.String(), "/proc/nowhere/state could not be written") })
	if code, _ := fetch(t, "http://127.0.0.1:"+port+chatPath, conversation("Hello", false)); code != http.StatusOK {
		t.Errorf("status %d", code)
	}
	stop(t, cmd.Process)
	if err := cmd.Wait(); err != nil {
		t.Error(err)
	}
}
