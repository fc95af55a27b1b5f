package app

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/rung-dev/rung"
	"github.com/rung-dev/rung/internal/govern"
)

// Governed is on what terms a task's data may be used: those of the datasets that its examples come from, and those of the task file.
type Governed struct {
	Parties []govern.Party
	Data    []rung.DataRef
	Folders []string // of the datasets
}

// datasetFile is what a dataset's folder holds besides its splits.
const datasetFile = "dataset.json"

// maxDataset bounds dataset.json, in bytes.
const maxDataset = 64 << 20

// ReadDataset reads what a folder says of itself; nil where it is no dataset's.
func ReadDataset(folder string) (*rung.Dataset, error) {
	path := filepath.Join(folder, datasetFile)
	info, err := os.Stat(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	wrong := func(err error) error {
		return &rung.Error{Code: rung.CodeInput, Place: path, What: "cannot be read: " + err.Error(), Do: "build the dataset again (rung data build)", Err: err}
	}
	if err != nil {
		return nil, wrong(err)
	}
	if info.Size() > maxDataset {
		return nil, wrong(fmt.Errorf("it has %d bytes", info.Size()))
	}
	b, err := os.ReadFile(path)
	if err != nil {
		return nil, wrong(err)
	}
	d := new(rung.Dataset)
	if err := json.Unmarshal(b, d); err != nil {
		return nil, wrong(err)
	}
	return d, nil
}

// datasetFolder is the folder of the dataset that an examples path names or lies in; empty when there is none.
func datasetFolder(path string) string {
	for _, dir := range []string{path, filepath.Dir(path)} {
		if info, err := os.Stat(filepath.Join(dir, datasetFile)); err == nil && info.Mode().IsRegular() {
			return dir
		}
	}
	return ""
}

// Govern reads on what terms a task's data may be used.
func Govern(t *rung.Task) (*Governed, error) {
	g := &Governed{}
	loose := 0
	for _, path := range t.Examples {
		folder := datasetFolder(path)
		if folder == "" {
			loose++
			continue
		}
		if slices.Contains(g.Folders, folder) {
			continue
		}
		d, err := ReadDataset(folder)
		if err != nil {
			return nil, err
		}
		g.Folders = append(g.Folders, folder)
		g.dataset(d)
	}
	switch {
	case !govern.Empty(&t.Terms):
		g.Parties = append(g.Parties, govern.Party{Name: "the task's data", Terms: t.Terms})
	case loose > 0 || len(t.Documents) > 0:
		g.Parties = append(g.Parties, govern.Party{Name: "the task's data"})
	}
	return g, nil
}

func (g *Governed) dataset(d *rung.Dataset) {
	g.Data = append(g.Data, rung.DataRef{Name: d.Name, Digest: d.Digest, Terms: d.Terms})
	for i := range d.Sources {
		g.Parties = append(g.Parties, govern.Party{Name: fmt.Sprintf("the source %s of the dataset %s", d.Sources[i].Name, d.Name), Terms: d.Sources[i].Terms})
	}
	// What holds for all of it is the sources' own, joined; a dataset that says more, or has no sources, is asked too.
	if len(d.Sources) == 0 || rung.DigestOf(d.Terms) != rung.DigestOf(govern.JoinSources(d.Sources)) && !govern.Empty(&d.Terms) {
		g.Parties = append(g.Parties, govern.Party{Name: "the dataset " + d.Name, Terms: d.Terms})
	}
}

// Permit says whether the data may be used so today.
func (g *Governed) Permit(use rung.Use) govern.Ruling {
	return govern.Permit(use, time.Now(), g.Parties...)
}

// Terms are what everything that is derived from the data inherits.
func (g *Governed) Terms() rung.Terms {
	terms := make([]rung.Terms, len(g.Parties))
	for i := range g.Parties {
		terms[i] = g.Parties[i].Terms
	}
	return govern.Join(terms...)
}

// RungUses are what a rung does with the examples and documents besides answering and being scored.
func RungUses(r rung.Rung) []rung.Use {
	var out []rung.Use
	if r == rung.FewShot || r.Retrieves() {
		out = append(out, rung.UsePrompt)
	}
	if r.Trains() {
		out = append(out, rung.UseTrain)
	}
	return out
}

// Forbids says why a rung may not be tried on these terms; empty when nothing forbids it.
func (g *Governed) Forbids(r rung.Rung) string {
	for _, use := range RungUses(r) {
		if ruling := g.Permit(use); ruling.Verdict == govern.Forbidden {
			return "the terms of the data forbid it: " + ruling.Reason()
		}
	}
	return ""
}

// Usable refuses data that may not even be evaluated with, or had to be gone by now.
func (g *Governed) Usable() error {
	r := g.Permit(rung.UseEvaluate)
	if r.Verdict != govern.Forbidden {
		return nil
	}
	do := "use other data, or have its owner allow evaluation (uses)"
	if r.Expired {
		do = "delete it (rung data forget names what was made from it), or have its owner allow longer (retention)"
	}
	return &rung.Error{Code: rung.CodeInput, Place: "terms", What: "the terms of the data forbid this: " + r.Reason(), Do: do}
}

// Unsaid is a sentence on what the rungs do with the data and nobody has said is allowed; empty when all of it was said. With strict
// terms it is an error.
func (g *Governed) Unsaid(rungs []rung.Rung) string {
	uses := []rung.Use{rung.UseEvaluate}
	for _, r := range rungs {
		for _, u := range RungUses(r) {
			if !slices.Contains(uses, u) {
				uses = append(uses, u)
			}
		}
	}
	var open, why []string
	for _, u := range uses {
		r := g.Permit(u)
		if r.Verdict != govern.Unsaid {
			continue
		}
		open = append(open, string(u))
		for _, w := range r.Why {
			if !strings.HasPrefix(w, "nobody has said") && !slices.Contains(why, w) {
				why = append(why, w)
			}
		}
	}
	if len(open) == 0 {
		return ""
	}
	text := "Nobody has said whether the data may be used so: " + strings.Join(open, ", ")
	if silent := g.silent(uses); len(silent) > 0 && len(silent) < len(g.Parties) {
		text = "Nobody has said of " + strings.Join(silent, ", ") + " whether they may be used so: " + strings.Join(open, ", ")
	}
	if len(why) > 0 {
		text += " (" + strings.Join(why, "; ") + ")"
	}
	return text + "; the task file's keys licence and terms, or those of a dataset's sources, say it."
}

// silent are the parties of which it is not said whether all of these uses are allowed.
func (g *Governed) silent(uses []rung.Use) (names []string) {
	for i := range g.Parties {
		if slices.ContainsFunc(uses, func(u rung.Use) bool {
			r := govern.Permit(u, time.Now(), g.Parties[i])
			return r.Verdict == govern.Unsaid
		}) {
			names = append(names, g.Parties[i].Name)
		}
	}
	return names
}

// Strictly is Unsaid as the error that it is where the task is strict.
func (g *Governed) Strictly(t *rung.Task) error {
	text := g.Unsaid(t.Rungs)
	if text == "" || !t.Strict {
		return nil
	}
	what, _, _ := strings.Cut(text, "; the task file")
	return &rung.Error{Code: rung.CodeInput, Place: "terms.strict", What: strings.ToLower(what[:1]) + what[1:],
		Do: "say it under licence or terms in the task file or under the dataset's sources, leave rungs out, or take strict away"}
}
