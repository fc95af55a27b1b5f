package app

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"slices"
	"strings"

	"github.com/rung-dev/rung"
	"github.com/rung-dev/rung/internal/data"
	"github.com/rung-dev/rung/internal/grade"
	"github.com/rung-dev/rung/internal/report"
	"github.com/rung-dev/rung/internal/stats"
)

// GateOptions say what a gate holds a subject to.
type GateOptions struct {
	Baseline *rung.Baseline // nil: the bar alone
	Margin   float64        // how much worse than the baseline will do, in the metric's unit
	Bar      bool           // the bar too, where there is a baseline
	Full     bool
	Version  string
}

// baselineFormat is the version of the file.
const baselineFormat = 1

// baselineLimit bounds a baseline file, in bytes: ten thousand examples with a dozen metrics take some 3 MB.
const baselineLimit = 256 << 20

// ReadBaseline reads a committed baseline. Faults of the file are CodeInput.
func ReadBaseline(path string) (*rung.Baseline, error) {
	bad := func(what string, err error) error {
		return &rung.Error{Code: rung.CodeInput, Place: path, What: what, Do: "write it again with rung gate --write", Err: err}
	}
	info, err := os.Stat(path)
	if err != nil {
		return nil, &rung.Error{Code: rung.CodeInput, Place: path, What: "the baseline cannot be read: " + err.Error(), Do: "make one with rung gate TASK SUBJECT --baseline FILE --write", Err: err}
	}
	if info.Size() > baselineLimit {
		return nil, bad("is too large for a baseline", nil)
	}
	b, err := os.ReadFile(path)
	if err != nil {
		return nil, bad("cannot be read: "+err.Error(), err)
	}
	out := new(rung.Baseline)
	if err := json.Unmarshal(b, out); err != nil {
		return nil, bad("is no baseline: "+err.Error(), err)
	}
	if out.Format != baselineFormat {
		return nil, bad(fmt.Sprintf("is a baseline of format %d, and this rung knows %d", out.Format, baselineFormat), nil)
	}
	if n := len(out.Definitions); n > 0 && n != len(out.Metrics) {
		return nil, bad(fmt.Sprintf("has %d definitions for %d metrics", n, len(out.Metrics)), nil)
	}
	seen := make(map[string]bool, len(out.Examples))
	for i := range out.Examples {
		if id := out.Examples[i].ID; seen[id] { // it would count for more than one example
			return nil, bad(fmt.Sprintf("example %d is there twice", i+1), nil)
		}
		seen[out.Examples[i].ID] = true
		if len(out.Examples[i].Values) != len(out.Metrics) {
			return nil, bad(fmt.Sprintf("example %d has %d values for %d metrics", i+1, len(out.Examples[i].Values), len(out.Metrics)), nil)
		}
	}
	return out, nil
}

// NewBaseline is what a gate will compare with.
func (p *Project) NewBaseline(ctx context.Context, e *Evaluated, c *rung.Candidate) (*rung.Baseline, error) {
	definitions, err := p.definitions(ctx)
	if err != nil {
		return nil, err
	}
	content := map[string]rung.Digest{}
	for i := range e.Examples {
		content[e.Examples[i].ID] = data.ContentOf(&e.Examples[i])
	}
	b := &rung.Baseline{Format: baselineFormat, Evaluation: *e.Doc, Candidate: c, Metrics: p.Grader.Names(), Definitions: definitions}
	for _, r := range e.Tally.Rows() {
		b.Examples = append(b.Examples, rung.BaselineRow{ID: r.ID, Content: content[r.ID][:16], Group: r.Group, Success: r.Success, Values: r.Values, Parts: r.Parts})
	}
	return b, nil
}

// Gate holds an evaluation to a baseline, to the bar, or to both.
func (p *Project) Gate(ctx context.Context, e *Evaluated, opt GateOptions) (*rung.GateResult, error) {
	out := &rung.GateResult{Evaluation: *e.Doc}
	if opt.Baseline == nil || opt.Bar {
		figure := e.Doc.Scorecard.Metrics[e.Doc.Metric]
		out.Checks = append(out.Checks, rung.GateCheck{Name: "bar: " + e.Doc.Metric, Verdict: e.Doc.Verdict, Reason: withMethod(e.Doc.Reason, figure), Figure: figure})
	}
	if opt.Baseline != nil {
		if err := p.gateBaseline(ctx, e, &opt, out); err != nil {
			return nil, err
		}
	}
	out.Verdict = rung.Pass
	for _, c := range out.Checks {
		switch {
		case c.Verdict == rung.Fail:
			out.Verdict = rung.Fail
		case c.Verdict != rung.Pass && out.Verdict == rung.Pass:
			out.Verdict = rung.Inconclusive
		}
	}
	return out, nil
}

