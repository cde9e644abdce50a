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
	"strconv"
	"strings"
	"testing"

	"glmtray/app/locale"
)

// root is the module's folder.
const root = "../.."

// texts are all IDs that the Chinese catalogues have, which is all there are.
func texts(t *testing.T) map[string]string {
	t.Helper()
	p, err := locale.Load(locale.Chinese, os.Getenv)
	if err != nil {
		t.Fatal(err)
	}
	return p.Texts("")
}

var (
	// A declaration in a comment, for IDs that are put together at run time:
	// "locale: tray.provider.*".
	declaration = regexp.MustCompile(`locale: ([\w.*-]+)`)
	// A literal that is an ID, or the beginning of one that is put together. In pages
	// also the value of an attribute.
	literal  = regexp.MustCompile("[\"'`]((?:tray|window|command|notice|settings)\\.[\\w.-]*?)(?:[\"'`]|\\$\\{)")
	fileName = regexp.MustCompile(`^\w+\.(?:yaml|js|html|css|json|go|png)$`)
	// A call in a page, with the names of the gaps if they are written there.
	pageCall = regexp.MustCompile(`\bt\("([\w.-]+)"(?:\)|,\s*\{([^}]*)\}\))`)
	gapName  = regexp.MustCompile(`(?:^|,)\s*([A-Z]\w*)`)
	gap      = regexp.MustCompile(`\{\{\.(\w+)\}\}`)
)

// usage is what a scan of the sources finds.
type usage struct {
	ids      map[string]string // IDs that stand in the sources, with the file
	begun    map[string]string // beginnings of IDs, that end in a dot
	declared map[string]string // patterns
	calls    []call
}

// call prints a text, with what stands in its gaps.
type call struct {
	file, id string
	gaps     []string
}

func (u *usage) literals(file, source string) {
	for _, m := range literal.FindAllStringSubmatch(source, -1) {
		switch id := m[1]; {
		case fileName.MatchString(id):
		case strings.HasSuffix(id, "."):
			u.begun[id] = file
		default:
			u.ids[id] = file
		}
	}
}

func (u *usage) declarations(file, text string) {
	for _, m := range declaration.FindAllStringSubmatch(text, -1) {
		u.declared[m[1]] = file
	}
}

func (u *usage) page(file, source string) {
	u.literals(file, source)
	u.declarations(file, source)
	for _, m := range pageCall.FindAllStringSubmatch(source, -1) {
		c := call{file: file, id: m[1]}
		for _, name := range gapName.FindAllStringSubmatch(m[2], -1) {
			c.gaps = append(c.gaps, name[1])
		}
		u.calls = append(u.calls, c)
	}
}

func (u *usage) program(file, source string) error {
	parsed, err := parser.ParseFile(token.NewFileSet(), file, source, parser.ParseComments)
	if err != nil {
		return err
	}
	for _, group := range parsed.Comments {
		u.declarations(file, group.Text())
	}
	ast.Inspect(parsed, func(n ast.Node) bool {
		switch n := n.(type) {
		case *ast.BasicLit:
			if n.Kind == token.STRING {
				u.literals(file, n.Value)
			}
		case *ast.CallExpr:
			switch called(n) {
			case "Text", "message":
				u.arguments(file, n)
			case "Texts":
				return false // prefixes for the pages, which name the IDs themselves
			}
		case *ast.CompositeLit:
			u.message(file, n)
		}
		return true
	})
	return nil
}

// called is the name of the function or the method that is called.
func called(n *ast.CallExpr) string {
	switch f := n.Fun.(type) {
	case *ast.Ident:
		return f.Name
	case *ast.SelectorExpr:
		return f.Sel.Name
	}
	return ""
}

// arguments takes a call in whose ID and names of gaps are written there.
func (u *usage) arguments(file string, n *ast.CallExpr) {
	if len(n.Args) == 0 || n.Ellipsis.IsValid() {
		return
	}
	id, ok := text(n.Args[0])
	if !ok {
		return
	}
	c := call{file: file, id: id}
	for i := 1; i < len(n.Args); i += 2 {
		name, ok := text(n.Args[i])
		if !ok {
			return
		}
		c.gaps = append(c.gaps, name)
	}
	u.calls = append(u.calls, c)
}

