package platform_test

import (
	"fmt"
	"net/url"
	"regexp"
	"strings"
	"testing"

	"glmtray/proxy/demo/platform"
)

// manager returns the header with which a user's keys are managed.
func (w *world) manager(provider string, l tokens) string {
	w.t.Helper()
	if provider == "bigmodel" {
		return l.access()
	}
	a := w.do("POST", "/api/auth/z/login", `{"token":"`+l.access()+`"}`)
	var got struct {
		Access string `json:"access_token"`
	}
	a.into(w.t, &got)
	if a.status != 200 || a.Code != 200 || got.Access == "" || got.Access == l.access() {
		w.t.Fatalf("business login: %d %s", a.status, a.text)
	}
	return "Bearer " + got.Access
}

// unit is an organisation or a project.
type unit struct {
	OrgID    string `json:"organizationId"`
	OrgName  string `json:"organizationName"`
	ID       string `json:"projectId"`
	Name     string `json:"projectName"`
	Projects []unit `json:"projects"`
}

// keysPath finds the default project, which must not be the first.
func (w *world) keysPath(authorization string) string {
	w.t.Helper()
	a := w.do("GET", "/api/biz/customer/getCustomerInfo", "", "Authorization", authorization)
	var got struct {
		Organizations []unit `json:"organizations"`
	}
	a.into(w.t, &got)
	for i, o := range got.Organizations {
		for j, p := range o.Projects {
			if strings.Contains(o.OrgName, "默认机构") && strings.Contains(p.Name, "默认项目") && i > 0 && j > 0 {
				return "/api/biz/v1/organization/" + url.PathEscape(o.OrgID) + "/projects/" + url.PathEscape(p.ID) + "/api_keys"
			}
		}
	}
	w.t.Fatalf("no default project behind others: %s", a.text)
	return ""
}

type key struct {
	Name   string `json:"name"`
	ID     string `json:"apiKey"`
	Secret string `json:"secretKey"`
}

func (w *world) keys(path, authorization string) (list []key) {
	w.t.Helper()
	a := w.do("GET", path, "", "Authorization", authorization)
	if a.status != 200 || a.Code != 200 || !strings.HasPrefix(string(a.Data), "[") {
		w.t.Fatalf("keys: %d %s", a.status, a.text)
	}
	a.into(w.t, &list)
	return list
}

// makeKey makes a key as a client does, and returns the whole credential.
func (w *world) makeKey(path, authorization, name string) string {
	w.t.Helper()
	a := w.do("POST", path, `{"name":"`+name+`"}`, "Authorization", authorization)
	var made, copied key
	a.into(w.t, &made)
	a = w.do("GET", path+"/copy/"+url.PathEscape(made.ID), "", "Authorization", authorization)
	a.into(w.t, &copied)
	return made.ID + "." + copied.Secret
}

func TestKeys(t *testing.T) {
	for _, provider := range []string{"zai", "bigmodel"} {
		t.Run(provider, func(t *testing.T) {
			w := newWorld(t, platform.Options{})
			auth := w.manager(provider, w.login(provider))
			path := w.keysPath(auth)
			if list := w.keys(path, auth); len(list) != 0 {
				t.Errorf("a new user has keys: %v", list)
			}
			whole := w.makeKey(path, auth, "zcode-api-key")
			if !regexp.MustCompile(`^[0-9a-f]{32}\.[0-9A-Za-z]{16}$`).MatchString(whole) {
				t.Errorf("key %q", whole)
			}
			list := w.keys(path, auth)
			if len(list) != 1 || list[0].Name != "zcode-api-key" || !strings.HasPrefix(whole, list[0].ID+".") || strings.HasSuffix(whole, list[0].Secret) || !strings.Contains(list[0].Secret, "*") {
				t.Errorf("list %v", list)
			}
			if !w.Issued(whole) || w.Issued(list[0].ID) {
				t.Errorf("issued: the key %v, its id %v", w.Issued(whole), w.Issued(list[0].ID))
			}
			other := w.manager(provider, w.login(provider))
			if list := w.keys(w.keysPath(other), other); len(list) != 0 {
				t.Errorf("another user sees %v", list)
			}
			if a := w.do("GET", path+"/copy/"+list[0].ID, "", "Authorization", other); a.Code == 200 || strings.Contains(a.text, whole[33:]) {
				t.Errorf("another user copies: %s", a.text)
			}
			w.Revoke(whole)
			if list := w.keys(path, auth); len(list) != 0 || w.Issued(whole) {
				t.Errorf("after the revocation: %v", list)
			}
		})
	}
}

