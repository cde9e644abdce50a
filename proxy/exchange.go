package proxy

import (
	"context"
	"log/slog"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/google/uuid"

	"glmtray/proxy/dialect/responses"
	"glmtray/proxy/llm"
	"glmtray/proxy/rawjson"
	"glmtray/proxy/upstream"
)

// Exchange is the record of one request. It holds no content and no secret. While the
// request runs its Duration is 0, and what is not known yet is empty.
type Exchange struct {
	ID        string
	Start     time.Time
	FirstByte time.Duration // from the start to the first byte of an answer; 0: there was none
	Duration  time.Duration
	// Client is the dialect that the client spoke, Wire the one of the upstream.
	Client, Wire upstream.Dialect
	UserAgent    string
	Upstream     string // the provider's name
	Account      string // whose credential went upstream; empty: one of no account
	Model        string // that the client asked for
	// UpstreamModel is the one that was asked, if that is another.
	UpstreamModel string
	Stream        bool
	// Native says that the answer passed through as it was.
	Native bool
	Status int
	// Retries counts the attempts after the first. Attempts are the failed ones that
	// were followed by another.
	Retries  int
	Attempts []Attempt
	Usage    llm.Usage
	// Dropped are what could not be carried over, by the client's names.
	Dropped []llm.Warning
	// Err is how the exchange failed, nil if it did not.
	Err *llm.Error
}

// Attempt is a try that failed and was followed by another.
type Attempt struct {
	At    time.Duration // of its failure, after the exchange's start
	Pause time.Duration // before the next one
	Err   *llm.Error
}

// exchange is a record in the making, with what the request's handling shares.
type exchange struct {
	Exchange
	client   *dialect
	delivery *delivery
	reply    replyOptions
	// lease is the account that answers.
	lease upstream.Lease
	// turn is what is kept of the request if its answer shall be.
	turn *responses.Turn
	// rename is the model's name for the client, where a native answer has another.
	rename rawjson.String
	// estimate guesses the prompt's tokens, for a Messages client whose upstream
	// does not tell them at the start; nil once that is over.
	estimate func() int
	// in is the request and held are its buffers, until it is let go.
	in   *incoming
	held []*bodyBuffer
	// progress is told how the exchange goes on.
	progress func(Exchange)
	// names restores the tool names that were changed for the upstream.
	names llm.Names
	// acceptsGzip says that the client takes gzip; asked are the encodings that the
	// upstream was asked for.
	acceptsGzip bool
	asked       []string
	// ctx ends when the client leaves or the upstream is given up.
	ctx    context.Context
	cancel context.CancelCauseFunc
}

// begin opens the record of a request.
func (s *Server) begin(w http.ResponseWriter, r *http.Request, client *dialect) *exchange {
	x := &exchange{client: client, progress: s.Progress}
	x.reply.id = newID()
	x.ID, x.Start, x.Client = "req_"+x.reply.id, time.Now(), client.name
	x.UserAgent, x.Upstream, x.Status = r.UserAgent(), s.Upstream.Name, http.StatusOK
	x.acceptsGzip = accepts(r.Header, "gzip")
	x.ctx, x.cancel = context.WithCancelCause(r.Context())
	x.reply.created = x.Start.Unix()
	x.delivery = newDelivery(w, x, s)
	return x
}

// newID returns 32 random hexadecimal digits.
func newID() string { return strings.ReplaceAll(uuid.NewString(), "-", "") }

// understood takes over what the log and the answer need of the request.
func (x *exchange) understood(in *incoming) {
	x.in = in
	x.Model, x.Stream = clip(in.Model.String()), in.Stream
	x.reply.model = slices.Clone(in.Model)
	x.reply.echo, x.turn = in.echo, in.turn
	x.reply.prefix = slices.Clone(in.prefix)
	x.reply.includeUsage, x.reply.legacyFunctions = in.includeUsage, in.legacyFunctions
}

