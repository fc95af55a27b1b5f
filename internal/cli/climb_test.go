package cli

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/rung-dev/rung"
	"github.com/rung-dev/rung/internal/model/modeltest"
)

// words are inputs that share nothing, so that no two examples are near-duplicates.
var words = strings.Fields(`anchor basket candle dragon engine feather garden hammer island jacket kettle ladder magnet needle
orchid pepper quartz ribbon saddle timber urchin velvet walnut yonder zephyr acorn bishop cactus donkey ember falcon goblet
harbor icicle jungle kitten lantern meadow nutmeg oyster parrot quiver raisin salmon tunnel umpire violin wizard yogurt zipper
almond beacon copper desert eagle fossil glacier hazel ivory jasmine kernel lizard marble nectar olive pebble quill rocket
silver turnip utopia vessel willow xenon yarrow zinnia apron bronze cobalt dahlia easel fennel ginger hollow indigo jigsaw
knight lemon mosaic nickel opal pigeon quinoa russet sorrel topaz umber vanilla wharf yeoman zodiac`)

// write makes a task of telling long words from short ones, with a model behind an OpenAI-compatible server.
func writeTask(t *testing.T, extra string) string {
	t.Helper()
	dir := t.TempDir()
	var rows strings.Builder
	for i, w := range words {
		row := map[string]any{"id": fmt.Sprint("w", i), "input": map[string]string{"word": w}, "output": truth(w)}
		b, _ := json.Marshal(row)
		rows.Write(append(b, '\n'))
	}
	put(t, dir, "examples.jsonl", rows.String())
	put(t, dir, "task.yaml", `task: words
instructions: Say whether the word is long or short.
input: {word: string}
output: {labels: [long, short]}
examples: examples.jsonl
bar: {metric: accuracy, at_least: 0.6}
models: [openai/test]
limits: {retries: 0, reasks: 0, timeout: 20s}
`+extra)
	return filepath.Join(dir, "task.yaml")
}

func put(t *testing.T, dir, name, text string) {
	t.Helper()
	if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}

func truth(w string) string {
	if len(w) > 5 {
		return "long"
	}
	return "short"
}

// knows is a model that needs demonstrations: without them it always says "long and short".
func knows(c modeltest.Call) modeltest.Reply {
	if len(c.Messages) > 4 { // more than an answer that was sent back
		w, _, _ := strings.Cut(c.Last(), "\n")
		return modeltest.Reply{Text: truth(w), In: 50, Out: 1}
	}
	return modeltest.Reply{Text: "long and short", In: 20, Out: 3}
}

func serve(t *testing.T, script modeltest.Script) *modeltest.Server {
	t.Helper()
	srv := modeltest.New(script)
	url, stop, err := srv.Listen()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(stop)
	t.Setenv("OPENAI_BASE_URL", url+"/v1")
	t.Setenv("OPENAI_API_KEY", "test")
	return srv
}

// rungOut runs a command line as a user would.
func rungOut(t *testing.T, args ...string) (status int, out, errs string) {
	t.Helper()
	var stdout, stderr bytes.Buffer
	status = Main(context.Background(), args, Streams{In: strings.NewReader(""), Out: &stdout, Err: &stderr})
	return status, stdout.String(), stderr.String()
}

func climbJSON(t *testing.T, task string, args ...string) rung.Document {
	t.Helper()
	status, out, errs := rungOut(t, append([]string{"climb", task, "--json"}, args...)...)
	if status != 0 {
		t.Fatalf("status %d: %s", status, errs)
	}
	var doc rung.Document
	dec := json.NewDecoder(strings.NewReader(out))
	if err := dec.Decode(&doc); err != nil || dec.More() {
		t.Fatalf("standard output is not one document: %v\n%s", err, out)
	}
	return doc
}

func TestClimbEndsOnTheRungThatTheModelNeeds(t *testing.T) {
	serve(t, knows)
	doc := climbJSON(t, writeTask(t, ""))
	if doc.Decision.Rung != rung.FewShot || doc.Decision.Verdict != rung.Pass {
		t.Fatalf("decision %+v", doc.Decision)
	}
	if len(doc.Rungs) != 5 || doc.Rungs[0].Verdict != rung.Fail || doc.Rungs[3].Status != rung.Skipped {
		t.Errorf("rungs %+v", doc.Rungs)
	}
	for _, o := range doc.Rungs {
		asked := doc.Heldout.N
		if o.Stopped != nil && o.Stopped.Of == asked {
			asked = o.Stopped.N
		}
		if o.Status == rung.Scored && (o.N != asked || o.Calls.Made+o.Calls.Failed < o.N) {
			t.Errorf("%s: n %d of %d, calls %+v", o.Rung, o.N, doc.Heldout.N, o.Calls)
		}
		if o.Status == rung.Skipped && o.Reason == "" {
			t.Errorf("%s was skipped in silence", o.Rung)
		}
	}
}

