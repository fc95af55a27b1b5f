package reporttest

import (
	"encoding/json"
	"fmt"
	"math"
	"slices"
	"strings"

	"github.com/rung-dev/rung"
	"github.com/rung-dev/rung/internal/stats"
)

// request is one spoken command with its intent and slots.
type request struct {
	text   string
	intent string
	slots  [][2]string
}

func (r request) value() json.RawMessage {
	return mustJSON(struct {
		Intent string            `json:"intent"`
		Slots  map[string]string `json:"slots"`
	}{r.intent, r.slotMap()})
}

func (r request) slotMap() map[string]string {
	m := map[string]string{}
	for _, s := range r.slots {
		m[s[0]] = s[1]
	}
	return m
}

var forms = []struct {
	intent string
	text   string
	slots  []string
}{
	{"play_music", "play %s by %s", []string{"track", "artist"}},
	{"play_music", "put on something by %s from the %s", []string{"artist", "decade"}},
	{"weather", "will it rain in %s %s", []string{"city", "time"}},
	{"weather", "what should I wear in %s %s", []string{"city", "time"}},
	{"book_table", "book a table for %s at %s in %s", []string{"people", "restaurant", "city"}},
	{"set_alarm", "wake me %s at %s", []string{"time", "clock"}},
	{"add_to_list", "add %s to my %s list", []string{"item", "list"}},
}

var fillers = map[string][]string{
	"track":      {"Harbour Lights", "Paper Boats", "Slow Tuesday", "The Long Field", "Nine Lanterns", "Café sur l’île"},
	"artist":     {"Mara Ndiaye", "The Quiet Hands", "Ólöf Strand", "Kilo & Sons", "Irena Vasquez"},
	"decade":     {"seventies", "eighties", "nineties"},
	"city":       {"Tromsø", "Lisbon", "Valparaíso", "Kyoto", "Gdańsk", "Halifax"},
	"time":       {"tomorrow", "on Friday", "this weekend", "the day after tomorrow", "tonight"},
	"people":     {"two", "six", "a party of nine", "four"},
	"restaurant": {"the Blue Oven", "Zum Anker", "Otto’s", "Casa Lume"},
	"clock":      {"6:30", "a quarter to seven", "noon"},
	"item":       {"oat milk", "two lemons", "washing powder", "batteries"},
	"list":       {"shopping", "camping", "office"},
}

func (b *builder) request() request {
	f := forms[b.rnd.IntN(len(forms))]
	r := request{intent: f.intent}
	args := []any{}
	for _, name := range f.slots {
		v := fillers[name][b.rnd.IntN(len(fillers[name]))]
		r.slots = append(r.slots, [2]string{name, v})
		args = append(args, v)
	}
	r.text = fmt.Sprintf(f.text, args...)
	return r
}

// answer makes a rung's answer to example i: every part of it is right with a chance that grows with the rung's skill and
// falls with how hard the example is, so that rungs agree on what is easy.
func (b *builder) answer(p plan, c request, i int) (text string, value json.RawMessage, problem rung.Problem, detail string) {
	if b.rnd.Float64() < p.broken {
		return "Sure! The intent is " + c.intent + " and I would fill in: " + c.slots[0][1], nil, rung.NotJSON, "no JSON value in the answer"
	}
	got := request{intent: c.intent}
	if b.wrong(p, i, 1.5) {
		got.intent = forms[b.rnd.IntN(len(forms))].intent
	}
	for _, s := range c.slots {
		switch {
		case !b.wrong(p, i, 0):
			got.slots = append(got.slots, s)
		case b.rnd.IntN(2) == 0:
			got.slots = append(got.slots, [2]string{s[0], firstWord(s[1])})
		}
	}
	v := got.value()
	return string(v), v, rung.NoProblem, ""
}

func firstWord(s string) string {
	w, _, _ := strings.Cut(s, " ")
	return strings.ToLower(w)
}

func (b *builder) wrong(p plan, i int, bonus float64) bool {
	return b.rnd.Float64() > 1/(1+math.Exp(-(p.skill+bonus-b.hardness[i])))
}

// grade gives the values of one answer and the kind of its mistake.
func grade(c request, ans rung.Answer) (map[string]float64, string) {
	values := map[string]float64{"slot_f1": 0, "exact_match": 0, "json_valid": 0, "schema_valid": 0}
	if ans.Problem != rung.NoProblem {
		return values, string(ans.Problem)
	}
	values["json_valid"], values["schema_valid"] = 1, 1
	var got struct {
		Intent string            `json:"intent"`
		Slots  map[string]string `json:"slots"`
	}
	if err := json.Unmarshal(ans.Value, &got); err != nil {
		panic(err)
	}
	right, mistake := 0, ""
	for _, s := range c.slots {
		v, there := got.Slots[s[0]]
		switch {
		case there && v == s[1]:
			right++
		case there:
			mistake = "wrong value: " + s[0]
		case mistake == "":
			mistake = "missing: " + s[0]
		}
	}
	if got.Intent != c.intent {
		mistake = "wrong value: intent"
	}
	if right > 0 {
		values["slot_f1"] = 2 * float64(right) / float64(len(c.slots)+len(got.Slots))
	}
	if mistake == "" {
		values["exact_match"] = 1
	}
	return values, mistake
}

