package rating

import (
	"bufio"
	"bytes"
	"encoding/json"
	"fmt"
	"hash/fnv"
	"maps"
	"math"
	"math/rand/v2"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/rung-dev/rung"
	"github.com/rung-dev/rung/internal/sharedtest"
)

// sharedLines reads a JSON lines file of the shared reference data: under RUNG_SHARED, or in a directory named shared beside the repository.
func sharedLines[T any](t *testing.T, name string) []T {
	t.Helper()
	b, err := os.ReadFile(sharedtest.File(t, name))
	if err != nil {
		t.Fatal(err)
	}
	var out []T
	lines := bufio.NewScanner(bytes.NewReader(b))
	lines.Buffer(nil, 16<<20)
	for lines.Scan() {
		var one T
		if err := json.Unmarshal(lines.Bytes(), &one); err != nil {
			t.Fatal(err)
		}
		out = append(out, one)
	}
	return out
}

type person = struct {
	Rater  string `json:"rater"`
	Prefer int    `json:"prefer"`
}

// imported makes rows of answers and what people said, and reads them as rung rate import does.
func imported(t *testing.T, rows []map[string]any) (*rung.RatingQueue, []rung.Rating) {
	t.Helper()
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	for _, r := range rows {
		if err := enc.Encode(r); err != nil {
			t.Fatal(err)
		}
	}
	got, err := Import(b.Bytes(), ImportOptions{File: "rows", Format: RowsFormat, Name: "people", Task: "t", Made: time.Unix(0, 0)})
	if err != nil {
		t.Fatal(err)
	}
	return got.Queue, got.Ratings
}

func agreementNamed(t *testing.T, r *Result, begins string) Agreement {
	t.Helper()
	for i := range r.Agreement {
		if strings.HasPrefix(r.Agreement[i].String(), begins) {
			return r.Agreement[i]
		}
	}
	t.Fatalf("no agreement figure begins with %q", begins)
	return Agreement{}
}

func wantValue(t *testing.T, what string, got rung.Interval, want float64, n int) {
	t.Helper()
	if math.Abs(got.Value-want) > 1e-9 || got.N != n || got.Method == "" || !(got.Low < want && want < got.High) {
		t.Errorf("%s: %+v, want %v of %d", what, got, want, n)
	}
}

// TestPandalmAgreement: three people on 999 pairs. The values are those of the krippendorff package 0.9.0, statsmodels 0.15.0 and
// scikit-learn 1.9.1 in the reference vectors.
func TestPandalmAgreement(t *testing.T) {
	var rows []map[string]any
	for _, r := range sharedLines[struct {
		ID, Pair   string
		Annotators []int
	}](t, "data/pandalm_human/all.jsonl") {
		a, b, _ := strings.Cut(r.Pair, "_")
		var said []person
		for i, v := range r.Annotators {
			said = append(said, person{fmt.Sprint("a", i+1), v})
		}
		rows = append(rows, map[string]any{"example": r.ID, "answers": []map[string]string{{"candidate": a, "text": "x"}, {"candidate": b, "text": "y"}}, "ratings": said})
	}
	q, ratings := imported(t, rows)
	r := ResultOf(q, nil, ratings, ResultOptions{Resamples: 200})
	wantValue(t, "Fleiss' κ", agreementNamed(t, r, "Fleiss").Interval, 0.864175364997549, 999)
	wantValue(t, "Krippendorff's α", agreementNamed(t, r, "Krippendorff's α, nominal").Interval, 0.8642206851960816, 999)
	wantValue(t, "Cohen's κ of the first two", agreementNamed(t, r, "Cohen's κ (a1, a2)").Interval, 0.8520226785167024, 999)
	wantValue(t, "Cohen's κ of the last two", agreementNamed(t, r, "Cohen's κ (a2, a3)").Interval, 0.8616614540762907, 999)
	if len(r.Strengths) != 5 || r.Strengths[0].Name != "llama-7b" || r.Strengths[0].Strength.Low <= 0 {
		t.Errorf("the strongest is %+v", r.Strengths[0])
	}
	if d := r.Disagreements; d.Items != 120 || d.Open != 120 {
		t.Errorf("%+v: 879 of 999 are unanimous", d)
	}
	n := 0
	for _, s := range r.Shares {
		n += s.Share.N
	}
	if len(r.Shares) != 10 || n != 999 {
		t.Errorf("%d pairs of models on %d items", len(r.Shares), n)
	}
}

