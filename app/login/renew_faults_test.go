package login

import (
	"errors"
	"net/http"
	"testing"

	"glmtray/proxy/secret"
)

// TestRenewedTokensAreKept holds that new tokens are returned though there is no key to be
// had with them.
//
// It failed with the tokens lost: a refresh token that the provider takes once was used
// up, and its successor thrown away because the next call met a server that was down. The
// account could never be renewed again.
func TestRenewedTokensAreKept(t *testing.T) {
	old := Tokens{Access: secret.New("SECRET-old"), Refresh: secret.New("SECRET-r1"), JWT: secret.New("SECRET-j1"), UserID: "u1"}
	got, err := Renew(t.Context(), endpointsAt("zai", "http://demo.test"), Options{Transport: direct{http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if stepOf(r) == StepToken {
			text(200, `{"code":0,"data":{"token":null,"zai":{"access_token":"SECRET-a2","refresh_token":"SECRET-r2"}}}`)(w, r)
			return
		}
		text(502, "")(w, r)
	})}}, old)
	var failed *StepError
	if err != nil || got.Access.Reveal() != "SECRET-a2" || got.Refresh.Reveal() != "SECRET-r2" || !got.Key.Empty() || !got.JWT.Empty() {
		t.Errorf("%+v %v", got, err)
	}
	if !errors.As(got.KeyError, &failed) || failed.Step != StepBusiness {
		t.Errorf("why there is no key: %v", got.KeyError)
	}
}