func TestASecondClimbPaysForNothingAndDecidesTheSame(t *testing.T) {
	srv := serve(t, knows)
	task := writeTask(t, "")
	first := climbJSON(t, task)
	calls := srv.Calls()
	second := climbJSON(t, task)
	if n := srv.Calls() - calls; n != 0 {
		t.Errorf("%d calls were paid for again", n)
	}
	for _, o := range second.Rungs {
		if o.Calls.Made != 0 || o.Building != nil && o.Building.Calls.Made != 0 {
			t.Errorf("%s made %d calls", o.Rung, o.Calls.Made)
		}
	}
	if first.Decision.Candidate != second.Decision.Candidate || first.Heldout != second.Heldout {
		t.Errorf("%+v then %+v", first.Decision, second.Decision)
	}
	third := climbJSON(t, task, "--fresh")
	if o := third.Rungs[0]; o.Calls.Made != o.N || o.N != first.Rungs[0].N {
		t.Errorf("--fresh made %d calls for %d examples", o.Calls.Made, o.N)
	}
	full := climbJSON(t, task, "--full")
	if o := full.Rungs[0]; o.N != full.Heldout.N || o.Stopped != nil || o.Calls.Cached != first.Rungs[0].N {
		t.Errorf("--full asked %d of %d, %d from the store", o.N, full.Heldout.N, o.Calls.Cached)
	}
}

func TestFailuresCountAsZeroAndNStays(t *testing.T) {
	faults := []modeltest.Fault{modeltest.ServerError, modeltest.Cut, modeltest.BadJSON, modeltest.NoChoices, modeltest.Endless}
	var mu sync.Mutex
	n := 0
	serve(t, func(c modeltest.Call) modeltest.Reply {
		mu.Lock()
		defer mu.Unlock()
		if n++; n%2 == 0 {
			return modeltest.Reply{Fault: faults[n/2%len(faults)]}
		}
		return modeltest.Reply{Text: "long"}
	})
	doc := climbJSON(t, writeTask(t, ""), "--rungs", "prompt", "--full")
	o := doc.Rungs[0]
	if o.N != doc.Heldout.N || o.Calls.Failed == 0 || o.Scorecard.Problems[rung.CallFailed] != o.Calls.Failed {
		t.Errorf("n %d of %d, calls %+v, problems %v", o.N, doc.Heldout.N, o.Calls, o.Scorecard.Problems)
	}
}

func TestWhatEndsAClimbIsSaidInOneSentence(t *testing.T) {
	for name, c := range map[string]struct {
		fault  modeltest.Fault
		status int
		says   string
	}{
		"wrong key":     {modeltest.BadKey, 4, "OPENAI_API_KEY"},
		"no such model": {modeltest.NoModel, 4, "no model test"},
		"no credit":     {modeltest.NoCredit, 4, "credit"},
	} {
		t.Run(name, func(t *testing.T) {
			serve(t, func(modeltest.Call) modeltest.Reply { return modeltest.Reply{Fault: c.fault} })
			status, out, errs := rungOut(t, "climb", writeTask(t, ""), "--json")
			last := strings.TrimSpace(errs)
			last = last[strings.LastIndexByte(last, '\n')+1:]
			if status != c.status || out != "" || !strings.Contains(last, c.says) || strings.Contains(errs, "goroutine") {
				t.Errorf("status %d, out %q, said:\n%s", status, out, errs)
			}
		})
	}
	t.Run("unreachable", func(t *testing.T) {
		t.Setenv("OPENAI_BASE_URL", "http://127.0.0.1:1/v1")
		t.Setenv("OPENAI_API_KEY", "test")
		status, _, errs := rungOut(t, "climb", writeTask(t, ""))
		if status != 4 || !strings.Contains(errs, "127.0.0.1:1") {
			t.Errorf("status %d: %s", status, errs)
		}
	})
}

