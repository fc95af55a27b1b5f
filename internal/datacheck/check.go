// Package datacheck looks at rows before anybody trains on them: what they hold, and what is wrong with them. It reads the rows once, in
// bounded memory whatever their number, and goes through a working copy of its own for what only shows when all rows are known. Each check
// says by which rule it counts; docs/data-check.md gives the precision and recall of its thresholds.
package datacheck

import (
	"cmp"
	"context"
	"errors"
	"os"
	"slices"

	"github.com/rung-dev/rung"
	"github.com/rung-dev/rung/internal/form"
)

// Source gives all rows in their order, each with where it came from; what cannot be read goes to broken. An error of either ends it.
type Source func(ctx context.Context, take func(*rung.DatasetRow, rung.Origin) error, broken func(rung.RemovedRow) error) error

// Options of a check. The zero value checks rows of no known task.
type Options struct {
	Task      *rung.Task // nil: no output form is checked, and what the rows can show is planned with the usual bar
	Form      *form.Form // of Task
	Near      float64    // similarity from which inputs are near-equal; 0: DefaultNear; below 0: none are looked for
	MaxTokens int        // estimated tokens that input and output together may have; 0: no limit
	Examples  int        // of each finding; 0: 3
	Rungs     int        // that will be judged, for the number of examples needed; 0: 1, or those of the task
	PassFail  bool       // the metric of the bar is right or wrong
	Tmp       string     // where the working copy goes; "": the system's place
}

// DefaultNear is the similarity of character 5-grams from which inputs are near-equal; docs/data-check.md has precision and recall.
const DefaultNear = .8

// Severity is how bad a finding is.
type Severity string

// The severities, worst first.
const (
	Bad  Severity = "error" // rows that will do harm, or cannot be used
	Warn Severity = "warn"  // probably wrong: look at the examples
	Note Severity = "note"  // good to know
)

func (s Severity) rank() int { return slices.Index([]Severity{Bad, Warn, Note}, s) }

// Finding is one thing that was found, with the rows that it holds for.
type Finding struct {
	Check    string       `json:"check"` // a name of Checks
	Severity Severity     `json:"severity"`
	What     string       `json:"what"`
	Do       string       `json:"do"`
	Count    int          `json:"count"` // rows
	Of       int          `json:"of"`    // rows that it could hold for
	Share    float64      `json:"share"`
	Method   string       `json:"method"` // by which rule they were counted
	Examples []ExampleRow `json:"examples,omitempty"`
}

// ExampleRow is a row for reading.
type ExampleRow struct {
	File  string      `json:"file"`
	Line  int         `json:"line"`
	Item  int         `json:"item,omitempty"` // as in rung.Origin
	ID    string      `json:"id,omitempty"`
	Text  string      `json:"text"` // what of the row shows it, shortened
	Why   string      `json:"why,omitempty"`
	Other *ExampleRow `json:"other,omitempty"` // the row that it is held against
}

// Report is what a check found. Everything is counted over all rows; what is estimated says so.
type Report struct {
	Rows      int              `json:"rows"`
	Broken    int              `json:"broken"` // rows that could not be read
	Fields    []FieldStat      `json:"fields"`
	Output    *OutputStat      `json:"output,omitempty"`
	Labels    []LabelStat      `json:"labels,omitempty"` // when the outputs are labels, the commonest first
	InputLen  Lengths          `json:"input_tokens_estimated"`
	OutputLen Lengths          `json:"output_tokens_estimated"`
	Languages []LanguageStat   `json:"languages"`
	Splits    map[string]int   `json:"splits,omitempty"`
	Copies    Copies           `json:"copies"`
	Power     *Power           `json:"power,omitempty"`
	Findings  []Finding        `json:"findings"` // worst first
	Counts    map[Severity]int `json:"counts"`   // of findings
	Ran       []Ran            `json:"checks"`   // every check, and why it was left out when it was
}

// Ran says of a check whether it was made.
type Ran struct {
	Check    string `json:"check"`
	Findings int    `json:"findings"`
	Skipped  string `json:"skipped,omitempty"` // why it was not made
}

// Worst is the severity of the worst finding; empty where there is none.
func (r *Report) Worst() Severity {
	if len(r.Findings) == 0 {
		return ""
	}
	return r.Findings[0].Severity
}

// Reaches reports whether some finding is at least as bad as s.
func (r *Report) Reaches(s Severity) bool {
	return len(r.Findings) > 0 && r.Findings[0].Severity.rank() <= s.rank()
}

