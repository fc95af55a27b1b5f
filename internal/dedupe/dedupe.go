// Package dedupe finds rows of data files that say what another row says already: exact copies of the compared text, copies apart from
// case, white space and sentence punctuation, near-copies by Jaccard similarity, and, where an embedder is given, rows of one meaning.
// It holds some 130 bytes per row in memory, whatever the rows' length, and reads texts again from their files when it compares them.
//
// Near-copies are found by sketches (sketch.go) and confirmed on the texts (similar.go), so that no pair below the threshold is ever
// called near-equal; what can be missed is a pair above it, with a probability that docs/data.md gives. Of each cluster, rows are
// gone through in the order of the keeping rule, and one is removed if it is alike to a row that is kept. So each removed row has a kept
// one that it is alike to, and chains of likeness remove nothing that is not.
package dedupe

import (
	"context"
	"fmt"
	"runtime"

	"github.com/rung-dev/rung"
	"github.com/rung-dev/rung/internal/rows"
	"github.com/rung-dev/rung/internal/unionfind"
)

// Reason says why a row was removed.
type Reason string

// The reasons.
const (
	Exact      Reason = "exact"      // the compared text is the same, byte for byte
	Normalised Reason = "normalised" // the same apart from case, white space, Unicode form and sentence punctuation
	Near       Reason = "near"       // Jaccard similarity over character 5-grams at or above the threshold
	Semantic   Reason = "semantic"   // cosine of the embeddings at or above its threshold
	Unreadable Reason = "unreadable" // not a JSON object
)

// Keep is the rule by which one row of a cluster stays.
type Keep string

// The rules. Ties go to the first.
const (
	First   Keep = "first"
	Longest Keep = "longest" // by the compared text, in bytes
	Newest  Keep = "newest"  // by the value of a field: numbers by size, else by the order of the text, as ISO dates have it
)

// Options say what is compared and how.
type Options struct {
	Fields      rows.Fields
	Exact       bool    // only exact copies
	Near        float64 // similarity from which rows are near-copies; 0: none are looked for
	SameNumbers bool    // near-copies must hold the same numbers in the same order
	Keep        Keep
	NewestBy    string                                                         // field for Newest
	Dataset     bool                                                           // the rows are those of a dataset: what a row is worth (rank) goes before the rule
	Contrasts   bool                                                           // near-copies and rows of one meaning that answer otherwise both stay
	Embed       func(ctx context.Context, texts []string) ([][]float32, error) `json:"-"`
	Semantic    float64                                                        // cosine from which rows have one meaning; used with Embed
	Workers     int                                                            // 0: one per core
	Elsewhere   Elsewhere                                                      `json:"-"` // does the work on rows; nil: this process
}

// DefaultNear is the default threshold; docs/data.md gives precision and recall around it.
const DefaultNear = 0.6

// DefaultSemantic is the default cosine of rows of one meaning; docs/data.md gives precision and recall around it.
const DefaultSemantic = 0.9

// Removed is a row that goes, and why.
type Removed struct {
	Doc        int32
	Kept       int32 // the kept row that it is alike to, -1 for unreadable ones
	Reason     Reason
	Similarity float64
	Conflict   bool // its answer (output, label, answer, completion or response) is another than the kept row's
	What       string
}

// Result is what was found.
type Result struct {
	Rows     int // all rows
	Textless int // rows without any compared text; they are kept
	Removed  []Removed
	Clusters []Cluster // with more than one row, the largest first, at most maxClusters
	Counts   map[Reason]int
	Found    int  // clusters with more than one row
	Conflict int  // removed rows whose answer is another than their kept row's
	Contrast int  // rows that stay beside one that they are alike to, since their answer is another
	Cut      bool // so repetitive that not all pairs were looked at
	docs     *documents
	joined   unionfind.Forest
}

// Sets are all sets of rows that are alike, directly or through others, each in the order of the rows, kept and removed together.
func (r *Result) Sets() [][]int32 { return clustersOf(r.joined) }

// Cluster is rows that belong together, kept and removed.
type Cluster struct {
	Size int
	Kept []int32 // at most clusterRows
	Gone []int32 // at most clusterRows
}

const (
	maxClusters = 1000
	clusterRows = 20
)

// Line is a row's line and file.
func (r *Result) Line(doc int32) (file uint16, line int) {
	return r.docs.files(doc), int(r.docs.lines[doc])
}

// Place is where a row lies.
func (r *Result) Place(doc int32) rows.Place { return r.docs.place(doc) }

// Where names a row for people.
func (r *Result) Where(doc int32) string {
	file, line := r.Line(doc)
	return r.docs.set.Where(file, line)
}

// Run finds the duplicates of a set.
func Run(ctx context.Context, set *rows.Set, o Options) (*Result, error) {
	if err := o.check(); err != nil {
		return nil, err
	}
	docs, err := read(ctx, set, &o)
	if err != nil {
		return nil, err
	}
	r := &Result{Rows: docs.n(), Textless: docs.textless, Counts: map[Reason]int{}, docs: docs}
	joined := docs.copies()
	if o.Near > 0 && !o.Exact {
		if r.Cut, err = nearPairs(ctx, docs, joined, &o); err != nil {
			return nil, err
		}
	}
	if o.Embed != nil {
		if err := semanticPairs(ctx, docs, joined, &o); err != nil {
			return nil, err
		}
	}
	docs.sketches = sketches{}
	r.joined = joined
	if err := r.settle(ctx, joined, &o); err != nil {
		return nil, err
	}
	return r, nil
}

func (o *Options) check() error {
	if o.Workers <= 0 {
		o.Workers = runtime.GOMAXPROCS(0)
	}
	if o.Keep == "" {
		o.Keep = First
	}
	switch {
	case len(o.Fields) == 0:
		return &rung.Error{Code: rung.CodeUsage, What: "no field to compare is named", Do: "name one"}
	case o.Near != 0 && (o.Near < minNear || o.Near > 1):
		return &rung.Error{Code: rung.CodeUsage, What: fmt.Sprintf("%g is no threshold for near-copies", o.Near), Do: fmt.Sprintf("write a number from %g to 1, or 0 to look for none", minNear)}
	case o.Embed != nil && (o.Semantic <= 0 || o.Semantic > 1):
		return &rung.Error{Code: rung.CodeUsage, What: fmt.Sprintf("%g is no threshold for rows of one meaning", o.Semantic), Do: "write a number up to 1, such as 0.9"}
	case o.Keep != First && o.Keep != Longest && o.Keep != Newest:
		return &rung.Error{Code: rung.CodeUsage, What: fmt.Sprintf("there is no rule %q", o.Keep), Do: "write first, longest or newest"}
	case o.Keep == Newest && o.NewestBy == "":
		return &rung.Error{Code: rung.CodeUsage, What: "newest needs a field that says when", Do: "name it with --newest-by"}
	}
	return nil
}

// minNear is the lowest threshold that the sketches are made for.
const minNear = 0.4

func changed(docs *documents, doc int32) error {
	return &rung.Error{Code: rung.CodeInput, Place: docs.set.Where(docs.files(doc), int(docs.lines[doc])), What: "the file changed while it was read", Do: "run again when nothing writes to it"}
}
