package rating

import (
	"context"
	"math/rand/v2"

	"github.com/rung-dev/rung"
	"github.com/rung-dev/rung/internal/store"
)

// Adjudicate opens the session of somebody who settles where raters disagree. The items are those that raters disagree on now; what
// the raters said is shown without their names. The ratings stay as they are.
func Adjudicate(ctx context.Context, st store.Ratings, q *rung.RatingQueue, name string) (*Session, error) {
	if err := CheckRater(name); err != nil {
		return nil, err
	}
	said := map[string][]rung.Rating{}
	for r, err := range st.Ratings(ctx, store.RatingFilter{Queue: q.Name, Role: rung.AsRater}) {
		if err != nil {
			return nil, err
		}
		if r.Check == rung.NoCheck && !r.Skipped {
			said[r.Item] = append(said[r.Item], r)
		}
	}
	rng := rand.New(rand.NewPCG(q.Seed, 0xad7d1ca7e))
	s, err := newSession(st, q, name, rung.AsAdjudicator, nil)
	if err != nil {
		return nil, err
	}
	s.said = map[string][]Heard{}
	for i := range q.Items {
		id := q.Items[i].ID
		swapped := rng.IntN(2) == 0 && len(q.Items[i].Options) == 2
		if !Disagree(said[id]) {
			continue
		}
		s.asks = append(s.asks, rung.RatingAsk{Item: id, Swapped: swapped})
		for _, r := range said[id] {
			heard := Heard{Choice: choice(r.Preference, swapped), Values: r.Values, Modes: r.Modes, Comment: r.Comment}
			if len(r.Label) > 0 {
				heard.Text = TextOf(r.Label)
			}
			s.said[id] = append(s.said[id], heard)
		}
	}
	return s, nil
}

// apart is by how much two values of a criterion must differ to be settled: neighbours on a scale of five are one opinion.
const apart = 2

// Disagree reports that ratings of one item say different things: another preference or label, or values of a criterion that are two
// or more apart.
func Disagree(rs []rung.Rating) bool {
	for i := range rs {
		for j := range i {
			if rs[i].Preference != rs[j].Preference || string(rs[i].Label) != string(rs[j].Label) {
				return true
			}
			for name, v := range rs[i].Values {
				if w, ok := rs[j].Values[name]; ok && max(v-w, w-v) >= apart {
					return true
				}
			}
		}
	}
	return false
}
