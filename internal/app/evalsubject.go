package app

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/rung-dev/rung"
	"github.com/rung-dev/rung/internal/model/openai"
	"github.com/rung-dev/rung/internal/recipe"
	"github.com/rung-dev/rung/internal/registry"
	"github.com/rung-dev/rung/internal/retrieve"
)

// Subject is what is evaluated.
type Subject struct {
	Name        string
	Digest      rung.Digest // of the candidate, or of an endpoint's address and candidate
	Answerer    recipe.Answerer
	Candidate   *rung.Candidate // nil where it is not known
	Concurrency int
	Guards      []rung.GuardSpec // of a release, not nil; nil: those of the task
	info        rung.SubjectInfo
	runner      *recipe.Runner
}

// NewSubject is a subject of a caller's own, such as one with a defence around it.
func NewSubject(name string, digest rung.Digest, a recipe.Answerer) *Subject {
	return &Subject{Name: name, Digest: digest, Answerer: a, Concurrency: 1, info: rung.SubjectInfo{Name: name, Digest: digest, Ref: name}}
}

// Info is what documents say of the subject.
func (s *Subject) Info() rung.SubjectInfo { return s.info }

// Rung is the rung of its candidate; empty where it is not known.
func (s *Subject) Rung() rung.Rung { return s.info.Rung }

// Runner renders and asks as its candidate does; nil where that is not known. Its Serve takes a recipe.Turn with a history, with
// passages put in, or with a canary.
func (s *Subject) Runner() *recipe.Runner { return s.runner }

// Subject finds what a reference names:
//
//   - a release: task@v3, task@production
//   - an outside endpoint: the base URL of an OpenAI-compatible server and a model, http://localhost:8080/v1#model
//   - a rung of a run: latest:rag, RUN:lora; a rung alone is of the latest run
//   - a rung built now from the task file: build:prompt
//   - a candidate: its digest or the beginning of it
func (p *Project) Subject(ctx context.Context, ref string) (*Subject, error) {
	run, level, isRun := strings.Cut(ref, ":")
	switch {
	case strings.HasPrefix(ref, "http://"), strings.HasPrefix(ref, "https://"):
		return p.endpoint(ctx, ref)
	case strings.Contains(ref, "@"):
		return p.releaseSubject(ctx, ref)
	case run == "build" && isRun:
		return p.builtSubject(ctx, rung.Rung(level))
	case isRun:
		return p.rungSubject(ctx, run, rung.Rung(level))
	case slices.Contains(rung.Ladder, rung.Rung(ref)):
		return p.rungSubject(ctx, "latest", rung.Rung(ref))
	}
	c, err := p.Store.Candidate(ctx, ref)
	if err != nil {
		return nil, unknownSubject(ref, err)
	}
	return p.CandidateSubject(ctx, c, "")
}

func unknownSubject(ref string, err error) error {
	if rung.CodeOf(err) != rung.CodeNotFound {
		return err
	}
	return &rung.Error{Code: rung.CodeNotFound, Place: ref, What: "names nothing that can be evaluated: " + err.Error(),
		Do: "name a candidate's digest, a rung of a run (latest:rag), a release (task@v3), build:prompt, or an endpoint (http://host/v1#model)", Err: err}
}

// CandidateSubject is a candidate of the store, with the parts that it names. ref is how the user named it; empty: its digest.
func (p *Project) CandidateSubject(ctx context.Context, c *rung.Candidate, ref string) (*Subject, error) {
	r, err := p.runnerOf(ctx, c)
	if err != nil {
		return nil, err
	}
	digest := c.Digest()
	if ref == "" {
		ref = string(digest)
	}
	return p.subject(r, rung.SubjectInfo{Name: fmt.Sprintf("%s (%s)", c.Rung, digest.Short()), Digest: digest, Ref: ref}), nil
}

// subject fills in what follows from the runner.
func (p *Project) subject(r *recipe.Runner, info rung.SubjectInfo) *Subject {
	c := r.Candidate()
	info.Rung, info.Model = c.Rung, c.Model
	n := p.Task.Limits.Concurrency
	if n <= 0 {
		n = max(p.can(c.Model).Concurrency, 1)
	}
	return &Subject{Name: info.Name, Digest: info.Digest, Answerer: r, Candidate: c, Concurrency: n, info: info, runner: r}
}

