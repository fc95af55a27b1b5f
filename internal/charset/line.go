package charset

import (
	"bytes"
	"fmt"
	"strings"
	"unicode/utf16"
	"unicode/utf8"

	"golang.org/x/text/encoding/charmap"
)

// Kind is what was done to a text.
type Kind string

// The kinds.
const (
	NUL       Kind = "NUL bytes removed"
	Latin     Kind = "read as windows-1252"           // a line of a file that is UTF-8 elsewhere
	Unicode   Kind = "read as utf-8"                  // a line of a file that is Windows-1252 elsewhere
	Invalid   Kind = "invalid bytes replaced"         // by U+FFFD
	Surrogate Kind = "lone surrogate replaced"        // by U+FFFD
	CESU      Kind = "surrogate pair in UTF-8 joined" // CESU-8
	LineEnds  Kind = "line ends within values made \\n"
	Mojibake  Kind = "double-encoded UTF-8 repaired"
	Suspected Kind = "suspected double-encoded UTF-8, left as it is"
	Binary    Kind = "binary value left out"
	NotANum   Kind = "NaN or infinity left out"
)

// Repair is one thing done to a row, with the surroundings of its first place.
type Repair struct {
	Kind          Kind
	Before, After string
}

// Fix gives a line as valid UTF-8 without NUL bytes, and what was done. file is the encoding of the file. A line that is right already is
// given back itself.
func Fix(line []byte, file string) ([]byte, []Repair) {
	nul := bytes.IndexByte(line, 0)
	if nul < 0 && utf8.Valid(line) {
		if file == Windows1252 && hasHigh(line) {
			return line, []Repair{repair(Unicode, line, line, firstHigh(line))}
		}
		return line, nil
	}
	var done []Repair
	if nul >= 0 {
		out := withoutNUL(line)
		done = append(done, repair(NUL, line, out, nul))
		line = out
	}
	if utf8.Valid(line) {
		return line, done
	}
	if out, at := joinPairs(line); at >= 0 {
		done = append(done, repair(CESU, line, out, at))
		line = out
	}
	if utf8.Valid(line) {
		return line, done
	}
	at := firstInvalid(line)
	if !hasSequence(line) && western(line) {
		out, err := charmap.Windows1252.NewDecoder().Bytes(line)
		if err == nil {
			if file != Windows1252 {
				done = append(done, repair(Latin, line, out, at))
			}
			return out, done
		}
	}
	kind := Invalid
	if loneSurrogate(line[at:]) {
		kind = Surrogate
	}
	out := replaceInvalid(line)
	return out, append(done, repair(kind, line, out, at))
}

func withoutNUL(line []byte) []byte {
	out := make([]byte, 0, len(line))
	for _, c := range line {
		if c != 0 {
			out = append(out, c)
		}
	}
	return out
}

func firstHigh(b []byte) int {
	for i, c := range b {
		if c >= utf8.RuneSelf {
			return i
		}
	}
	return 0
}

func firstInvalid(b []byte) int {
	for i := 0; i < len(b); {
		r, size := utf8.DecodeRune(b[i:])
		if r == utf8.RuneError && size == 1 {
			return i
		}
		i += size
	}
	return len(b)
}

// replaceInvalid puts one U+FFFD in the place of each run of bytes that are no UTF-8, as far as they could have been one character.
func replaceInvalid(b []byte) []byte {
	out := make([]byte, 0, len(b)+16)
	for i := 0; i < len(b); {
		r, size := utf8.DecodeRune(b[i:])
		if r != utf8.RuneError || size > 1 {
			out = append(out, b[i:i+size]...)
			i += size
			continue
		}
		out = append(out, "\ufffd"...)
		lead := b[i]
		for i++; i < len(b) && lead >= 0xc2 && b[i]&0xc0 == 0x80; i++ {
		}
	}
	return out
}

// surrogateAt is the surrogate that three bytes stand for, as CESU-8 and Java write them.
func surrogateAt(b []byte) (rune, bool) {
	if len(b) < 3 || b[0] != 0xed || b[1] < 0xa0 || b[1] > 0xbf || b[2]&0xc0 != 0x80 {
		return 0, false
	}
	return 0xd000 | rune(b[1]&0x3f)<<6 | rune(b[2]&0x3f), true
}

func loneSurrogate(b []byte) bool {
	_, ok := surrogateAt(b)
	return ok
}

// joinPairs writes surrogate pairs of CESU-8 as the characters that they stand for; at is the first, -1 without any.
func joinPairs(b []byte) (out []byte, at int) {
	at = -1
	copied := 0
	for i := 0; i+6 <= len(b); i++ {
		high, ok := surrogateAt(b[i:])
		if !ok {
			continue
		}
		low, ok := surrogateAt(b[i+3:])
		if r := utf16.DecodeRune(high, low); ok && r != utf8.RuneError {
			if at < 0 {
				at = i
			}
			out = utf8.AppendRune(append(out, b[copied:i]...), r)
			copied = i + 6
			i += 5
		}
	}
	if at < 0 {
		return b, -1
	}
	return append(out, b[copied:]...), at
}

const around = 24

// repair makes the record of a repair: the surroundings of the place before and after.
func repair(kind Kind, before, after []byte, at int) Repair {
	return Repair{Kind: kind, Before: Excerpt(before, at), After: Excerpt(after, min(at, len(after)))}
}

// Excerpt is what stands around a place, fit to be read: bytes that are no text are written \x...
func Excerpt(b []byte, at int) string {
	start, end := max(0, at-around), min(len(b), at+around)
	for start > 0 && start < at && !utf8.RuneStart(b[start]) {
		start++
	}
	var s strings.Builder
	for part := b[start:end]; len(part) > 0; {
		r, size := utf8.DecodeRune(part)
		switch {
		case r == utf8.RuneError && size == 1 && !utf8.FullRune(part) && start+len(b[start:end]) < len(b):
			return s.String() // cut by the end of the excerpt
		case r == utf8.RuneError && size == 1 || r < ' ':
			fmt.Fprintf(&s, `\x%02x`, part[0])
		default:
			s.WriteRune(r)
		}
		part = part[size:]
	}
	return s.String()
}
