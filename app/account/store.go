package account

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"time"

	"glmtray/app/vault"
	"glmtray/proxy/secret"
)

// version is the one of the document in the vault. One that is higher is refused: what
// it holds would be lost by writing it.
const version = 1

// maxAccounts bounds what a vault is believed to hold.
const maxAccounts = 1000

// Store is the accounts in a vault. Its methods may be called concurrently, and beside
// those of other processes.
type Store struct {
	vault *vault.Vault
	now   func() time.Time
}

// NewStore returns the store in a vault.
func NewStore(v *vault.Vault) *Store { return &Store{v, time.Now} }

// Vault is where the accounts lie.
func (s *Store) Vault() *vault.Vault { return s.vault }

// Why something cannot be done with an account.
var (
	ErrUnknown      = errors.New("there is no account of this name")
	ErrTaken        = errors.New("there is an account of this name already")
	ErrNewer        = errors.New("the accounts were written by a newer version of this program; update it")
	ErrForm         = errors.New("what the vault holds are no accounts")
	ErrFull         = errors.New("there are too many accounts; remove some first")
	ErrNoCredential = errors.New("an account needs a key or a token")
	ErrNewLogin     = errors.New("somebody has logged in to the account meanwhile")
)

// document is what the vault holds.
type document struct {
	Version  int      `json:"version"`
	Accounts []record `json:"accounts"`
}

// record is an account as the vault holds it: the one place, beside a header upstream,
// where secrets are written as they are.
type record struct {
	ID       string    `json:"id"`
	Name     string    `json:"name"`
	Provider string    `json:"provider"`
	Kind     Kind      `json:"kind"`
	Key      string    `json:"key,omitempty"`
	JWT      string    `json:"jwt,omitempty"`
	Access   string    `json:"access,omitempty"`
	Refresh  string    `json:"refresh,omitempty"`
	UserID   string    `json:"userID,omitempty"`
	Level    string    `json:"level,omitempty"`
	Added    time.Time `json:"added"`
}

func (r record) account() Account {
	return Account{
		r.ID, r.Name, r.Provider, r.Kind, secret.New(r.Key), secret.New(r.JWT), secret.New(r.Access), secret.New(r.Refresh), r.UserID, r.Level, r.Added,
	}
}

func recordOf(a Account) record {
	return record{
		a.ID, a.Name, a.Provider, a.Kind, a.Key.Reveal(), a.JWT.Reveal(), a.Access.Reveal(), a.Refresh.Reveal(), a.UserID, a.Level, a.Added,
	}
}

func decode(text []byte) ([]Account, error) {
	if text == nil {
		return nil, nil
	}
	var d document
	if err := json.Unmarshal(text, &d); err != nil {
		return nil, ErrForm // what json says could repeat a secret
	}
	if d.Version > version {
		return nil, ErrNewer
	}
	if d.Version < 1 || len(d.Accounts) > maxAccounts {
		return nil, ErrForm
	}
	var accounts []Account
	for _, r := range d.Accounts {
		accounts = append(accounts, r.account())
	}
	return accounts, nil
}

func encode(accounts []Account) ([]byte, error) {
	if len(accounts) == 0 {
		return nil, nil
	}
	if len(accounts) > maxAccounts {
		return nil, ErrFull // it could not be read again
	}
	d := document{Version: version}
	for _, a := range accounts {
		d.Accounts = append(d.Accounts, recordOf(a))
	}
	return json.Marshal(d)
}

// List returns the accounts in the order in which they were added. The errors are those
// of vault.Load, ErrNewer and ErrForm; with a vault that was restored from its backup the
// accounts come beside the error.
func (s *Store) List(ctx context.Context) ([]Account, error) {
	text, err := s.vault.Load(ctx)
	if text == nil {
		return nil, err
	}
	accounts, failed := decode(text)
	return accounts, errors.Join(err, failed)
}

