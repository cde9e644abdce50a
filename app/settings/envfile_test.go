package settings

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// theirEnv is a .env file of anthropic-proxy.
const theirEnv = "SERVER_API_KEY=my-id.my-secret-part-1\nUPSTREAM_BASE=https://llm.example/anthropic\nAUTOTEXT_MODEL=glm-4.5\n"

// TestEnvFileLayers holds what a .env file is stronger and weaker than.
func TestEnvFileLayers(t *testing.T) {
	for name, tc := range map[string]struct {
		file, config string
		env          map[string]string
		flags        []Override
		want         map[string]string // values, with the last part of where they come from
		notes        []string
	}{
		"alone": {file: theirEnv, want: map[string]string{
			"auth.apiKey": "my-id.my-secret-part-1 .env:1", "provider": "custom .env:2", "providers.custom.anthropicBase": "https://llm.example/anthropic .env:2",
			"models.text": "glm-4.5 .env:3", "server.port": "5000 .env", "auth.mode": "forward .env",
		}, notes: []string{"is a file of anthropic-proxy", "server.port: is set to 5000", "auth.mode: is set to forward"}},
		"over the config file, whose silence it breaks": {file: theirEnv, config: "server: {port: 7}\nmodels: {text: glm-4.7}\n", want: map[string]string{
			"server.port": "7 c.yaml:1:16", "models.text": "glm-4.5 .env:3", "auth.mode": "forward .env",
		}, notes: []string{"is a file of anthropic-proxy", "auth.mode: is set to forward"}},
		"below the environment": {file: theirEnv, env: map[string]string{"PORT": "8", "AUTOTEXT_MODEL": "glm-5", "FORWARD_CLIENT_KEY": "no", "ZCODE_API_KEY": "a.b"}, want: map[string]string{
			"server.port": "8 PORT", "models.text": "glm-5 AUTOTEXT_MODEL", "auth.mode": "apikey FORWARD_CLIENT_KEY", "auth.apiKey": "a.b ZCODE_API_KEY",
		}, notes: []string{"is a file of anthropic-proxy"}},
		"below flags": {file: theirEnv, flags: []Override{{"provider", "demo", "--demo"}, {"server.port", "0", "--port"}}, want: map[string]string{
			"provider": "demo --demo", "server.port": "0 --port",
		}, notes: []string{"is a file of anthropic-proxy", "auth.mode: is set to forward"}},
		"of z-ai-proxy": {file: "TOKEN_POOL_SIZE=2\nSHOW_THINK_TAGS=yes\nTZ=UTC\n", want: map[string]string{
			"guest.poolSize": "2 .env:1", "request.thinking": "think-tags .env:2", "plan": "guest .env", "server.port": "3000 .env",
		}, notes: []string{"TZ: is not taken over", "is a file of z-ai-proxy", "server.port: is set to 3000", "plan: is set to guest"}},
		"of zcode-proxy": {file: "ZCODE_PROXY_PORT=9\nZCODE_PROVIDER=bigmodel\n", want: map[string]string{
			"server.port": "9 .env:1", "provider": "bigmodel .env:2", "auth.mode": "auto default",
		}, notes: []string{"is a file of zcode-proxy"}},
	} {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			if tc.env == nil {
				tc.env = map[string]string{}
			}
			tc.env["GLMTRAY_HOME"] = filepath.Join(dir, "home")
			opts := Options{Path: write(t, dir, "c.yaml", tc.config), Env: variables(tc.env), Flags: tc.flags}
			opts, err := opts.ReadEnvFile(write(t, dir, ".env", tc.file))
			if err != nil {
				t.Fatal(err)
			}
			l := mustLoad(t, opts)
			for key, want := range tc.want {
				got := newTable().byPath[key].get(l.Settings) + " " + strings.TrimPrefix(l.Origin(key).String(), dir+string(os.PathSeparator))
				if got != want {
					t.Errorf("%s is %s, want %s", key, got, want)
				}
			}
			if !slices.EqualFunc(l.Notes, tc.notes, strings.Contains) {
				t.Errorf("notes %q, want %q", l.Notes, tc.notes)
			}
			lackSecrets(t, nil, l.Notes)
		})
	}
}

