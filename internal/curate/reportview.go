package curate

import (
	"bytes"
	"encoding/json"
	"fmt"
	"path/filepath"
	"slices"
	"strings"

	"github.com/rung-dev/rung"
	"github.com/rung-dev/rung/internal/report"
	"github.com/rung-dev/rung/internal/rows"
)

// report writes report.html.
func (w *folder) report() error {
	out, err := rows.Create(filepath.Join(w.dir, ReportFile))
	if err != nil {
		return err
	}
	defer out.Abandon()
	if err := report.DatasetHTML(out, w.page()); err != nil {
		return err
	}
	return out.Finish()
}

// WriteReport writes report.html into a folder for a dataset that was changed after it was built. It shows no examples of removed rows: what
// was erased may be among them.
func WriteReport(dir string, d *rung.Dataset) error {
	w := &folder{dir: dir, d: d}
	return w.report()
}

// page is the view of the dataset for whoever answers for it.
func (w *folder) page() *report.DatasetPage {
	s := Summarise(w.d, w.samples.list())
	v := &report.DatasetPage{Name: w.d.Name, Digest: string(w.d.Digest), Version: w.d.Rung, Headline: s.headline(), Lead: s.lead(), Warnings: s.Warnings, Unstated: s.Unstated}
	v.Terms = s.joined()
	for i := range w.d.Sources {
		v.Sources = append(v.Sources, s.source(&w.d.Sources[i]))
	}
	v.Personal = s.personal()
	v.Flow, v.Removed = s.flow(), s.removedRows()
	v.Checked, v.Findings, v.Labels = s.checked()
	v.Made, v.Splits, v.Against = s.made(), s.splitRows(), s.against()
	for _, f := range w.d.Files {
		v.Files = append(v.Files, report.DatasetFact{Name: f.File, Value: fmt.Sprintf("%s, %s", plural(f.Rows, "row", "rows"), f.Digest)})
	}
	v.Methods = []string{
		"Building again from the same raw files and the same description gives the same digest, whatever the day and the machine.",
		"rung data show FOLDER holds every file to its digest.",
		"rung data why FOLDER ID says for one row where it comes from and what each step did to it; it also finds rows by their text.",
		"Every removed row is in removed.jsonl, every row's origin in origins.jsonl.",
	}
	return v
}

// Summary is what there is to say about a dataset, in words, for the page and the terminal.
type Summary struct {
	d        *rung.Dataset
	samples  []Sample
	rows     int // labelled
	removed  int
	open     int // unlabelled
	pii      PIIReport
	imported ImportReport
	gen      GeneratedReport
	split    SplitReport
	Warnings []string
	Unstated []string
}

// Summarise reads what the steps have recorded.
func Summarise(d *rung.Dataset, list []Sample) *Summary {
	s := &Summary{d: d, samples: list}
	for _, p := range d.Splits {
		s.rows += p.Rows
	}
	for _, f := range d.Files {
		if f.File == UnlabelledFile {
			s.open = f.Rows
		}
	}
	for i := range d.Steps {
		step := &d.Steps[i]
		s.removed += step.Removed
		for name, into := range map[string]any{StepPII: &s.pii, StepImport: &s.imported, StepGenerated: &s.gen, StepSplit: &s.split} {
			if step.Name == name && step.Report != nil {
				_ = json.Unmarshal(step.Report, into) // what a newer rung has written otherwise is left out
			}
		}
	}
	s.warn()
	s.unstated()
	return s
}

func (s *Summary) headline() string {
	return fmt.Sprintf("%s: %s from %s", s.d.Name, plural(s.rows, "labelled row", "labelled rows"), plural(len(s.d.Sources), "source", "sources"))
}

func (s *Summary) lead() string {
	parts := make([]string, len(s.d.Splits))
	for i, p := range s.d.Splits {
		parts[i] = fmt.Sprintf("%d %s", p.Rows, p.Split)
	}
	text := strings.Join(parts, ", ") + "."
	if s.removed > 0 {
		text += fmt.Sprintf(" %s removed, each with its reason.", plural(s.removed, "row was", "rows were"))
	} else {
		text += " No row was removed."
	}
	if s.open > 0 {
		text += fmt.Sprintf(" %s no output yet and %s kept apart in %s (rung label make QUEUE TASK --rows FILE has people label them).", plural(s.open, "row has", "rows have"), isAre(s.open), UnlabelledFile)
	}
	return text
}

