package account

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"testing"

	"glmtray/proxy/secret"
)

// app is a made-up home of the ZCode app.
type app struct {
	t *testing.T
	ZCode
}

func newApp(t *testing.T) *app {
	t.Parallel()
	home := t.TempDir()
	a := &app{t, ZCode{Dir: filepath.Join(home, ".zcode"), Home: home, User: "li"}}
	if err := os.MkdirAll(filepath.Join(a.Dir, "v2"), 0o700); err != nil {
		t.Fatal(err)
	}
	return a
}

// put writes a file of the app.
func (a *app) put(name, text string) {
	a.t.Helper()
	if err := os.WriteFile(filepath.Join(a.Dir, "v2", name), []byte(text), 0o600); err != nil {
		a.t.Fatal(err)
	}
}

// store writes the stored tokens, encrypted as the app does it.
func (a *app) store(passphrase string, tokens map[string]string) {
	a.t.Helper()
	stored := map[string]any{"schema": 1}
	for name, token := range tokens {
		stored[name] = a.encrypt(passphrase, token)
	}
	text, err := json.Marshal(stored)
	if err != nil {
		a.t.Fatal(err)
	}
	a.put("credentials.json", string(text))
}

func (a *app) encrypt(passphrase, plain string) string {
	a.t.Helper()
	sum := sha256.Sum256([]byte(passphrase))
	block, err := aes.NewCipher(sum[:])
	if err != nil {
		a.t.Fatal(err)
	}
	gcm, err := cipher.NewGCM(block)
	if err != nil {
		a.t.Fatal(err)
	}
	iv := make([]byte, gcm.NonceSize())
	rand.Read(iv) // never fails, by its documentation
	out := gcm.Seal(nil, iv, []byte(plain), nil)
	text, tag := out[:len(plain)], out[len(plain):]
	b64 := base64.RawURLEncoding.EncodeToString
	return "enc:v1:" + b64(iv) + "." + b64(tag) + "." + b64(text)
}

// fallback is what the app encrypts with by itself.
func (a *app) fallback() string {
	platform := map[string]string{"windows": "win32"}[runtime.GOOS]
	if platform == "" {
		platform = runtime.GOOS
	}
	return "zcode-credential-fallback:" + platform + ":" + a.Home + ":li"
}

// accounts reads the home, and checks that nothing in it changed and that no note has a
// secret in it.
func (a *app) accounts() ([]Account, string, error) {
	a.t.Helper()
	before := a.snapshot()
	got, notes, err := a.Accounts()
	if after := a.snapshot(); !slices.Equal(before, after) {
		a.t.Errorf("the home was changed: %v, before: %v", after, before)
	}
	text := strings.Join(notes, "\n")
	if err != nil {
		text += err.Error()
	}
	if strings.Contains(text, "SECRET") {
		a.t.Errorf("a secret is told: %s", text)
	}
	return got, strings.Join(notes, "\n"), err
}

// snapshot is all that can be seen of the home from outside.
func (a *app) snapshot() (seen []string) {
	a.t.Helper()
	err := filepath.WalkDir(a.Home, func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		info, err := d.Info()
		if err != nil {
			return err
		}
		text := ""
		if info.Mode().IsRegular() {
			b, err := os.ReadFile(path)
			if err != nil {
				return err
			}
			text = string(b)
		}
		seen = append(seen, path+info.Mode().String()+info.ModTime().String()+text)
		return nil
	})
	if err != nil {
		a.t.Fatal(err)
	}
	return seen
}

const (
	zaiKey = "0123456789abcdef0123456789abcdef.SECRETzai0000000"
	bigKey = "fedcba9876543210fedcba9876543210.SECRETbig0000000"
	zaiJWT = "eyJhbGciOiJIUzI1NiJ9.e30.SECRETzai"
	bigJWT = "eyJhbGciOiJIUzI1NiJ9.e30.SECRETbig"
)

