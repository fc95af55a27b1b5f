package records

import (
	"math/big"
	"reflect"
	"slices"
	"time"

	"github.com/parquet-go/parquet-go"
	"github.com/parquet-go/parquet-go/format"

	"github.com/rung-dev/rung/internal/charset"
)

// logicalOf is what the values of a column mean beyond their bytes, nil when nothing is said: of bytes, that they are no text.
func logicalOf(node parquet.Node) format.LogicalTypeValue {
	if node == nil || !node.Leaf() {
		return nil
	}
	if l := node.Type().LogicalType(); l != nil {
		return l.Value
	}
	return nil
}

// appendLogical writes dates, timestamps and decimals, which lie in the file as numbers or bytes.
func appendLogical(dst []byte, logical format.LogicalTypeValue, v reflect.Value) ([]byte, bool) {
	switch l := logical.(type) {
	case *format.DateType:
		if v.CanInt() {
			return append(time.Unix(v.Int()*86400, 0).UTC().AppendFormat(append(dst, '"'), time.DateOnly), '"'), true
		}
	case *format.TimestampType:
		if v.CanInt() {
			return appendTimestamp(dst, l, v.Int())
		}
	case *format.DecimalType:
		return appendDecimal(dst, l, v)
	}
	return dst, false
}

func appendTimestamp(dst []byte, l *format.TimestampType, v int64) ([]byte, bool) {
	at := time.UnixMilli(v)
	switch l.Unit.Value.(type) {
	case *format.MicroSeconds:
		at = time.UnixMicro(v)
	case *format.NanoSeconds:
		at = time.Unix(0, v)
	}
	if at = at.UTC(); at.Year() < 0 || at.Year() > 9999 {
		return dst, false
	}
	layout := "2006-01-02T15:04:05.999999999"
	if l.IsAdjustedToUTC {
		layout = time.RFC3339Nano
	}
	return append(at.AppendFormat(append(dst, '"'), layout), '"'), true
}

func appendDecimal(dst []byte, l *format.DecimalType, v reflect.Value) ([]byte, bool) {
	var n *big.Int
	switch {
	case v.CanInt():
		n = big.NewInt(v.Int())
	case v.Kind() == reflect.String:
		n = signed([]byte(v.String()))
	case (v.Kind() == reflect.Slice || v.Kind() == reflect.Array) && v.Type().Elem().Kind() == reflect.Uint8:
		n = signed(bytesOf(v))
	default:
		return dst, false
	}
	text := new(big.Int).Abs(n).String()
	if n.Sign() < 0 {
		dst = append(dst, '-')
	}
	scale := max(0, min(int(l.Scale), 100))
	for len(text) <= scale {
		text = "0" + text
	}
	if dst = append(dst, text[:len(text)-scale]...); scale > 0 {
		dst = append(append(dst, '.'), text[len(text)-scale:]...)
	}
	return dst, true
}

// signed reads a big-endian number in two's complement.
func signed(b []byte) *big.Int {
	n := new(big.Int).SetBytes(b)
	if len(b) > 0 && b[0]>>7 == 1 {
		n.Sub(n, new(big.Int).Lsh(big.NewInt(1), uint(8*len(b))))
	}
	return n
}

func bytesOf(v reflect.Value) []byte {
	b := make([]byte, v.Len())
	reflect.Copy(reflect.ValueOf(b), v)
	return slices.Clip(b)
}

func repairOf(path string, kind charset.Kind) charset.Repair {
	return charset.Repair{Kind: kind, Before: "the value of " + path, After: "null"}
}
