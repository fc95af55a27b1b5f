package engine

import (
	"context"
	"fmt"
	"slices"

	"github.com/rung-dev/rung"
)

// adapter is a LoRA file that requests may ask for by its digest.
type adapter struct {
	digest rung.Digest
	path   string
}

// AddAdapter makes a LoRA adapter (a GGUF file with general.type=adapter) usable with ref: requests name it by digest. The
// server is started again with it when the first such request comes, after those in flight are done. The file must stay where
// it is. Errors: CodeInput for a file that is no adapter, is not the one with the digest, or belongs to another architecture.
func (e *Engine) AddAdapter(ctx context.Context, ref rung.ModelRef, digest rung.Digest, path string) error {
	m, err := e.open(ctx, ref)
	if err != nil {
		return err
	}
	info, err := readHeader(path)
	if err != nil {
		return err
	}
	bad := func(format string, args ...any) error {
		return &rung.Error{Code: rung.CodeInput, Place: path, What: fmt.Sprintf(format, args...), Do: "train the adapter again for " + string(ref)}
	}
	if info.kind != "adapter" {
		return bad("is a GGUF file, but no LoRA adapter")
	}
	if info.architecture != m.info.architecture {
		return bad("is an adapter for a %q model, and %s is a %q model", info.architecture, ref, m.info.architecture)
	}
	have, err := digestFile(path)
	if err != nil {
		return bad("cannot be read: %v", err)
	}
	if have != digest {
		return bad("has the digest %s, not %s", have.Short(), digest.Short())
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	if !slices.ContainsFunc(m.adapters, func(a adapter) bool { return a.digest == digest }) {
		m.adapters = append(m.adapters, adapter{digest: digest, path: path})
	}
	return nil
}

// id is the adapter's number on the server, -1 when it was never added.
func (m *local) id(digest rung.Digest) int {
	return slices.IndexFunc(m.adapters, func(a adapter) bool { return a.digest == digest })
}

// load makes sure that the server knows the adapter, starting it again with all that were added if it does not.
func (m *local) load(ctx context.Context, digest rung.Digest) error {
	if digest == "" {
		return nil
	}
	if done, err := m.isLoaded(digest); done || err != nil {
		return err
	}
	t, err := m.fleet.queue.acquire(ctx, "", true)
	if err != nil {
		return err
	}
	defer m.fleet.queue.release(t)
	if done, err := m.isLoaded(digest); done || err != nil { // another request was faster
		return err
	}
	m.mu.Lock()
	wanted := slices.Clone(m.adapters)
	m.mu.Unlock()
	if err := m.restart(ctx, wanted); err != nil {
		m.drop(digest)
		return err
	}
	return nil
}

func (m *local) isLoaded(digest rung.Digest) (bool, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	i := m.id(digest)
	if i < 0 {
		return false, &rung.Error{Code: rung.CodeNotFound, Place: string(m.ref), What: "the engine does not know the adapter " + digest.Short(), Do: "train it again, or pull the release that holds it"}
	}
	return i < m.loaded, nil
}

// restart starts the server with the adapters. Nothing else runs.
func (m *local) restart(ctx context.Context, with []adapter) error {
	paths := make([]string, len(with))
	for i, a := range with {
		paths[i] = a.path
	}
	m.fleet.replace(paths)
	if _, err := m.fleet.first(ctx); err != nil {
		return err
	}
	m.mu.Lock()
	m.loaded = len(with)
	m.mu.Unlock()
	return nil
}

// drop forgets an adapter that the server did not start with, so that it goes on without it.
func (m *local) drop(digest rung.Digest) {
	m.mu.Lock()
	if i := m.id(digest); i >= m.loaded {
		m.adapters = slices.Delete(m.adapters, i, i+1)
	}
	paths := make([]string, m.loaded)
	for i := range paths {
		paths[i] = m.adapters[i].path
	}
	m.mu.Unlock()
	m.fleet.replace(paths)
}

// scales turns on one adapter, or none, of those the server was started with.
func (m *local) scales(digest rung.Digest) []scale {
	m.mu.Lock()
	defer m.mu.Unlock()
	out := make([]scale, m.loaded)
	for i := range out {
		out[i].ID = i
		if digest != "" && m.adapters[i].digest == digest {
			out[i].Scale = 1
		}
	}
	return out
}
