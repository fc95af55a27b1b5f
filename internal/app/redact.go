package app

import (
	"slices"
	"sync"

	"github.com/rung-dev/rung"
	"github.com/rung-dev/rung/internal/guard"
)

// kept says which kinds of personal data are taken out of the traces of each task: those that the pii guards of its releases look
// for, so that a task about places can keep its places. A task without such a guard, and a pass-through, lose all kinds.
type kept struct {
	mu     sync.Mutex
	byTask map[string][]string
}

// learn takes in the guards of a release. Where releases of one task differ, what any of them hides is taken out.
func (k *kept) learn(task string, specs []rung.GuardSpec) {
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.byTask == nil {
		k.byTask = map[string][]string{}
	}
	now := guard.Entities(specs)
	if before, known := k.byTask[task]; known {
		if len(before) == 0 || len(now) == 0 {
			now = nil // all
		} else {
			now = slices.Compact(slices.Sorted(slices.Values(slices.Concat(before, now))))
		}
	}
	k.byTask[task] = now
}

// entities are the kinds for a task; none means all.
func (k *kept) entities(task string) []string {
	k.mu.Lock()
	defer k.mu.Unlock()
	return k.byTask[task]
}
