package locale

import (
	"strings"

	"golang.org/x/text/language"
)

// The languages that there are catalogues for.
const (
	English = "en"
	Chinese = "zh-Hans"
)

// Language is a language that a person can choose.
type Language struct {
	Tag  string `json:"tag"`
	Name string `json:"name"` // in the language itself
}

// Languages returns those that there are catalogues for. The caller owns the slice.
func Languages() []Language { return []Language{{English, "English"}, {Chinese, "简体中文"}} }

// choose returns the tag of the language for a setting: the language itself, or for
// System the best that there is for the system's.
func choose(setting string, env func(string) string) string {
	wanted := []string{setting}
	if setting == System {
		if wanted = fromEnvironment(env); len(wanted) == 0 {
			wanted = fromSystem()
		}
	}
	for _, name := range wanted {
		// Only a Chinese reader is served by Chinese, in whatever script; whoever reads
		// neither language is likelier to know English.
		tag, err := language.Parse(name)
		if base, _ := tag.Base(); err == nil && base.String() == "zh" {
			return Chinese
		}
		if base, _ := tag.Base(); err == nil && base.String() == "en" {
			return English
		}
	}
	return English
}

// fromEnvironment returns the languages that the environment asks for, the first the
// most wanted, as gettext reads it: the first of three variables counts, and where that
// is not the plain C locale, LANGUAGE is a list that stands before it.
func fromEnvironment(env func(string) string) []string {
	var locale string
	for _, name := range []string{"LC_ALL", "LC_MESSAGES", "LANG"} {
		if locale = env(name); locale != "" {
			break
		}
	}
	if locale == "" {
		return nil
	}
	name := bare(locale)
	if name == "C" || name == "POSIX" {
		return []string{English}
	}
	var list []string
	for entry := range strings.SplitSeq(env("LANGUAGE"), ":") {
		if entry != "" {
			list = append(list, bare(entry))
		}
	}
	return append(list, name)
}

// bare is a locale's name without its encoding and its variant: zh_CN.UTF-8@x is zh_CN.
func bare(locale string) string {
	if i := strings.IndexAny(locale, ".@"); i >= 0 {
		return locale[:i]
	}
	return locale
}
