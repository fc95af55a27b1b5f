//go:build unix

package cli

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/rung-dev/rung"
	"github.com/rung-dev/rung/internal/model/modeltest"
	"github.com/rung-dev/rung/internal/rollout"
	"github.com/rung-dev/rung/internal/store"
	"github.com/rung-dev/rung/internal/store/postgres/postgrestest"
)

// until waits for something to become true, and says how long that took.
func until(t *testing.T, what string, limit time.Duration, ok func() bool) time.Duration {
	t.Helper()
	start := time.Now()
	for !ok() {
		if time.Since(start) > limit {
			t.Fatalf("%s: not within %s", what, limit)
		}
		<-time.After(5 * time.Millisecond)
	}
	return time.Since(start)
}

// twoReleases makes v1, which answers well, and v2, the prompt without demonstrations, which does so as long as good is set. In
// production is v1.
func twoReleases(t *testing.T, database string) (dir string, good *atomic.Bool) {
	t.Helper()
	dir, doc, srv := climbed(t)
	t.Setenv("RUNG_DATABASE_URL", database)
	released(t, "--production")
	released(t, "--candidate", string(doc.Rungs[0].Candidate), "--force", "--note", "no demonstrations")
	good = &atomic.Bool{}
	good.Store(true)
	srv.Script = func(c modeltest.Call) modeltest.Reply {
		r := knows(c)
		if good.Load() {
			w, _, _ := strings.Cut(c.Last(), "\n")
			r.Text = truth(w)
		}
		r.Delay = 5 * time.Millisecond
		return r
	}
	return dir, good
}

// momentsByGateway are the rows of a rollout as each gateway has written them.
func momentsByGateway(t *testing.T, database, id string) map[string]rollout.Observed {
	t.Helper()
	conn, err := pgx.Connect(t.Context(), database)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close(context.Background())
	rows, err := conn.Query(t.Context(), "SELECT gateway, body FROM rung_moments WHERE rollout = $1", id)
	if err != nil {
		t.Fatal(err)
	}
	out := map[string]rollout.Observed{}
	for rows.Next() {
		var gateway string
		var body []byte
		var m rollout.Observed
		if err := errors.Join(rows.Scan(&gateway, &body), json.Unmarshal(body, &m)); err != nil {
			t.Fatal(err)
		}
		out[gateway] = m
	}
	if err := rows.Err(); err != nil {
		t.Fatal(err)
	}
	return out
}

// successes are how many requests of each arm a gateway has counted.
func successes(o rollout.Observed) (baseline, target int64) {
	return o[rollout.Baseline][rollout.Success].N, o[rollout.Target][rollout.Success].N
}

// TestTwoGatewaysOnOnePostgresOneKilled: both see a rollout within a second, one is killed under load, the other goes on and counts
// right, a restarted one takes part and leaves what was counted before alone, and the rollout ends well.
func TestTwoGatewaysOnOnePostgresOneKilled(t *testing.T) {
	if testing.Short() {
		t.Skip("skipped: it starts Postgres and three gateways")
	}
	database := postgrestest.Start(t).Database(t)
	dir, good := twoReleases(t, database)
	a, b := spawn(t), spawn(t)
	// A margin so small that this little traffic cannot show that it holds: the rollout goes on until the target gets worse.
	id := seenWithinASecond(t, []*process{a, b}, "words", "v2", "--share", "50%", "--metric", "success", "--margin", "0.0005", "--max-n", "1000000").ID

	begin := time.Now()
	onA, onB := fire(t, a), fire(t, b)
	enough := func(v *volley) func() bool {
		return func() bool { n := v.arms(); return n[rollout.Baseline] >= 100 && n[rollout.Target] >= 100 }
	}
	until(t, "answers of both arms by the first gateway", time.Minute, enough(onA))
	until(t, "answers of both arms by the second gateway, some of them more than a second old", time.Minute, func() bool {
		return enough(onB)() && time.Since(begin) > 2*time.Second
	})
	killed := time.Now()
	b.kill()
	shotsB, err := onB.stop()
	if err == nil {
		t.Error("nobody was asking the gateway that was killed")
	}
	before := momentsByGateway(t, database, id)
	if len(before) != 2 {
		t.Fatalf("the moments of %d gateways", len(before))
	}
	base := onA.arms()
	until(t, "the gateway that is left goes on", time.Minute, func() bool { return onA.arms()[rollout.Target] >= base[rollout.Target]+50 })
	again := spawn(t)
	onAgain := fire(t, again)
	until(t, "answers of both arms by the restarted gateway", time.Minute, enough(onAgain))
	shotsA, err := onA.stop()
	if err != nil {
		t.Errorf("a request to the gateway that went on: %v", err)
	}
	shotsAgain, err := onAgain.stop()
	if err != nil {
		t.Errorf("a request to the restarted gateway: %v", err)
	}
	holdsTo(t, append(append(append([]shot(nil), shotsA...), shotsB...), shotsAgain...))
	checkMoments(t, database, id, before, killed, shotsA, shotsB, shotsAgain)

	good.Store(false)
	onA, onAgain = fire(t, a), fire(t, again)
	serving, err := openServing(t.Context(), dir)
	if err != nil {
		t.Fatal(err)
	}
	defer serving.Close()
	until(t, "the rollout ends", time.Minute, func() bool {
		active, err := serving.Rollouts(t.Context(), "words", true)
		return err == nil && len(active) == 0
	})
	took := until(t, "all traffic goes back to v1", 5*time.Second, func() bool { return backTo(t, "words@v1", a, again) })
	for _, v := range []*volley{onA, onAgain} {
		if _, err := v.stop(); err != nil {
			t.Errorf("a request while the rollout was rolled back: %v", err)
		}
	}
	all, err := serving.Rollouts(t.Context(), "words", false)
	if err != nil || all[0].ID != id || all[0].State != rung.RolledBack || !strings.Contains(all[0].Why, "success is worse") {
		t.Fatalf("%v, %+v", err, all)
	}
	aliases, err := serving.Aliases(t.Context(), "words")
	if err != nil {
		t.Fatal(err)
	}
	for _, m := range aliases {
		if m.Alias == rung.Production && m.Version != "v1" {
			t.Errorf("production is %s", m.Version)
		}
	}
	a.stop(t)
	again.stop(t)
	tracesHold(t, serving, append(shotsA, shotsAgain...))
	t.Logf("%d, %d and %d requests; all traffic was back at v1 within %s of the end: %s", len(shotsA), len(shotsB), len(shotsAgain), took, all[0].Why)
}

