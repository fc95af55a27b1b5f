package rollout

import (
	"context"
	"fmt"
	"math/rand/v2"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/rung-dev/rung"
	"github.com/rung-dev/rung/internal/store"
	"github.com/rung-dev/rung/internal/store/sqlite"
)

// shop is a store with a task whose production alias points at v1, opened as often as there are gateways.
type shop struct {
	t   *testing.T
	dir string
	store.Serving
}

func newShop(t *testing.T) *shop {
	t.Helper()
	s := &shop{t: t, dir: t.TempDir()}
	s.Serving = s.open()
	for _, v := range []string{"v1", "v2", "v3"} {
		s.must(s.PutRelease(t.Context(), rung.ReleaseLine{Task: "tickets", Version: v, Digest: rung.DigestBytes([]byte(v)), At: time.Unix(1, 0)}))
	}
	s.must(s.MoveAlias(t.Context(), rung.AliasMove{Task: "tickets", Alias: rung.Production, Version: "v1", By: "ann", At: time.Unix(2, 0)}))
	return s
}

func (s *shop) open() store.Serving {
	s.t.Helper()
	st, err := sqlite.OpenServing(context.Background(), s.dir)
	s.must(err)
	s.t.Cleanup(func() { _ = st.Close() }) // some tests close it before
	return st
}

func (s *shop) must(err error) {
	s.t.Helper()
	if err != nil {
		s.t.Fatal(err)
	}
}

func (s *shop) gateway(name string) *Controller {
	s.t.Helper()
	c, err := New(s.t.Context(), s.open(), Config{Gateway: name})
	s.must(err)
	return c
}

// start makes a rollout from v1 to v2, changed by edit.
func (s *shop) start(edit func(*rung.Rollout)) rung.Rollout {
	s.t.Helper()
	r := rung.Rollout{ID: "r1", Task: "tickets", Baseline: "v1", Target: "v2", Auto: true, State: rung.Active, By: "ann", Share: .5, Started: time.Unix(3, 0)}
	Fill(&r)
	if edit != nil {
		edit(&r)
	}
	if errs := Check(&r); len(errs) > 0 {
		s.t.Fatal(errs)
	}
	r, err := s.PutRollout(s.t.Context(), r)
	s.must(err)
	return r
}

func (s *shop) rollout() rung.Rollout {
	s.t.Helper()
	all, err := s.Rollouts(s.t.Context(), "tickets", false)
	s.must(err)
	return all[0]
}

func (s *shop) turn(all ...*Controller) {
	s.t.Helper()
	for _, c := range all {
		s.must(c.Turn(s.t.Context()))
	}
}

// traffic sends n requests through the gateways in turn; success is by version.
func traffic(n int, r *rand.Rand, success map[string]float64, gateways ...*Controller) {
	for i := range n {
		c := gateways[i%len(gateways)]
		a := c.Route("tickets", rung.Production, "", r.Float64())
		c.Observe(a.Rollout, a.Arm, map[string]float64{Success: coin(r, success[a.Version]), LatencyMS: 100})
	}
}

func version(c *Controller, random float64) string {
	return c.Route("tickets", rung.Production, "", random).Version
}

func TestWorseTargetIsRolledBackOnEveryGateway(t *testing.T) {
	s := newShop(t)
	one, two := s.gateway("one"), s.gateway("two")
	if a := one.Route("tickets", rung.Production, "", 0); a != (Assignment{Version: "v1"}) {
		t.Fatalf("before the rollout: %+v", a)
	}
	s.start(nil)
	s.turn(one, two)
	if a := one.Route("tickets", rung.Production, "", .49); a != (Assignment{Version: "v2", Rollout: "r1", Arm: Target}) {
		t.Fatalf("in the rollout: %+v", a)
	}
	traffic(400, rand.New(rand.NewPCG(1, 1)), map[string]float64{"v1": .95, "v2": .5}, one, two)
	s.must(two.Flush(t.Context()))
	s.turn(one)
	if v := version(one, 0); v != "v1" {
		t.Errorf("the next request of the gateway that rolled back goes to %s", v)
	}
	r := s.rollout()
	if r.State != rung.RolledBack || !strings.Contains(r.Why, "success is worse by more than 0.02 beyond doubt: target − baseline −") || r.Ended.IsZero() {
		t.Errorf("%s: %s", r.State, r.Why)
	}
	if v := version(two, 0); v != "v2" {
		t.Errorf("the other gateway knows before it has looked: %s", v)
	}
	s.turn(two)
	if v := version(two, 0); v != "v1" {
		t.Errorf("the other gateway still sends requests to %s", v)
	}
	one.Observe("r1", Target, map[string]float64{Success: 1}) // late feedback of a rollout that has ended
}

