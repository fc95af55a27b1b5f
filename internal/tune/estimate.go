package tune

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"github.com/rung-dev/rung"
)

// shape is the size of a llama-like model.
type shape struct {
	arch                  string
	layers, hidden, inner int64
	heads, kv, headSize   int64
	vocabulary, context   int64
	parameters            int64
}

func (s *shape) check() error {
	if s.kv == 0 {
		s.kv = s.heads
	}
	if s.headSize == 0 && s.heads > 0 {
		s.headSize = s.hidden / s.heads
	}
	for _, n := range []int64{s.layers, s.hidden, s.inner, s.heads, s.vocabulary} {
		if n <= 0 || n > 1<<24 {
			return errors.New("it does not say the size of its layers")
		}
	}
	if s.parameters == 0 {
		s.parameters = 2*s.vocabulary*s.hidden + s.layers*s.linear()
	}
	return nil
}

// linear is the number of weights in one block's projections.
func (s *shape) linear() int64 {
	n := int64(0)
	for _, t := range AllLinear {
		in, out := s.projection(t)
		n += in * out
	}
	return n
}

// projection is the input and output width of a target module.
func (s *shape) projection(target string) (in, out int64) {
	switch target {
	case "q_proj":
		return s.hidden, s.heads * s.headSize
	case "k_proj", "v_proj":
		return s.hidden, s.kv * s.headSize
	case "o_proj":
		return s.heads * s.headSize, s.hidden
	case "gate_proj", "up_proj":
		return s.hidden, s.inner
	case "down_proj":
		return s.inner, s.hidden
	}
	return 0, 0
}

// readShape reads the shape of a base model: a GGUF file's header or a Hugging Face folder's config.json.
func readShape(base string) (shape, error) {
	info, err := os.Stat(base)
	if err != nil {
		return shape{}, &rung.Error{Code: rung.CodeInput, Place: base, What: "the base model cannot be read: " + err.Error(), Do: "run `rung doctor`", Err: err}
	}
	if !info.IsDir() {
		return readGGUF(base)
	}
	path := filepath.Join(base, "config.json")
	s, err := folderShape(path)
	if err == nil {
		err = s.check()
	}
	if err != nil {
		return s, &rung.Error{Code: rung.CodeInput, Place: path, What: "the base model's configuration cannot be read: " + err.Error(), Do: "download the model again", Err: err}
	}
	return s, nil
}

func folderShape(path string) (shape, error) {
	b, err := os.ReadFile(path)
	if err != nil {
		return shape{}, err
	}
	var c struct {
		Type       string `json:"model_type"`
		Layers     int64  `json:"num_hidden_layers"`
		Hidden     int64  `json:"hidden_size"`
		Inner      int64  `json:"intermediate_size"`
		Heads      int64  `json:"num_attention_heads"`
		KV         int64  `json:"num_key_value_heads"`
		HeadSize   int64  `json:"head_dim"`
		Vocabulary int64  `json:"vocab_size"`
		Context    int64  `json:"max_position_embeddings"`
	}
	if err := json.Unmarshal(b, &c); err != nil {
		return shape{}, err
	}
	return shape{arch: c.Type, layers: c.Layers, hidden: c.Hidden, inner: c.Inner, heads: c.Heads, kv: c.KV,
		headSize: c.HeadSize, vocabulary: c.Vocabulary, context: c.Context}, nil
}

// Estimate says whether a job fits into the memory of this machine.
type Estimate struct {
	PeakBytes      int64  // resident memory of the worker at its highest
	AvailableBytes int64  // what this machine can give now; 0: not known
	Fits           bool   // true also when AvailableBytes is not known
	Detail         string // where the bytes go, for a person
	maxPositions   int    // of one forward and backward, so that it fits; 0: no limit
}

// What Python, torch, transformers and PEFT need before any model: measured resident set of the worker after its imports.
const runtimeBytes = 800 << 20

// headRows is how many rows of logits the worker holds at once, in float32, three times over.
const headRows = 128

