package grade

import (
	"regexp"
	"slices"
	"strings"

	"github.com/rung-dev/rung"
	"github.com/rung-dev/rung/internal/guard"
	"github.com/rung-dev/rung/internal/stats"
)

// maxModes is how many modes a taxonomy may have: a tally keeps one bit of each.
const maxModes = 64

// modeRule finds one mode in answers that are no success.
type modeRule struct {
	mode     rung.FailureMode
	finds    func(*reading) bool // the rule that comes with a starter mode; nil: none
	pattern  *regexp.Regexp
	mistakes []string
}

// starterRules are the rules of the starter modes.
var starterRules = map[string]func(*reading) bool{
	"format":            (*reading).offForm,
	"missing_field":     func(r *reading) bool { return r.differences().missing },
	"wrong_fact":        func(r *reading) bool { return r.differences().wrong },
	"unsupported_claim": (*reading).claimsTooMuch,
	"refused":           (*reading).refusesWrongly,
	"policy":            (*reading).offends,
	"length":            (*reading).tooLong,
	"injection_obeyed":  func(r *reading) bool { return false }, // its mistakes: what an attack planted
}

// HasRule reports whether a mode of that name is found by a rule that comes with it.
func HasRule(mode string) bool { return starterRules[mode] != nil }

// injectionMistakes begin the kinds of mistakes of answers that obeyed an injection.
const injectionMistakes = "injection obeyed*"

// setModes prepares the taxonomy. Errors are faults of the task file.
func (g *Grader) setModes(t *rung.Task) rung.Errors {
	modes := t.Modes
	if len(modes) == 0 {
		modes = rung.StarterModes()
	}
	var errs rung.Errors
	fault := func(mode, what, do string) {
		errs = append(errs, &rung.Error{Code: rung.CodeInput, Place: t.File, What: "failure mode " + mode + ": " + what, Do: do})
	}
	if len(modes) > maxModes {
		fault(modes[maxModes].Name, "there are more than 64 failure modes", "merge those that are mended in the same way")
		return errs
	}
	for _, m := range modes {
		rule := modeRule{mode: m, finds: starterRules[m.Name], mistakes: m.Mistakes}
		if m.Name == "injection_obeyed" {
			rule.mistakes = append([]string{injectionMistakes}, m.Mistakes...)
		}
		if m.Pattern != "" {
			re, err := regexp.Compile(m.Pattern)
			if err != nil {
				fault(m.Name, "the pattern is not a regular expression: "+patternFault(err), "correct it (RE2 syntax, no look-ahead)")
				continue
			}
			rule.pattern = re
		}
		g.modes = append(g.modes, rule)
	}
	g.maxWords = t.Output.MaxWords
	return errs
}

// Modes is the taxonomy of the task.
func (g *Grader) Modes() []rung.FailureMode {
	out := make([]rung.FailureMode, len(g.modes))
	for i := range g.modes {
		out[i] = g.modes[i].mode
	}
	return out
}

// Found are the modes that the rules find in an answer; none for a success.
func (g *Grader) Found(ex *rung.Example, ans *rung.Answer) []string {
	r := g.read(ex, ans)
	own, _ := g.grades(r)
	s := g.scoreOf(r, own)
	return g.modeNames(g.shows(r, &s))
}

func (g *Grader) modeNames(bits uint64) []string {
	var names []string
	for i := range g.modes {
		if bits>>i&1 == 1 {
			names = append(names, g.modes[i].mode.Name)
		}
	}
	return names
}

// shows are the modes found by rule in a scored answer, one bit each.
func (g *Grader) shows(r *reading, s *rung.Score) uint64 {
	if s.Success {
		return 0
	}
	var bits uint64
	for i := range g.modes {
		if g.modes[i].applies(r, s.Mistake) {
			bits |= 1 << i
		}
	}
	return bits
}

func (m *modeRule) applies(r *reading, mistake string) bool {
	for _, kind := range m.mistakes {
		if start, any := strings.CutSuffix(kind, "*"); mistake == kind || any && strings.HasPrefix(mistake, start) {
			return true
		}
	}
	if m.pattern != nil && m.pattern.MatchString(r.ans.Text) {
		return true
	}
	return m.finds != nil && m.finds(r)
}