// clip shortens what a client named to what a record has room for.
func clip(name string) string {
	const longest = 128
	if len(name) > longest {
		return strings.ToValidUTF8(name[:longest], "") + "…"
	}
	return name
}

// wire is the dialect of the upstream that the request goes to.
func (x *exchange) wire() *dialect { return dialectNamed(x.Wire) }

// hold keeps a buffer until letGo.
func (x *exchange) hold(b *bodyBuffer) { x.held = append(x.held, b) }

// letGo gives back the memory of the request, which no answer needs any more once
// it has begun. Nothing that shares memory with the request may be used afterwards.
func (x *exchange) letGo() {
	if x.in != nil && x.in.release != nil {
		x.in.release()
	}
	for _, b := range x.held {
		b.release()
	}
	x.held, x.in = nil, nil
}

// event notes what an event says of the exchange.
func (x *exchange) event(e *llm.Event) {
	if x.FirstByte == 0 {
		x.FirstByte = time.Since(x.Start)
		x.report()
	}
	if e.Usage != nil && (e.Kind == llm.EventStart || e.Kind == llm.EventFinish) {
		x.Usage.Merge(*e.Usage)
	}
}

// report tells whoever follows exchanges how this one goes on.
func (x *exchange) report() {
	if x.progress != nil {
		x.progress(x.Exchange)
	}
}

// end closes the record: it is logged, and handed to whoever keeps records.
func (s *Server) end(x *exchange) {
	x.delivery.end()
	x.cancel(nil)
	x.Duration = time.Since(x.Start)
	if x.Err == nil && x.Usage == (llm.Usage{}) {
		x.Usage = llm.Usage{Input: x.reply.inputEstimate, Estimated: true}
	}
	level, attrs := slog.LevelInfo, []slog.Attr{
		slog.String("id", x.ID), slog.String("client", string(x.Client)), slog.String("upstream", x.Upstream),
		slog.String("model", x.Model), slog.Int("status", x.Status), slog.Bool("stream", x.Stream),
		slog.String("lane", x.lane()), slog.Int("in", x.Usage.Input), slog.Int("cached", x.Usage.CacheRead), slog.Int("out", x.Usage.Output),
		slog.Duration("first_byte", x.FirstByte.Round(time.Millisecond)), slog.Duration("took", x.Duration.Round(time.Millisecond)),
		slog.Int("retries", x.Retries),
	}
	if x.UpstreamModel != "" {
		attrs = append(attrs, slog.String("upstream_model", x.UpstreamModel))
	}
	if x.Account != "" {
		attrs = append(attrs, slog.String("account", x.Account))
	}
	if x.Usage.Estimated {
		attrs = append(attrs, slog.Bool("estimated", true))
	}
	if len(x.Dropped) > 0 {
		attrs = append(attrs, slog.String("dropped", fieldsOf(x.Dropped)))
	}
	if x.Err != nil {
		level = slog.LevelWarn
		attrs = append(attrs, describe(x.Err)...)
	}
	s.Log.LogAttrs(context.Background(), level, "request", attrs...)
	if s.Finished != nil {
		s.Finished(x.Exchange)
	}
}

// describe says of a failure what the log may know: its message and its field may
// repeat content.
func describe(e *llm.Error) []slog.Attr {
	attrs := []slog.Attr{slog.String("error", e.Kind.String())}
	if e.Code != "" {
		attrs = append(attrs, slog.String("code", clip(e.Code)))
	}
	if e.Err != nil {
		attrs = append(attrs, slog.String("cause", e.Err.Error()))
	}
	return attrs
}

// lane says in a word how the answer came.
func (x *exchange) lane() string {
	switch {
	case x.Native:
		return "native"
	case x.Wire == "":
		return "none"
	}
	return "translated to " + string(x.Wire)
}

// fieldsOf lists the names of what was dropped, each once.
func fieldsOf(warnings []llm.Warning) string {
	var names []string
	for _, w := range warnings {
		if !slices.Contains(names, w.Field) {
			names = append(names, w.Field)
		}
	}
	return strings.Join(names, ", ")
}
