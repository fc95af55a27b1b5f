package rating

import (
	"context"
	"encoding/json"
	"encoding/xml"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/rung-dev/rung"
	"github.com/rung-dev/rung/internal/store"
)

// spoken is a queue in which people have said everything that can be said: labels of two labellers who are split in places, a skipped row, a
// comment, a failure mode of a shown answer, known labels of gold rows, and an adjudicator's word.
func spoken(t *testing.T, out rung.Output, words [2]string) (*rung.RatingQueue, []rung.Rating) {
	t.Helper()
	known, err := json.Marshal(words[0])
	if out.Kind == rung.JSONSchema {
		known, err = []byte(words[0]), nil
	}
	if err != nil {
		t.Fatal(err)
	}
	q := labelQueue(t, out, 12, Options{Raters: []string{"ada", "ben"}, Overlap: -1}, known)
	for i := range q.Items {
		if q.Items[i].Check == rung.NoCheck {
			q.Items[i].Options = []rung.RatingOption{{Candidate: "c1", Text: "what was answered"}}
		}
	}
	st := openStore(t, q)
	for n, name := range []string{"ada", "ben"} {
		s, err := Join(context.Background(), st, q, name)
		if err != nil {
			t.Fatal(err)
		}
		for i, ask := range s.asks {
			said := Said{Item: ask.Item, Text: words[(i+n*i/4)%2], Seconds: float64(i) + .25, Modes: []string{"policy", "format"}[:i%3]}
			if i == 3 {
				said.Comment = "R&D: \"unclear\"\n<b>twice</b>"
			}
			if i == 5 {
				said = Said{Item: ask.Item, Skipped: true, Seconds: 1}
			}
			if _, err := s.Rate(context.Background(), said); err != nil {
				t.Fatal(err)
			}
		}
	}
	lead, err := Adjudicate(context.Background(), st, q, "lead")
	if err != nil || len(lead.asks) == 0 {
		t.Fatalf("%v: nothing to settle", err)
	}
	state, err := lead.State(context.Background())
	if err != nil {
		t.Fatal(err)
	}
	if _, err := lead.Rate(context.Background(), Said{Item: state.Question.Item, Text: words[1]}); err != nil {
		t.Fatal(err)
	}
	return q, all(t, st, store.RatingFilter{})
}

var spokenForms = map[string]struct {
	out   rung.Output
	words [2]string
}{
	"labels": {rung.Output{Kind: rung.Labels, Labels: []string{"ham", "spam & <eggs>"}}, [2]string{"ham", "spam & <eggs>"}},
	"json":   {rung.Output{Kind: rung.JSONSchema, Schema: json.RawMessage(`{"type":"object","properties":{"city":{"type":"string"},"n":{"type":"integer"}},"required":["city"]}`)}, [2]string{`{"city":"Łódź","n":2}`, `{"city":"Rome"}`}},
	"text":   {rung.Output{Kind: rung.Text}, [2]string{"two\nlines", "12"}},
}

// TestLabelsGoRoundTrip: what was said goes to Label Studio's form, and to one label a line, and comes back the same: nothing of it is new to
// the store that it came from, and all of it is to an empty one. Known labels are in the files, and are nobody's when they come back.
func TestLabelsGoRoundTrip(t *testing.T) {
	for name, c := range spokenForms {
		q, said := spoken(t, c.out, c.words)
		for _, f := range []Format{LabelStudio, LabelsFormat} {
			content, err := ExportLabels(q, nil, said, f, false)
			if err != nil {
				t.Fatal(err)
			}
			if n := QueueIn(content); n != q.Name {
				t.Errorf("%s as %s: the file says it is of %q", name, f, n)
			}
			got, err := Import(content, ImportOptions{Format: f, Queue: q, Made: time.Now()})
			if err != nil {
				t.Fatalf("%s as %s: %v", name, f, err)
			}
			if fresh := New(said, got.Ratings); len(got.Ratings) != len(said) || len(fresh) != 0 || got.Unknown != 0 {
				t.Errorf("%s as %s: %d of %d came back, %d unknown, %d other than they were: %+v", name, f, len(got.Ratings), len(said), got.Unknown, len(fresh), fresh)
			}
			for _, r := range got.Ratings {
				i := slices.IndexFunc(said, func(s rung.Rating) bool { return s.Item == r.Item && s.Rater == r.Rater && s.Role == r.Role })
				if i < 0 || !said[i].At.Equal(r.At) || said[i].Seconds != r.Seconds || said[i].Check != r.Check || said[i].Example != r.Example {
					t.Errorf("%s as %s: %+v", name, f, r)
				}
			}
			if gold := strings.Count(string(content), `"gold"`); gold == 0 {
				t.Errorf("%s as %s: no known label is in the file", name, f)
			}
		}
	}
}

