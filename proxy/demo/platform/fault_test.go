package platform_test

import (
	"context"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"glmtray/proxy/demo/platform"
)

func TestFaults(t *testing.T) {
	tests := []struct {
		name   string
		fault  platform.Fault
		status int
		want   string // in the body
	}{
		{"none", platform.Fault{}, 200, `"x"`},
		{"delay", platform.Fault{Delay: time.Millisecond}, 200, `"x"`},
		{"empty", platform.Fault{Empty: true}, 200, ""},
		{"empty with a status", platform.Fault{Empty: true, Status: 401}, 401, ""},
		{"page", platform.Fault{HTML: true}, 200, "<h1>"},
		{"page with a status", platform.Fault{HTML: true, Status: 405}, 405, "<h1>"},
		{"code", platform.Fault{Code: 3001}, 500, `"code":3001`},
		{"code with a status", platform.Fault{Code: 3012, Status: 405}, 405, `"code":3012`},
		{"status", platform.Fault{Status: 503}, 503, "Service Unavailable"},
	}
	for _, test := range tests {
		w := newWorld(t, platform.Options{Fault: test.fault.Serve})
		for _, path := range []string{"/v1/messages", "/api/v1/oauth/token", "/captcha/verify"} {
			a := w.do("POST", path, `"x"`)
			if strings.HasPrefix(test.want, `"x"`) && path != "/v1/messages" {
				continue // each face has its own answer
			}
			if a.status != test.status || !strings.Contains(a.text, test.want) || test.want == "" && a.text != "" {
				t.Errorf("%s at %s: %d %s", test.name, path, a.status, a.text)
			}
		}
	}
}

func TestFaultOfOneRequest(t *testing.T) {
	w := newWorld(t, platform.Options{Fault: func(w http.ResponseWriter, r *http.Request) bool {
		return r.URL.Path == "/api/v1/agent/configs" && platform.Fault{Status: 502}.Serve(w, r)
	}})
	if a := w.do("GET", "/api/v1/agent/configs", ""); a.status != 502 {
		t.Errorf("the broken one: %d", a.status)
	}
	if a := w.do("GET", "/api/v1/client/configs", ""); a.status != 200 {
		t.Errorf("another one: %d", a.status)
	}
}

func TestDrop(t *testing.T) {
	w := newWorld(t, platform.Options{Fault: platform.Fault{Drop: true}.Serve})
	req, err := http.NewRequestWithContext(t.Context(), "POST", w.base+"/api/v1/oauth/token", strings.NewReader("{}"))
	if err != nil {
		t.Fatal(err)
	}
	resp, err := http.DefaultTransport.RoundTrip(req)
	if err == nil {
		resp.Body.Close()
		t.Fatalf("an answer came: %d", resp.StatusCode)
	}
	if !errors.Is(err, io.EOF) && !strings.Contains(err.Error(), "reset") {
		t.Errorf("the connection did not break: %v", err)
	}
}

// A request hangs, or is delayed, until its client leaves; then its handler ends.
func TestHang(t *testing.T) {
	for _, fault := range []platform.Fault{{Hang: true}, {Delay: time.Hour}} {
		begun, ended := make(chan struct{}), make(chan struct{})
		s := platform.New(platform.Options{Fault: func(w http.ResponseWriter, r *http.Request) bool {
			defer close(ended)
			close(begun)
			return fault.Serve(w, r)
		}})
		server := httptest.NewServer(s.Handler(http.HandlerFunc(models)))
		ctx, leave := context.WithCancel(t.Context())
		go func() {
			<-begun
			select {
			case <-ended:
				t.Errorf("%+v: it did not wait", fault)
			case <-time.After(20 * time.Millisecond):
			}
			leave()
		}()
		req, err := http.NewRequestWithContext(ctx, "GET", server.URL+"/api/v1/agent/configs", nil)
		if err != nil {
			t.Fatal(err)
		}
		if resp, err := http.DefaultTransport.RoundTrip(req); err == nil {
			resp.Body.Close()
			t.Errorf("%+v: an answer came: %d", fault, resp.StatusCode)
		}
		<-ended
		server.Close()
	}
}
