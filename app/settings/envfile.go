package settings

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
)

const (
	// foundName is the file that anthropic-proxy reads in its working directory.
	foundName = ".env"
	// foundMarks is how many of the five variables that only anthropic-proxy has tell that
	// a .env file which nobody named is its own. A key and a base alone may be those of
	// any project.
	foundMarks = 3
)

// An envFile is a program's .env file, as values for keys.
type envFile struct {
	values []assignment // weaker than the environment, as for the program itself
	// silent is what the program does where its file is silent, weaker than our own
	// config file.
	silent []defaulted
	place  Origin // the file itself
	notes  []string
}

// ReadEnvFile returns the options with the .env file of a program whose place this one
// takes: one of those that Foreign understands, taken over in the same way but for this
// run alone. Its variables are stronger than the config file and weaker than the
// environment; what that program does by itself (its port, above all) is weaker than both.
// The file is read once, here. The error is an *Error: the file is none of these, or one
// of its variables cannot be used.
func (o Options) ReadEnvFile(path string) (Options, error) {
	place := Origin{From: FromFile, Name: path}
	var ps problems
	data, err := readFile(path)
	switch {
	case absent(err):
		ps.add(place, "", "does not exist (named by --env-file)")
	case err != nil:
		ps.add(place, "", "cannot be read: %s", reason(err))
	}
	if err := ps.err(); err != nil {
		return o, err
	}
	f, p, marks, err := openEnvFile(path, data)
	if err != nil {
		return o, err
	}
	if marks == 0 {
		return o, f.nobodys("none of the variables that these have stands in it")
	}
	f.notes.add(place, "", "is a file of %s; its variables count where the environment has none", p.name)
	o.envFile, err = f.envFile(p)
	return o, err
}

// FindEnvFile returns the options with the .env file in the working directory if it is
// anthropic-proxy's, which reads it there at its start. As any project may have a file of
// that name, it only counts if it has three of that program's own variables at least,
// and if there is no config file at all. Where it does not count although it may be meant,
// a note says so. Errors are those of ReadEnvFile.
func (o Options) FindEnvFile() (Options, error) {
	if o.WorkDir == "" || o.envFile != nil {
		return o, nil
	}
	path := filepath.Join(o.WorkDir, foundName)
	data, err := readFile(path)
	if err != nil {
		return o, nil // nobody named it
	}
	f, p, marks, err := openEnvFile(path, data)
	if err != nil || marks == 0 || p.name != anthropicProxy {
		return o, nil // some other program's
	}
	why := ""
	switch {
	case o.hasConfigFile():
		why = "there is a config file"
	case marks < foundMarks:
		why = "it may be another program's"
	}
	if why != "" {
		f.notes.add(f.at(0), "", "looks like a file of %s, but is not read, as %s; to use it name it with --env-file, or take it over with glmtray config import", p.name, why)
		o.envFile = &envFile{notes: f.words()}
		return o, nil
	}
	f.notes.add(f.at(0), "", "is read, as %s does that; its variables count where the environment has none", p.name)
	o.envFile, err = f.envFile(p)
	return o, err
}

// hasConfigFile reports whether Load will read a config file, or one was named.
func (o Options) hasConfigFile() bool {
	env := o.Env
	if env == nil {
		env = os.Getenv
	}
	dirs, err := FindDirs(env)
	if err != nil {
		dirs = Dirs{} // Load tells
	}
	return slices.ContainsFunc(candidates(o, env, dirs), func(c candidate) bool {
		_, err := os.Stat(c.path)
		return err == nil || c.namedBy != ""
	})
}

// openEnvFile finds out whose variables a .env file has, and how many that only that
// program has. They are not taken over yet.
func openEnvFile(path string, data []byte) (f *foreign, p program, marks int, err error) {
	f = newForeign(path)
	if err := f.refuse(data); err != nil {
		return nil, program{}, 0, err
	}
	f.variables, f.damaged = readDotenv(string(data))
	p, marks = whose(f.variables, f.table)
	return f, p, marks, nil
}

