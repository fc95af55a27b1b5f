package trace

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"

	"github.com/rung-dev/rung"
	"github.com/rung-dev/rung/internal/store"
)

// Redactor replaces in a text what must not be kept. Task is the task of the request, "" for a pass-through. It runs off the hot
// path. Where it fails, or panics, the texts of the trace are not written.
type Redactor func(task, text string) (string, error)

// redact goes over a batch before it is written.
func (r *Recorder) redact(batch []rung.Trace) {
	if r.cfg.Redact == nil {
		return
	}
	stripped := int64(0)
	for i := range batch {
		t := &batch[i]
		if err := r.cfg.Redact.trace(t); err != nil {
			strip(t)
			stripped++
			r.cfg.Log.Error("a trace is kept without its texts: they could not be redacted", "trace", t.ID, "error", err)
		}
	}
	if stripped > 0 {
		r.mu.Lock()
		r.stats.Stripped += stripped
		r.mu.Unlock()
	}
}

// Feedback redacts what a person wrote and keeps it. When it returns nil the feedback is there, whatever happens to the process.
func (r *Recorder) Feedback(ctx context.Context, task string, f rung.Feedback) error {
	ctx, cancel := context.WithTimeout(ctx, r.cfg.Wait)
	defer cancel()
	return KeepFeedback(ctx, r.store, r.cfg.Redact, task, f)
}

// KeepFeedback is Recorder.Feedback where there is no recorder. A nil redact keeps texts as they are.
func KeepFeedback(ctx context.Context, s store.Serving, redact Redactor, task string, f rung.Feedback) error {
	if redact != nil {
		if err := redact.feedback(task, &f); err != nil {
			return &rung.Error{Code: rung.CodeInternal, Place: f.Trace, What: "the feedback could not be redacted and was not kept", Do: "send it again without a comment or correction", Err: err}
		}
	}
	return s.PutFeedback(ctx, f)
}

var errRedactor = errors.New("the redactor failed")

// trace redacts all texts of a trace.
func (redact Redactor) trace(t *rung.Trace) (err error) {
	defer caught(&err)
	if t.Input, err = redact.json(t.Task, t.Input); err != nil {
		return err
	}
	if t.Output, err = redact.json(t.Task, t.Output); err != nil {
		return err
	}
	if t.Error, err = redact.text(t.Task, t.Error); err != nil {
		return err
	}
	for i := range t.Spans {
		if t.Spans[i].Note, err = redact.text(t.Task, t.Spans[i].Note); err != nil {
			return err
		}
	}
	for i := range t.Guards {
		if t.Guards[i].Failed, err = redact.text(t.Task, t.Guards[i].Failed); err != nil {
			return err
		}
	}
	return nil
}

func (redact Redactor) feedback(task string, f *rung.Feedback) (err error) {
	defer caught(&err)
	if f.Comment, err = redact.text(task, f.Comment); err != nil {
		return err
	}
	f.Correction, err = redact.json(task, f.Correction)
	return err
}

// caught makes an error of a panic. What it says may hold the text, so it is not passed on.
func caught(err *error) {
	if p := recover(); p != nil {
		*err = fmt.Errorf("%w: it panicked", errRedactor)
	}
}

func (redact Redactor) text(task, s string) (string, error) {
	if s == "" {
		return "", nil
	}
	return redact(task, s)
}

// strip takes all that could be text of a caller or a model out of a trace.
func strip(t *rung.Trace) {
	t.Input, t.Output, t.Error = nil, nil, ""
	for i := range t.Spans {
		t.Spans[i].Note = ""
	}
	for i := range t.Guards {
		if t.Guards[i].Failed != "" {
			t.Guards[i].Failed = "failed"
		}
	}
}

// shortNumber is how many digits a number has at most that cannot be a telephone, card or account number.
const shortNumber = 6

// json redacts the strings, names and long numbers in a JSON value. A value that is no JSON is redacted as text.
func (redact Redactor) json(task string, v json.RawMessage) (json.RawMessage, error) {
	if len(v) == 0 {
		return v, nil
	}
	if !json.Valid(v) {
		s, err := redact(task, string(v))
		if err != nil {
			return nil, err
		}
		return quote(s)
	}
	var out []byte // made when something changes
	done := 0      // bytes of v that are in out
	for at := 0; at < len(v); {
		end, text, err := token(v, at)
		if err != nil {
			return nil, err
		}
		if text != "" {
			clean, err := redact(task, text)
			if err != nil {
				return nil, err
			}
			if clean != text {
				quoted, err := quote(clean)
				if err != nil {
					return nil, err
				}
				out = append(append(out, v[done:at]...), quoted...)
				done = end
			}
		}
		at = end
	}
	if done == 0 {
		return v, nil
	}
	return append(out, v[done:]...), nil
}

// quote writes a JSON string as people read it: placeholders such as <EMAIL_1> stay what they are.
func quote(s string) ([]byte, error) {
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	err := enc.Encode(s)
	return bytes.TrimSuffix(b.Bytes(), []byte("\n")), err
}

// token finds the end of what begins at a place in valid JSON, and its text if it is a string or a long number.
func token(v []byte, at int) (end int, text string, err error) {
	switch c := v[at]; {
	case c == '"':
		end = at + 1
		for v[end] != '"' {
			if v[end] == '\\' {
				end++
			}
			end++
		}
		end++
		if inner := v[at+1 : end-1]; bytes.IndexByte(inner, '\\') < 0 {
			return end, string(inner), nil
		}
		err = json.Unmarshal(v[at:end], &text)
		return end, text, err
	case c == '-' || '0' <= c && c <= '9':
		for end = at + 1; end < len(v) && strings.IndexByte("+-.eE0123456789", v[end]) >= 0; end++ {
		}
		if end-at > shortNumber {
			text = string(v[at:end])
		}
		return end, text, nil
	}
	return at + 1, "", nil
}
