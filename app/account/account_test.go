package account

import (
	"encoding/base64"
	"errors"
	"strings"
	"testing"

	"glmtray/proxy/secret"
)

// A key and a token of the forms that the providers give.
const (
	goodKey = "0123456789abcdef0123456789abcdef.ABCDEFGHijklmnop"
	goodJWT = "eyJhbGciOiJIUzI1NiIsInR5cCI6IkpXVCJ9.eyJ1c2VyX2lkIjoidTEifQ.c2lnbmF0dXJl-_"
)

func TestParseKey(t *testing.T) {
	t.Parallel()
	jwt := func(header string) string {
		return base64.RawURLEncoding.EncodeToString([]byte(header)) + ".e30.c2ln"
	}
	tests := []struct {
		name, text       string
		key, token, free string // free: the key, where any form is taken
		err, freeErr     error
	}{
		{"a key", goodKey, goodKey, "", goodKey, nil, nil},
		{"spaces", " \t" + goodKey + "\r\n", goodKey, "", goodKey, nil, nil},
		{"double quotes", `"` + goodKey + `"`, goodKey, "", goodKey, nil, nil},
		{"quotes and spaces", " ' " + goodKey + " '\n", goodKey, "", goodKey, nil, nil},
		{"typographic quotes", "“" + goodKey + "”", goodKey, "", goodKey, nil, nil},
		{"marks that cannot be seen", "\ufeff" + goodKey + "\u200b", goodKey, "", goodKey, nil, nil},
		{"a fixed space", "\u00a0" + goodKey + "\u3000", goodKey, "", goodKey, nil, nil},
		{"Bearer", "Bearer " + goodKey, goodKey, "", goodKey, nil, nil},
		{"bearer", "bearer  " + goodKey, goodKey, "", goodKey, nil, nil},
		{"Bearer with quotes", `Bearer "` + goodKey + `"`, goodKey, "", goodKey, nil, nil},
		{"quotes with Bearer", `"Bearer ` + goodKey + `"`, goodKey, "", goodKey, nil, nil},
		{"a token", goodJWT, "", goodJWT, "", nil, nil},
		{"a token behind Bearer", " 'Bearer " + goodJWT + "' ", "", goodJWT, "", nil, nil},
		{"the shortest", "a.b", "a.b", "", "a.b", nil, nil},
		{"of another kind", "sk-abc_def", "", "", "sk-abc_def", ErrKeyForm, nil},

		{"nothing", "", "", "", "", ErrNoKey, ErrNoKey},
		{"spaces alone", " \n ", "", "", "", ErrNoKey, ErrNoKey},
		{"quotes alone", `" "`, "", "", "", ErrNoKey, ErrNoKey},
		{"Bearer and nothing", `Bearer ""`, "", "", "", ErrNoKey, ErrNoKey},
		{"a space inside", goodKey[:10] + " " + goodKey[10:], "", "", "", ErrKeySpaces, ErrKeySpaces},
		{"a line break inside", goodKey[:10] + "\n" + goodKey[10:], "", "", "", ErrKeySpaces, ErrKeySpaces},
		{"a sentence", "my key is " + goodKey, "", "", "", ErrKeySpaces, ErrKeySpaces},
		{"a header", "Authorization: Bearer " + goodKey, "", "", "", ErrKeySpaces, ErrKeySpaces},
		{"a control character", goodKey[:10] + "\x00" + goodKey[10:], "", "", "", ErrKeySigns, ErrKeySigns},
		{"an escape", "\x1b[31m" + goodKey, "", "", "", ErrKeySigns, ErrKeySigns},
		{"other letters", "密钥" + goodKey, "", "", "", ErrKeySigns, ErrKeySigns},
		{"no UTF-8", "\xff" + goodKey, "", "", "", ErrKeySigns, ErrKeySigns},
		{"a mark inside", goodKey[:10] + "\u200b" + goodKey[10:], "", "", "", ErrKeySigns, ErrKeySigns},
		{"too long", strings.Repeat("a", 17<<10) + ".b", "", "", "", ErrKeyLong, ErrKeyLong},
		{"the id alone", goodKey[:32], "", "", goodKey[:32], ErrKeyForm, nil},
		{"the secret alone", goodKey[32:], "", "", goodKey[32:], ErrKeyForm, nil},
		{"no secret", goodKey[:33], "", "", goodKey[:33], ErrKeyForm, nil},
		{"two dots", goodKey + ".x", "", "", goodKey + ".x", ErrKeyForm, nil},
		{"a setting", "ZAI_API_KEY=" + goodKey, "", "", "ZAI_API_KEY=" + goodKey, ErrKeySigns, nil},
		{"a field", `{"apiKey":"` + goodKey + `"}`, "", "", `{"apiKey":"` + goodKey + `"}`, ErrKeySigns, nil},
		{"an address", "https://z.ai/manage-apikey", "", "", "https://z.ai/manage-apikey", ErrKeySigns, nil},
		{"no token: no object", jwt(`"x"`), "", "", jwt(`"x"`), ErrKeyForm, nil},
		{"no token: null", jwt(`null`), "", "", jwt(`null`), ErrKeyForm, nil},
		{"no token: an empty part", "eyJhbGciOiJIUzI1NiJ9..sig", "", "", "eyJhbGciOiJIUzI1NiJ9..sig", ErrKeyForm, nil},
		{"no token: no base64", "eyJ!.e30.sig", "", "", "eyJ!.e30.sig", ErrKeyForm, nil},
	}
	for _, test := range tests {
		key, token, err := ParseKey(test.text, false)
		if key.Reveal() != test.key || token.Reveal() != test.token || !errors.Is(err, test.err) {
			t.Errorf("%s: %q, %q, %v", test.name, key.Reveal(), token.Reveal(), err)
		}
		key, token, err = ParseKey(test.text, true)
		if key.Reveal() != test.free || token.Reveal() != test.token || !errors.Is(err, test.freeErr) {
			t.Errorf("%s, of any form: %q, %q, %v", test.name, key.Reveal(), token.Reveal(), err)
		}
	}
}

