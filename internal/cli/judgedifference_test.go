package cli

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/rung-dev/rung"
	"github.com/rung-dev/rung/internal/model/modeltest"
	"github.com/rung-dev/rung/internal/store/sqlite"
)

// TestAComparisonByAJudge: a judge's own scores say nothing of two candidates until people rated both; then the difference is theirs, where
// the judge says another.
func TestAComparisonByAJudge(t *testing.T) {
	// The judge likes answers that end in a full stop, people only now and then. One model writes it on some words, the other never.
	serve(t, func(c modeltest.Call) modeltest.Reply {
		if strings.Contains(c.Messages[0].Content, "examiner") {
			score := 2
			if between(c.Last(), "right-answer") == strings.TrimSuffix(between(c.Last(), "answer"), ".") {
				score = 4
			}
			if strings.HasSuffix(between(c.Last(), "answer"), ".") {
				score++
			}
			return modeltest.Reply{Text: fmt.Sprintf(`{"reason": "", "score": %d}`, score)}
		}
		answer := answerTo(c)
		if w, _, _ := strings.Cut(c.Last(), "\n"); c.Model == "other" && w[0] < 'p' {
			answer += "."
		}
		return modeltest.Reply{Text: answer}
	})
	file := evalTask(t, 70, "{metric: quality, at_least: 0.5, min_gain: 0.05}\nmetrics:\n  - {name: quality, judge: {model: openai/judge, criteria: [{name: right, question: Is it right?}]}}")
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	put(t, filepath.Dir(file), "task.yaml", strings.Replace(string(text), "{labels: [even, odd]}", "{text: {}}", 1))
	a := climbJSON(t, file, "--full").Rungs[0].Candidate
	b := climbJSON(t, file, "--full", "--model", "openai/other").Rungs[0].Candidate
	match := func() *rung.Matchup {
		t.Helper()
		status, out, errs := rungOut(t, "compare", file, string(a[:16]), string(b[:16]), "--json")
		var m rung.Matchup
		if err := json.Unmarshal([]byte(out), &m); err != nil || status != 0 {
			t.Fatalf("status %d, %v: %s", status, err, errs)
		}
		return &m
	}
	m := match()
	if d := m.Pairs[0].Deciding; d.Difference.Low <= .05 || d.P > .001 || d.Significant || d.Practical || d.PHolm != d.P || !strings.Contains(d.Undecided, "not calibrated") ||
		!strings.Contains(m.Pairs[0].Finding, "nothing is decided") || m.Pairs[0].Equivalence != nil || !strings.Contains(d.Difference.Method, "the judge's own scores") {
		t.Errorf("with an uncalibrated judge: %+v, %s", d, m.Pairs[0].Finding)
	}
	rateByStore(t, file, 45, map[rung.Digest]bool{a: false})
	if d := match().Pairs[0].Deciding; d.Significant || !strings.Contains(d.Undecided, "people rated both answers to 0 examples") {
		t.Errorf("with ratings of one of the two: %+v", d)
	}
	rateByStore(t, file, 45, map[rung.Digest]bool{a: false, b: true})
	m = match()
	d := m.Pairs[0].Deciding
	if d.Undecided != "" || d.Raw == nil || d.Raw.Low < .08 || d.Difference.Low > 0 || d.Difference.Value > .06 ||
		!strings.Contains(d.Difference.Method, "45 rated") || d.Test != "the corrected interval, inverted" || d.Practical || d.Difference.N != m.Suite.N {
		t.Errorf("once people rated both: %+v", d)
	}
	status, out, _ := rungOut(t, "compare", file, string(a[:16]), string(b[:16]))
	if said := strings.Join(strings.Fields(out), " "); status != 0 || !strings.Contains(said, "The judge's own scores differ by") {
		t.Errorf("status %d\n%s", status, out)
	}
	status, out, errs := rungOut(t, "diff", "--store", filepath.Join(filepath.Dir(file), ".rung"), string(a[:16]), string(b[:16]))
	if said := strings.Join(strings.Fields(out), " "); status != 0 || !strings.Contains(said, "decides nothing: these are the judge's own scores") || strings.Contains(said, "better than prompt") {
		t.Errorf("rung diff, status %d: %s\n%s", status, errs, out)
	}
}

// answerTo is right but for words that begin with a vowel.
func answerTo(c modeltest.Call) string {
	return counts("aeiou")(c).Text
}

// rateByStore has two people rate the answers of candidates to the first n held-out examples, 4 where they are right and 2 where not, one more
// now and then where they end in a full stop, and holds the judge against them. stops are candidates that write one.
func rateByStore(t *testing.T, file string, n int, stops map[rung.Digest]bool) {
	t.Helper()
	st, err := sqlite.Open(t.Context(), filepath.Join(filepath.Dir(file), ".rung"))
	if err != nil {
		t.Fatal(err)
	}
	q := rung.RatingQueue{Name: fmt.Sprint("answers of ", len(stops)), Task: "words", Kind: rung.Rubric, Criteria: []rung.Criterion{{Name: "right", Question: "Is it right?"}}, Made: time.Now().UTC()}
	var ratings []rung.Rating
	for candidate, stop := range stops {
		for i := range n {
			w := words[(10+i)%len(words)] + words[((10+i)*7+3)%len(words)]
			value, answer := 4, parity(w)
			if strings.ContainsRune("aeiou", rune(w[0])) {
				value, answer = 2, parity(w+"x")
			}
			if stop && w[0] < 'p' {
				answer += "."
				if i%7 == 0 {
					value++
				}
			}
			it := rung.RatingItem{ID: fmt.Sprint(candidate.Short(), " ", i), Example: fmt.Sprint("heldout", 10+i), Input: json.RawMessage(fmt.Sprintf(`{"word":%q}`, w)),
				Options: []rung.RatingOption{{Candidate: candidate, Text: answer}}}
			q.Items = append(q.Items, it)
			for _, rater := range []string{"ada", "ben"} {
				ratings = append(ratings, rung.Rating{Queue: q.Name, Task: q.Task, Item: it.ID, Example: it.Example, Rater: rater, Role: rung.AsRater,
					Candidates: []rung.Digest{candidate}, Values: map[string]int{"right": value}, At: time.Now().UTC()})
			}
		}
	}
	if err := errors.Join(st.PutRatingQueue(t.Context(), &q), st.PutRatings(t.Context(), ratings), st.Close()); err != nil {
		t.Fatal(err)
	}
	if status, _, errs := rungOut(t, "judge", "calibrate", file); status != 0 {
		t.Fatalf("status %d: %s", status, errs)
	}
}
