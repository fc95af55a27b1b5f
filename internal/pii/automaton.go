package pii

import (
	"encoding/binary"
	"regexp/syntax"
	"slices"
)

// automaton matches whole numbers with a pattern of digits: a state for each set of places in the pattern (subset construction; Rabin &
// Scott, 1959), so that a digit costs one step. State 0 is the dead end, 1 the start.
type automaton struct {
	next [][10]int32
	ends []bool // the pattern may end here
}

// newAutomaton makes the automaton of a pattern of digits, groups, choices and counts. Numbering plans allow numbers of some fifteen digits,
// so the states stay few.
func newAutomaton(pattern string) *automaton {
	re, err := syntax.Parse(pattern, syntax.Perl)
	if err != nil {
		panic("pii: a numbering plan: " + err.Error()) // TestPhonePlans compiles all of them
	}
	prog, err := syntax.Compile(re.Simplify())
	if err != nil {
		panic("pii: a numbering plan: " + err.Error())
	}
	a := &automaton{next: make([][10]int32, 1), ends: make([]bool, 1)}
	known := map[string]int32{"": 0}
	sets := [][]uint32{nil}
	add := func(set []uint32) int32 {
		slices.Sort(set)
		set = slices.Compact(set)
		var key []byte
		for _, pc := range set {
			key = binary.LittleEndian.AppendUint32(key, pc)
		}
		if id, ok := known[string(key)]; ok {
			return id
		}
		id := int32(len(sets))
		known[string(key)] = id
		sets, a.next = append(sets, set), append(a.next, [10]int32{})
		a.ends = append(a.ends, slices.ContainsFunc(set, func(pc uint32) bool { return prog.Inst[pc].Op == syntax.InstMatch }))
		return id
	}
	add(reach(prog, uint32(prog.Start), nil))
	for i := 1; i < len(sets); i++ {
		for d := range 10 {
			var after []uint32
			for _, pc := range sets[i] {
				if in := &prog.Inst[pc]; takesRune(in) && in.MatchRune('0'+rune(d)) {
					after = reach(prog, in.Out, after)
				}
			}
			a.next[i][d] = add(after)
		}
	}
	return a
}

func takesRune(in *syntax.Inst) bool {
	return in.Op == syntax.InstRune || in.Op == syntax.InstRune1 || in.Op == syntax.InstRuneAny || in.Op == syntax.InstRuneAnyNotNL
}

// reach adds the places that are reached from one without a digit.
func reach(prog *syntax.Prog, pc uint32, set []uint32) []uint32 {
	if slices.Contains(set, pc) {
		return set
	}
	switch in := &prog.Inst[pc]; in.Op {
	case syntax.InstAlt, syntax.InstAltMatch:
		return reach(prog, in.Arg, reach(prog, in.Out, set))
	case syntax.InstCapture, syntax.InstNop:
		return reach(prog, in.Out, set)
	default:
		return append(set, pc)
	}
}

// matches reports whether all of digits is a number of the pattern.
func (a *automaton) matches(digits string) bool {
	state := int32(1)
	for i := range len(digits) {
		if state = a.next[state][digits[i]-'0']; state == 0 {
			return false
		}
	}
	return a.ends[state]
}
