package main_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"

	"glmtray/proxy/demo"
	"glmtray/proxy/demo/platform"
)

// wiretap notes every secret that passes between the program and the provider.
type wiretap struct {
	mu      sync.Mutex
	secrets map[string]string // to where it was seen
}

// issued are the fields of the provider's answers that are secret.
var issued = regexp.MustCompile(`"(?:token|access_token|refresh_token|secretKey|apiKey|poll_token)":\s*"([^"*]{8,})"`)

// note remembers a secret.
func (w *wiretap) note(secret, where string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.secrets == nil {
		w.secrets = map[string]string{}
	}
	secret = strings.TrimPrefix(secret, "Bearer ")
	if _, known := w.secrets[secret]; !known && len(secret) >= 8 {
		w.secrets[secret] = where
	}
}

// tap listens to a handler.
func (w *wiretap) tap(next http.Handler) http.Handler {
	return http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		w.note(r.Header.Get("Authorization"), "Authorization to "+r.URL.Path)
		w.note(r.Header.Get("X-Api-Key"), "X-Api-Key to "+r.URL.Path)
		if strings.HasSuffix(r.URL.Path, "/oauth/token") {
			body, err := io.ReadAll(r.Body)
			var sent struct{ Code, State string }
			if err == nil && json.Unmarshal(body, &sent) == nil {
				w.note(sent.Code, "the code of a login")
			}
			r.Body = io.NopCloser(bytes.NewReader(body))
		}
		if !strings.Contains(r.URL.Path, "/oauth/") && !strings.Contains(r.URL.Path, "/auth/") && !strings.Contains(r.URL.Path, "/api_keys") {
			next.ServeHTTP(rw, r)
			return
		}
		answer := httptest.NewRecorder()
		next.ServeHTTP(answer, r)
		for _, found := range issued.FindAllStringSubmatch(answer.Body.String(), -1) {
			w.note(found[1], "the answer of "+r.URL.Path)
		}
		for name, values := range answer.Header() {
			rw.Header()[name] = values
		}
		rw.WriteHeader(answer.Code)
		_, _ = rw.Write(answer.Body.Bytes()) // a client that is gone gets nothing
	})
}

// find returns what of the secrets is in a text, as it is and in the forms in which it
// could stand in an address.
func (w *wiretap) find(text string) (found []string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	for secret, where := range w.secrets {
		if strings.Contains(text, secret) || strings.Contains(text, url.QueryEscape(secret)) {
			found = append(found, fmt.Sprintf("%.6s… (%s)", secret, where))
		}
	}
	if strings.Contains(text, secretMiddle) {
		found = append(found, secretMiddle)
	}
	return found
}

// eavesdropper runs commands and keeps what they print.
type eavesdropper struct {
	*shell
	tap  *wiretap
	said map[string]string
}

// hear remembers what something printed or answered.
func (e *eavesdropper) hear(what, text string) {
	e.said[fmt.Sprintf("%s (%d)", what, len(e.said))] = text
}

// runs calls the program, which must end with a code.
func (e *eavesdropper) runs(t *testing.T, code int, stdin string, args ...string) {
	t.Helper()
	var got outcome
	if args[0] == "auth" {
		got = e.auth(t, stdin, args[1:]...)
	} else {
		got = e.run(t, e.env, args...)
	}
	if got.code != code {
		t.Errorf("%q: %d %s", args, got.code, got.stderr)
	}
	e.hear(strings.Join(args, " "), got.stdout+got.stderr)
}

// logsIn logs in on a way, and hears everything that can be seen of it: the address, the
// process' arguments, what it prints, and the page that the browser ends at.
func (e *eavesdropper) logsIn(t *testing.T, flow, answer string, args ...string) {
	t.Helper()
	running, stdin := e.begin(t, append([]string{"login"}, args...)...)
	address := printedPage(t, running)
	e.hear(flow+": arguments", e.arguments(t, running.cmd.Process.Pid))
	place, page := decide(t, address, answer)
	if strings.HasPrefix(place, "zcode:") {
		say(t, stdin, "zcode://zai-auth/callback?state=PLANTED&code=PLANTED")
		say(t, stdin, place)
	} else {
		e.hear(flow+": the page", page)
	}
	if code := running.wait(t); (code == 0) != (answer == "allow") {
		t.Errorf("%s: exit code %d", flow, code)
	}
	e.hear(flow, running.stdout.String()+running.stderr.String())
}

