package cli

import (
	"context"
	"encoding/json"

	"github.com/rung-dev/rung"
	"github.com/rung-dev/rung/internal/contam"
	"github.com/rung-dev/rung/internal/curate"
	"github.com/rung-dev/rung/internal/dedupe"
	"github.com/rung-dev/rung/internal/pii"
	"github.com/rung-dev/rung/internal/rows"
)

// onRay has the dear steps of a build done on a Ray cluster, with a connection for each.
func (s *settings) onRay(address string) *curate.Elsewhere {
	if address == "" {
		return nil
	}
	return spreadBuild(func(ctx context.Context, set *rows.Set) (workers, func(), error) {
		c, err := s.connect(ctx, address, set)
		if err != nil {
			return nil, nil, err
		}
		return c, c.Close, nil
	})
}

// spreadBuild has the dear steps done by workers, which see the working files: they lie beside the dataset's folder.
func spreadBuild(connect func(ctx context.Context, set *rows.Set) (workers, func(), error)) *curate.Elsewhere {
	return &curate.Elsewhere{
		Personal: func(ctx context.Context, set *rows.Set, l *curate.Looking) (func(func([]curate.Looked) error) error, func(), error) {
			c, end, err := connect(ctx, set)
			return func(take func([]curate.Looked) error) error { return spreadLooking(ctx, c, set, l, take) }, end, err
		},
		Dedupe: func(ctx context.Context, set *rows.Set, o dedupe.Options) (dedupe.Elsewhere, func(), error) {
			c, end, err := connect(ctx, set)
			if err != nil {
				return nil, nil, err
			}
			e, err := newSpreadDedupe(c, set, o)
			if err != nil {
				end()
				return nil, nil, err
			}
			return e, end, nil
		},
		Against: func(ctx context.Context, set *rows.Set) (contam.Elsewhere, func(), error) {
			c, end, err := connect(ctx, set)
			if err != nil {
				return nil, nil, err
			}
			return spreadContam(c, set), end, nil
		},
	}
}

// lookingSetup is what workers need to look at rows as a build does.
type lookingSetup struct {
	Files   []rows.File     `json:"files"`
	Looking *curate.Looking `json:"looking"`
}

// sentLooked is a row on its way from a worker. A row that stays as it is, is not sent: it is read again from its file.
type sentLooked struct {
	Place    rows.Place  `json:"place"`
	Changed  []byte      `json:"changed,omitempty"`
	Found    []sentFound `json:"found,omitempty"`
	Repeated int         `json:"repeated,omitempty"`
	Unfit    string      `json:"unfit,omitempty"`
	Keyed    bool        `json:"keyed,omitempty"`
}

// spreadLooking looks at rows on a Ray cluster.
func spreadLooking(ctx context.Context, c workers, set *rows.Set, l *curate.Looking, take func([]curate.Looked) error) error {
	files, err := sharedFiles(set)
	if err != nil {
		return err
	}
	if err := c.Setup("looking", lookingSetup{files, l}); err != nil {
		return err
	}
	reader := set.Reader()
	defer reader.Close()
	return eachPart(ctx, c, set, func(p rows.Part, _ int, sent []sentLooked) error {
		out := make([]curate.Looked, len(sent))
		for i := range sent {
			r := &sent[i]
			if int(r.Place.File) != p.File {
				return &rung.Error{Code: rung.CodeInternal, What: "a row of another file", Do: "report it"}
			}
			raw, err := reader.Read(r.Place)
			if err != nil {
				return err
			}
			out[i] = curate.Looked{Raw: append([]byte(nil), raw...), Repeated: r.Repeated, Unfit: r.Unfit, Keyed: r.Keyed}
			for _, f := range r.Found {
				f.Finding.Bare = f.Bare
				out[i].Found = append(out[i].Found, pii.NewIn(f.Finding, f.Field, string(f.Value)))
			}
			if r.Changed != nil {
				out[i].Was, out[i].Raw = out[i].Raw, r.Changed
			}
		}
		return take(out)
	})
}

func lookingWorker(setup []byte) (func(context.Context, []byte) (any, error), error) {
	var o lookingSetup
	if err := json.Unmarshal(setup, &o); err != nil {
		return nil, err
	}
	set, err := rows.Shared(o.Files)
	if err != nil {
		return nil, err
	}
	if o.Looking == nil {
		return nil, &rung.Error{Code: rung.CodeInternal, What: "nothing says how to look", Do: "report it"}
	}
	k, err := o.Looking.Looker()
	if err != nil {
		return nil, err
	}
	return func(ctx context.Context, part []byte) (any, error) {
		return readPart(ctx, set, part, func(ctx context.Context, p rows.Part) ([]sentLooked, rows.Lines, error) {
			var out []sentLooked
			lines, err := set.EachBlock(ctx, p, func(b *rows.Block) error {
				return b.Each(func(r rows.Row) error {
					one, err := k.Look(r.Raw)
					out = append(out, sendLooked(r.Place, &one))
					return err
				})
			})
			return out, lines, err
		})
	}, nil
}

func sendLooked(at rows.Place, l *curate.Looked) sentLooked {
	s := sentLooked{Place: at, Repeated: l.Repeated, Unfit: l.Unfit, Keyed: l.Keyed}
	if l.Was != nil {
		s.Changed = l.Raw
	}
	for _, f := range l.Found {
		s.Found = append(s.Found, sentFound{f.Finding, f.Bare, f.Field, []byte(f.Value())})
	}
	return s
}
