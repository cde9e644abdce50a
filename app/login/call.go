package login

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"net"
	"net/http"
	"net/url"
	"strings"
	"time"
)

// caller makes a login's calls.
type caller struct {
	Endpoints
	options Options
	http    *http.Client
}

func newCaller(e Endpoints, o Options) *caller {
	return &caller{e, o, &http.Client{
		Transport: o.Transport,
		Timeout:   callLimit,
		// A redirect could carry a credential to another host.
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}}
}

// begin tells that a step begins.
func (c *caller) begin(s Step) {
	if c.options.Progress != nil {
		c.options.Progress(s)
	}
}

// envelope is what the servers' answers have in common. Some come without it.
type envelope struct {
	Code    json.RawMessage `json:"code"`
	Msg     string          `json:"msg"`
	Message string          `json:"message"`
	Success *bool           `json:"success"`
	Data    json.RawMessage `json:"data"`
	Error   json.RawMessage `json:"error"`
}

// call sends a request of a step and reads the data of its answer into out. The
// authorization header is sent as it is.
func (c *caller) call(ctx context.Context, s Step, method, address, authorization string, body, out any) error {
	var source io.Reader
	if body != nil {
		text, err := json.Marshal(body)
		if err != nil {
			return &StepError{Step: s, Err: err}
		}
		source = bytes.NewReader(text)
	}
	req, err := http.NewRequestWithContext(ctx, method, address, source)
	if err != nil {
		return &StepError{Step: s, Err: errors.New("the address is not valid; see the settings")}
	}
	req.Header.Set("Accept", "application/json")
	req.Header.Set("User-Agent", c.options.UserAgent)
	if body != nil {
		req.Header.Set("Content-Type", "application/json")
	}
	if authorization != "" {
		req.Header.Set("Authorization", authorization)
	}
	resp, err := c.http.Do(req)
	if err != nil {
		return &StepError{Step: s, Err: unreachable(ctx, err)}
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(io.LimitReader(resp.Body, maxReply))
	if err != nil {
		return &StepError{Step: s, Status: resp.StatusCode, Err: unreachable(ctx, err)}
	}
	data, err := open(s, resp.StatusCode, text)
	if err != nil {
		return err
	}
	if err := json.Unmarshal(data, out); err != nil {
		return &StepError{Step: s, Status: resp.StatusCode, Err: errors.New("the answer has another form than expected")}
	}
	return nil
}

// unreachable says in words why there was no answer, without the address, which may
// hold what is nobody's business.
func unreachable(ctx context.Context, err error) error {
	if cause := context.Cause(ctx); cause != nil {
		return cause
	}
	var at *url.Error
	if errors.As(err, &at) {
		err = at.Err
	}
	var dns *net.DNSError
	var timeout interface{ Timeout() bool }
	switch {
	case errors.As(err, &dns):
		return errors.New("the name " + dns.Name + " could not be resolved; check the network")
	case errors.As(err, &timeout) && timeout.Timeout():
		return errors.New("the server did not answer in time")
	case errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF):
		return errors.New("the connection broke before the answer was complete")
	}
	return errors.New("the server could not be reached: " + err.Error())
}

// open takes the envelope off an answer. Codes of success are 0 and 200, as numbers or
// texts, or none at all.
func open(s Step, status int, text []byte) (json.RawMessage, error) {
	text = bytes.TrimSpace(text)
	failed := &StepError{Step: s, Status: status}
	if len(text) == 0 || text[0] != '{' && text[0] != '[' || !json.Valid(text) {
		switch {
		case len(text) == 0 && status == http.StatusUnauthorized:
			failed.Said = "the token is not accepted"
		case len(text) == 0:
			failed.Said = "an empty answer"
		case text[0] == '<':
			failed.Said = "a web page instead of an answer; something on the way blocks the request"
		default:
			failed.Said = clip(string(text))
		}
		return nil, failed
	}
	if text[0] == '[' {
		if status >= http.StatusBadRequest {
			return nil, failed
		}
		return text, nil
	}
	var e envelope
	if err := json.Unmarshal(text, &e); err != nil {
		failed.Err = errors.New("the answer has another form than expected")
		return nil, failed
	}
	code := strings.Trim(string(e.Code), `"`)
	if code != "" && code != "null" && code != "0" && code != "200" {
		failed.Code = code
	}
	failed.Said = e.words()
	refused := e.Success != nil && !*e.Success || len(e.Error) > 0 && string(e.Error) != "null"
	if status >= http.StatusMultipleChoices || failed.Code != "" || refused {
		return nil, failed
	}
	if len(e.Data) > 0 && string(e.Data) != "null" {
		return e.Data, nil
	}
	return text, nil
}

// words are what the server says about its answer.
func (e envelope) words() string {
	var nested struct {
		Message string `json:"message"`
	}
	said := e.Msg
	if said == "" {
		said = e.Message
	}
	if said == "" && json.Unmarshal(e.Error, &nested) == nil {
		said = nested.Message
	}
	if said == "" && len(e.Error) > 0 && e.Error[0] == '"' {
		said = strings.Trim(string(e.Error), `"`)
	}
	return clip(said)
}

// clip shortens a server's words to a sentence.
func clip(said string) string {
	const longest = 300
	said = strings.ToValidUTF8(strings.Join(strings.Fields(said), " "), "")
	if len(said) > longest {
		return strings.ToValidUTF8(said[:longest], "") + "…"
	}
	return said
}

// wait pauses, and reports false if ctx ended meanwhile.
func wait(ctx context.Context, d time.Duration) bool {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return true
	case <-ctx.Done():
		return false
	}
}
