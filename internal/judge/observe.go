package judge

import (
	"math"
	"slices"
	"strings"

	"github.com/rung-dev/rung"
	"github.com/rung-dev/rung/internal/stats"
)

// Observation is one answer, or one pair of answers, with what people and a judge said about it. Values lie between 0 and 1: a score
// from 1 to 5 is (score−1)/4; of a pair, 1 says that the first answer is better, 0 the second, ½ neither.
type Observation struct {
	Example   string      `json:"example"`
	Candidate rung.Digest `json:"candidate,omitempty"` // whose answer it is; not for pairs
	// Also are other candidates that gave this very answer: what is said of it holds for theirs too.
	Also    []rung.Digest `json:"also,omitempty"`
	Group   string        `json:"group,omitempty"`
	People  []float64     `json:"people"`            // one value a rater; empty: not rated
	Settled *float64      `json:"settled,omitempty"` // by an adjudicator, where raters disagreed
	Judge   float64       `json:"judge"`             // 0 where there is none
	Failed  string        `json:"failed,omitempty"`  // why the judge said nothing
	// Length is log2 of the answer's words; of a pair, of the first answer's over the second's.
	Length float64 `json:"length"`
	// Own says whose answer it is: 1 that of the judge's own model, −1 another's (of a pair: the first or the second is its own), 0 where
	// it is not known or makes no difference.
	Own int `json:"own,omitempty"`
	// First and Second are what the first answer of a pair won when it was shown first and second; nil where only one order was asked.
	First  *float64 `json:"first,omitempty"`
	Second *float64 `json:"second,omitempty"`
}

// By reports whether it is an answer of a candidate. Answers that several gave are part of what each was rated for: without them the
// rated ones would be those on which candidates differ, which are not drawn from all.
func (o *Observation) By(candidate rung.Digest) bool {
	return candidate != "" && (o.Candidate == candidate || slices.Contains(o.Also, candidate))
}

// Rated reports whether a person has rated it.
func (o *Observation) Rated() bool { return o.Settled != nil || len(o.People) > 0 }

// Human is what people say: the settled value, else the mean of the raters.
func (o *Observation) Human() float64 {
	if o.Settled != nil {
		return *o.Settled
	}
	sum := 0.0
	for _, v := range o.People {
		sum += v
	}
	return sum / float64(len(o.People))
}

// majority is the value that more than half of the raters gave, or the settled one; false where there is none.
func (o *Observation) majority() (float64, bool) {
	if o.Settled != nil {
		return *o.Settled, true
	}
	for i, v := range o.People {
		n := 0
		for _, w := range o.People {
			if v == w {
				n++
			}
		}
		if 2*n > len(o.People) {
			return o.People[i], true
		}
	}
	return 0, false
}

// median is the middle of the raters' values, the lower of two; or the settled one.
func (o *Observation) median() float64 {
	if o.Settled != nil {
		return *o.Settled
	}
	sorted := slices.Sorted(slices.Values(o.People))
	return sorted[(len(sorted)-1)/2]
}

// words counts the words of a text; at least one, so that it has a logarithm.
func words(text string) float64 { return float64(max(len(strings.Fields(text)), 1)) }

// LengthOf is an answer's length as observations have it.
func LengthOf(answer string) float64 { return math.Log2(words(answer)) }

// input is what an observation shares with others: its group, else its example. Answers of several candidates to one input are one cluster.
func (o *Observation) input() string {
	switch {
	case o.Group != "":
		return "group " + o.Group
	case o.Example != "":
		return "example " + o.Example
	}
	return ""
}

// Clusters are the cluster numbers of observations, by their inputs; nil where each stands alone.
func Clusters(obs []Observation) []int { return clusters(obs) }

// clusters are the cluster numbers of observations; nil where no two share an input.
func clusters(obs []Observation) []int {
	inputs := make([]string, len(obs))
	seen := make(map[string]bool, len(obs))
	shared := false
	for i := range obs {
		inputs[i] = obs[i].input()
		shared = shared || seen[inputs[i]]
		if inputs[i] != "" {
			seen[inputs[i]] = true
		}
	}
	if !shared {
		return nil
	}
	return stats.Clusters(inputs)
}

// together are the clusters of two lists in one numbering; nil where no two observations of either share an input.
func together(a, b []Observation) (ofA, ofB []int) {
	all := clusters(slices.Concat(a, b))
	if all == nil {
		return nil, nil
	}
	return all[:len(a)], all[len(a):]
}

// InOrder sorts observations by example, so that what resamples them gives the same figures each time.
func InOrder(obs []Observation) []Observation {
	slices.SortFunc(obs, func(a, b Observation) int { return strings.Compare(a.Example, b.Example) })
	return obs
}

// keep are the observations for which ok holds.
func keep(obs []Observation, ok func(*Observation) bool) []Observation {
	var out []Observation
	for i := range obs {
		if ok(&obs[i]) {
			out = append(out, obs[i])
		}
	}
	return out
}

// column is one value of each observation.
func column(obs []Observation, of func(*Observation) float64) []float64 {
	out := make([]float64, len(obs))
	for i := range obs {
		out[i] = of(&obs[i])
	}
	return out
}

func humans(obs []Observation) []float64 { return column(obs, (*Observation).Human) }

func verdicts(obs []Observation) []float64 {
	return column(obs, func(o *Observation) float64 { return o.Judge })
}
