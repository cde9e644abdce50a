package proxy

import (
	"bytes"
	"encoding/json"
	"flag"
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/rogpeppe/go-internal/txtar"

	"glmtray/proxy/llm"
	"glmtray/proxy/upstream"
)

var update = flag.Bool("update", false, "rewrite the wanted parts of the golden exchanges")

// TestExchanges plays every exchange of testdata over HTTP. A folder is a pair,
// <client>-<upstream>; a file is a whole exchange as a txtar archive:
//
//	a comment that says what the case shows, with the lines (all optional)
//	path: /v1/chat/completions       another path than the dialect's own
//	header: Name: value              a header of the client's request
//	glm: false                       the upstream is not Zhipu's
//	naming: glm-4.7 glm-4.6v         the models for requests without images, and with them
//	display: tags                    how thinking is shown: apart, if not in tags or hidden
//	status: 429                      of the upstream's answer
//	type: text/html                  of the upstream's answer, instead of the file's
//	answer: Name: value              a header of the upstream's answer
//	attempts: 4                      how often the upstream is asked, if not once
//	-- client.json --                the client's request
//	-- upstream.json --              what the upstream must get; missing: nothing
//	-- answer.json --                what it answers; or answer.sse, answer.txt
//	-- wanted.json --                what the client must get; or wanted.sse
//	-- wanted.header --              the status and the headers of ours that it must get
//
// go test ./proxy -run Exchanges -update writes the wanted parts.
func TestExchanges(t *testing.T) {
	files, err := filepath.Glob("testdata/*-*/*.txtar")
	if err != nil || len(files) == 0 {
		t.Fatal("no exchanges found", err)
	}
	for _, file := range files {
		t.Run(strings.TrimSuffix(strings.TrimPrefix(file, "testdata/"), ".txtar"), func(t *testing.T) {
			t.Parallel()
			playFile(t, file)
		})
	}
}

// golden is one exchange.
type golden struct {
	archive *txtar.Archive
	// From the comment.
	path, contentType string
	header, answered  http.Header
	status, attempts  int
	glm               bool
	text, vision      string // models
	display           llm.Display
}

// paths are where the clients of each dialect post their requests.
var paths = map[string]string{"chat": "/v1/chat/completions", "messages": "/v1/messages", "responses": "/v1/responses"}

// configure sets what the comment says of the proxy.
func (g *golden) configure(c *Config) {
	c.Upstream.GLM, c.Thinking = g.glm, g.display
	c.Naming = upstream.Naming{Text: g.text, Vision: g.vision, Models: c.Upstream.Models}
}

func (g *golden) part(name string) []byte {
	for _, f := range g.archive.Files {
		if f.Name == name {
			return f.Data
		}
	}
	return nil
}

// set replaces or adds a part; an empty one is removed.
func (g *golden) set(name string, data []byte) {
	g.archive.Files = slices.DeleteFunc(g.archive.Files, func(f txtar.File) bool { return f.Name == name && len(data) == 0 })
	for i := range g.archive.Files {
		if g.archive.Files[i].Name == name {
			g.archive.Files[i].Data = data
			return
		}
	}
	if len(data) > 0 {
		g.archive.Files = append(g.archive.Files, txtar.File{Name: name, Data: data})
	}
}

func readGolden(t *testing.T, file, client string) *golden {
	t.Helper()
	archive, err := txtar.ParseFile(file)
	if err != nil {
		t.Fatal(err)
	}
	g := &golden{archive: archive, status: http.StatusOK, header: http.Header{}, answered: http.Header{}, glm: true, path: paths[client]}
	for line := range strings.Lines(string(archive.Comment)) {
		name, value, _ := strings.Cut(strings.TrimSpace(line), ": ")
		switch name {
		case "path":
			g.path = value
		case "header":
			k, v, _ := strings.Cut(value, ": ")
			g.header.Set(k, v)
		case "answer":
			k, v, _ := strings.Cut(value, ": ")
			g.answered.Set(k, v)
		case "status":
			g.status = number(t, value)
		case "attempts":
			g.attempts = number(t, value)
		case "type":
			g.contentType = value
		case "glm":
			g.glm = value == "true"
		case "naming":
			g.text, g.vision, _ = strings.Cut(value, " ")
		case "display":
			g.display = map[string]llm.Display{"tags": llm.ThinkingInTags, "hidden": llm.ThinkingHidden}[value]
		}
	}
	return g
}

