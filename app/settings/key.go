package settings

import (
	"errors"
	"fmt"
	"glmtray/proxy/secret"
	"net/netip"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"
)

// A Kind is what sort of value a key holds.
type Kind string

// The kinds of values. All but Number always have a value; a text may be empty where
// Key.Allowed says so.
const (
	Text    Kind = "text"
	Choice  Kind = "choice"
	Integer Kind = "whole number"
	Number  Kind = "number" // may be unset
	URL     Kind = "address"
	Switch  Kind = "switch" // true or false
)

// A Key is one setting: its place in the file, what it may hold and what it means.
type Key struct {
	Path    string   // as in the file, the levels joined by dots: "server.port"
	Kind    Kind     // what sort of value it holds
	Allowed string   // what it may hold, to follow "must be"
	Choices []string // every allowed value of a Choice, otherwise nil
	Env     []string // environment variables that set it, the strongest first
	Default string   // as it would stand in the file, without quotes; empty for none
	Help    string   // one or two sentences for a person
	Secret  bool     // its value is never shown

	// activeFor is set where Env speaks of "the provider in use": the variables count
	// only while that provider is chosen.
	activeFor string
	// on and off are set where Env are switches; see isSwitch.
	on, off string

	// get returns the value in its one canonical spelling; empty is no value.
	get func(Settings) string
	// put checks a text and assigns it, or returns an error that says what must stand
	// there and never repeats a secret. After an error nothing was assigned.
	put func(*Settings, string) error
}

// env returns k with the environment variables that set it, the strongest first.
func (k Key) env(names ...string) Key {
	k.Env = names
	return k
}

// A slot is where a value lives inside Settings.
type slot[T any] struct {
	get func(Settings) T
	set func(*Settings, T)
}

// field is the slot of a struct field.
func field[T any](at func(*Settings) *T) slot[T] {
	return slot[T]{
		get: func(s Settings) T { return *at(&s) },
		set: func(s *Settings, v T) { *at(s) = v },
	}
}

// ofProvider is the slot of a field of one entry of Settings.Providers.
func ofProvider[T any](name string, at func(*Provider) *T) slot[T] {
	return slot[T]{
		get: func(s Settings) T { p := s.Providers[name]; return *at(&p) },
		set: func(s *Settings, v T) {
			p := s.Providers[name]
			*at(&p) = v
			s.Providers[name] = p
		},
	}
}

func choice(path, help string, at slot[string], choices ...string) Key {
	allowed := orList(choices)
	return Key{
		Path: path, Kind: Choice, Allowed: allowed, Choices: choices, Help: help,
		get: at.get,
		put: func(s *Settings, text string) error {
			if !slices.Contains(choices, text) {
				return fmt.Errorf("%s is not allowed here: must be %s%s",
					quote(text), allowed, didYouMean(nearest(text, choices)))
			}
			at.set(s, text)
			return nil
		},
	}
}

// isSwitch lets the words for on and off stand for two of the choices in variables: those
// of another program that have the same names are switches.
func (k Key) isSwitch(on, off string) Key {
	k.on, k.off = on, off
	return k
}

// switched is the choice that a variable's text stands for.
func (k Key) switched(text string) string {
	if on, ok := switched(text); ok && k.on != "" {
		if on {
			return k.on
		}
		return k.off
	}
	return text
}

func integer(path, help string, at slot[int], low, high int) Key {
	allowed := fmt.Sprintf("a whole number from %d to %d", low, high)
	return Key{
		Path: path, Kind: Integer, Allowed: allowed, Help: help,
		get: func(s Settings) string { return strconv.Itoa(at.get(s)) },
		put: func(s *Settings, text string) error {
			n, err := strconv.Atoi(text)
			if err != nil || n < low || n > high {
				return fmt.Errorf("%s: must be %s", quote(text), allowed)
			}
			at.set(s, n)
			return nil
		},
	}
}

// onOff is a switch.
func onOff(path, help string, at slot[bool]) Key {
	const allowed = "true or false"
	return Key{
		Path: path, Kind: Switch, Allowed: allowed, Help: help,
		get: func(s Settings) string { return strconv.FormatBool(at.get(s)) },
		put: func(s *Settings, text string) error {
			on, err := strconv.ParseBool(strings.ToLower(text))
			if err != nil {
				return fmt.Errorf("%s: must be %s", quote(text), allowed)
			}
			at.set(s, on)
			return nil
		},
	}
}

// number is an optional decimal number: an empty text unsets it.
func number(path, help string, at slot[*float64], low, high float64) Key {
	allowed := fmt.Sprintf("a number from %g to %g", low, high)
	return Key{
		Path: path, Kind: Number, Allowed: allowed, Help: help,
		get: func(s Settings) string {
			if p := at.get(s); p != nil {
				return strconv.FormatFloat(*p, 'f', -1, 64)
			}
			return ""
		},
		put: func(s *Settings, text string) error {
			if text == "" {
				at.set(s, nil)
				return nil
			}
			n, err := strconv.ParseFloat(text, 64)
			// The comparison is written so that NaN fails it.
			if err != nil || !(n >= low && n <= high) {
				return fmt.Errorf("%s: must be %s", quote(text), allowed)
			}
			if n == 0 {
				n = 0 // not -0, whose spelling would differ from what is allowed
			}
			at.set(s, &n)
			return nil
		},
	}
}

