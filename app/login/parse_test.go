package login

import (
	"encoding/json"
	"errors"
	"net/url"
	"strings"
	"testing"
	"unicode"
	"unicode/utf8"
)

func TestWhatAPersonMayPaste(t *testing.T) {
	t.Parallel()
	const ok = "c0de"
	tests := []struct {
		text string
		code string
		err  error
	}{
		{"zcode://zai-auth/callback?code=c0de&state=st", ok, nil},
		{"zcode://oauth/callback?authCode=c0de&state=st", ok, nil},
		{"http://127.0.0.1:4711/oauth/callback/zai?code=c0de&state=st", ok, nil},
		{"https://zcode.z.ai/login?state=st&code=c0de&scope=x#/fragment", ok, nil},
		{"zcode://oauth/callback?code=other&authCode=c0de&state=st", ok, nil},
		{"zcode://oauth/callback?authCode=&code=c0de&state=st", ok, nil},
		{"zcode://x?code=c%2F0%3Dd+e&state=st", "", ErrNoCode}, // a space
		{"zcode://x?code=c%2F0%3Dd%2Be&state=st", "c/0=d+e", nil},
		{"?code=c0de&state=st", ok, nil},
		{"code=c0de&state=st", ok, nil},
		{"authCode=c0de", ok, nil},
		{"c0de", ok, nil},
		{"  c0de\r\n", ok, nil},
		{`"c0de"`, ok, nil},
		{`' "c0de" '`, ok, nil},
		{"“c0de”", ok, nil},
		{"`c0de`", ok, nil},
		{"\ufeffc0de", ok, nil},
		{"<zcode://zai-auth/callback?code=c0de&state=st>", ok, nil},
		{"\t'zcode://zai-auth/callback?code=c0de&state=st' ", ok, nil},

		{"zcode://zai-auth/callback?code=c0de&state=other", "", ErrState},
		{"zcode://zai-auth/callback?code=c0de", "", ErrState},
		{"code=c0de&state=other", "", ErrState},
		{"zcode://x?error=access_denied&state=other", "", ErrState},
		{"zcode://x?error=access_denied&state=st", "", ErrDenied},
		{"error=access_denied", "", ErrDenied},
		{"https://chat.z.ai/api/oauth/authorize?response_type=code&client_id=x&redirect_uri=zcode%3A%2F%2Fx&state=st", "", ErrNoCode},
		{"zcode://zai-auth/callback", "", ErrNoCode},
		{"what is this?", "", ErrNoCode},
		{"two words", "", ErrNoCode},
		{"a=b", "", ErrNoCode},
		{"", "", ErrNoCode},
		{" \"\" ", "", ErrNoCode},
		{"验证码", "", ErrNoCode},
		{"co\x00de", "", ErrNoCode},
		{"code=c%00de&state=st", "", ErrNoCode},
		{"zcode://x?code=%zz&state=st", "", ErrNoCode},
		{"zcode://x?code=c0de;state=st", "", ErrNoCode},
		{"code=%ff", "", ErrNoCode},
		{strings.Repeat("x", longestPaste+1), "", ErrNoCode},
	}
	for _, test := range tests {
		code, err := redirect{"zcode://x", "st"}.parse(test.text)
		if code != test.code || !errors.Is(err, test.err) {
			t.Errorf("%.80q: %q, %v", test.text, code, err)
		}
	}
	// Where the state is not known any will do.
	if code, err := (redirect{}).parse("zcode://x?code=c0de&state=any"); code != ok || err != nil {
		t.Errorf("no state: %q, %v", code, err)
	}
	var failed *StepError
	if _, err := (redirect{"", "st"}).parse("zcode://x?error=server_error&error_description=not%20now%1b[2J&state=st"); !errors.As(err, &failed) ||
		errors.Is(err, ErrDenied) || err.Error() != stepNames[StepBrowser]+" failed (code server_error): not now[2J" {
		t.Errorf("another error: %v", err)
	}
}

