package arrowipc

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"io"
	"math"

	"github.com/klauspost/compress/zstd"
	"github.com/pierrec/lz4/v4"
)

// Batch is some rows.
type Batch struct {
	Rows    int
	columns []*column
}

// column is the values of a field in a batch.
type column struct {
	*field
	n        int
	valid    []byte // a bit a value; nil: all
	data     []byte
	offsets  []byte // of 4 or 8 bytes
	children []*column
	indices  *column // of dictionaries
	values   *column
}

// loader gives the columns their buffers, which a batch lists in the order of the schema.
type loader struct {
	a       *Reader
	t       table
	body    []byte
	nodes   int64
	nNodes  int
	node    int
	buffers int64
	nBufs   int
	buf     int
	codec   int // -1: none
	spent   int64
}

func (a *Reader) batch(t table, fields []*field, body []byte) (*Batch, error) {
	l := &loader{a: a, t: t, body: body, codec: -1}
	rows := t.i64(0)
	l.nodes, l.nNodes = t.vector(1, 16)
	l.buffers, l.nBufs = t.vector(2, 16)
	if c, ok := t.sub(3); ok {
		l.codec = int(c.u8(0))
	}
	// Columns of nulls take no bytes, so that a batch could claim any number of rows.
	if t.b.damaged || rows < 0 || rows > 8*int64(len(body))*64+1<<20 || rows > math.MaxInt32 {
		return nil, errDamaged
	}
	b := &Batch{Rows: int(rows)}
	for _, f := range fields {
		c, err := l.column(f)
		if err != nil {
			return nil, err
		}
		if c.n != b.Rows {
			return nil, errDamaged
		}
		b.columns = append(b.columns, c)
	}
	return b, nil
}

func (l *loader) column(f *field) (*column, error) {
	if l.node >= l.nNodes {
		return nil, errDamaged
	}
	at := l.nodes + 16*int64(l.node)
	l.node++
	n, nulls := l.t.b.i64(at), l.t.b.i64(at+8)
	if n < 0 || n > math.MaxInt32 {
		return nil, errDamaged
	}
	c := &column{field: f, n: int(n)}
	if f.encoded {
		return l.encoded(c, nulls)
	}
	if f.kind == tNull {
		return c, nil
	}
	if err := l.validity(c, nulls); err != nil {
		return nil, err
	}
	if err := l.own(c); err != nil {
		return nil, err
	}
	for _, child := range f.children {
		cc, err := l.column(child)
		if err != nil {
			return nil, err
		}
		c.children = append(c.children, cc)
	}
	return c, c.check()
}

func (l *loader) validity(c *column, nulls int64) (err error) {
	bits, err := l.next()
	if err != nil {
		return err
	}
	if nulls == 0 {
		return nil
	}
	if len(bits)*8 < c.n {
		return errDamaged
	}
	c.valid = bits
	return nil
}

// own reads the buffers of the type itself.
func (l *loader) own(c *column) (err error) {
	width := int64(c.bits / 8)
	switch c.kind {
	case tText, tBinary, tList, tMap:
		err = l.offsets(c, 4)
	case tLargeText, tLargeBinary, tLargeList:
		err = l.offsets(c, 8)
	case tStruct, tFixedList:
		return nil
	case tBool:
		c.data, err = l.next()
		if err == nil && len(c.data)*8 < c.n {
			err = errDamaged
		}
		return err
	case tFixedBinary:
		width = int64(c.size)
		fallthrough
	default:
		c.data, err = l.next()
		if err == nil && int64(len(c.data)) < width*int64(c.n) {
			err = errDamaged
		}
		return err
	}
	if err != nil || c.kind == tList || c.kind == tMap || c.kind == tLargeList {
		return err
	}
	c.data, err = l.next()
	return err
}

func (l *loader) offsets(c *column, width int) (err error) {
	if c.offsets, err = l.next(); err != nil {
		return err
	}
	if c.n == 0 {
		c.offsets = nil
		return nil
	}
	if len(c.offsets) < (c.n+1)*width {
		return errDamaged
	}
	return nil
}

// encoded reads a column of indices into a dictionary.
func (l *loader) encoded(c *column, nulls int64) (*column, error) {
	if err := l.validity(c, nulls); err != nil {
		return nil, err
	}
	c.indices = &column{field: c.index, n: c.n}
	if err := l.own(c.indices); err != nil {
		return nil, err
	}
	if c.values = l.a.dicts[c.dict]; c.values == nil {
		return nil, fmt.Errorf("the column %s refers to a dictionary that the Arrow file does not have", c.path)
	}
	return c, nil
}

// next gives the next buffer.
func (l *loader) next() ([]byte, error) {
	if l.buf >= l.nBufs {
		return nil, errDamaged
	}
	at := l.buffers + 16*int64(l.buf)
	l.buf++
	off, n := l.t.b.i64(at), l.t.b.i64(at+8)
	if off < 0 || n < 0 || n > int64(len(l.body)) || off > int64(len(l.body))-n {
		return nil, errDamaged
	}
	b := l.body[off : off+n]
	if l.codec < 0 || n == 0 {
		return b, nil
	}
	return l.expand(b)
}

// expand unpacks a buffer: its length when unpacked, eight bytes, -1 for one that was left as it is; then the packed bytes.
func (l *loader) expand(b []byte) ([]byte, error) {
	if len(b) < 8 {
		return nil, errDamaged
	}
	n := int64(binary.LittleEndian.Uint64(b))
	if b = b[8:]; n == -1 {
		return b, nil
	}
	if l.spent += n; n < 0 || l.spent > maxBody {
		return nil, fmt.Errorf("a batch of the Arrow file expands to more than %d MiB", maxBody>>20)
	}
	var r io.Reader
	switch l.codec {
	case 0:
		r = lz4.NewReader(bytes.NewReader(b))
	case 1:
		z, err := zstd.NewReader(bytes.NewReader(b), zstd.WithDecoderConcurrency(1), zstd.WithDecoderMaxWindow(128<<20))
		if err != nil {
			return nil, err
		}
		defer z.Close()
		r = z
	default:
		return nil, errDamaged
	}
	var out bytes.Buffer
	out.Grow(int(min(n, 8*int64(len(b)))))
	if got, err := io.Copy(&out, io.LimitReader(r, n)); err != nil || got != n {
		return nil, errDamaged
	}
	return out.Bytes(), nil
}

func (c *column) offset(i int) int64 {
	if c.kind == tLargeText || c.kind == tLargeBinary || c.kind == tLargeList {
		return int64(binary.LittleEndian.Uint64(c.offsets[8*i:]))
	}
	return int64(int32(binary.LittleEndian.Uint32(c.offsets[4*i:])))
}

// check holds offsets and lengths to each other. Offsets that only rise also keep lists from sharing their items, which could multiply them.
func (c *column) check() error {
	limit := int64(len(c.data))
	switch c.kind {
	case tList, tMap, tLargeList:
		limit = int64(c.children[0].n)
	case tFixedList:
		if int64(c.children[0].n) < int64(c.size)*int64(c.n) {
			return errDamaged
		}
		return nil
	case tStruct:
		for _, child := range c.children {
			if child.n < c.n {
				return errDamaged
			}
		}
		return nil
	}
	if c.offsets == nil {
		return nil
	}
	last := c.offset(0)
	if last < 0 {
		return errDamaged
	}
	for i := 1; i <= c.n; i++ {
		next := c.offset(i)
		if next < last {
			return errDamaged
		}
		last = next
	}
	if last > limit {
		return errDamaged
	}
	return nil
}
