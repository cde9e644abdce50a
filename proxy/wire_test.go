package proxy

import (
	"bytes"
	"context"
	"net/http"
	"strings"
	"sync"
	"testing"

	"glmtray/proxy/llm"
	"glmtray/proxy/rawjson"
	"glmtray/proxy/upstream"
)

// bothPaths are bases of both dialects.
func bothPaths(base string) upstream.Bases {
	return upstream.Bases{Anthropic: base, OpenAI: base + "/v1"}
}

// clients are the two dialects of clients, each as a lane without an upstream.
func clients() map[string]lane {
	found := map[string]lane{}
	for _, l := range lanes() {
		found[string(l.client)] = l
	}
	return found
}

func eachClient(t *testing.T, test func(t *testing.T, l lane, body []byte)) {
	for name, l := range clients() {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			t.Run("stream", func(t *testing.T) { t.Parallel(); test(t, l, l.stream) })
			t.Run("batch", func(t *testing.T) { t.Parallel(); test(t, l, l.batch) })
		})
	}
}

// missing fails the requests to one of the paths.
func missing(path string, with http.HandlerFunc) func(int, *http.Request) http.HandlerFunc {
	return func(_ int, r *http.Request) http.HandlerFunc {
		if strings.HasSuffix(r.URL.Path, path) {
			return with
		}
		return nil
	}
}

func choosing(c *Config) { c.Upstream.Wire = new(upstream.Wire) }

func TestWireIsMessagesFirst(t *testing.T) {
	eachClient(t, func(t *testing.T, l lane, body []byte) {
		g := newGateway(t, bothPaths, func(int, *http.Request) http.HandlerFunc { return nil }, choosing)
		for range 2 {
			if _, x := g.served(t, l, body); x.Wire != upstream.Messages || x.Retries != 0 {
				t.Errorf("%+v", x)
			}
		}
		if _, paths := g.seen(); paths != "messages messages" {
			t.Error(paths)
		}
	})
}

// TestWireFallsBack has only the other path answer; the next request goes there at once.
func TestWireFallsBack(t *testing.T) {
	for name, fail := range map[string]http.HandlerFunc{
		"plain":                http.NotFound,
		"empty":                refuses(404, ``),
		"a page":               refuses(404, `<html>`),
		"JSON":                 refuses(404, `{"error":"Not Found","path":"/v1/messages"}`),
		"the status as a code": refuses(404, `{"code":404,"msg":"Not Found"}`),
	} {
		t.Run(name, func(t *testing.T) {
			eachClient(t, func(t *testing.T, l lane, body []byte) {
				g := newGateway(t, bothPaths, missing("/messages", fail), choosing)
				body = bytes.Replace(body, []byte(`"messages"`), []byte(`"seed":7,"messages"`), 1)
				for i := range 2 {
					resp, x := g.served(t, l, body)
					if x.Wire != upstream.Chat || x.Retries != 1-i || x.Status != http.StatusOK {
						t.Errorf("%+v", x)
					}
					lane := "translated to chat"
					if l.client == upstream.Chat {
						lane = "native"
						if x.Dropped != nil || resp.Header.Get(droppedHeader) != "" {
							t.Errorf("dropped %v, %q, though it went as it is", x.Dropped, resp.Header.Get(droppedHeader))
						}
					}
					if got := resp.Header.Get(laneHeader); got != lane {
						t.Errorf("the lane is called %q", got)
					}
				}
				if _, paths := g.seen(); paths != "messages chat chat" {
					t.Error(paths)
				}
			})
		})
	}
}

// TestWireTurnsBack has the path go that was found before.
func TestWireTurnsBack(t *testing.T) {
	eachClient(t, func(t *testing.T, l lane, body []byte) {
		g := newGateway(t, bothPaths, missing("/chat/completions", http.NotFound), func(c *Config) {
			choosing(c)
			c.Upstream.Found(c.Upstream.Chat)
		})
		g.served(t, l, body)
		g.served(t, l, body)
		if _, paths := g.seen(); paths != "chat messages messages" {
			t.Error(paths)
		}
	})
}

// TestWireStays is a 404 that is not the path's, and one where there is no choice.
func TestWireStays(t *testing.T) {
	for name, tc := range map[string]struct {
		fail   http.HandlerFunc
		change func(*Config)
		status int
		words  string
	}{
		"no such model":  {refuses(404, `{"error":{"code":"1211","message":"no such model"}}`), choosing, 404, "no such model"},
		"another status": {refuses(405, `{"code":3012,"msg":"blocked"}`), choosing, 405, "blocked"},
		"no choice":      {http.NotFound, func(*Config) {}, 404, "404"},
	} {
		t.Run(name, func(t *testing.T) {
			eachClient(t, func(t *testing.T, l lane, body []byte) {
				g := newGateway(t, bothPaths, func(int, *http.Request) http.HandlerFunc { return tc.fail }, tc.change)
				want := "messages messages"
				if name == "no choice" {
					want = string(l.client) + " " + string(l.client)
				}
				for range 2 {
					if resp, got := post(t, g.url+l.path, nil, body); resp.StatusCode != tc.status || !strings.Contains(string(got), tc.words) {
						t.Errorf("%d %s", resp.StatusCode, got)
					}
				}
				if _, paths := g.seen(); paths != want {
					t.Error(paths)
				}
			})
		})
	}
}

