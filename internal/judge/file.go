package judge

import (
	"bufio"
	"bytes"
	"encoding/csv"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"github.com/rung-dev/rung"
)

// Format says how a file of ratings is read.
type Format struct {
	Pairwise bool
	Low      float64 // lowest and highest score of people's scale, for scores; both 0: 1 to 5
	High     float64
	// Map says where a field stands, such as "human" → "human.FactualF1" and "first" → "response1"; fields without an entry have their
	// own names: id, group, input, reference, answer, first, second, human, judge, model, first_model, second_model.
	Map map[string]string
}

// Row is one rated answer, or pair of answers, of a file.
type Row struct {
	ID, Group               string
	Input, Reference        string
	Answer                  string // of scores
	First, Second           string // of pairs
	Model                   string // whose answer it is
	FirstModel, SecondModel string
	People                  map[string][]float64 // criterion → values between 0 and 1; "" where there is one for all
	Judge                   *float64             // recorded verdict
	Recorded                bool                 // the file has a verdict, be it none: JSON null
}

// Bounds of a file of ratings.
const (
	maxFile = 256 << 20
	maxLine = 16 << 20
	maxRows = 1_000_000
)

// Fields are the names that a format can map.
var Fields = []string{"id", "group", "input", "reference", "answer", "first", "second", "human", "judge", "model", "first_model", "second_model"}

// ReadFile reads ratings from JSON lines or CSV, by the ending of its name. Faults are told with their lines, the first ten of them.
func ReadFile(path string, f Format) ([]Row, error) {
	if f.Low == 0 && f.High == 0 {
		f.Low, f.High = 1, 5
	}
	file, err := os.Open(path)
	if err != nil {
		return nil, &rung.Error{Code: rung.CodeInput, Place: path, What: "the file cannot be opened: " + plainError(err), Do: "check the path", Err: err}
	}
	defer func() { _ = file.Close() }() // it was read only
	limited := &io.LimitedReader{R: file, N: maxFile + 1}
	var rows []Row
	if ext := strings.ToLower(filepath.Ext(path)); ext == ".csv" || ext == ".tsv" {
		rows, err = f.readCSV(path, limited, ext == ".tsv")
	} else {
		rows, err = f.readLines(path, limited)
	}
	if err == nil && limited.N <= 0 {
		err = &rung.Error{Code: rung.CodeInput, Place: path, What: fmt.Sprintf("the file is larger than %d MB", maxFile>>20), Do: "split it"}
	}
	if err == nil && len(rows) == 0 {
		err = &rung.Error{Code: rung.CodeInput, Place: path, What: "the file holds no ratings", Do: "write one JSON object a line"}
	}
	return rows, err
}

func plainError(err error) string {
	var p *os.PathError
	if errors.As(err, &p) {
		return p.Err.Error()
	}
	return err.Error()
}

// faults collects what is wrong with single rows.
type faults struct {
	path string
	list rung.Errors
	more int
}

func (f *faults) add(line int, err error) {
	if len(f.list) >= 10 {
		f.more++
		return
	}
	f.list = append(f.list, &rung.Error{Code: rung.CodeInput, Place: fmt.Sprintf("%s:%d", f.path, line), What: err.Error(),
		Do: "correct the row, or say with --map where its fields are"})
}

func (f *faults) err() error {
	if f.more > 0 {
		f.list = append(f.list, &rung.Error{Code: rung.CodeInput, Place: f.path, What: fmt.Sprintf("%d further rows are wrong", f.more), Do: "correct them"})
	}
	return f.list.Or()
}

func (f Format) readLines(path string, r io.Reader) ([]Row, error) {
	scan := bufio.NewScanner(r)
	scan.Buffer(make([]byte, 0, 64<<10), maxLine)
	wrong := faults{path: path}
	var rows []Row
	for line := 1; scan.Scan(); line++ {
		text := bytes.TrimSpace(bytes.TrimPrefix(scan.Bytes(), []byte("\ufeff")))
		if len(text) == 0 {
			continue
		}
		if len(rows) >= maxRows {
			return nil, tooMany(path)
		}
		var members map[string]any
		if err := json.Unmarshal(text, &members); err != nil {
			wrong.add(line, fmt.Errorf("no JSON object: %w", err))
			continue
		}
		row, err := f.row(members, line)
		if err != nil {
			wrong.add(line, err)
			continue
		}
		rows = append(rows, row)
	}
	if err := scan.Err(); err != nil {
		return nil, &rung.Error{Code: rung.CodeInput, Place: path, What: "the file cannot be read: " + err.Error(), Do: "write one JSON object a line, of at most 16 MB", Err: err}
	}
	return rows, wrong.err()
}

func tooMany(path string) error {
	return &rung.Error{Code: rung.CodeInput, Place: path, What: fmt.Sprintf("more than %d rows", maxRows), Do: "split the file"}
}

func (f Format) readCSV(path string, r io.Reader, tabs bool) ([]Row, error) {
	c := csv.NewReader(r)
	c.FieldsPerRecord = -1
	if tabs {
		c.Comma, c.LazyQuotes = '\t', true
	}
	names, err := c.Read()
	if err != nil {
		return nil, &rung.Error{Code: rung.CodeInput, Place: path, What: "the first row, which names the columns, cannot be read: " + err.Error(), Do: "write a CSV file with a heading row", Err: err}
	}
	wrong := faults{path: path}
	var rows []Row
	for {
		cells, err := c.Read()
		if errors.Is(err, io.EOF) {
			return rows, wrong.err()
		}
		if err != nil {
			return nil, &rung.Error{Code: rung.CodeInput, Place: path, What: "not CSV: " + err.Error(), Do: "close the quotes", Err: err}
		}
		if len(rows) >= maxRows {
			return nil, tooMany(path)
		}
		line, _ := c.FieldPos(0)
		row, err := f.row(cellsOf(names, cells), line)
		if err != nil {
			wrong.add(line, err)
			continue
		}
		rows = append(rows, row)
	}
}

