//go:build clients && unix

package sdks

import (
	"bufio"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"syscall"
	"testing"
	"time"
)

const (
	// key is what glmtray asks its clients for, so that each SDK must send it in its own way.
	key = "sk-glmtray-test"
	// patience is how long a test waits for something that takes milliseconds. Only a program that hangs meets it.
	patience = 30 * time.Second
)

// baseURL is what glmtray prints when its port is open.
var baseURL = regexp.MustCompile(`^http://127\.0\.0\.1:[1-9][0-9]*$`)

// server is a running `glmtray serve`.
type server struct {
	base string
	log  output
}

// glmtrayProgram returns the absolute path of the program under test.
func glmtrayProgram(t *testing.T) string {
	t.Helper()
	bin := os.Getenv("GLMTRAY_BIN")
	if bin == "" {
		bin = filepath.Join("..", "..", "bin", "glmtray")
	}
	bin, err := filepath.Abs(bin)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(bin); err != nil {
		t.Fatalf("%v; run `make build` or set GLMTRAY_BIN", err)
	}
	return bin
}

// startServer starts `glmtray serve` on a free port with a home of its own. settings say what its upstream is. When the
// test is over it must end by itself, with exit code 0.
func startServer(t *testing.T, bin, settings string, args ...string) *server {
	t.Helper()
	home := t.TempDir()
	config := filepath.Join(home, "config.yaml")
	settings += "auth:\n  proxyApiKey: " + key + "\nretry:\n  maxRetries: 1\n  baseDelayMs: 1\n"
	if err := os.WriteFile(config, []byte(settings), 0o600); err != nil {
		t.Fatal(err)
	}
	s := &server{}
	cmd := exec.Command(bin, append([]string{"serve", "--port", "0", "--config", config}, args...)...)
	cmd.Dir = home
	cmd.Env = []string{
		"PATH=" + os.Getenv("PATH"), "HOME=" + home, "GLMTRAY_HOME=" + filepath.Join(home, "glmtray"),
		// Nobody listens there. What is not for a loopback address gets no further.
		"HTTP_PROXY=http://127.0.0.1:1", "HTTPS_PROXY=http://127.0.0.1:1",
	}
	cmd.Stderr = &s.log
	stdout, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.stop(t, cmd) })

	late := killLater(t, cmd)
	defer late.Stop()
	line := bufio.NewScanner(stdout) // the base URL is all that it prints there
	line.Scan()
	if s.base = line.Text(); !baseURL.MatchString(s.base) {
		t.Fatalf("glmtray serve %q printed %q (%v)", args, s.base, line.Err())
	}
	return s
}

// stop asks the server to end as a service manager does. Its log is shown when the test failed.
func (s *server) stop(t *testing.T, cmd *exec.Cmd) {
	late := killLater(t, cmd)
	defer late.Stop()
	if err := cmd.Process.Signal(syscall.SIGTERM); err != nil && !errors.Is(err, os.ErrProcessDone) {
		t.Error(err)
	}
	if err := cmd.Wait(); err != nil {
		t.Errorf("glmtray ended with %v after SIGTERM", err)
	}
	if t.Failed() {
		t.Logf("the log of glmtray:\n%s", s.log.Bytes())
	}
}

// killLater ends a program by force when patience is over, so that nobody waits for it without end.
func killLater(t *testing.T, cmd *exec.Cmd) *time.Timer {
	return time.AfterFunc(patience, func() {
		if err := cmd.Process.Kill(); err != nil {
			t.Log(err)
		}
	})
}
