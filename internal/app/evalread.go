package app

import (
	"cmp"
	"context"
	"encoding/json"
	"maps"
	"slices"
	"sync"

	"github.com/rung-dev/rung"
	"github.com/rung-dev/rung/internal/climb"
	"github.com/rung-dev/rung/internal/recipe"
	"github.com/rung-dev/rung/internal/report"
	"github.com/rung-dev/rung/internal/store"
)

// servedNames counts the model names that servers reported, over the first answers.
type servedNames struct {
	store store.Store
	mu    sync.Mutex
	seen  int
	count map[string]int
}

// servedSample is the number of answers whose server is looked up: a provider that changes its model changes it for all.
const servedSample = 200

func (s *servedNames) add(ctx context.Context, batch []recipe.IndexedScore) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for i := range batch {
		calls := batch[i].Score.Answer.Calls
		if s.seen >= servedSample || len(calls) == 0 {
			continue
		}
		s.seen++
		c, found, err := s.store.Completion(ctx, calls[len(calls)-1])
		if err != nil || !found || c.Served == "" { // a courtesy to the reader; nothing rests on it
			continue
		}
		if s.count == nil {
			s.count = map[string]int{}
		}
		s.count[c.Served]++
	}
}

// names are the reported names, most frequent first.
func (s *servedNames) names() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.SortedFunc(maps.Keys(s.count), func(a, b string) int { return cmp.Or(s.count[b]-s.count[a], cmp.Compare(a, b)) })
}

// segmentNames are the segments of examples, sorted; examples without one are of the segment "".
func segmentNames(examples []rung.Example) []string {
	names := map[string]bool{}
	for i := range examples {
		names[examples[i].Segment] = true
	}
	return slices.Sorted(maps.Keys(names))
}

func inSegment(examples []rung.Example, segment string) func(id string) bool {
	ids := map[string]bool{}
	for i := range examples {
		if examples[i].Segment == segment {
			ids[examples[i].ID] = true
		}
	}
	return func(id string) bool { return ids[id] }
}

// EvaluationDoc reads a kept evaluation: its ID, the beginning of it, or "latest".
func EvaluationDoc(ctx context.Context, st store.Store, id string) (*rung.Evaluation, error) {
	e, err := st.Evaluation(ctx, id)
	if err != nil {
		return nil, err
	}
	doc := new(rung.Evaluation)
	if err := json.Unmarshal(e.Document, doc); err != nil {
		return nil, &rung.Error{Code: rung.CodeStore, Place: "evaluation " + e.ID, What: "its document cannot be read: " + err.Error(), Do: "evaluate again; stored answers are not paid for twice", Err: err}
	}
	return doc, nil
}

// Reread makes a kept evaluation's scores again from its answers, with the task's metrics as they are now. No call is made.
func (p *Project) Reread(ctx context.Context, doc *rung.Evaluation) (*Evaluated, error) {
	examples, err := report.Examples(ctx, p.Store, doc.Suite.Digest)
	if err != nil {
		return nil, err
	}
	if len(examples) == 0 {
		return nil, &rung.Error{Code: rung.CodeNotFound, Place: "evaluation " + doc.ID, What: "its examples are not in the store any more", Do: "evaluate again"}
	}
	at := map[string]int{}
	for i := range examples {
		at[examples[i].ID] = i
	}
	tally := p.Grader.NewTally(len(examples) * doc.Answers)
	tally.Repeated(doc.Answers)
	for sample := range doc.Answers {
		for score, err := range p.Store.Scores(ctx, doc.Subject.Digest, sampleSet(doc.Scores, sample)) {
			if err != nil {
				return nil, err
			}
			if i, ok := at[score.Example]; ok {
				tally.Add(i*doc.Answers+sample, recipe.Repeated(&examples[i], doc.Answers), &score.Answer)
			}
		}
	}
	if doc.Stopped != nil {
		looks := recipe.Looks{Order: rung.Order(doc.Suite.Digest, examples)}
		tally.Drop(looks.After(doc.Stopped.N, doc.Answers))
		s := climb.Stopping{Total: len(examples), Largest: rung.LargestGroup(examples), Answers: doc.Answers}
		tally.Stop(s.Plan())
	}
	return &Evaluated{Doc: doc, Tally: tally, Examples: examples}, nil
}
