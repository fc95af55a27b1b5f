package tune

import (
	"bufio"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"math"
	"os"

	"github.com/rung-dev/rung"
)

// Limits on what a GGUF header may claim. The file is the user's, and may be damaged or hostile.
const (
	maxKeys    = 1 << 16
	maxTensors = 1 << 17
	maxString  = 16 << 20
	maxArray   = 1 << 24
	maxDims    = 4
)

// The value types of GGUF (docs/gguf.md of the ggml project).
const (
	kindBool, kindString, kindArray = 7, 8, 9
)

var kindSize = map[uint32]int{0: 1, 1: 1, 2: 2, 3: 2, 4: 4, 5: 4, 6: 4, kindBool: 1, 10: 8, 11: 8, 12: 8}

// blockOf gives the bytes and the weights of one block of each tensor type that llama.cpp's models use.
var blockOf = map[uint32][2]int64{
	0: {4, 1}, 1: {2, 1}, 30: {2, 1}, 28: {8, 1}, // F32, F16, BF16, F64
	2: {18, 32}, 3: {20, 32}, 6: {22, 32}, 7: {24, 32}, 8: {34, 32}, 9: {36, 32}, // Q4_0, Q4_1, Q5_0, Q5_1, Q8_0, Q8_1
	10: {84, 256}, 11: {110, 256}, 12: {144, 256}, 13: {176, 256}, 14: {210, 256}, 15: {292, 256}, // Q2_K … Q8_K
	24: {1, 1}, 25: {2, 1}, 26: {4, 1}, 27: {8, 1}, // I8, I16, I32, I64
}

// readGGUF reads the shape of a model from its GGUF header, and checks that the file holds all the tensors it names. The
// error is CodeInput with the path.
func readGGUF(path string) (shape, error) {
	s, err := ggufShape(path)
	if err == nil {
		err = s.check()
	}
	if err == nil {
		return s, nil
	}
	if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
		err = errors.New("the file ends too early")
	}
	return s, &rung.Error{Code: rung.CodeInput, Place: path, What: "the base model is damaged or no GGUF file: " + err.Error(), Do: "download it again", Err: err}
}

func ggufShape(path string) (shape, error) {
	f, err := os.Open(path)
	if err != nil {
		return shape{}, err
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return shape{}, err
	}
	g := &ggufReader{r: bufio.NewReaderSize(f, 1<<16)}
	meta, tensors, err := g.header()
	if err != nil {
		return shape{}, err
	}
	s := shapeFromMeta(meta)
	end, err := g.tensors(tensors, &s)
	if err != nil {
		return s, err
	}
	align := int64(32)
	if a, ok := meta["general.alignment"].(int64); ok && a > 0 && a <= 1<<20 {
		align = a
	}
	if need := (g.read+align-1)/align*align + end; info.Size() < need {
		return s, fmt.Errorf("it has %d bytes, its tensors need %d", info.Size(), need)
	}
	return s, nil
}

// shapeFromMeta reads the sizes. "arch" is general.architecture.
func shapeFromMeta(meta map[string]any) shape {
	s := shape{}
	s.arch, _ = meta["general.architecture"].(string)
	size := func(key string) int64 { n, _ := meta[s.arch+"."+key].(int64); return n }
	s.layers, s.hidden, s.inner = size("block_count"), size("embedding_length"), size("feed_forward_length")
	s.heads, s.kv, s.context = size("attention.head_count"), size("attention.head_count_kv"), size("context_length")
	s.headSize, s.vocabulary = size("attention.key_length"), size("vocab_size")
	if n, ok := meta["tokenizer.ggml.tokens"].(int64); ok && s.vocabulary == 0 {
		s.vocabulary = n
	}
	return s
}

type ggufReader struct {
	r    *bufio.Reader
	read int64
}

func (g *ggufReader) header() (map[string]any, uint64, error) {
	magic, err := g.bytes(4)
	if err != nil || string(magic) != "GGUF" {
		return nil, 0, errors.New("it does not start as a GGUF file does")
	}
	version, err := g.u32()
	if err != nil {
		return nil, 0, err
	}
	if version != 2 && version != 3 {
		return nil, 0, fmt.Errorf("version %d is not known", version)
	}
	tensors, err := g.u64()
	if err != nil {
		return nil, 0, err
	}
	keys, err := g.u64()
	if err != nil {
		return nil, 0, err
	}
	if keys > maxKeys || tensors > maxTensors {
		return nil, 0, fmt.Errorf("it claims %d metadata keys and %d tensors", keys, tensors)
	}
	meta := map[string]any{}
	for range keys {
		key, err := g.str()
		if err != nil {
			return nil, 0, err
		}
		if meta[key], err = g.value(); err != nil {
			return nil, 0, err
		}
	}
	return meta, tensors, nil
}

