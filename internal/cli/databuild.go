package cli

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/rung-dev/rung"
	"github.com/rung-dev/rung/internal/app"
	"github.com/rung-dev/rung/internal/batch"
	"github.com/rung-dev/rung/internal/curate"
	"github.com/rung-dev/rung/internal/engine"
	"github.com/rung-dev/rung/internal/generate"
	"github.com/rung-dev/rung/internal/report"
	"github.com/rung-dev/rung/internal/store/sqlite"
	"github.com/rung-dev/rung/internal/task"
)

type buildOptions struct {
	file    string
	replace bool
	dry     bool
	ray     string
}

func newDataBuildCommand(s *settings) *cobra.Command {
	var o buildOptions
	c := &cobra.Command{
		Use:   "build [DATASET.YAML]",
		Short: "Build a dataset from raw files, as its description says",
		Long: `Build makes a dataset of raw files: it reads them, whatever their format and encoding, checks the rows, looks for personal data, takes
copies and rows that hold evaluation items out, and deals the rest out to train, dev and held-out. What becomes of it is a folder that
never changes: the splits, each removed row with its reason, where each row comes from, a card and a report for whoever answers for the
data. The same raw files and the same description give the same bytes.

The description is a YAML file (default: dataset.yaml); rung data init writes a first one, docs/datasets.md has every key. A build that
was ended goes on after the last step that it finished. The folder appears whole or not at all, and a folder that holds another dataset
is not written over: --replace keeps it beside the new one, under its digest.

Exit status 0; 2 when the description or a raw file is wrong; 6 when the disk is full; 8 when another dataset is in the folder.`,
		Example: "  rung data build\n  rung data build tickets/dataset.yaml --dry-run\n  rung data build --replace --json",
		Args: func(c *cobra.Command, args []string) error {
			if len(args) > 1 {
				return usage("rung data build takes one description, got %d arguments", len(args))
			}
			return nil
		},
		RunE: func(c *cobra.Command, args []string) error {
			o.file = "dataset.yaml"
			if len(args) == 1 {
				o.file = args[0]
			}
			doc, err := runDataBuild(c.Context(), s, &o)
			if err != nil {
				return err
			}
			if s.json {
				return s.printJSON(doc)
			}
			_, err = fmt.Fprint(s.Out, doc.text())
			return err
		},
	}
	c.Flags().BoolVar(&o.replace, "replace", false, "where another dataset is in the folder, keep it beside the new one, under its digest")
	c.Flags().BoolVar(&o.dry, "dry-run", false, "do every step and say what would be built; nothing is left on the disk")
	rayFlag(c, &o.ray)
	return c
}

// buildDocument is what rung data build --json prints.
type buildDocument struct {
	Folder  string          `json:"folder"`
	State   curate.State    `json:"state"`
	Kept    string          `json:"replaced_folder,omitempty"`
	Vault   string          `json:"vault,omitempty"`
	Vaulted int             `json:"vault_rows,omitempty"`
	Old     string          `json:"replaced_vault,omitempty"`
	Resumed []string        `json:"resumed_steps,omitempty"`
	Dataset *rung.Dataset   `json:"dataset"`
	Samples []curate.Sample `json:"removed_examples"`
}

func runDataBuild(ctx context.Context, s *settings, o *buildOptions) (*buildDocument, error) {
	f, err := task.OpenDescription(o.file)
	if err != nil {
		return nil, err
	}
	if s.store == "" {
		s.store = filepath.Join(f.Description.Dir, storeName)
		if f.Description.Task != "" {
			s.store = filepath.Join(filepath.Dir(f.Description.Task), storeName)
		}
	}
	tell := func(step string, resumed bool) {
		if s.json {
			return
		}
		word := ""
		if resumed {
			word = " (done before)"
		}
		fmt.Fprintf(s.Err, "%s%s\n", step, word)
	}
	r, err := curate.Build(ctx, f, curate.Options{Version: Version, Replace: o.replace, DryRun: o.dry, Tell: tell,
		Known: func(ctx context.Context) ([]curate.EvaluationSet, []string, error) {
			return knownSets(ctx, s.store, f.Description)
		}, Embedder: s.buildEmbedder, Review: s.storedReview, Elsewhere: s.onRay(o.ray)})
	if err != nil {
		return nil, err
	}
	return &buildDocument{Folder: shownFrom(r.Folder), State: r.State, Kept: shownFrom(r.Kept), Vault: shownFrom(r.Vault), Vaulted: r.Vaulted, Old: shownFrom(r.OldVault), Resumed: r.Resumed, Dataset: r.Dataset, Samples: r.Samples}, nil
}

