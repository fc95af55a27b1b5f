package rating

import (
	"bytes"
	"encoding/json"
	"fmt"
	"hash/fnv"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/rung-dev/rung"
)

// Format is a file that ratings are written to or read from.
type Format string

// The formats.
const (
	RungFormat  Format = "rung"         // one JSON document with the queue, its seats and every rating
	RowsFormat  Format = "rows"         // JSON lines: an example with its answers and what people said; to read only
	LabelStudio Format = "label-studio" // Label Studio's JSON of tasks with annotations
	Argilla     Format = "argilla"      // what Argilla 2 writes with records.to_json and reads with records.from_json
	ArgillaV1   Format = "argilla-v1"   // a list of Argilla 1 FeedbackRecords
)

// Formats are those that can be written and those that can be read.
var (
	WriteFormats = []Format{RungFormat, LabelStudio, Argilla, ArgillaV1}
	ReadFormats  = []Format{RungFormat, RowsFormat, LabelStudio, Argilla, ArgillaV1}
)

// record is one item with what people said, as another tool knows it. Left and right are those of the file.
type record struct {
	item   string            // our ID, where the file came from here
	fields map[string]string // what people were shown
	said   []recordSaid
}

type recordSaid struct {
	Said
	rater string
	role  rung.RatingRole
	shown *bool // the side that the person saw, where the file says it
	at    time.Time
}

// names of fields and questions in the files of other tools.
const (
	fieldItem       = "item"
	fieldQueue      = "queue"
	fieldInput      = "input"
	fieldReference  = "reference"
	fieldLeft       = "left"
	fieldRight      = "right"
	fieldAnswer     = "answer"
	askPreference   = "preference"
	askTie          = "tie"
	askComment      = "comment"
	choiceLeft      = "left"
	choiceRight     = "right"
	choiceTie       = "tie"
	mostRecords     = 1_000_000
	largestImported = 1 << 30
)

// swappedIn says on which side an item's answers stand in a file: by its ID, so that either candidate is as often on the left.
func swappedIn(item *rung.RatingItem) bool {
	h := fnv.New32a()
	_, _ = h.Write([]byte(item.ID)) // a hash takes everything
	return len(item.Options) == 2 && h.Sum32()&1 == 1
}

// asked are the items that raters are asked, checks among them, in the queue's order.
func asked(q *rung.RatingQueue) []*rung.RatingItem {
	wanted := map[string]bool{}
	for _, s := range q.Seats {
		for _, a := range s.Asks {
			wanted[a.Item] = true
		}
	}
	var out []*rung.RatingItem
	for i := range q.Items {
		if wanted[q.Items[i].ID] || len(wanted) == 0 {
			out = append(out, &q.Items[i])
		}
	}
	return out
}

// records are a queue's items with what was said, for another tool. Nothing in them names a candidate.
func records(q *rung.RatingQueue, ratings []rung.Rating) []record {
	by := map[string][]rung.Rating{}
	for _, r := range ratings {
		by[r.Item] = append(by[r.Item], r)
	}
	var out []record
	for _, item := range asked(q) {
		swapped := swappedIn(item)
		rec := record{item: item.ID, fields: fieldsOf(item, swapped)}
		for _, r := range by[item.ID] {
			rec.said = append(rec.said, recordSaid{
				Said:  Said{Item: r.Item, Choice: choice(r.Preference, swapped), Values: r.Values, Skipped: r.Skipped, Comment: r.Comment, Seconds: r.Seconds},
				rater: r.Rater, role: r.Role, shown: &r.Swapped, at: r.At})
		}
		out = append(out, rec)
	}
	return out
}

