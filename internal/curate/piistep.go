package curate

import (
	"bytes"
	"context"
	"fmt"
	"runtime"
	"slices"
	"strings"

	"github.com/rung-dev/rung"
	"github.com/rung-dev/rung/internal/pii"
	"github.com/rung-dev/rung/internal/rows"
	"github.com/rung-dev/rung/internal/task"
)

// piiOptions are what is recorded of the step.
type piiOptions struct {
	Do       string      `json:"do"`
	Types    []pii.Type  `json:"types,omitempty"`
	Fields   []string    `json:"fields,omitempty"` // pointers
	Left     []string    `json:"left_alone,omitempty"`
	Sure     float64     `json:"sure,omitempty"`
	Key      rung.Digest `json:"key,omitempty"`
	Patterns rung.Digest `json:"patterns,omitempty"`
	Vault    bool        `json:"vault,omitempty"` // the changed rows are kept as they were, outside the dataset
}

// PIIReport is what was found of personal data: counts, never values.
type PIIReport struct {
	Do       string     `json:"do"`
	Looked   []pii.Type `json:"looked_for,omitempty"`
	Rows     int        `json:"rows"`
	With     int        `json:"rows_with_findings"`
	Findings int        `json:"findings"`
	Types    []PIICount `json:"types"`
	Names    int        `json:"different_names"`         // different texts that were found as names of persons
	Repeated int        `json:"repeated,omitempty"`      // places that hold, in the same row, a value that was found elsewhere in it
	Unfit    int        `json:"unfit_outputs,omitempty"` // rows that went since their output no longer fits its form
	Keys     int        `json:"person_keys,omitempty"`   // rows whose person or group holds an address, a number or a name
}

// PIICount is one type's count.
type PIICount struct {
	Type     pii.Type     `json:"type"`
	Findings int          `json:"findings"`
	Rows     int          `json:"rows"`
	Fields   []FieldCount `json:"fields"` // the most first
}

// FieldCount says in which field findings were.
type FieldCount struct {
	Field    string `json:"field"`
	Findings int    `json:"findings"`
}

func (b *build) piiStep() (stepDef, error) {
	p := b.privacy
	o := piiOptions{Do: p.spec.Do}
	if p.spec.Do != task.PIISkip {
		o = piiOptions{p.spec.Do, p.types, p.pointers, p.left, p.spec.Sure, p.key, p.patterns, p.spec.Vault != ""}
	}
	return stepDef{StepPII, o, func(ctx context.Context, in *table, out *sink) error {
		s := &piiStep{p: p, b: b, out: out, report: PIIReport{Do: p.spec.Do, Types: []PIICount{}}, types: map[pii.Type]*piiTally{}, names: map[[16]byte]struct{}{}}
		return s.run(ctx, in)
	}}, nil
}

// piiStep is the step under way.
type piiStep struct {
	p      *privacy
	b      *build
	out    *sink
	report PIIReport
	types  map[pii.Type]*piiTally
	names  map[[16]byte]struct{}
	sealed *sealing // nil: no vault was asked for
}

type piiTally struct {
	findings, rows, last int
	fields               map[string]int
}

// seen is a row that was looked at.
type seen struct {
	raw, was []byte // was: the row before, if it was changed
	found    []pii.In
	repeated int
	unfit    string
	keyed    bool
}

