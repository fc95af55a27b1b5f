// Package report shows what a climb measured: a table and sentences for a terminal, the live status while it runs, and a
// page in Markdown or HTML. It computes no statistic; every figure comes from the document or the stored scores.
package report

import (
	"cmp"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"

	"golang.org/x/term"

	"github.com/rung-dev/rung"
)

// Look says how to write to w: its width in columns (80 when it is no terminal) and whether colour is welcome: a terminal,
// NO_COLOR unset, TERM not dumb.
func Look(w io.Writer) (width int, color bool) {
	f, ok := w.(*os.File)
	if !ok || !term.IsTerminal(int(f.Fd())) {
		return 80, false
	}
	width, _, err := term.GetSize(int(f.Fd()))
	if err != nil || width < 20 {
		width = 80
	}
	return width, os.Getenv("NO_COLOR") == "" && os.Getenv("TERM") != "dumb"
}

// utf8Locale reports whether the locale of the environment takes UTF-8.
func utf8Locale() bool {
	v := cmp.Or(os.Getenv("LC_ALL"), os.Getenv("LC_CTYPE"), os.Getenv("LANG"))
	v = strings.ToLower(v)
	return strings.Contains(v, "utf-8") || strings.Contains(v, "utf8")
}

// Table writes the end of a climb for a person: one row per rung, then the reasons, the mistakes that remain and advice.
// Lines are at most width columns (80 at least). Without a UTF-8 locale it keeps to ASCII.
func Table(w io.Writer, doc *rung.Document, width int, color bool) error {
	p := printer{doc: doc, width: max(width, 80), color: color, ascii: !utf8Locale()}
	return p.print(w)
}

// printer writes one document to a terminal.
type printer struct {
	doc   *rung.Document
	width int
	color bool
	ascii bool
	fig   figures
	b     strings.Builder
	keys  []string // methods that are named by a letter and told at the end
}

func (p *printer) print(w io.Writer) error {
	p.fig = figuresFor(p.doc, p.ascii)
	p.head()
	p.rows()
	p.reasons()
	p.mistakes()
	if o := decided(p.doc); o != nil {
		p.modeLines(o.Scorecard)
	}
	p.list("To try next", p.doc.Decision.Advice)
	p.list("Notes", p.doc.Notes)
	p.foot()
	return p.flush(w)
}

// flush writes what was printed, in ASCII where the locale takes no more.
func (p *printer) flush(w io.Writer) error {
	out := p.b.String()
	if p.ascii {
		out = plain(out)
	}
	_, err := io.WriteString(w, out)
	return err
}

// The few colours: everything they say is also said in words or marks.
const (
	bold  = "1"
	dim   = "2"
	red   = "31"
	green = "32"
	amber = "33"
)

func (p *printer) paint(s string, codes ...string) string {
	if !p.color || s == "" || len(codes) == 0 {
		return s
	}
	return "\x1b[" + strings.Join(codes, ";") + "m" + s + "\x1b[0m"
}

// para writes wrapped text with a first and a following indent.
func (p *printer) para(first, next, text string, codes ...string) {
	for i, line := range wrap(clean(text), p.width-columns(first)) {
		indent := next
		if i == 0 {
			indent = first
		}
		p.b.WriteString(p.paint(indent+line, codes...) + "\n")
	}
}

func (p *printer) head() {
	d := p.doc
	p.para("", "", fmt.Sprintf("%s: %s.", d.Task, headline(d)), bold)
	p.para("", "", barLine(d, p.fig), dim)
	p.b.WriteByte('\n')
}

// headline is the decision in one sentence.
func headline(d *rung.Document) string {
	switch dec := d.Decision; {
	case dec.Rung == "":
		return "No rung was scored"
	case dec.Verdict == rung.Pass:
		return fmt.Sprintf("The cheapest rung that meets the bar is %s", dec.Rung)
	case dec.Verdict == rung.Inconclusive && stoppedEarly(decided(d)):
		return fmt.Sprintf("No rung is shown to meet the bar; the best of them is %s", dec.Rung)
	case dec.Verdict == rung.Inconclusive:
		return fmt.Sprintf("Undecided: %s comes closest, but %s are too few to say", dec.Rung, plural(d.Heldout.N, "held-out example"))
	default:
		return fmt.Sprintf("No rung meets the bar; the best of them is %s", dec.Rung)
	}
}

