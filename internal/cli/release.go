package cli

import (
	"context"
	"crypto/ed25519"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/rung-dev/rung"
	"github.com/rung-dev/rung/internal/app"
	"github.com/rung-dev/rung/internal/registry"
	"github.com/rung-dev/rung/internal/store"
)

type releaseOptions struct {
	app.ReleaseOptions
	sign bool
	key  string
}

func newReleaseCommand(s *settings) *cobra.Command {
	var o releaseOptions
	c := &cobra.Command{
		Use:     "release [RUN]",
		GroupID: "ship",
		Short:   "Make a release of what a climb decided, after checking that it serves what was evaluated",
		Long: `Release gives the candidate that a climb decided for (the newest run, or RUN) a version that never changes: the candidate,
its demonstrations, index and adapter, the scorecards and the decision, licences, and who made it when from which commit.

The parity check comes first: the release is loaded as the gateway loads it, held-out inputs are rendered, and each request
must be the evaluated one, byte for byte. Local models, and hosted ones with --answers, are asked too, twice each: their answers
may differ from the evaluated ones no more than from each other. Anything else refuses the release and shows the difference.

The alias "candidate" points at the new release; production moves with --production, or later with rung alias.`,
		Example: "  rung release\n  rung release 20261122-0914 --as v3 --note \"first with retrieval\" --production\n  rung release --candidate 99a21e2a --force --note \"better than what is served\"",
		Args:    atMost(1, "one run at most"),
		RunE: func(c *cobra.Command, args []string) error {
			if len(args) == 1 {
				o.Run = args[0]
			}
			return runRelease(c.Context(), s, &o)
		},
	}
	f := c.Flags()
	f.StringVar(&o.Version, "as", "", "version (default: the next of v1, v2, …)")
	f.StringVar(&o.Note, "note", "", "what is new, or why")
	f.StringVar(&o.Candidate, "candidate", "", "release this candidate of the run instead of the decided one")
	f.StringVar(&o.TaskFile, "task", "", "the task file (default: that of the run)")
	f.BoolVar(&o.AllowDirty, "allow-dirty", false, "release from a Git work tree with changes")
	f.BoolVar(&o.Force, "force", false, "release a candidate that does not meet the bar; needs --note")
	f.IntVar(&o.Sample, "sample", app.DefaultSample, "held-out inputs of the parity check")
	f.BoolVar(&o.Answers, "answers", false, "compare the answers of hosted models too, which makes two calls per input")
	f.BoolVar(&o.sign, "sign", false, "sign it with your key; the first time one is made")
	f.StringVar(&o.key, "key", "", "the signing key (default: rung/signing.key in your configuration directory)")
	f.BoolVar(&o.Production, "production", false, "point production at it")
	return c
}

// releaseDocument is what rung release --json prints.
type releaseDocument struct {
	Name    string           `json:"name"`
	Digest  rung.Digest      `json:"digest"`
	Release *rung.Release    `json:"release"`
	Aliases []rung.AliasMove `json:"aliases"`
	Signed  string           `json:"signed,omitempty"`
	Notes   []string         `json:"notes"`
}

func runRelease(ctx context.Context, s *settings, o *releaseOptions) (err error) {
	if o.Sample < 1 {
		return usage("--sample must be at least 1, it is %d", o.Sample)
	}
	if o.Store, err = storeDir(s); err != nil {
		return err
	}
	if o.sign || o.key != "" {
		if o.Sign, err = s.signingKey(o.key); err != nil {
			return err
		}
	}
	serving, err := openServing(ctx, o.Store)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, serving.Close()) }()
	o.Serving, o.Program = serving, Version
	o.Observe = func(line string) { fmt.Fprintln(s.Err, "rung: "+line) }
	done, err := app.Release(ctx, o.ReleaseOptions)
	if err != nil {
		return err
	}
	out := releaseDocument{Name: done.Release.Name(), Digest: done.Release.Digest, Release: done.Release, Aliases: done.Moves, Signed: done.Signed, Notes: done.Notes}
	if s.json {
		if out.Notes == nil {
			out.Notes = []string{}
		}
		return s.printJSON(out)
	}
	return s.printReleased(&out, o.Production)
}