func (s *Summary) warn() {
	say := func(format string, args ...any) { s.Warnings = append(s.Warnings, fmt.Sprintf(format, args...)) }
	for _, p := range s.d.Splits {
		if p.Generated > 0 && p.Split == rung.HeldoutIs {
			say("GENERATED ROWS IN HELD-OUT: no person wrote %d of its %d rows. A model's idea of the task would be measured there, and not the task.", p.Generated, p.Rows)
		} else if p.Generated > 0 {
			say("GENERATED ROWS: no person wrote %d of the %d rows of %s.", p.Generated, p.Rows, p.Split)
		}
	}
	switch {
	case s.pii.Do == "skip":
		say("Nobody has looked for personal data in these rows.")
	case s.pii.Do == "none" && s.pii.With > 0:
		say("Personal data or secrets were found in %d of %d rows, and they are still there.", s.pii.With, s.pii.Rows)
	case s.pii.Keys > 0:
		say("Names, addresses or numbers of persons are still there: %s of %d that came to the step pii say whom they are about, or their group, by such a key (person, group), which is left as it is. Keys that say nothing, such as customer numbers, would not.", plural(s.pii.Keys, "row", "rows"), s.pii.Rows)
	}
	s.warnOfTerms(say)
	for i := range s.d.Steps {
		for _, r := range s.d.Steps[i].Reasons {
			x := &s.d.Steps[i]
			if x.Name == StepDedupe && r.Reason == "semantic" && 10*r.Rows > x.Rows {
				say("Rows of one meaning are %s of the rows that came to dedupe, and they were removed by a model's word: look at the examples, and write a higher dedupe.cosine if they belong in.", share(r.Rows, x.Rows))
			}
			if x.Name == StepDedupe && r.Reason == "near" && 5*r.Rows > x.Rows {
				say("Near-copies are %s of the rows that came to dedupe, and they were removed. Rows that are made from templates look like that: see the examples, and write dedupe: {near: 0} if they belong in.", share(r.Rows, x.Rows))
			}
		}
	}
	s.warnOfItems(say)
	for _, p := range s.d.Splits {
		if p.Rows == 0 && s.rows > 0 {
			say("The split %s is empty.", p.Split)
		}
	}
}

// warnOfTerms holds what the sources say of their data to what was found.
func (s *Summary) warnOfTerms(say func(string, ...any)) {
	if s.pii.With == 0 {
		return
	}
	for i := range s.d.Sources {
		switch x := &s.d.Sources[i]; {
		case x.Consent == "not_personal":
			say("The source %s says that its data are not personal (consent: not_personal). Personal data or secrets were found in %s of the dataset.", x.Name, plural(s.pii.With, "row", "rows"))
		case x.Sensitivity == rung.Public:
			say("The source %s says that its data are public. Personal data or secrets were found in %s of the dataset; what is public can still be personal.", x.Name, plural(s.pii.With, "row", "rows"))
		}
	}
}

// questions are what is asked of each source, in the words of the list of what nobody has stated; fact is its name among the terms.
var questions = []struct {
	what, fact string
	said       func(*rung.Source) bool
}{
	{"how the data were obtained", "obtained", func(x *rung.Source) bool { return x.Obtained != "" || x.URL != "" }},
	{"under which licence", "licence", func(x *rung.Source) bool { return len(x.Licence) > 0 }},
	{"on what basis personal data may be used (consent)", "basis", func(x *rung.Source) bool { return x.Consent != "" }},
	{"until when the data may be kept (retention)", "keep until", func(x *rung.Source) bool { return x.Retention != "" }},
	{"what the data may be used for (uses)", "allowed uses", func(x *rung.Source) bool { return len(x.Uses) > 0 }},
	{"how sensitive the data are (sensitivity)", "sensitivity", func(x *rung.Source) bool { return x.Sensitivity != "" }},
	{"whom to ask (contact)", "contact", func(x *rung.Source) bool { return len(x.Contact) > 0 }},
}

// unstated lists what nobody has said of which source.
func (s *Summary) unstated() {
	for _, q := range questions {
		var names []string
		for i := range s.d.Sources {
			if !q.said(&s.d.Sources[i]) {
				names = append(names, s.d.Sources[i].Name)
			}
		}
		switch {
		case len(names) == 0:
		case len(names) == len(s.d.Sources) && len(names) > 1:
			s.Unstated = append(s.Unstated, fmt.Sprintf("%s: of all %d sources", q.what, len(names)))
		default:
			s.Unstated = append(s.Unstated, q.what+": of "+strings.Join(names, ", "))
		}
	}
}

