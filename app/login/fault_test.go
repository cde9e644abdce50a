package login

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"glmtray/proxy/demo/platform"
	"glmtray/proxy/secret"
)

// text answers with a status and a text.
func text(status int, body string) func(http.ResponseWriter, *http.Request) bool {
	return func(w http.ResponseWriter, _ *http.Request) bool {
		w.Header().Set("Content-Type", "application/json")
		w.WriteHeader(status)
		_, _ = io.WriteString(w, body)
		return true
	}
}

// echo answers as a server that repeats what it was sent.
func echo(w http.ResponseWriter, r *http.Request) bool {
	words := fmt.Sprintf("bad request: %s %v", r.Header.Get("Authorization"), bodyOf(r))
	answer, err := json.Marshal(map[string]any{"code": 1214, "msg": words})
	return err == nil && text(400, string(answer))(w, r)
}

var faults = []struct {
	name  string
	serve func(http.ResponseWriter, *http.Request) bool
	words []string
}{
	{"drop", platform.Fault{Drop: true}.Serve, []string{"the connection broke"}},
	{"a web page", platform.Fault{HTML: true}.Serve, []string{"a web page instead of an answer"}},
	{"a web page with 403", platform.Fault{HTML: true, Status: 403}.Serve, []string{"HTTP 403", "a web page"}},
	{"empty", platform.Fault{Empty: true}.Serve, []string{"an empty answer"}},
	{"empty with 401", platform.Fault{Empty: true, Status: 401}.Serve, []string{"HTTP 401", "the token is not accepted"}},
	{"code", platform.Fault{Code: 4711}.Serve, []string{"HTTP 500", "code 4711", "the demo was told to fail"}},
	{"code with 200", text(200, `{"code":500,"msg":"not today","success":false}`), []string{"code 500", "not today"}},
	{"code as a text", text(200, `{"code":"1234","message":"Network error"}`), []string{"code 1234", "Network error"}},
	{"no success", text(200, `{"success":false,"msg":"closed"}`), []string{"closed"}},
	{"no JSON", platform.Fault{Status: 503}.Serve, []string{"HTTP 503", "Service Unavailable"}},
	{"500 with words", text(500, `{"timestamp":"x","status":500,"error":"Internal Server Error","path":"/x"}`), []string{"HTTP 500", "Internal Server Error"}},
	{"error with words", text(429, `{"error":{"code":"1302","message":"Rate limit reached"}}`), []string{"HTTP 429", "Rate limit reached"}},
	{"broken JSON", text(200, `{"code":0,"data":{"token":"SECRET","access_token":"SECRET`), []string{"cut off"}},
	{"broken JSON with 500", text(500, `{"access_token":"SECRET`), []string{"HTTP 500", "cut off"}},
	{"a bare text", text(200, `SECRET`), []string{"no JSON"}},
	{"endless", text(200, `{"data":"`+strings.Repeat("SECRET", maxReply/6)+`"}`), []string{"too long"}},
	{"another form", text(200, `{"code":0,"data":"SECRET"}`), []string{"another form"}},
	{"another envelope", text(200, `{"code":0,"msg":{"SECRET":1}}`), []string{"another form"}},
	{"terminal codes", text(400, `{"code":1,"msg":"\u001b[31mred\u0007 and\n\nlines"}`), []string{": [31mred and lines"}},
	{"a long story", text(400, `{"code":1,"msg":"`+strings.Repeat("很", 200)+`"}`), []string{"很…"}},
	{"a cut connection", func(w http.ResponseWriter, _ *http.Request) bool {
		w.Header().Set("Content-Length", "1000")
		_, _ = io.WriteString(w, `{"code":0,"data":{"token":"SECRET"`)
		return true
	}, []string{"the connection broke"}},
	{"echo", echo, []string{"code 1214", "bad request"}},
}

func TestFaultsAtEachStep(t *testing.T) {
	t.Parallel()
	for _, at := range []Step{StepStart, StepToken, StepBusiness, StepCustomer, StepKeys, StepCreate, StepSecret} {
		for _, fault := range faults {
			t.Run(string(at)+" "+fault.name, func(t *testing.T) {
				t.Parallel()
				w := newBubble(t, "zai", platform.Options{})
				if strings.Contains(fault.name, "connection") || fault.name == "drop" {
					w = newWorld(t, "zai", platform.Options{})
				}
				w.breakAt(at, fault.serve)
				flow := Paste
				if at == StepStart {
					flow = Poll
				}
				got, err := w.login(t.Context(), Options{Flow: flow}, answering("allow"))
				if at == StepStart || at == StepToken {
					wantStep(t, err, at, fault.words...)
					if got != (Result{}) {
						t.Errorf("got %+v", got)
					}
					return
				}
				if err != nil {
					t.Fatalf("there is a token, but %v", err)
				}
				wantStep(t, got.KeyError, at, fault.words...)
				if !got.Key.Empty() || got.JWT.Empty() || got.Proof != Unproved || got.Level != "" {
					t.Errorf("got %+v", got)
				}
				if made := at == StepSecret; got.KeyMade != made {
					t.Errorf("KeyMade = %v", got.KeyMade)
				}
			})
		}
	}
}

func TestHangingAtEachStep(t *testing.T) {
	t.Parallel()
	for _, at := range []Step{StepStart, StepToken, StepBusiness, StepCustomer, StepKeys, StepCreate, StepSecret, StepTest} {
		synctest.Test(t, func(t *testing.T) {
			w := newBubble(t, "zai", platform.Options{})
			w.breakAt(at, platform.Fault{Hang: true}.Serve)
			flow := Paste
			if at == StepStart {
				flow = Auto
			}
			began := time.Now()
			got, err := w.login(t.Context(), Options{Flow: flow}, answering("allow"))
			if waited := time.Since(began); waited != callLimit {
				t.Errorf("%s: it waited for %v", at, waited)
			}
			if at == StepTest {
				if err != nil || got.Key.Empty() || got.Proof != Unproved || got.Level != "pro" {
					t.Errorf("a key that cannot be tried: %+v, %v", got, err)
				}
				return
			}
			if err == nil {
				err = got.KeyError
			}
			wantStep(t, err, at, "did not answer in time")
		})
	}
}

