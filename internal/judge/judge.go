// Package judge has models judge answers: a rubric judge gives a score from 1 to 5 for each criterion, a pairwise judge says which of
// two answers is better and is asked in both orders. It measures how far a judge agrees with people and how it is biased, and
// corrects its figures by what people said. Every call goes through the door of internal/model: cached, priced, retried.
package judge

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"

	"github.com/rung-dev/rung"
	"github.com/rung-dev/rung/internal/model"
)

// Caller is the door to models.
type Caller interface {
	Complete(ctx context.Context, req model.Request) (c rung.Completion, cached bool, err error)
}

// Config is what a judge is made of.
type Config struct {
	Metric       string // the metric's name
	Spec         rung.JudgeSpec
	Instructions string       // of the task: what was asked
	Fields       []rung.Field // of the input, in the task's order
	Door         Caller
	Can          model.Can
	Weights      rung.Digest // of a local model's file
}

// Judge asks a model about answers. It is safe for concurrent use.
type Judge struct {
	metric       string
	spec         rung.JudgeSpec
	instructions string
	fields       []rung.Field
	door         Caller
	can          model.Can
	weights      rung.Digest
	prompt       prompt
}

// DefaultMaxTokens bounds a verdict where the task file does not.
const DefaultMaxTokens = 512

// New makes a judge. The error is a *rung.Error.
func New(c Config) (*Judge, error) {
	if err := Check(c.Metric, &c.Spec); err != nil {
		return nil, err
	}
	p, _ := promptOf(&c.Spec) // it has just been found
	j := &Judge{metric: c.Metric, spec: c.Spec, instructions: c.Instructions, fields: c.Fields, door: c.Door, can: c.Can, weights: c.Weights, prompt: p}
	if j.spec.MaxTokens == 0 {
		j.spec.MaxTokens = DefaultMaxTokens
	}
	return j, nil
}

// Check says what is wrong with a judge before it is made; nil when nothing is.
func Check(metric string, spec *rung.JudgeSpec) *rung.Error {
	_, err := promptOf(spec)
	if err != nil {
		err.What = "metric " + metric + ": " + err.What
	}
	return err
}

// Metric is the name of the metric that the judge is.
func (j *Judge) Metric() string { return j.metric }

// Spec is the judge as the task file describes it, its defaults filled in.
func (j *Judge) Spec() rung.JudgeSpec { return j.spec }

// Prompt is the name and version of the prompt, such as rubric@1.
func (j *Judge) Prompt() string { return j.prompt.String() }

// Text is the prompt's system message and the request that is made of an item, for people to read.
func (j *Judge) Text() (system, ask string) { return j.prompt.system, j.prompt.ask }

// Digest names the judge by everything that shapes its verdicts: what is known of one judge holds for no other.
func (j *Judge) Digest() rung.Digest {
	spec := j.spec
	spec.MayDecide = false // says what its figures are good for, not what they are
	spec.Prompt = j.prompt.version
	return rung.DigestOf(struct {
		Spec         rung.JudgeSpec `json:"spec"`
		Weights      rung.Digest    `json:"weights"`
		Prompt       string         `json:"prompt"`
		Text         [2]string      `json:"text"`
		Instructions string         `json:"instructions"`
	}{spec, j.weights, j.prompt.String(), [2]string{j.prompt.system, j.prompt.ask}, j.instructions})
}

// Item is what a judge is shown.
type Item struct {
	Input     string
	Reference string // a right answer; empty: none
	Answer    string
}

// ItemOf is an example with an answer as a judge is shown it.
func (j *Judge) ItemOf(input, reference, answer json.RawMessage) Item {
	return Item{Input: InputText(j.fields, input), Reference: Plain(reference), Answer: Plain(answer)}
}

// Values judges one answer: by its criteria, or against the reference.
func (j *Judge) Values(ctx context.Context, it Item) (rung.OutsideValue, error) {
	if j.spec.Pairwise {
		return j.Prefer(ctx, it.Input, it.Answer, it.Reference)
	}
	return j.Rate(ctx, it)
}

// Rate gives the answer a score for each criterion. The value is their mean, mapped from 1–5 to 0–1; Parts are the criteria. A
// criterion without a score fails the whole: a mean of what happened to come would be another measure.
func (j *Judge) Rate(ctx context.Context, it Item) (rung.OutsideValue, error) {
	out := rung.OutsideValue{Parts: map[string]float64{}}
	var notes []string
	for _, c := range j.spec.Criteria {
		v, err := j.ask(ctx, j.rubricText(it, c), &out)
		if err != nil {
			return out, err
		}
		if v.failed != "" {
			out.Failed, out.Value, out.Parts = fmt.Sprintf("%s: %s", c.Name, v.failed), 0, nil
			return out, nil
		}
		out.Parts[c.Name] = (float64(v.score) - 1) / 4
		out.Value += out.Parts[c.Name] / float64(len(j.spec.Criteria))
		notes = append(notes, strings.TrimSpace(c.Name+" "+fmt.Sprint(v.score)+": "+v.reason))
	}
	out.Note = clip(strings.Join(notes, "\n"), longestNote)
	return out, nil
}

// The parts of a pairwise verdict: its value with the answer shown first and second. They are equal where the order does not
// matter to the judge.
const (
	ShownFirst  = "shown_first"
	ShownSecond = "shown_second"
)

// Prefer compares two answers in both orders. The value is 1 where the first is better, 0 where the second is, ½ for a tie or where
// the order decided.
func (j *Judge) Prefer(ctx context.Context, input, first, second string) (rung.OutsideValue, error) {
	out := rung.OutsideValue{Parts: map[string]float64{}}
	var notes []string
	for _, swapped := range []bool{false, true} {
		a, b, part := first, second, ShownFirst
		if swapped {
			a, b, part = second, first, ShownSecond
		}
		v, err := j.ask(ctx, j.pairText(input, a, b), &out)
		if err != nil {
			return out, err
		}
		if v.failed != "" {
			out.Failed, out.Value, out.Parts = v.failed, 0, nil
			return out, nil
		}
		won := v.first
		if swapped {
			won = 1 - won
		}
		out.Parts[part] = won
		out.Value += won / 2
		notes = append(notes, strings.ReplaceAll(part, "_", " ")+": "+v.reason)
	}
	out.Note = clip(strings.Join(notes, "\n"), longestNote)
	return out, nil
}

// longestNote bounds what is kept of a judge's reasons, in bytes.
const longestNote = 2000

// clip keeps at most n bytes of s, cut at a character.
func clip(s string, n int) string {
	if len(s) <= n {
		return s
	}
	return strings.ToValidUTF8(s[:n], "") + "…"
}

// Plain is an answer as text: a string as it is, other JSON as it is written.
func Plain(raw json.RawMessage) string {
	var s string
	if len(raw) == 0 || json.Unmarshal(raw, &s) != nil {
		return string(raw)
	}
	return s
}

// InputText is an input as text: one field bare, several as lines with their names.
func InputText(fields []rung.Field, input json.RawMessage) string {
	var members map[string]json.RawMessage
	if json.Unmarshal(input, &members) != nil {
		return Plain(input)
	}
	if len(fields) == 1 {
		return Plain(members[fields[0].Name])
	}
	var lines []string
	for _, f := range fields {
		lines = append(lines, f.Name+": "+Plain(members[f.Name]))
	}
	return strings.Join(lines, "\n")
}
