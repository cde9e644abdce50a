package upstream

import (
	"slices"
	"strings"
)

// Naming says which model a request goes to, by the name that the client asked for. The
// zero Naming changes nothing. It must not be changed while it is in use.
type Naming struct {
	// Text is for requests that name no model. Vision is for requests with images whose
	// own model is known to see none, and for those that name no model; a request
	// without images that names it goes to Text. Where the two are the same, or one is
	// empty, models are not switched.
	Text, Vision string
	// Aliases are tried in their order.
	Aliases []Alias
	// Families are the models for the names of other makers' models; empty ones leave
	// such a name as it is.
	Families Families
	// Capitals says that the upstream writes its models' names with capitals.
	Capitals bool
	// Models are those of which it is known whether they see images.
	Models Models
}

// Alias is another name of a model. A * in it stands for anything; case does not count.
type Alias struct{ Name, Model string }

// Families are the models that stand for those of Anthropic and OpenAI.
type Families struct{ Opus, Sonnet, Haiku, GPT string }

// ParseAliases reads NAME=MODEL pairs with spaces between them. What is no pair is left
// out.
func ParseAliases(text string) []Alias {
	var list []Alias
	for pair := range strings.FieldsSeq(text) {
		if name, model, ok := strings.Cut(pair, "="); ok {
			list = append(list, Alias{name, model})
		}
	}
	return list
}

// Names are the other names of models that can be told: aliases without stars, and one
// for each of Anthropic's families.
func (n *Naming) Names() []string {
	var names []string
	for _, a := range n.Aliases {
		if !strings.Contains(a.Name, "*") {
			names = append(names, a.Name)
		}
	}
	for _, f := range []struct{ name, model string }{
		{"claude-opus", n.Families.Opus}, {"claude-sonnet", n.Families.Sonnet}, {"claude-haiku", n.Families.Haiku},
	} {
		if f.model != "" && !slices.Contains(names, f.name) {
			names = append(names, f.name)
		}
	}
	return names
}

// Resolve returns the model that a request goes to; asked may be empty, and so may be the
// answer then.
func (n *Naming) Resolve(asked string, images bool) string {
	name := n.named(asked)
	if n.Text != n.Vision && n.Text != "" && n.Vision != "" {
		m, known := n.Models.Lookup(name)
		switch {
		case images && (name == "" || known && !m.Vision):
			name = n.Vision
		case !images && strings.EqualFold(strings.TrimSuffix(name, LongContext), n.Vision):
			name = n.Text
		}
	}
	if name == "" {
		name = n.Text
	}
	if n.Capitals {
		name = capitals(name)
	}
	if name != asked { // it takes the place of the client's, with that one's mark
		name = strings.TrimSuffix(name, LongContext)
	}
	return name
}

// SeesImages reports whether a model is known to see images, or may.
func (n *Naming) SeesImages(model string) bool {
	m, known := n.Models.Lookup(model)
	return !known || m.Vision
}

// named returns the model behind an alias or a name of another maker.
func (n *Naming) named(asked string) string {
	bare := strings.ToLower(strings.TrimSuffix(asked, LongContext))
	for _, a := range n.Aliases {
		if matches(strings.ToLower(a.Name), bare) || strings.EqualFold(a.Name, asked) {
			return a.Model
		}
	}
	if model := n.Families.of(bare); model != "" {
		return model
	}
	return asked
}

// of returns the model that stands for another maker's, "" if none does.
func (f Families) of(name string) string {
	if rest, ok := strings.CutPrefix(name, "anthropic/"); ok {
		name = rest
	}
	if rest, ok := strings.CutPrefix(name, "openai/"); ok {
		name = rest
	}
	has := func(word string) bool { return strings.Contains(name, word) }
	switch {
	case strings.HasPrefix(name, "claude-") && has("opus"), name == "opus":
		return f.Opus
	case strings.HasPrefix(name, "claude-") && has("haiku"), name == "haiku":
		return f.Haiku
	case strings.HasPrefix(name, "claude-"), name == "sonnet":
		return f.Sonnet
	case !isOpenAI(name):
		return ""
	case f.Haiku != "" && (has("-mini") || has("-nano")):
		return f.Haiku
	}
	return f.GPT
}

// isOpenAI reports whether a name is one of OpenAI's: gpt-5, chatgpt-4o, o3, o4-mini,
// codex-mini.
func isOpenAI(name string) bool {
	for _, prefix := range []string{"gpt-", "chatgpt-", "codex-"} {
		if strings.HasPrefix(name, prefix) {
			return true
		}
	}
	family, _, _ := strings.Cut(name, "-")
	return len(family) == 2 && family[0] == 'o' && family[1] >= '1' && family[1] <= '9'
}

// matches reports whether a name fits a pattern whose stars stand for anything.
func matches(pattern, name string) bool {
	parts := strings.Split(pattern, "*")
	if len(parts) == 1 {
		return pattern == name
	}
	rest, ok := strings.CutPrefix(name, parts[0])
	if !ok {
		return false
	}
	for _, part := range parts[1 : len(parts)-1] {
		at := strings.Index(rest, part)
		if at < 0 {
			return false
		}
		rest = rest[at+len(part):]
	}
	return strings.HasSuffix(rest, parts[len(parts)-1])
}

// capitals writes a name as the start plan's gateway does: GLM-5.3-Flash.
func capitals(name string) string {
	if !strings.HasPrefix(strings.ToLower(name), "glm-") {
		return name
	}
	parts := strings.Split(name, "-")
	parts[0] = "GLM"
	for i, part := range parts[1:] {
		if part != "" && part[0] >= 'a' && part[0] <= 'z' {
			parts[i+1] = strings.ToUpper(part[:1]) + part[1:]
		}
	}
	return strings.Join(parts, "-")
}
