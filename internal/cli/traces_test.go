package cli

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/rung-dev/rung"
	"github.com/rung-dev/rung/internal/store"
	"github.com/rung-dev/rung/internal/store/sqlite"
)

// tracedDay is when the stored traces were made.
var tracedDay = time.Date(2026, 11, 22, 10, 0, 0, 0, time.UTC)

func tracedID(i int) string {
	return fmt.Sprintf("%08x%08x%016x", tracedDay.Unix()+int64(i), 0xa0000000+i, i)
}

// traced is the i-th stored trace: of a task with labels.
func traced(i int) rung.Trace {
	t := rung.Trace{ID: tracedID(i), At: tracedDay.Add(time.Duration(i) * time.Second), Gateway: "gw1", API: "chat", Task: "tickets", Version: "v2", Model: "tickets", Upstream: "local/smollm2-135m",
		Rollout: "r1", Arm: "baseline", Key: "key-1", Segment: "de", Status: 200, Usage: rung.Usage{In: 120, Out: 4, CachedIn: 100}, CostUSD: 0.00012, Latency: 80 * time.Millisecond,
		Guards: []rung.GuardVerdict{{Kind: "pii", Stage: rung.GuardInput, Elapsed: 31_000}},
		Spans: []rung.Span{{Name: "guard", Start: 0, Took: 31 * time.Microsecond}, {Name: "render", Start: 40 * time.Microsecond, Took: 90 * time.Microsecond},
			{Name: "model", Start: 200 * time.Microsecond, Took: 79 * time.Millisecond, Note: "local/smollm2-135m"}, {Name: "parse", Start: 79500 * time.Microsecond, Took: 20 * time.Microsecond}},
		Input: json.RawMessage(fmt.Sprintf(`{"text":"ticket number %d about a card that did not come"}`, i)), Output: json.RawMessage(`"card"`)}
	switch i {
	case 3: // failed
		t.Status, t.Code, t.Error, t.Output = 504, rung.CodeTimeout, "the model did not answer\x1b[31m in time", nil
	case 4: // passed through
		t.Task, t.Version, t.Model, t.Input = "", "", "openai/gpt", json.RawMessage(`"hello"`)
	case 5: // without text
		t.Input, t.Output = nil, nil
	case 6:
		t.Arm = "shadow"
	case 7:
		t.Guards[0].Action, t.Guards[0].Found, t.Fallback, t.Repaired = rung.Redact, []string{"EMAIL"}, 1, true
	}
	return t
}

// storedTraces makes a directory with a store of ten traces, of which some were judged, and goes there.
func storedTraces(t *testing.T) string {
	t.Helper()
	t.Setenv("TZ", "UTC")
	t.Setenv("RUNG_DATABASE_URL", "")
	dir := t.TempDir()
	st, err := sqlite.OpenServing(context.Background(), filepath.Join(dir, storeName))
	if err != nil {
		t.Fatal(err)
	}
	for i := range 10 {
		putTrace(t, st, i)
	}
	for _, f := range []rung.Feedback{
		{ID: "f1", Trace: tracedID(1), Thumb: 1, By: "ben", At: tracedDay.Add(time.Minute)},
		{ID: "f2", Trace: tracedID(2), Thumb: -1, Comment: "wrong\nkind", At: tracedDay.Add(time.Minute)},
		{ID: "f3", Trace: tracedID(3), Correction: json.RawMessage(`"top_up"`), By: "ada", At: tracedDay.Add(2 * time.Minute)},
	} {
		if err := st.PutFeedback(context.Background(), f); err != nil {
			t.Fatal(err)
		}
	}
	if err := st.Close(); err != nil {
		t.Fatal(err)
	}
	t.Chdir(dir)
	return dir
}

func putTrace(t *testing.T, st store.Serving, i int) {
	t.Helper()
	if err := st.PutTraces(context.Background(), []rung.Trace{traced(i)}); err != nil {
		t.Fatal(err)
	}
}

func TestTraceCommands(t *testing.T) {
	storedTraces(t)
	for name, args := range map[string][]string{
		"list": {"traces"}, "errors": {"traces", "--errors"}, "release": {"traces", "--release", "tickets@v2", "--arm", "baseline", "-n", "2"},
		"show": {"traces", "show", tracedID(7)[:16]}, "show_failed": {"traces", "show", tracedID(3)}, "proposals": {"traces", "proposals"},
		"nothing": {"traces", "--task", "other"},
	} {
		t.Run(name, func(t *testing.T) { readGolden(t, mustRun(t, args...)) })
	}
}