// rungSubject is the candidate of a rung in a run.
func (p *Project) rungSubject(ctx context.Context, run string, level rung.Rung) (*Subject, error) {
	ref := run + ":" + string(level)
	doc, err := p.document(ctx, run)
	if err != nil {
		return nil, unknownSubject(ref, err)
	}
	for _, o := range doc.Rungs {
		if o.Rung != level || o.Status != rung.Scored {
			continue
		}
		c, err := p.Store.Candidate(ctx, string(o.Candidate))
		if err != nil {
			return nil, err
		}
		return p.CandidateSubject(ctx, c, ref)
	}
	return nil, unknownSubject(ref, &rung.Error{Code: rung.CodeNotFound, What: fmt.Sprintf("run %s scored no %s", doc.Run, level)})
}

// builtSubject builds a rung from the task file as it is now.
func (p *Project) builtSubject(ctx context.Context, level rung.Rung) (*Subject, error) {
	if !slices.Contains(rung.Ladder, level) {
		return nil, &rung.Error{Code: rung.CodeUsage, Place: "build:" + string(level), What: "there is no such rung", Do: "use prompt, fewshot, rag, lora or rag+lora"}
	}
	kit := p.kit()
	kit.Observer = building{p, level}
	b, err := kit.Build(ctx, level, p.Task.Models[0])
	if err != nil {
		return nil, ended(ctx, err)
	}
	if b.Candidate == nil {
		return nil, &rung.Error{Code: rung.CodeInput, Place: "build:" + string(level), What: "cannot be built: " + b.Skipped, Do: "build another rung"}
	}
	return p.CandidateSubject(ctx, b.Candidate, "build:"+string(level))
}

// building shows what goes on while one rung is built.
type building struct {
	p     *Project
	level rung.Rung
}

func (b building) Step(text string)                   { b.p.opt.Observe.Phase(b.level, text) }
func (b building) Progress(done, n int, cost float64) { b.p.opt.Observe.Progress(done, n, cost) }
func (b building) Note(text string)                   { b.p.opt.Observe.Note(text) }

// releaseSubject is a release, loaded as a gateway loads it, but asked through the door: its answers are kept.
func (p *Project) releaseSubject(ctx context.Context, ref string) (s *Subject, err error) {
	serving, err := OpenServing(ctx, p.Dir, os.Getenv("RUNG_DATABASE_URL"))
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, serving.Close()) }()
	line, err := FindRelease(ctx, serving, ref)
	if err != nil {
		return nil, err
	}
	layout, err := registry.Open(ReleasesDir(p.Dir))
	if err != nil {
		return nil, err
	}
	l, err := LoadRelease(ctx, layout, line.Digest, LoadOptions{Door: p.Door, Engine: p.Engine, Embed: p.vectors.embed})
	if err != nil {
		return nil, err
	}
	if l.Release.Task != p.Task.Name {
		return nil, &rung.Error{Code: rung.CodeInput, Place: ref, What: "is a release of the task " + l.Release.Task + ", and the task file is of " + p.Task.Name, Do: "name that task's file"}
	}
	name := l.Release.Name()
	out := p.subject(l.Runner, rung.SubjectInfo{Name: name, Digest: l.Release.Candidate.Digest(), Ref: ref, Release: name})
	out.Guards = append([]rung.GuardSpec{}, l.Release.Guards...)
	if groups := l.Groups(); len(groups) > 0 { // the climb read every document
		out.Answerer = reader{l.Runner, groups}
	}
	return out, nil
}

// endpoint is a server that is asked with the task's short prompt: its instructions, its form and the input.
func (p *Project) endpoint(ctx context.Context, ref string) (*Subject, error) {
	u, err := url.Parse(ref)
	if err != nil || u.Host == "" || u.Fragment == "" || u.User != nil {
		return nil, &rung.Error{Code: rung.CodeUsage, Place: redactURL(ref), What: "is no endpoint", Do: "write the base URL of an OpenAI-compatible server and a model, as http://localhost:8080/v1#model; a key goes into RUNG_ENDPOINT_API_KEY"}
	}
	name, modelName := "endpoint-"+rung.DigestBytes([]byte(u.Host+u.Path)).Short(), u.Fragment
	base := *u
	base.Fragment = ""
	p.addEndpoint(name, openai.Config{Name: name, BaseURL: base.String(), Key: os.Getenv("RUNG_ENDPOINT_API_KEY")})
	model := rung.ModelRef(name + "/" + modelName)
	if err := p.Door.Check(model); err != nil {
		return nil, err
	}
	kit := p.kit()
	kit.Observer = building{p, rung.Prompt}
	c, err := kit.Plain(ctx, model)
	if err != nil {
		return nil, err
	}
	r, err := recipe.NewRunner(*c, recipe.Parts{Door: p.Door, Form: p.Form})
	if err != nil {
		return nil, err
	}
	digest := rung.DigestOf([]any{"endpoint", base.String(), c})
	return p.subject(r, rung.SubjectInfo{Name: ref, Digest: digest, Ref: ref, URL: base.String()}), nil
}