func TestBetterTargetIsPromotedOnce(t *testing.T) {
	s := newShop(t)
	one, two := s.gateway("one"), s.gateway("two")
	s.start(func(r *rung.Rollout) { r.Rules = []rung.RolloutRule{{Metric: Success, Margin: .05}} })
	s.turn(one, two)
	traffic(1200, rand.New(rand.NewPCG(2, 1)), map[string]float64{"v1": .7, "v2": .97}, one, two)
	s.must(one.Flush(t.Context()))
	s.must(two.Flush(t.Context()))
	var both sync.WaitGroup // they see the same evidence at the same time
	for _, c := range []*Controller{one, two} {
		both.Go(func() {
			if err := c.Turn(t.Context()); err != nil {
				t.Error(err)
			}
		})
	}
	both.Wait()
	s.turn(one, two)
	history, err := s.AliasHistory(t.Context(), "tickets", 0)
	s.must(err)
	if len(history) != 2 || history[0].Version != "v2" || history[0].From != "v1" || history[0].By != "rollout r1" {
		t.Errorf("history %+v", history)
	}
	if r := s.rollout(); r.State != rung.Promoted || version(one, 0) != "v2" || version(two, .99) != "v2" {
		t.Errorf("%s, %s, %s", r.State, version(one, 0), version(two, .99))
	}
}

// TestRestart: what a gateway has observed before it was started again is neither lost nor counted twice.
func TestRestart(t *testing.T) {
	s := newShop(t)
	s.start(func(r *rung.Rollout) { r.Auto = false })
	r := rand.New(rand.NewPCG(3, 1))
	before := s.gateway("one")
	traffic(100, r, nil, before)
	s.turn(before)
	traffic(50, r, nil, before)
	s.turn(before)
	after := s.gateway("one")
	traffic(30, r, nil, after)
	s.turn(after)
	s.must(before.Flush(t.Context())) // nothing new
	seen, err := s.Moments(t.Context(), "r1")
	s.must(err)
	if n := seen[Baseline][Success].N + seen[Target][Success].N; n != 180 {
		t.Errorf("%d of 180 requests", n)
	}
}

func TestStickyArms(t *testing.T) {
	s := newShop(t)
	rollout := s.start(func(r *rung.Rollout) { r.Mode, r.Share = rung.AB, .2 })
	one, two := s.gateway("one"), s.gateway("two")
	const users = 5000
	arms, targets := make([]string, users), 0
	for u := range users {
		key := fmt.Sprint("user ", u)
		a, again, other := one.Route("tickets", rung.Production, key, .99), one.Route("tickets", rung.Production, key, 0), two.Route("tickets", rung.Production, key, 0)
		if arms[u] = a.Arm; again.Arm != a.Arm || other.Arm != a.Arm {
			t.Fatalf("%s: %s, %s, on another gateway %s", key, a.Arm, again.Arm, other.Arm)
		}
		if a.Repeat || !again.Repeat || other.Repeat || again.Judged() {
			t.Fatalf("%s: counted %v, then %v", key, !a.Repeat, !again.Repeat)
		}
		if a.Arm == Target {
			targets++
		}
	}
	if targets < users*17/100 || targets > users*23/100 {
		t.Errorf("%d of %d keys have the target, its share is .2", targets, users)
	}
	rollout.Share = .5
	_, err := s.PutRollout(t.Context(), rollout)
	s.must(err)
	s.turn(one)
	for u := range users {
		if a := one.Route("tickets", rung.Production, fmt.Sprint("user ", u), 0); arms[u] == Target && a.Arm != Target {
			t.Fatalf("user %d lost the target when its share grew", u)
		}
	}
}

