package locale_test

import (
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"glmtray/app/locale"
	"glmtray/app/settings"
)

// texts are all IDs that the Chinese catalogues have, which is all there are.
func texts(t *testing.T) map[string]string {
	t.Helper()
	p, err := locale.Load(locale.Chinese, os.Getenv)
	if err != nil {
		t.Fatal(err)
	}
	return p.Texts("")
}

// domains are what IDs begin with.
var domains = []string{"tray.", "window.", "command.", "notice.", "settings."}

// TestIDsAreUsed holds that the programs and pages use no text that there is not, and
// that no text is there for nothing. An ID that is put together at run time is declared
// by a comment beside it, "locale: tray.provider.*".
func TestIDsAreUsed(t *testing.T) {
	have, used := texts(t), map[string]string{}
	collect := func(path, text string, found *regexp.Regexp) {
		for _, m := range found.FindAllStringSubmatch(text, -1) {
			if slices.ContainsFunc(domains, func(d string) bool { return strings.HasPrefix(m[1], d) }) {
				used[m[1]] = path
			}
		}
	}
	comment := regexp.MustCompile(`locale: ([\w.*-]+)`)
	inPages := regexp.MustCompile("[\"'`]([a-z]+\\.[\\w.-]+)[\"'`]")
	err := filepath.WalkDir("../..", func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() || strings.HasSuffix(path, "_test.go") {
			return err
		}
		switch filepath.Ext(path) {
		case ".js", ".html":
			if strings.Contains(filepath.ToSlash(path), "assets/window/") {
				text, err := os.ReadFile(path)
				if err != nil {
					return err
				}
				collect(path, string(text), comment)
				collect(path, string(text), inPages)
			}
		case ".go":
			if !strings.HasPrefix(filepath.ToSlash(path), "../../app") && !strings.HasPrefix(filepath.ToSlash(path), "../../tray") {
				return nil
			}
			file, err := parser.ParseFile(token.NewFileSet(), path, nil, parser.ParseComments)
			if err != nil {
				return err
			}
			for _, group := range file.Comments {
				collect(path, group.Text(), comment)
			}
			ast.Inspect(file, func(n ast.Node) bool {
				if l, ok := n.(*ast.BasicLit); ok && l.Kind == token.STRING {
					collect(path, l.Value, inPages)
				}
				return true
			})
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	uses := func(pattern, id string) bool {
		ok, err := filepath.Match(pattern, id)
		return err == nil && ok
	}
	for _, pattern := range slices.Sorted(maps.Keys(used)) {
		if _, ok := have[pattern]; ok || isSetting(pattern) || strings.HasSuffix(pattern, ".") {
			continue
		}
		if !slices.ContainsFunc(slices.Collect(maps.Keys(have)), func(id string) bool { return uses(pattern, id) }) {
			t.Errorf("%s uses %s, which is in no catalogue", used[pattern], pattern)
		}
	}
	for _, id := range slices.Sorted(maps.Keys(have)) {
		if !slices.ContainsFunc(slices.Collect(maps.Keys(used)), func(pattern string) bool { return uses(pattern, id) }) {
			t.Errorf("nothing uses %s", id)
		}
	}
}

// isSetting reports whether a literal that looks like an ID is a file's name.
func isSetting(s string) bool { return strings.HasSuffix(s, ".yaml") || strings.HasSuffix(s, ".js") }

// TestSettingsAreTranslated holds that every setting has a title and an explanation.
func TestSettingsAreTranslated(t *testing.T) {
	have := texts(t)
	for _, k := range settings.Schema() {
		path := locale.SettingID(k.Path)
		for _, id := range []string{"settings.title." + path, "settings.help." + path} {
			if have[id] == "" {
				t.Errorf("there is no %s", id)
			}
		}
	}
}
