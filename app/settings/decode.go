package settings

import (
	"bytes"
	"errors"
	"io"
	"iter"
	"regexp"
	"strconv"
	"strings"

	"gopkg.in/yaml.v3"
)

// maxFileBytes bounds a config file. A full one with every comment has about 6 KB.
const maxFileBytes = 256 << 10

// An assignment is one value that a layer gives to one key.
type assignment struct {
	key    Key
	name   string // the key as written there, which for proxx's file is another
	text   string // in the spelling that Key.put takes
	origin Origin
}

// A decoder turns one file into assignments. It holds what it found wrong.
type decoder struct {
	table    table
	file     string
	problems *problems
	values   []assignment
	notes    []string
}

// decode reads the text of a config file. What cannot be used is in d.problems.
func (d *decoder) decode(data []byte) {
	if len(data) > maxFileBytes {
		d.problems.add(d.at(nil), "", "is larger than %d KiB: that is no config file", maxFileBytes>>10)
		return
	}
	root, ok := d.parse(data)
	if !ok || root == nil || isNull(root) {
		return
	}
	if root.Kind != yaml.MappingNode {
		d.problems.add(d.at(root), "", "the file must hold keys and values, such as \"provider: zai\"")
		return
	}
	if isProxx(d.table, root) {
		d.proxx(root)
		return
	}
	d.group(root, "")
}

// parse returns the root of the file's only document, or nil if the file is empty.
func (d *decoder) parse(data []byte) (*yaml.Node, bool) {
	dec := yaml.NewDecoder(bytes.NewReader(data))
	var doc, next yaml.Node
	if err := dec.Decode(&doc); errors.Is(err, io.EOF) {
		return nil, true
	} else if err != nil {
		d.syntax(err)
		return nil, false
	}
	if err := dec.Decode(&next); err == nil {
		d.problems.add(d.at(&next), "", "a second document begins here: the file must hold one")
		return nil, false
	} else if !errors.Is(err, io.EOF) {
		d.syntax(err)
		return nil, false
	}
	return resolve(doc.Content[0]), true
}

// syntaxError is the form of yaml.v3's messages: "yaml: line 3: what is wrong".
var syntaxError = regexp.MustCompile(`^yaml: (?:line (\d+): )?(.*)`)

// syntax reports that the file is no YAML. yaml.v3 repeats text of the file only where
// it names an anchor, and that text may be a key that began with an asterisk.
func (d *decoder) syntax(err error) {
	origin := d.at(nil)
	message := "the text is damaged"
	if m := syntaxError.FindStringSubmatch(err.Error()); m != nil {
		message = m[2]
		if line, err := strconv.Atoi(m[1]); err == nil {
			origin.Line = line
		}
	}
	if strings.HasPrefix(message, "unknown anchor") {
		message = "a value that begins with * must stand in quotes"
	}
	d.problems.add(origin, "", "is not valid YAML here or just before: %s", message)
}

// group decodes the keys of one mapping, of which prefix is the path.
func (d *decoder) group(node *yaml.Node, prefix string) {
	for name, value := range d.pairs(node, prefix) {
		path := join(prefix, name.Value)
		key, known := d.table.byPath[path]
		switch {
		case strings.Contains(name.Value, "."): // would look like a path
			d.unknown(prefix, name)
		case known:
			d.scalar(key, path, value)
		case path == "models" && value.Kind == yaml.SequenceNode:
			// zcode-proxy's list of models.
			d.notes = append(d.notes, "models is not used as a list: every model goes upstream, the list of models is built in")
		case d.table.isGroup(path):
			d.subgroup(path, value)
		case d.unused(path, value):
		default:
			d.unknown(prefix, name)
		}
	}
}

// pairs yields the entries of a mapping that have a usable name. It reports the others,
// and those that come twice.
func (d *decoder) pairs(node *yaml.Node, prefix string) iter.Seq2[*yaml.Node, *yaml.Node] {
	return func(yield func(name, value *yaml.Node) bool) {
		first := map[string]int{}
		for i := 0; i+1 < len(node.Content); i += 2 {
			name, value := resolve(node.Content[i]), resolve(node.Content[i+1])
			if name.Kind != yaml.ScalarNode {
				d.problems.add(d.at(node.Content[i]), prefix, "a key must be a plain word")
				continue
			}
			if line, again := first[name.Value]; again {
				d.problems.add(d.at(name), shownKey(join(prefix, name.Value)), "stands here again: it is already in line %d", line)
				continue
			}
			first[name.Value] = name.Line
			if !yield(name, value) {
				return
			}
		}
	}
}

func (d *decoder) subgroup(path string, value *yaml.Node) {
	switch {
	case value.Kind == yaml.MappingNode:
		d.group(value, path)
	case isNull(value): // a heading of which every key is commented out
	default:
		d.problems.add(d.at(value), path, "must hold the keys %s, each on a line of its own and indented",
			orList(d.table.children[path]))
	}
}

