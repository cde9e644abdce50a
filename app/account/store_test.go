package account

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"filippo.io/age"

	"glmtray/app/vault"
	"glmtray/proxy/secret"
)

// vaultKey is given by the environment, so that no keyring is asked.
var vaultKey = sync.OnceValues(age.GenerateX25519Identity)

var noon = time.Date(2026, 10, 1, 12, 0, 0, 987654321, time.FixedZone("UTC+8", 8*60*60))

func openStore(t *testing.T, dir string) *Store {
	t.Helper()
	key, err := vaultKey()
	if err != nil {
		t.Fatal(err)
	}
	env := func(name string) string {
		if name == "GLMTRAY_VAULT_KEY" {
			return key.String()
		}
		return ""
	}
	s := NewStore(vault.New(vault.Options{Dir: dir, Env: env}))
	s.now = func() time.Time { return noon }
	return s
}

// key is the n-th of a person's keys, token the n-th of the start plan's.
func key(n int) secret.Value { return secret.New(fmt.Sprintf("%032x.SECRETKEY%07d", n, n)) }
func token(n int) secret.Value {
	return secret.New(fmt.Sprintf("eyJhbGciOiJIUzI1NiJ9.SECRET%d.sig", n))
}

func add(t *testing.T, s *Store, a Account) Added {
	t.Helper()
	added, err := s.Add(t.Context(), a)
	if err != nil {
		t.Fatalf("add %+v: %v", a, err)
	}
	return added
}

