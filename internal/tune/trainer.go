package tune

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/rung-dev/rung"
	"github.com/rung-dev/rung/internal/venv"
	"github.com/rung-dev/rung/python"
)

// Options say how jobs are run. The zero value is good.
type Options struct {
	// Python is the interpreter of an environment that has what the worker needs. Empty: $RUNG_PYTHON_TRAIN, else the
	// managed environment, installed when it is missing.
	Python string
	// Log receives the worker's standard error, line by line. It is also kept in the job's directory.
	Log func(string)
	// CheckpointEvery is how often a job saves its state. Zero: 30 s.
	CheckpointEvery time.Duration
	// Threads that the worker computes with. Zero: as many as there are cores.
	Threads int
	// Path is how gradients are computed: "auto" (or empty), "packed" or "plain". For tests and measurements.
	Path string
	// Dtype of the base's weights: "auto" (or empty), "float32" or "bfloat16".
	Dtype string
}

// Trainer runs training jobs.
type Trainer struct{ opt Options }

// New gives a trainer. It does nothing until Train is called.
func New(opt Options) *Trainer { return &Trainer{opt: opt} }

// Lock is the requirements file of the managed training environment, with hashes.
func Lock() ([]byte, error) { return python.Worker.ReadFile("rungworker/requirements.lock") }

// Ready reports whether training can start without installing anything.
func (t *Trainer) Ready() bool {
	if t.opt.Python != "" || os.Getenv("RUNG_PYTHON_TRAIN") != "" {
		return true
	}
	lock, err := Lock()
	if err != nil {
		return false
	}
	_, ok := venv.Ready("train", lock)
	return ok
}

// Install makes the managed environment, if there is none yet. log receives lines for a person and may be nil. Errors are
// those of venv.Ensure.
func (t *Trainer) Install(ctx context.Context, log func(string)) (pythonPath string, err error) {
	if t.opt.Python != "" {
		return t.opt.Python, nil
	}
	if p := os.Getenv("RUNG_PYTHON_TRAIN"); p != "" {
		return p, nil
	}
	lock, err := Lock()
	if err != nil {
		return "", &rung.Error{Code: rung.CodeInternal, What: "the worker's lock file is not in the binary: " + err.Error(), Err: err}
	}
	return venv.Ensure(ctx, "train", lock, log)
}

// Train runs a job to its end and gives what it trained. A job that was stopped or killed continues from its last checkpoint;
// one that has ended is answered from its directory. progress is called from one goroutine at a time and may be nil.
//
// Errors: CodeInput for rows or a base that cannot be trained on, or settings with which the loss is no number;
// CodeCapacity when it does not fit into memory; CodeMissing or CodeUnreachable when the worker cannot be installed;
// CodeInterrupted when ctx ends; CodeTimeout when the worker hangs; CodeStore when the directory cannot be written or a
// checkpoint is damaged; CodeInternal when the worker crashes.
func (t *Trainer) Train(ctx context.Context, job Job, progress func(Event)) (Trained, error) {
	if progress == nil {
		progress = func(Event) {}
	}
	if err := job.check(); err != nil {
		return Trained{}, err
	}
	s, err := readShape(job.Base)
	if err != nil {
		return Trained{}, err
	}
	if err := job.checkRows(s); err != nil {
		return Trained{}, err
	}
	e := estimate(s, job, availableMemory())
	if !e.Fits {
		return Trained{}, e.refusal()
	}
	python, err := t.Install(ctx, func(text string) { progress(Event{Phase: Installing, Message: text}) })
	if err != nil {
		return Trained{}, err
	}
	w, err := t.prepare(python, job, s, e)
	if err != nil {
		return Trained{}, err
	}
	defer os.Remove(w.job)
	end, err := w.run(ctx, func(l line) { progress(l.event()) })
	if err != nil {
		return Trained{}, err
	}
	return w.result(ctx, end)
}

// check refuses rows that nothing can be learned from.
func (j Job) check() error {
	if len(j.Train) == 0 || len(j.Dev) == 0 {
		return &rung.Error{Code: rung.CodeInput, What: fmt.Sprintf("there are %d train and %d dev rows; training needs both", len(j.Train), len(j.Dev)), Do: "give the task more examples"}
	}
	if j.Dir == "" {
		return &rung.Error{Code: rung.CodeInternal, What: "the training job has no directory"}
	}
	if err := j.checkSettings(); err != nil {
		return err
	}
	return j.eachRow(func(place string, r Row) error {
		if len(r.Prompt) == 0 || len(r.Completion) == 0 {
			return &rung.Error{Code: rung.CodeInput, What: place + " has an empty prompt or completion", Do: "remove the example or fill it in"}
		}
		return nil
	})
}