// stoppedEarly reports whether an outcome was not asked every held-out example.
func stoppedEarly(o *rung.Outcome) bool { return o != nil && o.Stopped != nil }

// barLine says what was asked for, on how many examples, and at what level the intervals are.
func barLine(d *rung.Document, f figures) string {
	b := d.Bar
	parts := []string{fmt.Sprintf("Bar: %s %s %s", b.Metric, f.atLeast(), f.of(b.Metric).score(b.AtLeast))}
	for _, name := range sortedKeys(b.Guards) {
		parts = append(parts, fmt.Sprintf("%s %s %s", name, f.atLeast(), f.of(name).score(b.Guards[name])))
	}
	if b.MaxP95Millis > 0 {
		parts = append(parts, fmt.Sprintf("p95 %s %s", f.atMost(), millis(b.MaxP95Millis)))
	}
	if b.MaxCostPerSuccess > 0 {
		parts = append(parts, fmt.Sprintf("cost per success %s %s", f.atMost(), usd(b.MaxCostPerSuccess)))
	}
	if b.MinGain > 0 {
		parts = append(parts, "gain worth having "+f.score(b.MinGain))
	}
	out := strings.Join(parts, ", ") + fmt.Sprintf(". n = %s held-out", count(d.Heldout.N))
	if b.Level > 0 {
		out += fmt.Sprintf(", %s intervals", percent(b.Level))
	}
	for i := range d.Rungs {
		if o := &d.Rungs[i]; stoppedEarly(o) {
			return out + fmt.Sprintf("; where a rung stopped early, the n beside its verdict and %s intervals.", percent(o.Metrics[b.Metric].Level))
		}
	}
	return out + "."
}

// percent writes a level such as .99 as "99 %".
func percent(level float64) string {
	s := fmt.Sprintf("%.2f", level*100)
	s = strings.TrimRight(strings.TrimRight(s, "0"), ".")
	return s + " %"
}

func sortedKeys[V any](m map[string]V) []string {
	keys := make([]string, 0, len(m))
	for k := range m {
		keys = append(keys, k)
	}
	slices.Sort(keys)
	return keys
}

// column is one column of the table.
type column struct {
	title  string
	number bool // aligned to the right
	cell   func(o *rung.Outcome) string
}

// columns are those of the table; the cost has none where every call was free.
func (p *printer) columns() []column {
	d, f := p.doc, p.fig
	cols := []column{
		{"rung", false, func(o *rung.Outcome) string { return string(o.Rung) }},
		{"candidate", false, func(o *rung.Outcome) string { return o.Candidate.Short() }},
		{clean(d.Bar.Metric), false, func(o *rung.Outcome) string { return p.barFigure(o) }},
		{"p95", true, func(o *rung.Outcome) string { return millis(o.P95Millis) }},
		{"in/call", true, func(o *rung.Outcome) string { return count(tokensIn(o)) }},
	}
	if totalsOf(d).CostUSD > 0 {
		cols = append(cols, column{"per success", true, func(o *rung.Outcome) string { return usdOr(o.CostPerSuccess, f.none()) }})
	}
	return append(cols, column{"", false, func(o *rung.Outcome) string { return verdictMark(o, d.Heldout.N) }})
}

// barFigure is the bar's metric with its interval.
func (p *printer) barFigure(o *rung.Outcome) string {
	m, ok := o.Metrics[p.doc.Bar.Metric]
	if !ok {
		return p.fig.none()
	}
	return p.fig.of(p.doc.Bar.Metric).interval(m)
}

// tokensIn is tokens in per call over the held-out set; where there is no scorecard, over all calls of the rung.
func tokensIn(o *rung.Outcome) int {
	if o.Scorecard != nil {
		return perCall(o.Scorecard.Tokens, o.Scorecard.Calls)
	}
	return perCall(o.Tokens, o.Calls)
}

// verdictMark is the verdict as a mark and a word. How many examples would settle it belongs to it.
func verdictMark(o *rung.Outcome, n int) string {
	after := ""
	if o.Stopped != nil {
		after = fmt.Sprintf(", n=%s", count(o.Stopped.N))
	}
	switch o.Verdict {
	case rung.Pass:
		return "✓ pass" + after
	case rung.Fail:
		return "✗ fail" + after
	case rung.Inconclusive:
		switch {
		case o.Stopped != nil:
			return "? given up" + after
		case o.NeededN > n:
			return "? needs n=" + count(o.NeededN)
		}
		return "? open"
	}
	return ""
}

