package app

import (
	"bytes"
	"context"
	"errors"
	"net"
	"os"
	"path/filepath"
	"reflect"

	"glmtray/app/locale"
	"glmtray/app/settings"
	"glmtray/app/state"
)

// goodName is the copy of the last good config file, in the state folder. It is what
// the desktop program starts with when the file itself is wrong.
const goodName = "last-good.yaml"

// firstSettings loads the settings. The desktop program takes the last good ones if the
// file is wrong, and without those the defaults.
func (a *App) firstSettings() error {
	loaded, err := settings.Load(a.from)
	a.file, a.loaded = loaded, loaded
	if err == nil {
		return nil
	}
	if !a.options.Desktop || !errors.As(err, &a.broken) {
		return err
	}
	a.problems[state.ProblemSettings] = settingsProblem(a.broken)
	good := a.from
	if good.Path = a.goodFile(); good.Path != "" {
		if a.loaded, err = settings.Load(good); err == nil {
			return nil
		}
	}
	good.Path, good.WorkDir, good.Env = os.DevNull, "", a.withoutFile
	a.loaded, err = settings.Load(good)
	return err
}

// withoutFile is the environment without the name of a config file.
func (a *App) withoutFile(name string) string {
	if name == "ZCODE_PROXY_CONFIG" {
		return ""
	}
	return a.env(name)
}

func (a *App) goodFile() string {
	if a.file.Dirs.State == "" {
		return ""
	}
	return filepath.Join(a.file.Dirs.State, goodName)
}

// keepGood copies the config file that is in force, for the day that it is broken.
func (a *App) keepGood() {
	if !a.options.Desktop || a.broken != nil || a.loaded.Path == "" || a.goodFile() == "" {
		return
	}
	text, err := os.ReadFile(a.loaded.Path)
	if err != nil {
		return // the watch will tell
	}
	if old, err := os.ReadFile(a.goodFile()); err == nil && bytes.Equal(old, text) {
		return
	}
	if err := writeFile(a.goodFile(), text); err != nil {
		a.report(saveProblem(a.goodFile(), err))
	}
}

// writeFile writes a private file whole or not at all.
func writeFile(path string, text []byte) error {
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		return err
	}
	f, err := os.CreateTemp(filepath.Dir(path), filepath.Base(path)+".*.tmp")
	if err != nil {
		return err
	}
	_, err = f.Write(text)
	if err = errors.Join(err, f.Sync(), f.Close()); err == nil {
		err = os.Rename(f.Name(), path)
	}
	if err != nil {
		return errors.Join(err, os.Remove(f.Name()))
	}
	return nil
}

// watchSettings follows the settings' file until ctx ends. It begins anew when an
// intent takes a flag out of force.
func (a *App) watchSettings(ctx context.Context) {
	for ctx.Err() == nil {
		a.mu.Lock()
		from, turn, last := a.from, a.fromTurn, a.file
		a.mu.Unlock()
		watch, stop := context.WithCancel(ctx)
		go func() {
			select {
			case <-a.rewatch:
			case <-watch.Done():
			}
			stop()
		}()
		err := settings.Watch(watch, from, last, func(next settings.Loaded, err error) { a.reloaded(turn, next, err) })
		stop()
		if err != nil {
			a.log.Warn("the config file cannot be watched; changes take effect at the next start", "reason", err.Error())
			return
		}
	}
}

// reloaded takes a change of the file. turn is that of the sources it was read with: if
// an intent has taken a flag out of force meanwhile, whoever watches next tells the
// change again.
func (a *App) reloaded(turn int, next settings.Loaded, err error) {
	a.intent.Lock()
	defer a.intent.Unlock()
	a.mu.Lock()
	stale := turn != a.fromTurn
	a.mu.Unlock()
	if stale {
		return
	}
	if err == nil {
		a.mu.Lock()
		same := reflect.DeepEqual(next.Settings, a.loaded.Settings) && next.Path == a.loaded.Path
		a.mu.Unlock()
		if err = a.change(next); err == nil && same {
			return // an intent's own writing, or a comment
		}
	}
	var broken *settings.Error
	if errors.As(err, &broken) {
		a.mu.Lock()
		a.broken = broken
		a.mu.Unlock()
		a.report(settingsProblem(broken))
	} else if err != nil && a.options.Desktop {
		a.report(portProblem(err))
	}
	if err != nil {
		a.log.Error("the changed settings are not in force", "reason", err.Error())
		return
	}
	a.log.Info("changed settings are in force", "file", next.Path)
}

// change puts settings in force while the program runs. If something of them is
// impossible, nothing changes. The caller holds the intent lock.
func (a *App) change(next settings.Loaded) (failure error) {
	defer func() {
		if failure != nil {
			a.settlePools() // those that were made ready are not wanted
		}
	}()
	p, err := a.build(next.Settings)
	if err != nil {
		return err
	}
	printer, err := locale.Load(next.Settings.App.Language, a.env)
	if err != nil {
		return err
	}
	old := a.loaded
	if err := a.changeLog(next); err != nil {
		return err
	}
	if d := a.door; d != nil {
		listener, err := a.move(d, old.Settings.Server, next.Settings.Server)
		if err != nil {
			return errors.Join(err, a.changeLog(old))
		}
		// Whoever comes in at a new address meets the new rules: first the proxy, then
		// its door.
		a.proxy.Store(p)
		a.enter(d, listener)
	} else {
		a.proxy.Store(p)
	}
	for _, note := range next.Notes {
		a.log.Info(note)
	}
	a.mu.Lock()
	a.loaded, a.file, a.broken, a.printer = next, next, nil, printer
	a.settleGuests()
	a.mu.Unlock()
	a.keepGood()
	a.solved(state.ProblemSettings, state.ProblemLogin, state.ProblemQuota)
	a.announce()
	return nil
}

// enter makes a listener the one of a door.
func (a *App) enter(d *door, l net.Listener) {
	if l == d.listener {
		return
	}
	d.listener.Close() // connections that it accepted live on
	a.mu.Lock()
	d.listener = l
	a.mu.Unlock()
	a.serve(d, l)
	a.log.Info("the address has changed", "url", baseURL(l))
}
