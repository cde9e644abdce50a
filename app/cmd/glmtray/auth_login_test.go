package main_test

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"html"
	"io"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"glmtray/proxy/demo"
	"glmtray/proxy/demo/platform"
)

// printedPage waits for the address that stands alone on the line of standard output.
func printedPage(t *testing.T, running *server) string {
	t.Helper()
	waitFor(t, "the address for the browser", func() bool { return running.gone() || strings.HasSuffix(running.stdout.String(), "\n") })
	address := strings.TrimSuffix(running.stdout.String(), "\n")
	if u, err := url.Parse(address); err != nil || u.Host == "" || strings.ContainsAny(address, " \n") {
		t.Fatalf("printed %q and:\n%s", running.stdout.String(), running.stderr.String())
	}
	return address
}

var (
	hiddenField = regexp.MustCompile(`<input type="hidden" name="([^"]+)" value="([^"]*)">`)
	finalPlace  = regexp.MustCompile(`<code id="final">([^<]*)</code>`)
)

// decide opens a page as a browser does, and presses the button that answers. It returns
// where the browser ended, and the page that it shows there.
func decide(t *testing.T, address, answer string) (place, page string) {
	t.Helper()
	status, question := fetch(t, address, "")
	wants(t, question, `id="allow"`, `id="deny"`)
	form := url.Values{"answer": {answer}}
	for _, field := range hiddenField.FindAllStringSubmatch(question, -1) {
		form.Set(html.UnescapeString(field[1]), html.UnescapeString(field[2]))
	}
	at, err := url.Parse(address)
	if err != nil || status != http.StatusOK {
		t.Fatalf("%s: %d %v", address, status, err)
	}
	at.Path, at.RawQuery = "/_demo/decide", ""
	resp, err := client.PostForm(at.String(), form)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	if found := finalPlace.FindSubmatch(text); found != nil {
		return html.UnescapeString(string(found[1])), string(text)
	}
	return resp.Request.URL.String(), string(text)
}

// say writes a line to a program's standard input.
func say(t *testing.T, stdin io.Writer, line string) {
	t.Helper()
	if _, err := io.WriteString(stdin, line+"\n"); err != nil {
		t.Fatal(err)
	}
}

// flows are the ways back from the browser: what they need in the config file and on the
// command line.
var flows = map[string]struct {
	config string
	args   []string
	noPoll bool
	page   string // a part of the page's address
}{
	"poll":         {page: "/_demo/device?flow=flow_"},
	"loopback":     {config: loopback, page: "127.0.0.1%3A"},
	"no poll flow": {noPoll: true, page: "127.0.0.1%3A"},
	"paste":        {args: []string{"--paste"}, page: "zcode%3A%2F%2F"},
}

// TestAuthLogin logs in to both providers on every way, as over SSH.
func TestAuthLogin(t *testing.T) {
	t.Parallel()
	for _, provider := range []string{"zai", "bigmodel"} {
		for name, flow := range flows {
			t.Run(provider+", "+name, func(t *testing.T) {
				t.Parallel()
				p := newProvider(t, demo.Options{Key: ownKey, Platform: platform.Options{NoPoll: flow.noPoll}})
				s := newShell(t, p)
				s.configure(t, p.config(flow.config))
				running, stdin := s.begin(t, append([]string{"login", provider, "--no-browser", "--name", "Me"}, flow.args...)...)
				address := printedPage(t, running)
				wants(t, address, p.url, flow.page)
				place, page := decide(t, address, "allow")
				switch {
				case strings.HasPrefix(place, "zcode:"):
					say(t, stdin, " '"+place+"' ")
				case !strings.HasPrefix(place, p.url): // the program's own page
					wants(t, page, "You are logged in", "close this page")
				}
				if code := running.wait(t); code != 0 {
					t.Fatalf("exit code %d", code)
				}
				if running.stdout.String() != address+"\n" {
					t.Errorf("printed %q", running.stdout.String())
				}
				wants(t, running.stderr.String(), "Terms: https://docs.", "A new API key named zcode-api-key was made", "Me is logged in; its coding plan answers")
				lacks(t, running.stderr.String(), "http://")
				list := s.accounts(t)
				if len(list) != 1 || list[0].Name != "Me" || list[0].Provider != provider || list[0].Kind != "login" || list[0].Level != "pro" ||
					!slices.Equal(list[0].Plans, []string{"coding-plan", "start-plan"}) || !masked.MatchString(list[0].Hint) {
					t.Errorf("%+v", list)
				}
			})
		}
	}
}

