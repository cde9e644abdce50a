package app

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"glmtray/app/account"
	"glmtray/app/login"
	"glmtray/app/settings"
	"glmtray/app/vault"
	"glmtray/proxy/demo"
	"glmtray/proxy/upstream"
)

// Accounts is what can be done with accounts, whether the program runs or not. Its
// methods may be called concurrently, and beside those of other processes.
type Accounts struct {
	*account.Store
	settings  settings.Settings
	version   string
	transport *upstream.Transport
	demoBase  string // of the demo upstream, if the provider is that
}

// OpenAccounts returns the accounts of a person, by the settings' folders. The error is a
// *settings.Error if the settings are wrong.
func OpenAccounts(o settings.Options, version string) (*Accounts, error) {
	loaded, err := settings.Load(o)
	if err != nil {
		return nil, err
	}
	store := account.NewStore(vault.New(vault.Options{Dir: loaded.Dirs.Data, Env: o.Env}))
	return &Accounts{Store: store, settings: loaded.Settings, version: version, transport: upstream.NewTransport()}, nil
}

// accounts returns the accounts as the settings of the moment see them.
func (a *App) accountsNow() *Accounts {
	a.mu.Lock()
	defer a.mu.Unlock()
	return &Accounts{Store: a.store, settings: a.loaded.Settings, version: a.options.Version, transport: a.transport, demoBase: a.demoBase}
}

// StartDemo starts the demo upstream until ctx ends, for a login to the demo by a program
// that does not serve.
func (s *Accounts) StartDemo(ctx context.Context) (err error) {
	if s.demoBase == "" {
		s.demoBase, err = demo.Start(ctx, demo.Options{Pace: demo.DefaultPace, Platform: demoPlatform})
	}
	return err
}

// Endpoints are where a provider is logged in to. Those of the demo are known while it
// runs.
func (s *Accounts) Endpoints(provider string) (login.Endpoints, error) {
	p := s.settings.Providers[provider]
	switch {
	case provider == settings.ProviderDemo && s.demoBase != "":
		b := s.demoBase
		return login.Endpoints{
			Provider: settings.ProviderZAI, AuthorizeURL: b + "/api/oauth/authorize", ClientID: p.OAuth.ClientID + "demo", TokenURL: b + "/api/v1/oauth/token",
			PollBase: b + "/api/v1/oauth/cli", BusinessLoginURL: b + "/api/auth/z/login", BusinessBase: b, AnthropicBase: b + "/api/anthropic", QuotaBase: b,
		}, nil
	case provider == settings.ProviderZAI || provider == settings.ProviderBigmodel:
		return login.Endpoints{
			Provider: provider, AuthorizeURL: p.OAuth.AuthorizeURL, ClientID: p.OAuth.ClientID, TokenURL: p.OAuth.TokenURL, PollBase: p.OAuth.PollBase,
			BusinessLoginURL: p.OAuth.BusinessLoginURL, BusinessBase: p.OAuth.BusinessBase, AnthropicBase: p.AnthropicBase, QuotaBase: p.QuotaBase,
		}, nil
	}
	return login.Endpoints{}, fmt.Errorf("%s has no login in the browser; give a key: glmtray auth key --provider %s", provider, provider)
}

// LoggedIn is what a login, or a key that was given, has led to.
type LoggedIn struct {
	account.Added
	Proof    login.Proof
	KeyMade  bool  // the key did not exist at the provider before
	KeyError error // why there is a token, but no key
}

// Login logs a person in and keeps the account, under a name or one that is made up. The
// options' transport and user agent are filled in. Errors are those of login.Run and of
// account.Store.Add; nothing is kept then.
func (s *Accounts) Login(ctx context.Context, provider, name string, o login.Options) (LoggedIn, error) {
	e, err := s.Endpoints(provider)
	if err != nil {
		return LoggedIn{}, err
	}
	if o.Flow == "" {
		o.Flow = login.Flow(s.settings.Auth.LoginFlow)
	}
	got, err := login.Run(ctx, e, s.complete(o))
	if err != nil {
		return LoggedIn{}, err
	}
	added, err := s.Add(ctx, account.Account{
		Name: name, Provider: provider, Kind: account.Login, Key: got.Key, JWT: got.JWT, Access: got.Access, Refresh: got.Refresh,
		UserID: got.UserID, Level: got.Level,
	})
	return LoggedIn{added, got.Proof, got.KeyMade, got.KeyError}, err
}

