//go:build clients && unix

package sdks

import (
	"bufio"
	"bytes"
	"context"
	"crypto/rand"
	"encoding/json"
	"io"
	"iter"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"
)

const (
	programLimit = 5 * time.Minute // a program takes seconds, on a busy machine a minute
	outputLimit  = 16 << 20        // bytes kept of what a program prints
)

// preparePrograms returns a folder with the programs, in which they find the SDKs that install.sh has installed from
// today's package.json.
func preparePrograms(t *testing.T) string {
	t.Helper()
	if _, err := exec.LookPath("node"); err != nil {
		missing(t, "node is not installed")
	}
	dir := os.Getenv("GLMTRAY_SDKS")
	if dir == "" {
		cache := os.Getenv("XDG_CACHE_HOME")
		if cache == "" {
			cache = filepath.Join(os.Getenv("HOME"), ".cache")
		}
		dir = filepath.Join(cache, "glmtray-sdks")
	}
	wanted, err := os.ReadFile("package.json")
	if err != nil {
		t.Fatal(err)
	}
	installed, err := os.ReadFile(filepath.Join(dir, "installed.json"))
	if err != nil || !bytes.Equal(wanted, installed) {
		missing(t, "the SDKs of package.json are not in "+dir+"; run build/sdks/install.sh")
	}

	// Node looks for modules beside the importing file.
	folder := t.TempDir()
	if err := os.Symlink(filepath.Join(dir, "node_modules"), filepath.Join(folder, "node_modules")); err != nil {
		t.Fatal(err)
	}
	sources, err := filepath.Glob("*.mjs")
	if err != nil {
		t.Fatal(err)
	}
	for _, source := range sources {
		text, err := os.ReadFile(source)
		if err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(folder, source), text, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return folder
}

// missing skips the test, but not where the SDKs are the point of the run.
func missing(t *testing.T, what string) {
	t.Helper()
	if os.Getenv("CI") == "true" {
		t.Fatal(what)
	}
	t.Skip(what)
}

// program is a running matrix program.
type program struct {
	cmd    *exec.Cmd
	stdin  io.Closer // whose end lets the program go
	stdout io.Reader
	stderr output
	other  []string // lines that are no reports
	failed bool     // a row has failed
}

// report is what a program says of a row; Error is empty if all was well.
type report struct{ Row, Error string }

// startProgram starts a program with a home of its own, and of the environment with nothing but env.
func startProgram(t *testing.T, folder, name string, env ...string) *program {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), programLimit)
	t.Cleanup(cancel)
	p := &program{cmd: exec.CommandContext(ctx, "node", filepath.Join(folder, name))}
	home := t.TempDir()
	p.cmd.Dir = home
	p.cmd.Env = append(env, "PATH="+os.Getenv("PATH"), "HOME="+home, "TMPDIR="+home, "NO_COLOR=1")
	p.cmd.Stderr = &p.stderr
	p.cmd.WaitDelay = 5 * time.Second
	var err error
	if p.stdin, err = p.cmd.StdinPipe(); err != nil {
		t.Fatal(err)
	}
	if p.stdout, err = p.cmd.StdoutPipe(); err != nil {
		t.Fatal(err)
	}
	if err := p.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	return p
}

// reports are the program's reports as they come, up to that of the last row; the program waits behind it.
func (p *program) reports() iter.Seq[report] {
	return func(yield func(report) bool) {
		lines := bufio.NewScanner(p.stdout)
		lines.Buffer(nil, outputLimit)
		for lines.Scan() {
			var r report
			if err := json.Unmarshal(lines.Bytes(), &r); err != nil || r.Row == "" {
				p.other = append(p.other, lines.Text()) // SDKs print warnings
				continue
			}
			p.failed = p.failed || r.Error != ""
			if !yield(r) || r.Row == matrix[len(matrix)-1] {
				return
			}
		}
	}
}

// finish lets the program go. It must end with success if all rows did.
func (p *program) finish(t *testing.T) {
	t.Helper()
	if err := p.stdin.Close(); err != nil {
		t.Error(err)
	}
	rest, err := io.ReadAll(io.LimitReader(p.stdout, outputLimit))
	if err != nil {
		t.Error(err)
	}
	if err := p.cmd.Wait(); (err != nil) != p.failed {
		t.Errorf("the program ended with %v", err)
	}
	if also := strings.Join(p.other, "\n") + string(rest) + string(p.stderr.Bytes()); also != "" {
		t.Logf("the program also printed:\n%s", also)
	}
}

// randomWord returns a word that nothing else holds by chance.
func randomWord() string { return strings.ToLower(rand.Text()[:12]) }

// output keeps the beginning of what a process prints and swallows the rest. It may be read meanwhile.
type output struct {
	mu   sync.Mutex
	text []byte
}

// Write implements io.Writer.
func (o *output) Write(p []byte) (int, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.text = append(o.text, p[:min(len(p), outputLimit-len(o.text))]...)
	return len(p), nil
}

// Bytes returns what was printed so far. It must not be changed.
func (o *output) Bytes() []byte {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.text
}
