package rating

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	"github.com/rung-dev/rung"
	"github.com/rung-dev/rung/internal/store"
)

// labelQueue asks for labels of n rows, of which gold has a known one.
func labelQueue(t *testing.T, out rung.Output, n int, o Options, gold json.RawMessage) *rung.RatingQueue {
	t.Helper()
	q := &rung.RatingQueue{Name: "labels", Task: "t", Kind: rung.Labelled, Question: "what?", Seed: 3,
		Labels: &rung.LabelSpec{Output: out, Modes: []rung.FailureMode{{Name: "format", Means: "no JSON"}, {Name: "policy", Means: "forbidden"}}}}
	var asked []int
	for i := range n {
		input := json.RawMessage(fmt.Sprintf(`{"text":"row %d"}`, i))
		item := rung.RatingItem{ID: NextID(q), Example: fmt.Sprint("e", i), Input: input, Row: &rung.DatasetRow{ID: fmt.Sprint("e", i), Input: input}}
		if i%2 == 0 {
			item.Chosen = chosenAtRandom
		}
		q.Items = append(q.Items, item)
		asked = append(asked, i)
	}
	if gold != nil {
		o.Checks = .2
		for i := range 8 {
			o.Gold = append(o.Gold, rung.RatingItem{Example: fmt.Sprint("g", i), Input: json.RawMessage(fmt.Sprintf(`{"text":"gold %d"}`, i)), Gold: &rung.RatingGold{Label: gold}})
		}
	}
	if err := Assign(q, asked, o); err != nil {
		t.Fatal(err)
	}
	return q
}

// TestLabelsAreHeldToTheForm: what a screen sends is kept in the form's own bytes or refused with the reason, and nothing else.
func TestLabelsAreHeldToTheForm(t *testing.T) {
	schema := `{"type":"object","properties":{"city":{"type":"string"},"n":{"type":"integer"}},"required":["city"],"additionalProperties":false}`
	for _, c := range []struct {
		out         rung.Output
		said, kept  string
		refusedWith string
	}{
		{out: rung.Output{Kind: rung.Labels, Labels: []string{"ham", "spam"}}, said: " spam ", kept: `"spam"`},
		{out: rung.Output{Kind: rung.Labels, Labels: []string{"ham", "spam"}}, said: "eggs", refusedWith: "eggs"},
		{out: rung.Output{Kind: rung.Labels, Labels: []string{"ham", "spam"}}, said: "", refusedWith: "no label"},
		{out: rung.Output{Kind: rung.Text}, said: "R&D <b> \"so\"\nand so", kept: `"R\u0026D \u003cb\u003e \"so\"\nand so"`},
		{out: rung.Output{Kind: rung.Text}, said: strings.Repeat("x", longestLabel+1), refusedWith: "longer"},
		{out: rung.Output{Kind: rung.JSONSchema, Schema: json.RawMessage(schema)}, said: `{"n": 2, "city": "Łódź"}`, kept: `{"city":"Łódź","n":2}`},
		{out: rung.Output{Kind: rung.JSONSchema, Schema: json.RawMessage(schema)}, said: `{"n": 2}`, refusedWith: "city"},
		{out: rung.Output{Kind: rung.JSONSchema, Schema: json.RawMessage(schema)}, said: `{"n": 2`, refusedWith: "no JSON"},
	} {
		q := labelQueue(t, c.out, 2, Options{Raters: []string{"ada"}}, nil)
		st := openStore(t, q)
		s, err := Join(context.Background(), st, q, "ada")
		if err != nil {
			t.Fatal(err)
		}
		item := s.asks[0].Item
		_, err = s.Rate(context.Background(), Said{Item: item, Text: c.said, Modes: []string{"policy"}})
		kept := all(t, st, store.RatingFilter{})
		switch {
		case c.refusedWith != "":
			if err == nil || !strings.Contains(err.Error(), c.refusedWith) || len(kept) != 0 {
				t.Errorf("%.40q: %v, and %d are kept", c.said, err, len(kept))
			}
		case err != nil || len(kept) != 1 || string(kept[0].Label) != c.kept || len(kept[0].Modes) != 1:
			t.Errorf("%.40q: %v, kept %+v, want %s", c.said, err, kept, c.kept)
		}
		if _, err := s.Rate(context.Background(), Said{Item: item, Text: c.said, Modes: []string{"nonsense"}}); err == nil {
			t.Error("a mode that the queue does not have is kept")
		}
	}
}

// labelling has raters label everything: each says what answer gives.
func labelling(t *testing.T, st store.Ratings, q *rung.RatingQueue, raters []string, answer func(rater int, item *rung.RatingItem, i int) string) {
	t.Helper()
	for n, name := range raters {
		s, err := Join(context.Background(), st, q, name)
		if err != nil {
			t.Fatal(err)
		}
		for i, ask := range s.asks {
			if _, err := s.Rate(context.Background(), Said{Item: ask.Item, Text: answer(n, s.items[ask.Item], i), Seconds: 2}); err != nil {
				t.Fatal(err)
			}
		}
	}
}

