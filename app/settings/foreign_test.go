package settings

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/rogpeppe/go-internal/txtar"
)

// TestForeign takes over the files in testdata/foreign, each with the changes, the notes
// and the format that must come out, and loads the outcome as a file of ours.
func TestForeign(t *testing.T) {
	files, err := filepath.Glob("testdata/foreign/*.txtar")
	if err != nil || len(files) == 0 {
		t.Fatal(files, err)
	}
	for _, file := range files {
		t.Run(filepath.Base(file), func(t *testing.T) {
			archive, err := txtar.ParseFile(file)
			if err != nil {
				t.Fatal(err)
			}
			input := archive.Files[0]
			changes, notes, format, err := Foreign(input.Name, input.Data)
			if err != nil {
				t.Fatal(err)
			}
			roundTrip(t, changes)
			lackSecrets(t, changes, notes)
			got := foreignOutcome(changes, notes, format)
			// What editors on Windows make of it means the same.
			windows := append([]byte(byteOrderMark), bytes.ReplaceAll(input.Data, []byte("\n"), []byte("\r\n"))...)
			changes, notes, format, err = Foreign(input.Name, windows)
			if again := foreignOutcome(changes, notes, format); err != nil || again != got {
				t.Errorf("with CRLF: %v\n%s", err, again)
			}
			if *update {
				archive.Files = append(archive.Files[:1], txtar.File{Name: "want", Data: []byte(got)})
				if err := os.WriteFile(file, txtar.Format(archive), 0o644); err != nil {
					t.Fatal(err)
				}
				return
			}
			if len(archive.Files) != 2 || string(archive.Files[1].Data) != got {
				t.Errorf("got\n%s", got)
			}
		})
	}
}

func foreignOutcome(changes []Change, notes []string, format string) string {
	out := "format: " + format + "\n"
	for _, c := range changes {
		out += fmt.Sprintf("%s = %s\n", c.Key, c.Value)
	}
	for _, n := range notes {
		out += "note: " + n + "\n"
	}
	return out
}

// roundTrip holds that a file with these changes loads and has their values.
func roundTrip(t *testing.T, changes []Change) {
	t.Helper()
	dir := t.TempDir()
	path := filepath.Join(dir, "config.yaml")
	preview, err := Preview(path, variables(nil), changes...)
	if err != nil {
		t.Fatal(err)
	}
	if err := Set(path, changes...); err != nil {
		t.Fatal(err)
	}
	written, err := os.ReadFile(path)
	if err != nil || len(changes) > 0 && !bytes.Equal(written, preview) {
		t.Errorf("%v; Preview\n%s\nSet\n%s", err, preview, written)
	}
	l := mustLoad(t, Options{Path: path, Env: variables(map[string]string{"GLMTRAY_HOME": dir})})
	for _, c := range changes {
		if got := newTable().byPath[c.Key].get(l.Settings); got != c.Value || l.Origin(c.Key).From != FromFile {
			t.Errorf("%s is %q from %s, want %q", c.Key, got, l.Origin(c.Key), c.Value)
		}
	}
	same, err := Compare(path, changes...)
	if err != nil || len(same.Same) != len(changes) {
		t.Errorf("%+v, %v", same, err)
	}
}

// lackSecrets holds that neither notes nor changes in print show a secret.
func lackSecrets(t *testing.T, changes []Change, notes []string) {
	t.Helper()
	for _, c := range changes {
		if newTable().byPath[c.Key].Secret && strings.Contains(fmt.Sprintf("%v %+v %s", c, changes, notes), c.Value) {
			t.Errorf("%s is shown", c.Key)
		}
	}
	for _, n := range notes {
		if strings.Contains(n, "could be a secret") || strings.Contains(n, "c2VjcmV0") || strings.Contains(n, "my-") {
			t.Errorf("shows what may be a secret: %s", n)
		}
	}
}