func number(t *testing.T, text string) int {
	t.Helper()
	n, err := strconv.Atoi(text)
	if err != nil {
		t.Fatal(err)
	}
	return n
}

// answer is the upstream's answer and its content type.
func (g *golden) answer() (body []byte, contentType string) {
	for name, t := range map[string]string{"answer.json": "application/json", "answer.sse": "text/event-stream", "answer.txt": "text/plain"} {
		if data := g.part(name); data != nil {
			body, contentType = data, t
		}
	}
	if g.contentType != "" {
		contentType = g.contentType
	}
	return body, contentType
}

func playFile(t *testing.T, file string) {
	client, wire, _ := strings.Cut(filepath.Base(filepath.Dir(file)), "-")
	g := readGolden(t, file, client)
	var sent []byte
	requests := 0
	base := serveUpstream(t, func(w http.ResponseWriter, r *http.Request) {
		requests++
		sent, _ = io.ReadAll(r.Body)
		body, contentType := g.answer()
		maps.Copy(w.Header(), g.answered)
		w.Header().Set("Content-Type", contentType)
		w.WriteHeader(g.status)
		_, _ = w.Write(body)
	})
	bases := upstream.Bases{OpenAI: base + "/v1"}
	if wire == "messages" {
		bases = upstream.Bases{Anthropic: base}
	}
	proxyURL := serveProxy(t, bases, g.configure)
	resp, body := post(t, proxyURL+g.path, g.header, g.part("client.json"))
	if requests > max(g.attempts, 1) || requests < g.attempts {
		t.Errorf("%d requests went upstream", requests)
	}
	check(t, g, "upstream.json", indent(sent))
	name := "wanted.json"
	if isEventStream(resp.Header.Get("Content-Type")) {
		name = "wanted.sse"
		g.set("wanted.json", nil)
	} else {
		body = indent(body)
		if *update {
			g.set("wanted.sse", nil)
		}
	}
	check(t, g, name, scrub(body))
	head := fmt.Sprintf("%d\n", resp.StatusCode)
	for _, h := range []string{droppedHeader, "Retry-After"} {
		if v := resp.Header.Get(h); v != "" {
			head += h + ": " + v + "\n"
		}
	}
	if head == "200\n" {
		head = ""
	}
	check(t, g, "wanted.header", []byte(head))
	if *update {
		if err := os.WriteFile(file, txtar.Format(g.archive), 0o644); err != nil {
			t.Fatal(err)
		}
	}
}

func check(t *testing.T, g *golden, name string, got []byte) {
	t.Helper()
	if *update {
		if !bytes.Equal(bytes.TrimSpace(got), bytes.TrimSpace(g.part(name))) { // what holds is left alone
			g.set(name, got)
		}
		return
	}
	if want := g.part(name); !bytes.Equal(bytes.TrimSpace(got), bytes.TrimSpace(want)) {
		t.Errorf("%s\ngot:\n%s\nwant:\n%s", name, got, want)
	}
}

// indent makes JSON readable; anything else stays.
func indent(body []byte) []byte {
	var out bytes.Buffer
	if len(body) == 0 || json.Indent(&out, body, "", "  ") != nil {
		return body
	}
	out.WriteByte('\n')
	return out.Bytes()
}

var (
	ourID   = regexp.MustCompile(`(req_|msg_|chatcmpl-|resp_|rs_|fc_|ctc_|cmp_)[0-9a-f]{32}`)
	ourCall = regexp.MustCompile(`(call_|toolu_)[0-9a-z]{8,13}(_\d+")`)
	created = regexp.MustCompile(`"(created|created_at)": ?\d+`)
	// echo is what the response objects of a stream repeat of the request.
	echo = regexp.MustCompile(`,"service_tier":"default","top_logprobs":0,"instructions":.*,"user":(?:null|"[^"]*")}`)
)

// scrub takes out what differs from run to run, and what each of the response objects
// of a stream repeats of the request: those of batches show it.
func scrub(body []byte) []byte {
	body = ourID.ReplaceAll(body, []byte("${1}0"))
	body = ourCall.ReplaceAll(body, []byte("${1}0$2"))
	body = echo.ReplaceAll(body, []byte(`, … }`))
	return created.ReplaceAll(body, []byte(`"$1":0`))
}

