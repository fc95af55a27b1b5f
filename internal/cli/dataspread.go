package cli

import (
	"context"
	"encoding/json"
	"fmt"
	"path/filepath"
	"slices"

	"github.com/spf13/cobra"

	"github.com/rung-dev/rung"
	"github.com/rung-dev/rung/internal/contam"
	"github.com/rung-dev/rung/internal/dedupe"
	"github.com/rung-dev/rung/internal/pii"
	"github.com/rung-dev/rung/internal/rows"
	"github.com/rung-dev/rung/internal/spread"
)

// spreadKinds is what a worker on another machine can do.
var spreadKinds = map[string]spread.Kind{"dedupe": dedupeWorker, "contam": contamWorker, "pii": piiWorker, "looking": lookingWorker}

// newDataWorkerCommand is what Ray's nodes run. Nobody types it.
func newDataWorkerCommand(s *settings) *cobra.Command {
	return &cobra.Command{
		Use:    "worker",
		Short:  "Do parts of a data job of another rung, as frames on standard input and output",
		Hidden: true,
		Args:   exactArgs(0, "no arguments"),
		RunE: func(c *cobra.Command, _ []string) error {
			version, err := spread.VersionOf(Version)
			if err != nil {
				return err
			}
			return spread.Work(c.Context(), s.In, s.Out, version, spreadKinds)
		},
	}
}

// rayFlag adds --ray.
func rayFlag(c *cobra.Command, into *string) {
	c.Flags().StringVar(into, "ray", "", "do the work on this Ray cluster: auto, or host:port of its head; the result is the same (docs/data-ray.md)")
}

// connect is the cluster that --ray names, nil without it.
func (s *settings) connect(ctx context.Context, address string, set *rows.Set) (*spread.Cluster, error) {
	if address == "" {
		return nil, nil
	}
	for _, f := range set.Files {
		if f.Staged {
			return nil, &rung.Error{Code: rung.CodeUnsupported, Place: f.Name, What: "is no plain file of JSON lines, which is what the nodes of a cluster can read in parts", Do: "convert it first: rung data convert"}
		}
	}
	version, err := spread.VersionOf(Version)
	if err != nil {
		return nil, err
	}
	return spread.Connect(ctx, spread.Options{Address: address, Version: version, Log: func(line string) { fmt.Fprintln(s.Err, "  "+line) }})
}

// workers are who parts of the work are given to: a Ray cluster, or in tests functions of this process.
type workers interface {
	Setup(kind string, setup any) error
	Map(ctx context.Context, files bool, n int, part func(i int) any, take func(i int, answer []byte) error) error
	Processors() int
}

// filePart is a part of the files, and what was found out about it.
type filePart struct {
	Part rows.Part `json:"part"`
}

// foundIn is the answer to a filePart.
type foundIn[T any] struct {
	Lines rows.Lines `json:"lines"`
	What  T          `json:"what"`
}

// eachPart has the files worked on part by part. take gets what was found, and how many lines of the file come before.
func eachPart[T any](ctx context.Context, c workers, set *rows.Set, take func(p rows.Part, before int, what T) error) error {
	const least, most = 64 << 10, 16 << 20
	parts := set.Parts(min(most, max(least, set.Size()/int64(8*max(1, c.Processors())))))
	before, file := 0, 0
	return c.Map(ctx, true, len(parts), func(i int) any { return filePart{parts[i]} }, func(i int, answer []byte) error {
		var f foundIn[T]
		if err := json.Unmarshal(answer, &f); err != nil {
			return fmt.Errorf("the answer of a worker: %w", err)
		}
		if parts[i].File != file {
			before, file = 0, parts[i].File
		}
		if err := take(parts[i], before, f.What); err != nil {
			return err
		}
		if f.Lines.Long > 0 {
			return set.TooLong(file, before+f.Lines.Long)
		}
		before += f.Lines.N
		return nil
	})
}

// readPart is the worker's side of eachPart.
func readPart[T any](ctx context.Context, set *rows.Set, part []byte, look func(context.Context, rows.Part) (T, rows.Lines, error)) (any, error) {
	var p filePart
	if err := json.Unmarshal(part, &p); err != nil {
		return nil, err
	}
	if p.Part.File < 0 || p.Part.File >= len(set.Files) || p.Part.From < 0 {
		return nil, &rung.Error{Code: rung.CodeInternal, What: "a part of no file"}
	}
	what, lines, err := look(ctx, p.Part)
	return foundIn[T]{lines, what}, err
}

