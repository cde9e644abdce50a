// Package account keeps the accounts that a person has logged in to or added a key for.
// They lie in a sealed vault; see package vault.
//
// Start with [NewStore]. [Store.List] reads the accounts; every change goes through a
// method that rewrites the vault whole or not at all, beside other processes too. Keys of
// the config file and of the environment never come here.
package account

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"glmtray/proxy/secret"
)

// Kind is how an account came here.
type Kind string

// The kinds.
const (
	Login  Kind = "login"  // the person allowed it in the browser
	Key    Kind = "key"    // the person gave a key or a token
	Import Kind = "import" // it was taken over from the ZCode desktop app
)

// The plans that an account may serve; the values of settings.Plan.
const (
	CodingPlan = "coding-plan"
	StartPlan  = "start-plan"
)

// Account is whose plan requests can use. It is a value.
type Account struct {
	ID       string // never changes; not secret
	Name     string // for people; unique
	Provider string // one of the settings.Provider constants
	Kind     Kind
	Key      secret.Value // of the coding plan; may be empty
	JWT      secret.Value // of the start plan; may be empty
	Access   secret.Value // of a login, to find the key anew
	Refresh  secret.Value // of a login; usually absent
	UserID   string       // at the provider, if it is known
	Level    string       // "lite", "pro", "max"; "" if it is not known
	Added    time.Time
}

// Plans are the plans that the account has a credential for.
func (a Account) Plans() []string {
	plans := []string{}
	if !a.Key.Empty() {
		plans = append(plans, CodingPlan)
	}
	if !a.JWT.Empty() {
		plans = append(plans, StartPlan)
	}
	return plans
}

// Credential is what goes upstream for a plan; empty if the account has none.
func (a Account) Credential(plan string) secret.Value {
	if plan == StartPlan {
		return a.JWT
	}
	return a.Key
}

// PlanLike is a plan that the account has a credential for: the one that is asked for if it
// can be, else the first; what is asked for if there is none. The start plan, which costs
// nothing, is never left for one that may.
func (a Account) PlanLike(plan string) string {
	plans := a.Plans()
	if len(plans) == 0 || plan == StartPlan || slices.Contains(plans, plan) {
		return plan
	}
	return plans[0]
}

// Hint is what may be shown of the account's credential.
func (a Account) Hint() string {
	if !a.Key.Empty() {
		return a.Key.Mask()
	}
	return a.JWT.Mask()
}

// Why a key cannot be one. The errors never repeat it.
var (
	ErrNoKey     = errors.New("there is no key")
	ErrKeySpaces = errors.New("the key has spaces or line breaks in it; copy it again, without what stands around it")
	ErrKeyForm   = errors.New("a key of this provider has the form {id}.{secret}, with one dot; copy the whole of it from the dashboard")
	ErrKeyLong   = errors.New("this is too long for a key")
	ErrKeySigns  = errors.New("the key has characters that no key has; copy it again, without what stands around it")
)

// ParseKey reads a key as people paste it: spaces and quotes around it are taken away.
// anyForm accepts what is no {id}.{secret}, for providers of any kind. A token of the
// start plan (a JSON Web Token) is told by its form.
func ParseKey(text string, anyForm bool) (key, jwt secret.Value, err error) {
	const longest = 16 << 10
	around := func(r rune) bool {
		return unicode.IsSpace(r) || strings.ContainsRune("\"'`“”‘’\u200b\ufeff", r)
	}
	text = strings.TrimFunc(text, around)
	for {
		scheme, rest, _ := strings.Cut(text, " ")
		if !strings.EqualFold(scheme, "Bearer") {
			break
		}
		text = strings.TrimFunc(rest, around)
	}
	switch {
	case text == "":
		return key, jwt, ErrNoKey
	case len(text) > longest:
		return key, jwt, ErrKeyLong
	case strings.ContainsFunc(text, unicode.IsSpace):
		return key, jwt, ErrKeySpaces
	case strings.ContainsFunc(text, func(r rune) bool { return r <= ' ' || r > '~' }):
		return key, jwt, ErrKeySigns
	case isJWT(text):
		return key, secret.New(text), nil
	case anyForm:
		return secret.New(text), jwt, nil
	}
	id, rest, ok := strings.Cut(text, ".")
	switch {
	case !ok || id == "" || rest == "" || strings.Contains(rest, "."):
		return key, jwt, ErrKeyForm
	case strings.ContainsAny(text, "\"'`,;:=\\<>(){}[]"): // as in NAME="key" or {"apiKey":"key"}
		return key, jwt, ErrKeySigns
	}
	return secret.New(text), jwt, nil
}

// isJWT reports whether a text has the form of a JSON Web Token (RFC 7519): three parts,
// the first of which is the encoding of an object.
func isJWT(text string) bool {
	parts := strings.Split(text, ".")
	if len(parts) != 3 || parts[1] == "" || parts[2] == "" {
		return false
	}
	header, err := base64.RawURLEncoding.DecodeString(parts[0])
	var object map[string]json.RawMessage
	return err == nil && json.Unmarshal(header, &object) == nil && object != nil
}

// ErrName says that a name cannot be an account's.
var ErrName = errors.New("a name has 1 to 64 bytes and no control characters")

// longestName bounds a name, in bytes.
const longestName = 64

// checkName trims a name and refuses what cannot be one.
func checkName(name string) (string, error) {
	name = strings.TrimSpace(name)
	if name == "" || len(name) > longestName || !utf8.ValidString(name) || strings.ContainsFunc(name, unicode.IsControl) {
		return "", ErrName
	}
	return name, nil
}

// freeName returns a name that no account has: wanted itself, or with a number, for which
// a long one is shortened.
func freeName(accounts []Account, wanted string) string {
	name := wanted
	for n := 2; slices.ContainsFunc(accounts, func(a Account) bool { return a.Name == name }); n++ {
		number := " " + strconv.Itoa(n)
		name = strings.ToValidUTF8(wanted[:min(len(wanted), longestName-len(number))], "") + number
	}
	return name
}

// UserOf is the user whom a token of the start plan names in its claims (user_id or sub),
// "" if it names none. Nobody has checked the token: it is good for telling accounts
// apart, and for nothing else.
func UserOf(jwt secret.Value) string {
	const longest = 128
	parts := strings.Split(jwt.Reveal(), ".")
	if len(parts) != 3 {
		return ""
	}
	text, err := base64.RawURLEncoding.DecodeString(strings.TrimRight(parts[1], "="))
	if err != nil {
		return ""
	}
	var claims struct {
		UserID any `json:"user_id"`
		Sub    any `json:"sub"`
	}
	decoder := json.NewDecoder(bytes.NewReader(text))
	decoder.UseNumber()
	if decoder.Decode(&claims) != nil {
		return ""
	}
	for _, claim := range []any{claims.UserID, claims.Sub} {
		if user := fmt.Sprint(claim); claim != nil && user != "" && len(user) <= longest && !strings.ContainsFunc(user, unicode.IsControl) {
			return user
		}
	}
	return ""
}
