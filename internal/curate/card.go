package curate

import (
	"fmt"
	"slices"
	"strings"

	"github.com/rung-dev/rung"
	"github.com/rung-dev/rung/internal/report"
)

// card is README.md: a head that Hugging Face reads, and what a person needs to decide whether to use the dataset. What nobody has
// stated is said to be so.
func (w *folder) card() string {
	var b strings.Builder
	w.head(&b)
	d := w.d
	fmt.Fprintf(&b, "# %s\n\n", d.Name)
	n := 0
	for _, s := range d.Splits {
		n += s.Rows
	}
	fmt.Fprintf(&b, "%s, built from %s by recorded steps. Digest `%s`.\n\n", plural(n, "labelled row", "labelled rows"), plural(len(d.Sources), "source", "sources"), d.Digest)
	s := Summarise(d, nil)
	for _, warning := range s.Warnings {
		fmt.Fprintf(&b, "**%s**\n\n", strings.ReplaceAll(warning, "\n", " "))
	}
	b.WriteString("| split | rows | written by no person |\n| --- | --- | --- |\n")
	for _, s := range d.Splits {
		fmt.Fprintf(&b, "| %s | %d | %d |\n", s.Split, s.Rows, s.Generated)
	}
	for _, f := range d.Files {
		if f.File == UnlabelledFile {
			fmt.Fprintf(&b, "\n%s no output yet and %s in no split: %s. `rung label make QUEUE TASK --rows %s` has people write them.\n", plural(f.Rows, "row has", "rows have"), isAre(f.Rows), f.File, f.File)
		}
	}
	fmt.Fprintf(&b, "\nFields of the input: %s.\n\n", cell(orNot(strings.Join(d.Fields, ", "))))
	w.sourcesTable(&b, s)
	personalTable(&b, s)
	w.stepsTable(&b)
	b.WriteString("`report.html` shows examples of what was removed. `rung data why` answers for a single row.\n")
	return b.String()
}

func isAre(n int) string {
	if n == 1 {
		return "is"
	}
	return "are"
}

// NotStated is what stands where nobody has said anything.
const NotStated = "not stated"

func orNot(s string) string {
	if s == "" {
		return NotStated
	}
	return s
}

func (w *folder) sourcesTable(b *strings.Builder, s *Summary) {
	b.WriteString("## Sources\n\n| source | obtained | licence | basis | keep until | allowed uses | sensitivity | contact |\n| --- | --- | --- | --- | --- | --- | --- | --- |\n")
	row := func(name, obtained string, facts []report.DatasetFact) {
		cells := []string{name, orNot(obtained)}
		for _, f := range facts {
			cells = append(cells, f.Value)
		}
		for i := range cells {
			cells[i] = cell(cells[i])
		}
		fmt.Fprintf(b, "| %s |\n", strings.Join(cells, " | "))
	}
	for i := range w.d.Sources {
		row(w.d.Sources[i].Name, w.d.Sources[i].Obtained, s.facts(&w.d.Sources[i].Terms))
	}
	row("**all of it**", "as above", s.joined())
	b.WriteString("\n")
}

// personalTable says what was found of personal data, what was done about it and what is still there: who loads the files reads no report.
func personalTable(b *strings.Builder, s *Summary) {
	p := s.personal()
	fmt.Fprintf(b, "## Personal data\n\n%s\n\n", cell(p.Done))
	if len(p.Types) > 0 {
		b.WriteString("| type | findings | rows | of all rows | what was done |\n| --- | --- | --- | --- | --- |\n")
		for _, t := range p.Types {
			fmt.Fprintf(b, "| %s | %d | %d | %s | %s |\n", t.Type, t.Findings, t.Rows, t.Share, t.Done)
		}
		b.WriteString("\n")
	}
	for _, line := range p.People {
		fmt.Fprintf(b, "- %s\n", line)
	}
	fmt.Fprintf(b, "\n%s\n\n", p.Limits)
}

// cell is text in a cell of a Markdown table.
func cell(s string) string {
	return strings.NewReplacer("|", `\|`, "\n", " ", "<", "&lt;").Replace(s)
}

func (w *folder) stepsTable(b *strings.Builder) {
	b.WriteString("## Steps\n\n| step | rows in | kept | changed | removed | why |\n| --- | --- | --- | --- | --- | --- |\n")
	for i := range w.d.Steps {
		s := &w.d.Steps[i]
		var why []string
		for _, r := range s.Reasons {
			why = append(why, fmt.Sprintf("%s %d", r.Reason, r.Rows))
		}
		fmt.Fprintf(b, "| %s | %d | %d | %d | %d | %s |\n", s.Name, s.Rows, s.Kept, s.Changed, s.Removed, cell(strings.Join(why, ", ")))
	}
	b.WriteString("\n")
	for i := range w.d.Steps {
		for _, note := range w.d.Steps[i].Notes {
			fmt.Fprintf(b, "- %s: %s\n", w.d.Steps[i].Name, cell(note))
		}
	}
	b.WriteString("\n")
}

