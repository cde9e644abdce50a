package settings

import (
	"regexp"
	"strings"
	"unicode/utf8"
)

const (
	// maxVariables bounds how many variables of one file are looked at.
	maxVariables = 1000
	// maxNesting bounds defaults inside defaults: ${A:-${B:-c}}.
	maxNesting = 4
)

// A variable is what a file says about one environment variable.
type variable struct {
	name  string
	value string
	line  int // where it stands, from 1
	// problem says why the value cannot be known, or is empty. It repeats none of it.
	problem string
	// hint says what a person should know about the value, or is empty.
	hint string
}

// A dotenv reads the text of a .env file. There is no one grammar: it takes what the
// readers of shells, Docker, Python and Node agree on, and where they differ what a
// person most likely meant.
//
//	# comment
//	NAME=value            # a comment after a space
//	export NAME = value
//	NAME='as it is'       NAME=`as it is`
//	NAME="with \n, \" and ${OTHER:-a default}"
//
// A value in quotes may have several lines.
type dotenv struct {
	rest      string
	line      int // of the beginning of rest
	known     map[string]string
	variables []variable
	// damaged are the lines that assign nothing and are no comments.
	damaged []variable
}

// readDotenv returns the variables of a .env file in the order of their lines, and the
// lines that cannot be understood. Of a name that comes twice both are returned.
func readDotenv(text string) (variables, damaged []variable) {
	d := dotenv{rest: strings.TrimPrefix(text, byteOrderMark), line: 1, known: map[string]string{}}
	for d.rest != "" {
		if len(d.variables)+len(d.damaged) == maxVariables {
			d.damaged = append(d.damaged, variable{line: d.line, problem: "is not read, nor is what follows: the file is too long"})
			break
		}
		d.next()
	}
	return d.variables, d.damaged
}

// assignmentLine is the beginning of a line that gives a value to a name.
var assignmentLine = regexp.MustCompile(`^[ \t]*(?:export[ \t]+)?([A-Za-z_][A-Za-z0-9_.-]*)[ \t]*=([ \t]*)`)

// next reads one line, or the several lines of a value in quotes.
func (d *dotenv) next() {
	line, _, _ := strings.Cut(d.rest, "\n")
	m := assignmentLine.FindStringSubmatch(line)
	if m == nil {
		text := strings.TrimSpace(line)
		if text != "" && text[0] != '#' {
			d.damaged = append(d.damaged, variable{line: d.line, problem: "is no line of the form NAME=value"})
		}
		d.skip(len(line))
		return
	}
	v := variable{name: m[1], line: d.line}
	d.skipWithin(len(m[0]))
	switch {
	case d.rest != "" && strings.ContainsRune("\"'`", rune(d.rest[0])):
		d.quoted(&v, d.rest[0])
	default:
		d.plain(&v, m[2] != "")
	}
	if v.problem == "" {
		d.known[v.name] = v.value
	}
	d.variables = append(d.variables, v)
}

// skip goes on behind the end of the line that begins n bytes later, or is there.
func (d *dotenv) skip(n int) {
	d.skipWithin(n)
	_, after, found := strings.Cut(d.rest, "\n")
	if found {
		d.line++
	}
	d.rest = after
}

func (d *dotenv) skipWithin(n int) {
	d.line += strings.Count(d.rest[:n], "\n")
	d.rest = d.rest[n:]
}

// plain reads a value without quotes: up to the end of the line, or to a # that follows
// a space. A # inside a word may belong to a key.
func (d *dotenv) plain(v *variable, afterSpace bool) {
	line, _, _ := strings.Cut(d.rest, "\n")
	d.skip(len(line))
	for i := range len(line) {
		if line[i] == '#' && (i == 0 && afterSpace || i > 0 && (line[i-1] == ' ' || line[i-1] == '\t')) {
			line = line[:i]
			break
		}
	}
	v.set(expansion{known: d.known}, strings.TrimSpace(line))
}

// quoted reads a value in quotes. Nothing but a comment may follow it.
func (d *dotenv) quoted(v *variable, quote byte) {
	line, _, _ := strings.Cut(d.rest, "\n")
	end := closingQuote(d.rest, quote)
	if end < 0 {
		v.problem = "the quote that it begins with is never closed"
		d.skip(len(line))
		return
	}
	text := strings.ReplaceAll(d.rest[1:end], "\r\n", "\n")
	after, _, _ := strings.Cut(d.rest[end+1:], "\n")
	if rest := strings.TrimSpace(after); rest != "" && rest[0] != '#' {
		// If the quote is in a later line it is more likely that of another value.
		v.problem = "something follows the quote that closes it, or none does"
		d.skip(len(line))
		return
	}
	d.skip(end + 1 + len(after))
	switch quote {
	case '"':
		v.set(expansion{known: d.known, escapes: true}, text)
	case '\'':
		v.value = strings.ReplaceAll(text, `\'`, `'`)
	default:
		v.value = text
	}
}

