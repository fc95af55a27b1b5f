package cli

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"strings"

	"github.com/spf13/cobra"

	"github.com/rung-dev/rung/internal/app"
)

type exportOptions struct {
	name, to, dir string
}

// exported is what rung export --json prints.
type exported struct {
	Name string `json:"name"`
	To   string `json:"to"`
	*app.Exported
}

func newExportCommand(s *settings) *cobra.Command {
	var o exportOptions
	c := &cobra.Command{
		Use:     "export TASK@VERSION DIR --to FORM",
		GroupID: "ship",
		Short:   "Export a release for PEFT, vLLM, Ollama, llama.cpp or transformers",
		Long: `Export writes a release into a folder, in a form that other programs read:

  peft         the adapter as PEFT keeps it
  safetensors  the base model with the adapter merged into it, for transformers (needs rung setup --training)
  gguf         the adapter for llama.cpp
  ollama       a Modelfile with base model and adapter, instructions and fixed demonstrations
  vllm         the adapter with the command that serves it, and the prompt

What a form cannot carry (retrieval, demonstrations chosen per input, guards, checked answers) is said on standard error and in
the folder. rung serve carries all of it.`,
		Example: "  rung export tickets@v3 ./tickets-v3 --to peft\n  rung export tickets@production ./tickets --to ollama && ollama create tickets -f tickets/Modelfile",
		Args:    exactArgs(2, "a release and a folder"),
		RunE: func(c *cobra.Command, args []string) error {
			o.name, o.dir = args[0], args[1]
			return runExport(c.Context(), s, &o)
		},
	}
	c.Flags().StringVar(&o.to, "to", "", "the form: "+strings.Join(app.ExportFormats, ", ")+" (required)")
	return c
}

func runExport(ctx context.Context, s *settings, o *exportOptions) (err error) {
	if o.to == "" {
		return usage("export needs a form; add --to with one of %s", strings.Join(app.ExportFormats, ", "))
	}
	sh, err := openShelf(ctx, s)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, sh.Close()) }()
	line, err := sh.find(ctx, o.name)
	if err != nil {
		return err
	}
	done, err := app.Export(ctx, app.ExportOptions{
		Layout: sh.layout, Digest: line.Digest, To: o.to, Dir: o.dir, BaseDir: filepath.Dir(sh.dir),
		Observe: func(text string) { fmt.Fprintln(s.Err, "rung: "+text) },
	})
	if err != nil {
		return err
	}
	for _, what := range done.Left {
		fmt.Fprintf(s.Err, "rung: %s cannot carry %s\n", o.to, what)
	}
	if s.json {
		return s.printJSON(exported{line.Task + "@" + line.Version, o.to, done})
	}
	_, err = fmt.Fprintf(s.Out, "%s: %s\n", done.Dir, strings.Join(done.Files, ", "))
	return err
}
