package cli

import (
	"fmt"
	"slices"
	"strings"

	"github.com/rung-dev/rung/internal/app"
	"github.com/rung-dev/rung/internal/report"
)

func forgetText(d *app.Erasure) string {
	var b strings.Builder
	verb := "would go"
	if d.Done {
		verb = "went"
	}
	fmt.Fprintf(&b, "Erasure on %s", d.On)
	if d.Why != "" {
		fmt.Fprintf(&b, " (%s)", report.Line(d.Why, 200))
	}
	if d.Resumed {
		b.WriteString(", going on with one that was interrupted")
	}
	b.WriteString("\n")
	if !d.Found {
		b.WriteString("\nNothing was found of whom you asked for.\n")
	}
	fmt.Fprintf(&b, "Looked for: %s.\nLooked in:  %s.\n", askedText(&d.Asked), lookedText(&d.Looked))
	forgetOutside(&b, d)
	forgetDatasets(&b, d, verb)
	if d.Found {
		forgetStore(&b, d, verb)
		forgetMade(&b, d)
	}
	forgetNotSearched(&b, d)
	if d.Found {
		b.WriteString("\nNot changed, and still holding them\n")
		for _, l := range d.Loose {
			fmt.Fprintf(&b, "  %s%s%s\n", l.File, linesText(l), l.Note)
		}
	} else {
		b.WriteString("\nOut of reach\n")
	}
	for _, text := range d.Left {
		fmt.Fprintf(&b, "  %s\n", text)
	}
	b.WriteString(forgetEnd(d))
	return b.String()
}

// forgetEnd is the last line, which nobody may take for more than it says.
func forgetEnd(d *app.Erasure) string {
	switch {
	case !d.Found && len(d.NotSearched) > 0:
		return "\nNothing was found and nothing was changed, but not everything could be searched: see “Not searched”.\n"
	case !d.Found:
		return "\nNothing was found, and nothing was changed.\n"
	case !d.Done:
		return "\nNothing was changed. The same command with --yes does it.\n"
	case len(d.NotSearched) > 0:
		return "\nWhat was found is gone, but not everything could be searched: see “Not searched”.\n"
	}
	return ""
}

func askedText(a *app.AskedFor) string {
	var out []string
	for _, x := range []struct {
		n         int
		one, many string
	}{{a.Persons, "key of a person", "keys of persons"}, {a.IDs, "id of a row", "ids of rows"}, {a.Texts, "text", "texts"}, {a.Phrases, "name or address", "names and addresses"}, {a.Numbers, "number", "numbers"}} {
		if x.n > 0 {
			out = append(out, plural(x.n, x.one, x.many))
		}
	}
	return strings.Join(out, ", ")
}

func lookedText(l *app.LookedIn) string {
	out := []string{fmt.Sprintf("%s (%s, %s)", plural(l.Datasets, "dataset", "datasets"), plural(l.Rows, "row", "rows"), plural(l.Records, "record of a removed row", "records of removed rows"))}
	if l.RawFiles > 0 {
		out = append(out, fmt.Sprintf("%s (%s)", plural(l.RawFiles, "raw file", "raw files"), plural(l.RawRows, "row", "rows")))
	}
	if l.Files > 0 {
		out = append(out, plural(l.Files, "file of tasks", "files of tasks"))
	}
	for _, x := range []struct {
		is   bool
		what string
	}{{l.Store, "the store"}, {l.Traces, "the traces"}, {l.Vault, "the vault"}} {
		if x.is {
			out = append(out, x.what)
		}
	}
	if !l.Store {
		out = append(out, "no store (none is here)")
	}
	return strings.Join(out, ", ")
}

func forgetOutside(b *strings.Builder, d *app.Erasure) {
	if len(d.Outside) == 0 {
		return
	}
	b.WriteString("\nOutside of this store's folder, named by its runs (a store that was copied names the original's files)\n")
	for _, path := range d.Outside {
		fmt.Fprintf(b, "  %s\n", path)
	}
}

// maxShown is how many rows of a dataset are listed.
const maxShown = 20

func forgetDatasets(b *strings.Builder, d *app.Erasure, verb string) {
	b.WriteString("\nDatasets\n")
	if len(d.Datasets) == 0 {
		b.WriteString("  none is known here\n")
	}
	for i := range d.Datasets {
		x := &d.Datasets[i]
		digest := x.Before.Short()
		if x.After != "" {
			digest += " → " + x.After.Short()
		}
		fmt.Fprintf(b, "  %s (digest %s)\n", x.Folder, digest)
		in := 0
		for _, r := range x.Rows {
			if r.In != "removed.jsonl" {
				in++
			}
		}
		if in == 0 && x.Records == 0 {
			b.WriteString("    nothing was found in it\n")
			continue
		}
		fmt.Fprintf(b, "    %s %s: %s\n", goneText(in, x.Records), verb, reasonsOf(x.Rows))
		for _, r := range x.Rows[:min(len(x.Rows), maxShown)] {
			fmt.Fprintf(b, "      %s  in %s (%s)\n", r.ID, r.In, reasonWord(r.Reason))
		}
		if n := len(x.Rows) - maxShown; n > 0 {
			fmt.Fprintf(b, "      and %d more (--json has all)\n", n)
		}
	}
}

