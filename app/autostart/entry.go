package autostart

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"strings"
)

// A desktop entry's Exec is quoted twice: each argument for the Exec key's own rules,
// with a percent sign doubled since it begins a field code, and the whole as a string
// value, in which a backslash is an escape.
// See the Desktop Entry Specification 1.5, "The Exec key" and "Possible value types".

// entry returns the text of a .desktop file.
func (a App) entry() []byte {
	return fmt.Appendf(nil, `[Desktop Entry]
Type=Application
Version=1.0
Name=%s
Exec=%s
Terminal=false
X-GNOME-Autostart-enabled=true
`, escapeString(a.DisplayName), escapeString(joinExec(a.Exec)))
}

// joinExec quotes a command for the Exec key.
func joinExec(command []string) string {
	var words []string
	for _, word := range command {
		words = append(words, quoteWord(word))
	}
	return strings.Join(words, " ")
}

// quoteWord puts an argument in double quotes if it needs them. Inside, these four
// characters need a backslash.
func quoteWord(word string) string {
	word = strings.ReplaceAll(word, "%", "%%")
	if word != "" && !strings.ContainsAny(word, " \t\n\"'\\><~|&;$*?#()`") {
		return word
	}
	return `"` + strings.NewReplacer(`"`, `\"`, "`", "\\`", `$`, `\$`, `\`, `\\`).Replace(word) + `"`
}

// escapeString writes a value of type string.
func escapeString(s string) string {
	s = strings.NewReplacer(`\`, `\\`, "\n", `\n`, "\t", `\t`, "\r", `\r`).Replace(s)
	if strings.HasPrefix(s, " ") {
		s = `\s` + s[1:]
	}
	return s
}

// unescapeString reads a value of type string.
func unescapeString(s string) string {
	return strings.NewReplacer(`\\`, `\`, `\n`, "\n", `\t`, "\t", `\r`, "\r", `\s`, " ").Replace(s)
}

var errEntry = errors.New("the entry's command is not understood")

// splitExec is the reverse of joinExec.
func splitExec(exec string) ([]string, error) {
	var words []string
	var word strings.Builder
	quoted, began := false, false
	for i := 0; i < len(exec); i++ {
		c := exec[i]
		switch {
		case c == '"':
			quoted, began = !quoted, true
		case c == '\\' && quoted && i+1 < len(exec):
			i++
			word.WriteByte(exec[i])
		case c == '%' && i+1 < len(exec) && exec[i+1] == '%':
			i++
			word.WriteByte('%')
			began = true
		case c == ' ' && !quoted:
			if began {
				words = append(words, word.String())
			}
			word.Reset()
			began = false
		default:
			word.WriteByte(c)
			began = true
		}
	}
	if quoted {
		return nil, errEntry
	}
	if began {
		words = append(words, word.String())
	}
	return words, nil
}

// values reads the keys of a file's [Desktop Entry] group.
func values(text []byte) map[string]string {
	keys, in := map[string]string{}, false
	for lines := bufio.NewScanner(bytes.NewReader(text)); lines.Scan(); {
		line := strings.TrimSpace(lines.Text())
		if strings.HasPrefix(line, "[") {
			in = line == "[Desktop Entry]"
			continue
		}
		if key, value, ok := strings.Cut(line, "="); ok && in && !strings.HasPrefix(line, "#") {
			keys[strings.TrimSpace(key)] = strings.TrimLeft(value, " ")
		}
	}
	return keys
}

// starts reports whether a desktop starts the entry: both keys are how one switches it
// off without removing the file.
func starts(text []byte) bool {
	keys := values(text)
	return keys["Hidden"] != "true" && keys["X-GNOME-Autostart-enabled"] != "false" && keys["Exec"] != ""
}

// commandOf returns the command of an entry.
func commandOf(text []byte) ([]string, error) { return splitExec(unescapeString(values(text)["Exec"])) }
