package settings

import (
	"errors"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"testing"
)

// variables is an environment of these variables alone.
func variables(env map[string]string) func(string) string {
	return func(name string) string { return env[name] }
}

// write makes a file and returns its path.
func write(t *testing.T, dir, name, content string) string {
	t.Helper()
	path := filepath.Join(dir, name)
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

// load loads a file with this content, without any environment but a home.
func load(t *testing.T, content string) (Loaded, error) {
	t.Helper()
	dir := t.TempDir()
	return Load(Options{
		Path: write(t, dir, "config.yaml", content),
		Env:  variables(map[string]string{"GLMTRAY_HOME": filepath.Join(dir, "home")}),
	})
}

func mustLoad(t *testing.T, opts Options) Loaded {
	t.Helper()
	l, err := Load(opts)
	if err != nil {
		t.Fatal(err)
	}
	return l
}

func TestLoadNothing(t *testing.T) {
	home := t.TempDir()
	l := mustLoad(t, Options{Env: variables(map[string]string{"GLMTRAY_HOME": home}), WorkDir: t.TempDir()})
	if l.Path != "" || len(l.Searched) != 2 || len(l.Notes) != 0 {
		t.Errorf("%+v", l)
	}
	if want := filepath.Join(home, "config", "config.yaml"); l.WritePath() != want {
		t.Errorf("WritePath() = %q, want %q", l.WritePath(), want)
	}
	for _, k := range Schema() {
		if got := k.get(l.Settings); got != k.Default {
			t.Errorf("%s = %q, want %q", k.Path, got, k.Default)
		}
		if o := l.Origin(k.Path); o != (Origin{}) || o.String() != "default" {
			t.Errorf("%s comes from %s", k.Path, o)
		}
	}
	if entries, err := os.ReadDir(home); err != nil || len(entries) != 0 {
		t.Errorf("Load wrote to the home folder: %v, %v", entries, err)
	}
}

func TestLoadUsesTheProcessEnvironment(t *testing.T) {
	t.Setenv("GLMTRAY_HOME", t.TempDir())
	t.Setenv("ZCODE_PROXY_CONFIG", "")
	t.Setenv("ZCODE_PROXY_PORT", "9123")
	if l := mustLoad(t, Options{}); l.Settings.Server.Port != 9123 {
		t.Errorf("port %d", l.Settings.Server.Port)
	}
}

func TestSearchOrder(t *testing.T) {
	dir := t.TempDir()
	flag := write(t, dir, "flag.yaml", "server: {port: 1001}")
	env := write(t, dir, "env.yaml", "server: {port: 1002}")
	workDir := filepath.Dir(write(t, dir, "work/config.yaml", "server: {port: 1003}"))
	home := filepath.Join(dir, "home")
	own := write(t, dir, "home/config/config.yaml", "server: {port: 1004}")

	for _, tc := range []struct {
		name, flag, env, workDir string
		port                     int
		path                     string
		searched                 int
	}{
		{"flag", flag, env, workDir, 1001, flag, 1},
		{"environment", "", env, workDir, 1002, env, 1},
		{"working directory", "", "", workDir, 1003, filepath.Join(workDir, "config.yaml"), 2},
		{"working directory without one", "", "", dir, 1004, own, 2},
		{"no working directory", "", "", "", 1004, own, 1},
	} {
		t.Run(tc.name, func(t *testing.T) {
			l := mustLoad(t, Options{Path: tc.flag, WorkDir: tc.workDir,
				Env: variables(map[string]string{"GLMTRAY_HOME": home, "ZCODE_PROXY_CONFIG": tc.env})})
			if l.Settings.Server.Port != tc.port || l.Path != tc.path || l.WritePath() != tc.path || len(l.Searched) != tc.searched {
				t.Errorf("port %d from %q, searched %q", l.Settings.Server.Port, l.Path, l.Searched)
			}
		})
	}
}

func TestNamedFileMustExist(t *testing.T) {
	dir := t.TempDir()
	file := write(t, dir, "file", "")
	env := map[string]string{"GLMTRAY_HOME": dir}
	for _, tc := range []struct {
		name string
		opts Options
		want string
	}{
		{"flag", Options{Path: filepath.Join(dir, "no.yaml"), Env: variables(env)},
			filepath.Join(dir, "no.yaml") + ": does not exist (named by --config)"},
		{"flag below a file", Options{Path: filepath.Join(file, "no.yaml"), Env: variables(env)},
			filepath.Join(file, "no.yaml") + ": does not exist (named by --config)"},
		{"environment", Options{Env: variables(map[string]string{"GLMTRAY_HOME": dir, "ZCODE_PROXY_CONFIG": "/no/such.yaml"})},
			"/no/such.yaml: does not exist (named by ZCODE_PROXY_CONFIG)"},
	} {
		l, err := Load(tc.opts)
		var e *Error
		if !errors.As(err, &e) || err.Error() != tc.want {
			t.Errorf("%s: %v, want %s", tc.name, err, tc.want)
		}
		if l.Settings.Provider != "" {
			t.Errorf("%s: settings beside an error", tc.name)
		}
	}
}

func TestUnreadableFile(t *testing.T) {
	dir := t.TempDir()
	folder := filepath.Join(dir, "config.yaml")
	if err := os.Mkdir(folder, 0o755); err != nil {
		t.Fatal(err)
	}
	_, err := Load(Options{WorkDir: dir, Env: variables(map[string]string{"GLMTRAY_HOME": dir})})
	if err == nil || !strings.HasPrefix(err.Error(), folder+": cannot be read: ") {
		t.Errorf("a folder: %v", err)
	}
	if runtime.GOOS == "windows" || os.Geteuid() == 0 {
		t.Skip("permissions do not bind this user")
	}
	path := write(t, dir, "secret.yaml", "")
	if err := os.Chmod(path, 0); err != nil {
		t.Fatal(err)
	}
	if _, err := Load(Options{Path: path, Env: variables(nil)}); err == nil || err.Error() != path+": cannot be read: permission denied" {
		t.Errorf("no permission: %v", err)
	}
}

func TestStrength(t *testing.T) {
	dir := t.TempDir()
	path := write(t, dir, "config.yaml", "server:\n  port: 2000\n  host: 127.0.0.2\nplan: start-plan\n")
	l := mustLoad(t, Options{
		Path:  path,
		Env:   variables(map[string]string{"GLMTRAY_HOME": dir, "PORT": "3000", "ZCODE_PROXY_HOST": "127.0.0.3", "ZCODE_PLAN": " "}),
		Flags: []Override{{Key: "server.host", Value: "127.0.0.4", Flag: "--host"}, {Key: "server.host", Value: "127.0.0.5", Flag: "--host"}},
	})
	if l.Settings.Server != (Server{Host: "127.0.0.5", Port: 3000}) || l.Settings.Plan != PlanStart {
		t.Errorf("%+v", l.Settings)
	}
	for key, want := range map[string]string{
		"server.host": "--host", "server.port": "PORT", "plan": path + ":4:7", "provider": "default", "no.such": "default",
	} {
		if got := l.Origin(key).String(); got != want {
			t.Errorf("%s comes from %s, want %s", key, got, want)
		}
	}
}

func TestEnvironment(t *testing.T) {
	for _, tc := range []struct {
		name      string
		file      string
		env       map[string]string
		flags     []Override
		key, want string
		origin    string
	}{
		{"the first name wins", "", map[string]string{"ZCODE_PROXY_PORT": "1", "PORT": "2"}, nil, "server.port", "1", "ZCODE_PROXY_PORT"},
		{"a bad alias does not matter then", "", map[string]string{"ZCODE_PROXY_PORT": "1", "PORT": "tcp://x"}, nil, "server.port", "1", "ZCODE_PROXY_PORT"},
		{"empty is not set", "", map[string]string{"ZCODE_PROXY_PORT": "", "PORT": "2"}, nil, "server.port", "2", "PORT"},
		{"key", "", map[string]string{"SERVER_API_KEY": "a.b"}, nil, "auth.apiKey", "a.b", "SERVER_API_KEY"},
		{"key, own name", "", map[string]string{"SERVER_API_KEY": "a.b", "ZCODE_API_KEY": "c.d"}, nil, "auth.apiKey", "c.d", "ZCODE_API_KEY"},
		{"proxy key", "", map[string]string{"API_KEY": "sk-1"}, nil, "auth.proxyApiKey", "sk-1", "API_KEY"},
		{"jwt", "", map[string]string{"ZCODE_JWT": "e.y.J"}, nil, "auth.jwt", "e.y.J", "ZCODE_JWT"},
		{"spaces around", "", map[string]string{"ZCODE_PROVIDER": " bigmodel "}, nil, "provider", "bigmodel", "ZCODE_PROVIDER"},
		{"base of the default provider", "", map[string]string{"UPSTREAM_BASE": "https://x.example/"}, nil,
			"providers.zai.anthropicBase", "https://x.example", "UPSTREAM_BASE"},
		{"base of another", "", map[string]string{"UPSTREAM_BASE": "https://x.example", "ZCODE_PROVIDER": "bigmodel"}, nil,
			"providers.bigmodel.anthropicBase", "https://x.example", "UPSTREAM_BASE"},
		{"base leaves the inactive alone", "", map[string]string{"UPSTREAM_BASE": "https://x.example", "ZCODE_PROVIDER": "bigmodel"}, nil,
			"providers.zai.anthropicBase", zaiAnthropicBase, "default"},
		{"base of the provider of a flag", "provider: zai", map[string]string{"UPSTREAM_BASE": "https://x.example"},
			[]Override{{Key: "provider", Value: "custom", Flag: "--provider"}}, "providers.custom.anthropicBase", "https://x.example", "UPSTREAM_BASE"},
		{"base is stronger than the file", "providers: {zai: {anthropicBase: https://y.example}}", map[string]string{"UPSTREAM_BASE": "https://x.example"}, nil,
			"providers.zai.anthropicBase", "https://x.example", "UPSTREAM_BASE"},
		{"base is weaker than a flag", "", map[string]string{"UPSTREAM_BASE": "https://x.example"},
			[]Override{{Key: "providers.zai.anthropicBase", Value: "https://y.example", Flag: "--set"}}, "providers.zai.anthropicBase", "https://y.example", "--set"},
		{"base never redirects the demo", "provider: demo", map[string]string{"UPSTREAM_BASE": "https://x.example"}, nil,
			"providers.demo.anthropicBase", "", "default"},
		{"identity", "", map[string]string{"ZCODE_APP_VERSION": "9.9", "ZCODE_SOURCE_TITLE": "electron", "ZCODE_REFERER_ORIGIN": "https://r.example"}, nil,
			"identity.refererOrigin", "https://r.example", "ZCODE_REFERER_ORIGIN"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			dir := t.TempDir()
			tc.env["GLMTRAY_HOME"] = dir
			l := mustLoad(t, Options{Path: write(t, dir, "c.yaml", tc.file), Env: variables(tc.env), Flags: tc.flags})
			if got := newTable().byPath[tc.key].get(l.Settings); got != tc.want {
				t.Errorf("%s = %q, want %q", tc.key, got, tc.want)
			}
			if got := l.Origin(tc.key).String(); got != tc.origin {
				t.Errorf("comes from %s, want %s", got, tc.origin)
			}
		})
	}
}

