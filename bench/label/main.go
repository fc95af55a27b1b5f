// Command label measures what choosing rows to label is worth: a small model is trained on the rows that each strategy of rung label make
// chooses, round after round, and asked about rows that were never in the pool. The labels are those of the set; nobody errs.
//
//	go run ./bench/label -set banking77 -seeds 5
package main

import (
	"bufio"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"math"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"

	"github.com/rung-dev/rung"
	"github.com/rung-dev/rung/internal/label"
	"github.com/rung-dev/rung/internal/rating"
	"github.com/rung-dev/rung/internal/stats/dist"
)

func main() {
	set := flag.String("set", "banking77", "banking77 or sms_spam")
	seeds := flag.Int("seeds", 5, "repeats, each with another pool and other draws")
	pool := flag.Int("pool", 4000, "rows to choose from")
	test := flag.Int("test", 2000, "rows that the model is asked about")
	points := flag.String("points", "", "numbers of labels after which it is asked (default: by the set)")
	workers := flag.Int("workers", 2, "repeats at once")
	flag.Parse()
	if err := run(*set, *seeds, *pool, *test, *points, *workers); err != nil {
		fmt.Fprintln(os.Stderr, "label:", err)
		os.Exit(1)
	}
}

// read gives the rows of a set of the shared data.
func read(name string) (train, test []rung.DatasetRow, err error) {
	dir := os.Getenv("RUNG_SHARED")
	if dir == "" {
		dir = filepath.Join("..", "shared")
	}
	files := map[string][]string{"banking77": {"train.jsonl", "test.jsonl"}, "sms_spam": {"all.jsonl"}}[name]
	if files == nil {
		return nil, nil, fmt.Errorf("there is no set %q", name)
	}
	for i, file := range files {
		f, err := os.Open(filepath.Join(dir, "data", name, file))
		if err != nil {
			return nil, nil, fmt.Errorf("the rows come from the shared data, which is not here (RUNG_SHARED): %w", err)
		}
		lines := bufio.NewScanner(f)
		lines.Buffer(nil, 1<<20)
		for lines.Scan() {
			row, what := label.ReadRow(lines.Bytes(), []rung.Field{{Name: "text", Type: "string"}})
			if what != "" {
				return nil, nil, errors.Join(errors.New(what), f.Close())
			}
			if i == 0 {
				train = append(train, row)
			} else {
				test = append(test, row)
			}
		}
		if err := errors.Join(lines.Err(), f.Close()); err != nil {
			return nil, nil, err
		}
	}
	return train, test, nil
}

// dealt is one repeat's pool and test, without copies of each other.
func dealt(train, test []rung.DatasetRow, pool, asked int, seed uint64) (p, t []rung.DatasetRow) {
	rng := rand.New(rand.NewPCG(seed, 1))
	train, test = slices.Clone(train), slices.Clone(test)
	rng.Shuffle(len(train), func(i, j int) { train[i], train[j] = train[j], train[i] })
	rng.Shuffle(len(test), func(i, j int) { test[i], test[j] = test[j], test[i] })
	seen := map[string]bool{}
	for _, list := range []struct {
		from []rung.DatasetRow
		to   *[]rung.DatasetRow
		n    int
	}{{test, &t, asked}, {train, &p, pool}, {train, &t, asked}} { // of a set without a test part, what the pool leaves
		for _, r := range list.from {
			key := strings.ToLower(label.Text(r.Input))
			if len(*list.to) < list.n && !seen[key] {
				seen[key] = true
				*list.to = append(*list.to, r)
			}
		}
	}
	return p, t
}

// curve is the accuracy after each number of labels, and the mean recall over the labels of the test rows (a rare label counts as much).
func curve(pool, test []rung.DatasetRow, strategy label.Strategy, points []int, seed uint64) (accuracy, recall []float64, err error) {
	var known []rung.DatasetRow
	left := slices.Clone(pool)
	for _, n := range points {
		rows := make([]label.Row, len(left))
		for i := range left {
			rows[i] = label.Row{DatasetRow: left[i], Doubt: math.NaN(), Apart: math.NaN()}
		}
		c, err := label.TrainClassifier(known, seed)
		if err != nil {
			return nil, nil, err
		}
		if c != nil {
			c.Doubts(rows)
		}
		picks, _ := label.Choose(rows, known, &label.Options{Options: rating.Options{Items: n - len(known), Seed: seed + uint64(n)}, Choose: strategy, Random: .2})
		taken := map[int]bool{}
		for _, p := range picks {
			known = append(known, left[p.At])
			taken[p.At] = true
		}
		var rest []rung.DatasetRow
		for i := range left {
			if !taken[i] {
				rest = append(rest, left[i])
			}
		}
		left = rest
		if c, err = label.TrainClassifier(known, seed); err != nil {
			return nil, nil, err
		}
		a, r := score(c, test)
		accuracy, recall = append(accuracy, a), append(recall, r)
	}
	return accuracy, recall, nil
}

