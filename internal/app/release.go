package app

import (
	"cmp"
	"context"
	"crypto/ed25519"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"time"

	"github.com/rung-dev/rung"
	"github.com/rung-dev/rung/internal/engine"
	"github.com/rung-dev/rung/internal/govern"
	"github.com/rung-dev/rung/internal/model"
	"github.com/rung-dev/rung/internal/registry"
	"github.com/rung-dev/rung/internal/store"
	"github.com/rung-dev/rung/internal/store/sqlite"
)

// ReleaseOptions say what to release and how.
type ReleaseOptions struct {
	Store      string        // directory of the store
	Serving    store.Serving // where releases and aliases are recorded; the caller closes it
	TaskFile   string        // empty: that of the run
	Run        string        // empty: the newest
	Candidate  string        // digest or its beginning; empty: the one that the run decided for
	Version    string        // empty: the next of v1, v2, …
	Note       string
	AllowDirty bool // a Git work tree with changes will do
	Force      bool // a candidate that did not pass will do
	Sample     int  // held-out inputs of the parity check; 0: DefaultSample
	Answers    bool // compare the answers of hosted models too, which costs calls
	Sign       ed25519.PrivateKey
	Production bool   // point production at it
	Program    string // version of rung
	Log        *slog.Logger
	Observe    func(string) // a line of progress at a time; may be nil
}

// DefaultSample is how many held-out inputs the parity check renders.
const DefaultSample = 16

// Released is what came of a release.
type Released struct {
	Release *rung.Release
	Line    rung.ReleaseLine
	Moves   []rung.AliasMove // aliases that point at it now
	Notes   []string         // what the user should know
	Signed  string           // fingerprint of the key
}

// Release makes a release of a run's candidate: it collects the parts, loads what it made as a gateway will, holds it to the
// evaluated requests and answers, and only then gives it a version. Errors: CodeInput where the candidate did not pass or the
// work tree has changes, and where the served answers are not the evaluated ones; CodeConflict for a version that is taken.
func Release(ctx context.Context, opt ReleaseOptions) (*Released, error) {
	st, err := sqlite.Open(ctx, opt.Store)
	if err != nil {
		return nil, err
	}
	m := &releasing{opt: opt, store: st, log: opt.Log}
	if m.log == nil {
		m.log = slog.New(slog.DiscardHandler)
	}
	out, err := m.release(ctx)
	return out, errors.Join(err, m.close())
}

// releasing is a release that is being made.
type releasing struct {
	opt     ReleaseOptions
	store   store.Store
	log     *slog.Logger
	task    *rung.Task
	doc     *rung.Document
	outcome *rung.Outcome
	engine  *engine.Engine // nil when nothing of the candidate is local
	live    *model.Live
	out     Released
}

func (m *releasing) close() error {
	var errs []error
	if m.engine != nil {
		errs = append(errs, m.engine.Close())
	}
	return errors.Join(append(errs, m.store.Close())...)
}

func (m *releasing) note(format string, args ...any) {
	text := fmt.Sprintf(format, args...)
	m.out.Notes = append(m.out.Notes, text)
}

func (m *releasing) say(format string, args ...any) {
	if m.opt.Observe != nil {
		m.opt.Observe(fmt.Sprintf(format, args...))
	}
}

func (m *releasing) release(ctx context.Context) (*Released, error) {
	r, err := m.describe(ctx)
	if err != nil {
		return nil, err
	}
	if err := m.openModels(&r.Candidate); err != nil {
		return nil, err
	}
	parts, err := m.parts(ctx, &r.Candidate)
	if err != nil {
		return nil, err
	}
	if err := m.checkParity(ctx, r, parts); err != nil {
		return nil, err
	}
	if err := m.keep(ctx, r, parts); err != nil {
		return nil, err
	}
	return &m.out, m.point(ctx, r)
}

