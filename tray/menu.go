// Package tray is the icon in the tray and its menu. A click only calls an intent of
// the application; the application's announcement of the new state redraws the menu,
// which never changes itself.
//
// [Menu] is the pure half: from a snapshot to a tree of items. [Run] is the other one:
// it shows that tree with systray, and knows the quirks of each desktop.
package tray

import (
	"strconv"

	"glmtray/app/locale"
	"glmtray/app/settings"
	"glmtray/app/state"
)

// Check is whether an item has a tick.
type Check int

// The checks. An item without one cannot be ticked.
const (
	NoCheck Check = iota
	Off
	On
)

// Kind is what an intent does.
type Kind string

// The kinds of intents, with what Intent.Arg means.
const (
	None        Kind = ""
	Open        Kind = "open" // the log window, at a page
	Start       Kind = "start"
	Stop        Kind = "stop"
	UsePort     Kind = "port"      // a number
	Copy        Kind = "copy"      // "openai", "anthropic" or "key"
	UseProvider Kind = "provider"  // one of the settings.Provider constants
	UsePlan     Kind = "plan"      // one of the settings.Plan constants
	Autostart   Kind = "autostart" // "on" or "off"
	SetLanguage Kind = "language"  // "system" or a tag
	Login       Kind = "login"     // to a provider
	CancelLogin Kind = "cancel"
	UseAccount  Kind = "account" // its name, or "" for all
	Rebuild     Kind = "rebuild" // the menu, for desktops that lose it
	Quit        Kind = "quit"
)

// Intent is what a click asks for.
type Intent struct {
	Kind Kind
	Arg  string
}

// Item is an entry of the menu. The tree has the same shape for every snapshot: what is
// not needed is hidden. So a desktop that shows the menu at this moment keeps its place
// in it, and a click cannot meet another entry than the one that was seen.
type Item struct {
	Label     string
	Hidden    bool
	Disabled  bool
	Separator bool
	Check     Check
	Intent    Intent
	Items     []Item
}

// Menu returns the root of the menu for a snapshot, in p's language.
func Menu(s state.Snapshot, p *locale.Printer) Item {
	m := menu{s, p}
	separator := Item{Separator: true}
	return Item{Items: []Item{
		m.open(m.status(), ""),
		m.freePort(),
		m.check(),
		m.requests(),
		{Label: m.account(), Disabled: true},
		separator,
		m.action("tray.start", Intent{Kind: Start}, s.Phase == state.Running || s.Phase == state.Starting),
		m.action("tray.stop", Intent{Kind: Stop}, s.Phase != state.Running && s.Phase != state.Starting),
		m.copy(),
		separator,
		m.accounts(),
		m.provider(),
		m.plan(),
		separator,
		m.open(p.Text("tray.window"), "activity"),
		m.open(p.Text("tray.settings"), "settings"),
		m.autostart(),
		m.language(),
		{Label: p.Text("tray.rebuild"), Intent: Intent{Kind: Rebuild}},
		m.open(p.Text("tray.about"), "about"),
		separator,
		{Label: p.Text("tray.quit"), Intent: Intent{Kind: Quit}},
	}}
}

// Tooltip is what the icon says when it is pointed at: the status line.
func Tooltip(s state.Snapshot, p *locale.Printer) string {
	return "GLM Tray  " + menu{s, p}.status()
}

// menu is what the parts of a menu are made of.
type menu struct {
	s state.Snapshot
	p *locale.Printer
}

func (m menu) open(label, page string) Item {
	return Item{Label: label, Intent: Intent{Open, page}}
}

func (m menu) action(id string, do Intent, hidden bool) Item {
	return Item{Label: m.p.Text(id), Intent: do, Hidden: hidden}
}

// status is the line that says how things stand.
func (m menu) status() string {
	for _, problem := range m.s.Problems {
		if problem.Kind != state.ProblemTray { // who reads this sees the icon
			return "▲ " + m.p.Message(problem.Text)
		}
	}
	switch m.s.Phase {
	case state.Running:
		return "● " + m.p.Text("tray.status.running", "URL", m.s.BaseURL)
	case state.Starting:
		return "○ " + m.p.Text("tray.status.starting")
	case state.Stopping:
		return "○ " + m.p.Text("tray.status.stopping")
	case state.Failed:
		return "▲ " + m.p.Text("tray.status.failed")
	}
	return "○ " + m.p.Text("tray.status.stopped")
}

// freePort offers another port for one that is taken.
func (m menu) freePort() Item {
	problem, ok := m.s.Problem(state.ProblemPort)
	port := strconv.Itoa(problem.FreePort)
	return Item{
		Label: m.p.Text("tray.useport", "Port", port), Hidden: !ok || problem.FreePort == 0, Intent: Intent{UsePort, port},
	}
}

// check leads to the check that requests wait for.
func (m menu) check() Item {
	item := m.open("▲ "+m.p.Text("tray.check"), "verify")
	item.Hidden = m.s.Check == nil
	return item
}

// accountSlots is how many accounts the menu has room for; the page has all of them.
const accountSlots = 8

