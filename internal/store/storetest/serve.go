package storetest

import (
	"errors"
	"fmt"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/rung-dev/rung"
	"github.com/rung-dev/rung/internal/store"
)

// ServingOpener opens a store that is empty the first time and the same one each time after within a test. The suite closes it.
type ServingOpener func(t *testing.T) store.Serving

// Serve holds a store to what store.Serving promises. make is called once per test, for an empty place.
func Serve(t *testing.T, make func(t *testing.T) ServingOpener) {
	tests := map[string]func(*testing.T, ServingOpener){
		"releases":              releases,
		"versions":              versions,
		"aliases":               aliases,
		"alias races":           aliasRaces,
		"rollouts":              rollouts,
		"rollout races":         rolloutRaces,
		"rollout ends":          rolloutEnds,
		"moments":               moments,
		"revision":              revision,
		"keys":                  keys,
		"spend":                 spend,
		"leases":                leases,
		"lease races":           leaseRaces,
		"serving closed":        servingClosed,
		"serving twice":         servingTwice,
		"traces":                traces,
		"trace prefixes":        tracePrefixes,
		"trace filters":         traceFilters,
		"traces put again":      tracesAgain,
		"bad traces":            badTraces,
		"tail":                  tail,
		"tail of many":          tailOfMany,
		"traces in a loop":      tracesInALoop,
		"drop by age":           dropByAge,
		"drop by size":          dropBySize,
		"drop keeps proposals":  dropKeepsProposals,
		"drop beside a reader":  dropBesideReader,
		"feedback":              feedback,
		"feedback before trace": feedbackBeforeTrace,
		"proposals":             proposals,
		"reviews":               reviews,
		"erase traces":          eraseTraces,
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) { test(t, make(t)) })
	}
}

// serving opens the store for one step of a test, so that the next step reads what is kept and not what is in memory.
func serving(t *testing.T, open ServingOpener, do func(s store.Serving)) {
	t.Helper()
	s := open(t)
	do(s)
	must(t, s.Close())
}

var epoch = time.Unix(1_700_000_000, 123).UTC()

func release(task, version string, hour int) rung.ReleaseLine {
	return rung.ReleaseLine{Task: task, Version: version, Digest: rung.DigestBytes([]byte(task + version)), Candidate: "c", Rung: rung.FewShot, Model: "local/m",
		Note: "Grüße \"<&>\"", By: "ada", At: epoch.Add(time.Duration(hour) * time.Hour)}
}

func releases(t *testing.T, open ServingOpener) {
	a1, a2, b1 := release("a", "v1", 2), release("a", "spring", 1), release("b", "v1", 3)
	serving(t, open, func(s store.Serving) {
		got, err := s.Releases(t.Context(), "")
		must(t, err)
		same(t, "an empty store has releases", nil, got)
		for _, r := range []rung.ReleaseLine{a1, a2, b1, a1} {
			must(t, s.PutRelease(t.Context(), r))
		}
		other := a1
		other.Digest = "another"
		wantCode(t, s.PutRelease(t.Context(), other), rung.CodeConflict)
	})
	serving(t, open, func(s store.Serving) {
		for task, want := range map[string][]rung.ReleaseLine{"": {b1, a1, a2}, "a": {a1, a2}, "b": {b1}, "c": nil} {
			got, err := s.Releases(t.Context(), task)
			must(t, err)
			for i := range got { // the digest is not in a line's JSON by chance of another type
				if got[i].Digest == "" {
					t.Error("the digest is lost")
				}
			}
			same(t, "the releases of "+task, want, got)
		}
	})
}

func versions(t *testing.T, open ServingOpener) {
	serving(t, open, func(s store.Serving) {
		for i, step := range []struct{ put, next string }{{"", "v1"}, {"v1", "v2"}, {"winter", "v2"}, {"v9", "v10"}, {"v2", "v10"}, {"v-3", "v10"}, {"v10", "v11"}, {"vx", "v11"}} {
			if step.put != "" {
				must(t, s.PutRelease(t.Context(), release("a", step.put, i)))
			}
			got, err := s.NextVersion(t.Context(), "a")
			must(t, err)
			if got != step.next {
				t.Errorf("after %q the next version is %s, want %s", step.put, got, step.next)
			}
		}
		got, err := s.NextVersion(t.Context(), "other")
		must(t, err)
		same(t, "another task's version", "v1", got)
	})
}

