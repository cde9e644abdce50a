// Package proxy is the localhost API: an http.Handler that takes requests in the
// dialects of OpenAI and Anthropic and answers them through one upstream.
//
// The way of a request:
//
//  1. guard.go: who may come in. The Host, the Origin and the proxy key.
//  2. route.go: one table from path and method to a handler.
//  3. converse.go: the body is read (body.go: limits, encodings) and decoded by the
//     client's dialect, which refuses what is malformed; nothing is sent upstream
//     before that.
//  4. The lane. An upstream that speaks the client's dialect gets the client's own
//     bytes with a few splices (pass.go); any other gets the request translated
//     through llm.Request (relay.go).
//  5. attempt.go: the request is posted, and again where the upstream's error code
//     says that this makes sense, as long as the client has seen no byte of an
//     answer. answer.go looks at what came: a stream, a batch, or an error in a 200.
//  6. The answer goes to the client: bytes as they are (pass.go), or events
//     translated in the only streaming loop (relay.go); delivery.go writes to the
//     client and keeps the connection alive meanwhile. Whatever fails becomes an
//     llm.Error, which the client's dialect prints in its own shape (reply.go).
//  7. exchange.go: one line of log for each request, and a record for the caller.
//
// A [Server] is immutable: a change of settings builds a new one and puts it in
// place of the old, whose running requests end as they began. The package knows
// neither files, nor keyrings, nor the desktop; it is given a [Config] and a
// function that yields a credential. It never logs content, and secrets leave it
// only in the header of a request upstream.
package proxy

import (
	"context"
	"crypto/sha256"
	"errors"
	"log/slog"
	"net/http"
	"runtime/debug"
	"sync/atomic"
	"time"

	"glmtray/proxy/llm"
	"glmtray/proxy/secret"
	"glmtray/proxy/upstream"
)

// Config is what a Server is made of. It is copied and must not be changed later.
type Config struct {
	// Upstream is where requests go.
	Upstream upstream.Upstream
	// Credential returns what to send upstream, and is asked again with what has
	// failed if another account may do better. It may be called concurrently.
	Credential func(ctx context.Context, ask Ask) (upstream.Lease, *llm.Error)
	// Person, if set, is asked to prove that there is a person where the upstream
	// wants that.
	Person Person
	// ProxyKey must come with every request; without one only this machine's
	// requests are served.
	ProxyKey secret.Value
	// Responses keeps answers of the Responses API for requests that go on from them.
	// Servers that follow each other should share it; nil is a new one.
	Responses *ResponseStore
	// Naming says which model a request goes to.
	Naming upstream.Naming
	// Thinking says how clients are shown what models think. Where that is not apart,
	// no answer passes through as it is.
	Thinking llm.Display
	// Transport carries requests upstream.
	Transport http.RoundTripper
	Retry     upstream.Retry
	// BodyLimit is the largest request body in bytes, before and after unpacking.
	BodyLimit int64
	// Idle is how long an upstream may be silent before it is given up.
	Idle time.Duration
	// KeepAlive is how long a stream to a client may be silent before it gets a
	// sign of life.
	KeepAlive time.Duration
	// Version is the program's.
	Version string
	// OpenAPI and Docs are the description of this API, as JSON and as a page.
	OpenAPI, Docs []byte
	// Log gets a line for each finished request and for each failed attempt. It is
	// never given content or secrets.
	Log *slog.Logger
	// Progress, if set, is called with the record so far when a request is about to go
	// upstream, after each failed attempt that is followed by another, and with the
	// first byte of an answer. It may be called concurrently and must return soon.
	// Requests that fail before that are told to Finished alone.
	Progress func(Exchange)
	// Finished, if set, is called after each exchange with its record. It may be
	// called concurrently and should return soon.
	Finished func(Exchange)
}

// Ask is what a credential is chosen by.
type Ask struct {
	// Client is the key that came with the request and is not the proxy's own, or the
	// empty value.
	Client secret.Value
	// Conversation identifies the client's conversation, so that it can stay with the
	// account that it has. It is only worked out when it is called.
	Conversation func() string
	// Tried are the accounts that have failed for this request, the last of them with
	// the error Failed.
	Tried  []string
	Failed *llm.Error
}

// Person shows upstreams that there is one, by solving what they ask for. The methods may
// be called concurrently.
type Person interface {
	// Wanted reports whether the upstream is known to want a proof with each request.
	Wanted(ctx context.Context) bool
	// Prove waits for the person and returns the headers to send with one request.
	Prove(ctx context.Context) (http.Header, *llm.Error)
	// Limits are how long Prove may take, and how many proofs more are worth trying
	// after one was not accepted.
	Limits() (time.Duration, int)
}

// Server answers requests by its Config. It may be used concurrently.
type Server struct {
	Config
	keyHash [sha256.Size]byte
	started time.Time
	active  atomic.Int64
	// responses is the dialect that keeps answers in Config.Responses.
	responses *dialect
	// noTokenCount is set once the upstream turned out to have no count_tokens.
	noTokenCount atomic.Bool
}

// Defaults for a Config's zero fields.
const (
	defaultBodyLimit = 64 << 20
	defaultIdle      = 5 * time.Minute
	defaultKeepAlive = 15 * time.Second
)

// New returns a server. Zero limits in the config become the defaults.
func New(c Config) *Server {
	if c.BodyLimit <= 0 {
		c.BodyLimit = defaultBodyLimit
	}
	if c.Idle <= 0 {
		c.Idle = defaultIdle
	}
	if c.KeepAlive <= 0 {
		c.KeepAlive = defaultKeepAlive
	}
	if c.Log == nil {
		c.Log = slog.New(slog.DiscardHandler)
	}
	if c.Responses == nil {
		c.Responses = NewResponseStore()
	}
	return &Server{Config: c, responses: newResponses(c.Responses, false), keyHash: sha256.Sum256([]byte(c.ProxyKey.Reveal())), started: time.Now()}
}

// Active returns how many requests are running.
func (s *Server) Active() int { return int(s.active.Load()) }

// ServeHTTP answers one request. A bug in it ends that request alone.
func (s *Server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	s.active.Add(1)
	defer s.active.Add(-1)
	defer func() {
		fault := recover()
		if err, ok := fault.(error); fault == nil || ok && errors.Is(err, http.ErrAbortHandler) {
			if fault != nil {
				panic(fault)
			}
			return
		}
		s.Log.Error("a bug ended a request", "path", r.URL.Path, "fault", fault, "stack", string(debug.Stack()))
		// The answer may have begun; cutting the connection is then the only way to
		// tell the client that it is not complete.
		panic(http.ErrAbortHandler)
	}()
	if s.guard(w, r) {
		s.route(w, r)
	}
}
