package main_test

import (
	"strings"
	"testing"
)

// TestEnvFile holds what --env-file takes, and that a .env file of some other project in
// the working directory is never looked at by itself.
func TestEnvFile(t *testing.T) {
	t.Parallel()
	const unrelated = "PORT=4000\nAPI_KEY=PLANTED-key-of-another-project\nDATABASE_URL=postgres://localhost\n"
	plain := setup{}.machine(t).run(t, nil, "config", "show").stdout
	for _, command := range []string{"show", "check", "path"} {
		m := setup{files: map[string]string{".env": unrelated}}.machine(t)
		got := m.run(t, nil, "config", command)
		lacks(t, got.stdout+got.stderr, secretMiddle, ".env", "4000")
		if command == "show" && got.stdout != plain {
			t.Errorf("beside an unrelated file:\n%s", got.stdout)
		}
	}
	for name, tc := range map[string]struct {
		files map[string]string
		args  []string
		says  []string
	}{
		"unrelated":   {map[string]string{"a.env": unrelated}, []string{"--env-file", "a.env"}, []string{"a.env: is no config file of zcode-proxy"}},
		"missing":     {nil, []string{"--env-file", "a.env"}, []string{"a.env: does not exist (named by --env-file)"}},
		"empty name":  {nil, []string{"--env-file", ""}, []string{"--env-file"}},
		"found, bad":  {map[string]string{".env": strings.Replace(anthropicFile, "https://api", "httpz://api", 1)}, nil, []string{".env:4: UPSTREAM_BASE"}},
		"bad with it": {map[string]string{"a.env": anthropicFile}, []string{"--env-file", "a.env", "--port", "web"}, []string{"--port"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			setup{files: tc.files, args: tc.args}.refused(t, tc.says...)
		})
	}
	m := setup{files: map[string]string{"a.env": anthropicFile, "config.yaml": "server:\n  port: 7777\n"}}.machine(t)
	got := m.run(t, []string{"AUTOTEXT_MODEL=glm-4.6"}, "config", "show", "--env-file", "a.env")
	for key, want := range map[string]string{
		"server.port": "7777 config.yaml:2:9", "models.text": "glm-4.6 AUTOTEXT_MODEL", "models.vision": "glm-4.5v a.env:10", "auth.apiKey": shownOwn + " a.env:2",
	} {
		value, origin := shown(t, got.stdout, key)
		if !strings.HasSuffix(value+" "+origin, strings.Fields(want)[1]) || !strings.HasPrefix(value, strings.Fields(want)[0]) {
			t.Errorf("%s is %s from %s, want %s", key, value, origin, want)
		}
	}
	wants(t, m.run(t, nil, "config", "check", "--env-file", "a.env").stdout, "note: a.env: is a file of anthropic-proxy", "ok: ")
	// The tray's program is no stand-in for another one.
	if got := m.run(t, nil, "--env-file", "a.env"); got.code != 2 || !strings.Contains(got.stderr, "unknown flag: --env-file") {
		t.Errorf("%d %s", got.code, got.stderr)
	}
}
