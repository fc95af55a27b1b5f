package grade

import (
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/rung-dev/rung"
)

// Kinds of mistakes, for grouping. A kind names a field or a label where that tells the mistakes apart, and never a value that
// only this answer has.
const (
	otherShape    = "other shape or order" // the same fields and values, arranged in another way
	expressionNo  = "expression says no"
	patternNo     = "pattern does not match"
	wrongFunction = "wrong function"
	noCall        = "no call"
	needlessCall  = "needless call"
	missingCall   = "missing call"
	extraCall     = "extra call"
	abstained     = "abstained"
	answeredNone  = "answered where there is no answer"
	noOverlap     = "no overlap"
	partial       = "partial"
	otherWords    = "right answer plus other words"
	partOfIt      = "part of the right answer"
	belowBar      = "right, and still below the bar"
)

// maxKind is the length of a kind in runes; names in it come from answers, which may be of any length.
const maxKind = 48

// clip shortens s, on one line.
func clip(s string) string {
	s = strings.Join(strings.Fields(s), " ")
	if utf8.RuneCountInString(s) <= maxKind {
		return s
	}
	return string([]rune(s)[:maxKind-1]) + "…"
}

// mistake is the kind of mistake of an answer that is no success.
func (r *reading) mistake() string {
	if r.ans.Problem != rung.NoProblem && r.failed {
		return string(r.ans.Problem)
	}
	if r.failed {
		return string(rung.EmptyAnswer)
	}
	if kind := r.ownMistake(); kind != "" {
		return kind
	}
	i := r.nearest()
	kind := ""
	switch r.g.kind {
	case rung.Labels:
		kind = r.labelMistake()
	case rung.Text:
		kind = r.textMistake(i)
	case rung.Tools:
		kind = callMistake(&r.got, &r.want[i])
	default:
		kind = fieldMistake(&r.got, &r.want[i])
	}
	if kind == "" {
		return belowBar
	}
	return kind
}

// ownMistake is the mistake against a bar that the task defines itself: what its metric reported, else a right answer's
// failure of it.
func (r *reading) ownMistake() string {
	if r.g.bar < 0 {
		return ""
	}
	bar := &r.g.metrics[r.g.bar]
	for _, f := range r.faults {
		if f.metric == bar.name {
			return f.why
		}
	}
	return bar.missed
}

// nearest is the expected output that the answer comes closest to, the first of several.
func (r *reading) nearest() int {
	if len(r.want) == 1 || r.g.kind == rung.Labels {
		return 0
	}
	best, at := -1.0, 0
	for i := range r.want {
		f := 0.0
		if r.g.kind == rung.Text {
			got, want := r.texts()
			f = tokenF1(got, &want[i])
		} else {
			got, want := r.fields()
			f = f1(float64(hits(got, want[i])), float64(len(got)), float64(len(want[i])))
		}
		if f > best {
			best, at = f, i
		}
	}
	return at
}

func (r *reading) labelMistake() string {
	if r.right() {
		return ""
	}
	return "said " + clip(r.got.text) + " instead of " + clip(r.want[0].text)
}

// abstentions are answers that decline, as normalised words.
var abstentions = []string{"unanswerable", "not answerable", "no answer", "unknown", "n/a", "none", "i do not know", "i don't know",
	"cannot be answered", "can't be answered", "cannot answer", "not mentioned", "not specified", "not stated", "not in documents",
	"does not say", "no information", "do not say", "does not mention", "do not mention", "does not contain", "do not contain",
	"does not provide", "do not provide", "does not specify", "do not specify", "does not state", "do not state", "not provided",
	"not enough information", "does not answer", "do not answer", "does not hold", "do not hold", "there is no mention"}

var abstaining = func() map[string]bool {
	m := make(map[string]bool, len(abstentions))
	for _, phrase := range abstentions {
		kept, _ := words(phrase)
		m[strings.Join(kept, " ")] = true
	}
	return m
}()

// abstains reports whether a text says nothing, or nothing but that there is no answer. Long answers are no abstentions.
func (t *text) abstains() bool {
	t.prepare()
	if len(t.words) == 0 || abstaining[t.joined] {
		return true
	}
	if len(t.words) > 12 {
		return false
	}
	for phrase := range abstaining {
		if (strings.Contains(phrase, " ") || phrase == "unanswerable") && strings.Contains(" "+t.joined+" ", " "+phrase+" ") {
			return true
		}
	}
	return false
}

func (r *reading) textMistake(i int) string {
	got, all := r.texts()
	want := &all[i]
	overlap := tokenF1(got, want)
	switch {
	case sameText(got, want):
		return ""
	case len(want.words) == 0:
		return answeredNone
	case got.abstains() && !want.abstains():
		return abstained
	case overlap == 0:
		return noOverlap
	case got.holds(want):
		return otherWords
	case want.holds(got):
		return partOfIt
	}
	return partial
}

// fieldMistake names the first field, in the expected order, that is missing or wrong, else the first that is too many.
func fieldMistake(got, want *value) string {
	g, w := leaves(nil, got, ""), leaves(nil, want, "")
	switch kind, path := firstDifference(g, w); kind {
	case "":
	case "wrong":
		return "wrong value: " + shown(path)
	default:
		return kind + " field: " + shown(path)
	}
	if got.canonical() != want.canonical() {
		return otherShape
	}
	return ""
}

// firstDifference compares bags of pairs. The kind is "missing", "wrong", "extra" or empty.
func firstDifference(got, want []pair) (kind, path string) {
	have, need := byPath(got), byPath(want)
	for _, p := range want {
		switch theirs := have[p.path]; {
		case len(theirs) == 0:
			return "missing", p.path
		case !slices.Equal(theirs, need[p.path]):
			return "wrong", p.path
		}
	}
	for _, p := range got {
		if len(need[p.path]) == 0 {
			return "extra", p.path
		}
	}
	return "", ""
}

// byPath are the sorted leaves of each path.
func byPath(pairs []pair) map[string][]string {
	m := make(map[string][]string, len(pairs))
	for _, p := range pairs {
		m[p.path] = append(m[p.path], p.leaf)
	}
	for _, list := range m {
		slices.Sort(list)
	}
	return m
}

// callMistake names what is wrong with tool calls: the functions first, then the first argument that differs.
func callMistake(got, want *value) string {
	g, w := calls(got), calls(want)
	if kind := functionMistake(names(g), names(w)); kind != "" {
		return kind
	}
	if canonicalCalls(got) == canonicalCalls(want) {
		return ""
	}
	for _, name := range slices.Compact(names(w)) {
		kind, path := firstDifference(argumentsOf(g, name), argumentsOf(w, name))
		if kind != "" {
			return kind + " argument: " + shown(path)
		}
	}
	return otherShape
}

func names(list []call) []string {
	out := make([]string, len(list))
	for i := range list {
		out[i] = list[i].name
	}
	slices.Sort(out)
	return out
}

// functionMistake compares the sorted names of the called functions.
func functionMistake(got, want []string) string {
	n := common(got, want)
	switch {
	case slices.Equal(got, want):
		return ""
	case len(got) == 0:
		return noCall
	case len(want) == 0:
		return needlessCall
	case n == len(got):
		return missingCall
	case n == len(want):
		return extraCall
	}
	return wrongFunction
}

// argumentsOf are the arguments of all calls of one function, their names alone.
func argumentsOf(list []call, name string) []pair {
	var out []pair
	for i := range list {
		if list[i].name == name {
			out = leaves(out, &list[i].arguments, "")
		}
	}
	return out
}
