package rating

import (
	"bytes"
	"encoding/json"
	"encoding/xml"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/rung-dev/rung"
	"github.com/rung-dev/rung/internal/form"
)

// Labels go to other tools in two forms. In Label Studio's, a task is an item of the queue, each labeller's label an annotation of its own,
// the adjudicator's and the known label of a gold item annotations with ground_truth. The format labels has one label a line, with the
// known one beside it where there is one. Both come back as what the labellers said: the known labels are the queue's own.

// LabelsFormat is one label a line, as JSON: for counting in a notebook, and to read back.
const LabelsFormat Format = "labels"

// Formats of a queue of labels.
var (
	WriteLabelFormats = []Format{RungFormat, LabelStudio, LabelsFormat}
	ReadLabelFormats  = []Format{RungFormat, LabelStudio, LabelsFormat}
)

// Names in the files.
const (
	askLabel  = "label"
	askModes  = "failure_modes"
	goldRater = "gold"
	rungMeta  = "rung"
)

// labelMeta is what a task says of itself beside what labellers see.
type labelMeta struct {
	Queue  string           `json:"queue"`
	Item   string           `json:"item"`
	ID     string           `json:"id"` // of the row, as formats that read rows know it
	Chosen string           `json:"chosen,omitempty"`
	Check  rung.RatingCheck `json:"check,omitempty"`
	JSON   bool             `json:"output_is_json,omitempty"`
}

// SaidLabel is a line of the format labels.
type SaidLabel struct {
	Queue   string           `json:"queue"`
	Item    string           `json:"item"`
	ID      string           `json:"id"`
	Input   json.RawMessage  `json:"input"`
	Answer  string           `json:"answer,omitempty"` // that was shown, where one was to be corrected
	Rater   string           `json:"rater"`
	Role    rung.RatingRole  `json:"role"`
	Label   json.RawMessage  `json:"label,omitempty"`
	Modes   []string         `json:"failure_modes,omitempty"`
	Skipped bool             `json:"skipped,omitempty"`
	Comment string           `json:"comment,omitempty"`
	Seconds float64          `json:"seconds"`
	At      time.Time        `json:"at"`
	Check   rung.RatingCheck `json:"check,omitempty"`
	Of      string           `json:"of,omitempty"`    // the item that a repeat repeats
	Gold    json.RawMessage  `json:"gold,omitempty"`  // the known label
	Right   *bool            `json:"right,omitempty"` // whether it is that one
}

// ExportLabels writes a queue of labels with every label of every labeller, and the known ones; blind leaves all of that out, and which rows
// are checks: so people can label in the other tool.
func ExportLabels(q *rung.RatingQueue, seats map[string]int, ratings []rung.Rating, f Format, blind bool) ([]byte, error) {
	ratings = slices.DeleteFunc(slices.Clone(ratings), func(r rung.Rating) bool { return r.Withdrawn })
	switch {
	case f == RungFormat && !blind:
		return Export(q, seats, ratings, f)
	case f == LabelStudio:
		tasks, err := labelTasks(q, ratings, blind)
		if err != nil {
			return nil, err
		}
		return indented(tasks)
	case f == LabelsFormat && !blind:
		return labelLines(q, ratings)
	case blind:
		return nil, &rung.Error{Code: rung.CodeUsage, Place: q.Name, What: fmt.Sprintf("the format %s cannot be blind: it is what people have said", f), Do: "write label-studio"}
	}
	return nil, &rung.Error{Code: rung.CodeUsage, Place: q.Name, What: fmt.Sprintf("labels cannot be written as %q", f), Do: "choose one of rows, " + list(WriteLabelFormats)}
}

// byItem are ratings under their items.
func byItem(ratings []rung.Rating) map[string][]rung.Rating {
	out := map[string][]rung.Rating{}
	for _, r := range ratings {
		out[r.Item] = append(out[r.Item], r)
	}
	return out
}