// sharedFiles are the files as other machines find them.
func sharedFiles(set *rows.Set) ([]rows.File, error) {
	files := slices.Clone(set.Files)
	for i := range files {
		var err error
		if files[i].Path, err = filepath.Abs(files[i].Path); err != nil {
			return nil, fmt.Errorf("%s: %w", files[i].Path, err)
		}
	}
	return files, nil
}

// dedupeSetup is what workers need to look for duplicates.
type dedupeSetup struct {
	Files   []rows.File    `json:"files"`
	Options dedupe.Options `json:"options"`
}

// dedupePart is one of three things to do.
type dedupePart struct {
	filePart
	Pairs    []dedupe.Pair    `json:"pairs,omitempty"`
	Clusters []dedupe.Members `json:"clusters,omitempty"`
}

// spreadDedupe is dedupe.Elsewhere on a Ray cluster.
type spreadDedupe struct {
	c   workers
	set *rows.Set
}

func newSpreadDedupe(c workers, set *rows.Set, o dedupe.Options) (*spreadDedupe, error) {
	files, err := sharedFiles(set)
	if err != nil {
		return nil, err
	}
	return &spreadDedupe{c, set}, c.Setup("dedupe", dedupeSetup{files, o})
}

// Look implements dedupe.Elsewhere.
func (s *spreadDedupe) Look(ctx context.Context, _ *dedupe.Options, take func(*dedupe.Looked) error) error {
	return eachPart(ctx, s.c, s.set, func(_ rows.Part, before int, l *dedupe.Looked) error {
		l.After(before)
		return take(l)
	})
}

// pairsAtOnce and membersAtOnce are how much a worker compares or settles before it answers.
const (
	pairsAtOnce   = 2048
	membersAtOnce = 1024
)

// Compare implements dedupe.Elsewhere.
func (s *spreadDedupe) Compare(ctx context.Context, _ *dedupe.Options, pairs []dedupe.Pair) ([]float64, error) {
	out := make([]float64, 0, len(pairs))
	n := (len(pairs) + pairsAtOnce - 1) / pairsAtOnce
	err := s.c.Map(ctx, false, n, func(i int) any {
		return dedupePart{Pairs: pairs[i*pairsAtOnce : min(len(pairs), (i+1)*pairsAtOnce)]}
	}, func(_ int, answer []byte) error {
		var some []float64
		err := json.Unmarshal(answer, &some)
		out = append(out, some...)
		return err
	})
	return out, err
}

// Settle implements dedupe.Elsewhere.
func (s *spreadDedupe) Settle(ctx context.Context, _ *dedupe.Options, clusters []dedupe.Members, take func(dedupe.Settled) error) error {
	var ends []int
	for i, n := 0, 0; i < len(clusters); i++ {
		if n += len(clusters[i].Places); n >= membersAtOnce || i+1 == len(clusters) {
			ends, n = append(ends, i+1), 0
		}
	}
	return s.c.Map(ctx, false, len(ends), func(i int) any {
		start := 0
		if i > 0 {
			start = ends[i-1]
		}
		return dedupePart{Clusters: clusters[start:ends[i]]}
	}, func(_ int, answer []byte) error {
		var some []dedupe.Settled
		if err := json.Unmarshal(answer, &some); err != nil {
			return err
		}
		for i := range some {
			if err := take(some[i]); err != nil {
				return err
			}
		}
		return nil
	})
}

func dedupeWorker(setup []byte) (func(context.Context, []byte) (any, error), error) {
	var o dedupeSetup
	if err := json.Unmarshal(setup, &o); err != nil {
		return nil, err
	}
	set, err := rows.Shared(o.Files)
	if err != nil {
		return nil, err
	}
	o.Options.Workers = 1
	return func(ctx context.Context, part []byte) (any, error) {
		var p dedupePart
		if err := json.Unmarshal(part, &p); err != nil {
			return nil, err
		}
		switch {
		case len(p.Pairs) > 0:
			return dedupe.Compare(ctx, set, p.Pairs, o.Options)
		case len(p.Clusters) > 0:
			out := make([]dedupe.Settled, len(p.Clusters))
			for i := range p.Clusters {
				var err error
				if out[i], err = dedupe.Settle(set, p.Clusters[i], o.Options); err != nil {
					return nil, err
				}
			}
			return out, nil
		}
		return readPart(ctx, set, part, func(ctx context.Context, p rows.Part) (*dedupe.Looked, rows.Lines, error) {
			return dedupe.Look(ctx, set, p, o.Options)
		})
	}, nil
}

