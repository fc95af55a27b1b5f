package engine

import (
	"context"
	"sync"
)

// scheduler gives requests the slots of one model. A slot keeps the state of the prompt it read last, so requests with the
// same prefix (the same group) go to one slot, one after another; but no slot stays idle while requests wait, and no group
// keeps a slot for more than maxRun requests while others wait.
type scheduler struct {
	mu      sync.Mutex
	slots   []slotState
	waiting []*ticket // in order of arrival
	alone   int       // tickets in waiting that must run alone
	solo    bool      // one of those runs now
	clock   int       // grants so far
}

type slotState struct {
	busy  bool
	group string // of the prompt that the slot holds; empty when unknown
	run   int    // requests of that group served one after another
	used  int    // clock of its last grant
}

// ticket is one request's place.
type ticket struct {
	group   string
	alone   bool
	slot    int
	granted chan struct{}
}

// maxRun bounds how long one group keeps a slot while others wait.
const maxRun = 64

func newScheduler(slots int) *scheduler { return &scheduler{slots: make([]slotState, slots)} }

// acquire waits for a slot. alone waits until nothing else runs and keeps everything else out until release.
func (s *scheduler) acquire(ctx context.Context, group string, alone bool) (*ticket, error) {
	t := &ticket{group: group, alone: alone, granted: make(chan struct{})}
	s.mu.Lock()
	s.waiting = append(s.waiting, t)
	if alone {
		s.alone++
	}
	s.dispatch()
	s.mu.Unlock()
	select {
	case <-t.granted:
		return t, nil
	case <-ctx.Done():
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	for i, w := range s.waiting {
		if w == t {
			s.remove(i)
			s.dispatch()
			return nil, ctx.Err()
		}
	}
	// It was granted at the same moment: give it back.
	s.free(t)
	return nil, ctx.Err()
}

// release gives the slot back.
func (s *scheduler) release(t *ticket) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.free(t)
}

// forget drops what is known of the prompts in the slots from (included) to (excluded), after their server was restarted.
func (s *scheduler) forget(from, to int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for i := from; i < to; i++ {
		s.slots[i].group, s.slots[i].run = "", 0
	}
}

func (s *scheduler) free(t *ticket) {
	s.slots[t.slot].busy = false
	if t.alone {
		s.solo = false
	}
	s.dispatch()
}

func (s *scheduler) remove(i int) {
	if s.waiting[i].alone {
		s.alone--
	}
	s.waiting = append(s.waiting[:i], s.waiting[i+1:]...)
}

// dispatch hands out slots until none is free or nobody waits.
func (s *scheduler) dispatch() {
	if s.solo {
		return
	}
	if s.alone > 0 {
		s.dispatchAlone()
		return
	}
	for len(s.waiting) > 0 {
		i, slot := s.choose()
		if slot < 0 {
			return
		}
		s.grant(i, slot)
	}
}

// dispatchAlone lets nothing new in until the server is idle, then the first that must be alone.
func (s *scheduler) dispatchAlone() {
	for i := range s.slots {
		if s.slots[i].busy {
			return
		}
	}
	s.solo = true
	s.grant(s.first(func(t *ticket) bool { return t.alone }), 0)
}

func (s *scheduler) grant(i, slot int) {
	t := s.waiting[i]
	st := &s.slots[slot]
	if st.group != t.group || t.group == "" {
		st.group, st.run = t.group, 0
	}
	s.clock++
	st.busy, st.used = true, s.clock
	st.run++
	t.slot = slot
	s.remove(i)
	close(t.granted)
}

// choose picks who is next and where: (-1, -1) when no slot is free.
//
// First, a free slot goes on with its own group, unless it has done so maxRun times while others wait. Else the request that
// has waited longest and whose group no slot holds, so that groups spread over the slots. Else, all waiting groups are held by
// other slots: the one that has waited longest comes here, and this slot reads the prefix too, because an idle slot is worse.
func (s *scheduler) choose() (index, slot int) {
	slot = -1
	for j := range s.slots {
		st := &s.slots[j]
		if st.busy {
			continue
		}
		if i := s.first(func(t *ticket) bool { return t.group != "" && t.group == st.group }); i >= 0 && (st.run < maxRun || !s.others(st.group)) {
			return i, j
		}
		if slot < 0 || st.used < s.slots[slot].used {
			slot = j // the one whose prompt is the oldest
		}
	}
	if slot < 0 {
		return -1, -1
	}
	mine := s.slots[slot].group
	if i := s.first(func(t *ticket) bool { return !s.held(t.group) }); i >= 0 {
		return i, slot
	}
	if i := s.first(func(t *ticket) bool { return t.group != mine }); i >= 0 {
		return i, slot
	}
	return 0, slot
}

func (s *scheduler) first(fits func(*ticket) bool) int {
	for i, t := range s.waiting {
		if fits(t) {
			return i
		}
	}
	return -1
}

// others reports whether a request of another group waits.
func (s *scheduler) others(group string) bool {
	return s.first(func(t *ticket) bool { return t.group != group }) >= 0
}

func (s *scheduler) held(group string) bool {
	if group == "" {
		return false
	}
	for i := range s.slots {
		if s.slots[i].group == group {
			return true
		}
	}
	return false
}