// change rewrites the accounts. It returns where an unreadable vault was put aside.
func (s *Store) change(ctx context.Context, do func([]Account) ([]Account, error)) (aside string, err error) {
	return s.vault.Update(ctx, func(text []byte) ([]byte, error) {
		accounts, err := decode(text)
		if err != nil {
			return nil, err
		}
		if accounts, err = do(accounts); err != nil {
			return nil, err
		}
		return encode(accounts)
	})
}

// Added is what Add did.
type Added struct {
	Account
	// Replaced says that the account was there: its credentials are new.
	Replaced bool
	// Was is the name that an account had which was there.
	Was string
	// Aside is where a vault was put that could not be read; "" if there was none.
	Aside string
}

// Add puts an account into the vault. One of the same person, or with the same key, gets
// the new credentials; it keeps its id and what is not known anew, and its name unless a
// person gives another. A new account without a name gets one. Errors: ErrTaken for the name of another account, ErrName,
// ErrNoCredential for an account without a credential, ErrFull, and those of List.
func (s *Store) Add(ctx context.Context, a Account) (Added, error) {
	var out Added
	aside, err := s.change(ctx, func(accounts []Account) ([]Account, error) {
		out = Added{Account: a}
		return s.put(accounts, &out)
	})
	out.Aside = aside
	return out, err
}

// put adds or replaces out.Account, and completes it.
func (s *Store) put(accounts []Account, out *Added) ([]Account, error) {
	a := &out.Account
	if a.Key.Empty() && a.JWT.Empty() {
		return nil, ErrNoCredential
	}
	at := slices.IndexFunc(accounts, func(old Account) bool { return same(old, *a) })
	if at >= 0 && a.Kind == Import {
		a.Name = "" // it was made up, and the person knows this account by another
	}
	if a.Name != "" {
		name, err := checkName(a.Name)
		if err != nil {
			return nil, err
		}
		a.Name = name
		if n := slices.IndexFunc(accounts, func(old Account) bool { return old.Name == name }); n >= 0 && n != at {
			return nil, fmt.Errorf("%w: %s", ErrTaken, name)
		}
	}
	a.Added = s.now().UTC().Truncate(time.Second)
	if at < 0 {
		var id [8]byte
		rand.Read(id[:]) // never fails, by its documentation
		a.ID = hex.EncodeToString(id[:])
		if a.Name == "" {
			a.Name = freeName(accounts, nameOf(*a))
		}
		return append(slices.Clone(accounts), *a), nil
	}
	out.Replaced = true
	old := accounts[at]
	a.ID, out.Was = old.ID, old.Name
	a.Name, a.UserID, a.Level = first(a.Name, old.Name), first(a.UserID, old.UserID), first(a.Level, old.Level)
	for _, of := range []struct{ fresh, old *secret.Value }{{&a.Key, &old.Key}, {&a.JWT, &old.JWT}, {&a.Access, &old.Access}, {&a.Refresh, &old.Refresh}} {
		if of.fresh.Empty() {
			*of.fresh = *of.old
		}
	}
	accounts = slices.Clone(accounts)
	accounts[at] = *a
	return accounts, nil
}

// same reports whether two are the account of one person.
func same(x, y Account) bool {
	if x.Provider != y.Provider {
		return false
	}
	return x.UserID != "" && x.UserID == y.UserID || !x.Key.Empty() && x.Key == y.Key || !x.JWT.Empty() && x.JWT == y.JWT
}

// nameOf makes up a name from what is known of an account.
func nameOf(a Account) string {
	switch a.Provider {
	case "zai":
		return "Z.AI"
	case "bigmodel":
		return "Bigmodel"
	case "demo":
		return "Demo"
	}
	return "Custom"
}

