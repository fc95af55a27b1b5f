package rung

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
)

// A dataset is a folder that was built from raw files by recorded steps and never changes. It holds
//
//	dataset.json                          Dataset, as below
//	train.jsonl, dev.jsonl, heldout.jsonl DatasetRow, one a line, in a fixed order
//	unlabelled.jsonl                      DatasetRow without an output: kept apart, in no split; only where there are any
//	removed.jsonl                         RemovedRow: every row that a step took out
//	origins.jsonl                         Origin: where each row came from and what was changed in it
//	README.md, report.html                the card and the report, made from the above
//
// and nothing that depends on the clock, so that building it again gives the same bytes. A task names the folder under examples.

// Dataset is what dataset.json says.
type Dataset struct {
	Name    string         `json:"name"`
	Digest  Digest         `json:"digest"` // over the names and digests of the splits, the sources and the steps
	Fields  []string       `json:"fields"` // of the input, in order
	Sources []Source       `json:"sources"`
	Terms   Terms          `json:"terms"` // what holds for all of it: the strictest of its sources
	Steps   []DataStep     `json:"steps"`
	Splits  []DatasetSplit `json:"splits"`
	Files   []DatasetFile  `json:"files"`        // the others: removed.jsonl, origins.jsonl, unlabelled.jsonl; not part of the digest
	Rung    string         `json:"rung_version"` // of the program that built it; not part of the digest
}

// DatasetSplit is one file of a dataset.
type DatasetSplit struct {
	Split  Split  `json:"split"`
	File   string `json:"file"`
	Rows   int    `json:"rows"`
	Digest Digest `json:"digest"` // of the file's bytes
	// Generated are its rows that no person wrote. They are never in heldout unless the description of the dataset allows it by name.
	Generated int `json:"generated,omitempty"`
}

// DatasetFile is a file of a dataset that is no split.
type DatasetFile struct {
	File   string `json:"file"`
	Rows   int    `json:"rows"`
	Digest Digest `json:"digest"` // of the file's bytes
}

// Sum is the digest of a dataset: over the names and digests of its splits, its sources and its steps. It is what Digest must be.
func (d *Dataset) Sum() (Digest, error) {
	b, err := json.Marshal(struct {
		Name    string
		Fields  []string
		Sources []Source
		Terms   Terms
		Steps   []DataStep
		Splits  []DatasetSplit
	}{d.Name, d.Fields, d.Sources, d.Terms, d.Steps, d.Splits})
	if err != nil {
		return "", fmt.Errorf("digest of the dataset %s: %w", d.Name, err)
	}
	return DigestBytes(append([]byte("rung dataset 1\n"), b...)), nil
}

// Generated is how many rows of all splits no person wrote.
func (d *Dataset) Generated() int {
	n := 0
	for _, s := range d.Splits {
		n += s.Generated
	}
	return n
}

// DatasetRow is one row between and after the steps: an example with what is known about it.
type DatasetRow struct {
	ID           string            `json:"id"` // kept through all steps; from the file, or the digest of what the row said when it came in
	Input        json.RawMessage   `json:"input"`
	Output       json.RawMessage   `json:"output,omitempty"` // missing: not labelled yet
	Alternatives []json.RawMessage `json:"alternatives,omitempty"`
	Segment      string            `json:"segment,omitempty"`
	Group        string            `json:"group,omitempty"`
	Split        Split             `json:"split,omitempty"`
	Time         string            `json:"time,omitempty"`   // RFC 3339, when the row came about
	Person       string            `json:"person,omitempty"` // whom it is about: a key of the source's own, for erasure
	Source       string            `json:"source,omitempty"` // Source.Name
	Modes        []string          `json:"failure_modes,omitempty"`
	Counter      string            `json:"counter_of,omitempty"` // a counter-example: to which mistake (an example's id)
	Generated    *Generated        `json:"generated,omitempty"`  // no person wrote it
}

// Generated says how a row was made that no person wrote.
type Generated struct {
	By     string   `json:"by"`             // a model's name or "template"
	Prompt Digest   `json:"prompt"`         // of what it was asked
	From   []string `json:"from,omitempty"` // ids of the real rows that it was made from
	// Review is the batch that a person reviewed it in; empty: nobody has, and it must not be trained on.
	Review string `json:"review,omitempty"`
}

// Trainable reports whether rows made like this may be trained on or shown as demonstrations, and if not, why. Nil is a row that a
// person wrote.
func (g *Generated) Trainable() (ok bool, why string) {
	if g == nil || g.Review != "" {
		return true, ""
	}
	return false, "it was generated (by " + g.By + ") and no person has reviewed its batch: rung data review"
}

// Origin is where a row came from.
type Origin struct {
	ID      string   `json:"id"`
	Source  string   `json:"source"`
	File    string   `json:"file"`
	Line    int      `json:"line"`           // 1-based; of files without lines the row's number
	Item    int      `json:"item,omitempty"` // of several rows that begin on one line, from the second on: which of the array
	Raw     Digest   `json:"raw"`            // of the row as it stood there
	Changes []string `json:"changes,omitempty"`
}

