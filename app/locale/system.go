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

// maxWanted bounds how many of the languages that the system lists are looked at.
const maxWanted = 32

// choose returns the tag of the language for a setting: the language itself, or for
// System the best that there is for the system's.
func choose(setting string, env func(string) string) string {
	wanted := []string{setting}
	if setting == System {
		if wanted = fromEnvironment(env); len(wanted) == 0 {
			wanted = fromSystem()
		}
	}
	for _, name := range wanted[:min(len(wanted), maxWanted)] {
		if tag, ok := catalogueFor(name); ok {
			return tag
		}
	}
	return English
}

// catalogueFor returns the language of the catalogues that a reader of another is served
// by, if there is one. That is a question of the language alone, which a matcher of tags
// answers worse: it takes script and country for a distance, and Welsh for English.
// The varieties of Chinese share its writing, and have names of their own in glibc
// (cmn_TW, yue_HK, nan_TW, hak_TW, lzh_TW).
func catalogueFor(name string) (tag string, ok bool) {
	parsed, err := language.Parse(name)
	if err != nil {
		return "", false
	}
	switch base, confidence := parsed.Base(); base.String() {
	case "zh", "cmn", "yue", "nan", "hak", "lzh", "wuu":
		return Chinese, true
	case "en":
		return English, confidence == language.Exact // of no language at all it is a guess
	}
	return "", false
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
		if entry != "" && len(list) < maxWanted-1 {
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
