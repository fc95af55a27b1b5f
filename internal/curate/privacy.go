package curate

import (
	"bytes"
	"context"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"runtime"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/go-json-experiment/json/jsontext"
	"github.com/goccy/go-yaml"

	"github.com/rung-dev/rung"
	"github.com/rung-dev/rung/internal/formats"
	"github.com/rung-dev/rung/internal/pii"
	"github.com/rung-dev/rung/internal/rows"
	"github.com/rung-dev/rung/internal/task"
)

// privacy finds personal data, and says what stands in its place.
type privacy struct {
	spec     *task.PIISpec
	engine   *pii.Engine
	types    []pii.Type
	pointers []string
	replace  func(pii.In) string // nil: rows stay as they are
	key      rung.Digest         // of the key of stand-ins, salted; "" without one
	patterns rung.Digest
}

// newPrivacy makes what looks. Labels are not texts: where outputs are labels, they are left alone.
func newPrivacy(spec *task.PIISpec, output rung.Output, f *task.DescriptionFile) (*privacy, error) {
	p := &privacy{spec: spec, types: pii.Identifying, pointers: []string{"/input"}}
	if output.Kind != rung.Labels {
		p.pointers = append(p.pointers, "/output", "/alternatives")
	}
	if len(spec.Fields) > 0 {
		p.pointers = nil
		for _, name := range spec.Fields {
			p.pointers = append(p.pointers, pii.Pointer(name))
		}
	}
	if err := p.chooseTypes(f); err != nil {
		return nil, err
	}
	patterns, err := p.readPatterns()
	if err != nil {
		return nil, err
	}
	if p.engine, err = pii.New(pii.Options{Types: p.types, Patterns: patterns, Sure: spec.Sure}); err != nil {
		return nil, err
	}
	for _, own := range patterns {
		p.types = append(slices.Clip(p.types), own.Type)
	}
	return p, p.chooseReplacement()
}

func (p *privacy) chooseTypes(f *task.DescriptionFile) error {
	if len(p.spec.Types) == 0 {
		return nil
	}
	p.types = nil
	for i, t := range p.spec.Types {
		switch {
		case t == "ALL":
			p.types = append(p.types, pii.Types...)
		case slices.Contains(pii.Types, t):
			p.types = append(p.types, t)
		default:
			return f.UnknownFault(fmt.Sprintf("pii.types[%d]", i), t, append([]string{"all"}, pii.Types...))
		}
	}
	return nil
}

func (p *privacy) readPatterns() (out []pii.Pattern, err error) {
	if p.spec.Patterns == "" {
		return nil, nil
	}
	b, err := os.ReadFile(p.spec.Patterns)
	if err != nil {
		return nil, unreadable(p.spec.Patterns, err)
	}
	p.patterns = rung.DigestBytes(b)
	if err := yaml.UnmarshalWithOptions(b, &out, yaml.Strict()); err != nil {
		return nil, &rung.Error{Code: rung.CodeInput, Place: p.spec.Patterns, What: "the patterns are not a list of type, pattern, near and check: " + yaml.FormatError(err, false, false), Do: "see docs/data-pii.md", Err: err}
	}
	return out, nil
}

func (p *privacy) chooseReplacement() error {
	switch p.spec.Do {
	case task.PIIRedact:
		p.replace = pii.Placeholder
	case task.PIIPseudonyms:
		key, err := os.ReadFile(p.spec.KeyFile)
		if err != nil {
			return unreadable(p.spec.KeyFile, err)
		}
		stand, err := pii.NewPseudonyms(key)
		if err != nil {
			return err
		}
		// The record says whether two builds had one key, and nothing by which a key could be guessed: keys are random bytes.
		p.key = rung.DigestBytes(append([]byte("rung data build key 1\n"), key...))
		p.replace = stand.For
	}
	return nil
}

// piiOptions are what is recorded of the step.
type piiOptions struct {
	Do       string      `json:"do"`
	Types    []pii.Type  `json:"types,omitempty"`
	Fields   []string    `json:"fields,omitempty"` // pointers
	Sure     float64     `json:"sure,omitempty"`
	Key      rung.Digest `json:"key,omitempty"`
	Patterns rung.Digest `json:"patterns,omitempty"`
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
	Keys     int        `json:"person_keys,omitempty"`   // rows whose person key itself holds personal data
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
		o = piiOptions{p.spec.Do, p.types, p.pointers, p.spec.Sure, p.key, p.patterns}
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
	return nil
}

