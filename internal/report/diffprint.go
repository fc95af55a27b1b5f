package report

import (
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/rung-dev/rung"
)

// shownChanges is how many examples of each change are written without --all, textLimit how long an answer gets.
const (
	shownChanges = 10
	textLimit    = 400
)

// Write writes the diff for a person.
func (x *Diff) Write(w io.Writer, width int, color, all bool) error {
	doc := docOf(x)
	p := &printer{doc: doc, width: max(width, 80), color: color, ascii: !utf8Locale()}
	p.fig = figuresFor(doc, p.ascii)
	p.diffHead(x)
	p.diffMetrics(x)
	p.diffRecipe(x)
	p.diffExamples(x, all)
	return p.flush(w)
}

// docOf is what of a document the writing of figures needs.
func docOf(x *Diff) *rung.Document {
	a, b := map[string]rung.Interval{}, map[string]rung.Interval{}
	for _, m := range x.Metrics {
		a[m.Metric], b[m.Metric] = m.A, m.B
	}
	return &rung.Document{Bar: x.Bar, Rungs: []rung.Outcome{{Metrics: a}, {Metrics: b}}}
}

func (p *printer) diffHead(x *Diff) {
	p.para("", "", fmt.Sprintf("%s: from %s to %s", x.Task, x.A.Rung, x.B.Rung), bold)
	for _, s := range []struct {
		name string
		side DiffSide
	}{{"A", x.A}, {"B", x.B}} {
		about := ""
		if s.side.About != "" {
			about = ": " + s.side.About
		}
		p.para(s.name+"  ", "   ", fmt.Sprintf("%s  %s with %s%s", s.side.Candidate.Short(), s.side.Rung, s.side.Model, about))
	}
	p.b.WriteByte('\n')
}

func (p *printer) diffMetrics(x *Diff) {
	names, as, bs := 0, 0, 0
	for _, m := range x.Metrics {
		f := p.fig.of(m.Metric)
		names, as, bs = max(names, columns(clean(m.Metric))), max(as, columns(f.interval(m.A))), max(bs, columns(f.interval(m.B)))
	}
	for _, m := range x.Metrics {
		f := p.fig.of(m.Metric)
		line := left(clean(m.Metric), names) + "  " + left(f.interval(m.A), as) + "  " + left(f.interval(m.B), bs)
		if c := m.Comparison; c != nil {
			line += "  " + f.change(c.Difference)
			p.b.WriteString(line + "\n")
			p.para(strings.Repeat(" ", names+2), strings.Repeat(" ", names+2),
				fmt.Sprintf("%s%s, %s, n = %s, %s interval: %s", f.pvalue(c.P), holm(c, f), c.Test, count(c.Difference.N), percent(c.Difference.Level), comparisonWords(*c, x.Bar, p.fig)), dim)
			continue
		}
		p.b.WriteString(strings.TrimRight(line, " ") + "\n")
	}
	for _, line := range diffMethods(x) {
		p.para("", "", line, dim)
	}
}

// diffMethods say of how many examples the figures are, how sure and by which method their intervals are, and when a difference is called one.
func diffMethods(x *Diff) []string {
	var methods []string
	var tests int
	n := ""
	for _, m := range x.Metrics {
		intervals := []rung.Interval{m.A, m.B}
		if c := m.Comparison; c != nil {
			intervals = append(intervals, c.Difference)
			if m.Metric != x.Bar.Metric && c.Undecided == "" {
				tests++
			}
		}
		for _, iv := range intervals {
			if !slices.Contains(methods, iv.Method) {
				methods = append(methods, iv.Method)
			}
		}
		if n = fmt.Sprintf("n = %s", count(m.A.N)); m.A.N != m.B.N {
			n = fmt.Sprintf("A of n = %s, B of n = %s", count(m.A.N), count(m.B.N))
		}
	}
	if len(methods) == 0 {
		return nil
	}
	out := []string{fmt.Sprintf("A and B with %s intervals (%s), and the paired difference B - A: %s. Each interval is by itself.", diffLevels(x), n, strings.Join(methods, "; "))}
	if tests > 1 {
		out = append(out, fmt.Sprintf("p-values of the %d metrics beside %s are adjusted together by Holm's method; a difference in one of them is found where the adjusted p is below %s.", tests, clean(x.Bar.Metric), strings.TrimPrefix(fmt.Sprintf("%.3g", 1-x.Bar.Level), "0")))
	}
	return out
}

// diffLevels are the levels of the figures' intervals: a rung that stopped early has another one.
func diffLevels(x *Diff) string {
	var levels []string
	for _, m := range x.Metrics {
		for _, iv := range []rung.Interval{m.A, m.B} {
			if level := percent(iv.Level); !slices.Contains(levels, level) {
				levels = append(levels, level)
			}
		}
	}
	return strings.Join(levels, " and ")
}

