package datacheck

import (
	"fmt"
	"hash/maphash"
	"math/bits"
	"time"

	"github.com/rung-dev/rung"
	"github.com/rung-dev/rung/internal/data"
)

// timeStat is how the splits lie in time: how many rows each has, its first and last moment, and for held-out a sketch of its moments.
type timeStat struct {
	dated   map[rung.Split]int
	newest  time.Time // of train
	newRow  ExampleRow
	heldout []int32 // held-out rows by day since 1970
	undated int
}

const (
	maxGroups = 20_000_000
	maxDays   = 100_000
)

func (s *splitStat) add(r *row) {
	s.counts[r.split]++
	if r.group != "" {
		s.addGroup(r)
	}
	t, ok := data.ParseTime(r.time)
	if !ok {
		s.times.undated++
		return
	}
	if s.times.dated == nil {
		s.times.dated = map[rung.Split]int{}
	}
	s.times.dated[r.split]++
	day := int(t.Unix() / 86400)
	switch {
	case r.split == rung.Train && t.After(s.times.newest):
		s.times.newest, s.times.newRow = t, exampleOf(r, string(r.inText), "the newest train row, of "+t.Format(time.DateOnly))
	case r.split == rung.HeldoutIs && day >= 0 && day < maxDays:
		if day >= len(s.times.heldout) {
			s.times.heldout = append(s.times.heldout, make([]int32, day+1-len(s.times.heldout))...)
		}
		s.times.heldout[day]++
	}
}

func (s *splitStat) addGroup(r *row) {
	mask := maskOf(r.split)
	if mask == 0 {
		return
	}
	if s.groups == nil {
		s.groups = map[uint64]splitMask{}
	}
	h := maphash.String(idSeed, r.group)
	old, known := s.groups[h]
	if !known && len(s.groups) >= maxGroups {
		return
	}
	s.groups[h] = old | mask
	if known && old&mask == 0 {
		s.torn.add(exampleOf(r, string(r.inText), fmt.Sprintf("the group %s is in %s too", r.group, splitName(splitOf(old)))))
	}
}

func splitOf(m splitMask) rung.Split {
	return []rung.Split{rung.Train, rung.Dev, rung.HeldoutIs}[bits.TrailingZeros8(uint8(m))]
}

// split reports whether rows are in more than one split.
func (s *splitStat) several() bool {
	n := 0
	for split, rows := range s.counts {
		if split != "" && rows > 0 {
			n++
		}
	}
	return n > 1
}

func (c *checker) reportSplits() {
	s := &c.scan.splits
	if len(s.counts) > 1 || s.counts[""] == 0 {
		c.report.Splits = map[string]int{}
		for split, n := range s.counts {
			name := string(split)
			if name == "" {
				name = "none"
			}
			c.report.Splits[name] = n
		}
	}
	if !s.several() {
		for _, name := range []string{"leak", "leak_group", "leak_time"} {
			c.skip(name, "the rows name no splits; give them a split, or files called train, dev and heldout (or test)")
		}
		return
	}
	torn := 0
	for _, mask := range s.groups {
		if bits.OnesCount8(uint8(mask)) > 1 {
			torn++
		}
	}
	if len(s.groups) == 0 {
		c.skip("leak_group", "no row names a group")
	} else {
		c.find("leak_group", Bad, torn, len(s.groups), Finding{What: "groups lie in more than one split", Do: "split again with rung data split: it never tears a group", Method: "counted in groups, not rows", Examples: s.torn.kept})
	}
	c.reportTimes()
}

// reportTimes says how much of held-out is older than the newest row of train. That is no fault of a random split, but such a split does
// not say how a model does on what comes later.
func (c *checker) reportTimes() {
	t := &c.scan.splits.times
	if t.dated[rung.Train] == 0 || t.dated[rung.HeldoutIs] == 0 {
		c.skip("leak_time", "train or held-out has no times")
		return
	}
	newest := int(t.newest.Unix() / 86400)
	older := 0
	for day, n := range t.heldout {
		if day < newest {
			older += int(n)
		}
	}
	c.find("leak_time", Note, older, t.dated[rung.HeldoutIs], Finding{What: "held-out rows are older than the newest row of train: the split is not by time", Do: "if the model will meet what comes later, split by time: rung data split --by time",
		Method: "compared by days", Examples: []ExampleRow{t.newRow}})
}
