package window

import "net/http"

// accounts are the pages' ways to accounts and logins.
func (s *Server) accounts(mux *http.ServeMux) {
	intent(mux, "login", func(r *http.Request, in struct{ Provider string }) error {
		return s.app.Login(r.Context(), in.Provider)
	})
	intent(mux, "login/cancel", func(*http.Request, struct{}) error {
		s.app.CancelLogin()
		return nil
	})
	intent(mux, "login/paste", func(r *http.Request, in struct{ Text string }) error {
		return s.app.PasteLogin(r.Context(), in.Text)
	})
	intent(mux, "accounts/key", func(r *http.Request, in struct{ Provider, Name, Key string }) error {
		return s.app.AddKey(r.Context(), in.Provider, in.Name, in.Key)
	})
	intent(mux, "accounts/rename", func(r *http.Request, in struct{ Old, Name string }) error {
		return s.app.RenameAccount(r.Context(), in.Old, in.Name)
	})
	intent(mux, "accounts/logout", func(r *http.Request, in struct{ Name string }) error {
		return s.app.Logout(r.Context(), in.Name)
	})
	intent(mux, "accounts/use", func(r *http.Request, in struct{ Name string }) error {
		return s.app.UseAccount(r.Context(), in.Name)
	})
	intent(mux, "accounts/read", func(r *http.Request, _ struct{}) error {
		s.app.ReadAccounts(r.Context())
		return nil
	})
	intent(mux, "check", func(_ *http.Request, in struct{ Proof string }) error { return s.app.PassCheck(in.Proof) })
}

// importAccounts takes over the accounts of the ZCode app, and answers with what could
// not be.
func (s *Server) importAccounts(w http.ResponseWriter, r *http.Request) {
	var in struct{}
	if err := read(w, r, &in); err != nil {
		fail(w, err)
		return
	}
	notes, err := s.app.ImportZCode(r.Context())
	if err != nil {
		fail(w, err)
		return
	}
	answer(w, http.StatusOK, map[string][]string{"notes": append([]string{}, notes...)})
}
