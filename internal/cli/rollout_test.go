package cli

import (
	"context"
	"encoding/json"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/rung-dev/rung"
	"github.com/rung-dev/rung/internal/rollout"
	"github.com/rung-dev/rung/internal/store"
)

const rolledTask = `task: tickets
instructions: Sort the message.
input: {text: string}
output: {labels: [billing, other]}
examples: examples.jsonl
bar: {metric: accuracy, at_least: 0.9}
models: [openai/gpt-4o-mini]
rollout:
  share: 0.25
  metrics:
    - {metric: success, margin: 0.03}
    - {metric: latency_ms, margin: 100, bound: 5000}
  max_n: 5000
`

// releasedTask makes a directory with a task, and a store in which v1 is in production and v2 and v3 wait; it goes there.
func releasedTask(t *testing.T) store.Serving {
	t.Helper()
	t.Setenv("LC_ALL", "en_GB.UTF-8")
	t.Setenv("TZ", "UTC")
	t.Setenv("RUNG_DATABASE_URL", "")
	dir := t.TempDir()
	put(t, dir, "task.yaml", rolledTask)
	put(t, dir, "examples.jsonl", plainFiles["examples.jsonl"])
	if err := os.Mkdir(filepath.Join(dir, storeName), 0o700); err != nil {
		t.Fatal(err)
	}
	serving, err := openServing(context.Background(), filepath.Join(dir, storeName))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := serving.Close(); err != nil {
			t.Error(err)
		}
	})
	for _, v := range []string{"v1", "v2", "v3"} {
		if err := serving.PutRelease(t.Context(), rung.ReleaseLine{Task: "tickets", Version: v, Digest: rung.DigestBytes([]byte(v)), At: time.Unix(1, 0)}); err != nil {
			t.Fatal(err)
		}
	}
	for alias, v := range map[string]string{rung.Production: "v1", rung.CandidateAlias: "v2"} {
		if err := serving.MoveAlias(t.Context(), rung.AliasMove{Task: "tickets", Alias: alias, Version: v, By: "ann", At: time.Unix(2, 0)}); err != nil {
			t.Fatal(err)
		}
	}
	t.Chdir(dir)
	return serving
}

// started runs rung rollout start and gives what it made.
func started(t *testing.T, args ...string) rung.Rollout {
	t.Helper()
	status, out, errOut := rungOut(t, append([]string{"rollout", "start", "--json"}, args...)...)
	if status != 0 {
		t.Fatalf("status %d: %s", status, errOut)
	}
	var doc rolloutDocument
	if err := json.Unmarshal([]byte(out), &doc); err != nil {
		t.Fatal(err)
	}
	return doc.Rollout
}

func TestRolloutStartTakesTheTasksSettings(t *testing.T) {
	releasedTask(t)
	r := started(t, "tickets", "candidate", "--max-n", "900", "--margin", "success=0.05", "--metric", "success", "--why", "cheaper")
	want := rung.Rollout{ID: r.ID, Task: "tickets", Alias: "production", Mode: rung.Canary, Baseline: "v1", Target: "v2", Share: .25, Alpha: .05, MinN: 20, MaxN: 900,
		Auto: true, State: rung.Active, Revision: 1, Why: "cheaper"}
	rules := r.Rules
	r.Rules, r.By, r.Started = nil, "", time.Time{}
	if a, b := rung.DigestOf(want), rung.DigestOf(r); a != b || len(rules) != 1 || rules[0] != (rung.RolloutRule{Metric: "success", Margin: .05}) {
		t.Errorf("got %+v\nwant %+v\nrules %+v", r, want, rules)
	}
	if status, _, errOut := rungOut(t, "rollout", "start", "tickets", "v3"); status != 8 || !strings.Contains(errOut, r.ID) {
		t.Errorf("a second rollout: status %d, %s", status, errOut)
	}
	if status, _, errOut := rungOut(t, "rollout", "cancel", "tickets"); status != 0 {
		t.Fatalf("cancel: status %d, %s", status, errOut)
	}
	r = started(t, "task.yaml", "v3", "--mode", "shadow", "--share", "100%")
	if r.Auto || r.Share != 1 || len(r.Rules) != 2 || r.Rules[1] != (rung.RolloutRule{Metric: "latency_ms", Margin: 100, Bound: 5000}) {
		t.Errorf("shadow: %+v", r)
	}
}

func TestRolloutStartRefuses(t *testing.T) {
	releasedTask(t)
	for _, c := range []struct {
		args   string
		status int
		says   string
	}{
		{"nobody v1", 7, `there is no release of a task "nobody"`},
		{"tickets v9", 7, "there is no release tickets@v9"},
		{"tickets v1", 2, "v1 answers already; name another version"},
		{"tickets v2 --alias beta", 7, "tickets@beta points at no release"},
		{"tickets v2 --share 100%", 2, "the share is 1"},
		{"tickets v2 --share lots", 2, `"lots" is no share`},
		{"tickets v2 --mode blue", 2, `there is no mode "blue"`},
		{"tickets v2 --metric accuracy", 2, `there is no metric "accuracy" to judge by`},
		{"tickets v2 --metric success --margin 0", 2, "no traffic can show a margin of 0"},
		{"tickets v2 --metric success --metric error --margin 0.1", 2, "--margin is given 1 times for 2 metrics"},
		{"tickets v2 --gain cost_usd=1", 2, "there is no --metric cost_usd"},
		{"tickets v2 --metric success --bound success=3", 2, "takes no bound"},
		{"tickets v2 --alpha 0.9", 2, "alpha is 0.9"},
		{"tickets v2 --min-n 50 --max-n 20", 2, "min-n is 50 and max-n 20"},
		{"no.yaml v2", 2, "no.yaml"},
	} {
		status, out, errOut := rungOut(t, append([]string{"rollout", "start"}, strings.Fields(c.args)...)...)
		if status != c.status || !strings.Contains(errOut, c.says) || out != "" {
			t.Errorf("%s: status %d, want %d: %s", c.args, status, c.status, errOut)
		}
	}
}

