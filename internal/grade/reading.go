package grade

import (
	"encoding/json"
	"slices"
	"strings"

	"github.com/rung-dev/rung"
)

// reading is one example with one answer, read once for all metrics. It belongs to one goroutine. What only some metrics need
// is made when first asked for.
type reading struct {
	g      *Grader
	ex     *rung.Example
	ans    *rung.Answer
	failed bool // the answer has a problem: it scores 0 on every metric
	got    value
	want   []value // the expected output, then its alternatives

	gotText       text
	wantText      []text
	refs          []string
	rouge         *RougeScores
	gotPairs      []pair // fields, sorted
	wantPairs     [][]pair
	gotSlots      []pair
	wantSlots     [][]pair
	pairs, slots  bool // made
	source        *ground
	compared      bool
	differs       differs // from the nearest expected output, once compared
	faults        []fault
	celIn, celOut any
	celWant       []any
}

// fault says why a metric of the user's own could not judge an example.
type fault struct {
	metric, why string
}

func (g *Grader) read(ex *rung.Example, ans *rung.Answer) *reading {
	r := &reading{g: g, ex: ex, ans: ans, failed: ans.Problem != rung.NoProblem || len(ans.Value) == 0}
	r.want = make([]value, 1, 1+len(ex.Alternatives))
	r.want[0] = readValue(ex.Output)
	for _, alternative := range ex.Alternatives {
		r.want = append(r.want, readValue(alternative))
	}
	if r.failed && g.kind == rung.Text && ans.Problem == rung.EmptyAnswer && slices.ContainsFunc(r.want, blank) {
		r.failed = false // where saying nothing is right, an empty answer is an answer
		r.got = value{kind: 's'}
	}
	if !r.failed && len(ans.Value) > 0 {
		r.got = readValue(ans.Value)
	}
	return r
}

func blank(v value) bool { return v.kind == 's' && strings.TrimSpace(v.text) == "" }

// string is the text of a value: a string as it is, other JSON as it was written.
func (v *value) string(raw json.RawMessage) string {
	if v.kind == 's' {
		return v.text
	}
	return string(raw)
}

// texts are the answer and the expected outputs as text.
func (r *reading) texts() (*text, []text) {
	if r.wantText == nil {
		r.gotText = text{s: r.got.string(r.ans.Value)}
		if r.failed {
			r.gotText.s = ""
		}
		r.wantText = make([]text, len(r.want))
		r.wantText[0] = text{s: r.want[0].string(r.ex.Output)}
		for i, alternative := range r.ex.Alternatives {
			r.wantText[i+1] = text{s: r.want[i+1].string(alternative)}
		}
	}
	return &r.gotText, r.wantText
}

// references are the expected texts.
func (r *reading) references() []string {
	if r.refs == nil {
		_, want := r.texts()
		for i := range want {
			r.refs = append(r.refs, want[i].s)
		}
	}
	return r.refs
}

// fields are the sorted fields of the answer and of the expected outputs.
func (r *reading) fields() ([]pair, [][]pair) {
	if !r.pairs {
		r.pairs = true
		of := func(v *value) []pair { return leaves(nil, v, "") }
		if r.g.kind == rung.Tools {
			of = callFields
		}
		r.gotPairs, r.wantPairs = r.bags(of)
	}
	return r.gotPairs, r.wantPairs
}

// slotPairs are the sorted slots of the answer and of the expected outputs.
func (r *reading) slotPairs() ([]pair, [][]pair) {
	if !r.slots {
		r.slots = true
		r.gotSlots, r.wantSlots = r.bags(r.g.slotForm.slots)
	}
	return r.gotSlots, r.wantSlots
}

func (r *reading) bags(of func(*value) []pair) (got []pair, want [][]pair) {
	if !r.failed {
		got = of(&r.got)
		slices.SortFunc(got, pair.compare)
	}
	want = make([][]pair, len(r.want))
	for i := range r.want {
		want[i] = of(&r.want[i])
		slices.SortFunc(want[i], pair.compare)
	}
	return got, want
}

// same reports whether the answer equals the expected output i.
func (r *reading) same(i int) bool {
	switch r.g.kind {
	case rung.Labels:
		return r.got.kind == 's' && r.want[i].kind == 's' && r.got.text == r.want[i].text
	case rung.Text:
		got, want := r.texts()
		return sameText(got, &want[i])
	case rung.Tools:
		return canonicalCalls(&r.got) == canonicalCalls(&r.want[i])
	}
	return r.got.canonical() == r.want[i].canonical()
}

// right reports whether the answer equals one of the expected outputs.
func (r *reading) right() bool {
	for i := range r.want {
		if r.same(i) {
			return true
		}
	}
	return false
}

// best is the largest of f over the expected outputs.
func (r *reading) best(f func(i int) float64) float64 {
	top := f(0)
	for i := 1; i < len(r.want) && top < 1; i++ {
		top = max(top, f(i))
	}
	return top
}
