package locale_test

import (
	"maps"
	"slices"
	"strings"
	"testing"

	"glmtray/app/locale"
	"glmtray/app/settings"
	"glmtray/app/state"
)

// TestSettingsAreTranslated holds that every setting, every group and every provider has
// its texts, and that none is left of what is no setting any more. The declared
// patterns would hide either.
func TestSettingsAreTranslated(t *testing.T) {
	want := map[string]bool{"settings.group.provider": true, "settings.grouphelp.provider": true}
	for _, k := range settings.Schema() {
		id := locale.SettingID(k.Path)
		want["settings.title."+id], want["settings.help."+id] = true, true
		if group, _, nested := strings.Cut(k.Path, "."); nested {
			want["settings.group."+group], want["settings.grouphelp."+group] = true, true
		}
	}
	have := texts(t)
	for _, id := range slices.Sorted(maps.Keys(want)) {
		if have[id] == "" {
			t.Errorf("there is no %s", id)
		}
	}
	for _, id := range slices.Sorted(maps.Keys(have)) {
		if strings.HasPrefix(id, "settings.") && !strings.HasPrefix(id, "settings.choice.") && !want[id] {
			t.Errorf("%s is of no setting", id)
		}
	}
}

// plainChoices are the values that are shown as they are: their explanation names them.
var plainChoices = []string{"auto", "apikey", "oauth", "forward", "zcode", "claude-code", "none"}

func TestChoicesHaveNames(t *testing.T) {
	have, values := texts(t), map[string]bool{}
	for _, k := range settings.Schema() {
		for _, value := range k.Choices {
			values[value] = true
			if have["settings.choice."+value] == "" && !slices.Contains(plainChoices, value) {
				t.Errorf("%s: the choice %s has no name", k.Path, value)
			}
		}
	}
	for id := range have {
		if value, ok := strings.CutPrefix(id, "settings.choice."); ok && !values[value] {
			t.Errorf("%s is no choice of any setting", id)
		}
	}
	for _, l := range locale.Languages() {
		if !values[l.Tag] || have["settings.choice."+l.Tag] != l.Name {
			t.Errorf("%s cannot be chosen by its name in the settings", l.Tag)
		}
	}
}

// TestStatesHaveWords holds that every value that an ID ends with at run time has its
// text: a pattern only says that some have.
func TestStatesHaveWords(t *testing.T) {
	have := texts(t)
	wants := func(prefix string, values ...string) {
		for _, value := range values {
			if have[prefix+value] == "" {
				t.Errorf("there is no %s%s", prefix, value)
			}
		}
	}
	for _, phase := range []state.Phase{state.Stopped, state.Starting, state.Running, state.Stopping, state.Failed} {
		wants("command.status.", string(phase))
		wants("window.status.", string(phase))
	}
	for _, k := range settings.Schema() {
		switch k.Path {
		case "provider", "plan":
			wants("tray."+k.Path+".", k.Choices...)
		}
	}
}
