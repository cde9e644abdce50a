package settings

import (
	"errors"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
)

// TestSetText holds the text of the file after a change: everything else stays as it is.
func TestSetText(t *testing.T) {
	for _, tc := range []struct {
		name, before, key, value, want string
	}{
		{"no file text", "", "plan", "start-plan", "plan: start-plan\n"},
		{"missing groups", "", "providers.custom.openaiBase", "https://x.example", "providers:\n  custom:\n    openaiBase: https://x.example\n"},
		{"comments alone", "# mine\n\n# more\n", "server.port", "81", "# mine\n\n# more\nserver:\n  port: 81\n"},
		{"plain value", "# head\n\nserver:\n  # the port\n  port:   80   # why\n\n  host: ::1\n", "server.port", "81",
			"# head\n\nserver:\n  # the port\n  port:   81   # why\n\n  host: ::1\n"},
		{"double quotes", "plan: \"coding-plan\" # x\n", "plan", "start-plan", "plan: start-plan # x\n"},
		{"escapes", `identity: {sourceTitle: "a\"b\\", appVersion: 'it''s'}`, "identity.sourceTitle", "c", `identity: {sourceTitle: c, appVersion: 'it''s'}`},
		{"single quotes", `identity: {sourceTitle: "a\"b\\", appVersion: 'it''s'}`, "identity.appVersion", "1", `identity: {sourceTitle: "a\"b\\", appVersion: "1"}`},
		{"last line without an end", "plan: coding-plan", "plan", "start-plan", "plan: start-plan"},
		{"new key after a line without an end", "plan: coding-plan", "provider", "demo", "plan: coding-plan\nprovider: demo\n"},
		{"CRLF", "server:\r\n  port: 80\r\nplan: coding-plan\r\n", "server.host", "::1", "server:\r\n  port: 80\r\n  host: ::1\r\nplan: coding-plan\r\n"},
		{"wide indentation", "server:\n      port: 80\nplan: coding-plan\n", "server.host", "::1", "server:\n      port: 80\n      host: ::1\nplan: coding-plan\n"},
		{"empty group", "auth:\n  # mode: auto\nplan: coding-plan\n", "auth.mode", "oauth", "auth:\n  mode: oauth\n  # mode: auto\nplan: coding-plan\n"},
		{"missing second level", "providers:\n  zai:\n    credential: a.b\nplan: coding-plan\n", "providers.custom.openaiBase", "https://x.example",
			"providers:\n  zai:\n    credential: a.b\n  custom:\n    openaiBase: https://x.example\nplan: coding-plan\n"},
		{"null value", "auth:\n  apiKey: # none yet\n", "auth.apiKey", "a.b", "auth:\n  apiKey: a.b # none yet\n"},
		{"null spelled out", "request:\n  temperature: null\n", "request.temperature", "0.5", "request:\n  temperature: 0.5\n"},
		{"unset", "request:\n  temperature: 0.5 # cool\n", "request.temperature", "", "request:\n  temperature: null # cool\n"},
		{"emptied", "auth:\n  apiKey: a.b\n", "auth.apiKey", "", "auth:\n  apiKey: \"\"\n"},
		{"text that looks like a number", "identity:\n  appVersion: 3.2.2\n", "identity.appVersion", "3.2", "identity:\n  appVersion: \"3.2\"\n"},
		{"text with a hash", "auth:\n  apiKey: a.b\n", "auth.apiKey", "#a", "auth:\n  apiKey: '#a'\n"},
		{"key before in another script", "identity: {sourceTitle: \"x\", appVersion: 1.2.3}\n", "identity.appVersion", "9.9.9", "identity: {sourceTitle: \"x\", appVersion: 9.9.9}\n"},
		{"new key in a flow group", "server: {port: 80} # x\n", "server.host", "::1", "server: {port: 80, host: '::1'} # x\n"},
		{"empty flow group", "server: {}\nplan: coding-plan\n", "server.port", "1", "server: {port: 1}\nplan: coding-plan\n"},
		{"group spelled null", "server: ~\n", "server.port", "1", "server:\n  port: 1\n"},
		{"block text", "identity:\n  appVersion: >-\n    3.2.2\n  sourceTitle: cli\n", "identity.appVersion", "4.0.0", "identity:\n  appVersion: 4.0.0\n  sourceTitle: cli\n"},
		{"after block text", "identity:\n  appVersion: >-\n    3.2.2\nplan: coding-plan\n", "identity.sourceTitle", "x", "identity:\n  appVersion: >-\n    3.2.2\n  sourceTitle: x\nplan: coding-plan\n"},
		{"number spelled in hexadecimal", "server:\n  port: 0x50\n", "server.port", "81", "server:\n  port: 81\n"},
		{"tagged", "server:\n  port: !!int 80\n", "server.port", "81", "server:\n  port: 81\n"},
		{"switch", "app:\n  startProxy: yes # mine\n", "app.startProxy", "false", "app:\n  startProxy: false # mine\n"},
		{"new switch", "plan: coding-plan\n", "app.notify.quota", "false", "plan: coding-plan\napp:\n  notify:\n    quota: false\n"},
		{"end of document", "plan: coding-plan\n...\n", "provider", "demo", "plan: coding-plan\nprovider: demo\n"},
		{"byte order mark", "\ufeffplan: coding-plan\n", "plan", "start-plan", "\ufeffplan: start-plan\n"},
		{"same value", "plan:   'start-plan'\n", "plan", "start-plan", "plan:   start-plan\n"},
		{"repair", "server:\n  port: http\n", "server.port", "81", "server:\n  port: 81\n"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			path := write(t, t.TempDir(), "c.yaml", tc.before)
			if err := Set(path, Change{tc.key, tc.value}); err != nil {
				t.Fatal(err)
			}
			got, err := os.ReadFile(path)
			if err != nil {
				t.Fatal(err)
			}
			if string(got) != tc.want {
				t.Errorf("got\n%s\nwant\n%s", got, tc.want)
			}
			if _, err := Load(Options{Path: path, Env: variables(map[string]string{"GLMTRAY_HOME": t.TempDir()})}); err != nil {
				t.Error(err)
			}
		})
	}
}