// TestEnvFileProblems holds that a file which was named is either used or refused.
func TestEnvFileProblems(t *testing.T) {
	for name, tc := range map[string]struct{ text, want string }{
		"nobody's":       {"DATABASE_URL=x\nPORT=1\n", "is no config file of zcode-proxy, proxx, anthropic-proxy or z-ai-proxy"},
		"empty":          {"", "is no config file of"},
		"YAML":           {"port: 8080\nupstream_url: https://llm.example\n", "is no config file of"},
		"no text":        {"SERVER_API_KEY=\x00", "is no text"},
		"too large":      {theirEnv + strings.Repeat("#", maxFileBytes), "is larger than"},
		"a bad port":     {theirEnv + "PORT=http\n", `.env:4: PORT: "http": must be a whole number`},
		"a bad switch":   {theirEnv + "FORWARD_CLIENT_KEY=perhaps\n", ".env:4: FORWARD_CLIENT_KEY: must be true or false"},
		"a bad base":     {"AUTOTEXT_MODEL=a\nUPSTREAM_BASE=llm.example\n", ".env:2: UPSTREAM_BASE: does not start with http:// or https://"},
		"an open quote":  {"AUTOTEXT_MODEL=a\nSERVER_API_KEY=\"could be a secret\n", ".env:2: SERVER_API_KEY: the quote that it begins with is never closed"},
		"a bad key":      {"AUTOTEXT_MODEL=a\nSERVER_API_KEY=could be a secret\n", ".env:2: SERVER_API_KEY: contains a character"},
		"another's name": {"AUTOTEXT_MODEL=a\nSERVER_API_KEY=${KEY}\n", ".env:2: SERVER_API_KEY: its value comes from KEY"},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := Options{}.ReadEnvFile(write(t, t.TempDir(), ".env", tc.text))
			if err == nil || !strings.Contains(err.Error(), tc.want) || strings.Contains(err.Error(), "could be a secret") {
				t.Errorf("%v, want %s", err, tc.want)
			}
		})
	}
	if _, err := (Options{}).ReadEnvFile(filepath.Join(t.TempDir(), "nix")); err == nil || !strings.HasSuffix(err.Error(), "nix: does not exist (named by --env-file)") {
		t.Error(err)
	}
	if _, err := (Options{}).ReadEnvFile(t.TempDir()); err == nil {
		t.Error("a folder was read")
	}
}

// TestFoundEnvFile holds that a .env file which nobody named changes nothing unless it is
// surely anthropic-proxy's and there is nothing else to go by.
func TestFoundEnvFile(t *testing.T) {
	const named, byEnv, here, own = "named", "by the environment", "in the working directory", "in the own folder"
	for name, tc := range map[string]struct {
		text   string
		config string // where there is a config file
		read   bool
		note   string // "": there is none
	}{
		"its own":                  {text: theirEnv, read: true, note: ".env: is read, as anthropic-proxy does that"},
		"its own, and more":        {text: theirEnv + "DATABASE_URL=x\n", read: true, note: "DATABASE_URL: is not taken over"},
		"none":                     {},
		"an unrelated project's":   {text: "PORT=4000\nAPI_KEY=could-be-a-secret\nDATABASE_URL=x\nOPENAI_API_KEY=x\n"},
		"damaged":                  {text: "\x00\x01"},
		"no .env at all":           {text: "port: 1\nupstream_url: https://llm.example\n"},
		"z-ai-proxy's":             {text: "TOKEN_POOL_SIZE=2\nSHOW_THINK_TAGS=true\nAPI_KEY=x\nPORT=1\n"},
		"zcode-proxy's":            {text: "ZCODE_PROXY_PORT=1\nZCODE_PROVIDER=bigmodel\nZCODE_API_KEY=a.b\n"},
		"one variable":             {text: "PORT=4000\nAUTOVISION_MODEL=yolo.pt\n", note: "looks like a file of anthropic-proxy, but is not read, as it may be another program's"},
		"two that others may have": {text: "SERVER_API_KEY=x\nUPSTREAM_BASE=https://gateway.example\nPORT=1\n", note: "name it with --env-file"},
		"one of them thrice":       {text: "SERVER_API_KEY=x\nSERVER_API_KEY=y\nSERVER_API_KEY=z\n", note: "is not read"},
		"beside a config file":     {text: theirEnv, config: here, note: "is not read, as there is a config file"},
		"beside the own one":       {text: theirEnv, config: own, note: "is not read, as there is a config file"},
		"beside a named one":       {text: theirEnv, config: named, note: "is not read, as there is a config file"},
		"beside another named one": {text: theirEnv, config: byEnv, note: "is not read, as there is a config file"},
	} {
		t.Run(name, func(t *testing.T) {
			home, work := t.TempDir(), t.TempDir()
			env := map[string]string{"GLMTRAY_HOME": home}
			opts := Options{WorkDir: work, Env: variables(env)}
			if tc.text != "" {
				write(t, work, ".env", tc.text)
			}
			switch tc.config {
			case named:
				opts.Path = write(t, home, "c.yaml", "")
			case byEnv:
				env["ZCODE_PROXY_CONFIG"] = write(t, home, "c.yaml", "")
			case here:
				write(t, work, "config.yaml", "")
			case own:
				write(t, filepath.Join(home, "config"), "config.yaml", "")
			}
			plain := mustLoad(t, opts)
			opts, err := opts.FindEnvFile()
			if err != nil {
				t.Fatal(err)
			}
			l := mustLoad(t, opts)
			if tc.read && (l.Settings.Models.Text != "glm-4.5" || l.Settings.Server.Port != 5000) {
				t.Errorf("it is not read: %+v", l)
			}
			for _, k := range Schema() {
				if !tc.read && (k.get(l.Settings) != k.get(plain.Settings) || l.Origin(k.Path) != plain.Origin(k.Path)) {
					t.Errorf("%s has become %q (%s)", k.Path, k.get(l.Settings), l.Origin(k.Path))
				}
			}
			if notes := strings.Join(l.Notes, "\n"); (tc.note == "") != (notes == "") || !strings.Contains(notes, tc.note) {
				t.Errorf("notes: %s", notes)
			}
			lackSecrets(t, nil, l.Notes)
		})
	}
	// One that is surely meant, but cannot be used, is told rather than passed over.
	work := t.TempDir()
	write(t, work, ".env", theirEnv+"PORT=http\n")
	opts := Options{WorkDir: work, Env: variables(map[string]string{"GLMTRAY_HOME": t.TempDir()})}
	if _, err := opts.FindEnvFile(); err == nil || !strings.Contains(err.Error(), ".env:4: PORT") {
		t.Error(err)
	}
}

