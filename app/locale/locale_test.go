package locale

import (
	"maps"
	"regexp"
	"slices"
	"strings"
	"testing"

	"glmtray/assets"
)

func none(string) string { return "" }

func load(t *testing.T, tag string) *Printer {
	t.Helper()
	p, err := Load(tag, none)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

func TestChoose(t *testing.T) {
	for name, tc := range map[string]struct {
		setting string
		env     map[string]string
		want    string
	}{
		"set":                     {English, map[string]string{"LANG": "zh_CN.UTF-8"}, English},
		"set to Chinese":          {Chinese, nil, Chinese},
		"nothing":                 {System, nil, English},
		"C":                       {System, map[string]string{"LANG": "C.UTF-8", "LANGUAGE": "zh"}, English},
		"POSIX":                   {System, map[string]string{"LC_ALL": "POSIX", "LANG": "zh_CN"}, English},
		"Chinese":                 {System, map[string]string{"LANG": "zh_CN.UTF-8"}, Chinese},
		"Singapore":               {System, map[string]string{"LANG": "zh_SG"}, Chinese},
		"Taiwan":                  {System, map[string]string{"LANG": "zh_TW.UTF-8"}, Chinese},
		"by script":               {System, map[string]string{"LANG": "zh-Hans-CN"}, Chinese},
		"messages alone":          {System, map[string]string{"LC_MESSAGES": "zh_CN.UTF-8", "LANG": "de_DE.UTF-8"}, Chinese},
		"all is stronger":         {System, map[string]string{"LC_ALL": "en_US.UTF-8", "LC_MESSAGES": "zh_CN"}, English},
		"a list":                  {System, map[string]string{"LANG": "de_DE.UTF-8", "LANGUAGE": "de:zh_CN:en"}, Chinese},
		"a list, English first":   {System, map[string]string{"LANG": "zh_CN.UTF-8", "LANGUAGE": "en:zh_CN"}, English},
		"a language that is none": {System, map[string]string{"LANG": "de_AT@euro"}, English},
		"nonsense":                {System, map[string]string{"LANG": "%%%"}, English},
	} {
		if got := choose(tc.setting, func(name string) string { return tc.env[name] }); got != tc.want {
			t.Errorf("%s: %s, want %s", name, got, tc.want)
		}
	}
}

func TestText(t *testing.T) {
	en, zh := load(t, English), load(t, Chinese)
	if got := en.Text("notice.port.free", "Port", "8081"); got != "End that program, or use port 8081 instead." {
		t.Error(got)
	}
	if got := zh.Message(Message{ID: "notice.port.free", Data: map[string]string{"Port": "8081"}}); got != "请结束该程序，或改用端口 8081。" {
		t.Error(got)
	}
	if en.Tag() != English || zh.Tag() != Chinese {
		t.Errorf("%s, %s", en.Tag(), zh.Tag())
	}
	if got := zh.Text("no.such.id"); got != "no.such.id" || zh.Has("no.such.id") || !zh.Has("notice.title") {
		t.Error(got)
	}
	// A gap's value is no template.
	if got := en.Text("command.status.remedy", "Text", "{{.Port}} <b>&"); got != "Remedy: {{.Port}} <b>&" {
		t.Error(got)
	}
	texts := zh.Texts("notice.port.", "notice.title")
	if len(texts) < 5 || texts["notice.port.free"] != "请结束该程序，或改用端口 {{.Port}}。" || texts["notice.title"] == "" {
		t.Errorf("%v", texts)
	}
}

// gaps are the names of a text's gaps.
func gaps(text string) []string {
	list := regexp.MustCompile(`\{\{\.(\w+)\}\}`).FindAllString(text, -1)
	slices.Sort(list)
	return slices.Compact(list)
}

// schemaHelp are the texts that English has in the schema of settings.
const schemaHelp = "settings.help."

// TestCatalogues holds that each language has every text, with the same gaps.
func TestCatalogues(t *testing.T) {
	catalogue := func(tag string) map[string]string {
		p := &Printer{tag: tag, texts: map[string]string{}}
		bundle := newBundle()
		files, err := assets.Locales.ReadDir("locales")
		if err != nil {
			t.Fatal(err)
		}
		for _, file := range files {
			name, isThis := strings.CutSuffix(file.Name(), "."+tag+".yaml")
			if !isThis {
				continue
			}
			before := len(p.texts)
			if err := p.read(bundle, "locales/"+file.Name(), tag); err != nil {
				t.Fatal(err)
			}
			if len(p.texts) == before {
				t.Errorf("%s adds nothing", file.Name())
			}
			for id := range p.texts {
				if before == 0 && !strings.HasPrefix(id, name+".") {
					t.Errorf("%s: %s belongs elsewhere", file.Name(), id)
				}
			}
		}
		return p.texts
	}
	english := catalogue(English)
	for _, l := range Languages() {
		texts := catalogue(l.Tag)
		for _, id := range slices.Sorted(maps.Keys(english)) {
			text, ok := texts[id]
			if !ok {
				t.Errorf("%s has no %s", l.Tag, id)
			} else if strings.TrimSpace(text) == "" || !slices.Equal(gaps(text), gaps(english[id])) {
				t.Errorf("%s: %s is %q, in English %q", l.Tag, id, text, english[id])
			}
		}
		for id := range texts {
			if _, ok := english[id]; !ok && !strings.HasPrefix(id, schemaHelp) && !strings.HasPrefix(id, "settings.grouphelp.") {
				t.Errorf("%s has %s, which English has not", l.Tag, id)
			}
		}
	}
}

func BenchmarkLoad(b *testing.B) {
	for b.Loop() {
		if _, err := Load(Chinese, none); err != nil {
			b.Fatal(err)
		}
	}
}
