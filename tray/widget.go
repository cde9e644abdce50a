//go:build !darwin || cgo

package tray

import (
	"context"
	"sync"

	"fyne.io/systray"

	"glmtray/app/state"
	"glmtray/assets"
)

// clicks is how many clicks an entry holds until they are taken, which is at once.
const clicks = 64

// Run shows the icon until ctx ends. It must be called on the main goroutine, once in a
// process. Where there is no place for the icon it says so to the application, once,
// and waits: a tray that appears later gets the icon.
func Run(ctx context.Context, app App) error {
	if !waitForSession(ctx, app) {
		return nil
	}
	ctx, stop := context.WithCancel(ctx)
	defer stop()
	w := &widget{app: app}
	w.worker = newWorker(app, w.rebuild)
	if opensOnTap() {
		systray.SetOnTapped(func() { w.worker.put(Intent{Open, ""}) })
	}
	systray.SetTitle("GLM Tray") // before it starts: it becomes the item's Id
	var parts sync.WaitGroup
	systray.Run(func() {
		for _, part := range []func(){
			func() { w.worker.run(ctx) }, func() { w.follow(ctx) }, func() { watchHost(ctx, app) },
		} {
			parts.Go(func() {
				defer rescue(app)
				part()
			})
		}
		context.AfterFunc(ctx, systray.Quit)
	}, nil)
	stop()
	parts.Wait()
	return nil
}

// rescue tells of a part of the tray that panicked; the proxy goes on without it.
func rescue(app App) {
	if fault := recover(); fault != nil {
		app.Crashed("tray", fault)
	}
}

// widget shows a menu with systray. Only the goroutine of follow and, for a rebuild,
// that of the worker touch it, under the lock.
type widget struct {
	app    App
	worker *worker

	mu      sync.Mutex // guards what follows
	shown   Item
	root    []*entry
	face    state.Face
	tooltip string
}

// entry is an item that systray shows.
type entry struct {
	item  *systray.MenuItem // nil for a separator
	items []*entry

	mu     sync.Mutex // guards what follows
	intent Intent
}

// follow draws each snapshot until ctx ends.
func (w *widget) follow(ctx context.Context) {
	for s := range w.app.Watch(ctx) {
		if ctx.Err() == nil { // else systray is about to end
			w.draw(s)
		}
	}
}

// draw shows a snapshot. What has not changed is not touched.
func (w *widget) draw(s state.Snapshot) {
	p := w.app.Printer()
	menu := Menu(s, p)
	w.mu.Lock()
	defer w.mu.Unlock()
	if face := s.Face(); face != w.face {
		systray.SetTemplateIcon(assets.TrayTemplate(string(face)), assets.TrayIcon(string(face)))
		w.face = face
	}
	if tooltip := Tooltip(s, p); tooltip != w.tooltip {
		systray.SetTooltip(tooltip)
		w.tooltip = tooltip
	}
	if w.root == nil {
		w.root = w.build(nil, menu.Items)
	} else {
		update(w.root, w.shown.Items, menu.Items)
	}
	w.shown = menu
}

// rebuild makes the menu anew, for a desktop that has lost it.
func (w *widget) rebuild() {
	w.mu.Lock()
	defer w.mu.Unlock()
	systray.ResetMenu() // ends the goroutines of its entries too
	w.root = w.build(nil, w.shown.Items)
}

// build makes the entries of items, below a parent or at the top.
func (w *widget) build(parent *systray.MenuItem, items []Item) []*entry {
	entries := make([]*entry, 0, len(items))
	for _, i := range items {
		e := &entry{intent: i.Intent}
		entries = append(entries, e)
		if i.Separator {
			separate(parent)
			continue
		}
		e.item = add(parent, i)
		// A channel with room: systray throws a click away that nobody takes at once.
		e.item.ClickedCh = make(chan struct{}, clicks)
		show(e.item, i)
		go w.listen(e, e.item.ClickedCh)
		e.items = w.build(e.item, i.Items)
	}
	return entries
}

// listen hands clicks on until the entry is removed.
func (w *widget) listen(e *entry, clicked <-chan struct{}) {
	for range clicked {
		e.mu.Lock()
		do := e.intent
		e.mu.Unlock()
		if do.Kind != None {
			w.worker.put(do)
		}
	}
}

func separate(parent *systray.MenuItem) {
	if parent == nil {
		systray.AddSeparator()
		return
	}
	parent.AddSeparator()
}

func add(parent *systray.MenuItem, i Item) *systray.MenuItem {
	switch {
	case parent == nil && i.Check == NoCheck:
		return systray.AddMenuItem(i.Label, "")
	case parent == nil:
		return systray.AddMenuItemCheckbox(i.Label, "", i.Check == On)
	case i.Check == NoCheck:
		return parent.AddSubMenuItem(i.Label, "")
	}
	return parent.AddSubMenuItemCheckbox(i.Label, "", i.Check == On)
}

// show gives a new item what it was not made with.
func show(item *systray.MenuItem, i Item) {
	if i.Disabled {
		item.Disable()
	} else {
		item.Enable()
	}
	if i.Hidden {
		item.Hide()
	}
}

// update changes entries from what they show to what they are to show.
func update(entries []*entry, old, items []Item) {
	for n, e := range entries {
		before, now := old[n], items[n]
		if e.item == nil {
			continue
		}
		e.mu.Lock()
		e.intent = now.Intent
		e.mu.Unlock()
		change(e.item, before, now)
		update(e.items, before.Items, now.Items)
	}
}

func change(item *systray.MenuItem, before, now Item) {
	if now.Label != before.Label {
		item.SetTitle(now.Label)
	}
	if now.Disabled != before.Disabled {
		if now.Disabled {
			item.Disable()
		} else {
			item.Enable()
		}
	}
	if now.Check != before.Check {
		if now.Check == On {
			item.Check()
		} else {
			item.Uncheck()
		}
	}
	if now.Hidden != before.Hidden {
		if now.Hidden {
			item.Hide()
		} else {
			item.Show()
		}
	}
}
