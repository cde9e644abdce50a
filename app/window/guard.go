package window

import (
	"fmt"
	"html"
	"io/fs"
	"mime"
	"net/http"
	"net/url"
	"slices"
	"strings"
)

// policy is the Content-Security-Policy of everything: nothing from outside, nothing
// inline, no form that leaves. What may be in a frame is added; see openFrame.
const policy = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; " +
	"base-uri 'none'; form-action 'none'; frame-ancestors 'none'"

// handler is everything that the server answers. Each request passes the guard; all but
// those that follow a link need the session's cookie.
func (s *Server) handler(one *run, pages fs.FS) (http.Handler, error) {
	inner := http.NewServeMux()
	if err := servePages(inner, pages); err != nil {
		return nil, err
	}
	s.routes(one, inner)
	outer := http.NewServeMux()
	outer.HandleFunc("GET /open", func(w http.ResponseWriter, r *http.Request) { s.open(one, w, r) })
	outer.Handle("/", s.session(one, inner))
	return s.guard(one, outer), nil
}

// guard refuses whoever knows the server by another name than its own, as a page does
// that had its name point to this machine (DNS rebinding), and the pages of other sites.
func (s *Server) guard(one *run, next http.Handler) http.Handler {
	hosts := []string{loopback + ":" + one.port, "localhost:" + one.port, "[::1]:" + one.port}
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		h := w.Header()
		h.Set("Content-Security-Policy", policy+"; frame-src "+one.frame.origin)
		h.Set("X-Content-Type-Options", "nosniff")
		h.Set("Referrer-Policy", "no-referrer")
		h.Set("Cross-Origin-Opener-Policy", "same-origin")
		h.Set("Cross-Origin-Resource-Policy", "same-origin")
		switch {
		case !slices.Contains(hosts, r.Host):
			s.refuse(w, r, http.StatusForbidden, "window.refused.host")
		case !ownOrigin(r) || !ownSite(r):
			s.refuse(w, r, http.StatusForbidden, "window.refused.origin")
		default:
			next.ServeHTTP(w, r)
		}
	})
}

// ownOrigin reports whether no other origin's page asks. Browsers name the origin with
// whatever may change something.
func ownOrigin(r *http.Request) bool {
	for _, origin := range r.Header.Values("Origin") {
		if origin != "http://"+r.Host {
			return false
		}
	}
	return true
}

// ownSite reports whether no other site's page asks: either one of ours does, or a
// person who followed a link in another program (W3C Fetch Metadata).
func ownSite(r *http.Request) bool {
	for _, site := range r.Header.Values("Sec-Fetch-Site") {
		if site != "same-origin" && site != "none" {
			return false
		}
	}
	return true
}

// refuse says why somebody is not let in, and how to get in: to a page's script in
// JSON, to a person as a page.
func (s *Server) refuse(w http.ResponseWriter, r *http.Request, status int, id string) {
	p := s.app.Printer()
	why, remedy := p.Text(id), p.Text("window.refused.remedy")
	if strings.HasPrefix(r.URL.Path, "/api/") {
		answer(w, status, failure{Message: why + " " + remedy})
		return
	}
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	w.Header().Set("Cache-Control", "no-store")
	w.WriteHeader(status)
	fmt.Fprintf(w, "<!doctype html>\n<html lang=%q>\n<meta charset=\"utf-8\">\n<title>GLM Tray</title>\n<p>%s</p>\n<p>%s</p>\n</html>\n",
		p.Tag(), html.EscapeString(why), html.EscapeString(remedy))
}

// cookieName differs by port: browsers keep one set of cookies for all ports of a host.
func (one *run) cookieName() string { return "glmtray_window_" + one.port }

// authentic reports whether a request has the session's cookie.
func (one *run) authentic(r *http.Request) bool {
	return slices.ContainsFunc(r.CookiesNamed(one.cookieName()), func(c *http.Cookie) bool { return same(c.Value, one.cookie) })
}

// open turns a link's ticket into the session's cookie. A browser that has the cookie
// may come again with the same link. HEAD, with which programs look at links, takes no
// ticket away.
func (s *Server) open(one *run, w http.ResponseWriter, r *http.Request) {
	if r.Method != http.MethodGet {
		w.Header().Set("Allow", http.MethodGet)
		s.refuse(w, r, http.StatusMethodNotAllowed, "window.refused.session")
		return
	}
	query := r.URL.Query()
	if !s.redeem(query.Get("ticket")) && !one.authentic(r) {
		s.refuse(w, r, http.StatusForbidden, "window.refused.ticket")
		return
	}
	http.SetCookie(w, &http.Cookie{
		Name: one.cookieName(), Value: one.cookie, Path: "/", HttpOnly: true, SameSite: http.SameSiteStrictMode,
	})
	w.Header().Set("Cache-Control", "no-store")
	target := url.URL{Path: "/", Fragment: query.Get("page")}
	http.Redirect(w, r, target.String(), http.StatusSeeOther)
}

// session lets in who has the cookie. What changes something must be JSON, which a form
// of another site cannot send.
func (s *Server) session(one *run, next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if !one.authentic(r) {
			s.refuse(w, r, http.StatusForbidden, "window.refused.session")
			return
		}
		if r.Method != http.MethodGet && r.Method != http.MethodHead {
			kind, _, err := mime.ParseMediaType(r.Header.Get("Content-Type"))
			if err != nil || kind != "application/json" {
				s.refuse(w, r, http.StatusUnsupportedMediaType, "window.refused.origin")
				return
			}
		}
		next.ServeHTTP(w, r)
	})
}
