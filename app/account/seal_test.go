package account

import (
	"bytes"
	"encoding/json"
	"errors"
	"os"
	"slices"
	"strings"
	"testing"

	"filippo.io/age"

	"glmtray/app/vault"
	"glmtray/proxy/secret"
)

const passphrase = "SECRET passphrase"

// sealed is a file as another machine would export it, but sealed in no time.
func sealed(t *testing.T, document string) []byte {
	t.Helper()
	recipient, err := age.NewScryptRecipient(passphrase)
	if err != nil {
		t.Fatal(err)
	}
	const little = 2
	recipient.SetWorkFactor(little)
	var out bytes.Buffer
	w, err := age.Encrypt(&out, recipient)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := w.Write([]byte(document)); err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return out.Bytes()
}

func sealedAccounts(t *testing.T, accounts ...Account) []byte {
	t.Helper()
	text, err := encode(accounts)
	if err != nil {
		t.Fatal(err)
	}
	return sealed(t, string(text))
}

func TestExportAndImport(t *testing.T) {
	if raced {
		t.Skip("deriving a key as an export does takes half a minute under the race detector")
	}
	t.Parallel()
	from, to := openStore(t, t.TempDir()), openStore(t, t.TempDir())
	one := add(t, from, Account{Name: "one", Provider: "zai", Kind: Login, Key: key(1), JWT: token(1), Access: secret.New("a"), UserID: "u1", Level: "pro"})
	add(t, from, Account{Name: "two", Provider: "zai", Key: key(2)})
	three := add(t, from, Account{Name: "three", Provider: "bigmodel", JWT: token(3)})

	if _, err := from.Export(t.Context(), passphrase, "one", "four"); !errors.Is(err, ErrUnknown) || !strings.Contains(err.Error(), "four") {
		t.Errorf("an account that is not there: %v", err)
	}
	if _, err := from.Export(t.Context(), ""); err == nil {
		t.Error("an empty passphrase is accepted")
	}
	file, err := from.Export(t.Context(), passphrase, "three", "one")
	if err != nil || bytes.Contains(file, []byte("SECRET")) {
		t.Fatalf("%v\n%s", err, file)
	}
	got, err := to.ImportSealed(t.Context(), passphrase, file)
	if err != nil || len(got) != 2 {
		t.Fatalf("%+v, %v", got, err)
	}
	for i, want := range []Account{three.Account, one.Account} { // in the order that was asked for
		if got[i].ID == want.ID || len(got[i].ID) != 16 {
			t.Errorf("the id of %s is %s", want.Name, got[i].ID)
		}
		want.ID = got[i].ID
		if got[i].Account != want || got[i].Replaced || list(t, to)[i] != want {
			t.Errorf("got %+v, want %+v", got[i], want)
		}
	}
}

func TestImportBesideOthers(t *testing.T) {
	t.Parallel()
	s := openStore(t, t.TempDir())
	long := strings.Repeat("长", longestName/3) + "x" // of the longest length
	mine := add(t, s, Account{Name: "mine", Provider: "zai", Kind: Login, Key: key(1), UserID: "u1", Level: "pro"})
	add(t, s, Account{Name: "taken", Provider: "zai", Key: key(2)})
	add(t, s, Account{Name: "taken 2", Provider: "zai", Key: key(3)})
	add(t, s, Account{Name: long, Provider: "zai", Key: key(4)})

	file := sealedAccounts(t,
		Account{Name: "taken", Provider: "zai", Kind: Key, Key: key(5)},
		Account{Name: "taken", Provider: "zai", Kind: Login, Key: key(6), UserID: "u1"}, // that is mine
		Account{Name: long, Provider: "bigmodel", Kind: Key, Key: key(7)},
		Account{Name: "", Provider: "bigmodel", Kind: Key, Key: key(8)},
	)
	got, err := s.ImportSealed(t.Context(), passphrase, file)
	if err != nil {
		t.Fatal(err)
	}
	long2 := strings.Repeat("长", longestName/3-1) + " 2"
	wantNames(t, s, "mine", "taken", "taken 2", long, "taken 3", long2, "Bigmodel")
	for i, want := range []string{"taken 3", "mine", long2, "Bigmodel"} {
		if got[i].Name != want || got[i].Replaced != (want == "mine") {
			t.Errorf("imported %+v, want %s", got[i], want)
		}
	}
	if a := list(t, s)[0]; a.ID != mine.ID || a.Key != key(6) || a.Level != "pro" {
		t.Errorf("mine is %+v", a)
	}
	// The same again makes nothing new.
	if _, err := s.ImportSealed(t.Context(), passphrase, file); err != nil {
		t.Fatal(err)
	}
	wantNames(t, s, "mine", "taken", "taken 2", long, "taken 3", long2, "Bigmodel")
}