func TestForeignRefuses(t *testing.T) {
	const none = "f: is no config file of zcode-proxy, proxx, anthropic-proxy or z-ai-proxy: "
	for name, tc := range map[string]struct{ text, want string }{
		"nothing":            {"", none},
		"prose":              {"Dear reader,\nthis is no file of settings.\n", none},
		"another .env":       {"PORT=3000\nAPI_KEY=x\nDATABASE_URL=postgres://x\n", none},
		"a list":             {"- a\n- b\n", none},
		"JSON of another":    {`{"name": "x", "version": "1.0.0"}`, none},
		"Spring":             {"server:\n  port: 8080\nspring:\n  main: {}\n", none},
		"Jekyll":             {"title: x\nport: 4000\n", none},
		"Serverless":         {"service: x\nprovider:\n  name: aws\n", none},
		"a compose file":     {"services:\n  web:\n    image: nginx\n    environment:\n      PORT: 80\n", none + "no service"},
		"an empty compose":   {"services: {}\n", none + "no service"},
		"ours":               {"server:\n  port: 1\nretry:\n  maxRetries: 1\n", "f: is a config file of this program itself"},
		"our models":         {"provider: zai\nmodels:\n  text: glm-5\n", "f: is a config file of this program itself"},
		"damaged YAML":       {"server:\n\tport: 1\n", "f:2: is not valid YAML here or just before"},
		"an unknown anchor":  {"auth:\n  apiKey: *secretsecret\n", "a value that begins with * must stand in quotes"},
		"two documents":      {"provider: zai\n---\nplan: start-plan\n", "a second document begins here"},
		"no text":            {"PK\x03\x04\x00\x00TOKEN_POOL_SIZE=5", "f: is no text in UTF-8"},
		"another encoding":   {"\xff\xfeT\x00", "f: is no text in UTF-8"},
		"larger than a file": {"TOKEN_POOL_SIZE=5\n" + strings.Repeat("#", maxFileBytes), "f: is larger than 256 KiB"},
	} {
		t.Run(name, func(t *testing.T) {
			changes, notes, format, err := Foreign("f", []byte(tc.text))
			if _, ok := err.(*Error); !ok || !strings.Contains(err.Error(), tc.want) || len(changes)+len(notes) > 0 || format != "" {
				t.Errorf("%v %v %q %v", changes, notes, format, err)
			}
			if err != nil && strings.Contains(err.Error(), "secretsecret") {
				t.Error("shows a secret")
			}
		})
	}
}

func TestForeignBounds(t *testing.T) {
	t.Run("notes", func(t *testing.T) {
		_, notes, _, err := Foreign("f", []byte("TOKEN_POOL_SIZE=5\n"+strings.Repeat("A=1\nB\n", 2*maxVariables)))
		if err != nil || len(notes) != maxProblems+1 || !strings.HasSuffix(notes[maxProblems], "notes more") {
			t.Errorf("%d notes, %v", len(notes), err)
		}
	})
	t.Run("references", func(t *testing.T) {
		text := "A=" + strings.Repeat("x", 100) + "\n"
		for i := range 20 {
			text += fmt.Sprintf("%c=%s\n", 'B'+i, strings.Repeat(fmt.Sprintf("${%c}", 'A'+i), 10))
		}
		list, _ := readDotenv(text)
		for _, v := range list {
			if len(v.value) > maxSecretBytes || v.name == "Z" && v.problem == "" {
				t.Errorf("%s has %d bytes", v.name, len(v.value))
			}
		}
	})
	t.Run("merges", func(t *testing.T) {
		text := "a0: &a0 {SHOW_THINK_TAGS: true}\n"
		for i := range 30 {
			text += fmt.Sprintf("a%d: &a%d {<<: [*a%d, *a%d]}\n", i+1, i+1, i, i)
		}
		// What matters is that it ends.
		_, _, format, err := Foreign("f", []byte(text+"services: {z: {environment: *a30}}\n"))
		if err == nil && !strings.HasPrefix(format, zaiProxy) {
			t.Error(format)
		}
		if _, _, _, err := Foreign("f", []byte("services: &s {z: &z {environment: &e {<<: *e, TOKEN_POOL_SIZE: 1}}}\n")); err == nil {
			t.Error("a mapping that contains itself is taken over")
		}
	})
}

