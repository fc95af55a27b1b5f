package datacheck

import (
	"bytes"
	"cmp"
	"fmt"
	"hash/maphash"
	"maps"
	"slices"
	"strings"

	"github.com/rung-dev/rung"
	"github.com/rung-dev/rung/internal/rows"
)

// FieldStat says what a field of the inputs holds.
type FieldStat struct {
	Name  string         `json:"name"`
	Rows  int            `json:"rows"`  // that have it
	Types map[string]int `json:"types"` // JSON type → rows
	Empty int            `json:"empty"` // texts, lists and objects with nothing in them
}

// OutputStat says what the outputs hold.
type OutputStat struct {
	Rows  int            `json:"rows"` // that have one
	Types map[string]int `json:"types"`
	Kind  string         `json:"kind"` // labels, text or json, as it looks
}

const (
	maxFields = 500 // field names that are told apart
	mixedFew  = .5  // the commonest type must have at least so much for the others to be called odd
)

// schemaStat counts fields.
type schemaStat struct {
	fields map[string]*fieldStat
	order  []string
	other  int // fields beyond maxFields
	// sets are which fields come together, in the order in which they first do; nil where they are more than maxSets.
	sets map[string]int
	many bool
	key  []byte
	// alikes are the fields that are in the same rows as each.
	alikes map[string][]string
}

// maxSets is how many different sets of fields are told apart: rows of a few sources have a few.
const maxSets = 100

// together notes which fields a row has.
func (s *schemaStat) together(members []rows.Member) {
	if s.many {
		return
	}
	key := s.key[:0]
	for i := range members {
		key = append(append(key, members[i].Key...), 0)
	}
	s.key = key
	if _, known := s.sets[string(key)]; known {
		return
	}
	if len(s.sets) == maxSets {
		s.sets, s.many = nil, true
		return
	}
	if s.sets == nil {
		s.sets = map[string]int{}
	}
	s.sets[string(key)] = len(s.sets)
}

// alike says which fields are in exactly the same rows as a field, itself among them, in their order. Where rows have very many different
// sets of fields it is alone.
func (s *schemaStat) alike(name string) []string {
	if s.many {
		return []string{name}
	}
	if s.alikes == nil {
		s.alikes = map[string][]string{}
		in := map[string][]byte{}
		for _, n := range s.order {
			in[n] = bytes.Repeat([]byte("0"), len(s.sets))
		}
		for key, i := range s.sets {
			for _, n := range strings.Split(strings.TrimSuffix(key, "\x00"), "\x00") {
				if in[n] != nil {
					in[n][i] = '1'
				}
			}
		}
		same := map[string][]string{}
		for _, n := range s.order {
			same[string(in[n])] = append(same[string(in[n])], n)
		}
		for _, n := range s.order {
			s.alikes[n] = same[string(in[n])]
		}
	}
	return s.alikes[name]
}

type fieldStat struct {
	rows    int
	types   map[string]int
	empty   int
	example map[string]ExampleRow // type → its first row
	lacks   ExampleRow            // a row without it
	lacking bool
	blank   ExampleRow
}

func (s *schemaStat) add(members []rows.Member, r *row) {
	s.together(members)
	for i := range members {
		name := string(members[i].Key)
		f := s.fields[name]
		if f == nil {
			if len(s.order) == maxFields {
				s.other++
				continue
			}
			f = &fieldStat{types: map[string]int{}, example: map[string]ExampleRow{}}
			s.fields[name] = f
			s.order = append(s.order, name)
		}
		f.rows++
		typ := typeOf(members[i].Value)
		if f.types[typ]++; f.types[typ] == 1 {
			f.example[typ] = exampleOf(r, string(members[i].Value), "")
		}
		if blank(members[i].Value) {
			if f.empty++; f.empty == 1 {
				f.blank = exampleOf(r, string(members[i].Value), "")
			}
		}
	}
	if len(members) >= len(s.order) {
		return
	}
	for _, name := range s.order {
		if f := s.fields[name]; !f.lacking && rows.Get(members, name) == nil {
			f.lacking, f.lacks = true, exampleOf(r, string(r.input), "")
		}
	}
}

// typeOf names the type of a JSON value.
func typeOf(raw []byte) string {
	if len(raw) == 0 {
		return "missing"
	}
	switch raw[0] {
	case '"':
		return "string"
	case '{':
		return "object"
	case '[':
		return "array"
	case 't', 'f':
		return "boolean"
	case 'n':
		return "null"
	}
	return "number"
}

