package task

import (
	"fmt"
	"regexp"
	"slices"
	"strings"

	"github.com/rung-dev/rung"
)

const modesDo = "list the failure modes, such as: modes: [format, refused, {mode: wrong_unit, means: The unit is wrong.}]"

// modes reads the taxonomy, from the task file or from the file that it names. A task without one has those that every task
// starts with (rung.StarterModes).
func (r *reader) modes(s section) []rung.FailureMode {
	n := s.get("modes")
	if n == nil {
		return nil
	}
	if n.kind != mappingKind {
		return r.modeList(n, "modes")
	}
	from := r.section(n, "modes", "modes")
	from.need("file", "name the file that lists the failure modes")
	name := from.text("file", "name the file that lists the failure modes")
	if name == "" {
		return nil
	}
	src := r.open(from.get("file").at, name)
	if src == nil {
		return nil
	}
	root, errs := parse(src)
	other := &reader{src: src, dir: r.dir, noun: r.noun, keys: r.keys, at: map[string]pos{}, errs: errs}
	var modes []rung.FailureMode
	if root != nil {
		modes = other.modeList(root, "modes")
	} else if len(errs) == 0 {
		other.fail(pos{1, 1}, "the file is empty", modesDo)
	}
	r.errs = append(r.errs, other.errs...)
	return modes
}

func (r *reader) modeList(n *node, path string) []rung.FailureMode {
	if n.kind != listKind || len(n.items) == 0 {
		r.fail(n.at, path+" is "+emptyList(n), modesDo)
		return nil
	}
	var modes []rung.FailureMode
	for i, it := range n.items {
		m, ok := r.mode(it, fmt.Sprintf("%s[%d]", path, i))
		if ok && slices.ContainsFunc(modes, func(o rung.FailureMode) bool { return o.Name == m.Name }) {
			r.fail(it.at, fmt.Sprintf("there are two failure modes called %q", m.Name), "give one of them another name")
			continue
		}
		if ok {
			modes = append(modes, m)
		}
	}
	return modes
}

func emptyList(n *node) string {
	if n.kind == listKind {
		return "an empty list"
	}
	return string(n.kind)
}

var modeRule = regexp.MustCompile(`^[a-z][a-z0-9_]{0,39}$`)

func (r *reader) mode(it *node, path string) (rung.FailureMode, bool) {
	r.at[path] = it.at
	if it.broken {
		return rung.FailureMode{}, false
	}
	if it.kind == stringKind {
		return r.starter(it)
	}
	s := r.section(it, path, "modes[]")
	if it.kind != mappingKind {
		return rung.FailureMode{}, false
	}
	s.need("mode", "name it, such as: mode: wrong_unit")
	m := rung.FailureMode{Name: s.text("mode", "name it, such as: mode: wrong_unit")}
	if m.Name == "" {
		return m, false
	}
	if !modeRule.MatchString(m.Name) {
		r.fail(s.get("mode").at, fmt.Sprintf("%q cannot be the name of a failure mode", m.Name), "use lower-case letters, digits and _, at most 40, and start with a letter")
		return m, false
	}
	m.Means = s.text("means", "say in a sentence when an answer shows it")
	starters := rung.StarterModes()
	if at := slices.IndexFunc(starters, func(o rung.FailureMode) bool { return o.Name == m.Name }); m.Means == "" && at >= 0 {
		m.Means = starters[at].Means
	} else if m.Means == "" {
		s.need("means", "say in a sentence when an answer shows it")
	}
	for _, kind := range s.list("mistakes", true, "list kinds of mistakes as reports show them, such as: [\"wrong value: unit*\"]") {
		m.Mistakes = append(m.Mistakes, kind.text)
	}
	m.Pattern = s.text("regex", "write a regular expression (RE2)")
	if _, err := regexp.Compile(m.Pattern); err != nil {
		r.fail(s.get("regex").at, "not a regular expression: "+strings.TrimPrefix(err.Error(), "error parsing regexp: "), "correct it; the syntax is RE2, without look-around and back-references")
		return m, false
	}
	return m, true
}

// starter is a failure mode named alone.
func (r *reader) starter(it *node) (rung.FailureMode, bool) {
	var known []string
	for _, m := range rung.StarterModes() {
		if m.Name == it.text {
			return m, true
		}
		known = append(known, m.Name)
	}
	do := "write {mode: NAME, means: …} for one of your own; those that need no words are " + strings.Join(known, ", ")
	if guess := nearest(it.text, known); guess != "" {
		do = fmt.Sprintf("did you mean %q?", guess)
	}
	r.fail(it.at, fmt.Sprintf("%q is a failure mode without a meaning", it.text), do)
	return rung.FailureMode{}, false
}