// tensors reads the tensor table; it gives the end of the last tensor's data, counted from the start of the data.
func (g *ggufReader) tensors(n uint64, s *shape) (int64, error) {
	var end int64
	for range n {
		if _, err := g.str(); err != nil {
			return 0, err
		}
		weights, err := g.dims()
		if err != nil {
			return 0, err
		}
		kind, err := g.u32()
		if err != nil {
			return 0, err
		}
		offset, err := g.u64()
		if err != nil {
			return 0, err
		}
		if offset > math.MaxInt64/4 {
			return 0, fmt.Errorf("it claims a tensor at byte %d", offset)
		}
		s.parameters += weights
		size := int64(0)
		if b, ok := blockOf[kind]; ok {
			size = weights / b[1] * b[0]
		}
		end = max(end, int64(offset)+size)
	}
	return end, nil
}

// dims reads a tensor's dimensions and gives their product.
func (g *ggufReader) dims() (int64, error) {
	n, err := g.u32()
	if err != nil {
		return 0, err
	}
	if n > maxDims {
		return 0, fmt.Errorf("it claims a tensor of %d dimensions", n)
	}
	weights := int64(1)
	for range n {
		d, err := g.u64()
		if err != nil {
			return 0, err
		}
		if d == 0 || d > 1<<40 || weights > 1<<40/int64(d) {
			return 0, fmt.Errorf("it claims a dimension of %d", d)
		}
		weights *= int64(d)
	}
	return weights, nil
}

// value reads one value: int64, float64, bool or string; for an array its length as int64.
func (g *ggufReader) value() (any, error) {
	kind, err := g.u32()
	if err != nil {
		return nil, err
	}
	switch {
	case kind == kindString:
		return g.str()
	case kind == kindArray:
		return g.array()
	case kindSize[kind] == 0:
		return nil, fmt.Errorf("metadata type %d is not known", kind)
	}
	return g.scalar(kind)
}

func (g *ggufReader) scalar(kind uint32) (any, error) {
	b, err := g.bytes(kindSize[kind])
	if err != nil {
		return nil, err
	}
	wide := make([]byte, 8)
	copy(wide, b)
	n := binary.LittleEndian.Uint64(wide)
	switch kind {
	case 6:
		return float64(math.Float32frombits(uint32(n))), nil
	case 12:
		return math.Float64frombits(n), nil
	case kindBool:
		return n != 0, nil
	}
	return int64(min(n, math.MaxInt64)), nil
}

func (g *ggufReader) array() (any, error) {
	kind, err := g.u32()
	if err != nil {
		return nil, err
	}
	n, err := g.u64()
	if err != nil {
		return nil, err
	}
	if n > maxArray {
		return nil, fmt.Errorf("it claims an array of %d", n)
	}
	if kind == kindString {
		for range n {
			if _, err := g.str(); err != nil {
				return nil, err
			}
		}
		return int64(n), nil
	}
	size, ok := kindSize[kind]
	if !ok {
		return nil, fmt.Errorf("an array of type %d is not known", kind)
	}
	skipped, err := g.r.Discard(int(n) * size)
	g.read += int64(skipped)
	return int64(n), err
}

func (g *ggufReader) str() (string, error) {
	n, err := g.u64()
	if err != nil {
		return "", err
	}
	if n > maxString {
		return "", fmt.Errorf("it claims a string of %d bytes", n)
	}
	b, err := g.bytes(int(n))
	return string(b), err
}

func (g *ggufReader) u32() (uint32, error) {
	b, err := g.bytes(4)
	if err != nil {
		return 0, err
	}
	return binary.LittleEndian.Uint32(b), nil
}

func (g *ggufReader) u64() (uint64, error) {
	b, err := g.bytes(8)
	if err != nil {
		return 0, err
	}
	return binary.LittleEndian.Uint64(b), nil
}

// bytes reads n bytes, in pieces, so that a false length does not cost the memory it claims.
func (g *ggufReader) bytes(n int) ([]byte, error) {
	const piece = 64 << 10
	b := make([]byte, 0, min(n, piece))
	for len(b) < n {
		k := min(n-len(b), piece)
		b = append(b, make([]byte, k)...)
		read, err := io.ReadFull(g.r, b[len(b)-k:])
		g.read += int64(read)
		if err != nil {
			return nil, err
		}
	}
	return b, nil
}
