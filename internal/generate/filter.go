package generate

import (
	"context"
	"encoding/json"
	"math/rand/v2"
	"slices"
	"sync"

	"github.com/rung-dev/rung"
	"github.com/rung-dev/rung/internal/contam"
	"github.com/rung-dev/rung/internal/judge"
	"github.com/rung-dev/rung/internal/label"
	"github.com/rung-dev/rung/internal/model"
	"github.com/rung-dev/rung/internal/stats"
)

// Filter is what drafts are held to.
type Filter struct {
	Real    []rung.DatasetRow // train and dev
	Heldout []rung.Example
	Copy    float64 // Jaccard similarity of character 5-grams from which on a row copies another; default .6
	Judge   *judge.Judge
	Least   float64 // lowest score of any criterion, between 0 and 1
	Workers int     // verdicts asked at once
	// Progress is told how many verdicts there are.
	Progress func(done, total int)
}

// DefaultCopy is the likeness from which on two inputs are copies.
const DefaultCopy = .6

// Batch is what a filter leaves of drafts.
type Batch struct {
	Rows    []rung.DatasetRow
	Removed []rung.RemovedRow
	Report  Report
	number  []int // of the request that a row came from
}

// Report says what came of a generation.
type Report struct {
	Task      string             `json:"task"`
	By        string             `json:"by"`
	Asked     int                `json:"asked"` // rows
	Made      int                `json:"made"`  // drafts, unreadable ones among them
	Kept      int                `json:"kept"`
	Reasons   []rung.ReasonCount `json:"reasons,omitempty"`
	Modes     []ModeCount        `json:"modes,omitempty"`
	Diversity *Diversity         `json:"diversity,omitempty"`
	CostUSD   float64            `json:"cost_usd"`
	Calls     rung.Calls         `json:"calls"`
	Judge     rung.ModelRef      `json:"judge,omitempty"`
	Notes     []string           `json:"notes,omitempty"`
	File      string             `json:"file,omitempty"`
	Removed   string             `json:"removed_file,omitempty"`
	Digest    rung.Digest        `json:"digest,omitempty"` // of the file: the name of the batch
}

// ModeCount is how many rows came of one failure mode.
type ModeCount struct {
	Mode string `json:"mode"` // empty: of no mode
	Made int    `json:"made"`
	Kept int    `json:"kept"`
}

// Diversity says how different the kept rows are from each other and from real rows, with as many real rows beside them.
type Diversity struct {
	N            int            `json:"n"`
	Distinct     [3]float64     `json:"distinct"`                // share of different word 1-, 2- and 3-grams
	DistinctReal *[3]float64    `json:"distinct_real,omitempty"` // of as many real rows
	RealN        int            `json:"real_n"`
	Nearest      *rung.Interval `json:"nearest,omitempty"`      // mean likeness to the nearest other generated row
	NearestReal  *rung.Interval `json:"nearest_real,omitempty"` // to the nearest real row
	RealNearest  *rung.Interval `json:"real_nearest,omitempty"` // of as many real rows to each other
	SelfCopies   int            `json:"self_copies"`            // drafts that repeated an earlier one
}

// Run goes through drafts in their order: form, copies of real rows, held-out items, copies of each other, and last the judge, who costs
// money.
func (f *Filter) Run(ctx context.Context, drafts []Draft) (*Batch, error) {
	if f.Copy == 0 {
		f.Copy = DefaultCopy
	}
	held, err := f.heldout()
	if err != nil {
		return nil, err
	}
	b := &Batch{Report: Report{Made: len(drafts)}}
	real, own := newLikes(), newLikes()
	for i := range f.Real {
		real.add(grams(label.Text(f.Real[i].Input)))
	}
	for i := range drafts {
		b.take(&drafts[i], f, real, own, held)
	}
	if f.Judge != nil {
		if err := f.judge(ctx, b); err != nil {
			return nil, err
		}
	}
	b.finish(drafts, f)
	return b, nil
}

