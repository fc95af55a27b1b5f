package records

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math"
	"os"
	"reflect"
	"slices"
	"sort"
	"time"
	"unicode/utf8"

	"github.com/go-json-experiment/json/jsontext"
	"github.com/parquet-go/parquet-go"

	"github.com/rung-dev/rung/internal/arrowipc"
	"github.com/rung-dev/rung/internal/charset"
)

// JSONColumns is the key of a Parquet file's metadata under which rung lists the columns whose texts are JSON.
const JSONColumns = "rung.json_columns"

// table reads a file of columns. What it expands to is bounded as that of compressed files: a value can stand for millions of rows.
func (s *source) table(ctx context.Context, f *os.File, size int64, kind string, file *File, open func(*File) (Take, error)) error {
	file.Container, file.Encoding = Container(kind), charset.UTF8
	r := &reader{ctx: ctx, o: s.o, file: file}
	t := &columns{reader: r, size: size, open: open}
	read := t.parquet
	if kind == "arrow" {
		read = t.arrow
	}
	if err := read(f); err != nil {
		return Error(file.Name, err)
	}
	return ctx.Err()
}

// columns is what both kinds of tables share.
type columns struct {
	*reader
	size int64
	open func(*File) (Take, error)
	out  int64
	line []byte
}

// begin is called when the columns are known. huggingface is the metadata of that name.
func (t *columns) begin(names []string, huggingface string) error {
	for i, n := range names {
		if slices.Contains(names[:i], n) {
			return fmt.Errorf("there are two columns called %q", n)
		}
	}
	t.file.Names = ClassNames([]byte(huggingface))
	var err error
	t.take, err = t.open(t.file)
	return err
}

// row gives one row, which is in line.
func (t *columns) row(repairs []charset.Repair) error {
	t.out += int64(len(t.line))
	switch {
	case len(t.line) > MaxRow:
		return t.tooLong(t.line, t.n+1, long(int64(len(t.line))))
	case t.out > t.o.MaxExpanded, t.out > ratioFrom && t.out/max(t.size, 1) > t.o.MaxRatio:
		return (&bounded{name: t.file.Name, o: t.o}).refuse("expands to %s, %d times its size", Bytes(t.out), t.out/max(t.size, 1))
	}
	return t.emit(t.line, t.line, t.n+1, repairs)
}

func (t *columns) arrow(f *os.File) error {
	a, err := arrowipc.NewReader(io.NewSectionReader(f, 0, t.size), t.size)
	if err != nil {
		return err
	}
	if err := t.begin(a.Columns(), a.Metadata("huggingface")); err != nil {
		return err
	}
	for {
		b, err := a.Next()
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err
		}
		for i := range b.Rows {
			var problems []arrowipc.Problem
			t.line, problems = b.AppendRow(t.line[:0], i)
			var repairs []charset.Repair
			for _, p := range problems {
				repairs = append(repairs, repairOf(p.Path, map[arrowipc.ProblemKind]charset.Kind{arrowipc.NotText: charset.Invalid, arrowipc.NotNumber: charset.NotANum, arrowipc.Bytes: charset.Binary}[p.Kind]))
			}
			if err := t.row(repairs); err != nil {
				return err
			}
		}
	}
}

func (t *columns) parquet(f *os.File) (err error) {
	defer func() {
		// A damaged file can make the library index past its pages; the file is at fault, not rung.
		if p := recover(); p != nil {
			err = fmt.Errorf("the Parquet file is damaged: %v", p)
		}
	}()
	if err := CheckFooter(f, t.size); err != nil {
		return fmt.Errorf("not a Parquet file: %w", err)
	}
	file, err := parquet.OpenFile(f, t.size, parquet.SkipBloomFilters(true), parquet.SkipPageIndex(true))
	if err != nil {
		return fmt.Errorf("not a Parquet file: %w", err)
	}
	w := &parquetRow{fields: file.Schema().Fields(), json: map[string]bool{}}
	var names []string
	for _, c := range w.fields {
		names = append(names, c.Name())
	}
	huggingface, _ := file.Lookup("huggingface")
	if list, ok := file.Lookup(JSONColumns); ok {
		var columns []string
		if json.Unmarshal([]byte(list), &columns) == nil {
			for _, c := range columns {
				w.json[c] = true
			}
		}
	}
	if err := t.begin(names, huggingface); err != nil {
		return err
	}
	return t.parquetRows(parquet.NewGenericReader[any](file, file.Schema()), w)
}

func (t *columns) parquetRows(reader *parquet.GenericReader[any], w *parquetRow) error {
	defer reader.Close()
	batch := make([]any, 64)
	for {
		n, err := reader.Read(batch)
		for _, row := range batch[:n] {
			w.repairs = w.repairs[:0]
			t.line = w.row(t.line[:0], row)
			if err := t.row(slices.Clone(w.repairs)); err != nil {
				return err
			}
		}
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return fmt.Errorf("the Parquet file is damaged: %w", err)
		}
		clear(batch)
	}
}

