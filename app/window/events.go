package window

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"time"

	"glmtray/app/feed"
	"glmtray/app/history"
	"glmtray/app/journal"
	"glmtray/app/state"
)

const (
	// maxStreams bounds the pages that are open at once.
	maxStreams = 32
	// calm is how long changes are collected after each message.
	calm = 100 * time.Millisecond
	// keepAlive is how often a stream without news gives a sign of life.
	keepAlive = 20 * time.Second
	// writeTimeout is how long a page may take to read a message.
	writeTimeout = 30 * time.Second
)

// place is how far a page has read a feed.
type place struct {
	epoch string
	seq   uint64
}

func (p place) String() string { return p.epoch + ":" + strconv.FormatUint(p.seq, 10) }

// placeOf reads what String wrote; anything else is the place of one who has read
// nothing.
func placeOf(text string) place {
	epoch, number, _ := strings.Cut(text, ":")
	seq, err := strconv.ParseUint(number, 10, 64)
	if err != nil {
		return place{}
	}
	return place{epoch, seq}
}

// batch is what a page gets of a feed.
type batch struct {
	// Whole says that the items follow on those before; if not, they take their place.
	Whole bool `json:"whole"`
	Items any  `json:"items"`
}

// lineItem is a line of the log with its number, which is its name.
type lineItem struct {
	Seq uint64 `json:"seq"`
	journal.Line
}

// snapshotEvent is a snapshot with what pages would have to work out of it.
type snapshotEvent struct {
	state.Snapshot
	Face state.Face `json:"face"`
}

// stream sends events to one page.
type stream struct {
	w     http.ResponseWriter
	flush *http.ResponseController
	// requests and lines are how far the page has read each feed.
	requests, lines place
	wantsLines      bool
}

// events streams snapshots, requests and lines to a page (WHATWG HTML, server-sent
// events). Each message's id says how far the page has read, so that a connection that
// breaks goes on where it was.
func (s *Server) events(w http.ResponseWriter, r *http.Request) {
	if !s.enterStream() {
		http.Error(w, "too many windows are open", http.StatusServiceUnavailable)
		return
	}
	defer s.leaveStream()
	h := w.Header()
	h.Set("Content-Type", "text/event-stream")
	h.Set("Cache-Control", "no-store")
	requests, lines, _ := strings.Cut(r.Header.Get("Last-Event-ID"), ";")
	out := &stream{
		w: w, flush: http.NewResponseController(w), requests: placeOf(requests), lines: placeOf(lines),
		wantsLines: r.URL.Query().Get("lines") == "1",
	}
	if _, err := fmt.Fprint(w, "retry: 1000\n\n"); err != nil {
		return
	}
	s.follow(r.Context(), out)
}

func (s *Server) enterStream() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.streams >= maxStreams {
		return false
	}
	s.streams++
	return true
}

func (s *Server) leaveStream() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.streams--
}

// follow sends what changes until the page leaves or the server ends.
func (s *Server) follow(ctx context.Context, out *stream) {
	snapshots := s.app.Watch(ctx)
	life := time.NewTicker(keepAlive)
	defer life.Stop()
	for {
		requests, lines, err := s.sendFeeds(out)
		if err != nil {
			return
		}
		select {
		case <-ctx.Done():
			return
		case snapshot, ok := <-snapshots:
			if !ok {
				return
			}
			err = out.send("snapshot", snapshotEvent{snapshot, snapshot.Face()})
		case <-requests:
			err = rest(ctx)
		case <-lines:
			err = rest(ctx)
		case <-life.C:
			err = out.write(": alive\n\n")
		}
		if err != nil {
			return
		}
	}
}

// rest waits for more changes of a kind, so that they go out together.
func rest(ctx context.Context) error {
	select {
	case <-time.After(calm):
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// sendFeeds sends what the page has not read yet, and returns what announces more.
func (s *Server) sendFeeds(out *stream) (requests, lines <-chan struct{}, err error) {
	page := s.app.Exchanges().After(out.requests.epoch, out.requests.seq)
	fresh := out.requests.epoch != page.Epoch
	out.requests = place{page.Epoch, page.Last}
	if len(page.Items) > 0 || fresh {
		if err := out.send("requests", batch{page.Whole, records(page)}); err != nil {
			return nil, nil, err
		}
	}
	if !out.wantsLines {
		return page.Changed, nil, nil
	}
	log := s.app.Journal().After(out.lines.epoch, out.lines.seq)
	fresh = out.lines.epoch != log.Epoch
	out.lines = place{log.Epoch, log.Last}
	if len(log.Items) > 0 || fresh {
		items := make([]lineItem, len(log.Items))
		for i, item := range log.Items {
			items[i] = lineItem{item.Seq, item.Value}
		}
		err = out.send("lines", batch{log.Whole, items})
	}
	return page.Changed, log.Changed, err
}

func records(p feed.Page[history.Record]) []history.Record {
	list := make([]history.Record, len(p.Items))
	for i, item := range p.Items {
		list[i] = item.Value
	}
	return list
}

// send writes one message.
func (o *stream) send(event string, data any) error {
	text, err := json.Marshal(data) // on one line
	if err != nil {
		return err
	}
	return o.write(fmt.Sprintf("event: %s\nid: %s;%s\ndata: %s\n\n", event, o.requests, o.lines, text))
}

func (o *stream) write(text string) error {
	// A page that sleeps in the background must not hold a goroutine for ever.
	if err := o.flush.SetWriteDeadline(time.Now().Add(writeTimeout)); err != nil {
		return err
	}
	if _, err := fmt.Fprint(o.w, text); err != nil {
		return err
	}
	return o.flush.Flush()
}
