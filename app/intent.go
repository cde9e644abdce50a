package app

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"slices"
	"strconv"
	"time"

	"glmtray/app/settings"
	"glmtray/app/state"
)

// FixedError says that a setting stands in the environment, which is stronger than the
// file that an intent could write.
type FixedError struct {
	Key      string // of the setting
	Variable string // that sets it
}

// Error says what to do.
func (e *FixedError) Error() string {
	return fmt.Sprintf("%s is set by %s in the environment; take it away there to change it here", e.Key, e.Variable)
}

// StartProxy opens the port. While the proxy runs it does nothing. The error is shown
// as a problem too.
func (a *App) StartProxy(ctx context.Context) error {
	a.intent.Lock()
	defer a.intent.Unlock()
	if a.door != nil {
		return nil
	}
	a.enterPhase(state.Starting)
	p, err := a.build(a.loaded.Settings)
	if err != nil {
		a.report(proxyProblem(err.Error())) // first, so that whoever sees the failure sees why
		a.enterPhase(state.Failed)
		return err
	}
	listener, err := listen(a.loaded.Settings.Server)
	if err != nil {
		a.report(portProblem(err))
		a.enterPhase(state.Failed)
		return err
	}
	a.proxy.Store(p)
	d := a.open(listener)
	a.mu.Lock()
	a.door, a.phase = d, state.Running
	a.doors[d] = struct{}{}
	ready := a.options.Ready
	a.options.Ready = nil
	a.mu.Unlock()
	a.solved(state.ProblemPort, state.ProblemProxy)
	a.announce()
	a.log.Info("the proxy runs", "url", baseURL(listener), "provider", a.loaded.Settings.Provider, "plan", a.loaded.Settings.Plan)
	if ready != nil {
		ready(baseURL(listener))
	}
	return nil
}

// enterPhase announces where the proxy is in its life.
func (a *App) enterPhase(p state.Phase) {
	a.mu.Lock()
	a.phase = p
	a.mu.Unlock()
	a.announce()
}

// StopProxy closes the port at once and returns. Running requests have the grace period
// to end; meanwhile the phase is "stopping", and the proxy can be started again. While
// the proxy is stopped it does nothing.
func (a *App) StopProxy(context.Context) error {
	a.intent.Lock()
	defer a.intent.Unlock()
	a.mu.Lock()
	d := a.door
	if d == nil {
		a.phase = state.Stopped
		a.mu.Unlock()
		a.solved(state.ProblemPort, state.ProblemProxy)
		a.announce()
		return nil
	}
	a.door, a.phase = nil, state.Stopping
	a.mu.Unlock()
	a.announce()
	d.listener.Close()
	grace := a.loaded.Settings.Limits.Grace()
	a.log.Info("the proxy stops")
	a.spawn("stop", func() {
		if err := a.drain(d, grace); err != nil {
			a.log.Warn("the proxy did not end in order", "reason", err.Error())
		}
		a.mu.Lock()
		delete(a.doors, d)
		if a.door == nil && a.phase == state.Stopping {
			a.phase = state.Stopped
		}
		a.mu.Unlock()
		a.announce()
	})
	return nil
}

// shutdown is the orderly end of the program: all doors close, running requests have
// the grace period.
func (a *App) shutdown() error {
	return a.closeAll(func(d *door) error { return a.drain(d, a.grace()) })
}

// cut ends the program and all requests at once.
func (a *App) cut() error {
	a.Abort()
	return a.closeAll((*door).cut)
}

func (a *App) closeAll(end func(*door) error) error {
	// An intent that is under way opens no door behind this.
	a.intent.Lock()
	a.mu.Lock()
	ended := make(chan error, len(a.doors))
	for d := range a.doors {
		go func() { ended <- end(d) }()
	}
	a.door, a.phase = nil, state.Stopping
	a.mu.Unlock()
	a.intent.Unlock()
	a.announce()
	var errs []error
	for range cap(ended) {
		errs = append(errs, <-ended)
	}
	return errors.Join(errs...)
}

// UseProvider chooses the provider: one of the settings.Provider constants.
func (a *App) UseProvider(ctx context.Context, provider string) error {
	return a.ChangeSettings(ctx, []settings.Change{{Key: "provider", Value: provider}})
}

// UsePlan chooses the plan: one of the settings.Plan constants.
func (a *App) UsePlan(ctx context.Context, plan string) error {
	return a.ChangeSettings(ctx, []settings.Change{{Key: "plan", Value: plan}})
}

// SetLanguage chooses the language: "system" or a tag.
func (a *App) SetLanguage(ctx context.Context, language string) error {
	return a.ChangeSettings(ctx, []settings.Change{{Key: "app.language", Value: language}})
}

// UsePort moves the proxy to another port, and starts it.
func (a *App) UsePort(ctx context.Context, port int) error {
	if err := a.ChangeSettings(ctx, []settings.Change{{Key: "server.port", Value: strconv.Itoa(port)}}); err != nil {
		return err
	}
	return a.StartProxy(ctx)
}

