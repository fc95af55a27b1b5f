package retrieve

import (
	"context"
	"fmt"
	"slices"
	"sync"

	"github.com/rung-dev/rung"
)

// Who may read a passage is decided before anything is ranked: a search works on a view that holds the readable passages
// only, and answers as an index of nothing but these would.

type groupsKey struct{}

// WithGroups gives a context whose searches see the passages that everybody may read and those of the groups. No groups at
// all still limits the search, to what everybody may read.
func WithGroups(ctx context.Context, groups []string) context.Context {
	return context.WithValue(ctx, groupsKey{}, slices.Clone(groups))
}

// access knows the groups of an index's passages, and remembers the views of recent callers.
type access struct {
	words    *bm25
	passages []rung.Passage
	groups   map[string]bool // that any passage names
	all      *view

	mu    sync.Mutex
	views map[string]*view // by the caller's groups that matter, sorted
}

// maxViews bounds what is remembered; callers with many different sets of groups cost a count over the index each.
const maxViews = 64

func newAccess(passages []rung.Passage, words *bm25) *access {
	a := &access{words: words, passages: passages, groups: map[string]bool{}, all: words.view(nil), views: map[string]*view{}}
	for _, p := range passages {
		for _, g := range p.Groups {
			a.groups[g] = true
		}
	}
	return a
}

// view is what the context's groups may see. Without groups in it: what everybody may read if closed, else everything.
func (a *access) view(ctx context.Context, closed bool) *view {
	groups, given := ctx.Value(groupsKey{}).([]string)
	if len(a.groups) == 0 || !given && !closed {
		return a.all
	}
	var known []string
	for _, g := range groups {
		if a.groups[g] {
			known = append(known, g)
		}
	}
	slices.Sort(known)
	known = slices.Compact(known)
	key := fmt.Sprintf("%q", known)
	a.mu.Lock()
	defer a.mu.Unlock()
	if v := a.views[key]; v != nil {
		return v
	}
	if len(a.views) >= maxViews {
		clear(a.views)
	}
	v := a.words.view(a.visible(known))
	a.views[key] = v
	return v
}

func (a *access) visible(groups []string) []bool {
	out := make([]bool, len(a.passages))
	for i, p := range a.passages {
		out[i] = len(p.Groups) == 0 || slices.ContainsFunc(p.Groups, func(g string) bool { return slices.Contains(groups, g) })
	}
	return out
}