func TestDotenv(t *testing.T) {
	for _, tc := range []struct {
		text, value string
		problem     string
	}{
		{"A=b", "b", ""},
		{"A = b ", "b", ""},
		{"export A=b", "b", ""},
		{"\texport\tA=b", "b", ""},
		{"A=", "", ""},
		{"A= # c", "", ""},
		{"A=#c", "#c", ""},
		{"A=b#c", "b#c", ""},
		{"A=b # c", "b", ""},
		{"A=b\t# c", "b", ""},
		{"A=b=c==", "b=c==", ""},
		{"A=b c", "b c", ""},
		{"A=\"b # c\" # d", "b # c", ""},
		{"A='b # c'# d", "b # c", ""},
		{"A=`b \"c\" 'd' \\`", "b \"c\" 'd' \\", ""},
		{`A="b\n\t\"\\\$\q"`, "b\n\t\"\\$\\q", ""},
		{`A='b\n${C}\'d'`, `b\n${C}'d`, ""},
		{"A=\"b\r\nc\"\r\n", "b\nc", ""},
		{"A=\"b", "", "never closed"},
		{"A=\"b\" c", "", "something follows"},
		{"A=it's", "it's", ""},
		{"A=$B", "$B", ""},
		{"A=${B:-c}", "c", ""},
		{"A=${B-c}d", "cd", ""},
		{"A=\"${B:-${C:-d}}\"", "d", ""},
		{"A=${B}", "", "comes from B"},
		{"A=${B:?secret message}", "", "comes from B"},
		{"A=${b}", "", "comes from another variable"},
		{"A=${B", "", "not understood"},
		{"A=${B:+c}", "", "not understood"},
		{"A=${B:-${B:-${B:-${B:-${B:-${B:-c}}}}}}", "", "not understood"},
		{"A=" + strings.Repeat("b", maxSecretBytes+1), "", "too long"},
	} {
		list, damaged := readDotenv(tc.text)
		if len(list) != 1 || len(damaged) != 0 {
			t.Errorf("%q: %+v, %+v", tc.text, list, damaged)
			continue
		}
		v := list[0]
		if v.name != "A" || v.value != tc.value || (v.problem == "") != (tc.problem == "") || !strings.Contains(v.problem, tc.problem) {
			t.Errorf("%q: %+v, want %q %q", tc.text, v, tc.value, tc.problem)
		}
	}
}

// TestDotenvLines holds that lines are counted right behind values of several lines, and
// that an open quote costs its own line alone.
func TestDotenvLines(t *testing.T) {
	list, damaged := readDotenv("\ufeff# c\n\nA=\"1\n2\n\"\nB='x\n-B=1\nC='3'\r\nD=${A}${C} # d\nE")
	var got []string
	for _, v := range slices.Concat(list, damaged) {
		got = append(got, fmt.Sprintf("%d %s %q %t", v.line, v.name, v.value, v.problem == ""))
	}
	want := []string{`3 A "1\n2\n" true`, `6 B "" false`, `8 C "3" true`, `9 D "1\n2\n3" true`, `7  "" false`, `10  "" false`}
	if !slices.Equal(got, want) {
		t.Errorf("got\n%s", strings.Join(got, "\n"))
	}
}

func TestCompare(t *testing.T) {
	dir := t.TempDir()
	path := write(t, dir, "c.yaml", "server:\n  port: 8080\nauth:\n  apiKey: abc\nprovider: zai\n")
	got, err := Compare(path, Change{"server.port", "9000"}, Change{"provider", "zai"}, Change{"plan", "start-plan"}, Change{"auth.apiKey", "abc"})
	want := Comparison{Open: []Change{{"plan", "start-plan"}}, Same: []Change{{"provider", "zai"}, {"auth.apiKey", "abc"}}, Set: []Change{{"server.port", "9000"}}}
	if err != nil || fmt.Sprintf("%q", got) != fmt.Sprintf("%q", want) {
		t.Errorf("%v, %v", got, err)
	}
	if got, err := Compare(filepath.Join(dir, "none", "c.yaml"), Change{"provider", "zai"}); err != nil || len(got.Open) != 1 {
		t.Errorf("%v, %v", got, err)
	}
	for _, c := range []Change{{"no.such", "secret"}, {"server.port", "x"}} {
		if _, err := Compare(path, c); err == nil || strings.Contains(err.Error(), "secret") {
			t.Errorf("%s: %v", c, err)
		}
	}
	if _, err := Compare(write(t, dir, "bad.yaml", "a: b\n")); err == nil {
		t.Error("a file that is wrong is compared with")
	}
}

