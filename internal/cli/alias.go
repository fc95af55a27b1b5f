package cli

import (
	"context"
	"errors"
	"fmt"
	"regexp"

	"github.com/spf13/cobra"

	"github.com/rung-dev/rung"
	"github.com/rung-dev/rung/internal/app"
)

type aliasOptions struct {
	task, name, version string
	why                 string
	remove              bool
}

// aliasRule is the form of an alias: a name, with /SEGMENT for the requests of one segment. It must not look like a version.
var aliasRule = regexp.MustCompile(`^[A-Za-z][A-Za-z0-9._-]{0,62}(/[^\s/@]{1,100})?$`)

func newAliasCommand(s *settings) *cobra.Command {
	var o aliasOptions
	c := &cobra.Command{
		Use:     "alias TASK NAME VERSION",
		GroupID: "ship",
		Short:   "Point an alias, such as production, at a release",
		Long: `Alias points a name at a release: requests for the bare task go to "production", and requests of a segment to
"production/SEGMENT" where that is set. Versions never change; aliases move, and every move is kept with who made it and why.
Where somebody else moves the alias in the same moment, one of the two is refused. A running gateway follows within a second.`,
		Example: "  rung alias tickets production v3 --why \"passed the canary\"\n  rung alias tickets production/german v2 --why \"v3 is worse in German\"\n  rung alias tickets production/german --remove --why \"v4 is good in both\"",
		Args: func(c *cobra.Command, args []string) error {
			if o.remove {
				return exactArgs(2, "a task and an alias with --remove")(c, args)
			}
			return exactArgs(3, "a task, an alias and a version")(c, args)
		},
		RunE: func(c *cobra.Command, args []string) error {
			o.task, o.name = args[0], args[1]
			if !o.remove {
				o.version = args[2]
			}
			return runAlias(c.Context(), s, &o)
		},
	}
	c.Flags().StringVar(&o.why, "why", "", "the reason, for the history (required)")
	c.Flags().BoolVar(&o.remove, "remove", false, "take the alias away")
	return c
}

func runAlias(ctx context.Context, s *settings, o *aliasOptions) (err error) {
	if o.why == "" {
		return usage("a move needs its reason; add --why")
	}
	if !aliasRule.MatchString(o.name) {
		return usage("%q cannot be an alias; use a name such as production, or production/SEGMENT", o.name)
	}
	sh, err := openShelf(ctx, s)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, sh.Close()) }()
	lines, err := sh.serving.Releases(ctx, o.task)
	if err != nil {
		return err
	}
	for _, l := range lines {
		if l.Version == o.name {
			return usage("%q is a version of %s, so it cannot be an alias", o.name, o.task)
		}
	}
	move, err := app.MoveAlias(ctx, sh.serving, rung.AliasMove{Task: o.task, Alias: o.name, Version: o.version, By: app.Who(ctx, "."), Why: o.why})
	if err != nil {
		return err
	}
	if s.json {
		return s.printJSON(move)
	}
	if move.From == move.Version {
		_, err = fmt.Fprintf(s.Out, "%s@%s points at %s already\n", o.task, o.name, move.Version)
		return err
	}
	_, err = fmt.Fprintf(s.Out, "%s@%s: %s\n", o.task, o.name, movedText(move))
	return err
}
