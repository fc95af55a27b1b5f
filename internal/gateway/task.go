package gateway

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
	"strings"
	"time"

	"github.com/rung-dev/rung"
	"github.com/rung-dev/rung/internal/guard"
	"github.com/rung-dev/rung/internal/model"
	"github.com/rung-dev/rung/internal/recipe"
	"github.com/rung-dev/rung/internal/rollout"
)

// job is a request to a task.
type job struct {
	*call
	task    *taskState
	conf    TaskConfig
	ask     *ask
	history []model.Message
	last    string
	alias   string // empty: a version was asked for by name
	to      rollout.Assignment
	found   *Release        // of to, where it was looked up already
	main    outcome         // what became of the release that was routed to
	input   json.RawMessage // as it was rendered
	value   json.RawMessage // of the answer
}

// leg is one of those that may answer, in their order: what was routed to, then the fallback chain.
type leg struct {
	version string
	model   rung.ModelRef // not empty: the version's prompt with this model
}

// outcome is what a leg made of a request.
type outcome struct {
	err     error
	problem rung.Problem
	usd     float64
	took    time.Duration
}

// usualSpans is how many steps most requests have: render, model, parse, and a guard.
const usualSpans = 4

// task answers with a release of a task.
func (c *call) task(t *taskState, at string) error {
	j := &job{call: c, task: t, conf: c.cfg.task(t.name)}
	c.trace.Task = t.name
	c.trace.Spans = make([]rung.Span, 0, usualSpans)
	var err error
	if j.ask, err = c.api.ask(&c.env); err != nil {
		return err
	}
	if j.history, j.last, err = j.ask.split(); err != nil {
		return err
	}
	if len(j.history) > 0 && j.conf.History == refuseHistory {
		return bad("the task %s answers single messages: send the last one only", t.name)
	}
	if s := c.r.Header.Get("X-Rung-Segment"); s != "" {
		j.ask.segment = s
	}
	c.trace.Segment = strings.Clone(clipName(j.ask.segment))
	if err := j.assign(at); err != nil {
		return err
	}
	j.say()
	defer c.within(c.cfg.Limits.Request)()
	c.ctx = model.WithPurse(c.ctx, &c.bill)
	return j.chain()
}

// assign finds the version that answers.
func (j *job) assign(at string) error {
	j.alias = j.conf.Alias
	if at != "" {
		version, alias, ok := j.task.resolve(at)
		if !ok {
			return &known{final: true, err: &rung.Error{Code: rung.CodeModel, What: "the task " + j.task.name + " has no alias or version " + clipName(at), Do: "see /v1/models"}}
		}
		if j.alias = alias; alias == "" {
			j.to.Version = version
			return nil
		}
	}
	j.alias = j.task.aliasOf(j.alias, j.ask.segment)
	version := j.task.aliases[j.alias]
	if j.g.opt.Router != nil {
		j.to = j.g.opt.Router.Route(j.task.name, j.alias, j.sticky(), rand.Float64())
	}
	if j.to.Rollout != "" && !j.routed(j.to.Version) {
		j.to = rollout.Assignment{} // the rollout is newer than what this gateway has ready: the request is no part of it
	}
	if j.to.Rollout == "" { // what this gateway has ready counts, also where the alias points elsewhere
		j.to.Version = version
	}
	if j.to.Version == "" {
		return &known{final: true, err: &rung.Error{Code: rung.CodeModel, What: "the alias " + clipName(j.alias) + " of " + j.task.name + " points nowhere", Do: "point it at a release with rung alias"}}
	}
	if j.trace.Arm = j.to.Arm; j.to.Judged() { // by its trace, feedback finds the rollout that it is to count in
		j.trace.Rollout = j.to.Rollout
	}
	return nil
}

// routed takes the release that a rollout routed to, if it is ready here. If it is not, that begins. One that this gateway starts
// with is waited for: its callers had it before the gateway was started again.
func (j *job) routed(version string) bool {
	line, known := j.task.versions[version]
	if !known {
		return false
	}
	l := j.g.releases.start(line)
	if !l.ended() {
		return j.state.starting[inRollout(line)]
	}
	j.found = l.rel
	return l.err == nil
}

