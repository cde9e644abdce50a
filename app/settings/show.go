package settings

import (
	"bytes"
	"fmt"
	"io"
	"slices"
	"strings"
	"unicode/utf8"

	"glmtray/proxy/secret"
)

const (
	// commentWidth is where the comments of the example file wrap.
	commentWidth = 92
	// maxAlign is how far to the right Show puts its comments for the sake of one long
	// value.
	maxAlign = 80
)

// Show writes the settings in force as YAML, each with a comment that says where it
// comes from. Secrets are masked, so what it writes is for reading: it is valid, but
// has masks for keys. Providers' keys that nothing set are left out.
func Show(w io.Writer, l Loaded) error {
	var out bytes.Buffer
	file := "none"
	if l.Path != "" {
		file = printable(l.Path, maxShownPath)
	}
	fmt.Fprintf(&out, "# file: %s\n", file)
	for _, note := range l.Notes {
		fmt.Fprintf(&out, "# note: %s\n", note)
	}
	var lines []shown
	width := 0
	for _, k := range Schema() {
		line, err := l.show(k)
		if err != nil {
			return err
		}
		if line.text != "" {
			lines = append(lines, line)
			width = min(max(width, utf8.RuneCountInString(line.text)), maxAlign)
		}
	}
	var groups headings
	for _, line := range lines {
		for _, h := range groups.above(line.path) {
			out.WriteString(h.text + "\n")
		}
		fmt.Fprintf(&out, "%-*s # %s\n", width, line.text, line.origin)
	}
	_, err := w.Write(out.Bytes())
	return err
}

// A shown is one line of Show: a key with its value, or the heading of a group.
type shown struct {
	path   string
	text   string // empty: leave it out
	origin Origin
}

// Value returns the value of a key in force, in its one canonical spelling, a secret
// masked; empty is no value. It is empty for a key that does not exist.
func (l Loaded) Value(key string) string {
	k, ok := newTable().byPath[key]
	if !ok || l.Settings.Providers == nil {
		return ""
	}
	value := k.get(l.Settings)
	if k.Secret {
		return secret.New(value).Mask()
	}
	return value
}

func (l Loaded) show(k Key) (shown, error) {
	origin, value := l.Origin(k.Path), k.get(l.Settings)
	if value == "" && origin.From == FromDefault && strings.HasPrefix(k.Path, "providers.") {
		return shown{}, nil
	}
	if k.Secret {
		value = secret.New(value).Mask()
	}
	scalar, err := scalarYAML(k, value)
	indent, name := place(k.Path)
	return shown{path: k.Path, text: indent + name + ": " + scalar, origin: origin}, err
}

// Example returns the annotated example of a config file: every key with its meaning,
// commented out and set to its default. It loads as it is and changes nothing. The
// text depends on the schema alone.
func Example() ([]byte, error) {
	var out bytes.Buffer
	out.WriteString("# Settings of GLM Tray. Take the # away before a key to change it; what is shown is the default.\n" +
		"# Environment variables are stronger than this file, and flags are stronger than those.\n" +
		"# What is in force, and why, is told by: glmtray config show\n")
	var groups headings
	explained := map[string]bool{}
	for _, k := range Schema() {
		value, err := scalarYAML(k, k.Default)
		if err != nil {
			return nil, err
		}
		above := groups.above(k.Path)
		for _, h := range above {
			if help := GroupHelp(h.path); help != "" {
				out.WriteByte('\n')
				indent, _ := place(h.path)
				comment(&out, indent, help)
			}
			out.WriteString(h.text + "\n")
		}
		indent, name := place(k.Path)
		// The providers have the same keys: to explain them once is enough.
		if !explained[k.Help] {
			explained[k.Help] = true
			if len(above) == 0 {
				out.WriteByte('\n')
			}
			k.explain(&out, indent)
		}
		fmt.Fprintf(&out, "%s#%s: %s\n", indent, name, value)
	}
	return out.Bytes(), nil
}

// explain writes what the example says about a key.
func (k Key) explain(out *bytes.Buffer, indent string) {
	comment(out, indent, k.Help)
	if allowed := k.Allowed; !k.Secret {
		if k.Kind == Number {
			allowed += ", or null"
		}
		comment(out, indent, "Allowed: "+allowed)
	}
	if len(k.Env) > 0 {
		text := "Environment: " + orList(k.Env)
		if k.activeFor != "" {
			text += ", for the provider in use"
		}
		comment(out, indent, text)
	}
}

// headings are the groups of which the heading is already written.
type headings struct{ written []string }

// above returns the headings above path that are not written yet.
func (h *headings) above(path string) []shown {
	var list []shown
	for i, r := range path {
		if r != '.' || slices.Contains(h.written, path[:i]) {
			continue
		}
		h.written = append(h.written, path[:i])
		indent, name := place(path[:i])
		list = append(list, shown{path: path[:i], text: indent + name + ":"})
	}
	return list
}

// place is how far the last name of a path is indented, and that name.
func place(path string) (indent, name string) {
	levels := strings.Count(path, ".")
	return strings.Repeat(" ", levels*childIndent), path[strings.LastIndexByte(path, '.')+1:]
}

// comment writes text as comment lines.
func comment(out *bytes.Buffer, indent, text string) {
	line := indent + "#"
	for word := range strings.FieldsSeq(text) {
		if len(line)+1+len(word) > commentWidth {
			out.WriteString(line + "\n")
			line = indent + "#"
		}
		line += " " + word
	}
	if text != "" {
		out.WriteString(line + "\n")
	}
}