func list(t *testing.T, s *Store) []Account {
	t.Helper()
	accounts, err := s.List(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	return accounts
}

func names(accounts []Account) (names []string) {
	for _, a := range accounts {
		names = append(names, a.Name)
	}
	return names
}

func wantNames(t *testing.T, s *Store, want ...string) {
	t.Helper()
	if got := names(list(t, s)); !slices.Equal(got, want) {
		t.Errorf("accounts %q, want %q", got, want)
	}
}

func TestEmptyStore(t *testing.T) {
	t.Parallel()
	s := openStore(t, filepath.Join(t.TempDir(), "not", "made", "yet"))
	wantNames(t, s)
	for name, err := range map[string]error{
		"remove": s.Remove(t.Context(), "x"), "rename": s.Rename(t.Context(), "x", "y"), "replace": s.Replace(t.Context(), Account{ID: "x"}),
	} {
		if !errors.Is(err, ErrUnknown) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if _, err := s.Export(t.Context(), "passphrase"); err == nil {
		t.Error("nothing was exported")
	}
	if _, err := os.Stat(s.Vault().File()); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("there is a vault now: %v", err)
	}
}

func TestAccountsComeBackAsTheyWere(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	s := openStore(t, dir)
	want := Account{
		Name: "Work 工作", Provider: "zai", Kind: Login, Key: key(1), JWT: token(1), Access: secret.New("SECRET-access"), Refresh: secret.New("SECRET-refresh"),
		UserID: "u1", Level: "pro",
	}
	added := add(t, s, want)
	if added.Replaced || added.Aside != "" || len(added.ID) != 16 {
		t.Errorf("added %+v", added)
	}
	want.ID, want.Added = added.ID, time.Date(2026, 10, 1, 4, 0, 0, 0, time.UTC)
	if added.Account != want {
		t.Errorf("added %+v, want %+v", added.Account, want)
	}
	if got := list(t, openStore(t, dir)); len(got) != 1 || got[0] != want {
		t.Errorf("read %+v, want %+v", got, want)
	}
	sealed, err := os.ReadFile(s.Vault().File())
	if err != nil || strings.Contains(string(sealed), "SECRET") || strings.Contains(string(sealed), "Work") {
		t.Errorf("the vault can be read: %v\n%s", err, sealed)
	}
}

func TestPlansAndHints(t *testing.T) {
	t.Parallel()
	tests := []struct {
		a     Account
		plans []string
		hint  string
	}{
		{Account{}, []string{}, ""},
		{Account{Key: key(1), JWT: token(1)}, []string{CodingPlan, StartPlan}, "0000…0001"},
		{Account{Key: key(1)}, []string{CodingPlan}, "0000…0001"},
		{Account{JWT: token(1)}, []string{StartPlan}, "eyJh….sig"},
	}
	for _, test := range tests {
		if got := test.a.Plans(); !slices.Equal(got, test.plans) || got == nil || test.a.Hint() != test.hint {
			t.Errorf("%+v: %v, %s", test.a, got, test.a.Hint())
		}
		if test.a.Credential(CodingPlan) != test.a.Key || test.a.Credential(StartPlan) != test.a.JWT {
			t.Errorf("%+v: other credentials", test.a)
		}
	}
}

func TestAddNames(t *testing.T) {
	t.Parallel()
	s := openStore(t, t.TempDir())
	for n, test := range []struct{ provider, given, want string }{
		{"zai", "", "Z.AI"}, {"zai", "", "Z.AI 2"}, {"bigmodel", "", "Bigmodel"}, {"custom", "", "Custom"}, {"demo", "", "Demo"}, {"zai", "  mine\t", "mine"},
		{"zai", "", "Z.AI 3"}, {"bigmodel", strings.Repeat("x", longestName), strings.Repeat("x", longestName)},
	} {
		if got := add(t, s, Account{Provider: test.provider, Name: test.given, Kind: Key, Key: key(n)}); got.Name != test.want || got.Replaced {
			t.Errorf("%q of %s: %+v", test.given, test.provider, got)
		}
	}
	before := list(t, s)
	for name, want := range map[string]error{
		"mine": ErrTaken, " mine ": ErrTaken, " ": ErrName, "a\nb": ErrName, "a\x1b[2J": ErrName, "\xff": ErrName, strings.Repeat("x", longestName+1): ErrName,
	} {
		if got, err := s.Add(t.Context(), Account{Provider: "zai", Name: name, Key: key(100)}); !errors.Is(err, want) {
			t.Errorf("%q: %+v, %v", name, got, err)
		}
		if err := s.Rename(t.Context(), "Z.AI", name); !errors.Is(err, want) {
			t.Errorf("rename to %q: %v", name, err)
		}
	}
	if _, err := s.Add(t.Context(), Account{Provider: "zai", Access: secret.New("x")}); !errors.Is(err, ErrNoCredential) {
		t.Errorf("without a credential: %v", err)
	}
	if got := list(t, s); !slices.Equal(got, before) {
		t.Errorf("a refused account changed the others: %+v", got)
	}
}

func TestAddTheSameAgain(t *testing.T) {
	t.Parallel()
	old := Account{Name: "mine", Provider: "zai", Kind: Login, Key: key(1), JWT: token(1), Access: secret.New("a1"), Refresh: secret.New("r1"), UserID: "u1", Level: "pro"}
	tests := []struct {
		name string
		add  Account
		want Account // without ID and Added; zero: it is another account
	}{
		{"same person, all new", Account{Provider: "zai", Kind: Login, Key: key(2), JWT: token(2), Access: secret.New("a2"), Refresh: secret.New("r2"), UserID: "u1", Level: "max"},
			Account{Name: "mine", Provider: "zai", Kind: Login, Key: key(2), JWT: token(2), Access: secret.New("a2"), Refresh: secret.New("r2"), UserID: "u1", Level: "max"}},
		{"same person, no key", Account{Provider: "zai", Kind: Login, JWT: token(2), UserID: "u1"},
			Account{Name: "mine", Provider: "zai", Kind: Login, Key: key(1), JWT: token(2), Access: secret.New("a1"), Refresh: secret.New("r1"), UserID: "u1", Level: "pro"}},
		{"same key", Account{Provider: "zai", Kind: Key, Key: key(1)},
			Account{Name: "mine", Provider: "zai", Kind: Key, Key: key(1), JWT: token(1), Access: secret.New("a1"), Refresh: secret.New("r1"), UserID: "u1", Level: "pro"}},
		{"same token", Account{Provider: "zai", Kind: Key, JWT: token(1)},
			Account{Name: "mine", Provider: "zai", Kind: Key, Key: key(1), JWT: token(1), Access: secret.New("a1"), Refresh: secret.New("r1"), UserID: "u1", Level: "pro"}},
		{"another name", Account{Provider: "zai", Kind: Key, Key: key(1), Name: "yours"},
			Account{Name: "yours", Provider: "zai", Kind: Key, Key: key(1), JWT: token(1), Access: secret.New("a1"), Refresh: secret.New("r1"), UserID: "u1", Level: "pro"}},
		{"a made-up name", Account{Provider: "zai", Kind: Import, Key: key(1), Name: "Z.AI (ZCode)"},
			Account{Name: "mine", Provider: "zai", Kind: Import, Key: key(1), JWT: token(1), Access: secret.New("a1"), Refresh: secret.New("r1"), UserID: "u1", Level: "pro"}},
		{"the other provider", Account{Provider: "bigmodel", Kind: Key, Key: key(1), UserID: "u1"}, Account{}},
		{"another person", Account{Provider: "zai", Kind: Key, Key: key(2), UserID: "u2"}, Account{}},
		{"nobody known", Account{Provider: "zai", Kind: Key, Key: key(2)}, Account{}},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			s := openStore(t, t.TempDir())
			other := add(t, s, Account{Name: "other", Provider: "zai", Key: key(9), UserID: "u9"})
			first := add(t, s, old)
			got := add(t, s, test.add)
			accounts := list(t, s)
			if test.want == (Account{}) {
				if got.Replaced || got.ID == first.ID || len(accounts) != 3 || accounts[1] != first.Account {
					t.Errorf("got %+v of %+v", got, accounts)
				}
				return
			}
			test.want.ID, test.want.Added = first.ID, first.Added
			if !got.Replaced || got.Account != test.want || len(accounts) != 2 || accounts[1] != test.want || accounts[0] != other.Account {
				t.Errorf("got %+v, want %+v; all: %+v", got, test.want, accounts)
			}
		})
	}
	t.Run("the name of another", func(t *testing.T) {
		s := openStore(t, t.TempDir())
		add(t, s, Account{Name: "other", Provider: "zai", Key: key(9)})
		first := add(t, s, old)
		if _, err := s.Add(t.Context(), Account{Name: "other", Provider: "zai", Key: key(1), JWT: token(2)}); !errors.Is(err, ErrTaken) {
			t.Error(err)
		}
		if got := list(t, s); got[1] != first.Account {
			t.Errorf("it was changed all the same: %+v", got[1])
		}
	})
}

