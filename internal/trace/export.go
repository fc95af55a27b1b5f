package trace

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"iter"

	"github.com/rung-dev/rung"
	"github.com/rung-dev/rung/internal/store"
)

// Exported says what an export wrote and what it left out.
type Exported struct {
	Written int            `json:"written"`
	Skipped map[string]int `json:"skipped"` // reason → traces
}

// ToldTrace is a trace with what was said about it: a line of a raw export.
type ToldTrace struct {
	rung.Trace
	Feedback []rung.Feedback `json:"feedback,omitempty"`
}

// Export writes the traces that match as they are kept, each with its feedback, a line each, first written first. With f.Limit it
// ends after so many.
func Export(ctx context.Context, w io.Writer, s store.Serving, f store.TraceFilter) (Exported, error) {
	out := Exported{Skipped: map[string]int{}}
	for t, err := range told(ctx, s, f) {
		if err == nil {
			err = writeLine(w, t)
		}
		if err != nil {
			return out, err
		}
		out.Written++
	}
	return out, nil
}

// example is a line that rung check reads.
type example struct {
	ID      string          `json:"id"`
	Input   json.RawMessage `json:"input"`
	Output  json.RawMessage `json:"output"`
	Segment string          `json:"segment,omitempty"`
}

// ExportExamples writes the traces that match as examples: input, and the correction if there is one, else the answer. With
// f.Limit it ends after so many examples; with f.Feedback only traces with feedback count. Left out, and counted, is what no
// example can be made of.
func ExportExamples(ctx context.Context, w io.Writer, s store.Serving, f store.TraceFilter) (Exported, error) {
	out := Exported{Skipped: map[string]int{}}
	limit := f.Limit
	f.Limit = 0
	for t, err := range told(ctx, s, f) {
		if err != nil {
			return out, err
		}
		e, reason := exampleOf(t, f.Arm)
		if reason != "" {
			out.Skipped[reason]++
			continue
		}
		if err := writeLine(w, e); err != nil {
			return out, err
		}
		if out.Written++; out.Written == limit {
			break
		}
	}
	return out, nil
}

// ExportProposals writes the examples that corrections propose.
func ExportProposals(ctx context.Context, w io.Writer, s store.Serving, task string) (Exported, error) {
	out := Exported{Skipped: map[string]int{}}
	for p, err := range s.Proposals(ctx, task) {
		if err != nil {
			return out, err
		}
		if !isObject(p.Input) {
			out.Skipped[noTask]++
			continue
		}
		if err := writeLine(w, example{ID: p.Trace, Input: p.Input, Output: p.Output, Segment: p.Segment}); err != nil {
			return out, err
		}
		out.Written++
	}
	return out, nil
}

// Why a trace is no example.
const (
	noText   = "kept without its text"
	refused  = "refused or failed before there was an input"
	noTask   = "passed through without a task"
	noAnswer = "failed, and nobody corrected it"
	badVote  = "judged bad, and nobody corrected it"
	shadow   = "a shadow's answer, which nobody saw"
)

// shadowArm is the arm of answers that are never returned.
const shadowArm = "shadow"

func exampleOf(t *ToldTrace, arm string) (example, string) {
	e := example{ID: t.ID, Input: t.Input, Output: t.Output, Segment: t.Segment}
	correction, bad := judgement(t.Feedback)
	switch {
	case len(t.Input) == 0 && t.Code != "":
		return e, refused
	case len(t.Input) == 0:
		return e, noText
	case !isObject(t.Input):
		return e, noTask
	case t.Arm == shadowArm && arm != shadowArm:
		return e, shadow
	case correction != nil:
		e.Output = correction
		return e, ""
	case bad:
		return e, badVote
	case t.Code != "" || t.Problem != "":
		return e, noAnswer
	case len(t.Output) == 0:
		return e, noText
	}
	return e, ""
}

// judgement is the last correction, and whether the last vote was against the answer.
func judgement(list []rung.Feedback) (correction json.RawMessage, bad bool) {
	for i := range list {
		f := &list[i]
		if len(f.Correction) > 0 {
			correction = f.Correction
		}
		switch {
		case f.Score != nil:
			bad = *f.Score < 0.5
		case f.Thumb != 0:
			bad = f.Thumb < 0
		}
	}
	return correction, bad
}

func isObject(v json.RawMessage) bool {
	v = bytes.TrimSpace(v)
	return len(v) > 0 && v[0] == '{'
}

// told joins traces to their feedback. It asks first which have any: most have none.
func told(ctx context.Context, s store.Serving, f store.TraceFilter) iter.Seq2[*ToldTrace, error] {
	return func(yield func(*ToldTrace, error) bool) {
		f.Oldest = true
		has, asked := map[string]bool{}, f
		asked.Feedback, asked.Limit = true, 0
		for t, err := range s.Traces(ctx, asked) {
			if err != nil {
				yield(nil, err)
				return
			}
			has[t.ID] = true
		}
		for t, err := range s.Traces(ctx, f) {
			out := &ToldTrace{Trace: t}
			if err == nil && has[t.ID] {
				out.Feedback, err = s.Feedback(ctx, t.ID)
			}
			if !yield(out, err) || err != nil {
				return
			}
		}
	}
}

func writeLine(w io.Writer, v any) error {
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(v); err != nil {
		return err
	}
	if _, err := w.Write(b.Bytes()); err != nil {
		return &rung.Error{Code: rung.CodeStore, What: fmt.Sprintf("the export cannot be written: %v", err), Do: "check the disk, or choose another file", Err: err}
	}
	return nil
}

// ExampleOf makes an example of a trace by the rule of ExportExamples. reason says why there is none; corrected that a person wrote the output.
func ExampleOf(t *ToldTrace) (input, output json.RawMessage, corrected bool, reason string) {
	e, reason := exampleOf(t, "")
	correction, _ := judgement(t.Feedback)
	return e.Input, e.Output, correction != nil, reason
}