var (
	rolloutID  = regexp.MustCompile(`r[0-9a-f]{8}`)
	rolloutDay = regexp.MustCompile(`20\d\d-\d\d-\d\d \d\d:\d\d`)
)

// stable takes out what differs between two runs.
func stable(s, by string) string {
	s = rolloutDay.ReplaceAllString(rolloutID.ReplaceAllString(s, "r0000000"), "2026-11-22 12:00")
	return wide.ReplaceAllString(strings.ReplaceAll(s, person(by), "ann"), "  ") // the columns are as wide as the name
}

var wide = regexp.MustCompile(` {3,}`)

func moments(n int64, mean float64) rung.Moments {
	return rung.Moments{N: n, Sum: mean * float64(n), Squares: mean * float64(n)} // of ones and zeros
}

// TestRolloutCommands: from the start over two looks to the end, as a person sees it.
func TestRolloutCommands(t *testing.T) {
	serving := releasedTask(t)
	if _, out, _ := rungOut(t, "rollout", "status"); !strings.Contains(out, "No rollout is active") {
		t.Errorf("status without a rollout: %s", out)
	}
	r := started(t, "tickets", "v2", "--auto=false", "--why", "answers in one call")
	see := func(observed rollout.Observed) string {
		if err := serving.PutMoments(t.Context(), r.ID, "one", observed); err != nil {
			t.Fatal(err)
		}
		_, out, errOut := rungOut(t, "rollout", "status", "tickets")
		return out + errOut
	}
	var all strings.Builder
	all.WriteString(see(nil))
	latency := func(n int64, ms float64) rung.Moments {
		return rung.Moments{N: n, Sum: ms * float64(n), Squares: 1.2 * ms * ms * float64(n)}
	}
	observed := rollout.Observed{
		rollout.Baseline: {"success": moments(900, .95), "latency_ms": latency(900, 620)},
		rollout.Target:   {"success": moments(300, .94), "latency_ms": latency(300, 600)},
		rollout.Pairs:    {"success": {N: 300, Sum: -3, Squares: 21}, "latency_ms": {N: 300, Sum: -6000, Squares: 2.2e7}},
	}
	all.WriteString("\n" + see(observed))
	observed[rollout.Pairs]["success"] = rung.Moments{N: 300, Sum: -45, Squares: 60}
	observed[rollout.Target]["success"] = moments(300, .80)
	all.WriteString("\n" + see(observed))
	_, out, errOut := rungOut(t, "rollout", "rollback", r.ID[:5], "--why", "complaints")
	all.WriteString("\n" + out + errOut)
	_, out, errOut = rungOut(t, "rollout", "history")
	all.WriteString("\n" + out + errOut)
	readGolden(t, stable(all.String(), r.By))

	if status, _, errOut := rungOut(t, "rollout", "promote", "tickets"); status != 7 || !strings.Contains(errOut, "no active rollout tickets") {
		t.Errorf("promote after the end: status %d, %s", status, errOut)
	}
}

func TestRolloutPromoteMovesTheAlias(t *testing.T) {
	serving := releasedTask(t)
	r := started(t, "tickets", "v3", "--share", "0.5", "--mode", "ab")
	if status, out, errOut := rungOut(t, "rollout", "share", "tickets", "75%"); status != 0 || !strings.Contains(out, "75 % of the callers") {
		t.Errorf("share: status %d: %s%s", status, out, errOut)
	}
	if status, _, errOut := rungOut(t, "rollout", "share", r.ID, "1"); status != 2 || !strings.Contains(errOut, "the share is 1") {
		t.Errorf("share 1: status %d: %s", status, errOut)
	}
	if status, out, errOut := rungOut(t, "rollout", "promote", "tickets", "--why", "the team has seen enough"); status != 0 || !strings.Contains(out, "tickets@production is v3") {
		t.Fatalf("status %d: %s%s", status, out, errOut)
	}
	moves, err := serving.AliasHistory(t.Context(), "tickets", 1)
	if err != nil || moves[0].Version != "v3" || moves[0].Why != "the team has seen enough" || moves[0].By != r.By {
		t.Errorf("%v %+v", err, moves)
	}
	var doc historyDocument
	if _, out, _ := rungOut(t, "rollout", "history", "tickets", "--json"); json.Unmarshal([]byte(out), &doc) != nil || len(doc.Rollouts) != 1 || doc.Rollouts[0].State != rung.Promoted {
		t.Errorf("history %+v", doc)
	}
}
