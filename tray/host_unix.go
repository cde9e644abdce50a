//go:build !windows && !darwin

package tray

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/godbus/dbus/v5"

	"glmtray/app/locale"
)

const (
	// busStep is how often a session bus is looked for where there is none: nothing
	// announces one.
	busStep = 5 * time.Second
	// hostPatience is how long a desktop that is just starting may take to have a tray
	// before the person is told that it has none.
	hostPatience = 5 * time.Second

	watcherName = "org.kde.StatusNotifierWatcher"
	watcherPath = "/StatusNotifierWatcher"
)

// ErrNoBus says that there is no session bus, and so no desktop.
var ErrNoBus = errors.New("there is no desktop session: no D-Bus session bus")

// Possible says why there can be no icon, nil if there is a desktop session. Whether
// that has a tray turns out later.
func Possible() error {
	conn, err := connect()
	if err != nil {
		return ErrNoBus
	}
	return conn.Close()
}

// addressVariable names the session bus.
const addressVariable = "DBUS_SESSION_BUS_ADDRESS"

// connect opens a connection of its own to the session bus. It starts none: the D-Bus
// library would start one without an address, on which nobody else is. A bus that is
// found where sessions put it becomes the one of the whole process, so that systray and
// the notifications find it too.
func connect() (*dbus.Conn, error) {
	if os.Getenv(addressVariable) == "" {
		socket := filepath.Join(os.Getenv("XDG_RUNTIME_DIR"), "bus")
		if _, err := os.Stat(socket); err != nil || !filepath.IsAbs(socket) {
			return nil, ErrNoBus
		}
		if err := os.Setenv(addressVariable, "unix:path="+socket); err != nil {
			return nil, err
		}
	}
	return dbus.ConnectSessionBus()
}

// waitForSession waits for a session bus, and reports whether it came before ctx ended.
func waitForSession(ctx context.Context, app App) bool {
	if Possible() == nil {
		return true
	}
	app.NoIcon(locale.Message{ID: "notice.tray.nobus"}, locale.Message{ID: "notice.tray.nobusremedy"})
	ticker := time.NewTicker(busStep)
	defer ticker.Stop()
	for {
		select {
		case <-ctx.Done():
			return false
		case <-ticker.C:
			if Possible() == nil {
				return true
			}
		}
	}
}

// opensOnTap reports whether a left click opens the window. Most desktops show the menu
// then; LXQt's panel does nothing by itself.
func opensOnTap() bool {
	return strings.Contains(strings.ToLower(os.Getenv("XDG_CURRENT_DESKTOP")), "lxqt")
}

// watchHost tells the application whether there is a place for the icon, until ctx
// ends. systray itself registers with each one that appears, and does not tell.
func watchHost(ctx context.Context, app App) {
	conn, err := connect()
	if err != nil {
		app.SetIcon(false)
		return
	}
	defer conn.Close()
	signals := make(chan *dbus.Signal, 16)
	conn.Signal(signals)
	for _, match := range [][]dbus.MatchOption{
		{dbus.WithMatchInterface("org.freedesktop.DBus"), dbus.WithMatchMember("NameOwnerChanged"), dbus.WithMatchArg(0, watcherName)},
		{dbus.WithMatchInterface(watcherName), dbus.WithMatchObjectPath(watcherPath)},
	} {
		if err := conn.AddMatchSignalContext(ctx, match...); err != nil {
			app.SetIcon(false)
			return
		}
	}
	shown := hasHost(ctx, conn)
	app.SetIcon(shown)
	patience := time.NewTimer(hostPatience)
	defer patience.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-patience.C:
			if !shown {
				app.NoIcon(locale.Message{ID: "notice.tray.nohost"}, locale.Message{ID: "notice.tray.nohostremedy"})
			}
		case _, ok := <-signals:
			if !ok {
				app.SetIcon(false) // the bus has gone, and the desktop with it
				return
			}
			if now := hasHost(ctx, conn); now != shown {
				shown = now
				app.SetIcon(shown)
			}
		}
	}
}

// hasHost reports whether somebody shows icons.
func hasHost(ctx context.Context, conn *dbus.Conn) bool {
	var owned bool
	bus := conn.BusObject().CallWithContext(ctx, "org.freedesktop.DBus.NameHasOwner", 0, watcherName)
	if err := bus.Store(&owned); err != nil || !owned {
		return false
	}
	var host dbus.Variant
	get := conn.Object(watcherName, watcherPath).CallWithContext(ctx, "org.freedesktop.DBus.Properties.Get", dbus.FlagNoAutoStart,
		watcherName, "IsStatusNotifierHostRegistered")
	if err := get.Store(&host); err != nil {
		return true // a watcher that does not say: there are simple ones
	}
	registered, ok := host.Value().(bool)
	return registered || !ok
}