// contamSetup is what workers need to look for evaluation items.
type contamSetup struct {
	Files   []rows.File    `json:"files"`
	Options contam.Options `json:"options"`
	Items   []contam.Item  `json:"items"`
}

// spreadContam is contam.Elsewhere on a Ray cluster.
func spreadContam(c workers, set *rows.Set) contam.Elsewhere {
	return func(ctx context.Context, x *contam.Index, o *contam.Options, take func(*contam.Looked) error) error {
		files, err := sharedFiles(set)
		if err != nil {
			return err
		}
		if err := c.Setup("contam", contamSetup{files, *o, x.Items}); err != nil {
			return err
		}
		return eachPart(ctx, c, set, func(_ rows.Part, before int, l *contam.Looked) error {
			l.After(before)
			return take(l)
		})
	}
}

func contamWorker(setup []byte) (func(context.Context, []byte) (any, error), error) {
	var o contamSetup
	if err := json.Unmarshal(setup, &o); err != nil {
		return nil, err
	}
	set, err := rows.Shared(o.Files)
	if err != nil {
		return nil, err
	}
	index, err := contam.NewIndex(o.Items)
	if err != nil {
		return nil, err
	}
	checker := contam.NewChecker(index, o.Options)
	return func(ctx context.Context, part []byte) (any, error) {
		return readPart(ctx, set, part, func(ctx context.Context, p rows.Part) (*contam.Looked, rows.Lines, error) {
			return checker.Look(ctx, set, p)
		})
	}, nil
}

// piiSetup is what workers need to look for personal data.
type piiSetup struct {
	Files []rows.File `json:"files"`
	Scan  piiScan     `json:"scan"`
}

// sentRow is a scanned row on its way from a worker. A row that stays as it is, is not sent: it is read again from its file.
type sentRow struct {
	Place   rows.Place  `json:"place"`
	Line    int         `json:"line"`
	Changed []byte      `json:"changed,omitempty"`
	Found   []sentFound `json:"found,omitempty"`
	Broken  string      `json:"broken,omitempty"`
}

type sentFound struct {
	pii.Finding
	Bare  bool   `json:"bare,omitempty"`
	Field string `json:"field"`
	Value []byte `json:"value"`
}

// spreadPII scans rows on a Ray cluster.
func spreadPII(ctx context.Context, c workers, set *rows.Set, scan piiScan, take func([]scanned) error) error {
	files, err := sharedFiles(set)
	if err != nil {
		return err
	}
	if err := c.Setup("pii", piiSetup{files, scan}); err != nil {
		return err
	}
	reader := set.Reader()
	defer reader.Close()
	return eachPart(ctx, c, set, func(p rows.Part, before int, sent []sentRow) error {
		out := make([]scanned, len(sent))
		for i, r := range sent {
			if int(r.Place.File) != p.File {
				return &rung.Error{Code: rung.CodeInternal, What: "a row of another file", Do: "report it"}
			}
			raw, err := reader.Read(r.Place)
			if err != nil {
				return err
			}
			out[i] = scanned{raw: append([]byte(nil), raw...), place: r.Place, line: before + r.Line, broken: r.Broken}
			for _, f := range r.Found {
				f.Finding.Bare = f.Bare
				out[i].found = append(out[i].found, pii.NewIn(f.Finding, f.Field, string(f.Value)))
			}
			if r.Changed != nil {
				out[i].was, out[i].raw = out[i].raw, r.Changed
			}
		}
		return take(out)
	})
}

func piiWorker(setup []byte) (func(context.Context, []byte) (any, error), error) {
	var o piiSetup
	if err := json.Unmarshal(setup, &o); err != nil {
		return nil, err
	}
	set, err := rows.Shared(o.Files)
	if err != nil {
		return nil, err
	}
	look, err := o.Scan.scanner()
	if err != nil {
		return nil, err
	}
	return func(ctx context.Context, part []byte) (any, error) {
		return readPart(ctx, set, part, func(ctx context.Context, p rows.Part) ([]sentRow, rows.Lines, error) {
			var out []sentRow
			lines, err := set.EachBlock(ctx, p, func(b *rows.Block) error {
				rows, err := look(b)
				for _, r := range rows {
					out = append(out, r.sent())
				}
				return err
			})
			return out, lines, err
		})
	}, nil
}

func (r *scanned) sent() sentRow {
	s := sentRow{Place: r.place, Line: r.line, Broken: r.broken}
	if r.was != nil {
		s.Changed = r.raw
	}
	for _, f := range r.found {
		s.Found = append(s.Found, sentFound{f.Finding, f.Bare, f.Field, []byte(f.Value())})
	}
	return s
}
