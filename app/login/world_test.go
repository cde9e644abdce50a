package login

import (
	"context"
	"encoding/json"
	"errors"
	"html"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"glmtray/proxy/demo"
	"glmtray/proxy/demo/platform"
)

// world is a provider, and what a person does with it in a browser.
type world struct {
	t         *testing.T
	demo      *demo.Server
	base      string
	endpoints Endpoints
	transport http.RoundTripper // nil is the network's

	mu    sync.Mutex    // guards what follows
	ahead time.Duration // of the provider's clock
	fault func(w http.ResponseWriter, r *http.Request) bool
	calls []string // method and path of each request, in order
}

func newWorld(t *testing.T, provider string, o platform.Options) *world {
	w := emptyWorld(t, o)
	server := httptest.NewServer(w.demo)
	t.Cleanup(server.Close)
	w.base = server.URL
	w.endpoints = endpointsAt(provider, server.URL)
	return w
}

// newBubble returns a world without a network, for tests in which time jumps.
func newBubble(t *testing.T, provider string, o platform.Options) *world {
	w := emptyWorld(t, o)
	w.transport = direct{w.demo}
	w.base = "http://demo.test"
	w.endpoints = endpointsAt(provider, w.base)
	return w
}

// direct carries requests to a handler.
type direct struct{ http.Handler }

func (d direct) RoundTrip(r *http.Request) (resp *http.Response, err error) {
	defer func() {
		if recover() != nil { // the handler asks for the connection to be broken
			resp, err = nil, errors.Join(r.Context().Err(), io.EOF)
		}
	}()
	if r.Body == nil {
		r.Body = http.NoBody
	}
	w := httptest.NewRecorder()
	d.ServeHTTP(w, r)
	return w.Result(), nil
}

func emptyWorld(t *testing.T, o platform.Options) *world {
	w := &world{t: t}
	o.Now = func() time.Time {
		w.mu.Lock()
		defer w.mu.Unlock()
		return time.Now().Add(w.ahead)
	}
	o.Fault = func(rw http.ResponseWriter, r *http.Request) bool {
		w.mu.Lock()
		w.calls = append(w.calls, r.Method+" "+r.URL.Path)
		fault := w.fault
		w.mu.Unlock()
		return fault != nil && fault(rw, r)
	}
	w.demo = demo.New(demo.Options{Platform: o})
	return w
}

func endpointsAt(provider, base string) Endpoints {
	e := Endpoints{
		Provider: provider, AuthorizeURL: base + "/api/oauth/authorize", ClientID: "client_test", TokenURL: base + "/api/v1/oauth/token",
		PollBase: base + "/api/v1/oauth/cli", BusinessLoginURL: base + "/api/auth/z/login", BusinessBase: base,
		AnthropicBase: base + "/api/anthropic", QuotaBase: base,
	}
	if provider == "bigmodel" {
		e.AuthorizeURL, e.BusinessLoginURL = base+"/login", ""
	}
	return e
}

// breakAt has requests of a step answered by fault.
func (w *world) breakAt(s Step, fault func(w http.ResponseWriter, r *http.Request) bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.fault = func(rw http.ResponseWriter, r *http.Request) bool {
		return stepOf(r) == s && fault(rw, r)
	}
}

func (w *world) later(d time.Duration) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.ahead += d
}

func (w *world) called(part string) (n int) {
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, c := range w.calls {
		if strings.Contains(c, part) {
			n++
		}
	}
	return n
}

// stepOf tells the step that a request belongs to.
func stepOf(r *http.Request) Step {
	path := r.URL.Path
	switch {
	case strings.HasSuffix(path, "/cli/init"):
		return StepStart
	case strings.Contains(path, "/cli/poll/"):
		return StepBrowser
	case path == "/api/v1/oauth/token":
		return StepToken
	case path == "/api/auth/z/login":
		return StepBusiness
	case strings.HasSuffix(path, "/getCustomerInfo"):
		return StepCustomer
	case strings.Contains(path, "/api_keys/copy/"):
		return StepSecret
	case strings.HasSuffix(path, "/api_keys") && r.Method == http.MethodPost:
		return StepCreate
	case strings.HasSuffix(path, "/api_keys"):
		return StepKeys
	case strings.HasSuffix(path, "/messages"):
		return StepTest
	}
	return ""
}

// person is what somebody does when the login's page is opened.
type person func(w *world, address string, paste func(text string) error)

// login logs in, with a person at the browser. It waits for both.
func (w *world) login(ctx context.Context, o Options, p person) (Result, error) {
	w.t.Helper()
	pasted := make(chan PastedText)
	o.Transport = w.transport
	o.Pasted, o.UserAgent = pasted, "glmtray/test"
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	var wg sync.WaitGroup
	o.Open = func(address string) {
		wg.Go(func() {
			p(w, address, func(text string) error {
				taken := make(chan error, 1)
				select {
				case pasted <- PastedText{text, func(err error) { taken <- err }}:
					return <-taken
				case <-ctx.Done():
					return ctx.Err()
				}
			})
		})
	}
	result, err := Run(ctx, w.endpoints, o)
	cancel()
	wg.Wait()
	noSecrets(w.t, err)
	noSecrets(w.t, result.KeyError)
	return result, err
}