func move(task, alias, from, to string, minute int) rung.AliasMove {
	return rung.AliasMove{Task: task, Alias: alias, Version: to, From: from, By: "ada", Why: "because", At: epoch.Add(time.Duration(minute) * time.Minute)}
}

func aliases(t *testing.T, open ServingOpener) {
	p1, c1, p2 := move("a", rung.Production, "", "v1", 0), move("a", rung.CandidateAlias, "", "v2", 1), move("a", rung.Production, "v1", "v2", 2)
	seg, gone, other := move("a", rung.SegmentAlias(rung.Production, "de"), "", "v1", 3), move("a", rung.CandidateAlias, "v2", "", 4), move("b", rung.Production, "", "v7", 5)
	serving(t, open, func(s store.Serving) {
		for _, m := range []rung.AliasMove{p1, c1, p2, seg, gone, other} {
			must(t, s.MoveAlias(t.Context(), m))
		}
		wantCode(t, s.MoveAlias(t.Context(), p1), rung.CodeConflict)
		wantCode(t, s.MoveAlias(t.Context(), p2), rung.CodeConflict)
		wantCode(t, s.MoveAlias(t.Context(), move("c", rung.Production, "v1", "v2", 9)), rung.CodeConflict)
	})
	serving(t, open, func(s store.Serving) {
		for task, want := range map[string][]rung.AliasMove{"": {p2, seg, other}, "a": {p2, seg}, "b": {other}, "c": nil} {
			got, err := s.Aliases(t.Context(), task)
			must(t, err)
			same(t, "the aliases of "+task, want, got)
		}
		got, err := s.AliasHistory(t.Context(), "a", 0)
		must(t, err)
		same(t, "the history", []rung.AliasMove{gone, seg, p2, c1, p1}, got)
		got, err = s.AliasHistory(t.Context(), "a", 2)
		must(t, err)
		same(t, "the last of the history", []rung.AliasMove{gone, seg}, got)
		must(t, s.MoveAlias(t.Context(), move("a", rung.CandidateAlias, "", "v3", 6)))
	})
}

// contend has n goroutines on two open stores do something that only one may succeed in; the others must see a conflict.
func contend(t *testing.T, open ServingOpener, n int, do func(s store.Serving, i int) error) (winner int) {
	t.Helper()
	two := []store.Serving{open(t), open(t)}
	errs := make([]error, n)
	var wg sync.WaitGroup
	for i := range n {
		wg.Go(func() { errs[i] = do(two[i%2], i) })
	}
	wg.Wait()
	winner = -1
	for i, err := range errs {
		switch {
		case err != nil:
			wantCode(t, err, rung.CodeConflict)
		case winner >= 0:
			t.Errorf("both %d and %d went well", winner, i)
		default:
			winner = i
		}
	}
	if winner < 0 {
		t.Errorf("none of %d went well", n)
	}
	must(t, errors.Join(two[0].Close(), two[1].Close()))
	return winner
}

func aliasRaces(t *testing.T, open ServingOpener) {
	from := ""
	for round := range 5 {
		to := func(i int) string { return fmt.Sprintf("v%d-%d", round, i) }
		won := contend(t, open, 8, func(s store.Serving, i int) error {
			return s.MoveAlias(t.Context(), move("a", rung.Production, from, to(i), round))
		})
		serving(t, open, func(s store.Serving) {
			got, err := s.Aliases(t.Context(), "a")
			must(t, err)
			if len(got) != 1 || got[0].Version != to(won) || got[0].From != from {
				t.Fatalf("round %d: the alias is %+v, %s won", round, got, to(won))
			}
			history, err := s.AliasHistory(t.Context(), "a", 0)
			must(t, err)
			if len(history) != round+1 {
				t.Errorf("%d moves after %d rounds", len(history), round+1)
			}
		})
		from = to(won)
	}
}

func rollout(id, task, alias string) rung.Rollout {
	return rung.Rollout{ID: id, Task: task, Alias: alias, Mode: rung.Canary, Baseline: "v1", Target: "v2", Share: 0.1, Rules: []rung.RolloutRule{{Metric: "success", Margin: 0.02, Gain: 0.01}},
		Alpha: 0.05, MinN: 100, MaxN: 9, Auto: true, State: rung.Active, By: "ada", Started: epoch}
}

