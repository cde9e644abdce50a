package webchat

import (
	"bytes"
	"strconv"
	"unicode/utf8"

	"glmtray/proxy/llm"
	"glmtray/proxy/rawjson"
)

// failed is the first HTTP status of a failure.
const failed = 400

// siteError is an error as the site writes it: {"code":…,"detail":"…"}, where the code
// is a number or a word.
type siteError struct{ code, detail string }

// readError reads the value of an "error" key. A null and an empty text are none.
func (f *frame) readError(r *rawjson.Reader) {
	switch r.Kind() {
	case rawjson.Text:
		if s := r.String(); !s.Empty() {
			f.failure = &siteError{detail: s.String()}
		}
	case rawjson.Object:
		e := &siteError{}
		r.Object(func(key []byte) {
			switch string(key) {
			case "code":
				e.code = scalar(r)
			case "detail", "message", "msg":
				if text := scalar(r); text != "" {
					e.detail = text
				}
			}
		})
		f.failure = e
	}
}

// scalar reads a string or number as text; anything else is "".
func scalar(r *rawjson.Reader) string {
	switch r.Kind() {
	case rawjson.Text:
		return r.String().String()
	case rawjson.Number:
		return string(r.Raw())
	}
	return ""
}

// ParseError reads the error that a body or a frame's data holds, at the top, in data,
// or in data's data; status is the HTTP status, 0 for a frame. Anything that holds
// none gives nil, unless the status itself is a failure. The code of an error is
// often an HTTP status in a 200 and gives its kind then.
func ParseError(status int, body []byte) *llm.Error {
	if f, err := readFrame(bytes.TrimSpace(body)); err == nil && f.failure != nil {
		return f.failure.at(status)
	}
	if status < failed {
		return nil
	}
	if text := topDetail(body); text != "" {
		return (&siteError{detail: text}).at(status)
	}
	return llm.ParseError(status, body)
}

// topDetail is the text of {"detail":"…"}, with which the site answers where there is
// no chat to answer in, or "".
func topDetail(body []byte) (text string) {
	r := rawjson.NewReader(body)
	r.Object(func(key []byte) {
		if string(key) == "detail" {
			text = scalar(&r)
		}
	})
	if r.End() != nil {
		return ""
	}
	return text
}

// at makes an error of what the site said, with an HTTP status or 0.
func (s *siteError) at(status int) *llm.Error {
	e := &llm.Error{Kind: llm.ErrUpstream, Code: clip(s.code, maxCodeLength), Message: clip(s.detail, maxDetail)}
	if n, err := strconv.Atoi(s.code); err == nil && n >= failed && n < 600 {
		e.Kind = llm.KindOf(n)
	}
	if status >= failed {
		e.Status = status
		if e.Kind == llm.ErrUpstream {
			e.Kind = llm.KindOf(status)
		}
	}
	if e.Message == "" {
		e.Message = "the chat site reported an error and did not say which"
	}
	return e
}

// clip shortens a text at a rune's end.
func clip(s string, most int) string {
	if len(s) <= most {
		return s
	}
	for most > 0 && !utf8.RuneStart(s[most]) {
		most--
	}
	return s[:most] + "…"
}

// failure is an error of an answer itself.
func failure(message string) *llm.Error { return &llm.Error{Kind: llm.ErrUpstream, Message: message} }

func notJSON(data []byte) *llm.Error {
	if len(data) > 0 && data[0] == '<' {
		return failure("the chat site sent a web page instead of an answer")
	}
	return failure("the chat site sent something that is not JSON instead of an answer")
}