// defaultPositions is the most positions that the worker computes at once; a larger batch is cut and its gradients summed.
const defaultPositions = 4096

// EstimateMemory tells what training the job needs. The formula: the runtime, the weights in the training type and once more
// while they are dequantised, the adapters with their gradients and two moments in float32, and the activations that the
// backward needs, of the plain path, because a job may have to fall back to it. Its constants were measured with SmolLM2-135M and
// scale with the model's sizes; bench/train/memory.py prints estimate and measurement side by side.
//
// The error is CodeInput when the base cannot be read.
func EstimateMemory(job Job) (Estimate, error) {
	s, err := readShape(job.Base)
	if err != nil {
		return Estimate{}, err
	}
	return estimate(s, job, availableMemory()), nil
}

func estimate(s shape, job Job, available int64) Estimate {
	longest, batch := 0, 0
	for _, r := range append(job.Train[:len(job.Train):len(job.Train)], job.Dev...) {
		longest = max(longest, r.Len())
	}
	var adapters int64
	for _, p := range job.grid(s.parameters) {
		batch = max(batch, p.BatchSize)
		adapters = max(adapters, adapterWeights(s, p)*4*4)
	}
	wide := trainingBytes()
	weights := s.parameters * (4 + wide) // float32 while it is dequantised, then the training type
	head := 3 * headRows * s.vocabulary * 4
	fixed := runtimeBytes + weights + adapters + head
	perRow := func(positions int64) int64 { return positions * s.activationBytes(positions, wide) }
	want := min(int64(longest)*int64(batch), defaultPositions)
	e := Estimate{AvailableBytes: available, maxPositions: defaultPositions}
	e.PeakBytes = fixed + int64(batch)*perRow(int64(longest))
	if want < int64(longest)*int64(batch) {
		e.PeakBytes = fixed + max(1, want/int64(longest))*perRow(int64(longest))
	}
	if available > 0 && e.PeakBytes > available { // cut the batches down to single rows
		e.maxPositions = max(longest, 1)
		e.PeakBytes = fixed + perRow(int64(longest))
	}
	e.Fits = available <= 0 || e.PeakBytes <= available
	e.Detail = fmt.Sprintf("Python %s, weights %s, adapters with optimizer %s, logits %s, activations %s for rows of up to %d tokens",
		mib(runtimeBytes), mib(weights), mib(adapters), mib(head), mib(e.PeakBytes-fixed), longest)
	return e
}

// activationBytes is what one position keeps for the backward in a row of so many positions, in bytes, on the plain path: the
// residual stream, the norms and the adapters' inputs, the projections, the gated activation, and the attention weights.
func (s *shape) activationBytes(length, wide int64) int64 {
	perLayer := 12*s.hidden + 3*(s.heads+2*s.kv)*s.headSize + 6*s.inner
	return s.layers * (perLayer*(wide+1) + 5*wide*s.heads*length)
}

func adapterWeights(s shape, p rung.AdapterParams) int64 {
	var n int64
	for _, t := range p.Targets {
		in, out := s.projection(t)
		n += (in + out) * int64(p.Rank)
	}
	return n * s.layers
}

func mib(n int64) string {
	if n >= 10<<30 {
		return fmt.Sprintf("%.1f GiB", float64(n)/(1<<30))
	}
	return fmt.Sprintf("%d MiB", n>>20)
}

// grid is the job's own, or the default one for a model of so many parameters.
func (j Job) grid(parameters int64) []rung.AdapterParams {
	if len(j.Grid) > 0 {
		return j.Grid
	}
	return DefaultGrid(parameters, j.wall(), j.MaxRank)
}

// refusal is the error for a job that does not fit.
func (e Estimate) refusal() error {
	return &rung.Error{Code: rung.CodeCapacity,
		What: fmt.Sprintf("training needs about %s of memory and %s are free (%s)", mib(e.PeakBytes), mib(e.AvailableBytes), e.Detail),
		Do:   "close other programs, shorten the instructions and examples, or train a smaller model"}
}
