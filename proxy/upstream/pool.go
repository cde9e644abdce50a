package upstream

import (
	"container/list"
	"net/http"
	"slices"
	"sync"
	"time"

	"glmtray/proxy/llm"
	"glmtray/proxy/secret"
)

// Limits of a pool.
const (
	// maxSessions bounds the conversations whose account is remembered.
	maxSessions = 4096
	// sessionLife is how long a conversation may rest until its account is forgotten;
	// the provider's own prompt cache does not outlive it.
	sessionLife = time.Hour
	// unknownQuota is how long an account rests whose quota is used up, if the provider
	// does not say when it resets.
	unknownQuota = 15 * time.Minute
	// Rate limits without a time double from firstCooling up to longestCooling.
	firstCooling   = 2 * time.Second
	longestCooling = time.Minute
)

// Member is an account of a pool.
type Member struct {
	ID         string // unique in the pool
	Name       string // for people; must not be secret
	User       string // whose it is, for the provider; may be empty
	Credential secret.Value
	// Since is when somebody last logged in to it. Whoever has done so again is ready, even
	// with the same credential.
	Since time.Time
}

// The values of MemberState.State.
const (
	MemberReady   = "ready"
	MemberCooling = "cooling" // a rate limit; for moments
	MemberQuota   = "quota"   // used up until it resets
	MemberLogin   = "login"   // its credential is refused; somebody must log in again
)

// MemberState is how an account stands.
type MemberState struct {
	ID, Name string
	State    string
	Until    time.Time // of cooling and quota; zero otherwise
	Requests int       // that it was picked for
	Failures int       // of those
	LastUsed time.Time // zero: never
}

// Pool spreads requests over the accounts of one provider and plan. The account that has
// rested longest is picked first, but a conversation stays with the account that it has,
// so that the provider's prompt cache stays warm. It may be used concurrently.
//
// An account that is out is left alone as long as another is not. Where all are out, the
// one that is back first is asked all the same: whether it may answer is the provider's
// to say, and a person who has bought more quota meanwhile is not kept waiting by us.
type Pool struct {
	now     func() time.Time
	refused func(id string)

	mu       sync.Mutex // guards what follows
	members  []*member
	turn     uint64 // grows with each pick; a clock may be too coarse to order them
	sessions map[string]*list.Element
	recent   *list.List // of *session, the latest used in front
}

type member struct {
	Member
	state    string
	out      time.Time // when it went out
	until    time.Time
	outTurn  uint64        // of the pool, when it went out
	cooling  time.Duration // of the last rate limit in a row
	turn     uint64        // of the last pick
	requests int
	failures int
	lastUsed time.Time
}

type session struct {
	key    string
	member string
	used   time.Time
}

// NewPool returns a pool. now is the clock; nil is the one on the wall: the one by which
// programs measure stops while the machine sleeps, and resets do not wait. refused, if
// set, is called with the account whose credential the provider refuses, in a goroutine
// of its own, each time that one goes out for that.
func NewPool(members []Member, now func() time.Time, refused func(id string)) *Pool {
	if now == nil {
		now = func() time.Time { return time.Now().Round(0) }
	}
	p := &Pool{now: now, refused: refused, sessions: map[string]*list.Element{}, recent: list.New()}
	p.Update(members)
	return p
}

// Update replaces the members. One that stays, with the same credential, keeps its state;
// one with a new credential, or a new login, is ready again.
func (p *Pool) Update(members []Member) {
	p.mu.Lock()
	defer p.mu.Unlock()
	old := p.members
	p.members = make([]*member, 0, len(members))
	for _, m := range members {
		next := &member{Member: m, state: MemberReady}
		for _, o := range old {
			if o.ID != m.ID {
				continue
			}
			if o.Credential == m.Credential && !m.Since.After(o.Since) {
				next.state, next.out, next.until, next.outTurn, next.cooling = o.state, o.out, o.until, o.outTurn, o.cooling
			}
			next.turn, next.requests, next.failures, next.lastUsed = o.turn, o.requests, o.failures, o.lastUsed
		}
		p.members = append(p.members, next)
	}
}

