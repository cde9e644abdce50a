//go:build desktop && linux

package desktop

import (
	"encoding/json"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"glmtray/app/state"
)

// shim is the one function that Go programs call and wine 8 has not: random bytes, from
// a function that it has.
const shim = `#include <windows.h>
BOOLEAN NTAPI SystemFunction036(PVOID, ULONG); /* RtlGenRandom */
__declspec(dllexport) BOOL WINAPI ProcessPrng(PBYTE out, SIZE_T size) { return SystemFunction036(out, (ULONG)size); }
`

// wine is a Windows of its own.
type wine struct {
	*session
	exe string
}

// newWine builds the program for Windows and prepares a Windows for it.
func newWine(t *testing.T) *wine {
	t.Helper()
	loader, compiler := need(t, "wine"), need(t, "x86_64-w64-mingw32-gcc")
	s := newSession(t)
	w := &wine{s, filepath.Join(s.home, "glmtray.exe")}
	build := exec.Command("go", "build", "-o", w.exe, "../../app/cmd/glmtray")
	build.Env = append(os.Environ(), "CGO_ENABLED=0", "GOOS=windows", "GOARCH=amd64")
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	prefix := filepath.Join(s.home, "prefix")
	s.screen()
	s.env = append(s.env, "WINEPREFIX="+prefix, "WINEARCH=win64", "WINEDEBUG=-all", "WINEDLLOVERRIDES=mscoree,mshtml=;winemenubuilder.exe=d",
		`GLMTRAY_HOME=Z:`+strings.ReplaceAll(filepath.Join(s.home, "glmtray"), "/", `\`))
	if err := s.tool(loader, "wineboot", "-i"); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.tool("wineserver", "-k"); err != nil {
			t.Log(err) // it may have ended by itself
		}
	})
	source := filepath.Join(s.home, "shim.c")
	write(t, source, shim)
	if err := s.tool(compiler, "-shared", "-o", filepath.Join(prefix, "drive_c", "windows", "system32", "bcryptprimitives.dll"), source, "-ladvapi32"); err != nil {
		t.Fatal(err)
	}
	return w
}

// run runs a command of the program.
func (w *wine) run(args ...string) (string, error) {
	cmd := exec.Command("wine", append([]string{w.exe}, args...)...)
	cmd.Env, cmd.Dir = w.env, w.home
	// A file and no pipe: wine's services inherit it, and keep it open.
	file, err := os.CreateTemp(w.home, "out")
	if err != nil {
		return "", err
	}
	defer file.Close()
	cmd.Stdout = file
	failed := cmd.Run()
	out, err := os.ReadFile(file.Name())
	return strings.ReplaceAll(string(out), "\r", ""), errors.Join(failed, err)
}

func (w *wine) status() (s state.Snapshot, err error) {
	out, err := w.run("status", "--json")
	if err != nil {
		return s, err
	}
	return s, json.Unmarshal([]byte(out), &s)
}

// TestWindows runs the Windows build with its tray under wine.
func TestWindows(t *testing.T) {
	w := newWine(t)
	if out, err := w.run("version"); err != nil || !strings.HasPrefix(out, "glmtray ") || !strings.Contains(out, "windows/amd64") {
		t.Fatalf("version: %v %q", err, out)
	}
	for _, step := range []struct{ do, says string }{{"on", "on"}, {"status", "on"}, {"off", "off"}} {
		if out, err := w.run("autostart", step.do); err != nil || !strings.HasSuffix(strings.TrimSpace(out), ": "+step.says) {
			t.Errorf("autostart %s: %v %q", step.do, err, out)
		}
	}
	write(t, filepath.Join(w.home, "glmtray", "config", "config.yaml"), config)
	// Only a desktop of this name has a taskbar with a tray.
	w.background("wine", "explorer", "/desktop=shell,1024x768", w.exe)
	var s state.Snapshot
	waitFor(t, "the proxy", func() bool {
		var err error
		s, err = w.status()
		return err == nil && s.Phase == state.Running && s.Icon.Shown
	})
	if code, text := ask(t, s.BaseURL, claude, "Hello"); code != 200 || !strings.Contains(text, "message_stop") {
		t.Errorf("%d %s", code, text)
	}
	time.Sleep(2 * time.Second) // until the taskbar has drawn it
	w.picture("windows-icon")
	// The icon stands in the corner, and its menu above it.
	if err := w.tool("xdotool", "mousemove", "1014", "758", "sleep", "0.3", "click", "3", "sleep", "1"); err != nil {
		t.Fatal(err)
	}
	w.picture("windows-menu")
	if out, err := w.run("quit"); err != nil {
		t.Errorf("quit: %v %s", err, out)
	}
}
