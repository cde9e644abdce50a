package rawjson

import (
	"encoding/binary"
	"math/bits"
	"unicode/utf8"
)

// key reads the string at pos and returns it unquoted; without escapes, which is
// nearly always, that is a slice of the document.
func (r *Reader) key() []byte {
	begin := r.pos
	end, escaped := r.stringEnd(begin)
	if end < 0 {
		return nil
	}
	r.pos = end
	if escaped {
		return String(r.data[begin:end]).AppendTo(nil)
	}
	return r.data[begin+1 : end-1]
}

// skipSpace returns where the white space at i ends. Most documents have none.
func skipSpace(data []byte, i int) int {
	if i < len(data) && data[i] > ' ' {
		return i
	}
	return skipRun(data, i)
}

func skipRun(data []byte, i int) int {
	for i < len(data) {
		switch data[i] {
		case ' ', '\t', '\n', '\r':
			i++
		default:
			return i
		}
	}
	return i
}

const (
	ones  = 0x0101010101010101
	highs = 0x8080808080808080
)

// special marks the bytes of a word that a JSON string may not hold as they stand,
// or that are not ASCII, by their high bit: a quote, a backslash, a control
// character. With their second bit turned over a quote is right above the control
// characters, and no other byte is.
func special(w uint64) uint64 {
	low, slash := w^(2*ones), w^('\\'*ones)
	return ((low - '!'*ones) | (slash - ones) | w) & highs
}

// plain returns the length of the longest prefix of s that a JSON string may hold
// as it stands and that is ASCII.
func plain(s []byte) int {
	i := 0
	for ; i+8 <= len(s); i += 8 {
		if hit := special(binary.LittleEndian.Uint64(s[i:])); hit != 0 {
			return i + bits.TrailingZeros64(hit)/8
		}
	}
	for ; i < len(s); i++ {
		if c := s[i]; c == '"' || c == '\\' || c < ' ' || c >= utf8.RuneSelf {
			break
		}
	}
	return i
}

// scanString reads the string literal whose quote is at pos.
func (r *Reader) scanString() []byte {
	begin := r.pos
	end, _ := r.stringEnd(begin)
	if end < 0 {
		return nil
	}
	r.pos = end
	return r.data[begin:end:end]
}

// stringEnd returns where the string literal whose quote is at begin ends, and
// whether there are escapes in it; -1 after a failure. Request bodies are mostly
// such text, so it looks at eight bytes at a time.
func (r *Reader) stringEnd(begin int) (end int, escaped bool) {
	data, i := r.data, begin+1
	for {
		for i+8 <= len(data) {
			hit := special(binary.LittleEndian.Uint64(data[i:]))
			if hit != 0 {
				i += bits.TrailingZeros64(hit) / 8
				break
			}
			i += 8
		}
		if i >= len(data) {
			r.Fail(begin, "unterminated string")
			return -1, escaped
		}
		switch c := data[i]; {
		case c == '"':
			return i + 1, escaped
		case c == '\\':
			escaped = true
			// Escapes come in rows: the end of a line and the next one's indent.
			for i+1 < len(data) && data[i] == '\\' && shortEscape[data[i+1]] {
				i += 2
			}
			if i < len(data) && data[i] == '\\' {
				n := r.escape(i)
				if n == 0 {
					return -1, escaped
				}
				i += n
			}
		case c >= utf8.RuneSelf:
			n := runes(data[i:])
			if n == 0 {
				r.Fail(i, "invalid UTF-8 in a string")
				return -1, escaped
			}
			i += n
		case c < ' ':
			r.Fail(i, "control character %#02x in a string", c)
			return -1, escaped
		default: // among the last seven bytes of the document
			i++
		}
	}
}

// shortEscape has the characters that make an escape sequence of two.
var shortEscape = [256]bool{'"': true, '\\': true, '/': true, 'b': true, 'f': true, 'n': true, 'r': true, 't': true}

// runes returns the length of the valid UTF-8 that is not ASCII at the start of s.
// Three bytes, as Chinese has them, are checked here; the rest is left to utf8.
func runes(s []byte) int {
	i := 0
	for i < len(s) && s[i] >= utf8.RuneSelf {
		if c := s[i]; c > 0xe0 && c < 0xed && i+2 < len(s) && s[i+1]&0xc0 == 0x80 && s[i+2]&0xc0 == 0x80 {
			i += 3
			continue
		}
		c, n := utf8.DecodeRune(s[i:])
		if c == utf8.RuneError && n == 1 {
			return i
		}
		i += n
	}
	return i
}

// escape checks an escape sequence at i that is not a short one, and returns its
// length, or 0.
func (r *Reader) escape(i int) int {
	if i+1 < len(r.data) && r.data[i+1] == 'u' {
		return r.unicodeEscape(i)
	}
	r.Fail(i, "invalid escape in a string")
	return 0
}

// unicodeEscape checks \uXXXX at i, and the second half of a surrogate pair.
func (r *Reader) unicodeEscape(i int) int {
	c, ok := hex4(r.data, i+2)
	if !ok {
		r.Fail(i, "invalid escape in a string")
		return 0
	}
	if c < 0xd800 || c > 0xdfff {
		return 6
	}
	if c < 0xdc00 && i+7 < len(r.data) && r.data[i+6] == '\\' && r.data[i+7] == 'u' {
		if low, ok := hex4(r.data, i+8); ok && low >= 0xdc00 && low <= 0xdfff {
			return 12
		}
	}
	if r.repair {
		copy(r.data[i:], `\ufffd`)
	}
	return 6
}

// hex4 reads four hexadecimal digits at i.
func hex4(s []byte, i int) (rune, bool) {
	if i+4 > len(s) {
		return 0, false
	}
	var v rune
	for _, c := range s[i : i+4] {
		switch {
		case c >= '0' && c <= '9':
			v = v<<4 | rune(c-'0')
		case c >= 'a' && c <= 'f':
			v = v<<4 | rune(c-'a'+10)
		case c >= 'A' && c <= 'F':
			v = v<<4 | rune(c-'A'+10)
		default:
			return 0, false
		}
	}
	return v, true
}

// scanNumber reads the number at pos.
func (r *Reader) scanNumber() []byte {
	begin, i := r.pos, r.pos
	if r.data[i] == '-' {
		i++
	}
	switch n := digits(r.data[i:]); {
	case n == 0, n > 1 && r.data[i] == '0':
		r.Fail(begin, "invalid number")
		return nil
	default:
		i += n
	}
	if i < len(r.data) && r.data[i] == '.' {
		n := digits(r.data[i+1:])
		if n == 0 {
			r.Fail(begin, "invalid number")
			return nil
		}
		i += 1 + n
	}
	if i < len(r.data) && (r.data[i] == 'e' || r.data[i] == 'E') {
		i++
		if i < len(r.data) && (r.data[i] == '+' || r.data[i] == '-') {
			i++
		}
		n := digits(r.data[i:])
		if n == 0 {
			r.Fail(begin, "invalid number")
			return nil
		}
		i += n
	}
	r.pos = i
	return r.data[begin:i]
}

func digits(s []byte) int {
	for i, c := range s {
		if c < '0' || c > '9' {
			return i
		}
	}
	return len(s)
}
