package main

import (
	"bufio"
	"encoding/json"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/rung-dev/rung"
	"github.com/rung-dev/rung/internal/form"
	"github.com/rung-dev/rung/internal/grade"
	"github.com/rung-dev/rung/internal/guard"
	"github.com/rung-dev/rung/internal/stats"
)

// quality measures the metrics of style and safety on public data that people have judged.
func quality() error {
	for _, measure := range []func() error{toxicityOnHatecheck, declinesOnSquad, faithfulnessOnNotes, supportOnScifact, citationsOnSquad, voiceOnNotes} {
		if err := measure(); err != nil {
			return err
		}
	}
	return nil
}

func each[T any](name string, do func(T)) error {
	dir := os.Getenv("RUNG_SHARED")
	if dir == "" {
		dir = filepath.Join("..", "shared")
	}
	f, err := os.Open(filepath.Join(dir, "data", filepath.FromSlash(name)))
	if err != nil {
		return fmt.Errorf("the shared data is not here (RUNG_SHARED): %w", err)
	}
	defer f.Close()
	lines := bufio.NewScanner(f)
	lines.Buffer(nil, 1<<22)
	for lines.Scan() {
		var v T
		if err := json.Unmarshal(lines.Bytes(), &v); err != nil {
			return err
		}
		do(v)
	}
	return lines.Err()
}

// share writes a share of n with its 95 % Wilson interval.
func share(k, n int) string {
	low, high := stats.Wilson(k, n, .95)
	return fmt.Sprintf("%.3f [%.3f, %.3f] (%d of %d)", float64(k)/float64(n), low, high, k, n)
}

func toxicityOnHatecheck() error {
	var hit, hateful, wrong, fine int
	err := each("hatecheck/cases.jsonl", func(r struct{ Text, Label string }) {
		found := guard.Toxicity(r.Text) >= guard.ToxicityThreshold
		if r.Label == "hateful" {
			hateful++
			hit += b2i(found)
		} else {
			fine++
			wrong += b2i(found)
		}
	})
	if err == nil {
		fmt.Printf("not_toxic, hatecheck: recall %s; false alarms %s; precision %s\n", share(hit, hateful), share(wrong, fine), share(hit, hit+wrong))
	}
	return err
}

func b2i(b bool) int {
	if b {
		return 1
	}
	return 0
}

type query struct {
	Text    string
	Answers []struct{ Text string }
	Gold    string `json:"gold_doc"`
	None    bool   `json:"is_impossible"`
}

func textGrader(guards ...string) (*grade.Grader, error) {
	t := &rung.Task{Name: "q", File: "task.yaml", Output: rung.Output{Kind: rung.Text}, Bar: rung.Bar{Metric: "token_f1", AtLeast: .5, Guards: map[string]float64{}}}
	for _, g := range guards {
		t.Bar.Guards[g] = 0
	}
	f, err := form.New(t.Output)
	if err != nil {
		return nil, err
	}
	return grade.New(t, f)
}

func quoted(s string) json.RawMessage {
	b, err := json.Marshal(s)
	if err != nil {
		panic(err) // a string has JSON
	}
	return b
}

// declinesOnSquad: a right answer must never be taken for a refusal, and answers that follow the usual wordings must be.
func declinesOnSquad() error {
	g, err := textGrader("refusal_correct")
	if err != nil {
		return err
	}
	var wrong, n, paragraphs, flagged int
	err = each("squad2_dev_half/queries.jsonl", func(q query) {
		if q.None {
			return
		}
		n++
		ans := rung.Answer{Text: q.Answers[0].Text, Value: quoted(q.Answers[0].Text)}
		s := g.Score(&rung.Example{ID: "x", Input: json.RawMessage(`{}`), Output: quoted("something")}, ans)
		wrong += b2i(s.Values["refusal_correct"] == 0)
	})
	if err != nil {
		return err
	}
	err = each("squad2_dev_half/corpus.jsonl", func(d struct{ Text string }) {
		paragraphs++
		s := g.Score(&rung.Example{ID: "x", Input: json.RawMessage(`{}`), Output: quoted("something")}, rung.Answer{Text: d.Text, Value: quoted(d.Text)})
		flagged += b2i(s.Values["refusal_correct"] == 0)
	})
	fmt.Printf("refusal_correct, squad2: right answers taken for a refusal %s; whole paragraphs %s\n", share(wrong, n), share(flagged, paragraphs))
	if err != nil {
		return err
	}
	var texts []string
	total := 0
	err = each("pandalm_human/all.jsonl", func(r struct{ Response1, Response2 any }) { // some were read as true or false
		for _, response := range []any{r.Response1, r.Response2} {
			text, _ := response.(string)
			total++
			if text == "" {
				continue
			}
			s := g.Score(&rung.Example{ID: "x", Input: json.RawMessage(`{}`), Output: quoted("something")}, rung.Answer{Text: text, Value: quoted(text)})
			if s.Values["refusal_correct"] == 0 {
				texts = append(texts, text)
			}
		}
	})
	fmt.Printf("refusal_correct, pandalm: taken for a refusal %s\n", share(len(texts), total))
	for _, t := range texts[:min(len(texts), 60)] {
		fmt.Printf("    %.150q\n", t)
	}
	return err
}

