//go:build clients && unix

package clients

import (
	"bytes"
	"context"
	"crypto/rand"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"
)

const (
	clientLimit = 5 * time.Minute // one call of a client: they take seconds, on a busy machine a minute
	outputLimit = 16 << 20        // bytes kept of a program's output
)

// session is one client with a home and a working folder of its own, pointed at one base URL.
type session struct {
	client     client
	base       string
	program    string
	home, work string
	door       string // URL of the only way out
}

func newSession(t *testing.T, c client, base string) *session {
	t.Helper()
	dir := t.TempDir()
	s := &session{
		client:  c,
		base:    base,
		program: clientProgram(t, c.name),
		home:    filepath.Join(dir, "home"),
		work:    filepath.Join(dir, "work"),
		door:    startDoor(t, base),
	}
	for _, d := range []string{s.home, s.work} {
		if err := os.Mkdir(d, 0o700); err != nil {
			t.Fatal(err)
		}
	}
	if c.setup != nil {
		c.setup(t, s)
	}
	return s
}

// run calls the client with nothing on its standard input and returns its standard output. Any exit code but 0 ends the test.
func (s *session) run(t *testing.T, args []string) []byte {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), clientLimit)
	defer cancel()
	var stdout, stderr output
	cmd := exec.CommandContext(ctx, s.program, args...)
	cmd.Dir = s.work
	cmd.Env = append(s.client.env(s.base),
		"PATH="+os.Getenv("PATH"),
		"HOME="+s.home,
		"TMPDIR="+s.home,
		"NO_COLOR=1",
		"NODE_OPTIONS="+nodeDoor(t),
		"HTTP_PROXY="+s.door, "HTTPS_PROXY="+s.door, "NO_PROXY=127.0.0.1",
		"http_proxy="+s.door, "https_proxy="+s.door, "no_proxy=127.0.0.1",
	)
	cmd.Stdout, cmd.Stderr = &stdout, &stderr
	// A client starts helpers of its own; its group ends with it.
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	cmd.Cancel = func() error { return syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL) }
	cmd.WaitDelay = 5 * time.Second
	start := time.Now()
	err := cmd.Run()
	if cmd.Process != nil {
		if err := syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL); err != nil && !errors.Is(err, syscall.ESRCH) {
			t.Logf("the helpers of %s could not be ended: %v", s.client.name, err)
		}
	}
	if err != nil && !errors.Is(err, exec.ErrWaitDelay) {
		t.Fatalf("%s %q: %v\n%s\n%s", s.client.name, args, err, stdout.Bytes(), stderr.Bytes())
	}
	t.Logf("%s %q took %v", s.client.name, args, time.Since(start).Round(100*time.Millisecond))
	return stdout.Bytes()
}

// clientProgram finds a client that install.sh installed from today's package.json.
func clientProgram(t *testing.T, name string) string {
	t.Helper()
	dir := os.Getenv("GLMTRAY_CLIENTS")
	if dir == "" {
		cache := os.Getenv("XDG_CACHE_HOME")
		if cache == "" {
			cache = filepath.Join(os.Getenv("HOME"), ".cache")
		}
		dir = filepath.Join(cache, "glmtray-clients")
	}
	wanted, err := os.ReadFile("package.json")
	if err != nil {
		t.Fatal(err)
	}
	installed, err := os.ReadFile(filepath.Join(dir, "installed.json"))
	if err != nil || !bytes.Equal(wanted, installed) {
		missing(t, "the clients of package.json are not in "+dir)
	}
	program := filepath.Join(dir, "node_modules", ".bin", name)
	if _, err := os.Stat(program); err != nil {
		missing(t, name+" is not in "+dir)
	}
	return program
}

// missing skips the test, but not where the clients are the point of the run.
func missing(t *testing.T, what string) {
	t.Helper()
	message := what + "; run build/clients/install.sh"
	if os.Getenv("CI") == "true" {
		t.Fatal(message)
	}
	t.Skip(message)
}

// randomWord returns a word that no prompt, path or answer holds by chance.
func randomWord() string {
	return "word" + strings.ToLower(rand.Text()[:16])
}

// output keeps the beginning of what a program prints and swallows the rest.
type output struct{ bytes.Buffer }

func (o *output) Write(p []byte) (int, error) {
	if room := outputLimit - o.Len(); room > 0 {
		o.Buffer.Write(p[:min(room, len(p))])
	}
	return len(p), nil
}
