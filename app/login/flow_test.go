package login

import (
	"context"
	"errors"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"glmtray/proxy/demo/platform"
)

func TestEachFlowOfEachProvider(t *testing.T) {
	t.Parallel()
	after := []Step{StepBusiness, StepCustomer, StepKeys, StepCreate, StepSecret, StepTest}
	tests := []struct {
		name   string
		flow   Flow
		noPoll bool
		before []Step
	}{
		{"auto", Auto, false, []Step{StepStart, StepBrowser}},
		{"auto by default", "", false, []Step{StepStart, StepBrowser}},
		{"auto without a poll flow", Auto, true, []Step{StepStart, StepBrowser, StepToken}},
		{"poll", Poll, false, []Step{StepStart, StepBrowser}},
		{"loopback", Loopback, false, []Step{StepBrowser, StepToken}},
		{"paste", Paste, false, []Step{StepBrowser, StepToken}},
	}
	for _, provider := range []string{"zai", "bigmodel"} {
		for _, test := range tests {
			t.Run(provider+" "+test.name, func(t *testing.T) {
				t.Parallel()
				var w *world
				var got Result
				var told steps
				try := func(t *testing.T) {
					w.t = t
					var err error
					if got, err = w.login(t.Context(), Options{Flow: test.flow, Progress: told.told}, answering("allow")); err != nil {
						t.Fatal(err)
					}
				}
				if test.before[0] == StepStart && !test.noPoll { // the loopback alone needs the network
					w = newBubble(t, provider, platform.Options{})
					synctest.Test(t, try)
				} else {
					w = newWorld(t, provider, platform.Options{NoPoll: test.noPoll})
					try(t)
				}
				if got.KeyError != nil || !got.KeyMade || got.Proof != Works || got.Level != "pro" || !strings.HasPrefix(got.UserID, "demo-") {
					t.Errorf("got %+v", got)
				}
				for name, credential := range map[string]string{"key": got.Key.Reveal(), "token": got.JWT.Reveal()} {
					if !w.demo.Platform().Issued(credential) {
						t.Errorf("the %s is not one that the provider gave", name)
					}
				}
				if got.Access.Empty() || !got.Refresh.Empty() {
					t.Errorf("access %v, refresh %v", got.Access, got.Refresh)
				}
				want := append(test.before, after...)
				if provider == "bigmodel" {
					want = append(test.before, after[1:]...)
				}
				told.are(t, want...)
				if n := w.called("POST /api/anthropic/v1/messages"); n != 1 {
					t.Errorf("%d test requests", n)
				}
			})
		}
	}
}

// The poll flow may be absent by its address too, and what answers in its place may be
// anything: only a server that is not there ends the login.
func TestAutoFallsBack(t *testing.T) {
	t.Parallel()
	faults := map[string]func(*world){
		"no address":    func(w *world) { w.endpoints.PollBase = "" },
		"404":           func(w *world) { w.breakAt(StepStart, platform.Fault{Status: http.StatusNotFound}.Serve) },
		"a page":        func(w *world) { w.breakAt(StepStart, platform.Fault{HTML: true}.Serve) },
		"nothing":       func(w *world) { w.breakAt(StepStart, platform.Fault{Empty: true}.Serve) },
		"an error code": func(w *world) { w.breakAt(StepStart, platform.Fault{Code: 3001}.Serve) },
		"no flow":       func(w *world) { w.breakAt(StepStart, text(200, `{"code":0,"data":{}}`)) },
		"a strange page": func(w *world) {
			w.breakAt(StepStart, text(200, `{"code":0,"data":{"flow_id":"f","authorize_url":"file:///etc/passwd"}}`))
		},
	}
	for name, fault := range faults {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t, "zai", platform.Options{})
			fault(w)
			if got, err := w.login(t.Context(), Options{Flow: Auto}, answering("allow")); err != nil || got.Key.Empty() {
				t.Errorf("auto: %+v, %v", got, err)
			}
			_, err := w.login(t.Context(), Options{Flow: Poll}, answering("allow"))
			wantStep(t, err, StepStart)
		})
	}
	t.Run("server down", func(t *testing.T) {
		t.Parallel()
		w := newWorld(t, "zai", platform.Options{})
		w.breakAt(StepStart, platform.Fault{Drop: true}.Serve)
		_, err := w.login(t.Context(), Options{Flow: Auto}, answering("allow"))
		wantStep(t, err, StepStart, "the connection broke")
	})
}

