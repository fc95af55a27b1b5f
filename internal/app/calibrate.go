package app

import (
	"context"
	"encoding/json"
	"fmt"
	"sync"
	"time"

	"github.com/rung-dev/rung"
	"github.com/rung-dev/rung/internal/judge"
	"github.com/rung-dev/rung/internal/store"
)

// CalibrateOptions say which judge is held against which ratings.
type CalibrateOptions struct {
	Metric  string       // the judge's; empty: the only one
	File    string       // of ratings; empty: those of the store
	Format  judge.Format // of the file
	Limit   int          // answers asked about at most; 0: all
	Pretend int          // also pretend that only so many were rated; 0: do not
}

// Calibrated is what came of a calibration: the whole metric first, then its criteria.
type Calibrated struct {
	Metric       string              `json:"metric"`
	Calibrations []judge.Calibration `json:"calibrations"`
	Pretended    *judge.Coverage     `json:"pretended,omitempty"`
	CostUSD      float64             `json:"cost_usd"`
	Notes        []string            `json:"notes,omitempty"`
}

// toJudge is one answer or pair with its ratings, before the judge has seen it.
type toJudge struct {
	item          judge.Item
	first, second string
	people        map[string][]float64
	settled       map[string]float64
	obs           judge.Observation
}

// Calibrate asks a judge about answers that people rated, measures it, and keeps what came out for every report.
func (p *Project) Calibrate(ctx context.Context, opt CalibrateOptions) (*Calibrated, error) {
	j, err := p.judgeToCalibrate(ctx, opt.Metric)
	if err != nil {
		return nil, err
	}
	work, source, err := p.ratedAnswers(ctx, j, &opt)
	if err != nil {
		return nil, err
	}
	out := &Calibrated{Metric: j.Metric()}
	if opt.Limit > 0 && len(work) > opt.Limit {
		out.Notes = append(out.Notes, fmt.Sprintf("Of %d answers the first %d were taken (--limit).", len(work), opt.Limit))
		work = work[:opt.Limit]
	}
	verdicts, err := p.judgeAll(ctx, j, work)
	if err != nil {
		return nil, err
	}
	for _, v := range verdicts {
		out.CostUSD += v.CostUSD
	}
	return out, p.measure(ctx, j, &opt, work, verdicts, source, out)
}

// measure calibrates the whole metric and each of its criteria, and keeps what comes out.
func (p *Project) measure(ctx context.Context, j *judge.Judge, opt *CalibrateOptions, work []toJudge, verdicts []rung.OutsideValue, source string, out *Calibrated) error {
	criteria := []string{""}
	if spec := j.Spec(); !spec.Pairwise && len(spec.Criteria) > 1 {
		for _, c := range spec.Criteria {
			criteria = append(criteria, c.Name)
		}
	}
	settings := judge.Settings{Pairwise: j.Spec().Pairwise, Scale: scaleOf(opt), Seed: seed}
	for _, criterion := range criteria {
		obs := make([]judge.Observation, len(work))
		for i := range work {
			obs[i] = work[i].observed(j, criterion).Judged(verdicts[i], criterion)
		}
		c := judge.Calibrate(obs, settings)
		c.Metric, c.Criterion, c.Model, c.Prompt, c.Digest = j.Metric(), criterion, j.Spec().Model, j.Prompt(), j.Digest()
		c.At, c.Source = time.Now().UTC(), source
		if c.Rated == 0 && criterion != "" {
			continue // people were not asked about it
		}
		if err := p.keepCalibration(ctx, &c); err != nil {
			return err
		}
		if criterion == "" && opt.Pretend > 0 && c.Rated > opt.Pretend {
			cover := judge.Rehearse(obs, opt.Pretend, pretences, settings)
			out.Pretended = &cover
		}
		out.Calibrations = append(out.Calibrations, c)
	}
	return nil
}

// pretences is the number of random ways in which few ratings are pretended.
const pretences = 200

// scaleOf is the number of values that people could give: five in the store and on the scale from 1 to 5.
func scaleOf(opt *CalibrateOptions) int {
	if f := opt.Format; opt.File != "" && (f.Low != 0 || f.High != 0) && (f.Low != 1 || f.High != 5) {
		return 0
	}
	return 5
}

func (p *Project) keepCalibration(ctx context.Context, c *judge.Calibration) error {
	b, err := json.Marshal(c)
	if err != nil {
		return err
	}
	return p.Store.PutStep(ctx, calibrationStep(c.Digest, c.Criterion), b)
}

