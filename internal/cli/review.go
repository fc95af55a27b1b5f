package cli

import (
	"cmp"
	"context"
	"crypto/ed25519"
	"errors"
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/rung-dev/rung"
	"github.com/rung-dev/rung/internal/app"
	"github.com/rung-dev/rung/internal/report"
	"github.com/rung-dev/rung/internal/store/sqlite"
)

type reviewOptions struct {
	release string
	answers []string
	sign    bool
	refuse  bool
	name    string
	role    string
	why     string
	until   string
	key     string
	fresh   bool
}

func newReviewCommand(s *settings) *cobra.Command {
	var o reviewOptions
	c := &cobra.Command{
		Use:     "review RELEASE",
		GroupID: "ship",
		Short:   "Write, show and sign the risk review of a release",
		Long: `Review shows the risk review of a release, and begins one where there is none: ten questions, each with what rung knows from the
release and the store (terms of the data, figures with their intervals, failure modes, guards). --answer KEY=TEXT answers a question.
--sign signs it by name once all are answered, --refuse refuses it with a reason; with --key the sign-off carries an ed25519 signature. A change after
that makes it a draft again. Every revision is kept.

A task with require_review: [production] has the alias point only at releases whose review is signed and holds today.`,
		Example: "  rung review tickets@v1\n  rung review tickets@v1 --answer \"purpose=Sorts mail; no decisions on people\"\n  rung review tickets@v1 --sign --name \"Ada Byron\" --role DPO --until 2027-06-30",
		Args:    exactArgs(1, "one release"),
		RunE: func(c *cobra.Command, args []string) error {
			o.release = args[0]
			return runReview(c.Context(), s, &o)
		},
	}
	f := c.Flags()
	f.StringArrayVar(&o.answers, "answer", nil, "answer a question, as KEY=TEXT; may be repeated")
	f.BoolVar(&o.sign, "sign", false, "sign it")
	f.BoolVar(&o.refuse, "refuse", false, "refuse it; needs --why")
	f.StringVar(&o.name, "name", "", "who signs or refuses")
	f.StringVar(&o.role, "role", "", "as what")
	f.StringVar(&o.why, "why", "", "why")
	f.StringVar(&o.until, "until", "", "the last day on which it holds, YYYY-MM-DD")
	f.StringVar(&o.key, "key", "", "sign with this ed25519 key, such as the one that rung release --sign made")
	f.BoolVar(&o.fresh, "fresh", false, "read anew what rung knows, such as evaluations that were made since")
	return c
}

func runReview(ctx context.Context, s *settings, o *reviewOptions) (err error) {
	if o.sign && o.refuse {
		return usage("sign it or refuse it, not both")
	}
	if !o.sign && !o.refuse && cmp.Or(o.until, o.key, o.why, o.name, o.role) != "" {
		return usage("--name, --role, --why, --until and --key go with --sign or --refuse")
	}
	if _, err := time.Parse(time.DateOnly, o.until); o.until != "" && err != nil {
		return usage("--until %q is no date; write YYYY-MM-DD", o.until)
	}
	sh, err := openShelf(ctx, s)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, sh.Close()) }()
	line, err := sh.find(ctx, o.release)
	if err != nil {
		return err
	}
	v, changed, err := o.review(ctx, sh, line)
	if err != nil {
		return err
	}
	if o.sign || o.refuse {
		var key ed25519.PrivateKey
		if o.key != "" {
			if key, err = s.signingKey(o.key); err != nil {
				return err
			}
		}
		now := time.Now().UTC().Truncate(time.Second)
		if err := o.holdUntil(v, now); err != nil {
			return err
		}
		if err := app.SignReview(v, rung.SignOff{Name: o.name, Role: o.role, Refused: o.refuse, Why: o.why, At: now}, key); err != nil {
			return err
		}
		changed = true
	}
	if changed {
		v.Revision++
		v.By, v.At = cmp.Or(o.name, app.Who(ctx, ".")), time.Now().UTC().Truncate(time.Second)
		if err := sh.serving.PutReview(ctx, *v); err != nil {
			return err
		}
	}
	if s.json {
		return s.printJSON(v)
	}
	_, err = io.WriteString(s.Out, reviewPage(v))
	return err
}

