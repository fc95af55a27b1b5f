// Package engine runs models on this machine: it finds or installs llama.cpp's server, starts one per model when the model
// is first used, watches it, starts it again when it dies, and stops it. It is the provider of every local/… model.
//
// What is served is what is trained: PromptTokens gives the very tokens that Complete sends.
package engine

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"sync"

	"github.com/rung-dev/rung"
	"github.com/rung-dev/rung/internal/model"
	"github.com/rung-dev/rung/internal/venv"
)

// Options are what an engine needs. The zero value works.
type Options struct {
	CacheDir  string       // of models and scripts; empty: venv.CacheDir
	Dir       string       // what relative paths of local/PATH.gguf are relative to; empty: the working directory
	Threads   int          // of one server; 0: as many as the machine has cores for, when the server starts
	Slots     int          // slots of one server per model; 0: several servers or slots, by the model's size and the cores
	Context   int          // tokens per slot at most; 0: DefaultContext
	Log       func(string) // one line of progress or of a server's log at a time; may be nil
	ServerLog func(string) // the servers' own log lines; may be nil
}

const (
	// DefaultContext bounds the memory of a slot's cache; a model with a shorter context gets its own.
	DefaultContext = 8192
)

// Engine is the local engine. There is one per process. It is safe for concurrent use.
type Engine struct {
	opt Options

	mu      sync.Mutex
	closed  bool
	backend backend
	models  map[rung.ModelRef]*local
}

var (
	_ model.Provider = (*Engine)(nil)
	_ model.Embedder = (*Engine)(nil)
)

// New makes an engine. Nothing is installed or started before it is needed.
func New(opt Options) (*Engine, error) {
	if opt.CacheDir == "" {
		dir, err := venv.CacheDir()
		if err != nil {
			return nil, err
		}
		opt.CacheDir = dir
	}
	if opt.Context <= 0 {
		opt.Context = DefaultContext
	}
	if opt.Log == nil {
		opt.Log = func(string) {}
	}
	return &Engine{opt: opt, models: map[rung.ModelRef]*local{}}, nil
}

// inFlight is how many requests the engine likes to have at once: many more than slots, since the scheduler sorts them by
// prefix and can only sort what it has been given.
const inFlight = 32

// Can says what local models are able to do.
func (e *Engine) Can(ref rung.ModelRef) model.Can {
	return model.Can{Schema: true, Choices: true, Adapters: true, Concurrency: inFlight, Context: e.knownContext(ref)}
}

// BaseURL tells builds of llama.cpp apart: another build rounds differently.
func (e *Engine) BaseURL() string {
	b, err := e.findBackend(context.Background())
	if err != nil {
		return "llama.cpp"
	}
	return "llama.cpp/" + b.name()
}

// findBackend chooses llama-server on PATH, else the wheel, whose installation waits until a server is started.
func (e *Engine) findBackend(ctx context.Context) (backend, error) {
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.backend != nil {
		return e.backend, nil
	}
	var b backend = &wheel{cacheDir: e.opt.CacheDir, log: e.opt.Log}
	if path := FindServer(); path != "" {
		found, err := newBinary(ctx, path)
		if err != nil {
			return nil, err
		}
		b = found
	}
	e.backend = b
	return b, nil
}

// Weights is the file that serves ref and its digest: it is downloaded and converted the first time, which takes minutes on
// a slow network. Errors: CodeModel for an unknown model, CodeInput for a file that is no GGUF, and those of venv.Ensure.
func (e *Engine) Weights(ctx context.Context, ref rung.ModelRef) (path string, digest rung.Digest, err error) {
	m, err := e.open(ctx, ref)
	if err != nil {
		return "", "", err
	}
	return m.files.Served, m.files.Digest, nil
}

// BasePath is the GGUF file as published, which training starts from. Errors are those of Weights.
func (e *Engine) BasePath(ctx context.Context, ref rung.ModelRef) (string, error) {
	m, err := e.open(ctx, ref)
	if err != nil {
		return "", err
	}
	return m.files.Base, nil
}

// Start makes the model answer at once: files, environment and all its servers. Everything else does it when it needs to.
func (e *Engine) Start(ctx context.Context, ref rung.ModelRef) error {
	m, err := e.open(ctx, ref)
	if err != nil {
		return err
	}
	return wrapContext(ctx, m.fleet.start(ctx))
}

// ContextSize is the number of tokens that a prompt and its answer may have together.
func (e *Engine) ContextSize(ctx context.Context, ref rung.ModelRef) (int, error) {
	m, err := e.open(ctx, ref)
	if err != nil {
		return 0, err
	}
	return m.fleet.context(), nil
}

// Close stops all servers. What is in flight fails.
func (e *Engine) Close() error {
	e.mu.Lock()
	e.closed = true
	models := e.models
	e.models = map[rung.ModelRef]*local{}
	e.mu.Unlock()
	var wg sync.WaitGroup
	for _, m := range models {
		wg.Go(func() {
			<-m.opened
			if m.fleet != nil {
				m.fleet.close()
			}
		})
	}
	wg.Wait()
	return nil
}

// wrapContext gives the end of a context the code that its cause has for a person.
func wrapContext(ctx context.Context, err error) error {
	var known *rung.Error
	switch {
	case err == nil || errors.As(err, &known):
		return err
	case errors.Is(err, context.DeadlineExceeded):
		return &rung.Error{Code: rung.CodeTimeout, What: "the local engine did not answer in time", Do: "raise limits.timeout in the task file; rung doctor shows whether the machine is busy", Err: err}
	case errors.Is(err, context.Canceled) && ctx.Err() != nil:
		return &rung.Error{Code: rung.CodeInterrupted, What: "interrupted", Do: "run the same command again to go on", Err: err}
	}
	return &rung.Error{Code: rung.CodeProvider, What: fmt.Sprintf("the local engine: %v", err), Do: "run it again; if it stays, see rung doctor", Err: err}
}

// absolute resolves the path of local/PATH.gguf.
func (e *Engine) absolute(name string) (string, error) {
	if filepath.IsAbs(name) {
		return filepath.Clean(name), nil
	}
	if e.opt.Dir != "" {
		return filepath.Join(e.opt.Dir, filepath.FromSlash(name)), nil
	}
	return filepath.Abs(filepath.FromSlash(name))
}
