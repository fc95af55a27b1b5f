// Package charset turns the bytes of text files into UTF-8. It finds the encoding by looking, repairs what can be repaired with certainty,
// and says of every line what was done to it.
//
// The rule, in its order: a byte order mark; the pattern of zero bytes that UTF-16 and UTF-32 have; valid UTF-8; then line by line: a line
// that is not UTF-8, has no valid sequence of several bytes, and looks Western is Windows-1252 (which holds Latin-1), and in any other line
// bytes that are no UTF-8 become U+FFFD. A file whose lines look neither like UTF-8 nor Western is refused until its encoding is named.
package charset

import (
	"bytes"
	"fmt"
	"slices"
	"strings"
	"unicode/utf8"

	"golang.org/x/text/encoding"
	"golang.org/x/text/encoding/htmlindex"
	"golang.org/x/text/encoding/japanese"
	"golang.org/x/text/encoding/korean"
	"golang.org/x/text/encoding/simplifiedchinese"
	"golang.org/x/text/encoding/traditionalchinese"
	"golang.org/x/text/encoding/unicode"
	"golang.org/x/text/encoding/unicode/utf32"
)

// The names of the encodings that are found by looking.
const (
	UTF8        = "utf-8"
	UTF16LE     = "utf-16le"
	UTF16BE     = "utf-16be"
	UTF32LE     = "utf-32le"
	UTF32BE     = "utf-32be"
	Windows1252 = "windows-1252"
)

// Head is how many bytes of a file are looked at.
const Head = 64 << 10

// Guess is the encoding of a file, as its first bytes show it.
type Guess struct {
	Name string
	Mark int // bytes of the byte order mark
}

// Unclear is the error for bytes that are in none of the encodings that can be found by looking.
type Unclear struct{ Fits []string }

func (e *Unclear) Error() string {
	return "the text is neither UTF-8, UTF-16, UTF-32 nor Windows-1252; it may be " + strings.Join(e.Fits, ", ")
}

var marks = []struct {
	mark string
	name string
}{
	{"\xef\xbb\xbf", UTF8},
	{"\xff\xfe\x00\x00", UTF32LE}, // before UTF-16, whose mark it begins with
	{"\x00\x00\xfe\xff", UTF32BE},
	{"\xff\xfe", UTF16LE},
	{"\xfe\xff", UTF16BE},
}

// Detect finds the encoding of a text that begins with head; whole says that head is all of it.
func Detect(head []byte, whole bool) (Guess, error) {
	for _, m := range marks {
		if bytes.HasPrefix(head, []byte(m.mark)) {
			return Guess{m.name, len(m.mark)}, nil
		}
	}
	if name := wide(head); name != "" {
		return Guess{Name: name}, nil
	}
	if !whole {
		head = wholeLines(head)
	}
	if utf8.Valid(head) {
		return Guess{Name: UTF8}, nil
	}
	lines, odd := 0, 0
	var oddLines []byte
	for line := range bytes.Lines(head) {
		lines++
		if utf8.Valid(line) {
			if hasHigh(line) {
				return Guess{Name: UTF8}, nil // some lines are UTF-8: what is not is looked at line by line
			}
			continue
		}
		odd++
		oddLines = append(oddLines, line...)
	}
	switch {
	case mostlyUTF8(oddLines):
		return Guess{Name: UTF8}, nil
	case western(oddLines):
		return Guess{Name: Windows1252}, nil
	case odd*20 <= lines:
		return Guess{Name: UTF8}, nil // here and there: damage, not another encoding
	}
	return Guess{}, &Unclear{Fits: fitting(oddLines)}
}

// wholeLines cuts off the last line, which the end of what was looked at may have cut; of one long line, the last character.
func wholeLines(head []byte) []byte {
	if i := bytes.LastIndexByte(head, '\n'); i >= 0 {
		return head[:i+1]
	}
	for n := 1; n <= min(utf8.UTFMax, len(head)); n++ {
		if utf8.RuneStart(head[len(head)-n]) {
			if !utf8.FullRune(head[len(head)-n:]) {
				return head[:len(head)-n]
			}
			break
		}
	}
	return head
}

