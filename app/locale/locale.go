// Package locale is what a person reads, in each language: the catalogues, the language
// that is chosen, and the formats of times and numbers.
//
// [Load] makes a [Printer] for a language; faces print [Message]s with it, which the
// rest of the program carries around without knowing any language.
package locale

import (
	"fmt"
	"io/fs"
	"path"

	"github.com/nicksnyder/go-i18n/v2/i18n"
	"golang.org/x/text/language"
	"gopkg.in/yaml.v3"

	"glmtray/assets"
)

// System is the setting that follows the system's language.
const System = "system"

// Message names a text of the catalogues, with what stands in its gaps.
type Message struct {
	ID   string            `json:"id"`
	Data map[string]string `json:"data,omitempty"`
}

// Printer prints messages in one language. It may be used concurrently.
type Printer struct {
	tag       string
	bundle    *i18n.Bundle
	localizer *i18n.Localizer
}

// Load returns the printer for a setting: "system" or the tag of a language. env looks
// up an environment variable, as os.Getenv does. The error means that the program's own
// catalogues are broken.
func Load(setting string, env func(string) string) (*Printer, error) {
	bundle := i18n.NewBundle(language.English)
	bundle.RegisterUnmarshalFunc("yaml", yaml.Unmarshal)
	files, err := fs.Glob(assets.Locales, "locales/*.yaml")
	if err != nil {
		return nil, err
	}
	for _, name := range files {
		if _, err := bundle.LoadMessageFileFS(assets.Locales, name); err != nil {
			return nil, fmt.Errorf("%s: %w", path.Base(name), err)
		}
	}
	tag := choose(setting, env)
	return &Printer{tag: tag, bundle: bundle, localizer: i18n.NewLocalizer(bundle, tag)}, nil
}

// Tag returns the language that the printer prints in: "en", "zh-Hans".
func (p *Printer) Tag() string { return p.tag }

// Text returns the text of an ID. gaps are the names and the values of what stands in
// its gaps, in turn. For an ID that no catalogue has it returns the ID: a person can
// live with that, and a test finds it.
func (p *Printer) Text(id string, gaps ...string) string {
	data := make(map[string]string, len(gaps)/2)
	for i := 0; i+1 < len(gaps); i += 2 {
		data[gaps[i]] = gaps[i+1]
	}
	return p.Message(Message{ID: id, Data: data})
}

// Message returns the text of a message, in English if its language has none.
func (p *Printer) Message(m Message) string {
	text, err := p.localizer.Localize(&i18n.LocalizeConfig{MessageID: m.ID, TemplateData: m.Data})
	if text == "" && err != nil {
		return m.ID
	}
	return text
}

// Has reports whether a catalogue has an ID.
func (p *Printer) Has(id string) bool {
	_, err := p.localizer.Localize(&i18n.LocalizeConfig{MessageID: id})
	return err == nil
}
