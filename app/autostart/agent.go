package autostart

import (
	"bytes"
	"encoding/xml"
	"errors"
	"fmt"
	"io"
)

// agent returns the text of a LaunchAgent: launchd.plist(5).
func (a App) agent() ([]byte, error) {
	var out bytes.Buffer
	out.WriteString(xml.Header + `<!DOCTYPE plist PUBLIC "-//Apple//DTD PLIST 1.0//EN" "http://www.apple.com/DTDs/PropertyList-1.0.dtd">
<plist version="1.0">
<dict>
	<key>Label</key>
`)
	element := func(indent, text string) error {
		var escaped bytes.Buffer
		if err := xml.EscapeText(&escaped, []byte(text)); err != nil {
			return err
		}
		fmt.Fprintf(&out, "%s<string>%s</string>\n", indent, escaped.Bytes())
		return nil
	}
	if err := element("\t", label(a.Name)); err != nil {
		return nil, err
	}
	out.WriteString("\t<key>ProgramArguments</key>\n\t<array>\n")
	for _, word := range a.Exec {
		if err := element("\t\t", word); err != nil {
			return nil, err
		}
	}
	out.WriteString("\t</array>\n\t<key>RunAtLoad</key>\n\t<true/>\n\t<key>ProcessType</key>\n\t<string>Interactive</string>\n</dict>\n</plist>\n")
	return out.Bytes(), nil
}

// label is the name that launchd knows the agent by.
func label(name string) string { return "app." + name }

// argumentsOf returns the command of a LaunchAgent.
func argumentsOf(text []byte) ([]string, error) {
	var words []string
	inArray, inWord := false, false
	for d := xml.NewDecoder(bytes.NewReader(text)); ; {
		token, err := d.Token()
		if errors.Is(err, io.EOF) {
			return words, nil
		}
		if err != nil {
			return nil, errors.Join(errEntry, err)
		}
		switch t := token.(type) {
		case xml.StartElement:
			inArray = inArray || t.Name.Local == "array"
			if inWord = inArray && t.Name.Local == "string"; inWord {
				words = append(words, "")
			}
		case xml.EndElement:
			inArray, inWord = inArray && t.Name.Local != "array", false
		case xml.CharData:
			if inWord {
				words[len(words)-1] += string(t)
			}
		}
	}
}