func rollouts(t *testing.T, open ServingOpener) {
	var first, second rung.Rollout
	serving(t, open, func(s store.Serving) {
		var err error
		_, err = s.PutRollout(t.Context(), func() rung.Rollout { r := rollout("r0", "a", "production"); r.Revision = 3; return r }())
		wantCode(t, err, rung.CodeNotFound)
		first, err = s.PutRollout(t.Context(), rollout("r1", "a", "production"))
		must(t, err)
		want := rollout("r1", "a", "production")
		want.Revision = first.Revision
		same(t, "the new rollout", want, first)
		_, err = s.PutRollout(t.Context(), rollout("r1", "a", "production"))
		wantCode(t, err, rung.CodeConflict) // it is there
		_, err = s.PutRollout(t.Context(), rollout("r2", "a", "production"))
		wantCode(t, err, rung.CodeConflict) // one at a time
		second, err = s.PutRollout(t.Context(), rollout("r2", "a", "production/de"))
		must(t, err)
		old := first
		first.Share = 0.5
		first, err = s.PutRollout(t.Context(), first)
		must(t, err)
		if first.Revision <= old.Revision {
			t.Errorf("the revision went from %d to %d", old.Revision, first.Revision)
		}
		_, err = s.PutRollout(t.Context(), old)
		wantCode(t, err, rung.CodeConflict)
	})
	serving(t, open, func(s store.Serving) {
		got, err := s.Rollouts(t.Context(), "", true)
		must(t, err)
		same(t, "the active rollouts", []rung.Rollout{second, first}, got)
		first.State, first.Why, first.Ended = rung.RolledBack, "worse", epoch.Add(time.Hour)
		first, err = s.PutRollout(t.Context(), first)
		must(t, err)
		third, err := s.PutRollout(t.Context(), rollout("r3", "a", "production")) // there is room again
		must(t, err)
		for _, c := range []struct {
			task   string
			active bool
			want   []rung.Rollout
		}{{"a", false, []rung.Rollout{third, second, first}}, {"a", true, []rung.Rollout{third, second}}, {"b", false, nil}, {"", false, []rung.Rollout{third, second, first}}} {
			got, err := s.Rollouts(t.Context(), c.task, c.active)
			must(t, err)
			same(t, fmt.Sprintf("rollouts of %q, active %t", c.task, c.active), c.want, got)
		}
	})
}

func rolloutRaces(t *testing.T, open ServingOpener) {
	contend(t, open, 8, func(s store.Serving, i int) error {
		_, err := s.PutRollout(t.Context(), rollout(fmt.Sprint("r", i), "a", "production"))
		return err
	})
	var now rung.Rollout
	serving(t, open, func(s store.Serving) {
		got, err := s.Rollouts(t.Context(), "a", true)
		must(t, err)
		if len(got) != 1 {
			t.Fatalf("%d rollouts are active", len(got))
		}
		now = got[0]
	})
	contend(t, open, 8, func(s store.Serving, i int) error {
		r := now
		r.Share = float64(i) / 10
		_, err := s.PutRollout(t.Context(), r)
		return err
	})
}

func rolloutEnds(t *testing.T, open ServingOpener) {
	serving(t, open, func(s store.Serving) {
		must(t, s.MoveAlias(t.Context(), move("a", "production", "", "v1", 0)))
		r, err := s.PutRollout(t.Context(), rollout("r1", "a", "production"))
		must(t, err)
		end := r
		end.State, end.Ended = rung.Promoted, epoch.Add(time.Hour)
		bad := move("a", "production", "v0", "v2", 1)
		_, err = s.EndRollout(t.Context(), end, &bad)
		wantCode(t, err, rung.CodeConflict)
		active, err := s.Rollouts(t.Context(), "a", true)
		must(t, err)
		same(t, "the rollout after a move that failed", []rung.Rollout{r}, active)
		good := move("a", "production", "v1", "v2", 1)
		stale := end
		stale.Revision += 5
		_, err = s.EndRollout(t.Context(), stale, &good)
		wantCode(t, err, rung.CodeConflict)
		got, err := s.Aliases(t.Context(), "a")
		must(t, err)
		same(t, "the alias after an end that failed", "v1", got[0].Version)
		end, err = s.EndRollout(t.Context(), end, &good)
		must(t, err)
		got, err = s.Aliases(t.Context(), "a")
		must(t, err)
		same(t, "the alias", []rung.AliasMove{good}, got)
		all, err := s.Rollouts(t.Context(), "a", false)
		must(t, err)
		same(t, "the rollout", []rung.Rollout{end}, all)
		next, err := s.PutRollout(t.Context(), rollout("r2", "a", "production"))
		must(t, err)
		next.State = rung.Cancelled
		_, err = s.EndRollout(t.Context(), next, nil)
		must(t, err)
	})
}

