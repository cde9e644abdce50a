package window

import (
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"

	"glmtray/app/locale"
	"glmtray/app/settings"
)

// form is the settings as a page shows them.
type form struct {
	// File is where changes are written, "" if there is no place; then Writable is false.
	File     string    `json:"file"`
	Writable bool      `json:"writable"`
	Problems []problem `json:"problems"`
	Groups   []group   `json:"groups"`
}

// group is the keys below one name of the top level.
type group struct {
	Path  string  `json:"path"`
	Title string  `json:"title"`
	Help  string  `json:"help"`
	Keys  []field `json:"keys"`
}

// field is one setting.
type field struct {
	Path    string   `json:"path"`
	Title   string   `json:"title"`
	Help    string   `json:"help"`
	Kind    string   `json:"kind"`
	Allowed string   `json:"allowed"`
	Choices []option `json:"choices"`
	Secret  bool     `json:"secret"`
	Set     bool     `json:"set"`   // a secret is there
	Value   string   `json:"value"` // a secret's is masked
	Default string   `json:"default"`
	Env     []string `json:"env"`
	Origin  origin   `json:"origin"`
	Fixed   bool     `json:"fixed"` // by the environment
}

type option struct {
	Value string `json:"value"`
	Title string `json:"title"`
}

type origin struct {
	From string `json:"from"` // "default", "file", "env" or "flag"
	Name string `json:"name"`
	Line int    `json:"line"`
}

// settings answers with the form.
func (s *Server) settings(w http.ResponseWriter, _ *http.Request) { answer(w, http.StatusOK, s.form()) }

func (s *Server) form() form {
	p, snapshot := s.app.Printer(), s.app.Snapshot()
	loaded, err := s.app.Loaded()
	out := form{File: snapshot.ConfigFile, Writable: snapshot.ConfigFile != "", Problems: []problem{}}
	var wrong *settings.Error
	if errors.As(err, &wrong) {
		out.Problems = problemsOf(wrong.Problems)
	} else if err != nil {
		out.Problems = append(out.Problems, problem{Message: err.Error(), Origin: snapshot.ConfigFile})
	}
	for _, k := range settings.Schema() {
		name, _, nested := strings.Cut(k.Path, ".")
		if !nested {
			name = "provider" // provider and plan stand on the top level
		}
		if n := len(out.Groups); n == 0 || out.Groups[n-1].Path != name {
			out.Groups = append(out.Groups, group{
				Path: name, Title: p.Text("settings.group." + name), Help: textOr(p, "settings.grouphelp."+name, settings.GroupHelp(name)),
			})
		}
		_, fixed := snapshot.Fixed[k.Path]
		g := &out.Groups[len(out.Groups)-1]
		g.Keys = append(g.Keys, fieldOf(p, loaded, k, fixed))
	}
	return out
}

// fieldOf describes a key. locale: settings.title.* locale: settings.help.* locale: settings.group.*
// locale: settings.grouphelp.* locale: settings.choice.*
func fieldOf(p *locale.Printer, loaded settings.Loaded, k settings.Key, fixed bool) field {
	id := locale.SettingID(k.Path)
	title := p.Text("settings.title." + id)
	if below, ok := strings.CutPrefix(k.Path, "providers."); ok {
		provider, _, _ := strings.Cut(below, ".")
		title = p.Text("settings.choice."+provider) + " · " + title
	}
	value, from := loaded.Value(k.Path), loaded.Origin(k.Path)
	f := field{
		Path: k.Path, Title: title, Help: textOr(p, "settings.help."+id, k.Help), Kind: string(k.Kind), Allowed: k.Allowed,
		Choices: []option{}, Secret: k.Secret, Value: value, Default: k.Default, Env: append([]string{}, k.Env...),
		Origin: origin{from.From.String(), from.Name, from.Line}, Fixed: fixed,
	}
	f.Set = k.Secret && value != ""
	for _, c := range k.Choices {
		f.Choices = append(f.Choices, option{c, textOr(p, "settings.choice."+c, c)})
	}
	return f
}

func textOr(p *locale.Printer, id, otherwise string) string {
	if p.Has(id) {
		return p.Text(id)
	}
	return otherwise
}

// change is a new value for a setting, as a page sends it.
type change struct {
	Key   string `json:"key"`
	Value string `json:"value"`
}

// changes reads the body of a request about settings: new values, and keys that go back
// to their defaults. Those are written down too, as a person would see them.
func changes(w http.ResponseWriter, r *http.Request) ([]settings.Change, error) {
	var in struct {
		Changes []change
		Reset   []string
	}
	if err := read(w, r, &in); err != nil {
		return nil, err
	}
	var list []settings.Change
	for _, c := range in.Changes {
		list = append(list, settings.Change(c))
	}
	schema := settings.Schema()
	for _, path := range in.Reset {
		i := slices.IndexFunc(schema, func(k settings.Key) bool { return k.Path == path })
		if i < 0 {
			return nil, badRequest(fmt.Sprintf("there is no setting %q", path))
		}
		list = append(list, settings.Change{Key: path, Value: schema[i].Default})
	}
	if len(list) == 0 {
		return nil, badRequest("there are no changes")
	}
	return list, nil
}

// checkSettings says what would be wrong with changes.
func (s *Server) checkSettings(w http.ResponseWriter, r *http.Request) {
	list, err := changes(w, r)
	if err != nil {
		fail(w, err)
		return
	}
	answer(w, http.StatusOK, map[string]any{"problems": problemsOf(s.app.CheckSettings(list))})
}

// changeSettings puts changes in force, and answers with the form as it is then.
func (s *Server) changeSettings(w http.ResponseWriter, r *http.Request) {
	list, err := changes(w, r)
	if err == nil {
		err = s.app.ChangeSettings(r.Context(), list)
	}
	if err != nil {
		fail(w, err)
		return
	}
	answer(w, http.StatusOK, s.form())
}