// scorecard sums up scores.
func scorecard(candidate rung.Digest, scores []rung.Score, level float64) *rung.Scorecard {
	card := &rung.Scorecard{Candidate: candidate, Split: rung.HeldoutIs, N: len(scores), Metrics: map[string]rung.Interval{}, Problems: map[rung.Problem]int{}}
	groups := map[string]*rung.MistakeGroup{}
	var latencies []float64
	for _, s := range scores {
		a := s.Answer
		card.Calls.Made += a.Made
		card.Tokens.In += a.Usage.In
		card.Tokens.Out += a.Usage.Out
		card.CostUSD += a.CostUSD
		card.Retries += a.Retries
		card.WallSeconds += a.Latency.Seconds() / 4
		latencies = append(latencies, float64(a.Latency.Milliseconds()))
		if s.Success {
			card.Successes++
		}
		if a.Problem != rung.NoProblem {
			card.Problems[a.Problem]++
		}
		if s.Mistake != "" {
			tally(groups, s)
		}
	}
	for _, name := range []string{"slot_f1", "exact_match", "json_valid", "schema_valid"} {
		o := stats.Options{Level: level, Seed: 1, PassFail: name != "slot_f1"}
		card.Metrics[name] = rung.Interval(stats.Mean(valuesOf(scores, name), nil, o).Interval)
	}
	if card.Successes > 0 {
		per := card.CostUSD / float64(card.Successes)
		card.CostPerSuccess = &per
	}
	slices.Sort(latencies)
	card.P50Millis, card.P95Millis = latencies[len(latencies)/2], latencies[len(latencies)*95/100]
	card.Mistakes = ordered(groups)
	return card
}

func tally(groups map[string]*rung.MistakeGroup, s rung.Score) {
	g := groups[s.Mistake]
	if g == nil {
		g = &rung.MistakeGroup{Kind: s.Mistake}
		groups[s.Mistake] = g
	}
	g.Count++
	if len(g.Examples) < 5 {
		g.Examples = append(g.Examples, s.Example)
	}
}

func ordered(groups map[string]*rung.MistakeGroup) []rung.MistakeGroup {
	var out []rung.MistakeGroup
	for _, g := range groups {
		out = append(out, *g)
	}
	slices.SortFunc(out, func(a, b rung.MistakeGroup) int {
		if a.Count != b.Count {
			return b.Count - a.Count
		}
		return strings.Compare(a.Kind, b.Kind)
	})
	return out
}

func valuesOf(scores []rung.Score, metric string) []float64 {
	out := make([]float64, len(scores))
	for i, s := range scores {
		out[i] = s.Values[metric]
	}
	return out
}

// compare pairs every scored rung with the one below and with the prompt.
func (b *builder) compare() {
	d := b.climb.Doc
	var below []*rung.Outcome
	for i := range d.Rungs {
		o := &d.Rungs[i]
		if o.Status != rung.Scored {
			continue
		}
		for j, with := range below {
			if j == 0 || j == len(below)-1 {
				o.Comparisons = append(o.Comparisons, b.pair(with, o))
			}
		}
		below = append(below, o)
	}
}

func (b *builder) pair(a, o *rung.Outcome) rung.Comparison {
	d := b.climb.Doc
	xs, ys := valuesOf(b.climb.Scores[a.Candidate], d.Bar.Metric), valuesOf(b.climb.Scores[o.Candidate], d.Bar.Metric)
	diff := rung.Interval(stats.MeanDifference(xs, ys, nil, stats.Options{Level: d.Bar.Level, Seed: 1}).Interval)
	for i := range ys {
		ys[i] -= xs[i]
	}
	p := stats.Wilcoxon(ys).P
	return rung.Comparison{With: a.Rung, Candidate: a.Candidate, Metric: d.Bar.Metric, Difference: diff, P: p, PHolm: min(1, 3*p),
		Test: "Wilcoxon signed-rank", Significant: 3*p < d.Bar.Alpha, Practical: diff.Low > d.Bar.MinGain}
}

// decide names the cheapest pass, or the best.
func (b *builder) decide() {
	d := b.climb.Doc
	best := &d.Rungs[0]
	for i := range d.Rungs {
		o := &d.Rungs[i]
		if o.Verdict == rung.Pass {
			best = o
			break
		}
		if o.Status == rung.Scored && o.Metrics[d.Bar.Metric].Value > best.Metrics[d.Bar.Metric].Value {
			best = o
		}
	}
	m := best.Metrics[d.Bar.Metric]
	d.Decision = rung.Decision{Rung: best.Rung, Candidate: best.Candidate, Verdict: best.Verdict}
	if best.Verdict == rung.Pass {
		d.Decision.Reasons = []string{
			fmt.Sprintf("%s reaches slot_f1 %.2f; the lower bound %.2f of its 99 %% interval is above the bar of %.2f.", best.Rung, m.Value, m.Low, d.Bar.AtLeast),
			"prompt fails: the upper bound of its interval is below the bar. fewshot is inconclusive: the bar lies inside its interval.",
		}
		return
	}
	d.Decision.Reasons = []string{fmt.Sprintf("No rung reaches slot_f1 %.2f. %s comes closest with %.2f.", d.Bar.AtLeast, best.Rung, m.Value)}
	d.Decision.Advice = []string{"Add train examples for add_to_list; it has the most mistakes left.", "Try a larger model: the learning curve still rises at 560 examples."}
}
