package assets

import (
	"bytes"
	"encoding/json"
	"encoding/xml"
	"errors"
	"io"
	"maps"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"
)

// routes are the paths that the proxy answers, with their methods as OpenAPI names
// them, sorted and with spaces between them. The list is written down a second time on purpose: whoever changes a route
// has to change its description.
var routes = map[string]string{
	"/v1/chat/completions":      "post",
	"/v1/completions":           "post",
	"/v1/responses":             "post",
	"/v1/responses/compact":     "post",
	"/v1/responses/{id}":        "delete get",
	"/v1/messages":              "post",
	"/v1/messages/count_tokens": "post",
	"/v1/models":                "get",
	"/v1/models/{id}":           "get",
	"/health":                   "get",
	"/docs":                     "get",
	"/openapi.json":             "get",
	"/":                         "get",
}

// apiDescription is what the tests look at of the OpenAPI description.
type apiDescription struct {
	OpenAPI    string                          `json:"openapi"`
	Security   []map[string][]string           `json:"security"`
	Paths      map[string]map[string]operation `json:"paths"`
	Components struct {
		Schemas         map[string]json.RawMessage `json:"schemas"`
		SecuritySchemes map[string]json.RawMessage `json:"securitySchemes"`
	} `json:"components"`
}

type operation struct {
	ID         string                     `json:"operationId"`
	Summary    string                     `json:"summary"`
	Parameters []map[string]any           `json:"parameters"`
	Body       json.RawMessage            `json:"requestBody"`
	Responses  map[string]json.RawMessage `json:"responses"`
}

func readAPI(t *testing.T) (apiDescription, any) {
	t.Helper()
	var api apiDescription
	if err := json.Unmarshal(OpenAPI, &api); err != nil {
		t.Fatal(err)
	}
	var tree any
	if err := json.Unmarshal(OpenAPI, &tree); err != nil {
		t.Fatal(err)
	}
	return api, tree
}

func TestOpenAPIListsTheRoutes(t *testing.T) {
	api, _ := readAPI(t)
	if !strings.HasPrefix(api.OpenAPI, "3.1.") {
		t.Errorf("openapi is %q", api.OpenAPI)
	}
	got := map[string]string{}
	ids := map[string]string{}
	for path, operations := range api.Paths {
		got[path] = strings.Join(slices.Sorted(maps.Keys(operations)), " ")
		for method, op := range operations {
			place := method + " " + path
			if other, taken := ids[op.ID]; taken || op.ID == "" {
				t.Errorf("%s: the operationId %q is empty or that of %q", place, op.ID, other)
			}
			ids[op.ID] = place
			if op.Summary == "" || op.Responses["200"] == nil {
				t.Errorf("%s: no summary, or no response 200", place)
			}
			if (method == "post") != (op.Body != nil) {
				t.Errorf("%s: a request body belongs to post and to post alone", place)
			}
			for _, name := range regexp.MustCompile(`\{(\w+)\}`).FindAllStringSubmatch(path, -1) {
				if !slices.ContainsFunc(op.Parameters, func(p map[string]any) bool { return p["in"] == "path" && p["name"] == name[1] }) {
					t.Errorf("%s: the parameter %s is not described", place, name[1])
				}
			}
		}
	}
	if !maps.Equal(got, routes) {
		t.Errorf("described are %v\nrouted are %v", got, routes)
	}
	for _, alternative := range api.Security {
		for name := range alternative {
			if api.Components.SecuritySchemes[name] == nil {
				t.Errorf("no such security scheme: %s", name)
			}
		}
	}
}

func TestOpenAPIReferences(t *testing.T) {
	api, tree := readAPI(t)
	used := map[string]bool{}
	walk(tree, func(object map[string]any) {
		ref, ok := object["$ref"].(string)
		if !ok {
			return
		}
		used[ref] = true
		if resolve(tree, ref) == nil {
			t.Errorf("%s leads nowhere", ref)
		}
	})
	for name := range api.Components.Schemas {
		// The events of streams have no place in OpenAPI 3.1 from which a schema
		// could be referred to; their descriptions name it.
		if !used["#/components/schemas/"+name] && !bytes.Contains(OpenAPI, []byte("is a "+name)) {
			t.Errorf("nothing refers to the schema %s", name)
		}
	}
}

// walk calls visit for each object in a JSON value.
func walk(v any, visit func(map[string]any)) {
	switch v := v.(type) {
	case map[string]any:
		visit(v)
		for _, inner := range v {
			walk(inner, visit)
		}
	case []any:
		for _, inner := range v {
			walk(inner, visit)
		}
	}
}

