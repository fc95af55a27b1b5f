package data

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"reflect"
	"unicode/utf8"

	"github.com/parquet-go/parquet-go"

	"github.com/rung-dev/rung/internal/records"
)

// parquet reads a table with the same columns as a CSV file; nested columns are JSON values.
func (im *importer) parquet(ctx context.Context, f *os.File) (err error) {
	defer func() {
		// A damaged file can make the library index past its pages; the file is at fault, not rung.
		if p := recover(); p != nil {
			im.fault(fmt.Sprintf("the Parquet file is damaged: %v", p), "write it again")
			err = nil
		}
	}()
	info, err := f.Stat()
	if err != nil {
		im.faultAt(im.name, "the file cannot be read: "+err.Error(), "check the disk")
		return nil
	}
	if err := records.CheckFooter(f, info.Size()); err != nil {
		im.faultAt(im.name, "not a Parquet file: "+err.Error(), "write it again, or use JSONL")
		return nil
	}
	file, err := parquet.OpenFile(f, info.Size())
	if err != nil {
		im.faultAt(im.name, "not a Parquet file: "+err.Error(), "write it again, or use JSONL")
		return nil
	}
	columns := parquetColumns(file)
	if !im.parquetHeader(columns) {
		return nil
	}
	reader := parquet.NewGenericReader[any](file, file.Schema())
	defer reader.Close()
	batch := make([]any, 64)
	for {
		n, err := reader.Read(batch)
		for _, row := range batch[:n] {
			im.line++
			im.parquetRow(columns, row)
		}
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			im.fault("the Parquet file cannot be read: "+err.Error(), "write it again")
			return nil
		}
		if ctx.Err() != nil {
			return ctx.Err()
		}
		clear(batch)
	}
}

func parquetColumns(file *parquet.File) [][]byte {
	var columns [][]byte
	for _, field := range file.Schema().Fields() {
		columns = append(columns, []byte(field.Name()))
	}
	return columns
}

// parquetHeader is csvHeader for tables that are not rows of input fields but hold input or messages columns.
func (im *importer) parquetHeader(columns [][]byte) bool {
	for _, c := range columns {
		if string(c) == "messages" || string(c) == "input" {
			return true
		}
	}
	ok := im.csvHeader(columns)
	im.line = 0
	return ok
}

func (im *importer) parquetRow(columns [][]byte, row any) {
	values, ok := row.(map[string]any)
	if !ok {
		im.out.Rows++
		im.fault("the row has no columns", "write the file again")
		return
	}
	members := im.cells[:0]
	for _, c := range columns {
		value := values[string(c)]
		if value == nil {
			continue
		}
		raw, ok := im.parquetValue(string(c), value)
		if !ok {
			im.out.Rows++
			return
		}
		if raw != nil {
			members = append(members, member{c, raw})
		}
	}
	im.cells = members
	im.take(members)
}

// parquetValue is a column's value as JSON. Text columns are read as CSV cells are.
func (im *importer) parquetValue(column string, value any) ([]byte, bool) {
	if b, ok := value.([]byte); ok {
		value = string(b)
	}
	if text, ok := value.(string); ok {
		if !utf8.ValidString(text) {
			im.fault("the value of "+column+" is not UTF-8 text", "write it as text")
			return nil, false
		}
		return im.cell(column, text)
	}
	raw, err := json.Marshal(plain(reflect.ValueOf(value)))
	if err != nil {
		im.fault(fmt.Sprintf("the value of %s has no JSON: %v", column, err), "correct it")
		return nil, false
	}
	return raw, true
}

// plain is the value of a column with byte strings, also those inside lists and records, turned into text, which JSON would write in base 64.
func plain(v reflect.Value) any {
	for v.IsValid() && (v.Kind() == reflect.Interface || v.Kind() == reflect.Pointer) {
		v = v.Elem()
	}
	switch {
	case !v.IsValid():
		return nil
	case v.Kind() == reflect.Slice && v.Type().Elem().Kind() == reflect.Uint8:
		return string(v.Bytes())
	case v.Kind() == reflect.Slice:
		out := make([]any, v.Len())
		for i := range out {
			out[i] = plain(v.Index(i))
		}
		return out
	case v.Kind() == reflect.Map && v.Type().Key().Kind() == reflect.String:
		out := make(map[string]any, v.Len())
		for it := v.MapRange(); it.Next(); {
			out[it.Key().String()] = plain(it.Value())
		}
		return out
	}
	return v.Interface()
}
