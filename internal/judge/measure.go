package judge

import (
	"math"
	"math/rand/v2"

	"github.com/rung-dev/rung"
	"github.com/rung-dev/rung/internal/stats"
)

// Recorded makes observations of rows that hold the verdicts of a judge. A row without a verdict is one on which it failed.
func Recorded(rows []Row, model string, pairwise bool) []Observation {
	out := make([]Observation, 0, len(rows))
	for _, r := range rows {
		o := ObservationOf(&r, model, pairwise)
		o.People = r.People[""]
		if r.Judge != nil {
			o.Judge = *r.Judge
		} else {
			o.Failed = "no verdict recorded"
		}
		out = append(out, o)
	}
	return out
}

// ObservationOf is what a row says besides ratings and verdicts. model is the judge's, which may have made answers itself.
func ObservationOf(r *Row, model string, pairwise bool) Observation {
	o := Observation{Example: r.ID, Group: r.Group}
	if pairwise {
		o.Length = LengthOf(r.First) - LengthOf(r.Second)
		o.Own = owns(r.FirstModel, model) - owns(r.SecondModel, model)
		return o
	}
	o.Length = LengthOf(r.Answer)
	switch {
	case r.Model == "" || model == "":
	case r.Model == model:
		o.Own = 1
	default:
		o.Own = -1
	}
	return o
}

func owns(whose, model string) int {
	if whose != "" && whose == model {
		return 1
	}
	return 0
}

// Judged adds the verdict of a judge to an observation of one criterion, "" for all of it.
func (o Observation) Judged(v rung.OutsideValue, criterion string) Observation {
	o.Failed, o.Judge = v.Failed, v.Value
	if v.Failed != "" {
		o.Judge = 0
		return o
	}
	if criterion != "" {
		o.Judge = v.Parts[criterion]
	}
	first, hasFirst := v.Parts[ShownFirst]
	second, hasSecond := v.Parts[ShownSecond]
	if hasFirst && hasSecond {
		o.First, o.Second = &first, &second
	}
	return o
}

// Means are people's values over all criteria, a rater's mean each. Criteria have their raters in one order; where a rater is missing
// in one, nothing can be said over all.
func Means(people map[string][]float64, criteria []rung.Criterion) []float64 {
	if all, ok := people[""]; ok {
		return all
	}
	var out []float64
	for i, c := range criteria {
		values := people[c.Name]
		if i == 0 {
			out = make([]float64, len(values))
		}
		if len(values) != len(out) {
			return nil
		}
		for k, v := range values {
			out[k] += v / float64(len(criteria))
		}
	}
	return out
}

// Coverage is what a rehearsal of few ratings shows: how often the corrected interval held what all people say.
type Coverage struct {
	Rated     int     `json:"rated"`
	Draws     int     `json:"draws"`
	Truth     float64 `json:"people"`         // what all ratings say
	Raw       float64 `json:"raw"`            // what the judge says of all
	Held      float64 `json:"held"`           // share of draws whose interval held the truth
	Alone     float64 `json:"held_alone"`     // the same of the ratings alone
	Width     float64 `json:"width"`          // mean width of the corrected intervals
	AloneWide float64 `json:"width_alone"`    // of those of the ratings alone
	Corrected float64 `json:"mean_corrected"` // mean of the corrected figures
	Level     float64 `json:"level"`
	Method    string  `json:"method"`
}

// Rehearse pretends that only n of the rated observations were rated, in draws random ways, and holds the corrected figures against
// what all people say.
func Rehearse(obs []Observation, n, draws int, s Settings) Coverage {
	rated := keep(obs, (*Observation).Rated)
	out := Coverage{Rated: min(n, len(rated)), Draws: draws, Truth: mean(humans(rated)), Raw: mean(verdicts(rated)), Level: s.Level}
	if out.Level == 0 {
		out.Level = .95
	}
	if out.Rated == 0 || draws == 0 {
		return out
	}
	for d := range draws {
		e := rehearsal(rated, out.Rated, uint64(d), s)
		if e.Contains(out.Truth) {
			out.Held += 1 / float64(draws)
		}
		if e.Alone.Contains(out.Truth) {
			out.Alone += 1 / float64(draws)
		}
		out.Width += (e.High - e.Low) / float64(draws)
		out.AloneWide += (e.Alone.High - e.Alone.Low) / float64(draws)
		out.Corrected += e.Value / float64(draws)
		out.Method = e.Method
	}
	out.Held, out.Alone = math.Round(1e9*out.Held)/1e9, math.Round(1e9*out.Alone)/1e9
	return out
}

// rehearsal is one draw: n rated, the rest judged only.
func rehearsal(rated []Observation, n int, seed uint64, s Settings) stats.PPIEstimate {
	order := rand.New(rand.NewPCG(seed, s.Seed)).Perm(len(rated))
	few, rest := make([]Observation, n), make([]Observation, 0, len(rated)-n)
	for i, at := range order {
		if i < n {
			few[i] = rated[at]
		} else {
			rest = append(rest, rated[at])
		}
	}
	o := s.options()
	o.Resamples = 1000 // a draw is one of hundreds
	return stats.PPI(withOthers(few, rest), stats.Tuned, o)
}