// seenWithinASecond starts a rollout and waits until every gateway sends traffic to both arms. A machine that is busy with other
// things may keep a gateway from running at all for a moment, so there are three attempts.
func seenWithinASecond(t *testing.T, gateways []*process, args ...string) (r rung.Rollout) {
	t.Helper()
	var took time.Duration
	for range 3 {
		r = started(t, args...)
		took = until(t, "all gateways see the rollout", 20*time.Second, func() bool {
			for _, p := range gateways {
				if s, err := shoot(t.Context(), p.url, "anchor", false); err != nil || s.arm == "" {
					return false
				}
			}
			return true
		})
		if took <= time.Second {
			t.Logf("all gateways saw the rollout within %s", took)
			return r
		}
		mustRun(t, "rollout", "cancel", "words")
		until(t, "all gateways see the end", 20*time.Second, func() bool { return backTo(t, "words@v1", gateways...) })
	}
	t.Fatalf("the gateways saw the rollout after %s", took)
	return r
}

// backTo reports whether every gateway answers with one release and no arm.
func backTo(t *testing.T, release string, gateways ...*process) bool {
	for _, p := range gateways {
		for range 12 { // with half of the traffic on each arm, chance would have to be asked often
			if s, err := shoot(t.Context(), p.url, "anchor", false); err != nil || s.arm != "" || s.release != release {
				return false
			}
		}
	}
	return true
}

// holdsTo checks that each answer is right, comes from its arm's release, and that the arms have the share that was asked for.
func holdsTo(t *testing.T, shots []shot) {
	t.Helper()
	for _, s := range shots {
		want := map[string]string{rollout.Baseline: "words@v1", rollout.Target: "words@v2"}[s.arm]
		if s.status != 200 || s.release != want {
			t.Fatalf("status %d from %s on the arm %q: %s", s.status, s.release, s.arm, s.answer)
		}
	}
	n, target := float64(len(shots)), float64(armsOf(shots)[rollout.Target])
	if off := math.Abs(target - n/2); off > 5*math.Sqrt(n)/2 {
		t.Errorf("%v of %v requests went to the target, half was asked for", target, n)
	}
}

// checkMoments compares what the gateways counted with what callers saw. The requests by which the test saw the rollout, and those on
// their way when a gateway was killed, count too, so the counts may be a little larger than the callers'.
func checkMoments(t *testing.T, database, id string, before map[string]rollout.Observed, killed time.Time, shotsA, shotsB, shotsAgain []shot) {
	t.Helper()
	total := func(o rollout.Observed) int64 { x, y := successes(o); return x + y }
	const seen = 200 // requests of seenWithinASecond, at most
	until(t, "the gateways have written what they counted", 10*time.Second, func() bool {
		on, fresh := int64(0), int64(0)
		for name, o := range momentsByGateway(t, database, id) {
			if old, there := before[name]; !there {
				fresh = total(o)
			} else if rung.DigestOf(old) != rung.DigestOf(o) {
				on = total(o)
			}
		}
		return on >= int64(len(shotsA)) && fresh >= int64(len(shotsAgain))
	})
	now := momentsByGateway(t, database, id)
	if len(now) != 3 {
		t.Fatalf("the moments of %d gateways, three were started", len(now))
	}
	stayed, fresh := 0, 0
	for name, o := range now {
		old, there := before[name]
		switch {
		case !there: // the restarted one
			fresh++
			atLeast(t, "the restarted gateway", o, armsOf(shotsAgain), 0)
		case rung.DigestOf(old) == rung.DigestOf(o): // the killed one: nobody wrote over it
			stayed++
			n := total(o)
			if low := answeredBy(shotsB, killed.Add(-time.Second)); low == 0 || n < low || n > int64(len(shotsB))+shooters+seen {
				t.Errorf("the killed gateway counted %d requests, callers saw %d, of them %d a second before", n, len(shotsB), low)
			}
		default:
			atLeast(t, "the gateway that went on", o, armsOf(shotsA), seen)
		}
	}
	if stayed != 1 || fresh != 1 {
		t.Errorf("%d rows stayed as they were and %d are new, one of each was to be", stayed, fresh)
	}
}

