package report

import (
	"bufio"
	_ "embed"
	"fmt"
	"html"
	"io"

	"github.com/rung-dev/rung/internal/fill"
)

//go:embed page/dataset.html
var datasetTemplate string

//go:embed page/dataset.css
var datasetStyle string

// DatasetPage is what the page of a dataset says, ready to be read: for whoever answers for the data. It holds no personal data.
type DatasetPage struct {
	Name     string
	Digest   string
	Version  string
	Headline string
	Lead     string
	Warnings []string // what must not be overlooked
	Terms    []DatasetFact
	Unstated []string // what nobody has said, in sentences
	Sources  []DatasetSource
	Personal DatasetPersonal
	Flow     []DatasetStepRow
	Removed  []DatasetRemoved
	Findings []DatasetFinding
	Checked  string // what the check looked for, and what it left out
	Made     []DatasetFact
	Splits   []DatasetSplitRow
	Labels   []DatasetLabel
	Against  []DatasetFact
	Files    []DatasetFact
	Methods  []string
}

// DatasetFact is a name with what is known of it.
type DatasetFact struct {
	Name, Value string
	Unstated    bool // nobody has said
}

// DatasetSource is a source with its terms and files.
type DatasetSource struct {
	Name   string
	Facts  []DatasetFact
	Files  []DatasetRawFile
	Rows   int
	Broken int
}

// DatasetRawFile is a raw file.
type DatasetRawFile struct {
	File, Format, Encoding, Digest string
	Bytes                          int64
	Rows                           int
}

// DatasetPersonal says what was found of personal data and what was done about it.
type DatasetPersonal struct {
	Done    string // in a sentence
	Looked  string
	Types   []DatasetType
	People  []string // who is named in it, in sentences
	Limits  string
	Skipped bool
}

// DatasetType is one type of personal data.
type DatasetType struct {
	Type           string
	Findings, Rows int
	Share, Where   string
	Done           string
}

// DatasetStepRow is a step.
type DatasetStepRow struct {
	Name, About            string
	In, Kept, Changed, Out int
	Why                    []string
	Notes                  []string
	From, To               string // digests, short
	Options                string
}

// DatasetRemoved is why rows were removed, with examples.
type DatasetRemoved struct {
	Step, Reason, Words string
	Rows, Share         string
	Examples            []DatasetExample
}

// DatasetExample is a removed row, without personal data.
type DatasetExample struct {
	Place, Text, Detail, Of, OfText string
}

// DatasetFinding is something that the check found.
type DatasetFinding struct {
	Mark, Severity, What, Do string
	Rows, Share              string
	Examples                 []DatasetExample
}

// DatasetSplitRow is a split.
type DatasetSplitRow struct {
	Name, Digest              string
	Rows, Clusters, Generated int
	Share                     string
}

// DatasetLabel is a label with its rows.
type DatasetLabel struct {
	Label, Share string
	Rows         int
}

// DatasetHTML writes the page. It needs nothing else, and has no script.
func DatasetHTML(w io.Writer, v *DatasetPage) error {
	t, err := fill.Page("dataset", nil, datasetTemplate)
	if err != nil {
		return fmt.Errorf("dataset template: %w", err)
	}
	b := bufio.NewWriter(w)
	style := pageStyle + datasetStyle
	fmt.Fprintf(b, pageHead, "none", sourceHash(style), html.EscapeString("Dataset "+v.Name), style)
	if err := t.Execute(b, v); err != nil {
		return fmt.Errorf("dataset page: %w", err)
	}
	fmt.Fprint(b, "</body>\n</html>\n")
	if err := b.Flush(); err != nil {
		return unwritten(err)
	}
	return nil
}