func TestDenied(t *testing.T) {
	t.Parallel()
	t.Run("loopback", func(t *testing.T) {
		t.Parallel()
		var shown error
		w := newWorld(t, "zai", platform.Options{})
		got, err := w.login(t.Context(), Options{Flow: Loopback, Page: func(err error) []byte { shown = err; return []byte("page") }}, answering("deny"))
		wantStep(t, err, StepBrowser, "The person said no")
		if !errors.Is(err, ErrDenied) || !errors.Is(shown, ErrDenied) || got != (Result{}) {
			t.Errorf("%+v, %v; the page was told %v", got, err, shown)
		}
	})
	// Who pastes a refusal may press the other button yet.
	t.Run("paste", func(t *testing.T) {
		t.Parallel()
		w := newWorld(t, "bigmodel", platform.Options{})
		got, err := w.login(t.Context(), Options{Flow: Paste}, func(w *world, address string, paste func(string) error) {
			if err := paste(w.press(address, "deny")); !errors.Is(err, ErrDenied) {
				w.t.Errorf("a refusal that is pasted: %v", err)
			}
			answering("allow")(w, address, paste)
		})
		if err != nil || got.Key.Empty() {
			t.Errorf("%+v, %v", got, err)
		}
	})
}

func TestForeignAnswersChangeNothing(t *testing.T) {
	t.Parallel()
	for _, provider := range []string{"zai", "bigmodel"} {
		t.Run(provider, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t, provider, platform.Options{})
			var pages []error
			o := Options{Flow: Loopback, Page: func(err error) []byte { pages = append(pages, err); return []byte("page") }}
			got, err := w.login(t.Context(), o, func(w *world, address string, paste func(string) error) {
				to := w.press(address, "allow")
				callback, err := url.Parse(to)
				if err != nil {
					w.t.Error(err)
					return
				}
				state := callback.Query().Get("state")
				for _, query := range []string{
					"code=SECRET-1&state=" + strings.Repeat("0", 64), "code=SECRET-1", "error=access_denied", "error=access_denied&state=x",
					"state=" + state, "", "state=" + state + "&code=%00", "authCode=SECRET&state=" + state + "0",
				} {
					foreign := *callback
					foreign.RawQuery = query
					resp, page := w.get(foreign.String())
					if resp.StatusCode != http.StatusBadRequest || page != "page" {
						w.t.Errorf("?%s: %d %s", query, resp.StatusCode, page)
					}
					if err := paste(foreign.String()); !errors.Is(err, ErrState) && !errors.Is(err, ErrNoCode) {
						w.t.Errorf("pasted ?%s: %v", query, err)
					}
				}
				elsewhere := *callback
				elsewhere.Path = "/"
				if resp, _ := w.get(elsewhere.String()); resp.StatusCode != http.StatusNotFound {
					w.t.Errorf("another path: %d", resp.StatusCode)
				}
				if n := w.called("oauth/token"); n != 0 {
					w.t.Errorf("%d exchanges", n)
				}
				resp, _ := w.get(to)
				if resp.StatusCode != http.StatusOK || resp.Header.Get("Referrer-Policy") != "no-referrer" || resp.Header.Get("Cache-Control") != "no-store" {
					w.t.Errorf("the redirect: %d %v", resp.StatusCode, resp.Header)
				}
			})
			if err != nil || got.Key.Empty() || pages[len(pages)-1] != nil {
				t.Errorf("%+v, %v, pages %v", got, err, pages)
			}
		})
	}
}

// The browser may load the page again; the first answer counts, and nothing blocks.
func TestSecondRedirect(t *testing.T) {
	t.Parallel()
	c := newCaller(Endpoints{Provider: "zai"}, Options{})
	answers := make(chan answer, 1)
	handler := c.callback("/callback", redirect{"", "right"}, answers)
	for i, target := range []string{"/callback?code=first&state=right", "/callback?code=second&state=right", "/callback?error=access_denied&state=right"} {
		w := httptest.NewRecorder()
		handler.ServeHTTP(w, httptest.NewRequest(http.MethodGet, target, nil))
		if w.Code != http.StatusOK || strings.Contains(w.Body.String(), "did not succeed") != (i == 2) {
			t.Errorf("%s: %d %s", target, w.Code, w.Body)
		}
	}
	if a := <-answers; a.code != "first" || len(answers) != 0 {
		t.Errorf("the answer is %+v", a)
	}
}

func TestCodesThatDoNotHoldAnyMore(t *testing.T) {
	t.Parallel()
	spoil := map[string]func(w *world, to string){
		"expired": func(w *world, _ string) { w.later(6 * time.Minute) },
		"reused": func(w *world, to string) {
			u, err := url.Parse(to)
			if err != nil {
				w.t.Error(err)
				return
			}
			c := newCaller(w.endpoints, Options{})
			if _, err := c.exchange(context.Background(), u.Query().Get("code"), redirect{"zcode://zai-auth/callback", ""}); err != nil {
				w.t.Errorf("the first use: %v", err)
			}
		},
	}
	for name, do := range spoil {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t, "zai", platform.Options{})
			got, err := w.login(t.Context(), Options{Flow: Paste}, func(w *world, address string, paste func(string) error) {
				to := w.press(address, "allow")
				do(w, to)
				if err := paste(to); err != nil {
					w.t.Errorf("paste: %v", err)
				}
			})
			failed := wantStep(t, err, StepToken, "HTTP 500", "2007", "invalid or expired authorization code")
			if got != (Result{}) || failed.Code != "2007" || failed.Status != 500 {
				t.Errorf("%+v, %+v", got, failed)
			}
		})
	}
}