// arguments are those of a running process, where the system shows them.
func (e *eavesdropper) arguments(t *testing.T, pid int) string {
	t.Helper()
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/cmdline", pid))
	if err != nil {
		if _, err := os.Stat("/proc/self/cmdline"); err == nil {
			t.Errorf("the arguments of %d cannot be seen", pid)
		}
		return ""
	}
	return string(text)
}

// TestSecretsStayHidden plants known secrets in every input, uses the program in every
// way, at the most talkative level, and holds that none of them, and none that the
// provider issues, is in anything that it prints, answers, logs or writes.
func TestSecretsStayHidden(t *testing.T) {
	t.Parallel()
	const vaultKey = "PLANTED words that open the vault"
	for name, env := range map[string][]string{
		"key in a file":            nil,
		"key from the environment": {"GLMTRAY_VAULT_KEY=" + vaultKey},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			tap := &wiretap{}
			upstream := demo.New(demo.Options{Platform: platform.Options{Fault: faultOnDemand}})
			server := httptest.NewServer(tap.tap(upstream))
			t.Cleanup(server.Close)
			p := &provider{upstream, server.URL}
			e := &eavesdropper{newShell(t, p, env...), tap, map[string]string{}}
			e.env = append(e.env, "ZCODE_JWT="+startToken, "ZCODE_CREDENTIAL_SECRET=PLANTED", "OPENAI_API_KEY=PLANTED", "ANTHROPIC_API_KEY=PLANTED")
			const talkative = "logging:\n  level: debug\nretry:\n  maxRetries: 1\n  baseDelayMs: 1\n"
			const keys = "auth:\n  proxyApiKey: " + proxyKey + "\n"
			e.configure(t, p.config(talkative, keys))

			running := e.serveHere(t)
			e.uses(t, running, "nobody is logged in", "Hello")
			e.logsIn(t, "poll", "allow", "zai", "--no-browser", "--name", "poll")
			e.logsIn(t, "poll, denied", "deny", "bigmodel", "--no-browser")
			e.logsIn(t, "paste", "allow", "zai", "--paste", "--no-browser", "--name", "paste")
			e.configure(t, p.config(talkative, keys, "  loginFlow: loopback\n"))
			e.logsIn(t, "loopback", "allow", "zai", "--no-browser", "--name", "loopback")
			e.logsIn(t, "Bigmodel", "allow", "bigmodel", "--no-browser")
			e.keys(t)
			waitFor(t, "the accounts to be in use", func() bool { return e.pool(t).Size == 5 })
			e.uses(t, running, "five accounts", "Hello", "demo:error 1308", "demo:503", "demo:html", "demo:error-first", "demo:cut", "demo:401")
			e.configure(t, p.config(talkative, keys, "  apiKey: "+ownKey+"\n"))
			running.inForce(t, 2)
			e.uses(t, running, "a key of the file", "Hello", "demo:401")
			for _, args := range []string{"auth use poll", "auth rename poll again", "auth list", "auth list --json", "status", "status --json", "config show", "config check", "logs", "models"} {
				e.runs(t, 0, "", strings.Fields(args)...)
			}
			e.hear("serve: arguments", e.arguments(t, running.cmd.Process.Pid))
			e.runs(t, 0, "", "auth", "logout", "paste")
			running.finish(t)
			e.hear("serve", running.stdout.String()+running.stderr.String())
			e.nothingIsSeen(t)
			e.hasListened(t)
			if env == nil && keyless() {
				e.tap.note(strings.TrimSpace(e.text(t, e.data("vault.key"))), "the key of the vault")
				e.nothingWasSaid(t)
			}
		})
	}
}

// hasListened holds that the test knows the secrets of every step, and has heard what it
// is about.
func (e *eavesdropper) hasListened(t *testing.T) {
	t.Helper()
	for _, where := range []string{
		"Authorization to /api/v1/oauth/cli/init", "the answer of /api/v1/oauth/cli/init", "the answer of /api/v1/oauth/cli/poll/", "the code of a login", "the answer of /api/v1/oauth/token",
		"the answer of /api/auth/z/login", "the answer of /api/biz/v1/organization/", "X-Api-Key to /api/anthropic/v1/messages",
	} {
		known := false
		for _, seen := range e.tap.secrets {
			known = known || strings.HasPrefix(seen, where)
		}
		if !known {
			t.Errorf("no secret is known of %s", where)
		}
	}
	all := strings.Join(slices.Collect(maps.Values(e.said)), "\n")
	for _, heard := range []string{
		"msg=request ", "level=WARN", "/_demo/device?flow=", "zcode%3A%2F%2F", "You said: “Hello”", "eeee…ffff", "aaaa…bbbb", "k061…061z",
	} {
		if !strings.Contains(all, heard) {
			t.Errorf("%q was never heard", heard)
		}
	}
}

