// Package build holds what packages and tests the program needs around its code. Its
// tests hold the rules of the house: who may import whom, and how long a function
// of the proxy may be.
package build

import (
	"encoding/json"
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// rule says which packages of ours a package may import, and why not others. A
// name that ends in /* allows everything below it, and the package itself.
type rule struct {
	may []string
	why string
}

// house is the table. A package that is not in it fails the test: a new room needs
// a line here and one sentence of what it is for.
var house = map[string]rule{
	"app/cmd/glmtray":           {[]string{"app", "app/*", "tray", "assets", "proxy/upstream"}, "the command line parses, calls, prints; the rest is app's"},
	"app":                       {[]string{"app/*", "assets", "proxy", "proxy/upstream", "proxy/guest", "proxy/demo", "proxy/demo/platform", "proxy/secret", "proxy/llm", "proxy/rawjson"}, "the application has no face: the tray imports it, never the other way"},
	"app/autostart":             {nil, "an entry of the desktop knows nothing of the program behind it"},
	"app/control":               {[]string{"app/state", "app/journal"}, "whoever controls the program knows its state, not its parts"},
	"app/feed":                  {nil, "a list knows nothing of what it holds"},
	"app/history":               {[]string{"app/feed"}, "a record is a value; app makes it of an exchange"},
	"app/vault":                 {nil, "a sealed document knows nothing of what it holds"},
	"app/account":               {[]string{"app/vault", "proxy/secret"}, "accounts are kept here, and used above"},
	"app/login":                 {[]string{"proxy/secret"}, "a login yields credentials and keeps none"},
	"app/journal":               {[]string{"app/feed"}, "the log is below everything that logs"},
	"app/locale":                {[]string{"assets"}, "texts are below everything that shows them"},
	"app/notify":                {nil, "what is told is decided above"},
	"app/port":                  {nil, "ports belong to the system"},
	"app/state":                 {[]string{"app/locale"}, "a snapshot is a value that every face may know"},
	"app/window":                {[]string{"assets", "app/state", "app/feed", "app/history", "app/journal", "app/locale", "app/settings"}, "pages render and call intents; the application is behind an interface"},
	"tray":                      {[]string{"assets", "app/state", "app/locale", "app/settings"}, "the menu renders and calls intents; the application is behind an interface"},
	"app/settings":              {[]string{"proxy/secret"}, "the settings know nothing of what is done with them"},
	"assets":                    {nil, "files only"},
	"assets/icons/gen":          {nil, "it only draws"},
	"build":                     {nil, "tests of the house"},
	"build/clients":             {nil, "real clients are tested against the built program"},
	"build/desktop":             {[]string{"app/state", "proxy/demo", "proxy/demo/platform"}, "the built program is tested from outside; only the snapshot that it prints is read with its type"},
	"proxy":                     {[]string{"proxy/*"}, "the proxy knows neither files, nor keyrings, nor the desktop"},
	"proxy/rawjson":             {nil, "JSON text is below everything"},
	"proxy/secret":              {nil, "a secret is below everything"},
	"proxy/llm":                 {[]string{"proxy/rawjson"}, "the neutral conversation knows no wire format and does no I/O"},
	"proxy/sse":                 {nil, "frames know nothing of what they carry"},
	"proxy/dialect/chat":        {[]string{"proxy/llm", "proxy/sse", "proxy/rawjson"}, "a dialect knows only itself and llm"},
	"proxy/dialect/messages":    {[]string{"proxy/llm", "proxy/sse", "proxy/rawjson"}, "a dialect knows only itself and llm"},
	"proxy/dialect/responses":   {[]string{"proxy/llm", "proxy/sse", "proxy/rawjson"}, "a dialect knows only itself and llm"},
	"proxy/dialect/webchat":     {[]string{"proxy/llm", "proxy/sse", "proxy/rawjson"}, "a dialect knows only itself and llm"},
	"proxy/guest":               {[]string{"proxy/llm", "proxy/secret"}, "tokens are fetched here, and used by proxy"},
	"proxy/dialect/dialecttest": {[]string{"proxy/llm", "proxy/sse", "proxy/rawjson"}, "the laws are those of llm"},
	"proxy/upstream":            {[]string{"proxy/llm", "proxy/rawjson", "proxy/secret"}, "a provider is data; proxy does the sending"},
	"proxy/demo/platform":       {nil, "what stands around the models knows nothing of them"},
	"proxy/demo":                {[]string{"proxy/sse", "proxy/rawjson", "proxy/demo/platform"}, "the demo is a server like Z.AI's: it must not share the code that it helps to test"},
}

// bans are imports from outside that a package must not have.
var bans = []struct{ in, what, why string }{
	{"proxy/dialect/", "net/http", "a dialect translates values; HTTP is proxy's"},
	{"proxy/dialect/", "encoding/json", "a dialect reads and writes JSON as text, once"},
	{"proxy/llm", "encoding/json", "the neutral conversation has no wire form"},
	{"proxy/rawjson", "encoding/json", "it takes its place"},
	{"proxy", "fyne.io/systray", "only tray imports a GUI library"},
	{"app", "fyne.io/systray", "only tray imports a GUI library"},
	{"app/settings", "net/http", "settings never open the network"},
	{"proxy", "gopkg.in/yaml.v3", "the proxy knows no files"},
	{"proxy", "os/exec", "the proxy starts nothing"},
}

type listed struct {
	ImportPath string
	Imports    []string
}

func list(t *testing.T) map[string][]string {
	t.Helper()
	cmd := exec.Command("go", "list", "-json=ImportPath,Imports", "./...")
	cmd.Dir = ".."
	out, err := cmd.Output()
	if err != nil {
		t.Fatal(err)
	}
	packages := map[string][]string{}
	for dec := json.NewDecoder(strings.NewReader(string(out))); dec.More(); {
		var p listed
		if err := dec.Decode(&p); err != nil {
			t.Fatal(err)
		}
		packages[strings.TrimPrefix(p.ImportPath, "glmtray/")] = p.Imports
	}
	return packages
}

func (r rule) allows(imported string) bool {
	return slices.ContainsFunc(r.may, func(may string) bool {
		below, all := strings.CutSuffix(may, "/*")
		return imported == may || all && strings.HasPrefix(imported, below+"/")
	})
}

func TestImports(t *testing.T) {
	packages := list(t)
	for name, imports := range packages {
		rule, ok := house[name]
		if !ok {
			t.Errorf("the package %s is not in the table of the house", name)
			continue
		}
		for _, imported := range imports {
			if ours, ok := strings.CutPrefix(imported, "glmtray/"); ok && !rule.allows(ours) {
				t.Errorf("%s must not import %s: %s", name, ours, rule.why)
			}
			for _, ban := range bans {
				if imported == ban.what && (name == ban.in || strings.HasPrefix(name, strings.TrimSuffix(ban.in, "/")+"/")) && name != "proxy/dialect/dialecttest" {
					t.Errorf("%s must not import %s: %s", name, imported, ban.why)
				}
			}
		}
	}
	for name := range house {
		if _, ok := packages[name]; !ok && name != "build/clients" {
			t.Errorf("the table has the package %s, which is not there", name)
		}
	}
}

// TestFunctionsFitAScreen keeps the proxy's translators from growing into what
// nobody can change any more.
func TestFunctionsFitAScreen(t *testing.T) {
	const limit = 80
	files := token.NewFileSet()
	err := filepath.WalkDir("../proxy", func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() || !strings.HasSuffix(path, ".go") || strings.HasSuffix(path, "_test.go") {
			return err
		}
		file, err := parser.ParseFile(files, path, nil, 0)
		if err != nil {
			return err
		}
		for _, decl := range file.Decls {
			f, ok := decl.(*ast.FuncDecl)
			if !ok {
				continue
			}
			if n := files.Position(f.End()).Line - files.Position(f.Pos()).Line + 1; n > limit {
				t.Errorf("%s: %s has %d lines, more than %d", path, f.Name.Name, n, limit)
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
}

// TestPackageNames keeps out the names that say nothing.
func TestPackageNames(t *testing.T) {
	for name := range list(t) {
		last := name[strings.LastIndexByte(name, '/')+1:]
		if slices.Contains([]string{"util", "utils", "common", "helpers", "misc", "types", "interfaces"}, last) {
			t.Errorf("the package name %s says nothing", name)
		}
	}
}
