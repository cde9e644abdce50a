package main_test

import (
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// A foreign is a file of another program and what becomes of it.
type foreign struct {
	name, text string
	program    string
	shown      map[string]string // by key, as config show prints them
}

func foreigns() []foreign {
	return []foreign{
		{"their.yaml", "server:\n  port: 9191\nauth:\n  apiKey: " + ownKey + "\n  proxyApiKey: " + proxyKey + "\nprovider: bigmodel\ndefaultModel: glm-4.6\n",
			"zcode-proxy", map[string]string{"server.port": "9191", "auth.apiKey": shownOwn, "auth.proxyApiKey": shownProxy, "provider": "bigmodel"}},
		{"their.yaml", "port: 9292\nupstream_url: https://llm.example/anthropic\nmax_retries: 0\n",
			"proxx", map[string]string{"server.port": "9292", "provider": "custom", "retry.maxRetries": "0", "auth.mode": "forward", "identity.profile": "claude-code"}},
		{".env", "SERVER_API_KEY=\"" + ownKey + "\" # the server's\nFORWARD_CLIENT_KEY=true\nAUTOTEXT_MODEL=glm-4.6\n",
			"anthropic-proxy", map[string]string{"server.port": "5000", "auth.apiKey": shownOwn, "auth.mode": "forward", "models.text": "glm-4.6"}},
		{".env", "TOKEN_POOL_SIZE=3\nAPI_KEY=" + proxyKey + "\nSHOW_THINK_TAGS=true\n",
			"z-ai-proxy", map[string]string{"server.port": "3000", "auth.proxyApiKey": shownProxy, "plan": "guest", "guest.poolSize": "3", "request.thinking": "think-tags"}},
		{"docker-compose.yml", "services:\n  web:\n    ports: ['9393:8080']\n    environment:\n      - ZCODE_API_KEY=" + ownKey + "\n",
			"zcode-proxy (docker-compose)", map[string]string{"server.port": "9393", "auth.apiKey": shownOwn}},
	}
}

// TestConfigImport takes over a file of each program, and asks the program what is in
// force then. No key may be seen on the way.
func TestConfigImport(t *testing.T) {
	t.Parallel()
	for _, tc := range foreigns() {
		t.Run(tc.program, func(t *testing.T) {
			t.Parallel()
			m := newMachine(t)
			writeFile(t, filepath.Join(m.work, tc.name), tc.text)
			got := m.run(t, nil, "config", "import", tc.name)
			if got.code != 0 || got.stderr != "" {
				t.Fatalf("exit code %d: %s", got.code, got.stderr)
			}
			wants(t, got.stdout, tc.name+" is a file of "+tc.program+".")
			lacks(t, got.stdout, secretMiddle)
			show := m.run(t, nil, "config", "show")
			for key, want := range tc.shown {
				if value, origin := shown(t, show.stdout, key); value != want || !strings.Contains(origin, "config.yaml") {
					t.Errorf("%s is %q from %s, want %q", key, value, origin, want)
				}
			}
			if text := read(t, filepath.Join(m.work, tc.name)); text != tc.text {
				t.Errorf("the foreign file has become:\n%s", text)
			}
			again := m.run(t, nil, "config", "import", tc.name)
			wants(t, again.stdout, "There is nothing to change", "Already so")
		})
	}
}

// TestConfigImportKeeps holds that what a person has set stays, comments too, unless they
// say otherwise.
func TestConfigImportKeeps(t *testing.T) {
	t.Parallel()
	m := newMachine(t)
	m.configure(t, "# mine\nserver:\n  port: 7777 # stays\nauth:\n  proxyApiKey: "+clientKey+"\n")
	before := read(t, m.config())
	writeFile(t, filepath.Join(m.work, ".env"), "API_KEY="+proxyKey+"\nTOKEN_POOL_SIZE=2\nPORT=3333\nHOME=/x\n")

	got := m.run(t, nil, "config", "import", "--print", ".env")
	if got.code != 0 || read(t, m.config()) != before {
		t.Fatalf("--print: exit code %d, the file:\n%s", got.code, read(t, m.config()))
	}
	wants(t, got.stdout, "# mine\nserver:\n  port: 7777 # stays\n", "proxyApiKey: "+clientKey, "poolSize: 2")
	lacks(t, got.stdout, "3333", "note")
	wants(t, got.stderr, "It would be taken over into", ".env:4: HOME:")
	lacks(t, got.stderr, secretMiddle)

	got = m.run(t, nil, "config", "import", ".env")
	wants(t, got.stdout, "Not taken over, since", "server.port: 3333", "auth.proxyApiKey: "+shownProxy)
	lacks(t, got.stdout, secretMiddle)
	wants(t, read(t, m.config()), "# mine", "port: 7777 # stays", clientKey, "poolSize: 2")

	got = m.run(t, nil, "config", "import", "--force", ".env")
	wants(t, got.stdout, "Instead of what stood there:", "server.port: 3333")
	lacks(t, got.stdout, secretMiddle)
	wants(t, read(t, m.config()), "# mine", "port: 3333 # stays", proxyKey)
	lacks(t, read(t, m.config()), clientKey)
}

// TestConfigImportTarget holds which file is written: never the foreign one.
func TestConfigImportTarget(t *testing.T) {
	t.Parallel()
	const file = "port: 9090\nmax_retries: 1\n"
	m := newMachine(t)
	own, named := filepath.Join(m.home, "glmtray", "config", "config.yaml"), filepath.Join(m.work, "deep", "new.yaml")
	m.configure(t, file)
	got := m.run(t, nil, "config", "import", "config.yaml")
	wants(t, got.stdout, own, "still reads")
	wants(t, read(t, own), "port: 9090", "mode: forward")
	got = m.run(t, nil, "config", "import", "config.yaml", "--config", named)
	if got.code != 0 {
		t.Fatal(got.stderr)
	}
	wants(t, read(t, named), "port: 9090")
	got = m.run(t, []string{"ZCODE_PROXY_CONFIG=" + named + "2"}, "config", "import", "config.yaml")
	if got.code != 0 {
		t.Fatal(got.stderr)
	}
	wants(t, read(t, named+"2"), "port: 9090")
	lacks(t, got.stdout, "still reads")
	for _, tc := range [][]string{{"--config", "config.yaml"}, {"--config", m.config()}} {
		got = m.run(t, nil, append([]string{"config", "import", "config.yaml"}, tc...)...)
		if got.code != 2 || !strings.Contains(got.stderr, "name another one") {
			t.Errorf("%q: exit code %d: %s", tc, got.code, got.stderr)
		}
	}
	if got := read(t, m.config()); got != file {
		t.Errorf("the foreign file has become:\n%s", got)
	}
}

// TestConfigImportRefuses holds that a file that is none of these, or whose settings
// could not start, leaves everything as it is, with exit code 2.
func TestConfigImportRefuses(t *testing.T) {
	t.Parallel()
	m := newMachine(t)
	open := "ZCODE_PROXY_HOST=0.0.0.0\nZCODE_API_KEY=" + ownKey + "\n"
	writeFile(t, filepath.Join(m.work, "open.env"), open)
	writeFile(t, filepath.Join(m.work, "other.env"), "DATABASE_URL="+ownKey+"\n")
	writeFile(t, filepath.Join(m.work, "ours.yaml"), "retry:\n  maxRetries: 1\n")
	for name, tc := range map[string]struct {
		args []string
		want string
	}{
		"another program's": {[]string{"other.env"}, "other.env: is no config file of zcode-proxy, proxx, anthropic-proxy or z-ai-proxy"},
		"our own":           {[]string{"ours.yaml"}, "needs no import"},
		"missing":           {[]string{"none.env"}, "none.env"},
		"a folder":          {[]string{"."}, "directory"},
		"no file":           {nil, "accepts 1 arg"},
		"two files":         {[]string{"open.env", "other.env"}, "accepts 1 arg"},
		"open to all":       {[]string{"open.env"}, "set auth.proxyApiKey"},
		"open, printed":     {[]string{"--print", "open.env"}, "set auth.proxyApiKey"},
	} {
		if name == "a folder" && os.PathSeparator == '\\' {
			continue // Windows has other words
		}
		got := m.run(t, nil, append([]string{"config", "import"}, tc.args...)...)
		if got.code != 2 || got.stdout != "" || !strings.Contains(got.stderr, tc.want) {
			t.Errorf("%s: exit code %d: %q %q", name, got.code, got.stdout, got.stderr)
		}
		lacks(t, got.stderr, secretMiddle)
	}
	if _, err := os.Stat(filepath.Join(m.home, "glmtray", "config")); !os.IsNotExist(err) {
		t.Errorf("something was written: %v", err)
	}
}

// TestConfigImportServes holds that a program that is started after an import has its
// clients' key.
func TestConfigImportServes(t *testing.T) {
	t.Parallel()
	m := newMachine(t)
	writeFile(t, filepath.Join(m.work, "their.env"), "ZCODE_PROXY_API_KEY="+proxyKey+"\nZCODE_PROXY_PORT=0\n")
	if got := m.run(t, nil, "config", "import", "their.env"); got.code != 0 {
		t.Fatal(got.stderr)
	}
	s := m.serve(t, nil, "--demo")
	for key, want := range map[string]int{proxyKey: http.StatusOK, "another": http.StatusUnauthorized} {
		r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, s.url+"/v1/models", nil)
		if err != nil {
			t.Fatal(err)
		}
		r.Header.Set("Authorization", "Bearer "+key)
		answer, err := http.DefaultClient.Do(r)
		if err != nil {
			t.Fatal(err)
		}
		if answer.Body.Close(); answer.StatusCode != want {
			t.Errorf("%d, want %d", answer.StatusCode, want)
		}
	}
}

// read is the content of a file.
func read(t *testing.T, path string) string {
	t.Helper()
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return string(data)
}