func (s *Accounts) complete(o login.Options) login.Options {
	o.Transport, o.UserAgent = s.transport, "glmtray/"+s.version
	return o
}

// AddKey keeps a key that a person gave, after the provider has been asked whether it
// accepts it, unless unchecked is set. A token of the start plan is told by its form.
// Errors are those of account.ParseKey, a *login.StepError if the provider refuses the
// key, and those of account.Store.Add.
func (s *Accounts) AddKey(ctx context.Context, provider, name, text string, unchecked bool) (LoggedIn, error) {
	if _, known := s.settings.Providers[provider]; !known {
		return LoggedIn{}, fmt.Errorf("there is no provider %q; there are zai, bigmodel, custom and demo", provider)
	}
	// Bigmodel is said to have keys without a secret part, too.
	key, jwt, err := account.ParseKey(text, provider != settings.ProviderZAI)
	if err != nil {
		return LoggedIn{}, err
	}
	if provider == settings.ProviderCustom && key.Empty() {
		key, jwt = jwt, key // other providers' keys may be tokens of that form
	}
	out := LoggedIn{}
	a := account.Account{Name: name, Provider: provider, Kind: account.Key, Key: key, JWT: jwt, UserID: account.UserOf(jwt)}
	if e, failed := s.Endpoints(provider); failed == nil && !key.Empty() && !unchecked {
		if out.Proof, a.Level, err = login.Prove(ctx, e, s.complete(login.Options{}), key); err != nil {
			return LoggedIn{}, err
		}
	}
	out.Added, err = s.Add(ctx, a)
	return out, err
}

// ImportZCode takes over the accounts of the ZCode desktop app. notes say what could not
// be. The error is account.ErrNothingToImport if there is none.
func (s *Accounts) ImportZCode(ctx context.Context, env func(string) string) (added []account.Added, notes []string, err error) {
	home, err := account.FindZCode(env)
	if err != nil {
		return nil, nil, err
	}
	found, notes, err := home.Accounts()
	if err != nil {
		return nil, notes, err
	}
	var failures []error
	for _, a := range found {
		if a.Key.Empty() && !a.Access.Empty() {
			var err error
			if a, err = s.renew(ctx, a); err != nil {
				notes = append(notes, a.Provider+": "+err.Error())
			}
		}
		if a.Key.Empty() && a.JWT.Empty() {
			continue
		}
		done, err := s.Add(ctx, s.named(ctx, a))
		if err != nil {
			failures = append(failures, err)
			continue
		}
		added = append(added, done)
	}
	if len(added) == 0 && len(failures) == 0 {
		return nil, notes, account.ErrNothingToImport
	}
	return added, notes, errors.Join(failures...)
}

// named leaves a made-up name to the store if an account has it.
func (s *Accounts) named(ctx context.Context, a account.Account) account.Account {
	list, err := s.List(ctx)
	if err != nil {
		return a // Add says why
	}
	for _, old := range list {
		if strings.EqualFold(old.Name, a.Name) {
			a.Name = ""
		}
	}
	return a
}

// renew gets new credentials for an account, without its person. The account is returned
// with an error too: there may be new tokens, though no credential came of them.
func (s *Accounts) renew(ctx context.Context, a account.Account) (account.Account, error) {
	e, err := s.Endpoints(a.Provider)
	if err != nil {
		return a, err
	}
	got, err := login.Renew(ctx, e, s.complete(login.Options{}), login.Tokens{Access: a.Access, Refresh: a.Refresh, JWT: a.JWT})
	if err != nil {
		return a, err
	}
	a.Access, a.Refresh = got.Access, got.Refresh
	if !got.Key.Empty() {
		a.Key = got.Key
	}
	if !got.JWT.Empty() {
		a.JWT = got.JWT
	}
	if got.JWT.Empty() {
		return a, got.KeyError
	}
	return a, nil
}

// Settings are those that the accounts were opened with.
func (s *Accounts) Settings() settings.Settings { return s.settings }

// PolicyLink is the page on which a provider says what its plans may be used for.
func PolicyLink(provider string) string {
	if provider == settings.ProviderBigmodel {
		return "https://docs.bigmodel.cn/cn/coding-plan/overview"
	}
	return "https://docs.z.ai/devpack/overview"
}
