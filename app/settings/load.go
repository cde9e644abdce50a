package settings

import (
	"crypto/sha256"
	"errors"
	"io"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
)

// configVariable names the config file where no flag does.
const configVariable = "ZCODE_PROXY_CONFIG"

// Options say where Load looks. The zero Options look at the process's environment and
// in the person's config folder.
type Options struct {
	// Path is the file named by --config. It must exist.
	Path string
	// WorkDir is a folder that is searched for config.yaml, in general the working
	// directory of a command; empty for a program that was not started in one.
	WorkDir string
	// Env looks up an environment variable; nil is os.Getenv. A variable that is empty
	// counts as not set.
	Env func(string) string
	// Flags are stronger than everything else; of two for one key the later counts.
	Flags []Override

	envFile *envFile // of ReadEnvFile or FindEnvFile; nil: none
}

// An Override is a value from the command line. Load with one more Override also tells
// whether a change would be good, before Set makes it.
type Override struct {
	Key   string // as in Schema: "server.port"
	Value string
	Flag  string // the flag as the person typed it, for messages: "--port"
}

// Loaded is the outcome of Load. It is immutable and may be read concurrently.
type Loaded struct {
	Settings Settings
	// Path is the file in force, or "" if there is none.
	Path string
	// Searched are the files that were looked for, the strongest first.
	Searched []string
	// Dirs are zero if the home folder is not known; nothing is written then.
	Dirs Dirs
	// Notes are for a person: what is allowed, but perhaps not meant.
	Notes []string

	origins map[string]Origin
	sum     [sha256.Size]byte // of the file, so that Watch sees whether it changed
	failure string            // what was wrong with it
}

// Origin says where the value of a key comes from. It is the default for a key that
// nothing set and for one that does not exist.
func (l Loaded) Origin(key string) Origin { return l.origins[key] }

// WritePath is the file that Set should change: the one in force, else the person's
// own, which need not exist. It is "" if there is no place to write to.
func (l Loaded) WritePath() string {
	if l.Path != "" {
		return l.Path
	}
	return l.Dirs.file()
}

// Load finds the config file and returns the settings in force. Flags are stronger than
// the environment, that is stronger than a .env file, that than the config file, and that
// than the defaults. Of config files the first counts: Options.Path, ZCODE_PROXY_CONFIG,
// config.yaml in Options.WorkDir, config.yaml in the person's config folder. One that was
// named must exist.
//
// Every error is an *Error with all the problems. The Loaded beside it has no Settings,
// but knows the file and the folders. Load only reads and may be called concurrently.
func Load(opts Options) (Loaded, error) {
	loaded := Loaded{origins: map[string]Origin{}}
	var ps problems
	err := loaded.load(opts, &ps)
	if err != nil {
		loaded.Settings = Settings{}
		loaded.failure = err.Error()
	}
	return loaded, err
}

func (l *Loaded) load(opts Options, ps *problems) error {
	env := opts.Env
	if env == nil {
		env = os.Getenv
	}
	dirs, err := FindDirs(env)
	if err != nil {
		l.Notes = append(l.Notes, err.Error()+": nothing is kept on disk unless "+homeVariable+" names a folder")
	}
	l.Dirs = dirs

	files := candidates(opts, env, dirs)
	for _, c := range files {
		l.Searched = append(l.Searched, c.path)
	}
	data, found := l.read(files, ps)
	l.Path, l.sum = found.path, sha256.Sum256(data)

	in := layers{table: newTable(), settings: Default(), origins: l.origins, problems: ps}
	in.silence(opts.envFile)
	l.Notes = append(l.Notes, in.file(found.path, data)...)
	in.envFile(opts.envFile)
	in.environment(env, "")
	in.flags(opts.Flags)
	in.movedTo(env)
	in.environment(env, in.settings.Provider)
	in.elsewhere()
	l.Notes = append(l.Notes, in.fallback()...)
	l.Notes = append(l.Notes, opts.envFile.told(l.Origin)...)
	if len(ps.list) == 0 {
		l.Notes = append(l.Notes, check(in.settings, l.Origin, ps)...)
	}
	l.Settings = in.settings
	return found.withHint(ps.err())
}

