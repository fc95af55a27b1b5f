package generate_test

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	"github.com/rung-dev/rung"
	"github.com/rung-dev/rung/internal/form"
	"github.com/rung-dev/rung/internal/generate"
	"github.com/rung-dev/rung/internal/judge"
	"github.com/rung-dev/rung/internal/model"
	"github.com/rung-dev/rung/internal/model/doortest"
	"github.com/rung-dev/rung/internal/model/modeltest"
)

var (
	fields = []rung.Field{{Name: "text", Type: "string"}}
	labels = rung.Output{Kind: rung.Labels, Labels: []string{"ham", "spam"}}
)

func formOf(t *testing.T, out rung.Output) *form.Form {
	t.Helper()
	f, err := form.New(out)
	if err != nil {
		t.Fatal(err)
	}
	return f
}

func row(id, text, output string) rung.DatasetRow {
	return rung.DatasetRow{ID: id, Input: json.RawMessage(fmt.Sprintf(`{"text":%q}`, text)), Output: json.RawMessage(fmt.Sprintf("%q", output))}
}

func writer(t *testing.T, script modeltest.Script) *generate.Writer {
	t.Helper()
	return &generate.Writer{Door: doortest.Open(t, script), Model: "openai/strong", Can: model.Can{Schema: true, Concurrency: 4}, Instructions: "Is it spam?", Fields: fields, Output: labels,
		Form: formOf(t, labels), PerCall: 2, Temperature: 1, MaxTokens: 300}
}

// TestWrite: requests show the failure and real rows, ask for the form, and what comes back is marked with where it is from; what is no
// row says why.
func TestWrite(t *testing.T) {
	replies := map[string]string{
		"refused": `{"rows": [{"input": {"text": "Win a phone, text WIN to 80086"}, "output": "spam"}, {"input": {"text": "see you at six"}, "output": "eggs"}]}`,
		"format":  "Sure!\n{\"input\": {\"text\": \"Could you bring bread?\"}, \"output\": \"ham\"}\n{\"input\": {\"text\": \"\"}, \"output\": \"ham\"}",
		"":        "I cannot help with that.",
	}
	w := writer(t, func(c modeltest.Call) modeltest.Reply {
		if len(c.Schema) == 0 || !strings.Contains(c.Messages[0].Content, "Is it spam?") || !strings.Contains(c.Messages[0].Content, `["ham","spam"]`) {
			t.Errorf("schema %s, system %q", c.Schema, c.Messages[0].Content)
		}
		for mode, reply := range replies {
			if mode != "" && strings.Contains(c.Last(), "fails in this way: "+mode) {
				if !strings.Contains(c.Last(), "<wrong>\nI am an AI\n</wrong>") || !strings.Contains(c.Last(), "call now") {
					t.Errorf("the failure is not shown: %s", c.Last())
				}
				return modeltest.Reply{Text: reply}
			}
		}
		return modeltest.Reply{Text: replies[""]}
	})
	seeds := []generate.Seed{
		{Mode: "refused", Means: "It declines.", Wrong: "I am an AI", Rows: []rung.DatasetRow{row("e1", "call now", "spam"), row("e2", "hi", "ham")}},
		{Mode: "format", Means: "No label.", Wrong: "I am an AI", Rows: []rung.DatasetRow{row("e3", "call now!", "spam")}},
		{Rows: []rung.DatasetRow{row("e4", "well", "ham")}},
	}
	drafts, err := w.Write(context.Background(), seeds, 6, 7)
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, d := range drafts {
		got = append(got, fmt.Sprintf("%s|%s|%v", d.Row.Input, d.Row.Output, d.Fault != ""))
	}
	want := []string{
		`{"text":"Win a phone, text WIN to 80086"}|"spam"|false`, `{"text": "see you at six"}|"eggs"|true`,
		`{"text":"Could you bring bread?"}|"ham"|false`, `{"text": ""}|"ham"|true`, "||true",
	}
	if strings.Join(got, "\n") != strings.Join(want, "\n") {
		t.Errorf("the drafts are\n%q\n%q", got, want)
	}
	first := drafts[0].Row
	if g := first.Generated; g == nil || g.By != "openai/strong" || g.Prompt == "" || strings.Join(g.From, " ") != "e1 e2" || g.Review != "" || first.Modes[0] != "refused" || !strings.HasPrefix(first.ID, "gen-") {
		t.Errorf("%+v %+v", first, first.Generated)
	}
	if ok, why := generate.Allowed(&first); ok || why == "" {
		t.Error("a row that nobody has reviewed is allowed")
	}
	again, err := w.Write(context.Background(), seeds, 6, 7)
	if err != nil || len(again) != len(drafts) || again[0].Row.ID != first.ID {
		t.Errorf("%v, %+v", err, again)
	}
}

