package settings

import (
	"bytes"
	"errors"
	"maps"
	"slices"
	"strings"
	"unicode/utf8"

	"gopkg.in/yaml.v3"
)

// errEdit means that the text of a file could not be changed as it stands.
var errEdit = errors.New("this value cannot be changed in place")

// childIndent is how far a new key stands to the right of its group.
const childIndent = 2

const byteOrderMark = "\ufeff"

// edit returns the config file data with one key set to a YAML scalar. It changes the
// text itself, since to decode and encode a file would lose its blank lines, its
// indentation and comments in groups that have no keys yet. The outcome is parsed and
// compared; a file whose form defeats that is encoded anew, which keeps keys and
// comments but not the layout.
func edit(data []byte, path, scalar string) ([]byte, error) {
	// yaml.v3 does not count a byte order mark as a column.
	if rest, ok := bytes.CutPrefix(data, []byte(byteOrderMark)); ok {
		out, err := edit(rest, path, scalar)
		return append([]byte(byteOrderMark), out...), err
	}
	root, err := parseOne(data)
	if err != nil {
		return nil, err
	}
	names := strings.Split(path, ".")
	want := flatten(root)
	value, err := parseOne([]byte(scalar))
	if err != nil {
		return nil, err
	}
	if want[path] = scalarID(value); isNull(value) {
		delete(want, path)
	}

	// A first attempt that fails, or that changed something else, is no error: the
	// second has the same goal.
	if out, err := splice(data, root, names, scalar); err == nil && holds(out, want) {
		return out, nil
	}
	out, err := rewrite(data, names, value)
	if err != nil {
		return nil, err
	}
	if !holds(out, want) {
		return nil, errEdit
	}
	return out, nil
}

// parseOne returns the root of a document, nil if it is empty.
func parseOne(data []byte) (*yaml.Node, error) {
	var doc yaml.Node
	if err := yaml.Unmarshal(data, &doc); err != nil {
		return nil, err
	}
	if len(doc.Content) == 0 {
		return nil, nil
	}
	return doc.Content[0], nil
}

// holds reports whether data is a file with exactly the values want.
func holds(data []byte, want map[string]string) bool {
	root, err := parseOne(data)
	return err == nil && maps.Equal(flatten(root), want)
}

// flatten returns the values of a file by path. It does not follow aliases: they stay
// what they are, and one that contains itself ends there.
func flatten(root *yaml.Node) map[string]string {
	values := map[string]string{}
	var walk func(n *yaml.Node, path string)
	walk = func(n *yaml.Node, path string) {
		if n.Kind != yaml.MappingNode {
			if path != "" && !isNull(n) {
				values[path] = scalarID(n)
			}
			return
		}
		for i := 0; i+1 < len(n.Content); i += 2 {
			walk(n.Content[i+1], join(path, n.Content[i].Value))
		}
	}
	if root != nil {
		walk(root, "")
	}
	return values
}

// scalarID identifies a value up to its spelling.
func scalarID(n *yaml.Node) string { return n.ShortTag() + " " + n.Value }

// splice changes the text of data: it replaces the value, or inserts lines for it.
func splice(data []byte, root *yaml.Node, names []string, scalar string) ([]byte, error) {
	lines := bytes.SplitAfter(data, []byte("\n"))
	parent, parentKey := root, (*yaml.Node)(nil)
	for i, name := range names {
		key, value := lookup(parent, name)
		if key == nil {
			return insert(lines, parent, parentKey, missing(names[i:], scalar))
		}
		if i == len(names)-1 {
			return replace(lines, value, scalar)
		}
		switch {
		case value.Kind == yaml.MappingNode:
			parent, parentKey = value, key
		case isNull(value) && value.Value == "":
			return insert(lines, nil, key, missing(names[i+1:], scalar))
		default:
			return nil, errEdit
		}
	}
	return nil, errEdit
}

// missing returns the lines for keys that a file does not have: groups and a value.
func missing(names []string, scalar string) []string {
	var lines []string
	for i, name := range names {
		lines = append(lines, strings.Repeat(" ", i*childIndent)+name+":")
	}
	lines[len(lines)-1] += " " + scalar
	return lines
}

// lookup returns the entry of a mapping, or nils.
func lookup(mapping *yaml.Node, name string) (key, value *yaml.Node) {
	if mapping == nil || mapping.Kind != yaml.MappingNode {
		return nil, nil
	}
	for i := 0; i+1 < len(mapping.Content); i += 2 {
		if mapping.Content[i].Value == name {
			return mapping.Content[i], mapping.Content[i+1]
		}
	}
	return nil, nil
}

