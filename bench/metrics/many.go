package main

import (
	"encoding/json"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"github.com/rung-dev/rung"
	"github.com/rung-dev/rung/internal/form"
	"github.com/rung-dev/rung/internal/grade"
)

// gradeMany grades n examples, people's own texts against people's own texts with all their alternatives left out, by the metrics of a
// text task and two of its own, and makes the scorecard.
func gradeMany(rows []row, n int) error {
	t := &rung.Task{Name: "bench", File: "task.yaml", Output: rung.Output{Kind: rung.Text}, Bar: rung.Bar{Metric: "token_f1", AtLeast: .5,
		Guards: map[string]float64{"refusal_correct": 0, "not_toxic": 0}}}
	f, err := form.New(t.Output)
	if err != nil {
		return err
	}
	g, err := grade.New(t, f)
	if err != nil {
		return err
	}
	examples, answers, err := graded(rows, n)
	if err != nil {
		return err
	}
	cpu, start := processorTime(), time.Now()
	tally := g.NewTally(n)
	var next atomic.Int64
	var wg sync.WaitGroup
	for range 2 {
		wg.Go(func() {
			for i := int(next.Add(1)) - 1; i < n; i = int(next.Add(1)) - 1 {
				tally.Add(i, &examples[i], &answers[i])
			}
		})
	}
	wg.Wait()
	added := time.Since(start)
	card := tally.Scorecard(.95, 1)
	fmt.Printf("graded  %d examples by %d metrics on 2 processors: %.2f s, of which %.2f s for the scorecard; %.2f s of processor time\n",
		card.N, len(card.Metrics), time.Since(start).Seconds(), (time.Since(start) - added).Seconds(), (processorTime() - cpu).Seconds())
	return nil
}

func graded(rows []row, n int) ([]rung.Example, []rung.Answer, error) {
	examples, answers := make([]rung.Example, n), make([]rung.Answer, n)
	for i := range n {
		r := rows[i%len(rows)]
		want, err := json.Marshal(r.References[0])
		if err != nil {
			return nil, nil, err
		}
		text := r.References[(i/len(rows))%len(r.References)]
		got, err := json.Marshal(text)
		if err != nil {
			return nil, nil, err
		}
		examples[i] = rung.Example{ID: fmt.Sprint(i), Input: json.RawMessage(`{"mr":""}`), Output: want}
		answers[i] = rung.Answer{Text: text, Value: got}
	}
	return examples, answers, nil
}
