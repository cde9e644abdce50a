package main_test

import (
	"bytes"
	"encoding/json"
	"io"
	"maps"
	"net/http"
	"net/http/httptest"
	"reflect"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
)

// The tests of files named dropin_*_test.go each stand for one of the programs whose place
// this one can take. They set `glmtray serve` up as that program's documentation says, and
// ask as its users' clients do. What it documents is the rows of a table.

// A row is one thing that a program documents: a variable, a key of its file, a flag, an
// endpoint, a header, something that it does.
type row struct {
	what string // as that program writes it
	here string // what is different here, and why; empty: it works as it did
	// holds shows that what works does, and that what does not is refused in words or
	// has no effect.
	holds func(t *testing.T)
}

func eachRow(t *testing.T, rows []row) {
	t.Helper()
	seen := map[string]bool{}
	for _, r := range rows {
		if seen[r.what] {
			t.Errorf("%s is there twice", r.what)
		}
		seen[r.what] = true
		t.Run(r.what, func(t *testing.T) {
			t.Parallel()
			if r.here != "" {
				t.Log("different here: " + r.here)
			}
			r.holds(t)
		})
	}
}

// A setup is how a person has set a program up.
type setup struct {
	env   []string
	files map[string]string // in the working directory, by name
	args  []string          // of serve
}

// with is a setup that has more.
func (s setup) with(more setup) setup {
	files := maps.Clone(s.files)
	if files == nil {
		files = map[string]string{}
	}
	maps.Copy(files, more.files)
	return setup{slices.Concat(s.env, more.env), files, slices.Concat(s.args, more.args)}
}

// machine is a machine with the setup's files.
func (s setup) machine(t *testing.T) *machine {
	t.Helper()
	m := newMachine(t)
	for name, text := range s.files {
		writeFile(t, m.work+"/"+name, text)
	}
	return m
}

// serve starts the program on a machine of its own, on a free port.
func (s setup) serve(t *testing.T) *server {
	t.Helper()
	return s.machine(t).serve(t, s.env, slices.Concat(s.args, []string{"--port", "0"})...)
}

// inForce is the value of a setting that the setup leads to.
func (s setup) inForce(t *testing.T, key string) string {
	t.Helper()
	got := s.machine(t).run(t, s.env, append([]string{"config", "show"}, s.args...)...)
	if got.code != 0 {
		t.Fatal(got.stderr)
	}
	value, _ := shown(t, got.stdout, key)
	return strings.Trim(value, `'"`)
}

// refused holds that serve does not start with the setup, and says why.
func (s setup) refused(t *testing.T, says ...string) {
	t.Helper()
	got := s.machine(t).run(t, s.env, append([]string{"serve"}, s.args...)...)
	if got.code != 2 || got.stdout != "" {
		t.Errorf("exit code %d, printed %q", got.code, got.stdout)
	}
	wants(t, got.stderr, says...)
	lacks(t, got.stderr, secretMiddle)
}

// ask sends a request that must be answered, and returns what came.
func ask(t *testing.T, url, body string, header ...string) string {
	t.Helper()
	status, answer := fetch(t, url, body, header...)
	if status != http.StatusOK {
		t.Fatalf("%s: %d %s", url, status, answer)
	}
	return answer
}

// only is the only request that an upstream got.
func (r *recorder) only(t *testing.T) recorded {
	t.Helper()
	list := r.requests()
	if len(list) != 1 {
		t.Fatalf("the upstream got %d requests: %+v", len(list), list)
	}
	return list[0]
}

// fields complains about fields of a JSON object that are not as wanted. The wanted values
// are JSON; "" is for a field that must not be there.
func fields(t *testing.T, object string, want map[string]string) {
	t.Helper()
	got := map[string]json.RawMessage{}
	if err := json.Unmarshal([]byte(object), &got); err != nil {
		t.Fatalf("%v: %s", err, object)
	}
	for name, text := range want {
		value, ok := got[name]
		switch {
		case text == "" && ok:
			t.Errorf("%s is there: %s", name, value)
		case text != "" && (!ok || !sameJSON(t, string(value), text)):
			t.Errorf("%s is %s, want %s", name, value, text)
		}
	}
}

func sameJSON(t *testing.T, a, b string) bool {
	t.Helper()
	var x, y any
	for _, err := range []error{json.Unmarshal([]byte(a), &x), json.Unmarshal([]byte(b), &y)} {
		if err != nil {
			t.Errorf("%v: %s, %s", err, a, b)
		}
	}
	return reflect.DeepEqual(x, y)
}

// headers complains about headers that are not as wanted; "" is for one that must not be
// there.
func headers(t *testing.T, got http.Header, want map[string]string) {
	t.Helper()
	for name, value := range want {
		if got.Get(name) != value {
			t.Errorf("%s: %q, want %q", name, got.Get(name), value)
		}
	}
}

// newScripted is a recorder before which answer may answer the n-th request, from 0, itself.
func newScripted(t *testing.T, answer func(n int, w http.ResponseWriter) bool) *recorder {
	t.Helper()
	r := &recorder{}
	var n atomic.Int64
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, req *http.Request) {
		body, err := io.ReadAll(req.Body)
		if err != nil {
			return // the proxy has gone
		}
		req.Body = io.NopCloser(bytes.NewReader(body))
		if req.Method != http.MethodPost || !answer(int(n.Add(1))-1, w) {
			r.ServeHTTP(w, req)
			return
		}
		r.mu.Lock()
		defer r.mu.Unlock()
		r.seen = append(r.seen, recorded{req.URL.Path, string(body), req.Header.Clone()})
	}))
	t.Cleanup(server.Close)
	r.url = server.URL
	return r
}

// says has an upstream answer with a text; a stream, if it looks like one.
func says(t *testing.T, text string) *recorder {
	t.Helper()
	kind := "application/json"
	if strings.HasPrefix(text, "event:") || strings.HasPrefix(text, "data:") {
		kind = "text/event-stream"
	}
	return newScripted(t, func(_ int, w http.ResponseWriter) bool {
		w.Header().Set("Content-Type", kind)
		_, _ = io.WriteString(w, text) // a proxy that has gone is told by what is missing
		return true
	})
}

// modelIDs are the models that are listed, with what is said of them.
func modelIDs(t *testing.T, list string) map[string]map[string]any {
	t.Helper()
	var got struct{ Data []map[string]any }
	if err := json.Unmarshal([]byte(list), &got); err != nil {
		t.Fatalf("%v: %s", err, list)
	}
	ids := map[string]map[string]any{}
	for _, m := range got.Data {
		id, _ := m["id"].(string)
		ids[id] = m
	}
	return ids
}