// TestGoldenStreamsTorn plays the stream of every exchange again: torn at every
// byte, and in all the spellings that event streams may have. What the client gets
// must stay the same; only a native client gets the spelling passed on. With -short,
// and for clients of the Responses API, it is torn at some bytes only.
func TestGoldenStreamsTorn(t *testing.T) {
	files, err := filepath.Glob("testdata/*-*/*.txtar")
	if err != nil {
		t.Fatal(err)
	}
	for _, file := range files {
		client, wire, _ := strings.Cut(filepath.Base(filepath.Dir(file)), "-")
		g := readGolden(t, file, client)
		stream := string(g.part("answer.sse"))
		if stream == "" || g.status != http.StatusOK || g.contentType != "" {
			continue
		}
		t.Run(strings.TrimSuffix(strings.TrimPrefix(file, "testdata/"), ".txtar"), func(t *testing.T) {
			t.Parallel()
			torn := &tornAnswer{}
			bases := upstream.Bases{OpenAI: "http://upstream.test/v1"}
			if wire == "messages" {
				bases = upstream.Bases{Anthropic: "http://upstream.test"}
			}
			s := newServer(t, bases, func(c *Config) {
				g.configure(c)
				c.Transport, c.Retry.Max = torn, 0
			})
			var raw []byte // of the last play
			var said string
			play := func(answer string, at int) string {
				torn.answer, torn.at = answer, at
				r := httptest.NewRequest(http.MethodPost, "http://127.0.0.1"+g.path, bytes.NewReader(g.part("client.json")))
				r.RemoteAddr = "127.0.0.1:5000"
				for name, values := range g.header {
					r.Header[name] = values
				}
				w := httptest.NewRecorder()
				s.ServeHTTP(w, r)
				// Most plays end like the one before, and to scrub takes longer than to play.
				if got := withoutID(fmt.Append(nil, w.Code, "\n", w.Body)); !bytes.Equal(got, raw) {
					raw, said = got, string(scrub(got))
				}
				return said
			}
			want := play(stream, 0)
			step := 1
			if client == "responses" {
				step = 7 // the decoders are the same as for the other clients
			}
			if testing.Short() {
				step = 97 // a prime, so that the streams are not all torn at like places
			}
			for at := 1; at < len(stream); at += step {
				if got := play(stream, at); got != want {
					t.Fatalf("torn at %d:\n%s\nwant:\n%s", at, got, want)
				}
			}
			if client == wire {
				return
			}
			plain := strings.ReplaceAll(stream, "\r\n", "\n")
			for name, spelled := range map[string]string{
				"CRLF":      strings.ReplaceAll(plain, "\n", "\r\n"),
				"CR":        strings.ReplaceAll(plain, "\n", "\r"),
				"mark":      "\ufeff" + plain,
				"comments":  ": first\n\n" + strings.ReplaceAll(plain, "\ndata:", "\n: a comment\ndata:"),
				"multiline": strings.ReplaceAll(plain, "data: {", "data: {\ndata: "),
			} {
				if got := play(spelled, 0); got != want {
					t.Errorf("%s:\n%s\nwant:\n%s", name, got, want)
				}
			}
		})
	}
}

// withoutID takes the id of a response out, which no two have, without a closer look.
func withoutID(body []byte) []byte {
	const digits = 32
	_, rest, ok := bytes.Cut(body, []byte(`"resp_`))
	if !ok || len(rest) < digits {
		return body
	}
	return bytes.ReplaceAll(body, rest[:digits], []byte("0"))
}

// tornAnswer is an upstream whose stream comes in two reads.
type tornAnswer struct {
	answer string
	at     int
}

// RoundTrip implements http.RoundTripper.
func (a *tornAnswer) RoundTrip(r *http.Request) (*http.Response, error) {
	r.Body.Close()
	body := io.MultiReader(strings.NewReader(a.answer[:a.at]), strings.NewReader(a.answer[a.at:]))
	return &http.Response{
		StatusCode: http.StatusOK, Header: http.Header{"Content-Type": {"text/event-stream"}},
		Body: io.NopCloser(body), ContentLength: -1, Request: r,
	}, nil
}
