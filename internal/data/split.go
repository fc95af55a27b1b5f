package data

import (
	"fmt"
	"math"
	"slices"

	"github.com/rung-dev/rung"
	"github.com/rung-dev/rung/internal/unionfind"
)

// The split of an example follows from its content: the key of its cluster is hashed to a position between 0 and 1, and the
// position falls into held-out, dev or train, in this order, so that another ratio of train to dev moves no held-out example.
// A new example moves no other one, except when it joins clusters.

// unit is a cluster while it is split.
type unit struct {
	key      sum
	position float64
	rows     []int32
	marked   map[rung.Split]bool // by the file
	made     bool                // nobody wrote any of its rows: it belongs to train
	split    rung.Split
}

const (
	few   = 20  // examples below which a split is hardly worth the name
	small = 100 // examples below which chance may leave a split nearly empty, so that it is filled up
)

// splitter assigns units to splits.
type splitter struct {
	shares   rung.Shares
	rules    rung.SplitRules
	examples []rung.Example
	marks    []rung.Split // of each row: by its file, by its time or by its segment
	units    []*unit
	notes    []string
	left     []LeftOut
	name     string // of what the examples are from, where they have no files
}

// assign gives every row its split; rows that are left out have none.
func assign(task *rung.Task, examples []rung.Example, c *clusters) ([]rung.Split, []string, error) {
	s := &splitter{shares: task.Split, rules: task.SplitRules, examples: examples}
	out, err := s.assign(c)
	return out, s.notes, err
}

func (s *splitter) assign(c *clusters) ([]rung.Split, error) {
	examples := s.examples
	if err := s.mark(); err != nil {
		return nil, err
	}
	s.gather(c.forest)
	if errs := s.tornGroups(); errs != nil {
		return nil, errs
	}
	if err := s.place(); err != nil {
		return nil, err
	}
	out := s.rows()
	if n := len(examples); n < few {
		s.notes = append(s.notes, fmt.Sprintf("there are only %s: any figure measured on them is little more than a guess; collect some 300", count(n, "example")))
	}
	return out, nil
}

// gather makes a unit of each cluster, in the order of their keys.
func (s *splitter) gather(f unionfind.Forest) {
	byRoot := map[int32]*unit{}
	for i := range s.examples {
		root := f.Root(int32(i))
		u := byRoot[root]
		if u == nil {
			u = &unit{made: true}
			byRoot[root] = u
			s.units = append(s.units, u)
		}
		u.rows = append(u.rows, int32(i))
		u.made = u.made && unplaced(&s.examples[i])
		if mark := s.marks[i]; mark != "" {
			if u.marked == nil {
				u.marked = map[rung.Split]bool{}
			}
			u.marked[mark] = true
		}
	}
	for _, u := range s.units {
		u.key = s.key(u)
		u.position = position(u.key)
	}
	slices.SortFunc(s.units, func(a, b *unit) int { return a.key.less(b.key) })
}

// unplaced reports a generated row that its file marks for no split. Such rows follow the others and never lead: they move no real
// example, and what they repeat of held-out or dev is left out.
func unplaced(e *rung.Example) bool { return e.Generated != nil && e.Split == "" }

// key is the smallest digest of the group names in a unit, or of its inputs where there is no group: a group keeps its key
// when examples are added to it.
func (s *splitter) key(u *unit) sum {
	var inputs, groups []sum
	for _, i := range u.rows {
		e := &s.examples[i]
		if !u.made && unplaced(e) {
			continue
		}
		if e.Group != "" {
			groups = append(groups, sumOf([]byte("group\n"+e.Group)))
			continue
		}
		inputs = append(inputs, sumOf(e.Input))
	}
	if len(groups) > 0 {
		return slices.MinFunc(groups, sum.less)
	}
	return slices.MinFunc(inputs, sum.less)
}

// tornGroups reports groups that the file itself marks for more than one split.
func (s *splitter) tornGroups() error {
	var errs rung.Errors
	first := map[string]*rung.Example{}
	told := map[string]bool{}
	for i := range s.examples {
		e := &s.examples[i]
		if e.Group == "" || e.Split == "" {
			continue
		}
		before, ok := first[e.Group]
		switch {
		case !ok:
			first[e.Group] = e
		case before.Split != e.Split && !told[e.Group]:
			told[e.Group] = true
			errs = append(errs, &rung.Error{
				Code: rung.CodeInput, Place: rowOf(e).String(),
				What: fmt.Sprintf("the group %q is in %s here and in %s in %s", e.Group, e.Split, before.Split, rowOf(before)),
				Do:   "give the examples of one group one split",
			})
		}
	}
	if len(errs) > maxFaults {
		errs = errs[:maxFaults]
	}
	return errs.Or()
}

