// Package history is what was asked and what it cost: the requests that run and those
// that ran, as the window's Activity page shows them. It holds neither content nor a
// secret, except that an error's message may repeat a piece of what the upstream said.
//
// A [Record] is put into a [Log] when its request begins, and again with each news of
// it; the last one is final.
package history

import (
	"time"

	"glmtray/app/feed"
)

// Limit is how many records a Log keeps.
const Limit = 1000

// The values of Record.State.
const (
	Running = "running"
	Done    = "done"   // answered in full
	Failed  = "failed" // Record.Failure says how
)

// The values of Record.Lane.
const (
	Native     = "native"     // the answer passed through as it was
	Translated = "translated" // into the client's dialect
)

// Record is one request. Durations are in milliseconds.
type Record struct {
	ID        string    `json:"id"`
	Start     time.Time `json:"start"`
	State     string    `json:"state"`
	Client    string    `json:"client"` // the program, as its User-Agent names it: "Claude Code 2.1"
	UserAgent string    `json:"userAgent"`
	Model     string    `json:"model"`
	Dialect   string    `json:"dialect"`  // that the client speaks: "chat", "messages"
	Upstream  string    `json:"upstream"` // the provider: "Z.AI"
	Wire      string    `json:"wire"`     // the dialect that the upstream speaks; "" before it is known
	Lane      string    `json:"lane"`     // "" before it is known
	Stream    bool      `json:"stream"`
	Status    int       `json:"status"` // 0 while running

	Input     int  `json:"input"` // tokens, with the cached ones
	Cached    int  `json:"cached"`
	Output    int  `json:"output"`
	Estimated bool `json:"estimated"` // the tokens are a guess

	FirstByte int64 `json:"firstByteMs"` // 0: there was none yet
	Duration  int64 `json:"durationMs"`  // 0 while running

	Attempts []Attempt `json:"attempts"` // those that failed and were followed by another
	Dropped  []Dropped `json:"dropped"`
	Failure  *Failure  `json:"failure"`
}

// Attempt is a try that failed and was followed by another.
type Attempt struct {
	At     int64  `json:"atMs"`   // of its failure, after the request's start
	Status int    `json:"status"` // 0: no answer at all
	Reason string `json:"reason"`
	Pause  int64  `json:"pauseMs"` // before the next
}

// Dropped is something that could not be carried over to the other dialect.
type Dropped struct {
	Field  string `json:"field"`
	Reason string `json:"reason"`
}

// Failure is how a request failed.
type Failure struct {
	Kind    string `json:"kind"` // "quota", "rate limit", …: llm.ErrorKind's words
	Code    string `json:"code"` // the provider's own
	Message string `json:"message"`
	Cause   string `json:"cause"`
	Retry   int64  `json:"retryAfterMs"` // 0: not known
}

// Log is the list of records, the latest [Limit] of them. It may be used concurrently.
type Log = feed.Feed[Record]

// New returns an empty log.
func New() *Log { return feed.New(Limit, func(r Record) string { return r.ID }) }
