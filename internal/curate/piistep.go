package curate

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/rung-dev/rung"
	"github.com/rung-dev/rung/internal/pii"
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
	err = s.b.lookAt(ctx, set, func(block []Looked) error {
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

// put counts a row and passes it on.
func (s *piiStep) put(one *Looked, origin []byte) error {
	s.count(one)
	if one.Was == nil {
		return s.out.keep(one.Raw, origin)
	}
	if one.Unfit != "" {
		s.report.Unfit++
		r, err := removedAt(one.Raw, origin, "unfit")
		if err != nil {
			return err
		}
		r.Detail = "without the personal data its output does not fit the output form: " + one.Unfit
		return s.out.remove(r)
	}
	o, err := originOf(origin)
	if err != nil {
		return err
	}
	if err := s.sealed.put(o.ID, one.Was); err != nil {
		return err
	}
	what := "redacted"
	if s.p.spec.Do == task.PIIPseudonyms {
		what = "stand-in for"
	}
	var reasons []string
	for _, f := range one.Found {
		o.Changes = append(o.Changes, fmt.Sprintf("%s: %s %s in %s", StepPII, what, f.Type, f.Field))
		if !slices.Contains(reasons, f.Type) {
			reasons = append(reasons, f.Type)
		}
	}
	if one.Repeated > 0 {
		o.Changes = append(o.Changes, fmt.Sprintf("%s: the same in %s of the row", StepPII, plural(one.Repeated, "other place", "other places")))
	}
	return s.out.change(one.Raw, o, reasons...)
}

func (s *piiStep) count(one *Looked) {
	s.report.Rows++
	s.report.Repeated += one.Repeated
	if one.Keyed {
		s.report.Keys++
	}
	if len(one.Found) > 0 {
		s.report.With++
	}
	for _, f := range one.Found {
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
