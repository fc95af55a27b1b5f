package main

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"

	"github.com/rung-dev/rung/internal/contam"
	"github.com/rung-dev/rung/internal/dedupe"
	"github.com/rung-dev/rung/internal/rows"
	"github.com/rung-dev/rung/internal/stats"
)

// quality prints what thresholds find on labelled public data.
func quality(ctx context.Context, o options) error {
	for _, set := range []struct{ file, field, group, what string }{
		{"hatecheck/cases.jsonl", "text", "templ_id", "cases of one template, the target group exchanged"},
		{"presidio_pii/all.jsonl", "text", "template_id", "sentences of one template, names and addresses exchanged"},
	} {
		if err := groups(ctx, o, set.file, set.field, set.group, set.what); err != nil {
			return err
		}
	}
	return contamination(o)
}

// groups counts the removed rows whose kept row is of their group.
func groups(ctx context.Context, o options, file, field, group, what string) error {
	path := filepath.Join(o.shared, "data", file)
	labels, err := column(path, group)
	if err != nil {
		return err
	}
	distinct := map[string]bool{}
	for _, l := range labels {
		distinct[l] = true
	}
	fmt.Printf("%s: %d rows in %d groups (%s)\n", file, len(labels), len(distinct), what)
	for _, numbers := range []bool{false, true} {
		for _, near := range []float64{.5, .6, .7, .8, .9} {
			set, err := rows.Open(ctx, []string{path}, "")
			if err != nil {
				return err
			}
			r, err := dedupe.Run(ctx, set, dedupe.Options{Fields: rows.Fields{field}, Near: near, SameNumbers: numbers})
			if err != nil {
				return err
			}
			right := 0
			for _, x := range r.Removed {
				if x.Kept >= 0 && labels[x.Doc] == labels[x.Kept] {
					right++
				}
			}
			fmt.Printf("  near %.1f, same numbers %-5v  precision %s  recall %s\n", near, numbers, share(right, len(r.Removed)), share(right, len(labels)-len(distinct)))
		}
	}
	return nil
}

// share writes k of n with Wilson's 95 % interval.
func share(k, n int) string {
	low, high := stats.Wilson(k, n, .95)
	return fmt.Sprintf("%.3f [%.3f–%.3f] (%d of %d)", float64(k)/float64(max(n, 1)), low, high, k, n)
}

func column(path, key string) ([]string, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	var out []string
	s := bufio.NewScanner(f)
	s.Buffer(nil, 16<<20)
	for s.Scan() {
		var row map[string]any
		if err := json.Unmarshal(s.Bytes(), &row); err != nil {
			return nil, err
		}
		out = append(out, fmt.Sprint(row[key]))
	}
	return out, s.Err()
}

// contamination prints what the thresholds of rephrased items find, by halves.
func contamination(o options) error {
	const dir = "contamination_gsm8k_humaneval/"
	for _, set := range []struct{ what, pairs, clean, field string }{
		{"GSM8K test questions, rephrased; 2,000 of its training questions are clean", dir + "gsm8k_pairs.jsonl", dir + "gsm8k_train_sample.jsonl", "question"},
		{"HumanEval, rephrased; its neighbours in CodeAlpaca, judged clean", dir + "humaneval_pairs.jsonl", dir + "codealpaca_neighbours.jsonl", "candidate"},
	} {
		fmt.Println(set.what)
		if err := rephrased(o, set.pairs, set.clean, set.field); err != nil {
			return err
		}
	}
	return nil
}

func rephrased(o options, pairs, clean, field string) error {
	tests, err := column(filepath.Join(o.shared, "data", pairs), "test_text")
	if err != nil {
		return err
	}
	copies, err := column(filepath.Join(o.shared, "data", pairs), "rephrased")
	if err != nil {
		return err
	}
	others, err := column(filepath.Join(o.shared, "data", clean), field)
	if err != nil {
		return err
	}
	judged, err := column(filepath.Join(o.shared, "data", clean), "contaminated")
	if err != nil {
		return err
	}
	x, err := indexOf(tests)
	if err != nil {
		return err
	}
	for _, threshold := range []float64{0, .3, .4, .45, .48, .5, .55, .6} {
		opt := contam.Options{Share: contam.DefaultShare, Rephrased: threshold}
		if threshold > 0 {
			opt.Fuzzy = contam.DefaultFuzzy
		}
		c := contam.NewChecker(x, opt)
		found, alarms, right, wrong, bad := [2]int{}, [2]int{}, 0, 0, 0
		for i := range copies {
			if hit, _ := c.Check([]byte(copies[i])); hit.Item == i {
				found[i%2]++
			}
		}
		for i := range others {
			hit, _ := c.Check([]byte(others[i]))
			switch known := judged[i] == "true"; {
			case known && hit.Item >= 0:
				right++
				bad++
			case known:
				bad++
			case hit.Item >= 0:
				alarms[i%2]++
				wrong++
			}
		}
		fmt.Printf("  rephrased %.2f  found %s  false alarms %s  (even rows %d and %d, odd %d and %d)", threshold, share(found[0]+found[1], len(copies)), share(wrong, len(others)-bad),
			found[0], alarms[0], found[1], alarms[1])
		if bad > 0 {
			fmt.Printf("  judged contaminated and found %d of %d", right, bad)
		}
		fmt.Println()
	}
	return nil
}

// indexOf has the texts of evaluation items, in their order.
func indexOf(texts []string) (*contam.Index, error) {
	items := make([]contam.Item, len(texts))
	for i := range texts {
		items[i].Text = texts[i]
	}
	return contam.NewIndex(items)
}
