package datacheck

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"path/filepath"
	"strings"

	"github.com/rung-dev/rung"
	"github.com/rung-dev/rung/internal/data"
	"github.com/rung-dev/rung/internal/rows"
)

// row is a row with what is found out about it alone.
type row struct {
	id, file, group, segment, time, source, person string
	line, item                                     int
	split                                          rung.Split
	input, output, alternatives                    json.RawMessage
	fields                                         []rows.Member // of the input; they point into input
	compared                                       []byte        // the text by which inputs are held against each other
	inText, outText                                []byte
	inTokens, outTokens                            int
	inLang, outLang                                string
}

// chosenFrom is how many rows are looked at to choose the compared fields.
const chosenFrom = 1000

// scan gathers what the first pass finds.
type scan struct {
	o        *Options
	x        rows.Extractor
	held     []*row // the first rows, until the compared fields are chosen
	compared rows.Fields
	// identifiers are fields with another text in every row, without a space.
	identifiers []string
	chosen      bool

	broken    []ExampleRow
	nBroken   int
	rows      int
	schema    schemaStat
	output    schemaStat
	members   schemaStat // of outputs that are objects
	ids       idStat
	lengths   [2]lengthStat
	over      atMost
	languages languageStat
	empties   emptyStat
	labels    labelStat
	words     *vocabulary
	form      formStat
	splits    splitStat
	constants constantStat
}

func newScan(o *Options) *scan {
	s := &scan{o: o, words: newVocabulary()}
	s.schema.fields, s.output.fields, s.members.fields = map[string]*fieldStat{}, map[string]*fieldStat{}, map[string]*fieldStat{}
	s.ids.seen = map[uint64]struct{}{}
	s.splits.counts = map[rung.Split]int{}
	s.constants.init()
	s.labels.counts = map[string]*labelCount{}
	s.languages.init()
	return s
}

// read is the first pass: every row is looked at alone and written to the working copy.
func (c *checker) read(ctx context.Context, source Source) error {
	s := c.scan
	take := func(d *rung.DatasetRow, from rung.Origin) error {
		r := s.look(d, from)
		if s.chosen {
			return c.add(r)
		}
		if s.held = append(s.held, r); len(s.held) == chosenFrom {
			return c.release()
		}
		return nil
	}
	if err := source(ctx, take, s.breaks); err != nil {
		return err
	}
	if err := c.release(); err != nil {
		return err
	}
	if s.rows+s.nBroken == 0 {
		return &rung.Error{Code: rung.CodeInput, What: "there are no rows to check", Do: "name files that hold some"}
	}
	c.report.Rows, c.report.Broken = s.rows, s.nBroken
	c.reportFirst()
	return c.work.flush()
}

// breaks counts what could not be read.
func (s *scan) breaks(r rung.RemovedRow) error {
	if s.nBroken++; len(s.broken) < 20 {
		s.broken = append(s.broken, ExampleRow{File: r.File, Line: r.Line, Item: r.Item, Text: shorten(string(r.Row)), Why: strings.TrimSpace(r.Reason + " " + r.Detail)})
	}
	return nil
}

// look takes a row apart.
func (s *scan) look(d *rung.DatasetRow, from rung.Origin) *row {
	r := &row{id: d.ID, file: from.File, line: from.Line, item: from.Item, group: d.Group, segment: d.Segment, time: d.Time, source: d.Source, person: d.Person, split: d.Split,
		input: bytes.Clone(d.Input), output: bytes.Clone(d.Output)}
	if r.split == "" {
		r.split = splitOfFile(from.File)
	}
	if len(d.Alternatives) > 0 {
		r.alternatives, _ = json.Marshal(d.Alternatives) // raw messages that were read as JSON
	}
	members, err := s.x.Members(r.input)
	if err != nil { // a bare value
		if len(r.input) == 0 || !json.Valid(r.input) {
			r.input = json.RawMessage("null")
		}
		r.fields = []rows.Member{{Key: []byte("input"), Value: r.input}}
	} else {
		r.fields = append(r.fields, members...)
	}
	for i := range r.fields {
		r.inText = appendText(r.inText, r.fields[i].Value)
	}
	r.inText = bytes.TrimSpace(r.inText)
	r.outText = bytes.TrimSpace(appendText(nil, r.output))
	r.inTokens, r.outTokens = data.EstimateTokens(r.inText), data.EstimateTokens(r.outText)
	return r
}

// appendText appends the texts and numbers of a JSON value.
func appendText(dst, raw []byte) []byte {
	if len(raw) == 0 || string(raw) == "null" {
		return dst
	}
	dst, _ = rows.Fields{"v"}.Append(dst, []rows.Member{{Key: []byte("v"), Value: raw}})
	return append(dst, '\n')
}

