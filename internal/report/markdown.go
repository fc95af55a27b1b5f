package report

import (
	"fmt"
	"io"
	"strings"
	"unicode"

	"github.com/rung-dev/rung"
)

// exampleRows is how many of the decided candidate's mistakes the Markdown report shows; the page has all examples.
const exampleRows = 12

// Markdown writes the report as Markdown: what the page shows, without its pictures and with a few examples only.
func Markdown(w io.Writer, d *Details) error {
	f := figuresFor(d.Doc, false)
	m := &markdown{d: d, f: f}
	m.head()
	m.ladder()
	m.metrics()
	m.comparisons()
	m.mistakes()
	m.modes()
	m.examples()
	m.built()
	m.notes()
	if _, err := io.WriteString(w, m.b.String()); err != nil {
		return unwritten(err)
	}
	return nil
}

// unwritten is the error of a report that found no room.
func unwritten(err error) error {
	return &rung.Error{Code: rung.CodeStore, What: "the report cannot be written: " + err.Error(), Do: "free some space or name another place with -o", Err: err}
}

type markdown struct {
	b strings.Builder
	d *Details
	f figures
}

// md escapes text from outside, so that it is read as it stands and stays in its table cell.
func md(s string) string {
	var b strings.Builder
	before := ' '
	for i, r := range clean(s) {
		switch {
		case r == '<':
			b.WriteString("&lt;")
		case r == '&':
			b.WriteString("&amp;")
		case strings.ContainsRune("\\`*[|~", r), r == '#' && i == 0, r == '_' && !wordRune(before):
			b.WriteRune('\\')
			b.WriteRune(r)
		default:
			b.WriteRune(r)
		}
		before = r
	}
	return b.String()
}

// wordRune reports whether an underscore after r stands inside a word, where it marks nothing.
func wordRune(r rune) bool { return unicode.IsLetter(r) || unicode.IsDigit(r) }

// name writes a metric, rung or digest as code.
func name(s string) string {
	return "`" + strings.NewReplacer("`", "'", "|", "/").Replace(clean(s)) + "`"
}

func (m *markdown) line(format string, args ...any) { fmt.Fprintf(&m.b, format+"\n", args...) }

func (m *markdown) row(cells ...string) { m.line("| %s |", strings.Join(cells, " | ")) }

// table begins a table; columns whose title ends in ":" are aligned to the right.
func (m *markdown) table(titles ...string) {
	rule := make([]string, len(titles))
	for i, t := range titles {
		rule[i] = "---"
		if strings.HasSuffix(t, ":") {
			titles[i], rule[i] = strings.TrimSuffix(t, ":"), "--:"
		}
	}
	m.row(titles...)
	m.row(rule...)
}

func (m *markdown) list(items []string) {
	for _, it := range items {
		m.line("- %s", md(it))
	}
}

func (m *markdown) head() {
	doc := m.d.Doc
	m.line("# %s: %s\n", md(doc.Task), md(headline(doc)))
	if s := scoreWords(doc, m.f); s != "" {
		m.line("%s\n", md(s))
	}
	m.list(doc.Decision.Reasons)
	if len(doc.Decision.Advice) > 0 {
		m.line("\nTo try next:\n")
		m.list(doc.Decision.Advice)
	}
	for _, n := range doc.Notes {
		m.line("\n> Note. %s", md(n))
	}
}

func (m *markdown) ladder() {
	doc := m.d.Doc
	m.line("\n## The ladder\n\n%s\n", md(barLine(doc, m.f)))
	m.table("rung", "candidate", doc.Bar.Metric, "p50 / p95:", "tokens in / out per call:", "cost per success:", "verdict")
	p := printer{doc: doc}
	for i := range doc.Rungs {
		o := &doc.Rungs[i]
		if o.Status == rung.Skipped {
			m.row(string(o.Rung), "–", "–", "–", "–", "–", "skipped: "+md(o.Reason))
			continue
		}
		title := string(o.Rung)
		if p.chosen(o) {
			title = "**" + title + "** (decided)"
		}
		about := name(o.Candidate.Short())
		if s := describe(o); s != "" {
			about += " " + md(s)
		}
		verdict := strings.Join(append([]string{verdictMark(o, doc.Heldout.N)}, violations(doc, o, m.f)...), "; ")
		m.row(title, about, m.f.of(doc.Bar.Metric).interval(o.Metrics[doc.Bar.Metric]), millis(o.P50Millis)+" / "+millis(o.P95Millis),
			count(tokensIn(o))+" / "+count(tokensOut(o)), usdOr(o.CostPerSuccess, "nothing succeeded"), verdict)
	}
	m.line("\n%s", md(totalsOf(doc).sentence()))
}