func labelTasks(q *rung.RatingQueue, ratings []rung.Rating, blind bool) ([]lsTask, error) {
	by, out, n := byItem(ratings), []lsTask{}, 0
	for i, item := range asked(q) {
		t := lsTask{ID: i + 1, Data: map[string]any{}, Annotations: []lsAnnotation{}, Predictions: []json.RawMessage{}}
		if json.Unmarshal(item.Input, &t.Data) != nil {
			t.Data[fieldInput] = TextOf(item.Input)
		}
		if len(item.Options) == 1 {
			t.Data[shownName(t.Data)] = item.Options[0].Text
		}
		meta := labelMeta{Queue: q.Name, Item: item.ID, ID: item.Example, JSON: !plainLabels(q)}
		if !blind {
			meta.Chosen, meta.Check = item.Chosen, item.Check
			t.Annotations = labelAnnotations(q, item, by[item.ID], &n)
		}
		t.Meta = map[string]any{rungMeta: meta}
		out = append(out, t)
	}
	return out, nil
}

// shownName is under which name a shown answer stands beside the fields of the input.
func shownName(fields map[string]any) string {
	name := fieldAnswer
	for fields[name] != nil {
		name = "shown_" + name
	}
	return name
}

// plainLabels reports whether labels are texts, and no JSON.
func plainLabels(q *rung.RatingQueue) bool {
	return q.Labels.Output.Kind == rung.Labels || q.Labels.Output.Kind == rung.Text
}

func labelAnnotations(q *rung.RatingQueue, item *rung.RatingItem, said []rung.Rating, n *int) []lsAnnotation {
	out := []lsAnnotation{}
	add := func(a lsAnnotation) {
		*n++
		a.ID = *n
		out = append(out, a)
	}
	for i := range said {
		r := &said[i]
		add(lsAnnotation{CompletedBy: map[string]string{"email": r.Rater}, Result: labelResults(q, item.ID, r.Label, r.Modes, r.Comment), WasCancelled: r.Skipped,
			GroundTruth: r.Role == rung.AsAdjudicator, CreatedAt: r.At.UTC().Format(time.RFC3339Nano), LeadTime: r.Seconds})
	}
	if item.Gold != nil && len(item.Gold.Label) > 0 {
		add(lsAnnotation{CompletedBy: map[string]string{"email": goldRater}, Result: labelResults(q, item.ID, item.Gold.Label, nil, ""), GroundTruth: true, Rung: &lsOwn{Gold: true}})
	}
	return out
}

func labelResults(q *rung.RatingQueue, item string, label json.RawMessage, modes []string, comment string) []lsResult {
	out := []lsResult{}
	add := func(from, kind string, v lsValue) {
		out = append(out, lsResult{ID: item + "-" + from, FromName: from, ToName: fieldInput, Type: kind, Value: v, Origin: "manual"})
	}
	texts := func(s string) lsValue {
		b, _ := json.Marshal([]string{s}) // a list of strings has a JSON form
		return lsValue{Text: b}
	}
	switch {
	case len(label) == 0:
	case q.Labels.Output.Kind == rung.Labels:
		add(askLabel, "choices", lsValue{Choices: []string{TextOf(label)}})
	default:
		add(askLabel, "textarea", texts(TextOf(label)))
	}
	if len(modes) > 0 {
		add(askModes, "choices", lsValue{Choices: modes})
	}
	if comment != "" {
		add(askComment, "textarea", texts(comment))
	}
	return out
}

func labelLines(q *rung.RatingQueue, ratings []rung.Rating) ([]byte, error) {
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	by := byItem(ratings)
	for _, item := range asked(q) {
		for _, r := range by[item.ID] {
			line := SaidLabel{Queue: q.Name, Item: item.ID, ID: item.Example, Input: item.Input, Rater: r.Rater, Role: r.Role, Label: r.Label, Modes: r.Modes, Skipped: r.Skipped,
				Comment: r.Comment, Seconds: r.Seconds, At: r.At.UTC(), Check: item.Check, Of: item.Of}
			if len(item.Options) == 1 {
				line.Answer = item.Options[0].Text
			}
			if item.Gold != nil && len(item.Gold.Label) > 0 {
				line.Gold = item.Gold.Label
				if !r.Skipped {
					right := TextOf(r.Label) == TextOf(item.Gold.Label)
					line.Right = &right
				}
			}
			if err := enc.Encode(&line); err != nil {
				return nil, fmt.Errorf("a label of %s: %w", item.ID, err)
			}
		}
	}
	return b.Bytes(), nil
}