func moments(t *testing.T, open ServingOpener) {
	of := func(n int64, sum, squares float64) map[string]rung.Moments {
		return map[string]rung.Moments{"success": {N: n, Sum: sum, Squares: squares}}
	}
	serving(t, open, func(s store.Serving) {
		got, err := s.Moments(t.Context(), "r1")
		must(t, err)
		same(t, "moments of nothing", map[string]map[string]rung.Moments{}, got)
		must(t, s.PutMoments(t.Context(), "r1", "gw1", map[string]map[string]rung.Moments{"target": of(1, 1, 1)}))
		must(t, s.PutMoments(t.Context(), "r1", "gw1", map[string]map[string]rung.Moments{"target": of(3, 2, 2), "baseline": of(9, 8, 8)}))
		must(t, s.PutMoments(t.Context(), "r1", "gw2", map[string]map[string]rung.Moments{"target": of(10, 0.5, 0.25)}))
		must(t, s.PutMoments(t.Context(), "r2", "gw2", map[string]map[string]rung.Moments{"target": of(7, 7, 7)}))
	})
	serving(t, open, func(s store.Serving) {
		got, err := s.Moments(t.Context(), "r1")
		must(t, err)
		same(t, "the moments", map[string]map[string]rung.Moments{"target": of(13, 2.5, 2.25), "baseline": of(9, 8, 8)}, got)
	})
}

// revision: what gateways watch makes it grow, what they write all the time does not, and a change that failed does not either.
func revision(t *testing.T, open ServingOpener) {
	a, b := open(t), open(t)
	last, err := a.Revision(t.Context())
	must(t, err)
	step := func(what string, grows bool, err error) {
		t.Helper()
		now, readErr := b.Revision(t.Context())
		must(t, errors.Join(err, readErr))
		if (now > last) != grows || now < last {
			t.Errorf("%s: the revision went from %d to %d", what, last, now)
		}
		last = now
	}
	step("a release", true, a.PutRelease(t.Context(), release("a", "v1", 0)))
	step("the same release", false, a.PutRelease(t.Context(), release("a", "v1", 0)))
	step("an alias", true, a.MoveAlias(t.Context(), move("a", "production", "", "v1", 0)))
	wantCode(t, a.MoveAlias(t.Context(), move("a", "production", "", "v1", 0)), rung.CodeConflict)
	step("an alias that did not move", false, nil)
	r, err := a.PutRollout(t.Context(), rollout("r1", "a", "production"))
	step("a rollout", true, err)
	r.State = rung.Cancelled
	_, err = a.EndRollout(t.Context(), r, nil)
	step("its end", true, err)
	step("a key", true, a.PutKey(t.Context(), key("k1", 1)))
	_, err = a.Spend(t.Context(), "k1", "2026-11", 1)
	step("spending", false, err)
	_, _, err = a.Lease(t.Context(), store.Lease{Key: "k1", Month: "2026-11", Gateway: "g", Want: 1, Limit: 9, For: time.Minute})
	step("a lease", false, err)
	step("moments", false, a.PutMoments(t.Context(), "r1", "g", nil))
	step("traces", false, a.PutTraces(t.Context(), []rung.Trace{Trace(1)}))
	step("feedback", false, a.PutFeedback(t.Context(), said("f1", Trace(1).ID, 0)))
	must(t, errors.Join(a.Close(), b.Close()))
}

func key(id string, n byte) rung.APIKey {
	return rung.APIKey{ID: id, Name: "name of " + id, Hash: []byte{n, 0, 255}, Scopes: []string{"serve", "feedback"}, Tasks: []string{"a"}, Groups: []string{"hr"}, RPM: 60, TPM: 1e5,
		BudgetUSD: 12.5, Created: epoch, Expires: epoch.Add(time.Hour)}
}

