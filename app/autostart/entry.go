package autostart

import (
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

// quoteWord puts an argument in double quotes unless it is plain. That is more than the
// specification asks for, but no reader of it minds, and some take more characters for
// special or for space than it does. Inside the quotes four characters need a backslash.
func quoteWord(word string) string {
	word = strings.ReplaceAll(word, "%", "%%")
	if word != "" && !strings.ContainsFunc(word, notPlain) {
		return word
	}
	return `"` + strings.NewReplacer(`"`, `\"`, "`", "\\`", `$`, `\$`, `\`, `\\`).Replace(word) + `"`
}

func notPlain(c rune) bool { return notInName(c) && !strings.ContainsRune("/%+,:=@", c) }

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
		case (c == ' ' || c == '\t') && !quoted:
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
	for line := range strings.Lines(string(text)) {
		line = strings.TrimRight(line, "\r\n")
		if strings.HasPrefix(line, "[") {
			in = strings.TrimRight(line, " \t") == "[Desktop Entry]"
			continue
		}
		if key, value, ok := strings.Cut(line, "="); ok && in && !strings.HasPrefix(line, "#") {
			keys[strings.Trim(key, " \t")] = strings.TrimLeft(value, " \t")
		}
	}
	return keys
}

// starts reports whether a desktop starts the entry: both keys are how one switches it
// off without removing the file. "1" and "0" are what old desktops write.
func starts(text []byte) bool {
	keys := values(text)
	hidden, enabled := strings.TrimSpace(keys["Hidden"]), strings.TrimSpace(keys["X-GNOME-Autostart-enabled"])
	return hidden != "true" && hidden != "1" && enabled != "false" && enabled != "0" && keys["Exec"] != ""
}

// commandOf returns the command of an entry. The error is errEntry.
func commandOf(text []byte) ([]string, error) { return splitExec(unescapeString(values(text)["Exec"])) }
