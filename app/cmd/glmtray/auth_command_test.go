package main_test

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"testing"

	"glmtray/app/state"
	"glmtray/proxy/demo"
)

// provider is all that Z.AI and Bigmodel have on the network, in this process.
type provider struct {
	*demo.Server
	url string
}

func newProvider(t *testing.T, o demo.Options) *provider {
	t.Helper()
	p := &provider{Server: demo.New(o)}
	server := httptest.NewServer(p)
	t.Cleanup(server.Close)
	p.url = server.URL
	return p
}

// config is a config file for a person of this provider; lines are further ones.
func (p *provider) config(lines ...string) string {
	text := "server:\n  port: 0\nstartPlan:\n  base: URL/api/v1/zcode-plan\n  configsURL: URL/api/v1/client/configs\n" +
		"  captchaSDK: URL/captcha/AliyunCaptcha.js\nproviders:\n"
	for _, name := range []string{"zai", "bigmodel"} {
		text += "  " + name + ":\n    anthropicBase: URL/api/anthropic\n    openaiBase: URL/api/coding/paas/v4\n    quotaBase: URL\n" +
			"    oauth:\n      tokenURL: URL/api/v1/oauth/token\n      pollBase: URL/api/v1/oauth/cli\n      businessBase: URL\n"
		if name == "zai" {
			text += "      authorizeURL: URL/api/oauth/authorize\n      businessLoginURL: URL/api/auth/z/login\n"
		} else {
			text += "      authorizeURL: URL/login\n"
		}
	}
	return strings.ReplaceAll(text, ": URL", ": "+p.url) + strings.Join(lines, "")
}

// shell is a person who came over SSH: without a display, a session bus and a keyring.
type shell struct {
	*machine
	env []string
}

// loopback is the way back from the browser that takes no time.
const loopback = "auth:\n  loginFlow: loopback\n"

// newShell is a shell on a new machine, set up for a provider. Systems whose keyring
// needs no session bus get a key for the vault, so that theirs is left alone.
func newShell(t *testing.T, p *provider, env ...string) *shell {
	t.Helper()
	s := &shell{newMachine(t), []string{"DISPLAY=", "WAYLAND_DISPLAY=", "DBUS_SESSION_BUS_ADDRESS=unix:path=/nonexistent", "SSH_CONNECTION=192.0.2.1 1 192.0.2.2 22"}}
	if runtime.GOOS == "windows" || runtime.GOOS == "darwin" {
		s.env = append(s.env, "GLMTRAY_VAULT_KEY=a long enough key for tests alone")
	}
	s.env = append(s.env, env...)
	s.configure(t, p.config(loopback))
	return s
}

// auth runs `glmtray auth` with a text on its standard input.
func (s *shell) auth(t *testing.T, stdin string, args ...string) outcome {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	cmd := s.command(ctx, s.env, append([]string{"auth"}, args...)...)
	var stdout, stderr bytes.Buffer
	cmd.Stdin, cmd.Stdout, cmd.Stderr = strings.NewReader(stdin), &stdout, &stderr
	var ended *exec.ExitError
	if err := cmd.Run(); err != nil && !errors.As(err, &ended) || ctx.Err() != nil {
		t.Fatalf("glmtray auth %q: %v\n%s", args, err, stderr.String())
	}
	return outcome{stdout.String(), stderr.String(), cmd.ProcessState.ExitCode()}
}

// must is auth for what has to succeed.
func (s *shell) must(t *testing.T, stdin string, args ...string) outcome {
	t.Helper()
	got := s.auth(t, stdin, args...)
	if got.code != 0 {
		t.Fatalf("glmtray auth %q: %d\n%s%s", args, got.code, got.stdout, got.stderr)
	}
	return got
}

// serveHere is serve in this shell.
func (s *shell) serveHere(t *testing.T, args ...string) *server {
	t.Helper()
	return s.serve(t, s.env, args...)
}

