package cli

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/rung-dev/rung"
	"github.com/rung-dev/rung/internal/report"
	"github.com/rung-dev/rung/internal/store"
	"github.com/rung-dev/rung/internal/trace"
)

// exportDocument is what rung traces export --json prints.
type exportDocument struct {
	File string `json:"file"`
	trace.Exported
}

func newTracesExportCommand(s *settings) *cobra.Command {
	var o traceOptions
	var out string
	var examples bool
	c := &cobra.Command{
		Use:   "export",
		Short: "Write traces to a file, as they are kept or as examples",
		Long: `Export writes a line of JSON for each trace that matches, the first written first, with its feedback. With --examples it writes lines
that a task file can name under examples: the input and, as the output, the last correction or else the answer. Traces
without text, failed ones and those judged bad are left out unless somebody corrected them; how many is told. With
--feedback only traces that somebody judged are written. Look at the lines before you train or measure on them: an answer
is what a model said, and what was redacted is redacted in them too.`,
		Example: "  rung traces export -o traces.jsonl --since 24h\n  rung traces export --examples --feedback --task tickets -o more.jsonl",
		Args:    exactArgs(0, "no arguments"),
		RunE:    func(c *cobra.Command, _ []string) error { return runTracesExport(c.Context(), s, &o, out, examples) },
	}
	o.flags(c, 0)
	c.Flags().StringVarP(&out, "output", "o", "-", "file to write (-: standard output)")
	c.Flags().BoolVar(&examples, "examples", false, "write examples that rung check reads")
	return c
}

func runTracesExport(ctx context.Context, s *settings, o *traceOptions, out string, examples bool) error {
	f, err := o.filter(time.Now())
	if err != nil {
		return err
	}
	write := trace.Export
	if examples {
		write = trace.ExportExamples
	}
	return s.export(ctx, out, func(w io.Writer, st store.Serving) (trace.Exported, error) { return write(ctx, w, st, f) })
}

// export writes what write makes to a file, whole or not at all, or to standard output.
func (s *settings) export(ctx context.Context, out string, write func(io.Writer, store.Serving) (trace.Exported, error)) (err error) {
	if s.json && out == "-" {
		return usage("with --json the lines need a file: name it with -o")
	}
	st, err := openTraces(ctx, s)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, st.Close()) }()
	if out == "-" {
		w := bufio.NewWriter(s.Out)
		done, err := write(w, st)
		fmt.Fprint(s.Err, skippedText(done.Skipped))
		return errors.Join(err, w.Flush())
	}
	done, err := writeWhole(out, func(w io.Writer) (trace.Exported, error) { return write(w, st) })
	if err != nil {
		return err
	}
	if s.json {
		return s.printJSON(exportDocument{out, done})
	}
	_, err = fmt.Fprintf(s.Out, "%s: %d lines\n%s", out, done.Written, skippedText(done.Skipped))
	return err
}

func skippedText(skipped map[string]int) string {
	var lines []string
	for reason, n := range skipped {
		lines = append(lines, fmt.Sprintf("left out: %d (%s)\n", n, reason))
	}
	slices.Sort(lines)
	return strings.Join(lines, "")
}

// writeWhole writes a file that only the user may read, under another name until it is complete.
func writeWhole(path string, write func(io.Writer) (trace.Exported, error)) (done trace.Exported, err error) {
	fail := func(err error) error {
		return &rung.Error{Code: rung.CodeUsage, Place: path, What: "cannot be written: " + err.Error(), Do: "name another file with -o", Err: err}
	}
	f, err := os.CreateTemp(filepath.Dir(path), ".rung-export-*")
	if err != nil {
		return done, fail(err)
	}
	defer func() {
		if err != nil {
			_ = os.Remove(f.Name())
		}
	}()
	w := bufio.NewWriterSize(f, 256<<10)
	done, err = write(w)
	if err != nil {
		return done, errors.Join(err, f.Close())
	}
	if err := errors.Join(w.Flush(), f.Close()); err != nil {
		return done, fail(err)
	}
	if err := os.Rename(f.Name(), path); err != nil {
		return done, fail(err)
	}
	return done, nil
}

// proposalsDocument is what rung traces proposals --json prints.
type proposalsDocument struct {
	Proposals []rung.Proposal `json:"proposals"` // oldest first
}

func newTracesProposalsCommand(s *settings) *cobra.Command {
	var task, out string
	c := &cobra.Command{
		Use:   "proposals",
		Short: "List the examples that corrections propose",
		Long: `Proposals lists the corrections that people sent, each with the input it is about. With -o it writes them as examples: read them,
and add those that are right to the examples of the task.`,
		Args: exactArgs(0, "no arguments"),
		RunE: func(c *cobra.Command, _ []string) error {
			if out == "" {
				return runTracesProposals(c.Context(), s, task)
			}
			return s.export(c.Context(), out, func(w io.Writer, st store.Serving) (trace.Exported, error) {
				return trace.ExportProposals(c.Context(), w, st, task)
			})
		},
	}
	c.Flags().StringVar(&task, "task", "", "only those of this task")
	c.Flags().StringVarP(&out, "output", "o", "", "file to write them to as examples (-: standard output)")
	return c
}

func runTracesProposals(ctx context.Context, s *settings, task string) (err error) {
	st, err := openTraces(ctx, s)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, st.Close()) }()
	out := proposalsDocument{Proposals: []rung.Proposal{}}
	for p, err := range st.Proposals(ctx, task) {
		if err != nil {
			return err
		}
		out.Proposals = append(out.Proposals, p)
	}
	if s.json {
		return s.printJSON(out)
	}
	if len(out.Proposals) == 0 {
		_, err := fmt.Fprintln(s.Out, "No correction yet; rung feedback ID --correction JSON makes one.")
		return err
	}
	rows := [][]string{{"trace", "task", "at", "input", "should be"}}
	for _, p := range out.Proposals {
		rows = append(rows, []string{shortTrace(p.Trace), p.Task, p.At.Local().Format("2006-01-02 15:04"), report.Readable(p.Input), report.Readable(p.Output)})
	}
	_, err = fmt.Fprint(s.Out, strings.Join(report.Columns(rows), "\n")+"\n")
	return err
}
