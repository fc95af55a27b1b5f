package contam_test

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/rung-dev/rung"
	"github.com/rung-dev/rung/internal/contam"
	"github.com/rung-dev/rung/internal/rows"
	"github.com/rung-dev/rung/internal/sharedtest"
)

// shared reads a file of the shared data, which lie beside the repository or where RUNG_SHARED says.
func shared(t testing.TB, name string) []map[string]any {
	t.Helper()
	f, err := os.Open(sharedtest.File(t, "data", "contamination_gsm8k_humaneval", name))
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	var out []map[string]any
	s := bufio.NewScanner(f)
	s.Buffer(nil, 1<<20)
	for s.Scan() {
		var m map[string]any
		if err := json.Unmarshal(s.Bytes(), &m); err != nil {
			t.Fatal(err)
		}
		out = append(out, m)
	}
	if s.Err() != nil || len(out) == 0 {
		t.Fatal(s.Err())
	}
	return out
}

func index(t testing.TB, list ...string) *contam.Index {
	t.Helper()
	var items []contam.Item
	for i, s := range list {
		items = append(items, contam.Item{Set: "test", Where: fmt.Sprint(i), Text: s})
	}
	x, err := contam.NewIndex(items)
	if err != nil {
		t.Fatal(err)
	}
	return x
}

var defaults = contam.Options{Share: contam.DefaultShare, Fuzzy: contam.DefaultFuzzy, Rephrased: contam.DefaultRephrased}

var questions = []string{
	"Janet’s ducks lay 16 eggs per day. She eats three for breakfast every morning and bakes muffins for her friends every day with four. How much does she make?",
	"A robe takes 2 bolts of blue fiber and half that much white fiber. How many bolts in total does it take?",
	"Josh decides to try flipping a house. He buys a house for $80,000 and then puts in $50,000 in repairs. How much profit did he make?",
	"Every day, Wendi feeds each of her chickens three cups of mixed chicken feed, containing seeds, mealworms and vegetables to help keep them healthy.",
	"Kylar went to the store to buy glasses for his new apartment. One glass costs $5, but every second glass costs only 60% of the price.",
	"Toulouse has twice as many sheep as Charleston. Charleston has 4 times as many sheep as Seattle.",
}

func TestReasons(t *testing.T) {
	c := contam.NewChecker(index(t, questions...), defaults)
	for _, want := range []struct {
		text   string
		item   int
		reason contam.Reason
	}{
		{"a ROBE takes 2 bolts of blue fiber, and half that much white fiber; how many bolts in total does it take", 1, contam.Exact},
		{"Solve this for me. Josh decides to try flipping a house. He buys a house for $80,000 and then puts in some more.", 2, contam.Gram13},
		{"Toulouse has twice as many sheep as Charleston. Charleston has more of the cows.", 5, contam.Gram8},
		{"Toulouse had twice as many sheep as Charleston. Charleston had 4 times as many sheep as Seattle.", 5, contam.Fuzzy},
		{"A garment needs two bolts of blue fibre and half as much white fiber. What is the total number of bolts?", 1, contam.Rephrased},
		{"Wendi gives every chicken 3 cups of a mixed feed of seed, mealworm and vegetable each day so that they stay healthy.", 3, contam.Rephrased},
		{"Maria sold 48 clips in April and half as many in May. How many clips did she sell altogether?", -1, ""},
		{"", -1, ""},
	} {
		hit, _ := c.Check([]byte(want.text))
		if hit.Item != want.item || hit.Reason != want.reason {
			t.Errorf("%q: item %d, %s (%.2f)", want.text, hit.Item, hit.Reason, hit.Similarity)
		}
	}
}

// TestATestOfZeroIsOff: a share of 0 is no share that every item has reached.
func TestATestOfZeroIsOff(t *testing.T) {
	o := defaults
	o.Share = 0
	if hit, _ := contam.NewChecker(index(t, questions...), o).Check([]byte("Toulouse has twice as many sheep as Charleston. Charleston has more of the cows.")); hit.Reason == contam.Gram8 {
		t.Errorf("8-grams are compared although their share is 0: %+v", hit)
	}
}

// TestALongRowIsSearchedThrough: a rephrased item in the middle of a long conversation is found.
func TestALongRowIsSearchedThrough(t *testing.T) {
	c := contam.NewChecker(index(t, questions...), defaults)
	filler := strings.Repeat("We talked about the weather and the garden for a good while, and then about the children and their school. ", 20)
	hit, _ := c.Check([]byte(filler + "A garment needs two bolts of blue fibre and half as much white fiber. What is the total number of bolts? " + filler))
	if hit.Item > 1 { // a short item in so much text may stay hidden, but another may not be named
		t.Errorf("item %d, %s", hit.Item, hit.Reason)
	}
	hit, _ = c.Check([]byte(filler + "Wendi gives every chicken 3 cups of a mixed feed of seeds, mealworms and vegetables each day, containing what keeps them healthy. " + filler))
	if hit.Item != 3 {
		t.Errorf("item %d, %s %.2f", hit.Item, hit.Reason, hit.Similarity)
	}
}

// wilson is the 95 % interval of k of n.
func wilson(k, n int) (low, high float64) {
	const z = 1.959964
	p, m := float64(k)/float64(n), float64(n)
	middle := (p + z*z/(2*m)) / (1 + z*z/m)
	half := z / (1 + z*z/m) * math.Sqrt(p*(1-p)/m+z*z/(4*m*m))
	return middle - half, middle + half
}

