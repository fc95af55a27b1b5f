package judge

import (
	"fmt"
	"slices"
	"time"

	"github.com/rung-dev/rung"
	"github.com/rung-dev/rung/internal/stats"
)

// EnoughRated is the number of rated answers below which a judge counts as uncalibrated, whatever they say.
const EnoughRated = 30

// Figure is one measured figure under its name.
type Figure struct {
	Name string `json:"name"`
	rung.Interval
	// Says is what it means, in plain words.
	Says string `json:"says,omitempty"`
}

// Calibration is what is known of a judge from answers that people rated as well. Figures are of the judge named by Digest alone.
type Calibration struct {
	Metric    string        `json:"metric"`
	Criterion string        `json:"criterion,omitempty"` // of the metric; empty: all of it
	Model     rung.ModelRef `json:"model,omitempty"`
	Prompt    string        `json:"prompt,omitempty"`
	Digest    rung.Digest   `json:"digest,omitempty"`
	Pairwise  bool          `json:"pairwise,omitempty"`
	Scale     int           `json:"scale,omitempty"` // number of values that people could give; 0: many
	Rated     int           `json:"rated"`           // answers that people rated
	Judged    int           `json:"judged"`          // further answers that only the judge saw
	Failed    int           `json:"failed"`          // of all these, without a verdict of the judge
	Raters    int           `json:"raters"`          // most people on one answer
	Ratings   int           `json:"ratings"`
	Agreement []Figure      `json:"agreement"` // the first decides whether the judge counts as calibrated
	Among     *Figure       `json:"among_people,omitempty"`
	Biases    []Bias        `json:"biases"`
	People    rung.Interval `json:"people"`    // the mean of the ratings alone
	Raw       rung.Interval `json:"raw"`       // the judge's own mean over all answers
	Corrected rung.Interval `json:"corrected"` // the mean that people would give over all answers
	Lambda    float64       `json:"lambda"`
	OK        bool          `json:"calibrated"`
	Says      []string      `json:"says"`
	At        time.Time     `json:"at,omitzero"`
	Source    string        `json:"source,omitempty"`       // where the ratings came from
	Kept      []Observation `json:"observations,omitempty"` // rated ones, for the correction of other figures
}

// Settings of a calibration.
type Settings struct {
	Pairwise bool
	Scale    int // number of values that people could give; 0: many
	Level    float64
	Seed     uint64
}

func (s Settings) options() stats.Options {
	return stats.Options{Level: s.Level, Seed: s.Seed, Resamples: resamples}
}

// resamples is fewer than for a scorecard: a calibration has a dozen of figures.
const resamples = 4000

// Calibrate measures a judge on observations, of which at least one is rated. What only the judge saw enters the corrected figure.
func Calibrate(obs []Observation, s Settings) Calibration {
	rated := keep(obs, (*Observation).Rated)
	others := keep(obs, func(o *Observation) bool { return !o.Rated() })
	c := Calibration{Pairwise: s.Pairwise, Scale: s.Scale, Rated: len(rated), Judged: len(others), Kept: rated}
	for i := range obs {
		c.Raters = max(c.Raters, len(obs[i].People))
		c.Ratings += len(obs[i].People)
		if obs[i].Failed != "" {
			c.Failed++
		}
	}
	c.Agreement, c.Among = agreement(rated, s)
	c.Biases = biases(obs, s)
	e := stats.PPI(withOthers(rated, others), stats.Tuned, s.options())
	c.People, c.Raw, c.Corrected, c.Lambda = rung.Interval(e.Alone.Interval), rung.Interval(e.Raw.Interval), rung.Interval(e.Interval), e.Lambda
	c.OK = c.Rated >= EnoughRated && len(c.Agreement) > 0 && c.Agreement[0].Low > 0
	c.Says = c.words()
	return c
}

