package platform

import (
	"html/template"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"
)

// grant is a code that was given out, and what it must come back with.
type grant struct {
	provider, redirect string
	until              time.Time
}

// flow is a login that is asked for until it is allowed.
type flow struct {
	provider, bearer string
	until            time.Time
	state            string // pending, ready or failed
	lastPoll         time.Time
	hasty            int            // polls that came too soon
	tokens           map[string]any // given out once the login is allowed, and again if that answer was lost
}

// registered are the addresses that a desktop program has on record.
var registered = []string{"zcode://zai-auth/callback", "zcode://oauth/callback"}

var pages = template.Must(template.New("ask").Parse(`<!doctype html><html lang="en"><meta charset="utf-8"><title>Demo login</title>
<style>body{font:16px system-ui;max-width:30rem;margin:15vh auto;padding:0 1rem}button{font:inherit;padding:.5rem 1.2rem;margin-right:.6rem}code{overflow-wrap:anywhere}</style>
<h1>Demo login</h1><p>This is the built-in demo of {{.Provider}}, not the real one. <b>{{.Client}}</b> asks to use your coding plan.</p>
<form method="post" action="/_demo/decide">{{range $name, $value := .Fields}}<input type="hidden" name="{{$name}}" value="{{$value}}">{{end}}
<button id="allow" name="answer" value="allow">Allow</button><button id="deny" name="answer" value="deny">Deny</button></form></html>
{{define "final"}}<!doctype html><html lang="en"><meta charset="utf-8"><title>Demo login</title><h1>Demo login</h1>
<p>A browser cannot open this address. Copy it into the program that you log in to:</p><p><code id="final">{{.}}</code></p></html>{{end}}
{{define "done"}}<!doctype html><html lang="en"><meta charset="utf-8"><title>Demo login</title><h1>Demo login</h1><p id="done">{{.}} You can close this page.</p></html>{{end}}`))

func page(w http.ResponseWriter, status int, name string, data any) {
	h := w.Header()
	// No form-action: browsers would hold it against the redirect that follows the form.
	h.Set("Content-Security-Policy", "default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'; frame-ancestors 'none'")
	h.Set("Content-Type", "text/html; charset=utf-8")
	h.Set("Cache-Control", "no-store")
	h.Set("Referrer-Policy", "no-referrer")
	w.WriteHeader(status)
	_ = pages.ExecuteTemplate(w, name, data) // a browser that is gone gets nothing
}

// question is what the page asks.
type question struct {
	Provider, Client string
	Fields           map[string]string
}

// authorizeZAI is the page of Z.AI, with OAuth's names for the parameters.
func (s *Server) authorizeZAI(w http.ResponseWriter, r *http.Request) {
	q := r.URL.Query()
	if q.Get("response_type") != "code" {
		page(w, http.StatusBadRequest, "done", "The request is not valid: response_type must be code.")
		return
	}
	s.ask(w, "zai", q.Get("client_id"), q.Get("redirect_uri"), q.Get("state"))
}

// authorizeBigmodel is the page of Bigmodel, which has names of its own.
func (s *Server) authorizeBigmodel(w http.ResponseWriter, r *http.Request) {
	q := r.URL.Query()
	s.ask(w, "bigmodel", q.Get("appId"), q.Get("redirect"), q.Get("state"))
}

func (s *Server) ask(w http.ResponseWriter, provider, client, redirect, state string) {
	if client == "" || state == "" || !allowedRedirect(redirect) {
		page(w, http.StatusBadRequest, "done", "The request is not valid: the client, the state or the redirect is missing or not allowed.")
		return
	}
	page(w, http.StatusOK, "ask", question{provider, client, map[string]string{"provider": provider, "redirect": redirect, "state": state}})
}

// allowedRedirect reports whether an address is a port of this machine, or on record.
func allowedRedirect(redirect string) bool {
	if slices.Contains(registered, redirect) {
		return true
	}
	u, err := url.Parse(redirect)
	if err != nil || u.Scheme != "http" || u.User != nil || u.Fragment != "" || u.Path == "" {
		return false
	}
	port, err := strconv.ParseUint(u.Port(), 10, 16)
	return err == nil && port > 0 && (u.Hostname() == "127.0.0.1" || u.Hostname() == "localhost")
}

// authorizeFlow is the page of the poll flow.
func (s *Server) authorizeFlow(w http.ResponseWriter, r *http.Request) {
	id := r.URL.Query().Get("flow")
	s.mu.Lock()
	f, ok := s.flows.get(id)
	open := ok && f.state == "pending" && !s.opts.Now().After(f.until)
	s.mu.Unlock()
	if !open {
		page(w, http.StatusBadRequest, "done", "This login is not known any more.")
		return
	}
	page(w, http.StatusOK, "ask", question{f.provider, "ZCode", map[string]string{"flow": id}})
}

// decide takes what the person chose.
func (s *Server) decide(w http.ResponseWriter, r *http.Request) {
	r.Body = http.MaxBytesReader(w, r.Body, maxBody)
	allowed := r.PostFormValue("answer") == "allow"
	if id := r.PostFormValue("flow"); id != "" {
		s.decideFlow(w, id, allowed)
		return
	}
	provider, redirect, state := r.PostFormValue("provider"), r.PostFormValue("redirect"), r.PostFormValue("state")
	if !known(provider) || state == "" || !allowedRedirect(redirect) {
		page(w, http.StatusBadRequest, "done", "The request is not valid.")
		return
	}
	to, err := url.Parse(redirect)
	if err != nil {
		page(w, http.StatusBadRequest, "done", "The request is not valid.")
		return
	}
	q := to.Query()
	q.Set("state", state)
	if allowed {
		code := "code_" + randomHex(16)
		s.mu.Lock()
		s.codes.put(code, grant{provider, redirect, s.opts.Now().Add(codeLife)})
		s.mu.Unlock()
		name := "code"
		if provider == "bigmodel" {
			name = "authCode"
		}
		q.Set(name, code)
	} else {
		q.Set("error", "access_denied")
		q.Set("error_description", "The person said no")
	}
	to.RawQuery = q.Encode()
	if strings.HasPrefix(redirect, "zcode:") {
		page(w, http.StatusOK, "final", to.String())
		return
	}
	w.Header().Set("Cache-Control", "no-store")
	http.Redirect(w, r, to.String(), http.StatusFound)
}

// known reports whether there is such a provider.
func known(provider string) bool { return provider == "zai" || provider == "bigmodel" }

func (s *Server) decideFlow(w http.ResponseWriter, id string, allowed bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	f, ok := s.flows.get(id)
	if !ok || f.state != "pending" || s.opts.Now().After(f.until) {
		page(w, http.StatusBadRequest, "done", "This login is not known any more.")
		return
	}
	f.state = "failed"
	text := "The login was refused."
	if allowed {
		f.state, text = "ready", "You are logged in."
	}
	page(w, http.StatusOK, "done", text)
}