func TestSetRefuses(t *testing.T) {
	const keep = "server:\n  port: 80\n"
	for _, tc := range []struct {
		name, before string
		changes      []Change
		want         string // a part of the error
	}{
		{"unknown key", keep, []Change{{"server.prot", "1"}}, "server.prot: unknown key"},
		{"bad value", keep, []Change{{"server.port", "x"}}, "server.port: \"x\": must be a whole number"},
		{"all or none", keep, []Change{{"plan", "start-plan"}, {"server.port", "x"}}, "server.port"},
		{"another key is wrong", "plan: nonsense\n", []Change{{"server.port", "1"}}, "plan: \"nonsense\" is not allowed"},
		{"no YAML", "plan: [", []Change{{"server.port", "1"}}, "not valid YAML"},
		{"two documents", "plan: coding-plan\n---\nx: 1\n", []Change{{"plan", "start-plan"}}, "second document"},
		{"too large", "#" + strings.Repeat("x", maxFileBytes), []Change{{"plan", "start-plan"}}, "larger than 256 KiB"},
		{"list", "- 1\n", []Change{{"plan", "start-plan"}}, "the file must hold keys and values"},
		{"value for a group", "server: 80\n", []Change{{"server.port", "1"}}, "server: must hold the keys host or port"},
		{"twice", "plan: coding-plan\nplan: coding-plan\n", []Change{{"plan", "start-plan"}}, "stands here again"},
		{"proxx's file", "port: 80\n", []Change{{"server.port", "1"}}, "is proxx's file, which is read but never changed"},
		{"alias", "providers: {zai: &z {credential: a.b}, custom: *z}\n", []Change{{"providers.custom.openaiBase", "https://x.example"}}, "cannot be changed in place"},
		{"anchor in use", "identity: {sourceTitle: &t here, appVersion: *t}\n", []Change{{"identity.sourceTitle", "x"}}, "cannot be changed in place"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			dir := t.TempDir()
			path := write(t, dir, "c.yaml", tc.before)
			err := Set(path, tc.changes...)
			var e *Error
			if !errors.As(err, &e) || !strings.Contains(err.Error(), tc.want) {
				t.Errorf("error %v, want %s", err, tc.want)
			}
			if got, err := os.ReadFile(path); err != nil || string(got) != tc.before {
				t.Errorf("the file changed: %q, %v", got, err)
			}
			if entries, err := os.ReadDir(dir); err != nil || len(entries) != 1 {
				t.Errorf("left behind: %v, %v", entries, err)
			}
		})
	}
}