// Lease is a credential for a request. One of no pool stands for itself.
type Lease struct {
	ID         string // of the account; empty if there is none
	Name       string // of the account, for people
	User       string // whose the account is, for the provider; empty if it is not known
	Credential secret.Value
	// Header is what goes along with this credential, and stands over other headers.
	Header http.Header
	// Ended, if set, is told how the request ended instead of a Pool.
	Ended func(*llm.Error)
	pool  *Pool
	turn  uint64 // of the pick
}

// Pick picks an account for a request of a conversation; an empty session is a
// conversation of its own. Accounts in tried are left out: they have failed for this
// request, and only one that is ready may take their place. The error, if there is no
// account to pick, says when there will be one.
func (p *Pool) Pick(session string, tried ...string) (Lease, *llm.Error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	now := p.now()
	m := p.remembered(session, tried, now)
	if m == nil {
		m = p.rested(tried, now)
	}
	if m == nil && len(tried) == 0 {
		m = p.nearest()
	}
	if m == nil {
		return Lease{}, p.nobody(now)
	}
	p.turn++
	m.turn, m.lastUsed = p.turn, now
	m.requests++
	p.remember(session, m, now)
	return Lease{ID: m.ID, Name: m.Name, User: m.User, Credential: m.Credential, pool: p, turn: p.turn}, nil
}

// nearest returns the account that is back first, of those that come back by themselves
// if there is one.
func (p *Pool) nearest() (found *member) {
	for _, m := range p.members {
		switch {
		case found == nil, found.state == MemberLogin && m.state != MemberLogin:
			found = m
		case m.state != MemberLogin && m.until.Before(found.until), m.state == found.state && m.state == MemberLogin && m.turn < found.turn:
			found = m
		}
	}
	return found
}

// Size returns how many accounts there are.
func (p *Pool) Size() int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return len(p.members)
}

// remembered returns the account that a conversation has, if it can be picked.
func (p *Pool) remembered(key string, tried []string, now time.Time) *member {
	e, ok := p.sessions[key]
	if !ok || now.Sub(e.Value.(*session).used) > sessionLife {
		return nil
	}
	if m := p.member(e.Value.(*session).member); m != nil && m.ready(now) && !slices.Contains(tried, m.ID) {
		return m
	}
	return nil
}

// rested returns the account that has rested longest of those that can be picked.
func (p *Pool) rested(tried []string, now time.Time) (found *member) {
	for _, m := range p.members {
		if m.ready(now) && !slices.Contains(tried, m.ID) && (found == nil || m.turn < found.turn) {
			found = m
		}
	}
	return found
}

// remember notes the account of a conversation. One that had to move stays where it is.
func (p *Pool) remember(key string, m *member, now time.Time) {
	if key == "" {
		return
	}
	if e, ok := p.sessions[key]; ok {
		s := e.Value.(*session)
		s.member, s.used = m.ID, now
		p.recent.MoveToFront(e)
		return
	}
	p.sessions[key] = p.recent.PushFront(&session{key, m.ID, now})
	if p.recent.Len() > maxSessions {
		oldest := p.recent.Remove(p.recent.Back()).(*session)
		delete(p.sessions, oldest.key)
	}
}

func (p *Pool) member(id string) *member {
	for _, m := range p.members {
		if m.ID == id {
			return m
		}
	}
	return nil
}

// ready reports whether an account can be picked, and takes it back in whose time is
// over. Where the clock was set back nobody knows when that is: it is asked.
func (m *member) ready(now time.Time) bool {
	if (m.state == MemberCooling || m.state == MemberQuota) && (!now.Before(m.until) || now.Before(m.out)) {
		m.state, m.until = MemberReady, time.Time{}
	}
	return m.state == MemberReady
}

// nobody is the error of a pool without an account to pick.
func (p *Pool) nobody(now time.Time) *llm.Error {
	var first *member
	alike := true
	for _, m := range p.members {
		if !m.ready(now) && m.state != MemberLogin && (first == nil || m.until.Before(first.until)) {
			first = m
		}
		alike = alike && m.state == p.members[0].state
	}
	if first != nil {
		return first.back(now, alike)
	}
	for _, m := range p.members {
		if m.ready(now) {
			return &llm.Error{Kind: llm.ErrRateLimit, Message: "every account has been tried for this request"}
		}
	}
	return &llm.Error{Kind: llm.ErrAuthentication, Message: "no account is logged in; log in again from the tray or with: glmtray auth login"}
}

