package cli

import (
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/rung-dev/rung"
	"github.com/rung-dev/rung/internal/app"
	"github.com/rung-dev/rung/internal/attack"
	"github.com/rung-dev/rung/internal/report"
)

// shownHits bounds the attacks that are printed; --json has all of them.
const shownHits = 8

// writeAttack prints a report for people. Attacks and answers are hostile: everything from outside goes through report.Columns or
// report.Line, which make escape sequences and hidden characters visible.
func writeAttack(w io.Writer, doc *app.AttackReport, width int) error {
	var b strings.Builder
	fmt.Fprintf(&b, "Attacks on %s of %s%s.\n", report.Line(doc.Subject.Name, 120), report.Line(doc.Task, 120), guardWords(doc.Guards))
	if doc.Against != nil {
		fmt.Fprintf(&b, "The same attacks on %s%s for comparison.\n", report.Line(doc.Against.Subject.Name, 120), guardWords(doc.Against.Guards))
	}
	b.WriteByte('\n')
	rows := [][]string{heading(doc)}
	for i := range doc.Kinds {
		rows = append(rows, attackRow(&doc.Kinds[i], string(doc.Kinds[i].Kind)))
	}
	rows = append(rows, attackRow(&doc.All, "all"))
	for _, line := range report.Columns(rows) {
		b.WriteString("  " + line + "\n")
	}
	fmt.Fprintf(&b, "\n  success: share of attacks that reached their goal, with its %.3g %% interval (%s; all: %s).\n", 100*doc.Level, methodOf(doc.Kinds), doc.All.Success.Method)
	b.WriteString("  n counts attacks. Attacks on one input are one cluster, within a kind and over all: an interval of several attacks on few inputs is wider.\n")
	if doc.Against == nil {
		fmt.Fprintf(&b, "  same answer: share of attacks after which the answer was that to the unattacked input, with its %.3g %% interval (%s; all: %s).\n", 100*doc.Level,
			eachOf(doc.Kinds, func(f *attack.Figures) string { return f.Kept.Method }), doc.All.Kept.Method)
	}
	writeLonger(&b, doc)
	writePaired(&b, doc)
	writeGuards(&b, doc)
	writeHits(&b, doc, width)
	writeSkipped(&b, doc)
	writeExposed(&b, doc)
	writeAttackEnd(&b, doc, width)
	_, err := io.WriteString(w, b.String())
	return err
}

// writeLonger names the kinds that make the model write more.
func writeLonger(b *strings.Builder, doc *app.AttackReport) {
	var longer []string
	method := ""
	for i := range doc.Kinds {
		if l := doc.Kinds[i].Longer; l.Low > 0 {
			longer = append(longer, fmt.Sprintf("%s %.0f [%.0f–%.0f]", doc.Kinds[i].Kind, l.Value, l.Low, l.High))
			method = l.Method
		}
	}
	if len(longer) > 0 {
		fmt.Fprintf(b, "  longer answers, in tokens on average (%s, n as above): %s.\n", method, strings.Join(longer, ", "))
	}
}

func guardWords(guards []string) string {
	if len(guards) == 0 {
		return ", without guards"
	}
	return ", behind the guards " + strings.Join(guards, ", ")
}

func heading(doc *app.AttackReport) []string {
	if doc.Against != nil {
		return []string{"attack", "n", "succeeded", "success", "on the other", "difference", "p"}
	}
	return []string{"attack", "n", "succeeded", "success", "same answer", "worst"}
}

func attackRow(f *attack.Figures, name string) []string {
	row := []string{name, fmt.Sprint(f.N), fmt.Sprint(f.Succeeded), rate(f.Success)}
	if p := f.Pair; p != nil {
		holm := p.PHolm
		if f.Kind == "" {
			holm = p.P
		}
		return append(row, rate(p.Success), change(p.Difference), report.P(holm))
	}
	worst := ""
	if len(f.Wordings) > 0 && f.Wordings[0].Succeeded > 0 && f.Kind != "" {
		worst = fmt.Sprintf("%s (%d of %d)", f.Wordings[0].Technique, f.Wordings[0].Succeeded, f.Wordings[0].N)
	}
	return append(row, rate(f.Kept), worst)
}

// change is a difference with its interval; its ends may be below zero, so no dash stands between them.
func change(i rung.Interval) string {
	return report.Change(i)
}

func rate(i rung.Interval) string { return report.Share(i) }

// methodOf is how the intervals of the kinds were made.
func methodOf(kinds []attack.Figures) string {
	return eachOf(kinds, func(f *attack.Figures) string { return f.Success.Method })
}

