package label

import (
	"cmp"
	"fmt"
	"maps"
	"math"
	"math/rand/v2"
	"slices"

	"github.com/rung-dev/rung"
)

// Strategy says by what the next rows to label are chosen.
type Strategy string

// The strategies. Each keeps a random part.
const (
	Random       Strategy = "random"
	Uncertainty  Strategy = "uncertainty"  // rows of which a model is least sure
	Disagreement Strategy = "disagreement" // rows on which subjects give different answers
	Coverage     Strategy = "coverage"     // failure modes in turns, then a typical row of each group of inputs that has no label yet
	Mix          Strategy = "mix"          // a part each of all that is known
)

// Strategies are all of them, in the order in which they are listed.
var Strategies = []Strategy{Uncertainty, Disagreement, Coverage, Random, Mix}

// AtRandom is Pick.Why of the unbiased part.
const AtRandom = string(Random)

// Pick is a chosen row and why it was chosen: "random", "uncertainty", "disagreement", "coverage" or "mode NAME".
type Pick struct {
	At  int
	Why string
}

// defaultRandom is the share of the items that is drawn at random unless the lead says otherwise, leastRandom what is kept of it.
const (
	defaultRandom = .2
	leastRandom   = .05
)

// chooser picks rows one after another.
type chooser struct {
	pool  []Row
	picks []Pick
	taken []bool
	index *index
	want  int
}

// Choose picks o.Items rows of the pool (all, if it is 0): first those drawn at random, so that each row of the pool is as likely as any
// other to be among them, then the others. Notes say what could not be done as asked.
func Choose(pool []Row, known []rung.DatasetRow, o *Options) ([]Pick, []string) {
	n := len(pool)
	if o.Items > 0 {
		n = min(o.Items, n)
	}
	o.Choose = cmp.Or(o.Choose, Mix)
	c := &chooser{pool: pool, taken: make([]bool, len(pool)), want: n}
	rng := rand.New(rand.NewPCG(o.Seed, 0xc4005e))
	order := rng.Perm(len(pool))
	drawn := n
	if o.Choose != Random && n < len(pool) {
		drawn = int(math.Ceil(max(cmp.Or(o.Random, defaultRandom), leastRandom) * float64(n)))
	}
	for _, at := range order[:min(drawn, n)] {
		c.take(at, AtRandom)
	}
	if len(c.picks) == n {
		return c.picks, nil
	}
	c.index = newIndex(pool, known)
	notes := c.rest(o, order)
	return c.picks, notes
}

func (c *chooser) take(at int, why string) {
	if !c.taken[at] && len(c.picks) < c.want {
		c.taken[at] = true
		c.picks = append(c.picks, Pick{at, why})
	}
}

// rest fills up by the strategy. Where nothing is known to go by, coverage takes its place, and that is said.
func (c *chooser) rest(o *Options, order []int) (notes []string) {
	doubt := func(r *Row) float64 { return r.Doubt }
	apart := func(r *Row) float64 { return r.Apart }
	left := c.want - len(c.picks)
	part := map[Strategy]int{o.Choose: left}
	if o.Choose == Mix {
		kinds := []Strategy{Coverage}
		if c.knows(doubt) {
			kinds = append(kinds, Uncertainty)
		}
		if c.knows(apart) {
			kinds = append(kinds, Disagreement)
		}
		part = map[Strategy]int{}
		for i, k := range kinds {
			part[k] = (left + i) / len(kinds)
		}
	}
	if n := part[Disagreement]; n > 0 {
		c.top(n, apart, string(Disagreement), order)
	}
	if n := part[Uncertainty]; n > 0 {
		c.top(n, doubt, string(Uncertainty), order)
	}
	if missing := left - part[Coverage] - (len(c.picks) - (c.want - left)); missing > 0 {
		notes = append(notes, fmt.Sprintf("%d rows that were to be chosen by %s are chosen by coverage: nothing more is known of the pool's rows to go by.", missing, o.Choose))
	}
	c.cover(c.want-len(c.picks), order)
	for _, at := range order { // where there are hardly any groups
		c.take(at, string(Coverage))
	}
	return notes
}

func (c *chooser) knows(of func(*Row) float64) bool {
	return slices.ContainsFunc(c.pool, func(r Row) bool { return of(&r) > 0 })
}

// alike is the cosine from which on two rows say nearly the same: of those one is enough.
const alike = .8

// top takes the n rows with the highest value above 0, passing over those that are nearly the same as one that was taken.
func (c *chooser) top(n int, of func(*Row) float64, why string, order []int) {
	var ranked []int
	for _, at := range order { // among equals at random, and always the same
		if v := of(&c.pool[at]); !c.taken[at] && v > 0 {
			ranked = append(ranked, at)
		}
	}
	slices.SortStableFunc(ranked, func(a, b int) int { return cmp.Compare(of(&c.pool[b]), of(&c.pool[a])) })
	var mine, passed []int
	for _, at := range ranked {
		if len(mine) == n {
			break
		}
		if slices.ContainsFunc(mine, func(m int) bool { return c.index.cosine(at, m) >= alike }) {
			passed = append(passed, at)
			continue
		}
		mine = append(mine, at)
		c.take(at, why)
	}
	for _, at := range passed {
		if len(mine) == n {
			break
		}
		mine = append(mine, at)
		c.take(at, why)
	}
}

// cover takes rows of failure modes in turns, the least covered mode first, and then a typical row of each group of inputs, those groups
// first that hold most rows and no label.
func (c *chooser) cover(n int, order []int) {
	byMode := map[string][]int{}
	for _, at := range order {
		for _, m := range c.pool[at].Modes {
			byMode[m] = append(byMode[m], at)
		}
	}
	names := slices.Sorted(maps.Keys(byMode))
	for turn := 0; len(names) > 0 && turn < len(c.pool); turn++ {
		before := n
		for _, m := range names {
			for len(byMode[m]) > 0 && n > 0 {
				at := byMode[m][0]
				byMode[m] = byMode[m][1:]
				if !c.taken[at] {
					c.take(at, "mode "+m)
					n--
					break
				}
			}
		}
		if n == before {
			break
		}
	}
	for _, at := range c.index.typical(n, c.taken, order) {
		c.take(at, string(Coverage))
	}
}
