package cli

import (
	"context"
	"errors"

	"github.com/spf13/cobra"

	"github.com/rung-dev/rung/internal/app"
	"github.com/rung-dev/rung/internal/govern"
)

func newBOMCommand(s *settings) *cobra.Command {
	var out string
	c := &cobra.Command{
		Use:     "bom RELEASE",
		GroupID: "ship",
		Short:   "Write the bill of materials of a release, as CycloneDX 1.6",
		Long: `Bom writes what a release is made of, as CycloneDX 1.6 JSON (with or without --json): the model with its card (figures with intervals, limits), the datasets with their
terms, the base model with digest and licence, index, pool and adapter, and for a trained one the Python packages of the training worker
with their hashes. The same release gives the same bytes.`,
		Example: "  rung bom tickets@v1 --out tickets.cdx.json",
		Args:    exactArgs(1, "one release"),
		RunE:    func(c *cobra.Command, args []string) error { return runBOM(c.Context(), s, args[0], out) },
	}
	c.Flags().StringVar(&out, "out", "", "write it to this file instead of standard output")
	return c
}

func runBOM(ctx context.Context, s *settings, name, out string) (err error) {
	sh, err := openShelf(ctx, s)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, sh.Close()) }()
	line, err := sh.find(ctx, name)
	if err != nil {
		return err
	}
	r, err := sh.layout.Release(ctx, line.Digest)
	if err != nil {
		return err
	}
	pinned, err := app.TrainingPackages()
	if err != nil {
		return err
	}
	b, err := app.BOM(r, pinned)
	if err != nil {
		return err
	}
	if out != "" {
		return govern.WriteWhole(out, b, 0o644)
	}
	_, err = s.Out.Write(b)
	return err
}
