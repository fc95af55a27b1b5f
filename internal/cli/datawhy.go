package cli

import (
	"context"
	"fmt"
	"strings"

	"github.com/spf13/cobra"

	"github.com/rung-dev/rung"
	"github.com/rung-dev/rung/internal/curate"
	"github.com/rung-dev/rung/internal/data"
)

func newDataWhyCommand(s *settings) *cobra.Command {
	return &cobra.Command{
		Use:   "why FOLDER ID-OR-TEXT",
		Short: "Say what became of a row: where it comes from, what changed it, or why it was removed",
		Long: `Why answers for a row of a dataset, by its id. For a row that is in it: from which file and line it comes, what each step changed, and
which removed rows it stays in the place of. For a removed row: which step removed it, why, in favour of which row, with which score.
Where no row has the id, it answers for the rows whose text is like what is asked for. FILE:LINE names a removed row by its raw file.

Exit status 7 when there is no such row.`,
		Example: "  rung data why tickets 8f14e45fceea1677\n  rung data why tickets \"parcel did not arrive\"\n  rung data why tickets raw/mail.csv:17",
		Args:    exactArgs(2, "a dataset folder, and an id or a text"),
		RunE: func(c *cobra.Command, args []string) error {
			f, err := data.OpenFolder(args[0])
			if err != nil {
				return err
			}
			answers, err := curate.Why(c.Context(), f, args[1])
			if err != nil {
				return err
			}
			if s.json {
				return s.printJSON(struct {
					Folder  string          `json:"folder"`
					Asked   string          `json:"asked"`
					Answers []curate.Answer `json:"answers"`
				}{args[0], args[1], answers})
			}
			for i := range answers {
				if i > 0 {
					fmt.Fprintln(s.Out)
				}
				fmt.Fprint(s.Out, answers[i].Text())
			}
			return nil
		},
	}
}

func newDataShowCommand(s *settings) *cobra.Command {
	return &cobra.Command{
		Use:   "show FOLDER",
		Short: "Show what a dataset holds, on what terms, and whether it is as it was built",
		Long: `Show reads a dataset's folder: its splits, sources and terms, what each step did, what nobody has stated. It holds every file to the
digest that it had when the dataset was built.

Exit status 0 when the files are as they were built, 2 when one was changed.`,
		Example: "  rung data show tickets\n  rung data show tickets --json",
		Args:    exactArgs(1, "a dataset folder"),
		RunE: func(c *cobra.Command, args []string) error {
			return runDataShow(c.Context(), s, args[0])
		},
	}
}

func runDataShow(_ context.Context, s *settings, path string) error {
	f, err := data.OpenFolder(path)
	if err != nil {
		return err
	}
	changed := f.Verify()
	if s.json {
		doc := struct {
			Folder  string        `json:"folder"`
			Whole   bool          `json:"as_built"`
			Dataset *rung.Dataset `json:"dataset"`
		}{f.Dir, changed == nil, f.Dataset}
		if err := s.printJSON(doc); err != nil {
			return err
		}
		return changed
	}
	var t strings.Builder
	sum := curate.Summarise(f.Dataset, nil)
	t.WriteString(sum.Text())
	t.WriteString("\n" + sum.TermsText())
	if changed == nil {
		fmt.Fprintf(&t, "\nDigest %s. All files are as they were built.\n", f.Dataset.Digest.Short())
	}
	if _, err := fmt.Fprint(s.Out, t.String()); err != nil {
		return err
	}
	return changed
}
