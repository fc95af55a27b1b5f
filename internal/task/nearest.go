package task

import "strings"

// nearest is the known word that s is most likely a slip of, empty when none is near: at most a third of the letters differ.
func nearest(s string, known []string) string {
	best, bestAt := "", 1+max(1, len(s)/3)
	flat := func(w string) string { return strings.NewReplacer("-", "_", " ", "_").Replace(strings.ToLower(w)) }
	for _, k := range known {
		if d := edits(flat(s), flat(k)); d < bestAt {
			best, bestAt = k, d
		}
	}
	return best
}

// edits is the number of insertions, deletions, replacements and swaps of neighbours between a and b
// (optimal string alignment distance).
func edits(a, b string) int {
	if len(a) > 100 || len(b) > 100 {
		return 100
	}
	rows := make([][]int, len(a)+1)
	for i := range rows {
		rows[i] = make([]int, len(b)+1)
		rows[i][0] = i
	}
	for j := range rows[0] {
		rows[0][j] = j
	}
	for i := 1; i <= len(a); i++ {
		for j := 1; j <= len(b); j++ {
			same := 1
			if a[i-1] == b[j-1] {
				same = 0
			}
			d := min(rows[i-1][j]+1, rows[i][j-1]+1, rows[i-1][j-1]+same)
			if i > 1 && j > 1 && a[i-1] == b[j-2] && a[i-2] == b[j-1] {
				d = min(d, rows[i-2][j-2]+1)
			}
			rows[i][j] = d
		}
	}
	return rows[len(a)][len(b)]
}
