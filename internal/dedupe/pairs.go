package dedupe

import (
	"cmp"
	"context"
	"math"
	"slices"

	"golang.org/x/sync/errgroup"

	"github.com/rung-dev/rung/internal/unionfind"
)

const (
	fullRun  = 256       // sketches that say the same in a band are all compared with each other up to this number
	window   = 64        // in a longer run, each with so many before it
	tired    = 24        // comparisons of texts in vain after which a document asks for no more
	batch    = 4096      // pairs that are compared side by side
	maxRefus = 4_000_000 // refused pairs that are remembered
)

// pair is two unique documents, by their places in documents.unique.
type pair struct{ a, b uint32 }

// nearPairs joins the documents whose texts are near-copies. It reports whether some pairs were not looked at.
func nearPairs(ctx context.Context, d *documents, joined unionfind.Forest, o *Options) (cut bool, err error) {
	j := &joiner{docs: d, joined: joined, o: o, floor: agreeFloor(o.Near), vain: make([]uint8, len(d.unique)), refused: map[uint64]struct{}{}}
	if o.Elsewhere != nil {
		j.ahead = &ahead{}
	} else {
		for range o.Workers {
			c := newComparer(d.set, d, o)
			defer c.reader.Close()
			j.comparers = append(j.comparers, c)
		}
	}
	ctx, stop := context.WithCancel(ctx)
	defer stop()
	runs := make(chan []uint64, 1)
	go func() { // the next band is sorted while the pairs of this one are compared
		defer close(runs)
		for band := range bandCount {
			select {
			case runs <- sortedBand(&d.sketches, band):
			case <-ctx.Done():
				return
			}
		}
	}()
	for entries := range runs {
		if err := j.band(ctx, entries); err != nil {
			return j.cut, err
		}
	}
	slices.SortFunc(j.edges, edge.compare)
	d.edges = j.edges
	return j.cut, ctx.Err()
}

// agreeFloor is in how many bins the sketches of texts at the threshold agree at least, but for chance. A similarity t over 5-grams
// comes with one of about s = p⁸/(2−p⁸) over 8-grams, p⁵ = 2t/(1+t), when the differences are scattered; three standard deviations are
// left below its mean.
func agreeFloor(t float64) int {
	alive := 2 * t / (1 + t)
	alive = math.Pow(alive, 1.6)
	s := alive / (2 - alive)
	mean := s * bins
	return max(6, int(mean-3*math.Sqrt(mean*(1-s))))
}

// sortedBand lists the sketches by what they say in a band: 24 bits of that, then the number of the sketch. Two passes of radix sort.
func sortedBand(s *sketches, band int) []uint64 {
	const half, mask = bandBits / 2, 1<<(bandBits/2) - 1
	from, to := make([]uint64, s.n), make([]uint64, s.n)
	for i := range from {
		from[i] = s.at(uint32(i)).key(band)<<32 | uint64(i)
	}
	for shift := 32; shift < 32+bandBits; shift += half {
		var starts [mask + 1]int32
		for _, e := range from {
			starts[e>>shift&mask]++
		}
		at := int32(0)
		for i, n := range starts {
			starts[i] = at
			at += n
		}
		for _, e := range from {
			k := e >> shift & mask
			to[starts[k]] = e
			starts[k]++
		}
		from, to = to, from
	}
	return from
}

// joiner compares candidate pairs and joins what is alike.
type joiner struct {
	docs      *documents
	joined    unionfind.Forest
	o         *Options
	comparers []*comparer
	floor     int
	vain      []uint8
	refused   map[uint64]struct{}
	pending   []pair
	edges     []edge
	cut       bool
	ahead     *ahead // nil where pairs are compared in this process
}

// edge is a pair that was found alike, kept so that it is not compared again.
type edge struct {
	a, b       int32 // a < b
	similarity float64
}

func newEdge(a, b int32, similarity float64) edge { return edge{min(a, b), max(a, b), similarity} }

func (e edge) compare(o edge) int { return cmp.Or(cmp.Compare(e.a, o.a), cmp.Compare(e.b, o.b)) }

