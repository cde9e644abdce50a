package responses

import (
	"bytes"

	"glmtray/proxy/rawjson"
)

// unwrapper takes the text of a custom tool out of the input object of the function
// that stands for it, while that comes in pieces: {"input":"…"}. In the object the
// text is a JSON string, and so it is in the events for the client, so that it is cut
// and not written anew.
//
// A model may stray from the form. What follows the text is ignored, and an object
// that does not begin with it is held back to the end; see odd.
type unwrapper struct {
	state unwrapState
	half  []byte // a literal's first half of a pair of surrogates, still escaped
	text  []byte // JSON text that was not taken yet; with unwrapOdd all of it
	out   rawjson.String
}

type unwrapState uint8

const (
	unwrapSeek   unwrapState = iota // before the text
	unwrapInside                    // in the text
	unwrapAfter                     // behind the text
	unwrapOdd                       // the object has another form
)

func (u *unwrapper) reset() {
	u.state, u.half, u.text = unwrapSeek, u.half[:0], u.text[:0]
}

// take takes a piece of the input and returns a piece of the text, a literal that is
// valid until the next call, or nil.
func (u *unwrapper) take(piece rawjson.String) rawjson.String {
	inner := piece.Inner()
	if len(u.half) > 0 {
		inner = append(u.half, inner...)
		u.half = nil
	}
	if n := len(inner) - halfAtEnd(inner); n < len(inner) {
		inner, u.half = inner[:n], bytes.Clone(inner[n:])
	}
	return u.read(inner)
}

// read reads the inside of a literal of JSON text.
func (u *unwrapper) read(inner []byte) rawjson.String {
	u.text = quoted(inner).AppendTo(u.text)
	if u.state == unwrapSeek {
		n, form := textBegins(u.text)
		switch form {
		case formText:
			u.text = u.text[:copy(u.text, u.text[n:])]
			u.state = unwrapInside
		case formOther:
			u.state = unwrapOdd
		}
	}
	switch u.state {
	case unwrapInside:
		return u.cut(false)
	case unwrapAfter:
		u.text = u.text[:0]
	}
	return nil
}

// cut returns as much of the text as is there. final says that nothing more will
// come.
func (u *unwrapper) cut(final bool) rawjson.String {
	out := append(u.out[:0], '"')
	i := 0
	for i < len(u.text) {
		c := u.text[i]
		if c == '"' {
			u.state = unwrapAfter
			i = len(u.text)
			break
		}
		if c >= ' ' && c != '\\' {
			out = append(out, c)
			i++
			continue
		}
		if c != '\\' { // a bare line end, which models write and JSON does not allow
			out = rawjson.AppendEscaped(out, u.text[i:i+1])
			i++
			continue
		}
		n, valid := escapeLength(u.text[i:])
		if n == 0 {
			if !final {
				break
			}
			valid = false
		}
		if !valid { // a bare backslash
			out = append(out, '\\', '\\')
			i++
			continue
		}
		out = append(out, u.text[i:i+n]...)
		i += n
	}
	u.text = u.text[:copy(u.text, u.text[i:])]
	u.out = append(out, '"')
	if u.out.Empty() {
		return nil
	}
	return u.out
}

// finish returns the rest of the text, and whether the text is whole.
func (u *unwrapper) finish() (rest rawjson.String, whole bool) {
	if len(u.half) > 0 {
		half := u.half
		u.half = nil
		if rest = u.read(half); rest != nil {
			rest = bytes.Clone(rest)
		}
	}
	switch u.state {
	case unwrapAfter:
		return rest, true
	case unwrapInside:
		return rawjson.Join("", rest, u.cut(true)), false
	}
	return odd(u.text)
}

// odd returns the text of an input that is not of the form that was asked for: the
// field input wherever it stands, or the only field, or the whole, if that is no
// JSON at all or an object with more in it.
func odd(input []byte) (text rawjson.String, whole bool) {
	input = bytes.TrimSpace(input)
	if len(input) == 0 || string(input) == "{}" || string(input) == "null" {
		return nil, true
	}
	kind := rawjson.Value(input).Kind()
	if rawjson.Valid(input) != nil {
		isJSON := kind == rawjson.Object || kind == rawjson.Text
		return rawjson.AppendQuote(nil, input), !isJSON
	}
	switch kind {
	case rawjson.Text:
		return rawjson.String(input), true
	case rawjson.Object:
		var named, only rawjson.String
		count := 0
		r := rawjson.NewReader(input)
		r.Object(func(key []byte) {
			count++
			if r.Kind() != rawjson.Text {
				return
			}
			only = r.String()
			if string(key) == "input" {
				named = only
			}
		})
		if named != nil {
			return named, true
		}
		if count == 1 && only != nil {
			return only, true
		}
	}
	return rawjson.AppendQuote(nil, input), true
}

// form is how the beginning of an input looks.
type form uint8

const (
	formUnknown form = iota // there is too little of it
	formText                // {"input":" as it should be
	formOther
)

// textBegins returns where the text begins in the input object.
func textBegins(input []byte) (int, form) {
	i := 0
	for _, token := range []string{"{", `"input"`, ":", `"`} {
		for i < len(input) && bytes.IndexByte([]byte(" \t\r\n"), input[i]) >= 0 {
			i++
		}
		n := min(len(token), len(input)-i)
		if string(input[i:i+n]) != token[:n] {
			return 0, formOther
		}
		if i += n; n < len(token) {
			return 0, formUnknown
		}
	}
	return i, formText
}

// escapeLength returns the length of the escape sequence that s begins with, both
// halves of a pair of surrogates, or 0 if it is not all there yet; and whether it is
// one.
func escapeLength(s []byte) (n int, valid bool) {
	if len(s) < 2 {
		return 0, false
	}
	if s[1] != 'u' {
		return 2, bytes.IndexByte([]byte(`"\/bfnrt`), s[1]) >= 0
	}
	for i := 2; i < 6; i++ {
		if i == len(s) {
			return 0, false
		}
		if !isHex(s[i]) {
			return i, false
		}
	}
	if !isFirstHalf(s[:6]) {
		return 6, true
	}
	for i := 6; i < 12; i++ {
		switch {
		case i == len(s):
			return 0, false
		case i == 6 && s[i] != '\\', i == 7 && s[i] != 'u', i > 7 && !isHex(s[i]):
			return 6, true // a half alone
		}
	}
	return 12, true
}

func isHex(c byte) bool { return c >= '0' && c <= '9' || c|0x20 >= 'a' && c|0x20 <= 'f' }

// isFirstHalf reports whether an escape sequence \uXXXX is the first half of a pair of
// surrogates.
func isFirstHalf(s []byte) bool {
	return len(s) == 6 && s[0] == '\\' && s[1] == 'u' && s[2]|0x20 == 'd' && bytes.IndexByte([]byte("89abAB"), s[3]) >= 0 &&
		isHex(s[4]) && isHex(s[5])
}

// halfAtEnd returns the length of the first half of a pair at the end of the inside
// of a literal, whose other half may be in the next one.
func halfAtEnd(inner []byte) int {
	const size = len(`\ud800`)
	n := len(inner) - size
	if n < 0 || !isFirstHalf(inner[n:]) {
		return 0
	}
	slashes := 0
	for i := n - 1; i >= 0 && inner[i] == '\\'; i-- {
		slashes++
	}
	if slashes%2 == 1 { // the backslash is an escaped one
		return 0
	}
	return size
}
