package arrowipc

import (
	"fmt"
	"strings"
)

// The types of the format, as Schema.fbs numbers them.
const (
	tNull = iota + 1
	tInt
	tFloat
	tBinary
	tText
	tBool
	tDecimal
	tDate
	tTime
	tTimestamp
	tInterval
	tList
	tStruct
	tUnion
	tFixedBinary
	tFixedList
	tMap
	tDuration
	tLargeBinary
	tLargeText
	tLargeList
)

// field is a column, or a part of one.
type field struct {
	name     string
	path     string // with the names of what it is in
	kind     byte
	bits     int  // of integers and floats
	signed   bool // of integers
	unit     int16
	zone     bool  // of timestamps: they are in UTC
	size     int32 // of lists and binaries of one length
	scale    int32 // of decimals
	dict     int64 // of the dictionary
	encoded  bool  // values are indices into the dictionary
	index    *field
	children []*field
}

const (
	maxDepth  = 64
	maxFields = 10_000
)

type schema struct {
	fields   []*field
	metadata map[string]string
	n        int
}

func readSchema(t table) (*schema, error) {
	s := &schema{metadata: map[string]string{}}
	if t.i16(0, 0) != 0 {
		return nil, fmt.Errorf("the Arrow file is of a big-endian machine, which is not read")
	}
	for _, f := range t.tables(1) {
		field, err := s.field(f, "", 0)
		if err != nil {
			return nil, err
		}
		s.fields = append(s.fields, field)
	}
	for _, kv := range t.tables(2) {
		s.metadata[kv.text(0)] = kv.text(1)
	}
	if t.b.damaged {
		return nil, errDamaged
	}
	return s, nil
}

func (s *schema) field(t table, path string, depth int) (*field, error) {
	if s.n++; depth > maxDepth || s.n > maxFields {
		return nil, fmt.Errorf("the Arrow schema has more than %d columns, or lists in lists %d deep", maxFields, maxDepth)
	}
	f := &field{name: strings.ToValidUTF8(t.text(0), "\ufffd"), kind: t.u8(2)}
	f.path = strings.TrimPrefix(path+"."+f.name, ".")
	typ, _ := t.sub(3)
	if err := f.typed(typ); err != nil {
		return nil, err
	}
	if d, ok := t.sub(4); ok {
		f.encoded, f.dict = true, d.i64(0)
		f.index = &field{name: f.name, path: f.path, kind: tInt, bits: 32, signed: true}
		if index, ok := d.sub(1); ok {
			f.index.bits, f.index.signed = int(index.i32(0, 0)), index.u8(1) != 0
		}
		if !wholeBytes(f.index.bits) {
			return nil, errDamaged
		}
	}
	for _, c := range t.tables(5) {
		child, err := s.field(c, f.path, depth+1)
		if err != nil {
			return nil, err
		}
		f.children = append(f.children, child)
	}
	if t.b.damaged {
		return nil, errDamaged
	}
	return f, f.nested()
}

func wholeBytes(bits int) bool { return bits == 8 || bits == 16 || bits == 32 || bits == 64 }

// typed reads what a type has besides its number.
func (f *field) typed(t table) error {
	switch f.kind {
	case tNull, tBinary, tText, tBool, tList, tStruct, tMap, tLargeBinary, tLargeText, tLargeList:
	case tInt:
		f.bits, f.signed = int(t.i32(0, 0)), t.u8(1) != 0
		if !wholeBytes(f.bits) {
			return errDamaged
		}
	case tFloat:
		f.bits = 16 << max(0, min(2, t.i16(0, 0)))
	case tDate:
		f.unit, f.bits = t.i16(0, 1), 64
		if f.unit == 0 {
			f.bits = 32
		}
	case tTime:
		f.unit, f.bits, f.signed = t.i16(0, 1), int(t.i32(1, 32)), true
		if !wholeBytes(f.bits) {
			return errDamaged
		}
	case tTimestamp:
		f.unit, f.bits = t.i16(0, 0), 64
		f.zone = t.text(1) != ""
	case tDuration:
		f.unit, f.bits, f.signed = t.i16(0, 1), 64, true
	case tDecimal:
		f.scale, f.bits = t.i32(1, 0), int(t.i32(2, 128))
		if f.bits != 128 && f.bits != 256 || f.scale < 0 || f.scale > 100 {
			return fmt.Errorf("the column %s holds decimals that are not read", f.path)
		}
	case tFixedBinary, tFixedList:
		if f.size = t.i32(0, 0); f.size < 0 || f.size > 1<<24 {
			return errDamaged
		}
	default:
		return fmt.Errorf("the column %s has a type that is not read (number %d of the Arrow format)", f.path, f.kind)
	}
	return nil
}

// nested holds the number of children to the type.
func (f *field) nested() error {
	want := 0
	switch f.kind {
	case tList, tLargeList, tFixedList:
		want = 1
	case tMap:
		if len(f.children) != 1 || f.children[0].kind != tStruct || len(f.children[0].children) != 2 {
			return errDamaged
		}
		return nil
	case tStruct:
		return nil
	}
	if len(f.children) != want {
		return errDamaged
	}
	return nil
}
