package app

import (
	"context"
	"encoding/binary"
	"fmt"
	"math"

	"github.com/rung-dev/rung"
	"github.com/rung-dev/rung/internal/form"
	"github.com/rung-dev/rung/internal/recipe"
	"github.com/rung-dev/rung/internal/registry"
	"github.com/rung-dev/rung/internal/retrieve"
)

// releasesDir is the layout beside the store's database.
const releasesDir = "releases"

// LoadOptions are what a release needs beside itself to answer.
type LoadOptions struct {
	Door recipe.Caller // what requests go through
	// Engine serves local models and embedders. It may be nil where the release uses none.
	Engine Weigher
	// Embed embeds by the named model, through the engine or a provider.
	Embed func(ctx context.Context, ref rung.ModelRef, texts []string) ([][]float32, error)
}

// Weigher is the engine as far as a release needs it.
type Weigher interface {
	Weights(ctx context.Context, ref rung.ModelRef) (path string, digest rung.Digest, err error)
	AddAdapter(ctx context.Context, ref rung.ModelRef, digest rung.Digest, path string) error
}

// Loaded is a release that can answer. It is safe for concurrent use.
type Loaded struct {
	Release *rung.Release
	Runner  *recipe.Runner
	Form    *form.Form
	Index   *retrieve.Index // nil without retrieval
	Pool    []rung.Demo     // the train examples it may show; nil without nearest demonstrations
}

// Close gives up what the release holds. Answers in flight are not disturbed.
func (l *Loaded) Close() error { return nil }

// Groups are all access groups that the release's passages name, in the order of the passages.
func (l *Loaded) Groups() []string {
	if l.Index == nil {
		return nil
	}
	var out []string
	seen := map[string]bool{}
	for _, p := range l.Index.Passages() {
		for _, g := range p.Groups {
			if !seen[g] {
				seen[g] = true
				out = append(out, g)
			}
		}
	}
	return out
}

// LoadRelease makes the release with the given digest answer: its parts are read from the layout and checked, the weights of a
// local model must be the evaluated ones, and searches see only what the groups in their context may read (none: what everybody
// may). The parity check and the gateway both load releases here.
func LoadRelease(ctx context.Context, layout *registry.Layout, digest rung.Digest, opt LoadOptions) (*Loaded, error) {
	r, err := layout.Release(ctx, digest)
	if err != nil {
		return nil, err
	}
	l := &Loaded{Release: r}
	if l.Form, err = form.New(r.Candidate.Output); err != nil {
		return nil, err
	}
	if err := l.checkWeights(ctx, opt); err != nil {
		return nil, err
	}
	parts := recipe.Parts{Door: opt.Door, Form: l.Form}
	if err := l.loadPool(ctx, layout, opt, &parts); err != nil {
		return nil, err
	}
	if err := l.loadIndex(ctx, layout, opt, &parts); err != nil {
		return nil, err
	}
	if err := l.loadAdapter(ctx, layout, opt); err != nil {
		return nil, err
	}
	l.Runner, err = recipe.NewRunner(r.Candidate, parts)
	return l, err
}

// checkWeights refuses a local model whose file is not the evaluated one: its answers would be others.
func (l *Loaded) checkWeights(ctx context.Context, opt LoadOptions) error {
	c := &l.Release.Candidate
	if !c.Model.Local() {
		return nil
	}
	if opt.Engine == nil {
		return &rung.Error{Code: rung.CodeMissing, Place: l.Release.Name(), What: "it needs the local engine for " + string(c.Model), Do: "run rung setup"}
	}
	path, digest, err := opt.Engine.Weights(ctx, c.Model)
	if err != nil {
		return err
	}
	if digest != c.Weights {
		return &rung.Error{Code: rung.CodeConflict, Place: path, What: fmt.Sprintf("%s was evaluated with the weights %s, and this file has %s", l.Release.Name(), c.Weights.Short(), digest.Short()),
			Do: "put the evaluated model file there, or climb and release again with this one"}
	}
	return nil
}