func (f *Filter) heldout() (*contam.Checker, error) {
	var items []contam.Item
	for i := range f.Heldout {
		items = append(items, contam.Item{Set: "held-out", Where: f.Heldout[i].ID, Text: label.Text(f.Heldout[i].Input)})
	}
	if len(items) == 0 {
		return nil, nil
	}
	x, err := contam.NewIndex(items)
	if err != nil {
		return nil, err
	}
	return contam.NewChecker(x, contam.Options{Share: contam.DefaultShare, Fuzzy: contam.DefaultFuzzy, Rephrased: contam.DefaultRephrased}), nil
}

func (b *Batch) take(d *Draft, f *Filter, real, own *likes, held *contam.Checker) {
	if d.Fault != "" {
		reason := BreaksForm
		if len(d.Row.Input) == 0 {
			reason = Unreadable
		}
		b.remove(d, reason, d.Fault, "", 0)
		return
	}
	text := label.Text(d.Row.Input)
	g := grams(text)
	if at, s := real.nearest(g, -1); s >= f.Copy {
		b.remove(d, CopiesReal, "", f.Real[at].ID, s)
		return
	}
	if held != nil {
		if hit, _ := held.Check([]byte(text)); hit.Item >= 0 {
			b.remove(d, Heldout, string(hit.Reason), f.Heldout[hit.Item].ID, hit.Similarity)
			return
		}
	}
	if at, s := own.nearest(g, -1); s >= f.Copy {
		b.remove(d, CopiesSelf, "", b.Rows[at].ID, s)
		return
	}
	own.add(g)
	b.Rows, b.number = append(b.Rows, d.Row), append(b.number, d.Number)
}

func (b *Batch) remove(d *Draft, reason, detail, of string, score float64) {
	one := rung.RemovedRow{ID: d.Row.ID, Step: "generated", Reason: reason, Detail: detail, Of: of, Score: score, File: "requests", Line: d.Number}
	if len(d.Row.Input) > 0 && json.Valid(d.Row.Input) {
		one.Row = mustJSON(&d.Row)
	} else if d.Raw != "" {
		one.Row = mustJSON(d.Raw)
	}
	b.Removed = append(b.Removed, one)
}

// judge has each row judged by every criterion; what no verdict came of goes too.
func (f *Filter) judge(ctx context.Context, b *Batch) error {
	values := make([]rung.OutsideValue, len(b.Rows))
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	var wg sync.WaitGroup
	var mu sync.Mutex
	done := 0
	next := make(chan int)
	for range max(1, min(f.Workers, len(b.Rows))) {
		wg.Go(func() {
			for i := range next {
				v, err := f.Judge.Rate(ctx, f.Judge.ItemOf(b.Rows[i].Input, nil, b.Rows[i].Output))
				if err != nil && (model.Fatal(err) || ctx.Err() != nil) {
					cancel(err)
				} else if err != nil {
					v.Failed = err.Error()
				}
				values[i] = v
				mu.Lock()
				if done++; f.Progress != nil {
					f.Progress(done, len(b.Rows))
				}
				mu.Unlock()
			}
		})
	}
	for i := range b.Rows {
		if ctx.Err() != nil {
			break
		}
		next <- i
	}
	close(next)
	wg.Wait()
	if err := context.Cause(ctx); err != nil {
		return err
	}
	rows, number := b.Rows, b.number
	b.Rows, b.number = nil, nil
	for i := range rows {
		d := Draft{Row: rows[i], Number: number[i]}
		least := 1.0
		for _, v := range values[i].Parts {
			least = min(least, v)
		}
		switch {
		case values[i].Failed != "":
			b.remove(&d, Unjudged, clip(values[i].Failed, 300), "", 0)
		case least < f.Least:
			b.remove(&d, Judged, clip(values[i].Note, 600), "", least)
		default:
			b.Rows, b.number = append(b.Rows, rows[i]), append(b.number, number[i])
		}
	}
	return nil
}

