package main_test

import (
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"testing"

	"glmtray/proxy/demo"
)

// TestAuthNameOfTheOneInUse holds that an account which is used alone stays so when it is
// given a new name with its credentials.
//
// It failed: auth.account named an account that was no more, and every request was refused.
func TestAuthNameOfTheOneInUse(t *testing.T) {
	t.Parallel()
	s := newShell(t, newProvider(t, demo.Options{}))
	s.must(t, apiKey(1), "key", "--name", "old")
	s.must(t, apiKey(2), "key", "--name", "other")
	s.must(t, "", "use", "old")
	s.must(t, apiKey(1), "key", "--name", "new")
	wants(t, s.text(t, s.config()), "account: new")
	s.must(t, apiKey(2), "key", "--name", "third")
	wants(t, s.text(t, s.config()), "account: new")

	// It can be used.
	served := s.serveHere(t)
	ask(t, served.url+chatPath, conversation("Hello", false))
}

// TestAuthUseOfAStartPlan holds that an account which has a token of the start plan alone
// is used with that plan.
//
// It failed: the plan stayed, and every request was refused for want of a key.
func TestAuthUseOfAStartPlan(t *testing.T) {
	t.Parallel()
	s := newShell(t, newProvider(t, demo.Options{}))
	s.must(t, "eyJhbGciOiJIUzI1NiJ9.eyJ1c2VyX2lkIjoidTEifQ.c2lnbmF0dXJl", "key", "--name", "free")
	s.must(t, apiKey(1), "key", "--name", "paid")
	s.must(t, "", "use", "free")
	wants(t, s.text(t, s.config()), "account: free", "plan: start-plan")
	s.must(t, "", "use", "paid") // what costs nothing is never left for what does by itself
	wants(t, s.text(t, s.config()), "account: paid", "plan: start-plan")
}

// TestAuthImportOfStandardInput holds that a file from standard input leaves no room for
// the passphrase there, and that this is said.
//
// It failed with "the passphrase must have 8 characters at least", of whatever was typed.
func TestAuthImportOfStandardInput(t *testing.T) {
	t.Parallel()
	p := newProvider(t, demo.Options{})
	from, to := newShell(t, p), newShell(t, p)
	words := filepath.Join(from.home, "words")
	writeFile(t, words, "PLANTED correct horse\n")
	from.must(t, apiKey(1), "key")
	sealed := from.must(t, "", "export", "--passphrase-file", words).stdout
	if got := to.auth(t, sealed, "import", "-"); got.code != 2 || !strings.Contains(got.stderr, "--passphrase-file") || got.stdout != "" {
		t.Errorf("%d %q %s", got.code, got.stdout, got.stderr)
	}
	wants(t, to.must(t, sealed, "import", "-", "--passphrase-file", words).stdout, "Z.AI: zai, coding-plan")
}

// TestAuthOtherFiles holds that a file which has nothing to do with the accounts is not
// taken for theirs.
//
// It failed: what could not be imported from the root folder was said to be the accounts
// that cannot be read, and the disk was to be looked at.
func TestAuthOtherFiles(t *testing.T) {
	t.Parallel()
	s := newShell(t, newProvider(t, demo.Options{}))
	s.must(t, apiKey(1), "key")
	root, err := filepath.Abs(string(filepath.Separator))
	if err != nil {
		t.Fatal(err)
	}
	words := filepath.Join(s.home, "words")
	writeFile(t, words, "PLANTED correct horse\n")
	for _, args := range [][]string{{"import", root}, {"import", filepath.Join(s.home, "glmtray")}, {"import", words, "--passphrase-file", root}, {"export", "--passphrase-file", words, "-o", root}} {
		got := s.auth(t, "", args...)
		if got.code != 1 || strings.Contains(got.stderr, "the accounts in") {
			t.Errorf("%q: %d %s", args, got.code, got.stderr)
		}
	}
}

// TestAuthExportCut holds that an export which finds no room leaves no part of a file.
//
// It failed: an empty file was left, which looked like the export and stood in the way of
// the next one.
func TestAuthExportCut(t *testing.T) {
	t.Parallel()
	shell, err := exec.LookPath("sh")
	if runtime.GOOS != "linux" || err != nil {
		t.Skip("the size of files is bounded by a shell, on Linux alone")
	}
	s := newShell(t, newProvider(t, demo.Options{}))
	s.must(t, apiKey(1), "key")
	words, file := filepath.Join(s.home, "words"), filepath.Join(s.work, "moved.age")
	writeFile(t, words, "PLANTED correct horse\n")
	whole := s.command(t.Context(), s.env, "auth", "export", "--passphrase-file", words, "-o", file)
	cut := exec.CommandContext(t.Context(), shell, append([]string{"-c", `trap "" XFSZ; ulimit -f 0; exec "$@"`, "sh"}, whole.Args...)...)
	cut.Env, cut.Dir = whole.Env, whole.Dir
	if out, err := cut.CombinedOutput(); err == nil || !strings.Contains(string(out), "too large") {
		t.Errorf("%v: %s", err, out)
	}
	if _, err := os.Lstat(file); err == nil {
		t.Error("a part of the file was left")
	}
	if out, err := whole.CombinedOutput(); err != nil {
		t.Errorf("with room: %v %s", err, out)
	}
}
