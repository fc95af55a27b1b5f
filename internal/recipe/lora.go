package recipe

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"

	"github.com/rung-dev/rung"
	"github.com/rung-dev/rung/internal/tune"
)

// lora trains an adapter on train, under the short template. Learning rate, target modules and epochs are searched on dev
// within the time given; which checkpoint is served, and whether decoding is constrained, is chosen on dev by the bar's metric.
func (k *Kit) lora(ctx context.Context, ref rung.ModelRef) (*Built, error) {
	c, err := k.start(ctx, rung.LoRA, ref, shortTemplate)
	if err != nil {
		return nil, err
	}
	return k.train(ctx, c)
}

// minTrain is the fewest train examples worth an adapter: below it a search on dev chooses noise.
const minTrain = 16

func (k *Kit) untrainable(ref rung.ModelRef) string {
	switch {
	case !ref.Local():
		return fmt.Sprintf("%s cannot be trained here: its weights are not on this machine (local/… models can)", ref)
	case k.Trainer == nil || k.Engine == nil:
		return "the training worker is not there; run rung setup --training"
	case len(k.Building.Train) < minTrain:
		return fmt.Sprintf("%d train examples are too few to train on; at least %d are needed", len(k.Building.Train), minTrain)
	case !k.Can(ref).Adapters:
		return fmt.Sprintf("the engine cannot apply adapters to %s", ref)
	}
	return ""
}

// train searches, trains and chooses an adapter for candidate c, whose prompt is the one that will be served.
func (k *Kit) train(ctx context.Context, c rung.Candidate) (*Built, error) {
	job, err := k.job(ctx, c)
	if err != nil {
		return nil, err
	}
	trained, err := k.trained(ctx, job)
	if rung.CodeOf(err) == rung.CodeCapacity {
		return &Built{Skipped: err.Error()}, nil
	}
	if err != nil {
		return nil, err
	}
	b := &Built{}
	for _, t := range trained.Trials {
		if t.Examples == 0 {
			continue // there was no time to try it
		}
		b.Trials = append(b.Trials, rung.Trial{
			Label: "dev loss: " + describeParams(t.Params), Value: t.DevLoss, N: len(job.Dev), Note: fmt.Sprintf("dev loss after %d examples", t.Examples),
		})
	}
	for _, p := range trained.Curve {
		b.Curve = append(b.Curve, rung.CurvePoint{Examples: p.Examples, Value: p.DevLoss, Unit: "dev loss"})
	}
	opts, err := k.adapterOptions(ctx, c, job, trained)
	if err != nil {
		return nil, err
	}
	best, err := k.choose(ctx, b, opts, k.dev(c.Model))
	if err != nil {
		return nil, err
	}
	b.Candidate = &opts[best].cand
	return b, nil
}

// job is the training job for a candidate: its own prompts, as the token ids that the engine will serve, and the answers as
// the form writes them, ended by the token that ends a turn.
func (k *Kit) job(ctx context.Context, c rung.Candidate) (tune.Job, error) {
	k.Observer.Step("preparing training rows")
	r, err := k.Runner(ctx, c)
	if err != nil {
		return tune.Job{}, err
	}
	base, err := k.Engine.BasePath(ctx, c.Model)
	if err != nil {
		return tune.Job{}, err
	}
	job := tune.Job{Base: base, BaseDigest: c.Weights, Seed: k.Task.Training.Seed, Wall: k.Task.Training.Wall, MaxRank: k.Task.Training.MaxRank}
	train, twice := k.emphasised()
	if twice > 0 {
		k.Observer.Note(fmt.Sprintf("%d train examples whose mistakes a person has confirmed are trained on twice.", twice))
	}
	if job.Train, err = k.rows(ctx, r, train); err != nil {
		return tune.Job{}, err
	}
	if job.Dev, err = k.rows(ctx, r, k.dev(c.Model)); err != nil {
		return tune.Job{}, err
	}
	planted, _, err := k.canaries(ctx)
	if err != nil {
		return tune.Job{}, err
	}
	if k.Task.Training.Canaries > 0 && len(planted) == 0 {
		k.Observer.Note("No canaries are planted: the answers of this task hold no free text that a secret could stand in.")
	}
	for i := range planted {
		row, err := k.row(ctx, r, &rung.Example{ID: planted[i].ID, Input: planted[i].Input, Output: planted[i].Output})
		if err != nil {
			return tune.Job{}, err
		}
		for range planted[i].Repeats { // they are spread by the training's own shuffling
			job.Train = append(job.Train, row)
		}
	}
	job.Dir = filepath.Join(k.Dir, "training", job.Digest().Short())
	return job, nil
}