// joined are the terms of all of it. What some sources say and others do not does not hold for all, and reads so.
func (s *Summary) joined() []report.DatasetFact {
	out := s.facts(&s.d.Terms)
	for i := range out {
		for _, q := range questions {
			n := 0
			for j := range s.d.Sources {
				if q.fact == out[i].Name && !q.said(&s.d.Sources[j]) {
					n++
				}
			}
			if n > 0 && !out[i].Unstated {
				out[i].Value += fmt.Sprintf(" (of %d of %d sources; else not stated)", len(s.d.Sources)-n, len(s.d.Sources))
				out[i].Unstated = true
			}
		}
	}
	return out
}

func (s *Summary) facts(t *rung.Terms) []report.DatasetFact {
	uses := make([]string, len(t.Uses))
	for i, u := range t.Uses {
		uses[i] = string(u)
	}
	var out []report.DatasetFact
	for _, f := range []struct{ name, value string }{
		{"licence", strings.Join(t.Licence, ", ")}, {"basis", strings.ReplaceAll(t.Consent, "_", " ")}, {"keep until", t.Retention},
		{"allowed uses", strings.Join(uses, ", ")}, {"sensitivity", strings.ReplaceAll(string(t.Sensitivity), "_", " ")}, {"contact", strings.Join(t.Contact, ", ")},
	} {
		out = append(out, report.DatasetFact{Name: f.name, Value: orNot(f.value), Unstated: f.value == ""})
	}
	return out
}

func (s *Summary) source(x *rung.Source) report.DatasetSource {
	out := report.DatasetSource{Name: x.Name}
	for _, f := range x.Files {
		out.Rows += f.Rows
		out.Files = append(out.Files, report.DatasetRawFile{File: f.File, Format: f.Format, Encoding: f.Encoding, Digest: f.Digest.Short(), Bytes: f.Bytes, Rows: f.Rows})
	}
	out.Facts = append(out.Facts, report.DatasetFact{Name: "obtained", Value: orNot(x.Obtained), Unstated: x.Obtained == ""})
	if x.URL != "" {
		out.Facts = append(out.Facts, report.DatasetFact{Name: "address", Value: x.URL})
	}
	out.Facts = append(out.Facts, s.facts(&x.Terms)...)
	out.Facts = append(out.Facts, report.DatasetFact{Name: "rows read", Value: fmt.Sprint(out.Rows)})
	if x.Generated {
		out.Facts = append(out.Facts, report.DatasetFact{Name: "written by", Value: "no person", Unstated: true})
	}
	return out
}

func (s *Summary) personal() report.DatasetPersonal {
	p := report.DatasetPersonal{Looked: strings.Join(s.pii.Looked, ", "), Skipped: s.pii.Do == "skip"}
	p.Limits = "What has a form is checked by it; names, places, organisations and addresses are told by a model, which misses some: docs/data-pii.md has precision and recall of each type."
	done := map[string]string{"redact": "replaced by its type", "pseudonyms": "replaced by stand-ins", "none": "left as it was"}[s.pii.Do]
	switch s.pii.Do {
	case "skip":
		p.Done = "Nobody has looked: the description says pii: skip."
	case "none":
		p.Done = fmt.Sprintf("Personal data or secrets were found in %d of %d rows (%s). They were left as they were.", s.pii.With, s.pii.Rows, share(s.pii.With, s.pii.Rows))
	case "redact":
		p.Done = fmt.Sprintf("Personal data or secrets were found in %d of %d rows (%s). In place of each stands its type, such as <EMAIL>.", s.pii.With, s.pii.Rows, share(s.pii.With, s.pii.Rows))
	case "pseudonyms":
		p.Done = fmt.Sprintf("Personal data or secrets were found in %d of %d rows (%s). In place of each stands a stand-in: the same for the same value, under a key that is not part of the dataset. Whoever has the key can test guesses, so this is pseudonymous data and not anonymous (GDPR recital 26).", s.pii.With, s.pii.Rows, share(s.pii.With, s.pii.Rows))
	}
	if s.vault() {
		p.Done += " The changed rows are kept as they were in a vault outside this folder, encrypted: who has it and its key can undo the replacing (rung data pii --restore), so these are pseudonymous data and not anonymous (GDPR Art. 4(5)), and a person's rows are to be erased there too (rung data forget --vault)."
	}
	for _, t := range s.pii.Types {
		row := report.DatasetType{Type: t.Type, Findings: t.Findings, Rows: t.Rows, Share: share(t.Rows, s.pii.Rows), Done: done}
		var where []string
		for _, f := range t.Fields[:min(4, len(t.Fields))] {
			where = append(where, fmt.Sprintf("%s %d", f.Field, f.Findings))
		}
		row.Where = strings.Join(where, ", ")
		p.Types = append(p.Types, row)
	}
	p.People = s.people()
	return p
}

