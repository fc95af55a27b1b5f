package gateway

import (
	"context"
	"crypto/sha256"
	"slices"
	"sort"
	"strings"
	"time"

	"github.com/rung-dev/rung"
)

// How often the store is asked whether something has changed, and how long an answer may take.
const (
	pollEvery   = 200 * time.Millisecond
	pollTimeout = 5 * time.Second
)

// state is all that routing rests on, read from the store at one revision. It never changes; a new one takes its place, so that a
// request sees either what was before a change or what is after it.
type state struct {
	revision int64
	keys     map[[sha256.Size]byte]*account
	anyKeys  bool // the store has keys, revoked ones too
	tasks    map[string]*taskState
	names    []string // of tasks, sorted
}

type taskState struct {
	name     string
	aliases  map[string]string // alias → version
	versions map[string]rung.ReleaseLine
}

// resolve gives the version that a name after @ stands for, an alias or a version, and the alias if it is one.
func (t *taskState) resolve(name string) (version, alias string, ok bool) {
	if v, found := t.aliases[name]; found {
		return v, name, true
	}
	if _, found := t.versions[name]; found {
		return name, "", true
	}
	return "", "", false
}

// follow reads the store again if it has changed. A store that cannot be read leaves everything as it is.
func (g *Gateway) follow(ctx context.Context) {
	ctx, cancel := context.WithTimeout(ctx, pollTimeout)
	defer cancel()
	rev, err := g.opt.Store.Revision(ctx)
	if err == nil && rev == g.state.Load().revision {
		return
	}
	if err == nil {
		err = g.refresh(ctx)
	}
	if err != nil && ctx.Err() == nil {
		g.log.Warn("the store cannot be read; the gateway goes on with what it knows", "error", err)
	}
}

// refresh reads the store and swaps the state. Releases that aliases point at are made ready first, so that no request waits for
// one; an alias whose new release cannot be made ready stays where it was, and the log says so.
func (g *Gateway) refresh(ctx context.Context) error {
	next, err := g.read(ctx)
	if err != nil {
		return err
	}
	if g.opt.Router != nil {
		if err := g.opt.Router.Refresh(ctx); err != nil {
			return err
		}
	}
	before := g.state.Load()
	for _, t := range next.tasks {
		g.prepare(ctx, before, t)
	}
	if err := g.prepareRollouts(ctx, next); err != nil {
		return err
	}
	g.state.Store(next)
	return nil
}

// prepareRollouts makes the releases ready that active rollouts send traffic to. One that cannot be made ready fails its requests,
// which is what the rollout is to learn.
func (g *Gateway) prepareRollouts(ctx context.Context, next *state) error {
	active, err := g.opt.Store.Rollouts(ctx, "", true)
	if err != nil {
		return err
	}
	for _, r := range active {
		t := next.tasks[r.Task]
		if t == nil {
			continue
		}
		for _, version := range []string{r.Baseline, r.Target} {
			if line, ok := t.versions[version]; ok {
				if _, err := g.releases.get(ctx, line); err != nil {
					g.log.Error("a release of a rollout cannot be made ready", "rollout", r.ID, "release", r.Task+"@"+version, "error", err)
				}
			}
		}
	}
	return nil
}

func (g *Gateway) read(ctx context.Context) (*state, error) {
	st := g.opt.Store
	rev, err := st.Revision(ctx) // first: what changes after it is read again
	if err != nil {
		return nil, err
	}
	next := &state{revision: rev, tasks: map[string]*taskState{}}
	aliases, err := st.Aliases(ctx, "")
	if err != nil {
		return nil, err
	}
	for _, m := range aliases {
		if len(g.opt.Tasks) > 0 && !slices.Contains(g.opt.Tasks, m.Task) {
			continue
		}
		t := next.tasks[m.Task]
		if t == nil {
			t = &taskState{name: m.Task, aliases: map[string]string{}, versions: map[string]rung.ReleaseLine{}}
			next.tasks[m.Task] = t
			next.names = append(next.names, m.Task)
		}
		t.aliases[m.Alias] = m.Version
	}
	sort.Strings(next.names)
	lines, err := st.Releases(ctx, "")
	if err != nil {
		return nil, err
	}
	for _, l := range lines {
		if t := next.tasks[l.Task]; t != nil {
			t.versions[l.Version] = l
		}
	}
	return next, g.readKeys(ctx, next)
}

func (g *Gateway) readKeys(ctx context.Context, next *state) error {
	keys, err := g.opt.Store.Keys(ctx)
	if err != nil {
		return err
	}
	next.anyKeys = len(keys) > 0
	next.keys, err = g.accounts.renew(ctx, keys)
	return err
}

// prepare makes the releases of a task's aliases ready.
func (g *Gateway) prepare(ctx context.Context, before *state, t *taskState) {
	for alias, version := range t.aliases {
		line, ok := t.versions[version]
		var err error
		if !ok {
			err = &rung.Error{Code: rung.CodeNotFound, Place: t.name + "@" + version, What: "the alias " + alias + " points at a release that is not there"}
		} else {
			_, err = g.releases.get(ctx, line)
		}
		if err == nil {
			continue
		}
		old := ""
		if before != nil && before.tasks[t.name] != nil {
			old = before.tasks[t.name].aliases[alias]
		}
		g.log.Error("a release cannot be made ready; its alias stays where it was", "task", t.name, "alias", alias, "release", version, "stays", old, "error", err)
		if _, there := t.versions[old]; there {
			t.aliases[alias] = old
		}
	}
}

// aliasOf is the alias that a request of a segment goes to.
func (t *taskState) aliasOf(alias, segment string) string {
	if segment == "" {
		return alias
	}
	if own := rung.SegmentAlias(alias, segment); t.aliases[own] != "" {
		return own
	}
	return alias
}

// splitModel takes a model's name apart: task, and what stands after @.
func splitModel(name string) (task, at string) {
	task, at, _ = strings.Cut(name, "@")
	return task, at
}