// masked is how a credential is shown.
var masked = regexp.MustCompile(`^.{4}….{4}$`)

// TestAuthLoginFails holds that a login that fails says why, in words, and leaves
// nothing behind.
func TestAuthLoginFails(t *testing.T) {
	t.Parallel()
	broken := func(path string, f platform.Fault) platform.Options {
		return platform.Options{Fault: func(w http.ResponseWriter, r *http.Request) bool {
			return strings.HasPrefix(r.URL.Path, path) && f.Serve(w, r)
		}}
	}
	for name, tc := range map[string]struct {
		platform platform.Options
		config   string
		answer   string // in the browser; "" if it does not come to that
		says     []string
	}{
		"denied":             {answer: "deny", says: []string{"it was not allowed in the browser"}},
		"denied, loopback":   {config: loopback, answer: "deny", says: []string{"The person said no", "it was not allowed in the browser"}},
		"no poll, but asked": {config: "auth:\n  loginFlow: poll\n", platform: platform.Options{NoPoll: true}, says: []string{"asking for a login failed with HTTP 404"}},
		"the server is down": {platform: broken("/api/v1/oauth/cli/init", platform.Fault{Drop: true}), says: []string{"asking for a login failed", "the connection broke"}},
		"no exchange": {platform: broken("/api/v1/oauth/token", platform.Fault{Code: 2007}), config: loopback, answer: "allow",
			says: []string{"exchanging the code for tokens failed with HTTP 500 (code 2007): the demo was told to fail"}},
		"a page in between": {platform: broken("/api/v1/oauth/token", platform.Fault{HTML: true}), config: loopback, answer: "allow",
			says: []string{"exchanging the code for tokens failed", "a web page instead of an answer"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			p := newProvider(t, demo.Options{Platform: tc.platform})
			s := newShell(t, p)
			s.configure(t, p.config(tc.config))
			running, _ := s.begin(t, "login", "zai", "--no-browser")
			if tc.answer != "" {
				if _, page := decide(t, printedPage(t, running), tc.answer); tc.answer == "deny" && tc.config != "" {
					wants(t, page, "did not allow")
				}
			}
			if code := running.wait(t); code != 1 {
				t.Errorf("exit code %d", code)
			}
			wants(t, running.stderr.String(), tc.says...)
			s.keepsNothing(t)
		})
	}
}

// TestAuthLoginWithoutKey holds that a login whose key cannot be had says so, and serves
// the start plan.
func TestAuthLoginWithoutKey(t *testing.T) {
	t.Parallel()
	p := newProvider(t, demo.Options{Platform: platform.Options{Fault: func(w http.ResponseWriter, r *http.Request) bool {
		return r.URL.Path == "/api/biz/customer/getCustomerInfo" && platform.Fault{Code: 500}.Serve(w, r)
	}}})
	s := newShell(t, p)
	running, _ := s.begin(t, "login", "zai", "--no-browser")
	decide(t, printedPage(t, running), "allow")
	if code := running.wait(t); code != 0 {
		t.Errorf("exit code %d", code)
	}
	wants(t, running.stderr.String(), "looking up the organisation failed", "logged in for the start plan; it has no key for a coding plan")
	if list := s.accounts(t); len(list) != 1 || !slices.Equal(list[0].Plans, []string{"start-plan"}) {
		t.Errorf("%+v", list)
	}
}

