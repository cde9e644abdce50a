// Package app is the running application without a face. It owns the settings, the
// proxy, the records of requests and the log, and is what the tray, the log window and
// the command line render and steer.
//
// Life of an [App]:
//
//  1. [New] loads the settings. For "glmtray serve" a bad config file, a bad flag, an
//     impossible combination are an error that says where, before anything runs. The
//     desktop program starts all the same, with the last good settings, and shows it.
//  2. [App.Run] opens the port, unless the settings say otherwise. Bound is ready:
//     Options.Ready is told the address. The settings' file is watched; a good change
//     builds a new proxy and puts it in place of the old one, whose running requests
//     end as they began. A bad change is told and changes nothing. The port stays open.
//  3. Faces call intents ([App.StopProxy], [App.UseProvider], …). An intent changes the
//     state, the new state is announced to all that [App.Watch], and they render it.
//  4. The end of Run's context closes the port. Running streams have the grace period to
//     finish; [App.Abort] and the period's end cut them.
package app

import (
	"context"
	"errors"
	"log/slog"
	"net/http"
	"os"
	"sync"
	"sync/atomic"

	"github.com/google/uuid"

	"glmtray/app/account"
	"glmtray/app/control"
	"glmtray/app/history"
	"glmtray/app/journal"
	"glmtray/app/locale"
	"glmtray/app/settings"
	"glmtray/app/state"
	"glmtray/app/vault"
	"glmtray/app/window"
	"glmtray/assets"
	"glmtray/proxy"
	"glmtray/proxy/upstream"
)

// Options are what an App is made of.
type Options struct {
	// Settings says where the settings come from.
	Settings settings.Options
	// Version is the program's.
	Version string
	// Ready, if set, is called once, with the base URL of the proxy, as soon as it
	// can be reached for the first time.
	Ready func(baseURL string)
	// Desktop says that the program runs with a tray: it is the only one of its kind,
	// starts with settings that are wrong, logs to a file, outlives failures of the
	// proxy, and shows notifications.
	Desktop bool
	// Autostart is the command that starts the program at login; empty: it cannot.
	Autostart []string
	// Notify, if set, shows a notification. It may be called concurrently.
	Notify func(title, text string) error
}

// App is the application. Its methods may be called concurrently; Run once.
type App struct {
	options   Options
	models    upstream.Models
	transport *upstream.Transport
	log       *slog.Logger
	sink      *logSink
	lines     *journal.Lines
	exchanges *history.Log
	window    *window.Server
	session   string
	store     *account.Store
	checks    *checks
	responses *proxy.ResponseStore // what clients go on from
	opened    chan struct{}        // closed when the vault was read for the first time
	wire      *upstream.Wire       // of the start plan; what was found of it holds for the run
	renewing  sync.Mutex           // one account's credentials are renewed at a time

	proxy    atomic.Pointer[proxy.Server]
	active   atomic.Int64    // requests, of this proxy and of those before it
	requests context.Context // that of all requests
	abort    context.CancelCauseFunc
	life     context.Context // of the demo upstream, which outlives all requests
	die      context.CancelFunc
	quit     context.CancelFunc // ends Run as the end of its context does
	quitting context.Context
	instance *control.Instance
	faults   chan error // that end a program without a tray
	rewatch  chan struct{}

	// intent is held while something changes: one change at a time.
	intent sync.Mutex

	mu         sync.Mutex // guards what follows; held for moments only
	from       settings.Options
	fromTurn   int             // counts its changes
	loaded     settings.Loaded // in force
	broken     *settings.Error // what is wrong with the file, if anything
	file       settings.Loaded // the last outcome of loading, good or bad
	printer    *locale.Printer
	phase      state.Phase
	door       *door // nil while the proxy is stopped
	doors      map[*door]struct{}
	demoBase   string
	accounts   []account.Account
	vaultErr   error // why the vault could not be read
	vaultWhere vault.Where
	pools      map[string]*upstream.Pool // by provider and plan
	guests     []*guests                 // the pool in use is among them
	attempt    *attempt                  // a login that is going on
	problems   map[string]state.Problem
	icon       state.Icon
	login      state.Autostart
	changed    chan struct{} // closed at the next change of the state
}

// ErrRunning says that the program runs already, and has been left alone.
var ErrRunning = control.ErrTaken

// New loads the settings and returns an application that does not run yet. The error is
// a *settings.Error if the settings are wrong and the program cannot do without.
func New(o Options) (*App, error) {
	a := &App{
		options: o, transport: upstream.NewTransport(), session: uuid.NewString(),
		lines: journal.New(), exchanges: history.New(), from: o.Settings, phase: state.Stopped,
		doors: map[*door]struct{}{}, problems: map[string]state.Problem{}, changed: make(chan struct{}),
		faults: make(chan error, 1), rewatch: make(chan struct{}, 1),
		opened: make(chan struct{}), pools: map[string]*upstream.Pool{}, wire: new(upstream.Wire), responses: proxy.NewResponseStore(),
	}
	var err error
	if a.models, err = upstream.ParseModels(assets.Models); err != nil {
		return nil, err
	}
	if err := a.firstSettings(); err != nil {
		return nil, err
	}
	s := a.loaded.Settings
	if a.printer, err = locale.Load(s.App.Language, a.env); err != nil {
		return nil, err
	}
	if err := a.openLog(); err != nil {
		return nil, err
	}
	a.requests, a.abort = context.WithCancelCause(context.Background())
	a.life, a.die = context.WithCancel(context.Background())
	a.quitting, a.quit = context.WithCancel(context.Background())
	a.store = account.NewStore(vault.New(vault.Options{Dir: a.loaded.Dirs.Data, Env: a.env}))
	a.checks = newChecks(a)
	a.window = window.New(a, window.Options{Version: o.Version, Log: a.log})
	a.refreshAutostart()
	return a, nil
}