func TestImportOfTheConfigFile(t *testing.T) {
	entry := func(key string) string {
		return `{"name":"x","kind":"anthropic","enabled":true,"options":{"baseURL":"https://x.test","apiKey":"` + key + `"},"models":[]}`
	}
	zai := Account{Name: "Z.AI (ZCode)", Provider: "zai", Kind: Import}
	with := func(a Account, key, jwt string) Account {
		a.Key, a.JWT = secret.New(key), secret.New(jwt)
		return a
	}
	big := Account{Name: "Bigmodel (ZCode)", Provider: "bigmodel", Kind: Import}
	tests := []struct {
		name, config string
		want         []Account
		notes        []string
	}{
		{"both providers and plans", `{"provider":{"builtin:bigmodel-start-plan":` + entry(bigJWT) + `,"builtin:zai-coding-plan":` + entry(zaiKey) +
			`,"builtin:zai-start-plan":` + entry(zaiJWT) + `,"builtin:bigmodel-coding-plan":` + entry(bigKey) + `}}`,
			[]Account{with(zai, zaiKey, zaiJWT), with(big, bigKey, bigJWT)}, nil},
		{"models as an object", `{"provider":{"builtin:zai-coding-plan":{"options":{"apiKey":"` + zaiKey + `"},"models":{"GLM-5.3":{"name":"GLM-5.3"}}}}}`, []Account{with(zai, zaiKey, "")}, nil},
		{"switched off by the app", `{"provider":{"builtin:zai-coding-plan":{"enabled":false,"systemDisabledReason":"coding_plan_not_entitled","options":{"apiKey":"` + zaiKey + `"}}}}`, []Account{with(zai, zaiKey, "")}, nil},
		{"empty entries", `{"provider":{"builtin:bigmodel-coding-plan":{},"builtin:bigmodel-start-plan":{"options":{"apiKey":""}},"builtin:zai-start-plan":` + entry(zaiJWT) + `}}`, []Account{with(zai, "", zaiJWT)}, nil},
		{"entries of a person", `{"provider":{"3f0c":"SECRET","4a":[1],"5b":{"options":["SECRET"]},"builtin:zai-coding-plan":` + entry(zaiKey) + `}}`, []Account{with(zai, zaiKey, "")}, nil},
		{"a broken entry", `{"provider":{"builtin:zai-start-plan":{"options":{"apiKey":["SECRET"]}},"builtin:zai-coding-plan":` + entry(zaiKey) + `}}`,
			[]Account{with(zai, zaiKey, "")}, []string{"config.json: builtin:zai-start-plan has another form"}},
		{"a malformed key", `{"provider":{"builtin:zai-coding-plan":` + entry("SECRET") + `,"builtin:bigmodel-coding-plan":` + entry(bigKey) + `}}`,
			[]Account{with(big, bigKey, "")}, []string{"config.json: builtin:zai-coding-plan: ", "{id}.{secret}"}},
		{"a key in spaces", `{"provider":{"builtin:zai-coding-plan":` + entry(" "+zaiKey+" ") + `}}`, []Account{with(zai, zaiKey, "")}, nil},
		{"the wrong kind of each", `{"provider":{"builtin:zai-coding-plan":` + entry(zaiJWT) + `,"builtin:zai-start-plan":` + entry(zaiKey) + `,"builtin:bigmodel-coding-plan":` + entry(bigKey) + `}}`,
			[]Account{with(big, bigKey, "")}, nil},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			a := newApp(t)
			a.put("config.json", test.config)
			got, notes, err := a.accounts()
			if err != nil || !slices.Equal(got, test.want) {
				t.Errorf("got %+v, want %+v: %v", got, test.want, err)
			}
			if (notes == "") != (test.notes == nil) {
				t.Errorf("notes: %s", notes)
			}
			for _, part := range test.notes {
				if !strings.Contains(notes, part) {
					t.Errorf("the notes are without %q: %s", part, notes)
				}
			}
		})
	}
}

