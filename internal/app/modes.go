package app

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/rung-dev/rung"
	"github.com/rung-dev/rung/internal/grade"
	"github.com/rung-dev/rung/internal/modes"
	"github.com/rung-dev/rung/internal/recipe"
	"github.com/rung-dev/rung/internal/report"
	"github.com/rung-dev/rung/internal/stats"
	"github.com/rung-dev/rung/internal/store"
)

// Scored names the stored scores of one subject on one set of examples.
type Scored struct {
	Name      string      // "rag of run 20261122-…", "tickets@v3 on dev"
	Subject   string      // of an evaluation, as rung eval was given it or names it: "tickets@v3", an endpoint
	Candidate rung.Digest // or of another subject
	Scores    rung.Digest // the set under which the scores are kept
	Examples  rung.Digest // the set under which the examples are kept
	Suite     string      // heldout, dev, …
	Split     rung.Split  // of the task's own examples; empty for a file, attacks, changed inputs
	Run       string      // of a climb or an evaluation
	Rung      rung.Rung
	Decided   bool       // by its climb
	Stopped   *rung.Stop // before all examples were asked
	Answers   int        // to each example, of which the first is the one that is spoken of; 0 is 1
	At        time.Time
}

// AllScored are the scores in the store of a task, newest first; of all tasks when task is empty.
func AllScored(ctx context.Context, st store.Store, task string) ([]Scored, error) {
	var out []Scored
	runs, err := st.Runs(ctx, 0)
	if err != nil {
		return nil, err
	}
	for _, r := range runs {
		var doc rung.Document
		if len(r.Document) == 0 || json.Unmarshal(r.Document, &doc) != nil || task != "" && doc.Task != task {
			continue // a damaged document is the business of rung show
		}
		for _, o := range doc.Rungs {
			if o.Status == rung.Scored {
				out = append(out, Scored{Name: fmt.Sprintf("%s of run %s", o.Rung, doc.Run), Candidate: o.Candidate, Scores: doc.Heldout.Digest,
					Examples: doc.Heldout.Digest, Suite: "heldout", Split: rung.HeldoutIs, Run: doc.Run, Rung: o.Rung, Decided: o.Candidate == doc.Decision.Candidate, Stopped: o.Stopped, At: r.Started})
			}
		}
	}
	evaluations, err := st.Evaluations(ctx, 0)
	if err != nil {
		return nil, err
	}
	for _, e := range evaluations {
		var doc rung.Evaluation
		if json.Unmarshal(e.Document, &doc) != nil || task != "" && doc.Task != task {
			continue
		}
		out = append(out, Scored{Name: doc.Subject.Name + " on " + doc.Suite.Name, Subject: doc.Subject.Name, Candidate: doc.Subject.Digest, Scores: doc.Scores,
			Examples: doc.Suite.Digest, Suite: doc.Suite.Name, Split: doc.Suite.Split, Run: doc.ID, Rung: doc.Subject.Rung, Decided: true, Stopped: doc.Stopped, Answers: doc.Answers, At: e.Started})
	}
	slices.SortStableFunc(out, func(a, b Scored) int { return b.At.Compare(a.At) })
	return out, nil
}

// FindScored finds the newest scores that a reference names: a rung (of the latest climb that has it), RUN:RUNG, a run or an
// evaluation, the beginning of a candidate's digest, the subject of an evaluation; nothing is the newest, of a climb what it decided for.
// suite, unless empty, leaves only scores on that suite; otherwise those on the task's own examples go before others (attacks fail in
// ways of their own).
func FindScored(ctx context.Context, st store.Store, task, ref, suite string) (Scored, error) {
	all, err := AllScored(ctx, st, task)
	if err != nil {
		return Scored{}, err
	}
	var decided, any *Scored
	for i := range all {
		s := &all[i]
		if suite != "" && s.Suite != suite || !s.matches(ref) || ref == "" && suite == "" && s.Split == "" {
			continue
		}
		if any != nil && any.Split == "" && s.Split != "" && suite == "" {
			any, decided = nil, nil
		}
		if any == nil {
			any = s
		}
		if decided == nil && s.Decided && s.Run == any.Run {
			decided = s
		}
	}
	switch {
	case decided != nil:
		return *decided, nil
	case any != nil:
		return *any, nil
	case ref == "" && suite == "":
		return Scored{}, &rung.Error{Code: rung.CodeNotFound, Place: task, What: "nothing has been scored yet on its own examples", Do: "run rung climb or rung eval first, or name an evaluation: rung eval --list"}
	}
	where := ""
	if suite != "" {
		where = " on " + suite
	}
	return Scored{}, &rung.Error{Code: rung.CodeNotFound, Place: ref, What: "the store has no scores of that name" + where,
		Do: "name a rung, RUN:RUNG, an evaluation (rung eval --list), its subject, or the beginning of a candidate's digest"}
}

