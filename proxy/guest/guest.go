// Package guest keeps a pool of guest tokens of Z.AI's chat site (chat.z.ai), with
// which requests can be made without an account, as far as the site allows that. It
// fetches the tokens, hands out the one that has rested longest, and replaces those
// that the site refuses. It sends no conversations: that is package proxy's, in the
// wire format of package webchat.
//
// It is as plain as the site allows: it says who it is (User-Agent: glmtray/VERSION),
// and it makes neither the signature nor the captcha that belong to the site's own
// page. Where the site asks for one of them, or turns programs away, its errors say
// so and point to the login; see [Explain].
//
// Start with [New], have [Pool.Run] fill the pool in the background, and take a
// [Lease] from [Pool.Pick] for each request. Nothing is written to a disk: the tokens
// are of no worth to anybody and end with the process.
//
// What the site expects is documented nowhere; it is known from its own traffic,
// which open source clients of it describe alike, and changes without notice.
package guest

import (
	"cmp"
	"context"
	"log/slog"
	"net/http"
	"strconv"
	"sync"
	"time"

	"glmtray/proxy/llm"
	"glmtray/proxy/secret"
)

const (
	// DefaultBase is the chat site.
	DefaultBase = "https://chat.z.ai"
	// DefaultSize is how many tokens a pool usually has.
	DefaultSize = 5
	// MaxSize is how many it may have. Each is a guest that the site has to keep.
	MaxSize = 64

	// maxIdle is how long a token may rest until it is not trusted any more, and
	// maxAge how long it may live: tokens name no end, and clients of the site were
	// seen to keep them for 8 to 50 minutes.
	maxIdle = 8 * time.Minute
	maxAge  = 50 * time.Minute
	// patience is how long a request waits for a token.
	patience = 20 * time.Second
	// pace is the time between two fetches. After failures in a row it doubles from
	// firstPause up to longestPause.
	pace         = 250 * time.Millisecond
	firstPause   = 2 * time.Second
	longestPause = 5 * time.Minute
)

// Options set a Pool up.
type Options struct {
	// Base is the site's address, without a path in the usual case; empty is
	// DefaultBase.
	Base string
	// Size is how many tokens are kept, up to MaxSize. With 0 or less there are none,
	// and Pick says so.
	Size int
	// Version is this program's, for its User-Agent.
	Version string
	// Transport carries the requests; nil is http.DefaultTransport.
	Transport http.RoundTripper
	// Now tells the time; nil is time.Now.
	Now func() time.Time
	// Log gets what goes wrong in the background, never a token; nil discards it.
	Log *slog.Logger
	// Changed, if set, is called by Run after each fetch.
	Changed func()
}

// Pool is a pool of guest tokens. It may be used concurrently. Make one with New.
type Pool struct {
	site *site
	size int
	now  func() time.Time
	log  *slog.Logger
	told func()
	wake chan struct{} // holds one: there is something to fetch

	mu      sync.Mutex // guards what follows
	tokens  []*token
	turn    uint64 // grows with each pick; a clock may be too coarse to order them
	made    int    // tokens so far, for their names
	failed  int    // fetches in a row that failed
	unfit   int    // tokens in a row that were never accepted
	err     *llm.Error
	retry   time.Time     // when the next fetch is due after err
	over    bool          // Run has ended, so that no token will come any more
	changed chan struct{} // closed and replaced when there is something new
}

// token is one guest.
type token struct {
	id         string
	credential secret.Value
	fetched    time.Time
	lastUsed   time.Time
	turn       uint64 // of the last pick
	requests   int
	failures   int
	good       bool // it has served a request
}

// State is how a token stands.
type State struct {
	ID       string    // "guest 3"; unique in the pool
	Fetched  time.Time // when it was made
	LastUsed time.Time // zero: never
	Requests int       // that it was picked for
	Failures int       // of those
}

// New returns a pool without tokens, which Run will fetch.
func New(o Options) *Pool {
	p := &Pool{
		size: min(max(o.Size, 0), MaxSize), now: o.Now, log: o.Log, told: o.Changed,
		wake: make(chan struct{}, 1), changed: make(chan struct{}),
	}
	if p.now == nil {
		p.now = time.Now
	}
	if p.told == nil {
		p.told = func() {}
	}
	if p.log == nil {
		p.log = slog.New(slog.DiscardHandler)
	}
	p.site = newSite(cmp.Or(o.Base, DefaultBase), o.Version, o.Transport, p.now)
	return p
}

// Run fills the pool and replaces what is thrown away, one fetch at a time, until ctx
// ends. A pool of no tokens, or of an address that is none, only
// waits: Pick says what is wrong. It is called once.
func (p *Pool) Run(ctx context.Context) {
	defer p.end()
	for ctx.Err() == nil {
		pause := p.due()
		if pause == 0 {
			p.fetch(ctx)
			p.told()
			sleep(ctx, pace, nil)
			continue
		}
		sleep(ctx, pause, p.wake)
	}
}

// end tells those who wait for a token that none will come.
func (p *Pool) end() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.over = true
	p.announce()
}

// never is the pause of a pool that has nothing to fetch.
const never = time.Duration(-1)

// sleep waits for a pause, or until it is woken or ctx ends.
func sleep(ctx context.Context, pause time.Duration, wake <-chan struct{}) {
	var due <-chan time.Time
	if pause != never {
		timer := time.NewTimer(pause)
		defer timer.Stop()
		due = timer.C
	}
	select {
	case <-ctx.Done():
	case <-due:
	case <-wake:
	}
}

// due returns how long to wait until the next fetch: 0 is now.
func (p *Pool) due() time.Duration {
	p.mu.Lock()
	defer p.mu.Unlock()
	if len(p.tokens) >= p.size || p.site.err != nil {
		return never
	}
	return max(p.retry.Sub(p.now()), 0)
}

// fetch fetches one token.
func (p *Pool) fetch(ctx context.Context) {
	credential, err := p.site.token(ctx)
	if ctx.Err() != nil {
		return
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	defer p.announce()
	now := p.now()
	if err != nil {
		p.failed++
		p.rest(err, p.failed)
		p.log.Warn("no guest token", "error", err.Error(), "status", err.Status, "pause", p.retry.Sub(now).Round(time.Millisecond))
		return
	}
	p.made++
	p.tokens = append(p.tokens, &token{id: "guest " + strconv.Itoa(p.made), credential: credential, fetched: now})
	p.err, p.failed = nil, 0
	p.log.Debug("a guest token", "tokens", len(p.tokens))
}

// rest puts the next fetch off after so many failures in a row, or for as long as the
// site wants.
func (p *Pool) rest(err *llm.Error, failures int) {
	pause := firstPause
	for n := 1; n < failures && pause < longestPause; n++ {
		pause *= 2
	}
	p.err, p.retry = err, p.now().Add(min(max(pause, err.RetryAfter), longestPause))
}

// announce tells those who wait that something has changed.
func (p *Pool) announce() {
	close(p.changed)
	p.changed = make(chan struct{})
}

// want has Run look whether there is something to fetch.
func (p *Pool) want() {
	select {
	case p.wake <- struct{}{}:
	default:
	}
}

// Size returns how many tokens there are at present.
func (p *Pool) Size() int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return len(p.tokens)
}

// States returns how the tokens stand, the oldest first.
func (p *Pool) States() []State {
	p.mu.Lock()
	defer p.mu.Unlock()
	list := make([]State, 0, len(p.tokens))
	for _, t := range p.tokens {
		list = append(list, State{t.id, t.fetched, t.lastUsed, t.requests, t.failures})
	}
	return list
}
