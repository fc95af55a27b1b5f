package report

import (
	"context"
	"fmt"
	"strings"

	"github.com/rung-dev/rung"
	"github.com/rung-dev/rung/internal/modes"
)

// SettleModes brings a scorecard's failure modes up to what has been said since it was made: what people confirmed and rejected,
// what is proposed, and what is left by rule. scores is the set under which the scores are kept, examples that of the examples.
// Without labels the scorecard stays as it is.
func SettleModes(ctx context.Context, src Source, card *rung.Scorecard, candidate, scores, examples rung.Digest) error {
	if card == nil {
		return nil
	}
	labels, err := src.Modes(ctx, candidate, scores)
	if err != nil || len(labels) == 0 {
		return err
	}
	groups := map[string]string{}
	known, err := Examples(ctx, src, examples)
	if err != nil {
		return err
	}
	for i := range known {
		groups[known[i].ID] = known[i].Group
	}
	var mistakes []modes.Mistake
	scored := map[string]string{}
	for s, err := range src.Scores(ctx, candidate, scores) {
		if gone(err) {
			break
		}
		if err != nil {
			return err
		}
		scored[s.Example] = groups[s.Example]
		if !s.Success {
			mistakes = append(mistakes, modes.Mistake{Example: rung.Example{ID: s.Example}, Found: s.Modes})
		}
	}
	card.Modes = modes.Count(modes.Stand(mistakes, labels, nil), rung.StarterModes(), scored, levelOf(card))
	return nil
}

// levelOf is the level of a scorecard's intervals, .95 where it has none.
func levelOf(card *rung.Scorecard) float64 {
	for _, m := range card.Metrics {
		return m.Level
	}
	return .95
}

// SettleDocument is SettleModes for every scored rung of a climb.
func SettleDocument(ctx context.Context, src Source, doc *rung.Document) error {
	for i := range doc.Rungs {
		o := &doc.Rungs[i]
		if err := SettleModes(ctx, src, o.Scorecard, o.Candidate, doc.Heldout.Digest, doc.Heldout.Digest); err != nil {
			return err
		}
	}
	return nil
}

// SettleEvaluation is SettleModes for an evaluation.
func SettleEvaluation(ctx context.Context, src Source, e *rung.Evaluation) error {
	return SettleModes(ctx, src, &e.Scorecard, e.Subject.Digest, e.Scores, e.Suite.Digest)
}

// modesTitle says of what the shares are, how sure the intervals, and by which method. There is at least one count.
func modesTitle(card *rung.Scorecard) string {
	share := card.Modes[0].Share
	return fmt.Sprintf("Failure modes (share of %s, %s intervals, %s)", plural(card.N, "example"), percent(share.Level), share.Method)
}

// modeLine is one count in words: "wrong_fact by rule: 21, .15 [.10–.22], such as u1, u2".
func modeLine(c rung.ModeCount, f figures) string {
	out := fmt.Sprintf("%s, %s: %s, %s", c.Mode, c.Status, count(c.Count), f.interval(c.Share))
	if len(c.Examples) > 0 {
		out += ", such as " + strings.Join(c.Examples[:min(3, len(c.Examples))], ", ")
	}
	return out
}

// modeLines lists a scorecard's failure modes.
func (p *printer) modeLines(card *rung.Scorecard) {
	if card == nil || len(card.Modes) == 0 {
		return
	}
	p.b.WriteString("\n" + p.paint(modesTitle(card), bold) + "\n")
	for _, c := range card.Modes {
		p.para("- ", "  ", modeLine(c, figures{digits: 3, ascii: p.ascii}))
	}
}

// modeTable is the failure modes of all rungs side by side.
type modeTable struct {
	Title string
	Rungs []string
	Rows  []modeRow
}

type modeRow struct {
	Mode, Status string
	Cells        []string
}

func (v *view) modes(d *Details, f figures) {
	type key struct {
		mode   string
		status rung.ModeStatus
	}
	cells := map[key][]string{}
	order := map[string]bool{}
	for r, s := range d.Ladder {
		v.Modes.Rungs = append(v.Modes.Rungs, string(s.Outcome.Rung))
		if s.Outcome.Scorecard == nil {
			continue
		}
		for _, c := range s.Outcome.Scorecard.Modes {
			v.Modes.Title = modesTitle(s.Outcome.Scorecard)
			k := key{c.Mode, c.Status}
			if cells[k] == nil {
				cells[k] = make([]string, len(d.Ladder))
			}
			cells[k][r] = fmt.Sprintf("%s: %s", count(c.Count), f.interval(c.Share))
			order[c.Mode] = true
		}
	}
	for _, mode := range modes.Order(rung.StarterModes(), order) {
		for _, status := range modeStatuses {
			row := cells[key{mode, status}]
			for r := range row {
				if row[r] == "" {
					row[r] = "0"
				}
			}
			if row != nil {
				v.Modes.Rows = append(v.Modes.Rows, modeRow{clean(mode), string(status), row})
			}
		}
	}
}

func (m *markdown) modes() {
	var v view
	v.modes(m.d, m.f)
	if len(v.Modes.Rows) == 0 {
		return
	}
	m.line("\n## Failure modes\n\n%s. By rule: follows from answer and expected output. Confirmed and rejected: by a person. Proposed: seen by nobody yet.\n", v.Modes.Title)
	m.table(append([]string{"mode", "known"}, v.Modes.Rungs...)...)
	for _, r := range v.Modes.Rows {
		m.row(append([]string{name(r.Mode), r.Status}, r.Cells...)...)
	}
}