// Reference is a name by which FindScored finds these scores again.
func (s *Scored) Reference() string {
	if s.Subject == "" {
		return s.Run + ":" + string(s.Rung)
	}
	return s.Run
}

func (s *Scored) matches(ref string) bool {
	run, level, both := strings.Cut(ref, ":")
	switch {
	case ref == "" || ref == s.Subject:
		return true
	case both:
		return (strings.HasPrefix(s.Run, run) || run == "latest") && string(s.Rung) == level
	case slices.Contains(rung.Ladder, rung.Rung(ref)):
		return string(s.Rung) == ref
	}
	return strings.HasPrefix(string(s.Candidate), ref) || strings.HasPrefix(s.Run, ref)
}

// Board is what is known about the mistakes of one subject on one set of examples.
type Board struct {
	Scored
	Task     string
	N        int                // examples with a score
	Groups   map[string]string  // of these examples
	Plan     *stats.AnytimePlan // of the suite, where it stopped early
	Taxonomy []rung.FailureMode
	Mistakes []modes.Mistake
	Labels   []rung.ModeLabel
}

// OpenBoard reads the mistakes, with what the rules find in them now and what has been said about them.
func OpenBoard(ctx context.Context, st store.Store, g *grade.Grader, s Scored, task string) (*Board, error) {
	examples, err := report.Examples(ctx, st, s.Examples)
	if err != nil {
		return nil, err
	}
	if len(examples) == 0 {
		return nil, &rung.Error{Code: rung.CodeNotFound, Place: s.Name, What: "its examples are not in the store", Do: "score it again: rung eval keeps them"}
	}
	scores, groups := make(map[string]rung.Score, len(examples)), report.Asked(examples, s.Examples, s.Stopped)
	for score, err := range st.Scores(ctx, s.Candidate, s.Scores) {
		if err != nil {
			return nil, err
		}
		if _, asked := groups[score.Example]; asked {
			scores[score.Example] = score
		}
	}
	for id := range groups {
		if _, ok := scores[id]; !ok {
			delete(groups, id) // it was ended, or is damaged
		}
	}
	b := &Board{Scored: s, Task: task, N: len(groups), Groups: groups, Plan: report.StopPlan(examples, s.Stopped), Taxonomy: g.Modes(), Mistakes: modes.Gather(g, examples, scores)}
	b.Labels, err = st.Modes(ctx, s.Candidate, s.Scores)
	return b, err
}

// Standing is what is known now, per mistake and mode.
func (b *Board) Standing() []modes.Standing { return modes.Stand(b.Mistakes, b.Labels, b.Taxonomy) }

// modeLevel is the level of the intervals of shares of failure modes.
const modeLevel = .95

// Counts are the shares of answers by failure mode and status.
func (b *Board) Counts() []rung.ModeCount {
	return modes.Count(b.Standing(), b.Taxonomy, b.Groups, modeLevel, b.Plan)
}

// Put keeps labels of the board's mistakes, with the time.
func (b *Board) Put(ctx context.Context, st store.Store, labels []rung.ModeLabel) error {
	now := time.Now().UTC()
	for i := range labels {
		labels[i].At = now.Add(time.Duration(i)) // the order in which they were said
	}
	if err := st.PutModes(ctx, labels); err != nil {
		return err
	}
	var err error
	b.Labels, err = st.Modes(ctx, b.Candidate, b.Scores)
	return err
}

// Embedder gives vectors of texts by the task's embedder; nil where it has none or embed is false.
func (p *Project) Embedder() modes.Embed {
	k := p.kit()
	if k.Embed == nil {
		return nil
	}
	return modes.Embed(k.Embed)
}

// ModeJudge asks ref about failure modes, through the door: what it said is paid for once.
func (p *Project) ModeJudge(ref rung.ModelRef) (*modes.Judge, error) {
	if err := p.Door.Check(ref); err != nil {
		return nil, err
	}
	can, err := p.Door.Can(ref)
	if err != nil {
		return nil, err
	}
	return &modes.Judge{Door: p.Door, Model: ref, Choices: can.Choices, Concurrency: max(1, can.Concurrency), Taxonomy: p.Grader.Modes()}, nil
}

