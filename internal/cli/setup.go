package cli

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"github.com/spf13/cobra"

	"github.com/rung-dev/rung"
	"github.com/rung-dev/rung/internal/engine"
	"github.com/rung-dev/rung/internal/model"
	"github.com/rung-dev/rung/internal/spread"
	"github.com/rung-dev/rung/internal/tune"
)

type setupOptions struct {
	training bool
	ray      bool
	offline  bool
}

// setupStep is one thing that setup made sure of.
type setupStep struct {
	Name    string  `json:"name"`
	Path    string  `json:"path,omitempty"`
	Detail  string  `json:"detail,omitempty"`
	Seconds float64 `json:"seconds"`
}

// setupDone is the document of rung setup --json.
type setupDone struct {
	Steps []setupStep `json:"steps"`
}

func newSetupCommand(s *settings) *cobra.Command {
	var opt setupOptions
	c := &cobra.Command{
		Use:     "setup",
		GroupID: "machine",
		Short:   "Install the local engine and its models, and with --training what training needs",
		Long: `Setup installs the local engine (unless a llama-server is on PATH), the built-in chat model and the embedder, and proves
them with one question. Everything is pinned and checked by hash, and goes to the user's cache directory, or to
RUNG_CACHE. What is there already is left alone, so an interrupted setup goes on where it stopped. Commands that need
something of it install it themselves; setup does it beforehand.`,
		Args: exactArgs(0, "no arguments"),
		RunE: func(c *cobra.Command, _ []string) error {
			done, err := runSetup(c.Context(), opt, func(line string) { fmt.Fprintln(s.Err, "  "+line) })
			if err != nil {
				return err
			}
			if s.json {
				return s.printJSON(done)
			}
			for _, step := range done.Steps {
				fmt.Fprintf(s.Out, "ok  %-9s %s%s (%.1f s)\n", step.Name, step.Path, step.Detail, step.Seconds)
			}
			return nil
		},
	}
	c.Flags().BoolVar(&opt.training, "training", false, "install the training environment too (torch, PEFT; several gigabytes)")
	c.Flags().BoolVar(&opt.ray, "ray", false, "install Ray too, for rung data on a cluster (150 MB to download, 600 MB on disk)")
	c.Flags().BoolVar(&opt.offline, "offline", false, "do not use the network: only what was downloaded before")
	return c
}

func runSetup(ctx context.Context, opt setupOptions, log func(string)) (*setupDone, error) {
	if opt.offline { // both tools read their settings from the environment
		os.Setenv("UV_OFFLINE", "1")
		os.Setenv("PIP_NO_INDEX", "1")
	}
	e, err := engine.New(engine.Options{Log: log})
	if err != nil {
		return nil, err
	}
	defer e.Close()
	done := &setupDone{}
	for _, ref := range engine.Builtins() {
		err := done.step(ref.Name(), func(s *setupStep) (err error) {
			s.Path, _, err = e.Weights(ctx, ref)
			return err
		})
		if err != nil {
			return nil, err
		}
	}
	if err := done.step("engine", func(s *setupStep) error { return prove(ctx, e, s) }); err != nil {
		return nil, err
	}
	for _, env := range []struct {
		name    string
		wanted  bool
		install func(context.Context, func(string)) (string, error)
	}{{"training", opt.training, tune.New(tune.Options{}).Install}, {"ray", opt.ray, spread.Install}} {
		if !env.wanted {
			continue
		}
		err := done.step(env.name, func(s *setupStep) error {
			python, err := env.install(ctx, log)
			s.Path = filepath.Dir(filepath.Dir(python))
			return err
		})
		if err != nil {
			return nil, err
		}
	}
	return done, nil
}

func (d *setupDone) step(name string, run func(*setupStep) error) error {
	s := setupStep{Name: name}
	start := time.Now()
	if err := run(&s); err != nil {
		return err
	}
	s.Seconds = time.Since(start).Seconds()
	d.Steps = append(d.Steps, s)
	return nil
}

// prove asks the model one question and the embedder for one vector.
func prove(ctx context.Context, e *engine.Engine, s *setupStep) error {
	refs := engine.Builtins()
	resp, err := e.Complete(ctx, model.Request{Model: refs[0], Messages: []model.Message{{Role: "user", Content: "Name three colors."}}, MaxTokens: 24})
	if err != nil {
		return err
	}
	if resp.Text == "" {
		return &rung.Error{Code: rung.CodeProvider, Place: string(refs[0]), What: "the model gave an empty answer", Do: "run rung doctor"}
	}
	vectors, err := e.Embed(ctx, refs[1], []string{resp.Text})
	if err != nil {
		return err
	}
	s.Detail = fmt.Sprintf("%s answers, %s gives vectors of %d numbers", refs[0], refs[1], len(vectors[0]))
	return nil
}