// TestAuthPaste holds what can be pasted, and that what is of no use is told and does
// not end the login.
func TestAuthPaste(t *testing.T) {
	t.Parallel()
	for name, paste := range map[string]func(place *url.URL) string{
		"the address": func(place *url.URL) string { return place.String() },
		"its query":   func(place *url.URL) string { return place.RawQuery },
		"the code":    func(place *url.URL) string { return place.Query().Get("code") },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := newShell(t, newProvider(t, demo.Options{}))
			running, stdin := s.begin(t, "login", "zai", "--paste", "--no-browser")
			final, _ := decide(t, printedPage(t, running), "allow")
			place, err := url.Parse(final)
			if err != nil {
				t.Fatal(err)
			}
			say(t, stdin, "")
			say(t, stdin, "it did not work")
			waitFor(t, "words about no code", func() bool { return strings.Contains(running.stderr.String(), "there is no code in it") })
			say(t, stdin, "zcode://zai-auth/callback?state=PLANTED&code=PLANTED")
			waitFor(t, "words about the state", func() bool { return strings.Contains(running.stderr.String(), "belongs to another login") })
			say(t, stdin, paste(place))
			if err := stdin.Close(); err != nil {
				t.Error(err)
			}
			if code := running.wait(t); code != 0 {
				t.Errorf("exit code %d", code)
			}
			lacks(t, running.stderr.String(), secretMiddle, place.Query().Get("code"))
			if names := s.names(t); !slices.Equal(names, []string{"Z.AI"}) {
				t.Errorf("%q", names)
			}
		})
	}
}

// TestAuthPasteNothing holds that a login to which nothing of use can be pasted any more
// does not wait on.
func TestAuthPasteNothing(t *testing.T) {
	t.Parallel()
	for name, stdin := range map[string]string{"at all": "", "of use": "nothing here\n"} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := newShell(t, newProvider(t, demo.Options{}))
			got := s.auth(t, stdin, "login", "zai", "--paste", "--no-browser")
			if got.code != 1 || !strings.Contains(got.stderr, "standard input ended without the address") {
				t.Errorf("%d %s", got.code, got.stderr)
			}
			s.keepsNothing(t)
		})
	}
}

// TestAuthLoginBesideOthers holds that a login which fails leaves the accounts as they
// were.
func TestAuthLoginBesideOthers(t *testing.T) {
	t.Parallel()
	s := newShell(t, newProvider(t, demo.Options{}))
	s.must(t, apiKey(1), "key", "--name", "old")
	before := s.text(t, s.data("vault.age"))
	running, _ := s.begin(t, "login", "zai", "--no-browser")
	decide(t, printedPage(t, running), "deny")
	if code := running.wait(t); code != 1 || s.text(t, s.data("vault.age")) != before {
		t.Errorf("a login that failed changed something; exit code %d", code)
	}
	lacks(t, running.stderr.String(), "Terms:")
	running, _ = s.begin(t, "login", "zai", "--no-browser", "--name", "old")
	decide(t, printedPage(t, running), "allow")
	if code := running.wait(t); code != 1 || s.text(t, s.data("vault.age")) != before {
		t.Errorf("a login under a name that is taken changed something; exit code %d", code)
	}
	wants(t, running.stderr.String(), "there is an account of this name already: old")
}

// zcodeValue is a value as the ZCode app stores it, under a secret of the environment.
func zcodeValue(t *testing.T, secret, text string) string {
	t.Helper()
	key := sha256.Sum256([]byte(secret))
	block, err := aes.NewCipher(key[:])
	if err != nil {
		t.Fatal(err)
	}
	gcm, err := cipher.NewGCM(block)
	if err != nil {
		t.Fatal(err)
	}
	vector := []byte("made up here")
	sealed := gcm.Seal(nil, vector, []byte(text), nil)
	end := len(sealed) - gcm.Overhead()
	encode := base64.RawURLEncoding.EncodeToString
	return "enc:v1:" + encode(vector) + "." + encode(sealed[end:]) + "." + encode(sealed[:end])
}