func (s *settings) printReleased(d *releaseDocument, production bool) error {
	r := d.Release
	var b strings.Builder
	fmt.Fprintf(&b, "%s  %s on %s, %s\n", d.Name, r.Candidate.Rung, r.Candidate.Model, d.Digest.Short())
	fmt.Fprintf(&b, "parity: %s\n", parityText(r.Parity))
	if d.Signed != "" {
		fmt.Fprintf(&b, "signed by %s\n", d.Signed)
	}
	for _, m := range d.Aliases {
		fmt.Fprintf(&b, "%s: %s\n", m.Alias, movedText(m))
	}
	for _, n := range d.Notes {
		fmt.Fprintf(&b, "note: %s\n", n)
	}
	if _, err := fmt.Fprint(s.Out, b.String()); err != nil || production {
		return err
	}
	_, err := fmt.Fprintf(s.Err, "\nNothing serves it yet: rung alias %s production %s --why … points production at it.\n", r.Task, r.Version)
	return err
}

func parityText(p rung.Parity) string {
	text := fmt.Sprintf("%d of %d requests are the evaluated ones", p.Requests, p.N)
	if p.Compared > 0 {
		return text + fmt.Sprintf(", %d of %d answers too", p.Answers, p.Compared)
	}
	return text + "; answers were not compared"
}

func movedText(m rung.AliasMove) string {
	switch {
	case m.Version == "":
		return "removed from " + m.From
	case m.From == "" || m.From == m.Version:
		return m.Version
	}
	return m.From + " → " + m.Version
}

// signingKey reads the user's key, or makes one and says where it is.
func (s *settings) signingKey(path string) (ed25519.PrivateKey, error) {
	if path == "" {
		var err error
		if path, err = registry.DefaultKeyPath(); err != nil {
			return nil, err
		}
	}
	key, made, err := registry.SigningKey(path)
	if err == nil && made {
		fmt.Fprintf(s.Err, "rung: made a signing key: %s. Give %s to those who verify (%s).\n", path, registry.PublicKeyPath(path), registry.Fingerprint(key.Public().(ed25519.PublicKey)))
	}
	return key, err
}

// atMost is cobra.MaximumNArgs with an error that says what was expected.
func atMost(n int, what string) cobra.PositionalArgs {
	return func(c *cobra.Command, args []string) error {
		if len(args) <= n {
			return nil
		}
		return &rung.Error{Code: rung.CodeUsage, What: fmt.Sprintf("%s takes %s, got %d arguments", c.CommandPath(), what, len(args)), Do: "see " + c.CommandPath() + " --help"}
	}
}

// shelf is the releases of a store: what is recorded of them, and their content.
type shelf struct {
	dir     string
	serving store.Serving
	layout  *registry.Layout
}

// openShelf opens the releases of the store at hand. The caller closes it.
func openShelf(ctx context.Context, s *settings) (*shelf, error) {
	dir, err := storeDir(s)
	if err != nil {
		return nil, err
	}
	return openShelfIn(ctx, dir)
}

func openShelfIn(ctx context.Context, dir string) (*shelf, error) {
	serving, err := openServing(ctx, dir)
	if err != nil {
		return nil, err
	}
	layout, err := registry.Open(app.ReleasesDir(dir))
	if err != nil {
		return nil, errors.Join(err, serving.Close())
	}
	return &shelf{dir, serving, layout}, nil
}

func (sh *shelf) Close() error { return sh.serving.Close() }

// find looks a release up, as app.FindRelease does.
func (sh *shelf) find(ctx context.Context, name string) (rung.ReleaseLine, error) {
	return app.FindRelease(ctx, sh.serving, name)
}

func when(t time.Time) string { return t.Local().Format("2006-01-02 15:04") }
