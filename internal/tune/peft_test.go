package tune

import (
	"encoding/binary"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/rung-dev/rung"
)

// The folder that is made from the GGUF file holds the very numbers that PEFT itself saved for the best checkpoint.
func TestPEFTOfTheFileIsWhatPEFTSaved(t *testing.T) {
	trained := undisturbed(t)
	made, err := PEFTOf(trained.Adapter, trained.Params, tinyBase(t), "acme/tiny")
	if err != nil {
		t.Fatal(err)
	}
	saved, err := os.ReadFile(filepath.Join(trained.PEFTDir, PEFTWeightsName))
	if err != nil {
		t.Fatal(err)
	}
	want, got := tensorsOf(t, saved), tensorsOf(t, made.Weights)
	if len(got) == 0 || len(got) != len(want) {
		t.Fatalf("%d tensors, PEFT saved %d", len(got), len(want))
	}
	for name, data := range want {
		if got[name] != data {
			t.Errorf("%s is not what PEFT saved", name)
		}
	}
	var config map[string]any
	if err := json.Unmarshal(made.Config, &config); err != nil || config["base_model_name_or_path"] != "acme/tiny" || config["r"] != float64(trained.Params.Rank) {
		t.Errorf("%v: %s", err, made.Config)
	}
}

// tensorsOf gives shape and data of each tensor of a safetensors file as one string.
func tensorsOf(t *testing.T, raw []byte) map[string]string {
	t.Helper()
	n := binary.LittleEndian.Uint64(raw)
	var head map[string]json.RawMessage
	if err := json.Unmarshal(raw[8:8+n], &head); err != nil {
		t.Fatal(err)
	}
	out := map[string]string{}
	for name, v := range head {
		if name == "__metadata__" {
			continue
		}
		var entry struct {
			Dtype   string
			Shape   []int
			Offsets [2]uint64 `json:"data_offsets"`
		}
		if err := json.Unmarshal(v, &entry); err != nil {
			t.Fatal(err)
		}
		shape, _ := json.Marshal(entry.Shape)
		out[name] = entry.Dtype + string(shape) + string(raw[8+n+entry.Offsets[0]:8+n+entry.Offsets[1]])
	}
	return out
}

const sameAnswers = `
import sys, torch
from peft import PeftModel
from transformers import AutoModelForCausalLM
base, peft, merged = sys.argv[1:]
ids = torch.arange(1, 20)[None]
with torch.no_grad():
    want = PeftModel.from_pretrained(AutoModelForCausalLM.from_pretrained(base, dtype=torch.float32), peft)(ids).logits
    plain = AutoModelForCausalLM.from_pretrained(base, dtype=torch.float32)(ids).logits
    got = AutoModelForCausalLM.from_pretrained(merged, dtype=torch.float32)(ids).logits
print(float((got - want).abs().max()), float((plain - want).abs().max()))
`

