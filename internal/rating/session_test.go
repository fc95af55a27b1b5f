package rating

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"github.com/rung-dev/rung"
	"github.com/rung-dev/rung/internal/store"
	"github.com/rung-dev/rung/internal/store/sqlite"
)

func openStore(t *testing.T, q *rung.RatingQueue) *sqlite.Store {
	t.Helper()
	st, err := sqlite.Open(context.Background(), t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = st.Close() })
	if err := st.PutRatingQueue(context.Background(), q); err != nil {
		t.Fatal(err)
	}
	return st
}

func all(t *testing.T, st store.Ratings, f store.RatingFilter) []rung.Rating {
	t.Helper()
	var out []rung.Rating
	for r, err := range st.Ratings(context.Background(), f) {
		if err != nil {
			t.Fatal(err)
		}
		out = append(out, r)
	}
	return out
}

// TestSessionsGoOn presses keys at random, in two sessions of one rater at once that come and go: what counts is always what was said last,
// and in the end every item is rated once.
func TestSessionsGoOn(t *testing.T) {
	exs, answers := sample(20, 2)
	q := mustMake(t, exs, answers, Options{Kind: rung.Pairwise, Checks: .2, Raters: []string{"ada", ""}})
	n := 0
	rapid.Check(t, func(rt *rapid.T) {
		if n++; n > 40 { // each draw writes to the disk a dozen times
			return
		}
		queue := *q
		queue.Name = fmt.Sprint("q", n)
		st := openStoreOnce(t, &queue)
		said, undone := map[string]string{}, []string{}
		sessions := []*Session{mustJoin(rt, st, &queue), mustJoin(rt, st, &queue)}
		for range rapid.IntRange(1, 30).Draw(rt, "keys") {
			s := sessions[rapid.IntRange(0, 1).Draw(rt, "session")]
			state := mustState(rt, s)
			switch key := rapid.SampledFrom([]string{"left", "right", "tie", "skip", "undo", "reopen"}).Draw(rt, "key"); {
			case key == "reopen":
				sessions[0] = mustJoin(rt, st, &queue)
			case key == "undo":
				if len(undone) == 0 {
					continue
				}
				last := undone[len(undone)-1]
				undone = undone[:len(undone)-1]
				state, err := s.Undo(context.Background())
				if err != nil || state.Question.Item != last || state.Question.Before == nil {
					rt.Fatalf("undo of %s shows %+v, %v", last, state, err)
				}
				delete(said, last)
			case state.Question != nil:
				in := Said{Item: state.Question.Item, Skipped: key == "skip"}
				if key != "skip" {
					in.Choice = key
				}
				if _, err := s.Rate(context.Background(), in); err != nil {
					rt.Fatal(err)
				}
				said[in.Item] = key
				undone = append(undone, in.Item)
			}
		}
		kept := map[string]string{}
		asks := Seat(&queue, 0)
		for _, r := range all(t, st, store.RatingFilter{Queue: queue.Name}) {
			at := slices.IndexFunc(asks, func(a rung.RatingAsk) bool { return a.Item == r.Item })
			kept[r.Item] = choice(r.Preference, asks[at].Swapped)
			if r.Skipped {
				kept[r.Item] = "skip"
			}
			if r.Swapped != asks[at].Swapped || r.Check != Items(&queue)[r.Item].Check {
				rt.Fatalf("%+v", r)
			}
		}
		if !maps.Equal(kept, said) {
			rt.Fatalf("kept %v, said %v", kept, said)
		}
	})
}

var shared *sqlite.Store

// openStoreOnce keeps one store for all draws of a property: each has a queue of its own.
func openStoreOnce(t *testing.T, q *rung.RatingQueue) *sqlite.Store {
	if shared == nil {
		shared = openStore(t, q)
		t.Cleanup(func() { shared = nil })
	}
	if err := shared.PutRatingQueue(context.Background(), q); err != nil {
		t.Fatal(err)
	}
	return shared
}

type fatal interface{ Fatal(...any) }

