// Package recipe builds the candidates of each rung, one file per rung, and runs them. What builds sees train and dev only:
// a rung.Building, from which no way leads to the held-out examples.
package recipe

import (
	"context"
	"fmt"
	"log/slog"
	"sort"
	"time"

	"github.com/rung-dev/rung"
	"github.com/rung-dev/rung/internal/extract"
	"github.com/rung-dev/rung/internal/form"
	"github.com/rung-dev/rung/internal/grade"
	"github.com/rung-dev/rung/internal/model"
	"github.com/rung-dev/rung/internal/retrieve"
	"github.com/rung-dev/rung/internal/tune"
)

// Engine is what training and local candidates need of the managed engine.
type Engine interface {
	Weights(ctx context.Context, ref rung.ModelRef) (path string, digest rung.Digest, err error)
	BasePath(ctx context.Context, ref rung.ModelRef) (string, error)
	AddAdapter(ctx context.Context, ref rung.ModelRef, digest rung.Digest, path string) error
	PromptTokens(ctx context.Context, ref rung.ModelRef, messages []model.Message) ([]int, error)
	Tokenize(ctx context.Context, ref rung.ModelRef, text string) ([]int, error)
	EndOfTurn(ctx context.Context, ref rung.ModelRef) (int, error)
	ContextSize(ctx context.Context, ref rung.ModelRef) (int, error)
}

// Store keeps what candidates refer to by digest, and finished steps, so that a second run does not do them again.
type Store interface {
	PutBlob(ctx context.Context, kind string, digest rung.Digest, b []byte) error
	Blob(ctx context.Context, kind string, digest rung.Digest) ([]byte, error)
	PutStep(ctx context.Context, key string, value []byte) error
	Step(ctx context.Context, key string) (value []byte, found bool, err error)
}

// Trainer trains adapters.
type Trainer interface {
	Train(ctx context.Context, job tune.Job, progress func(tune.Event)) (tune.Trained, error)
}

// Observer is told what goes on; every method may be called from several goroutines.
type Observer interface {
	Step(text string)                          // what is being done now
	Progress(done, total int, costUSD float64) // of the step
	Note(text string)                          // what a reader must know
}

// Kit is what the rungs of one climb are built with.
type Kit struct {
	Task      *rung.Task
	Building  rung.Building
	Counters  []Counter // mistakes that people have confirmed; those on examples outside of Building are not used
	Form      *form.Form
	Grader    *grade.Grader
	Door      Caller
	Can       func(rung.ModelRef) model.Can
	Engine    Engine  // nil when no model of the task is local
	Trainer   Trainer // nil when the task's models cannot be trained here
	Store     Store
	Embedder  rung.ModelRef // empty: BM25 alone
	Embed     retrieve.EmbedFunc
	Documents func(ctx context.Context) ([]extract.Document, error)
	Dir       string // of the store: adapters and training jobs live in it
	Observer  Observer
	Log       *slog.Logger
	Forbids   func(rung.Rung) string // why the terms of the data forbid a rung; nil: they forbid none

	pool          *pool
	index         *retrieve.Index
	indexDigest   rung.Digest
	unconstrained map[rung.ModelRef]bool // whether a model\'s server refuses schemas
	prompts       map[rung.ModelRef]*Built
	shots         map[rung.ModelRef]*Built
	rags          map[rung.ModelRef]*Built
}

// Built is what became of building a rung for a model: a candidate, or the reason there is none.
type Built struct {
	Candidate *rung.Candidate
	Skipped   string // why there is no candidate
	Trials    []rung.Trial
	Curve     []rung.CurvePoint
	Effort    rung.Effort
	Notes     []string
}

// Build makes the candidate of a rung for a model, or says why it cannot.
func (k *Kit) Build(ctx context.Context, r rung.Rung, ref rung.ModelRef) (*Built, error) {
	if why := k.Inapplicable(r, ref); why != "" {
		return &Built{Skipped: why}, nil
	}
	start := time.Now()
	var b *Built
	var err error
	switch r {
	case rung.Prompt:
		b, err = k.prompt(ctx, ref)
	case rung.FewShot:
		b, err = k.fewshot(ctx, ref)
	case rung.RAG:
		b, err = k.rag(ctx, ref)
	case rung.LoRA:
		b, err = k.lora(ctx, ref)
	case rung.RAGLoRA:
		b, err = k.ragLoRA(ctx, ref)
	default:
		err = fmt.Errorf("no rung %q", r)
	}
	if err == nil {
		b.Effort.WallSeconds = time.Since(start).Seconds()
	}
	return b, err
}

