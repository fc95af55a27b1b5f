package climb

import (
	"context"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/rung-dev/rung"
	"github.com/rung-dev/rung/internal/form"
	"github.com/rung-dev/rung/internal/grade"
	"github.com/rung-dev/rung/internal/recipe"
)

// ladder is a climb whose candidates answer right with a given probability. Answers are graded, scored and compared by the
// real code; only the model is a coin.
type ladder struct {
	t        testing.TB
	grader   *grade.Grader
	examples []rung.Example
	quality  map[rung.Rung]float64
	why      map[rung.Rung]string
	latency  time.Duration
	cost     float64
	rng      *rand.Rand
	tallies  map[rung.Digest]*grade.Tally
	told     []rung.Outcome
	asked    int                  // examples in all scorecards
	tossed   map[rung.Rung][]bool // what each rung answers to each example; cleared for a new climb
	lean     bool                 // only the figures that verdicts rest on: resampling the others 10,000 times per climb is not what is tested
}

func newLadder(t testing.TB, n int, seed uint64, quality map[rung.Rung]float64) *ladder {
	t.Helper()
	task := &rung.Task{
		Name: "coin", Output: rung.Output{Kind: rung.Labels, Labels: []string{"right", "wrong"}},
		Bar: rung.Bar{Metric: "accuracy", AtLeast: .7},
	}
	f, err := form.New(task.Output)
	if err != nil {
		t.Fatal(err)
	}
	g, err := grade.New(task, f)
	if err != nil {
		t.Fatal(err)
	}
	l := &ladder{t: t, grader: g, quality: quality, why: map[rung.Rung]string{}, rng: rand.New(rand.NewPCG(seed, 7)), tallies: map[rung.Digest]*grade.Tally{}, tossed: map[rung.Rung][]bool{}}
	for i := range n {
		l.examples = append(l.examples, rung.Example{ID: fmt.Sprint("e", i), Input: json.RawMessage(fmt.Sprint(i)), Output: json.RawMessage(`"right"`)})
	}
	return l
}

func (l *ladder) Inapplicable(r rung.Rung, _ rung.ModelRef) string { return l.why[r] }

func (l *ladder) Build(_ context.Context, r rung.Rung, ref rung.ModelRef) (*recipe.Built, error) {
	return &recipe.Built{Candidate: &rung.Candidate{Rung: r, Model: ref}}, nil
}

func (l *ladder) Score(ctx context.Context, c *rung.Candidate, level float64, stopping *Stopping) (Scored, error) {
	ev := recipe.Evaluation{Grader: l.grader}
	var stop *rung.Stop
	if stopping != nil {
		ev.Looks = &recipe.Looks{Order: rung.Order("coins", l.examples), Next: stopping.NextLook, Look: func(t *grade.Tally, n int, places []int) bool {
			stop = stopping.Look(stopping.See(t, n, places))
			return stop != nil
		}}
	}
	tally, _, err := recipe.Evaluate(ctx, l.toss(c.Rung), l.examples, ev)
	if err != nil {
		return Scored{}, err
	}
	if stop != nil {
		level = stopping.StopLevel()
		tally.Stop(stopping.Plan())
	}
	l.asked += tally.Len()
	l.tallies[c.Digest()] = tally
	bar, _ := tally.Estimate("accuracy", level, 1)
	card := rung.Scorecard{N: bar.N, Metrics: map[string]rung.Interval{"accuracy": rung.Interval(bar.Interval)}}
	if !l.lean {
		card = tally.Scorecard(level, 1)
	}
	card.Candidate = c.Digest()
	return Scored{Card: card, Bar: bar, Stop: stop}, nil
}

// coin answers right with a given probability, and an input always alike, so that a climb can be made again in another way.
type coin struct {
	l     *ladder
	right []bool
}

func (l *ladder) toss(r rung.Rung) coin {
	if l.tossed[r] == nil {
		l.tossed[r] = make([]bool, len(l.examples))
		for i := range l.tossed[r] {
			l.tossed[r][i] = l.rng.Float64() < l.quality[r]
		}
	}
	return coin{l, l.tossed[r]}
}

func (c coin) Answer(_ context.Context, input json.RawMessage) (rung.Answer, error) {
	i, err := strconv.Atoi(string(input))
	value := json.RawMessage(`"wrong"`)
	if c.right[i] {
		value = json.RawMessage(`"right"`)
	}
	return rung.Answer{Value: value, Latency: c.l.latency, CostUSD: c.l.cost, Made: 1}, err
}