func TestImportOfWhatCannotBe(t *testing.T) {
	t.Parallel()
	s := openStore(t, t.TempDir())
	add(t, s, Account{Name: "mine", Provider: "zai", Key: key(1)})
	before, err := os.ReadFile(s.Vault().File())
	if err != nil {
		t.Fatal(err)
	}
	good := Account{Name: "good", Provider: "zai", Key: key(2)}
	file := sealedAccounts(t, good)
	tests := []struct {
		name, passphrase string
		file             []byte
		want             error
	}{
		{"another passphrase", "another", file, vault.ErrPassphrase},
		{"no passphrase", "", file, vault.ErrPassphrase},
		{"cut off", passphrase, file[:len(file)-5], vault.ErrNotSealed},
		{"not sealed", passphrase, []byte(`{"version":1,"accounts":[{"key":"SECRET"}]}`), vault.ErrNotSealed},
		{"empty", passphrase, nil, vault.ErrNotSealed},
		{"newer", passphrase, sealed(t, `{"version":2,"accounts":[{"name":"x","key":"SECRET"}]}`), ErrNewer},
		{"another document", passphrase, sealed(t, `SECRET`), ErrForm},
		{"no document", passphrase, sealed(t, ``), ErrForm},
		{"a bad name, the second", passphrase, sealedAccounts(t, good, Account{Name: "a\x1b[2J", Provider: "zai", Key: key(3)}), ErrName},
		{"no credential, the second", passphrase, sealedAccounts(t, good, Account{Name: "x", Provider: "zai"}), ErrNoCredential},
	}
	for _, test := range tests {
		got, err := s.ImportSealed(t.Context(), test.passphrase, test.file)
		if !errors.Is(err, test.want) || got != nil || strings.Contains(err.Error(), "SECRET") {
			t.Errorf("%s: %+v, %v", test.name, got, err)
		}
	}
	if after, err := os.ReadFile(s.Vault().File()); err != nil || !bytes.Equal(before, after) {
		t.Errorf("the vault was written: %v", err)
	}
}

func TestImportTellsWhatWasKeptAside(t *testing.T) {
	t.Parallel()
	s := openStore(t, t.TempDir())
	add(t, s, Account{Name: "lost", Provider: "zai", Key: key(1)})
	if err := os.WriteFile(s.Vault().File(), []byte("damaged"), 0o600); err != nil {
		t.Fatal(err)
	}
	got, err := s.ImportSealed(t.Context(), passphrase, sealedAccounts(t, Account{Provider: "zai", Key: key(2)}))
	if err != nil || len(got) != 1 || got[0].Aside == "" {
		t.Fatalf("%+v, %v", got, err)
	}
	if aside, err := os.ReadFile(got[0].Aside); err != nil || string(aside) != "damaged" {
		t.Errorf("aside: %q, %v", aside, err)
	}
}

// The vault's document is read by later versions too: its form does not change by accident.
func TestDocumentForm(t *testing.T) {
	t.Parallel()
	text, err := encode([]Account{{
		ID: "i", Name: "n", Provider: "zai", Kind: Login, Key: secret.New("k"), JWT: secret.New("j"), Access: secret.New("a"), Refresh: secret.New("r"), UserID: "u", Level: "pro", Added: noon.UTC(),
	}, {ID: "i2", Name: "n2", Provider: "custom", Kind: Key}})
	if err != nil {
		t.Fatal(err)
	}
	const want = `{"version":1,"accounts":[` +
		`{"id":"i","name":"n","provider":"zai","kind":"login","key":"k","jwt":"j","access":"a","refresh":"r","userID":"u","level":"pro","added":"2026-10-01T04:00:00.987654321Z"},` +
		`{"id":"i2","name":"n2","provider":"custom","kind":"key","added":"0001-01-01T00:00:00Z"}]}`
	if string(text) != want {
		t.Errorf("got %s", text)
	}
	again, err := decode([]byte(strings.Replace(want, `"id":"i"`, `"id":"i","unknown":[1]`, 1)))
	if err != nil || len(again) != 2 || again[0].Refresh.Reveal() != "r" {
		t.Errorf("%+v, %v", again, err)
	}
}

func FuzzDecode(f *testing.F) {
	for _, seed := range []string{`{"version":1,"accounts":[{"id":"i","name":"n","key":"k"}]}`, `{"version":2}`, `{"version":1}`, `null`, `{`, `{"version":1,"accounts":[{"added":"x"}]}`} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		accounts, err := decode(text)
		if err != nil {
			if !errors.Is(err, ErrForm) && !errors.Is(err, ErrNewer) || accounts != nil {
				t.Fatalf("%v, %v", accounts, err)
			}
			return
		}
		out, err := encode(accounts)
		if err != nil {
			t.Fatal(err)
		}
		again, err := decode(out)
		if err != nil || !slices.Equal(again, accounts) || out != nil && !json.Valid(out) {
			t.Fatalf("%v, want %v: %v", again, accounts, err)
		}
	})
}
