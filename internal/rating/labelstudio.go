package rating

import (
	"encoding/json"
	"encoding/xml"
	"fmt"
	"strings"
	"time"

	"github.com/rung-dev/rung"
)

// Label Studio's JSON is a list of tasks. "data" is what annotators see; each annotation has a "result" with an entry per answered
// control: a Pairwise control has type "pairwise" and value {"selected": "left"}, a Rating type "rating" and value {"rating": 4}, Choices
// type "choices" and {"choices": [...]}, a TextArea type "textarea" and {"text": [...]}. A skipped task is an annotation with
// was_cancelled. Pairwise knows no tie, so a tie is a Choices control beside it (labelstud.io/guide/task_format, /tags/pairwise).

type lsTask struct {
	ID          int               `json:"id"`
	Data        map[string]any    `json:"data"`
	Annotations []lsAnnotation    `json:"annotations"`
	Predictions []json.RawMessage `json:"predictions"`
	Meta        map[string]any    `json:"meta,omitempty"`
}

type lsAnnotation struct {
	ID           int        `json:"id"`
	CompletedBy  any        `json:"completed_by"` // a user's number, or an object with the e-mail address
	Result       []lsResult `json:"result"`
	WasCancelled bool       `json:"was_cancelled"`
	GroundTruth  bool       `json:"ground_truth"`
	CreatedAt    string     `json:"created_at,omitempty"`
	LeadTime     float64    `json:"lead_time"`
	Rung         *lsOwn     `json:"rung,omitempty"` // what only we know; Label Studio leaves it aside
}

type lsOwn struct {
	Swapped bool `json:"swapped"`
	Gold    bool `json:"gold,omitempty"` // nobody's annotation: the known label of a gold item
}

type lsResult struct {
	ID       string  `json:"id"`
	FromName string  `json:"from_name"`
	ToName   any     `json:"to_name"` // a name, or several
	Type     string  `json:"type"`
	Value    lsValue `json:"value"`
	Origin   string  `json:"origin,omitempty"`
}

type lsValue struct {
	Selected string          `json:"selected,omitempty"`
	Rating   int             `json:"rating,omitempty"`
	Choices  []string        `json:"choices,omitempty"`
	Text     json.RawMessage `json:"text,omitempty"` // a string or a list of them
}

func toLabelStudio(q *rung.RatingQueue, recs []record) []lsTask {
	tasks, annotation := make([]lsTask, len(recs)), 0
	for i, rec := range recs {
		t := lsTask{ID: i + 1, Data: map[string]any{fieldItem: rec.item, fieldQueue: q.Name}, Annotations: []lsAnnotation{}, Predictions: []json.RawMessage{}}
		for name, text := range rec.fields {
			t.Data[name] = text
		}
		for _, s := range rec.said {
			annotation++
			a := lsAnnotation{ID: annotation, CompletedBy: map[string]string{"email": s.rater}, Result: lsResults(q, rec.item, &s), WasCancelled: s.Skipped,
				GroundTruth: s.role == rung.AsAdjudicator, CreatedAt: s.at.UTC().Format(time.RFC3339Nano), LeadTime: s.Seconds}
			if s.shown != nil {
				a.Rung = &lsOwn{Swapped: *s.shown}
			}
			t.Annotations = append(t.Annotations, a)
		}
		tasks[i] = t
	}
	return tasks
}

func lsResults(q *rung.RatingQueue, item string, s *recordSaid) []lsResult {
	out := []lsResult{}
	add := func(from, kind, to string, v lsValue) {
		out = append(out, lsResult{ID: fmt.Sprintf("%s-%s", item, from), FromName: from, ToName: to, Type: kind, Value: v, Origin: "manual"})
	}
	one := fieldAnswer
	if q.Kind == rung.Pairwise {
		one = fieldLeft
	}
	switch {
	case s.Choice == choiceTie:
		add(askTie, "choices", one, lsValue{Choices: []string{choiceTie}})
	case s.Choice != "":
		add(askPreference, "pairwise", one, lsValue{Selected: s.Choice})
	}
	for _, c := range q.Criteria {
		if v, ok := s.Values[c.Name]; ok {
			add(c.Name, "rating", one, lsValue{Rating: v})
		}
	}
	if s.Comment != "" {
		text, _ := json.Marshal([]string{s.Comment}) // a list of strings has a JSON form
		add(askComment, "textarea", one, lsValue{Text: text})
	}
	return out
}

