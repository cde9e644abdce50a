package window

import (
	"net/http"
	"runtime"

	"glmtray/app/locale"
)

// routes are the pages' ways to the application.
func (s *Server) routes(one *run, mux *http.ServeMux) {
	mux.HandleFunc("GET /api/boot", s.boot)
	mux.HandleFunc("GET /api/events", s.events)
	mux.HandleFunc("GET /api/settings", s.settings)
	mux.HandleFunc("GET /api/about", s.about)
	mux.HandleFunc("POST /api/settings/check", s.checkSettings)
	mux.HandleFunc("POST /api/settings", s.changeSettings)
	mux.HandleFunc("POST /api/copy", s.copyText)

	intent(mux, "proxy", s.proxy)
	intent(mux, "provider", func(r *http.Request, in struct{ Provider string }) error {
		return s.app.UseProvider(r.Context(), in.Provider)
	})
	intent(mux, "plan", func(r *http.Request, in struct{ Plan string }) error { return s.app.UsePlan(r.Context(), in.Plan) })
	intent(mux, "port", func(r *http.Request, in struct{ Port int }) error { return s.app.UsePort(r.Context(), in.Port) })
	intent(mux, "autostart", func(r *http.Request, in struct{ Enabled *bool }) error {
		if in.Enabled == nil {
			return badRequest("enabled must be true or false")
		}
		return s.app.SetAutostart(r.Context(), *in.Enabled)
	})
	intent(mux, "language", func(r *http.Request, in struct{ Language string }) error {
		return s.app.SetLanguage(r.Context(), in.Language)
	})
	mux.HandleFunc("GET /api/widget", func(w http.ResponseWriter, r *http.Request) {
		answer(w, http.StatusOK, map[string]any{"widget": s.app.Widget(r.Context()), "frame": one.frame.origin})
	})
	mux.HandleFunc("POST /api/accounts/import", s.importAccounts)
	s.accounts(mux)
	intent(mux, "activity/clear", func(*http.Request, struct{}) error {
		s.app.Exchanges().Clear()
		return nil
	})
	intent(mux, "dismiss", func(_ *http.Request, in struct{ Kind string }) error {
		s.app.Dismiss(in.Kind)
		return nil
	})
	intent(mux, "folder", func(_ *http.Request, in struct{ Folder string }) error {
		if in.Folder != "logs" && in.Folder != "config" {
			return badRequest("folder must be logs or config")
		}
		return s.app.OpenFolder(in.Folder)
	})
	intent(mux, "quit", func(*http.Request, struct{}) error {
		s.app.Quit()
		return nil
	})
}

// proxy starts or stops the proxy.
func (s *Server) proxy(r *http.Request, in struct{ Action string }) error {
	switch in.Action {
	case "start":
		return s.app.StartProxy(r.Context())
	case "stop":
		return s.app.StopProxy(r.Context())
	}
	return badRequest("action must be start or stop")
}

// copyText answers with what a person wants to paste elsewhere. It is the one answer
// with a secret in it, and a POST so that it is in no history.
func (s *Server) copyText(w http.ResponseWriter, r *http.Request) {
	var in struct{ What string }
	if err := read(w, r, &in); err != nil {
		fail(w, err)
		return
	}
	switch in.What {
	case "openai", "anthropic", "key":
		answer(w, http.StatusOK, map[string]string{"text": s.app.CopyText(in.What)})
	default:
		fail(w, badRequest("what must be openai, anthropic or key"))
	}
}

// boot is what a page needs before it shows anything.
func (s *Server) boot(w http.ResponseWriter, _ *http.Request) {
	p, snapshot := s.app.Printer(), s.app.Snapshot()
	answer(w, http.StatusOK, map[string]any{
		"language": p.Tag(), "languages": locale.Languages(), "version": s.options.Version,
		"texts":    p.Texts("window.", "notice.", "tray.provider.", "tray.plan."),
		"policy":   p.Text("notice.policy", "Link", s.app.PolicyLink()),
		"snapshot": snapshotEvent{snapshot, snapshot.Face()},
	})
}

// about says what the program is and where it keeps things.
func (s *Server) about(w http.ResponseWriter, _ *http.Request) {
	loaded, _ := s.app.Loaded() // what is wrong with the file is told elsewhere
	snapshot := s.app.Snapshot()
	answer(w, http.StatusOK, map[string]any{
		"version": s.options.Version, "go": runtime.Version(), "os": runtime.GOOS + "/" + runtime.GOARCH,
		"paths": map[string]string{
			"config": snapshot.ConfigFile, "data": loaded.Dirs.Data, "state": loaded.Dirs.State, "logs": snapshot.LogFolder,
		},
		"licences": licences(),
	})
}
