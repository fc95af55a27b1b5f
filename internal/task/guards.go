package task

import (
	"fmt"
	"slices"
	"strings"

	"github.com/rung-dev/rung"
)

// guardSpecs reads the guards: what each kind can do stands in rung.GuardKinds. Defaults are filled in, so that a release
// holds what was meant.
func (r *reader) guardSpecs(s section, t *rung.Task) []rung.GuardSpec {
	const do = "list the guards, such as: guards: [{guard: pii, action: redact}]"
	n := s.get("guards")
	if n == nil {
		return nil
	}
	if n.kind != listKind {
		r.fail(n.at, "guards is "+string(n.kind), do)
		return nil
	}
	var specs []rung.GuardSpec
	for i, it := range n.items {
		path := fmt.Sprintf("guards[%d]", i)
		r.at[path] = it.at
		g := r.section(it, path, "guards[]")
		if it.kind != mappingKind {
			continue
		}
		if kind, ok := r.guardKind(g); ok {
			specs = append(specs, r.guardSpec(g, kind, t))
		}
	}
	return specs
}

func (r *reader) guardKind(g section) (rung.GuardKind, bool) {
	var names []string
	for _, k := range rung.GuardKinds {
		names = append(names, k.Name)
	}
	do := "the guards are " + strings.Join(names, ", ")
	n := g.need("guard", do)
	name := g.text("guard", do)
	if n == nil || name == "" {
		return rung.GuardKind{}, false
	}
	kind, ok := rung.FindGuardKind(name)
	if !ok {
		if guess := nearest(name, names); guess != "" {
			do = fmt.Sprintf("did you mean %q?", guess)
		}
		r.fail(n.at, fmt.Sprintf("there is no guard %q", name), do)
	}
	return kind, ok
}

func (r *reader) guardSpec(g section, kind rung.GuardKind, t *rung.Task) rung.GuardSpec {
	spec := rung.GuardSpec{Kind: kind.Name, Stages: r.guardStages(g, kind), Open: g.flag("fail_open"), Restore: g.flag("restore")}
	spec.Action = r.guardAction(g, kind, spec.Stages)
	spec.Phrases = r.only(g, kind, "phrases", "list the words and phrases, such as: phrases: [project falcon]")
	spec.Topics = r.only(g, kind, "topics", "list words or phrases of allowed topics, with ! in front of forbidden ones, such as: topics: [billing, '!politics']")
	spec.Entities = r.guardEntities(g, kind)
	spec.Threshold = g.number("threshold", bounds{low: 0, high: 1, above: true}, 0)
	if n := g.get("threshold"); n != nil && !kind.Scored {
		r.fail(n.at, "the guard "+kind.Name+" has no score to compare with a threshold", "take threshold out")
	}
	spec.MaxChars = g.whole("max_chars", 1, 100_000_000, 0)
	if n := g.get("max_chars"); n != nil && kind.Needs != "max_chars" {
		r.fail(n.at, "max_chars belongs to the guard length", "take it out, or add {guard: length, max_chars: …}")
	}
	if kind.Needs == "max_chars" {
		g.need("max_chars", "write the longest text that is let through, in characters, such as: max_chars: 4000")
	}
	if n := g.get("restore"); n != nil && spec.Restore && (kind.Name != "pii" || spec.Action != rung.Redact) {
		r.fail(n.at, "restore belongs to the guard pii with the action redact", "take restore out")
	}
	if kind.Name == "schema" && t.Output.Kind == rung.Text {
		r.fail(g.at, "free text has no schema to hold an answer to", "take the guard out")
	}
	return spec
}

// only reads a list that one kind of guard needs and no other has.
func (r *reader) only(g section, kind rung.GuardKind, key, do string) []string {
	if kind.Needs == key {
		g.need(key, do)
	} else if n := g.get(key); n != nil {
		r.fail(n.at, fmt.Sprintf("%s belongs to the guard %s, not to %s", key, ownerOf(key), kind.Name), "take it out")
		return nil
	}
	var out []string
	for _, it := range g.list(key, true, do) {
		if strings.TrimSpace(strings.TrimPrefix(it.text, "!")) == "" {
			r.fail(it.at, "there is nothing after !", do)
			continue
		}
		out = append(out, strings.TrimSpace(it.text))
	}
	return out
}

func ownerOf(key string) string {
	i := slices.IndexFunc(rung.GuardKinds, func(k rung.GuardKind) bool { return k.Needs == key })
	return rung.GuardKinds[i].Name
}

func (r *reader) guardStages(g section, kind rung.GuardKind) []rung.GuardStage {
	do := "write " + listed(kind.Stages)
	if g.get("on") == nil {
		return slices.Clone(kind.Default)
	}
	var out []rung.GuardStage
	for _, it := range g.list("on", true, do) {
		stage := rung.GuardStage(it.text)
		switch {
		case !slices.Contains([]rung.GuardStage{rung.GuardInput, rung.GuardRetrieved, rung.GuardOutput}, stage):
			r.fail(it.at, fmt.Sprintf("there is no stage %q", it.text), do)
		case !slices.Contains(kind.Stages, stage):
			r.fail(it.at, fmt.Sprintf("the guard %s does not look at %s", kind.Name, it.text), do)
		case slices.Contains(out, stage):
			r.fail(it.at, it.text+" is listed twice", "keep it once")
		default:
			out = append(out, stage)
		}
	}
	return out
}

func listed[S ~string](names []S) string {
	var out []string
	for _, n := range names {
		out = append(out, string(n))
	}
	if len(out) < 2 {
		return strings.Join(out, "")
	}
	return strings.Join(out[:len(out)-1], ", ") + " or " + out[len(out)-1]
}

func (r *reader) guardAction(g section, kind rung.GuardKind, stages []rung.GuardStage) rung.GuardAction {
	actions := []rung.GuardAction{rung.Block, rung.Redact, rung.Annotate, rung.Fallback}
	do := "write " + listed(actions)
	name := g.text("action", do)
	if name == "" {
		return kind.Action
	}
	at, action := g.get("action").at, rung.GuardAction(name)
	switch {
	case !slices.Contains(actions, action):
		r.fail(at, fmt.Sprintf("there is no action %q", name), do)
	case action == rung.Redact && !kind.Redacts:
		r.fail(at, fmt.Sprintf("the guard %s finds nothing in particular that could be taken out", kind.Name), "write block, annotate or fallback")
	case action == rung.Fallback && slices.Contains(stages, rung.GuardRetrieved):
		r.fail(at, "a passage is left out (block), not answered by another release", "write block, or take retrieved out of on")
	}
	return action
}

func (r *reader) guardEntities(g section, kind rung.GuardKind) []string {
	do := "the kinds are " + strings.Join(rung.GuardEntities, ", ")
	n := g.get("entities")
	if n != nil && kind.Name != "pii" {
		r.fail(n.at, "entities belongs to the guard pii", "take it out")
		return nil
	}
	var out []string
	for _, it := range g.list("entities", true, do) {
		switch {
		case !slices.Contains(rung.GuardEntities, it.text):
			hint := do
			if guess := nearest(it.text, rung.GuardEntities); guess != "" {
				hint = fmt.Sprintf("did you mean %q?", guess)
			}
			r.fail(it.at, fmt.Sprintf("there is no kind of personal data %q", it.text), hint)
		case slices.Contains(out, it.text):
			r.fail(it.at, it.text+" is listed twice", "keep it once")
		default:
			out = append(out, it.text)
		}
	}
	return out
}
