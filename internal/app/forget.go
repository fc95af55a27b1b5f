package app

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"os"
	"slices"

	"github.com/rung-dev/rung"
	"github.com/rung-dev/rung/internal/form"
	"github.com/rung-dev/rung/internal/grade"
	"github.com/rung-dev/rung/internal/ifeval"
	"github.com/rung-dev/rung/internal/recipe"
	"github.com/rung-dev/rung/internal/stats"
)

// ForgetOptions say what is measured for forgetting.
type ForgetOptions struct {
	Subject   string // carries an adapter; empty: what the latest run decided for
	File      string // prompts with verifiable instructions
	N         int    // prompts; 0: DefaultPrompts for local models, all for others; below 0: all
	MaxTokens int    // of one answer; 0: DefaultAnswer
	AtMost    *float64
	Version   string
}

// DefaultPrompts is how many prompts a local model is asked: with 120 and one answer in five changed by the tuning, a loss of 12 points
// is found four times out of five, and it takes minutes. DefaultAnswer bounds an answer in tokens; longer answers are cut and checked
// as they are, for both sides alike.
const (
	DefaultPrompts = 120
	DefaultAnswer  = 256
)

// ForgettingReport compares what a tuned model and its base make of prompts that have nothing to do with the task.
type ForgettingReport struct {
	Task        string           `json:"task"`
	Subject     rung.SubjectInfo `json:"subject"`
	Base        rung.SubjectInfo `json:"base"`
	Suite       rung.SuiteInfo   `json:"suite"`
	Of          int              `json:"of"` // prompts in the file
	MaxTokens   int              `json:"max_tokens"`
	Measures    []Forgotten      `json:"measures"`
	Kinds       []KindForgotten  `json:"kinds"`
	Cut         [2]int           `json:"cut"` // answers that hit the limit: base, tuned
	AtMost      *float64         `json:"at_most,omitempty"`
	Verdict     rung.Verdict     `json:"verdict,omitempty"`
	Reason      string           `json:"reason,omitempty"`
	Level       float64          `json:"level"`
	Evaluations [2]string        `json:"evaluations"` // base, tuned
	Calls       rung.Calls       `json:"calls"`
	CostUSD     float64          `json:"cost_usd"`
	Wall        float64          `json:"wall_s"`
	Notes       []string         `json:"notes,omitempty"`
}

// Forgotten is one measure on both models; the difference is base − tuned, so that what was forgotten is above 0.
type Forgotten struct {
	Measure string        `json:"measure"`
	Base    rung.Interval `json:"base"`
	Tuned   rung.Interval `json:"tuned"`
	Lost    rung.Interval `json:"lost"`
	P       float64       `json:"p,omitempty"` // two-sided
	Test    string        `json:"test,omitempty"`
}

// KindForgotten counts, for one kind of instruction, how often it was followed (strict).
type KindForgotten struct {
	Kind  string `json:"kind"`
	N     int    `json:"n"`
	Base  int    `json:"base"`
	Tuned int    `json:"tuned"`
}

// followed is what became of one prompt; it takes the place of the answer's value in the score that is kept.
type followed struct {
	Strict  bool   `json:"strict"`
	Loose   bool   `json:"loose"`
	EachS   []bool `json:"each_strict"`
	EachL   []bool `json:"each_loose"`
	Cut     bool   `json:"cut"`
	Content string `json:"answer"`
}

