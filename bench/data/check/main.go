// Command check plants faults in published data and counts what rung data check finds, for the checks whose thresholds decide: cut answers,
// near-equal questions with other labels, and fields and words that give the label away. docs/data-check.md has its table.
//
//	go run ./bench/data/check [SHARED]
package main

import (
	"bufio"
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"

	"github.com/rung-dev/rung"
	"github.com/rung-dev/rung/internal/datacheck"
	"github.com/rung-dev/rung/internal/stats"
)

func main() {
	shared := cmp.Or(os.Getenv("RUNG_SHARED"), filepath.Join("..", "shared"))
	if len(os.Args) > 1 {
		shared = os.Args[1]
	}
	for _, measure := range []func(string) error{truncated, contradictions, giveaways} {
		if err := measure(filepath.Join(shared, "data")); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
	}
}

// pair is a row of any of the sets.
type pair struct{ in, out string }

// load reads pairs from JSON lines.
func load(path string, take func(raw map[string]any) pair) ([]pair, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, fmt.Errorf("the shared data is not here (RUNG_SHARED): %w", err)
	}
	defer f.Close() //nolint:errcheck // read only
	var out []pair
	lines := bufio.NewScanner(f)
	lines.Buffer(nil, 16<<20)
	for lines.Scan() {
		var raw map[string]any
		if err := json.Unmarshal(lines.Bytes(), &raw); err != nil {
			return nil, fmt.Errorf("%s: %w", path, err)
		}
		if p := take(raw); p.in != "" && p.out != "" {
			out = append(out, p)
		}
	}
	return out, lines.Err()
}

// keys takes a text from two keys, the first of a list.
func keys(in, out string) func(map[string]any) pair {
	text := func(v any) string {
		if list, ok := v.([]any); ok && len(list) > 0 {
			v = list[0]
		}
		s, _ := v.(string) // no text: the row is left out
		return s
	}
	return func(raw map[string]any) pair { return pair{text(raw[in]), text(raw[out])} }
}

// count is how many rows a finding counts, by check and the beginning of what it says.
func count(all []pair, extra []string, check, what string, near float64) (int, error) {
	source := func(_ context.Context, take func(*rung.DatasetRow, rung.Origin) error, _ func(rung.RemovedRow) error) error {
		for i, p := range all {
			fields := map[string]string{"text": p.in}
			if extra != nil {
				fields["ref"] = extra[i]
			}
			in, err := json.Marshal(fields)
			if err != nil {
				return err
			}
			out, err := json.Marshal(p.out)
			if err != nil {
				return err
			}
			if err := take(&rung.DatasetRow{Input: in, Output: out}, rung.Origin{File: "rows", Line: i + 1}); err != nil {
				return err
			}
		}
		return nil
	}
	report, err := datacheck.Check(context.Background(), source, datacheck.Options{Near: near})
	if err != nil {
		return 0, err
	}
	n := 0
	for _, f := range report.Findings {
		if f.Check == check && strings.Contains(f.What, what) {
			n += f.Count
		}
	}
	return n, nil
}

func line(what string, k, n int) {
	low, high := stats.Wilson(k, n, .95)
	fmt.Printf("%-62s %5d of %5d  %.3f [%.3f–%.3f]\n", what, k, n, float64(k)/float64(n), low, high)
}

// truncated cuts answers that stand nowhere whole in the set, so that their words must be known from others.
func truncated(data string) error {
	for _, set := range []struct{ name, file, in, out string }{
		{"mts_dialog", "mts_dialog/train.jsonl", "dialogue", "reference"},
		{"e2e_nlg", "e2e_nlg/clean_dev.jsonl", "mr", "references"},
	} {
		all, err := load(filepath.Join(data, set.file), keys(set.in, set.out))
		if err != nil {
			return err
		}
		rng := rand.New(rand.NewPCG(1, 1))
		rng.Shuffle(len(all), func(i, j int) { all[i], all[j] = all[j], all[i] })
		for _, share := range []int{20, 8} { // one of so many is cut
			if err := cutOneOf(set.name, all, share, rng); err != nil {
				return err
			}
		}
	}
	return nil
}

// The two findings of cut answers: by signs of a cut, and only by the end of a sentence that is missing.
const seem, unended = "outputs seem", "outputs end without"

