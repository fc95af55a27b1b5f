package curate

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"path/filepath"
	"regexp"
	"slices"
	"strings"

	"github.com/rung-dev/rung"
	"github.com/rung-dev/rung/internal/formats"
	"github.com/rung-dev/rung/internal/pii"
)

// Draft is a first description of a dataset, with what was found in its files.
type Draft struct {
	Name  string      `json:"name"`
	Text  string      `json:"text"` // of the file
	Found []DraftFile `json:"found"`
	Notes []string    `json:"notes"`
}

// DraftFile is what was found in one file.
type DraftFile struct {
	File     string         `json:"file"`
	Format   string         `json:"format"`
	Encoding string         `json:"encoding,omitempty"`
	Rows     int            `json:"rows"`
	More     bool           `json:"more,omitempty"` // there are more rows than were looked at
	Broken   int            `json:"broken,omitempty"`
	Labelled int            `json:"labelled"`
	Fields   []string       `json:"fields"`
	Labels   []string       `json:"labels,omitempty"` // when the outputs are few different texts
	Chosen   []string       `json:"chosen,omitempty"`
	LeftOut  []string       `json:"left_out,omitempty"`
	Passed   []string       `json:"passed_over,omitempty"` // files of a folder that were not read
	Mapping  string         `json:"mapping,omitempty"`     // a proposal, where the files have different fields
	Personal map[string]int `json:"personal"`              // type → rows, of those that were looked at for it

	self    string         // the format, where it is one that knows itself what is asked
	lengths map[string]int // field → letters in the rows that were looked at
}

const (
	draftRows   = 50_000 // of a file that are read
	draftScan   = 2_000  // of these, that personal data is looked for in
	draftLabels = 30
)

var errEnough = errors.New("enough rows")

// DraftOptions say what the draft names.
type DraftOptions struct {
	Name string
	Task string // path of the task file, as the description has it
	Dir  string // where the description will lie; paths are relative to it
}

// NewDraft looks at files and describes them.
func NewDraft(ctx context.Context, files []string, o DraftOptions) (*Draft, error) {
	engine, err := pii.New(pii.Options{Types: pii.Identifying})
	if err != nil {
		return nil, err
	}
	d := &Draft{Name: o.Name, Notes: []string{}}
	for _, path := range files {
		if rung.WrittenBeside(filepath.Base(path)) && len(files) > 1 {
			d.Notes = append(d.Notes, path+": left out, since rung writes such files beside rows; name it alone if it is meant")
			continue
		}
		f, err := draftFile(ctx, engine, path)
		if err != nil {
			return nil, err
		}
		abs, err := filepath.Abs(path)
		if err == nil {
			if rel, err := filepath.Rel(o.Dir, abs); err == nil {
				f.File = filepath.ToSlash(rel)
			}
		}
		d.Found = append(d.Found, *f)
	}
	if len(d.Found) == 0 {
		return nil, &rung.Error{Code: rung.CodeInput, Place: files[0], What: "all of the files are what rung writes beside rows", Do: "name the files with the rows"}
	}
	d.alike()
	d.notes()
	d.Text = d.yaml(&o)
	return d, nil
}

