//go:build !windows && !darwin

package autostart

import (
	"os"
	"path/filepath"
	"testing"
	"time"
)

func waitABit() { time.Sleep(10 * time.Millisecond) }

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
