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
	"unicode"
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
	// Description stands beside an error that is one word (RFC 6749, section 5.2).
	Description string `json:"error_description"`
}

// call sends a request of a step and reads the data of its answer into out. The
// authorization header is sent as it is.
func (c *caller) call(ctx context.Context, s Step, method, address, authorization string, body map[string]string, out any) error {
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
		return &StepError{Step: s, Err: unreachable(ctx, err)} // a part of an answer is none
	}
	data, failed := open(s, resp.StatusCode, text)
	if failed != nil {
		// It is read again without what was sent in confidence: of words that were cut, a
		// half of that would be left.
		failed.Said = ""
		if _, hidden := open(s, resp.StatusCode, hide(text, authorization, body)); hidden != nil {
			failed = hidden
		}
		return failed
	}
	if err := json.Unmarshal(data, out); err != nil {
		return &StepError{Step: s, Status: resp.StatusCode, Err: errors.New("the answer has another form than expected")}
	}
	return nil
}

// unreachable says in words why there was no answer, without the address, which may
// hold what is nobody's business.
func unreachable(ctx context.Context, err error) error {
	if ctx.Err() != nil {
		return stopped(ctx)
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
func open(s Step, status int, text []byte) (json.RawMessage, *StepError) {
	text = bytes.TrimSpace(text)
	failed := &StepError{Step: s, Status: status}
	if len(text) == 0 || text[0] != '{' && text[0] != '[' || !json.Valid(text) {
		failed.Said, failed.Err = instead(status, text)
		return nil, failed
	}
	if text[0] == '[' {
		if status >= http.StatusMultipleChoices {
			return nil, failed
		}
		return text, nil
	}
	var e envelope
	if err := json.Unmarshal(text, &e); err != nil {
		failed.Err = errors.New("the answer has another form than expected")
		return nil, failed
	}
	failed.Code, failed.Said = e.failure()
	refused := e.Success != nil && !*e.Success || !empty(e.Error)
	if status >= http.StatusMultipleChoices || failed.Code != "" || refused {
		return nil, failed
	}
	if len(e.Data) > 0 && string(e.Data) != "null" {
		return e.Data, nil
	}
	return text, nil
}

// instead says what there is instead of a JSON answer: a server's words or our own. An
// answer that should have been JSON, or that succeeded, may hold a token and is not
// repeated.
func instead(status int, text []byte) (said string, err error) {
	switch {
	case status >= http.StatusMultipleChoices && status < http.StatusBadRequest:
		return "", errors.New("the server points elsewhere, which is not followed; see the addresses in the settings")
	case len(text) == 0 && status == http.StatusUnauthorized:
		return "the token is not accepted", nil
	case len(text) == 0:
		return "an empty answer", nil
	case text[0] == '<':
		return "a web page instead of an answer; something on the way blocks the request", nil
	case text[0] == '{', text[0] == '[', status < http.StatusBadRequest:
		return "", errors.New("the answer is cut off, too long, or no JSON")
	}
	return clip(string(text)), nil
}

// empty reports whether there is nothing in a value: some servers name an error in each
// answer.
func empty(value json.RawMessage) bool {
	switch string(value) {
	case "", "null", `""`, "false", "{}", "[]":
		return true
	}
	return false
}

// bare is a code without its quotes, "" for none, and "?" for what is no code.
func bare(code json.RawMessage) string {
	const longest = 40
	text := strings.Trim(string(code), `"`)
	switch {
	case text == "null":
		return ""
	case strings.ContainsAny(text, "{["):
		return "?"
	}
	return clip(text[:min(len(text), longest)])
}

// hide takes out of a server's answer what was sent in confidence: some repeat it.
func hide(text []byte, authorization string, body map[string]string) []byte {
	const shortest = 6 // what is shorter is found in any sentence
	for _, sent := range []string{strings.TrimPrefix(authorization, "Bearer "), body["code"], body["state"], body["token"], body["refresh_token"]} {
		if len(sent) < shortest {
			continue
		}
		for _, written := range []string{sent, strings.ReplaceAll(sent, "/", `\/`)} { // JSON allows both
			text = bytes.ReplaceAll(text, []byte(written), []byte("…"))
		}
	}
	return text
}

// failure is the code, "" for one of success, and the words of a server. They stand in the
// envelope, or in an error in it.
func (e envelope) failure() (code, said string) {
	var nested struct {
		Code    json.RawMessage `json:"code"`
		Message string          `json:"message"`
	}
	var word string
	if json.Unmarshal(e.Error, &nested) != nil {
		_ = json.Unmarshal(e.Error, &word) // another form says nothing
	}
	for _, c := range []json.RawMessage{nested.Code, e.Code} { // the inner one says more
		if code = bare(c); code == "0" || code == "200" {
			code = ""
		}
		if code != "" {
			break
		}
	}
	if e.Description != "" {
		word = strings.TrimPrefix(word+": ", ": ") + e.Description
	}
	for _, said = range []string{e.Msg, e.Message, nested.Message, word} {
		if said != "" {
			break
		}
	}
	return code, clip(said)
}

// clip shortens a server's words to a sentence that a terminal can be shown.
func clip(said string) string {
	const longest = 300
	said = strings.ToValidUTF8(strings.Join(strings.Fields(said), " "), "")
	said = strings.Map(func(r rune) rune {
		if !unicode.IsPrint(r) {
			return -1
		}
		return r
	}, said)
	if len(said) > longest {
		return strings.ToValidUTF8(said[:longest], "") + "…"
	}
	return said
}
