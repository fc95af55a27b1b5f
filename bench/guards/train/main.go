// Command train makes the linear models of the guards from the train splits of public data, and says by cross-validation how well
// they do. Nothing that the benchmark measures on is read: not the test split of deepset_prompt_injections, nothing of
// bipia, snips and banking77.
//
//	go run ./bench/guards/train            # figures only
//	go run ./bench/guards/train -write     # and write the models into internal/guard
package main

import (
	"bufio"
	"encoding/json"
	"flag"
	"fmt"
	"log"
	"os"
	"path/filepath"
	"slices"

	"github.com/rung-dev/rung/internal/guard"
	"github.com/rung-dev/rung/internal/guard/linear"
)

func main() {
	data := flag.String("data", filepath.Join("..", "shared", "data"), "folder of the data sets")
	write := flag.Bool("write", false, "write the models into internal/guard")
	flag.Parse()
	log.SetFlags(0)
	user, request := userExamples(*data), requestExamples(*data)
	train("injection.bin", user, linear.Training{Epochs: 20, Rate: .5, Decay: 1e-5, Seed: 1}, *write)
	train("request.bin", request, linear.Training{Epochs: 8, Rate: .5, Decay: 1e-5, Seed: 1}, *write)
}

// row is a line of any of the data sets.
type row struct {
	Text     string                           `json:"text"`
	Label    json.RawMessage                  `json:"label"`
	Chosen   string                           `json:"chosen"`
	Prompt   string                           `json:"prompt"`
	Messages []struct{ Role, Content string } `json:"messages"`
}

func rows[T any](data, set, file string) []T {
	f, err := os.Open(filepath.Join(data, set, file))
	if err != nil {
		log.Fatal(err)
	}
	defer func() { _ = f.Close() }()
	var out []T
	lines := bufio.NewScanner(f)
	lines.Buffer(nil, 1<<24)
	for lines.Scan() {
		var r T
		if err := json.Unmarshal(lines.Bytes(), &r); err != nil {
			log.Fatal(set, ": ", err)
		}
		out = append(out, r)
	}
	if err := lines.Err(); err != nil {
		log.Fatal(err)
	}
	return out
}

// userExamples tell injected instructions from what users ordinarily ask: questions about texts, and the openings of
// conversations.
func userExamples(data string) []linear.Example {
	var out []linear.Example
	for _, r := range rows[row](data, "deepset_prompt_injections", "train.jsonl") {
		out = append(out, linear.Example{Text: guard.FoldText(r.Text), Yes: string(r.Label) == "1", Weight: 1})
	}
	for _, r := range rows[row](data, "covid_qa", "queries.jsonl") {
		out = append(out, linear.Example{Text: guard.FoldText(r.Text), Weight: .25})
	}
	for i, r := range rows[row](data, "hh_rlhf_test", "helpful_base.jsonl") {
		if len(r.Messages) > 0 && i%3 == 0 {
			out = append(out, linear.Example{Text: guard.FoldText(r.Messages[0].Content), Weight: .5})
		}
	}
	return out
}

// requestExamples tell sentences that ask for something from sentences of documents.
func requestExamples(data string) []linear.Example {
	var out []linear.Example
	add := func(text string, yes bool, weight float64) {
		for _, s := range guard.Sentences(guard.FoldText(text)) {
			if len(s) >= 12 {
				out = append(out, linear.Example{Text: s, Yes: yes, Weight: weight})
			}
		}
	}
	for _, r := range rows[row](data, "covid_qa", "queries.jsonl") {
		add(r.Text, true, .5)
	}
	for _, r := range rows[row](data, "deepset_prompt_injections", "train.jsonl") {
		if string(r.Label) == "0" || len(r.Text) < 120 {
			add(r.Text, true, 1)
		}
	}
	for _, r := range rows[row](data, "ifeval", "all.jsonl") { // how an answer is to look, as attacks too ask for
		add(r.Prompt, true, 1)
	}
	for _, r := range rows[row](data, "hh_rlhf_test", "helpful_base.jsonl") {
		if len(r.Messages) > 0 {
			add(r.Messages[0].Content, true, 1)
		}
		add(r.Chosen, false, .5)
	}
	for i, r := range rows[row](data, "scifact", "corpus.jsonl") {
		if i%5 == 0 {
			add(r.Text, false, .5)
		}
	}
	for i, r := range rows[row](data, "covid_qa", "corpus.jsonl") {
		if i%4 == 0 {
			add(r.Text, false, .5)
		}
	}
	return out
}

// train cross-validates over five folds, prints what each threshold would give, and fits the model on everything.
func train(name string, examples []linear.Example, t linear.Training, write bool) {
	var yes, no []float64
	for fold := range 5 {
		var in, out []linear.Example
		for i, e := range examples {
			if i%5 == fold {
				out = append(out, e)
			} else {
				in = append(in, e)
			}
		}
		m, err := linear.Train(in, t)
		if err != nil {
			log.Fatal(err)
		}
		for _, e := range out {
			if s := scoreOf(m, e); e.Yes {
				yes = append(yes, s)
			} else {
				no = append(no, s)
			}
		}
	}
	fmt.Printf("%s: %d of the class, %d not; five-fold cross-validation\n", name, len(yes), len(no))
	fmt.Println("  threshold  recall  false positives")
	for _, limit := range []float64{.3, .5, .7, .8, .9, .95, .98} {
		fmt.Printf("  %9.2f  %6.3f  %15.4f\n", limit, share(yes, limit), share(no, limit))
	}
	if !write {
		return
	}
	m, err := linear.Train(examples, t)
	if err != nil {
		log.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join("internal", "guard", name), m.Bytes(), 0o644); err != nil {
		log.Fatal(err)
	}
}

func scoreOf(m *linear.Model, e linear.Example) float64 {
	if e.Features != nil {
		return m.ScoreFeatures(e.Features)
	}
	return m.Score(e.Text)
}

// share of the scores that reach a threshold.
func share(scores []float64, limit float64) float64 {
	n := len(scores)
	over := slices.DeleteFunc(slices.Clone(scores), func(s float64) bool { return s < limit })
	return float64(len(over)) / float64(max(1, n))
}
