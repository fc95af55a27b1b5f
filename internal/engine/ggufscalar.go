package engine

import (
	"encoding/binary"
	"math"
)

// scalar reads a little-endian value of a GGUF type from the first bytes of b: int64, float64 or bool.
func scalar(kind uint32, b []byte) any {
	le := binary.LittleEndian
	switch kind {
	case ggufU8:
		return int64(b[0])
	case ggufI8:
		return int64(int8(b[0]))
	case ggufBool:
		return b[0] != 0
	case ggufU16:
		return int64(le.Uint16(b))
	case ggufI16:
		return int64(int16(le.Uint16(b)))
	case ggufU32:
		return int64(le.Uint32(b))
	case ggufI32:
		return int64(int32(le.Uint32(b)))
	case ggufU64, ggufI64:
		return int64(le.Uint64(b))
	case ggufF32:
		return float64(math.Float32frombits(le.Uint32(b)))
	default:
		return math.Float64frombits(le.Uint64(b))
	}
}
