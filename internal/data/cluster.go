package data

import (
	"bytes"
	"cmp"
	"context"
	"crypto/sha256"
	"fmt"
	"slices"

	"github.com/rung-dev/rung"
	"github.com/rung-dev/rung/internal/unionfind"
)

// sum is half of a SHA-256: enough to tell five million rows apart.
type sum [16]byte

func sumOf(b []byte) sum {
	full := sha256.Sum256(b)
	return sum(full[:16])
}

func (s sum) less(t sum) int { return bytes.Compare(s[:], t[:]) }

// Row points at an example in its file.
type Row struct {
	ID   string `json:"id"`
	File string `json:"file"`
	Line int    `json:"line"`
}

// String reads "examples.jsonl:17".
func (r Row) String() string { return fmt.Sprintf("%s:%d", r.File, r.Line) }

func rowOf(e *rung.Example) Row { return Row{ID: e.ID, File: shownPath(e.File), Line: e.Line} }

// Duplicates counts examples that say what another one says already.
type Duplicates struct {
	Exact int   `json:"exact"`           // rows whose input equals that of an earlier one, apart from case and white space
	Near  int   `json:"near"`            // further rows that are nearly equal to an earlier one
	Sets  []Set `json:"sets,omitempty"`  // the largest sets, at most maxSets
	Loose bool  `json:"loose,omitempty"` // near-duplicates that look made from a template were not kept in one split
}

// Set is examples that are copies of each other.
type Set struct {
	Size int   `json:"size"`
	Near bool  `json:"near"` // not all are exact copies
	Rows []Row `json:"rows"` // at most maxSetRows
}

// Contradiction is two examples with the same input and different outputs.
type Contradiction struct {
	A       Row    `json:"a"`
	B       Row    `json:"b"`
	OutputA string `json:"output_a"` // shortened
	OutputB string `json:"output_b"`
}

const (
	maxSets           = 20
	maxSetRows        = 5
	maxContradictions = 50

	// A cluster of near-duplicates larger than a tenth of the data is a template family ("What is the capital of X?"): kept
	// together it would make one split of it. Below familySize rows that is a few paraphrases.
	familyShare = 10
	familySize  = 20
)

// clusters are the sets of rows that may not be torn apart by the split.
type clusters struct {
	forest         unionfind.Forest // exact and near-duplicates, and groups
	duplicates     Duplicates
	contradictions []Contradiction
	contradicting  int
	notes          []string
}

// cluster finds exact and near-duplicates and joins what belongs together.
func cluster(ctx context.Context, task *rung.Task, examples []rung.Example) (*clusters, error) {
	c := &clusters{}
	v := viewOf(task, examples)
	exact, representatives := c.exact(task, v, examples)
	c.forest = slices.Clone(exact)
	f := &finder{examples: examples, view: v, rows: representatives}
	if len(v.texts) > 0 {
		if err := f.find(ctx, c.forest); err != nil {
			return nil, err
		}
	}
	if f.cut || f.thin > 1 {
		c.notes = append(c.notes, "the data are so large or so repetitive that near-duplicates were searched for approximately; some may have been missed")
	}
	c.dissolve(exact, examples)
	c.count(exact, examples)
	c.groups(examples)
	return c, nil
}

// exact joins rows with the same input apart from case and white space, and gives the first row of each such set.
func (c *clusters) exact(task *rung.Task, v view, examples []rung.Example) (unionfind.Forest, []int32) {
	f := unionfind.New(len(examples))
	first := make(map[sum]int32, len(examples))
	var representatives []int32
	var values [][]byte
	var text []byte
	for i := range examples {
		values = fieldValues(values[:0], examples[i].Input)
		text = text[:0]
		for j, value := range values {
			if j < len(task.Input) && task.Input[j].Type == "string" {
				text = normalise(text, value)
			} else {
				text = append(text, value...)
			}
			text = append(text, 0)
		}
		key := sumOf(text)
		if j, ok := first[key]; ok {
			f.Join(j, int32(i))
			c.contradict(&examples[j], &examples[i])
			continue
		}
		first[key] = int32(i)
		representatives = append(representatives, int32(i))
	}
	return f, representatives
}

// contradict notes two examples whose inputs are equal and whose outputs share nothing.
func (c *clusters) contradict(a, b *rung.Example) {
	for _, x := range a.Expected() {
		for _, y := range b.Expected() {
			if bytes.Equal(x, y) {
				return
			}
		}
	}
	if c.contradicting++; len(c.contradictions) < maxContradictions {
		c.contradictions = append(c.contradictions, Contradiction{A: rowOf(a), B: rowOf(b), OutputA: clip(a.Output, 80), OutputB: clip(b.Output, 80)})
	}
}

// dissolve takes template families apart again, down to exact copies.
func (c *clusters) dissolve(exact unionfind.Forest, examples []rung.Example) {
	sizes := make([]int32, len(examples)) // of near-duplicate clusters, counted in different inputs
	for i := range c.forest {
		if exact.Root(int32(i)) == int32(i) {
			sizes[c.forest.Root(int32(i))]++
		}
	}
	family := func(root int32) bool {
		return int(sizes[root])*familyShare > len(examples) && sizes[root] >= familySize
	}
	sample, rows := int32(-1), 0
	next := unionfind.New(len(examples))
	for i := range next {
		root := c.forest.Root(int32(i))
		if !family(root) {
			next.Join(int32(i), root)
			continue
		}
		next.Join(int32(i), exact.Root(int32(i)))
		if rows++; sample < 0 {
			sample = int32(i)
		}
	}
	if rows == 0 {
		return
	}
	c.forest = next
	c.duplicates.Loose = true
	c.notes = append(c.notes, fmt.Sprintf("%d examples are so alike that they look made from a template (%s and others). They are NOT kept in one split, "+
		"so held-out inputs can have near-copies in train and scores can look better than on real traffic; give rows that belong together the same \"group\"",
		rows, rowOf(&examples[sample])))
}

// count fills in duplicates.
func (c *clusters) count(exact unionfind.Forest, examples []rung.Example) {
	members := map[int32][]int32{}
	for i := range c.forest {
		switch i := int32(i); {
		case exact.Root(i) != i:
			c.duplicates.Exact++
		case c.forest.Root(i) != i:
			c.duplicates.Near++
		default:
			continue
		}
		root := c.forest.Root(int32(i))
		members[root] = append(members[root], int32(i))
	}
	for root, rest := range members {
		set := Set{Size: len(rest) + 1, Rows: []Row{rowOf(&examples[root])}}
		for _, i := range rest {
			set.Near = set.Near || exact.Root(i) != exact.Root(root)
			if len(set.Rows) < maxSetRows {
				set.Rows = append(set.Rows, rowOf(&examples[i]))
			}
		}
		c.duplicates.Sets = append(c.duplicates.Sets, set)
	}
	slices.SortFunc(c.duplicates.Sets, func(a, b Set) int {
		return cmp.Or(b.Size-a.Size, cmp.Compare(a.Rows[0].File, b.Rows[0].File), a.Rows[0].Line-b.Rows[0].Line)
	})
	c.duplicates.Sets = c.duplicates.Sets[:min(len(c.duplicates.Sets), maxSets)]
}

// groups joins the examples of each group.
func (c *clusters) groups(examples []rung.Example) {
	first := map[string]int32{}
	for i := range examples {
		g := examples[i].Group
		if g == "" {
			continue
		}
		if j, ok := first[g]; ok {
			c.forest.Join(j, int32(i))
			continue
		}
		first[g] = int32(i)
	}
}
