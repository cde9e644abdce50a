package app

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"glmtray/app/settings"
	"glmtray/app/state"
	"glmtray/proxy/llm"
	"glmtray/proxy/upstream"
)

const (
	// configsLife is how long what the gateway tells of its captcha is believed, and
	// configsLimit how long it may take to tell; both are those of ZCode's own client.
	configsLife  = time.Minute
	configsLimit = 15 * time.Second
	// configsPause is how long it is left alone after it could not tell.
	configsPause = 5 * time.Second
	maxConfigs   = 4 << 20
	// maxProof bounds what the captcha's widget hands over, in bytes.
	maxProof = 16 << 10
)

// captcha is how the gateway's captcha is set up, as client/configs tells.
type captcha struct {
	Enabled     *bool  `json:"enabled"`
	Region      string `json:"region"`
	Prefix      string `json:"prefix"`
	SceneID     string `json:"sceneId"`
	SkipRequest bool   `json:"skip_model_request"`
}

func (c captcha) complete() bool { return c.Region != "" && c.Prefix != "" && c.SceneID != "" }

// checks are the requests that wait for a person to pass the start plan's captcha. One
// that the person has passed is good for one request: the oldest.
type checks struct {
	app    *App
	http   *http.Client
	asking sync.Mutex // one asks the gateway for its configs at a time
	told   atomic.Pointer[told]
	// telling has the person told of one state after the other, the latest last.
	telling sync.Mutex

	mu      sync.Mutex // guards what follows; held for moments only
	waiting []*check
}

// told is what the gateway has told of its captcha.
type told struct {
	captcha captcha
	at      time.Time
	from    string
}

// check is one request that waits.
type check struct {
	since time.Time
	proof chan http.Header
}

func newChecks(a *App) *checks {
	c := &checks{app: a, http: &http.Client{Transport: a.transport, Timeout: configsLimit}}
	c.told.Store(&told{})
	return c
}

func (c *checks) settings() settings.StartPlan {
	c.app.mu.Lock()
	defer c.app.mu.Unlock()
	s := c.app.loaded.Settings
	if s.Provider == settings.ProviderDemo {
		return demoStartPlan(s.StartPlan, c.app.demoBase)
	}
	return s.StartPlan
}

// Wanted implements proxy.Person: the gateway tells itself whether it will ask.
func (c *checks) Wanted(ctx context.Context) bool {
	known := c.configs(ctx)
	return known.complete() && !known.SkipRequest && (known.Enabled == nil || *known.Enabled)
}

// configs returns what is known of the captcha, and asks for it if that is old. That it
// cannot be had is no reason to keep a request back: the gateway refuses it then.
func (c *checks) configs(ctx context.Context) captcha {
	plan := c.settings()
	c.asking.Lock()
	defer c.asking.Unlock()
	last := c.told.Load()
	if time.Since(last.at) < configsLife && last.from == plan.ConfigsURL {
		return last.captcha
	}
	known, err := c.fetch(ctx, plan.ConfigsURL)
	at := time.Now()
	if err != nil {
		if last.from == plan.ConfigsURL {
			known = last.captcha
		}
		if ctx.Err() != nil {
			return known // the client has left, which says nothing of the gateway
		}
		c.app.log.Debug("the gateway's configs cannot be had", "reason", err.Error())
		at = at.Add(configsPause - configsLife)
	}
	c.told.Store(&told{known, at, plan.ConfigsURL})
	return known
}

func (c *checks) fetch(ctx context.Context, address string) (captcha, error) {
	c.app.mu.Lock()
	version := c.app.loaded.Settings.Identity.AppVersion
	c.app.mu.Unlock()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, address+"?app_version="+url.QueryEscape(version), nil)
	if err != nil {
		return captcha{}, err
	}
	req.Header.Set("User-Agent", "ZCode/"+version)
	resp, err := c.http.Do(req)
	if err != nil {
		return captcha{}, err
	}
	defer resp.Body.Close()
	var answer struct {
		Data struct {
			Configs struct {
				Captcha captcha `json:"captcha"`
			} `json:"configs"`
		} `json:"data"`
	}
	if resp.StatusCode != http.StatusOK {
		return captcha{}, fmt.Errorf("HTTP %d", resp.StatusCode)
	}
	err = json.NewDecoder(io.LimitReader(resp.Body, maxConfigs)).Decode(&answer)
	return answer.Data.Configs.Captcha, err
}