func TestBadEnvironmentAndFlags(t *testing.T) {
	_, err := Load(Options{
		Env: variables(map[string]string{"GLMTRAY_HOME": t.TempDir(), "PORT": "http", "ZCODE_PLAN": "codng-plan", "ZCODE_API_KEY": planted + " " + planted}),
		Flags: []Override{
			{Key: "provider", Value: "zia", Flag: "--provider"},
			{Key: "server.hots", Value: "127.0.0.1", Flag: "--hots"},
			{Key: "server.host", Value: "", Flag: "--host"},
		},
	})
	want := []string{
		`PORT: server.port: "http": must be a whole number from 0 to 65535`,
		`ZCODE_API_KEY: auth.apiKey: contains a character that no header can carry: must be a key: visible ASCII characters without spaces`,
		`ZCODE_PLAN: plan: "codng-plan" is not allowed here: must be coding-plan, start-plan or guest (did you mean coding-plan?)`,
		`--provider: provider: "zia" is not allowed here: must be zai, bigmodel, custom or demo (did you mean zai?)`,
		`--hots: server.hots: unknown key (did you mean server.host?)`,
		`--host: server.host: "" is not a host: must be an IP address without brackets, or a host name`,
	}
	if err == nil || !slices.Equal(strings.Split(err.Error(), "\n"), want) {
		t.Errorf("%v\nwant\n%s", err, strings.Join(want, "\n"))
	}
}