// Without a token of the start plan there is nothing that a login without a key is good for.
func TestNoKeyAndNoToken(t *testing.T) {
	t.Parallel()
	w := newWorld(t, "zai", platform.Options{})
	w.breakAt(StepToken, text(200, `{"code":0,"data":{"zai":{"access_token":"SECRET-access"},"user":{"user_id":"u1"}}}`))
	got, err := w.login(t.Context(), Options{Flow: Loopback}, answering("allow"))
	wantStep(t, err, StepBusiness, "HTTP 401", "token expired or incorrect")
	if got != (Result{}) {
		t.Errorf("got %+v", got)
	}
}

func TestServerDown(t *testing.T) {
	t.Parallel()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	down := "http://" + listener.Addr().String()
	if err := listener.Close(); err != nil {
		t.Fatal(err)
	}
	tests := []struct {
		step   Step
		flow   Flow
		change func(*Endpoints)
	}{
		{StepStart, Auto, func(e *Endpoints) { e.PollBase = down }},
		{StepToken, Loopback, func(e *Endpoints) { e.TokenURL = down }},
		{StepBusiness, Loopback, func(e *Endpoints) { e.BusinessLoginURL = down }},
		{StepCustomer, Loopback, func(e *Endpoints) { e.BusinessBase = down }},
	}
	for _, test := range tests {
		w := newWorld(t, "zai", platform.Options{})
		test.change(&w.endpoints)
		got, err := w.login(t.Context(), Options{Flow: test.flow}, answering("allow"))
		if err == nil {
			err = got.KeyError
		}
		if failed := wantStep(t, err, test.step, "could not be reached", "refused"); failed.Status != 0 {
			t.Errorf("status %d", failed.Status)
		}
	}
}

func TestAddressesThatAreNone(t *testing.T) {
	t.Parallel()
	for _, address := range []string{"", "zai", "http://a b/", "http://[::1", "/login", "\x7f"} {
		e := endpointsAt("zai", "http://127.0.0.1:1")
		e.AuthorizeURL = address
		for _, flow := range []Flow{Loopback, Paste} {
			_, err := Run(t.Context(), e, Options{Flow: flow, Open: func(address string) { t.Errorf("opened %q", address) }})
			wantStep(t, err, StepStart, "the login page is not valid")
		}
	}
	e := endpointsAt("zai", "http://a b")
	_, err := Run(t.Context(), e, Options{Flow: Poll})
	wantStep(t, err, StepStart, "the address is not valid")
}

func TestUnreachable(t *testing.T) {
	t.Parallel()
	for want, err := range map[string]error{
		"the name chat.z.ai could not be resolved; check the network":      &net.OpError{Op: "dial", Err: &net.DNSError{Name: "chat.z.ai", IsTimeout: true}},
		"the server did not answer in time":                                &net.OpError{Op: "read", Err: timeoutError{}},
		"the connection broke before the answer was complete":              io.ErrUnexpectedEOF,
		"the server could not be reached: tls: certificate is not trusted": errors.New("tls: certificate is not trusted"),
	} {
		if got := unreachable(t.Context(), err).Error(); got != want {
			t.Errorf("%v: %s", err, got)
		}
	}
}

type timeoutError struct{}

func (timeoutError) Error() string { return "late" }
func (timeoutError) Timeout() bool { return true }

// A redirect may lead to a host that must not get the credentials.
func TestRedirectsAreNotFollowed(t *testing.T) {
	t.Parallel()
	var hits atomic.Int32
	elsewhere := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { hits.Add(1) }))
	t.Cleanup(elsewhere.Close)
	for _, status := range []int{302, 307} {
		for _, at := range []Step{StepStart, StepToken, StepBusiness, StepCustomer, StepKeys, StepCreate, StepSecret, StepTest} {
			w := newWorld(t, "zai", platform.Options{})
			w.breakAt(at, func(rw http.ResponseWriter, r *http.Request) bool {
				http.Redirect(rw, r, elsewhere.URL+"/x?SECRET", status)
				return true
			})
			flow := Loopback
			if at == StepStart {
				flow = Poll
			}
			got, err := w.login(t.Context(), Options{Flow: flow}, answering("allow"))
			if err == nil {
				err = got.KeyError
			}
			if at == StepTest {
				if err != nil || got.Proof != Unproved {
					t.Errorf("%d: %+v, %v", status, got, err)
				}
				continue
			}
			wantStep(t, err, at, fmt.Sprint("HTTP ", status), "points elsewhere")
		}
	}
	if hits.Load() > 0 {
		t.Errorf("%d redirects were followed", hits.Load())
	}
}

func TestSecretsAreNotPrinted(t *testing.T) {
	t.Parallel()
	w := newWorld(t, "zai", platform.Options{})
	got, err := w.login(t.Context(), Options{Flow: Loopback}, answering("allow"))
	if err != nil {
		t.Fatal(err)
	}
	text := fmt.Sprintf("%v %+v %#v", got, got, &got)
	for _, s := range []secret.Value{got.Key, got.JWT, got.Access} {
		if len(s.Reveal()) < 32 || strings.Contains(text, s.Reveal()) {
			t.Errorf("a secret is printed: %v", s)
		}
	}
}
