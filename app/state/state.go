// Package state is what every face of the program renders: the [Snapshot], an immutable
// value that says how things stand. The tray, the window and the command line know the
// application by it, and by the intents that they call.
//
// The package only describes; package app makes the snapshots.
package state

import (
	"slices"
	"time"

	"glmtray/app/locale"
)

// Phase is where the proxy is in its life.
type Phase string

// The phases of the proxy.
const (
	Stopped  Phase = "stopped"
	Starting Phase = "starting"
	Running  Phase = "running"
	Stopping Phase = "stopping" // running streams have their grace period
	Failed   Phase = "failed"   // Snapshot.Problems say why
)

// Snapshot is how things stand at a moment. Do not change what it holds.
type Snapshot struct {
	Version  string  `json:"version"`
	PID      int     `json:"pid"`
	Headless bool    `json:"headless"` // it runs as "glmtray serve": there is no tray to come
	Phase    Phase   `json:"phase"`
	BaseURL  string  `json:"baseURL"`  // of the proxy while it runs, without a path
	Port     int     `json:"port"`     // that the settings ask for
	ProxyKey bool    `json:"proxyKey"` // clients must send a key
	Provider string  `json:"provider"` // one of the settings.Provider constants
	Plan     string  `json:"plan"`     // one of the settings.Plan constants
	Account  Account `json:"account"`
	// Accounts are all that somebody has logged in to, Pool those of them that serve.
	Accounts []AccountEntry `json:"accounts"`
	Pool     Pool           `json:"pool"`
	Vault    Vault          `json:"vault"`
	Login    *Login         `json:"login"` // that is going on, if any
	Check    *Check         `json:"check"` // that a person must pass, if any

	Active int `json:"active"` // requests that run
	Queued int `json:"queued"` // requests that wait for their turn

	// Problems want a person's attention, the worst first.
	Problems  []Problem `json:"problems"`
	Autostart Autostart `json:"autostart"`
	Language  Language  `json:"language"`
	Icon      Icon      `json:"icon"`
	// Fixed are the keys of settings that a face cannot change, each with what fixes
	// it: the name of an environment variable.
	Fixed map[string]string `json:"fixed"`
	// ConfigFile is the file that changes are written to, "" if there is no place.
	ConfigFile string `json:"configFile"`
	LogFolder  string `json:"logFolder"` // "" if the log goes to no file
}

// Account is whose credential goes upstream.
type Account struct {
	// Known says that there is one. Without, requests need a key of their own.
	Known bool `json:"known"`
	// Hint is the credential masked, or the names of accounts.
	Hint string `json:"hint"`
	// Origin is where it comes from: a file with its line, or a variable.
	Origin string `json:"origin"`
	// Stored says that it comes from accounts of the vault.
	Stored bool `json:"stored"`
}

// AccountEntry is one account of the vault.
type AccountEntry struct {
	ID       string    `json:"id"`
	Name     string    `json:"name"`
	Provider string    `json:"provider"`
	Kind     string    `json:"kind"`           // one of the account.Kind constants
	Plans    []string  `json:"plans"`          // that it has a credential for
	Hint     string    `json:"hint"`           // its credential, masked
	Level    string    `json:"level"`          // of its plan: "lite", "pro", "max"; "" if unknown
	InUse    bool      `json:"inUse"`          // it serves under the settings of the moment
	State    string    `json:"state"`          // AccountIdle, or one of the upstream.Member constants
	Until    time.Time `json:"until,omitzero"` // of a state that ends by itself; zero otherwise
	Requests int       `json:"requests"`
	Failures int       `json:"failures"`
	LastUsed time.Time `json:"lastUsed,omitzero"` // zero: not since the program started
	Added    time.Time `json:"added"`
}

// AccountIdle is the state of an account that does not serve at the moment.
const AccountIdle = "idle"

// Pool are the accounts that share the load.
type Pool struct {
	Size int `json:"size"`
	// Alone is the account that was chosen to serve alone, "" if none was.
	Alone string `json:"alone"`
}

