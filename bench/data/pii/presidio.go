package main

import (
	"bytes"
	_ "embed"
	"encoding/json"
	"fmt"
	"log"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/rung-dev/rung/internal/pii"
)

//go:embed presidio.py
var presidioScript []byte

const presidioVersion = "presidio-analyzer==2.2.366"

// presidioThreshold is the score from which its findings count: 0.5 leaves out the weak patterns that need words around them.
const presidioThreshold = .5

// formed are the kinds that both find by their form.
var formed = []string{"EMAIL", "PHONE", "CREDIT_CARD", "IBAN", "US_SSN", "IP", "URL"}

// comparePresidio measures presidio-analyzer's rules on the same sentences, in the same run.
func comparePresidio(d dir) {
	rows := lines[sentence](d, "presidio_pii", "all.jsonl")
	theirs, seconds := runPresidio(rows)
	a, b := newPIIScore(), newPIIScore()
	start := time.Now()
	own := make([][]marked, len(rows))
	for i, s := range rows {
		for _, f := range pii.Find(s.Text, formed) {
			own[i] = append(own[i], marked{f.Type, f.Start, f.End})
		}
	}
	took := time.Since(start).Seconds()
	for i, s := range rows {
		gold := slices.DeleteFunc(s.gold(), func(m marked) bool { return !slices.Contains(formed, m.kind) })
		a.add(s.Text, gold, own[i])
		b.add(s.Text, gold, theirs[i])
	}
	fmt.Printf("pii with a form, on the same sentences: rung\n")
	a.print()
	fmt.Printf("%s, its rules without a language model, score of at least %.1f\n", presidioVersion, presidioThreshold)
	b.print()
	fmt.Printf("time for 1,500 sentences: rung %.3f s, presidio %.2f s, ratio %.0f\n", took, seconds, seconds/took)
}

func runPresidio(rows []sentence) (found [][]marked, seconds float64) {
	var in, out bytes.Buffer
	enc := json.NewEncoder(&in)
	for _, r := range rows {
		if err := enc.Encode(r.Text); err != nil {
			log.Fatal(err)
		}
	}
	cmd := exec.Command(presidioPython(), "-c", string(presidioScript))
	cmd.Stdin, cmd.Stdout, cmd.Stderr = &in, &out, os.Stderr
	if err := cmd.Run(); err != nil {
		log.Fatal("presidio: ", err)
	}
	all := strings.Split(strings.TrimSpace(out.String()), "\n")
	if len(all) != len(rows)+1 {
		log.Fatalf("presidio answered %d lines for %d texts", len(all), len(rows))
	}
	for i, line := range all[:len(rows)] {
		var list [][]any
		if err := json.Unmarshal([]byte(line), &list); err != nil {
			log.Fatal(err)
		}
		found = append(found, marks(rows[i].Text, list))
	}
	var end struct{ Seconds float64 }
	if err := json.Unmarshal([]byte(all[len(rows)]), &end); err != nil {
		log.Fatal(err)
	}
	return found, end.Seconds
}

// marks turns [kind, start, end, score], counted in characters, into findings in bytes.
func marks(text string, list [][]any) []marked {
	var at []int
	for i := range text {
		at = append(at, i)
	}
	at = append(at, len(text))
	var out []marked
	for _, f := range list {
		if f[3].(float64) >= presidioThreshold {
			out = append(out, marked{f[0].(string), at[int(f[1].(float64))], at[int(f[2].(float64))]})
		}
	}
	return out
}

// presidioPython makes a virtual environment in the user's cache, once.
func presidioPython() string {
	cache, err := os.UserCacheDir()
	if err != nil {
		log.Fatal(err)
	}
	dir := filepath.Join(cache, "rung-bench", strings.ReplaceAll(presidioVersion, "==", "-"))
	bin, done := filepath.Join(dir, "bin", "python"), filepath.Join(dir, "done")
	if _, err := os.Stat(done); err == nil {
		return bin
	}
	for _, args := range [][]string{{"python3", "-m", "venv", dir}, {bin, "-m", "pip", "install", "--quiet", presidioVersion}} {
		cmd := exec.Command(args[0], args[1:]...)
		cmd.Stderr = os.Stderr
		if err := cmd.Run(); err != nil {
			log.Fatal(args, ": ", err)
		}
	}
	if err := os.WriteFile(done, nil, 0o644); err != nil {
		log.Fatal(err)
	}
	return bin
}
