package datacheck

import (
	"fmt"
	"hash/maphash"
)

// constantStat finds fields and answers that are the same in nearly all rows, by counting candidates: a value that more than half of the
// rows have survives Boyer and Moore's majority vote, and its count is checked in the second pass over the fields that have one.
type constantStat struct {
	fields  map[string]*majority
	order   []string
	answers map[uint64]*majority // long answers that come again
	rows    int
	outputs int
}

// majority is the state of a majority vote, with a count of the present candidate since it became one. The count is exact when the value
// holds from the first row; else it is a lower bound, which is all that is needed to call a value constant.
type majority struct {
	value   uint64
	lead    int
	held    int // rows with the candidate since it became one
	rows    int
	others  int
	example ExampleRow
	other   ExampleRow
}

const (
	constantShare = .98
	constantRows  = 20
	boilerplate   = .05 // share of all outputs that one long answer may be
	longAnswer    = 40  // bytes from which an answer that comes again is boilerplate and no label
	maxAnswers    = 100_000
)

func (s *constantStat) init() {
	s.fields, s.answers = map[string]*majority{}, map[uint64]*majority{}
}

func (s *constantStat) add(r *row) {
	s.rows++
	for i := range r.fields {
		s.field(string(r.fields[i].Key), r.fields[i].Value, r)
	}
	if len(r.output) == 0 {
		return
	}
	s.outputs++
	if len(r.outText) < longAnswer {
		return
	}
	h := maphash.Bytes(idSeed, r.outText)
	m := s.answers[h]
	if m == nil {
		if len(s.answers) >= maxAnswers {
			return // what comes often came early
		}
		m = &majority{}
		s.answers[h] = m
	}
	if m.held++; m.held == 2 {
		m.example = exampleOf(r, string(r.outText), "")
	}
}

func (s *constantStat) field(name string, raw []byte, r *row) {
	m := s.fields[name]
	if m == nil {
		if len(s.order) == maxFields {
			return
		}
		m = &majority{}
		s.fields[name] = m
		s.order = append(s.order, name)
	}
	h := maphash.Bytes(idSeed, raw)
	m.rows++
	switch {
	case m.lead == 0:
		m.value, m.lead, m.held = h, 1, 1
		m.example = exampleOf(r, string(raw), "")
	case m.value == h:
		m.lead++
		m.held++
	default:
		m.lead--
		if m.others++; m.others == 1 {
			m.other = exampleOf(r, string(raw), "")
		}
	}
}

func (c *checker) reportConstants() {
	c.did("constant")
	s := &c.scan.constants
	if s.rows < constantRows {
		c.skip("constant", fmt.Sprintf("fewer than %d rows", constantRows))
		return
	}
	for _, name := range s.order {
		m := s.fields[name]
		if float64(m.held) < constantShare*float64(s.rows) || m.rows < s.rows/2 {
			continue
		}
		f := Finding{What: fmt.Sprintf("the input field %s is the same in nearly all rows", name), Do: "leave it out of the input, or put it into the instructions: it costs tokens on every call and says nothing", Method: "one value in at least 98 % of the rows", Examples: []ExampleRow{m.example}}
		if m.held < s.rows && m.others > 0 {
			f.Examples = append(f.Examples, m.other)
			f.What += "; the others may be faults"
		}
		c.find("constant", Note, m.held, s.rows, f)
	}
	c.reportBoilerplate()
	c.reportOneAnswer()
}

// reportOneAnswer tells of outputs that are nearly all one.
func (c *checker) reportOneAnswer() {
	l := &c.scan.labels
	if c.scan.kind() == "labels" && len(l.counts) > 1 {
		return // told as the balance of the labels
	}
	for _, label := range sortedKeys(l.counts) {
		if k := l.counts[label]; l.rows >= constantRows && float64(k.n) >= .5*float64(l.rows) {
			c.find("constant", Warn, k.n, l.rows, Finding{What: fmt.Sprintf("the output is %q in most rows", label), Do: "see whether an export filled it in; a model that is trained on it learns to say it", Method: "one output in at least half of the rows", Examples: []ExampleRow{k.first}})
		}
	}
}

// reportBoilerplate tells of long answers that come again and again.
func (c *checker) reportBoilerplate() {
	s := &c.scan.constants
	n, kinds := 0, 0
	var examples []ExampleRow
	best := 0
	for _, m := range s.answers {
		if m.held >= constantRows && float64(m.held) >= boilerplate*float64(s.outputs) {
			n += m.held
			kinds++
			e := m.example
			e.Why = fmt.Sprintf("%d rows answer so", m.held)
			if examples = append(examples, e); m.held > best {
				best = m.held
				examples[0], examples[len(examples)-1] = examples[len(examples)-1], examples[0]
			}
		}
	}
	what := "one answer comes again and again"
	if kinds > 1 {
		what = fmt.Sprintf("%d answers come again and again", kinds)
	}
	c.find("constant", Warn, n, s.outputs, Finding{What: what, Do: "see whether they are meant, such as a fixed refusal; a model that is trained on them says them too often", Method: "answers of at least 40 bytes that are each at least 5 % of all", Examples: examples})
}
