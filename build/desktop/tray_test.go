//go:build desktop && linux

package desktop

import (
	"context"
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/godbus/dbus/v5"

	"glmtray/app/state"
)

// TestPanels clicks through the menu with the pointer, in real panels, and looks at
// what each click does.
func TestPanels(t *testing.T) {
	for _, panel := range []string{"xfce4-panel", "lxqt-panel"} {
		t.Run(panel, func(t *testing.T) {
			var elsewhere atomic.Int32
			other := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				if r.Method == http.MethodPost { // not the one that only opens a connection
					elsewhere.Add(1)
				}
				http.Error(w, `{"type":"error","error":{"type":"invalid_request_error","message":"elsewhere"}}`, http.StatusBadRequest)
			}))
			defer other.Close()
			s := newSession(t)
			s.screen()
			s.panel(panel)
			opened := s.opener()
			p := s.place()
			p.configure(t, config+"auth:\n  apiKey: 0123456789abcdef.secretsecret\nproviders:\n  bigmodel:\n    anthropicBase: "+other.URL+"\n")
			cmd := p.start(t)
			p.running(t)
			pid := cmd.Process.Pid
			waitFor(t, "the icon", func() bool { return len(s.items()) == 1 })
			p.until(t, "the icon to be known", func(s state.Snapshot) bool { return s.Icon.Shown })
			base := clickStopAndStart(t, s, p, panel, pid)
			clickProvider(t, s, p, panel, pid, base, &elsewhere)
			clickAutostart(t, s, p, panel, pid)
			s.choose(panel, pid, "Open log window")
			waitFor(t, "the browser", func() bool {
				links := opened()
				return len(links) == 1 && strings.Contains(links[0], "/open?page=activity&ticket=")
			})
			s.choose(panel, pid, "Copy", "OpenAI base URL")
			waitFor(t, "the address in the clipboard", func() bool { return s.clipboard() == p.running(t).BaseURL+"/v1" })
			s.choose(panel, pid, "Quit")
			if err := cmd.Wait(); err != nil {
				t.Errorf("after Quit: %v", err)
			}
		})
	}
}

func clickStopAndStart(t *testing.T, s *session, p *place, panel string, pid int) string {
	t.Helper()
	s.picture(panel + "-running")
	base := p.running(t).BaseURL
	s.choose(panel, pid, "Stop the proxy")
	p.until(t, "the proxy to stop", func(s state.Snapshot) bool { return s.Phase == state.Stopped })
	if conn, err := net.Dial("tcp", strings.TrimPrefix(base, "http://")); err == nil {
		conn.Close()
		t.Error("the port is open after Stop")
	}
	waitFor(t, "the status line", func() bool { _, ok := s.menu(pid).find("○ Stopped"); return ok })
	s.picture(panel + "-stopped")
	s.choose(panel, pid, "Start the proxy")
	base = p.running(t).BaseURL
	if code, _ := ask(t, base, claude, "Hello"); code != http.StatusOK {
		t.Errorf("after Start: %d", code)
	}
	return base
}

func clickProvider(t *testing.T, s *session, p *place, panel string, pid int, base string, elsewhere *atomic.Int32) {
	t.Helper()
	type answer struct {
		code int
		text string
	}
	done := make(chan answer, 1)
	go func() {
		code, text := ask(t, base, claude, "demo:long 400")
		done <- answer{code, text}
	}()
	p.until(t, "the stream", func(s state.Snapshot) bool { return s.Active == 1 })
	waitFor(t, "the running request in the menu", func() bool { _, ok := s.menu(pid).find("1 running"); return ok })
	s.picture(panel + "-busy")
	s.choose(panel, pid, "Provider", "Bigmodel")
	p.until(t, "the provider", func(s state.Snapshot) bool { return s.Provider == "bigmodel" })
	if code, text := ask(t, base, claude, "Hello"); code != http.StatusBadRequest || !strings.Contains(text, "elsewhere") || elsewhere.Load() != 1 {
		t.Errorf("the next request: %d %s", code, text)
	}
	if a := <-done; a.code != http.StatusOK || !strings.Contains(a.text, "word 400 ") || !strings.Contains(a.text, "message_stop") {
		t.Errorf("the stream that ran: %d, %d bytes", a.code, len(a.text))
	}
	if e, ok := s.menu(pid).find("Provider", "Bigmodel"); !ok || !e.ticked {
		t.Error("Bigmodel has no tick")
	}
	s.choose(panel, pid, "Plan", "Start plan")
	p.until(t, "the plan", func(s state.Snapshot) bool { return s.Plan == "start-plan" })
	if text := p.settings(t); !strings.Contains(text, "provider: bigmodel # needs no account\n") || !strings.Contains(text, "plan: start-plan\n") {
		t.Errorf("the config file has\n%s", text)
	}
}

