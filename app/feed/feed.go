// Package feed is a bounded list of things that change while others watch: the
// requests of the window's table, the lines of its log. Each change has a number; who
// remembers the last number that it saw gets exactly what came after, so that a
// connection that breaks leaves neither a gap nor a repetition.
//
// Start with [New]; [Feed.Put] adds or replaces, [Feed.After] reads on. The package
// knows nothing of what it holds, and keeps it in memory only.
package feed

import (
	"container/list"
	"slices"
	"sync"

	"github.com/google/uuid"
)

// Item is a value with the number of its last change.
type Item[T any] struct {
	Seq   uint64
	Value T
}

// Feed holds the latest values, at most as many as New allows. Its methods may be
// called concurrently.
type Feed[T any] struct {
	limit int
	key   func(T) string

	mu      sync.Mutex // guards what follows
	epoch   string
	seq     uint64
	lost    uint64     // the last change that was thrown out for want of room
	items   *list.List // of Item[T], in the order of their numbers
	byKey   map[string]*list.Element
	changed chan struct{}
}

// Page is what [Feed.After] found.
type Page[T any] struct {
	// Epoch names the life of the feed; it is another one after [Feed.Clear] and in
	// each run of the program. Numbers of another epoch mean nothing.
	Epoch string
	// Items are in the order of their numbers.
	Items []Item[T]
	// Last is the number to ask on with.
	Last uint64
	// Whole says that nothing lies between the number asked for and the first item. If
	// not, Items are everything there is, and what the reader holds is out of date.
	Whole bool
	// Changed is closed with the next change after this page.
	Changed <-chan struct{}
}

// New returns an empty feed of at most limit values. key, if not nil, names a value: a
// new one of the same name takes the place of the old one. Values for which it
// returns "" stand alone.
func New[T any](limit int, key func(T) string) *Feed[T] {
	f := &Feed[T]{limit: max(limit, 1), key: key, changed: make(chan struct{})}
	f.forget()
	return f
}

// forget starts a new epoch. The caller holds the lock or is the only one.
func (f *Feed[T]) forget() {
	f.epoch, f.seq, f.lost = uuid.NewString(), 0, 0
	f.items, f.byKey = list.New(), map[string]*list.Element{}
}

// Put adds a value, or puts it in the place of the one of the same name.
func (f *Feed[T]) Put(v T) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.seq++
	name := f.name(v)
	if old, ok := f.byKey[name]; ok {
		f.items.Remove(old)
	}
	e := f.items.PushBack(Item[T]{f.seq, v})
	if name != "" {
		f.byKey[name] = e
	}
	for f.items.Len() > f.limit {
		oldest := f.items.Remove(f.items.Front()).(Item[T])
		f.lost = oldest.Seq
		delete(f.byKey, f.name(oldest.Value))
	}
	f.announce()
}

func (f *Feed[T]) name(v T) string {
	if f.key == nil {
		return ""
	}
	return f.key(v)
}

func (f *Feed[T]) announce() {
	close(f.changed)
	f.changed = make(chan struct{})
}

// Clear forgets everything and starts a new epoch.
func (f *Feed[T]) Clear() {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.forget()
	f.announce()
}

// After returns what changed after the number seq of an epoch. With an epoch that is
// not the feed's, or a number before what there was no room for, the page is not whole.
func (f *Feed[T]) After(epoch string, seq uint64) Page[T] {
	f.mu.Lock()
	defer f.mu.Unlock()
	p := Page[T]{Epoch: f.epoch, Last: f.seq, Changed: f.changed}
	p.Whole = epoch == f.epoch && seq >= f.lost && seq <= f.seq
	if !p.Whole {
		seq = 0
	}
	for e := f.items.Back(); e != nil && e.Value.(Item[T]).Seq > seq; e = e.Prev() {
		p.Items = append(p.Items, e.Value.(Item[T]))
	}
	slices.Reverse(p.Items)
	return p
}
