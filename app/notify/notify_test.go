package notify

import (
	"errors"
	"testing"
	"time"
)

func TestNotify(t *testing.T) {
	t.Setenv("DBUS_SESSION_BUS_ADDRESS", "unix:path=/nonexistent")
	now, shown := time.Unix(0, 0), 0
	n := New("GLM Tray", nil)
	n.now = func() time.Time { return now }
	fault := errors.New("fault")
	n.show = func(_, text string, _ any) error {
		if shown++; text == "bad" {
			return fault
		}
		return nil
	}
	for _, text := range []string{"a", "b", "a", "a"} {
		if err := n.Notify("t", text); err != nil {
			t.Error(err)
		}
	}
	if shown != 2 {
		t.Errorf("%d shown", shown)
	}
	now = now.Add(repeatAfter + 1)
	if err := n.Notify("t", "a"); err != nil || shown != 3 {
		t.Errorf("%d %v", shown, err)
	}
	if err := n.Notify("t", "bad"); !errors.Is(err, fault) {
		t.Errorf("%v", err)
	}
	for i := range 5 * memory {
		n.isNew(string(rune(i)))
	}
	if len(n.shown) > memory+1 {
		t.Errorf("%d texts are remembered", len(n.shown))
	}
}

func TestNoDesktop(t *testing.T) {
	t.Setenv("DBUS_SESSION_BUS_ADDRESS", "")
	t.Setenv("XDG_RUNTIME_DIR", t.TempDir())
	n := New("GLM Tray", nil)
	n.show = func(string, string, any) error { return errors.New("asked") }
	if err := n.Notify("t", "a"); hasDesktop() == errors.Is(err, ErrNoDesktop) {
		t.Errorf("%v", err)
	}
}
