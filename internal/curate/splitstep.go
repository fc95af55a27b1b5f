package curate

import (
	"context"
	"encoding/json"
	"strings"

	"github.com/rung-dev/rung"
	"github.com/rung-dev/rung/internal/data"
	"github.com/rung-dev/rung/internal/rows"
)

// generatedOptions are what is recorded of the step.
type generatedOptions struct {
	Heldout bool `json:"heldout"` // rows that no person wrote may be held out
}

// GeneratedReport says how many rows no person wrote.
type GeneratedReport struct {
	Rows       int            `json:"rows"`       // that stay
	Unreviewed int            `json:"unreviewed"` // that went, since no person has reviewed them
	By         map[string]int `json:"by,omitempty"`
	Batches    map[string]int `json:"batches,omitempty"` // rows of each review that stay

	Reviews []ReviewedBatch `json:"reviews,omitempty"` // how they were reviewed
}

// generatedStep takes out what no person wrote and no person has reviewed.
func (b *build) generatedStep() stepDef {
	return stepDef{StepGenerated, generatedOptions{b.d.GeneratedHeldout}, func(ctx context.Context, in *table, out *sink) error {
		report := GeneratedReport{By: map[string]int{}, Batches: map[string]int{}}
		err := in.each(ctx, func(_ int, raw, origin []byte) error {
			row, err := rowOf(raw)
			if err != nil {
				return err
			}
			ok, why := row.Generated.Trainable()
			if !ok {
				report.Unreviewed++
				r, err := removedAt(raw, origin, "unreviewed")
				if err != nil {
					return err
				}
				r.Detail = why
				return out.remove(r)
			}
			if row.Generated != nil {
				report.Rows++
				report.By[row.Generated.By]++
				report.Batches[row.Generated.Review]++
			}
			return out.keep(raw, origin)
		})
		if err != nil {
			return err
		}
		if report.Reviews, err = b.reviewed(ctx, report.Batches); err != nil {
			return err
		}
		out.report = report
		if report.Rows > 0 {
			out.note("GENERATED ROWS: no person wrote %d of the %d rows", report.Rows, out.kept)
		}
		if out.kept == 0 {
			return nothingLeft(b.d, out)
		}
		return nil
	}}
}

// splitOptions are what is recorded of the step.
type splitOptions struct {
	Train     float64         `json:"train"`
	Dev       float64         `json:"dev"`
	Heldout   float64         `json:"heldout"`
	Rules     rung.SplitRules `json:"rules"`
	Generated bool            `json:"generated_heldout,omitempty"`
}

// SplitReport says what is in the splits.
type SplitReport struct {
	Rows       map[rung.Split]int `json:"rows"`
	Clusters   map[rung.Split]int `json:"clusters"`          // copies of each other, and rows of one group, counted once
	Heldout    rung.Digest        `json:"heldout,omitempty"` // of the held-out set, as a climb on the dataset has it; not known where rows were long
	Long       int                `json:"long,omitempty"`    // rows that were compared by their ends only
	Unlabelled int                `json:"unlabelled"`
}

// splitStep deals the labelled rows out. Rows without an output stay without a split.
func (b *build) splitStep() stepDef {
	o := splitOptions{b.d.Split.Train, b.d.Split.Dev, b.d.Split.Heldout, b.d.SplitRules, b.d.GeneratedHeldout}
	return stepDef{StepSplit, o, func(ctx context.Context, in *table, out *sink) error {
		s := &splitting{b: b, out: out}
		if err := s.read(ctx, in); err != nil {
			return err
		}
		if len(s.labelled) == 0 {
			out.note("no row has an output yet, so there is nothing to split; rung label has people write them")
			out.report = SplitReport{Unlabelled: s.n, Rows: map[rung.Split]int{}, Clusters: map[rung.Split]int{}}
			return in.each(ctx, func(_ int, raw, origin []byte) error { return out.keep(raw, origin) })
		}
		dealt, err := data.SplitRows(ctx, s.labelled, data.SplitOptions{Shares: b.d.Split, Rules: b.d.SplitRules, Name: b.d.File})
		if err != nil {
			return err
		}
		s.labelled = nil
		return s.write(ctx, in, dealt)
	}}
}

