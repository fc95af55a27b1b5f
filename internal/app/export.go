package app

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/rung-dev/rung"
	"github.com/rung-dev/rung/internal/engine"
	"github.com/rung-dev/rung/internal/registry"
	"github.com/rung-dev/rung/internal/tune"
)

// ExportOptions say what to export and how.
type ExportOptions struct {
	Layout  *registry.Layout
	Digest  rung.Digest // of the release
	To      string      // one of ExportFormats
	Dir     string      // is made; must not hold anything
	BaseDir string      // what relative paths of local/PATH.gguf are relative to
	Observe func(string)
}

// ExportFormats are the forms in which a release can be exported.
var ExportFormats = []string{"peft", "safetensors", "gguf", "ollama", "vllm"}

// Exported is what an export wrote.
type Exported struct {
	Dir   string   `json:"dir"`
	Files []string `json:"files"`
	Left  []string `json:"left_out"` // what of the release the form cannot carry
}

// Export writes a release in a form that other programs read. The folder appears whole or not at all. Errors: CodeUnsupported
// where the release has nothing of that form (no adapter, a hosted model), CodeConflict where the folder holds something,
// CodeMissing where merging needs the training worker.
func Export(ctx context.Context, opt ExportOptions) (_ *Exported, err error) {
	if !slices.Contains(ExportFormats, opt.To) {
		return nil, &rung.Error{Code: rung.CodeUsage, What: fmt.Sprintf("there is no form %q", opt.To), Do: "the forms are " + strings.Join(ExportFormats, ", ")}
	}
	r, err := opt.Layout.Verify(ctx, opt.Digest)
	if err != nil {
		return nil, err
	}
	if err := empty(opt.Dir); err != nil {
		return nil, err
	}
	part, err := filepath.Abs(opt.Dir + ".part")
	if err == nil {
		err = errors.Join(os.RemoveAll(part), os.MkdirAll(part, 0o755))
	}
	if err != nil {
		return nil, exportError(opt.Dir, err)
	}
	defer func() { err = errors.Join(err, os.RemoveAll(part)) }()
	e := &exporting{ExportOptions: opt, release: r, part: part}
	defer func() { err = errors.Join(err, e.close()) }()
	if err := e.write(ctx); err != nil {
		return nil, err
	}
	return e.finish()
}

// exporting is an export on its way.
type exporting struct {
	ExportOptions
	release *rung.Release
	part    string // the folder that becomes Dir
	left    []string
	engine  *engine.Engine
}

func (e *exporting) close() error {
	if e.engine == nil {
		return nil
	}
	return e.engine.Close()
}

func (e *exporting) write(ctx context.Context) error {
	switch e.To {
	case "peft":
		return e.peft(ctx, e.part)
	case "safetensors":
		return e.merged(ctx)
	case "gguf":
		return e.copyPart(ctx, registry.Adapter, filepath.Join(e.part, "adapter.gguf"))
	case "ollama":
		return e.ollama(ctx)
	}
	return e.vllm(ctx)
}

// finish puts the folder in its place.
func (e *exporting) finish() (*Exported, error) {
	out := &Exported{Dir: e.Dir, Files: []string{}, Left: append([]string{}, e.left...)}
	err := filepath.WalkDir(e.part, func(path string, d fs.DirEntry, err error) error {
		if err == nil && !d.IsDir() {
			var rel string
			rel, err = filepath.Rel(e.part, path)
			out.Files = append(out.Files, filepath.ToSlash(rel))
		}
		return err
	})
	if err == nil {
		if err = os.Remove(e.Dir); errors.Is(err, fs.ErrNotExist) {
			err = nil
		}
	}
	if err == nil {
		err = os.Rename(e.part, e.Dir)
	}
	if err != nil {
		return nil, exportError(e.Dir, err)
	}
	return out, nil
}

