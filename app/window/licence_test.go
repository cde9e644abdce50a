package window

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"runtime/debug"
	"slices"
	"strings"
	"testing"
)

// module is what the go tool says of a package's module.
type module struct {
	Module *struct {
		Path, Dir string
		Main      bool
	}
}

// programModules are the folders of the modules in the program, for every system.
func programModules(t *testing.T) map[string]string {
	t.Helper()
	tool, err := exec.LookPath("go")
	if err != nil {
		if os.Getenv("CI") == "true" {
			t.Fatal(err)
		}
		t.Skipf("the go tool is needed: %v", err)
	}
	dirs := map[string]string{"std": runtime.GOROOT()}
	for _, system := range []string{"linux", "windows", "darwin"} {
		list := exec.CommandContext(t.Context(), tool, "list", "-deps", "-json=Module", "glmtray/app/cmd/glmtray")
		list.Env = append(os.Environ(), "GOOS="+system, "GOARCH=amd64", "CGO_ENABLED=0")
		var problems bytes.Buffer
		list.Stderr = &problems
		out, err := list.Output()
		if err != nil {
			t.Fatalf("%v: %s", err, problems.String())
		}
		decoder := json.NewDecoder(bytes.NewReader(out))
		for {
			var m module
			if err := decoder.Decode(&m); errors.Is(err, io.EOF) {
				break
			} else if err != nil {
				t.Fatal(err)
			}
			if m.Module != nil && !m.Module.Main {
				dirs[m.Module.Path] = m.Module.Dir
			}
		}
	}
	return dirs
}

// kinds are the sorts of licences in a text.
func kinds(text string) (found []string) {
	text = strings.Join(strings.Fields(text), " ")
	has := func(words string) bool { return strings.Contains(text, words) }
	if has("Apache License Version 2.0") || has("Apache License, Version 2.0") {
		found = append(found, "Apache-2.0")
	}
	if has("Mozilla Public License") {
		found = append(found, "MPL-2.0")
	}
	if has("Permission is hereby granted, free of charge") {
		found = append(found, "MIT")
	}
	if has("Permission to use, copy, modify, and/or distribute this software for any purpose") {
		found = append(found, "ISC")
	}
	switch redistribution := has("Redistribution and use in source and binary forms"); {
	case redistribution && (has("Neither the name") || has("may not be used to endorse")):
		found = append(found, "BSD-3-Clause")
	case redistribution:
		found = append(found, "BSD-2-Clause")
	}
	if len(found) == 0 {
		found = append(found, "unknown")
	}
	return found
}

// TestLicences holds the table against the modules' own licence files: none is missing,
// none is wrong, none is there for nothing.
func TestLicences(t *testing.T) {
	modules, table := programModules(t), licenceTable()
	if len(modules) < 10 {
		t.Fatalf("only %d modules: that is not the program", len(modules))
	}
	for _, path := range slices.Sorted(maps.Keys(modules)) {
		if want := licenceOf(t, modules[path]); table[path] != want {
			t.Errorf("%s: the table says %q, its files %q", path, table[path], want)
		}
	}
	for _, path := range slices.Sorted(maps.Keys(table)) {
		if _, ok := modules[path]; !ok {
			t.Errorf("%s is in the table, but not in the program", path)
		}
	}
}

// licenceOf is the SPDX expression of the licence files in a module's folder.
func licenceOf(t *testing.T, dir string) string {
	t.Helper()
	entries, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	var all []string
	for _, e := range entries {
		name := strings.ToUpper(e.Name())
		if e.IsDir() || !strings.HasPrefix(name, "LICEN") && !strings.HasPrefix(name, "COPYING") {
			continue
		}
		text, err := os.ReadFile(filepath.Join(dir, e.Name()))
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, kinds(string(text))...)
	}
	slices.Sort(all)
	return strings.Join(slices.Compact(all), " AND ")
}

// TestLicencesOfThis holds that the list is of what this very binary was built with.
func TestLicencesOfThis(t *testing.T) {
	info, ok := debug.ReadBuildInfo()
	if !ok {
		t.Fatal("there is no build information")
	}
	list := licences()
	if len(list) != len(info.Deps)+1 || !slices.IsSortedFunc(list, func(a, b licence) int { return strings.Compare(a.Module, b.Module) }) {
		t.Errorf("%d of %d modules: %v", len(list), len(info.Deps), list)
	}
	for _, l := range list {
		if l.Module == "" || l.Version == "" || l.Licence == "" {
			t.Errorf("%+v", l)
		}
	}
}
