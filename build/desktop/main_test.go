//go:build desktop

package desktop

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"glmtray/app/state"
)

// patience is how long a test waits for something that takes moments.
const patience = 30 * time.Second

// program is the built program.
var program string

func TestMain(m *testing.M) {
	var err error
	if program, err = filepath.Abs("../../bin/glmtray"); err == nil {
		_, err = os.Stat(program)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "build the program first:", err)
		os.Exit(1)
	}
	os.Exit(m.Run())
}

// need finds a tool. A person's laptop need not have it; continuous integration must.
func need(t *testing.T, name string) string {
	t.Helper()
	path, err := exec.LookPath(name)
	if err == nil {
		return path
	}
	if os.Getenv("CI") == "true" {
		t.Fatalf("%s is not installed; see build/desktop/install.sh", name)
	}
	t.Skipf("%s is not installed", name)
	return ""
}

// keep writes a picture or another file for a person to look at.
func keep(t *testing.T, name string, data []byte) {
	t.Helper()
	dir := os.Getenv("GLMTRAY_ARTIFACTS")
	if dir == "" {
		return
	}
	if err := os.MkdirAll(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, name), data, 0o644); err != nil {
		t.Fatal(err)
	}
}

// place is a home for one program.
type place struct {
	home string
	env  []string
}

const config = `# The settings of the test.
provider: demo # needs no account
server:
  port: 0
retry:
  maxRetries: 1
  baseDelayMs: 300
`

// newPlace makes a home with a config file. env is the desktop session.
func newPlace(t *testing.T, env ...string) *place {
	t.Helper()
	p := &place{home: t.TempDir()}
	// Of two of one name the later counts.
	p.env = append([]string{
		"HOME=" + p.home, "GLMTRAY_HOME=" + filepath.Join(p.home, "glmtray"), "PATH=" + os.Getenv("PATH"), "LANG=C.UTF-8",
	}, env...)
	p.configure(t, config)
	return p
}

func (p *place) file() string { return filepath.Join(p.home, "glmtray", "config", "config.yaml") }

func (p *place) configure(t *testing.T, text string) {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(p.file()), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(p.file(), []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}

// settings is the text of the config file.
func (p *place) settings(t *testing.T) string {
	t.Helper()
	text, err := os.ReadFile(p.file())
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// start starts the program; the test's end stops it.
func (p *place) start(t *testing.T, args ...string) *exec.Cmd {
	t.Helper()
	cmd := exec.Command(program, args...)
	cmd.Env, cmd.Dir = p.env, p.home
	var out bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &out
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = cmd.Process.Signal(os.Interrupt) // it may have ended by itself
		_ = cmd.Wait()
		if t.Failed() {
			log, _ := os.ReadFile(filepath.Join(p.home, "glmtray", "state", "logs", "glmtray.log"))
			t.Logf("printed:\n%s\nlog:\n%s", out.String(), log)
		}
	})
	return cmd
}

// run runs a command of the program.
func (p *place) run(t *testing.T, args ...string) (string, error) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	cmd := exec.CommandContext(ctx, program, args...)
	cmd.Env, cmd.Dir = p.env, p.home
	out, err := cmd.CombinedOutput()
	return string(out), err
}

// status is how the running program stands.
func (p *place) status(t *testing.T) (s state.Snapshot, err error) {
	t.Helper()
	out, err := p.run(t, "status", "--json")
	if err != nil {
		return s, err
	}
	return s, json.Unmarshal([]byte(out), &s)
}

// until waits for a status.
func (p *place) until(t *testing.T, what string, holds func(state.Snapshot) bool) (s state.Snapshot) {
	t.Helper()
	waitFor(t, what, func() bool {
		var err error
		s, err = p.status(t)
		return err == nil && holds(s)
	})
	return s
}

func (p *place) running(t *testing.T) state.Snapshot {
	t.Helper()
	return p.until(t, "the proxy", func(s state.Snapshot) bool { return s.Phase == state.Running })
}

func waitFor(t *testing.T, what string, holds func() bool) {
	t.Helper()
	for deadline := time.Now().Add(patience); !holds(); time.Sleep(30 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("waited in vain for %s", what)
		}
	}
}

// link returns a link of the log window. There is no browser in the program's
// environment, so it prints the address.
func (p *place) link(t *testing.T, page string) string {
	t.Helper()
	quiet := &place{home: p.home, env: append(p.env, "DISPLAY=", "WAYLAND_DISPLAY=")}
	out, err := quiet.run(t, "open", page)
	if err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	lines := strings.Fields(out)
	return lines[len(lines)-1]
}

// ask sends a prompt and returns the answer when it is whole.
func ask(t *testing.T, base, agent, prompt string) (int, string) {
	t.Helper()
	body, err := json.Marshal(map[string]any{
		"model": "glm-4.6", "max_tokens": 100, "stream": true,
		"messages": []map[string]string{{"role": "user", "content": prompt}},
	})
	if err != nil {
		t.Fatal(err)
	}
	req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, base+"/v1/messages", bytes.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Content-Type", "application/json")
	req.Header.Set("User-Agent", agent)
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return 0, err.Error()
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	if err != nil {
		return resp.StatusCode, err.Error()
	}
	return resp.StatusCode, string(text)
}
