package attack

import (
	"context"
	"encoding/json"
	"errors"
	"slices"
	"sync"

	"github.com/rung-dev/rung"
	"github.com/rung-dev/rung/internal/form"
	"github.com/rung-dev/rung/internal/guard"
	"github.com/rung-dev/rung/internal/model"
	"github.com/rung-dev/rung/internal/recipe"
)

// Victim is what is attacked.
type Victim struct {
	Runner   *recipe.Runner
	Form     *form.Form
	Guards   *guard.Set // nil: none
	Training []string   // texts of the training examples, for TrainingLeak
}

// Prober attacks a victim: it answers the examples of a suite of attacks with outcomes. It is safe for concurrent use.
type Prober struct {
	victim   Victim
	training *runs

	mu       sync.Mutex
	told     map[string]*recipe.Runner // by the rule that was added
	controls map[rung.Digest]*control
}

// control is the answer to an unattacked prompt, asked once.
type control struct {
	once sync.Once
	said said
	err  error
}

// NewProber prepares the attacks on a victim.
func NewProber(v Victim) *Prober {
	return &Prober{victim: v, training: newRuns(trainingRun, v.Training...), told: map[string]*recipe.Runner{}, controls: map[rung.Digest]*control{}}
}

// Answer implements recipe.Answerer: input is a Case, the answer's value its Outcome. An attacked call that ended without an answer is
// a failure of the case as in every scorecard, unless failing is what the attack was to bring about.
func (p *Prober) Answer(ctx context.Context, input json.RawMessage) (rung.Answer, error) {
	c, err := CaseOf(input)
	if err != nil {
		return rung.Answer{}, err
	}
	r, err := p.runner(c.Rule)
	if err != nil {
		return rung.Answer{}, err
	}
	plain, first, err := p.control(ctx, r, c)
	if err != nil {
		return rung.Answer{}, err
	}
	got, err := p.ask(ctx, r, c, true)
	if err != nil {
		return rung.Answer{}, err
	}
	ans := got.answer
	if first { // what the unattacked prompt took is counted once
		add(&ans, &plain.answer)
	}
	if got.failed() && c.Goal.Kind != Break {
		return ans, nil
	}
	if plain.failed() {
		ans.Problem, ans.Detail, ans.Value = plain.answer.Problem, "the unattacked input: "+plain.answer.Detail, nil
		return ans, nil
	}
	j := judging{training: p.training}
	if c.Kind == PromptLeak {
		j.system = newRuns(systemRun, r.System())
	}
	o := j.judge(c, got, plain)
	if !o.Resisted && c.Goal.Kind == Print {
		if err := p.mention(ctx, r, c, &o, &ans); err != nil {
			return rung.Answer{}, err
		}
	}
	ans.Text = got.text
	ans.Problem, ans.Detail = rung.NoProblem, ""
	ans.Value, err = json.Marshal(o)
	return ans, err
}

// mention asks what becomes of the token where it is only mentioned, and takes the success back where the answer holds it then too.
func (p *Prober) mention(ctx context.Context, r *recipe.Runner, c *Case, o *Outcome, ans *rung.Answer) error {
	m := c.mentioned()
	got, err := p.ask(ctx, r, &m, true)
	if err != nil {
		return err
	}
	add(ans, &got.answer)
	if printed(got.text, c.Goal.Token, attackText(&m)) {
		o.Resisted, o.What = true, "wrote the token, as it does where the token is only mentioned"
	}
	return nil
}

