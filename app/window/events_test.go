package window

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"glmtray/app/feed"
	"glmtray/app/history"
	"glmtray/app/journal"
	"glmtray/app/settings"
	"glmtray/app/state"
)

// message is an event as a browser hands it to a page.
type message struct{ event, id, data string }

// reader reads a stream as a browser does (WHATWG HTML §9.2.6): a message counts when
// its empty line has come.
type reader struct {
	lines *bufio.Scanner
	close func() error
}

func newReader(body io.ReadCloser) *reader {
	lines := bufio.NewScanner(body)
	lines.Buffer(nil, 64<<20)
	return &reader{lines, body.Close}
}

// next returns the next message, or false at the end.
func (r *reader) next() (message, bool) {
	var m message
	for r.lines.Scan() {
		field, value, _ := strings.Cut(r.lines.Text(), ": ")
		switch field {
		case "event":
			m.event = value
		case "id":
			m.id = value
		case "data":
			m.data = value
		case "":
			if m.event != "" {
				return m, true
			}
		}
	}
	return m, false
}

// listen opens a stream that goes on after a message.
func (v *visitor) listen(ctx context.Context, path, lastID string) *http.Response {
	v.Helper()
	r := v.request(http.MethodGet, path, "").WithContext(ctx)
	if lastID != "" {
		r.Header.Set("Last-Event-ID", lastID)
	}
	resp, err := v.client.Do(r)
	if err != nil {
		v.Fatal(err)
	}
	v.Cleanup(func() { resp.Body.Close() })
	return resp
}

// decode reads the data of a message.
func decode[T any](t *testing.T, m message) T {
	t.Helper()
	var out T
	if err := json.Unmarshal([]byte(m.data), &out); err != nil {
		t.Fatalf("%s: %v: %s", m.event, err, m.data)
	}
	return out
}

// seen is what a page holds after the messages that it got. It checks each.
type seen struct {
	*testing.T
	last     string // id
	snapshot snapshotEvent
	requests map[string]history.Record
	lines    []lineItem
	epochs   map[string]string
}

func newSeen(t *testing.T) *seen {
	return &seen{T: t, requests: map[string]history.Record{}, epochs: map[string]string{}}
}

// take changes the page as the window's script does, and holds that nothing comes twice
// and nothing is left out.
func (p *seen) take(m message) {
	p.Helper()
	p.last = m.id
	switch m.event {
	case "snapshot":
		p.snapshot = decode[snapshotEvent](p.T, m)
	case "requests":
		b := decode[batch[history.Record]](p.T, m)
		if !p.begin(m.event, b.Epoch, b.Whole) {
			clear(p.requests)
		}
		for _, r := range b.Items {
			if old, ok := p.requests[r.ID]; ok && old.Duration >= r.Duration {
				p.Errorf("%s came again: version %d after %d", r.ID, r.Duration, old.Duration)
			}
			p.requests[r.ID] = r
		}
	case "lines":
		b := decode[batch[lineItem]](p.T, m)
		if !p.begin(m.event, b.Epoch, b.Whole) {
			p.lines = nil
		}
		for _, l := range b.Items {
			if n := len(p.lines); n > 0 && p.lines[n-1].Seq+1 != l.Seq {
				p.Errorf("line %d follows line %d", l.Seq, p.lines[n-1].Seq)
			}
			p.lines = append(p.lines, l)
		}
	default:
		p.Errorf("an event of no kind: %+v", m)
	}
}

// begin holds that a batch that follows is of the same life of the feed.
func (p *seen) begin(event, epoch string, whole bool) bool {
	p.Helper()
	if whole && p.epochs[event] != epoch {
		p.Errorf("%s of %s follow those of %s", event, epoch, p.epochs[event])
	}
	p.epochs[event] = epoch
	return whole
}

