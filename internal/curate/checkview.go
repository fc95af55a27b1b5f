package curate

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strings"

	"github.com/rung-dev/rung"
	"github.com/rung-dev/rung/internal/datacheck"
	"github.com/rung-dev/rung/internal/report"
	"github.com/rung-dev/rung/internal/task"
)

// look has the rows that stay checked: what is wrong with them is reported, and nothing else is done about it.
func (c *checking) look(ctx context.Context, in *table) (any, error) {
	source := func(ctx context.Context, take func(*rung.DatasetRow, rung.Origin) error, _ func(rung.RemovedRow) error) error {
		return in.each(ctx, func(_ int, raw, origin []byte) error {
			if why, _, err := c.fault(raw); err != nil || why != "" {
				return err
			}
			row, err := rowOf(raw)
			if err != nil {
				return err
			}
			o, err := originOf(origin)
			if err != nil {
				return err
			}
			return take(row, *o)
		})
	}
	r, err := datacheck.Check(ctx, source, datacheck.Options{Task: c.b.checkedFor(), Form: c.b.form, Tmp: c.b.work.dir})
	if err != nil {
		return nil, err
	}
	for i := range r.Findings {
		for j := range r.Findings[i].Examples {
			c.b.privacy.blankExample(&r.Findings[i].Examples[j])
		}
	}
	return r, nil
}

// checkedFor is the task that the rows are for, as far as it is known; nil where nothing says what inputs and outputs look like.
func (b *build) checkedFor() *rung.Task {
	if b.d.Of != nil {
		return b.d.Of
	}
	if b.form == nil {
		return nil
	}
	const usualBar = .8 // as for rows of no known task
	return &rung.Task{Name: b.d.Name, Input: b.d.Input, Output: b.d.Output, Split: b.d.Split, Alpha: task.DefaultAlpha, Bar: rung.Bar{AtLeast: usualBar, MinGain: task.DefaultMinGain}}
}

// blankExample takes personal data out of what a report shows.
func (p *privacy) blankExample(e *datacheck.ExampleRow) {
	e.Text, e.Why = p.blankText(e.Text), p.blankForms(e.Why)
	if e.Other != nil {
		p.blankExample(e.Other)
	}
}

// severityMarks are those of the house.
var severityMarks = map[datacheck.Severity]string{datacheck.Bad: "✗", datacheck.Warn: "!", datacheck.Note: "·"}

// checked reads what the check found.
func (s *Summary) checked() (text string, findings []report.DatasetFinding, labels []report.DatasetLabel) {
	r := s.checkReport()
	if r == nil {
		return "The rows were not checked: the description says check: none.", nil, nil
	}
	made, out := 0, []string{}
	for _, ran := range r.Ran {
		if ran.Skipped == "" {
			made++
			continue
		}
		out = append(out, ran.Check)
	}
	text = fmt.Sprintf("%d of %d checks were made on the %s that could be used, before personal data was looked for and copies went.", made, len(r.Ran), plural(r.Rows, "row", "rows"))
	if len(out) > 0 {
		text += " Not made, since there was nothing that they could look at: " + strings.Join(out, ", ") + "."
	}
	s.enough(r)
	if len(r.Findings) == 0 {
		text += " Nothing was found."
	}
	for i := range r.Findings {
		f := &r.Findings[i]
		one := report.DatasetFinding{Mark: severityMarks[f.Severity], Severity: string(f.Severity), What: f.What, Do: sentence(f.Do), Rows: ofRows(f.Count, f.Of), Share: share(f.Count, f.Of)}
		if f.Check == "few" {
			one.Rows, one.Share = plural(f.Count, "row", "rows"), fmt.Sprintf("of %d needed", f.Of)
		}
		for _, e := range f.Examples {
			one.Examples = append(one.Examples, checkExample(&e))
		}
		findings = append(findings, one)
	}
	for _, l := range r.Labels[:min(len(r.Labels), 100)] {
		labels = append(labels, report.DatasetLabel{Label: l.Label, Rows: l.Rows, Share: share(l.Rows, r.Rows)})
	}
	return text, findings, labels
}

// enough puts what the held-out rows are enough for in the place of what was expected of them: the check comes before copies go and rows are
// dealt out. Copies, and rows of one group, count once.
func (s *Summary) enough(r *datacheck.Report) {
	n := s.split.Clusters[rung.HeldoutIs]
	if n == 0 || r.Power == nil || r.Power.Bar == 0 {
		return
	}
	r.Findings = slices.DeleteFunc(r.Findings, func(f datacheck.Finding) bool { return f.Check == "few" })
	if f := r.Power.For(n).Finding(); f != nil {
		r.Findings = append(r.Findings, *f)
		worst := []datacheck.Severity{datacheck.Bad, datacheck.Warn, datacheck.Note}
		slices.SortStableFunc(r.Findings, func(a, b datacheck.Finding) int {
			return slices.Index(worst, a.Severity) - slices.Index(worst, b.Severity)
		})
	}
}

func checkExample(e *datacheck.ExampleRow) report.DatasetExample {
	out := report.DatasetExample{Place: rung.Place(e.File, e.Line, e.Item), Text: e.Text, Detail: e.Why}
	if e.Other != nil {
		out.OfText = e.Other.Text
		out.Of = fmt.Sprintf("beside %s", rung.Place(e.Other.File, e.Other.Line, e.Other.Item))
	}
	return out
}

// sentence begins with a capital and ends with a full stop.
func sentence(s string) string {
	if s == "" {
		return ""
	}
	return strings.ToUpper(s[:1]) + strings.TrimSuffix(s[1:], ".") + "."
}

func (s *Summary) checkReport() *datacheck.Report {
	for i := range s.d.Steps {
		var r datacheck.Report
		if step := &s.d.Steps[i]; step.Name == StepCheck && step.Report != nil && json.Unmarshal(step.Report, &r) == nil {
			return &r
		}
	}
	return nil
}

// languages are those of at least a twentieth of the inputs, for the card.
func (w *folder) languages() []string {
	r := Summarise(w.d, nil).checkReport()
	if r == nil {
		return nil
	}
	var out []string
	for _, l := range r.Languages {
		if l.Language != "" && 20*l.Inputs >= r.Rows {
			out = append(out, l.Language)
		}
	}
	return out
}
