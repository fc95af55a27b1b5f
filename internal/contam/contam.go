// Package contam finds training rows that hold items of an evaluation set: as they are, in part, edited, or rephrased.
//
// An item is found in a row by the first of these that holds:
//   - exact: the texts are equal apart from case, white space and sentence punctuation;
//   - 13-gram: thirteen words in a row are shared;
//   - 8-gram: at least a fifth of the item's word 8-grams are shared (one alone is mostly a phrase that everybody uses);
//   - fuzzy: the Jaccard similarity over character 5-grams is at least that of near-duplicates;
//   - rephrased: what survives rephrasing is shared (rephrase.go): rare words by their stems, numbers however they are written, and the
//     order of the numbers, weighted by rarity among the items, and clearly more with this item than with any other;
//   - semantic: the cosine of the embeddings, where an embedder is given.
package contam

import (
	"context"
	"fmt"
	"runtime"
	"slices"

	"github.com/rung-dev/rung"
	"github.com/rung-dev/rung/internal/dedupe"
	"github.com/rung-dev/rung/internal/rows"
)

// Reason says how an item was found in a row.
type Reason string

// The reasons, the strongest first.
const (
	Exact      Reason = "exact"
	Gram13     Reason = "13-gram"
	Gram8      Reason = "8-gram"
	Fuzzy      Reason = "fuzzy"
	Rephrased  Reason = "rephrased"
	Semantic   Reason = "semantic"
	Unreadable Reason = "unreadable"
)

// Reasons is all of them, in that order.
var Reasons = []Reason{Exact, Gram13, Gram8, Fuzzy, Rephrased, Semantic, Unreadable}

// Item is one item of an evaluation set.
type Item struct {
	Set   string // name of the evaluation set
	Where string // for people: file:line, or the example's id
	Text  string
}

// Options are the thresholds; 0 turns a test off.
type Options struct {
	Fields    rows.Fields                                                    // of the training rows
	Share     float64                                                        // of an item's 8-grams
	Fuzzy     float64                                                        // Jaccard similarity over character 5-grams
	Rephrased float64                                                        // score of rephrase.go
	Semantic  float64                                                        // cosine; used with Embed
	Embed     func(ctx context.Context, texts []string) ([][]float32, error) `json:"-"`
	Workers   int
	Elsewhere Elsewhere `json:"-"` // looks at the rows; nil: this process
}

// The defaults; docs/data.md says what they find and what they find wrongly.
const (
	DefaultShare     = 0.2
	DefaultFuzzy     = dedupe.DefaultNear
	DefaultRephrased = 0.5
	DefaultSemantic  = 0.85
)

// Removed is a training row that holds an item.
type Removed struct {
	Row        int // its number among the rows, from 0
	File       uint16
	Line       int
	Item       int // the item's number, -1 for unreadable rows
	Reason     Reason
	Similarity float64 // the figure that its test goes by; 1 for exact and 13-gram
	Shared     string  // words that both have, of the n-gram tests
	Text       string  // the beginning of the compared text
	What       string  // of unreadable rows
}

// Result is what was found.
type Result struct {
	Rows    int
	Removed []Removed
	Counts  map[Reason]int
	Touched int   // rows that share an 8-gram with an item and were not removed
	Items   []int // of each item, how many rows hold it
}

// Run looks for the items of the index in the rows of a set.
func Run(ctx context.Context, set *rows.Set, x *Index, o Options) (*Result, error) {
	if err := o.check(); err != nil {
		return nil, err
	}
	r := &Result{Counts: map[Reason]int{}, Items: make([]int, len(x.Items))}
	if err := o.each(ctx, set, x, r.take); err != nil {
		return nil, err
	}
	if o.Embed != nil && o.Semantic > 0 {
		if err := r.semantic(ctx, set, x, &o); err != nil {
			return nil, err
		}
	}
	for i := range r.Removed {
		r.Counts[r.Removed[i].Reason]++
		if item := r.Removed[i].Item; item >= 0 {
			r.Items[item]++
		}
	}
	return r, nil
}

// each looks at all rows; take gets what was found, in their order.
func (o *Options) each(ctx context.Context, set *rows.Set, x *Index, take func(*Looked) error) error {
	if o.Elsewhere != nil {
		return o.Elsewhere(ctx, x, o, take)
	}
	pool := make(chan *worker, o.Workers+2)
	for range cap(pool) {
		pool <- &worker{o: o, checker: x.checker(o)}
	}
	return rows.Map(ctx, set, o.Workers, func(b *rows.Block) (*Looked, error) {
		w := <-pool
		defer func() { pool <- w }()
		return w.look(b), nil
	}, take)
}

func (r *Result) take(l *Looked) error {
	for i := range l.Removed {
		if l.Removed[i].Item >= len(r.Items) {
			return &rung.Error{Code: rung.CodeInternal, What: "another process found an item that there is not", Do: "report it"}
		}
		l.Removed[i].Row += r.Rows
	}
	r.Removed = append(r.Removed, l.Removed...)
	r.Rows += l.Rows
	r.Touched += l.Touched
	return nil
}