// ConfirmedMistake is a confirmed mistake on a train or dev example.
type ConfirmedMistake struct {
	Example rung.Example
	Split   rung.Split
	Label   rung.ModeLabel
	Means   string
}

// ConfirmedMistakes are the mistakes that people have confirmed on train and dev examples, oldest first, each example, mode and wrong
// answer once. Mistakes on held-out examples are never among them, nor those on examples of other suites that only share a name
// with one of ours.
func ConfirmedMistakes(ctx context.Context, st store.Store, task string, taxonomy []rung.FailureMode, b rung.Building, heldout rung.Digest) ([]ConfirmedMistake, error) {
	all, err := AllScored(ctx, st, task)
	if err != nil {
		return nil, err
	}
	own := map[string]ConfirmedMistake{}
	for split, list := range map[rung.Split][]rung.Example{rung.Train: b.Train, rung.Dev: b.Dev} {
		for i := range list {
			own[list[i].ID] = ConfirmedMistake{Example: list[i], Split: split}
		}
	}
	var out []ConfirmedMistake
	read, seen := map[[2]rung.Digest]bool{}, map[[3]string]bool{}
	for _, s := range all {
		if s.Examples == heldout || read[[2]rung.Digest{s.Candidate, s.Scores}] {
			continue
		}
		read[[2]rung.Digest{s.Candidate, s.Scores}] = true
		confirmed, err := confirmedOn(ctx, st, s)
		if err != nil {
			return nil, err
		}
		for _, c := range confirmed {
			ours, known := own[c.Example.ID]
			key := [3]string{c.Example.ID, c.Label.Mode, c.Label.Wrong}
			if !known || string(ours.Example.Input) != string(c.Example.Input) || seen[key] {
				continue
			}
			seen[key] = true
			ours.Label, ours.Means = c.Label, meaning(taxonomy, c.Label.Mode)
			out = append(out, ours)
		}
	}
	slices.SortStableFunc(out, func(a, b ConfirmedMistake) int { return a.Label.At.Compare(b.Label.At) })
	return out, nil
}

// confirmedOn are the confirmed labels of one set of scores, with the examples as they were then.
func confirmedOn(ctx context.Context, st store.Store, s Scored) ([]ConfirmedMistake, error) {
	labels, err := st.Modes(ctx, s.Candidate, s.Scores)
	if err != nil || len(labels) == 0 {
		return nil, err
	}
	examples, err := report.Examples(ctx, st, s.Examples)
	if err != nil {
		return nil, err
	}
	mistakes := make([]modes.Mistake, len(examples))
	byID := make(map[string]*rung.Example, len(examples))
	for i := range examples {
		mistakes[i].Example = examples[i]
		byID[examples[i].ID] = &examples[i]
	}
	confirmed := map[[2]string]bool{}
	for _, st := range modes.Stand(mistakes, labels, nil) {
		confirmed[[2]string{st.Example, st.Mode}] = st.Status == rung.ModeConfirmed
	}
	var out []ConfirmedMistake
	for _, l := range labels {
		if l.Status == rung.ModeConfirmed && confirmed[[2]string{l.Example, l.Mode}] && byID[l.Example] != nil {
			out = append(out, ConfirmedMistake{Example: *byID[l.Example], Label: l})
		}
	}
	return out, nil
}

// meaning is the sentence of a mode; a mode that only a person has named says itself.
func meaning(taxonomy []rung.FailureMode, name string) string {
	for _, m := range taxonomy {
		if m.Name == name {
			return m.Means
		}
	}
	return "It shows " + strings.ReplaceAll(name, "_", " ") + "."
}

// buildingKit is a kit that knows the mistakes that people have confirmed.
func (p *Project) buildingKit(ctx context.Context) (*recipe.Kit, error) {
	k := p.kit()
	confirmed, err := ConfirmedMistakes(ctx, p.Store, p.Task.Name, p.Grader.Modes(), p.Data.Building, p.Data.Heldout.Digest())
	for _, c := range confirmed {
		k.Counters = append(k.Counters, recipe.Counter{Example: c.Example.ID, Mode: c.Label.Mode, Means: c.Means, Note: c.Label.Note, Wrong: c.Label.Wrong})
	}
	return k, err
}
