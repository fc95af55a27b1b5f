//go:build unix

package cli

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/rung-dev/rung"
	"github.com/rung-dev/rung/internal/rating"
)

// rateWith runs rung rate in the terminal with lines from in.
func rateWith(t *testing.T, in string, args ...string) string {
	t.Helper()
	var out, errs strings.Builder
	status := Main(context.Background(), append([]string{"rate"}, args...), Streams{In: strings.NewReader(in), Out: &out, Err: &errs})
	if status != 0 {
		t.Fatalf("rung rate %v: status %d: %s", args, status, errs.String())
	}
	return out.String()
}

func decoded[T any](t *testing.T, out string) T {
	t.Helper()
	var v T
	if err := json.Unmarshal([]byte(out), &v); err != nil {
		t.Fatalf("%v in %s", err, out)
	}
	return v
}

// TestRateCommands goes the whole way: plan, queue, two raters in the terminal, adjudication, the result, and to another store.
func TestRateCommands(t *testing.T) {
	_, dir := storedClimb(t)
	dry := decoded[ratePlan](t, mustRun(t, "rate", "make", "answers", "fewshot", "lora", "--raters", "ada,ben", "--overlap", "all", "--dry-run", "--json"))
	if dry.Made || dry.Plan.Items == 0 || dry.Plan.Overlap != dry.Plan.Items || dry.Plan.Gold == 0 || dry.Plan.Detectable <= 0 {
		t.Fatalf("%+v", dry)
	}
	if out := mustRun(t, "rate", "list"); !strings.Contains(out, "No queue yet") {
		t.Errorf("--dry-run made a queue: %s", out)
	}
	if out := mustRun(t, "rate", "make", "answers", "fewshot", "lora", "--raters", "ada,ben", "--overlap", "all"); !strings.Contains(out, "rung rate answers --rater NAME") || !strings.Contains(out, "Krippendorff") {
		t.Errorf("%s", out)
	}
	ask := dry.Plan.Asks[0]
	out := rateWith(t, "1\nx\n2\nu\n0\ns\nc\nhard to say\n1\n", "answers", "--rater", "ada", "--terminal")
	if !strings.Contains(out, "you said: right") || !strings.Contains(out, fmt.Sprintf("3 of %d rated", ask)) || !strings.Contains(out, "the same command goes on here") {
		t.Errorf("%s", out)
	}
	for _, hidden := range []string{"fewshot", "lora", "gold"} {
		if strings.Contains(out, hidden) {
			t.Errorf("the rater is shown %q", hidden)
		}
	}
	out = rateWith(t, strings.Repeat("1\n", ask)+"r\n2\n", "answers", "--rater", "ada", "--terminal")
	if !strings.Contains(out, "1 skipped") || !strings.Contains(out, fmt.Sprintf("Nothing is left: %d rated, 0 skipped", ask)) {
		t.Errorf("%s", out)
	}
	rateWith(t, strings.Repeat("2\n", ask), "answers", "--rater", "ben", "--terminal")
	r := decoded[rating.Result](t, mustRun(t, "rate", "show", "answers", "--json"))
	if len(r.Raters) != 2 || r.Raters[0].Done != ask || r.Raters[0].Comments != 1 || r.Disagreements.Open == 0 || len(r.Shares) != 1 || len(r.Agreement) == 0 {
		t.Fatalf("%+v", r)
	}
	rateWith(t, strings.Repeat("1\n", r.Disagreements.Open), "adjudicate", "answers", "--rater", "lead", "--terminal")
	r = decoded[rating.Result](t, mustRun(t, "rate", "show", "answers", "--json"))
	if r.Disagreements.Open != 0 || r.Disagreements.Settled == 0 {
		t.Errorf("%+v", r.Disagreements)
	}
	for _, want := range []string{"Preferred", "Strength", "Agreement of raters", "Krippendorff's α, nominal", "Intervals at 95 %", "sign flips"} {
		for _, out := range []string{mustRun(t, "rate", "show", "answers"), mustRun(t, "rate", "show", "answers", "--markdown")} {
			if !strings.Contains(out, want) {
				t.Errorf("no %q in\n%s", want, out)
			}
		}
	}
	rateElsewhere(t, dir, 2*ask+r.Disagreements.Settled)
}

// rateElsewhere takes a queue to another store and back.
func rateElsewhere(t *testing.T, dir string, ratings int) {
	t.Helper()
	whole, tasks, other := filepath.Join(dir, "whole.json"), filepath.Join(dir, "tasks.json"), filepath.Join(t.TempDir(), "store")
	mustRun(t, "rate", "export", "answers", "-o", whole)
	mustRun(t, "rate", "export", "answers", "--format", "label-studio", "-o", tasks)
	if err := os.Mkdir(other, 0o700); err != nil {
		t.Fatal(err)
	}
	got := decoded[rateImported](t, mustRun(t, "rate", "import", whole, "--store", other, "--json"))
	if !got.Made || got.New != ratings || got.Read != ratings {
		t.Errorf("%+v, want %d ratings", got, ratings)
	}
	for file, format := range map[string]string{whole: "rung", tasks: "label-studio"} {
		again := decoded[rateImported](t, mustRun(t, "rate", "import", file, "--format", format, "--store", other, "--json"))
		if again.Made || again.New != 0 || again.Read != ratings || again.Unknown != 0 {
			t.Errorf("%s: %+v", format, again)
		}
	}
	if xml := mustRun(t, "rate", "export", "answers", "--label-config"); !strings.Contains(xml, "<Pairwise") {
		t.Errorf("%s", xml)
	}
}