// TestResume puts, changes and clears while connections break at any byte, and holds
// that the page has in the end the latest version of everything.
func TestResume(t *testing.T) {
	for seed := range uint64(4) {
		t.Run(fmt.Sprint(seed), func(t *testing.T) {
			t.Parallel()
			random := rand.New(rand.NewPCG(seed, 42))
			app := newFakeApp(t, settings.Options{})
			// So few that some are thrown out before a page has seen them.
			app.requests = feed.New(40, func(r history.Record) string { return r.ID })
			app.lines = feed.New[journal.Line](60, nil)
			v := visit(t, app, func(s *Server) { s.pace.calm = time.Millisecond })
			written := make(chan struct{})
			go func() {
				defer close(written)
				write(app, rand.New(rand.NewPCG(seed, 43)))
			}()
			p, cuts := newSeen(t), 0
			for done := false; !done; cuts++ {
				select {
				case <-written:
					done = true
				default:
				}
				p.connect(v, app, int64(random.IntN(20_000)), written)
			}
			if cuts < 10 {
				t.Fatalf("only %d connections: that was no test", cuts)
			}
			p.compare(app)
		})
	}
}

// write makes a life: requests that begin, change and end, lines, and now and then a
// clearing.
func write(app *fakeApp, random *rand.Rand) {
	for version := range int64(3000) {
		switch n := random.IntN(1000); {
		case n < 3:
			app.requests.Clear()
		case n < 600:
			id := fmt.Sprint("r", random.IntN(60))
			app.requests.Put(history.Record{ID: id, Duration: version + 1, Model: strings.Repeat("m", random.IntN(300))})
		default:
			app.lines.Put(journal.Line{Message: fmt.Sprint("line\n", version)})
		}
		if random.IntN(8) == 0 {
			time.Sleep(time.Duration(random.IntN(1000)) * time.Microsecond)
		}
	}
}