// text is a text for which check returns nil. Its error may repeat the text.
func text(path, help, allowed string, at slot[string], check func(string) error) Key {
	return Key{
		Path: path, Kind: Text, Allowed: allowed, Help: help,
		get: at.get,
		put: func(s *Settings, text string) error {
			if err := check(text); err != nil {
				return fmt.Errorf("%w: must be %s", err, allowed)
			}
			at.set(s, text)
			return nil
		},
	}
}

// address is an http or https URL. A base may be empty, and loses its trailing slashes
// because a path is joined to it. The value never stands in an error: a person may have
// written a password into it.
func address(path, help, allowed string, at slot[string], base bool) Key {
	return Key{
		Path: path, Kind: URL, Allowed: allowed, Help: help,
		get: at.get,
		put: func(s *Settings, text string) error {
			if base {
				text = strings.TrimRight(text, "/")
			}
			if text != "" || !base {
				if err := checkURL(text); err != nil {
					return fmt.Errorf("%w: must be %s", err, allowed)
				}
			}
			at.set(s, text)
			return nil
		},
	}
}

// secretText is a credential. Spaces and quotes around it are taken off: they come along
// when a key is pasted.
func secretText(path, help string, at slot[secret.Value]) Key {
	const allowed = "a key: visible ASCII characters without spaces"
	return Key{
		Path: path, Kind: Text, Allowed: allowed, Help: help, Secret: true,
		get: func(s Settings) string { return at.get(s).Reveal() },
		put: func(s *Settings, text string) error {
			text = strings.Trim(text, " \t\r\n\"'")
			if len(text) > maxSecretBytes {
				return fmt.Errorf("is longer than %d bytes: must be %s", maxSecretBytes, allowed)
			}
			if strings.ContainsFunc(text, func(r rune) bool { return r <= ' ' || r > '~' }) {
				return errors.New("contains a character that no header can carry: must be " + allowed)
			}
			at.set(s, secret.New(text))
			return nil
		},
	}
}

// checkHost refuses whatever could not be listened on. An empty host must not pass: it
// would mean every interface.
func checkHost(host string) error {
	if _, err := netip.ParseAddr(host); err == nil {
		return nil
	}
	labels := strings.Split(host, ".")
	for _, label := range labels {
		if label == "" || len(label) > 63 || strings.Trim(label, hostNameChars) != "" {
			return fmt.Errorf("%s is not a host", quote(host))
		}
	}
	if last := labels[len(labels)-1]; strings.Trim(last, "0123456789") == "" || len(host) > 253 {
		return fmt.Errorf("%s is not a host", quote(host)) // a mistyped IPv4 address
	}
	return nil
}

const hostNameChars = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_"

// checkHeaderText refuses what could not stand inside a header value.
func checkHeaderText(v string) error {
	printable := !strings.ContainsFunc(v, func(r rune) bool { return r < ' ' || r > '~' })
	if v == "" || !printable || len(v) > maxTextBytes {
		return errors.New(quote(v))
	}
	return nil
}

// checkName refuses what cannot be an account's name. Empty is allowed: none.
func checkName(v string) error {
	const longest = 64
	if len(v) > longest || !utf8.ValidString(v) || strings.ContainsFunc(v, unicode.IsControl) {
		return errors.New(quote(v))
	}
	return nil
}

// checkModel refuses what cannot be a model's name. Empty is allowed: none.
func checkModel(v string) error {
	const longest = 128
	if len(v) > longest || strings.ContainsFunc(v, func(r rune) bool { return r <= ' ' || r > '~' || r == '=' || r == '*' }) {
		return errors.New(quote(v))
	}
	return nil
}

// checkAliases refuses what are no pairs of names and models.
func checkAliases(v string) error {
	for pair := range strings.FieldsSeq(v) {
		name, model, ok := strings.Cut(pair, "=")
		if !ok || name == "" || model == "" || checkModel(model) != nil || checkModel(strings.ReplaceAll(name, "*", "")) != nil {
			return errors.New(quote(pair))
		}
	}
	if len(v) > maxTextBytes {
		return fmt.Errorf("is longer than %d bytes", maxTextBytes)
	}
	return nil
}

// checkFileName refuses what no file can be called. Empty is allowed: no file.
func checkFileName(v string) error {
	if len(v) > maxTextBytes || !utf8.ValidString(v) || strings.ContainsFunc(v, unicode.IsControl) {
		return errors.New(quote(v))
	}
	return nil
}

func checkURL(v string) error {
	u, err := url.Parse(v)
	switch {
	case len(v) > maxTextBytes:
		return fmt.Errorf("is longer than %d bytes", maxTextBytes)
	case err != nil || checkHeaderText(v) != nil || strings.Contains(v, " "):
		return errors.New("is not an address") // url's own error repeats the value
	case u.Scheme != "http" && u.Scheme != "https":
		return errors.New("does not start with http:// or https://")
	case u.Hostname() == "":
		return errors.New("names no host")
	case u.User != nil:
		return errors.New("contains a user or a password")
	case u.RawQuery != "" || u.ForceQuery || strings.Contains(v, "#"):
		return errors.New("contains a query or a fragment")
	case u.Port() != "" && !validPort(u.Port()):
		return errors.New("has an impossible port")
	}
	return nil
}

func validPort(port string) bool {
	n, err := strconv.Atoi(port)
	return err == nil && n >= 1 && n <= 65535
}