// importLabels reads labels that were given in another tool, for a queue that is here: only it says what a label looks like.
func (o *ImportOptions) importLabels(content []byte) (*Imported, error) {
	if !slices.Contains(ReadLabelFormats, o.Format) {
		return nil, &rung.Error{Code: rung.CodeUsage, Place: o.File, What: fmt.Sprintf("labels cannot be read from %q", o.Format), Do: "choose one of " + list(ReadLabelFormats)}
	}
	rows, err := rowsOf(content)
	if err != nil {
		return nil, o.fault(err.Error(), err)
	}
	_, form, err := labelForm(o.Queue)
	if err != nil {
		return nil, err
	}
	read := map[Format]func(json.RawMessage) ([]SaidLabel, error){LabelStudio: taskLabels, LabelsFormat: lineLabel}[o.Format]
	items, out := Items(o.Queue), &Imported{}
	for i, raw := range rows {
		said, err := read(raw)
		if err != nil {
			return nil, o.fault(fmt.Sprintf("record %d: %v", i+1, err), err)
		}
		for _, s := range said {
			item := items[s.Item]
			if item == nil {
				out.Unknown++
				continue
			}
			r, err := o.labelOf(form, item, &s)
			if err != nil {
				return nil, err
			}
			if r != nil {
				out.Ratings = append(out.Ratings, *r)
			}
		}
	}
	slices.SortStableFunc(out.Ratings, func(a, b rung.Rating) int { return a.At.Compare(b.At) })
	return out, nil
}

// labelOf is a label from outside as a rating; nil for the known label of a gold item.
func (o *ImportOptions) labelOf(f *form.Form, item *rung.RatingItem, s *SaidLabel) (*rung.Rating, error) {
	if s.Rater == goldRater && s.Role == rung.AsAdjudicator && item.Check == rung.GoldCheck {
		return nil, nil
	}
	r := &rung.Rating{Queue: o.Queue.Name, Task: o.Queue.Task, Item: item.ID, Example: item.Example, Rater: s.Rater, Role: s.Role, Candidates: optionsOf(item), Skipped: s.Skipped,
		Check: item.Check, Comment: s.Comment, Seconds: max(0, min(s.Seconds, longestSeconds)), At: s.At.UTC()}
	if r.At.IsZero() {
		r.At = o.Made.UTC()
	}
	if err := check(o.Queue, r); err != nil {
		return nil, o.fault(err.Error(), err)
	}
	for _, k := range o.Queue.Labels.Modes { // in the queue's order, as a session keeps them
		if slices.Contains(s.Modes, k.Name) {
			r.Modes = append(r.Modes, k.Name)
		}
	}
	for _, m := range s.Modes {
		if !slices.ContainsFunc(o.Queue.Labels.Modes, func(k rung.FailureMode) bool { return k.Name == m }) {
			return nil, o.fault(fmt.Sprintf("the label of %s by %s: the queue has no failure mode %q", item.ID, s.Rater, m), nil)
		}
	}
	if s.Skipped {
		return r, nil
	}
	text := TextOf(s.Label)
	if len(text) > longestLabel {
		return nil, o.fault(fmt.Sprintf("the label of %s by %s is longer than %d bytes", item.ID, s.Rater, longestLabel), nil)
	}
	var err error
	r.Label, err = LabelOf(f, text, item.Input, func(what string) (json.RawMessage, error) {
		return nil, o.fault(fmt.Sprintf("the label of %s by %s: %s", item.ID, s.Rater, what), nil)
	})
	return r, err
}

func lineLabel(raw json.RawMessage) ([]SaidLabel, error) {
	var s SaidLabel
	if err := json.Unmarshal(raw, &s); err != nil {
		return nil, fmt.Errorf("is no label: %w", err)
	}
	return []SaidLabel{s}, nil
}