// sticky is what an A/B rollout keeps callers apart by: what they say themselves, else their key, else their address.
func (j *job) sticky() string {
	if v := j.r.Header.Get("X-Rung-Sticky"); v != "" {
		return v
	}
	if j.ask.user != "" {
		return j.ask.user
	}
	if j.account != nil {
		return j.account.key.ID
	}
	host, _, _ := net.SplitHostPort(j.r.RemoteAddr)
	return host
}

// say notes what came and is not used, or is used in another way than the caller may think.
func (j *job) say() {
	if len(j.ask.dropped) > 0 {
		list := strings.Join(j.ask.dropped, ", ")
		j.w.Header()["X-Rung-Ignored"] = []string{list}
		j.trace.Spans = append(j.trace.Spans, rung.Span{Name: "request", Note: "not used: " + list})
	}
	if n := len(j.history); n > 0 {
		j.trace.Spans = append(j.trace.Spans, rung.Span{Name: "request", Note: fmt.Sprintf("%d earlier turns kept", n)})
	}
}

// chain lets the legs answer until one does.
func (j *job) chain() error {
	legs := append([]leg{{version: j.to.Version}}, j.fallback()...)
	for i, l := range legs {
		j.trace.Fallback = i
		res, out := j.run(l)
		if i == 0 {
			j.main = out
		}
		if out.err == nil {
			return j.deliver(res)
		}
		if i+1 < len(legs) && j.goesOn(out.err) {
			j.trace.Spans = append(j.trace.Spans, rung.Span{Name: "fallback", Start: time.Since(j.start), Note: errText(out.err)})
			continue
		}
		j.then = func() {
			j.learn()
			j.shadow()
		}
		return out.err
	}
	return &rung.Error{Code: rung.CodeInternal, What: "nobody was asked"} // not possible: there is one leg at least
}

// fallback are the legs after the first, as the configuration names them.
func (j *job) fallback() []leg {
	var out []leg
	for _, f := range j.conf.Fallback {
		if f.Model != "" {
			out = append(out, leg{version: j.to.Version, model: f.Model})
			continue
		}
		if v, _, ok := j.task.resolve(f.Release); ok && v != j.to.Version {
			out = append(out, leg{version: v})
		}
	}
	return out
}

// goesOn says whether the next leg is to answer after an error: not when the caller is at fault, was refused, or has part of an
// answer already.
func (j *job) goesOn(err error) bool {
	if j.begun || j.ctx.Err() != nil {
		return false
	}
	var fall *guard.FallbackError
	if errors.As(err, &fall) {
		return true
	}
	switch rung.CodeOf(err) {
	case rung.CodeBlocked, rung.CodeInterrupted, rung.CodeDenied, rung.CodeLimited:
		return false
	case rung.CodeInput:
		var k *known
		return errors.As(err, &k) && k.problem == rung.TooLong // another model may have a longer context
	}
	return true
}

// run lets one leg answer.
func (j *job) run(l leg) (*result, outcome) {
	start, spent := time.Now(), j.bill.total()
	res, err := j.attempt(l)
	out := outcome{err: err, usd: j.trace.CostUSD - spent, took: time.Since(start)}
	var k *known
	if errors.As(err, &k) {
		out.problem = k.problem
	}
	return res, out
}

func (j *job) attempt(l leg) (*result, error) {
	rel, runner, err := j.ready(l)
	if err != nil {
		j.upstream = true
		return nil, err
	}
	j.upstream = false
	j.trace.Version, j.trace.Upstream = l.version, runner.Candidate().Model
	turn, session, err := j.turn(rel)
	if err != nil {
		return nil, err
	}
	res := j.newResult()
	res.task, res.release, res.arm = true, rel.Line.Task+"@"+rel.Line.Version, j.trace.Arm
	delta, flush := j.delta(rel, session, res)
	turn.Delta = delta
	ctx := j.g.opt.WithGroups(j.ctx, j.groups)
	if j.conf.Timeout > 0 {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, j.conf.Timeout)
		defer cancel()
	}
	j.upstream = true
	ans, err := runner.Serve(ctx, turn)
	j.count(&ans)
	if err != nil {
		if ctx.Err() != nil && j.ctx.Err() == nil {
			err = &rung.Error{Code: rung.CodeTimeout, Place: rel.Line.Task, What: fmt.Sprintf("no answer within %s", j.conf.Timeout), Do: "try again", Err: err}
		}
		return nil, err
	}
	if ans.Problem != rung.NoProblem {
		return nil, problemError(&ans)
	}
	if err := flush(); err != nil {
		return nil, err
	}
	return res, j.accept(rel, session, &ans, res)
}

