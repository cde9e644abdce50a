package app

import (
	"bytes"
	"context"
	_ "embed"
	"errors"
	"html/template"
	"slices"
	"sync"
	"time"

	"glmtray/app/account"
	"glmtray/app/locale"
	"glmtray/app/login"
	"glmtray/app/settings"
	"glmtray/app/state"
	"glmtray/app/window"
)

// attempt is a login that is going on.
type attempt struct {
	provider string
	cancel   context.CancelFunc
	pasted   chan login.PastedText

	mu    sync.Mutex // guards what follows
	step  login.Step
	url   string
	since time.Time
}

// ErrLoginRuns says that a login is going on; it must end, or be cancelled, first.
var ErrLoginRuns = errors.New("a login is going on already; allow it in the browser, or cancel it")

// ErrNoLogin says that no login is going on.
var ErrNoLogin = errors.New("no login is going on")

// ErrNotNow says that a login is past the step in which something can be pasted, or waits
// for a server's answer in it.
var ErrNotNow = errors.New("the login is busy with the provider and takes nothing at this moment; if it goes on waiting, paste it once more")

// Login begins a login to a provider in the browser and returns at once. How it goes is
// in the snapshots; how it ended is told. The error is ErrLoginRuns, or says why there is
// no such login.
func (a *App) Login(_ context.Context, provider string) error {
	if provider == settings.ProviderDemo {
		if _, err := a.demo(); err != nil {
			return err
		}
	}
	accounts := a.accountsNow()
	if _, err := accounts.Endpoints(provider); err != nil {
		return err
	}
	ctx, cancel := context.WithCancel(a.life)
	t := &attempt{provider: provider, cancel: cancel, pasted: make(chan login.PastedText), since: time.Now()}
	a.mu.Lock()
	if a.attempt != nil {
		a.mu.Unlock()
		cancel()
		return ErrLoginRuns
	}
	a.attempt = t
	first := len(a.accounts) == 0
	a.mu.Unlock()
	if first {
		a.say("notice.policy", "Link", PolicyLink(provider))
	}
	a.solved(state.ProblemAccount)
	a.announce()
	a.spawn("login", func() {
		defer cancel()
		defer func() {
			a.mu.Lock()
			a.attempt = nil
			a.mu.Unlock()
			a.announce()
		}()
		got, err := accounts.Login(ctx, provider, "", login.Options{
			Pasted: t.pasted, Page: func(err error) []byte { return resultPage(a.Printer(), err) },
			Open:     func(address string) { a.browse(t, address) },
			Progress: func(s login.Step) { t.at(s); a.announce() },
		})
		a.loggedIn(provider, got, err)
	})
	return nil
}

func (t *attempt) at(s login.Step) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.step = s
}

func (t *attempt) state() *state.Login {
	t.mu.Lock()
	defer t.mu.Unlock()
	return &state.Login{Provider: t.provider, Step: string(t.step), URL: t.url, Since: t.since}
}

// browse opens the page on which the person allows the login. Where that cannot be done
// the page's address is on the accounts page, to be opened by hand.
func (a *App) browse(t *attempt, address string) {
	t.mu.Lock()
	t.url = address
	t.mu.Unlock()
	a.announce()
	if a.options.Desktop {
		a.spawn("browser", func() {
			if err := window.Browse(a.life, address); err != nil {
				a.log.Warn("no browser could be opened for the login; its address is on the accounts page", "reason", err.Error())
			}
		})
	}
}

// loggedIn tells how a login ended, and puts the account to use.
func (a *App) loggedIn(provider string, got LoggedIn, err error) {
	if errors.Is(err, context.Canceled) {
		a.log.Info("the login was cancelled", "provider", provider)
		return
	}
	if err != nil {
		a.report(state.Problem{
			Kind: state.ProblemAccount, Text: message("notice.account.text", "Provider", provider), Remedy: message("notice.account.remedy"), Details: []string{err.Error()},
		})
		return
	}
	a.added(got)
}

// added takes an account into use that has just been added. Where nobody's credential was
// known before, its provider and plan are those in use from now on.
func (a *App) added(got LoggedIn) {
	a.log.Info("an account was added", "account", got.Name, "provider", got.Provider, "kind", string(got.Kind), "plans", got.Plans())
	if got.Aside != "" {
		a.log.Warn("the vault could not be read, and was kept aside", "file", got.Aside)
	}
	if got.KeyError != nil {
		a.log.Warn("there is no key for the coding plan; the account serves the start plan", "account", got.Name, "reason", got.KeyError.Error())
	}
	newcomer := a.Newcomer()
	a.readAccounts(a.life)
	a.solved(state.ProblemLogin, state.ProblemAccount)
	var changes []settings.Change
	a.mu.Lock()
	s := a.loaded.Settings
	a.mu.Unlock()
	if newcomer || s.Provider == settings.ProviderDemo {
		changes = UseOf(got.Account, s)
	}
	if got.Replaced && got.Was != got.Name && s.Auth.Account == got.Was {
		changes = append(changes, settings.Change{Key: "auth.account", Value: got.Name})
	}
	if len(changes) > 0 {
		if err := a.ChangeSettings(a.life, changes); err != nil {
			a.Report(err)
		}
	}
	a.say("notice.added."+ProofID(got), "Account", got.Name) // locale: notice.added.*
}

// ProofID says in a word what is known of a new account: "works", "quota", "noplan", "start" or
// "unproved".
func ProofID(got LoggedIn) string {
	switch {
	case got.Key.Empty() || got.KeyError != nil:
		return "start"
	case got.Proof == login.NoPlan:
		return "noplan"
	case got.Proof == login.UsedUp:
		return "quota"
	case got.Proof == login.Works:
		return "works"
	}
	return "unproved"
}

