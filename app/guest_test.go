package app

import (
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"sync"
	"testing"

	"glmtray/app/state"
	"glmtray/proxy/demo"
	"glmtray/proxy/demo/platform"
)

// chatSite is a stand-in for Z.AI's chat site, which notes the tokens of the messages
// that it gets.
type chatSite struct {
	*demo.Server
	url string

	mu     sync.Mutex // guards what follows
	tokens []string
	gone   string // a path that is not there
	header http.Header
}

func newChatSite(t *testing.T, o platform.Options) *chatSite {
	t.Helper()
	s := &chatSite{Server: demo.New(demo.Options{Platform: o})}
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		s.mu.Lock()
		if strings.HasSuffix(r.URL.Path, "/chat/completions") {
			s.tokens, s.header = append(s.tokens, strings.TrimPrefix(r.Header.Get("Authorization"), "Bearer ")), r.Header.Clone()
		}
		gone := s.gone
		s.mu.Unlock()
		if gone != "" && r.URL.Path == gone {
			http.NotFound(w, r)
			return
		}
		s.ServeHTTP(w, r)
	}))
	t.Cleanup(server.Close)
	s.url = server.URL
	return s
}

func (s *chatSite) config(size int) string {
	return "plan: guest\nserver:\n  port: 0\nretry:\n  maxRetries: 0\nguest:\n  base: " + s.url + "/guest\n  poolSize: " + strconv.Itoa(size) + "\n"
}

// take returns the tokens of the messages so far, and forgets them.
func (s *chatSite) take() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	tokens := s.tokens
	s.tokens = nil
	return tokens
}

// TestGuestPool holds that guests take turns, the one that has rested longest first, and
// that one whose token is refused is replaced, which the client does not notice.
func TestGuestPool(t *testing.T) {
	site := newChatSite(t, platform.Options{})
	f := run(t, site.config(3))
	f.until(t, "the tokens", func(s state.Snapshot) bool { return s.Pool.Size == 3 && s.Account.Known && len(s.Problems) == 0 })
	for range 6 {
		if text, err := all(t, post(t, f.url, "Hello")); err != nil || !strings.Contains(text, `"text":"Hello"`) || !strings.Contains(text, "message_stop") {
			t.Fatalf("%v: %s", err, text)
		}
	}
	turns := site.take()
	if len(turns) != 6 || turns[0] == turns[1] || turns[1] == turns[2] || turns[0] == turns[2] || turns[3] != turns[0] || turns[4] != turns[1] || turns[5] != turns[2] {
		t.Errorf("the guests came in the order %q", turns)
	}
	if agent := site.header.Get("User-Agent"); !strings.HasPrefix(agent, "glmtray/") || site.header.Get("X-Zcode-Agent") != "" || site.header.Get("X-Fe-Version") == "" {
		t.Errorf("the site was told %v", site.header)
	}
	site.Platform().Revoke(turns[0])
	if code := asked(t, f.url); code != http.StatusOK {
		t.Errorf("with a token that is refused: %d", code)
	}
	if used := site.take(); len(used) != 2 || used[0] != turns[0] || used[1] != turns[1] {
		t.Errorf("the guests came in the order %q", used)
	}
	f.until(t, "another token", func(s state.Snapshot) bool { return s.Pool.Size == 3 })
	for range 3 {
		if code := asked(t, f.url); code != http.StatusOK {
			t.Errorf("afterwards: %d", code)
		}
	}
	for _, token := range site.take() {
		if token == turns[0] {
			t.Error("the refused token was used again")
		}
	}
}

// TestGuestsAreRefused holds what clients are told where guests are not served.
func TestGuestsAreRefused(t *testing.T) {
	for name, c := range map[string]struct {
		options platform.Options
		size    int
		status  int
		says    string
	}{
		"no tokens are wanted":   {platform.Options{}, 0, http.StatusUnauthorized, "TOKEN_POOL_SIZE"},
		"a signature is wanted":  {platform.Options{GuestSigned: true}, 1, http.StatusForbidden, "does not imitate"},
		"programs are kept away": {platform.Options{GuestBlocked: true}, 1, http.StatusForbidden, "turns programs away"},
	} {
		t.Run(name, func(t *testing.T) {
			site := newChatSite(t, c.options)
			f := run(t, site.config(c.size))
			resp := post(t, f.url, "Hello")
			text, err := all(t, resp)
			if err != nil || resp.StatusCode != c.status || !strings.Contains(text, c.says) || !strings.Contains(text, "glmtray auth login zai") {
				t.Errorf("%v, %d: %s", err, resp.StatusCode, text)
			}
			if n := len(site.take()); n > 1 {
				t.Errorf("the site was asked %d times", n)
			}
		})
	}
}

// TestGuestsFindTheSitesPath holds that the newer path is taken where the older is gone,
// at once from the second request on.
func TestGuestsFindTheSitesPath(t *testing.T) {
	site := newChatSite(t, platform.Options{})
	site.gone = "/guest/api/chat/completions"
	f := run(t, site.config(1))
	for want := 2; want > 0; want-- {
		if code := asked(t, f.url); code != http.StatusOK {
			t.Fatal(code)
		}
		if n := len(site.take()); n != want {
			t.Errorf("%d requests, want %d", n, want)
		}
	}
}

// TestGuestPlanIsLeft holds that no token is fetched any more once another plan is in
// force, and that a change of the pool's size makes another pool.
func TestGuestPlanIsLeft(t *testing.T) {
	site := newChatSite(t, platform.Options{})
	f := run(t, site.config(1))
	f.until(t, "the token", func(s state.Snapshot) bool { return s.Pool.Size == 1 })
	if err := f.UsePlan(t.Context(), "start-plan"); err != nil {
		t.Fatal(err)
	}
	now := f.until(t, "the plan", func(s state.Snapshot) bool { return s.Plan == "start-plan" })
	f.mu.Lock()
	left := len(f.guests)
	f.mu.Unlock()
	if now.Pool.Size != 0 || left != 0 {
		t.Errorf("%d tokens, %d pools", now.Pool.Size, left)
	}
	if err := f.UsePlan(t.Context(), "guest"); err != nil {
		t.Fatal(err)
	}
	if code := asked(t, f.url); code != http.StatusOK {
		t.Errorf("back again: %d", code)
	}
}