func TestTracesAsJSON(t *testing.T) {
	storedTraces(t)
	var all tracesDocument
	decodeJSON(t, &all, "traces", "--json", "--feedback")
	if len(all.Traces) != 3 || all.Traces[0].ID != tracedID(3) {
		t.Errorf("%+v", all)
	}
	var shown traceDocument
	decodeJSON(t, &shown, "traces", "show", tracedID(1), "--json")
	if shown.Trace.Latency != traced(1).Latency || len(shown.Feedback) != 1 || shown.Feedback[0].Thumb != 1 {
		t.Errorf("%+v", shown)
	}
	var none tracesDocument
	decodeJSON(t, &none, "traces", "--task", "other", "--json")
	if none.Traces == nil || len(none.Traces) != 0 {
		t.Errorf("%+v", none)
	}
	var proposed proposalsDocument
	decodeJSON(t, &proposed, "traces", "proposals", "--json")
	if len(proposed.Proposals) != 1 || string(proposed.Proposals[0].Output) != `"top_up"` {
		t.Errorf("%+v", proposed)
	}
}

const ticketsTask = `task: tickets
instructions: Which kind is it?
input: {text: string}
output: {labels: [card, top_up]}
examples: more.jsonl
bar: {metric: accuracy, at_least: 0.8}
models: [local/smollm2-135m]
`

// TestExportedExamplesAreAccepted: what export writes is what rung check reads.
func TestExportedExamplesAreAccepted(t *testing.T) {
	dir := storedTraces(t)
	st, err := sqlite.OpenServing(t.Context(), filepath.Join(dir, storeName))
	if err != nil {
		t.Fatal(err)
	}
	for i := 10; i < 80; i++ {
		putTrace(t, st, i)
	}
	if err := st.Close(); err != nil {
		t.Fatal(err)
	}
	out := mustRun(t, "traces", "export", "--examples", "-o", "more.jsonl")
	want := "more.jsonl: 76 lines\nleft out: 1 (a shadow's answer, which nobody saw)\nleft out: 1 (judged bad, and nobody corrected it)\nleft out: 1 (kept without its text)\nleft out: 1 (passed through without a task)\n"
	if out != want {
		t.Errorf("got %q, want %q", out, want)
	}
	if info, err := os.Stat("more.jsonl"); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("%v, %v", info, err)
	}
	if err := os.WriteFile("task.yaml", []byte(ticketsTask), 0o644); err != nil {
		t.Fatal(err)
	}
	var checked struct {
		Examples struct{ Rows, Kept, Train, Dev, Heldout int }
	}
	status, text, errs := rungCommand(t, "check", "task.yaml", "--json")
	if err := json.Unmarshal([]byte(text), &checked); err != nil || status != 0 {
		t.Fatalf("rung check: status %d, %v: %s", status, err, errs)
	}
	judged := mustRun(t, "traces", "export", "--examples", "--feedback")
	if lines := strings.Split(strings.TrimSpace(judged), "\n"); len(lines) != 2 || !strings.Contains(lines[1], `"output":"top_up"`) || !strings.Contains(lines[0], `"segment":"de"`) {
		t.Errorf("with feedback: %s", judged)
	}
	raw := mustRun(t, "traces", "export", "--errors")
	if !strings.Contains(raw, `"code":"timeout"`) || !strings.Contains(raw, `"feedback":[{"id":"f3"`) || strings.Count(raw, "\n") != 1 {
		t.Errorf("raw: %s", raw)
	}
	left, err := filepath.Glob(".rung-export-*")
	if err != nil || len(left) > 0 {
		t.Errorf("left behind: %v, %v", left, err)
	}
}

func TestFeedbackCommand(t *testing.T) {
	storedTraces(t)
	if out := mustRun(t, "feedback", tracedID(8)[:16], "--down", "--correction", `"top_up"`, "--comment", "ask bob@example.org"); out != "Kept for trace "+tracedID(8)+".\n" {
		t.Errorf("said %q", out)
	}
	mustRun(t, "feedback", tracedID(8), "--score", "0")
	var shown traceDocument
	decodeJSON(t, &shown, "traces", "show", tracedID(8), "--json")
	if len(shown.Feedback) != 2 || shown.Feedback[0].Thumb != -1 || shown.Feedback[1].Score == nil || *shown.Feedback[1].Score != 0 {
		t.Fatalf("%+v", shown.Feedback)
	}
	if c := shown.Feedback[0].Comment; strings.Contains(c, "bob@") || !strings.HasPrefix(c, "ask ") {
		t.Errorf("the comment is kept as %q", c)
	}
	var proposed proposalsDocument
	decodeJSON(t, &proposed, "traces", "proposals", "--task", "tickets", "--json")
	if n := len(proposed.Proposals); n != 2 {
		t.Errorf("%d proposals", n)
	}
}