func TestImportOfStoredTokens(t *testing.T) {
	tokens := map[string]string{
		"zcodejwttoken": bigJWT, "oauth:active_provider": "bigmodel", "oauth:zai:access_token": "SECRET-za", "oauth:bigmodel:access_token": "SECRET-ba",
		"oauth:bigmodel:refresh_token": "SECRET-br",
	}
	want := []Account{
		{Name: "Z.AI (ZCode)", Provider: "zai", Kind: Import, Access: secret.New("SECRET-za")},
		{Name: "Bigmodel (ZCode)", Provider: "bigmodel", Kind: Import, Access: secret.New("SECRET-ba"), Refresh: secret.New("SECRET-br"), JWT: secret.New(bigJWT)},
	}
	t.Run("by the person", func(t *testing.T) {
		a := newApp(t)
		a.store(a.fallback(), tokens)
		got, notes, err := a.accounts()
		if err != nil || !slices.Equal(got, want) || !strings.HasSuffix(notes, "config.json does not exist") {
			t.Errorf("%+v, %s, %v", got, notes, err)
		}
	})
	t.Run("by a secret", func(t *testing.T) {
		a := newApp(t)
		a.Secret = "SECRET of the environment"
		a.store(a.Secret, tokens)
		if got, notes, err := a.accounts(); err != nil || !slices.Equal(got, want) {
			t.Errorf("%+v, %s, %v", got, notes, err)
		}
	})
	t.Run("plain", func(t *testing.T) {
		a := newApp(t)
		a.put("credentials.json", `{"zcodejwttoken":"`+zaiJWT+`","oauth:zai:access_token":null,"other":{"x":1}}`)
		got, notes, err := a.accounts()
		if err != nil || len(got) != 1 || got[0].JWT.Reveal() != zaiJWT || got[0].Provider != "zai" {
			t.Errorf("%+v, %s, %v", got, notes, err)
		}
	})
	// What the config file has goes before what is stored.
	t.Run("beside the config file", func(t *testing.T) {
		a := newApp(t)
		a.put("config.json", `{"provider":{"builtin:zai-start-plan":{"options":{"apiKey":"`+zaiJWT+`"}},"builtin:zai-coding-plan":{"options":{"apiKey":"`+zaiKey+`"}}}}`)
		a.store(a.fallback(), map[string]string{"zcodejwttoken": bigJWT, "oauth:zai:access_token": "SECRET-za", "oauth:zai:refresh_token": "SECRET-zr"})
		got, notes, err := a.accounts()
		want := Account{Name: "Z.AI (ZCode)", Provider: "zai", Kind: Import, Key: secret.New(zaiKey), JWT: secret.New(zaiJWT), Access: secret.New("SECRET-za"), Refresh: secret.New("SECRET-zr")}
		if err != nil || len(got) != 1 || got[0] != want || notes != "" {
			t.Errorf("%+v, %s, %v", got, notes, err)
		}
	})
	for name, change := range map[string]func(*app){
		"another key":     func(a *app) { a.store("zcode-credential-fallback:linux:/home/other:other", tokens) },
		"another secret":  func(a *app) { a.store(a.fallback(), tokens); a.Secret = "another" },
		"another user":    func(a *app) { a.store(a.fallback(), tokens); a.User = "wang" },
		"a token of none": func(a *app) { a.store(a.fallback(), map[string]string{"zcodejwttoken": "two words SECRET\r\nX: y"}) },
	} {
		t.Run(name, func(t *testing.T) {
			a := newApp(t)
			change(a)
			got, notes, err := a.accounts()
			if !errors.Is(err, ErrNothingToImport) || got != nil || !strings.Contains(notes, "cannot be read") || !strings.Contains(notes, "credentials.json") {
				t.Errorf("%+v, %s, %v", got, notes, err)
			}
		})
	}
}

func TestNothingToImport(t *testing.T) {
	tests := map[string]struct {
		make  func(*app)
		notes []string
	}{
		"no folder":        {func(a *app) { a.Dir += "-not-there" }, []string{"config.json does not exist"}},
		"no files":         {func(*app) {}, []string{"config.json does not exist"}},
		"broken files":     {func(a *app) { a.put("config.json", `{"SECRET`); a.put("credentials.json", `SECRET`) }, []string{"config.json: has another form", "credentials.json: has another form"}},
		"empty files":      {func(a *app) { a.put("config.json", ""); a.put("credentials.json", "") }, []string{"config.json: has another form", "credentials.json: has another form"}},
		"other files":      {func(a *app) { a.put("config.json", `{"provider":[]}`); a.put("credentials.json", `["SECRET"]`) }, []string{"config.json: has another form", "credentials.json: has another form"}},
		"nothing in them":  {func(a *app) { a.put("config.json", `{"provider":null}`); a.put("credentials.json", `{}`) }, nil},
		"null":             {func(a *app) { a.put("config.json", `null`); a.put("credentials.json", `null`) }, nil},
		"a file too large": {func(a *app) { a.put("config.json", `{"provider":{}}`+strings.Repeat(" ", maxZCodeFile)) }, []string{"config.json: has another form"}},
		"a folder": {func(a *app) {
			if err := os.Mkdir(filepath.Join(a.Dir, "v2", "config.json"), 0o700); err != nil {
				a.t.Fatal(err)
			}
		}, []string{"config.json: "}},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			a := newApp(t)
			test.make(a)
			got, notes, err := a.accounts()
			if !errors.Is(err, ErrNothingToImport) || got != nil || !strings.Contains(err.Error(), a.Dir) {
				t.Errorf("%+v, %v", got, err)
			}
			for _, part := range test.notes {
				if !strings.Contains(notes, part) {
					t.Errorf("the notes are without %q: %s", part, notes)
				}
			}
			if strings.Count(notes, a.Dir) > 2 {
				t.Errorf("the notes repeat themselves: %s", notes)
			}
		})
	}
}

