package cli

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/rung-dev/rung"
	"github.com/rung-dev/rung/internal/app"
	"github.com/rung-dev/rung/internal/registry"
	"github.com/rung-dev/rung/internal/registry/registrytest"
)

func TestAReleaseMovesToAnotherMachine(t *testing.T) {
	addr := registrytest.Start(t, "")
	t.Setenv("DOCKER_CONFIG", t.TempDir())
	climbed(t)
	released(t, "--sign")
	config, err := os.UserConfigDir()
	if err != nil {
		t.Fatal(err)
	}
	public := filepath.Join(config, "rung", "signing.key.pub")
	var up pushed
	decodeJSON(t, &up, "push", "words@v1", addr+"/acme/words", "--json")
	if up.Name != "words@v1" || len(up.Signers) != 1 || !strings.HasSuffix(up.Reference, string(up.Digest)) {
		t.Errorf("%+v", up)
	}

	t.Chdir(t.TempDir()) // another machine, which never climbed
	if status, _, errs := rungOut(t, "pull", addr+"/acme/words:v1", "--verify", filepath.Join(config, "nobody.pub")); status != 2 {
		t.Errorf("status %d: %s", status, errs)
	}
	var down pulled
	decodeJSON(t, &down, "pull", addr+"/acme/words:v1", "--verify", public, "--json")
	if down.Digest != up.Digest || down.Verified == "" {
		t.Errorf("%+v", down)
	}
	mustRun(t, "alias", "words", "production", "v1", "--why", "pulled")
	if out := mustRun(t, "releases"); !strings.Contains(out, "production") {
		t.Error(out)
	}
	if out := mustRun(t, "show", "words@production"); !strings.Contains(out, "signed by") || !strings.Contains(out, "instructions") {
		t.Error(out)
	}
	// Pulling it again changes nothing.
	mustRun(t, "pull", up.Reference)
}

func TestATamperedReleaseIsRefused(t *testing.T) {
	dir, _, _ := climbed(t)
	d := released(t)
	layout, err := registry.Open(app.ReleasesDir(dir))
	if err != nil {
		t.Fatal(err)
	}
	path := layout.BlobPath(d.Digest)
	if len(d.Release.Parts) > 0 {
		path = layout.BlobPath(d.Release.Parts[0].Digest)
	}
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.Chmod(path, 0o600); err != nil {
		t.Fatal(err)
	}
	b[len(b)/2] ^= 1
	if err := os.WriteFile(path, b, 0o600); err != nil {
		t.Fatal(err)
	}
	for _, args := range [][]string{{"push", "words@v1", "127.0.0.1:1/acme/words"}, {"export", "words@v1", filepath.Join(dir, "out"), "--to", "ollama"}} {
		if status, _, errs := rungOut(t, args...); status != 6 || !strings.Contains(errs, "changed or damaged") {
			t.Errorf("%s: status %d: %s", args[0], status, errs)
		}
	}
}

func TestExportsOfAReleaseWithoutAnAdapter(t *testing.T) {
	dir, _, _ := climbed(t)
	released(t)
	out := filepath.Join(filepath.Dir(dir), "out")
	for _, c := range []struct {
		to   string
		says string
	}{
		{"peft", "has no adapter"}, {"gguf", "has no adapter"}, {"vllm", "has no adapter"}, {"safetensors", "has no adapter"},
		{"ollama", "not on this machine"}, {"onnx", "there is no form"},
	} {
		status, _, errs := rungOut(t, "export", "words@v1", out, "--to", c.to)
		if status == 0 || !strings.Contains(errs, c.says) {
			t.Errorf("%s: status %d: %s", c.to, status, errs)
		}
		if left, _ := filepath.Glob(out + "*"); len(left) > 0 {
			t.Errorf("%s left %v", c.to, left)
		}
	}
	if status, _, errs := rungOut(t, "export", "words@v1", filepath.Dir(dir), "--to", "gguf"); status != 8 {
		t.Errorf("into a folder that holds something: status %d: %s", status, errs)
	}
}

func TestModelfileOfAPrompt(t *testing.T) {
	dir, doc, _ := climbed(t)
	// The same release for a model that Ollama has: what a Modelfile carries of it.
	layout, err := registry.Open(app.ReleasesDir(dir))
	if err != nil {
		t.Fatal(err)
	}
	released(t, "--candidate", string(doc.Rungs[0].Candidate), "--force", "--note", "x")
	digest, err := layout.Find("words", "v1")
	if err != nil {
		t.Fatal(err)
	}
	r, err := layout.Release(t.Context(), digest)
	if err != nil {
		t.Fatal(err)
	}
	r.Version, r.Candidate.Model, r.Candidate.Decoding.Reasks = "v2", "ollama/tiny", 1
	r.Candidate.Demos = &rung.Demos{Mode: rung.FixedDemos, K: 1, Fixed: []rung.Demo{{ID: "1", Input: json.RawMessage(`{"word":"apple"}`), Output: json.RawMessage(`"short"`)}}}
	if _, err := layout.Put(t.Context(), r, nil); err != nil {
		t.Fatal(err)
	}
	out := filepath.Join(dir, "out")
	done, err := app.Export(t.Context(), app.ExportOptions{Layout: layout, Digest: r.Digest, To: "ollama", Dir: out})
	if err != nil {
		t.Fatal(err)
	}
	b, err := os.ReadFile(filepath.Join(out, "Modelfile"))
	if err != nil {
		t.Fatal(err)
	}
	for _, line := range []string{"FROM tiny\n", "PARAMETER temperature 0\n", "SYSTEM \"\"\"Say whether", "MESSAGE user \"\"\"apple", "MESSAGE assistant \"\"\"short\"\"\"\n", "# Not carried: ", "#   <word>"} {
		if !strings.Contains(string(b), line) {
			t.Errorf("no %q in\n%s", line, b)
		}
	}
	if len(done.Left) == 0 {
		t.Error("nothing is said of what is left out")
	}
}
