package data

import (
	"cmp"
	"fmt"
	"math"
	"slices"
	"strings"

	"github.com/rung-dev/rung"
)

// Where counts are asked for, or each label or segment shall have its share of every split, units are dealt and not hashed alone: within
// a stratum they stand in the order of their positions, and the first go to held-out, the next to dev. So a split stays as it is when
// rows are added only as far as the strata keep their sizes; a dataset keeps its splits by its files.

// deals reports whether units are dealt to exact sizes.
func (s *splitter) deals() bool {
	return s.rules.By != rung.SplitByTime && s.rules.By != rung.SplitBySegment && (len(s.rules.Counts) > 0 || len(s.rules.Stratify) > 0)
}

// stratum is units of one label, segment or both.
type stratum struct {
	name  string
	units []*unit
	rows  int
}

// deal decides the split of every unit by strata.
func (s *splitter) deal(marked map[rung.Split]bool) error {
	have, open := map[rung.Split]int{}, 0
	strata := map[string]*stratum{}
	for _, u := range s.units {
		switch {
		case u.marked[rung.HeldoutIs]:
			u.split = rung.HeldoutIs
		case u.marked[rung.Dev]:
			u.split = rung.Dev
		case u.marked[rung.Train], u.made:
			u.split = rung.Train
		default:
			s.join(strata, u)
			open += len(u.rows)
			continue
		}
		have[u.split] += len(u.rows)
	}
	goal, err := s.goals(marked, have, open)
	if err != nil {
		return err
	}
	s.dealStrata(strata, goal, open)
	s.sayCounts()
	return s.fill(map[rung.Split]bool{rung.Train: true}) // no split may be empty; the sizes are right
}

// goal is how many of the open rows go to each split; train below 0: the rest.
type goal struct{ heldout, dev, train float64 }

func (s *splitter) goals(marked map[rung.Split]bool, have map[rung.Split]int, open int) (goal, error) {
	if len(s.rules.Counts) == 0 {
		l := s.open(marked)
		return goal{l.heldout * float64(open), l.dev * float64(open), -1}, nil
	}
	c := s.rules.Counts
	g := goal{float64(max(0, c[rung.HeldoutIs]-have[rung.HeldoutIs])), float64(max(0, c[rung.Dev]-have[rung.Dev])), -1}
	if n, ok := c[rung.Train]; ok {
		g.train = float64(max(0, n-have[rung.Train]))
	}
	if want := int(g.heldout + g.dev + max(0, g.train)); want > open {
		return g, tooMany(s.files(), want, open)
	}
	return g, nil
}

// join adds a unit to its stratum: that of most of its rows.
func (s *splitter) join(strata map[string]*stratum, u *unit) {
	names := map[string]int{}
	for _, i := range u.rows {
		names[s.stratumOf(&s.examples[i])]++
	}
	best := ""
	for name, n := range names {
		if best == "" || n > names[best] || n == names[best] && name < best {
			best = name
		}
	}
	if strata[best] == nil {
		strata[best] = &stratum{name: best}
	}
	st := strata[best]
	st.units = append(st.units, u)
	st.rows += len(u.rows)
}

// maxLabel is the longest output that is a label; longer ones are answers, and all of them one stratum.
const maxLabel = 200

func (s *splitter) stratumOf(e *rung.Example) string {
	var parts []string
	for _, by := range s.rules.Stratify {
		switch {
		case by == rung.StratifySegment:
			parts = append(parts, e.Segment)
		case len(e.Output) <= maxLabel:
			parts = append(parts, string(e.Output))
		default:
			parts = append(parts, "")
		}
	}
	return "=" + strings.Join(parts, "\x00")
}

// dealStrata goes through the strata in the order of their names and carries what rounding leaves from one to the next, so that the
// sizes of the whole are right too.
func (s *splitter) dealStrata(strata map[string]*stratum, g goal, open int) {
	before := 0
	given := map[rung.Split]float64{}
	for _, name := range sortedKeys(strata) {
		st := strata[name]
		before += st.rows
		part := float64(before) / float64(open) // of the open rows, after this stratum
		slices.SortFunc(st.units, func(a, b *unit) int { return cmp.Or(cmp.Compare(a.position, b.position), a.key.less(b.key)) })
		i := st.cut(0, g.heldout*part-given[rung.HeldoutIs])
		j := st.cut(i, g.dev*part-given[rung.Dev])
		if n := len(st.units); n >= 3 && min(g.heldout, g.dev) >= float64(len(strata)) && g.train != 0 {
			i = min(max(i, 1), n-2)
			j = min(max(j, i+1), n-1)
		}
		k := len(st.units)
		if g.train >= 0 {
			k = st.cut(j, g.train*part-given[rung.Train])
		}
		for at, u := range st.units {
			switch {
			case at < i:
				u.split = rung.HeldoutIs
			case at < j:
				u.split = rung.Dev
			case at < k:
				u.split = rung.Train
			}
			given[u.split] += float64(len(u.rows))
		}
	}
}

// cut is the unit up to which the units from the given one make up so many rows; a unit goes to the side where its middle lies.
func (st *stratum) cut(from int, rows float64) int {
	sum := 0.0
	for i := from; i < len(st.units); i++ {
		n := float64(len(st.units[i].rows))
		if sum+n/2 > rows {
			return i
		}
		sum += n
	}
	return len(st.units)
}

// sayCounts says where a count was not met: groups and copies are not torn.
func (s *splitter) sayCounts() {
	have := map[rung.Split]int{}
	for _, u := range s.units {
		have[u.split] += len(u.rows)
	}
	for _, split := range []rung.Split{rung.HeldoutIs, rung.Dev, rung.Train} {
		want, asked := s.rules.Counts[split]
		if asked && have[split] != want && math.Abs(float64(have[split]-want)) >= 1 {
			s.notes = append(s.notes, fmt.Sprintf("%d rows were asked for %s and it has %d: groups and copies are not torn, and each label has its part", want, split, have[split]))
		}
	}
}