// splitting is the step under way.
type splitting struct {
	b        *build
	out      *sink
	labelled []rung.DatasetRow
	ids      []string
	n        int    // all rows
	has      []bool // of each row, whether it has an output
	long     int    // rows whose input is compared by its ends
	x        rows.Extractor
	barred   int // generated rows that the files mark for held-out, which the description does not allow
}

// read takes of each labelled row what decides its split.
func (s *splitting) read(ctx context.Context, in *table) error {
	return in.each(ctx, func(_ int, raw, _ []byte) error {
		row, err := rowOf(raw)
		if err != nil {
			return err
		}
		s.n++
		s.has = append(s.has, len(row.Output) > 0)
		if len(row.Output) == 0 {
			return nil
		}
		if row.Generated != nil && !s.b.d.GeneratedHeldout && row.Split == rung.HeldoutIs {
			s.barred++
			row.Split = rung.Train
		}
		s.ids = append(s.ids, row.ID)
		s.shorten(row)
		s.labelled = append(s.labelled, rung.DatasetRow{ID: row.ID, Input: row.Input, Output: row.Output, Alternatives: row.Alternatives,
			Segment: row.Segment, Group: row.Group, Split: row.Split, Time: row.Time, Generated: row.Generated})
		return nil
	})
}

// What the split holds of a row in memory: of longer inputs the ends, 512 bytes each, with the digest of the whole, so that equal ones are
// equal and near-copies mostly stay alike; of longer outputs the digest. Ten gigabytes of long rows need no more memory than short ones.
const (
	longInput  = 2048
	longOutput = 1024
	longEnd    = 512
)

func (s *splitting) shorten(row *rung.DatasetRow) {
	if len(row.Output) > longOutput {
		row.Output = json.RawMessage(`"` + rung.DigestBytes(row.Output) + `"`)
	}
	for i, a := range row.Alternatives {
		if len(a) > longOutput {
			row.Alternatives[i] = json.RawMessage(`"` + rung.DigestBytes(a) + `"`)
		}
	}
	if len(row.Input) <= longInput {
		return
	}
	name := "input"
	if members, err := s.x.Members(row.Input); err == nil && len(members) > 0 {
		name = string(members[0].Key)
	}
	text, ok := rows.Fields{"input"}.Append(nil, []rows.Member{{Key: []byte("input"), Value: row.Input}})
	if !ok || len(text) <= longInput {
		return
	}
	ends := strings.ToValidUTF8(string(text[:longEnd])+" "+string(text[len(text)-longEnd:]), "")
	short, err := json.Marshal(map[string]string{name: ends + " " + string(rung.DigestBytes(row.Input))})
	if err != nil {
		return
	}
	s.long++
	row.Input = short
}

func (s *splitting) write(ctx context.Context, in *table, dealt *data.Dealt) error {
	left := dealt.LeftOut
	at := -1 // of the labelled rows
	err := in.each(ctx, func(n int, raw, origin []byte) error {
		if !s.has[n] {
			return s.out.keep(raw, origin)
		}
		at++
		row, err := rowOf(raw)
		if err != nil {
			return err
		}
		if dealt.Splits[at] == "" {
			r, err := removedAt(raw, origin, "left_out")
			if err != nil {
				return err
			}
			for len(left) > 0 && left[0].Row < at {
				left = left[1:]
			}
			if len(left) > 0 && left[0].Row == at {
				r.Reason = left[0].Reason
				if left[0].Of >= 0 {
					r.Of = s.ids[left[0].Of]
				}
			}
			return s.out.remove(r)
		}
		row.Split = dealt.Splits[at]
		line, err := encode(&s.out.line, row)
		if err != nil {
			return err
		}
		return s.out.keep(line, origin)
	})
	if err != nil {
		return err
	}
	s.out.notes = append(s.out.notes, dealt.Notes...)
	if s.barred > 0 {
		s.out.note("%s marked for held-out went to train: no person wrote them, and the description does not allow such rows there (generated: {heldout: true})", plural(s.barred, "generated row", "generated rows"))
	}
	delete(dealt.Counts, "")
	report := SplitReport{Rows: dealt.Counts, Clusters: dealt.Clusters, Unlabelled: s.n - len(s.ids), Long: s.long}
	if s.long == 0 {
		report.Heldout = dealt.Heldout
	}
	s.out.report = report
	return nil
}
