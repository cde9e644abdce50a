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
	"errors"
	"fmt"
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

	// Login begins a login in the browser, and returns at once.
	Login(ctx context.Context, provider string) error
	CancelLogin()
	// PasteLogin hands the login what a person copied out of the browser.
	PasteLogin(ctx context.Context, text string) error
	AddKey(ctx context.Context, provider, name, key string) error
	// ImportZCode takes over the accounts of the ZCode app; notes say what could not be.
	ImportZCode(ctx context.Context) (notes []string, err error)
	RenameAccount(ctx context.Context, old, name string) error
	Logout(ctx context.Context, name string) error
	// UseAccount has one account used alone; "" is all of them.
	UseAccount(ctx context.Context, name string) error
	// ReadAccounts reads the vault again, as after its keyring was unlocked.
	ReadAccounts(ctx context.Context)
	// PolicyLink is where the provider says what its plans may be used for.
	PolicyLink() string
	// Widget is what the start plan's captcha needs, PassCheck takes what it hands over.
	Widget(ctx context.Context) state.Widget
	PassCheck(proof string) error

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
	// idleTimeout is how long a connection is kept for a page that asks nothing.
	idleTimeout    = 2 * time.Minute
	maxHeaderBytes = 16 << 10
	// closeTimeout is how long answers may take that are on their way at the end.
	closeTimeout = time.Second
)

// Server is the log window's web server. Its methods may be called concurrently.
type Server struct {
	app     App
	options Options
	now     func() time.Time
	pace    pace

	mu      sync.Mutex // guards what follows
	closed  bool
	run     *run // nil while it does not listen
	tickets tickets
	streams int // of events
}

// New returns a server that does not listen yet.
func New(app App, o Options) *Server {
	return &Server{app: app, options: o, now: time.Now, pace: pace{calm, keepAlive, writeTimeout}}
}

var errClosed = errors.New("the program is about to end")

// Link returns a new address that opens the window at a page: "", "activity", "log",
// "accounts", "verify", "settings", "settings/auth.apiKey", "about". It works once, for two minutes. The first
// call starts the server. The address lets in whoever has it, so it belongs in no log.
func (s *Server) Link(page string) (string, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		return "", errClosed
	}
	if s.run == nil {
		if err := s.start(); err != nil {
			return "", fmt.Errorf("the log window cannot open a port: %w", err)
		}
	}
	query := url.Values{"ticket": {s.tickets.issue(s.now())}}
	if page != "" {
		query.Set("page", page)
	}
	link := url.URL{Scheme: "http", Host: loopback + ":" + s.run.port, Path: "/open", RawQuery: query.Encode()}
	return link.String(), nil
}

// loopback is where the server listens.
const loopback = "127.0.0.1"

// run is one life of the server: a port, and the secret of those who are let in there.
type run struct {
	port   string
	cookie string
	server *http.Server
	frame  *frame
	end    context.CancelFunc // of all requests
	ended  chan struct{}      // closed when the port is
}

// start opens a port. The caller holds the lock.
func (s *Server) start() error {
	pages, err := fs.Sub(assets.Window, "window")
	if err != nil {
		return err
	}
	l, err := net.Listen("tcp", loopback+":0")
	if err != nil {
		return err
	}
	_, port, err := net.SplitHostPort(l.Addr().String())
	if err != nil {
		return errors.Join(err, l.Close())
	}
	beside, err := openFrame(port)
	if err != nil {
		return errors.Join(err, l.Close())
	}
	ctx, end := context.WithCancel(context.Background())
	one := &run{port: port, cookie: newSecret(), frame: beside, end: end, ended: make(chan struct{})}
	handler, err := s.handler(one, pages)
	if err != nil {
		end()
		return errors.Join(err, l.Close(), beside.close())
	}
	one.server = &http.Server{
		Handler: handler, ReadHeaderTimeout: headerTimeout, IdleTimeout: idleTimeout, MaxHeaderBytes: maxHeaderBytes,
		BaseContext: func(net.Listener) context.Context { return ctx },
		ErrorLog:    slog.NewLogLogger(s.options.Log.Handler(), slog.LevelDebug),
	}
	s.run = one
	go s.serve(one, l)
	return nil
}

// serve answers until Close, or until the system takes the port away; then the next
// link opens another.
func (s *Server) serve(one *run, l net.Listener) {
	defer close(one.ended)
	defer one.frame.close()
	err := one.server.Serve(l)
	if errors.Is(err, http.ErrServerClosed) {
		return
	}
	s.options.Log.Error("the log window's server ended", "reason", err.Error())
	one.end()
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.run == one {
		s.run, s.tickets = nil, nil
	}
}

// redeem takes a ticket out of force, and reports whether it was a good one.
func (s *Server) redeem(ticket string) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.tickets.redeem(ticket, s.now())
}

// Close ends the server and all that it streams. Answers that are on their way have a
// second. No link works afterwards.
func (s *Server) Close() error {
	s.mu.Lock()
	one := s.run
	s.closed, s.run, s.tickets = true, nil, nil
	s.mu.Unlock()
	if one == nil {
		return nil
	}
	one.end()
	ctx, cancel := context.WithTimeout(context.Background(), closeTimeout)
	defer cancel()
	var err error
	if one.server.Shutdown(ctx) != nil {
		err = one.server.Close()
	}
	<-one.ended
	return err
}
