package curate

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"regexp"
	"slices"
	"strings"

	"github.com/rung-dev/rung"
	"github.com/rung-dev/rung/internal/data"
	"github.com/rung-dev/rung/internal/dedupe"
	"github.com/rung-dev/rung/internal/report"
	"github.com/rung-dev/rung/internal/rows"
)

// Answer says what became of a row: it is in the dataset, or it was removed.
type Answer struct {
	ID         string           `json:"id,omitempty"`
	Where      string           `json:"where"`                // the file of the dataset that it stands in
	Similarity float64          `json:"similarity,omitempty"` // to the text that was asked for; 0 when the id was
	Row        *rung.DatasetRow `json:"row,omitempty"`
	Origin     *rung.Origin     `json:"origin,omitempty"`
	Removed    *rung.RemovedRow `json:"removed,omitempty"`
	// For are the removed rows that this one stays in the place of.
	For      []string `json:"stays_for,omitempty"`
	ForCount int      `json:"stays_for_count,omitempty"`
}

const (
	whyMost  = 5  // answers to a text
	whyNear  = .3 // Jaccard similarity over character 5-grams from which a row is shown
	maxForID = 20
)

// Why answers for a row by its id, and where no row has that id, for the rows whose text is like it, the most alike first. A row of a
// folder whose rows are redacted is found by its redacted text too. CodeNotFound where there is none.
func Why(ctx context.Context, f *data.Folder, asked string) ([]Answer, error) {
	w := &why{f: f, asked: asked, ids: map[string]bool{asked: true}}
	if w.placed = place.MatchString(asked); w.placed {
		if err := w.place(ctx); err != nil {
			return nil, err
		}
	}
	for _, s := range f.Dataset.Splits {
		if err := w.rows(ctx, s.File); err != nil {
			return nil, err
		}
	}
	for _, o := range f.Dataset.Files {
		if o.File == UnlabelledFile {
			if err := w.rows(ctx, o.File); err != nil {
				return nil, err
			}
		}
	}
	if err := w.removed(ctx); err != nil {
		return nil, err
	}
	answers := w.byID
	if len(answers) == 0 {
		answers = w.near
	}
	if len(answers) == 0 {
		return nil, &rung.Error{Code: rung.CodeNotFound, Place: f.Dir, What: fmt.Sprintf("no row of the dataset, kept or removed, has the id %.80q or a text like it", asked),
			Do: "write the id as in the splits, some words of the row, or its place in the raw file, such as raw/mail.csv:12"}
	}
	return answers, w.origins(ctx, answers)
}

// why is a search under way.
type why struct {
	f     *data.Folder
	asked string
	ids   map[string]bool // what was asked, and the ids of rows that came from the place that was asked
	// placed is set where what was asked reads like a file and a line.
	placed bool
	texts  dedupe.Texts
	buf    []byte
	byID   []Answer
	near   []Answer
}

func (w *why) rows(ctx context.Context, file string) error {
	return eachLine(ctx, w.f.Path(file), func(line []byte) error {
		if bytes.HasPrefix(line, []byte(`{"id":`)) && !w.worth(line) {
			return nil
		}
		row, err := rowOf(line)
		if err != nil {
			return &rung.Error{Code: rung.CodeInput, Place: w.f.Path(file), What: "a row cannot be read", Do: "build the dataset again", Err: err}
		}
		if w.ids[row.ID] {
			w.byID = append(w.byID, Answer{ID: row.ID, Where: file, Row: row})
			return nil
		}
		w.like(Answer{ID: row.ID, Where: file, Row: row}, row.Input)
		return nil
	})
}

// worth spares reading rows in full when an id was found already.
func (w *why) worth(line []byte) bool {
	if len(w.byID) == 0 || w.placed {
		return true
	}
	for id := range w.ids {
		if bytes.Contains(line, []byte(id)) {
			return true
		}
	}
	return false
}

