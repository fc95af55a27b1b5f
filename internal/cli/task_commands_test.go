package cli

import (
	"bytes"
	"context"
	"math"
	"strings"
	"testing"

	"github.com/rung-dev/rung"
	"github.com/rung-dev/rung/internal/form"
	"github.com/rung-dev/rung/internal/grade"
	"github.com/rung-dev/rung/internal/task"
)

// TestTaskFileAndGraderAgree: a task file accepts a metric for an output form exactly when the grader does.
func TestTaskFileAndGraderAgree(t *testing.T) {
	outputs := []rung.Output{
		{Kind: rung.Labels, Labels: []string{"a", "b"}},
		{Kind: rung.JSONSchema, Schema: []byte(`{"type":"object"}`)},
		{Kind: rung.Text},
		{Kind: rung.Tools, Tools: []byte(`[{"name":"a"}]`)},
	}
	for _, out := range outputs {
		f, err := form.New(out)
		if err != nil {
			t.Fatal(err)
		}
		for _, m := range task.Metrics {
			if m.Name == "regex" || m.Name == "cel" {
				continue // defined by the task itself
			}
			g, err := grade.New(&rung.Task{Output: out, Bar: rung.Bar{Metric: m.Name}}, f)
			fits := false
			for _, form := range m.Forms {
				fits = fits || form == out.Kind
			}
			if fits != (err == nil) {
				t.Errorf("%s for %s: the task file says %v, the grader %v", m.Name, out.Kind, fits, err)
			}
			if err != nil {
				continue
			}
			if m.Name == "macro_f1" {
				continue // every example is right or wrong, the figure is no mean of that
			}
			if passes, known := g.PassFail(m.Name); !known || passes != m.PassFail {
				t.Errorf("%s: pass/fail is %v in the task file, %v for the grader", m.Name, m.PassFail, passes)
			}
		}
	}
}

// answers runs the questions of rung init with the lines typed.
func answers(t *testing.T, o *initOptions, lines string) (*initPlan, string, error) {
	t.Helper()
	o.dir = t.TempDir()
	p, err := o.plan(context.Background())
	if err != nil {
		t.Fatal(err)
	}
	var shown bytes.Buffer
	s := &settings{Streams: Streams{In: strings.NewReader(lines), Out: &shown, Err: &shown}}
	if err := askPlan(context.Background(), s, o, p); err != nil {
		return nil, shown.String(), err
	}
	return p, shown.String(), p.fill(o)
}

func TestInitAsks(t *testing.T) {
	p, shown, err := answers(t, &initOptions{}, "my tickets\ntickets\nlables\nlabels\nonly\nred, green ,blue\n\n2\n0.75\n")
	if err != nil {
		t.Fatal(err)
	}
	if p.Name != "tickets" || p.Kind != rung.Labels || strings.Join(p.Labels, "|") != "red|green|blue" || p.Model != defaultModel || p.AtLeast != .75 || p.Metric != "accuracy" {
		t.Errorf("%+v", p)
	}
	for _, want := range []string{"use letters, digits, - and _", "write labels, json, text or tools", "write at least two labels", "above 0 and at most 1", "accuracy of at least (0 to 1) [0.9]"} {
		if !strings.Contains(shown, want) {
			t.Errorf("the questions lack %q:\n%s", want, shown)
		}
	}
}

func TestInitTakesDefaults(t *testing.T) {
	p, _, err := answers(t, &initOptions{}, "\n\n\n\n\n")
	if err != nil {
		t.Fatal(err)
	}
	if p.Kind != rung.Labels || strings.Join(p.Labels, "|") != strings.Join(defaultLabels, "|") || p.AtLeast != .9 || len(p.set.rows) != 12 {
		t.Errorf("%+v", p)
	}
}