// look finds what a row holds, and changes it. It runs side by side with others.
func (s *piiStep) look(raw []byte) (seen, error) {
	one := seen{raw: raw}
	changed, found, err := s.p.engine.Row(raw, s.p.pointers, s.p.replace)
	if err != nil {
		return one, fmt.Errorf("a working row: %w", err)
	}
	if one.found = found; bytes.Contains(raw, []byte(`"person":`)) {
		_, keys, err := s.p.engine.Row(raw, []string{"/person"}, nil)
		one.keyed = err == nil && len(keys) > 0
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

// elsewhere replaces values that were found in one place of a row where they stand in another, such as a name of the question in the
// answer, where nothing says that it is one. Numbers of few digits and single letters are left alone.
func (p *privacy) elsewhere(raw []byte, found []pii.In) ([]byte, int, error) {
	values := map[string]string{}
	var order []string
	for _, f := range found {
		v := strings.TrimSpace(f.Value())
		if utf8.RuneCountInString(v) < 3 || values[v] != "" {
			continue
		}
		values[v] = p.replace(f)
		order = append(order, v)
	}
	slices.SortFunc(order, func(a, b string) int { return len(b) - len(a) })
	n := 0
	out, err := mapTexts(raw, p.pointers, func(text string) string {
		for _, v := range order {
			if strings.Contains(text, v) {
				var k int
				text, k = replaceWord(text, v, values[v])
				n += k
			}
		}
		return text
	})
	return out, n, err
}

// replaceWord replaces v where no letter or digit goes on before or after it.
func replaceWord(text, v, with string) (string, int) {
	var b strings.Builder
	n := 0
	for {
		i := strings.Index(text, v)
		if i < 0 {
			b.WriteString(text)
			return b.String(), n
		}
		before, _ := utf8.DecodeLastRuneInString(text[:i])
		after, _ := utf8.DecodeRuneInString(text[i+len(v):])
		b.WriteString(text[:i])
		if i > 0 && wordly(before) || i+len(v) < len(text) && wordly(after) {
			b.WriteString(v)
		} else {
			b.WriteString(with)
			n++
		}
		text = text[i+len(v):]
	}
}

func wordly(r rune) bool { return unicode.IsLetter(r) || unicode.IsDigit(r) }

// mapTexts changes the texts of a JSON value below some pointers.
func mapTexts(raw []byte, pointers []string, change func(string) string) ([]byte, error) {
	dec := jsontext.NewDecoder(bytes.NewReader(raw))
	var b []byte
	at := 0
	for {
		if dec.PeekKind() != '"' {
			if _, err := dec.ReadToken(); errors.Is(err, io.EOF) {
				break
			} else if err != nil {
				return nil, fmt.Errorf("a working row: %w", err)
			}
			continue
		}
		quoted, err := dec.ReadValue()
		if err != nil {
			return nil, fmt.Errorf("a working row: %w", err)
		}
		if kind, n := dec.StackIndex(dec.StackDepth()); kind == '{' && n%2 == 1 { // it is a name
			continue
		}
		end := int(dec.InputOffset())
		pointer := string(dec.StackPointer())
		if !slices.ContainsFunc(pointers, func(p string) bool { return pointer == p || strings.HasPrefix(pointer, p+"/") }) {
			continue
		}
		was, err := jsontext.AppendUnquote(nil, quoted)
		if err != nil {
			return nil, fmt.Errorf("a working row: %w", err)
		}
		now := change(string(was))
		if now == string(was) {
			continue
		}
		b = append(b, raw[at:end-len(quoted)]...)
		if b, err = jsontext.AppendQuote(b, now); err != nil {
			return nil, fmt.Errorf("a working row: %w", err)
		}
		at = end
	}
	if at == 0 {
		return raw, nil
	}
	return append(b, raw[at:]...), nil
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
	if r.Keys > 0 {
		s.out.note("the key that says whom a row is about holds personal data itself in %s; it stays, since erasing a person's rows needs it", plural(r.Keys, "row", "rows"))
	}
}

// blank is JSON with personal data and secrets of all types redacted, whatever the description says: for reports.
func (p *privacy) blank(raw json.RawMessage) json.RawMessage {
	if out, _, err := p.reports().Row(raw, nil, pii.Placeholder); err == nil {
		return out
	}
	return json.RawMessage(`"(not shown)"`)
}

// blankText is blank for a text.
func (p *privacy) blankText(text string) string {
	quoted, err := json.Marshal(text)
	if err != nil {
		return ""
	}
	var out string
	if json.Unmarshal(p.blank(quoted), &out) != nil {
		return ""
	}
	return out
}

// reports is the engine for what stands in reports.
func (p *privacy) reports() *pii.Engine { return p.engine }

// covered is a removed row as it may be kept: with what the description says about personal data, also when the row went before that step.
func (p *privacy) covered(r *rung.RemovedRow) error {
	if p.replace == nil || len(r.Row) == 0 {
		return nil
	}
	pointers := p.pointers
	if r.Row[0] == '"' { // it was no JSON
		pointers = nil
	}
	out, _, err := p.engine.Row(r.Row, pointers, p.replace)
	if err != nil {
		return fmt.Errorf("a removed row: %w", err)
	}
	r.Row = out
	quoted, err := json.Marshal(r.Detail)
	if err != nil {
		return fmt.Errorf("a removed row: %w", err)
	}
	if quoted, _, err = p.engine.Row(quoted, nil, p.replace); err != nil {
		return fmt.Errorf("a removed row: %w", err)
	}
	return json.Unmarshal(quoted, &r.Detail)
}

// repairs shows repairs without personal data.
func (p *privacy) repairs(in []formats.RepairExample) []formats.RepairExample {
	out := slices.Clone(in)
	for i := range out {
		out[i].Before, out[i].After = p.blankText(out[i].Before), p.blankText(out[i].After)
	}
	return out
}

func hexBytes(s string) []byte {
	b, err := hex.DecodeString(s)
	if err != nil {
		return []byte(s)
	}
	return b
}
