package data

import (
	"cmp"
	"encoding/binary"
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/rung-dev/rung"
)

// Splits by time and by segment mark the rows, as a file does: what holds for marked rows then holds for them. A cluster with a held-out
// row is held out, and its rows that lie before the cut, or in another segment, are left out. So train holds nothing that came after
// the cut or that repeats the held-out set, and held-out nothing that came before.

// LeftOut is a row that is in no split, and why.
type LeftOut struct {
	Row    int
	Reason string // CopyAcross or BeyondCounts
	Of     int    // the row of another split that it repeats or shares a group with; -1 for none
}

// Why rows are left out of a split.
const (
	CopyAcross   = "copy_across"   // it repeats a row of another split, or shares its group, and is itself marked or dated for this one
	BeyondCounts = "beyond_counts" // more rows than were asked for
)

// ParseTime reads a moment as rows have it: RFC 3339, the same without a zone (UTC) or with a space, a date, or seconds (or
// milliseconds) since 1970.
func ParseTime(s string) (time.Time, bool) {
	s = strings.TrimSpace(s)
	for _, layout := range []string{time.RFC3339Nano, "2006-01-02T15:04:05.999999999", "2006-01-02 15:04:05.999999999Z07:00", "2006-01-02 15:04:05.999999999",
		"2006-01-02T15:04", "2006-01-02 15:04", time.DateOnly} {
		if t, err := time.Parse(layout, s); err == nil {
			return t.UTC(), true
		}
	}
	f, err := strconv.ParseFloat(s, 64)
	if err != nil || math.IsNaN(f) || f < 1e8 || f > 1e13 { // 1973 on in seconds; milliseconds up to 2286
		return time.Time{}, false
	}
	if f >= 1e11 {
		f /= 1000
	}
	whole, part := math.Modf(f)
	return time.Unix(int64(whole), int64(part*1e9)).UTC(), true
}

// mark fills marks: what the files say, then what the rules say of the rest.
func (s *splitter) mark() error {
	s.marks = make([]rung.Split, len(s.examples))
	for i := range s.examples {
		s.marks[i] = s.examples[i].Split
	}
	if err := s.contrary(); err != nil {
		return err
	}
	switch s.rules.By {
	case rung.SplitByContent:
		return nil
	case rung.SplitByGroup:
		return s.needs("group", func(e *rung.Example) bool { return e.Group != "" })
	case rung.SplitByTime:
		return s.markByTime()
	case rung.SplitBySegment:
		return s.markBySegment()
	}
	return &rung.Error{Code: rung.CodeUsage, Place: s.files(), What: fmt.Sprintf("there is no way to split by %q", s.rules.By), Do: "split by content, group, time or segment"}
}

// contrary refuses rules that exclude each other.
func (s *splitter) contrary() error {
	r := &s.rules
	bad := ""
	switch {
	case len(r.Stratify) > 0 && (r.By == rung.SplitByTime || r.By == rung.SplitBySegment):
		bad = fmt.Sprintf("a split by %s follows the %ss alone and cannot be stratified", r.By, r.By)
	case (r.DevAfter != "" || r.HeldoutAfter != "") && r.By != rung.SplitByTime:
		bad = "a moment is given, and the split is not by time"
	case len(r.Segments) > 0 && r.By != rung.SplitBySegment:
		bad = "segments are given to splits, and the split is not by segment"
	case len(r.Counts) > 0 && r.By == rung.SplitBySegment:
		bad = "a split by segment cannot keep to counts of rows: segments stay whole"
	case r.HeldoutAfter != "" && len(r.Counts) > 0:
		bad = "both a moment and counts of rows are given"
	}
	if bad == "" {
		return nil
	}
	return &rung.Error{Code: rung.CodeUsage, Place: s.files(), What: bad, Do: "take one of the two out"}
}