// CheckSettings says what would be wrong with changes, and changes nothing.
func (a *App) CheckSettings(changes []settings.Change) []settings.Problem {
	a.mu.Lock()
	from, broken := a.from, a.broken
	a.mu.Unlock()
	if fault := a.fixedBy(changes); fault != nil {
		return []settings.Problem{{Key: fault.Key, Message: fault.Error()}}
	}
	_, err := settings.Load(withChanges(from, changes))
	var wrong *settings.Error
	if !errors.As(err, &wrong) {
		return nil
	}
	var problems []settings.Problem
	for _, p := range wrong.Problems {
		// What is wrong already is no fault of the changes.
		if broken == nil || !slices.Contains(broken.Problems, p) {
			problems = append(problems, p)
		}
	}
	return problems
}

// withChanges are the sources of settings with changes on top, and without the flags
// whose keys they change.
func withChanges(from settings.Options, changes []settings.Change) settings.Options {
	from = withoutFlags(from, changes)
	for _, c := range changes {
		from.Flags = append(from.Flags, settings.Override{Key: c.Key, Value: c.Value})
	}
	return from
}

// withoutFlags takes the flags of changed keys out of force: what a person chooses while
// the program runs is newer than what its command line said.
func withoutFlags(from settings.Options, changes []settings.Change) settings.Options {
	from.Flags = slices.DeleteFunc(slices.Clone(from.Flags), func(o settings.Override) bool {
		return slices.ContainsFunc(changes, func(c settings.Change) bool { return c.Key == o.Key })
	})
	return from
}

// fixedBy returns the first change that the environment does not allow.
func (a *App) fixedBy(changes []settings.Change) *FixedError {
	a.mu.Lock()
	defer a.mu.Unlock()
	fixed := a.fixed()
	for _, c := range changes {
		if variable, ok := fixed[c.Key]; ok {
			return &FixedError{Key: c.Key, Variable: variable}
		}
	}
	return nil
}

// ChangeSettings puts changes in force and writes them into the config file, both or
// neither. The error is a *settings.Error for values that are wrong, a *FixedError for
// a key that the environment sets, a *PortError for a port that cannot be opened.
func (a *App) ChangeSettings(_ context.Context, changes []settings.Change) error {
	if fault := a.fixedBy(changes); fault != nil {
		return fault
	}
	a.intent.Lock()
	defer a.intent.Unlock()
	a.mu.Lock()
	from, broken, old, path := a.from, a.broken, a.loaded, a.file.WritePath()
	a.mu.Unlock()
	if path == "" {
		return errors.New("there is no place for a config file: the home folder is not known")
	}
	if err := a.bringBack(old.Path); err != nil {
		return err
	}
	if broken == nil {
		next, err := settings.Load(withChanges(from, changes))
		if err != nil {
			return err
		}
		if err := a.change(next); err != nil {
			return err
		}
	}
	err := a.save(path, withoutFlags(from, changes), changes)
	if err != nil && broken == nil {
		err = errors.Join(err, a.change(old))
	}
	return err
}

// bringBack writes the config file in force anew from its copy if it has gone: a file
// with the changes alone would take everything else out of force.
func (a *App) bringBack(path string) error {
	if path == "" {
		return nil
	}
	if _, err := os.Stat(path); !errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	text, err := os.ReadFile(a.goodFile())
	if err != nil {
		return fmt.Errorf("the config file %s has gone; put it back first", path)
	}
	if err := writeFile(path, text); err != nil {
		a.report(saveProblem(path, err))
		return err
	}
	a.log.Warn("the config file had gone and was written anew", "file", path)
	return nil
}

// save writes changes into the file, and puts in force what then stands there. The
// caller holds the intent lock.
func (a *App) save(path string, from settings.Options, changes []settings.Change) error {
	err := settings.Set(path, changes...)
	var wrong *settings.Error
	if errors.As(err, &wrong) {
		return err
	}
	if err != nil {
		a.report(saveProblem(path, err))
		return err
	}
	next, err := settings.Load(from)
	if err != nil {
		return err
	}
	if err := a.change(next); err != nil {
		return err
	}
	a.mu.Lock()
	a.from = from
	a.fromTurn++
	a.mu.Unlock()
	select {
	case a.rewatch <- struct{}{}:
	default: // it is on its way
	}
	a.solved(state.ProblemSave)
	a.log.Info("settings were changed", "keys", keysOf(changes), "file", path)
	return nil
}

func keysOf(changes []settings.Change) []string {
	var keys []string
	for _, c := range changes {
		keys = append(keys, c.Key)
	}
	return keys
}

// grace is how long running requests may go on at the end.
func (a *App) grace() time.Duration {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.loaded.Settings.Limits.Grace()
}
