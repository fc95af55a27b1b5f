// Command judges measures what docs/judges.md claims: recorded judges and automatic metrics against people, and how often the corrected
// figure's interval holds what all people say when only some answers are rated.
//
//	go run ./bench/judges             # on public data
//	go run ./bench/judges -simulate   # prediction-powered inference on drawn data, whose truth is known
package main

import (
	"flag"
	"fmt"
	"log"
	"math"
	"math/rand/v2"
	"os"
	"path/filepath"
	"text/tabwriter"

	"github.com/rung-dev/rung/internal/grade"
	"github.com/rung-dev/rung/internal/judge"
	"github.com/rung-dev/rung/internal/stats"
)

func main() {
	data := flag.String("data", filepath.Join("..", "shared", "data"), "folder of the data sets")
	simulate := flag.Bool("simulate", false, "measure coverage on drawn data")
	sims := flag.Int("sims", 2000, "samples of each kind, with -simulate")
	flag.Parse()
	log.SetFlags(0)
	w := tabwriter.NewWriter(os.Stdout, 0, 0, 2, ' ', 0)
	if *simulate {
		coverage(w, *sims)
	} else {
		pairs(w, filepath.Join(*data, "pandalm_human", "all.jsonl"))
		notes(w, filepath.Join(*data, "mts_dialog", "metric_study.jsonl"))
	}
	if err := w.Flush(); err != nil {
		log.Fatal(err)
	}
}

func read(path string, f judge.Format) []judge.Row {
	rows, err := judge.ReadFile(path, f)
	if err != nil {
		log.Fatalf("%v; -data names the folder of the data sets", err)
	}
	return rows
}

// pairs are the two recorded judges of pandalm_human.
func pairs(w *tabwriter.Writer, path string) {
	for _, name := range []string{"gpt35", "pandalm7b"} {
		rows := read(path, judge.Format{Pairwise: true, Map: map[string]string{
			"first": "response1", "second": "response2", "human": "annotators", "judge": "judges." + name}})
		show(w, "pandalm_human, "+name, judge.Recorded(rows, "", true), judge.Settings{Pairwise: true, Seed: 1})
	}
}

// notes take ROUGE for a judge of the notes of mts_dialog: how well does an automatic metric stand in for FactualF1?
func notes(w *tabwriter.Writer, path string) {
	rows := read(path, judge.Format{Low: 0, High: 1, Map: map[string]string{
		"answer": "candidate", "input": "dialogue", "human": "human.FactualF1", "group": "conversation"}})
	for _, recall := range []bool{false, true} {
		name := "ROUGE-1 F"
		if recall {
			name = "ROUGE-1 recall"
		}
		for i := range rows {
			s := grade.Rouge(rows[i].Answer, []string{rows[i].Reference}, false).Rouge1
			v := s.F
			if recall {
				v = s.Recall
			}
			rows[i].Judge = &v
		}
		show(w, "mts_dialog, "+name+" for FactualF1", judge.Recorded(rows, "", false), judge.Settings{Seed: 1})
	}
}

func show(w *tabwriter.Writer, title string, obs []judge.Observation, s judge.Settings) {
	c := judge.Calibrate(obs, s)
	fmt.Fprintf(w, "%s, %d rated\n", title, c.Rated)
	for _, f := range c.Agreement {
		fmt.Fprintf(w, "\t%s\t%.3f [%.3f, %.3f]\tn=%d\n", f.Name, f.Value, f.Low, f.High, f.N)
	}
	for _, b := range c.Biases {
		if b.Missing == "" {
			fmt.Fprintf(w, "\tbias: %s\t%.3f [%.3f, %.3f]\tn=%d\n", b.Name, b.Figure.Value, b.Figure.Low, b.Figure.High, b.Figure.N)
		}
	}
	fmt.Fprintf(w, "\tpeople %.3f, judge alone %.3f\t\t\n", c.People.Value, c.Raw.Value)
	for _, n := range []int{40, 100, 200} {
		p := judge.Rehearse(obs, n, 1000, s)
		fmt.Fprintf(w, "\t%d rated\theld %.3f, width %.3f\tratings alone: held %.3f, width %.3f\n", n, p.Held, p.Width, p.Alone, p.AloneWide)
	}
}

// coverage is how often intervals hold a truth that is known.
func coverage(w *tabwriter.Writer, sims int) {
	fmt.Fprintln(w, "judge\trated\tλ tuned\twidth\tλ = 1\twidth\tratings alone\twidth\tjudge alone")
	for _, k := range kinds {
		for _, n := range []int{20, 50, 100, 250} {
			var tuned, one, alone, raw tally
			rng := rand.New(rand.NewPCG(uint64(n), 11))
			for range sims {
				var r stats.Rated
				for range n {
					y, f := k.draw(rng)
					r.People, r.Judge = append(r.People, y), append(r.Judge, f)
				}
				for range 1000 {
					_, f := k.draw(rng)
					r.Judged = append(r.Judged, f)
				}
				o := stats.Options{Level: .95, Seed: 1, Resamples: 1000}
				e := stats.PPI(r, stats.Tuned, o)
				tuned.add(e.Estimate, k.mean)
				alone.add(e.Alone, k.mean)
				raw.add(e.Raw, k.mean)
				one.add(stats.PPI(r, 1, o).Estimate, k.mean)
			}
			fmt.Fprintf(w, "%s\t%d\t%s\t%s\t%s\t%s\n", k.name, n, tuned.of(sims), one.of(sims), alone.of(sims), raw.share(sims))
		}
	}
}

type tally struct {
	held  int
	width float64
}

func (t *tally) add(e stats.Estimate, truth float64) {
	if e.Contains(truth) {
		t.held++
	}
	t.width += e.High - e.Low
}

func (t *tally) of(sims int) string {
	return fmt.Sprintf("%s\t%.3f", t.share(sims), t.width/float64(sims))
}

func (t *tally) share(sims int) string {
	return fmt.Sprintf("%.3f", float64(t.held)/float64(sims))
}

func flip(rng *rand.Rand, p float64) float64 {
	if rng.Float64() < p {
		return 1
	}
	return 0
}

// kinds of judges, all biased, with the mean that people would give.
var kinds = []struct {
	name string
	mean float64
	draw func(*rand.Rand) (people, judge float64)
}{
	{"right or wrong, good and too kind", .7, func(rng *rand.Rand) (float64, float64) {
		y := flip(rng, .7)
		return y, y*flip(rng, .98) + (1-y)*flip(rng, .2)
	}},
	{"right or wrong, knows nothing", .6, func(rng *rand.Rand) (float64, float64) { return flip(rng, .6), flip(rng, .9) }},
	{"right or wrong, nearly all right", .97, func(rng *rand.Rand) (float64, float64) {
		y := flip(rng, .97)
		return y, max(y, flip(rng, .5))
	}},
	{"graded, harsh", .5, func(rng *rand.Rand) (float64, float64) {
		q := rng.NormFloat64() * .2
		return clamp(.5 + q + .1*rng.NormFloat64()), clamp(.35 + q + .1*rng.NormFloat64())
	}},
}

// clamp keeps a symmetric score within 0 and 1, so that its mean stays where it is.
func clamp(v float64) float64 { return math.Min(math.Max(v, 0), 1) }