func (l *Loaded) loadPool(ctx context.Context, layout *registry.Layout, opt LoadOptions, parts *recipe.Parts) error {
	d := l.Release.Candidate.Demos
	if d == nil || d.Mode == rung.FixedDemos {
		return nil
	}
	b, err := layout.Part(ctx, l.Release, registry.Pool)
	if err != nil {
		return err
	}
	pool, err := recipe.LoadPool(b, &l.Release.Candidate)
	if err != nil {
		return err
	}
	var vectors [][]float32
	embed := opt.embedder(d.Embedder)
	if d.Mode == rung.NearestDense {
		if b, err = layout.Part(ctx, l.Release, registry.PoolVectors); err != nil {
			return err
		}
		if vectors, err = readVectors(b); err != nil {
			return err
		}
	}
	parts.Pool, l.Pool = pool.Demos, pool.Demos
	parts.Nearest, err = pool.Nearest(d.Mode, vectors, embed)
	return err
}

func (l *Loaded) loadIndex(ctx context.Context, layout *registry.Layout, opt LoadOptions, parts *recipe.Parts) error {
	ret := l.Release.Candidate.Retrieval
	if ret == nil {
		return nil
	}
	b, err := layout.Part(ctx, l.Release, registry.Index)
	if err != nil {
		return err
	}
	if l.Index, err = retrieve.Load(b, opt.embedder(ret.Embedder)); err != nil {
		return err
	}
	parts.Search = l.Index.SearchRestricted
	return nil
}

func (l *Loaded) loadAdapter(ctx context.Context, layout *registry.Layout, opt LoadOptions) error {
	a := l.Release.Candidate.Adapter
	if a == nil {
		return nil
	}
	path, err := layout.PartPath(ctx, l.Release, registry.Adapter)
	if err != nil {
		return err
	}
	return opt.Engine.AddAdapter(ctx, l.Release.Candidate.Model, a.Digest, path)
}

// embedder is the way to the vectors of a model; nil when there is no model or no way.
func (o *LoadOptions) embedder(ref rung.ModelRef) retrieve.EmbedFunc {
	if ref == "" || o.Embed == nil {
		return nil
	}
	return func(ctx context.Context, texts []string) ([][]float32, error) { return o.Embed(ctx, ref, texts) }
}

// vectorsMark begins a file of vectors: their number and length (4 bytes each, little endian), then little-endian float32.
const vectorsMark = "rung-vectors-1\n"

func writeVectors(vectors [][]float32) []byte {
	dim := 0
	if len(vectors) > 0 {
		dim = len(vectors[0])
	}
	b := append(make([]byte, 0, len(vectorsMark)+8+4*dim*len(vectors)), vectorsMark...)
	b = binary.LittleEndian.AppendUint32(b, uint32(len(vectors)))
	b = binary.LittleEndian.AppendUint32(b, uint32(dim))
	for _, v := range vectors {
		for _, x := range v {
			b = binary.LittleEndian.AppendUint32(b, math.Float32bits(x))
		}
	}
	return b
}

func readVectors(b []byte) ([][]float32, error) {
	bad := &rung.Error{Code: rung.CodeStore, What: "the train pool's vectors cannot be read", Do: "pull the release again, or make it again"}
	head := len(vectorsMark) + 8
	if len(b) < head || string(b[:len(vectorsMark)]) != vectorsMark {
		return nil, bad
	}
	n, dim := uint64(binary.LittleEndian.Uint32(b[head-8:])), uint64(binary.LittleEndian.Uint32(b[head-4:]))
	if b = b[head:]; dim == 0 || uint64(len(b))%(4*dim) != 0 || uint64(len(b))/(4*dim) != n {
		return nil, bad
	}
	out := make([][]float32, n)
	for i := range out {
		out[i] = decodeVector(b[4*uint64(i)*dim : 4*uint64(i+1)*dim])
	}
	return out, nil
}
