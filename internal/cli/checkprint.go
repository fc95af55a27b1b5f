package cli

import (
	"fmt"
	"io"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"github.com/rung-dev/rung"
	"github.com/rung-dev/rung/internal/data"
)

// lineWidth is where prose is wrapped.
const lineWidth = 100

// print writes the report for people. Errors are not in it: they go to standard error with their lines.
func (r *checkReport) print(w io.Writer) {
	t := r.task
	fmt.Fprintf(w, "%s (%s)\n\n", r.Name, r.File)
	row(w, "output", outputLine(t))
	row(w, "bar", barLine(t))
	row(w, "models", joined(t.Models))
	rungs := slices.Compact(applicable(t))
	line := joined(rungs)
	left := func(why func(rung.Rung) bool) bool {
		return slices.ContainsFunc(t.Rungs, func(r rung.Rung) bool { return why(r) && !slices.Contains(rungs, r) })
	}
	if len(t.Documents) == 0 && left(rung.Rung.Retrieves) {
		line += "; those that retrieve need documents"
	}
	if !slices.ContainsFunc(t.Models, rung.ModelRef.Local) && left(rung.Rung.Trains) {
		line += "; those that train need a local model"
	}
	row(w, "rungs", line)
	if r.Terms != nil {
		row(w, "terms", strings.TrimLeft(wrapped("", strings.Repeat(" ", 14), r.Terms.words), " "))
	}
	if r.Data != nil {
		r.printData(w)
	}
	if r.Power != nil {
		r.printPower(w)
	}
	for i := range r.Judges {
		row(w, "judge", strings.TrimLeft(wrapped("", strings.Repeat(" ", 14), r.Judges[i].words(r.Data.Heldout)), " "))
	}
	if len(r.Warnings) > 0 {
		fmt.Fprintf(w, "\n%s\n", counted(len(r.Warnings), "warning"))
		for _, warning := range r.Warnings {
			fmt.Fprintln(w, wrapped("  - ", "    ", warning))
		}
	}
	switch {
	case len(r.Errors) > 0:
		fmt.Fprintf(w, "\n%s; see below\n", counted(len(r.Errors), "error"))
	default:
		fmt.Fprintf(w, "\nno errors; next: rung climb %s\n", r.File)
	}
}

// row prints a name and its value in two columns.
func row(w io.Writer, name, value string) {
	fmt.Fprintf(w, "  %-11s %s\n", name, value)
}

func outputLine(t *rung.Task) string {
	switch t.Output.Kind {
	case rung.Labels:
		return fmt.Sprintf("one of %d labels", len(t.Output.Labels))
	case rung.JSONSchema:
		return "JSON that meets a schema"
	case rung.Tools:
		if t.Output.ToolsFrom != "" {
			return "a call of a tool that the field " + t.Output.ToolsFrom + " offers"
		}
		return "a call of one of the tools"
	}
	return "text"
}

func barLine(t *rung.Task) string {
	line := fmt.Sprintf("%s of at least %s; a gain of %s is worth having", t.Bar.Metric, fraction(t.Bar.AtLeast), fraction(t.Bar.MinGain))
	if t.Bar.MaxP95Latency > 0 {
		line += fmt.Sprintf("; p95 within %s", t.Bar.MaxP95Latency)
	}
	if t.Bar.MaxCostPerSuccess > 0 {
		line += fmt.Sprintf("; at most %g USD per success", t.Bar.MaxCostPerSuccess)
	}
	return line
}

func joined[S ~string](items []S) string {
	out := make([]string, len(items))
	for i, it := range items {
		out[i] = string(it)
	}
	return strings.Join(out, ", ")
}

func (r *checkReport) printData(w io.Writer) {
	d := r.Data
	fmt.Fprintf(w, "\n%s in %s\n", counted(d.Rows, "example"), fileNames(r.task))
	used := max(1, d.Train+d.Dev+d.Heldout)
	share := func(n int) string { return fmt.Sprintf("%6d  %3.0f %%", n, float64(n)*100/float64(used)) }
	row(w, "train", share(d.Train))
	row(w, "dev", share(d.Dev))
	row(w, "heldout", share(d.Heldout)+"  digest "+d.HeldoutDigest.Short())
	if d.LeftOut > 0 {
		row(w, "left out", fmt.Sprintf("%6d", d.LeftOut))
	}
	if d.Broken > 0 {
		row(w, "broken", fmt.Sprintf("%6d  do not fit the output form", d.Broken))
	}
	row(w, "duplicates", fmt.Sprintf("%6d exact, %d near; copies stay in one split", d.Duplicates.Exact, d.Duplicates.Near))
	for _, set := range d.Duplicates.Sets[:min(3, len(d.Duplicates.Sets))] {
		row(w, "", "        "+setLine(set))
	}
	if d.Contradicting > 0 {
		row(w, "contradict", fmt.Sprintf("%6d  same input, other output", d.Contradicting))
		for _, c := range d.Contradictions[:min(3, len(d.Contradictions))] {
			row(w, "", fmt.Sprintf("        %s says %s, %s says %s", c.A, c.OutputA, c.B, c.OutputB))
		}
	}
	if d.Documents > 0 {
		row(w, "documents", fmt.Sprintf("%6d  %s", d.Documents, size(d.DocumentBytes)))
	}
	fmt.Fprintf(w, "\n  tokens (estimated)   p50    p95     max\n")
	fmt.Fprintf(w, "  input             %6d %6d %7d\n", d.Input.P50, d.Input.P95, d.Input.Max)
	fmt.Fprintf(w, "  output            %6d %6d %7d\n", d.Output.P50, d.Output.P95, d.Output.Max)
	if len(d.Labels) > 0 {
		printLabels(w, d.Labels)
	}
}

