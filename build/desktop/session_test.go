//go:build desktop && linux

package desktop

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/godbus/dbus/v5"
)

// session is a desktop session: a bus, and a screen with a panel where a test wants one.
type session struct {
	t    *testing.T
	home string
	env  []string
	bus  *dbus.Conn
	seen bool // there is a picture of the menu
}

// newSession starts a session bus with folders of its own, so that nothing of the
// machine's own desktop is seen.
func newSession(t *testing.T) *session {
	t.Helper()
	daemon := need(t, "dbus-daemon")
	s := &session{t: t, home: t.TempDir()}
	runtime := filepath.Join(s.home, "run")
	for _, dir := range []string{runtime, filepath.Join(s.home, ".config"), filepath.Join(s.home, ".local", "share")} {
		if err := os.MkdirAll(dir, 0o700); err != nil {
			t.Fatal(err)
		}
	}
	address := "unix:path=" + filepath.Join(runtime, "bus")
	s.env = []string{
		"DBUS_SESSION_BUS_ADDRESS=" + address, "XDG_RUNTIME_DIR=" + runtime, "XDG_CONFIG_HOME=" + filepath.Join(s.home, ".config"),
		"HOME=" + s.home, "PATH=" + os.Getenv("PATH"), "LC_ALL=C.UTF-8", "NO_AT_BRIDGE=1", "GTK_A11Y=none", "GTK_THEME=Adwaita", "QT_QPA_PLATFORM=xcb",
	}
	s.background(daemon, "--session", "--nofork", "--nopidfile", "--address="+address)
	waitFor(t, "the session bus", func() bool {
		conn, err := dbus.Connect(address)
		s.bus = conn
		return err == nil
	})
	t.Cleanup(func() { s.bus.Close() })
	return s
}

// background runs a program until the test ends.
func (s *session) background(name string, args ...string) *exec.Cmd {
	s.t.Helper()
	cmd := exec.Command(name, args...)
	cmd.Env, cmd.Dir = s.env, s.home
	var out bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &out
	if err := cmd.Start(); err != nil {
		s.t.Fatal(err)
	}
	s.t.Cleanup(func() {
		_ = cmd.Process.Kill() // it may have ended before
		_ = cmd.Wait()
		if s.t.Failed() && testing.Verbose() {
			s.t.Logf("%s:\n%s", name, out.String())
		}
	})
	return cmd
}

// place is a home for the program inside the session.
func (s *session) place(env ...string) *place {
	return newPlace(s.t, append(s.env[:len(s.env):len(s.env)], env...)...)
}

// screen starts an X server with a window manager.
func (s *session) screen() {
	s.t.Helper()
	display := fmt.Sprintf(":%d", 90+os.Getpid()%900)
	s.background(need(s.t, "Xvfb"), display, "-screen", "0", "1024x768x24", "-nolisten", "tcp")
	s.env = append(s.env, "DISPLAY="+display)
	waitFor(s.t, "the screen", func() bool { return s.tool("xdotool", "getmouselocation") == nil })
	s.background(need(s.t, "openbox"), "--sm-disable")
}

// tool runs a program to its end.
func (s *session) tool(name string, args ...string) error {
	s.t.Helper()
	cmd := exec.Command(need(s.t, name), args...)
	cmd.Env = s.env
	cmd.WaitDelay = time.Second // for what it starts and leaves behind
	if out, err := cmd.CombinedOutput(); err != nil && !errors.Is(err, exec.ErrWaitDelay) {
		return fmt.Errorf("%s %v: %w: %s", name, args, err, out)
	}
	return nil
}

const xfcePanel = `<?xml version="1.0" encoding="UTF-8"?>
<channel name="xfce4-panel" version="1.0">
  <property name="panels" type="array">
    <value type="int" value="1"/>
    <property name="panel-1" type="empty">
      <property name="position" type="string" value="p=6;x=0;y=0"/>
      <property name="length" type="uint" value="100"/>
      <property name="position-locked" type="bool" value="true"/>
      <property name="size" type="uint" value="40"/>
      <property name="plugin-ids" type="array"><value type="int" value="1"/></property>
    </property>
  </property>
  <property name="plugins" type="empty">
    <property name="plugin-1" type="string" value="systray">
      <property name="icon-size" type="int" value="24"/>
    </property>
  </property>
</channel>
`

const lxqtPanel = `panels=top
[top]
plugins=statusnotifier
position=Top
panelSize=40
iconSize=24
width=100
width-percent=true
[statusnotifier]
type=statusnotifier
`

// panel starts a panel that has nothing but a tray, at the top of the screen.
func (s *session) panel(name string) *exec.Cmd {
	s.t.Helper()
	config := filepath.Join(s.home, ".config")
	var cmd *exec.Cmd
	switch name {
	case "xfce4-panel":
		write(s.t, filepath.Join(config, "xfce4", "xfconf", "xfce-perchannel-xml", "xfce4-panel.xml"), xfcePanel)
		cmd = s.background(need(s.t, name), "--disable-wm-check")
	case "lxqt-panel":
		write(s.t, filepath.Join(config, "lxqt", "panel.conf"), lxqtPanel)
		s.env = append(s.env, "XDG_CURRENT_DESKTOP=LXQt")
		cmd = s.background(need(s.t, name))
	}
	waitFor(s.t, "the panel's tray", s.hasHost)
	return cmd
}

func write(t *testing.T, file, text string) {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(file), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}

