package app

import (
	"context"

	"glmtray/app/settings"
	"glmtray/proxy"
	"glmtray/proxy/guest"
	"glmtray/proxy/llm"
	"glmtray/proxy/upstream"
)

// guestTries is how many tokens one request tries.
const guestTries = 3

// isGuest reports whether requests go to the chat site without an account.
func isGuest(s settings.Settings) bool {
	return s.Plan == settings.PlanGuest && s.Provider != settings.ProviderCustom
}

// guests is a pool of guest tokens that is being filled for settings.
type guests struct {
	*guest.Pool
	provider string
	settings settings.Guest
	stop     context.CancelFunc
}

// fit reports whether the pool is the one for settings.
func (g *guests) fit(s settings.Settings) bool {
	return isGuest(s) && g.provider == s.Provider && g.settings == s.Guest
}

// guestPool returns the pool for settings, and begins to fill it. That of the settings in
// force is left alone, as these here may not come to be.
func (a *App) guestPool(s settings.Settings, base string) *guest.Pool {
	a.mu.Lock()
	defer a.mu.Unlock()
	for _, g := range a.guests {
		if g.fit(s) {
			return g.Pool
		}
	}
	pool := guest.New(guest.Options{
		Base: base, Size: s.Guest.PoolSize, Version: a.options.Version, Transport: a.transport, Log: a.log, Changed: a.announce,
	})
	life, stop := context.WithCancel(a.life)
	a.guests = append(a.guests, &guests{pool, s.Provider, s.Guest, stop})
	a.spawn("guests", func() { pool.Run(life) })
	return pool
}

// settleGuests gives up the pools that the settings in force do not use. The caller holds
// the lock.
func (a *App) settleGuests() {
	var kept []*guests
	for _, g := range a.guests {
		if g.fit(a.loaded.Settings) {
			kept = append(kept, g)
		} else {
			g.stop()
		}
	}
	a.guests = kept
}

// guestTokens is how many tokens there are. The caller holds the lock.
func (a *App) guestTokens() int {
	for _, g := range a.guests {
		if g.fit(a.loaded.Settings) {
			return g.Size()
		}
	}
	return 0
}

// chooseGuest yields a guest token for a request.
func chooseGuest(pool *guest.Pool) func(context.Context, proxy.Ask) (upstream.Lease, *llm.Error) {
	return func(ctx context.Context, ask proxy.Ask) (upstream.Lease, *llm.Error) {
		// Another token helps where one is not accepted any more, and nowhere else.
		if ask.Failed != nil && (ask.Failed.Kind != llm.ErrAuthentication || len(ask.Tried) >= guestTries) {
			return upstream.Lease{}, ask.Failed
		}
		lease, err := pool.Pick(ctx)
		if err != nil {
			return upstream.Lease{}, err
		}
		return upstream.Lease{ID: lease.ID, Name: lease.ID, Credential: lease.Credential, Header: lease.Header, Ended: lease.Done}, nil
	}
}