func (m *markdown) metrics() {
	var v view
	v.metrics(m.d, m.f)
	if len(v.Metrics.Rows) < 2 {
		return
	}
	m.line("\n### Every metric\n")
	m.table(append([]string{"metric"}, v.Metrics.Rungs...)...)
	for _, r := range v.Metrics.Rows {
		title := name(r.Name)
		if r.Guard != "" {
			title += " (guard ≥ " + r.Guard + ")"
		}
		m.row(append([]string{title}, r.Cells...)...)
	}
}

func (m *markdown) comparisons() {
	doc := m.d.Doc
	var v view
	v.comparisons(doc, m.f)
	if len(v.Comparisons) == 0 {
		return
	}
	m.line("\n## Comparisons\n\nPaired differences in %s on the same examples, with their %s intervals.\n", name(doc.Bar.Metric), v.DiffLevel)
	m.table("comparison", "difference", "p", "Holm", "method", "what it shows")
	for _, c := range v.Comparisons {
		m.row(c.What, c.Difference, c.P, c.PHolm, md(c.Test)+", n = "+c.N, md(c.Words))
	}
}

func (m *markdown) mistakes() {
	var v view
	v.mistakes(m.d)
	if len(v.Mistakes.Rows) == 0 {
		return
	}
	m.line("\n## Mistakes, by kind\n")
	titles := []string{"kind"}
	for _, r := range v.Mistakes.Rungs {
		titles = append(titles, r+":")
	}
	m.table(titles...)
	for _, r := range v.Mistakes.Rows {
		cells := []string{md(r.Kind)}
		for _, c := range r.Cells {
			cells = append(cells, count(c.Count))
		}
		m.row(cells...)
	}
	m.row(append([]string{"right"}, v.Mistakes.Right...)...)
}

// examples shows some of the mistakes that are left, side by side across rungs.
func (m *markdown) examples() {
	chosen := m.d.Chosen()
	if chosen < 0 {
		return
	}
	var wrong []int
	for i, s := range m.d.Ladder[chosen].Scores {
		if s != nil && !s.Success {
			wrong = append(wrong, i)
		}
	}
	if len(wrong) == 0 {
		return
	}
	shown := wrong[:min(exampleRows, len(wrong))]
	m.line("\n## Mistakes left in %s, side by side\n\n%s of %s.\n", m.d.Ladder[chosen].Outcome.Rung, count(len(shown)), count(len(wrong)))
	titles := []string{"example", "input", "expected"}
	for _, s := range m.d.Ladder {
		titles = append(titles, string(s.Outcome.Rung))
	}
	m.table(titles...)
	for _, i := range shown {
		ex := &m.d.Examples[i]
		cells := []string{name(ex.ID), mdShort(Readable(ex.Input)), mdShort(Readable(ex.Output))}
		for _, s := range m.d.Ladder {
			cells = append(cells, mdAnswer(s.Scores[i]))
		}
		m.row(cells...)
	}
}

func mdShort(s string) string { return md(shorten(s, 300)) }

func mdAnswer(s *rung.Score) string {
	if s == nil {
		return "–"
	}
	text := AnswerText(&s.Answer)
	if s.Success {
		return "✓ " + mdShort(text)
	}
	return "✗ " + md(s.Mistake) + ": " + mdShort(text)
}

func (m *markdown) built() {
	var v view
	for _, s := range m.d.Ladder {
		v.building(s.Outcome, m.f)
	}
	for _, s := range m.d.Ladder {
		m.curve(s.Outcome)
	}
	if len(v.Efforts) > 0 {
		m.line("\n## What building took\n\nChoosing on dev and training, before the held-out examples were read.\n")
		m.table("rung", "calls", "tokens in / out:", "cost:", "time:")
		for _, e := range v.Efforts {
			m.row(e.Rung, e.Calls, e.Tokens, e.Cost, e.Wall)
		}
	}
	if len(v.Search) == 0 {
		return
	}
	m.line("\n## Tried on dev\n\nFor choosing only. These figures are from dev, which the choice has already used; they are no measure of quality.\n")
	m.table("rung", "candidate", m.d.Doc.Bar.Metric+" on dev:", "n:", "cost:", "note")
	for _, s := range v.Search {
		label := md(s.Label)
		if s.Chosen {
			label = "**" + label + "** (taken)"
		}
		m.row(s.Rung, label, s.Value, s.N, s.Cost, md(s.Note))
	}
}

func (m *markdown) curve(o *rung.Outcome) {
	if len(o.Curve) < 2 {
		return
	}
	m.line("\n### Learning curve of %s\n", o.Rung)
	m.table("train examples:", o.Curve[0].Unit+" on dev:")
	for _, p := range o.Curve {
		m.row(count(p.Examples), m.f.score(p.Value))
	}
}

func (m *markdown) notes() {
	doc := m.d.Doc
	m.line("\n## Data and method\n")
	m.list(methods(doc))
	m.line("\nRun %s, held-out set %s, rung %s.", name(doc.Run), name(string(doc.Heldout.Digest)), md(doc.Version))
}