func (l *ladder) Compare(_ context.Context, a, b rung.Digest, level float64) (rung.Comparison, error) {
	if l.lean {
		return rung.Comparison{P: 1}, nil
	}
	return grade.Compare(l.tallies[a], l.tallies[b], "accuracy", level, 1)
}

func (l *ladder) Outcome(o rung.Outcome) { l.told = append(l.told, o) }

func plan() Plan {
	return Plan{Bar: rung.Bar{Metric: "accuracy", AtLeast: .7, MinGain: .02}, Rungs: rung.Ladder, Models: []rung.ModelRef{"local/m"}, Alpha: .05}
}

func (l *ladder) run(p Plan) ([]rung.Outcome, rung.Decision) {
	l.t.Helper()
	outcomes, d, err := Run(context.Background(), p, l)
	if err != nil {
		l.t.Fatal(err)
	}
	return outcomes, d
}

func TestStopsAtTheCheapestPass(t *testing.T) {
	l := newLadder(t, 200, 1, map[rung.Rung]float64{rung.Prompt: .2, rung.FewShot: .95, rung.RAG: 1, rung.LoRA: 1, rung.RAGLoRA: 1})
	l.why[rung.RAG] = "the task has no documents to retrieve from"
	outcomes, d := l.run(plan())
	if d.Rung != rung.FewShot || d.Verdict != rung.Pass {
		t.Fatalf("decided %s %s", d.Rung, d.Verdict)
	}
	var got []string
	for _, o := range outcomes {
		got = append(got, fmt.Sprint(o.Rung, " ", o.Status, " ", o.Verdict))
		if o.Reason == "" {
			t.Errorf("%s has no reason", o.Rung)
		}
	}
	want := []string{"prompt scored fail", "fewshot scored pass", "rag skipped ", "lora skipped ", "rag+lora skipped "}
	if !slices.Equal(got, want) {
		t.Errorf("got %q", got)
	}
	if len(l.told) != len(outcomes) {
		t.Errorf("%d of %d outcomes were told", len(l.told), len(outcomes))
	}
	text := strings.Join(d.Reasons, "\n")
	for _, part := range []string{"fewshot meets the bar", "prompt does not meet the bar", "no documents", "a cheaper rung meets the bar", "larger than min_gain"} {
		if !strings.Contains(text, part) {
			t.Errorf("the reasons do not say %q:\n%s", part, text)
		}
	}
}

func TestAllScoresEveryRungAndStillDecidesForTheCheapest(t *testing.T) {
	l := newLadder(t, 200, 2, map[rung.Rung]float64{rung.Prompt: .95, rung.FewShot: .95, rung.RAG: .99, rung.LoRA: .99, rung.RAGLoRA: .99})
	p := plan()
	p.All = true
	outcomes, d := l.run(p)
	if d.Rung != rung.Prompt {
		t.Errorf("decided for %s", d.Rung)
	}
	for i, o := range outcomes {
		if o.Status != rung.Scored {
			t.Errorf("%s was not scored", o.Rung)
		}
		if want := min(i, 2); len(o.Comparisons) != want {
			t.Errorf("%s has %d comparisons, want %d", o.Rung, len(o.Comparisons), want)
		}
	}
}

func TestAlphaIsSpentOverTheRungsThatCanPass(t *testing.T) {
	l := newLadder(t, 100, 3, nil)
	for level, p := range map[float64]func(*Plan){
		1 - .05/5: func(*Plan) {},
		1 - .05/3: func(*Plan) { l.why[rung.RAG], l.why[rung.RAGLoRA] = "no documents", "no documents" },
		1 - .05/6: func(p *Plan) { p.Models = append(p.Models, "local/other") },
	} {
		l.why = map[rung.Rung]string{}
		pl := plan()
		p(&pl)
		if len(pl.Models) == 2 {
			l.why[rung.RAG], l.why[rung.RAGLoRA] = "no documents", "no documents"
		}
		if got := pl.Level(l); got < level-1e-9 || got > level+1e-9 {
			t.Errorf("level %g, want %g", got, level)
		}
	}
}

func TestInconclusiveSaysHowManyExamplesWouldSettleIt(t *testing.T) {
	l := newLadder(t, 60, 4, map[rung.Rung]float64{rung.Prompt: .75})
	p := plan()
	p.Rungs = []rung.Rung{rung.Prompt}
	outcomes, d := l.run(p)
	o := outcomes[0]
	if o.Verdict != rung.Inconclusive || o.NeededN <= o.N {
		t.Fatalf("verdict %s, needed %d of %d", o.Verdict, o.NeededN, o.N)
	}
	if d.Rung != rung.Prompt || d.Verdict != rung.Inconclusive || !strings.Contains(strings.Join(d.Advice, " "), "more examples") {
		t.Errorf("decision %+v", d)
	}
}