// agreement is how far the judge agrees with people, the figure that decides first, and people with each other.
func agreement(rated []Observation, s Settings) (figures []Figure, among *Figure) {
	said := keep(rated, func(o *Observation) bool { return o.Failed == "" })
	if len(said) < 2 {
		return nil, nil
	}
	if s.Pairwise {
		figures = pairAgreement(said, s)
	} else {
		figures = scoreAgreement(said, s)
	}
	if several := keep(rated, func(o *Observation) bool { return len(o.People) > 1 }); len(several) > 1 && (s.Scale > 0 || s.Pairwise) {
		f := amongPeople(several, s)
		among = &f
	}
	return figures, among
}

func figure(name string, e stats.Estimate) Figure {
	return Figure{Name: name, Interval: rung.Interval(e.Interval)}
}

// category is a preference as a number: 0 the second, 1 neither, 2 the first.
func category(v float64) int {
	switch {
	case v > .5:
		return 2
	case v < .5:
		return 0
	}
	return 1
}

// pairAgreement compares preferences with those of people's majority.
func pairAgreement(said []Observation, s Settings) []Figure {
	clear := keep(said, func(o *Observation) bool { _, ok := o.majority(); return ok })
	var people, judge []int
	var same []float64
	for i := range clear {
		v, _ := clear[i].majority()
		people, judge = append(people, category(v)), append(judge, category(clear[i].Judge))
		equal := 0.0
		if people[i] == judge[i] {
			equal = 1
		}
		same = append(same, equal)
	}
	share := s.options()
	share.PassFail = true
	return []Figure{
		figure("Cohen's κ with people's majority", stats.CohenFigure(people, judge, 3, stats.Unweighted, clusters(clear), s.options())),
		figure("share of equal verdicts", stats.Mean(same, clusters(clear), share)),
	}
}

// scoreAgreement compares scores with those of people.
func scoreAgreement(said []Observation, s Settings) []Figure {
	people, judge := humans(said), verdicts(said)
	figures := []Figure{figure("Spearman's ρ with people's mean", correlation(ranked(people), ranked(judge), clusters(said), s))}
	figures = append(figures, figure("Pearson's r with people's mean", correlation(people, judge, clusters(said), s)))
	if s.Scale == 0 {
		return figures
	}
	units := make([][]float64, len(said))
	for i := range said {
		units[i] = []float64{said[i].median(), nearest(said[i].Judge, s.Scale)}
	}
	alpha := figure("Krippendorff's α (ordinal) with people's median", stats.KrippendorffFigure(units, stats.Ordinal, clusters(said), s.options()))
	return append([]Figure{alpha}, figures...)
}

// nearest is the value of a scale that v is closest to: the mean of several criteria lies between its steps.
func nearest(v float64, scale int) float64 {
	steps := float64(scale - 1)
	return float64(int(v*steps+.5)) / steps
}

// amongPeople is the agreement of raters with each other.
func amongPeople(several []Observation, s Settings) Figure {
	units := make([][]float64, len(several))
	for i := range several {
		units[i] = several[i].People
	}
	measure, name := stats.Ordinal, "Krippendorff's α (ordinal) among people"
	if s.Pairwise {
		measure, name = stats.Nominal, "Krippendorff's α (nominal) among people"
	}
	return figure(name, stats.KrippendorffFigure(units, measure, clusters(several), s.options()))
}

// correlation is Pearson's r with its bootstrap interval, as a statistic of summed products.
func correlation(x, y []float64, clusters []int, s Settings) stats.Estimate {
	parts := make([][]float64, len(x))
	for i := range x {
		parts[i] = []float64{x[i], y[i], x[i] * y[i], x[i] * x[i], y[i] * y[i]}
	}
	o := s.options()
	o.Bounds = stats.Bounds{Low: -1, High: 1}
	return stats.Figure(parts, clusters, pearson, o)
}

// ranked are the mean ranks of values, scaled to 0–1 so that sums stay small.
func ranked(values []float64) []float64 {
	sorted := slices.Sorted(slices.Values(values))
	out := make([]float64, len(values))
	for i, v := range values {
		low, _ := slices.BinarySearch(sorted, v)
		high := low
		for high < len(sorted) && sorted[high] == v {
			high++
		}
		out[i] = float64(low+high-1) / 2 / float64(max(len(values)-1, 1))
	}
	return out
}

