package port

import (
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
)

// listenVariable makes this test binary a process that listens on a port.
const listenVariable = "GLMTRAY_TEST_LISTEN"

func TestMain(m *testing.M) {
	if os.Getenv(listenVariable) != "" {
		l, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			panic(err)
		}
		fmt.Println(l.Addr().(*net.TCPAddr).Port)
		select {}
	}
	os.Exit(m.Run())
}

func TestHolder(t *testing.T) {
	other := exec.Command(os.Args[0])
	other.Env = append(os.Environ(), listenVariable+"=1")
	out, err := other.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := other.Start(); err != nil {
		t.Fatal(err)
	}
	defer func() {
		_ = other.Process.Kill()
		_ = other.Wait() // it was killed
	}()
	said := make([]byte, 100)
	n, err := out.Read(said)
	if err != nil {
		t.Fatal(err)
	}
	port, err := strconv.Atoi(strings.TrimSpace(string(said[:n])))
	if err != nil {
		t.Fatal(err)
	}
	p, ok := Holder(t.Context(), port)
	if !ok || p.PID != other.Process.Pid || p.Name != filepath.Base(os.Args[0]) || filepath.Base(p.Path) != p.Name {
		t.Errorf("%+v %v", p, ok)
	}
	if next := Free("127.0.0.1", port); next <= port {
		t.Errorf("free: %d after %d", next, port)
	}
	if p, ok := Holder(t.Context(), Free("127.0.0.1", port)); ok {
		t.Errorf("a free port is held by %+v", p)
	}
}

func TestFree(t *testing.T) {
	if got := Free("192.0.2.1", 40000); got != 0 { // TEST-NET-1
		t.Errorf("%d on an address that is not ours", got)
	}
	if got := Free("127.0.0.1", 65536); got != 0 {
		t.Errorf("%d", got)
	}
}

func TestIsUs(t *testing.T) {
	for body, want := range map[string]string{
		`{"status":"ok","version":"1.2","provider":"zai","plan":"coding-plan"}`: "1.2",
		`{"status":"ok"}`:                 "",
		`{"status":"ok","version":"1.2"}`: "",
		`<html>`:                          "",
	} {
		s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, body) }))
		version, ok := IsUs(t.Context(), s.URL)
		s.Close()
		if version != want || ok != (want != "") {
			if want != "" || ok {
				t.Errorf("%s: %q %v", body, version, ok)
			}
		}
	}
	if _, ok := IsUs(t.Context(), "http://127.0.0.1:1"); ok {
		t.Error("nobody is us")
	}
}