// back is the error of a pool in which this account is the first that is back. alike says
// that all are out for the same reason.
func (m *member) back(now time.Time, alike bool) *llm.Error {
	err := &llm.Error{Kind: llm.ErrRateLimit, RetryAfter: m.until.Sub(now), Message: "every account is at its rate limit for the moment"}
	if m.state == MemberQuota {
		err.Kind, err.Message = llm.ErrQuota, "the quota of every account is used up"
	}
	if !alike {
		err.Message = "no account can be used for the moment"
	}
	if m.state == MemberQuota {
		err.Message += "; the first is back at " + clock(m.until.Local(), now.Local())
	}
	return err
}

// Done tells how the request ended; nil is a good end. What is the fault of the request
// or of the client says nothing about the account.
func (l Lease) Done(err *llm.Error) {
	if l.Ended != nil {
		l.Ended(err)
	}
	p := l.pool
	if p == nil {
		return
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	m := p.member(l.ID)
	if m == nil || m.Credential != l.Credential {
		return // it was logged out, or in again, meanwhile
	}
	if err == nil {
		// A request that was sent before the account went out says nothing about it.
		if m.state == MemberReady || l.turn > m.outTurn {
			m.cooling, m.state, m.until = 0, MemberReady, time.Time{}
		}
		return
	}
	if blames(err) != theAccount {
		return
	}
	now := p.now()
	switch err.Kind {
	case llm.ErrAuthentication, llm.ErrPermission:
		if m.state != MemberLogin && p.refused != nil {
			go p.refused(m.ID)
		}
		p.takeOut(m, l.turn, MemberLogin, time.Time{})
	case llm.ErrQuota:
		wait := err.RetryAfter
		if wait <= 0 {
			wait = unknownQuota
		}
		p.takeOut(m, l.turn, MemberQuota, now.Add(wait))
	case llm.ErrRateLimit:
		wait := err.RetryAfter
		if wait <= 0 {
			m.cooling = min(max(2*m.cooling, firstCooling), longestCooling)
			wait = m.cooling
		}
		p.takeOut(m, l.turn, MemberCooling, now.Add(wait))
	}
}

// takeOut takes an account out. One that is out for longer, or for good, stays so: the
// answers of requests that ran side by side come in any order. turn is the request's.
func (p *Pool) takeOut(m *member, turn uint64, state string, until time.Time) {
	m.failures++
	if m.state == MemberReady || turn > m.outTurn {
		m.out, m.outTurn = p.now(), p.turn
	}
	if m.state == MemberLogin || state != MemberLogin && m.until.After(until) {
		return
	}
	m.state, m.until = state, until
}

// What a failure is the fault of.
type fault uint8

const (
	theRequest fault = iota // it would fail with any account
	thePlan                 // another account's plan may include it
	theAccount              // the account cannot be used for the moment, or at all
)

// blames says what a failure is the fault of.
func blames(err *llm.Error) fault {
	switch err.Kind {
	case llm.ErrAuthentication, llm.ErrQuota, llm.ErrRateLimit:
		return theAccount
	case llm.ErrPermission:
		switch err.Code {
		case CodeCaptcha, CodeBlocked:
			return theRequest // the gateway judges the request; see CodeCaptcha
		case "1220", "1311":
			return thePlan
		}
		return theAccount
	}
	return theRequest
}

// FailsOver reports whether another account may answer a request that failed so.
func FailsOver(err *llm.Error) bool { return blames(err) != theRequest }

// TakesOut reports whether a failure takes the account out that a request was sent with,
// for a while or for good.
func TakesOut(err *llm.Error) bool { return blames(err) == theAccount }

// States returns how the accounts stand, in the order of the members.
func (p *Pool) States() []MemberState {
	p.mu.Lock()
	defer p.mu.Unlock()
	now := p.now()
	list := make([]MemberState, 0, len(p.members))
	for _, m := range p.members {
		m.ready(now) // takes it back in if its time is over
		list = append(list, MemberState{m.ID, m.Name, m.state, m.until, m.requests, m.failures, m.lastUsed})
	}
	return list
}
