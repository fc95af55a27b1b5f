package app

import (
	"context"
	"fmt"
	"math"
	"slices"

	"github.com/rung-dev/rung"
	"github.com/rung-dev/rung/internal/label"
	"github.com/rung-dev/rung/internal/report"
	"github.com/rung-dev/rung/internal/store"
)

// Doubtful says how unsure models are of the rows of a pool, and where they differ, by the answers that the store has: several answers to
// one input (their spread), a stated confidence, and the answers of several subjects. refs name the subjects; without any all that were
// scored for the task are read. It gives the names of the subjects that answered rows of the pool.
func Doubtful(ctx context.Context, st store.Store, task *rung.Task, refs []string, pool []label.Row) ([]string, error) {
	all, err := scoredBy(ctx, st, task.Name, refs)
	if err != nil {
		return nil, err
	}
	at := map[rung.Digest][]int{}
	for i := range pool {
		d := label.Key(pool[i].Input)
		at[d] = append(at[d], i)
	}
	first, doubt := make([][]rung.Answer, len(pool)), make([][]float64, len(pool))
	var names []string
	seen := map[rung.Digest]bool{}
	for _, s := range all {
		if seen[s.Candidate] {
			continue
		}
		answers, err := answersTo(ctx, st, &s, at)
		if err != nil {
			return nil, err
		}
		if len(answers) == 0 {
			continue
		}
		seen[s.Candidate] = true
		names = append(names, s.Name)
		for i, list := range answers {
			first[i] = append(first[i], list[0])
			doubt[i] = append(doubt[i], label.Spread(list), label.StatedDoubt(&list[0], confidenceField(task)))
		}
	}
	for i := range pool {
		pool[i].Doubt, pool[i].Apart = label.MeanDoubt(doubt[i]...), label.Apart(first[i])
	}
	return names, nil
}

func scoredBy(ctx context.Context, st store.Store, task string, refs []string) ([]Scored, error) {
	if len(refs) == 0 {
		return AllScored(ctx, st, task)
	}
	var out []Scored
	for _, ref := range refs {
		s, err := FindScored(ctx, st, task, ref, "")
		if err != nil {
			return nil, err
		}
		out = append(out, s)
	}
	return out, nil
}

// answersTo are a subject's answers to inputs of the pool, by the pool's places, several answers to one input in their order.
func answersTo(ctx context.Context, st store.Store, s *Scored, at map[rung.Digest][]int) (map[int][]rung.Answer, error) {
	examples, err := report.Examples(ctx, st, s.Examples)
	if err != nil {
		return nil, err
	}
	places := map[string][]int{}
	for i := range examples {
		if p := at[label.Key(examples[i].Input)]; p != nil {
			places[examples[i].ID] = p
		}
	}
	out := map[int][]rung.Answer{}
	if len(places) == 0 {
		return out, nil
	}
	for sample := range mostSamples {
		any := false
		for score, err := range st.Scores(ctx, s.Candidate, sampleSet(s.Scores, sample)) {
			if err != nil {
				return nil, err
			}
			any = true
			for _, i := range places[score.Example] {
				out[i] = append(out[i], score.Answer)
			}
		}
		if !any {
			break
		}
	}
	return out, nil
}

// mostSamples of one input are looked at.
const mostSamples = 100

func confidenceField(task *rung.Task) string {
	if i := slices.IndexFunc(task.Metrics, func(m rung.MetricSpec) bool { return m.Kind == "confidence" }); i >= 0 {
		return task.Metrics[i].Field
	}
	return ""
}

// MistakeRows are the mistakes of a board as rows to be corrected: each with the answer that was given and the failure modes that are known.
// The expected output of the example is not shown: people say what it should have been.
func (b *Board) MistakeRows() ([]label.Row, error) {
	if b.Split == rung.HeldoutIs {
		return nil, &rung.Error{Code: rung.CodeUsage, Place: b.Name, What: "these are mistakes on held-out examples: what is learned from them would measure itself",
			Do: fmt.Sprintf("score it on dev (rung eval %s --suite dev --full) and name --suite dev", "TASK SUBJECT")}
	}
	known := map[string][]string{}
	for _, s := range b.Standing() {
		if s.Status != rung.ModeRejected {
			known[s.Example] = append(known[s.Example], s.Mode)
		}
	}
	var out []label.Row
	seen := map[string]bool{}
	for i := range b.Mistakes {
		m := &b.Mistakes[i]
		if seen[m.Example.ID] { // one of several answers to one input is enough
			continue
		}
		seen[m.Example.ID] = true
		out = append(out, label.Row{
			DatasetRow: rung.DatasetRow{ID: m.Example.ID, Input: m.Example.Input, Segment: m.Example.Segment, Group: m.Example.Group, Split: b.Split, Modes: known[m.Example.ID]},
			Answer:     &rung.RatingOption{Candidate: b.Candidate, Text: m.Answer()}, Doubt: math.NaN(), Apart: math.NaN()})
	}
	return out, nil
}
