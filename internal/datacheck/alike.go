package datacheck

import (
	"bytes"
	"context"
	"fmt"
	"hash/maphash"
	"slices"

	"github.com/rung-dev/rung"
	"github.com/rung-dev/rung/internal/dedupe"
	"github.com/rung-dev/rung/internal/rows"
)

// Copies counts rows whose input repeats that of an earlier row.
type Copies struct {
	Exact       int  `json:"exact"` // also those that differ in case, white space and punctuation alone
	Near        int  `json:"near"`
	Approximate bool `json:"approximate,omitempty"` // so repetitive that not all pairs were looked at
}

// alike looks at inputs that are equal or near-equal: answered otherwise, in two splits, or just copies. The sets are those of
// internal/dedupe, whose pairs are confirmed on the texts; within a set, each row is held against those before it.
func (c *checker) alike(ctx context.Context) error {
	if c.o.Near < 0 {
		for _, name := range []string{"leak", "contradiction", "copies"} {
			c.skip(name, "near-equal rows were not asked for")
		}
		return nil
	}
	set, err := rows.Open(ctx, []string{c.work.path}, "")
	if err != nil {
		return err
	}
	defer func() { _ = set.Close() }()
	r, err := dedupe.Run(ctx, set, dedupe.Options{Fields: rows.Fields{"text"}, Near: c.o.Near})
	if err != nil {
		return err
	}
	a := &pairs{c: c, result: r, reader: set.Reader(), near: c.o.Near}
	defer a.reader.Close()
	c.report.Copies = Copies{Exact: r.Counts[dedupe.Exact] + r.Counts[dedupe.Normalised], Near: r.Counts[dedupe.Near], Approximate: r.Cut}
	for _, members := range r.Sets() {
		if ctx.Err() != nil {
			return ctx.Err()
		}
		if err := a.set(members); err != nil {
			return err
		}
	}
	a.report()
	return nil
}

// pairs goes through the pairs of rows that are alike.
type pairs struct {
	c      *checker
	result *dedupe.Result
	reader *rows.Reader
	near   float64
	texts  dedupe.Texts
	x      rows.Extractor
	inner  rows.Extractor

	contraExact, contraNear atMost
	leakSame, leakNear      atMost
	leakDev                 int
	copied                  atMost
	cut                     bool
	several                 atMost
}

// member is a row of a set.
type member struct {
	text    []byte
	folded  []byte
	output  string
	others  []byte // alternatives
	rest    uint64 // of what is not compared, such as tools and numbers
	split   rung.Split
	example ExampleRow
	contra  bool
	leaked  bool
	copy    bool
}

const (
	maxSet   = 2000 // rows of a set that are looked at
	lookBack = 200  // rows before it that a row of a large set is held against
)

func (p *pairs) set(docs []int32) error {
	if len(docs) > maxSet {
		docs, p.cut = docs[:maxSet], true
	}
	list := make([]member, len(docs))
	for i, doc := range docs {
		if err := p.load(&list[i], doc); err != nil {
			return err
		}
	}
	for i := range list {
		for j := i - 1; j >= max(0, i-lookBack); j-- {
			p.pair(&list[j], &list[i])
		}
		if list[i].copy {
			p.copied.add(list[i].example)
		}
	}
	return nil
}

func (p *pairs) load(m *member, doc int32) error {
	raw, err := p.reader.Read(p.result.Place(doc))
	if err != nil {
		return err
	}
	members, err := p.x.Members(raw)
	if err != nil {
		return fmt.Errorf("the working copy: %w", err)
	}
	m.text = []byte(str(rows.Get(members, "text")))
	m.folded = bytes.Clone(p.texts.Canonical(m.text))
	m.output = string(rows.Get(members, "output"))
	m.others = bytes.Clone(rows.Get(members, "alternatives"))
	m.rest = p.restOf(rows.Get(members, "input"))
	m.split = rung.Split(str(rows.Get(members, "split")))
	m.example = p.c.example(members, string(m.text))
	return nil
}

// restOf is a hash of the fields that are not compared and are no identifiers: with another number or other tools it is another question.
func (p *pairs) restOf(input []byte) uint64 {
	members, err := p.inner.Members(input)
	if err != nil {
		return 0
	}
	h := uint64(0)
	for i := range members {
		if !slices.Contains(p.c.scan.compared, string(members[i].Key)) && !slices.Contains(p.c.scan.identifiers, string(members[i].Key)) {
			h += maphash.Bytes(idSeed, members[i].Value) * maphash.Bytes(idSeed, members[i].Key)
		}
	}
	return h
}

// pair looks at an earlier and a later row of a set.
func (p *pairs) pair(a, b *member) {
	same := bytes.Equal(a.folded, b.folded)
	differ := p.differ(a, b)
	crossing := a.split != b.split && (a.split == rung.HeldoutIs || b.split == rung.HeldoutIs || a.split == rung.Dev || b.split == rung.Dev) && a.split != "" && b.split != ""
	if b.copy && (b.contra || !differ) && (b.leaked && a.leaked || !crossing) {
		return
	}
	similarity := 1.
	if !same {
		if similarity = p.texts.Similarity(a.text, b.text); similarity < p.near {
			return
		}
	}
	if a.split == b.split {
		b.copy = true
	}
	if differ && !b.contra {
		p.contradicts(a, b, same, similarity)
	}
	if crossing {
		p.leaks(a, b, same, similarity)
	}
}

