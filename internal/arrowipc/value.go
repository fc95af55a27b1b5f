package arrowipc

import (
	"encoding/binary"
	"math"
	"math/big"
	"slices"
	"strconv"
	"time"
	"unicode/utf8"

	"github.com/go-json-experiment/json/jsontext"
)

// Problem is a value that JSON text cannot hold as it is.
type Problem struct {
	Path string // the column
	Kind ProblemKind
}

// ProblemKind says what was done with it.
type ProblemKind int

// The kinds.
const (
	NotText   ProblemKind = iota + 1 // a text that is not UTF-8: what is not became U+FFFD
	NotNumber                        // NaN or infinity became null
	Bytes                            // a binary that is no text became null
)

// AppendRow appends a row as a JSON object, its columns in their order.
func (b *Batch) AppendRow(dst []byte, i int) ([]byte, []Problem) {
	w := writer{dst: append(dst, '{')}
	for j, c := range b.columns {
		if j > 0 {
			w.dst = append(w.dst, ',')
		}
		w.key(c.name)
		w.value(c, i)
	}
	return append(w.dst, '}'), w.problems
}

type writer struct {
	dst      []byte
	problems []Problem
}

func (w *writer) problem(c *column, kind ProblemKind) {
	if p := (Problem{c.path, kind}); !slices.Contains(w.problems, p) {
		w.problems = append(w.problems, p)
	}
}

func (w *writer) key(name string) {
	w.dst, _ = jsontext.AppendQuote(w.dst, name) // names are valid
	w.dst = append(w.dst, ':')
}

func (w *writer) null() { w.dst = append(w.dst, "null"...) }

func (w *writer) value(c *column, i int) {
	if c.valid != nil && c.valid[i/8]>>(i%8)&1 == 0 {
		w.null()
		return
	}
	if c.indices != nil {
		at := c.indices.integer(i)
		if at < 0 || at >= int64(c.values.n) {
			w.null()
			w.problem(c, NotText)
			return
		}
		w.value(c.values, int(at))
		return
	}
	switch c.kind {
	case tNull:
		w.null()
	case tText, tBinary, tLargeText, tLargeBinary:
		w.text(c, c.data[c.offset(i):c.offset(i+1)])
	case tFixedBinary:
		w.text(c, c.data[int(c.size)*i:int(c.size)*(i+1)])
	case tBool:
		w.dst = strconv.AppendBool(w.dst, c.data[i/8]>>(i%8)&1 == 1)
	case tFloat:
		w.float(c, i)
	case tDate, tTimestamp:
		w.time(c, i)
	case tDecimal:
		w.decimal(c, i)
	case tList, tLargeList:
		w.list(c.children[0], c.offset(i), c.offset(i+1))
	case tFixedList:
		w.list(c.children[0], int64(c.size)*int64(i), int64(c.size)*int64(i+1))
	case tMap:
		w.mapping(c.children[0], c.offset(i), c.offset(i+1))
	case tStruct:
		w.structure(c, i)
	default:
		w.integer(c, i)
	}
}

func (w *writer) integer(c *column, i int) {
	if c.kind == tInt && !c.signed && c.bits == 64 {
		w.dst = strconv.AppendUint(w.dst, binary.LittleEndian.Uint64(c.data[8*i:]), 10)
		return
	}
	w.dst = strconv.AppendInt(w.dst, c.integer(i), 10)
}

func (c *column) integer(i int) int64 {
	d := c.data
	switch c.bits {
	case 8:
		if c.signed {
			return int64(int8(d[i]))
		}
		return int64(d[i])
	case 16:
		v := binary.LittleEndian.Uint16(d[2*i:])
		if c.signed {
			return int64(int16(v))
		}
		return int64(v)
	case 32:
		v := binary.LittleEndian.Uint32(d[4*i:])
		if c.signed {
			return int64(int32(v))
		}
		return int64(v)
	}
	return int64(binary.LittleEndian.Uint64(d[8*i:]))
}

func (w *writer) text(c *column, b []byte) {
	if utf8.Valid(b) {
		w.dst, _ = jsontext.AppendQuote(w.dst, b) // valid
		return
	}
	if c.kind == tText || c.kind == tLargeText {
		w.problem(c, NotText)
		w.dst, _ = jsontext.AppendQuote(w.dst, []byte(string([]rune(string(b))))) // what is not UTF-8 is U+FFFD
		return
	}
	w.problem(c, Bytes)
	w.null()
}

