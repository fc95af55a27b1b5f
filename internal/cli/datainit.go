package cli

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/spf13/cobra"

	"github.com/rung-dev/rung"
	"github.com/rung-dev/rung/internal/curate"
)

type draftOptions struct {
	name  string
	out   string
	task  string
	force bool
}

func newDataInitCommand(s *settings) *cobra.Command {
	var o draftOptions
	c := &cobra.Command{
		Use:   "init FILE…",
		Short: "Write a first description of a dataset from the raw files that you have",
		Long: `Init looks at raw files and writes a dataset.yaml that rung data build takes: the files with what was found in them (format, encoding,
rows, fields), the labels where outputs are few different texts, and what was seen of personal data. What only you can know (how the data
were obtained, the licence, the basis, until when they may be kept) stands there as lines to fill in.`,
		Example: "  rung data init raw/mail.csv raw/chat.jsonl\n  rung data init raw/*.jsonl --name tickets --task task.yaml",
		Args:    someFiles,
		RunE: func(c *cobra.Command, args []string) error {
			d, err := runDataInit(c, &o, args)
			if err != nil {
				return err
			}
			if s.json {
				return s.printJSON(d)
			}
			for i := range d.Found {
				f := &d.Found[i]
				fmt.Fprintf(s.Out, "%s: %s\n", f.File, f.About())
			}
			fmt.Fprintf(s.Out, "wrote %s\n", o.out)
			for _, n := range d.Notes {
				fmt.Fprintln(s.Out, wrapped("note: ", "      ", n))
			}
			_, err = fmt.Fprintf(s.Out, "next: rung data build %s\n", o.out)
			return err
		},
	}
	f := c.Flags()
	f.StringVar(&o.name, "name", "", "name of the dataset, and of its folder (default: the directory's)")
	f.StringVar(&o.out, "out", "dataset.yaml", "the file to write")
	f.StringVar(&o.task, "task", "", "task file that the dataset is for: its input fields and output form are taken")
	f.BoolVar(&o.force, "force", false, "overwrite a file that is there")
	return c
}

func runDataInit(c *cobra.Command, o *draftOptions, files []string) (*curate.Draft, error) {
	abs, err := filepath.Abs(o.out)
	if err != nil {
		return nil, err
	}
	if _, err := os.Lstat(abs); !errors.Is(err, fs.ErrNotExist) && !o.force {
		return nil, &rung.Error{Code: rung.CodeConflict, Place: o.out, What: "is there already", Do: "name another with --out, or overwrite it with --force"}
	}
	opt := curate.DraftOptions{Name: o.name, Dir: filepath.Dir(abs)}
	if opt.Name == "" {
		opt.Name = curate.DatasetName(filepath.Base(opt.Dir))
	}
	if o.task != "" {
		path, err := filepath.Abs(o.task)
		if err != nil {
			return nil, err
		}
		if rel, err := filepath.Rel(opt.Dir, path); err == nil {
			path = rel
		}
		opt.Task = filepath.ToSlash(path)
	}
	d, err := curate.NewDraft(c.Context(), files, opt)
	if err != nil {
		return nil, err
	}
	return d, curate.WriteDraft(abs, d)
}
