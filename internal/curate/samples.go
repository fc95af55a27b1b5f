package curate

import (
	"encoding/json"
	"strings"

	"github.com/rung-dev/rung"
	"github.com/rung-dev/rung/internal/report"
	"github.com/rung-dev/rung/internal/rows"
)

// Sample is a removed row for reading in a report: without personal data, whatever the description says about it.
type Sample struct {
	Step   string  `json:"step"`
	Reason string  `json:"reason"`
	File   string  `json:"file"`
	Line   int     `json:"line"`
	Item   int     `json:"item,omitempty"`
	Of     string  `json:"of,omitempty"`
	OfText string  `json:"of_text,omitempty"` // of the row that stays in its place
	Score  float64 `json:"score,omitempty"`
	Detail string  `json:"detail,omitempty"`
	Text   string  `json:"text,omitempty"`
}

const (
	samplesEach = 3 // of a step and reason
	sampleText  = 280
)

// samples collects the first rows of each reason.
type samples struct {
	privacy *privacy
	counts  map[[2]string]int
	all     []Sample
	wanted  map[string][]int // id of a row that stays → the samples in whose place it does
}

func (s *samples) add(r *rung.RemovedRow) {
	if s.counts == nil {
		s.counts = map[[2]string]int{}
	}
	key := [2]string{r.Step, r.Reason}
	if s.counts[key]++; s.counts[key] > samplesEach {
		return
	}
	one := Sample{Step: r.Step, Reason: r.Reason, File: r.File, Line: r.Line, Item: r.Item, Of: r.Of, Score: r.Score, Detail: report.Line(s.privacy.blankText(r.Detail), sampleText)}
	if len(r.Row) > 0 {
		one.Text = rowText(s.privacy.blank(r.Row))
	}
	if r.Of != "" && r.Step != StepAgainst {
		if s.wanted == nil {
			s.wanted = map[string][]int{}
		}
		s.wanted[r.Of] = append(s.wanted[r.Of], len(s.all))
	}
	s.all = append(s.all, one)
}

// partner shows a row that stays beside those that went for it.
func (s *samples) partner(id string, raw []byte) {
	for _, i := range s.wanted[id] {
		s.all[i].OfText = rowText(s.privacy.blank(raw))
	}
}

func (s *samples) list() []Sample { return s.all }

// rowText is what a row asks and answers, on one line fit for a terminal; of what is no row its text.
func rowText(raw json.RawMessage) string {
	return report.Line(strings.TrimSpace(plainText(raw)), sampleText)
}

func plainText(raw json.RawMessage) string {
	var row rung.DatasetRow
	if json.Unmarshal(raw, &row) != nil || len(row.Input) == 0 {
		var text string
		if json.Unmarshal(raw, &text) == nil {
			return text
		}
		return string(raw)
	}
	in, _ := rows.Fields{"input"}.Append(nil, []rows.Member{{Key: []byte("input"), Value: row.Input}})
	if len(row.Output) == 0 {
		return string(in)
	}
	out, _ := rows.Fields{"output"}.Append(nil, []rows.Member{{Key: []byte("output"), Value: row.Output}})
	return strings.TrimSpace(string(in)) + " → " + string(out)
}