// holm is the adjusted p-value where the climb adjusted it.
func holm(c *rung.Comparison, f figures) string {
	if c.PHolm == c.P {
		return ""
	}
	return " (after Holm " + f.pvalue(c.PHolm) + ")"
}

func (p *printer) diffRecipe(x *Diff) {
	if len(x.Recipe) == 0 {
		return
	}
	p.b.WriteString("\n" + p.paint("What differs in the recipe", bold) + "\n")
	for _, c := range x.Recipe {
		c.A, c.B = shortDigest(c.A), shortDigest(c.B)
		if strings.Contains(c.A+c.B, "\n") || columns(c.A)+columns(c.B)+columns(c.Part) > p.width-10 {
			p.para("", "", c.Part)
			p.diffLines(c)
			continue
		}
		p.para("", "  ", fmt.Sprintf("%s: %s → %s", c.Part, orNone(c.A), orNone(c.B)))
	}
}

// shortDigest writes a whole digest as people see digests.
func shortDigest(s string) string {
	if len(s) == len(rung.DigestBytes(nil)) && strings.Trim(s, "0123456789abcdef") == "" {
		return rung.Digest(s).Short()
	}
	return s
}

func orNone(s string) string {
	if s == "" {
		return "(none)"
	}
	return s
}

// diffLines writes the lines of two texts that differ.
func (p *printer) diffLines(c RecipeChange) {
	for _, l := range lineChanges(strings.Split(c.A, "\n"), strings.Split(c.B, "\n")) {
		if c.A == "" && l[0] == '-' || c.B == "" && l[0] == '+' {
			continue
		}
		code := green
		if l[0] == '-' {
			code = red
		}
		p.para("  "+l[:1]+" ", "    ", shorten(l[1:], textLimit), code)
	}
}

// lineChanges gives the lines of a and b outside their longest common subsequence, marked - and +, in order.
func lineChanges(a, b []string) []string {
	if len(a)*len(b) > 1_000_000 { // too long to align: show both
		a, b = a[:min(len(a), 1000)], b[:min(len(b), 1000)]
	}
	common := make([][]int, len(a)+1)
	for i := range common {
		common[i] = make([]int, len(b)+1)
	}
	for i := len(a) - 1; i >= 0; i-- {
		for j := len(b) - 1; j >= 0; j-- {
			if a[i] == b[j] {
				common[i][j] = common[i+1][j+1] + 1
			} else {
				common[i][j] = max(common[i+1][j], common[i][j+1])
			}
		}
	}
	var out []string
	i, j := 0, 0
	for i < len(a) || j < len(b) {
		switch {
		case i < len(a) && j < len(b) && a[i] == b[j]:
			i, j = i+1, j+1
		case j >= len(b) || i < len(a) && common[i+1][j] >= common[i][j+1]:
			out, i = append(out, "-"+a[i]), i+1
		default:
			out, j = append(out, "+"+b[j]), j+1
		}
	}
	return out
}

func (p *printer) diffExamples(x *Diff, all bool) {
	c := x.Counts
	p.b.WriteByte('\n')
	p.para("", "", fmt.Sprintf("Of %s: %s fixed, %s broken, %s wrong in both (%s of them in other words), %s right in both.",
		plural(c.Fixed+c.Broken+c.BothWrong+c.BothRight, "example"), count(c.Fixed), count(c.Broken), count(c.BothWrong), count(c.Otherwise), count(c.BothRight)))
	titles := map[string]string{Fixed: "Fixed", Broken: "Broken", BothWrong: "Wrong in both", BothRight: "Right in both"}
	shown, last, left := 0, "", 0
	for _, e := range x.Examples {
		if e.Change != last {
			p.more(left)
			p.b.WriteString("\n" + p.paint(titles[e.Change], bold) + "\n")
			shown, last, left = 0, e.Change, 0
		}
		if !all && shown == shownChanges {
			left++
			continue
		}
		shown++
		p.diffExample(&e)
	}
	p.more(left)
}

func (p *printer) more(n int) {
	if n > 0 {
		p.para("  ", "  ", fmt.Sprintf("and %s more; --all shows them", count(n)), dim)
	}
}

func (p *printer) diffExample(e *ExampleChange) {
	title := e.Example
	if len(e.Input) > 0 {
		title += ": " + shorten(Readable(e.Input), textLimit)
	}
	p.para("- ", "  ", title)
	if len(e.Expected) > 0 {
		p.para("    expected  ", "              ", shorten(Readable(e.Expected), textLimit), dim)
	}
	for _, s := range []struct {
		name string
		side AnswerSide
	}{{"A", e.A}, {"B", e.B}} {
		mark, code, mistake := "✓", green, ""
		if !s.side.Right {
			mark, code, mistake = "✗", red, " ("+s.side.Mistake+")"
		}
		text := s.side.Text
		if len(s.side.Answer) > 0 {
			text = Readable(s.side.Answer)
		}
		p.para(fmt.Sprintf("    %s %s       ", s.name, mark), "              ", shorten(text, textLimit)+mistake, code)
	}
}