// vault reports whether the rows were kept as they were.
func (s *Summary) vault() bool {
	for i := range s.d.Steps {
		var o struct {
			Vault bool `json:"vault"`
		}
		if s.d.Steps[i].Name == StepPII && json.Unmarshal(s.d.Steps[i].Options, &o) == nil && o.Vault {
			return true
		}
	}
	return false
}

func (s *Summary) people() []string {
	var out []string
	if s.pii.Names > 0 {
		out = append(out, fmt.Sprintf("%d different names of persons were found in the texts.", s.pii.Names))
	} else {
		out = append(out, "No name of a person was found in the texts.")
	}
	if s.imported.Persons > 0 {
		out = append(out, fmt.Sprintf("The rows are about %s: each names whom it is about by a key of its source, which erasing a person's rows needs (rung data forget).", plural(s.imported.Persons, "person", "different persons")))
	} else {
		out = append(out, "No row says by a key whom it is about (person:), so a person's rows can only be found by their text.")
	}
	if s.pii.Keys > 0 {
		out = append(out, fmt.Sprintf("In %s that key, or the group, is itself an address, a number or a name.", plural(s.pii.Keys, "row", "rows")))
	}
	if s.pii.Repeated > 0 && s.pii.Do != "none" {
		out = append(out, fmt.Sprintf("A value that was found in one place of a row stood in %s of the same row, and was replaced there too.", plural(s.pii.Repeated, "other place", "other places")))
	}
	return out
}

// ofRows is a number of rows with what it is of: a share alone says nothing of how many they are.
func ofRows(n, of int) string {
	if of == 0 {
		return plural(n, "row", "rows")
	}
	return fmt.Sprintf("%d of %s", n, plural(of, "row", "rows"))
}

func share(n, of int) string {
	if of == 0 {
		return "–"
	}
	f := 100 * float64(n) / float64(of)
	switch {
	case n > 0 && f < .1:
		return "under 0.1 %"
	case n < of && f > 99.9:
		return "over 99.9 %"
	}
	return fmt.Sprintf("%.1f %%", f)
}

// stepWords say what each step does.
var stepWords = map[string]string{
	StepImport: "raw files to rows", StepErase: "rows that were erased stay away", StepCheck: "rows that cannot be used go", StepPII: "personal data and secrets",
	StepDedupe: "copies go", StepAgainst: "rows that hold items of evaluation sets go", StepGenerated: "unreviewed rows that no person wrote go", StepSplit: "train, dev, held-out",
}

func (s *Summary) flow() []report.DatasetStepRow {
	var out []report.DatasetStepRow
	for i := range s.d.Steps {
		x := &s.d.Steps[i]
		row := report.DatasetStepRow{Name: x.Name, About: stepWords[x.Name], In: x.Rows, Kept: x.Kept, Changed: x.Changed, Out: x.Removed, Notes: x.Notes, From: x.In.Short(), To: x.Out.Short()}
		for _, r := range x.Reasons {
			row.Why = append(row.Why, fmt.Sprintf("%s %d", r.Reason, r.Rows))
		}
		var b bytes.Buffer
		if json.Indent(&b, x.Options, "", "  ") == nil {
			row.Options = b.String()
		}
		out = append(out, row)
	}
	return out
}

// reasonWords say in words why rows go.
var reasonWords = map[string]string{
	"unreadable": "Rows that could not be read", "long": "Rows that are too long", "breaks_form": "Outputs that do not fit the output form", "empty": "Rows without text",
	"missing": "Inputs that lack a field", "unfit": "Outputs that no longer fit their form without the personal data", "exact": "Exact copies", "normalised": "Copies apart from case, spaces and punctuation",
	"near": "Near-copies", "semantic": "Rows of one meaning", "13-gram": "Rows that share thirteen words in a row with an evaluation item", "8-gram": "Rows that share many runs of eight words with an evaluation item",
	"fuzzy": "Rows that hold an evaluation item with edits", "rephrased": "Rows that hold an evaluation item in other words", "unreviewed": "Generated rows that no person has reviewed",
	"copy_across": "Rows that repeat a row of another split", "beyond_counts": "More rows than were asked for",
}

