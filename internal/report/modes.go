package report

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/rung-dev/rung"
	"github.com/rung-dev/rung/internal/modes"
	"github.com/rung-dev/rung/internal/stats"
)

// Judged names what a scorecard is of, for its failure modes.
type Judged struct {
	Candidate rung.Digest
	Scores    rung.Digest // the set under which the scores are kept
	Examples  rung.Digest // that of the examples
	Stopped   *rung.Stop
	Answers   int // to each example; 0 is 1
}

// SettleModes brings a scorecard's failure modes up to what has been said since it was made: what people confirmed and rejected,
// what is proposed, and what is left by rule. Without labels the scorecard stays as it is. People speak of an example's first answer, so
// where there are several the first ones are counted.
func SettleModes(ctx context.Context, src Source, card *rung.Scorecard, of Judged) error {
	if card == nil {
		return nil
	}
	labels, err := src.Modes(ctx, of.Candidate, of.Scores)
	if err != nil || len(labels) == 0 {
		return err
	}
	known, err := Examples(ctx, src, of.Examples)
	if err != nil {
		return err
	}
	groups := Asked(known, of.Examples, of.Stopped)
	var mistakes []modes.Mistake
	scored := map[string]string{}
	for s, err := range src.Scores(ctx, of.Candidate, of.Scores) {
		if gone(err) {
			break
		}
		if err != nil {
			return err
		}
		group, asked := groups[s.Example]
		if !asked {
			continue
		}
		scored[s.Example] = group
		if !s.Success {
			mistakes = append(mistakes, modes.Mistake{Example: rung.Example{ID: s.Example}, Found: s.Modes})
		}
	}
	card.Modes = modes.Count(modes.Stand(mistakes, labels, nil), rung.StarterModes(), scored, levelOf(card), StopPlan(known, of.Stopped))
	if card.ModesOf > 0 {
		card.ModesOf = len(scored)
	}
	return nil
}

// Asked are the groups of the examples that an evaluation asked, by id: all, or those before its stop. What an earlier, longer
// evaluation kept is not part of it.
func Asked(examples []rung.Example, set rung.Digest, stop *rung.Stop) map[string]string {
	groups := make(map[string]string, len(examples))
	order := rung.Order(set, examples)
	if stop != nil {
		order = order[:min(stop.N, len(order))]
	}
	for _, i := range order {
		groups[examples[i].ID] = examples[i].Group
	}
	return groups
}

// StopPlan is what was known of the examples where an evaluation stopped early; nil where it did not.
func StopPlan(examples []rung.Example, stop *rung.Stop) *stats.AnytimePlan {
	if stop == nil {
		return nil
	}
	return &stats.AnytimePlan{Total: len(examples), Largest: rung.LargestGroup(examples)}
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
		if err := SettleModes(ctx, src, o.Scorecard, Judged{Candidate: o.Candidate, Scores: doc.Heldout.Digest, Examples: doc.Heldout.Digest, Stopped: o.Stopped}); err != nil {
			return err
		}
	}
	return nil
}

// SettleEvaluation is SettleModes for an evaluation.
func SettleEvaluation(ctx context.Context, src Source, e *rung.Evaluation) error {
	return SettleModes(ctx, src, &e.Scorecard, Judged{Candidate: e.Subject.Digest, Scores: e.Scores, Examples: e.Suite.Digest, Stopped: e.Stopped, Answers: e.Answers})
}

// modesTitle says of what the shares are, how sure the intervals, and by which method. There is at least one count.
func modesTitle(card *rung.Scorecard) string {
	title, _ := modesTitleOf([]*rung.Scorecard{card})
	return title
}