func (s *piiStep) run(ctx context.Context, in *table) error {
	if s.p.spec.Do == task.PIISkip {
		s.report.Rows = in.n
		s.out.report = s.report
		s.out.note("nobody has looked for personal data: the description says pii: skip")
		return in.each(ctx, func(_ int, row, origin []byte) error { return s.out.keep(row, origin) })
	}
	set, err := in.open(ctx)
	if err != nil {
		return err
	}
	origins, err := openLines(in.origins)
	if err != nil {
		return err
	}
	defer origins.close()
	if s.sealed, err = s.b.seal(); err != nil {
		return err
	}
	defer s.sealed.abandon()
	err = rows.Map(ctx, set, runtime.GOMAXPROCS(0), func(block *rows.Block) ([]seen, error) {
		var out []seen
		err := block.Each(func(r rows.Row) error {
			one, err := s.look(r.Raw)
			out = append(out, one)
			return err
		})
		return out, err
	}, func(block []seen) error {
		for i := range block {
			origin, err := origins.next()
			if err != nil {
				return err
			}
			if err := s.put(&block[i], origin); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		return err
	}
	s.finish()
	return s.sealed.finish()
}

// look finds what a row holds, and changes it. It runs side by side with others.
func (s *piiStep) look(raw []byte) (seen, error) {
	one := seen{raw: raw}
	changed, found, err := s.p.row(raw)
	if err != nil {
		return one, fmt.Errorf("a working row: %w", err)
	}
	if one.found = found; bytes.Contains(raw, []byte(`"person":`)) || bytes.Contains(raw, []byte(`"group":`)) {
		_, keys, err := s.p.engine.Row(raw, []string{"/person", "/group"}, nil)
		one.keyed = err == nil && slices.ContainsFunc(keys, func(f pii.In) bool { return f.Type == pii.Email || f.Type == pii.Phone || f.Type == pii.Person })
	}
	if s.p.replace == nil || len(found) == 0 {
		return one, nil
	}
	again, n, err := s.p.elsewhere(changed, found)
	if err != nil {
		return one, err
	}
	one.raw, one.was, one.repeated = again, raw, n
	if s.b.form != nil {
		row, err := rowOf(again)
		if err != nil {
			return one, err
		}
		if len(row.Output) > 0 {
			if err := s.b.form.Validate(row.Output, row.Input); err != nil {
				one.unfit = err.Error()
			}
		}
	}
	return one, nil
}

// put counts a row and passes it on.
func (s *piiStep) put(one *seen, origin []byte) error {
	s.count(one)
	if one.was == nil {
		return s.out.keep(one.raw, origin)
	}
	if one.unfit != "" {
		s.report.Unfit++
		r, err := removedAt(one.raw, origin, "unfit")
		if err != nil {
			return err
		}
		r.Detail = "without the personal data its output does not fit the output form: " + one.unfit
		return s.out.remove(r)
	}
	o, err := originOf(origin)
	if err != nil {
		return err
	}
	if err := s.sealed.put(o.ID, one.was); err != nil {
		return err
	}
	what := "redacted"
	if s.p.spec.Do == task.PIIPseudonyms {
		what = "stand-in for"
	}
	var reasons []string
	for _, f := range one.found {
		o.Changes = append(o.Changes, fmt.Sprintf("%s: %s %s in %s", StepPII, what, f.Type, f.Field))
		if !slices.Contains(reasons, f.Type) {
			reasons = append(reasons, f.Type)
		}
	}
	if one.repeated > 0 {
		o.Changes = append(o.Changes, fmt.Sprintf("%s: the same in %s of the row", StepPII, plural(one.repeated, "other place", "other places")))
	}
	return s.out.change(one.raw, o, reasons...)
}

func (s *piiStep) count(one *seen) {
	s.report.Rows++
	s.report.Repeated += one.repeated
	if one.keyed {
		s.report.Keys++
	}
	if len(one.found) > 0 {
		s.report.With++
	}
	for _, f := range one.found {
		s.report.Findings++
		t := s.types[f.Type]
		if t == nil {
			t = &piiTally{fields: map[string]int{}}
			s.types[f.Type] = t
		}
		t.findings++
		if t.last != s.report.Rows {
			t.rows, t.last = t.rows+1, s.report.Rows
		}
		if field := plainPointer(f.Field); len(t.fields) < 100 || t.fields[field] > 0 {
			t.fields[field]++
		}
		if f.Type == pii.Person {
			s.names[half(strings.ToLower(f.Value()))] = struct{}{}
		}
	}
}

// plainPointer is a pointer with the numbers of list items left out: input.messages.content.
func plainPointer(p string) string {
	parts := strings.Split(strings.TrimPrefix(p, "/"), "/")
	parts = slices.DeleteFunc(parts, func(s string) bool { return s != "" && strings.Trim(s, "0123456789") == "" })
	return strings.Join(parts, ".")
}

func (s *piiStep) finish() {
	r := &s.report
	r.Looked, r.Names = s.p.types, len(s.names)
	var rest []pii.Type
	for t := range s.types {
		if !slices.Contains(pii.Types, t) {
			rest = append(rest, t)
		}
	}
	slices.Sort(rest)
	for _, t := range append(slices.Clone(pii.Types), rest...) {
		tally := s.types[t]
		if tally == nil {
			continue
		}
		c := PIICount{Type: t, Findings: tally.findings, Rows: tally.rows}
		for field, n := range tally.fields {
			c.Fields = append(c.Fields, FieldCount{field, n})
		}
		slices.SortFunc(c.Fields, func(a, b FieldCount) int {
			if a.Findings != b.Findings {
				return b.Findings - a.Findings
			}
			return cmpText(a.Field, b.Field)
		})
		r.Types = append(r.Types, c)
	}
	s.out.report = *r
	if r.With > 0 && !s.p.spec.Stated {
		s.out.note("personal data or secrets were found in %s and left there: the description does not say what to do about them (pii: redact, pseudonyms or none)", plural(r.With, "row", "rows"))
	}
	if s.sealed != nil && r.With > 0 {
		s.out.note("the changed rows are kept as they were, encrypted, in a vault outside this folder: who has it and its key can undo the replacing, so these data are pseudonymous and not anonymous (GDPR Art. 4(5))")
	}
	if r.Keys > 0 {
		s.out.note("the keys of persons and groups hold addresses, numbers or names themselves in %s; they stay, since erasing a person's rows needs them", plural(r.Keys, "row", "rows"))
	}
}
