package login

import (
	"context"
	"crypto/subtle"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"strings"
	"time"
	"unicode"
)

// registered are the addresses that the providers have on record for ZCode's desktop
// program. No browser opens them here; the person pastes them.
var registered = map[string]string{"zai": "zcode://zai-auth/callback", "bigmodel": "zcode://oauth/callback"}

// longestPaste bounds what a person pastes, and a code, in bytes.
const longestPaste = 8 << 10

// redirect is what a code must come back with.
type redirect struct {
	uri   string
	state string // empty: it is not known
}

// redirected has the browser redirected: to a port of this machine, or to the registered
// address, of which the person pastes what it was called with.
func (c *caller) redirected(ctx context.Context, loopback bool) (outcome, error) {
	r := redirect{registered[c.Provider], randomHex(stateBytes)}
	if r.uri == "" {
		r.uri = registered["zai"]
	}
	var answers chan answer
	if loopback {
		listener, err := new(net.ListenConfig).Listen(ctx, "tcp", "127.0.0.1:0")
		if err != nil {
			return outcome{}, &StepError{Step: StepStart, Err: fmt.Errorf("no port could be opened for the answer of the browser: %w", err)}
		}
		path := "/oauth/callback/" + c.Provider
		r.uri = "http://" + listener.Addr().String() + path
		answers = make(chan answer, 1)
		server := &http.Server{Handler: c.callback(path, r, answers), ReadHeaderTimeout: callLimit}
		go func() { _ = server.Serve(listener) }() // ends with Shutdown
		defer func() {
			// The page that says how it went must get out.
			const soon = time.Second
			end, cancel := context.WithTimeout(context.WithoutCancel(ctx), soon)
			defer cancel()
			if server.Shutdown(end) != nil {
				_ = server.Close() // browsers open connections that they do not use
			}
		}()
	}
	page, err := c.authorizeURL(r)
	if err != nil {
		return outcome{}, &StepError{Step: StepStart, Err: err}
	}
	c.begin(StepBrowser)
	c.options.Open(page)
	pasted := c.options.Pasted
	for {
		select {
		case <-ctx.Done():
			return outcome{}, ended(ctx, nil)
		case a := <-answers:
			return outcome{code: a.code, redirect: r}, a.err
		case p, more := <-pasted:
			if !more {
				pasted = nil
			} else if code, ok := r.take(p); ok {
				return outcome{code: code, redirect: r}, nil
			}
		}
	}
}

// authorizeURL is the page on which the person allows the login. Bigmodel has names of
// its own for the parameters.
func (c *caller) authorizeURL(r redirect) (string, error) {
	page, err := url.Parse(c.AuthorizeURL)
	if err != nil || page.Host == "" {
		return "", errors.New("the address of the login page is not valid; see the settings")
	}
	q := page.Query()
	if c.Provider == "bigmodel" {
		q.Set("appId", c.ClientID)
		q.Set("redirect", r.uri)
	} else {
		q.Set("response_type", "code")
		q.Set("client_id", c.ClientID)
		q.Set("redirect_uri", r.uri)
	}
	q.Set("state", r.state)
	page.RawQuery = q.Encode()
	return page.String(), nil
}

// answer is what the browser came back with.
type answer struct {
	code string
	err  error
}

// callback serves the redirect of the browser, once. Answers that belong to another
// login change nothing.
func (c *caller) callback(path string, r redirect, answers chan<- answer) http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET "+path, func(w http.ResponseWriter, req *http.Request) {
		code, err := r.read(req.URL.Query(), true)
		h := w.Header()
		h.Set("Content-Type", "text/html; charset=utf-8")
		h.Set("Content-Security-Policy", "default-src 'none'; style-src 'unsafe-inline'; frame-ancestors 'none'")
		h.Set("Referrer-Policy", "no-referrer") // the code is in the address
		h.Set("Cache-Control", "no-store")
		useless := errors.Is(err, ErrState) || errors.Is(err, ErrNoCode)
		if useless {
			w.WriteHeader(http.StatusBadRequest)
		}
		_, _ = w.Write(c.page(err)) // a browser that is gone needs no page
		if useless {
			return
		}
		select {
		case answers <- answer{code, err}:
		default: // the page was loaded again
		}
	})
	return mux
}

func (c *caller) page(err error) []byte {
	switch {
	case c.options.Page != nil:
		return c.options.Page(err)
	case err != nil:
		return []byte("<!doctype html><title>GLM Tray</title><p>The login did not succeed.")
	}
	return []byte("<!doctype html><title>GLM Tray</title><p>You can close this page.")
}

// read finds the code in what the browser came back with. Bigmodel calls it authCode;
// where both are there, that is the one.
func (r redirect) read(q url.Values, mustHaveState bool) (string, error) {
	code := first(label(q.Get("authCode")), label(q.Get("code")))
	if code == "" && !q.Has("state") && !q.Has("error") {
		return "", ErrNoCode
	}
	state := q.Get("state")
	if r.state != "" && (state != "" || mustHaveState) && subtle.ConstantTimeCompare([]byte(state), []byte(r.state)) != 1 {
		return "", ErrState
	}
	if reason := q.Get("error"); reason != "" {
		failed := &StepError{Step: StepBrowser, Said: clip(q.Get("error_description")), Err: ErrDenied}
		if reason != "access_denied" {
			failed.Code, failed.Err = clip(reason), nil
		}
		return "", failed
	}
	if !plausible(string(code)) {
		return "", ErrNoCode
	}
	return string(code), nil
}

// plausible reports whether a text can be a code: RFC 6749, appendix A.11, has visible
// characters and spaces in it, and no code was seen to have spaces.
func plausible(code string) bool {
	return code != "" && len(code) <= longestPaste && !strings.ContainsFunc(code, func(r rune) bool { return r <= ' ' || r > '~' })
}

// take reads a pasted text, and tells whoever pasted it whether it is of use.
func (r redirect) take(p PastedText) (code string, ok bool) {
	code, err := r.parse(p.Text)
	if p.Taken != nil {
		p.Taken(err)
	}
	return code, err == nil
}

// parse reads an address, its query alone, or a bare code.
func (r redirect) parse(text string) (string, error) {
	text = strings.TrimFunc(text, func(r rune) bool { return unicode.IsSpace(r) || strings.ContainsRune("\"'`“”‘’<>\ufeff", r) })
	if text == "" || len(text) > longestPaste {
		return "", ErrNoCode
	}
	if _, query, ok := strings.Cut(text, "?"); ok {
		query, _, _ = strings.Cut(query, "#")
		values, err := url.ParseQuery(query)
		if err != nil {
			return "", ErrNoCode
		}
		return r.read(values, true)
	}
	if values, err := url.ParseQuery(text); err == nil && (values.Has("code") || values.Has("authCode") || values.Has("error")) {
		return r.read(values, false)
	}
	if strings.ContainsAny(text, "/:=&") || !plausible(text) {
		return "", ErrNoCode
	}
	return text, nil
}

// exchange turns a code into tokens.
func (c *caller) exchange(ctx context.Context, code string, r redirect) (Tokens, error) {
	c.begin(StepToken)
	var reply tokenReply
	err := c.call(ctx, StepToken, http.MethodPost, c.TokenURL, "", map[string]string{
		"provider": c.Provider, "code": code, "redirect_uri": r.uri, "state": r.state,
	}, &reply)
	if err != nil {
		return Tokens{}, err
	}
	return checked(reply)
}