func fieldsOf(item *rung.RatingItem, swapped bool) map[string]string {
	var b strings.Builder
	for _, in := range InputsOf(item.Input) {
		if in.Name != "" {
			b.WriteString(in.Name + ":\n")
		}
		b.WriteString(in.Text + "\n\n")
	}
	out := map[string]string{fieldInput: strings.TrimSpace(b.String())}
	if len(item.Reference) > 0 {
		out[fieldReference] = TextOf(item.Reference)
	}
	if len(item.Options) == 1 {
		out[fieldAnswer] = item.Options[0].Text
		return out
	}
	out[fieldLeft], out[fieldRight] = item.Options[0].Text, item.Options[1].Text
	if swapped {
		out[fieldLeft], out[fieldRight] = out[fieldRight], out[fieldLeft]
	}
	return out
}

// Export writes a queue with its ratings.
func Export(q *rung.RatingQueue, seats map[string]int, ratings []rung.Rating, f Format) ([]byte, error) {
	if q.Kind == rung.Labelled && f != RungFormat {
		return nil, &rung.Error{Code: rung.CodeUsage, Place: q.Name, What: fmt.Sprintf("labels cannot be written as %q", f), Do: "write rows, or the format rung with every label of every labeller"}
	}
	switch f {
	case RungFormat:
		return indented(rungFile{Version: 1, Queue: q, Seats: seats, Ratings: ratings})
	case LabelStudio:
		return indented(toLabelStudio(q, records(q, ratings)))
	case Argilla:
		return indented(toArgilla(q, records(q, ratings)))
	case ArgillaV1:
		return indented(toArgillaV1(q, records(q, ratings)))
	}
	return nil, &rung.Error{Code: rung.CodeUsage, What: fmt.Sprintf("ratings cannot be written as %q", f), Do: "choose one of " + list(WriteFormats)}
}

func list(fs []Format) string {
	names := make([]string, len(fs))
	for i, f := range fs {
		names[i] = string(f)
	}
	return strings.Join(names, ", ")
}

func indented(v any) ([]byte, error) {
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	enc.SetIndent("", "  ")
	err := enc.Encode(v)
	return b.Bytes(), err
}

// rungFile is a queue with everything that was said, for another machine's store.
type rungFile struct {
	Version int               `json:"version"`
	Queue   *rung.RatingQueue `json:"queue"`
	Seats   map[string]int    `json:"seats,omitempty"`
	Ratings []rung.Rating     `json:"ratings"`
}

// Imported is what a file holds.
type Imported struct {
	Queue   *rung.RatingQueue // made of the file; nil where the file belongs to a queue that is there
	Ratings []rung.Rating
	Unknown int // records of items that the queue does not have
}

// ImportOptions say how a file is read.
type ImportOptions struct {
	File   string // for errors
	Format Format
	Queue  *rung.RatingQueue // that the ratings belong to; nil: one is made
	Name   string            // of the queue that is made
	Task   string
	// Fields name what stands where in files that did not come from here: "input", "left", "right", "answer" → the file's own name.
	Fields map[string]string
	By     string
	Made   time.Time
}

// Import reads a file of ratings.
func Import(content []byte, o ImportOptions) (*Imported, error) {
	if len(content) > largestImported {
		return nil, o.fault("is larger than a gigabyte", nil)
	}
	switch o.Format {
	case RungFormat:
		return o.fromRung(content)
	case RowsFormat:
		return o.fromRows(content)
	}
	if o.Queue != nil && o.Queue.Kind == rung.Labelled {
		return o.importLabels(content)
	}
	read := map[Format]func([]json.RawMessage) ([]record, error){LabelStudio: fromLabelStudio, Argilla: fromArgilla, ArgillaV1: fromArgillaV1}[o.Format]
	if read == nil {
		return nil, &rung.Error{Code: rung.CodeUsage, What: fmt.Sprintf("ratings cannot be read from %q", o.Format), Do: "choose one of " + list(ReadFormats)}
	}
	rows, err := rowsOf(content)
	if err != nil {
		return nil, o.fault(err.Error(), err)
	}
	recs, err := read(rows)
	if err != nil {
		return nil, o.fault(err.Error(), err)
	}
	out := &Imported{}
	q := o.Queue
	if q == nil {
		if q, err = o.queueOf(recs); err != nil {
			return nil, err
		}
		out.Queue = q
	}
	out.Ratings, out.Unknown, err = o.ratings(q, recs)
	return out, err
}