// TestShadowIsNeverReturned and judged by itself only where that was asked for.
func TestShadowIsNeverReturned(t *testing.T) {
	s := newShop(t)
	s.start(func(r *rung.Rollout) { r.Mode, r.Share, r.Auto = rung.Shadow, .25, false })
	c := s.gateway("one")
	r := rand.New(rand.NewPCG(4, 1))
	shadowed := 0
	for range 4000 {
		a := c.Route("tickets", rung.Production, "", r.Float64())
		if a.Version != "v1" || a.Arm == Target {
			t.Fatalf("%+v", a)
		}
		if a.Shadow != "" {
			shadowed++
			c.ObserveShadow(a.Rollout, map[string]float64{Success: 1, LatencyMS: 80}, map[string]float64{Success: 0, LatencyMS: 90, CostUSD: 1}, shadowed%4 == 0)
		} else if a.Judged() {
			t.Fatalf("a request without a shadow is judged: %+v", a)
		}
	}
	s.turn(c)
	seen, err := s.Moments(t.Context(), "r1")
	s.must(err)
	j := Judge(&rung.Rollout{ID: "r1", Mode: rung.Shadow, Share: .25, Alpha: .05, MinN: 20, Rules: []rung.RolloutRule{{Metric: Success, Margin: .02}}}, seen)
	if j.Action != RollBack || j.TargetN != int64(shadowed) || s.rollout().State != rung.Active {
		t.Errorf("%+v, state %s", j, s.rollout().State)
	}
	if m := seen[ShadowArm][Agreement]; m.N != int64(shadowed) || m.Sum != float64(shadowed/4) || seen[ShadowArm][CostUSD].N != 0 {
		t.Errorf("agreement %+v, moments %v", m, seen)
	}
}

// TestAliasMovedByHand: a person's word counts more than the rollout's.
func TestAliasMovedByHand(t *testing.T) {
	s := newShop(t)
	s.start(func(r *rung.Rollout) { r.Auto, r.Why = false, "cheaper" })
	c := s.gateway("one")
	s.must(s.MoveAlias(t.Context(), rung.AliasMove{Task: "tickets", Alias: rung.Production, Version: "v3", From: "v1", By: "bob", At: time.Unix(5, 0)}))
	s.must(c.Refresh(t.Context()))
	if a := c.Route("tickets", rung.Production, "", 0); a != (Assignment{Version: "v3"}) {
		t.Errorf("%+v", a)
	}
	s.turn(c)
	if r := s.rollout(); r.State != rung.Cancelled || r.Why != "cheaper; ended: production was moved from v1 to v3 while the rollout ran" {
		t.Errorf("%s: %s", r.State, r.Why)
	}
}

// TestStoreFails: requests are routed as before, what was observed is kept until the store is back.
func TestStoreFails(t *testing.T) {
	s := newShop(t)
	s.start(func(r *rung.Rollout) { r.Auto = false })
	st := s.open()
	c, err := New(t.Context(), st, Config{Gateway: "one"})
	s.must(err)
	traffic(10, rand.New(rand.NewPCG(5, 1)), nil, c)
	s.must(st.Close())
	if err := c.Turn(t.Context()); err == nil {
		t.Error("a closed store does its work")
	}
	if a := c.Route("tickets", rung.Production, "", 0); a.Version != "v2" {
		t.Errorf("%+v", a)
	}
	c.store = s.open()
	s.turn(c)
	seen, err := s.Moments(t.Context(), "r1")
	s.must(err)
	if n := seen[Baseline][Success].N + seen[Target][Success].N; n != 10 {
		t.Errorf("%d of 10 requests", n)
	}
}

