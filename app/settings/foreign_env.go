package settings

import (
	"slices"
	"strings"
)

// The programs whose files are understood.
const (
	zcodeProxy     = "zcode-proxy"
	proxx          = "proxx"
	anthropicProxy = "anthropic-proxy"
	zaiProxy       = "z-ai-proxy"
)

// A program is one that is set up by environment variables.
type program struct {
	name string
	// marks are the variables by which its environment is known: no other program has
	// them.
	marks     []string
	variables map[string]meaning
	// defaults are what it does where its environment is silent, and what of ours would
	// then differ.
	defaults []defaulted
}

// A meaning is what a variable stands for: a key, or two values of one for a switch, or
// nothing that can be taken over.
type meaning struct {
	key     string
	on, off string // values of key, for a switch
	base    bool   // is the base of the Messages endpoint, which also chooses the provider
	useless string // why it is not taken over
}

// A defaulted is a key that a program's silence sets.
type defaulted struct{ key, value, why string }

// programs are all that are set up by variables.
func programs(t table) []program {
	return []program{zcodeProgram(t), anthropicProgram(), zaiProgram()}
}

// zcodeProgram has the variables with zcode-proxy's prefix, which the schema names.
func zcodeProgram(t table) program {
	const prefix, configFile = "ZCODE_", configVariable
	p := program{name: zcodeProxy, variables: map[string]meaning{
		configFile: {useless: "it names a config file: import that one as well"},
	}}
	for _, k := range t.keys {
		for _, name := range k.Env {
			if strings.HasPrefix(name, prefix) {
				p.variables[name] = meaning{key: k.Path}
			}
		}
	}
	for name := range p.variables {
		p.marks = append(p.marks, name)
	}
	return p
}

func anthropicProgram() program {
	return program{
		name:  anthropicProxy,
		marks: []string{fallbackKey, baseVariable, "FORWARD_CLIENT_KEY", "AUTOTEXT_MODEL", "AUTOVISION_MODEL"},
		variables: map[string]meaning{
			fallbackKey:          {key: "auth.apiKey"},
			baseVariable:         {base: true},
			"FORWARD_CLIENT_KEY": {key: "auth.mode", on: ModeForward, off: ModeAPIKey},
			"AUTOTEXT_MODEL":     {key: "models.text"},
			"AUTOVISION_MODEL":   {key: "models.vision"},
			"SERVER_PORT":        {key: "server.port"},
			"PORT":               {key: "server.port"},
		},
		defaults: []defaulted{
			{"server.port", "5000", "anthropic-proxy listens there by default, and its clients know that address"},
			{"auth.mode", ModeForward, "anthropic-proxy sends the client's own key by default"},
		},
	}
}

func zaiProgram() program {
	return program{
		name:  zaiProxy,
		marks: []string{"TOKEN_POOL_SIZE", "SHOW_THINK_TAGS"},
		variables: map[string]meaning{
			"TOKEN_POOL_SIZE": {key: "guest.poolSize"},
			"API_KEY":         {key: "auth.proxyApiKey"},
			"SHOW_THINK_TAGS": {key: "request.thinking", on: ThinkingTags, off: ThinkingHide},
			"PORT":            {key: "server.port"},
		},
		defaults: []defaulted{
			{"server.port", "3000", "z-ai-proxy listens there by default, and its clients know that address"},
			{"plan", PlanGuest, "z-ai-proxy uses guest tokens and no account"},
		},
	}
}

// whose returns the program whose variables these are: the one with the most marks, and
// how many they are. Without any it is none.
func whose(variables []variable, t table) (best program, most int) {
	for _, p := range programs(t) {
		found := map[string]bool{}
		for _, v := range variables {
			if slices.Contains(p.marks, v.name) {
				found[v.name] = true
			}
		}
		if len(found) > most {
			best, most = p, len(found)
		}
	}
	return best, most
}

// environment takes over the variables of a program. Of a name that comes twice the
// later counts, as for every reader of such files.
func (f *foreign) environment(p program, variables []variable) {
	last := map[string]int{}
	for _, v := range variables {
		last[v.name] = max(last[v.name], v.line)
	}
	for _, v := range variables {
		m, known := p.variables[v.name]
		at, name := f.at(v.line), shownVariable(v.name)
		switch {
		case !known && conventional.MatchString(v.name):
			f.notes.add(at, name, "is not taken over: %s has no such variable", p.name)
		case !known:
			f.notes.add(at, "", "a variable is not taken over that %s does not have", p.name)
		case v.line < last[v.name]:
			f.notes.add(at, name, "is not taken over: it stands again in line %d, which counts", last[v.name])
		case v.problem != "":
			f.fault(at, name, v.problem)
		case v.value == "":
		default:
			f.variable(at, m, v)
		}
	}
	if value := f.scratch.Auth.ProxyAPIKey.Reveal(); p.name == zaiProxy && value == zaiPublicKey {
		f.notes.add(f.taken["auth.proxyApiKey"], "API_KEY", "is the key that stands in z-ai-proxy's own documentation: anybody knows it")
	}
}

// variable takes over one variable that has a value.
func (f *foreign) variable(at Origin, m meaning, v variable) {
	value := v.value
	if v.hint != "" {
		f.notes.add(at, v.name, "%s", v.hint)
	}
	switch {
	case m.useless != "":
		f.notes.add(at, v.name, "is not taken over: %s", m.useless)
		return
	case m.base:
		f.upstream(at, v.name, value)
		return
	case m.on != "":
		on, ok := switched(value)
		if !ok {
			f.fault(at, v.name, "must be true or false")
			return
		}
		value = m.off
		if on {
			value = m.on
		}
	}
	f.take(at, v.name, m.key, value)
}

// switched reads a switch in the spellings that programs accept in variables.
func switched(value string) (on, ok bool) {
	switch strings.ToLower(value) {
	case "true", "1", "yes", "on":
		return true, true
	case "false", "0", "no", "off":
		return false, true
	}
	return false, false
}

// defaults sets what the program does where its file is silent.
func (f *foreign) defaults(p program) {
	for _, d := range p.defaults {
		f.imply(d.key, d.value, d.why)
	}
}

// zaiPublicKey is the documented default of z-ai-proxy's API_KEY.
const zaiPublicKey = "sk-z2api-key-2024"
