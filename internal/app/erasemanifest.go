package app

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"

	"github.com/rung-dev/rung"
	"github.com/rung-dev/rung/internal/data"
	"github.com/rung-dev/rung/internal/govern"
	"github.com/rung-dev/rung/internal/store"
)

// eraseStep is the name of the recorded step.
const eraseStep = "erase"

var labelled = regexp.MustCompile(`(?m)^\d+ labelled rows?,`)

// rewriteManifest writes dataset.json with the erasure as its last step, the list of erased rows, and the card.
func (e *erasing) rewriteManifest(f *data.Folder, fresh string, ds *rung.Dataset, d *ErasedDataset) error {
	scrub := store.Erasure{Holds: e.finder.Holds}
	steps, _ := scrub.Scrub(marshal(ds.Steps, nil))
	if json.Unmarshal(steps, &ds.Steps) != nil {
		return &rung.Error{Code: rung.CodeInternal, Place: f.Dir, What: "the steps of the dataset cannot be written without what is erased", Do: "report it"}
	}
	left, before := 0, 0
	for i := range ds.Splits {
		left += ds.Splits[i].Rows
		before += f.Dataset.Splits[i].Rows
	}
	options := marshal(map[string]any{"marks": e.list(f).Len()}, nil)
	ds.Steps = append(ds.Steps, rung.DataStep{Name: eraseStep, Options: options, In: d.Before, Out: rung.DigestOf(ds.Splits), Rows: before, Kept: left, Removed: before - left,
		Reasons: []rung.ReasonCount{{Reason: "erased", Rows: before - left}}, Notes: []string{"Rows of a person were erased; their origins say so, without their content."}})
	var err error
	if ds.Digest, err = ds.Sum(); err != nil {
		return err
	}
	b, err := json.MarshalIndent(ds, "", "  ")
	if err != nil {
		return err
	}
	if err := govern.WriteWhole(filepath.Join(fresh, datasetFile), append(b, '\n'), 0o644); err != nil {
		return err
	}
	if err := e.list(f).Save(filepath.Join(fresh, govern.ErasedFile)); err != nil {
		return err
	}
	if _, err := os.Stat(f.Path("report.html")); err == nil && e.opt.Report != nil {
		if err := e.opt.Report(fresh, ds); err != nil {
			return err
		}
	}
	card, err := os.ReadFile(f.Path("README.md"))
	if err != nil {
		return nil // there was none
	}
	return govern.WriteWhole(filepath.Join(fresh, "README.md"), []byte(e.card(string(card), f.Dataset, ds, left)), 0o644)
}

// card is the card of the dataset without what was erased. The report is made anew, without examples of removed rows.
func (e *erasing) card(text string, was, now *rung.Dataset, left int) string {
	var b strings.Builder
	for line := range strings.Lines(text) {
		if !e.finder.Holds([]byte(line)) {
			b.WriteString(line)
		}
	}
	text = strings.ReplaceAll(b.String(), string(was.Digest), string(now.Digest))
	for i := range was.Splits {
		w, n := &was.Splits[i], &now.Splits[i]
		text = strings.ReplaceAll(text, fmt.Sprintf("| %s | %d | %d |", w.Split, w.Rows, w.Generated), fmt.Sprintf("| %s | %d | %d |", n.Split, n.Rows, n.Generated))
	}
	text = labelled.ReplaceAllString(text, fmt.Sprintf("%d labelled rows,", left))
	const note = "Rows of a person were erased after it was built (step `erase`); report.html is of what is left, without examples of removed rows.\n"
	if !strings.Contains(text, note) {
		text += "\n" + note
	}
	return text
}