// words sum a calibration up for people.
func (c *Calibration) words() []string {
	var out []string
	switch {
	case len(c.Agreement) == 0:
		out = append(out, "Nothing can be said about it: hardly an answer has both a rating and a verdict.")
	case c.Rated < EnoughRated:
		out = append(out, fmt.Sprintf("It is not calibrated: people rated %d answers, and fewer than %d say too little.", c.Rated, EnoughRated))
	case c.Agreement[0].Low <= 0:
		out = append(out, "It is not calibrated: it is not shown to agree with people any better than chance. Do not decide by it.")
	default:
		out = append(out, fmt.Sprintf("It is calibrated on %d rated answers, and agrees with people %s.", c.Rated, strength(c.Agreement[0].Value)))
	}
	if c.Among != nil && len(c.Agreement) > 0 {
		out = append(out, fmt.Sprintf("People agree with each other to %s, it agrees with them to %s.", num(c.Among.Value), num(c.Agreement[0].Value)))
	}
	if same := c.constant(); same != "" {
		out = append(out, same)
	}
	for _, b := range c.Biases {
		if b.Found {
			out = append(out, b.Says)
		}
	}
	if c.Failed > 0 {
		out = append(out, fmt.Sprintf("It gave no verdict on %d of %d answers; these count as 0 in every figure but agreement.", c.Failed, c.Rated+c.Judged))
	}
	return out
}

// constant says that the judge says the same of everything.
func (c *Calibration) constant() string {
	said := keep(c.Kept, func(o *Observation) bool { return o.Failed == "" })
	if len(said) < 2 {
		return ""
	}
	for i := range said {
		if said[i].Judge != said[0].Judge {
			return ""
		}
	}
	return fmt.Sprintf("It says the same of every answer (%s on a scale of 0 to 1): it tells nothing apart.", num(said[0].Judge))
}

// strength puts chance-corrected agreement into words (Landis & Koch, Biometrics 1977).
func strength(v float64) string {
	switch {
	case v < .2:
		return "slightly"
	case v < .4:
		return "fairly"
	case v < .6:
		return "moderately"
	case v < .8:
		return "substantially"
	}
	return "almost perfectly"
}

// withOthers are rated observations and others that only the judge saw, for prediction-powered inference.
func withOthers(rated, others []Observation) stats.Rated {
	r := stats.Rated{People: humans(rated), Judge: verdicts(rated), Judged: verdicts(others)}
	r.Clusters, r.JudgedClusters = together(rated, others)
	return r
}

// Correct gives a figure of other answers with the judge's bias taken out, by what is known from the rated ones. own are the rated
// observations that belong to the figure's own answers, others its answers that only the judge saw: with enough own ones the estimate is
// tuned; otherwise the bias of all rated answers is taken out, which supposes that the judge errs on these answers as on those, and
// others must be all of the figure's answers.
func (c *Calibration) Correct(own, others []Observation, level float64, seed uint64) stats.PPIEstimate {
	o := stats.Options{Level: level, Seed: seed}
	if len(own) >= EnoughRated {
		return stats.PPI(withOthers(own, others), stats.Tuned, o)
	}
	e := stats.PPI(withOthers(c.Kept, others), 1, o)
	e.N = len(others)
	return e
}

// Difference is what people would say of second − first, from pairs of answers to one example: Human and Judge of an observation are
// differences there, and rated are the pairs of which people rated both answers. p is two-sided.
func Difference(rated, others []Observation, level float64, seed uint64) (e stats.PPIEstimate, p float64) {
	r := withOthers(rated, others)
	o := stats.Options{Level: level, Seed: seed, Bounds: stats.Bounds{Low: -1, High: 1}}
	return stats.PPI(r, stats.Tuned, o), stats.PPIP(r, stats.Tuned, 0, o)
}
