package storetest

import (
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/rung-dev/rung"
	"github.com/rung-dev/rung/internal/store"
)

func queue(name string, minute int, seats ...string) *rung.RatingQueue {
	q := &rung.RatingQueue{Name: name, Task: "t " + name[:1], Kind: rung.Rubric, Question: "Grüße?", Candidates: map[rung.Digest]string{"c": "fewshot"}, Seed: 1<<63 + 1,
		Criteria: []rung.Criterion{{Name: "ok", Question: "is it?", Anchors: map[int]string{1: "no", 5: "yes"}}}, Made: epoch.Add(time.Duration(minute) * time.Minute),
		Items: []rung.RatingItem{{ID: "i1", Example: "e", Input: []byte(`{"a":"b"}`), Options: []rung.RatingOption{{Candidate: "c", Text: "x\u202e"}}}}}
	for _, s := range seats {
		q.Seats = append(q.Seats, rung.RatingSeat{Rater: s, Asks: []rung.RatingAsk{{Item: "i1"}}})
	}
	return q
}

func ratingQueues(t *testing.T, open Opener) {
	a1, a2, b := queue("a1", 1), queue("a2", 2), queue("b", 3)
	in(t, open, func(s store.Store) {
		for _, q := range []*rung.RatingQueue{a1, a2, b, a1} {
			must(t, s.PutRatingQueue(t.Context(), q))
		}
		other := queue("a1", 1)
		other.Question = "another"
		wantCode(t, s.PutRatingQueue(t.Context(), other), rung.CodeConflict)
	})
	in(t, open, func(s store.Store) {
		for name, want := range map[string]*rung.RatingQueue{"a1": a1, "a2": a2, "b": b} {
			got, err := s.RatingQueue(t.Context(), name)
			must(t, err)
			same(t, "queue "+name, want, got)
		}
		for _, name := range []string{"", "a", "nope", "%", "B"} {
			_, err := s.RatingQueue(t.Context(), name)
			wantCode(t, err, rung.CodeNotFound)
		}
		for task, want := range map[string][]*rung.RatingQueue{"": {b, a2, a1}, "t a": {a2, a1}, "no": {}} {
			got, err := s.RatingQueues(t.Context(), task)
			must(t, err)
			same(t, "the queues of "+task, want, got)
		}
	})
}

// ratingSeats: everybody gets one seat and keeps it, those who come at the same moment different ones.
func ratingSeats(t *testing.T, open Opener) {
	in(t, open, func(s store.Store) {
		must(t, s.PutRatingQueue(t.Context(), queue("q", 1, "", "ada", "")))
		var wg sync.WaitGroup
		var mu sync.Mutex
		got := map[int]string{}
		for i := range 6 {
			wg.Go(func() {
				name := fmt.Sprint("r", i)
				seat, err := s.TakeRatingSeat(t.Context(), "q", name)
				mu.Lock()
				defer mu.Unlock()
				if err != nil || got[seat] != "" {
					t.Errorf("seat %d of %s is %q's: %v", seat, name, got[seat], err)
				}
				got[seat] = name
			})
		}
		wg.Wait()
		if got[1] != "" || got[0] == "" || got[2] == "" || got[6] == "" {
			t.Errorf("the seats are %v; seat 1 is kept for ada", got)
		}
	})
	in(t, open, func(s store.Store) {
		for range 2 {
			seat, err := s.TakeRatingSeat(t.Context(), "q", "ada")
			must(t, err)
			same(t, "ada's seat", 1, seat)
		}
		taken, err := s.RatingSeats(t.Context(), "q")
		must(t, err)
		same(t, "the number of seats that are taken", 7, len(taken))
		_, err = s.TakeRatingSeat(t.Context(), "none", "ada")
		wantCode(t, err, rung.CodeNotFound)
	})
}

func oneRating(queue, item, rater string, value, minute int) rung.Rating {
	return rung.Rating{Queue: queue, Task: "t " + queue, Item: item, Example: "e", Rater: rater, Role: rung.AsRater, Candidates: []rung.Digest{"c"},
		Values: map[string]int{"ok": value}, Comment: "\"<&>\" ü", Seconds: 1.5, At: epoch.Add(time.Duration(minute) * time.Minute)}
}