func score(c *label.Classifier, test []rung.DatasetRow) (accuracy, recall float64) {
	if c == nil {
		return 0, 0
	}
	right, of := map[string]float64{}, map[string]float64{}
	for i := range test {
		want := rating.TextOf(test[i].Output)
		of[want]++
		if got, _ := c.Classify(test[i].Input); got == want {
			right[want]++
			accuracy++
		}
	}
	for l := range of {
		recall += right[l] / of[l] / float64(len(of))
	}
	return accuracy / float64(len(test)), recall
}

type result struct {
	accuracy, recall map[label.Strategy][][]float64 // by seed, by point
}

var strategies = []label.Strategy{label.Random, label.Uncertainty, label.Coverage, label.Mix}

func run(set string, seeds, pool, asked int, list string, workers int) error {
	train, test, err := read(set)
	if err != nil {
		return err
	}
	if list == "" {
		list = map[string]string{"banking77": "150,300,500,800,1200", "sms_spam": "30,60,100,150,250"}[set]
	}
	var points []int
	if err := json.Unmarshal([]byte("["+list+"]"), &points); err != nil {
		return fmt.Errorf("the points are no numbers: %w", err)
	}
	r := result{map[label.Strategy][][]float64{}, map[label.Strategy][][]float64{}}
	for _, s := range strategies {
		r.accuracy[s], r.recall[s] = make([][]float64, seeds), make([][]float64, seeds)
	}
	var wg sync.WaitGroup
	errs := make([]error, seeds)
	slots := make(chan bool, workers)
	for seed := range seeds {
		wg.Go(func() {
			slots <- true
			defer func() { <-slots }()
			p, t := dealt(train, test, pool, asked, uint64(seed+1))
			for _, s := range strategies {
				a, c, err := curve(p, t, s, points, uint64(seed+1))
				if err != nil {
					errs[seed] = err
					return
				}
				r.accuracy[s][seed], r.recall[s][seed] = a, c
			}
		})
	}
	wg.Wait()
	if err := errors.Join(errs...); err != nil {
		return err
	}
	fmt.Printf("%s: %d repeats, each a pool of %d rows and %d rows that the model is asked about. A fifth of each batch is drawn at random.\n", set, seeds, pool, asked)
	r.table("accuracy", r.accuracy, points)
	r.table("mean recall of the labels", r.recall, points)
	return nil
}

// table prints means over repeats, and the paired difference from random with its interval (Student's t over repeats, 95 %).
func (r *result) table(what string, of map[label.Strategy][][]float64, points []int) {
	fmt.Printf("\n%-28s", what)
	for _, n := range points {
		fmt.Printf("%22d labels", n)
	}
	fmt.Println()
	for _, s := range strategies {
		fmt.Printf("%-28s", s)
		for i := range points {
			var values, apart []float64
			for seed, v := range of[s] {
				values, apart = append(values, v[i]), append(apart, v[i]-of[label.Random][seed][i])
			}
			m, _ := moments(values)
			d, sd := moments(apart)
			half := dist.StudentsT{Nu: float64(len(apart) - 1)}.Quantile(.975) * sd / math.Sqrt(float64(len(apart)))
			if s == label.Random {
				fmt.Printf("%8.3f                     ", m)
			} else {
				fmt.Printf("%8.3f (%+.3f ± %.3f)   ", m, d, half)
			}
		}
		fmt.Println()
	}
}

func moments(v []float64) (mean, sd float64) {
	for _, x := range v {
		mean += x / float64(len(v))
	}
	for _, x := range v {
		sd += (x - mean) * (x - mean) / float64(max(len(v)-1, 1))
	}
	return mean, math.Sqrt(sd)
}
