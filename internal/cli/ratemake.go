package cli

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/rung-dev/rung"
	"github.com/rung-dev/rung/internal/rating"
	"github.com/rung-dev/rung/internal/report"
)

type rateMakeOptions struct {
	rating.Options
	run       string
	names     []string
	raters    string
	rubric    string
	gold      string
	overlap   string
	dry       bool
	ratesEach float64 // seconds per item, for the plan
}

// ratePlan is what rung rate make --json prints.
type ratePlan struct {
	Queue string      `json:"queue"`
	Made  bool        `json:"made"` // false with --dry-run
	Plan  rating.Plan `json:"plan"`
}

func newRateMakeCommand(s *settings) *cobra.Command {
	var o rateMakeOptions
	c := &cobra.Command{
		Use:   "make QUEUE CANDIDATE...",
		Short: "Make a queue of answers to rate, once, for all raters",
		Long: `Make takes answers that were scored and fixes what raters will be asked: which items, who rates which, in which order, and which
answer stands on the left. Candidates are rungs of the newest run (or of --run), digests, releases, or evaluations (rung eval);
they must have answered the same examples. --rubric rates each answer from 1 to 5 on criteria; without it raters say which of two
answers is better.

So many items are given to --per-item raters that Krippendorff's α will be known to about ± .1; the others go to one rater each.
--checks hides items with a known right rating (made of expected outputs, and of --gold) and repeats of earlier ones among the rest.
The plan says how long it takes and what it will be able to tell apart; --dry-run shows it and makes nothing.`,
		Example: "  rung rate make answers fewshot lora --raters ada,ben,cleo\n  rung rate make quality lora --rubric rubric.yaml --raters 2 --items 80\n  rung rate make style 99a21e2a 4abd3643 --question \"Which answer sounds more like us?\" --dry-run",
		Args:    cobra.ArbitraryArgs,
		RunE: func(c *cobra.Command, args []string) error {
			if len(args) < 2 {
				return &rung.Error{Code: rung.CodeUsage, What: "rung rate make takes the name of the queue and one candidate or more", Do: "see rung rate make --help"}
			}
			o.Name, o.names = args[0], args[1:]
			return runRateMake(c.Context(), s, &o)
		},
	}
	o.flags(c)
	return c
}

func (o *rateMakeOptions) flags(c *cobra.Command) {
	f := c.Flags()
	f.StringVar(&o.run, "run", "", "run whose rungs are meant (default: the newest)")
	f.StringVar(&o.rubric, "rubric", "", "rate 1 to 5 on the criteria of this YAML file; \"default\": one criterion, quality")
	f.StringVar(&o.Question, "question", "", "what raters are to go by")
	f.BoolVar(&o.NoTies, "no-ties", false, "raters must prefer one answer")
	f.IntVar(&o.Items, "items", 0, "ask so many items at most (0: all)")
	f.StringVar(&o.raters, "raters", "1", "how many raters, or their names with commas")
	f.IntVar(&o.PerItem, "per-item", 2, "raters of an overlapping item")
	f.StringVar(&o.overlap, "overlap", "auto", "items that --per-item raters rate: a number, all, or auto")
	f.Float64Var(&o.Checks, "checks", .1, "attention checks per item asked (0: none)")
	f.StringVar(&o.gold, "gold", "", "items with a known right rating, as JSON lines")
	f.BoolVar(&o.Reference, "reference", false, "show raters the expected output")
	f.Uint64Var(&o.Seed, "seed", 1, "seed of order, sides and shares")
	f.StringVar(&o.By, "by", "", "who makes it (default: the name of the user)")
	f.Float64Var(&o.ratesEach, "seconds", 40, "seconds that an item takes, for the plan")
	f.BoolVar(&o.dry, "dry-run", false, "show the plan and make nothing")
}

func runRateMake(ctx context.Context, s *settings, o *rateMakeOptions) (err error) {
	if err := o.check(); err != nil {
		return err
	}
	st, err := readStore(ctx, s)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, st.Close()) }()
	rated, err := answersOf(ctx, s, st, o.names, o.run)
	if err != nil {
		return err
	}
	o.Task, o.Set, o.Made = rated.task, rated.set, time.Now()
	q, err := rating.Make(rated.examples, rated.answers, o.Options)
	if err != nil {
		return err
	}
	out := ratePlan{Queue: q.Name, Made: !o.dry, Plan: rating.PlanOf(q, o.ratesEach)}
	if !o.dry {
		if err := st.PutRatingQueue(ctx, q); err != nil {
			return err
		}
	}
	if s.json {
		return s.printJSON(out)
	}
	return s.printPlan(&out)
}