// envFile takes over the variables of a program.
func (f *foreign) envFile(p program) (*envFile, error) {
	f.dotenv(p)
	if err := f.faults.err(); err != nil {
		return nil, err
	}
	e := &envFile{place: f.at(0)}
	for _, c := range f.changes {
		origin := f.taken[c.Key]
		origin.From = FromEnv
		e.values = append(e.values, assignment{key: f.table.byPath[c.Key], name: c.Key, text: c.Value, origin: origin})
	}
	for _, d := range p.defaults {
		if _, ok := f.taken[d.key]; !ok {
			e.silent = append(e.silent, d)
		}
	}
	e.notes = f.words()
	return e, nil
}

// silence lays what the program of a .env file does by itself.
func (l *layers) silence(e *envFile) {
	if e == nil {
		return
	}
	for _, d := range e.silent {
		l.put(assignment{key: l.table.byPath[d.key], name: d.key, text: d.value, origin: e.place})
	}
}

// envFile lays the variables of a .env file.
func (l *layers) envFile(e *envFile) {
	if e == nil {
		return
	}
	for _, a := range e.values {
		l.put(a)
	}
}

// told are the notes about a .env file, of which origin tells what is in force.
func (e *envFile) told(origin func(string) Origin) []string {
	if e == nil {
		return nil
	}
	notes := slices.Clone(e.notes)
	for _, d := range e.silent {
		if origin(d.key) == e.place {
			notes = append(notes, e.place.String()+": "+d.key+": is set to "+d.value+": "+d.why)
		}
	}
	return notes
}

// baseVariable is anthropic-proxy's variable for the base of the Messages endpoint, which
// is all that it knows of its upstream.
const baseVariable = "UPSTREAM_BASE"

// movedTo chooses the provider whose own base the environment names, where nothing else
// chooses one.
func (l *layers) movedTo(env func(string) string) {
	base := strings.TrimSpace(env(baseVariable))
	if l.origins["provider"].From != FromDefault || base == "" {
		return
	}
	if provider := providerAt(base); provider != ProviderCustom && provider != l.settings.Provider {
		l.put(assignment{key: l.table.byPath["provider"], name: "provider", text: provider, origin: Origin{From: FromFile, Name: baseVariable}})
	}
}

// elsewhere takes the Chat Completions endpoint away from a provider whose Messages
// endpoint the environment moved to another server, unless that one was set as well: a
// request must not go to a server that nobody named.
func (l *layers) elsewhere() {
	provider := l.settings.Provider
	messages, chat := "providers."+provider+".anthropicBase", "providers."+provider+".openaiBase"
	own := Default().Providers[provider].AnthropicBase
	if o := l.origins[messages]; o.From != FromEnv || o.Name != baseVariable || l.settings.Active().AnthropicBase == own {
		return
	}
	if l.origins[chat].From == FromDefault && l.settings.Active().OpenAIBase != "" {
		l.put(assignment{key: l.table.byPath[chat], name: chat, origin: Origin{From: FromFile, Name: baseVariable}})
	}
}

// fallbackKey is anthropic-proxy's variable for a key that is used for requests which come
// without one.
const fallbackKey = "SERVER_API_KEY"

// fallback has clients' own keys go upstream where the key of the environment is one for
// requests without any, and nothing says otherwise.
func (l *layers) fallback() (notes []string) {
	if (l.origins["auth.apiKey"] != Origin{From: FromEnv, Name: fallbackKey}) || l.origins["auth.mode"].From != FromDefault {
		return nil
	}
	l.put(assignment{key: l.table.byPath["auth.mode"], name: "auth.mode", text: ModeForward, origin: Origin{From: FromFile, Name: fallbackKey}})
	return []string{fallbackKey + " is used for requests that come without a key, and others keep theirs (auth.mode: forward); a key in ZCODE_API_KEY is used for all"}
}
