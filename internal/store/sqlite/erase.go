package sqlite

import (
	"context"
	"database/sql"
	"encoding/json"
	"fmt"
	"strings"

	"github.com/rung-dev/rung"
	"github.com/rung-dev/rung/internal/store"
)

// erasePage is how many rows are looked at, and changed, in one transaction: writers wait for it.
const erasePage = 64

// Erase takes content out of the store for good, as store.Store says.
func (s *Store) Erase(ctx context.Context, e store.Erasure) (store.Erased, error) {
	out := store.Erased{}
	for _, do := range []func(context.Context, *store.Erasure, store.Erased) error{
		s.eraseCompletions, s.eraseCandidates, s.eraseBlobs, s.eraseScores, s.eraseLabels, s.eraseQueues, s.eraseRatings, s.eraseDocuments, s.eraseSteps,
	} {
		if err := do(ctx, &e, out); err != nil {
			return out, err
		}
	}
	if e.Dry {
		return out, nil
	}
	return out, s.compact(ctx)
}

// erasing is a row that is looked at: its number and its values.
type erasing struct {
	id   int64
	text []string
	raw  [][]byte // unpacked
}

// eraseRows goes through a table by its row ids: columns are texts first, then packed bodies. decide gives the statement that changes the
// row, without which the row stays.
func (s *Store) eraseRows(ctx context.Context, table string, texts, bodies string, nText, nBody int, dry bool, decide func(*erasing) (query string, args []any)) (n int, err error) {
	columns := texts
	if texts != "" && bodies != "" {
		columns += ", "
	}
	columns += bodies
	query := fmt.Sprintf("SELECT rowid, %s FROM %s WHERE rowid > ? ORDER BY rowid LIMIT %d", columns, table, erasePage)
	for after := int64(-1 << 62); ; {
		page, err := s.erasePage(ctx, query, after, nText, nBody)
		if err != nil || len(page) == 0 {
			return n, err
		}
		type change struct {
			query string
			args  []any
		}
		var changes []change
		for i := range page {
			after = page[i].id
			if q, args := decide(&page[i]); q != "" {
				changes = append(changes, change{q, args})
			}
		}
		n += len(changes)
		if dry || len(changes) == 0 {
			continue
		}
		err = s.put(ctx, func(t *tx) error {
			for _, c := range changes {
				if err := t.exec(c.query, c.args...); err != nil {
					return err
				}
			}
			return nil
		})
		if err != nil {
			return n, err
		}
	}
}

func (s *Store) erasePage(ctx context.Context, query string, after int64, nText, nBody int) ([]erasing, error) {
	rows, err := s.read.QueryContext(ctx, query, after)
	if err != nil {
		return nil, s.failed(err)
	}
	defer rows.Close()
	var out []erasing
	for rows.Next() {
		r := erasing{text: make([]string, nText), raw: make([][]byte, nBody)}
		into := []any{&r.id}
		for i := range r.text {
			into = append(into, &r.text[i])
		}
		for i := range r.raw {
			into = append(into, &r.raw[i])
		}
		if err := rows.Scan(into...); err != nil {
			return nil, s.failed(err)
		}
		for i := range r.raw {
			plain, err := s.pack.Unpack(r.raw[i])
			if err != nil {
				return nil, s.damaged(err)
			}
			r.raw[i] = append([]byte(nil), plain...)
		}
		out = append(out, r)
	}
	return out, s.failed(rows.Err())
}

func (s *Store) eraseCompletions(ctx context.Context, e *store.Erasure, out store.Erased) (err error) {
	out["completions"], err = s.eraseRows(ctx, "completions", "", "request, text", 0, 2, e.Dry, func(r *erasing) (string, []any) {
		if !e.Holds(r.raw[0]) && !e.Holds(r.raw[1]) {
			return "", nil
		}
		return "DELETE FROM completions WHERE rowid = ?", []any{r.id}
	})
	return err
}

// eraseCandidates: a candidate is named by its content, so one with the content taken out would be another. It goes as a whole.
func (s *Store) eraseCandidates(ctx context.Context, e *store.Erasure, out store.Erased) (err error) {
	out["candidates"], err = s.eraseRows(ctx, "candidates", "", "body", 0, 1, e.Dry, func(r *erasing) (string, []any) {
		if !e.Holds(r.raw[0]) {
			return "", nil
		}
		return "DELETE FROM candidates WHERE rowid = ?", []any{r.id}
	})
	return err
}

func (s *Store) eraseBlobs(ctx context.Context, e *store.Erasure, out store.Erased) error {
	_, err := s.eraseRows(ctx, "blobs", "kind", "content", 1, 1, e.Dry, func(r *erasing) (string, []any) {
		if !e.Holds(r.raw[0]) {
			return "", nil
		}
		out[r.text[0]]++
		return "DELETE FROM blobs WHERE rowid = ?", []any{r.id}
	})
	return err
}