// PolicyLink is the page on which the provider in use says what its plans may be used for.
func (a *App) PolicyLink() string {
	a.mu.Lock()
	defer a.mu.Unlock()
	return PolicyLink(a.loaded.Settings.Provider)
}

// CancelLogin ends the login that is going on, if any. Nothing of it is kept.
func (a *App) CancelLogin() {
	a.mu.Lock()
	t := a.attempt
	a.mu.Unlock()
	if t != nil {
		t.cancel()
	}
}

// PasteLogin hands the login that is going on what the person copied out of the browser:
// the address at which it ended, or the code. The error says why that is of no use; the
// login waits on then.
func (a *App) PasteLogin(ctx context.Context, text string) error {
	a.mu.Lock()
	t := a.attempt
	a.mu.Unlock()
	if t == nil {
		return ErrNoLogin
	}
	const patience = 5 * time.Second
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	taken := make(chan error, 1)
	select {
	case t.pasted <- login.PastedText{Text: text, Taken: func(err error) { taken <- err }}:
		return <-taken
	case <-ctx.Done():
		return ErrNotNow
	}
}

// AddKey adds an account by a key that a person gave; see Accounts.AddKey.
func (a *App) AddKey(ctx context.Context, provider, name, text string) error {
	got, err := a.accountsNow().AddKey(ctx, provider, name, text, false)
	if err != nil {
		return err
	}
	a.added(got)
	return nil
}

// ImportZCode takes over the accounts of the ZCode desktop app; see Accounts.ImportZCode.
func (a *App) ImportZCode(ctx context.Context) (notes []string, err error) {
	added, notes, err := a.accountsNow().ImportZCode(ctx, a.env)
	for _, one := range added {
		a.added(LoggedIn{Added: one})
	}
	return notes, err
}

// RenameAccount gives an account another name; see account.Store.Rename.
func (a *App) RenameAccount(ctx context.Context, old, name string) error {
	if err := a.store.Rename(ctx, old, name); err != nil {
		return err
	}
	a.readAccounts(ctx)
	a.mu.Lock()
	chosen := a.loaded.Settings.Auth.Account == old
	a.mu.Unlock()
	if chosen {
		return a.ChangeSettings(ctx, []settings.Change{{Key: "auth.account", Value: name}})
	}
	return nil
}

// Logout takes an account out of the vault; see account.Store.Remove. The key stays at
// the provider, where the ZCode app may use it.
func (a *App) Logout(ctx context.Context, name string) error {
	if err := a.store.Remove(ctx, name); err != nil {
		return err
	}
	a.log.Info("an account was logged out", "account", name)
	a.readAccounts(ctx)
	a.mu.Lock()
	chosen := a.loaded.Settings.Auth.Account == name
	a.mu.Unlock()
	if chosen {
		return a.ChangeSettings(ctx, []settings.Change{{Key: "auth.account", Value: ""}})
	}
	return nil
}

// UseAccount has one account used alone, or with an empty name all of them as a pool.
func (a *App) UseAccount(ctx context.Context, name string) error {
	changes := []settings.Change{{Key: "auth.account", Value: name}}
	if name != "" {
		a.mu.Lock()
		at := slices.IndexFunc(a.accounts, func(x account.Account) bool { return x.Name == name })
		var chosen account.Account
		if at >= 0 {
			chosen = a.accounts[at]
		}
		current := a.loaded.Settings
		a.mu.Unlock()
		if at < 0 {
			return account.ErrUnknown
		}
		changes = append(changes, UseOf(chosen, current)...)
	}
	return a.ChangeSettings(ctx, changes)
}

// UseOf are the changes of settings with which an account can be used: its provider, and a plan that it
// has a credential for.
func UseOf(chosen account.Account, s settings.Settings) (changes []settings.Change) {
	if chosen.Provider != s.Provider {
		changes = append(changes, settings.Change{Key: "provider", Value: chosen.Provider})
	}
	if plan := chosen.PlanLike(s.Plan); plan != s.Plan && chosen.Provider != settings.ProviderCustom {
		changes = append(changes, settings.Change{Key: "plan", Value: plan})
	}
	return changes
}

//go:embed result.html
var resultHTML string

var resultTemplate = template.Must(template.New("result").Parse(resultHTML))

// resultPage is what the browser shows when it comes back from a login.
func resultPage(p *locale.Printer, err error) []byte {
	data := struct {
		Lang, Title, Text, Detail string
		Good                      bool
	}{Lang: p.Tag(), Good: err == nil}
	switch {
	case err == nil:
		data.Title, data.Text = p.Text("notice.result.good"), p.Text("notice.result.goodtext")
	case errors.Is(err, login.ErrState):
		data.Title, data.Text = p.Text("notice.result.bad"), p.Text("notice.result.state")
	case errors.Is(err, login.ErrDenied):
		data.Title, data.Text = p.Text("notice.result.bad"), p.Text("notice.result.denied")
	default:
		data.Title, data.Text, data.Detail = p.Text("notice.result.bad"), p.Text("notice.result.badtext"), err.Error()
	}
	var out bytes.Buffer
	if err := resultTemplate.Execute(&out, data); err != nil {
		return []byte(template.HTMLEscapeString(data.Text))
	}
	return out.Bytes()
}

// LoginByCommand has a person log in with a command. open is given the address for the
// browser; see login.Options for the rest.
func (s *Accounts) LoginByCommand(ctx context.Context, p *locale.Printer, provider, name string, o login.Options) (LoggedIn, error) {
	if provider == settings.ProviderDemo {
		if err := s.StartDemo(ctx); err != nil {
			return LoggedIn{}, err
		}
	}
	o.Page = func(err error) []byte { return resultPage(p, err) }
	return s.Login(ctx, provider, name, o)
}
