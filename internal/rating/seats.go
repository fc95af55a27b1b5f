package rating

import (
	"cmp"
	"math"
	"math/rand/v2"
	"slices"

	"github.com/rung-dev/rung"
	"github.com/rung-dev/rung/internal/stats"
)

// What agreement is planned for, where the lead does not say how many items overlap: α of about .6, as people reach on questions of
// taste, known to ± .1.
const (
	plannedAlpha = .6
	plannedHalf  = .1
)

// categories is how many different ratings there are. Of labels that are not from a list there are many, of which few are common.
func categories(q *rung.RatingQueue) int {
	switch {
	case q.Kind == rung.Rubric:
		return 5
	case q.Kind == rung.Labelled:
		return min(max(len(q.Labels.Output.Labels), 2), 5)
	case q.NoTies:
		return 2
	}
	return 3
}

// seating is a queue of which the items are made, while it gets its seats.
type seating struct {
	q     *rung.RatingQueue
	o     *Options
	asked []int // places of the items that somebody is to rate, checks left out
	rng   *rand.Rand
}

// assign gives each rater the items, the checks among them, an order, and the sides.
func assign(q *rung.RatingQueue, asked, gold []int, o *Options, rng *rand.Rand) {
	m := &seating{q, o, asked, rng}
	work := m.share()
	sides := newSides(m.q, m.rng)
	repeats := map[int]int{} // item → the item that repeats it
	for s, items := range work {
		m.rng.Shuffle(len(items), func(i, j int) { items[i], items[j] = items[j], items[i] })
		order := m.withChecks(items, gold, repeats)
		m.q.Seats = append(m.q.Seats, rung.RatingSeat{Rater: m.o.Raters[s], Asks: sides.of(s, order)})
	}
}

// share gives items to seats: those that overlap to PerItem of them, such that everybody has about the same number and every two
// raters share about as many items, the others to one each.
func (m *seating) share() [][]int {
	n := len(m.o.Raters)
	work, together := make([][]int, n), make([][]int, n)
	for i := range together {
		together[i] = make([]int, n)
	}
	overlap := m.overlap()
	for at, k := range m.rng.Perm(len(m.asked)) {
		item, want := m.asked[k], 1
		if at < overlap {
			want = m.o.PerItem
		}
		var chosen []int
		for range want {
			next := m.nextRater(work, together, chosen)
			for _, other := range chosen {
				together[next][other]++
				together[other][next]++
			}
			chosen = append(chosen, next)
			work[next] = append(work[next], item)
		}
	}
	return work
}

func (m *seating) overlap() int {
	switch {
	case m.o.PerItem < 2:
		return 0
	case m.o.Overlap < 0:
		return len(m.asked)
	case m.o.Overlap > 0:
		return min(m.o.Overlap, len(m.asked))
	}
	return min(len(m.asked), stats.AgreementSampleSize(plannedAlpha, plannedHalf, categories(m.q), m.o.PerItem, .95))
}

// nextRater is the one with the least work, of these the one who shares the fewest items with those chosen already.
func (m *seating) nextRater(work, together [][]int, chosen []int) int {
	best, order := -1, m.rng.Perm(len(work))
	shared := func(r int) (n int) {
		for _, c := range chosen {
			n += together[r][c]
		}
		return n
	}
	for _, r := range order {
		if slices.Contains(chosen, r) {
			continue
		}
		if best < 0 || cmp.Or(cmp.Compare(len(work[r]), len(work[best])), cmp.Compare(shared(r), shared(best))) < 0 {
			best = r
		}
	}
	return best
}

// withChecks puts gold items evenly among a rater's items, and repeats of early items a third of the way later.
func (m *seating) withChecks(items, gold []int, repeats map[int]int) []int {
	total := int(math.Round(m.o.Checks * float64(len(items))))
	golds := min((total+1)/2, len(gold))
	again := min(total-golds, len(items)/2)
	out := slices.Clone(items)
	gap := max(1, len(items)/3)
	for i := range again {
		from := i * (len(items) / 2) / max(again, 1) // in the first half, evenly
		out = insertAfter(out, items[from], gap, m.repeatOf(items[from], repeats))
	}
	for i, g := range m.rng.Perm(len(gold))[:golds] {
		at := (i*len(out) + len(out)/2) / golds
		out = slices.Insert(out, at, gold[g])
	}
	return out
}

