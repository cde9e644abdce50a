package login

import (
	"errors"
	"net/http"
	"strings"
	"testing"

	"glmtray/proxy/demo/platform"
	"glmtray/proxy/secret"
)

// forms are the answers of a server, by step; an absent one is the usual.
type forms map[Step]string

var usual = forms{
	StepBusiness: `{"code":200,"data":{"access_token":"SECRET-business"}}`,
	StepCustomer: `{"code":200,"data":{"organizations":[{"organizationId":"org-1","projects":[{"projectId":"proj_1"}]}]}}`,
	StepKeys:     `{"code":200,"data":[{"name":"zcode-api-key","apiKey":"id1","secretKey":"****"}]}`,
	StepCreate:   `{"code":200,"data":{"name":"zcode-api-key","apiKey":"id2","secretKey":"****"}}`,
	StepSecret:   `{"code":200,"data":{"secretKey":"SECRET-key"}}`,
}

// serve answers in these forms, and refuses who comes without the right token.
func (f forms) serve(seen *[]string) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		s := stepOf(r)
		*seen = append(*seen, r.URL.EscapedPath())
		if body := bodyOf(r); s == StepBusiness && body["token"] != "SECRET-access" || s == StepCreate && body["name"] != KeyName {
			text(400, `{"code":1213,"msg":"a wrong body"}`)(w, r)
			return
		}
		if got := r.Header.Get("Authorization"); s != StepBusiness && got != "Bearer SECRET-business" || r.Header.Get("User-Agent") != "glmtray/test" {
			text(401, `{"code":401,"msg":"a wrong header"}`)(w, r)
			return
		}
		answer, there := f[s]
		if !there {
			answer = usual[s]
		}
		text(200, answer)(w, r)
	})
}

// resolve looks up the key of an account at a server with these forms.
func (f forms) resolve(t *testing.T) (got Result, seen []string, err error) {
	t.Helper()
	e := endpointsAt("zai", "http://demo.test")
	got, err = Renew(t.Context(), e, Options{Transport: direct{f.serve(&seen)}, UserAgent: "glmtray/test"}, Tokens{Access: secret.New("SECRET-access"), UserID: "u1"})
	noSecrets(t, err)
	return got, seen, err
}