// accessToken logs in to a provider by its own calls, as the ZCode app does.
func (p *provider) accessToken(t *testing.T, name string) (access, jwt string) {
	t.Helper()
	bearer := "Bearer " + strings.Repeat("ab", 32)
	_, begun := fetch(t, p.url+"/api/v1/oauth/cli/init", `{"provider":"`+name+`"}`, "Authorization", bearer)
	var flow struct {
		Data struct {
			ID   string `json:"flow_id"`
			Page string `json:"authorize_url"`
		}
	}
	if err := json.Unmarshal([]byte(begun), &flow); err != nil {
		t.Fatal(err)
	}
	decide(t, flow.Data.Page, "allow")
	_, polled := fetch(t, p.url+"/api/v1/oauth/cli/poll/"+flow.Data.ID, "", "Authorization", bearer)
	var tokens struct {
		Data struct {
			Token         string
			ZAI, Bigmodel struct {
				Access string `json:"access_token"`
			}
		}
	}
	if err := json.Unmarshal([]byte(polled), &tokens); err != nil || tokens.Data.Token == "" {
		t.Fatalf("%v %s", err, polled)
	}
	return tokens.Data.ZAI.Access + tokens.Data.Bigmodel.Access, tokens.Data.Token
}

// TestAuthZCode takes the accounts of a ZCode app over, from its config file and from its
// encrypted tokens, and holds that its files are only read.
func TestAuthZCode(t *testing.T) {
	t.Parallel()
	const words = "PLANTED secret of the environment"
	for _, args := range []string{"import --zcode", "login zai --import"} {
		t.Run(args, func(t *testing.T) {
			t.Parallel()
			p := newProvider(t, demo.Options{})
			access, jwt := p.accessToken(t, "bigmodel")
			s := newShell(t, p, "ZCODE_CREDENTIAL_SECRET="+words, "USERPROFILE=")
			dir := filepath.Join(s.home, ".zcode")
			s.env = append(s.env, "ZCODE_HOME="+dir)
			if got := s.auth(t, "", strings.Fields(args)...); got.code != 1 || !strings.Contains(got.stderr, "there is no account of the ZCode app") {
				t.Errorf("without the app: %d %s", got.code, got.stderr)
			}
			s.keepsNothing(t)
			if err := os.MkdirAll(filepath.Join(dir, "v2"), 0o700); err != nil {
				t.Fatal(err)
			}
			config, stored := filepath.Join(dir, "v2", "config.json"), filepath.Join(dir, "v2", "credentials.json")
			writeFile(t, config, fmt.Sprintf(`{"provider":{"builtin:zai-coding-plan":{"enabled":true,"options":{"apiKey":%q}},"other":{"options":{"apiKey":"PLANTED"}}}}`, apiKey(7)))
			writeFile(t, stored, fmt.Sprintf(`{"oauth:active_provider":"bigmodel","oauth:bigmodel:access_token":%q,"zcodejwttoken":%q}`,
				zcodeValue(t, words, access), zcodeValue(t, words, jwt)))
			before := s.text(t, config) + s.text(t, stored)
			got := s.must(t, "", strings.Fields(args)...)
			if want := "Z.AI (ZCode): zai, coding-plan\nBigmodel (ZCode): bigmodel, coding-plan, start-plan\n"; got.stdout != want {
				t.Errorf("%q", got.stdout)
			}
			lacks(t, got.stderr, secretMiddle, access, jwt)
			for _, a := range s.accounts(t) {
				if a.Kind != "import" {
					t.Errorf("%+v", a)
				}
			}
			if s.text(t, config)+s.text(t, stored) != before {
				t.Error("the app's files were changed")
			}
			s.must(t, "", strings.Fields(args)...)
			if names := s.names(t); len(names) != 2 {
				t.Errorf("once more: %q", names)
			}
		})
	}
}
