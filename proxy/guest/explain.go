package guest

import (
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"time"

	"glmtray/proxy/llm"
)

// login is what a person can do where guests are not served.
const login = "log in instead, from the tray or with: glmtray auth login zai"

// What the site wants of guests that this program does not do.
const (
	challenged = "the chat site asks guests for a signature or a captcha of its own page, which this program does not imitate; " + login
	blocked    = "the chat site turns programs away; " + login
)

// Explain rewrites an error of the chat site that no guest can do anything about, so
// that it says why and points to the login: one that asks for a signature or a captcha,
// and one of the firewall before the site, which answers 405 or with a web page. It
// becomes an ErrPermission, which no other token and no other attempt would help.
// What the site said stays as the cause, for the log. Others are left as they are. It
// reports whether it has rewritten the error, which it leaves alone a second time.
func Explain(e *llm.Error) bool {
	message := ""
	switch {
	case e.Message == challenged || e.Message == blocked:
		return false
	case asksProof(e.Status, e.Code) || asksProof(e.Status, e.Message):
		message = challenged
	case e.Status == http.StatusMethodNotAllowed, strings.Contains(e.Message, webPage):
		message = blocked
	default:
		return false
	}
	cause := *e
	*e = llm.Error{Kind: llm.ErrPermission, Status: http.StatusForbidden, Code: e.Code, Message: message, Err: &cause}
	return true
}

// webPage is in the messages about answers that are web pages, of package llm and of
// the relay.
const webPage = "a web page instead of an answer"

// asksProof reports whether what the site says asks for a signature or a captcha. The
// site has no fixed codes for it. The status is 400 or 403, or 0 for an error within a
// stream, or 200.
func asksProof(status int, said string) bool {
	switch status {
	case 0, http.StatusOK, http.StatusBadRequest, http.StatusForbidden:
		said = strings.ToLower(said)
		return strings.Contains(said, "signature") || strings.Contains(said, "captcha")
	}
	return false
}

// explained is the error of a call that failed with a status.
func explained(status int, body []byte) *llm.Error {
	if asksProof(status, string(body)) {
		return &llm.Error{Kind: llm.ErrPermission, Status: http.StatusForbidden, Message: challenged, Err: fmt.Errorf("HTTP %d", status)}
	}
	e := llm.ParseError(status, body)
	if e == nil {
		return &llm.Error{Kind: llm.ErrUpstream, Status: http.StatusBadGateway, Message: "the chat site gave no guest token; " + login, Err: fmt.Errorf("HTTP %d", status)}
	}
	if !Explain(e) {
		e.Message = "the chat site gave no guest token (" + e.Message + "); " + login
	}
	return e
}

// retryAfter reads how many seconds the site wants to be left alone; 0 is not known.
func retryAfter(h http.Header) time.Duration {
	n, err := strconv.Atoi(h.Get("Retry-After"))
	if err != nil || n < 0 || n > int(longestPause/time.Second) {
		return 0
	}
	return time.Duration(n) * time.Second
}
