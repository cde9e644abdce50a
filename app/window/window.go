// Package window is the log window: pages in the person's own browser, from a web
// server on loopback with a port of its own.
//
// [New] makes a [Server] for an application; [Server.Link] starts it at the first need
// and returns an address with a ticket that works once and puts a session cookie in the
// place of it. Pages render the application's snapshot, its records and its log, which
// [Server] streams to them, and call its intents. The server changes nothing by GET, and
// answers nobody else: not another site's page, not another host name, not a program
// without the cookie.
package window

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"io/fs"
	"log/slog"
	"net"
	"net/http"
	"net/url"
	"sync"
	"time"

	"glmtray/app/history"
	"glmtray/app/journal"
	"glmtray/app/locale"
	"glmtray/app/settings"
	"glmtray/app/state"
	"glmtray/assets"
)

// App is the application as the window knows it. Its methods may be called concurrently.
type App interface {
	Snapshot() state.Snapshot
	// Watch sends the present snapshot, and then the latest after each change, until
	// ctx ends.
	Watch(ctx context.Context) <-chan state.Snapshot
	Exchanges() *history.Log
	Journal() *journal.Lines
	Printer() *locale.Printer
	// Loaded returns the settings in force, and what is wrong with the file.
	Loaded() (settings.Loaded, error)
	CheckSettings(changes []settings.Change) []settings.Problem
	ChangeSettings(ctx context.Context, changes []settings.Change) error

	StartProxy(ctx context.Context) error
	StopProxy(ctx context.Context) error
	UseProvider(ctx context.Context, provider string) error
	UsePlan(ctx context.Context, plan string) error
	UsePort(ctx context.Context, port int) error
	SetAutostart(ctx context.Context, enabled bool) error
	SetLanguage(ctx context.Context, language string) error
	Dismiss(kind string)
	// OpenFolder shows a folder: "logs" or "config".
	OpenFolder(which string) error
	// CopyText is what other tools need: "openai", "anthropic" or "key".
	CopyText(what string) string
	Quit()
}

// Options are what a Server needs to know besides.
type Options struct {
	// Version is the program's.
	Version string
	// Log gets the server's own troubles. It must not be nil.
	Log *slog.Logger
}

const (
	headerTimeout = 5 * time.Second
	closeTimeout  = time.Second
	randomBytes   = 32
	// ticketLife is how long a link works: a browser may be slow to start.
	ticketLife = 2 * time.Minute
	maxTickets = 100
)

// Server is the log window's web server. Its methods may be called concurrently.
type Server struct {
	app     App
	options Options
	now     func() time.Time

	mu      sync.Mutex // guards what follows
	closed  bool
	server  *http.Server
	end     context.CancelFunc
	host    string // 127.0.0.1:port, once it runs
	port    string
	cookie  string // the session's secret
	tickets map[string]time.Time
	streams int // of events
}

// New returns a server that does not listen yet.
func New(app App, o Options) *Server {
	return &Server{app: app, options: o, now: time.Now, tickets: map[string]time.Time{}}
}

var errClosed = errors.New("the program is about to end")

// Link returns a new address that opens the window at a page: "", "activity", "log",
// "settings", "settings/auth.apiKey", "about". It works once, for two minutes. The first
// call starts the server.
func (s *Server) Link(page string) (string, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		return "", errClosed
	}
	if s.server == nil {
		if err := s.start(); err != nil {
			return "", err
		}
	}
	ticket, err := random()
	if err != nil {
		return "", err
	}
	for old, until := range s.tickets {
		if s.now().After(until) || len(s.tickets) >= maxTickets {
			delete(s.tickets, old)
		}
	}
	s.tickets[ticket] = s.now().Add(ticketLife)
	query := url.Values{"ticket": {ticket}}
	if page != "" {
		query.Set("page", page)
	}
	return "http://" + s.host + "/open?" + query.Encode(), nil
}

func random() (string, error) {
	secret := make([]byte, randomBytes)
	if _, err := rand.Read(secret); err != nil {
		return "", err
	}
	return hex.EncodeToString(secret), nil
}

// start opens the port. The caller holds the lock.
func (s *Server) start() error {
	pages, err := fs.Sub(assets.Window, "window")
	if err != nil {
		return err
	}
	cookie, err := random()
	if err != nil {
		return err
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	_, port, err := net.SplitHostPort(l.Addr().String())
	if err != nil {
		return errors.Join(err, l.Close())
	}
	ctx, end := context.WithCancel(context.Background())
	s.host, s.port, s.cookie, s.end = l.Addr().String(), port, cookie, end
	server := &http.Server{
		Handler: s.handler(pages), ReadHeaderTimeout: headerTimeout,
		BaseContext: func(net.Listener) context.Context { return ctx },
		ErrorLog:    slog.NewLogLogger(s.options.Log.Handler(), slog.LevelDebug),
	}
	s.server = server
	go func() {
		if err := server.Serve(l); !errors.Is(err, http.ErrServerClosed) {
			s.options.Log.Error("the log window's server ended", "reason", err.Error())
		}
	}()
	return nil
}

// redeem takes a ticket out of force, and reports whether it was a good one.
func (s *Server) redeem(ticket string) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	until, ok := s.tickets[ticket]
	delete(s.tickets, ticket)
	return ok && !s.now().After(until)
}

// Close ends the server and all that it streams.
func (s *Server) Close() error {
	s.mu.Lock()
	server, end := s.server, s.end
	s.closed, s.server = true, nil
	s.mu.Unlock()
	if server == nil {
		return nil
	}
	end()
	ctx, cancel := context.WithTimeout(context.Background(), closeTimeout)
	defer cancel()
	if err := server.Shutdown(ctx); err != nil {
		return server.Close()
	}
	return nil
}
