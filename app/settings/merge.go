package settings

import (
	"errors"
	"io/fs"
	"os"
)

// A Comparison sorts changes by what a config file says about their keys.
type Comparison struct {
	Open []Change // the file does not set the key
	Same []Change // it sets the key to that value
	Set  []Change // it sets the key to another value
}

// Compare sorts changes by what the config file at path says. A file that does not exist
// sets nothing. The error is an *Error if the file would not load or a change is not good.
func Compare(path string, changes ...Change) (Comparison, error) {
	data, err := existing(path)
	if err != nil {
		return Comparison{}, err
	}
	var c Comparison
	var ps problems
	in := layers{table: newTable(), settings: Default(), origins: map[string]Origin{}, problems: &ps}
	in.file(path, data)
	wanted := in.settings.Clone()
	for _, one := range changes {
		k, ok := in.table.byPath[one.Key]
		if !ok {
			ps.add(Origin{From: FromFile, Name: path}, shownKey(one.Key), "unknown key")
			continue
		}
		if err := k.put(&wanted, one.Value); err != nil {
			ps.add(Origin{From: FromFile, Name: path}, one.Key, "%s", err.Error())
			continue
		}
		switch _, set := in.origins[one.Key]; {
		case !set:
			c.Open = append(c.Open, one)
		case k.get(wanted) == k.get(in.settings):
			c.Same = append(c.Same, one)
		default:
			c.Set = append(c.Set, one)
		}
	}
	return c, ps.err()
}

// Preview returns the text that Set would write to the file at path, secrets and all,
// and writes nothing. Beyond what Set looks at it holds the outcome as a whole against
// the environment, as the next start would: env looks a variable up, and nil is
// os.Getenv. The error is an *Error if that start would fail.
func Preview(path string, env func(string) string, changes ...Change) ([]byte, error) {
	data, err := existing(path)
	if err != nil {
		return nil, err
	}
	if data, err = change(path, data, changes); err != nil {
		return nil, err
	}
	if env == nil {
		env = os.Getenv
	}
	var ps problems
	in := layers{table: newTable(), settings: Default(), origins: map[string]Origin{}, problems: &ps}
	in.file(path, data)
	in.environment(env, "")
	in.environment(env, in.settings.Provider)
	if len(ps.list) == 0 {
		check(in.settings, func(key string) Origin { return in.origins[key] }, &ps)
	}
	return data, ps.err()
}

// existing is the content of a config file, nothing if there is none.
func existing(path string) ([]byte, error) {
	target, err := followLinks(path)
	if err != nil {
		return nil, err
	}
	data, err := readFile(target)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	return data, err
}