// TestBlindTasksTellNothing: tasks for labelling elsewhere hold neither what was said nor which rows are checks, and what is said there comes
// back, also when Label Studio has changed numbers and dropped what is only ours.
func TestBlindTasksTellNothing(t *testing.T) {
	c := spokenForms["labels"]
	q, said := spoken(t, c.out, c.words)
	content, err := ExportLabels(q, nil, said, LabelStudio, true)
	if err != nil {
		t.Fatal(err)
	}
	for _, hidden := range []string{"gold", "ada", "spam", "random", "check", "repeat"} {
		if strings.Contains(strings.ReplaceAll(string(content), `"text": "gold `, ""), hidden) {
			t.Errorf("a blind file says %q", hidden)
		}
	}
	var tasks []map[string]any
	if err := json.Unmarshal(content, &tasks); err != nil {
		t.Fatal(err)
	}
	for i, task := range tasks {
		task["id"] = 1000 + i
		task["annotations"] = []map[string]any{{"id": 5, "completed_by": 7, "created_at": "2026-05-04T10:00:00.000000Z", "lead_time": 2.5,
			"result": []map[string]any{{"from_name": "label", "to_name": "input", "type": "choices", "value": map[string]any{"choices": []string{"ham"}}}}}}
	}
	back, err := json.Marshal(tasks)
	if err != nil {
		t.Fatal(err)
	}
	got, err := Import(back, ImportOptions{Format: LabelStudio, Queue: q})
	if err != nil || len(got.Ratings) != len(tasks) || got.Ratings[0].Rater != "user-7" || string(got.Ratings[0].Label) != `"ham"` {
		t.Errorf("%v, %+v", err, got)
	}
}

// TestLabelsFromOutsideAreHeldToTheForm: another label, a mode that the queue does not have, a name that is none, another queue's rows.
func TestLabelsFromOutsideAreHeldToTheForm(t *testing.T) {
	c := spokenForms["labels"]
	q, _ := spoken(t, c.out, c.words)
	item := q.Items[0].ID
	for line, want := range map[string]string{
		`{"item":"` + item + `","rater":"eve","role":"rater","label":"eggs"}`:                               "eggs",
		`{"item":"` + item + `","rater":"eve","role":"rater","label":"ham","failure_modes":["wrong"]}`:      `no failure mode "wrong"`,
		`{"item":"` + item + `","rater":"../eve","role":"rater","label":"ham"}`:                             "name",
		`{"item":"` + item + `","rater":"eve","role":"owner","label":"ham"}`:                                "no role",
		`{"item":"` + item + `","rater":"eve","role":"rater"}`:                                              "no label",
		`{"item":"` + item + `","rater":"eve","role":"rater","label":"` + strings.Repeat("x", 1<<16) + `"}`: "longer",
		`[1`: "JSON",
		`7`:  "no label",
	} {
		if _, err := Import([]byte(line), ImportOptions{File: "f", Format: LabelsFormat, Queue: q}); rung.CodeOf(err) == "" || !strings.Contains(err.Error(), want) {
			t.Errorf("%.80s: %v, want %q", line, err, want)
		}
	}
	got, err := Import([]byte(`{"item":"nowhere","rater":"eve","role":"rater","label":"ham"}`), ImportOptions{Format: LabelsFormat, Queue: q})
	if err != nil || got.Unknown != 1 || len(got.Ratings) != 0 {
		t.Errorf("another queue's row: %v, %+v", err, got)
	}
	if _, err := Import([]byte(`[]`), ImportOptions{Format: Argilla, Queue: q}); rung.CodeOf(err) != rung.CodeUsage {
		t.Errorf("labels of Argilla: %v", err)
	}
}

// TestTheLabellingInterface names every label, and what labels are put to; it is XML whatever the labels say.
func TestTheLabellingInterface(t *testing.T) {
	for name, c := range spokenForms {
		q, _ := spoken(t, c.out, c.words)
		config := LabelConfig(q)
		var any struct{}
		if err := xml.Unmarshal([]byte(config), &any); err != nil {
			t.Errorf("%s: %v\n%s", name, err, config)
		}
		for _, want := range []string{`toName="input"`, `name="input"`, `value="$text"`, `value="$answer"`, `name="label"`, `name="failure_modes"`} {
			if !strings.Contains(config, want) {
				t.Errorf("%s: no %s in\n%s", name, want, config)
			}
		}
		if c.out.Kind == rung.Labels && !strings.Contains(config, `value="spam &amp; &lt;eggs&gt;"`) {
			t.Errorf("%s: a label is missing in\n%s", name, config)
		}
	}
}

// FuzzLabelImport: no file of labels breaks the reader, and what it takes is in the form of the queue.
func FuzzLabelImport(f *testing.F) {
	q := &rung.RatingQueue{Name: "labels", Task: "t", Kind: rung.Labelled, Labels: &rung.LabelSpec{Output: rung.Output{Kind: rung.Labels, Labels: []string{"ham", "spam"}}},
		Items: []rung.RatingItem{{ID: "i1", Example: "e1", Input: json.RawMessage(`{"text":"a"}`)}}}
	f.Add([]byte(`{"item":"i1","rater":"ada","role":"rater","label":"ham"}`))
	f.Add([]byte(`[{"id":1,"data":{"text":"a"},"meta":{"rung":{"queue":"labels","item":"i1"}},"annotations":[{"completed_by":{"email":"ada"},"result":[{"from_name":"label","type":"choices","value":{"choices":["spam"]}}]}]}]`))
	f.Fuzz(func(t *testing.T, content []byte) {
		for _, format := range []Format{LabelStudio, LabelsFormat} {
			got, err := Import(content, ImportOptions{Format: format, Queue: q})
			if err != nil {
				continue
			}
			for _, r := range got.Ratings {
				if !r.Skipped && string(r.Label) != `"ham"` && string(r.Label) != `"spam"` {
					t.Errorf("%s is taken", r.Label)
				}
			}
		}
	})
}
