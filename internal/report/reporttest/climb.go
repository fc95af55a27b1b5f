// Package reporttest makes the record of a climb for tests: a document with its candidates, examples, scores and
// completions, consistent with each other and the same for the same seed. Nothing in it comes from a model.
package reporttest

import (
	"encoding/json"
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"strings"
	"time"

	"github.com/rung-dev/rung"
	"github.com/rung-dev/rung/internal/model"
)

// Climb is everything that a climb leaves behind.
type Climb struct {
	Doc         *rung.Document
	Heldout     rung.Heldout
	Candidates  []*rung.Candidate
	Scores      map[rung.Digest][]rung.Score // by candidate, in the order of the examples
	Completions []rung.Completion
}

// Options shape a climb.
type Options struct {
	Seed     uint64
	N        int    // held-out examples
	Local    bool   // a local model: cost 0
	NonePass bool   // the bar is out of reach
	Docs     bool   // the task has documents, so that every rung is scored
	Hostile  string // answer text put in the place of the first three answers of every rung
}

// plan is how well one rung does and what it costs.
type plan struct {
	rung    rung.Rung
	skill   float64 // shifts the chance to be right
	broken  float64 // share of answers that are no JSON
	in, out int     // mean tokens
	millis  float64 // mean latency
	label   string
	tried   []string
}

var plans = []plan{
	{rung.Prompt, -2.2, .07, 214, 38, 410, "short template, constrained", []string{"long template, constrained", "short template, free"}},
	{rung.FewShot, -.1, .004, 1480, 37, 690, "k=5 nearest by embedding", []string{"k=3 balanced, fixed", "k=5 nearest by BM25", "k=8 nearest by embedding"}},
	{rung.RAG, .2, .03, 1890, 41, 910, "4 passages, BM25 and vectors", []string{"2 passages, BM25", "6 passages, BM25 and vectors"}},
	{rung.LoRA, 1.9, 0, 196, 34, 395, "r=16, all linear, lr 0.002, 3 epochs", []string{"r=8, q_proj and v_proj, lr 0.0002", "r=8, q_proj and v_proj, lr 0.003"}},
	{rung.RAGLoRA, 2.3, 0, 1820, 36, 880, "4 passages, r=16, all linear", nil},
}

// New makes a climb.
func New(o Options) *Climb {
	if o.N == 0 {
		o.N = 140
	}
	b := &builder{o: o, rnd: rand.New(rand.NewPCG(o.Seed, 7)), climb: &Climb{Scores: map[rung.Digest][]rung.Score{}}}
	b.examples()
	b.document()
	return b.climb
}

type builder struct {
	o        Options
	rnd      *rand.Rand
	climb    *Climb
	cases    []request
	hardness []float64
}

func (b *builder) examples() {
	examples := make([]rung.Example, b.o.N)
	for i := range examples {
		c := b.request()
		b.cases = append(b.cases, c)
		b.hardness = append(b.hardness, b.rnd.NormFloat64()*1.6)
		examples[i] = rung.Example{
			ID: fmt.Sprintf("u%04d", i+1), Input: mustJSON(map[string]string{"utterance": c.text}), Output: c.value(), Split: rung.HeldoutIs,
			Segment: c.intent,
		}
	}
	b.climb.Heldout = rung.Freeze(examples, rung.DigestOf(examples))
}

func (b *builder) document() {
	d := &rung.Document{
		Run: "20261122-094100-5e81c2", Task: "assistant-commands", Version: "0.1.0",
		Started: time.Date(2026, 11, 22, 9, 41, 0, 0, time.UTC),
		Heldout: rung.HeldoutInfo{N: b.o.N, Digest: b.climb.Heldout.Digest()},
		Bar: rung.BarInfo{Metric: "slot_f1", AtLeast: .6, MinGain: .02, Guards: map[string]float64{"json_valid": .99},
			MaxP95Millis: 3000, MaxCostPerSuccess: .01, Alpha: .05, Level: .99},
		Notes: []string{"3 pairs of near-duplicates were kept together in train."},
	}
	if b.o.NonePass {
		d.Bar.AtLeast = .97
	}
	b.climb.Doc = d
	for _, p := range plans {
		d.Rungs = append(d.Rungs, b.outcome(p))
	}
	b.compare()
	b.decide()
}

