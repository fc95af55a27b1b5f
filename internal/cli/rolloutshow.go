package cli

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"

	"github.com/spf13/cobra"

	"github.com/rung-dev/rung"
	"github.com/rung-dev/rung/internal/report"
	"github.com/rung-dev/rung/internal/rollout"
	"github.com/rung-dev/rung/internal/store"
)

// statusDocument is what rung rollout status --json prints.
type statusDocument struct {
	Rollouts []rolloutStatus `json:"rollouts"`
}

type rolloutStatus struct {
	Rollout   rung.Rollout      `json:"rollout"`
	Judgement rollout.Judgement `json:"judgement"`
	Agreement *rung.Interval    `json:"agreement,omitempty"` // shadow: share of equal answers
}

func newRolloutStatus(s *settings) *cobra.Command {
	return &cobra.Command{
		Use:   "status [TASK|ROLLOUT]",
		Short: "Show what the traffic says so far",
		Long: `Status shows each active rollout, or the one that is named, ended or not: requests of each release, each metric with its
interval, and what is still needed. It may be looked at as often as one likes: looking does not make a wrong decision likelier.`,
		Args: atMost(1, "at most one task or id of a rollout"),
		RunE: func(c *cobra.Command, args []string) error {
			return runRolloutStatus(c.Context(), s, strings.Join(args, ""))
		},
	}
}

func runRolloutStatus(ctx context.Context, s *settings, name string) (err error) {
	serving, err := openRollouts(ctx, s)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, serving.Close()) }()
	chosen, err := rolloutsToShow(ctx, serving, name)
	if err != nil {
		return err
	}
	doc := statusDocument{Rollouts: []rolloutStatus{}}
	for _, r := range chosen {
		one, err := statusOf(ctx, serving, r)
		if err != nil {
			return err
		}
		doc.Rollouts = append(doc.Rollouts, one)
	}
	if s.json {
		return s.printJSON(doc)
	}
	return s.printRolloutStatus(doc.Rollouts)
}

// rolloutsToShow are all active ones, those of a task that are active or else its last, or one by its id.
func rolloutsToShow(ctx context.Context, serving store.Serving, name string) ([]rung.Rollout, error) {
	all, err := serving.Rollouts(ctx, "", name == "")
	if err != nil || name == "" {
		return all, err
	}
	found := matching(all, name)
	if len(found) == 0 {
		return nil, &rung.Error{Code: rung.CodeNotFound, What: "there is no rollout " + name, Do: "see rung rollout history"}
	}
	var active []rung.Rollout
	for _, r := range found {
		if r.State == rung.Active {
			active = append(active, r)
		}
	}
	if len(active) == 0 {
		return found[:1], nil // newest first
	}
	return active, nil
}

func statusOf(ctx context.Context, serving store.Serving, r rung.Rollout) (rolloutStatus, error) {
	seen, err := serving.Moments(ctx, r.ID)
	if err != nil {
		return rolloutStatus{}, err
	}
	out := rolloutStatus{Rollout: r, Judgement: rollout.Judge(&r, seen)}
	if r.Mode == rung.Shadow {
		same := rollout.AgreementOf(seen, r.Alpha)
		out.Agreement = &same
	}
	return out, nil
}

func (s *settings) printRolloutStatus(all []rolloutStatus) error {
	if len(all) == 0 {
		_, err := fmt.Fprintln(s.Out, "No rollout is active; rung rollout start TASK VERSION starts one.")
		return err
	}
	var b strings.Builder
	for i := range all {
		if i > 0 {
			b.WriteString("\n")
		}
		writeStatus(&b, &all[i])
	}
	_, err := fmt.Fprint(s.Out, b.String())
	return err
}

func writeStatus(b *strings.Builder, st *rolloutStatus) {
	r, j := &st.Rollout, &st.Judgement
	fmt.Fprintf(b, "%s  %s, %s\n", r.ID, rolloutTitle(r), stateText(r))
	fmt.Fprintf(b, "requests: %s %d, %s %d; judged from %d of each, ends undecided at %d of %s; alpha %v\n\n",
		r.Baseline, j.BaselineN, r.Target, j.TargetN, r.MinN, r.MaxN, r.Target, r.Alpha)
	rows := [][]string{{"metric", r.Baseline, r.Target, r.Target + " − " + r.Baseline, "pairs", "may be worse by", "says", "needs"}}
	for i := range j.Rules {
		rule := &j.Rules[i]
		rows = append(rows, []string{rule.Metric, ranged(rule.Baseline, false), ranged(rule.Target, false), ranged(rule.Difference, true),
			strconv.Itoa(rule.Difference.N), amount(rule), ruleSays(rule), ruleNeeds(rule, r)})
	}
	b.WriteString(strings.Join(report.Columns(rows), "\n") + "\n\n")
	if a := st.Agreement; a != nil && a.N > 0 {
		fmt.Fprintf(b, "the same answer: %s of %d requests\n", ranged(*a, false), a.N)
	}
	switch {
	case r.State != rung.Active:
		fmt.Fprintf(b, "%s: %s\n", strings.ReplaceAll(string(r.State), "_", " "), r.Why)
	case j.Action == rollout.GoOn:
		fmt.Fprintf(b, "%s\n", j.Reason)
	case !r.Auto:
		fmt.Fprintf(b, "%s: %s\nNobody does it by itself here: rung rollout %s %s\n", actionText(j.Action), j.Reason, strings.ReplaceAll(actionText(j.Action), " ", ""), r.ID)
	default:
		fmt.Fprintf(b, "%s: %s\nA running gateway does it.\n", actionText(j.Action), j.Reason)
	}
}

