//go:build desktop && linux

package desktop

import (
	"maps"
	"os/exec"
	"strconv"
	"strings"
	"time"
)

// Where the icon is: the panels have nothing beside it.
const iconX, iconY = 16, 19

// settle is how long a panel takes to open a menu where nothing says that it has.
const settle = 300 * time.Millisecond

const (
	// opening is how long a menu takes at the most to open on a busy machine.
	opening = 8 * time.Second
	// clicks is how often a person clicks: panels lose a click at times, as when the menu
	// changes at that moment.
	clicks = 3
)

// box is a window's place on the screen.
type box struct{ x, y, width, height int }

// style is how a toolkit draws a menu.
type style struct {
	padding   int // above the first and below the last row
	separator int // its height
}

// styleOf is the one of a panel: GTK's Adwaita, Qt's Fusion.
func styleOf(panel string) style {
	if panel == "lxqt-panel" {
		return style{0, 2}
	}
	return style{4, 1}
}

// windows are those that are seen on the screen.
func (s *session) windows() map[string]box {
	s.t.Helper()
	cmd := exec.Command("xdotool", "search", "--onlyvisible", "--name", ".*")
	cmd.Env = s.env
	out, err := cmd.Output()
	if err != nil && len(out) > 0 {
		s.t.Fatal(err)
	}
	seen := map[string]box{}
	for id := range strings.FieldsSeq(string(out)) {
		cmd := exec.Command("xdotool", "getwindowgeometry", "--shell", id)
		cmd.Env = s.env
		text, err := cmd.Output()
		if err != nil {
			continue // it has gone meanwhile
		}
		var b box
		for line := range strings.Lines(string(text)) {
			name, value, _ := strings.Cut(strings.TrimSpace(line), "=")
			n, _ := strconv.Atoi(value)
			switch name {
			case "X":
				b.x = n
			case "Y":
				b.y = n
			case "WIDTH":
				b.width = n
			case "HEIGHT":
				b.height = n
			}
		}
		seen[id] = b
	}
	return seen
}

// opened waits for a window that was not there, of a menu's size, and reports whether it
// came.
func (s *session) opened(before map[string]box) (box, bool) {
	s.t.Helper()
	for deadline := time.Now().Add(opening); time.Now().Before(deadline); time.Sleep(30 * time.Millisecond) {
		for id, b := range s.windows() {
			if old, was := before[id]; (!was || old != b) && isMenu(b) {
				time.Sleep(settle) // until it takes clicks
				return b, true
			}
		}
	}
	return box{}, false
}

// row is the middle of an entry, in pixels from the top of its menu.
func (st style) row(menu entry, label string, height int) (int, bool) {
	rows, separators := 0, 0
	for _, e := range menu.entries {
		switch {
		case !e.shown:
		case e.label == "":
			separators++
		default:
			rows++
		}
	}
	each := float64(height-2*st.padding-separators*st.separator) / float64(rows)
	at := float64(st.padding)
	for _, e := range menu.entries {
		switch {
		case !e.shown:
		case e.label == "":
			at += float64(st.separator)
		case e.label == label:
			return int(at + each/2), true
		default:
			at += each
		}
	}
	return 0, false
}

// choose opens the menu with a right click on the icon and clicks an entry, through its
// submenu if it has one, with the pointer.
func (s *session) choose(panel string, pid int, path ...string) {
	s.t.Helper()
	for n := 1; !s.pick(panel, pid, path...); n++ {
		if n == clicks {
			s.t.Fatalf("waited in vain for a menu on the screen, %d times", n)
		}
		s.t.Log("no menu has opened; clicking once more")
		if err := s.tool("xdotool", "key", "Escape", "sleep", "0.3", "key", "Escape"); err != nil {
			s.t.Fatal(err)
		}
		s.closed()
	}
}

// pick is one try of choose. It reports whether the menus opened; nothing was chosen if
// they did not.
func (s *session) pick(panel string, pid int, path ...string) bool {
	s.t.Helper()
	st, menu := styleOf(panel), s.menu(pid)
	before := s.windows()
	if err := s.tool("xdotool", "mousemove", strconv.Itoa(iconX), strconv.Itoa(iconY), "sleep", "0.2", "click", "3"); err != nil {
		s.t.Fatal(err)
	}
	for n, label := range path {
		window, ok := s.opened(before)
		if !ok {
			return false
		}
		if !s.seen {
			s.seen = true
			s.picture(panel + "-menu")
		}
		y, ok := st.row(menu, label, window.height)
		if !ok {
			s.t.Fatalf("there is no entry %q in\n%s", label, menu.text(""))
		}
		before = maps.Clone(s.windows())
		x := window.x + 40
		if err := s.tool("xdotool", "mousemove", strconv.Itoa(x), strconv.Itoa(window.y+y), "sleep", "0.1", "click", "1"); err != nil {
			s.t.Fatal(err)
		}
		if n == 0 && len(path) > 1 {
			menu, _ = menu.find(label)
		}
	}
	s.closed()
	return true
}

// closed waits until no menu is open.
func (s *session) closed() {
	s.t.Helper()
	waitFor(s.t, "the menu to close", func() bool {
		for _, b := range s.windows() {
			if isMenu(b) {
				return false
			}
		}
		return true
	})
	time.Sleep(settle) // until the panel takes clicks again
}

// isMenu tells a menu from the panel, which is as wide as the screen, and from windows
// that only exist.
func isMenu(b box) bool { return b.height > 40 && b.width > 60 && b.width < 800 }
