package report

import (
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/rung-dev/rung"
)

// sheet is a small table of text for a terminal.
type sheet struct {
	titles  []string
	numbers []bool // columns that are set to the right
	rows    [][]string
}

func (s *sheet) add(cells ...string) { s.rows = append(s.rows, cells) }

// print writes the table, its last column wrapped to the width.
func (p *printer) sheet(s *sheet) {
	widths := make([]int, len(s.titles))
	for _, row := range append([][]string{s.titles}, s.rows...) {
		for i, c := range row {
			widths[i] = max(widths[i], columns(clean(c)))
		}
	}
	line := func(cells []string) string {
		out, last := "  ", len(cells)-1
		for i, c := range cells {
			c = clean(c)
			switch {
			case i == last && !s.right(i):
				out += c
			default:
				out += pad(c, widths[i], s.right(i)) + "  "
			}
		}
		return strings.TrimRight(out, " ")
	}
	p.b.WriteString(p.paint(line(s.titles), dim) + "\n")
	for _, row := range s.rows {
		text := line(row)
		if columns(text) > p.width && p.width > 40 {
			last := len(row) - 1
			at := columns(text) - columns(clean(row[last]))
			for i, piece := range wrap(clean(row[last]), max(20, p.width-at)) {
				if i == 0 {
					p.b.WriteString(fitting(text, at) + piece + "\n")
					continue
				}
				p.b.WriteString(strings.Repeat(" ", at) + piece + "\n")
			}
			continue
		}
		p.b.WriteString(text + "\n")
	}
}

func (s *sheet) right(i int) bool { return i < len(s.numbers) && s.numbers[i] }

// key is the letter by which a table names a method; legend tells them. Methods are long, and few.
func (p *printer) key(method string) string {
	i := slices.Index(p.keys, method)
	if i < 0 {
		i = len(p.keys)
		p.keys = append(p.keys, method)
	}
	if i >= 26 {
		return string(rune('a'+i/26-1)) + string(rune('a'+i%26))
	}
	return string(rune('a' + i))
}

func (p *printer) legend() {
	if len(p.keys) == 0 {
		return
	}
	p.b.WriteString("\n" + p.paint("Methods", bold) + "\n")
	for _, method := range slices.Clone(p.keys) {
		p.para("  "+p.key(method)+"  ", "     ", method, dim)
	}
}

// evalPrinter prints what is not a climb.
func evalPrinter(width int, color bool) *printer {
	return &printer{width: width, color: color, ascii: !utf8Locale(), fig: figures{digits: 3, ascii: !utf8Locale()}}
}

// scale writes figures of a metric on a scale to 100 with fewer digits.
func evalFigures(ascii bool) figures { return figures{digits: 3, ascii: ascii} }

// Evaluation writes one evaluation for people: no figure without its interval, its level, its n and its method.
func Evaluation(w io.Writer, e *rung.Evaluation, width int, color bool) error {
	p := evalPrinter(width, color)
	p.para("", "", fmt.Sprintf("%s: %s on %s", e.Task, e.Subject.Name, suiteWords(e)), bold)
	if e.Verdict != "" {
		p.para("", "", fmt.Sprintf("%s: %s.", strings.ToUpper(string(e.Verdict)), e.Reason), verdictColor(e.Verdict))
	}
	if e.Stopped != nil {
		p.para("", "", fmt.Sprintf("Stopped after %d of %d: %s. With --full every example is asked.", e.Stopped.N, e.Stopped.Of, e.Stopped.Reason))
	}
	if e.NeededN > 0 && e.NeededN < 1_000_000 && !strings.Contains(e.Reason, "would settle it") {
		p.para("", "", fmt.Sprintf("About %s examples would settle it.", count(e.NeededN)))
	}
	p.b.WriteByte('\n')
	p.metricSheet(e)
	p.segmentSheet(e)
	p.varianceLines(e)
	p.driftLines(e.Drift)
	p.legend()
	p.mistakeLines(&e.Scorecard, e.Answers)
	p.modeLines(&e.Scorecard)
	p.effortLines(e)
	p.list("Notes", e.Notes)
	return p.flush(w)
}

func suiteWords(e *rung.Evaluation) string {
	s := fmt.Sprintf("%s (%s, %s)", e.Suite.Name, plural(e.Suite.N, "example"), e.Suite.Digest.Short())
	if e.Answers > 1 {
		s += fmt.Sprintf(", %d answers each", e.Answers)
	}
	return s
}

// metricNames are the metrics of a scorecard, the deciding one first.
func metricNames(card *rung.Scorecard, first string) []string {
	names := sortedKeys(card.Metrics)
	slices.SortStableFunc(names, func(a, b string) int {
		switch {
		case a == first && b != first:
			return -1
		case b == first && a != first:
			return 1
		}
		return 0
	})
	return names
}

func (p *printer) metricSheet(e *rung.Evaluation) {
	s := &sheet{titles: []string{"metric", "value", "interval", "level", "n", "method"}, numbers: []bool{false, true, false, true, true}}
	f := evalFigures(p.ascii)
	for _, name := range metricNames(&e.Scorecard, e.Metric) {
		iv := e.Scorecard.Metrics[name]
		s.add(name, f.value(iv), f.ends(iv), percent(iv.Level), count(iv.N), p.key(iv.Method))
	}
	p.sheet(s)
}

