package webchat

import (
	"bytes"
	"unicode/utf8"
)

// told is what was told of the thinking, or of the answer. text is what the site says
// by now as far as it was told; of it the first agreed bytes are what the site still
// says: it may have taken back the rest, and say it again. What really was told may
// differ where the site has changed its mind, and cannot be changed any more.
type told struct {
	text   []byte
	agreed int
}

// grow takes a piece that follows what the site said, and returns what is new in it.
func (t *told) grow(piece []byte) []byte {
	n := common(t.text[t.agreed:], piece)
	t.agreed += n
	if piece = piece[n:]; len(piece) > 0 {
		t.text = append(t.text[:t.agreed], piece...)
		t.agreed = len(t.text)
	}
	return piece
}

// turn takes the whole of what the site says now, and returns what is new at its end.
func (t *told) turn(whole []byte) []byte {
	n := common(t.text, whole)
	if n == len(whole) { // it has only taken something back
		t.agreed = n
		return nil
	}
	more := behind(t.text[n:], whole[n:])
	t.text, t.agreed = whole, len(whole)
	return more
}

// behind returns what of a text follows another one in whose place it stands: behind
// the end that both have, if they share a piece that is long enough to be no
// coincidence, else behind as many characters as the old text has.
func behind(old, now []byte) []byte {
	const enough = 4 // bytes
	end := old[max(0, len(old)-maxOverlap):]
	for len(end) > 0 && !utf8.RuneStart(end[0]) {
		end = end[1:]
	}
	for i := 0; len(end)-i >= enough; i++ {
		if at := bytes.Index(now, end[i:]); at >= 0 && utf8.RuneStart(end[i]) {
			return now[at+len(end)-i:]
		}
	}
	for len(old) > 0 && len(now) > 0 {
		_, n := utf8.DecodeRune(old)
		_, m := utf8.DecodeRune(now)
		old, now = old[n:], now[m:]
	}
	return now
}

// common returns the length of the longest text of whole characters with which both
// begin.
func common(a, b []byte) int {
	n := 0
	for n < len(a) && n < len(b) && a[n] == b[n] {
		n++
	}
	for n > 0 && (n < len(a) && !utf8.RuneStart(a[n]) || n < len(b) && !utf8.RuneStart(b[n])) {
		n--
	}
	return n
}