// gateBaseline pairs the evaluation with the baseline on the examples that are the same in both.
func (p *Project) gateBaseline(ctx context.Context, e *Evaluated, opt *GateOptions, out *rung.GateResult) error {
	base := opt.Baseline
	old, now, examples := shared(base, e)
	out.Baseline = &base.Evaluation
	if missing := len(base.Examples) - len(old); missing > 0 {
		out.Notes = append(out.Notes, fmt.Sprintf("%d of the baseline's %d examples are not in the suite any more, or have changed: they are in no comparison.", missing, len(base.Examples)))
	}
	if added := len(e.Examples) - len(now); added > 0 {
		out.Notes = append(out.Notes, fmt.Sprintf("%d of the suite's %d examples are not in the baseline: they are in no comparison. Write the baseline anew once this is merged.", added, len(e.Examples)))
	}
	if 2*len(old) < len(base.Examples) {
		return &rung.Error{Code: rung.CodeInput, Place: base.Evaluation.Suite.Name, What: fmt.Sprintf("the suite shares %d of %d examples with the baseline, too few to compare", len(old), len(base.Examples)), Do: "write the baseline again with --write"}
	}
	names, err := p.heldBy(ctx, base, e.Doc.Metric, out)
	if err != nil {
		return err
	}
	a, err := p.Grader.FromRows(base.Metrics, old)
	if err != nil {
		return err
	}
	b, err := p.Grader.FromRows(p.Grader.Names(), now)
	if err != nil {
		return err
	}
	oldDoc := base.Evaluation
	pair, err := p.pair(ctx, &Evaluated{&oldDoc, a, examples}, &Evaluated{e.Doc, b, examples}, e.Doc.Metric, names)
	if err != nil {
		return err
	}
	pair.A, out.Pair = "the baseline ("+pair.A+")", pair
	m := &rung.Matchup{Metric: e.Doc.Metric, MinGain: p.minGain(e.Doc.Metric), Alpha: p.Task.Alpha, Pairs: []rung.Pair{*pair}}
	adjust(m)
	m.Pairs[0].Finding = finding(&m.Pairs[0], m)
	*pair = m.Pairs[0]
	est, err := p.difference(ctx, side{oldDoc.Subject.Digest, a}, side{e.Doc.Subject.Digest, b}, e.Doc.Metric, 1-p.Task.Alpha)
	if err != nil {
		return err
	}
	check := baselineCheck(pair, &est, opt.Margin)
	check.Broken = brokenIn(a.Successes(), b.Successes(), old)
	out.Checks = append(out.Checks, check)
	return nil
}

// heldBy are the task's metrics that a baseline holds too, defined as they are now: what it does not hold was not 0 then, and what was
// defined otherwise measured something else. Both are compared with nothing.
func (p *Project) heldBy(ctx context.Context, base *rung.Baseline, metric string, out *rung.GateResult) ([]string, error) {
	now, err := p.definitions(ctx)
	if err != nil {
		return nil, err
	}
	var names, missing, changed []string
	for i, name := range p.Grader.Names() {
		switch at := slices.Index(base.Metrics, name); {
		case at < 0:
			missing = append(missing, name)
		case len(base.Definitions) > 0 && base.Definitions[at] != now[i]:
			changed = append(changed, name)
		default:
			names = append(names, name)
		}
	}
	again := func(what string) error {
		return &rung.Error{Code: rung.CodeInput, Place: base.Evaluation.Suite.Name, What: what, Do: "write the baseline again with --write, from the state before the change that is to be gated"}
	}
	switch {
	case slices.Contains(changed, metric):
		return nil, again(fmt.Sprintf("%s is not defined as it was when the baseline was written, so its scores then and now do not compare", metric))
	case !slices.Contains(names, metric):
		return nil, again(fmt.Sprintf("the baseline holds no scores of %s, only of %s", metric, strings.Join(base.Metrics, ", ")))
	}
	if len(missing) > 0 {
		out.Notes = append(out.Notes, fmt.Sprintf("The baseline holds no scores of %s: they are in no comparison.", strings.Join(missing, ", ")))
	}
	if len(changed) > 0 {
		out.Notes = append(out.Notes, fmt.Sprintf("The definition has changed since the baseline of %s: they are in no comparison.", strings.Join(changed, ", ")))
	}
	if len(base.Definitions) == 0 {
		out.Notes = append(out.Notes, "The baseline does not say how its metrics were defined (an older version wrote it): whether they still are cannot be told. Write it again with --write.")
	}
	return names, nil
}

