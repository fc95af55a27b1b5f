package rating

import (
	"encoding/json"
	"fmt"
	"math"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/rung-dev/rung"
)

// sample makes examples and the answers of candidates, some of them equal.
func sample(examples, candidates int) ([]rung.Example, []Answers) {
	exs := make([]rung.Example, examples)
	answers := make([]Answers, candidates)
	for c := range answers {
		answers[c] = Answers{Candidate: rung.DigestOf(c), Name: fmt.Sprint("candidate ", c), Texts: map[string]string{}}
	}
	for i := range exs {
		exs[i] = rung.Example{ID: fmt.Sprint("e", i), Input: json.RawMessage(fmt.Sprintf(`{"b":"in %d","a":[1]}`, i)), Output: json.RawMessage(fmt.Sprintf(`"out number%d is this%d"`, i, i))}
		for c := range answers {
			text := fmt.Sprintf("answer%d of%d by%d", i, i, c)
			if i%5 == 0 {
				text = fmt.Sprintf("all say%d", i)
			}
			answers[c].Texts[exs[i].ID] = text
		}
	}
	return exs, answers
}

func mustMake(t *testing.T, exs []rung.Example, answers []Answers, o Options) *rung.RatingQueue {
	t.Helper()
	o.Name, o.Task, o.Made = "q", "t", time.Unix(1_700_000_000, 0)
	q, err := Make(exs, answers, o)
	if err != nil {
		t.Fatal(err)
	}
	return q
}

// TestAssignmentPromises: whatever is asked for, work is shared evenly, overlap is as planned and spread over pairs of raters, sides are
// balanced for every rater and pair of candidates, repeats come later and with the sides changed, and the same options make the
// same queue.
func TestAssignmentPromises(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		exs, answers := sample(rapid.IntRange(8, 60).Draw(t, "examples"), rapid.IntRange(2, 4).Draw(t, "candidates"))
		o := Options{Name: "q", Kind: rung.Pairwise, Raters: make([]string, rapid.IntRange(1, 5).Draw(t, "raters")), PerItem: rapid.IntRange(1, 3).Draw(t, "per item"),
			Overlap: rapid.SampledFrom([]int{-1, 0, 5}).Draw(t, "overlap"), Items: rapid.SampledFrom([]int{0, 10}).Draw(t, "items"),
			Checks: rapid.SampledFrom([]float64{0, .1, .5}).Draw(t, "checks"), Seed: rapid.Uint64().Draw(t, "seed"), Made: time.Unix(0, 0)}
		q, err := Make(exs, answers, o)
		if err != nil {
			t.Fatal(err)
		}
		again, err := Make(exs, answers, o)
		if err != nil || cmp.Diff(q, again) != "" {
			t.Fatalf("the same options make another queue: %v %s", err, cmp.Diff(q, again))
		}
		p := PlanOf(q, 40)
		if o.Items > 0 && p.Items > o.Items {
			t.Fatalf("%d items, asked for %d", p.Items, o.Items)
		}
		if want := min(o.PerItem, len(o.Raters)); want > 1 && o.Overlap < 0 && (p.Overlap != p.Items || p.PerItem != want) {
			t.Fatalf("overlap %d of %d by %d", p.Overlap, p.Items, p.PerItem)
		}
		checkSeats(t, q)
	})
}