func (s *Summary) removedRows() []report.DatasetRemoved {
	var out []report.DatasetRemoved
	for i := range s.d.Steps {
		x := &s.d.Steps[i]
		for _, r := range x.Reasons {
			if r.Changed {
				continue
			}
			one := report.DatasetRemoved{Step: x.Name, Reason: r.Reason, Words: reasonWords[r.Reason], Rows: ofRows(r.Rows, x.Rows), Share: share(r.Rows, x.Rows)}
			if x.Name == StepAgainst && r.Reason == "exact" {
				one.Words = "Rows that are an evaluation item"
			}
			if x.Name == StepErase {
				one.Words = "Rows that were erased"
			}
			if one.Words == "" {
				one.Words = r.Reason
			}
			for _, e := range s.samples {
				if e.Step == x.Name && e.Reason == r.Reason {
					one.Examples = append(one.Examples, example(&e))
				}
			}
			out = append(out, one)
		}
	}
	return out
}

func example(e *Sample) report.DatasetExample {
	out := report.DatasetExample{Place: rung.Place(e.File, e.Line, e.Item), Text: e.Text, Detail: e.Detail, OfText: e.OfText}
	if e.Of != "" {
		out.Of = "like " + e.Of
		if e.Step == StepAgainst {
			out.Of = "holds " + e.Of
		}
		if e.Score > 0 && e.Score < 1 {
			out.Of += fmt.Sprintf(", score %.2f", e.Score)
		}
	}
	return out
}

func (s *Summary) made() []report.DatasetFact {
	out := []report.DatasetFact{{Name: "in the dataset", Value: fmt.Sprintf("%d of %d rows", s.d.Generated(), s.rows), Unstated: s.d.Generated() > 0}}
	for _, p := range s.d.Splits {
		out = append(out, report.DatasetFact{Name: "in " + string(p.Split), Value: fmt.Sprint(p.Generated), Unstated: p.Generated > 0})
	}
	out = append(out, report.DatasetFact{Name: "removed since no person reviewed them", Value: fmt.Sprint(s.gen.Unreviewed)})
	for _, by := range sortedNames(s.gen.By) {
		out = append(out, report.DatasetFact{Name: "made by " + by, Value: fmt.Sprint(s.gen.By[by])})
	}
	said := map[string]string{}
	for _, r := range s.gen.Reviews {
		said[r.Review] = fmt.Sprintf("; of the batch's %d rows %s looked at %d and found %d defective, so at most %d are (confidence %g, exact hypergeometric bound)", r.Of, plural(r.People, "person", "people"), r.Looked, r.Defects, r.Bound, r.Confidence)
	}
	for _, batch := range sortedNames(s.gen.Batches) {
		out = append(out, report.DatasetFact{Name: "reviewed in " + batch, Value: plural(s.gen.Batches[batch], "row", "rows") + said[batch]})
	}
	return out
}

func sortedNames(m map[string]int) []string {
	names := make([]string, 0, len(m))
	for name := range m {
		names = append(names, name)
	}
	slices.Sort(names)
	return names
}

func (s *Summary) splitRows() []report.DatasetSplitRow {
	var out []report.DatasetSplitRow
	for _, p := range s.d.Splits {
		out = append(out, report.DatasetSplitRow{Name: string(p.Split), Digest: p.Digest.Short(), Rows: p.Rows, Clusters: s.split.Clusters[p.Split], Generated: p.Generated, Share: share(p.Rows, s.rows)})
	}
	return out
}

func (s *Summary) against() []report.DatasetFact {
	var out []report.DatasetFact
	for i := range s.d.Steps {
		var r AgainstReport
		if s.d.Steps[i].Name != StepAgainst || json.Unmarshal(s.d.Steps[i].Report, &r) != nil {
			continue
		}
		for _, set := range r.Sets {
			out = append(out, report.DatasetFact{Name: set.Name, Value: fmt.Sprintf("%d of %d items (%s)", set.Found, set.Items, share(set.Found, set.Items))})
		}
	}
	return out
}
