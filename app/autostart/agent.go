package autostart

import (
	"bytes"
	"encoding/xml"
	"errors"
	"fmt"
)

// agent returns the text of a LaunchAgent: launchd.plist(5). There is no KeepAlive: who
// quits the program means it.
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

// parsedAgent is what launchd would take from a LaunchAgent.
type parsedAgent struct {
	arguments []string
	starts    bool
}

// parseAgent reads a LaunchAgent. A text that is none gives errEntry.
func parseAgent(text []byte) (parsedAgent, error) {
	var list struct {
		Dict struct {
			Items []item `xml:",any"`
		} `xml:"dict"`
	}
	if err := xml.Unmarshal(text, &list); err != nil {
		return parsedAgent{}, errors.Join(errEntry, err)
	}
	var a parsedAgent
	key, runs, disabled := "", false, false
	for _, value := range list.Dict.Items {
		switch {
		case value.XMLName.Local == "key":
			key = value.Text
			continue
		case key == "ProgramArguments":
			a.arguments = value.Strings
		case key == "RunAtLoad":
			runs = value.XMLName.Local == "true"
		case key == "Disabled":
			disabled = value.XMLName.Local == "true"
		}
		key = ""
	}
	if len(a.arguments) == 0 {
		return parsedAgent{}, errEntry
	}
	a.starts = runs && !disabled
	return a, nil
}

// item is a key or a value of a property list's dictionary.
type item struct {
	XMLName xml.Name
	Text    string   `xml:",chardata"`
	Strings []string `xml:"string"` // if it is an array
}
