package cli

import (
	"context"
	"errors"
	"fmt"
	"os"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/rung-dev/rung"
	"github.com/rung-dev/rung/internal/app"
	"github.com/rung-dev/rung/internal/report"
	"github.com/rung-dev/rung/internal/rollout"
	"github.com/rung-dev/rung/internal/store"
)

// traceOptions are the filters that the commands on traces share.
type traceOptions struct {
	task, release, arm, key, since string
	errors, feedback               bool
	limit                          int
}

// tracesDocument is what rung traces --json prints.
type tracesDocument struct {
	Traces []rung.Trace `json:"traces"` // the last written first
}

func newTracesCommand(s *settings) *cobra.Command {
	var o traceOptions
	c := &cobra.Command{
		Use:     "traces",
		GroupID: "ship",
		Short:   "List what a gateway answered; show, follow and export it",
		Long: `Traces lists the requests that gateways answered, the last one first: redacted, and as far back as their retention goes. The
beginning of an ID is enough where one is asked for.`,
		Example: "  rung traces --task tickets --errors --since 2h\n  rung traces show 6921d0a4\n  rung traces tail\n  rung traces export --examples --feedback -o more.jsonl",
		Args:    exactArgs(0, "no arguments"),
		RunE:    func(c *cobra.Command, _ []string) error { return runTraces(c.Context(), s, &o) },
	}
	o.flags(c, 50)
	c.AddCommand(newTracesShowCommand(s), newTracesTailCommand(s), newTracesExportCommand(s), newTracesProposalsCommand(s))
	return c
}

func (o *traceOptions) flags(c *cobra.Command, limit int) {
	f := c.Flags()
	f.StringVar(&o.task, "task", "", "only those of this task")
	f.StringVar(&o.release, "release", "", "only those that this release answered: v3 or task@v3")
	f.StringVar(&o.arm, "arm", "", "only those of this arm of a rollout: baseline, target or shadow")
	f.StringVar(&o.key, "key", "", "only those of the key with this ID")
	f.StringVar(&o.since, "since", "", "only those that began since then: 2h, 7d, or a time such as 2026-11-22T15:04:05Z")
	f.BoolVar(&o.errors, "errors", false, "only those that failed, or whose answer had a problem")
	f.BoolVar(&o.feedback, "feedback", false, "only those with feedback")
	f.IntVarP(&o.limit, "limit", "n", limit, "so many at most (0: all)")
}

// filter is what the flags say.
func (o *traceOptions) filter(now time.Time) (store.TraceFilter, error) {
	f := store.TraceFilter{Task: o.task, Version: o.release, Arm: o.arm, Key: o.key, Errors: o.errors, Feedback: o.feedback, Limit: o.limit}
	if o.limit < 0 {
		return f, usage("--limit must not be negative, it is %d", o.limit)
	}
	if arms := []string{"baseline", "target", rollout.ShadowArm}; o.arm != "" && !slices.Contains(arms, o.arm) {
		return f, usage("there is no arm %q; the arms are %s", o.arm, strings.Join(arms, ", "))
	}
	if task, version, named := strings.Cut(o.release, "@"); named {
		if o.task != "" && o.task != task {
			return f, usage("--task %s and --release %s do not go together", o.task, o.release)
		}
		f.Task, f.Version = task, version
	}
	var err error
	if o.since != "" {
		f.Since, err = parseSince(o.since, now)
	}
	return f, err
}

// parseSince reads how long ago, or when.
func parseSince(text string, now time.Time) (time.Time, error) {
	if days, ok := strings.CutSuffix(text, "d"); ok {
		if n, err := strconv.Atoi(days); err == nil && n > 0 && n < 100_000 {
			return now.AddDate(0, 0, -n), nil
		}
	}
	if d, err := time.ParseDuration(text); err == nil && d > 0 {
		return now.Add(-d), nil
	}
	for _, layout := range []string{time.RFC3339, time.DateTime, "2006-01-02T15:04:05", time.DateOnly} {
		if at, err := time.ParseInLocation(layout, text, time.Local); err == nil {
			return at, nil
		}
	}
	return now, usage("--since is %q; write 2h, 7d, or a time such as 2026-11-22 or 2026-11-22T15:04:05Z", text)
}

