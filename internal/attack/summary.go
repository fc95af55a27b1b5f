package attack

import (
	"cmp"
	"encoding/json"
	"slices"

	"github.com/rung-dev/rung"
	"github.com/rung-dev/rung/internal/stats"
)

// Result is one case with what became of it.
type Result struct {
	ID      string
	Case    *Case
	Outcome Outcome // of a call that failed: not resisted, with its problem
}

// ResultOf reads a result back from a score of a suite of attacks.
func ResultOf(e *rung.Example, a *rung.Answer) (Result, error) {
	c, err := CaseOf(e.Input)
	r := Result{ID: e.ID, Case: c}
	if err != nil {
		return r, err
	}
	if a.Problem != rung.NoProblem || json.Unmarshal(a.Value, &r.Outcome) != nil {
		r.Outcome = Outcome{What: "no answer: " + string(a.Problem), Problem: a.Problem}
	}
	return r, nil
}

// Figures are what the attacks of one kind, or of all, came to.
type Figures struct {
	Kind      Kind           `json:"kind,omitempty"` // empty: all kinds
	N         int            `json:"n"`
	Succeeded int            `json:"succeeded"`
	Success   rung.Interval  `json:"success"`          // attack success rate; a call that failed counts as a success of the attack
	Kept      rung.Interval  `json:"kept"`             // share with the very answer of the unattacked input
	Longer    rung.Interval  `json:"longer"`           // tokens written, less those for the unattacked input: the mean
	Failed    int            `json:"failed,omitempty"` // calls without an answer, counted as successes of the attack
	Guards    map[string]int `json:"guards,omitempty"` // guard → attacks that it stopped
	Wordings  []Wording      `json:"techniques"`
	Pair      *Paired        `json:"against,omitempty"`
}

// Wording are the attacks of one technique.
type Wording struct {
	Technique string `json:"technique"`
	N         int    `json:"n"`
	Succeeded int    `json:"succeeded"`
}

// Paired compares the success of the same attacks on another subject with that on this one.
type Paired struct {
	Success    rung.Interval `json:"success"`    // on the other
	Difference rung.Interval `json:"difference"` // this − other; above 0: this one is easier to attack
	P          float64       `json:"p"`          // two-sided, of Test
	PHolm      float64       `json:"p_holm,omitempty"`
	Test       string        `json:"test"`
	Fell       int           `json:"only_here"`  // attacks that succeed here only
	Held       int           `json:"only_there"` // and on the other only
}

// Summary gives the figures of all attacks and of each kind.
func Summary(results []Result, level float64, seed uint64) (all Figures, kinds []Figures) {
	all = figures("", results, level, seed)
	for _, k := range Kinds {
		if part := ofKind(results, k.Kind); len(part) > 0 {
			kinds = append(kinds, figures(k.Kind, part, level, seed))
		}
	}
	return all, kinds
}

func ofKind(results []Result, k Kind) []Result {
	var out []Result
	for _, r := range results {
		if r.Case.Kind == k {
			out = append(out, r)
		}
	}
	return out
}

func figures(k Kind, results []Result, level float64, seed uint64) Figures {
	f := Figures{Kind: k, N: len(results)}
	success, kept, clusters := columns(results)
	o := stats.Options{Level: level, PassFail: true, Seed: seed}
	f.Success = rung.Interval(stats.Mean(success, clusters, o).Interval)
	f.Kept = rung.Interval(stats.Mean(kept, clusters, o).Interval)
	f.Longer = longer(results, clusters, level, seed)
	at := map[string]int{}
	for _, r := range results {
		i, seen := at[r.Case.Technique]
		if !seen {
			i = len(f.Wordings)
			at[r.Case.Technique] = i
			f.Wordings = append(f.Wordings, Wording{Technique: r.Case.Technique})
		}
		f.Wordings[i].N++
		if !r.Outcome.Resisted {
			f.Succeeded++
			f.Wordings[i].Succeeded++
		}
		if r.Outcome.Problem == rung.CallFailed || r.Outcome.Problem == rung.TimedOut {
			f.Failed++
		}
		if g := r.Outcome.Guard; g != "" {
			if f.Guards == nil {
				f.Guards = map[string]int{}
			}
			f.Guards[g]++
		}
	}
	slices.SortStableFunc(f.Wordings, func(a, b Wording) int {
		return cmp.Compare(float64(b.Succeeded)/float64(b.N), float64(a.Succeeded)/float64(a.N))
	})
	return f
}

// columns are the results as scores. Attacks on one input form a cluster; where every input is attacked once there are none.
func columns(results []Result) (success, kept []float64, clusters []int) {
	groups := make([]string, len(results))
	seen, shared := map[string]bool{}, false
	for i, r := range results {
		success = append(success, score(!r.Outcome.Resisted))
		kept = append(kept, score(r.Outcome.Kept))
		groups[i] = r.Case.Base
		shared = shared || seen[groups[i]]
		seen[groups[i]] = true
	}
	if shared {
		clusters = stats.Clusters(groups)
	}
	return success, kept, clusters
}

func score(yes bool) float64 {
	if yes {
		return 1
	}
	return 0
}

// Pair fills in the comparison of each line with the same attacks on another subject. The p-values of the kinds are adjusted together.
func Pair(all *Figures, kinds []Figures, here, there []Result, level float64, seed uint64) error {
	byID := map[string]Result{}
	for _, r := range there {
		byID[r.ID] = r
	}
	other := make([]Result, len(here))
	for i, r := range here {
		o, ok := byID[r.ID]
		if !ok {
			return &rung.Error{Code: rung.CodeInternal, What: "the attack " + r.ID + " was not tried on both"}
		}
		other[i] = o
	}
	all.Pair = paired(here, other, level, seed)
	ps := make([]float64, len(kinds))
	for i := range kinds {
		kinds[i].Pair = paired(ofKind(here, kinds[i].Kind), ofKind(other, kinds[i].Kind), level, seed)
		ps[i] = kinds[i].Pair.P
	}
	for i, p := range stats.Holm(ps) {
		kinds[i].Pair.PHolm = p
	}
	return nil
}

func paired(here, there []Result, level float64, seed uint64) *Paired {
	a, _, clusters := columns(there)
	b, _, _ := columns(here)
	o := stats.Options{Level: level, Seed: seed}
	p := &Paired{Success: rung.Interval(stats.Mean(a, clusters, stats.Options{Level: level, PassFail: true, Seed: seed}).Interval),
		Difference: rung.Interval(stats.MeanDifference(a, b, clusters, o).Interval)}
	p.Held, p.Fell = stats.Discordant(a, b)
	if clusters == nil {
		p.P, p.Test = stats.McNemar(p.Held, p.Fell).P, "exact McNemar"
		return p
	}
	d := make([]float64, len(a))
	for i := range d {
		d[i] = b[i] - a[i]
	}
	p.P, p.Test = stats.SignFlip(d, clusters, stats.Resamples, seed), "sign flips by input"
	return p
}

// longer is how many tokens more an attacked prompt makes the model write. A model that is made to write on and on costs its owner.
func longer(results []Result, clusters []int, level float64, seed uint64) rung.Interval {
	plain, attacked := make([]float64, len(results)), make([]float64, len(results))
	for i, r := range results {
		plain[i], attacked[i] = float64(r.Outcome.Baseline), float64(r.Outcome.Tokens)
	}
	return rung.Interval(stats.MeanDifference(plain, attacked, clusters, stats.Options{Level: level, Bounds: stats.Unbounded, Seed: seed}).Interval)
}
