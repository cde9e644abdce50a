package vault

import (
	"errors"
	"os"
	"strings"
	"testing"
)

// TestNewerVault holds that a vault whose format is newer than this program is left alone:
// it is not damaged, and neither is an older backup in its place nor a new vault.
//
// It failed: the vault of a newer version was said to be damaged, the accounts of its
// backup were used, and the next change, even one that no person had asked for, put it
// aside.
func TestNewerVault(t *testing.T) {
	dir, keys := t.TempDir(), &fakeKeyring{}
	v := newVault(t, dir, keys)
	for _, text := range []string{"before", "now"} { // so that there is a backup
		if _, err := v.Update(t.Context(), func([]byte) ([]byte, error) { return []byte(text), nil }); err != nil {
			t.Fatal(err)
		}
	}
	now, err := os.ReadFile(v.File())
	if err != nil {
		t.Fatal(err)
	}
	for _, line := range []string{"glmtray-vault 2 ", "glmtray-vault 10 x y z "} {
		newer := strings.Replace(string(now), magic, line, 1)
		if err := os.WriteFile(v.File(), []byte(newer), 0o600); err != nil {
			t.Fatal(err)
		}
		for _, v := range []*Vault{v, newVault(t, dir, keys)} {
			if text, err := v.Load(t.Context()); !errors.Is(err, ErrNewer) || text != nil {
				t.Errorf("load: %q %v", text, err)
			}
			aside, err := v.Update(t.Context(), func([]byte) ([]byte, error) { return []byte("mine"), nil })
			if !errors.Is(err, ErrNewer) || aside != "" {
				t.Errorf("update: %q %v", aside, err)
			}
		}
		if kept, err := os.ReadFile(v.File()); err != nil || string(kept) != newer {
			t.Errorf("it was changed: %v", err)
		}
	}
	for _, line := range []string{"glmtray-vault 0 ", "glmtray-vault x ", "glmtray-vault 2", "glmtray-vault -2 ", "glmtray-vaults 2 "} {
		if err := os.WriteFile(v.File(), []byte(line), 0o600); err != nil {
			t.Fatal(err)
		}
		var unreadable *UnreadableError
		if _, err := v.Load(t.Context()); !errors.As(err, &unreadable) || !unreadable.Damaged {
			t.Errorf("%q: %v", line, err)
		}
	}
	if err := os.WriteFile(v.File(), now, 0o600); err != nil {
		t.Fatal(err)
	}
	if text := load(t, v); text != "now" {
		t.Errorf("%q", text)
	}
}