// closingQuote is where the value that text begins with ends, or -1. A backslash protects
// the quote after it, but not between backticks.
func closingQuote(text string, quote byte) int {
	for i := 1; i < len(text); i++ {
		switch {
		case text[i] == '\\' && quote != '`':
			i++
		case text[i] == quote:
			return i
		}
	}
	return -1
}

// set gives v the text with its references filled in.
func (v *variable) set(e expansion, text string) {
	v.value = e.expand(text, 0)
	switch {
	case e.missing != "":
		v.value, v.problem = "", "its value comes from "+shownVariable(e.missing)+", which this file does not set"
	case e.bad:
		v.value, v.problem = "", "its value is too long, or refers to variables in a way that is not understood"
	case e.defaulted != "":
		v.hint = "is the default that stands in the file; " + shownVariable(e.defaulted) + " can set another, which is not seen here"
	}
}

// An expansion fills references to variables in: ${NAME}, ${NAME:-default},
// ${NAME-default}, ${NAME:?message} and ${NAME?message}.
type expansion struct {
	known   map[string]string
	escapes bool // \n and such are understood, as between double quotes
	bare    bool // $NAME is a reference and $$ a dollar, as in compose files

	missing   string // a variable that is not known and has no default
	defaulted string // one whose default was taken
	bad       bool   // a form that is not understood, or too much of it
}

var bareReference = regexp.MustCompile(`^\$[A-Za-z_][A-Za-z0-9_]*`)

func (e *expansion) expand(text string, depth int) string {
	var out strings.Builder
	for i := 0; i < len(text) && !e.bad; {
		n := 1
		switch rest := text[i:]; {
		case e.escapes && rest[0] == '\\' && len(rest) > 1:
			n = 2
			out.WriteString(unescape(rest[1]))
		case strings.HasPrefix(rest, "${"):
			n = e.reference(&out, rest, depth)
		case e.bare && strings.HasPrefix(rest, "$$"):
			n = 2
			out.WriteByte('$')
		case e.bare && bareReference.MatchString(rest):
			name := bareReference.FindString(rest)
			n = len(name)
			out.WriteString(e.lookup(name[1:], "", false, depth))
		default:
			out.WriteByte(rest[0])
		}
		i += n
		e.bad = e.bad || out.Len() > maxSecretBytes
	}
	return out.String()
}

// unescape is what a backslash and c stand for; before other characters the backslash
// stays.
func unescape(c byte) string {
	switch c {
	case 'n':
		return "\n"
	case 'r':
		return "\r"
	case 't':
		return "\t"
	case '"', '\\', '$':
		return string(rune(c))
	}
	return "\\" + string([]byte{c})
}

var reference = regexp.MustCompile(`(?s)^([A-Za-z_][A-Za-z0-9_]*)(?:(:?[-?])(.*))?$`)

// reference fills in the ${…} that text begins with and returns its length.
func (e *expansion) reference(out *strings.Builder, text string, depth int) int {
	end, open := -1, 0
	for i := range len(text) {
		if strings.HasPrefix(text[i:], "${") {
			open++
		} else if text[i] == '}' {
			if open--; open == 0 {
				end = i
				break
			}
		}
	}
	if end < 0 || depth == maxNesting {
		e.bad = true
		return len(text)
	}
	m := reference.FindStringSubmatch(text[len("${"):end])
	if m == nil {
		e.bad = true
		return len(text)
	}
	out.WriteString(e.lookup(m[1], m[3], strings.HasSuffix(m[2], "-"), depth))
	return end + 1
}

// lookup is the value of a variable, or its default.
func (e *expansion) lookup(name, fallback string, hasDefault bool, depth int) string {
	if value := e.known[name]; value != "" {
		return value
	}
	if !hasDefault {
		e.missing = name
		return ""
	}
	value := e.expand(fallback, depth+1)
	e.defaulted = name // of defaults inside defaults the outermost is told
	return value
}

// conventional is the spelling that variables have. Whatever differs is not repeated in
// messages: it may be a key that somebody pasted into a line of its own, and Base64 ends
// in the sign that assigns.
var conventional = regexp.MustCompile(`^[A-Z][A-Z0-9]*(_[A-Z0-9]+)*$`)

func shownVariable(name string) string {
	if len(name) > maxShownValue || !conventional.MatchString(name) {
		return "another variable"
	}
	return name
}

// isText reports whether data can be a file that a person wrote.
func isText(data []byte) bool {
	return utf8.Valid(data) && !strings.ContainsRune(string(data), 0)
}
