package settings

import (
	"cmp"
	"maps"
	"regexp"
	"slices"
	"strings"

	"gopkg.in/yaml.v3"
)

// readYAML finds out whose mapping this is and takes it over.
func (f *foreign) readYAML(root *yaml.Node) (format string, err error) {
	switch {
	case isCompose(root):
		return f.compose(root)
	case isProxxOnly(f.table, root):
		f.proxx(root)
		return proxx, nil
	case isOurs(f.table, root):
		var ps problems
		ps.add(f.at(0), "", "is a config file of this program itself: it needs no import; use it with --config")
		return "", ps.err()
	case isZcode(f.table, root):
		f.zcode(root)
		return zcodeProxy, nil
	}
	return "", f.nobodys("none of the keys or variables that these have stands in it")
}

// isProxxOnly is stricter than isProxx: a port alone, among keys that are not proxx's,
// stands in the files of a thousand programs.
func isProxxOnly(t table, root *yaml.Node) bool {
	if !isProxx(t, root) {
		return false
	}
	strangers := false
	for i := 0; i+1 < len(root.Content); i += 2 {
		switch name := resolve(root.Content[i]).Value; name {
		case proxxUpstream, "max_retries", "retry_base_delay_ms":
			return true
		default:
			_, known := proxxKeys()[name]
			strangers = strangers || !known
		}
	}
	return !strangers
}

// proxx takes over proxx's file, as the decoder understands it when it is used as it
// stands.
func (f *foreign) proxx(root *yaml.Node) {
	d := decoder{table: f.table, file: f.name, problems: &f.notes}
	d.proxx(root)
	base := ""
	for _, a := range d.values {
		switch {
		case a.name == proxxUpstream:
			base = a.text
			f.upstream(a.origin, a.name, base)
		case a.origin.Line > 0: // the decoder implied the others
			f.take(a.origin, a.name, a.key.Path, a.text)
		}
	}
	f.imply("auth.mode", ModeForward, "proxx sends the client's own key")
	f.imply("identity.profile", ProfileClaudeCode, "proxx presents itself as Claude Code")
}

// zcodeNames are the top-level keys that files of zcode-proxy have in common with ours.
func zcodeNames() []string {
	return []string{"server", "auth", "provider", "plan", "providers", "identity", "logging"}
}

// zcodeUnused are the keys of zcode-proxy that have no meaning here, and why.
func zcodeUnused() map[string]string {
	return map[string]string{
		"defaultModel":              "the client names the model",
		"models":                    "every model goes upstream, and the list of models is built in",
		"auth.oauthCredentialsPath": "accounts lie in the vault: log in with glmtray auth login",
	}
}

// isOurs reports whether root has a group that no file of zcode-proxy has.
func isOurs(t table, root *yaml.Node) bool {
	for i := 0; i+1 < len(root.Content); i += 2 {
		name, value := resolve(root.Content[i]).Value, resolve(root.Content[i+1])
		if slices.Contains(t.children[""], name) && !slices.Contains(zcodeNames(), name) && value.Kind != yaml.SequenceNode {
			return true
		}
	}
	return false
}

// isZcode reports whether root is zcode-proxy's file: it has a key that only that has, or
// nothing but keys that it has.
func isZcode(t table, root *yaml.Node) bool {
	only := len(root.Content) > 0
	for i := 0; i+1 < len(root.Content); i += 2 {
		name, value := resolve(root.Content[i]).Value, resolve(root.Content[i+1])
		if marksZcode(name, value) {
			return true
		}
		only = only && slices.Contains(zcodeNames(), name) && t.isGroup(name) == (value.Kind == yaml.MappingNode)
	}
	return only
}

// marksZcode reports whether a top-level entry can only be zcode-proxy's.
func marksZcode(name string, value *yaml.Node) bool {
	has := func(names ...string) bool {
		return slices.ContainsFunc(names, func(name string) bool {
			_, v := lookup(value, name)
			return v != nil
		})
	}
	switch name {
	case "provider":
		return value.Value == ProviderZAI || value.Value == ProviderBigmodel
	case "plan":
		return value.Value == PlanCoding || value.Value == PlanStart
	case "auth":
		return has("apiKey", "proxyApiKey", "oauthCredentialsPath")
	case "identity":
		return has("appVersion", "sourceTitle", "refererOrigin")
	case "providers":
		return has(ProviderZAI, ProviderBigmodel)
	}
	return false
}

// zcode takes over zcode-proxy's file.
func (f *foreign) zcode(root *yaml.Node) {
	d := decoder{table: f.table, file: f.name, problems: &f.notes}
	d.group(f.withoutUnused(root, ""), "")
	for _, a := range d.values {
		f.take(a.origin, a.name, a.key.Path, a.text)
	}
	if f.scratch.Auth.Mode == ModeOAuth {
		f.notes.add(f.taken["auth.mode"], "auth.mode", "zcode-proxy's login is not taken over: log in with glmtray auth login %s", f.scratch.Provider)
	}
}

// withoutUnused returns the mapping without the keys that have no meaning here, each of
// which leaves a note with its line.
func (f *foreign) withoutUnused(mapping *yaml.Node, prefix string) *yaml.Node {
	out := *mapping
	out.Content = nil
	for i := 0; i+1 < len(mapping.Content); i += 2 {
		name, value := resolve(mapping.Content[i]), resolve(mapping.Content[i+1])
		path := join(prefix, name.Value)
		if why, ok := zcodeUnused()[path]; ok && value.Kind != yaml.MappingNode {
			f.notes.add(f.at(name.Line), path, "is not taken over: %s", why)
			continue
		}
		if path == "auth" && value.Kind == yaml.MappingNode {
			value = f.withoutUnused(value, path)
		}
		out.Content = append(out.Content, mapping.Content[i], value)
	}
	return &out
}

