package journal

import (
	"bytes"
	"log/slog"
	"strings"
	"testing"
)

func TestHandler(t *testing.T) {
	lines, out := New(), new(bytes.Buffer)
	log := slog.New(Handler(lines, slog.NewTextHandler(out, nil)))
	log.Debug("hidden")
	log.Info("one", "a", 1, slog.Group("g", "b", "x y"))
	log.With("c", true).WithGroup("h").With("d", 2).Warn("two", "e", 3, slog.Group("", "f", 4), slog.Attr{})
	log.WithGroup("").Error("three")
	log.Log(t.Context(), slog.LevelDebug-4, "hidden")
	var got []string
	for _, item := range lines.After("", 0).Items {
		line := item.Value
		if line.Time.IsZero() {
			t.Error("a line without a time")
		}
		text := line.Level + " " + line.Message
		for _, a := range line.Attrs {
			text += " " + a.Key + "=" + a.Value
		}
		got = append(got, text)
	}
	want := []string{"info one a=1 g.b=x y", "warn two c=true h.d=2 h.e=3 h.f=4", "error three"}
	if strings.Join(got, "\n") != strings.Join(want, "\n") {
		t.Errorf("got\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
	if n := strings.Count(out.String(), "\n"); n != 3 {
		t.Errorf("%d lines were handed on: %s", n, out)
	}
}

func TestLevelName(t *testing.T) {
	for level, want := range map[slog.Level]string{-8: "debug", -4: "debug", 0: "info", 2: "info", 4: "warn", 8: "error", 12: "error"} {
		if got := levelName(level); got != want {
			t.Errorf("%d: %s, want %s", level, got, want)
		}
	}
}
