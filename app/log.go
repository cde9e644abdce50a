package app

import (
	"fmt"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"sync"

	"gopkg.in/natefinch/lumberjack.v2"

	"glmtray/app/journal"
	"glmtray/app/settings"
	"glmtray/app/state"
)

// Bounds on what the log files take: the one in use and those before it.
const (
	logFileMB  = 10
	oldLogs    = 3
	oldLogDays = 28
)

// logSink is where the log goes, which can change while the program runs.
type logSink struct {
	level slog.LevelVar
	// failed, if set, is told of a line that could not be written, and of the first
	// one afterwards that could (with nil).
	failed func(name string, err error)

	mu   sync.Mutex // guards what follows
	name string     // of the file; "" is standard error
	out  io.Writer
	file *lumberjack.Logger
	bad  bool // the last line could not be written
}

// openLog opens the log that the settings name.
func openLog(s settings.Logging) (*logSink, error) {
	l := &logSink{out: os.Stderr}
	return l, l.change(s)
}

func (l *logSink) logger() *slog.Logger {
	return slog.New(slog.NewTextHandler(l, &slog.HandlerOptions{Level: &l.level}))
}

// fileName is the file that is written, "" if it is standard error.
func (l *logSink) fileName() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.name
}

// change moves to other settings. If their file cannot be opened, nothing changes.
func (l *logSink) change(s settings.Logging) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if s.File != l.name {
		if err := probe(s.File); err != nil {
			return fmt.Errorf("logging.file: %w", err)
		}
		if l.file != nil {
			l.file.Close()
		}
		l.name, l.file, l.out, l.bad = s.File, nil, os.Stderr, false
		if s.File != "" {
			l.file = &lumberjack.Logger{Filename: s.File, MaxSize: logFileMB, MaxBackups: oldLogs, MaxAge: oldLogDays, LocalTime: true}
			l.out = l.file
		}
	}
	l.level.Set(s.SlogLevel())
	return nil
}

// probe opens a file as the log would, which itself opens it only with the first line.
func probe(name string) error {
	if name == "" {
		return nil
	}
	file, err := os.OpenFile(name, os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	return file.Close()
}

// Write implements io.Writer for the log's handler.
func (l *logSink) Write(line []byte) (int, error) {
	l.mu.Lock()
	n, err := l.out.Write(line)
	news, name := (err != nil) != l.bad, l.name
	l.bad = err != nil
	l.mu.Unlock()
	if news && l.failed != nil {
		l.failed(name, err)
	}
	return n, err
}

// Close closes the file; what is logged later goes to standard error.
func (l *logSink) Close() error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.file == nil {
		return nil
	}
	err := l.file.Close()
	l.name, l.file, l.out = "", nil, os.Stderr
	return err
}

// openLog opens the program's log. The desktop program goes on without a file.
func (a *App) openLog() error {
	sink, err := openLog(a.logging(a.loaded))
	if err != nil {
		if !a.options.Desktop {
			return err
		}
		name := a.logging(a.loaded).File
		a.problems[state.ProblemLog] = logProblem(name, err)
		if sink, err = openLog(settings.Logging{Level: a.loaded.Settings.Logging.Level}); err != nil {
			return err
		}
	}
	a.sink = sink
	sink.failed = func(name string, err error) {
		// Not in the goroutine that logs: it may hold what telling needs.
		go func() {
			if err == nil {
				a.solved(state.ProblemLog)
				return
			}
			a.report(logProblem(name, err))
		}()
	}
	a.log = slog.New(journal.Handler(a.lines, sink.logger().Handler()))
	return nil
}

// changeLog moves the log to other settings. The desktop program goes on if its own
// file cannot be written, a file that the settings name must be.
func (a *App) changeLog(l settings.Loaded) error {
	s := a.logging(l)
	err := a.sink.change(s)
	if err == nil || !a.options.Desktop || l.Settings.Logging.File != "" {
		return err
	}
	a.report(logProblem(s.File, err))
	return a.sink.change(settings.Logging{Level: s.Level})
}

// logging is what the settings say of the log; that of the desktop program goes to a
// file of its own if they name none.
func (a *App) logging(l settings.Loaded) settings.Logging {
	s := l.Settings.Logging
	if s.File == "" && a.options.Desktop && l.Dirs.Logs != "" {
		// A folder that cannot be made is told when the file is opened.
		_ = os.MkdirAll(l.Dirs.Logs, 0o700)
		s.File = filepath.Join(l.Dirs.Logs, "glmtray.log")
	}
	return s
}