// cellsOf are the cells under their names. A cell that is a JSON number, list or object is read as one.
func cellsOf(names, cells []string) map[string]any {
	members := map[string]any{}
	for i, cell := range cells {
		if i >= len(names) || strings.TrimSpace(cell) == "" {
			continue
		}
		members[strings.TrimPrefix(names[i], "\ufeff")] = cell
		var v any
		if strings.ContainsAny(cell[:1], "[{-.0123456789") && json.Unmarshal([]byte(cell), &v) == nil {
			members[names[i]] = v
		}
	}
	return members
}

// at is a field of a row, found by its path; false where it is not there.
func (f Format) at(members map[string]any, field string) (any, bool) {
	path := field
	if mapped := f.Map[field]; mapped != "" {
		path = mapped
	}
	if v, ok := members[path]; ok {
		return v, true
	}
	var v any = members
	for _, step := range strings.Split(path, ".") {
		in, ok := v.(map[string]any)
		if !ok {
			return nil, false
		}
		if v, ok = in[step]; !ok {
			return nil, false
		}
	}
	return v, true
}

func (f Format) text(members map[string]any, field string) string {
	v, _ := f.at(members, field)
	switch v := v.(type) {
	case nil:
		return ""
	case string:
		return v
	}
	b, err := json.Marshal(v)
	if err != nil {
		return fmt.Sprint(v)
	}
	return string(b)
}

func (f Format) row(members map[string]any, line int) (Row, error) {
	r := Row{ID: f.text(members, "id"), Group: f.text(members, "group"), Input: f.text(members, "input"), Reference: f.text(members, "reference"),
		Answer: f.text(members, "answer"), First: f.text(members, "first"), Second: f.text(members, "second"), Model: f.text(members, "model"),
		FirstModel: f.text(members, "first_model"), SecondModel: f.text(members, "second_model")}
	if r.ID == "" {
		r.ID = "line " + strconv.Itoa(line)
	}
	if _, has := f.at(members, "answer"); !has && !f.Pairwise {
		return r, errors.New("there is no answer")
	}
	_, first := f.at(members, "first")
	if _, second := f.at(members, "second"); f.Pairwise && !(first && second) {
		return r, errors.New("a pair needs first and second")
	}
	human, _ := f.at(members, "human")
	var err error
	if r.People, err = f.people(human); err != nil {
		return r, fmt.Errorf("human: %w", err)
	}
	verdict, recorded := f.at(members, "judge")
	r.Recorded = recorded
	if verdict != nil {
		v, err := f.value(verdict)
		if err != nil {
			return r, fmt.Errorf("judge: %w", err)
		}
		r.Judge = &v
	}
	return r, nil
}

// people are the ratings of a row: one, a list of several raters, or these for each criterion.
func (f Format) people(human any) (map[string][]float64, error) {
	if human == nil {
		return nil, nil
	}
	if criteria, ok := human.(map[string]any); ok {
		out := map[string][]float64{}
		for name, v := range criteria {
			values, err := f.values(v)
			if err != nil {
				return nil, fmt.Errorf("%s: %w", name, err)
			}
			out[name] = values
		}
		return out, nil
	}
	values, err := f.values(human)
	if err != nil || len(values) == 0 {
		return nil, err
	}
	return map[string][]float64{"": values}, nil
}

func (f Format) values(v any) ([]float64, error) {
	list, ok := v.([]any)
	if !ok {
		list = []any{v}
	}
	var out []float64
	for _, one := range list {
		if one == nil {
			continue // a rater who did not rate this one
		}
		value, err := f.value(one)
		if err != nil {
			return nil, err
		}
		out = append(out, value)
	}
	return out, nil
}

// preferences are the ways to write one: by word, by letter, or as 1, 2 and 0.
var preferences = map[string]float64{"first": 1, "1": 1, "a": 1, "second": 0, "2": 0, "b": 0, "tie": .5, "none": .5, "0": .5}

func (f Format) value(v any) (float64, error) {
	text := strings.ToLower(strings.TrimSpace(fmt.Sprint(v)))
	if f.Pairwise {
		value, ok := preferences[text]
		if !ok {
			return 0, fmt.Errorf("%q is no preference: write first, second or tie (or 1, 2, 0)", text)
		}
		return value, nil
	}
	n, err := strconv.ParseFloat(text, 64)
	if err != nil || math.IsNaN(n) || n < f.Low || n > f.High {
		return 0, fmt.Errorf("%q is no score from %v to %v", text, f.Low, f.High)
	}
	return (n - f.Low) / (f.High - f.Low), nil
}

// ParseMap reads "first=response1,human=scores.quality".
func ParseMap(text string) (map[string]string, error) {
	out := map[string]string{}
	for _, part := range strings.Split(text, ",") {
		if strings.TrimSpace(part) == "" {
			continue
		}
		field, path, ok := strings.Cut(part, "=")
		field, path = strings.TrimSpace(field), strings.TrimSpace(path)
		if !ok || path == "" || !slices.Contains(Fields, field) {
			return nil, &rung.Error{Code: rung.CodeUsage, Place: "--map", What: fmt.Sprintf("%q does not say where a field is", part),
				Do: "write FIELD=PATH with one of " + strings.Join(Fields, ", ")}
		}
		out[field] = path
	}
	return out, nil
}
