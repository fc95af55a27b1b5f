package datacheck

import (
	"fmt"
	"math"

	"github.com/rung-dev/rung"
	"github.com/rung-dev/rung/internal/stats"
)

// Power says what the held-out rows are enough for. Values are in the unit of a metric from 0 to 1.
type Power struct {
	Heldout    int     `json:"heldout"` // rows, or their expected number where the rows name no splits
	Expected   bool    `json:"expected,omitempty"`
	Level      float64 `json:"level"`
	Power      float64 `json:"power"`
	MinGain    float64 `json:"min_gain"`
	Detectable float64 `json:"detectable_difference"`
	Needed     int     `json:"needed_heldout_for_min_gain"`
	NeededAll  int     `json:"needed_rows_for_min_gain"`
	HalfWidth  float64 `json:"half_width_at_bar"`
	ForBar     int     `json:"needed_heldout_for_a_pass_five_points_above"`
	Method     string  `json:"method"`
	Bar        float64 `json:"bar"`
	Graded     bool    `json:"graded,omitempty"` // scores between 0 and 1, not pass and fail
}

// What is planned with where no task says better.
const (
	usualBar    = .8
	usualAlpha  = .05
	usualGain   = .02
	passMargin  = .05 // how far above the bar a candidate is thought to lie
	fewForPower = 10
)

// power plans the decision that the rows are to carry.
func (c *checker) power() {
	c.did("few")
	n, expected, share := c.heldout()
	if n == 0 {
		c.skip("few", "no row has an output")
		return
	}
	p := &Power{Heldout: n, Expected: expected, Power: stats.PlanPower, MinGain: usualGain, Level: 1 - usualAlpha}
	bar, k := usualBar, max(1, c.o.Rungs)
	if t := c.o.Task; t != nil {
		bar, p.MinGain = t.Bar.AtLeast, t.Bar.MinGain
		p.Level = 1 - t.Alpha/float64(k)
		if bar > 1 || p.MinGain > .5 { // metrics from 0 to 100
			bar, p.MinGain = bar/100, p.MinGain/100
		}
	}
	p.Bar, p.Graded = bar, !c.o.PassFail && c.o.Task != nil
	p.plan()
	p.NeededAll = int(math.Ceil(float64(p.Needed) / share))
	c.report.Power = p
	if f := p.Finding(); f != nil {
		c.find(f.Check, f.Severity, f.Count, f.Of, *f)
	}
}

// For is the plan for another number of held-out rows: those that there are, once they are known.
func (p *Power) For(heldout int) *Power {
	out := *p
	out.Heldout, out.Expected = heldout, false
	out.plan()
	return &out
}

// Finding says that the rows are too few; nil when they are enough.
func (p *Power) Finding() *Finding {
	what := fmt.Sprintf("%d held-out rows tell differences between two candidates of about %.3f or more", p.Heldout, p.Detectable)
	if p.Expected {
		what = fmt.Sprintf("some %d of the rows would be held out; they tell differences of about %.3f or more", p.Heldout, p.Detectable)
	}
	what += fmt.Sprintf(", and at a bar of %.2f the interval is ± %.3f", p.Bar, p.HalfWidth)
	do := fmt.Sprintf("to see a gain of %.3f takes %d held-out rows, %d in all; to show that a candidate %.2f above the bar meets it, %d held-out rows", p.MinGain, p.Needed, p.NeededAll, passMargin, p.ForBar)
	f := &Finding{Check: "few", Severity: Note, Count: p.Heldout, Of: p.Needed, What: what, Do: do, Method: p.Method}
	switch {
	case p.Heldout >= p.Needed && p.Heldout >= p.ForBar:
		return nil
	case p.Heldout < p.ForBar:
		f.Severity, f.Of = Warn, p.ForBar
	}
	return f
}

// plan fills in what the bar and a paired comparison take.
func (p *Power) plan() {
	low, high := stats.Wilson(int(math.Round(p.Bar*float64(p.Heldout))), p.Heldout, p.Level)
	p.HalfWidth = (high - low) / 2
	p.ForBar = stats.BarSampleSize(p.Bar, min(1, p.Bar+passMargin), p.Level, stats.PlanPower)
	a := 1 - p.Level
	p.Method = fmt.Sprintf("paired, pass/fail; assumes that two candidates disagree on %.0f %% of the examples; power %.1f, two-sided at %.3g; for the bar, the score test that Wilson's interval inverts", stats.PlanDiscordance*100, stats.PlanPower, a)
	p.Detectable = stats.PairedDetectable(stats.PlanDiscordance, p.Heldout, a, stats.PlanPower)
	if p.MinGain > 0 {
		p.Needed = stats.PairedSampleSize(stats.PlanDiscordance, p.MinGain, a, stats.PlanPower)
	}
	if p.Graded {
		noise := stats.Noise{Difference: stats.PlanVariance}
		p.Method = fmt.Sprintf("paired, graded; assumes a variance of the differences of 1/9 (Miller, arXiv 2411.00640); power %.1f, two-sided at %.3g; for the bar, Wilson's interval as an upper limit", stats.PlanPower, a)
		p.Detectable = stats.MinimumDetectable(noise, p.Heldout, a, stats.PlanPower)
		if p.MinGain > 0 {
			p.Needed = stats.SampleSize(noise, p.MinGain, a, stats.PlanPower)
		}
	}
	if p.Heldout < fewForPower {
		p.Detectable = 1
	}
	p.Detectable = min(p.Detectable, 1)
}

// heldout is how many held-out rows there are or would be, and their share of all rows.
func (c *checker) heldout() (n int, expected bool, share float64) {
	share = .35
	if t := c.o.Task; t != nil && t.Split.Heldout > 0 {
		share = t.Split.Heldout
	}
	if held := c.scan.splits.counts[rung.HeldoutIs]; held > 0 {
		return held, false, float64(held) / float64(c.scan.rows)
	}
	if c.scan.output.fields["output"] == nil {
		return 0, true, share
	}
	distinct := c.scan.output.fields["output"].rows - c.report.Copies.Exact - c.report.Copies.Near
	return int(float64(max(distinct, 0)) * share), true, share
}
