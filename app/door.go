package app

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"strconv"
	"sync/atomic"
	"time"

	"glmtray/app/port"
	"glmtray/app/settings"
	"glmtray/app/state"
	"glmtray/proxy"
)

// Limits of the HTTP server. There is none on a whole request: streams last as long
// as they last.
const (
	headerTimeout = 10 * time.Second
	idleTimeout   = 2 * time.Minute
	// cutTimeout is how long requests that are cut have to tell their clients so.
	cutTimeout = time.Second
	// holderTimeout is how long it may take to find out who has a port.
	holderTimeout = 2 * time.Second
)

// door is the open port, with the requests that came in through it. They outlive its
// closing by the grace period.
type door struct {
	server   *http.Server
	listener net.Listener // changes when the address does
	requests context.Context
	abort    context.CancelCauseFunc
	running  atomic.Int64
}

// open makes a door of a listener.
func (a *App) open(l net.Listener) *door {
	d := &door{listener: l}
	d.requests, d.abort = context.WithCancelCause(a.requests)
	d.server = &http.Server{
		Handler:           http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { a.serveHTTP(d, w, r) }),
		ReadHeaderTimeout: headerTimeout,
		IdleTimeout:       idleTimeout,
		BaseContext:       func(net.Listener) context.Context { return d.requests },
		ErrorLog:          slog.NewLogLogger(a.log.Handler(), slog.LevelDebug),
	}
	a.serve(d, l)
	return d
}

// serve answers on a listener. Its end by a fault is told; its end by a change of
// address or by a shutdown is none.
func (a *App) serve(d *door, l net.Listener) {
	a.spawn("proxy", func() {
		err := d.server.Serve(l)
		if err != nil && !errors.Is(err, http.ErrServerClosed) && !errors.Is(err, net.ErrClosed) {
			a.fell(d, err)
		}
	})
}

// fell takes note of a door that closed by a fault.
func (a *App) fell(d *door, err error) {
	if !a.options.Desktop {
		select {
		case a.faults <- err:
		default: // one fault is enough to stop
		}
		return
	}
	a.mu.Lock()
	if a.door == d {
		a.door, a.phase = nil, state.Failed
	}
	a.mu.Unlock()
	a.report(proxyProblem(err.Error()))
}

// drain lets the requests of a closed door finish within the grace period, and cuts
// those that do not.
func (a *App) drain(d *door, grace time.Duration) error {
	if n := d.running.Load(); n > 0 {
		a.log.Info("stopping; running requests may finish", "requests", n, "within", grace)
	}
	ctx, cancel := context.WithTimeout(d.requests, grace)
	defer cancel()
	err := d.server.Shutdown(ctx)
	if ctx.Err() == nil {
		return err
	}
	if n := d.running.Load(); n > 0 && d.requests.Err() == nil {
		a.log.Warn("the grace period is over; running requests are cut", "requests", n)
	}
	return d.cut()
}

// cut ends the requests that still run. They have a moment to tell their clients, in
// the stream if need be, and to be logged; then their connections are closed.
func (d *door) cut() error {
	d.abort(proxy.ErrStopped)
	ctx, cancel := context.WithTimeout(context.Background(), cutTimeout)
	defer cancel()
	err := d.server.Shutdown(ctx)
	if errors.Is(err, context.DeadlineExceeded) {
		return d.server.Close()
	}
	return err
}

// PortError says that the port cannot be opened.
type PortError struct {
	Port int
	// Holder is the program that has it; zero if that is not known, or if the address
	// itself is impossible.
	Holder port.Process
	// Ours is the version of the GLM Tray that answers there; "" if none does.
	Ours string
	// Free is a port that can be had instead, 0 if none was found.
	Free int
	Err  error
}

// Error says what is the matter, and what to do.
func (e *PortError) Error() string {
	who := "another program may use it"
	switch {
	case e.Ours != "":
		who = "GLM Tray " + e.Ours + " already answers there"
	case e.Holder.PID != 0:
		who = fmt.Sprintf("it is used by %s (process %d)", e.Holder.Name, e.Holder.PID)
	}
	return fmt.Sprintf("the port cannot be opened: %v; %s%s", e.Err, who, e.instead())
}

func (e *PortError) instead() string {
	if e.Free == 0 {
		return ", --port takes another one and --port 0 a free one"
	}
	return fmt.Sprintf("; --port %d is free, and --port 0 takes any", e.Free)
}

// Unwrap returns the system's error.
func (e *PortError) Unwrap() error { return e.Err }

// listen binds the proxy's port. The error is a *PortError.
func listen(s settings.Server) (net.Listener, error) {
	l, err := net.Listen("tcp", net.JoinHostPort(s.Host, strconv.Itoa(s.Port)))
	if err == nil {
		return l, nil
	}
	fault := &PortError{Port: s.Port, Err: err}
	if s.Port != 0 {
		ctx, cancel := context.WithTimeout(context.Background(), holderTimeout)
		defer cancel()
		fault.Holder, _ = port.Holder(ctx, s.Port)
		fault.Ours, _ = port.IsUs(ctx, "http://"+net.JoinHostPort("127.0.0.1", strconv.Itoa(s.Port)))
		fault.Free = port.Free(s.Host, s.Port+1)
	}
	return nil, fault
}

// baseURL is where the clients of this machine reach a listener: by its address, or
// by the loopback one if it listens on all.
func baseURL(l net.Listener) string {
	host, port, err := net.SplitHostPort(l.Addr().String())
	if ip := net.ParseIP(host); err != nil || ip == nil || !ip.IsUnspecified() {
		return "http://" + l.Addr().String()
	}
	return "http://127.0.0.1:" + port
}

// move opens the listener of an address; that is the one in use if the address stays.
func (a *App) move(d *door, old, next settings.Server) (net.Listener, error) {
	if next == old {
		return d.listener, nil
	}
	listener, err := listen(next)
	if err == nil || next.Port != old.Port {
		return listener, err
	}
	// The port is likely taken by this program itself, on another address of which
	// the new one is a part, or the other way round. It can be opened on the new one
	// only after it is closed on the old one, and that is worth it only if the new
	// one exists.
	probe, impossible := listen(settings.Server{Host: next.Host})
	if impossible != nil {
		return nil, err
	}
	probe.Close()
	d.listener.Close()
	if listener, err = listen(next); err == nil {
		return listener, nil
	}
	back, lost := listen(old)
	if lost != nil {
		return nil, errors.Join(err, lost)
	}
	a.mu.Lock()
	d.listener = back
	a.mu.Unlock()
	a.serve(d, back)
	return nil, err
}
