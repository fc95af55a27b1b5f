package tune

import (
	"bytes"
	"encoding/binary"
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/rung-dev/rung"
)

// ggufFile is a GGUF header with a llama's sizes, one tensor of 64 F32 weights, and its data.
func ggufFile() []byte {
	var b bytes.Buffer
	le := func(v any) { _ = binary.Write(&b, binary.LittleEndian, v) }
	str := func(s string) { le(uint64(len(s))); b.WriteString(s) }
	sizes := map[string]uint32{"block_count": 30, "embedding_length": 576, "feed_forward_length": 1536,
		"attention.head_count": 9, "attention.head_count_kv": 3, "context_length": 8192}
	b.WriteString("GGUF")
	le(uint32(3))
	le(uint64(1))
	le(uint64(len(sizes) + 2))
	str("general.architecture")
	le(uint32(kindString))
	str("llama")
	for k, v := range sizes {
		str("llama." + k)
		le(uint32(4))
		le(v)
	}
	str("tokenizer.ggml.tokens")
	le(uint32(kindArray))
	le(uint32(kindString))
	le(uint64(3))
	for _, token := range []string{"a", "b", "c"} {
		str(token)
	}
	str("token_embd.weight")
	le(uint32(2))
	le(uint64(8))
	le(uint64(8))
	le(uint32(0))
	le(uint64(0))
	b.Write(make([]byte, 32-b.Len()%32))
	b.Write(make([]byte, 64*4))
	return b.Bytes()
}

func write(t *testing.T, b []byte) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "m.gguf")
	if err := os.WriteFile(path, b, 0o644); err != nil {
		t.Fatal(err)
	}
	return path
}

func TestReadGGUFFindsTheShape(t *testing.T) {
	got, err := readGGUF(write(t, ggufFile()))
	if err != nil {
		t.Fatal(err)
	}
	want := shape{arch: "llama", layers: 30, hidden: 576, inner: 1536, heads: 9, kv: 3, headSize: 64, vocabulary: 3, context: 8192, parameters: 64}
	if got != want {
		t.Errorf("%+v, want %+v", got, want)
	}
}

// Wherever a file is cut, the answer is one clear error.
func TestReadGGUFRefusesEveryTruncation(t *testing.T) {
	whole := ggufFile()
	for n := range whole {
		_, err := readGGUF(write(t, whole[:n]))
		if rung.CodeOf(err) != rung.CodeInput || !strings.Contains(err.Error(), "download it again") {
			t.Fatalf("cut at byte %d of %d: %v", n, len(whole), err)
		}
	}
}

func FuzzReadGGUF(f *testing.F) {
	f.Add(ggufFile())
	f.Add([]byte("GGUF"))
	f.Fuzz(func(t *testing.T, b []byte) {
		path := filepath.Join(t.TempDir(), "m.gguf")
		if err := os.WriteFile(path, b, 0o644); err != nil {
			t.Fatal(err)
		}
		if s, err := readGGUF(path); err == nil && (s.layers <= 0 || s.hidden <= 0) {
			t.Errorf("accepted with the shape %+v", s)
		}
	})
}

func smolShape() shape {
	return shape{arch: "llama", layers: 30, hidden: 576, inner: 1536, heads: 9, kv: 3, headSize: 64, vocabulary: 49152, context: 8192, parameters: 134_515_008}
}

func rowOf(prompt, completion int) Row {
	r := Row{Prompt: make([]int, prompt), Completion: make([]int, completion)}
	for i := range r.Prompt {
		r.Prompt[i] = 7 + i%90
	}
	for i := range r.Completion {
		r.Completion[i] = 9 + i%90
	}
	return r
}

