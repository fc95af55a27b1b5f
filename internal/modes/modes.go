// Package modes helps people to name the ways in which answers fail. It gathers the mistakes of a scorecard, groups those that
// are alike, proposes a failure mode for each group or asks a model for one, and counts what was found by rule, proposed and
// confirmed. What a person said counts before everything else.
package modes

import (
	"cmp"
	"encoding/json"
	"slices"
	"strings"

	"github.com/rung-dev/rung"
	"github.com/rung-dev/rung/internal/grade"
)

// Mistake is an answer that is no success.
type Mistake struct {
	Example rung.Example
	Score   rung.Score
	Found   []string // modes that it shows by rule
}

// Gather are the mistakes among scores, in the order of examples, with what the rules find. An example without a score is passed
// over.
func Gather(g *grade.Grader, examples []rung.Example, scores map[string]rung.Score) []Mistake {
	var out []Mistake
	for i := range examples {
		s, ok := scores[examples[i].ID]
		if !ok || s.Success {
			continue
		}
		out = append(out, Mistake{Example: examples[i], Score: s, Found: g.Found(&examples[i], &s.Answer)})
	}
	return out
}

// Answer is the answer as people read it: its value, or the text that could not be read.
func (m *Mistake) Answer() string {
	if len(m.Score.Answer.Value) > 0 && m.Score.Answer.Problem == rung.NoProblem {
		return bare(m.Score.Answer.Value)
	}
	return m.Score.Answer.Text
}

// bare is a JSON string without its quotes, other JSON as it is.
func bare(raw json.RawMessage) string {
	var s string
	if json.Unmarshal(raw, &s) == nil {
		return s
	}
	return string(raw)
}

// Label is a label of one mistake.
func (m *Mistake) Label(candidate, set rung.Digest, mode string, status rung.ModeStatus, by string) rung.ModeLabel {
	return rung.ModeLabel{Candidate: candidate, Set: set, Example: m.Example.ID, Mode: mode, Status: status, By: by, Wrong: clip(m.Answer(), maxWrong)}
}

// maxWrong is how much of a wrong answer is kept with a label, in bytes.
const maxWrong = 4000

func clip(s string, n int) string {
	if len(s) <= n {
		return s
	}
	return strings.ToValidUTF8(s[:n], "") + "…"
}

// Standing is what is known about one answer and one failure mode: the newest word of a person, else the rule's, else a
// proposal.
type Standing struct {
	Example string
	Mode    string
	Status  rung.ModeStatus
	By      string
	Note    string
}

// Seen is the mode of a rejected label that says no more than that a person has seen the mistake and names nothing.
const Seen = "any"

// Stand settles what is known, per example and mode, in the order of mistakes and of modes. Two people who disagree leave it to
// the later one.
func Stand(mistakes []Mistake, labels []rung.ModeLabel, taxonomy []rung.FailureMode) []Standing {
	byExample := map[string]map[string]Standing{}
	put := func(s Standing) {
		if byExample[s.Example] == nil {
			byExample[s.Example] = map[string]Standing{}
		}
		byExample[s.Example][s.Mode] = s
	}
	weight := map[rung.ModeStatus]int{rung.ModeProposed: 1, rung.ModeFound: 2, rung.ModeConfirmed: 3, rung.ModeRejected: 3}
	for i := range mistakes {
		for _, mode := range mistakes[i].Found {
			put(Standing{Example: mistakes[i].Example.ID, Mode: mode, Status: rung.ModeFound, By: "rule"})
		}
	}
	for _, l := range slices.SortedStableFunc(slices.Values(labels), func(a, b rung.ModeLabel) int { return a.At.Compare(b.At) }) {
		if l.Mode != Seen && weight[l.Status] >= weight[byExample[l.Example][l.Mode].Status] {
			put(Standing{Example: l.Example, Mode: l.Mode, Status: l.Status, By: l.By, Note: l.Note})
		}
	}
	var out []Standing
	for i := range mistakes {
		all := byExample[mistakes[i].Example.ID]
		for _, mode := range Order(taxonomy, all) {
			out = append(out, all[mode])
		}
	}
	return out
}

// Order are the names among known in the order of the taxonomy, others after it by name.
func Order[V any](taxonomy []rung.FailureMode, known map[string]V) []string {
	place := func(name string) int {
		if i := slices.IndexFunc(taxonomy, func(m rung.FailureMode) bool { return m.Name == name }); i >= 0 {
			return i
		}
		return len(taxonomy)
	}
	names := make([]string, 0, len(known))
	for name := range known {
		names = append(names, name)
	}
	slices.SortFunc(names, func(a, b string) int { return cmp.Or(cmp.Compare(place(a), place(b)), strings.Compare(a, b)) })
	return names
}
