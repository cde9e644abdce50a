package app

import (
	"context"
	"errors"
	"slices"
	"strings"
	"time"

	"glmtray/app/account"
	"glmtray/app/settings"
	"glmtray/app/state"
	"glmtray/app/vault"
	"glmtray/proxy/llm"
	"glmtray/proxy/upstream"
)

const (
	// vaultPatience is how long a request waits for the vault at the program's start.
	vaultPatience = 15 * time.Second
	// renewLimit bounds the renewal of an account's credentials.
	renewLimit = 2 * time.Minute
)

// watchVault reads the accounts, and again after each change of the vault.
func (a *App) watchVault(ctx context.Context) {
	a.readAccounts(ctx)
	close(a.opened)
	if err := a.store.Vault().Watch(ctx, func() { a.readAccounts(ctx) }); err != nil {
		a.log.Warn("the vault cannot be watched; accounts that another program adds are seen at the next start", "reason", err.Error())
	}
}

// readAccounts reads the vault and puts its accounts to use. One that cannot be read
// leaves those that are known.
func (a *App) readAccounts(ctx context.Context) {
	list, err := a.store.List(ctx)
	if ctx.Err() != nil {
		return
	}
	var unreadable *vault.UnreadableError
	restored := errors.As(err, &unreadable) && unreadable.Restored
	where := a.store.Vault().Where()
	a.mu.Lock()
	a.vaultErr, a.vaultWhere = err, where
	if err == nil || restored {
		a.accounts = list
	}
	a.mu.Unlock()
	if err != nil {
		a.report(vaultProblem(err, a.store.Vault().File()))
	} else {
		a.solved(state.ProblemVault)
	}
	a.refillPools()
	a.announce()
}

// ReadAccounts reads the vault again, as after its keyring was unlocked.
func (a *App) ReadAccounts(ctx context.Context) { a.readAccounts(ctx) }

// pool returns the pool of a provider and plan, which keeps what it knows of its accounts
// while another is used.
func (a *App) pool(s settings.Settings) *upstream.Pool {
	a.mu.Lock()
	defer a.mu.Unlock()
	key := poolKey(s)
	p := a.pools[key]
	if p == nil {
		p = upstream.NewPool(nil, nil, a.refused)
		a.pools[key] = p
	}
	p.Update(membersFor(a.accounts, s))
	return p
}

func poolKey(s settings.Settings) string { return s.Provider + "/" + planOf(s) }

// planOf is the plan that decides about the credential: a custom provider has one alone.
func planOf(s settings.Settings) string {
	if s.Provider == settings.ProviderCustom {
		return settings.PlanCoding
	}
	return s.Plan
}

// refillPools tells the pool in use of the accounts that there are now.
func (a *App) refillPools() {
	a.mu.Lock()
	s, accounts := a.loaded.Settings, a.accounts
	p := a.pools[poolKey(s)]
	a.mu.Unlock()
	if p != nil {
		p.Update(membersFor(accounts, s))
	}
}

// settlePools brings the pools back to the settings in force.
func (a *App) settlePools() {
	a.mu.Lock()
	a.settleGuests()
	a.mu.Unlock()
	a.refillPools()
}

// membersFor are the accounts that can serve under settings.
func membersFor(accounts []account.Account, s settings.Settings) []upstream.Member {
	var members []upstream.Member
	for _, a := range accounts {
		if !serves(a, s) {
			continue
		}
		members = append(members, upstream.Member{ID: a.ID, Name: a.Name, User: a.UserID, Credential: a.Credential(planOf(s)), Since: a.Added})
	}
	return members
}

// serves reports whether an account is one of the pool in use.
func serves(a account.Account, s settings.Settings) bool {
	if isGuest(s) {
		return false
	}
	return a.Provider == s.Provider && !a.Credential(planOf(s)).Empty() && (s.Auth.Account == "" || s.Auth.Account == a.Name)
}

// refused is told by a pool that an account's credential is not accepted. Where that is
// possible it is renewed, one account at a time.
func (a *App) refused(id string) {
	a.renewing.Lock()
	defer a.renewing.Unlock()
	ctx, cancel := context.WithTimeout(a.life, renewLimit)
	defer cancel()
	a.mu.Lock()
	at := slices.IndexFunc(a.accounts, func(x account.Account) bool { return x.ID == id })
	var old account.Account
	if at >= 0 {
		old = a.accounts[at]
	}
	a.mu.Unlock()
	if at < 0 || old.Access.Empty() && old.Refresh.Empty() {
		return
	}
	fresh, err := a.accountsNow().renew(ctx, old)
	if fresh != old { // be it tokens alone: those that they came for may have had their day
		if err := a.store.Replace(ctx, fresh); err != nil {
			a.log.Warn("renewed credentials could not be kept", "account", old.Name, "reason", err.Error())
			return
		}
	}
	if err != nil || fresh.Key == old.Key && fresh.JWT == old.JWT {
		a.log.Warn("the provider refuses an account; somebody has to log in again", "account", old.Name)
		return
	}
	a.readAccounts(ctx)
	a.solved(state.ProblemLogin)
	a.log.Info("the credentials of an account were renewed", "account", old.Name)
}

// entries are the accounts as the faces show them. The caller holds the lock.
func (a *App) entries() []state.AccountEntry {
	s := a.loaded.Settings
	states := map[string]upstream.MemberState{}
	if p := a.pools[poolKey(s)]; p != nil {
		for _, m := range p.States() {
			states[m.ID] = m
		}
	}
	list := []state.AccountEntry{}
	for _, x := range a.accounts {
		m, known := states[x.ID]
		e := state.AccountEntry{
			ID: x.ID, Name: x.Name, Provider: x.Provider, Kind: string(x.Kind), Plans: x.Plans(), Hint: x.Hint(), Level: x.Level,
			State: state.AccountIdle, InUse: serves(x, s), Added: x.Added,
		}
		if known && e.InUse {
			e.State, e.Until, e.Requests, e.Failures, e.LastUsed = m.State, m.Until, m.Requests, m.Failures, m.LastUsed
		}
		list = append(list, e)
	}
	return list
}

// vaultState says where the accounts lie. The caller holds the lock.
func (a *App) vaultState() state.Vault {
	v := a.store.Vault()
	return state.Vault{File: v.File(), Key: string(a.vaultWhere), Locked: errors.Is(a.vaultErr, vault.ErrLocked)}
}

// waitForVault waits until the vault was read once, which may take as long as a person
// needs for the keyring's password.
func (a *App) waitForVault(ctx context.Context) *llm.Error {
	timer := time.NewTimer(vaultPatience)
	defer timer.Stop()
	select {
	case <-a.opened:
		return nil
	case <-ctx.Done():
		return &llm.Error{Kind: llm.ErrCanceled, Message: "the client went away", Err: ctx.Err()}
	case <-timer.C:
		return &llm.Error{Kind: llm.ErrAuthentication, Message: "the keyring that holds the key of the accounts is locked; unlock it, then send the request again"}
	}
}

// namesInUse are the names of the accounts of the pool in use, for people.
func namesInUse(accounts []account.Account, s settings.Settings) string {
	const most = 3
	var names []string
	for _, x := range accounts {
		if serves(x, s) {
			names = append(names, x.Name)
		}
	}
	if len(names) > most {
		names = append(names[:most], "…")
	}
	return strings.Join(names, ", ")
}
