package tune

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"github.com/rung-dev/rung"
)

// Merge is an adapter to be merged into its base model.
type Merge struct {
	Base string // a GGUF file or a Hugging Face folder
	PEFT string // PEFT's folder of the adapter
	Out  string // the folder to be written; it must not hold a model
}

// Merged is what merging came to.
type Merged struct {
	Modules int      `json:"modules"` // that the adapter changed
	Files   []string `json:"files"`
	Notes   []string `json:"-"`
}

// mergeSilence is how long merging may say nothing: loading and writing gigabytes on a slow disk.
const mergeSilence = 30 * time.Minute

// Merge writes the base model with the adapter merged into it as a Hugging Face folder. It needs the training environment and
// does not install it. Errors: CodeMissing without it, CodeInput where the adapter does not fit the base, CodeConflict where Out
// holds a model, CodeCapacity when memory runs out, CodeInterrupted when ctx ends.
func (t *Trainer) Merge(ctx context.Context, m Merge) (Merged, error) {
	if !t.Ready() {
		return Merged{}, &rung.Error{Code: rung.CodeMissing, What: "merging needs the training worker, which is not installed", Do: "run rung setup --training, or export --to peft"}
	}
	python, err := t.Install(ctx, nil)
	if err != nil {
		return Merged{}, err
	}
	dir, err := os.MkdirTemp("", "rung-merge-*")
	if err != nil {
		return Merged{}, storeError(os.TempDir(), err)
	}
	defer os.RemoveAll(dir)
	w, err := t.prepareMerge(python, dir, m)
	if err != nil {
		return Merged{}, err
	}
	var notes []string
	end, err := w.run(ctx, func(l line) {
		if l.Phase == Noting {
			notes = append(notes, l.Message)
		}
	})
	if err != nil {
		return Merged{}, err
	}
	out, err := w.merged(ctx, end)
	out.Notes = notes
	return out, err
}

func (t *Trainer) prepareMerge(python, dir string, m Merge) (*worker, error) {
	paths := []string{m.Base, m.PEFT, m.Out}
	for i, p := range paths {
		abs, err := filepath.Abs(p)
		if err != nil {
			return nil, storeError(p, err)
		}
		paths[i] = abs
	}
	files := filepath.Join(dir, "worker")
	if err := unpack(files); err != nil {
		return nil, err
	}
	b, err := json.Marshal(map[string]any{"v": protocol, "base": paths[0], "peft": paths[1], "out": paths[2]})
	if err != nil {
		return nil, err
	}
	file := filepath.Join(dir, "merge.json")
	if err := os.WriteFile(file, b, 0o600); err != nil {
		return nil, storeError(file, err)
	}
	return &worker{python: python, verb: "merge", files: files, job: file, dir: dir, log: t.opt.Log, silence: mergeSilence}, nil
}

// merged turns the end of the worker into what it wrote, or an error for a person.
func (w *worker) merged(ctx context.Context, e exit) (Merged, error) {
	var m Merged
	switch {
	case e.result != nil && e.broken == nil:
		if err := json.Unmarshal(e.result, &m); err != nil {
			return m, &rung.Error{Code: rung.CodeInternal, What: "the worker's result cannot be read: " + err.Error(), Err: err}
		}
		return m, nil
	case ctx.Err() != nil:
		return m, &rung.Error{Code: rung.CodeInterrupted, What: "the merging was stopped", Do: "run the same command again", Err: ctx.Err()}
	case e.failed != nil:
		return m, e.failed
	case e.silent:
		return m, &rung.Error{Code: rung.CodeTimeout, What: fmt.Sprintf("the worker said nothing for %s", w.silence), Do: "look at what else the machine does, and run it again"}
	case killed(e.status):
		return m, &rung.Error{Code: rung.CodeCapacity, What: "the worker was killed, most likely because memory ran out", Do: "close other programs and run it again", Err: e.status}
	}
	return m, &rung.Error{Code: rung.CodeInternal, What: "the worker crashed: " + w.lastWords(e), Do: "report it", Err: e.status}
}