const (
	watcher     = "org.kde.StatusNotifierWatcher"
	watcherPath = "/StatusNotifierWatcher"
)

// hasHost reports whether something on the bus shows icons.
func (s *session) hasHost() bool {
	v, err := s.bus.Object(watcher, watcherPath).GetProperty(watcher + ".IsStatusNotifierHostRegistered")
	if err != nil {
		return false
	}
	yes, ok := v.Value().(bool)
	return ok && yes
}

// items are the icons that are registered.
func (s *session) items() []string {
	v, err := s.bus.Object(watcher, watcherPath).GetProperty(watcher + ".RegisteredStatusNotifierItems")
	if err != nil {
		return nil
	}
	list, ok := v.Value().([]string)
	if !ok {
		return nil
	}
	return list
}

// entry is an entry of a menu as it stands on the bus.
type entry struct {
	id      int32
	label   string
	shown   bool
	enabled bool
	ticked  bool
	entries []entry
}

// menu reads the program's menu from the bus.
func (s *session) menu(pid int) entry {
	s.t.Helper()
	var revision uint32
	var layout struct {
		ID         int32
		Properties map[string]dbus.Variant
		Children   []dbus.Variant
	}
	call := s.bus.Object(fmt.Sprintf("org.kde.StatusNotifierItem-%d-1", pid), "/StatusNotifierItem/menu").
		Call("com.canonical.dbusmenu.GetLayout", 0, int32(0), int32(-1), []string{})
	if err := call.Store(&revision, &layout); err != nil {
		s.t.Fatal(err)
	}
	return entryOf(layout.ID, layout.Properties, layout.Children)
}

func entryOf(id int32, properties map[string]dbus.Variant, children []dbus.Variant) entry {
	e := entry{id: id, shown: true, enabled: true}
	if v, ok := properties["label"]; ok {
		e.label, _ = v.Value().(string)
	}
	if v, ok := properties["visible"]; ok {
		e.shown, _ = v.Value().(bool)
	}
	if v, ok := properties["enabled"]; ok {
		e.enabled, _ = v.Value().(bool)
	}
	if v, ok := properties["toggle-state"]; ok {
		state, _ := v.Value().(int32)
		e.ticked = state == 1
	}
	for _, child := range children {
		if parts, ok := child.Value().([]any); ok && len(parts) == 3 {
			id, _ := parts[0].(int32)
			properties, _ := parts[1].(map[string]dbus.Variant)
			below, _ := parts[2].([]dbus.Variant)
			e.entries = append(e.entries, entryOf(id, properties, below))
		}
	}
	return e
}

// find returns the entry that a path of labels leads to.
func (e entry) find(path ...string) (entry, bool) {
	for _, label := range path {
		found := false
		for _, below := range e.entries {
			if below.label == label && below.shown {
				e, found = below, true
				break
			}
		}
		if !found {
			return entry{}, false
		}
	}
	return e, true
}

// text draws the menu as lines, for a message.
func (e entry) text(indent string) string {
	var out strings.Builder
	for _, below := range e.entries {
		if below.shown {
			fmt.Fprintf(&out, "%s%s (ticked %v, enabled %v)\n%s", indent, below.label, below.ticked, below.enabled, below.text(indent+"  "))
		}
	}
	return out.String()
}

// click sends a click to an entry over the bus, as a panel does.
func (s *session) click(pid int, path ...string) {
	s.t.Helper()
	e, ok := s.menu(pid).find(path...)
	if !ok {
		s.t.Fatalf("there is no entry %q in\n%s", path, s.menu(pid).text(""))
	}
	call := s.bus.Object(fmt.Sprintf("org.kde.StatusNotifierItem-%d-1", pid), "/StatusNotifierItem/menu").
		Call("com.canonical.dbusmenu.Event", 0, e.id, "clicked", dbus.MakeVariant(0), uint32(time.Now().Unix()))
	if call.Err != nil {
		s.t.Fatal(call.Err)
	}
}

// opener puts a program in the place of the one that opens addresses, which writes them
// down; the returned function reads them.
func (s *session) opener() func() []string {
	s.t.Helper()
	tools, file := filepath.Join(s.home, "tools"), filepath.Join(s.home, "opened")
	write(s.t, filepath.Join(tools, "xdg-open"), "#!/bin/sh\necho \"$1\" >> '"+file+"'\n")
	if err := os.Chmod(filepath.Join(tools, "xdg-open"), 0o700); err != nil {
		s.t.Fatal(err)
	}
	s.env = append(s.env, "PATH="+tools+":"+os.Getenv("PATH"))
	return func() []string {
		text, err := os.ReadFile(file)
		if err != nil && !os.IsNotExist(err) {
			s.t.Fatal(err)
		}
		return strings.Fields(string(text))
	}
}

// clipboard is what would be pasted.
func (s *session) clipboard() string {
	cmd := exec.Command(need(s.t, "xclip"), "-o", "-selection", "clipboard")
	cmd.Env = s.env
	out, err := cmd.Output()
	if err != nil {
		return "" // nothing was copied yet
	}
	return string(out)
}

// picture takes one of the whole screen.
func (s *session) picture(name string) {
	s.t.Helper()
	dir := os.Getenv("GLMTRAY_ARTIFACTS")
	if dir == "" {
		return
	}
	if err := os.MkdirAll(dir, 0o755); err != nil {
		s.t.Fatal(err)
	}
	if err := s.tool("import", "-window", "root", filepath.Join(dir, name+".png")); err != nil {
		s.t.Error(err)
	}
}
