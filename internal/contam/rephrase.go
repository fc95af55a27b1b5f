package contam

import (
	"cmp"
	"math"
	"slices"
)

// Rephrased items are found by what a paraphrase keeps. The features of a text are the stems of its words, its numbers (twenty and 20
// are one; a number that comes twice counts twice) and the pairs of numbers that follow each other. A feature weighs ln((n+1)/(df+½)), df
// of the n items having it, and numbers half as much again. The overlap of a row R with an item T is w(R∩T)/√(w(R)·w(T)), and
//
//	score = overlap + ½·(overlap − overlap with the second item),
//
// the second being the best of those items that are not themselves alike to the first: a paraphrase is like one item, a row on the same
// subject like several. Measured on 1,319 rephrased questions of GSM8K (docs/data.md): of variants with other weights, without the
// pairs, and without the second item, this one found the most at 1 % false alarms.
const (
	numberWeight = 1.5
	leastWeight  = 0.05
	gap          = 0.5
	maxScore     = 1 + gap
	finalists    = 12  // items that are compared in full
	alikeItems   = 0.5 // overlap of items from which they are one for the score
	windowWords  = 3   // a row of more than so many times the usual item's words is searched window by window
	leastWindow  = 60  // words
	leastShared  = 3   // features that a rephrased item shares with its row at least
)

// rephrase is the index of features.
type rephrase struct {
	ids      map[uint64]int32 // feature → its number
	number   []bool           // of a feature: a number or a pair of numbers
	weight   []float32
	posting  [][]int32
	features [][]int32 // of an item, sorted
	total    []float32 // weight of an item's features
	unknown  [2]float32
	common   int // postings longer than this find no candidates
	window   int
	lengths  []int
	set      features
}

// features collects the different features of a text.
type features struct {
	hashes []uint64
	number map[uint64]bool
	times  map[uint64]uint64
}

// of gives the features of words; the number ones are marked in number.
func (f *features) of(words []word) []uint64 {
	if f.number == nil {
		f.number, f.times = map[uint64]bool{}, map[uint64]uint64{}
	}
	clear(f.number)
	clear(f.times)
	f.hashes = f.hashes[:0]
	last := uint64(0)
	for i := range words {
		w := &words[i]
		if w.feature == 0 {
			continue
		}
		if !w.number {
			f.hashes = append(f.hashes, w.feature)
			continue
		}
		h := w.feature
		if n := f.times[h]; n > 0 {
			h = mix(h + n)
		}
		f.times[w.feature]++
		f.hashes = append(f.hashes, h)
		f.number[h] = true
		if last != 0 {
			pair := mix(last*fnvPrime ^ w.feature)
			f.hashes = append(f.hashes, pair)
			f.number[pair] = true
		}
		last = w.feature
	}
	slices.Sort(f.hashes)
	f.hashes = slices.Compact(f.hashes)
	return f.hashes
}

func (r *rephrase) begin(items int) {
	r.ids = map[uint64]int32{}
	r.features = make([][]int32, 0, items)
}

func (r *rephrase) add(words []word) {
	item := int32(len(r.features))
	hashes := r.set.of(words)
	own := make([]int32, 0, len(hashes))
	for _, h := range hashes {
		id, known := r.ids[h]
		if !known {
			id = int32(len(r.posting))
			r.ids[h] = id
			r.posting = append(r.posting, nil)
			r.number = append(r.number, r.set.number[h])
		}
		r.posting[id] = append(r.posting[id], item)
		own = append(own, id)
	}
	slices.Sort(own)
	r.features = append(r.features, own)
	r.lengths = append(r.lengths, len(words))
}

// end weighs the features.
func (r *rephrase) end() {
	n := len(r.features)
	weigh := func(df int, number bool) float32 {
		w := max(leastWeight, math.Log((float64(n)+1)/(float64(df)+.5)))
		if number {
			w *= numberWeight
		}
		return float32(w)
	}
	r.weight = make([]float32, len(r.posting))
	for id := range r.posting {
		r.weight[id] = weigh(len(r.posting[id]), r.number[id])
	}
	r.unknown = [2]float32{weigh(0, false), weigh(0, true)}
	r.total = make([]float32, n)
	for i, own := range r.features {
		for _, id := range own {
			r.total[i] += r.weight[id]
		}
	}
	r.common = max(200, n/20)
	slices.Sort(r.lengths)
	r.window = max(leastWindow, windowWords*r.lengths[n/2])
	r.lengths, r.set = nil, features{}
}

