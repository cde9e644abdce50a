package locale

import (
	"slices"
	"testing"
)

func TestAppleLanguages(t *testing.T) {
	for list, want := range map[string][]string{
		"(\n    \"zh-Hans-CN\",\n    \"en-CN\"\n)\n": {"zh-Hans-CN", "en-CN"},
		"(\n    en\n)\n": {"en"},
		"(\n)\n":         {},
		"":               {},
	} {
		if got := appleLanguages(list); !slices.Equal(got, want) {
			t.Errorf("%q: %q", list, got)
		}
	}
}