// splitOfFile is the split that a file's name says, such as train.jsonl or data/test-00000.parquet.
func splitOfFile(path string) rung.Split {
	base := strings.ToLower(filepath.Base(path))
	for _, word := range strings.FieldsFunc(base, func(r rune) bool { return r < 'a' || r > 'z' }) {
		switch word {
		case "train", "training":
			return rung.Train
		case "dev", "val", "valid", "validation":
			return rung.Dev
		case "heldout", "test":
			return rung.HeldoutIs
		}
	}
	return ""
}

// release chooses the compared fields and adds the rows that waited for it.
func (c *checker) release() error {
	s := c.scan
	if s.chosen {
		return nil
	}
	s.choose()
	held := s.held
	s.held = nil
	for _, r := range held {
		if err := c.add(r); err != nil {
			return err
		}
	}
	return nil
}

// choose takes the fields whose texts are compared: texts that are no identifiers; where there are none, all but tool definitions.
func (s *scan) choose() {
	s.chosen = true
	type seen struct {
		texts, ids, n int
		distinct      map[string]bool
		tools         int
	}
	fields := map[string]*seen{}
	var order []string
	for _, r := range s.held {
		for _, m := range r.fields {
			f := fields[string(m.Key)]
			if f == nil {
				f = &seen{distinct: map[string]bool{}}
				fields[string(m.Key)] = f
				order = append(order, string(m.Key))
			}
			f.n++
			f.distinct[string(m.Value[:min(len(m.Value), 200)])] = true
			switch {
			case m.Value[0] == '"':
				f.texts++
				if looksLikeID(m.Value) {
					f.ids++
				}
			case isTools(m.Value):
				f.tools++
			}
		}
	}
	var texts, others rows.Fields
	rich := false // a text that says most of what is asked, and not one of a few words
	for _, name := range order {
		f := fields[name]
		switch {
		case f.texts*2 > f.n:
			if f.ids == f.n && f.n >= 10 && len(f.distinct)*100 >= f.n*95 {
				s.identifiers = append(s.identifiers, name)
				continue
			}
			texts = append(texts, name)
			rich = rich || len(f.distinct)*2 >= f.n || f.n < 10
		case f.tools*2 <= f.n && len(f.distinct) > 1:
			others = append(others, name)
		}
	}
	if s.compared = texts; !rich {
		s.compared = append(texts, others...)
	}
	if len(s.compared) == 0 {
		s.compared = order
	}
}

// looksLikeID reports a short JSON string without spaces that holds a digit.
func looksLikeID(raw []byte) bool {
	return len(raw) <= 66 && bytes.IndexByte(raw, ' ') < 0 && bytes.ContainsAny(raw, "0123456789")
}

// isTools reports a list of tool definitions.
func isTools(raw []byte) bool {
	return raw[0] == '[' && bytes.Contains(raw, []byte(`"parameters"`)) && bytes.Contains(raw, []byte(`"name"`))
}

// add counts a row and writes it to the working copy.
func (c *checker) add(r *row) error {
	s := c.scan
	s.rows++
	r.compared, _ = s.compared.Append(nil, r.fields)
	s.schema.add(r.fields, r)
	s.addOutput(r)
	s.ids.add(r)
	s.lengths[0].add(r.inTokens, r)
	s.lengths[1].add(r.outTokens, r)
	if s.o.MaxTokens > 0 && r.inTokens+r.outTokens > s.o.MaxTokens {
		s.over.add(exampleOf(r, string(r.inText), fmt.Sprintf("about %d tokens", r.inTokens+r.outTokens)))
	}
	s.languages.add(r)
	s.empties.add(s, r)
	s.labels.add(r)
	s.words.add(r.inText)
	s.words.add(r.outText)
	s.splits.add(r)
	s.constants.add(r)
	if s.o.Form != nil {
		s.form.add(s.o.Form, s.o.Task, r)
	}
	s.form.oddTypes(r)
	return c.work.put(r)
}

func exampleOf(r *row, text, why string) ExampleRow {
	return ExampleRow{File: r.file, Line: r.line, Item: r.item, ID: r.id, Text: shorten(text), Why: why}
}

// atMost counts rows and keeps the first of them.
type atMost struct {
	n    int
	kept []ExampleRow
}

const keptExamples = 20

func (a *atMost) add(e ExampleRow) {
	if a.n++; len(a.kept) < keptExamples {
		a.kept = append(a.kept, e)
	}
}
