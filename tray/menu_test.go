package tray

import (
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"glmtray/app/locale"
	"glmtray/app/state"
)

var rewrite = flag.Bool("update", false, "write the golden files anew")

func printer(t *testing.T, tag string) *locale.Printer {
	t.Helper()
	p, err := locale.Load(tag, func(string) string { return "" })
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// draw writes a menu as lines: what a person sees, and what a click asks for.
func draw(out *strings.Builder, items []Item, indent string) {
	for _, i := range items {
		if i.Hidden {
			continue
		}
		mark := map[Check]string{NoCheck: "", Off: "[ ] ", On: "[x] "}[i.Check]
		line := indent + mark + i.Label
		switch {
		case i.Separator:
			line = indent + "----"
		case i.Disabled:
			line += "  (disabled)"
		case i.Intent.Kind != None:
			line += "  -> " + strings.TrimSpace(string(i.Intent.Kind)+" "+i.Intent.Arg)
		}
		out.WriteString(line + "\n")
		draw(out, i.Items, indent+"    ")
	}
}

// snapshots are the states that a menu is drawn for.
func snapshots() map[string]state.Snapshot {
	running := state.Snapshot{
		Phase: state.Running, BaseURL: "http://127.0.0.1:8080", Port: 8080, Provider: "zai", Plan: "coding-plan",
		Account:   state.Account{Known: true, Hint: "0123…cdef"},
		Autostart: state.Autostart{Possible: true}, Language: state.Language{Setting: "system", InForce: "en"},
	}
	change := func(do func(*state.Snapshot)) state.Snapshot {
		s := running
		do(&s)
		return s
	}
	problem := func(kind, text string) func(*state.Snapshot) {
		return func(s *state.Snapshot) {
			s.Problems = []state.Problem{{Kind: kind, Text: locale.Message{ID: text, Data: map[string]string{"Provider": "Z.AI", "Port": "8080", "Program": "nginx", "PID": "12"}}, Since: time.Unix(0, 0)}}
		}
	}
	return map[string]state.Snapshot{
		"running":                 running,
		"stopped":                 change(func(s *state.Snapshot) { s.Phase, s.BaseURL = state.Stopped, "" }),
		"starting":                change(func(s *state.Snapshot) { s.Phase, s.BaseURL = state.Starting, "" }),
		"stopping":                change(func(s *state.Snapshot) { s.Phase, s.BaseURL, s.Active = state.Stopping, "", 1 }),
		"busy":                    change(func(s *state.Snapshot) { s.Active = 2 }),
		"queued":                  change(func(s *state.Snapshot) { s.Active, s.Queued = 2, 3 }),
		"no key":                  change(func(s *state.Snapshot) { s.Account = state.Account{} }),
		"demo":                    change(func(s *state.Snapshot) { s.Provider, s.Account = "demo", state.Account{Known: true} }),
		"start plan at bigmodel":  change(func(s *state.Snapshot) { s.Provider, s.Plan = "bigmodel", "start-plan" }),
		"waiting for the browser": change(func(s *state.Snapshot) { s.Login = &state.Login{Provider: "zai", Step: "browser"} }),
		"a check":                 change(func(s *state.Snapshot) { s.Check = &state.Check{Waiting: 1} }),
		"accounts": change(func(s *state.Snapshot) {
			s.Account = state.Account{Known: true, Hint: "Z.AI, Work", Stored: true}
			s.Pool.Size = 2
			s.Accounts = []state.AccountEntry{{Name: "Z.AI", Provider: "zai", InUse: true, State: "ready"}, {Name: "Work", Provider: "zai", InUse: true, State: "login"}, {Name: "Bigmodel", Provider: "bigmodel", State: "idle"}}
		}),
		"one account alone": change(func(s *state.Snapshot) {
			s.Pool = state.Pool{Size: 1, Alone: "Work"}
			s.Accounts = []state.AccountEntry{{Name: "Z.AI", Provider: "zai", State: "idle"}, {Name: "Work", Provider: "zai", InUse: true, State: "ready"}}
		}),
		"proxy key":              change(func(s *state.Snapshot) { s.ProxyKey = true }),
		"launched at login":      change(func(s *state.Snapshot) { s.Autostart.Enabled = true }),
		"cannot launch at login": change(func(s *state.Snapshot) { s.Autostart = state.Autostart{} }),
		"fixed by the environment": change(func(s *state.Snapshot) {
			s.Fixed = map[string]string{"provider": "ZCODE_PROVIDER", "plan": "ZCODE_PLAN", "app.language": "GLMTRAY_LANGUAGE"}
		}),
		"port taken": change(func(s *state.Snapshot) {
			problem(state.ProblemPort, "notice.port.taken")(s)
			s.Phase, s.BaseURL, s.Problems[0].FreePort = state.Failed, "", 8081
		}),
		"broken settings":          change(problem(state.ProblemSettings, "notice.settings.text")),
		"quota used up":            change(problem(state.ProblemQuota, "notice.quota.text")),
		"no tray":                  change(problem(state.ProblemTray, "notice.tray.nohost")),
		"failed without a problem": change(func(s *state.Snapshot) { s.Phase, s.BaseURL = state.Failed, "" }),
	}
}

// TestMenu compares the menus of all states with what they are to be.
func TestMenu(t *testing.T) {
	for name, s := range snapshots() {
		for _, tag := range []string{locale.English, locale.Chinese} {
			if tag == locale.Chinese && name != "running" && name != "port taken" && name != "queued" {
				continue
			}
			p := printer(t, tag)
			var got strings.Builder
			fmt.Fprintf(&got, "tooltip: %s\n\n", Tooltip(s, p))
			draw(&got, Menu(s, p).Items, "")
			file := filepath.Join("testdata", strings.ReplaceAll(name, " ", "-")+"."+tag+".txt")
			if *rewrite {
				if err := os.WriteFile(file, []byte(got.String()), 0o600); err != nil {
					t.Fatal(err)
				}
			}
			want, err := os.ReadFile(file)
			if err != nil || got.String() != string(want) {
				t.Errorf("%s in %s (%v): got\n%s\nwant\n%s", name, tag, err, got.String(), want)
			}
		}
	}
}

// shape is what a tree is like without its words.
func shape(items []Item) string {
	var out strings.Builder
	for _, i := range items {
		fmt.Fprintf(&out, "(%v%v%s)", i.Separator, i.Check != NoCheck, shape(i.Items))
	}
	return out.String()
}

// TestOneShape holds that every state has the same tree: an open menu keeps its place.
func TestOneShape(t *testing.T) {
	p := printer(t, locale.English)
	want := shape(Menu(state.Snapshot{}, p).Items)
	for name, s := range snapshots() {
		if got := shape(Menu(s, p).Items); got != want {
			t.Errorf("%s has another shape", name)
		}
	}
}
