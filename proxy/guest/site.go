package guest

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"mime"
	"net/http"
	"net/http/cookiejar"
	"net/url"
	"regexp"
	"strings"
	"sync"
	"time"

	"glmtray/proxy/llm"
	"glmtray/proxy/secret"
)

const (
	// fetchTimeout is how long the calls for one token may take in all.
	fetchTimeout = 20 * time.Second
	// maxPage and maxAnswer are how much is read of the home page and of a call's
	// answer, in bytes.
	maxPage, maxAnswer = 1 << 20, 64 << 10
	// maxToken is how long a token may be; those of the site have some 200 bytes.
	maxToken = 8 << 10
	// maxRedirects is how many redirects within the site are followed.
	maxRedirects = 3
	// versionLife is how long the page's version is believed.
	versionLife = time.Hour
)

// The paths of the site. Both ways to a token are tried: the older one is a call that
// makes a guest of whoever has no token, the newer one makes the guest first.
const (
	authsPath = "/api/v1/auths/"
	guestPath = "/api/v1/auths/guest"
)

// site fetches tokens of the chat site. It may be used concurrently.
type site struct {
	base, origin string
	agent        string
	transport    http.RoundTripper
	now          func() time.Time
	err          error // why base is no address

	mu      sync.Mutex // guards what follows
	version string     // of the site's page
	looked  time.Time  // when that was looked up
}

func newSite(base, version string, transport http.RoundTripper, now func() time.Time) *site {
	s := &site{base: strings.TrimRight(base, "/"), agent: strings.TrimSuffix("glmtray/"+version, "/"), transport: transport, now: now}
	u, err := url.Parse(s.base)
	switch {
	case err != nil:
		s.err = errors.New("it cannot be read") // what it is may hold a password
	case u.Scheme != "http" && u.Scheme != "https" || u.Host == "":
		s.err = errors.New("it must begin with https:// or http:// and name a host")
	case u.User != nil || u.RawQuery != "" || u.Fragment != "":
		s.err = errors.New("it must have neither a user, nor a query, nor a fragment")
	default:
		s.origin = u.Scheme + "://" + u.Host
	}
	return s
}

