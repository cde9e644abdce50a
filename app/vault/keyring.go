package vault

import (
	"context"
	"errors"
	"time"

	"github.com/zalando/go-keyring"
)

// Keyring is a store of small secrets that the operating system keeps for a person. Each
// vault has one item, under its id.
type Keyring interface {
	// Get returns the item; the error is ErrNoItem if there is none.
	Get(id string) (string, error)
	// Set makes or replaces the item.
	Set(id, text string) error
	// Delete takes the item away.
	Delete(id string) error
}

// ErrNoItem says that a keyring answered, and has no such item.
var ErrNoItem = errors.New("the keyring has no such item")

// service is the name under which a person finds our items in the keyring.
const service = "glmtray"

// systemKeyring is the Secret Service, the macOS Keychain, or the Windows Credential
// Manager.
type systemKeyring struct{ env func(string) string }

// Get implements Keyring.
func (k systemKeyring) Get(id string) (string, error) {
	if err := reachable(k.env); err != nil {
		return "", err
	}
	text, err := keyring.Get(service, id)
	if errors.Is(err, keyring.ErrNotFound) {
		return "", ErrNoItem
	}
	return text, err
}

// Set implements Keyring.
func (k systemKeyring) Set(id, text string) error {
	if err := reachable(k.env); err != nil {
		return err
	}
	return keyring.Set(service, id, text)
}

// Delete implements Keyring.
func (k systemKeyring) Delete(id string) error {
	if err := reachable(k.env); err != nil {
		return err
	}
	return keyring.Delete(service, id)
}

var (
	errNoAnswer = errors.New("the keyring does not answer")
	errBroken   = errors.New("the keyring's answer cannot be understood")
)

// question is a call of the keyring, under way or answered.
type question struct {
	id       string // of the vault whose key is asked for; "" for all other calls
	answered chan struct{}
	text     string // valid once answered is closed, as is err
	err      error
}

// pose calls the keyring. The call ends by itself, or when somebody answers its prompt:
// the library knows no context.
func pose(id string, call func() (string, error)) *question {
	q := &question{id: id, answered: make(chan struct{})}
	go func() {
		defer close(q.answered)
		defer func() {
			// The library does not check what it is sent, and takes a bus that goes away
			// during a prompt for an answer (a nil one). That must not end the program.
			if recover() != nil {
				q.text, q.err = "", errBroken
			}
		}()
		q.text, q.err = call()
	}()
	return q
}

// failed reports whether the question was answered with an error.
func (q *question) failed() bool {
	select {
	case <-q.answered:
		return q.err != nil
	default:
		return false
	}
}

// stored asks the keyring for the key of a vault. While a prompt for it is open no second
// one is shown: this call waits for the same answer, or has the one that came meanwhile.
func (v *Vault) stored(ctx context.Context, id string) (string, error) {
	if v.asked == nil || v.asked.id != id || v.asked.failed() {
		v.asked = pose(id, func() (string, error) { return v.options.Keyring.Get(id) })
	}
	return v.wait(ctx, v.asked)
}

// ask calls the keyring once.
func (v *Vault) ask(ctx context.Context, call func() (string, error)) (string, error) {
	return v.wait(ctx, pose("", call))
}

// wait waits for an answer until its time is over.
func (v *Vault) wait(ctx context.Context, q *question) (string, error) {
	timer := time.NewTimer(v.options.KeyringLimit)
	defer timer.Stop()
	select {
	case <-q.answered:
		return q.text, q.err
	case <-timer.C:
		return "", errNoAnswer
	case <-ctx.Done():
		return "", ctx.Err()
	}
}