// place decides the split of every unit.
func (s *splitter) place() error {
	marked := map[rung.Split]bool{}
	for _, u := range s.units {
		for split := range u.marked {
			marked[split] = true
		}
	}
	shares := s.open(marked)
	if s.deals() {
		return s.deal(marked)
	}
	for _, u := range s.units {
		switch {
		case u.marked[rung.HeldoutIs]:
			u.split = rung.HeldoutIs
		case u.marked[rung.Dev]:
			u.split = rung.Dev
		case u.marked[rung.Train], u.made:
			u.split = rung.Train
		default:
			u.split = shares.at(u.position)
		}
	}
	if s.rules.By == rung.SplitByTime {
		return s.timed()
	}
	s.noteOpen(marked)
	if marked[rung.Train] && !s.has(rung.Dev) {
		s.carve()
	}
	return s.fill(marked)
}

// shareList is shares that sum to 1, held-out first.
type shareList struct{ heldout, dev, train float64 }

func (l shareList) at(position float64) rung.Split {
	switch {
	case position < l.heldout:
		return rung.HeldoutIs
	case position < l.heldout+l.dev:
		return rung.Dev
	}
	return rung.Train
}

// open gives the shares by which unmarked examples are split: a held-out or dev set that the file marks gets nothing more.
func (s *splitter) open(marked map[rung.Split]bool) shareList {
	l := shareList{s.shares.Heldout, s.shares.Dev, s.shares.Train}
	if marked[rung.HeldoutIs] {
		l.heldout = 0
	}
	if marked[rung.Dev] {
		l.dev = 0
	}
	total := l.heldout + l.dev + l.train
	return shareList{l.heldout / total, l.dev / total, l.train / total}
}

// timed sees that a split by time leaves no set empty, as copies that lie in two sets can: rows that were moved over to fill it would be of
// the wrong time.
func (s *splitter) timed() error {
	for _, split := range []rung.Split{rung.HeldoutIs, rung.Dev, rung.Train} {
		if !s.has(split) {
			return &rung.Error{
				Code: rung.CodeInput, Place: s.files(), What: fmt.Sprintf("the split is by time, and no row is left for %s: it has no moment of its own, or its rows repeat those of another set", split),
				Do: "set dev_after and heldout_after to other moments, give rows of more moments, or split by content",
			}
		}
	}
	return nil
}

// noteOpen says when a set that the files mark keeps everything else out of it: few marked rows of one file among many are easily overlooked.
func (s *splitter) noteOpen(marked map[rung.Split]bool) {
	open, held := 0, 0
	for _, u := range s.units {
		switch {
		case u.marked[rung.HeldoutIs]:
			held += len(u.rows)
		case u.marked == nil && !u.made:
			open += len(u.rows)
		}
	}
	if !marked[rung.HeldoutIs] || open == 0 {
		return
	}
	s.notes = append(s.notes, fmt.Sprintf("held-out is what the files mark for it: %s; none of the %s without a mark went there; to have them dealt out as well, take the marks out",
		count(held, "row"), count(open, "row")))
}

func (s *splitter) has(split rung.Split) bool { return s.size(split) > 0 }

// carve takes dev out of a train set that the file marks, where it marks no dev set.
func (s *splitter) carve() {
	share := s.shares.Dev / (s.shares.Dev + s.shares.Train)
	n := 0
	for _, u := range s.units {
		if u.split == rung.Train && !u.made && u.position < share {
			u.split = rung.Dev
			n += len(u.rows)
		}
	}
	s.notes = append(s.notes, fmt.Sprintf("the files mark no dev examples: %d of the train examples are used as dev", n))
}