// header is what every request to the site has.
func (s *site) header(accept string) http.Header {
	h := http.Header{
		"Accept": {accept}, "Origin": {s.origin}, "Referer": {s.base + "/"}, "User-Agent": {s.agent},
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.version != "" {
		h["X-Fe-Version"] = []string{s.version}
	}
	return h
}

// versionPattern finds the page's version, "prod-fe-1.0.107".
var versionPattern = regexp.MustCompile(`prod-fe-\d{1,4}\.\d{1,4}\.\d{1,4}`)

// token makes a new guest and returns its token. Each is made with cookies of its own.
func (s *site) token(ctx context.Context) (secret.Value, *llm.Error) {
	ctx, cancel := context.WithTimeout(ctx, fetchTimeout)
	defer cancel()
	jar, err := cookiejar.New(nil)
	if err != nil {
		return secret.Value{}, &llm.Error{Kind: llm.ErrInternal, Message: "no guest token could be fetched", Err: err}
	}
	client := &http.Client{Transport: s.transport, Jar: jar, CheckRedirect: s.staysHere}
	if failure := s.look(ctx, client); failure != nil {
		return secret.Value{}, failure
	}
	older, failure := s.call(ctx, client, http.MethodGet, authsPath)
	if failure != nil && final(failure) || !older.Empty() {
		return older, failure
	}
	made, failure := s.call(ctx, client, http.MethodPost, guestPath)
	if failure != nil {
		return secret.Value{}, failure
	}
	newer, failure := s.call(ctx, client, http.MethodGet, authsPath)
	switch {
	case failure == nil && !newer.Empty():
		return newer, nil
	case !made.Empty():
		return made, nil
	case failure == nil:
		failure = &llm.Error{Kind: llm.ErrUpstream, Message: "the chat site gave no guest token; " + login}
	}
	return secret.Value{}, failure
}

// final reports whether the other way to a token need not be tried: it is the site, and
// not the path, that is the trouble.
func final(e *llm.Error) bool {
	switch e.Status {
	case http.StatusUnauthorized, http.StatusForbidden, http.StatusNotFound, http.StatusBadRequest, http.StatusUnprocessableEntity:
		return e.Message == challenged || e.Message == blocked
	}
	return true
}

// staysHere lets redirects be followed within the site.
func (s *site) staysHere(r *http.Request, via []*http.Request) error {
	if r.URL.Host != via[0].URL.Host || r.URL.Scheme != via[0].URL.Scheme || len(via) > maxRedirects {
		return http.ErrUseLastResponse
	}
	return nil
}

// look reads the version of the site's page, if the last look was long ago. A page
// without one is no failure, as it is the calls that decide.
func (s *site) look(ctx context.Context, client *http.Client) *llm.Error {
	now := s.now()
	s.mu.Lock()
	known := !s.looked.IsZero() && now.Sub(s.looked) < versionLife
	s.mu.Unlock()
	if known {
		return nil
	}
	status, _, page, err := s.send(ctx, client, http.MethodGet, "/", "text/html", maxPage)
	switch {
	case err != nil:
		return err
	case status == http.StatusMethodNotAllowed:
		return explained(status, page)
	case status != http.StatusOK:
		return nil
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.version, s.looked = string(versionPattern.Find(page)), now
	return nil
}

// call makes a call and returns the token of its answer, an empty one if that has none.
func (s *site) call(ctx context.Context, client *http.Client, method, path string) (secret.Value, *llm.Error) {
	status, header, body, failure := s.send(ctx, client, method, path, "application/json", maxAnswer)
	if failure != nil {
		return secret.Value{}, failure
	}
	if kind, _, err := mime.ParseMediaType(header.Get("Content-Type")); err == nil && kind == "text/html" || looksLikePage(body) {
		return secret.Value{}, &llm.Error{Kind: llm.ErrPermission, Status: http.StatusForbidden, Message: blocked, Err: fmt.Errorf("HTTP %d with a web page", status)}
	}
	if status != http.StatusOK {
		err := explained(status, body)
		err.RetryAfter = retryAfter(header)
		return secret.Value{}, err
	}
	var answer struct {
		Token string `json:"token"`
	}
	if err := json.Unmarshal(body, &answer); err != nil {
		return secret.Value{}, &llm.Error{Kind: llm.ErrUpstream, Message: "the chat site answered nonsense in the place of a guest token", Err: errors.New("it is not JSON")}
	}
	if answer.Token != "" && !sendable(answer.Token) {
		return secret.Value{}, &llm.Error{Kind: llm.ErrUpstream, Message: "the chat site gave a guest token that cannot be sent"}
	}
	return secret.New(answer.Token), nil
}

func looksLikePage(body []byte) bool {
	return strings.HasPrefix(strings.TrimSpace(string(body[:min(len(body), 64)])), "<")
}

// sendable reports whether a token can stand in a header.
func sendable(token string) bool {
	for i := range len(token) {
		if token[i] <= ' ' || token[i] > '~' {
			return false
		}
	}
	return len(token) <= maxToken
}

// send makes a request and reads its answer, up to a limit.
func (s *site) send(ctx context.Context, client *http.Client, method, path, accept string, limit int64) (int, http.Header, []byte, *llm.Error) {
	var content io.Reader
	if method == http.MethodPost {
		content = strings.NewReader("{}")
	}
	req, err := http.NewRequestWithContext(ctx, method, s.base+path, content)
	if err != nil {
		return 0, nil, nil, &llm.Error{Kind: llm.ErrInternal, Message: "the chat site's address is not valid; see the settings", Err: err}
	}
	req.Header = s.header(accept)
	if content != nil {
		req.Header.Set("Content-Type", "application/json")
	}
	resp, err := client.Do(req)
	if err != nil {
		return 0, nil, nil, unreachable(err)
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(io.LimitReader(resp.Body, limit))
	if err != nil {
		return 0, nil, nil, unreachable(err)
	}
	return resp.StatusCode, resp.Header, body, nil
}

func unreachable(err error) *llm.Error {
	message := "the chat site could not be reached; check the network, or " + login
	if errors.Is(err, context.DeadlineExceeded) {
		message = "the chat site did not answer in time; try again, or " + login
	}
	return &llm.Error{Kind: llm.ErrUpstream, Status: http.StatusBadGateway, Message: message, Err: err}
}
