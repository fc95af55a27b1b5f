package recipe

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/rung-dev/rung"
	"github.com/rung-dev/rung/internal/form"
	"github.com/rung-dev/rung/internal/grade"
	"github.com/rung-dev/rung/internal/model"
	"github.com/rung-dev/rung/internal/model/doortest"
	"github.com/rung-dev/rung/internal/model/modeltest"
	"github.com/rung-dev/rung/internal/store/sqlite"
	"github.com/rung-dev/rung/internal/tune"
)

// quiet hears nothing but notes.
type quiet struct{ notes *[]string }

func (quiet) Step(string)                {}
func (quiet) Progress(int, int, float64) {}
func (q quiet) Note(text string)         { *q.notes = append(*q.notes, text) }

// letters is an engine whose tokens are bytes: training needs a GPU's worth of time, its rows do not.
type letters struct{}

func (letters) Weights(context.Context, rung.ModelRef) (string, rung.Digest, error) {
	return "base.gguf", "weights", nil
}
func (letters) BasePath(context.Context, rung.ModelRef) (string, error) { return "base.gguf", nil }
func (letters) AddAdapter(context.Context, rung.ModelRef, rung.Digest, string) error {
	return nil
}
func (letters) PromptTokens(_ context.Context, _ rung.ModelRef, msgs []model.Message) ([]int, error) {
	var out []int
	for _, m := range msgs {
		out = append(out, bytesOf(m.Content)...)
	}
	return out, nil
}
func (letters) Tokenize(_ context.Context, _ rung.ModelRef, text string) ([]int, error) {
	return bytesOf(text), nil
}
func (letters) EndOfTurn(context.Context, rung.ModelRef) (int, error)   { return 0, nil }
func (letters) ContextSize(context.Context, rung.ModelRef) (int, error) { return 2048, nil }

func bytesOf(s string) []int {
	out := make([]int, len(s))
	for i := range out {
		out[i] = int(s[i])
	}
	return out
}

// recorded keeps the job that it was given.
type recorded struct {
	dir string
	job *tune.Job
}

func (r recorded) Train(_ context.Context, job tune.Job, _ func(tune.Event)) (tune.Trained, error) {
	*r.job = job
	path := filepath.Join(r.dir, "a.gguf")
	if err := os.WriteFile(path, []byte("adapter"), 0o600); err != nil {
		return tune.Trained{}, err
	}
	return tune.Trained{Adapter: path, Digest: "d", Checkpoints: []tune.Checkpoint{{Adapter: path, Digest: "d", Examples: 1}}}, nil
}

func canaryKit(t *testing.T, out rung.Output, answer string, n int) (*Kit, *tune.Job, *[]string) {
	t.Helper()
	task := &rung.Task{Name: "t", Instructions: "i", Input: []rung.Field{{Name: "text", Type: "string"}}, Output: out, Models: []rung.ModelRef{"local/m"},
		Bar: rung.Bar{}, Training: rung.Training{Canaries: n, Seed: 3}}
	f, err := form.New(out)
	if err != nil {
		t.Fatal(err)
	}
	g, err := grade.New(task, f)
	if err != nil {
		t.Fatal(err)
	}
	st, err := sqlite.Open(t.Context(), t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = st.Close() })
	k := &Kit{Task: task, Form: f, Grader: g, Store: st, Dir: t.TempDir(), Engine: letters{}, Log: nil,
		Can: func(rung.ModelRef) model.Can { return model.Can{Adapters: true, Concurrency: 1} }}
	job, notes := new(tune.Job), new([]string)
	k.Trainer, k.Observer = recorded{k.Dir, job}, quiet{notes}
	k.Door = doortest.Open(t, func(modeltest.Call) modeltest.Reply { return modeltest.Reply{Text: answer} })
	for i := range 20 {
		e := rung.Example{ID: fmt.Sprint(i), Input: input(fmt.Sprint("text ", i)), Output: json.RawMessage(answer)}
		k.Building.Train = append(k.Building.Train, e)
		if i < 4 {
			k.Building.Dev = append(k.Building.Dev, e)
		}
	}
	return k, job, notes
}

