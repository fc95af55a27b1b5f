package cli

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os/user"
	"time"

	"github.com/spf13/cobra"

	"github.com/rung-dev/rung"
	"github.com/rung-dev/rung/internal/app"
	"github.com/rung-dev/rung/internal/form"
	"github.com/rung-dev/rung/internal/store"
	"github.com/rung-dev/rung/internal/trace"
)

type feedbackOptions struct {
	up, down            bool
	score               float64
	scored              bool
	correction, comment string
}

func newFeedbackCommand(s *settings) *cobra.Command {
	var o feedbackOptions
	c := &cobra.Command{
		Use:     "feedback TRACE",
		GroupID: "ship",
		Short:   "Say whether an answer was right, or what it should have been",
		Long: `Feedback keeps what you say about an answer, joined to its trace, as POST /v1/feedback does. A correction is JSON in the output
form of the task; it becomes a proposed example (rung traces proposals). Comment and correction are redacted like traces. The
beginning of a trace's ID is enough.`,
		Example: "  rung feedback 6921d0a41c02 --up\n  rung feedback 6921d0a41c02 --correction '{\"intent\": \"PlayMusic\"}' --comment 'it was about a song'",
		Args:    exactArgs(1, "one trace ID, or its beginning"),
		RunE: func(c *cobra.Command, args []string) error {
			o.scored = c.Flags().Changed("score")
			return runFeedback(c.Context(), s, args[0], &o)
		},
	}
	f := c.Flags()
	f.BoolVar(&o.up, "up", false, "the answer was right")
	f.BoolVar(&o.down, "down", false, "the answer was wrong")
	f.Float64Var(&o.score, "score", 0, "how good it was, between 0 and 1")
	f.StringVar(&o.correction, "correction", "", "what the answer should have been, as JSON")
	f.StringVar(&o.comment, "comment", "", "anything else")
	return c
}

// feedback is what the flags say.
func (o *feedbackOptions) feedback(now time.Time) (rung.Feedback, error) {
	f := rung.Feedback{ID: trace.NewID(now), Comment: o.comment, By: userName(), At: now.UTC()}
	switch {
	case o.up && o.down:
		return f, usage("--up and --down do not go together")
	case o.scored && !(o.score >= 0 && o.score <= 1):
		return f, usage("--score is %v; it is between 0 and 1", o.score)
	case o.correction != "" && !json.Valid([]byte(o.correction)):
		return f, usage("--correction is no JSON; write a text in quotes: '\"like this\"'")
	case !o.up && !o.down && !o.scored && o.correction == "" && o.comment == "":
		return f, usage("say something: --up, --down, --score, --correction or --comment")
	case o.up:
		f.Thumb = 1
	case o.down:
		f.Thumb = -1
	}
	if o.scored {
		f.Score = &o.score
	}
	if o.correction != "" {
		f.Correction = json.RawMessage(o.correction)
	}
	return f, nil
}

func userName() string {
	if u, err := user.Current(); err == nil {
		return u.Username
	}
	return ""
}

func runFeedback(ctx context.Context, s *settings, id string, o *feedbackOptions) (err error) {
	f, err := o.feedback(time.Now())
	if err != nil {
		return err
	}
	st, err := openTraces(ctx, s)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, st.Close()) }()
	if err := keepFeedback(ctx, s, st, id, &f); err != nil {
		return err
	}
	if s.json {
		return s.printJSON(f)
	}
	_, err = fmt.Fprintf(s.Out, "Kept for trace %s.\n", f.Trace)
	return err
}

// corrects refuses a correction that no answer of the task could be, where the release that answered is in the store at hand.
func corrects(ctx context.Context, s *settings, t *rung.Trace, f *rung.Feedback) error {
	if f.Correction == nil || t.Task == "" {
		return nil
	}
	r, err := releaseNamed(ctx, s, t.Task+"@"+t.Version)
	if err != nil || r == nil {
		return nil // whoever reads the proposals sees it
	}
	output, err := form.New(r.Release.Candidate.Output)
	if err != nil {
		return err
	}
	if err := output.Validate(f.Correction, t.Input); err != nil {
		return usage("the correction is no answer of %s: %s", t.Task, err)
	}
	return nil
}

// keepFeedback joins feedback to its trace, redacts it as traces are, and keeps it.
func keepFeedback(ctx context.Context, s *settings, st store.Serving, id string, f *rung.Feedback) error {
	t, err := st.Trace(ctx, id)
	if err != nil {
		return err
	}
	f.Trace = t.ID
	if err := corrects(ctx, s, &t, f); err != nil {
		return err
	}
	redact, err := app.Redactor()
	if err != nil {
		return err
	}
	return trace.KeepFeedback(ctx, st, redact, t.Task, *f)
}