// atLeast checks a gateway's counts of each arm, all of them successes.
func atLeast(t *testing.T, who string, o rollout.Observed, want map[string]int64, more int64) {
	t.Helper()
	for arm, n := range map[string]int64{rollout.Baseline: want[rollout.Baseline], rollout.Target: want[rollout.Target]} {
		m := o[arm][rollout.Success]
		if m.N < n || m.N > n+more || m.Sum != float64(m.N) {
			t.Errorf("%s counted %+v on %s, callers saw %d successes", who, m, arm, n)
		}
	}
}

// answeredBy is how many answers were there by a time.
func answeredBy(shots []shot, by time.Time) (n int64) {
	for _, s := range shots {
		if s.at.Before(by) {
			n++
		}
	}
	return n
}

// tracesHold checks that the trace of each answer is there and says what the caller was told.
func tracesHold(t *testing.T, serving store.Serving, shots []shot) {
	t.Helper()
	kept := keptTraces(t, serving)
	for _, s := range shots {
		tr, there := kept[s.trace]
		if !there || tr.Arm != s.arm || tr.Task+"@"+tr.Version != s.release || tr.Status != s.status {
			t.Fatalf("the caller saw %+v, the trace (there: %v) has %s@%s on %s, status %d", s, there, tr.Task, tr.Version, tr.Arm, tr.Status)
		}
	}
}

func keptTraces(t *testing.T, serving store.Serving) map[string]rung.Trace {
	t.Helper()
	kept := map[string]rung.Trace{}
	for tr, err := range serving.Traces(t.Context(), store.TraceFilter{}) {
		if err != nil {
			t.Fatal(err)
		}
		kept[tr.ID] = tr
	}
	return kept
}

// TestKilledGatewayKeepsFeedbackAndOldTraces: SIGKILL of rung serve on SQLite, while callers ask and say what they think of the
// answers. docs/traces.md promises: all acknowledged feedback is there, and all traces but those of the last second.
func TestKilledGatewayKeepsFeedbackAndOldTraces(t *testing.T) {
	dir, _ := twoReleases(t, "")
	p := spawn(t)
	load := fire(t, p)
	var mu sync.Mutex
	var told []string // traces whose feedback was acknowledged
	var tellers sync.WaitGroup
	for range 2 {
		tellers.Go(func() {
			for {
				s, err := shoot(t.Context(), p.url, "anchor", false)
				if err != nil {
					return
				}
				_, status, _, err := postBytes(t.Context(), p.url+"/v1/feedback", fmt.Appendf(nil, `{"trace_id":%q,"thumb":1,"correction":"long"}`, s.trace))
				if err != nil || status != 200 {
					return
				}
				mu.Lock()
				told = append(told, s.trace)
				mu.Unlock()
			}
		})
	}
	begin := time.Now()
	until(t, "enough is asked and said", time.Minute, func() bool {
		mu.Lock()
		defer mu.Unlock()
		n := load.arms()[""]
		return len(told) >= 150 && n >= 300 && time.Since(begin) > 2*time.Second // some of it older than a second
	})
	killed := time.Now()
	p.kill()
	shots, err := load.stop()
	tellers.Wait()
	if err == nil {
		t.Error("nobody was asking when the gateway was killed")
	}

	serving, err := openServing(t.Context(), dir)
	if err != nil {
		t.Fatal(err)
	}
	defer serving.Close()
	for _, trace := range told {
		if got, err := serving.Feedback(t.Context(), trace); err != nil || len(got) != 1 || got[0].Thumb != 1 {
			t.Errorf("feedback on %s was acknowledged and is lost: %v %+v", trace, err, got)
		}
	}
	kept := keptTraces(t, serving)
	lost := 0
	for _, s := range shots {
		if _, there := kept[s.trace]; there {
			continue
		}
		lost++
		if age := killed.Sub(s.at); age > time.Second {
			t.Errorf("the trace of an answer given %s before the kill is lost", age)
		}
	}
	if len(kept) == 0 {
		t.Fatal("no trace was written at all")
	}
	t.Logf("%d answers, %d traces lost; %d pieces of feedback acknowledged, all there", len(shots), lost, len(told))

	// What is left is a whole store: the gateway starts again and goes on.
	p = spawn(t)
	if s, err := shoot(t.Context(), p.url, "anchor", true); err != nil || s.release != "words@v1" {
		t.Errorf("after the restart: %v, %+v", err, s)
	}
	p.stop(t)
}