// Limits implements proxy.Person.
func (c *checks) Limits() (time.Duration, int) {
	plan := c.settings()
	return plan.CaptchaTimeout(), plan.CaptchaRetries
}

// Prove implements proxy.Person: it waits until the person has passed the check on the
// page of the window.
func (c *checks) Prove(ctx context.Context) (http.Header, *llm.Error) {
	if !c.configs(ctx).complete() {
		return nil, &llm.Error{Kind: llm.ErrPermission, Code: upstream.CodeCaptcha, Message: "the start plan asks for a captcha, but does not tell which; try again, or open the ZCode app"}
	}
	mine := &check{since: time.Now(), proof: make(chan http.Header, 1)}
	c.mu.Lock()
	c.waiting = append(c.waiting, mine)
	c.mu.Unlock()
	c.changed()
	defer c.changed()
	patience, _ := c.Limits()
	timer := time.NewTimer(patience)
	defer timer.Stop()
	var proof http.Header
	select {
	case proof = <-mine.proof:
	case <-ctx.Done():
	case <-timer.C:
	}
	if proof == nil {
		proof = c.leave(mine)
	}
	switch {
	case ctx.Err() != nil:
		c.handOn(proof)
		return nil, &llm.Error{Kind: llm.ErrCanceled, Message: "the client went away", Err: ctx.Err()}
	case proof == nil:
		return nil, &llm.Error{
			Kind: llm.ErrPermission, Code: upstream.CodeCaptcha,
			Message: "the start plan wants to see that there is a person, and nobody passed its check within " + patience.String() + "; open it from the tray (or: glmtray open verify) and send the request again",
		}
	}
	return proof, nil
}

// leave ends the wait of a request. It returns the proof that came in that moment, if
// there is one: a person has made the effort.
func (c *checks) leave(mine *check) http.Header {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.waiting = slices.DeleteFunc(c.waiting, func(w *check) bool { return w == mine })
	select {
	case proof := <-mine.proof:
		return proof
	default:
		return nil
	}
}

// handOn gives a proof to the request that has waited longest, and reports whether there
// is one.
func (c *checks) handOn(proof http.Header) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	if proof == nil || len(c.waiting) == 0 {
		return false
	}
	first := c.waiting[0]
	c.waiting = c.waiting[1:]
	first.proof <- proof
	return true
}

// changed tells the person, and takes that back when nobody waits any more.
func (c *checks) changed() {
	c.telling.Lock()
	defer c.telling.Unlock()
	c.mu.Lock()
	n := len(c.waiting)
	c.mu.Unlock()
	if n == 0 {
		c.app.solved(state.ProblemCheck)
		return
	}
	c.app.report(state.Problem{Kind: state.ProblemCheck, Text: message("notice.check.text"), Remedy: message("notice.check.remedy")})
}

// state is how the checks stand, for the page on which they are passed; nil if none is
// waited for.
func (c *checks) state() *state.Check {
	c.mu.Lock()
	defer c.mu.Unlock()
	if len(c.waiting) == 0 {
		return nil
	}
	return &state.Check{Waiting: len(c.waiting), Since: c.waiting[0].since}
}

// Widget is what the page needs to show the captcha.
func (a *App) Widget(ctx context.Context) state.Widget {
	plan, known := a.checks.settings(), a.checks.configs(ctx)
	return state.Widget{Script: plan.CaptchaSDK, Region: known.Region, Prefix: known.Prefix, SceneID: known.SceneID, LoadMS: plan.CaptchaLoadMS}
}

// ErrNoCheck says that no request waits for a proof any more.
var ErrNoCheck = errors.New("no request waits for this any more")

// ErrProof says that what came from the page is no proof.
var ErrProof = errors.New("this is nothing that the captcha hands over")

// PassCheck hands what the captcha handed over to the request that has waited longest.
func (a *App) PassCheck(proof string) error {
	if proof == "" || len(proof) > maxProof || strings.ContainsFunc(proof, func(r rune) bool { return r <= ' ' || r > '~' }) {
		return ErrProof
	}
	header := http.Header{upstream.CaptchaHeader: {proof}, upstream.CaptchaRegionHeader: {a.checks.told.Load().captcha.Region}}
	if !a.checks.handOn(header) {
		return ErrNoCheck
	}
	return nil
}