// judgeToCalibrate finds the judge that is meant.
func (p *Project) judgeToCalibrate(ctx context.Context, metric string) (*judge.Judge, error) {
	var names []string
	for _, m := range p.Task.Metrics {
		if m.Judge != nil {
			names = append(names, m.Name)
		}
	}
	switch {
	case len(names) == 0:
		return nil, &rung.Error{Code: rung.CodeInput, Place: p.Task.File, What: "the task has no judge", Do: "add one under metrics (docs/judges.md)"}
	case metric == "" && len(names) > 1:
		return nil, &rung.Error{Code: rung.CodeUsage, What: fmt.Sprintf("the task has the judges %v", names), Do: "name one with --metric"}
	case metric == "":
		metric = names[0]
	}
	if spec := p.metric(metric); spec == nil || spec.Judge == nil {
		return nil, &rung.Error{Code: rung.CodeUsage, Place: "--metric", What: fmt.Sprintf("%s is no judge of the task", metric), Do: fmt.Sprintf("take one of %v", names)}
	}
	j, _, err := p.Judge(ctx, metric)
	return j, err
}

// observed is the observation of a criterion before the verdict.
func (w *toJudge) observed(j *judge.Judge, criterion string) judge.Observation {
	o := w.obs
	if criterion == "" {
		o.People = judge.Means(w.people, j.Spec().Criteria)
	} else {
		o.People = w.people[criterion]
	}
	if v, ok := w.settled[criterion]; ok {
		o.Settled = &v
	}
	return o
}

// judgeAll asks the judge about everything, as many at once as its model takes.
func (p *Project) judgeAll(ctx context.Context, j *judge.Judge, work []toJudge) ([]rung.OutsideValue, error) {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	out := make([]rung.OutsideValue, len(work))
	next := make(chan int)
	var wg sync.WaitGroup
	var mu sync.Mutex
	done, cost := 0, 0.0
	workers := p.Task.Limits.Concurrency
	if workers <= 0 {
		workers = max(p.can(j.Spec().Model).Concurrency, 1)
	}
	p.opt.Observe.Phase("", fmt.Sprintf("asking the judge %s about %d answers", j.Spec().Model, len(work)))
	for range min(workers, len(work)) {
		wg.Go(func() {
			for i := range next {
				v, err := p.judgeOne(ctx, j, &work[i])
				if err != nil {
					cancel(err)
					return
				}
				out[i] = v
				mu.Lock()
				done, cost = done+1, cost+v.CostUSD
				p.opt.Observe.Progress(done, len(work), cost)
				mu.Unlock()
			}
		})
	}
	for i := range work {
		select {
		case next <- i:
			continue
		case <-ctx.Done():
		}
		break
	}
	close(next)
	wg.Wait()
	return out, context.Cause(ctx)
}

func (p *Project) judgeOne(ctx context.Context, j *judge.Judge, w *toJudge) (rung.OutsideValue, error) {
	if j.Spec().Pairwise {
		return j.Prefer(ctx, w.item.Input, w.first, w.second)
	}
	return j.Rate(ctx, w.item)
}

// ratedAnswers are the answers of a file or of the store's queues, and where they came from.
func (p *Project) ratedAnswers(ctx context.Context, j *judge.Judge, opt *CalibrateOptions) ([]toJudge, string, error) {
	if opt.File == "" {
		work, err := p.storedRatings(ctx, j)
		if err == nil && len(work) == 0 {
			err = &rung.Error{Code: rung.CodeNotFound, Place: p.Task.Name, What: "the store has no ratings of this task that suit the judge " + j.Metric(),
				Do: "have people rate answers with rung rate, or name a file with --ratings"}
		}
		return work, "the store", err
	}
	rows, err := judge.ReadFile(opt.File, opt.Format)
	if err != nil {
		return nil, "", err
	}
	work := make([]toJudge, 0, len(rows))
	for i := range rows {
		r := &rows[i]
		work = append(work, toJudge{item: judge.Item{Input: r.Input, Reference: r.Reference, Answer: r.Answer}, first: r.First, second: r.Second,
			people: r.People, obs: judge.ObservationOf(r, string(j.Spec().Model), j.Spec().Pairwise)})
	}
	return work, opt.File, nil
}

