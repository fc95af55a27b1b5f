package cli

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/rung-dev/rung"
	"github.com/rung-dev/rung/internal/curate"
	"github.com/rung-dev/rung/internal/data"
	"github.com/rung-dev/rung/internal/govern"
)

func newDataWhyCommand(s *settings) *cobra.Command {
	return &cobra.Command{
		Use:   "why FOLDER ID-OR-TEXT",
		Short: "Say what became of a row: where it comes from, what changed it, or why it was removed",
		Long: `Why answers for a row of a dataset, by its id. For a row that is in it: from which file and line it comes, what each step changed, and
which removed rows it stays in the place of. For a removed row: which step removed it, why, in favour of which row, with which score.
Where no row has the id, it answers for the rows whose text is like what is asked for. FILE:LINE names a row by its place in the raw file.

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
digest that it had when the dataset was built, and names sources whose retention has passed by today.

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
			Passed  []string      `json:"retention_passed,omitempty"` // sources that had to be gone by today
			Dataset *rung.Dataset `json:"dataset"`
		}{f.Dir, changed == nil, overdue(f.Dataset, time.Now()), f.Dataset}
		if err := s.printJSON(doc); err != nil {
			return err
		}
		return changed
	}
	var t strings.Builder
	sum := curate.Summarise(f.Dataset, nil)
	t.WriteString(sum.Text())
	t.WriteString("\n" + sum.TermsText())
	t.WriteString(overdueText(f.Dataset))
	if changed == nil {
		fmt.Fprintf(&t, "\nDigest %s. All files are as they were built.\n", f.Dataset.Digest.Short())
	}
	if _, err := fmt.Fprint(s.Out, t.String()); err != nil {
		return err
	}
	return changed
}

// overdue are the sources of a dataset whose retention has passed on a day. Nothing in the folder depends on the day, so its report cannot say it.
func overdue(d *rung.Dataset, day time.Time) (names []string) {
	for i := range d.Sources {
		if govern.Passed(&d.Sources[i].Terms, day) {
			names = append(names, d.Sources[i].Name)
		}
	}
	return names
}

// overdueText says it to a person; empty when all may still be there.
func overdueText(d *rung.Dataset) string {
	var b strings.Builder
	for _, name := range overdue(d, time.Now()) {
		i := slices.IndexFunc(d.Sources, func(s rung.Source) bool { return s.Name == name })
		fmt.Fprintf(&b, "! Data of the source %s had to be gone after %s (retention): delete them, or have their owner allow longer. Nothing is measured, trained or released with them.\n", name, d.Sources[i].Retention)
	}
	return b.String()
}