// Forgetting asks a tuned model and its base the same prompts, without the task's instructions, and compares how many verifiable
// instructions each follows.
func (p *Project) Forgetting(ctx context.Context, opt ForgetOptions) (*ForgettingReport, error) {
	sub, err := p.attackSubject(ctx, opt.Subject)
	if err != nil {
		return nil, err
	}
	if sub.Candidate == nil || sub.Candidate.Adapter == nil {
		return nil, &rung.Error{Code: rung.CodeUsage, Place: sub.Name, What: "carries no adapter: nothing was trained, so nothing can be forgotten", Do: "name a lora or rag+lora candidate, such as latest:lora"}
	}
	suite, prompts, of, err := p.promptSuite(sub, &opt)
	if err != nil {
		return nil, err
	}
	r := &ForgettingReport{Task: p.Task.Name, Suite: suite.Info(), Of: of, MaxTokens: opt.MaxTokens, Level: 1 - p.Task.Alpha, AtMost: opt.AtMost}
	var rows [2][]followed
	for i, adapter := range []*rung.Adapter{nil, sub.Candidate.Adapter} {
		plain, err := p.plainSubject(sub, adapter, opt.MaxTokens)
		if err != nil {
			return nil, err
		}
		doc, err := p.followedBy(ctx, plain, suite, prompts, opt.Version)
		if err != nil {
			return nil, err
		}
		if rows[i], err = p.followedRows(ctx, doc, suite, prompts); err != nil {
			return nil, err
		}
		r.add(i, plain, doc, rows[i])
	}
	order := make([]*ifeval.Prompt, len(suite.Examples))
	for i := range suite.Examples {
		order[i] = prompts[suite.Examples[i].ID]
	}
	r.compare(order, rows)
	r.decide()
	return r, nil
}

// promptSuite reads the prompts and takes the first N in an order that their text decides.
func (p *Project) promptSuite(sub *Subject, opt *ForgetOptions) (suite *Suite, prompts map[string]*ifeval.Prompt, of int, err error) {
	f, err := os.Open(opt.File)
	if err != nil {
		return nil, nil, 0, &rung.Error{Code: rung.CodeInput, Place: opt.File, What: "the file cannot be read", Do: "check the path", Err: err}
	}
	defer func() { _ = f.Close() }() // it was only read
	all, err := ifeval.Read(f, opt.File)
	if err != nil {
		return nil, nil, 0, err
	}
	n := opt.N
	if n == 0 && sub.Candidate.Model.Local() {
		n = DefaultPrompts
	}
	if n <= 0 || n > len(all) {
		n = len(all)
	}
	if opt.MaxTokens <= 0 {
		opt.MaxTokens = DefaultAnswer
	}
	chosen := ifeval.Sample(all, n)
	prompts = make(map[string]*ifeval.Prompt, n)
	examples := make([]rung.Example, 0, n)
	for i := range chosen {
		q := &chosen[i]
		input, err := json.Marshal(map[string]string{"prompt": q.Text})
		if err != nil {
			return nil, nil, 0, err
		}
		output, err := json.Marshal(map[string]any{"follows": q.Instructions})
		if err != nil {
			return nil, nil, 0, err
		}
		prompts[q.ID] = q
		examples = append(examples, rung.Example{ID: q.ID, Input: input, Output: output})
	}
	return NewSuite("verifiable instructions", examples), prompts, len(all), nil
}

// plainSubject is the model of a candidate with or without its adapter, asked a bare prompt: no instructions of the task, no form.
func (p *Project) plainSubject(sub *Subject, adapter *rung.Adapter, maxTokens int) (*Subject, error) {
	of := sub.Candidate
	c := rung.Candidate{Rung: rung.Prompt, Model: of.Model, Weights: of.Weights, Input: []rung.Field{{Name: "prompt", Type: "string"}}, Output: rung.Output{Kind: rung.Text},
		Template: rung.Template{Name: "bare", Version: 1, User: "{{.Input}}"}, Adapter: adapter, Decoding: rung.Decoding{MaxTokens: maxTokens, Seed: 1}}
	name := "base of " + sub.Name
	if adapter != nil {
		c.Rung, name = rung.LoRA, sub.Name
	}
	f, err := form.New(c.Output)
	if err != nil {
		return nil, err
	}
	r, err := recipe.NewRunner(c, recipe.Parts{Door: p.Door, Form: f})
	if err != nil {
		return nil, err
	}
	return p.subject(r, rung.SubjectInfo{Name: name, Digest: c.Digest(), Ref: sub.info.Ref}), nil
}

// follower answers prompts and checks the answers.
type follower struct {
	runner  *recipe.Runner
	prompts map[string]*ifeval.Prompt // by the input
}