// finish counts and measures.
func (b *Batch) finish(drafts []Draft, f *Filter) {
	r := &b.Report
	r.Kept = len(b.Rows)
	reasons := map[string]int{}
	for i := range b.Removed {
		reasons[b.Removed[i].Reason]++
	}
	for _, reason := range []string{Unreadable, BreaksForm, CopiesReal, Heldout, CopiesSelf, Unjudged, Judged} {
		if n := reasons[reason]; n > 0 {
			r.Reasons = append(r.Reasons, rung.ReasonCount{Reason: reason, Rows: n})
		}
	}
	slices.SortStableFunc(r.Reasons, func(x, y rung.ReasonCount) int { return y.Rows - x.Rows })
	at := map[string]int{}
	count := func(modes []string, kept int) {
		name := ""
		if len(modes) > 0 {
			name = modes[0]
		}
		if _, there := at[name]; !there {
			at[name] = len(r.Modes)
			r.Modes = append(r.Modes, ModeCount{Mode: name})
		}
		r.Modes[at[name]].Made += 1 - kept
		r.Modes[at[name]].Kept += kept
	}
	for i := range drafts {
		count(drafts[i].Row.Modes, 0)
	}
	for i := range b.Rows {
		count(b.Rows[i].Modes, 1)
	}
	r.Diversity = diversity(b.Rows, f.Real)
	if r.Diversity != nil {
		r.Diversity.SelfCopies = reasons[CopiesSelf]
	}
}

// mostCompared rows are compared with each other at most.
const mostCompared = 2000

func diversity(rows, real []rung.DatasetRow) *Diversity {
	if len(rows) == 0 {
		return nil
	}
	texts := textsOf(rows, mostCompared)
	out := &Diversity{N: len(texts), Distinct: distincts(texts)}
	own, ownGrams := likesOf(texts)
	out.Nearest = meanNearest(own, ownGrams, true)
	if len(real) == 0 {
		return out
	}
	shuffled := slices.Clone(real)
	rand.New(rand.NewPCG(1, 2)).Shuffle(len(shuffled), func(i, j int) { shuffled[i], shuffled[j] = shuffled[j], shuffled[i] })
	beside := textsOf(shuffled, len(texts))
	d := distincts(beside)
	out.DistinctReal, out.RealN = &d, len(beside)
	realLikes, realGrams := likesOf(beside)
	out.RealNearest = meanNearest(realLikes, realGrams, true)
	all, _ := likesOf(textsOf(real, len(real)))
	out.NearestReal = meanNearest(all, ownGrams, false)
	return out
}

func textsOf(rows []rung.DatasetRow, most int) []string {
	var out []string
	for i := range rows[:min(most, len(rows))] {
		out = append(out, label.Text(rows[i].Input))
	}
	return out
}

func distincts(texts []string) (out [3]float64) {
	for n := range out {
		out[n] = distinct(texts, n+1)
	}
	return out
}

func likesOf(texts []string) (*likes, []map[uint64]bool) {
	l := newLikes()
	var all []map[uint64]bool
	for _, t := range texts {
		g := grams(t)
		l.add(g)
		all = append(all, g)
	}
	return l, all
}

// meanNearest is the mean likeness of texts to the nearest of l, themselves left out where l holds them; nil of fewer than two.
func meanNearest(l *likes, texts []map[uint64]bool, own bool) *rung.Interval {
	if own && len(texts) < 2 || len(texts) == 0 {
		return nil
	}
	var values []float64
	for i, g := range texts {
		not := -1
		if own {
			not = i
		}
		_, s := l.nearest(g, not)
		values = append(values, s)
	}
	e := stats.Mean(values, nil, stats.Options{Level: .95, Seed: 1, Resamples: 2000, Bounds: stats.Bounds{Low: 0, High: 1}})
	iv := rung.Interval(e.Interval)
	return &iv
}