func TestChecksAcrossKeys(t *testing.T) {
	const open = "0.0.0.0"
	for _, tc := range []struct {
		name, file string
		env        map[string]string
		flags      []Override
		want       string // a part of the error; empty for none
		note       string // a part of the only note; empty for none
	}{
		{"open to the network without a key", "server: {host: 0.0.0.0}", nil, nil,
			`:1:16: server.host: "0.0.0.0" can be reached from other machines, so clients must show a key: set auth.proxyApiKey`, ""},
		{"open by environment", "", map[string]string{"ZCODE_PROXY_HOST": open}, nil, `ZCODE_PROXY_HOST: server.host: "0.0.0.0" can be reached`, ""},
		{"open by a flag", "", nil, []Override{{Key: "server.host", Value: "::", Flag: "--host"}}, `--host: server.host: "::" can be reached`, ""},
		{"open with a key", "server: {host: 0.0.0.0}", map[string]string{"API_KEY": "k"}, nil, "", ""},
		{"open in the file, closed by a flag", "server: {host: 0.0.0.0}", nil, []Override{{Key: "server.host", Value: "::1", Flag: "--host"}}, "", ""},
		{"custom without an address", "provider: custom", nil, nil,
			":1:11: provider: custom has no address: set providers.custom.anthropicBase, providers.custom.openaiBase, or both", ""},
		{"custom with one", "provider: custom\nproviders: {custom: {openaiBase: https://x.example}}", nil, nil, "", ""},
		{"custom with one from the environment", "provider: custom", map[string]string{"UPSTREAM_BASE": "https://x.example"}, nil, "", ""},
		{"a provider emptied", "providers: {zai: {openaiBase: '', anthropicBase: ''}}", nil, nil, "providers.zai.anthropicBase: and providers.zai.openaiBase must not both be empty", ""},
		{"a provider with chat alone", "providers: {zai: {anthropicBase: ''}}", nil, nil, "", ""},
		{"guest of another maker", "provider: bigmodel\nplan: guest", nil, nil, ":2:7: plan: guest is a plan of Z.AI's chat site alone", ""},
		{"a provider without what its plan needs", "providers: {zai: {anthropicBase: '', openaiBase: ''}}", nil, nil,
			":1:34: providers.zai.anthropicBase: and providers.zai.openaiBase must not both be empty: the coding plan is reached there", ""},
		{"a provider without what its plan has of its own", "plan: start-plan\nproviders: {zai: {anthropicBase: ''}}", nil, nil, "", ""},
		{"demo needs none", "provider: demo", nil, nil, "", ""},
		{"a bad file is not also checked as a whole", "provider: custom\nplan: 1\n", nil, nil, ":2:7: plan", ""},
		{"unencrypted", "provider: custom\nproviders: {custom: {openaiBase: http://x.example}}", nil, nil, "", "the key goes to http://x.example without encryption"},
		{"unencrypted to this machine", "provider: custom\nproviders: {custom: {openaiBase: http://127.0.0.1:9}}", nil, nil, "", ""},
		{"apikey without a key", "auth: {mode: apikey}", nil, nil, "", "there is no key: set auth.apiKey, providers.zai.credential or ZCODE_API_KEY"},
		{"apikey with the provider's", "auth: {mode: apikey}\nproviders: {zai: {credential: a.b}}", nil, nil, "", ""},
	} {
		t.Run(tc.name, func(t *testing.T) {
			dir := t.TempDir()
			env := map[string]string{"GLMTRAY_HOME": dir}
			for k, v := range tc.env {
				env[k] = v
			}
			l, err := Load(Options{Path: write(t, dir, "c.yaml", tc.file), Env: variables(env), Flags: tc.flags})
			if (err == nil) != (tc.want == "") || err != nil && (!strings.Contains(err.Error(), tc.want) || strings.Contains(err.Error(), "\n")) {
				t.Errorf("error %v, want %q", err, tc.want)
			}
			if err == nil && strings.Join(l.Notes, "|") != tc.note && (tc.note == "" || len(l.Notes) != 1 || !strings.Contains(l.Notes[0], tc.note)) {
				t.Errorf("notes %q, want %q", l.Notes, tc.note)
			}
		})
	}
}