func (p *printer) segmentSheet(e *rung.Evaluation) {
	if len(e.Segments) == 0 {
		return
	}
	f := evalFigures(p.ascii)
	p.b.WriteString("\n" + p.paint("By segment: "+clean(e.Metric), bold) + "\n")
	s := &sheet{titles: []string{"segment", "value", "interval", "level", "n", "method"}, numbers: []bool{false, true, false, true, true}}
	for _, seg := range e.Segments {
		iv := seg.Metrics[e.Metric]
		s.add(segmentName(seg.Segment), f.value(iv), f.ends(iv), percent(iv.Level), count(iv.N), p.key(iv.Method))
	}
	p.sheet(s)
	p.para("  ", "  ", "Each interval by itself: not adjusted for the number of segments.", dim)
}

func segmentName(s string) string {
	if s == "" {
		return "(none)"
	}
	return s
}

func (p *printer) varianceLines(e *rung.Evaluation) {
	if len(e.Variance) == 0 {
		return
	}
	p.b.WriteString("\n" + p.paint(fmt.Sprintf("Where the uncertainty comes from (%d answers to each example)", e.Answers), bold) + "\n")
	s := &sheet{titles: []string{"metric", "SE", "variance between examples", "of answers to one example", "share of SE² from answers", "n", "method"},
		numbers: []bool{false, true, true, true, true, true}}
	f := figures{digits: 4, ascii: p.ascii}
	for _, v := range e.Variance {
		s.add(v.Metric, f.score(v.SE), f.score(v.Between), f.score(v.Sampling), fmt.Sprintf("%.0f %%", 100*v.SamplingShare), count(v.N), p.key(v.Method))
	}
	p.sheet(s)
}

func (p *printer) driftLines(d *rung.Drift) {
	if d == nil {
		return
	}
	f := evalFigures(p.ascii)
	word, color := "No drift is shown", green
	if d.Found {
		word, color = "DRIFT", red
	}
	p.b.WriteByte('\n')
	p.para("", "", fmt.Sprintf("%s against %s of %s: %s.", word, d.With, d.At.Format("2006-01-02 15:04"), d.Reason), bold, color)
	s := &sheet{titles: []string{"now − then", "difference", "interval", "level", "n", "p", "method and test"}, numbers: []bool{false, true, false, true, true}}
	for i, c := range d.Quality {
		note := c.Difference.Method + "; " + c.Test
		if i == 0 {
			note += "; p adjusted with that of changed answers (Holm)"
		} else {
			note += "; p adjusted with those of the other metrics (Holm)"
		}
		s.add(c.Metric, f.signed(c.Difference.Value), f.signed(c.Difference.Low)+", "+f.signed(c.Difference.High), percent(c.Difference.Level), count(c.Difference.N), f.pvalue(c.PHolm), p.key(note))
	}
	p.sheet(s)
	share := func(what string, iv *rung.Interval) {
		if iv != nil {
			p.para("  ", "    ", fmt.Sprintf("%s: %s (%s interval, n=%d, %s)", what, f.interval(*iv), percent(iv.Level), iv.N, iv.Method))
		}
	}
	share("answers that are not those of then", d.Changed)
	share("answers that differ when asked twice now", d.Noise)
	if d.TestChanged != "" {
		p.para("  ", "    ", fmt.Sprintf("more changed than by chance: %s after Holm (%s, n=%d)", f.pvalue(d.PChangedHolm), d.TestChanged, d.Noise.N))
	}
}

// mistakeLines counts mistakes. Where every example was asked several times, these are answers and not examples.
func (p *printer) mistakeLines(card *rung.Scorecard, answers int) {
	if len(card.Mistakes) == 0 {
		return
	}
	var items []string
	for _, m := range card.Mistakes[:min(5, len(card.Mistakes))] {
		items = append(items, mistakeLine(m))
	}
	of := plural(card.N, "example")
	if answers > 1 {
		of = fmt.Sprintf("%s to %s", plural(card.N*answers, "answer"), of)
	}
	p.list(fmt.Sprintf("Mistakes (counts, of %s)", of), items)
}

// Bins writes the reliability tables of metrics of stated confidence: how often answers are right, by how sure they say they are.
func Bins(w io.Writer, all []rung.Calibration, width int, color bool) error {
	p := evalPrinter(width, color)
	f := evalFigures(p.ascii)
	if len(all) == 0 {
		p.para("", "", "\nNo metric of the task is about stated confidence.")
	}
	for _, c := range all {
		p.b.WriteByte('\n')
		p.para("", "  ", fmt.Sprintf("%s: how often answers are right, by what %s says", c.Metric, c.Field), bold)
		s := &sheet{titles: []string{"says", "answers", "mean said", "right", "interval", "level", "n", "method"}, numbers: []bool{false, true, true, true, false, true, true}}
		for _, b := range c.Bins {
			s.add(f.score(b.Low)+f.dash()+f.score(b.High), count(b.N), f.score(b.Confidence), f.score(b.Right.Value), f.score(b.Right.Low)+f.dash()+f.score(b.Right.High),
				percent(b.Right.Level), count(b.Right.N), p.key(b.Right.Method))
		}
		p.sheet(s)
	}
	p.legend()
	return p.flush(w)
}

func (p *printer) effortLines(e *rung.Evaluation) {
	c := &e.Scorecard
	p.b.WriteByte('\n')
	line := fmt.Sprintf("%d calls made, %d from the store, %d failed; %s; p50 %s, p95 %s (nearest rank over %s); wall %s", c.Calls.Made, c.Calls.Cached, c.Calls.Failed,
		usd(c.CostUSD), millis(c.P50Millis), millis(c.P95Millis), plural(c.N, "example"), seconds(c.WallSeconds))
	p.para("", "  ", line+".", dim)
	if len(e.Served) > 0 {
		p.para("", "  ", "The server called itself "+strings.Join(e.Served, ", ")+".", dim)
	}
	p.para("", "  ", "Evaluation "+e.ID+".", dim)
}