func (o *Options) check() error {
	if o.Workers <= 0 {
		o.Workers = runtime.GOMAXPROCS(0)
	}
	if len(o.Fields) == 0 {
		return &rung.Error{Code: rung.CodeUsage, What: "no field to compare is named", Do: "name one"}
	}
	for name, v := range map[string]float64{"the share of 8-grams": o.Share, "fuzzy copies": o.Fuzzy, "rows of one meaning": o.Semantic} {
		if v < 0 || v > 1 {
			return &rung.Error{Code: rung.CodeUsage, What: fmt.Sprintf("%g is no threshold for %s", v, name), Do: "write a number from 0 to 1; 0 turns the test off"}
		}
	}
	if o.Rephrased < 0 || o.Rephrased > maxScore {
		return &rung.Error{Code: rung.CodeUsage, What: fmt.Sprintf("%g is no threshold for rephrased items", o.Rephrased), Do: fmt.Sprintf("write a number from 0 to %g; 0 turns the test off", maxScore)}
	}
	return nil
}

// worker has the memory of one worker.
type worker struct {
	o       *Options
	x       rows.Extractor
	checker *Checker
	text    []byte
}

// shownText is how much of a row's text stands in reports, in bytes.
const shownText = 300

func (w *worker) look(b *rows.Block) *Looked {
	l := &Looked{}
	_ = b.Each(func(r rows.Row) error { // it has no errors of its own
		n := l.Rows
		l.Rows++
		members, err := w.x.Members(r.Raw)
		if err != nil {
			l.Removed = append(l.Removed, Removed{Row: n, File: r.Place.File, Line: r.Line, Item: -1, Reason: Unreadable, What: rows.Reason(err)})
			return nil
		}
		var ok bool
		if w.text, ok = w.o.Fields.Append(w.text[:0], members); !ok {
			return nil
		}
		hit, touched := w.checker.Check(w.text)
		if hit.Item < 0 {
			if touched {
				l.Touched++
			}
			return nil
		}
		l.Removed = append(l.Removed, Removed{Row: n, File: r.Place.File, Line: r.Line, Item: hit.Item, Reason: hit.Reason, Similarity: hit.Similarity,
			Shared: hit.Shared, Text: rows.Clip(w.text, shownText)})
		return nil
	})
	return l
}

// semantic embeds the items and the rows that no other test has found.
func (r *Result) semantic(ctx context.Context, set *rows.Set, x *Index, o *Options) error {
	texts := make([]string, len(x.Items))
	for i := range texts {
		texts[i] = x.Items[i].Text
	}
	items, err := o.Embed(ctx, texts)
	if err != nil {
		return err
	}
	s := &semanticSearch{o: o, items: items}
	gone, at := r.Removed, 0
	var reader rows.Extractor
	err = rows.Map(ctx, set, 1, func(b *rows.Block) (*rows.Block, error) { return b, nil }, func(b *rows.Block) error {
		return b.Each(func(row rows.Row) error {
			n := at
			at++
			if len(gone) > 0 && gone[0].Row == n {
				gone = gone[1:]
				return nil
			}
			members, err := reader.Members(row.Raw)
			if err != nil {
				return nil //nolint:nilerr // unreadable rows are in gone
			}
			text, ok := o.Fields.Append(nil, members)
			if !ok {
				return nil
			}
			return s.add(ctx, Removed{Row: n, File: row.Place.File, Line: row.Line, Reason: Semantic, Text: string(text)})
		})
	})
	if err != nil {
		return err
	}
	if err := s.flush(ctx); err != nil {
		return err
	}
	r.Removed = append(r.Removed, s.found...)
	slices.SortFunc(r.Removed, func(a, b Removed) int { return a.Row - b.Row })
	return nil
}

// semanticSearch compares rows with items by their embeddings, some hundred at a time.
type semanticSearch struct {
	o       *Options
	items   [][]float32
	waiting []Removed
	found   []Removed
}

const embedBatch = 256

func (s *semanticSearch) add(ctx context.Context, row Removed) error {
	s.waiting = append(s.waiting, row)
	if len(s.waiting) < embedBatch {
		return nil
	}
	return s.flush(ctx)
}

func (s *semanticSearch) flush(ctx context.Context) error {
	if len(s.waiting) == 0 {
		return nil
	}
	texts := make([]string, len(s.waiting))
	for i := range texts {
		texts[i] = s.waiting[i].Text
	}
	got, err := s.o.Embed(ctx, texts)
	if err != nil {
		return err
	}
	if len(got) != len(texts) {
		return &rung.Error{Code: rung.CodeProvider, What: "the embedder answered with another number of vectors than texts", Do: "check it"}
	}
	for i, v := range got {
		row := s.waiting[i]
		row.Item = -1
		for j, item := range s.items {
			if c := rows.Cosine(v, item); c >= s.o.Semantic && c > row.Similarity {
				row.Item, row.Similarity = j, c
			}
		}
		if row.Item >= 0 {
			row.Text = rows.Clip([]byte(row.Text), shownText)
			s.found = append(s.found, row)
		}
	}
	s.waiting = s.waiting[:0]
	return nil
}