// TestLabelResult: agreement, accuracy on known labels, disagreements, adjudication and shares are those of what was said.
func TestLabelResult(t *testing.T) {
	out := rung.Output{Kind: rung.Labels, Labels: []string{"ham", "spam"}}
	q := labelQueue(t, out, 40, Options{Raters: []string{"ada", "ben"}, Overlap: -1}, json.RawMessage(`"spam"`))
	st := openStore(t, q)
	truth := func(i *rung.RatingItem) string {
		if i.Check == rung.GoldCheck || len(i.Example)%2 == 0 {
			return "spam"
		}
		return "ham"
	}
	wrong := 0
	labelling(t, st, q, []string{"ada", "ben"}, func(r int, item *rung.RatingItem, i int) string {
		if r == 1 && item.Check == rung.NoCheck && (item.Example == "e3" || item.Example == "e14") {
			return map[string]string{"ham": "spam", "spam": "ham"}[truth(item)]
		}
		if r == 1 && item.Check == rung.GoldCheck {
			wrong++
			return "ham"
		}
		return truth(item)
	})
	res, err := Read(context.Background(), st, q, ResultOptions{Seed: 1, Resamples: 400})
	if err != nil {
		t.Fatal(err)
	}
	if len(res.Agreement) != 2 || res.Agreement[0].Measure != "Krippendorff's α, nominal" || res.Agreement[0].N != 40 || res.Agreement[0].Value < .7 || res.Agreement[0].Value > .95 {
		t.Errorf("agreement %+v", res.Agreement)
	}
	if d := res.Disagreements; d.Items != 2 || d.Open != 2 || res.Settled != 38 {
		t.Errorf("%+v, settled %d", d, res.Settled)
	}
	if res.Raters[0].Gold == nil || res.Raters[0].Gold.Value != 1 || res.Raters[1].Gold.Value != 0 || wrong == 0 || !res.Raters[1].Failing {
		t.Errorf("ada %+v, ben %+v", res.Raters[0].Gold, res.Raters[1])
	}
	if res.Raters[1].Others == nil || res.Raters[1].Others.Value != .95 {
		t.Errorf("ben goes with ada on %+v", res.Raters[1].Others)
	}
	if len(res.Labels) != 2 || res.Labels[0].Share == nil || res.Labels[0].Share.N > 20 || res.Labels[0].Items+res.Labels[1].Items != 38 {
		t.Errorf("labels %+v", res.Labels)
	}
	if _, err := json.Marshal(res); err != nil {
		t.Error(err)
	}
	lead, err := Adjudicate(context.Background(), st, q, "lead")
	if err != nil || len(lead.asks) != 2 {
		t.Fatalf("%v, %+v", err, lead)
	}
	for {
		state, err := lead.State(context.Background())
		if err != nil {
			t.Fatal(err)
		}
		if state.Question == nil {
			break
		}
		if h := state.Question.Heard; len(h) != 2 || h[0].Text == h[1].Text {
			t.Fatalf("the adjudicator hears %+v", h)
		}
		if _, err := lead.Rate(context.Background(), Said{Item: state.Question.Item, Text: "ham"}); err != nil {
			t.Fatal(err)
		}
	}
	if res, err = Read(context.Background(), st, q, ResultOptions{Seed: 1, Resamples: 400}); err != nil || res.Settled != 40 || res.Disagreements.Open != 0 {
		t.Errorf("%v, %+v", err, res)
	}
	content, err := Export(q, map[string]int{"ada": 0}, all(t, st, store.RatingFilter{}), RungFormat)
	if err != nil {
		t.Fatal(err)
	}
	got, err := Import(content, ImportOptions{Format: RungFormat})
	if err != nil || len(got.Ratings) != len(all(t, st, store.RatingFilter{})) {
		t.Errorf("%v, %d ratings are read back", err, len(got.Ratings))
	}
	bad := strings.Replace(string(content), `"label": "ham"`, `"label": "eggs"`, 1)
	if _, err := Import([]byte(bad), ImportOptions{Format: RungFormat}); err == nil || !strings.Contains(err.Error(), "eggs") {
		t.Errorf("a label from outside that is none is taken: %v", err)
	}
}

// TestAgreementByField: people who agree on a field and not on another are told so.
func TestAgreementByField(t *testing.T) {
	out := rung.Output{Kind: rung.JSONSchema, Schema: json.RawMessage(`{"type":"object","properties":{"a":{"type":"string"},"b":{"type":"string"}},"required":["a","b"]}`)}
	q := labelQueue(t, out, 24, Options{Raters: []string{"ada", "ben"}, Overlap: -1}, nil)
	st := openStore(t, q)
	labelling(t, st, q, []string{"ada", "ben"}, func(r int, item *rung.RatingItem, i int) string {
		return fmt.Sprintf(`{"b":"%d","a":"%d"}`, (len(item.Example)+i*(r+1))%3, len(item.Example)%2)
	})
	res, err := Read(context.Background(), st, q, ResultOptions{Seed: 1, Resamples: 300})
	if err != nil {
		t.Fatal(err)
	}
	by := map[string]float64{}
	for _, a := range res.Agreement {
		if strings.HasPrefix(a.Measure, "Krippendorff") {
			by[a.Criterion] = a.Value
		}
	}
	if len(by) != 3 || by["a"] != 1 || by["b"] > .5 {
		t.Errorf("agreement by field: %v", by)
	}
}