func draftFile(ctx context.Context, engine *pii.Engine, path string) (*DraftFile, error) {
	out := &DraftFile{File: path, Personal: map[string]int{}, lengths: map[string]int{}}
	labels := map[string]bool{}
	take := func(row *rung.DatasetRow, _ rung.Origin) error {
		out.Rows++
		if len(row.Output) > 0 {
			out.Labelled++
			if len(labels) <= draftLabels {
				labels[string(row.Output)] = true
			}
		}
		if out.Rows <= draftScan {
			out.measure(row.Input)
			if err := out.personal(engine, row); err != nil {
				return err
			}
		}
		if out.Rows == draftRows {
			out.More = true
			return errEnough
		}
		return nil
	}
	report, err := formats.Read(ctx, []string{path}, formats.Options{Source: "x"}, take, func(rung.RemovedRow) error { out.Broken++; return nil })
	if err != nil && !errors.Is(err, errEnough) {
		return nil, err
	}
	if report != nil && len(report.Files) > 0 {
		f := &report.Files[0]
		out.Format, out.Fields, out.Chosen = string(f.Format), report.Fields, f.Chosen
		for _, p := range report.Passed {
			out.Passed = append(out.Passed, strings.TrimPrefix(filepath.ToSlash(p), filepath.ToSlash(filepath.Clean(path))+"/"))
		}
		if len(report.Files) == 1 && knowsItself(f.Format) {
			out.self = string(f.Format)
		}
		if f.Container != "" && f.Container != out.Format {
			out.Format = f.Container + ", " + out.Format
		}
		if f.Encoding != "utf-8" {
			out.Encoding = f.Encoding
		}
		for _, l := range f.LeftOut {
			out.LeftOut = append(out.LeftOut, l.What)
		}
	}
	if len(labels) <= draftLabels && out.Labelled >= 2*len(labels) {
		out.Labels = textLabels(labels)
	}
	return out, nil
}

// textLabels are outputs that are texts, sorted; nil when some are not.
func textLabels(outputs map[string]bool) []string {
	var out []string
	for raw := range outputs {
		var text string
		if json.Unmarshal([]byte(raw), &text) != nil {
			return nil
		}
		out = append(out, text)
	}
	slices.Sort(out)
	return out
}

func (f *DraftFile) personal(engine *pii.Engine, row *rung.DatasetRow) error {
	_, found, err := engine.Row(row.Input, nil, nil)
	if err != nil {
		return fmt.Errorf("a row: %w", err)
	}
	seen := map[string]bool{}
	for _, x := range found {
		if !seen[x.Type] {
			seen[x.Type] = true
			f.Personal[x.Type]++
		}
	}
	return nil
}

func (d *Draft) notes() {
	for i := range d.Found {
		f := &d.Found[i]
		if f.Broken > 0 {
			d.Notes = append(d.Notes, fmt.Sprintf("%s: %s and will stand in removed.jsonl", f.File, plural(f.Broken, "row cannot be read", "rows cannot be read")))
		}
		if n := f.Rows - f.Labelled; n > 0 {
			d.Notes = append(d.Notes, fmt.Sprintf("%s: %s no output; say with mapping: {output: COLUMN} where it is, or have the rows labelled", f.File, plural(n, "row has", "rows have")))
		}
		if len(f.Passed) > 0 {
			d.Notes = append(d.Notes, fmt.Sprintf("%s: not read: %s; name those that hold rows themselves", f.File, strings.Join(f.Passed, ", ")))
		}
		if len(f.LeftOut) > 0 {
			d.Notes = append(d.Notes, fmt.Sprintf("%s: no role was found for %s; mapping names roles", f.File, strings.Join(f.LeftOut, ", ")))
		}
	}
	d.Notes = append(d.Notes, "the lines that begin with # are yours to fill in: what nobody states stands in the report as not stated")
}

var notName = regexp.MustCompile(`[^A-Za-z0-9._-]+`)

// sourceName makes a name of a file's.
func sourceName(file string, taken map[string]bool) string {
	base := strings.TrimSuffix(filepath.Base(file), filepath.Ext(file))
	name := strings.Trim(notName.ReplaceAllString(base, "-"), "-._")
	if name == "" {
		name = "source"
	}
	for n, first := 2, name; taken[name]; n++ {
		name = fmt.Sprintf("%s-%d", first, n)
	}
	taken[name] = true
	return name
}

// DatasetName makes a name for a dataset of a directory's.
func DatasetName(dir string) string { return sourceName(dir, map[string]bool{}) }

// WriteDraft writes the description, whole or not at all.
func WriteDraft(path string, d *Draft) error { return writeWhole(path, []byte(d.Text)) }

