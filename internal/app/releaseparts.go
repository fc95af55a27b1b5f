package app

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"

	"github.com/rung-dev/rung"
	"github.com/rung-dev/rung/internal/data"
	"github.com/rung-dev/rung/internal/engine"
	"github.com/rung-dev/rung/internal/form"
	"github.com/rung-dev/rung/internal/guard"
	"github.com/rung-dev/rung/internal/model"
	"github.com/rung-dev/rung/internal/model/anthropic"
	"github.com/rung-dev/rung/internal/model/openai"
	"github.com/rung-dev/rung/internal/recipe"
	"github.com/rung-dev/rung/internal/registry"
	"github.com/rung-dev/rung/internal/task"
	"github.com/rung-dev/rung/internal/tune"
)

// providers gives the providers by name; local is the engine, which may be nil.
func providers(e *engine.Engine) func(name string) (model.Provider, error) {
	return func(name string) (model.Provider, error) {
		switch {
		case name == "local" && e != nil:
			return e, nil
		case name == "local":
			return nil, &rung.Error{Code: rung.CodeInternal, What: "the engine was not opened"}
		case name == "anthropic":
			return anthropic.New(anthropic.Config{})
		}
		return openai.New(openai.Config{Name: name})
	}
}

// parts collects what the candidate refers to by digest, from the store and the training directories.
func (m *releasing) parts(ctx context.Context, c *rung.Candidate) ([]registry.Content, error) {
	var parts []registry.Content
	if d := c.Demos; d != nil && d.Mode != rung.FixedDemos {
		pool, err := m.poolParts(ctx, c)
		if err != nil {
			return nil, err
		}
		parts = append(parts, pool...)
	}
	if c.Retrieval != nil {
		b, err := m.store.Blob(ctx, recipe.IndexKind, c.Retrieval.Index)
		if err != nil {
			return nil, err
		}
		parts = append(parts, registry.Content{Kind: registry.Index, Bytes: b})
	}
	if c.Adapter != nil {
		adapter, err := m.adapterParts(ctx, c)
		if err != nil {
			return nil, err
		}
		parts = append(parts, adapter...)
		marks, err := m.trainingMarks(ctx)
		if err != nil {
			return nil, err
		}
		parts = append(parts, marks...)
	}
	return parts, nil
}

// poolParts are the train pool and, for demonstrations nearest by embedding, the vectors that it was evaluated with.
func (m *releasing) poolParts(ctx context.Context, c *rung.Candidate) ([]registry.Content, error) {
	b, err := m.store.Blob(ctx, recipe.PoolKind, c.Demos.Pool)
	if err != nil {
		return nil, err
	}
	parts := []registry.Content{{Kind: registry.Pool, Bytes: b}}
	if c.Demos.Mode != rung.NearestDense {
		return parts, nil
	}
	pool, err := recipe.LoadPool(b, c)
	if err != nil {
		return nil, err
	}
	door := model.NewDoor(model.Options{Store: m.store, Provider: providers(m.engine), Limits: m.task.Limits})
	kept := &vectors{store: m.store, door: door}
	got, err := pool.Embed(ctx, func(ctx context.Context, texts []string) ([][]float32, error) {
		return kept.embed(ctx, c.Demos.Embedder, texts)
	})
	if err != nil {
		return nil, err
	}
	return append(parts, registry.Content{Kind: registry.PoolVectors, Bytes: writeVectors(got)}), nil
}

// adapterParts are the adapter's file and the same adapter as PEFT keeps it. An adapter that has no PEFT form goes without.
func (m *releasing) adapterParts(ctx context.Context, c *rung.Candidate) ([]registry.Content, error) {
	path, err := findAdapter(filepath.Join(m.opt.Store, "training"), c.Adapter.Digest)
	if err != nil {
		return nil, err
	}
	parts := []registry.Content{{Kind: registry.Adapter, Path: path}}
	base, err := m.engine.BasePath(ctx, c.Model)
	if err != nil {
		return nil, err
	}
	peft, err := tune.PEFTOf(path, c.Adapter.Params, base, engine.FactOf(c.Model).Published)
	if rung.CodeOf(err) == rung.CodeInput {
		m.note("The release has no PEFT folder: %v.", err)
		return parts, nil
	}
	if err != nil {
		return nil, err
	}
	return append(parts, registry.Content{Kind: registry.PEFTConfig, Bytes: peft.Config}, registry.Content{Kind: registry.PEFTWeights, Bytes: peft.Weights}), nil
}

