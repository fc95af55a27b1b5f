package curate

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"

	"github.com/rung-dev/rung"
	"github.com/rung-dev/rung/internal/data"
	"github.com/rung-dev/rung/internal/govern"
	"github.com/rung-dev/rung/internal/rows"
)

// The files of a dataset's folder.
const (
	RemovedFile    = "removed.jsonl"
	OriginsFile    = "origins.jsonl"
	UnlabelledFile = "unlabelled.jsonl"
	CardFile       = "README.md"
	ReportFile     = "report.html"
)

// finish makes the folder of what the last step gave: under another name, then in its place.
func (b *build) finish(ctx context.Context, steps []rung.DataStep, last *table, res *Result) error {
	parent, name := filepath.Split(b.d.Out)
	dir, err := os.MkdirTemp(parent, "."+name+".rung-new-*")
	if err != nil {
		return unwritable(parent, err)
	}
	defer func() { _ = os.RemoveAll(dir) }() // once in its place it is no longer there
	vault, err := b.openVault()
	if err != nil {
		return err
	}
	defer vault.abandon()
	w := &folder{b: b, vault: vault, dir: dir, d: &rung.Dataset{Name: b.d.Name, Fields: b.fields, Sources: b.sources, Terms: govern.JoinSources(b.sources), Steps: steps, Splits: []rung.DatasetSplit{}, Rung: b.o.Version}}
	if err := w.write(ctx, last); err != nil {
		return err
	}
	res.Dataset, res.Samples = w.d, w.samples.list()
	if b.o.DryRun {
		res.State = Dry
		return nil
	}
	if err := vault.free(b.o.Replace); err != nil {
		return err
	}
	if err := b.place(dir, res); err != nil || vault == nil {
		return err
	}
	res.Vault, res.Vaulted = vault.path, vault.all.n
	res.OldVault, err = vault.place()
	return err
}

// place puts a whole folder where it belongs.
func (b *build) place(dir string, res *Result) error {
	if err := os.Chmod(dir, 0o755); err != nil {
		return unwritable(dir, err)
	}
	there, err := os.Lstat(b.d.Out)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		res.State = Built
		return move(dir, b.d.Out)
	case err != nil:
		return unreadable(b.d.Out, err)
	case !there.IsDir():
		return &rung.Error{Code: rung.CodeConflict, Place: b.d.Out, What: "is there, and is no folder", Do: "name another with out: FOLDER"}
	}
	old, err := data.OpenFolder(b.d.Out)
	if err == nil && old.Dataset.Digest == res.Dataset.Digest && old.Verify() == nil {
		res.State = Unchanged
		return nil
	}
	if !b.o.Replace {
		return conflict(b.d.Out, old, res.Dataset, err)
	}
	kept := b.d.Out + "@replaced"
	if err == nil {
		kept = b.d.Out + "@" + old.Dataset.Digest.Short()
	}
	if kept, err = freeName(kept); err != nil {
		return err
	}
	if err := move(b.d.Out, kept); err != nil {
		return err
	}
	res.State, res.Kept = Replaced, kept
	return move(dir, b.d.Out)
}

// conflict says why a folder that is there is not written over.
func conflict(out string, old *data.Folder, now *rung.Dataset, fault error) error {
	what := "there is a folder of this name that is no dataset"
	switch {
	case fault == nil && old.Dataset.Digest == now.Digest:
		what = fmt.Sprintf("the dataset %s is there, but its files are not as they were built", now.Digest.Short())
	case fault == nil:
		what = fmt.Sprintf("there is another dataset (%s, and this one is %s); a dataset never changes", old.Dataset.Digest.Short(), now.Digest.Short())
	case rung.CodeOf(fault) != rung.CodeNotFound:
		what = "there is a dataset that is damaged: " + errorText(fault)
	}
	return &rung.Error{Code: rung.CodeConflict, Place: out, What: what, Do: "name another with out: FOLDER, or build with --replace, which keeps the old one beside it under its digest"}
}

// freeName is a name that nothing has yet.
func freeName(path string) (string, error) {
	for i := 1; i < 1000; i++ {
		name := path
		if i > 1 {
			name = fmt.Sprintf("%s-%d", path, i)
		}
		if _, err := os.Lstat(name); errors.Is(err, fs.ErrNotExist) {
			return name, nil
		}
	}
	return "", &rung.Error{Code: rung.CodeConflict, Place: path, What: "a thousand replaced folders are here already", Do: "take some away"}
}

// move renames a folder and sees that the name is on the disk.
func move(from, to string) error {
	if err := syncDir(from); err != nil {
		return err
	}
	if err := os.Rename(from, to); err != nil {
		return unwritable(to, err)
	}
	return syncDir(filepath.Dir(to))
}

func syncDir(dir string) error {
	f, err := os.Open(dir)
	if err != nil {
		return unwritable(dir, err)
	}
	defer func() { _ = f.Close() }()
	if err := f.Sync(); err != nil {
		return unwritable(dir, err)
	}
	return nil
}

// folder is a dataset's folder while it is written.
type folder struct {
	b       *build
	dir     string
	vault   *vault // nil: none was asked for
	d       *rung.Dataset
	samples samples
	shape   shape
	people  int
	line    bytes.Buffer
}