// TestWireFindsNothing tries each path once, and again with the next request.
func TestWireFindsNothing(t *testing.T) {
	eachClient(t, func(t *testing.T, l lane, body []byte) {
		g := newGateway(t, bothPaths, func(int, *http.Request) http.HandlerFunc { return http.NotFound }, choosing)
		for range 2 {
			resp, got := post(t, g.url+l.path, nil, body)
			if x := <-g.ended; resp.StatusCode != http.StatusNotFound || !strings.Contains(string(got), `"error"`) || x.Retries != 1 {
				t.Errorf("%d %s; %d retries", resp.StatusCode, got, x.Retries)
			}
		}
		if _, paths := g.seen(); paths != "messages chat messages chat" {
			t.Error(paths)
		}
	})
}

// TestWireAmidFailures has the path turn out to be missing between an account that is
// out, a proof that was spent, and a moment's overload.
func TestWireAmidFailures(t *testing.T) {
	eachClient(t, func(t *testing.T, l lane, body []byte) {
		p := &person{wanted: true}
		pool := upstream.NewPool([]upstream.Member{member("a", 1), member("b", 1)}, nil, nil)
		g := newGateway(t, bothPaths, func(n int, r *http.Request) http.HandlerFunc {
			return []http.HandlerFunc{expired, unproven, http.NotFound, unproven, busy, unproven, nil}[n-1]
		}, func(c *Config) {
			choosing(c)
			c.Person = p
			c.Credential = func(_ context.Context, ask Ask) (upstream.Lease, *llm.Error) {
				return pool.Pick(ask.Conversation(), ask.Tried...)
			}
		})
		if _, x := g.served(t, l, body); x.Account != "account b" || x.Wire != upstream.Chat || len(x.Attempts) != 6 {
			t.Errorf("%+v", x)
		}
		proofs, paths := g.seen()
		if proofs != "proof-1@sgp, , proof-2@sgp, , proof-3@sgp, , proof-4@sgp" || paths != "messages messages messages chat chat chat chat" {
			t.Errorf("%s; %s", proofs, paths)
		}
	})
}

// TestWireOfManyRequests finds the path for requests side by side.
func TestWireOfManyRequests(t *testing.T) {
	for name, l := range clients() {
		g := newGateway(t, bothPaths, missing("/messages", http.NotFound), choosing)
		var all sync.WaitGroup
		for range 16 {
			all.Go(func() {
				if resp, got := post(t, g.url+l.path, nil, l.stream); resp.StatusCode != http.StatusOK {
					t.Errorf("%s: %d %s", name, resp.StatusCode, got)
				}
			})
		}
		all.Wait()
		if _, paths := g.seen(); strings.Count(paths, "chat") != 16 {
			t.Error(paths)
		}
	}
}

// TestLeadOnBothPaths follows system prompts of ours to the path that turns out to be
// there; Claude Code's billing header does not come along.
func TestLeadOnBothPaths(t *testing.T) {
	const asked = `{"model":"glm-4.6","max_tokens":9,"system":[{"type":"text","text":"x-anthropic-billing-header: v;"},{"type":"text","text":"Be brief."}],"messages":[{"role":"user","content":"hi"}]}`
	for name, tc := range map[string]struct {
		client, body, missing string
		want                  string
	}{
		"messages":         {"messages", asked, "nothing", `"system":[{"type":"text","text":"We are \"it\"."},{"type":"text","text":"Always."},{"type":"text","text":"Be brief."}]`},
		"messages to chat": {"messages", asked, "/messages", `"messages":[{"role":"system","content":"We are \"it\".\n\nAlways.\n\nBe brief."}`},
		"chat to messages": {"chat", `{"model":"glm-4.6","messages":[{"role":"system","content":"Be brief."},{"role":"user","content":"hi"}]}`, "nothing",
			`"system":[{"type":"text","text":"We are \"it\"."},{"type":"text","text":"Always."},{"type":"text","text":"Be brief."}]`},
		"chat": {"chat", `{"model":"glm-4.6","messages":[{"role":"system","content":"Be brief."},{"role":"user","content":"hi"}]}`, "/messages",
			`"messages":[{"role":"system","content":"We are \"it\"."},{"role":"system","content":"Always."},{"role":"system","content":"Be brief."},{"role":"user","content":"hi"}]`},
	} {
		t.Run(name, func(t *testing.T) {
			l := clients()[tc.client]
			g := newGateway(t, bothPaths, missing(tc.missing, http.NotFound), func(c *Config) {
				choosing(c)
				c.Upstream.Target.Lead = []rawjson.String{rawjson.Quote(`We are "it".`), rawjson.Quote("Always.")}
			})
			g.served(t, l, []byte(tc.body))
			if got := g.lastBody(); !strings.Contains(got, tc.want) || strings.Contains(got, "billing") || rawjson.Valid([]byte(got)) != nil {
				t.Errorf("sent %s\nwant %s", got, tc.want)
			}
		})
	}
}