func (o *ImportOptions) fault(what string, err error) error {
	return &rung.Error{Code: rung.CodeInput, Place: o.File, What: what, Do: "see docs/rating.md for what is read", Err: err}
}

// rowsOf are the values of a JSON array, or of JSON lines.
func rowsOf(content []byte) ([]json.RawMessage, error) {
	content = bytes.TrimSpace(bytes.TrimPrefix(content, []byte("\ufeff")))
	var rows []json.RawMessage
	if bytes.HasPrefix(content, []byte("[")) {
		if err := json.Unmarshal(content, &rows); err != nil {
			return nil, fmt.Errorf("is no JSON: %w", err)
		}
		return rows, nil
	}
	dec := json.NewDecoder(bytes.NewReader(content))
	for dec.More() {
		var row json.RawMessage
		if err := dec.Decode(&row); err != nil {
			return nil, fmt.Errorf("is no JSON: %w", err)
		}
		if rows = append(rows, row); len(rows) > mostRecords {
			return nil, fmt.Errorf("has more than %d records", mostRecords)
		}
	}
	return rows, nil
}

func (o *ImportOptions) fromRung(content []byte) (*Imported, error) {
	var f rungFile
	if err := json.Unmarshal(content, &f); err != nil {
		return nil, o.fault("is no file of ratings: "+err.Error(), err)
	}
	if f.Version != 1 || f.Queue == nil {
		return nil, o.fault("is no file of ratings that this rung knows", nil)
	}
	if err := CheckName(f.Queue.Name); err != nil {
		return nil, err
	}
	out := &Imported{Queue: f.Queue}
	q := f.Queue
	if o.Queue != nil {
		out.Queue, q = nil, o.Queue
	}
	_, form, err := labelForm(q)
	if err != nil {
		return nil, err
	}
	items := Items(q)
	for _, r := range f.Ratings {
		item := items[r.Item]
		if item == nil {
			out.Unknown++
			continue
		}
		if err := check(q, &r); err != nil {
			return nil, o.fault(err.Error(), err)
		}
		if form != nil && !r.Skipped && !r.Withdrawn {
			if r.Label, err = LabelOf(form, TextOf(r.Label), item.Input, func(what string) (json.RawMessage, error) { return nil, o.fault("the label of "+r.Item+": "+what, nil) }); err != nil {
				return nil, err
			}
		}
		r.Queue, r.Task, r.Example, r.Check, r.Candidates = q.Name, q.Task, item.Example, item.Check, optionsOf(item)
		out.Ratings = append(out.Ratings, r)
	}
	return out, nil
}

// check says what is wrong with a rating from outside.
func check(q *rung.RatingQueue, r *rung.Rating) error {
	if err := CheckRater(r.Rater); err != nil {
		return err
	}
	switch {
	case r.Role != rung.AsRater && r.Role != rung.AsAdjudicator:
		return fmt.Errorf("%q is no role", r.Role)
	case r.Skipped, r.Withdrawn:
		return nil
	case q.Kind == rung.Pairwise && !slices.Contains([]rung.Preference{rung.PrefersFirst, rung.PrefersSecond, rung.PrefersNone}, r.Preference):
		return fmt.Errorf("%q is no preference", r.Preference)
	case q.Kind == rung.Pairwise:
		return nil
	case q.Kind == rung.Labelled:
		return nil // the form of the task holds it
	case len(r.Values) == 0:
		return fmt.Errorf("the rating of %s has no value", r.Item)
	}
	for name, v := range r.Values {
		known := slices.ContainsFunc(q.Criteria, func(c rung.Criterion) bool { return c.Name == name })
		if !known || v < 1 || v > 5 {
			return fmt.Errorf("%s %d is no value of the rubric", name, v)
		}
	}
	return nil
}

