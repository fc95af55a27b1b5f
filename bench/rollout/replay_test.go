package main

import (
	"math"
	"testing"

	"github.com/rung-dev/rung"
)

// set reads a data set, or skips the test where it is not.
func set(t *testing.T, name string, rows int) *dataSet {
	t.Helper()
	shared, err := sharedDir()
	if err != nil {
		t.Skip("the shared data are not here: ", err)
	}
	d, err := load(shared, name, rows)
	if err != nil {
		t.Skip("the shared data are not here: ", err)
	}
	return d
}

// TestReplay: of real messages, answered by releases whose truth is measured on each of them, a truly worse canary is not promoted
// and a truly better or equal one not rolled back, but for α of the rollouts; and they do end.
func TestReplay(t *testing.T) {
	o := options{rollouts: 40, share: .2, margin: .03, seed: 3}
	if testing.Short() {
		o.rollouts = 8
	}
	for _, name := range []string{"banking77", "snips"} {
		d := set(t, name, 0)
		for _, k := range kinds(d) {
			r := replay(d, k, o)
			t.Log(r)
			const alpha = .05
			if most := alpha + 3*math.Sqrt(alpha*(1-alpha)/float64(o.rollouts)); float64(r.wrong)/float64(o.rollouts) > most {
				t.Errorf("wrong: %s", r)
			}
			ended := map[string]int{"worse": r.back, "better": r.promoted, "equal": r.promoted}[k.name]
			if ended < o.rollouts*3/4 {
				t.Errorf("only %d of %d ended as they should: %s", ended, o.rollouts, r)
			}
		}
	}
}

// TestReplayThroughAGateway: a canary that truly answers worse is rolled back by the feedback of its callers, one that truly answers
// better promoted, by a real gateway; afterwards no request goes to the release that lost.
func TestReplayThroughAGateway(t *testing.T) {
	d := set(t, "banking77", 0)
	s, err := newStreet(t.Context(), "", d)
	if err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	}()
	for _, c := range []struct {
		target string
		state  rung.RolloutState
	}{{"v2", rung.RolledBack}, {"v3", rung.Promoted}} {
		out, err := s.roll(t.Context(), "to-"+c.target, c.target, .3, .03, 20_000)
		if err != nil {
			t.Fatal(err)
		}
		t.Log(out)
		if out.Ended.State != c.state || out.Wrong > 0 || out.After < walkersAtOnce*walkOn {
			t.Errorf("%s: %s", c.target, out)
		}
	}
}