func TestAServerWithoutSchemasIsClimbedWithoutThem(t *testing.T) {
	serve(t, func(c modeltest.Call) modeltest.Reply {
		if len(c.Schema) > 0 {
			return modeltest.Reply{Fault: modeltest.NoSchema}
		}
		return modeltest.Reply{Text: "```json\n{\"kind\": \"" + truth(strings.Fields(c.Last())[0]) + "\"}\n```"}
	})
	task := writeTask(t, "")
	dir := filepath.Dir(task)
	text, _ := os.ReadFile(task)
	put(t, dir, "task.yaml", strings.Replace(strings.Replace(string(text), "{labels: [long, short]}", "{json_schema: s.json}", 1), "accuracy", "exact_match", 1))
	put(t, dir, "s.json", `{"type":"object","properties":{"kind":{"enum":["long","short"]}},"required":["kind"]}`)
	rows, _ := os.ReadFile(filepath.Join(dir, "examples.jsonl"))
	fixed := strings.NewReplacer(`"output":"long"`, `"output":{"kind":"long"}`, `"output":"short"`, `"output":{"kind":"short"}`).Replace(string(rows))
	put(t, dir, "examples.jsonl", fixed)
	doc := climbJSON(t, task)
	if doc.Decision.Rung != rung.Prompt || doc.Rungs[0].Metrics["exact_match"].Value != 1 {
		t.Errorf("decision %+v", doc.Decision)
	}
	if !strings.Contains(strings.Join(doc.Notes, "\n"), "schema") {
		t.Errorf("notes %q", doc.Notes)
	}
}

func TestTheBudgetStopsAClimbCleanlyAndMoreOfItGoesOn(t *testing.T) {
	srv := serve(t, knows)
	task := writeTask(t, "")
	prices := filepath.Join(t.TempDir(), "prices.json")
	if err := os.WriteFile(prices, []byte(testPrices), 0o600); err != nil {
		t.Fatal(err)
	}
	status, out, errs := rungOut(t, "climb", task, "--json", "--prices", prices, "--budget", "0.06")
	if status != 5 || !strings.Contains(errs, "budget") {
		t.Fatalf("status %d: %s", status, errs)
	}
	var doc rung.Document
	if err := json.Unmarshal([]byte(out), &doc); err != nil || doc.Decision.Verdict != rung.Inconclusive {
		t.Fatalf("%v in %s", err, out)
	}
	paid := srv.Calls()
	more := climbJSON(t, task, "--prices", prices, "--budget", "50")
	if more.Decision.Rung != rung.FewShot {
		t.Errorf("decision %+v", more.Decision)
	}
	all := srv.Calls()
	fresh := climbJSON(t, writeTask(t, ""), "--prices", prices)
	if total := srv.Calls() - all; all != total {
		t.Errorf("%d calls before and %d after the stop, %d in one go (%s)", paid, all-paid, total, fresh.Run)
	}
}

const testPrices = `{"models":{"openai/test":{"in":10,"out":30}}}`

// TestMain lets the tests run rung as a process of its own that can be killed.
func TestMain(m *testing.M) {
	if os.Getenv("RUNG_TEST_MAIN") == "1" {
		ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM) // as in cmd/rung
		status := Main(ctx, os.Args[1:], Streams{In: os.Stdin, Out: os.Stdout, Err: os.Stderr})
		stop()
		os.Exit(status)
	}
	os.Exit(m.Run())
}

func TestSIGKILLLosesNothingThatWasAnswered(t *testing.T) {
	reached := make(chan struct{})
	var once sync.Once
	srv := serve(t, func(c modeltest.Call) modeltest.Reply {
		if c.N == 60 {
			once.Do(func() { close(reached) })
		}
		r := knows(c)
		r.Delay = 5 * time.Millisecond
		return r
	})
	task := writeTask(t, "")
	cmd := exec.Command(os.Args[0], "climb", task, "--json")
	cmd.Env = append(os.Environ(), "RUNG_TEST_MAIN=1")
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	<-reached
	if err := cmd.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	_ = cmd.Wait()
	before := srv.Calls()
	doc := climbJSON(t, task)
	after := srv.Calls() - before
	cached := 0
	for _, o := range doc.Rungs {
		cached += o.Calls.Cached
		if o.Building != nil {
			cached += o.Building.Calls.Cached
		}
	}
	srvAll := srv.Calls()
	whole := climbJSON(t, writeTask(t, ""))
	total := srv.Calls() - srvAll
	// At most the calls in flight at the kill (four) are paid for twice.
	if before+after > total+4 || cached == 0 {
		t.Errorf("%d calls before the kill, %d after, %d in one go; %d from the store", before, after, total, cached)
	}
	if whole.Decision.Candidate != doc.Decision.Candidate {
		t.Errorf("another decision after the kill")
	}
}