// openTraces opens what gateways keep: in the database that RUNG_DATABASE_URL names, where no store is needed, else in the store.
func openTraces(ctx context.Context, s *settings) (store.Serving, error) {
	if url := os.Getenv("RUNG_DATABASE_URL"); url != "" {
		return app.OpenServing(ctx, "", url)
	}
	dir, err := storeDir(s)
	if err != nil {
		return nil, err
	}
	return app.OpenServing(ctx, dir, "")
}

func runTraces(ctx context.Context, s *settings, o *traceOptions) (err error) {
	f, err := o.filter(time.Now())
	if err != nil {
		return err
	}
	st, err := openTraces(ctx, s)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, st.Close()) }()
	out := tracesDocument{Traces: []rung.Trace{}}
	for t, err := range st.Traces(ctx, f) {
		if err != nil {
			return err
		}
		out.Traces = append(out.Traces, t)
	}
	if s.json {
		return s.printJSON(out)
	}
	if len(out.Traces) == 0 {
		return s.noTraces(ctx, st, f.Task)
	}
	return s.printTraces(out.Traces)
}

// noTraces says that nothing matched; a task that has no release is more likely a slip.
func (s *settings) noTraces(ctx context.Context, st store.Serving, task string) error {
	if task != "" {
		unknown, err := unknownTasks(ctx, st, []string{task})
		if err != nil {
			return err
		}
		if len(unknown) > 0 {
			_, err := fmt.Fprintf(s.Out, "No trace matches, and the store has no release of a task %q (rung releases lists tasks).\n", task)
			return err
		}
	}
	return s.printTraces(nil)
}

// traceHeading is the first row of lists of traces; traceRow makes the others.
var traceHeading = []string{"trace", "at", "release", "arm", "status", "latency", "tokens", "cost", "note"}

func traceRow(t *rung.Trace) []string {
	release := t.Model
	if t.Task != "" {
		release = t.Task + "@" + t.Version
	}
	return []string{shortTrace(t.ID), t.At.Local().Format("01-02 15:04:05.000"), release, t.Arm, strconv.Itoa(t.Status), spanTime(t.Latency),
		fmt.Sprintf("%d+%d", t.Usage.In, t.Usage.Out), traceCost(t.CostUSD), traceNote(t)}
}

// shortTrace is as much of an ID as tells it from others: the second, and 32 random bits.
func shortTrace(id string) string { return id[:min(len(id), 16)] }

// traceNote is what is worth a look: why it failed, what was done to it, which guard acted.
func traceNote(t *rung.Trace) string {
	var notes []string
	if t.Code != "" {
		notes = append(notes, string(t.Code))
	}
	if t.Problem != "" {
		notes = append(notes, string(t.Problem))
	}
	for _, g := range t.Guards {
		switch {
		case g.Action != "":
			notes = append(notes, g.Kind+" "+string(g.Action))
		case g.Failed != "":
			notes = append(notes, g.Kind+" failed")
		}
	}
	if t.Fallback > 0 {
		notes = append(notes, fmt.Sprintf("fallback %d", t.Fallback))
	}
	if t.Repaired {
		notes = append(notes, "repaired")
	}
	if t.Retries > 0 {
		notes = append(notes, fmt.Sprintf("retries %d", t.Retries))
	}
	return strings.Join(notes, ", ")
}

func traceCost(usd float64) string {
	if usd == 0 {
		return "-"
	}
	return fmt.Sprintf("$%.4g", usd)
}

// spanTime writes a duration with three digits.
func spanTime(d time.Duration) string {
	switch {
	case d < time.Millisecond:
		return fmt.Sprintf("%d µs", d.Microseconds())
	case d < 100*time.Millisecond:
		return fmt.Sprintf("%.1f ms", float64(d)/float64(time.Millisecond))
	case d < 10*time.Second:
		return fmt.Sprintf("%d ms", d.Milliseconds())
	}
	return fmt.Sprintf("%.1f s", d.Seconds())
}

func (s *settings) printTraces(ts []rung.Trace) error {
	if len(ts) == 0 {
		_, err := fmt.Fprintln(s.Out, "No trace matches; rung serve writes them.")
		return err
	}
	rows := [][]string{traceHeading}
	for i := range ts {
		rows = append(rows, traceRow(&ts[i]))
	}
	_, err := fmt.Fprint(s.Out, strings.Join(report.Columns(rows), "\n")+"\n")
	return err
}