// resolve follows a reference into the document itself (RFC 6901), nil if there is
// nothing at its end.
func resolve(tree any, ref string) any {
	path, ok := strings.CutPrefix(ref, "#/")
	if !ok {
		return nil
	}
	for step := range strings.SplitSeq(path, "/") {
		object, ok := tree.(map[string]any)
		if !ok {
			return nil
		}
		tree = object[strings.NewReplacer("~1", "/", "~0", "~").Replace(step)]
	}
	return tree
}

// page is what the tests look at of docs.html.
type page struct {
	elements map[string]int // by name
	ids      map[string]int
	links    []string
	json     []string // the texts of <pre class="json">
	style    string
	text     string
	foreign  []string // attributes that load, run or send something
}

// loading are the attributes of HTML by which a page loads, runs or sends something;
// href is looked at apart.
var loading = []string{"src", "srcset", "data", "poster", "background", "action", "formaction", "ping", "cite", "manifest", "style", "http-equiv"}

// readPage reads the page, which is written so that it is well-formed XML: an element
// that is never closed is an error here, while browsers make up an end for it.
func readPage(t *testing.T) page {
	t.Helper()
	d := xml.NewDecoder(bytes.NewReader(Docs))
	p := page{elements: map[string]int{}, ids: map[string]int{}}
	into := &p.text
	for {
		token, err := d.Token()
		if errors.Is(err, io.EOF) {
			return p
		}
		if err != nil {
			t.Fatal(err)
		}
		switch token := token.(type) {
		case xml.StartElement:
			p.start(token)
			switch {
			case token.Name.Local == "style":
				into = &p.style
			case token.Name.Local == "pre" && attribute(token, "class") == "json":
				p.json = append(p.json, "")
				into = &p.json[len(p.json)-1]
			}
		case xml.EndElement:
			if token.Name.Local == "style" || token.Name.Local == "pre" {
				into = &p.text
			}
		case xml.CharData:
			*into += string(token)
		}
	}
}

func (p *page) start(e xml.StartElement) {
	p.elements[e.Name.Local]++
	for _, a := range e.Attr {
		switch name := strings.ToLower(a.Name.Local); {
		case name == "id":
			p.ids[a.Value]++
		case name == "href":
			p.links = append(p.links, a.Value)
		case slices.Contains(loading, name) || strings.HasPrefix(name, "on"):
			p.foreign = append(p.foreign, name+"="+a.Value)
		}
	}
}

func attribute(e xml.StartElement, name string) string {
	for _, a := range e.Attr {
		if a.Name.Local == name {
			return a.Value
		}
	}
	return ""
}

// TestDocsLoadNothing holds the page to the content security policy that it is
// served with: it has no script and asks for nothing, least of all from elsewhere.
func TestDocsLoadNothing(t *testing.T) {
	p := readPage(t)
	for _, name := range []string{"script", "link", "img", "iframe", "object", "embed", "base", "form", "svg", "audio", "video"} {
		if p.elements[name] > 0 {
			t.Errorf("there is a <%s>", name)
		}
	}
	if len(p.foreign) > 0 {
		t.Errorf("attributes that load or run something: %q", p.foreign)
	}
	for _, word := range []string{"url(", "@import", "@font-face", "expression("} {
		if strings.Contains(p.style, word) {
			t.Errorf("the style has %s", word)
		}
	}
	if p.style == "" || !strings.Contains(p.style, "prefers-color-scheme: dark") {
		t.Error("there is no style for dark screens")
	}
	for _, link := range p.links {
		id, isAnchor := strings.CutPrefix(link, "#")
		if isAnchor && p.ids[id] != 1 || !isAnchor && routes[link] != "get" {
			t.Errorf("the link %q leads nowhere, or away", link)
		}
	}
	for id, n := range p.ids {
		if n > 1 {
			t.Errorf("the id %s is there %d times", id, n)
		}
	}
	for _, address := range regexp.MustCompile(`https?://[^/\s"'<)]+`).FindAllString(string(Docs), -1) {
		if address != "http://127.0.0.1:8080" {
			t.Errorf("the page names %s", address)
		}
	}
}

func TestDocsShowEveryPath(t *testing.T) {
	p := readPage(t)
	for path := range routes {
		if !regexp.MustCompile(`(^|[\s,])` + regexp.QuoteMeta(path) + `($|[\s,.:])`).MatchString(p.text) {
			t.Errorf("%s is not mentioned", path)
		}
	}
	for _, word := range []string{"X-GLMTray-Lane", "X-GLMTray-Dropped", "Request-Id", "Retry-After", "ANTHROPIC_BASE_URL", "opencode.json", "config.toml", "config.yaml", "cline auth", "OPENAI_BASE_URL"} {
		if !strings.Contains(p.text, word) {
			t.Errorf("%s is not mentioned", word)
		}
	}
	if len(p.json) == 0 {
		t.Fatal("there is no example")
	}
	for _, example := range p.json {
		if !json.Valid([]byte(example)) {
			t.Errorf("not valid JSON:\n%s", example)
		}
	}
}