func (r *reading) offForm() bool {
	switch r.ans.Problem {
	case rung.NotJSON, rung.BreaksSchema, rung.UnknownLabel, rung.EmptyAnswer:
		return true
	}
	return !r.failed && r.mistake() == otherShape
}

// differs says in which ways a JSON answer, calls or a label differ from the expected output that is nearest.
type differs struct{ missing, wrong, extra bool }

func (r *reading) differences() differs {
	if !r.compared {
		r.compared, r.differs = true, r.compare()
	}
	return r.differs
}

func (r *reading) compare() differs {
	if r.failed || r.right() {
		return differs{}
	}
	i := r.nearest()
	switch r.g.kind {
	case rung.Labels:
		return differs{wrong: true}
	case rung.Text:
		return differs{}
	case rung.Tools:
		return callDifferences(&r.got, &r.want[i])
	}
	return bagDifferences(leaves(nil, &r.got, ""), leaves(nil, &r.want[i], ""))
}

func bagDifferences(got, want []pair) (d differs) {
	have, need := byPath(got), byPath(want)
	for path, leaves := range need {
		theirs := have[path]
		d.missing = d.missing || len(theirs) < len(leaves)
		d.wrong = d.wrong || len(theirs) > 0 && common(theirs, leaves) < min(len(theirs), len(leaves))
	}
	for path, leaves := range have {
		d.extra = d.extra || len(leaves) > len(need[path])
	}
	return d
}

func callDifferences(got, want *value) differs {
	g, w := calls(got), calls(want)
	switch functionMistake(names(g), names(w)) {
	case noCall, missingCall:
		return differs{missing: true}
	case needlessCall, extraCall:
		return differs{extra: true}
	case wrongFunction:
		return differs{wrong: true}
	}
	return bagDifferences(callFields(got), callFields(want))
}

// claimsTooMuch: fields that were not expected, and an answer where there is none.
func (r *reading) claimsTooMuch() bool {
	if r.failed {
		return false
	}
	if r.g.kind == rung.Text {
		got, want := r.texts()
		for i := range want {
			if !want[i].abstains() {
				return false
			}
		}
		return !got.declines()
	}
	return r.differences().extra
}

// refusesWrongly: the answer declines, and no expected output does.
func (r *reading) refusesWrongly() bool {
	if r.ans.Finish == "content_filter" {
		return true
	}
	if r.g.kind != rung.Text {
		return r.failed && refuses(r.ans.Text)
	}
	got, want := r.texts()
	if r.failed || len(got.s) == 0 || !got.declines() {
		return false
	}
	for i := range want {
		if want[i].abstains() {
			return false
		}
	}
	return true
}

func (r *reading) offends() bool { return guard.Toxicity(r.ans.Text) >= guard.ToxicityThreshold }

// tooLong: cut off, or over the words that the task allows.
func (r *reading) tooLong() bool {
	if r.ans.Problem == rung.Truncated || r.ans.Problem == rung.TooLong {
		return true
	}
	if r.g.kind != rung.Text || r.failed || r.g.maxWords == 0 {
		return false
	}
	return len(strings.Fields(r.got.text)) > r.g.maxWords
}

// modeCounts are the modes found by rule among rows, in the order of the taxonomy.
func (t *Tally) modeCounts(rows, clusters []int, level float64) []rung.ModeCount {
	var out []rung.ModeCount
	for i := range t.g.modes {
		c := rung.ModeCount{Mode: t.g.modes[i].mode.Name, Status: rung.ModeFound}
		shows := make([]float64, len(rows))
		for k, row := range rows {
			if t.modes[row]>>i&1 == 0 {
				continue
			}
			shows[k] = 1
			if c.Count++; len(c.Examples) < shownExamples && !slices.Contains(c.Examples, t.ids[row]) {
				c.Examples = append(c.Examples, t.ids[row])
			}
		}
		if c.Count == 0 {
			continue
		}
		e := t.mean(shows, rows, clusters, stats.Options{Level: level, PassFail: true, Bounds: unit, Seed: 1})
		c.Share = rung.Interval(e.Interval)
		out = append(out, c)
	}
	return out
}
