package judge

import (
	"fmt"
	"math"
	"strings"

	"github.com/rung-dev/rung"
	"github.com/rung-dev/rung/internal/stats"
)

// Bias is one way in which a judge leans, measured. A bias is found when its interval leaves out what an even judge would have.
type Bias struct {
	Name   string        `json:"name"` // level, position, order, length, self
	Figure rung.Interval `json:"figure"`
	Even   float64       `json:"even"` // what a judge without this bias has
	Judge  *float64      `json:"judge,omitempty"`
	People *float64      `json:"people,omitempty"` // the same of people, where it is the difference that counts
	Found  bool          `json:"found"`
	Says   string        `json:"says"`
	// Missing says why it cannot be measured; there is no figure then.
	Missing string `json:"missing,omitempty"`
}

// biases measures what the observations allow.
func biases(obs []Observation, s Settings) []Bias {
	rated := keep(obs, (*Observation).Rated)
	out := []Bias{level(rated, s)}
	if s.Pairwise {
		out = append(out, orders(obs, s)...)
	}
	return append(out, length(rated, s), self(rated, s))
}

const tooFew = 10

func missing(name, why string) Bias {
	return Bias{Name: name, Missing: why, Says: "Its " + name + " bias is not known: " + why + "."}
}

// found fills in whether the interval leaves out the even value, and what that means.
func (b Bias) found(more, less, none string) Bias {
	switch {
	case b.Figure.Low > b.Even:
		b.Found, b.Says = true, more
	case b.Figure.High < b.Even:
		b.Found, b.Says = true, less
	default:
		b.Says = none
	}
	return b
}

// level is the mean difference to people on the same answers.
func level(rated []Observation, s Settings) Bias {
	if len(rated) < tooFew {
		return missing("level", fmt.Sprintf("people rated %d answers", len(rated)))
	}
	e := stats.MeanDifference(humans(rated), verdicts(rated), clusters(rated), s.options())
	b := Bias{Name: "level", Figure: rung.Interval(e.Interval), Judge: ptr(mean(verdicts(rated))), People: ptr(mean(humans(rated)))}
	shown := plain(b.Figure)
	if s.Pairwise {
		return b.found("It favours the first answer of a pair by "+shown+" more than people do.", "It favours the second answer of a pair by "+shown+" more than people do.",
			"It favours neither the first nor the second answer of a pair, as far as these show: "+shown+".")
	}
	return b.found("It scores higher than people by "+shown+" on a scale of 0 to 1: it is too kind.",
		"It scores lower than people by "+shown+" on a scale of 0 to 1: it is too harsh.", "Its scores lie neither above nor below people's, as far as these show: "+shown+".")
}

// OrderBiases are what asking in both orders shows, without any rating: position and order.
func OrderBiases(obs []Observation, s Settings) []Bias { return orders(obs, s) }

// orders are what asking in both orders shows: how often the answer that was shown first won, and how often the order decided.
func orders(obs []Observation, s Settings) []Bias {
	both := keep(obs, func(o *Observation) bool { return o.First != nil && o.Second != nil })
	if len(both) < tooFew {
		return []Bias{missing("position", fmt.Sprintf("%d pairs were asked in both orders", len(both)))}
	}
	first := column(both, func(o *Observation) float64 { return (*o.First + 1 - *o.Second) / 2 })
	e := stats.Mean(first, clusters(both), s.options())
	b := Bias{Name: "position", Figure: rung.Interval(e.Interval), Even: .5}
	b = b.found(fmt.Sprintf("The answer that is shown first wins %s of the time: it is biased by position.", percent(b.Figure)),
		fmt.Sprintf("The answer that is shown first wins %s of the time: it is biased by position, for the last.", percent(b.Figure)),
		fmt.Sprintf("No bias by position is shown: the answer that is shown first wins %s of the time.", percent(b.Figure)))
	o := s.options()
	o.PassFail = true
	changed := stats.Mean(column(both, func(o *Observation) float64 {
		if *o.First != *o.Second {
			return 1
		}
		return 0
	}), clusters(both), o)
	turn := Bias{Name: "order", Figure: rung.Interval(changed.Interval)}
	turn.Found = turn.Figure.Value > .2
	turn.Says = fmt.Sprintf("The verdict changes with the order of the answers in %s of the pairs.", percent(turn.Figure))
	return []Bias{b, turn}
}

// length is how the judge leans to long answers beyond what people do: by how much its value grows when the answer is twice as long, at
// the same rating by people. The rating is held fixed since a judge that is merely noisy would otherwise seem to lean against whatever
// people like.
func length(rated []Observation, s Settings) Bias {
	if len(rated) < tooFew {
		return missing("length", fmt.Sprintf("people rated %d answers", len(rated)))
	}
	low, high := math.Inf(1), math.Inf(-1)
	for i := range rated {
		low, high = min(low, rated[i].Length), max(high, rated[i].Length)
	}
	if high-low < .5 {
		return missing("length", "the rated answers are of about the same length")
	}
	b := Bias{Name: "length", Figure: partial(rated, func(o *Observation) float64 { return o.Length }, s)}
	if flat(b.Figure) {
		return missing("length", "at equal rating by people it says the same of all answers")
	}
	what := "of two answers that people rate alike, the one twice as long scores " + plain(b.Figure) + " with it"
	if s.Pairwise {
		what = "at the same rating by people, an answer twice as long as the other gains " + plain(b.Figure) + " of the wins with it"
	}
	return b.found("It is biased by length, for long answers: "+what+".", "It is biased by length, against long answers: "+what+".", "No bias by length is shown: "+what+".")
}