func TestFormsOfAnswers(t *testing.T) {
	t.Parallel()
	const found, made, keys = "id1.SECRET-key", "id2.SECRET-key", "/api/biz/v1/organization/org-1/projects/proj_1/api_keys"
	customer := func(data string) forms { return forms{StepCustomer: `{"code":"0","data":` + data + `}`} }
	at := func(org, project string) string {
		return "/api/biz/v1/organization/" + org + "/projects/" + project + "/api_keys"
	}
	tests := []struct {
		name  string
		forms forms
		key   string
		path  string // of the keys
	}{
		{"usual", forms{}, found, keys},
		{"code 0", forms{StepBusiness: `{"code":0,"msg":"","data":{"access_token":"SECRET-business"}}`}, found, keys},
		{"code as a text", forms{StepBusiness: `{"code":"200","data":{"access_token":"SECRET-business"}}`}, found, keys},
		{"code 0 as a text", forms{StepBusiness: `{"code":"0","data":{"access_token":"SECRET-business"}}`}, found, keys},
		{"no code", forms{StepBusiness: `{"data":{"accessToken":"SECRET-business"}}`}, found, keys},
		{"code null", forms{StepBusiness: `{"code":null,"error":null,"data":{"accessToken":"SECRET-business"}}`}, found, keys},
		{"bare", forms{StepBusiness: ` {"access_token":"SECRET-business"}` + "\n"}, found, keys},
		{"bare beside a code", forms{StepBusiness: `{"code":200,"success":true,"accessToken":"SECRET-business","data":null}`}, found, keys},
		{"bare customer", forms{StepCustomer: `{"organizations":[{"organizationId":"org-1","projects":[{"projectId":"proj_1"}]}]}`}, found, keys},
		{"bare secret", forms{StepSecret: `{"secretKey":"SECRET-key"}`}, found, keys},
		{"the other secret", forms{StepSecret: `{"code":200,"data":{"secret_key":"SECRET-key"}}`}, found, keys},

		{"bare list", forms{StepKeys: `[{"name":"other","apiKey":"id0"},{"name":"zcode-api-key","apiKey":"id1"}]`}, found, keys},
		{"list", forms{StepKeys: `{"code":200,"data":{"list":[{"name":"zcode-api-key","apiKey":"id1"}],"total":1}}`}, found, keys},
		{"keys", forms{StepKeys: `{"code":200,"data":{"keys":[{"name":"zcode-api-key","apiKey":"id1"}]}}`}, found, keys},
		{"apiKeys", forms{StepKeys: `{"apiKeys":[{"name":"zcode-api-key","apiKey":"id1"}]}`}, found, keys},
		{"records", forms{StepKeys: `{"code":200,"data":{"records":[{"name":"zcode-api-key","apiKey":"id1"}],"list":null}}`}, found, keys},
		{"no keys", forms{StepKeys: `{"code":200,"data":[]}`}, made, keys},
		{"null keys", forms{StepKeys: `{"code":200,"data":null}`}, made, keys},
		{"no records", forms{StepKeys: `{"code":200,"data":{"records":[]}}`}, made, keys},
		{"other keys", forms{StepKeys: `{"code":200,"data":[{"name":"zcode-api-key-2","apiKey":"x"},{"name":null,"apiKey":"y"},{"name":"zcode-api-key","apiKey":""}]}`}, made, keys},
		{"bare made key", forms{StepKeys: `[]`, StepCreate: `{"apiKey":"id2"}`}, made, keys},

		{"by name", customer(`{"organizations":[
			{"organizationId":"o1","organizationName":"x","isDefault":true,"projects":[{"projectId":"p1"}]},
			{"organizationId":"o2","organizationName":"我的默认机构","projects":[{"projectId":"p1","isDefault":true},{"projectId":"p2","projectName":"默认项目"}]}]}`), found, at("o2", "p2")},
		{"by mark", customer(`{"organizations":[{"organizationId":"o1","projects":[{"projectId":"p0"}]},
			{"organizationId":"o2","isDefault":true,"projects":[{"projectId":"p1"},{"projectId":"p2","isDefault":true}]}]}`), found, at("o2", "p2")},
		{"the first", customer(`{"organizations":[{"organizationId":"o1","projects":[{"projectId":"p1"},{"projectId":"p2"}]},{"organizationId":"o2","projects":[{"projectId":"p3"}]}]}`), found, at("o1", "p1")},
		{"orgs, id and name", customer(`{"orgs":[{"id":"o1","name":"x","projects":[{"id":"p1"}]},{"id":"o2","name":"默认机构","projects":[{"id":"p1","name":"x"},{"id":"p2","name":"默认项目"}]}]}`), found, at("o2", "p2")},
		{"orgId", customer(`{"orgs":[{"orgId":"o3","projects":[{"id":"p3"}]}]}`), found, at("o3", "p3")},
		{"numbers", customer(`{"orgs":[{"id":42,"name":null,"projects":[{"id":90071992547409931}]}]}`), found, at("42", "90071992547409931")},
		{"a project that names its organisation", customer(`{"orgs":[{"id":"o1","projects":[
			{"id":"p1","organizationId":"o1","organizationName":"默认机构"},{"id":"p2","orgId":"o1","organizationId":"o1","organizationName":"默认机构","name":"默认项目"}]}]}`), found, at("o1", "p2")},
		{"without projects", customer(`{"organizations":[{"organizationId":"o1","organizationName":"默认机构","projects":[]},{"organizationId":"o2","isDefault":true,"projects":[{"projectName":"默认项目"}]},
			{"organizationId":"","projects":[{"projectId":"p"}]},{"organizationId":"o3","projects":[{"projectName":"默认项目"},{"projectId":"p3"}]}]}`), found, at("o3", "p3")},
		{"odd ids", customer(`{"organizations":[{"organizationId":"o/../1?","projects":[{"projectId":"p #1"}]}]}`), found, at("o%2F..%2F1%3F", "p%20%231")},
		{"odd key", forms{StepKeys: `[{"name":"zcode-api-key","apiKey":"a/b?c"}]`}, "a/b?c.SECRET-key", keys},
	}
	for _, test := range tests {
		got, seen, err := test.forms.resolve(t)
		if err != nil {
			t.Errorf("%s: %v", test.name, err)
			continue
		}
		if got.Key.Reveal() != test.key || got.KeyMade != (test.key == made) || got.KeyError != nil || got.UserID != "u1" {
			t.Errorf("%s: %s, %+v", test.name, got.Key.Reveal(), got)
		}
		if seen[2] != test.path {
			t.Errorf("%s: the keys are looked for in %s", test.name, seen[2])
		}
		if last := seen[len(seen)-1]; test.name == "odd key" && last != keys+"/copy/a%2Fb%3Fc" {
			t.Errorf("%s: the secret is asked for at %s", test.name, last)
		}
	}
}

