// Package guard looks at what goes into a model and comes out of it: personal data, secrets, injected instructions, topics,
// toxicity, phrases, leaks of the prompt and of the training data, length and schema. Every scan takes time linear in the
// text. A guard that panics, takes too long or cannot run blocks, unless its spec says that it fails open.
package guard

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/rung-dev/rung"
	"github.com/rung-dev/rung/internal/form"
)

// Env is what guards need beside the text.
type Env struct {
	System   string        // prompt_leak: the system prompt as it is sent
	Training []string      // data_leak: texts that the model was trained on or shown, indexed once
	Marks    []byte        // data_leak: of further such texts, see Marks
	Embed    EmbedFunc     // topic; nil: topics are told by their words alone
	Form     *form.Form    // schema
	Timeout  time.Duration // of one guard on one text; 0: 2 seconds
}

// EmbedFunc turns texts into vectors of one length.
type EmbedFunc func(ctx context.Context, texts []string) ([][]float32, error)

const defaultTimeout = 2 * time.Second

// MaxText is the longest text, in bytes, that guards look at. A longer one is a failure of every guard: closed, unless the
// spec says open.
const MaxText = 4 << 20

// Set is the guards of a task, ready to run. It is safe for concurrent use.
type Set struct {
	guards   []member
	timeout  time.Duration
	json     bool // answers are JSON
	restores bool
}

// member is a guard with its spec.
type member struct {
	spec  rung.GuardSpec
	check checker
	whole bool // it looks at the text as it stands, and not at the strings of a JSON text one by one
	slow  bool // it may wait for something
}

// checker looks at one text. It must not keep the text.
type checker func(ctx context.Context, stage rung.GuardStage, text string) (result, error)

// result is what a guard found in one text.
type result struct {
	hit   bool
	score float64
	kinds []string // without a span
	spans []span
}

// span is a finding: bytes start to end of the text.
type span struct {
	start, end int
	kind       string
}

// New prepares guards. A spec that cannot run is an error that names it.
func New(specs []rung.GuardSpec, env Env) (*Set, error) {
	s := &Set{timeout: env.Timeout, json: env.Form != nil && env.Form.JSON()}
	if s.timeout <= 0 {
		s.timeout = defaultTimeout
	}
	for i, spec := range specs {
		kind, ok := rung.FindGuardKind(spec.Kind)
		if !ok {
			return nil, refused(i, spec, fmt.Sprintf("there is no guard %q", spec.Kind))
		}
		spec = filled(spec, kind)
		if what := unfit(spec, kind); what != "" {
			return nil, refused(i, spec, what)
		}
		m, err := build(spec, env)
		if err != nil {
			return nil, refused(i, spec, err.Error())
		}
		s.guards = append(s.guards, m)
		s.restores = s.restores || spec.Restore
	}
	return s, nil
}

func refused(i int, spec rung.GuardSpec, what string) error {
	return &rung.Error{Code: rung.CodeInput, Place: fmt.Sprintf("guards[%d] (%s)", i, spec.Kind), What: what, Do: "correct guards in the task file"}
}

func filled(spec rung.GuardSpec, kind rung.GuardKind) rung.GuardSpec {
	if len(spec.Stages) == 0 {
		spec.Stages = kind.Default
	}
	if spec.Action == "" {
		spec.Action = kind.Action
	}
	return spec
}

// unfit says what a spec asks for that its kind cannot do. A task file is held to the same when it is read; a release may
// come from elsewhere.
func unfit(spec rung.GuardSpec, kind rung.GuardKind) string {
	for _, stage := range spec.Stages {
		if !slices.Contains(kind.Stages, stage) {
			return fmt.Sprintf("it does not look at %q", stage)
		}
	}
	switch {
	case !slices.Contains([]rung.GuardAction{rung.Block, rung.Redact, rung.Annotate, rung.Fallback}, spec.Action):
		return fmt.Sprintf("there is no action %q", spec.Action)
	case spec.Action == rung.Redact && !kind.Redacts:
		return "it has nothing in particular to redact"
	case spec.Action == rung.Fallback && slices.Contains(spec.Stages, rung.GuardRetrieved):
		return "a passage cannot fall back to another release"
	case spec.Restore && (spec.Kind != "pii" || spec.Action != rung.Redact):
		return "only pii with the action redact can restore"
	case spec.Threshold < 0 || spec.Threshold > 1:
		return "its threshold is not between 0 and 1"
	case kind.Needs == "phrases" && len(spec.Phrases) == 0, kind.Needs == "topics" && len(spec.Topics) == 0, kind.Needs == "max_chars" && spec.MaxChars <= 0:
		return "it needs " + kind.Needs
	}
	return ""
}

func build(spec rung.GuardSpec, env Env) (member, error) {
	m := member{spec: spec}
	var err error
	switch spec.Kind {
	case "pii":
		m.check, err = newPII(spec.Entities)
	case "secrets":
		m.check = checkSecrets
	case "injection":
		m.check, err = newInjection(spec.Threshold)
	case "topic":
		m.check, err = newTopic(spec, env.Embed)
		m.slow = env.Embed != nil
	case "length":
		m.check, m.whole = newLength(spec.MaxChars), true
	case "toxicity":
		m.check = newToxicity(spec.Threshold)
	case "phrases":
		m.check, err = newPhrases(spec.Phrases)
	case "prompt_leak":
		m.check = newPromptLeak(env.System, spec.Threshold)
	case "data_leak":
		m.check, err = newDataLeak(env.Training, env.Marks, spec.Threshold)
	case "schema":
		m.check, err = newSchema(env.Form)
		m.whole = true
	default:
		err = errors.New("it is not built in")
	}
	return m, err
}

// Empty reports whether there are no guards at all.
func (s *Set) Empty() bool { return len(s.guards) == 0 }

// On reports whether any guard looks at a stage.
func (s *Set) On(stage rung.GuardStage) bool {
	return slices.ContainsFunc(s.guards, func(m member) bool { return slices.Contains(m.spec.Stages, stage) })
}

// Restores reports whether values are put back into answers.
func (s *Set) Restores() bool { return s.restores }

// FallbackError says that a guard wants another release to answer. It wraps the error to give when there is no other.
type FallbackError struct {
	Guard string
	Stage rung.GuardStage
	Err   error
}

func (e *FallbackError) Error() string { return e.Err.Error() }

// Unwrap gives the *rung.Error of code blocked.
func (e *FallbackError) Unwrap() error { return e.Err }

var stageWords = map[rung.GuardStage]string{rung.GuardInput: "the request", rung.GuardRetrieved: "a passage", rung.GuardOutput: "the answer"}

// stopped is the error of a guard that does not let a text through. It never holds any of the text.
func stopped(spec rung.GuardSpec, stage rung.GuardStage, failed bool) error {
	e := &rung.Error{Code: rung.CodeBlocked, Place: "guard " + spec.Kind + " on " + string(stage),
		What: fmt.Sprintf("the guard %s refused %s", spec.Kind, stageWords[stage]), Do: "ask in another way"}
	if failed {
		e.What = fmt.Sprintf("the guard %s could not look at %s, so it is refused", spec.Kind, stageWords[stage])
		e.Do = "try again; the task may also let the guard fail open"
	}
	if spec.Action == rung.Fallback {
		return &FallbackError{Guard: spec.Kind, Stage: stage, Err: e}
	}
	return e
}
