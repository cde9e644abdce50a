package webchat_test

import (
	"bytes"
	"flag"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/rogpeppe/go-internal/txtar"

	"glmtray/proxy/dialect/dialecttest"
	"glmtray/proxy/dialect/webchat"
	"glmtray/proxy/llm"
	"glmtray/proxy/sse"
)

var update = flag.Bool("update", false, "rewrite what the golden files want")

// goldenStreams are the files of streams by name.
func goldenStreams(t testing.TB) map[string]string {
	t.Helper()
	files, err := filepath.Glob(filepath.Join("testdata", "streams", "*.txtar"))
	if err != nil || len(files) == 0 {
		t.Fatalf("no golden files: %v", err)
	}
	found := map[string]string{}
	for _, file := range files {
		found[strings.TrimSuffix(filepath.Base(file), ".txtar")] = file
	}
	return found
}

// TestGoldenStreams reads the site's streams: at once, byte by byte, and as a body.
// -update rewrites the golden files.
func TestGoldenStreams(t *testing.T) {
	for name, file := range goldenStreams(t) {
		t.Run(name, func(t *testing.T) {
			archive, err := txtar.ParseFile(file)
			if err != nil {
				t.Fatal(err)
			}
			stream := append(archive.Files[0].Data, '\n')
			events := decode(t, bytes.NewReader(stream))
			dialecttest.Laws(t, events)
			got := dialecttest.Transcript(events)
			torn := decode(t, &oneByte{stream})
			if told := dialecttest.Transcript(torn); told != got {
				t.Errorf("byte by byte\n%s\nat once\n%s", told, got)
			}
			if told := dialecttest.Transcript(webchat.DecodeResponse(nil, stream)); told != got {
				t.Errorf("as a body\n%s\nas a stream\n%s", told, got)
			}
			if *update {
				archive.Files = append(archive.Files[:1], txtar.File{Name: "events", Data: []byte(got)}, txtar.File{Name: "answer", Data: []byte(dialecttest.AnswerOf(events).String())})
				if err := os.WriteFile(file, txtar.Format(archive), 0o600); err != nil {
					t.Fatal(err)
				}
				return
			}
			if len(archive.Files) != 3 {
				t.Fatalf("%d sections, want 3", len(archive.Files))
			}
			if want := string(archive.Files[1].Data); got != want {
				t.Errorf("events\n%s\nwant\n%s", got, want)
			}
			if answer := dialecttest.AnswerOf(events).String(); answer != string(archive.Files[2].Data) {
				t.Errorf("answer\n%s\nwant\n%s", answer, archive.Files[2].Data)
			}
		})
	}
}

// oneByte reads a text byte by byte.
type oneByte struct{ left []byte }

// Read implements io.Reader.
func (o *oneByte) Read(p []byte) (int, error) {
	if len(o.left) == 0 {
		return 0, io.EOF
	}
	p[0] = o.left[0]
	o.left = o.left[1:]
	return 1, nil
}

// decode reads a stream as the relay does. Frames are overwritten as soon as they were
// read: events must not share memory with them.
func decode(t testing.TB, src io.Reader) []llm.Event {
	t.Helper()
	d := webchat.NewDecoder()
	r := sse.NewReader(src, make([]byte, 1024))
	var events []llm.Event
	take := func(f sse.Frame) {
		f.Data = bytes.Clone(f.Data)
		events = d.Append(events, f)
		for i := range f.Data {
			f.Data[i] = 0xff
		}
	}
	for {
		err := r.Fill()
		for f, ok := r.Next(); ok; f, ok = r.Next() {
			take(f)
		}
		if err == io.EOF {
			take(r.Rest())
			return d.Close(events)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
}