func TestFormsThatAreNoAnswers(t *testing.T) {
	t.Parallel()
	tests := []struct {
		step   Step
		answer string
		words  string
	}{
		{StepBusiness, `{"code":200,"data":{}}`, "no token"},
		{StepBusiness, `{"code":200,"data":[]}`, "another form"},
		{StepBusiness, `{"code":200,"data":{"access_token":7}}`, "another form"},
		{StepBusiness, `[]`, "another form"},
		{StepBusiness, `{"code":401,"msg":"token expired or incorrect","success":false}`, "token expired"},
		{StepBusiness, `{"code":{"SECRET":1},"msg":"odd"}`, "odd"},
		{StepBusiness, `{"code":"` + strings.Repeat("9", 1000) + `"}`, "code 999"},
		{StepBusiness, `{"error":"\u4e0d\u884c"}`, ": 不行"},
		{StepBusiness, `{"error":{"message":"nested"}}`, ": nested"},
		{StepBusiness, `{"success":false}`, "business login failed"},
		{StepCustomer, `{"code":200,"data":{"organizations":[]}}`, "no organisation"},
		{StepCustomer, `{"code":200,"data":{"organizations":[{"organizationId":"o1"}]}}`, "no organisation"},
		{StepCustomer, `{"code":200,"data":{"organizations":[{"organizationId":"o1","projects":[{"projectName":"x"}]}]}}`, "no organisation"},
		{StepCustomer, `{"code":200,"data":{"organizations":{"organizationId":true}}}`, "another form"},
		{StepCustomer, `{"code":200,"data":{"organizations":[{"organizationId":true}]}}`, "another form"},
		{StepKeys, `{"code":200,"data":"none"}`, "another form"},
		{StepKeys, `{"code":200,"data":{"list":{}}}`, "another form"},
		{StepSecret, `{"code":200,"data":{"secretKey":""}}`, "no secret"},
		{StepSecret, `{"code":200,"data":{"secretKey":null}}`, "no secret"},
	}
	for _, test := range tests {
		got, _, err := forms{test.step: test.answer}.resolve(t)
		wantStep(t, err, test.step, test.words)
		if got != (Result{}) || len(err.Error()) > 600 {
			t.Errorf("%s %.80s: %+v, %v", test.step, test.answer, got, err)
		}
	}
	for _, created := range []string{`{"code":200,"data":{}}`, `{"code":200}`} {
		_, _, err := forms{StepKeys: `[]`, StepCreate: created}.resolve(t)
		wantStep(t, err, StepCreate, "no key")
	}
}

func TestFormsOfTokens(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name, answer string
		want         Tokens
	}{
		{"zai", `{"code":0,"msg":"","data":{"token":"SECRET-j","zai":{"access_token":"SECRET-a","refresh_token":null},"user":{"user_id":"u1","name":"Li"},"expires_in":null}}`,
			Tokens{Access: secret.New("SECRET-a"), JWT: secret.New("SECRET-j"), UserID: "u1", Name: "Li"}},
		{"bigmodel", `{"code":200,"data":{"token":"SECRET-j","bigmodel":{"access_token":"SECRET-a","refresh_token":"SECRET-r"},"user":{"id":"u2","email":"x@y.test"}}}`,
			Tokens{Access: secret.New("SECRET-a"), Refresh: secret.New("SECRET-r"), JWT: secret.New("SECRET-j"), UserID: "u2", Name: "x@y.test"}},
		{"bare, with a number", `{"token":"SECRET-j","user":{"id":12}}`, Tokens{JWT: secret.New("SECRET-j"), UserID: "12"}},
		{"no user", `{"data":{"zai":{"access_token":"SECRET-a"},"user":null}}`, Tokens{Access: secret.New("SECRET-a")}},
	}
	for _, test := range tests {
		var sent map[string]string
		c := newCaller(endpointsAt("zai", "http://demo.test"), Options{Transport: direct{http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			sent = bodyOf(r)
			text(200, test.answer)(w, r)
		})}})
		got, err := c.exchange(t.Context(), "the code", redirect{"zcode://x", "the state"})
		if err != nil || got != test.want {
			t.Errorf("%s: %+v, %v", test.name, got, err)
		}
		if len(sent) != 4 || sent["provider"] != "zai" || sent["code"] != "the code" || sent["redirect_uri"] != "zcode://x" || sent["state"] != "the state" {
			t.Errorf("%s: sent %v", test.name, sent)
		}
	}
	for _, answer := range []string{`{}`, `{"code":0,"data":{"user":{"user_id":"u"}}}`, `{"zai":{"access_token":""},"token":""}`} {
		c := newCaller(endpointsAt("zai", "http://demo.test"), Options{Transport: direct{http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { text(200, answer)(w, r) })}})
		_, err := c.exchange(t.Context(), "c", redirect{})
		wantStep(t, err, StepToken, "no tokens")
	}
}

