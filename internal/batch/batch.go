// Package batch holds generated rows to the record of their review. A row says of itself in which batch it was reviewed; whoever writes
// that into a file has a row that looks reviewed. So the mark counts for nothing alone: there must be a record of that batch, beside the
// file or in the store, which says that enough of it was looked at and accepted, and the row must be one of those that the batch held.
package batch

import (
	"encoding/json"
	"fmt"

	"github.com/go-json-experiment/json/jsontext"

	"github.com/rung-dev/rung"
	"github.com/rung-dev/rung/internal/stats"
)

// Accepted is the state of a review whose batch may be trained on.
const Accepted = "accepted"

// Record is what is read of a review's record.
type Record struct {
	Review    string           `json:"review"`
	Plan      *rung.ReviewPlan `json:"plan"`
	Reviewers []struct {
		Name string `json:"name"`
	} `json:"reviewers"`
	Looked  int      `json:"looked"`
	Defects int      `json:"defects"`
	Bound   int      `json:"at_most_defective"`
	State   string   `json:"state"`
	Found   []string `json:"found"` // ids of the defective rows
	where   string   // the file that it stands in, or the store
	vouched map[string]bool
}

// Name is the name of the review of a batch: a batch has one, and its rows carry it. Empty for what is no digest.
func Name(batch rung.Digest) string {
	if len(batch) < nameDigits {
		return ""
	}
	return "review-" + string(batch[:nameDigits])
}

const nameDigits = 12

// Member is what a row of a batch says, as 32 hexadecimal digits of a SHA-256: of input and output in the canonical form of RFC 8785, so
// that neither white space nor the order of keys counts.
func Member(input, output json.RawMessage) (string, error) {
	sum := []byte("rung generated row 1")
	for _, raw := range []json.RawMessage{input, output} {
		v := jsontext.Value(append([]byte(nil), raw...))
		if err := v.Canonicalize(); err != nil {
			return "", fmt.Errorf("a generated row: %w", err)
		}
		sum = append(append(sum, '\n'), v...)
	}
	return string(rung.DigestBytes(sum)[:memberDigits]), nil
}

const memberDigits = 32

// Members are the rows of a batch by their ids.
func Members(rows []rung.DatasetRow) (map[string]string, error) {
	out := make(map[string]string, len(rows))
	for i := range rows {
		m, err := Member(rows[i].Input, rows[i].Output)
		if err != nil {
			return nil, err
		}
		out[rows[i].ID] = m
	}
	return out, nil
}

// fault says why a record does not stand for a review of that name; empty where it does.
func (r *Record) fault(name string) string {
	p := r.Plan
	switch {
	case p == nil || r.Review != name || Name(p.Batch) != name:
		return "is of another batch"
	case r.State != Accepted:
		return fmt.Sprintf("says that the batch is %s, and not that it was accepted", orUnknown(r.State))
	case p.Rows < 1 || p.Sample < 1 || p.Sample > p.Rows || p.Accept < 0 || p.Accept > p.Sample || p.Tolerable <= 0 || p.Tolerable >= 1 || p.Confidence <= 0 || p.Confidence >= 1:
		return "holds no plan of acceptance sampling"
	case len(r.Reviewers) == 0 || r.Looked < p.Sample:
		return fmt.Sprintf("says that %d rows were looked at, and its plan asks for %d", r.Looked, p.Sample)
	case r.Defects > p.Accept:
		return fmt.Sprintf("says that %d rows were defective, and its plan allows %d", r.Defects, p.Accept)
	case len(p.Members) == 0:
		return "was written by an older rung and does not say which rows the batch held"
	case len(p.Members) != p.Rows:
		return fmt.Sprintf("names %d rows of a batch of %d", len(p.Members), p.Rows)
	case p.Sample < p.Rows && stats.Hypergeometric(p.Accept, p.Sample, int(p.Tolerable*float64(p.Rows)+1e-9)+1, p.Rows) > 1-p.Confidence+1e-9:
		return fmt.Sprintf("has a plan that does not keep what it says: a sample of %d of %d rows with %d defective ones allowed", p.Sample, p.Rows, p.Accept)
	}
	return ""
}

func orUnknown(state string) string {
	if state == "" {
		return "in no state"
	}
	return state
}

// Vouches reports whether a row is one of the batch that was not found defective.
func (r *Record) Vouches(input, output json.RawMessage) bool {
	if r.vouched == nil {
		r.vouched = make(map[string]bool, len(r.Plan.Members))
		for _, m := range r.Plan.Members {
			r.vouched[m] = true
		}
		for _, id := range r.Found {
			delete(r.vouched, r.Plan.Members[id])
		}
	}
	m, err := Member(input, output)
	return err == nil && r.vouched[m]
}