func TestEstimateGrowsWithRowsAndRefuses(t *testing.T) {
	job := Job{Train: []Row{rowOf(60, 30)}, Dev: []Row{rowOf(60, 30)}, Wall: time.Minute}
	small := estimate(smolShape(), job, 8<<30)
	if !small.Fits {
		t.Fatalf("short rows do not fit into 8 GiB: %+v", small)
	}
	job.Train[0] = rowOf(1900, 100)
	long := estimate(smolShape(), job, 64<<30)
	if long.PeakBytes <= small.PeakBytes {
		t.Errorf("rows of 2000 tokens need %d, of 90 %d", long.PeakBytes, small.PeakBytes)
	}
	squeezed := estimate(smolShape(), job, long.PeakBytes-1<<20)
	if !squeezed.Fits || squeezed.maxPositions != 2000 {
		t.Errorf("a batch that does not fit should be cut to single rows: %+v", squeezed)
	}
	none := estimate(smolShape(), job, 3<<29)
	if none.Fits || rung.CodeOf(none.refusal()) != rung.CodeCapacity {
		t.Errorf("2000 tokens in 1.5 GiB: %+v", none)
	}
}

func TestDigestNamesWhatShapesTheResult(t *testing.T) {
	job := func() Job {
		return Job{Base: "/a/m.gguf", BaseDigest: "d", Train: copyRows(4, 1), Dev: copyRows(2, 2), Seed: 1, Wall: time.Minute, Dir: "/x"}
	}
	base := job().Digest()
	for name, change := range map[string]func(*Job){
		"row": func(j *Job) { j.Train[0].Completion[0]++ }, "dev": func(j *Job) { j.Dev = j.Dev[:1] }, "seed": func(j *Job) { j.Seed++ },
		"wall": func(j *Job) { j.Wall++ }, "base": func(j *Job) { j.BaseDigest = "e" }, "grid": func(j *Job) { j.Grid = DefaultGrid(1e8, time.Hour, 0) },
	} {
		if j := job(); func() rung.Digest { change(&j); return j.Digest() }() == base {
			t.Errorf("another %s has the same digest", name)
		}
	}
	if j := job(); func() rung.Digest { j.Dir = "/y"; j.Base = "/b/m.gguf"; return j.Digest() }() != base {
		t.Error("the digest depends on where files are")
	}
}

func TestDefaultGridScalesWithTheModel(t *testing.T) {
	small, large := DefaultGrid(135e6, 20*time.Minute, 0), DefaultGrid(7e9, 20*time.Minute, 0)
	if small[0].LearningRate <= large[0].LearningRate {
		t.Errorf("135M at %g, 7B at %g", small[0].LearningRate, large[0].LearningRate)
	}
	if n := len(DefaultGrid(135e6, time.Minute, 0)); n != 1 {
		t.Errorf("a minute is no time to compare %d configurations", n)
	}
	seen := map[string]bool{}
	for _, p := range DefaultGrid(135e6, time.Hour, 4) {
		if p.Rank > 4 {
			t.Errorf("rank %d above the limit", p.Rank)
		}
		if seen[describe(p)] {
			t.Errorf("%s twice", describe(p))
		}
		seen[describe(p)] = true
	}
}

// The JSON of a result is what the worker writes and what the store keeps.
func TestTrainedSurvivesJSON(t *testing.T) {
	want := Trained{Adapter: "a.gguf", Digest: "d", Params: tinyParams(1e-3), DevLoss: .5, Trials: []Trial{{Label: "x", Diverged: true}},
		Curve: []CurvePoint{{4, .5}}, Checkpoints: []Checkpoint{{"a.gguf", "d", 4, .5}, {"b.gguf", "e", 8, .4}, {"c.gguf", "f", 12, .6}}}
	b, err := json.Marshal(want)
	if err != nil {
		t.Fatal(err)
	}
	var got Trained
	if err := json.Unmarshal(b, &got); err != nil {
		t.Fatal(err)
	}
	if d := cmp.Diff(want, got); d != "" {
		t.Error(d)
	}
	if c := got.Candidates(); len(c) != 2 || c[0].Adapter != "b.gguf" || c[1].Adapter != "a.gguf" {
		t.Errorf("candidates %+v", c)
	}
}
