package recipe

import (
	"context"
	"slices"
	"sync"

	"github.com/rung-dev/rung"
	"github.com/rung-dev/rung/internal/grade"
)

// line is the queue of an evaluation: which answer is asked for next, how far all before are there, and whether that is enough.
// Answers are asked for only a little ahead of the last look, so that a stop leaves few that nobody needed.
type line struct {
	looks   *Looks
	answers int
	places  []int // of the tally, in the order in which they are asked
	rank    []int // of a place in places
	ends    []bool
	ahead   int // answers that may be asked for beyond the prefix that is whole

	mu      sync.Mutex
	turn    *sync.Cond
	next    int    // in places
	there   []bool // by rank
	whole   int    // all ranks before it are there
	look    int    // examples at which to look next
	stopped int    // places before the stop; −1 while there is none
	woken   bool
}

// aheadPerCall is how many answers may be under way or done beyond the whole prefix, per call in flight: one slow answer must not
// hold up the others, and a stop should not leave many behind.
const aheadPerCall = 4

func newLine(ev *Evaluation, examples []rung.Example) *line {
	l := &line{looks: ev.Looks, answers: ev.Answers, stopped: -1}
	l.turn = sync.NewCond(&l.mu)
	order := make([]int, len(examples))
	for i := range order {
		order[i] = i
	}
	if l.looks != nil {
		order = l.looks.Order
		l.look = l.looks.Next(0)
	}
	l.ahead = aheadPerCall * max(1, ev.Concurrency)
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
	return l
}

// take gives the next place to answer; false when there is none.
func (l *line) take(ctx context.Context) (place int, more bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for l.looks != nil && l.stopped < 0 && !l.woken && l.next < len(l.places) && l.next >= l.whole+l.ahead {
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
		n := l.whole / l.answers
		if l.looks == nil || !l.ends[l.whole-1] || n < l.look || l.whole == len(l.places) {
			continue
		}
		if l.looks.Look(t, n, l.places[:l.whole]) {
			l.stopped = l.whole
		}
		l.look = l.looks.Next(n)
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
	for _, there := range l.there[l.stopped:] {
		if there {
			l.looks.Beyond++
		}
	}
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
