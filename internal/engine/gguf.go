package engine

import (
	"bufio"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"os"

	"github.com/rung-dev/rung"
)

// header is what rung must know of a GGUF file before a server loads it. Format: docs/gguf.md of the ggml project, versions 2 and 3.
type header struct {
	kind         string // general.type: model, adapter, or empty
	architecture string
	context      int // tokens the model was trained for; 0: unknown
	causal       bool
	pooling      bool // it has a pooling type: it is an embedding model
	template     bool // it has a chat template
	eos          int  // -1: none
	eot          int
	alpha        float64 // adapter.lora.alpha
}

// embeds reports whether the model makes embeddings and not text.
func (h header) embeds() bool { return h.pooling || !h.causal }

// Limits on what a header may claim. The file is the user's, and may be damaged or hostile.
const (
	maxKeys   = 1 << 16
	maxString = 16 << 20
	maxArray  = 1 << 24
	maxHeader = 1 << 30
)

var errNotGGUF = errors.New("it does not start as a GGUF file does")

// readHeader reads the metadata of a GGUF file. The error is CodeInput with the path.
func readHeader(path string) (header, error) {
	h := header{causal: true, eos: -1, eot: -1}
	f, err := os.Open(path)
	if err != nil {
		return h, &rung.Error{Code: rung.CodeInput, Place: path, What: "cannot be read: " + err.Error(), Do: "make it readable", Err: err}
	}
	defer f.Close()
	r := &ggufReader{r: bufio.NewReaderSize(io.LimitReader(f, maxHeader), 1<<16)}
	if err := r.header(&h); err != nil {
		if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
			err = errors.New("the file ends too early")
		}
		return h, &rung.Error{Code: rung.CodeInput, Place: path, What: "is no usable GGUF file: " + err.Error(), Do: "download it again, or convert the model with llama.cpp's convert_hf_to_gguf.py", Err: err}
	}
	return h, nil
}

type ggufReader struct{ r *bufio.Reader }

func (g *ggufReader) header(h *header) error {
	magic := make([]byte, 4)
	if _, err := io.ReadFull(g.r, magic); err != nil || string(magic) != "GGUF" {
		return errNotGGUF
	}
	version, err := g.u32()
	if err != nil {
		return err
	}
	if version != 2 && version != 3 {
		return fmt.Errorf("version %d is not known", version)
	}
	if _, err := g.u64(); err != nil { // tensors
		return err
	}
	keys, err := g.u64()
	if err != nil {
		return err
	}
	if keys > maxKeys {
		return fmt.Errorf("it claims %d metadata keys", keys)
	}
	for range keys {
		key, err := g.str()
		if err != nil {
			return err
		}
		value, err := g.value()
		if err != nil {
			return err
		}
		h.take(key, value)
	}
	return nil
}

// take keeps the value of a key that matters.
func (h *header) take(key string, value any) {
	switch key {
	case "general.type":
		h.kind, _ = value.(string)
	case "general.architecture":
		h.architecture, _ = value.(string)
	case "tokenizer.chat_template":
		_, h.template = value.(string)
	case "tokenizer.ggml.eos_token_id":
		h.eos = asInt(value)
	case "tokenizer.ggml.eot_token_id":
		h.eot = asInt(value)
	case "adapter.lora.alpha":
		h.alpha, _ = value.(float64)
	case h.architecture + ".context_length":
		h.context = max(0, asInt(value))
	case h.architecture + ".attention.causal":
		if b, ok := value.(bool); ok {
			h.causal = b
		}
	case h.architecture + ".pooling_type":
		h.pooling = asInt(value) > 0
	}
}

func asInt(v any) int {
	if n, ok := v.(int64); ok && n >= 0 && n < 1<<31 {
		return int(n)
	}
	return -1
}

// The value types of GGUF.
const (
	ggufU8, ggufI8, ggufU16, ggufI16, ggufU32, ggufI32, ggufF32 = 0, 1, 2, 3, 4, 5, 6
	ggufBool, ggufString, ggufArray, ggufU64, ggufI64, ggufF64  = 7, 8, 9, 10, 11, 12
)

var ggufSize = map[uint32]int{ggufU8: 1, ggufI8: 1, ggufBool: 1, ggufU16: 2, ggufI16: 2, ggufU32: 4, ggufI32: 4, ggufF32: 4, ggufU64: 8, ggufI64: 8, ggufF64: 8}

// value reads one value: int64, float64, bool or string. Arrays are passed over.
func (g *ggufReader) value() (any, error) {
	kind, err := g.u32()
	if err != nil {
		return nil, err
	}
	switch {
	case kind == ggufString:
		return g.str()
	case kind == ggufArray:
		return nil, g.skipArray()
	case ggufSize[kind] == 0:
		return nil, fmt.Errorf("metadata type %d is not known", kind)
	}
	b := make([]byte, 8)
	if _, err := io.ReadFull(g.r, b[:ggufSize[kind]]); err != nil {
		return nil, err
	}
	return scalar(kind, b), nil
}

func (g *ggufReader) skipArray() error {
	kind, err := g.u32()
	if err != nil {
		return err
	}
	n, err := g.u64()
	if err != nil {
		return err
	}
	if n > maxArray {
		return fmt.Errorf("it claims an array of %d values", n)
	}
	if size := ggufSize[kind]; size > 0 {
		_, err := io.CopyN(io.Discard, g.r, int64(n)*int64(size))
		return err
	}
	if kind != ggufString {
		return fmt.Errorf("an array of type %d is not known", kind)
	}
	for range n {
		length, err := g.u64()
		if err != nil {
			return err
		}
		if length > maxString {
			return fmt.Errorf("it claims a text of %d bytes", length)
		}
		if _, err := io.CopyN(io.Discard, g.r, int64(length)); err != nil {
			return err
		}
	}
	return nil
}

func (g *ggufReader) u32() (uint32, error) {
	var b [4]byte
	_, err := io.ReadFull(g.r, b[:])
	return binary.LittleEndian.Uint32(b[:]), err
}

func (g *ggufReader) u64() (uint64, error) {
	var b [8]byte
	_, err := io.ReadFull(g.r, b[:])
	return binary.LittleEndian.Uint64(b[:]), err
}

func (g *ggufReader) str() (string, error) {
	n, err := g.u64()
	if err != nil {
		return "", err
	}
	if n > maxString {
		return "", fmt.Errorf("it claims a text of %d bytes", n)
	}
	// Read in parts, so that a false length does not take memory that the file cannot fill.
	b, err := io.ReadAll(io.LimitReader(g.r, int64(n)))
	if err == nil && uint64(len(b)) < n {
		err = io.ErrUnexpectedEOF
	}
	return string(b), err
}