// Place names where a row stands in a file: FILE:LINE, with the number of the item where several begin on that line.
func Place(file string, line, item int) string {
	switch {
	case line == 0:
		return file
	case item == 0:
		return fmt.Sprintf("%s:%d", file, line)
	}
	return fmt.Sprintf("%s:%d, item %d", file, line, item)
}

// WrittenBeside reports a file that is no data, by its name: rung writes it beside rows, such as removed rows with their reasons. A pattern or
// a folder does not mean it; named alone it is read.
func WrittenBeside(name string) bool {
	return slices.Contains([]string{"split.json", "left_out.jsonl", "removed.jsonl", "origins.jsonl", "erased.jsonl"}, name) ||
		strings.HasSuffix(name, ".removed.jsonl") || strings.HasSuffix(name, ".review.json")
}

// RemovedRow is a row that a step took out, and why.
type RemovedRow struct {
	ID     string          `json:"id,omitempty"` // empty for what could not be read
	Step   string          `json:"step"`         // DataStep.Name
	Reason string          `json:"reason"`       // a word of that step, such as near or 13-gram
	Detail string          `json:"detail,omitempty"`
	Of     string          `json:"of,omitempty"` // the row that stays in its place, or the evaluation item that it holds
	Score  float64         `json:"score,omitempty"`
	File   string          `json:"file"`
	Line   int             `json:"line"`
	Item   int             `json:"item,omitempty"` // as in Origin
	Row    json.RawMessage `json:"row,omitempty"`  // as it was when it went; a JSON string when it was no JSON
}

// DataStep is one recorded step from digest to digest.
type DataStep struct {
	Name    string          `json:"name"` // import, check, pii, dedupe, decontaminate, generated, erase, split
	Options json.RawMessage `json:"options"`
	In      Digest          `json:"in"`  // of the rows that came in; of the raw files, for import
	Out     Digest          `json:"out"` // of the rows that went on
	Rows    int             `json:"rows"`
	Kept    int             `json:"kept"`
	Changed int             `json:"changed,omitempty"`
	Removed int             `json:"removed,omitempty"`
	Reasons []ReasonCount   `json:"reasons,omitempty"` // of removals and changes, most first
	Notes   []string        `json:"notes,omitempty"`   // what a reader must know
	Report  json.RawMessage `json:"report,omitempty"`  // the step's own figures
}

// ReasonCount says how often a reason held.
type ReasonCount struct {
	Reason  string `json:"reason"`
	Rows    int    `json:"rows"`
	Changed bool   `json:"changed,omitempty"` // the rows stayed, changed
}

// Source is where data came from and on what terms.
type Source struct {
	Name     string       `json:"name" yaml:"name"`
	Files    []SourceFile `json:"files" yaml:"-"`
	Obtained string       `json:"obtained,omitempty" yaml:"obtained"` // how, in a sentence
	URL      string       `json:"url,omitempty" yaml:"url"`
	Terms    `yaml:",inline"`
	// Generated: a model or a template wrote it.
	Generated bool `json:"generated,omitempty" yaml:"generated"`
}

// SourceFile is one raw file.
type SourceFile struct {
	File     string `json:"file"`
	Digest   Digest `json:"digest"`
	Bytes    int64  `json:"bytes"`
	Rows     int    `json:"rows"`
	Format   string `json:"format"`
	Encoding string `json:"encoding,omitempty"` // when it was not UTF-8
}

// Terms are what may be done with data. What is derived from several sources has the strictest of each.
type Terms struct {
	Licence     []string    `json:"licence,omitempty" yaml:"licence"`         // SPDX expressions; several when sources are joined
	Consent     string      `json:"consent,omitempty" yaml:"consent"`         // the basis: consent, contract, legal_obligation, vital_interests, public_task, legitimate_interests, not_personal
	Retention   string      `json:"retention,omitempty" yaml:"retention"`     // a date, YYYY-MM-DD, after which it must be gone
	Uses        []Use       `json:"uses,omitempty" yaml:"uses"`               // what is allowed; empty: nobody has said
	Sensitivity Sensitivity `json:"sensitivity,omitempty" yaml:"sensitivity"` // of the most sensitive row
	Contact     []string    `json:"contact,omitempty" yaml:"contact"`
}

// Use is something that is done with data.
type Use string

// The uses.
const (
	UseTrain    Use = "train"    // weights are trained on it
	UsePrompt   Use = "prompt"   // shown to a model: demonstrations, passages
	UseEvaluate Use = "evaluate" // answers are held against it
	UsePublish  Use = "publish"  // leaves the house
	UseNone     Use = "none"     // alone: nothing is allowed
)

// Allows reports whether a use is among those allowed. Where nobody has said, it is not known: neither allowed nor forbidden.
func (t *Terms) Allows(u Use) (allowed, known bool) {
	return slices.Contains(t.Uses, u), len(t.Uses) > 0
}

// Sensitivity says what would be lost if the data were seen.
type Sensitivity string

// The levels, from the least.
const (
	Public       Sensitivity = "public"
	Internal     Sensitivity = "internal"
	Confidential Sensitivity = "confidential"
	Personal     Sensitivity = "personal"         // personal data (GDPR Art. 4)
	Special      Sensitivity = "special_category" // GDPR Art. 9: health, belief, ...
)