// connect reads a stream on until limit bytes have come, or written is closed. If it is
// closed already, it reads all that there is.
func (p *seen) connect(v *visitor, app *fakeApp, limit int64, written <-chan struct{}) {
	p.Helper()
	ctx, cancel := context.WithCancel(p.Context())
	defer cancel()
	last := false
	select {
	case <-written:
		last, limit = true, 1<<30
	default:
		go func() {
			defer cancel()
			select {
			case <-written:
			case <-ctx.Done():
			}
		}()
	}
	r := v.request(http.MethodGet, "/api/events?lines=1", "").WithContext(ctx)
	r.Header.Set("Last-Event-ID", p.last)
	resp, err := v.client.Do(r)
	if err != nil {
		if ctx.Err() == nil {
			p.Fatal(err)
		}
		return
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusOK || resp.Header.Get("Content-Type") != "text/event-stream" || resp.Header.Get("Cache-Control") != "no-store" {
		p.Fatalf("%s %v", resp.Status, resp.Header)
	}
	stream := newReader(io.NopCloser(io.LimitReader(resp.Body, limit)))
	for !last || p.snapshot.Face == "" || p.last != placeIn(app.requests).String()+";"+placeIn(app.lines).String() {
		m, ok := stream.next()
		if !ok {
			return
		}
		p.take(m)
	}
}

// placeIn is the end of a feed.
func placeIn[T any](f *feed.Feed[T]) place {
	all := f.After("", 0)
	return place{all.Epoch, all.Last}
}

// compare holds that the page has what there is.
func (p *seen) compare(app *fakeApp) {
	p.Helper()
	items := app.requests.After("", 0).Items
	for _, item := range items {
		if got := p.requests[item.Value.ID]; got.Duration != item.Value.Duration {
			p.Errorf("%s: version %d, want %d", item.Value.ID, got.Duration, item.Value.Duration)
		}
	}
	lines := app.lines.After("", 0).Items
	if len(p.lines) < len(lines) || len(items) == 0 || len(lines) == 0 {
		p.Fatalf("%d lines, want at least %d, with %d requests", len(p.lines), len(lines), len(items))
	}
	for i, l := range p.lines[len(p.lines)-len(lines):] {
		if l.Seq != lines[i].Seq || l.Message != lines[i].Value.Message {
			p.Errorf("line %d %q, want %d %q", l.Seq, l.Message, lines[i].Seq, lines[i].Value.Message)
		}
	}
}

// TestStream holds what a page hears, in turn: how things stand, what there is, what
// changes, and that the list was cleared.
func TestStream(t *testing.T) {
	app := newFakeApp(t, settings.Options{})
	v := visit(t, app, func(s *Server) { s.pace.calm = time.Microsecond })
	r, p := newReader(v.listen(t.Context(), "/api/events", "").Body), newSeen(t)
	until := func(what string, holds func() bool) {
		t.Helper()
		for !holds() {
			m, ok := r.next()
			if !ok {
				t.Fatalf("the stream ended before: %s", what)
			}
			p.take(m)
		}
	}
	until("a snapshot", func() bool { return p.snapshot.Face == state.FaceRunning })
	until("no requests", func() bool { return p.epochs["requests"] != "" })
	app.lines.Put(journal.Line{Message: "not wanted"})
	app.requests.Put(history.Record{ID: "a", State: history.Running})
	until("a request", func() bool { return p.requests["a"].State == history.Running })
	app.requests.Put(history.Record{ID: "a", State: history.Done, Duration: 7})
	until("its end", func() bool { return p.requests["a"].State == history.Done })
	app.setPhase(state.Failed)
	until("a problem", func() bool { return p.snapshot.Face == state.FaceProblem })
	epoch := p.epochs["requests"]
	if resp, body := v.do(http.MethodPost, "/api/activity/clear", "{}"); resp.StatusCode != http.StatusNoContent {
		t.Fatalf("%s: %s", resp.Status, body)
	}
	until("the clearing", func() bool { return len(p.requests) == 0 && p.epochs["requests"] != epoch })
	if p.lines != nil {
		t.Error("lines came that nobody wanted")
	}
}

// quietWriter is an answer that a test looks at while it grows.
type quietWriter struct {
	*httptest.ResponseRecorder
	mu *sync.Mutex
}

func (w quietWriter) Write(p []byte) (int, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.ResponseRecorder.Write(p)
}

func (quietWriter) SetWriteDeadline(time.Time) error { return nil }

func (w quietWriter) text() string {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.Body.String()
}

// count is how often a text was written.
func (w quietWriter) count(text string) int { return strings.Count(w.text(), text) }

// TestPace holds, on a clock of its own, that the first change goes out at once, that a
// storm goes out ten times a second, and that silence has its signs of life.
func TestPace(t *testing.T) {
	home := newFakeApp(t, settings.Options{})
	synctest.Test(t, func(t *testing.T) {
		app := &fakeApp{requests: history.New(), lines: journal.New(), language: "en", loaded: home.loaded, changed: make(chan struct{})}
		s := New(app, Options{})
		ctx, cancel := context.WithCancel(t.Context())
		w := quietWriter{httptest.NewRecorder(), new(sync.Mutex)}
		ended := make(chan struct{})
		go func() {
			defer close(ended)
			s.events(w, httptest.NewRequestWithContext(ctx, http.MethodGet, "/api/events?lines=1", nil))
		}()
		time.Sleep(time.Second)
		synctest.Wait()
		before := w.count("event: requests\n")
		app.requests.Put(history.Record{ID: "first"})
		synctest.Wait()
		if n := w.count("event: requests\n"); n != before+1 || w.count(`"id":"first"`) != 1 {
			t.Errorf("the first change made %d messages at once", n-before)
		}
		requests, lines := w.count("event: requests\n"), w.count("event: lines\n")
		for i := range 1000 {
			app.requests.Put(history.Record{ID: fmt.Sprint("r", i)})
			app.lines.Put(journal.Line{Message: fmt.Sprint("line ", i)})
			app.setPhase(state.Running) // snapshots have no part in the pace
			time.Sleep(5 * time.Millisecond)
		}
		time.Sleep(calm)
		synctest.Wait()
		requests, lines = w.count("event: requests\n")-requests, w.count("event: lines\n")-lines
		if requests < 45 || requests > 52 || lines < 45 || lines > 52 {
			t.Errorf("%d messages of requests and %d of lines in five seconds", requests, lines)
		}
		text := w.text()
		for i := range 1000 {
			if strings.Count(text, fmt.Sprintf(`"id":"r%d"`, i)) != 1 || strings.Count(text, fmt.Sprintf(`"line %d"`, i)) != 1 {
				t.Fatalf("change %d did not come once", i)
			}
		}
		alive := w.count(": alive\n\n")
		time.Sleep(3 * keepAlive)
		synctest.Wait()
		if n := w.count(": alive\n\n") - alive; n != 3 {
			t.Errorf("%d signs of life in a minute", n)
		}
		cancel()
		<-ended
		if s.streams != 0 {
			t.Errorf("%d streams are left", s.streams)
		}
	})
}

// TestPlaces holds that an id means what it says, and that damaged ones are the
// beginning.
func TestPlaces(t *testing.T) {
	for id, want := range map[string][2]place{
		"":                                      {},
		"a:1;b:2":                               {{"a", 1}, {"b", 2}},
		"a:1;:0":                                {{"a", 1}, {}},
		"a:1":                                   {{"a", 1}, {}},
		"a:x;b:2":                               {{}, {"b", 2}},
		"a:-1;b:99999999999999999999":           {},
		";;;":                                   {},
		strings.Repeat("a", 65) + ":1;b:2":      {{}, {"b", 2}},
		"a:1;b:2;c:3":                           {{"a", 1}, {}},
		"a:1;" + strings.Repeat("b", 64) + ":2": {{"a", 1}, {strings.Repeat("b", 64), 2}},
	} {
		requests, lines := placesOf(id)
		if requests != want[0] || lines != want[1] {
			t.Errorf("%q: %v, %v, want %v", id, requests, lines, want)
		}
	}
}

func FuzzPlaces(f *testing.F) {
	f.Add("a:1;b:2")
	f.Add(":;:")
	f.Fuzz(func(t *testing.T, id string) {
		requests, lines := placesOf(id)
		if len(requests.epoch) > maxEpochBytes || len(lines.epoch) > maxEpochBytes {
			t.Errorf("%q: %v %v", id, requests, lines)
		}
		again, more := placesOf(requests.String() + ";" + lines.String())
		if again != requests || more != lines {
			t.Errorf("%q is read as %v, %v, and that as %v, %v", id, requests, lines, again, more)
		}
	})
}

// ignore opens a stream and never reads it.
func (v *visitor) ignore() {
	v.Helper()
	dialer := net.Dialer{}
	conn, err := dialer.DialContext(v.Context(), "tcp", mustParse(v.T, v.base).Host)
	if err != nil {
		v.Fatal(err)
	}
	v.Cleanup(func() { conn.Close() })
	if err := conn.(*net.TCPConn).SetReadBuffer(4 << 10); err != nil {
		v.Fatal(err)
	}
	if err := v.request(http.MethodGet, "/api/events", "").Write(conn); err != nil {
		v.Fatal(err)
	}
}

// TestSlowReader holds that one who does not read holds up nobody, is given up, and does
// not keep the server from ending.
func TestSlowReader(t *testing.T) {
	app := newFakeApp(t, settings.Options{})
	v := visit(t, app, func(s *Server) {
		s.pace = pace{calm: time.Millisecond, keepAlive: time.Hour, write: 100 * time.Millisecond}
	})
	v.ignore()
	eventually(t, "the slow stream to begin", func() bool { return v.streams() == 1 })
	r, p := newReader(v.listen(t.Context(), "/api/events", "").Body), newSeen(t)
	large := strings.Repeat("m", 1<<20)
	for i := range int64(10) {
		app.requests.Put(history.Record{ID: "a", Duration: i + 1, Model: large})
		for p.requests["a"].Duration <= i {
			m, ok := r.next()
			if !ok {
				t.Fatal("the quick reader's stream ended")
			}
			p.take(m)
		}
	}
	eventually(t, "the slow reader to be given up", func() bool { return v.streams() == 1 })
}

// TestClose holds that the end comes to all streams, read or not, and to new links.
func TestClose(t *testing.T) {
	app := newFakeApp(t, settings.Options{})
	v := visit(t, app)
	app.requests.Put(history.Record{ID: "a", Model: strings.Repeat("m", 8<<20)}) // more than sockets hold
	v.ignore()
	var group sync.WaitGroup
	for range 3 {
		r := newReader(v.listen(t.Context(), "/api/events?lines=1", "").Body)
		if _, ok := r.next(); !ok {
			t.Fatal("a stream ended at once")
		}
		group.Go(func() {
			for ok := true; ok; {
				_, ok = r.next()
			}
			if err := r.lines.Err(); err != nil {
				t.Errorf("the stream broke instead of ending: %v", err)
			}
		})
	}
	eventually(t, "four streams", func() bool { return v.streams() == 4 })
	if err := v.server.Close(); err != nil {
		t.Error(err)
	}
	group.Wait()
	eventually(t, "the streams to end", func() bool { return v.streams() == 0 })
	if link, err := v.server.Link(""); !errors.Is(err, errClosed) {
		t.Errorf("%q, %v", link, err)
	}
	if conn, err := net.Dial("tcp", mustParse(t, v.base).Host); err == nil {
		conn.Close()
		t.Error("the port is still open")
	}
	if err := v.server.Close(); err != nil {
		t.Errorf("the second time: %v", err)
	}
}

// TestMaxStreams holds that so many pages are served and no more, and that one that
// leaves makes room.
func TestMaxStreams(t *testing.T) {
	v := visit(t, newFakeApp(t, settings.Options{}))
	var open []*http.Response
	for range maxStreams {
		resp := v.listen(t.Context(), "/api/events", "")
		if resp.StatusCode != http.StatusOK {
			t.Fatalf("stream %d: %s", len(open), resp.Status)
		}
		open = append(open, resp)
	}
	v.json(http.MethodGet, "/api/events", "", http.StatusServiceUnavailable)
	v.json(http.MethodGet, "/api/boot", "", http.StatusOK)
	open[0].Body.Close()
	eventually(t, "room", func() bool { return v.streams() < maxStreams })
	if resp := v.listen(t.Context(), "/api/events", ""); resp.StatusCode != http.StatusOK {
		t.Errorf("after one left: %s", resp.Status)
	}
}

func (v *visitor) streams() int {
	v.server.mu.Lock()
	defer v.server.mu.Unlock()
	return v.server.streams
}

// eventually waits for something that happens in its own time; the test's time limit
// is the only one.
func eventually(t *testing.T, what string, holds func() bool) {
	t.Helper()
	for !holds() {
		select {
		case <-t.Context().Done():
			t.Fatalf("waited in vain for %s", what)
		case <-time.After(time.Millisecond):
		}
	}
}

// brokenListener is a port that the system took away.
type brokenListener struct{ net.Listener }

func (brokenListener) Accept() (net.Conn, error) { return nil, errors.New("taken away") }

// TestNewLife holds that a server whose port is lost opens another for the next link.
func TestNewLife(t *testing.T) {
	app := newFakeApp(t, settings.Options{})
	v := visit(t, app)
	old := v.server.run
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	beside, err := openFrame("1")
	if err != nil {
		t.Fatal(err)
	}
	_, end := context.WithCancel(t.Context())
	lost := &run{port: "1", cookie: newSecret(), frame: beside, end: end, ended: make(chan struct{}), server: &http.Server{}}
	v.server.run = lost
	v.server.serve(lost, brokenListener{l})
	link := mustLink(t, v.server, "")
	if port := mustParse(t, link).Port(); port == "1" || port == old.port || v.server.run.cookie == old.cookie {
		t.Errorf("the next link is %s", port)
	}
	if resp, _ := v.do(http.MethodGet, link, ""); resp.StatusCode != http.StatusSeeOther || slices.ContainsFunc(resp.Cookies(), func(c *http.Cookie) bool { return c.Value == old.cookie }) {
		t.Errorf("the next link is answered by %s", resp.Status)
	}
	if err := old.server.Close(); err != nil {
		t.Error(err)
	}
}