// parquetRow writes rows as JSON, columns in the order of the schema.
type parquetRow struct {
	fields  []parquet.Field
	json    map[string]bool // columns whose texts are JSON
	repairs []charset.Repair
}

func (w *parquetRow) row(dst []byte, row any) []byte {
	values, _ := row.(map[string]any)
	dst = append(dst, '{')
	for i, f := range w.fields {
		if i > 0 {
			dst = append(dst, ',')
		}
		dst, _ = jsontext.AppendQuote(dst, f.Name())
		dst = append(dst, ':')
		value := values[f.Name()]
		if w.json[f.Name()] {
			if text, ok := textValue(value); ok && jsontext.Value(text).IsValid() {
				dst = append(dst, text...)
				continue
			}
		}
		dst = w.value(dst, f.Name(), f, reflect.ValueOf(value))
	}
	return append(dst, '}')
}

func textValue(v any) ([]byte, bool) {
	switch v := v.(type) {
	case string:
		return []byte(v), true
	case []byte:
		return v, true
	}
	return nil, false
}

// value writes a value of a column. node gives the order of an object's keys, and may be nil.
func (w *parquetRow) value(dst []byte, path string, node parquet.Node, v reflect.Value) []byte {
	for v.IsValid() && (v.Kind() == reflect.Interface || v.Kind() == reflect.Pointer) {
		v = v.Elem()
	}
	if !v.IsValid() {
		return append(dst, "null"...)
	}
	if at, ok := v.Interface().(time.Time); ok {
		return append(at.UTC().AppendFormat(append(dst, '"'), time.RFC3339Nano), '"')
	}
	logical := logicalOf(node)
	if out, ok := appendLogical(dst, logical, v); ok {
		return out
	}
	switch v.Kind() {
	case reflect.String:
		return w.text(dst, path, []byte(v.String()), logical != nil)
	case reflect.Slice, reflect.Array:
		if v.Type().Elem().Kind() == reflect.Uint8 {
			return w.text(dst, path, bytesOf(v), logical != nil)
		}
		return w.list(dst, path, node, v)
	case reflect.Map:
		return w.object(dst, path, node, v)
	case reflect.Float32, reflect.Float64:
		if f := v.Float(); math.IsNaN(f) || math.IsInf(f, 0) {
			w.repair(path, charset.NotANum)
			return append(dst, "null"...)
		}
	}
	b, err := json.Marshal(v.Interface())
	if err != nil {
		w.repair(path, charset.Binary)
		return append(dst, "null"...)
	}
	return append(dst, b...)
}

func (w *parquetRow) repair(path string, kind charset.Kind) {
	w.repairs = append(w.repairs, repairOf(path, kind))
}

func (w *parquetRow) text(dst []byte, path string, b []byte, text bool) []byte {
	if !utf8.Valid(b) {
		if !text {
			w.repair(path, charset.Binary)
			return append(dst, "null"...)
		}
		w.repair(path, charset.Invalid)
		b = bytes.ToValidUTF8(b, []byte("\ufffd"))
	}
	dst, _ = jsontext.AppendQuote(dst, b) // valid
	return dst
}

func (w *parquetRow) list(dst []byte, path string, node parquet.Node, v reflect.Value) []byte {
	item := node
	if inner := onlyField(node, "list"); inner != nil {
		if item = onlyField(inner, ""); item == nil {
			item = inner
		}
	}
	dst = append(dst, '[')
	for i := range v.Len() {
		if i > 0 {
			dst = append(dst, ',')
		}
		dst = w.value(dst, path, item, v.Index(i))
	}
	return append(dst, ']')
}

// onlyField is the one field of a group, by its name where one is given.
func onlyField(node parquet.Node, name string) parquet.Node {
	if node == nil || node.Leaf() {
		return nil
	}
	fields := node.Fields()
	if len(fields) != 1 || name != "" && fields[0].Name() != name {
		return nil
	}
	return fields[0]
}

func (w *parquetRow) object(dst []byte, path string, node parquet.Node, v reflect.Value) []byte {
	keys := v.MapKeys()
	order := map[string]int{}
	inner := map[string]parquet.Node{}
	if node != nil && !node.Leaf() {
		for i, f := range node.Fields() {
			order[f.Name()], inner[f.Name()] = i, f
		}
	}
	sort.Slice(keys, func(i, j int) bool {
		a, b := keys[i].String(), keys[j].String()
		if order[a] != order[b] {
			return order[a] < order[b]
		}
		return a < b
	})
	dst = append(dst, '{')
	for i, k := range keys {
		if i > 0 {
			dst = append(dst, ',')
		}
		dst = w.text(dst, path, []byte(k.String()), true)
		dst = append(dst, ':')
		dst = w.value(dst, path+"."+k.String(), inner[k.String()], v.MapIndex(k))
	}
	return append(dst, '}')
}
