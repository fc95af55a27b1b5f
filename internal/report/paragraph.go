package report

import "strings"

// Paragraph is text from outside, fit for a terminal, in lines of at most n cells. Its own line breaks are kept.
func Paragraph(s string, n int) []string {
	var out []string
	for line := range strings.SplitSeq(strings.TrimRight(s, "\n"), "\n") {
		line = clean(strings.TrimRight(line, "\r"))
		indent := line[:len(line)-len(strings.TrimLeft(line, " "))]
		if len(indent) > n/2 {
			indent = ""
		}
		for _, piece := range wrap(line, n-len(indent)) {
			out = append(out, indent+piece)
		}
	}
	return out
}

// Beside lays two texts side by side, each n cells wide.
func Beside(a, b string, n int) []string {
	x, y := Paragraph(a, n), Paragraph(b, n)
	var out []string
	for i := range max(len(x), len(y)) {
		var l, r string
		if i < len(x) {
			l = x[i]
		}
		if i < len(y) {
			r = y[i]
		}
		out = append(out, strings.TrimRight(left(l, n)+" │ "+r, " "))
	}
	return out
}