// describe fills the release but for its parts and parity.
func (m *releasing) describe(ctx context.Context) (*rung.Release, error) {
	if err := m.readRun(ctx); err != nil {
		return nil, err
	}
	c, err := m.candidate(ctx)
	if err != nil {
		return nil, err
	}
	if err := m.readTask(ctx, c); err != nil {
		return nil, err
	}
	version := m.opt.Version
	if version == "" {
		if version, err = m.opt.Serving.NextVersion(ctx, m.doc.Task); err != nil {
			return nil, err
		}
	}
	if err := errors.Join(registry.CheckTask(m.doc.Task), registry.CheckVersion(version), m.free(ctx, version)); err != nil {
		return nil, err
	}
	r := &rung.Release{
		Task: m.doc.Task, Version: version, Candidate: *c, Heldout: m.doc.Heldout, Outcomes: m.doc.Rungs, Decision: m.doc.Decision,
		Bar: m.doc.Bar, Run: m.doc.Run, Guards: m.task.Guards, Note: m.opt.Note, By: Who(ctx, m.task.Dir),
		At: time.Now().UTC().Truncate(time.Second), Rung: m.opt.Program,
		Base: rung.BaseModel{Model: c.Model, Weights: c.Weights, Licence: engine.FactOf(c.Model).Licence},
	}
	r.Data, r.Terms, r.Review = m.doc.Data, govern.Join(m.doc.Terms, m.task.Terms), m.task.Review
	r.Licences = rung.Licences{Data: r.Terms.Licence, Base: r.Base.Licence}
	if len(r.Licences.Data) == 0 {
		m.note("Nobody names a licence for the data (licence: … in the task file or the dataset's sources).")
	}
	git, err := gitState(ctx, m.task.File, m.opt.Store)
	if err != nil {
		return nil, err
	}
	if r.Commit, r.Dirty = git.commit, len(git.changed) > 0; r.Dirty && !m.opt.AllowDirty {
		return nil, git.refusal()
	}
	return r, nil
}

// free refuses a version that is taken before any work is done. The store has the last word when the release is recorded.
func (m *releasing) free(ctx context.Context, version string) error {
	lines, err := m.opt.Serving.Releases(ctx, m.doc.Task)
	if err != nil {
		return err
	}
	for _, l := range lines {
		if l.Version == version {
			return &rung.Error{Code: rung.CodeConflict, Place: l.Task + "@" + version, What: "exists already, and a version never changes", Do: "choose another one with --as"}
		}
	}
	return nil
}

func (m *releasing) readRun(ctx context.Context) error {
	run, err := m.store.Run(ctx, cmp.Or(m.opt.Run, "latest"))
	if err != nil {
		return err
	}
	var doc rung.Document
	if len(run.Document) > 0 {
		if err := json.Unmarshal(run.Document, &doc); err != nil {
			return &rung.Error{Code: rung.CodeStore, Place: "run " + run.ID, What: "its document cannot be read: " + err.Error(), Do: "climb again", Err: err}
		}
	}
	if run.Status == store.Running || len(run.Document) == 0 {
		return &rung.Error{Code: rung.CodeInput, Place: "run " + run.ID, What: "has not ended, so nothing is decided", Do: "let the climb end, or climb again to go on; rung runs lists others"}
	}
	m.doc = &doc
	return nil
}

// candidate is the one to release, which must have been scored in the run and must have passed unless it is forced.
func (m *releasing) candidate(ctx context.Context) (*rung.Candidate, error) {
	name := cmp.Or(m.opt.Candidate, string(m.doc.Decision.Candidate))
	if name == "" {
		return nil, &rung.Error{Code: rung.CodeInput, Place: "run " + m.doc.Run, What: "decided for no candidate", Do: "name one with --candidate, or climb again"}
	}
	c, err := m.store.Candidate(ctx, name)
	if err != nil {
		return nil, err
	}
	digest := c.Digest()
	for i := range m.doc.Rungs {
		if o := &m.doc.Rungs[i]; o.Status == rung.Scored && o.Candidate == digest {
			m.outcome = o
		}
	}
	if m.outcome == nil {
		return nil, &rung.Error{Code: rung.CodeInput, Place: "candidate " + digest.Short(), What: "was not scored on held-out in run " + m.doc.Run, Do: "name the run that scored it (rung runs, rung show RUN)"}
	}
	if m.outcome.Verdict == rung.Pass {
		return c, nil
	}
	what := fmt.Sprintf("the candidate on %s does not meet the bar: %s (%s)", c.Rung, m.outcome.Verdict, m.outcome.Reason)
	if !m.opt.Force {
		return nil, &rung.Error{Code: rung.CodeInput, Place: "run " + m.doc.Run, What: what, Do: "climb on until a rung passes, or release it all the same with --force and a --note that says why"}
	}
	if m.opt.Note == "" {
		return nil, &rung.Error{Code: rung.CodeUsage, What: "--force needs a reason: " + what, Do: "add --note"}
	}
	m.note("Released by force: %s.", what)
	return c, nil
}