// begin starts `glmtray auth`, whose standard input stays open until the test closes it.
// It is ended with the test.
func (s *shell) begin(t *testing.T, args ...string) (running *server, stdin io.WriteCloser) {
	t.Helper()
	running = &server{cmd: s.command(t.Context(), s.env, append([]string{"auth"}, args...)...), ended: make(chan struct{})}
	running.cmd.Stdout, running.cmd.Stderr = &running.stdout, &running.stderr
	stdin, err := running.cmd.StdinPipe()
	if err == nil {
		err = running.cmd.Start()
	}
	if err != nil {
		t.Fatal(err)
	}
	go func() {
		defer close(running.ended)
		_ = running.cmd.Wait() // the exit code is looked at where it matters
	}()
	t.Cleanup(func() {
		if t.Failed() {
			t.Logf("glmtray auth %q printed %q and:\n%s", args, running.stdout.String(), running.stderr.String())
		}
	})
	return running, stdin
}

// accounts are what `auth list --json` says.
func (s *shell) accounts(t *testing.T) (list []state.AccountEntry) {
	t.Helper()
	if err := json.Unmarshal([]byte(s.must(t, "", "list", "--json").stdout), &list); err != nil {
		t.Fatal(err)
	}
	return list
}

// names are those of the accounts.
func (s *shell) names(t *testing.T) (names []string) {
	t.Helper()
	for _, a := range s.accounts(t) {
		names = append(names, a.Name)
	}
	return names
}

// data is a file of the person's data folder.
func (s *shell) data(name string) string { return filepath.Join(s.home, "glmtray", "data", name) }

// keepsNothing complains if an account, a key or a vault was left behind.
func (s *shell) keepsNothing(t *testing.T) {
	t.Helper()
	if names := s.names(t); len(names) > 0 {
		t.Errorf("there are accounts: %q", names)
	}
	for _, name := range []string{"vault.age", "vault.age.bak", "vault.key"} {
		if _, err := os.Lstat(s.data(name)); err == nil {
			t.Errorf("%s was left behind", name)
		}
	}
}

// apiKey is a key of the coding plan that tests give by hand, one for each number.
func apiKey(n int) string {
	return fmt.Sprintf("k%03d5678901234567890123456789012.PLANTEDhandKEY%03dz", n, n)
}

// TestAuthKey holds what becomes of keys that a person gives, of every sort.
func TestAuthKey(t *testing.T) {
	t.Parallel()
	good := apiKey(1)
	for name, tc := range map[string]struct {
		stdin string
		args  []string
		says  []string
		code  int    // 0: it is kept
		plan  string // that it is for; "": the coding plan
	}{
		"a token":             {stdin: "eyJhbGciOiJIUzI1NiJ9.PLANTEDclaims.PLANTEDsignature\n", plan: "start-plan", says: []string{"Z.AI is logged in for the start plan"}},
		"good":                {stdin: good + "\n", says: []string{"Z.AI is logged in; its coding plan answers", "only you can read", "Terms: https://docs.z.ai/"}},
		"without a line end":  {stdin: good, says: []string{"its coding plan answers"}},
		"spaces and quotes":   {stdin: "  \"" + good + "\" \r\n", says: []string{"its coding plan answers"}},
		"Bearer":              {stdin: "Bearer " + good + "\n", says: []string{"its coding plan answers"}},
		"another provider's":  {stdin: good + "\n", args: []string{"--provider", "bigmodel"}, says: []string{"Bigmodel is logged in", "Terms: https://docs.bigmodel.cn/"}},
		"refused, unchecked":  {stdin: apiKey(2) + "\n", args: []string{"--no-check"}, says: []string{"whether its key works will show"}},
		"refused":             {stdin: apiKey(2) + "\n", code: 1, says: []string{"trying the key failed with HTTP 401"}},
		"spaces inside":       {stdin: good[:20] + " " + good[20:] + "\n", code: 1, says: []string{"has spaces or line breaks in it"}},
		"no dot":              {stdin: "PLANTED" + strings.Repeat("a", 40) + "\n", code: 1, says: []string{"the form {id}.{secret}"}},
		"half of it":          {stdin: strings.SplitAfter(good, ".")[0] + "\n", code: 1, says: []string{"the form {id}.{secret}"}},
		"too long":            {stdin: strings.Repeat("PLANTED", 3000) + "\n", code: 1, says: []string{"too long for a key"}},
		"foreign characters":  {stdin: "PLANTED密钥.abc\n", code: 1, says: []string{"characters that no key has"}},
		"nothing":             {stdin: "", code: 1, says: []string{"there is no key"}},
		"only a line end":     {stdin: "\n", code: 1, says: []string{"there is no key"}},
		"a name that is none": {stdin: good + "\n", args: []string{"--name", "a\tb"}, code: 1, says: []string{"no control characters"}},
		"no such provider":    {stdin: good + "\n", args: []string{"--provider", "nobody"}, code: 2, says: []string{`no provider "nobody"`}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := newShell(t, newProvider(t, demo.Options{Key: good}))
			got := s.auth(t, tc.stdin, append([]string{"key"}, tc.args...)...)
			if got.code != tc.code || got.stdout != "" {
				t.Errorf("%d %q\n%s", got.code, got.stdout, got.stderr)
			}
			for _, says := range tc.says {
				if keyless() || says != "only you can read" {
					wants(t, got.stderr, says)
				}
			}
			lacks(t, got.stderr, secretMiddle, good[4:30])
			if tc.code != 0 {
				s.keepsNothing(t)
			} else if list := s.accounts(t); len(list) != 1 || list[0].Kind != "key" || !slices.Equal(list[0].Plans, []string{cmp.Or(tc.plan, "coding-plan")}) {
				t.Errorf("%+v", list)
			}
		})
	}
}