// isCompose reports whether root is a docker-compose file.
func isCompose(root *yaml.Node) bool {
	_, services := lookup(root, "services")
	return services != nil && resolve(services).Kind == yaml.MappingNode
}

// compose takes over the first service with the environment of a program, and says of
// the others that have one that they stay.
func (f *foreign) compose(root *yaml.Node) (format string, err error) {
	_, node := lookup(root, "services")
	services, found := f.entries(resolve(node), "services"), ""
	for _, s := range services {
		service := f.entries(&s.value, "services."+shownKey(s.name))
		variables := composeVariables(f, service)
		p, marks := whose(variables, f.table)
		switch {
		case marks == 0:
		case found != "":
			f.notes.add(f.at(s.value.Line), shownKey(s.name), "this service is not taken over: it is another one (%s)", p.name)
		default:
			found = p.name
			f.published(service)
			f.environment(p, variables)
			f.defaults(p)
			f.surroundings(service)
		}
	}
	if found == "" {
		return "", f.nobodys("no service of this docker-compose file sets variables of one of them; " +
			"if one has env_file or mounts a config.yaml, import that file")
	}
	return found + " (docker-compose)", nil
}

// An entry is one key of a mapping with its value.
type entry struct {
	name  string
	value yaml.Node
}

// entries are those of a mapping in the order of their lines, with what is merged into
// it by "<<". What is no mapping, or is damaged, has none.
func (f *foreign) entries(mapping *yaml.Node, path string) []entry {
	if mapping == nil || resolve(mapping).Kind != yaml.MappingNode {
		return nil
	}
	values := map[string]yaml.Node{}
	if err := resolve(mapping).Decode(&values); err != nil {
		f.notes.add(f.at(mapping.Line), path, "is not taken over: its keys are damaged, or one stands there twice")
		return nil
	}
	var list []entry
	for _, name := range slices.Sorted(maps.Keys(values)) {
		value := values[name]
		list = append(list, entry{name, *resolve(&value)})
	}
	slices.SortStableFunc(list, func(a, b entry) int { return cmp.Compare(a.value.Line, b.value.Line) })
	return list
}

// of returns the value of a key, or nil.
func of(entries []entry, name string) *yaml.Node {
	for i := range entries {
		if entries[i].name == name {
			return &entries[i].value
		}
	}
	return nil
}

// composeVariables are the variables that a service sets, as a mapping or as a list of
// NAME=value.
func composeVariables(f *foreign, service []entry) []variable {
	node := of(service, "environment")
	if node == nil {
		return nil
	}
	var list []variable
	for _, e := range f.entries(node, "environment") {
		list = append(list, composeVariable(e.name, &e.value, !isNull(&e.value)))
	}
	if node.Kind == yaml.SequenceNode {
		for _, item := range node.Content {
			item = resolve(item)
			name, value, has := strings.Cut(item.Value, "=")
			text := yaml.Node{Kind: item.Kind, Tag: "!!str", Value: value, Line: item.Line}
			list = append(list, composeVariable(name, &text, has))
		}
	}
	return list[:min(len(list), maxVariables)]
}

func composeVariable(name string, value *yaml.Node, has bool) variable {
	v := variable{name: name, line: value.Line}
	switch {
	case value.Kind != yaml.ScalarNode:
		v.problem = "is a " + shape(value)
	case !has:
		v.problem = "its value comes from the environment that docker-compose is started in"
	default:
		v.set(expansion{bare: true}, value.Value)
	}
	return v
}

// publishedPort is the short form of a published port: [HOST:]PORT:PORT[/PROTOCOL].
var publishedPort = regexp.MustCompile(`^(?:.*:)?(\d+):\d+(?:/tcp)?$`)

// published takes over the port at which the container is reached. The one in its
// environment is that inside the container, which clients never see.
func (f *foreign) published(service []entry) {
	ports := of(service, "ports")
	if ports == nil || ports.Kind != yaml.SequenceNode {
		return
	}
	if len(ports.Content) != 1 {
		f.notes.add(f.at(ports.Line), "ports", "is not taken over: it is not a single port")
		return
	}
	item := resolve(ports.Content[0])
	var v variable
	if long := f.entries(item, "ports"); long == nil {
		v = composeVariable("ports", item, true)
	} else if node := of(long, "published"); node != nil {
		v = composeVariable("ports", node, true)
		v.value += ":0" // as in the short form
	}
	m := publishedPort.FindStringSubmatch(v.value)
	if m == nil {
		f.notes.add(f.at(item.Line), "ports", "is not taken over: it names no port, or the variable that it comes from is not set here")
		return
	}
	f.take(f.at(item.Line), "ports", "server.port", m[1])
	if _, ok := f.taken["server.port"]; ok {
		f.notes.add(f.at(item.Line), "ports", "clients reach the container at port %s, so server.port is that one", m[1])
	}
}

// surroundings says what else of a service matters, but is not in its environment.
func (f *foreign) surroundings(service []entry) {
	if node := of(service, "env_file"); node != nil {
		f.notes.add(f.at(node.Line), "env_file", "is not read: import that file as well")
	}
	if node := of(service, "ports"); node != nil && f.scratch.Server.Loopback() {
		f.notes.add(f.at(node.Line), "ports", "other machines may reach a container: here only this one may, until server.host and auth.proxyApiKey are set")
	}
}
