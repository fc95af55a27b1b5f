package charset_test

import (
	"errors"
	"io"
	"strings"
	"testing"
	"unicode/utf8"

	"golang.org/x/text/encoding/charmap"
	"golang.org/x/text/encoding/japanese"
	"golang.org/x/text/encoding/korean"
	"golang.org/x/text/encoding/simplifiedchinese"
	"golang.org/x/text/encoding/unicode"
	"golang.org/x/text/encoding/unicode/utf32"

	"github.com/rung-dev/rung/internal/charset"
)

func read(text, name string) (out string, encoding string, kinds []charset.Kind, err error) {
	lines, err := charset.NewLines(strings.NewReader(text), name, 1<<20)
	if err != nil {
		return "", "", nil, err
	}
	var b strings.Builder
	for {
		line, err := lines.Next()
		if errors.Is(err, io.EOF) {
			return b.String(), lines.Encoding(), kinds, nil
		}
		if err != nil {
			return "", "", nil, err
		}
		b.WriteString(string(line.Text) + "\n")
		for _, r := range line.Repairs {
			kinds = append(kinds, r.Kind)
		}
	}
}

func encoded(t *testing.T, text string, e interface{ String(string) (string, error) }) string {
	t.Helper()
	out, err := e.String(text)
	if err != nil {
		t.Fatal(err)
	}
	return out
}

func TestEncodingsAreFound(t *testing.T) {
	const text = "{\"text\": \"Grüße aus Köln – 5 €\"}\n{\"text\": \"ça va\"}\n"
	for name, in := range map[string]string{
		"utf-8":        text,
		"utf-16le":     encoded(t, text, unicode.UTF16(unicode.LittleEndian, unicode.UseBOM).NewEncoder()),
		"utf-16be":     encoded(t, text, unicode.UTF16(unicode.BigEndian, unicode.IgnoreBOM).NewEncoder()),
		"utf-32le":     encoded(t, text, utf32.UTF32(utf32.LittleEndian, utf32.IgnoreBOM).NewEncoder()),
		"utf-32be":     encoded(t, text, utf32.UTF32(utf32.BigEndian, utf32.UseBOM).NewEncoder()),
		"windows-1252": encoded(t, text, charmap.Windows1252.NewEncoder()),
	} {
		got, encoding, kinds, err := read(in, "")
		if err != nil || got != text || encoding != name || len(kinds) > 0 {
			t.Errorf("%s: %q %s %v %v", name, got, encoding, kinds, err)
		}
	}
	if got, _, _, err := read("\ufeff"+text, ""); err != nil || got != text {
		t.Errorf("with a mark: %q %v", got, err)
	}
}

// TestEncodingsThatAreNotFound are refused, not read as something else, and can be named.
func TestEncodingsThatAreNotFound(t *testing.T) {
	for name, c := range map[string]struct {
		text string
		e    interface{ String(string) (string, error) }
	}{
		"windows-1251": {"text\nпривет как дела\n", charmap.Windows1251.NewEncoder()},
		"shift_jis":    {"text\nこんにちは世界\n", japanese.ShiftJIS.NewEncoder()},
		"gb18030":      {"text\n你好世界很高兴认识你\n", simplifiedchinese.GB18030.NewEncoder()},
		"euc-kr":       {"text\n안녕하세요 세계\n", korean.EUCKR.NewEncoder()},
	} {
		in := encoded(t, c.text, c.e)
		var unclear *charset.Unclear
		if _, _, _, err := read(in, ""); !errors.As(err, &unclear) || !strings.Contains(err.Error(), name) {
			t.Errorf("%s: %v", name, err)
		}
		if got, _, _, err := read(in, name); err != nil || got != c.text {
			t.Errorf("%s by name: %q %v", name, got, err)
		}
	}
}

func TestRepairsOfLines(t *testing.T) {
	for in, want := range map[string]struct {
		text string
		kind charset.Kind
	}{
		"é\ncaf\xe9":               {"é\ncafé", charset.Latin},
		"é\na\x00b":                {"é\nab", charset.NUL},
		"é \xff \xc3\xa9":          {"é \ufffd é", charset.Invalid},
		"é \xed\xa0\xbd x":         {"é \ufffd x", charset.Surrogate},
		"\xed\xa0\xbd\xed\xb8\x80": {"😀", charset.CESU},
	} {
		got, _, kinds, err := read(in, "utf-8")
		if err != nil || got != want.text+"\n" || len(kinds) != 1 || kinds[0] != want.kind {
			t.Errorf("%q: %q %v %v", in, got, kinds, err)
		}
	}
	if got, _, _, err := read("a\rb\r", ""); err != nil || got != "a\nb\n" {
		t.Errorf("line ends of old Macs: %q %v", got, err)
	}
}

// TestMojibake: what was encoded twice is repaired; what could be meant is left.
func TestMojibake(t *testing.T) {
	for _, text := range []string{"café", "Grüße", "naïve – “quoted”", "don’t", "日本語", "Über", "😀 ok", "español", "été", "Ærø", "5 € für Ÿ"} {
		latin := func(s string) string { // bytes read as Windows-1252
			var b strings.Builder
			for _, c := range []byte(s) {
				r := charmap.Windows1252.DecodeByte(c)
				if r == utf8.RuneError {
					r = rune(c)
				}
				b.WriteRune(r)
			}
			return b.String()
		}
		for times, in := 1, latin(text); times <= 2; times, in = times+1, latin(in) {
			if got, is := charset.Mend(in); got != text || is != charset.Mangled {
				t.Errorf("%d times, %q: %q, %d", times, in, got, is)
			}
		}
		if got, is := charset.Mend(text); got != text || is != charset.Fine {
			t.Errorf("%q, which is right: %q, %d", text, got, is)
		}
	}
	for _, text := range []string{"MANHÃ…", "LE CAFÉ”", "É»", "Úžasný", "Úžas", "il a dit café”»", "Â", "MANHÃ…e depois", "Straß´s", "voilà\u00ad", "10 Ã 20", "NÃO"} {
		if got, is := charset.Mend(text); got != text || is == charset.Mangled {
			t.Errorf("%q was made %q", text, got)
		}
	}
	if _, is := charset.Mend("cafÃ© — ok"); is != charset.Doubted {
		t.Error("a text that is mangled in part is not told")
	}
}

// FuzzLines: whatever the bytes, what comes out is UTF-8 without NUL bytes, and what was right already stays as it was.
func FuzzLines(f *testing.F) {
	for _, s := range []string{"a\nb", "é\xff\n", "\xff\xfea\x00", "a\x00\x00\x00b\x00\x00\x00", "\xed\xa0\xbd\xed\xb8\x80", "a\rb", "cafÃ©"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, in string) {
		got, encoding, _, err := read(in, "")
		if err != nil {
			var unclear *charset.Unclear
			if !errors.As(err, &unclear) {
				t.Error(err)
			}
			return
		}
		if !utf8.ValidString(got) || strings.ContainsRune(got, 0) {
			t.Errorf("%q became %q", in, got)
		}
		plain := utf8.ValidString(in) && !strings.ContainsAny(in, "\x00\r\ufeff") && in != ""
		if want := strings.TrimSuffix(in, "\n") + "\n"; plain && encoding == "utf-8" && got != want {
			t.Errorf("%q became %q", in, got)
		}
		for _, s := range []string{got, in} {
			if out, _ := charset.Mend(s); utf8.ValidString(s) && !utf8.ValidString(out) {
				t.Errorf("%q was mended to %q", s, out)
			}
		}
	})
}
