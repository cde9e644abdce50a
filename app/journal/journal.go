// Package journal keeps the last lines of the program's log in memory, for the window
// and the command line to show. It is a [slog.Handler] that stands before the one that
// writes the file.
package journal

import (
	"context"
	"log/slog"
	"time"

	"glmtray/app/feed"
)

// Limit is how many lines a Journal keeps.
const Limit = 5000

// Line is one entry of the log.
type Line struct {
	Time    time.Time   `json:"time"`
	Level   string      `json:"level"` // "debug", "info", "warn" or "error"
	Message string      `json:"message"`
	Attrs   []Attribute `json:"attrs"`
}

// Attribute is a named value of a line. Groups are joined to the name by dots.
type Attribute struct {
	Key   string `json:"key"`
	Value string `json:"value"`
}

// Lines are the latest lines. They may be used concurrently.
type Lines = feed.Feed[Line]

// New returns an empty list of lines.
func New() *Lines { return feed.New[Line](Limit, nil) }

// Handler returns a handler that puts each record that next is enabled for into lines,
// and hands it on to next.
func Handler(lines *Lines, next slog.Handler) slog.Handler { return &handler{lines: lines, next: next} }

type handler struct {
	lines  *Lines
	next   slog.Handler
	attrs  []Attribute // from WithAttrs
	prefix string      // from WithGroup
}

// Enabled implements slog.Handler.
func (h *handler) Enabled(ctx context.Context, level slog.Level) bool {
	return h.next.Enabled(ctx, level)
}

// Handle implements slog.Handler.
func (h *handler) Handle(ctx context.Context, r slog.Record) error {
	line := Line{Time: r.Time, Level: levelName(r.Level), Message: r.Message, Attrs: make([]Attribute, 0, len(h.attrs)+r.NumAttrs())}
	line.Attrs = append(line.Attrs, h.attrs...)
	r.Attrs(func(a slog.Attr) bool {
		line.Attrs = appendAttr(line.Attrs, h.prefix, a)
		return true
	})
	h.lines.Put(line)
	return h.next.Handle(ctx, r)
}

// WithAttrs implements slog.Handler.
func (h *handler) WithAttrs(attrs []slog.Attr) slog.Handler {
	out := *h
	out.next, out.attrs = h.next.WithAttrs(attrs), h.attrs[:len(h.attrs):len(h.attrs)]
	for _, a := range attrs {
		out.attrs = appendAttr(out.attrs, h.prefix, a)
	}
	return &out
}

// WithGroup implements slog.Handler.
func (h *handler) WithGroup(name string) slog.Handler {
	out := *h
	out.next = h.next.WithGroup(name)
	if name != "" {
		out.prefix += name + "."
	}
	return &out
}

func appendAttr(to []Attribute, prefix string, a slog.Attr) []Attribute {
	v := a.Value.Resolve()
	if v.Kind() != slog.KindGroup {
		if a.Equal(slog.Attr{}) {
			return to // as slog's handlers do
		}
		return append(to, Attribute{prefix + a.Key, v.String()})
	}
	if a.Key != "" {
		prefix += a.Key + "."
	}
	for _, inner := range v.Group() {
		to = appendAttr(to, prefix, inner)
	}
	return to
}

func levelName(l slog.Level) string {
	switch {
	case l < slog.LevelInfo:
		return "debug"
	case l < slog.LevelWarn:
		return "info"
	case l < slog.LevelError:
		return "warn"
	}
	return "error"
}
