package guard

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/rung-dev/rung"
	"github.com/rung-dev/rung/internal/pii"
)

// Session is the guards of one request: it remembers which placeholder stands for which value. It is for one goroutine.
type Session struct {
	set   *Set
	vault vault
	input json.RawMessage // what the answer belongs to, for tools that come with it
}

// Session starts a request.
func (s *Set) Session() *Session { return &Session{set: s, vault: newVault()} }

// Input runs the guards on the caller's text. The verdicts are there also with an error.
func (s *Session) Input(ctx context.Context, text string) (string, []rung.GuardVerdict, error) {
	units := []unit{{text: text}}
	verdicts, err := s.run(ctx, rung.GuardInput, text, units)
	return units[0].text, verdicts, err
}

// InputJSON is Input for a JSON value: each of its strings is looked at by itself, and the result is JSON again.
func (s *Session) InputJSON(ctx context.Context, value json.RawMessage) (json.RawMessage, []rung.GuardVerdict, error) {
	s.input = value
	out, verdicts, err := s.runJSON(ctx, rung.GuardInput, string(value))
	return json.RawMessage(out), verdicts, err
}

// Passages runs the guards on retrieved passages. One that is blocked is left out; no passage ever ends in an error. There is
// one verdict for each guard, over all passages.
func (s *Session) Passages(ctx context.Context, passages []rung.Passage) ([]rung.Passage, []rung.GuardVerdict, error) {
	out := make([]rung.Passage, 0, len(passages))
	var verdicts []rung.GuardVerdict
	for _, p := range passages {
		units := []unit{{text: p.Heading}, {text: p.Text}}
		vs, err := s.run(ctx, rung.GuardRetrieved, p.Heading+"\n"+p.Text, units)
		verdicts = merge(verdicts, vs)
		if err == nil {
			p.Heading, p.Text = units[0].text, units[1].text
			out = append(out, p)
		} else if rung.CodeOf(err) != rung.CodeBlocked {
			return nil, verdicts, err
		}
	}
	return out, verdicts, nil
}

// merge joins the verdicts of one guard on several passages.
func merge(all, more []rung.GuardVerdict) []rung.GuardVerdict {
	for _, v := range more {
		i := slices.IndexFunc(all, func(o rung.GuardVerdict) bool { return o.Kind == v.Kind })
		if i < 0 {
			all = append(all, v)
			continue
		}
		o := &all[i]
		o.Score, o.Elapsed, o.Open = max(o.Score, v.Score), o.Elapsed+v.Elapsed, o.Open || v.Open
		if v.Action != "" && o.Action != rung.Block {
			o.Action = v.Action
		}
		if o.Failed == "" {
			o.Failed = v.Failed
		}
		for _, k := range v.Found {
			if !slices.Contains(o.Found, k) {
				o.Found = append(o.Found, k)
			}
		}
	}
	return all
}

// Output runs the guards on the model's answer, and then puts back what was redacted on the way in where the specs say so.
// In an answer that is JSON, strings are looked at one by one and the result is JSON again.
func (s *Session) Output(ctx context.Context, text string) (string, []rung.GuardVerdict, error) {
	if looksJSON(text) {
		out, verdicts, err := s.runJSON(ctx, rung.GuardOutput, text)
		if err != nil {
			return "", verdicts, err
		}
		return s.restoreJSON(out), verdicts, nil
	}
	units := []unit{{text: text}}
	verdicts, err := s.run(ctx, rung.GuardOutput, text, units)
	if err != nil {
		return "", verdicts, err
	}
	return s.vault.restore(units[0].text), verdicts, nil
}

func (s *Session) runJSON(ctx context.Context, stage rung.GuardStage, text string) (string, []rung.GuardVerdict, error) {
	units, err := parseUnits(text)
	if err != nil {
		return "", nil, &rung.Error{Code: rung.CodeInput, What: "what the guards are to look at is not JSON: " + err.Error(), Err: err}
	}
	verdicts, err := s.run(ctx, stage, text, units)
	if err != nil {
		return "", verdicts, err
	}
	return joinUnits(text, units), verdicts, nil
}

// run lets the guards of a stage look at a text, in their order; units are its parts, and what is redacted changes them.
func (s *Session) run(ctx context.Context, stage rung.GuardStage, whole string, units []unit) ([]rung.GuardVerdict, error) {
	if s.set.restores && stage != rung.GuardOutput {
		s.escape(units)
	}
	var verdicts []rung.GuardVerdict
	for i := range s.set.guards {
		m := &s.set.guards[i]
		if !slices.Contains(m.spec.Stages, stage) {
			continue
		}
		v, err := s.apply(ctx, m, stage, whole, units)
		verdicts = append(verdicts, v)
		if err != nil {
			return verdicts, err
		}
	}
	return verdicts, nil
}