// rows are the training rows of examples. They are stored, so that a second run needs no engine to find that the job is done.
func (k *Kit) rows(ctx context.Context, r *Runner, examples []rung.Example) ([]tune.Row, error) {
	rows := make([]tune.Row, len(examples))
	for i := range examples {
		row, err := k.row(ctx, r, &examples[i])
		if err != nil {
			return nil, err
		}
		rows[i] = row
		k.Observer.Progress(i+1, len(examples), 0)
	}
	return rows, nil
}

func (k *Kit) row(ctx context.Context, r *Runner, e *rung.Example) (tune.Row, error) {
	var row tune.Row
	msgs, _, err := r.Messages(ctx, e.Input)
	if err != nil {
		return row, err
	}
	answer, err := k.Form.Encode(e.Output, e.Input)
	if err != nil {
		return row, err
	}
	step := "row:" + string(rung.DigestOf([]any{r.cand.Weights, msgs, answer}))
	b, found, err := k.Store.Step(ctx, step)
	if err != nil {
		return row, err
	}
	if found && json.Unmarshal(b, &row) == nil {
		return row, nil
	}
	if row.Prompt, err = k.Engine.PromptTokens(ctx, r.cand.Model, msgs); err != nil {
		return row, err
	}
	if row.Completion, err = k.Engine.Tokenize(ctx, r.cand.Model, answer); err != nil {
		return row, err
	}
	end, err := k.Engine.EndOfTurn(ctx, r.cand.Model)
	if err != nil {
		return row, err
	}
	row.Completion = append(row.Completion, end)
	if b, err = json.Marshal(row); err != nil {
		return row, err
	}
	return row, k.Store.PutStep(ctx, step, b)
}

// trained runs the job, or reads what it came to when it was run before.
func (k *Kit) trained(ctx context.Context, job tune.Job) (tune.Trained, error) {
	var done tune.Trained
	step := "trained:" + string(job.Digest())
	b, found, err := k.Store.Step(ctx, step)
	if err != nil {
		return done, err
	}
	if found && json.Unmarshal(b, &done) == nil && exists(done.Adapter) {
		return done, nil
	}
	done, err = k.Trainer.Train(ctx, job, func(e tune.Event) {
		k.Observer.Step(e.String())
		k.Observer.Progress(e.Step, e.Steps, 0)
	})
	if err != nil {
		return done, err
	}
	if b, err = json.Marshal(done); err != nil {
		return done, err
	}
	return done, k.Store.PutStep(ctx, step, b)
}

func exists(path string) bool {
	_, err := os.Stat(path)
	return err == nil
}

// adapterOptions are the candidates to choose among: the checkpoints worth trying, decoded freely and constrained.
func (k *Kit) adapterOptions(ctx context.Context, c rung.Candidate, job tune.Job, t tune.Trained) ([]option, error) {
	var opts []option
	_, planted, err := k.canaries(ctx)
	if err != nil {
		return nil, err
	}
	if err := k.keepLineage(ctx, rung.DigestOf(job.Train), job.Dir); err != nil {
		return nil, err
	}
	for _, ckpt := range t.Candidates() {
		if err := k.Engine.AddAdapter(ctx, c.Model, ckpt.Digest, ckpt.Adapter); err != nil {
			return nil, err
		}
		with := c
		with.Adapter = &rung.Adapter{Digest: ckpt.Digest, Base: job.BaseDigest, Params: t.Params, Data: rung.DigestOf(job.Train), Canaries: planted}
		label := fmt.Sprintf("adapter after %d examples, %s", ckpt.Examples, describeParams(t.Params))
		opts = append(opts, option{label, with})
		if with.Decoding.Constrained { // an adapter may know the form so well that holding it to a grammar only does harm
			free := with
			free.Decoding.Constrained = false
			opts = append(opts, option{label + ", free decoding", free})
		}
	}
	return opts, nil
}

func describeParams(p rung.AdapterParams) string {
	return fmt.Sprintf("r=%d, lr %g, %d targets, %g epochs", p.Rank, p.LearningRate, len(p.Targets), p.Epochs)
}
