package recipe

import (
	"context"
	"slices"
	"sync"

	"github.com/rung-dev/rung"
	"github.com/rung-dev/rung/internal/grade"
)

// line is the queue of an evaluation: which answer is asked for next, how far all before are there, and whether that is enough.
// Nothing beyond the next look is asked before it was made: what is paid for depends on the answers alone, never on how fast they
// came, and a second run pays for nothing again.
type line struct {
	looks   *Looks
	answers int
	places  []int // of the tally, in the order in which they are asked
	rank    []int // of a place in places
	ends    []bool

	mu      sync.Mutex
	turn    *sync.Cond
	next    int    // in places
	there   []bool // by rank
	whole   int    // all ranks before it are there
	look    int    // examples at which to look next
	limit   int    // places that may be asked for before that look
	stopped int    // places before the stop; −1 while there is none
	woken   bool
}

func newLine(ev *Evaluation, examples []rung.Example) *line {
	l := &line{looks: ev.Looks, answers: ev.Answers, stopped: -1}
	l.turn = sync.NewCond(&l.mu)
	order := make([]int, len(examples))
	for i := range order {
		order[i] = i
	}
	if l.looks != nil {
		order = l.looks.Order
	}
	l.rank = make([]int, len(examples)*l.answers)
	for at, i := range order {
		last := at+1 == len(order) || examples[i].Group == "" || examples[order[at+1]].Group != examples[i].Group
		for k := range l.answers {
			l.rank[i*l.answers+k] = len(l.places)
			l.places = append(l.places, i*l.answers+k)
			l.ends = append(l.ends, last && k == l.answers-1)
		}
	}
	l.there = make([]bool, len(l.places))
	l.limit = len(l.places)
	if l.looks != nil {
		l.lookAt(l.looks.Next(0))
	}
	return l
}

// lookAt sets the next look: at the end of the cluster that holds example n.
func (l *line) lookAt(n int) {
	l.look, l.limit = n, len(l.places)
	for rank := max(0, n*l.answers-1); rank < len(l.places); rank++ {
		if l.ends[rank] {
			l.limit = rank + 1
			return
		}
	}
}

// take gives the next place to answer; false when there is none.
func (l *line) take(ctx context.Context) (place int, more bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for l.looks != nil && l.stopped < 0 && !l.woken && l.next < len(l.places) && l.next >= l.limit {
		l.turn.Wait()
	}
	if ctx.Err() != nil || l.stopped >= 0 || l.woken || l.next >= len(l.places) {
		return 0, false
	}
	l.next++
	return l.places[l.next-1], true
}

// wake ends all waiting: the work has failed.
func (l *line) wake() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.woken = true
	l.turn.Broadcast()
}

// answered says that a place is answered, and looks where the prefix has grown far enough.
func (l *line) answered(place int, t *grade.Tally) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.there[l.rank[place]] = true
	for l.stopped < 0 && l.whole < len(l.places) && l.there[l.whole] {
		l.whole++
		if l.looks == nil || l.whole < l.limit || l.whole == len(l.places) {
			continue
		}
		n := l.whole / l.answers
		if l.looks.Look(t, n, l.places[:l.whole]) {
			l.stopped = l.whole
		}
		l.lookAt(l.looks.Next(n))
	}
	l.turn.Broadcast()
}

// settled parts the scores that belong to the evaluation whatever comes from those that a stop may yet leave out. Once it has
// stopped, those are dropped.
func (l *line) settled(pending []IndexedScore, answers int) (batch, rest []IndexedScore) {
	if l.looks == nil {
		return pending, make([]IndexedScore, 0, cap(pending))
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, s := range pending {
		switch rank := l.rank[s.Index*answers+s.Sample]; {
		case rank < l.whole && (l.stopped < 0 || rank < l.stopped):
			batch = append(batch, s)
		case l.stopped < 0:
			rest = append(rest, s)
		}
	}
	return batch, rest
}

// end leaves in the tally what the evaluation rests on, and says how much that is.
func (l *line) end(t *grade.Tally) {
	if l.looks == nil {
		return
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	l.looks.N = len(l.places) / l.answers
	if l.stopped < 0 {
		return
	}
	l.looks.N = l.stopped / l.answers
	t.Drop(l.places[l.stopped:])
}

// After are the places of the tally that come after the first n examples in the order of looks.
func (l *Looks) After(n, answers int) []int {
	var places []int
	for _, i := range l.Order[min(n, len(l.Order)):] {
		for k := range answers {
			places = append(places, i*answers+k)
		}
	}
	return slices.Clip(places)
}
