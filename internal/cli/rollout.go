package cli

import (
	"cmp"
	"context"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/rung-dev/rung"
	"github.com/rung-dev/rung/internal/app"
	"github.com/rung-dev/rung/internal/rollout"
	"github.com/rung-dev/rung/internal/store"
)

func newRolloutCommand(s *settings) *cobra.Command {
	c := &cobra.Command{
		Use:     "rollout",
		GroupID: "ship",
		Short:   "Move traffic to another release, and back when it is worse",
		Long: `A rollout gives another release a share of a task's traffic, compares the two by metrics of that traffic, and ends: the
release is promoted when every metric is shown not to be worse by more than its margin, and rolled back when one is shown to be.
Both hold at every look: the chance of either being wrong is at most alpha over the whole rollout (docs/rollouts.md).
Running gateways follow within a second.`,
		Example: "  rung rollout start tickets v3 --share 10%\n  rung rollout status\n  rung rollout rollback tickets --why \"complaints\"",
	}
	c.AddCommand(newRolloutStart(s), newRolloutStatus(s), newRolloutShare(s), newRolloutHistory(s))
	c.AddCommand(
		newRolloutEnd(s, "promote", rung.Promoted, "Point the alias at the new release and end the rollout"),
		newRolloutEnd(s, "rollback", rung.RolledBack, "Send all traffic back to the release before"),
		newRolloutEnd(s, "cancel", rung.Cancelled, "End the rollout without a verdict; the release before gets all traffic"))
	return c
}

type rolloutOptions struct {
	task, version      string
	mode, share, alias string
	metrics            []string
	margins            []string
	gains, bounds      []string
	alpha              float64
	minN, maxN         int
	auto, autoSet      bool
	why                string
}

func newRolloutStart(s *settings) *cobra.Command {
	var o rolloutOptions
	c := &cobra.Command{
		Use:   "start TASK VERSION",
		Short: "Start a rollout",
		Long: `Start gives VERSION (a version or an alias) a share of the traffic of TASK: a task's name, or its task file, whose key
"rollout" holds defaults for the flags here. For a name, the task.yaml beside the store is read if it is that task's.

--metric and --margin are given in turn, once for each metric. --gain and --bound take VALUE, or METRIC=VALUE where there are
several metrics.`,
		Example: "  rung rollout start tickets v3 --share 10%\n  rung rollout start tickets v3 --mode ab --share 50% --metric success --margin 0.02 --metric latency_ms --margin 200 --bound latency_ms=10000\n  rung rollout start task.yaml v3 --mode shadow --share 100%",
		Args:    exactArgs(2, "a task and a version"),
		RunE: func(c *cobra.Command, args []string) error {
			o.task, o.version, o.autoSet = args[0], args[1], c.Flags().Changed("auto")
			return runRolloutStart(c.Context(), s, &o)
		},
	}
	f := c.Flags()
	f.StringVar(&o.mode, "mode", "", "canary (a share of the requests), ab (a share of the callers) or shadow (answers that nobody sees) (default canary)")
	f.StringVar(&o.share, "share", "", "share of the traffic for VERSION, such as 10% or 0.1 (default 10%)")
	f.StringVar(&o.alias, "alias", rung.Production, "the alias whose traffic is shared")
	f.StringArrayVar(&o.metrics, "metric", nil, "judge by this metric: "+strings.Join(rollout.RuleMetrics(), ", ")+" (default success)")
	f.StringArrayVar(&o.margins, "margin", nil, "how much worse the metric may be, in its unit (default 0.02; none for latency_ms and cost_usd)")
	f.StringArrayVar(&o.gains, "gain", nil, "promote only if the metric is better by this much")
	f.StringArrayVar(&o.bounds, "bound", nil, "latency_ms and cost_usd: the most that one request counts (default 50 margins)")
	f.Float64Var(&o.alpha, "alpha", 0, "chance of a wrong promotion or rollback over the whole rollout (default 0.05)")
	f.IntVar(&o.minN, "min-n", 0, "requests of each release before anything is judged (default 20)")
	f.IntVar(&o.maxN, "max-n", 0, "requests of VERSION after which an undecided rollout is rolled back (default 20000)")
	f.BoolVar(&o.auto, "auto", true, "promote and roll back without a person; in shadow mode only when given")
	f.StringVar(&o.why, "why", "", "the reason, for the history")
	return c
}

// rolloutDocument is what the commands that change a rollout print with --json.
type rolloutDocument struct {
	Rollout rung.Rollout `json:"rollout"`
}

func runRolloutStart(ctx context.Context, s *settings, o *rolloutOptions) (err error) {
	at, err := findRolloutTask(s, o.task)
	if err != nil {
		return err
	}
	serving, err := openServing(ctx, at.store)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, serving.Close()) }()
	r, err := o.rollout(at.name, at.spec)
	if err != nil {
		return err
	}
	if err := resolveReleases(ctx, serving, &r); err != nil {
		return err
	}
	if errs := rollout.Check(&r); len(errs) > 0 {
		return errs
	}
	r.ID, r.State, r.By, r.Started = newRolloutID(), rung.Active, app.Who(ctx, "."), time.Now().UTC()
	if r, err = serving.PutRollout(ctx, r); err != nil {
		return err
	}
	if s.json {
		return s.printJSON(rolloutDocument{r})
	}
	return s.printStarted(&r)
}

