package rating

import (
	"fmt"
	"io"
	"strings"

	"github.com/rung-dev/rung"
)

// Section is a table of a result with its heading, for a terminal or Markdown. The first row holds the headings.
type Section struct {
	Title  string
	Rows   [][]string
	Footer []string
}

// Sections are the result as tables. Every figure stands with its interval, n and method.
func (r *Result) Sections() []Section {
	var out []Section
	for _, s := range []Section{r.sharesSection(), r.strengthsSection(), r.meansSection(), r.differencesSection(), r.labelSections(), r.agreementSection(), r.ratersSection(), r.driftSection()} {
		if len(s.Rows) > 1 {
			out = append(out, s)
		}
	}
	return out
}

// figure writes a value with its interval: ".62 [.55–.69]", as reports do.
func figure(iv rung.Interval) string {
	switch {
	case !finite(iv):
		return "not known"
	case iv.Low < 0:
		return fmt.Sprintf("%s [%s, %s]", trim(iv.Value), trim(iv.Low), trim(iv.High))
	}
	return fmt.Sprintf("%s [%s–%s]", trim(iv.Value), trim(iv.Low), trim(iv.High))
}

// change writes a difference with its interval: "+.31 [+.22, +.40]".
func change(iv rung.Interval) string {
	if !finite(iv) {
		return "not known"
	}
	sign := func(v float64) string {
		if s := trim(v); v > 0 && s != ".00" {
			return "+" + s
		}
		return trim(v)
	}
	return fmt.Sprintf("%s [%s, %s]", sign(iv.Value), sign(iv.Low), sign(iv.High))
}

func optional(iv *rung.Interval) string {
	if iv == nil {
		return "–"
	}
	return fmt.Sprintf("%s of %d", figure(*iv), iv.N)
}

// methods says the level and the methods of intervals once, below a table.
func methods(ivs ...rung.Interval) []string {
	var seen []string
	level := 0.0
	for _, iv := range ivs {
		level = iv.Level
		if !contains(seen, iv.Method) {
			seen = append(seen, iv.Method)
		}
	}
	if len(seen) == 0 {
		return nil
	}
	return []string{fmt.Sprintf("Intervals at %g %%: %s.", level*100, strings.Join(seen, "; "))}
}

func contains(list []string, s string) bool {
	for _, v := range list {
		if v == s {
			return true
		}
	}
	return false
}

func probability(p float64) string {
	if p < .001 {
		return "< .001"
	}
	return strings.TrimPrefix(fmt.Sprintf("%.3f", p), "0")
}

func (r *Result) sharesSection() Section {
	s := Section{Title: "Preferred", Rows: [][]string{{"candidate", "over", "share", "won / tied / lost / split", "n", "p (Holm)"}}}
	var ivs []rung.Interval
	for _, x := range r.Shares {
		ivs = append(ivs, x.Share)
		s.Rows = append(s.Rows, []string{x.Name, x.OverName, figure(x.Share), fmt.Sprintf("%d / %d / %d / %d", x.Wins, x.Ties, x.Losses, x.Split), fmt.Sprint(x.Share.N), probability(x.PHolm)})
	}
	s.Footer = methods(ivs...)
	if len(r.Shares) > 0 {
		s.Footer = append(s.Footer, "Share: how often the candidate is preferred, half of a tie counted, the raters of an item averaged. Test: "+r.Shares[0].Test+".")
	}
	if r.Same > 0 {
		s.Footer = append(s.Footer, fmt.Sprintf("%s of equal answers are among the ties.", count(r.Same, "pair")))
	}
	return s
}

func (r *Result) strengthsSection() Section {
	s := Section{Title: "Strength (log odds, average 0)", Rows: [][]string{{"candidate", "strength", "n"}}}
	var ivs []rung.Interval
	for _, x := range r.Strengths {
		ivs = append(ivs, x.Strength)
		s.Rows = append(s.Rows, []string{x.Name, change(x.Strength), fmt.Sprint(x.Strength.N)})
	}
	s.Footer = methods(ivs...)
	return s
}

func (r *Result) meansSection() Section {
	s := Section{Title: "Rated, 1 to 5", Rows: [][]string{{"criterion", "candidate", "mean", "n"}}}
	var ivs []rung.Interval
	for _, x := range r.Means {
		ivs = append(ivs, x.Mean)
		s.Rows = append(s.Rows, []string{x.Criterion, x.Name, figure(x.Mean), fmt.Sprint(x.Mean.N)})
	}
	s.Footer = methods(ivs...)
	return s
}

func (r *Result) differencesSection() Section {
	s := Section{Title: "Differences on the same inputs", Rows: [][]string{{"criterion", "candidate", "over", "points", "n", "p (Holm)"}}}
	var ivs []rung.Interval
	for _, x := range r.Differences {
		ivs = append(ivs, x.Difference)
		s.Rows = append(s.Rows, []string{x.Criterion, x.Name, x.OverName, change(x.Difference), fmt.Sprint(x.Difference.N), probability(x.PHolm)})
	}
	s.Footer = methods(ivs...)
	if len(r.Differences) > 0 {
		s.Footer = append(s.Footer, "Test: "+r.Differences[0].Test+".")
	}
	return s
}