func checkSeats(t *rapid.T, q *rung.RatingQueue) {
	items := Items(q)
	low, high := math.MaxInt, 0
	for n := range len(q.Seats) + 2 {
		place, swapped, lean, plain := map[string]int{}, map[string]bool{}, map[[2]rung.Digest]int{}, 0
		for at, ask := range Seat(q, n) {
			item := items[ask.Item]
			if _, twice := place[ask.Item]; twice || Same(item) {
				t.Fatalf("seat %d is asked %s twice, or two equal answers", n, ask.Item)
			}
			place[ask.Item], swapped[ask.Item] = at, ask.Swapped
			if item.Check == rung.RepeatCheck {
				first, ok := place[item.Of]
				if !ok || n < len(q.Seats) && (swapped[item.Of] == ask.Swapped || at-first < 2) {
					t.Fatalf("seat %d: the repeat at %d of the item at %d, sides %v and %v", n, at, first, swapped[item.Of], ask.Swapped)
				}
				continue
			}
			if item.Check == rung.NoCheck {
				plain++
			}
			by := 1
			if ask.Swapped {
				by = -1
			}
			lean[[2]rung.Digest{item.Options[0].Candidate, item.Options[1].Candidate}] += by
		}
		for pair, l := range lean {
			if l < -1 || l > 1 {
				t.Fatalf("seat %d: the sides of %v lean by %d", n, pair, l)
			}
		}
		if n < len(q.Seats) {
			low, high = min(low, plain), max(high, plain)
		}
	}
	if high-low > 1 {
		t.Fatalf("seats have %d to %d items", low, high)
	}
}

// TestOverlapIsSpread: every two raters share about as many items, so that each pair can be compared.
func TestOverlapIsSpread(t *testing.T) {
	exs, answers := sample(100, 2)
	q := mustMake(t, exs, answers, Options{Kind: rung.Pairwise, Raters: make([]string, 4), PerItem: 2, Overlap: -1, Seed: 3})
	of := map[string][]int{}
	for s, seat := range q.Seats {
		for _, a := range seat.Asks {
			of[a.Item] = append(of[a.Item], s)
		}
	}
	shared := map[[2]int]int{}
	for _, raters := range of {
		slices.Sort(raters)
		shared[[2]int{raters[0], raters[1]}]++
	}
	for pair, n := range shared {
		if n < 11 || n > 16 { // 80 items over 6 pairs: 13.3
			t.Errorf("raters %v share %d items", pair, n)
		}
	}
	if len(shared) != 6 {
		t.Errorf("%d pairs of raters share items", len(shared))
	}
}

func TestEqualAnswersAreNotAsked(t *testing.T) {
	exs, answers := sample(20, 3)
	q := mustMake(t, exs, answers, Options{Kind: rung.Pairwise})
	if p := PlanOf(q, 1); p.Same != 12 || p.Items != 48 { // 4 of 20 examples, 3 pairs
		t.Errorf("%d pairs of equal answers and %d items", p.Same, p.Items)
	}
	q = mustMake(t, exs, answers, Options{Kind: rung.Rubric})
	also := 0
	for _, item := range q.Items {
		also += len(item.Options[0].Also)
	}
	if p := PlanOf(q, 1); p.Items != 52 || also != 8 { // an equal answer is asked once and stands for all three
		t.Errorf("%d items, %d answers stand for others", p.Items, also)
	}
}

// TestGoldItems: checks have a known right rating, and an answer to another input on one side.
func TestGoldItems(t *testing.T) {
	exs, answers := sample(40, 2)
	q := mustMake(t, exs, answers, Options{Kind: rung.Pairwise, Checks: .2})
	n := 0
	for _, item := range q.Items {
		if item.Check == rung.GoldCheck {
			n++
			if item.Gold.Preference != rung.PrefersFirst || item.Options[0].Text != fmt.Sprintf("out number%s is this%s", item.Example[1:], item.Example[1:]) {
				t.Errorf("%+v", item)
			}
		}
	}
	if n == 0 || n > madeGold {
		t.Errorf("%d gold items", n)
	}
	q = mustMake(t, exs, answers, Options{Kind: rung.Rubric, Checks: .2})
	var right, wrong int
	for _, item := range q.Items {
		if item.Check == rung.GoldCheck {
			switch item.Gold.Values["quality"] {
			case [2]int{4, 5}:
				right++
			case [2]int{1, 2}:
				wrong++
			}
		}
	}
	if right == 0 || wrong == 0 {
		t.Errorf("%d right and %d wrong answers among the checks", right, wrong)
	}
}

