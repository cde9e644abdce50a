package login

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"net/url"
	"slices"
	"strings"

	"glmtray/proxy/secret"
)

// The names of what an account begins with: "default organisation", "default project".
const (
	defaultOrganization = "默认机构"
	defaultProject      = "默认项目"
)

// resolveKey finds the API key of an account's coding plan, and makes it if there is
// none.
func (c *caller) resolveKey(ctx context.Context, access secret.Value) (key secret.Value, made bool, err error) {
	if access.Empty() {
		return secret.Value{}, false, &StepError{Step: StepBusiness, Err: errors.New("the provider gave no token for the keys")}
	}
	authorization, err := c.authorization(ctx, access)
	if err != nil {
		return secret.Value{}, false, err
	}
	c.begin(StepCustomer)
	var customer struct {
		Organizations []unit `json:"organizations"`
		Orgs          []unit `json:"orgs"`
	}
	if err := c.call(ctx, StepCustomer, http.MethodGet, c.BusinessBase+"/api/biz/customer/getCustomerInfo", authorization, nil, &customer); err != nil {
		return secret.Value{}, false, err
	}
	// An organisation without a project has no place for a key.
	homes := slices.DeleteFunc(append(customer.Organizations, customer.Orgs...), func(o unit) bool {
		return o.organizationID() == "" || !slices.ContainsFunc(o.Projects, func(p unit) bool { return p.projectID() != "" })
	})
	organization, ok := choose(homes, unit.organizationID, defaultOrganization)
	project, okToo := choose(organization.Projects, unit.projectID, defaultProject)
	if !ok || !okToo {
		return secret.Value{}, false, &StepError{Step: StepCustomer, Err: errors.New("the account has no organisation with a project; open the provider's dashboard once")}
	}
	keys := c.BusinessBase + "/api/biz/v1/organization/" + url.PathEscape(string(organization.organizationID())) +
		"/projects/" + url.PathEscape(string(project.projectID())) + "/api_keys"
	id, made, err := c.findKey(ctx, keys, authorization)
	if err != nil {
		return secret.Value{}, made, err
	}
	c.begin(StepSecret)
	var copied struct {
		Secret  string `json:"secretKey"`
		Secret2 string `json:"secret_key"`
	}
	if err := c.call(ctx, StepSecret, http.MethodGet, keys+"/copy/"+url.PathEscape(id), authorization, nil, &copied); err != nil {
		return secret.Value{}, made, err
	}
	if copied.Secret == "" {
		copied.Secret = copied.Secret2
	}
	if copied.Secret == "" {
		return secret.Value{}, made, &StepError{Step: StepSecret, Err: errors.New("there is no secret in the answer")}
	}
	return secret.New(id + "." + copied.Secret), made, nil
}

// authorization is the header that the key management wants: Z.AI a token of its own
// behind a login, Bigmodel the access token without a scheme.
func (c *caller) authorization(ctx context.Context, access secret.Value) (string, error) {
	if c.BusinessLoginURL == "" {
		return access.Reveal(), nil
	}
	c.begin(StepBusiness)
	var reply struct {
		Token  string `json:"access_token"`
		Token2 string `json:"accessToken"`
	}
	if err := c.call(ctx, StepBusiness, http.MethodPost, c.BusinessLoginURL, "", map[string]string{"token": access.Reveal()}, &reply); err != nil {
		return "", err
	}
	if reply.Token == "" {
		reply.Token = reply.Token2
	}
	if reply.Token == "" {
		return "", &StepError{Step: StepBusiness, Err: errors.New("there is no token in the answer")}
	}
	return "Bearer " + reply.Token, nil
}

// unit is an organisation or a project. Their names were seen in several spellings.
type unit struct {
	OrganizationID label  `json:"organizationId"`
	ProjectID      label  `json:"projectId"`
	OrgID          label  `json:"orgId"`
	ID             label  `json:"id"`
	OrgName        label  `json:"organizationName"`
	ProjectName    label  `json:"projectName"`
	Name           label  `json:"name"`
	IsDefault      bool   `json:"isDefault"`
	Projects       []unit `json:"projects"`
}

func (u unit) organizationID() label { return first(u.OrganizationID, u.OrgID, u.ID) }

// projectID leaves the organisation's out, which a project may name too.
func (u unit) projectID() label { return first(u.ProjectID, u.ID) }

