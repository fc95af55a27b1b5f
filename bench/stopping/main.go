// Stopping measures what early stopping saves on real answers: for every task and every candidate that its store has asked all held-out
// examples, how many it would have been asked had it been stopped as a climb stops it. Answers come from the store; no call is made.
//
//	go run ./bench/stopping TASK.yaml...
//
// The bar is the one of the task file, and α the whole .05 for each pair; the store is one that rung climb --full --all TASK.yaml made.
package main

import (
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"os"
	"slices"

	"github.com/rung-dev/rung"
	"github.com/rung-dev/rung/internal/app"
)

func main() {
	flag.Parse()
	if err := run(context.Background(), flag.Args()); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

// pair is one candidate of one task, asked in full and stopped early.
type pair struct {
	task, candidate string
	full, early     *rung.Evaluation
}

func run(ctx context.Context, tasks []string) error {
	if len(tasks) == 0 {
		return errors.New("name the task files: go run ./bench/stopping TASK.yaml")
	}
	var all []pair
	for _, file := range tasks {
		pairs, err := measure(ctx, file)
		if err != nil {
			return fmt.Errorf("%s: %w", file, err)
		}
		for _, one := range pairs {
			same := func(p pair) bool {
				return p.full.Subject.Digest == one.full.Subject.Digest && p.full.Suite.Digest == one.full.Suite.Digest
			}
			if !slices.ContainsFunc(all, same) { // another copy of one store
				all = append(all, one)
			}
		}
	}
	if len(all) == 0 {
		return errors.New("no store has a candidate that was asked every held-out example; make one with rung climb --full --all TASK.yaml")
	}
	report(all)
	return nil
}

// quiet is nobody who watches.
type quiet struct{}

func (quiet) Phase(rung.Rung, string)    {}
func (quiet) Progress(int, int, float64) {}
func (quiet) Note(string)                {}

func measure(ctx context.Context, file string) (pairs []pair, err error) {
	p, err := app.Open(ctx, app.Options{File: file, Observe: quiet{}})
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, p.Close()) }()
	suite, err := p.Suite(ctx, "heldout")
	if err != nil {
		return nil, err
	}
	candidates, err := asked(ctx, p, suite)
	if err != nil {
		return nil, err
	}
	for _, c := range candidates {
		one := pair{task: p.Task.Name, candidate: c.name}
		for _, full := range []bool{true, false} {
			sub := app.NewSubject(c.name, c.digest, c)
			e, err := p.EvaluateOn(ctx, sub, suite, app.EvalOptions{Full: full, Apart: true})
			if err != nil {
				return nil, err
			}
			if full {
				one.full = e
			} else {
				one.early = e
			}
		}
		pairs = append(pairs, one)
	}
	return pairs, nil
}

// kept answers with what the store kept of a candidate.
type kept struct {
	name    string
	digest  rung.Digest
	answers map[string]rung.Answer // by input
}

func (k *kept) Answer(_ context.Context, input json.RawMessage) (rung.Answer, error) {
	ans, ok := k.answers[string(input)]
	if !ok {
		return ans, fmt.Errorf("no answer is kept for %.80s", input)
	}
	return ans, nil
}

// asked are the candidates that some run scored on every example of the suite.
func asked(ctx context.Context, p *app.Project, suite *app.Suite) ([]*kept, error) {
	runs, err := p.Store.Runs(ctx, 0)
	if err != nil {
		return nil, err
	}
	var out []*kept
	seen := map[rung.Digest]bool{}
	for _, r := range runs {
		var doc rung.Document
		if len(r.Document) == 0 || json.Unmarshal(r.Document, &doc) != nil || doc.Heldout.Digest != suite.Digest {
			continue
		}
		for _, o := range doc.Rungs {
			if o.Status != rung.Scored || seen[o.Candidate] {
				continue
			}
			seen[o.Candidate] = true
			k, err := keptOf(ctx, p, suite, &o)
			if err != nil {
				return nil, err
			}
			if k != nil {
				out = append(out, k)
			}
		}
	}
	return out, nil
}

func keptOf(ctx context.Context, p *app.Project, suite *app.Suite, o *rung.Outcome) (*kept, error) {
	k := &kept{name: fmt.Sprintf("%s %s", o.Rung, o.Candidate.Short()), digest: o.Candidate, answers: map[string]rung.Answer{}}
	input := map[string]string{}
	for i := range suite.Examples {
		input[suite.Examples[i].ID] = string(suite.Examples[i].Input)
	}
	n := 0
	for score, err := range p.Store.Scores(ctx, o.Candidate, suite.Digest) {
		if err != nil {
			return nil, err
		}
		if in, ok := input[score.Example]; ok {
			k.answers[in] = score.Answer
			n++
		}
	}
	if n < len(suite.Examples) {
		return nil, nil
	}
	return k, nil
}

func report(all []pair) {
	var saved []float64
	contradicted := 0
	fmt.Println("| task | candidate | bar | in full: figure, verdict | asked | stopped: verdict | asked | times fewer |")
	fmt.Println("| --- | --- | --- | --- | --- | --- | --- | --- |")
	for _, p := range all {
		iv := p.full.Scorecard.Metrics[p.full.Metric]
		why := "not stopped"
		if s := p.early.Stopped; s != nil {
			why = string(s.Why)
		}
		times := float64(p.full.Scorecard.N) / float64(p.early.Scorecard.N)
		saved = append(saved, times)
		if a, b := p.full.Verdict, p.early.Verdict; a != b && a != rung.Inconclusive && b != rung.Inconclusive {
			contradicted++
		}
		fmt.Printf("| %s | %s | %s %.2f | %.2f [%.2f–%.2f], %s | %d | %s (%s) | %d | %.1f |\n", p.task, p.candidate, p.full.Metric, p.full.AtLeast,
			iv.Value, iv.Low, iv.High, p.full.Verdict, p.full.Scorecard.N, p.early.Verdict, why, p.early.Scorecard.N, times)
	}
	slices.Sort(saved)
	median := (saved[(len(saved)-1)/2] + saved[len(saved)/2]) / 2
	fmt.Printf("\n%d pairs; times fewer examples asked: median %.1f, least %.1f, most %.1f; %d verdicts contradict the full one\n", len(saved), median, saved[0], saved[len(saved)-1], contradicted)
}