// blank reports a text, list or object with nothing in it.
func blank(raw []byte) bool {
	switch raw[0] {
	case '"':
		return len(raw) < 40 && strings.TrimSpace(str(raw)) == ""
	case '[', '{':
		return len(bytes.TrimSpace(raw[1:len(raw)-1])) == 0
	}
	return false
}

// reportFields tells of fields that are missing, mixed or empty.
func (c *checker) reportFields() {
	s := &c.scan.schema
	n := c.scan.rows
	for _, name := range s.order {
		f := s.fields[name]
		c.report.Fields = append(c.report.Fields, FieldStat{Name: name, Rows: f.rows, Types: f.types, Empty: f.empty})
		c.reportMissing(name, f, n)
		c.reportTypes("input field "+name, f.types, f.example, c.fieldSeverity(name))
		if f.empty > 0 && f.empty < f.rows && f.types["string"] > f.rows/2 {
			c.find("types", Warn, f.empty, f.rows, Finding{What: fmt.Sprintf("the input field %s is empty", name), Do: "fill it, or leave the rows out",
				Method: "a text without a sign, a list or an object without members", Examples: []ExampleRow{f.blank}})
		}
	}
	c.did("types")
	c.did("missing")
	if t := c.o.Task; t != nil {
		for _, want := range t.Input {
			if s.fields[want.Name] == nil {
				c.find("missing", Bad, n, n, Finding{What: fmt.Sprintf("no row has the input field %s of the task", want.Name), Do: "name the fields of the rows like those of the task, or correct the task", Method: "the fields of the task against those of the rows"})
			}
		}
	}
}

// fieldSeverity is worse for fields that the task needs.
func (c *checker) fieldSeverity(name string) Severity {
	if c.o.Task != nil && slices.ContainsFunc(c.o.Task.Input, func(f rung.Field) bool { return f.Name == name }) {
		return Bad
	}
	return Warn
}

// mapDo is what to do where sources name their fields otherwise.
const mapDo = "where sources name the same thing otherwise, name them alike: mapping: {input: {NAME: KEY}} in a dataset.yaml, --map input.NAME=KEY here; else "

// reportMissing tells of a field that some rows lack; of fields that the same rows lack once.
func (c *checker) reportMissing(name string, f *fieldStat, n int) {
	missing := n - f.rows
	if missing <= 0 {
		return
	}
	names := slices.DeleteFunc(slices.Clone(c.scan.schema.alike(name)), func(other string) bool { return c.fieldSeverity(other) != c.fieldSeverity(name) })
	if names[0] != name {
		return // told with the first
	}
	fields := "field " + name
	if len(names) > 1 {
		fields = "fields " + strings.Join(names[:min(len(names), 12)], ", ")
		if more := len(names) - 12; more > 0 {
			fields += fmt.Sprintf(" and %d more", more)
		}
	}
	if f.rows*2 < n && c.fieldSeverity(name) == Warn { // a field that few rows have is odd where it is
		c.find("missing", Note, f.rows, n, Finding{What: "only these rows have the input " + fields, Do: mapDo + "see whether it belongs to all", Method: "every row is looked at",
			Examples: exampleList(f.example)})
		return
	}
	e := []ExampleRow{}
	if f.lacking {
		e = append(e, f.lacks)
	}
	c.find("missing", c.fieldSeverity(name), missing, n, Finding{What: "the input " + fields + map[bool]string{true: " is missing", false: " are missing"}[len(names) == 1], Do: mapDo + "add it, or leave the rows out", Method: "every row is looked at", Examples: e})
}

// reportTypes tells of values whose type is not that of most.
func (c *checker) reportTypes(what string, types map[string]int, example map[string]ExampleRow, severity Severity) {
	if types["null"] > 0 { // nothing is no other type
		types = maps.Clone(types)
		delete(types, "null")
	}
	if len(types) < 2 {
		return
	}
	most, total := "", 0
	for _, t := range sortedKeys(types) {
		total += types[t]
		if most == "" || types[t] > types[most] {
			most = t
		}
	}
	odd := total - types[most]
	var names []string
	var examples []ExampleRow
	for _, t := range sortedKeys(types) {
		names = append(names, fmt.Sprintf("%s %d", t, types[t]))
		if t != most {
			examples = append(examples, example[t])
		}
	}
	if float64(types[most]) < mixedFew*float64(total) {
		severity = Note // nothing is usual here
	}
	c.find("types", severity, odd, total, Finding{What: fmt.Sprintf("the %s has several types (%s)", what, strings.Join(names, ", ")), Do: "write one type in all rows", Method: "rows whose type is not the commonest", Examples: examples})
}

