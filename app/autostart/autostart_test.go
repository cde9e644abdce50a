package autostart

import (
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"
	"unicode/utf8"
)

// nasty are commands with everything that one of the three forms treats specially.
func nasty() [][]string {
	return [][]string{
		{"/usr/bin/glmtray", "--hidden"},
		{"/opt/My Apps/glm tray", "--config", "/home/x/a b.yaml"},
		{`/a"b/c'd`, `$HOME`, "`id`", `\`, `\\n`, `%f`, `100%`, "%%"},
		{"/ü/日本", "", " ", "a&b<c>d", "tab\there", "~", "#", "(x)", "*?", `end\`},
	}
}

func TestRoundTrips(t *testing.T) {
	for _, command := range nasty() {
		a := App{Name: "glmtray", DisplayName: ` GLM \ Tray`, Exec: command}
		if got, err := commandOf(a.entry()); err != nil || !slices.Equal(got, command) {
			t.Errorf("desktop entry: %q became %q (%v)", command, got, err)
		}
		if name := unescapeString(values(a.entry())["Name"]); name != a.DisplayName {
			t.Errorf("name %q", name)
		}
		text, err := a.agent()
		if err != nil {
			t.Fatal(err)
		}
		if got, err := parseAgent(text); err != nil || !slices.Equal(got.arguments, command) {
			t.Errorf("agent: %q became %+v (%v)", command, got, err)
		}
	}
}

// TestEntryIsValid has a checker of the specification's own look at the entries, and a
// second reader of Exec keys read them.
func TestEntryIsValid(t *testing.T) {
	validate := tool(t, "desktop-file-validate")
	for _, command := range nasty() {
		file := filepath.Join(t.TempDir(), "glmtray.desktop")
		if err := os.WriteFile(file, App{Name: "glmtray", DisplayName: "GLM Tray", Exec: command}.entry(), 0o600); err != nil {
			t.Fatal(err)
		}
		if out, err := exec.Command(validate, file).CombinedOutput(); err != nil || len(out) > 0 {
			t.Errorf("%q: %v: %s", command, err, out)
		}
	}
}

// TestEntryStarts launches an entry as a desktop does, and looks at what was started.
func TestEntryStarts(t *testing.T) {
	gio := tool(t, "gio")
	dir := filepath.Join(t.TempDir(), `a b$c"d`)
	if err := os.MkdirAll(dir, 0o700); err != nil {
		t.Fatal(err)
	}
	program, out := filepath.Join(dir, "program"), filepath.Join(dir, "out")
	// A percent sign in the path of the program itself is beyond GLib: it looks for the file
	// before it reads the codes.
	script := "#!/bin/sh\nfor word; do printf '%s\\n' \"$word\"; done > \"$0.tmp\" && mv \"$0.tmp\" \"$(dirname \"$0\")/out\"\n"
	if err := os.WriteFile(program, []byte(script), 0o700); err != nil {
		t.Fatal(err)
	}
	words := []string{"--config", `/x y/%f $HOME`, "`id`", `back\slash`, `"q"`}
	file := filepath.Join(t.TempDir(), "glmtray.desktop")
	if err := os.WriteFile(file, App{Name: "glmtray", DisplayName: "GLM Tray", Exec: append([]string{program}, words...)}.entry(), 0o600); err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(gio, "launch", file)
	cmd.Env = append(os.Environ(), "DBUS_SESSION_BUS_ADDRESS=unix:path=/nonexistent")
	if text, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, text)
	}
	var got []byte
	for range 500 {
		if got, _ = os.ReadFile(out); got != nil {
			break
		}
		time.Sleep(10 * time.Millisecond)
	}
	if want := strings.Join(words, "\n") + "\n"; string(got) != want {
		t.Errorf("started with\n%swant\n%s", got, want)
	}
}

// tool finds a program. Without it the test is skipped, except where everything is to
// be tested.
func tool(t *testing.T, name string) string {
	t.Helper()
	path, err := exec.LookPath(name)
	if err == nil {
		return path
	}
	if os.Getenv("CI") == "true" {
		t.Fatalf("%s is not installed", name)
	}
	t.Skipf("%s is not installed", name)
	return ""
}

func TestStarts(t *testing.T) {
	const head = "[Desktop Entry]\nType=Application\nExec=/bin/true\n"
	for text, want := range map[string]bool{
		head: true, head + "Hidden=false\n": true,
		head + "Hidden=true\n": false, head + "X-GNOME-Autostart-enabled=false\n": false,
		head + "[Desktop Action x]\nHidden=true\n": true, head + "#Hidden=true\n": true, "": false,
	} {
		if got := starts([]byte(text)); got != want {
			t.Errorf("%q: %v", text, got)
		}
	}
}

func FuzzExec(f *testing.F) {
	for _, command := range nasty() {
		f.Add(strings.Join(command, "\x00"))
	}
	f.Fuzz(func(t *testing.T, joined string) {
		if !utf8.ValidString(joined) {
			t.Skip("no file name on the systems that we know")
		}
		command := strings.Split(strings.ReplaceAll(strings.ReplaceAll(joined, "\r", ""), "\n", ""), "\x00")
		if got, err := splitExec(unescapeString(escapeString(joinExec(command)))); err != nil || !slices.Equal(got, command) {
			t.Errorf("%q became %q (%v)", command, got, err)
		}
	})
}

func TestPossible(t *testing.T) {
	for _, a := range []App{{Name: "x"}, {Name: "x", Exec: []string{"relative"}}} {
		if a.Possible() == nil || a.Enable() == nil {
			t.Errorf("%q can start", a.Exec)
		}
	}
}

func TestExecutable(t *testing.T) {
	image := filepath.Join(t.TempDir(), "glmtray.AppImage")
	if err := os.WriteFile(image, nil, 0o700); err != nil {
		t.Fatal(err)
	}
	t.Setenv("APPIMAGE", image)
	if got, err := Executable(); err != nil || got != image {
		t.Errorf("%s %v", got, err)
	}
	t.Setenv("APPIMAGE", image+".gone")
	if got, err := Executable(); err != nil || strings.HasPrefix(got, image) {
		t.Errorf("%s %v", got, err)
	}
}
