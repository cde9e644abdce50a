//go:build desktop

package desktop

import (
	"encoding/json"
	"errors"
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"go/types"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
)

// goPackage is what "go list" says of a package.
type goPackage struct {
	Dir, ImportPath   string
	Standard          bool
	GoFiles, CgoFiles []string
	ImportMap         map[string]string
}

// importer finds packages among those that were checked before.
type importer struct {
	checked map[string]*types.Package
	renamed map[string]string
}

// Import implements types.Importer.
func (i importer) Import(path string) (*types.Package, error) {
	if path == "unsafe" {
		return types.Unsafe, nil
	}
	if other, ok := i.renamed[path]; ok {
		path = other
	}
	if p := i.checked[path]; p != nil {
		return p, nil
	}
	return nil, fmt.Errorf("%s was not checked", path)
}

// TestDarwinTypeChecks type-checks the program for macOS as it is built there, with cgo.
// A C compiler for macOS cannot be had elsewhere, so C's names are taken on trust.
func TestDarwinTypeChecks(t *testing.T) {
	cmd := exec.Command("go", "list", "-deps", "-json=Dir,ImportPath,Standard,GoFiles,CgoFiles,ImportMap", "./app/cmd/glmtray")
	cmd.Dir = "../.."
	cmd.Env = append(os.Environ(), "GOOS=darwin", "GOARCH=arm64", "CGO_ENABLED=1")
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	files, checked, withC := token.NewFileSet(), map[string]*types.Package{}, 0
	for list := json.NewDecoder(out); ; {
		var p goPackage
		if err := list.Decode(&p); errors.Is(err, io.EOF) {
			break
		} else if err != nil {
			t.Fatal(err)
		}
		if p.ImportPath != "unsafe" {
			checked[p.ImportPath] = check(t, files, p, checked)
		}
		if len(p.CgoFiles) > 0 && !p.Standard {
			withC++
		}
	}
	if err := cmd.Wait(); err != nil {
		t.Fatal(err)
	}
	if withC == 0 || checked["glmtray/tray"] == nil || checked["fyne.io/systray"] == nil {
		t.Errorf("%d packages, %d of them with cgo: the tray is not among them", len(checked), withC)
	}
}

// check type-checks a package whose imports were checked before.
func check(t *testing.T, files *token.FileSet, p goPackage, checked map[string]*types.Package) *types.Package {
	t.Helper()
	var parsed []*ast.File
	for _, name := range append(p.GoFiles, p.CgoFiles...) {
		file, err := parser.ParseFile(files, filepath.Join(p.Dir, name), nil, parser.SkipObjectResolution)
		if err != nil {
			t.Error(err)
			continue
		}
		parsed = append(parsed, file)
	}
	config := types.Config{
		Importer: importer{checked, p.ImportMap}, FakeImportC: len(p.CgoFiles) > 0, IgnoreFuncBodies: p.Standard,
		Sizes: types.SizesFor("gc", "arm64"),
		Error: func(err error) {
			if !p.Standard { // the runtime has names that only the compiler knows
				t.Error(err)
			}
		},
	}
	out, _ := config.Check(p.ImportPath, files, parsed, nil) // the errors were told
	return out
}
