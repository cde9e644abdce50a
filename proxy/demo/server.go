// Package demo is a built-in upstream: a real HTTP server that answers in Z.AI's wire shapes, Messages and Chat
// Completions, batch and stream, without a network and without an account. It lets a person try the proxy, and it lets
// tests meet every failure that the real service shows, on demand.
//
// What it says depends on the request: it echoes the prompt, draws a table, writes code, counts images, quotes tool
// results. A directive in the prompt, such as `demo:tool read {"path":"a.txt"}` or `demo:cut`, makes it call a tool or
// fail in a chosen way; GET / lists them all.
//
// It never reaches out, never runs what it is asked to run, and keeps nothing of what it was told: only a hash of a
// prompt, and that only while `demo:429 2` still counts.
//
// Start with [Start], which listens on a free loopback port, or mount [New] in a server of your own. Paths may have any
// prefix, so `/api/anthropic/v1/messages`, `/api/coding/paas/v4/chat/completions` and `/v1/messages` all work.
package demo

import (
	"context"
	"crypto/subtle"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"strings"
	"time"

	"glmtray/proxy/demo/platform"
)

const (
	// DefaultPace is a delay between deltas at which a stream looks alive to a person.
	DefaultPace = 15 * time.Millisecond
	// DefaultSlow is the silence of `demo:slow` when Options names none: long enough to be worried about, and within
	// the 30 to 120 seconds of silence that users of the real service report.
	DefaultSlow = 20 * time.Second

	// maxBody bounds a request body, in bytes. It lies above what the proxy lets through, so that the proxy's own
	// limit is the one that a client meets.
	maxBody = 80 << 20
	// headerTimeout bounds the time in which a client must have sent its request head.
	headerTimeout = 30 * time.Second
)

// Options sets a Server up. The zero value answers at once, accepts any credential and logs nothing.
type Options struct {
	// Pace is the delay between two deltas of a stream; zero sends them without delay. A server that people look at
	// wants DefaultPace.
	Pace time.Duration
	// Slow is the silence before the first byte that `demo:slow` asks for; zero means DefaultSlow.
	Slow time.Duration
	// Key is the one credential that is accepted; empty accepts any, and none.
	Key string
	// Judge, if set, is called with the credential of each request to a model, and may
	// refuse it by returning a business code; 0 accepts it, and one that Z.AI
	// does not have is an internal error. It may be called
	// concurrently.
	Judge func(credential string) (code int)
	// Platform sets up what stands around the models: logins, keys, the start plan.
	Platform platform.Options
	// Now tells the time, for timestamps and for the reset times in quota errors; nil means time.Now.
	Now func() time.Time
	// Log gets what goes wrong in the server itself, never content; nil discards it.
	Log *slog.Logger
}

// Server is the upstream, an http.Handler. It may be used concurrently. Make one with New.
//
// For `demo:cut` ServeHTTP panics with http.ErrAbortHandler, the way in which a handler asks net/http to break its
// connection off; an http.Server expects that and logs nothing.
type Server struct {
	opts     Options
	failures failureCounter
	platform *platform.Server
	handler  http.Handler
}

// New returns a Server with opts.
func New(opts Options) *Server {
	if opts.Slow <= 0 {
		opts.Slow = DefaultSlow
	}
	if opts.Now == nil {
		opts.Now = time.Now
	}
	if opts.Log == nil {
		opts.Log = slog.New(slog.DiscardHandler)
	}
	if opts.Platform.Now == nil {
		opts.Platform.Now = opts.Now
	}
	if opts.Platform.Key == "" {
		opts.Platform.Key = opts.Key
	}
	s := &Server{opts: opts, platform: platform.New(opts.Platform)}
	s.handler = s.platform.Handler(http.HandlerFunc(s.serveModel))
	return s
}

// Platform is what stands around the models.
func (s *Server) Platform() *platform.Server { return s.platform }

// Start serves a new Server on a free port of 127.0.0.1 until ctx ends, then breaks off what is still running. It
// returns as soon as the port is bound, with a base URL such as `http://127.0.0.1:40123`, without a trailing slash.
func Start(ctx context.Context, opts Options) (baseURL string, err error) {
	listener, err := new(net.ListenConfig).Listen(ctx, "tcp", "127.0.0.1:0")
	if err != nil {
		return "", fmt.Errorf("demo upstream: %w", err)
	}
	handler := New(opts)
	log := handler.opts.Log
	server := &http.Server{
		Handler:           handler,
		ReadHeaderTimeout: headerTimeout,
		ErrorLog:          slog.NewLogLogger(log.Handler(), slog.LevelWarn),
	}
	context.AfterFunc(ctx, func() {
		if err := server.Close(); err != nil {
			log.Warn("demo upstream: close", "err", err)
		}
	})
	go func() { // ends when ctx does: Close makes Serve return
		if err := server.Serve(listener); !errors.Is(err, http.ErrServerClosed) {
			log.Error("demo upstream: serve", "err", err)
		}
	}()
	return "http://" + listener.Addr().String(), nil
}

// ServeHTTP answers one request.
func (s *Server) ServeHTTP(w http.ResponseWriter, r *http.Request) { s.handler.ServeHTTP(w, r) }

// serveModel answers a request to the models.
func (s *Server) serveModel(w http.ResponseWriter, r *http.Request) {
	path := strings.TrimRight(r.URL.Path, "/")
	switch {
	case path == "" || path == "/_demo":
		s.get(w, r, s.serveHelp)
	case doublesVersion(path):
		s.refuse(w, r, http.StatusNotFound)
	case strings.HasSuffix(path, "/models"):
		s.get(w, r, s.serveModels)
	case strings.HasSuffix(path, "/chat/completions"):
		s.post(w, r, chat{})
	case strings.HasSuffix(path, "/messages"):
		s.post(w, r, messages{})
	default: // including /messages/count_tokens, which Z.AI does not offer
		s.refuse(w, r, http.StatusNotFound)
	}
}