func redactURL(ref string) string {
	if u, err := url.Parse(ref); err == nil {
		return u.Redacted()
	}
	return ref
}

// runnerOf prepares a candidate with the parts that it names by digest, read from the store: they need not be those that the task
// file would make today.
func (p *Project) runnerOf(ctx context.Context, c *rung.Candidate) (*recipe.Runner, error) {
	parts := recipe.Parts{Door: p.Door, Form: p.Form}
	if d := c.Demos; d != nil && d.Mode != rung.FixedDemos {
		if err := p.poolOf(ctx, c, &parts); err != nil {
			return nil, err
		}
	}
	if c.Retrieval != nil {
		b, err := p.Store.Blob(ctx, recipe.IndexKind, c.Retrieval.Index)
		if err != nil {
			return nil, err
		}
		index, err := retrieve.Load(b, p.embedder(c.Retrieval.Embedder))
		if err != nil {
			return nil, err
		}
		parts.Search = index.Search
	}
	if c.Model.Local() {
		if err := p.localParts(ctx, c); err != nil {
			return nil, err
		}
	}
	return recipe.NewRunner(*c, parts)
}

func (p *Project) poolOf(ctx context.Context, c *rung.Candidate, parts *recipe.Parts) error {
	b, err := p.Store.Blob(ctx, recipe.PoolKind, c.Demos.Pool)
	if err != nil {
		return err
	}
	pool, err := recipe.LoadPool(b, c)
	if err != nil {
		return err
	}
	var vectors [][]float32
	embed := p.embedder(c.Demos.Embedder)
	if c.Demos.Mode == rung.NearestDense {
		if vectors, err = pool.Embed(ctx, embed); err != nil {
			return err
		}
	}
	parts.Pool = pool.Demos
	parts.Nearest, err = pool.Nearest(c.Demos.Mode, vectors, embed)
	return err
}

// localParts checks that the model file is the one that the candidate names, and makes its adapter known.
func (p *Project) localParts(ctx context.Context, c *rung.Candidate) error {
	path, digest, err := p.Engine.Weights(ctx, c.Model)
	if err != nil {
		return err
	}
	if c.Weights != "" && digest != c.Weights {
		return &rung.Error{Code: rung.CodeConflict, Place: path, What: fmt.Sprintf("the candidate is of the weights %s, and this file has %s", c.Weights.Short(), digest.Short()),
			Do: "put that model file there, or climb again with this one"}
	}
	if c.Adapter == nil {
		return nil
	}
	adapter, err := findAdapter(filepath.Join(p.Dir, "training"), c.Adapter.Digest)
	if err != nil {
		return err
	}
	return p.Engine.AddAdapter(ctx, c.Model, c.Adapter.Digest, adapter)
}

func (p *Project) embedder(ref rung.ModelRef) retrieve.EmbedFunc {
	if ref == "" {
		return nil
	}
	return func(ctx context.Context, texts []string) ([][]float32, error) {
		return p.vectors.embed(ctx, ref, texts)
	}
}

// reader asks with the groups that a release's passages name, since what is evaluated may read every document.
type reader struct {
	*recipe.Runner
	groups []string
}

func (r reader) Answer(ctx context.Context, input json.RawMessage) (rung.Answer, error) {
	return r.Sample(ctx, input, 0)
}

// Sample is one of several answers.
func (r reader) Sample(ctx context.Context, input json.RawMessage, sample int) (rung.Answer, error) {
	return r.Runner.Sample(retrieve.WithGroups(ctx, r.groups), input, sample)
}

// document is that of a run: its ID, the beginning of it, or "latest".
func (p *Project) document(ctx context.Context, run string) (*rung.Document, error) {
	r, err := p.Store.Run(ctx, run)
	if err != nil {
		return nil, err
	}
	doc := new(rung.Document)
	if len(r.Document) == 0 {
		return nil, &rung.Error{Code: rung.CodeNotFound, Place: "run " + r.ID, What: "has no result yet", Do: "let the climb end"}
	}
	if err := json.Unmarshal(r.Document, doc); err != nil {
		return nil, &rung.Error{Code: rung.CodeStore, Place: "run " + r.ID, What: "its document cannot be read: " + err.Error(), Do: "climb again", Err: err}
	}
	return doc, nil
}
