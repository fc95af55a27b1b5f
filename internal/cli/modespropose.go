package cli

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/spf13/cobra"

	"github.com/rung-dev/rung"
	"github.com/rung-dev/rung/internal/app"
	"github.com/rung-dev/rung/internal/modes"
	"github.com/rung-dev/rung/internal/report"
)

type proposeOptions struct {
	boardOptions
	embed bool
	judge string
	limit int
}

// proposeDocument is what rung modes propose --json prints.
type proposeDocument struct {
	Task      string           `json:"task"`
	Subject   string           `json:"subject"`
	Candidate rung.Digest      `json:"candidate"`
	Suite     string           `json:"suite"`
	N         int              `json:"n"`
	Groups    *modes.Grouping  `json:"groups"`
	Judge     rung.ModelRef    `json:"judge,omitempty"`
	Asked     int              `json:"asked,omitempty"`    // mistakes that the judge was shown
	Silent    int              `json:"no_mode,omitempty"`  // of which it named no mode
	CostUSD   float64          `json:"cost_usd,omitempty"` // of the judge's calls
	Proposed  []rung.ModeLabel `json:"proposed"`
}

// byClustering is who says what clustering proposes.
const byClustering = "clustering"

func newModesProposeCommand(s *settings) *cobra.Command {
	var o proposeOptions
	c := &cobra.Command{
		Use:   "propose TASK [SUBJECT]",
		Short: "Propose failure modes for a subject's mistakes",
		Long: `Propose groups the mistakes that are alike, by their words or with --embed also by the task's embedder, and proposes for
each group the mode that rules and people give most of its members. With --judge a model is asked about each mistake that nobody
has spoken of yet. Proposals are kept and count as proposed until a person confirms them: rung modes confirm.

The same mistakes give the same groups. ` + subjectHelp,
		Example: "  rung modes propose task.yaml\n  rung modes propose task.yaml rag --judge openai/gpt-4o-mini --limit 50",
		Args:    taskAndSubject,
		RunE: func(c *cobra.Command, args []string) error {
			o.take(args)
			return runModesPropose(c.Context(), s, &o)
		},
	}
	o.flags(c)
	c.Flags().BoolVar(&o.embed, "embed", false, "group by embeddings as well as by words")
	c.Flags().StringVar(&o.judge, "judge", "", "model that is asked about each mistake, as provider/name")
	c.Flags().IntVar(&o.limit, "limit", 100, "mistakes that the judge is shown at most")
	return c
}

func runModesPropose(ctx context.Context, s *settings, o *proposeOptions) (err error) {
	if o.limit < 1 {
		return usage("--limit must be at least 1, it is %d", o.limit)
	}
	st, b, err := openBoard(ctx, s, &o.boardOptions)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, st.Close()) }()
	doc := proposeDocument{Task: b.Task, Subject: b.Name, Candidate: b.Candidate, Suite: b.Suite, N: b.N}
	var p *app.Project
	if o.embed || o.judge != "" {
		if p, err = app.Open(ctx, app.Options{File: o.task, Store: s.store, Observe: quiet{}}); err != nil {
			return err
		}
		defer func() { err = errors.Join(err, p.Close()) }()
	}
	if err := doc.group(ctx, p, b, o.embed); err != nil {
		return err
	}
	if o.judge != "" {
		if err := doc.ask(ctx, p, b, rung.ModelRef(o.judge), o.limit); err != nil {
			return err
		}
	}
	if err := b.Put(ctx, st, doc.Proposed); err != nil {
		return err
	}
	if s.json {
		return s.printJSON(doc)
	}
	_, err = fmt.Fprint(s.Out, doc.text(b))
	return err
}

// quiet hears of progress and says nothing.
type quiet struct{}

func (quiet) Phase(rung.Rung, string)    {}
func (quiet) Progress(int, int, float64) {}
func (quiet) Note(string)                {}

// group clusters the mistakes and proposes each group's mode for those members that show nothing by rule and were not spoken of.
func (d *proposeDocument) group(ctx context.Context, p *app.Project, b *app.Board, embed bool) error {
	var vectors modes.Embed
	if embed {
		if vectors = p.Embedder(); vectors == nil {
			return &rung.Error{Code: rung.CodeUsage, What: "the task has no embedder", Do: "name one under embedder: in the task file, or leave --embed out"}
		}
	}
	standing := b.Standing()
	var err error
	if d.Groups, err = modes.Group(ctx, b.Mistakes, standing, vectors); err != nil {
		return err
	}
	settled := settledExamples(standing)
	byID := mistakesByID(b)
	d.Proposed = []rung.ModeLabel{}
	for _, c := range d.Groups.Clusters {
		for _, id := range c.Members {
			if !settled[id] {
				d.Proposed = append(d.Proposed, byID[id].Label(b.Candidate, b.Scores, c.Mode, rung.ModeProposed, byClustering))
			}
		}
	}
	return nil
}

