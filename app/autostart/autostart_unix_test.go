//go:build !windows && !darwin

package autostart

import (
	"os"
	"path/filepath"
	"testing"
)

func TestOnAndOff(t *testing.T) {
	config := filepath.Join(t.TempDir(), "config")
	t.Setenv("XDG_CONFIG_HOME", config)
	a := App{Name: "glmtray", DisplayName: "GLM Tray", Exec: []string{"/opt/glmtray", "--hidden"}}
	if a.IsEnabled() {
		t.Error("enabled from the start")
	}
	for range 2 {
		if err := a.Enable(); err != nil || !a.IsEnabled() {
			t.Fatal(err)
		}
	}
	moved := a
	moved.Exec = []string{"/elsewhere/glmtray", "--hidden"}
	if stale, err := a.Stale(); stale || err != nil {
		t.Errorf("%v %v", stale, err)
	}
	if stale, err := moved.Stale(); !stale || err != nil {
		t.Errorf("%v %v", stale, err)
	}
	if files, err := os.ReadDir(filepath.Join(config, "autostart")); err != nil || len(files) != 1 {
		t.Errorf("%v %v", files, err)
	}
	for range 2 {
		if err := a.Disable(); err != nil || a.IsEnabled() {
			t.Fatal(err)
		}
	}
	if stale, err := moved.Stale(); stale || err != nil {
		t.Errorf("%v %v", stale, err)
	}
}

// TestCannotWrite holds that a folder that cannot be is told, and nothing is left.
func TestCannotWrite(t *testing.T) {
	file := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	t.Setenv("XDG_CONFIG_HOME", filepath.Join(file, "below"))
	a := App{Name: "glmtray", DisplayName: "GLM Tray", Exec: []string{"/opt/glmtray"}}
	if a.Enable() == nil || a.IsEnabled() {
		t.Error("enabled below a file")
	}
}

func TestRelativeConfigHome(t *testing.T) {
	t.Setenv("XDG_CONFIG_HOME", "relative")
	t.Setenv("HOME", t.TempDir())
	if got, err := (App{Name: "x"}).file(); err != nil || got != filepath.Join(os.Getenv("HOME"), ".config", "autostart", "x.desktop") {
		t.Errorf("%s %v", got, err)
	}
}

// TestLinks holds that the link by which a program is started stays in the entry: who
// installs a new version lets it lead elsewhere.
func TestLinks(t *testing.T) {
	dir := t.TempDir()
	program, link := filepath.Join(dir, "glmtray-1.2"), filepath.Join(dir, "glmtray")
	if err := os.WriteFile(program, []byte("#!/bin/sh\n"), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink(program, link); err != nil {
		t.Fatal(err)
	}
	other := filepath.Join(dir, "other")
	if err := os.WriteFile(other, []byte("#!/bin/sh\n"), 0o700); err != nil {
		t.Fatal(err)
	}
	for word, want := range map[string]string{link: link, program: program, other: program, filepath.Join(dir, "gone"): program, "": program} {
		if got := startedBy(word, program); got != want {
			t.Errorf("started as %q: %s, want %s", word, got, want)
		}
	}
	t.Setenv("XDG_CONFIG_HOME", filepath.Join(dir, "config"))
	byLink := App{Name: "glmtray", DisplayName: "GLM Tray", Exec: []string{link, "--hidden"}}
	if err := byLink.Enable(); err != nil {
		t.Fatal(err)
	}
	byPath := byLink
	byPath.Exec = []string{program, "--hidden"}
	if stale, err := byPath.Stale(); stale || err != nil {
		t.Errorf("a link that leads here is stale: %v %v", stale, err)
	}
	byPath.Exec = []string{other, "--hidden"}
	if stale, err := byPath.Stale(); !stale || err != nil {
		t.Errorf("a link that leads elsewhere is not: %v %v", stale, err)
	}
}

// TestDamagedEntry holds that an entry that cannot be understood is repaired.
func TestDamagedEntry(t *testing.T) {
	config := t.TempDir()
	t.Setenv("XDG_CONFIG_HOME", config)
	a := App{Name: "glmtray", DisplayName: "GLM Tray", Exec: []string{"/opt/glmtray"}}
	if err := a.Enable(); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(config, "autostart", "glmtray.desktop"), []byte("[Desktop Entry]\nExec=\"/opt/glmtray\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	if stale, err := a.Stale(); !stale || err != nil {
		t.Errorf("%v %v", stale, err)
	}
}

// TestImpossibleNames holds that nothing is written beside the folder.
func TestImpossibleNames(t *testing.T) {
	for _, a := range []App{{Name: "../x"}, {Name: ""}, {Name: ".."}, {Name: "a b"}, {Name: "x", DisplayName: "\x00"}} {
		a.Exec = []string{"/opt/glmtray"}
		if a.Possible() == nil {
			t.Errorf("%+v is possible", a)
		}
	}
}