// storedRatings are the rated items of the task's queues that ask what the judge is asked.
func (p *Project) storedRatings(ctx context.Context, j *judge.Judge) ([]toJudge, error) {
	queues, err := p.Store.RatingQueues(ctx, p.Task.Name)
	if err != nil {
		return nil, err
	}
	references := p.references()
	var out []toJudge
	for _, q := range queues {
		if !suits(q, j) {
			continue
		}
		said, err := p.ratingsOf(ctx, q)
		if err != nil {
			return nil, err
		}
		for i := range q.Items {
			it := &q.Items[i]
			if ratings := said[it.ID]; it.Check == rung.NoCheck && len(ratings) > 0 && len(it.Options) == options(j) {
				out = append(out, p.ratedItem(ctx, j, q, it, ratings, references))
			}
		}
	}
	return out, nil
}

// options is the number of answers that one item for a judge holds.
func options(j *judge.Judge) int {
	if j.Spec().Pairwise {
		return 2
	}
	return 1
}

// suits says whether people were asked in a queue what the judge is asked.
func suits(q *rung.RatingQueue, j *judge.Judge) bool {
	spec := j.Spec()
	if spec.Pairwise {
		return q.Kind == rung.Pairwise
	}
	if q.Kind != rung.Rubric {
		return false
	}
	asked := map[string]bool{}
	for _, c := range q.Criteria {
		asked[c.Name] = true
	}
	for _, c := range spec.Criteria {
		if asked[c.Name] {
			return true
		}
	}
	return false
}

// references are the expected outputs of the task's examples, by id.
func (p *Project) references() map[string]json.RawMessage {
	out := map[string]json.RawMessage{}
	p.Data.EachSplit(func(_ rung.Split, e *rung.Example) { out[e.ID] = e.Output })
	return out
}

// ratingsOf are the ratings of a queue that count, by item.
func (p *Project) ratingsOf(ctx context.Context, q *rung.RatingQueue) (map[string][]rung.Rating, error) {
	out := map[string][]rung.Rating{}
	for r, err := range p.Store.Ratings(ctx, store.RatingFilter{Queue: q.Name}) {
		if err != nil {
			return nil, err
		}
		if !r.Skipped && !r.Withdrawn {
			out[r.Item] = append(out[r.Item], r)
		}
	}
	return out, nil
}

// ratedItem is one item with what people said.
func (p *Project) ratedItem(ctx context.Context, j *judge.Judge, q *rung.RatingQueue, it *rung.RatingItem, ratings []rung.Rating, references map[string]json.RawMessage) toJudge {
	spec := j.Spec()
	reference := it.Reference
	if expected, ok := references[it.Example]; ok {
		reference = expected
	}
	w := toJudge{item: j.ItemOf(it.Input, reference, nil), people: map[string][]float64{}, settled: map[string]float64{},
		obs: judge.Observation{Example: it.Example, Group: it.Group}}
	row := judge.Row{ID: it.Example, Group: it.Group}
	if spec.Pairwise {
		w.first, w.second = it.Options[0].Text, it.Options[1].Text
		row.First, row.Second = w.first, w.second
		row.FirstModel, row.SecondModel = p.modelOf(ctx, it.Options[0].Candidate), p.modelOf(ctx, it.Options[1].Candidate)
	} else {
		w.item.Answer = it.Options[0].Text
		row.Answer, row.Model = w.item.Answer, p.modelOf(ctx, it.Options[0].Candidate)
	}
	w.obs = judge.ObservationOf(&row, string(spec.Model), spec.Pairwise)
	if !spec.Pairwise {
		w.obs.Candidate, w.obs.Also = it.Options[0].Candidate, it.Options[0].Also
	}
	for i := range ratings {
		w.add(&ratings[i], &spec)
	}
	return w
}

// modelOf is the model of a candidate; empty where it is not known.
func (p *Project) modelOf(ctx context.Context, candidate rung.Digest) string {
	c, err := p.Store.Candidate(ctx, string(candidate))
	if err != nil {
		return "" // of an imported file, or of another store
	}
	return string(c.Model)
}

// add adds one person's rating.
func (w *toJudge) add(r *rung.Rating, spec *rung.JudgeSpec) {
	values := map[string]float64{}
	if spec.Pairwise {
		values[""] = map[rung.Preference]float64{rung.PrefersFirst: 1, rung.PrefersNone: .5}[r.Preference]
	} else {
		sum, all := 0.0, true
		for _, c := range spec.Criteria {
			v, ok := r.Values[c.Name]
			all = all && ok
			if ok {
				values[c.Name] = float64(v-1) / 4
				sum += values[c.Name] / float64(len(spec.Criteria))
			}
		}
		if all {
			values[""] = sum
		}
	}
	for criterion, v := range values {
		if r.Role == rung.AsAdjudicator {
			w.settled[criterion] = v
		} else {
			w.people[criterion] = append(w.people[criterion], v)
		}
	}
}