var (
	hidden = regexp.MustCompile(`<input type="hidden" name="([^"]+)" value="([^"]*)">`)
	final  = regexp.MustCompile(`<code id="final">([^<]*)</code>`)
	// planted are the secrets of the demo: codes, tokens, bearers, states and keys.
	planted = regexp.MustCompile(`code_[0-9a-f]{32}|demo-access-|demo-business-|eyJhb|[0-9a-f]{64}|[0-9a-f]{32}\.|SECRET`)
)

// noSecrets looks for secrets in an error and in all that hangs on it.
func noSecrets(t *testing.T, err error) {
	t.Helper()
	if err == nil {
		return
	}
	texts := []string{err.Error()}
	for e := err; e != nil; e = errors.Unwrap(e) {
		if failed, ok := e.(*StepError); ok {
			texts = append(texts, failed.Said, failed.Code)
		}
	}
	for _, text := range texts {
		if found := planted.FindString(text); found != "" {
			t.Errorf("the error has the secret %s… in it: %s", found[:min(len(found), 12)], text)
		}
	}
}

// browser goes where it is sent only if it is told to.
func (w *world) browser() *http.Client {
	transport := w.transport
	if transport == nil {
		transport = &http.Transport{DisableKeepAlives: true}
	}
	return &http.Client{
		Transport:     transport,
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
		Timeout:       10 * time.Second,
	}
}

func fetch(w *world, req *http.Request, err error) (*http.Response, string) {
	if err != nil {
		w.t.Error(err)
		return &http.Response{Header: http.Header{}}, ""
	}
	resp, err := w.browser().Do(req)
	if err != nil {
		w.t.Errorf("the browser: %v", err)
		return &http.Response{Header: http.Header{}}, ""
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	if err != nil {
		w.t.Error(err)
	}
	return resp, string(text)
}

func (w *world) get(address string) (*http.Response, string) {
	req, err := http.NewRequest(http.MethodGet, address, nil)
	return fetch(w, req, err)
}

// press opens the login's page and presses one of its buttons. It returns the address to
// which the browser is sent then, or that is shown.
func (w *world) press(address, button string) (to string) {
	resp, page := w.get(address)
	if resp.StatusCode != http.StatusOK {
		w.t.Errorf("the login's page: %d %s", resp.StatusCode, page)
	}
	fields := url.Values{"answer": {button}}
	for _, field := range hidden.FindAllStringSubmatch(page, -1) {
		fields.Set(field[1], html.UnescapeString(field[2]))
	}
	req, err := http.NewRequest(http.MethodPost, w.base+"/_demo/decide", strings.NewReader(fields.Encode()))
	if err == nil {
		req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	}
	resp, page = fetch(w, req, err)
	if shown := final.FindStringSubmatch(page); shown != nil {
		return html.UnescapeString(shown[1])
	}
	return resp.Header.Get("Location")
}

// answering presses a button and goes where that leads, or pastes it.
func answering(button string) person {
	return func(w *world, address string, paste func(string) error) {
		switch to := w.press(address, button); {
		case strings.HasPrefix(to, "zcode://"):
			if err := paste(to); err != nil && button == "allow" {
				w.t.Errorf("paste: %v", err)
			}
		case to != "":
			w.get(to)
		}
	}
}

// nobody does nothing.
func nobody(*world, string, func(string) error) {}

// wantStep checks that an error names a step, and has some words.
func wantStep(t *testing.T, err error, s Step, words ...string) *StepError {
	t.Helper()
	var failed *StepError
	if !errors.As(err, &failed) {
		t.Fatalf("the error is %v, want one of step %s", err, s)
	}
	if failed.Step != s || !strings.HasPrefix(err.Error(), stepNames[s]) {
		t.Errorf("the error is of step %s, want %s: %v", failed.Step, s, err)
	}
	for _, word := range words {
		if !strings.Contains(err.Error(), word) {
			t.Errorf("the error is without %q: %v", word, err)
		}
	}
	return failed
}

// steps records the steps that a login tells.
type steps struct {
	mu  sync.Mutex
	all []Step
}

func (s *steps) told(step Step) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.all = append(s.all, step)
}

func (s *steps) are(t *testing.T, want ...Step) {
	t.Helper()
	s.mu.Lock()
	defer s.mu.Unlock()
	if !slices.Equal(s.all, want) {
		t.Errorf("steps %v, want %v", s.all, want)
	}
}

// bodyOf reads a request's body of flat JSON.
func bodyOf(r *http.Request) map[string]string {
	var body map[string]string
	_ = json.NewDecoder(r.Body).Decode(&body) // no body is nil
	return body
}
