package grade

import (
	"iter"
	"sync"

	"github.com/rung-dev/rung"
	"github.com/rung-dev/rung/internal/stats"
)

// Tally holds the scores of one candidate on many examples, in columns: about 150 bytes an example and metric set, whatever
// the answers' length. It is safe for concurrent use.
type Tally struct {
	g  *Grader
	mu sync.Mutex

	n       int // highest index added, and one
	columns []column
	ids     []string
	groups  []string
	there   []bool
	success []bool
	problem []uint8  // index into problems
	mistake []uint32 // index into kinds
	modes   []uint64 // failure modes found by rule, one bit each
	latency []int64  // ns
	cost    []float64
	counts  []counts

	plan    *stats.AnytimePlan // of the suite, once an evaluation has stopped early
	answers int                // to each example, one after another; 0 and 1 are one

	by map[string]map[rung.Digest]bool // metric from outside → who gave its values

	problems []rung.Problem
	kinds    []string
	kindNo   map[string]uint32
}

// column is one metric of all examples.
type column struct {
	own   []float64 // own scores
	parts []float32 // width of the metric each; counts, so exact
}

// counts are an answer's calls and tokens.
type counts struct {
	made, cached, failed, retries uint16
	in, out                       uint32
}

// maxKinds bounds the kinds of mistakes that are told apart: their names come from answers.
const maxKinds = 10_000

const otherMistakes = "other"

// NewTally makes a tally with room for capacity examples; it grows when there are more.
func (g *Grader) NewTally(capacity int) *Tally {
	t := &Tally{g: g, columns: make([]column, len(g.metrics)), kindNo: map[string]uint32{"": 0, otherMistakes: 1}, kinds: []string{"", otherMistakes},
		problems: []rung.Problem{rung.NoProblem}}
	t.grow(capacity)
	return t
}

// grow makes room for n examples.
func (t *Tally) grow(n int) {
	for i := range t.columns {
		c := &t.columns[i]
		c.own = extend(c.own, n)
		if w := t.g.metrics[i].width; w > 0 {
			c.parts = extend(c.parts, n*w)
		}
	}
	t.ids, t.groups, t.there = extend(t.ids, n), extend(t.groups, n), extend(t.there, n)
	t.success, t.problem, t.mistake, t.modes = extend(t.success, n), extend(t.problem, n), extend(t.mistake, n), extend(t.modes, n)
	t.latency, t.cost, t.counts = extend(t.latency, n), extend(t.cost, n), extend(t.counts, n)
}

func extend[E any](s []E, n int) []E {
	if n <= len(s) {
		return s
	}
	out := make([]E, n)
	copy(out, s)
	return out
}

// Add grades an answer and keeps the score. index is the example's position in the frozen order; adding the same index again
// replaces what was there. The order of adding changes nothing.
func (t *Tally) Add(index int, ex *rung.Example, ans *rung.Answer) rung.Score {
	r := t.g.read(ex, ans)
	own, parts := t.g.grades(r)
	s := t.g.scoreOf(r, own)
	bits := t.g.shows(r, &s)
	s.Modes = t.g.modeNames(bits)
	t.keep(index, ex, &s, own, parts, bits)
	return s
}

// grades are the own scores and the parts of all metrics, one after another.
func (g *Grader) grades(r *reading) (own, parts []float64) {
	width := 0
	for i := range g.metrics {
		width += g.metrics[i].width
	}
	room := make([]float64, len(g.metrics)+width)
	own, parts = room[:len(g.metrics)], room[len(g.metrics):]
	at := 0
	for i := range g.metrics {
		m := &g.metrics[i]
		own[i] = m.score(r, parts[at:at+m.width])
		at += m.width
	}
	return own, parts
}

func (t *Tally) keep(index int, ex *rung.Example, s *rung.Score, own, parts []float64, modes uint64) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if index >= len(t.there) {
		t.grow(max(index+1, 2*len(t.there)))
	}
	t.n = max(t.n, index+1)
	at := 0
	for i := range t.columns {
		c, w := &t.columns[i], t.g.metrics[i].width
		c.own[index] = own[i]
		for j := range w {
			c.parts[index*w+j] = float32(parts[at+j])
		}
		at += w
	}
	a := &s.Answer
	t.hear(a)
	t.there[index], t.ids[index], t.groups[index] = true, ex.ID, ex.Group
	t.success[index], t.problem[index], t.mistake[index] = s.Success, t.problemNo(a.Problem), t.mistakeNo(s.Mistake)
	t.modes[index] = modes
	t.latency[index], t.cost[index] = int64(a.Latency), a.CostUSD
	t.counts[index] = counts{made: short(a.Made), cached: short(a.Cached), failed: short(a.Failed), retries: short(a.Retries),
		in: long(a.Usage.In), out: long(a.Usage.Out)}
}

func short(n int) uint16 { return uint16(min(max(n, 0), 1<<16-1)) }
func long(n int) uint32  { return uint32(min(max(n, 0), 1<<32-1)) }

func (t *Tally) problemNo(p rung.Problem) uint8 {
	for i, known := range t.problems {
		if p == known {
			return uint8(i)
		}
	}
	if len(t.problems) == 255 { // there are nine; a store can hold anything
		return 254
	}
	t.problems = append(t.problems, p)
	return uint8(len(t.problems) - 1)
}

func (t *Tally) mistakeNo(kind string) uint32 {
	if no, ok := t.kindNo[kind]; ok {
		return no
	}
	if len(t.kinds) >= maxKinds {
		return 1
	}
	t.kinds = append(t.kinds, kind)
	no := uint32(len(t.kinds) - 1)
	t.kindNo[kind] = no
	return no
}

// FromScores rebuilds a tally from stored scores: the answers are graded again against examples, which are in the frozen
// order. A score of an example that is not among them is passed over; an example without a score stays out, so that n shows it.
func (g *Grader) FromScores(seq iter.Seq2[rung.Score, error], examples []rung.Example) (*Tally, error) {
	at := make(map[string]int, len(examples))
	for i := range examples {
		at[examples[i].ID] = i
	}
	t := g.NewTally(len(examples))
	for s, err := range seq {
		if err != nil {
			return nil, err
		}
		if i, ok := at[s.Example]; ok {
			t.Add(i, &examples[i], &s.Answer)
		}
	}
	return t, nil
}

// Len is the number of examples added.
func (t *Tally) Len() int {
	t.mu.Lock()
	defer t.mu.Unlock()
	n := 0
	for _, there := range t.there {
		if there {
			n++
		}
	}
	return n
}