func empty(dir string) error {
	entries, err := os.ReadDir(dir)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return exportError(dir, err)
	}
	if len(entries) > 0 {
		return &rung.Error{Code: rung.CodeConflict, Place: dir, What: "holds something already", Do: "name a folder that is new or empty"}
	}
	return nil
}

func exportError(path string, err error) error {
	return &rung.Error{Code: rung.CodeStore, Place: path, What: "cannot be written: " + err.Error(), Do: "make it writable, with room on its disk", Err: err}
}

func (e *exporting) unsupported(what, do string) error {
	return &rung.Error{Code: rung.CodeUnsupported, Place: e.release.Name(), What: what, Do: do}
}

// copyPart writes a part of the release as a file.
func (e *exporting) copyPart(ctx context.Context, kind, to string) error {
	path, err := e.Layout.PartPath(ctx, e.release, kind)
	if err != nil {
		return err
	}
	if path == "" {
		if e.release.Candidate.Adapter == nil {
			return e.unsupported(fmt.Sprintf("it has no adapter: its rung is %s", e.release.Candidate.Rung), "serve it with rung serve, or export --to ollama")
		}
		return e.unsupported("its adapter has no PEFT form", "export --to gguf")
	}
	return copyFile(path, to)
}

// copyFile copies a file. The copy does not change with the original.
func copyFile(from, to string) error {
	in, err := os.Open(from)
	if err != nil {
		return exportError(from, err)
	}
	defer in.Close()
	out, err := os.OpenFile(to, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o644)
	if err != nil {
		return exportError(to, err)
	}
	_, err = io.Copy(out, in)
	if err := errors.Join(err, out.Close()); err != nil {
		return exportError(to, err)
	}
	return nil
}

// peft writes PEFT's folder.
func (e *exporting) peft(ctx context.Context, dir string) error {
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return exportError(dir, err)
	}
	if err := e.copyPart(ctx, registry.PEFTWeights, filepath.Join(dir, tune.PEFTWeightsName)); err != nil {
		return err
	}
	return e.copyPart(ctx, registry.PEFTConfig, filepath.Join(dir, tune.PEFTConfigName))
}

// openEngine opens the engine and holds the local model to the evaluated weights.
func (e *exporting) openEngine(ctx context.Context) (served string, err error) {
	c := &e.release.Candidate
	if !c.Model.Local() {
		return "", e.unsupported(fmt.Sprintf("the weights of %s are not on this machine", c.Model), "serve it with rung serve")
	}
	if e.engine, err = engine.New(engine.Options{Dir: e.BaseDir, Log: e.Observe}); err != nil {
		return "", err
	}
	path, _, err := e.engine.Weights(ctx, c.Model)
	if err != nil {
		return "", err
	}
	return path, (&Loaded{Release: e.release}).checkWeights(ctx, LoadOptions{Engine: e.engine})
}

// merged writes the base model with the adapter merged into it.
func (e *exporting) merged(ctx context.Context) error {
	folder := filepath.Join(e.part, "adapter")
	if err := e.peft(ctx, folder); err != nil {
		return err
	}
	if _, err := e.openEngine(ctx); err != nil {
		return err
	}
	base, err := e.engine.BasePath(ctx, e.release.Candidate.Model)
	if err != nil {
		return err
	}
	if e.Observe != nil {
		e.Observe("merging the adapter into the base model, which takes minutes for a large one")
	}
	merged, err := tune.New(tune.Options{}).Merge(ctx, tune.Merge{Base: base, PEFT: folder, Out: filepath.Join(e.part, "model")})
	if err != nil {
		return err
	}
	e.left = append(e.left, merged.Notes...)
	e.left = append(e.left, "the quantisation that was evaluated: these weights are bfloat16, so answers can differ")
	if err := os.RemoveAll(folder); err != nil {
		return exportError(folder, err)
	}
	for _, file := range merged.Files {
		if err := os.Rename(filepath.Join(e.part, "model", file), filepath.Join(e.part, file)); err != nil {
			return exportError(file, err)
		}
	}
	return os.Remove(filepath.Join(e.part, "model"))
}