// buildEmbedder opens an embedding model of this machine. Where there is a store, vectors are kept there, as a climb keeps them: a second
// build asks only for those of new rows. A vector does not depend on the texts beside it, so both give the same bytes.
func (s *settings) buildEmbedder(ctx context.Context, ref rung.ModelRef) (*curate.Embedder, error) {
	e, err := engine.New(engine.Options{})
	if err != nil {
		return nil, err
	}
	out := &curate.Embedder{Close: func() { _ = e.Close() }} // a child that does not end well has done its work
	if _, out.Digest, err = e.Weights(ctx, ref); err != nil {
		out.Close()
		return nil, err
	}
	embed := e.Embed
	if isDir(s.store) {
		st, err := sqlite.Open(ctx, s.store)
		if err != nil {
			out.Close()
			return nil, err
		}
		embed = app.KeepVectors(st, e)
		out.Close = func() {
			_ = e.Close()
			_ = st.Close() // what is kept saves time, and nothing rests on it
		}
	}
	out.Embed = func(ctx context.Context, texts []string) ([][]float32, error) { return embed(ctx, ref, texts) }
	return out, nil
}

// storedReview is what the store's own ratings say of a batch of generated rows.
func (s *settings) storedReview(ctx context.Context, name string) (_ *batch.Record, err error) {
	if !isDir(s.store) {
		return nil, nil
	}
	st, err := sqlite.Open(ctx, s.store)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, st.Close()) }()
	q, err := st.RatingQueue(ctx, name)
	switch {
	case rung.CodeOf(err) == rung.CodeNotFound:
		return nil, nil
	case err != nil:
		return nil, err
	case q.Labels == nil || q.Labels.Batch == nil:
		return nil, nil // another queue that happens to have the name
	}
	ratings, err := ratingsOf(ctx, st, name)
	if err != nil {
		return nil, err
	}
	return generate.Judge(q, ratings).Record()
}

// knownSets are the held-out sets that a store knows, but for those of the task that the dataset is for and those that came from the
// dataset itself: a row of these belongs into the dataset's held-out set and comes there again, since the same content goes to the same split.
func knownSets(ctx context.Context, dir string, d *task.Description) (sets []curate.EvaluationSet, notes []string, err error) {
	if !isDir(dir) {
		return nil, nil, nil
	}
	st, err := sqlite.Open(ctx, dir)
	if err != nil {
		return nil, nil, err
	}
	defer func() { err = errors.Join(err, st.Close()) }()
	runs, err := st.Runs(ctx, 1000)
	if err != nil {
		return nil, nil, err
	}
	seen := map[rung.Digest]bool{"": true}
	for _, r := range runs {
		var doc rung.Document
		if json.Unmarshal(r.Document, &doc) != nil || seen[doc.Heldout.Digest] {
			continue
		}
		seen[doc.Heldout.Digest] = true
		if r.Task == d.TaskOf || slices.ContainsFunc(doc.Data, func(x rung.DataRef) bool { return x.Name == d.Name }) {
			continue // without a word in the record: a climb on the dataset would give it another digest
		}
		examples, err := report.Examples(ctx, st, doc.Heldout.Digest)
		if err != nil {
			return nil, nil, err
		}
		if len(examples) == 0 {
			notes = append(notes, fmt.Sprintf("run %s was scored on a held-out set (%s) whose examples the store does not hold: it was not looked for", r.ID, doc.Heldout.Digest.Short()))
			continue
		}
		sets = append(sets, curate.HeldoutSet(r.Task, doc.Heldout.Digest, examples))
	}
	return sets, notes, nil
}

func (d *buildDocument) text() string {
	var t strings.Builder
	t.WriteString(curate.Summarise(d.Dataset, d.Samples).Text())
	if late := overdueText(d.Dataset); late != "" {
		t.WriteString("\n" + late)
	}
	switch d.State {
	case curate.Dry:
		t.WriteString("\nA dry run: nothing was written.\n")
		return t.String()
	case curate.Unchanged:
		fmt.Fprintf(&t, "\n%s holds this dataset already (digest %s); nothing was written.\n", d.Folder, d.Dataset.Digest.Short())
	case curate.Replaced:
		fmt.Fprintf(&t, "\nThe dataset is in %s (digest %s). What was there before is in %s.\n", d.Folder, d.Dataset.Digest.Short(), d.Kept)
	default:
		fmt.Fprintf(&t, "\nThe dataset is in %s (digest %s).\n", d.Folder, d.Dataset.Digest.Short())
	}
	if d.Vault != "" {
		fmt.Fprintf(&t, "%s as they were before personal data was replaced: %s, encrypted. rung data pii FILE --restore %s --key-file KEY --out BACK puts them back.\n", many(d.Vaulted, "row"), d.Vault, d.Vault)
	}
	if d.Old != "" {
		fmt.Fprintf(&t, "The vault that was there before is in %s.\n", d.Old)
	}
	fmt.Fprintf(&t, "Report: %s\nA task takes it with: examples: %s\n", filepath.Join(d.Folder, curate.ReportFile), d.Folder)
	return t.String()
}

// shownFrom is a path from the working directory, where that is shorter.
func shownFrom(path string) string {
	wd, err := os.Getwd()
	if err != nil || path == "" {
		return path
	}
	if rel, err := filepath.Rel(wd, path); err == nil && len(rel) < len(path) {
		return rel
	}
	return path
}