// check reads what flags name, before anything is opened.
func (o *rateMakeOptions) check() error {
	if err := rating.CheckName(o.Name); err != nil {
		return err
	}
	if o.Checks < 0 || o.Checks > 1 || o.Items < 0 || o.PerItem < 1 {
		return usage("--checks lies between 0 and 1, --items is not negative, and --per-item is 1 or more")
	}
	o.Kind = rung.Pairwise
	if o.By == "" {
		o.By = raterName()
	}
	if err := o.readRaters(); err != nil {
		return err
	}
	if err := o.readRubric(); err != nil {
		return err
	}
	if o.gold == "" {
		return nil
	}
	content, err := os.ReadFile(o.gold)
	if err != nil {
		return &rung.Error{Code: rung.CodeInput, Place: o.gold, What: "cannot be read: " + err.Error(), Err: err}
	}
	o.Gold, err = rating.ReadGold(o.gold, content, o.Kind, o.Criteria)
	return err
}

const mostRaters = 200

func (o *rateMakeOptions) readRaters() error {
	switch o.overlap {
	case "auto":
	case "all":
		o.Overlap = -1
	default:
		n, err := strconv.Atoi(o.overlap)
		if err != nil || n < 1 {
			return usage("--overlap is a number of items, all, or auto, and not %q", o.overlap)
		}
		o.Overlap = n
	}
	n, err := strconv.Atoi(o.raters)
	if err != nil {
		for name := range strings.SplitSeq(o.raters, ",") {
			o.Raters = append(o.Raters, strings.TrimSpace(name))
		}
		return nil
	}
	if n < 1 || n > mostRaters {
		return usage("--raters is between 1 and %d, or names with commas", mostRaters)
	}
	o.Raters = make([]string, n)
	return nil
}

func (o *rateMakeOptions) readRubric() error {
	switch o.rubric {
	case "":
		return nil
	case "default":
		o.Kind, o.Criteria = rung.Rubric, rating.DefaultCriteria()
		return nil
	}
	content, err := os.ReadFile(o.rubric)
	if err != nil {
		return &rung.Error{Code: rung.CodeInput, Place: o.rubric, What: "cannot be read: " + err.Error(), Do: "name a rubric file, or \"default\"", Err: err}
	}
	r, err := rating.ReadRubric(o.rubric, content)
	if err != nil {
		return err
	}
	o.Kind, o.Criteria = rung.Rubric, r.Criteria
	if o.Question == "" {
		o.Question = r.Question
	}
	return nil
}

func (s *settings) printPlan(p *ratePlan) error {
	_, err := fmt.Fprint(s.Out, strings.Join(p.Plan.Lines(), "\n")+"\n")
	if err != nil {
		return err
	}
	next := "Nothing was made; leave --dry-run out to make it."
	if p.Made {
		next = fmt.Sprintf("Made. Each rater starts with: rung rate %s --rater NAME", p.Queue)
	}
	_, err = fmt.Fprintln(s.Out, next)
	return err
}

func newRateListCommand(s *settings) *cobra.Command {
	return &cobra.Command{
		Use:   "list [TASK]",
		Short: "List the queues, newest first, with how far their raters are",
		Args:  atMostOne("a task"),
		RunE:  func(c *cobra.Command, args []string) error { return runRateList(c.Context(), s, first(args, "")) },
	}
}

// rateLine is one queue in what rung rate list --json prints.
type rateLine struct {
	Queue string          `json:"queue"`
	Task  string          `json:"task"`
	Kind  rung.RatingKind `json:"kind"`
	Items int             `json:"items"`
	Done  int             `json:"done"`
	Asked int             `json:"asked"`
	Open  int             `json:"disagreements_open"`
	Made  time.Time       `json:"made"`
	By    string          `json:"by,omitempty"`
}

func (l *rateLine) progress() string {
	if l.Asked == 0 { // ratings from a file
		return strconv.Itoa(l.Done)
	}
	return fmt.Sprintf("%d of %d", l.Done, l.Asked)
}

func runRateList(ctx context.Context, s *settings, task string) (err error) {
	st, err := readStore(ctx, s)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, st.Close()) }()
	queues, err := st.RatingQueues(ctx, task)
	if err != nil {
		return err
	}
	out := struct {
		Queues []rateLine `json:"queues"`
	}{[]rateLine{}}
	for _, q := range queues {
		if q.Kind == rung.Labelled {
			continue // rung label list has them
		}
		p, err := rating.ProgressOf(ctx, st, q)
		if err != nil {
			return err
		}
		out.Queues = append(out.Queues, rateLine{q.Name, q.Task, q.Kind, p.Items, p.Done, p.Asked, p.Open, q.Made, q.By})
	}
	if s.json {
		return s.printJSON(out)
	}
	if len(out.Queues) == 0 {
		_, err := fmt.Fprintln(s.Out, "No queue yet; rung rate make QUEUE CANDIDATE... makes one.")
		return err
	}
	rows := [][]string{{"queue", "task", "kind", "rated", "to settle", "made"}}
	for _, l := range out.Queues {
		rows = append(rows, []string{l.Queue, l.Task, string(l.Kind), l.progress(), strconv.Itoa(l.Open), l.Made.Local().Format("2006-01-02 15:04")})
	}
	_, err = fmt.Fprint(s.Out, strings.Join(report.Columns(rows), "\n")+"\n")
	return err
}
