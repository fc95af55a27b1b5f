package arrowipc

import (
	"encoding/binary"
	"errors"
)

// errDamaged is the one error of metadata that points outside itself.
var errDamaged = errors.New("the Arrow metadata is damaged")

// table is a FlatBuffers table inside a buffer. Every access is held to the buffer; what lies outside reads as absent and marks the buffer.
// https://flatbuffers.dev/internals/
type table struct {
	b      *buffer
	at     int64
	fields int64 // offset of the vtable
	n      int   // of fields in it
}

// buffer is the metadata of one message.
type buffer struct {
	data    []byte
	damaged bool
}

func (b *buffer) fail() { b.damaged = true }

func (b *buffer) u16(at int64) uint16 {
	if at < 0 || at+2 > int64(len(b.data)) {
		b.fail()
		return 0
	}
	return binary.LittleEndian.Uint16(b.data[at:])
}

func (b *buffer) u32(at int64) uint32 {
	if at < 0 || at+4 > int64(len(b.data)) {
		b.fail()
		return 0
	}
	return binary.LittleEndian.Uint32(b.data[at:])
}

func (b *buffer) i64(at int64) int64 {
	if at < 0 || at+8 > int64(len(b.data)) {
		b.fail()
		return 0
	}
	return int64(binary.LittleEndian.Uint64(b.data[at:]))
}

func (b *buffer) root() table { return b.table(int64(b.u32(0))) }

func (b *buffer) table(at int64) table {
	fields := at - int64(int32(b.u32(at)))
	size := b.u16(fields)
	if size < 4 || fields < 0 || fields+int64(size) > int64(len(b.data)) {
		b.fail()
		return table{b: b}
	}
	return table{b: b, at: at, fields: fields, n: (int(size) - 4) / 2}
}

// field is the place of a field, 0 when it is absent.
func (t table) field(i int) int64 {
	if i >= t.n {
		return 0
	}
	off := t.b.u16(t.fields + 4 + 2*int64(i))
	if off == 0 {
		return 0
	}
	return t.at + int64(off)
}

func (t table) i64(i int) int64 {
	if at := t.field(i); at != 0 {
		return t.b.i64(at)
	}
	return 0
}

func (t table) i32(i int, absent int32) int32 {
	if at := t.field(i); at != 0 {
		return int32(t.b.u32(at))
	}
	return absent
}

func (t table) i16(i int, absent int16) int16 {
	if at := t.field(i); at != 0 {
		return int16(t.b.u16(at))
	}
	return absent
}

func (t table) u8(i int) byte {
	at := t.field(i)
	if at == 0 {
		return 0
	}
	if at >= int64(len(t.b.data)) {
		t.b.fail()
		return 0
	}
	return t.b.data[at]
}

// sub is the table that a field points at.
func (t table) sub(i int) (table, bool) {
	at := t.field(i)
	if at == 0 {
		return table{b: t.b}, false
	}
	return t.b.table(at + int64(t.b.u32(at))), true
}

// vector is where the items of a field's vector begin, and how many there are of the given size.
func (t table) vector(i int, size int64) (at int64, n int) {
	field := t.field(i)
	if field == 0 {
		return 0, 0
	}
	at = field + int64(t.b.u32(field))
	length := int64(t.b.u32(at))
	if at += 4; at+length*size > int64(len(t.b.data)) {
		t.b.fail()
		return 0, 0
	}
	return at, int(length)
}

// tables are those of a vector of them.
func (t table) tables(i int) []table {
	at, n := t.vector(i, 4)
	out := make([]table, 0, n)
	for j := range n {
		place := at + 4*int64(j)
		out = append(out, t.b.table(place+int64(t.b.u32(place))))
		if t.b.damaged {
			return nil
		}
	}
	return out
}

func (t table) text(i int) string {
	at, n := t.vector(i, 1)
	return string(t.b.data[at : at+int64(n)])
}
