package cli

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strings"

	"github.com/rung-dev/rung"
	"github.com/rung-dev/rung/internal/rating"
	"github.com/rung-dev/rung/internal/report"
	"github.com/rung-dev/rung/internal/store"
)

// answered says where the scores of one subject on one list of examples are.
type answered struct {
	subject  rung.Digest
	name     string
	id       string // of the run or evaluation
	task     string
	scores   rung.Digest // the set under which the store keeps them
	examples rung.Digest
	eval     bool // an evaluation, which can be named by its ID
}

// rated is what answersOf finds.
type rated struct {
	task     string
	set      rung.Digest
	examples []rung.Example
	answers  []rating.Answers
}

// answersOf finds the answers that names stand for: rungs, digests, releases or evaluations that answered the same examples.
func answersOf(ctx context.Context, s *settings, st store.Store, names []string, run string) (*rated, error) {
	places, err := allAnswered(ctx, st)
	if err != nil {
		return nil, err
	}
	found := make([][]answered, len(names))
	for i, name := range names {
		if found[i], err = named(ctx, s, st, places, name, run); err != nil {
			return nil, err
		}
	}
	chosen := sameExamples(found)
	if chosen == nil {
		return nil, &rung.Error{Code: rung.CodeNotFound, What: "these candidates were not scored on the same examples: " + strings.Join(names, ", "), Do: "evaluate them on one suite with rung eval, or name candidates of one run"}
	}
	out := &rated{task: chosen[0].task, set: chosen[0].examples}
	if out.examples, err = report.Examples(ctx, st, out.set); err != nil {
		return nil, err
	}
	if len(out.examples) == 0 {
		return nil, &rung.Error{Code: rung.CodeNotFound, What: "the inputs of these examples are not in the store", Do: "climb or evaluate again; stored answers are not paid for twice"}
	}
	for _, a := range chosen {
		answers := rating.Answers{Candidate: a.subject, Name: a.name, Texts: map[string]string{}}
		for score, err := range st.Scores(ctx, a.subject, a.scores) {
			if err != nil {
				return nil, err
			}
			answers.Texts[score.Example] = rating.AnswerText(&score.Answer)
		}
		out.answers = append(out.answers, answers)
	}
	return out, distinct(out.answers)
}

func distinct(answers []rating.Answers) error {
	for i := range answers {
		for j := range i {
			if answers[i].Candidate == answers[j].Candidate {
				return usage("%s is named twice", answers[i].Name)
			}
		}
	}
	return nil
}

// allAnswered lists what was scored in runs and evaluations, newest first.
func allAnswered(ctx context.Context, st store.Store) ([]answered, error) {
	runs, err := st.Runs(ctx, 0)
	if err != nil {
		return nil, err
	}
	var out []answered
	for i := range runs {
		doc, err := documentOf(&runs[i])
		if err != nil || doc == nil {
			continue // a damaged run is said by the commands that read it
		}
		for _, o := range doc.Rungs {
			if o.Status == rung.Scored {
				out = append(out, answered{o.Candidate, fmt.Sprintf("%s (%s)", o.Rung, o.Candidate.Short()), doc.Run, doc.Task, doc.Heldout.Digest, doc.Heldout.Digest, false})
			}
		}
	}
	evals, err := st.Evaluations(ctx, 0)
	if err != nil {
		return nil, err
	}
	for _, e := range evals {
		var doc rung.Evaluation
		if json.Unmarshal(e.Document, &doc) == nil {
			out = append(out, answered{doc.Subject.Digest, doc.Subject.Name, doc.ID, doc.Task, doc.Scores, doc.Suite.Digest, true})
		}
	}
	return out, nil
}

// named are the places where what a name stands for was scored.
func named(ctx context.Context, s *settings, st store.Store, places []answered, name, run string) ([]answered, error) {
	var out []answered
	if slices.Contains(rung.Ladder, rung.Rung(name)) {
		if run == "" {
			run = "latest"
		}
		c, err := candidateOn(ctx, st, rung.Rung(name), run)
		if err != nil {
			return nil, err
		}
		name = string(c.Digest())
	} else if r, err := releaseNamed(ctx, s, name); err != nil {
		return nil, err
	} else if r != nil {
		name = string(r.Release.Candidate.Digest())
	}
	subjects := map[rung.Digest]bool{}
	for _, a := range places {
		if name != "" && (strings.HasPrefix(string(a.subject), name) || a.eval && (strings.HasPrefix(a.id, name) || a.name == name)) {
			out = append(out, a)
			subjects[a.subject] = true
		}
	}
	switch {
	case len(out) == 0:
		return nil, &rung.Error{Code: rung.CodeNotFound, Place: name, What: "nothing of this name was scored", Do: "name a rung, a candidate's digest, a release, an evaluation or its subject; rung runs and rung eval --list list them"}
	case len(subjects) > 1:
		return nil, &rung.Error{Code: rung.CodeNotFound, Place: name, What: "several candidates begin like this", Do: "give more of the digest"}
	}
	return out, nil
}

// sameExamples chooses one place of each such that all answered the same examples, the newest first; nil where there is none.
func sameExamples(found [][]answered) []answered {
	for _, base := range found[0] {
		chosen := []answered{base}
		for _, others := range found[1:] {
			at := slices.IndexFunc(others, func(a answered) bool { return a.examples == base.examples && a.task == base.task })
			if at < 0 {
				break
			}
			chosen = append(chosen, others[at])
		}
		if len(chosen) == len(found) {
			return chosen
		}
	}
	return nil
}
