package platform

import (
	"io"
	"net/http"
	"time"
)

// Fault is a way in which a request is answered brokenly, for tests. Of several ways the
// first one in the order of the fields is taken; Delay goes with any of them, and alone.
// It is a value without state.
type Fault struct {
	Drop  bool // the connection breaks without an answer
	Hang  bool // no answer comes until the client leaves
	Empty bool // an answer without a body, with Status or 200
	HTML  bool // a web page of the edge before the server, with Status or 200
	Code  int  // a business code in the gateway's envelope, with Status or 500
	// Status alone is that HTTP status with a text that is no JSON.
	Status int

	Delay time.Duration // before the answer, or before the request goes on
}

// Serve answers a request brokenly, and reports whether it is done with: it is not if
// there is only a Delay, or nothing. For Drop and Hang it panics with
// http.ErrAbortHandler, as net/http wants it.
func (f Fault) Serve(w http.ResponseWriter, r *http.Request) bool {
	if f.Delay > 0 {
		timer := time.NewTimer(f.Delay)
		defer timer.Stop()
		select {
		case <-timer.C:
		case <-r.Context().Done():
			return true
		}
	}
	switch {
	case f.Drop:
		panic(http.ErrAbortHandler)
	case f.Hang:
		// net/http notices that a client leaves only when its body is read.
		const maxConversation = 80 << 20
		if _, err := io.Copy(io.Discard, io.LimitReader(r.Body, maxConversation)); err == nil {
			<-r.Context().Done()
		}
		panic(http.ErrAbortHandler)
	case f.Empty:
		w.WriteHeader(f.status(http.StatusOK))
	case f.HTML:
		w.Header().Set("Content-Type", "text/html; charset=utf-8")
		w.WriteHeader(f.status(http.StatusOK))
		_, _ = io.WriteString(w, "<!doctype html><title>Blocked</title><h1>Blocked</h1>") // a client that is gone gets nothing
	case f.Code != 0:
		reply(w, f.status(http.StatusInternalServerError), f.Code, "the demo was told to fail", nil)
	case f.Status != 0:
		http.Error(w, http.StatusText(f.Status), f.Status)
	default:
		return false
	}
	return true
}

// status is the one that was chosen, or else otherwise.
func (f Fault) status(otherwise int) int {
	if f.Status != 0 {
		return f.Status
	}
	return otherwise
}
