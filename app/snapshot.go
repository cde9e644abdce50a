package app

import (
	"cmp"
	"context"
	"maps"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"time"

	"glmtray/app/locale"
	"glmtray/app/settings"
	"glmtray/app/state"
)

// calm is how long a watcher is left alone after each snapshot, so that requests that
// come and go by the hundred do not redraw a menu as often.
const calm = 100 * time.Millisecond

// Snapshot says how things stand. Nothing in it changes afterwards.
func (a *App) Snapshot() state.Snapshot {
	a.mu.Lock()
	defer a.mu.Unlock()
	s := a.loaded.Settings
	snapshot := state.Snapshot{
		Version: a.options.Version, PID: os.Getpid(), Headless: !a.options.Desktop,
		Phase: a.phase, Port: s.Server.Port, ProxyKey: !s.Auth.ProxyAPIKey.Empty(),
		Provider: s.Provider, Plan: s.Plan, Account: a.account(),
		Active: int(a.active.Load()), Problems: a.sortedProblems(), Autostart: a.login,
		Language: state.Language{Setting: s.App.Language, InForce: a.printer.Tag()},
		Accounts: a.entries(), Vault: a.vaultState(), Check: a.checks.state(),
		Icon: a.icon, Fixed: a.fixed(), ConfigFile: a.file.WritePath(), LogFolder: a.logFolder(),
	}
	snapshot.Pool.Alone = s.Auth.Account
	for _, e := range snapshot.Accounts {
		if e.InUse {
			snapshot.Pool.Size++
		}
	}
	if isGuest(s) {
		snapshot.Pool.Size = a.guestTokens()
	}
	if a.attempt != nil {
		snapshot.Login = a.attempt.state()
	}
	if a.door != nil {
		snapshot.BaseURL = baseURL(a.door.listener)
	}
	return snapshot
}

// account says whose credential goes upstream. The caller holds the lock.
func (a *App) account() state.Account {
	c := credentials{settings: a.loaded.Settings}
	s, key := &c.settings, "auth.apiKey"
	if isGuest(*s) {
		return state.Account{Known: true}
	}
	own := c.own()
	switch {
	case c.startPlan():
		key = "auth.jwt"
	case !s.Active().Credential.Empty():
		key = "providers." + s.Provider + ".credential"
	}
	pooled := s.Auth.Mode == settings.ModeAuto || s.Auth.Mode == settings.ModeOAuth
	if names := namesInUse(a.accounts, *s); own.Empty() && pooled && names != "" {
		return state.Account{Known: true, Hint: names, Stored: true}
	}
	if own.Empty() {
		return state.Account{Known: s.Provider == settings.ProviderDemo && !c.startPlan()}
	}
	return state.Account{Known: true, Hint: own.Mask(), Origin: a.loaded.Origin(key).String()}
}

// fixed are the settings that stand in the environment. The caller holds the lock.
func (a *App) fixed() map[string]string {
	fixed := map[string]string{}
	for _, k := range settings.Schema() {
		if o := a.loaded.Origin(k.Path); o.From == settings.FromEnv {
			fixed[k.Path] = o.Name
		}
	}
	return fixed
}

// logFolder is where the log's file lies, "" if there is none. The caller holds the lock.
func (a *App) logFolder() string {
	if name := a.sink.fileName(); name != "" {
		return filepath.Dir(name)
	}
	return ""
}

// urgency is the order of problems, the worst first.
func urgency(kind string) int {
	return slices.Index([]string{
		state.ProblemSettings, state.ProblemPort, state.ProblemProxy, state.ProblemLogin, state.ProblemQuota,
		state.ProblemCheck, state.ProblemAccount, state.ProblemVault, state.ProblemSave, state.ProblemLog, state.ProblemTray,
	}, kind)
}

// sortedProblems returns the problems, the worst first. The caller holds the lock.
func (a *App) sortedProblems() []state.Problem {
	list := slices.AppendSeq(make([]state.Problem, 0, len(a.problems)), maps.Values(a.problems))
	slices.SortFunc(list, func(x, y state.Problem) int { return cmp.Compare(urgency(x.Kind), urgency(y.Kind)) })
	return list
}

// Watch sends the present snapshot, and then each new one; of those that come while the
// reader is busy only the latest. The channel is closed when ctx ends.
func (a *App) Watch(ctx context.Context) <-chan state.Snapshot {
	out := make(chan state.Snapshot)
	go func() {
		defer close(out)
		var last state.Snapshot
		for first := true; ; first = false {
			changed := a.nextChange()
			next := a.Snapshot()
			if first || !reflect.DeepEqual(next, last) {
				select {
				case out <- next:
					last = next
				case <-changed:
					continue
				case <-ctx.Done():
					return
				}
				if !pause(ctx, calm) {
					return
				}
			}
			select {
			case <-changed:
			case <-ctx.Done():
				return
			}
		}
	}()
	return out
}

// pause waits, and reports false if ctx ended meanwhile.
func pause(ctx context.Context, d time.Duration) bool {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return true
	case <-ctx.Done():
		return false
	}
}

func (a *App) nextChange() <-chan struct{} {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.changed
}

// announce tells all watchers that there is a new state.
func (a *App) announce() {
	a.mu.Lock()
	defer a.mu.Unlock()
	close(a.changed)
	a.changed = make(chan struct{})
}

// Printer returns the printer of the language in force.
func (a *App) Printer() *locale.Printer {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.printer
}
