package engine

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"sort"
	"strings"
	"sync"

	"github.com/rung-dev/rung"
)

// local is one opened model: its files, its server, and the way to its slots.
type local struct {
	ref    rung.ModelRef
	opened chan struct{} // closed when the fields below are final
	err    error
	files  prepared
	kind   kind
	info   header
	fleet  *fleet

	mu       sync.Mutex
	adapters []adapter // in the order of their ids
	loaded   int       // how many of them the server was started with
	schemas  map[rung.Digest]error
	probing  sync.Mutex
	end      int // end-of-turn token; -1: not asked yet
}

type kind int

const (
	chat kind = iota
	embedder
)

// open finds and prepares a model. Callers of the same model wait for each other; a failure is tried again by the next.
func (e *Engine) open(ctx context.Context, ref rung.ModelRef) (*local, error) {
	e.mu.Lock()
	if e.closed {
		e.mu.Unlock()
		return nil, errClosed
	}
	m, ok := e.models[ref]
	if !ok {
		m = &local{ref: ref, opened: make(chan struct{}), schemas: map[rung.Digest]error{}, end: -1}
		e.models[ref] = m
		go e.prepare(context.WithoutCancel(ctx), m)
	}
	e.mu.Unlock()
	select {
	case <-m.opened:
		return m, m.err
	case <-ctx.Done():
		return nil, wrapContext(ctx, ctx.Err())
	}
}

func (e *Engine) prepare(ctx context.Context, m *local) {
	defer close(m.opened)
	m.err = e.fill(ctx, m)
	if m.err != nil {
		e.mu.Lock()
		delete(e.models, m.ref)
		e.mu.Unlock()
	}
}

func (e *Engine) fill(ctx context.Context, m *local) error {
	if err := e.find(ctx, m); err != nil {
		return err
	}
	info, err := readHeader(m.files.Served)
	if err != nil {
		return err
	}
	m.info = info
	if info.embeds() {
		m.kind = embedder
	}
	b, err := e.findBackend(ctx)
	if err != nil {
		return err
	}
	if err := b.install(ctx); err != nil {
		return err
	}
	spec, servers, err := e.spec(ctx, m)
	if err != nil {
		return err
	}
	m.fleet = newFleet(m.ref, b, spec, servers, e.opt.ServerLog)
	return nil
}

// find sets the files of m.
func (e *Engine) find(ctx context.Context, m *local) error {
	name := m.ref.Name()
	if b := builtinNamed(name); b != nil {
		p, err := b.prepare(ctx, e.opt.CacheDir, e.opt.Log)
		m.files = p
		return err
	}
	if !strings.HasSuffix(strings.ToLower(name), ".gguf") {
		return e.unknown(m.ref)
	}
	path, err := e.absolute(name)
	if err != nil {
		return err
	}
	if _, err := os.Stat(path); errors.Is(err, os.ErrNotExist) {
		return &rung.Error{Code: rung.CodeModel, Place: path, What: "there is no such model file", Do: "correct the path in " + string(m.ref) + ", which is relative to the task file", Err: err}
	}
	if _, err := readHeader(path); err != nil {
		return err
	}
	digest, err := e.digests().of(path)
	if err != nil {
		return &rung.Error{Code: rung.CodeInput, Place: path, What: "cannot be read: " + err.Error(), Do: "make it readable", Err: err}
	}
	m.files = prepared{Base: path, Served: path, Digest: digest}
	return nil
}

func builtinNamed(name string) *builtin {
	for i := range builtins {
		if builtins[i].name == name {
			return &builtins[i]
		}
	}
	return nil
}

// unknown lists what there is.
func (e *Engine) unknown(ref rung.ModelRef) error {
	var have []string
	for _, b := range builtins {
		have = append(have, "local/"+b.name)
	}
	dir := e.opt.Dir
	if dir == "" {
		dir = "."
	}
	found, _ := filepath.Glob(filepath.Join(dir, "*.gguf")) // the pattern is well formed unless dir has brackets
	sort.Strings(found)
	for _, f := range found[:min(len(found), 5)] {
		have = append(have, "local/"+filepath.Base(f))
	}
	return &rung.Error{Code: rung.CodeModel, Place: string(ref), What: "there is no such local model",
		Do: "use one of " + strings.Join(have, ", ") + ", or local/PATH.gguf for a file of your own"}
}

// spec is what the model's servers are started with, and how many of them there are.
func (e *Engine) spec(ctx context.Context, m *local) (spec launchSpec, servers int, err error) {
	info, err := os.Stat(m.files.Served)
	if err != nil {
		return spec, 0, cacheError(m.files.Served, err)
	}
	gpu := FindGPU(ctx)
	servers, slots := shape(e.opt, info.Size(), gpu != "")
	spec = launchSpec{Model: m.files.Served, Slots: slots, Threads: e.opt.Threads, Context: e.opt.Context, LoRAs: []string{}}
	if m.info.context > 0 {
		spec.Context = min(spec.Context, m.info.context)
	}
	if m.kind == embedder { // one micro-batch must hold a whole text
		spec.Embedding, spec.Batch = true, spec.Context
	}
	if gpu != "" {
		e.opt.Log("putting the model's layers on the GPU: " + gpu)
		spec.GPULayers = 999
	}
	return spec, servers, nil
}

// knownContext is the context of a model that can be known without preparing it.
func (e *Engine) knownContext(ref rung.ModelRef) int {
	path := ""
	if b := builtinNamed(ref.Name()); b != nil {
		if p, ok := b.ready(e.opt.CacheDir); ok {
			path = p.Served
		}
	} else if strings.HasSuffix(ref.Name(), ".gguf") {
		path, _ = e.absolute(ref.Name())
	}
	if path == "" {
		return 0
	}
	info, err := readHeader(path)
	if err != nil || info.context == 0 {
		return 0
	}
	return min(info.context, e.opt.Context)
}