// keyless reports whether a shell of the tests has no key for the vault, and no keyring.
func keyless() bool { return runtime.GOOS != "windows" && runtime.GOOS != "darwin" }

// TestAuthKeyUnreachable holds that a key is kept if nobody can say whether it is good.
func TestAuthKeyUnreachable(t *testing.T) {
	t.Parallel()
	s := newShell(t, &provider{url: "http://127.0.0.1:1"})
	wants(t, s.must(t, apiKey(1), "key", "--name", "mine").stderr, "mine was added; whether its key works will show")
	wants(t, s.must(t, "", "list").stdout, "mine  zai", "k001…001z")
}

// TestAuthAccounts goes through the life of accounts: added, listed, renamed, chosen,
// and taken away, until nothing of them is left.
func TestAuthAccounts(t *testing.T) {
	t.Parallel()
	s := newShell(t, newProvider(t, demo.Options{}))
	wants(t, s.must(t, "", "list").stdout, "There are no accounts. Log in with: glmtray auth login zai")
	if got := s.must(t, "", "list", "--json").stdout; strings.TrimSpace(got) != "[]" {
		t.Errorf("as JSON: %q", got)
	}
	s.must(t, apiKey(1), "key")
	s.must(t, apiKey(2), "key")
	lacks(t, s.must(t, apiKey(3), "key", "--provider", "bigmodel", "--name", "Work").stderr, "Terms:")
	if names := s.names(t); !slices.Equal(names, []string{"Z.AI", "Z.AI 2", "Work"}) {
		t.Errorf("%q", names)
	}
	listed := s.must(t, "", "list").stdout
	wants(t, listed, "NAME    PROVIDER  PLANS              KIND  KEY        STATE\n", "Z.AI    zai       coding-plan (pro)  key   k001…001z  –\n", "Work    bigmodel")
	lacks(t, listed, secretMiddle)

	for _, wrong := range []struct {
		says string
		args []string
	}{
		{"there is an account of this name already: Work", []string{"rename", "Z.AI", "Work"}},
		{"there is no account of this name: nobody", []string{"rename", "nobody", "x"}},
		{"a name has 1 to 64 bytes", []string{"rename", "Z.AI", " "}},
		{"there is no account of this name: nobody", []string{"use", "nobody"}},
		{"there is no account of this name: nobody", []string{"logout", "nobody"}},
		{"there is an account of this name already: Work", []string{"key", "--name", "Work"}},
	} {
		if got := s.auth(t, apiKey(4), wrong.args...); got.code != 1 || !strings.Contains(got.stderr, wrong.says) {
			t.Errorf("%q: %d %s", wrong.args, got.code, got.stderr)
		}
	}
	if names := s.names(t); !slices.Equal(names, []string{"Z.AI", "Z.AI 2", "Work"}) {
		t.Errorf("after refusals: %q", names)
	}

	wants(t, s.must(t, "", "use", "Work").stdout, "Work is used alone.")
	s.configHas(t, "Work", "bigmodel")
	s.must(t, "", "rename", "Work", "Büro")
	s.configHas(t, "Büro", "bigmodel")
	wants(t, s.must(t, "", "use", "--all").stdout, "share the load")
	s.configHas(t, "", "bigmodel")
	s.must(t, "", "use", "Z.AI")
	s.configHas(t, "Z.AI", "zai")
	wants(t, s.must(t, "", "logout", "Z.AI").stdout, "Z.AI is logged out", "the provider's dashboard")
	s.configHas(t, "", "zai")

	s.must(t, "", "logout", "Z.AI 2")
	if _, err := os.Lstat(s.data("vault.age")); err != nil {
		t.Errorf("with one account left: %v", err)
	}
	s.must(t, "", "logout", "Büro")
	s.keepsNothing(t)
	lacks(t, s.text(t, s.config()), secretMiddle)
}

