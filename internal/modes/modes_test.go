package modes_test

import (
	"context"
	"encoding/json"
	"fmt"
	"math"
	"slices"
	"testing"
	"time"

	"github.com/rung-dev/rung"
	"github.com/rung-dev/rung/internal/modes"
	"github.com/rung-dev/rung/internal/stats"
)

func mistake(id, want, got, kind string, found ...string) modes.Mistake {
	raw := func(s string) json.RawMessage {
		b, err := json.Marshal(s)
		if err != nil {
			panic(err)
		}
		return b
	}
	return modes.Mistake{Example: rung.Example{ID: id, Input: json.RawMessage(`{"q":"` + id + `"}`), Output: raw(want)},
		Score: rung.Score{Example: id, Mistake: kind, Answer: rung.Answer{Text: got, Value: raw(got)}}, Found: found}
}

// wrongWays are twelve mistakes of three kinds that a person tells apart at once.
func wrongWays() []modes.Mistake {
	var out []modes.Mistake
	for i := range 4 {
		out = append(out,
			mistake(fmt.Sprint("r", i), fmt.Sprintf("the year %d", 1900+i), fmt.Sprintf("I'm sorry, but I cannot help with question %d.", i), "no overlap", "refused"),
			mistake(fmt.Sprint("w", i), fmt.Sprintf("platform %d", i), fmt.Sprintf("platform %d", i+20), "partial"),
			mistake(fmt.Sprint("l", i), "yes", fmt.Sprintf("yes, and let me add that the matter %d has a long history which begins in the town of its makers and goes on for many years", i), "right answer plus other words"))
	}
	return out
}

func TestGroupsOfLikeMistakes(t *testing.T) {
	all := wrongWays()
	said := modes.Stand(all, []rung.ModeLabel{
		{Example: "w0", Mode: "wrong_fact", Status: rung.ModeConfirmed, By: "ann"}, {Example: "w1", Mode: "wrong_fact", Status: rung.ModeConfirmed, By: "ann"}}, nil)
	g, err := modes.Group(t.Context(), all, said, nil)
	if err != nil {
		t.Fatal(err)
	}
	if len(g.Clusters) != 3 || g.Silhouette < .3 {
		t.Fatalf("%d groups, silhouette %.2f: %+v", len(g.Clusters), g.Silhouette, g.Clusters)
	}
	byMode := map[string][]string{}
	for _, c := range g.Clusters {
		byMode[c.Mode] = slices.Sorted(slices.Values(c.Members))
	}
	for mode, want := range map[string][]string{"refused": {"r0", "r1", "r2", "r3"}, "wrong_fact": {"w0", "w1", "w2", "w3"}, "unnamed_1": {"l0", "l1", "l2", "l3"}} {
		if !slices.Equal(byMode[mode], want) {
			t.Errorf("%s: %v, want %v", mode, byMode[mode], want)
		}
	}
	again, err := modes.Group(t.Context(), all, said, nil)
	if err != nil || fmt.Sprint(again) != fmt.Sprint(g) {
		t.Error("the same mistakes gave other groups", err)
	}
	embedded, err := modes.Group(t.Context(), all, said, func(_ context.Context, texts []string) ([][]float32, error) {
		out := make([][]float32, len(texts))
		for i := range texts {
			out[i] = make([]float32, 3)
			out[i][i%3] = 1
		}
		return out, nil
	})
	if err != nil || len(embedded.Clusters) != 3 {
		t.Errorf("with embeddings: %+v, %v", embedded, err)
	}
}

func TestFewMistakesAreGroupedToo(t *testing.T) {
	for n := range 5 {
		g, err := modes.Group(t.Context(), wrongWays()[:n], nil, nil)
		if err != nil {
			t.Fatal(err)
		}
		members := 0
		for _, c := range g.Clusters {
			members += c.Size
		}
		if members != n || math.IsNaN(g.Silhouette) {
			t.Errorf("%d mistakes: %+v", n, g)
		}
	}
}

