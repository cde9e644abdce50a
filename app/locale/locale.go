// Package locale is what a person reads, in each language: the catalogues, the language
// that is chosen, and the formats of times and numbers.
//
// [Load] makes a [Printer] for a language; faces print [Message]s with it, which the
// rest of the program carries around without knowing any language.
package locale

import (
	"fmt"
	"path"
	"slices"
	"strings"

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
	texts     map[string]string // by ID, with their gaps
	localizer *i18n.Localizer
}

// Load returns the printer for a setting: "system" or the tag of a language. env looks
// up an environment variable, as os.Getenv does. domains are those whose texts are
// wanted, all if none is named: every start of the command line waits for this, and
// most of it goes into reading YAML. The error means that the program's own catalogues
// are broken. On macOS it may wait up to two seconds for the system to name its languages.
func Load(setting string, env func(string) string, domains ...string) (*Printer, error) {
	p := &Printer{tag: choose(setting, env), texts: map[string]string{}}
	names, err := catalogues(domains)
	if err != nil {
		return nil, err
	}
	bundle := newBundle()
	// English first: where the language has no text its own stays.
	for _, tag := range slices.Compact([]string{English, p.tag}) {
		for _, name := range names {
			file := path.Join(folder, name+"."+tag+".yaml")
			if err := p.read(bundle, file, tag); err != nil {
				return nil, fmt.Errorf("%s: %w", path.Base(file), err)
			}
		}
	}
	p.localizer = i18n.NewLocalizer(bundle, p.tag, English)
	return p, nil
}

// folder holds the catalogues among the assets.
const folder = "locales"

// catalogues returns the domains as they are, or all that there are in English.
func catalogues(domains []string) ([]string, error) {
	if len(domains) > 0 {
		return domains, nil
	}
	files, err := assets.Locales.ReadDir(folder)
	if err != nil {
		return nil, err
	}
	var names []string
	for _, file := range files {
		if name, ok := strings.CutSuffix(file.Name(), "."+English+".yaml"); ok {
			names = append(names, name)
		}
	}
	return names, nil
}

func newBundle() *i18n.Bundle { return i18n.NewBundle(language.English) }

// SettingID is the part of the IDs of a setting's texts that stands for its path. The
// providers have the same settings and share them.
func SettingID(path string) string {
	if below, ok := strings.CutPrefix(path, "providers."); ok {
		_, name, _ := strings.Cut(below, ".")
		return "providers." + name
	}
	return path
}

// read takes a catalogue in: a YAML mapping from IDs to texts.
func (p *Printer) read(bundle *i18n.Bundle, name, tag string) error {
	data, err := assets.Locales.ReadFile(name)
	if err != nil {
		return err
	}
	var texts map[string]string
	if err := yaml.Unmarshal(data, &texts); err != nil {
		return err
	}
	messages := make([]*i18n.Message, 0, len(texts))
	for id, text := range texts {
		p.texts[id] = text
		messages = append(messages, &i18n.Message{ID: id, Other: text})
	}
	return bundle.AddMessages(language.Make(tag), messages...)
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
	_, ok := p.texts[id]
	return ok
}

// Texts returns the texts of all IDs that begin with one of the prefixes, as they stand
// in the catalogues: {{.Name}} is a gap. The caller owns the map.
func (p *Printer) Texts(prefixes ...string) map[string]string {
	out := map[string]string{}
	for id, text := range p.texts {
		if slices.ContainsFunc(prefixes, func(prefix string) bool { return strings.HasPrefix(id, prefix) }) {
			out[id] = text
		}
	}
	return out
}