// accounts are the ways to another account, and those that there are.
func (m menu) accounts() Item {
	running := m.s.Login != nil
	login := func(provider string, hidden bool) Item {
		return Item{Label: m.p.Text("tray.login", "Provider", m.providerName(provider)), Intent: Intent{Login, provider}, Hidden: hidden || running}
	}
	waiting := m.open(m.p.Text("tray.login.waiting"), "accounts")
	waiting.Hidden = !running
	note, fixed := m.fixed("auth.account")
	items := []Item{
		login(settings.ProviderZAI, false),
		login(settings.ProviderBigmodel, false),
		login(settings.ProviderDemo, m.s.Provider != settings.ProviderDemo),
		waiting,
		m.action("tray.login.cancel", Intent{Kind: CancelLogin}, !running),
		{Separator: true},
		note,
	}
	for i := range accountSlots {
		items = append(items, m.slot(i, fixed))
	}
	all := choice(m.p.Text("tray.account.all"), Intent{UseAccount, ""}, m.s.Pool.Alone == "", fixed)
	all.Hidden = len(m.s.Accounts) < 2 && m.s.Pool.Alone == ""
	return Item{Label: m.p.Text("tray.account"), Items: append(items, all, m.open(m.p.Text("tray.account.manage"), "accounts"))}
}

// slot is the place of one account.
func (m menu) slot(i int, fixed bool) Item {
	if i >= len(m.s.Accounts) {
		return Item{Hidden: true, Check: Off}
	}
	e := m.s.Accounts[i]
	label := e.Name
	if e.State == stateLogin {
		label = "▲ " + m.p.Text("tray.account.refused", "Account", e.Name)
	}
	return choice(label, Intent{UseAccount, e.Name}, e.InUse, fixed)
}

// stateLogin is the state of an account that the provider refuses; upstream.MemberLogin.
const stateLogin = "login"

// requests says how many requests run.
func (m menu) requests() Item {
	running, queued := strconv.Itoa(m.s.Active), strconv.Itoa(m.s.Queued)
	label := m.p.Text("tray.requests.running", "Running", running)
	if m.s.Queued > 0 {
		label = m.p.Text("tray.requests.queued", "Running", running, "Queued", queued)
	}
	item := m.open(label, "activity")
	item.Hidden = m.s.Active == 0 && m.s.Queued == 0
	return item
}

// account says who pays: the provider, the plan and the key.
func (m menu) account() string {
	line := m.providerName(m.s.Provider)
	if m.plans() {
		line += " · " + m.planName(m.s.Plan)
	}
	switch {
	case !m.s.Account.Known:
		line += " · " + m.p.Text("tray.nokey")
	case m.s.Account.Hint != "":
		line += " · " + m.s.Account.Hint
	}
	return line
}

// plans reports whether the provider has plans to choose from.
func (m menu) plans() bool {
	return m.s.Provider != settings.ProviderCustom
}

func (m menu) providerName(id string) string { return m.p.Text("tray.provider." + id) } // locale: tray.provider.*
func (m menu) planName(id string) string     { return m.p.Text("tray.plan." + id) }     // locale: tray.plan.*

func (m menu) copy() Item {
	stopped := m.s.BaseURL == ""
	return Item{Label: m.p.Text("tray.copy"), Items: []Item{
		{Label: m.p.Text("tray.copy.openai"), Disabled: stopped, Intent: Intent{Copy, "openai"}},
		{Label: m.p.Text("tray.copy.anthropic"), Disabled: stopped, Intent: Intent{Copy, "anthropic"}},
		{Label: m.p.Text("tray.copy.key"), Hidden: !m.s.ProxyKey, Intent: Intent{Copy, "key"}},
	}}
}

// choice is an entry of which one among several has the tick.
func choice(label string, do Intent, ticked, disabled bool) Item {
	item := Item{Label: label, Intent: do, Check: Off, Disabled: disabled}
	if ticked {
		item.Check = On
	}
	return item
}

// fixed says by which variable a setting is fixed, if it is.
func (m menu) fixed(key string) (note Item, is bool) {
	variable, is := m.s.Fixed[key]
	return Item{Label: m.p.Text("tray.fixed", "Variable", variable), Disabled: true, Hidden: !is}, is
}

func (m menu) provider() Item {
	note, fixed := m.fixed("provider")
	out := Item{Label: m.p.Text("tray.provider"), Items: []Item{note}}
	for _, id := range []string{settings.ProviderZAI, settings.ProviderBigmodel, settings.ProviderCustom, settings.ProviderDemo} {
		out.Items = append(out.Items, choice(m.providerName(id), Intent{UseProvider, id}, m.s.Provider == id, fixed))
	}
	return out
}

func (m menu) plan() Item {
	note, fixed := m.fixed("plan")
	out := Item{Label: m.p.Text("tray.plan"), Items: []Item{note}}
	for _, id := range []string{settings.PlanCoding, settings.PlanStart, settings.PlanGuest} {
		item := choice(m.planName(id), Intent{UsePlan, id}, m.plans() && m.s.Plan == id, fixed || !m.plans())
		// The guest plan seldom works, so only those see it who have it from the settings.
		item.Hidden = id == settings.PlanGuest && m.s.Plan != id
		out.Items = append(out.Items, item)
	}
	return out
}

func (m menu) autostart() Item {
	turn := "on"
	if m.s.Autostart.Enabled {
		turn = "off"
	}
	return choice(m.p.Text("tray.autostart"), Intent{Autostart, turn}, m.s.Autostart.Enabled, !m.s.Autostart.Possible)
}

func (m menu) language() Item {
	note, fixed := m.fixed("app.language")
	out := Item{Label: m.p.Text("tray.language"), Items: []Item{note}}
	add := func(name, tag string) {
		out.Items = append(out.Items, choice(name, Intent{SetLanguage, tag}, m.s.Language.Setting == tag, fixed))
	}
	add(m.p.Text("tray.language.system"), locale.System)
	for _, l := range locale.Languages() {
		add(l.Name, l.Tag)
	}
	return out
}
