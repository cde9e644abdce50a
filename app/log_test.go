package app

import (
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"glmtray/app/settings"
)

// read returns a file's text, "" if there is none.
func read(t *testing.T, path string) string {
	t.Helper()
	text, err := os.ReadFile(path)
	if err != nil && !os.IsNotExist(err) {
		t.Fatal(err)
	}
	return string(text)
}

func TestLogSink(t *testing.T) {
	dir := t.TempDir()
	one, two := filepath.Join(dir, "one.log"), filepath.Join(dir, "two.log")
	sink, err := openLog(settings.Logging{Level: "info", File: one})
	if err != nil {
		t.Fatal(err)
	}
	log := sink.logger()
	change := func(file, level string) {
		t.Helper()
		if err := sink.change(settings.Logging{Level: level, File: file}); err != nil {
			t.Fatal(err)
		}
	}
	log.Info("first")
	log.Debug("hidden")
	change(one, "debug")
	log.Debug("second")
	change(two, "warn")
	log.Info("hidden")
	log.Warn("third")
	if err := sink.change(settings.Logging{Level: "debug", File: filepath.Join(dir, "no", "such.log")}); err == nil || !strings.Contains(err.Error(), "logging.file") {
		t.Errorf("an impossible file: %v", err)
	}
	log.Info("hidden")
	log.Warn("fourth")
	change(one, "info")
	log.Info("fifth")
	for range 2 { // the second time there is nothing to close
		if err := sink.Close(); err != nil {
			t.Error(err)
		}
	}
	for path, want := range map[string]string{one: "first second fifth", two: "third fourth"} {
		var got []string
		for line := range strings.Lines(read(t, path)) {
			_, message, _ := strings.Cut(strings.TrimSpace(line), "msg=")
			got = append(got, message)
		}
		if strings.Join(got, " ") != want {
			t.Errorf("%s has %q, want %q", filepath.Base(path), got, want)
		}
	}
	if sink.out != os.Stderr {
		t.Error("a closed log does not go to standard error")
	}
}

// TestLogSinkLosesNothing holds that lines which are written while the file changes
// arrive whole, in one file or in the other.
func TestLogSinkLosesNothing(t *testing.T) {
	dir := t.TempDir()
	files := []string{filepath.Join(dir, "0.log"), filepath.Join(dir, "1.log")}
	sink, err := openLog(settings.Logging{Level: "info", File: files[0]})
	if err != nil {
		t.Fatal(err)
	}
	defer sink.Close()
	log := sink.logger()
	const writers, lines = 4, 100
	var all sync.WaitGroup
	for range writers {
		all.Go(func() {
			for range lines {
				log.Info("line", slog.String("text", strings.Repeat("x", 100)))
			}
		})
	}
	for i := range 50 {
		if err := sink.change(settings.Logging{Level: "info", File: files[(i+1)%2]}); err != nil {
			t.Error(err)
		}
	}
	all.Wait()
	whole := 0
	for _, file := range files {
		for line := range strings.Lines(read(t, file)) {
			if strings.HasSuffix(line, " msg=line text="+strings.Repeat("x", 100)+"\n") {
				whole++
			} else {
				t.Errorf("a torn line: %q", line)
			}
		}
	}
	if whole != writers*lines {
		t.Errorf("%d lines of %d", whole, writers*lines)
	}
}

// TestLogIsTurnedOver holds that a log file stays below its bound, and that the older
// ones stay beside it.
func TestLogIsTurnedOver(t *testing.T) {
	file := filepath.Join(t.TempDir(), "glmtray.log")
	sink, err := openLog(settings.Logging{Level: "info", File: file})
	if err != nil {
		t.Fatal(err)
	}
	defer sink.Close()
	log, text := sink.logger(), strings.Repeat("x", 64<<10)
	for range (logFileMB<<20)/len(text) + 1 {
		log.Info("line", slog.String("text", text))
	}
	files, err := filepath.Glob(filepath.Join(filepath.Dir(file), "glmtray*.log"))
	if err != nil || len(files) != 2 {
		t.Errorf("%v %v", files, err)
	}
	for _, name := range files {
		info, err := os.Stat(name)
		if err != nil || info.Size() > logFileMB<<20 || info.Mode().Perm()&0o077 != 0 {
			t.Errorf("%s: %v %v", name, info, err)
		}
	}
}