func verdictColor(v rung.Verdict) string {
	switch v {
	case rung.Pass:
		return green
	case rung.Fail:
		return red
	}
	return amber
}

func (p *printer) rows() {
	t := p.measure(p.columns())
	if slices.ContainsFunc(t.cells, func(row []string) bool { return row != nil }) {
		p.titles(t)
	}
	for r := range p.doc.Rungs {
		o := &p.doc.Rungs[r]
		if t.cells[r] == nil {
			p.skipped(o, t)
			continue
		}
		p.row(o, t.cells[r], t)
	}
}

// grid is the table with its measures; a skipped rung has no cells.
type grid struct {
	cols   []column
	cells  [][]string
	widths []int
	gap    string
}

// digestColumn is cut to eight digits where the table would not fit.
const digestColumn = 1

func (p *printer) measure(cols []column) grid {
	t := grid{cols: cols, cells: make([][]string, len(p.doc.Rungs)), widths: make([]int, len(cols)), gap: "  "}
	for i, c := range cols {
		t.widths[i] = columns(c.title)
	}
	for r := range p.doc.Rungs {
		o := &p.doc.Rungs[r]
		t.widths[0] = max(t.widths[0], columns(string(o.Rung)))
		if o.Status == rung.Skipped {
			continue
		}
		for i, c := range cols {
			text := clean(c.cell(o))
			t.cells[r] = append(t.cells[r], text)
			t.widths[i] = max(t.widths[i], columns(text))
		}
	}
	if t.width() > p.width {
		t.gap = " "
	}
	if t.width() > p.width {
		t.shortenDigests()
	}
	return t
}

// width is the columns that the whole table takes.
func (t *grid) width() int {
	total := 2 - len(t.gap)
	for _, w := range t.widths {
		total += w + len(t.gap)
	}
	return total
}

func (t *grid) shortenDigests() {
	t.widths[digestColumn] = columns(t.cols[digestColumn].title)
	for _, cells := range t.cells {
		if cells == nil {
			continue
		}
		if d := cells[digestColumn]; len(d) > 8 {
			cells[digestColumn] = d[:8]
		}
		t.widths[digestColumn] = max(t.widths[digestColumn], columns(cells[digestColumn]))
	}
}

func (p *printer) titles(t grid) {
	line := "  "
	for i, c := range t.cols {
		line += pad(c.title, t.widths[i], c.number) + t.gap
	}
	p.b.WriteString(p.paint(strings.TrimRight(line, " "), dim) + "\n")
}

func pad(s string, n int, number bool) string {
	if number {
		return right(s, n)
	}
	return left(s, n)
}

func (p *printer) row(o *rung.Outcome, cells []string, t grid) {
	chosen := p.chosen(o)
	line := "  "
	if chosen {
		line = "▶ "
	}
	last := len(t.cols) - 1
	for i := range last {
		line += pad(cells[i], t.widths[i], t.cols[i].number) + t.gap
	}
	verdict := cells[last]
	if chosen {
		p.b.WriteString(p.paint(line, bold) + p.paint(verdict, bold, verdictColor(o.Verdict)) + "\n")
	} else {
		p.b.WriteString(line + p.paint(verdict, verdictColor(o.Verdict)) + "\n")
	}
	indent := strings.Repeat(" ", 2+t.widths[0]+len(t.gap))
	if about := describe(o); about != "" {
		p.para(indent, indent, about, dim)
	}
	for _, v := range violations(p.doc, o, p.fig) {
		p.para(indent+"! ", indent+"  ", v, amber)
	}
}

// chosen reports whether o is the outcome that the decision names.
func (p *printer) chosen(o *rung.Outcome) bool {
	d := p.doc.Decision
	return d.Candidate != "" && o.Candidate == d.Candidate && o.Rung == d.Rung
}

func (p *printer) skipped(o *rung.Outcome, t grid) {
	name := "  " + left(string(o.Rung), t.widths[0]) + t.gap
	p.para(name+"– skipped: ", strings.Repeat(" ", columns(name)+2), o.Reason, dim)
}

// describe is what was chosen on dev, in the words of the search.
func describe(o *rung.Outcome) string {
	for _, t := range o.Search {
		if t.Chosen {
			return t.Label
		}
	}
	return ""
}

