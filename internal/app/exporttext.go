package app

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"github.com/rung-dev/rung"
	"github.com/rung-dev/rung/internal/engine"
	"github.com/rung-dev/rung/internal/form"
	"github.com/rung-dev/rung/internal/recipe"
	"github.com/rung-dev/rung/internal/registry"
)

// prompted prepares the part of the candidate that a fixed prompt can carry, and says what it cannot.
func (e *exporting) prompted() (*recipe.Runner, error) {
	c := e.release.Candidate
	if d := c.Demos; d != nil && d.Mode != rung.FixedDemos {
		e.left = append(e.left, fmt.Sprintf("the %d demonstrations that are chosen for each input among the nearest train examples", d.K))
		c.Demos = &rung.Demos{Mode: rung.FixedDemos, Counter: d.Counter}
	}
	if r := c.Retrieval; r != nil {
		e.left = append(e.left, fmt.Sprintf("retrieval: the %d passages that each prompt was evaluated with, and citations of them", r.K))
		c.Retrieval = nil
	}
	if c.Decoding.Constrained {
		e.left = append(e.left, "holding answers to the output form while they are made; send the schema with each request (Ollama: format)")
	}
	if c.Decoding.Reasks > 0 {
		e.left = append(e.left, "checking answers, repairing them and asking again")
	}
	if len(e.release.Guards) > 0 {
		e.left = append(e.left, fmt.Sprintf("the %d guards", len(e.release.Guards)))
	}
	f, err := form.New(c.Output)
	if err != nil {
		return nil, err
	}
	return recipe.NewRunner(c, recipe.Parts{Form: f})
}

// ollama writes a Modelfile with the files that it names.
func (e *exporting) ollama(ctx context.Context) error {
	runner, err := e.prompted()
	if err != nil {
		return err
	}
	c := &e.release.Candidate
	from := c.Model.Name()
	if c.Model.Provider() != "ollama" {
		path, err := e.openEngine(ctx)
		if err != nil {
			return err
		}
		from = "./base.gguf"
		if err := copyFile(path, filepath.Join(e.part, "base.gguf")); err != nil {
			return err
		}
	}
	if c.Adapter != nil {
		if err := e.copyPart(ctx, registry.Adapter, filepath.Join(e.part, "adapter.gguf")); err != nil {
			return err
		}
	}
	text, err := modelfile(e.release, runner, from, e.left)
	if err != nil {
		return err
	}
	return writeText(filepath.Join(e.part, "Modelfile"), text)
}

func writeText(path, text string) error {
	if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
		return exportError(path, err)
	}
	return nil
}

// modelfile is the release in the words of Ollama (docs/modelfile.md of the ollama project).
func modelfile(r *rung.Release, runner *recipe.Runner, from string, left []string) (string, error) {
	c := &r.Candidate
	user, err := runner.UserForm()
	if err != nil {
		return "", err
	}
	msgs, err := runner.Preamble()
	if err != nil {
		return "", err
	}
	var b strings.Builder
	fmt.Fprintf(&b, "# %s (%s), exported by rung %s\n", r.Name(), r.Digest.Short(), r.Rung)
	for _, what := range left {
		fmt.Fprintf(&b, "# Not carried: %s\n", oneLine(what))
	}
	b.WriteString("# Each user message must read, with the values in place of <…>:\n")
	for line := range strings.Lines(user) {
		b.WriteString("#   " + strings.TrimRight(line, "\n") + "\n")
	}
	fmt.Fprintf(&b, "FROM %s\n", from)
	if c.Adapter != nil {
		b.WriteString("ADAPTER ./adapter.gguf\n")
	}
	fmt.Fprintf(&b, "PARAMETER temperature %g\nPARAMETER seed %d\n", c.Decoding.Temperature, c.Decoding.Seed)
	if c.Decoding.MaxTokens > 0 {
		fmt.Fprintf(&b, "PARAMETER num_predict %d\n", c.Decoding.MaxTokens)
	}
	for _, m := range msgs {
		if strings.Contains(m.Content, `"""`) {
			return "", &rung.Error{Code: rung.CodeUnsupported, Place: r.Name(), What: `a Modelfile cannot hold a text with """ in it, as this ` + m.Role + " message has", Do: "take it out of the instructions, or serve it with rung serve"}
		}
		name := "MESSAGE " + m.Role
		if m.Role == "system" {
			name = "SYSTEM"
		}
		fmt.Fprintf(&b, "%s \"\"\"%s\"\"\"\n", name, m.Content)
	}
	return b.String(), nil
}

func oneLine(s string) string { return strings.Join(strings.Fields(s), " ") }

// loraRanks are the values that vLLM takes for --max-lora-rank.
var loraRanks = []int{8, 16, 32, 64, 128, 256, 320, 512}

// vllm writes the adapter's folder, the prompt, and how to serve them.
func (e *exporting) vllm(ctx context.Context) error {
	if err := e.peft(ctx, filepath.Join(e.part, "adapter")); err != nil {
		return err
	}
	runner, err := e.prompted()
	if err != nil {
		return err
	}
	msgs, err := runner.Preamble()
	if err != nil {
		return err
	}
	user, err := runner.UserForm()
	if err != nil {
		return err
	}
	prompt, err := json.MarshalIndent(map[string]any{"messages_before": msgs, "user_message": user, "temperature": e.release.Candidate.Decoding.Temperature,
		"max_tokens": e.release.Candidate.Decoding.MaxTokens, "seed": e.release.Candidate.Decoding.Seed}, "", "  ")
	if err != nil {
		return err
	}
	e.left = append(e.left, "the quantisation that was evaluated: vLLM loads the published weights, so answers can differ")
	if err := writeText(filepath.Join(e.part, "prompt.json"), string(prompt)+"\n"); err != nil {
		return err
	}
	return writeText(filepath.Join(e.part, "README.txt"), vllmReadme(e.release, e.left))
}

func vllmReadme(r *rung.Release, left []string) string {
	c := &r.Candidate
	base := engine.FactOf(c.Model).Published
	if base == "" {
		base = "PATH-OR-NAME-OF-THE-BASE-MODEL"
	}
	rank := c.Adapter.Params.Rank
	for _, n := range loraRanks {
		if n >= rank {
			rank = n
			break
		}
	}
	name := r.Task + "-" + r.Version
	var b strings.Builder
	fmt.Fprintf(&b, "%s (%s), exported by rung %s\n\nServe it with vLLM:\n\n", r.Name(), r.Digest.Short(), r.Rung)
	fmt.Fprintf(&b, "  vllm serve %s --enable-lora --max-lora-rank %d --lora-modules %s=./adapter\n\n", base, rank, name)
	fmt.Fprintf(&b, "Ask for the model %q. prompt.json holds the messages that stand before each input, the form of the user message, and the\nsettings of the decoding.\n\nNot carried:\n", name)
	for _, what := range left {
		fmt.Fprintf(&b, "- %s\n", what)
	}
	return b.String()
}