func TestNothingPassesNamesTheBestAndWhatRemains(t *testing.T) {
	l := newLadder(t, 150, 5, map[rung.Rung]float64{rung.Prompt: .1, rung.FewShot: .3, rung.LoRA: .2})
	p := plan()
	p.Rungs = []rung.Rung{rung.Prompt, rung.FewShot, rung.LoRA}
	_, d := l.run(p)
	if d.Rung != rung.FewShot || d.Verdict != rung.Fail || len(d.Advice) == 0 {
		t.Fatalf("decision %+v", d)
	}
	text := strings.Join(d.Reasons, "\n")
	for _, part := range []string{"No rung is shown to meet the bar", "short of accuracy .7; by its interval, between ", "said wrong instead of right"} {
		if !strings.Contains(text, part) {
			t.Errorf("the reasons do not say %q:\n%s", part, text)
		}
	}
}

// TestEquallyHighRungsAreSaidToBe: of rungs that scored the same none is the best, and which one is named has a reason.
func TestEquallyHighRungsAreSaidToBe(t *testing.T) {
	l := newLadder(t, 60, 5, map[rung.Rung]float64{})
	p := plan()
	p.Rungs = []rung.Rung{rung.Prompt, rung.FewShot, rung.LoRA}
	_, d := l.run(p)
	if text := strings.Join(d.Reasons, "\n"); d.Rung != rung.Prompt || !strings.Contains(text, "As high as that: fewshot, lora.") {
		t.Errorf("decided for %s:\n%s", d.Rung, text)
	}
}

func TestLimitsStandBetweenAPerfectScoreAndAPass(t *testing.T) {
	for name, set := range map[string]func(*rung.Bar){
		"p95 latency":    func(b *rung.Bar) { b.MaxP95Latency = time.Second },
		"per success":    func(b *rung.Bar) { b.MaxCostPerSuccess = .001 },
		"guard macro_f1": func(b *rung.Bar) { b.Guards = map[string]float64{"macro_f1": 1.01} },
	} {
		l := newLadder(t, 100, 6, map[rung.Rung]float64{rung.Prompt: 1})
		l.latency, l.cost = 2*time.Second, .01
		p := plan()
		p.Rungs = []rung.Rung{rung.Prompt}
		set(&p.Bar)
		outcomes, _ := l.run(p)
		if o := outcomes[0]; o.Verdict != rung.Fail || !strings.Contains(o.Reason, name) {
			t.Errorf("%s: %s, %s", name, o.Verdict, o.Reason)
		}
	}
}

func TestAnErrorKeepsTheOutcomesSoFar(t *testing.T) {
	l := &failing{newLadder(t, 100, 8, map[rung.Rung]float64{rung.Prompt: .1})}
	outcomes, _, err := Run(context.Background(), plan(), l)
	if rung.CodeOf(err) != rung.CodeBudget || len(outcomes) != 1 {
		t.Errorf("%d outcomes, %v", len(outcomes), err)
	}
}

type failing struct{ *ladder }

func (f *failing) Build(ctx context.Context, r rung.Rung, ref rung.ModelRef) (*recipe.Built, error) {
	if r == rung.FewShot {
		return nil, &rung.Error{Code: rung.CodeBudget, What: "the budget is used up"}
	}
	return f.ladder.Build(ctx, r, ref)
}

// The promise of a climb: with every rung exactly at the bar, where a wrong pass is likeliest, the share of climbs that pass
// at all stays within α. 2,000 climbs of five rungs; the bound allows three standard errors of simulation.
func TestWrongPassesOfTheWholeClimbStayWithinAlpha(t *testing.T) {
	const climbs = 2000
	at := map[rung.Rung]float64{}
	for _, r := range rung.Ladder {
		at[r] = .7
	}
	l := newLadder(t, 100, 11, at)
	l.lean = true
	wrong := 0
	for range climbs {
		clear(l.tossed)
		if _, d := l.run(plan()); d.Verdict == rung.Pass {
			wrong++
		}
	}
	rate := float64(wrong) / climbs
	if rate > .05+3*.0049 {
		t.Errorf("wrong passes in %.3f of climbs, α is .05", rate)
	}
	t.Logf("wrong passes in %.4f of %d climbs", rate, climbs)
}

func TestNum(t *testing.T) {
	for x, want := range map[float64]string{.45: ".45", 0: "0", 1: "1", -.125: "−.125", 99: "99", .98999: ".99", 34.25: "34.2", -0.00001: "0"} {
		if got := num(x); got != want {
			t.Errorf("num(%g) = %q, want %q", x, got, want)
		}
	}
}