// place is how a row of a raw file is asked for: its file, in full or its last parts, and its line.
var place = regexp.MustCompile(`^.+:[1-9][0-9]*$`)

// at reports whether a row stood where was asked.
func (w *why) at(file string, line int) bool {
	full := fmt.Sprintf("%s:%d", file, line)
	return full == w.asked || strings.HasSuffix(full, "/"+w.asked)
}

// place finds the ids of rows that came from the place that was asked: several, where other files end in the same name, or a line holds many.
func (w *why) place(ctx context.Context) error {
	if !slices.ContainsFunc(w.f.Dataset.Files, func(f rung.DatasetFile) bool { return f.File == OriginsFile }) {
		return nil
	}
	line := []byte(w.asked[strings.LastIndexByte(w.asked, ':')+1:])
	return eachLine(ctx, w.f.Path(OriginsFile), func(raw []byte) error {
		if len(w.ids) > whyMost || !bytes.Contains(raw, line) {
			return nil
		}
		o, err := originOf(raw)
		if err != nil {
			return &rung.Error{Code: rung.CodeInput, Place: w.f.Path(OriginsFile), What: "an origin cannot be read", Do: "build the dataset again", Err: err}
		}
		if w.at(o.File, o.Line) && o.ID != "" {
			w.ids[o.ID] = true
		}
		return nil
	})
}

// like keeps an answer when its text is like what was asked for, or holds it.
func (w *why) like(a Answer, input json.RawMessage) {
	var ok bool
	if w.buf, ok = (rows.Fields{"input"}).Append(w.buf[:0], []rows.Member{{Key: []byte("input"), Value: input}}); !ok {
		return
	}
	a.Similarity = w.texts.Similarity(w.buf, []byte(w.asked))
	if a.Similarity < whyNear && len(w.asked) >= 8 && bytes.Contains(bytes.ToLower(w.buf), bytes.ToLower([]byte(w.asked))) {
		a.Similarity = whyNear // it holds the words
	}
	if a.Similarity < whyNear {
		return
	}
	a.Similarity = round(a.Similarity)
	at, _ := slices.BinarySearchFunc(w.near, a, func(x, y Answer) int { return cmp.Or(cmp.Compare(y.Similarity, x.Similarity), -1) })
	if at < whyMost {
		w.near = slices.Insert(w.near, at, a)
		w.near = w.near[:min(len(w.near), whyMost)]
	}
}

func (w *why) removed(ctx context.Context) error {
	if !slices.ContainsFunc(w.f.Dataset.Files, func(f rung.DatasetFile) bool { return f.File == RemovedFile }) {
		return nil
	}
	return eachLine(ctx, w.f.Path(RemovedFile), func(line []byte) error {
		if !w.worth(line) {
			return nil
		}
		var r rung.RemovedRow
		if err := json.Unmarshal(line, &r); err != nil {
			return &rung.Error{Code: rung.CodeInput, Place: w.f.Path(RemovedFile), What: "a record cannot be read", Do: "build the dataset again", Err: err}
		}
		a := Answer{ID: r.ID, Where: RemovedFile, Removed: &r}
		if r.ID != "" && r.ID == w.asked || w.at(r.File, r.Line) {
			w.byID = append(w.byID, a)
			return nil
		}
		for i := range w.byID {
			if r.Of == w.byID[i].ID && r.Of != "" && w.byID[i].Row != nil {
				if w.byID[i].ForCount++; len(w.byID[i].For) < maxForID {
					w.byID[i].For = append(w.byID[i].For, fmt.Sprintf("%s (%s, %s)", r.ID, r.Step, r.Reason))
				}
			}
		}
		var row rung.DatasetRow
		if json.Unmarshal(r.Row, &row) == nil && len(row.Input) > 0 {
			w.like(a, row.Input)
		} else if len(r.Row) > 0 {
			w.like(a, r.Row)
		}
		return nil
	})
}