// TestRephrasedQuestions holds the default to what it is for. Of 1,319 rephrased test questions of GSM8K, at least 1,000 must be found at no more than
// 1 % false alarms on 2,000 training questions. The threshold is chosen on the even rows (the lowest with at most 1 % false alarms there) and
// what it does is read on the odd ones; the default is no lower.
func TestRephrasedQuestions(t *testing.T) {
	pairs, clean := shared(t, "gsm8k_pairs.jsonl"), shared(t, "gsm8k_train_sample.jsonl")
	var items []string
	for _, p := range pairs {
		items = append(items, p["test_text"].(string))
	}
	x := index(t, items...)
	count := func(threshold float64, odd int) (found, of, alarms, n int) {
		o := defaults
		o.Rephrased = threshold
		c := contam.NewChecker(x, o)
		for i, p := range pairs {
			if i%2 == odd {
				of++
				if hit, _ := c.Check([]byte(p["rephrased"].(string))); hit.Item == i {
					found++
				}
			}
		}
		for i, p := range clean {
			if i%2 == odd {
				n++
				if hit, _ := c.Check([]byte(p["question"].(string))); hit.Item >= 0 {
					alarms++
				}
			}
		}
		return found, of, alarms, n
	}
	chosen := .6
	for step := .58; step >= .4; step -= .02 {
		if _, _, alarms, n := count(step, 0); alarms*100 > n {
			break
		}
		chosen = step
	}
	found, of, alarms, n := count(chosen, 1)
	low, high := wilson(found, of)
	t.Logf("chosen %.2f: on the other half %d of %d found (%.3f–%.3f), %d of %d false alarms", chosen, found, of, low, high, alarms, n)
	if low < 1000./1319 {
		t.Errorf("at %.2f, %d of %d found", chosen, found, of)
	}
	if low, _ := wilson(alarms, n); low > .01 {
		t.Errorf("%d of %d false alarms", alarms, n)
	}
	even, _, alarmsEven, _ := count(contam.DefaultRephrased, 0)
	odd, _, alarmsOdd, _ := count(contam.DefaultRephrased, 1)
	t.Logf("default %.2f: %d of 1319 found, %d of 2000 false alarms", contam.DefaultRephrased, even+odd, alarmsEven+alarmsOdd)
	if contam.DefaultRephrased < chosen-1e-9 || even+odd < 1000 || alarmsEven+alarmsOdd > 20 {
		t.Errorf("the default finds %d with %d false alarms", even+odd, alarmsEven+alarmsOdd)
	}
}

func write(t *testing.T, text string) *rows.Set {
	t.Helper()
	path := filepath.Join(t.TempDir(), "train.jsonl")
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	set, err := rows.Open(t.Context(), []string{path}, "")
	if err != nil {
		t.Fatal(err)
	}
	return set
}

func TestRun(t *testing.T) {
	set := write(t, `{"q": "nothing of the kind"}
broken
{"q": "a robe takes 2 bolts of blue fiber and half that much white fiber how many bolts in total does it take"}
{"other": 1}
{"q": "She keeps chickens and gives them food."}
`)
	o := defaults
	o.Fields = rows.Fields{"q"}
	r, err := contam.Run(t.Context(), set, index(t, questions...), o)
	if err != nil || r.Rows != 5 || len(r.Removed) != 2 || r.Removed[0].Reason != contam.Unreadable || r.Removed[0].Line != 2 ||
		r.Removed[1].Reason != contam.Exact || r.Removed[1].Row != 2 || r.Items[1] != 1 {
		t.Errorf("%+v %v", r, err)
	}
	o.Semantic = .9
	o.Embed = func(_ context.Context, list []string) ([][]float32, error) {
		out := make([][]float32, len(list))
		for i, s := range list {
			out[i] = []float32{0, 1}
			if strings.Contains(strings.ToLower(s), "chicken") {
				out[i] = []float32{1, 0}
			} else if strings.Contains(s, "nothing") {
				out[i] = []float32{.7, .7}
			}
		}
		return out, nil
	}
	r, err = contam.Run(t.Context(), set, index(t, questions...), o)
	if err != nil || len(r.Removed) != 3 || r.Removed[2].Reason != contam.Semantic || r.Removed[2].Item != 3 || r.Removed[2].Line != 5 {
		t.Errorf("%+v %v", r, err)
	}
}

func TestThresholdsAreChecked(t *testing.T) {
	set := write(t, `{"q": "a"}`)
	for _, o := range []contam.Options{{}, {Fields: rows.Fields{"q"}, Share: 2}, {Fields: rows.Fields{"q"}, Rephrased: 2}} {
		if _, err := contam.Run(t.Context(), set, index(t, "a"), o); rung.CodeOf(err) != rung.CodeUsage {
			t.Errorf("%+v: %v", o, err)
		}
	}
	if _, err := contam.NewIndex(nil); rung.CodeOf(err) != rung.CodeInput {
		t.Error(err)
	}
}

// FuzzCheck: any text can be looked up, and an item is always found in itself.
func FuzzCheck(f *testing.F) {
	for _, s := range append(questions, "1,000.50 1/2 3.", "日本語のテキスト 12", "\xff\xfe", "é²½") {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, text string) {
		c := contam.NewChecker(index(t, append(questions, text)...), defaults)
		hit, _ := c.Check([]byte(text))
		if strings.ContainsAny(text, "abcdefghijklmnopqrstuvwxyz0123456789") && hit.Item < 0 {
			t.Errorf("%q is not found in itself", text)
		}
	})
}