// release is that of a version, looked up once for the one that was routed to.
func (j *job) release(version string) (*Release, error) {
	if j.found != nil && j.found.Line.Version == version {
		return j.found, nil
	}
	line, ok := j.task.versions[version]
	if !ok {
		return nil, &rung.Error{Code: rung.CodeNotFound, Place: j.task.name + "@" + version, What: "there is no such release"}
	}
	return j.g.releases.get(j.ctx, line)
}

// ready gives the release of a leg and what runs it.
func (j *job) ready(l leg) (*Release, *recipe.Runner, error) {
	rel, err := j.release(l.version)
	if err != nil {
		return nil, nil, err
	}
	if l.model == "" {
		return rel, rel.Runner, nil
	}
	can, err := j.g.opt.Models.Can(l.model)
	if err != nil {
		return nil, nil, err
	}
	held := can.Schema && rel.Form.JSON() || can.Choices && rel.Form.Kind() == rung.Labels
	return rel, rel.Runner.On(j.g.opt.Models, l.model, held), nil
}

// turn makes the input and lets the guards look at all that the caller said.
func (j *job) turn(rel *Release) (recipe.Turn, *guard.Session, error) {
	c := rel.Runner.Candidate()
	if j.ask.tools != nil && c.Output.Kind != rung.Tools {
		return recipe.Turn{}, nil, bad("the task %s does not answer with tool calls: leave tools out", j.task.name)
	}
	input, err := j.ask.inputOf(c, j.last)
	if err != nil {
		return recipe.Turn{}, nil, err
	}
	t := recipe.Turn{Input: input, History: j.history, Span: j.span}
	if rel.Guards == nil || rel.Guards.Empty() {
		j.keepInput(input)
		return t, nil, nil
	}
	s := rel.Guards.Session()
	if rel.Guards.On(rung.GuardInput) {
		if err := j.guardInput(s, &t); err != nil {
			return t, nil, err
		}
	}
	j.keepInput(t.Input)
	if rel.Guards.On(rung.GuardRetrieved) {
		t.Passages = func(ctx context.Context, found []rung.Passage) ([]rung.Passage, error) {
			start := time.Now()
			kept, verdicts, err := s.Passages(ctx, found)
			j.trace.Guards = append(j.trace.Guards, verdicts...)
			j.span("guard", start, "retrieved")
			return kept, err
		}
	}
	return t, s, nil
}

// guardInput looks at the input and at the turns before it: what a caller says in one place is no safer in another.
func (j *job) guardInput(s *guard.Session, t *recipe.Turn) error {
	start := time.Now()
	defer func() { j.span("guard", start, "input") }()
	input, verdicts, err := s.InputJSON(j.ctx, t.Input)
	j.trace.Guards = append(j.trace.Guards, verdicts...)
	if err != nil {
		return err
	}
	t.Input = input
	if len(j.history) == 0 {
		return nil
	}
	t.History = make([]model.Message, len(j.history))
	for i, m := range j.history {
		text, verdicts, err := s.Input(j.ctx, m.Content)
		j.trace.Guards = append(j.trace.Guards, verdicts...)
		if err != nil {
			return err
		}
		t.History[i] = model.Message{Role: m.Role, Content: text}
	}
	return nil
}

func (j *job) keepInput(input json.RawMessage) {
	j.input = input
	if j.cfg.text(j.task.name) {
		j.trace.Input = input
	}
}

func (j *job) span(name string, start time.Time, note string) {
	j.trace.Spans = append(j.trace.Spans, rung.Span{Name: name, Start: start.Sub(j.start), Took: time.Since(start), Note: note})
}