func optionsOf(item *rung.RatingItem) []rung.Digest {
	out := make([]rung.Digest, len(item.Options))
	for i := range item.Options {
		out[i] = item.Options[i].Candidate
	}
	return out
}

// ratings are what people said in a file, as ratings of a queue's items.
func (o *ImportOptions) ratings(q *rung.RatingQueue, recs []record) (out []rung.Rating, unknown int, err error) {
	items := Items(q)
	for _, rec := range recs {
		item := items[rec.item]
		if item == nil {
			unknown++
			continue
		}
		swapped := o.Queue != nil && swappedIn(item)
		for _, s := range rec.said {
			r := rung.Rating{Queue: q.Name, Task: q.Task, Item: item.ID, Example: item.Example, Rater: s.rater, Role: s.role, Candidates: optionsOf(item),
				Values: maps.Clone(s.Values), Skipped: s.Skipped, Swapped: swapped, Check: item.Check, Comment: s.Comment, Seconds: s.Seconds, At: s.at}
			if s.shown != nil {
				r.Swapped = *s.shown
			}
			if !s.Skipped && q.Kind == rung.Pairwise {
				if r.Preference, err = preferenceOf(s.Choice, swapped); err != nil {
					return nil, 0, o.fault(err.Error(), err)
				}
			}
			if r.At.IsZero() {
				r.At = o.Made.UTC()
			}
			if err := check(q, &r); err != nil {
				return nil, 0, o.fault(err.Error(), err)
			}
			out = append(out, r)
		}
	}
	slices.SortStableFunc(out, func(a, b rung.Rating) int { return a.At.Compare(b.At) })
	return out, unknown, nil
}

func preferenceOf(said string, swapped bool) (rung.Preference, error) {
	p, ok := map[string]rung.Preference{choiceLeft: rung.PrefersFirst, choiceRight: rung.PrefersSecond, choiceTie: rung.PrefersNone}[said]
	if !ok {
		return "", fmt.Errorf("%q is no preference", said)
	}
	if swapped {
		p = p.Other()
	}
	return p, nil
}

// New are the ratings that the store does not have: those of a rater and item are there when the last that counts says the same.
func New(have, got []rung.Rating) []rung.Rating {
	type key struct {
		item, rater string
		role        rung.RatingRole
	}
	last := map[key]rung.Rating{}
	for _, r := range have {
		last[key{r.Item, r.Rater, r.Role}] = r
	}
	var out []rung.Rating
	for _, r := range got {
		old, there := last[key{r.Item, r.Rater, r.Role}]
		same := there && old.Preference == r.Preference && string(old.Label) == string(r.Label) && slices.Equal(old.Modes, r.Modes) && maps.Equal(old.Values, r.Values) && old.Skipped == r.Skipped && old.Comment == r.Comment && old.Withdrawn == r.Withdrawn
		if !same && !(there && old.At.After(r.At)) {
			out = append(out, r)
			last[key{r.Item, r.Rater, r.Role}] = r
		}
	}
	return out
}

// QueueIn is the name of the queue that an exported file says it is of; empty where it says none.
func QueueIn(content []byte) string {
	var whole struct {
		Queue struct {
			Name string `json:"name"`
		} `json:"queue"`
	}
	if json.Unmarshal(content, &whole) == nil && whole.Queue.Name != "" {
		return whole.Queue.Name
	}
	rows, err := rowsOf(content)
	if err != nil || len(rows) == 0 {
		return ""
	}
	var one struct {
		Data     map[string]any `json:"data"`
		Metadata map[string]any `json:"metadata"`
		Meta     map[string]any `json:"meta"`
		Queue    string         `json:"queue"`
	}
	if json.Unmarshal(rows[0], &one) != nil {
		return ""
	}
	if name := metaOf(one.Meta).Queue; name != "" {
		return name
	}
	if one.Queue != "" {
		return one.Queue
	}
	for _, m := range []map[string]any{one.Data, one.Metadata} {
		if name, ok := m[fieldQueue].(string); ok {
			return name
		}
	}
	return ""
}
