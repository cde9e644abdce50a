package platform

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"io"
	"net/http"
)

// What the captcha's widget is set up with.
const (
	captchaPrefix = "demo1a"
	captchaScene  = "demoscene"
	captchaRegion = "sgp"
)

// Codes of the gateway.
const (
	badParameter  = 3001
	captchaFailed = 3007
	blocked       = 3012
)

func (s *Server) clientConfigs(w http.ResponseWriter, _ *http.Request) {
	reply(w, http.StatusOK, 0, "", map[string]any{
		"builtinModels": []map[string]any{
			{"id": bigModel, "name": bigModel, "contextWindow": 1_000_000, "maxCompletionTokens": 128_000},
			{"id": smallModel, "name": smallModel, "contextWindow": 1_000_000, "maxCompletionTokens": 128_000},
		},
		"configs": map[string]any{
			"captcha": map[string]any{
				"enabled": true, "prefix": captchaPrefix, "region": captchaRegion, "sceneId": captchaScene,
				"skip_model_request": !s.opts.Captcha || s.opts.CaptchaHidden,
			},
			"startPlanPreview": map[string]any{"planId": planID, "name": "Start Plan", "entitlements": []map[string]any{
				{"grantUnits": bigGrant, "meter": "model_usage", "period": "daily", "showName": bigModel, "unitType": "token"},
				{"grantUnits": smallGrant, "meter": "model_usage", "period": "daily", "showName": smallModel, "unitType": "token"},
			}},
		},
	})
}

func (s *Server) agentConfigs(w http.ResponseWriter, _ *http.Request) {
	reply(w, http.StatusOK, 0, "", map[string]any{
		"proxyEndpoint": map[string]any{"mapping": []any{}}, "codingPlanSignature": map[string]any{"enable": false},
	})
}

// gateway checks a request of the start plan and hands it to the models.
func (s *Server) gateway(models http.Handler, chat bool) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		if chat != s.opts.GatewayChat {
			http.Error(w, "404 page not found", http.StatusNotFound)
			return
		}
		s.count(bearer(r))
		if !s.knows(bearer(r)) {
			w.WriteHeader(http.StatusUnauthorized) // without a word
			return
		}
		if s.opts.Captcha && !s.spend(r.Header.Get("X-Aliyun-Captcha-Verify-Param")) {
			reply(w, http.StatusBadRequest, captchaFailed, "captcha verify failed", nil)
			return
		}
		const maxConversation = 80 << 20
		body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, maxConversation))
		if err != nil {
			reply(w, http.StatusRequestEntityTooLarge, badParameter, "invalid parameters", nil)
			return
		}
		if !chat && !leads(body) {
			reply(w, http.StatusMethodNotAllowed, blocked, "method not allowed", nil)
			return
		}
		r = r.Clone(r.Context())
		r.URL.Path = "/v1/messages"
		if chat {
			r.URL.Path = "/chat/completions"
		}
		r.Body, r.ContentLength = io.NopCloser(bytes.NewReader(body)), int64(len(body))
		r.Header.Set("X-Api-Key", bearer(r))
		models.ServeHTTP(w, r)
	}
}

// leads reports whether the system prompt begins with blocks of the client's own, of
// which there must be two at least.
func leads(body []byte) bool {
	var in struct {
		System json.RawMessage `json:"system"`
	}
	var blocks []struct{ Type, Text string }
	if json.Unmarshal(body, &in) != nil || json.Unmarshal(in.System, &blocks) != nil || len(blocks) < 2 {
		return false
	}
	return blocks[0].Type == "text" && blocks[0].Text != "" && blocks[1].Type == "text" && blocks[1].Text != ""
}

// spend takes a proof, which is good for one request.
func (s *Server) spend(proof string) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	good, _ := s.proofs.get(proof)
	if good {
		s.proofs.put(proof, false)
	}
	return good
}

// verify is asked by the stand-in widget when its puzzle was solved.
func (s *Server) verify(w http.ResponseWriter, r *http.Request) {
	h := w.Header()
	h.Set("Access-Control-Allow-Origin", "*")
	h.Set("Access-Control-Allow-Headers", "Content-Type")
	if r.Method == http.MethodOptions {
		return
	}
	var in struct {
		SceneID string `json:"sceneId"`
		Prefix  string `json:"prefix"`
		Region  string `json:"region"`
	}
	if !read(w, r, &in) {
		return
	}
	if in.SceneID != captchaScene || in.Prefix != captchaPrefix || in.Region != captchaRegion {
		reply(w, http.StatusBadRequest, badParameter, "unknown scene", nil)
		return
	}
	text, err := json.Marshal(map[string]any{"certifyId": randomHex(8), "sceneId": in.SceneID, "isSign": true, "securityToken": randomHex(16)})
	if err != nil {
		reply(w, http.StatusInternalServerError, badParameter, "", nil)
		return
	}
	proof := base64.StdEncoding.EncodeToString(text)
	s.mu.Lock()
	s.proofs.put(proof, true)
	s.mu.Unlock()
	reply(w, http.StatusOK, 0, "", proof)
}