func clickAutostart(t *testing.T, s *session, p *place, panel string, pid int) {
	t.Helper()
	s.choose(panel, pid, "Launch at login")
	p.until(t, "launch at login", func(s state.Snapshot) bool { return s.Autostart.Enabled })
	file := filepath.Join(s.home, ".config", "autostart", "glmtray.desktop")
	text, err := os.ReadFile(file)
	if err != nil || !strings.Contains(string(text), "--hidden") {
		t.Errorf("%v: %s", err, text)
	}
	if out, err := exec.Command(need(t, "desktop-file-validate"), file).CombinedOutput(); err != nil {
		t.Errorf("%v: %s", err, out)
	}
	s.choose(panel, pid, "Launch at login")
	p.until(t, "launch at login to end", func(s state.Snapshot) bool { return !s.Autostart.Enabled })
}

// TestWelcome holds that somebody without a key is shown the window, but not at login.
func TestWelcome(t *testing.T) {
	for args, want := range map[string]int{"": 1, "--hidden": 0} {
		s := newSession(t)
		(&fakeWatcher{}).begin(t, s.bus)
		opened := s.opener()
		p := s.place("DISPLAY=:none")
		p.configure(t, "server:\n  port: 0\n")
		p.start(t, strings.Fields(args)...)
		p.until(t, "the icon", func(s state.Snapshot) bool { return s.Phase == state.Running && s.Icon.Shown })
		if want > 0 {
			waitFor(t, "the window", func() bool { return len(opened()) == want })
		}
		if got := opened(); len(got) != want {
			t.Errorf("%q opened %q", args, got)
		}
	}
}

// TestPanelComesAndGoes holds that the program says that there is no place for the icon,
// gives the icon to a panel that appears later, and again after the panel was restarted.
func TestPanelComesAndGoes(t *testing.T) {
	s := newSession(t)
	s.screen()
	p := s.place()
	p.start(t)
	p.running(t)
	told := func(s state.Snapshot) bool { _, ok := s.Problem(state.ProblemTray); return ok && !s.Icon.Shown }
	if st := p.until(t, "word of the missing tray", told); st.Problems[0].Text.ID != "notice.tray.nohost" || st.Face() != state.FaceRunning {
		t.Errorf("%+v", st)
	}
	panel := s.panel("xfce4-panel")
	shown := func(s state.Snapshot) bool { _, ok := s.Problem(state.ProblemTray); return !ok && s.Icon.Shown }
	p.until(t, "the icon", shown)
	waitFor(t, "the icon in the panel", func() bool { return len(s.items()) == 1 })
	if err := panel.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	p.until(t, "the loss of the icon", func(s state.Snapshot) bool { return !s.Icon.Shown })
	s.panel("xfce4-panel")
	p.until(t, "the icon again", shown)
	waitFor(t, "the icon in the panel again", func() bool { return len(s.items()) == 1 })
}

// TestBusComesLater holds that a program that was started without a session gets its
// icon when there is one.
func TestBusComesLater(t *testing.T) {
	s := newSession(t)
	hidden := filepath.Join(s.home, "run", "hidden")
	socket := filepath.Join(s.home, "run", "bus")
	if err := os.Rename(socket, hidden); err != nil {
		t.Fatal(err)
	}
	env := []string{"XDG_RUNTIME_DIR=" + filepath.Join(s.home, "run"), "HOME=" + s.home}
	p := newPlace(t, env...)
	cmd := p.start(t)
	p.until(t, "word of the missing bus", func(s state.Snapshot) bool { _, ok := s.Problem(state.ProblemTray); return ok })
	if err := os.Rename(hidden, socket); err != nil {
		t.Fatal(err)
	}
	watcher := &fakeWatcher{}
	watcher.begin(t, s.bus)
	waitFor(t, "the registration", func() bool { return watcher.count() > 0 })
	if _, ok := s.menu(cmd.Process.Pid).find("Quit"); !ok {
		t.Errorf("the menu:\n%s", s.menu(cmd.Process.Pid).text(""))
	}
	p.until(t, "the icon", func(s state.Snapshot) bool { return s.Icon.Shown })
}

// fakeWatcher is a desktop's registry of icons.
type fakeWatcher struct {
	mu    sync.Mutex
	items []string
}

// RegisterStatusNotifierItem is called by icons over the bus.
func (w *fakeWatcher) RegisterStatusNotifierItem(item string) *dbus.Error {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.items = append(w.items, item)
	return nil
}

