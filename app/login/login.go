// Package login gets a person's credentials from a provider: it has the person allow it
// in the browser, exchanges what comes back for tokens, and finds or makes the API key
// of the person's coding plan.
//
// There are three ways back from the browser, which [Run] takes as its options say:
//
//   - poll: the provider is asked until the person has allowed it. It needs no redirect,
//     so the browser may be on another machine.
//   - loopback: the browser is redirected to a port of this machine (RFC 8252, §7.3).
//   - paste: the person copies the address at which the browser ended. It is taken in
//     the other flows too.
//
// All addresses are data. What the answers look like is not documented; it was read off
// ZCode's own client by several programs, and every step takes both forms of envelope
// that were seen. Which step failed, and the server's own words, are in [StepError].
//
// The package keeps nothing: credentials are returned, and appear in no error and no
// URL but the provider's own.
package login

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"net/http"
	"time"

	"glmtray/proxy/secret"
)

// Limits of a login.
const (
	// patience is how long the person may take in the browser.
	patience = 5 * time.Minute
	// callLimit bounds one call to a server.
	callLimit = 30 * time.Second
	// maxReply bounds an answer, in bytes.
	maxReply = 1 << 20
	// stateBytes is how much of chance is in the state that comes back.
	stateBytes = 32
)

// KeyName is the name of the API key that a login uses in the person's account, and
// makes if there is none: ZCode's own, so that the two share one.
const KeyName = "zcode-api-key"

// Endpoints are where a provider is logged in to. See settings.OAuth for what each is.
type Endpoints struct {
	// Provider is "zai" or "bigmodel"; it decides about parameters' names.
	Provider         string
	AuthorizeURL     string
	ClientID         string
	TokenURL         string
	PollBase         string // empty: there is no poll flow
	BusinessLoginURL string // empty: there is no such step
	BusinessBase     string
	// AnthropicBase is where the key is proved by a request; empty: it is not proved.
	AnthropicBase string
	// QuotaBase is where the plan is looked up; empty: it is not.
	QuotaBase string
}

// Flow is a way back from the browser.
type Flow string

// The flows. Auto is Poll, and Loopback where the provider has no poll flow.
const (
	Auto     Flow = "auto"
	Loopback Flow = "loopback"
	Poll     Flow = "poll"
	Paste    Flow = "paste"
)

// Step is what a login does at the moment.
type Step string

// The steps.
const (
	StepStart    Step = "start"    // the poll flow is asked for
	StepBrowser  Step = "browser"  // the person is asked
	StepToken    Step = "token"    // the code is exchanged
	StepBusiness Step = "business" // the token is exchanged for one of the key management
	StepCustomer Step = "customer" // organisation and project are looked up
	StepKeys     Step = "keys"     // the key is looked for
	StepCreate   Step = "create"   // the key is made
	StepSecret   Step = "secret"   // the key's secret is asked for
	StepTest     Step = "test"     // the key is tried
	StepRefresh  Step = "refresh"  // the tokens are renewed
)

// Options say how a login goes.
type Options struct {
	Flow Flow
	// Transport carries the requests; nil is http.DefaultTransport.
	Transport http.RoundTripper
	// UserAgent is the program's.
	UserAgent string
	// Open is given the address for the browser, once. It must return soon; that no
	// browser could be opened is its own business, since the login can go on elsewhere.
	Open func(address string)
	// Pasted yields what the person pasted: the address at which the browser ended, or
	// the code alone. Each is answered through Paste.Taken.
	Pasted <-chan PastedText
	// Progress, if set, is told each step as it begins.
	Progress func(Step)
	// Page renders what the browser shows after a loopback redirect; err is nil if the
	// login was allowed. Nil shows a plain sentence.
	Page func(err error) []byte
	// Patience is how long the person may take; 0 is five minutes.
	Patience time.Duration
}

// PastedText is what a person pasted.
type PastedText struct {
	Text string
	// Taken is told nil, or why the text is of no use; the login waits on then.
	Taken func(error)
}

// Tokens are what a provider gives to whom it has let in.
type Tokens struct {
	Access  secret.Value // of the provider
	Refresh secret.Value // usually absent
	JWT     secret.Value // of the start plan's gateway
	UserID  string
	Name    string // of the person, if it was told
}

// Result is what a login got.
type Result struct {
	Tokens
	// Key is the API key, {id}.{secret}; empty if there was none to be had. KeyError
	// says why then. A start plan needs none.
	Key      secret.Value
	KeyError error
	// KeyMade says that the key did not exist before.
	KeyMade bool
	// Proof is what a test request with the key showed.
	Proof Proof
	// Level is the plan as the provider calls it: "lite", "pro", "max"; "" if unknown.
	Level string
}

