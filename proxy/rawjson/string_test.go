package rawjson

import (
	"bytes"
	"encoding/binary"
	"encoding/json"
	"math/bits"
	"slices"
	"strings"
	"testing"
	"unicode/utf8"
)

func TestStringMeans(t *testing.T) {
	for _, tt := range []struct {
		lit, want string
	}{
		{`""`, ""}, {`"a"`, "a"}, {`"\"\\\/\b\f\n\r\t"`, "\"\\/\b\f\n\r\t"},
		{`"\u00e9\u0000"`, "é\x00"}, {`"\uD83D\ude42"`, "🙂"}, {`"x\ud83d"`, "x\ufffd"}, {`"\ud83dx"`, "\ufffdx"},
		{`"\ud83d\ud83d\ude42"`, "\ufffd🙂"}, {`"\ude42"`, "\ufffd"}, {`"日本語\\n"`, `日本語\n`},
	} {
		s := String(tt.lit)
		if got := s.String(); got != tt.want {
			t.Errorf("%s.String() = %q, want %q", tt.lit, got, tt.want)
		}
		if got := string(s.AppendTo([]byte("before "))); got != "before "+tt.want {
			t.Errorf("%s.AppendTo = %q", tt.lit, got)
		}
		if !s.Is(tt.want) || s.Is(tt.want+"x") || s.Is("other") {
			t.Errorf("%s.Is is wrong", tt.lit)
		}
		var std string
		if err := json.Unmarshal(s, &std); err != nil || std != tt.want {
			t.Errorf("encoding/json reads %s as %q (%v)", tt.lit, std, err)
		}
	}
}

func TestAbsentString(t *testing.T) {
	var s String
	if !s.Empty() || !s.Blank() || s.Is("") || s.String() != "" || s.Inner() != nil || s.AppendTo(nil) != nil {
		t.Error("a nil String is not absent in every way")
	}
	if e := String(`""`); !e.Empty() || !e.Blank() || !e.Is("") {
		t.Error(`"" is not empty in every way`)
	}
}

// A String that is no literal must not break anything either: it is cut short.
func TestBrokenLiterals(t *testing.T) {
	for _, lit := range []string{`"`, `x`, `"\"`, `"a\"`, `"\u12"`, `"\u"`, `"\ud83d\u1"`} {
		s := String(lit)
		for _, got := range []string{s.String(), string(s.AppendTo(nil))} {
			if len(got) > len(lit) {
				t.Errorf("%s became %q", lit, got)
			}
		}
		s.Blank()
		s.Is("x")
	}
}

func TestBlank(t *testing.T) {
	for lit, want := range map[string]bool{
		`" "`: true, `"\n\t\r  "`: true, `"\\"`: false, `"\\n"`: false, `"a"`: false, `" a"`: false, `"\n."`: false, `"\f"`: false, `"\u200b"`: false, `"漢"`: false,
	} {
		if got := String(lit).Blank(); got != want {
			t.Errorf("%s.Blank() = %t", lit, got)
		}
	}
}

func TestQuote(t *testing.T) {
	for _, tt := range []struct{ in, want string }{
		{"", `""`}, {"a", `"a"`}, {"\"\\/", `"\"\\/"`}, {"\b\f\n\r\t", `"\b\f\n\r\t"`}, {"\x00\x1f\x7f", "\"\\u0000\\u001f\x7f\""},
		{"<a>&'", `"<a>&'"`}, {"日本語🙂\u2028", "\"日本語🙂\u2028\""}, {"a\xffb\xc3", "\"a\ufffdb\ufffd\""}, {"\xed\xa0\x80", "\"\ufffd\ufffd\ufffd\""},
		{strings.Repeat("0123456789", 10) + "\"", `"` + strings.Repeat("0123456789", 10) + `\""`},
	} {
		got := Quote(tt.in)
		if string(got) != tt.want {
			t.Errorf("Quote(%q) = %s, want %s", tt.in, got, tt.want)
		}
		if std, err := json.Marshal(tt.in); err != nil || String(std).String() != got.String() {
			t.Errorf("Quote(%q) = %s, encoding/json has %s", tt.in, got, std)
		}
		if b := string(AppendQuote([]byte("x:"), []byte(tt.in))); b != "x:"+tt.want {
			t.Errorf("AppendQuote of bytes = %s", b)
		}
		if b := string(AppendEscaped(nil, tt.in)); `"`+b+`"` != tt.want {
			t.Errorf("AppendEscaped = %s", b)
		}
	}
}

func TestJoin(t *testing.T) {
	lits := func(s ...string) []String {
		var out []String
		for _, l := range s {
			if l == "" {
				out = append(out, nil)
			} else {
				out = append(out, String(l))
			}
		}
		return out
	}
	for _, tt := range []struct {
		separator string
		parts     []String
		want      string
	}{
		{"", nil, ""},
		{"", lits(""), ""},
		{`\n`, lits(`"a"`), `"a"`},
		{`\n`, lits(`"a"`, `"b"`, `"c"`), `"a\nb\nc"`},
		{`\n`, lits("", `"a"`, "", `"b"`, ""), `"a\nb"`},
		{`, `, lits(`""`, `"b"`), `", b"`},
		{``, lits(`"\ud83d"`, `"\ude42"`), `"\ud83d\ude42"`},
	} {
		if got := string(Join(tt.separator, tt.parts...)); got != tt.want {
			t.Errorf("Join(%q, %s) = %s, want %s", tt.separator, tt.parts, got, tt.want)
		}
	}
	a := String(`"a"`)
	if Join("", a, String(`"b"`)); string(a) != `"a"` {
		t.Errorf("Join changed its first part to %s", a)
	}
}

// TestSpecial holds that the first of eight bytes that a string may not hold as it
// stands is found, whatever it is and whatever is around it.
func TestSpecial(t *testing.T) {
	stops := func(c byte) bool { return c == '"' || c == '\\' || c < ' ' || c >= utf8.RuneSelf }
	for _, around := range []byte{' ', '!', '#', '[', ']', '"', '~', 0x00, 0x7f, 0x80, 0xff} {
		for at := range 8 {
			for c := range 256 {
				word := bytes.Repeat([]byte{around}, 8)
				for i := range at {
					word[i] = "a !#[]~\x7f"[i]
				}
				word[at] = byte(c)
				want := slices.IndexFunc(word, stops)
				if want < 0 {
					want = len(word)
				}
				if got := bits.TrailingZeros64(special(binary.LittleEndian.Uint64(word))) / 8; got != want {
					t.Fatalf("the first in %q is at %d, want %d", word, got, want)
				}
			}
		}
	}
}