// env looks up an environment variable as the settings do.
func (a *App) env(name string) string {
	if a.options.Settings.Env != nil {
		return a.options.Settings.Env(name)
	}
	return os.Getenv(name)
}

// Abort cuts all running requests and makes Run return soon, whether Run's context
// has ended or not.
func (a *App) Abort() { a.abort(proxy.ErrStopped) }

// Quit ends Run as the end of its context does. It may be called at any time.
func (a *App) Quit() { a.quit() }

// Run serves until ctx ends or Quit is called, and the running streams have ended, at
// most the grace period later. It returns the error for which it could not start or had
// to stop, nil after an orderly end. For the desktop program the error is ErrRunning if
// another one runs; that the proxy cannot start is no error but a problem that is shown.
func (a *App) Run(ctx context.Context) error {
	defer a.sink.Close()
	defer a.transport.CloseIdleConnections()
	defer a.die()
	defer a.window.Close()
	ctx, stop := context.WithCancel(ctx)
	defer stop()
	defer context.AfterFunc(a.quitting, stop)()

	if err := a.Claim(); err != nil {
		return err
	}
	if a.instance != nil {
		defer a.instance.Close()
	}
	if err := a.begin(ctx); err != nil {
		return err
	}
	var watching sync.WaitGroup
	defer func() {
		stop()
		watching.Wait() // they write nothing afterwards
	}()
	watching.Add(2)
	a.spawn("vault", func() {
		defer watching.Done()
		a.watchVault(ctx)
	})
	a.spawn("sleep", func() { a.transport.WatchSleep(ctx) })
	a.spawn("settings", func() {
		defer watching.Done()
		a.watchSettings(ctx)
	})
	select {
	case err := <-a.faults:
		return errors.Join(err, a.cut())
	case <-a.requests.Done():
		return a.cut()
	case <-ctx.Done():
		return a.shutdown()
	}
}

// Claim makes this program the one of its kind on this machine's account, and gives it
// its private control address. Run does it if it has not been done. The error is
// ErrRunning for a desktop program beside another one; a program without a tray may
// stand beside others, and then has no control address.
func (a *App) Claim() error {
	dir := a.loaded.Dirs.State
	if a.instance != nil || dir == "" {
		return nil
	}
	instance, err := control.Acquire(dir)
	switch {
	case errors.Is(err, control.ErrTaken) && a.options.Desktop:
		return ErrRunning
	case errors.Is(err, control.ErrTaken):
		a.log.Debug("another instance has the control address; status, stop and logs speak to that one")
		return nil
	case err != nil:
		a.report(saveProblem(dir, err))
		return nil
	}
	if err := instance.Serve(a); err != nil {
		a.log.Warn("there is no control address; status, stop and logs cannot reach this program", "reason", err.Error())
	}
	a.instance = instance
	return nil
}

// Newcomer reports whether nobody has given the program a key or logged in yet. It waits
// until that is known: until the vault was read, or cannot be.
func (a *App) Newcomer() bool {
	select {
	case <-a.opened:
	case <-a.quitting.Done():
		return false
	}
	s := a.Snapshot()
	return !s.Account.Known && len(s.Accounts) == 0
}

// begin starts the proxy, if it is to start with the program.
func (a *App) begin(ctx context.Context) error {
	for _, note := range a.loaded.Notes {
		a.log.Info(note)
	}
	a.keepGood()
	a.repairAutostart()
	if a.options.Desktop && !a.loaded.Settings.App.StartProxy {
		return nil
	}
	if err := a.StartProxy(ctx); err != nil && !a.options.Desktop {
		return err
	}
	return nil
}

// spawn runs a part of the program. If that panics the others go on, and the person is
// told.
func (a *App) spawn(part string, run func()) {
	go func() {
		defer func() {
			if fault := recover(); fault != nil {
				a.Crashed(part, fault)
			}
		}()
		run()
	}()
}

// serveHTTP hands a request to the proxy of the moment.
func (a *App) serveHTTP(d *door, w http.ResponseWriter, r *http.Request) {
	a.count(d, 1)
	defer a.count(d, -1)
	a.proxy.Load().ServeHTTP(w, r)
	if d.requests.Err() != nil {
		// The request was cut. The proxy has told nothing to a client that had no
		// answer yet, since for it that client has left; to return would mean an
		// empty success.
		panic(http.ErrAbortHandler)
	}
}

// count follows how many requests run.
func (a *App) count(d *door, n int64) {
	d.running.Add(n)
	a.active.Add(n)
	a.announce()
}