func FuzzParseKey(f *testing.F) {
	for _, seed := range []string{goodKey, goodJWT, "Bearer " + goodKey, `"a.b"`, "", "“a.b”", "a b", "\x00", "eyJ.e.e", "bearer bearer a.b", "Bearer  \u00a0"} {
		f.Add(seed, false)
		f.Add(seed, true)
	}
	f.Fuzz(func(t *testing.T, text string, anyForm bool) {
		key, token, err := ParseKey(text, anyForm)
		if err != nil {
			if !key.Empty() || !token.Empty() || len(text) > 8 && strings.Contains(err.Error(), text) {
				t.Fatalf("%v, %v, %v", key, token, err)
			}
			return
		}
		if key.Empty() == token.Empty() {
			t.Fatalf("%q: %v, %v", text, key, token)
		}
		got := key.Reveal() + token.Reveal()
		if !strings.Contains(text, got) || strings.ContainsFunc(got, func(r rune) bool { return r <= ' ' || r > '~' }) {
			t.Fatalf("%q of %q cannot stand in a header", got, text)
		}
		if again, tokenAgain, err := ParseKey(got, anyForm); err != nil || again != key || tokenAgain != token {
			t.Fatalf("%q is not taken again: %v", got, err)
		}
	})
}

func TestUserOf(t *testing.T) {
	claims := func(text string) string {
		return "eyJhbGciOiJIUzI1NiJ9." + base64.RawURLEncoding.EncodeToString([]byte(text)) + ".sig"
	}
	for token, want := range map[string]string{
		goodJWT: "u1", claims(`{"sub":"s1","iat":1}`): "s1", claims(`{"user_id":90071992547409931,"sub":"s"}`): "90071992547409931",
		claims(`{"user_id":"","sub":"s2"}`): "s2", claims(`{}`): "", claims(`[]`): "", claims(`{"user_id":null}`): "",
		claims(`{"user_id":"a\nb"}`): "", claims(`{"sub":"` + strings.Repeat("x", 200) + `"}`): "", "": "", "a.b.c": "", "a.b": "",
	} {
		if got := UserOf(secret.New(token)); got != want {
			t.Errorf("%s: got %q, want %q", token, got, want)
		}
	}
}

func TestPlanLike(t *testing.T) {
	key, jwt := secret.New(goodKey), secret.New(goodJWT)
	for _, tt := range []struct {
		name       string
		account    Account
		asks, want string
	}{
		{"as asked", Account{Key: key, JWT: jwt}, CodingPlan, CodingPlan},
		{"the other as asked", Account{Key: key, JWT: jwt}, StartPlan, StartPlan},
		{"a token alone", Account{JWT: jwt}, CodingPlan, StartPlan},
		{"never to what costs", Account{Key: key}, StartPlan, StartPlan},
		{"no account is needed", Account{Key: key, JWT: jwt}, "guest", CodingPlan},
		{"nothing", Account{}, CodingPlan, CodingPlan},
	} {
		if got := tt.account.PlanLike(tt.asks); got != tt.want {
			t.Errorf("%s: %s, want %s", tt.name, got, tt.want)
		}
	}
}