// trainingMarks are what the guard data_leak needs to know of the rows that the adapter was trained on; none without that guard. The
// rows themselves stay where they are.
func (m *releasing) trainingMarks(ctx context.Context) ([]registry.Content, error) {
	if !slices.ContainsFunc(m.task.Guards, func(g rung.GuardSpec) bool { return g.Kind == "data_leak" }) {
		return nil, nil
	}
	f, err := form.New(m.task.Output)
	if err != nil {
		return nil, err
	}
	set, err := data.Load(ctx, m.task, f)
	if err != nil {
		return nil, &rung.Error{Code: rung.CodeOf(err), Place: "guards (data_leak)", What: "the examples that the adapter was trained on cannot be read, so leaks of them could not be found: " + err.Error(),
			Do: "put them back, or leave data_leak out", Err: err}
	}
	if set.Heldout.Digest() != m.doc.Heldout.Digest {
		m.note("The examples have changed since the run: the guard data_leak knows those of now.")
	}
	return []registry.Content{{Kind: registry.TrainingMarks, Bytes: guard.Marks(guard.TrainingTexts(set.Building.Train))}}, nil
}

// maxAdapters bounds the search for an adapter's file.
const maxAdapters = 10_000

// findAdapter looks for the adapter with the given digest among those that were trained.
func findAdapter(dir string, digest rung.Digest) (string, error) {
	files, err := filepath.Glob(filepath.Join(dir, "*", "adapters", "*.gguf"))
	if err != nil {
		return "", err
	}
	newest := func(a, b string) int { return modified(b).Compare(modified(a)) }
	slices.SortStableFunc(files, newest)
	for _, path := range files[:min(len(files), maxAdapters)] {
		have, err := registry.DigestFile(path)
		if err != nil {
			return "", err
		}
		if have == digest {
			return path, nil
		}
	}
	return "", &rung.Error{Code: rung.CodeNotFound, Place: dir, What: "the adapter " + digest.Short() + " is not there any more", Do: "climb again: the training runs once more and gives the same adapter"}
}

// readTask finds and reads the task file of the run, for what a candidate does not hold: guards, licences, limits.
func (m *releasing) readTask(ctx context.Context, c *rung.Candidate) error {
	path := m.opt.TaskFile
	if path == "" {
		var err error
		if path, err = m.taskFile(ctx); err != nil {
			return err
		}
	}
	f, err := task.Open(path)
	if err != nil {
		return err
	}
	if m.task = f.Task; m.task.Name != m.doc.Task {
		return &rung.Error{Code: rung.CodeInput, Place: path, What: fmt.Sprintf("is the task %s, and the run climbed %s", m.task.Name, m.doc.Task), Do: "name the file of that task with --task"}
	}
	same := m.task.Instructions == c.Instructions && rung.DigestOf(m.task.Output) == rung.DigestOf(c.Output) && slices.Equal(m.task.Input, c.Input)
	if !same {
		m.note("The task file has changed since the run; the release is what was evaluated.")
	}
	return nil
}

// taskFileStep is where a climb keeps the path of its task file.
func taskFileStep(run string) string { return "task file of " + run }

// taskFile is the path that the climb kept, else the one file beside the store that describes the run's task.
func (m *releasing) taskFile(ctx context.Context) (string, error) {
	kept, found, err := m.store.Step(ctx, taskFileStep(m.doc.Run))
	if err != nil {
		return "", err
	}
	if found {
		if _, err := os.Stat(string(kept)); err == nil {
			return string(kept), nil
		}
	}
	gone := found // and where another file takes its place, that is said
	var matching []string
	dir := filepath.Dir(filepath.Clean(m.opt.Store))
	for _, pattern := range []string{"*.yaml", "*.yml"} {
		files, err := filepath.Glob(filepath.Join(dir, pattern))
		if err != nil {
			return "", err
		}
		for _, file := range files {
			if f, err := task.Open(file); err == nil && f.Task.Name == m.doc.Task {
				matching = append(matching, file)
			}
		}
	}
	if len(matching) == 1 {
		if gone {
			m.note("The run's task file %s is not there any more; the guards and licences are those of %s, which is of the same task.", filepath.Base(string(kept)), filepath.Base(matching[0]))
		}
		return matching[0], nil
	}
	return "", &rung.Error{Code: rung.CodeInput, Place: dir, What: fmt.Sprintf("has %d task files of the task %s; a release needs its guards and licences", len(matching), m.doc.Task), Do: "name the file with --task"}
}

// embed asks afresh: a vector from the climb's store would hide that the embedder is another one now.
func (m *releasing) embed(ctx context.Context, ref rung.ModelRef, texts []string) ([][]float32, error) {
	out, err := m.live.Embed(ctx, ref, texts)
	if err == nil && len(out) != len(texts) {
		err = errors.New("the embedder answered with another number of vectors than texts")
	}
	return out, err
}
