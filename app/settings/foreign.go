package settings

import (
	"bytes"
	"cmp"
	"fmt"
	"slices"
	"strings"

	"gopkg.in/yaml.v3"

	"glmtray/proxy/secret"
)

// String returns "KEY: VALUE", a secret masked.
func (c Change) String() string {
	value := c.Value
	if k, ok := newTable().byPath[c.Key]; !ok || k.Secret {
		value = secret.New(value).Mask()
	}
	return c.Key + ": " + printable(value, maxTextBytes)
}

// Foreign reads a config file of one of the programs whose place this one can take, and
// returns it as changes for a file of ours. It knows the file by its content:
//
//   - config.yaml of zcode-proxy and of proxx,
//   - .env of anthropic-proxy and of z-ai-proxy, and of zcode-proxy's variables,
//   - a docker-compose file in which a service has the environment of one of them.
//
// name is what the file is called in messages. format says whose file it is. The changes
// are in the order of the file, at most one for each key, and each is good by itself;
// what the program does where its file is silent comes last. The notes are for a person:
// with its line whatever could not be taken over and why, and what to know about the
// rest. Neither they nor an error hold a secret; the changes do.
//
// The error is an *Error: the file is none of these, or no text of a usable size. Foreign
// only looks at text and may be called concurrently.
func Foreign(name string, text []byte) (changes []Change, notes []string, format string, err error) {
	f := newForeign(name)
	if err := f.refuse(text); err != nil {
		return nil, nil, "", err
	}
	if format, err = f.read(text); err != nil {
		return nil, nil, "", err
	}
	return f.changes, f.words(), format, nil
}

// A foreign is one foreign file while it is read.
type foreign struct {
	table   table
	name    string
	scratch Settings // what the changes so far amount to
	changes []Change
	taken   map[string]Origin // where the value of each change stands
	notes   problems
	faults  problems // of the notes those about values that are wrong

	// variables are those of a .env file, and damaged its lines that assign nothing.
	variables, damaged []variable
}

func newForeign(name string) *foreign {
	return &foreign{table: newTable(), name: name, scratch: Default(), taken: map[string]Origin{}}
}

// refuse returns an error for what cannot be a config file at all.
func (f *foreign) refuse(text []byte) error {
	var ps problems
	if len(text) > maxFileBytes {
		ps.add(f.at(0), "", "is larger than %d KiB: that is no config file", maxFileBytes>>10)
	} else if !isText(text) {
		ps.add(f.at(0), "", "is no text in UTF-8")
	}
	return ps.err()
}

// read finds out whose file it is and takes it over.
func (f *foreign) read(text []byte) (format string, err error) {
	var syntax problems
	d := decoder{table: f.table, file: f.name, problems: &syntax}
	root, isYAML := d.parse(bytes.TrimPrefix(text, []byte(byteOrderMark)))
	if isYAML && root != nil && root.Kind == yaml.MappingNode {
		return f.readYAML(root)
	}
	f.variables, f.damaged = readDotenv(string(text))
	if p, marks := whose(f.variables, f.table); marks > 0 {
		f.dotenv(p)
		f.defaults(p)
		return p.name, nil
	}
	if !isYAML && len(f.variables) == 0 {
		return "", syntax.err()
	}
	return "", f.nobodys("none of the variables or keys that these have stands in it")
}

// dotenv takes over the variables of a program's .env file.
func (f *foreign) dotenv(p program) {
	for _, v := range f.damaged {
		f.notes.add(f.at(v.line), "", "%s", v.problem)
	}
	f.environment(p, f.variables)
}

// fault notes that a value is wrong, and why.
func (f *foreign) fault(at Origin, name, why string) {
	f.notes.add(at, name, "is not taken over: %s", why)
	f.faults.add(at, name, "%s", why)
}

// nobodys is the error for a file that is none of those that are understood.
func (f *foreign) nobodys(why string) error {
	var ps problems
	ps.add(f.at(0), "", "is no config file of %s: %s", orList([]string{zcodeProxy, proxx, anthropicProxy, zaiProxy}), why)
	return ps.err()
}

// at is a line of the file, or the file itself for 0.
func (f *foreign) at(line int) Origin { return Origin{From: FromFile, Name: f.name, Line: line} }

// take makes a change of what stands at a place under a name, or a note that says why
// that cannot be. A value that means "not set" makes neither.
func (f *foreign) take(at Origin, name, key, value string) {
	k, ok := f.table.byPath[key]
	if !ok {
		f.notes.add(at, name, "is not taken over: this version has no %s", key)
		return
	}
	if before, twice := f.taken[key]; twice {
		f.notes.add(at, name, "is not taken over: %s has its value from %s already", key, before)
		return
	}
	if err := k.put(&f.scratch, value); err != nil {
		f.fault(at, name, err.Error())
		return
	}
	value = k.get(f.scratch)
	if value == "" && k.Default == "" {
		return
	}
	f.taken[key] = at
	f.changes = append(f.changes, Change{Key: key, Value: value})
}

// imply sets a key that the file does not spell out, and says why.
func (f *foreign) imply(key, value, why string) {
	if _, ok := f.taken[key]; ok {
		return
	}
	before := len(f.changes)
	f.take(f.at(0), key, key, value)
	if len(f.changes) > before {
		f.notes.add(f.at(0), key, "is set to %s: %s", value, why)
	}
}

// upstream takes over a base of the Messages endpoint, and the provider that it is of.
func (f *foreign) upstream(at Origin, name, value string) {
	provider := providerAt(value)
	key := "providers." + provider + ".anthropicBase"
	f.take(at, name, key, value)
	if _, ok := f.taken[key]; ok {
		f.take(at, name, "provider", provider)
	}
}

// providerAt is the provider whose Messages endpoint has this base, or the custom one.
func providerAt(base string) string {
	base = strings.TrimRight(base, "/")
	for name, p := range Default().Providers {
		if p.AnthropicBase != "" && p.AnthropicBase == base {
			return name
		}
	}
	return ProviderCustom
}

// words are the notes as text, in the order of the file, those about all of it last.
func (f *foreign) words() []string {
	slices.SortStableFunc(f.notes.list, func(a, b Problem) int {
		if (a.Origin.Line == 0) != (b.Origin.Line == 0) {
			return b.Origin.Line - a.Origin.Line
		}
		return cmp.Compare(a.Origin.Line, b.Origin.Line)
	})
	var notes []string
	for _, p := range f.notes.list {
		notes = append(notes, p.String())
	}
	if f.notes.omitted > 0 {
		notes = append(notes, fmt.Sprintf("%s: and %d notes more", f.at(0), f.notes.omitted))
	}
	return notes
}