// holdUntil takes in until when the review holds. Who signed it signed another date: a new one needs everybody's signature again, and
// a refusal is not got rid of by one.
func (o *reviewOptions) holdUntil(v *rung.Review, now time.Time) error {
	until, place := cmp.Or(o.until, v.Expires), v.Task+"@"+v.Version
	if o.sign && until != "" && until < now.Format(time.DateOnly) {
		return &rung.Error{Code: rung.CodeUsage, Place: place, What: "the review would be expired, it holds until " + until, Do: "sign it with --until and a day to come"}
	}
	if until == v.Expires {
		return nil
	}
	if v.State == rung.ReviewRefused {
		return &rung.Error{Code: rung.CodeUsage, Place: place, What: "the review is refused, and a later day does not change that", Do: "answer what it was refused for (--answer), which makes it a draft again"}
	}
	v.Expires, v.SignOffs, v.State = until, nil, rung.ReviewDraft
	return nil
}

// review is the newest revision with the answers that were given, or a draft.
func (o *reviewOptions) review(ctx context.Context, sh *shelf, line rung.ReleaseLine) (v *rung.Review, changed bool, err error) {
	all, err := sh.serving.Reviews(ctx, line.Task)
	if err != nil {
		return nil, false, err
	}
	for i := range all {
		if all[i].Version == line.Version && all[i].Release == line.Digest {
			v = &all[i]
		}
	}
	if v == nil || o.fresh {
		fresh, err := o.draft(ctx, sh, line)
		if err != nil {
			return nil, false, err
		}
		if v != nil {
			fresh.Revision = v.Revision
			app.KeepErased(fresh, v)
			for i := range fresh.Sections {
				fresh.Sections[i].Answer = v.Sections[i].Answer
			}
		}
		v, changed = fresh, true
	}
	for _, a := range o.answers {
		key, text, ok := strings.Cut(a, "=")
		found := false
		for i := range v.Sections {
			if v.Sections[i].Key == key && ok {
				v.Sections[i].Answer, found = strings.TrimSpace(text), true
			}
		}
		if !found {
			return nil, false, usage("--answer %q answers nothing; write KEY=TEXT with one of %s", a, strings.Join(reviewKeys(), ", "))
		}
		changed = true
	}
	if changed { // what was signed was another text
		v.State, v.SignOffs = rung.ReviewDraft, nil
	}
	return v, changed, nil
}

func reviewKeys() []string {
	out := make([]string, len(app.ReviewTemplate))
	for i, q := range app.ReviewTemplate {
		out[i] = q.Key
	}
	return out
}

func (o *reviewOptions) draft(ctx context.Context, sh *shelf, line rung.ReleaseLine) (v *rung.Review, err error) {
	r, err := sh.layout.Release(ctx, line.Digest)
	if err != nil {
		return nil, err
	}
	st, err := sqlite.Open(ctx, sh.dir)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, st.Close()) }()
	return app.NewReview(ctx, r, st, app.Who(ctx, "."))
}

func reviewPage(v *rung.Review) string {
	var b strings.Builder
	fmt.Fprintf(&b, "Risk review of %s@%s (%s): %s", v.Task, v.Version, v.Release.Short(), v.StateOn(time.Now()))
	if v.Expires != "" {
		fmt.Fprintf(&b, ", holds until %s", v.Expires)
	}
	fmt.Fprintf(&b, "\nrevision %d by %s, %s\n", v.Revision, person(v.By), when(v.At))
	for _, q := range v.Sections {
		fmt.Fprintf(&b, "\n%s (%s)\n  %s\n", q.Title, q.Key, q.Ask)
		for line := range strings.Lines(q.Known) {
			fmt.Fprintf(&b, "  · %s\n", report.Line(strings.TrimSpace(line), 300))
		}
		fmt.Fprintf(&b, "  → %s\n", report.Line(cmp.Or(q.Answer, "not answered"), 2000))
	}
	b.WriteString("\nSign-offs\n")
	for i := range v.SignOffs {
		x := &v.SignOffs[i]
		said, signed := "signed", ""
		if x.Refused {
			said = "refused"
		}
		switch {
		case x.Key == "":
			signed = "by name only"
		case app.SignatureHolds(v, x):
			signed = "with " + x.Key
		default:
			signed = "with a signature that does NOT hold"
		}
		fmt.Fprintf(&b, "  %s %s %s %s", x.Name, said, when(x.At), signed)
		if x.Role != "" {
			fmt.Fprintf(&b, " (%s)", report.Line(x.Role, 100))
		}
		if x.Why != "" {
			fmt.Fprintf(&b, ": %s", report.Line(x.Why, 300))
		}
		b.WriteString("\n")
	}
	if len(v.SignOffs) == 0 {
		b.WriteString("  nobody yet\n")
	}
	return b.String()
}

// reviewText is where a review stands, for lists.
func reviewText(state rung.ReviewState, demanded []string) string {
	if state == "" && len(demanded) > 0 {
		return "needed"
	}
	return string(state)
}