// needs reports the rows that lack what the split is made by.
func (s *splitter) needs(what string, has func(*rung.Example) bool) error {
	missing, first := 0, -1
	for i := range s.examples {
		if !has(&s.examples[i]) && !unplaced(&s.examples[i]) {
			if missing++; first < 0 {
				first = i
			}
		}
	}
	if missing == 0 {
		return nil
	}
	return &rung.Error{Code: rung.CodeInput, Place: rowOf(&s.examples[first]).String(), What: fmt.Sprintf("the split is by %s, and %s none", what, verb(missing, "row has", "rows have")),
		Do: fmt.Sprintf("give every row a %q, or split by something else", what)}
}

// dated is a row with its moment.
type dated struct {
	row int32
	at  time.Time
}

// markByTime gives the newest rows to held-out, the next to dev, the rest to train. Rows of one moment are not parted.
func (s *splitter) markByTime() error {
	times := make([]dated, 0, len(s.examples))
	err := s.needs("time", func(e *rung.Example) bool { _, ok := ParseTime(e.Time); return ok })
	if err != nil {
		return err
	}
	for i := range s.examples {
		if s.marks[i] == "" && !unplaced(&s.examples[i]) {
			at, _ := ParseTime(s.examples[i].Time)
			times = append(times, dated{int32(i), at})
		}
	}
	slices.SortFunc(times, func(a, b dated) int { return a.at.Compare(b.at) })
	heldout, dev, err := s.cuts(times)
	if err != nil {
		return err
	}
	for _, d := range times {
		switch {
		case !d.at.Before(heldout):
			s.marks[d.row] = rung.HeldoutIs
		case !d.at.Before(dev):
			s.marks[d.row] = rung.Dev
		default:
			s.marks[d.row] = rung.Train
		}
	}
	s.notes = append(s.notes, fmt.Sprintf("split by time: train before %s, dev before %s, held-out from then on", moment(dev), moment(heldout)))
	return nil
}

func moment(t time.Time) string { return t.Format(time.RFC3339Nano) }

// cuts are the moments from which on rows belong to held-out and to dev: as they are given, else by shares or counts.
func (s *splitter) cuts(times []dated) (heldout, dev time.Time, err error) {
	n := len(times)
	if n == 0 {
		return heldout, dev, nil
	}
	wantHeld, wantDev := int(math.Round(s.shares.Heldout*float64(n))), int(math.Round(s.shares.Dev*float64(n)))
	if c := s.rules.Counts; len(c) > 0 {
		wantHeld, wantDev = c[rung.HeldoutIs], c[rung.Dev]
		if wantHeld+wantDev >= n {
			return heldout, dev, tooMany(s.files(), wantHeld+wantDev+1, n)
		}
	}
	var end int
	if s.rules.HeldoutAfter != "" {
		if heldout, err = s.given(s.rules.HeldoutAfter); err != nil {
			return heldout, dev, err
		}
		end, _ = slices.BinarySearchFunc(times, heldout, func(d dated, t time.Time) int { return d.at.Compare(t) })
		if len(s.rules.Counts) == 0 && s.shares.Dev+s.shares.Train > 0 {
			wantDev = int(math.Round(s.shares.Dev / (s.shares.Dev + s.shares.Train) * float64(end)))
		}
	} else {
		heldout = times[max(0, n-max(1, wantHeld))].at
		end, _ = slices.BinarySearchFunc(times, heldout, func(d dated, t time.Time) int { return d.at.Compare(t) })
	}
	if s.rules.DevAfter != "" {
		dev, err = s.given(s.rules.DevAfter)
		if err == nil && !dev.Before(heldout) {
			err = &rung.Error{Code: rung.CodeUsage, Place: s.files(), What: "dev would begin at or after the held-out set", Do: "give dev an earlier moment"}
		}
		return heldout, dev, err
	}
	if end == 0 {
		return heldout, heldout, nil // fill says that nothing is left
	}
	return heldout, times[max(0, end-max(1, wantDev))].at, nil
}

