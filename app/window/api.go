package window

import (
	"encoding/json"
	"errors"
	"net/http"
	"runtime"

	"glmtray/app/locale"
	"glmtray/app/settings"
)

// maxBodyBytes bounds the body of a request: the settings as a whole fit many times.
const maxBodyBytes = 1 << 20

// routes are the pages' ways to the application.
func (s *Server) routes(mux *http.ServeMux) {
	mux.HandleFunc("GET /api/boot", s.boot)
	mux.HandleFunc("GET /api/events", s.events)
	mux.HandleFunc("GET /api/settings", s.settings)
	mux.HandleFunc("GET /api/about", s.about)
	mux.HandleFunc("POST /api/settings/check", s.checkSettings)
	mux.HandleFunc("POST /api/settings", s.changeSettings)

	intent(s, mux, "proxy", func(r *http.Request, in struct{ Action string }) error {
		switch in.Action {
		case "start":
			return s.app.StartProxy(r.Context())
		case "stop":
			return s.app.StopProxy(r.Context())
		}
		return badRequest("action must be start or stop")
	})
	intent(s, mux, "provider", func(r *http.Request, in struct{ Provider string }) error {
		return s.app.UseProvider(r.Context(), in.Provider)
	})
	intent(s, mux, "plan", func(r *http.Request, in struct{ Plan string }) error { return s.app.UsePlan(r.Context(), in.Plan) })
	intent(s, mux, "port", func(r *http.Request, in struct{ Port int }) error { return s.app.UsePort(r.Context(), in.Port) })
	intent(s, mux, "autostart", func(r *http.Request, in struct{ Enabled bool }) error {
		return s.app.SetAutostart(r.Context(), in.Enabled)
	})
	intent(s, mux, "language", func(r *http.Request, in struct{ Language string }) error {
		return s.app.SetLanguage(r.Context(), in.Language)
	})
	intent(s, mux, "activity/clear", func(*http.Request, struct{}) error {
		s.app.Exchanges().Clear()
		return nil
	})
	intent(s, mux, "dismiss", func(_ *http.Request, in struct{ Kind string }) error {
		s.app.Dismiss(in.Kind)
		return nil
	})
	intent(s, mux, "folder", func(_ *http.Request, in struct{ Folder string }) error { return s.app.OpenFolder(in.Folder) })
	intent(s, mux, "quit", func(*http.Request, struct{}) error {
		s.app.Quit()
		return nil
	})
	mux.HandleFunc("POST /api/copy", func(w http.ResponseWriter, r *http.Request) {
		var in struct{ What string }
		if read(w, r, &in) {
			answer(w, http.StatusOK, map[string]string{"text": s.app.CopyText(in.What)})
		}
	})
}

// badRequest is what is wrong with a request.
type badRequest string

func (e badRequest) Error() string { return string(e) }

// intent is a POST whose body says what to do, and whose answer is empty or an error.
func intent[T any](s *Server, mux *http.ServeMux, name string, do func(*http.Request, T) error) {
	mux.HandleFunc("POST /api/"+name, func(w http.ResponseWriter, r *http.Request) {
		var in T
		if !read(w, r, &in) {
			return
		}
		if err := do(r, in); err != nil {
			fail(w, err)
			return
		}
		w.WriteHeader(http.StatusNoContent)
	})
}

// read reads a body, and answers if it cannot.
func read(w http.ResponseWriter, r *http.Request, in any) bool {
	decoder := json.NewDecoder(http.MaxBytesReader(w, r.Body, maxBodyBytes))
	decoder.DisallowUnknownFields()
	if err := decoder.Decode(in); err != nil {
		fail(w, badRequest("the request is not understood: "+err.Error()))
		return false
	}
	return true
}

// problem is something wrong with a setting.
type problem struct {
	Key     string `json:"key"`
	Message string `json:"message"`
	Origin  string `json:"origin"`
}

func problemsOf(list []settings.Problem) []problem {
	out := make([]problem, len(list))
	for i, p := range list {
		out[i] = problem{p.Key, p.Message, p.Origin.String()}
	}
	return out
}

// failure is the body of an answer that is none.
type failure struct {
	Message  string    `json:"message"`
	Problems []problem `json:"problems,omitempty"`
}

// fail answers with an error in words.
func fail(w http.ResponseWriter, err error) {
	var wrong *settings.Error
	var bad badRequest
	switch {
	case errors.As(err, &wrong):
		answer(w, http.StatusUnprocessableEntity, failure{wrong.Error(), problemsOf(wrong.Problems)})
	case errors.As(err, &bad):
		answer(w, http.StatusBadRequest, failure{Message: err.Error()})
	default:
		answer(w, http.StatusConflict, failure{Message: err.Error()})
	}
}

func answer(w http.ResponseWriter, status int, v any) {
	text, err := json.Marshal(v)
	if err != nil {
		http.Error(w, err.Error(), http.StatusInternalServerError)
		return
	}
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("Cache-Control", "no-store")
	w.WriteHeader(status)
	_, _ = w.Write(text) // the page may have left
}

// boot is what a page needs before it shows anything.
func (s *Server) boot(w http.ResponseWriter, _ *http.Request) {
	p, snapshot := s.app.Printer(), s.app.Snapshot()
	answer(w, http.StatusOK, map[string]any{
		"language": p.Tag(), "languages": locale.Languages(), "version": s.options.Version,
		"texts": p.Texts("window.", "notice.", "tray.provider.", "tray.plan."), "snapshot": snapshotEvent{snapshot, snapshot.Face()},
	})
}

// about says what the program is and where it keeps things.
func (s *Server) about(w http.ResponseWriter, _ *http.Request) {
	loaded, _ := s.app.Loaded() // what is wrong with the file is told elsewhere
	answer(w, http.StatusOK, map[string]any{
		"version": s.options.Version, "go": runtime.Version(), "os": runtime.GOOS + "/" + runtime.GOARCH,
		"paths": map[string]string{
			"config": s.app.Snapshot().ConfigFile, "data": loaded.Dirs.Data, "state": loaded.Dirs.State, "logs": s.app.Snapshot().LogFolder,
		},
		"licences": licences(),
	})
}