// TestRun: the loop by itself, from the change in the store to the promotion.
func TestRun(t *testing.T) {
	s := newShop(t)
	changed := make(chan struct{}, 100)
	c, err := New(t.Context(), s.open(), Config{Gateway: "one", Every: time.Millisecond, Changed: func() { changed <- struct{}{} }})
	s.must(err)
	<-changed // New
	ctx, stop := context.WithCancel(t.Context())
	var loop sync.WaitGroup
	loop.Go(func() { c.Run(ctx) })
	s.start(func(r *rung.Rollout) { r.Rules = []rung.RolloutRule{{Metric: Success, Margin: .05}} })
	<-changed
	traffic(1500, rand.New(rand.NewPCG(6, 1)), map[string]float64{"v1": .7, "v2": .97}, c)
	<-changed // the promotion, by the loop
	if v := version(c, .999); v != "v2" {
		t.Errorf("requests go to %s", v)
	}
	s.start(func(r *rung.Rollout) { r.ID, r.Baseline, r.Target, r.Auto = "r2", "v2", "v3", false })
	<-changed
	c.Observe("r2", Target, map[string]float64{Success: 1})
	stop()
	loop.Wait()
	seen, err := s.Moments(t.Context(), "r2")
	s.must(err)
	if diff := cmp.Diff(Observed{Target: {Success: {N: 1, Sum: 1, Squares: 1}}}, seen); diff != "" {
		t.Errorf("the last observation (-want +got):\n%s", diff)
	}
}

// TestObserveWhileTheSnapshotChanges is for the race detector, and for the sum.
func TestObserveWhileTheSnapshotChanges(t *testing.T) {
	s := newShop(t)
	rollout := s.start(func(r *rung.Rollout) { r.Auto, r.Mode = false, rung.AB })
	c := s.gateway("one")
	var all sync.WaitGroup
	for g := range 4 {
		all.Go(func() {
			r := rand.New(rand.NewPCG(uint64(g), 1))
			for i := range 500 {
				a := c.Route("tickets", rung.Production, fmt.Sprint(g, i), 0)
				c.Observe(a.Rollout, a.Arm, map[string]float64{Success: coin(r, .9), "no such metric": 1})
			}
		})
	}
	for i := range 5 {
		rollout.Share = .5 + float64(i)/100
		var err error
		rollout, err = s.PutRollout(t.Context(), rollout)
		s.must(err)
		s.turn(c)
	}
	all.Wait()
	s.turn(c)
	seen, err := s.Moments(t.Context(), "r1")
	s.must(err)
	if n := seen[Baseline][Success].N + seen[Target][Success].N; n != 2000 {
		t.Errorf("%d of 2000 requests", n)
	}
}

func BenchmarkRoute(b *testing.B) {
	c := benchController(rung.AB)
	b.ReportAllocs()
	for b.Loop() {
		c.Route("tickets", rung.Production, "some user's id", .3)
	}
}

func BenchmarkObserve(b *testing.B) {
	c := benchController(rung.Canary)
	b.ReportAllocs()
	b.RunParallel(func(p *testing.PB) {
		values := map[string]float64{Success: 1, Failure: 0, SchemaValid: 1, GuardBlocked: 0, LatencyMS: 230, CostUSD: .0003}
		for i := 0; p.Next(); i++ {
			arm := Baseline
			if i%10 == 0 {
				arm = Target
			}
			c.Observe("r1", arm, values)
		}
	})
}

func benchController(mode rung.RolloutMode) *Controller {
	r := rung.Rollout{ID: "r1", Task: "tickets", Baseline: "v1", Target: "v2", State: rung.Active, Mode: mode}
	Fill(&r)
	c := &Controller{}
	c.now.Store(&snapshot{})
	c.now.Store(c.take(1, []rung.AliasMove{{Task: "tickets", Alias: rung.Production, Version: "v1"}}, []rung.Rollout{r}))
	return c
}
