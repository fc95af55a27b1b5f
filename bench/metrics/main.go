// Command metrics measures how many pairs of texts a second BLEU, chrF, chrF++, TER and ROUGE score, next to sacrebleu and
// rouge-score on the same pairs in the same run, with one processor each and equal sums; and how long a tally takes to grade
// 100,000 examples by ten metrics or more and to make the scorecard. See bench/README.md.
package main

import (
	"bufio"
	"context"
	"encoding/json"
	"flag"
	"fmt"
	"math"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"syscall"
	"time"

	"github.com/rung-dev/rung/internal/grade"
)

// pinned are the versions that the ratios are about.
var pinned = []string{"sacrebleu==2.6.0", "rouge-score==0.1.2"}

type pair struct {
	Hyp string `json:"hyp"`
	Ref string `json:"ref"`
}

func main() {
	seconds := flag.Float64("for", 2, "seconds of processor time for each metric")
	examples := flag.Int("examples", 100_000, "examples of the graded evaluation")
	python := flag.String("python", "python3", "the Python that makes the environment of the peers")
	most := flag.Int("pairs", 547, "pairs of texts that are scored")
	compare := flag.Bool("compare", true, "run the peers as well")
	judged := flag.Bool("quality", false, "measure the metrics of style and safety on data that people have judged, and nothing else")
	flag.Parse()
	ctx, cancel := context.WithTimeout(context.Background(), 20*time.Minute)
	defer cancel()
	if *judged {
		if err := quality(); err != nil {
			fmt.Fprintln(os.Stderr, "metrics:", err)
			os.Exit(1)
		}
		return
	}
	if err := run(ctx, *seconds, *examples, *most, *python, *compare); err != nil {
		fmt.Fprintln(os.Stderr, "metrics:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, seconds float64, examples, most int, python string, compare bool) error {
	rows, err := readRows()
	if err != nil {
		return err
	}
	pairs := pairsOf(rows)
	pairs = pairs[:min(len(pairs), max(1, most))]
	ours := scoreOurs(pairs, seconds)
	if !compare {
		for _, name := range names {
			fmt.Printf("%-7s rung %8.0f pairs/s\n", name, ours[name].Rate)
		}
		return gradeMany(rows, examples)
	}
	if err := gradeMany(rows, examples); err != nil {
		return err
	}
	theirs, err := scoreTheirs(ctx, pairs, seconds, python)
	if err != nil {
		return err
	}
	for _, name := range names {
		a, b := ours[name], theirs[name]
		if math.Abs(a.Sum-b.Sum) > 1e-9*math.Max(1, math.Abs(b.Sum)) {
			return fmt.Errorf("%s: the sums over %d pairs differ: %.12g and %.12g", name, len(pairs), a.Sum, b.Sum)
		}
		fmt.Printf("%-7s rung %8.0f pairs/s, Python %6.0f pairs/s, ratio %5.1f, equal over %d pairs\n", name, a.Rate, b.Rate, a.Rate/b.Rate, len(pairs))
	}
	return nil
}

// row is one row of e2e_nlg.
type row struct {
	MR         string   `json:"mr"`
	References []string `json:"references"`
}

// readRows reads the shared data: RUNG_SHARED, or a directory named shared beside the repository.
func readRows() ([]row, error) {
	dir := os.Getenv("RUNG_SHARED")
	if dir == "" {
		dir = filepath.Join("..", "shared")
	}
	f, err := os.Open(filepath.Join(dir, "data", "e2e_nlg", "dev.jsonl"))
	if err != nil {
		return nil, fmt.Errorf("the pairs come from the shared data, which is not here (RUNG_SHARED): %w", err)
	}
	defer f.Close()
	var rows []row
	lines := bufio.NewScanner(f)
	lines.Buffer(nil, 1<<20)
	for lines.Scan() {
		var r row
		if err := json.Unmarshal(lines.Bytes(), &r); err != nil {
			return nil, err
		}
		rows = append(rows, r)
	}
	return rows, lines.Err()
}

// pairsOf sets one person's text against another's for the same facts.
func pairsOf(rows []row) []pair {
	var pairs []pair
	for _, r := range rows {
		if len(r.References) > 1 {
			pairs = append(pairs, pair{r.References[0], r.References[1]})
		}
	}
	return pairs
}

var names = []string{"bleu", "chrf", "chrf++", "ter", "rouge"}

type result struct {
	Rate float64 `json:"pairs_per_s"`
	Sum  float64 `json:"sum"`
}

func scoreOurs(pairs []pair, seconds float64) map[string]result {
	parts := make([]float64, 64)
	scorers := map[string]func(p *pair) float64{
		"bleu": func(p *pair) float64 {
			grade.BLEUParts(parts, p.Hyp, []string{p.Ref})
			return grade.SentenceBLEU(parts)
		},
		"chrf": func(p *pair) float64 {
			grade.ChrFParts(parts, p.Hyp, []string{p.Ref})
			return grade.ChrF(parts[:grade.ChrFWidth])
		},
		"chrf++": func(p *pair) float64 {
			grade.ChrFPPParts(parts, p.Hyp, []string{p.Ref})
			return grade.ChrF(parts[:grade.ChrFPPWidth])
		},
		"ter": func(p *pair) float64 {
			grade.TERParts(parts, p.Hyp, []string{p.Ref})
			return grade.TER(parts)
		},
		"rouge": func(p *pair) float64 {
			s := grade.Rouge(p.Hyp, []string{p.Ref}, false)
			return s.Rouge1.F + s.Rouge2.F + s.RougeL.F
		},
	}
	runtime.GOMAXPROCS(1)
	defer runtime.GOMAXPROCS(runtime.NumCPU())
	out := map[string]result{}
	for name, score := range scorers {
		var r result
		for i := range pairs {
			r.Sum += score(&pairs[i])
		}
		done, start := 0, processorTime()
		for processorTime()-start < time.Duration(seconds*float64(time.Second)) {
			for i := range pairs {
				score(&pairs[i])
			}
			done += len(pairs)
		}
		r.Rate = float64(done) / (processorTime() - start).Seconds()
		out[name] = r
	}
	return out
}

func scoreTheirs(ctx context.Context, pairs []pair, seconds float64, python string) (map[string]result, error) {
	bin, err := environment(ctx, python)
	if err != nil {
		return nil, err
	}
	file, err := os.CreateTemp("", "rung-pairs-*.jsonl")
	if err != nil {
		return nil, err
	}
	defer os.Remove(file.Name())
	enc := json.NewEncoder(file)
	for _, p := range pairs {
		if err := enc.Encode(p); err != nil {
			return nil, err
		}
	}
	if err := file.Close(); err != nil {
		return nil, err
	}
	_, self, _, _ := runtime.Caller(0)
	cmd := exec.CommandContext(ctx, bin, filepath.Join(filepath.Dir(self), "peers.py"), file.Name(), fmt.Sprint(seconds))
	cmd.Stderr = os.Stderr
	text, err := cmd.Output()
	if err != nil {
		return nil, fmt.Errorf("the peers: %w", err)
	}
	out := map[string]result{}
	return out, json.Unmarshal(text, &out)
}

// environment makes a venv with the peers in the user's cache, once.
func environment(ctx context.Context, python string) (string, error) {
	cache, err := os.UserCacheDir()
	if err != nil {
		return "", err
	}
	dir := filepath.Join(cache, "rung", "bench-"+strings.Join(pinned, "-"))
	bin, done := filepath.Join(dir, "bin", "python"), filepath.Join(dir, "installed")
	if _, err := os.Stat(done); err == nil {
		return bin, nil
	}
	for _, args := range [][]string{{python, "-m", "venv", dir}, append([]string{bin, "-m", "pip", "install", "--quiet"}, pinned...)} {
		cmd := exec.CommandContext(ctx, args[0], args[1:]...)
		cmd.Stderr = os.Stderr
		if err := cmd.Run(); err != nil {
			return "", fmt.Errorf("%s: %w", strings.Join(args, " "), err)
		}
	}
	return bin, os.WriteFile(done, nil, 0o600)
}

func processorTime() time.Duration {
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		return 0
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}
