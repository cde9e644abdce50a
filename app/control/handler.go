package control

import (
	"context"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/json"
	"io"
	"net/http"
	"strings"
)

// maxBodyBytes bounds a request's body.
const maxBodyBytes = 4 << 10

// handler serves the control address.
type handler struct {
	app  App
	at   address
	hash [sha256.Size]byte // of the token
}

func newHandler(app App, at address) http.Handler {
	h := &handler{app: app, at: at, hash: sha256.Sum256([]byte(at.Token))}
	mux := http.NewServeMux()
	mux.HandleFunc("GET /status", h.status)
	mux.HandleFunc("GET /logs", h.logs)
	mux.HandleFunc("POST /start", h.act(func(r *http.Request, _ request) (any, error) { return nil, app.StartProxy(r.Context()) }))
	mux.HandleFunc("POST /stop", h.act(func(r *http.Request, _ request) (any, error) { return nil, app.StopProxy(r.Context()) }))
	mux.HandleFunc("POST /open", h.act(func(_ *http.Request, in request) (any, error) {
		link, err := app.OpenLink(in.Page)
		return link, err
	}))
	mux.HandleFunc("POST /quit", h.act(func(*http.Request, request) (any, error) {
		app.Quit()
		return nil, nil
	}))
	return h.guard(mux)
}

// guard lets in who has the token, knows us by our address, and is no web page. The
// token is compared by hash and in constant time, so that neither its length nor its
// beginning can be found out.
func (h *handler) guard(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		token, bearer := strings.CutPrefix(r.Header.Get("Authorization"), "Bearer ")
		hash := sha256.Sum256([]byte(token))
		_, origin := r.Header["Origin"]
		if subtle.ConstantTimeCompare(hash[:], h.hash[:]) != 1 || !bearer || r.Host != h.at.Address || origin {
			http.Error(w, "this address is for the program's own command line", http.StatusForbidden)
			return
		}
		next.ServeHTTP(w, r)
	})
}

// request is the body of a POST.
type request struct {
	Page string `json:"page"`
}

// act answers a POST with what do returns, or with its error in words.
func (h *handler) act(do func(*http.Request, request) (any, error)) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		if !strings.HasPrefix(r.Header.Get("Content-Type"), "application/json") {
			http.Error(w, "the body must be JSON", http.StatusForbidden)
			return
		}
		var in request
		decoder := json.NewDecoder(http.MaxBytesReader(w, r.Body, maxBodyBytes))
		decoder.DisallowUnknownFields()
		if err := decoder.Decode(&in); err != nil && err != io.EOF {
			http.Error(w, "the body is not understood: "+err.Error(), http.StatusBadRequest)
			return
		}
		out, err := do(r, in)
		if err != nil {
			http.Error(w, err.Error(), http.StatusInternalServerError)
			return
		}
		write(w, out)
	}
}

func write(w http.ResponseWriter, v any) {
	w.Header().Set("Content-Type", "application/json")
	_ = json.NewEncoder(w).Encode(v) // whoever asked may have left
}

func (h *handler) status(w http.ResponseWriter, _ *http.Request) { write(w, h.app.Snapshot()) }

// logs writes the log's lines, one JSON object each, and with ?follow=1 goes on until
// one of the two ends.
func (h *handler) logs(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("Content-Type", "application/jsonl")
	flush := http.NewResponseController(w)
	page := h.app.Journal().After("", 0)
	for {
		for _, item := range page.Items {
			if json.NewEncoder(w).Encode(item.Value) != nil {
				return
			}
		}
		if flush.Flush() != nil || r.URL.Query().Get("follow") == "" || !changed(r.Context(), page.Changed) {
			return
		}
		page = h.app.Journal().After(page.Epoch, page.Last)
	}
}

func changed(ctx context.Context, change <-chan struct{}) bool {
	select {
	case <-change:
		return true
	case <-ctx.Done():
		return false
	}
}