func keys(t *testing.T, open ServingOpener) {
	revoked := key("k2", 2)
	serving(t, open, func(s store.Serving) {
		for _, id := range []string{"k2", "k1"} {
			must(t, s.PutKey(t.Context(), key(id, id[1])))
		}
		wantCode(t, s.PutKey(t.Context(), key("k3", '1')), rung.CodeConflict)
		revoked.Hash, revoked.Revoked = []byte{'2', 0, 255}, epoch.Add(time.Minute)
		must(t, s.PutKey(t.Context(), revoked))
	})
	serving(t, open, func(s store.Serving) {
		got, err := s.Keys(t.Context())
		must(t, err)
		same(t, "the keys", []rung.APIKey{revoked, key("k1", '1')}, got)
	})
}

func spend(t *testing.T, open ServingOpener) {
	a, b := open(t), open(t)
	const each = 50
	var wg sync.WaitGroup
	for _, s := range []store.Serving{a, b} {
		wg.Go(func() {
			last := 0.0
			for range each {
				got, err := s.Spend(t.Context(), "k1", "2026-11", 0.25)
				if err != nil || got <= last {
					t.Errorf("the sum went from %v to %v, %v", last, got, err)
				}
				last = got
			}
		})
	}
	wg.Wait()
	for _, c := range []struct {
		key, month string
		usd, want  float64
	}{{"k1", "2026-11", 0, each / 2}, {"k1", "2026-12", 0, 0}, {"k2", "2026-11", 0, 0}, {"k1", "2026-11", -5, each/2 - 5}, {"k2", "2026-11", 1, 1}} {
		got, err := a.Spend(t.Context(), c.key, c.month, c.usd)
		must(t, err)
		same(t, c.key+" in "+c.month, c.want, got)
	}
	must(t, errors.Join(a.Close(), b.Close()))
}

func servingClosed(t *testing.T, open ServingOpener) {
	s := open(t)
	must(t, s.PutTraces(t.Context(), []rung.Trace{Trace(1)}))
	must(t, s.Close())
	must(t, s.Close())
	wantCode(t, s.PutTraces(t.Context(), []rung.Trace{Trace(2)}), rung.CodeStore)
	wantCode(t, s.PutFeedback(t.Context(), said("f", Trace(1).ID, 0)), rung.CodeStore)
	wantCode(t, s.PutKey(t.Context(), key("k", 1)), rung.CodeStore)
	_, err := s.Revision(t.Context())
	wantCode(t, err, rung.CodeStore)
	_, err = s.Trace(t.Context(), Trace(1).ID)
	wantCode(t, err, rung.CodeStore)
	for _, err := range s.Traces(t.Context(), store.TraceFilter{}) {
		wantCode(t, err, rung.CodeStore)
	}
}

// servingTwice has everything written from two open stores at once, as two gateways do.
func servingTwice(t *testing.T, open ServingOpener) {
	two := []store.Serving{open(t), open(t)}
	const each = 30
	var wg sync.WaitGroup
	for w, s := range two {
		wg.Go(func() {
			for i := range each {
				n := w*each + i
				err := errors.Join(s.PutTraces(t.Context(), []rung.Trace{Trace(2 * n), Trace(2*n + 1)}),
					s.PutFeedback(t.Context(), said(fmt.Sprint("f", n), Trace(2*n).ID, n)),
					s.PutRelease(t.Context(), release("a", fmt.Sprint("w", n), n)))
				if err != nil {
					t.Error(err)
				}
			}
		})
	}
	wg.Wait()
	for _, s := range two {
		var seen []string
		for got, err := range s.Traces(t.Context(), store.TraceFilter{}) {
			must(t, err)
			seen = append(seen, got.ID)
		}
		slices.Sort(seen)
		if n := len(slices.Compact(seen)); n != 4*each {
			t.Errorf("%d traces, want %d", n, 4*each)
		}
		lines, err := s.Releases(t.Context(), "a")
		must(t, err)
		if len(lines) != 2*each {
			t.Errorf("%d releases, want %d", len(lines), 2*each)
		}
		n := 0
		for got, err := range s.Traces(t.Context(), store.TraceFilter{Feedback: true}) {
			must(t, err)
			told, err := s.Feedback(t.Context(), got.ID)
			must(t, err)
			n += len(told)
		}
		if n != 2*each {
			t.Errorf("%d pieces of feedback, want %d", n, 2*each)
		}
	}
	must(t, errors.Join(two[0].Close(), two[1].Close()))
}