func mustJoin(t fatal, st store.Ratings, q *rung.RatingQueue) *Session {
	s, err := Join(context.Background(), st, q, "ada")
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func mustState(t fatal, s *Session) *State {
	state, err := s.State(context.Background())
	if err != nil {
		t.Fatal(err)
	}
	return state
}

func TestBadSayings(t *testing.T) {
	exs, answers := sample(10, 2)
	pair := mustMake(t, exs, answers, Options{Kind: rung.Pairwise, NoTies: true})
	rubric := mustMake(t, exs, answers, Options{Kind: rung.Rubric})
	rubric.Name = "r"
	st := openStore(t, pair)
	if err := st.PutRatingQueue(context.Background(), rubric); err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]struct {
		q    *rung.RatingQueue
		said Said
	}{
		"a tie where there is none": {pair, Said{Choice: "tie"}}, "no choice": {pair, Said{}}, "values for a pair": {pair, Said{Values: map[string]int{"quality": 3}}},
		"a long comment": {pair, Said{Choice: "left", Comment: strings.Repeat("x", longestComment+1)}}, "no UTF-8": {pair, Said{Choice: "left", Comment: "\xff"}},
		"no value": {rubric, Said{}}, "a value of 0": {rubric, Said{Values: map[string]int{"quality": 0}}}, "a value of 6": {rubric, Said{Values: map[string]int{"quality": 6}}},
		"another criterion": {rubric, Said{Values: map[string]int{"quality": 3, "x": 3}}},
	} {
		s := mustJoin(t, st, c.q)
		c.said.Item = mustState(t, s).Question.Item
		if _, err := s.Rate(context.Background(), c.said); rung.CodeOf(err) != rung.CodeUsage {
			t.Errorf("%s: %v", name, err)
		}
	}
	if rs := all(t, st, store.RatingFilter{}); len(rs) != 0 {
		t.Errorf("bad sayings left %+v", rs)
	}
	if _, err := Join(context.Background(), st, pair, "a b"); rung.CodeOf(err) != rung.CodeUsage {
		t.Errorf("a bad name joins: %v", err)
	}
	s := mustJoin(t, st, pair)
	if _, err := s.Undo(context.Background()); rung.CodeOf(err) != rung.CodeConflict {
		t.Errorf("undo of nothing: %v", err)
	}
	if _, err := s.Rate(context.Background(), Said{Item: mustState(t, s).Question.Item, Choice: "left", Seconds: -5}); err != nil || all(t, st, store.RatingFilter{})[0].Seconds != 0 {
		t.Errorf("a negative time is kept: %v", err)
	}
}

// TestAdjudication: the items on which raters disagree are settled, the ratings stay, and the settled value is what counts.
func TestAdjudication(t *testing.T) {
	exs, answers := sample(20, 2)
	q := mustMake(t, exs, answers, Options{Kind: rung.Pairwise, Raters: []string{"ada", "ben"}, Overlap: -1, Checks: .2})
	st := openStore(t, q)
	items := Items(q)
	rateAll := func(name string, seat int, prefer func(i int) rung.Preference) {
		s, err := newSession(st, q, name, rung.AsRater, Seat(q, seat))
		if err != nil {
			t.Fatal(err)
		}
		for i, a := range s.asks {
			r := s.blank(i)
			r.Preference = prefer(slices.IndexFunc(q.Items, func(x rung.RatingItem) bool { return x.ID == a.Item }))
			r.Comment = "by " + name
			if _, err := st.PutRating(context.Background(), r); err != nil {
				t.Fatal(err)
			}
		}
	}
	rateAll("ada", 0, func(int) rung.Preference { return rung.PrefersFirst })
	rateAll("ben", 1, func(i int) rung.Preference {
		if i%4 == 0 && items[q.Items[i].ID].Check == rung.NoCheck {
			return rung.PrefersSecond
		}
		return rung.PrefersFirst
	})
	before := all(t, st, store.RatingFilter{Queue: "q"})
	open, err := ProgressOf(context.Background(), st, q)
	if err != nil || open.Open == 0 || open.Done != open.Asked {
		t.Fatalf("%+v %v", open, err)
	}
	s, err := Adjudicate(context.Background(), st, q, "lead")
	if err != nil {
		t.Fatal(err)
	}
	state := mustState(t, s)
	if state.Total != open.Open || len(state.Question.Heard) != 2 || strings.Contains(fmt.Sprint(state.Question.Heard), "lead") {
		t.Fatalf("%d to settle, want %d; %+v", state.Total, open.Open, state.Question)
	}
	for state.Question != nil {
		// Whoever preferred the first answer, by the side on which it stands.
		side := "left"
		if item := items[state.Question.Item]; item.Options[0].Text != state.Question.Answers[0] {
			side = "right"
		}
		if state, err = s.Rate(context.Background(), Said{Item: state.Question.Item, Choice: side}); err != nil {
			t.Fatal(err)
		}
	}
	r, err := Read(context.Background(), st, q, ResultOptions{Resamples: 100})
	if err != nil || r.Disagreements.Items != open.Open || r.Disagreements.Settled != open.Open || r.Disagreements.Open != 0 {
		t.Errorf("%+v %v", r.Disagreements, err)
	}
	if r.Shares[0].Losses != 0 || r.Shares[0].Split != 0 || len(r.Raters) != 2 {
		t.Errorf("settled for the first: %+v", r.Shares[0])
	}
	if after := all(t, st, store.RatingFilter{Queue: "q", Role: rung.AsRater}); len(after) != len(before) {
		t.Errorf("%d ratings became %d", len(before), len(after))
	}
}

func TestInputsKeepTheirOrder(t *testing.T) {
	got := InputsOf([]byte(`{"z":"one\ntwo","a":{"x":[1,2]},"m":3}`))
	want := []Input{{"z", "one\ntwo"}, {"a", "{\n  \"x\": [\n    1,\n    2\n  ]\n}"}, {"m", "3"}}
	if !slices.Equal(got, want) {
		t.Errorf("%+v", got)
	}
	if got := InputsOf([]byte(`"just text"`)); len(got) != 1 || got[0] != (Input{"", "just text"}) {
		t.Errorf("%+v", got)
	}
	if got := InputsOf([]byte(`{"broken`)); len(got) != 1 {
		t.Errorf("%+v", got)
	}
}