// text is what is in a file.
func (s *shell) text(t *testing.T, path string) string {
	t.Helper()
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// configHas holds what the config file says about the account and the provider in use.
func (s *shell) configHas(t *testing.T, account, provider string) {
	t.Helper()
	got := s.run(t, s.env, "config", "show")
	if value, _ := shown(t, got.stdout, "auth.account"); strings.Trim(value, `"`) != account {
		t.Errorf("auth.account is %s, not %s", value, account)
	}
	if value, _ := shown(t, got.stdout, "provider"); value != provider {
		t.Errorf("provider is %s, not %s", value, provider)
	}
}

// TestAuthSameKeyAgain holds that a key that is known makes no second account.
func TestAuthSameKeyAgain(t *testing.T) {
	t.Parallel()
	s := newShell(t, newProvider(t, demo.Options{}))
	s.must(t, apiKey(1), "key", "--name", "mine")
	s.must(t, apiKey(1), "key")
	if names := s.names(t); !slices.Equal(names, []string{"mine"}) {
		t.Errorf("%q", names)
	}
}

// TestAuthExport moves accounts to another machine under a passphrase.
func TestAuthExport(t *testing.T) {
	t.Parallel()
	p := newProvider(t, demo.Options{})
	from, to := newShell(t, p), newShell(t, p)
	if got := from.auth(t, "long enough\n", "export"); got.code != 1 || !strings.Contains(got.stderr, "no accounts to export") {
		t.Errorf("of nothing: %d %s", got.code, got.stderr)
	}
	from.must(t, apiKey(1), "key", "--name", "one")
	from.must(t, apiKey(2), "key", "--name", "two", "--provider", "bigmodel")
	to.must(t, apiKey(3), "key", "--name", "one")

	file, words, others := filepath.Join(from.work, "moved.age"), filepath.Join(from.home, "words"), filepath.Join(from.home, "others")
	writeFile(t, words, "PLANTED correct horse\n")
	writeFile(t, others, "PLANTED wrong horse\n")
	from.must(t, "", "export", "--passphrase-file", words, "-o", file)
	if info, err := os.Stat(file); err != nil || runtime.GOOS != "windows" && info.Mode().Perm() != 0o600 {
		t.Errorf("%v %v", info, err)
	}
	sealed := from.text(t, file)
	wants(t, sealed, "-----BEGIN AGE ENCRYPTED FILE-----")
	lacks(t, sealed, secretMiddle, "one", "zai")

	for name, wrong := range map[string]struct {
		says string
		args []string
	}{
		"it is there already":    {"exists", []string{"export", "--passphrase-file", words, "-o", file}},
		"no such account":        {"no account of this name: three", []string{"export", "--passphrase-file", words, "three"}},
		"a short passphrase":     {"8 characters at least", []string{"export"}},
		"no passphrase file":     {"nowhere", []string{"export", "--passphrase-file", filepath.Join(from.home, "nowhere")}},
		"another passphrase":     {"is not the one that this file was sealed with", []string{"import", file, "--passphrase-file", others}},
		"no such file":           {"nowhere", []string{"import", filepath.Join(from.home, "nowhere"), "--passphrase-file", words}},
		"a file of another kind": {"not sealed with a passphrase", []string{"import", words, "--passphrase-file", words}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			got := from.auth(t, "short\n", wrong.args...)
			if got.code != 1 || !strings.Contains(got.stderr, wrong.says) || got.stdout != "" {
				t.Errorf("%d %q %s", got.code, got.stdout, got.stderr)
			}
			lacks(t, got.stderr, secretMiddle)
		})
	}
	got := to.must(t, "PLANTED correct horse\n", "import", file)
	lacks(t, got.stderr, secretMiddle)
	wants(t, got.stdout, "one 2: zai, coding-plan\n", "two: bigmodel, coding-plan\n")
	if names := to.names(t); !slices.Equal(names, []string{"one", "one 2", "two"}) {
		t.Errorf("%q", names)
	}
	to.must(t, "PLANTED correct horse\n", "import", file) // once more changes nothing
	if names := to.names(t); !slices.Equal(names, []string{"one", "one 2", "two"}) {
		t.Errorf("once more: %q", names)
	}
	(&eavesdropper{shell: to, tap: &wiretap{}}).nothingIsSeen(t)
}