// hubLicences are the identifiers of the Hub for SPDX licences that it knows (huggingface.co/docs/hub/repositories-licenses).
var hubLicences = []string{"apache-2.0", "mit", "bsd-2-clause", "bsd-3-clause", "c-uda", "cc0-1.0", "cc-by-2.0", "cc-by-2.5", "cc-by-3.0", "cc-by-4.0", "cc-by-sa-3.0", "cc-by-sa-4.0",
	"cc-by-nc-2.0", "cc-by-nc-3.0", "cc-by-nc-4.0", "cc-by-nd-4.0", "cc-by-nc-nd-3.0", "cc-by-nc-nd-4.0", "cc-by-nc-sa-2.0", "cc-by-nc-sa-3.0", "cc-by-nc-sa-4.0",
	"cdla-sharing-1.0", "cdla-permissive-1.0", "cdla-permissive-2.0", "gpl-2.0", "gpl-3.0", "agpl-3.0", "lgpl-3.0", "mpl-2.0", "odc-by", "odbl", "pddl", "unlicense", "isc", "etalab-2.0", "gfdl"}

// hubLicence is a licence in the Hub's words; "other" for what it does not know.
func hubLicence(spdx string) string {
	name := strings.ToLower(spdx)
	for _, end := range []string{"-only", "-or-later"} {
		name = strings.TrimSuffix(name, end)
	}
	if short := strings.TrimSuffix(name, "-1.0"); slices.Contains([]string{"odc-by", "odbl", "pddl"}, short) {
		name = short
	}
	if slices.Contains(hubLicences, name) {
		return name
	}
	return "other"
}

// head is the YAML head (huggingface.co/docs/hub/datasets-cards).
func (w *folder) head(b *strings.Builder) {
	d := w.d
	b.WriteString("---\n")
	fmt.Fprintf(b, "pretty_name: %s\n", yamlText(d.Name))
	if len(d.Terms.Licence) > 0 {
		b.WriteString("license:\n")
		var names []string
		for _, l := range d.Terms.Licence {
			if name := hubLicence(l); !slices.Contains(names, name) {
				names = append(names, name)
				fmt.Fprintf(b, "- %s\n", name)
			}
		}
	}
	if langs := w.languages(); len(langs) > 0 {
		b.WriteString("language:\n")
		for _, l := range langs {
			fmt.Fprintf(b, "- %s\n", yamlText(l))
		}
	}
	n := 0
	for _, s := range d.Splits {
		n += s.Rows
	}
	fmt.Fprintf(b, "size_categories:\n- %s\n", sizeCategory(n))
	if c := taskCategory(w.b.d.Output.Kind); c != "" {
		fmt.Fprintf(b, "task_categories:\n- %s\n", c)
	}
	b.WriteString("configs:\n- config_name: default\n  data_files:\n")
	for _, s := range d.Splits {
		if s.Rows > 0 {
			fmt.Fprintf(b, "  - split: %s\n    path: %s\n", s.Split, s.File)
		}
	}
	if n == 0 { // nothing is labelled yet
		fmt.Fprintf(b, "  - split: unlabelled\n    path: %s\n", UnlabelledFile)
	}
	if at := w.shape.root.mixed(""); at == "" && len(w.shape.root.keys) > 0 {
		b.WriteString("dataset_info:\n  features:\n")
		w.shape.root.features(b, "  ")
	}
	b.WriteString("---\n\n")
	if at := w.shape.root.mixed(""); at != "" {
		fmt.Fprintf(b, "The values of `%s` have several types or too many different keys to be described, so Hugging Face's `datasets` may not load these files as they are: `rung data convert` writes them in a form that it can.\n\n", at)
	}
}

// sizeCategory is the Hub's word for a number of rows.
func sizeCategory(n int) string {
	for _, c := range []struct {
		below int
		word  string
	}{{1_000, "n<1K"}, {10_000, "1K<n<10K"}, {100_000, "10K<n<100K"}, {1_000_000, "100K<n<1M"}, {10_000_000, "1M<n<10M"}} {
		if n < c.below {
			return c.word
		}
	}
	return "10M<n<100M"
}

// taskCategory is the Hub's word for an output form.
func taskCategory(k rung.OutputKind) string {
	switch k {
	case rung.Labels:
		return "text-classification"
	case rung.Text, rung.JSONSchema, rung.Tools:
		return "text-generation"
	}
	return ""
}