// outcome scores one rung; rungs with retrieval are skipped where the task has no documents.
func (b *builder) outcome(p plan) rung.Outcome {
	if p.rung.Retrieves() && !b.o.Docs {
		return rung.Outcome{Rung: p.rung, Status: rung.Skipped, Reason: "the task names no documents; retrieval has nothing to retrieve from"}
	}
	cand := b.candidate(p)
	digest := cand.Digest()
	b.climb.Candidates = append(b.climb.Candidates, cand)
	scores := make([]rung.Score, b.o.N)
	for i := range scores {
		scores[i] = b.score(p, cand, i)
	}
	b.climb.Scores[digest] = scores
	card := scorecard(digest, scores, b.climb.Doc.Bar.Level)
	bar := card.Metrics[b.climb.Doc.Bar.Metric]
	out := rung.Outcome{
		Rung: p.rung, Status: rung.Scored, Candidate: digest, Model: cand.Model, Metrics: card.Metrics, N: b.o.N,
		Calls: card.Calls, Tokens: card.Tokens, CostUSD: card.CostUSD, CostPerSuccess: card.CostPerSuccess,
		WallSeconds: card.WallSeconds, P50Millis: card.P50Millis, P95Millis: card.P95Millis, Retries: card.Retries, Scorecard: card,
	}
	switch at, valid := b.climb.Doc.Bar.AtLeast, card.Metrics["json_valid"]; {
	case valid.Value < .99:
		out.Verdict, out.Reason = rung.Fail, fmt.Sprintf("the guard json_valid %.3f is below 0.99", valid.Value)
	case bar.Low >= at:
		out.Verdict, out.Reason = rung.Pass, fmt.Sprintf("the lower bound %.3f reaches %.2f", bar.Low, at)
	case bar.High < at:
		out.Verdict, out.Reason = rung.Fail, fmt.Sprintf("the upper bound %.3f is below %.2f", bar.High, at)
	default:
		out.Verdict, out.Reason = rung.Inconclusive, fmt.Sprintf("%.2f lies between the bounds", at)
		out.NeededN = b.o.N * 3
	}
	tried := len(p.tried) + 1
	out.Building = &rung.Effort{Calls: rung.Calls{Made: 60 * tried}, Tokens: rung.Tokens{In: 60 * tried * p.in, Out: 60 * tried * p.out}, CostUSD: card.CostUSD / 2,
		WallSeconds: float64(tried) * 21}
	b.search(p, &out, bar.Value)
	return out
}

// search adds what was tried on dev, and the learning curve of a trained rung.
func (b *builder) search(p plan, out *rung.Outcome, value float64) {
	for i, label := range p.tried {
		v := max(0, value-.03*float64(i+1))
		out.Search = append(out.Search, rung.Trial{Candidate: rung.DigestOf(label), Label: label, Value: v, N: 60, CostUSD: out.CostUSD / 4})
	}
	out.Search = append(out.Search, rung.Trial{Candidate: out.Candidate, Label: p.label, Value: value + .02, N: 60, Chosen: true, CostUSD: out.CostUSD / 4})
	if !p.rung.Trains() {
		return
	}
	for _, n := range []int{70, 140, 280, 560} {
		out.Curve = append(out.Curve, rung.CurvePoint{Examples: n, Value: value * (1 - .9*math.Exp(-float64(n)/180)), Unit: "slot_f1"})
	}
}

func (b *builder) candidate(p plan) *rung.Candidate {
	c := &rung.Candidate{
		Rung: p.rung, Model: "openai/gpt-4o-mini", Instructions: "Extract the intent and the slots of the user's request.",
		Input:    []rung.Field{{Name: "utterance", Type: "string"}},
		Output:   rung.Output{Kind: rung.JSONSchema, Schema: json.RawMessage(schema)},
		Template: rung.Template{Name: "short", Version: 2, System: "{{.Instructions}}\n{{.OutputForm}}", User: "{{.Input.utterance}}"},
		Decoding: rung.Decoding{MaxTokens: 160, Seed: 1, Constrained: true, Reasks: 1},
	}
	if b.o.Local {
		c.Model, c.Weights = "local/smollm2-135m", rung.DigestBytes([]byte("weights"))
	}
	switch p.rung {
	case rung.FewShot:
		c.Template = rung.Template{Name: "shots", Version: 1, System: c.Template.System, User: "{{range .Demos}}{{.Input}}\n{{.Output}}\n\n{{end}}{{.Input.utterance}}"}
		c.Demos = &rung.Demos{Mode: rung.NearestDense, K: 5, Pool: rung.DigestBytes([]byte("train")), Embedder: "local/minilm",
			Counter: []rung.CounterExample{{
				Demo:  rung.Demo{ID: "t0172", Input: mustJSON(map[string]string{"utterance": "rain tomorrow?"}), Output: json.RawMessage(`{"intent":"weather","slots":{"time":"tomorrow"}}`)},
				Wrong: `{"intent":"weather","slots":{"city":"tomorrow"}}`, Why: "a day is a time, not a city",
			}}}
	case rung.RAG:
		c.Retrieval = &rung.Retrieval{Index: rung.DigestBytes([]byte("index")), K: 4, Embedder: "local/minilm", Query: []string{"utterance"}}
	case rung.LoRA, rung.RAGLoRA:
		c.Adapter = &rung.Adapter{Digest: rung.DigestBytes([]byte("adapter")), Base: rung.DigestBytes([]byte("weights")), Data: rung.DigestBytes([]byte("rows")),
			Params: rung.AdapterParams{Rank: 16, Alpha: 32, Dropout: .05, Targets: []string{"q_proj", "k_proj", "v_proj", "o_proj", "gate_proj", "up_proj", "down_proj"},
				LearningRate: .002, Epochs: 3, BatchSize: 4, Seed: 1}}
	}
	return c
}