// replace puts scalar where the text of the old value is, which must end in its line.
func replace(lines [][]byte, old *yaml.Node, scalar string) ([]byte, error) {
	if old.Kind != yaml.ScalarNode || old.Anchor != "" || old.Line < 1 || old.Line > len(lines) {
		return nil, errEdit
	}
	line := lines[old.Line-1]
	start := byteOffset(line, old.Column-1)
	rest := line[start:]
	length := 0
	switch {
	case old.Style&(yaml.LiteralStyle|yaml.FoldedStyle|yaml.TaggedStyle) != 0:
		return nil, errEdit
	case old.Style&(yaml.DoubleQuotedStyle|yaml.SingleQuotedStyle) != 0:
		length = quotedLength(rest)
	case old.Value == "": // nothing stands there: the column is that of the colon's end
		scalar = " " + scalar
	default:
		length = len(old.Value) // a plain value is spelled as it reads
	}
	lines[old.Line-1] = slices.Concat(line[:start], []byte(scalar), rest[min(length, len(rest)):])
	return bytes.Join(lines, nil), nil
}

// quotedLength is the length of the quoted value that text begins with.
func quotedLength(text []byte) int {
	for i := 1; i < len(text); i++ {
		switch {
		case text[0] == '"' && text[i] == '\\', text[0] == '\'' && text[i] == '\'' && i+1 < len(text) && text[i+1] == '\'':
			i++
		case text[i] == text[0]:
			return i + 1
		}
	}
	return len(text)
}

// byteOffset is where the character at a column begins.
func byteOffset(line []byte, column int) int {
	at := 0
	for range column {
		if at >= len(line) {
			break
		}
		_, size := utf8.DecodeRune(line[at:])
		at += size
	}
	return at
}

// insert adds lines to parent, the mapping that they belong to, or nil for one that has
// no keys yet; parentKey is that one's own key, or nil for the top level.
func insert(lines [][]byte, parent, parentKey *yaml.Node, added []string) ([]byte, error) {
	indent, after := 0, len(lines) // a new key of the top level goes to the end
	switch {
	case parent != nil && parent.Style&yaml.FlowStyle != 0:
		return nil, errEdit
	case parent != nil && len(parent.Content) > 0:
		indent = parent.Content[0].Column - 1
		if parentKey != nil {
			after = lastLine(parent)
		}
	case parentKey != nil:
		indent = parentKey.Column - 1 + childIndent
		after = parentKey.Line
	}
	if after > len(lines) {
		return nil, errEdit
	}
	before, rest := bytes.Join(lines[:after], nil), bytes.Join(lines[after:], nil)
	newline := "\n"
	if bytes.Contains(before, []byte("\r\n")) {
		newline = "\r\n"
	}
	var text strings.Builder
	if len(before) > 0 && before[len(before)-1] != '\n' {
		text.WriteString(newline)
	}
	for _, line := range added {
		text.WriteString(strings.Repeat(" ", indent) + line + newline)
	}
	return slices.Concat(before, []byte(text.String()), rest), nil
}

// lastLine is the last line on which a value of n begins.
func lastLine(n *yaml.Node) int {
	line := n.Line
	for _, c := range n.Content {
		line = max(line, lastLine(c))
	}
	return line
}

// rewrite sets the key in the tree of the document and encodes all of it.
func rewrite(data []byte, names []string, value *yaml.Node) ([]byte, error) {
	var doc yaml.Node
	if err := yaml.Unmarshal(data, &doc); err != nil {
		return nil, err
	}
	if len(doc.Content) == 0 || doc.Content[0].Kind != yaml.MappingNode {
		return nil, errEdit
	}
	at := doc.Content[0]
	for i, name := range names {
		_, child := lookup(at, name)
		if child == nil {
			child = &yaml.Node{Kind: yaml.MappingNode}
			at.Content = append(at.Content, &yaml.Node{Kind: yaml.ScalarNode, Value: name}, child)
		}
		switch {
		case i == len(names)-1:
			value.HeadComment, value.LineComment, value.FootComment = child.HeadComment, child.LineComment, child.FootComment
			*child = *value
		case isNull(child):
			child.Kind, child.Tag, child.Value = yaml.MappingNode, "", ""
		}
		at = child
	}
	var out bytes.Buffer
	enc := yaml.NewEncoder(&out)
	enc.SetIndent(childIndent)
	if err := errors.Join(enc.Encode(&doc), enc.Close()); err != nil {
		return nil, err
	}
	return out.Bytes(), nil
}

// scalarYAML spells a key's value for the file: what looks like another type is quoted,
// and a number that is unset becomes null.
func scalarYAML(k Key, text string) (string, error) {
	if k.Kind == Integer || k.Kind == Number {
		if text == "" {
			return "null", nil
		}
		return text, nil
	}
	if k.Kind == Switch {
		return text, nil
	}
	out, err := yaml.Marshal(&yaml.Node{Kind: yaml.ScalarNode, Tag: "!!str", Value: text})
	return strings.TrimSuffix(string(out), "\n"), err
}