// goneText says how many rows and records of a dataset go.
func goneText(rows, records int) string {
	var out []string
	if rows > 0 {
		out = append(out, plural(rows, "row", "rows"))
	}
	if records > 0 {
		out = append(out, "the content of "+plural(records, "record of a removed row", "records of removed rows"))
	}
	return strings.Join(out, " and ")
}

func reasonWord(reason string) string {
	switch reason {
	case "raw":
		return "by its raw row"
	case "place":
		return "by its place in the raw file"
	}
	return reason
}

func forgetStore(b *strings.Builder, d *app.Erasure, verb string) {
	fmt.Fprintf(b, "\nStore and traces: what %s\n", verb)
	n := 0
	for _, counts := range []map[string]int{d.Store, d.Gateway} {
		for _, kind := range sortedKeys(counts) {
			if counts[kind] > 0 {
				fmt.Fprintf(b, "  %6d  %s\n", counts[kind], kindText(kind))
				n++
			}
		}
	}
	if d.Vault != nil {
		fmt.Fprintf(b, "  %6d  rows of the vault\n", *d.Vault)
		n++
	}
	for _, dir := range d.Work {
		fmt.Fprintf(b, "          working files of what was not finished: %s\n", dir)
		n++
	}
	if n == 0 {
		b.WriteString("  nothing\n")
	}
}

// kindText says of what holds no text why it goes.
func kindText(kind string) string {
	if kind == "vectors" || kind == "token rows" {
		return kind + " (all of them: no text can be looked for in them, and they are made again)"
	}
	return kind
}

func forgetMade(b *strings.Builder, d *app.Erasure) {
	b.WriteString("\nMade from them\n")
	for _, m := range d.Made {
		fmt.Fprintf(b, "  %s %s %s\n    → %s\n", m.Kind, m.Name, m.How, m.Do)
	}
	if len(d.Made) == 0 {
		b.WriteString("  nothing that rung knows\n")
	}
	if len(d.Reviews) > 0 {
		would := map[bool]string{true: "says so, and is a draft again until somebody signs it", false: "would say so, and would be a draft again"}[d.Done]
		fmt.Fprintf(b, "  The risk review of %s %s (rung review RELEASE).\n", strings.Join(d.Reviews, ", "), would)
	}
}

func forgetNotSearched(b *strings.Builder, d *app.Erasure) {
	if len(d.NotSearched) == 0 {
		return
	}
	b.WriteString("\nNot searched: rows of the person may be there\n")
	for _, n := range d.NotSearched {
		source := ""
		if n.Source != "" {
			source = ", source " + n.Source
		}
		if n.Rows > 0 {
			source += " (" + plural(n.Rows, "row", "rows") + ")"
		}
		fmt.Fprintln(b, wrapped("  ", "    ", fmt.Sprintf("%s%s: %s", n.Folder, source, n.Why)))
		fmt.Fprintln(b, wrapped("    → ", "      ", n.Do))
	}
}

func reasonsOf(rows []app.ErasedRow) string {
	counts := map[string]int{}
	for _, r := range rows {
		counts[r.Reason]++
	}
	var out []string
	for _, k := range sortedKeys(counts) {
		out = append(out, fmt.Sprintf("%s %d", reasonWord(k), counts[k]))
	}
	return strings.Join(out, ", ")
}

func sortedKeys(m map[string]int) []string {
	out := make([]string, 0, len(m))
	for k := range m {
		out = append(out, k)
	}
	slices.Sort(out)
	return out
}

func linesText(l app.LooseFile) string {
	if len(l.Lines) == 0 {
		if l.Note != "" {
			return ": "
		}
		return ""
	}
	shown := l.Lines[:min(len(l.Lines), 10)]
	text := strings.Trim(strings.Join(strings.Fields(fmt.Sprint(shown)), ", "), "[]")
	if n := len(l.Lines) - len(shown) + l.More; n > 0 {
		text += fmt.Sprintf(" and %d more", n)
	}
	return ", line " + text
}

func plural(n int, one, many string) string {
	if n == 1 {
		return "1 " + one
	}
	return fmt.Sprintf("%d %s", n, many)
}
