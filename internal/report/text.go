package report

import (
	"fmt"
	"strings"
	"unicode"

	"golang.org/x/text/width"
)

// clean makes text from outside fit for a terminal line: control characters, escape sequences and the marks that reverse
// the direction of text become visible, line breaks become spaces.
func clean(s string) string {
	var b strings.Builder
	for _, r := range s {
		switch {
		case r == '\n' || r == '\t' || r == '\r':
			b.WriteByte(' ')
		case hidden(r):
			fmt.Fprintf(&b, "\\u%04x", r)
		default:
			b.WriteRune(r)
		}
	}
	return b.String()
}

// hidden reports characters that act on the terminal or on the order of the text instead of being read.
func hidden(r rune) bool {
	return unicode.IsControl(r) || unicode.Is(unicode.Bidi_Control, r) || r == '\u2028' || r == '\u2029' || r == '\ufeff'
}

// plain writes typographic marks in ASCII; anything else that is not ASCII becomes a question mark.
func plain(s string) string {
	s = asciiMarks.Replace(s)
	return strings.Map(func(r rune) rune {
		if r > unicode.MaxASCII {
			return '?'
		}
		return r
	}, s)
}

var asciiMarks = strings.NewReplacer("–", "-", "—", "-", "−", "-", "≥", ">=", "≤", "<=", "α", "alpha", "…", "...", "·", "-",
	"✓", "+", "✗", "x", "▶", ">", "×", "x", "’", "'", "‘", "'", "“", `"`, "”", `"`, "→", "->", "β", "beta", "±", "+/-")

// columns is how many terminal cells s takes.
func columns(s string) int {
	n := 0
	for _, r := range s {
		n += cells(r)
	}
	return n
}

func cells(r rune) int {
	if r < 0x300 {
		return 1
	}
	if unicode.Is(unicode.Mn, r) || unicode.Is(unicode.Me, r) || unicode.Is(unicode.Cf, r) {
		return 0
	}
	switch width.LookupRune(r).Kind() {
	case width.EastAsianWide, width.EastAsianFullwidth:
		return 2
	}
	return 1
}

// cut shortens s to n cells, with an ellipsis where something is missing.
func cut(s string, n int, ellipsis string) string {
	if len(fitting(s, n)) == len(s) {
		return s
	}
	return strings.TrimRight(fitting(s, n-columns(ellipsis)), " ") + ellipsis
}

// fitting is the longest beginning of s that takes at most n cells.
func fitting(s string, n int) string {
	for i, r := range s {
		if n -= cells(r); n < 0 {
			return s[:i]
		}
	}
	return s
}

// wrap breaks s into lines of at most n cells; a word that is longer is broken.
func wrap(s string, n int) []string {
	n = max(n, 10)
	var lines []string
	line, used := "", 0
	for _, word := range strings.Fields(s) {
		for head := fitting(word, n); len(head) < len(word); head = fitting(word, n) {
			if used > 0 {
				lines, line, used = append(lines, line), "", 0
			}
			lines, word = append(lines, head), word[len(head):]
		}
		w := columns(word)
		if used > 0 && used+1+w > n {
			lines, line, used = append(lines, line), "", 0
		}
		if used > 0 {
			line, used = line+" ", used+1
		}
		line, used = line+word, used+w
	}
	if used > 0 || len(lines) == 0 {
		lines = append(lines, line)
	}
	return lines
}

// left and right pad s to n cells.
func left(s string, n int) string  { return s + strings.Repeat(" ", max(0, n-columns(s))) }
func right(s string, n int) string { return strings.Repeat(" ", max(0, n-columns(s))) + s }

// Columns lays rows of text out in columns, two cells apart. Text from outside is made fit for a terminal.
func Columns(rows [][]string) []string {
	var widths []int
	for _, row := range rows {
		for i, cell := range row {
			if i == len(widths) {
				widths = append(widths, 0)
			}
			widths[i] = max(widths[i], columns(clean(cell)))
		}
	}
	out := make([]string, len(rows))
	for r, row := range rows {
		var b strings.Builder
		for i, cell := range row {
			b.WriteString(left(clean(cell), widths[i]) + "  ")
		}
		out[r] = strings.TrimRight(b.String(), " ")
	}
	return out
}
