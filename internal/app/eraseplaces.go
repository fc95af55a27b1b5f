package app

import (
	"context"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/rung-dev/rung"
	"github.com/rung-dev/rung/internal/data"
	"github.com/rung-dev/rung/internal/task"
)

// placed is what the project knows: datasets, and tasks with files of their own.
type placed struct {
	folders []string
	tasks   []*rung.Task
}

func (p *placed) add(dir string) {
	if dir, err := filepath.Abs(dir); err == nil && !slices.Contains(p.folders, dir) {
		p.folders = append(p.folders, dir)
	}
}

// places are the datasets and tasks that the project knows: those named, those of task files and descriptions beside the store and of its
// runs, datasets beside the store, and older builds that lie beside one of these: under its name and digest, with its name, or from its raw
// files.
func (e *erasing) places(ctx context.Context) (folders []string, tasks []*rung.Task, err error) {
	p := &placed{}
	for _, f := range e.opt.Folders {
		if err := mend(f); err != nil {
			return nil, nil, err
		}
		if !data.IsFolder(f) {
			return nil, nil, &rung.Error{Code: rung.CodeNotFound, Place: f, What: "there is no dataset here (no dataset.json)", Do: "name the folder of a dataset"}
		}
		p.add(f)
	}
	files, err := e.taskFiles(ctx)
	if err != nil {
		return nil, nil, err
	}
	for _, file := range files {
		if err := e.place(file, p); err != nil {
			return nil, nil, err
		}
	}
	if dir := e.project(); dir != "" {
		beside, _ := e.near(dir)
		for _, f := range beside {
			p.add(f)
		}
	}
	if err := e.olderBuilds(p); err != nil {
		return nil, nil, err
	}
	slices.Sort(p.folders)
	return p.folders, p.tasks, nil
}

// place takes in a YAML file: a description or a task; others are passed over.
func (e *erasing) place(file string, p *placed) error {
	if d, ok := e.describe(file); ok {
		if err := mend(d.Out); err != nil {
			return err
		}
		e.descriptions = append(e.descriptions, d)
		e.beside[d.Out] = d.Dir
		if data.IsFolder(d.Out) {
			p.add(d.Out)
		}
		return nil
	}
	f, err := task.OpenForm(file)
	if err != nil {
		return nil // not a task
	}
	if full, err := task.Open(file); err == nil {
		f = full
	}
	p.tasks = append(p.tasks, f.Task)
	for _, path := range f.Task.Examples {
		if folder := datasetFolder(path); folder != "" {
			p.add(folder)
		}
	}
	return nil
}

// olderBuilds adds datasets that lie beside known ones and are other builds of them, and the descriptions of known ones.
func (e *erasing) olderBuilds(p *placed) error {
	names, raws, dirs := map[string]bool{}, map[rung.Digest]bool{}, map[string]bool{}
	for _, dir := range p.folders {
		f, err := data.OpenFolder(dir)
		if err != nil {
			return err
		}
		names[f.Dataset.Name], dirs[filepath.Dir(dir)] = true, true
		for _, s := range f.Dataset.Sources {
			for _, sf := range s.Files {
				raws[sf.Digest] = true
			}
		}
	}
	for _, d := range e.descriptions {
		names[d.Name], dirs[d.Dir], dirs[filepath.Dir(d.Out)] = true, true, true
	}
	for dir := range dirs {
		e.dirs = append(e.dirs, dir)
	}
	slices.Sort(e.dirs)
	for _, dir := range e.dirs {
		folders, files := e.near(dir)
		for _, name := range folders {
			if f, err := data.OpenFolder(name); err == nil && (names[f.Dataset.Name] || fromRaw(f.Dataset, raws)) {
				p.add(name)
			}
		}
		e.described(files, p)
	}
	for _, dir := range slices.Clone(p.folders) { // a description may name a folder below its own
		_, files := e.near(filepath.Dir(filepath.Dir(dir)))
		e.described(files, p)
	}
	for _, dir := range p.folders {
		if first, _, older := strings.Cut(dir, "@"); older && e.beside[dir] == "" {
			e.beside[dir] = e.beside[first]
		}
	}
	return nil
}

