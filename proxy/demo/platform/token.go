package platform

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"net/http"
	"strings"
	"time"
)

// token exchanges a code, once.
func (s *Server) token(w http.ResponseWriter, r *http.Request) {
	var in struct {
		Provider string `json:"provider"`
		Code     string `json:"code"`
		Redirect string `json:"redirect_uri"`
		Grant    string `json:"grant_type"`
		Refresh  string `json:"refresh_token"`
	}
	if !read(w, r, &in) {
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if in.Grant == "refresh_token" {
		// No answer was ever seen to hold a refresh token.
		reply(w, http.StatusInternalServerError, 2007, "invalid refresh token", nil)
		return
	}
	g, ok := s.codes.get(in.Code)
	s.codes.drop(in.Code)
	if !ok || g.provider != in.Provider || g.redirect != in.Redirect || s.opts.Now().After(g.until) {
		reply(w, http.StatusInternalServerError, 2007, "invalid or expired authorization code", nil)
		return
	}
	reply(w, http.StatusOK, 0, "", s.admit(in.Provider))
}

// admit makes a user and returns the tokens. The caller holds the lock.
func (s *Server) admit(provider string) map[string]any {
	u := &user{id: "demo-" + randomHex(3), provider: provider}
	access := "demo-access-" + randomHex(16)
	s.access.put(access, u)
	return map[string]any{
		"token":      s.sign(u.id),
		provider:     map[string]any{"access_token": access, "refresh_token": nil},
		"user":       map[string]any{"user_id": u.id},
		"expires_in": nil,
	}
}

// signingKey signs the demo's tokens. It protects nothing: the demo lets everybody in.
const signingKey = "glmtray demo"

func signature(text string) string {
	m := hmac.New(sha256.New, []byte(signingKey))
	m.Write([]byte(text))
	return base64.RawURLEncoding.EncodeToString(m.Sum(nil))
}

// sign makes a token of the start plan, which has no end of its own.
func (s *Server) sign(id string) string {
	claims, err := json.Marshal(map[string]any{"user_id": id, "sub": id, "iat": s.opts.Now().Unix()})
	if err != nil {
		return ""
	}
	text := base64.RawURLEncoding.EncodeToString([]byte(`{"alg":"HS256","typ":"JWT"}`)) + "." + base64.RawURLEncoding.EncodeToString(claims)
	return text + "." + signature(text)
}

// knows reports whether a token of the start plan is one of the demo's, or the one that
// was set up.
func (s *Server) knows(token string) bool {
	if s.opts.Key != "" && hmac.Equal([]byte(token), []byte(s.opts.Key)) {
		return !s.Revoked(token)
	}
	return s.signed(token) && !s.Revoked(token)
}

// signed reports whether a token is of the start plan, revoked or not.
func (s *Server) signed(token string) bool {
	at := strings.LastIndexByte(token, '.')
	return at > 0 && hmac.Equal([]byte(token[at+1:]), []byte(signature(token[:at])))
}

// initFlow begins a login that is asked for.
func (s *Server) initFlow(w http.ResponseWriter, r *http.Request) {
	const bearerLength = 64
	if s.opts.NoPoll {
		http.NotFound(w, r)
		return
	}
	var in struct {
		Provider string `json:"provider"`
	}
	if !read(w, r, &in) {
		return
	}
	secret := bearer(r)
	if _, err := hex.DecodeString(secret); err != nil || len(secret) != bearerLength || !known(in.Provider) {
		reply(w, http.StatusBadRequest, 3001, "invalid parameters", nil)
		return
	}
	id, until := "flow_"+randomHex(8), s.opts.Now().Add(flowLife)
	s.mu.Lock()
	s.flows.put(id, &flow{provider: in.Provider, bearer: secret, until: until, state: "pending"})
	s.mu.Unlock()
	reply(w, http.StatusOK, 0, "", map[string]any{
		"flow_id": id, "poll_token": randomHex(8), "authorize_url": "http://" + r.Host + "/_demo/device?flow=" + id,
		"expires_at": until.Unix(), "poll_interval_sec": 1,
	})
}

// pollFlow tells how a login stands.
func (s *Server) pollFlow(w http.ResponseWriter, r *http.Request) {
	const soon, patience = 800 * time.Millisecond, 20
	if s.opts.NoPoll {
		http.NotFound(w, r)
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	f, ok := s.flows.get(r.PathValue("flow"))
	now := s.opts.Now()
	if !ok || f.bearer != bearer(r) {
		reply(w, http.StatusNotFound, 3001, "unknown flow", nil)
		return
	}
	hasty := now.Sub(f.lastPoll) < soon
	if hasty {
		f.hasty++
	}
	f.lastPoll = now
	switch {
	case hasty && f.hasty > patience: // who slows down is answered again
		reply(w, http.StatusTooManyRequests, 3002, "too many requests", nil)
	case f.state == "pending" && now.After(f.until), f.state == "failed":
		reply(w, http.StatusOK, 0, "", map[string]any{"status": "failed"})
	case f.state == "ready":
		if f.tokens == nil {
			f.tokens = s.admit(f.provider)
			f.tokens["status"] = "ready"
		}
		reply(w, http.StatusOK, 0, "", f.tokens)
	default:
		reply(w, http.StatusOK, 0, "", map[string]any{"status": "pending"})
	}
}
