package curate

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"math"
	"path/filepath"
	"slices"

	"github.com/rung-dev/rung"
	"github.com/rung-dev/rung/internal/contam"
	"github.com/rung-dev/rung/internal/data"
	"github.com/rung-dev/rung/internal/form"
	"github.com/rung-dev/rung/internal/rows"
	"github.com/rung-dev/rung/internal/task"
)

// againstOptions are what is recorded of the step.
type againstOptions struct {
	Share     float64 `json:"share"`
	Fuzzy     float64 `json:"fuzzy"`
	Rephrased float64 `json:"rephrased"`

	Semantic *meaningOptions `json:"semantic,omitempty"` // nil: rows are not compared by meaning

	Against []AgainstSet `json:"against"`
}

// AgainstSet is an evaluation set that was looked for.
type AgainstSet struct {
	Name   string      `json:"name"`
	Digest rung.Digest `json:"digest"` // of the file, or of the held-out set
	Items  int         `json:"items"`
}

// AgainstReport is what the step found.
type AgainstReport struct {
	Sets    []FoundSet `json:"sets"`
	Touched int        `json:"touched"` // rows that stay although they share some eight words in a row with an item
	Heldout int        `json:"heldout"` // rows that hold an item and stay, since the files mark them for held-out
}

// FoundSet says how much of an evaluation set was found.
type FoundSet struct {
	Name  string `json:"name"`
	Items int    `json:"items"`
	Found int    `json:"found"`
}

func (b *build) againstStep(ctx context.Context) (stepDef, error) {
	s := &b.d.Against
	o := againstOptions{Share: s.Share, Fuzzy: s.Fuzzy, Rephrased: s.Rephrased, Against: []AgainstSet{}}
	for value, def := range map[*float64]float64{&o.Share: contam.DefaultShare, &o.Fuzzy: contam.DefaultFuzzy, &o.Rephrased: contam.DefaultRephrased} {
		if math.IsNaN(*value) {
			*value = def
		}
	}
	var err error
	if o.Semantic, err = b.meaning(ctx, s.Meaning, contam.DefaultSemantic); err != nil {
		return stepDef{}, err
	}
	sets, notes, err := b.evaluationSets(ctx)
	if err != nil {
		return stepDef{}, err
	}
	var items []contam.Item
	for i := range sets {
		o.Against = append(o.Against, AgainstSet{sets[i].Name, sets[i].Digest, len(sets[i].Items)})
		items = append(items, sets[i].Items...)
	}
	return stepDef{StepAgainst, o, func(ctx context.Context, in *table, out *sink) error {
		out.notes = append(out.notes, notes...)
		if len(items) == 0 {
			out.note("no evaluation set is known or named: the rows were held against nothing")
			out.report = AgainstReport{Sets: []FoundSet{}}
			return in.each(ctx, func(_ int, raw, origin []byte) error { return out.keep(raw, origin) })
		}
		a := &against{sets: sets, items: b.alsoCovered(items), out: out, elsewhere: b.o.Elsewhere}
		opt := contam.Options{Fields: rows.Fields{"input"}, Share: o.Share, Fuzzy: o.Fuzzy, Rephrased: o.Rephrased}
		if o.Semantic != nil {
			opt.Embed, opt.Semantic = b.embed(o.Semantic), o.Semantic.Cosine
		}
		if err := a.run(ctx, in, opt); err != nil {
			return err
		}
		if o.Semantic != nil {
			o.Semantic.meant(out, out.counts[reason{word: string(contam.Semantic)}], "rows were held against the items")
		}
		return nil
	}}, nil
}

// alsoCovered adds the items as they would stand in rows whose personal data is replaced, so that replacing it hides none of them.
func (b *build) alsoCovered(items []contam.Item) []contam.Item {
	if b.privacy.replace == nil {
		return items
	}
	all := slices.Clone(items)
	for _, it := range items {
		quoted, err := json.Marshal(it.Text)
		if err != nil {
			continue
		}
		covered, found, err := b.privacy.engine.Row(quoted, nil, b.privacy.replace)
		if err != nil || len(found) == 0 {
			continue
		}
		if json.Unmarshal(covered, &it.Text) == nil {
			all = append(all, it)
		}
	}
	return all
}

// evaluationSets are the files and held-out sets that the rows are held against.
func (b *build) evaluationSets(ctx context.Context) (sets []EvaluationSet, notes []string, err error) {
	for _, path := range b.d.Against.Files {
		set, err := b.fileSet(ctx, path)
		if err != nil {
			return nil, nil, err
		}
		sets = append(sets, set)
	}
	for _, path := range b.d.Against.Tasks {
		set, err := b.taskSet(ctx, path)
		if err != nil {
			return nil, nil, err
		}
		sets = append(sets, set)
	}
	if !b.d.Against.Project || b.o.Known == nil {
		return sets, nil, nil
	}
	known, notes, err := b.o.Known(ctx)
	for _, k := range known {
		if !slices.ContainsFunc(sets, func(s EvaluationSet) bool { return s.Digest == k.Digest }) {
			sets = append(sets, k)
		}
	}
	return sets, notes, err
}

