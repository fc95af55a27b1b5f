package generate_test

import (
	"context"
	"encoding/json"
	"testing"

	"github.com/rung-dev/rung"
	"github.com/rung-dev/rung/internal/generate"
	"github.com/rung-dev/rung/internal/model"
)

// says is a door behind which a model says always the same.
type says string

func (s says) Complete(context.Context, model.Request) (rung.Completion, bool, error) {
	return rung.Completion{Text: string(s)}, false, nil
}

// FuzzWrite: whatever a model answers, each draft is a row of the task or says why it is none.
func FuzzWrite(f *testing.F) {
	for _, s := range []string{`{"rows":[{"input":{"text":"x"},"output":"ham"}]}`, `{"input":{"text":"x"`, `{"text":"x","output":"spam"}`, `{{{{`, `{"rows":{"rows":[{"input":null}]}}`, `{"input":{"text":"\ud800"},"output":"ham"}`} {
		f.Add(s)
	}
	form := formOfF(f)
	f.Fuzz(func(t *testing.T, answer string) {
		w := &generate.Writer{Door: says(answer), Model: "openai/m", Fields: fields, Output: labels, Form: form, PerCall: 3}
		drafts, err := w.Write(context.Background(), []generate.Seed{{}}, 3, 1)
		if err != nil || len(drafts) == 0 || len(drafts) > 3 {
			t.Fatalf("%v, %d drafts", err, len(drafts))
		}
		for _, d := range drafts {
			var in struct{ Text string }
			if d.Fault == "" && (json.Unmarshal(d.Row.Input, &in) != nil || in.Text == "" || form.Validate(d.Row.Output, d.Row.Input) != nil || d.Row.Generated == nil) {
				t.Fatalf("%+v", d)
			}
		}
		if _, err := (&generate.Filter{}).Run(context.Background(), drafts); err != nil {
			t.Fatal(err)
		}
	})
}

// FuzzReadBatch and templates: bytes from outside are rows and templates, or an error.
func FuzzReadBatch(f *testing.F) {
	f.Add([]byte(`{"id":"a","input":{},"output":1,"generated":{"by":"m","prompt":""}}`))
	f.Add([]byte(templateFile))
	f.Fuzz(func(t *testing.T, content []byte) {
		rows, digest, err := generate.ReadBatch("b", content)
		if err == nil && (len(rows) == 0 || digest == "") {
			t.Fatal("a batch without rows")
		}
		if tm, err := generate.ReadTemplates("t", content, fields); err == nil && len(tm.Templates) == 0 {
			t.Fatal("templates without one")
		}
	})
}