func collectRatings(t *testing.T, s store.Store, f store.RatingFilter) []rung.Rating {
	t.Helper()
	out := []rung.Rating{}
	for r, err := range s.Ratings(t.Context(), f) {
		must(t, err)
		out = append(out, r)
	}
	return out
}

// ratings: what counts is the last of each rater, role and item; the others stay and can be read.
func ratings(t *testing.T, open Opener) {
	var kept []rung.Rating
	put := func(r rung.Rating) {
		in(t, open, func(s store.Store) {
			got, err := s.PutRating(t.Context(), r)
			must(t, err)
			r.Seq = got.Seq
			same(t, "a rating that was put", r, got)
			kept = append(kept, got)
		})
	}
	in(t, open, func(s store.Store) {
		must(t, s.PutRatingQueue(t.Context(), queue("q", 1)))
		must(t, s.PutRatingQueue(t.Context(), queue("p", 1)))
		_, err := s.PutRating(t.Context(), oneRating("none", "i1", "ada", 1, 0))
		wantCode(t, err, rung.CodeStore)
	})
	settled, gone := oneRating("q", "i1", "ada", 4, 3), oneRating("q", "i2", "ben", 2, 6)
	settled.Role = rung.AsAdjudicator
	gone.Withdrawn = true
	for _, r := range []rung.Rating{oneRating("q", "i1", "ada", 1, 0), oneRating("q", "i1", "ben", 2, 1), oneRating("q", "i1", "ada", 3, 2), settled,
		oneRating("p", "i1", "ada", 5, 4), oneRating("q", "i2", "ben", 2, 5), gone} {
		put(r)
	}
	in(t, open, func(s store.Store) {
		for _, c := range []struct {
			f    store.RatingFilter
			want []int
		}{
			{store.RatingFilter{}, []int{1, 2, 3, 4}}, {store.RatingFilter{Queue: "q"}, []int{1, 2, 3}}, {store.RatingFilter{Task: "t p"}, []int{4}},
			{store.RatingFilter{Rater: "ada", Role: rung.AsRater}, []int{2, 4}}, {store.RatingFilter{Role: rung.AsAdjudicator}, []int{3}},
			{store.RatingFilter{Queue: "q", Rater: "ben", All: true}, []int{1, 5, 6}}, {store.RatingFilter{Queue: "x"}, nil},
			{store.RatingFilter{Queue: "q", All: true, After: kept[3].Seq}, []int{5, 6}},
		} {
			want := []rung.Rating{}
			for _, i := range c.want {
				want = append(want, kept[i])
			}
			same(t, fmt.Sprintf("%+v", c.f), want, collectRatings(t, s, c.f))
		}
		bad := oneRating("q", "i3", "ada", 1, 9)
		bad.Role = "guest"
		wantCode(t, s.PutRatings(t.Context(), []rung.Rating{oneRating("q", "i3", "ada", 1, 8), bad}), rung.CodeStore)
		same(t, "ratings of a batch that failed", 3, len(collectRatings(t, s, store.RatingFilter{Queue: "q"})))
	})
}

// manyRatings are read in pieces while the loop uses the store.
func manyRatings(t *testing.T, open Opener) {
	const n = 1300
	in(t, open, func(s store.Store) {
		must(t, s.PutRatingQueue(t.Context(), queue("q", 1)))
		rs := make([]rung.Rating, n)
		for i := range rs {
			rs[i] = oneRating("q", fmt.Sprint("i", i), "ada", 1+i%5, i)
		}
		must(t, s.PutRatings(t.Context(), rs))
	})
	in(t, open, func(s store.Store) {
		got := 0
		for r, err := range s.Ratings(t.Context(), store.RatingFilter{Queue: "q"}) {
			must(t, err)
			if want := fmt.Sprint("i", got); got < n && r.Item != want {
				t.Fatalf("rating %d is of %s", got, r.Item)
			}
			if got++; got%500 == 0 {
				_, err := s.PutRating(t.Context(), oneRating("q", fmt.Sprint("more ", got), "ben", 1, 0))
				must(t, err)
			}
		}
		if got < n {
			t.Errorf("%d ratings of %d", got, n)
		}
	})
}
