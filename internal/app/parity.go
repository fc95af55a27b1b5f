package app

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"math"
	"slices"
	"strings"

	"github.com/rung-dev/rung"
	"github.com/rung-dev/rung/internal/model"
	"github.com/rung-dev/rung/internal/registry"
	"github.com/rung-dev/rung/internal/report"
	"github.com/rung-dev/rung/internal/retrieve"
)

// evaluated is one held-out input with what the climb made of it.
type evaluated struct {
	example rung.Example
	answer  rung.Answer
}

// checkParity holds the release to what was evaluated: it is put into a layout, loaded from there as a gateway loads it, and for a
// sample of held-out inputs the rendered request must be the evaluated one, byte for byte. Answers are compared as compareAnswers
// says. It fills r.Parity; a difference is a CodeInput that shows the example, what was expected and what came.
func (m *releasing) checkParity(ctx context.Context, r *rung.Release, parts []registry.Content) error {
	sample, err := m.sample(ctx, r)
	if err != nil {
		return err
	}
	layout, drop, err := m.stage()
	if err != nil {
		return err
	}
	defer drop()
	m.say("checking that %s answers as it was evaluated, on %d held-out inputs", r.Name(), len(sample))
	digest, err := layout.Put(ctx, r, parts)
	if err != nil {
		return err
	}
	opt := LoadOptions{Door: m.live, Embed: m.embed}
	if m.engine != nil {
		opt.Engine = m.engine
	}
	loaded, err := LoadRelease(ctx, layout, digest, opt)
	if err != nil {
		return err
	}
	// The climb read every document; what a caller may not read is left out per request.
	ctx = retrieve.WithGroups(ctx, loaded.Groups())
	for i := range sample {
		if err := m.compareRequest(ctx, loaded, &sample[i]); err != nil {
			return err
		}
		r.Parity.N++
		r.Parity.Requests++
	}
	if m.answersToo(&r.Candidate) {
		if err := m.compareAnswers(ctx, loaded, sample, &r.Parity); err != nil {
			return err
		}
	}
	// The engine's servers have the staged adapter open until they end.
	if m.engine != nil {
		err = m.engine.Close()
	}
	return err
}

// answersToo reports whether answers are compared: those of local models always, those of hosted ones on demand, since they
// cost calls.
func (m *releasing) answersToo(c *rung.Candidate) bool { return c.Model.Local() || m.opt.Answers }

// sample takes the first held-out inputs, in their frozen order, that the candidate was called for.
func (m *releasing) sample(ctx context.Context, r *rung.Release) ([]evaluated, error) {
	want := m.opt.Sample
	if want <= 0 {
		want = DefaultSample
	}
	examples, err := report.Examples(ctx, m.store, r.Heldout.Digest)
	if err != nil {
		return nil, err
	}
	answers := map[string]rung.Answer{}
	for score, err := range m.store.Scores(ctx, r.Candidate.Digest(), r.Heldout.Digest) {
		if err != nil {
			return nil, err
		}
		if len(score.Answer.Calls) > 0 {
			answers[score.Example] = score.Answer
		}
	}
	var out []evaluated
	for _, e := range examples {
		if a, ok := answers[e.ID]; ok && len(out) < want {
			out = append(out, evaluated{e, a})
		}
	}
	if len(out) == 0 {
		return nil, &rung.Error{Code: rung.CodeInput, Place: "candidate " + r.Candidate.Digest().Short(), What: "the store has no evaluated answer of it to compare with", Do: "climb again; the answers come from the store"}
	}
	return out, nil
}

// compareRequest renders an input and compares the key of the request with that of the evaluated one.
func (m *releasing) compareRequest(ctx context.Context, l *Loaded, e *evaluated) error {
	req, err := l.Runner.Request(ctx, e.example.Input)
	if err != nil {
		return err
	}
	p, err := m.live.Provider(req.Model)
	if err != nil {
		return err
	}
	if model.Key(req, p.BaseURL()) == e.answer.Calls[0] {
		return nil
	}
	req.BaseURL = p.BaseURL()
	got, err := json.Marshal(req)
	if err != nil {
		return err
	}
	done, found, err := m.store.Completion(ctx, e.answer.Calls[0])
	if err != nil {
		return err
	}
	difference := "the evaluated request is not in the store any more"
	if found {
		difference = requestDifference(done.Request, got)
	}
	return notTheSame(l.Release, e.example.ID, "its request is not the evaluated one: "+difference)
}

func notTheSame(r *rung.Release, example, what string) error {
	return &rung.Error{Code: rung.CodeInput, Place: r.Task + ", example " + example, What: "the release is refused, since it would not serve what was evaluated; " + what,
		Do: "serve with the same model, engine and server address as the climb, or climb again with these"}
}

