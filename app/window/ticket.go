package window

import (
	"crypto/rand"
	"crypto/subtle"
	"encoding/hex"
	"slices"
	"time"
)

const (
	secretBytes = 32
	// ticketLife is how long a link works: a browser may be slow to start.
	ticketLife = 2 * time.Minute
	// maxTickets bounds the links that nobody has followed yet.
	maxTickets = 100
)

// newSecret returns what nobody can guess, in hexadecimal.
func newSecret() string {
	secret := make([]byte, secretBytes)
	rand.Read(secret) // it fills the whole slice or ends the program
	return hex.EncodeToString(secret)
}

// same compares secrets in a time that does not tell where they differ.
func same(a, b string) bool { return subtle.ConstantTimeCompare([]byte(a), []byte(b)) == 1 }

// tickets are the links that still work, the oldest first. The zero value has none.
type tickets []ticket

type ticket struct {
	secret string
	until  time.Time
}

// issue returns a new ticket. The oldest one makes room for it.
func (t *tickets) issue(now time.Time) string {
	t.expire(now)
	if n := len(*t) - maxTickets + 1; n > 0 {
		*t = slices.Delete(*t, 0, n)
	}
	one := ticket{newSecret(), now.Add(ticketLife)}
	*t = append(*t, one)
	return one.secret
}

// redeem takes a ticket out of force, and reports whether it was a good one.
func (t *tickets) redeem(secret string, now time.Time) bool {
	t.expire(now)
	found := -1
	for i, one := range *t {
		if same(one.secret, secret) {
			found = i
		}
	}
	if found < 0 {
		return false
	}
	*t = slices.Delete(*t, found, found+1)
	return true
}

func (t *tickets) expire(now time.Time) {
	*t = slices.DeleteFunc(*t, func(one ticket) bool { return now.After(one.until) })
}