func modesTitleBy(card *rung.Scorecard, methods []string) string {
	of := plural(card.N, "example")
	switch {
	case card.ModesOf > card.N:
		of = fmt.Sprintf("the %s to %s", plural(card.ModesOf, "answer"), of)
	case card.ModesOf > 0:
		of = "the first answers to " + of
	}
	return fmt.Sprintf("Failure modes (counts and share of %s, %s intervals, %s)", of, percent(card.Modes[0].Share.Level), strings.Join(methods, "; "))
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
	p.b.WriteByte('\n')
	p.para("", "  ", modesTitle(card), bold)
	for _, c := range card.Modes {
		p.para("- ", "  ", modeLine(c, figures{digits: 3, ascii: p.ascii}))
	}
}

// modeTable is the failure modes of all rungs side by side.
type modeTable struct {
	Title string
	Known string // how modes are known
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
	var cards []*rung.Scorecard
	for _, s := range d.Ladder {
		v.Modes.Rungs = append(v.Modes.Rungs, string(s.Outcome.Rung))
		if card := s.Outcome.Scorecard; card != nil && len(card.Modes) > 0 {
			cards = append(cards, card)
		}
	}
	title, alike := modesTitleOf(cards)
	v.Modes.Title, v.Modes.Known = title, modesKnown
	for r, s := range d.Ladder {
		if s.Outcome.Scorecard == nil {
			continue
		}
		for _, c := range s.Outcome.Scorecard.Modes {
			k := key{c.Mode, c.Status}
			if cells[k] == nil {
				cells[k] = make([]string, len(d.Ladder))
			}
			cells[k][r] = fmt.Sprintf("%s: %s", count(c.Count), f.interval(c.Share))
			if !alike {
				cells[k][r] += fmt.Sprintf(" (n = %s, %s)", count(c.Share.N), percent(c.Share.Level))
			}
			order[c.Mode] = true
		}
	}
	for _, mode := range modes.Order(rung.StarterModes(), order) {
		for _, status := range modeStatuses {
			if row := cells[key{mode, status}]; row != nil {
				v.Modes.Rows = append(v.Modes.Rows, modeRow{clean(mode), string(status), named(row, status)})
			}
		}
	}
}

// named fills the cells of rungs of which nothing is known. What rules find was looked for in every answer; what people or a clustering name
// was named in the answers that they looked at, and is no count of zero elsewhere.
func named(row []string, status rung.ModeStatus) []string {
	for r := range row {
		switch {
		case row[r] != "":
		case status == rung.ModeFound:
			row[r] = "none found"
		default:
			row[r] = "none named"
		}
	}
	return row
}

// modesTitleOf is modesTitle for several rungs. Where they were not asked as many examples, or not judged at one level, n and level stand beside
// each count.
func modesTitleOf(cards []*rung.Scorecard) (title string, alike bool) {
	var methods []string
	alike = true
	for _, card := range cards {
		first, share := cards[0].Modes[0].Share, card.Modes[0].Share
		alike = alike && card.N == cards[0].N && card.ModesOf == cards[0].ModesOf && share.N == first.N && share.Level == first.Level
		for _, c := range card.Modes {
			if !slices.Contains(methods, c.Share.Method) {
				methods = append(methods, c.Share.Method)
			}
		}
	}
	switch {
	case len(cards) == 0:
		return "", true
	case alike:
		return modesTitleBy(cards[0], methods), true
	}
	return fmt.Sprintf("Failure modes (counts and share of the n examples that a rung was asked, intervals at the level beside them, %s)", strings.Join(methods, "; ")), false
}

// modesKnown explains how a mode is known, and what an empty place is.
const modesKnown = "By rule: follows from answer and expected output, and is looked for in every answer. Confirmed and rejected: by a person. Proposed: made of these same answers, seen by nobody yet. None named: nobody has said so of this rung's answers, which does not show that there are none."

func (m *markdown) modes() {
	var v view
	v.modes(m.d, m.f)
	if len(v.Modes.Rows) == 0 {
		return
	}
	m.line("\n## Failure modes\n\n%s. %s\n", v.Modes.Title, modesKnown)
	m.table(append([]string{"mode", "known"}, v.Modes.Rungs...)...)
	for _, r := range v.Modes.Rows {
		m.row(append([]string{name(r.Mode), r.Status}, r.Cells...)...)
	}
}
