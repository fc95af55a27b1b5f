package report

import (
	"fmt"
	"io"
	"strings"

	"github.com/rung-dev/rung"
	"github.com/rung-dev/rung/internal/modes"
)

// MatchDetails are a matchup with every example side by side.
type MatchDetails struct {
	Doc  *rung.Matchup
	Rows []MatchRow // in the frozen order
}

// MatchRow is one example with what every subject made of it.
type MatchRow struct {
	Example rung.Example
	Scores  []*rung.Score // one per subject; nil where it was not asked
}

// Match writes a matchup for people.
func Match(w io.Writer, m *rung.Matchup, width int, color bool) error {
	p := evalPrinter(width, color)
	p.para("", "", fmt.Sprintf("%s: %s on %s (%s, %s)", m.Task, plural(len(m.Subjects), "subject"), m.Suite.Name, plural(m.Suite.N, "example"), m.Suite.Digest.Short()), bold)
	for i := range m.Pairs {
		p.para("", "  ", capital(m.Pairs[i].Finding)+".")
	}
	p.b.WriteByte('\n')
	p.subjectSheet(m)
	p.pairSheet(m)
	p.modeSheet(m)
	for i := range m.Pairs {
		p.pairDetails(m, &m.Pairs[i])
	}
	p.legend()
	p.list("How to read this", m.Methods)
	p.list("Notes", m.Notes)
	return p.flush(w)
}

func capital(s string) string {
	if !strings.HasPrefix(s, "no ") { // it begins with a name, which stays as it is
		return s
	}
	return strings.ToUpper(s[:1]) + s[1:]
}

func (p *printer) subjectSheet(m *rung.Matchup) {
	s := &sheet{titles: []string{"subject", m.Metric, "interval", "level", "n", "p95", "cost", "method"}, numbers: []bool{false, true, false, true, true, true, true}}
	f := evalFigures(p.ascii)
	for i := range m.Subjects {
		e := &m.Subjects[i]
		iv := e.Scorecard.Metrics[m.Metric]
		s.add(e.Subject.Name, f.value(iv), f.ends(iv), percent(iv.Level), count(iv.N), millis(e.Scorecard.P95Millis), usd(e.Scorecard.CostUSD), p.key(iv.Method))
	}
	p.sheet(s)
}

func (p *printer) pairSheet(m *rung.Matchup) {
	p.b.WriteString("\n" + p.paint(clean(fmt.Sprintf("%s against %s, paired", m.Metric, m.Subjects[0].Subject.Name)), bold) + "\n")
	s := &sheet{titles: []string{"subject", "difference", "interval", "level", "n", "p (Holm)", "fixed", "broken", "method and test"}, numbers: []bool{false, true, false, true, true, true, true, true}}
	for i := range m.Pairs {
		pair := &m.Pairs[i]
		cells := p.contrastCells(&pair.Deciding)
		s.add(append([]string{pair.B}, append(cells[:5:5], count(pair.Fixed), count(pair.Broken), cells[5])...)...)
	}
	p.sheet(s)
}

// contrastCells are difference, interval, level, n, p, and method with test. What decides nothing has no p-value.
func (p *printer) contrastCells(c *rung.Contrast) []string {
	d := c.Difference
	f := evalFigures(p.ascii).wide(d)
	return []string{f.signed(d.Value), f.signed(d.Low) + ", " + f.signed(d.High), percent(d.Level), count(d.N), contrastP(c, f), p.key(contrastMethod(c))}
}

// contrastP is the adjusted p-value; none where nothing is decided.
func contrastP(c *rung.Contrast, f figures) string {
	if c.Undecided != "" {
		return f.none()
	}
	return P(c.PHolm)
}

func contrastMethod(c *rung.Contrast) string {
	s := c.Difference.Method + "; " + c.Test
	if c.Undecided != "" {
		return c.Difference.Method + "; decides nothing"
	}
	if c.Family > 1 {
		s += fmt.Sprintf(", Holm over %d", c.Family)
	}
	return s
}