func TestSetSeveral(t *testing.T) {
	path := write(t, t.TempDir(), "c.yaml", "")
	if err := Set(path, Change{"provider", "bigmodel"}, Change{"auth.apiKey", " " + planted + " "}, Change{"server.port", "0"}); err != nil {
		t.Fatal(err)
	}
	l := mustLoad(t, Options{Path: path, Env: variables(map[string]string{"GLMTRAY_HOME": t.TempDir()})})
	if l.Settings.Provider != ProviderBigmodel || l.Settings.Auth.APIKey.Reveal() != planted || l.Settings.Server.Port != 0 {
		t.Errorf("%+v", l.Settings)
	}
}

func TestSetCreatesTheFile(t *testing.T) {
	path := filepath.Join(t.TempDir(), "new", "folder", "config.yaml")
	if err := Set(path, Change{"plan", "start-plan"}); err != nil {
		t.Fatal(err)
	}
	if runtime.GOOS == "windows" {
		return
	}
	for name, want := range map[string]os.FileMode{path: 0o600, filepath.Dir(path): 0o700} {
		if info, err := os.Stat(name); err != nil || info.Mode().Perm() != want {
			t.Errorf("%s: %v, %v", name, info.Mode(), err)
		}
	}
}

func TestSetKeepsModeAndLinks(t *testing.T) {
	if runtime.GOOS == "windows" {
		t.Skip("neither is the same there")
	}
	dir := t.TempDir()
	real := write(t, dir, "dotfiles/glmtray.yaml", "plan: coding-plan\n")
	if err := os.Chmod(real, 0o640); err != nil {
		t.Fatal(err)
	}
	link, second := filepath.Join(dir, "link.yaml"), filepath.Join(dir, "second.yaml")
	for name, target := range map[string]string{link: "dotfiles/glmtray.yaml", second: link} {
		if err := os.Symlink(target, name); err != nil {
			t.Fatal(err)
		}
	}
	if err := Set(second, Change{"plan", "start-plan"}); err != nil {
		t.Fatal(err)
	}
	if got, err := os.ReadFile(real); err != nil || string(got) != "plan: start-plan\n" {
		t.Errorf("target: %q, %v", got, err)
	}
	if info, err := os.Lstat(real); err != nil || info.Mode().Perm() != 0o640 {
		t.Errorf("mode %v, %v", info.Mode(), err)
	}
	if target, err := os.Readlink(second); err != nil || target != link {
		t.Errorf("the link is gone: %q, %v", target, err)
	}

	dangling := filepath.Join(dir, "dangling.yaml")
	if err := os.Symlink("later.yaml", dangling); err != nil {
		t.Fatal(err)
	}
	if err := Set(dangling, Change{"plan", "start-plan"}); err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(filepath.Join(dir, "later.yaml")); err != nil {
		t.Error(err)
	}

	loop := filepath.Join(dir, "loop.yaml")
	if err := os.Symlink("loop.yaml", loop); err != nil {
		t.Fatal(err)
	}
	if err := Set(loop, Change{"plan", "start-plan"}); err == nil || !strings.Contains(err.Error(), "too many symbolic links") {
		t.Errorf("loop: %v", err)
	}
}

func TestSetReportsTheSystemsErrors(t *testing.T) {
	dir := t.TempDir()
	file := write(t, dir, "file", "")
	if err := Set(filepath.Join(file, "c.yaml"), Change{"plan", "start-plan"}); err == nil {
		t.Error("a file was taken for a folder")
	}
	if err := Set(dir, Change{"plan", "start-plan"}); err == nil {
		t.Error("a folder was taken for a file")
	}
	if runtime.GOOS == "windows" || os.Geteuid() == 0 {
		t.Skip("permissions do not bind this user")
	}
	path := write(t, dir, "sealed/c.yaml", "plan: coding-plan\n")
	if err := os.Chmod(filepath.Dir(path), 0o500); err != nil {
		t.Fatal(err)
	}
	if err := Set(path, Change{"plan", "start-plan"}); !errors.Is(err, os.ErrPermission) {
		t.Errorf("read-only folder: %v", err)
	}
	if err := os.Chmod(filepath.Dir(path), 0o700); err != nil { // for the test's own cleaning up
		t.Fatal(err)
	}
	if got, err := os.ReadFile(path); err != nil || string(got) != "plan: coding-plan\n" {
		t.Errorf("%q, %v", got, err)
	}
}
