package report

import (
	"strings"

	"github.com/rung-dev/rung"
)

// Share writes a share with its interval, ".12 [.08–.17]".
func Share(iv rung.Interval) string { return figures{digits: 3}.interval(iv) }

// Line is text from outside on one line of at most n cells, fit for a terminal.
func Line(s string, n int) string { return cut(clean(s), n, "…") }

// Change writes a difference with its interval, "+.031 [+.002, +.060]".
func Change(iv rung.Interval) string { return figures{digits: 3}.change(iv) }

// P writes a p-value for a column of them: ".012", "<.001".
func P(p float64) string {
	s := strings.TrimPrefix(figures{}.pvalue(p), "p ")
	return strings.Replace(strings.TrimPrefix(s, "= "), "< ", "<", 1)
}