func TestLoadWithoutHome(t *testing.T) {
	env := map[string]string{"HOME": "relative", "ZCODE_API_KEY": "a.b"}
	if runtime.GOOS == "windows" {
		env["USERPROFILE"] = "relative"
	}
	l := mustLoad(t, Options{Env: variables(env)})
	if l.Dirs != (Dirs{}) || l.WritePath() != "" || len(l.Searched) != 0 {
		t.Errorf("%+v", l)
	}
	if len(l.Notes) != 1 || !strings.Contains(l.Notes[0], "GLMTRAY_HOME") {
		t.Errorf("notes %q", l.Notes)
	}
	if l.Settings.Auth.APIKey.Reveal() != "a.b" {
		t.Error("the environment alone is not enough")
	}
}

func TestForeignFileInWorkingDirectory(t *testing.T) {
	dir := t.TempDir()
	path := write(t, dir, "config.yaml", "baseURL: https://example.org\ntitle: my blog\n")
	env := variables(map[string]string{"GLMTRAY_HOME": t.TempDir()})
	_, err := Load(Options{WorkDir: dir, Env: env})
	var e *Error
	if !errors.As(err, &e) || len(e.Problems) != 2 || !strings.Contains(e.Hint, "--config") || !strings.HasSuffix(err.Error(), e.Hint) {
		t.Errorf("searched: %v", err)
	}
	if _, err := Load(Options{Path: path, Env: env}); !errors.As(err, &e) || e.Hint != "" {
		t.Errorf("named: %v", err)
	}
}
