package grade_test

import (
	"encoding/json"
	"fmt"
	"runtime"
	"strings"
	"testing"

	"github.com/rung-dev/rung"
	"github.com/rung-dev/rung/internal/grade"
)

var sentences = []string{
	"The Normans were the people who in the 10th and 11th centuries gave their name to Normandy.",
	"Alimentum is not a family-friendly place, located in the city centre.",
	"Normandy is a region in France that takes its name from the Normans of the 10th century.",
	"There is a venue in the city centre, Alimentum, that is not family-friendly.",
}

// benchTask gives a grader with an example and an answer maker.
func benchTask(b testing.TB, kind rung.OutputKind) (g *grade.Grader, examples []rung.Example, answers []rung.Answer) {
	out := map[rung.OutputKind]rung.Output{rung.Text: plain, rung.JSONSchema: intent, rung.Labels: labels}[kind]
	metric := map[rung.OutputKind]string{rung.Text: "token_f1", rung.JSONSchema: "slot_f1", rung.Labels: "accuracy"}[kind]
	g = grader(b, task(out, rung.Bar{Metric: metric, AtLeast: .5}))
	for i := range 64 {
		want, got := quote(sentences[i%4]), quote(sentences[(i+2*(i%2))%4])
		switch kind {
		case rung.JSONSchema:
			want = fmt.Sprintf(`{"intent":"PlayMusic","slots":{"artist":["clem %d"],"playlist":["Pre-Party R&B Jams"],"year":["19%d"]}}`, i, i)
			got = strings.Replace(want, "clem 1", "Clem 1", 1)
		case rung.Labels:
			want, got = quote(labels.Labels[i%3]), quote(labels.Labels[i%2])
		}
		examples = append(examples, rung.Example{ID: fmt.Sprint(i), Input: json.RawMessage(`{"q":"x"}`), Output: json.RawMessage(want)})
		answers = append(answers, said(got))
	}
	return g, examples, answers
}

func BenchmarkAdd(b *testing.B) {
	for _, kind := range []rung.OutputKind{rung.Labels, rung.JSONSchema, rung.Text} {
		b.Run(string(kind), func(b *testing.B) {
			g, examples, answers := benchTask(b, kind)
			tally := g.NewTally(1024)
			b.ReportAllocs()
			for i := range b.N {
				tally.Add(i%1024, &examples[i%64], &answers[i%64])
			}
		})
	}
}

func BenchmarkScorecard(b *testing.B) {
	for _, kind := range []rung.OutputKind{rung.Labels, rung.JSONSchema, rung.Text} {
		for _, n := range []int{100, 1000, 100_000} {
			b.Run(fmt.Sprintf("%s/%d", kind, n), func(b *testing.B) {
				g, examples, answers := benchTask(b, kind)
				tally := g.NewTally(n)
				for i := range n {
					tally.Add(i, &examples[i%64], &answers[i%64])
				}
				b.ResetTimer()
				for range b.N {
					tally.Scorecard(.95, 1)
				}
			})
		}
	}
}

func TestTallyOfManyExamplesIsSmall(t *testing.T) {
	const n = 100_000
	g, examples, answers := benchTask(t, rung.Text)
	var before, after runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&before)
	tally := g.NewTally(n)
	for i := range n {
		if i%50 == 0 {
			tally.Add(i, &examples[i%64], &answers[i%64])
		}
	}
	runtime.GC()
	runtime.ReadMemStats(&after)
	if mb := float64(after.HeapAlloc-before.HeapAlloc) / 1e6; mb > 30 {
		t.Errorf("a tally of %d texts takes %.1f MB, want under 30", n, mb)
	}
	runtime.KeepAlive(tally)
}