// TestExamplesNameKnownModels keeps the examples from growing old unnoticed.
func TestExamplesNameKnownModels(t *testing.T) {
	known := map[string]bool{}
	for _, m := range readModels(t) {
		known[m.ID] = true
	}
	for name, text := range map[string][]byte{"docs.html": Docs, "openapi.json": OpenAPI} {
		named := regexp.MustCompile(`(?i)\bglm-[0-9][0-9a-z.-]*[0-9a-z]`).FindAllString(string(text), -1)
		if len(named) == 0 {
			t.Errorf("%s names no model", name)
		}
		for _, id := range named {
			if !known[strings.ToLower(id)] {
				t.Errorf("%s names the model %s, which is not in the list", name, id)
			}
		}
	}
}

// TestPagesNameKnownSettings holds both descriptions to the keys of the example file,
// which has all of them.
func TestPagesNameKnownSettings(t *testing.T) {
	known, groups := readSettings(t)
	pattern := regexp.MustCompile(`\b(?:` + strings.Join(groups, "|") + `)(?:\.[a-zA-Z]+)+`)
	page := strings.ReplaceAll(string(Docs), "<wbr/>", "")
	for name, text := range map[string]string{"docs.html": page, "openapi.json": string(OpenAPI)} {
		named := pattern.FindAllString(text, -1)
		if len(named) == 0 {
			t.Errorf("%s names no setting", name)
		}
		for _, key := range named {
			if !known[key] {
				t.Errorf("%s names the setting %s, which there is not", name, key)
			}
		}
	}
}

// readSettings returns the keys of the example file by their paths, and the names of
// its groups.
func readSettings(t *testing.T) (keys map[string]bool, groups []string) {
	t.Helper()
	file, err := os.ReadFile("../config.example.yaml")
	if err != nil {
		t.Fatal(err)
	}
	const step = 2 // spaces of indentation
	keys = map[string]bool{}
	var path []string
	for _, line := range regexp.MustCompile(`(?m)^( *)#?([a-zA-Z]+):( .*)?$`).FindAllStringSubmatch(string(file), -1) {
		level := len(line[1]) / step
		if level > len(path) {
			t.Fatalf("the example file has %s too far inside", line[2])
		}
		path = append(path[:level], line[2])
		keys[strings.Join(path, ".")] = true
		if level == 0 && line[3] == "" {
			groups = append(groups, line[2])
		}
	}
	return keys, groups
}

// model has the fields of an entry of models.json; see upstream.Model.
type model struct {
	ID           string            `json:"id"`
	Name         string            `json:"name"`
	Context      int               `json:"context"`
	MaxOutput    int               `json:"maxOutput"`
	Vision       bool              `json:"vision"`
	Listed       bool              `json:"listed"`
	Released     string            `json:"released"`
	AlwaysThinks bool              `json:"alwaysThinks"`
	Efforts      map[string]string `json:"efforts"`
}

func readModels(t *testing.T) []model {
	t.Helper()
	d := json.NewDecoder(bytes.NewReader(Models))
	d.DisallowUnknownFields()
	var list []model
	if err := d.Decode(&list); err != nil {
		t.Fatal(err)
	}
	return list
}

func TestModels(t *testing.T) {
	efforts := []string{"none", "minimal", "low", "medium", "high", "xhigh", "max"}
	seen, listed := map[string]bool{}, 0
	for _, m := range readModels(t) {
		if m.ID == "" || m.ID != strings.ToLower(m.ID) || seen[m.ID] {
			t.Errorf("the id %q is empty, not in lower case, or there twice", m.ID)
		}
		seen[m.ID] = true
		// Z.AI's models are called by their id, spelled with capitals.
		if !strings.EqualFold(m.Name, m.ID) || m.Name == m.ID {
			t.Errorf("%s: the name is %q", m.ID, m.Name)
		}
		if m.MaxOutput <= 0 || m.MaxOutput > m.Context {
			t.Errorf("%s: an answer of %d tokens does not fit a context of %d", m.ID, m.MaxOutput, m.Context)
		}
		if _, err := time.Parse(time.DateOnly, m.Released); err != nil && m.Released != "" {
			t.Errorf("%s: %v", m.ID, err)
		}
		for asked, sent := range m.Efforts {
			if !slices.Contains(efforts, asked) || !slices.Contains(efforts, sent) {
				t.Errorf("%s: the effort %q is sent as %q", m.ID, asked, sent)
			}
		}
		if m.AlwaysThinks && m.Efforts["none"] == "" {
			t.Errorf("%s: always thinks, and has no least effort", m.ID)
		}
		if m.Listed {
			listed++
		}
	}
	if listed == 0 {
		t.Error("no model is listed")
	}
}
