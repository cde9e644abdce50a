package vault

import (
	"bytes"
	"errors"
	"io"
	"regexp"
	"strconv"
	"strings"
	"testing"

	"filippo.io/age"
	"filippo.io/age/armor"
)

// lowWork seals as the age tool does, with little work; recipient nil is the planted
// passphrase.
func lowWork(t testing.TB, document string, recipient age.Recipient, armored bool) []byte {
	t.Helper()
	if recipient == nil {
		r, err := age.NewScryptRecipient(plantedPassphrase)
		if err != nil {
			t.Fatal(err)
		}
		r.SetWorkFactor(2)
		recipient = r
	}
	var out bytes.Buffer
	text := io.WriteCloser(nopCloser{&out})
	if armored {
		text = armor.NewWriter(&out)
	}
	w, err := age.Encrypt(text, recipient)
	if err != nil {
		t.Fatal(err)
	}
	_, err = io.WriteString(w, document)
	if err = errors.Join(err, w.Close(), text.Close()); err != nil {
		t.Fatal(err)
	}
	return out.Bytes()
}

type nopCloser struct{ io.Writer }

func (nopCloser) Close() error { return nil }

func TestSealWith(t *testing.T) {
	sealed, err := sealWith(plantedPassphrase, []byte(plantedDocument), 2)
	if err != nil {
		t.Fatal(err)
	}
	text := string(sealed)
	if !strings.HasPrefix(text, armor.Header+"\n") || !strings.HasSuffix(text, "\n"+armor.Footer+"\n") || strings.Contains(text, "PLANTED") {
		t.Errorf("sealed text:\n%s", text)
	}
	got, err := UnsealWith(plantedPassphrase, sealed)
	if err != nil || string(got) != plantedDocument {
		t.Errorf("%q, %v", got, err)
	}
}

// What is exported costs the work that it should, and can be imported all the same.
func TestSealWithWork(t *testing.T) {
	if raced {
		t.Skip("the derivation takes ten times as long with -race, and is not ours")
	}
	sealed, err := SealWith(plantedPassphrase, []byte(plantedDocument))
	if err != nil {
		t.Fatal(err)
	}
	inner, err := io.ReadAll(armor.NewReader(bytes.NewReader(sealed)))
	if err != nil {
		t.Fatal(err)
	}
	if asked := work.FindSubmatch(inner); asked == nil || string(asked[1]) != strconv.Itoa(exportWork) {
		t.Errorf("work %q", asked)
	}
	if got, err := UnsealWith(plantedPassphrase, sealed); err != nil || string(got) != plantedDocument {
		t.Errorf("%q, %v", got, err)
	}
}

func TestSealWithRefuses(t *testing.T) {
	if _, err := SealWith("", []byte(plantedDocument)); err == nil {
		t.Error("sealed without a passphrase")
	} else {
		silent(t, err)
	}
	if _, err := SealWith(plantedPassphrase, make([]byte, maxBytes+1)); !errors.Is(err, errTooLarge) {
		t.Errorf("too large: %v", err)
	}
}

func TestUnsealWith(t *testing.T) {
	binary, armored := lowWork(t, plantedDocument, nil, false), lowWork(t, plantedDocument, nil, true)
	toKey := lowWork(t, plantedDocument, newIdentity(t).Recipient(), true)
	tooLarge := lowWork(t, strings.Repeat("x", maxBytes+1), nil, false)
	tooMuch := regexp.MustCompile(`(?m)^(-> scrypt \S+) \d+$`).ReplaceAll(binary, []byte("$1 21"))
	for _, c := range []struct {
		name, passphrase string
		sealed           []byte
		want             error
	}{
		{"armored", plantedPassphrase, armored, nil},
		{"binary", plantedPassphrase, binary, nil},
		{"spaces around", plantedPassphrase, []byte("\n\n  " + string(armored) + "\n \n"), nil},
		{"from Windows", plantedPassphrase, bytes.ReplaceAll(armored, []byte("\n"), []byte("\r\n")), nil},
		{"wrong passphrase", plantedPassphrase + "!", armored, ErrPassphrase},
		{"wrong passphrase, binary", "PLANTED", binary, ErrPassphrase},
		{"no passphrase", "", armored, ErrPassphrase},
		{"sealed to a key", plantedPassphrase, toKey, ErrNotSealed},
		{"empty", plantedPassphrase, nil, ErrNotSealed},
		{"text", plantedPassphrase, []byte(plantedDocument), ErrNotSealed},
		{"armor's first line", plantedPassphrase, []byte(armor.Header + "\n"), ErrNotSealed},
		{"cut", plantedPassphrase, armored[:len(armored)/2], ErrNotSealed},
		{"cut, binary", plantedPassphrase, binary[:len(binary)-1], ErrNotSealed},
		{"changed", plantedPassphrase, flip(binary, len(binary)-1), ErrNotSealed},
		{"too large", plantedPassphrase, tooLarge, ErrNotSealed},
		{"asks for too much work", plantedPassphrase, tooMuch, ErrNotSealed},
	} {
		t.Run(c.name, func(t *testing.T) {
			got, err := UnsealWith(c.passphrase, c.sealed)
			if !errors.Is(err, c.want) || c.want == nil && string(got) != plantedDocument || c.want != nil && got != nil {
				t.Errorf("%d bytes, %v; want %v", len(got), err, c.want)
			}
			silent(t, err)
		})
	}
}

// work is what an age file asks for.
var work = regexp.MustCompile(`(?m)^-> scrypt \S+ ([0-9]+)$`)

// cheap reports whether a file can be tried thousands of times.
func cheap(sealed []byte) bool {
	if bytes.Contains(sealed, []byte(armor.Header)) {
		if inner, _ := io.ReadAll(armor.NewReader(bytes.NewReader(bytes.TrimSpace(sealed)))); inner != nil {
			sealed = inner
		}
	}
	for _, asked := range work.FindAllSubmatch(sealed, -1) {
		if n, err := strconv.Atoi(string(asked[1])); err != nil || n > 8 {
			return false
		}
	}
	return true
}

// FuzzUnsealWith: whatever is imported, the answer is the document or one of the two
// errors.
func FuzzUnsealWith(f *testing.F) {
	for _, armored := range []bool{true, false} {
		good := lowWork(f, "document", nil, armored)
		f.Add(plantedPassphrase, good)
		f.Add("other", good)
		f.Add(plantedPassphrase, good[:len(good)-3])
		f.Add(plantedPassphrase, flip(good, len(good)/2))
	}
	f.Add("", []byte{})
	f.Fuzz(func(t *testing.T, passphrase string, sealed []byte) {
		if !cheap(sealed) {
			t.Skip("asks for much work")
		}
		document, err := UnsealWith(passphrase, sealed)
		if err != nil && (document != nil || err != ErrPassphrase && err != ErrNotSealed) {
			t.Errorf("%q, %v", document, err)
		}
	})
}
