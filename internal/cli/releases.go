package cli

import (
	"context"
	"errors"
	"fmt"
	"regexp"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/rung-dev/rung"
	"github.com/rung-dev/rung/internal/report"
)

type releasesOptions struct {
	task    string
	history bool
	limit   int
}

// releasesDocument is what rung releases --json prints.
type releasesDocument struct {
	Releases []rung.ReleaseLine `json:"releases"`
	Aliases  []rung.AliasMove   `json:"aliases"`
	// Reviews is where the risk review of a release stands, by TASK@VERSION; releases without one are not in it.
	Reviews map[string]rung.ReviewState `json:"reviews,omitempty"`
	History []rung.AliasMove            `json:"history,omitempty"` // newest first, with --history
}

func newReleasesCommand(s *settings) *cobra.Command {
	var o releasesOptions
	c := &cobra.Command{
		Use:     "releases [TASK]",
		GroupID: "ship",
		Short:   "List releases, newest first, with the aliases that point at them",
		Long:    `Releases lists the releases of the store, or of one task. --history tells who moved which alias when, and why.`,
		Example: "  rung releases\n  rung releases tickets --history",
		Args:    atMost(1, "one task at most"),
		RunE: func(c *cobra.Command, args []string) error {
			if len(args) == 1 {
				o.task = args[0]
			}
			return runReleases(c.Context(), s, &o)
		},
	}
	c.Flags().BoolVar(&o.history, "history", false, "write the moves of aliases instead")
	c.Flags().IntVarP(&o.limit, "limit", "n", 50, "moves to write at most")
	return c
}

func runReleases(ctx context.Context, s *settings, o *releasesOptions) (err error) {
	if o.limit < 1 {
		return usage("--limit must be at least 1, it is %d", o.limit)
	}
	sh, err := openShelf(ctx, s)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, sh.Close()) }()
	out, err := o.read(ctx, sh)
	if err != nil {
		return err
	}
	switch {
	case s.json:
		return s.printJSON(out)
	case o.history:
		return s.printHistory(out.History)
	}
	return s.printReleases(out)
}

func (o *releasesOptions) read(ctx context.Context, sh *shelf) (*releasesDocument, error) {
	out := &releasesDocument{Releases: []rung.ReleaseLine{}, Aliases: []rung.AliasMove{}}
	lines, err := sh.serving.Releases(ctx, o.task)
	if err != nil {
		return nil, err
	}
	aliases, err := sh.serving.Aliases(ctx, o.task)
	if err != nil {
		return nil, err
	}
	reviews, err := sh.serving.Reviews(ctx, o.task)
	if err != nil {
		return nil, err
	}
	for i := range reviews {
		if out.Reviews == nil {
			out.Reviews = map[string]rung.ReviewState{}
		}
		out.Reviews[reviews[i].Task+"@"+reviews[i].Version] = reviews[i].StateOn(time.Now())
	}
	out.Releases, out.Aliases = append(out.Releases, lines...), append(out.Aliases, aliases...)
	if o.task != "" && len(lines) == 0 {
		return nil, &rung.Error{Code: rung.CodeNotFound, What: "the task " + o.task + " has no release", Do: "see rung releases; rung release makes one"}
	}
	if !o.history {
		return out, nil
	}
	tasks := []string{o.task}
	if o.task == "" {
		tasks = tasksOf(lines)
	}
	for _, t := range tasks {
		moves, err := sh.serving.AliasHistory(ctx, t, o.limit)
		if err != nil {
			return nil, err
		}
		out.History = append(out.History, moves...)
	}
	return out, nil
}

func tasksOf(lines []rung.ReleaseLine) []string {
	var out []string
	seen := map[string]bool{}
	for _, l := range lines {
		if !seen[l.Task] {
			seen[l.Task] = true
			out = append(out, l.Task)
		}
	}
	return out
}

func (s *settings) printReleases(d *releasesDocument) error {
	if len(d.Releases) == 0 {
		_, err := fmt.Fprintln(s.Out, "No release yet; rung release makes one of the newest climb.")
		return err
	}
	rows := [][]string{{"release", "aliases", "rung", "model", "made", "by", "review", "note"}}
	for _, l := range d.Releases {
		var names []string
		for _, a := range d.Aliases {
			if a.Task == l.Task && a.Version == l.Version {
				names = append(names, a.Alias)
			}
		}
		rows = append(rows, []string{l.Task + "@" + l.Version, strings.Join(names, ", "), string(l.Rung), string(l.Model), when(l.At), person(l.By), reviewText(d.Reviews[l.Task+"@"+l.Version], l.Review), l.Note})
	}
	_, err := fmt.Fprint(s.Out, strings.Join(report.Columns(rows), "\n")+"\n")
	return err
}

func (s *settings) printHistory(moves []rung.AliasMove) error {
	if len(moves) == 0 {
		_, err := fmt.Fprintln(s.Out, "No alias was moved yet.")
		return err
	}
	rows := [][]string{{"when", "alias", "move", "by", "why"}}
	for _, m := range moves {
		rows = append(rows, []string{when(m.At), m.Task + "@" + m.Alias, movedText(m), person(m.By), withoutMail(m.Why)})
	}
	_, err := fmt.Fprint(s.Out, strings.Join(report.Columns(rows), "\n")+"\n")
	return err
}

// mail is an address as Git writes it behind a name.
var mail = regexp.MustCompile(` <[^<>\s]+@[^<>\s]+>`)

// withoutMail is a text without such addresses: reasons that rung wrote itself name who did it.
func withoutMail(text string) string { return mail.ReplaceAllString(text, "") }

// person is who did something without their mail address, which is for nobody who reads a list; --json has it.
func person(by string) string {
	name, _, _ := strings.Cut(by, " <")
	return name
}