func fromRaw(d *rung.Dataset, raws map[rung.Digest]bool) bool {
	return slices.ContainsFunc(d.Sources, func(s rung.Source) bool {
		return slices.ContainsFunc(s.Files, func(f rung.SourceFile) bool { return raws[f.Digest] })
	})
}

// described takes in the descriptions of known datasets among files.
func (e *erasing) described(files []string, p *placed) {
	for _, file := range files {
		if slices.ContainsFunc(e.descriptions, func(d *task.Description) bool { return d.File == file }) {
			continue
		}
		f, err := task.OpenDescription(file)
		if err != nil || !slices.Contains(p.folders, f.Description.Out) {
			continue
		}
		e.descriptions = append(e.descriptions, f.Description)
		e.beside[f.Description.Out] = f.Description.Dir
	}
}

// project is the folder that the store lies in; "" without a store.
func (e *erasing) project() string {
	if e.opt.Dir == "" {
		return ""
	}
	dir, err := filepath.Abs(filepath.Dir(filepath.Clean(e.opt.Dir)))
	if err != nil {
		return ""
	}
	return dir
}

// taskFiles are YAML files beside the store, and those that its runs name.
func (e *erasing) taskFiles(ctx context.Context) ([]string, error) {
	dir := e.project()
	if dir == "" {
		return nil, nil
	}
	_, files := e.near(dir)
	if e.opt.Store == nil {
		return files, nil
	}
	runs, err := e.opt.Store.Runs(ctx, 0)
	if err != nil {
		return nil, err
	}
	for _, r := range runs {
		kept, ok, err := e.opt.Store.Step(ctx, taskFileStep(r.ID))
		if err != nil {
			return nil, err
		}
		if ok && !slices.Contains(files, string(kept)) {
			files = append(files, string(kept))
		}
	}
	return files, nil
}

// outside says which of the datasets lie outside of the store's project: its runs keep absolute paths, so that a store that was copied names
// the files of the original.
func (e *erasing) outside(folders []string, tasks []*rung.Task) {
	dir := e.project()
	if dir == "" {
		return
	}
	note := func(path string) {
		if slices.Contains(e.named(), path) || strings.HasPrefix(path, dir+string(filepath.Separator)) || slices.Contains(e.out.Outside, path) {
			return
		}
		e.out.Outside = append(e.out.Outside, path)
	}
	for _, f := range folders {
		note(f)
	}
	for _, t := range tasks {
		for _, path := range t.Examples {
			if datasetFolder(path) == "" {
				note(path)
			}
		}
	}
	for _, path := range e.out.Outside {
		what := "is looked through"
		if e.opt.Do && slices.Contains(folders, path) {
			what = "is changed where it holds them"
		}
		e.say("%s lies outside of this store's folder (%s) and %s: a run of this store names it%s", path, dir, what, e.otherStore(path))
	}
}

// named are the datasets that were named on the command line.
func (e *erasing) named() []string {
	var out []string
	for _, f := range e.opt.Folders {
		if abs, err := filepath.Abs(f); err == nil {
			out = append(out, abs)
		}
	}
	return out
}

// otherStore says that a path lies in the project of another store.
func (e *erasing) otherStore(path string) string {
	mine, err := filepath.Abs(e.opt.Dir)
	if err != nil {
		return ""
	}
	for dir := filepath.Dir(path); ; dir = filepath.Dir(dir) {
		other := filepath.Join(dir, filepath.Base(mine))
		if info, err := os.Stat(other); err == nil && info.IsDir() && other != mine {
			return "; its own store is " + other + ", which is not looked through: run the same command there"
		}
		if filepath.Dir(dir) == dir {
			return ""
		}
	}
}
