package app

import (
	"context"
	"os"
	"path/filepath"
	"strings"

	"github.com/rung-dev/rung"
	"github.com/rung-dev/rung/internal/data"
)

// Suite is a named list of examples that subjects are evaluated on.
type Suite struct {
	Name     string
	Split    rung.Split // heldout, dev or train; empty for others
	Digest   rung.Digest
	Examples []rung.Example
	Notes    []string // what a reader of the figures must know
}

// Info is what documents say of the suite.
func (s *Suite) Info() rung.SuiteInfo {
	return rung.SuiteInfo{Name: s.Name, Split: s.Split, N: len(s.Examples), Digest: s.Digest}
}

// NewSuite makes a suite of examples that were generated; their content gives its digest.
func NewSuite(name string, examples []rung.Example) *Suite {
	return &Suite{Name: name, Digest: data.SuiteDigest(examples), Examples: examples}
}

// Suite finds a suite by name: heldout, dev, train, or a file of examples in the task's form.
func (p *Project) Suite(ctx context.Context, name string) (*Suite, error) {
	s, err := p.suite(ctx, name)
	if err != nil || s.Split == "" { // a file says it itself
		return s, err
	}
	if note := data.GeneratedNote(s.Name, s.Examples); note != "" {
		s.Notes = append([]string{note}, s.Notes...)
	}
	return s, nil
}

func (p *Project) suite(ctx context.Context, name string) (*Suite, error) {
	switch name {
	case "heldout", "":
		return &Suite{Name: "heldout", Split: rung.HeldoutIs, Digest: p.Data.Heldout.Digest(), Examples: p.Data.Heldout.Examples()}, nil
	case "dev":
		return &Suite{Name: "dev", Split: rung.Dev, Digest: data.SuiteDigest(p.Data.Building.Dev), Examples: p.Data.Building.Dev,
			Notes: []string{"Options were chosen on the dev examples, so their figures are flattered: they are no measure of quality."}}, nil
	case "train":
		return &Suite{Name: "train", Split: rung.Train, Digest: data.SuiteDigest(p.Data.Building.Train), Examples: p.Data.Building.Train,
			Notes: []string{"Demonstrations and adapters are made of the train examples, so their figures are flattered: they are no measure of quality."}}, nil
	}
	if _, err := os.Stat(name); err != nil {
		return nil, &rung.Error{Code: rung.CodeUsage, Place: name, What: "is no suite: it is none of heldout, dev and train, and no file", Do: "name a file of examples, as under examples: in the task file"}
	}
	s, err := data.LoadSuite(ctx, p.Task, p.Form, name)
	if err != nil {
		return nil, err
	}
	base := filepath.Base(name)
	return &Suite{Name: strings.TrimSuffix(base, filepath.Ext(base)), Digest: s.Digest, Examples: s.Examples, Notes: s.Notes}, nil
}
