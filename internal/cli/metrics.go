package cli

import (
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/rung-dev/rung"
	"github.com/rung-dev/rung/internal/app"
)

func newMetricsCommand(s *settings) *cobra.Command {
	c := &cobra.Command{
		Use:     "metrics",
		GroupID: "task",
		Short:   "Test the metrics that a task defines",
		Long: `Metrics are tested before they judge: tests beside a metric in the task file (or in a file that it names) say which score an answer
must get. docs/metrics.md has how to write them.`,
		Args: exactArgs(0, "a subcommand: test"),
		RunE: func(c *cobra.Command, _ []string) error { return c.Help() },
	}
	c.AddCommand(newMetricsTestCommand(s))
	return c
}

// metricsTested is what rung metrics test --json prints.
type metricsTested struct {
	OK      bool               `json:"ok"`
	Tests   []app.MetricResult `json:"tests"`
	Without []string           `json:"metrics_without_tests,omitempty"`
}

func newMetricsTestCommand(s *settings) *cobra.Command {
	var metric, prices string
	c := &cobra.Command{
		Use:   "test TASK.yaml",
		Short: "Run the tests beside the task's metrics",
		Long: `Test runs the tests that stand beside the metrics of the task: patterns, expressions, programs (really run, within their limits) and
judges (really asked; a verdict that is in the store costs nothing).

Exit status 2 when a test fails, 0 when all pass.`,
		Example: "  rung metrics test task.yaml\n  rung metrics test task.yaml --metric polite --json",
		Args:    exactArgs(1, "one task file"),
		RunE: func(c *cobra.Command, args []string) error {
			out := metricsTested{Tests: []app.MetricResult{}}
			err := s.withProject(c.Context(), app.Options{File: args[0], Store: s.store, Prices: prices}, func(p *app.Project) error {
				results, err := p.TestMetrics(c.Context(), metric)
				out.Tests = append(out.Tests, results...)
				out.Without = untested(p.Task, metric)
				return err
			})
			if err != nil {
				return err
			}
			out.OK = !slices.ContainsFunc(out.Tests, func(r app.MetricResult) bool { return !r.OK })
			if s.json {
				err = s.printJSON(out)
			} else {
				printMetricsTested(s.Out, &out)
			}
			if err == nil {
				err = failedTests(out.Tests)
			}
			return err
		},
	}
	c.Flags().StringVar(&metric, "metric", "", "test this metric only")
	c.Flags().StringVar(&prices, "prices", "", "price file that overrides the built-in table")
	return c
}

// untested are the task's own metrics that have no test.
func untested(t *rung.Task, metric string) []string {
	var names []string
	for _, m := range t.Metrics {
		if len(m.Tests) == 0 && (metric == "" || m.Name == metric) {
			names = append(names, m.Name)
		}
	}
	return names
}

func failedTests(results []app.MetricResult) error {
	var errs rung.Errors
	for _, r := range results {
		if !r.OK {
			errs = append(errs, &rung.Error{Code: rung.CodeInput, Place: r.Place,
				What: fmt.Sprintf("the metric %s should give %s; %s", r.Metric, r.Want, r.What), Do: "correct the metric or its test"})
		}
	}
	return errs.Or()
}

func printMetricsTested(w io.Writer, out *metricsTested) {
	passed := 0
	for _, r := range out.Tests {
		mark := "ok  "
		if r.OK {
			passed++
		} else {
			mark = "FAIL"
		}
		score := fmt.Sprint(r.Score)
		if r.Failed != "" {
			score = "no score"
		}
		fmt.Fprintf(w, "%s  %-16s %s, wanted %s  (%s)\n", mark, r.Metric, score, r.Want, r.Place)
		if note := firstOf(r.Failed, r.Note); note != "" {
			fmt.Fprintln(w, wrapped("      ", "      ", note))
		}
	}
	switch {
	case len(out.Tests) == 0:
		fmt.Fprintln(w, "No metric has a test.")
	default:
		fmt.Fprintf(w, "%d of %d tests passed.\n", passed, len(out.Tests))
	}
	if len(out.Without) > 0 {
		fmt.Fprintf(w, "Without a test: %s.\n", strings.Join(out.Without, ", "))
	}
}

func firstOf(texts ...string) string {
	for _, t := range texts {
		if t != "" {
			return t
		}
	}
	return ""
}