// Answer implements recipe.Answerer. The answer's value is a followed.
func (f follower) Answer(ctx context.Context, input json.RawMessage) (rung.Answer, error) {
	ans, err := f.runner.Answer(ctx, input)
	if err != nil || ans.Problem == rung.CallFailed || ans.Problem == rung.TimedOut {
		return ans, err
	}
	v := f.prompts[string(input)].Check(ans.Text)
	ans.Value, err = json.Marshal(followed{Strict: ifeval.All(v.Strict), Loose: ifeval.All(v.Loose), EachS: v.Strict, EachL: v.Loose,
		Cut: ans.Finish == "length", Content: shorten(ans.Text, maxHit)})
	ans.Problem, ans.Detail = rung.NoProblem, "" // what is empty or too long follows nothing, and that is its score
	return ans, err
}

func (p *Project) followedBy(ctx context.Context, sub *Subject, suite *Suite, prompts map[string]*ifeval.Prompt, version string) (*rung.Evaluation, error) {
	byInput := make(map[string]*ifeval.Prompt, len(prompts))
	for i := range suite.Examples {
		byInput[string(suite.Examples[i].Input)] = prompts[suite.Examples[i].ID]
	}
	sub.Answerer = follower{sub.Runner(), byInput}
	grader, err := ownGrader("verifiable instructions", rung.MetricSpec{Name: "prompt_strict", Kind: "cel", Expr: "output.strict", PassFail: true},
		rung.MetricSpec{Name: "prompt_loose", Kind: "cel", Expr: "output.loose", PassFail: true})
	if err != nil {
		return nil, err
	}
	return p.EvaluateOn(ctx, sub, suite, EvalOptions{Grader: grader, Metric: "prompt_strict", Full: true, NoBar: true, Version: version})
}

// ownGrader scores values that a suite of our own makes.
func ownGrader(name string, specs ...rung.MetricSpec) (*grade.Grader, error) {
	t := &rung.Task{Name: name, Output: rung.Output{Kind: rung.JSONSchema, Schema: json.RawMessage(`{"type":"object"}`)}, Metrics: specs}
	f, err := form.New(t.Output)
	if err != nil {
		return nil, err
	}
	g, err := grade.New(t, f)
	if err != nil {
		return nil, err
	}
	names := make([]string, len(specs))
	for i := range specs {
		names[i] = specs[i].Name
	}
	return g.Only(names...), nil
}

// followedRows reads the verdicts back in the suite's order. A call that failed follows nothing.
func (p *Project) followedRows(ctx context.Context, doc *rung.Evaluation, suite *Suite, prompts map[string]*ifeval.Prompt) ([]followed, error) {
	byID := map[string]followed{}
	for s, err := range p.Store.Scores(ctx, doc.Subject.Digest, doc.Scores) {
		if err != nil {
			return nil, err
		}
		q := prompts[s.Example]
		if q == nil {
			continue
		}
		var f followed
		if s.Answer.Problem != rung.NoProblem || json.Unmarshal(s.Answer.Value, &f) != nil {
			f = followed{EachS: make([]bool, len(q.Instructions)), EachL: make([]bool, len(q.Instructions))}
		}
		byID[s.Example] = f
	}
	rows := make([]followed, len(suite.Examples))
	for i := range suite.Examples {
		f, ok := byID[suite.Examples[i].ID]
		if !ok {
			return nil, &rung.Error{Code: rung.CodeStore, What: "the score of the prompt " + suite.Examples[i].ID + " is not in the store", Do: "run the same command again"}
		}
		rows[i] = f
	}
	return rows, nil
}

func (r *ForgettingReport) add(i int, sub *Subject, doc *rung.Evaluation, rows []followed) {
	if i == 0 {
		r.Base = sub.Info()
	} else {
		r.Subject = sub.Info()
	}
	r.Evaluations[i] = doc.ID
	card := &doc.Scorecard
	r.Calls.Made += card.Calls.Made
	r.Calls.Cached += card.Calls.Cached
	r.Calls.Failed += card.Calls.Failed
	r.CostUSD += card.CostUSD
	r.Wall += card.WallSeconds
	for _, f := range rows {
		if f.Cut {
			r.Cut[i]++
		}
	}
}