// Vault is where the accounts lie.
type Vault struct {
	File string `json:"file"`
	// Key is where its key lies, one of the vault.Where constants; "" if it was not
	// needed yet.
	Key string `json:"key"`
	// Locked says that the keyring that has the key is locked.
	Locked bool `json:"locked"`
}

// Login is a login in the browser that is going on.
type Login struct {
	Provider string    `json:"provider"`
	Step     string    `json:"step"` // one of the login.Step constants
	URL      string    `json:"url"`  // the page on which the person allows it; "" before that
	Since    time.Time `json:"since"`
}

// Check is what a person must pass so that requests go on.
type Check struct {
	Waiting int       `json:"waiting"` // requests
	Since   time.Time `json:"since"`
}

// Widget is what a page needs to show the start plan's captcha.
type Widget struct {
	Script  string `json:"script"`
	Region  string `json:"region"`
	Prefix  string `json:"prefix"`
	SceneID string `json:"sceneId"`
	LoadMS  int    `json:"loadMs"` // that the script may take to load
}

// Autostart is whether the program starts at login.
type Autostart struct {
	Possible bool `json:"possible"`
	Enabled  bool `json:"enabled"`
}

// Language is what the faces speak.
type Language struct {
	Setting string `json:"setting"` // "system" or a tag
	InForce string `json:"inForce"` // a tag: "en", "zh-Hans"
}

// Icon is whether the tray shows the program's icon.
type Icon struct {
	Wanted bool `json:"wanted"`
	Shown  bool `json:"shown"`
}

// The kinds of problems. There is at most one of each.
const (
	ProblemSettings = "settings" // the config file is wrong; what was good before is in force
	ProblemPort     = "port"     // the port cannot be opened
	ProblemProxy    = "proxy"    // a part of the program ended unexpectedly
	ProblemSave     = "save"     // something could not be written
	ProblemLogin    = "login"    // there is no credential, or the provider refuses it
	ProblemQuota    = "quota"    // the plan's quota is used up
	ProblemCheck    = "check"    // a request waits until somebody has passed a check
	ProblemAccount  = "account"  // a login did not succeed
	ProblemVault    = "vault"    // the accounts cannot be read
	ProblemTray     = "tray"     // there is no place for the icon
	ProblemLog      = "log"      // the log file cannot be written
)

// Problem is what wants a person's attention.
type Problem struct {
	Kind   string         `json:"kind"`
	Text   locale.Message `json:"text"`   // what happened, one sentence
	Remedy locale.Message `json:"remedy"` // what to do about it, one sentence
	// Details are lines as they are, such as FILE:LINE:COLUMN: MESSAGE.
	Details []string  `json:"details"`
	Since   time.Time `json:"since"`
	// FreePort is a port that can be had instead, with ProblemPort; else 0.
	FreePort int `json:"freePort"`
}

// Problem returns the problem of a kind, and whether there is one.
func (s Snapshot) Problem(kind string) (Problem, bool) {
	i := slices.IndexFunc(s.Problems, func(p Problem) bool { return p.Kind == kind })
	if i < 0 {
		return Problem{}, false
	}
	return s.Problems[i], true
}

// Face is which of the four icons stands for a snapshot.
type Face string

// The four faces.
const (
	FaceRunning Face = "running"
	FaceStopped Face = "stopped"
	FaceBusy    Face = "busy" // requests run
	FaceProblem Face = "problem"
)

// Face returns the icon: a problem first, then whether anything runs. That there is no
// place for the icon is nothing that the icon could tell.
func (s Snapshot) Face() Face {
	alarming := slices.ContainsFunc(s.Problems, func(p Problem) bool { return p.Kind != ProblemTray })
	switch {
	case s.Phase == Failed || alarming:
		return FaceProblem
	case s.Phase == Running && s.Active > 0, s.Phase == Stopping, s.Phase == Starting:
		return FaceBusy
	case s.Phase == Running:
		return FaceRunning
	}
	return FaceStopped
}