func (r *Result) agreementSection() Section {
	s := Section{Title: "Agreement of raters", Rows: [][]string{{"criterion", "measure", "value", "items"}}}
	if r.Kind == rung.Pairwise {
		s.Rows[0] = s.Rows[0][1:]
	}
	var ivs []rung.Interval
	for i := range r.Agreement {
		a := &r.Agreement[i]
		ivs = append(ivs, a.Interval)
		row := []string{a.Criterion, a.String(), figure(a.Interval), fmt.Sprint(a.N)}
		if r.Kind == rung.Pairwise {
			row = row[1:]
		}
		s.Rows = append(s.Rows, row)
	}
	s.Footer = methods(ivs...)
	if d := r.Disagreements; d.Items > 0 {
		s.Footer = append(s.Footer, fmt.Sprintf("Raters disagree on %s; %d settled, %d open.", count(d.Items, "item"), d.Settled, d.Open))
	}
	return s
}

func (r *Result) ratersSection() Section {
	others, left, known := "above the others", "", "known ratings"
	switch r.Kind {
	case rung.Pairwise:
		others, left = "as the others", "left"
	case rung.Labelled:
		others, known = "as the others", "accuracy on known"
	}
	s := Section{Title: "Raters", Rows: [][]string{{"rater", "rated", "skipped", "s per item", known, "repeats", left, others, "checks"}}}
	var ivs []rung.Interval
	for i := range r.Raters {
		x := &r.Raters[i]
		done := fmt.Sprint(x.Done)
		if x.Asked > 0 {
			done = fmt.Sprintf("%d of %d", x.Done, x.Asked)
		}
		verdict := "passed"
		switch {
		case x.Failing:
			verdict = "FAILED"
		case x.Gold == nil && x.Repeats == nil:
			verdict = "none"
		}
		for _, iv := range []*rung.Interval{x.Gold, x.Repeats, x.Left, x.Others} {
			if iv != nil {
				ivs = append(ivs, *iv)
			}
		}
		s.Rows = append(s.Rows, []string{x.Rater, done, fmt.Sprint(x.Skipped), fmt.Sprintf("%.0f", x.Seconds), optional(x.Gold), optional(x.Repeats), optional(x.Left), optional(x.Others), verdict})
	}
	if left == "" {
		for i, row := range s.Rows {
			s.Rows[i] = append(row[:6:6], row[7:]...)
		}
	}
	s.Footer = methods(ivs...)
	for i := range r.Raters {
		for _, why := range r.Raters[i].Why {
			s.Footer = append(s.Footer, r.Raters[i].Rater+": "+why+".")
		}
	}
	return s
}

func (r *Result) driftSection() Section {
	s := Section{Title: "Drift, late against early half", Rows: [][]string{{"rater", "early", "late", "shift", "n", "p (Holm)"}}}
	var ivs []rung.Interval
	for i := range r.Raters {
		d := r.Raters[i].Drift
		if d == nil {
			continue
		}
		ivs = append(ivs, d.Shift)
		s.Rows = append(s.Rows, []string{r.Raters[i].Rater, trim(d.Early.Value), trim(d.Late.Value), change(d.Shift), fmt.Sprint(d.Shift.N), probability(d.PHolm)})
	}
	s.Footer = methods(ivs...)
	if len(s.Rows) > 1 {
		what := "by how many points the rater's values lie above those of the others"
		if r.Kind != rung.Rubric {
			what = "the share of what the others said that is the same"
		}
		s.Footer = append(s.Footer, "Compared: "+what+", on shared items in the order in which they were rated.")
	}
	return s
}

// Head is the result in a sentence.
func (r *Result) Head() string {
	head := fmt.Sprintf("%s (%s): %d of %s rated, %s by %s.", r.Queue, r.Task, r.Rated, count(r.Items, "item"), count(r.Ratings, "rating"), count(len(r.Raters), "rater"))
	if len(r.Without) > 0 {
		head += " Left out: " + strings.Join(r.Without, ", ") + "."
	}
	return head
}

// Markdown writes the result for a review or a report.
func (r *Result) Markdown(w io.Writer) error {
	var b strings.Builder
	fmt.Fprintf(&b, "# Ratings: %s\n\n%s\n\n> %s\n", plainText(r.Queue), plainText(r.Head()), plainText(r.Question))
	for _, n := range r.Notes {
		fmt.Fprintf(&b, "\n**Note.** %s\n", plainText(n))
	}
	for _, s := range r.Sections() {
		fmt.Fprintf(&b, "\n## %s\n\n", s.Title)
		for i, row := range s.Rows {
			for _, cell := range row {
				b.WriteString("| " + plainText(cell) + " ")
			}
			b.WriteString("|\n")
			if i == 0 {
				b.WriteString(strings.Repeat("| --- ", len(row)) + "|\n")
			}
		}
		for _, f := range s.Footer {
			fmt.Fprintf(&b, "\n%s\n", plainText(f))
		}
	}
	_, err := io.WriteString(w, b.String())
	return err
}

// plainText keeps text from acting as Markdown or HTML.
func plainText(s string) string {
	return strings.NewReplacer("|", `\|`, "<", "&lt;", "\n", " ", "\r", " ", "`", "'", "*", `\*`, "_", `\_`).Replace(s)
}
