package main

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"math/rand/v2"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"sync"

	"github.com/rung-dev/rung/internal/retrieve"
)

// message is one request of the day with its right answer.
type message struct {
	text, label string
	second      float64 // of the day
}

// dataSet is a task: its messages of a day, and what releases can know.
type dataSet struct {
	name   string
	pool   []message // examples that a release answers from
	day    []message // in the order of the day
	labels []string
}

// sharedDir finds the shared data: RUNG_SHARED, or the folder shared beside the repository.
func sharedDir() (string, error) {
	if dir := os.Getenv("RUNG_SHARED"); dir != "" {
		return dir, nil
	}
	dir, err := os.Getwd()
	if err != nil {
		return "", err
	}
	for ; ; dir = filepath.Dir(dir) {
		if _, err := os.Stat(filepath.Join(dir, "go.mod")); err == nil {
			shared := filepath.Join(filepath.Dir(dir), "shared")
			_, err := os.Stat(filepath.Join(shared, "data", "banking77"))
			return shared, err
		}
		if filepath.Dir(dir) == dir {
			return "", errors.New("no go.mod above the working directory, so no shared data beside it; set RUNG_SHARED")
		}
	}
}

// load reads a data set. Half of the train rows are what releases answer from; the other half and the test rows are the day.
func load(shared, name string, rows int) (*dataSet, error) {
	d := &dataSet{name: name}
	r := rand.New(rand.NewPCG(77, 1))
	for _, file := range []string{"train.jsonl", "test.jsonl"} {
		all, err := readRows(filepath.Join(shared, "data", name, file))
		if err != nil {
			return nil, err
		}
		r.Shuffle(len(all), func(i, j int) { all[i], all[j] = all[j], all[i] })
		if file == "train.jsonl" {
			d.pool, all = all[:len(all)/2], all[len(all)/2:]
		}
		d.day = append(d.day, all...)
	}
	for _, m := range d.pool {
		if !slices.Contains(d.labels, m.label) {
			d.labels = append(d.labels, m.label)
		}
	}
	slices.Sort(d.labels)
	d.spread(r)
	if rows > 0 && rows < len(d.day) {
		d.day = d.day[:rows]
	}
	return d, nil
}

// spread gives each label its hour, when it is asked for most, so that what is asked drifts over the day as in real traffic.
func (d *dataSet) spread(r *rand.Rand) {
	const day, width = 24 * 3600, 3 * 3600
	peak := map[string]float64{}
	for i := range d.day {
		m := &d.day[i]
		if _, ok := peak[m.label]; !ok {
			peak[m.label] = r.Float64() * day
		}
		m.second = math.Mod(peak[m.label]+width*r.NormFloat64()+2*day, day)
	}
	slices.SortFunc(d.day, func(a, b message) int {
		if a.second < b.second {
			return -1
		}
		return 1
	})
}

func readRows(path string) ([]message, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	var out []message
	for in := bufio.NewScanner(f); in.Scan(); {
		var row struct{ Text, Label, Intent string }
		if err := json.Unmarshal(in.Bytes(), &row); err != nil {
			return nil, fmt.Errorf("%s: %w", path, err)
		}
		out = append(out, message{text: row.Text, label: row.Label + row.Intent})
	}
	if len(out) == 0 {
		return nil, fmt.Errorf("%s has no rows", path)
	}
	return out, nil
}

// release answers with the label of the most alike of its examples, by words (BM25). One that knows fewer examples is truly worse.
type release struct {
	examples []message
	index    *retrieve.Nearest
}

func newRelease(examples []message) *release {
	texts := make([]string, len(examples))
	for i, m := range examples {
		texts[i] = m.text
	}
	return &release{examples, retrieve.NewNearest(texts)}
}

func (r *release) answer(text string) string { return r.examples[r.index.BM25(text, 1)[0]].label }

// measure says for each message of the day whether the release answers it right.
func (r *release) measure(day []message) []bool {
	right := make([]bool, len(day))
	var all sync.WaitGroup
	workers := runtime.GOMAXPROCS(0)
	for w := range workers {
		all.Go(func() {
			for i := w; i < len(day); i += workers {
				right[i] = r.answer(day[i].text) == day[i].label
			}
		})
	}
	all.Wait()
	return right
}

func rate(right []bool) float64 {
	n := 0
	for _, ok := range right {
		if ok {
			n++
		}
	}
	return float64(n) / float64(len(right))
}