// TestRateRubricCommands: a rubric file, values in the terminal, and a result by criterion.
func TestRateRubricCommands(t *testing.T) {
	_, dir := storedClimb(t)
	put(t, dir, "rubric.yaml", "question: Is it good?\ncriteria:\n  - {name: right, question: Is it right?, checked: true, anchors: {1: no, 5: yes}}\n  - {name: short, question: Is it short?}\n")
	put(t, dir, "gold.jsonl", `{"input": "x", "answers": ["a"], "values": {"right": [4, 5]}}`+"\n")
	mustRun(t, "rate", "make", "r1", "lora", "--rubric", filepath.Join(dir, "rubric.yaml"), "--items", "6", "--gold", filepath.Join(dir, "gold.jsonl"))
	out := rateWith(t, "9\n4\nb\n5\n2\n", "r1", "--rater", "ada", "--terminal")
	if !strings.Contains(out, "Is it good?") || !strings.Contains(out, "5  yes") || !strings.Contains(out, "saved") {
		t.Errorf("%s", out)
	}
	r := decoded[rating.Result](t, mustRun(t, "rate", "show", "r1", "--json"))
	if len(r.Raters) != 1 || r.Raters[0].Done != 1 || r.Kind != rung.Rubric {
		t.Errorf("%+v", r)
	}
}

// TestRateErrors: each mistake ends with the status of its kind and says what to do.
func TestRateErrors(t *testing.T) {
	_, dir := storedClimb(t)
	mustRun(t, "rate", "make", "q", "fewshot", "lora")
	put(t, dir, "bad.json", `{"version": 1, "queue": {"name": "show"}}`)
	put(t, dir, "bad.yaml", "criteria: []")
	for _, c := range []struct {
		status int
		says   string
		args   []string
	}{
		{7, "rung rate make", []string{"nope"}}, {8, "choose another name", []string{"make", "q", "fewshot", "lora", "--seed", "7"}}, {2, "one candidate", []string{"make", "q"}},
		{2, "a command", []string{"make", "show", "fewshot", "lora"}}, {2, "twice", []string{"make", "x", "lora", "lora"}}, {7, "nothing of this name", []string{"make", "x", "ffff", "lora"}},
		{2, "named twice", []string{"make", "x", "fewshot", "lora", "--raters", "a,a"}}, {2, "--overlap", []string{"make", "x", "fewshot", "lora", "--overlap", "some"}},
		{2, "--raters", []string{"make", "x", "fewshot", "lora", "--raters", "0"}}, {2, "1 to 8", []string{"make", "x", "lora", "--rubric", filepath.Join(dir, "bad.yaml")}},
		{2, "needs 2 candidates", []string{"make", "x", "lora"}}, {2, "rater's name", []string{"q", "--rater", "a b", "--terminal"}}, {7, "no such", []string{"show", "nope"}},
		{2, "--level", []string{"show", "q", "--level", "2"}}, {2, "label-studio", []string{"export", "q", "--format", "csv"}}, {2, "cannot be read", []string{"import", "nope.json"}},
		{2, "is a command", []string{"import", filepath.Join(dir, "bad.json")}}, {2, "--field", []string{"import", filepath.Join(dir, "bad.json"), "--field", "x=y"}}, {2, "one queue", nil},
	} {
		status, _, errs := rungCommand(t, append([]string{"rate"}, c.args...)...)
		if status != c.status || !strings.Contains(errs, c.says) {
			t.Errorf("rung rate %v: status %d, want %d: %s", c.args, status, c.status, errs)
		}
	}
}

// TestSIGKILLLosesNoRating kills the process of the page right after it acknowledged a rating; the next one goes on behind it.
func TestSIGKILLLosesNoRating(t *testing.T) {
	storedClimb(t)
	mustRun(t, "rate", "make", "q", "fewshot", "lora", "--checks", "0")
	for done := range 4 {
		cmd := exec.Command(os.Args[0], "rate", "q", "--rater", "ada", "--json")
		cmd.Env = append(os.Environ(), "RUNG_TEST_MAIN=1")
		out, err := cmd.StdoutPipe()
		if err != nil {
			t.Fatal(err)
		}
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		p := &process{cmd: cmd}
		t.Cleanup(p.kill)
		var start rateStart
		if err := json.NewDecoder(out).Decode(&start); err != nil {
			t.Fatalf("it does not listen: %v", err)
		}
		if start.Done != done {
			t.Fatalf("after %d acknowledged ratings and as many kills, %d are there", done, start.Done)
		}
		state := page(t, http.MethodGet, start.URL+"state", "")
		if state.Question == nil || state.Done != done {
			t.Fatalf("%+v", state)
		}
		page(t, http.MethodPost, start.URL+"rate", fmt.Sprintf(`{"item":%q,"choice":"left"}`, state.Question.Item))
		p.kill()
	}
}

// page asks the page's server as the page does.
func page(t *testing.T, method, url, body string) *rating.State {
	t.Helper()
	req, err := http.NewRequestWithContext(context.Background(), method, url, bytes.NewBufferString(body))
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Content-Type", "application/json")
	if method == http.MethodPost {
		req.Header.Set("Origin", "http://"+req.Host)
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	b, err := io.ReadAll(resp.Body)
	if err != nil || resp.StatusCode != http.StatusOK {
		t.Fatalf("%s: %v %s", resp.Status, err, b)
	}
	state := decoded[rating.State](t, string(b))
	return &state
}
