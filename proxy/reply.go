package proxy

import (
	"io"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/klauspost/compress/gzip"

	"glmtray/proxy/llm"
)

// Response headers of ours.
const (
	laneHeader    = "X-GLMTray-Lane"    // native, or translated to …
	droppedHeader = "X-GLMTray-Dropped" // what could not be carried over
)

// announce sets the headers that say how the request is answered.
func (x *exchange) announce() {
	x.delivery.header(func(h http.Header) {
		identify(h, x.ID)
		h.Set(laneHeader, x.lane())
		h.Del(droppedHeader) // of a lane that was left
		if len(x.Dropped) > 0 {
			const most = 1 << 10
			names := fieldsOf(x.Dropped)
			h.Set(droppedHeader, names[:min(len(names), most)])
		}
	})
}

// identify names the exchange under the headers that the clients of both dialects
// show when something went wrong.
func identify(h http.Header, id string) {
	h.Set("Request-Id", id)
	h.Set("X-Request-Id", id)
}

// fail tells the client of an error: by a status while that is possible, else in
// the stream. A client that is gone is told nothing.
func (x *exchange) fail(err *llm.Error) {
	x.Err, x.Status = err, err.HTTPStatus()
	if err.Kind == llm.ErrCanceled {
		return
	}
	if x.delivery.settle() {
		out := x.client.newEncoder(x.reply).Append(nil, &llm.Event{Kind: llm.EventError, Err: err})
		_ = x.delivery.send(out) // the exchange has failed already
		return
	}
	x.delivery.header(func(h http.Header) { errorHeader(h, err, x.ID) })
	x.replyJSON(x.Status, x.client.appendError(nil, err, x.ID))
}

// errorHeader sets what an error's answer has in its header.
func errorHeader(h http.Header, err *llm.Error, id string) {
	identify(h, id)
	h.Set("Content-Type", "application/json")
	if err.Kind == llm.ErrQuota {
		// The SDKs of both dialects repeat a 429 unless they are told not to, and
		// this one stays true for hours.
		h.Set("X-Should-Retry", "false")
	}
	if err.RetryAfter > 0 {
		seconds := int64((err.RetryAfter + time.Second - 1) / time.Second)
		h.Set("Retry-After", strconv.FormatInt(seconds, 10))
	}
}

// refuse answers a request that no converser took.
func (s *Server) refuse(w http.ResponseWriter, r *http.Request, err *llm.Error) {
	id := "req_" + newID()
	errorHeader(w.Header(), err, id)
	w.WriteHeader(err.HTTPStatus())
	writeBody(w, dialectOf(r).appendError(nil, err, id))
	s.Log.Info("refused", "method", r.Method, "path", r.URL.Path, "status", err.HTTPStatus(), "error", err.Kind.String())
}

// replyJSON writes a whole answer, compressed if the client likes that and it is
// worth it.
func (x *exchange) replyJSON(status int, body []byte) {
	const worth = 1 << 10
	x.delivery.header(func(h http.Header) {
		h.Set("Content-Type", "application/json")
		h.Set("Vary", "Accept-Encoding")
		if x.acceptsGzip && len(body) >= worth {
			h.Set("Content-Encoding", "gzip")
			body = zip(body)
		}
		h.Set("Content-Length", strconv.Itoa(len(body)))
	})
	x.delivery.finish(status, body)
}

var zippers = sync.Pool{New: func() any { return gzip.NewWriter(io.Discard) }}

func zip(body []byte) []byte {
	w := zippers.Get().(*gzip.Writer)
	defer zippers.Put(w)
	var out appender
	w.Reset(&out)
	// An appender does not fail.
	_, _ = w.Write(body)
	_ = w.Close()
	return out
}

// appender is the simplest io.Writer.
type appender []byte

// Write implements io.Writer and does not fail.
func (a *appender) Write(p []byte) (int, error) {
	*a = append(*a, p...)
	return len(p), nil
}

// writeBody writes an answer's last bytes; a client that is gone is no failure of
// ours.
func writeBody(w io.Writer, body []byte) { _, _ = w.Write(body) }

// acceptable are the encodings that an upstream is asked for. A stream is asked for
// plain, so that every event can be read as it comes; so is what will be translated.
// A batch that is passed on may come in any way that the client takes and that this
// program can unpack.
func acceptable(r *http.Request, plain bool) []string {
	if plain {
		return []string{"identity"}
	}
	var taken []string
	for _, name := range []string{"gzip", "br", "zstd", "deflate"} {
		if accepts(r.Header, name) {
			taken = append(taken, name)
		}
	}
	if len(taken) == 0 {
		return []string{"identity"}
	}
	return taken
}

// accepts reports whether an Accept-Encoding header names an encoding with a
// weight other than zero (RFC 9110, §12.5.3).
func accepts(h http.Header, encoding string) bool {
	for _, line := range h["Accept-Encoding"] {
		for item := range strings.SplitSeq(line, ",") {
			name, weight, _ := strings.Cut(strings.TrimSpace(item), ";")
			if !strings.EqualFold(strings.TrimSpace(name), encoding) {
				continue
			}
			q, err := strconv.ParseFloat(strings.TrimPrefix(strings.TrimSpace(weight), "q="), 64)
			return err != nil || q > 0
		}
	}
	return false
}
