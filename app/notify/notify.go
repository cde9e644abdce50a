// Package notify shows notifications of the desktop.
package notify

import (
	"errors"
	"os"
	"runtime"
	"sync"
	"time"

	"github.com/gen2brain/beeep"
)

const (
	// patience is how long the desktop may take to accept a notification.
	patience = 5 * time.Second
	// repeatAfter is how long the same text is not shown again.
	repeatAfter = 10 * time.Minute
	// memory bounds how many texts are remembered.
	memory = 100
)

// ErrNoDesktop says that there is no desktop session to show anything.
var ErrNoDesktop = errors.New("there is no desktop session")

var errSlow = errors.New("the desktop does not accept notifications")

// Notifier shows notifications. It may be used concurrently.
type Notifier struct {
	icon []byte
	show func(title, text string, icon any) error
	now  func() time.Time

	mu    sync.Mutex // guards what follows
	shown map[string]time.Time
}

// New returns a notifier for a program with a name and an icon, PNG data. Only one is
// of use: the name is the process's.
func New(name string, icon []byte) *Notifier {
	beeep.AppName = name
	return &Notifier{icon: icon, show: beeep.Notify, now: time.Now, shown: map[string]time.Time{}}
}

// Notify shows a text, unless it was shown within the last minutes. It waits for the
// desktop, but not for ever.
func (n *Notifier) Notify(title, text string) error {
	if !n.isNew(title + "\x00" + text) {
		return nil
	}
	if !hasDesktop() {
		return ErrNoDesktop
	}
	done := make(chan error, 1)
	go func() { done <- n.show(title, text, n.icon) }()
	select {
	case err := <-done:
		return err
	case <-time.After(patience):
		return errSlow
	}
}

func (n *Notifier) isNew(text string) bool {
	n.mu.Lock()
	defer n.mu.Unlock()
	now := n.now()
	for old, at := range n.shown {
		if now.Sub(at) > repeatAfter || len(n.shown) > memory {
			delete(n.shown, old)
		}
	}
	if _, known := n.shown[text]; known {
		return false
	}
	n.shown[text] = now
	return true
}

// hasDesktop reports whether there is somebody to ask. Without an address of a session
// bus the D-Bus library would start one, which nobody looks at.
func hasDesktop() bool {
	switch runtime.GOOS {
	case "windows", "darwin":
		return true
	}
	if os.Getenv("DBUS_SESSION_BUS_ADDRESS") != "" {
		return true
	}
	_, err := os.Stat(os.Getenv("XDG_RUNTIME_DIR") + "/bus")
	return err == nil
}