func TestNobodyAnswers(t *testing.T) {
	t.Parallel()
	check := func(t *testing.T, w *world, o Options) {
		got, err := w.login(t.Context(), o, nobody)
		wantStep(t, err, StepBrowser)
		if !errors.Is(err, ErrExpired) || got != (Result{}) {
			t.Errorf("%s: %+v, %v", o.Flow, got, err)
		}
	}
	check(t, newWorld(t, "zai", platform.Options{}), Options{Flow: Loopback, Patience: 50 * time.Millisecond})
	for _, flow := range []Flow{Auto, Poll, Paste} {
		inBubble(t, func(t *testing.T, w *world) {
			began := time.Now()
			check(t, w, Options{Flow: flow})
			if waited := time.Since(began); waited != patience {
				t.Errorf("%s: it waited for %v", flow, waited)
			}
		})
	}
}

// The time of the person is not that of the servers: whoever allows it at the last moment
// is logged in.
func TestPatienceEndsWithTheBrowser(t *testing.T) {
	t.Parallel()
	inBubble(t, func(t *testing.T, w *world) {
		w.breakAt(StepToken, platform.Fault{Delay: 20 * time.Second}.Serve)
		got, err := w.login(t.Context(), Options{Flow: Paste}, func(w *world, address string, paste func(string) error) {
			time.Sleep(patience - time.Second)
			answering("allow")(w, address, paste)
		})
		if err != nil || got.Key.Empty() {
			t.Errorf("%+v, %v", got, err)
		}
	})
}

func TestCancelledAtEachStep(t *testing.T) {
	t.Parallel()
	for _, at := range []Step{StepStart, StepBrowser, StepToken, StepBusiness, StepCustomer, StepKeys, StepCreate, StepSecret, StepTest} {
		t.Run(string(at), func(t *testing.T) {
			t.Parallel()
			w := newWorld(t, "zai", platform.Options{NoPoll: true})
			ctx, cancel := context.WithCancelCause(t.Context())
			defer cancel(nil)
			var told steps
			got, err := w.login(ctx, Options{Flow: Auto, Progress: func(s Step) {
				told.told(s)
				if s == at {
					cancel(errors.New("the person closed the window"))
				}
			}}, func(w *world, address string, paste func(string) error) {
				if at != StepBrowser {
					answering("allow")(w, address, paste)
				}
			})
			if !errors.Is(err, context.Canceled) || got != (Result{}) {
				t.Errorf("%+v, %v", got, err)
			}
			if last := told.all[len(told.all)-1]; last != at {
				t.Errorf("it went on to step %s", last)
			}
		})
	}
}

// Cancelled while a server lets it wait.
func TestCancelledInACall(t *testing.T) {
	t.Parallel()
	for _, at := range []Step{StepStart, StepToken, StepBusiness, StepCustomer, StepKeys, StepCreate, StepSecret, StepTest} {
		t.Run(string(at), func(t *testing.T) {
			t.Parallel()
			w := newWorld(t, "zai", platform.Options{NoPoll: at != StepStart})
			ctx, cancel := context.WithCancel(t.Context())
			defer cancel()
			w.breakAt(at, func(rw http.ResponseWriter, r *http.Request) bool {
				cancel()
				return platform.Fault{Hang: true}.Serve(rw, r)
			})
			got, err := w.login(ctx, Options{Flow: Auto}, answering("allow"))
			if !errors.Is(err, context.Canceled) || got != (Result{}) {
				t.Errorf("%+v, %v", got, err)
			}
		})
	}
}

// A program whose standard input has ended closes the channel.
func TestNobodyCanPaste(t *testing.T) {
	t.Parallel()
	for _, flow := range []Flow{Poll, Paste} {
		inBubble(t, func(t *testing.T, w *world) {
			closed := make(chan PastedText)
			close(closed)
			opened := 0
			_, err := Run(t.Context(), w.endpoints, Options{Flow: flow, Transport: w.transport, Pasted: closed, Open: func(string) { opened++ }})
			if !errors.Is(err, ErrExpired) || opened != 1 {
				t.Errorf("%s: %v, opened %d times", flow, err, opened)
			}
		})
	}
}