func setLine(s data.Set) string {
	kind := "equal"
	if s.Near {
		kind = "nearly equal"
	}
	places := make([]string, 0, 2)
	for _, r := range s.Rows[:min(2, len(s.Rows))] {
		places = append(places, fmt.Sprintf("%s:%d", filepath.Base(r.File), r.Line))
	}
	line := fmt.Sprintf("%d %s: %s", s.Size, kind, strings.Join(places, ", "))
	if s.Size > 2 {
		line += ", …"
	}
	return line
}

// shownLabels bounds the table of labels; --json has all.
const shownLabels = 20

func printLabels(w io.Writer, labels []data.LabelCount) {
	width := len("label")
	for _, l := range labels[:min(len(labels), shownLabels)] {
		width = max(width, len([]rune(l.Label)))
	}
	width = min(width, 40)
	fmt.Fprintf(w, "\n  %s  train    dev heldout\n", pad("label", width))
	most, all := data.LabelCount{}, 0
	for _, l := range labels {
		if all += l.Heldout; l.Heldout > most.Heldout {
			most = l
		}
	}
	for i, l := range labels {
		if i == shownLabels {
			fmt.Fprintf(w, "  … and %s (--json lists them)\n", counted(len(labels)-i, "more label"))
			break
		}
		fmt.Fprintf(w, "  %s %6d %6d %7d\n", pad(l.Label, width), l.Train, l.Dev, l.Heldout)
	}
	if all < fewForPower {
		return
	}
	fmt.Fprintf(w, "  always answering %q would score an accuracy of %s\n", most.Label, fraction(float64(most.Heldout)/float64(max(1, all))))
}

// pad fills or cuts s to width characters.
func pad(s string, width int) string {
	r := []rune(s)
	if len(r) > width {
		return string(r[:width-1]) + "…"
	}
	return s + strings.Repeat(" ", width-len(r))
}

func (r *checkReport) printPower(w io.Writer) {
	p, t := r.Power, r.task
	fmt.Fprintf(w, "\nWhat %s can show\n", counted(p.N, "independent held-out example"))
	intro := fmt.Sprintf("Each of %s is judged at α = %s (%s in all).", p.chances(), fraction(1-p.Level), fraction(p.Alpha))
	if p.Rungs == 1 {
		intro = fmt.Sprintf("The rung is judged at α = %s.", fraction(p.Alpha))
	}
	atMost := ""
	if !p.PassFail {
		atMost = "at most "
	}
	bar := fmt.Sprintf("At the bar of %s the interval is %s± %s", fraction(t.Bar.AtLeast), atMost, fraction(p.HalfWidth))
	if p.ToPass > 0 {
		bar += fmt.Sprintf(": a candidate passes when it measures about %s%s.", fraction(p.ToPass), map[bool]string{true: " or more", false: ", or somewhat less if its scores vary little"}[p.PassFail])
	} else {
		bar += ": not even a perfect score passes."
	}
	diff := fmt.Sprintf("A difference between two rungs of about %s or more is found 8 times in 10 (%s).", fraction(p.Detectable), p.Method)
	if p.Detectable >= p.unit {
		diff = "Differences between two rungs cannot be told apart with so few."
	}
	gain := fmt.Sprintf("min_gain is %s", fraction(p.MinGain))
	switch {
	case p.MinGain == 0:
		gain = ""
	case p.NeededN <= p.N:
		gain += ": these examples are enough to see it."
	default:
		gain += fmt.Sprintf(": to see that much takes some %d held-out examples, %d in all. Smaller gains will often stay undecided.", p.NeededN, p.NeededAll)
	}
	for _, line := range []string{intro, bar, diff, gain} {
		if line != "" {
			fmt.Fprintln(w, wrapped("  ", "  ", line))
		}
	}
}

// fraction writes a figure with as many decimals as it needs, at most three.
func fraction(f float64) string {
	return strconv.FormatFloat(float64(int(f*1000+.5))/1000, 'f', -1, 64)
}

func counted(n int, noun string) string {
	if n == 1 {
		return "1 " + noun
	}
	return fmt.Sprintf("%d %ss", n, noun)
}

func size(n int64) string {
	switch {
	case n >= 10<<20:
		return fmt.Sprintf("%d MiB", n>>20)
	case n >= 10<<10:
		return fmt.Sprintf("%d KiB", n>>10)
	}
	return fmt.Sprintf("%d bytes", n)
}

func fileNames(t *rung.Task) string {
	if len(t.Examples) > 3 {
		return fmt.Sprintf("%d files", len(t.Examples))
	}
	names := make([]string, len(t.Examples))
	for i, path := range t.Examples {
		names[i] = filepath.Base(path)
	}
	return strings.Join(names, ", ")
}

// wrapped breaks text into lines with a first and a further indent.
func wrapped(first, rest, text string) string {
	var b strings.Builder
	b.WriteString(first)
	col := len(first)
	for i, word := range strings.Fields(text) {
		n := len([]rune(word))
		switch {
		case i == 0:
		case col+1+n > lineWidth:
			b.WriteString("\n" + rest)
			col = len(rest)
		default:
			b.WriteByte(' ')
			col++
		}
		b.WriteString(word)
		col += n
	}
	return b.String()
}
