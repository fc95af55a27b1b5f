package main

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"time"

	"github.com/rung-dev/rung"
	"github.com/rung-dev/rung/internal/contam"
	"github.com/rung-dev/rung/internal/dedupe"
	"github.com/rung-dev/rung/internal/engine"
	"github.com/rung-dev/rung/internal/rows"
)

// minilm is what rows are compared with by meaning.
const minilm = rung.ModelRef("local/minilm")

// cosineFrom is the cosine from which two questions count as near-equal, as in the measurement that is the peer here.
const cosineFrom = .7

// meaning measures near-equal questions, in one run: each of a list of questions and its rephrasing are near-equal, all others are not. Pairs
// are those that MiniLM's cosine finds, those that rung's score of rephrased items finds, and those that near-duplicates finds.
func meaning(ctx context.Context, o options) error {
	e, err := engine.New(engine.Options{})
	if err != nil {
		return err
	}
	defer func() { _ = e.Close() }() // it has done its work
	const dir = "contamination_gsm8k_humaneval/"
	for _, set := range []struct{ what, file string }{
		{"GSM8K: 1,319 questions and their rephrasings", dir + "gsm8k_pairs.jsonl"},
		{"HumanEval: 164 problems and their rephrasings", dir + "humaneval_pairs.jsonl"},
	} {
		if err := questions(ctx, o, e, set.what, set.file); err != nil {
			return err
		}
	}
	for _, set := range []struct{ what, file, group string }{
		{"presidio_pii: sentences of one template", "presidio_pii/all.jsonl", "template_id"},
		{"hatecheck: cases of one template", "hatecheck/cases.jsonl", "templ_id"},
	} {
		if err := templates(ctx, o, e, set.what, set.file, set.group); err != nil {
			return err
		}
	}
	return nil
}

func embedAll(ctx context.Context, e *engine.Engine, texts []string) (out [][]float32, err error) {
	for start := 0; start < len(texts); start += 256 {
		some, err := e.Embed(ctx, minilm, texts[start:min(len(texts), start+256)])
		if err != nil {
			return nil, err
		}
		out = append(out, some...)
	}
	if len(out) != len(texts) {
		return nil, errors.New("another number of vectors than texts")
	}
	return out, nil
}

// counted is what was found of pairs.
type counted struct{ right, wrong, all int }

func (c counted) String() string {
	return fmt.Sprintf("precision %s  recall %s", share(c.right, c.right+c.wrong), share(c.right, c.all))
}

// questions are looked for by their rephrasings, among all questions.
func questions(ctx context.Context, o options, e *engine.Engine, what, file string) error {
	path := filepath.Join(o.shared, "data", file)
	plain, err := column(path, "test_text")
	if err != nil {
		return err
	}
	other, err := column(path, "rephrased")
	if err != nil {
		return err
	}
	fmt.Println(what)
	start := time.Now()
	a, err := embedAll(ctx, e, plain)
	if err != nil {
		return err
	}
	b, err := embedAll(ctx, e, other)
	if err != nil {
		return err
	}
	all, best := counted{all: len(plain)}, counted{all: len(plain)}
	for i := range b {
		top, at := 0., -1
		for j := range a {
			c := rows.Cosine(b[i], a[j])
			if c >= cosineFrom {
				all.count(i == j)
			}
			if c > top {
				top, at = c, j
			}
		}
		if top >= cosineFrom {
			best.count(at == i)
		}
	}
	fmt.Printf("  MiniLM, cosine from %.1f, all pairs    %s  (%.1f s)\n  MiniLM, the nearest question alone  %s\n", cosineFrom, all, time.Since(start).Seconds(), best)
	start = time.Now()
	items := make([]contam.Item, len(plain))
	for i := range plain {
		items[i].Text = plain[i]
	}
	x, err := contam.NewIndex(items)
	if err != nil {
		return err
	}
	found := counted{all: len(plain)}
	c := contam.NewChecker(x, contam.Options{Share: contam.DefaultShare, Fuzzy: contam.DefaultFuzzy, Rephrased: contam.DefaultRephrased})
	for i := range other {
		if hit, _ := c.Check([]byte(other[i])); hit.Item >= 0 {
			found.count(hit.Item == i)
		}
	}
	fmt.Printf("  rung, rephrased from %.1f            %s  (%.2f s)\n", contam.DefaultRephrased, found, time.Since(start).Seconds())
	return nil
}

func (c *counted) count(right bool) {
	if right {
		c.right++
	} else {
		c.wrong++
	}
}

// templates are groups of texts, of which every pair within one is near-equal.
func templates(ctx context.Context, o options, e *engine.Engine, what, file, group string) error {
	path := filepath.Join(o.shared, "data", file)
	list, err := column(path, "text")
	if err != nil {
		return err
	}
	groups, err := column(path, group)
	if err != nil {
		return err
	}
	start := time.Now()
	v, err := embedAll(ctx, e, list)
	if err != nil {
		return err
	}
	var texts dedupe.Texts
	var cosine, near counted
	took := time.Since(start)
	for i := range list {
		for j := range i {
			same := groups[i] == groups[j]
			if same {
				cosine.all++
				near.all++
			}
			c := rows.Cosine(v[i], v[j])
			if c >= cosineFrom {
				cosine.count(same)
			}
			if (same || c > .3) && texts.Similarity([]byte(list[i]), []byte(list[j])) >= .5 {
				near.count(same)
			}
		}
	}
	fmt.Printf("%s, pairs\n  MiniLM, cosine from %.1f  %s  (%.1f s)\n  rung, near from .5       %s\n", what, cosineFrom, cosine, took.Seconds(), near)
	return nil
}