func TestRenameReplaceRemove(t *testing.T) {
	t.Parallel()
	s := openStore(t, t.TempDir())
	a := add(t, s, Account{Name: "a", Provider: "zai", Key: key(1)})
	b := add(t, s, Account{Name: "b", Provider: "zai", Key: key(2)})
	for _, step := range []struct {
		old, name string
		want      error
	}{{"a", "b", ErrTaken}, {"c", "d", ErrUnknown}, {"a", "a", nil}, {"a", " A ", nil}, {"a", "x", ErrUnknown}} {
		if err := s.Rename(t.Context(), step.old, step.name); !errors.Is(err, step.want) {
			t.Errorf("rename %s to %s: %v", step.old, step.name, err)
		}
	}
	wantNames(t, s, "A", "b")

	fresh := a.Account
	fresh.Key, fresh.JWT = key(3), token(3) // and with the name that it had
	if err := s.Replace(t.Context(), fresh); err != nil {
		t.Fatal(err)
	}
	fresh.Name = "A"
	if got := list(t, s); got[0] != fresh || got[1] != b.Account {
		t.Errorf("replaced: %+v", got)
	}

	if err := s.Remove(t.Context(), "A"); err != nil {
		t.Fatal(err)
	}
	wantNames(t, s, "b")
	if err := s.Replace(t.Context(), fresh); !errors.Is(err, ErrUnknown) {
		t.Errorf("an account that has gone: %v", err)
	}
	if err := s.Remove(t.Context(), "A"); !errors.Is(err, ErrUnknown) {
		t.Errorf("removed twice: %v", err)
	}
	wantNames(t, s, "b")
	if err := s.Remove(t.Context(), "b"); err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(s.Vault().File()); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("the vault is there after its last account: %v", err)
	}
	add(t, s, Account{Provider: "zai", Key: key(1)})
	wantNames(t, s, "Z.AI")
}