// checkRows refuses rows that the model cannot take, before Python is started.
func (j Job) checkRows(s shape) error {
	return j.eachRow(func(place string, r Row) error {
		if s.context > 0 && int64(r.Len()) > s.context {
			return &rung.Error{Code: rung.CodeInput, What: fmt.Sprintf("%s has %d tokens; the model's context is %d", place, r.Len(), s.context), Do: "shorten the instructions or the example"}
		}
		for _, id := range slices.Concat(r.Prompt, r.Completion) {
			if id < 0 || int64(id) >= s.vocabulary {
				return &rung.Error{Code: rung.CodeInput, What: fmt.Sprintf("%s has the token id %d; the model's vocabulary has %d", place, id, s.vocabulary), Do: "make the rows with the tokenizer of the same model"}
			}
		}
		return nil
	})
}

// checkSettings refuses configurations that make no sense.
func (j Job) checkSettings() error {
	for _, p := range j.Grid {
		ok := p.Rank > 0 && p.Alpha > 0 && p.Dropout >= 0 && p.Dropout < 1 && p.BatchSize > 0 && len(p.Targets) > 0 &&
			p.Epochs > 0 && p.LearningRate > 0 && !math.IsInf(p.LearningRate, 0)
		if !ok {
			return &rung.Error{Code: rung.CodeInput, What: fmt.Sprintf("the training settings make no sense: %+v", p), Do: "correct them"}
		}
		for _, target := range p.Targets {
			if !slices.Contains(AllLinear, target) {
				return &rung.Error{Code: rung.CodeInput, What: fmt.Sprintf("%q is no target module", target), Do: "use some of " + strings.Join(AllLinear, ", ")}
			}
		}
	}
	return nil
}

func (j Job) eachRow(check func(place string, r Row) error) error {
	for _, part := range []struct {
		name string
		rows []Row
	}{{"train", j.Train}, {"dev", j.Dev}} {
		for i, r := range part.rows {
			if err := check(fmt.Sprintf("%s row %d", part.name, i), r); err != nil {
				return err
			}
		}
	}
	return nil
}

// prepare writes the worker's files and the job file.
func (t *Trainer) prepare(python string, job Job, s shape, e Estimate) (*worker, error) {
	dir, err := filepath.Abs(job.Dir)
	if err != nil {
		return nil, storeError(job.Dir, err)
	}
	base, err := filepath.Abs(job.Base)
	if err != nil {
		return nil, storeError(job.Base, err)
	}
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return nil, storeError(dir, err)
	}
	files := filepath.Join(dir, "worker")
	if err := unpack(files); err != nil {
		return nil, err
	}
	b, err := json.Marshal(wire{
		V: protocol, Digest: job.Digest(), Base: base, Train: job.Train, Dev: job.Dev, Grid: job.grid(s.parameters),
		WallS: job.wall().Seconds(), Seed: job.Seed, Dir: dir,
		Options: wireOptions{
			Path: orAuto(t.opt.Path), Dtype: orAuto(t.opt.Dtype), CheckpointS: orSeconds(t.opt.CheckpointEvery, 30*time.Second),
			MaxPositions: e.maxPositions, Threads: t.opt.Threads, DieWithStdin: true,
		},
	})
	if err != nil {
		return nil, &rung.Error{Code: rung.CodeInternal, What: "the training job has no JSON form: " + err.Error(), Err: err}
	}
	file := filepath.Join(dir, "job.json")
	if err := os.WriteFile(file, b, 0o644); err != nil {
		return nil, storeError(file, err)
	}
	return &worker{python: python, files: files, job: file, dir: dir, log: t.opt.Log, silence: silence}, nil
}

func orAuto(s string) string {
	if s == "" {
		return "auto"
	}
	return s
}

func orSeconds(d, otherwise time.Duration) float64 {
	if d <= 0 {
		d = otherwise
	}
	return d.Seconds()
}

// unpack writes the worker's Python files, those that this binary was built with, below dir.
func unpack(dir string) error {
	return fs.WalkDir(python.Worker, "rungworker", func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() || !strings.HasSuffix(path, ".py") {
			return err
		}
		b, err := python.Worker.ReadFile(path)
		if err != nil {
			return err
		}
		to := filepath.Join(dir, filepath.FromSlash(path))
		if err := os.MkdirAll(filepath.Dir(to), 0o755); err != nil {
			return storeError(to, err)
		}
		if err := os.WriteFile(to, b, 0o644); err != nil {
			return storeError(to, err)
		}
		return nil
	})
}

func storeError(path string, err error) error {
	do := "make the directory writable"
	if errors.Is(err, fs.ErrNotExist) {
		do = "create the directory"
	}
	return &rung.Error{Code: rung.CodeStore, Place: path, What: "cannot be written: " + err.Error(), Do: do, Err: err}
}

func (l line) event() Event {
	return Event{Phase: l.Phase, Config: l.Config, Configs: l.Configs, Label: l.Label, Step: l.Step, Steps: l.Steps,
		Loss: l.Loss, DevLoss: l.DevLoss, TokensPerS: l.TokensPerS, ETA: time.Duration(l.ETAS * float64(time.Second)), Message: l.Message}
}