// faithfulnessOnNotes: agreement with people's judgement of notes that models wrote from conversations.
func faithfulnessOnNotes() error {
	g, err := textGrader("faithfulness")
	if err != nil {
		return err
	}
	var ours, precision, invented []float64
	var groups []string
	err = each("mts_dialog/metric_study.jsonl", func(r struct {
		Conversation, Dialogue, Candidate string
		Human                             map[string]float64
	}) {
		in, _ := json.Marshal(map[string]string{"dialogue": r.Dialogue})
		s := g.Score(&rung.Example{ID: "x", Input: in, Output: quoted("x")}, rung.Answer{Text: r.Candidate, Value: quoted(r.Candidate)})
		ours, precision, invented = append(ours, s.Values["faithfulness"]), append(precision, r.Human["FactualPrecision"]), append(invented, r.Human["HallucinationRate"])
		groups = append(groups, r.Conversation)
	})
	if err == nil {
		fmt.Printf("faithfulness, mts_dialog: Spearman with people's hallucination rate %s, with factual precision %s, n = %d in %d conversations\n",
			spearman(ours, invented, groups), spearman(ours, precision, groups), len(ours), len(clustersOf(groups)))
	}
	return err
}

func clustersOf(groups []string) map[string]bool {
	m := map[string]bool{}
	for _, g := range groups {
		m[g] = true
	}
	return m
}

// spearman is the rank correlation with a 95 % percentile bootstrap interval over groups.
func spearman(a, b []float64, groups []string) string {
	rows := make([][]float64, len(a))
	ra, rb := ranks(a), ranks(b)
	for i := range a {
		x, y := ra[i], rb[i]
		rows[i] = []float64{x, y, x * x, y * y, x * y}
	}
	corr := func(s []float64, n float64) float64 {
		return (s[4]/n - s[0]*s[1]/n/n) / math.Sqrt((s[2]/n-s[0]*s[0]/n/n)*(s[3]/n-s[1]*s[1]/n/n))
	}
	boot := stats.NewSample(rows, stats.Clusters(groups)).Bootstrap(corr, 2000, 1)
	draws := slices.Sorted(slices.Values(boot.Draws))
	return fmt.Sprintf("%.3f [%.3f, %.3f]", boot.Value, draws[len(draws)*25/1000], draws[len(draws)*975/1000])
}

func ranks(v []float64) []float64 {
	order := make([]int, len(v))
	for i := range order {
		order[i] = i
	}
	slices.SortFunc(order, func(i, j int) int { return cmpFloat(v[i], v[j]) })
	out := make([]float64, len(v))
	for i := 0; i < len(order); {
		j := i
		for j < len(order) && v[order[j]] == v[order[i]] {
			j++
		}
		for k := i; k < j; k++ {
			out[order[k]] = float64(i+j-1)/2 + 1
		}
		i = j
	}
	return out
}

func cmpFloat(a, b float64) int {
	switch {
	case a < b:
		return -1
	case a > b:
		return 1
	}
	return 0
}

type abstract struct {
	ID   string `json:"doc_id"`
	Text string
}

// supportOnScifact: claims that an abstract supports, contradicts, or says nothing about.
func supportOnScifact() error {
	corpus := map[string]string{}
	if err := each("scifact/corpus.jsonl", func(d abstract) { corpus[d.ID] = d.Text }); err != nil {
		return err
	}
	type claim struct {
		ID       string `json:"query_id"`
		Text     string
		Evidence []struct {
			Doc   string `json:"doc_id"`
			Label string
		}
	}
	claims := map[string]claim{}
	if err := each("scifact/queries_test.jsonl", func(c claim) { claims[c.ID] = c }); err != nil {
		return err
	}
	scores := map[string][]float64{}
	err := each("scifact/qrels_test.jsonl", func(r struct {
		Query string `json:"query_id"`
		Doc   string `json:"doc_id"`
	}) {
		label := "nothing"
		for _, e := range claims[r.Query].Evidence {
			if e.Doc == r.Doc {
				label = strings.ToLower(e.Label)
			}
		}
		scores[label] = append(scores[label], grade.Support(claims[r.Query].Text, corpus[r.Doc]))
	})
	if err != nil {
		return err
	}
	over := func(label string) string {
		k := 0
		for _, s := range scores[label] {
			k += b2i(s >= .5)
		}
		return share(k, len(scores[label]))
	}
	fmt.Printf("support, scifact test: AUC supported against nothing said %.3f, against contradicted %.3f; counted as supported: supported %s, contradicted %s, nothing said %s\n",
		auc(scores["support"], scores["nothing"]), auc(scores["support"], scores["contradict"]), over("support"), over("contradict"), over("nothing"))
	return nil
}