// self is how much the judge favours answers of its own model at the same rating by people.
func self(rated []Observation, s Settings) Bias {
	known := keep(rated, func(o *Observation) bool { return o.Own != 0 })
	own := keep(known, func(o *Observation) bool { return o.Own > 0 })
	if !s.Pairwise && (len(own) < tooFew || len(known)-len(own) < tooFew) {
		return missing("self", fmt.Sprintf("%d rated answers are of its own model and %d of others", len(own), len(known)-len(own)))
	}
	if s.Pairwise && len(known) < tooFew {
		return missing("self", fmt.Sprintf("%d rated pairs have one answer of its own model", len(known)))
	}
	step := .5 // from another's answer to its own is a step of 1
	if s.Pairwise {
		step = 1 // from an even share of the wins to its own answer's
	}
	b := Bias{Name: "self", Figure: partial(known, func(o *Observation) float64 { return step * float64(o.Own) }, s)}
	if flat(b.Figure) {
		return missing("self", "at equal rating by people it says the same of all answers")
	}
	shown := plain(b.Figure)
	return b.found("It favours answers of its own model, by "+shown+" at the same rating by people.", "It is harder on answers of its own model, by "+shown+" at the same rating by people.",
		"No preference for its own model is shown: "+shown+" at the same rating by people.")
}

// flat says that nothing varies, so that the interval is as wide as numbers go.
func flat(iv rung.Interval) bool { return iv.High-iv.Low > 1e12 }

// partial is the slope of the judge's value over x at the same rating by people: least squares of the judge on people and x.
func partial(obs []Observation, x func(*Observation) float64, s Settings) rung.Interval {
	parts := make([][]float64, len(obs))
	for i := range obs {
		y, h, v := judgeOf(&obs[i], s.Pairwise), obs[i].Human(), x(&obs[i])
		parts[i] = []float64{y, h, v, y * h, y * v, h * v, h * h, v * v}
	}
	o := s.options()
	o.Bounds = stats.Unbounded
	return rung.Interval(stats.Figure(parts, clusters(obs), partialSlope, o).Interval)
}

// judgeOf is the judge's value; a pair without a verdict favours neither.
func judgeOf(o *Observation, pairwise bool) float64 {
	if o.Failed != "" && pairwise {
		return .5
	}
	return o.Judge
}

// partialSlope is the coefficient of x in the regression of y on h and x, from the sums of y, h, x, yh, yx, hx, h² and x²; 0 where x
// does not vary beside h.
func partialSlope(sum []float64, n float64) float64 {
	y, h, x := sum[0]/n, sum[1]/n, sum[2]/n
	yh, yx, hx := sum[3]/n-y*h, sum[4]/n-y*x, sum[5]/n-h*x
	hh, xx := sum[6]/n-h*h, sum[7]/n-x*x
	if hh < 1e-12 {
		hh, yh, hx = 1, 0, 0
	}
	d := xx*hh - hx*hx
	if d <= 1e-12*xx*hh || xx < 1e-12 {
		return 0
	}
	return (yx*hh - yh*hx) / d
}

// pearson is r from the sums of x, y, xy, x² and y².
func pearson(sum []float64, n float64) float64 {
	vx, vy := n*sum[3]-sum[0]*sum[0], n*sum[4]-sum[1]*sum[1]
	if vx <= 1e-12*n*sum[3] || vy <= 1e-12*n*sum[4] {
		return 0
	}
	return max(-1, min(1, (n*sum[2]-sum[0]*sum[1])/math.Sqrt(vx*vy)))
}

func mean(values []float64) float64 {
	sum := 0.0
	for _, v := range values {
		sum += v
	}
	return sum / float64(max(len(values), 1))
}

func ptr(v float64) *float64 { return &v }

// plain shows an interval with its n and level. The method stands in the document.
func plain(iv rung.Interval) string {
	return fmt.Sprintf("%s [%s, %s] (%s %% interval, n=%d)", signed(iv.Value), signed(iv.Low), signed(iv.High), num(100*iv.Level), iv.N)
}

func percent(iv rung.Interval) string {
	return fmt.Sprintf("%.0f %% [%.0f–%.0f] (%s %% interval, n=%d)", 100*iv.Value, 100*iv.Low, 100*iv.High, num(100*iv.Level), iv.N)
}

// num shows a figure with three decimals at most, and no leading zero.
func num(x float64) string {
	s := strings.TrimSuffix(strings.TrimRight(fmt.Sprintf("%.3f", x), "0"), ".")
	if s == "0" || s == "-0" {
		return "0"
	}
	s = strings.Replace(s, "-", "−", 1)
	return strings.Replace(strings.TrimPrefix(s, "0"), "−0.", "−.", 1)
}

func signed(x float64) string {
	if s := num(x); s == "0" || x < 0 {
		return s
	}
	return "+" + num(x)
}