// TestAuthUsage holds that what cannot be understood is told as that, by its exit code.
func TestAuthUsage(t *testing.T) {
	t.Parallel()
	s := newShell(t, newProvider(t, demo.Options{}))
	for _, args := range []string{
		"nothing", "login", "login zai bigmodel", "login nobody", "login zai --unknown", "key a.b", "key --provider nobody", "list all", "list --xml",
		"use", "use a b", "use a --all", "rename a", "rename a b c", "logout", "logout a b", "import", "import a b", "import a --zcode",
	} {
		if got := s.auth(t, "", strings.Fields(args)...); got.code != 2 || got.stdout != "" || !strings.HasPrefix(got.stderr, "glmtray: ") {
			t.Errorf("auth %s: %d %q %s", args, got.code, got.stdout, got.stderr)
		}
	}
	writeFile(t, s.config(), "auth:\n  mode: PLANTED\n")
	if got := s.auth(t, "", "list"); got.code != 2 || !strings.Contains(got.stderr, "auth.mode") {
		t.Errorf("wrong settings: %d %s", got.code, got.stderr)
	}
	for _, args := range []string{"", "--help", "login --help"} {
		if got := s.auth(t, "", strings.Fields(args)...); got.code != 0 || !strings.Contains(got.stdout, "glmtray auth") {
			t.Errorf("auth %s: %d %s%s", args, got.code, got.stdout, got.stderr)
		}
	}
	s.mustBeEmpty(t)
}

// mustBeEmpty complains if the person's data folder was made at all.
func (s *shell) mustBeEmpty(t *testing.T) {
	t.Helper()
	if _, err := os.Lstat(s.data("")); err == nil {
		t.Error("the data folder was made")
	}
}

// TestAuthConfig holds that the commands take the config file that is named.
func TestAuthConfig(t *testing.T) {
	t.Parallel()
	p := newProvider(t, demo.Options{})
	s := newShell(t, p)
	s.configure(t, "auth:\n  mode: PLANTED\n")
	file := filepath.Join(s.home, "other.yaml")
	writeFile(t, file, p.config("provider: bigmodel\n"))
	s.must(t, apiKey(1), "key", "--config", file)
	wants(t, s.must(t, "", "list", "--config", file).stdout, "Bigmodel  bigmodel")
	s.must(t, "", "use", "Bigmodel", "--config", file)
	wants(t, s.text(t, file), "account: Bigmodel")
	s.must(t, "", "logout", "Bigmodel", "--config", file)
	lacks(t, s.text(t, file), "account: Bigmodel")
	if got := s.auth(t, "", "list", "--config", filepath.Join(s.home, "nowhere.yaml")); got.code != 2 || !strings.Contains(got.stderr, "nowhere.yaml") {
		t.Errorf("a file that is not there: %d %s", got.code, got.stderr)
	}
}

// TestAuthChinese holds that the commands speak the person's language.
func TestAuthChinese(t *testing.T) {
	t.Parallel()
	s := newShell(t, newProvider(t, demo.Options{}), "GLMTRAY_LANGUAGE=zh-Hans")
	wants(t, s.must(t, "", "list").stdout, "没有账号。登录请运行：glmtray auth login zai")
	wants(t, s.must(t, apiKey(1), "key").stderr, "条款：https://docs.z.ai/", "Z.AI 已登录；其编程套餐可用")
	wants(t, s.must(t, "", "list").stdout, "名称", "密钥")
	if got := s.auth(t, "", "use"); got.code != 2 || !strings.Contains(got.stderr, "请给出账号名称") {
		t.Errorf("%d %s", got.code, got.stderr)
	}
	wants(t, s.must(t, "", "login", "--help").stdout, "在浏览器中登录 Z.AI")
	wants(t, s.must(t, "", "logout", "Z.AI").stdout, "Z.AI 已退出登录")
}
