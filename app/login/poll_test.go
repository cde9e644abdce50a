package login

import (
	"errors"
	"net/http"
	"net/url"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"glmtray/proxy/demo/platform"
)

// inBubble runs a login by the poll flow, in time that jumps.
func inBubble(t *testing.T, do func(t *testing.T, w *world)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) { do(t, newBubble(t, "zai", platform.Options{})) })
}

func TestPollDenied(t *testing.T) {
	t.Parallel()
	inBubble(t, func(t *testing.T, w *world) {
		_, err := w.login(t.Context(), Options{Flow: Auto}, answering("deny"))
		wantStep(t, err, StepBrowser)
		if !errors.Is(err, ErrDenied) {
			t.Error(err)
		}
	})
}

// What may pass is waited out, ever longer; the person allows it meanwhile.
func TestPollComesBack(t *testing.T) {
	t.Parallel()
	for name, fault := range map[string]platform.Fault{
		"drop": {Drop: true}, "too many requests": {Status: 429}, "bad gateway": {HTML: true, Status: 502}, "unavailable": {Status: 503},
		"hang": {Hang: true}, "gateway time": {Code: 1, Status: 504},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			inBubble(t, func(t *testing.T, w *world) {
				var at []time.Duration
				began := time.Now()
				w.breakAt(StepBrowser, func(rw http.ResponseWriter, r *http.Request) bool {
					at = append(at, time.Since(began).Round(time.Second))
					return len(at) <= 6 && fault.Serve(rw, r)
				})
				got, err := w.login(t.Context(), Options{Flow: Poll}, answering("allow"))
				if err != nil || got.Key.Empty() {
					t.Fatalf("%+v, %v", got, err)
				}
				want := []time.Duration{1, 3, 7, 15, 31, 61, 91} // seconds
				for i := range want {
					want[i] *= time.Second
					if fault.Hang {
						want[i] += time.Duration(i) * callLimit
					}
				}
				if !slices.Equal(at, want) {
					t.Errorf("asked after %v, want %v", at, want)
				}
			})
		})
	}
}

// What does not pass ends the login, in the server's words.
func TestPollFails(t *testing.T) {
	t.Parallel()
	for _, fault := range faults {
		switch fault.name {
		case "drop", "no JSON", "a cut connection", "error with words": // these may pass; see TestPollComesBack
			continue
		}
		t.Run(fault.name, func(t *testing.T) {
			t.Parallel()
			inBubble(t, func(t *testing.T, w *world) {
				w.breakAt(StepBrowser, fault.serve)
				got, err := w.login(t.Context(), Options{Flow: Auto}, nobody)
				wantStep(t, err, StepBrowser, fault.words...)
				if n := w.called("/cli/poll/"); n != 1 || got != (Result{}) {
					t.Errorf("asked %d times, got %+v", n, got)
				}
			})
		})
	}
}

// Where the provider could not be asked to the end, that is said too.
func TestPollExpires(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name  string
		fault platform.Fault
		words []string
	}{
		{"nobody", platform.Fault{}, []string{stepNames[StepBrowser] + " failed: " + ErrExpired.Error()}},
		{"drop", platform.Fault{Drop: true}, []string{"the connection broke before the answer was complete; " + ErrExpired.Error()}},
		{"unavailable", platform.Fault{Status: 503}, []string{"HTTP 503: Service Unavailable: " + ErrExpired.Error()}},
	}
	for _, test := range tests {
		inBubble(t, func(t *testing.T, w *world) {
			w.breakAt(StepBrowser, test.fault.Serve)
			began := time.Now()
			_, err := w.login(t.Context(), Options{Flow: Auto}, nobody)
			wantStep(t, err, StepBrowser, test.words...)
			if waited := time.Since(began); !errors.Is(err, ErrExpired) || waited != patience {
				t.Errorf("%s: after %v: %v", test.name, waited, err)
			}
		})
	}
}