// requestDifference says where two requests differ, in one line.
func requestDifference(expected, got json.RawMessage) string {
	var a, b map[string]json.RawMessage
	if json.Unmarshal(expected, &a) != nil || json.Unmarshal(got, &b) != nil {
		return "they cannot be compared"
	}
	names := map[string]bool{}
	for _, m := range []map[string]json.RawMessage{a, b} {
		for name := range m {
			names[name] = true
		}
	}
	for _, name := range slices.Sorted(maps.Keys(names)) {
		switch x, y := a[name], b[name]; {
		case bytes.Equal(x, y):
		case name == "messages":
			return messageDifference(x, y)
		default:
			return fmt.Sprintf("%s was %s and is %s", name, around(string(x), string(y)), around(string(y), string(x)))
		}
	}
	return "they differ in form only"
}

func messageDifference(expected, got json.RawMessage) string {
	var a, b []model.Message
	if json.Unmarshal(expected, &a) != nil || json.Unmarshal(got, &b) != nil {
		return "their messages cannot be compared"
	}
	for i := range min(len(a), len(b)) {
		if a[i] != b[i] {
			return fmt.Sprintf("message %d (%s) was %s and is %s", i+1, b[i].Role, around(a[i].Content, b[i].Content), around(b[i].Content, a[i].Content))
		}
	}
	return fmt.Sprintf("it had %d messages and has %d", len(a), len(b))
}

// around quotes s where it begins to differ from other.
func around(s, other string) string {
	const before, shown = 20, 100
	if s == "" {
		return "nothing"
	}
	at := 0
	for at < len(s) && at < len(other) && s[at] == other[at] {
		at++
	}
	from, to := max(at-before, 0), min(at+shown, len(s))
	if at < shown-before && len(s) <= shown { // short enough to be shown whole
		from, to = 0, len(s)
	}
	text := fmt.Sprintf("%q", strings.ToValidUTF8(s[from:to], ""))
	if from > 0 {
		text = "…" + text
	}
	if to < len(s) {
		text += "…"
	}
	return text
}

// compareAnswers asks afresh, one input after the other, and compares the text of the answers with the evaluated ones.
//
// A model that gives one request two answers cannot be held to one of them: llama.cpp rounds differently when more of a prompt is
// in its cache, and of 60 free texts of SmolLM2-135M 21 were others when asked again at once. So each input is asked twice. If a
// hosted model repeats itself throughout, every answer must be the evaluated one. Else the served answers may differ from the
// evaluated ones no more than they differ from each other, which an exact test of the pairs decides (McNemar, one-sided): under
// parity, evaluated and second answer are two draws of the same and either is as likely to be the odd one out. The test holds for
// local models also where the second answers repeat the first: what the climb's cache held then cannot be brought back, and the
// digest of the weights is a part of the request that was compared before.
func (m *releasing) compareAnswers(ctx context.Context, l *Loaded, sample []evaluated, parity *rung.Parity) error {
	var onlyEvaluated, onlyAgain, unstable int // inputs on which only the evaluated, only the second answer is another one
	var first error
	for i := range sample {
		e := &sample[i]
		got, again, err := m.askTwice(ctx, l, e, fmt.Sprintf("asking input %d of %d again", i+1, len(sample)))
		if err != nil {
			return err
		}
		differs, wavers := !sameAnswer(&got, &e.answer), !sameAnswer(&got, &again)
		parity.Compared++
		switch {
		case differs && !wavers:
			onlyEvaluated++
		case wavers && !differs:
			onlyAgain++
		}
		if wavers {
			unstable++
		}
		if !differs {
			parity.Answers++
		} else if first == nil {
			first = notTheSame(l.Release, e.example.ID, fmt.Sprintf("its answer was %s and is %s", said(&e.answer, &got), said(&got, &e.answer)))
		}
	}
	repeats := unstable == 0 && !l.Release.Candidate.Model.Local()
	if first != nil && (repeats || tail(onlyEvaluated, onlyAgain) < parityAlpha) {
		return first
	}
	if first != nil {
		m.note("%d of %d answers are not the evaluated ones, word for word; the server gives %d differently itself when it is asked twice. That is no sign of another model (one-sided McNemar, p = %.2g).",
			parity.Compared-parity.Answers, parity.Compared, unstable, tail(onlyEvaluated, onlyAgain))
	}
	return nil
}

// parityAlpha is the chance to refuse a release that serves what was evaluated, where answers do not repeat.
const parityAlpha = .05

func (m *releasing) askTwice(ctx context.Context, l *Loaded, e *evaluated, what string) (first, second rung.Answer, err error) {
	m.say("%s", what)
	if first, err = l.Runner.Answer(ctx, e.example.Input); err != nil {
		return first, second, err
	}
	second, err = l.Runner.Answer(ctx, e.example.Input)
	return first, second, err
}

func sameAnswer(a, b *rung.Answer) bool { return a.Text == b.Text && a.Problem == b.Problem }

// tail is the chance of at least b of b+c when either side is as likely.
func tail(b, c int) float64 {
	n := b + c
	sum, term := 0.0, math.Pow(.5, float64(n)) // of k = n, which is one way
	for k := n; k >= b; k-- {
		sum += term
		term *= float64(k) / float64(n-k+1)
	}
	return sum
}

func said(a, other *rung.Answer) string {
	text := around(a.Text, other.Text)
	if a.Problem != rung.NoProblem {
		text += " (" + string(a.Problem) + ")"
	}
	return text
}
