package grade

import "strings"

// ROUGE-Lsum (Lin 2004, section 3.2), with rouge-score's figures: sentences are lines; for each line of the reference the words
// are counted that stand in a longest common subsequence with any line of the hypothesis, each word no oftener than both have it.

// sumWords is how many words of a line are read: the common subsequence itself is needed here, for which a table is filled.
const sumWords = 2000

// RougeLsum scores a hypothesis against its references; the one with the best F counts, the first of equals.
func RougeLsum(hyp string, refs []string, stem bool) PRF {
	r := rouges.Get().(*rougeScratch)
	defer r.release()
	var best PRF
	for i, ref := range refs {
		r.words.begin()
		one := r.summary(hyp, ref, stem)
		if i == 0 || one.F > best.F {
			best = one
		}
	}
	return best
}

func (r *rougeScratch) summary(hyp, ref string, stem bool) PRF {
	h, n := r.lines(hyp, stem)
	g, m := r.lines(ref, stem)
	if n == 0 || m == 0 {
		return PRF{}
	}
	left := make([][2]int, r.words.used+1)
	for side, list := range [][][]uint32{h, g} {
		for _, line := range list {
			for _, w := range line {
				left[w][side]++
			}
		}
	}
	matched := 0
	for _, line := range g {
		in := make([]bool, len(line))
		for _, other := range h {
			markCommon(in, line, other)
		}
		for i, w := range line {
			if in[i] && left[w][0] > 0 && left[w][1] > 0 {
				left[w][0]--
				left[w][1]--
				matched++
			}
		}
	}
	return prf(float64(matched), n, m)
}

// lines are the numbers of the words of each line, and how many words there are.
func (r *rougeScratch) lines(s string, stem bool) (lines [][]uint32, n int) {
	s = s[:min(len(s), maxText)]
	for line := range strings.SplitSeq(s, "\n") {
		words := r.symbols(nil, line, stem, true)
		n += len(words)
		lines = append(lines, words[:min(len(words), sumWords)])
	}
	return lines, n
}

// markCommon marks the words of a that stand in one longest common subsequence with b; of several the one that rouge-score reads
// out.
func markCommon(in []bool, a, b []uint32) {
	w := len(b) + 1
	table := make([]uint16, (len(a)+1)*w)
	for i := range a {
		above, row := table[i*w:(i+1)*w], table[(i+1)*w:(i+2)*w]
		for j := range b {
			if a[i] == b[j] {
				row[j+1] = above[j] + 1
			} else {
				row[j+1] = max(above[j+1], row[j])
			}
		}
	}
	for i, j := len(a), len(b); i > 0 && j > 0; {
		switch {
		case a[i-1] == b[j-1]:
			in[i-1] = true
			i, j = i-1, j-1
		case table[i*w+j-1] > table[(i-1)*w+j]:
			j--
		default:
			i--
		}
	}
}
