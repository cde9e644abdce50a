package proxy

import (
	"net/http"
	"strings"

	"glmtray/proxy/llm"
	"glmtray/proxy/upstream"
)

// route is one line of the table. Paths are given without the version prefix; one
// that ends in a slash has a parameter behind it.
type route struct {
	method, path string
	serve        func(s *Server, w http.ResponseWriter, r *http.Request)
}

var routes = []route{
	{http.MethodPost, "/chat/completions", func(s *Server, w http.ResponseWriter, r *http.Request) { s.converse(w, r, chatDialect) }},
	{http.MethodPost, "/completions", func(s *Server, w http.ResponseWriter, r *http.Request) { s.converse(w, r, completionsDialect) }},
	{http.MethodPost, responsesPath, func(s *Server, w http.ResponseWriter, r *http.Request) { s.converse(w, r, s.responses) }},
	{http.MethodPost, responsesPath + "/compact", (*Server).compact},
	{http.MethodGet, responsesPath + "/", (*Server).showResponse},
	{http.MethodDelete, responsesPath + "/", (*Server).dropResponse},
	{http.MethodPost, "/messages", func(s *Server, w http.ResponseWriter, r *http.Request) { s.converse(w, r, messagesDialect) }},
	{http.MethodPost, "/messages/count_tokens", (*Server).countTokens},
	{http.MethodGet, "/models", (*Server).listModels},
	{http.MethodGet, "/models/", (*Server).showModel},
	{http.MethodGet, "/health", (*Server).health},
	{http.MethodGet, "/docs", (*Server).docs},
	{http.MethodGet, "/openapi.json", (*Server).openAPI},
	{http.MethodGet, "/", (*Server).root},
}

// route finds the request's line in the table.
func (s *Server) route(w http.ResponseWriter, r *http.Request) {
	path := cleanPath(r.URL.Path)
	var allowed []string
	for _, line := range routes {
		if path != line.path && (line.path == "/" || !strings.HasSuffix(line.path, "/") || !strings.HasPrefix(path, line.path)) {
			continue
		}
		if r.Method == line.method || r.Method == http.MethodHead && line.method == http.MethodGet {
			line.serve(s, w, r)
			return
		}
		allowed = append(allowed, line.method)
	}
	if len(allowed) > 0 {
		w.Header().Set("Allow", strings.Join(allowed, ", "))
		s.refuse(w, r, &llm.Error{Kind: llm.ErrMethod, Message: r.Method + " is not possible here; use " + strings.Join(allowed, " or ")})
		return
	}
	s.refuse(w, r, &llm.Error{Kind: llm.ErrNotFound, Message: "no such path: " + r.URL.Path + "; GET /docs lists all"})
}

// cleanPath forgives what clients do to a base URL: no version, a doubled one,
// slashes too many.
func cleanPath(path string) string {
	for strings.Contains(path, "//") {
		path = strings.ReplaceAll(path, "//", "/")
	}
	path = strings.TrimRight(path, "/")
	for range 2 {
		if rest, ok := strings.CutPrefix(path, "/v1"); ok && (rest == "" || rest[0] == '/') {
			path = rest
		}
	}
	if path == "" {
		return "/"
	}
	return path
}

// dialectOf guesses the dialect of a request that no converser took, for the shape
// of its errors and lists: Anthropic's clients name their version of the API.
func dialectOf(r *http.Request) *dialect {
	path := cleanPath(r.URL.Path)
	if isResponses(path) {
		return responsesErrors
	}
	if r.Header.Get("Anthropic-Version") != "" || path == "/messages" || strings.HasPrefix(path, "/messages/") {
		return dialectNamed(upstream.Messages)
	}
	return dialectNamed(upstream.Chat)
}

func (s *Server) root(w http.ResponseWriter, r *http.Request) {
	text := "ok\n"
	if s.ProxyKey.Empty() || s.hasKey(r) {
		text = "glmtray " + s.Version + " is running. GET /docs shows what it speaks.\n"
	}
	w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	writeBody(w, []byte(text))
}

func (s *Server) docs(w http.ResponseWriter, _ *http.Request) {
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	w.Header().Set("Content-Security-Policy", "default-src 'none'; style-src 'unsafe-inline'; script-src 'self'; connect-src 'self'")
	writeBody(w, s.Docs)
}

func (s *Server) openAPI(w http.ResponseWriter, _ *http.Request) {
	w.Header().Set("Content-Type", "application/json")
	writeBody(w, s.OpenAPI)
}
