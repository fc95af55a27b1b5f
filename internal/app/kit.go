package app

import (
	"context"
	"errors"

	"github.com/rung-dev/rung"
	"github.com/rung-dev/rung/internal/extract"
	"github.com/rung-dev/rung/internal/model"
	"github.com/rung-dev/rung/internal/recipe"
	"github.com/rung-dev/rung/internal/tune"
)

// defaultEmbedder is used when the task has a local model and names no embedder.
const defaultEmbedder rung.ModelRef = "local/minilm"

// kit puts together what the rungs are built with.
func (p *Project) kit() *recipe.Kit {
	k := &recipe.Kit{
		Task: p.Task, Building: p.Data.Building, Form: p.Form, Grader: p.Grader.Deciding(),
		Door: p.Door, Can: p.can, Store: p.Store, Dir: p.Dir, Documents: p.documents,
		Embedder: p.Task.Embedder, Log: p.log, Forbids: p.Terms.Forbids,
	}
	if p.hasLocal() {
		k.Engine = p.Engine
		k.Trainer = p.trainer()
	}
	if k.Embedder == "" && p.hasLocal() {
		k.Embedder = defaultEmbedder
	}
	if k.Embedder != "" {
		k.Embed = func(ctx context.Context, texts []string) ([][]float32, error) {
			return p.vectors.embed(ctx, k.Embedder, texts)
		}
	}
	return k
}

func (p *Project) can(ref rung.ModelRef) model.Can {
	can, err := p.Door.Can(ref)
	if err != nil { // Door.Check has refused unknown providers
		return model.Can{}
	}
	return can
}

func (p *Project) trainer() recipe.Trainer {
	return tune.New(tune.Options{Log: func(line string) { p.log.Debug(line, "from", "training") }})
}

// documents reads the task's documents. A document that cannot be read stops the rung: an index with a hole in it would
// answer as if the facts were not there.
func (p *Project) documents(ctx context.Context) ([]extract.Document, error) {
	x := extract.New(extract.Limits{})
	docs := make([]extract.Document, 0, len(p.Task.Documents))
	for _, path := range p.Task.Documents {
		doc, err := x.File(ctx, p.Task.Dir, path)
		if err != nil {
			return nil, errors.Join(err, x.Close())
		}
		for _, w := range doc.Warnings {
			p.opt.Observe.Note(doc.Path + ": " + w)
		}
		doc.Groups = p.Task.Access[path]
		docs = append(docs, doc)
	}
	return docs, x.Close()
}
