package platform

import (
	"net/http"
	"strings"
	"time"
)

// The start plan that everybody has, with its models and their tokens a day.
const (
	planID     = "zcode-demo-start-plan"
	bigModel   = "GLM-5.3"
	bigGrant   = 3_000_000
	smallModel = "GLM-5.3-Flash"
	smallGrant = 5_000_000
	// requestUnits is what a request costs. Nobody counts its tokens here.
	requestUnits = 1000
)

// beijing is where the plan's day begins.
var beijing = time.FixedZone("UTC+8", 8*60*60)

// billed answers a call about billing without a token.
func (s *Server) billed(w http.ResponseWriter, r *http.Request) bool {
	if !s.knows(bearer(r)) {
		w.WriteHeader(http.StatusUnauthorized)
		return false
	}
	return true
}

// spent is what a token's holder has used of the big model's grant, all of which is
// charged to it.
func (s *Server) spent(r *http.Request) int { return min(s.Requests(bearer(r))*requestUnits, bigGrant) }

// dayEnd is when the grants are renewed, in Unix seconds.
func (s *Server) dayEnd() int64 {
	now := s.opts.Now().In(beijing)
	return time.Date(now.Year(), now.Month(), now.Day()+1, 0, 0, 0, 0, beijing).Unix()
}

func (s *Server) billingCurrent(w http.ResponseWriter, r *http.Request) {
	if !s.billed(w, r) {
		return
	}
	const total = bigGrant + smallGrant
	entitlement := func(model string, grant int) map[string]any {
		return map[string]any{"grant_units": grant, "period": "daily", "capabilities": []string{"model:" + strings.ToLower(model)}}
	}
	reply(w, http.StatusOK, 0, "", map[string]any{"plans": []map[string]any{{
		"plan_id": planID, "name": "Start Plan", "status": "active",
		"total_units": total, "used_units": s.spent(r), "available_units": total - s.spent(r), "period_end": s.dayEnd(),
		"capabilities": map[string]any{}, "entitlements": []map[string]any{entitlement(bigModel, bigGrant), entitlement(smallModel, smallGrant)},
	}}})
}

// billingBalance wants to know the client's version and device, unlike billingCurrent.
func (s *Server) billingBalance(w http.ResponseWriter, r *http.Request) {
	if !s.billed(w, r) {
		return
	}
	if r.Header.Get("X-Device-Mid") == "" || r.URL.Query().Get("app_version") == "" {
		reply(w, http.StatusBadRequest, badParameter, "invalid parameters", nil)
		return
	}
	balance := func(id, model string, total, used int) map[string]any {
		return map[string]any{
			"entitlement_id": id, "show_name": model, "plan_id": planID, "meter": "model_usage", "unit_type": "token",
			"total_units": total, "used_units": used, "remaining_units": total - used, "expires_at": s.dayEnd(),
		}
	}
	reply(w, http.StatusOK, 0, "", map[string]any{"balances": []map[string]any{
		balance("e1", bigModel, bigGrant, s.spent(r)), balance("e2", smallModel, smallGrant, 0),
	}})
}

// billingPreview has no campaign to offer.
func (s *Server) billingPreview(w http.ResponseWriter, r *http.Request) {
	if s.billed(w, r) {
		http.Error(w, "404 page not found", http.StatusNotFound)
	}
}