// differ reports two answers that are both there and share nothing.
func (p *pairs) differ(a, b *member) bool {
	if a.output == "" || b.output == "" || a.output == b.output || a.rest != b.rest {
		return false
	}
	return !bytes.Contains(a.others, []byte(b.output)) && !bytes.Contains(b.others, []byte(a.output))
}

func (p *pairs) contradicts(a, b *member, same bool, similarity float64) {
	e := b.example
	e.Why = fmt.Sprintf("answers %s, the other %s; similarity %.2f", shorten(b.output), shorten(a.output), similarity)
	other := a.example
	e.Other = &other
	switch {
	case p.c.scan.kind() == "text":
		p.several.add(e) // free text can be said in several ways
	case same:
		p.contraExact.add(e)
	case sameNumbers(a.folded, b.folded):
		p.contraNear.add(e)
	default:
		return // other numbers, another question
	}
	b.contra = true
}

// sameNumbers reports whether two texts hold the same digits in the same order.
func sameNumbers(a, b []byte) bool {
	return slices.Equal(digits(a), digits(b))
}

func digits(s []byte) []byte {
	var out []byte
	for _, c := range s {
		if c >= '0' && c <= '9' {
			out = append(out, c)
		}
	}
	return out
}

// leaks counts the row of held-out (or dev) once.
func (p *pairs) leaks(a, b *member, same bool, similarity float64) {
	held, other := b, a
	if a.split == rung.HeldoutIs || a.split == rung.Dev && b.split != rung.HeldoutIs {
		held, other = a, b
	}
	if held.leaked || other.split != rung.Train && held.split == rung.HeldoutIs && other.split != rung.Dev {
		return
	}
	if held.split == rung.Dev && other.split != rung.Train {
		return
	}
	held.leaked = true
	if held.split == rung.Dev {
		p.leakDev++
		return
	}
	e := held.example
	e.Why = fmt.Sprintf("similarity %.2f to a row of %s", similarity, splitName(other.split))
	o := other.example
	e.Other = &o
	if same {
		p.leakSame.add(e)
	} else {
		p.leakNear.add(e)
	}
}

func (p *pairs) report() {
	c := p.c
	labelled := 0
	if f := c.scan.output.fields["output"]; f != nil {
		labelled = f.rows
	}
	how := fmt.Sprintf("similarity of character 5-grams of at least %g", p.near)
	if p.cut || c.report.Copies.Approximate {
		how += "; the rows are so repetitive that not all pairs were looked at"
	}
	if labelled == 0 {
		c.skip("contradiction", "no row has an output")
	} else {
		c.find("contradiction", Bad, p.contraExact.n, labelled, Finding{What: "the same input is answered otherwise elsewhere", Do: "settle which answer is right; where both are, put one under alternatives", Method: "inputs equal but for case, white space and punctuation; counted are the later rows", Examples: p.contraExact.kept})
		c.find("contradiction", Warn, p.contraNear.n, labelled, Finding{What: "a near-equal input is answered otherwise", Do: "look at them: one of the two is wrong, or a word makes the difference", Method: how + " and the same numbers; counted are the later rows", Examples: p.contraNear.kept})
		c.find("contradiction", Note, p.several.n, labelled, Finding{What: "the same or a near-equal input has another answer elsewhere", Do: "free text can be said in several ways; see that they do not contradict each other", Method: how, Examples: p.several.kept})
	}
	p.reportLeaks(how)
	severity := Note
	if float64(p.copied.n) >= .1*float64(c.scan.rows) {
		severity = Warn
	}
	c.find("copies", severity, p.copied.n, c.scan.rows, Finding{What: "rows repeat another row of their split", Do: "rung data dedupe removes them; a split keeps copies together and an interval counts them once", Method: how, Examples: p.copied.kept})
}

func (p *pairs) reportLeaks(how string) {
	c := p.c
	if !c.scan.splits.several() {
		return
	}
	held := c.scan.splits.counts[rung.HeldoutIs]
	do := "remove them from train (rung data decontaminate), or split again (rung data split); scores on them measure memory"
	c.find("leak", Bad, p.leakSame.n, held, Finding{What: "held-out rows have their input in train or dev", Do: do, Method: "equal but for case, white space and punctuation", Examples: p.leakSame.kept})
	c.find("leak", Warn, p.leakNear.n, held, Finding{What: "held-out rows have a near-copy of their input in train or dev", Do: do, Method: how, Examples: p.leakNear.kept})
	c.find("leak", Warn, p.leakDev, c.scan.splits.counts[rung.Dev], Finding{What: "dev rows have their input, exactly or nearly, in train", Do: "split again (rung data split): what is chosen on dev is then chosen by memory", Method: how})
}