// TestWriteStops: a door that refuses ends the work; a model that fails now and then does not.
func TestWriteStops(t *testing.T) {
	w := writer(t, func(modeltest.Call) modeltest.Reply { return modeltest.Reply{Fault: modeltest.BadKey} })
	if _, err := w.Write(context.Background(), []generate.Seed{{}}, 4, 1); err == nil {
		t.Error("a refused key is passed over")
	}
}

const templateFile = `templates:
  - input: {text: "I want to {verb} my {thing}"}
    output: ham
  - input: {text: "{quote}"}
    output: spam
    mode: refused
slots:
  verb: {values: [cancel, stop]}
  thing: {values: [card, order, plan]}
  quote: {field: text}
`

// TestTemplates: slots are filled from lists and real rows, the same by the same seed; faults come at once.
func TestTemplates(t *testing.T) {
	tm, err := generate.ReadTemplates("t.yaml", []byte(templateFile), fields)
	if err != nil {
		t.Fatal(err)
	}
	real := []rung.DatasetRow{row("r1", "Claim <now> & win", "spam")}
	drafts, err := tm.Fill(40, real, fields, formOf(t, labels), 1)
	if err != nil {
		t.Fatal(err)
	}
	texts := map[string]bool{}
	for i, d := range drafts {
		if d.Fault != "" || d.Row.Generated.By != "template" || strings.ContainsAny(string(d.Row.Input[1:len(d.Row.Input)-1]), "{}") {
			t.Fatalf("%+v", d)
		}
		if i%2 == 1 && (string(d.Row.Input) != `{"text":"Claim <now> & win"}` || d.Row.Generated.From[0] != "r1" || d.Row.Modes[0] != "refused") {
			t.Errorf("%+v", d.Row)
		}
		texts[string(d.Row.Input)] = true
	}
	if len(texts) != 7 {
		t.Errorf("%d different inputs of 6 and 1: %v", len(texts), texts)
	}
	again, _ := tm.Fill(40, real, fields, formOf(t, labels), 1)
	for i := range drafts {
		if string(again[i].Row.Input) != string(drafts[i].Row.Input) {
			t.Fatal("the same seed fills otherwise")
		}
	}
	_, err = generate.ReadTemplates("t.yaml", []byte("templates:\n  - input: {txt: \"{a} {b}\"}\nslots:\n  a: {}\n  c: {field: body}\n"), fields)
	for _, want := range []string{"no input field text", "no output", "{b}", "slot a has neither", "field body"} {
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("no word of %q in %v", want, err)
		}
	}
	if _, err := tm.Fill(2, nil, fields, formOf(t, labels), 1); err == nil {
		t.Error("a slot is filled from no row")
	}
}

func made(text, output string) generate.Draft {
	d := generate.Draft{Row: row("gen-"+text[:min(8, len(text))], text, output)}
	d.Row.Generated = &rung.Generated{By: "m"}
	return d
}

