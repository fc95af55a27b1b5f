package contam

import (
	"context"

	"github.com/rung-dev/rung/internal/rows"
)

// Elsewhere looks at all rows in other processes, by Look; take gets what they found, in the order of the rows.
type Elsewhere func(ctx context.Context, x *Index, o *Options, take func(*Looked) error) error

// Looked is what was found in rows that follow each other in one file.
type Looked struct {
	Rows    int       `json:"rows"`
	Touched int       `json:"touched"`
	Removed []Removed `json:"removed,omitempty"` // rows are counted from 0 at the first of these
}

// Look looks at the rows of a part. Lines are counted from its beginning.
func (c *Checker) Look(ctx context.Context, set *rows.Set, p rows.Part) (*Looked, rows.Lines, error) {
	w := &worker{o: c.o, checker: c}
	out := &Looked{}
	lines, err := set.EachBlock(ctx, p, func(b *rows.Block) error {
		l := w.look(b)
		for i := range l.Removed {
			l.Removed[i].Row += out.Rows
		}
		out.Rows, out.Touched, out.Removed = out.Rows+l.Rows, out.Touched+l.Touched, append(out.Removed, l.Removed...)
		return nil
	})
	return out, lines, err
}

// After moves the lines behind so many before them.
func (l *Looked) After(lines int) {
	for i := range l.Removed {
		l.Removed[i].Line += lines
	}
}