// violations are the guards and limits of the bar that a rung does not keep.
func violations(d *rung.Document, o *rung.Outcome, f figures) []string {
	var out []string
	for _, name := range sortedKeys(d.Bar.Guards) {
		m, ok := o.Metrics[name]
		if limit := d.Bar.Guards[name]; ok && m.Value < limit {
			out = append(out, fmt.Sprintf("guard %s %s is below %s", name, f.of(name).interval(m), f.of(name).score(limit)))
		}
	}
	if limit := d.Bar.MaxP95Millis; limit > 0 && o.P95Millis > limit {
		out = append(out, fmt.Sprintf("p95 latency %s is above %s", millis(o.P95Millis), millis(limit)))
	}
	if limit := d.Bar.MaxCostPerSuccess; limit > 0 && (o.CostPerSuccess == nil || *o.CostPerSuccess > limit) {
		out = append(out, fmt.Sprintf("cost per success %s is above %s", usdOr(o.CostPerSuccess, "(nothing succeeded)"), usd(limit)))
	}
	return out
}

func (p *printer) reasons() {
	p.b.WriteByte('\n')
	for _, r := range p.doc.Decision.Reasons {
		p.para("", "", r)
	}
}

// list writes a titled list, nothing when it is empty.
func (p *printer) list(title string, items []string) {
	if len(items) == 0 {
		return
	}
	p.b.WriteString("\n" + p.paint(title, bold) + "\n")
	for _, it := range items {
		p.para("- ", "  ", it)
	}
}

// mistakes lists what the decided candidate still gets wrong.
func (p *printer) mistakes() {
	o := decided(p.doc)
	if o == nil || o.Scorecard == nil || len(o.Scorecard.Mistakes) == 0 {
		return
	}
	card := o.Scorecard
	p.b.WriteString("\n" + p.paint(mistakesTitle(o), bold) + "\n")
	shown := card.Mistakes[:min(5, len(card.Mistakes))]
	for _, m := range shown {
		p.para("- ", "  ", mistakeLine(m))
	}
	if rest := card.Mistakes[len(shown):]; len(rest) > 0 {
		n := 0
		for _, m := range rest {
			n += m.Count
		}
		p.para("- ", "  ", fmt.Sprintf("%s of other kinds", count(n)))
	}
}

func mistakesTitle(o *rung.Outcome) string {
	wrong := o.Scorecard.N - o.Scorecard.Successes
	return fmt.Sprintf("Mistakes left in %s: %s of %s", o.Rung, count(wrong), plural(o.Scorecard.N, "example"))
}

func mistakeLine(m rung.MistakeGroup) string {
	out := fmt.Sprintf("%s %s", count(m.Count), m.Kind)
	if len(m.Examples) > 0 {
		out += ", such as " + strings.Join(m.Examples[:min(3, len(m.Examples))], ", ")
	}
	return out
}

// decided is the outcome that the decision names, nil when there is none.
func decided(d *rung.Document) *rung.Outcome {
	for i := range d.Rungs {
		o := &d.Rungs[i]
		if o.Status == rung.Scored && o.Rung == d.Decision.Rung && (d.Decision.Candidate == "" || o.Candidate == d.Decision.Candidate) {
			return o
		}
	}
	return nil
}

func (p *printer) foot() {
	t := totalsOf(p.doc)
	p.b.WriteByte('\n')
	p.para("", "", t.sentence(), dim)
	if p.doc.Run != "" {
		p.para("", "", fmt.Sprintf("Run %s, held-out set %s.", p.doc.Run, p.doc.Heldout.Digest.Short()), dim)
	}
}

// totals are what the whole climb used, building its candidates included.
type totals rung.Effort

func totalsOf(d *rung.Document) totals {
	var t rung.Effort
	for _, o := range d.Rungs {
		t.Add(rung.Effort{Calls: o.Calls, Tokens: o.Tokens, CostUSD: o.CostUSD, WallSeconds: o.WallSeconds})
		if o.Building != nil {
			t.Add(*o.Building)
		}
	}
	return totals(t)
}

func (t totals) sentence() string {
	out := fmt.Sprintf("In all, building included: %s made now, %s answered from the store", plural(t.Calls.Made, "call"), count(t.Calls.Cached))
	if t.Calls.Failed > 0 {
		out += fmt.Sprintf(", %s without an answer", count(t.Calls.Failed))
	}
	return out + fmt.Sprintf("; %s tokens in, %s out; %s; %s.", count(t.Tokens.In), count(t.Tokens.Out), usd(t.CostUSD), seconds(t.WallSeconds))
}