// rollout puts the flags over the task file's settings and the defaults under them.
func (o *rolloutOptions) rollout(name string, spec rung.RolloutSpec) (rung.Rollout, error) {
	r := rung.Rollout{Task: name, Alias: o.alias, Target: o.version, Why: o.why, Rules: spec.Rules,
		Mode:  cmp.Or(rung.RolloutMode(o.mode), spec.Mode),
		Share: spec.Share, Alpha: cmp.Or(o.alpha, spec.Alpha), MinN: cmp.Or(o.minN, spec.MinN), MaxN: cmp.Or(o.maxN, spec.MaxN)}
	var err error
	if o.share != "" {
		if r.Share, err = parseShare(o.share); err != nil {
			return r, err
		}
	}
	if r.Rules, err = o.rules(spec.Rules); err != nil {
		return r, err
	}
	rollout.Fill(&r)
	r.Auto = !spec.Manual && r.Mode != rung.Shadow
	if o.autoSet {
		r.Auto = o.auto
	}
	return r, nil
}

func parseShare(text string) (float64, error) {
	number, percent := strings.CutSuffix(strings.TrimSpace(text), "%")
	x, err := strconv.ParseFloat(strings.TrimSpace(number), 64)
	if err != nil || x <= 0 {
		return 0, &rung.Error{Code: rung.CodeUsage, What: fmt.Sprintf("%q is no share", text), Do: "write a part of the traffic, such as 10% or 0.1"}
	}
	if percent {
		x /= 100
	}
	return x, nil
}

// rules are the task's, or those of the flags; what a flag leaves open of a metric is as in the task.
func (o *rolloutOptions) rules(defaults []rung.RolloutRule) ([]rung.RolloutRule, error) {
	if len(o.metrics) == 0 && len(o.margins)+len(o.gains)+len(o.bounds) == 0 {
		return defaults, nil
	}
	metrics := o.metrics
	if len(metrics) == 0 {
		metrics = []string{rollout.Success}
	}
	var rules []rung.RolloutRule
	for _, m := range metrics {
		rule := rung.RolloutRule{Metric: m, Margin: rollout.UsualMargin(m)}
		if i := slices.IndexFunc(defaults, func(d rung.RolloutRule) bool { return d.Metric == m }); i >= 0 {
			rule = defaults[i]
		}
		rules = append(rules, rule)
	}
	err := errors.Join(
		setRules(rules, "margin", o.margins, func(r *rung.RolloutRule, x float64) { r.Margin = x }),
		setRules(rules, "gain", o.gains, func(r *rung.RolloutRule, x float64) { r.Gain = x }),
		setRules(rules, "bound", o.bounds, func(r *rung.RolloutRule, x float64) { r.Bound = x }))
	for i := range rules {
		if err == nil && rules[i].Margin == 0 && len(o.margins) == 0 {
			err = usage("%s is not between 0 and 1, so it needs a margin in its own unit; add --margin", rules[i].Metric)
		}
	}
	return rules, err
}

// setRules reads a flag of metrics: METRIC=VALUE, or one VALUE for each metric in turn.
func setRules(rules []rung.RolloutRule, flag string, values []string, set func(*rung.RolloutRule, float64)) error {
	for i, v := range values {
		metric, number, named := strings.Cut(v, "=")
		at := i
		if named {
			at = slices.IndexFunc(rules, func(r rung.RolloutRule) bool { return r.Metric == metric })
		} else {
			number = v
		}
		x, err := strconv.ParseFloat(number, 64)
		switch {
		case err != nil:
			return usage("--%s %s: %q is no number", flag, v, number)
		case at < 0:
			return usage("--%s %s: there is no --metric %s", flag, v, metric)
		case !named && len(values) != len(rules):
			return usage("--%s is given %d times for %d metrics; give it once for each, or write METRIC=VALUE", flag, len(values), len(rules))
		}
		set(&rules[at], x)
	}
	return nil
}

// resolveReleases finds the versions: that of the alias is the baseline.
func resolveReleases(ctx context.Context, serving store.Serving, r *rung.Rollout) error {
	aliases, err := serving.Aliases(ctx, r.Task)
	if err != nil {
		return err
	}
	lines, err := serving.Releases(ctx, r.Task)
	if err != nil {
		return err
	}
	known := slices.ContainsFunc(lines, func(l rung.ReleaseLine) bool { return l.Version == r.Target })
	for _, a := range aliases {
		if a.Alias == r.Alias {
			r.Baseline = a.Version
		}
	}
	for _, a := range aliases {
		if !known && a.Alias == r.Target {
			r.Target, known = a.Version, true
		}
	}
	switch {
	case len(lines) == 0:
		return &rung.Error{Code: rung.CodeNotFound, What: fmt.Sprintf("there is no release of a task %q", r.Task), Do: "see rung releases; rung release makes one"}
	case !known:
		return &rung.Error{Code: rung.CodeNotFound, What: "there is no release " + r.Task + "@" + r.Target, Do: "see rung releases " + r.Task}
	case r.Baseline == "":
		return &rung.Error{Code: rung.CodeNotFound, What: fmt.Sprintf("%s@%s points at no release, so there is nothing to compare with", r.Task, r.Alias),
			Do: fmt.Sprintf("point it at one: rung alias %s %s %s --why …", r.Task, r.Alias, r.Target)}
	}
	return nil
}

// newRolloutID is random, short enough to type.
func newRolloutID() string {
	b := make([]byte, 4)
	_, _ = rand.Read(b) // it never fails (crypto/rand)
	return "r" + hex.EncodeToString(b)
}
