package engine

import (
	"bufio"
	"bytes"
	"os"
	"path/filepath"
	"testing"

	"github.com/rung-dev/rung"
)

// ggufFile is a small file as the gguf package of Python writes it: version 3, no tensors, four keys.
func ggufFile() []byte {
	var b bytes.Buffer
	u32 := func(n uint32) { b.Write([]byte{byte(n), byte(n >> 8), byte(n >> 16), byte(n >> 24)}) }
	u64 := func(n uint64) { u32(uint32(n)); u32(uint32(n >> 32)) }
	text := func(s string) { u64(uint64(len(s))); b.WriteString(s) }
	b.WriteString("GGUF")
	u32(3)
	u64(0)
	u64(4)
	text("general.architecture")
	u32(ggufString)
	text("bert")
	text("bert.context_length")
	u32(ggufU32)
	u32(512)
	text("tokenizer.ggml.tokens")
	u32(ggufArray)
	u32(ggufString)
	u64(2)
	text("a")
	text("b")
	text("bert.attention.causal")
	u32(ggufBool)
	b.WriteByte(0)
	return b.Bytes()
}

func TestReadHeader(t *testing.T) {
	path := filepath.Join(t.TempDir(), "m.gguf")
	if err := os.WriteFile(path, ggufFile(), 0o644); err != nil {
		t.Fatal(err)
	}
	h, err := readHeader(path)
	if err != nil || h.architecture != "bert" || h.context != 512 || h.causal || !h.embeds() || h.eos != -1 {
		t.Errorf("got %+v, %v", h, err)
	}
	whole := ggufFile()
	for n := range whole { // cut anywhere
		if err := os.WriteFile(path, whole[:n], 0o644); err != nil {
			t.Fatal(err)
		}
		if _, err := readHeader(path); rung.CodeOf(err) != rung.CodeInput {
			t.Fatalf("cut after %d bytes: %v", n, err)
		}
	}
}

func FuzzReadHeader(f *testing.F) {
	f.Add(ggufFile())
	f.Add([]byte("GGUF\x02\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\xff\xff\x00\x00\x00\x00\x00\x00\xff\xff\xff\xff\xff\xff\xff\xff"))
	f.Fuzz(func(t *testing.T, b []byte) {
		h := header{causal: true, eos: -1, eot: -1}
		err := (&ggufReader{r: bufio.NewReader(bytes.NewReader(b))}).header(&h)
		if err == nil && (len(b) < 24 || h.context < 0 || h.eos < -1) {
			t.Fatalf("took %d bytes for %+v", len(b), h)
		}
	})
}