// doublesVersion tells whether path has two version segments in a row, as `/paas/v4/v1/models`: what a client makes
// that appends `/v1` to a base with a version of its own, and a 404 at Z.AI.
func doublesVersion(path string) bool {
	previous := false
	for segment := range strings.SplitSeq(path, "/") {
		version := len(segment) > 1 && segment[0] == 'v' && strings.Trim(segment[1:], "0123456789") == ""
		if version && previous {
			return true
		}
		previous = version
	}
	return false
}

func (s *Server) get(w http.ResponseWriter, r *http.Request, serve http.HandlerFunc) {
	if r.Method != http.MethodGet && r.Method != http.MethodHead {
		s.refuse(w, r, http.StatusMethodNotAllowed)
		return
	}
	serve(w, r)
}

func (s *Server) post(w http.ResponseWriter, r *http.Request, format wire) {
	if r.Method != http.MethodPost {
		s.refuse(w, r, http.StatusMethodNotAllowed)
		return
	}
	s.converse(w, r, format)
}

// converse answers one request of either format.
func (s *Server) converse(w http.ResponseWriter, r *http.Request, format wire) {
	id := s.newRequestID()
	w.Header().Set("X-Log-Id", id)
	fail := func(f *failure) { s.send(w, format.failure(f.in(id))) }

	credential := format.credential(r.Header)
	if f := s.checkKey(credential); f != nil {
		fail(f)
		return
	}
	if s.opts.Judge != nil {
		if code := s.opts.Judge(credential); code != 0 {
			if _, known := businessErrors[code]; !known {
				code = codeInternal
			}
			f := failed(code)
			f.now = s.opts.Now()
			fail(f)
			return
		}
	}
	body, f := readBody(w, r)
	if f != nil {
		fail(f)
		return
	}
	req, f := format.read(body)
	if f == nil {
		f = req.check()
	}
	if f != nil {
		fail(f)
		return
	}
	s.perform(w, r, format, s.direct(format, id, req))
}

// readBody reads a bounded, uncompressed request body. Z.AI takes no compressed ones: it answers 1210 to
// `Content-Encoding: zstd`.
func readBody(w http.ResponseWriter, r *http.Request) ([]byte, *failure) {
	if encoding := r.Header.Get("Content-Encoding"); encoding != "" && encoding != "identity" {
		return nil, failed(codeBadParameter)
	}
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, maxBody))
	if err != nil {
		if tooLarge := (*http.MaxBytesError)(nil); errors.As(err, &tooLarge) {
			return nil, failed(codePromptTooLong)
		}
		return nil, failedField(codeIllegalParameter, "body")
	}
	return body, nil
}

// checkKey compares a request's credential with the accepted one, in constant time.
func (s *Server) checkKey(credential string) *failure {
	switch {
	case s.platform.Revoked(credential):
		return failed(codeExpiredCredential)
	case s.opts.Key == "", s.platform.Issued(credential):
		return nil
	case credential == "":
		return failed(codeNoCredential)
	case subtle.ConstantTimeCompare([]byte(credential), []byte(s.opts.Key)) != 1:
		return failed(codeBadCredential)
	}
	return nil
}

// serveModels lists models in the OpenAI form, which is what Z.AI's model lists have. The list under the Anthropic base
// was seen to answer without a key, the others were not.
func (s *Server) serveModels(w http.ResponseWriter, r *http.Request) {
	if !strings.Contains(r.URL.Path, "/anthropic/") {
		if f := s.checkKey(bearer(r.Header)); f != nil {
			s.send(w, chat{}.failure(f.in(s.newRequestID())))
			return
		}
	}
	type model struct {
		ID      string `json:"id"`
		Object  string `json:"object"`
		Created int64  `json:"created"`
		OwnedBy string `json:"owned_by"`
	}
	list := struct {
		Object string  `json:"object"`
		Data   []model `json:"data"`
	}{Object: "list"}
	for _, id := range []string{
		"glm-4.5", "glm-4.5-air", "glm-4.6", "glm-4.6v", "glm-4.7", "glm-5", "glm-5-turbo", "glm-5v-turbo",
		"glm-5.1", "glm-5.2", "glm-5.3", "glm-5.3-flash",
	} {
		list.Data = append(list.Data, model{ID: id, Object: "model", Created: modelsCreated, OwnedBy: "z-ai"})
	}
	s.send(w, jsonReply(http.StatusOK, list))
}

// modelsCreated is the date that every listed model carries, 2026-08-14 UTC, in Unix seconds: the youngest one's.
const modelsCreated = 1786665600

// serveHelp lists the directives, for a person with curl.
func (s *Server) serveHelp(w http.ResponseWriter, _ *http.Request) {
	s.send(w, reply{http.StatusOK, "text/plain; charset=utf-8", []byte(help())})
}

// refuse answers a path or a method that does not exist as Z.AI's framework does.
func (s *Server) refuse(w http.ResponseWriter, r *http.Request, status int) {
	s.send(w, jsonReply(status, struct {
		Timestamp string `json:"timestamp"`
		Status    int    `json:"status"`
		Error     string `json:"error"`
		Path      string `json:"path"`
	}{s.opts.Now().UTC().Format("2006-01-02T15:04:05.000-07:00"), status, http.StatusText(status), r.URL.Path}))
}
