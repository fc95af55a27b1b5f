package cli

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/spf13/cobra"

	"github.com/rung-dev/rung"
	"github.com/rung-dev/rung/internal/report"
	"github.com/rung-dev/rung/internal/store"
)

type diffOptions struct {
	a, b string
	run  string
	all  bool
}

func newDiffCommand(s *settings) *cobra.Command {
	var o diffOptions
	c := &cobra.Command{
		Use:     "diff A B",
		GroupID: "read",
		Short:   "Compare two candidates or releases: recipe, data, figures, and example by example",
		Long: `Diff compares two candidates that were scored on the same held-out examples: what differs in the recipe, the metrics with
their paired differences, and which examples B fixed, broke, or gets wrong in other words than A. A and B are digests (the
beginning is enough) or rungs of the newest run, or of the one that --run names.

Two releases (v2, TASK@VERSION, TASK@ALIAS) are compared in the same way, with what differs in their data, parts and licences.`,
		Example: "  rung diff fewshot lora\n  rung diff 4abd3643 99a21e2a --all\n  rung diff v2 v3",
		Args:    exactArgs(2, "two candidates, rungs or releases"),
		RunE: func(c *cobra.Command, args []string) error {
			o.a, o.b = args[0], args[1]
			return runDiff(c.Context(), s, &o)
		},
	}
	c.Flags().StringVar(&o.run, "run", "", "run in which both were scored (default: the newest)")
	c.Flags().BoolVar(&o.all, "all", false, "write every example, also those both got right")
	return c
}

func runDiff(ctx context.Context, s *settings, o *diffOptions) (err error) {
	st, err := readStore(ctx, s)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, st.Close()) }()
	released, err := o.releases(ctx, s)
	if err != nil {
		return err
	}
	if len(released) == 2 {
		d, err := diffReleases(ctx, st, released[0], released[1], o.all)
		if err != nil {
			return err
		}
		return s.printReleaseDiff(d, o.all)
	}
	doc, a, b, err := o.pair(ctx, st)
	if err != nil {
		return err
	}
	d, err := report.DiffOf(ctx, doc, a, b, st, o.all)
	if err != nil {
		return err
	}
	if s.json {
		return s.printJSON(d)
	}
	width, color := report.Look(s.Out)
	return d.Write(s.Out, width, color, o.all)
}

// releases are those that A and B name. Where only one does, its candidate takes the place of the name.
func (o *diffOptions) releases(ctx context.Context, s *settings) ([]*rung.Release, error) {
	var out []*rung.Release
	names := []*string{&o.a, &o.b}
	of := map[*string]*rung.Release{}
	for _, name := range names {
		if slices.Contains(rung.Ladder, rung.Rung(*name)) {
			continue
		}
		r, err := releaseNamed(ctx, s, *name)
		if err != nil {
			return nil, err
		}
		if r != nil {
			out = append(out, r.Release)
			of[name] = r.Release
		}
	}
	if len(out) == 1 {
		for name, r := range of {
			*name = string(r.Candidate.Digest())
		}
	}
	return out, nil
}

// pair finds both candidates and a run that names the held-out set on which both were scored. They need not come from one
// run: the newest run with B on the set of the newest run with A will do.
func (o *diffOptions) pair(ctx context.Context, st store.Store) (doc *rung.Document, a, b *rung.Outcome, err error) {
	first, err := o.digest(ctx, st, o.a)
	if err != nil {
		return nil, nil, nil, err
	}
	second, err := o.digest(ctx, st, o.b)
	if err != nil {
		return nil, nil, nil, err
	}
	docs, err := o.documents(ctx, st)
	if err != nil {
		return nil, nil, nil, err
	}
	for _, x := range docs {
		one := scoredIn(x, first)
		if one == nil {
			continue
		}
		for _, y := range docs {
			if two := scoredIn(y, second); two != nil && x.Heldout.Digest == y.Heldout.Digest {
				return x, one, two, nil
			}
		}
	}
	return nil, nil, nil, &rung.Error{Code: rung.CodeNotFound, What: fmt.Sprintf("no run scored both %s and %s on the same held-out examples", first.Short(), second.Short()),
		Do: "name two candidates of one run (rung show RUN), or climb with --all"}
}

func (o *diffOptions) digest(ctx context.Context, st store.Store, name string) (rung.Digest, error) {
	var c *rung.Candidate
	var err error
	if slices.Contains(rung.Ladder, rung.Rung(name)) {
		run := o.run
		if run == "" {
			run = "latest"
		}
		c, err = candidateOn(ctx, st, rung.Rung(name), run)
	} else {
		c, err = st.Candidate(ctx, name)
	}
	if err != nil {
		return "", err
	}
	return c.Digest(), nil
}

// documents are those of the run that was named, or of all runs, newest first.
func (o *diffOptions) documents(ctx context.Context, st store.Store) ([]*rung.Document, error) {
	if o.run != "" {
		doc, err := document(ctx, st, o.run)
		return []*rung.Document{doc}, err
	}
	runs, err := st.Runs(ctx, 0)
	if err != nil {
		return nil, err
	}
	var out []*rung.Document
	for i := range runs {
		doc, err := documentOf(&runs[i])
		if err != nil {
			return nil, err
		}
		if doc != nil {
			out = append(out, doc)
		}
	}
	return out, nil
}
