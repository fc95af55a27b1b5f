// Package curate builds datasets: from raw files, by recorded steps, to a folder that never changes. The description (dataset.yaml) says
// which files and which steps. Each step reads the rows of the one before from a working file and writes its own; all follow from the
// content of the files and the options alone, so that the same input gives the same bytes. A build that was ended goes on after the last
// step that was finished. The folder appears whole or not at all.
package curate

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/rung-dev/rung"
	"github.com/rung-dev/rung/internal/batch"
	"github.com/rung-dev/rung/internal/contam"
	"github.com/rung-dev/rung/internal/form"
	"github.com/rung-dev/rung/internal/govern"
	"github.com/rung-dev/rung/internal/task"
)

// Options of a build.
type Options struct {
	Version string // of the program
	Replace bool   // a folder with another digest is kept under its digest and gives way
	DryRun  bool   // all steps are done and nothing is left
	// Known gives the evaluation sets of the project, for decontamination; nil: there are none.
	Known func(ctx context.Context) ([]EvaluationSet, []string, error)
	// Embedder opens an embedding model of this machine, which the description names; nil: there is none. It is closed when the build ends.
	Embedder func(ctx context.Context, model rung.ModelRef) (*Embedder, error)
	// Review gives the record of a review of generated rows that the project's store knows, nil of one that it does not; nil: there is no store.
	Review func(ctx context.Context, name string) (*batch.Record, error)
	// Elsewhere does the dear steps in other processes; nil: this one does.
	Elsewhere *Elsewhere
	// Tell is told what is being done; nil: nobody.
	Tell func(step string, resumed bool)
}

// EvaluationSet is a held-out set that the project knows.
type EvaluationSet struct {
	Name   string
	Digest rung.Digest
	Items  []contam.Item
}

// Result is what a build made.
type Result struct {
	Dataset  *rung.Dataset
	Folder   string
	State    State
	Kept     string   // where a folder that gave way is now
	Vault    string   // where the rows are kept as they were; "" when no vault was asked for
	Vaulted  int      // so many of them
	OldVault string   // where a vault that gave way is now
	Resumed  []string // steps that an earlier build had finished
	Samples  []Sample // removed rows, a few of each reason, without personal data
}

// State says what became of the folder.
type State string

// The states.
const (
	Built     State = "built"
	Unchanged State = "unchanged" // the folder was there, with the same digest
	Replaced  State = "replaced"
	Dry       State = "dry run"
)

// build is a build under way.
type build struct {
	d       *task.Description
	o       Options
	form    *form.Form // nil when nothing says what outputs look like
	fields  []string   // of the inputs
	sources []rung.Source
	privacy *privacy
	work    *work
	erased  *govern.Tombstones

	embedders map[rung.ModelRef]*Embedder
	shelf     *batch.Shelf
	dirs      []string // of the records of reviews
}

// Build makes the dataset that a description describes. Faults of the raw files' rows do not end it; they are in the dataset's records.
func Build(ctx context.Context, f *task.DescriptionFile, o Options) (_ *Result, err error) {
	b := &build{d: f.Description, o: o}
	if b.o.Tell == nil {
		b.o.Tell = func(string, bool) {}
	}
	b.shelf = &batch.Shelf{Stored: o.Review}
	if err := b.prepare(f); err != nil {
		return nil, err
	}
	if b.work, err = openWork(b.d.Out, o.DryRun); err != nil {
		return nil, err
	}
	defer b.work.close()
	defer b.closeEmbedders()
	res := &Result{Folder: b.d.Out}
	steps, last, err := b.run(ctx, res)
	if err != nil {
		return nil, err
	}
	if err := b.finish(ctx, steps, last, res); err != nil {
		return nil, err
	}
	return res, b.work.remove()
}

// prepare makes what the steps share, and refuses what they cannot do before anything is read.
func (b *build) prepare(f *task.DescriptionFile) (err error) {
	if b.d.Output.Kind != "" {
		if b.form, err = form.New(b.d.Output); err != nil {
			return err
		}
	}
	for i := range b.d.Sources {
		b.sources = append(b.sources, b.d.Sources[i].Source)
	}
	if err := b.checkWords(f); err != nil {
		return err
	}
	if err := b.apart(f); err != nil {
		return err
	}
	if b.erased, err = govern.OpenTombstones(filepath.Join(b.d.Dir, govern.ErasedFile)); err != nil {
		return err
	}
	if err := b.checkVault(f); err != nil {
		return err
	}
	b.privacy, err = newPrivacy(&b.d.PII, b.d.Output, f)
	return err
}

// apart refuses raw files that lie in the folder that is built: the next build would read what this one writes.
func (b *build) apart(f *task.DescriptionFile) error {
	within := func(path, dir string) bool {
		return path == dir || strings.HasPrefix(path, dir+string(filepath.Separator))
	}
	for i := range b.d.Sources {
		for _, path := range b.d.Sources[i].Paths {
			if within(path, b.d.Out) || within(b.d.Out, path) {
				return f.Fault(fmt.Sprintf("sources[%d].files", i), fmt.Sprintf("the raw files (%s) and the folder that is built (%s) lie in one another", b.shown(path), b.shown(b.d.Out)),
					fmt.Sprintf("name another folder with out, or take it out of the pattern: \"!%s/**\"", b.shown(b.d.Out)))
			}
		}
	}
	return nil
}

// stepDef is a step before it is run.
type stepDef struct {
	name    string
	options any // what is recorded, and decides with the input what comes out
	run     func(ctx context.Context, in *table, out *sink) error
}