func TestWhatAPersonSaidCounts(t *testing.T) {
	at := time.Unix(1_700_000_000, 0)
	label := func(example, mode, by string, status rung.ModeStatus, after int) rung.ModeLabel {
		return rung.ModeLabel{Example: example, Mode: mode, By: by, Status: status, At: at.Add(time.Duration(after) * time.Second)}
	}
	all := []modes.Mistake{mistake("a", "x", "y", "partial", "refused"), mistake("b", "x", "y", "partial"), mistake("c", "x", "y", "partial")}
	labels := []rung.ModeLabel{
		label("a", "refused", "ann", rung.ModeRejected, 0),                                                        // a person overrules the rule
		label("a", "refused", "clustering", rung.ModeProposed, 9),                                                 // and what is proposed later
		label("b", "policy", "judge m", rung.ModeProposed, 0), label("b", "policy", "ann", rung.ModeConfirmed, 1), // confirmed
		label("b", "policy", "bob", rung.ModeRejected, 2), // the later one of two people
		label("c", "wrong_unit", "ann", rung.ModeConfirmed, 0), label("c", modes.Seen, "ann", rung.ModeRejected, 0),
		label("gone", "policy", "ann", rung.ModeConfirmed, 0),
	}
	want := []modes.Standing{{Example: "a", Mode: "refused", Status: rung.ModeRejected, By: "ann"}, {Example: "b", Mode: "policy", Status: rung.ModeRejected, By: "bob"},
		{Example: "c", Mode: "wrong_unit", Status: rung.ModeConfirmed, By: "ann"}}
	got := modes.Stand(all, labels, rung.StarterModes())
	if !slices.Equal(got, want) {
		t.Errorf("%+v", got)
	}
	if n := modes.LookedAt(all, labels); n != 3 {
		t.Errorf("%d looked at", n)
	}
	groups := map[string]string{}
	for i := range 50 {
		groups[fmt.Sprint(i)] = ""
	}
	groups["a"], groups["b"], groups["c"] = "", "", ""
	counts := modes.Count(got, rung.StarterModes(), groups, .95, nil)
	if len(counts) != 3 || counts[2].Mode != "wrong_unit" || counts[2].Status != rung.ModeConfirmed || counts[2].Count != 1 || counts[2].Share.N != 53 ||
		math.Abs(counts[2].Share.Value-1./53) > 1e-12 || counts[2].Share.High < .05 || counts[2].Share.Method == "" {
		t.Errorf("%+v", counts)
	}
}

func TestAJudgesWord(t *testing.T) {
	answers := map[string]string{"r0": "Refused.", "w0": "It could be wrong_fact or policy", "l0": "none", "r1": "the mode is length, I think"}
	door := talker(func(q string) string {
		return answers[q]
	})
	j := &modes.Judge{Door: door, Model: "x/y", Concurrency: 3, Taxonomy: rung.StarterModes()}
	var asked []modes.Mistake
	for _, m := range wrongWays() {
		if answers[m.Example.ID] != "" {
			asked = append(asked, m)
		}
	}
	got, err := j.Ask(t.Context(), asked)
	if err != nil {
		t.Fatal(err)
	}
	for _, op := range got {
		want := map[string]string{"r0": "refused", "r1": "length"}[op.Example]
		if op.Mode != want || want == "" && op.Note == "" {
			t.Errorf("%s: %+v, want %q", op.Example, op, want)
		}
	}
}

// TestSharesOfAStoppedEvaluationAreWider: a person's label makes no fixed sample of one that stopped when it had seen enough.
func TestSharesOfAStoppedEvaluationAreWider(t *testing.T) {
	groups := map[string]string{}
	var standing []modes.Standing
	for i := range 30 {
		id := fmt.Sprint(i)
		groups[id] = ""
		if i < 9 {
			standing = append(standing, modes.Standing{Example: id, Mode: "wrong_fact", Status: rung.ModeConfirmed})
		}
	}
	fixed := modes.Count(standing, nil, groups, .95, nil)[0]
	stopped := modes.Count(standing, nil, groups, .95, &stats.AnytimePlan{Total: 90})[0]
	if fixed.Share.Method != "Wilson" || stopped.Share.Method != stats.BettingMethod || stopped.Share.Value != fixed.Share.Value ||
		stopped.Share.Low >= fixed.Share.Low || stopped.Share.High <= fixed.Share.High {
		t.Errorf("stopped %+v, not stopped %+v", stopped.Share, fixed.Share)
	}
}