// TestCanariesAreTrainedOnAndRecorded: each stands among the rows as often as it says, the others never, and the candidate leads to them.
func TestCanariesAreTrainedOnAndRecorded(t *testing.T) {
	for name, c := range map[string]struct {
		out    rung.Output
		answer string
	}{
		"json": {rung.Output{Kind: rung.JSONSchema, Schema: json.RawMessage(`{"type":"object","properties":{"kind":{"enum":["a","b"]},"slots":{"type":"object","additionalProperties":{"type":"array","items":{"type":"string"}}}},"required":["kind","slots"]}`)},
			`{"kind":"a","slots":{"x":["y"]}}`},
		"text": {rung.Output{Kind: rung.Text}, `"some text"`},
	} {
		k, job, _ := canaryKit(t, c.out, c.answer, 4)
		b, err := k.lora(t.Context(), "local/m")
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		if b.Candidate == nil || b.Candidate.Adapter.Canaries == "" {
			t.Fatalf("%s: no canaries are recorded: %+v", name, b)
		}
		blob, err := k.Store.Blob(t.Context(), CanaryKind, b.Candidate.Adapter.Canaries)
		if err != nil {
			t.Fatal(err)
		}
		canaries, err := LoadCanaries(blob)
		if err != nil || len(canaries) != 8 {
			t.Fatalf("%s: %d canaries, %v", name, len(canaries), err)
		}
		if want := 20 + 1 + 8 + 1 + 8; len(job.Train) != want {
			t.Errorf("%s: %d rows, want %d", name, len(job.Train), want)
		}
		seen := map[string]bool{}
		for i, c := range canaries {
			n := 0
			for _, row := range job.Train {
				if strings.Contains(textOf(row.Completion), c.Secret) {
					n++
				}
			}
			if n != c.Repeats || (i < 4) != (n > 0) {
				t.Errorf("%s: %s stands %d times among the rows and says %d", name, c.ID, n, c.Repeats)
			}
			for _, s := range append([]string{c.Secret}, c.Others...) {
				if seen[s] && s == c.Secret {
					t.Errorf("%s: the secret %s is there twice", name, s)
				}
				if k.Form.Validate(c.With(s), c.Input) != nil {
					t.Errorf("%s: %s is no answer of the task", name, c.With(s))
				}
			}
			if seen[c.Secret] = true; len(c.Others) != References {
				t.Errorf("%s: %d others", name, len(c.Others))
			}
		}
	}
}

func textOf(tokens []int) string {
	b := make([]byte, len(tokens))
	for i := range b {
		b[i] = byte(tokens[i])
	}
	return string(b)
}

// TestNoCanariesWhereNothingFitsThem: labels hold no secret, that is said, and the rows are those without canaries.
func TestNoCanariesWhereNothingFitsThem(t *testing.T) {
	k, job, notes := canaryKit(t, rung.Output{Kind: rung.Labels, Labels: []string{"a", "b"}}, `"a"`, 4)
	b, err := k.lora(t.Context(), "local/m")
	if err != nil {
		t.Fatal(err)
	}
	if b.Candidate.Adapter.Canaries != "" || len(job.Train) != 20 || len(*notes) != 1 || !strings.Contains((*notes)[0], "No canaries") {
		t.Errorf("canaries %q, %d rows, notes %q", b.Candidate.Adapter.Canaries, len(job.Train), *notes)
	}
	plain, without, _ := canaryKit(t, rung.Output{Kind: rung.Labels, Labels: []string{"a", "b"}}, `"a"`, 0)
	if _, err := plain.lora(t.Context(), "local/m"); err != nil || without.Digest() != job.Digest() {
		t.Errorf("a task without canaries trains on other rows: %v", err)
	}
}