func (s *splitter) given(text string) (time.Time, error) {
	t, ok := ParseTime(text)
	if ok {
		return t, nil
	}
	return t, &rung.Error{Code: rung.CodeUsage, Place: s.files(), What: fmt.Sprintf("%q is no moment", text), Do: "write a date such as 2026-01-31, or 2026-01-31T12:00:00Z"}
}

func tooMany(place string, want, have int) error {
	return &rung.Error{Code: rung.CodeInput, Place: place, What: fmt.Sprintf("%d rows are asked for, and there are %d", want, have), Do: "ask for fewer, or add rows"}
}

// markBySegment gives whole segments to splits: those that are named, and the others by a hash of their names, dealt so that the rows
// come near to the shares.
func (s *splitter) markBySegment() error {
	if err := s.needs("segment", func(e *rung.Example) bool { return e.Segment != "" }); err != nil {
		return err
	}
	sizes, total := map[string]int{}, 0
	for i := range s.examples {
		if s.marks[i] == "" && !unplaced(&s.examples[i]) {
			sizes[s.examples[i].Segment]++
			total++
		}
	}
	to := map[string]rung.Split{}
	have := map[rung.Split]int{}
	for split, names := range s.rules.Segments {
		for _, name := range names {
			if sizes[name] == 0 {
				return &rung.Error{Code: rung.CodeInput, Place: s.files(), What: fmt.Sprintf("no row is of the segment %q, which is given to %s", name, split), Do: "name one of " + someOf(sizes)}
			}
			to[name] = split
			have[split] += sizes[name]
		}
	}
	s.dealSegments(sizes, total, to, have)
	for i := range s.examples {
		if s.marks[i] == "" && !unplaced(&s.examples[i]) {
			s.marks[i] = to[s.examples[i].Segment]
		}
	}
	return nil
}

// dealSegments gives each segment that nobody gave to a split, in the order of the hashes of their names, to the split that lacks the
// largest part of its share.
func (s *splitter) dealSegments(sizes map[string]int, total int, to map[string]rung.Split, have map[rung.Split]int) {
	names := sortedKeys(sizes)
	slices.SortFunc(names, func(a, b string) int {
		return cmp.Or(sumOf([]byte("rung segment 1\n"+a)).less(sumOf([]byte("rung segment 1\n"+b))), cmp.Compare(a, b))
	})
	named := s.rules.Segments[rung.HeldoutIs] != nil
	for _, name := range names {
		if to[name] != "" {
			continue
		}
		best, most := rung.Train, math.Inf(-1)
		for _, split := range []rung.Split{rung.HeldoutIs, rung.Dev, rung.Train} {
			if named && split == rung.HeldoutIs {
				continue // the held-out segments are those that were named
			}
			want := s.share(split) * float64(total)
			if lack := (want - float64(have[split])) / want; lack > most {
				best, most = split, lack
			}
		}
		to[name] = best
		have[best] += sizes[name]
	}
}

func someOf(sizes map[string]int) string {
	names := sortedKeys(sizes)
	if len(names) > 10 {
		return strings.Join(names[:10], ", ") + ", …"
	}
	return strings.Join(names, ", ")
}

// leaveOut records a row of a unit that goes to a split which the row is not marked for.
func (s *splitter) leaveOut(i int32, u *unit) {
	of := -1
	for _, j := range u.rows {
		if s.marks[j] == u.split {
			of = int(j)
			break
		}
	}
	s.left = append(s.left, LeftOut{Row: int(i), Reason: CopyAcross, Of: of})
}

func (s *splitter) acrossNote(n int) string {
	where := "before the cut"
	if s.rules.By == rung.SplitBySegment {
		where = "in another segment"
	}
	return fmt.Sprintf("%s left out: %s, and copies or of the group of rows of the held-out or dev set", verb(n, "row is", "rows are"), where)
}

// position is where a key falls between 0 and 1.
func position(key sum) float64 {
	salted := sumOf(append([]byte("rung split 1\n"), key[:]...))
	return float64(binary.BigEndian.Uint64(salted[:8])>>11) / (1 << 53)
}
