package formats

import (
	"fmt"
	"os"
	"path/filepath"
	"strconv"

	"github.com/parquet-go/parquet-go"

	"github.com/rung-dev/rung"
	"github.com/rung-dev/rung/internal/records"
	"github.com/rung-dev/rung/internal/rows"
)

// ordered is a Parquet group whose columns stand in a given order; the library's own sorts them by name.
type ordered struct {
	parquet.Group
	fields []parquet.Field
}

func (o *ordered) Fields() []parquet.Field { return o.fields }

// groupBytes is about how much a row group of a Parquet file holds, which is in memory while it is written.
const groupBytes = 64 << 20

// parquetFile writes the rows of a split as one Parquet file. Columns of text, whole numbers, floats and truth values are those; any other
// holds JSON in text, and the file's metadata lists which do, so that they are read back as they were.
func parquetFile(out *file, s *spool, split rung.Split) error {
	columns := s.ordered()
	group := parquet.Group{}
	var jsons []string
	for _, c := range columns {
		var node parquet.Node
		switch c.kind {
		case wholes:
			node = parquet.Int(64)
		case floats:
			node = parquet.Leaf(parquet.DoubleType)
		case truths:
			node = parquet.Leaf(parquet.BooleanType)
		default:
			node = parquet.String()
		}
		if c.kind == anything {
			jsons = append(jsons, c.name)
		}
		group[c.name] = parquet.Optional(node)
	}
	root := &ordered{Group: group}
	for _, c := range columns {
		for _, f := range group.Fields() {
			if f.Name() == c.name {
				root.fields = append(root.fields, f)
			}
		}
	}
	list, err := encode(jsons)
	if err != nil {
		return err
	}
	w := parquet.NewWriter(out, parquet.NewSchema("rows", root), parquet.Compression(&parquet.Snappy), parquet.CreatedBy("rung", "1", ""),
		parquet.KeyValueMetadata(records.JSONColumns, string(list)))
	size := 0
	err = s.each(split, func(members []rows.Member) error {
		row := make(parquet.Row, len(columns))
		for i, c := range columns {
			v := rows.Get(members, c.name)
			size += len(v)
			value, err := parquetValue(c.kind, v)
			if err != nil {
				return err
			}
			level := 1
			if v == nil {
				level = 0
			}
			row[i] = value.Level(0, level, i)
		}
		out.n++
		if _, err := w.WriteRows([]parquet.Row{row}); err != nil {
			return rows.Unwritable(out.path, err)
		}
		if size < groupBytes {
			return nil
		}
		size = 0
		if err := w.Flush(); err != nil {
			return rows.Unwritable(out.path, err)
		}
		return nil
	})
	if err != nil {
		return err
	}
	if err := w.Close(); err != nil {
		return rows.Unwritable(out.path, err)
	}
	return nil
}

func parquetValue(kind columnType, v []byte) (parquet.Value, error) {
	if v == nil {
		return parquet.NullValue(), nil
	}
	switch kind {
	case wholes:
		n, err := strconv.ParseInt(string(v), 10, 64)
		return parquet.Int64Value(n), err
	case floats:
		f, err := strconv.ParseFloat(string(v), 64)
		return parquet.DoubleValue(f), err
	case truths:
		return parquet.BooleanValue(v[0] == 't'), nil
	case texts:
		text, ok := scalar(v)
		if !ok {
			return parquet.Value{}, fmt.Errorf("a text of the working file is none")
		}
		return parquet.ByteArrayValue([]byte(text)), nil
	}
	return parquet.ByteArrayValue(append([]byte(nil), v...)), nil
}

// parquetWriter writes one Parquet file.
type parquetWriter struct {
	*file
	*spool
	losses *losses
}

func newParquet(path, _ string, l *losses, o *WriteOptions) (writer, error) {
	out, err := create(path)
	if err != nil {
		return nil, err
	}
	return &parquetWriter{out, newSpool(o.Tmp), l}, nil
}

func (w *parquetWriter) row(r *rung.DatasetRow) error { return w.add(w.losses, r, "", "") }

func (w *parquetWriter) abandon() {
	w.file.abandon()
	w.close()
}

func (w *parquetWriter) finish() ([]WrittenFile, error) {
	if err := w.complete(); err != nil {
		return nil, err
	}
	if err := parquetFile(w.file, w.spool, ""); err != nil {
		return nil, err
	}
	return w.file.finish()
}

// complete sees that there is an output, by which the other columns are known to be the input, and that there is something to write.
func (s *spool) complete() error {
	if len(s.columns) == 0 {
		return &rung.Error{Code: rung.CodeInput, What: "there are no rows, and a Parquet file needs columns", Do: "write rung or jsonl"}
	}
	if s.index["output"] == nil {
		t := &tableColumn{name: "output", kind: texts}
		s.index["output"] = t
		s.columns = append(s.columns, t)
	}
	return nil
}

// hubWriter writes a folder that Hugging Face's datasets loads: a Parquet file for each split, and README.md that says which is which.
type hubWriter struct {
	path, tmp string
	*spool
	losses *losses
}

func newHub(path string, l *losses, o *WriteOptions) (writer, error) {
	tmp, err := newFolder(path)
	if err != nil {
		return nil, err
	}
	return &hubWriter{path, tmp, newSpool(o.Tmp), l}, nil
}

func (w *hubWriter) row(r *rung.DatasetRow) error {
	split := r.Split
	if split == "" {
		split = rung.Train
		if err := w.losses.lose(r, "no split: the row is in train"); err != nil {
			return err
		}
	}
	return w.add(w.losses, r, split, "split")
}

func (w *hubWriter) abandon() {
	_ = os.RemoveAll(w.tmp)
	w.close()
}

// hubSplits are our splits with the names that the hub has for them.
var hubSplits = []struct {
	split rung.Split
	name  string
}{{rung.Train, "train"}, {rung.Dev, "validation"}, {rung.HeldoutIs, "test"}}

func (w *hubWriter) finish() ([]WrittenFile, error) {
	if err := w.complete(); err != nil {
		return nil, err
	}
	if err := os.Mkdir(filepath.Join(w.tmp, "data"), 0o755); err != nil { //nolint:gosec // data that the user asked for
		return nil, rows.Unwritable(w.path, err)
	}
	head := "---\nconfigs:\n- config_name: default\n  data_files:\n"
	var files []WrittenFile
	for _, s := range hubSplits {
		if w.parts[s.split] == nil {
			continue
		}
		name := "data/" + s.name + "-00000-of-00001.parquet"
		out, err := create(filepath.Join(w.tmp, name))
		if err != nil {
			return nil, err
		}
		err = parquetFile(out, w.spool, s.split)
		if err == nil {
			_, err = out.finish()
		}
		if err != nil {
			out.abandon()
			return nil, err
		}
		files = append(files, WrittenFile{File: filepath.Join(w.path, name), Digest: out.Digest(), Rows: out.n})
		head += fmt.Sprintf("  - split: %s\n    path: %s\n", s.name, name)
	}
	text := head + "---\n# Rows written by rung\n" + fmt.Sprintf("%d rows. Load them with `datasets.load_dataset` and the path of this folder.\n", w.rows)
	if err := os.WriteFile(filepath.Join(w.tmp, "README.md"), []byte(text), 0o644); err != nil { //nolint:gosec // data that the user asked for
		return nil, rows.Unwritable(w.path, err)
	}
	return files, placeFolder(w.tmp, w.path)
}
