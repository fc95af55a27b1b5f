package label

import (
	"encoding/json"
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/rung-dev/rung"
)

// TestTypicalFirstThenAtRandom: of each group of inputs the first row that is chosen is the one nearest to the centre, and every further one is
// the next of the random order. Row after row nearest to the centre says the same again: with many labels that taught less than random rows.
func TestTypicalFirstThenAtRandom(t *testing.T) {
	rng := rand.New(rand.NewPCG(5, 5))
	words := strings.Fields("card order parcel refund password invoice kettle ferry garden museum engine pension lantern harbour blanket ladder")
	var pool []Row
	for i := range 400 {
		topic := words[i%8]
		text := topic + " " + topic + "s"
		for range rng.IntN(6) {
			text += " " + words[rng.IntN(len(words))] + fmt.Sprint(rng.IntN(40))
		}
		input, err := json.Marshal(map[string]string{"text": text})
		if err != nil {
			t.Fatal(err)
		}
		pool = append(pool, Row{DatasetRow: rung.DatasetRow{ID: fmt.Sprint(i), Input: input}, Doubt: math.NaN(), Apart: math.NaN()})
	}
	const n = 320
	x, taken, order := newIndex(pool, nil), make([]bool, len(pool)), rng.Perm(len(pool))
	group, near := x.groups(mostGroups)
	picked := map[int][]int{}
	for _, at := range x.typical(n, taken, order) {
		picked[group[at]] = append(picked[group[at]], at)
	}
	several := 0
	for g, rows := range picked {
		var rest []int
		for _, at := range order {
			if group[at] != g {
				continue
			}
			if near[at] > near[rows[0]] {
				t.Errorf("group %d begins with row %d, and %d is nearer to its centre", g, rows[0], at)
			}
			if at != rows[0] {
				rest = append(rest, at)
			}
		}
		if !slices.Equal(rows[1:], rest[:len(rows)-1]) {
			t.Errorf("group %d goes on with %v, and the random order has %v", g, rows[1:], rest[:len(rows)-1])
		}
		if len(rows) > 1 {
			several++
		}
	}
	if several < 20 {
		t.Errorf("only %d groups gave several rows", several)
	}
}
