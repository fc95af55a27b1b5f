// Package arrowipc reads Arrow IPC streams and files, as Hugging Face's save_to_disk writes them, as rows of JSON. It reads the types that
// data sets of text have: texts, binaries, whole numbers, floats, decimals, booleans, dates, times, lists, structs, maps and dictionaries of
// them; buffers may be compressed with LZ4 or Zstandard. The Arrow library for Go would add some five megabytes to the program.
//
// Format: https://arrow.apache.org/docs/format/Columnar.html. Every offset and length in a file is held to what the file has.
package arrowipc

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
)

const (
	maxMetadata = 64 << 20 // bytes of the description of a message
	maxBody     = 1 << 30  // bytes of one batch, which is in memory
)

// Reader reads the batches of a stream or file.
type Reader struct {
	r      io.Reader
	left   int64 // bytes of the file that are not read yet
	schema *schema
	dicts  map[int64]*column
	body   []byte
}

// NewReader reads the schema. size is that of the file.
func NewReader(r io.Reader, size int64) (*Reader, error) {
	a := &Reader{r: r, left: size, dicts: map[int64]*column{}}
	var start [8]byte
	if _, err := io.ReadFull(r, start[:]); err != nil {
		return nil, errors.New("the Arrow file is too short")
	}
	a.left -= 8
	if string(start[:6]) != "ARROW1" { // a stream: what was read is the beginning of the first message
		a.r = io.MultiReader(bytes.NewReader(start[:]), r)
		a.left += 8
	}
	kind, header, _, err := a.message()
	if err != nil {
		if errors.Is(err, io.EOF) {
			err = errors.New("the Arrow file has no schema")
		}
		return nil, err
	}
	if kind != 1 {
		return nil, errors.New("the Arrow file does not begin with its schema")
	}
	a.schema, err = readSchema(header)
	return a, err
}

// Columns are the names of the columns in their order.
func (a *Reader) Columns() []string {
	var out []string
	for _, f := range a.schema.fields {
		out = append(out, f.name)
	}
	return out
}

// Metadata is a value of the schema's own metadata, such as that of key huggingface.
func (a *Reader) Metadata(key string) string { return a.schema.metadata[key] }

// Next reads the next batch; it is valid until the one after. The error is io.EOF at the end.
func (a *Reader) Next() (*Batch, error) {
	for {
		kind, header, body, err := a.message()
		if err != nil {
			return nil, err
		}
		switch kind {
		case 2:
			if err := a.dictionary(header, body); err != nil {
				return nil, err
			}
		case 3:
			return a.batch(header, a.schema.fields, body)
		default:
			return nil, fmt.Errorf("the Arrow file holds a message of kind %d, which is not read", kind)
		}
	}
}

// message reads one message: a mark, the length of the metadata, the metadata, the body.
func (a *Reader) message() (kind byte, header table, body []byte, err error) {
	var head [8]byte
	if _, err := io.ReadFull(a.r, head[:]); err != nil {
		if errors.Is(err, io.EOF) {
			return 0, header, nil, io.EOF // a stream may end without its mark
		}
		return 0, header, nil, cut(err)
	}
	a.left -= 8
	if binary.LittleEndian.Uint32(head[:]) != 0xffffffff {
		return 0, header, nil, errors.New("the Arrow file is damaged, or older than format 1.0")
	}
	n := int64(binary.LittleEndian.Uint32(head[4:]))
	if n == 0 {
		return 0, header, nil, io.EOF
	}
	if n > min(a.left, maxMetadata) {
		return 0, header, nil, fmt.Errorf("the Arrow file is damaged or cut off: a description claims %d bytes", n)
	}
	meta := &buffer{data: make([]byte, n)}
	if _, err := io.ReadFull(a.r, meta.data); err != nil {
		return 0, header, nil, cut(err)
	}
	a.left -= n
	root := meta.root()
	kind = root.u8(1)
	header, ok := root.sub(2)
	length := root.i64(3)
	if meta.damaged || !ok {
		return 0, header, nil, errDamaged
	}
	if length < 0 || length > a.left {
		return 0, header, nil, fmt.Errorf("the Arrow file is damaged or cut off: a batch claims %d bytes", length)
	}
	if length > maxBody {
		return 0, header, nil, fmt.Errorf("a batch of the Arrow file has %d MiB, more than the %d that are read at once", length>>20, maxBody>>20)
	}
	if int64(cap(a.body)) < length || kind == 2 { // dictionaries are kept
		a.body = make([]byte, length)
	}
	body = a.body[:length]
	if kind == 2 {
		a.body = nil
	}
	if _, err := io.ReadFull(a.r, body); err != nil {
		return 0, header, nil, cut(err)
	}
	a.left -= length
	return kind, header, body, nil
}

func cut(err error) error {
	if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
		return errors.New("the Arrow file is cut off")
	}
	return err
}

// dictionary keeps the values of a dictionary. One that adds to another is not read: hardly anything writes it.
func (a *Reader) dictionary(t table, body []byte) error {
	id := t.i64(0)
	values, ok := t.sub(1)
	if !ok || t.b.damaged {
		return errDamaged
	}
	if t.u8(2) != 0 {
		return errors.New("a dictionary of the Arrow file grows from batch to batch, which is not read")
	}
	f := find(a.schema.fields, id)
	if f == nil {
		return errDamaged
	}
	own := *f
	own.encoded = false
	b, err := a.batch(values, []*field{&own}, body)
	if err != nil {
		return err
	}
	a.dicts[id] = b.columns[0]
	return nil
}

func find(fields []*field, id int64) *field {
	for _, f := range fields {
		if f.encoded && f.dict == id {
			return f
		}
		if c := find(f.children, id); c != nil {
			return c
		}
	}
	return nil
}