// TestServersKey holds that anthropic-proxy's key is used for requests without one alone,
// unless somebody says otherwise.
func TestServersKey(t *testing.T) {
	for name, tc := range map[string]struct {
		env          map[string]string
		file         string
		mode, origin string
	}{
		"alone":              {map[string]string{"SERVER_API_KEY": "a.b"}, "", ModeForward, "SERVER_API_KEY"},
		"with a mode":        {map[string]string{"SERVER_API_KEY": "a.b", "FORWARD_CLIENT_KEY": "false"}, "", ModeAPIKey, "FORWARD_CLIENT_KEY"},
		"with a mode's file": {map[string]string{"SERVER_API_KEY": "a.b"}, "auth: {mode: auto}", ModeAuto, "c.yaml:1:14"},
		"with our own key":   {map[string]string{"SERVER_API_KEY": "a.b", "ZCODE_API_KEY": "c.d"}, "", ModeAuto, "default"},
		"a switch as a word": {map[string]string{"FORWARD_CLIENT_KEY": "ON"}, "", ModeForward, "FORWARD_CLIENT_KEY"},
	} {
		dir := t.TempDir()
		tc.env["GLMTRAY_HOME"] = dir
		l := mustLoad(t, Options{Path: write(t, dir, "c.yaml", tc.file), Env: variables(tc.env)})
		if origin := filepath.Base(l.Origin("auth.mode").String()); l.Settings.Auth.Mode != tc.mode || origin != tc.origin {
			t.Errorf("%s: %s from %s", name, l.Settings.Auth.Mode, origin)
		}
	}
}

// TestMovedBase holds that nothing goes to a provider's own server any more where the
// environment names another one.
func TestMovedBase(t *testing.T) {
	const moved = "https://llm.example/anthropic"
	for name, tc := range map[string]struct{ base, provider, file, want string }{
		"to Bigmodel":     {bigmodelAnthropicBase, "", "", bigmodelOpenAIBase},
		"to Z.AI":         {zaiAnthropicBase, "", "provider: bigmodel", ""},
		"moved":           {moved, "zai", "", ""},
		"Bigmodel":        {moved, "bigmodel", "", ""},
		"custom":          {moved, "custom", "", ""},
		"both moved":      {moved, "zai", "providers: {zai: {openaiBase: https://llm.example/v1}}", "https://llm.example/v1"},
		"its own":         {zaiAnthropicBase + "/", "zai", "", zaiOpenAIBase},
		"moved in a file": {"", "zai", "providers: {zai: {anthropicBase: https://llm.example/anthropic}}", zaiOpenAIBase},
	} {
		dir := t.TempDir()
		l := mustLoad(t, Options{Path: write(t, dir, "c.yaml", tc.file), Env: variables(map[string]string{
			"GLMTRAY_HOME": dir, "UPSTREAM_BASE": tc.base, "ZCODE_PROVIDER": tc.provider,
		})})
		if got := l.Settings.Active().OpenAIBase; got != tc.want {
			t.Errorf("%s: %q, want %q", name, got, tc.want)
		}
	}
}