// TestPreview holds that a preview writes nothing, and sees what a start would see.
func TestPreview(t *testing.T) {
	path := write(t, t.TempDir(), "c.yaml", "# mine\nprovider: zai # stays\n")
	open := Change{"server.host", "0.0.0.0"}
	got, err := Preview(path, variables(map[string]string{"ZCODE_PROXY_API_KEY": "x"}), open)
	if err != nil || string(got) != "# mine\nprovider: zai # stays\nserver:\n  host: 0.0.0.0\n" {
		t.Errorf("%q, %v", got, err)
	}
	if _, err := Preview(path, variables(nil), open); err == nil || !strings.Contains(err.Error(), "auth.proxyApiKey") {
		t.Errorf("%v", err)
	}
	if now, err := os.ReadFile(path); err != nil || strings.Contains(string(now), "host") {
		t.Errorf("%q, %v", now, err)
	}
}

// FuzzDotenv holds that the reader ends, that what it reads is bounded, and that a value
// it has read is read again the same from quotes.
func FuzzDotenv(f *testing.F) {
	for _, s := range []string{"A=b # c\r\nexport B=\"${A}\\n\"\n'", "A='x\ny'\nB=`", "A=${B:-${C-$$}}\n=\n", "\ufeffA =\"\\\"\" #\n#", "A=${A:-${A:-${A}}}${"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, text string) {
		list, damaged := readDotenv(text)
		if len(list)+len(damaged) > maxVariables+1 {
			t.Fatalf("%d and %d", len(list), len(damaged))
		}
		for _, v := range slices.Concat(list, damaged) {
			if v.line < 1 || v.line > strings.Count(text, "\n")+1 || v.problem != "" && v.value != "" {
				t.Errorf("%+v", v)
			}
		}
		quoting := strings.NewReplacer(`\`, `\\`, `"`, `\"`, `$`, `\$`, "\n", `\n`, "\r", `\r`)
		for i, v := range list {
			if v.problem != "" || len(v.value) > maxSecretBytes {
				continue
			}
			again, _ := readDotenv(list[i].name + `="` + quoting.Replace(v.value) + `"`)
			if len(again) != 1 || again[0].value != v.value || again[0].problem != "" {
				t.Errorf("%q becomes %+v", v.value, again)
			}
		}
	})
}

// FuzzForeign holds that no file makes the reader panic, that its notes are bounded and
// show no key, and that what it takes over can be set, all of it at once.
func FuzzForeign(f *testing.F) {
	files, err := filepath.Glob("testdata/foreign/*.txtar")
	if err != nil {
		f.Fatal(err)
	}
	for _, file := range files {
		archive, err := txtar.ParseFile(file)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(archive.Files[0].Data)
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		changes, notes, format, err := Foreign("f", data)
		if (err == nil) != (format != "") || len(notes) > maxProblems+1 {
			t.Fatalf("%q, %d notes, %v", format, len(notes), err)
		}
		if _, err := change("c.yaml", nil, changes); err != nil {
			t.Errorf("%v: %v", changes, err)
		}
		seen := map[string]bool{}
		for _, c := range changes {
			if seen[c.Key] {
				t.Errorf("%s twice", c.Key)
			}
			seen[c.Key] = true
			if newTable().byPath[c.Key].Secret && len(c.Value) > 20 && strings.Contains(c.String()+strings.Join(notes, "\n"), c.Value) {
				t.Errorf("%s is shown", c.Key)
			}
		}
	})
}