// checker is a check under way.
type checker struct {
	o      Options
	report *Report
	work   *workFile
	scan   *scan
	ran    map[string]*Ran
}

// Check looks at rows. Its error is for what stops it; what is wrong with the rows is in the report.
func Check(ctx context.Context, source Source, o Options) (_ *Report, err error) {
	if o.Examples <= 0 {
		o.Examples = 3
	}
	if o.Near == 0 {
		o.Near = DefaultNear
	}
	dir, err := os.MkdirTemp(o.Tmp, "rung-check-*")
	if err != nil {
		return nil, unwritable(o.Tmp, err)
	}
	defer func() { err = errors.Join(err, os.RemoveAll(dir)) }()
	c := &checker{o: o, report: &Report{Counts: map[Severity]int{}, Fields: []FieldStat{}, Languages: []LanguageStat{}, Findings: []Finding{}}, ran: map[string]*Ran{}}
	if c.work, err = newWorkFile(dir); err != nil {
		return nil, err
	}
	defer c.work.close()
	c.scan = newScan(&c.o)
	if err := c.read(ctx, source); err != nil {
		return nil, err
	}
	if err := c.again(ctx); err != nil {
		return nil, err
	}
	if err := c.alike(ctx); err != nil {
		return nil, err
	}
	c.power()
	c.finish()
	return c.report, nil
}

// find adds a finding for rows that it was found in.
func (c *checker) find(check string, s Severity, count, of int, f Finding) {
	r := c.did(check)
	if count == 0 {
		return
	}
	r.Findings++
	f.Check, f.Severity, f.Count, f.Of = check, s, count, of
	if of > 0 {
		f.Share = float64(count) / float64(of)
	}
	f.Examples = f.Examples[:min(len(f.Examples), c.o.Examples)]
	c.report.Findings = append(c.report.Findings, f)
}

// did records that a check was made.
func (c *checker) did(check string) *Ran {
	r := c.ran[check]
	if r == nil {
		r = &Ran{Check: check}
		c.ran[check] = r
	}
	return r
}

// skip records why a check was not made.
func (c *checker) skip(check, why string) { c.did(check).Skipped = why }

// finish puts the findings in order: the worst first, then the order of the checks, then the most rows.
func (c *checker) finish() {
	order := map[string]int{}
	for i, k := range Checks {
		order[k.Name] = i
		if r := c.ran[k.Name]; r != nil {
			c.report.Ran = append(c.report.Ran, *r)
		} else {
			c.report.Ran = append(c.report.Ran, Ran{Check: k.Name, Skipped: "nothing in these rows that it could look at"})
		}
	}
	slices.SortStableFunc(c.report.Findings, func(a, b Finding) int {
		return cmp.Or(a.Severity.rank()-b.Severity.rank(), order[a.Check]-order[b.Check], b.Count-a.Count)
	})
	for i := range c.report.Findings {
		c.report.Counts[c.report.Findings[i].Severity]++
	}
}

// Known is a check by its name, with what it looks for in a few words.
type Known struct{ Name, Looks string }

// Checks are all checks, in the order in which findings of one severity are told.
var Checks = []Known{
	{"unreadable", "rows that are no JSON object"},
	{"duplicate_id", "ids that several rows have"},
	{"missing", "fields that some rows lack"},
	{"types", "fields of several types, and fields whose text is empty"},
	{"breaks_form", "outputs that the task's output form refuses"},
	{"odd_schema", "tool definitions that are no JSON Schema, such as type: dict"},
	{"empty", "inputs and outputs without a text, and stand-ins such as N/A"},
	{"leak", "held-out rows whose input is in train: exactly, in another writing, nearly"},
	{"leak_group", "groups that lie in several splits"},
	{"leak_time", "held-out rows older than rows of train"},
	{"gives_away", "single words or fields that nearly give the label"},
	{"contradiction", "inputs that are equal or near-equal and answered otherwise"},
	{"truncated", "outputs and inputs that end before their end"},
	{"length", "rows that are far longer than the others, or than a model takes"},
	{"language", "rows in another language than the rest, or answered in another"},
	{"label_names", "labels that are one but for case, space or punctuation"},
	{"label_balance", "labels with too few rows, or nearly all"},
	{"constant", "fields and answers that are the same in nearly all rows"},
	{"order", "rows that are sorted by their label"},
	{"copies", "rows that repeat another row of their split"},
	{"few", "too few held-out rows for the decision"},
}
