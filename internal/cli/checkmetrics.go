package cli

import (
	"context"
	"fmt"
	"os/exec"
	"strings"

	"github.com/rung-dev/rung"
	"github.com/rung-dev/rung/internal/app"
	"github.com/rung-dev/rung/internal/form"
)

// ownMetrics runs the tests of patterns and expressions, and says what programs and judges lack. Neither is run here: a check calls
// no model and starts nothing.
func (r *checkReport) ownMetrics(ctx context.Context, t *rung.Task, output *form.Form) error {
	for _, spec := range t.Metrics {
		switch {
		case spec.Judge != nil:
			if t.Bar.Metric == spec.Name || strings.HasPrefix(t.Bar.Metric, spec.Name+".") {
				r.Warnings = append(r.Warnings, barJudge(t, &spec))
			}
		case spec.Program != nil:
			if _, err := exec.LookPath(spec.Program.Run[0]); err != nil {
				r.Warnings = append(r.Warnings, fmt.Sprintf("metric %s: %s cannot be executed here: %v", spec.Name, spec.Program.Run[0], err))
			}
		default:
			results, err := app.TestMetric(ctx, t, output, spec, nil)
			if err != nil {
				if ctx.Err() != nil {
					return err
				}
				continue // the metric does not compile, which is said already
			}
			if err := failedTests(results); err != nil {
				r.fail(err)
			}
		}
	}
	return nil
}

// barJudge says what a judge as the bar's metric means.
func barJudge(t *rung.Task, spec *rung.MetricSpec) string {
	if spec.Judge.MayDecide {
		return fmt.Sprintf("the bar's metric %s is a judge's and may decide uncalibrated (may_decide): nobody has held its scores against people's unless rung judge calibrate was run", t.Bar.Metric)
	}
	return fmt.Sprintf("the bar's metric %s is a judge's: until it is calibrated against people (rung judge calibrate), no rung passes or fails by it", t.Bar.Metric)
}