// TestInitAsksOnlyForTheRest: what a flag says is not asked again.
func TestInitAsksOnlyForTheRest(t *testing.T) {
	p, shown, err := answers(t, &initOptions{name: "n", output: "text", model: "openai/x", metric: "chrf"}, "55\n")
	if err != nil {
		t.Fatal(err)
	}
	if p.AtLeast != 55 || strings.Count(shown, ": ") != 2 || !strings.Contains(shown, "chrf of at least (0 to 100) [30]: ") {
		t.Errorf("%+v\n%s", p, shown)
	}
}

func TestInitEndsWithoutAnswers(t *testing.T) {
	for _, lines := range []string{"", "name\n", "a b\na b\na b\na b\na b\na b\n"} {
		if _, _, err := answers(t, &initOptions{}, lines); rung.CodeOf(err) != rung.CodeInterrupted && rung.CodeOf(err) != rung.CodeUsage {
			t.Errorf("%q: %v", lines, err)
		}
	}
}

// TestPower compares with figures worked out by hand and by STATISTICS.md's formulas.
func TestPower(t *testing.T) {
	tk := &rung.Task{
		Bar:   rung.Bar{Metric: "accuracy", AtLeast: .8, MinGain: .02},
		Rungs: []rung.Rung{rung.Prompt}, Models: []rung.ModelRef{"openai/m"}, Alpha: .05, Split: task.DefaultSplit,
	}
	p := powerOf(tk, &checkData{Clusters: 100}, true)
	// Wilson at 80 of 100: .7112 to .8666. At 87 of 100 the lower end is .7902, at 88 it is .8020.
	if math.Abs(p.HalfWidth-.0777) > .001 || p.ToPass != .88 {
		t.Errorf("half-width %v, to pass %v", p.HalfWidth, p.ToPass)
	}
	// (1.95996+.84162)² · (.15−.0004)/.0004 = 2936
	if p.NeededN != 2936 || p.NeededAll != 8389 {
		t.Errorf("needs %d held-out of %d", p.NeededN, p.NeededAll)
	}
	// δ = √(r·.15/(1+r)), r = 7.8489/100
	if math.Abs(p.Detectable-.1045) > .0005 {
		t.Errorf("detects %v", p.Detectable)
	}
	// Two rungs halve α, so more is needed; a rung that lacks documents does not count.
	tk.Rungs = []rung.Rung{rung.Prompt, rung.FewShot, rung.RAG}
	two := powerOf(tk, &checkData{Clusters: 100}, true)
	if two.Rungs != 2 || math.Abs(two.Level-.975) > 1e-9 || two.NeededN <= p.NeededN || two.HalfWidth <= p.HalfWidth {
		t.Errorf("%+v", two)
	}
	// Each model has a chance of its own; one that stands elsewhere is not trained.
	tk.Models = append(tk.Models, "local/smollm2-135m")
	tk.Rungs = append(tk.Rungs, rung.LoRA)
	if four := powerOf(tk, &checkData{Clusters: 100}, true); four.Rungs != 5 || math.Abs(four.Level-.99) > 1e-9 {
		t.Errorf("%+v", four)
	}
	tk.Models, tk.Rungs = tk.Models[:1], tk.Rungs[:3]
	// A metric between 0 and 100 has everything in its own unit.
	tk.Bar = rung.Bar{Metric: "chrf", AtLeast: 50, MinGain: 2}
	hundred := powerOf(tk, &checkData{Clusters: 100}, false)
	tk.Bar = rung.Bar{Metric: "token_f1", AtLeast: .5, MinGain: .02}
	one := powerOf(tk, &checkData{Clusters: 100}, false)
	if math.Abs(hundred.Detectable-100*one.Detectable) > 1e-9 || hundred.NeededN != one.NeededN || math.Abs(hundred.ToPass-100*one.ToPass) > 1e-9 {
		t.Errorf("%+v\n%+v", hundred, one)
	}
	// Too few to pass at all.
	tk.Bar = rung.Bar{Metric: "accuracy", AtLeast: .99}
	if few := powerOf(tk, &checkData{Clusters: 20}, true); few.ToPass != 0 || len(few.warnings(tk)) != 1 {
		t.Errorf("%+v", few)
	}
}
