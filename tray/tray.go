package tray

import (
	"context"
	"errors"
	"strconv"
	"sync"
	"time"

	"github.com/atotto/clipboard"

	"glmtray/app/locale"
	"glmtray/app/state"
)

// App is the application as the tray knows it. Its methods may be called concurrently.
type App interface {
	Snapshot() state.Snapshot
	// Watch sends the present snapshot, and then the latest after each change, until
	// ctx ends.
	Watch(ctx context.Context) <-chan state.Snapshot
	Printer() *locale.Printer

	StartProxy(ctx context.Context) error
	StopProxy(ctx context.Context) error
	UseProvider(ctx context.Context, provider string) error
	UsePlan(ctx context.Context, plan string) error
	UsePort(ctx context.Context, port int) error
	SetAutostart(ctx context.Context, enabled bool) error
	SetLanguage(ctx context.Context, language string) error
	// Login begins a login in the browser, and returns at once.
	Login(ctx context.Context, provider string) error
	CancelLogin()
	// UseAccount has one account used alone; "" is all of them.
	UseAccount(ctx context.Context, name string) error
	// Open shows the log window at a page.
	Open(ctx context.Context, page string) error
	// CopyText is what is copied: "openai", "anthropic" or "key"; "" if there is none.
	CopyText(what string) string
	Quit()

	// SetIcon is told whether the icon is shown.
	SetIcon(shown bool)
	// NoIcon is told why there is none, and what a person can do.
	NoIcon(reason, remedy locale.Message)
	// Crashed is told of a part of the program that panicked, in the goroutine that did.
	Crashed(part string, fault any)
	// Report is told of an intent that failed.
	Report(err error)
}

// clipboardTimeout is how long the system's clipboard tool may take.
const clipboardTimeout = 3 * time.Second

// worker carries out intents one after the other, in a goroutine that is none of the
// user interface's. None that was put in is lost.
type worker struct {
	app     App
	rebuild func()

	mu    sync.Mutex // guards what follows
	queue []Intent
	more  chan struct{} // has a value when the queue has
}

func newWorker(app App, rebuild func()) *worker {
	return &worker{app: app, rebuild: rebuild, more: make(chan struct{}, 1)}
}

// put queues an intent. Quitting waits for nobody.
func (w *worker) put(do Intent) {
	if do.Kind == Quit {
		w.app.Quit()
		return
	}
	w.mu.Lock()
	w.queue = append(w.queue, do)
	w.mu.Unlock()
	select {
	case w.more <- struct{}{}:
	default: // it will look at all of them
	}
}

func (w *worker) take() []Intent {
	w.mu.Lock()
	defer w.mu.Unlock()
	all := w.queue
	w.queue = nil
	return all
}

// run works until ctx ends.
func (w *worker) run(ctx context.Context) {
	for {
		select {
		case <-w.more:
		case <-ctx.Done():
			return
		}
		for _, do := range w.take() {
			if err := w.do(ctx, do); err != nil && ctx.Err() == nil {
				w.app.Report(err)
			}
		}
	}
}

// do carries out one intent.
func (w *worker) do(ctx context.Context, do Intent) error {
	switch do.Kind {
	case Open:
		return w.app.Open(ctx, do.Arg)
	case Start:
		_ = w.app.StartProxy(ctx) // its failure is a problem that shows itself
	case Stop:
		return w.app.StopProxy(ctx)
	case UsePort:
		port, err := strconv.Atoi(do.Arg)
		if err != nil {
			return err
		}
		return w.app.UsePort(ctx, port)
	case Copy:
		return w.copy(ctx, do.Arg)
	case UseProvider:
		return w.useProvider(ctx, do.Arg)
	case UsePlan:
		return w.app.UsePlan(ctx, do.Arg)
	case Autostart:
		return w.app.SetAutostart(ctx, do.Arg == "on")
	case SetLanguage:
		return w.app.SetLanguage(ctx, do.Arg)
	case Login:
		return w.app.Login(ctx, do.Arg)
	case CancelLogin:
		w.app.CancelLogin()
	case UseAccount:
		return w.app.UseAccount(ctx, do.Arg)
	case Rebuild:
		w.rebuild()
	}
	return nil
}

// useProvider chooses a provider. One that needs more than a choice, as the custom one
// needs an address, leads to the settings.
func (w *worker) useProvider(ctx context.Context, id string) error {
	err := w.app.UseProvider(ctx, id)
	if err != nil {
		return errors.Join(err, w.app.Open(ctx, "settings/provider"))
	}
	return nil
}

// copy puts a text into the clipboard. Where there is no tool for it the window opens
// with the text selected.
func (w *worker) copy(ctx context.Context, what string) error {
	text := w.app.CopyText(what)
	if text == "" {
		return nil // it was taken away meanwhile
	}
	done := make(chan error, 1)
	go func() { done <- clipboard.WriteAll(text) }()
	select {
	case err := <-done:
		if err == nil {
			return nil
		}
	case <-time.After(clipboardTimeout):
	}
	return w.app.Open(ctx, "copy/"+what)
}
