// Command guards measures the guards on public data that none of them was made from: what they find, what they miss, what
// they find in ordinary traffic, and how long they take.
//
//	go run ./bench/guards
//
// What finds personal data is measured in bench/data/pii.
package main

import (
	"bufio"
	"context"
	"encoding/json"
	"flag"
	"fmt"
	"log"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/rung-dev/rung"
	"github.com/rung-dev/rung/internal/guard"
)

func main() {
	data := flag.String("data", filepath.Join("..", "shared", "data"), "folder of the data sets")
	detail := flag.Bool("detail", false, "print hatecheck by functionality")
	flag.Parse()
	log.SetFlags(0)
	d := dir(*data)
	injection(d)
	retrieved(d)
	toxic(d, *detail)
	ordinary(d)
	latency(d)
}

// dir is the folder of the data sets.
type dir string

// lines reads a JSON lines file.
func lines[T any](d dir, set, file string) []T {
	f, err := os.Open(filepath.Join(string(d), set, file))
	if err != nil {
		log.Fatalf("%v; -data names the folder that holds %s", err, set)
	}
	defer func() { _ = f.Close() }()
	var out []T
	scan := bufio.NewScanner(f)
	scan.Buffer(nil, 1<<24)
	for scan.Scan() {
		var r T
		if err := json.Unmarshal(scan.Bytes(), &r); err != nil {
			log.Fatal(set, ": ", err)
		}
		out = append(out, r)
	}
	if err := scan.Err(); err != nil {
		log.Fatal(err)
	}
	return out
}

type text struct {
	Text  string          `json:"text"`
	Label json.RawMessage `json:"label"`
}

// one is a set with one guard that only annotates, at its default threshold.
func one(spec rung.GuardSpec) *guard.Set {
	spec.Action = rung.Annotate
	set, err := guard.New([]rung.GuardSpec{spec}, guard.Env{})
	if err != nil {
		log.Fatal(err)
	}
	return set
}

// found reports whether a set finds anything in a text.
func found(set *guard.Set, stage rung.GuardStage, text string) bool {
	ctx, s := context.Background(), set.Session()
	var vs []rung.GuardVerdict
	var err error
	if stage == rung.GuardRetrieved {
		_, vs, err = s.Passages(ctx, []rung.Passage{{Text: text}})
	} else {
		_, vs, err = s.Input(ctx, text)
	}
	if err != nil {
		log.Fatal(err)
	}
	return slices.ContainsFunc(vs, func(v rung.GuardVerdict) bool { return v.Action != "" })
}

// tally counts a two-way decision.
type tally struct{ tp, fp, fn, tn int }

func (t *tally) add(truth, said bool) {
	switch {
	case truth && said:
		t.tp++
	case truth:
		t.fn++
	case said:
		t.fp++
	default:
		t.tn++
	}
}

func ratio(a, b int) float64 {
	if b == 0 {
		return 0
	}
	return float64(a) / float64(b)
}

func (t tally) precision() float64 { return ratio(t.tp, t.tp+t.fp) }
func (t tally) recall() float64    { return ratio(t.tp, t.tp+t.fn) }
func (t tally) f1() float64        { return ratio(2*t.tp, 2*t.tp+t.fp+t.fn) }

func (t tally) String() string {
	return fmt.Sprintf("precision %.3f  recall %.3f  F1 %.3f  (found %d of %d; %d found in error, %d rightly not)",
		t.precision(), t.recall(), t.f1(), t.tp, t.tp+t.fn, t.fp, t.tn)
}

// injection measures the screening of user texts on the test split; its weights come from the train split.
func injection(d dir) {
	set := one(rung.GuardSpec{Kind: "injection", Stages: []rung.GuardStage{rung.GuardInput}})
	var t tally
	for _, r := range lines[text](d, "deepset_prompt_injections", "test.jsonl") {
		t.add(string(r.Label) == "1", found(set, rung.GuardInput, r.Text))
	}
	fmt.Println("injection, user text: deepset_prompt_injections, test split")
	fmt.Printf("  %s\n\n", t)
}