func TestDocumentsThatAreNone(t *testing.T) {
	t.Parallel()
	many := make([]record, maxAccounts+1)
	full, err := json.Marshal(document{version, many})
	if err != nil {
		t.Fatal(err)
	}
	tests := []struct {
		document string
		want     error
	}{
		{`{"version":2,"accounts":[],"more":1}`, ErrNewer},
		{`{"version":99}`, ErrNewer},
		{`{"version":0,"accounts":[]}`, ErrForm},
		{`{"version":-1}`, ErrForm},
		{`{}`, ErrForm},
		{`null`, ErrForm},
		{`[]`, ErrForm},
		{`SECRET`, ErrForm},
		{`{"version":1,"accounts":[{"key":"SECRET"`, ErrForm},
		{`{"version":1,"accounts":[{"key":{"SECRET":1}}]}`, ErrForm},
		{string(full), ErrForm},
	}
	for _, test := range tests {
		s := openStore(t, t.TempDir())
		if _, err := s.Vault().Update(t.Context(), func([]byte) ([]byte, error) { return []byte(test.document), nil }); err != nil {
			t.Fatal(err)
		}
		before, err := os.ReadFile(s.Vault().File())
		if err != nil {
			t.Fatal(err)
		}
		_, listErr := s.List(t.Context())
		_, addErr := s.Add(t.Context(), Account{Provider: "zai", Key: key(1)})
		_, exportErr := s.Export(t.Context(), "passphrase")
		for do, err := range map[string]error{
			"list": listErr, "add": addErr, "export": exportErr, "remove": s.Remove(t.Context(), "x"), "rename": s.Rename(t.Context(), "x", "y"),
			"replace": s.Replace(t.Context(), Account{}),
		} {
			if !errors.Is(err, test.want) || strings.Contains(err.Error(), "SECRET") {
				t.Errorf("%.40s: %s: %v", test.document, do, err)
			}
		}
		if after, err := os.ReadFile(s.Vault().File()); err != nil || string(after) != string(before) {
			t.Errorf("%.40s: the vault was written: %v", test.document, err)
		}
	}
}

func TestTooManyAccounts(t *testing.T) {
	t.Parallel()
	s := openStore(t, t.TempDir())
	var all []Account
	for n := range maxAccounts {
		all = append(all, Account{ID: fmt.Sprint(n), Name: fmt.Sprint("n", n), Provider: "zai", Key: key(n)})
	}
	if _, err := s.change(t.Context(), func([]Account) ([]Account, error) { return all, nil }); err != nil {
		t.Fatal(err)
	}
	if _, err := s.Add(t.Context(), Account{Provider: "zai", Key: key(maxAccounts)}); !errors.Is(err, ErrFull) {
		t.Error(err)
	}
	if got := list(t, s); len(got) != maxAccounts {
		t.Errorf("%d accounts", len(got))
	}
}

func TestTwoStoresAtOnce(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	stores := []*Store{openStore(t, dir), openStore(t, dir)}
	const each = 8
	failed := make(chan error)
	for i, s := range stores {
		go func() {
			for n := range each {
				_, err := s.Add(context.WithoutCancel(t.Context()), Account{Name: fmt.Sprintf("%d-%d", i, n), Provider: "zai", Key: key(100*i + n)})
				if err == nil && n%2 == 1 {
					err = s.Remove(context.WithoutCancel(t.Context()), fmt.Sprintf("%d-%d", i, n-1))
				}
				failed <- err
			}
		}()
	}
	for range each * len(stores) {
		if err := <-failed; err != nil {
			t.Error(err)
		}
	}
	got := names(list(t, stores[0]))
	slices.Sort(got)
	if want := []string{"0-1", "0-3", "0-5", "0-7", "1-1", "1-3", "1-5", "1-7"}; !slices.Equal(got, want) {
		t.Errorf("accounts %q, want %q", got, want)
	}
	if err := stores[0].Rename(t.Context(), "1-1", "renamed"); err != nil {
		t.Fatal(err)
	}
	if err := stores[1].Rename(t.Context(), "1-1", "late"); !errors.Is(err, ErrUnknown) {
		t.Errorf("the other store does not see it: %v", err)
	}
}

func TestCancelledAdd(t *testing.T) {
	t.Parallel()
	s := openStore(t, t.TempDir())
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := s.Add(ctx, Account{Provider: "zai", Key: key(1)}); !errors.Is(err, context.Canceled) {
		t.Error(err)
	}
	wantNames(t, s)
}

// A vault that cannot be read is kept aside, and whoever adds to a new one is told.
func TestDamagedVault(t *testing.T) {
	t.Parallel()
	s := openStore(t, t.TempDir())
	add(t, s, Account{Name: "lost", Provider: "zai", Key: key(1)})
	if err := os.WriteFile(s.Vault().File(), []byte("damaged"), 0o600); err != nil {
		t.Fatal(err)
	}
	var unreadable *vault.UnreadableError
	if _, err := s.List(t.Context()); !errors.As(err, &unreadable) {
		t.Errorf("list: %v", err)
	}
	if err := s.Remove(t.Context(), "lost"); !errors.Is(err, ErrUnknown) {
		t.Errorf("remove: %v", err)
	}
	added := add(t, s, Account{Name: "new", Provider: "zai", Key: key(2)})
	aside, err := os.ReadFile(added.Aside)
	if err != nil || string(aside) != "damaged" {
		t.Errorf("aside in %q: %v", added.Aside, err)
	}
	wantNames(t, s, "new")
}