// eraseScores takes the answer out of a score and leaves its figures: n is the number of examples, always.
func (s *Store) eraseScores(ctx context.Context, e *store.Erasure, out store.Erased) (err error) {
	out["scores"], err = s.eraseRows(ctx, "scores", "example", "body", 1, 1, e.Dry, func(r *erasing) (string, []any) {
		var sc rung.Score
		if !e.Examples[r.text[0]] && !e.Holds(r.raw[0]) || json.Unmarshal(r.raw[0], &sc) != nil || sc.Answer.Text == store.ErasedText {
			return "", nil
		}
		a := &sc.Answer
		*a = rung.Answer{Text: store.ErasedText, Problem: a.Problem, Repaired: a.Repaired, Made: a.Made, Cached: a.Cached, Failed: a.Failed, Retries: a.Retries,
			Usage: a.Usage, CostUSD: a.CostUSD, Latency: a.Latency}
		body, err := json.Marshal(&sc)
		if err != nil {
			return "", nil
		}
		return "UPDATE scores SET body = ? WHERE rowid = ?", []any{s.pack.Pack(body), r.id}
	})
	return err
}

func (s *Store) eraseLabels(ctx context.Context, e *store.Erasure, out store.Erased) (err error) {
	out["labels"], err = s.eraseRows(ctx, "mode_labels", "example, note, wrong", "", 3, 0, e.Dry, func(r *erasing) (string, []any) {
		if !e.Examples[r.text[0]] && !e.Holds([]byte(r.text[1])) && !e.Holds([]byte(r.text[2])) {
			return "", nil
		}
		return "DELETE FROM mode_labels WHERE rowid = ?", []any{r.id}
	})
	return err
}

// eraseQueues takes the texts of items out of queues; the items stay, so that the other ratings keep their places.
func (s *Store) eraseQueues(ctx context.Context, e *store.Erasure, out store.Erased) (err error) {
	out["queues"], err = s.eraseRows(ctx, "rating_queues", "", "body", 0, 1, e.Dry, func(r *erasing) (string, []any) {
		var q rung.RatingQueue
		if json.Unmarshal(r.raw[0], &q) != nil || !e.Queue(&q) {
			return "", nil
		}
		body, err := json.Marshal(&q)
		if err != nil {
			return "", nil
		}
		return "UPDATE rating_queues SET body = ?, digest = ? WHERE rowid = ?", []any{s.pack.Pack(body), string(rung.DigestBytes(body)), r.id}
	})
	return err
}

func (s *Store) eraseRatings(ctx context.Context, e *store.Erasure, out store.Erased) (err error) {
	out["ratings"], err = s.eraseRows(ctx, "ratings", "", "body", 0, 1, e.Dry, func(r *erasing) (string, []any) {
		var rating rung.Rating
		if json.Unmarshal(r.raw[0], &rating) != nil || !e.Examples[rating.Example] && !e.Holds(r.raw[0]) {
			return "", nil
		}
		return "DELETE FROM ratings WHERE rowid = ?", []any{r.id}
	})
	return err
}

func (s *Store) eraseDocuments(ctx context.Context, e *store.Erasure, out store.Erased) error {
	for _, table := range []string{"runs", "evaluations"} {
		n, err := s.eraseRows(ctx, table, "", "document", 0, 1, e.Dry, func(r *erasing) (string, []any) {
			b, changed := e.Scrub(r.raw[0])
			if !changed {
				return "", nil
			}
			return "UPDATE " + table + " SET document = ? WHERE rowid = ?", []any{s.pack.Pack(b), r.id}
		})
		out["documents"] += n
		if err != nil {
			return err
		}
	}
	return nil
}

// eraseSteps: what holds the text goes. Vectors and rows of tokens cannot be searched for a text and can be made again, so where
// anything is erased all of them go.
func (s *Store) eraseSteps(ctx context.Context, e *store.Erasure, out store.Erased) error {
	touched := e.Vectors || out.Total() > 0
	_, err := s.eraseRows(ctx, "steps", "key", "value", 1, 1, e.Dry, func(r *erasing) (string, []any) {
		kind := madeOfText(r.text[0])
		switch {
		case kind != "" && touched:
			out[kind]++
		case e.Holds(r.raw[0]):
			out["steps"]++
		default:
			return "", nil
		}
		return "DELETE FROM steps WHERE rowid = ?", []any{r.id}
	})
	return err
}

// madeOfText says what a step's key is of when it is made from texts again where it is missing: "vectors", "token rows", else "".
func madeOfText(key string) string {
	switch {
	case strings.HasPrefix(key, "vector:"):
		return "vectors"
	case strings.HasPrefix(key, "row:"):
		return "token rows"
	}
	return ""
}

// compact writes the file anew without what was deleted, in free pages and in the log. A reader or a writer in another process that does
// not end is an error: then old content may still lie in the file.
func (s *file) compact(ctx context.Context) error {
	db, err := sql.Open("sqlite", dsn(s.path, busyMillis, "secure_delete(1)"))
	if err != nil {
		return s.failed(err)
	}
	defer func() { _ = db.Close() }()
	db.SetMaxOpenConns(1)
	if _, err := db.ExecContext(ctx, "VACUUM"); err != nil {
		return s.failed(err)
	}
	var busy, log, moved int
	if err := db.QueryRowContext(ctx, "PRAGMA wal_checkpoint(TRUNCATE)").Scan(&busy, &log, &moved); err != nil {
		return s.failed(err)
	}
	if busy != 0 {
		return &rung.Error{Code: rung.CodeStore, Place: s.path, What: "another process is reading the store, so erased content may still lie in its log", Do: "stop it and run the same command again"}
	}
	return nil
}