func cutOneOf(name string, all []pair, share int, rng *rand.Rand) error {
	at := len(all) - len(all)/share
	whole, cut := all[:at], all[at:]
	for _, what := range []string{seem, unended} {
		before, err := count(whole, nil, "truncated", what, -1)
		if err != nil {
			return err
		}
		found, n := 0, 0
		const rounds = 3 // other places of the cuts
		for range rounds {
			planted := whole[:len(whole):len(whole)]
			for _, p := range cut {
				if text := []rune(p.out); len(text) >= 20 {
					planted = append(planted, pair{p.in, string(text[:len(text)/5+rng.IntN(len(text)*3/4)])})
				}
			}
			after, err := count(planted, nil, "truncated", what, -1)
			if err != nil {
				return err
			}
			found, n = found+max(0, after-before), n+len(planted)-len(whole)
		}
		how := fmt.Sprintf("%s, one of %d cut, %q", name, share, what)
		line(how+": found", found, n)
		line(how+": false", before, len(whole))
		if found+before > 0 {
			line(how+": cut of those called", found, found+rounds*before)
		}
	}
	return nil
}

// edited changes words of a text: each with the same chance, to another word of the set.
func edited(rng *rand.Rand, text string, words []string, n int) string {
	w := strings.Fields(text)
	for range n {
		w[rng.IntN(len(w))] = words[rng.IntN(len(words))]
	}
	return strings.Join(w, " ")
}

// contradictions adds edited copies of questions, with their label (nothing is to be found) and with another (all are).
func contradictions(data string) error {
	all, err := load(filepath.Join(data, "banking77", "train.jsonl"), keys("text", "label"))
	if err != nil {
		return err
	}
	var words []string
	for _, p := range all[:2000] {
		words = append(words, strings.Fields(p.in)...)
	}
	base, err := count(all, nil, "contradiction", "", 0)
	if err != nil {
		return err
	}
	line("banking77: published questions called contradictory", base, len(all))
	for _, edits := range []int{0, 1, 2} {
		for _, flip := range []bool{true, false} {
			rng := rand.New(rand.NewPCG(2, uint64(edits)))
			planted := all[:len(all):len(all)]
			for len(planted) < len(all)+500 {
				p := all[rng.IntN(len(all))]
				if len(strings.Fields(p.in)) < 8 {
					continue
				}
				q := pair{edited(rng, p.in, words, edits), p.out}
				for other := all[rng.IntN(len(all))].out; flip && q.out == p.out; other = all[rng.IntN(len(all))].out {
					q.out = other
				}
				planted = append(planted, q)
			}
			after, err := count(planted, nil, "contradiction", "", 0)
			if err != nil {
				return err
			}
			line(fmt.Sprintf("banking77: %d words changed, label flipped %v, found", edits, flip), max(0, after-base), 500)
		}
	}
	return nil
}

// giveaways plants a field that says the label as often as stated, and one that says nothing.
func giveaways(data string) error {
	for _, set := range []struct{ name, file string }{{"hatecheck", "hatecheck/cases.jsonl"}, {"sms_spam", "sms_spam/all.jsonl"}} {
		all, err := load(filepath.Join(data, set.file), keys("text", "label"))
		if err != nil {
			return err
		}
		for _, pure := range []float64{1, .99, .97, .9, 0} {
			found := 0
			const runs = 20
			for seed := range uint64(runs) {
				rng := rand.New(rand.NewPCG(3, seed))
				rng.Shuffle(len(all), func(i, j int) { all[i], all[j] = all[j], all[i] })
				some := all[:1000]
				refs := make([]string, len(some))
				for i, p := range some {
					said := p.out
					if rng.Float64() >= pure {
						said = some[rng.IntN(len(some))].out
					}
					refs[i] = fmt.Sprintf("%c-%05d", said[0]-32, rng.IntN(100000))
				}
				n, err := count(some, refs, "gives_away", "ref", -1)
				if err != nil {
					return err
				}
				found += min(n, 1)
			}
			line(fmt.Sprintf("%s: id whose letter is the label in a share of %.2f, found", set.name, pure), found, runs)
		}
	}
	return nil
}
