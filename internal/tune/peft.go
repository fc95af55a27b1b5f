package tune

import (
	"bufio"
	"bytes"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"

	"github.com/rung-dev/rung"
)

// An adapter is served as GGUF and used elsewhere as PEFT's folder. The folder is made from the very file that was evaluated,
// so that it is that adapter also where another checkpoint had the lower dev loss. Both hold float32: nothing is lost.

// PEFT is an adapter as PEFT keeps it.
type PEFT struct {
	Config  []byte // adapter_config.json
	Weights []byte // adapter_model.safetensors
}

// The names of PEFT's files.
const (
	PEFTConfigName  = "adapter_config.json"
	PEFTWeightsName = "adapter_model.safetensors"
)

// maxAdapter bounds the file that is read into memory.
const maxAdapter = 4 << 30

// modules are the names in transformers of a block's tensors in GGUF; rungworker/adapter.py has them the other way round.
var modules = map[string]string{
	"attn_q": "self_attn.q_proj", "attn_k": "self_attn.k_proj", "attn_v": "self_attn.v_proj", "attn_output": "self_attn.o_proj",
	"ffn_gate": "mlp.gate_proj", "ffn_up": "mlp.up_proj", "ffn_down": "mlp.down_proj",
}

var loraName = regexp.MustCompile(`^blk\.(\d{1,4})\.(\w+)\.weight\.lora_([ab])$`)

// PEFTOf makes the PEFT form of the adapter in a GGUF file. base is the GGUF file or the folder of the model that it is for;
// published is the name under which others load that model, and may be empty. Errors: CodeInput for a file that is no such
// adapter.
func PEFTOf(path string, params rung.AdapterParams, base, published string) (PEFT, error) {
	s, err := readShape(base)
	if err != nil {
		return PEFT{}, err
	}
	tensors, err := readAdapter(path)
	if err == nil {
		err = toPEFT(tensors, s)
	}
	if err != nil {
		return PEFT{}, &rung.Error{Code: rung.CodeInput, Place: path, What: "the adapter cannot be written for PEFT: " + err.Error(), Do: "export it as GGUF", Err: err}
	}
	weights, err := safetensors(tensors)
	if err != nil {
		return PEFT{}, err
	}
	config, err := peftConfig(params, published, filepath.Base(base))
	return PEFT{Config: config, Weights: weights}, err
}

// peftConfig is adapter_config.json. What PEFT has a default for is left to it.
func peftConfig(p rung.AdapterParams, published, file string) ([]byte, error) {
	if published == "" {
		published = strings.TrimSuffix(file, filepath.Ext(file))
	}
	targets := slices.Sorted(slices.Values(p.Targets))
	b, err := json.MarshalIndent(map[string]any{
		"peft_type": "LORA", "task_type": "CAUSAL_LM", "base_model_name_or_path": published, "inference_mode": true,
		"r": p.Rank, "lora_alpha": p.Alpha, "lora_dropout": p.Dropout, "target_modules": targets, "bias": "none",
		"fan_in_fan_out": false, "init_lora_weights": true, "use_rslora": false, "use_dora": false, "modules_to_save": nil,
	}, "", "  ")
	return append(b, '\n'), err
}

// tensor is one float32 matrix in rows.
type tensor struct {
	name       string
	rows, cols int64
	data       []byte // little endian
}

func readAdapter(path string) ([]tensor, error) {
	info, err := os.Stat(path)
	if err != nil {
		return nil, err
	}
	if info.Size() > maxAdapter {
		return nil, fmt.Errorf("it has %d bytes, at most %d are read", info.Size(), int64(maxAdapter))
	}
	raw, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	return parseAdapter(raw)
}

// parseAdapter reads the tensors of a GGUF adapter, which may be damaged or hostile.
func parseAdapter(raw []byte) ([]tensor, error) {
	g := &ggufReader{r: bufio.NewReader(bytes.NewReader(raw))}
	meta, n, err := g.header()
	if err != nil {
		return nil, early(err)
	}
	if kind, _ := meta["general.type"].(string); kind != "adapter" {
		return nil, errors.New("it is no adapter")
	}
	type place struct {
		tensor
		offset uint64
	}
	var found []place
	for range n {
		t, offset, err := g.matrix()
		if err != nil {
			return nil, early(err)
		}
		found = append(found, place{t, offset})
	}
	align := int64(32)
	if a, ok := meta["general.alignment"].(int64); ok && a > 0 && a <= 1<<20 {
		align = a
	}
	start := (g.read + align - 1) / align * align
	out := make([]tensor, 0, len(found))
	for _, p := range found {
		size := 4 * p.rows * p.cols
		if p.offset > uint64(len(raw)) || start+int64(p.offset)+size > int64(len(raw)) {
			return nil, early(io.ErrUnexpectedEOF)
		}
		at := start + int64(p.offset)
		p.data = raw[at : at+size : at+size]
		out = append(out, p.tensor)
	}
	return out, nil
}