// run does the steps, or takes what an earlier build has finished of them.
func (b *build) run(ctx context.Context, res *Result) ([]rung.DataStep, *table, error) {
	raw, err := b.rawFiles(ctx)
	if err != nil {
		return nil, nil, err
	}
	defs, err := b.steps(ctx, raw)
	if err != nil {
		return nil, nil, err
	}
	in := &table{digest: rung.DigestOf(raw)}
	finished := b.work.finished(b.keys(defs, in.digest))
	var steps []rung.DataStep
	for i := range defs {
		if err := ctx.Err(); err != nil {
			return nil, nil, err
		}
		b.o.Tell(defs[i].name, i < len(finished))
		if i < len(finished) {
			steps = append(steps, finished[i].Step)
			in = b.work.table(&finished[i])
			res.Resumed = append(res.Resumed, defs[i].name)
			if finished[i].Sources != nil {
				b.fields = finished[i].Fields
				for k := range b.sources { // the terms are those of the description as it is now
					b.sources[k].Files = finished[i].Sources[k].Files
				}
			}
			continue
		}
		step, out, err := b.one(ctx, &defs[i], i, in)
		if err != nil {
			return nil, nil, err
		}
		steps, in = append(steps, step), out
	}
	return steps, in, nil
}

// keys name each step by what decides its result, as far as that is known before it is run: the raw files and the options up to it.
func (b *build) keys(defs []stepDef, raw rung.Digest) []rung.Digest {
	key, out := raw, make([]rung.Digest, len(defs))
	for i := range defs {
		key = rung.DigestOf([]any{workVersion, b.o.Version, key, defs[i].name, defs[i].options})
		out[i] = key
	}
	return out
}

// one does a step and records it.
func (b *build) one(ctx context.Context, def *stepDef, i int, in *table) (step rung.DataStep, _ *table, err error) {
	out, err := b.work.sink(i, def.name)
	if err != nil {
		return step, nil, err
	}
	defer out.abandon()
	step = rung.DataStep{Name: def.name, In: in.digest, Rows: in.n}
	if step.Options, err = plainJSON(def.options); err != nil {
		return step, nil, err
	}
	if err := def.run(ctx, in, out); err != nil {
		return step, nil, err
	}
	if err := out.finish(); err != nil {
		return step, nil, err
	}
	step.Out, step.Kept, step.Changed, step.Removed = out.rows.Digest(), out.kept, out.changed, out.gone
	if step.Rows == 0 {
		step.Rows = out.kept + out.gone
	}
	step.Reasons, step.Notes = out.reasonCounts(), out.notes
	if out.report != nil {
		if step.Report, err = plainJSON(out.report); err != nil {
			return step, nil, err
		}
	}
	e := entry{Key: b.work.keyAt(i), Step: step}
	if def.name == StepImport {
		e.Sources, e.Fields = b.sources, b.fields
	}
	if err := b.work.done(i, &e); err != nil {
		return step, nil, err
	}
	return step, b.work.table(&e), nil
}

// The names of the steps, in their order.
const (
	StepImport    = "import"
	StepErase     = "erase"
	StepCheck     = "check"
	StepPII       = "pii"
	StepDedupe    = "dedupe"
	StepAgainst   = "decontaminate"
	StepGenerated = "generated"
	StepSplit     = "split"
)

// steps are those that the description asks for. What one of them rests on beside the rows is in its options by its digest.
func (b *build) steps(ctx context.Context, raw []rung.SourceFile) ([]stepDef, error) {
	defs := []stepDef{b.importStep(raw)}
	if b.erased.Len() > 0 {
		defs = append(defs, b.eraseStep())
	}
	if !b.d.Check.Off {
		defs = append(defs, b.checkStep())
	}
	pii, err := b.piiStep()
	if err != nil {
		return nil, err
	}
	defs = append(defs, pii)
	if !b.d.Dedupe.Off {
		dedupe, err := b.dedupeStep(ctx)
		if err != nil {
			return nil, err
		}
		defs = append(defs, dedupe)
	}
	if !b.d.Against.Off {
		against, err := b.againstStep(ctx)
		if err != nil {
			return nil, err
		}
		defs = append(defs, against)
	}
	return append(defs, b.generatedStep(), b.splitStep()), nil
}

// shown is a path as the records name it.
func (b *build) shown(path string) string { return b.d.Shown(path) }

// unwritable is the error for what cannot be written.
func unwritable(path string, err error) error {
	return &rung.Error{Code: rung.CodeStore, Place: path, What: "it cannot be written: " + reasonOf(err), Do: "make room or write elsewhere; no raw file was changed, and the same command goes on after the last step", Err: err}
}

func reasonOf(err error) string {
	var pe *os.PathError
	if asPath(err, &pe) {
		return pe.Err.Error()
	}
	return err.Error()
}

// sortedCounts are reasons by how often they held.
func sortedCounts(counts map[reason]int) []rung.ReasonCount {
	var out []rung.ReasonCount
	for r, n := range counts {
		out = append(out, rung.ReasonCount{Reason: r.word, Rows: n, Changed: r.changed})
	}
	slices.SortFunc(out, func(a, b rung.ReasonCount) int {
		switch {
		case a.Rows != b.Rows:
			return b.Rows - a.Rows
		case a.Reason != b.Reason:
			return cmpText(a.Reason, b.Reason)
		case a.Changed:
			return 1
		}
		return -1
	})
	return out
}

func plural(n int, one, many string) string {
	if n == 1 {
		return "1 " + one
	}
	return fmt.Sprintf("%d %s", n, many)
}
