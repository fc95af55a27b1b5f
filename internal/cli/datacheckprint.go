package cli

import (
	"fmt"
	"io"
	"path/filepath"
	"strings"

	"github.com/rung-dev/rung"
	"github.com/rung-dev/rung/internal/datacheck"
	"github.com/rung-dev/rung/internal/formats"
)

// printDataCheck tells a person what was found: first what the rows are, then the findings, worst first.
func printDataCheck(w io.Writer, r *datacheck.Report, files []formats.FileReport, all bool) {
	names := make([]string, 0, 4)
	for i, f := range files {
		if i == 3 {
			names = append(names, fmt.Sprintf("and %d more", len(files)-3))
			break
		}
		names = append(names, filepath.Base(f.File))
	}
	fmt.Fprintf(w, "%s in %s: %s\n", counted(r.Rows, "row"), strings.Join(names, ", "), severities(r.Counts))
	printReading(w, files)
	printRows(w, r)
	for i := range r.Findings {
		f := &r.Findings[i]
		if f.Severity == datacheck.Note && !all {
			fmt.Fprintf(w, "\n%s\n", wrapped("note  ", "      ", fmt.Sprintf("[%s] %s (%s)", f.Check, f.What, findingShare(f))))
			continue
		}
		printFinding(w, f)
	}
	printSkipped(w, r, all)
}

// printReading says how the files were read, where they had to be understood: each way once.
func printReading(w io.Writer, files []formats.FileReport) {
	said := map[string]bool{}
	for i := range files {
		f := &files[i]
		parts := append([]string{}, f.Chosen...)
		for j, l := range f.LeftOut {
			if j == 3 {
				parts = append(parts, fmt.Sprintf("%d more left out", len(f.LeftOut)-j))
				break
			}
			parts = append(parts, fmt.Sprintf("left out: %s (%s)", l.What, someRows(l.Rows)))
		}
		for _, p := range f.Repairs {
			parts = append(parts, fmt.Sprintf("%s (%s)", p.Kind, someRows(p.Rows)))
		}
		if f.Format == formats.Rung && len(parts) == 0 {
			continue
		}
		line := strings.Join(append([]string{"read as " + string(f.Format)}, parts...), "; ")
		if !said[line] && len(said) < 5 {
			said[line] = true
			fmt.Fprintln(w, wrapped("  ", "  ", line))
		}
	}
}

func printRows(w io.Writer, r *datacheck.Report) {
	var fields []string
	for _, f := range r.Fields {
		text := f.Name
		if f.Rows < r.Rows {
			text += fmt.Sprintf(" (%d)", f.Rows)
		}
		fields = append(fields, text)
	}
	line := "input: " + strings.Join(fields[:min(len(fields), 12)], ", ")
	if r.Output != nil {
		line += fmt.Sprintf("; output: %s, in %s", r.Output.Kind, counted(r.Output.Rows, "row"))
	}
	fmt.Fprintln(w, wrapped("  ", "  ", line))
	if len(r.Splits) > 0 {
		var parts []string
		for _, name := range []string{"train", "dev", "heldout", "none"} {
			if n := r.Splits[name]; n > 0 {
				parts = append(parts, fmt.Sprintf("%s %d", name, n))
			}
		}
		fmt.Fprintln(w, "  splits: "+strings.Join(parts, ", "))
	}
	fmt.Fprintf(w, "  tokens (estimated): input half at most %d, 95 %% at most %d, longest %d", r.InputLen.P50, r.InputLen.P95, r.InputLen.Max)
	if r.OutputLen.N > 0 {
		fmt.Fprintf(w, "; output %d, %d, %d", r.OutputLen.P50, r.OutputLen.P95, r.OutputLen.Max)
	}
	fmt.Fprintln(w)
	if len(r.Labels) > 0 {
		var parts []string
		for _, l := range r.Labels[:min(len(r.Labels), 6)] {
			parts = append(parts, fmt.Sprintf("%s %d (%.1f %%)", l.Label, l.Rows, 100*l.Share))
		}
		if n := len(r.Labels) - 6; n > 0 {
			parts = append(parts, fmt.Sprintf("and %d more", n))
		}
		fmt.Fprintln(w, wrapped("  ", "  ", fmt.Sprintf("%s in %s: %s", counted(len(r.Labels), "label"), counted(r.Output.Rows, "row"), strings.Join(parts, ", "))))
	}
	var languages []string
	for _, l := range r.Languages {
		if l.Inputs == 0 || len(languages) == 6 {
			continue
		}
		name := l.Language
		if name == "" {
			name = "not told"
		}
		languages = append(languages, fmt.Sprintf("%s %d", name, l.Inputs))
	}
	fmt.Fprintln(w, "  languages of the inputs: "+strings.Join(languages, ", "))
}

func findingShare(f *datacheck.Finding) string {
	if f.Of == 0 {
		return fmt.Sprint(f.Count)
	}
	share := 100 * f.Share
	if share < 1 {
		return fmt.Sprintf("%d of %d, %.2g %%", f.Count, f.Of, share)
	}
	return fmt.Sprintf("%d of %d, %.1f %%", f.Count, f.Of, share)
}

func printFinding(w io.Writer, f *datacheck.Finding) {
	head := fmt.Sprintf("%-5s ", f.Severity)
	fmt.Fprintf(w, "\n%s\n", wrapped(head, "      ", fmt.Sprintf("[%s] %s (%s)", f.Check, f.What, findingShare(f))))
	fmt.Fprintln(w, wrapped("      do: ", "      ", f.Do))
	fmt.Fprintln(w, wrapped("      counted: ", "      ", f.Method))
	for i := range f.Examples {
		printExample(w, "      ", &f.Examples[i])
	}
}

func printExample(w io.Writer, indent string, e *datacheck.ExampleRow) {
	if e.File == "" {
		return
	}
	text := strings.Join(strings.Fields(e.Text), " ")
	fmt.Fprintf(w, "%s%s  %s\n", indent, rung.Place(filepath.Base(e.File), e.Line, e.Item), clipped(text, 110))
	if e.Why != "" {
		fmt.Fprintln(w, wrapped(indent+"    ", indent+"    ", e.Why))
	}
	if e.Other != nil {
		printExample(w, indent+"    ", e.Other)
	}
}

func clipped(s string, n int) string {
	r := []rune(s)
	if len(r) <= n {
		return s
	}
	return string(r[:n-1]) + "…"
}

func printSkipped(w io.Writer, r *datacheck.Report, all bool) {
	var none []string
	for _, k := range r.Ran {
		switch {
		case k.Skipped != "" && k.Findings == 0:
			fmt.Fprintln(w, wrapped("\nnot made: ", "  ", k.Check+": "+k.Skipped))
		case k.Findings == 0:
			none = append(none, k.Check)
		}
	}
	if all && len(none) > 0 {
		fmt.Fprintln(w, wrapped("\nfound nothing: ", "  ", strings.Join(none, ", ")))
	}
}