// scalar decodes the value of one key, of which name is the spelling in the file.
func (d *decoder) scalar(key Key, name string, value *yaml.Node) {
	text, set, problem := scalarText(key, value)
	if problem != "" {
		d.problems.add(d.at(value), name, "%s: must be %s", problem, key.Allowed)
	} else if set {
		d.values = append(d.values, assignment{key: key, name: name, text: text, origin: d.at(value)})
	}
}

// scalarText returns the text of a value if its YAML type fits the key, and otherwise
// what is wrong with it, without repeating it. A null counts as not set.
func scalarText(key Key, value *yaml.Node) (text string, set bool, problem string) {
	if value.Kind != yaml.ScalarNode {
		return "", false, "is a " + shape(value)
	}
	tag := value.ShortTag()
	switch {
	case tag == "!!null" && value.Anchor != "":
		return "", false, "a value that begins with & must stand in quotes"
	case tag == "!!null":
		return "", false, ""
	case key.Kind == Integer || key.Kind == Number:
		return numberText(key, value, tag)
	case key.Kind == Switch && tag == "!!bool":
		return value.Value, true, ""
	case key.Kind == Switch:
		return "", false, quote(value.Value) + " is no switch"
	case tag == "!!bool" || tag == "!!binary" || !strings.HasPrefix(tag, "!!"):
		return "", false, "is no text (put it in quotes if it is meant to be)"
	}
	// Numbers and dates without quotes are taken as they are spelled: a version such as
	// 3.2 or a key of digits alone is a text to its writer.
	return value.Value, true, ""
}

func numberText(key Key, value *yaml.Node, tag string) (text string, set bool, problem string) {
	switch tag {
	case "!!int":
		// Decoding understands YAML's other spellings: 0x1F90, 8_080.
		var n int64
		if err := value.Decode(&n); err != nil {
			return "", false, "is no whole number of a usable size"
		}
		return strconv.FormatInt(n, 10), true, ""
	case "!!float":
		if key.Kind == Integer {
			return "", false, quote(value.Value) + " is not a whole number"
		}
		var f float64
		if err := value.Decode(&f); err != nil {
			return "", false, "is no number"
		}
		return strconv.FormatFloat(f, 'g', -1, 64), true, ""
	case "!!str":
		if _, err := strconv.ParseFloat(value.Value, 64); err == nil {
			return "", false, quote(value.Value) + " is a text: write it without quotes"
		}
		return "", false, quote(value.Value) + " is a text"
	}
	return "", false, "is no number"
}

// unused reports whether path is a key of zcode-proxy that has no meaning here, and
// leaves a note if so.
func (d *decoder) unused(path string, value *yaml.Node) bool {
	note, ok := unusedKeys()[path]
	if !ok || value.Kind == yaml.MappingNode {
		return false
	}
	d.notes = append(d.notes, note)
	return true
}

// unknown reports a key that does not exist, with the one that was probably meant.
func (d *decoder) unknown(prefix string, name *yaml.Node) {
	siblings := d.table.children[prefix]
	origin, path := d.at(name), shownKey(join(prefix, name.Value))
	if meant, ok := proxxKeys()[name.Value]; ok && prefix == "" {
		d.problems.add(origin, path, "is a key of proxx's file, which cannot be mixed with ours: write %s instead", meant)
		return
	}
	if _, ok := d.table.byPath[join(prefix, name.Value)]; ok {
		d.problems.add(origin, path, "unknown key: the levels stand below each other here, not joined by dots")
		return
	}
	meant := nearest(name.Value, siblings)
	if meant != "" {
		meant = join(prefix, meant)
	} else {
		meant = d.elsewhere(name.Value)
	}
	d.problems.add(origin, path, "unknown key%s: allowed here are %s", didYouMean(meant), strings.Join(siblings, ", "))
}

// elsewhere returns the path of the key whose last name is nearest to name, wherever it
// stands.
func (d *decoder) elsewhere(name string) string {
	var names []string
	paths := map[string]string{}
	for _, k := range d.table.keys {
		last := k.Path[strings.LastIndexByte(k.Path, '.')+1:]
		if _, ok := paths[last]; !ok {
			paths[last] = k.Path
			names = append(names, last)
		}
	}
	return paths[nearest(name, names)]
}

// at is the place of a node, or the file itself for nil.
func (d *decoder) at(n *yaml.Node) Origin {
	o := Origin{From: FromFile, Name: d.file}
	if n != nil {
		o.Line, o.Column = n.Line, n.Column
	}
	return o
}

// resolve follows an alias. yaml.v3 has already linked it to a node of this document,
// and an anchor is never an alias itself.
func resolve(n *yaml.Node) *yaml.Node {
	if n.Kind == yaml.AliasNode {
		return n.Alias
	}
	return n
}

func isNull(n *yaml.Node) bool { return n.Kind == yaml.ScalarNode && n.ShortTag() == "!!null" }

func shape(n *yaml.Node) string {
	if n.Kind == yaml.SequenceNode {
		return "list"
	}
	return "group of keys"
}

func shownKey(path string) string { return printable(path, maxShownValue) }