func TestTraceCommandsSayWhatIsWrong(t *testing.T) {
	storedTraces(t)
	for _, c := range []struct {
		args   []string
		status int
		says   string
	}{
		{[]string{"traces", "show", "ffff"}, 7, "no such trace"},
		{[]string{"traces", "show", tracedID(0)[:4]}, 7, "several traces begin like this"},
		{[]string{"traces", "--since", "yesterday"}, 2, "write 2h, 7d"},
		{[]string{"traces", "--since", "-3h"}, 2, "write 2h, 7d"},
		{[]string{"traces", "-n", "-1"}, 2, "must not be negative"},
		{[]string{"traces", "--task", "a", "--release", "b@v1"}, 2, "do not go together"},
		{[]string{"traces", "export", "--json"}, 2, "name it with -o"},
		{[]string{"traces", "export", "-o", "/nowhere/x"}, 2, "cannot be written"},
		{[]string{"feedback", tracedID(1)}, 2, "say something"},
		{[]string{"feedback", tracedID(1), "--up", "--down"}, 2, "do not go together"},
		{[]string{"feedback", tracedID(1), "--score", "2"}, 2, "between 0 and 1"},
		{[]string{"feedback", tracedID(1), "--score", "NaN"}, 2, "between 0 and 1"},
		{[]string{"feedback", tracedID(1), "--correction", "{"}, 2, "is no JSON"},
		{[]string{"feedback", strings.Repeat("0", 32), "--up"}, 7, "no such trace"},
	} {
		status, out, errs := rungCommand(t, c.args...)
		if status != c.status || !strings.Contains(errs, c.says) || out != "" {
			t.Errorf("rung %q: exit status %d, want %d; said %q (%q on standard output), want %q", c.args, status, c.status, errs, out, c.says)
		}
	}
}

// TestTail follows while traces are written, and ends well when it is interrupted.
func TestTail(t *testing.T) {
	for _, asJSON := range []bool{false, true} {
		dir := storedTraces(t)
		st, err := sqlite.OpenServing(t.Context(), filepath.Join(dir, storeName))
		if err != nil {
			t.Fatal(err)
		}
		args := []string{"traces", "tail", "-n", "2", "--task", "tickets"}
		if asJSON {
			args = append(args, "--json")
		}
		ctx, interrupt := context.WithTimeout(t.Context(), time.Minute)
		out, in := io.Pipe()
		status := make(chan int, 1)
		go func() {
			status <- Main(ctx, args, Streams{In: strings.NewReader(""), Out: in, Err: io.Discard})
			_ = in.Close()
		}()
		lines := bufio.NewScanner(out)
		next := func(i int) {
			t.Helper()
			want := tracedID(i)[:16]
			if !lines.Scan() || !strings.Contains(lines.Text(), want) || asJSON != json.Valid(lines.Bytes()) {
				t.Fatalf("got %q, want %s", lines.Text(), want)
			}
		}
		next(8)
		next(9)
		for _, i := range []int{10, 11} {
			putTrace(t, st, i)
			other := traced(100 + i) // of no interest
			other.Task = "other"
			if err := st.PutTraces(t.Context(), []rung.Trace{other}); err != nil {
				t.Fatal(err)
			}
			next(i)
		}
		interrupt()
		if s := <-status; s != 0 {
			t.Errorf("exit status %d", s)
		}
		if err := st.Close(); err != nil {
			t.Error(err)
		}
	}
}

// TestTracesOfADatabase: the variable alone leads to the database, without a store.
func TestTracesOfADatabase(t *testing.T) {
	t.Setenv("RUNG_DATABASE_URL", "postgres://u:hidden-word@127.0.0.1:1/x")
	t.Chdir(t.TempDir())
	status, out, errs := rungCommand(t, "traces")
	if status != 6 || out != "" || !strings.Contains(errs, "127.0.0.1:1") || strings.Contains(errs, "hidden-word") {
		t.Errorf("status %d, said %q", status, errs)
	}
}

func TestParseSince(t *testing.T) {
	now := tracedDay
	for text, want := range map[string]time.Time{"2h": now.Add(-2 * time.Hour), "7d": now.AddDate(0, 0, -7), "1h30m": now.Add(-90 * time.Minute),
		"2026-11-01T00:00:00Z": time.Date(2026, 11, 1, 0, 0, 0, 0, time.UTC)} {
		if got, err := parseSince(text, now); err != nil || !got.Equal(want) {
			t.Errorf("%s is %v, %v", text, got, err)
		}
	}
	bad := []string{"", "d", "-1d", "0h", "tomorrow", "2026-13-01", "99999999d"}
	if i := slices.IndexFunc(bad, func(s string) bool { _, err := parseSince(s, now); return err == nil }); i >= 0 {
		t.Errorf("%q is taken", bad[i])
	}
}
