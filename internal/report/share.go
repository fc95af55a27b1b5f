package report

import "github.com/rung-dev/rung"

// Share writes a share with its interval, ".12 [.08–.17]".
func Share(iv rung.Interval) string { return figures{digits: 3}.interval(iv) }

// Line is text from outside on one line of at most n cells, fit for a terminal.
func Line(s string, n int) string { return cut(clean(s), n, "…") }

// Change writes a difference with its interval, "+.031 [+.002, +.060]".
func Change(iv rung.Interval) string { return figures{digits: 3}.change(iv) }
