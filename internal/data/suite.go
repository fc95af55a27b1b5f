package data

import (
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"slices"

	"github.com/rung-dev/rung"
	"github.com/rung-dev/rung/internal/form"
)

// Suite is a list of examples that is evaluated on and never built from: imported from files of any of the formats of examples,
// whole, with copies of each other in one cluster.
type Suite struct {
	Examples []rung.Example // in a fixed pseudo-random order, by content
	Digest   rung.Digest    // of their content, in any order
	Notes    []string
}

// LoadSuite imports a suite for a task. Marks of splits in it mean nothing. Faults in the files come as rung.Errors.
func LoadSuite(ctx context.Context, task *rung.Task, f *form.Form, files ...string) (*Suite, error) {
	own := *task
	own.Examples = files
	importer := newImporter(&own, f)
	importer.suite = true
	im, err := importer.files(ctx)
	if err != nil {
		return nil, err
	}
	if len(im.Faults) > 0 {
		return nil, im.Faults
	}
	if len(im.Examples) == 0 {
		return nil, &rung.Error{Code: rung.CodeInput, Place: files[0], What: "the suite holds no usable example", Do: "add rows with input and output"}
	}
	for i := range im.Examples {
		im.Examples[i].Split = ""
	}
	c, err := cluster(ctx, &own, im.Examples)
	if err != nil {
		return nil, err
	}
	s := &Suite{Digest: SuiteDigest(im.Examples), Notes: slices.Concat(im.Notes, c.notes)}
	content := make([]sum, len(im.Examples))
	for i := range content {
		content[i] = frozenSum(&im.Examples[i])
	}
	nameClusters(im.Examples, c.forest)
	permute(im.Examples, order(im.Examples, content))
	s.Examples = im.Examples
	if note := GeneratedNote("suite's", s.Examples); note != "" {
		s.Notes = append(s.Notes, note)
	}
	return s, nil
}

// ContentOf names what one example says: its input and its expected outputs.
func ContentOf(e *rung.Example) rung.Digest { return contentDigest(e) }

// SuiteDigest names examples by their content, whatever their order.
func SuiteDigest(examples []rung.Example) rung.Digest {
	sums := make([]sum, len(examples))
	for i := range examples {
		sums[i] = frozenSum(&examples[i])
	}
	slices.SortFunc(sums, func(a, b sum) int { return cmp.Compare(string(a[:]), string(b[:])) })
	h := sha256.New()
	h.Write([]byte("rung suite 1\n"))
	for i := range sums {
		h.Write(sums[i][:])
	}
	return rung.Digest(hex.EncodeToString(h.Sum(nil)))
}
