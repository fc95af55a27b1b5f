package tune

import (
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"

	"github.com/rung-dev/rung"
)

// tinyModel is a Python program that writes a random llama of 60,000 weights as a Hugging Face folder.
const tinyModel = `
import sys, torch
from transformers import LlamaConfig, LlamaForCausalLM
torch.manual_seed(0)
config = LlamaConfig(vocab_size=96, hidden_size=32, intermediate_size=64, num_hidden_layers=3, num_attention_heads=4,
    num_key_value_heads=2, max_position_embeddings=64, tie_word_embeddings=True)
LlamaForCausalLM(config).save_pretrained(sys.argv[1])
`

// trainPython is the interpreter of a training environment, or the test is skipped: installing one is no unit test's business.
func trainPython(t *testing.T) string {
	t.Helper()
	python := os.Getenv("RUNG_PYTHON_TRAIN")
	if python == "" && !New(Options{}).Ready() {
		t.Skip("no training environment: set RUNG_PYTHON_TRAIN, or run rung setup --training")
	}
	if python == "" {
		p, err := New(Options{}).Install(t.Context(), nil)
		if err != nil {
			t.Fatal(err)
		}
		python = p
	}
	return python
}

// tinyBase writes the tiny model once per test binary.
func tinyBase(t *testing.T) string {
	t.Helper()
	dir := filepath.Join(sharedDir, "tiny")
	if _, err := os.Stat(filepath.Join(dir, "config.json")); err == nil {
		return dir
	}
	out, err := exec.CommandContext(t.Context(), trainPython(t), "-c", tinyModel, dir).CombinedOutput()
	if err != nil {
		t.Fatalf("the tiny model cannot be made: %v\n%s", err, out)
	}
	return dir
}

var sharedDir string

func TestMain(m *testing.M) {
	dir, err := os.MkdirTemp("", "rung-tune-")
	if err != nil {
		panic(err)
	}
	sharedDir = dir
	code := m.Run()
	os.RemoveAll(dir)
	os.Exit(code)
}

// copyRows is a task that a tiny model can learn: repeat the three tokens before the separator.
func copyRows(n int, seed uint64) []Row {
	r := rand.New(rand.NewPCG(seed, 1))
	rows := make([]Row, n)
	for i := range rows {
		a, b, c := 10+r.IntN(40), 10+r.IntN(40), 10+r.IntN(40)
		rows[i] = Row{Prompt: []int{1, 5, 6, 7, a, b, c, 2}, Completion: []int{a, b, c, 3}}
	}
	return rows
}

func tinyParams(lr float64) rung.AdapterParams {
	return rung.AdapterParams{Rank: 8, Alpha: 16, Dropout: 0.05, Targets: AllLinear, LearningRate: lr, Epochs: 2, BatchSize: 4, Seed: 3}
}

// tinyJob trains on the tiny model.
func tinyJob(t *testing.T) Job {
	return Job{
		Base: tinyBase(t), Train: copyRows(160, 1), Dev: copyRows(16, 2),
		Grid: []rung.AdapterParams{tinyParams(5e-3), tinyParams(1e-4)},
		Wall: 2 * time.Hour, Seed: 7, Dir: t.TempDir(),
	}
}

func tinyTrainer(t *testing.T) *Trainer {
	return New(Options{Python: trainPython(t), Threads: 1, Log: func(s string) { t.Log(s) }})
}
