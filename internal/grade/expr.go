package grade

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"strconv"
	"strings"
	"time"

	"cel.dev/cel-go/cel"
	"cel.dev/cel-go/common/types"
	"cel.dev/cel-go/common/types/ref"
	"cel.dev/cel-go/ext"
	"cel.dev/cel-go/interpreter"

	"github.com/rung-dev/rung"
)

// Bounds of one evaluation. The cost limit is what stops an expression that never ends, at the same place every time; the
// timeout is for a machine that is out of breath.
const (
	celCost    = 200_000
	celMemory  = 4 << 20 // elements (characters, items) alive at once
	celTimeout = 10 * time.Second
	celNodes   = 2_000
)

// expression is a compiled CEL expression over input, output and expected.
type expression struct {
	name     string
	program  cel.Program
	passFail bool
}

// celMetric compiles spec. An expression that gives a bool is pass/fail, one that gives a number is graded and must be declared
// so; where the type is known only when it runs, the declaration decides.
func celMetric(spec rung.MetricSpec, place string) (metric, *rung.Error) {
	env, err := celEnv()
	if err != nil {
		return metric{}, &rung.Error{Code: rung.CodeInternal, What: "CEL does not start: " + err.Error(), Err: err}
	}
	ast, issues := env.Compile(spec.Expr)
	if issues != nil && issues.Err() != nil {
		return metric{}, celFault(spec, place, issues)
	}
	m := metric{name: spec.Name, kind: graded, bounds: unit, missed: expressionNo}
	switch out := ast.OutputType(); {
	case out.IsExactType(cel.BoolType), out.IsExactType(cel.DynType) && spec.PassFail:
		m.kind = passFail
	case out.IsExactType(cel.DynType):
	case !out.IsExactType(cel.DoubleType) && !out.IsExactType(cel.IntType) && !out.IsExactType(cel.UintType):
		return metric{}, &rung.Error{Code: rung.CodeInput, Place: place, Excerpt: spec.Expr,
			What: fmt.Sprintf("metric %s: the expression gives a %s", spec.Name, out), Do: "let it give true or false, or a number"}
	case spec.PassFail:
		return metric{}, &rung.Error{Code: rung.CodeInput, Place: place, Excerpt: spec.Expr,
			What: fmt.Sprintf("metric %s: the expression gives a number", spec.Name), Do: "write pass_fail: false, or compare the number with something"}
	}
	program, err := env.Program(ast, cel.EvalOptions(cel.OptOptimize), cel.CostLimit(celCost), cel.MemoryLimit(celMemory),
		cel.InterruptCheckFrequency(1000))
	if err != nil {
		return metric{}, &rung.Error{Code: rung.CodeInput, Place: place, Excerpt: spec.Expr,
			What: fmt.Sprintf("metric %s: the expression cannot run: %s", spec.Name, firstLine(err)), Do: "correct it", Err: err}
	}
	e := expression{name: spec.Name, program: program, passFail: m.kind == passFail}
	m.grade = e.grade
	return m, nil
}

func celEnv() (*cel.Env, error) {
	return cel.NewEnv(
		cel.Variable("input", cel.DynType), cel.Variable("output", cel.DynType), cel.Variable("expected", cel.DynType),
		cel.CrossTypeNumericComparisons(true), cel.ExpressionNodeLimit(celNodes),
		ext.Strings(), ext.Math(), ext.Lists(), ext.Sets())
}

// celFault shows the first fault of an expression with a caret under it.
func celFault(spec rung.MetricSpec, place string, issues *cel.Issues) *rung.Error {
	e := &rung.Error{Code: rung.CodeInput, Place: place, What: "metric " + spec.Name + ": the expression does not compile",
		Do: "correct it; it may use input, output and expected", Err: issues.Err(), Excerpt: spec.Expr}
	list := issues.Errors()
	if len(list) == 0 {
		return e
	}
	e.What += ": " + list[0].Message
	lines := strings.Split(spec.Expr, "\n")
	if n := list[0].Location.Line() - 1; n >= 0 && n < len(lines) {
		e.Excerpt = lines[n] + "\n" + strings.Repeat(" ", max(0, list[0].Location.Column())) + "^"
	}
	return e
}

func firstLine(err error) string {
	line, _, _ := strings.Cut(err.Error(), "\n")
	return line
}

// grade is the best value over the expected outputs. What goes wrong at run time scores 0, with its reason.
func (e expression) grade(r *reading, _ []float64) float64 {
	input, output, expected := r.celValues()
	best, found, why := 0.0, false, ""
	for _, want := range expected {
		v, err := e.eval(map[string]any{"input": input, "output": output, "expected": want})
		switch {
		case err != nil:
			why = celReason(err)
		case !found || v > best:
			best, found = v, true
		}
	}
	if !found {
		r.faults = append(r.faults, fault{e.name, e.name + ": " + clip(why)})
	}
	return best
}

// celReason is an evaluation error in one short line.
func celReason(err error) string {
	var cancelled interpreter.EvalCancelledError
	if errors.As(err, &cancelled) && cancelled.Cause == interpreter.CostLimitExceeded {
		return "the expression does too much work"
	}
	if errors.Is(err, context.DeadlineExceeded) {
		return "the expression takes too long"
	}
	return firstLine(err)
}

func (e expression) eval(vars map[string]any) (v float64, err error) {
	ctx, cancel := context.WithTimeout(context.Background(), celTimeout)
	defer cancel()
	defer func() {
		if p := recover(); p != nil {
			v, err = 0, fmt.Errorf("the expression breaks CEL: %v", p)
		}
	}()
	out, _, err := e.program.ContextEval(ctx, vars)
	if err != nil {
		if ctx.Err() != nil {
			return 0, ctx.Err()
		}
		return 0, err
	}
	v, err = celNumber(out)
	if e.passFail && err == nil && v != 0 && v != 1 {
		return 0, errors.New("gives a number where pass_fail is set")
	}
	return v, err
}

func celNumber(out ref.Val) (float64, error) {
	var v float64
	switch n := out.(type) {
	case types.Bool:
		return score01(bool(n)), nil
	case types.Int:
		v = float64(n)
	case types.Uint:
		v = float64(n)
	case types.Double:
		v = float64(n)
	default:
		return 0, fmt.Errorf("the expression gives a %s, not true, false or a number", out.Type().TypeName())
	}
	if math.IsNaN(v) || math.IsInf(v, 0) {
		return 0, errors.New("the expression gives a number that is none (division by zero?)")
	}
	return v, nil
}

// celValues are input, output and expected outputs as CEL reads them.
func (r *reading) celValues() (input, output any, expected []any) {
	if r.celIn == nil {
		in := readValue(r.ex.Input)
		r.celIn, r.celOut = in.plain(), r.got.plain()
		for i := range r.want {
			r.celWant = append(r.celWant, r.want[i].plain())
		}
	}
	return r.celIn, r.celOut, r.celWant
}

// plain is v as Go's own types. Numbers are doubles, as CEL reads JSON.
func (v *value) plain() any {
	switch v.kind {
	case '{':
		m := make(map[string]any, len(v.members))
		for i := range v.members {
			m[v.members[i].key] = v.members[i].value.plain()
		}
		return m
	case '[':
		list := make([]any, len(v.items))
		for i := range v.items {
			list[i] = v.items[i].plain()
		}
		return list
	case 's':
		return v.text
	case 'n':
		f, _ := strconv.ParseFloat(v.text, 64)
		return f
	case 't', 'f':
		return v.kind == 't'
	case 'r':
		return json.RawMessage(v.text)
	}
	return nil
}
