package dedupe

import "context"

// ahead has similarities of pairs before they are asked for. Pairs are compared one batch after the other, since what was found decides
// which are compared next; a round through other machines for each batch would take longer than comparing. So whatever may be asked for
// in the next part of a band is compared in one round. A pair that is worth it later is worth it now: rows are only ever joined, and only
// ever become weary. So each pair is there when it is asked for, and the course of the work is the same.
type ahead struct {
	entries []uint64
	next    int // place of the first left-hand side that was not looked at
	known   map[uint64]float64
}

// aheadPairs is how many pairs are compared in one round, and a few more.
const aheadPairs = 1 << 17

func (a *ahead) begin(entries []uint64) {
	if a != nil {
		a.entries, a.next, a.known = entries, 0, map[uint64]float64{}
	}
}

// lookAhead makes sure that the pairs with the left-hand side at this place of the band are known.
func (j *joiner) lookAhead(ctx context.Context, at int) error {
	if j.ahead == nil || at < j.ahead.next {
		return nil
	}
	a := j.ahead
	known := map[uint64]float64{} // what is not pending is not asked for any more
	for _, p := range j.pending {
		known[p.key()] = a.known[p.key()]
	}
	a.known = known
	var pairs []pair
	start := at
	for start > 0 && a.entries[start-1]>>32 == a.entries[at]>>32 {
		start--
	}
	for ; start < len(a.entries) && len(pairs) < aheadPairs; start = runEnd(a.entries, start) {
		end := runEnd(a.entries, start)
		reach := end - start
		if reach > fullRun {
			reach = window
		}
		for i := max(start, at); i < end && len(pairs) < aheadPairs; i++ {
			for _, e := range a.entries[i+1 : min(end, i+1+reach)] {
				p := pair{uint32(a.entries[i]), uint32(e)}
				if worth, _ := j.worth(p); worth {
					pairs = append(pairs, p)
				}
			}
			a.next = i + 1
		}
	}
	return j.fetch(ctx, pairs)
}

// fetch compares pairs elsewhere.
func (j *joiner) fetch(ctx context.Context, pairs []pair) error {
	if len(pairs) == 0 {
		return nil
	}
	ask := make([]Pair, len(pairs))
	for i, p := range pairs {
		ask[i] = Pair{j.docs.place(j.docs.unique[p.a]), j.docs.place(j.docs.unique[p.b])}
	}
	got, err := j.o.Elsewhere.Compare(ctx, j.o, ask)
	if err != nil {
		return err
	}
	if len(got) != len(pairs) {
		return garbled("another number of similarities than pairs")
	}
	for i, p := range pairs {
		j.ahead.known[p.key()] = got[i]
	}
	return nil
}

// compareElsewhere gives what was compared ahead.
func (j *joiner) compareElsewhere(ctx context.Context, pending []pair) ([]float64, error) {
	var missing []pair
	for _, p := range pending {
		if _, known := j.ahead.known[p.key()]; !known {
			missing = append(missing, p)
		}
	}
	if err := j.fetch(ctx, missing); err != nil {
		return nil, err
	}
	alike := make([]float64, len(pending))
	for i, p := range pending {
		alike[i] = j.ahead.known[p.key()]
	}
	return alike, nil
}