func (w *writer) float(c *column, i int) {
	var v float64
	bits := 64
	switch c.bits {
	case 16:
		v, bits = half(binary.LittleEndian.Uint16(c.data[2*i:])), 32
	case 32:
		v, bits = float64(math.Float32frombits(binary.LittleEndian.Uint32(c.data[4*i:]))), 32
	default:
		v = math.Float64frombits(binary.LittleEndian.Uint64(c.data[8*i:]))
	}
	if math.IsNaN(v) || math.IsInf(v, 0) {
		w.problem(c, NotNumber)
		w.null()
		return
	}
	format := byte('f')
	if abs := math.Abs(v); abs != 0 && (abs < 1e-6 || abs >= 1e21) {
		format = 'e'
	}
	w.dst = strconv.AppendFloat(w.dst, v, format, -1, bits)
}

// half is a number of IEEE 754 binary16.
func half(h uint16) float64 {
	exp, frac := int(h>>10&31), float64(h&1023)
	v := math.Ldexp(1+frac/1024, exp-15)
	switch exp {
	case 0:
		v = math.Ldexp(frac/1024, -14)
	case 31:
		if v = math.Inf(1); frac != 0 {
			v = math.NaN()
		}
	}
	if h>>15 == 1 {
		return -v
	}
	return v
}

// time writes dates as 2006-01-02 and timestamps as RFC 3339, without a zone where the column has none.
func (w *writer) time(c *column, i int) {
	c2 := *c.field
	c2.signed = true
	v := (&column{field: &c2, data: c.data}).integer(i)
	if c.kind == tDate {
		at := time.Unix(v*86400, 0)
		if c.unit != 0 {
			at = time.UnixMilli(v)
		}
		w.dst = append(at.UTC().AppendFormat(append(w.dst, '"'), time.DateOnly), '"')
		return
	}
	per := []int64{1, 1e3, 1e6, 1e9}[max(0, min(3, c.unit))]
	sec, rest := v/per, v%per
	at := time.Unix(sec, rest*(1e9/per)).UTC()
	layout := "2006-01-02T15:04:05.999999999"
	if c.zone {
		layout += "Z07:00"
	}
	if at.Year() < 0 || at.Year() > 9999 {
		w.problem(c, NotNumber)
		w.null()
		return
	}
	w.dst = append(at.AppendFormat(append(w.dst, '"'), layout), '"')
}

// decimal writes the exact number.
func (w *writer) decimal(c *column, i int) {
	n := c.bits / 8
	b := slices.Clone(c.data[n*i : n*(i+1)])
	slices.Reverse(b)
	v := new(big.Int).SetBytes(b)
	if b[0]>>7 == 1 { // two's complement
		v.Sub(v, new(big.Int).Lsh(big.NewInt(1), uint(c.bits)))
	}
	text := v.String()
	sign := ""
	if text[0] == '-' {
		sign, text = "-", text[1:]
	}
	if scale := int(c.scale); scale > 0 {
		for len(text) <= scale {
			text = "0" + text
		}
		text = text[:len(text)-scale] + "." + text[len(text)-scale:]
	}
	w.dst = append(append(w.dst, sign...), text...)
}

func (w *writer) list(items *column, from, to int64) {
	w.dst = append(w.dst, '[')
	for i := from; i < to; i++ {
		if i > from {
			w.dst = append(w.dst, ',')
		}
		w.value(items, int(i))
	}
	w.dst = append(w.dst, ']')
}

// mapping writes a map with texts as keys as an object, any other as a list of key and value.
func (w *writer) mapping(entries *column, from, to int64) {
	keys, values := entries.children[0], entries.children[1]
	if keys.kind != tText && keys.kind != tLargeText {
		w.list(entries, from, to)
		return
	}
	seen := map[string]bool{}
	w.dst = append(w.dst, '{')
	for i := from; i < to; i++ {
		before := len(w.dst)
		if len(seen) > 0 {
			w.dst = append(w.dst, ',')
		}
		at := len(w.dst)
		w.value(keys, int(i))
		if name := string(w.dst[at:]); seen[name] || name == "null" {
			w.dst = w.dst[:before] // a key twice, or none
			w.problem(keys, NotText)
			continue
		} else {
			seen[name] = true
		}
		w.dst = append(w.dst, ':')
		w.value(values, int(i))
	}
	w.dst = append(w.dst, '}')
}

func (w *writer) structure(c *column, i int) {
	w.dst = append(w.dst, '{')
	for j, child := range c.children {
		if j > 0 {
			w.dst = append(w.dst, ',')
		}
		w.key(child.name)
		w.value(child, i)
	}
	w.dst = append(w.dst, '}')
}