func actionText(a rollout.Action) string {
	if a == rollout.Promote {
		return "promote"
	}
	return "roll back"
}

func rolloutTitle(r *rung.Rollout) string {
	of := map[rung.RolloutMode]string{rung.Canary: "of the requests", rung.AB: "of the callers", rung.Shadow: "of the requests, unseen"}[r.Mode]
	return fmt.Sprintf("%s: %s of %s against %s (%s), %s %s", r.Task, r.Mode, r.Target, r.Baseline, r.Alias, percent(r.Share), of)
}

func percent(x float64) string { return strconv.FormatFloat(100*x, 'g', 3, 64) + " %" }

func stateText(r *rung.Rollout) string {
	if r.State == rung.Active {
		return "since " + when(r.Started)
	}
	return fmt.Sprintf("%s to %s", when(r.Started), when(r.Ended))
}

// ranged is a figure with its interval.
func ranged(iv rung.Interval, sign bool) string {
	if iv.N == 0 {
		return "–"
	}
	show := rollout.Figure
	if sign {
		show = rollout.Signed
	}
	return fmt.Sprintf("%s (%s to %s)", show(iv.Value), show(iv.Low), show(iv.High))
}

func amount(r *rollout.RuleJudgement) string {
	text := strings.TrimSpace(rollout.Figure(r.Margin) + " " + r.Unit)
	if r.Gain > 0 {
		text += ", must gain " + rollout.Figure(r.Gain)
	}
	return text
}

func ruleSays(r *rollout.RuleJudgement) string {
	switch {
	case r.Worse:
		return "worse"
	case r.Settled():
		return "good enough"
	case r.NotWorse:
		return "not worse, gain open"
	}
	return "open"
}

func ruleNeeds(r *rollout.RuleJudgement, of *rung.Rollout) string {
	switch {
	case r.Settled():
		return "nothing"
	case r.Difference.N == 0:
		return "requests"
	case r.Needed == 0:
		return "no end in sight"
	}
	return fmt.Sprintf("about %d more of %s", r.Needed, of.Target)
}

func (s *settings) printStarted(r *rung.Rollout) error {
	_, err := fmt.Fprintf(s.Out, "%s  %s\n%s\n%s\n", r.ID, rolloutTitle(r), ruleLine(r), autoLine(r))
	return err
}

func ruleLine(r *rung.Rollout) string {
	var parts []string
	for _, rule := range r.Rules {
		text := fmt.Sprintf("%s (margin %s", rule.Metric, rollout.Figure(rule.Margin))
		if rule.Gain > 0 {
			text += ", gain " + rollout.Figure(rule.Gain)
		}
		parts = append(parts, text+")")
	}
	return fmt.Sprintf("judged by %s, from %d requests of each, at error %v", strings.Join(parts, ", "), r.MinN, r.Alpha)
}

func autoLine(r *rung.Rollout) string {
	if r.Auto {
		return fmt.Sprintf("promotes or rolls back by itself; undecided after %d requests of %s it rolls back", r.MaxN, r.Target)
	}
	return "waits for rung rollout promote or rollback"
}

func (s *settings) printEnded(r *rung.Rollout) error {
	to := r.Baseline
	if r.State == rung.Promoted {
		to = r.Target
	}
	_, err := fmt.Fprintf(s.Out, "%s: %s. %s@%s is %s; running gateways follow within a second.\n", r.ID, strings.ReplaceAll(string(r.State), "_", " "), r.Task, r.Alias, to)
	return err
}

// historyDocument is what rung rollout history --json prints.
type historyDocument struct {
	Rollouts []rung.Rollout `json:"rollouts"`
}

func newRolloutHistory(s *settings) *cobra.Command {
	return &cobra.Command{
		Use:   "history [TASK]",
		Short: "List rollouts, newest first, with how they ended and why",
		Args:  atMost(1, "at most one task"),
		RunE: func(c *cobra.Command, args []string) error {
			return runRolloutHistory(c.Context(), s, strings.Join(args, ""))
		},
	}
}

func runRolloutHistory(ctx context.Context, s *settings, name string) (err error) {
	serving, err := openRollouts(ctx, s)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, serving.Close()) }()
	all, err := serving.Rollouts(ctx, name, false)
	if err != nil {
		return err
	}
	if s.json {
		return s.printJSON(historyDocument{append([]rung.Rollout{}, all...)})
	}
	if len(all) == 0 {
		_, err := fmt.Fprintln(s.Out, "No rollout yet; rung rollout start TASK VERSION starts one.")
		return err
	}
	rows := [][]string{{"rollout", "task", "mode", "from", "to", "share", "started", "by", "state", "why"}}
	for i := range all {
		r := &all[i]
		rows = append(rows, []string{r.ID, r.Task, string(r.Mode), r.Baseline, r.Target, percent(r.Share), when(r.Started), person(r.By), strings.ReplaceAll(string(r.State), "_", " "), r.Why})
	}
	_, err = fmt.Fprint(s.Out, strings.Join(report.Columns(rows), "\n")+"\n")
	return err
}