// TestFilter: every draft stays or goes for the reason that holds, and the reasons name what it copies.
func TestFilter(t *testing.T) {
	j, err := judge.New(judge.Config{Metric: "generated", Spec: rung.JudgeSpec{Model: "openai/judge", Criteria: []rung.Criterion{{Name: "right", Question: "Is it right?"}}}, Instructions: "Is it spam?", Fields: fields,
		Can: model.Can{Schema: true}, Door: doortest.Open(t, func(c modeltest.Call) modeltest.Reply {
			asked := fmt.Sprint(c.Messages)
			switch {
			case strings.Contains(asked, "umbrella"):
				return modeltest.Reply{Text: `{"reason": "no", "score": 2}`}
			case strings.Contains(asked, "violin"):
				return modeltest.Reply{Text: "hm"}
			}
			return modeltest.Reply{Text: `{"reason": "yes", "score": 5}`}
		})})
	if err != nil {
		t.Fatal(err)
	}
	f := &generate.Filter{Real: []rung.DatasetRow{row("real-1", "Could you pick up the children from school at four today?", "ham")}, Judge: j, Least: .75, Workers: 2,
		Heldout: []rung.Example{{ID: "held-1", Input: json.RawMessage(`{"text":"Your parcel could not be delivered because 3 fees of 12 pounds are outstanding, pay within 48 hours"}`)}}}
	drafts := []generate.Draft{
		made("The train to Leeds leaves from platform nine now", "ham"),
		made("could you pick up the children from school at four, today", "ham"),
		made("Your parcel couldn't be delivered: 3 fees of 12 pounds are outstanding. Pay within 48 hours!", "spam"),
		made("The train to Leeds leaves from platform nine now!!", "ham"),
		made("Somebody left an umbrella behind in the office kitchen", "spam"),
		made("The violin lesson moved to Thursday afternoon this week", "ham"),
		{Fault: "nothing", Raw: "no"},
		{Fault: "no label", Row: rung.DatasetRow{Input: json.RawMessage(`{"text":"x"}`)}},
		made("Cheap loans for everybody, answer YES within the hour", "spam"),
	}
	for i := range drafts {
		drafts[i].Number = i + 1
	}
	b, err := f.Run(context.Background(), drafts)
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, r := range b.Removed {
		got = append(got, r.Reason+" "+r.Of)
		if r.Reason == generate.Judged && r.Line != 5 {
			t.Errorf("the request of a judged row is %d", r.Line)
		}
		if r.Step != "generated" || len(r.Row) == 0 || !json.Valid(r.Row) {
			t.Errorf("%+v", r)
		}
	}
	want := "copies_real real-1, held-out held-1, copies_self gen-The trai, unreadable , form , judge , no_verdict "
	if strings.Join(got, ", ") != want || len(b.Rows) != 2 || b.Report.Kept != 2 || b.Report.Made != 9 {
		t.Errorf("kept %d, removed %q, want %q", len(b.Rows), strings.Join(got, ", "), want)
	}
	d := b.Report.Diversity
	if d == nil || d.N != 2 || d.Nearest == nil || d.NearestReal == nil || d.SelfCopies != 1 || d.Distinct[0] < .8 || d.Distinct[0] > 1 {
		t.Errorf("%+v", d)
	}
	total := 0
	for _, r := range b.Report.Reasons {
		total += r.Rows
	}
	if total != 7 {
		t.Errorf("the reasons count %d rows: %+v", total, b.Report.Reasons)
	}
}

// TestDiversityTells: rows that say the same again are told from ones that do not.
func TestDiversityTells(t *testing.T) {
	var same, other []generate.Draft
	topics := strings.Fields("train parcel violin umbrella loan school dentist garden passport engine bakery museum")
	for i, a := range topics {
		same = append(same, made(fmt.Sprintf("Please cancel my %s subscription at once, thank you very much", a), "ham"))
		other = append(other, made(fmt.Sprintf("%s %s %s %s", a, topics[(i*5+1)%12], topics[(i*7+2)%12], topics[(i*11+3)%12]), "ham"))
	}
	of := func(drafts []generate.Draft) *generate.Diversity {
		b, err := (&generate.Filter{Copy: .99}).Run(context.Background(), drafts)
		if err != nil {
			t.Fatal(err)
		}
		return b.Report.Diversity
	}
	if s, o := of(same), of(other); s.Nearest.Low <= o.Nearest.High || s.Distinct[1] >= o.Distinct[1] {
		t.Errorf("rows that say the same: %+v %+v; others: %+v %+v", s, s.Nearest, o, o.Nearest)
	}
}

func formOfF(f *testing.F) *form.Form {
	f.Helper()
	out, err := form.New(labels)
	if err != nil {
		f.Fatal(err)
	}
	return out
}
