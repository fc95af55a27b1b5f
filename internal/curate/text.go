package curate

import (
	"fmt"
	"strings"

	"github.com/rung-dev/rung/internal/datacheck"
	"github.com/rung-dev/rung/internal/report"
)

// Text is the summary for a terminal.
func (s *Summary) Text() string {
	var t strings.Builder
	t.WriteString(s.headline() + "\n" + s.lead() + "\n")
	for _, w := range s.Warnings {
		t.WriteString("! " + w + "\n")
	}
	table := [][]string{{"", "step", "rows in", "kept", "changed", "removed", "why"}}
	for _, f := range s.flow() {
		table = append(table, []string{"", f.Name, fmt.Sprint(f.In), fmt.Sprint(f.Kept), fmt.Sprint(f.Changed), fmt.Sprint(f.Out), reasons(f.Why)})
	}
	t.WriteString("\n" + strings.Join(report.Columns(table), "\n") + "\n")
	if p := s.personal(); len(p.Types) > 0 {
		table = [][]string{{"", "personal data", "findings", "rows", "of all"}}
		for _, x := range p.Types {
			table = append(table, []string{"", x.Type, fmt.Sprint(x.Findings), fmt.Sprint(x.Rows), x.Share})
		}
		t.WriteString("\n" + p.Done + "\n" + strings.Join(report.Columns(table), "\n") + "\n")
	}
	s.findingsText(&t)
	notes := ""
	for _, f := range s.flow() {
		for _, n := range f.Notes {
			notes += report.Line(fmt.Sprintf("%s: %s", f.Name, n), 2000) + "\n"
		}
	}
	if notes != "" {
		t.WriteString("\nNotes\n" + indent(notes))
	}
	if len(s.Unstated) > 0 {
		t.WriteString("\nNot stated\n" + indent(strings.Join(s.Unstated, "\n")+"\n"))
	}
	return t.String()
}

// reasons are the most frequent ones, and how many others there are.
func reasons(why []string) string {
	if len(why) > 4 {
		return fmt.Sprintf("%s and %d more", strings.Join(why[:3], ", "), len(why)-3)
	}
	return strings.Join(why, ", ")
}

// findingsText says what the check found that is more than good to know.
func (s *Summary) findingsText(t *strings.Builder) {
	_, findings, _ := s.checked()
	lines := ""
	for _, f := range findings {
		if f.Severity != string(datacheck.Note) {
			lines += report.Line(fmt.Sprintf("%s: %s (%s, %s)", f.Severity, f.What, f.Rows, f.Share), 2000) + "\n"
		}
	}
	if lines != "" {
		t.WriteString("\nWrong with the rows (examples in the report)\n" + indent(lines))
	}
}

// TermsText lists the sources with their terms, and what holds for all.
func (s *Summary) TermsText() string {
	table := [][]string{{"source", "rows", "licence", "basis", "keep until", "uses", "sensitivity", "contact"}}
	row := func(name, n string, facts []report.DatasetFact) {
		cells := []string{name, n}
		for _, f := range facts {
			cells = append(cells, f.Value)
		}
		table = append(table, cells)
	}
	for i := range s.d.Sources {
		x := &s.d.Sources[i]
		row(x.Name, fmt.Sprint(s.source(x).Rows), s.facts(&x.Terms))
	}
	row("all of it", "", s.marked())
	text := strings.Join(report.Columns(table), "\n") + "\n"
	if strings.Contains(strings.Join(table[len(table)-1], ""), " *") {
		text += "* of those sources that have stated it\n"
	}
	return text
}

// marked are the terms of all of it, with a mark where only some of the sources state them: a table has no room for more.
func (s *Summary) marked() []report.DatasetFact {
	out, all := s.facts(&s.d.Terms), s.joined()
	for i := range out {
		if all[i].Unstated && !out[i].Unstated {
			out[i].Value += " *"
		}
	}
	return out
}

// indent puts two spaces before each line.
func indent(s string) string {
	return "  " + strings.ReplaceAll(strings.TrimSuffix(s, "\n"), "\n", "\n  ") + "\n"
}