func (p *printer) pairDetails(m *rung.Matchup, pair *rung.Pair) {
	f := evalFigures(p.ascii)
	p.b.WriteByte('\n')
	p.para("", "", fmt.Sprintf("%s against %s", pair.B, pair.A), bold)
	p.para("  ", "  ", fmt.Sprintf("Of %s both were asked: %d right with both, %d fixed, %d broken, %d wrong with both.", plural(pair.N, "example"), pair.BothRight, pair.Fixed, pair.Broken, pair.BothWrong))
	if q := pair.Equivalence; q != nil {
		word := "is not shown to lie"
		if q.Shown {
			word = "is shown to lie"
		}
		p.para("  ", "  ", fmt.Sprintf("The difference %s within %s%g: %s (%s interval, n=%d, %s; two one-sided tests, %s).", word, "±", q.Margin,
			f.change(q.Interval), percent(q.Interval.Level), q.Interval.N, q.Interval.Method, f.pvalue(q.P)))
	}
	for _, line := range judgeLines(pair, f) {
		p.para("  ", "  ", line)
	}
	if len(pair.Others) > 0 {
		s := &sheet{titles: []string{"other metrics", "difference", "interval", "level", "n", "p (Holm)", "method and test"}, numbers: []bool{false, true, false, true, true, true}}
		for i := range pair.Others {
			s.add(append([]string{pair.Others[i].Metric}, p.contrastCells(&pair.Others[i])...)...)
		}
		p.sheet(s)
	}
	if len(pair.Segments) > 0 {
		s := &sheet{titles: []string{m.Metric + " by segment", "difference", "interval", "level", "n", "p (Holm)", "method and test"}, numbers: []bool{false, true, false, true, true, true}}
		for i := range pair.Segments {
			s.add(append([]string{segmentName(pair.Segments[i].Segment)}, p.contrastCells(&pair.Segments[i].Shift)...)...)
		}
		p.sheet(s)
	}
	if len(pair.Modes) > 0 {
		s := &sheet{titles: []string{"failure modes by rule", "difference", "interval", "level", "n", "p (Holm)", "method and test"}, numbers: []bool{false, true, false, true, true, true}}
		for i := range pair.Modes {
			s.add(append([]string{pair.Modes[i].Mode}, p.contrastCells(&pair.Modes[i].Shift)...)...)
		}
		p.sheet(s)
	}
}

// modeSheet is the failure modes of every subject.
func (p *printer) modeSheet(m *rung.Matchup) {
	s := &sheet{titles: []string{"failure mode", "known", "subject", "answers", "share", "interval", "level", "n", "method"}, numbers: []bool{false, false, false, true, true, false, true, true}}
	f := evalFigures(p.ascii)
	for _, row := range modesOfAll(m) {
		iv := row.Share
		s.add(row.Mode, string(row.Status), row.Subject, count(row.Count), f.value(iv), f.ends(iv), percent(iv.Level), count(iv.N), p.key(iv.Method))
	}
	if len(s.rows) > 0 {
		p.b.WriteString("\n" + p.paint("Failure modes of each subject, as shares of the examples", bold) + "\n")
		p.sheet(s)
		p.para("  ", "  ", subjectsKnown, dim)
	}
}

// subjectMode is a failure mode of one subject of a matchup.
type subjectMode struct {
	Subject string
	rung.ModeCount
}

// subjectsKnown explains how a mode of a subject is known, and what it says of the subjects that are not in the table.
const subjectsKnown = "By rule: follows from an answer and its expected output, and is looked for in every answer. Confirmed and rejected: by a person, of the answers that people looked at. Proposed: made of these same answers, seen by nobody yet. A subject without a line: no rule found one, and nobody has named one, which does not show that there are none."

// modesOfAll are the failure modes of all subjects, by mode, then by how they are known.
func modesOfAll(m *rung.Matchup) []subjectMode {
	var out []subjectMode
	known := map[string]bool{}
	for i := range m.Subjects {
		for _, c := range m.Subjects[i].Scorecard.Modes {
			known[c.Mode] = true
		}
	}
	for _, mode := range modes.Order(rung.StarterModes(), known) {
		for _, status := range modeStatuses {
			for i := range m.Subjects {
				for _, c := range m.Subjects[i].Scorecard.Modes {
					if c.Mode == mode && c.Status == status {
						out = append(out, subjectMode{m.Subjects[i].Subject.Name, c})
					}
				}
			}
		}
	}
	return out
}

// modeStatuses in the order in which they are shown: the strongest evidence first.
var modeStatuses = []rung.ModeStatus{rung.ModeConfirmed, rung.ModeFound, rung.ModeProposed, rung.ModeRejected}