// Replace gives the account of an id new credentials; an account that has gone meanwhile
// stays away, and is ErrUnknown. One to which somebody has logged in since a.Added has
// newer ones, and keeps them: ErrNewLogin.
func (s *Store) Replace(ctx context.Context, a Account) error {
	_, err := s.change(ctx, func(accounts []Account) ([]Account, error) {
		at := slices.IndexFunc(accounts, func(old Account) bool { return old.ID == a.ID })
		if at < 0 {
			return nil, ErrUnknown
		}
		if accounts[at].Added.After(a.Added) {
			return nil, ErrNewLogin
		}
		a.Name = accounts[at].Name
		accounts = slices.Clone(accounts)
		accounts[at] = a
		return accounts, nil
	})
	return err
}

// Rename gives an account another name. Errors: ErrUnknown, ErrTaken, ErrName.
func (s *Store) Rename(ctx context.Context, old, name string) error {
	_, err := s.change(ctx, func(accounts []Account) ([]Account, error) {
		name, err := checkName(name)
		if err != nil {
			return nil, err
		}
		at := slices.IndexFunc(accounts, func(a Account) bool { return a.Name == old })
		taken := slices.IndexFunc(accounts, func(a Account) bool { return a.Name == name })
		switch {
		case at < 0:
			return nil, fmt.Errorf("%w: %s", ErrUnknown, old)
		case taken >= 0 && taken != at:
			return nil, fmt.Errorf("%w: %s", ErrTaken, name)
		}
		accounts = slices.Clone(accounts)
		accounts[at].Name = name
		return accounts, nil
	})
	return err
}

// Remove takes an account out of the vault, and with the last one the vault itself and
// its key. The error is ErrUnknown if there is none of that name.
func (s *Store) Remove(ctx context.Context, name string) error {
	_, err := s.change(ctx, func(accounts []Account) ([]Account, error) {
		at := slices.IndexFunc(accounts, func(a Account) bool { return a.Name == name })
		if at < 0 {
			return nil, fmt.Errorf("%w: %s", ErrUnknown, name)
		}
		return slices.Delete(slices.Clone(accounts), at, at+1), nil
	})
	return err
}

// Export seals accounts with a passphrase; no names are all of them. Errors: ErrUnknown,
// and those of List.
func (s *Store) Export(ctx context.Context, passphrase string, names ...string) ([]byte, error) {
	accounts, err := s.List(ctx)
	if err != nil {
		return nil, err
	}
	if len(names) > 0 {
		all := accounts
		accounts = nil
		for _, name := range names {
			at := slices.IndexFunc(all, func(a Account) bool { return a.Name == name })
			if at < 0 {
				return nil, fmt.Errorf("%w: %s", ErrUnknown, name)
			}
			accounts = append(accounts, all[at])
		}
	}
	text, err := encode(accounts)
	if err != nil {
		return nil, err
	}
	if text == nil {
		return nil, errors.New("there are no accounts to export")
	}
	return vault.SealWith(passphrase, text)
}

// ImportSealed adds the accounts of an exported file, all or none, and returns them as
// they are now. One that is here keeps its name; a newcomer whose name is taken gets
// another. Errors: vault.ErrPassphrase, vault.ErrNotSealed, and those of Add.
func (s *Store) ImportSealed(ctx context.Context, passphrase string, sealed []byte) ([]Added, error) {
	text, err := vault.UnsealWith(passphrase, sealed)
	if err != nil {
		return nil, err
	}
	incoming, err := decode(text)
	if err != nil {
		return nil, err
	}
	var out []Added
	aside, err := s.change(ctx, func(accounts []Account) ([]Account, error) {
		out = nil
		for _, a := range incoming {
			added := Added{Account: a}
			if slices.ContainsFunc(accounts, func(old Account) bool { return same(old, a) }) {
				added.Name = ""
			} else if a.Name != "" {
				added.Name = freeName(accounts, a.Name)
			}
			var err error
			if accounts, err = s.put(accounts, &added); err != nil {
				return nil, err
			}
			out = append(out, added)
		}
		return accounts, nil
	})
	if err != nil {
		return nil, err
	}
	for i := range out {
		out[i].Aside = aside
	}
	return out, nil
}