func (b *build) fileSet(ctx context.Context, path string) (out EvaluationSet, err error) {
	out.Name = b.shown(path)
	if out.Digest, _, err = digestOfFile(path); err != nil {
		return out, err
	}
	set, err := rows.Open(ctx, []string{path}, "")
	if err != nil {
		return out, err
	}
	defer func() { _ = set.Close() }() // working files in the system's place for them
	fields := rows.Fields(b.d.Against.Fields)
	if len(fields) == 0 {
		if fields, err = rows.Choose(ctx, set); err != nil {
			return out, err
		}
	}
	var x rows.Extractor
	err = set.Each(ctx, func(_ int, r rows.Row) error {
		members, err := x.Members(r.Raw)
		if err != nil {
			return nil //nolint:nilerr // what is no row holds no item
		}
		if text, ok := fields.Append(nil, members); ok {
			out.Items = append(out.Items, contam.Item{Set: out.Name, Where: fmt.Sprintf("%s:%d", out.Name, r.Line), Text: string(text)})
		}
		return nil
	})
	if err == nil && len(out.Items) == 0 {
		err = &rung.Error{Code: rung.CodeInput, Place: out.Name, What: "the evaluation set holds no item", Do: "name its fields under decontaminate.fields, or take it out"}
	}
	return out, err
}

// taskSet is the held-out set of a task, as a climb would freeze it.
func (b *build) taskSet(ctx context.Context, path string) (out EvaluationSet, err error) {
	f, err := task.Open(path)
	if err != nil {
		return out, err
	}
	output, err := form.New(f.Task.Output)
	if err != nil {
		return out, err
	}
	d, err := data.Load(ctx, f.Task, output)
	if err != nil {
		return out, err
	}
	return HeldoutSet(f.Task.Name, d.Heldout.Digest(), d.Heldout.Examples()), nil
}

// HeldoutSet makes an evaluation set of held-out examples.
func HeldoutSet(name string, digest rung.Digest, examples []rung.Example) EvaluationSet {
	out := EvaluationSet{Name: name + " heldout", Digest: digest}
	for i := range examples {
		e := &examples[i]
		text, ok := rows.Fields{"input"}.Append(nil, []rows.Member{{Key: []byte("input"), Value: e.Input}})
		if !ok {
			continue
		}
		where := name + " heldout: " + e.ID
		if e.File != "" {
			where += fmt.Sprintf(" (%s:%d)", filepath.Base(e.File), e.Line)
		}
		out.Items = append(out.Items, contam.Item{Set: out.Name, Where: where, Text: string(text)})
	}
	return out
}

// against is the step under way.
type against struct {
	sets   []EvaluationSet
	items  []contam.Item
	out    *sink
	report AgainstReport

	elsewhere *Elsewhere // nil: this process looks
}

func (a *against) run(ctx context.Context, in *table, o contam.Options) error {
	index, err := contam.NewIndex(a.items)
	if err != nil {
		return err
	}
	set, err := in.open(ctx)
	if err != nil {
		return err
	}
	if a.elsewhere != nil {
		var end func()
		if o.Elsewhere, end, err = a.elsewhere.Against(ctx, set); err != nil {
			return err
		}
		defer end()
	}
	r, err := contam.Run(ctx, set, index, o)
	if err != nil {
		return err
	}
	next := r.Removed
	err = in.each(ctx, func(n int, raw, origin []byte) error {
		if len(next) == 0 || next[0].Row != n {
			return a.out.keep(raw, origin)
		}
		x := &next[0]
		next = next[1:]
		return a.found(x, raw, origin)
	})
	if err != nil {
		return err
	}
	a.report.Touched = r.Touched
	a.sum(r)
	return nil
}

// found takes a row out that holds an item. One that the files mark for held-out is no training row and stays.
func (a *against) found(x *contam.Removed, raw, origin []byte) error {
	if bytes.Contains(raw, []byte(`"split":"heldout"`)) {
		row, err := rowOf(raw)
		if err != nil {
			return err
		}
		if row.Split == rung.HeldoutIs {
			a.report.Heldout++
			return a.out.keep(raw, origin)
		}
	}
	rec, err := removedAt(raw, origin, string(x.Reason))
	if err != nil {
		return err
	}
	rec.Score = round(x.Similarity)
	if x.Item >= 0 {
		rec.Of = a.items[x.Item].Where
	}
	if x.Shared != "" {
		rec.Detail = "both have: " + rows.Clip([]byte(x.Shared), 300)
	}
	return a.out.remove(rec)
}

func (a *against) sum(r *contam.Result) {
	found := map[string]map[string]bool{}
	for i, n := range r.Items {
		if n == 0 {
			continue
		}
		it := &a.items[i]
		if found[it.Set] == nil {
			found[it.Set] = map[string]bool{}
		}
		found[it.Set][it.Where] = true
	}
	a.report.Sets = []FoundSet{}
	for i := range a.sets {
		s := &a.sets[i]
		a.report.Sets = append(a.report.Sets, FoundSet{s.Name, len(s.Items), len(found[s.Name])})
	}
	a.out.report = a.report
	if n := a.report.Heldout; n > 0 {
		a.out.note("%s an item of another evaluation set and stays: the files mark it for held-out, where nothing is trained", plural(n, "row holds", "rows hold"))
	}
}