// label is a name or an id, which some servers write as a number.
type label string

// UnmarshalJSON implements json.Unmarshaler.
func (l *label) UnmarshalJSON(text []byte) error {
	if len(text) > 0 && text[0] != '"' {
		var n json.Number
		err := json.Unmarshal(text, &n) // null is ""
		*l = label(n)
		return err
	}
	return json.Unmarshal(text, (*string)(l))
}

// first returns the first that is not empty.
func first(labels ...label) label {
	for _, l := range labels {
		if l != "" {
			return l
		}
	}
	return ""
}

// choose returns the default one of those with an id, by its name or its mark, else the
// first.
func choose(units []unit, id func(unit) label, name string) (unit, bool) {
	for _, is := range []func(unit) bool{
		func(u unit) bool {
			return slices.ContainsFunc([]label{u.Name, u.ProjectName, u.OrgName}, func(l label) bool { return strings.Contains(string(l), name) })
		},
		func(u unit) bool { return u.IsDefault },
		func(unit) bool { return true },
	} {
		for _, u := range units {
			if id(u) != "" && is(u) {
				return u, true
			}
		}
	}
	return unit{}, false
}

// apiKey is an entry of the list of keys. Its secret is masked there.
type apiKey struct {
	Name string `json:"name"`
	Key  string `json:"apiKey"`
}

// keyList reads a list that may be bare or wrapped.
type keyList []apiKey

// UnmarshalJSON implements json.Unmarshaler.
func (l *keyList) UnmarshalJSON(text []byte) error {
	var bare []apiKey
	if json.Unmarshal(text, &bare) == nil {
		*l = bare
		return nil
	}
	var wrapped struct{ List, Keys, APIKeys, Records []apiKey }
	if err := json.Unmarshal(text, &wrapped); err != nil {
		return err
	}
	for _, found := range [][]apiKey{wrapped.List, wrapped.Keys, wrapped.APIKeys, wrapped.Records} {
		*l = append(*l, found...)
	}
	return nil
}

// findKey returns the id of the key, and makes it if there is none.
func (c *caller) findKey(ctx context.Context, address, authorization string) (id string, made bool, err error) {
	c.begin(StepKeys)
	var list keyList
	if err := c.call(ctx, StepKeys, http.MethodGet, address, authorization, nil, &list); err != nil {
		return "", false, err
	}
	for _, k := range list {
		if k.Name == KeyName && k.Key != "" {
			return k.Key, false, nil
		}
	}
	c.begin(StepCreate)
	var created apiKey
	if err := c.call(ctx, StepCreate, http.MethodPost, address, authorization, map[string]string{"name": KeyName}, &created); err != nil {
		return "", false, err
	}
	if created.Key == "" {
		return "", false, &StepError{Step: StepCreate, Err: errors.New("there is no key in the answer")}
	}
	return created.Key, true, nil
}

// Renew gets new credentials for an account without its person, where that is possible:
// with a refresh token, and with an access token that still holds. What it could not get
// is empty in the result. The error is a *StepError; with one there is nothing new. New
// tokens without a key are none: the old ones may be of no use any more, and must not be
// all that is left.
func Renew(ctx context.Context, e Endpoints, o Options, old Tokens) (Result, error) {
	c := newCaller(e, o)
	result := Result{Tokens: old}
	result.JWT = secret.Value{}
	renewed := false
	if !old.Refresh.Empty() {
		c.begin(StepRefresh)
		var reply tokenReply
		err := c.call(ctx, StepRefresh, http.MethodPost, c.TokenURL, "", map[string]string{
			"provider": c.Provider, "refresh_token": old.Refresh.Reveal(), "grant_type": "refresh_token",
		}, &reply)
		if err == nil {
			fresh := reply.tokens()
			renewed = !fresh.JWT.Empty() || !fresh.Access.Empty() || !fresh.Refresh.Empty()
			result.JWT = fresh.JWT
			if !fresh.Access.Empty() {
				result.Access = fresh.Access
			}
			if !fresh.Refresh.Empty() {
				result.Refresh = fresh.Refresh
			}
		}
	}
	var err error
	result.Key, result.KeyMade, err = c.resolveKey(ctx, result.Access)
	if err != nil && !renewed {
		return Result{}, err
	}
	result.KeyError = err
	return result, nil
}
