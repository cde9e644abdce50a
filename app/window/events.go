package window

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"time"

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
	// writeTimeout is how long a page may take to read a message. One that sleeps in the
	// background must not hold a goroutine for ever.
	writeTimeout = 30 * time.Second
)

// pace is how fast streams go.
type pace struct{ calm, keepAlive, write time.Duration }

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
	w       http.ResponseWriter
	control *http.ResponseController
	pace    pace

	requests tail[history.Record]
	lines    tail[journal.Line] // of no feed if the page does not want them
}

// events streams snapshots, requests and, with ?lines=1, lines of the log to a page, as
// server-sent events (WHATWG HTML §9.2). Each message's id says how far the page has
// read, so that a connection that breaks goes on where it was.
func (s *Server) events(w http.ResponseWriter, r *http.Request) {
	if !s.enterStream() {
		answer(w, http.StatusServiceUnavailable, failure{Message: fmt.Sprintf("more than %d windows are open", maxStreams)})
		return
	}
	defer s.leaveStream()
	w.Header().Set("Content-Type", "text/event-stream")
	w.Header().Set("Cache-Control", "no-store")
	requests, lines := placesOf(r.Header.Get("Last-Event-ID"))
	out := &stream{
		w: w, control: http.NewResponseController(w), pace: s.pace,
		requests: tail[history.Record]{feed: s.app.Exchanges(), at: requests},
		lines:    tail[journal.Line]{at: lines},
	}
	if r.URL.Query().Get("lines") == "1" {
		out.lines.feed = s.app.Journal()
	}
	if out.write("retry: 1000\n\n") == nil {
		out.follow(r.Context(), s.app.Watch(r.Context()))
	}
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

// follow sends what changes until the page leaves or the server ends. What is new goes
// out at once; what comes in the rest after it goes out together.
func (o *stream) follow(ctx context.Context, snapshots <-chan state.Snapshot) {
	life := time.NewTicker(o.pace.keepAlive)
	defer life.Stop()
	var resting <-chan time.Time // nil: the feeds may be read
	for {
		var requests, lines <-chan struct{} // announce changes
		if resting == nil {
			sent, err := o.sendFeeds()
			if err != nil {
				return
			}
			if sent {
				resting = time.After(o.pace.calm)
			} else {
				requests, lines = o.requests.changed, o.lines.changed
			}
		}
		var err error
		select {
		case <-ctx.Done():
			return
		case snapshot, ok := <-snapshots:
			if !ok {
				return
			}
			err = o.send("snapshot", snapshotEvent{snapshot, snapshot.Face()})
		case <-requests:
		case <-lines:
		case <-resting:
			resting = nil
		case <-life.C:
			err = o.write(": alive\n\n")
		}
		if err != nil {
			return
		}
	}
}

// sendFeeds sends what the page has not read yet, and reports whether there was any.
func (o *stream) sendFeeds() (sent bool, err error) {
	if page, news := o.requests.next(); news {
		sent = true
		if err := o.send("requests", batchOf(page, func(_ uint64, r history.Record) history.Record { return r })); err != nil {
			return sent, err
		}
	}
	if page, news := o.lines.next(); news {
		sent = true
		err = o.send("lines", batchOf(page, func(seq uint64, l journal.Line) lineItem { return lineItem{seq, l} }))
	}
	return sent, err
}

// send writes one message.
func (o *stream) send(event string, data any) error {
	text, err := json.Marshal(data) // on one line
	if err != nil {
		return err
	}
	return o.write(fmt.Sprintf("event: %s\nid: %s;%s\ndata: %s\n\n", event, o.requests.at, o.lines.at, text))
}

func (o *stream) write(text string) error {
	if err := o.control.SetWriteDeadline(time.Now().Add(o.pace.write)); err != nil {
		return err
	}
	if _, err := fmt.Fprint(o.w, text); err != nil {
		return err
	}
	return o.control.Flush()
}