// Inapplicable says why a rung cannot be tried for a model at all, judged by the task alone; empty when it can.
func (k *Kit) Inapplicable(r rung.Rung, ref rung.ModelRef) string {
	if r.Retrieves() && len(k.Task.Documents) == 0 {
		return "the task has no documents to retrieve from"
	}
	if k.Forbids != nil {
		if why := k.Forbids(r); why != "" {
			return why
		}
	}
	if r.Trains() {
		return k.untrainable(ref)
	}
	if r == rung.FewShot && len(k.Building.Train) < 2 {
		return fmt.Sprintf("%d train examples are too few to demonstrate with", len(k.Building.Train))
	}
	return ""
}

// once keeps what was built, because later rungs start from it.
func once(m *map[rung.ModelRef]*Built, ref rung.ModelRef, build func() (*Built, error)) (*Built, error) {
	if b, ok := (*m)[ref]; ok {
		return b, nil
	}
	b, err := build()
	if err != nil {
		return nil, err
	}
	if *m == nil {
		*m = make(map[rung.ModelRef]*Built)
	}
	(*m)[ref] = b
	return b, nil
}

// start is the candidate that every rung begins with: the task's words, the template, and decoding that fits the model.
func (k *Kit) start(ctx context.Context, r rung.Rung, ref rung.ModelRef, t rung.Template) (rung.Candidate, error) {
	c := rung.Candidate{
		Rung: r, Model: ref, Instructions: k.Task.Instructions, Input: k.Task.Input, Output: k.Task.Output, Template: t,
	}
	can := k.Can(ref)
	c.Decoding = rung.Decoding{
		Constrained: can.Schema && k.Form.JSON() || can.Choices && k.Task.Output.Kind == rung.Labels,
		Reasks:      k.Task.Limits.Reasks,
		Seed:        1,
	}
	c.Decoding.MaxTokens = k.maxTokens(ref, c.Decoding.Constrained)
	if ref.Local() {
		_, digest, err := k.Engine.Weights(ctx, ref)
		if err != nil {
			return c, err
		}
		c.Weights = digest
		return c, nil
	}
	return c, k.probe(ctx, &c)
}

// probe finds out, once per model, whether a server that nothing is known about holds answers to a schema. It asks the first
// dev example, which is asked anyway.
func (k *Kit) probe(ctx context.Context, c *rung.Candidate) error {
	if !c.Decoding.Constrained || len(k.Building.Dev) == 0 {
		return nil
	}
	refused, known := k.unconstrained[c.Model]
	if !known {
		r, err := k.Runner(ctx, *c)
		if err != nil {
			return err
		}
		ans, err := r.Answer(ctx, k.Building.Dev[0].Input)
		if err != nil {
			return err
		}
		refused = ans.Unsupported
		if k.unconstrained == nil {
			k.unconstrained = make(map[rung.ModelRef]bool)
		}
		k.unconstrained[c.Model] = refused
		if refused {
			k.Observer.Note(fmt.Sprintf("%s does not hold answers to a schema; they are parsed, validated and asked for again instead.", c.Model))
		}
	}
	if refused {
		c.Decoding.Constrained = false
		c.Decoding.MaxTokens = k.maxTokens(c.Model, false)
	}
	return nil
}

// maxTokens bounds an answer: the task's limit, else from the longest train answer at three bytes a token with room to
// spare. Hosted models may think, pretty-print or explain, so they get far more; they are not made to use it.
func (k *Kit) maxTokens(ref rung.ModelRef, constrained bool) int {
	if n := k.Task.Limits.MaxTokens; n > 0 {
		return n
	}
	longest := 0
	for i := range k.Building.Train {
		longest = max(longest, len(k.Building.Train[i].Output))
	}
	n := longest/2 + 24
	if !ref.Local() {
		return min(max(4*n, 1024), 8192)
	}
	if !constrained && k.Form.JSON() {
		n *= 2
	}
	return min(n, 1024)
}

// What is spent on choosing is bounded: hosted models cost money per call, local ones time.
const (
	devLimit      = 64
	localDevLimit = 24
)