// message takes a literal locale.Message in.
func (u *usage) message(file string, n *ast.CompositeLit) {
	if kind, ok := n.Type.(*ast.SelectorExpr); !ok || kind.Sel.Name != "Message" {
		return
	}
	c := call{file: file}
	for _, element := range n.Elts {
		pair, ok := element.(*ast.KeyValueExpr)
		if !ok {
			continue
		}
		if id, ok := text(pair.Value); ok {
			c.id = id
		} else if data, ok := pair.Value.(*ast.CompositeLit); ok {
			for _, element := range data.Elts {
				name, _ := text(element.(*ast.KeyValueExpr).Key)
				c.gaps = append(c.gaps, name)
			}
		} else {
			return // it is filled elsewhere
		}
	}
	u.calls = append(u.calls, c)
}

func text(e ast.Expr) (string, bool) {
	l, ok := e.(*ast.BasicLit)
	if !ok || l.Kind != token.STRING {
		return "", false
	}
	value, err := strconv.Unquote(l.Value)
	return value, err == nil
}

// scan reads the program, without its tests, and the pages.
func scan(t *testing.T) usage {
	t.Helper()
	u := usage{ids: map[string]string{}, begun: map[string]string{}, declared: map[string]string{}}
	err := filepath.WalkDir(root, func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if d.IsDir() {
			if name := d.Name(); name == "node_modules" || name == "testdata" || strings.HasPrefix(name, ".") && path != root {
				return filepath.SkipDir
			}
			return nil
		}
		file := strings.TrimPrefix(filepath.ToSlash(path), root+"/")
		isPage := strings.HasPrefix(file, "assets/window/") && (strings.HasSuffix(file, ".js") || strings.HasSuffix(file, ".html"))
		isProgram := strings.HasSuffix(file, ".go") && !strings.HasSuffix(file, "_test.go")
		if !isPage && !isProgram {
			return nil
		}
		source, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		if isPage {
			u.page(file, string(source))
			return nil
		}
		return u.program(file, string(source))
	})
	if err != nil {
		t.Fatal(err)
	}
	return u
}

// matches reports whether an ID is among those of a pattern.
func matches(pattern, id string) bool {
	ok, err := filepath.Match(pattern, id)
	return err == nil && ok
}

// TestIDsAreUsed holds that programs and pages use no text that there is not, and that
// no text is there for nothing. An ID that is put together at run time is declared by
// a comment beside it, "locale: tray.provider.*".
func TestIDsAreUsed(t *testing.T) {
	have, u := texts(t), scan(t)
	ids, patterns := slices.Sorted(maps.Keys(have)), slices.Sorted(maps.Keys(u.declared))
	for _, id := range slices.Sorted(maps.Keys(u.ids)) {
		if _, ok := have[id]; !ok {
			t.Errorf("%s uses %s, which is in no catalogue", u.ids[id], id)
		}
	}
	for _, pattern := range patterns {
		if !slices.ContainsFunc(ids, func(id string) bool { return matches(pattern, id) }) {
			t.Errorf("%s declares %s, which fits nothing in the catalogues", u.declared[pattern], pattern)
		}
	}
	for _, start := range slices.Sorted(maps.Keys(u.begun)) {
		if !slices.ContainsFunc(patterns, func(pattern string) bool { return strings.HasPrefix(pattern, start) }) {
			t.Errorf("%s puts IDs together that begin with %s and declares none of them", u.begun[start], start)
		}
	}
	for _, id := range ids {
		if _, ok := u.ids[id]; !ok && !slices.ContainsFunc(patterns, func(pattern string) bool { return matches(pattern, id) }) {
			t.Errorf("nothing uses %s", id)
		}
	}
}

// TestGapsAreFilled holds that whoever prints a text fills all of its gaps, and none
// that it has not.
func TestGapsAreFilled(t *testing.T) {
	have, u := texts(t), scan(t)
	if len(u.calls) < 100 {
		t.Errorf("only %d calls are found", len(u.calls))
	}
	for _, c := range u.calls {
		var want []string
		for _, m := range gap.FindAllStringSubmatch(have[c.id], -1) {
			want = append(want, m[1])
		}
		slices.Sort(want)
		slices.Sort(c.gaps)
		if _, ok := have[c.id]; ok && !slices.Equal(slices.Compact(want), c.gaps) {
			t.Errorf("%s fills the gaps %q of %s, which has %q", c.file, c.gaps, c.id, want)
		}
	}
}
