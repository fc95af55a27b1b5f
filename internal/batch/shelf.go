package batch

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"github.com/rung-dev/rung"
)

// RecordEnd is how the name of a record's file ends.
const RecordEnd = ".review.json"

// Bounds on what is read beside a file of rows.
const (
	maxRecord  = 64 << 20 // bytes of one record; some million rows
	maxRecords = 10_000   // of one folder
)

// Shelf finds records: in the folders of the files that rows come from, and where Stored is given in a store, whose word goes before a
// file's. It is not safe for concurrent use.
type Shelf struct {
	// Stored gives the record of a review that a store knows, nil of one that it does not.
	Stored func(ctx context.Context, name string) (*Record, error)
	dirs   map[string][]*Record
	known  map[string]found
}

// found is what is known of a review: its record, or why there is none.
type found struct {
	record *Record
	err    error
}

// Row holds a row to the record of its review. dirs are the folders in which a record may lie, place is the row's, for the error. A row
// that says of no review, or that a person wrote, is nobody's business here.
func (s *Shelf) Row(ctx context.Context, dirs []string, place string, g *rung.Generated, input, output json.RawMessage) error {
	if g == nil || g.Review == "" {
		return nil
	}
	r, err := s.Of(ctx, dirs, g.Review)
	if err != nil {
		var e *rung.Error
		if errors.As(err, &e) && e.Place == "" {
			at := *e
			at.Place = place
			return &at
		}
		return err
	}
	if r.Vouches(input, output) {
		return nil
	}
	return &rung.Error{Code: rung.CodeInput, Place: place, What: fmt.Sprintf("the row says that it was reviewed in %s, and the batch of that review (%s) held no such row, or it was found defective", g.Review, r.where),
		Do: "take the rows as rung data review wrote them; a row that was changed afterwards is another, and needs its own review"}
}

// Of is the record of an accepted review. The error says what is wrong with it, or where it was looked for.
func (s *Shelf) Of(ctx context.Context, dirs []string, name string) (*Record, error) {
	key := name + "\x00" + strings.Join(dirs, "\x00")
	if f, ok := s.known[key]; ok {
		return f.record, f.err
	}
	r, err := s.look(ctx, dirs, name)
	if ctx.Err() != nil {
		return nil, ctx.Err()
	}
	if s.known == nil {
		s.known = map[string]found{}
	}
	s.known[key] = found{r, err}
	return r, err
}

func (s *Shelf) look(ctx context.Context, dirs []string, name string) (*Record, error) {
	var beside *Record
	wrong := ""
	for _, dir := range dirs {
		records, err := s.folder(ctx, dir)
		if err != nil {
			return nil, err
		}
		for _, r := range records {
			if r.Review != name {
				continue
			}
			if why := r.fault(name); why == "" && beside == nil {
				beside = r
			} else if why != "" {
				wrong = fmt.Sprintf("%s %s", r.where, why)
			}
		}
	}
	if s.Stored != nil {
		stored, err := s.Stored(ctx, name)
		if err != nil {
			return nil, err
		}
		if stored != nil {
			return s.stored(stored, beside, name)
		}
	}
	if beside != nil {
		return beside, nil
	}
	if wrong == "" {
		wrong = "there is no record of that review (a file that ends in " + RecordEnd + ") beside the file, and no store knows it"
	}
	return nil, unvouched(name, wrong)
}

// stored is what a store says of a review. It has the ratings themselves, so its word counts; only which rows the batch held it may not
// know, when an older rung made the review.
func (s *Shelf) stored(r, beside *Record, name string) (*Record, error) {
	r.where = "the store's record"
	if r.Plan != nil && len(r.Plan.Members) == 0 && beside != nil {
		plan := *r.Plan
		plan.Members = beside.Plan.Members
		r.Plan = &plan
	}
	if why := r.fault(name); why != "" {
		return nil, unvouched(name, r.where+" "+why)
	}
	return r, nil
}

func unvouched(name, why string) error {
	return &rung.Error{Code: rung.CodeInput, What: fmt.Sprintf("the row says that it was reviewed in %q, and %s", name, why),
		Do: "put the record beside the file that rung data review wrote (rung data review FILE writes it again), or take the mark out: then the row counts as not reviewed"}
}

// folder reads the records of a folder, once.
func (s *Shelf) folder(ctx context.Context, dir string) ([]*Record, error) {
	if out, ok := s.dirs[dir]; ok {
		return out, nil
	}
	var out []*Record
	files, err := filepath.Glob(filepath.Join(globbed(dir), "*"+RecordEnd))
	if err != nil {
		return nil, fmt.Errorf("records in %s: %w", dir, err)
	}
	if len(files) > maxRecords {
		return nil, &rung.Error{Code: rung.CodeInput, Place: dir, What: fmt.Sprintf("more than %d records of reviews lie here", maxRecords), Do: "put the rows and their records into a folder of their own"}
	}
	for _, path := range files {
		if ctx.Err() != nil {
			return nil, ctx.Err()
		}
		if r := readRecord(path); r != nil {
			out = append(out, r)
		}
	}
	if s.dirs == nil {
		s.dirs = map[string][]*Record{}
	}
	s.dirs[dir] = out
	return out, nil
}

// readRecord is nil for a file that is no record: it vouches for nothing, and the row that needs it says so.
func readRecord(path string) *Record {
	info, err := os.Stat(path)
	if err != nil || !info.Mode().IsRegular() || info.Size() > maxRecord {
		return nil
	}
	b, err := os.ReadFile(path)
	if err != nil {
		return nil
	}
	var r Record
	if json.Unmarshal(b, &r) != nil || r.Review == "" {
		return nil
	}
	r.where = filepath.Base(path)
	return &r
}

// globbed writes a folder's name so that filepath.Glob takes it as it is.
func globbed(dir string) string {
	return strings.NewReplacer(`\`, `\\`, "*", `\*`, "?", `\?`, "[", `\[`).Replace(dir)
}
