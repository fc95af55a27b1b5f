// Command measure says how often datacheck.Language is right: on JSON lines of {"language", "text"}, by length of the text.
package main

import (
	"bufio"
	"encoding/json"
	"fmt"
	"os"

	"github.com/rung-dev/rung/internal/datacheck"
	"github.com/rung-dev/rung/internal/stats"
)

func main() {
	type tally struct{ n, named, right int }
	lengths := []int{15, 30, 60, 120, 1 << 30}
	tallies := make([]tally, len(lengths))
	in := bufio.NewScanner(os.Stdin)
	for in.Scan() {
		var x struct{ Language, Text string }
		if err := json.Unmarshal(in.Bytes(), &x); err != nil {
			fmt.Fprintln(os.Stderr, "measure:", err)
			os.Exit(1)
		}
		for i := range lengths[1:] {
			n := len([]rune(x.Text))
			if n < lengths[i] || n >= lengths[i+1] {
				continue
			}
			t := &tallies[i]
			t.n++
			if got, _ := datacheck.Language([]byte(x.Text)); got != "" {
				t.named++
				if got == x.Language {
					t.right++
				}
			}
		}
	}
	for i, t := range tallies[:len(tallies)-1] {
		low, high := stats.Wilson(t.right, max(1, t.named), .95)
		fmt.Printf("from %d characters: %d texts, %d named, %d of these right: %.3f [%.3f–%.3f] (Wilson, 95 %%)\n", lengths[i], t.n, t.named, t.right, float64(t.right)/float64(max(1, t.named)), low, high)
	}
}