// insertAfter puts x gap places after item.
func insertAfter(order []int, item, gap, x int) []int {
	at := slices.Index(order, item) + 1 + gap
	return slices.Insert(order, min(at, len(order)), x)
}

func (m *seating) repeatOf(item int, repeats map[int]int) int {
	if r, ok := repeats[item]; ok {
		return r
	}
	twin := m.q.Items[item]
	twin.ID, twin.Check, twin.Of = NextID(m.q), rung.RepeatCheck, twin.ID
	m.q.Items = append(m.q.Items, twin)
	repeats[item] = len(m.q.Items) - 1
	return repeats[item]
}

// sides decides which answer stands on the left such that, for every rater and pair of candidates, either stands there as often, and
// raters of one item see both orders. Repeats have the other side than the first time.
type sides struct {
	q   *rung.RatingQueue
	rng *rand.Rand
	// swaps less straights: per seat and pair, per item, per seat.
	pair map[sidesKey]int
	item map[string]int
	seat map[int]int
}

type sidesKey struct {
	seat int
	a, b rung.Digest
}

func newSides(q *rung.RatingQueue, rng *rand.Rand) *sides {
	return &sides{q: q, rng: rng, pair: map[sidesKey]int{}, item: map[string]int{}, seat: map[int]int{}}
}

func (s *sides) of(seat int, order []int) []rung.RatingAsk {
	asks := make([]rung.RatingAsk, len(order))
	swapped := map[string]bool{}
	for i, x := range order {
		item := &s.q.Items[x]
		asks[i] = rung.RatingAsk{Item: item.ID}
		if len(item.Options) != 2 {
			continue
		}
		if item.Check == rung.RepeatCheck {
			asks[i].Swapped = !swapped[item.Of]
			continue
		}
		asks[i].Swapped = s.choose(seat, item)
		swapped[item.ID] = asks[i].Swapped
	}
	return asks
}

func (s *sides) choose(seat int, item *rung.RatingItem) bool {
	key := sidesKey{seat, item.Options[0].Candidate, item.Options[1].Candidate}
	lean := cmp.Or(s.pair[key], s.item[item.ID], s.seat[seat])
	swap := lean < 0 || lean == 0 && s.rng.IntN(2) == 0
	by := -1
	if swap {
		by = 1
	}
	s.pair[key] += by
	s.item[item.ID] += by
	s.seat[seat] += by
	return swap
}

// Seat is what the rater in seat n is asked. Seats beyond those of the queue have the work of one of its seats, in another order and
// with the sides changed: for a rater who comes in somebody's place.
func Seat(q *rung.RatingQueue, n int) []rung.RatingAsk {
	if n < len(q.Seats) {
		return q.Seats[n].Asks
	}
	if len(q.Seats) == 0 { // ratings from a file: whoever joins is asked everything
		return everything(q, n)
	}
	asks := slices.Clone(q.Seats[n%len(q.Seats)].Asks)
	items := Items(q)
	rng := rand.New(rand.NewPCG(q.Seed, uint64(n)))
	rng.Shuffle(len(asks), func(i, j int) { asks[i], asks[j] = asks[j], asks[i] })
	at := map[string]int{}
	for i := range asks {
		asks[i].Swapped = !asks[i].Swapped
		at[asks[i].Item] = i
	}
	for i := range asks { // a repeat comes after what it repeats
		if item := items[asks[i].Item]; item.Check == rung.RepeatCheck {
			if first, ok := at[item.Of]; ok && first > at[item.ID] {
				asks[first], asks[at[item.ID]] = asks[at[item.ID]], asks[first]
				at[item.Of], at[item.ID] = at[item.ID], first
			}
		}
	}
	return asks
}

func everything(q *rung.RatingQueue, n int) []rung.RatingAsk {
	rng := rand.New(rand.NewPCG(q.Seed, uint64(n)))
	var asks []rung.RatingAsk
	for _, i := range rng.Perm(len(q.Items)) {
		if item := &q.Items[i]; !Same(item) {
			asks = append(asks, rung.RatingAsk{Item: item.ID, Swapped: len(item.Options) == 2 && rng.IntN(2) == 0})
		}
	}
	return asks
}

// Items are a queue's items by their ID.
func Items(q *rung.RatingQueue) map[string]*rung.RatingItem {
	out := make(map[string]*rung.RatingItem, len(q.Items))
	for i := range q.Items {
		out[q.Items[i].ID] = &q.Items[i]
	}
	return out
}