func exampleList(m map[string]ExampleRow) []ExampleRow {
	var out []ExampleRow
	for _, k := range sortedKeys(m) {
		out = append(out, m[k])
	}
	return out
}

func sortedKeys[V any](m map[string]V) []string {
	keys := make([]string, 0, len(m))
	for k := range m {
		keys = append(keys, k)
	}
	slices.Sort(keys)
	return keys
}

// addOutput counts the types of outputs, and of the members of those that are objects.
func (s *scan) addOutput(r *row) {
	if len(r.output) == 0 {
		return
	}
	s.output.add([]rows.Member{{Key: []byte("output"), Value: r.output}}, r)
	if r.output[0] == '{' {
		if members, err := s.x.Members(r.output); err == nil {
			s.members.add(members, r)
		}
	}
}

// idStat finds ids that come again, by 64 bits of a hash: among a million ids a false alarm has a chance of 3 in 10⁸.
type idStat struct {
	seen   map[uint64]struct{}
	none   int
	rows   int
	again  atMost
	capped bool
}

var idSeed = maphash.MakeSeed()

const maxIDs = 20_000_000

func (s *idStat) add(r *row) {
	if r.id == "" {
		s.none++
		return
	}
	s.rows++
	h := maphash.String(idSeed, r.id)
	if _, known := s.seen[h]; known {
		s.again.add(exampleOf(r, string(r.inText), "id "+r.id))
		return
	}
	if len(s.seen) < maxIDs {
		s.seen[h] = struct{}{}
	} else {
		s.capped = true
	}
}

// reportFirst tells what the first pass has found.
func (c *checker) reportFirst() {
	s := c.scan
	c.find("unreadable", Bad, s.nBroken, s.rows+s.nBroken, Finding{What: "rows cannot be read", Do: "correct or remove them; rung data convert writes the others", Method: "every row is parsed", Examples: s.broken})
	c.find("duplicate_id", Bad, s.ids.again.n, s.ids.rows, Finding{What: "ids are used by an earlier row too", Do: "give every row its own id, or leave ids out", Method: "ids compared by a 64-bit hash", Examples: s.ids.again.kept})
	if s.ids.rows == 0 {
		c.skip("duplicate_id", "no row has an id")
	}
	c.reportFields()
	c.reportOutput()
	c.reportForm()
	c.reportEmpty()
	c.reportLengths()
	c.reportLanguages()
	c.reportLabels()
	c.reportConstants()
	c.reportSplits()
}

// reportOutput tells what the outputs are.
func (c *checker) reportOutput() {
	s := &c.scan.output
	f := s.fields["output"]
	if f == nil {
		return
	}
	c.report.Output = &OutputStat{Rows: f.rows, Types: f.types, Kind: c.scan.kind()}
	c.reportTypes("output", f.types, f.example, Bad)
	objects := f.types["object"]
	for _, name := range c.scan.members.order {
		m := c.scan.members.fields[name]
		c.reportTypes("member "+name+" of the output", m.types, m.example, Warn)
		if missing := objects - m.rows; missing > 0 && float64(missing) < .05*float64(objects) {
			e := []ExampleRow{}
			if m.lacking {
				e = append(e, m.lacks)
			}
			c.find("missing", Note, missing, objects, Finding{What: fmt.Sprintf("the member %s of the output is missing", name), Do: "see whether it may be", Method: "members that at least 95 % of the outputs have", Examples: e})
		}
	}
}

// kind is what the outputs look like: the task's word for it, else labels where few different short texts come again and again.
func (s *scan) kind() string {
	f := s.output.fields["output"]
	switch {
	case s.o.Task != nil && s.o.Task.Output.Kind != "":
		if k := s.o.Task.Output.Kind; k == rung.Labels || k == rung.Text {
			return string(k)
		}
		return "json"
	case f == nil:
		return ""
	case f.types["object"]+f.types["array"] > f.rows/2:
		return "json"
	case s.labels.are():
		return "labels"
	}
	return "text"
}

func byRows(a, b LabelStat) int { return cmp.Or(b.Rows-a.Rows, cmp.Compare(a.Label, b.Label)) }
