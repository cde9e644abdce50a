package llm

import (
	"bytes"
	"net/http"
	"strconv"
	"strings"
	"unicode/utf8"

	"glmtray/proxy/rawjson"
)

// maxMessage is how much of an upstream's error text is passed on, in bytes.
const maxMessage = 1 << 10

// ParseError reads the error envelopes that providers send, whatever the dialect:
//
//	{"error":{"code":"1302","message":"…","type":"…"}}     OpenAI, Z.AI's chat endpoints (code may be a number)
//	{"type":"error","error":{"type":"…","message":"…"}}    Anthropic
//	{"error":"…"}                                          gateways
//	{"code":500,"msg":"…","success":false}                 Z.AI's platform, often with HTTP 200
//	{"timestamp":…,"status":404,"error":"Not Found",…}     Z.AI's gateway, for a wrong path
//
// status is the HTTP status, or 0 for an object inside a stream or a 200. A body
// that is no such envelope gives nil, unless the status itself is a failure: then
// the error says what the body looks like. Z.AI's Messages endpoint wraps code,
// text and request id in brackets, "[1308][text][id]"; the message is the text then.
func ParseError(status int, body []byte) *Error {
	var e envelope
	if trimmed := bytes.TrimSpace(body); len(trimmed) > 0 && trimmed[0] == '{' {
		e.read(trimmed)
	}
	if !e.failure && status < http.StatusBadRequest {
		return nil
	}
	if e.status == 0 {
		e.status = status
	}
	if !e.failure {
		e.message = describe(status, body)
	}
	e.unwrapBrackets()
	if e.message == "" {
		e.message = strings.TrimSpace(e.errorType + " " + http.StatusText(e.status))
	}
	if e.message == "" {
		e.message = "the upstream reported an error and did not say which"
	}
	out := &Error{Code: e.code, Message: clip(e.message), Kind: kindOfType(e.errorType)}
	if e.status >= http.StatusBadRequest {
		out.Status = e.status
		// A page with 403 is a firewall's on the way, which knows nothing of the credential.
		if out.Kind == ErrUpstream && !(e.status == http.StatusForbidden && isPage(body)) {
			out.Kind = KindOf(e.status)
		}
	}
	if e.tooLong() {
		out.Kind = ErrContextLength
	}
	return out
}

// envelope is what was found in an error body.
type envelope struct {
	failure                  bool
	code, message, errorType string
	status                   int
}

func (e *envelope) read(body []byte) {
	r := rawjson.NewReader(body)
	var envelopeCode, succeeded string
	r.Object(func(key []byte) {
		switch string(key) {
		case "error":
			e.readError(&r)
		case "code":
			envelopeCode = scalar(&r)
		case "msg", "message":
			if m := scalar(&r); e.message == "" {
				e.message = m
			}
		case "success":
			succeeded = scalar(&r)
		case "status":
			if n, err := strconv.Atoi(scalar(&r)); err == nil && n >= http.StatusBadRequest && n < 600 {
				e.status = n
			}
		}
	})
	if r.End() != nil {
		e.failure = false
		return
	}
	if e.code == "" {
		e.code = envelopeCode
	}
	// A platform envelope is a failure by its code or its success flag; models'
	// answers have neither.
	if !e.failure && (succeeded == "false" || envelopeCode != "" && envelopeCode != "0" && envelopeCode != "200" && e.message != "") {
		e.failure = true
	}
}

// readError reads the value of an "error" key: an object, or a text. A null is no
// error.
func (e *envelope) readError(r *rawjson.Reader) {
	switch r.Kind() {
	case rawjson.Text:
		e.message, e.failure = r.String().String(), true
	case rawjson.Object:
		e.failure = true
		r.Object(func(key []byte) {
			switch string(key) {
			case "code":
				e.code = scalar(r)
			case "message", "msg":
				e.message = scalar(r)
			case "type":
				e.errorType = scalar(r)
			}
		})
	}
}

// scalar reads a string, number or boolean as text; anything else is "".
func scalar(r *rawjson.Reader) string {
	switch r.Kind() {
	case rawjson.Text:
		return r.String().String()
	case rawjson.Number, rawjson.Bool:
		return string(r.Raw())
	}
	return ""
}

// unwrapBrackets takes "[1308][text][id]" apart.
func (e *envelope) unwrapBrackets() {
	code, rest, ok := strings.Cut(strings.TrimPrefix(e.message, "["), "][")
	if !ok || !strings.HasPrefix(e.message, "[") {
		return
	}
	if _, err := strconv.Atoi(code); err != nil {
		return
	}
	if e.code == "" || !isNumber(e.code) {
		e.code = code
	}
	text := strings.TrimSuffix(rest, "]")
	if i := strings.LastIndex(text, "]["); i > 0 {
		text = text[:i]
	}
	e.message = text
}

// tooLong reports whether the prompt is longer than the model's context: OpenAI has
// a code for it, Anthropic only the words that its message begins with.
func (e *envelope) tooLong() bool {
	const words = "prompt is too long"
	return e.code == "context_length_exceeded" || len(e.message) >= len(words) && strings.EqualFold(e.message[:len(words)], words)
}

func isNumber(s string) bool {
	_, err := strconv.Atoi(s)
	return err == nil
}

// kindOfType maps the error types of the OpenAI and Anthropic references.
func kindOfType(t string) ErrorKind {
	switch t {
	case "invalid_request_error":
		return ErrInvalid
	case "authentication_error", "401":
		return ErrAuthentication
	case "permission_error", "billing_error", "403":
		return ErrPermission
	case "not_found_error", "404":
		return ErrNotFound
	case "request_too_large":
		return ErrTooLarge
	case "rate_limit_error", "rate_limit_exceeded", "insufficient_quota", "429":
		return ErrRateLimit
	case "overloaded_error", "529":
		return ErrOverloaded
	case "timeout_error":
		return ErrTimeout
	}
	return ErrUpstream
}

func isPage(body []byte) bool {
	body = bytes.TrimSpace(body)
	return len(body) > 0 && body[0] == '<'
}

// describe says in words what a body is that holds no error envelope.
func describe(status int, body []byte) string {
	trimmed := bytes.TrimSpace(body)
	prefix := "HTTP " + strconv.Itoa(status)
	if text := http.StatusText(status); text != "" {
		prefix += " " + text
	}
	switch {
	case len(trimmed) == 0:
		return prefix + ", with an empty body"
	case isPage(body):
		return prefix + ", with a web page instead of an answer"
	case trimmed[0] == '{' || trimmed[0] == '[' || !utf8.Valid(trimmed):
		return prefix
	}
	return prefix + ": " + string(trimmed)
}

// clip shortens a message at a rune's end.
func clip(s string) string {
	if len(s) <= maxMessage {
		return s
	}
	cut := maxMessage
	for cut > 0 && !utf8.RuneStart(s[cut]) {
		cut--
	}
	return s[:cut] + "…"
}
