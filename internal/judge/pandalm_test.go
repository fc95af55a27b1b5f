package judge_test

import (
	"encoding/json"
	"math"
	"os"
	"testing"

	"github.com/rung-dev/rung/internal/judge"
	"github.com/rung-dev/rung/internal/sharedtest"
)

func pandalm(t *testing.T, name string) []judge.Observation {
	t.Helper()
	fields := map[string]string{"first": "response1", "second": "response2", "human": "annotators", "judge": "judges." + name}
	rows, err := judge.ReadFile(sharedtest.File(t, "data", "pandalm_human", "all.jsonl"), judge.Format{Pairwise: true, Map: fields})
	if err != nil {
		t.Fatal(err)
	}
	return judge.Recorded(rows, "", true)
}

func near(got, want float64) bool { return math.Abs(got-want) <= 1e-9 }

// TestRecordedJudgesAgainstPeople: the agreement of the two judges with people is that of the reference libraries.
func TestRecordedJudgesAgainstPeople(t *testing.T) {
	var want struct {
		Pandalm struct {
			Krippendorff float64 `json:"krippendorff_nominal"`
			GPT          struct {
				N               int
				Cohen, Accuracy float64
			} `json:"judge_gpt35"`
			Panda struct {
				N               int
				Cohen, Accuracy float64
			} `json:"judge_pandalm7b"`
		}
	}
	b, err := os.ReadFile(sharedtest.File(t, "vectors", "agreement_vectors.json"))
	if err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(b, &want); err != nil {
		t.Fatal(err)
	}
	for name, w := range map[string]struct {
		N               int
		Cohen, Accuracy float64
	}{"gpt35": want.Pandalm.GPT, "pandalm7b": want.Pandalm.Panda} {
		c := judge.Calibrate(pandalm(t, name), judge.Settings{Pairwise: true, Seed: 1})
		kappa, equal := c.Agreement[0], c.Agreement[1]
		if !near(kappa.Value, w.Cohen) || !near(equal.Value, w.Accuracy) || kappa.N != w.N || !c.OK {
			t.Errorf("%s: κ %v, equal %v, n %d; want %+v", name, kappa.Value, equal.Value, kappa.N, w)
		}
		if !near(c.Among.Value, want.Pandalm.Krippendorff) || c.Raters != 3 || c.Rated != 999 {
			t.Errorf("among people α is %v, %d raters, %d rated", c.Among.Value, c.Raters, c.Rated)
		}
		for _, s := range c.Says {
			t.Log(s)
		}
		t.Logf("%s people %+v raw %+v corrected %+v", name, c.People, c.Raw, c.Corrected)
	}
}

// TestFewRatingsAndAJudgeGiveWhatAllPeopleSay: with a tenth of the ratings the corrected win rate holds the one of all ratings as often
// as it says, though the judge alone is off.
func TestFewRatingsAndAJudgeGiveWhatAllPeopleSay(t *testing.T) {
	for _, name := range []string{"gpt35", "pandalm7b"} {
		c := judge.Rehearse(pandalm(t, name), 100, 200, judge.Settings{Pairwise: true, Seed: 1})
		t.Logf("%s %+v", name, c)
		if c.Held < .92 {
			t.Errorf("%s: the corrected interval holds the win rate of all ratings in %.1f %% of draws", name, 100*c.Held)
		}
		if c.Width >= c.AloneWide {
			t.Errorf("%s: the judge makes the interval no shorter: %v against %v", name, c.Width, c.AloneWide)
		}
	}
}