// wide finds UTF-16 and UTF-32 without a mark: in text with spaces, digits, signs of JSON or CSV, a good part of the units have a zero
// byte on one side, and hardly any on the other.
func wide(head []byte) string {
	head = head[:len(head)&^3]
	if len(head) < 8 || bytes.IndexByte(head, 0) < 0 {
		return ""
	}
	var zero [4]int
	for i, c := range head {
		if c == 0 {
			zero[i&3]++
		}
	}
	units := len(head) / 4
	most, few := units*9/10, units/50
	even, odd := zero[0]+zero[2], zero[1]+zero[3]
	switch {
	case zero[2] >= most && zero[3] >= most && zero[0] <= few:
		return UTF32LE
	case zero[0] >= most && zero[1] >= most && zero[3] <= few:
		return UTF32BE
	case odd >= units*2/5 && even <= few:
		return UTF16LE
	case even >= units*2/5 && odd <= few:
		return UTF16BE
	}
	return ""
}

func hasHigh(b []byte) bool {
	return slices.ContainsFunc(b, func(c byte) bool { return c >= utf8.RuneSelf })
}

// hasSequence reports a valid UTF-8 sequence of several bytes.
func hasSequence(b []byte) bool {
	for len(b) > 0 {
		r, size := utf8.DecodeRune(b)
		if size > 1 && r != utf8.RuneError {
			return true
		}
		b = b[size:]
	}
	return false
}

// mostlyUTF8 reports more valid sequences of several bytes than bytes that are none: other encodings have some by chance.
func mostlyUTF8(b []byte) bool {
	good, bad := 0, 0
	for len(b) > 0 {
		r, size := utf8.DecodeRune(b)
		switch {
		case r == utf8.RuneError && size == 1:
			bad++
		case size > 1:
			good++
		}
		b = b[size:]
	}
	return good > bad
}

// unusual are bytes of 80 to 9F that Windows-1252 does not have, or that hardly any text has.
const unusual = "\x81\x82\x83\x86\x87\x88\x89\x8d\x8f\x90\x98\x9d"

// western reports whether bytes that are not UTF-8 can be Windows-1252: none of the unusual bytes, and high bytes alone or by two or three
// between ASCII. Cyrillic, Greek, Arabic and East Asian texts have longer runs of them.
func western(b []byte) bool {
	high, inRuns, run := 0, 0, 0
	for i := 0; i <= len(b); i++ {
		if i < len(b) && b[i] >= utf8.RuneSelf {
			if strings.IndexByte(unusual, b[i]) >= 0 {
				return false
			}
			high++
			run++
			continue
		}
		if run >= 4 {
			inRuns += run
		}
		run = 0
	}
	return high > 0 && inRuns*20 <= high && high*2 <= len(b)
}

var candidates = []struct {
	name string
	enc  encoding.Encoding
}{
	{"shift_jis", japanese.ShiftJIS}, {"euc-jp", japanese.EUCJP}, {"gb18030", simplifiedchinese.GB18030}, {"big5", traditionalchinese.Big5}, {"euc-kr", korean.EUCKR},
}

// fitting names encodings that can read the bytes; those of one byte for each character always can.
func fitting(b []byte) []string {
	var out []string
	for _, c := range candidates {
		text, err := c.enc.NewDecoder().Bytes(b)
		if err == nil && !bytes.ContainsRune(text, utf8.RuneError) {
			out = append(out, c.name)
		}
	}
	return append(out, "windows-1251", "koi8-r", "windows-1253", "windows-1256")
}

// decoder gives the decoder of an encoding by its name, nil for UTF-8 and Windows-1252, which are read line by line.
func decoder(name string) (*encoding.Decoder, error) {
	switch name {
	case UTF8, Windows1252:
		return nil, nil
	case UTF16LE:
		return unicode.UTF16(unicode.LittleEndian, unicode.IgnoreBOM).NewDecoder(), nil
	case UTF16BE:
		return unicode.UTF16(unicode.BigEndian, unicode.IgnoreBOM).NewDecoder(), nil
	case UTF32LE:
		return utf32.UTF32(utf32.LittleEndian, utf32.IgnoreBOM).NewDecoder(), nil
	case UTF32BE:
		return utf32.UTF32(utf32.BigEndian, utf32.IgnoreBOM).NewDecoder(), nil
	}
	e, err := htmlindex.Get(name)
	if err != nil {
		return nil, fmt.Errorf("no encoding is called %q", name)
	}
	return e.NewDecoder(), nil
}

// Canonical is the name of an encoding that a user wrote, in lower case and with aliases resolved (latin1 is windows-1252, as on the web).
func Canonical(name string) (string, error) {
	name = strings.ToLower(strings.TrimSpace(name))
	switch name {
	case UTF32LE, UTF32BE:
		return name, nil
	case "utf-16", "utf-32": // the mark says which
		return "", nil
	}
	e, err := htmlindex.Get(name)
	if err != nil {
		return "", fmt.Errorf("no encoding is called %q", name)
	}
	return htmlindex.Name(e)
}
