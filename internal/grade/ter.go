package grade

import (
	"slices"
	"strings"
)

// TER (Snover et al. 2006), with sacrebleu's figures, which follow Tercom: words by white space in lower case; the edits are
// insertions, deletions, substitutions and shifts of phrases, which are found greedily. The heuristics and limits are Tercom's.

// TERWidth is the number of parts of one pair: the fewest edits to one of the references, and their mean length.
const TERWidth = 2

const (
	terShiftWords     = 10   // longest phrase that is shifted
	terShiftDistance  = 50   // farthest
	terBeam           = 25   // around the diagonal of the table of edits
	terMaxCandidates  = 1000 // shifts that are tried in all
	terInfinity       = 1 << 29
	terMaxWords       = 2000 // a text is cut here, so that a hostile answer costs no more than this
	terKeep, terSub   = 0, 1
	terDelete, terAdd = 2, 3
)

// TERParts fills parts, TERWidth long, with the parts of a hypothesis and its references. They add up over a corpus.
func TERParts(parts []float64, hyp string, refs []string) {
	clear(parts[:TERWidth])
	if len(refs) == 0 {
		return
	}
	var words lexicon
	words.begin()
	h := terWords(&words, hyp)
	fewest, length := terInfinity, 0
	for _, ref := range refs {
		r := terWords(&words, ref)
		fewest = min(fewest, terEdits(h, r))
		length += len(r)
	}
	parts[0], parts[1] = float64(fewest), float64(length)/float64(len(refs))
}

// TER is the score of summed parts: 100 times edits over reference words, 0 for equal texts and above 100 for hopeless ones.
func TER(parts []float64) float64 {
	switch {
	case parts[1] > 0:
		return 100 * parts[0] / parts[1]
	case parts[0] > 0:
		return 100
	}
	return 0
}

func terWords(l *lexicon, s string) []uint32 {
	list := strings.FieldsFunc(strings.ToLower(s[:min(len(s), maxText)]), pythonSpace)
	out := make([]uint32, 0, min(len(list), terMaxWords))
	for _, w := range list[:min(len(list), terMaxWords)] {
		out = append(out, l.id(w, true))
	}
	return out
}

// terEdits are the edits from a hypothesis to one reference.
func terEdits(hyp, ref []uint32) int {
	if len(ref) == 0 {
		return len(hyp)
	}
	t := newTERTable(ref, len(hyp))
	shifts, tried := 0, 0
	for {
		t.fill(hyp, 0)
		gain, better := t.bestShift(hyp, &tried)
		if tried >= terMaxCandidates || gain <= 0 {
			return shifts + t.edits(len(hyp))
		}
		shifts++
		hyp = better
	}
}

// terTable is the table of edits between a hypothesis and a reference: row i is for its first i words.
type terTable struct {
	ref   []uint32
	cost  [][]int32
	op    [][]uint8
	spare [][]int32 // of a shifted hypothesis
	ratio float64
	beam  int
}

func newTERTable(ref []uint32, n int) *terTable {
	t := &terTable{ref: ref, ratio: 1, beam: terBeam}
	if n > 0 {
		t.ratio = float64(len(ref)) / float64(n)
	}
	if terBeam < t.ratio/2 {
		t.beam = int(t.ratio/2) + terBeam
		if float64(t.beam) < t.ratio/2+terBeam {
			t.beam++
		}
	}
	w := len(ref) + 1
	costs, spares, ops := make([]int32, (n+1)*w), make([]int32, (n+1)*w), make([]uint8, (n+1)*w)
	for i := range n + 1 {
		t.cost = append(t.cost, costs[i*w:(i+1)*w])
		t.spare = append(t.spare, spares[i*w:(i+1)*w])
		t.op = append(t.op, ops[i*w:(i+1)*w])
	}
	for j := range w {
		t.cost[0][j], t.spare[0][j], t.op[0][j] = int32(j), int32(j), terAdd
	}
	return t
}

func (t *terTable) edits(n int) int { return int(t.cost[n][len(t.ref)]) }

// fill computes the rows after the first from.
func (t *terTable) fill(hyp []uint32, from int) {
	for i := from + 1; i <= len(hyp); i++ {
		t.row(t.cost[i-1], t.cost[i], t.op[i], hyp[i-1], i, len(hyp))
	}
}