// band goes through the runs of one band.
func (j *joiner) band(ctx context.Context, entries []uint64) error {
	j.ahead.begin(entries)
	for start := 0; start < len(entries); {
		end := runEnd(entries, start)
		if end-start > 1 {
			if err := j.run(ctx, entries[start:end], start); err != nil {
				return err
			}
		}
		start = end
	}
	return j.flush(ctx)
}

// runEnd is where the run that begins at start ends.
func runEnd(entries []uint64, start int) int {
	end := start + 1
	for end < len(entries) && entries[end]>>32 == entries[start]>>32 {
		end++
	}
	return end
}

// run offers the pairs of a run: the first of it with all others before anything else, so that a cluster of copies is joined by a star.
func (j *joiner) run(ctx context.Context, run []uint64, start int) error {
	reach := len(run)
	if len(run) > fullRun {
		reach, j.cut = window, true
	}
	for i := range run[:len(run)-1] {
		if err := j.lookAhead(ctx, start+i); err != nil {
			return err
		}
		for _, e := range run[i+1 : min(len(run), i+1+reach)] {
			j.offer(pair{uint32(run[i]), uint32(e)})
		}
		if len(j.pending) >= batch || i == 0 && len(run) > 16 {
			if err := j.flush(ctx); err != nil {
				return err
			}
		}
	}
	return nil
}

// offer takes a pair that is worth comparing.
func (j *joiner) offer(p pair) {
	switch worth, weary := j.worth(p); {
	case weary:
		j.cut = true
	case worth:
		j.pending = append(j.pending, p)
	}
}

// worth reports whether a pair is worth comparing, or would be if one of the two were not weary of comparisons in vain.
func (j *joiner) worth(p pair) (worth, weary bool) {
	if j.docs.sketches.at(p.a).agree(j.docs.sketches.at(p.b)) < j.floor {
		return false, false
	}
	if j.joined.Root(j.docs.unique[p.a]) == j.joined.Root(j.docs.unique[p.b]) {
		return false, false
	}
	if j.vain[p.a] >= tired || j.vain[p.b] >= tired {
		return false, true
	}
	_, known := j.refused[p.key()]
	return !known, false
}

func (p pair) key() uint64 { return uint64(p.a)<<32 | uint64(p.b) }

// flush compares the pending pairs, side by side, and joins them in their order.
func (j *joiner) flush(ctx context.Context) error {
	pending := slices.DeleteFunc(j.pending, func(p pair) bool {
		return j.joined.Root(j.docs.unique[p.a]) == j.joined.Root(j.docs.unique[p.b])
	})
	if len(pending) == 0 {
		j.pending = j.pending[:0]
		return ctx.Err()
	}
	alike, err := j.compare(ctx, pending)
	if err != nil {
		return err
	}
	for i, p := range pending {
		if alike[i] >= j.o.Near {
			j.edges = append(j.edges, newEdge(j.docs.unique[p.a], j.docs.unique[p.b], alike[i]))
			j.joined.Join(j.docs.unique[p.a], j.docs.unique[p.b])
			continue
		}
		j.vain[p.a], j.vain[p.b] = min(j.vain[p.a]+1, tired), min(j.vain[p.b]+1, tired)
		if len(j.refused) < maxRefus {
			j.refused[p.key()] = struct{}{}
		}
	}
	j.pending = j.pending[:0]
	return nil
}

// compare gives the similarity of each pair.
func (j *joiner) compare(ctx context.Context, pending []pair) ([]float64, error) {
	if j.ahead != nil {
		return j.compareElsewhere(ctx, pending)
	}
	alike := make([]float64, len(pending))
	var g errgroup.Group
	for w, c := range j.comparers {
		from, to := len(pending)*w/len(j.comparers), len(pending)*(w+1)/len(j.comparers)
		g.Go(func() error {
			for i := from; i < to; i++ {
				if ctx.Err() != nil {
					return ctx.Err()
				}
				s, err := c.similarity(j.docs.unique[pending[i].a], j.docs.unique[pending[i].b])
				if err != nil {
					return err
				}
				alike[i] = s
			}
			return nil
		})
	}
	return alike, g.Wait()
}