// apply lets one guard look and does what its spec says.
func (s *Session) apply(ctx context.Context, m *member, stage rung.GuardStage, whole string, units []unit) (rung.GuardVerdict, error) {
	start := time.Now()
	v := rung.GuardVerdict{Kind: m.spec.Kind, Stage: stage}
	found, err := s.look(context.WithValue(ctx, inputKey{}, s.input), m, stage, whole, units)
	if ctx.Err() != nil { // the caller has gone: that is no failure of the guard
		return v, context.Cause(ctx)
	}
	if err != nil {
		v.Failed, v.Open, v.Elapsed = err.Error(), m.spec.Open, int64(time.Since(start))
		if m.spec.Open {
			return v, nil
		}
		if v.Action = m.spec.Action; v.Action != rung.Fallback {
			v.Action = rung.Block
		}
		return v, stopped(m.spec, stage, true)
	}
	hit := false
	for i, r := range found {
		v.Score = max(v.Score, r.score)
		if r.hit {
			hit = true
			v.Found = addKinds(v.Found, r)
			if m.spec.Action == rung.Redact {
				s.redact(m, stage, &units[i], r.spans)
			}
		}
	}
	v.Elapsed = int64(time.Since(start))
	if !hit {
		return v, nil
	}
	v.Action = m.spec.Action
	if v.Action == rung.Block || v.Action == rung.Fallback {
		return v, stopped(m.spec, stage, false)
	}
	return v, nil
}

func addKinds(to []string, r result) []string {
	kinds := r.kinds
	for _, sp := range r.spans {
		kinds = append(kinds, sp.kind)
	}
	for _, k := range kinds {
		if k != "" && !slices.Contains(to, k) {
			to = append(to, k)
		}
	}
	return to
}

// inputKey is where the schema guard finds the input.
type inputKey struct{}

// look gives one result per unit; a guard that looks at the whole gives one for the first.
func (s *Session) look(ctx context.Context, m *member, stage rung.GuardStage, whole string, units []unit) ([]result, error) {
	if len(whole) > MaxText {
		return nil, fmt.Errorf("the text is longer than %d MiB", MaxText>>20)
	}
	if m.whole {
		if len(units) == 1 && !units[0].quoted { // what earlier guards have redacted counts
			whole = units[0].text
		}
		units = []unit{{text: whole}}
	}
	if !m.slow && len(whole) < 1<<16 {
		return checkAll(ctx, m, stage, units)
	}
	return s.bounded(ctx, m, stage, units)
}

// bounded ends to wait after the timeout. A scan that is slow ends by itself: it is linear in a bounded text.
func (s *Session) bounded(ctx context.Context, m *member, stage rung.GuardStage, units []unit) ([]result, error) {
	ctx, cancel := context.WithTimeout(ctx, s.set.timeout)
	defer cancel()
	type answer struct {
		found []result
		err   error
	}
	units = slices.Clone(units)
	done := make(chan answer, 1)
	go func() {
		found, err := checkAll(ctx, m, stage, units)
		done <- answer{found, err}
	}()
	select {
	case a := <-done:
		return a.found, a.err
	case <-ctx.Done():
		return nil, fmt.Errorf("it took longer than %s", s.set.timeout)
	}
}

// checkAll turns a panic into an error: a defect of a guard is a failure of that guard.
func checkAll(ctx context.Context, m *member, stage rung.GuardStage, units []unit) (found []result, err error) {
	defer func() {
		if recover() != nil {
			found, err = nil, errors.New("it has a defect") // the cause may hold the text
		}
	}()
	found = make([]result, len(units))
	for i, u := range units {
		if found[i], err = m.check(ctx, stage, u.text); err != nil {
			return nil, err
		}
		if u.name { // names of members are no sentences: what is found by the look of words is found in error
			found[i] = withoutNames(found[i])
		}
	}
	return found, nil
}

// redact replaces findings: personal data by numbered placeholders, which can be put back, the rest by its kind.
func (s *Session) redact(m *member, stage rung.GuardStage, u *unit, spans []span) {
	if len(spans) == 0 {
		return
	}
	var b strings.Builder
	at := 0
	for _, sp := range disjoint(spans) {
		b.WriteString(u.text[at:sp.start])
		switch m.spec.Kind {
		case "pii":
			b.WriteString(s.vault.hide(sp.kind, u.text[sp.start:sp.end], m.spec.Restore && stage != rung.GuardOutput))
		case "length": // the rest is cut off
		default:
			b.WriteString("<" + sp.kind + ">")
		}
		at = sp.end
	}
	b.WriteString(u.text[at:])
	u.text, u.changed = b.String(), true
}

// disjoint gives the spans in the order of the text without those that overlap an earlier one; what is given stays as it is.
func disjoint(spans []span) []span {
	return pii.Disjoint(slices.Clone(spans), func(s *span) (start, end int) { return s.start, s.end })
}