// part is one file of rows while it is written.
type part struct {
	split     rung.Split
	file      string
	out       *rows.Output
	rows      int
	generated int
}

func (w *folder) write(ctx context.Context, last *table) error {
	w.samples.privacy = w.b.privacy
	if err := w.removed(ctx); err != nil {
		return err
	}
	if err := w.splits(ctx, last); err != nil {
		return err
	}
	slices.SortFunc(w.d.Files, func(a, b rung.DatasetFile) int { return cmp.Compare(a.File, b.File) })
	var err error
	if w.d.Digest, err = w.d.Sum(); err != nil {
		return err
	}
	manifest, err := indented(w.d)
	if err != nil {
		return err
	}
	if err := writeWhole(filepath.Join(w.dir, data.ManifestFile), manifest); err != nil {
		return err
	}
	if err := w.b.copyErased(w.dir); err != nil {
		return err
	}
	if err := writeWhole(filepath.Join(w.dir, CardFile), []byte(w.card())); err != nil {
		return err
	}
	return w.report()
}

// splits writes the rows and their origins.
func (w *folder) splits(ctx context.Context, last *table) error {
	parts := []*part{{split: rung.Train, file: "train.jsonl"}, {split: rung.Dev, file: "dev.jsonl"}, {split: rung.HeldoutIs, file: "heldout.jsonl"}, {file: UnlabelledFile}}
	origins := &part{file: OriginsFile}
	all := append(slices.Clone(parts), origins)
	defer func() {
		for _, p := range all {
			if p.out != nil {
				p.out.Abandon()
			}
		}
	}()
	for _, p := range all {
		var err error
		if p.out, err = rows.Create(filepath.Join(w.dir, p.file)); err != nil {
			return err
		}
	}
	err := last.each(ctx, func(_ int, raw, origin []byte) error {
		row, err := rowOf(raw)
		if err != nil {
			return err
		}
		p := parts[slices.IndexFunc(parts, func(p *part) bool { return p.split == row.Split || p.file == UnlabelledFile })]
		if len(row.Output) == 0 {
			p = parts[3]
		}
		p.rows++
		if row.Generated != nil {
			p.generated++
		}
		if row.Person != "" {
			w.people++
		}
		if err := w.vault.row(row, raw, origin); err != nil {
			return err
		}
		w.shape.add(raw)
		w.samples.partner(row.ID, raw)
		origins.rows++
		if err := p.out.Line(raw); err != nil {
			return err
		}
		return origins.out.Line(origin)
	})
	if err != nil {
		return err
	}
	if err := w.vault.close(); err != nil {
		return err
	}
	for _, p := range all {
		if err := w.enter(p); err != nil {
			return err
		}
	}
	return nil
}

// enter finishes a file and records it. A file of rows without any is not kept, except that every split has one.
func (w *folder) enter(p *part) error {
	if p.file == UnlabelledFile && p.rows == 0 {
		p.out.Abandon()
		return nil
	}
	if err := p.out.Finish(); err != nil {
		return err
	}
	if p.split != "" {
		w.d.Splits = append(w.d.Splits, rung.DatasetSplit{Split: p.split, File: p.file, Rows: p.rows, Digest: p.out.Digest(), Generated: p.generated})
		return nil
	}
	w.d.Files = append(w.d.Files, rung.DatasetFile{File: p.file, Rows: p.rows, Digest: p.out.Digest()})
	return nil
}

// removed puts the records of all steps together, with what the description says about personal data.
func (w *folder) removed(ctx context.Context) error {
	p := &part{file: RemovedFile}
	var err error
	if p.out, err = rows.Create(filepath.Join(w.dir, p.file)); err != nil {
		return err
	}
	defer p.out.Abandon()
	for _, path := range w.b.work.removed() {
		if err := w.removedOf(ctx, path, p); err != nil {
			return err
		}
	}
	return w.enter(p)
}

func (w *folder) removedOf(ctx context.Context, path string, p *part) error {
	in, err := openLines(path)
	if err != nil {
		return err
	}
	defer in.close()
	for {
		line, err := in.next()
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err
		}
		if p.rows++; p.rows%1024 == 0 && ctx.Err() != nil {
			return ctx.Err()
		}
		var r rung.RemovedRow
		if err := json.Unmarshal(line, &r); err != nil {
			return fmt.Errorf("a working record: %w", err)
		}
		w.b.forgotten(&r)
		if err := w.b.privacy.covered(&r); err != nil {
			return err
		}
		w.samples.add(&r)
		if line, err = encode(&w.line, &r); err != nil {
			return err
		}
		if err := p.out.Line(line); err != nil {
			return err
		}
	}
}

// writeWhole writes a small file, on disk when it returns.
func writeWhole(path string, content []byte) error {
	out, err := rows.Create(path)
	if err != nil {
		return err
	}
	defer out.Abandon()
	if _, err := out.Write(content); err != nil {
		return err
	}
	return out.Finish()
}

// indented is v as JSON for people.
func indented(v any) ([]byte, error) {
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	enc.SetIndent("", "  ")
	if err := enc.Encode(v); err != nil {
		return nil, fmt.Errorf("a record of the dataset: %w", err)
	}
	return b.Bytes(), nil
}

// errorText is an error's text on one line.
func errorText(err error) string {
	var e *rung.Error
	if errors.As(err, &e) {
		return e.What
	}
	return err.Error()
}