func TestDecryptWhatIsNone(t *testing.T) {
	a := newApp(t)
	a.Secret = "key"
	good := a.encrypt("key", "SECRET")
	if got, err := a.decrypt(good); got != "SECRET" || err != nil {
		t.Fatalf("%q, %v", got, err)
	}
	if got, err := a.decrypt(good + "=="); got != "SECRET" || err != nil {
		t.Errorf("with padding: %q, %v", got, err)
	}
	parts := strings.Split(strings.TrimPrefix(good, encryptedPrefix), ".")
	join := func(p ...string) string { return encryptedPrefix + strings.Join(p, ".") }
	for _, value := range []string{
		encryptedPrefix, join("", "", ""), join(parts[0], parts[1]), join(parts[0], parts[1], parts[2], ""), join("", parts[1], parts[2]), join(parts[0], "", parts[2]),
		join(parts[0], parts[1], ""), join(parts[0], parts[1][:4], parts[2]), join("AA", parts[1], parts[2]), join("*", parts[1], parts[2]), join(parts[0], parts[2], parts[1]),
		join(strings.Repeat("A", 1<<16), parts[1], parts[2]),
	} {
		if got, err := a.decrypt(value); got != "" || err == nil || strings.Contains(err.Error(), "SECRET") {
			t.Errorf("%.60s: %q, %v", value, got, err)
		}
	}
}

func TestFindZCode(t *testing.T) {
	t.Parallel()
	home := "HOME"
	if runtime.GOOS == "windows" {
		home = "USERPROFILE"
	}
	tests := []struct {
		env  map[string]string
		want ZCode
	}{
		{map[string]string{home: "/h", "USER": "li", "USERNAME": "x"}, ZCode{filepath.Join("/h", ".zcode"), "/h", "li", ""}},
		{map[string]string{home: "/h", "USERNAME": "li", "ZCODE_HOME": "/z"}, ZCode{"/z", "/h", "li", ""}},
		{map[string]string{"ZCODE_STORAGE_DIR": "/s", "ZCODE_HOME": "/z", "ZCODE_CREDENTIAL_SECRET": "c"}, ZCode{"/s", "", "", "c"}},
	}
	for _, test := range tests {
		if got, err := FindZCode(func(name string) string { return test.env[name] }); err != nil || got != test.want {
			t.Errorf("%v: %+v, %v", test.env, got, err)
		}
	}
	if _, err := FindZCode(func(string) string { return "" }); err == nil || !strings.Contains(err.Error(), "ZCODE_HOME") {
		t.Errorf("no home: %v", err)
	}
}

func FuzzDecrypt(f *testing.F) {
	for _, seed := range []string{"plain", encryptedPrefix, "enc:v1:..", "enc:v1:AAAA.AAAA.AAAA", "enc:v1:AAAAAAAAAAAAAAAA.AAAAAAAAAAAAAAAAAAAAAA.AAAA"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, value string) {
		got, err := ZCode{Secret: "key"}.decrypt(value)
		if !strings.HasPrefix(value, encryptedPrefix) {
			if got != value || err != nil {
				t.Fatalf("%q, %v", got, err)
			}
			return
		}
		if err == nil {
			t.Fatalf("decrypted %q without the key", got)
		}
	})
}
