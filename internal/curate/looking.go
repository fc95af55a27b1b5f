package curate

import (
	"bytes"
	"context"
	"fmt"
	"runtime"
	"slices"

	"github.com/rung-dev/rung"
	"github.com/rung-dev/rung/internal/contam"
	"github.com/rung-dev/rung/internal/dedupe"
	"github.com/rung-dev/rung/internal/form"
	"github.com/rung-dev/rung/internal/pii"
	"github.com/rung-dev/rung/internal/rows"
	"github.com/rung-dev/rung/internal/task"
)

// Elsewhere has the dear steps of a build done by other processes, which see the working files under the same paths. What comes back is what
// this process would have found, so that the dataset is the same to the byte. Each function gives what ends the work of its step.
type Elsewhere struct {
	Personal func(ctx context.Context, set *rows.Set, l *Looking) (func(take func([]Looked) error) error, func(), error)
	Dedupe   func(ctx context.Context, set *rows.Set, o dedupe.Options) (dedupe.Elsewhere, func(), error)
	Against  func(ctx context.Context, set *rows.Set) (contam.Elsewhere, func(), error)
}

// Looking is what it takes to look at rows for personal data as a build does, also in another process. It holds the key of stand-ins.
type Looking struct {
	Options  pii.Options `json:"options"`
	Pointers []string    `json:"pointers"`
	Left     []string    `json:"left,omitempty"`
	Do       string      `json:"do"`
	Key      []byte      `json:"key,omitempty"`
	Output   rung.Output `json:"output"`
}

// Looked is a row that was looked at.
type Looked struct {
	Raw, Was []byte // Was: the row before, if it was changed
	Found    []pii.In
	Repeated int    // other places of the row that hold what was found
	Unfit    string // why its output no longer fits its form
	Keyed    bool   // its person or group holds an address, a number or a name
}

// Looker looks at rows. It is safe for concurrent use.
type Looker struct {
	p    *privacy
	form *form.Form // nil when nothing says what outputs look like
}

// Looker makes what looks, in whatever process.
func (l *Looking) Looker() (*Looker, error) {
	p := &privacy{pointers: l.Pointers, left: l.Left, secret: l.Key}
	var err error
	if p.engine, err = pii.New(l.Options); err != nil {
		return nil, err
	}
	switch l.Do {
	case task.PIIRedact:
		p.replace = pii.Placeholder
	case task.PIIPseudonyms:
		stand, err := pii.NewPseudonyms(l.Key)
		if err != nil {
			return nil, err
		}
		p.replace = stand.For
	}
	k := &Looker{p: p}
	if l.Output.Kind != "" {
		if k.form, err = form.New(l.Output); err != nil {
			return nil, err
		}
	}
	return k, nil
}

// looking says how this build looks.
func (b *build) looking() *Looking {
	l := &Looking{Options: b.privacy.options, Pointers: b.privacy.pointers, Left: b.privacy.left, Do: b.privacy.spec.Do, Output: b.d.Output}
	if l.Do == task.PIIPseudonyms {
		l.Key = b.privacy.secret
	}
	return l
}

// Look finds what a row holds, and changes it.
func (k *Looker) Look(raw []byte) (Looked, error) {
	one := Looked{Raw: raw}
	changed, found, err := k.p.row(raw)
	if err != nil {
		return one, fmt.Errorf("a working row: %w", err)
	}
	if one.Found = found; bytes.Contains(raw, []byte(`"person":`)) || bytes.Contains(raw, []byte(`"group":`)) {
		_, keys, err := k.p.engine.Row(raw, []string{"/person", "/group"}, nil)
		one.Keyed = err == nil && slices.ContainsFunc(keys, func(f pii.In) bool { return f.Type == pii.Email || f.Type == pii.Phone || f.Type == pii.Person })
	}
	if k.p.replace == nil || len(found) == 0 {
		return one, nil
	}
	again, n, err := k.p.elsewhere(changed, found)
	if err != nil {
		return one, err
	}
	one.Raw, one.Was, one.Repeated = again, raw, n
	if k.form == nil {
		return one, nil
	}
	row, err := rowOf(again)
	if err != nil {
		return one, err
	}
	if len(row.Output) > 0 {
		if err := k.form.Validate(row.Output, row.Input); err != nil {
			one.Unfit = err.Error()
		}
	}
	return one, nil
}

// Block looks at a block of rows.
func (k *Looker) Block(block *rows.Block) ([]Looked, error) {
	var out []Looked
	err := block.Each(func(r rows.Row) error {
		one, err := k.Look(r.Raw)
		out = append(out, one)
		return err
	})
	return out, err
}

// lookAt has all rows of a set looked at, here or elsewhere; take gets them in their order.
func (b *build) lookAt(ctx context.Context, set *rows.Set, take func([]Looked) error) error {
	l := b.looking()
	if e := b.o.Elsewhere; e != nil {
		run, end, err := e.Personal(ctx, set, l)
		if err != nil {
			return err
		}
		defer end()
		return run(take)
	}
	k, err := l.Looker()
	if err != nil {
		return err
	}
	return rows.Map(ctx, set, runtime.GOMAXPROCS(0), k.Block, take)
}