func early(err error) error {
	if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
		return errors.New("the file ends too early")
	}
	return err
}

// matrix reads one entry of the tensor table: a matrix of float32.
func (g *ggufReader) matrix() (t tensor, offset uint64, err error) {
	if t.name, err = g.str(); err != nil {
		return t, 0, err
	}
	dims, err := g.u32()
	if err != nil {
		return t, 0, err
	}
	if dims != 2 {
		return t, 0, fmt.Errorf("the tensor %.80q has %d dimensions", t.name, dims)
	}
	cols, err := g.u64() // the fastest dimension comes first
	if err != nil {
		return t, 0, err
	}
	rows, err := g.u64()
	if err != nil {
		return t, 0, err
	}
	if cols == 0 || rows == 0 || cols > 1<<24 || rows > 1<<24 {
		return t, 0, fmt.Errorf("the tensor %.80q claims %d by %d", t.name, rows, cols)
	}
	t.rows, t.cols = int64(rows), int64(cols)
	kind, err := g.u32()
	if err != nil {
		return t, 0, err
	}
	if kind != 0 {
		return t, 0, fmt.Errorf("the tensor %.80q is not float32", t.name)
	}
	offset, err = g.u64()
	return t, offset, err
}

// toPEFT gives the tensors PEFT's names and the row order of transformers.
func toPEFT(tensors []tensor, s shape) error {
	for i := range tensors {
		t := &tensors[i]
		m := loraName.FindStringSubmatch(t.name)
		if m == nil || modules[m[2]] == "" {
			return fmt.Errorf("it has a tensor %.80q", t.name)
		}
		heads := map[string]int64{"attn_q": s.heads, "attn_k": s.kv}[m[2]]
		if s.arch == "llama" && m[3] == "b" && heads > 0 {
			if t.rows%(2*heads) != 0 {
				return fmt.Errorf("%s has %d rows, which %d heads do not divide", t.name, t.rows, heads)
			}
			t.data = deinterleave(t.data, heads, t.rows, t.cols)
		}
		t.name = fmt.Sprintf("base_model.model.model.layers.%s.%s.lora_%s.weight", m[1], modules[m[2]], strings.ToUpper(m[3]))
	}
	return nil
}

// deinterleave undoes what rungworker/adapter.py did to the rows of q and k: llama.cpp's rotation pairs neighbours, that of
// transformers pairs the two halves of a head.
func deinterleave(data []byte, heads, rows, cols int64) []byte {
	out := make([]byte, len(data))
	width, half := 4*cols, rows/heads/2
	for h := range heads {
		for j := range half {
			for p := range int64(2) {
				from, to := h*2*half+2*j+p, h*2*half+p*half+j
				copy(out[to*width:(to+1)*width], data[from*width:(from+1)*width])
			}
		}
	}
	return out
}

// safetensors writes tensors in the format of that name: the length of the header, the header, the data. Names come in order,
// so that the same tensors give the same bytes.
func safetensors(tensors []tensor) ([]byte, error) {
	slices.SortFunc(tensors, func(a, b tensor) int { return strings.Compare(a.name, b.name) })
	header := map[string]any{"__metadata__": map[string]string{"format": "pt"}}
	total := int64(0)
	for _, t := range tensors {
		size := int64(len(t.data))
		header[t.name] = map[string]any{"dtype": "F32", "shape": []int64{t.rows, t.cols}, "data_offsets": []int64{total, total + size}}
		total += size
	}
	head, err := json.Marshal(header)
	if err != nil {
		return nil, err
	}
	for len(head)%8 != 0 {
		head = append(head, ' ')
	}
	if total > math.MaxInt-int64(len(head))-8 {
		return nil, errors.New("the adapter is too large")
	}
	out := binary.LittleEndian.AppendUint64(make([]byte, 0, 8+int64(len(head))+total), uint64(len(head)))
	out = append(out, head...)
	for _, t := range tensors {
		out = append(out, t.data...)
	}
	return out, nil
}
