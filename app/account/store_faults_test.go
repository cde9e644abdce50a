package account

import (
	"errors"
	"testing"
	"time"

	"glmtray/proxy/secret"
)

// TestReplaceAfterALogin holds that credentials which were renewed in the background do
// not take the place of those of a login that ended meanwhile.
//
// It failed: a renewal that hung in its calls wrote the account back as it had been when
// it began, and the token of the login was lost.
func TestReplaceAfterALogin(t *testing.T) {
	t.Parallel()
	s := openStore(t, t.TempDir())
	renewed := add(t, s, Account{Name: "a", Provider: "zai", Kind: Login, Key: key(1), JWT: token(1), UserID: "u1"}).Account
	s.now = func() time.Time { return noon.Add(time.Minute) }
	fresh := add(t, s, Account{Provider: "zai", Kind: Login, Key: key(2), JWT: token(2), Refresh: secret.New("r2"), UserID: "u1"}).Account
	renewed.Key = key(3)
	if err := s.Replace(t.Context(), renewed); !errors.Is(err, ErrNewLogin) {
		t.Errorf("the renewal of before: %v", err)
	}
	if got := list(t, s); len(got) != 1 || got[0] != fresh {
		t.Errorf("%+v, want %+v", got, fresh)
	}
	fresh.Key = key(4)
	if err := s.Replace(t.Context(), fresh); err != nil || list(t, s)[0] != fresh {
		t.Errorf("a renewal since: %v", err)
	}
}

// TestNameBefore holds that whoever adds an account again under another name is told the
// name that it had: the settings may use it alone by that name.
func TestNameBefore(t *testing.T) {
	t.Parallel()
	s := openStore(t, t.TempDir())
	if got := add(t, s, Account{Name: "old", Provider: "zai", Key: key(1)}); got.Was != "" {
		t.Errorf("a new account was called %q", got.Was)
	}
	if got := add(t, s, Account{Name: "new", Provider: "zai", Key: key(1)}); got.Was != "old" || got.Name != "new" || !got.Replaced {
		t.Errorf("%+v", got)
	}
}
