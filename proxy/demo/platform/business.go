package platform

import (
	"net/http"
	"slices"
)

// The platform's success code, and the one of a token that is not accepted.
const (
	success   = 200
	badToken  = 401
	organID   = "org-demo-2"
	projectID = "proj_demo_2"
)

// businessLogin turns Z.AI's access token into one for the keys.
func (s *Server) businessLogin(w http.ResponseWriter, r *http.Request) {
	var in struct {
		Token string `json:"token"`
	}
	if !read(w, r, &in) {
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	u, ok := s.access.get(in.Token)
	if !ok || u.provider == "bigmodel" || s.isRevoked(in.Token) {
		platformReply(w, http.StatusUnauthorized, badToken, "token expired or incorrect", nil)
		return
	}
	token := "demo-business-" + randomHex(16)
	s.business.put(token, u)
	platformReply(w, http.StatusOK, success, "Operation successful", map[string]any{"access_token": token})
}

// holder is who a request of the key management comes from: Z.AI's with a business token
// behind Bearer, Bigmodel's with the bare access token. The caller holds the lock.
func (s *Server) holder(w http.ResponseWriter, r *http.Request) *user {
	if u, ok := s.business.get(bearer(r)); ok && !s.isRevoked(bearer(r)) {
		return u
	}
	raw := r.Header.Get("Authorization")
	if u, ok := s.access.get(raw); ok && u.provider == "bigmodel" && !s.isRevoked(raw) {
		return u
	}
	platformReply(w, http.StatusUnauthorized, badToken, "token expired or incorrect", nil)
	return nil
}

func (s *Server) customer(w http.ResponseWriter, r *http.Request) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.holder(w, r) == nil {
		return
	}
	type project struct {
		ID   string `json:"projectId"`
		Name string `json:"projectName"`
	}
	type organization struct {
		ID       string    `json:"organizationId"`
		Name     string    `json:"organizationName"`
		Projects []project `json:"projects"`
	}
	platformReply(w, http.StatusOK, success, "", map[string]any{"organizations": []organization{
		{"org-demo-1", "Another organisation", []project{{"proj_demo_0", "Elsewhere"}}},
		{organID, "默认机构", []project{{"proj_demo_1", "Another project"}, {projectID, "默认项目"}}},
	}})
}

// scoped returns the holder of a request about the keys of the default project.
func (s *Server) scoped(w http.ResponseWriter, r *http.Request) *user {
	u := s.holder(w, r)
	if u != nil && (r.PathValue("org") != organID || r.PathValue("project") != projectID) {
		platformReply(w, http.StatusOK, 404, "no such project", nil)
		return nil
	}
	return u
}

// masked is what lists show of a secret.
const masked = "****************"

func (s *Server) listKeys(w http.ResponseWriter, r *http.Request) {
	s.mu.Lock()
	defer s.mu.Unlock()
	u := s.scoped(w, r)
	if u == nil {
		return
	}
	list := []map[string]string{}
	for _, k := range u.keys {
		if !s.isRevoked(k.whole()) {
			list = append(list, map[string]string{"name": k.name, "apiKey": k.id, "secretKey": masked})
		}
	}
	platformReply(w, http.StatusOK, success, "", list)
}

func (s *Server) createKey(w http.ResponseWriter, r *http.Request) {
	var in struct {
		Name string `json:"name"`
	}
	if !read(w, r, &in) {
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	u := s.scoped(w, r)
	if u == nil {
		return
	}
	const maxKeys, maxName = 20, 100 // of a user; bytes
	if in.Name == "" || len(in.Name) > maxName || len(u.keys) >= maxKeys {
		platformReply(w, http.StatusOK, 500, "the name is missing or too long, or there are too many keys", nil)
		return
	}
	k := apiKey{in.Name, randomHex(16), randomHex(8)}
	u.keys = append(u.keys, k)
	s.keys.put(k.whole(), u)
	platformReply(w, http.StatusOK, success, "", map[string]string{"name": k.name, "apiKey": k.id, "secretKey": masked})
}

func (s *Server) copyKey(w http.ResponseWriter, r *http.Request) {
	s.mu.Lock()
	defer s.mu.Unlock()
	u := s.scoped(w, r)
	if u == nil {
		return
	}
	at := slices.IndexFunc(u.keys, func(k apiKey) bool { return k.id == r.PathValue("key") && !s.isRevoked(k.whole()) })
	if at < 0 {
		platformReply(w, http.StatusOK, 404, "no such key", nil)
		return
	}
	platformReply(w, http.StatusOK, success, "", map[string]string{"secretKey": u.keys[at].secret})
}