func TestRenew(t *testing.T) {
	t.Parallel()
	for _, provider := range []string{"zai", "bigmodel"} {
		w := newBubble(t, provider, platform.Options{})
		first, err := w.login(t.Context(), Options{Flow: Paste}, answering("allow"))
		if err != nil {
			t.Fatal(err)
		}
		o := Options{Transport: w.transport}

		again, err := Renew(t.Context(), w.endpoints, o, first.Tokens)
		if err != nil || again.Key != first.Key || again.KeyMade || !again.JWT.Empty() || again.Access != first.Access || again.UserID != first.UserID {
			t.Errorf("%s: the key that was there: %+v, %v", provider, again, err)
		}

		w.demo.Platform().Revoke(first.Key.Reveal())
		tokens := first.Tokens
		tokens.Refresh = secret.New("SECRET-refresh") // the demo refuses it
		fresh, err := Renew(t.Context(), w.endpoints, o, tokens)
		if err != nil || fresh.Key == first.Key || !fresh.KeyMade || !w.demo.Platform().Issued(fresh.Key.Reveal()) {
			t.Errorf("%s: a new key: %+v, %v", provider, fresh, err)
		}
		if w.called("/oauth/token") != 2 {
			t.Errorf("%s: the refresh token was not tried", provider)
		}

		w.demo.Platform().Revoke(first.Access.Reveal())
		got, err := Renew(t.Context(), w.endpoints, o, first.Tokens)
		step := StepBusiness
		if provider == "bigmodel" {
			step = StepCustomer
		}
		wantStep(t, err, step, "token expired or incorrect")
		noSecrets(t, err)
		if got != (Result{}) {
			t.Errorf("%s: %+v", provider, got)
		}
	}
	_, err := Renew(t.Context(), endpointsAt("zai", "http://demo.test"), Options{}, Tokens{})
	wantStep(t, err, StepBusiness, "no token")
}

func TestRenewWithARefreshToken(t *testing.T) {
	t.Parallel()
	old := Tokens{Access: secret.New("SECRET-old"), Refresh: secret.New("SECRET-r1"), JWT: secret.New("SECRET-j1"), UserID: "u1"}
	renew := func(refresh, business string) (Result, error) {
		return Renew(t.Context(), endpointsAt("zai", "http://demo.test"), Options{Transport: direct{http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			switch s := stepOf(r); s {
			case StepToken:
				if b := bodyOf(r); b["grant_type"] != "refresh_token" || b["refresh_token"] != "SECRET-r1" || b["provider"] != "zai" {
					t.Errorf("sent %v", b)
				}
				text(200, refresh)(w, r)
			case StepBusiness:
				text(200, business)(w, r)
			default:
				text(200, usual[s])(w, r)
			}
		})}}, old)
	}
	got, err := renew(`{"code":0,"data":{"token":"SECRET-j2","zai":{"access_token":"SECRET-a2","refresh_token":"SECRET-r2"}}}`, usual[StepBusiness])
	want := Tokens{Access: secret.New("SECRET-a2"), Refresh: secret.New("SECRET-r2"), JWT: secret.New("SECRET-j2"), UserID: "u1"}
	if err != nil || got.Tokens != want || got.Key.Reveal() != "id1.SECRET-key" {
		t.Errorf("%+v, %v", got, err)
	}
	// A token alone is something too, and what is not given anew holds on.
	got, err = renew(`{"code":0,"data":{"token":"SECRET-j2"}}`, `{"code":401,"msg":"no"}`)
	want = Tokens{Access: old.Access, Refresh: old.Refresh, JWT: want.JWT, UserID: "u1"}
	var failed *StepError
	if err != nil || got.Tokens != want || !got.Key.Empty() || !errors.As(got.KeyError, &failed) || failed.Step != StepBusiness {
		t.Errorf("%+v, %v", got, err)
	}
}