func (w *fakeWatcher) count() int {
	w.mu.Lock()
	defer w.mu.Unlock()
	return len(w.items)
}

// begin puts the registry on the bus.
func (w *fakeWatcher) begin(t *testing.T, bus *dbus.Conn) {
	t.Helper()
	if err := bus.Export(w, watcherPath, watcher); err != nil {
		t.Fatal(err)
	}
	if _, err := bus.RequestName(watcher, dbus.NameFlagDoNotQueue); err != nil {
		t.Fatal(err)
	}
}

// notifications is a desktop's notification service.
type notifications struct {
	mu    sync.Mutex
	texts []string
}

// Notify is called by programs over the bus.
func (n *notifications) Notify(_ string, _ uint32, _, title, text string, _ []string, _ map[string]dbus.Variant, _ int32) (uint32, *dbus.Error) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.texts = append(n.texts, title+": "+text)
	return uint32(len(n.texts)), nil
}

func (n *notifications) all() string {
	n.mu.Lock()
	defer n.mu.Unlock()
	return strings.Join(n.texts, "\n")
}

// TestNotifications holds what a person is told, and that it can be turned off.
func TestNotifications(t *testing.T) {
	s := newSession(t)
	told := &notifications{}
	if err := s.bus.Export(told, "/org/freedesktop/Notifications", "org.freedesktop.Notifications"); err != nil {
		t.Fatal(err)
	}
	if _, err := s.bus.RequestName("org.freedesktop.Notifications", dbus.NameFlagDoNotQueue); err != nil {
		t.Fatal(err)
	}
	(&fakeWatcher{}).begin(t, s.bus)
	p := s.place()
	p.start(t)
	base := p.running(t).BaseURL
	for range 3 {
		ask(t, base, claude, "demo:error 1308")
	}
	waitFor(t, "a notification of the quota", func() bool { return strings.Contains(told.all(), "GLM Tray: Demo: the plan's quota is used up") })
	if n := strings.Count(told.all(), "quota is used up"); n != 1 {
		t.Errorf("told %d times: %s", n, told.all())
	}
	p.configure(t, strings.Replace(config, "provider: demo", "provider: zai", 1)+"app:\n  notify:\n    login: false\n")
	p.until(t, "the provider", func(s state.Snapshot) bool { return s.Provider == "zai" })
	if code, _ := ask(t, base, claude, "Hello"); code != http.StatusUnauthorized {
		t.Errorf("status %d", code)
	}
	p.until(t, "the missing key", func(s state.Snapshot) bool { _, ok := s.Problem(state.ProblemLogin); return ok })
	if strings.Contains(told.all(), "key") {
		t.Errorf("told what was not wanted: %s", told.all())
	}
}

// TestNoClickIsLost sends clicks faster than they can be carried out.
func TestNoClickIsLost(t *testing.T) {
	s := newSession(t)
	(&fakeWatcher{}).begin(t, s.bus)
	p := s.place()
	cmd := p.start(t)
	p.running(t)
	waitFor(t, "the menu", func() bool {
		owned := s.bus.BusObject().CallWithContext(context.Background(), "org.freedesktop.DBus.NameHasOwner", 0, fmt.Sprintf("org.kde.StatusNotifierItem-%d-1", cmd.Process.Pid))
		return owned.Err == nil && owned.Body[0] == true && len(s.menu(cmd.Process.Pid).entries) > 0
	})
	menu := s.menu(cmd.Process.Pid)
	english, _ := menu.find("Language", "English")
	object := s.bus.Object(fmt.Sprintf("org.kde.StatusNotifierItem-%d-1", cmd.Process.Pid), "/StatusNotifierItem/menu")
	const clicks = 20
	for range clicks {
		object.Go("com.canonical.dbusmenu.Event", dbus.FlagNoReplyExpected, nil, english.id, "clicked", dbus.MakeVariant(0), uint32(0))
	}
	log := filepath.Join(p.home, "glmtray", "state", "logs", "glmtray.log")
	waitFor(t, "every click to be carried out", func() bool {
		text, err := os.ReadFile(log)
		return err == nil && strings.Count(string(text), "settings were changed") == clicks
	})
	s.click(cmd.Process.Pid, "Rebuild menu")
	waitFor(t, "the new menu", func() bool {
		now := s.menu(cmd.Process.Pid)
		_, whole := now.find("Quit")
		return whole && now.entries[0].id != menu.entries[0].id
	})
	s.click(cmd.Process.Pid, "Language", "简体中文")
	waitFor(t, "the menu in Chinese", func() bool { _, ok := s.menu(cmd.Process.Pid).find("语言", "English"); return ok })
}
