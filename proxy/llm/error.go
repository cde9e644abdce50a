package llm

import (
	"fmt"
	"net/http"
	"time"

	"glmtray/proxy/rawjson"
)

// ErrorKind is what sort of failure an Error is. Each dialect has its own word for
// each kind; the kind also gives the HTTP status where an error has none.
type ErrorKind uint8

// The kinds of failures.
const (
	ErrUpstream       ErrorKind = iota // the upstream failed or answered nonsense: 502
	ErrInvalid                         // the request is wrong: 400
	ErrAuthentication                  // no credential, or one that is not accepted: 401
	ErrPermission                      // the credential may not do this: 403
	ErrNotFound                        // no such path or model: 404
	ErrMethod                          // a path that has no such method: 405
	ErrTooLarge                        // the request's body is too large: 413
	ErrContextLength                   // the prompt is longer than the model's context: 400
	ErrRateLimit                       // too many requests for now: 429
	ErrQuota                           // the plan's quota is used up or has ended: 429
	ErrOverloaded                      // the model is overloaded: 529
	ErrTimeout                         // the upstream fell silent: 504
	ErrInternal                        // a fault of this program: 500
	ErrCanceled                        // the client went away: 499
	ErrPolicy                          // content that the provider refuses: 400
)

// String names the kind in a word, for logs.
func (k ErrorKind) String() string {
	return [...]string{
		"upstream", "invalid request", "authentication", "permission", "not found", "method", "too large", "context length",
		"rate limit", "quota", "overloaded", "timeout", "internal", "canceled", "policy",
	}[k]
}

// Error is what any failure becomes before a dialect prints it in its client's own
// shape. Message is for a person: what happened, to whom, what to do next; it holds
// no secret and no content. Err is for the log alone.
type Error struct {
	Kind   ErrorKind
	Status int    // the HTTP status; 0: the one of the kind
	Code   string // the provider's own code, "1308", if it gave one
	// Field is the place in the client's request that an ErrInvalid is about:
	// "messages[3].content".
	Field      string
	Message    string
	RetryAfter time.Duration // 0: not known
	Err        error
}

// Error gives the message, with the cause if there is one.
func (e *Error) Error() string {
	if e.Err != nil {
		return fmt.Sprintf("%s: %v", e.Message, e.Err)
	}
	return e.Message
}

// Unwrap returns the cause.
func (e *Error) Unwrap() error { return e.Err }

// HTTPStatus returns the status with which the error is answered.
func (e *Error) HTTPStatus() int {
	if e.Status != 0 {
		return e.Status
	}
	switch e.Kind {
	case ErrInvalid, ErrContextLength, ErrPolicy:
		return http.StatusBadRequest
	case ErrAuthentication:
		return http.StatusUnauthorized
	case ErrPermission:
		return http.StatusForbidden
	case ErrNotFound:
		return http.StatusNotFound
	case ErrMethod:
		return http.StatusMethodNotAllowed
	case ErrTooLarge:
		return http.StatusRequestEntityTooLarge
	case ErrRateLimit, ErrQuota:
		return http.StatusTooManyRequests
	case ErrOverloaded:
		return StatusOverloaded
	case ErrTimeout:
		return http.StatusGatewayTimeout
	case ErrInternal:
		return http.StatusInternalServerError
	case ErrCanceled:
		return StatusClientClosed
	}
	return http.StatusBadGateway
}

// Statuses that net/http has no name for: Anthropic's for an overloaded model, and
// the one that nginx logs for a client that went away.
const (
	StatusOverloaded   = 529
	StatusClientClosed = 499
)

// KindOf returns the kind of failure that an HTTP status usually stands for.
func KindOf(status int) ErrorKind {
	switch status {
	case http.StatusBadRequest, http.StatusUnprocessableEntity:
		return ErrInvalid
	case http.StatusUnauthorized:
		return ErrAuthentication
	case http.StatusForbidden, http.StatusPaymentRequired:
		return ErrPermission
	case http.StatusNotFound:
		return ErrNotFound
	case http.StatusMethodNotAllowed:
		return ErrMethod
	case http.StatusRequestEntityTooLarge:
		return ErrTooLarge
	case http.StatusTooManyRequests:
		return ErrRateLimit
	case http.StatusServiceUnavailable, StatusOverloaded:
		return ErrOverloaded
	case http.StatusGatewayTimeout, http.StatusRequestTimeout:
		return ErrTimeout
	}
	if status >= 400 && status < 500 {
		return ErrInvalid
	}
	return ErrUpstream
}

// Invalid returns the error for a request that is wrong at a field.
func Invalid(field, format string, args ...any) *Error {
	return &Error{Kind: ErrInvalid, Field: field, Message: fmt.Sprintf(format, args...)}
}

// Malformed returns the error for a request whose body a JSON reader refused, with the
// field at which it did.
func Malformed(body []byte, err error) *Error {
	e, ok := err.(*rawjson.Error)
	if !ok {
		return Invalid("", "the request body: %v", err)
	}
	field := rawjson.Path(body, e.Offset)
	if field == "" {
		return Invalid("", "the request body: %s", e.Msg)
	}
	return Invalid(field, "%s: %s", field, e.Msg)
}
