package rollout

import (
	"maps"
	"sync"

	"github.com/rung-dev/rung"
)

// Tally is what one gateway has observed in a rollout since it started. It is safe for concurrent use.
type Tally struct {
	mu      sync.Mutex
	rollout string
	arms    [2]string // names of the baseline's and the target's arm
	bounds  [metricCount]float64
	seen    [metricCount]series
	changes int64 // observations so far
	kept    int64 // those that the store has
}

// series is one metric.
type series struct {
	arm  [2]rung.Moments
	pair pairing
}

// NewTally starts with nothing observed.
func NewTally(r *rung.Rollout) *Tally {
	t := &Tally{rollout: r.ID, arms: [2]string{Baseline, targetArm(r.Mode)}}
	for i := range t.bounds {
		t.bounds[i] = 1
		if Metrics[i].Open {
			t.bounds[i] = openUnjudged
		}
	}
	for _, rule := range r.Rules {
		if i := metricIndex(rule.Metric); i >= 0 {
			t.bounds[i] = boundOf(rule)
		}
	}
	t.shareChanged(r)
	return t
}

// openUnjudged bounds an open metric that no rule judges: a million ms or USD.
const openUnjudged = 1e6

func (t *Tally) shareChanged(r *rung.Rollout) {
	t.mu.Lock()
	defer t.mu.Unlock()
	baseline, target := blocks(r.Share, r.Mode)
	for i := range t.seen {
		t.seen[i].pair.setBlocks(baseline, target)
	}
}

// Observe takes in the metrics of one request.
func (t *Tally) Observe(target bool, values map[string]float64) {
	t.mu.Lock()
	defer t.mu.Unlock()
	for name, x := range values {
		t.add(metricIndex(name), target, x)
	}
	t.changes++
}

func (t *Tally) add(i int, target bool, x float64) {
	if i < 0 {
		return
	}
	x, ok := cut(x, t.bounds[i])
	if !ok {
		return
	}
	arm := 0
	if target {
		arm = 1
	}
	t.seen[i].arm[arm].Add(x)
	t.seen[i].pair.add(target, x)
}

// observeBoth takes in a request that both releases answered.
func (t *Tally) observeBoth(baseline, target map[string]float64, same bool) {
	agreement := 0.0
	if same {
		agreement = 1
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	for i := range Metrics {
		name := Metrics[i].Name
		a, inBaseline := baseline[name]
		b, inTarget := target[name]
		if inBaseline && inTarget {
			t.add(i, false, a)
			t.add(i, true, b)
		}
	}
	t.seen[metricIndex(Agreement)].arm[1].Add(agreement)
	t.changes++
}

// Moments are a copy of what was observed, as the store keeps it.
func (t *Tally) Moments() Observed {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.copied()
}

// fresh are the moments for the store, nil when it has them already; mark is for keep.
func (t *Tally) fresh() (m Observed, mark int64) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.changes == t.kept {
		return nil, 0
	}
	return t.copied(), t.changes
}

func (t *Tally) copied() Observed {
	m := Observed{t.arms[0]: {}, t.arms[1]: {}, Pairs: {}}
	for i := range t.seen {
		name := Metrics[i].Name
		for arm, x := range t.seen[i].arm {
			if x.N > 0 {
				m[t.arms[arm]][name] = x
			}
		}
		if x := t.seen[i].pair.differences; x.N > 0 {
			m[Pairs][name] = x
		}
	}
	maps.DeleteFunc(m, func(_ string, metrics map[string]rung.Moments) bool { return len(metrics) == 0 })
	return m
}

// keep says that the store has what fresh gave with mark.
func (t *Tally) keep(mark int64) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.kept = max(t.kept, mark)
}
