package locale

import (
	"errors"
	"io/fs"
	"maps"
	"path"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/nicksnyder/go-i18n/v2/i18n"

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
		"Mandarin":                {System, map[string]string{"LANG": "cmn_TW.UTF-8"}, Chinese},
		"Cantonese":               {System, map[string]string{"LANG": "yue_HK"}, Chinese},
		"not quite English":       {System, map[string]string{"LANG": "zh_CN", "LANGUAGE": "cy:und:zh_CN"}, Chinese},
		"a list without a locale": {System, map[string]string{"LANGUAGE": "zh_CN"}, English},
		"holes in the list":       {System, map[string]string{"LANG": "en_US", "LANGUAGE": "::C:zh_CN.GB18030"}, Chinese},
		"a list without an end":   {System, map[string]string{"LANG": "zh_CN", "LANGUAGE": strings.Repeat("de:", 1000) + "en"}, Chinese},
		"set to what is not":      {"tlh", map[string]string{"LANG": "zh_CN"}, English},
		"nonsense":                {System, map[string]string{"LANG": "%%%"}, English},
	} {
		env := func(name string) string { return tc.env[name] }
		if tc.setting == System && len(fromEnvironment(env)) == 0 && len(fromSystem()) > 0 {
			continue // the person's account says what this machine wants
		}
		if got := choose(tc.setting, env); got != tc.want {
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

func FuzzChoose(f *testing.F) {
	f.Add("zh_CN.UTF-8", "de:zh_CN:en")
	f.Add("C.UTF-8@x", "")
	f.Add("x-private-", "a-DE:zh-cmn-Hans-CN:@.")
	f.Fuzz(func(t *testing.T, lang, list string) {
		env := map[string]string{"LANG": lang, "LANGUAGE": list}
		// A system's own languages would stand in for an empty locale.
		if got := choose(System, func(name string) string { return env[name] }); lang != "" && got != English && got != Chinese {
			t.Errorf("%q, %q: %s", lang, list, got)
		}
	})
}

// TestDomains holds that a printer of one domain has its texts and no others.
func TestDomains(t *testing.T) {
	p, err := Load(Chinese, none, "command")
	if err != nil {
		t.Fatal(err)
	}
	if got := p.Text("command.serve.short"); got != "运行代理" || p.Has("notice.title") || len(p.Texts("")) != len(p.Texts("command.")) {
		t.Errorf("%q, %d texts", got, len(p.Texts("")))
	}
	if _, err := Load(English, none, "nonsense"); err == nil || !strings.Contains(err.Error(), "nonsense.en.yaml") {
		t.Errorf("a domain that is not there: %v", err)
	}
}

// TestEnglishStands holds that a text without a translation is there in English.
func TestEnglishStands(t *testing.T) {
	p := &Printer{tag: Chinese, texts: map[string]string{}}
	bundle := newBundle()
	if err := p.read(bundle, "locales/tray.en.yaml", English); err != nil {
		t.Fatal(err)
	}
	p.localizer = i18n.NewLocalizer(bundle, Chinese, English)
	if got := p.Text("tray.quit"); got != "Quit" || p.Texts("tray.quit")["tray.quit"] != "Quit" {
		t.Error(got)
	}
}

// gaps are the names of a text's gaps.
func gaps(text string) []string {
	var list []string
	for _, m := range regexp.MustCompile(`\{\{\.(\w+)\}\}`).FindAllStringSubmatch(text, -1) {
		list = append(list, m[1])
	}
	slices.Sort(list)
	return slices.Compact(list)
}

// catalogue reads all texts of one language, without those of another.
func catalogue(t *testing.T, tag string) *Printer {
	t.Helper()
	all := &Printer{tag: tag, texts: map[string]string{}}
	bundle := newBundle()
	files, err := fs.Glob(assets.Locales, "locales/*."+tag+".yaml")
	if err != nil {
		t.Fatal(err)
	}
	for _, file := range files {
		one := &Printer{tag: tag, texts: map[string]string{}}
		if err := errors.Join(one.read(newBundle(), file, tag), all.read(bundle, file, tag)); err != nil {
			t.Fatalf("%s: %v", file, err)
		}
		domain := strings.TrimSuffix(path.Base(file), "."+tag+".yaml")
		for id := range one.texts {
			if !strings.HasPrefix(id, domain+".") {
				t.Errorf("%s: %s belongs elsewhere", file, id)
			}
		}
		if len(one.texts) == 0 {
			t.Errorf("%s is empty", file)
		}
	}
	all.localizer = i18n.NewLocalizer(bundle, tag)
	return all
}

// inSchema reports whether English has its text in the schema of the settings.
func inSchema(id string) bool {
	return strings.HasPrefix(id, "settings.help.") || strings.HasPrefix(id, "settings.grouphelp.")
}

// TestCatalogues holds that each language has every text, with the same gaps, and that
// each can be printed.
func TestCatalogues(t *testing.T) {
	english := catalogue(t, English).texts
	for _, l := range Languages() {
		p := catalogue(t, l.Tag)
		for _, id := range slices.Sorted(maps.Keys(english)) {
			text, ok := p.texts[id]
			if !ok {
				t.Errorf("%s has no %s", l.Tag, id)
			} else if !slices.Equal(gaps(text), gaps(english[id])) {
				t.Errorf("%s: %s is %q, in English %q", l.Tag, id, text, english[id])
			}
		}
		for id, text := range p.texts {
			if _, ok := english[id]; !ok && !inSchema(id) {
				t.Errorf("%s has %s, which English has not", l.Tag, id)
			}
			want, values := text, map[string]string{}
			for _, gap := range gaps(text) {
				values[gap] = "[" + gap + "]"
				want = strings.ReplaceAll(want, "{{."+gap+"}}", values[gap])
			}
			if got := p.Message(Message{ID: id, Data: values}); strings.TrimSpace(text) == "" || got != want {
				t.Errorf("%s: %s prints %q, want %q", l.Tag, id, got, want)
			}
		}
	}
}

func BenchmarkLoad(b *testing.B) {
	for name, domains := range map[string][]string{"all": nil, "command": {"command", "notice"}} {
		b.Run(name, func(b *testing.B) {
			for b.Loop() {
				if _, err := Load(Chinese, none, domains...); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