// StepError says which step of a login failed, in the server's words where it had some.
type StepError struct {
	Step   Step
	Status int    // of HTTP; 0: there was no answer
	Code   string // of the envelope
	Said   string // the server's words
	Err    error  // the cause, where the server said nothing
}

// Error names the step, the server's words and the cause.
func (e *StepError) Error() string {
	text := stepNames[e.Step] + " failed"
	if e.Status != 0 && e.Status != http.StatusOK {
		text += fmt.Sprintf(" with HTTP %d", e.Status)
	}
	if e.Code != "" {
		text += " (code " + e.Code + ")"
	}
	if e.Said != "" {
		text += ": " + e.Said
	}
	if e.Err != nil {
		text += ": " + e.Err.Error()
	}
	return text
}

// Unwrap returns the cause.
func (e *StepError) Unwrap() error { return e.Err }

var stepNames = map[Step]string{
	StepStart: "asking for a login", StepBrowser: "the login in the browser", StepToken: "exchanging the code for tokens",
	StepBusiness: "the business login", StepCustomer: "looking up the organisation", StepKeys: "looking up the API keys",
	StepCreate: "making the API key " + KeyName, StepSecret: "getting the key's secret", StepTest: "trying the key", StepRefresh: "renewing the login",
}

// Why a person's part of a login can fail.
var (
	ErrDenied  = errors.New("it was not allowed in the browser")
	ErrExpired = errors.New("nobody allowed it in time; start the login again")
	ErrState   = errors.New("this answer belongs to another login; use the page that this login opened")
	ErrNoCode  = errors.New("there is no code in it; paste the whole address at which the browser ended")
)

// Run logs a person in. It ends with the end of ctx at the latest. The error is a
// *StepError, or ctx's; with a result that has no key the login has succeeded all the
// same, see Result.KeyError.
func Run(ctx context.Context, e Endpoints, o Options) (Result, error) {
	c := newCaller(e, o)
	if o.Patience <= 0 {
		c.options.Patience = patience
	}
	tokens, err := c.browse(ctx)
	if err != nil {
		return Result{}, err
	}
	result := Result{Tokens: tokens}
	result.Key, result.KeyMade, result.KeyError = c.resolveKey(ctx, tokens.Access)
	if ctx.Err() != nil {
		return Result{}, ctx.Err()
	}
	if result.KeyError != nil && tokens.JWT.Empty() {
		return Result{}, result.KeyError
	}
	if result.KeyError == nil {
		result.Proof, result.Level, err = c.prove(ctx, result.Key)
		if err != nil && (ctx.Err() != nil || tokens.JWT.Empty()) {
			return Result{}, err
		}
		if err != nil { // the token serves the start plan all the same
			result.Key, result.KeyError = secret.Value{}, err
		}
	}
	return result, nil
}

// browse has the person allow the login, and returns the tokens.
func (c *caller) browse(ctx context.Context) (Tokens, error) {
	back, err := c.allowed(ctx)
	if err != nil || back.code == "" {
		return back.tokens, err
	}
	return c.exchange(ctx, back.code, back.redirect) // the person's time is not counted here
}

// outcome is what a login in the browser led to: tokens, or a code to be exchanged.
type outcome struct {
	tokens   Tokens
	code     string
	redirect redirect
}

// allowed waits for the person.
func (c *caller) allowed(ctx context.Context) (outcome, error) {
	ctx, cancel := context.WithTimeoutCause(ctx, c.options.Patience, ErrExpired)
	defer cancel()
	switch flow := c.options.Flow; flow {
	case Poll, Auto, "":
		back, begun, err := c.poll(ctx)
		if !begun && flow != Poll && ctx.Err() == nil {
			return c.redirected(ctx, true)
		}
		return back, err
	default:
		return c.redirected(ctx, flow == Loopback)
	}
}

// stopped is why ctx has ended. Of causes only our own counts: callers look for ctx's
// errors.
func stopped(ctx context.Context) error {
	if errors.Is(context.Cause(ctx), ErrExpired) {
		return ErrExpired
	}
	return ctx.Err()
}

// ended is the error of a login that ctx ended. last is why the provider could not be
// asked whether the person had allowed it; nil if it could.
func ended(ctx context.Context, last *StepError) error {
	err := stopped(ctx)
	if !errors.Is(err, ErrExpired) {
		return err
	}
	failed := &StepError{Step: StepBrowser, Err: err}
	if last != nil {
		failed.Status, failed.Code, failed.Said = last.Status, last.Code, last.Said
		if last.Err != nil {
			failed.Err = fmt.Errorf("%w; %w", last.Err, err)
		}
	}
	return failed
}

// randomHex returns random bytes as hexadecimal digits.
func randomHex(n int) string {
	b := make([]byte, n)
	rand.Read(b) // never fails, by its documentation
	return hex.EncodeToString(b)
}