// judgeLines say of a pair's judges what their own scores differ by where the difference is corrected, and why one decides nothing.
func judgeLines(pair *rung.Pair, f figures) []string {
	var out []string
	for _, c := range append([]rung.Contrast{pair.Deciding}, pair.Others...) {
		if c.Undecided != "" {
			out = append(out, fmt.Sprintf("By %s nothing is decided: %s.", c.Metric, c.Undecided))
		}
		if r := c.Raw; r != nil {
			out = append(out, fmt.Sprintf("By %s the difference is what people would say of it. The judge's own scores differ by %s (%s interval, n=%d, %s).", c.Metric, f.change(*r), percent(r.Level), r.N, r.Method))
		}
	}
	return out
}

// MatchMarkdown writes a matchup as Markdown.
func MatchMarkdown(w io.Writer, m *rung.Matchup) error {
	k := &markdown{f: evalFigures(false)}
	k.line("# %s: %s on %s", md(m.Task), plural(len(m.Subjects), "subject"), md(m.Suite.Name))
	k.line("")
	k.line("%s, digest `%s`; %s; rung %s.", plural(m.Suite.N, "example"), m.Suite.Digest.Short(), m.Started.Format("2006-01-02 15:04"), md(m.Version))
	k.line("")
	for i := range m.Pairs {
		k.line("- %s.", md(capital(m.Pairs[i].Finding)))
	}
	k.line("")
	k.line("## %s", md(m.Metric))
	k.line("")
	k.table("subject", "value", "interval", "level", "n", "method")
	for i := range m.Subjects {
		e := &m.Subjects[i]
		iv := e.Scorecard.Metrics[m.Metric]
		k.row(md(e.Subject.Name), k.f.value(iv), k.f.ends(iv), percent(iv.Level), count(iv.N), md(iv.Method))
	}
	k.matchModes(m)
	for i := range m.Pairs {
		k.matchPair(m, &m.Pairs[i])
	}
	k.line("")
	k.line("## Methods")
	k.line("")
	k.list(m.Methods)
	if len(m.Notes) > 0 {
		k.line("")
		k.line("## Notes")
		k.line("")
		k.list(m.Notes)
	}
	if _, err := io.WriteString(w, k.b.String()); err != nil {
		return unwritten(err)
	}
	return nil
}

// matchModes are the failure modes of every subject.
func (m *markdown) matchModes(doc *rung.Matchup) {
	rows := modesOfAll(doc)
	if len(rows) == 0 {
		return
	}
	m.line("")
	m.line("## Failure modes")
	m.line("")
	m.table("failure mode", "known", "subject", "answers", "share of examples", "interval", "level", "n", "method")
	for _, r := range rows {
		m.row(md(r.Mode), string(r.Status), md(r.Subject), count(r.Count), m.f.value(r.Share), m.f.ends(r.Share), percent(r.Share.Level), count(r.Share.N), md(r.Share.Method))
	}
	m.line("")
	m.line("%s", subjectsKnown)
}

func (m *markdown) matchPair(doc *rung.Matchup, pair *rung.Pair) {
	m.line("")
	m.line("## %s against %s", md(pair.B), md(pair.A))
	m.line("")
	m.line("Of %s both were asked: %d right with both, %d fixed, %d broken, %d wrong with both.", plural(pair.N, "example"), pair.BothRight, pair.Fixed, pair.Broken, pair.BothWrong)
	m.line("")
	m.table("paired difference", "value", "interval", "level", "n", "p (Holm)", "method and test")
	row := func(name string, c *rung.Contrast) {
		d := c.Difference
		f := m.f.wide(d)
		m.row(name, f.signed(d.Value), f.signed(d.Low)+", "+f.signed(d.High), percent(d.Level), count(d.N), contrastP(c, m.f), md(contrastMethod(c)))
	}
	row("**"+md(doc.Metric)+"**", &pair.Deciding)
	for i := range pair.Others {
		row(md(pair.Others[i].Metric), &pair.Others[i])
	}
	for i := range pair.Segments {
		row(md(doc.Metric+" in "+segmentName(pair.Segments[i].Segment)), &pair.Segments[i].Shift)
	}
	for i := range pair.Modes {
		row("failure mode "+md(pair.Modes[i].Mode)+", by rule", &pair.Modes[i].Shift)
	}
	if lines := judgeLines(pair, m.f); len(lines) > 0 {
		m.line("")
		m.list(lines)
	}
	if q := pair.Equivalence; q != nil {
		m.line("")
		word := "is not shown to lie"
		if q.Shown {
			word = "is shown to lie"
		}
		m.line("The difference %s within ±%g: %s (%s interval, n=%d, %s; two one-sided tests, %s).", word, q.Margin, m.f.change(q.Interval), percent(q.Interval.Level), q.Interval.N, md(q.Interval.Method), m.f.pvalue(q.P))
	}
}