// TestHatecheckAgreement: five of ten people on each of 3,901 texts.
func TestHatecheckAgreement(t *testing.T) {
	var rows []map[string]any
	for _, r := range sharedLines[struct {
		CaseID     string `json:"case_id"`
		Annotators map[string]string
	}](t, "data/hatecheck/annotations.jsonl") {
		var said []person
		for _, name := range slices.Sorted(maps.Keys(r.Annotators)) {
			v := 1
			if r.Annotators[name] == "hateful" {
				v = 2
			}
			said = append(said, person{name, v})
		}
		rows = append(rows, map[string]any{"example": r.CaseID, "answers": []map[string]string{{"candidate": "not", "text": "x"}, {"candidate": "hateful", "text": "y"}}, "ratings": said})
	}
	q, ratings := imported(t, rows)
	judged := JudgedItems(q, ratings, nil)
	r := &Result{Agreement: agreements(judged, "", q, ResultOptions{Level: .95, Resamples: 100})}
	wantValue(t, "Krippendorff's α", agreementNamed(t, r, "Krippendorff").Interval, 0.9285159285159286, 3901)
	wantValue(t, "Fleiss' κ", agreementNamed(t, r, "Fleiss").Interval, 0.928512263417924, 3901)
}

// simulated has raters rate a queue as they would: attentive ones see the better answer most of the time.
type simulated struct {
	q   *rung.RatingQueue
	rng *rand.Rand
	out []rung.Rating
}

func (s *simulated) rate(name string, seat int, say func(item *rung.RatingItem, at, of int) rung.Preference) {
	items, asks := Items(s.q), Seat(s.q, seat)
	for at, a := range asks {
		item := items[a.Item]
		s.out = append(s.out, rung.Rating{Seq: int64(len(s.out) + 1), Queue: s.q.Name, Item: item.ID, Example: item.Example, Rater: name, Role: rung.AsRater, Candidates: optionsOf(item),
			Preference: say(item, at, len(asks)), Swapped: a.Swapped, Check: item.Check, Seconds: 10})
	}
}

// attentive prefers the first candidate with probability better, and passes checks; the same item is seen the same way.
func (s *simulated) attentive(better float64) func(*rung.RatingItem, int, int) rung.Preference {
	return func(item *rung.RatingItem, _, _ int) rung.Preference {
		if item.Check == rung.GoldCheck {
			return rung.PrefersFirst
		}
		id := item.ID
		if item.Of != "" {
			id = item.Of
		}
		h := fnv.New32a()
		h.Write([]byte(id))
		mood := float64(h.Sum32()%100) / 100 // of the item, alike for all
		if (mood < better) == (s.rng.Float64() < .95) {
			return rung.PrefersFirst
		}
		return rung.PrefersSecond
	}
}

// TestCarelessRatersAreShown: somebody who does not read fails the checks, and without that rater people agree.
func TestCarelessRatersAreShown(t *testing.T) {
	exs, answers := sample(150, 2)
	q := mustMake(t, exs, answers, Options{Kind: rung.Pairwise, Raters: make([]string, 3), PerItem: 2, Overlap: -1, Checks: .5, Seed: 8})
	s := &simulated{q: q, rng: rand.New(rand.NewPCG(1, 2))}
	s.rate("ada", 0, s.attentive(.7))
	s.rate("ben", 1, s.attentive(.7))
	s.rate("zoe", 2, func(*rung.RatingItem, int, int) rung.Preference {
		return []rung.Preference{rung.PrefersFirst, rung.PrefersSecond}[s.rng.IntN(2)]
	})
	seats := map[string]int{"ada": 0, "ben": 1, "zoe": 2}
	r := ResultOf(q, seats, s.out, ResultOptions{Resamples: 500})
	for _, x := range r.Raters {
		if x.Failing != (x.Rater == "zoe") {
			t.Errorf("%s: failing %v: known %+v, repeats %+v", x.Rater, x.Failing, x.Gold, x.Repeats)
		}
		if x.Done != x.Asked || x.Gold == nil || x.Repeats == nil || x.Left == nil || x.Others == nil || x.Seconds != 10 {
			t.Errorf("%+v", x)
		}
	}
	without := ResultOf(q, seats, s.out, ResultOptions{Resamples: 500, Without: []string{"zoe"}})
	all, two := agreementNamed(t, r, "Krippendorff"), agreementNamed(t, without, "Krippendorff")
	if two.Value < all.Value+.2 || two.Low > two.Value {
		t.Errorf("α is %v with zoe and %v without", all.Interval, two.Interval)
	}
	if share := without.Shares[0].Share; share.Low < .5 || share.N != 150 || without.Shares[0].PHolm > .05 {
		t.Errorf("the better candidate is preferred %+v", without.Shares[0])
	}
	if !strings.Contains(strings.Join(r.Notes, "\n"), "zoe fails the attention checks") {
		t.Errorf("the notes are %q", r.Notes)
	}
	var text strings.Builder
	if err := r.Markdown(&text); err != nil || !strings.Contains(text.String(), "| zoe |") || !strings.Contains(text.String(), "FAILED") {
		t.Errorf("%v\n%s", err, text.String())
	}
}