// LabelConfig is the labelling interface for Label Studio that goes with an exported queue.
func LabelConfig(q *rung.RatingQueue) string {
	if q.Kind == rung.Labelled {
		return labelsConfig(q)
	}
	var b strings.Builder
	text := func(s string) string {
		var e strings.Builder
		_ = xml.EscapeText(&e, []byte(s)) // a builder takes everything
		return e.String()
	}
	fmt.Fprintf(&b, "<View>\n  <Header value=\"%s\"/>\n  <Text name=\"input\" value=\"$input\"/>\n", text(q.Question))
	if q.Kind == rung.Pairwise {
		b.WriteString("  <Pairwise name=\"preference\" toName=\"left,right\"/>\n  <View style=\"display: grid; grid-template-columns: 1fr 1fr; gap: 1em\">\n    <Text name=\"left\" value=\"$left\"/>\n    <Text name=\"right\" value=\"$right\"/>\n  </View>\n")
		if !q.NoTies {
			b.WriteString("  <Choices name=\"tie\" toName=\"left\" choice=\"single\"><Choice value=\"tie\"/></Choices>\n")
		}
		b.WriteString("  <TextArea name=\"comment\" toName=\"left\"/>\n</View>\n")
		return b.String()
	}
	b.WriteString("  <Text name=\"answer\" value=\"$answer\"/>\n")
	for _, c := range q.Criteria {
		fmt.Fprintf(&b, "  <Header value=\"%s\" size=\"5\"/>\n  <Rating name=\"%s\" toName=\"answer\" maxRating=\"5\"/>\n", text(c.Question), text(c.Name))
	}
	b.WriteString("  <TextArea name=\"comment\" toName=\"answer\"/>\n</View>\n")
	return b.String()
}

func fromLabelStudio(rows []json.RawMessage) ([]record, error) {
	out := make([]record, 0, len(rows))
	for i, raw := range rows {
		var t lsTask
		if err := json.Unmarshal(raw, &t); err != nil {
			return nil, fmt.Errorf("task %d is not of Label Studio's form: %w", i+1, err)
		}
		rec := record{fields: map[string]string{}}
		for name, v := range t.Data {
			text, isText := v.(string)
			if !isText {
				b, _ := json.Marshal(v) // it came from JSON
				text = string(b)
			}
			rec.fields[name] = text
		}
		rec.item = rec.fields[fieldItem]
		for _, a := range t.Annotations {
			s, err := a.said()
			if err != nil {
				return nil, fmt.Errorf("task %d: %w", i+1, err)
			}
			rec.said = append(rec.said, s)
		}
		out = append(out, rec)
	}
	return out, nil
}

func (a *lsAnnotation) said() (recordSaid, error) {
	s := recordSaid{rater: lsRater(a.CompletedBy), role: rung.AsRater, Said: Said{Skipped: a.WasCancelled, Seconds: max(0, min(a.LeadTime, longestSeconds))}}
	if a.GroundTruth {
		s.role = rung.AsAdjudicator
	}
	if a.Rung != nil {
		s.shown = &a.Rung.Swapped
	}
	if at, err := time.Parse(time.RFC3339Nano, a.CreatedAt); err == nil {
		s.at = at.UTC()
	}
	for _, r := range a.Result {
		switch r.Type {
		case "pairwise":
			s.Choice = r.Value.Selected
		case "choices":
			if len(r.Value.Choices) == 1 {
				s.Choice = choiceWord(r.Value.Choices[0])
			}
		case "rating":
			if s.Values == nil {
				s.Values = map[string]int{}
			}
			s.Values[r.FromName] = r.Value.Rating
		case "textarea":
			s.Comment = lsText(r.Value.Text)
		}
	}
	if !s.Skipped && s.Choice == "" && len(s.Values) == 0 {
		return s, fmt.Errorf("an annotation of %s has neither a preference nor a rating", s.rater)
	}
	return s, nil
}

// choiceWord reads the ways in which people name a side or a tie.
func choiceWord(s string) string {
	switch strings.ToLower(strings.TrimSpace(s)) {
	case "left", "a", "1", "left is better", "first":
		return choiceLeft
	case "right", "b", "2", "right is better", "second":
		return choiceRight
	case "tie", "equal", "same", "both", "neither", "0":
		return choiceTie
	}
	return s
}

func lsText(raw json.RawMessage) string {
	var many []string
	if json.Unmarshal(raw, &many) == nil {
		return strings.Join(many, "\n")
	}
	var one string
	_ = json.Unmarshal(raw, &one) // anything else is no comment
	return one
}

// lsRater names a user: by the address, else by the number.
func lsRater(v any) string {
	switch v := v.(type) {
	case map[string]any:
		for _, key := range []string{"email", "username", "id"} {
			if name := fmt.Sprint(v[key]); v[key] != nil && name != "" {
				return raterName(name)
			}
		}
	case float64:
		return fmt.Sprintf("user-%.0f", v)
	case string:
		return raterName(v)
	}
	return "unknown"
}

// raterName makes a name of another tool fit.
func raterName(s string) string {
	name := strings.Map(func(r rune) rune {
		if plain("x"+string(r), 9) {
			return r
		}
		return '_'
	}, s)
	name = strings.TrimLeft(name, "-.")
	if len(name) > 60 {
		name = name[:60]
	}
	if name == "" {
		return "unknown"
	}
	return name
}