// eachOf are the different methods of the kinds: a kind with few attacks, or with one attack per input, has others than the rest.
func eachOf(kinds []attack.Figures, of func(*attack.Figures) string) string {
	var methods []string
	for i := range kinds {
		if m := of(&kinds[i]); !slices.Contains(methods, m) {
			methods = append(methods, m)
		}
	}
	return strings.Join(methods, " or ")
}

func writePaired(b *strings.Builder, doc *app.AttackReport) {
	if doc.Against == nil {
		return
	}
	p := doc.All.Pair
	fmt.Fprintf(b, "  difference: %s less the other, attack by attack (%s; all: %s).\n", report.Line(doc.Subject.Name, 120), eachOf(doc.Kinds, func(f *attack.Figures) string { return f.Pair.Difference.Method }), p.Difference.Method)
	fmt.Fprintf(b, "  p: %s within a kind, adjusted over the kinds (Holm); %s for all.\n", eachOf(doc.Kinds, func(f *attack.Figures) string { return f.Pair.Test }), p.Test)
	fmt.Fprintf(b, "  %d attacks succeed on this subject only, %d on the other only.\n", p.Fell, p.Held)
}

func writeGuards(b *strings.Builder, doc *app.AttackReport) {
	if len(doc.All.Guards) == 0 {
		return
	}
	b.WriteString("\nStopped by guards:\n")
	var names []string
	for g := range doc.All.Guards {
		names = append(names, g)
	}
	slices.Sort(names)
	for _, g := range names {
		fmt.Fprintf(b, "  %s: %d of %d attacks\n", g, doc.All.Guards[g], doc.All.N)
	}
}

func writeHits(b *strings.Builder, doc *app.AttackReport, width int) {
	if len(doc.Hits) == 0 {
		return
	}
	fmt.Fprintf(b, "\nAttacks that succeeded%s:\n", more(len(doc.Hits), shownHits))
	for i := range min(len(doc.Hits), shownHits) {
		h := &doc.Hits[i]
		fmt.Fprintf(b, "  %s\n", report.Line(fmt.Sprintf("%s (%s): %s", h.ID, h.Technique, h.What), width-2))
		fmt.Fprintf(b, "    attack  %s\n", report.Line(h.Attack, width-12))
		said := h.Text
		if said == "" {
			said = string(h.Answer)
		}
		fmt.Fprintf(b, "    answer  %s\n", report.Line(said, width-12))
	}
}

func more(n, shown int) string {
	if n <= shown {
		return ""
	}
	return fmt.Sprintf(" (%d of %d; --json has all)", shown, n)
}

func writeSkipped(b *strings.Builder, doc *app.AttackReport) {
	if len(doc.Skipped) == 0 {
		return
	}
	b.WriteString("\nNot tried:\n")
	for _, s := range doc.Skipped {
		fmt.Fprintf(b, "  %s: %s\n", s.Kind, s.Why)
	}
}

func writeExposed(b *strings.Builder, doc *app.AttackReport) {
	if doc.Canaries == nil {
		return
	}
	e := doc.Canaries
	fmt.Fprintf(b, "\nCanaries, planted among the training rows (a secret not learned is preferred at a rate of %.4g):\n", e.Chance)
	rows := [][]string{{"repeats", "n", "extracted", "preferred", ""}}
	for _, g := range e.Groups {
		rows = append(rows, exposureRow(fmt.Sprint(g.Repeats), &g))
	}
	if doc.Against != nil && doc.Against.Canaries != nil {
		for _, g := range doc.Against.Canaries.Groups {
			rows = append(rows, exposureRow(fmt.Sprintf("%d, on the other", g.Repeats), &g))
		}
	}
	writeColumns(b, rows)
	fmt.Fprintf(b, "  %.3g %% intervals (%s); repeats: how often a canary stood among the rows, 0 for those never trained on.\n", 100*e.Level, e.Groups[0].Extracted.Method)
}

func exposureRow(name string, g *app.Exposure) []string {
	said := ""
	if g.Learned {
		said = "above chance"
	}
	return []string{name, fmt.Sprint(g.N), rate(g.Extracted), rate(g.Preferred), said}
}

func writeAttackEnd(b *strings.Builder, doc *app.AttackReport, width int) {
	b.WriteByte('\n')
	if doc.Verdict != "" {
		fmt.Fprintf(b, "%s: %s.\n", strings.ToUpper(string(doc.Verdict[:1]))+string(doc.Verdict[1:]), doc.Reason)
	}
	for _, n := range doc.Notes {
		fmt.Fprintln(b, n)
	}
	fmt.Fprintf(b, "%d calls made now, %d answered from the store, %d failed; $%.4g; %.0f s. Evaluation %s, suite %s.\n",
		doc.Calls.Made, doc.Calls.Cached, doc.Calls.Failed, doc.CostUSD, doc.Wall, doc.Evaluation, doc.Suite.Digest.Short())
	_ = width
}
