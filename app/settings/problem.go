package settings

import (
	"fmt"
	"strconv"
	"strings"
	"unicode"
)

// A From is the layer that a value came from; a later one is stronger.
type From int

// The layers, the weakest first.
const (
	FromDefault From = iota
	FromFile
	FromEnv
	FromFlag
)

// String returns "default", "file", "env" or "flag".
func (f From) String() string {
	return [...]string{"default", "file", "env", "flag"}[f]
}

// An Origin is where a value stands.
type Origin struct {
	From   From
	Name   string // the file's path, the variable's name or the flag; empty for a default
	Line   int    // in the file, from 1; 0 where there is none
	Column int    // in the file, from 1, in characters; 0 where there is none
}

// String returns "default", "FILE:LINE:COLUMN", the variable's name or the flag.
func (o Origin) String() string {
	name := printable(o.Name, maxShownPath)
	switch {
	case o.From == FromDefault:
		return "default"
	case o.Line > 0 && o.Column > 0:
		return fmt.Sprintf("%s:%d:%d", name, o.Line, o.Column)
	case o.Line > 0:
		return fmt.Sprintf("%s:%d", name, o.Line)
	}
	return name
}

// A Problem is one thing that is wrong, with its remedy. It never holds a secret.
type Problem struct {
	Origin  Origin
	Key     string // as written there; empty if the problem is not about one key
	Message string
}

// String returns "ORIGIN: KEY: MESSAGE".
func (p Problem) String() string {
	if p.Key == "" {
		return p.Origin.String() + ": " + p.Message
	}
	return p.Origin.String() + ": " + p.Key + ": " + p.Message
}

// maxProblems bounds how many problems one Error lists.
const maxProblems = 25

// An Error lists everything that is wrong with the settings. It is the only type of
// error of Load, and of Set where the new content would be wrong. It is immutable.
type Error struct {
	Problems []Problem // at least one
	Omitted  int       // how many more there are
	Hint     string    // what to do about all of them; may be empty
}

// Error returns one line for each problem.
func (e *Error) Error() string {
	var b strings.Builder
	for i, p := range e.Problems {
		if i > 0 {
			b.WriteByte('\n')
		}
		b.WriteString(p.String())
	}
	if e.Omitted > 0 {
		fmt.Fprintf(&b, "\nand %d more", e.Omitted)
	}
	if e.Hint != "" {
		b.WriteString("\n" + e.Hint)
	}
	return b.String()
}

// problems collects what is wrong, up to the limit.
type problems struct {
	list    []Problem
	omitted int
}

func (ps *problems) add(o Origin, key, format string, args ...any) {
	if len(ps.list) == maxProblems {
		ps.omitted++
		return
	}
	ps.list = append(ps.list, Problem{Origin: o, Key: key, Message: fmt.Sprintf(format, args...)})
}

// err returns an *Error, or nil if nothing is wrong.
func (ps *problems) err() error {
	if len(ps.list) == 0 {
		return nil
	}
	return &Error{Problems: ps.list, Omitted: ps.omitted}
}

const (
	maxShownValue = 64
	maxShownPath  = 512
)

// quote prints a value that a person wrote, short and on one line.
func quote(v string) string { return strconv.Quote(cut(v, maxShownValue)) }

// printable returns s as it is if it can stand in a line of text, else quoted.
func printable(s string, limit int) string {
	s = cut(s, limit)
	if strings.ContainsFunc(s, func(r rune) bool { return !unicode.IsPrint(r) || r == unicode.ReplacementChar }) {
		return strconv.Quote(s)
	}
	return s
}

func cut(s string, limit int) string {
	n := 0
	for i := range s {
		if n == limit {
			return s[:i] + "…"
		}
		n++
	}
	return s
}

func orList(words []string) string {
	if len(words) < 2 {
		return strings.Join(words, "")
	}
	last := len(words) - 1
	return strings.Join(words[:last], ", ") + " or " + words[last]
}

func didYouMean(word string) string {
	if word == "" {
		return ""
	}
	return fmt.Sprintf(" (did you mean %s?)", word)
}

// nearest returns the candidate that word is most likely a slip of, or "" if none is
// near. Case, dashes and underscores are the commonest slips and count for nothing.
func nearest(word string, candidates []string) string {
	word = plain(cut(word, maxShownValue))
	best, bestDistance := "", max(1, len(word)/3)+1
	for _, c := range candidates {
		if d := distance(word, plain(c)); d < bestDistance {
			best, bestDistance = c, d
		}
	}
	return best
}

func plain(word string) string {
	return strings.NewReplacer("_", "", "-", "", " ", "").Replace(strings.ToLower(word))
}

// distance is how many letters must be inserted, deleted, replaced or swapped with
// their neighbour to turn a into b (optimal string alignment).
func distance(a, b string) int {
	x, y := []rune(a), []rune(b)
	before, above := make([]int, len(y)+1), make([]int, len(y)+1)
	for j := range above {
		above[j] = j
	}
	for i := range x {
		row := make([]int, len(y)+1)
		row[0] = i + 1
		for j := range y {
			cost := 1
			if x[i] == y[j] {
				cost = 0
			}
			row[j+1] = min(above[j+1]+1, row[j]+1, above[j]+cost)
			if i > 0 && j > 0 && x[i] == y[j-1] && x[i-1] == y[j] {
				row[j+1] = min(row[j+1], before[j-1]+1)
			}
		}
		before, above = above, row
	}
	return above[len(y)]
}