// compare fills in the four measures of the benchmark, and the counts by kind.
func (r *ForgettingReport) compare(order []*ifeval.Prompt, rows [2][]followed) {
	strict := func(f *followed) []bool { return f.EachS }
	loose := func(f *followed) []bool { return f.EachL }
	r.Measures = []Forgotten{
		r.byPrompt("prompt, strict", rows, func(f *followed) bool { return f.Strict }),
		r.byPrompt("prompt, loose", rows, func(f *followed) bool { return f.Loose }),
		r.byInstruction("instruction, strict", rows, strict),
		r.byInstruction("instruction, loose", rows, loose),
	}
	r.Kinds = kindsForgotten(order, rows)
}

func kindsForgotten(order []*ifeval.Prompt, rows [2][]followed) []KindForgotten {
	count := map[string]*KindForgotten{}
	for k, q := range order {
		for j, in := range q.Instructions {
			c := count[in.Kind]
			if c == nil {
				c = &KindForgotten{Kind: in.Kind}
				count[in.Kind] = c
			}
			c.N++
			if rows[0][k].EachS[j] {
				c.Base++
			}
			if rows[1][k].EachS[j] {
				c.Tuned++
			}
		}
	}
	var out []KindForgotten
	for _, kind := range slices.Sorted(maps.Keys(count)) {
		out = append(out, *count[kind])
	}
	return out
}

func (r *ForgettingReport) byPrompt(name string, rows [2][]followed, ok func(*followed) bool) Forgotten {
	var v [2][]float64
	for i := range rows {
		for k := range rows[i] {
			v[i] = append(v[i], one(ok(&rows[i][k])))
		}
	}
	o := stats.Options{Level: r.Level, PassFail: true, Seed: seed}
	lost := stats.MeanDifference(v[1], v[0], nil, stats.Options{Level: r.Level, Seed: seed})
	return Forgotten{Measure: name, Base: rung.Interval(stats.Mean(v[0], nil, o).Interval), Tuned: rung.Interval(stats.Mean(v[1], nil, o).Interval),
		Lost: rung.Interval(lost.Interval), P: stats.McNemar(stats.Discordant(v[0], v[1])).P, Test: "exact McNemar"}
}

// byInstruction is the share of instructions that are followed; those of one prompt form a cluster.
func (r *ForgettingReport) byInstruction(name string, rows [2][]followed, each func(*followed) []bool) Forgotten {
	var v [2][]float64
	var clusters []int
	for i := range rows {
		for k := range rows[i] {
			for _, ok := range each(&rows[i][k]) {
				v[i] = append(v[i], one(ok))
				if i == 0 {
					clusters = append(clusters, k)
				}
			}
		}
	}
	d := make([]float64, len(v[0]))
	for k := range d {
		d[k] = v[0][k] - v[1][k]
	}
	o := stats.Options{Level: r.Level, Seed: seed}
	return Forgotten{Measure: name, Base: rung.Interval(stats.Mean(v[0], clusters, o).Interval), Tuned: rung.Interval(stats.Mean(v[1], clusters, o).Interval),
		Lost: rung.Interval(stats.MeanDifference(v[1], v[0], clusters, o).Interval), P: stats.SignFlip(d, clusters, stats.Resamples, seed), Test: "sign flips by prompt"}
}

func one(yes bool) float64 {
	if yes {
		return 1
	}
	return 0
}

// decide holds the loss of the first measure to what is tolerated, by its interval.
func (r *ForgettingReport) decide() {
	l := r.Measures[0].Lost
	said := fmt.Sprintf("the share of prompts with every instruction followed (strict) fell by %.3g [%.3g–%.3g] (%.3g %% interval, %s, n=%d)", l.Value, l.Low, l.High, 100*l.Level, l.Method, l.N)
	switch {
	case r.AtMost == nil:
		return
	case l.High <= *r.AtMost:
		r.Verdict, r.Reason = rung.Pass, said+fmt.Sprintf(", at most %g over the whole interval", *r.AtMost)
	case l.Low > *r.AtMost:
		r.Verdict, r.Reason = rung.Fail, said+fmt.Sprintf(", more than %g over the whole interval", *r.AtMost)
	default:
		r.Verdict, r.Reason = rung.Inconclusive, said+fmt.Sprintf(", and %g lies inside the interval: ask more prompts", *r.AtMost)
	}
}