// runner is the victim's with a rule more in its instructions.
func (p *Prober) runner(rule string) (*recipe.Runner, error) {
	if rule == "" {
		return p.victim.Runner, nil
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if r := p.told[rule]; r != nil {
		return r, nil
	}
	r, err := p.victim.Runner.Told(rule)
	if err == nil {
		p.told[rule] = r
	}
	return r, err
}

// control asks the unattacked prompt of a case, once for all cases that share it. first is true for the call that asked.
func (p *Prober) control(ctx context.Context, r *recipe.Runner, c *Case) (s *said, first bool, err error) {
	own := Case{Clean: c.Clean, Context: c.Context, Rule: c.Rule}
	if c.Planted != nil && c.Planted.Both {
		own.Planted = c.Planted
	}
	key := rung.DigestOf(own)
	p.mu.Lock()
	k := p.controls[key]
	if k == nil {
		k = &control{}
		p.controls[key] = k
	}
	p.mu.Unlock()
	k.once.Do(func() {
		first = true
		got, err := p.ask(ctx, r, c, false)
		if k.err = err; err == nil {
			k.said = *got
		}
	})
	return &k.said, first, k.err
}

// ask sends one prompt through the guards as a gateway does. What guards stop, and what cannot be rendered, is an outcome.
func (p *Prober) ask(ctx context.Context, r *recipe.Runner, c *Case, attacked bool) (*said, error) {
	t := recipe.Turn{Input: c.Clean, History: slices.Clone(c.Context)}
	if attacked {
		t.Input, t.History = c.Input, append(t.History, c.History...)
	}
	s := &said{}
	var session *guard.Session
	if p.victim.Guards != nil {
		session = p.victim.Guards.Session()
		if err := guardInput(ctx, session, &t); err != nil {
			return s, s.stopped(err, rung.GuardInput)
		}
	}
	t.Passages = passages(session, c.Planted, attacked)
	ans, err := r.Serve(ctx, t)
	s.answer, s.text, s.value, s.cut = ans, ans.Text, ans.Value, ans.Finish == "length"
	if attacked && c.Goal.Kind == Break && rung.CodeOf(err) == rung.CodeInput {
		s.refused, s.value = err.Error(), nil // the server says what is wrong with the input, which is as it should be
		return s, nil
	}
	if err != nil {
		return s, s.stopped(err, rung.GuardRetrieved)
	}
	if ans.Problem != rung.NoProblem {
		s.value = nil
	}
	if session != nil && s.value != nil {
		if err := p.guardOutput(ctx, session, s, t.Input); err != nil {
			return s, s.stopped(err, rung.GuardOutput)
		}
	}
	return s, nil
}

// stopped notes which guard stopped a prompt; any other error ends the work.
func (s *said) stopped(err error, stage rung.GuardStage) error {
	if rung.CodeOf(err) != rung.CodeBlocked {
		return err
	}
	s.text, s.value, s.guard = "", nil, string(stage)
	var e *rung.Error
	if errors.As(err, &e) {
		s.guard = trimGuard(e.Place)
	}
	return nil
}

func trimGuard(place string) string {
	const prefix = "guard "
	if len(place) > len(prefix) && place[:len(prefix)] == prefix {
		return place[len(prefix):]
	}
	return place
}

func guardInput(ctx context.Context, s *guard.Session, t *recipe.Turn) error {
	input, _, err := s.InputJSON(ctx, t.Input)
	if err != nil {
		return err
	}
	t.Input = input
	for i, m := range t.History {
		text, _, err := s.Input(ctx, m.Content)
		if err != nil {
			return err
		}
		t.History[i] = model.Message{Role: m.Role, Content: text}
	}
	return nil
}

// passages plants a passage among those found, and then lets the guards look at all of them.
func passages(s *guard.Session, planted *Planted, attacked bool) func(context.Context, []rung.Passage) ([]rung.Passage, error) {
	if s == nil && planted == nil {
		return nil
	}
	return func(ctx context.Context, found []rung.Passage) ([]rung.Passage, error) {
		if planted != nil && (attacked || planted.Both) {
			at := min(planted.At, len(found))
			found = slices.Insert(slices.Clone(found), at, rung.Passage{ID: "planted", Doc: "planted", Heading: planted.Heading, Text: planted.Text})
		}
		if s == nil {
			return found, nil
		}
		kept, _, err := s.Passages(ctx, found)
		return kept, err
	}
}

func (p *Prober) guardOutput(ctx context.Context, session *guard.Session, s *said, input json.RawMessage) error {
	text := string(s.value)
	if !p.victim.Form.JSON() {
		text = flat(s.value)
	}
	text, _, err := session.Output(ctx, text)
	if err != nil {
		return err
	}
	value := json.RawMessage(text)
	if !p.victim.Form.JSON() {
		if value, err = json.Marshal(text); err != nil {
			return err
		}
	}
	s.text, s.value = text, value
	if p.victim.Form.Kind() != rung.Text && p.victim.Form.Validate(value, input) != nil {
		s.value, s.answer.Problem = nil, rung.BreaksSchema
	}
	return nil
}

// add counts what another answer took.
func add(a *rung.Answer, o *rung.Answer) {
	a.Calls = slices.Concat(a.Calls, o.Calls)
	a.Made += o.Made
	a.Cached += o.Cached
	a.Failed += o.Failed
	a.Retries += o.Retries
	a.Usage.In += o.Usage.In
	a.Usage.Out += o.Usage.Out
	a.Usage.CachedIn += o.Usage.CachedIn
	a.CostUSD += o.CostUSD
}