// fill sees that no split is empty or, in small data whose files mark none, has less than half of its share: the units whose
// positions are nearest move over. From a hundred examples on nothing moves. A held-out set that is marked is never touched.
func (s *splitter) fill(marked map[rung.Split]bool) error {
	if only := s.only(); only != "" {
		return &rung.Error{Code: rung.CodeInput, Place: s.files(), What: fmt.Sprintf("every row is marked for %s, by its split or by the name of its file or folder", only),
			Do: "take the marks out, name the files otherwise, or mark rows for the other sets too"}
	}
	if !s.has(rung.HeldoutIs) && !slices.ContainsFunc(s.units, func(u *unit) bool { return u.marked == nil }) {
		return &rung.Error{Code: rung.CodeInput, Place: s.files(), What: "every example is marked for a split and none for heldout", Do: `mark some as "split": "heldout", or take the marks out`}
	}
	for _, split := range []rung.Split{rung.HeldoutIs, rung.Dev, rung.Train} {
		least := 1
		if len(marked) == 0 && len(s.units) < small {
			least = max(1, int(s.share(split)*float64(len(s.units))/2))
		}
		for s.size(split) < least {
			u := s.spare(split)
			if u == nil {
				return &rung.Error{
					Code: rung.CodeInput, Place: s.files(),
					What: fmt.Sprintf("%s too few for a split: none is left for %s", verb(len(s.units), "distinct example is", "distinct examples are"), split),
					Do:   "give at least 3 different examples, one each for train, dev and heldout; some 300 make figures worth reading",
				}
			}
			u.split = split
		}
	}
	return nil
}

// only is the one set that all rows are marked for, of held-out and dev: of train, parts become the others.
func (s *splitter) only() rung.Split {
	for _, split := range []rung.Split{rung.HeldoutIs, rung.Dev} {
		if len(s.units) > 0 && !slices.ContainsFunc(s.units, func(u *unit) bool { return !u.marked[split] || len(u.marked) > 1 }) {
			return split
		}
	}
	return ""
}

func (s *splitter) share(split rung.Split) float64 {
	switch split {
	case rung.HeldoutIs:
		return s.shares.Heldout
	case rung.Dev:
		return s.shares.Dev
	}
	return s.shares.Train
}

func (s *splitter) size(split rung.Split) int {
	n := 0
	for _, u := range s.units {
		if u.split == split {
			n++
		}
	}
	return n
}

// spare is the unit that can best move to a split: not marked otherwise, not the last of its own split, and of a split that
// has more than half of its share.
func (s *splitter) spare(to rung.Split) *unit {
	left := map[rung.Split]int{}
	for _, split := range []rung.Split{rung.HeldoutIs, rung.Dev, rung.Train} {
		left[split] = s.size(split)
	}
	low, high := 0.0, s.shares.Heldout
	switch to {
	case rung.Dev:
		low, high = s.shares.Heldout, s.shares.Heldout+s.shares.Dev
	case rung.Train:
		low, high = s.shares.Heldout+s.shares.Dev, 1
	}
	var best *unit
	distance := math.Inf(1)
	for _, u := range s.units {
		fixed := u.made || u.marked[rung.HeldoutIs] || u.marked[rung.Dev] || u.marked[rung.Train] && to == rung.HeldoutIs
		if fixed || u.split == to || left[u.split] < 2 || float64(left[u.split]-1) < s.share(u.split)*float64(len(s.units))/2-1 {
			continue
		}
		if d := max(low-u.position, u.position-high, 0); d < distance {
			best, distance = u, d
		}
	}
	return best
}

// files names the first example file, for errors about the data as a whole.
func (s *splitter) files() string {
	if s.name != "" || len(s.examples) == 0 {
		return s.name
	}
	return shownPath(s.examples[0].File)
}

// rows gives each row the split of its unit. A row that its file marks for another split is a copy of an example of the
// held-out (or dev) set, and is left out: the held-out set stays as it was marked.
func (s *splitter) rows() []rung.Split {
	out := make([]rung.Split, len(s.examples))
	dropped, sample, copied, across := 0, int32(0), 0, 0
	for _, u := range s.units {
		for _, i := range u.rows {
			mark := s.marks[i]
			if unplaced(&s.examples[i]) && u.split != rung.Train {
				copied++
				s.leaveOut(i, u)
				continue
			}
			if mark != "" && mark != u.split && len(u.marked) > 1 {
				s.leaveOut(i, u)
				if s.examples[i].Split == "" {
					across++
					continue
				}
				if dropped++; dropped == 1 {
					sample = i
				}
				continue
			}
			if out[i] = u.split; u.split == "" {
				s.left = append(s.left, LeftOut{Row: int(i), Reason: BeyondCounts, Of: -1})
			}
		}
	}
	if copied > 0 {
		s.notes = append(s.notes, fmt.Sprintf("%s left out: they repeat, exactly or nearly, examples of dev or held-out", count(copied, "generated row")))
	}
	if across > 0 {
		s.notes = append(s.notes, s.acrossNote(across))
	}
	if dropped > 0 {
		s.notes = append(s.notes, fmt.Sprintf("%s of train or dev left out: they repeat, exactly or nearly, examples that the files mark for heldout or dev (the first is %s)",
			count(dropped, "example"), rowOf(&s.examples[sample])))
	}
	return out
}
