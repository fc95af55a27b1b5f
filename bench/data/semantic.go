package main

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"slices"

	"github.com/rung-dev/rung/internal/contam"
	"github.com/rung-dev/rung/internal/dedupe"
	"github.com/rung-dev/rung/internal/engine"
	"github.com/rung-dev/rung/internal/rows"
)

// memory embeds each text once, however many thresholds are tried.
type memory struct {
	e     *engine.Engine
	known map[string][]float32
}

func (m *memory) embed(ctx context.Context, texts []string) ([][]float32, error) {
	var ask []string
	for _, t := range texts {
		if m.known[t] == nil && !slices.Contains(ask, t) {
			ask = append(ask, t)
		}
	}
	got, err := embedAll(ctx, m.e, ask)
	if err != nil {
		return nil, err
	}
	for i, t := range ask {
		m.known[t] = got[i]
	}
	out := make([][]float32, len(texts))
	for i, t := range texts {
		out[i] = m.known[t]
	}
	return out, nil
}

// semantic prints what the thresholds of the semantic tests find: of copies, alone and behind near-copies, and of contamination, behind the
// words. A removed row is right when the row that stays in its place is of its group.
func semantic(ctx context.Context, o options) error {
	e, err := engine.New(engine.Options{})
	if err != nil {
		return err
	}
	defer func() { _ = e.Close() }() // it has done its work
	m := &memory{e, map[string][]float32{}}
	dir, err := os.MkdirTemp("", "rung-bench-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	pairs := filepath.Join(dir, "pairs.jsonl")
	if err := rephrasings(filepath.Join(o.shared, "data/contamination_gsm8k_humaneval/gsm8k_pairs.jsonl"), pairs); err != nil {
		return err
	}
	for _, set := range []struct{ file, group, answer, what string }{
		{pairs, "pair", "", "GSM8K: 1,319 questions and a rephrasing of each"},
		{filepath.Join(o.shared, "data/presidio_pii/all.jsonl"), "template_id", "", "presidio_pii: sentences of one template"},
		{filepath.Join(o.shared, "data/hatecheck/cases.jsonl"), "templ_id", "label", "hatecheck: cases of one template"},
		{filepath.Join(o.shared, "data/banking77/test.jsonl"), "label", "label", "banking77, test: one group for each intent"},
	} {
		if err := semanticGroups(ctx, m, set.file, set.group, set.answer, set.what); err != nil {
			return err
		}
	}
	return semanticItems(ctx, o, m)
}

// rephrasings writes questions and their rephrasings as rows.
func rephrasings(from, to string) error {
	tests, err := column(from, "test_text")
	if err != nil {
		return err
	}
	copies, err := column(from, "rephrased")
	if err != nil {
		return err
	}
	f, err := os.Create(to)
	if err != nil {
		return err
	}
	w := bufio.NewWriter(f)
	for _, list := range [][]string{tests, copies} {
		for i, text := range list {
			b, err := json.Marshal(map[string]any{"text": text, "pair": i})
			if err != nil {
				return err
			}
			fmt.Fprintf(w, "%s\n", b)
		}
	}
	if err := w.Flush(); err != nil {
		return err
	}
	return f.Close()
}

func semanticGroups(ctx context.Context, m *memory, path, group, answer, what string) error {
	labels, err := column(path, group)
	if err != nil {
		return err
	}
	answers := labels
	if answer != "" {
		if answers, err = column(path, answer); err != nil {
			return err
		}
	}
	distinct := map[string]bool{}
	for _, l := range labels {
		distinct[l] = true
	}
	fmt.Printf("%s: %d rows in %d groups\n", what, len(labels), len(distinct))
	for _, near := range []float64{0, dedupe.DefaultNear} {
		for _, cosine := range []float64{.8, .85, .9, .95, .98} {
			set, err := rows.Open(ctx, []string{path}, "")
			if err != nil {
				return err
			}
			r, err := dedupe.Run(ctx, set, dedupe.Options{Fields: rows.Fields{"text"}, Near: near, Embed: m.embed, Semantic: cosine})
			if err != nil {
				return err
			}
			c, other := counted{all: len(labels) - len(distinct)}, 0
			semantic, semanticRight := 0, 0
			for _, x := range r.Removed {
				right := labels[x.Doc] == labels[x.Kept]
				c.count(right)
				if answers[x.Doc] != answers[x.Kept] {
					other++
				}
				if x.Reason == dedupe.Semantic {
					semantic++
					if right {
						semanticRight++
					}
				}
			}
			fmt.Printf("  near %.1f, cosine %.2f  %s  by meaning alone: right %s  another answer: %s\n", near, cosine, c, share(semanticRight, semantic), share(other, len(r.Removed)))
		}
	}
	return nil
}

// semanticItems looks for rephrased questions among training rows, half of which are clean.
func semanticItems(ctx context.Context, o options, m *memory) error {
	const dir = "data/contamination_gsm8k_humaneval/"
	for _, set := range []struct{ what, pairs, clean, field string }{
		{"GSM8K test questions, rephrased; 2,000 of its training questions are clean", "gsm8k_pairs.jsonl", "gsm8k_train_sample.jsonl", "question"},
		{"HumanEval, rephrased; its neighbours in CodeAlpaca, judged clean", "humaneval_pairs.jsonl", "codealpaca_neighbours.jsonl", "candidate"},
	} {
		pairs, clean := filepath.Join(o.shared, dir, set.pairs), filepath.Join(o.shared, dir, set.clean)
		tests, err := column(pairs, "test_text")
		if err != nil {
			return err
		}
		judged, err := column(clean, "contaminated")
		if err != nil {
			return err
		}
		x, err := indexOf(tests)
		if err != nil {
			return err
		}
		fmt.Println(set.what)
		for _, words := range []bool{false, true} {
			for _, cosine := range []float64{.75, .8, .85, .9, .95} {
				opt := contam.Options{Embed: m.embed, Semantic: cosine, Share: 1} // the whole item: as good as off
				if words {
					opt.Share, opt.Fuzzy, opt.Rephrased = contam.DefaultShare, contam.DefaultFuzzy, contam.DefaultRephrased
				}
				found, err := foundIn(ctx, x, pairs, "rephrased", opt)
				if err != nil {
					return err
				}
				alarms, err := foundIn(ctx, x, clean, set.field, opt)
				if err != nil {
					return err
				}
				right, wrong, good := 0, 0, 0
				for i := range tests {
					if found[i] == i+1 {
						right++
					}
				}
				for i := range judged {
					if judged[i] != "true" {
						good++
						if alarms[i] > 0 {
							wrong++
						}
					}
				}
				fmt.Printf("  words %-5v cosine %.2f  found %s  false alarms %s\n", words, cosine, share(right, len(tests)), share(wrong, good))
			}
		}
	}
	return nil
}

// foundIn gives for each row the number of the item that it holds, from 1; 0 for none.
func foundIn(ctx context.Context, x *contam.Index, path, field string, opt contam.Options) ([]int, error) {
	set, err := rows.Open(ctx, []string{path}, "")
	if err != nil {
		return nil, err
	}
	opt.Fields = rows.Fields{field}
	r, err := contam.Run(ctx, set, x, opt)
	if err != nil {
		return nil, err
	}
	out := make([]int, r.Rows)
	for _, f := range r.Removed {
		out[f.Row] = f.Item + 1
	}
	return out, nil
}
