package data

import (
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"slices"

	"github.com/rung-dev/rung"
	"github.com/rung-dev/rung/internal/form"
	"github.com/rung-dev/rung/internal/unionfind"
)

// Dataset is the examples of a task, split and frozen.
type Dataset struct {
	Building rung.Building
	Heldout  rung.Heldout
	Digest   rung.Digest // of all examples and their splits: changes when any of them does
	Notes    []string    // what a reader of the results must know

	From           []*Folder // the datasets that the examples are of
	Rows           int       // rows of the files
	LeftOut        int       // copies of held-out examples that were marked for train or dev
	Duplicates     Duplicates
	Contradictions []Contradiction // the first 50
	Contradicting  int             // all of them
}

// Load imports, splits and freezes. Faults in the files come as rung.Errors.
func Load(ctx context.Context, task *rung.Task, f *form.Form) (*Dataset, error) {
	im, err := Import(ctx, task, f)
	if err != nil {
		return nil, err
	}
	if len(im.Faults) > 0 {
		return nil, im.Faults
	}
	return Freeze(ctx, task, im)
}

// Freeze splits what was imported. It takes the examples over: their order changes.
func Freeze(ctx context.Context, task *rung.Task, im *Imported) (*Dataset, error) {
	if len(im.Examples) == 0 {
		return nil, &rung.Error{Code: rung.CodeInput, Place: task.File, What: "the example files hold no usable example", Do: "add rows with input and output"}
	}
	c, err := cluster(ctx, task, im.Examples)
	if err != nil {
		return nil, err
	}
	splits, notes, err := assign(task, im.Examples, c)
	if err != nil {
		return nil, err
	}
	d := &Dataset{Rows: im.Rows, From: im.From, Duplicates: c.duplicates, Contradictions: c.contradictions, Contradicting: c.contradicting}
	d.Notes = slices.Concat(im.Notes, c.notes, notes)
	if n := c.contradicting; n > 0 {
		d.Notes = append(d.Notes, fmt.Sprintf("%s an earlier one: same input, other output (the first: %s and %s)", verb(n, "example contradicts", "examples contradict"), c.contradictions[0].A, c.contradictions[0].B))
	}
	for i := range im.Examples {
		im.Examples[i].Split = splits[i]
	}
	d.freeze(im.Examples, c.forest)
	if note := GeneratedNote("held-out", d.Heldout.Examples()); note != "" {
		d.Notes = append([]string{note}, d.Notes...)
	}
	return d, nil
}

func verb(n int, one, many string) string {
	if n == 1 {
		return "1 " + one
	}
	return fmt.Sprintf("%d %s", n, many)
}

// freeze puts the examples into their order (a fixed pseudo-random one, by content) and cuts them into the splits, without
// copying: one slice holds train, dev and held-out, and each part ends at its capacity.
func (d *Dataset) freeze(examples []rung.Example, f unionfind.Forest) {
	content := make([]sum, len(examples)) // of what an example says, its group included
	for i := range examples {
		content[i] = frozenSum(&examples[i])
	}
	var digest rung.Digest
	digest, d.Digest = digests(examples, content)
	nameClusters(examples, f)
	ordered := order(examples, content)
	permute(examples, ordered)
	counts := map[rung.Split]int{}
	for i := range examples {
		counts[examples[i].Split]++
	}
	train, dev, held := counts[rung.Train], counts[rung.Dev], counts[rung.HeldoutIs]
	d.LeftOut = counts[""]
	d.Building = rung.Building{
		Train: examples[:train:train],
		Dev:   examples[train : train+dev : train+dev],
	}
	d.Heldout = rung.Freeze(examples[train+dev:train+dev+held:train+dev+held], digest)
	clear(examples[train+dev+held:])
}

func frozenSum(e *rung.Example) sum {
	b := make([]byte, 0, 512)
	b = append(append(b, e.Input...), '\n')
	b = append(append(b, e.Output...), '\n')
	for _, alt := range e.Alternatives {
		b = append(append(b, alt...), '\n')
	}
	b = append(append(b, '\n'), e.Group...)
	return sumOf(b)
}

// digests are of the held-out set and of everything with its splits, over sorted content.
func digests(examples []rung.Example, content []sum) (heldout, all rung.Digest) {
	index := make([]int32, len(examples))
	for i := range index {
		index[i] = int32(i)
	}
	slices.SortFunc(index, func(a, b int32) int {
		return cmp.Or(content[a].less(content[b]), cmp.Compare(examples[a].Split, examples[b].Split))
	})
	held, whole := sha256.New(), sha256.New()
	held.Write([]byte("rung heldout 1\n"))
	whole.Write([]byte("rung dataset 1\n"))
	for _, i := range index {
		if examples[i].Split == rung.HeldoutIs {
			held.Write(content[i][:])
		}
		whole.Write([]byte(examples[i].Split))
		whole.Write(content[i][:])
	}
	return rung.Digest(hex.EncodeToString(held.Sum(nil))), rung.Digest(hex.EncodeToString(whole.Sum(nil)))
}

// nameClusters gives copies of each other a common group where their file gives none, so that intervals count them as one
// cluster: ten copies of a question are not ten questions.
func nameClusters(examples []rung.Example, f unionfind.Forest) {
	type set struct {
		size  int
		group string
		key   sum
	}
	sets := map[int32]*set{}
	for i := range examples {
		root := f.Root(int32(i))
		if root == int32(i) && sets[root] == nil {
			continue
		}
		s := sets[root]
		if s == nil {
			e := &examples[root]
			s = &set{size: 1, group: e.Group, key: sumOf(e.Input)}
			sets[root] = s
		}
		e := &examples[i]
		s.size++
		if e.Group != "" && (s.group == "" || e.Group < s.group) {
			s.group = e.Group
		}
		if k := sumOf(e.Input); k.less(s.key) < 0 {
			s.key = k
		}
	}
	for i := range examples {
		s := sets[f.Root(int32(i))]
		if s == nil || examples[i].Group != "" {
			continue
		}
		if s.group == "" {
			s.group = "near-" + hex.EncodeToString(s.key[:6])
		}
		examples[i].Group = s.group
	}
}

// order is the permutation into train, dev, held-out and left out, each in a fixed pseudo-random order.
func order(examples []rung.Example, content []sum) []int32 {
	part := map[rung.Split]byte{rung.Train: 0, rung.Dev: 1, rung.HeldoutIs: 2, "": 3}
	ranks := make([]sum, len(examples))
	index := make([]int32, len(examples))
	for i := range examples {
		ranks[i] = sumOf(append([]byte("rung order 1\n"), content[i][:]...))
		ranks[i][0] = part[examples[i].Split]
		index[i] = int32(i)
	}
	slices.SortFunc(index, func(a, b int32) int {
		if c := ranks[a].less(ranks[b]); c != 0 {
			return c
		}
		x, y := &examples[a], &examples[b] // equal rows: any order will do that is always the same
		return cmp.Or(cmp.Compare(x.ID, y.ID), cmp.Compare(x.File, y.File), x.Line-y.Line)
	})
	return index
}

// permute puts examples[index[i]] at i, in place.
func permute(examples []rung.Example, index []int32) {
	for i := range index {
		if index[i] < 0 || int(index[i]) == i {
			continue
		}
		first, at := examples[i], int32(i)
		for {
			from := index[at]
			index[at] = -1
			if int(from) == i {
				examples[at] = first
				break
			}
			examples[at] = examples[from]
			at = from
		}
	}
}
