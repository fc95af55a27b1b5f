package cli

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/rung-dev/rung"
	"github.com/rung-dev/rung/internal/report"
	"github.com/rung-dev/rung/internal/store"
)

type reportOptions struct {
	run     string
	out     string
	formats []string
}

// reportFiles is what rung report --json prints.
type reportFiles struct {
	Run   string   `json:"run"`
	Files []string `json:"files"`
}

func newReportCommand(s *settings) *cobra.Command {
	var o reportOptions
	c := &cobra.Command{
		Use:     "report [RUN]",
		GroupID: "read",
		Short:   "Write what a climb measured as a page and as Markdown",
		Long: `Report writes a run (the latest, if none is named) as one HTML page that needs nothing else, and as Markdown. The page
holds the decision, the ladder with its intervals, every example side by side across rungs, and every completion.

With -o DIR the files are DIR/rung-RUN.html and .md; with -o FILE the ending of FILE says the format. "-" writes to
standard output.`,
		Example: "  rung report\n  rung report 20261122 -o reports/\n  rung report --format md -o - | less",
		Args:    atMostOne("a run"),
		RunE: func(c *cobra.Command, args []string) error {
			o.run = first(args, "latest")
			return runReport(c.Context(), s, &o)
		},
	}
	c.Flags().StringVarP(&o.out, "out", "o", ".", "directory or file to write to")
	c.Flags().StringSliceVar(&o.formats, "format", []string{"html", "md"}, "formats to write (html,md)")
	return c
}

// atMostOne takes no argument or one.
func atMostOne(what string) cobra.PositionalArgs {
	return func(c *cobra.Command, args []string) error {
		if len(args) <= 1 {
			return nil
		}
		return &rung.Error{Code: rung.CodeUsage, What: fmt.Sprintf("%s takes %s or nothing, got %d arguments", c.CommandPath(), what, len(args)), Do: "see " + c.CommandPath() + " --help"}
	}
}

func first(args []string, otherwise string) string {
	if len(args) > 0 {
		return args[0]
	}
	return otherwise
}

func runReport(ctx context.Context, s *settings, o *reportOptions) (err error) {
	st, err := readStore(ctx, s)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, st.Close()) }()
	doc, err := document(ctx, st, o.run)
	if err != nil {
		return err
	}
	targets, err := o.targets(doc.Run)
	if err != nil {
		return err
	}
	details, err := report.Load(ctx, doc, st)
	if err != nil {
		return err
	}
	for _, t := range targets {
		if err := t.write(s.Out, func(w io.Writer) error {
			if t.format == "md" {
				return report.Markdown(w, details)
			}
			return report.HTML(ctx, w, details, st)
		}); err != nil {
			return err
		}
	}
	return s.printFiles(doc.Run, targets)
}

// target is one file of a report; the path "-" is standard output.
type target struct{ format, path string }

func (o *reportOptions) targets(run string) ([]target, error) { return o.named("rung-" + run) }

// named are the files that are written; those in a directory have the given name.
func (o *reportOptions) named(name string) ([]target, error) {
	for _, f := range o.formats {
		if f != "html" && f != "md" {
			return nil, usage("there is no format %q; the formats are html and md", f)
		}
	}
	var byName string
	switch ext := strings.ToLower(filepath.Ext(o.out)); {
	case o.out == "-":
		if len(o.formats) != 1 {
			return nil, usage("standard output takes one format; name it with --format html or --format md")
		}
		return []target{{o.formats[0], "-"}}, nil
	case isDir(o.out):
	case ext == ".html", ext == ".htm":
		byName = "html"
	case ext == ".md", ext == ".markdown":
		byName = "md"
	case ext == ".txt", ext == ".pdf", ext == ".json", ext == ".csv", ext == ".xlsx":
		return nil, usage("%s would be a page or Markdown: name a file that ends in .html or .md, or a directory", o.out)
	}
	if byName != "" {
		return []target{{byName, o.out}}, nil
	}
	var out []target
	for _, f := range []string{"html", "md"} {
		if slices.Contains(o.formats, f) {
			out = append(out, target{f, filepath.Join(o.out, name+"."+f)})
		}
	}
	return out, nil
}

// write makes the file whole or not at all: it is written beside its place and then moved there.
func (t target) write(stdout io.Writer, fill func(io.Writer) error) (err error) {
	if t.path == "-" {
		return fill(stdout)
	}
	if err := os.MkdirAll(filepath.Dir(t.path), 0o755); err != nil {
		return cannotWrite(t.path, err)
	}
	f, err := os.CreateTemp(filepath.Dir(t.path), ".rung-report-*")
	if err != nil {
		return cannotWrite(t.path, err)
	}
	defer func() {
		if err != nil {
			os.Remove(f.Name())
		}
	}()
	if err := errors.Join(fill(f), f.Chmod(0o644), f.Close()); err != nil {
		return err
	}
	if err := os.Rename(f.Name(), t.path); err != nil {
		return cannotWrite(t.path, err)
	}
	return nil
}

func cannotWrite(path string, err error) error {
	return &rung.Error{Code: rung.CodeInput, Place: path, What: "the report cannot be written: " + err.Error(), Do: "name another place with -o", Err: err}
}

func (s *settings) printFiles(run string, targets []target) error {
	files := reportFiles{Run: run, Files: []string{}}
	for _, t := range targets {
		if t.path == "-" {
			return nil
		}
		files.Files = append(files.Files, t.path)
	}
	if s.json {
		return s.printJSON(files)
	}
	for _, f := range files.Files {
		if _, err := fmt.Fprintln(s.Out, f); err != nil {
			return err
		}
	}
	return nil
}

// document reads the document of a run: its ID, the beginning of it, or "latest".
func document(ctx context.Context, st store.Store, id string) (*rung.Document, error) {
	r, err := st.Run(ctx, id)
	if err != nil {
		return nil, err
	}
	doc, err := documentOf(&r)
	if err == nil && doc == nil {
		err = &rung.Error{Code: rung.CodeNotFound, What: "the run " + r.ID + " has no result yet", Do: "wait for the climb, or run it again to go on"}
	}
	return doc, err
}

// documentOf is a run's document, nil when it has none yet.
func documentOf(r *store.Run) (*rung.Document, error) {
	if len(r.Document) == 0 {
		return nil, nil
	}
	doc := new(rung.Document)
	if err := json.Unmarshal(r.Document, doc); err != nil {
		return nil, &rung.Error{Code: rung.CodeStore, What: "the stored document of run " + r.ID + " is damaged: " + err.Error(), Do: "run the climb again; stored answers are not paid for twice", Err: err}
	}
	return doc, nil
}