// A candidate is a place where the config file may be.
type candidate struct {
	path    string
	namedBy string // what named it, or "" if it is only searched
	workDir bool
}

func candidates(opts Options, env func(string) string, dirs Dirs) []candidate {
	if opts.Path != "" {
		return []candidate{{path: opts.Path, namedBy: "--config"}}
	}
	if path := env(configVariable); path != "" {
		return []candidate{{path: path, namedBy: configVariable}}
	}
	var list []candidate
	if opts.WorkDir != "" {
		list = append(list, candidate{path: filepath.Join(opts.WorkDir, fileName), workDir: true})
	}
	if path := dirs.file(); path != "" {
		list = append(list, candidate{path: path})
	}
	return list
}

// withHint tells a person whose working directory holds some other program's
// config.yaml what to do.
func (c candidate) withHint(err error) error {
	var e *Error
	if c.workDir && errors.As(err, &e) && slices.ContainsFunc(e.Problems, func(p Problem) bool { return p.Origin.From == FromFile }) {
		e.Hint = printable(c.path, maxShownPath) +
			" was read because it is in the working directory; if it is another program's, name yours with --config"
	}
	return err
}

// read returns the first file that exists. A problem is reported if one that was named
// does not, or if one cannot be read.
func (l *Loaded) read(files []candidate, ps *problems) ([]byte, candidate) {
	for _, c := range files {
		data, err := readFile(c.path)
		origin := Origin{From: FromFile, Name: c.path}
		switch {
		case err == nil:
			return data, c
		case !absent(err):
			ps.add(origin, "", "cannot be read: %s", reason(err))
			return nil, c
		case c.namedBy != "":
			ps.add(origin, "", "does not exist (named by %s)", c.namedBy)
			return nil, c
		}
	}
	return nil, candidate{}
}

// absent reports whether err means that there is no such file. That a folder of its
// path is a file (ENOTDIR) is the same to a person.
func absent(err error) bool {
	return errors.Is(err, fs.ErrNotExist) || errors.Is(err, syscall.ENOTDIR)
}

// readFile reads one byte more than is allowed at the most, for decode to refuse.
func readFile(path string) ([]byte, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	data, err := io.ReadAll(io.LimitReader(f, maxFileBytes+1))
	return data, errors.Join(err, f.Close())
}

// reason is the system's own words, without the path that already stands before them.
func reason(err error) string {
	var p *fs.PathError
	if errors.As(err, &p) {
		err = p.Err
	}
	return err.Error()
}

// layers lays values over each other, the weakest first.
type layers struct {
	table    table
	settings Settings
	origins  map[string]Origin
	problems *problems
}

func (l *layers) put(a assignment) {
	if err := a.key.put(&l.settings, a.text); err != nil {
		l.problems.add(a.origin, a.name, "%s", err.Error())
		return
	}
	l.origins[a.key.Path] = a.origin
}

// file lays the values of a config file and returns the notes about it.
func (l *layers) file(path string, data []byte) []string {
	d := decoder{table: l.table, file: path, problems: l.problems}
	d.decode(data)
	for _, a := range d.values {
		l.put(a)
	}
	return d.notes
}

// environment lays the variables: those that always count, or those that count while
// the provider activeFor is in use. The latter come after the flags, which may choose
// the provider, and leave alone what a flag set.
func (l *layers) environment(env func(string) string, activeFor string) {
	for _, k := range l.table.keys {
		if k.activeFor != activeFor || l.origins[k.Path].From == FromFlag {
			continue
		}
		for _, name := range k.Env {
			if v := strings.TrimSpace(env(name)); v != "" {
				v = k.switched(v)
				l.put(assignment{key: k, name: k.Path, text: v, origin: Origin{From: FromEnv, Name: name}})
				break
			}
		}
	}
}

func (l *layers) flags(flags []Override) {
	for _, f := range flags {
		origin := Origin{From: FromFlag, Name: f.Flag}
		k, ok := l.table.byPath[f.Key]
		if !ok {
			l.problems.add(origin, shownKey(f.Key), "unknown key%s",
				didYouMean(nearest(f.Key, slices.Sorted(maps.Keys(l.table.byPath)))))
			continue
		}
		l.put(assignment{key: k, name: k.Path, text: f.Value, origin: origin})
	}
}