func TestReadGold(t *testing.T) {
	items, err := ReadGold("g", []byte(`{"input":{"q":1},"answers":["a","b"],"prefer":2}`+"\n\n"+`{"input":"x","answers":["a","b"],"prefer":0}`), rung.Pairwise, nil)
	if err != nil || len(items) != 2 || items[0].Gold.Preference != rung.PrefersSecond || items[1].Gold.Preference != rung.PrefersNone {
		t.Errorf("%+v %v", items, err)
	}
	criteria := []rung.Criterion{{Name: "ok"}, {Name: "style"}}
	items, err = ReadGold("g", []byte(`{"input":1,"answers":["a"],"values":{"ok":[4,5],"style":1}}`), rung.Rubric, criteria)
	if err != nil || items[0].Gold.Values["ok"] != [2]int{4, 5} || items[0].Gold.Values["style"] != [2]int{1, 1} {
		t.Errorf("%+v %v", items, err)
	}
	for _, bad := range []string{`{`, `{"input":1,"answers":["a"]}`, `{"input":1,"answers":["a"],"values":{"ok":6}}`, `{"input":1,"answers":["a"],"values":{"no":1}}`, `{"input":1,"answers":["a"],"values":{"ok":"x"}}`} {
		if _, err := ReadGold("g", []byte(bad), rung.Rubric, criteria); rung.CodeOf(err) != rung.CodeInput {
			t.Errorf("%s is taken: %v", bad, err)
		}
	}
	if _, err := ReadGold("g", []byte(`{"input":1,"answers":["a","b"],"prefer":3}`), rung.Pairwise, nil); rung.CodeOf(err) != rung.CodeInput {
		t.Errorf("%v", err)
	}
}

func TestReadRubric(t *testing.T) {
	r, err := ReadRubric("r", []byte("question: Is it good?\ncriteria:\n  - {name: true, question: Is it true?, checked: true, anchors: {1: no, 5: yes}}\n"))
	if err != nil || r.Question != "Is it good?" || len(r.Criteria) != 1 || !r.Criteria[0].Checked || r.Criteria[0].Anchors[5] != "yes" {
		t.Errorf("%+v %v", r, err)
	}
	for _, bad := range []string{"", "criteria: []", "criteria: [{name: a}]", "criteria: [{name: a, question: b, anchors: {6: x}}]", "criteria: [{name: a, question: b}, {name: a, question: b}]",
		"criteria: [{name: '<b>', question: b}]", "criteria: [{name: a, question: b, extra: 1}]", "x: [", "criteria: 3"} {
		if _, err := ReadRubric("r", []byte(bad)); rung.CodeOf(err) != rung.CodeInput {
			t.Errorf("%q is taken: %v", bad, err)
		}
	}
}

func TestBadQueues(t *testing.T) {
	exs, answers := sample(10, 2)
	for name, o := range map[string]Options{
		"a command's name": {Name: "show", Kind: rung.Pairwise}, "a path": {Name: "a/b", Kind: rung.Pairwise}, "no name": {Kind: rung.Pairwise},
		"a rater twice": {Name: "q", Kind: rung.Pairwise, Raters: []string{"a", "b", "a"}}, "a bad rater": {Name: "q", Kind: rung.Pairwise, Raters: []string{"a b"}},
	} {
		if _, err := Make(exs, answers, o); rung.CodeOf(err) != rung.CodeUsage {
			t.Errorf("%s: %v", name, err)
		}
	}
	if _, err := Make(exs, answers[:1], Options{Name: "q", Kind: rung.Pairwise}); rung.CodeOf(err) != rung.CodeUsage {
		t.Errorf("one candidate alone: %v", err)
	}
	same := []Answers{answers[0], answers[0]}
	same[1].Candidate = "other"
	if _, err := Make(exs, same, Options{Name: "q", Kind: rung.Pairwise}); rung.CodeOf(err) != rung.CodeInput {
		t.Errorf("equal answers alone: %v", err)
	}
}
