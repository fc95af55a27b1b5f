package retrieve

import (
	"bytes"
	"encoding/binary"
	"encoding/json"
	"errors"
	"math"

	"github.com/rung-dev/rung"
)

// An index on disk: the format's name, the length of the header (8 bytes, little endian), the header's JSON, the vectors as
// little-endian float32, and the SHA-256 of all that (hex). The postings are rebuilt: that is quicker than reading them.
const format = "rung-index-1\n"

type header struct {
	Format   string         `json:"format"`
	Settings Settings       `json:"settings"`
	Passages []rung.Passage `json:"passages"`
	Dim      int            `json:"dim,omitempty"`
}

// Bytes is the index in a form that Load reads.
func (x *Index) Bytes() ([]byte, error) {
	h := header{Format: format, Settings: x.settings, Passages: x.passages}
	var flat []float32
	if x.vectors != nil {
		h.Dim, flat = x.vectors.dim, x.vectors.flat
	}
	head, err := json.Marshal(h)
	if err != nil {
		return nil, err
	}
	out := make([]byte, 0, len(format)+8+len(head)+4*len(flat)+64)
	out = append(out, format...)
	out = binary.LittleEndian.AppendUint64(out, uint64(len(head)))
	out = append(out, head...)
	for _, f := range flat {
		out = binary.LittleEndian.AppendUint32(out, math.Float32bits(f))
	}
	return append(out, rung.DigestBytes(out)...), nil
}

// Load reads an index. embed is needed to search one that has vectors: answering by BM25 alone would not be what was evaluated.
func Load(data []byte, embed EmbedFunc) (*Index, error) {
	h, vectors, err := parse(data)
	if err != nil {
		return nil, &rung.Error{Code: rung.CodeStore, What: "the stored index is damaged: " + err.Error(), Do: "delete it; the next run builds it again", Err: err}
	}
	x := newIndex(h.Passages, h.Settings)
	if h.Dim > 0 {
		x.vectors = &dense{dim: h.Dim, flat: vectors}
		x.embed = embed
	}
	return x, nil
}

func parse(data []byte) (h header, vectors []float32, err error) {
	if len(data) < len(format)+8+64 || !bytes.HasPrefix(data, []byte(format)) {
		return h, nil, errors.New("it does not start as an index")
	}
	body, sum := data[:len(data)-64], data[len(data)-64:]
	if string(rung.DigestBytes(body)) != string(sum) {
		return h, nil, errors.New("its checksum is wrong")
	}
	body = body[len(format):]
	n := binary.LittleEndian.Uint64(body)
	body = body[8:]
	if n > uint64(len(body)) {
		return h, nil, errors.New("it ends too early")
	}
	if err := json.Unmarshal(body[:n], &h); err != nil {
		return h, nil, err
	}
	body = body[n:]
	if h.Dim < 0 || h.Dim > 1<<20 || len(body) != 4*h.Dim*len(h.Passages) {
		return h, nil, errors.New("its vectors do not match its passages")
	}
	vectors = make([]float32, len(body)/4)
	for i := range vectors {
		vectors[i] = math.Float32frombits(binary.LittleEndian.Uint32(body[4*i:]))
	}
	return h, vectors, nil
}