// retrieved plants each attack of BIPIA in six contexts, two of each kind, at the start, the middle or the end, and screens them
// at several thresholds.
func retrieved(d dir) {
	fmt.Println("injection, retrieved text: bipia, never trained on; 250 attacks in 6 contexts each; clean: its 200 contexts and 646 paragraphs of squad2")
	fmt.Printf("  %-10s %28s %34s %40s\n", "", "recall by attack", "recall by context", "found in clean ones")
	fmt.Printf("  %-10s %10s %8s %8s %12s %10s %10s %10s %9s %9s %9s\n", "threshold", "all", "text", "code", "email", "table", "code", "email", "table", "code", "wikipedia")
	for _, limit := range []float64{.5, .6, .7, .8, .9} {
		retrievedAt(d, limit)
	}
	fmt.Println()
}

func retrievedAt(d dir, limit float64) {
	type context struct{ Kind, Context string }
	type attack struct{ Kind, Category, Instruction string }
	set := one(rung.GuardSpec{Kind: "injection", Stages: []rung.GuardStage{rung.GuardRetrieved}, Threshold: limit})
	names := []string{"email", "table", "code"}
	kinds, clean, by := map[string][]string{}, map[string]*tally{}, map[string]*tally{}
	count := func(m map[string]*tally, key string, truth, said bool) {
		if m[key] == nil {
			m[key] = &tally{}
		}
		m[key].add(truth, said)
	}
	for _, c := range lines[context](d, "bipia", "contexts.jsonl") {
		kinds[c.Kind] = append(kinds[c.Kind], c.Context)
		count(clean, c.Kind, false, found(set, rung.GuardRetrieved, c.Context))
	}
	n := 0
	for _, a := range lines[attack](d, "bipia", "attacks.jsonl") {
		for i := range 6 {
			kind := names[i%3]
			c := kinds[kind][(n*7+i)%len(kinds[kind])]
			said := found(set, rung.GuardRetrieved, plant(c, a.Instruction, n%3))
			count(by, "all", true, said)
			count(by, a.Kind+" attack", true, said)
			count(by, kind, true, said)
			n++
		}
	}
	fmt.Printf("  %-10.1f %10.3f %8.3f %8.3f %12.3f %10.3f %10.3f", limit, by["all"].recall(), by["text attack"].recall(), by["code attack"].recall(),
		by["email"].recall(), by["table"].recall(), by["code"].recall())
	for _, p := range textsOf(d, "squad2_dev_half", "corpus.jsonl") {
		count(clean, "wikipedia", false, found(set, rung.GuardRetrieved, p))
	}
	for _, k := range append(names, "wikipedia") {
		fmt.Printf(" %9.3f", ratio(clean[k].fp, clean[k].fp+clean[k].tn))
	}
	fmt.Println()
}

// plant puts an instruction into a context on a line of its own.
func plant(c, instruction string, place int) string {
	at := []int{0, len(c) / 2, len(c)}[place]
	if nl := strings.IndexByte(c[at:], '\n'); place == 1 && nl >= 0 {
		at += nl
	} else if sp := strings.IndexByte(c[at:], ' '); place == 1 && sp >= 0 {
		at += sp
	}
	return c[:at] + "\n" + instruction + "\n" + c[at:]
}

// toxic measures on HateCheck, whose cases are made to be hard: slurs that are quoted, hate that is denied, insults of nobody.
func toxic(d dir, detail bool) {
	type row struct{ Text, Label, Functionality string }
	set := one(rung.GuardSpec{Kind: "toxicity", Stages: []rung.GuardStage{rung.GuardInput}})
	var t tally
	by := map[string]*tally{}
	for _, r := range lines[row](d, "hatecheck", "cases.jsonl") {
		said := found(set, rung.GuardInput, r.Text)
		t.add(r.Label == "hateful", said)
		if by[r.Functionality] == nil {
			by[r.Functionality] = &tally{}
		}
		by[r.Functionality].add(r.Label == "hateful", said)
	}
	fmt.Println("toxicity: hatecheck, all 3,728 cases")
	fmt.Printf("  %s\n", t)
	fmt.Printf("  right on hateful cases %.3f, on others %.3f\n", t.recall(), ratio(t.tn, t.tn+t.fp))
	for _, name := range slices.Sorted(keysOf(by)) {
		if b := by[name]; detail {
			fmt.Printf("    %-26s right %.3f of %d\n", name, ratio(b.tp+b.tn, b.tp+b.tn+b.fp+b.fn), b.tp+b.tn+b.fp+b.fn)
		}
	}
	fmt.Println()
}

func keysOf[V any](m map[string]V) func(yield func(string) bool) {
	return func(yield func(string) bool) {
		for k := range m {
			if !yield(k) {
				return
			}
		}
	}
}