// About is what was found in a file, on one line.
func (f *DraftFile) About() string {
	parts := []string{f.Format}
	if f.Encoding != "" {
		parts = append(parts, f.Encoding)
	}
	rows := plural(f.Rows, "row", "rows")
	if f.More {
		rows = "more than " + rows
	}
	parts = append(parts, rows)
	if f.Broken > 0 {
		parts = append(parts, fmt.Sprintf("%d broken", f.Broken))
	}
	if len(f.Fields) > 0 {
		parts = append(parts, "input "+strings.Join(f.Fields, ", "))
	}
	return strings.Join(slices.DeleteFunc(parts, func(s string) bool { return s == "" }), "; ")
}

const draftTerms = `    # obtained: how the data came here, in a sentence
    # licence: CC-BY-4.0                  # an SPDX expression; LicenseRef-NAME is one of your own
    # consent: contract                   # consent, contract, legal_obligation, vital_interests, public_task, legitimate_interests, not_personal
    # retention: 2030-12-31               # the last day on which the data may be there
    # uses: [train, prompt, evaluate]     # what is allowed; also publish
    # sensitivity: internal               # public, internal, confidential, personal, special_category
    # contact: data@example.com
`

func (d *Draft) yaml(o *DraftOptions) string {
	var b strings.Builder
	b.WriteString("# A dataset: rung data build makes it of these files. docs/datasets.md has every key.\n")
	fmt.Fprintf(&b, "name: %s\n", yamlText(d.Name))
	if o.Task != "" {
		fmt.Fprintf(&b, "task: %s\n", yamlText(o.Task))
	}
	b.WriteString("sources:\n")
	taken := map[string]bool{}
	for i := range d.Found {
		f := &d.Found[i]
		fmt.Fprintf(&b, "  - name: %s\n    files: %s  # %s\n", yamlText(sourceName(f.File, taken)), yamlText(f.File), strings.ReplaceAll(f.About(), "\n", " "))
		if f.self != "" {
			fmt.Fprintf(&b, "    format: %s\n", f.self)
		}
		if f.Mapping != "" {
			fmt.Fprintf(&b, "    # mapping: %s  # a proposal: the sources have different fields; the others would be left out\n", f.Mapping)
		}
		b.WriteString(draftTerms)
	}
	if o.Task == "" {
		d.form(&b)
	}
	b.WriteString(d.piiLine())
	return b.String()
}

// form writes the output form when all files have few different texts as outputs.
func (d *Draft) form(b *strings.Builder) {
	var all []string
	for i := range d.Found {
		f := &d.Found[i]
		if f.Labelled > 0 && f.Labels == nil {
			return
		}
		all = append(all, f.Labels...)
	}
	slices.Sort(all)
	all = slices.Compact(all)
	if len(all) < 2 || len(all) > draftLabels {
		return
	}
	for i := range all {
		if all[i] == "" {
			return
		}
		all[i] = yamlText(all[i])
	}
	fmt.Fprintf(b, "output: {labels: [%s]}  # what was found; check it\n", strings.Join(all, ", "))
}

func (d *Draft) piiLine() string {
	total := map[string]int{}
	looked := 0
	for i := range d.Found {
		looked += min(d.Found[i].Rows, draftScan)
		for t, n := range d.Found[i].Personal {
			total[t] += n
		}
	}
	if len(total) == 0 {
		return fmt.Sprintf("pii: redact  # nothing was found in %s; redact, pseudonyms (with a key) or none\n", plural(looked, "row", "rows"))
	}
	var parts []string
	for _, t := range sortedNames(total) {
		parts = append(parts, fmt.Sprintf("%s in %d", t, total[t]))
	}
	return fmt.Sprintf("pii: redact  # found in %s: %s; redact, pseudonyms (with a key) or none\n", plural(looked, "row", "rows"), strings.Join(parts, ", "))
}