// TestDriftIsShown: a rater who tires in the second half, and no other.
func TestDriftIsShown(t *testing.T) {
	exs, answers := sample(150, 2)
	q := mustMake(t, exs, answers, Options{Kind: rung.Pairwise, Raters: make([]string, 3), PerItem: 3, Overlap: -1, Seed: 9})
	s := &simulated{q: q, rng: rand.New(rand.NewPCG(3, 4))}
	good := s.attentive(.6)
	s.rate("ada", 0, good)
	s.rate("ben", 1, good)
	s.rate("zoe", 2, func(item *rung.RatingItem, at, of int) rung.Preference {
		if at > of/2 {
			return rung.PrefersSecond
		}
		return good(item, at, of)
	})
	r := ResultOf(q, nil, s.out, ResultOptions{Resamples: 200})
	for _, x := range r.Raters {
		if x.Drift == nil || x.Drift.There != (x.Rater == "zoe") || x.Drift.PHolm < x.Drift.P {
			t.Errorf("%s: %+v", x.Rater, x.Drift)
		}
		if x.Rater == "zoe" && (x.Drift.Shift.High >= 0 || x.Drift.Late.Value >= x.Drift.Early.Value) {
			t.Errorf("the shift is %+v", x.Drift.Shift)
		}
	}
}

// TestRubricResult: means, paired differences, severity, and answers that stand for several candidates.
func TestRubricResult(t *testing.T) {
	exs, answers := sample(60, 2)
	criteria := []rung.Criterion{{Name: "good", Question: "?"}, {Name: "short", Question: "?"}}
	q := mustMake(t, exs, answers, Options{Kind: rung.Rubric, Criteria: criteria, Raters: make([]string, 2), Overlap: -1, Seed: 2})
	rng := rand.New(rand.NewPCG(5, 6))
	var rs []rung.Rating
	for seat, name := range []string{"ada", "ben"} {
		for _, a := range Seat(q, seat) {
			item := Items(q)[a.Item]
			good := 4
			if item.Options[0].Candidate == answers[1].Candidate {
				good = 2
			}
			if rng.IntN(4) == 0 {
				good++
			}
			if name == "ben" {
				good = max(1, good-1) // ben is severe by a point
			}
			rs = append(rs, rung.Rating{Queue: "q", Item: item.ID, Example: item.Example, Rater: name, Role: rung.AsRater, Values: map[string]int{"good": good, "short": 3}})
		}
	}
	r := ResultOf(q, nil, rs, ResultOptions{Resamples: 500})
	if len(r.Means) != 4 || len(r.Differences) != 2 {
		t.Fatalf("%d means and %d differences", len(r.Means), len(r.Differences))
	}
	d := r.Differences[0]
	if d.Criterion != "good" || d.Difference.Low < .8 || d.Difference.N != 60 || d.PHolm > .01 {
		t.Errorf("%+v", d)
	}
	if short := r.Differences[1]; short.Difference.Value != 0 || short.P < .99 {
		t.Errorf("%+v", short)
	}
	for _, m := range r.Means {
		if m.Mean.Low < 1 || m.Mean.High > 5 || m.Mean.N != 60 {
			t.Errorf("%+v", m)
		}
	}
	for _, x := range r.Raters {
		if want := map[string]float64{"ada": .5, "ben": -.5}[x.Rater]; x.Others == nil || math.Abs(x.Others.Value-want) > .2 {
			t.Errorf("%s lies %+v above the others", x.Rater, x.Others)
		}
	}
	if a := agreementNamed(t, r, "Krippendorff's α, ordinal"); a.Criterion != "good" || a.N != 108 {
		t.Errorf("%+v", a)
	}
}

// TestResultIsWhole: every interval of the document has its n, level and method, whatever was rated.
func TestResultIsWhole(t *testing.T) {
	exs, answers := sample(30, 3)
	for _, kind := range []rung.RatingKind{rung.Pairwise, rung.Rubric} {
		q := mustMake(t, exs, answers, Options{Kind: kind, Raters: make([]string, 2), Checks: .2})
		for _, n := range []int{0, 1, 2, 25} {
			var rs []rung.Rating
			for seat := range 2 {
				for i, a := range Seat(q, seat) {
					if i >= n {
						break
					}
					item := Items(q)[a.Item]
					rs = append(rs, rung.Rating{Item: item.ID, Example: item.Example, Rater: fmt.Sprint("r", seat), Role: rung.AsRater, Check: item.Check, Preference: rung.PrefersFirst, Values: map[string]int{"quality": 5}})
				}
			}
			b, err := json.Marshal(ResultOf(q, map[string]int{"r0": 0}, rs, ResultOptions{Resamples: 50}))
			if err != nil {
				t.Fatalf("%s, %d each: %v", kind, n, err)
			}
			var whole any
			if err := json.Unmarshal(b, &whole); err != nil {
				t.Fatal(err)
			}
			eachInterval(whole, func(iv map[string]any) {
				if iv["method"] == "" || iv["level"] == 0. || iv["low"].(float64) > iv["high"].(float64) {
					t.Errorf("%s, %d each: %v", kind, n, iv)
				}
			})
		}
	}
}

func eachInterval(v any, visit func(map[string]any)) {
	switch v := v.(type) {
	case []any:
		for _, x := range v {
			eachInterval(x, visit)
		}
	case map[string]any:
		if _, ok := v["low"]; ok {
			visit(v)
		}
		for _, x := range v {
			eachInterval(x, visit)
		}
	}
}
