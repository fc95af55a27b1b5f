package engine_test

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/rung-dev/rung"
	"github.com/rung-dev/rung/internal/engine"
	"github.com/rung-dev/rung/internal/model"
)

// randomAdapter writes a LoRA adapter of random numbers for SmolLM2-135M: large enough that it changes every answer.
func randomAdapter(t *testing.T, seed string, edits ...string) (path string, digest rung.Digest) {
	t.Helper()
	path = filepath.Join(t.TempDir(), "adapter.gguf")
	source := `
import sys, gguf, numpy as np
rng = np.random.default_rng(int(sys.argv[2]))
w = gguf.GGUFWriter(sys.argv[1], arch="llama")
w.add_type("adapter")
w.add_string("adapter.type", "lora")
w.add_float32("adapter.lora.alpha", 8.0)
for block in range(30):
    w.add_tensor(f"blk.{block}.attn_v.weight.lora_a", rng.normal(0, 0.1, (4, 576)).astype(np.float32))
    w.add_tensor(f"blk.{block}.attn_v.weight.lora_b", rng.normal(0, 0.1, (192, 4)).astype(np.float32))
w.write_header_to_file(); w.write_kv_data_to_file(); w.write_tensors_to_file(); w.close()
`
	for i := 0; i+1 < len(edits); i += 2 {
		if !strings.Contains(source, edits[i]) {
			t.Fatalf("nothing to edit: %q", edits[i])
		}
		source = strings.ReplaceAll(source, edits[i], edits[i+1])
	}
	if out, err := exec.Command(managedPython(t), "-I", "-c", source, path, seed).CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	raw, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return path, rung.DigestBytes(raw)
}

func TestAdapters(t *testing.T) {
	e := ownEngine(t, engine.Options{Slots: 2})
	answer := func(adapter rung.Digest) string {
		return ask(t, e, model.Request{Messages: user("Name three colors."), MaxTokens: 16, Adapter: adapter, Affinity: "colors"}).Text
	}
	plain := answer("")
	_, err := e.Complete(t.Context(), model.Request{Model: smol, Messages: user("Hi"), Adapter: "0123"})
	if rung.CodeOf(err) != rung.CodeNotFound {
		t.Errorf("an adapter nobody added: %v", err)
	}
	var digests []rung.Digest
	for _, seed := range []string{"1", "2"} {
		path, digest := randomAdapter(t, seed)
		if err := e.AddAdapter(t.Context(), smol, digest, path); err != nil {
			t.Fatal(err)
		}
		digests = append(digests, digest)
	}
	first, second := answer(digests[0]), answer(digests[1])
	if first == plain || second == plain || first == second {
		t.Errorf("plain %q, first adapter %q, second %q", plain, first, second)
	}
	if again := answer(""); again != plain {
		t.Errorf("without an adapter %q, before any was loaded %q", again, plain)
	}
	if again := answer(digests[0]); again != first {
		t.Errorf("the first adapter gave %q, and then %q", first, again)
	}
}

func TestAdaptersThatAreNone(t *testing.T) {
	e := sharedEngine(t, smol)
	weights, digest, err := e.Weights(t.Context(), smol)
	if err != nil {
		t.Fatal(err)
	}
	if err := e.AddAdapter(t.Context(), smol, digest, weights); rung.CodeOf(err) != rung.CodeInput || !strings.Contains(err.Error(), "no LoRA adapter") {
		t.Errorf("a model as adapter: %v", err)
	}
	path, _ := randomAdapter(t, "3")
	if err := e.AddAdapter(t.Context(), smol, "feed", path); rung.CodeOf(err) != rung.CodeInput {
		t.Errorf("another digest: %v", err)
	}
	path, digest = randomAdapter(t, "3", `arch="llama"`, `arch="qwen2"`)
	if err := e.AddAdapter(t.Context(), smol, digest, path); rung.CodeOf(err) != rung.CodeInput || !strings.Contains(err.Error(), "qwen2") {
		t.Errorf("another architecture: %v", err)
	}
}

// An adapter that passes every look at its header and still does not fit must not take the engine down.
func TestAdapterThatTheServerRefuses(t *testing.T) {
	e := ownEngine(t, engine.Options{Slots: 1})
	path, digest := randomAdapter(t, "4", "(4, 576)", "(4, 100)")
	if err := e.AddAdapter(t.Context(), smol, digest, path); err != nil {
		t.Fatal(err)
	}
	_, err := e.Complete(t.Context(), model.Request{Model: smol, Messages: user("Hi"), Adapter: digest})
	if rung.CodeOf(err) != rung.CodeProvider {
		t.Errorf("got %v", err)
	}
	if got := ask(t, e, model.Request{Messages: user("Name three colors."), MaxTokens: 8}); got.Text == "" {
		t.Error("the engine does not go on without the adapter")
	}
}
