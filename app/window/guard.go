package window

import (
	"crypto/subtle"
	"fmt"
	"html"
	"io/fs"
	"mime"
	"net/http"
	"slices"
	"strings"
)

// policy is the Content-Security-Policy of everything: nothing from outside, nothing
// inline, no form that leaves.
const policy = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; " +
	"base-uri 'none'; form-action 'none'; frame-ancestors 'none'"

// handler is everything that the server answers.
func (s *Server) handler(pages fs.FS) http.Handler {
	inner := http.NewServeMux()
	inner.Handle("GET /", staticFiles(pages))
	s.routes(inner)
	mux := http.NewServeMux()
	mux.HandleFunc("GET /open", s.open)
	mux.Handle("/", s.session(inner))
	return s.guard(mux)
}

// guard refuses whoever knows the server by another name than its own (DNS rebinding),
// and the pages of other sites.
func (s *Server) guard(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		h := w.Header()
		h.Set("Content-Security-Policy", policy)
		h.Set("X-Content-Type-Options", "nosniff")
		h.Set("Referrer-Policy", "no-referrer")
		h.Set("Cross-Origin-Opener-Policy", "same-origin")
		h.Set("Cross-Origin-Resource-Policy", "same-origin")
		if !s.ownHost(r.Host) {
			s.refuse(w, "window.refused.host")
			return
		}
		if origin := r.Header.Get("Origin"); origin != "" && origin != "http://"+r.Host {
			s.refuse(w, "window.refused.origin")
			return
		}
		site := r.Header.Get("Sec-Fetch-Site")
		// A link in another program opens the window, another site's page does not.
		if site != "" && site != "same-origin" && site != "none" {
			s.refuse(w, "window.refused.origin")
			return
		}
		next.ServeHTTP(w, r)
	})
}

// ownHost reports whether a request was meant for this server.
func (s *Server) ownHost(host string) bool {
	return slices.Contains([]string{"127.0.0.1:" + s.port, "localhost:" + s.port}, host)
}

// refuse answers 403 with a page that says why, and how to get in.
func (s *Server) refuse(w http.ResponseWriter, id string) {
	p := s.app.Printer()
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	w.Header().Set("Cache-Control", "no-store")
	w.WriteHeader(http.StatusForbidden)
	fmt.Fprintf(w, "<!doctype html>\n<html lang=%q>\n<meta charset=\"utf-8\">\n<title>GLM Tray</title>\n<p>%s</p>\n<p>%s</p>\n</html>\n",
		p.Tag(), html.EscapeString(p.Text(id)), html.EscapeString(p.Text("window.refused.remedy")))
}

// cookieName differs by port: browsers keep one set of cookies for all ports of a host.
func (s *Server) cookieName() string { return "glmtray_window_" + s.port }

// authentic reports whether a request has the session's cookie.
func (s *Server) authentic(r *http.Request) bool {
	for _, c := range r.CookiesNamed(s.cookieName()) {
		if subtle.ConstantTimeCompare([]byte(c.Value), []byte(s.cookie)) == 1 {
			return true
		}
	}
	return false
}

// open turns a link's ticket into the session's cookie. A browser that has the cookie
// may come again with the same link.
func (s *Server) open(w http.ResponseWriter, r *http.Request) {
	if !s.redeem(r.FormValue("ticket")) && !s.authentic(r) {
		s.refuse(w, "window.refused.ticket")
		return
	}
	http.SetCookie(w, &http.Cookie{
		Name: s.cookieName(), Value: s.cookie, Path: "/", HttpOnly: true, SameSite: http.SameSiteStrictMode,
	})
	w.Header().Set("Cache-Control", "no-store")
	target := "/"
	if page := r.FormValue("page"); page != "" && !strings.ContainsAny(page, "\r\n") {
		target += "#" + page
	}
	http.Redirect(w, r, target, http.StatusSeeOther)
}

// session lets in who has the cookie. What changes something must be JSON, which a form
// of another site cannot send.
func (s *Server) session(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if !s.authentic(r) {
			s.refuse(w, "window.refused.session")
			return
		}
		if r.Method != http.MethodGet && r.Method != http.MethodHead {
			kind, _, err := mime.ParseMediaType(r.Header.Get("Content-Type"))
			if err != nil || kind != "application/json" {
				s.refuse(w, "window.refused.origin")
				return
			}
		}
		next.ServeHTTP(w, r)
	})
}

// staticFiles serves the pages. The program is replaced as a whole, so that a browser
// must ask each time; the files are few and near.
func staticFiles(pages fs.FS) http.Handler {
	files := http.FileServerFS(pages)
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Cache-Control", "no-store")
		files.ServeHTTP(w, r)
	})
}