// origins finds where the answers' rows come from.
func (w *why) origins(ctx context.Context, answers []Answer) error {
	open := 0
	for i := range answers {
		if answers[i].Row != nil {
			open++
		}
	}
	if open == 0 {
		return nil
	}
	return eachLine(ctx, w.f.Path(OriginsFile), func(line []byte) error {
		o, err := originOf(line)
		if err != nil {
			return &rung.Error{Code: rung.CodeInput, Place: w.f.Path(OriginsFile), What: "an origin cannot be read", Do: "build the dataset again", Err: err}
		}
		for i := range answers {
			if answers[i].Row != nil && answers[i].ID == o.ID {
				answers[i].Origin = o
			}
		}
		return nil
	})
}

// eachLine goes through the lines of a file.
func eachLine(ctx context.Context, path string, f func([]byte) error) error {
	in, err := openLines(path)
	if err != nil {
		return err
	}
	defer in.close()
	for n := 1; ; n++ {
		line, err := in.next()
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err
		}
		if n%1024 == 0 && ctx.Err() != nil {
			return ctx.Err()
		}
		if err := f(line); err != nil {
			return err
		}
	}
}

// Text says it to a person.
func (a *Answer) Text() string {
	var t strings.Builder
	head := a.ID
	if head == "" {
		head = "a row without an id"
	}
	fmt.Fprintf(&t, "%s: ", head)
	if a.Removed != nil {
		a.removedText(&t)
	} else {
		a.keptText(&t)
	}
	if a.Similarity > 0 {
		fmt.Fprintf(&t, "  Its text is like what you asked for: %.2f (Jaccard similarity of character 5-grams).\n", a.Similarity)
	}
	return t.String()
}

func (a *Answer) removedText(t *strings.Builder) {
	r := a.Removed
	words := reasonWords[r.Reason]
	if words == "" || r.Step == StepAgainst && r.Reason == "exact" {
		words = r.Reason
	}
	fmt.Fprintf(t, "removed by the step %s: %s (%s)\n", r.Step, strings.ToLower(words[:1])+words[1:], r.Reason)
	fmt.Fprintf(t, "  It stood in %s.\n", rung.Place(r.File, r.Line, r.Item))
	if r.Of != "" {
		word := "The row that stays in its place is"
		if r.Step == StepAgainst {
			word = "It holds the evaluation item"
		}
		fmt.Fprintf(t, "  %s %s", word, r.Of)
		if r.Score > 0 {
			fmt.Fprintf(t, ", score %.2f", r.Score)
		}
		t.WriteString(".\n")
	}
	if r.Detail != "" {
		fmt.Fprintf(t, "  %s\n", report.Line(r.Detail, sampleText))
	}
	if len(r.Row) > 0 {
		fmt.Fprintf(t, "  %s\n", rowText(r.Row))
	}
}

func (a *Answer) keptText(t *strings.Builder) {
	fmt.Fprintf(t, "kept, in %s\n", a.Where)
	if o := a.Origin; o != nil {
		fmt.Fprintf(t, "  It comes from %s (source %s, as it stood there %s).\n", rung.Place(o.File, o.Line, o.Item), o.Source, o.Raw.Short())
		if len(o.Changes) == 0 {
			t.WriteString("  No step has changed it.\n")
		}
		for _, c := range o.Changes {
			fmt.Fprintf(t, "  Changed: %s\n", c)
		}
	}
	if g := a.Row.Generated; g != nil {
		fmt.Fprintf(t, "  No person wrote it: made by %s, reviewed in %s.\n", g.By, orNot(g.Review))
	}
	if a.ForCount > 0 {
		fmt.Fprintf(t, "  It stays in the place of %s: %s\n", plural(a.ForCount, "removed row", "removed rows"), strings.Join(a.For[:min(5, len(a.For))], ", "))
	}
	raw, err := json.Marshal(a.Row)
	if err == nil {
		fmt.Fprintf(t, "  %s\n", rowText(raw))
	}
}
