package grade

import (
	"encoding/json"
	"fmt"
	"math"
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/rung-dev/rung"
	"github.com/rung-dev/rung/internal/form"
	"github.com/rung-dev/rung/internal/stats"
)

// slotTally is n examples with one to four slots, each right with probability .7, in groups of one to three.
func slotTally(t testing.TB, n int) *Tally {
	t.Helper()
	out := rung.Output{Kind: rung.JSONSchema, Schema: json.RawMessage(`{"properties":{"slots":{"type":"object"}}}`)}
	f, err := form.New(out)
	if err != nil {
		t.Fatal(err)
	}
	g, err := New(&rung.Task{Output: out, Bar: rung.Bar{Metric: "slot_f1", AtLeast: .5}}, f)
	if err != nil {
		t.Fatal(err)
	}
	rng := rand.New(rand.NewPCG(3, 4))
	tally := g.NewTally(n)
	group := 0
	for i := range n {
		if rng.IntN(2) == 0 {
			group++
		}
		want, got := []string{}, []string{}
		for s := range 1 + rng.IntN(4) {
			want = append(want, fmt.Sprintf(`"s%d":"v"`, s))
			if rng.Float64() < .7 {
				got = append(got, want[len(want)-1])
			} else if rng.IntN(2) == 0 {
				got = append(got, fmt.Sprintf(`"s%d":"w"`, s))
			}
		}
		object := func(members []string) json.RawMessage {
			return json.RawMessage(`{"slots":{` + strings.Join(members, ",") + `}}`)
		}
		ex := rung.Example{ID: fmt.Sprint(i), Output: object(want), Group: fmt.Sprint(group)}
		tally.Add(i, &ex, &rung.Answer{Value: object(got)})
	}
	return tally
}

// The interval of large samples agrees with the bootstrap that small ones get.
func TestLinearisedAgreesWithBootstrap(t *testing.T) {
	tally := slotTally(t, 600)
	i := tally.g.index["slot_f1"]
	rows := tally.rows()
	clusters := tally.clusters(rows)
	o := stats.Options{Level: .95, Bounds: unit, Seed: 1}
	drawn := tally.estimate(i, rows, clusters, .95, 1)
	line := tally.linearised(i, rows, clusters, o)
	if !strings.Contains(drawn.Method, "bootstrap") || !strings.Contains(line.Method, "linearised") {
		t.Errorf("the methods are %q and %q", drawn.Method, line.Method)
	}
	if math.Abs(drawn.Value-line.Value) > 1e-9 || math.Abs(line.SE/drawn.SE-1) > .04 || math.Abs(line.Low-drawn.Low) > .004 {
		t.Errorf("linearised %+v, bootstrap %+v", line, drawn)
	}
}

func TestLargeSamplesAreLinearised(t *testing.T) {
	tally := slotTally(t, 6000)
	e, ok := tally.Estimate("slot_f1", .95, 1)
	if !ok || !strings.Contains(e.Method, "linearised") || e.SE <= 0 || e.SE > .01 {
		t.Errorf("the estimate of 6000 is %+v", e)
	}
	if math.Abs(tally.Value("slot_f1")-e.Value) > 1e-9 {
		t.Errorf("the figure is %v, and %v with its interval", tally.Value("slot_f1"), e.Value)
	}
	cmp, err := Compare(tally, tally, "slot_f1", .95, 1)
	if err != nil || cmp.P != 1 || cmp.Difference.Value != 0 || math.Abs(cmp.Difference.Low) > 1 {
		t.Errorf("against itself: %+v, %v", cmp, err)
	}
}

// A large sample of perfect answers does not vary: it is resampled, and does not claim certainty.
func TestLargePerfectSample(t *testing.T) {
	tally := slotTally(t, 6000)
	column := &tally.columns[tally.g.index["slot_f1"]]
	for i := range 6000 {
		column.parts[3*i], column.parts[3*i+1] = column.parts[3*i+2], column.parts[3*i+2]
	}
	e, _ := tally.Estimate("slot_f1", .95, 1)
	if e.Value != 1 || e.High != 1 || e.Low >= 1 || e.Low < .99 {
		t.Errorf("6000 perfect answers give %+v, want 1 with a lower bound just short of it", e)
	}
}