const schema = `{"type":"object","properties":{"intent":{"type":"string"},"slots":{"type":"object"}},"required":["intent","slots"]}`

// score answers example i and grades it.
func (b *builder) score(p plan, cand *rung.Candidate, i int) rung.Score {
	c := b.cases[i]
	ans := rung.Answer{Made: 1}
	ans.Text, ans.Value, ans.Problem, ans.Detail = b.answer(p, c, i)
	if b.o.Hostile != "" && i < 3 {
		ans.Text, ans.Value, ans.Problem, ans.Detail = b.o.Hostile, nil, rung.NotJSON, "no JSON value in the answer: "+b.o.Hostile[:min(80, len(b.o.Hostile))]
	}
	ans.Usage = rung.Usage{In: p.in + b.rnd.IntN(30), Out: p.out + b.rnd.IntN(12)}
	ans.Latency = time.Duration((p.millis * math.Exp(.35*b.rnd.NormFloat64())) * float64(time.Millisecond)).Round(time.Millisecond)
	if !b.o.Local {
		ans.CostUSD = float64(ans.Usage.In)*.15e-6 + float64(ans.Usage.Out)*.6e-6
	}
	if p.rung.Retrieves() {
		for k := range 4 {
			ans.Passages = append(ans.Passages, rung.Passage{ID: fmt.Sprintf("handbook/slots.md#%d", (i+k)%9+1), Doc: "handbook/slots.md", Text: passage, Score: 1 / float64(k+1)})
		}
	}
	b.complete(cand, i, &ans)
	values, mistake := grade(c, ans)
	s := rung.Score{Example: b.climb.Heldout.Examples()[i].ID, Answer: ans, Values: values, Success: values["slot_f1"] >= .6}
	if !s.Success {
		s.Mistake = mistake
	}
	return s
}

// complete records the calls of an answer: one, and the re-ask after an answer that was no JSON.
func (b *builder) complete(cand *rung.Candidate, i int, ans *rung.Answer) {
	messages := []model.Message{{Role: "system", Content: cand.Instructions + "\nAnswer with one JSON object, keys intent and slots."}, {Role: "user", Content: b.prompt(cand, i, ans)}}
	tries := 1
	if ans.Problem != rung.NoProblem {
		tries = 2
	}
	for t := range tries {
		req := model.Request{Model: cand.Model, Weights: cand.Weights, Messages: messages, Schema: json.RawMessage(schema), MaxTokens: 160, Seed: 1}
		if cand.Adapter != nil {
			req.Adapter = cand.Adapter.Digest
		}
		key := rung.DigestOf([]any{cand.Digest(), i, t})
		b.climb.Completions = append(b.climb.Completions, rung.Completion{
			Key: key, Model: cand.Model, Request: mustJSON(req), Text: ans.Text, Finish: "stop",
			Usage:   rung.Usage{In: ans.Usage.In, Out: ans.Usage.Out},
			CostUSD: ans.CostUSD, Latency: ans.Latency, Attempts: 1 + i%17/16, At: b.climb.Doc.Started.Add(time.Duration(i) * time.Second),
		})
		ans.Calls = append(ans.Calls, key)
		messages = append(slices.Clone(messages), model.Message{Role: "assistant", Content: ans.Text},
			model.Message{Role: "user", Content: "That is not JSON: " + ans.Detail + ". Answer again."})
	}
	n := len(ans.Calls)
	ans.Made, ans.Retries = n, n-1
	ans.Usage.In, ans.Usage.Out, ans.CostUSD, ans.Latency = ans.Usage.In*n, ans.Usage.Out*n, ans.CostUSD*float64(n), ans.Latency*time.Duration(n)
}

const passage = "A city is named without its country. A time keeps its preposition: “on Friday”, not “Friday”. Numbers stay as they were said. " +
	"A restaurant keeps its article, a list is named without the word list, and an artist is the whole name as it was spoken."

// prompt is the user's message: demonstrations or passages, and the input.
func (b *builder) prompt(cand *rung.Candidate, i int, ans *rung.Answer) string {
	var s strings.Builder
	for _, p := range ans.Passages {
		s.WriteString("[" + p.ID + "]\n" + p.Text + "\n\n")
	}
	if cand.Demos != nil {
		for k := range cand.Demos.K {
			c := b.cases[(i+7*k+1)%len(b.cases)]
			s.WriteString(c.text + "\n" + string(c.value()) + "\n\n")
		}
	}
	return s.String() + b.cases[i].text
}

func mustJSON(v any) json.RawMessage {
	var b strings.Builder
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(v); err != nil {
		panic(err)
	}
	return json.RawMessage(strings.TrimSpace(b.String()))
}