// settledExamples show a mode by rule or were spoken of by a person.
func settledExamples(standing []modes.Standing) map[string]bool {
	settled := map[string]bool{}
	for _, s := range standing {
		if s.Status != rung.ModeProposed {
			settled[s.Example] = true
		}
	}
	return settled
}

func mistakesByID(b *app.Board) map[string]*modes.Mistake {
	out := make(map[string]*modes.Mistake, len(b.Mistakes))
	for i := range b.Mistakes {
		out[b.Mistakes[i].Example.ID] = &b.Mistakes[i]
	}
	return out
}

// ask has a model judge the mistakes that no person has spoken of, the most typical of each group first.
func (d *proposeDocument) ask(ctx context.Context, p *app.Project, b *app.Board, ref rung.ModelRef, limit int) error {
	judge, err := p.ModeJudge(ref)
	if err != nil {
		return err
	}
	byID, seen := mistakesByID(b), spokenOf(b)
	var shown []modes.Mistake
	for _, id := range inTurns(d.Groups) {
		if !seen[id] && len(shown) < limit {
			shown = append(shown, *byID[id])
		}
	}
	opinions, err := judge.Ask(ctx, shown)
	if err != nil {
		return err
	}
	d.Judge, d.Asked, d.CostUSD = ref, len(shown), p.Door.Counts().SpentUSD
	for _, op := range opinions {
		if op.Mode == "" {
			d.Silent++
			continue
		}
		l := byID[op.Example].Label(b.Candidate, b.Scores, op.Mode, rung.ModeProposed, "judge "+string(ref))
		l.Note = op.Note
		d.Proposed = append(d.Proposed, l)
	}
	return nil
}

// spokenOf are the mistakes that a person has said something about.
func spokenOf(b *app.Board) map[string]bool {
	out := map[string]bool{}
	for _, l := range b.Labels {
		if l.Status == rung.ModeConfirmed || l.Status == rung.ModeRejected {
			out[l.Example] = true
		}
	}
	return out
}

// inTurns are the members of all groups, one of each group at a time, the most typical first.
func inTurns(g *modes.Grouping) []string {
	var out []string
	for turn := 0; len(out) < g.Mistakes-g.LeftOut; turn++ {
		for _, c := range g.Clusters {
			if turn < len(c.Members) {
				out = append(out, c.Members[turn])
			}
		}
	}
	return out
}

// shownMembers and shownLine bound what is shown of a group.
const (
	shownMembers = 2
	shownLine    = 110
)

func (d *proposeDocument) text(b *app.Board) string {
	var t strings.Builder
	fmt.Fprintf(&t, "%s (%s), n = %d: %s in %s\n", d.Subject, d.Candidate.Short(), d.N, many(d.Groups.Mistakes, "mistake"), many(len(d.Groups.Clusters), "group"))
	fmt.Fprintf(&t, "%s; silhouette %.2f (1: far apart, 0: hardly told apart)\n", d.Groups.Method, d.Groups.Silhouette)
	if d.Groups.LeftOut > 0 {
		fmt.Fprintf(&t, "%d more mistakes were not grouped\n", d.Groups.LeftOut)
	}
	byID := mistakesByID(b)
	for _, c := range d.Groups.Clusters {
		fmt.Fprintf(&t, "\n%d. %s: %s (%s)\n", c.Number, c.Mode, many(c.Size, "mistake"), c.Why)
		if len(c.Terms) > 0 {
			fmt.Fprintf(&t, "   %s\n", strings.Join(c.Terms, ", "))
		}
		for _, id := range c.Members[:min(len(c.Members), shownMembers)] {
			m := byID[id]
			fmt.Fprintf(&t, "   %s\n     expected  %s\n     answered  %s\n", report.Line(id, shownLine), report.Line(report.Readable(m.Example.Output), shownLine), report.Line(m.Answer(), shownLine))
		}
	}
	if d.Judge != "" {
		fmt.Fprintf(&t, "\n%s was shown %d mistakes and named a mode for %d, for $%.4f\n", d.Judge, d.Asked, d.Asked-d.Silent, d.CostUSD)
	}
	kept := many(len(d.Proposed), "proposal") + " kept."
	if len(d.Proposed) == 0 {
		kept = "No proposals: what rules found needs none, and groups without a name are yours to name."
	}
	fmt.Fprintf(&t, "\n%s A person decides: rung modes confirm TASK %s --by NAME\n", kept, b.Reference())
	return t.String()
}