// What went wrong in between is no news once the provider has answered again.
func TestPollExpiresAfterAFault(t *testing.T) {
	t.Parallel()
	inBubble(t, func(t *testing.T, w *world) {
		asked := 0
		w.breakAt(StepBrowser, func(rw http.ResponseWriter, r *http.Request) bool {
			asked++
			return asked == 1 && platform.Fault{Status: 503}.Serve(rw, r)
		})
		_, err := w.login(t.Context(), Options{Flow: Poll}, nobody)
		if failed := wantStep(t, err, StepBrowser); asked < 2 || failed.Status != 0 || failed.Said != "" || !errors.Is(err, ErrExpired) {
			t.Errorf("asked %d times: %v", asked, err)
		}
	})
}

func TestPollInterval(t *testing.T) {
	t.Parallel()
	for given, want := range map[string]time.Duration{
		"2": 2 * time.Second, "0": shortestPoll, "-5": shortestPoll, "0.25": shortestPoll, "2.5": 2500 * time.Millisecond, "null": shortestPoll,
		"86400": longestPoll,
	} {
		inBubble(t, func(t *testing.T, w *world) {
			w.breakAt(StepStart, text(200, `{"flow_id":"f/1","authorize_url":"https://x.test/?state=s","poll_interval_sec":`+given+`}`))
			began := time.Now()
			var asked time.Duration
			var path string
			w.fault = either(w.fault, func(rw http.ResponseWriter, r *http.Request) bool {
				if stepOf(r) != StepBrowser {
					return false
				}
				asked, path = time.Since(began), r.URL.EscapedPath()
				return text(200, `{"status":"failed"}`)(rw, r)
			})
			_, err := w.login(t.Context(), Options{Flow: Poll}, nobody)
			if !errors.Is(err, ErrDenied) || asked != want || path != "/api/v1/oauth/cli/poll/f%2F1" {
				t.Errorf("%s: asked %s after %v, want %v: %v", given, path, asked, want, err)
			}
		})
	}
}

func either(faults ...func(http.ResponseWriter, *http.Request) bool) func(http.ResponseWriter, *http.Request) bool {
	return func(w http.ResponseWriter, r *http.Request) bool {
		return slices.ContainsFunc(faults, func(f func(http.ResponseWriter, *http.Request) bool) bool { return f(w, r) })
	}
}

func TestPollWithoutTokens(t *testing.T) {
	t.Parallel()
	inBubble(t, func(t *testing.T, w *world) {
		w.breakAt(StepBrowser, text(200, `{"code":0,"data":{"status":"ready","user":{"user_id":"u1"}}}`))
		_, err := w.login(t.Context(), Options{Flow: Poll}, nobody)
		wantStep(t, err, StepToken, "no tokens")
	})
}

// The page of the poll flow may end at an address that can be pasted.
func TestPollTakesWhatIsPasted(t *testing.T) {
	t.Parallel()
	inBubble(t, func(t *testing.T, w *world) {
		const back = "zcode://zai-auth/callback"
		page := w.base + "/api/oauth/authorize?" + url.Values{"response_type": {"code"}, "client_id": {"c"}, "redirect_uri": {back}, "state": {"s-1"}}.Encode()
		w.breakAt(StepStart, text(200, `{"code":0,"data":{"flow_id":"f","authorize_url":"`+page+`"}}`))
		w.fault = either(w.fault, func(rw http.ResponseWriter, r *http.Request) bool {
			return stepOf(r) == StepBrowser && text(200, `{"code":0,"data":{"status":"pending"}}`)(rw, r)
		})
		got, err := w.login(t.Context(), Options{Flow: Auto}, func(w *world, address string, paste func(string) error) {
			to := w.press(address, "allow")
			if err := paste(back + "?code=x&state=other"); !errors.Is(err, ErrState) {
				t.Errorf("another state: %v", err)
			}
			time.Sleep(time.Minute) // it goes on asking
			if n := w.called("/cli/poll/"); n < 50 {
				t.Errorf("it asked %d times in a minute", n)
			}
			if err := paste(to); err != nil {
				t.Error(err)
			}
		})
		if err != nil || got.Key.Empty() {
			t.Errorf("%+v, %v", got, err)
		}
	})
}