// search has the memory of one search after another.
type search struct {
	r       *rephrase
	set     features
	sums    []float32 // of an item, the weight shared with the row by features that are not common
	touched []int32
	has     []uint32 // of a feature, the row that had it last
	row     uint32
	top     []candidate
}

type candidate struct {
	item int32
	sum  float32
}

// found is the best item for a row.
type found struct {
	item           int32
	overlap, score float64
}

func (r *rephrase) search() search {
	return search{r: r, sums: make([]float32, len(r.features)), has: make([]uint32, len(r.posting)), top: make([]candidate, 0, finalists+1)}
}

// best looks for an item in a row, or in the windows of a long one, each overlapping half of the one before.
func (s *search) best(words []word) found {
	best := found{item: -1}
	for start := 0; ; start += s.r.window / 2 {
		end := min(len(words), start+s.r.window)
		if f := s.one(words[start:end]); f.item >= 0 && (best.item < 0 || f.score > best.score) {
			best = f
		}
		if end == len(words) {
			return best
		}
	}
}

func (s *search) one(words []word) found {
	hashes := s.set.of(words)
	if s.row++; s.row == 0 {
		clear(s.has)
		s.row = 1
	}
	var total float32
	s.touched = s.touched[:0]
	for _, h := range hashes {
		id, known := s.r.ids[h]
		if !known {
			if s.set.number[h] {
				total += s.r.unknown[1]
			} else {
				total += s.r.unknown[0]
			}
			continue
		}
		w := s.r.weight[id]
		total += w
		s.has[id] = s.row
		if len(s.r.posting[id]) > s.r.common {
			continue
		}
		for _, item := range s.r.posting[id] {
			if s.sums[item] == 0 {
				s.touched = append(s.touched, item)
			}
			s.sums[item] += w
		}
	}
	return s.finish(total)
}

// finish compares the most promising items in full.
func (s *search) finish(total float32) found {
	s.top = s.top[:0]
	for _, item := range s.touched {
		s.keepTop(candidate{item, s.sums[item] / float32(math.Sqrt(float64(s.r.total[item])))})
		s.sums[item] = 0
	}
	for i := range s.top {
		s.top[i].sum = s.overlap(s.top[i].item, total)
	}
	slices.SortFunc(s.top, func(a, b candidate) int { return cmp.Or(cmp.Compare(b.sum, a.sum), int(a.item-b.item)) })
	if len(s.top) == 0 || s.top[0].sum == 0 {
		return found{item: -1}
	}
	first := s.top[0]
	second := 0.0
	for _, c := range s.top[1:] {
		if s.r.between(first.item, c.item) < alikeItems {
			second = float64(c.sum)
			break
		}
	}
	overlap := float64(first.sum)
	return found{item: first.item, overlap: overlap, score: overlap + gap*(overlap-second)}
}

// keepTop keeps the best candidates; equal ones by the item's number, so that nothing depends on the order of looking.
func (s *search) keepTop(c candidate) {
	if len(s.top) == finalists {
		last := s.top[finalists-1]
		if c.sum < last.sum || c.sum == last.sum && c.item > last.item {
			return
		}
		s.top = s.top[:finalists-1]
	}
	i := len(s.top)
	s.top = append(s.top, c)
	for ; i > 0 && (s.top[i-1].sum < c.sum || s.top[i-1].sum == c.sum && s.top[i-1].item > c.item); i-- {
		s.top[i] = s.top[i-1]
	}
	s.top[i] = c
}

// overlap is of the row that was marked last with an item; 0 when they share too few features to say anything.
func (s *search) overlap(item int32, total float32) float32 {
	var shared float32
	n := 0
	for _, id := range s.r.features[item] {
		if s.has[id] == s.row {
			shared += s.r.weight[id]
			n++
		}
	}
	if n < leastShared {
		return 0
	}
	return shared / float32(math.Sqrt(float64(total)*float64(s.r.total[item])))
}

// between is the overlap of two items.
func (r *rephrase) between(a, b int32) float64 {
	x, y := r.features[a], r.features[b]
	var shared float32
	for i, j := 0, 0; i < len(x) && j < len(y); {
		switch {
		case x[i] < y[j]:
			i++
		case x[i] > y[j]:
			j++
		default:
			shared += r.weight[x[i]]
			i, j = i+1, j+1
		}
	}
	return float64(shared) / math.Sqrt(float64(r.total[a])*float64(r.total[b]))
}