// delta hands text on while it is made, where nothing has to look at the whole of it first; values that guards have hidden are put
// back on the way. flush hands on what was held back for that, when the answer is whole.
func (j *job) delta(rel *Release, s *guard.Session, res *result) (delta func(string) error, flush func() error) {
	nothing := func() error { return nil }
	if !j.env.stream || rel.Form.Kind() != rung.Text {
		return nil, nothing
	}
	g := rel.Guards
	switch {
	case g == nil || s == nil || !g.On(rung.GuardOutput) && !g.Restores():
		return func(text string) error { return j.flow(res, text) }, nothing
	case g.On(rung.GuardOutput):
		return nil, nothing
	}
	back := s.Restorer()
	some := func(text string) error {
		if text == "" {
			return nil
		}
		return j.flow(res, text)
	}
	return func(text string) error { return some(back.Write(text)) }, func() error { return some(back.Close()) }
}

// count adds what a leg took to the trace.
func (j *job) count(a *rung.Answer) {
	t := j.trace
	t.Usage.In += a.Usage.In
	t.Usage.Out += a.Usage.Out
	t.Usage.CachedIn += a.Usage.CachedIn
	t.CostUSD = j.bill.total() // with what was embedded for it
	t.Retries += a.Retries
	t.Problem, t.Repaired = a.Problem, a.Repaired
	t.Passages, t.Cited = nil, a.Cited
	for i := range a.Passages {
		t.Passages = append(t.Passages, a.Passages[i].ID)
	}
}

// problemError says that there is no answer that the caller could use.
func problemError(a *rung.Answer) error {
	// Not what the validator says: it quotes the answer, which no output guard has seen.
	e := &rung.Error{Code: rung.CodeProvider, What: "the model's answer does not have the task's form (" + string(a.Problem) + ")"}
	k := &known{err: e, problem: a.Problem, final: true}
	switch a.Problem {
	case rung.TimedOut:
		e.Code, e.What, k.final, k.cause = rung.CodeTimeout, "the model did not answer in time", false, a.Detail
	case rung.CallFailed:
		e.What, k.final, k.cause = "the model did not answer", false, a.Detail
	case rung.TooLong:
		e.Code, e.What = rung.CodeInput, "the prompt does not fit the model's context"
	}
	return k
}

// accept lets the output guards look at an answer, and makes sure that it still has the task's form.
func (j *job) accept(rel *Release, s *guard.Session, a *rung.Answer, res *result) error {
	value := a.Value
	if s != nil && (rel.Guards.On(rung.GuardOutput) || rel.Guards.Restores()) {
		var err error
		if value, err = j.guardOutput(rel, s, value); err != nil {
			return err
		}
	}
	if j.value = value; j.cfg.text(j.task.name) {
		j.trace.Output = value
	}
	res.usage, res.passages, res.cited, res.finish = j.trace.Usage, a.Passages, a.Cited, "stop"
	if rel.Form.Kind() == rung.Text && a.Finish != "" { // in other forms a whole answer is whole
		res.finish = a.Finish
	}
	switch {
	case rel.Form.Kind() == rung.Tools:
		res.calls, res.isCalls = callsOf(value), true
		if len(res.calls) == 0 {
			res.text = ""
		}
	case rel.Form.JSON():
		res.text = string(value)
	default:
		return json.Unmarshal(value, &res.text)
	}
	return nil
}

func (j *job) guardOutput(rel *Release, s *guard.Session, value json.RawMessage) (json.RawMessage, error) {
	start := time.Now()
	text := string(value)
	if !rel.Form.JSON() {
		if err := json.Unmarshal(value, &text); err != nil {
			return nil, err
		}
	}
	text, verdicts, err := s.Output(j.ctx, text)
	j.trace.Guards = append(j.trace.Guards, verdicts...)
	j.span("guard", start, "output")
	if err != nil {
		return nil, err
	}
	out := json.RawMessage(text)
	if !rel.Form.JSON() {
		out = appendString(nil, text)
	}
	if err := rel.Form.Validate(out, j.input); err != nil && rel.Form.Kind() != rung.Text {
		return nil, &known{final: true, problem: rung.BreaksSchema, err: &rung.Error{Code: rung.CodeProvider, What: "the answer does not have the task's form any more after the guards have redacted it", Err: err}}
	}
	return out, nil
}
