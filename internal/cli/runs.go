package cli

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/rung-dev/rung"
	"github.com/rung-dev/rung/internal/report"
	"github.com/rung-dev/rung/internal/store"
)

// runsDocument is what rung runs --json prints.
type runsDocument struct {
	Runs []runLine `json:"runs"`
}

type runLine struct {
	Run      string       `json:"run"`
	Task     string       `json:"task"`
	Status   store.Status `json:"status"`
	Started  time.Time    `json:"started"`
	Ended    *time.Time   `json:"ended"` // null while it runs
	Rung     rung.Rung    `json:"rung,omitempty"`
	Verdict  rung.Verdict `json:"verdict,omitempty"`
	Chosen   rung.Digest  `json:"candidate,omitempty"`
	decision string
}

func newRunsCommand(s *settings) *cobra.Command {
	var limit int
	c := &cobra.Command{
		Use:     "runs",
		GroupID: "read",
		Short:   "List the climbs in the store, newest first",
		Args:    exactArgs(0, "no arguments"),
		RunE:    func(c *cobra.Command, _ []string) error { return runRuns(c.Context(), s, limit) },
	}
	c.Flags().IntVarP(&limit, "limit", "n", 0, "list at most so many (0: all)")
	return c
}

func runRuns(ctx context.Context, s *settings, limit int) (err error) {
	if limit < 0 {
		return usage("--limit must not be negative, it is %d", limit)
	}
	st, err := readStore(ctx, s)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, st.Close()) }()
	runs, err := st.Runs(ctx, limit)
	if err != nil {
		return err
	}
	out := runsDocument{Runs: []runLine{}}
	for i := range runs {
		line, err := lineOf(&runs[i])
		if err != nil {
			return err
		}
		out.Runs = append(out.Runs, line)
	}
	if s.json {
		return s.printJSON(out)
	}
	return s.printRuns(out.Runs)
}

func lineOf(r *store.Run) (runLine, error) {
	out := runLine{Run: r.ID, Task: r.Task, Status: r.Status, Started: r.Started.UTC()}
	if !r.Ended.IsZero() {
		ended := r.Ended.UTC()
		out.Ended = &ended
	}
	doc, err := documentOf(r)
	if err != nil || doc == nil {
		return out, err
	}
	d := doc.Decision
	out.Rung, out.Verdict, out.Chosen = d.Rung, d.Verdict, d.Candidate
	if d.Rung != "" {
		out.decision = fmt.Sprintf("%s, %s", d.Rung, d.Verdict)
	}
	return out, nil
}

func (s *settings) printRuns(runs []runLine) error {
	if len(runs) == 0 {
		_, err := fmt.Fprintln(s.Out, "No climb yet; rung climb TASK.yaml makes one.")
		return err
	}
	rows := [][]string{{"run", "task", "started", "status", "decision"}}
	for _, r := range runs {
		rows = append(rows, []string{r.Run, r.Task, r.Started.Local().Format("2006-01-02 15:04"), string(r.Status), r.decision})
	}
	_, err := fmt.Fprint(s.Out, strings.Join(report.Columns(rows), "\n")+"\n")
	return err
}