func TestAuthorizeURL(t *testing.T) {
	t.Parallel()
	tests := []struct {
		provider, page string
		want           url.Values
	}{
		{"zai", "https://chat.z.ai/api/oauth/authorize", url.Values{"response_type": {"code"}, "client_id": {"id"}, "redirect_uri": {"http://127.0.0.1:1/x"}, "state": {"st"}}},
		{"bigmodel", "https://bigmodel.cn/login", url.Values{"appId": {"id"}, "redirect": {"http://127.0.0.1:1/x"}, "state": {"st"}}},
		{"bigmodel", "https://bigmodel.cn/login?lang=zh&state=old", url.Values{"lang": {"zh"}, "appId": {"id"}, "redirect": {"http://127.0.0.1:1/x"}, "state": {"st"}}},
	}
	for _, test := range tests {
		c := newCaller(Endpoints{Provider: test.provider, AuthorizeURL: test.page, ClientID: "id"}, Options{})
		got, err := c.authorizeURL(redirect{"http://127.0.0.1:1/x", "st"})
		base, query, _ := strings.Cut(got, "?")
		page, _, _ := strings.Cut(test.page, "?")
		if err != nil || base != page || query != test.want.Encode() {
			t.Errorf("%s: %s, %v", test.page, got, err)
		}
	}
}

func TestStatesAreNotGuessable(t *testing.T) {
	t.Parallel()
	if a, b := randomHex(stateBytes), randomHex(stateBytes); a == b || len(a) != 2*stateBytes {
		t.Errorf("%s, %s", a, b)
	}
}

func FuzzParse(f *testing.F) {
	for _, seed := range []string{
		"zcode://zai-auth/callback?code=c0de&state=st", "code=c0de", "c0de", "'?error=x&state=st'", "a?b?c#d", "?authCode=%41&state=st", "%", "code=%", "\xff",
	} {
		f.Add(seed, "st")
		f.Add(seed, "")
	}
	f.Fuzz(func(t *testing.T, text, state string) {
		r := redirect{"zcode://x", state}
		code, err := r.parse(text)
		if (code == "") == (err == nil) {
			t.Fatalf("%q, %v", code, err)
		}
		if err != nil {
			var failed *StepError
			if !errors.As(err, &failed) && !errors.Is(err, ErrState) && !errors.Is(err, ErrNoCode) {
				t.Fatal(err)
			}
			return
		}
		if !plausible(code) {
			t.Fatalf("%q is a code", code)
		}
		// The address that this came from is taken as well, and of another login it is not.
		address := "zcode://x?" + url.Values{"code": {code}, "state": {state}}.Encode()
		if again, err := r.parse(address); again != code || err != nil {
			t.Fatalf("%s: %q, %v", address, again, err)
		}
		if _, err := (redirect{"", state + "x"}).parse(address); !errors.Is(err, ErrState) {
			t.Fatalf("%s in another login: %v", address, err)
		}
	})
}

func FuzzOpen(f *testing.F) {
	for _, fault := range []string{
		`{"code":0,"msg":"","data":{"token":"t"}}`, `{"code":"200","data":[1]}`, `{"token":"t"}`, `[1,2]`, `{"code":500,"msg":"no"}`, `{"code":{},"data":{}}`,
		`{"success":false}`, `{"error":{"message":"x"}}`, `{"error":"x"}`, `<html>`, ``, `{"code":`, `null`, `"text"`, "\xff\x1b[2J", `{"data":null,"code":null}`,
	} {
		for _, status := range []int{200, 302, 400, 401, 500} {
			f.Add(status, []byte(fault))
		}
	}
	f.Fuzz(func(t *testing.T, status int, text []byte) {
		data, failed := open(StepToken, status, text)
		if (data == nil) == (failed == nil) {
			t.Fatalf("%s, %v", data, failed)
		}
		if failed == nil {
			if !json.Valid(data) || status >= 300 {
				t.Fatalf("HTTP %d: %q", status, data)
			}
			return
		}
		const longest = 500 // bytes
		said := failed.Error()
		if !strings.HasPrefix(said, stepNames[StepToken]) || len(said) > longest || !utf8.ValidString(said) || strings.ContainsFunc(said, unicode.IsControl) {
			t.Fatalf("%q", said)
		}
	})
}