// openModels opens the engine where the candidate needs it, and a door that keeps nothing, as a gateway has it.
func (m *releasing) openModels(c *rung.Candidate) error {
	local := c.Model.Local() || c.Demos != nil && c.Demos.Embedder.Local() || c.Retrieval != nil && c.Retrieval.Embedder.Local()
	if local {
		var err error
		m.engine, err = engine.New(engine.Options{
			Dir: m.task.Dir, Log: func(line string) { m.say("%s", line) },
			ServerLog: func(line string) { m.log.Debug(line, "from", "engine") },
		})
		if err != nil {
			return err
		}
	}
	m.live = model.NewLive(model.Options{Provider: providers(m.engine), Limits: m.task.Limits})
	return nil
}

// keep stores the release for good: its content, then its line, which decides who has the version, then its tag.
func (m *releasing) keep(ctx context.Context, r *rung.Release, parts []registry.Content) error {
	layout, err := registry.Open(ReleasesDir(m.opt.Store))
	if err != nil {
		return err
	}
	if _, err := layout.Put(ctx, r, parts); err != nil {
		return err
	}
	m.out.Release, m.out.Line = r, LineOf(r)
	if err := m.opt.Serving.PutRelease(ctx, m.out.Line); err != nil {
		return err
	}
	if err := layout.Tag(ctx, r); err != nil {
		return err
	}
	if m.opt.Sign == nil {
		return nil
	}
	m.out.Signed = registry.Fingerprint(m.opt.Sign.Public().(ed25519.PublicKey))
	return layout.Sign(ctx, r.Digest, m.opt.Sign)
}

// point moves the alias candidate, and production where it was asked for.
func (m *releasing) point(ctx context.Context, r *rung.Release) error {
	names := []string{rung.CandidateAlias}
	if m.opt.Production {
		names = append(names, rung.Production)
	}
	for _, name := range names {
		move, err := MoveAlias(ctx, m.opt.Serving, rung.AliasMove{Task: r.Task, Alias: name, Version: r.Version, By: r.By, Why: cmp.Or(r.Note, "released")})
		if err != nil {
			return err
		}
		m.out.Moves = append(m.out.Moves, move)
	}
	return nil
}

// ReleasesDir is where the layout of a store is.
func ReleasesDir(store string) string { return filepath.Join(store, releasesDir) }

// LineOf is what lists show of a release.
func LineOf(r *rung.Release) rung.ReleaseLine {
	return rung.ReleaseLine{Task: r.Task, Version: r.Version, Digest: r.Digest, Candidate: r.Candidate.Digest(), Rung: r.Candidate.Rung,
		Model: r.Candidate.Model, Note: r.Note, By: r.By, At: r.At, Review: r.Review}
}

// MoveAlias points an alias at a version that exists, from wherever it points now. Where somebody else moves it in the same
// moment one of the two gets a CodeConflict.
func MoveAlias(ctx context.Context, s store.Serving, move rung.AliasMove) (rung.AliasMove, error) {
	lines, err := s.Releases(ctx, move.Task)
	if err != nil {
		return move, err
	}
	known := move.Version == ""
	for _, l := range lines {
		known = known || l.Version == move.Version
	}
	if !known {
		return move, &rung.Error{Code: rung.CodeNotFound, What: "there is no release " + move.Task + "@" + move.Version, Do: "see rung releases"}
	}
	aliases, err := s.Aliases(ctx, move.Task)
	if err != nil {
		return move, err
	}
	move.From = ""
	for _, a := range aliases {
		if a.Alias == move.Alias {
			move.From = a.Version
		}
	}
	if move.At.IsZero() {
		move.At = time.Now().UTC()
	}
	if move.From == "" && move.Version == "" {
		return move, &rung.Error{Code: rung.CodeNotFound, Place: move.Task, What: "there is no alias " + move.Alias, Do: "see rung releases"}
	}
	if move.From == move.Version {
		return move, nil // it points there already
	}
	return move, s.MoveAlias(ctx, move)
}

// stage makes a layout that is removed with the release's making: what is loaded from it is what will be loaded from the real
// one, but a release that is refused leaves nothing behind.
func (m *releasing) stage() (*registry.Layout, func(), error) {
	dir, err := os.MkdirTemp(m.opt.Store, "staged-release-*")
	if err != nil {
		return nil, nil, &rung.Error{Code: rung.CodeStore, Place: m.opt.Store, What: "cannot be written: " + err.Error(), Do: "make it writable", Err: err}
	}
	drop := func() { _ = os.RemoveAll(dir) }
	layout, err := registry.Open(dir)
	if err != nil {
		drop()
		return nil, nil, err
	}
	return layout, drop, nil
}
