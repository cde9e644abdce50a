package app

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"

	"glmtray/app/autostart"
	"glmtray/app/history"
	"glmtray/app/journal"
	"glmtray/app/locale"
	"glmtray/app/settings"
	"glmtray/app/state"
	"glmtray/app/window"
)

// OpenLink returns a one-time address of the log window, at a page: "", "log",
// "settings", "about", …. The window's server is started at the first need.
func (a *App) OpenLink(page string) (string, error) {
	a.refreshAutostart()
	return a.window.Link(page)
}

// Open shows the log window in the person's browser.
func (a *App) Open(ctx context.Context, page string) error {
	link, err := a.OpenLink(page)
	if err != nil {
		return err
	}
	return window.Open(ctx, link)
}

// OpenFolder shows a folder in the person's file manager: "logs" or "config".
func (a *App) OpenFolder(which string) error {
	a.mu.Lock()
	folder := a.loaded.Dirs.Config
	if which == "logs" {
		folder = a.logFolder()
	}
	a.mu.Unlock()
	if info, err := os.Stat(folder); folder == "" || err != nil || !info.IsDir() {
		return fmt.Errorf("the folder %q does not exist", folder)
	}
	a.spawn("folder", func() {
		if err := window.OpenFolder(folder); err != nil {
			a.log.Warn("the folder could not be shown", "folder", folder, "reason", err.Error())
		}
	})
	return nil
}

// CopyText is what a person copies into other tools: the base URL for "openai" or
// "anthropic" clients, or the proxy's "key". It is "" while there is none.
func (a *App) CopyText(what string) string {
	a.mu.Lock()
	defer a.mu.Unlock()
	if what == "key" {
		return a.loaded.Settings.Auth.ProxyAPIKey.Reveal()
	}
	if a.door == nil {
		return ""
	}
	switch base := baseURL(a.door.listener); what {
	case "openai":
		return base + "/v1"
	case "anthropic":
		return base
	}
	return ""
}

// ProxyKey is the key that clients must send, "" if none is asked. It is for the
// clipboard alone.
func (a *App) ProxyKey() string { return a.CopyText("key") }

// Exchanges are the records of requests.
func (a *App) Exchanges() *history.Log { return a.exchanges }

// Trace returns what libraries may write to that speak of their own troubles: it becomes
// lines of the log, of the least important kind.
func (a *App) Trace() io.Writer { return slog.NewLogLogger(a.log.Handler(), slog.LevelDebug).Writer() }

// Journal are the last lines of the log.
func (a *App) Journal() *journal.Lines { return a.lines }

// Loaded returns the settings in force, and what is wrong with the config file if it is
// not the one that they come from.
func (a *App) Loaded() (settings.Loaded, error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.broken != nil {
		return a.loaded, a.broken
	}
	return a.loaded, nil
}

// Dirs are the folders that the program writes to.
func (a *App) Dirs() settings.Dirs {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.loaded.Dirs
}

// SetIcon takes note of whether the icon is shown.
func (a *App) SetIcon(shown bool) {
	a.mu.Lock()
	a.icon = state.Icon{Wanted: true, Shown: shown}
	a.mu.Unlock()
	if shown {
		a.solved(state.ProblemTray)
	}
	a.announce()
}

// NoIcon tells the person why there is no icon, and what to do about it.
func (a *App) NoIcon(reason, remedy locale.Message) {
	a.SetIcon(false)
	a.report(trayProblem(reason, remedy))
}

// AutostartName is the name of the entry that starts the program at login.
const AutostartName = "glmtray"

// autostart is the entry that starts the program at login, and whether it can have one.
func (a *App) autostart() (autostart.App, error) {
	entry := autostart.App{Name: AutostartName, DisplayName: "GLM Tray", Exec: a.options.Autostart}
	if len(entry.Exec) == 0 {
		return entry, errors.New("this program cannot start at login")
	}
	return entry, entry.Possible()
}

// SetAutostart makes the program start at login, or not.
func (a *App) SetAutostart(_ context.Context, enabled bool) error {
	a.intent.Lock()
	defer a.intent.Unlock()
	entry, err := a.autostart()
	if err != nil {
		return err
	}
	act := entry.Disable
	if enabled {
		act = entry.Enable
	}
	err = act()
	a.refreshAutostart()
	if err != nil {
		a.report(saveProblem("autostart", err))
		return err
	}
	a.solved(state.ProblemSave)
	return nil
}

// refreshAutostart looks at the entry, which the desktop's own settings can change too.
func (a *App) refreshAutostart() {
	entry, err := a.autostart()
	login := state.Autostart{Possible: err == nil}
	login.Enabled = login.Possible && entry.IsEnabled()
	a.mu.Lock()
	changed := a.login != login
	a.login = login
	a.mu.Unlock()
	if changed {
		a.announce()
	}
}

// repairAutostart makes an entry that leads to where the program was lead to where it is.
func (a *App) repairAutostart() {
	entry, err := a.autostart()
	if err != nil {
		return
	}
	stale, err := entry.Stale()
	if err == nil && stale {
		if err = entry.Enable(); err == nil {
			a.log.Info("the entry that starts the program at login was led to its new place")
		}
	}
	if err != nil {
		a.log.Warn("the entry that starts the program at login could not be checked", "reason", err.Error())
	}
}