// taskLabels are the annotations of a task that are labels.
func taskLabels(raw json.RawMessage) ([]SaidLabel, error) {
	var t lsTask
	if err := json.Unmarshal(raw, &t); err != nil {
		return nil, fmt.Errorf("is not of Label Studio's form: %w", err)
	}
	item := metaOf(t.Meta).Item
	var out []SaidLabel
	for i := range t.Annotations {
		a := &t.Annotations[i]
		if a.Rung != nil && a.Rung.Gold {
			continue
		}
		s := SaidLabel{Item: item, Rater: lsRater(a.CompletedBy), Role: rung.AsRater, Skipped: a.WasCancelled, Seconds: a.LeadTime}
		if a.GroundTruth {
			s.Role = rung.AsAdjudicator
		}
		if at, err := time.Parse(time.RFC3339Nano, a.CreatedAt); err == nil {
			s.At = at
		}
		for _, r := range a.Result {
			switch r.FromName {
			case askLabel:
				text := lsText(r.Value.Text)
				if len(r.Value.Choices) > 0 {
					text = r.Value.Choices[0]
				}
				s.Label, _ = json.Marshal(text) // a string has a JSON form
			case askModes:
				s.Modes = r.Value.Choices
			case askComment:
				s.Comment = lsText(r.Value.Text)
			}
		}
		out = append(out, s)
	}
	return out, nil
}

// metaOf reads what a task says of itself.
func metaOf(meta map[string]any) (out labelMeta) {
	b, err := json.Marshal(meta[rungMeta])
	if err == nil {
		_ = json.Unmarshal(b, &out) // a task of elsewhere is of no item
	}
	return out
}

// labelsConfig is the labelling interface for Label Studio that goes with a queue of labels.
func labelsConfig(q *rung.RatingQueue) string {
	var b strings.Builder
	text := func(s string) string {
		var e strings.Builder
		_ = xml.EscapeText(&e, []byte(s)) // a builder takes everything
		return e.String()
	}
	fmt.Fprintf(&b, "<View>\n  <Header value=\"%s\"/>\n", text(q.Question))
	fields, shown := map[string]any{}, false
	for _, item := range asked(q) {
		if json.Unmarshal(item.Input, &fields) != nil {
			fields[fieldInput] = ""
		}
		shown = shown || len(item.Options) == 1
	}
	answer := shownName(fields)
	names := slices.Sorted(maps.Keys(fields))
	if shown {
		names = append(names, answer)
	}
	for i, name := range names {
		as := name
		if i == 0 {
			as = fieldInput // what labels are put to
		}
		fmt.Fprintf(&b, "  <Header value=\"%s\" size=\"5\"/>\n  <Text name=\"%s\" value=\"$%s\"/>\n", text(name), text(as), text(name))
	}
	if l := q.Labels; l.Output.Kind == rung.Labels {
		fmt.Fprintf(&b, "  <Choices name=\"%s\" toName=\"%s\" choice=\"single\">\n", askLabel, fieldInput)
		for _, name := range l.Output.Labels {
			fmt.Fprintf(&b, "    <Choice value=\"%s\"/>\n", text(name))
		}
		b.WriteString("  </Choices>\n")
	} else {
		fmt.Fprintf(&b, "  <TextArea name=\"%s\" toName=\"%s\" maxSubmissions=\"1\"/>\n", askLabel, fieldInput)
	}
	if shown && len(q.Labels.Modes) > 0 {
		fmt.Fprintf(&b, "  <Choices name=\"%s\" toName=\"%s\" choice=\"multiple\">\n", askModes, fieldInput)
		for _, m := range q.Labels.Modes {
			fmt.Fprintf(&b, "    <Choice value=\"%s\" hint=\"%s\"/>\n", text(m.Name), text(m.Means))
		}
		b.WriteString("  </Choices>\n")
	}
	fmt.Fprintf(&b, "  <TextArea name=\"%s\" toName=\"%s\"/>\n</View>\n", askComment, fieldInput)
	return b.String()
}