// row computes one row from the one before; op may be nil.
func (t *terTable) row(before, row []int32, op []uint8, word uint32, i, n int) {
	low, high := t.window(i, n)
	for j := range row {
		row[j] = terInfinity
	}
	for j := low; j < high; j++ {
		if j == 0 {
			row[0] = before[0] + 1
			if op != nil {
				op[0] = terDelete
			}
			continue
		}
		cost, how := before[j-1]+1, uint8(terSub)
		if word == t.ref[j-1] {
			cost, how = before[j-1], terKeep
		}
		if c := before[j] + 1; c < cost {
			cost, how = c, terDelete
		}
		if c := row[j-1] + 1; c < cost {
			cost, how = c, terAdd
		}
		row[j] = min(cost, terInfinity)
		if op != nil {
			op[j] = how
		}
	}
}

// window are the columns of row i that are looked at: those about the diagonal, in the last row all to its right.
func (t *terTable) window(i, n int) (low, high int) {
	diagonal := int(float64(i) * t.ratio)
	low, high = max(0, diagonal-t.beam), min(len(t.ref)+1, diagonal+t.beam)
	if i == n {
		high = len(t.ref) + 1
	}
	return low, high
}

// shifted is how many edits a hypothesis takes that equals the one in the table for its first same words.
func (t *terTable) shifted(hyp []uint32, same int) int {
	before := t.cost[same]
	for i := same + 1; i <= len(hyp); i++ {
		t.row(before, t.spare[i], nil, hyp[i-1], i, len(hyp))
		before = t.spare[i]
	}
	return int(before[len(t.ref)])
}

// alignment reads the table back: for each reference word the hypothesis word that it stands by, and which words of both are errors.
func (t *terTable) alignment(n int) (align []int, refWrong, hypWrong []bool) {
	align, refWrong, hypWrong = make([]int, len(t.ref)), make([]bool, len(t.ref)), make([]bool, n)
	for i, j := n, len(t.ref); i > 0 || j > 0; {
		switch t.op[i][j] {
		case terKeep, terSub:
			wrong := t.op[i][j] == terSub
			i, j = i-1, j-1
			align[j], refWrong[j], hypWrong[i] = i, wrong, wrong
		case terAdd: // a reference word without a place of its own stands by the last word before it
			j--
			align[j], refWrong[j] = i-1, true
		default:
			i--
			hypWrong[i] = true
		}
	}
	return align, refWrong, hypWrong
}

// terShift is a shift of length words from start to before target.
type terShift struct{ gain, length, start, target int }

// better is Tercom's order: the most edits saved, then the longest phrase, then the earliest from, then the earliest to.
func (s terShift) better(o terShift) bool {
	return slices.Compare([]int{s.gain, s.length, -s.start, -s.target}, []int{o.gain, o.length, -o.start, -o.target}) > 0
}

// bestShift tries the shifts of phrases that stand elsewhere in the reference.
func (t *terTable) bestShift(hyp []uint32, tried *int) (gain int, shifted []uint32) {
	align, refWrong, hypWrong := t.alignment(len(hyp))
	now := t.edits(len(hyp))
	var best terShift
	found := false
	for start := range hyp {
		for at := max(0, start-terShiftDistance); at < len(t.ref) && at <= start+terShiftDistance; at++ {
			for length := 1; length <= terShiftWords && start+length <= len(hyp) && at+length <= len(t.ref) && hyp[start+length-1] == t.ref[at+length-1]; length++ {
				if !slices.Contains(hypWrong[start:start+length], true) || !slices.Contains(refWrong[at:at+length], true) ||
					start <= align[at] && align[at] < start+length {
					continue
				}
				before := -1
				for offset := -1; offset < length; offset++ {
					target := 0
					if at+offset >= 0 {
						target = align[at+offset] + 1
					}
					if target == before {
						continue
					}
					before = target
					next := shift(hyp, start, length, target)
					c := terShift{now - t.shifted(next, min(start, target)), length, start, target}
					*tried++
					if !found || c.better(best) {
						best, shifted, found = c, next, true
					}
				}
				if *tried >= terMaxCandidates {
					return best.gain, shifted
				}
			}
		}
	}
	return best.gain, shifted
}

// shift moves a phrase.
func shift(words []uint32, start, length, target int) []uint32 {
	n := len(words)
	phrase := words[start : start+length]
	switch {
	case target < start:
		return slices.Concat(words[:target], phrase, words[target:start], words[start+length:])
	case target > start+length:
		return slices.Concat(words[:start], words[start+length:target], phrase, words[target:])
	}
	end := min(length+target, n)
	return slices.Concat(words[:start], words[start+length:end], phrase, words[end:])
}