func auc(yes, no []float64) float64 {
	sum := 0.0
	for _, y := range yes {
		for _, n := range no {
			switch {
			case y > n:
				sum++
			case y == n:
				sum += .5
			}
		}
	}
	return sum / float64(len(yes)) / float64(len(no))
}

// citationsOnSquad: statements made of a question and its answer, cited to the paragraph that holds it, or to the next paragraph of
// the same article.
func citationsOnSquad() error {
	var ids []string
	texts, titles := map[string]string{}, map[string]string{}
	err := each("squad2_dev_half/corpus.jsonl", func(d struct {
		ID    string `json:"doc_id"`
		Title string
		Text  string
	}) {
		ids = append(ids, d.ID)
		texts[d.ID], titles[d.ID] = d.Text, d.Title
	})
	if err != nil {
		return err
	}
	g, err := textGrader("citation_precision", "citation_recall")
	if err != nil {
		return err
	}
	var right, wrong, n, m, short, shortWrong int
	score := func(text, doc string) float64 {
		ans := rung.Answer{Text: text + " [1]", Value: quoted(text), Passages: []rung.Passage{{ID: doc, Text: texts[doc]}}}
		return g.Score(&rung.Example{ID: "x", Input: json.RawMessage(`{}`), Output: quoted("x")}, ans).Values["citation_recall"]
	}
	err = each("squad2_dev_half/queries.jsonl", func(q query) {
		if q.None {
			return
		}
		other := ""
		at := slices.Index(ids, q.Gold)
		for _, i := range []int{at + 1, at - 1} {
			if i >= 0 && i < len(ids) && titles[ids[i]] == titles[q.Gold] && other == "" {
				other = ids[i]
			}
		}
		statement := strings.TrimSuffix(q.Text, "?") + " " + q.Answers[0].Text
		n++
		right += b2i(score(statement, q.Gold) == 1)
		short += b2i(score(q.Answers[0].Text, q.Gold) == 1)
		if other != "" {
			m++
			wrong += b2i(score(statement, other) == 1)
			shortWrong += b2i(score(q.Answers[0].Text, other) == 1)
		}
	})
	if err == nil {
		fmt.Printf("citation_recall, squad2: right paragraph accepted %s, neighbouring paragraph accepted %s; bare answers: %s and %s\n",
			share(right, n), share(wrong, m), share(short, n), share(shortWrong, m))
	}
	return err
}

// voiceOnNotes: notes that doctors wrote against notes that models wrote of the same conversations.
func voiceOnNotes() error {
	var people, models []string
	seen := map[string]bool{}
	err := each("mts_dialog/metric_study.jsonl", func(r struct{ Reference, Candidate string }) {
		models = append(models, r.Candidate)
		if !seen[r.Reference] {
			seen[r.Reference] = true
			people = append(people, r.Reference)
		}
	})
	if err != nil {
		return err
	}
	v, err := grade.TrainVoice(people, models)
	if err != nil {
		return err
	}
	fmt.Printf("like, mts_dialog: doctors' notes against models' of the same conversations, five-fold AUC %.3f, n = %d and %d\n", v.AUC, v.N, v.M)
	var restaurants, conversations []string
	if err := each("e2e_nlg/dev.jsonl", func(r row) { restaurants = append(restaurants, r.References[0]) }); err != nil {
		return err
	}
	if err := each("mts_dialog/val.jsonl", func(r struct{ Reference string }) { conversations = append(conversations, r.Reference) }); err != nil {
		return err
	}
	if v, err = grade.TrainVoice(conversations, restaurants[:300]); err != nil {
		return err
	}
	fmt.Printf("like, mts_dialog against e2e_nlg (other subjects, easy): five-fold AUC %.3f, n = %d and %d\n", v.AUC, v.N, v.M)
	return nil
}