// faultOnDemand breaks what the demo is told to break by the model's name, as far as it
// is about the platform.
func faultOnDemand(w http.ResponseWriter, r *http.Request) bool {
	return r.Header.Get("X-Api-Key") == apiKey(66) && platform.Fault{Code: 500}.Serve(w, r)
}

// keys gives keys of all sorts.
func (e *eavesdropper) keys(t *testing.T) {
	t.Helper()
	e.runs(t, 0, "\""+apiKey(61)+"\" \n", "auth", "key", "--name", "hand")
	e.runs(t, 0, "Bearer "+apiKey(62)+"\n", "auth", "key", "--no-check", "--name", "unchecked")
	e.runs(t, 0, "eyJhbGciOiJIUzI1NiJ9.PLANTEDclaims.PLANTEDsignature\n", "auth", "key", "--name", "token")
	for _, wrong := range []string{apiKey(63) + " PLANTED\n", "PLANTEDwithoutADot\n", "PLANTED密.abc\n"} {
		e.runs(t, 1, wrong, "auth", "key")
	}
	e.runs(t, 1, apiKey(64)+"\n", "auth", "key", "--name", "hand")
	e.runs(t, 2, "", "auth", "key", "--provider", "nobody")
}

// uses sends requests that succeed and fail, with secrets in every header and in the
// address, and hears what the program's other addresses say.
func (e *eavesdropper) uses(t *testing.T, running *server, when string, prompts ...string) {
	t.Helper()
	header := []string{
		"X-Api-Key", proxyKey, "Authorization", "Bearer " + clientKey, "Cookie", "session=PLANTED", "X-Custom", "PLANTED", "User-Agent", "PLANTED/1",
		"X-Session-Id", "PLANTED", "Proxy-Authorization", "Basic PLANTED", "Referer", "http://127.0.0.1/?key=PLANTED",
	}
	for _, path := range []string{chatPath, messagesPath} {
		for _, prompt := range prompts {
			for _, streamed := range []bool{false, true} {
				e.asks(t, when+": "+path+" "+prompt, running.url+path+"?key=PLANTED", conversation(prompt, streamed), header...)
			}
		}
		e.asks(t, when+": wrong key", running.url+path, conversation("Hello", false), "X-Api-Key", "PLANTED-wrong")
		e.asks(t, when+": no JSON", running.url+path, "PLANTED", header...)
	}
	for _, path := range []string{"/health", "/metrics", "/v1/models", "/docs", "/openapi.json", "/", "/nothing?key=PLANTED"} {
		e.asks(t, when+": "+path, running.url+path, "", header...)
		e.asks(t, when+": "+path+", stranger", running.url+path, "")
	}
}

// asks sends a request and hears the answer, of which the status does not matter.
func (e *eavesdropper) asks(t *testing.T, what, address, body string, header ...string) {
	t.Helper()
	resp, err := send(t.Context(), address, body, header...)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	text, _ := io.ReadAll(resp.Body) // an answer may be cut on purpose
	e.hear(what, fmt.Sprint(resp.Header)+string(text))
}

// nothingIsSeen looks for secrets in everything that was heard, and in every file of the
// person but those that the test wrote itself.
func (e *eavesdropper) nothingIsSeen(t *testing.T) {
	t.Helper()
	e.nothingWasSaid(t)
	files := 0
	err := filepath.WalkDir(e.home, func(path string, d fs.DirEntry, err error) error {
		if err != nil || !d.Type().IsRegular() {
			return err
		}
		files++
		text, err := os.ReadFile(path)
		if found := e.tap.find(string(text)); len(found) > 0 {
			t.Errorf("%s has %q", path, found)
		}
		return err
	})
	if err != nil || files == 0 {
		t.Errorf("%d files: %v", files, err)
	}
}

// nothingWasSaid looks for secrets in everything that was heard.
func (e *eavesdropper) nothingWasSaid(t *testing.T) {
	t.Helper()
	for what, text := range e.said {
		if found := e.tap.find(text); len(found) > 0 {
			t.Errorf("%s has %q", what, found)
		}
	}
}
