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
	rollouts []rung.Rollout
	waits    []wait
	starting map[string]bool // aliases, as task@alias, and releases of rollouts that were there at the start and are still being made ready
	failed   int             // aliases whose release could not be made ready
	aliases  int
}

// wait is a release that was not ready when the state was made.
type wait struct {
	*loading
	failed bool // and could not be made ready
}

// due reports whether the state is to be made anew though the store has not changed: a release has become ready since, or has
// failed, or one that had failed is to be tried again.
func (s *state) due(now time.Time) bool {
	return slices.ContainsFunc(s.waits, func(w wait) bool {
		return w.ended() && (!w.failed || now.After(w.again()))
	})
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

// follow reads the store again if it has changed, or a release that was waited for is there. A store that cannot be read leaves
// everything as it is.
func (g *Gateway) follow(ctx context.Context) {
	err := g.followOnce(ctx)
	if err != nil && ctx.Err() == nil {
		g.log.Warn("the store cannot be read; the gateway goes on with what it knows", "error", err)
	}
}

func (g *Gateway) followOnce(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, pollTimeout)
	defer cancel()
	rev, err := g.opt.Store.Revision(ctx)
	if now := g.state.Load(); err != nil || rev == now.revision && !now.due(time.Now()) {
		return err
	}
	return g.refresh(ctx)
}

// refresh reads the store and swaps the state, and waits for no release: keys and whatever is ready take effect at once. An alias
// whose new release is not ready stays where it was until it is, so that no request waits for it; follow sees to that. At the start
// there is nobody else to answer, and requests wait. One that cannot be made ready is said in the log and tried again.
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
		g.prepare(before, next, t)
	}
	g.prepareRollouts(before, next)
	g.state.Store(next)
	return nil
}

// inRollouts are the releases that active rollouts send traffic to.
func (s *state) inRollouts() []rung.ReleaseLine {
	var out []rung.ReleaseLine
	for _, r := range s.rollouts {
		t := s.tasks[r.Task]
		if t == nil {
			continue
		}
		for _, version := range []string{r.Baseline, r.Target} {
			if line, ok := t.versions[version]; ok {
				out = append(out, line)
			}
		}
	}
	return out
}

// inRollout is what a release of a rollout is called among those that a gateway starts with.
func inRollout(line rung.ReleaseLine) string { return "rollout of " + nameOf(line) }

// prepareRollouts begins to make the releases of active rollouts ready. Until a target is ready here it gets no requests (see
// job.assign).
func (g *Gateway) prepareRollouts(before, next *state) {
	for _, line := range next.inRollouts() {
		switch l := g.releases.start(line); {
		case !l.ended():
			next.waits = append(next.waits, wait{loading: l})
			if name := inRollout(line); before == nil || before.starting[name] {
				next.starting[name] = true
			}
		case l.err != nil:
			g.log.Error("a release of a rollout cannot be made ready", "release", nameOf(line), "error", l.err)
		}
	}
}

func (g *Gateway) read(ctx context.Context) (*state, error) {
	st := g.opt.Store
	rev, err := st.Revision(ctx) // first: what changes after it is read again
	if err != nil {
		return nil, err
	}
	next := &state{revision: rev, tasks: map[string]*taskState{}, starting: map[string]bool{}}
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
	if next.rollouts, err = st.Rollouts(ctx, "", true); err != nil {
		return nil, err
	}
	return next, g.readKeys(ctx, next)
}

func (g *Gateway) readKeys(ctx context.Context, next *state) error {
	keys, err := g.opt.Store.Keys(ctx)
	if err != nil {
		return err
	}
	next.anyKeys = len(keys) > 0
	next.keys = g.accounts.renew(keys)
	return nil
}

// prepare begins to make the releases of a task's aliases ready, and leaves those aliases where they were whose release is not.
// before is nil at the start.
func (g *Gateway) prepare(before, next *state, t *taskState) {
	var was map[string]string
	if before != nil && before.tasks[t.name] != nil {
		was = before.tasks[t.name].aliases
	}
	for alias, version := range t.aliases {
		next.aliases++
		old := was[alias]
		line, there := t.versions[version]
		if !there {
			g.failedWhy(next, t.name, alias, version, old, &rung.Error{Code: rung.CodeNotFound, Place: t.name + "@" + version, What: "the alias " + alias + " points at a release that is not there"})
			t.stay(alias, old)
			continue
		}
		name := t.name + "@" + alias
		first := before == nil || before.starting[name] && old == version
		if !first && old == version && !g.releases.has(line) {
			continue // it made room for others; the next request has it loaded
		}
		l := g.releases.start(line)
		ended := l.ended()
		if ended && l.err == nil {
			continue
		}
		next.waits = append(next.waits, wait{l, ended})
		switch {
		case !ended && first: // there is nobody else to answer: its requests wait
			next.starting[name] = true
			continue
		case first:
			old = ""
		}
		if ended {
			g.failedWhy(next, t.name, alias, version, old, l.err)
		}
		t.stay(alias, old)
	}
}

// failedWhy says that a release could not be made ready, and what becomes of the requests of its alias.
func (g *Gateway) failedWhy(next *state, task, alias, version, old string, err error) {
	next.failed++
	if old == "" || old == version {
		g.log.Error("a release cannot be made ready; until it can, requests for its alias are answered with an error, or go to the rest of the task where it is a segment's", "task", task, "alias", alias, "release", version, "error", err)
		return
	}
	g.log.Error("a release cannot be made ready; its alias stays where it was", "task", task, "alias", alias, "release", version, "stays", old, "error", err)
}

// stay puts an alias back where it was. A new one of a segment is left out, so that the segment stays with the rest; for any other
// new one there is nobody else to answer, and its requests wait.
func (t *taskState) stay(alias, old string) {
	if _, there := t.versions[old]; there {
		t.aliases[alias] = old
	} else if strings.Contains(alias, "/") {
		delete(t.aliases, alias)
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