// baselineCheck passes when the difference is shown not to be under −margin. It fails when the subject is shown to be worse and not
// shown to be within the margin; else nothing is settled, and it is said what would settle it.
func baselineCheck(pair *rung.Pair, e *stats.Estimate, margin float64) rung.GateCheck {
	d := pair.Deciding.Difference
	c := rung.GateCheck{Name: fmt.Sprintf("baseline: %s within %g", pair.Deciding.Metric, margin), Figure: d, Verdict: rung.Inconclusive}
	figure := fmt.Sprintf("%s − baseline is %s (%g %% interval, n=%d, %s)", pair.Deciding.Metric, report.Change(d), 100*d.Level, d.N, d.Method)
	switch {
	case pair.Deciding.Undecided != "":
		c.Reason = figure + ": nothing is decided by it, since " + pair.Deciding.Undecided
	case d.Low >= -margin:
		c.Verdict, c.Reason = rung.Pass, figure+fmt.Sprintf(": not worse by more than %g", margin)
	case d.High < -margin:
		c.Verdict, c.Reason = rung.Fail, figure+fmt.Sprintf(": worse by more than %g", margin)
	case d.High < 0:
		c.Verdict, c.Reason = rung.Fail, figure+fmt.Sprintf(": it is worse, and not shown to be so by %g at most", margin)
	default:
		c.Reason = figure + fmt.Sprintf(": neither worse nor within %g is shown; %s", margin, settledBy(e, margin))
	}
	return c
}

// withMethod adds the method of the figure's interval to a reason, which stands alone in an annotation and in JUnit XML.
func withMethod(reason string, figure rung.Interval) string {
	if figure.Method == "" {
		return reason
	}
	return reason + "; interval by " + figure.Method
}

// settledBy says which margin or how many examples would do.
func settledBy(e *stats.Estimate, margin float64) string {
	wider := fmt.Sprintf("a margin of %s would pass", report.Up(-e.Low))
	n := e.NeededN(-margin, settlePower)
	if n >= stats.MostNeeded {
		return wider + ", and no number of examples would tell"
	}
	return fmt.Sprintf("about %d examples would settle it, were the difference the one seen (power %g), or %s", n, settlePower, wider)
}

// settlePower is the chance with which the number of examples that is named settles a gate.
const settlePower = .8

// brokenIn are the examples that were right in the baseline and are wrong now, at most shownBroken.
func brokenIn(was, is map[string]bool, rows []grade.Row) []string {
	var out []string
	for i := range rows {
		if id := rows[i].ID; was[id] && !is[id] && len(out) < shownBroken {
			out = append(out, id)
		}
	}
	return out
}

const shownBroken = 20

// shared are the rows of both of examples that say the same in both, in the baseline's order.
func shared(base *rung.Baseline, e *Evaluated) (old, now []grade.Row, examples []rung.Example) {
	place := map[string]int{}
	for i := range e.Examples {
		place[e.Examples[i].ID] = i
	}
	rows := map[string]grade.Row{}
	for _, r := range e.Tally.Rows() {
		rows[r.ID] = r
	}
	for i := range base.Examples {
		b := &base.Examples[i]
		at, there := place[b.ID]
		row, scored := rows[b.ID]
		if !there || !scored || data.ContentOf(&e.Examples[at])[:16] != b.Content {
			continue
		}
		old = append(old, grade.Row{ID: b.ID, Group: e.Examples[at].Group, Success: b.Success, Values: b.Values, Parts: b.Parts})
		now = append(now, row)
		examples = append(examples, e.Examples[at])
	}
	return old, now, examples
}