// dev are the examples on which candidates for a model are chosen.
func (k *Kit) dev(ref rung.ModelRef) []rung.Example {
	limit := devLimit
	if ref.Local() {
		limit = localDevLimit
	}
	return k.Building.Dev[:min(len(k.Building.Dev), limit)]
}

// option is a candidate to choose among, and what sets it apart.
type option struct {
	label string
	cand  rung.Candidate
}

// choose tries the options on dev and gives the index of the best. Options come cheapest first, and a later one is taken
// only when it is better. Where there are many, all are tried on the first third of dev and the better half goes on
// (successive halving, Karnin et al., ICML 2013): what was answered in the first round is not paid for again.
func (k *Kit) choose(ctx context.Context, b *Built, opts []option, dev []rung.Example) (int, error) {
	alive := make([]int, len(opts))
	for i := range alive {
		alive[i] = i
	}
	trials := make([]rung.Trial, len(opts))
	run := func(dev []rung.Example) error {
		for _, i := range alive {
			k.Observer.Step("trying " + opts[i].label)
			trial, _, err := k.try(ctx, b, opts[i], dev)
			if err != nil {
				return err
			}
			trials[i] = trial
		}
		sort.SliceStable(alive, func(x, y int) bool { return trials[alive[x]].Value > trials[alive[y]].Value })
		return nil
	}
	if first := len(dev) / 3; len(opts) > 2 && first >= 8 {
		if err := run(dev[:first]); err != nil {
			return 0, err
		}
		alive = alive[:(len(alive)+1)/2]
		sort.Ints(alive)
	}
	if err := run(dev); err != nil {
		return 0, err
	}
	for i := range b.Trials {
		b.Trials[i].Chosen = false // the last choice is the one that counts
	}
	trials[alive[0]].Chosen = true
	b.Trials = append(b.Trials, trials...)
	return alive[0], nil
}

// try scores one option on dev. The scores are in the order of dev.
func (k *Kit) try(ctx context.Context, b *Built, o option, dev []rung.Example) (rung.Trial, []rung.Score, error) {
	r, err := k.Runner(ctx, o.cand)
	if err != nil {
		return rung.Trial{}, nil, err
	}
	scores := make([]rung.Score, len(dev))
	keep := func(_ context.Context, batch []IndexedScore) error {
		for _, s := range batch {
			scores[s.Index] = s.Score
		}
		return nil
	}
	tally, wall, err := Evaluate(ctx, r, dev, Evaluation{
		Grader: k.Grader, Concurrency: k.Concurrency(o.cand.Model), Keep: keep, Progress: k.Observer.Progress,
	})
	if err != nil {
		return rung.Trial{}, nil, err
	}
	effort := effortOf(scores, wall)
	b.Effort.Add(effort)
	return rung.Trial{
		Candidate: o.cand.Digest(), Label: o.label, Value: tally.Value(k.Task.Bar.Metric), N: len(dev), CostUSD: effort.CostUSD,
	}, scores, nil
}

func effortOf(scores []rung.Score, wall time.Duration) rung.Effort {
	e := rung.Effort{WallSeconds: wall.Seconds()}
	for i := range scores {
		a := &scores[i].Answer
		e.Calls.Made += a.Made
		e.Calls.Cached += a.Cached
		e.Calls.Failed += a.Failed
		e.Tokens.In += a.Usage.In
		e.Tokens.Out += a.Usage.Out
		e.CostUSD += a.CostUSD
	}
	return e
}

// Concurrency is the number of calls to a model that are kept in flight.
func (k *Kit) Concurrency(ref rung.ModelRef) int {
	if n := k.Task.Limits.Concurrency; n > 0 {
		return n
	}
	return max(k.Can(ref).Concurrency, 1)
}

// Runner prepares a candidate of this climb, with the pool and the index that it names.
func (k *Kit) Runner(ctx context.Context, c rung.Candidate) (*Runner, error) {
	parts := Parts{Door: k.Door, Form: k.Form}
	if d := c.Demos; d != nil && d.Mode != rung.FixedDemos {
		p, err := k.trainPool(ctx)
		if err != nil {
			return nil, err
		}
		parts.Pool = p.demos
		parts.Nearest, err = p.nearest(ctx, d.Mode)
		if err != nil {
			return nil, err
		}
	}
	if c.Retrieval != nil {
		index, err := k.documentIndex(ctx)
		if err != nil {
			return nil, err
		}
		parts.Search = index.Search
	}
	return NewRunner(c, parts)
}