func TestKeyManagementRefuses(t *testing.T) {
	w := newWorld(t, platform.Options{})
	one, two := w.login("zai"), w.login("bigmodel")
	zai, big := w.manager("zai", one), w.manager("bigmodel", two)
	path := w.keysPath(zai)
	tests := []struct{ name, auth string }{
		{"nothing", ""},
		{"something", "Bearer x"},
		{"zai without a scheme", strings.TrimPrefix(zai, "Bearer ")},
		{"zai with the access token", "Bearer " + one.access()},
		{"zai with the raw access token", one.access()},
		{"zai with the start plan's token", "Bearer " + one.Token},
		{"bigmodel with a scheme", "Bearer " + big},
	}
	for _, test := range tests {
		for _, at := range []string{"/api/biz/customer/getCustomerInfo", path, path + "/copy/x"} {
			a := w.do("GET", at, "", "Authorization", test.auth)
			if a.status != 401 || a.Code != 401 || a.OK == nil || *a.OK || a.Data != nil {
				t.Errorf("%s at %s: %d %s", test.name, at, a.status, a.text)
			}
		}
	}
	for _, token := range []string{"", "x", two.access(), one.Token} {
		if a := w.do("POST", "/api/auth/z/login", `{"token":"`+token+`"}`); a.status != 401 || a.Code != 401 {
			t.Errorf("business login: %d %s", a.status, a.text)
		}
	}
	w.Revoke(one.access())
	w.Revoke(strings.TrimPrefix(zai, "Bearer "))
	w.Revoke(big)
	if a := w.do("POST", "/api/auth/z/login", `{"token":"`+one.access()+`"}`); a.Code != 401 {
		t.Errorf("business login with a revoked token: %s", a.text)
	}
	for _, auth := range []string{zai, big} {
		if a := w.do("GET", path, "", "Authorization", auth); a.status != 401 {
			t.Errorf("revoked: %d %s", a.status, a.text)
		}
	}
}

func TestKeyManagementLimits(t *testing.T) {
	w := newWorld(t, platform.Options{})
	auth := w.manager("zai", w.login("zai"))
	path := w.keysPath(auth)
	for _, at := range []string{"/api/biz/v1/organization/none/projects/none/api_keys", path + "/copy/none"} {
		if a := w.do("GET", at, "", "Authorization", auth); a.Code == 200 || a.OK == nil || *a.OK {
			t.Errorf("%s: %d %s", at, a.status, a.text)
		}
	}
	for _, body := range []string{`{}`, `{"name":""}`, `{"name":"` + strings.Repeat("x", 101) + `"}`, `[`} {
		if a := w.do("POST", path, body, "Authorization", auth); a.Code == 200 || a.Data != nil {
			t.Errorf("%.20s: %d %s", body, a.status, a.text)
		}
	}
	made := 0
	for i := range 50 {
		if a := w.do("POST", path, fmt.Sprintf(`{"name":"k%d"}`, i), "Authorization", auth); a.Code == 200 {
			made++
		}
	}
	if list := w.keys(path, auth); made != 20 || len(list) != made {
		t.Errorf("%d keys made, %d listed", made, len(list))
	}
	if a := w.do("DELETE", path, "", "Authorization", auth); a.status != 405 {
		t.Errorf("DELETE: %d", a.status)
	}
}