// The merged model answers as base and adapter together do, up to the rounding of bfloat16.
func TestMergeGivesTheModelOfBaseAndAdapter(t *testing.T) {
	trained, base := undisturbed(t), tinyBase(t)
	made, err := PEFTOf(trained.Adapter, trained.Params, base, "")
	if err != nil {
		t.Fatal(err)
	}
	peft, out := t.TempDir(), filepath.Join(t.TempDir(), "merged")
	for name, b := range map[string][]byte{PEFTConfigName: made.Config, PEFTWeightsName: made.Weights} {
		if err := os.WriteFile(filepath.Join(peft, name), b, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	trainer := tinyTrainer(t)
	merged, err := trainer.Merge(t.Context(), Merge{Base: base, PEFT: peft, Out: out})
	if err != nil {
		t.Fatal(err)
	}
	if merged.Modules == 0 {
		t.Error("nothing was merged")
	}
	said, err := exec.CommandContext(t.Context(), trainPython(t), "-c", sameAnswers, base, peft, out).Output()
	if err != nil {
		t.Fatal(err)
	}
	var gap, effect float64
	if _, err := fmt.Sscan(string(said), &gap, &effect); err != nil {
		t.Fatal(err)
	}
	t.Logf("gap %g, effect %g", gap, effect)
	if gap > .05 || effect < 4*gap || effect == 0 {
		t.Errorf("the merged model's logits differ by %g; the adapter itself moves them by %g", gap, effect)
	}
	if _, err := trainer.Merge(t.Context(), Merge{Base: base, PEFT: peft, Out: out}); rung.CodeOf(err) != rung.CodeConflict {
		t.Errorf("merging into a folder that holds a model gives %v", err)
	}
	if err := os.WriteFile(filepath.Join(peft, PEFTWeightsName), []byte("nothing"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := trainer.Merge(t.Context(), Merge{Base: base, PEFT: peft, Out: out + "2"}); rung.CodeOf(err) != rung.CodeInput {
		t.Errorf("a damaged adapter gives %v", err)
	}
}

func TestMergeWithoutTheWorkerSaysHowToGetIt(t *testing.T) {
	t.Setenv("RUNG_PYTHON_TRAIN", "")
	t.Setenv("RUNG_CACHE", t.TempDir())
	_, err := New(Options{}).Merge(t.Context(), Merge{Base: "b", PEFT: "p", Out: "o"})
	if rung.CodeOf(err) != rung.CodeMissing || !strings.Contains(err.Error(), "rung setup --training") {
		t.Error(err)
	}
}

func FuzzParseAdapter(f *testing.F) {
	f.Add(ggufFile())
	f.Add(adapterFile(4, 8))
	f.Fuzz(func(t *testing.T, raw []byte) {
		tensors, err := parseAdapter(raw)
		if err != nil {
			return
		}
		if err := toPEFT(tensors, shape{arch: "llama", heads: 2, kv: 1}); err != nil {
			return
		}
		if _, err := safetensors(tensors); err != nil {
			t.Error(err)
		}
	})
}

// adapterFile is a GGUF adapter with one pair of matrices of q.
func adapterFile(rank, size uint64) []byte {
	b := []byte("GGUF")
	u32 := func(n uint32) { b = binary.LittleEndian.AppendUint32(b, n) }
	u64 := func(n uint64) { b = binary.LittleEndian.AppendUint64(b, n) }
	str := func(s string) { u64(uint64(len(s))); b = append(b, s...) }
	u32(3)
	u64(2)
	u64(1)
	str("general.type")
	u32(kindString)
	str("adapter")
	offset := uint64(0)
	for _, m := range []struct {
		name       string
		cols, rows uint64
	}{{"blk.0.attn_q.weight.lora_a", size, rank}, {"blk.0.attn_q.weight.lora_b", rank, size}} {
		str(m.name)
		u32(2)
		u64(m.cols)
		u64(m.rows)
		u32(0)
		u64(offset)
		offset += 4 * m.cols * m.rows
	}
	b = append(b, make([]byte, (32-len(b)%32)%32)...)
	for i := range 2 * rank * size {
		u32(uint32(i))
	}
	return b
}

// A row of a head goes back to where transformers has it: 0 4 1 5 2 6 3 7 becomes 0 1 2 3 4 5 6 7.
func TestRowsOfQGoBackToTheirHalves(t *testing.T) {
	tensors, err := parseAdapter(adapterFile(1, 8))
	if err != nil {
		t.Fatal(err)
	}
	order := []uint32{0, 4, 1, 5, 2, 6, 3, 7}
	data := make([]byte, 0, 32)
	for _, n := range order {
		data = binary.LittleEndian.AppendUint32(data, n)
	}
	tensors[1].data = data
	if err := toPEFT(tensors, shape{arch: "llama", heads: 1, kv: 1}); err != nil {
		t.Fatal(err)
	}
	for i := range uint32(8) {
		if got := binary.LittleEndian.Uint32(tensors[1].data[4*i:]); got != i {
			t.Errorf("row %d is %d", i, got)
		}
	}
}
